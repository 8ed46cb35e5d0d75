"""Figures carry an alt text, are white, and come out the same every time."""

import base64
import functools
import html
import io
import itertools
import re

import matplotlib as mpl
import numpy as np
import pytest
import torch
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.offsetbox import AnnotationBbox
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib.attention import split_heads
from mvit2_lib.blocks import ConvNormAct, MobileViTv2Block
from mvit2_lib.course import figures, timing
from mvit2_lib.course.figures import showpiece
from mvit2_lib.course.records import Measurement, Timings
from mvit2_lib.data.samples import sample_picture

ALT = "A grey square with a small bright dot in it."


@pytest.fixture
def published(monkeypatch):
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(InteractiveShell.instance(), "display_pub", publisher)
    return publisher.outputs


def test_a_shown_figure_is_an_image_with_its_alt_text_where_readers_and_nbval_find_it(published):
    alt = 'A "grey" square, < 5 pixels wide, with a bright dot & no frame.'
    figure = figures.prediction(np.eye(5), ["one", "two"], torch.tensor([0.2, 0.8]))
    figures.show(figure, alt=alt)
    (output,) = published
    assert sorted(output["data"]) == ["text/html", "text/plain"]  # no second copy of the picture
    assert output["data"]["text/plain"] == alt  # what nbval compares
    (tag,) = re.findall(r"^<img [^<>]*>$", output["data"]["text/html"])
    attributes = {name: html.unescape(value) for name, value in re.findall(r'([-\w]+)="([^"]*)"', tag)}
    assert attributes["alt"] == alt
    kind, _, pixels = attributes["src"].partition(",")
    assert kind == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(pixels)))
    assert image.format == "PNG"
    assert attributes["width"] == str(image.width)  # as large as it was drawn, and no larger
    assert attributes["style"] == "max-width:100%"


def test_the_alt_text_arrives_in_a_web_page(published):
    figures.show(figures.picture(np.eye(5)), alt=ALT)
    output = new_output("display_data", data=published[0]["data"])
    page, _ = HTMLExporter().from_notebook_node(new_notebook(cells=[new_code_cell("", outputs=[output])]))
    tags = [tag for tag in re.findall(r"<img[^>]*>", page) if "data:image/png" in tag]
    assert len(tags) == 1
    assert f"alt='{ALT}'" in tags[0].replace('"', "'")


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


def block_columns():
    steps = figures.block_steps(MobileViTv2Block(6, 12, 2).eval(), torch.randn(1, 6, 8, 10))
    other = figures.block_steps(MobileViTv2Block(6, 12, 2, "multi_head").eval(), torch.randn(1, 6, 8, 10))
    return {"v1": [*other, *other[1:3]], "v2": steps}


def example(generator=0):
    """Return three tokens, and their scores, keys and gates."""
    random = torch.Generator().manual_seed(generator)
    x, keys, gates = torch.randn(3, 3, 4, generator=random)
    x[0, 1] = keys[2, 3] = 0  # no ReLU has stopped these
    return x, torch.tensor([[0.5], [0.3], [0.2]]), keys, gates.relu()


def shares(count, k, seed=0):
    return torch.randn(count, k, generator=torch.Generator().manual_seed(seed)).softmax(dim=-1)


def made_up_forms():
    seconds = {
        "timm": (0.030, 0.032, 0.031),
        "ours": (0.010, 0.016, 0.031),
        "worse": (0.02, 0.02, 0.02),
        "floor": (0.01,),
    }
    return Timings(
        "a machine", tuple(Measurement(name, 50, times) for name, times in seconds.items()), "256×256 pixels"
    )


