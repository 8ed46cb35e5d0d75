"""The checks of the exercises accept what is right, name the mistake in what is wrong, and know an empty stub."""

import contextlib
import io
import re
from pathlib import Path

import jupytext
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mvit2_lib import checks

SOURCES = sorted((Path(__file__).parents[1] / "notebooks" / "source").glob("*.py"))


def solutions():
    """Return the function each exercise cell of the notebooks defines, by the name of its check."""
    found = {}
    for source in SOURCES:
        for cell in jupytext.read(source).cells:
            if "exercise" in cell.metadata.get("tags", []):
                code, name, argument = re.fullmatch(r"(.*)\nchecks\.(\w+)\((\w+)\)", cell.source, re.DOTALL).groups()
                namespace = {"torch": torch, "F": F, "nn": nn}
                exec(code, namespace)
                found[name] = namespace[argument]
    return found


SOLUTIONS = solutions()
EXERCISES = {name: check for name, check in vars(checks).items() if isinstance(check, checks.Exercise)}


def softmax(scores):
    exponentials = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    return exponentials / exponentials.sum(dim=-1, keepdim=True)


def looped_attention(query, key):
    rows = []
    for q in query:
        scores = torch.stack([(q * k).sum() for k in key]) / query.shape[1] ** 0.5
        rows.append(scores.softmax(dim=0))
    return torch.stack(rows)


def cross(x, memory, W_Q, W_K, W_V):
    return F.scaled_dot_product_attention((x @ W_Q)[None], (memory @ W_K)[None], (memory @ W_V)[None])[0]


def looped_cross(x, memory, W_Q, W_K, W_V):
    rows = []
    for token in x:
        scores = (memory @ W_K) @ (token @ W_Q) / W_Q.shape[1] ** 0.5
        rows.append((scores.softmax(dim=0)[:, None] * (memory @ W_V)).sum(dim=0))
    return torch.stack(rows)


# Two correct solutions each, written in another way than the notebook's.
OTHERWISE_WRITTEN = {
    "attention_weights": [
        looped_attention,
        lambda query, key: softmax(torch.einsum("id,jd->ij", query / query.shape[-1] ** 0.5, key)),
    ],
    "stable_softmax": [
        lambda scores: torch.exp(scores - scores.logsumexp(dim=-1, keepdim=True)),
        lambda scores: softmax(scores.double()).to(scores.dtype),
    ],
    "merge_heads": [
        lambda heads: torch.cat(list(heads.unbind(dim=1)), dim=-1),
        lambda heads: heads.permute(0, 2, 1, 3).reshape(heads.shape[0], heads.shape[2], -1),
    ],
    "cross_attention": [cross, looped_cross],
    "cross_attention_macs": [
        lambda k, m, d: 2 * d * (k * d + m * d + k * m),
        lambda k, m, d: sum([k * d * d, m * d * d, m * d * d, k * m * d, k * m * d, k * d * d]),
    ],
}

