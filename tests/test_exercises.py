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
from mvit2_lib.checks.exercise import Exercise

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
EXERCISES = {name: check for name, check in vars(checks).items() if isinstance(check, Exercise)}


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
    "context_scores": [
        lambda x, W_I: torch.stack([softmax((picture @ W_I).T).T for picture in x]),
        lambda x, W_I: F.softmax(torch.einsum("bkd,do->bko", x, W_I), dim=-2),
    ],
    "context_vector": [
        lambda x, c_s, W_K, b_K: c_s.mT @ (x @ W_K + b_K),
        lambda x, c_s, W_K, b_K: sum(c_s[:, i : i + 1] * (x[:, i : i + 1] @ W_K + b_K) for i in range(x.shape[1])),
    ],
    "gate_and_mix": [
        lambda x, c_v, W_V, W_O: torch.einsum("bkd,bod,de->bke", (x @ W_V).clamp(min=0), c_v, W_O),
        lambda x, c_v, W_V, W_O: F.linear(F.relu(F.linear(x, W_V.T)) * c_v, W_O.T),
    ],
    "pooled_context_vector": [
        lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K + c_s.sum(dim=1, keepdim=True) * b_K,
        lambda x, c_s, W_K, b_K: torch.einsum("bko,bkd->bod", c_s, x) @ W_K + torch.einsum("bko,d->bod", c_s, b_K),
    ],
    "separable_cross_attention": [
        lambda x, memory, fused: (
            ((memory @ fused[0]).softmax(dim=0) @ memory @ fused[1 : 1 + x.shape[1]].T)
            * F.relu(x @ fused[1 + x.shape[1] :].T)
        ),
        lambda x, memory, fused: (
            ((memory @ fused.T)[:, :1].softmax(dim=0) * (memory @ fused.T)[:, 1 : x.shape[1] + 1]).sum(dim=0)
            * (x @ fused.T)[:, x.shape[1] + 1 :].clamp(min=0)
        ),
    ],
    "twice_as_much": [lambda d: d + 1, lambda d: (6 * d**2 + 2 * d - 4 * d**2) / (2 * d)],
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
        (lambda query, key: (query @ key.mT).softmax(dim=-1) / query.shape[-1] ** 0.5, "after the softmax"),
        (lambda query, key: query + key, "shape"),
    ],
    "stable_softmax": [
        (lambda scores: scores.exp() / scores.exp().sum(dim=-1, keepdim=True), "large scores overflow"),
        (lambda scores: (scores - scores.max()).exp() / (scores - scores.max()).exp().sum(-1, True), "its own"),
        (lambda s: (s - s.mean(-1, True)).exp() / (s - s.mean(-1, True)).exp().sum(-1, True), "subtracting the mean"),
        (lambda s: (s - s.amin(-1, True)).exp() / (s - s.amin(-1, True)).exp().sum(-1, True), "subtract the largest"),
        (lambda s: (s.double().exp() / s.double().exp().sum(dim=-1, keepdim=True)).float(), "NaN"),
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
        (lambda x, memory, W_Q, W_K, W_V: cross(x, memory, W_Q, W_K, torch.eye(len(W_V))), "W_V is missing"),
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
    "context_scores": [
        (lambda x, W_I: (x @ W_I).softmax(dim=-1), "every score is 1"),
        (lambda x, W_I: (x @ W_I).softmax(dim=0), "over the pictures of the batch"),
        (lambda x, W_I: x.softmax(dim=-1) @ W_I, "over the channels"),
        (lambda x, W_I: (x @ W_I).flatten().softmax(dim=0).reshape(len(x), -1, 1), "those of each picture must"),
        (lambda x, W_I: x @ W_I, "before the softmax"),
        (lambda x, W_I: torch.sigmoid(x @ W_I), "sigmoid"),
        (lambda x, W_I: (x @ W_I / len(W_I) ** 0.5).softmax(dim=1), "has no scale"),
        (lambda x, W_I: (x @ W_I)[..., 0].softmax(dim=-1), "the last axis is gone"),
        (lambda x, W_I: (x @ W_I == (x @ W_I).amax(dim=1, keepdim=True)).float(), "takes everything"),
    ],
    "context_vector": [
        (lambda x, c_s, W_K, b_K: (x @ W_K + b_K).mean(dim=1, keepdim=True), "equal weights"),
        (lambda x, c_s, W_K, b_K: (x @ W_K + b_K).sum(dim=1, keepdim=True), "without their weights"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K, "the bias b_K is missing"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ (x @ W_K + b_K) @ W_K, "W_K is applied twice"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ ((x @ W_K + b_K) @ W_K + b_K), "applied twice"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ (F.linear(x, W_K, b_K)), "W_K is transposed"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ x, "not projected to keys"),
        (lambda x, c_s, W_K, b_K: c_s * (x @ W_K + b_K), "not summed"),
        (lambda x, c_s, W_K, b_K: (c_s * (x @ W_K + b_K)).mean(dim=1, keepdim=True), "averaged once more"),
        (lambda x, c_s, W_K, b_K: (c_s * (x @ W_K + b_K)).sum(dim=1), "keep it"),
    ],
    "gate_and_mix": [
        (lambda x, c_v, W_V, W_O: (c_v * (x @ W_V)) @ W_O, "the ReLU is missing"),
        (lambda x, c_v, W_V, W_O: (c_v.relu() * (x @ W_V)) @ W_O, "on the context vector"),
        (lambda x, c_v, W_V, W_O: (c_v.relu() * (x @ W_V).relu()) @ W_O, "on both factors"),
        (lambda x, c_v, W_V, W_O: (c_v * (x @ W_V)).relu() @ W_O, "on the product"),
        (lambda x, c_v, W_V, W_O: ((c_v * (x @ W_V)) @ W_O).relu(), "on the output"),
        (lambda x, c_v, W_V, W_O: (c_v + (x @ W_V).relu()) @ W_O, "added"),
        (lambda x, c_v, W_V, W_O: c_v * (x @ W_V).relu(), "W_O is missing"),
        (lambda x, c_v, W_V, W_O: c_v * ((x @ W_V).relu() @ W_O), "belongs to the product"),
        (lambda x, c_v, W_V, W_O: (c_v * x.relu()) @ W_O, "W_V is missing"),
        (lambda x, c_v, W_V, W_O: (c_v * (x @ W_O).relu()) @ W_V, "exchanged"),
        (lambda x, c_v, W_V, W_O: (c_v * (x @ W_V).sigmoid()) @ W_O, "numbers are off"),
    ],
    "pooled_context_vector": [
        (lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K + b_K, "the bias is added once;"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K, "the bias is missing"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K + c_s.sum() * b_K, "each picture needs its own sum"),
        (lambda x, c_s, W_K, b_K: (c_s.mT @ x + b_K) @ W_K, "before W_K"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ (x @ W_K + b_K), "are enough"),
        (lambda x, c_s, W_K, b_K: (c_s * (x @ W_K + b_K)).sum(dim=1, keepdim=True), "the numbers are right, but take"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K + len(x[0]) * b_K, "once for each token"),
        (lambda x, c_s, W_K, b_K: (c_s / c_s.sum(1, True)).mT @ x @ W_K + b_K, "made to add up to one"),
        (lambda x, c_s, W_K, b_K: x.mean(1, True) @ W_K + c_s.sum(1, True) * b_K, "equal weights"),
        (lambda x, c_s, W_K, b_K: (c_s.mT @ x @ W_K + c_s.sum(1, True) * b_K) / len(x[0]), "where the sum is meant"),
        (lambda x, c_s, W_K, b_K: (x.sum(1, True) @ W_K + b_K) * c_s.sum(1, True), "weighed with the sum"),
    ],
    "separable_cross_attention": [
        (
            lambda x, memory, fused: (
                ((memory @ fused[0]).softmax(0) @ memory @ fused[1 : 1 + x.shape[1]].T)
                * F.relu(x @ fused[x.shape[1] + 1])[:, None]
            ),
            "one row where a range is meant",
        ),
        (lambda x, memory, fused: SOLUTIONS["separable_cross_attention"](memory, x, fused), "the parts are exchanged"),
        (lambda x, memory, fused: SOLUTIONS["separable_cross_attention"](x, x, fused), "memory is not used"),
        (lambda x, memory, fused: SOLUTIONS["separable_cross_attention"](memory, memory, fused), "must come from x"),
        (
            lambda x, memory, fused: SOLUTIONS["separable_cross_attention"](
                x, memory, torch.cat([fused[:1], fused[1:].roll(x.shape[1], 0)])
            ),
            "W_K and W_V are exchanged",
        ),
        (lambda x, memory, fused: SOLUTIONS["separable_cross_attention"](x, memory, fused.roll(1, 0)), "last row"),
        (
            lambda x, memory, fused: (
                ((memory @ fused[0]).softmax(0) @ memory @ fused[1 : 1 + x.shape[1]])
                * F.relu(x @ fused[1 + x.shape[1] :])
            ),
            "stored transposed",
        ),
        (
            lambda x, memory, fused: SOLUTIONS["separable_cross_attention"](
                x, memory, torch.cat([fused[:1], fused[:-1]])
            ),
            "off by one",
        ),
        (
            lambda x, memory, fused: (
                ((memory @ fused[0]).softmax(0) @ memory @ fused[1 : 1 + x.shape[1]].T)
                * (x @ fused[1 + x.shape[1] :].T)
            ),
            "the ReLU is missing",
        ),
        (
            lambda x, memory, fused: (
                ((memory @ fused[:1].T).softmax(-1) * (memory @ fused[1 : 1 + x.shape[1]].T)).sum(0)
                * F.relu(x @ fused[1 + x.shape[1] :].T)
            ),
            "over the tokens of memory",
        ),
    ],
    "twice_as_much": [
        (lambda d: (1 - d) / 2, "never cross"),
        (lambda d: d, "the score projection is missing"),
        (lambda d: 2 * d, "overtake the projections"),
        (lambda d: d + 0.5, "must be doubled"),
        (lambda d: 2 * d + 2, "scores and weighted means each need one"),
        (lambda d: 3 * d + 1, "projections of multi-head attention are missing"),
        (lambda d: 1 + (d + 1) ** 0.5, "pools first"),
        (lambda d: d * d, "is wanted"),
    ],
    "cross_attention_macs": [
        (lambda k, m, d: 2 * k * m * d, "projections are missing"),
        (lambda k, m, d: 4 * k * d * d + 2 * k * k * d, "self-attention"),
        (lambda k, m, d: 4 * k * d * d + 2 * k * m * d, "two of them run over m"),
        (lambda k, m, d: (k + 2 * m) * d * d + 2 * k * m * d, "W_O is missing"),
        (lambda k, m, d: 2 * (k + m) * d * d + k * m * d, "counted once"),
        (lambda k, m, d: (k + 3 * m) * d * d + 2 * k * m * d, "W_O runs over the k tokens"),
        (lambda k, m, d: (3 * k + m) * d * d + 2 * k * m * d, "only two of them do"),
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
