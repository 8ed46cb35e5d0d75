"""From a picture to the model's input, and the pictures that training makes of it.

MobileViTv2 was trained on RGB pictures with values in [0, 1], without subtracting a mean or dividing by a deviation.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from .._guard import FileError, whole_number
from .reading import from_array, to_rgb


@dataclass(frozen=True)
class Preparation:
    """How a model wants its pictures; called with one, it returns the batch of one.

    Attributes
    ----------
    image_size : int
        Side of the result in pixels, at most 4,096.
    crop_fraction : float
        Share of the shorter side that survives the crop, from 0.1 to 1.
    channels : {3, 1}
        3 for RGB, 1 for grey.
    interpolation : {"bicubic", "bilinear"}
        How the picture is resized.
    """

    image_size: int = 256
    crop_fraction: float = 0.888
    channels: int = 3
    interpolation: str = "bicubic"

    def __post_init__(self):
        whole_number("image_size", self.image_size, most=4096)
        if isinstance(self.crop_fraction, (bool, str)) or not 0.1 <= self.crop_fraction <= 1:
            raise ValueError(f"crop_fraction must be a number from 0.1 to 1, not {self.crop_fraction!r}")
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 3 (RGB) or 1 (grey), not {self.channels!r}")
        if self.interpolation not in ("bicubic", "bilinear"):
            raise ValueError(f"interpolation must be 'bicubic' or 'bilinear', not {self.interpolation!r}")

    def __call__(self, image: Image.Image | np.ndarray) -> Tensor:
        return preprocess(image, **asdict(self))  # [1, C, H, W]


def preprocess(
    image: Image.Image | np.ndarray,
    image_size: int = 256,
    crop_fraction: float = 0.888,
    channels: int = 3,
    interpolation: str = "bicubic",
) -> Tensor:
    """Turn a picture into the batch of one `[1, C, H, W]` that a model expects; by default, one of the ImageNet models.

    The shorter side is resized to `image_size / crop_fraction` (288), the middle `image_size × image_size` is cut out,
    and bytes are divided by 255: the numbers of timm's evaluation transform (Section 4.1 of arXiv 2206.02680). The
    settings are those of `Preparation`. Built in notebook 06.

    Raises
    ------
    TypeError, ValueError
        If it is neither a picture nor an array, is empty, or holds values that are NaN or out of range.
    FileError
        If the picture does not say which value is white, or was opened elsewhere and is damaged.
    """
    Preparation(image_size, crop_fraction, channels, interpolation)  # refuses what makes no sense
    if isinstance(image, np.ndarray):
        image = from_array(image)
    elif not isinstance(image, Image.Image):
        raise TypeError(
            f"expected a PIL image or a NumPy array, not a {type(image).__name__}: read a file with mv.open_image(path)"
        )
    try:
        image = to_rgb(image)
    except OSError as error:  # an opened file is decoded only now
        raise FileError(f"the picture is damaged or cut short ({error})") from error
    if 0 in image.size:
        raise ValueError(f"the picture is empty: it has {image.width}×{image.height} pixels")
    if max(image.size) > 1000 * min(image.size):
        raise FileError(f"a picture of {image.width}×{image.height} pixels is a line: its middle square shows nothing")
    shorter = int(image_size / crop_fraction)
    # Whole-number division drops the fraction, as torchvision's and timm's resize do.
    size = [max(shorter, shorter * side // min(image.size)) for side in image.size]
    image = image.resize(size, Image.Resampling[interpolation.upper()])
    left, top = (round((side - image_size) / 2) for side in image.size)
    image = image.crop((left, top, left + image_size, top + image_size))
    return _to_tensor(image, channels)[None]  # [1, C, H, W]


def random_crop(
    image: Image.Image, image_size: int, channels: int, random: np.random.Generator, smallest: float = 0.08
) -> Tensor:
    """Cut a random part out of a picture in RGB, and resize it: `[C, image_size, image_size]`.

    "Random resized crop" (Section 4.1 of arXiv 2206.02680): at least the share `smallest` of the area, sides in a ratio
    from 3:4 to 4:3; where ten draws do not fit into the picture, a square of its shorter side.
    """
    width, height = image.size
    for _ in range(10):
        area = width * height * random.uniform(smallest, 1)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            break
    else:
        w = h = min(width, height)
    left, top = random.integers(0, width - w + 1), random.integers(0, height - h + 1)
    box = (left, top, left + w, top + h)
    image = image.resize((image_size, image_size), Image.Resampling.BICUBIC, box=box)
    return _to_tensor(image, channels)


def distort(images: Tensor, amounts: Tensor) -> Tensor:
    """Turn, scale and shift every picture a little, each by its own amount: `[B, C, H, W]` to the same.

    `amounts` is `[B, 5]` in [−1, 1]: up to 12° of turning, 10 % of scaling in each direction and 10 % of shifting.
    Used in notebook 07.
    """
    angle, scale_x, scale_y, shift_x, shift_y = amounts.unbind(dim=1)
    angle, scale_x, scale_y = 0.21 * angle, 1 + 0.1 * scale_x, 1 + 0.1 * scale_y
    aspect = images.shape[-2] / images.shape[-1]  # coordinates run from −1 to 1 along either side, whatever its length
    rows = (
        torch.stack([scale_x * angle.cos(), -scale_y * angle.sin() * aspect, 0.2 * shift_x], dim=-1),
        torch.stack([scale_x * angle.sin() / aspect, scale_y * angle.cos(), 0.2 * shift_y], dim=-1),
    )
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)  # [B, H, W, 2]
    return F.grid_sample(images, grid, align_corners=False)  # [B, C, H, W]


def mix(
    images: Tensor, targets: Tensor, mixup: float, cutmix: float, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Mix every picture `[B, C, H, W]` with its neighbour, and its target `[B, classes]` likewise. Used in notebook 07.

    MixUp takes `share` of one picture and `1 − share` of the other (Section 2 of arXiv 1710.09412); CutMix pastes a
    rectangle of the other (Eq. 1 of arXiv 1905.04899). `mixup` and `cutmix` are the parameters of the Beta distribution
    of the share, which is drawn once for the batch; 0 switches one off, and with both one of them is drawn. Neighbours
    are pictures 0 and 1, 2 and 3 …: in a random order as random as any pairing, whoever shares the batch.
    """
    if not mixup and not cutmix:
        return images, targets
    cutting = random.random() < 0.5 if mixup and cutmix else bool(cutmix)
    share = random.beta(*[cutmix if cutting else mixup] * 2)
    others = images.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)  # [B, C, H, W]
    if cutting:
        H, W = images.shape[-2:]
        height, width = round(H * (1 - share) ** 0.5), round(W * (1 - share) ** 0.5)
        top, left = random.integers(0, H - height + 1), random.integers(0, W - width + 1)
        images = images.clone()
        images[..., top : top + height, left : left + width] = others[..., top : top + height, left : left + width]
        share = 1 - height * width / (H * W)
    else:
        images = share * images + (1 - share) * others
    return images, share * targets + (1 - share) * targets.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def _to_tensor(image: Image.Image, channels: int) -> Tensor:
    """Return a picture in RGB as `[C, H, W]` with values in [0, 1]."""
    if channels == 1:
        return torch.from_numpy(np.array(image.convert("L")))[None].float() / 255  # [1, H, W]
    return torch.from_numpy(np.array(image)).movedim(-1, 0).float() / 255  # [3, H, W]
