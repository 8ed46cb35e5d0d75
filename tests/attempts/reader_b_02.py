"""Attempts of a cold reader at notebook 02: written before any of them was run through a check."""

import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class _Separable(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.W_I, self.W_K = nn.Linear(dim, 1), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)


class Einsum(_Separable):
    def forward(self, x):
        weights = torch.softmax(self.W_I(x).squeeze(-1), dim=-1)
        context = torch.einsum("...k,...kd->...d", weights, self.W_K(x))
        return self.W_O(torch.einsum("...d,...kd->...kd", context, torch.relu(self.W_V(x))))


class TokenLoop(_Separable):
    def forward(self, x):
        flat = x.reshape(-1, *x.shape[-2:])
        results = []
        for tokens in flat:
            e = torch.exp(self.W_I(tokens) - self.W_I(tokens).max())
            c_s = e / e.sum()
            c_v = sum(c_s[i] * self.W_K(tokens[i]) for i in range(len(tokens)))
            rows = [self.W_O(c_v * self.W_V(t).clamp(min=0)) for t in tokens]
            results.append(torch.stack(rows))
        return torch.stack(results).reshape(x.shape)


class MatrixProduct(_Separable):
    def forward(self, x):
        c_s = F.softmax(self.W_I(x), -2)
        gate = self.W_V(x)
        gate = gate * (gate > 0)
        return self.W_O((c_s.mT @ self.W_K(x)) * gate)


class PooledAndInPlace(_Separable):
    def forward(self, x):
        c_v = self.W_K((self.W_I(x).softmax(-2) * x).sum(-2, keepdim=True))
        y = self.W_V(x).relu_()
        y *= c_v
        return self.W_O(y)


class Functional(_Separable):
    def forward(self, x):
        c_s = (x @ self.W_I.weight.T + self.W_I.bias).softmax(dim=-2)
        keys = x @ self.W_K.weight.T + self.W_K.bias
        gates = F.relu(x @ self.W_V.weight.T + self.W_V.bias)
        c_v = (c_s * keys).sum(dim=-2, keepdim=True).expand_as(x)
        return c_v * gates @ self.W_O.weight.T + self.W_O.bias


class SoftmaxLast(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-1) * self.W_K(x)).sum(-2, keepdim=True)
        return self.W_O(c_v * self.W_V(x).relu())


class SoftmaxAxisOne(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(1) * self.W_K(x)).sum(-2, keepdim=True)
        return self.W_O(c_v * self.W_V(x).relu())


