"""Data sets that need no network."""

import torch
from torch import Tensor
from torch.nn import functional as F

DIGIT_SIZE = 64
_HELD_OUT = 382  # the digits of the last three of the data set's writers


def load_digits(split: str) -> tuple[Tensor, Tensor]:
    """Return scikit-learn's handwritten digits as grey pictures, with their labels.

    The 1,797 scans of 8×8 pixels stand writer by writer. The last three writers are held out, so that a model is tested
    on hands it never saw: harder, and more honest, than a random split.

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
