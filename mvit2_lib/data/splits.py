"""A folder in two parts, and the question whether two parts share a picture."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path

from .._guard import FileError, printable
from .datasets import PictureFolder

Look = tuple[int, str] | None


def split_folder(pictures: PictureFolder, share: float = 0.2, seed: int = 0) -> tuple[PictureFolder, PictureFolder]:
    """Return the pictures in two parts, for training and for validation. Used in notebook 08.

    From every class, about this share goes to validation, at least one picture. Which ones is a function of the seed
    and of the files' names: adding a picture moves few others. Files with the same content stay together. Pictures that
    only resemble each other, such as frames of one film, do not: those have to be in folders of their own.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1.
    FileError
        If a class has no two different pictures, or a picture is in two classes.
    """
    if isinstance(share, (bool, str)) or not 0 < share < 1:
        raise ValueError(f"the share of validation must be between 0 and 1, not {share!r}")
    paths = [pictures.folder / name for name, _ in pictures.pictures]
    looks = list(map(_look, paths))
    several = {look for look, number in Counter(looks).items() if number > 1}
    copies = defaultdict(list)  # content -> the pictures with it
    for index, content in enumerate(_contents(paths, looks, several)):
        copies[content or index].append(index)
    groups = defaultdict(list)  # class -> the groups of equal pictures
    for group in copies.values():
        names, labels = zip(*(pictures.pictures[index] for index in group), strict=True)
        if len(set(labels)) > 1:
            other = next(name for name, label in zip(names, labels, strict=True) if label != labels[0])
            raise FileError(f"{printable(names[0])} and {printable(other)} are the same picture in two classes")
        groups[pictures.pictures[group[0]][1]].append(group)
    validation = []
    for label in sorted(groups):
        if len(groups[label]) < 2:
            raise FileError(
                f"the class {pictures.classes[label]!r} has no two different pictures, and a split needs one for each "
                "part: add pictures, or name a folder for validation"
            )
        drawn = sorted(groups[label], key=lambda group: _draw(seed, pictures.pictures[group[0]][0]))
        for group in drawn[: min(max(1, round(share * len(drawn))), len(drawn) - 1)]:
            validation += group
    training = sorted(set(range(len(paths))) - set(validation))
    return pictures.subset(training), pictures.subset(sorted(validation))


def shared_pictures(training: PictureFolder, validation: PictureFolder) -> list[tuple[str, str]]:
    """Return the pairs of files, one of either folder, that have the same content."""
    ours, theirs = ([part.folder / name for name, _ in part.pictures] for part in (training, validation))
    our_looks, their_looks = (list(map(_look, paths)) for paths in (ours, theirs))
    contents = _contents(ours, our_looks, set(their_looks))
    first = {content: path for path, content in zip(ours[::-1], contents[::-1], strict=True) if content}
    contents = _contents(theirs, their_looks, set(our_looks))
    return [
        (str(first[content]), str(path)) for path, content in zip(theirs, contents, strict=True) if content in first
    ]


def check_apart(training: PictureFolder, validation: PictureFolder) -> None:
    """Raise a `FileError` if a validation picture is also one of training, or a class has no validation picture."""
    missing = sorted(set(training.labels) - set(validation.labels))
    if missing:
        name, place = training.classes[missing[0]], printable(validation.folder)
        more = f" and {len(missing) - 1} more classes" if len(missing) > 1 else ""
        raise FileError(f"{place} has no pictures of the class {name!r}{more}: its accuracy would say nothing of them")
    shared = shared_pictures(training, validation)
    if shared:
        one, other = map(printable, shared[0])
        more = f"{len(shared)} validation pictures are also in training, first " if len(shared) > 1 else ""
        raise FileError(
            f"{more}{other} has the content of {one}: the accuracy would be too good. Take one of them away"
        )


def _draw(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()


def _contents(paths: list[Path], looks: list[Look], of: Collection[Look]) -> list[str | None]:
    """Return a hash of each file's content, or None where its look is not among those of the others.

    Reading all of ImageNet takes long, so a file is read whole only if another one has its size and its beginning.
    """
    return [
        hashlib.sha256(path.read_bytes()).hexdigest() if look and look in of else None
        for path, look in zip(paths, looks, strict=True)
    ]


def _look(path: Path) -> Look:
    """Return the size of a file and a hash of its first bytes; None for one that cannot be read."""
    try:
        if not path.is_file():  # reading a pipe could wait for ever
            return None
        with path.open("rb") as file:
            return os.path.getsize(path), hashlib.sha256(file.read(4096)).hexdigest()
    except OSError:
        return None
