"""Data sets as PyTorch knows them: `dataset[i]` is a picture and its class, and a plain `DataLoader` makes batches."""

import copy
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .._guard import FileError, printable
from .reading import open_image
from .transforms import Preparation, distort, random_crop

ENDINGS = {".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"}
# Folders that programs leave in data sets; hidden ones, with a dot in front, are left out as well.
LEFT_BEHIND = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "__pycache__"}
PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "evaluation"}


class Pictures(Dataset):
    """Pictures that fit into memory, `[n, C, H, W]`, with their classes `[n]`. Used in notebook 07.

    `distorted` says whether training turns, scales and shifts them a little (`distort`).
    """

    def __init__(self, images: Tensor, labels: Tensor, distorted: bool = True):
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"expected as many labels as pictures, and at least one: got {len(images)}, {len(labels)}")
        self.images, self.labels, self.distorted = images, labels, distorted
        what = fingerprint(tensor_bytes(images) + tensor_bytes(labels), distorted)
        self.name = f"{len(images)} pictures in memory ({what})"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.labels[index])

    def augmented(
        self, index: int, random: np.random.Generator, augmentation: str = "crop+mirror", smallest_crop: float = 0.08
    ) -> tuple[Tensor, int]:
        """Return the picture as training shows it; the same state of `random` distorts it in the same way.

        Of all choices of `augmentation`, only "none" means something here.
        """
        image, label = self[index]
        if self.distorted and augmentation != "none":
            amounts = torch.from_numpy(random.uniform(-1, 1, (1, 5))).to(image.dtype)
            image = distort(image[None], amounts)[0]
        return image, label


class PictureFolder(Dataset):
    """Pictures in class folders, read when they are asked for: `FOLDER/n01440764/ILSVRC2012_val_00000293.JPEG`.

    Files count as pictures by their endings; hidden files and folders, and what programs leave behind (`LEFT_BEHIND`),
    are no part of the data set. What was left out is named in `left_out`. Used in notebook 06.

    Parameters
    ----------
    folder : path
        Holds one folder for each class, and in those, at any depth, the pictures.
    classes : sequence of str or None
        The names of the class folders in the order of the logits (a *label map*); some may be missing. None takes the
        folders that are there, in alphabetical order.
    preparation : Preparation or None
        How the pictures are prepared; None is that of the ImageNet models.

    Raises
    ------
    FileError
        If there are no class folders or no pictures, if a class folder is missing from the label map, or if classes
        taken from the folders are empty, or are the parts of a data set (`train`, `val`) instead.
    """

    def __init__(
        self, folder: str | os.PathLike, classes: Sequence[str] | None = None, preparation: Preparation | None = None
    ):
        self.folder, self.preparation = Path(folder), preparation or Preparation()
        present, self.left_out = _class_folders(self.folder)
        self.classes = list(present if classes is None else classes)
        unknown = [name for name in present if name not in set(self.classes)]
        if unknown:
            raise FileError(
                f"{len(unknown)} of {len(present)} class folders are not in the label map, first {unknown[0]!r}: "
                + (f"its first name is {self.classes[0]!r}" if self.classes else "it is empty")
                + ". A label map says which folder is which class: on the command line, --labels FILE"
            )
        number = {name: index for index, name in enumerate(self.classes)}
        self.pictures: list[tuple[str, int]] = []
        for name in present:
            found, others = _pictures_below(self.folder / name)
            self.pictures += [(f"{name}/{path}", number[name]) for path in found]
            self.left_out += [f"{name}/{path}" for path in others]
        if classes is None:
            self._check_classes()
        if not self.pictures:
            raise FileError(f"the class folders of {self._name} hold no pictures{self._left_out()}")

    @property
    def name(self) -> str:
        """What tells this data set from another: how many pictures, and a hash of their names and classes."""
        what = fingerprint(json.dumps([self.pictures, self.classes, asdict(self.preparation)]).encode())
        return f"{len(self.pictures)} pictures in {len(set(self.labels))} class folders ({what})"

    @property
    def labels(self) -> list[int]:
        """The class of every picture."""
        return [label for _, label in self.pictures]

    def subset(self, indices: Sequence[int]) -> "PictureFolder":
        """Return the same folder with some of its pictures, of the same classes."""
        part = copy.copy(self)
        part.pictures = [self.pictures[index] for index in indices]
        return part

    @property
    def _name(self) -> str:
        return printable(self.folder)

    def _left_out(self) -> str:
        return f" ({len(self.left_out)} left out, such as {self.left_out[0]!r})" if self.left_out else ""

    def _check_classes(self) -> None:
        """Raise unless the folders look like classes, and each has pictures."""
        parts = [name for name in self.classes if name.lower() in PARTS]
        if parts and len(parts) == len(self.classes) and all(path.count("/") > 1 for path, _ in self.pictures):
            raise FileError(
                f"{self._name} holds {' and '.join(parts)}, the parts of a data set and not its classes: "
                f"name {printable(self.folder / parts[0])} instead"
            )
        empty = sorted(set(self.classes) - {path.partition("/")[0] for path, _ in self.pictures})
        if empty and self.pictures:
            raise FileError(
                f"the class folder {empty[0]!r} of {self._name} holds no pictures{self._left_out()}: "
                "fill it or take it away"
            )

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        name, label = self.pictures[index]
        return self.preparation(open_image(self.folder / name))[0], label

    def augmented(
        self, index: int, random: np.random.Generator, augmentation: str = "crop+mirror", smallest_crop: float = 0.08
    ) -> tuple[Tensor, int]:
        """Return the picture as training shows it: a random part of it (`random_crop`), mirrored half of the time."""
        if "crop" in augmentation:
            name, label = self.pictures[index]
            picture, wanted = open_image(self.folder / name), self.preparation
            image = random_crop(picture, wanted.image_size, wanted.channels, random, smallest_crop)
        else:
            image, label = self[index]
        if "mirror" in augmentation and random.random() < 0.5:
            image = image.flip(-1)
        return image, label


