"""What an attempt returned, whatever holds it: numbers are numbers in a list, an array or a tensor."""

import contextlib
import copy
import numbers

import numpy as np
import torch
from torch import Tensor


class Remark(Exception):
    """An attempt that cannot be compared; the message is the remark that its author gets."""


def plain(value):
    """Return numbers, and lists of them, as one float64 tensor; a list of unlike things as a tuple of them."""
    if isinstance(value, Tensor):
        return value.detach().cpu().resolve_conj().to(torch.float64) if not value.is_complex() else value
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf":
        return torch.tensor(np.asarray(value, dtype=np.float64))
    if isinstance(value, numbers.Real):
        return torch.tensor(float(value), dtype=torch.float64)
    if isinstance(value, (list, tuple, range)) or (isinstance(value, np.ndarray) and value.dtype == object):
        parts = tuple(plain(part) for part in value)
        if parts and all(isinstance(part, Tensor) for part in parts):
            if all(part.numel() == 1 for part in parts):
                return torch.stack([part.reshape(()) for part in parts])
            if len({part.shape for part in parts}) == 1:
                return torch.stack(parts)
        return parts
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


def tolerance_for(wanted) -> tuple[float, float]:
    """Return the relative and the absolute error to forgive: rounding of tensors, less of floats, none of integers."""
    if isinstance(wanted, Tensor) and wanted.is_floating_point():
        return 1e-4, 1e-5
    if isinstance(wanted, (list, tuple)) and wanted:
        return max(map(tolerance_for, wanted))
    return (1e-14, 1e-6) if isinstance(wanted, numbers.Integral) else (1e-6, 1e-8)


def in_shape(value, wanted):
    """Return a single number, which may have any number of axes, with those that are wanted."""
    single = isinstance(value, Tensor) and isinstance(wanted, Tensor) and value.numel() == 1 and wanted.ndim == 0
    return value.reshape(()) if single else value


def same(one, other, tolerance: tuple[float, float]) -> bool:
    """Say whether two plain values agree; exceptions need their type and words."""
    if isinstance(one, Exception) or isinstance(other, Exception):
        return type(one) is type(other) and str(one) == str(other)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and bool(torch.isclose(one, other, *tolerance, equal_nan=True).all())
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and not isinstance(one, dict) and one == other


def difference(got, wanted, tolerance: tuple[float, float]) -> str:
    """Say in a sentence how a plain value differs from the wanted one."""
    if isinstance(got, Remark):
        return str(got)
    if isinstance(got, BaseException):
        return f"it raised {type(got).__name__}: {str(got).partition(chr(10))[0] or 'without a message'}"
    if isinstance(got, str) and isinstance(wanted, str):
        return of_one_text(got, wanted) if "." in wanted else f"it returned {got!r}, but {wanted!r} is wanted"
    if isinstance(got, tuple) and isinstance(wanted, tuple):
        if len(got) != len(wanted):
            return f"it returned {len(got)} {'thing' if len(got) == 1 else 'things'}, but {len(wanted)} are wanted"
        place = next(i for i, pair in enumerate(zip(got, wanted, strict=True)) if not same(*pair, tolerance))
        return f"number {place + 1} is wrong: {difference(got[place], wanted[place], tolerance)}"
    if (
        isinstance(got, Tensor)
        and isinstance(wanted, Tensor)
        and got.ndim == wanted.ndim == 1
        and len(got) != len(wanted)
    ):
        return (
            f"there {'is' if len(got) == 1 else 'are'} {len(got)} of {len(wanted)} numbers: it returned {written(got)}"
        )
    if not (isinstance(got, Tensor) and isinstance(wanted, Tensor)):
        return f"it returned {kind_of(got)}, but {kind_of(wanted)} is wanted"
    if got.isnan().any() and not wanted.isnan().any():
        return "the result holds NaN"
    if got.isinf().any() and not wanted.isinf().any():
        return "the result holds infinite numbers"
    if wanted.ndim < 2 and max(got.numel(), wanted.numel()) <= 8:
        return f"it returned {written(got)}, but {written(wanted)} is wanted"
    if got.shape != wanted.shape:
        return f"the result has shape {list(got.shape)}, but {list(wanted.shape)} is wanted"
    return f"the shape is right, but numbers are off by up to {(got - wanted).abs().max().item():.2g}"


def is_truth(value) -> bool:
    """Say whether a result is a truth value, in whatever dress."""
    if isinstance(value, Tensor):
        return value.dtype == torch.bool and value.numel() == 1
    return isinstance(value, (bool, np.bool_)) or (
        isinstance(value, np.ndarray) and value.dtype == bool and value.size == 1
    )


