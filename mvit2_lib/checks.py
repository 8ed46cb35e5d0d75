"""Checks that diagnose and never raise: is this machine ready, and is this exercise right?"""

import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata

import torch
from packaging.requirements import Requirement
from packaging.version import Version
from torch import Tensor
from torch.nn import functional as F

MINIMUM_PYTHON = "3.10"
_REINSTALL = "run 'make lab' again, or in the course's environment: python -m pip install -e . -c constraints.txt"


def machine(requirements: Iterable[str] | None = None) -> None:
    """Print one line for each thing the course needs: `[OK]`, or `[FAIL]` with what to do about it.

    Works without a network, and raises nothing.

    Parameters
    ----------
    requirements : iterable of str or None
        What to look for, such as `"numpy>=1.26"`; None takes the requirements this library was installed with.

    Notes
    -----
    Used in notebook 00.
    """
    results = [_python(), *(_package(line) for line in _requirements(requirements)), _matrix_product()]
    for name, problem, remedy in results:
        print(f"[FAIL] {name}: {problem}. What to do: {remedy}" if problem else f"[OK]   {name}")
    failed = sum(bool(problem) for _, problem, _ in results)
    print(f"{failed} of {len(results)} checks failed." if failed else "Your machine is ready.")


def _requirements(requirements: Iterable[str] | None) -> list[str]:
    if requirements is None:
        try:
            requirements = metadata.requires("mvit2_lib") or []
        except metadata.PackageNotFoundError:
            return ["mvit2_lib"]
    return [line for line in requirements if "extra ==" not in line]


def _python() -> tuple[str, str, str]:
    current = platform.python_version()
    problem = "" if Version(current) >= Version(MINIMUM_PYTHON) else f"this is Python {current}"
    return f"Python {MINIMUM_PYTHON} or newer", problem, "install a newer Python and make the environment again"


def _package(line: str) -> tuple[str, str, str]:
    requirement = Requirement(line)
    name = f"{requirement.name} {requirement.specifier}".strip()
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return name, f"not installed for {sys.executable}", _REINSTALL
    fits = requirement.specifier.contains(version, prereleases=True)
    return name, "" if fits else f"found {version}", _REINSTALL


