"""Attempts at the exercises of notebook 02: two correct ones each, and wrong ones with the remark they must get."""

import torch
from torch.nn import functional as F


def softmax(scores):
    exponentials = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    return exponentials / exponentials.sum(dim=-1, keepdim=True)


RIGHT = {
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
}

WRONG = {
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
        (lambda d: d, "the score projection is missing"),
        (lambda d: 2 * d, "overtake the projections"),
        (lambda d: d + 0.5, "must be doubled"),
        (lambda d: 2 * d + 2, "scores and weighted means each need one"),
        (lambda d: 3 * d + 1, "projections of multi-head attention are missing"),
        (lambda d: 1 + (d + 1) ** 0.5, "pools first"),
        (lambda d: d * d, "is wanted"),
    ],
}
