"""The sliders of notebook 05 redraw the architecture, whatever later cells call their variables."""

from pathlib import Path

import jupytext

from mvit2_lib.course import figures

SOURCE = Path(__file__).parents[1] / "notebooks" / "source" / "05_mobilevitv2_model.py"


def test_moving_a_slider_redraws_the_architecture():
    (cell,) = [cell.source for cell in jupytext.read(SOURCE).cells if "def explorer():" in cell.source]
    namespace = {"figures": figures}
    exec(cell, namespace)
    alpha, pixels, drawing = namespace["explorer"]().children
    namespace |= {"alpha": 4.0, "pixels": None}  # as later cells may do
    drawn = [drawing.value]
    for slider, value in ((alpha, 0.25), (pixels, 64)):
        slider.value = value
        drawn.append(drawing.value)
    assert drawn == [
        figures.png(figures.architecture(alpha, pixels)) for alpha, pixels in ((0.5, 256), (0.25, 256), (0.25, 64))
    ]
    assert len(set(drawn)) == 3
