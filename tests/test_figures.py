"""Figures carry an alt text, are white, and come out the same every time."""

import functools
import io

import matplotlib as mpl
import numpy as np
import pytest
import torch
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.offsetbox import AnnotationBbox
from PIL import Image
from torch import nn

import mvit2_lib as mv
from mvit2_lib.attention import split_heads
from mvit2_lib.blocks import ConvNormAct, MobileViTv2Block
from mvit2_lib.course import figures, timing
from mvit2_lib.course.records import Measurement, Timings
from mvit2_lib.data.samples import sample_picture

ALT = "A grey square with a small bright dot in it."


@pytest.fixture
def published(monkeypatch):
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(InteractiveShell.instance(), "display_pub", publisher)
    return publisher.outputs


def test_a_shown_figure_is_png_and_its_alt_text_is_stored_twice(published):
    figures.show(figures.picture(np.eye(5)), alt=ALT)
    (output,) = published
    assert output["data"]["image/png"].startswith(b"\x89PNG")
    assert output["data"]["text/plain"] == ALT  # what nbval compares
    assert output["metadata"] == {"image/png": {"alt": ALT}}  # what a web page reads


@pytest.mark.parametrize("alt", ["", "figure", "a plot of it", None])
def test_a_figure_without_a_telling_alt_text_is_refused(alt, published):
    with pytest.raises(ValueError, match="needs an alt text that says what it shows"):
        figures.show(figures.picture(np.eye(5)), alt=alt)
    assert published == []


def made_up_timings():
    """Return records in which "multi-head, fused" is overtaken at 100 tokens, and one round is slow."""
    growth = {"multi-head, fused": lambda k: k**2, "Linformer": lambda k: 100 * k}
    rows = [
        Measurement(name, k, (1e-6 * seconds(k), 1.5e-6 * seconds(k), 9e-6 * seconds(k)), 2**20 * k)
        for name, seconds in growth.items()
        for k in (64, 256, 1024, 4096)
    ]
    return Timings("a made-up machine", tuple(rows))


def tick_labels(axis):
    """Return the text of every labelled tick of an axis by its place."""
    return {place: text.get_text() for place, text in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)}


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def written(axes):
    """Return the texts inside some axes by their column and row."""
    return {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}


