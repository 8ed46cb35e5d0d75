"""Pictures that come with the course's packages, and the names of ImageNet's classes."""

import functools
from importlib.resources import files

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

DIGIT_SIZE = 64
SAMPLES = ("chelsea", "coffee", "rocket", "brick", "grass", "gravel")
_HELD_OUT = 382  # the digits of the last three of the data set's writers
_ASSETS = files("mvit2_lib") / "assets"


def load_digits(split: str) -> tuple[Tensor, Tensor]:
    """Return scikit-learn's handwritten digits and their labels: `[n, 1, 64, 64]` in [0, 1], and `[n]`.

    Bright strokes on black, enlarged bilinearly from 8×8. The 1,797 digits stand writer by writer; "test" is the last
    382 of them, those of the last three writers, so that a model is tested on hands it never saw. "train" is the rest.
    Used in notebook 00.

    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
    CC BY 4.0. The data set does not name its writers; that their digits stand together, and where one begins, is from
    INRIA's scikit-learn course ("Non i.i.d. data").
    """
    if split not in ("train", "test"):
        raise ValueError(f"there is no split {split!r}: choose 'train' or 'test'")
    digits = _scans()
    part = slice(None, -_HELD_OUT) if split == "train" else slice(-_HELD_OUT, None)
    small = torch.from_numpy(digits.images[part]).float()[:, None] / 16  # [n, 1, 8, 8]
    images = F.interpolate(small, (DIGIT_SIZE, DIGIT_SIZE), mode="bilinear", align_corners=False)  # [n, 1, 64, 64]
    return images, torch.from_numpy(digits.target[part])


def digit_picture(index: int) -> Image.Image:
    """Return a held-out digit as the data set stores it: a grey picture of 8×8 pixels. Used in notebook 06."""
    scan = _scans().images[-_HELD_OUT:][index]  # [8, 8], whole numbers 0 … 16
    return Image.fromarray(np.round(scan * 255 / 16).astype(np.uint8))


def sample_picture(name: str = "chelsea") -> Image.Image:
    """Return a photograph that comes with scikit-image. Used in notebook 00.

    In colour: "chelsea", a cat (photograph by Stéfan van der Walt), "coffee", a cup (Rachel Michetti), and "rocket", a
    launch (SpaceX). In grey, 512×512: "brick" and "gravel" (CC0Textures) and "grass" (linolafett). All are in the
    public domain (CC0).
    """
    if name not in SAMPLES:
        raise ValueError(f"there is no sample picture {name!r}: choose one of {', '.join(map(repr, SAMPLES))}")
    from skimage import data  # here, because the library works without it

    return Image.fromarray(getattr(data, name)())


@functools.cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the names of the 1,000 ImageNet-1k classes in the order of the logits. Used in notebook 00.

    WordNet 3.0 lemmas of the 1,000 synsets of ILSVRC 2012, arXiv 1409.0575.
    """
    return tuple((_ASSETS / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines())


@functools.cache
def imagenet_synsets() -> tuple[str, ...]:
    """Return the names of ImageNet's class folders, such as `n01440764`, in the order of the logits."""
    return tuple((_ASSETS / "imagenet_synsets.txt").read_text(encoding="utf-8").splitlines())


def _scans():
    from sklearn import datasets  # here, because the library works without it

    return datasets.load_digits()