def of_truths(outcomes: list, wanted: list, words: list[str]) -> str:
    """Say which truth values are wrong, each case by its words: no arithmetic helps there."""
    for got in outcomes:
        if isinstance(got, BaseException):
            where = words[outcomes.index(got)]
            return (
                f"for {where} it raised {type(got).__name__}: {str(got).partition(chr(10))[0] or 'without a message'}"
            )
        if isinstance(got, str):
            return f"it returned the text {got!r}; return the truth value, without quotes"
        if not is_truth(got) and not (isinstance(plain(got), Tensor) and plain(got).numel() == 1):
            return f"it returned {kind_of(plain(got))}, but a single truth value, True or False, is wanted"
    wrong = [
        (bool(got), word) for got, want, word in zip(outcomes, wanted, words, strict=True) if bool(got) != bool(want)
    ]
    taken = [" and ".join(word for got, word in wrong if got is kind) for kind in (True, False)]
    parts = [f"it returns {kind} for {which}" for kind, which in zip((True, False), taken, strict=True) if which]
    return f"right for {len(outcomes) - len(wrong)} of {len(outcomes)}; but {', and '.join(parts)}"


def together(outcomes: list, wanted: list, alike) -> str:
    """Say along which axis the tensors of a list belong together, if that is all that is missing."""
    if not all(isinstance(got, (list, tuple)) and got for got in outcomes):
        return ""
    if not all(isinstance(part, Tensor) and part.ndim for got in outcomes for part in got):
        return ""
    if not all(isinstance(want, Tensor) for want in wanted):
        return ""
    for put in (torch.stack, torch.cat):
        for axis in range(max(want.ndim for want in wanted)):
            with contextlib.suppress(RuntimeError, IndexError, TypeError):
                if all(alike(plain(put(list(got), axis)), want) for got, want in zip(outcomes, wanted, strict=True)):
                    return f"this is a list of tensors: put them together, with torch.{put.__name__} along axis {axis}"
    return ""


def of_texts(pairs: list) -> str:
    """Say what is wrong with texts that differ only on their surface, or in one part between points."""
    if all(got.lower() == wanted.lower() for got, wanted in pairs):
        return f"capital and small letters are mixed up: {pairs[0][1]!r} is wanted, for instance"
    if all(got.strip(" .\n") == wanted for got, wanted in pairs):
        return "there are spaces or points too many around the text"
    if all(wanted.endswith(got) and got for got, wanted in pairs):
        return f"the beginning of the text is lost: {pairs[0][0]!r} was returned, but {pairs[0][1]!r} is wanted"
    if all(wanted.startswith(got) and got for got, wanted in pairs):
        return f"the end of the text is lost: {pairs[0][0]!r} was returned, but {pairs[0][1]!r} is wanted"
    return ""


def of_one_text(got: str, wanted: str) -> str:
    """Say where one text between points differs from another."""
    ours, theirs = got.split("."), wanted.split(".")
    there = f" ({got!r} was returned, but {wanted!r} is wanted)"
    if len(ours) == len(theirs):
        wrong = [i for i, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]]
        which = [f"part {i + 1} is {ours[i]!r} and must be {theirs[i]!r}" for i in wrong]
        return "between the points, " + " and ".join(which) + there
    lost, more = [p for p in theirs if p not in ours], [p for p in ours if p not in theirs]
    lost = lost or [p for p in dict.fromkeys(theirs) if ours.count(p) < theirs.count(p)]
    words = [f"{p!r} is missing" for p in lost] + [f"{p!r} does not belong there" for p in more]
    return ("between the points, " + " and ".join(words) if words else "its parts are in another order") + there


def kind_of(value) -> str:
    """Name the kind of a plain value."""
    if isinstance(value, Tensor):
        return "a number" if value.ndim == 0 else "a list of numbers" if value.ndim == 1 else "a tensor"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return {tuple: "a list of several things", dict: "a dictionary"}.get(type(value), f"a {type(value).__name__}")


def written(value: Tensor) -> str:
    """Write one number, or a short list of them, without superfluous zeros."""
    if value.ndim:
        return f"[{', '.join(written(part) for part in value.flatten())}]"
    number = value.item()
    return str(int(number)) if number == number // 1 and abs(number) < 1e18 else f"{number:.6g}"


def copied(value):
    """Return a copy of an argument, so that an attempt which works in place spoils no later call."""
    return value.clone() if isinstance(value, Tensor) else copy.deepcopy(value)


def random(*shape: int) -> Tensor:
    """Return normally distributed numbers, the same for the same shape every time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def softmax(scores: Tensor, dim: int = -1) -> Tensor:
    """Return the softmax over an axis, by default the last."""
    return scores.softmax(dim=dim)


def choice(scores: Tensor) -> Tensor:
    """Return 1 for the largest score of each row and 0 for the others: what a softmax is not."""
    return torch.nn.functional.one_hot(scores.argmax(dim=-1), scores.shape[-1]).float()