FIGURES = {
    "picture": lambda: figures.picture(np.random.default_rng(0).random((9, 7, 3))),
    "prediction": lambda: figures.prediction(np.eye(5), ["one", "two", "three"], torch.tensor([0.2, 0.7, 0.1])),
    "course_picture": figures.course_picture,
    "quadratic_vs_linear": lambda: figures.quadratic_vs_linear(made_up_timings()),
    "operators": lambda: figures.operators(
        {"one layer": {"mm": 0.002, "add": 0.001}, "another": {"mm": 0.003}}, "a machine"
    ),
    "repetitions": lambda: figures.repetitions([0.002, 0.001, 0.009], "a machine"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_opaque_on_white_and_the_same_every_time(name):
    first, again = figures.png(FIGURES[name]()), figures.png(FIGURES[name]())
    assert first == again
    image = Image.open(io.BytesIO(first))
    assert np.asarray(image.convert("RGBA"))[..., 3].min() == 255
    assert image.convert("RGB").getpixel((1, 1)) == (255, 255, 255)


def test_the_best_bar_of_a_prediction_stands_out():
    figure = figures.prediction(np.eye(5), ["one", "two", "three"], torch.tensor([0.2, 0.7, 0.1]))
    bars = figure.axes[1].patches
    assert [bar.get_width() for bar in bars] == pytest.approx([0.2, 0.7, 0.1])
    colors = [bar.get_facecolor() for bar in bars]
    assert colors[0] == colors[2] != colors[1]


def test_the_course_picture_draws_a_map_and_a_column_of_the_library_attentions():
    _, left, right = figures.course_picture().axes
    attention_map, context_scores = left.images[0].get_array(), right.images[0].get_array()
    assert attention_map.shape == (16, 16)
    assert context_scores.shape == (16, 1)
    np.testing.assert_allclose(attention_map.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(context_scores.sum(), 1, rtol=1e-5)
    # What the text beside it says: the rows differ, and each patch finds itself most like itself.
    assert attention_map.argmax(axis=1).tolist() == list(range(16))
    assert context_scores.argmax() == 5  # the patch that holds the left eye


def test_a_timing_figure_draws_the_shortest_rounds_and_names_slopes_crossing_and_machine():
    figure = figures.times({"a run": made_up_timings()}, fit_from=256, against="multi-head, fused")
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_data() for line in axes.lines}
    x, y = next(container.lines[0].get_data() for container in axes.containers if "Linformer" in container.get_label())
    assert list(x) == [64, 256, 1024, 4096]
    assert y == pytest.approx([0.1 * k for k in x])  # milliseconds of the shortest round
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["multi-head, fused: slope 2.00 ± 0.00", "Linformer: slope 1.00 ± 0.00"]
    rings = [(x, y) for label, (x, y) in drawn.items() if len(x) == 1]
    assert [(x[0], y[0]) for x, y in rings] == [(pytest.approx(100), pytest.approx(10))]
    assert "from k ≈ 100 on" in axes.texts[0].get_text()
    assert "a made-up machine" in figure.get_supxlabel()


def test_error_bars_end_at_the_median():
    axes = figures.times({"a run": made_up_timings()}).axes[0]
    container = next(container for container in axes.containers if "Linformer" in container.get_label())
    (bars,) = container.lines[2]
    for k, ((_, low), (_, high)) in zip((64, 256, 1024, 4096), bars.get_segments(), strict=True):
        assert (low, high) == (pytest.approx(0.1 * k), pytest.approx(0.15 * k))


def test_the_slope_of_a_figure_is_taken_from_the_size_asked_for():
    rows = [Measurement("a", k, (1e-6 * max(k, 1000),), k) for k in (10, 100, 1000, 10000, 100000)]
    axes = figures.times({"": Timings("", tuple(rows))}, fit_from=1000).axes[0]
    assert axes.get_legend().get_texts()[0].get_text() == "a: slope 1.00 ± 0.00"


def test_records_of_a_run_that_ended_early_can_be_drawn():
    rows = [Measurement("a", k, (1e-6 * k,), k) for k in (64, 128)]
    axes = figures.quadratic_vs_linear(Timings("", tuple(rows))).axes[0]
    assert axes.get_legend().get_texts()[0].get_text() == "a"  # too few points for a slope


def test_records_without_memory_are_refused_by_name():
    rows = [Measurement("a", k, (1e-6 * k,)) for k in (64, 128)]
    with pytest.raises(ValueError, match="hold no memory: measure with memory=True"):
        figures.quadratic_vs_linear(Timings("", tuple(rows)))


def test_the_memory_figure_draws_counts_as_lines_and_measurements_as_marks():
    axes = figures.memory(made_up_timings(), {"Linformer": [2**20 * k * 3 for k in (64, 256, 1024, 4096)]}).axes[0]
    drawn = {line.get_label(): line for line in axes.lines}
    assert list(drawn["Linformer, counted"].get_ydata()) == [3 * k for k in (64, 256, 1024, 4096)]
    assert list(drawn["Linformer, measured"].get_ydata()) == [64, 256, 1024, 4096]
    assert drawn["Linformer, measured"].get_linestyle() == "None"


def test_repetitions_name_their_shortest_median_and_mean():
    axes = figures.repetitions([0.001, 0.002, 0.009], "a machine").axes[0]
    levels = {line.get_label().split(":")[0]: line.get_ydata()[0] for line in axes.lines[1:]}
    assert levels == {"mean": pytest.approx(4), "median": pytest.approx(2), "shortest": pytest.approx(1)}


def test_every_published_ratio_is_a_mark_in_the_row_of_its_device():
    rows = [
        {"source": "A", "device": "phone", "v1": "XXS", "v2": 0.5},
        {"source": "A", "device": "laptop", "v1": "XXS", "v2": 0.5},
        {"source": "A", "device": "laptop", "v1": "XS", "v2": 0.75},
        {"source": "A", "device": "laptop", "v1": "S", "v2": 1.0},
    ]
    axes = figures.speed_ratios(rows, [3.0, 0.8, 1.2, 1.1]).axes[0]
    marks = {(x, y) for line in axes.lines for x, y in zip(*line.get_data(), strict=True) if len(line.get_xdata()) < 3}
    assert {(3.0, 0), (0.8, 1), (1.2, 1), (1.1, 1)} <= marks
    assert [text.get_text() for text in axes.get_yticklabels()] == ["A: phone", "A: laptop"]


def test_two_machines_are_both_named():
    one, other = made_up_timings(), Timings("another machine", made_up_timings().measurements)
    figure = figures.times({"one": one, "other": other})
    assert figure.get_supxlabel() == "measured on a made-up machine; another machine"


def test_small_operators_are_drawn_as_the_rest():
    figure = figures.operators({"layer": {"mm": 0.090, "add": 0.009, "view": 0.001}}, "a machine", least=0.05)
    widths = {container.get_label(): container[0].get_width() for container in figure.axes[0].containers}
    assert widths == pytest.approx({"mm": 90, "add": 9, "the rest": 1})


def test_the_machine_stands_under_every_measured_figure():
    figure = figures.quadratic_vs_linear(made_up_timings())
    assert figure.get_supxlabel() == "measured on a made-up machine"
    time, memory = figure.axes
    assert memory.lines[0].get_ydata() == pytest.approx([64, 256, 1024, 4096])  # MiB


# Charts


@pytest.mark.parametrize("log_y", [False, True])
def test_lines_put_every_series_over_x_on_an_axis_to_the_base_2(log_y):
    series = {"one": [3.0, 5.0, 7.0], "other": [1.0, 10.0, 4.0]}
    (axes,) = figures.lines([16, 64, 256], series, "tokens", "bytes", log_y=log_y).axes
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == series
    assert all(list(line.get_xdata()) == [16, 64, 256] for line in axes.lines)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("tokens", "bytes")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log" if log_y else "linear")
    assert axes.xaxis.get_transform().base == 2
    assert tick_labels(axes.xaxis) == {16: "16", 64: "64", 256: "256"}
    if not log_y:
        assert axes.get_ylim()[0] == 0
    assert legend(axes) == ["one", "other"]


def test_curves_are_drawn_over_their_positions_from_0_and_from_the_bottom():
    series = {"one": [3.0, 5.0, 7.0], "other": [1.0, 10.0]}
    (axes,) = figures.curves(series, "step", "loss").axes
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert drawn == {"one": ([0, 1, 2], [3, 5, 7]), "other": ([0, 1], [1, 10])}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_ylim()[0]) == ("step", "loss", 0)
    assert legend(axes) == ["one", "other"]


def test_a_spread_shows_every_run_a_line_through_the_means_and_the_level_of_guessing():
    series = {"one": [[0.2, 0.9], [0.4, 0.5, 0.9]], "other": [[0.1], [0.3]]}
    (axes,) = figures.spread([10, 40], series, "pictures", "accuracy", chance=0.25).axes
    means = {line.get_label(): line.get_xydata().tolist() for line in axes.lines if line.get_label() in series}
    assert means["one"] == [[10, pytest.approx(0.55)], [40, pytest.approx(0.6)]]
    assert means["other"] == [[10, 0.1], [40, 0.3]]
    colors = {line.get_label(): line.get_color() for line in axes.lines}
    for name, results in series.items():
        dots = [line for line in axes.lines if line.get_color() == colors[name] and line.get_linestyle() == "None"]
        points = [tuple(point) for line in dots for point in line.get_xydata()]
        assert points == [(x, run) for x, runs in zip([10, 40], results, strict=True) for run in runs]
    (level,) = [line for line in axes.lines if set(line.get_ydata()) == {0.25}]
    assert axes.texts[0].get_text() == "guessing"
    assert axes.texts[0].xy[1] == level.get_ydata()[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_ylim()) == ("pictures", "accuracy", (0, 1.05))


def test_runs_stand_in_the_row_of_their_name_with_a_bar_at_their_mean():
    (axes,) = figures.runs({"one": [0.5, 0.6, 0.95], "other": [0.7]}, "accuracy", chance=0.3, least=0.2).axes
    squares = [line for line in axes.lines if line.get_marker() == "s"]
    assert [point for line in squares for point in line.get_xydata().tolist()] == [
        [0.5, 0],
        [0.6, 0],
        [0.95, 0],
        [0.7, 1],
    ]
    means = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "|"]
    assert means == [[pytest.approx(2.05 / 3), 0], [0.7, 1]]
    assert tick_labels(axes.yaxis) == {0: "one", 1: "other"}
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first stands above
    assert axes.get_xlim()[0] == 0.2
    assert [list(line.get_xdata()) for line in axes.lines if line.get_linestyle() == ":"] == [[0.3, 0.3]]


