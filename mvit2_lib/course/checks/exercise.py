"""The frame of every exercise's check: call the learner's function, compare, and name the likely mistake."""

import contextlib
import inspect
import io
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from . import kinds, variants
from .amounts import sizes_of
from .values import (
    Remark,
    copied,
    difference,
    in_shape,
    is_truth,
    of_truths,
    plain,
    same,
    together,
    tolerance_for,
)
from .watch import first_nonsense, is_empty, raised, watched


@dataclass(frozen=True)
class Exercise:
    """The check of one exercise: called with the learner's function, it prints one line and raises nothing.

    Attributes
    ----------
    name : str
        Number and title, as in the notebook.
    right : callable
        A correct solution.
    cases : dict of str to tuple, or tuple of tuples
        Arguments with which the learner's function is called and compared. The key says in words what is special about
        a case, and stands after "for"; where all arguments are numbers it can be left out.
    mistakes : dict of str to callable
        Likely wrong solutions, each under the remark that helps a learner who made this mistake. A mistake is
        recognised by giving the same results as the learner's function in all cases.
    steps : dict of str to callable
        Results on the way to the answer, under their names.
    sizes : dict of str to str
        Letters for the axes of an argument, such as `{"x": "B k d"}`: a factor of √d is then called by this name.
    axes : str
        Letters for the axes of the result.
    budget : callable or None
        From the arguments of a case to the most multiply–accumulates that it may take; None allows any number.
    forbidden : dict of str to str
        From the name of a function of PyTorch that must not be called to what is said of somebody who calls it.
    effect : callable or None
        From a function to one that also returns what the function has done to its arguments, where that is the point of
        the exercise. None compares what functions return.
    judge : callable or None
        From a result and the arguments to a remark, or to "" if it is right, where there is more than one right answer.
    tolerance : tuple of float or None
        Relative and absolute error that are forgiven; None chooses by the kind of the wanted numbers.
    remembered : dict
        What the right solution and the mistakes return, so that each runs only once.
    """

    name: str
    right: Callable
    cases: dict[str, tuple] | tuple[tuple, ...]
    mistakes: dict[str, Callable] = field(default_factory=dict)
    steps: dict[str, Callable] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    axes: str = ""
    budget: Callable | None = None
    forbidden: dict[str, str] = field(default_factory=dict)
    effect: Callable | None = None
    judge: Callable | None = None
    tolerance: tuple[float, float] | None = None
    remembered: dict = field(default_factory=dict, repr=False)

    def __call__(self, attempt: Callable) -> None:
        printed = io.StringIO()
        try:
            verdict = self._verdict(attempt, printed)
        except Exception as error:  # whatever an attempt returns, the check goes on
            verdict = f"not yet: its result cannot be compared ({type(error).__name__}: {error})"
        if printed.getvalue():
            print(printed.getvalue().rstrip("\n"))
        print(f"{self.name}: {verdict}")

    def demand(self, attempt: Callable) -> None:
        """Print the line, and raise an AssertionError with it unless the attempt is right: for marking."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self(attempt)
        line = printed.getvalue().splitlines()[-1]
        assert line == f"{self.name}: right", line
        print(line)

    def _verdict(self, attempt: Callable, printed: io.StringIO) -> str:
        outcomes = self._outcomes(attempt, printed)
        empty = is_empty(attempt)
        if any(isinstance(got, NotImplementedError) or got is ... or (got is None and empty) for got in outcomes):
            return "not done yet"
        remark = self._remark(outcomes, bool(printed.getvalue()), attempt) or self._seen(attempt)
        return f"not yet: {remark}" if remark else "right"

    def _remark(self, outcomes: list, printed: bool, attempt=None) -> str:
        """Say what is wrong with some outcomes, in the best words there are, or return an empty string."""
        if self.judge:
            return self._judged(outcomes, printed, attempt)
        raw, wanted, tolerance = self._wanted()
        got = [in_shape(plain(outcome), want) for outcome, want in zip(outcomes, wanted, strict=True)]

        def alike(one, other) -> bool:
            return same(one, other, tolerance)

        failed = [isinstance(outcome, BaseException) for outcome in got]
        wrong = [i for i, pair in enumerate(zip(got, wanted, strict=True)) if failed[i] or not alike(*pair)]
        if not wrong:
            return ""
        if any(isinstance(got[i], Remark) for i in wrong):  # the exercise knows better than any rule
            return str(next(got[i] for i in wrong if isinstance(got[i], Remark)))
        if outcomes[wrong[0]] is None:
            return self._in_its_case(self._missing(None, printed), wrong, got)
        near = tuple(max(error, 1e-6) for error in tolerance)  # a mistake may be rounded in another way
        sizes = [sizes_of(dict(zip(self._names(), case, strict=False)), self.sizes) for case in self._cases()]
        truths = all(map(is_truth, raw))
        kept = [i for i in range(len(got)) if not failed[i]]
        remark = self._recognised(got, wrong, kept, near) if any(i in wrong for i in kept) else ""
        if remark:
            return remark
        if truths:
            words = [self._words(i) for i in range(len(got))]
            return of_truths(outcomes, raw, words)
        whole = not any(failed)
        remark = whole and (together(outcomes, wanted, alike) or kinds.diagnose(got, wanted, sizes, self.axes, alike))
        if remark:
            return remark
        if whole and (remark := kinds.vague(got, wanted, alike)):
            return remark
        first = wrong[0]
        if len(wrong) < len(got) and not any(failed[i] for i in wrong):
            few = ([x[i] for i in wrong] for x in (got, wanted, sizes))
            remark = kinds.diagnose(*few, self.axes, alike)
            if remark:
                return self._in_its_case(remark, wrong, got)
        source = raised(got[first], attempt) if failed[first] else ""
        if not failed[first] and attempt is not None:
            source = first_nonsense(self._adapted(attempt), self._copy(first), got[first], wanted[first])
        return self._in_its_case(source or difference(got[first], wanted[first], tolerance), wrong, got)

    def _in_its_case(self, remark: str, wrong: list[int], got: list) -> str:
        """Say for which case a remark is, if it is not for all of them."""
        rest = [self._words(i) for i in range(len(got)) if i not in wrong]
        here = self._words(wrong[0])
        if rest and here and rest[0]:
            return f"right for {rest[0]}, but for {here} {remark}"
        return f"for {here} {remark}" if isinstance(self.cases, tuple) and here else remark

    def _wanted(self) -> tuple[list, list, tuple[float, float]]:
        """Return what the right solution returns, as it is and as plain numbers, and what is forgiven."""
        if "right" not in self.remembered:
            raw = self._outcomes(self.right)
            self.remembered["right"] = raw, list(map(plain, raw)), self.tolerance or max(map(tolerance_for, raw))
        return self.remembered["right"]

    def _judged(self, outcomes: list, printed: bool, attempt=None) -> str:
        for index, (got, case) in enumerate(zip(outcomes, self._cases(), strict=True)):
            remark = self._missing(got, printed)
            if isinstance(got, Remark):
                remark = str(got)
            elif isinstance(got, BaseException):
                remark = raised(got, attempt) or difference(got, None, (0, 0))
            if not remark:
                remark = self.judge(got, *map(copied, case))
            if remark:
                return f"right for {self._words(0)}, but {remark}" if index else remark
        return ""

    def _recognised(self, got: list, wrong: list, kept: list, tolerance: tuple[float, float]) -> str:
        """Return the remark of the mistake that returns the same: the exercise's own first, then any function's.

        Cases in which the attempt fails are left out. Of numbers that are not finite a mistake must explain some that
        are.
        """
        order = [*(i for i in kept if i in wrong), *(i for i in kept if i not in wrong)]
        finite = [i for i in order if i in wrong and _is_finite(got[i])]
        steps = {f"that is {name}: go on from there": step for name, step in self.steps.items()}
        zero = all(isinstance(got[i], Tensor) and got[i].numel() and not got[i].any() for i in kept)
        own = self.mistakes.items() if finite or len(order) > len(wrong) else ()
        for source in (own, steps.items(), () if zero or not finite else self._variants()):
            for remark, mistake in source:
                if all(same(got[i], self._of_mistake(remark, mistake, i), tolerance) for i in order):
                    return remark
        return "the result is always zero" if zero else ""

    def _of_mistake(self, remark: str, mistake: Callable, index: int):
        """Return what a mistake returns in one case."""
        if (remark, index) not in self.remembered:
            outcome = self._outcome(self._adapted(mistake), self._cases()[index])
            self.remembered[remark, index] = in_shape(plain(outcome), self._wanted()[1][index])
        return self.remembered[remark, index]

    def _variants(self):
        # With an effect a case holds what the arguments are made of, and not the arguments.
        return () if self.effect else variants.of_arguments(self.right, self._names(), self._cases())

    def _seen(self, attempt: Callable) -> str:
        """Say what a right attempt called that it must not, or how much more it multiplied than is needed."""
        for case in self._cases() if self.forbidden or self.budget else ():
            names, macs = watched(attempt, tuple(map(copied, case)))
            for name, remark in self.forbidden.items():
                if name in names:
                    return remark
            if self.budget and macs > self.budget(*case):
                return f"the numbers are right, but take {macs} multiplications where {self.budget(*case)} are plenty"
        return ""

    def _missing(self, got, printed: bool) -> str:
        if got is not None:
            return ""
        return (
            "it prints its result, and returns None: `return` it"
            if printed
            else "it returns None: is a `return` missing?"
        )

    def _adapted(self, function: Callable) -> Callable:
        """Return the function that is called with the arguments of a case."""
        return self.effect(function) if self.effect else function

    def _outcomes(self, function: Callable, printed: io.StringIO | None = None) -> list:
        function = self._adapted(function)
        return [self._outcome(function, case, printed) for case in self._cases()]

    def _outcome(self, function: Callable, case: tuple, printed: io.StringIO | None = None):
        """Return what a function returns, or the exception it raises; it spoils no argument, mode or seed."""
        arguments = tuple(map(copied, case))
        before, chance = torch.is_grad_enabled(), torch.get_rng_state()
        with contextlib.redirect_stdout(printed or io.StringIO()):
            torch.default_generator.manual_seed(0)  # torch.manual_seed would note the stack for every graphics card
            try:
                with torch.enable_grad():
                    return function(*arguments)
            except (Exception, SystemExit) as error:  # a learner's function may fail in any way
                return error
            finally:
                torch.set_grad_enabled(before)
                torch.set_rng_state(chance)

    def _copy(self, index: int) -> tuple:
        return tuple(map(copied, self._cases()[index]))

    def _cases(self) -> list[tuple]:
        return list(self.cases.values() if isinstance(self.cases, dict) else self.cases)

    def _names(self) -> list[str]:
        return list(inspect.signature(self.right).parameters)

    def _words(self, index: int) -> str:
        """Say in words which case it is."""
        if isinstance(self.cases, dict):
            return list(self.cases)[index]
        case = self.cases[index]
        if any(isinstance(argument, Tensor) or not isinstance(argument, (int, float, str, list)) for argument in case):
            return ""
        return ", ".join(f"{name} = {value}" for name, value in zip(self._names(), case, strict=False))


def _is_finite(outcome) -> bool:
    return not isinstance(outcome, Tensor) or outcome.is_complex() or bool(outcome.isfinite().any())


__all__ = ["Exercise", "Remark"]
