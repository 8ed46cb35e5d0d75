"""Kinds of mistakes that any exercise can meet, recognised by what came out and what should have.

A kind is claimed only where it explains every result in full.
"""

from collections.abc import Callable, Iterator
from itertools import permutations

import torch
from torch import Tensor

from . import amounts
from .values import of_texts, written

_ORDINALS = {0: "first", 1: "second", 2: "third", 3: "fourth"}

# What was returned, as a function of what is wanted.
_DONE_TO_IT = {
    "the sign is wrong": torch.neg,
    "this is upside down: one over what is wanted": torch.reciprocal,
    "this is one minus what is wanted": lambda w: 1 - w,
    "this is the square of what is wanted": torch.square,
    "this is the square root of what is wanted": torch.sqrt,
    "this is the logarithm of what is wanted": torch.log,
    "this is the exponential of what is wanted": torch.exp,
    "this is two to the power of what is wanted": torch.exp2,
    "this is ten to the power of what is wanted": lambda w: 10**w,
    "negative numbers are cut off: a ReLU too many": torch.relu,
    "the signs are lost": torch.abs,
    "the fraction is cut off: is there an `int`, or a `//` where `/` is meant?": torch.trunc,
    "it is rounded to a whole number; return it as it is": torch.round,
    "it is rounded up; return it as it is": torch.ceil,
    "it is rounded to one digit; return it as it is": lambda w: w.round(decimals=1),
    "it is rounded to two digits; return it as it is": lambda w: w.round(decimals=2),
    "it is rounded to three digits; return it as it is": lambda w: w.round(decimals=3),
    "it is rounded to four digits; return it as it is": lambda w: w.round(decimals=4),
}
# What is wanted, as a function of what was returned.
_TO_BE_DONE = {
    "it is not a whole number yet: cut the fraction off": torch.floor,
    "it is not a whole number yet: round it": torch.round,
    "it is not a whole number yet: round it up": torch.ceil,
    "a ReLU is missing: negative numbers must become zero": torch.relu,
}
_DONE_ALONG = {
    "it is in reverse order{along}": lambda w, a: w.flip(a),
    "a softmax too many was taken{along}": lambda w, a: w.softmax(a),
    "it is shifted by one{along}": lambda w, a: w.roll(1, a),
    "it is shifted back by one{along}": lambda w, a: w.roll(-1, a),
    "it is summed up{along}; that is not wanted": lambda w, a: w.sum(a, keepdim=True),
    "it is averaged{along}; that is not wanted": lambda w, a: w.mean(a, keepdim=True),
    "the running sum is taken{along}; that is not wanted": lambda w, a: w.cumsum(a),
    "the last entry{along} is missing": lambda w, a: w.narrow(a, 0, w.shape[a] - 1),
    "the first entry{along} is missing": lambda w, a: w.narrow(a, 1, w.shape[a] - 1),
    "only the first entry{along} is returned": lambda w, a: w.narrow(a, 0, 1),
    "only the last entry{along} is returned": lambda w, a: w.narrow(a, w.shape[a] - 1, 1),
    "all entries{along} are like the first": lambda w, a: w.narrow(a, 0, 1).expand_as(w),
    "all entries{along} are like the last": lambda w, a: w.narrow(a, w.shape[a] - 1, 1).expand_as(w),
}
_TO_BE_DONE_ALONG = {
    "the softmax{along} is missing": lambda g, a: g.softmax(a),
    "the sum{along} is missing": lambda g, a: g.sum(a, keepdim=True),
    "the mean{along} is missing": lambda g, a: g.mean(a, keepdim=True),
    "the first entry{along} is too many": lambda g, a: g.narrow(a, 1, g.shape[a] - 1),
    "the last entry{along} is too many": lambda g, a: g.narrow(a, 0, g.shape[a] - 1),
}