def test_an_accuracy_panel_has_a_point_for_each_model_and_joins_the_first_two_families():
    families = {"v2": [(1, 70.0), (4, 75.0)], "v1": [(2, 69.0)], "other": [(3, 71.0), (5, 72.0)]}
    figure = figures.accuracy({"parameters": families, "MACs": {"other": [(9, 71.0)], "v1": [(8, 69.0)]}}, "top-1")
    left, right = figure.axes
    assert {line.get_label(): [tuple(point) for point in line.get_xydata()] for line in left.lines} == families
    joined = {line.get_label(): line.get_linestyle() for line in left.lines}
    assert (joined["v2"], joined["v1"], joined["other"]) == ("-", "-", "None")
    assert (left.get_xlabel(), right.get_xlabel(), left.get_ylabel()) == ("parameters", "MACs", "top-1")
    assert (left.get_xscale(), right.get_xscale(), left.get_yscale()) == ("log", "log", "linear")
    looks = [{line.get_label(): (line.get_color(), line.get_marker()) for line in axes.lines} for axes in figure.axes]
    assert looks[0]["other"] == looks[1]["other"] != looks[0]["v1"] == looks[1]["v1"] != looks[0]["v2"]
    assert sorted(text.get_text() for text in figure.legends[0].get_texts()) == ["other", "v1", "v2"]


def test_residuals_lie_over_a_band_of_half_a_unit_of_the_second_decimal():
    (axes,) = figures.residuals([0.5, 1.0], {"ours": [0.001, -0.004], "timm": [0.0, 0.02]}, "α", "billions").axes
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == {
        "ours": [0.001, -0.004],
        "timm": [0.0, 0.02],
    }
    assert all(list(line.get_xdata()) == [0.5, 1.0] for line in axes.lines)
    (band,) = axes.patches
    assert band.get_extents().transformed(axes.transData.inverted()).intervaly == pytest.approx([-0.005, 0.005])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("α", "billions")


# Measurements


