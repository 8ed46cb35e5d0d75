"""Separable attention with actual numbers in its cells."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from .canvas import MAGENTA, WIDEST
from .drawings import arrow, blank

CELL, TALL = 0.445, 0.32  # inches


def worked_example(names: Sequence[str], x: Tensor, scores: Tensor, keys: Tensor, gates: Tensor) -> Figure:
    """Draw three steps of separable attention with their numbers: score, summarise, gate.

    Parameters
    ----------
    names : sequence of str
        What the `k` tokens are called.
    x, scores, keys, gates : Tensor
        The tokens `[k, d]`, their context scores `[k, 1]`, the keys `[k, d]` and `relu(x W_V)` `[k, d]`. The summary
        and the gated rows are computed from them. Four numbers a token find room.
    """
    k, d = x.shape
    summary = (scores * keys).sum(dim=0, keepdim=True)  # [1, d]
    tall, high, low = TALL * k, 1.28 + TALL * k, 0.32  # of a table, and where the upper and the lower ones begin
    at_scores, at_keys, at_gates = 1.05 + CELL * d, 1.95 + CELL * (d + 1), WIDEST - CELL * d - 0.1
    middle = low + tall / 2  # of the summary
    figure, axes = blank(WIDEST, high + tall + 0.72)
    draw = _Table(axes, max(values.abs().max().item() for values in (x, keys, summary, gates)))
    draw(x, 0.6, high, "tokens $x$", names)
    draw(scores, at_scores, high, "$c_s$ = softmax$(x W_I)$")
    draw(keys, at_keys, high, "keys $x W_K$")
    draw(gates, at_gates, high, "gates ReLU$(x W_V)$", stops=True)
    draw(summary, at_keys, middle - TALL / 2, "")
    draw(summary * gates, at_gates, low, "", names, stops=True)

    steps = (
        (at_scores + CELL / 2, "1  score"),
        (at_keys + CELL * d / 2, "2  summarise"),
        (at_gates + CELL * d / 2, "3  gate"),
    )
    for place, text in steps:
        axes.text(place, high + tall + 0.5, text, ha="center", va="center", weight="bold", size=11, color=MAGENTA)
    terms = [f"{score:.2f} × the key of {name}" for name, score in zip(names, scores.flatten().tolist(), strict=True)]
    said = "$c_v$, the one summary:\n   " + "\n+ ".join(terms)
    axes.text(at_keys - 0.2, middle, said, ha="right", va="center", size=9.5, linespacing=1.35)
    axes.text(at_scores + CELL + 0.22, high + tall / 2, "×", ha="center", va="center", size=13)
    arrow(axes, (0.6 + CELL * d + 0.08, high + tall / 2), (at_scores - 0.08, high + tall / 2))
    arrow(axes, (at_keys + CELL * d / 2, high - 0.06), (at_keys + CELL * d / 2, middle + TALL / 2 + 0.06))
    axes.text(at_keys + CELL * d / 2 + 0.08, high - 0.32, "sum of the rows", va="center", size=9.5)
    arrow(axes, (at_gates + CELL * d / 2, high - 0.06), (at_gates + CELL * d / 2, low + tall + 0.06))
    axes.text(at_gates + CELL * d / 2 + 0.08, high - 0.32, "× $c_v$", va="center", size=9.5)
    arrow(axes, (at_keys + CELL * d + 0.08, middle), (at_gates - 0.55, middle))
    axes.text(at_gates + CELL * d / 2, low - 0.17, "gated rows: $c_v$ × gate", ha="center", va="center", size=9.5)
    axes.text(0.1, low - 0.17, "hatched: where the ReLU lets nothing through", va="center", size=9.5)
    return figure


class _Table:
    """Draws tables of numbers into one drawing, on one scale of colours."""

    def __init__(self, axes: Axes, limit: float):
        self.axes, self.norm, self.cmap = axes, CenteredNorm(0, limit), mpl.colormaps["PuOr_r"]

    def __call__(
        self, values: Tensor, left: float, bottom: float, title: str, names: Sequence[str] = (), stops: bool = False
    ) -> None:
        height, width = values.shape
        top = bottom + TALL * height
        for (row, column), value in np.ndenumerate(values.detach().numpy()):
            corner = left + CELL * column, top - TALL * (row + 1)
            color, stopped = self.cmap(self.norm(value)), stops and value == 0
            hatched = {"facecolor": "white", "hatch": "////", "edgecolor": "#BBBBBB", "linewidth": 0}
            self.axes.add_patch(Rectangle(corner, CELL, TALL, **(hatched if stopped else {"facecolor": color})))
            self.axes.add_patch(Rectangle(corner, CELL, TALL, fill=False, edgecolor="#777777", linewidth=0.7))
            written = "0" if stopped else f"{value:.2f}".replace("-", "−")
            ink = "white" if np.dot(color[:3], (0.3, 0.6, 0.1)) < 0.5 else "black"
            middle = corner[0] + CELL / 2, corner[1] + TALL / 2
            self.axes.text(*middle, written, ha="center", va="center", size=9, color=ink)
        for row, name in enumerate(names):
            self.axes.text(left - 0.08, top - TALL * (row + 0.5), name, ha="right", va="center", size=9.5)
        self.axes.text(left + CELL * width / 2, top + 0.17, title, ha="center", va="center", size=9.5)
