"""Every picture of the course: one palette, PNG on white, and no picture without a text that says what it shows."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import MultiHeadSelfAttention, SeparableSelfAttention
from .images import sample_picture

# Distinct for colour-blind readers too; lines differ by marker and style besides.
BLUE, MAGENTA, ORANGE, VIOLET, YELLOW = PALETTE = ("#648FFF", "#DC267F", "#FE6100", "#785EF0", "#FFB000")
NAVY = "#2E55C4"  # the palette's blue, dark enough for text on white
STYLE = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": 110,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": mpl.cycler(color=PALETTE, marker=list("os^Dv"), linestyle=["-", "--", "-.", ":", "-"]),
}


def show(figure: Figure, alt: str) -> None:
    """Display a figure in a notebook as PNG on white.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to show.
    alt : str
        A sentence that says what the figure shows, for readers who cannot see it. It is stored with the picture, and it
        is the part of the output that the notebook tests compare.
    """
    # Imported here so that figures can be made where there is no notebook.
    from IPython.display import display

    _check_alt(alt)
    bundle = {"image/png": png(figure), "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}})


def png(figure: Figure) -> bytes:
    """Return a figure as PNG bytes: the same bytes for the same figure, with no date or version inside."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a PNG file."""
    Path(path).write_bytes(png(figure))


def course_picture() -> Figure:
    """Draw the one picture of the course: `k × k` attention map beside a `k × 1` column of context scores.

    The tokens are 16 patches of a photograph. No weight is trained: the projections are set so that a patch attends to
    patches that resemble it, and the shared question is the average patch around the cat's eyes.
    """
    side, pixels, cells = 4, 64, 4
    photograph = sample_picture("chelsea").crop((75, 0, 375, 300)).resize((side * pixels,) * 2)
    patches = (
        np.asarray(photograph).reshape(side, pixels, side, pixels, 3).swapaxes(1, 2).reshape(-1, pixels, pixels, 3)
    )
    # A token is its patch in 4×4 coarse pixels, less the average patch, at length one.
    coarse = patches.reshape(-1, cells, pixels // cells, cells, pixels // cells, 3).mean(axis=(2, 4))
    tokens = torch.from_numpy(coarse).float().flatten(1)  # [k, d]
    tokens = F.normalize(tokens - tokens.mean(dim=0), dim=1)

    dim = tokens.shape[1]
    multi_head, separable = MultiHeadSelfAttention(dim, num_heads=1), SeparableSelfAttention(dim)
    with torch.no_grad():
        for projection in (multi_head.W_Q, multi_head.W_K):
            projection.weight.copy_((1.7 * dim**0.5) ** 0.5 * torch.eye(dim))
            nn.init.zeros_(projection.bias)
        separable.W_I.weight.copy_(2.5 * tokens[[4, 5, 7]].mean(dim=0, keepdim=True))
        attention_map = multi_head.attention_map(tokens)[0]  # [k, k]
        context_scores = separable.context_scores(tokens)  # [k, 1]
    return attention_pair(attention_map, context_scores, patches)


def attention_pair(attention_map: Tensor, context_scores: Tensor, patches: np.ndarray) -> Figure:
    """Draw an attention map `[k, k]` beside context scores `[k, 1]`, over the patches `[k, H, W, 3]` of a picture."""
    k = len(patches)
    side = round(k**0.5)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.4, 5.6))
        photograph = figure.add_axes([0.015, 0.36, 0.20, 0.40])
        left, right = figure.add_axes([0.29, 0.14, 0.43, 0.70]), figure.add_axes([0.82, 0.14, 0.12, 0.70])
        for text, middle, color in (
            ("Tokens", 0.115, "black"),
            ("Multi-head", 0.505, NAVY),
            ("Separable", 0.88, MAGENTA),
        ):
            figure.text(middle, 0.955, text, ha="center", va="center", weight="bold", size=14, color=color)

        framed = np.pad(patches, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=255)
        rows = framed.reshape(side, side, *framed.shape[1:]).swapaxes(1, 2)
        photograph.imshow(rows.reshape(side * framed.shape[1], -1, 3))
        for axes, values in ((left, attention_map), (right, context_scores)):
            axes.imshow(values.numpy(), cmap="Purples", vmin=0)
            for index, patch in enumerate(patches):
                _thumbnail(axes, patch, (-0.5, index), (-13, 0))
                if axes is left:
                    _thumbnail(axes, patch, (index, -0.5), (0, 13))
        for axes in (photograph, left, right):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        photograph.set_xlabel(f"{k} patches of a photograph", labelpad=10)
        left.set_xlabel(f"every token asks its own question:\n$k^2$ = {k} × {k} = {k * k} comparisons", labelpad=10)
        right.set_xlabel(f"all tokens ask one question:\n$k$ = {k} comparisons", labelpad=10)
    return figure


