"""Data sets: handwritten digits that need no network, and folders of pictures of any size."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from .images import ImageError, check_sizes, open_image, preprocess, random_crop

DIGIT_SIZE = 64
_HELD_OUT = 382  # the digits of the last three of the data set's writers


class DataError(ValueError):
    """A folder does not hold a data set, or not the one that its label map describes."""


def load_digits(split: str) -> tuple[Tensor, Tensor]:
    """Return scikit-learn's handwritten digits as grey pictures, with their labels.

    The 1,797 digits, 8×8 pixels each, stand writer by writer. The last three writers are held out, so that a model is
    tested on hands it never saw: harder, and more honest, than a random split.

    Parameters
    ----------
    split : {"train", "test"}
        The first 1,415 pictures or the last 382.

    Returns
    -------
    images : Tensor
        `[n, 1, 64, 64]`, bright strokes on black, values in [0, 1], enlarged bilinearly from 8×8.
    labels : Tensor
        `[n]`, whole numbers 0 … 9.

    Notes
    -----
    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
    CC BY 4.0. The data set does not name its writers; that their digits stand together, and where one begins, is from
    INRIA's scikit-learn course ("Non i.i.d. data"). Built in notebook 07.
    """
    if split not in ("train", "test"):
        raise ValueError(f"there is no split {split!r}: choose 'train' or 'test'")
    # Imported here so that `import mvit2_lib` stays light.
    from sklearn import datasets

    digits = datasets.load_digits()
    part = slice(None, -_HELD_OUT) if split == "train" else slice(-_HELD_OUT, None)
    small = torch.from_numpy(digits.images[part]).float()[:, None] / 16  # [n, 1, 8, 8]
    images = F.interpolate(small, (DIGIT_SIZE, DIGIT_SIZE), mode="bilinear", align_corners=False)  # [n, 1, 64, 64]
    return images, torch.from_numpy(digits.target[part])


def digit_picture(index: int) -> Image.Image:
    """Return a held-out digit as the data set stores it: a grey picture of 8×8 pixels. Built in notebook 06."""
    from sklearn import datasets

    scan = datasets.load_digits().images[-_HELD_OUT:][index]  # [8, 8], whole numbers 0 … 16
    return Image.fromarray(np.round(scan * 255 / 16).astype(np.uint8))


class Pictures(Dataset):
    """Pictures that fit into memory. A batch is asked for by (index, seed) pairs; a seed distorts its picture.

    Parameters
    ----------
    images, labels : Tensor
        All pictures `[n, C, H, W]` and their classes `[n]`.
    distorted : bool
        Whether a seed turns, scales and shifts its picture (see `distort`).

    Notes
    -----
    Built in notebook 07.
    """

    def __init__(self, images: Tensor, labels: Tensor, distorted: bool = True):
        if len(images) != len(labels) or not len(images):
            raise DataError(f"expected as many labels as pictures, and at least one: got {len(images)}, {len(labels)}")
        self.images, self.labels, self.distorted = images, labels, distorted
        what = fingerprint(tensor_bytes(images) + tensor_bytes(labels), distorted)
        self.name = f"{len(images)} pictures in memory ({what})"

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, keys: Sequence[tuple[int, int | None]]) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures `[B, C, H, W]` and their classes `[B]`."""
        indices, seeds = zip(*keys, strict=True)
        images = self.images[list(indices)]  # [B, C, H, W]
        if self.distorted and None not in seeds:
            amounts = [np.random.default_rng(seed).uniform(-1, 1, 5) for seed in seeds]
            images = distort(images, torch.tensor(np.stack(amounts), dtype=images.dtype))
        return images, self.labels[list(indices)]


