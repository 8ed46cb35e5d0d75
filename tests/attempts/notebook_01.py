"""Attempts at the exercises of notebook 01: correct ones, and wrong ones with the remark they must get."""

import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv


def softmax(scores):
    exponentials = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    return exponentials / exponentials.sum(dim=-1, keepdim=True)


def cross(x, memory, W_Q, W_K, W_V):
    return F.scaled_dot_product_attention((x @ W_Q)[None], (memory @ W_K)[None], (memory @ W_V)[None])[0]


def looped_cross(x, memory, W_Q, W_K, W_V):
    rows = []
    for token in x:
        scores = (memory @ W_K) @ (token @ W_Q) / W_Q.shape[1] ** 0.5
        rows.append((scores.softmax(dim=0)[:, None] * (memory @ W_V)).sum(dim=0))
    return torch.stack(rows)


class OneByOne(nn.Module):
    """One head after another, with the parts that a mistake replaces."""

    scale, dim = None, -1

    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.W_Q, self.W_K = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def value(self, x):
        return self.W_V(x)

    def last(self, x):
        return self.W_O(x)

    def forward(self, x):
        parts = (part.chunk(self.num_heads, -1) for part in (self.W_Q(x), self.W_K(x), self.value(x)))
        heads = []
        for query, key, value in zip(*parts, strict=True):
            scores = query @ key.mT * (self.scale or query.shape[-1] ** -0.5)
            heads.append(scores.softmax(self.dim) @ value)
        return self.last(torch.cat(heads, -1))


def cycle_by_inverse(x):
    inverse = torch.linalg.pinv(x)
    W_Q, W_K = torch.zeros(4, 4), torch.zeros(4, 4)
    W_Q[:, [1, 2, 0]], W_K[:, :3] = 20 * inverse, inverse
    return W_Q, W_K


def cycle_by_training(x):
    W_Q, W_K = (torch.randn(4, 4, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.Adam([W_Q, W_K], lr=0.1)
    for _ in range(150):
        loss = F.cross_entropy((x @ W_Q) @ (x @ W_K).mT / 2, torch.tensor([1, 2, 0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return W_Q, W_K


RIGHT = {
    "stable_softmax": [
        lambda scores: softmax(scores.double()).to(scores.dtype),
    ],
    "cross_attention": [cross, looped_cross],
    "cross_attention_macs": [
        lambda k, m, d: 2 * d * (k * d + m * d + k * m),
        lambda k, m, d: sum([k * d * d, m * d * d, m * d * d, k * m * d, k * m * d, k * d * d]),
    ],
    "multi_head_module": [mv.MultiHeadSelfAttention, OneByOne],
    "cycle": [cycle_by_inverse, lambda x: tuple(W.tolist() for W in cycle_by_inverse(x)), cycle_by_training],
}

WRONG = {
    "stable_softmax": [
        (lambda scores: scores.exp() / scores.exp().sum(dim=-1, keepdim=True), "large scores overflow"),
        (lambda scores: (scores - scores.max()).exp() / (scores - scores.max()).exp().sum(-1, True), "its own"),
        (lambda s: (s - s.mean(-1, True)).exp() / (s - s.mean(-1, True)).exp().sum(-1, True), "subtracting the mean"),
        (lambda s: (s - s.amin(-1, True)).exp() / (s - s.amin(-1, True)).exp().sum(-1, True), "subtract the largest"),
        (lambda s: (s.double().exp() / s.double().exp().sum(dim=-1, keepdim=True)).float(), "in double precision too"),
        (lambda scores: scores.softmax(dim=0), "axis"),
        (lambda scores: (scores.flatten() - scores.max()).softmax(dim=0).reshape(scores.shape), "each row must"),
        (lambda scores: (scores == scores.amax(dim=-1, keepdim=True)).float(), "single winner"),
        (lambda scores: (scores - scores.amax(dim=-1, keepdim=True)).exp(), "divide them by their sum"),
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
        (lambda k, m, d: k * m, "number of scores"),
    ],
    "multi_head_module": [
        (type("NoScale", (OneByOne,), {"scale": 1.0}), "not divided by √d_h"),
        (type("Last", (OneByOne,), {"last": lambda self, x: x}), "W_O is missing"),
        (type("Queries", (OneByOne,), {"dim": -2}), "every row of the map must add up to one"),
        (
            type("NoBias", (OneByOne,), {"value": lambda self, x: x @ self.W_V.weight.mT}),
            "the bias of W_V is missing",
        ),
    ],
    "cycle": [
        (lambda x: cycle_by_inverse(torch.tensor([[2.0, 1, 0, 1], [1, 2, 0, 1], [0, 0, 2, 1]])), "compute them from x"),
        (lambda x: cycle_by_inverse(x)[::-1], "the other way round"),
        (lambda x: tuple(0.1 * W for W in cycle_by_inverse(x)), "make the scores larger"),
        (lambda x: (-cycle_by_inverse(x)[0], cycle_by_inverse(x)[1]), "the sign is wrong"),
    ],
}