class Readable(Dataset):
    """A data set that does not raise: an unreadable picture is the reason why, in place of the picture."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[int, Tensor | str]:
        try:
            return index, self.dataset[index][0]
        except (FileError, OSError) as error:
            return index, printable(error)


def fingerprint(content: bytes, *more: object) -> str:
    """Return a short hash that tells one data set, or one set of weights, from another."""
    return hashlib.sha256(content + repr(more).encode()).hexdigest()[:12]


def tensor_bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor of any type."""
    return tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()


def _class_folders(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the class folders in alphabetical order, and those of everything else."""
    if not folder.is_dir():
        raise FileError(f"there is no folder {printable(folder)}")
    names, others = [], []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        (names if entry.is_dir() and not _is_hidden(entry.name) else others).append(entry.name)
    if not names:
        what = "only files" if others else "nothing"
        place = printable(folder)
        raise FileError(f"{place} holds {what}, but one folder for each class is expected: {place}/CLASS/PICTURE")
    return names, others


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def _pictures_below(folder: Path) -> tuple[list[str], list[str]]:
    """Return the paths of the pictures below a folder, and those of what is left out."""

    def unreadable(error: OSError) -> None:
        raise FileError(f"the folder {printable(error.filename)} cannot be read ({error.strerror})") from error

    found, others, visited = [], [], {str(above) for above in Path(os.path.realpath(folder)).parents}
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        if (real := os.path.realpath(place)) in visited:  # a link that leads back, or above the class folder
            folders.clear()
            continue
        visited.add(real)
        below = Path(place).relative_to(folder)
        others += [(below / name).as_posix() for name in sorted(folders) if _is_hidden(name)]
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(names):
            is_picture = Path(name).suffix.lower() in ENDINGS and not _is_hidden(name)
            (found if is_picture else others).append((below / name).as_posix())
    return found, others
