"""Drawings of how an attention is put together."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from .canvas import STYLE

_LINEAR, _COSTLY, _CHEAP = "#DCE5FF", "#FAD1E3", "#FFF0CC"


def multi_head_unit() -> Figure:
    """Draw the steps of multi-head attention as boxes, with the shape that leaves each."""
    figure, axes = _canvas(6.2, 5.0)
    _box(axes, (3.1, 0.35), "x", "[k, d]", "white")
    for x, letter in ((1.0, "Q"), (3.1, "K"), (5.2, "V")):
        _arrow(axes, (3.1, 0.6), (x, 1.15))
        _box(axes, (x, 1.4), f"$W_{letter}$, split heads", "[h, k, d_h]", _LINEAR)
    for x in (1.0, 3.1):
        _arrow(axes, (x, 1.65), (2.05, 2.2))
    _box(axes, (2.05, 2.45), "dot products / $\\sqrt{d_h}$, softmax", "[h, k, k]", _COSTLY, width=2.6)
    _arrow(axes, (2.05, 2.7), (2.8, 3.2))
    _arrow(axes, (5.2, 1.65), (3.6, 3.2))
    _box(axes, (3.1, 3.45), "weighted means", "[h, k, d_h]", _COSTLY, width=2.6)
    _arrow(axes, (3.1, 3.7), (3.1, 4.2))
    _box(axes, (3.1, 4.45), "merge heads, $W_O$", "[k, d]", _LINEAR)
    return figure


def separable_unit() -> Figure:
    """Draw the steps of separable attention as boxes, with the shape that leaves each."""
    figure, axes = _canvas(6.2, 6.1)
    _box(axes, (3.1, 0.35), "x", "[k, d]", "white")
    for x, text, shape in ((1.0, "$W_I$", "[k, 1]"), (3.1, "$W_K$", "[k, d]"), (5.2, "$W_V$", "[k, d]")):
        _arrow(axes, (3.1, 0.6), (x, 1.15))
        _box(axes, (x, 1.4), text, shape, _LINEAR)
    _arrow(axes, (1.0, 1.65), (1.0, 2.2))
    _box(axes, (1.0, 2.45), "softmax: $c_s$", "[k, 1]", _CHEAP)
    _arrow(axes, (1.0, 2.7), (1.8, 3.25))
    _arrow(axes, (3.1, 1.65), (2.4, 3.25))
    _box(axes, (2.05, 3.5), "weighted sum: $c_v$", "[1, d]", _CHEAP)
    _arrow(axes, (5.2, 1.65), (5.2, 2.2))
    _box(axes, (5.2, 2.45), "ReLU", "[k, d]", _CHEAP)
    _arrow(axes, (2.05, 3.75), (2.8, 4.3))
    _arrow(axes, (5.2, 2.7), (3.6, 4.3))
    _box(axes, (3.1, 4.55), "product, entry by entry", "[k, d]", _CHEAP, width=2.2)
    _arrow(axes, (3.1, 4.8), (3.1, 5.35))
    _box(axes, (3.1, 5.6), "$W_O$", "[k, d]", _LINEAR)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=STYLE["figure.dpi"])
    axes = figure.add_axes([0, 0, 1, 1])
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def _box(axes: Axes, middle: tuple[float, float], text: str, shape: str, color: str, width: float = 1.7) -> None:
    x, y = middle
    corner = (x - width / 2, y - 0.25)
    axes.add_patch(
        FancyBboxPatch(corner, width, 0.5, "round,pad=0,rounding_size=0.08", facecolor=color, edgecolor="#555")
    )
    axes.text(x, y + 0.09, text, ha="center", va="center", size=9)
    axes.text(x, y - 0.12, shape, ha="center", va="center", size=8, family="monospace", color="#444")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#555", "shrinkA": 0, "shrinkB": 0})