def _matrix_product() -> tuple[str, str, str]:
    name = "PyTorch multiplies two matrices"
    try:
        right = torch.equal(torch.ones(2, 3) @ torch.ones(3, 2), torch.full((2, 2), 3.0))
    except Exception as error:  # a broken installation may fail in any way, and this function reports all of them
        return name, f"{type(error).__name__}: {error}", _REINSTALL
    return name, "" if right else "the product is wrong", _REINSTALL


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
    """

    name: str
    right: Callable
    cases: tuple[tuple, ...]
    mistakes: dict[str, Callable]

    def __call__(self, attempt: Callable) -> None:
        print(f"{self.name}: {self._verdict(attempt)}")

    def _verdict(self, attempt: Callable) -> str:
        outcomes = [_outcome(attempt, case) for case in self.cases]
        if any(outcome is None or outcome is ... or isinstance(outcome, NotImplementedError) for outcome in outcomes):
            return "not done yet"
        wanted = [_outcome(self.right, case) for case in self.cases]
        if _all_same(outcomes, wanted):
            return "right"
        for remark, mistake in self.mistakes.items():
            if _all_same(outcomes, [_outcome(mistake, case) for case in self.cases]):
                return f"not yet: {remark}"
        return f"not yet: {next(filter(None, map(_difference, outcomes, wanted)))}"


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
    return type(one) is type(other) and one == other


def _all_same(some: list, others: list) -> bool:
    return all(map(_same, some, others))


def _difference(outcome, wanted) -> str:
    """Say in a sentence how a result differs from the wanted one; nothing if it does not."""
    if _same(outcome, wanted):
        return ""
    if isinstance(outcome, Exception):
        return f"it raised {type(outcome).__name__}: {str(outcome).partition(chr(10))[0] or 'without a message'}"
    if not isinstance(outcome, type(wanted)):
        return f"it returned a {type(outcome).__name__}, but a {type(wanted).__name__} is wanted"
    if not isinstance(wanted, Tensor):
        return f"it returned {outcome}, but {wanted} is wanted"
    if outcome.shape != wanted.shape:
        return f"the result has shape {list(outcome.shape)}, but {list(wanted.shape)} is wanted"
    if outcome.isnan().any():
        return "the result holds NaN"
    return f"the shape is right, but numbers are off by up to {(outcome - wanted).abs().max().item():.2g}"


def _random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _softmax(scores: Tensor, dim: int = -1) -> Tensor:
    return scores.softmax(dim=dim)


def _choice(scores: Tensor) -> Tensor:
    return F.one_hot(scores.argmax(dim=-1), scores.shape[-1]).float()


attention_weights = Exercise(
    "1.1 scaled attention",
    lambda q, k: _softmax(q @ k.mT / q.shape[-1] ** 0.5),
    ((_random(5, 9), _random(1, 5, 9)[0]), (_random(4, 16), _random(7, 16))),
    {
        "the scores are not divided by √d": lambda q, k: _softmax(q @ k.mT),
        "the scores are divided by d, not by its square root": lambda q, k: _softmax(q @ k.mT / q.shape[-1]),
        "the scores are multiplied by √d; they must shrink": lambda q, k: _softmax(q @ k.mT * q.shape[-1] ** 0.5),
        "the scale takes the number of tokens for the width": lambda q, k: _softmax(q @ k.mT / k.shape[-2] ** 0.5),
        "each row picks a single winner; the softmax shares the weight out": lambda q, k: _choice(q @ k.mT),
        "the columns add up to one, but the rows must: softmax over the last axis": lambda q, k: _softmax(
            q @ k.mT / q.shape[-1] ** 0.5, -2
        ),
        "rows and columns are exchanged: a row belongs to a query": lambda q, k: _softmax(
            k @ q.mT / q.shape[-1] ** 0.5
        ),
        "these are the scores; the softmax is missing": lambda q, k: q @ k.mT / q.shape[-1] ** 0.5,
    },
)

stable_softmax = Exercise(
    "1.2 a softmax that survives",
    _softmax,
    ((_random(5, 7),), (200 * _random(2, 3, 4),), (torch.tensor([[0.0, 1.0, 2.0], [-300.0, -301.0, -299.0]]),)),
    {
        "large scores overflow: subtract the largest of each row first": lambda s: s.exp() / s.exp().sum(-1, True),
        "one maximum for all rows is not enough, a row far below it underflows: each row needs its own": lambda s: (
            (s - s.max()).exp() / (s - s.max()).exp().sum(-1, True)
        ),
        "subtracting the mean is not enough, the largest score still overflows": lambda s: (
            (s - s.mean(-1, True)).exp() / (s - s.mean(-1, True)).exp().sum(-1, True)
        ),
        "the weights add up to one over the wrong axis: it must be the last": lambda s: _softmax(s, -2),
        "the weights add up to one over the first axis: it must be the last": lambda s: _softmax(s, 0),
        "the weights of the whole tensor add up to one; each row must": lambda s: _softmax(s.flatten()).reshape(
            s.shape
        ),
        "each row picks a single winner; the softmax shares the weight out": _choice,
        "these are the exponentials; divide them by their sum": lambda s: (s - s.amax(-1, True)).exp(),
    },
)

merge_heads = Exercise(
    "1.3 merge the heads",
    lambda heads: heads.transpose(1, 2).flatten(2),
    ((_random(2, 3, 5, 4),), (_random(2, 4, 4, 3),)),
    {
        "it reshapes without moving the heads first, and so mixes tokens": lambda x: x.reshape(
            x.shape[0], x.shape[2], x.shape[1] * x.shape[3]
        ),
        "each token has its numbers, but interleaved; head after head is wanted": lambda x: x.permute(
            0, 2, 3, 1
        ).flatten(2),
        "the heads are averaged; they must stand side by side": lambda x: x.mean(dim=1),
        "the heads are added; they must stand side by side": lambda x: x.sum(dim=1),
        "the heads follow one another as tokens; they must stand side by side in each token": lambda x: x.flatten(1, 2),
        "the heads are moved, but not flattened into the width": lambda x: x.transpose(1, 2),
    },
)


def _cross(x, memory, W_Q, W_K, W_V, scale=None, dim=-1) -> Tensor:
    query, key, value = x @ W_Q, memory @ W_K, memory @ W_V
    return _softmax(query @ key.mT * (scale or query.shape[-1] ** -0.5), dim) @ value


cross_attention = Exercise(
    "1.4 cross-attention",
    _cross,
    (
        (_random(4, 6), _random(9, 6), *_random(3, 6, 6) / 2),
        (_random(5, 8), _random(1, 5, 8)[0], *_random(3, 8, 8) / 2),
    ),
    {
        "the parts are exchanged: x asks, memory is looked at": lambda x, m, q, k, v: _cross(m, x, q, k, v),
        "the values come from x; it is memory that is averaged": lambda x, m, q, k, v: (
            _softmax(x @ q @ (m @ k).mT / q.shape[-1] ** 0.5) @ (x @ v)
        ),
        "the keys come from x, so x looks at itself": lambda x, m, q, k, v: (
            _softmax(x @ q @ (x @ k).mT / q.shape[-1] ** 0.5) @ (m @ v)
        ),
        "this is self-attention: memory is not used": lambda x, m, q, k, v: _cross(x, x, q, k, v),
        "W_K and W_V are exchanged": lambda x, m, q, k, v: _cross(x, m, q, v, k),
        "the scores are not divided by √d": lambda x, m, q, k, v: _cross(x, m, q, k, v, scale=1.0),
        "the scores are divided by d, not by its square root": lambda x, m, q, k, v: _cross(x, m, q, k, v, 1 / len(q)),
        "the softmax runs over the tokens that ask; it must run over memory": lambda x, m, q, k, v: _cross(
            x, m, q, k, v, dim=-2
        ),
    },
)

cross_attention_macs = Exercise(
    "1.5 count cross-attention",
    lambda k, m, d: 2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d,
    ((7, 5, 3), (64, 256, 32)),
    {
        "the projections are missing": lambda k, m, d: 2 * k * m * d,
        "that is self-attention: keys and values run over m tokens": lambda k, m, d: 4 * k * d**2 + 2 * k**2 * d,
        "all four projections run over k tokens; two of them run over m": lambda k, m, d: 4 * k * d**2 + 2 * k * m * d,
        "W_O is missing": lambda k, m, d: k * d**2 + 2 * m * d**2 + 2 * k * m * d,
        "the pairs are counted once; scores and weighted means each need them": lambda k, m, d: (
            2 * k * d**2 + 2 * m * d**2 + k * m * d
        ),
        "there are k · m pairs, not k²": lambda k, m, d: 2 * k * d**2 + 2 * m * d**2 + 2 * k**2 * d,
        "there are k · m pairs, not m²": lambda k, m, d: 2 * k * d**2 + 2 * m * d**2 + 2 * m**2 * d,
        "those are operations; one multiply–accumulate is two of them": lambda k, m, d: (
            4 * k * d**2 + 4 * m * d**2 + 4 * k * m * d
        ),
    },
)