def picture(pixels: np.ndarray | Tensor) -> Figure:
    """Draw one picture: grey `[H, W]` or RGB `[H, W, 3]`."""
    figure = Figure(figsize=(2.4, 2.4), dpi=STYLE["figure.dpi"], layout="constrained")
    _draw_picture(figure.subplots(), pixels)
    return figure


def prediction(pixels: np.ndarray | Tensor, names: Sequence[str], probabilities: Tensor) -> Figure:
    """Draw a picture `[H, W]` or `[H, W, 3]` beside the probabilities `[n]` that a model gives to `n` names."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
        _draw_picture(left, pixels)
        left.set_title("the picture")
        bars = right.barh(range(len(names)), probabilities.tolist(), color=BLUE)
        bars[int(probabilities.argmax())].set_color(MAGENTA)
        right.set(xlim=(0, 1), xlabel="probability", title="the model's answer")
        right.set_yticks(range(len(names)), names)
        right.invert_yaxis()
    return figure


def attention_map(weights: Tensor, names: Sequence[str]) -> Figure:
    """Draw an attention map `[k, k]` with the names of its tokens and the weight in every cell."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.4, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.imshow(weights.numpy(), cmap="Purples", vmin=0, vmax=1)
        for (row, column), weight in np.ndenumerate(weights.numpy()):
            color = "white" if weight > 0.5 else "black"
            axes.text(column, row, f"{weight:.2f}", ha="center", va="center", color=color)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="is looked at", ylabel="looks")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure


def lines(x: Sequence[float], series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, log_y=False) -> Figure:
    """Draw one line for each named series over `x`, on a logarithmic axis to the base 2."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.2), layout="constrained")
        axes = figure.subplots()
        for name, values in series.items():
            axes.plot(x, values, label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(x, [f"{value:g}" for value in x])
        if log_y:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def attention_over_picture(picture: Tensor, attention: Tensor, asking: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw where some patches of a picture look.

    `picture` is `[3, H, W]`, `attention` is `[k, k]` over its patches row by row, and `asking` names some patches by
    their row and column.
    """
    side = round(len(attention) ** 0.5)
    pixels = picture.shape[-1] // side
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.1 * len(asking), 3.1), layout="constrained")
        for axes, (name, (row, column)) in zip(figure.subplots(1, len(asking)), asking.items(), strict=True):
            _draw_heat(axes, picture, attention[row * side + column])
            corner = (column * pixels - 0.5, row * pixels - 0.5)
            axes.add_patch(Rectangle(corner, pixels, pixels, fill=False, edgecolor="white", linewidth=3))
            axes.add_patch(Rectangle(corner, pixels, pixels, fill=False, edgecolor=MAGENTA, linewidth=1.5))
            axes.set_title(f"the {name} asks")
    return figure


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


def implied_maps(multi_head: Tensor, separable: Tensor) -> Figure:
    """Draw two attention maps `[k, k]` side by side: rows of their own, and rows that are all the same."""
    k = len(multi_head)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 4.0), layout="constrained")
        titles = ("multi-head: each token its own row", "separable: one row for all")
        for axes, weights, title in zip(figure.subplots(1, 2), (multi_head, separable), titles, strict=True):
            axes.imshow(weights.numpy(), cmap="Purples", vmin=0)
            axes.set(title=title, xlabel="token that is looked at", ylabel="token that looks")
            axes.set(xticks=range(0, k, 5), yticks=range(0, k, 5))
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
    return figure


