"""Trained weights, with what belongs to them: how they want their pictures, and what their classes are called."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from .._guard import FileError, whole_number
from ..data.samples import imagenet_classes, imagenet_synsets
from ..data.transforms import Preparation
from ..model import MobileViTv2
from .checkpoints import load_model
from .hub import fetch
from .reading import check_hash, checkpoint_notes, hash_of

WIDTHS = {"050": 0.5, "075": 0.75, "100": 1.0, "125": 1.25, "150": 1.5, "175": 1.75, "200": 2.0}
DIGITS = {"width_multiplier": 0.25, "num_classes": 10, "in_channels": 1}
DIGITS_PREPARATION = Preparation(64, 1.0, 1, "bilinear")
DIGITS_LICENSE = (
    "MIT, as the code of the MobileViTv2 course. Trained on digits by E. Alpaydin and C. Kaynak, UCI Machine Learning "
    "Repository, CC BY 4.0"
)
APPLE_LICENSE = (
    "Copyright (C) Apple Inc. The weights are under the licence of ml-cvnets, which must be kept with them: "
    "https://github.com/apple/ml-cvnets/blob/main/LICENSE"
)
DIGITS_FILE = Path(__file__).parents[1] / "assets" / "digits.safetensors"


@dataclass(frozen=True)
class Pretrained:
    """A trained model, in evaluation mode, with what belongs to its weights. Used in notebook 00.

    Attributes
    ----------
    name : str
        What the weights are called.
    model : MobileViTv2
        The model with its weights.
    preparation : Preparation
        Called with a picture, it returns the batch of one that the model expects.
    classes : tuple of str
        The names of the classes in the order of the logits.
    folders : tuple of str
        The names that folders of pictures of these classes have; for ImageNet they are WordNet ids.
    notes : dict
        What else the file of weights says.
    license : str
        Under which licence the weights are, as far as it is known.
    sha256 : str
        The SHA-256 of the file.
    new_head : bool
        Whether the classifier is new and has learned nothing yet.
    """

    name: str
    model: MobileViTv2
    preparation: Preparation
    classes: tuple[str, ...]
    folders: tuple[str, ...]
    notes: dict = field(default_factory=dict, repr=False)
    license: str = field(default="", repr=False)
    sha256: str = field(default="", repr=False)
    new_head: bool = False

    def notes_for(self, classes: Sequence[str]) -> dict[str, object]:
        """Return what a file of weights that began with these must say, so that it can be used with nothing else.

        That is for `train(…, notes=…)`: the preparation, the new classes, and where the weights came from.
        """
        parent = {"name": self.name, "sha256": self.sha256, "license": self.license}
        return asdict(self.preparation) | {"classes": list(classes), "parent": parent, "license": self.license}


def load_pretrained(
    source: str | os.PathLike, download: bool = True, sha256: str | None = None, num_classes: int | None = None
) -> Pretrained:
    """Return a trained model with its preparation and its classes. Used in notebook 00.

    Parameters
    ----------
    source : str or path
        `"digits"`: the small model that comes with this library (grey 64×64 pictures of handwritten digits). Or one of
        timm's names for Apple's ImageNet weights: `"mobilevitv2_050"` … `"mobilevitv2_200"`, optionally with a tag such
        as `".cvnets_in1k"` (the default) or, for 150, 175 and 200, `".cvnets_in22k_ft_in1k"` and
        `".cvnets_in22k_ft_in1k_384"`; they are fetched once from the Hugging Face hub (5 to 74 MB), checked against the
        SHA-256 published there, and kept in its cache. Or a file of weights.
    download : bool
        Whether to fetch weights that are not in the cache.
    sha256 : str or None
        What the SHA-256 of a file must be.
    num_classes : int or None
        For other classes than those of the weights: everything is loaded but the classifier, and that is new, drawn at
        random. The classes are then called "class 0", "class 1", …, and `new_head` is True. If the weights have this
        number of classes, they keep their classifier, as in timm.

    Raises
    ------
    ValueError
        If there is neither a file nor are there weights of that name.
    FileError
        If the file cannot be used; see `load_model`.
    RetryError
        If the hub cannot be reached, may not be asked, or does not deliver the file whole and unaltered.
    """
    if num_classes is not None:
        number = whole_number("num_classes", num_classes)
        weights = load_pretrained(source, download, sha256)
        return weights if number == weights.model.config["num_classes"] else with_new_head(weights, number)
    name = os.fspath(source)
    if os.path.lexists(name) or os.sep in name or Path(name).suffix in {".safetensors", ".pt", ".pth", ".bin", ".ckpt"}:
        return _from_file(name, sha256)
    if sha256 is not None:
        raise ValueError("sha256 is for files; what comes from the hub is compared with the hash it publishes")
    if name == "digits":
        return replace(_from_file(DIGITS_FILE, name=name), license=DIGITS_LICENSE)
    model_name, _, tag = name.partition(".")
    width = WIDTHS.get(model_name.removeprefix("mobilevitv2_"))
    if width is None or not model_name.startswith("mobilevitv2_"):
        known = ", ".join(f"mobilevitv2_{code}" for code in WIDTHS)
        raise ValueError(
            f"there is no file {name!r}, and there are no weights of that name: choose digits or one of {known}"
        )
    path = fetch(f"timm/{model_name}.{tag or 'cvnets_in1k'}", "model.safetensors", download)
    model = load_model(path)
    if model.config["width_multiplier"] != width:
        raise FileError(f"the weights behind {name} have width {model.config['width_multiplier']}, not {width}")
    preparation = Preparation(384, 1.0) if name.endswith("_384") else Preparation()
    return Pretrained(
        *(name, model, preparation, imagenet_classes(), imagenet_synsets()),
        license=APPLE_LICENSE,
        sha256=hash_of(path),
    )


def with_new_head(weights: Pretrained, num_classes: int) -> Pretrained:
    """Return the same weights with a new classifier, drawn at random; the model that was given is the one changed."""
    weights.model.reset_classifier(num_classes)
    classes = tuple(f"class {number}" for number in range(num_classes))
    return replace(weights, classes=classes, folders=classes, notes={}, new_head=True)


def _from_file(path: str | os.PathLike, sha256: str | None = None, name: str = "") -> Pretrained:
    if sha256 is not None:
        check_hash(path, sha256)
    model, notes = load_model(path), checkpoint_notes(path)
    classes = _noted_classes(notes, model.config["num_classes"])
    folders = classes
    if not classes and model.config["num_classes"] == len(imagenet_classes()):
        classes, folders = imagenet_classes(), imagenet_synsets()
    elif not classes:
        classes = tuple(f"class {number}" for number in range(model.config["num_classes"]))
    preparation = _noted_preparation(notes, model.config["in_channels"])
    noted = notes.get("license")
    license = noted if isinstance(noted, str) else f"that of {Path(path).name}, which does not say"
    return Pretrained(name or Path(path).name, model, preparation, classes, folders, notes, license, hash_of(path))


def _noted_classes(notes: Mapping, number: int) -> tuple[str, ...]:
    """Return the names of the classes that a file notes, if there are as many as the model has."""
    names = notes.get("classes")
    if isinstance(names, list) and len(names) == number and all(isinstance(name, str) for name in names):
        return tuple(names)
    return ()


def _noted_preparation(notes: Mapping, channels: int) -> Preparation:
    """Return how a file says that its pictures are prepared; what makes no sense is ignored."""
    usual = asdict(DIGITS_PREPARATION if channels == 1 else Preparation())
    try:
        return Preparation(**{key: notes.get(key, value) for key, value in usual.items()} | {"channels": channels})
    except (TypeError, ValueError):
        return Preparation(**usual)
