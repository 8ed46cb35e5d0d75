"""From a picture to the model's input, and from a class index to its name.

MobileViTv2 was trained on RGB pictures with values in [0, 1], without subtracting a mean or dividing by a deviation.
"""

import functools
import os
import stat
from importlib.resources import files

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

# PIL modes that `convert("RGB")` turns into the picture a person would see.
_SAFE_MODES = {"RGB", "L", "1", "P", "CMYK", "YCbCr", "HSV"}
_ALPHA_MODES = {"RGBA", "LA", "PA", "RGBa"}
_WHITE_IS_ZERO, _BITS_PER_SAMPLE = 262, 258  # tags of TIFF files


class ImageError(ValueError):
    """A picture cannot be read, or not without guessing what its values mean."""


def open_image(path: str | os.PathLike) -> Image.Image:
    """Read a picture file, turned upright as its EXIF tag says, as 8-bit RGB.

    Parameters
    ----------
    path : path
        A picture in any format that Pillow reads.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or it may not be read.
    ImageError
        If the file is not a picture, is damaged or cut short, or is too large to be one in good faith; and in the
        cases of `to_rgb`.

    Notes
    -----
    Built in notebook 06.
    """
    name = os.fspath(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe could wait for ever
            raise ImageError(f"{name} is not a file")
        with Image.open(path) as image:
            image.load()
            _check_levels(image)  # turning the picture upright loses the tags that this looks at
            return to_rgb(_upright(image))
    except (FileNotFoundError, PermissionError, ImageError):
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not a picture that Pillow can read") from error
    except Exception as error:  # damaged files make Pillow's decoders fail in many ways
        raise ImageError(f"{name} is damaged, cut short or too large ({type(error).__name__}: {error})") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a picture as 8-bit RGB, or refuse where that would mean guessing.

    Grey, palette, CMYK, YCbCr and HSV are converted by Pillow. Sixteen-bit grey is divided by 257, so that white
    stays white. Transparent pictures are laid on white.

    Raises
    ------
    ImageError
        For pictures that Pillow cannot convert with a defined white: 32-bit integers, floating point, LAB; sixteen-bit
        grey with a transparent level, with white stored as zero, or with fewer than sixteen bits used.

    Notes
    -----
    Built in notebook 06.
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
    raise ImageError(
        f"a picture of mode {image.mode!r} does not say which value is white: convert it to 8-bit RGB first"
    )


def preprocess(
    image: Image.Image | np.ndarray,
    image_size: int = 256,
    crop_fraction: float = 0.888,
    channels: int = 3,
    interpolation: str = "bicubic",
) -> Tensor:
    """Turn a picture into the batch of one that a model expects; by default, one of the ImageNet models.

    The shorter side is resized to `image_size / crop_fraction` (288), and the middle
    `image_size × image_size` is cut out.

    Parameters
    ----------
    image : PIL.Image.Image or numpy.ndarray
        The picture. An array is `[H, W]` (grey) or `[H, W, 3]` (RGB), of bytes or of floating-point values in [0, 1].
    image_size : int
        Side of the result in pixels, at most 4,096.
    crop_fraction : float
        Share of the shorter side that survives the crop, from 0.1 to 1.
    channels : {3, 1}
        3 for RGB, 1 for grey.
    interpolation : {"bicubic", "bilinear"}
        How the picture is resized.

    Returns
    -------
    Tensor
        `[1, channels, image_size, image_size]`, values in [0, 1].

    Raises
    ------
    ImageError
        If the picture is empty, or its values are NaN, out of range, or of an unclear meaning.
    TypeError
        If it is neither a PIL image nor an array.

    Notes
    -----
    Section 4.1 of arXiv 2206.02680; the same numbers as timm's evaluation transform. Built in notebook 06.
    """
    check_sizes(image_size, crop_fraction, channels, interpolation)
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    elif not isinstance(image, Image.Image):
        raise TypeError(
            f"expected a PIL image or a NumPy array, not a {type(image).__name__}: read a file with mv.open_image(path)"
        )
    try:
        image = to_rgb(image)
    except OSError as error:  # an opened file is decoded only now
        raise ImageError(f"the picture is damaged or cut short ({error})") from error
    if 0 in image.size:
        raise ImageError(f"the picture is empty: it has {image.width}×{image.height} pixels")
    if max(image.size) > 1000 * min(image.size):
        raise ImageError(f"a picture of {image.width}×{image.height} pixels is a line: its middle square shows nothing")
    shorter = int(image_size / crop_fraction)
    # Whole-number division drops the fraction, as torchvision's and timm's resize do.
    size = [max(shorter, shorter * side // min(image.size)) for side in image.size]
    image = image.resize(size, Image.Resampling[interpolation.upper()])
    left, top = (round((side - image_size) / 2) for side in image.size)
    image = image.crop((left, top, left + image_size, top + image_size))
    return _to_tensor(image, channels)[None]  # [1, C, H, W]


def check_sizes(image_size: int, crop_fraction: float, channels: int, interpolation: str) -> None:
    """Raise a ValueError unless `preprocess` can work with these."""
    if not 1 <= image_size <= 4096 or not 0.1 <= crop_fraction <= 1:
        raise ValueError(
            f"image_size must be from 1 to 4096 and crop_fraction from 0.1 to 1, not {image_size}, {crop_fraction}"
        )
    if interpolation not in ("bicubic", "bilinear"):
        raise ValueError(f"interpolation must be 'bicubic' or 'bilinear', not {interpolation!r}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 3 (RGB) or 1 (grey), not {channels}")


def random_crop(image: Image.Image, image_size: int, channels: int, random: np.random.Generator) -> Tensor:
    """Cut a random part out of a picture, resize it, and mirror it half of the time: how training shows pictures.

    The part has 8 to 100 % of the area and sides in a ratio from 3:4 to 4:3; where ten draws do not fit into the
    picture, a square of its shorter side is taken.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    image_size : int
        Side of the result in pixels.
    channels : {3, 1}
        3 for RGB, 1 for grey.
    random : numpy.random.Generator
        Where the chance comes from: the same state cuts the same part.

    Returns
    -------
    Tensor
        `[channels, image_size, image_size]`, values in [0, 1].

    Notes
    -----
    "Random resized crop", as in Section 4.1 of arXiv 2206.02680. Built in notebook 07.
    """
    width, height = image.size
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1)
        ratio = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            break
    else:
        w = h = min(width, height)
    left, top = random.integers(0, width - w + 1), random.integers(0, height - h + 1)
    box = (left, top, left + w, top + h)
    image = image.resize((image_size, image_size), Image.Resampling.BICUBIC, box=box)
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    return _to_tensor(image, channels)


def _to_tensor(image: Image.Image, channels: int) -> Tensor:
    """Return a picture in RGB as `[C, H, W]` with values in [0, 1]."""
    if channels == 1:
        return torch.from_numpy(np.array(image.convert("L")))[None].float() / 255  # [1, H, W]
    return torch.from_numpy(np.array(image)).movedim(-1, 0).float() / 255  # [3, H, W]


@functools.cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the names of the 1,000 ImageNet-1k classes in the order of the logits.

    WordNet 3.0 lemmas of the 1,000 synsets of ILSVRC 2012, arXiv 1409.0575. Built in notebook 06.
    """
    text = files(__package__).joinpath("assets/imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


@functools.cache
def imagenet_synsets() -> tuple[str, ...]:
    """Return the names of ImageNet's 1,000 class folders, WordNet ids such as `n01440764`, in the order of the logits.

    ILSVRC 2012, arXiv 1409.0575. Built in notebook 06.
    """
    text = files(__package__).joinpath("assets/imagenet_synsets.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def sample_picture(name: str = "chelsea") -> Image.Image:
    """Return one of the photographs that come with scikit-image.

    Parameters
    ----------
    name : {"chelsea", "coffee", "rocket"}
        A cat (photograph by Stéfan van der Walt), a cup of coffee (Rachel Michetti), or a rocket launch (SpaceX). All
        three are in the public domain (CC0).

    Notes
    -----
    Built in notebook 06.
    """
    if name not in ("chelsea", "coffee", "rocket"):
        raise ValueError(f"there is no sample picture {name!r}: choose 'chelsea', 'coffee' or 'rocket'")
    # Imported here so that `import mvit2_lib` stays light.
    from skimage import data

    return Image.fromarray(getattr(data, name)())


def _check_levels(image: Image.Image) -> None:
    """Raise if the levels of a sixteen-bit picture do not simply run from black to white."""
    if not image.mode.startswith("I;16"):
        return
    tags = getattr(image, "tag_v2", {})
    if "transparency" in image.info or tags.get(_WHITE_IS_ZERO) == 0 or tags.get(_BITS_PER_SAMPLE, (16,)) != (16,):
        raise ImageError("a sixteen-bit picture with transparency, inverted or with unused bits: convert it to 8 bits")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing reliable about the orientation
        return image


def _from_array(array: np.ndarray) -> Image.Image:
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] != 3):
        hint = (
            ": move the channels last with array.transpose(1, 2, 0)" if array.ndim == 3 and shape[0] in (1, 3) else ""
        )
        raise ImageError(f"expected an array [H, W] or [H, W, 3], but got shape {shape}{hint}")
    if 0 in shape:
        raise ImageError(f"the picture is empty: its array has shape {shape}")
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(f"expected bytes (uint8) or floating-point values in [0, 1], but got {array.dtype}")
    if np.isnan(array).any():
        raise ImageError(f"{int(np.isnan(array).sum())} values of the picture are NaN")
    if array.min() < 0 or array.max() > 1:
        raise ImageError(
            f"floating-point pictures must lie in [0, 1], but this one spans {array.min():.3g} … {array.max():.3g}: "
            "divide bytes by 255"
        )
    return Image.fromarray(np.round(array * 255).astype(np.uint8))
