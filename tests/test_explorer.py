"""The sliders of notebook 05 redraw the architecture, whatever later cells call their variables."""

import ast
import symtable
from pathlib import Path

import jupytext

from mvit2_lib.course import figures

SOURCE = Path(__file__).parents[1] / "notebooks" / "source" / "05_mobilevitv2_model.py"


def test_moving_a_slider_redraws_the_architecture():
    cells = [cell.source for cell in jupytext.read(SOURCE).cells if cell.cell_type == "code"]
    (number,) = [number for number, cell in enumerate(cells) if "FloatSlider(" in cell]
    *statements, last = ast.parse(cells[number]).body
    namespace = {"figures": figures}
    exec(compile(ast.Module(statements, []), SOURCE.name, "exec"), namespace)
    shown = eval(compile(ast.Expression(last.value), SOURCE.name, "eval"), namespace)  # what the cell displays
    alpha, pixels, drawing = shown.children
    for later in cells[number + 1 :]:
        names = symtable.symtable(later, SOURCE.name, "exec").get_symbols()
        namespace |= {name.get_name(): None for name in names if name.is_assigned()}
    drawn = [drawing.value]
    for slider, value in ((alpha, 0.25), (pixels, 64)):
        slider.value = value
        drawn.append(drawing.value)
    assert drawn == [
        figures.png(figures.architecture(alpha, pixels)) for alpha, pixels in ((0.5, 256), (0.25, 256), (0.25, 64))
    ]
    assert len(set(drawn)) == 3