WHOLE = "AMD EPYC 9R14 (AVX512), 2 cores, 1 thread, PyTorch 2.13.0+cpu"
MACHINES = Timings(WHOLE, made_up_timings().measurements), Timings(f"Another {WHOLE}", made_up_timings().measurements)
SHARES = {"one": [0.5, 0.6, 1.0], "a variant with a long name": [0.7, 0.9]}
FAMILIES = {"v2": [(1, 70.0, "0.5"), (4, 75.0, "2")], "v1": [(2, 69.0, "XXS")], "other": [(3, 71.0), (5, 72.0)]}
FIGURES = {
    "picture": lambda: figures.picture(np.random.default_rng(0).random((9, 7, 3))),
    "prediction": lambda: figures.prediction(np.eye(5), ["one", "two", "three"], torch.tensor([0.2, 0.7, 0.1])),
    "course_picture": figures.course_picture,
    "quadratic_vs_linear": lambda: figures.quadratic_vs_linear(MACHINES[0]),
    "times": lambda: figures.times(dict(zip("ab", MACHINES, strict=True)), against="multi-head, fused"),
    "devices": lambda: figures.devices(MACHINES),
    "memory": lambda: figures.memory(MACHINES[0], {"Linformer": [1e6, 2e6, 3e6, 4e6]}),
    "operators": lambda: figures.operators(
        {"multi-head, explicit": {"mm": 0.002, "scaled_dot_product_attention": 0.001}, "another": {"mm": 0.003}}, WHOLE
    ),
    "repetitions": lambda: figures.repetitions([0.001] * 30 + [0.002, 0.9], WHOLE),
    "speed_ratios": lambda: figures.speed_ratios(
        [{"source": "A", "device": d, "v1": v1, "v2": v2} for d, v1, v2 in SPEED_ROWS], [3.0, 0.8, 1.2]
    ),
    "waterfall": lambda: figures.waterfall(made_up_forms(), 50, {"timm": "as it is", "ours": "folded"}, "floor"),
    "lines": lambda: figures.lines([64, 4096], {"multi-head": [1, 2]}, "tokens", "million MACs", log_y=True),
    "curves": lambda: figures.curves({"one": [3.0, 5.0], "other": [1.0, 10.0]}, "step", "loss"),
    "spread": lambda: figures.spread([4, 24], {"one": [[0.9], [0.2]]}, "digits", "share", chance=0.1),
    "runs": lambda: figures.runs(SHARES, "share of held-out digits that are right", chance=0.42, least=0.4),
    "accuracy": lambda: figures.accuracy(dict.fromkeys(("million MACs", "ms", "parameters"), FAMILIES), "top-1"),
    "split_by_place": lambda: figures.split_by_place(
        dict.fromkeys("ab", np.eye(64)), {"train": (0, 32), "test": (32, 64)}
    ),
    "confusion": lambda: figures.confusion(np.arange(9).reshape(3, 3), ["brick", "grass", "$a$"]),
    "confusion of fifty classes": lambda: figures.confusion(np.eye(50, dtype=int), list(map(str, range(50)))),
    "residuals": lambda: figures.residuals([0.5, 1], {"ours": [0.001, 0.1]}, "α", "billions"),
    "multi_head_unit": figures.multi_head_unit,
    "separable_unit": figures.separable_unit,
    "padding_windows": figures.padding_windows,
    "blocks": lambda: figures.blocks(block_columns(), skip={"v1": (0, 9)}),
    "architecture": lambda: figures.architecture(2.0, 384),
    "panels": lambda: figures.panels({f"a title\nof two lines {i}": torch.rand(4, 6) for i in range(6)}, width=1.7),
    "taken": lambda: figures.taken({"a": torch.rand(3, 8, 8)}, {"a": torch.eye(8)}),
    "index_image": lambda: figures.index_image(torch.arange(24).reshape(4, 6), torch.arange(24).reshape(4, 6)),
    "receptive_fields": lambda: figures.receptive_fields(dict.fromkeys("abc", torch.rand(8, 8) + 0.01), width=3),
    "attention_map": lambda: figures.attention_map(shares(3, 3), ["fur", "ear", "grass"]),
    "attention_over_picture": lambda: figures.attention_over_picture(
        torch.rand(3, 12, 12), torch.rand(9, 9), {"eye": (0, 0), "ear": (1, 1), "nose": (2, 2)}
    ),
    "learned_maps": lambda: figures.learned_maps(shares(16, 16), shares(1, 16).expand(16, 16)),
    "learned_maps of 64": lambda: figures.learned_maps(shares(64, 64), shares(1, 64).expand(64, 64)),
    "digit_scores": lambda: figures.digit_scores(torch.rand(6, 8, 8), shares(6, 16)),
    "latent_views": lambda: figures.latent_views(
        torch.rand(3, 8, 8), {"stage 3": shares(2, 64), "stage 4": shares(4, 16), "stage 5": shares(3, 4)}
    ),
    "worked_example": lambda: figures.worked_example(("fur", "ear", "grass"), *example()),
}


