"""The checks of the exercises accept what is right, name the mistake in what is wrong, and know an empty stub."""

import contextlib
import importlib
import io
import re
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mvit2_lib import checks
from mvit2_lib.checks.exercise import Exercise
from mvit2_lib.model import make_divisible

SOURCES = sorted((Path(__file__).parents[1] / "notebooks" / "source").glob("*.py"))


def solutions():
    """Return the function each exercise cell of the notebooks defines, by the name of its check."""
    found = {}
    for source in SOURCES:
        for cell in jupytext.read(source).cells:
            if "exercise" in cell.metadata.get("tags", []):
                code, name, argument = re.fullmatch(r"(.*)\nchecks\.(\w+)\((\w+)\)", cell.source, re.DOTALL).groups()
                namespace = {"torch": torch, "np": np, "F": F, "nn": nn, "make_divisible": make_divisible}
                exec(code, namespace)
                found[name] = namespace[argument]
    return found


SOLUTIONS = solutions()
EXERCISES = {name: check for name, check in vars(checks).items() if isinstance(check, Exercise)}


# Two correct solutions each, written in another way than the notebook's; and wrong ones as a learner might write them,
# each with a word of the remark that it must get.
ATTEMPTS = [importlib.import_module(f"attempts.notebook_{number:02}") for number in range(1, 8)]
OTHERWISE_WRITTEN = {name: right for module in ATTEMPTS for name, right in module.RIGHT.items()}
MUTANTS = {name: wrong for module in ATTEMPTS for name, wrong in module.WRONG.items()}


def verdict(name, attempt):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        EXERCISES[name](attempt)
    (line,) = printed.getvalue().splitlines()
    title, _, remark = line.partition(": ")
    assert title == EXERCISES[name].name
    return remark


def named(table):
    return [
        pytest.param(name, entry, id=f"{name}-{index}") for name in table for index, entry in enumerate(table[name], 1)
    ]


def test_every_exercise_has_a_check_and_every_check_is_tested():
    assert SOLUTIONS.keys() == EXERCISES.keys() == MUTANTS.keys() == OTHERWISE_WRITTEN.keys()
    for name in EXERCISES:
        assert len(MUTANTS[name]) >= 4
        assert len(OTHERWISE_WRITTEN[name]) >= 2


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_of_the_notebook_is_accepted(name):
    assert verdict(name, SOLUTIONS[name]) == "right"


@pytest.mark.parametrize(("name", "attempt"), named(OTHERWISE_WRITTEN))
def test_correct_solutions_written_otherwise_are_accepted(name, attempt):
    assert verdict(name, attempt) == "right"


@pytest.mark.parametrize(("name", "mutant"), named(MUTANTS))
def test_mutants_are_rejected_with_a_remark_that_fits(name, mutant):
    attempt, expected = mutant
    remark = verdict(name, attempt)
    assert remark.startswith("not yet: ")
    assert expected in remark


def stub(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("empty", [stub, lambda *arguments: None, lambda *arguments: ...], ids=["stub", "none", "dots"])
def test_an_empty_stub_is_not_done_yet(name, empty):
    assert verdict(name, empty) == "not done yet"


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (lambda: 0, "it raised TypeError"),
        (lambda *arguments: 1 / 0, "it raised ZeroDivisionError: division by zero"),
        (lambda *arguments: "a string", "it returned "),
        (None, "it raised TypeError"),
    ],
    ids=["no arguments", "error", "string", "no function"],
)
def test_a_broken_attempt_is_reported_and_never_raised(name, attempt, expected):
    assert expected in verdict(name, attempt)


@pytest.mark.parametrize("name", EXERCISES)
def test_remarks_are_the_same_every_time(name):
    attempts = [attempt for attempt, _ in MUTANTS[name]]
    assert [verdict(name, attempt) for attempt in attempts] == [verdict(name, attempt) for attempt in attempts]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_remarks_of_a_check_describe_different_results(name):
    exercise = EXERCISES[name]
    for remark, mistake in exercise.mistakes.items():
        assert verdict(name, mistake) == f"not yet: {remark}"