def test_measured_sizes_times_and_bytes_stand_on_logarithmic_axes_with_their_units():
    time, memory = figures.quadratic_vs_linear(made_up_timings()).axes
    for axes, unit in ((time, "milliseconds"), (memory, "MiB"), (figures.memory(made_up_timings(), {}).axes[0], "MiB")):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert axes.xaxis.get_transform().base == 2
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("tokens k", unit)
        assert tick_labels(axes.xaxis) == {64: "64", 256: "256", 1024: "1024", 4096: "4096"}
    assert figures.times({"": made_up_timings()}).axes[0].get_ylabel() == "milliseconds"
    assert "from k ≈ 100 on Linformer\nis faster than multi-head, fused" in time.texts[0].get_text()


def test_an_attention_looks_the_same_in_every_figure_and_unlike_the_others():
    every = list(timing.attentions())
    looks = {}
    for names in (every, every[::-1], every[2:]):
        rows = tuple(Measurement(name, k, (1e-6 * k,), k) for name in names for k in (64, 128))
        time, memory = figures.quadratic_vs_linear(Timings("", rows)).axes
        drawn = [(container.get_label(), container.lines[0]) for container in time.containers]
        for name, line in drawn + [(line.get_label(), line) for line in memory.lines]:
            looks.setdefault(name, set()).add((line.get_color(), line.get_marker(), line.get_linestyle()))
    assert sorted(looks) == sorted(every)
    assert all(len(look) == 1 for look in looks.values())
    for differing in zip(*(next(iter(look)) for look in looks.values()), strict=True):
        assert len(set(differing)) == 4


def test_operators_are_laid_end_to_end_in_a_row_for_each_layer_the_first_on_top():
    (axes,) = figures.operators({"one": {"mm": 0.002, "add": 0.001}, "two": {"add": 0.003}}, "a machine").axes
    drawn = [(container.get_label(), container[0]) for container in axes.containers]
    drawn = [(name, bar) for name, bar in drawn if name != "the rest"]
    assert [name for name, _ in drawn] == ["mm", "add", "add"]
    places = [(bar.get_y() + bar.get_height() / 2, bar.get_x(), bar.get_width()) for _, bar in drawn]
    assert places == [pytest.approx(place) for place in ((0, 0, 2), (0, 2, 1), (1, 0, 3))]
    colors = [bar.get_facecolor() for _, bar in drawn]
    assert colors[0] != colors[1] == colors[2]
    assert tick_labels(axes.yaxis) == {0: "one", 1: "two"}
    assert axes.yaxis_inverted()
    assert axes.get_xlabel() == "milliseconds in one forward pass"


def test_speed_ratios_lie_on_a_logarithmic_axis_around_a_line_at_one_with_a_look_for_each_pair():
    rows = [{"source": "A", "device": d, "v1": v1, "v2": v2} for d, v1, v2 in SPEED_ROWS]
    (axes,) = figures.speed_ratios(rows, [3.0, 0.8, 1.2]).axes
    *marks, line = axes.lines
    assert {mark.get_label(): mark.get_xydata().tolist() for mark in marks} == {
        "v2 at α = 0.5 against v1-XXS": [[3.0, 0]],
        "v2 at α = 0.75 against v1-XS": [[0.8, 1]],
        "v2 at α = 1 against v1-S": [[1.2, 1]],
    }
    assert len({mark.get_marker() for mark in marks}) == len({mark.get_color() for mark in marks}) == 3
    assert list(line.get_xdata()) == [1, 1]
    assert axes.get_xscale() == "log"
    assert axes.yaxis_inverted()
    assert axes.get_xlabel().startswith("speed of v2 / speed of v1 (left of the line: v2 slower)")


SPEED_ROWS = (("phone", "XXS", 0.5), ("laptop", "XS", 0.75), ("laptop", "S", 1.0))


def test_repetitions_are_points_in_the_order_of_the_calls():
    (axes,) = figures.repetitions([0.001, 0.002, 0.009], "a machine").axes
    assert axes.lines[0].get_xydata().tolist() == [[0, 1], [1, 2], [2, pytest.approx(9)]]


# Pictures


def colors_of(image):
    """Return the grey value or colour that each cell of an image has on paper, without its opacity."""
    return np.asarray(image.to_rgba(image.get_array()))[..., :3]


def brightness(image):
    return colors_of(image).sum(axis=-1)


def test_the_larger_number_is_the_brighter_grey_and_zero_is_black():
    pixels = np.array([[0.5, 0.6], [0.8, 1.0]])
    (axes,) = figures.picture(pixels).axes
    grey = brightness(axes.images[0])
    assert grey.ravel().tolist() == sorted(grey.ravel())
    assert grey.ravel() == pytest.approx(3 * pixels.ravel(), abs=0.02)  # the least is no black
    assert axes.images[0].origin == "upper"


def test_panels_show_their_pictures_in_order_each_under_its_title():
    pictures = {"grey": torch.rand(4, 6), "colours": torch.rand(5, 3, 3)}
    row = figures.panels(pictures).axes
    assert [axes.get_title() for axes in row] == list(pictures)
    for axes, pixels in zip(row, pictures.values(), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), pixels)


