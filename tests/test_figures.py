"""Figures carry an alt text, are white, and come out the same every time."""

import io

import numpy as np
import pytest
import torch
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from mvit2_lib import figures

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


FIGURES = {
    "picture": lambda: figures.picture(np.random.default_rng(0).random((9, 7, 3))),
    "prediction": lambda: figures.prediction(np.eye(5), ["one", "two", "three"], torch.tensor([0.2, 0.7, 0.1])),
    "course_picture": figures.course_picture,
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