def scores_over_picture(picture: Tensor, scores: Tensor) -> Figure:
    """Draw a picture `[3, H, W]` beside the same picture under its context scores `[k]`."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.2, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_picture(left, picture.movedim(0, -1))
        left.set_title("the picture")
        _draw_heat(right, picture, scores)
        right.set_title("its context scores")
    return figure


def spread(
    x: Sequence[float], series: Mapping[str, Sequence[Sequence[float]]], xlabel: str, ylabel: str, chance: float
) -> Figure:
    """Draw several runs for each `x` as dots and a line through their means, with the level of guessing."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.4), layout="constrained")
        axes = figure.subplots()
        for style, (name, results) in zip(STYLE["axes.prop_cycle"], series.items(), strict=False):
            axes.plot(x, [sum(runs) / len(runs) for runs in results], label=name, **(style | {"marker": ""}))
            for place, runs in zip(x, results, strict=True):
                axes.plot([place] * len(runs), runs, **(style | {"linestyle": ""}), alpha=0.6, markersize=5)
        axes.axhline(chance, color="#777777", linewidth=1, linestyle=":", marker="")
        axes.annotate("guessing", (x[0], chance), (0, 3), textcoords="offset points", color="#555555", size=8)
        axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.05), xticks=x)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right", bbox_to_anchor=(1, 0.93))
    return figure


def runs(series: Mapping[str, Sequence[float]], xlabel: str, chance: float) -> Figure:
    """Draw the runs of each named variant as dots in a row, with a bar at their mean and the level of guessing."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 0.7 + 0.42 * len(series)), layout="constrained")
        axes = figure.subplots()
        for row, shares in enumerate(series.values()):
            axes.plot(shares, [row] * len(shares), linestyle="", marker="s", color=MAGENTA, alpha=0.7, markersize=6)
            axes.plot(sum(shares) / len(shares), row, linestyle="", marker="|", color="black", markersize=18)
        axes.axvline(chance, color="#777777", linewidth=1, linestyle=":", marker="")
        axes.annotate("guessing", (chance, -0.6), (3, 0), textcoords="offset points", color="#555555", size=8)
        axes.set_yticks(range(len(series)), series)
        axes.set(xlabel=xlabel, xlim=(0, 1.03), ylim=(len(series) - 0.5, -0.8))
        axes.grid(axis="x", alpha=0.3)
    return figure


_LINEAR, _COSTLY, _CHEAP = "#DCE5FF", "#FAD1E3", "#FFF0CC"


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


def _draw_heat(axes: Axes, picture: Tensor, weights: Tensor) -> None:
    """Lay weights `[k]`, one for each patch, over a picture `[3, H, W]`: the more weight, the brighter."""
    side = round(len(weights) ** 0.5)
    height, width = picture.shape[-2:]
    _draw_picture(axes, picture.mean(dim=0))
    heat = weights.reshape(side, side).numpy()
    axes.imshow(heat, cmap="inferno", alpha=0.6, extent=(-0.5, width - 0.5, height - 0.5, -0.5), vmin=0)


def _draw_picture(axes: Axes, pixels: np.ndarray | Tensor) -> None:
    axes.imshow(np.asarray(pixels), cmap="gray", vmin=0)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _thumbnail(axes: Axes, picture: np.ndarray, position: tuple[float, float], offset: tuple[float, float]) -> None:
    image = OffsetImage(picture, zoom=16 / len(picture))
    axes.add_artist(
        AnnotationBbox(image, position, offset, boxcoords="offset points", frameon=False, annotation_clip=False)
    )


def _check_alt(alt: str) -> None:
    if not isinstance(alt, str) or len(alt.split()) < 5:
        raise ValueError(f"a figure needs an alt text that says what it shows in a sentence, not {alt!r}")