def diagnose(got: list, wanted: list, sizes: list[dict], axes: str, same: Callable) -> str:
    """Return the kind of mistake that explains all results, or an empty string."""
    pairs = list(zip(got, wanted, strict=True))
    if all(isinstance(part, tuple) for pair in pairs for part in pair):
        lengths = {len(part) for pair in pairs for part in pair}
        if len(lengths) == 1:
            return _place_by_place(got, wanted, sizes, lengths.pop(), same)
        if all(len(g) == len(w) and all(any(same(a, b) for b in w) for a in g) for g, w in pairs):
            return "the right things, but in another order"
    if all(isinstance(part, str) for pair in pairs for part in pair):
        return of_texts(pairs)
    if not all(isinstance(part, Tensor) and part.numel() for pair in pairs for part in pair):
        return ""
    if not all(g.isfinite().all() for g, w in pairs if w.isfinite().all() and not g.is_complex()):
        return ""
    several = sum(w.numel() for w in wanted) > 1  # one number alone proves no rule
    kind = next((kind for kind in _kinds(pairs, sizes, axes.split(), same) if kind), "") if several else ""
    if kind:
        return kind
    constant = all(same(g, got[0]) for g in got) and not all(same(w, wanted[0]) for w in wanted)
    if len(pairs) > 2 and constant and got[0].isfinite().all() and got[0].numel() <= 8:
        return f"the result is {written(got[0])} whatever the arguments are"
    return ""


def _place_by_place(got: list, wanted: list, sizes: list[dict], length: int, same: Callable) -> str:
    wrong = [i for i in range(length) if not all(same(g[i], w[i]) for g, w in zip(got, wanted, strict=True))]
    if all(same(g[::-1], w) for g, w in zip(got, wanted, strict=True)):
        return "the right things, but in reverse order"
    kinds = [diagnose([g[i] for g in got], [w[i] for w in wanted], sizes, "", same) for i in wrong]
    if len(set(kinds)) == 1 and kinds[0]:
        return f"number {' and '.join(str(i + 1) for i in wrong)}: {kinds[0]}" if len(wrong) < length else kinds[0]
    return ""


def _kinds(pairs: list, sizes: list[dict], letters: list[str], same: Callable) -> Iterator[str]:
    """Return everything that may be said of these results, the most telling first."""

    def everywhere(one: Callable, other: Callable) -> bool:
        try:
            return all(same(one(g, w), other(g, w)) for g, w in pairs)
        except (RuntimeError, IndexError):  # for instance where there is no such axis
            return False

    def along(axis: int) -> str:
        if all(w.ndim == 1 for _, w in pairs):
            return ""
        place = axis % ndim if all(w.ndim == ndim for _, w in pairs) else axis
        return f" along axis {place}" + (f" ({letters[axis]})" if -axis <= len(letters) else "")

    ndim = max(w.ndim for _, w in pairs)
    for remark, change in _DONE_TO_IT.items():
        yield everywhere(lambda g, w: g, lambda g, w, c=change: c(w)) and remark
    for remark, change in _TO_BE_DONE.items():
        yield everywhere(lambda g, w, c=change: c(g), lambda g, w: w) and remark
    if all(g.numel() > 1 and g.isfinite().all() and same(g, g.flatten()[0].expand_as(g)) for g, _ in pairs):
        yield f"all numbers of the result are the same, {written(pairs[0][0].flatten()[0])}"
    yield amounts.factor(pairs, sizes, same)
    yield amounts.offset(pairs, sizes, same)
    for order in permutations(range(ndim)):
        if everywhere(lambda g, w: g, lambda g, w, o=order: w.permute(o)) and order != tuple(range(ndim)):
            moved = [axis for axis in range(ndim) if order[axis] != axis]
            both = f"axes {moved[0]} and {moved[1]} are exchanged"
            yield "it is transposed" if ndim == 2 else both if len(moved) == 2 else f"its axes are in the order {order}"
    for axis in range(-1, -ndim - 1, -1):
        longer = all(w.ndim >= -axis and w.shape[axis] == 1 and g.ndim == w.ndim for g, w in pairs)
        longer = longer and all(g.shape[axis] > 1 for g, _ in pairs)
        if longer and everywhere(lambda g, w: g, lambda g, w, a=axis: w.expand(*_as_long(w, g, a))):
            yield f"the right numbers, but repeated{along(axis)}, where one of them is wanted"
    for axis in range(-1, -ndim - 1, -1):
        for remark, change in (
            _DONE_ALONG.items() if all(w.ndim >= -axis and w.shape[axis] > 1 for _, w in pairs) else ()
        ):
            done = lambda g, w, c=change, a=axis: c(w, a)  # noqa: E731
            squeezed = lambda g, w, c=change, a=axis: c(w, a).squeeze(a)  # noqa: E731
            if everywhere(lambda g, w: g, done) or everywhere(lambda g, w: g, squeezed):
                yield remark.format(along=along(axis))
        for remark, change in _TO_BE_DONE_ALONG.items():
            done = lambda g, w, c=change, a=axis: c(g, a)  # noqa: E731
            squeezed = lambda g, w, c=change, a=axis: c(g, a).squeeze(a)  # noqa: E731
            if everywhere(done, lambda g, w: w) or everywhere(squeezed, lambda g, w: w):
                yield remark.format(along=along(axis))
    for axis in range(-1, -ndim - 1, -1):
        yield _weights(pairs, axis, along, everywhere)
    if everywhere(lambda g, w: g.squeeze(), lambda g, w: w.squeeze()):
        more = pairs[0][0].ndim > pairs[0][1].ndim
        yield f"an axis of length one is {'too many' if more else 'missing'}{_shapes(pairs)}"
    if everywhere(lambda g, w: g.flatten(), lambda g, w: w.flatten()):
        yield f"the numbers are right and in the right order, only the shape is wrong{_shapes(pairs)}"
    for axis in range(-1, -ndim - 1, -1):
        yield _one_entry(pairs, sizes, axis, along(axis), same)


