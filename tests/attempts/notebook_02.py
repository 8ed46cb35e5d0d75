"""Attempts at the exercises of notebook 02: correct ones, and wrong ones with the remark they must get."""

import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv


def softmax(scores):
    exponentials = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    return exponentials / exponentials.sum(dim=-1, keepdim=True)


class Separable(nn.Module):
    dim = -2

    def __init__(self, dim):
        super().__init__()
        self.W_I, self.W_K, self.W_V, self.W_O = (nn.Linear(dim, width) for width in (1, dim, dim, dim))

    def gate(self, x):
        return x.clamp(min=0)

    def last(self, x):
        return self.W_O(x)

    def forward(self, x):
        c_s = self.W_I(x).softmax(self.dim if x.ndim > 2 else -2)
        return self.last(c_s.mT @ self.W_K(x) * self.gate(self.W_V(x)))


def several_by_loop(x, W_I, W_K):
    parts = (x @ W_K).chunk(W_I.shape[1], dim=-1)
    return torch.cat([(x @ W_I[:, [i]]).softmax(1).mT @ part for i, part in enumerate(parts)], dim=-1)


RIGHT = {
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
    "separable_module": [mv.SeparableSelfAttention, Separable],
    "several_questions": [several_by_loop],
}

WRONG = {
    "pooled_context_vector": [
        (lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K + b_K, "the bias is added once;"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K, "the bias is missing"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ x @ W_K + c_s.sum() * b_K, "each picture needs its own sum"),
        (lambda x, c_s, W_K, b_K: (c_s.mT @ x + b_K) @ W_K, "before W_K"),
        (lambda x, c_s, W_K, b_K: c_s.mT @ (x @ W_K + b_K), "are plenty"),
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
        (lambda x, memory, fused: RIGHT["separable_cross_attention"][0](memory, x, fused), "the parts are exchanged"),
        (lambda x, memory, fused: RIGHT["separable_cross_attention"][0](x, x, fused), "memory is not used"),
        (lambda x, memory, fused: RIGHT["separable_cross_attention"][0](memory, memory, fused), "must come from x"),
        (
            lambda x, memory, fused: RIGHT["separable_cross_attention"][0](
                x, memory, torch.cat([fused[:1], fused[1:].roll(x.shape[1], 0)])
            ),
            "W_K and W_V are exchanged",
        ),
        (lambda x, memory, fused: RIGHT["separable_cross_attention"][0](x, memory, fused.roll(1, 0)), "last row"),
        (
            lambda x, memory, fused: (
                ((memory @ fused[0]).softmax(0) @ memory @ fused[1 : 1 + x.shape[1]])
                * F.relu(x @ fused[1 + x.shape[1] :])
            ),
            "stored transposed",
        ),
        (
            lambda x, memory, fused: RIGHT["separable_cross_attention"][0](
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
        (lambda d: d, "one too small"),
        (lambda d: 2 * d, "overtake the projections"),
        (lambda d: d + 0.5, "must be doubled"),
        (lambda d: 2 * d + 2, "twice the right k"),
        (lambda d: 3 * d + 1, "projections of multi-head attention are missing"),
        (lambda d: 1 + (d + 1) ** 0.5, "pools first"),
        (lambda d: d * d, "is wanted"),
    ],
    "separable_module": [
        (type("NoGate", (Separable,), {"gate": lambda self, x: x}), "the ReLU is missing"),
        (type("Tokens", (Separable,), {"dim": 1}), "the softmax runs over axis 1"),
        (type("Last", (Separable,), {"last": lambda self, x: x}), "W_O is missing"),
    ],
    "several_questions": [
        (lambda x, W_I, W_K: several_by_loop(x, W_I.flip(1), W_K), "in reverse order"),
        (lambda x, W_I, W_K: several_by_loop(x, W_I, torch.eye(len(W_K))), "W_K is missing"),
        (lambda x, W_I, W_K: several_by_loop(x, W_I[:, :1].expand(W_I.shape), W_K), "by the first question"),
    ],
}
