"""Drawings of how an attention is put together, and of what a padded convolution sees."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from .canvas import BLUE, MAGENTA, NAVY, STYLE

LINEAR, COSTLY, CHEAP = "#DCE5FF", "#FAD1E3", "#FFF0CC"


def multi_head_unit() -> Figure:
    """Draw the steps of multi-head attention as boxes, with the shape that leaves each."""
    figure, axes = blank(6.2, 5.0)
    box(axes, (3.1, 0.35), "x", "[k, d]", "white")
    for x, letter in ((1.0, "Q"), (3.1, "K"), (5.2, "V")):
        arrow(axes, (3.1, 0.6), (x, 1.15))
        box(axes, (x, 1.4), f"$W_{letter}$, split heads", "[h, k, d_h]", LINEAR)
    for x in (1.0, 3.1):
        arrow(axes, (x, 1.65), (2.05, 2.2))
    box(axes, (2.05, 2.45), "dot products / $\\sqrt{d_h}$, softmax", "[h, k, k]", COSTLY, width=2.6)
    arrow(axes, (2.05, 2.7), (2.8, 3.2))
    arrow(axes, (5.2, 1.65), (3.6, 3.2))
    box(axes, (3.1, 3.45), "weighted means", "[h, k, d_h]", COSTLY, width=2.6)
    arrow(axes, (3.1, 3.7), (3.1, 4.2))
    box(axes, (3.1, 4.45), "merge heads, $W_O$", "[k, d]", LINEAR)
    return figure


def separable_unit() -> Figure:
    """Draw the steps of separable attention as boxes, with the shape that leaves each."""
    figure, axes = blank(6.2, 6.1)
    box(axes, (3.1, 0.35), "x", "[k, d]", "white")
    for x, text, shape in ((1.0, "$W_I$", "[k, 1]"), (3.1, "$W_K$", "[k, d]"), (5.2, "$W_V$", "[k, d]")):
        arrow(axes, (3.1, 0.6), (x, 1.15))
        box(axes, (x, 1.4), text, shape, LINEAR)
    arrow(axes, (1.0, 1.65), (1.0, 2.2))
    box(axes, (1.0, 2.45), "softmax: $c_s$", "[k, 1]", CHEAP)
    arrow(axes, (1.0, 2.7), (1.8, 3.25))
    arrow(axes, (3.1, 1.65), (2.4, 3.25))
    box(axes, (2.05, 3.5), "weighted sum: $c_v$", "[1, d]", CHEAP)
    arrow(axes, (5.2, 1.65), (5.2, 2.2))
    box(axes, (5.2, 2.45), "ReLU", "[k, d]", CHEAP)
    arrow(axes, (2.05, 3.75), (2.8, 4.3))
    arrow(axes, (5.2, 2.7), (3.6, 4.3))
    box(axes, (3.1, 4.55), "product, entry by entry", "[k, d]", CHEAP, width=2.2)
    arrow(axes, (3.1, 4.8), (3.1, 5.35))
    box(axes, (3.1, 5.6), "$W_O$", "[k, d]", LINEAR)
    return figure


def padding_windows(columns: int = 6) -> Figure:
    """Draw which columns each window of a 3×3 convolution with stride 2 covers, padded on both sides or at the end."""
    figure, axes = blank(5.4, 3.5)
    side = 0.52
    for bottom, title, color, before in (
        (2.35, "PyTorch, padding=1", BLUE, 1),
        (0.75, 'Keras, padding="same"', MAGENTA, 0),
    ):
        axes.text(0.3, bottom + 0.85, title, size=10)
        for column in range(-before, columns + 1):
            left, padded = 1.2 + column * side, not 0 <= column < columns
            kept = (column + before) % 2 == 1 and column < columns  # in the middle of a window
            style = {"facecolor": "#E8ECF8" if kept else "white", "linestyle": ":" if padded else "-"}
            axes.add_patch(Rectangle((left, bottom), side, side, edgecolor="#555", **style))
            text = "pad" if padded else str(column)
            weight = "bold" if kept else "normal"
            color_of_text = "#777" if padded else NAVY if kept else "black"
            axes.text(
                left + side / 2, bottom + side / 2, text, ha="center", va="center", weight=weight, color=color_of_text
            )
        for number, start in enumerate(range(-before, columns - 1 - before, 2)):
            left, height = 1.2 + start * side, bottom - 0.12 - 0.14 * (number % 2)  # neighbours share a column
            axes.plot([left + 0.04, left + 3 * side - 0.04], [height] * 2, color=color, lw=3, solid_capstyle="butt")
    return figure


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty drawing of so many inches, with axes in inches."""
    figure = Figure(figsize=(width, height), dpi=STYLE["figure.dpi"])
    axes = figure.add_axes([0, 0, 1, 1])
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def box(axes: Axes, middle: tuple[float, float], text: str, shape: str, color: str, width: float = 1.7) -> None:
    """Draw a box with a text and, below it, the shape that leaves."""
    x, y = middle
    corner = (x - width / 2, y - 0.25)
    axes.add_patch(
        FancyBboxPatch(corner, width, 0.5, "round,pad=0,rounding_size=0.08", facecolor=color, edgecolor="#555")
    )
    axes.text(x, y + 0.09, text, ha="center", va="center", size=9)
    axes.text(x, y - 0.12, shape, ha="center", va="center", size=9, family="monospace", color="#444")


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#555", "shrinkA": 0, "shrinkB": 0})