@pytest.fixture
def drawn_texts(monkeypatch):
    """Return a function from a figure to the texts that are really drawn, with their boxes, and the figure's box."""

    def read(figure):
        found, draw = {}, mpl.text.Text.draw

        def record(text, renderer):
            draw(text, renderer)
            if text.get_visible() and text.get_text().strip():
                found[text] = mpl.text.Text.get_window_extent(text, renderer)

        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # the layout settles
        with monkeypatch.context() as patch:
            patch.setattr(mpl.text.Text, "draw", record)
            canvas.draw()
        return found, figure.bbox

    return read


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_fits_a_notebook_and_its_texts_are_large_enough_apart_and_inside(name, drawn_texts):
    figure = FIGURES[name]()
    width, height = figure.get_size_inches()
    assert round(width, 6) <= 8.6
    assert height <= 8.2  # and one window
    boxes, paper = drawn_texts(figure)
    for text, box in boxes.items():
        assert text.get_fontsize() >= 9, text
        inside = paper.x0 <= box.x0 and box.x1 <= paper.x1 and paper.y0 <= box.y0 and box.y1 <= paper.y1
        assert inside, f"{text} runs over the edge: {box}"
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        up = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert across < 1 or up < 2.5, f"{one} and {other} overlap"


def test_every_function_that_draws_is_tried():
    tried = {name.split(" of ")[0] for name in FIGURES}
    helpers = {"PALETTE", "STYLE", "png", "save", "show", "block_steps", "stage_costs", "attention_pair"}
    assert tried | helpers == set(figures.__all__)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_opaque_on_white_and_the_same_every_time(name):
    first, again = ((torch.manual_seed(0), figures.png(FIGURES[name]()))[1] for _ in range(2))
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


