"""Attempts at the exercises of notebook 01: two correct ones each, and wrong ones with the remark they must get."""

import torch
from torch.nn import functional as F


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


RIGHT = {
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

WRONG = {
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
