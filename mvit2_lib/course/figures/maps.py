"""Where attention looks: maps over tokens, over photographs and over digits."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from .canvas import MAGENTA, STYLE, WIDEST, draw_heat, draw_picture, square


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


def attention_over_picture(picture: Tensor, attention: Tensor, asking: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw where some patches of a picture look.

    `picture` is `[3, H, W]`, `attention` is `[k, k]` over its patches row by row, and `asking` names some patches by
    their row and column.
    """
    side = round(len(attention) ** 0.5)
    pixels = picture.shape[-1] // side
    width = min(3.1, WIDEST / len(asking))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * len(asking), width + 0.2), layout="constrained")
        for axes, (name, (row, column)) in zip(figure.subplots(1, len(asking)), asking.items(), strict=True):
            draw_heat(axes, picture, attention[row * side + column])
            _frame(axes, row, column, pixels)
            axes.set_title(f"the {name} asks")
    return figure


def _frame(axes: Axes, row: int, column: int, pixels: int) -> None:
    """Draw a frame around a patch."""
    corner = (column * pixels - 0.5, row * pixels - 0.5)
    for color, thickness in (("white", 3), (MAGENTA, 1.5)):
        axes.add_patch(Rectangle(corner, pixels, pixels, fill=False, edgecolor=color, linewidth=thickness))


def learned_maps(
    multi_head: Tensor,
    separable: Tensor,
    titles: tuple[str, str] = ("multi-head: each token its own row", "separable: one row for all"),
) -> Figure:
    """Draw two attention maps `[k, k]` side by side on one scale: rows of their own, and rows that are all the same."""
    k = len(multi_head)
    places = range(0, k, -(-k // 16))  # as many numbers as there is room for
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, 4.1), layout="constrained")
        row = figure.subplots(1, 2)
        for axes, weights, title in zip(row, (multi_head, separable), titles, strict=True):
            top = max(multi_head.max().item(), separable.max().item())
            image = axes.imshow(weights.detach().numpy(), cmap="Purples", norm=PowerNorm(0.6, 0, top))
            axes.set(title=title, xlabel="token that is looked at", ylabel="token that looks")
            for ticks in (axes.set_xticks, axes.set_yticks):
                ticks(places, [str(place + 1) for place in places], size=9)
            axes.tick_params(length=0)
            axes.spines[:].set_color("#999999")
        figure.colorbar(image, ax=row, shrink=0.75, label="attention weight")
    return figure


def digit_scores(pictures: Tensor, scores: Tensor) -> Figure:
    """Draw some digits `[n, H, W]` in a row, and under each its context scores `[n, k]` on the grid of its patches.

    A score is shown in times an equal share, 1/k: orange where a patch weighs more, violet where it weighs less. Under
    each map stand the least and the largest.
    """
    n = len(pictures)
    shares = [row * len(row) for row in scores.detach()]
    width = min(1.6, (WIDEST - 1.1) / n)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * n + 1.1, 2 * width + 0.6), layout="constrained")
        grid = figure.subplots(2, n, squeeze=False)
        for above, below, picture, share in zip(*grid, pictures, shares, strict=True):
            draw_picture(above, picture)
            image = _draw_shares(below, share, _limit(shares))
            below.set_xlabel(_extremes(share), size=9)
        _share_bar(figure, image, grid)
    return figure


def latent_views(picture: Tensor, stages: Mapping[str, Sequence[Tensor]]) -> Figure:
    """Draw a picture `[C, H, W]` and, beside it, the context scores of every layer, one row for each stage.

    `stages` has for each stage the scores `[k]` of its layers, over patches row by row. They are shown in times an
    equal share, 1/k, all on one scale: orange where a patch weighs more, violet where it weighs less. The least and the
    largest of each map stand above it.
    """
    shares = {name: [scores.detach() * len(scores) for scores in layers] for name, layers in stages.items()}
    limit = _limit([share for layers in shares.values() for share in layers])
    columns = 1 + max(map(len, stages.values()))
    width = min(1.7, (WIDEST - 1.0) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * columns + 1.0, (width + 0.45) * len(stages)), layout="constrained")
        grid = figure.subplots(len(stages), columns, squeeze=False)
        for row, (name, layers) in zip(grid, shares.items(), strict=True):
            draw_picture(row[0], picture.movedim(0, -1) if len(picture) == 3 else picture[0])
            row[0].set_title(f"{name}:\nthe picture", size=9)
            for axes in row[1 + len(layers) :]:
                axes.set_axis_off()
            for number, (axes, share) in enumerate(zip(row[1:], layers, strict=False), 1):
                image = _draw_shares(axes, share, limit)
                axes.set_title(f"layer {number}\n{_extremes(share)}", size=9)
        _share_bar(figure, image, grid)
    return figure


def _limit(shares: Sequence[Tensor]) -> float:
    """Return how far a scale around 1 must reach, up and down alike, to hold all shares; a hundredth is far enough."""
    every = torch.cat(list(shares)).clamp(min=0.01)
    return max(1.1, every.max().item(), 1 / every.min().item())


def _draw_shares(axes: Axes, share: Tensor, limit: float) -> mpl.image.AxesImage:
    """Draw patches by how many times an equal share they have: pale at 1, orange above, violet below."""
    image = axes.imshow(square(share.clamp(min=1 / limit)), cmap="PuOr_r", norm=LogNorm(1 / limit, limit))
    side = round(len(share) ** 0.5)
    axes.set_xticks(np.arange(0.5, side - 1), minor=True)
    axes.set_yticks(np.arange(0.5, side - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=0.5 if side <= 8 else 0, linestyle="-")
    axes.tick_params(which="both", length=0)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="#999999")
    return image


def _extremes(share: Tensor) -> str:
    return f"{share.min():.2f} … {share.max():.2f}"


def _share_bar(figure: Figure, image: mpl.image.AxesImage, grid: np.ndarray) -> None:
    steps = [step for step in (1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100) if step <= image.norm.vmax]
    steps = [1, *steps[-3:]] if len(steps) > 3 else steps
    ticks = sorted({1 / step for step in steps} | set(steps))
    bar = figure.colorbar(image, ax=grid, shrink=0.8, ticks=ticks)
    bar.ax.set_yticklabels([f"{tick:.2g}" for tick in ticks])
    bar.ax.minorticks_off()
    bar.set_label("times an equal share")
