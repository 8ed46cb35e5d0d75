"""The one picture of the course: what multi-head attention asks, and what separable attention asks instead."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from torch import Tensor, nn

from ...attention import MultiHeadSelfAttention, SeparableSelfAttention
from ...data.samples import sample_picture
from .canvas import MAGENTA, NAVY, STYLE, WIDEST

SIDE, PIXELS = 4, 64  # patches along a side of the photograph, pixels along a side of a patch
# Six kinds of pixels, as places in hue (degrees) and brightness, and how each is drawn.
COLORS = {
    "green": "#9A9A3C",
    "black": "#1E1A18",
    "red": "#B4482C",
    "white": "#E8DCD0",
    "dark fur": "#6E5238",
    "light fur": "#B98F64",
}


def course_picture() -> Figure:
    """Draw the one picture of the course: a `k × k` attention map above the three steps of separable attention.

    The tokens are 16 patches of a photograph, each described by how much of it is green, black, red, white, dark fur
    and light fur. No weight is trained: a query looks for patches of its own colours, and the shared question is
    "green?". A key measures each colour by the average patch, so that rare ones count, and a gate lets through those
    of which its own patch holds more than the average.
    """
    patches = _patches()
    tokens = torch.from_numpy(describe(patches)).float()  # [k, d]
    dim = tokens.shape[1]
    multi_head, separable = MultiHeadSelfAttention(dim, num_heads=1), SeparableSelfAttention(dim)
    with torch.no_grad():
        for projection in (multi_head.W_Q, multi_head.W_K, separable.W_K, separable.W_V):
            projection.weight.copy_(torch.eye(dim))
            nn.init.zeros_(projection.bias)
        average = tokens.mean(dim=0)  # [d]
        multi_head.W_Q.weight.mul_(12 * dim**0.5)
        separable.W_I.weight.copy_(7 * torch.eye(dim)[:1])  # green?
        separable.W_K.weight.div_(average[:, None])
        separable.W_V.bias.copy_(-average)
        attention_map = multi_head.attention_map(tokens)[0]  # [k, k]
        context_scores = separable.context_scores(tokens)  # [k, 1]
        context_vector = separable.context_vector(tokens)  # [1, d]
        gates = separable.W_V(tokens).relu()  # [k, d]
    return attention_pair(attention_map, context_scores, context_vector, gates, patches, COLORS, "green?")


def describe(patches: np.ndarray) -> np.ndarray:
    """Return for each patch `[k, H, W, 3]` the square roots of its shares of the six kinds of pixels: `[k, d]`.

    Roots of shares have length one, so the product of two patches says how alike their colours are.
    """
    hue, colour, light = mpl.colors.rgb_to_hsv(patches / 255.0).transpose(3, 0, 1, 2)
    green = (hue > 0.11) & (hue < 0.3) & (colour > 0.35)
    black = ~green & (light < 0.3)
    red = ~black & ((hue < 0.045) | (hue > 0.95)) & (colour > 0.5)
    white = ~(green | black | red) & (colour < 0.3)
    fur = ~(green | black | red | white)
    kinds = (green, black, red, white, fur & (light < 0.6), fur & (light >= 0.6))
    return np.stack([kind.mean(axis=(1, 2)) for kind in kinds], axis=1) ** 0.5


def attention_pair(
    attention_map: Tensor,
    context_scores: Tensor,
    context_vector: Tensor,
    gates: Tensor,
    patches: np.ndarray,
    colors: Mapping[str, str],
    question: str,
) -> Figure:
    """Draw an attention map `[k, k]` above scores `[k, 1]`, their one summary `[1, d]` and the gates `[k, d]`.

    The tokens are the patches `[k, H, W, 3]` of a picture. `colors` has for each of the d numbers of a token what it
    counts, and how that is drawn; `question` says in words what all of them ask.
    """
    k, d = gates.shape
    cell, wide, top, bottom = 0.168, 0.24, 4.15, 0.4  # inches
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, 7.5))
        photograph = _place(figure, 0.15, 4.64, 2.2, 2.2)
        _draw_photograph(photograph, patches)
        figure.text(0.15 / WIDEST, 7.28 / 7.5, f"{k} tokens", va="center", weight="bold", size=13)
        figure.text(
            0.2 / WIDEST, 4.4 / 7.5, "patches of a photograph; each is\ndescribed by how much of it is", va="top"
        )
        for row, (name, color) in enumerate(colors.items()):
            _square(photograph, (0.35 / WIDEST, (3.72 - 0.25 * row) / 7.5), color, "figure fraction", va="center")
            figure.text(0.55 / WIDEST, (3.72 - 0.25 * row) / 7.5, name, va="center")

        whole = _place(figure, 2.85, top, cell * k, cell * k)
        _draw_cells(whole, attention_map)
        _label_rows(whole, patches, beside=True, above=True)
        scores = _place(figure, 2.85, bottom, wide, cell * k)
        _draw_cells(scores, context_scores)
        _label_rows(scores, patches, beside=True)
        middle = bottom + cell * k / 2
        summary = _place(figure, 4.25, middle - wide / 2, wide * d, wide)
        _draw_cells(summary, context_vector)
        gate = _place(figure, 6.8, bottom, wide * d, cell * k)
        _draw_cells(gate, gates)
        _label_rows(gate, patches, beside=True)
        for axes in (summary, gate):
            _label_columns(axes, colors)

        for text, y, color in (("Multi-head attention", 7.28, NAVY), ("Separable attention", 3.84, MAGENTA)):
            figure.text(2.55 / WIDEST, y / 7.5, text, va="center", weight="bold", size=13, color=color)
        beside = (2.85 + cell * k + 0.3) / WIDEST
        figure.text(
            beside,
            (top + cell * k / 2) / 7.5,
            f"Every token asks its own question\nof every token:\n\n{k} × {k} = {k * k} comparisons.\n\n"
            "A row is one token's answer:\nthe darker, the more it takes over.",
            va="center",
            linespacing=1.4,
        )
        for x, text in ((2.55, "1  score"), (4.25, "2  summarise"), (6.5, "3  gate")):
            figure.text(x / WIDEST, 3.5 / 7.5, text, va="center", weight="bold", size=10)
        notes = (
            (2.55, 0.2, f'one question, "{question}": {k} comparisons'),
            (4.25, middle - 0.3, "one summary,\nthe same for all"),
            (6.5, 0.2, "what each token lets in"),
        )
        for x, y, text in notes:
            figure.text(x / WIDEST, y / 7.5, text, va="center" if y < 1 else "top", size=9.5)
        for start, end in ((2.85 + wide + 0.1, 4.15), (4.25 + wide * d + 0.1, 6.4)):
            arrow = {"arrowstyle": "-|>", "color": "#555555", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.5}
            ends = ((x / WIDEST, middle / 7.5) for x in (end, start))
            gate.annotate("", *ends, xycoords="figure fraction", textcoords="figure fraction", arrowprops=arrow)
    return figure


def _patches() -> np.ndarray:
    """Return 16 patches `[k, H, W, 3]` of a cat, cut so that each eye lies in a patch of its own."""
    photograph = sample_picture("chelsea").crop((61, 4, 357, 300)).resize((SIDE * PIXELS,) * 2)
    rows = np.asarray(photograph).reshape(SIDE, PIXELS, SIDE, PIXELS, 3)
    return rows.swapaxes(1, 2).reshape(-1, PIXELS, PIXELS, 3)


def _place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes at a place in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes([left / across, bottom / up, width / across, height / up])


def _draw_photograph(axes: Axes, patches: np.ndarray) -> None:
    side = round(len(patches) ** 0.5)
    framed = np.pad(patches, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=255)
    rows = framed.reshape(side, side, *framed.shape[1:]).swapaxes(1, 2)
    axes.imshow(rows.reshape(side * framed.shape[1], -1, 3))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _draw_cells(axes: Axes, values: Tensor) -> None:
    """Draw numbers as cells: white for 0, the darker the larger, thin lines between them."""
    axes.imshow(values.numpy(), cmap="Purples", norm=PowerNorm(0.7, vmin=0), aspect="auto")
    height, width = values.shape
    axes.set_xticks(np.arange(-0.5, width), minor=True)
    axes.set_yticks(np.arange(-0.5, height), minor=True)
    axes.grid(which="minor", color="#CCCCCC", linewidth=0.5, linestyle="-")
    axes.tick_params(which="both", length=0)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="#999999")


def _label_rows(axes: Axes, patches: np.ndarray, beside: bool = False, above: bool = False) -> None:
    """Put the picture of its token beside each row, and above each column."""
    for index, patch in enumerate(patches):
        for wanted, position, offset in ((beside, (-0.5, index), (-10, 0)), (above, (index, -0.5), (0, 10))):
            if wanted:
                image = OffsetImage(patch, zoom=11 / len(patch))
                box = {"boxcoords": "offset points", "frameon": False, "annotation_clip": False}
                axes.add_artist(AnnotationBbox(image, position, offset, **box))


def _label_columns(axes: Axes, colors: Mapping[str, str]) -> None:
    """Draw a square of its colour above each column."""
    for column, color in enumerate(colors.values()):
        _square(axes, (column, -0.5), color, "data", va="bottom", xytext=(0, 5))


def _square(axes: Axes, place: tuple[float, float], color: str, coords: str, va: str, xytext=(0, 0)) -> None:
    look = {"boxstyle": "square,pad=0.05", "facecolor": color, "edgecolor": "#555555", "linewidth": 0.5}
    where = {"xycoords": coords, "textcoords": "offset points", "ha": "center", "va": va, "annotation_clip": False}
    axes.annotate("    ", place, xytext, size=9, bbox=look, **where)