def vague(got: list, wanted: list, same: Callable) -> str:
    """Say what is true of all results but names no cause: for use where nothing better is found."""
    pairs = list(zip(got, wanted, strict=True))
    if not all(isinstance(part, Tensor) and part.numel() > 1 for pair in pairs for part in pair):
        return ""
    if not all(same(g.flatten().sort().values, w.flatten().sort().values) for g, w in pairs):
        return ""
    if all(w.ndim == 1 for _, w in pairs):
        return "the right numbers, but in another order"
    return f"the right numbers, but in wrong places: the axes are cut or moved in another way{_shapes(pairs)}"


def _as_long(wanted: Tensor, got: Tensor, axis: int) -> list[int]:
    shape = list(wanted.shape)
    shape[axis] = got.shape[axis]
    return shape


def _shapes(pairs: list) -> str:
    if all(got.shape == wanted.shape for got, wanted in pairs):
        return ""
    return f": the result has shape {list(pairs[0][0].shape)}, but {list(pairs[0][1].shape)} is wanted"


def _weights(pairs: list, axis: int, along: Callable, everywhere: Callable) -> str:
    """Say where weights that should add up to one do not."""
    ones = lambda x, a: torch.ones_like(x.sum(a))  # noqa: E731
    if not everywhere(lambda g, w: w.sum(axis), lambda g, w: ones(w, axis)):
        return ""
    if everywhere(lambda g, w: g / g.sum(axis, keepdim=True), lambda g, w: w):
        return f"divide by the sum{along(axis)}: the weights must add up to one"
    if everywhere(lambda g, w: g.sum(axis), lambda g, w: ones(w, axis)):
        return ""
    for other in range(-1, -pairs[0][0].ndim - 1, -1):
        if everywhere(lambda g, w, a=other: g.sum(a), lambda g, w, a=other: ones(g, a)):
            return f"the weights add up to one{along(other)}, but they must{along(axis)}"
    return ""


def _one_entry(pairs: list, sizes: list[dict], axis: int, along: str, same: Callable) -> str:
    """Say whether all but one entry along an axis are right, or all but the first are wrong."""
    wrong = []
    for got, wanted in pairs:
        if got.shape != wanted.shape or wanted.ndim < -axis or wanted.shape[axis] < 2:
            return ""
        entries = zip(got.unbind(axis), wanted.unbind(axis), strict=True)
        wrong.append([i for i, pair in enumerate(entries) if not same(*pair)])
    lengths = [wanted.shape[axis] for _, wanted in pairs]
    last = all(places == [n - 1] for places, n in zip(wrong, lengths, strict=True))
    if last or all(places == wrong[0] and len(places) == 1 for places in wrong):
        place = wrong[0][0]
        which = "last" if last else _ORDINALS.get(place, f"{place + 1}th")
        entries = [[values.select(axis, -1 if last else place) for values in pair] for pair in pairs]
        kind = diagnose(*map(list, zip(*entries, strict=True)), sizes, "", same)
        return f"right but for the {which} entry{along}" + (f": {kind}" if kind else _of_two(pairs, place))
    if all(places == list(range(1, n)) for places, n in zip(wrong, lengths, strict=True)):
        return f"only the first entry{along} is right"
    return ""


def _of_two(pairs: list, place: int) -> str:
    """Say what stands in a wrong place of a short list."""
    got, wanted = pairs[0]
    if wanted.ndim > 1 or wanted.numel() > 8:
        return ""
    return f": it returned {written(got[place])}, but {written(wanted[place])} is wanted"
