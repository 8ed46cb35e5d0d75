"""The exercises of notebook 01."""

import torch
from torch import Tensor

from .exercise import Exercise, choice, random, softmax

attention_weights = Exercise(
    "1.1 scaled attention",
    lambda q, k: softmax(q @ k.mT / q.shape[-1] ** 0.5),
    ((random(5, 9), random(1, 5, 9)[0]), (random(4, 16), random(7, 16))),
    {
        "the scores are not divided by √d": lambda q, k: softmax(q @ k.mT),
        "the scores are divided by d, not by its square root": lambda q, k: softmax(q @ k.mT / q.shape[-1]),
        "the scores are multiplied by √d; they must shrink": lambda q, k: softmax(q @ k.mT * q.shape[-1] ** 0.5),
        "the scale takes the number of tokens for the width": lambda q, k: softmax(q @ k.mT / k.shape[-2] ** 0.5),
        "each row picks a single winner; the softmax shares the weight out": lambda q, k: choice(q @ k.mT),
        "the columns add up to one, but the rows must: softmax over the last axis": lambda q, k: softmax(
            q @ k.mT / q.shape[-1] ** 0.5, -2
        ),
        "the weights are divided by √d after the softmax; the scores must be, before it": lambda q, k: (
            softmax(q @ k.mT) / q.shape[-1] ** 0.5
        ),
        "rows and columns are exchanged: a row belongs to a query": lambda q, k: softmax(k @ q.mT / q.shape[-1] ** 0.5),
        "these are the scores; the softmax is missing": lambda q, k: q @ k.mT / q.shape[-1] ** 0.5,
    },
)

stable_softmax = Exercise(
    "1.2 a softmax that survives",
    softmax,
    ((random(5, 7),), (200 * random(2, 3, 4),), (torch.tensor([[1000.0, 999.0, 0.0], [-300.0, -301.0, -299.0]]),)),
    {
        "large scores overflow: subtract the largest of each row first": lambda s: s.exp() / s.exp().sum(-1, True),
        "one maximum for all rows is not enough, a row far below it underflows: each row needs its own": lambda s: (
            (s - s.max()).exp() / (s - s.max()).exp().sum(-1, True)
        ),
        "subtracting the mean is not enough, the largest score still overflows": lambda s: (
            (s - s.mean(-1, True)).exp() / (s - s.mean(-1, True)).exp().sum(-1, True)
        ),
        "subtracting the smallest makes the largest larger still: subtract the largest": lambda s: (
            (s - s.amin(-1, True)).exp() / (s - s.amin(-1, True)).exp().sum(-1, True)
        ),
        "the weights add up to one over the wrong axis: it must be the last": lambda s: softmax(s, -2),
        "the weights add up to one over the first axis: it must be the last": lambda s: softmax(s, 0),
        "the weights of the whole tensor add up to one; each row must": lambda s: softmax(s.flatten()).reshape(s.shape),
        "each row picks a single winner; the softmax shares the weight out": choice,
        "these are the exponentials; divide them by their sum": lambda s: (s - s.amax(-1, True)).exp(),
    },
)

merge_heads = Exercise(
    "1.3 merge the heads",
    lambda heads: heads.transpose(1, 2).flatten(2),
    ((random(2, 3, 5, 4),), (random(2, 4, 4, 3),)),
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
    return softmax(query @ key.mT * (scale or query.shape[-1] ** -0.5), dim) @ value


cross_attention = Exercise(
    "1.4 cross-attention",
    _cross,
    (
        (random(4, 6), random(9, 6), *random(3, 6, 6) / 2),
        (random(5, 8), random(1, 5, 8)[0], *random(3, 8, 8) / 2),
    ),
    {
        "the parts are exchanged: x asks, memory is looked at": lambda x, m, q, k, v: _cross(m, x, q, k, v),
        "the values come from x; it is memory that is averaged": lambda x, m, q, k, v: (
            softmax(x @ q @ (m @ k).mT / q.shape[-1] ** 0.5) @ (x @ v)
        ),
        "the keys come from x, so x looks at itself": lambda x, m, q, k, v: (
            softmax(x @ q @ (x @ k).mT / q.shape[-1] ** 0.5) @ (m @ v)
        ),
        "this is self-attention: memory is not used": lambda x, m, q, k, v: _cross(x, x, q, k, v),
        "W_V is missing: memory is averaged as it is": lambda x, m, q, k, v: (
            softmax(x @ q @ (m @ k).mT / q.shape[-1] ** 0.5) @ m
        ),
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
        "W_O runs over the k tokens that ask, not over m": lambda k, m, d: k * d**2 + 3 * m * d**2 + 2 * k * m * d,
        "three of the projections run over k tokens; only two of them do": lambda k, m, d: (
            3 * k * d**2 + m * d**2 + 2 * k * m * d
        ),
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
