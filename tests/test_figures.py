"""Figures carry an alt text, are white, and come out the same every time."""

import io

import numpy as np
import pytest
import torch
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from mvit2_lib import figures
from mvit2_lib.records import Measurement, Timings

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
