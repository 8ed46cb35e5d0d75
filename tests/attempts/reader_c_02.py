"""Held-out attempts of cold reader C at the exercises of notebook 02."""

import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# ---------------------------------------------------------------- 2.1 separable attention as a module


class _Stub(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.W_I, self.W_K = nn.Linear(dim, 1), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)


class ThreeLines(_Stub):
    def forward(self, x):
        c_s = torch.softmax(self.W_I(x), dim=-2)
        c_v = torch.sum(c_s * self.W_K(x), dim=-2, keepdim=True)
        return self.W_O(c_v * torch.relu(self.W_V(x)))


class TokenLoops(_Stub):
    def forward(self, x):
        flat = x.reshape(-1, x.shape[-2], x.shape[-1])
        pictures = []
        for tokens in flat:
            exps = [self.W_I(token).exp() for token in tokens]
            total = sum(exps)
            c_v = 0
            for weight, token in zip(exps, tokens, strict=True):
                c_v = c_v + weight / total * self.W_K(token)
            rows = [self.W_O(c_v * self.W_V(token).clamp(min=0)) for token in tokens]
            pictures.append(torch.stack(rows))
        return torch.stack(pictures).reshape(x.shape)


class WithEinsum(_Stub):
    def forward(self, x):
        scores = self.W_I(x).squeeze(-1).softmax(-1)
        context = torch.einsum("...k,...kd->...d", scores, self.W_K(x))
        gated = torch.einsum("...d,...kd->...kd", context, self.W_V(x).relu())
        return self.W_O(gated)


class PooledMatmul(_Stub):
    def forward(self, x):
        weights = F.softmax(self.W_I(x), dim=-2).transpose(-1, -2)
        summary = self.W_K(weights @ x)
        gate = torch.maximum(self.W_V(x), torch.zeros(()))
        return self.W_O(gate * summary)


class FunctionalDouble(_Stub):
    def forward(self, x):
        def line(layer, z):
            return F.linear(z, layer.weight.double(), layer.bias.double())

        z = x.double()
        s = line(self.W_I, z)
        e = (s - s.amax(dim=-2, keepdim=True)).exp()
        c_s = e / e.sum(dim=-2, keepdim=True)
        c_v = (c_s * line(self.W_K, z)).sum(dim=-2).unsqueeze(-2)
        v = line(self.W_V, z)
        return line(self.W_O, c_v * v * (v > 0)).to(x.dtype)


class InPlaceExpanded(_Stub):
    def forward(self, x):
        keys = self.W_K(x)
        implied = self.W_I(x).softmax(-2).mT.expand(*x.shape[:-1], x.shape[-2])
        out = implied @ keys
        out *= F.relu(self.W_V(x))
        return self.W_O(out)


