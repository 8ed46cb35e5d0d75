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

from mvit2_lib.course import checks
from mvit2_lib.course.checks.exercise import Exercise, choice, random, softmax
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


# The frame of all checks, on exercises of its own


def say(attempt, right, *cases, mistakes=None, **options):
    """Return the remark on an attempt in a made-up exercise."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        Exercise("a title", right, tuple(cases), mistakes or {}, **options)(attempt)
    title, _, remark = printed.getvalue().rstrip("\n").partition(": ")
    assert title == "a title"
    return remark


def double(x):
    return 2 * x


def test_an_attempt_that_is_done_for_some_cases_only_is_not_done_yet():
    def stops(x):
        if x == 2:
            raise NotImplementedError
        return 2 * x

    for attempt in (stops, lambda x: 2 * x if x == 1 else None, lambda x: 2 * x if x == 1 else ...):
        assert say(attempt, double, (1,), (2,)) == "not done yet"


def test_rounding_errors_are_forgiven_and_nothing_larger():
    x = random(3, 4)
    assert say(lambda x: 2 * x * (1 + 1e-6), double, (x,)) == "right"
    assert say(lambda x: 2 * x * (1 + 1e-3), double, (x,)).startswith(
        "not yet: the shape is right, but numbers are off"
    )
    assert say(lambda x: 2 * x * (1 + 1e-8), double, (50,)) == "right"
    assert say(lambda x: 2 * x + 0.01, double, (50,)) == "not yet: for 50 it returned 100.01, but 100 is wanted"


def test_the_first_wrong_case_is_named_where_its_arguments_are_simple():
    assert say(lambda x: x + 1, double, (1,), (4,)) == "not yet: for 4 it returned 5, but 8 is wanted"
    assert say(lambda x: x, double, (torch.ones(2),)) == "not yet: the shape is right, but numbers are off by up to 1"


def test_the_remark_says_how_far_numbers_are_off_and_which_shape_is_wanted():
    x = torch.zeros(2, 3)
    wrong = torch.tensor([[0, 0.5, 0], [0, 0, -0.25]])
    assert say(lambda x: x + wrong, double, (x,)) == "not yet: the shape is right, but numbers are off by up to 0.5"
    assert say(lambda x: x.T, double, (x,)) == "not yet: the result has shape [3, 2], but [2, 3] is wanted"
    assert say(lambda x: x[:1], double, (x,)) == "not yet: the result has shape [1, 3], but [2, 3] is wanted"
    assert say(lambda x: wrong / wrong, double, (x,)) == "not yet: the result holds NaN"
    assert say(lambda x: x + torch.nan, lambda x: x * torch.nan, (x,)) == "right"  # where NaN is what is wanted


def test_of_several_results_the_wrong_one_is_named():
    def both(x):
        return x, 2 * x

    assert say(lambda x: (x, 2 * x), both, (3,)) == "right"
    assert say(lambda x: (x, x), both, (3,)) == "not yet: for 3 number 2 is wrong: it returned 3, but 6 is wanted"
    assert say(lambda x: (x,), both, (3,)) == "not yet: for 3 it returned 1 things, but 2 are wanted"
    assert say(lambda x: x, both, (3,)) == "not yet: for 3 it returned a int, but a tuple is wanted"


def test_an_error_is_reported_by_the_first_line_of_its_message():
    def fails(message):
        def attempt(x):
            raise KeyError(*message)

        return attempt

    assert say(fails(()), double, (1,)) == "not yet: for 1 it raised KeyError: without a message"
    assert say(lambda x: int("a\nb"), double, (1,)).startswith("not yet: for 1 it raised ValueError: invalid literal")

    def two_lines(x):
        raise RuntimeError("first\nsecond")

    assert say(two_lines, double, (1,)) == "not yet: for 1 it raised RuntimeError: first"


def test_an_error_that_is_wanted_must_be_of_the_wanted_kind():
    assert say(lambda x: [][x], lambda x: [][0], (1,)) == "right"
    assert say(lambda x: {}[x], lambda x: [][0], (1,)) == "not yet: for 1 it raised KeyError: 1"


def test_an_attempt_that_works_in_place_is_told_so_and_spoils_no_later_case():
    x = torch.ones(2)
    for _ in range(2):
        remark = say(lambda x: x.mul_(2), double, (x,))
        assert remark == "not yet: it raised ValueError: it changes its input in place: work on a copy"
    assert torch.equal(x, torch.ones(2))


def test_work_is_counted_in_every_case_and_as_much_as_the_budget_is_right():
    def products(x):
        return x @ x.T

    small, large = random(2, 3), random(5, 3)
    assert say(products, products, (small,), budget=lambda x: 12) == "right"
    expected = "not yet: the numbers are right, but take 75 multiply–accumulates where 12 are enough"
    assert say(products, products, (small,), (large,), budget=lambda x: 12) == expected
    assert say(products, products, (small,), (large,)) == "right"


def test_attempts_run_without_gradients():
    seen = []
    say(lambda x: seen.append(torch.is_grad_enabled()), double, (1,))
    assert seen == [False]


def test_a_mistake_is_recognised_by_its_results_in_all_cases():
    mistakes = {"you forgot to double": lambda x: x, "you squared": lambda x: x**2}
    assert say(lambda x: 1 * x, double, (2,), (3,), mistakes=mistakes) == "not yet: you forgot to double"
    assert say(lambda x: x * x, double, (2,), (3,), mistakes=mistakes) == "not yet: you squared"
    assert say(lambda x: x if x == 2 else 0, double, (2,), (3,), mistakes=mistakes) == (
        "not yet: for 2 it returned 2, but 4 is wanted"
    )


def test_the_numbers_of_the_checks_are_the_same_every_time_and_a_choice_is_the_largest_score():
    assert torch.equal(random(3, 4), random(3, 4))
    assert random(3, 4).unique().numel() == 12
    scores = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 4.0]])
    assert choice(scores).tolist() == [[0, 1, 0], [1, 0, 0]]
    torch.testing.assert_close(softmax(scores).sum(dim=-1), torch.ones(2))
    torch.testing.assert_close(softmax(scores, dim=0).sum(dim=0), torch.ones(3))