def test_the_course_picture_scores_the_eyes_sums_up_their_colours_and_gates_each_token_by_its_own():
    _, whole, scores, summary, gates = figures.course_picture().axes
    attention_map, context_scores, context_vector, gate = (
        axes.images[0].get_array() for axes in (whole, scores, summary, gates)
    )
    assert [a.shape for a in (attention_map, context_scores, context_vector, gate)] == [
        (16, 16),
        (16, 1),
        (1, 6),
        (16, 6),
    ]
    np.testing.assert_allclose(attention_map.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(context_scores.sum(), 1, rtol=1e-5)
    # What a caption may say. The two eyes are ahead of all other patches by far,
    first, second, third = context_scores.ravel().argsort()[::-1][:3]
    assert (first, second) == (5, 7)
    assert context_scores[second] > 2 * context_scores[third]
    # the summary is green and black before anything else,
    green, black, *others = context_vector[0]
    assert green > black > 1.4 * max(others)
    # only patches of an eye let much green in, and the nose lets most red in,
    assert gate[:, 0].argsort()[::-1][:2].tolist() == [5, 7]
    assert gate[7, 0] > 2 * np.delete(gate[:, 0], [5, 7]).max()
    assert gate[:, 2].argmax() == 14
    assert (gate == 0).mean() > 0.4  # for the ReLU stops what a patch has less of than the average
    # and no two rows of the map are equal, while each patch finds itself at least as much like itself as any other.
    assert len(np.unique(attention_map.round(6), axis=0)) == 16
    assert (np.diag(attention_map) >= attention_map.max(axis=1) - 1e-6).all()


def test_a_timing_figure_draws_the_shortest_rounds_and_names_slopes_crossing_and_machine():
    figure = figures.times({"a run": made_up_timings()}, fit_from=256, against="multi-head, fused")
    (axes,) = figure.axes
    x, y = next(container.lines[0].get_data() for container in axes.containers if "Linformer" in container.get_label())
    assert list(x) == [64, 256, 1024, 4096]
    assert y == pytest.approx([0.1 * k for k in x])  # milliseconds of the shortest round
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["multi-head, fused: slope 2.00 ± 0.00", "Linformer: slope 1.00 ± 0.00"]
    rings = [line.get_data() for line in axes.lines if len(line.get_xdata()) == 1]
    assert [(x[0], y[0]) for x, y in rings] == [(pytest.approx(100), pytest.approx(10))]
    assert "from k ≈ 100 on" in axes.texts[0].get_text()
    assert "a made-up machine" in figure.get_supxlabel()


def test_what_is_said_of_crossings_stays_inside_its_panel_and_below_the_lines(drawn_texts):
    growth = {"multi-head, fused": lambda k: k**2, "Linformer": lambda k: 100 * k, "separable": lambda k: 70 * k}
    rows = [Measurement(name, k, (1e-6 * f(k),), k) for name, f in growth.items() for k in (64, 256, 1024, 4096)]
    figure = figures.times(dict.fromkeys("ab", Timings("", tuple(rows))), against="multi-head, fused")
    boxes, _ = drawn_texts(figure)
    for axes in figure.axes:
        said = [box for text, box in boxes.items() if text in axes.texts]
        assert len(said) == 2
        lowest = min(axes.transData.transform((64, line.get_ydata().min()))[1] for line in axes.lines)
        for box in said:
            assert axes.bbox.x0 < box.x0
            assert box.x1 < axes.bbox.x1
            assert axes.bbox.y0 < box.y0
            assert box.y1 < lowest


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
    (axes,) = figures.repetitions([0.001, 0.002, 0.003, 0.010], "a machine").axes
    levels = {line.get_label(): line.get_ydata()[0] for line in axes.lines if ": " in line.get_label()}
    assert levels == {
        "mean: 4.000 ms": pytest.approx(4),
        "median: 2.500 ms": pytest.approx(2.5),
        "shortest: 1.000 ms": pytest.approx(1),
    }


def test_long_calls_do_not_squeeze_the_others_but_are_marked_and_counted():
    (axes,) = figures.repetitions([*[0.0010, 0.0011] * 40, 0.030, *[0.0012] * 20, 0.0025], "a machine").axes
    points, triangles = (line for line in axes.lines if line.get_linestyle() == "None")
    low, high = axes.get_ylim()
    assert high < 2.5  # milliseconds
    assert low < points.get_ydata().min() < points.get_ydata().max() < high
    assert len(points.get_xdata()) == 100
    assert triangles.get_xdata().tolist() == [80, 101]
    assert set(triangles.get_ydata()) == {high}
    assert triangles.get_label() == "2 of 102 calls took longer,\nup to 30 ms"
    mean = next(line for line in axes.lines if line.get_label().startswith("mean"))
    assert low < mean.get_ydata()[0] < high
    labels = [text for place, text in tick_labels(axes.yaxis).items() if low <= place <= high]
    assert len(labels) >= 4
    assert all(labels)


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


def test_runs_stand_in_the_row_of_their_name_on_a_bar_up_to_their_mean_which_is_written():
    (axes,) = figures.runs({"one": [0.5, 0.6, 0.95], "other": [0.7]}, "accuracy", chance=0.3, least=0.2).axes
    squares = [line for line in axes.lines if line.get_marker() == "s"]
    points = [point for line in squares for point in line.get_xydata().tolist()]
    assert points == [[0.5, 0], [0.6, 0], [0.95, 0], [0.7, 1]]
    bars = [(bar.get_y() + bar.get_height() / 2, bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert bars == [pytest.approx((0, 0.2, 2.05 / 3)), pytest.approx((1, 0.2, 0.7))]
    means = {text.get_position()[1]: text.get_text() for text in axes.texts if "mean" in text.get_text()}
    assert means == {0: "mean 68.3%", 1: "mean 70.0%"}
    assert tick_labels(axes.yaxis) == {0: "one", 1: "other"}
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first stands above
    assert axes.get_xlim() == (0.2, 1)
    assert tick_labels(axes.xaxis)[1.0] == "100%"
    assert axes.get_xlabel() == "accuracy (the axis begins at 20%)"
    assert [list(line.get_xdata()) for line in axes.lines if line.get_linestyle() == ":"] == [[0.3, 0.3]]
    assert figures.runs({"one": [0.5]}, "accuracy").axes[0].get_xlabel() == "accuracy"


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


def test_named_points_bear_their_names_beside_them_and_every_panel_has_numbers_below():
    figure = figures.accuracy({"parameters": FAMILIES, "ms": {"v1": [(4.8, 69), (9.9, 78)]}}, "top-1")
    named = {(*text.xy, text.get_text()) for text in figure.axes[0].texts if text.get_text()}
    assert named == {(1, 70.0, "0.5"), (4, 75.0, "2"), (2, 69.0, "XXS")}
    colors = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    family = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    assert colors["2"] == family["v2"] != family["v1"] == colors["XXS"]
    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert len([place for place in axes.get_xticks() if low <= place <= high]) >= 3


def test_seven_families_have_seven_colours_and_markers():
    families = {f"family {i}": [(1 + i, 70 + i), (2 + i, 71)] for i in range(7)}
    (axes,) = figures.accuracy({"cost": families}, "top-1").axes
    assert len({line.get_color() for line in axes.lines}) == len({line.get_marker() for line in axes.lines}) == 7


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
    (axes,) = figures.repetitions([0.004, 0.005, 0.0045], "a machine").axes
    assert axes.lines[0].get_xydata().tolist() == [[0, 4], [1, 5], [2, 4.5]]
    assert legend(axes) == ["one call", "mean: 4.500 ms", "median: 4.500 ms", "shortest: 4.000 ms"]


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


def test_panels_that_find_no_room_beside_each_other_form_rows():
    figure = figures.panels({str(i): torch.rand(4, 4) for i in range(7)}, width=2.0)
    places = [axes.get_subplotspec().rowspan.start for axes in figure.axes]
    assert places == [0, 0, 0, 0, 1, 1, 1]
    assert [axes.get_title() for axes in figure.axes] == list("0123456")


def test_taken_pixels_keep_their_colours_and_the_others_are_grey_and_faint():
    picture, mask = torch.rand(3, 5, 6) * 0.5, torch.zeros(5, 6)
    mask[1, 2] = mask[4, 5] = 1
    grey = torch.rand(1, 4, 4)
    colour, ink = figures.taken({"colour": picture, "ink": grey}, {"colour": mask, "ink": torch.eye(4)}).axes
    shown = torch.as_tensor(np.asarray(colour.images[0].get_array()))  # [H, W, 3]
    for row, column in np.ndindex(5, 6):
        if mask[row, column]:
            assert torch.equal(shown[row, column], picture[:, row, column])
        else:
            assert shown[row, column].min() == shown[row, column].max() >= 0.6
    assert shown[0].std() > 0.005  # the picture shows faintly
    assert colour.get_title() == "colour"
    np.testing.assert_allclose(np.asarray(ink.images[0].get_array()).diagonal()[0], grey[0].diagonal())


def test_receptive_fields_share_a_scale_from_their_least_to_one_and_are_white_where_nothing_matters():
    values = torch.tensor([[0.0, 2.0], [0.5, 0.08]])
    one, other, bar = figures.receptive_fields({"a map": values, "a pixel": torch.tensor([[3.0, 0.0]])}).axes
    shown = one.images[0].get_array()
    assert shown.mask.tolist() == [[True, False], [False, False]]
    np.testing.assert_allclose(shown.compressed(), [1, 0.25, 0.04], rtol=1e-6)
    assert other.images[0].get_array().compressed().tolist() == [1]
    for axes in (one, other):
        assert axes.images[0].get_clim() == pytest.approx((0.04, 1))
        assert isinstance(axes.images[0].norm, mpl.colors.LogNorm)
    assert (one.get_title(), other.get_title()) == ("a map", "a pixel")
    ticks = tick_labels(bar.yaxis)
    assert sorted(ticks) == pytest.approx([0.04, 0.1, 1])
    assert [ticks[place] for place in sorted(ticks)] == ["0.04", "0.1", "1"]
    assert bar.get_ylabel() == "gradient, largest = 1\n(white: none at all)"


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


def test_two_maps_side_by_side_share_one_scale_and_count_their_tokens_from_1():
    multi_head, separable = torch.rand(6, 6), 0.1 * torch.rand(1, 6).expand(6, 6)
    left, right, bar = figures.learned_maps(multi_head, separable).axes
    for axes, weights in ((left, multi_head), (right, separable)):
        np.testing.assert_array_equal(axes.images[0].get_array(), weights)
        assert axes.images[0].get_clim() == pytest.approx((0, multi_head.max().item()))
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("token that is looked at", "token that looks")
        assert tick_labels(axes.xaxis) == tick_labels(axes.yaxis) == {place: str(place + 1) for place in range(6)}
    assert left.get_title().startswith("multi-head")
    assert right.get_title().startswith("separable")
    assert bar.get_ylabel() == "attention weight"
    left, right, _ = figures.learned_maps(multi_head, separable, titles=("one", "other")).axes
    assert (left.get_title(), right.get_title()) == ("one", "other")


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


def assert_shares_are_drawn(axes, scores, limit):
    """Compare a map with scores in times an equal share, on a scale that reaches as far down as up from 1."""
    side = round(len(scores) ** 0.5)
    np.testing.assert_allclose(axes.images[0].get_array(), (scores * len(scores)).reshape(side, side), rtol=1e-5)
    assert axes.images[0].get_clim() == pytest.approx((1 / limit, limit))
    assert isinstance(axes.images[0].norm, mpl.colors.LogNorm)
    assert len(axes.images) == 1
    assert not axes.collections  # no outline over the map


def test_the_scores_of_every_layer_stand_beside_the_picture_in_the_row_of_their_stage_under_their_extremes():
    stages = {"stage 3": [*shares(2, 16)], "stage 4": [*shares(1, 4)]}
    *axes, bar = figures.latent_views(torch.rand(1, 8, 8), stages).axes
    every = [scores * len(scores) for layers in stages.values() for scores in layers]
    limit = max(max(share.max(), 1 / share.min()) for share in every).item()
    assert [panel.axison for panel in axes] == [True, True, True, True, True, False]
    for row, (name, layers) in zip((axes[:3], axes[3:]), stages.items(), strict=True):
        assert row[0].get_title() == f"{name}:\nthe picture"
        assert row[0].images[0].get_array().shape == (8, 8)
        for number, (panel, scores) in enumerate(zip(row[1:], layers, strict=False), 1):
            share = scores * len(scores)
            assert panel.get_title() == f"layer {number}\n{share.min():.2f} … {share.max():.2f}"
            assert_shares_are_drawn(panel, scores, limit)
    assert bar.get_ylabel() == "times an equal share"
    ticks = tick_labels(bar.yaxis)
    assert ticks[1.0] == "1"
    assert all(float(text) == pytest.approx(place, rel=0.06) for place, text in ticks.items())


def test_digits_stand_above_the_scores_of_their_patches_in_times_an_equal_share():
    pictures, scores = torch.rand(3, 8, 10), shares(3, 16)
    *axes, bar = figures.digit_scores(pictures, scores).axes
    limit = max(16 * scores.max(), 1 / (16 * scores.min())).item()
    for above, below, picture, score in zip(axes[:3], axes[3:], pictures, scores, strict=True):
        np.testing.assert_array_equal(above.images[0].get_array(), picture)
        assert_shares_are_drawn(below, score, limit)
        assert below.get_xlabel() == f"{16 * score.min():.2f} … {16 * score.max():.2f}"
    assert bar.get_ylabel() == "times an equal share"


def test_a_share_above_an_equal_one_is_orange_one_below_is_violet_and_an_equal_one_is_pale():
    axes = figures.digit_scores(torch.rand(1, 8, 8), torch.tensor([[0.5, 0.125, 0.125, 0.25]])).axes[1]
    more, less, _, equal = colors_of(axes.images[0]).reshape(4, 3)
    assert more[0] > more[2] + 0.2
    assert less[2] > less[0] + 0.1
    assert equal.min() > 0.9


def test_equal_scores_and_scores_of_zero_can_be_drawn():
    even = figures.digit_scores(torch.rand(1, 8, 8), torch.full((1, 4), 0.25)).axes[1]
    assert even.images[0].get_clim() == pytest.approx((1 / 1.1, 1.1))
    zero = figures.digit_scores(torch.rand(1, 8, 8), torch.tensor([[1.0, 0, 0, 0]])).axes[1]
    assert zero.images[0].get_clim() == pytest.approx((0.01, 100))
    assert not np.ma.is_masked(zero.images[0].get_array())


def test_the_patches_of_the_course_picture_lie_where_they_were_cut(drawn_texts):
    figure = figures.course_picture()
    photograph = figure.axes[0]
    drawn, original = photograph.images[0].get_array(), sample_picture("chelsea").crop((61, 4, 357, 300))
    cut = np.asarray(original.resize((256, 256)))
    side = len(drawn) // 4
    for row, column in np.ndindex(4, 4):
        patch = drawn[side * row :, side * column :][2 : side - 2, 2 : side - 2]
        np.testing.assert_array_equal(patch, cut[64 * row : 64 * row + 64, 64 * column : 64 * column + 64])
    said = [text.get_text() for text in drawn_texts(figure)[0]]
    for words in ("16 tokens", "16 × 16 = 256 comparisons", 'one question, "green?": 16 comparisons'):
        assert any(words in text for text in said), words
    for words in ("1  score", "2  summarise", "3  gate", "green", "black", "red", "white", "dark fur", "light fur"):
        assert words in said


def test_a_pixel_counts_as_one_of_six_colours_and_the_roots_of_their_shares_have_length_one():
    colors = {"green": (150, 150, 60), "black": (30, 25, 25), "red": (180, 70, 45), "white": (230, 220, 210)}
    colors |= {"dark fur": (110, 80, 55), "light fur": (185, 143, 100)}
    assert list(colors) == list(showpiece.COLORS)
    patches = np.array([np.broadcast_to(color, (4, 4, 3)) for color in colors.values()])
    np.testing.assert_array_equal(showpiece.describe(patches), np.eye(6))
    mixed = np.concatenate([patches[:1, :3], patches[1:2, :1]], axis=1)  # three quarters green, one black
    np.testing.assert_allclose(showpiece.describe(mixed) ** 2, [[0.75, 0.25, 0, 0, 0, 0]])


def test_every_row_and_column_of_a_map_has_the_picture_of_its_token():
    patches = np.random.default_rng(0).integers(0, 255, (4, 5, 5, 3))
    values = torch.rand(4, 4), torch.rand(4, 1), torch.rand(1, 3), torch.rand(4, 3)
    colors = {"red": "#FF0000", "green": "#00FF00", "blue": "#0000FF"}
    _, *tables = figures.attention_pair(*values, patches, colors, "blue?").axes
    rows = [(-0.5, i) for i in range(4)]
    both = [place for i in range(4) for place in ((-0.5, i), (i, -0.5))]
    for axes, numbers, places, heads in zip(tables, values, (both, rows, [], rows), (0, 0, 3, 3), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), numbers)
        thumbnails = [artist for artist in axes.artists if isinstance(artist, AnnotationBbox)]
        assert [thumbnail.xy for thumbnail in thumbnails] == places
        for thumbnail in thumbnails:
            index = round(max(thumbnail.xy))
            np.testing.assert_array_equal(thumbnail.offsetbox.get_data(), patches[index])
        squares = [text for text in axes.texts if text.get_bbox_patch()]
        wanted = [((column, -0.5), mpl.colors.to_rgba(color)) for column, color in enumerate(colors.values())][:heads]
        assert [(square.xy, square.get_bbox_patch().get_facecolor()) for square in squares] == wanted


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


def test_the_drawing_of_the_padding_marks_the_columns_in_the_middle_of_the_windows():
    copying, columns = torch.zeros(1, 1, 3), torch.arange(6.0).view(1, 1, 6)
    copying[..., 1] = 1
    both = F.conv1d(columns, copying, stride=2, padding=1)
    end = F.conv1d(F.pad(columns, (0, 1)), copying, stride=2)
    axes = figures.padding_windows().axes[0]
    marked = [int(text.get_text()) for text in axes.texts if text.get_weight() == "bold"]
    assert marked == [*both.flatten().int().tolist(), *end.flatten().int().tolist()]
    windows = [(line.get_xdata()[0] + line.get_xdata()[1]) / 2 for line in axes.lines]
    middles = [text.get_position()[0] for text in axes.texts if text.get_weight() == "bold"]
    assert windows == pytest.approx(middles)


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
    columns = columns_of(axes)
    for column, drawn in zip(columns, (steps, steps[:3]), strict=True):
        assert [inside(axes, box) for box in column] == [[step.text, step.shape] for step in drawn]
        assert [box.get_facecolor() for box in column] == [mpl.colors.to_rgba(step.color) for step in drawn]
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


def columns_of(axes):
    """Return the boxes of a drawing of two blocks, column by column and from below."""
    middle = axes.get_xlim()[1] / 2
    boxes = sorted(axes.patches, key=lambda box: box.get_y())
    return [[box for box in boxes if (box.get_x() > middle) == right] for right in (False, True)]


def inside(axes, box):
    """Return the texts inside a box from left to right."""
    left, bottom = box.get_x(), box.get_y()
    return [
        text.get_text()
        for text in sorted(axes.texts, key=lambda text: text.get_position()[0])
        if left < text.get_position()[0] < left + box.get_width()
        and bottom < text.get_position()[1] < bottom + box.get_height()
        and text.get_text()
    ]


def test_differences_of_two_blocks_bear_a_letter_and_a_thick_frame_in_both():
    Step = type(figures.block_steps(nn.Identity(), torch.rand(1, 2, 4, 4))[0])

    def steps(*texts):
        return [Step(text, "[1]") for text in texts]

    one, other = steps("map", "a", "same", "b", "b", "c", "d", "e"), steps("map", "x", "same", "y", "y", "z")
    (axes,) = figures.blocks({"one": one, "other": other}).axes
    for column, wanted in zip(columns_of(axes), ("-A-BBCDD", "-A-BBC"), strict=True):
        for box, letter in zip(column, wanted, strict=True):
            middle = box.get_x(), box.get_y() + box.get_height() / 2
            badges = [text.get_text() for text in axes.texts if text.get_position() == pytest.approx(middle)]
            assert badges == [letter] * (letter != "-")
            assert (box.get_linewidth() == 2) == (letter != "-")
    (alone,) = figures.blocks({"one": one}).axes
    assert not [text for text in alone.texts if text.get_text() in ("A", "B")]


# Numbers in cells


def tables(axes):
    """Return the rows of written numbers of a drawing, from above and from the left, and the cells that are hatched."""
    cells = {}
    for box in axes.patches:
        x, y = box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2
        (said,) = [text.get_text() for text in axes.texts if text.get_position() == pytest.approx((x, y))]
        cells.setdefault(round(y, 2), {}).setdefault(round(x, 2), (said, []))[1].append(box.get_hatch())
    rows = [[cells[y][x] for x in sorted(cells[y])] for y in sorted(cells, reverse=True)]
    texts = [[said.replace("−", "-") for said, _ in row] for row in rows]
    return texts, [[any(hatches) for _, hatches in row] for row in rows]


def test_the_worked_example_carries_its_tokens_through_with_their_numbers():
    x, scores, keys, gates = example()
    (axes,) = figures.worked_example(("fur", "ear", "grass"), x, scores, keys, gates).axes
    summary = (scores * keys).sum(dim=0)
    written, hatched = tables(axes)

    def numbers(*rows, stops=False):
        return ["0" if stops and value == 0 else f"{value:.2f}" for row in rows for value in row.tolist()]

    upper = [numbers(x[i], scores[i], keys[i]) + numbers(gates[i], stops=True) for i in range(3)]
    lower = [numbers(summary * gates[i], stops=True) for i in range(3)]
    lower[1] = numbers(summary) + lower[1]  # in the middle of its height
    assert written == upper + lower
    zeros = [row.tolist() for row in gates == 0]
    assert [row[-4:] for row in hatched] == zeros + zeros
    assert not any(cell for row in hatched for cell in row[:-4])
    assert (gates == 0).any()
    said = {text.get_text() for text in axes.texts}
    assert {"1  score", "2  summarise", "3  gate", "fur", "ear", "grass"} <= said
    assert any("0.50 × the key of fur\n+ 0.30 × the key of ear\n+ 0.20 × the key of grass" in text for text in said)


def test_the_worked_example_colours_positive_numbers_orange_and_negative_ones_violet():
    x = torch.tensor([[2.0, -2.0], [0.0, 1.0]])
    axes = figures.worked_example("ab", x, torch.full((2, 1), 0.5), x, x.relu()).axes[0]
    more, less = (patch.get_facecolor() for patch in axes.patches[:4:2])
    assert more[0] > more[2]
    assert less[2] > less[0]


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
    assert work.get_title() == f"MACs:\n{sum(row['macs'] for row in rows) / 1e9:.2f} G in all"
    assert weights.get_title() == f"parameters:\n{sum(row['parameters'] for row in rows) / 1e6:.2f} M in all"
    assert names.get_title(loc="left") == "MobileViTv2, α = 0.25, 96×96 pixels"


def test_the_answer_of_a_prediction_is_read_from_the_top_beside_its_picture():
    left, right = figures.prediction(np.eye(5), ["one", "two", "three"], torch.tensor([0.2, 0.7, 0.1])).axes
    np.testing.assert_array_equal(left.images[0].get_array(), np.eye(5))
    assert tick_labels(right.yaxis) == {0: "one", 1: "two", 2: "three"}
    assert right.yaxis_inverted()
    assert right.patches[1].get_facecolor() == mpl.colors.to_rgba(figures.PALETTE[1])  # the most probable
    assert (right.get_xlim(), right.get_xlabel()) == ((0, 1), "probability")


def test_a_waterfall_shows_medians_what_each_step_saves_and_the_floor():
    (axes,) = figures.waterfall(made_up_forms(), 50, {"timm": "as it is", "ours": "a", "worse": "b"}, "floor").axes
    bars = [(bar.get_y() + bar.get_height() / 2, bar.get_x(), bar.get_width()) for bar in axes.patches]
    wanted = [(0, 0, 31), (0, 31, 0), (1, 0, 16), (1, 16, 15), (2, 0, 20), (2, 20, 0)]
    assert bars == [pytest.approx(bar) for bar in wanted]
    assert [text.get_text().strip() for text in axes.texts] == ["31.0 ms, 1.00×", "16.0 ms, 2.00×", "20.0 ms, 1.55×"]
    assert axes.lines[0].get_label() == "floor: 10.0 ms"
    assert list(axes.lines[0].get_xdata()) == [10, 10]
    assert tick_labels(axes.yaxis) == {0: "as it is", 1: "a", 2: "b"}
    assert axes.yaxis_inverted()
