"""What a right solution returns when its arguments are mixed up: mistakes that any function can have."""

from collections.abc import Callable, Iterator
from itertools import permutations

import torch
from torch import Tensor

_OF_MATRICES = {
    "{0} is transposed": lambda W: W.mT,
    "{0} is left out": lambda W: torch.eye(len(W), dtype=W.dtype),
    "{0} is applied twice": lambda W: W @ W,
}
_OF_BIASES = {"the bias ({0}) is missing": torch.zeros_like, "the bias ({0}) is added twice": lambda b: 2 * b}
_OF_TENSORS = {
    "{0} has the wrong sign": torch.neg,
    "the signs of {0} are lost": torch.abs,
    "negative numbers of {0} are cut off": torch.relu,
    "{0} is taken twice": lambda x: 2 * x,
    "{0} is squared": torch.square,
    "{0} is one too large": lambda x: x + 1,
    "the result does not depend on {0}: that would be right if it were all ones": torch.ones_like,
}
_OF_NUMBERS = {
    "that would be right for {0} + 1 in place of {0}": lambda n: n + 1,
    "that would be right for {0} − 1 in place of {0}": lambda n: n - 1,
    "that would be right for 2 · {0} in place of {0}": lambda n: 2 * n,
    "that would be right for half of {0} in place of {0}": lambda n: n / 2,
    "that would be right for {0}² in place of {0}": lambda n: n * n,
    "that would be right for the root of {0} in place of {0}": lambda n: n**0.5,
    "that would be right for 1 / {0} in place of {0}": lambda n: 1 / n,
    "the result does not depend on {0}: that would be right if {0} were 1": lambda n: type(n)(1),
    "the result does not depend on {0}: that would be right if {0} were 0": lambda n: type(n)(0),
}


def of_arguments(right: Callable, names: list[str], cases: list[tuple]) -> Iterator[tuple[str, Callable]]:
    """Return remarks, each with the function that somebody has written who deserves it."""
    places = range(len(cases[0]))
    for place in places:
        for remark, change in _changes(names[place], [case[place] for case in cases]).items():
            yield remark.format(names[place]), _with(right, {place: lambda a, p=place, c=change: c(a[p])})
    for place in places:
        values = [case[place] for case in cases]
        if all(type(value) in (int, float) for value in values):
            for value in dict.fromkeys(values):
                yield (
                    f"the result does not depend on {names[place]}: it is right only for {names[place]} = {value:g}",
                    _with(right, {place: lambda a, v=value: v}),
                )
    for one, other in permutations(places, 2):
        if all(_alike(case[one], case[other]) for case in cases):
            here, there = names[one], names[other]
            if one < other:
                both = {one: lambda a, p=other: a[p], other: lambda a, p=one: a[p]}
                yield f"{here} and {there} are exchanged", _with(right, both)
            yield f"{there} stands where {here} belongs", _with(right, {one: lambda a, p=other: a[p]})


def _with(right: Callable, changes: dict[int, Callable]) -> Callable:
    return lambda *a: right(*(changes[p](a) if p in changes else value for p, value in enumerate(a)))


def _changes(name: str, values: list) -> dict[str, Callable]:
    if all(type(value) in (int, float) for value in values):
        return _OF_NUMBERS
    if not all(isinstance(value, Tensor) for value in values):
        return {}
    if name.startswith("b_") or name == "bias":
        return _OF_BIASES
    if all(value.ndim == 2 and value.shape[0] == value.shape[1] for value in values):
        return _OF_MATRICES
    return _OF_TENSORS


def _alike(one, other) -> bool:
    """Say whether one argument can stand in another's place."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.ndim == other.ndim
    return type(one) in (int, float) and type(other) in (int, float)