def test_a_receptive_field_is_drawn_in_powers_of_ten_and_white_where_nothing_matters():
    values = torch.tensor([[0.0, 2.0], [0.02, 2e-4]])
    axes, bar = figures.receptive_fields({"a map": values}).axes
    shown = axes.images[0].get_array()
    assert shown.mask.tolist() == [[True, False], [False, False]]
    np.testing.assert_allclose(shown.compressed(), [0, -2, -4], atol=1e-6)
    assert axes.images[0].get_clim() == (-5, 0)
    assert axes.get_title() == "a map"
    assert tick_labels(bar.yaxis) == {-5: "10⁻⁵", -2.5: "", 0: "1"}


def test_an_attention_map_writes_each_weight_into_its_cell_and_a_row_is_the_token_that_looks():
    weights = torch.tensor([[0.9, 0.1, 0.0], [0.3, 0.3, 0.4], [0.0, 0.6, 0.4]])
    (axes,) = figures.attention_map(weights, ["the", "cat", "sat"]).axes
    assert written(axes) == {(c, r): f"{weights[r, c]:.2f}" for r in range(3) for c in range(3)}
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert axes.images[0].get_clim() == (0, 1)
    bright, behind = brightness(axes.images[0]), {"white": [], "black": []}
    for text in axes.texts:
        column, row = map(round, text.get_position())
        behind[text.get_color()].append(bright[row, column])
    assert max(behind["white"]) < min(behind["black"])  # white stands on dark cells, black on pale ones
    assert len(behind["white"]) == (weights > 0.5).sum()
    assert tick_labels(axes.xaxis) == tick_labels(axes.yaxis) == {0: "the", 1: "cat", 2: "sat"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("is looked at", "looks")


def test_two_maps_side_by_side_share_one_scale():
    multi_head, separable = torch.rand(6, 6), 0.1 * torch.rand(1, 6).expand(6, 6)
    left, right = figures.implied_maps(multi_head, separable).axes
    for axes, weights in ((left, multi_head), (right, separable)):
        np.testing.assert_array_equal(axes.images[0].get_array(), weights)
        assert axes.images[0].get_clim() == pytest.approx((0, multi_head.max().item()))
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("token that is looked at", "token that looks")
    assert left.get_title().startswith("multi-head")
    assert right.get_title().startswith("separable")


def framed_patch(axes, pixels):
    """Return row and column of the patch that stands in a frame."""
    (corner,) = {frame.get_xy() for frame in axes.patches}
    assert all((frame.get_width(), frame.get_height()) == (pixels, pixels) for frame in axes.patches)
    return (corner[1] + 0.5) / pixels, (corner[0] + 0.5) / pixels


def assert_heat_lies_on_the_patches(axes, weights, height, width):
    """Compare a map of weights with what is drawn: each weight over its own patch of the picture below."""
    heat = axes.images[1]
    side = round(len(weights) ** 0.5)
    np.testing.assert_array_equal(heat.get_array(), np.asarray(weights).reshape(side, side))
    left, right, bottom, top = heat.get_extent()
    assert (left, right, bottom, top) == (-0.5, width - 0.5, height - 0.5, -0.5)
    assert heat.origin == "upper"
    assert heat.get_clim() == pytest.approx((0, float(max(weights))))
    bright = brightness(heat).ravel()
    assert bright.argmax() == np.argmax(weights)


def test_a_patch_that_asks_is_framed_on_the_weights_of_its_own_row():
    picture, attention = torch.rand(3, 12, 12), torch.rand(9, 9) + 0.5
    asking = {"left ear": (0, 2), "tail": (2, 1)}
    row = figures.attention_over_picture(picture, attention, asking).axes
    for axes, (name, (r, c)) in zip(row, asking.items(), strict=True):
        assert axes.get_title() == f"the {name} asks"
        assert framed_patch(axes, 4) == (r, c)
        assert_heat_lies_on_the_patches(axes, attention[3 * r + c].tolist(), 12, 12)
        np.testing.assert_allclose(axes.images[0].get_array(), picture.mean(dim=0), rtol=1e-6)
        assert axes.images[1].get_alpha() < 1  # the photograph shines through


def test_context_scores_lie_over_the_patches_beside_the_picture_in_its_colours():
    picture, scores = torch.rand(3, 12, 12), torch.rand(9) + 0.5
    left, right = figures.scores_over_picture(picture, scores, (2, 0)).axes
    np.testing.assert_array_equal(left.images[0].get_array(), picture.permute(1, 2, 0))
    assert_heat_lies_on_the_patches(right, scores.tolist(), 12, 12)
    assert framed_patch(left, 4) == framed_patch(right, 4) == (2, 0)
    assert (left.get_title(), right.get_title()) == ("the picture", "its context scores")


def test_the_scores_of_every_layer_stand_in_the_row_of_their_stage_under_their_extremes():
    picture = torch.zeros(1, 8, 8)
    picture[:, 2:6, 2:6] = 1
    stages = {"stage 3": [torch.rand(16) + 0.5, torch.rand(16) + 0.5], "stage 4": [torch.rand(4) + 0.5]}
    axes = figures.latent_views(picture, stages).axes
    shown = [panel for panel in axes if panel.axison]
    assert len(axes) == 4
    assert len(shown) == 3
    every = [(name, number, scores) for name in stages for number, scores in enumerate(stages[name], 1)]
    for panel, (name, number, scores) in zip(shown, every, strict=True):
        assert panel.get_title() == f"{name}, layer {number}\n{scores.min():.2f} … {scores.max():.2f}"
        assert_heat_lies_on_the_patches(panel, scores.tolist(), 8, 8)
        assert panel.images[1].get_alpha() == 1  # ink of a drawing colours no patch,
        assert panel.collections  # and its outline lies on top


def test_the_patches_of_the_course_picture_lie_where_they_were_cut():
    photograph, left, right = figures.course_picture().axes
    drawn, original = photograph.images[0].get_array(), sample_picture("chelsea").crop((75, 0, 375, 300))
    cut = np.asarray(original.resize((256, 256)))
    side = len(drawn) // 4
    for row, column in np.ndindex(4, 4):
        patch = drawn[side * row :, side * column :][2 : side - 2, 2 : side - 2]
        np.testing.assert_array_equal(patch, cut[64 * row : 64 * row + 64, 64 * column : 64 * column + 64])
    assert "16 × 16 = 256 comparisons" in left.get_xlabel()
    assert "= 16 comparisons" in right.get_xlabel()
    assert photograph.get_xlabel() == "16 patches of a photograph"


def test_every_row_and_column_of_a_map_has_the_picture_of_its_token():
    patches = np.random.default_rng(0).integers(0, 255, (4, 5, 5, 3))
    _, left, right = figures.attention_pair(torch.rand(4, 4), torch.rand(4, 1), patches).axes
    for axes, places in (
        (left, [place for i in range(4) for place in ((-0.5, i), (i, -0.5))]),
        (right, [(-0.5, i) for i in range(4)]),
    ):
        thumbnails = [artist for artist in axes.artists if isinstance(artist, AnnotationBbox)]
        assert [thumbnail.xy for thumbnail in thumbnails] == places
        for thumbnail in thumbnails:
            index = round(max(thumbnail.xy))
            np.testing.assert_array_equal(thumbnail.offsetbox.get_data(), patches[index])


def test_the_index_image_is_numbered_framed_and_coloured_as_unfold_takes_it_apart():
    image = torch.arange(24).reshape(4, 6)
    rows = mv.unfold(image[None, None])[0, :, :, 0]
    left, right = figures.index_image(image, rows).axes
    assert written(left) == {(c, r): str(6 * r + c) for r in range(4) for c in range(6)}
    assert written(right) == {(n, p): str(rows[p, n].item()) for p in range(4) for n in range(6)}
    for position, row in enumerate(rows):  # a pixel has the colour of its row
        colors = {tuple(colors_of(left.images[0])[n // 6, n % 6]) for n in row.tolist()}
        assert colors == {tuple(color) for color in colors_of(right.images[0])[position]}
        assert len(colors) == 1
    assert len({tuple(color) for color in colors_of(right.images[0])[:, 0]}) == 4
    frames = [(set(line.get_xdata()), set(line.get_ydata())) for line in left.lines]
    assert [x.pop() for x, y in frames if len(x) == 1] == [-0.5, 1.5, 3.5, 5.5]
    assert [y.pop() for x, y in frames if len(y) == 1] == [-0.5, 1.5, 3.5]
    assert left.get_title() == "4 × 6 pixels in 2 × 2 patches"
    assert (right.get_ylabel(), right.get_xlabel()) == ("pixel position P", "patch N")


# Drawings of modules


def boxes_and_arrows(axes):
    """Read a drawing: the boxes from below, each a text and a shape, and which box leads to which."""
    texts = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    places = {}
    for patch in axes.patches:
        x, y, width, height = patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()
        inside = [(b, text) for (a, b), text in texts.items() if x < a < x + width and y < b < y + height]
        (_, shape), (_, text) = sorted(inside)
        places[x, y, x + width, y + height] = text, shape

    def at(x, y):
        near = [box for (x0, y0, x1, y1), box in places.items() if x0 <= x <= x1 and y0 - 0.06 < y < y1 + 0.06]
        (found,) = near
        return found[0]

    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None)]
    return list(places.values()), {(at(*arrow.xyann), at(*arrow.xy)) for arrow in arrows}


def symbols(tensor, **sizes):
    names = {size: name for name, size in sizes.items()}
    return "[" + ", ".join(names.get(side, str(side)) for side in tensor.shape) + "]"


def test_the_drawing_of_multi_head_attention_has_the_shapes_and_paths_of_the_module():
    k, d, h = 7, 12, 3
    module, x = mv.MultiHeadSelfAttention(d, h), torch.randn(7, 12)
    named = functools.partial(symbols, k=k, d=d, h=h, d_h=d // h)
    heads = {letter: split_heads(getattr(module, f"W_{letter}")(x), h) for letter in "QKV"}
    attention_map = module.attention_map(x)
    boxes, paths = boxes_and_arrows(figures.multi_head_unit().axes[0])
    q, key, v = (f"$W_{letter}$, split heads" for letter in "QKV")
    products, means, out = "dot products / $\\sqrt{d_h}$, softmax", "weighted means", "merge heads, $W_O$"
    assert dict(boxes) == {
        "x": named(x),
        **{name: named(heads[letter]) for name, letter in ((q, "Q"), (key, "K"), (v, "V"))},
        products: named(attention_map),
        means: named(attention_map @ heads["V"]),
        out: named(module(x)),
    }
    assert paths == {("x", q), ("x", key), ("x", v), (q, products), (key, products)} | {
        (products, means),
        (v, means),
        (means, out),
    }


def test_the_drawing_of_separable_attention_has_the_shapes_and_paths_of_the_module():
    k, d = 7, 12
    module, x = mv.SeparableSelfAttention(d), torch.randn(7, 12)
    named = functools.partial(symbols, k=k, d=d)
    boxes, paths = boxes_and_arrows(figures.separable_unit().axes[0])
    question, key, value, out = "$W_I$", "$W_K$", "$W_V$", "$W_O$"
    scores, context, product = "softmax: $c_s$", "weighted sum: $c_v$", "product, entry by entry"
    assert dict(boxes) == {
        "x": named(x),
        **{f"$W_{letter}$": named(getattr(module, f"W_{letter}")(x)) for letter in "IKV"},
        scores: named(module.context_scores(x)),
        context: named(module.context_vector(x)),
        "ReLU": named(module.W_V(x).relu()),
        product: named(module.context_vector(x) * module.W_V(x).relu()),
        out: named(module(x)),
    }
    assert paths == {("x", question), ("x", key), ("x", value), (question, scores), (scores, context)} | {
        (key, context),
        (context, product),
        (value, "ReLU"),
        ("ReLU", product),
        (product, out),
    }


@pytest.mark.parametrize(("attention", "said"), [("separable", "separable"), ("multi_head", "multi-head")])
def test_the_steps_of_a_block_are_what_its_parts_did_and_it_is_left_as_it_was(attention, said):
    block = MobileViTv2Block(6, 12, 2, attention).eval()
    steps = figures.block_steps(block, torch.randn(1, 6, 8, 10))
    layer = f"{said} attention, feed-forward", "[1, 4, 20, 12]"
    assert [(step.text, step.shape) for step in steps] == [
        ("feature map", "[1, 6, 8, 10]"),
        ("depthwise 3×3 convolution, norm, SiLU", "[1, 6, 8, 10]"),
        ("1×1 convolution", "[1, 12, 8, 10]"),
        ("unfold", "[1, 4, 20, 12]"),
        layer,
        layer,
        ("group norm", "[1, 4, 20, 12]"),
        ("fold", "[1, 12, 8, 10]"),
        ("1×1 convolution, norm", "[1, 6, 8, 10]"),
    ]
    by_color = {step.color: step.text for step in steps}
    assert by_color[steps[4].color] == layer[0]  # no other part has the colour of a transformer layer
    assert steps[3].color == steps[7].color != steps[1].color
    assert not any(part._forward_hooks for part in block.modules())


def test_a_concatenation_shows_among_the_steps():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.fuse = ConvNormAct(4, 4, stride=2, kernel_size=3), nn.Conv2d(8, 4, 3, padding=1)

        def forward(self, x):
            return self.fuse(torch.cat([x[..., ::2, ::2], self.inner(x)], dim=1))

    steps = figures.block_steps(Skip().eval(), torch.randn(1, 4, 6, 8))
    assert [(step.text, step.shape) for step in steps[1:]] == [
        ("3×3 convolution, stride 2, norm, SiLU", "[1, 4, 3, 4]"),
        ("side by side with the input", "[1, 8, 3, 4]"),
        ("3×3 convolution", "[1, 4, 3, 4]"),
    ]


def test_steps_are_drawn_from_below_each_led_to_by_the_one_before_and_a_skip_leads_upwards():
    steps = figures.block_steps(MobileViTv2Block(6, 12, 1).eval(), torch.randn(1, 6, 8, 10))
    (axes,) = figures.blocks({"a block": steps, "its start": steps[:3]}, skip={"a block": (0, 6)}).axes
    middle = axes.get_xlim()[1] / 2
    columns = [[], []]
    for patch in sorted(axes.patches, key=lambda patch: patch.get_y()):
        columns[int(patch.get_x() > middle)].append(patch)
    for column, drawn in zip(columns, (steps, steps[:3]), strict=True):
        assert len(column) == len(drawn)
        for box, step in zip(column, drawn, strict=True):
            left, bottom = box.get_x(), box.get_y()
            inside = [
                text.get_text()
                for text in sorted(axes.texts, key=lambda text: -text.get_position()[1])
                if left < text.get_position()[0] < left + box.get_width()
                and bottom < text.get_position()[1] < bottom + box.get_height()
                and text.get_text()
            ]
            assert inside == [step.text, step.shape]
            assert box.get_facecolor() == mpl.colors.to_rgba(step.color)
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None)]
    assert all(arrow.xy[1] > arrow.xyann[1] for arrow in arrows)
    (skip,) = [arrow for arrow in arrows if arrow.xy[1] - arrow.xyann[1] > 1]
    for (_, y), box in ((skip.xyann, columns[0][0]), (skip.xy, columns[0][6])):
        assert box.get_y() < y < box.get_y() + box.get_height()
    assert len(arrows) == 1 + len(steps) - 1 + 2
    titles = [text for text in axes.texts if text.get_text() in ("a block", "its start")]
    assert [title.get_text() for title in sorted(titles, key=lambda title: title.get_position()[0])] == [
        "a block",
        "its start",
    ]


@pytest.fixture(scope="module")
def small_model():
    return mv.MobileViTv2(0.25, num_classes=7, in_channels=1).eval()


def test_the_rows_of_an_architecture_are_the_parts_of_the_model_with_what_leaves_them_and_what_they_cost(small_model):
    rows, x = figures.stage_costs(small_model, 64), torch.rand(1, 1, 64, 64)
    parts = [("stem", small_model.stem)]
    parts += [(f"stage {i}", part) for i, stage in enumerate(small_model.stages, 1) for part in stage]
    with torch.inference_mode():
        for row, (name, part) in zip(rows, parts, strict=False):
            assert row["stage"] == name
            assert (row["macs"], row["parameters"]) == (mv.count_macs(part, *x.shape), mv.count_parameters(part))
            x = part(x)
            assert row["shape"] == " × ".join(map(str, x.shape[1:]))
            if isinstance(part, MobileViTv2Block):
                width = part.to_tokens.out_channels
                assert row["content"] == f"MobileViTv2 block, {len(part.layers)} layers of width {width}"
            elif isinstance(part, mv.InvertedResidual):
                halves = part.depthwise.conv.stride == (2, 2)
                assert row["content"] == "inverted residual" + (", stride 2" if halves else "")
    assert len(rows) == len(parts) + 1
    assert rows[0]["content"] == "3×3 convolution, stride 2, norm, SiLU"
    features, classes = small_model.classifier.in_features, 7
    assert rows[-1] == {
        "stage": "classifier",
        "content": "mean over the map, linear layer",
        "shape": "7",
        "macs": features * classes,
        "parameters": features * classes + classes,
    }
    assert sum(row["macs"] for row in rows) == mv.count_macs(small_model, 1, 1, 64, 64)
    assert sum(row["parameters"] for row in rows) == mv.count_parameters(small_model)


def test_the_architecture_draws_each_row_with_bars_as_long_as_its_costs_say():
    rows = figures.stage_costs(mv.MobileViTv2(0.25), 96)
    names, work, weights = figures.architecture(0.25, 96).axes
    for number, row in enumerate(rows):
        texts = sorted(
            (text.get_position()[0], text.get_text()) for text in names.texts if text.get_position()[1] == number
        )
        assert [text for _, text in texts] == [row["stage"], row["content"], row["shape"]]
    assert names.yaxis_inverted()  # the picture goes in on top
    for axes, key, unit, label in ((work, "macs", 1e6, "million MACs"), (weights, "parameters", 1e3, "thousand")):
        bars = axes.patches
        assert [bar.get_width() for bar in bars] == pytest.approx([row[key] / unit for row in rows])
        assert [bar.get_y() + bar.get_height() / 2 for bar in bars] == pytest.approx(range(len(rows)))
        assert axes.get_xlabel() == label
        colors = {"MobileViTv2" in row["content"]: bar.get_facecolor() for row, bar in zip(rows, bars, strict=True)}
        assert colors[True] == mpl.colors.to_rgba(figures.PALETTE[1])
        assert [bar.get_facecolor() for bar in bars] == [colors["MobileViTv2" in row["content"]] for row in rows]
        assert colors[True] != colors[False]
        for text, row in zip(axes.texts, rows, strict=True):
            value = row[key] / unit
            assert abs(float(text.get_text().replace(",", "")) - value) <= (0.5 if value >= 10 else 0.05)
    assert work.get_title() == f"MACs: {sum(row['macs'] for row in rows) / 1e9:.2f} G in all"
    assert weights.get_title() == f"parameters: {sum(row['parameters'] for row in rows) / 1e6:.2f} M in all"
    assert names.get_title(loc="left") == "MobileViTv2, α = 0.25, 96×96 pixels"


def test_the_answer_of_a_prediction_is_read_from_the_top_beside_its_picture():
    left, right = figures.prediction(np.eye(5), ["one", "two", "three"], torch.tensor([0.2, 0.7, 0.1])).axes
    np.testing.assert_array_equal(left.images[0].get_array(), np.eye(5))
    assert tick_labels(right.yaxis) == {0: "one", 1: "two", 2: "three"}
    assert right.yaxis_inverted()
    assert right.patches[1].get_facecolor() == mpl.colors.to_rgba(figures.PALETTE[1])  # the most probable
    assert (right.get_xlim(), right.get_xlabel()) == ((0, 1), "probability")