# Wrong solutions as a learner might write them, and a word of the remark that each must get.
MUTANTS = {
    "attention_weights": [
        (lambda query, key: (query @ key.mT).softmax(dim=-1), "not divided by √d"),
        (lambda query, key: (query @ key.mT / query.shape[-1]).softmax(dim=-1), "by d, not by its square root"),
        (lambda query, key: (query @ key.mT * query.shape[-1] ** 0.5).softmax(dim=-1), "must shrink"),
        (lambda query, key: (query @ key.mT / len(key) ** 0.5).softmax(dim=-1), "number of tokens for the width"),
        (lambda query, key: torch.eye(len(key))[(query @ key.mT).argmax(dim=-1)], "single winner"),
        (lambda query, key: (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=0), "columns add up to one"),
        (
            lambda query, key: (key @ query.mT / query.shape[-1] ** 0.5).softmax(dim=-1),
            "rows and columns are exchanged",
        ),
        (lambda query, key: query @ key.mT / query.shape[-1] ** 0.5, "the softmax is missing"),
        (lambda query, key: query + key, "shape"),
    ],
    "stable_softmax": [
        (lambda scores: scores.exp() / scores.exp().sum(dim=-1, keepdim=True), "large scores overflow"),
        (lambda scores: (scores - scores.max()).exp() / (scores - scores.max()).exp().sum(-1, True), "its own"),
        (lambda s: (s - s.mean(-1, True)).exp() / (s - s.mean(-1, True)).exp().sum(-1, True), "subtracting the mean"),
        (lambda scores: softmax(scores.mT).mT, "over the wrong axis"),
        (lambda scores: scores.softmax(dim=0), "axis"),
        (lambda scores: (scores.flatten() - scores.max()).softmax(dim=0).reshape(scores.shape), "each row must"),
        (lambda scores: (scores == scores.amax(dim=-1, keepdim=True)).float(), "single winner"),
        (lambda scores: (scores - scores.amax(dim=-1, keepdim=True)).exp(), "divide them by their sum"),
        (lambda scores: softmax(scores.sub_(scores.amax(dim=-1, keepdim=True))), "changes its input"),
    ],
    "merge_heads": [
        (lambda heads: heads.reshape(len(heads), heads.shape[2], -1), "reshapes without moving"),
        (lambda heads: heads.permute(0, 2, 3, 1).flatten(2), "interleaved"),
        (lambda heads: heads.mean(dim=1), "averaged"),
        (lambda heads: heads.sum(dim=1), "added"),
        (lambda heads: torch.cat(list(heads.unbind(dim=1)), dim=1), "follow one another as tokens"),
        (lambda heads: heads.transpose(1, 2), "not flattened"),
        (lambda heads: heads.flatten(3), "shape"),
    ],
    "cross_attention": [
        (lambda x, memory, W_Q, W_K, W_V: cross(memory, x, W_Q, W_K, W_V), "the parts are exchanged"),
        (
            lambda x, memory, W_Q, W_K, W_V: (
                ((x @ W_Q) @ (memory @ W_K).mT / W_Q.shape[1] ** 0.5).softmax(dim=-1) @ (x @ W_V)
            ),
            "the values come from x",
        ),
        (
            lambda x, memory, W_Q, W_K, W_V: (
                ((x @ W_Q) @ (x @ W_K).mT / W_Q.shape[1] ** 0.5).softmax(dim=-1) @ (memory @ W_V)
            ),
            "the keys come from x",
        ),
        (lambda x, memory, W_Q, W_K, W_V: cross(x, x, W_Q, W_K, W_V), "memory is not used"),
        (lambda x, memory, W_Q, W_K, W_V: cross(x, memory, W_Q, W_V, W_K), "W_K and W_V are exchanged"),
        (
            lambda x, memory, W_Q, W_K, W_V: ((x @ W_Q) @ (memory @ W_K).mT).softmax(dim=-1) @ (memory @ W_V),
            "not divided by √d",
        ),
        (
            lambda x, memory, W_Q, W_K, W_V: (
                ((x @ W_Q) @ (memory @ W_K).mT / W_Q.shape[1]).softmax(dim=-1) @ (memory @ W_V)
            ),
            "by d, not by its square root",
        ),
        (
            lambda x, memory, W_Q, W_K, W_V: (
                ((x @ W_Q) @ (memory @ W_K).mT / W_Q.shape[1] ** 0.5).softmax(dim=0) @ (memory @ W_V)
            ),
            "must run over memory",
        ),
    ],
    "cross_attention_macs": [
        (lambda k, m, d: 2 * k * m * d, "projections are missing"),
        (lambda k, m, d: 4 * k * d * d + 2 * k * k * d, "self-attention"),
        (lambda k, m, d: 4 * k * d * d + 2 * k * m * d, "two of them run over m"),
        (lambda k, m, d: (k + 2 * m) * d * d + 2 * k * m * d, "W_O is missing"),
        (lambda k, m, d: 2 * (k + m) * d * d + k * m * d, "counted once"),
        (lambda k, m, d: 2 * (k + m) * d * d + 2 * k * k * d, "not k²"),
        (lambda k, m, d: 2 * (k + m) * d * d + 2 * m * m * d, "not m²"),
        (lambda k, m, d: 4 * (k + m) * d * d + 4 * k * m * d, "one multiply–accumulate is two"),
        (lambda k, m, d: k * m, "is wanted"),
    ],
}


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
        (lambda *arguments: "a string", "it returned a str"),
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
