"""The frame of every exercise's check: call the learner's function, compare, and name the likely mistake."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Exercise:
    """The check of one exercise: called with the learner's function, it prints one line and raises nothing.

    Attributes
    ----------
    name : str
        Number and title, as in the notebook.
    right : callable
        A correct solution.
    cases : tuple of tuples
        Arguments with which the learner's function is called and compared.
    mistakes : dict of str to callable
        Likely wrong solutions, each under the remark that helps a learner who made this mistake. A mistake is
        recognised by giving the same results as the learner's function in all cases.
    budget : callable or None
        From the arguments of a case to the most multiply–accumulates that its matrix products may take; None allows any
        number.
    effect : callable or None
        From a function to one that also returns what the function has done to its arguments, where that is the point of
        the exercise. None compares what functions return.
    """

    name: str
    right: Callable
    cases: tuple[tuple, ...]
    mistakes: dict[str, Callable]
    budget: Callable | None = None
    effect: Callable | None = None

    def __call__(self, attempt: Callable) -> None:
        print(f"{self.name}: {self._verdict(attempt)}")

    def _verdict(self, attempt: Callable) -> str:
        outcomes = self._outcomes(attempt)
        if any(outcome is None or outcome is ... or isinstance(outcome, NotImplementedError) for outcome in outcomes):
            return "not done yet"
        wanted = self._outcomes(self.right)
        if _all_same(outcomes, wanted):
            return self._too_much_work(attempt) or "right"
        for remark, mistake in self.mistakes.items():
            if _all_same(outcomes, self._outcomes(mistake)):
                return f"not yet: {remark}"
        number = next(i for i, pair in enumerate(zip(outcomes, wanted, strict=True)) if not _same(*pair))
        simple = all(isinstance(argument, (int, float, str)) for argument in self.cases[number])
        given = f"for {', '.join(map(str, self.cases[number]))} " if simple else ""
        return f"not yet: {given}{_difference(outcomes[number], wanted[number])}"

    def _outcomes(self, function: Callable) -> list:
        function = self.effect(function) if self.effect else function
        return [_outcome(function, case) for case in self.cases]

    def _too_much_work(self, attempt: Callable) -> str:
        for case in self.cases if self.budget else ():
            with FlopCounterMode(display=False) as counter:
                _outcome(attempt, case)
            macs, most = counter.get_total_flops() // 2, self.budget(*case)
            if macs > most:
                return f"not yet: the numbers are right, but take {macs} multiply–accumulates where {most} are enough"
        return ""


def _outcome(function: Callable, arguments: tuple):
    """Return what a function returns, or the exception it raises."""
    copies = tuple(argument.clone() if isinstance(argument, Tensor) else argument for argument in arguments)
    try:
        with torch.no_grad():
            result = function(*copies)
    except Exception as error:  # a learner's function may fail in any way
        return error
    unchanged = all(map(_same, copies, arguments))
    return result if unchanged else ValueError("it changes its input in place: work on a copy")


def _same(one, other) -> bool:
    if isinstance(one, Exception):
        return type(one) is type(other)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and torch.allclose(one.double(), other.double(), 1e-4, 1e-5, equal_nan=True)
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return bool(abs(one - other) <= 1e-6 * abs(other))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and _all_same(one, other)
    return type(one) is type(other) and one == other


def _all_same(some: Sequence, others: Sequence) -> bool:
    return all(map(_same, some, others))


def _difference(outcome, wanted) -> str:
    """Say in a sentence how a result differs from the wanted one."""
    if isinstance(outcome, Exception):
        return f"it raised {type(outcome).__name__}: {str(outcome).partition(chr(10))[0] or 'without a message'}"
    several = isinstance(wanted, (list, tuple))
    if several and isinstance(outcome, (list, tuple)):
        if len(outcome) != len(wanted):
            return f"it returned {len(outcome)} things, but {len(wanted)} are wanted"
        place = next(i for i, (one, other) in enumerate(zip(outcome, wanted, strict=True)) if not _same(one, other))
        return f"number {place + 1} is wrong: {_difference(outcome[place], wanted[place])}"
    if isinstance(outcome, str) and isinstance(wanted, str):
        return f"it returned {outcome!r}, but {wanted!r} is wanted"
    if several or isinstance(outcome, Tensor) != isinstance(wanted, Tensor) or isinstance(outcome, str):
        return f"it returned a {type(outcome).__name__}, but a {type(wanted).__name__} is wanted"
    if not isinstance(wanted, Tensor):
        return f"it returned {outcome}, but {wanted} is wanted"
    if outcome.shape != wanted.shape:
        return f"the result has shape {list(outcome.shape)}, but {list(wanted.shape)} is wanted"
    if outcome.isnan().any():
        return "the result holds NaN"
    return f"the shape is right, but numbers are off by up to {(outcome - wanted).abs().max().item():.2g}"


def random(*shape: int) -> Tensor:
    """Return normally distributed numbers, the same for the same shape every time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def softmax(scores: Tensor, dim: int = -1) -> Tensor:
    """Return the softmax over an axis, by default the last."""
    return scores.softmax(dim=dim)


def choice(scores: Tensor) -> Tensor:
    """Return 1 for the largest score of each row and 0 for the others: what a softmax is not."""
    return F.one_hot(scores.argmax(dim=-1), scores.shape[-1]).float()
