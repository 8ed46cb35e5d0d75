"""Pictures, and which of their pixels are taken."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from torch import Tensor

from .canvas import BLUE, MAGENTA, STYLE, WIDEST, draw_picture


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


def panels(pictures: Mapping[str, Tensor], width: float = 2.5) -> Figure:
    """Draw some pictures, grey `[H, W]` or RGB `[H, W, 3]`, side by side with their titles, in rows where need be.

    `width` is that of a panel in inches.
    """
    columns = max(1, int(WIDEST / width))
    rows = -(-len(pictures) // columns)
    columns = -(-len(pictures) // rows)  # rows of the same length
    lines = max(title.count("\n") + 1 for title in pictures)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * columns, (width + 0.17 * lines + 0.1) * rows), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.06, h_pad=0.1)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (title, picture) in zip(grid, pictures.items(), strict=False):
            draw_picture(axes, picture)
            axes.set_title(title, size=10 if width > 1.6 else 9)
        for axes in grid[len(pictures) :]:
            axes.remove()
    return figure


def split_by_place(photos: Mapping[str, np.ndarray], parts: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw photographs `[H, W]` with the columns, from and to, that each named part takes of them."""
    width = WIDEST / len(photos)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, width + 0.25), layout="constrained")
        for axes, (name, photo) in zip(figure.subplots(1, len(photos)), photos.items(), strict=True):
            draw_picture(axes, photo)
            axes.set_title(name)
            for part, (first, last) in parts.items():
                axes.text((first + last) / 2, len(photo) * 0.97, part, **_LABEL)
                for color, thickness in (("white", 4), (MAGENTA, 2)) if first else ():
                    axes.axvline(first - 0.5, color=color, linewidth=thickness, linestyle="-", marker="")
    return figure


_LABEL = {"size": 9, "ha": "center", "va": "bottom", "bbox": {"color": "white", "alpha": 0.85, "pad": 2}}


def taken(pictures: Mapping[str, Tensor], masks: Mapping[str, Tensor], width: float = 3.4) -> Figure:
    """Draw pictures `[C, H, W]` side by side in which the pixels of their masks `[H, W]` stand out.

    These have their colours, all others are grey and faint.
    """
    shown = {}
    for title, picture in pictures.items():
        colour = picture.expand(3, *picture.shape[1:]).movedim(0, -1)  # [H, W, 3]
        faint = 0.6 + 0.4 * colour.mean(dim=-1, keepdim=True)  # [H, W, 1]
        shown[title] = colour.where(masks[title].bool()[..., None], faint)
    return panels(shown, width)


def index_image(image: Tensor, rows: Tensor) -> Figure:
    """Draw a small image of numbers `[H, W]` and its unfolded rows `[P, N]`, coloured by pixel position."""
    (H, W), (P, _) = image.shape, rows.shape
    p = round(P**0.5)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        place = np.fromfunction(lambda row, column: (row % p) * p + column % p, (H, W), dtype=int)
        _draw_numbers(left, image, place)
        for line in range(0, W + 1, p):
            left.axvline(line - 0.5, color="black", linewidth=2.5, linestyle="-", marker="")
        for line in range(0, H + 1, p):
            left.axhline(line - 0.5, color="black", linewidth=2.5, linestyle="-", marker="")
        left.set_title(f"{H} × {W} pixels in {p} × {p} patches")
        _draw_numbers(right, rows, np.arange(P)[:, None] + np.zeros(rows.shape, dtype=int))
        right.set(title="unfolded", ylabel="pixel position P", xlabel="patch N")
    return figure


def receptive_fields(maps: Mapping[str, Tensor], width: float = 2.6) -> Figure:
    """Draw how much each input pixel matters to one output pixel, maps `[H, W]`: white where it does not at all.

    The one scale is logarithmic, and reaches from the largest of each map, 1, down to the least that occurs.
    """
    shares = {title: np.ma.masked_equal(values.numpy() / values.max().item(), 0) for title, values in maps.items()}
    least = max(1e-5, min(0.5, *(float(share.min()) for share in shares.values())))
    with mpl.rc_context(STYLE):
        width = min(width, (WIDEST - 0.8) / len(maps))
        figure = Figure(figsize=(width * len(maps) + 0.8, width + 0.4), layout="constrained")
        row = figure.subplots(1, len(maps), squeeze=False)[0]
        for axes, (title, share) in zip(row, shares.items(), strict=True):
            image = axes.imshow(share, cmap="viridis", norm=LogNorm(least, 1))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
            axes.set_title(title, size=10)
        ticks = [10.0**power for power in range(int(np.floor(np.log10(least))), 1)]
        ticks = [tick for tick in ticks if tick >= least]
        ticks += [least] if min(ticks) > 2 * least else []
        bar = figure.colorbar(image, ax=row, shrink=0.85, ticks=ticks)
        bar.ax.set_yticklabels([f"{tick:.1g}" for tick in ticks])
        bar.ax.minorticks_off()
        bar.set_label("gradient, largest = 1\n(white: none at all)", size=9)
    return figure


def _draw_numbers(axes: Axes, numbers: Tensor, colors: np.ndarray) -> None:
    axes.imshow(colors, cmap=mpl.colors.ListedColormap(["#DCE5FF", "#FAD1E3", "#FFE3CC", "#FFF0CC"]), vmin=0, vmax=3)
    for (row, column), number in np.ndenumerate(np.asarray(numbers)):
        axes.text(column, row, f"{number:g}", ha="center", va="center")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
