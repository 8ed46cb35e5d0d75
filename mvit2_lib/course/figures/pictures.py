"""Pictures, and what an attention does with them."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Rectangle
from torch import Tensor, nn
from torch.nn import functional as F

from ...attention import MultiHeadSelfAttention, SeparableSelfAttention
from ...data.samples import sample_picture
from .canvas import BLUE, MAGENTA, NAVY, STYLE, draw_heat, draw_picture


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
    draw_picture(figure.subplots(), pixels)
    return figure


def prediction(pixels: np.ndarray | Tensor, names: Sequence[str], probabilities: Tensor) -> Figure:
    """Draw a picture `[H, W]` or `[H, W, 3]` beside the probabilities `[n]` that a model gives to `n` names."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
        draw_picture(left, pixels)
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
            draw_heat(axes, picture, attention[row * side + column])
            _frame(axes, row, column, pixels)
            axes.set_title(f"the {name} asks")
    return figure


def _frame(axes: Axes, row: int, column: int, pixels: int) -> None:
    """Draw a frame around a patch."""
    corner = (column * pixels - 0.5, row * pixels - 0.5)
    for color, thickness in (("white", 3), (MAGENTA, 1.5)):
        axes.add_patch(Rectangle(corner, pixels, pixels, fill=False, edgecolor=color, linewidth=thickness))


def implied_maps(multi_head: Tensor, separable: Tensor) -> Figure:
    """Draw two attention maps `[k, k]` side by side: rows of their own, and rows that are all the same."""
    k = len(multi_head)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 4.0), layout="constrained")
        titles = ("multi-head: each token its own row", "separable: one row for all")
        for axes, weights, title in zip(figure.subplots(1, 2), (multi_head, separable), titles, strict=True):
            axes.imshow(weights.numpy(), cmap="Purples", vmin=0, vmax=max(multi_head.max(), separable.max()))
            axes.set(title=title, xlabel="token that is looked at", ylabel="token that looks")
            axes.set(xticks=range(0, k, 5), yticks=range(0, k, 5))
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
    return figure


def scores_over_picture(picture: Tensor, scores: Tensor, asking: tuple[int, int]) -> Figure:
    """Draw a picture `[3, H, W]` beside the same picture under its context scores `[k]`.

    A frame marks the patch that asks, given by its row and column.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.2, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_picture(left, picture.movedim(0, -1))
        left.set_title("the picture")
        draw_heat(right, picture, scores)
        for axes in (left, right):
            _frame(axes, *asking, picture.shape[-1] // round(len(scores) ** 0.5))
        right.set_title("its context scores")
    return figure


def latent_views(picture: Tensor, stages: Mapping[str, Sequence[Tensor]]) -> Figure:
    """Draw a picture `[C, H, W]` under the context scores of every layer, one row for each stage.

    `stages` has for each stage the scores `[k]` of its layers, over patches row by row. Each map has a scale of its own
    from zero to its largest score; its least and its largest stand above it.
    """
    columns = max(map(len, stages.values()))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.9 * columns, 2.3 * len(stages)), layout="constrained")
        grid = figure.subplots(len(stages), columns, squeeze=False)
        for row, (name, layers) in zip(grid, stages.items(), strict=True):
            for number, axes in enumerate(row):
                if number < len(layers):
                    draw_heat(axes, picture, layers[number])
                    least, largest = layers[number].min(), layers[number].max()
                    axes.set_title(f"{name}, layer {number + 1}\n{least:.2f} … {largest:.2f}", size=9)
                else:
                    axes.set_axis_off()
    return figure


def _thumbnail(axes: Axes, picture: np.ndarray, position: tuple[float, float], offset: tuple[float, float]) -> None:
    image = OffsetImage(picture, zoom=16 / len(picture))
    axes.add_artist(
        AnnotationBbox(image, position, offset, boxcoords="offset points", frameon=False, annotation_clip=False)
    )
