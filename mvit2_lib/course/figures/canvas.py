"""What all figures share: the palette, PNG on white, the alt text, and a few strokes."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

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


def _check_alt(alt: str) -> None:
    if not isinstance(alt, str) or len(alt.split()) < 5:
        raise ValueError(f"a figure needs an alt text that says what it shows in a sentence, not {alt!r}")


def draw_picture(axes: Axes, pixels: np.ndarray | Tensor) -> None:
    """Put a picture, grey `[H, W]` or RGB `[H, W, 3]`, into axes without ticks or frame."""
    axes.imshow(np.asarray(pixels), cmap="gray", vmin=0)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def draw_heat(axes: Axes, picture: Tensor, weights: Tensor) -> None:
    """Lay weights `[k]`, one for each patch, over a picture `[C, H, W]`: the more weight, the brighter.

    A photograph shines through; of a drawing (`C = 1`) the outline is drawn on top, so that its ink colours no patch.
    """
    side = round(len(weights) ** 0.5)
    height, width = picture.shape[-2:]
    grey, drawing = picture.mean(dim=0).numpy(), len(picture) == 1
    draw_picture(axes, grey)
    heat = weights.reshape(side, side).numpy()
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(heat, cmap="inferno", alpha=1 if drawing else 0.6, extent=extent, vmin=0)
    if drawing:
        for color, thickness in (("black", 3), ("white", 1.5)):
            axes.contour(grey, levels=[grey.max() / 2], colors=color, linewidths=thickness)