class PictureFolder(Dataset):
    """Pictures in class folders, read when they are asked for: `FOLDER/n01440764/ILSVRC2012_val_00000293.JPEG`.

    A batch is asked for by (index, seed) pairs. A seed cuts a random part out of its picture; without one the picture
    is resized and its middle is cut out, as in an evaluation.

    Parameters
    ----------
    folder : path
        Holds one folder for each class, and in those, at any depth, the pictures.
    classes : sequence of str or None
        The names of the class folders in the order of the logits (a *label map*). None takes the folders that are
        there, in alphabetical order.
    image_size, crop_fraction, channels, interpolation
        As for `preprocess`.

    Raises
    ------
    DataError
        If the folder does not exist, holds no class folders or no files, or if one of its class folders is missing from
        the label map.

    Notes
    -----
    Built in notebook 06.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        classes: Sequence[str] | None = None,
        image_size: int = 256,
        crop_fraction: float = 0.888,
        channels: int = 3,
        interpolation: str = "bicubic",
    ):
        self.folder = Path(folder)
        self.sizes = {"image_size": image_size, "crop_fraction": crop_fraction, "channels": channels}
        self.sizes["interpolation"] = interpolation
        present = class_folders(self.folder)
        self.classes = list(classes) if classes is not None else present
        unknown = [name for name in present if name not in set(self.classes)]
        if unknown:
            raise DataError(
                f"{len(unknown)} of {len(present)} class folders are not in the label map, first {unknown[0]!r}: its "
                f"first name is {self.classes[0]!r}"
                if self.classes
                else "the label map is empty"
            )
        number = {name: index for index, name in enumerate(self.classes)}
        self.pictures = [
            (f"{name}/{path}", number[name]) for name in present for path in _files_below(self.folder / name)
        ]
        if not self.pictures:
            raise DataError(f"the class folders of {self.folder} hold no files: expected {self.folder}/CLASS/PICTURE")
        check_sizes(image_size, crop_fraction, channels, interpolation)
        what = fingerprint(json.dumps([self.pictures, self.classes, self.sizes]).encode())
        self.name = f"{len(self.pictures)} pictures in {len(present)} class folders ({what})"

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, index: int, seed: int | None = None) -> Tensor:
        """Return one picture `[C, H, W]`; raise an ImageError or OSError if it cannot be read."""
        image = open_image(self.folder / self.pictures[index][0])
        if seed is None:
            return preprocess(image, **self.sizes)[0]
        return random_crop(image, self.sizes["image_size"], self.sizes["channels"], np.random.default_rng(seed))

    def __getitems__(self, keys: Sequence[tuple[int, int | None]]) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures `[B, C, H, W]` and their classes `[B]`."""
        images = []
        for index, seed in keys:
            try:
                images.append(self.read(index, seed))
            except (ImageError, OSError) as error:
                raise DataError(
                    f"{error}: repair or replace this file. Without it, the data set would be another one"
                ) from error
        return torch.stack(images), torch.tensor([self.pictures[index][1] for index, _ in keys])


def class_folders(folder: str | os.PathLike) -> list[str]:
    """Return the names of the class folders of a data set, in alphabetical order. Built in notebook 06."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        what = "only files" if any(folder.iterdir()) else "nothing"
        raise DataError(f"{folder} holds {what}, but one folder for each class is expected: {folder}/CLASS/PICTURE")
    return names


def distort(images: Tensor, amounts: Tensor) -> Tensor:
    """Turn, scale and shift every picture a little, each by its own amount. `[B, C, H, W]` to the same.

    `amounts` is `[B, 5]` in [−1, 1]: up to 12° of turning, 10 % of scaling in each direction and 10 % of shifting.
    Built in notebook 07.
    """
    angle, scale_x, scale_y, shift_x, shift_y = amounts.unbind(dim=1)
    angle, scale_x, scale_y = 0.21 * angle, 1 + 0.1 * scale_x, 1 + 0.1 * scale_y
    rows = (
        torch.stack([scale_x * angle.cos(), -scale_y * angle.sin(), 0.2 * shift_x], dim=-1),
        torch.stack([scale_x * angle.sin(), scale_y * angle.cos(), 0.2 * shift_y], dim=-1),
    )
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)  # [B, H, W, 2]
    return F.grid_sample(images, grid, align_corners=False)  # [B, C, H, W]


def fingerprint(content: bytes, *more: object) -> str:
    """Return a short hash that tells one data set from another. Built in notebook 07."""
    return hashlib.sha256(content + repr(more).encode()).hexdigest()[:12]


def tensor_bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor of any type. Built in notebook 07."""
    return tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()


def _files_below(folder: Path) -> list[str]:
    def unreadable(error: OSError) -> None:
        raise DataError(f"the folder {error.filename} cannot be read ({error.strerror})") from error

    found, visited = [], set()
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        if (real := os.path.realpath(place)) in visited:  # a link that leads back
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(folder)
        found += [(below / name).as_posix() for name in sorted(names) if not name.startswith(".")]
    return found