class SumAxisOne(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(1, keepdim=True)
        return self.W_O(c_v * self.W_V(x).relu())


class NoKeepdim(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(-2)
        return self.W_O(c_v * self.W_V(x).relu())


class NoReLU(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(-2, keepdim=True)
        return self.W_O(c_v * self.W_V(x))


class ReLUOfProduct(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(-2, keepdim=True)
        return self.W_O((c_v * self.W_V(x)).relu())


class NoOutputLayer(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(-2, keepdim=True)
        return c_v * self.W_V(x).relu()


class KeyAndValueSwapped(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_V(x)).sum(-2, keepdim=True)
        return self.W_O(c_v * self.W_K(x).relu())


class MeanForSum(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).mean(-2, keepdim=True)
        return self.W_O(c_v * self.W_V(x).relu())


class RootOfWidth(_Separable):
    def forward(self, x):
        c_s = (self.W_I(x) / math.sqrt(x.shape[-1])).softmax(-2)
        c_v = (c_s * self.W_K(x)).sum(-2, keepdim=True)
        return self.W_O(c_v * self.W_V(x).relu())


class AddedNotMultiplied(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(-2, keepdim=True)
        return self.W_O(c_v + self.W_V(x).relu())


class NoSummary(_Separable):
    def forward(self, x):
        return self.W_O(self.W_I(x).softmax(-2) * self.W_K(x) * self.W_V(x).relu())


class Sigmoid(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(-2, keepdim=True)
        return self.W_O(c_v * self.W_V(x).sigmoid())


class NoSoftmax(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x) * self.W_K(x)).sum(-2, keepdim=True)
        return self.W_O(c_v * self.W_V(x).relu())


class Residual(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(-2, keepdim=True)
        return x + self.W_O(c_v * self.W_V(x).relu())


class BiasForgotten(_Separable):
    def forward(self, x):
        c_v = ((x @ self.W_I.weight.T).softmax(-2) * (x @ self.W_K.weight.T)).sum(-2, keepdim=True)
        return self.W_O(c_v * (x @ self.W_V.weight.T).relu())


class NothingReturned(_Separable):
    def forward(self, x):
        c_v = (self.W_I(x).softmax(-2) * self.W_K(x)).sum(-2, keepdim=True)
        self.W_O(c_v * self.W_V(x).relu())


def pool_loop(x, c_s, W_K, b_K):
    results = []
    for tokens, scores in zip(x, c_s, strict=True):
        pooled, total = torch.zeros_like(tokens[0]), 0
        for token, score in zip(tokens, scores, strict=True):
            pooled = pooled + score * token
            total = total + score
        results.append((pooled @ W_K + total * b_K)[None])
    return torch.stack(results)


def pool_einsum(x, c_s, W_K, b_K):
    pooled = torch.einsum("bko,bkd->bod", c_s, x)
    return torch.einsum("bod,de->boe", pooled, W_K) + c_s.sum(1, keepdim=True) * b_K


def pool_product(x, c_s, W_K, b_K):
    return torch.baddbmm(c_s.sum(dim=1, keepdim=True) * b_K, c_s.mT @ x, W_K.expand(len(x), -1, -1))


def pool_linear(x, c_s, W_K, b_K):
    vector = (x * c_s).sum(-2)
    y = F.linear(vector, W_K.T)
    y += c_s.sum(-2) * b_K
    return y.unsqueeze(1)


def pool_with_ones(x, c_s, W_K, b_K):
    extended = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)
    return (c_s * extended).sum(1, keepdim=True) @ torch.cat([W_K, b_K[None]])


def pool_double(x, c_s, W_K, b_K):
    x, c_s, W_K, b_K = x.double(), c_s.double(), W_K.double(), b_K.double()
    return ((c_s * x).sum(1, keepdim=True) @ W_K + b_K * c_s.sum(1, keepdim=True)).float()


def pool_project_first(x, c_s, W_K, b_K):
    return (c_s * (x @ W_K + b_K)).sum(-2, keepdim=True)


def pool_plain_bias(x, c_s, W_K, b_K):
    return (c_s * x).sum(-2, keepdim=True) @ W_K + b_K


def pool_no_bias(x, c_s, W_K, b_K):
    return (c_s * x).sum(-2, keepdim=True) @ W_K


def pool_k_biases(x, c_s, W_K, b_K):
    return (c_s * x).sum(-2, keepdim=True) @ W_K + b_K * x.shape[-2]


def pool_no_keepdim(x, c_s, W_K, b_K):
    return (c_s * x).sum(-2) @ W_K + b_K * c_s.sum(-2)


def pool_sum_of_batch(x, c_s, W_K, b_K):
    return (c_s * x).sum(-2, keepdim=True) @ W_K + b_K * c_s.sum()


def pool_normalised(x, c_s, W_K, b_K):
    c_s = c_s / c_s.sum(-2, keepdim=True)
    return (c_s * x).sum(-2, keepdim=True) @ W_K + b_K


def pool_softmax(x, c_s, W_K, b_K):
    c_s = c_s.softmax(-2)
    return (c_s * x).sum(-2, keepdim=True) @ W_K + b_K


def pool_transposed(x, c_s, W_K, b_K):
    return (c_s * x).sum(-2, keepdim=True) @ W_K.mT + b_K * c_s.sum(-2, keepdim=True)


def pool_sum_times_all(x, c_s, W_K, b_K):
    return ((c_s * x).sum(-2, keepdim=True) @ W_K + b_K) * c_s.sum(-2, keepdim=True)


def pool_mean(x, c_s, W_K, b_K):
    return (c_s * x).mean(-2, keepdim=True) @ W_K + b_K * c_s.mean(-2, keepdim=True)


def pool_scores_forgotten(x, c_s, W_K, b_K):
    return x.sum(-2, keepdim=True) @ W_K + b_K * c_s.sum(-2, keepdim=True)


def pool_axis_zero(x, c_s, W_K, b_K):
    return (c_s * x).sum(0, keepdim=True) @ W_K + b_K * c_s.sum(0, keepdim=True)


def pool_for_every_token(x, c_s, W_K, b_K):
    pooled = (c_s * x).sum(-2, keepdim=True) @ W_K + b_K * c_s.sum(-2, keepdim=True)
    return pooled.expand_as(x)


def pool_bias_inside(x, c_s, W_K, b_K):
    return ((c_s * x).sum(-2, keepdim=True) + b_K) @ W_K


def pool_after_all_projected(x, c_s, W_K, b_K):
    return (c_s * (x @ W_K)).sum(-2, keepdim=True) + b_K * c_s.sum(-2, keepdim=True)


def cross_split(x, memory, fused):
    d = x.shape[-1]
    w_i, w_k, w_v = fused.split([1, d, d])
    c_s = F.linear(memory, w_i).softmax(dim=0)
    return (c_s * F.linear(memory, w_k)).sum(0) * F.linear(x, w_v).relu()


def cross_loop(x, memory, fused):
    d = x.shape[1]
    scores = torch.stack([m.dot(fused[0]) for m in memory])
    weights = scores.exp() / scores.exp().sum()
    context = torch.zeros(d, dtype=x.dtype)
    for weight, m in zip(weights, memory, strict=True):
        context += weight * (fused[1 : d + 1] @ m)
    return torch.stack([context * (fused[d + 1 :] @ token).clamp(min=0) for token in x])


def cross_einsum(x, memory, fused):
    d = x.size(-1)
    c_s = torch.einsum("md,d->m", memory, fused[0]).softmax(-1)
    pooled = torch.einsum("m,md->d", c_s, memory)
    return torch.einsum("d,ed->e", pooled, fused[1 : 1 + d]) * torch.relu(x @ fused[-d:].mT)


def cross_numpy(x, memory, fused):
    a, m, w = (np.asarray(t.detach(), dtype=np.float64) for t in (x, memory, fused))
    d = a.shape[1]
    e = np.exp(m @ w[0] - (m @ w[0]).max())
    context = (e / e.sum()) @ (m @ w[1 : 1 + d].T)
    return torch.from_numpy(context * np.maximum(a @ w[1 + d :].T, 0)).to(x.dtype)


def cross_all_at_once(x, memory, fused):
    d = (len(fused) - 1) // 2
    query, key, _ = (memory @ fused.mT).tensor_split([1, 1 + d], dim=-1)
    gates = (x @ fused.mT)[:, 1 + d :].relu_()
    gates *= query.softmax(0).mT @ key
    return gates


def _cross(x, memory, w_i, w_k, w_v):
    return ((memory @ w_i.mT).softmax(-2) * (memory @ w_k.mT)).sum(-2, keepdim=True) * (x @ w_v.mT).relu()


def cross_one_row(x, memory, fused):
    d = x.shape[-1]
    return _cross(x, memory, fused[:1], fused[1:2], fused[1 + d :])


def cross_one_row_of_values(x, memory, fused):
    d = x.shape[-1]
    return _cross(x, memory, fused[:1], fused[1 : 1 + d], fused[1 + d : 2 + d])


def cross_off_by_one(x, memory, fused):
    d = x.shape[-1]
    return _cross(x, memory, fused[:1], fused[:d], fused[d : 2 * d])


def cross_key_and_value_swapped(x, memory, fused):
    d = x.shape[-1]
    return _cross(x, memory, fused[:1], fused[1 + d :], fused[1 : 1 + d])


def cross_not_transposed(x, memory, fused):
    d = x.shape[-1]
    return _cross(x, memory, fused[:1], fused[1 : 1 + d].mT, fused[1 + d :].mT)


def cross_roles_swapped(x, memory, fused):
    d = x.shape[-1]
    return _cross(memory, x, fused[:1], fused[1 : 1 + d], fused[1 + d :])


def cross_scores_of_x(x, memory, fused):
    d = x.shape[-1]
    c_s = (x @ fused[:1].mT).softmax(-2)
    return (c_s * (memory @ fused[1 : 1 + d].mT)).sum(-2, keepdim=True) * (x @ fused[1 + d :].mT).relu()


def cross_gate_of_memory(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(-2)
    return (c_s * (memory @ fused[1 : 1 + d].mT)).sum(-2, keepdim=True) * (memory @ fused[1 + d :].mT).relu()


def cross_self(x, memory, fused):
    d = x.shape[-1]
    return _cross(x, x, fused[:1], fused[1 : 1 + d], fused[1 + d :])


def cross_softmax_last(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(-1)
    return (c_s * (memory @ fused[1 : 1 + d].mT)).sum(-2, keepdim=True) * (x @ fused[1 + d :].mT).relu()


def cross_no_relu(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(-2)
    return (c_s * (memory @ fused[1 : 1 + d].mT)).sum(-2, keepdim=True) * (x @ fused[1 + d :].mT)


def cross_mean(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(-2)
    return (c_s * (memory @ fused[1 : 1 + d].mT)).mean(-2, keepdim=True) * (x @ fused[1 + d :].mT).relu()


def cross_context_only(x, memory, fused):
    d = x.shape[-1]
    return ((memory @ fused[:1].mT).softmax(-2) * (memory @ fused[1 : 1 + d].mT)).sum(-2, keepdim=True)


def cross_relu_of_product(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(-2)
    return ((c_s * (memory @ fused[1 : 1 + d].mT)).sum(-2, keepdim=True) * (x @ fused[1 + d :].mT)).relu()


def cross_score_row_last(x, memory, fused):
    d = x.shape[-1]
    return _cross(x, memory, fused[-1:], fused[:d], fused[d : 2 * d])


def several_loop(x, W_I, W_K):
    h, parts = W_I.shape[1], []
    width = W_K.shape[1] // h
    for i in range(h):
        c_s = (x @ W_I[:, i : i + 1]).softmax(1)
        parts.append((c_s * (x @ W_K[:, i * width : (i + 1) * width])).sum(1, keepdim=True))
    return torch.cat(parts, dim=-1)


def several_einsum(x, W_I, W_K):
    keys = (x @ W_K).unflatten(-1, (W_I.shape[-1], -1))
    return torch.einsum("bkh,bkhe->bhe", (x @ W_I).softmax(1), keys).flatten(1)[:, None]


def several_repeat(x, W_I, W_K):
    c_s = torch.softmax(x @ W_I, dim=-2).repeat_interleave(W_K.shape[1] // W_I.shape[1], dim=-1)
    return (c_s * (x @ W_K)).sum(-2, keepdim=True)


def several_chunks(x, W_I, W_K):
    pairs = zip((x @ W_I).softmax(1).split(1, dim=-1), (x @ W_K).chunk(W_I.size(1), dim=-1), strict=True)
    return torch.cat([s.mT @ part for s, part in pairs], -1)


def several_heads_in_front(x, W_I, W_K):
    B, k, d = x.shape
    h = W_I.shape[1]
    keys = (x @ W_K).view(B, k, h, d // h).permute(0, 2, 1, 3)
    scores = (x @ W_I).softmax(dim=1).permute(0, 2, 1)[:, :, None]
    return (scores @ keys).reshape(B, 1, d)


def _several(c_s, keys, h):
    return (c_s[..., None] * keys.unflatten(-1, (h, -1))).sum(1).flatten(-2)[:, None]


def several_softmax_of_questions(x, W_I, W_K):
    return _several((x @ W_I).softmax(-1), x @ W_K, W_I.shape[1])


def several_softmax_of_batch(x, W_I, W_K):
    return _several((x @ W_I).softmax(0), x @ W_K, W_I.shape[1])


def several_softmax_of_both(x, W_I, W_K):
    return _several((x @ W_I).flatten(1).softmax(-1).view(*x.shape[:2], -1), x @ W_K, W_I.shape[1])


def several_strided(x, W_I, W_K):
    h = W_I.shape[1]
    keys = (x @ W_K).unflatten(-1, (-1, h))
    return ((x @ W_I).softmax(1)[:, :, None] * keys).sum(1).flatten(-2)[:, None]


def several_not_moved_back(x, W_I, W_K):
    h = W_I.shape[1]
    keys = (x @ W_K).unflatten(-1, (h, -1))
    return ((x @ W_I).softmax(1)[..., None] * keys).sum(1).mT.flatten(-2)[:, None]


def several_reshaped_at_once(x, W_I, W_K):
    B, k, d = x.shape
    h = W_I.shape[1]
    keys = (x @ W_K).reshape(B, h, k, d // h)
    return ((x @ W_I).softmax(1).mT[..., None] * keys).sum(2).reshape(B, 1, d)


def several_first_question(x, W_I, W_K):
    return ((x @ W_I[:, :1]).softmax(1) * (x @ W_K)).sum(1, keepdim=True)


def several_mean_of_questions(x, W_I, W_K):
    return ((x @ W_I).softmax(1).mean(-1, keepdim=True) * (x @ W_K)).sum(1, keepdim=True)


def several_shape(x, W_I, W_K):
    return _several((x @ W_I).softmax(1), x @ W_K, W_I.shape[1])[:, 0]


def several_not_flat(x, W_I, W_K):
    return ((x @ W_I).softmax(1)[..., None] * (x @ W_K).unflatten(-1, (W_I.shape[1], -1))).sum(1)


def several_full_keys(x, W_I, W_K):
    return (x @ W_I).softmax(1).mT @ (x @ W_K)


def several_tiled(x, W_I, W_K):
    c_s = (x @ W_I).softmax(1).repeat(1, 1, W_K.shape[1] // W_I.shape[1])
    return (c_s * (x @ W_K)).sum(1, keepdim=True)


def several_tokens_for_keys(x, W_I, W_K):
    return _several((x @ W_I).softmax(1), x, W_I.shape[1])


def several_transposed(x, W_I, W_K):
    return _several((x @ W_I).softmax(1), x @ W_K.mT, W_I.shape[1])


def several_mean(x, W_I, W_K):
    return _several((x @ W_I).softmax(1) / x.shape[1], x @ W_K, W_I.shape[1])


def several_no_softmax(x, W_I, W_K):
    return _several(x @ W_I, x @ W_K, W_I.shape[1])


def several_reversed(x, W_I, W_K):
    return _several((x @ W_I).softmax(1).flip(-1), x @ W_K, W_I.shape[1])


def several_rooted(x, W_I, W_K):
    return _several((x @ W_I / math.sqrt(x.shape[-1])).softmax(1), x @ W_K, W_I.shape[1])


def several_two(x, W_I, W_K):
    c_s, keys = (x @ W_I).softmax(1), x @ W_K
    half = keys.shape[-1] // 2
    parts = [(c_s[..., :1] * keys[..., :half]).sum(1), (c_s[..., 1:2] * keys[..., half:]).sum(1)]
    return torch.cat(parts, -1)[:, None]


def twice_search(d):
    k = 1
    while 4 * k * d**2 + 2 * k**2 * d != 2 * (3 * k * d**2 + k * d):
        k += 1
    return k


def twice_roots(d):
    return float(max(np.roots([2 * d, 4 * d**2 - 6 * d**2 - 2 * d, 0])))


ATTEMPTS = [
    ("separable_module", "right", "einsum, and a softmax without the last axis", Einsum),
    ("separable_module", "right", "loops over pictures and tokens", TokenLoop),
    ("separable_module", "right", "matrix product of scores and keys", MatrixProduct),
    ("separable_module", "right", "pooled before projecting, gates in place", PooledAndInPlace),
    ("separable_module", "right", "weights and biases by hand", Functional),
    ("separable_module", "wrong", "softmax over the last axis", SoftmaxLast),
    ("separable_module", "wrong", "softmax over axis 1, counted from the front", SoftmaxAxisOne),
    ("separable_module", "wrong", "sum over axis 1, counted from the front", SumAxisOne),
    ("separable_module", "wrong", "axis not kept in the sum", NoKeepdim),
    ("separable_module", "wrong", "no ReLU", NoReLU),
    ("separable_module", "wrong", "ReLU of the product, not of the gate", ReLUOfProduct),
    ("separable_module", "wrong", "W_O forgotten", NoOutputLayer),
    ("separable_module", "wrong", "W_K and W_V swapped", KeyAndValueSwapped),
    ("separable_module", "wrong", "mean for the weighted sum", MeanForSum),
    ("separable_module", "wrong", "scores divided by the root of the width", RootOfWidth),
    ("separable_module", "wrong", "gate added, not multiplied", AddedNotMultiplied),
    ("separable_module", "wrong", "keys never summed", NoSummary),
    ("separable_module", "wrong", "sigmoid for ReLU", Sigmoid),
    ("separable_module", "wrong", "no softmax", NoSoftmax),
    ("separable_module", "wrong", "input added to the result", Residual),
    ("separable_module", "wrong", "biases of W_K and W_V forgotten", BiasForgotten),
    ("separable_module", "wrong", "nothing returned", NothingReturned),
    ("pooled_context_vector", "right", "loops", pool_loop),
    ("pooled_context_vector", "right", "einsum", pool_einsum),
    ("pooled_context_vector", "right", "baddbmm", pool_product),
    ("pooled_context_vector", "right", "F.linear, bias in place", pool_linear),
    ("pooled_context_vector", "right", "bias as one more row of the matrix", pool_with_ones),
    ("pooled_context_vector", "right", "in float64, and back", pool_double),
    ("pooled_context_vector", "wrong", "projects every token first", pool_project_first),
    ("pooled_context_vector", "wrong", "bias not multiplied by the sum of the scores", pool_plain_bias),
    ("pooled_context_vector", "wrong", "bias forgotten", pool_no_bias),
    ("pooled_context_vector", "wrong", "bias times k", pool_k_biases),
    ("pooled_context_vector", "wrong", "axis of the tokens not kept", pool_no_keepdim),
    ("pooled_context_vector", "wrong", "scores summed over the whole batch", pool_sum_of_batch),
    ("pooled_context_vector", "wrong", "scores made to add up to one", pool_normalised),
    ("pooled_context_vector", "wrong", "softmax of the scores", pool_softmax),
    ("pooled_context_vector", "wrong", "W_K transposed", pool_transposed),
    ("pooled_context_vector", "wrong", "sum of the scores multiplies the projection too", pool_sum_times_all),
    ("pooled_context_vector", "wrong", "mean over the tokens for the sum", pool_mean),
    ("pooled_context_vector", "wrong", "tokens summed without the scores", pool_scores_forgotten),
    ("pooled_context_vector", "wrong", "summed over the batch", pool_axis_zero),
    ("pooled_context_vector", "wrong", "repeated for every token", pool_for_every_token),
    ("pooled_context_vector", "wrong", "bias added before the projection", pool_bias_inside),
    ("pooled_context_vector", "wrong", "bias right, but every token projected", pool_after_all_projected),
    ("separable_cross_attention", "right", "split and F.linear", cross_split),
    ("separable_cross_attention", "right", "loops", cross_loop),
    ("separable_cross_attention", "right", "einsum, pooled first", cross_einsum),
    ("separable_cross_attention", "right", "NumPy in float64, and back", cross_numpy),
    ("separable_cross_attention", "right", "one product for all projections, in place", cross_all_at_once),
    ("separable_cross_attention", "wrong", "one row for W_K", cross_one_row),
    ("separable_cross_attention", "wrong", "one row for W_V", cross_one_row_of_values),
    ("separable_cross_attention", "wrong", "W_K and W_V start one row early", cross_off_by_one),
    ("separable_cross_attention", "wrong", "W_K and W_V swapped", cross_key_and_value_swapped),
    ("separable_cross_attention", "wrong", "W_K and W_V not transposed", cross_not_transposed),
    ("separable_cross_attention", "wrong", "x and memory swapped", cross_roles_swapped),
    ("separable_cross_attention", "wrong", "scores of x for the keys of memory", cross_scores_of_x),
    ("separable_cross_attention", "wrong", "gates of memory", cross_gate_of_memory),
    ("separable_cross_attention", "wrong", "memory never used", cross_self),
    ("separable_cross_attention", "wrong", "softmax over the last axis", cross_softmax_last),
    ("separable_cross_attention", "wrong", "no ReLU", cross_no_relu),
    ("separable_cross_attention", "wrong", "mean for the weighted sum", cross_mean),
    ("separable_cross_attention", "wrong", "no gate", cross_context_only),
    ("separable_cross_attention", "wrong", "ReLU of the product, not of the gate", cross_relu_of_product),
    ("separable_cross_attention", "wrong", "last row taken for W_I", cross_score_row_last),
    ("several_questions", "right", "loop over the questions", several_loop),
    ("several_questions", "right", "einsum", several_einsum),
    ("several_questions", "right", "scores repeated", several_repeat),
    ("several_questions", "right", "chunks", several_chunks),
    ("several_questions", "right", "heads in front, matrix products", several_heads_in_front),
    ("several_questions", "wrong", "softmax over the questions", several_softmax_of_questions),
    ("several_questions", "wrong", "softmax over the batch", several_softmax_of_batch),
    ("several_questions", "wrong", "softmax over tokens and questions together", several_softmax_of_both),
    ("several_questions", "wrong", "every h-th column is a part", several_strided),
    ("several_questions", "wrong", "parts interleaved in the result", several_not_moved_back),
    ("several_questions", "wrong", "keys reshaped at once to heads in front", several_reshaped_at_once),
    ("several_questions", "wrong", "first question only", several_first_question),
    ("several_questions", "wrong", "mean of the questions' scores", several_mean_of_questions),
    ("several_questions", "wrong", "axis of the tokens not kept", several_shape),
    ("several_questions", "wrong", "parts not put side by side", several_not_flat),
    ("several_questions", "wrong", "each question averages the whole keys", several_full_keys),
    ("several_questions", "wrong", "scores tiled, not repeated entry by entry", several_tiled),
    ("several_questions", "wrong", "tokens averaged, not keys", several_tokens_for_keys),
    ("several_questions", "wrong", "W_K transposed", several_transposed),
    ("several_questions", "wrong", "mean for the weighted sum", several_mean),
    ("several_questions", "wrong", "no softmax", several_no_softmax),
    ("several_questions", "wrong", "questions in reversed order", several_reversed),
    ("several_questions", "wrong", "scores divided by the root of the width", several_rooted),
    ("several_questions", "wrong", "works for two questions only", several_two),
    ("twice_as_much", "right", "search by counting up", twice_search),
    ("twice_as_much", "right", "roots of the polynomial", twice_roots),
    ("twice_as_much", "right", "NumPy integer", lambda d: np.int64(d) + 1),
    ("twice_as_much", "right", "0-d tensor", lambda d: torch.tensor(d + 1)),
    ("twice_as_much", "right", "fraction", lambda d: Fraction(6 * d + 2 - 4 * d, 2)),
    ("twice_as_much", "wrong", "separable cost without kd", lambda d: d),
    ("twice_as_much", "wrong", "where the two halves of multi-head attention are equal", lambda d: 2 * d),
    ("twice_as_much", "wrong", "where the two cost the same", lambda d: (1 - d) / 2),
    ("twice_as_much", "wrong", "factor two on the wrong side", lambda d: (1 - 5 * d) / 4),
    ("twice_as_much", "wrong", "the right-hand side not doubled in its second term", lambda d: d + 0.5),
    ("twice_as_much", "wrong", "the 2 of 2k not divided out", lambda d: 2 * d + 2),
    ("twice_as_much", "wrong", "pooled form in place of the paper's", lambda d: 1 + math.sqrt(1 + d)),
    ("twice_as_much", "wrong", "weighted sum counted besides", lambda d: d + 2),
    ("twice_as_much", "wrong", "sign of the last step", lambda d: d - 1),
    ("twice_as_much", "wrong", "the worked value for width 64 only", lambda d: 65),
    ("twice_as_much", "wrong", "printed, not returned", lambda d: print(d + 1)),
    ("twice_as_much", "wrong", "returned as text", lambda d: f"k = {d + 1}"),
    ("twice_as_much", "wrong", "the cost in place of k", lambda d: 4 * (d + 1) * d**2 + 2 * (d + 1) ** 2 * d),
]