class SoftmaxLast(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-1)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class SoftmaxFirst(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=0)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class AxisOneOnly(_Stub):
    def forward(self, x):
        c_s = F.softmax(self.W_I(x), dim=1)
        c_v = (c_s * self.W_K(x)).sum(dim=1, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class NoKeepdim(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class SumOfEntries(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-1, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class MeanNotSum(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).mean(dim=-2, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class NeverSummed(_Stub):
    def forward(self, x):
        weighted = self.W_I(x).softmax(dim=-2) * self.W_K(x)
        return self.W_O(weighted * F.relu(self.W_V(x)))


class NoReLU(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = c_s.mT @ self.W_K(x)
        return self.W_O(c_v * self.W_V(x))


class ReLUAfterProduct(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(F.relu(c_v * self.W_V(x)))


class ReLUOnKeys(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x).relu()).sum(dim=-2, keepdim=True)
        return self.W_O(c_v * self.W_V(x).relu())


class SigmoidGate(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(c_v * torch.sigmoid(self.W_V(x)))


class ValuesAveraged(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_V(x)).sum(dim=-2, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_K(x)))


class NoOutput(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return c_v * F.relu(self.W_V(x))


class MixedTooEarly(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = self.W_O((c_s * self.W_K(x)).sum(dim=-2, keepdim=True))
        return c_v * F.relu(self.W_V(x))


class ScaledScores(_Stub):
    def forward(self, x):
        c_s = (self.W_I(x) / math.sqrt(x.shape[-1])).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class RawScores(_Stub):
    def forward(self, x):
        c_v = (self.W_I(x) * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class SoftmaxOfKeys(_Stub):
    def forward(self, x):
        weighted = (self.W_I(x) * self.W_K(x)).softmax(dim=-2)
        return self.W_O(weighted.sum(dim=-2, keepdim=True) * F.relu(self.W_V(x)))


class NoBiases(_Stub):
    def forward(self, x):
        c_s = (x @ self.W_I.weight.mT).softmax(dim=-2)
        c_v = (c_s * (x @ self.W_K.weight.mT)).sum(dim=-2, keepdim=True)
        return (c_v * F.relu(x @ self.W_V.weight.mT)) @ self.W_O.weight.mT


class AddsTheTokens(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return x + self.W_O(c_v * F.relu(self.W_V(x)))


class GateAdded(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(c_v + F.relu(self.W_V(x)))


class OverwritesTokens(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        x *= c_s
        c_v = self.W_K(x.sum(dim=-2, keepdim=True))
        return self.W_O(c_v * F.relu(self.W_V(x)))


class AllGroupsTogether(_Stub):
    def forward(self, x):
        tokens = x.reshape(-1, x.shape[-1])
        c_s = self.W_I(tokens).softmax(dim=0)
        c_v = (c_s * self.W_K(tokens)).sum(dim=0)
        return self.W_O(c_v * F.relu(self.W_V(tokens))).reshape(x.shape)


class TwoThings(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(c_v * F.relu(self.W_V(x))), c_s


class HardChoice(_Stub):
    def forward(self, x):
        best = self.W_I(x).argmax(dim=-2, keepdim=True).expand(*x.shape[:-2], 1, x.shape[-1])
        c_v = self.W_K(x).gather(-2, best)
        return self.W_O(c_v * F.relu(self.W_V(x)))


class GateFromSummary(_Stub):
    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)
        return self.W_O(self.W_K(x) * F.relu(self.W_V(c_v)))


# ---------------------------------------------------------------- 2.2 pool first


def pool_two_sums(x, c_s, W_K, b_K):
    pooled = (c_s * x).sum(dim=1, keepdim=True)
    total = c_s.sum(dim=1, keepdim=True)
    return pooled @ W_K + total * b_K


def pool_with_matmul(x, c_s, W_K, b_K):
    return torch.addcmul((c_s.mT @ x) @ W_K, c_s.mT.sum(dim=-1, keepdim=True), b_K)


def pool_einsum_steps(x, c_s, W_K, b_K):
    p = torch.einsum("bko,bkd->bod", c_s, x)
    return torch.einsum("bod,de->boe", p, W_K) + torch.einsum("bko,e->boe", c_s.sum(1, keepdim=True), b_K)


def pool_loops(x, c_s, W_K, b_K):
    out = torch.empty(x.shape[0], 1, W_K.shape[1], dtype=x.dtype)
    for b in range(x.shape[0]):
        pooled, total = torch.zeros_like(x[b, 0]), torch.zeros_like(c_s[b, 0, 0])
        for i in range(x.shape[1]):
            pooled += c_s[b, i] * x[b, i]
            total += c_s[b, i, 0]
        out[b, 0] = pooled @ W_K + total * b_K
    return out


def pool_extra_column(x, c_s, W_K, b_K):
    ones = torch.ones_like(x[..., :1])
    matrix = torch.cat([W_K, b_K[None]])
    return c_s.transpose(1, 2) @ torch.cat([x, ones], dim=-1) @ matrix


def pool_double_list(x, c_s, W_K, b_K):
    rows = []
    for tokens, scores in zip(x.double(), c_s.double(), strict=True):
        rows.append(F.linear(scores.T @ tokens, W_K.double().T) + scores.sum() * b_K.double())
    return torch.stack(rows).to(x.dtype)


def project_then_sum(x, c_s, W_K, b_K):
    return (c_s * (x @ W_K + b_K)).sum(dim=1, keepdim=True)


def project_then_matmul(x, c_s, W_K, b_K):
    return c_s.mT @ (x @ W_K + b_K)


def weighted_then_project_each(x, c_s, W_K, b_K):
    return ((c_s * x) @ W_K + c_s * b_K).sum(dim=1, keepdim=True)


def bias_once(x, c_s, W_K, b_K):
    return (c_s * x).sum(dim=1, keepdim=True) @ W_K + b_K


def bias_forgotten(x, c_s, W_K, b_K):
    return (c_s * x).sum(dim=1, keepdim=True) @ W_K


def bias_k_times(x, c_s, W_K, b_K):
    return (c_s * x).sum(dim=1, keepdim=True) @ W_K + x.shape[1] * b_K


def scores_normalised(x, c_s, W_K, b_K):
    c_s = c_s / c_s.sum(dim=1, keepdim=True)
    return (c_s * x).sum(dim=1, keepdim=True) @ W_K + b_K


def scores_softmaxed(x, c_s, W_K, b_K):
    c_s = c_s.softmax(dim=1)
    return (c_s * x).sum(dim=1, keepdim=True) @ W_K + c_s.sum(dim=1, keepdim=True) * b_K


def mean_of_tokens(x, c_s, W_K, b_K):
    return (c_s * x).mean(dim=1, keepdim=True) @ W_K + c_s.mean(dim=1, keepdim=True) * b_K


def one_axis_lost(x, c_s, W_K, b_K):
    return (c_s * x).sum(dim=1) @ W_K + c_s.sum(dim=1) * b_K


def matrix_transposed(x, c_s, W_K, b_K):
    return (c_s * x).sum(dim=1, keepdim=True) @ W_K.mT + c_s.sum(dim=1, keepdim=True) * b_K


def summed_over_batch(x, c_s, W_K, b_K):
    return (c_s * x).sum(dim=1, keepdim=True) @ W_K + c_s.sum() * b_K


def bias_of_first_picture(x, c_s, W_K, b_K):
    return (c_s * x).sum(dim=1, keepdim=True) @ W_K + c_s[0].sum() * b_K


def sums_apart(x, c_s, W_K, b_K):
    total = c_s.sum(dim=1, keepdim=True)
    return total * (x.sum(dim=1, keepdim=True) @ W_K) + total * b_K


def bias_before_projection(x, c_s, W_K, b_K):
    return ((c_s * x).sum(dim=1, keepdim=True) + c_s.sum(dim=1, keepdim=True) * b_K) @ W_K


def result_for_each_token(x, c_s, W_K, b_K):
    c_v = (c_s * x).sum(dim=1, keepdim=True) @ W_K + c_s.sum(dim=1, keepdim=True) * b_K
    return c_v.expand_as(x)


# ---------------------------------------------------------------- 2.3 separable cross-attention


def cross_split(x, memory, fused):
    d = x.shape[-1]
    W_I, W_K, W_V = fused.split([1, d, d])
    c_s = (memory @ W_I.mT).softmax(dim=0)
    c_v = (c_s * (memory @ W_K.mT)).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ W_V.mT)


def cross_linear_pooled(x, memory, fused):
    d = fused.shape[1]
    weights = F.linear(memory, fused[:1]).softmax(-2)
    context = F.linear(weights.T @ memory, fused[1 : d + 1])
    return F.linear(x, fused[d + 1 :]).clamp(min=0) * context


def cross_loops(x, memory, fused):
    k, d = x.shape
    scores = torch.stack([(token * fused[0]).sum() for token in memory])
    weights = torch.exp(scores - scores.max())
    weights = weights / weights.sum()
    c_v = torch.zeros(d, dtype=x.dtype)
    for j, token in enumerate(memory):
        for i in range(d):
            c_v[i] += weights[j] * (fused[1 + i] * token).sum()
    out = torch.zeros(k, d, dtype=x.dtype)
    for i in range(k):
        for j in range(d):
            gate = (fused[1 + d + j] * x[i]).sum()
            if gate > 0:
                out[i, j] = gate * c_v[j]
    return out


def cross_einsum(x, memory, fused):
    d = x.size(1)
    c_s = torch.einsum("md,d->m", memory, fused[0]).softmax(0)
    c_v = torch.einsum("m,md,ed->e", c_s, memory, fused[1 : 1 + d])
    return torch.einsum("e,ke->ke", c_v, torch.einsum("kd,ed->ke", x, fused[-d:]).relu())


def cross_numpy_like(x, memory, fused):
    d = x.shape[1]
    xs, ms, w = (t.detach().cpu().numpy().astype(np.float64) for t in (x, memory, fused))
    e = np.exp(ms @ w[0])
    c_v = (e / e.sum()) @ ms @ w[1 : d + 1].T
    return torch.from_numpy(c_v * np.maximum(xs @ w[d + 1 :].T, 0)).to(x.dtype)


def cross_project_all(x, memory, fused):
    score, key, _ = (memory @ fused.T).split([1, x.shape[1], x.shape[1]], dim=-1)
    value = (x @ fused.T)[:, -x.shape[1] :]
    return (score.softmax(dim=-2) * key).sum(-2) * value.relu()


def _cross(x, memory, fused, scored=None, averaged=None, gated=None, dim=0):
    d = x.shape[-1]
    c_s = ((memory if scored is None else scored) @ fused[:1].mT).softmax(dim=dim)
    c_v = (c_s * ((memory if averaged is None else averaged) @ fused[1 : 1 + d].mT)).sum(dim=0, keepdim=True)
    return c_v * F.relu((x if gated is None else gated) @ fused[1 + d :].mT)


def cross_softmax_last(x, memory, fused):
    return _cross(x, memory, fused, dim=-1)


def cross_roles_swapped(x, memory, fused):
    return _cross(memory, x, fused)


def cross_memory_unused(x, memory, fused):
    return _cross(x, x, fused)


def cross_memory_gated(x, memory, fused):
    return _cross(x, memory, fused, gated=memory)


def cross_x_scored(x, memory, fused):
    n = min(len(x), len(memory))
    return _cross(x, memory[:n], fused, scored=x[:n])


def cross_keys_from_x(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[0]).softmax(dim=0)
    n = min(len(x), len(memory))
    c_v = c_s[:n] @ (x[:n] @ fused[1 : 1 + d].mT)
    return c_v * F.relu(x @ fused[1 + d :].mT)


def cross_one_row(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[0][:, None]).softmax(dim=0)
    c_v = (c_s * (memory @ fused[1][:, None])).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ fused[1 + d :].mT)


def cross_value_one_row(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(dim=0)
    c_v = (c_s * (memory @ fused[1 : 1 + d].mT)).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ fused[1 + d][:, None])


def cross_not_transposed(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[0][:, None]).softmax(dim=0)
    c_v = (c_s * (memory @ fused[1 : 1 + d])).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ fused[1 + d :])


def cross_off_by_one(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(dim=0)
    c_v = (c_s * (memory @ fused[:d].mT)).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ fused[1 + d :].mT)


def cross_gate_off_by_one(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(dim=0)
    c_v = (c_s * (memory @ fused[1 : 1 + d].mT)).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ fused[d : 2 * d].mT)


def cross_key_value_swapped(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[:1].mT).softmax(dim=0)
    c_v = (c_s * (memory @ fused[1 + d :].mT)).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ fused[1 : 1 + d].mT)


def cross_question_last(x, memory, fused):
    d = x.shape[-1]
    c_s = (memory @ fused[-1:].mT).softmax(dim=0)
    c_v = (c_s * (memory @ fused[:d].mT)).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ fused[d : 2 * d].mT)


def cross_no_relu(x, memory, fused):
    W_I, W_K, W_V = fused.split([1, x.shape[-1], x.shape[-1]])
    return (memory @ W_I.T).softmax(0).T @ memory @ W_K.T * (x @ W_V.T)


def cross_relu_outside(x, memory, fused):
    W_I, W_K, W_V = fused.split([1, x.shape[-1], x.shape[-1]])
    return torch.relu((memory @ W_I.T).softmax(0).T @ memory @ W_K.T * (x @ W_V.T))


def cross_softmax_of_all(x, memory, fused):
    W_I, W_K, W_V = fused.split([1, x.shape[-1], x.shape[-1]])
    scores = torch.cat([x, memory]) @ W_I.T
    c_s = scores.softmax(0)[len(x) :]
    return (c_s * (memory @ W_K.T)).sum(0) * (x @ W_V.T).relu()


def cross_scaled(x, memory, fused):
    W_I, W_K, W_V = fused.split([1, x.shape[-1], x.shape[-1]])
    c_s = (memory @ W_I.T / x.shape[-1] ** 0.5).softmax(0)
    return (c_s * (memory @ W_K.T)).sum(0) * (x @ W_V.T).relu()


def cross_no_softmax(x, memory, fused):
    W_I, W_K, W_V = fused.split([1, x.shape[-1], x.shape[-1]])
    return ((memory @ W_I.T) * (memory @ W_K.T)).sum(0) * (x @ W_V.T).relu()


def cross_mean(x, memory, fused):
    W_I, W_K, W_V = fused.split([1, x.shape[-1], x.shape[-1]])
    return ((memory @ W_I.T).softmax(0) * (memory @ W_K.T)).mean(0) * (x @ W_V.T).relu()


# ---------------------------------------------------------------- 2.4 several questions


def several_unflatten(x, W_I, W_K):
    h = W_I.shape[-1]
    c_s = (x @ W_I).softmax(dim=-2)[..., None]
    keys = (x @ W_K).unflatten(-1, (h, -1))
    return (c_s * keys).sum(dim=-3, keepdim=True).flatten(-2)


def several_list(x, W_I, W_K):
    parts = (x @ W_K).chunk(W_I.shape[1], dim=-1)
    out = []
    for i, part in enumerate(parts):
        weights = torch.softmax(x @ W_I[:, i], dim=1)
        out.append((weights[:, :, None] * part).sum(dim=1, keepdim=True))
    return torch.cat(out, dim=-1)


def several_einsum(x, W_I, W_K):
    B, k, d = x.shape
    h = W_I.shape[1]
    c_s = torch.einsum("bkd,dh->bkh", x, W_I).softmax(1)
    return torch.einsum("bkh,bkhe->bhe", c_s, (x @ W_K).view(B, k, h, d // h)).reshape(B, 1, d)


def several_repeat_interleave(x, W_I, W_K):
    weights = (x @ W_I).softmax(dim=1).repeat_interleave(x.shape[2] // W_I.shape[1], dim=2)
    return (weights * (x @ W_K)).sum(1)[:, None]


def several_pooled(x, W_I, W_K):
    d, h = W_I.shape
    pooled = (x @ W_I).softmax(-2).mT @ x
    blocks = W_K.reshape(d, h, d // h).permute(1, 0, 2)
    return (pooled.unsqueeze(-2) @ blocks).reshape(len(x), 1, d)


def several_loops(x, W_I, W_K):
    B, k, d = x.shape
    h = W_I.shape[1]
    width = d // h
    out = torch.zeros(B, 1, d, dtype=torch.float64)
    for b in range(B):
        for i in range(h):
            e = [math.exp(float(x[b, j] @ W_I[:, i])) for j in range(k)]
            for j in range(k):
                key = x[b, j].double() @ W_K[:, i * width : (i + 1) * width].double()
                out[b, 0, i * width : (i + 1) * width] += e[j] / sum(e) * key
    return out.to(x.dtype)


def several_softmax_questions(x, W_I, W_K):
    c_s = (x @ W_I).softmax(dim=-1)[..., None]
    keys = (x @ W_K).unflatten(-1, (W_I.shape[1], -1))
    return (c_s * keys).sum(dim=1).flatten(1)[:, None]


def several_softmax_batch(x, W_I, W_K):
    c_s = (x @ W_I).softmax(dim=0)[..., None]
    keys = (x @ W_K).unflatten(-1, (W_I.shape[1], -1))
    return (c_s * keys).sum(dim=1).flatten(1)[:, None]


def several_softmax_all(x, W_I, W_K):
    c_s = (x @ W_I).flatten(1).softmax(dim=-1).reshape(*x.shape[:2], -1, 1)
    keys = (x @ W_K).unflatten(-1, (W_I.shape[1], -1))
    return (c_s * keys).sum(dim=1).flatten(1)[:, None]


def several_interleaved(x, W_I, W_K):
    h = W_I.shape[1]
    c_s = (x @ W_I).softmax(dim=-2)[:, :, None]
    keys = (x @ W_K).unflatten(-1, (-1, h))
    return (c_s * keys).sum(dim=1).flatten(1)[:, None]


def several_tiled(x, W_I, W_K):
    weights = (x @ W_I).softmax(dim=1).repeat(1, 1, x.shape[2] // W_I.shape[1])
    return (weights * (x @ W_K)).sum(dim=1, keepdim=True)


def several_reshaped_heads(x, W_I, W_K):
    B, k, d = x.shape
    h = W_I.shape[1]
    keys = (x @ W_K).reshape(B, h, k, d // h)
    c_s = (x @ W_I).softmax(1).transpose(1, 2)[..., None]
    return (c_s * keys).sum(2).reshape(B, 1, d)


def several_scores_reshaped(x, W_I, W_K):
    B, k, d = x.shape
    h = W_I.shape[1]
    keys = (x @ W_K).reshape(B, k, h, d // h).transpose(1, 2)
    c_s = (x @ W_I).softmax(1).reshape(B, h, k, 1)
    return (c_s * keys).sum(2).reshape(B, 1, d)


def several_mean_question(x, W_I, W_K):
    c_s = (x @ W_I).mean(dim=-1, keepdim=True).softmax(dim=1)
    return (c_s * (x @ W_K)).sum(dim=1, keepdim=True)


def several_first_question(x, W_I, W_K):
    c_s = (x @ W_I[:, :1]).softmax(dim=1)
    return (c_s * (x @ W_K)).sum(dim=1, keepdim=True)


def several_sum_of_contexts(x, W_I, W_K):
    c_s = (x @ W_I).softmax(dim=1)
    return (c_s.mT @ (x @ W_K)).sum(dim=1, keepdim=True)


def several_all_keys_each(x, W_I, W_K):
    c_s = (x @ W_I).softmax(dim=1)
    return (c_s.mT @ (x @ W_K)).flatten(1)[:, None]


def several_no_keys(x, W_I, W_K):
    c_s = (x @ W_I).softmax(dim=1)[..., None]
    return (c_s * x.unflatten(-1, (W_I.shape[1], -1))).sum(dim=1).flatten(1)[:, None]


def several_transposed(x, W_I, W_K):
    c_s = (x @ W_I).softmax(dim=1)[..., None]
    keys = (x @ W_K.mT).unflatten(-1, (W_I.shape[1], -1))
    return (c_s * keys).sum(dim=1).flatten(1)[:, None]


def several_cut_tokens(x, W_I, W_K):
    h = W_I.shape[1]
    width = x.shape[-1] // h
    out = []
    for i in range(h):
        part = slice(i * width, (i + 1) * width)
        c_s = (x[..., part] @ W_I[part, i : i + 1]).softmax(dim=1)
        out.append((c_s * (x @ W_K)[..., part]).sum(dim=1, keepdim=True))
    return torch.cat(out, dim=-1)


def several_no_axis(x, W_I, W_K):
    c_s = (x @ W_I).softmax(dim=1)[..., None]
    return (c_s * (x @ W_K).unflatten(-1, (W_I.shape[1], -1))).sum(dim=1).flatten(1)


def several_parts_stacked(x, W_I, W_K):
    c_s = (x @ W_I).softmax(dim=1)[..., None]
    return (c_s * (x @ W_K).unflatten(-1, (W_I.shape[1], -1))).sum(dim=1)


def several_reversed(x, W_I, W_K):
    c_s = (x @ W_I.flip(1)).softmax(dim=1)[..., None]
    return (c_s * (x @ W_K).unflatten(-1, (W_I.shape[1], -1))).sum(dim=1).flatten(1)[:, None]


def several_two_fixed(x, W_I, W_K):
    half = x.shape[-1] // 2
    keys = x @ W_K
    c_s = (x @ W_I).softmax(dim=1)
    left = (c_s[..., :1] * keys[..., :half]).sum(1, keepdim=True)
    return torch.cat([left, (c_s[..., 1:2] * keys[..., half:]).sum(1, keepdim=True)], dim=-1)


def several_scaled(x, W_I, W_K):
    c_s = (x @ W_I / x.shape[-1] ** 0.5).softmax(dim=1)[..., None]
    return (c_s * (x @ W_K).unflatten(-1, (W_I.shape[1], -1))).sum(dim=1).flatten(1)[:, None]


# ---------------------------------------------------------------- 2.5 twice the work


def twice_formula(d):
    return d + 1


def twice_search(d):
    k = 1
    while 4 * k * d**2 + 2 * k**2 * d < 2 * (3 * k * d**2 + k * d):
        k += 1
    return k


def twice_numpy(d):
    return np.int64(2 * d + 2) // 2


def twice_tensor(d):
    return torch.tensor((6 * d + 2 - 4 * d) / 2, dtype=torch.float64)


def twice_fraction(d):
    return Fraction(2 * d * (3 * d + 1) - 4 * d * d, 2 * d)


def twice_roots(d):
    return max(np.roots([2 * d, 4 * d**2 - 6 * d**2 - 2 * d, 0]).real)


def twice_dropped_scores(d):
    return d


def twice_one_too_many(d):
    return d + 2


def twice_crossing(d):
    return (1 - d) / 2


def twice_wrong_side(d):
    return (1 - 5 * d) / 4


def twice_pooled(d):
    return 1 + math.sqrt(1 + d)


def twice_single_pairs(d):
    return 2 * d + 2


def twice_three_projections(d):
    return 1.5 * d + 1


def twice_pairs_only(d):
    return 3 * d + 1


def twice_pairs_overtake(d):
    return 2 * d


def twice_scores_not_doubled(d):
    return d + 0.5


def twice_half_right(d):
    return 2 * (d + 1)


def twice_for_64(d):
    return 65


def twice_the_work_itself(d):
    return 4 * (d + 1) * d**2 + 2 * (d + 1) ** 2 * d


def twice_counts_at_d(d):
    return (4 * d**3 + 2 * d**3) / (3 * d**3 + d**2)


def twice_printed(d):
    k = d + 1
    print(f"k = {k}")


def twice_zero(d):
    for k in range(10_000):
        if 4 * k * d**2 + 2 * k**2 * d == 2 * (3 * k * d**2 + k * d):
            return k


def twice_off_by_one_range(d):
    for k in range(1, d + 1):
        if 4 * k * d**2 + 2 * k**2 * d >= 2 * (3 * k * d**2 + k * d):
            return k
    return d


def twice_strictly_more(d):
    k = 1
    while 4 * k * d**2 + 2 * k**2 * d <= 2 * (3 * k * d**2 + k * d):
        k += 1
    return k


def twice_square_dropped(d):
    return (2 * d**2 + 2 * d) / 2


def twice_text(d):
    return "d + 1"


ATTEMPTS = [
    ("separable_module", "right", "three lines with torch functions", ThreeLines),
    ("separable_module", "right", "loops over pictures and tokens, softmax by hand", TokenLoops),
    ("separable_module", "right", "einsum with an ellipsis", WithEinsum),
    ("separable_module", "right", "pooled by a matrix product before projecting", PooledMatmul),
    ("separable_module", "right", "functional, float64 inside, softmax and ReLU by hand", FunctionalDouble),
    ("separable_module", "right", "the implied k by k map, product in place", InPlaceExpanded),
    ("separable_module", "wrong", "softmax over the last axis", SoftmaxLast),
    ("separable_module", "wrong", "softmax over axis 0", SoftmaxFirst),
    ("separable_module", "wrong", "token axis counted from the front as 1", AxisOneOnly),
    ("separable_module", "wrong", "token axis lost in the sum, no keepdim", NoKeepdim),
    ("separable_module", "wrong", "sum over the width instead of the tokens", SumOfEntries),
    ("separable_module", "wrong", "mean of the weighted keys instead of the sum", MeanNotSum),
    ("separable_module", "wrong", "weighted keys never summed", NeverSummed),
    ("separable_module", "wrong", "no ReLU on the gate", NoReLU),
    ("separable_module", "wrong", "ReLU after the product instead of on the gate", ReLUAfterProduct),
    ("separable_module", "wrong", "ReLU on the keys as well", ReLUOnKeys),
    ("separable_module", "wrong", "sigmoid instead of ReLU", SigmoidGate),
    ("separable_module", "wrong", "W_K and W_V swapped, values averaged", ValuesAveraged),
    ("separable_module", "wrong", "W_O forgotten", NoOutput),
    ("separable_module", "wrong", "W_O applied to the summary, before the gate", MixedTooEarly),
    ("separable_module", "wrong", "scores divided by the square root of d", ScaledScores),
    ("separable_module", "wrong", "no softmax at all", RawScores),
    ("separable_module", "wrong", "softmax taken of score times key", SoftmaxOfKeys),
    ("separable_module", "wrong", "biases of the layers ignored", NoBiases),
    ("separable_module", "wrong", "input added to the result", AddsTheTokens),
    ("separable_module", "wrong", "gate added instead of multiplied", GateAdded),
    ("separable_module", "wrong", "tokens overwritten in place before the gate", OverwritesTokens),
    ("separable_module", "wrong", "one summary for all axes in front together", AllGroupsTogether),
    ("separable_module", "wrong", "returns the scores besides the result", TwoThings),
    ("separable_module", "wrong", "only the token with the highest score is taken", HardChoice),
    ("separable_module", "wrong", "gate made from the summary, keys gated", GateFromSummary),
    ("pooled_context_vector", "right", "two sums", pool_two_sums),
    ("pooled_context_vector", "right", "matrix product and addcmul", pool_with_matmul),
    ("pooled_context_vector", "right", "einsum in steps", pool_einsum_steps),
    ("pooled_context_vector", "right", "loops over pictures and tokens", pool_loops),
    ("pooled_context_vector", "right", "bias as one more row of the matrix", pool_extra_column),
    ("pooled_context_vector", "right", "list of pictures in float64", pool_double_list),
    ("pooled_context_vector", "wrong", "projects every token, then sums", project_then_sum),
    ("pooled_context_vector", "wrong", "projects every token, then a matrix product", project_then_matmul),
    ("pooled_context_vector", "wrong", "weights first but still projects every token", weighted_then_project_each),
    ("pooled_context_vector", "wrong", "bias added once, not times the sum of the scores", bias_once),
    ("pooled_context_vector", "wrong", "bias forgotten", bias_forgotten),
    ("pooled_context_vector", "wrong", "bias times the number of tokens", bias_k_times),
    ("pooled_context_vector", "wrong", "scores normalised to add up to one", scores_normalised),
    ("pooled_context_vector", "wrong", "softmax applied to the scores given", scores_softmaxed),
    ("pooled_context_vector", "wrong", "mean instead of sum over the tokens", mean_of_tokens),
    ("pooled_context_vector", "wrong", "token axis lost, shape [B, d]", one_axis_lost),
    ("pooled_context_vector", "wrong", "W_K transposed", matrix_transposed),
    ("pooled_context_vector", "wrong", "scores summed over the whole batch for the bias", summed_over_batch),
    ("pooled_context_vector", "wrong", "bias factor of the first picture for all", bias_of_first_picture),
    ("pooled_context_vector", "wrong", "sum of products taken as product of sums", sums_apart),
    ("pooled_context_vector", "wrong", "bias added before the projection", bias_before_projection),
    ("pooled_context_vector", "wrong", "result repeated for every token", result_for_each_token),
    ("separable_cross_attention", "right", "split and matrix products", cross_split),
    ("separable_cross_attention", "right", "F.linear, pooled first", cross_linear_pooled),
    ("separable_cross_attention", "right", "loops with the softmax by hand", cross_loops),
    ("separable_cross_attention", "right", "einsum", cross_einsum),
    ("separable_cross_attention", "right", "through NumPy in float64", cross_numpy_like),
    ("separable_cross_attention", "right", "everything projected, then cut", cross_project_all),
    ("separable_cross_attention", "wrong", "softmax over the last axis", cross_softmax_last),
    ("separable_cross_attention", "wrong", "x and memory swapped", cross_roles_swapped),
    ("separable_cross_attention", "wrong", "memory not used", cross_memory_unused),
    ("separable_cross_attention", "wrong", "memory gated instead of x", cross_memory_gated),
    ("separable_cross_attention", "wrong", "x scored instead of memory", cross_x_scored),
    ("separable_cross_attention", "wrong", "keys made from x", cross_keys_from_x),
    ("separable_cross_attention", "wrong", "row 1 alone taken for W_K", cross_one_row),
    ("separable_cross_attention", "wrong", "row 1 + d alone taken for W_V", cross_value_one_row),
    ("separable_cross_attention", "wrong", "slices not transposed", cross_not_transposed),
    ("separable_cross_attention", "wrong", "W_K cut from row 0", cross_off_by_one),
    ("separable_cross_attention", "wrong", "W_V cut one row too early", cross_gate_off_by_one),
    ("separable_cross_attention", "wrong", "W_K and W_V swapped", cross_key_value_swapped),
    ("separable_cross_attention", "wrong", "question taken from the last row", cross_question_last),
    ("separable_cross_attention", "wrong", "no ReLU", cross_no_relu),
    ("separable_cross_attention", "wrong", "ReLU after the product", cross_relu_outside),
    ("separable_cross_attention", "wrong", "softmax over x and memory together", cross_softmax_of_all),
    ("separable_cross_attention", "wrong", "scores divided by the square root of d", cross_scaled),
    ("separable_cross_attention", "wrong", "no softmax", cross_no_softmax),
    ("separable_cross_attention", "wrong", "mean instead of sum", cross_mean),
    ("several_questions", "right", "unflatten and broadcasting", several_unflatten),
    ("several_questions", "right", "a list of parts", several_list),
    ("several_questions", "right", "einsum", several_einsum),
    ("several_questions", "right", "scores repeated for each entry of their part", several_repeat_interleave),
    ("several_questions", "right", "pooled first, with blocks of W_K", several_pooled),
    ("several_questions", "right", "loops with Python floats", several_loops),
    ("several_questions", "wrong", "softmax over the questions", several_softmax_questions),
    ("several_questions", "wrong", "softmax over the batch", several_softmax_batch),
    ("several_questions", "wrong", "one softmax over tokens and questions together", several_softmax_all),
    ("several_questions", "wrong", "parts interleaved, (d / h, h) instead of (h, d / h)", several_interleaved),
    ("several_questions", "wrong", "scores tiled instead of repeated in place", several_tiled),
    ("several_questions", "wrong", "keys reshaped to [B, h, k, d / h] at once", several_reshaped_heads),
    ("several_questions", "wrong", "scores reshaped instead of transposed", several_scores_reshaped),
    ("several_questions", "wrong", "questions averaged to one", several_mean_question),
    ("several_questions", "wrong", "only the first question used", several_first_question),
    ("several_questions", "wrong", "whole keys for each question, contexts added", several_sum_of_contexts),
    ("several_questions", "wrong", "whole keys for each question, h d numbers", several_all_keys_each),
    ("several_questions", "wrong", "tokens averaged, W_K unused", several_no_keys),
    ("several_questions", "wrong", "W_K transposed", several_transposed),
    ("several_questions", "wrong", "each question sees only its part of the token", several_cut_tokens),
    ("several_questions", "wrong", "token axis lost, shape [B, d]", several_no_axis),
    ("several_questions", "wrong", "parts left as [B, h, d / h]", several_parts_stacked),
    ("several_questions", "wrong", "questions in reverse order", several_reversed),
    ("several_questions", "wrong", "two questions fixed, whatever h", several_two_fixed),
    ("several_questions", "wrong", "scores divided by the square root of d", several_scaled),
    ("twice_as_much", "right", "the formula", twice_formula),
    ("twice_as_much", "right", "search by a loop", twice_search),
    ("twice_as_much", "right", "a NumPy integer", twice_numpy),
    ("twice_as_much", "right", "a 0-d float64 tensor", twice_tensor),
    ("twice_as_much", "right", "a Fraction", twice_fraction),
    ("twice_as_much", "right", "the larger root by NumPy", twice_roots),
    ("twice_as_much", "wrong", "the term k d left out", twice_dropped_scores),
    ("twice_as_much", "wrong", "the weighted sum counted too", twice_one_too_many),
    ("twice_as_much", "wrong", "equal work instead of twice", twice_crossing),
    ("twice_as_much", "wrong", "factor of two on the side of multi-head attention", twice_wrong_side),
    ("twice_as_much", "wrong", "pooled form instead of the paper's", twice_pooled),
    ("twice_as_much", "wrong", "pairs counted once", twice_single_pairs),
    ("twice_as_much", "wrong", "three projections in multi-head attention", twice_three_projections),
    ("twice_as_much", "wrong", "projections of multi-head attention left out", twice_pairs_only),
    ("twice_as_much", "wrong", "where pairs overtake projections", twice_pairs_overtake),
    ("twice_as_much", "wrong", "factor of two not applied to k d", twice_scores_not_doubled),
    ("twice_as_much", "wrong", "2k taken for k at the end", twice_half_right),
    ("twice_as_much", "wrong", "fixed at d = 64", twice_for_64),
    ("twice_as_much", "wrong", "returns the work instead of k", twice_the_work_itself),
    ("twice_as_much", "wrong", "returns the ratio at k = d", twice_counts_at_d),
    ("twice_as_much", "wrong", "prints and returns nothing", twice_printed),
    ("twice_as_much", "wrong", "search starts at zero tokens", twice_zero),
    ("twice_as_much", "wrong", "range ends one too early", twice_off_by_one_range),
    ("twice_as_much", "wrong", "first k with more than twice the work", twice_strictly_more),
    ("twice_as_much", "wrong", "one d not divided out", twice_square_dropped),
    ("twice_as_much", "wrong", "formula as text", twice_text),
]
