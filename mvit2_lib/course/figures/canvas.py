"""What all figures share: the palette, PNG on white, the alt text, and a few strokes."""

import base64
import html
import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

# Distinct for colour-blind readers too; lines differ by marker and style besides.
BLUE, MAGENTA, ORANGE, VIOLET, YELLOW = PALETTE = ("#648FFF", "#DC267F", "#FE6100", "#785EF0", "#FFB000")
WIDEST = 8.6  # inches: what a notebook shows at full size in a window of 1280 pixels
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
        A sentence that says what the figure shows, for readers who cannot see it. It stands in the picture's `alt`
        attribute, and it is the part of the output that the notebook tests compare.
    """
    # Imported here so that figures can be made where there is no notebook.
    from IPython.display import display

    _check_alt(alt)
    pixels = png(figure)
    width = int.from_bytes(pixels[16:20], "big")  # where a PNG says how wide it is
    source = f"data:image/png;base64,{base64.b64encode(pixels).decode()}"
    # No image/png beside it: a web page would take that one, without the text, and the file would be twice as long.
    tag = f'<img alt="{html.escape(alt)}" src="{source}" width="{width}" style="max-width:100%">'
    display({"text/html": tag, "text/plain": alt}, raw=True)


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
    """Lay weights `[k]`, one for each patch, over a photograph `[C, H, W]`: the more weight, the brighter."""
    height, width = picture.shape[-2:]
    draw_picture(axes, picture.mean(dim=0).numpy())
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(square(weights), cmap="inferno", alpha=0.6, extent=extent, vmin=0)


def square(weights: Tensor) -> np.ndarray:
    """Return weights `[k]` as the square of their patches `[√k, √k]`."""
    side = round(len(weights) ** 0.5)
    return np.asarray(weights).reshape(side, side)
