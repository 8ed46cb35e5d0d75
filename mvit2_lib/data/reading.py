"""A file becomes a picture, or is refused: a file is untrusted, and no other program is ever started for it."""

import os
import stat
import threading
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .._guard import FileError, printable

# What cameras, phones and the web write, each decoded inside this process. (Pillow hands PostScript to Ghostscript.)
# MPO, several JPEGs in one file, is opened as JPEG.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
# Pillow takes 179 million pixels for an attack; phones take 200, and cameras 400 by moving the sensor.
LARGEST = 2**29

# PIL modes that `convert("RGB")` turns into the picture a person would see.
_SAFE_MODES = {"RGB", "L", "1", "P", "CMYK", "YCbCr", "HSV"}
_ALPHA_MODES = {"RGBA", "LA", "PA", "RGBa"}
_WHITE_IS_ZERO, _BITS_PER_SAMPLE = 262, 258  # tags of TIFF files
_OPENING = threading.Lock()


def open_image(path: str | os.PathLike) -> Image.Image:
    """Read a picture file, turned upright as its EXIF tag says, as 8-bit RGB.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or it may not be read.
    FileError
        If it is no picture in one of `FORMATS`, is damaged or cut short, has more than half a billion pixels, or does
        not say which value is white (see `to_rgb`).
    """
    name = printable(os.fspath(path))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe could wait for ever
                raise FileError(f"{name} is not a file")
            with _open(path) as image:
                if image.width * image.height > LARGEST:
                    raise FileError(f"{name} is too large: it has {image.width}×{image.height} pixels")
                image.load()
                _check_levels(image)  # turning the picture upright loses the tags that this looks at
                picture = to_rgb(_upright(image))
        except (FileNotFoundError, PermissionError):
            raise
        except FileError as error:
            raise FileError(str(error) if name in str(error) else f"{name}: {error}") from error
        except UnidentifiedImageError as error:
            raise FileError(f"{name} is not a picture in one of the formats {', '.join(FORMATS)}") from error
        except Exception as error:  # damaged files make Pillow's decoders fail in many ways
            raise FileError(f"{name} is damaged, cut short or too large ({type(error).__name__}: {error})") from error
    for warning in caught:
        warnings.warn(f"{name}: {warning.message}", warning.category, stacklevel=2)
    return picture


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a picture as 8-bit RGB, or refuse where that would mean guessing.

    Sixteen-bit grey is divided by 257, so that white stays white; transparent pictures are laid on white.

    Raises
    ------
    FileError
        For pictures without a defined white: 32-bit integers, floating point, LAB; sixteen-bit grey with a transparent
        level, with white stored as zero, or with fewer than sixteen bits used.
    """
    if image.mode.startswith("I;16"):
        _check_levels(image)
        levels = np.asarray(image, dtype=np.uint16)
        return Image.fromarray(np.round(levels / 257).astype(np.uint8)).convert("RGB")
    if image.mode in _ALPHA_MODES or (image.mode in _SAFE_MODES and "transparency" in image.info):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode in _SAFE_MODES:
        return image.convert("RGB")
    raise FileError(
        f"a picture of mode {image.mode!r} does not say which value is white: convert it to 8-bit RGB first"
    )


def from_array(array: np.ndarray) -> Image.Image:
    """Return an array `[H, W]` or `[H, W, 3]`, of bytes or of floating-point values in [0, 1], as a picture."""
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] != 3):
        first = array.ndim == 3 and shape[0] in (1, 3)
        hint = ": move the channels last with array.transpose(1, 2, 0)" if first else ""
        raise ValueError(f"expected an array [H, W] or [H, W, 3], but got shape {shape}{hint}")
    if 0 in shape:
        raise ValueError(f"the picture is empty: its array has shape {shape}")
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"expected bytes (uint8) or floating-point values in [0, 1], but got {array.dtype}")
    if np.isnan(array).any():
        raise ValueError(f"{int(np.isnan(array).sum())} values of the picture are NaN")
    if array.min() < 0 or array.max() > 1:
        raise ValueError(
            f"floating-point pictures must lie in [0, 1], but this one spans {array.min():.3g} … {array.max():.3g}: "
            "divide bytes by 255"
        )
    return Image.fromarray(np.round(array * 255).astype(np.uint8))


def _open(path: str | os.PathLike) -> Image.Image:
    """Open a picture without Pillow's own limit, which is global; `open_image` has another one."""
    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check_levels(image: Image.Image) -> None:
    """Raise if the levels of a sixteen-bit picture do not simply run from black to white."""
    if not image.mode.startswith("I;16"):
        return
    tags = getattr(image, "tag_v2", {})
    if "transparency" in image.info or tags.get(_WHITE_IS_ZERO) == 0 or tags.get(_BITS_PER_SAMPLE, (16,)) != (16,):
        raise FileError("a sixteen-bit picture with transparency, inverted or with unused bits: convert it to 8 bits")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing reliable about the orientation
        return image
