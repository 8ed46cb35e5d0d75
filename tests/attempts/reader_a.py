"""Attempts of a first adversarial reader at notebooks 01 to 04: written before any check was mended for them."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib.attention import merge_heads, split_heads


class _Heads(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.W_Q, self.W_K = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.num_heads = num_heads

    def cut(self, y):
        return split_heads(y, self.num_heads)


class HeadLoop(_Heads):
    def forward(self, x):
        w = x.shape[-1] // self.num_heads
        q, k, v = self.W_Q(x), self.W_K(x), self.W_V(x)
        out = []
        for i in range(self.num_heads):
            part = slice(i * w, i * w + w)
            a = torch.einsum("...qd,...kd->...qk", q[..., part], k[..., part]) / math.sqrt(w)
            out.append(F.softmax(a, dim=-1) @ v[..., part])
        return self.W_O(torch.cat(out, -1))


class HeadSdpa(_Heads):
    def forward(self, x):
        y = F.scaled_dot_product_attention(*(self.cut(W(x)) for W in (self.W_Q, self.W_K, self.W_V)))
        return self.W_O(y.transpose(-2, -3).reshape(x.shape))


class OtherNames(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.to_query, self.to_key, self.to_value, self.out = (nn.Linear(dim, dim) for _ in range(4))
        self.h = num_heads

    def forward(self, x):
        return HeadSdpa.forward(self, x)

    num_heads = property(lambda self: self.h)
    W_Q, W_K = property(lambda s: s.to_query), property(lambda s: s.to_key)
    W_V, W_O = property(lambda s: s.to_value), property(lambda s: s.out)

    def cut(self, y):
        return split_heads(y, self.h)


class DoublePrecision(_Heads):
    def forward(self, x):
        q, k, v = (self.cut(W(x)).double() for W in (self.W_Q, self.W_K, self.W_V))
        return self.W_O(merge_heads(((q @ k.mT) * q.size(-1) ** -0.5).softmax(-1) @ v).float())


class BatchOnly(_Heads):
    def forward(self, x):
        B, k, d = x.shape
        q, kk, v = (W(x).view(B, k, self.num_heads, -1).transpose(1, 2) for W in (self.W_Q, self.W_K, self.W_V))
        a = (q @ kk.transpose(2, 3) / (d // self.num_heads) ** 0.5).softmax(-1)
        return self.W_O((a @ v).transpose(1, 2).reshape(B, k, d))


class ValuesNotSplit(_Heads):
    def forward(self, x):
        q, k = self.cut(self.W_Q(x)), self.cut(self.W_K(x))
        a = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).mean(-3)
        return self.W_O(a @ self.W_V(x))


class ScaleOnQueryAndKey(_Heads):
    def forward(self, x):
        q, k, v = (self.cut(W(x)) for W in (self.W_Q, self.W_K, self.W_V))
        s = q.shape[-1] ** 0.5
        return self.W_O(merge_heads(((q / s) @ (k / s).mT).softmax(-1) @ v))


class MergeFirst(_Heads):
    def forward(self, x):
        q, k, v = (self.cut(W(x)) for W in (self.W_Q, self.W_K, self.W_V))
        y = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
        return self.W_O(y.flatten(-2).reshape(x.shape))


class KeyIsQuery(_Heads):
    def forward(self, x):
        q, k, v = (self.cut(W(x)) for W in (self.W_Q, self.W_Q, self.W_V))
        return self.W_O(merge_heads((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v))


class SwappedAttention(_Heads):
    def forward(self, x):
        q, k, v = (self.cut(W(x)) for W in (self.W_Q, self.W_K, self.W_V))
        return self.W_O(merge_heads((k @ q.mT / q.shape[-1] ** 0.5).softmax(-1) @ v))


class OutputTwice(_Heads):
    def forward(self, x):
        return self.W_O(HeadSdpa.forward(self, x))


class NoReturn(_Heads):
    def forward(self, x):
        y = HeadSdpa.forward(self, x)
        y = y * 1


class WithResidual(_Heads):
    def forward(self, x):
        return HeadSdpa.forward(self, x) + x


class Causal(_Heads):
    def forward(self, x):
        y = F.scaled_dot_product_attention(*(self.cut(W(x)) for W in (self.W_Q, self.W_K, self.W_V)), is_causal=True)
        return self.W_O(merge_heads(y))


class TransposedMap(_Heads):
    def forward(self, x):
        q, k, v = (self.cut(W(x)) for W in (self.W_Q, self.W_K, self.W_V))
        return self.W_O(merge_heads((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).mT @ v))


class MultiplyScale(_Heads):
    def forward(self, x):
        q, k, v = (self.cut(W(x)) for W in (self.W_Q, self.W_K, self.W_V))
        return self.W_O(merge_heads((q @ k.mT * q.shape[-1]).softmax(-1) @ v))


def softmax_in_place(scores):
    scores -= scores.max(-1, keepdim=True)[0]
    scores.exp_()
    scores /= scores.sum(-1, keepdim=True)
    return scores


def softmax_numpy(scores):
    a = scores.numpy()
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_rows(scores):
    flat = scores.reshape(-1, scores.shape[-1])
    rows = []
    for row in flat:
        e = torch.tensor([math.exp(v - max(row.tolist())) for v in row.tolist()])
        rows.append(e / e.sum())
    return torch.stack(rows).view_as(scores)


def softmax_pairs(scores):
    return 1 / (scores.unsqueeze(-2) - scores.unsqueeze(-1)).exp().sum(-1)


def cross_named(x, memory, W_Q, W_K, W_V):
    logits = torch.einsum("id,de,je->ij", x, W_Q, memory @ W_K) * W_Q.size(0) ** -0.5
    return torch.einsum("ij,jd->id", logits.softmax(1), memory @ W_V)


def cross_lists(x, memory, W_Q, W_K, W_V):
    keys, values = memory @ W_K, memory @ W_V
    out = []
    for t in x:
        s = (keys @ (t @ W_Q)) / math.sqrt(len(t))
        out.append((s.softmax(0) @ values).tolist())
    return out


def cross_unfinished(x, memory, W_Q, W_K, W_V):
    a = ((x @ W_Q) @ (memory @ W_K).T / x.shape[1] ** 0.5).softmax(-1)
    result = a @ (memory @ W_V)  # noqa: F841


def cycle_solve(x):
    target = 40 * torch.eye(3).roll(1, 1)
    p = torch.linalg.pinv(x)
    return p @ target @ p.T, torch.eye(4)


def cycle_numpy(x):
    p = np.linalg.pinv(x.numpy().astype(float))
    t = np.array([[0, 30, 0], [0, 0, 30], [30, 0, 0]])
    return [torch.eye(4, dtype=torch.float64), p @ t.T @ p.T]


def separable(m, x):
    s = m.W_I(x).softmax(-2)
    return m.W_O(m.W_K((s * x).sum(-2, keepdim=True)) * m.W_V(x).clamp(min=0))


class _Sep(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.W_I, self.W_K = nn.Linear(dim, 1), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)


class SepPooled(_Sep):
    def forward(self, x):
        return separable(self, x)


class SepEinsum(_Sep):
    def forward(self, x):
        s = torch.softmax(self.W_I(x), dim=x.ndim - 2)
        c = torch.einsum("...ko,...kd->...od", s, self.W_K(x))
        return F.linear(c * torch.where(self.W_V(x) > 0, self.W_V(x), torch.zeros(())), self.W_O.weight, self.W_O.bias)


class SepMatmul(_Sep):
    def forward(self, x):
        weights = self.W_I(x).squeeze(-1).softmax(-1).unsqueeze(-2)
        return self.W_O(weights @ self.W_K(x) * nn.ReLU()(self.W_V(x)))


def sep(body):
    return type("Attempt", (_Sep,), {"forward": body})


def pooled_append(x, c_s, W_K, b_K):
    ones = torch.ones(*x.shape[:-1], 1)
    return (c_s * torch.cat([x, ones], -1)).sum(1, keepdim=True) @ torch.cat([W_K, b_K[None]])


def pooled_bmm(x, c_s, W_K, b_K):
    return torch.baddbmm(c_s.sum(1, keepdim=True) * b_K, torch.bmm(c_s.transpose(1, 2), x), W_K.expand(len(x), -1, -1))


def pooled_loop(x, c_s, W_K, b_K):
    out = torch.zeros(len(x), 1, x.shape[2])
    for b in range(len(x)):
        v = torch.zeros(x.shape[2])
        for i in range(x.shape[1]):
            v = v + c_s[b, i] * x[b, i]
        out[b, 0] = v @ W_K + c_s[b].sum() * b_K
    return out


def questions_loop(x, W_I, W_K):
    d, h = W_I.shape
    w = d // h
    keys = x @ W_K
    parts = []
    for i in range(h):
        s = (x @ W_I[:, i]).softmax(1)
        parts.append((s[..., None] * keys[..., i * w : (i + 1) * w]).sum(1, keepdim=True))
    return torch.cat(parts, -1)


def questions_einsum(x, W_I, W_K):
    s = (x @ W_I).softmax(-2)
    keys = (x @ W_K).unflatten(-1, (W_I.shape[1], -1))
    return torch.einsum("bkh,bkhw->bhw", s, keys).flatten(1)[:, None]


def questions_full(x, W_I, W_K):
    full = (x @ W_I).softmax(1).mT @ (x @ W_K)  # [B, h, d]
    h, w = W_I.shape[1], W_K.shape[1] // W_I.shape[1]
    return torch.cat([full[:, i : i + 1, i * w : i * w + w] for i in range(h)], 2)


def bench_median(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    times = []
    for _ in range(15):
        a = clock()
        work()
        synchronize()
        times.append(clock() - a)
    return sorted(times)[7]


def bench_good(work, clock, synchronize, set_threads):
    set_threads(1)
    for _ in range(3):
        work()
    synchronize()
    best = float("inf")
    for _ in range(20):
        a = clock()
        work()
        synchronize()
        best = min(best, clock() - a)
    return torch.tensor([best])


def bench(threads=True, warm=True, sync=True, statistic=min, rounds=12, calls=1, divide=True):
    def attempt(work, clock, synchronize, set_threads):
        if threads:
            set_threads(1)
        if warm:
            work()
            synchronize()
        times = []
        for _ in range(rounds):
            a = clock()
            for _ in range(calls):
                work()
            if sync:
                synchronize()
            times.append((clock() - a) / (calls if divide else 1))
        return statistic(times)

    return attempt


def slope(f):
    def attempt(sizes, seconds):
        return f(sizes.double().log(), seconds.double().log())

    return attempt


def meet(k, t1, e1, t2, e2):
    return math.exp(math.log(k) + (math.log(t1) - math.log(t2)) / (e2 - e1))


def fits(memory, heads, size):
    k = 0
    step = 1 << 40
    while step:
        if 2 * heads * size * (k + step) ** 2 <= memory:
            k += step
        step >>= 1
    return k


def fits_corrected(memory, heads, size):
    k = int((memory / (2 * heads * size)) ** 0.5)
    while 2 * heads * size * k * k > memory:
        k -= 1
    while 2 * heads * size * (k + 1) ** 2 <= memory:
        k += 1
    return float(k)


def unfold_loop(x, p):
    B, C, H, W = x.shape
    return torch.stack([x[:, :, i::p, j::p].flatten(2).mT for i in range(p) for j in range(p)], dim=1)


def unfold_torch(x, p):
    B, C, H, W = x.shape
    return F.unfold(x, p, stride=p).view(B, C, p * p, -1).permute(0, 2, 3, 1)


def fold_loop(tokens, H, W, p):
    B, _, _, C = tokens.shape
    out = torch.zeros(B, C, H, W)
    for i in range(p):
        for j in range(p):
            out[:, :, i::p, j::p] = tokens[:, i * p + j].mT.reshape(B, C, H // p, W // p)
    return out


def fold_torch(tokens, H, W, p):
    cols = tokens.permute(0, 3, 1, 2).flatten(1, 2)
    return F.fold(cols, (H, W), p, stride=p)


def fold_shuffle(tokens, H, W, p):
    x = tokens.permute(0, 3, 1, 2).flatten(1, 2).unflatten(-1, (H // p, W // p))
    return F.pixel_shuffle(x, p)


class _Block(nn.Module):
    def __init__(self, channels, dim, num_layers):
        super().__init__()
        from mvit2_lib.blocks import ConvNormAct, GroupNorm1, TransformerLayer, make_attention

        self.local = ConvNormAct(channels, channels, kernel_size=3, groups=channels)
        self.to_tokens = nn.Conv2d(channels, dim, 1, bias=False)
        self.layers = nn.Sequential(
            *(TransformerLayer(dim, make_attention("separable", dim)) for _ in range(num_layers))
        )
        self.norm = GroupNorm1(dim)
        self.to_channels = ConvNormAct(dim, channels, activation=False)


def block(body):
    return type("Attempt", (_Block,), {"forward": body})


def block_loop(self, x):
    y = self.to_tokens(self.local(x))
    t = mv.unfold(y, 2)
    for layer in self.layers:
        t = layer(t)
    return self.to_channels(mv.fold(self.norm(t), y.shape[-2:], 2))


def detect_numbers(function):
    H, W = 6, 10
    positions = torch.zeros(3, 2, H, W)
    for i in range(H):
        for j in range(W):
            positions[:, :, i, j] = (i % 2) * 2 + j % 2
    t = function(positions)
    return all(
        t[b, :, :, c].std(1).max() == 0 and t[b, :, 0, c].unique().numel() == 4 for b in range(3) for c in range(2)
    )


def detect_square(function):
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    t = function(x)[0, :, :, 0]
    pos = (t // 4 % 2) * 2 + t % 2
    return bool((pos == pos[:, :1]).all()) and len(set(pos[:, 0].tolist())) == 4


def detect_first_entries(function):
    x = torch.arange(48.0).reshape(1, 1, 6, 8)
    t = function(x)[0, :, :2, 0]
    pos = (t // 8 % 2) * 2 + t % 2
    return bool((pos == pos[:, :1]).all()) and len(set(pos[:, 0].tolist())) == 4


def detect_equal(function):
    x = torch.rand(2, 3, 4, 6)
    return torch.equal(function(x), mv.unfold(x))


def detect_shape(function):
    return function(torch.zeros(2, 3, 4, 6)).shape == (2, 4, 6, 3)


def gn_functional(x, weight, bias, eps=1e-5):
    return F.group_norm(x.movedim(-1, 1), 1, weight, bias, eps).movedim(1, -1)


def gn_numpy(x, weight, bias, eps=1e-5):
    a = x.numpy().astype(np.float64)
    flat = a.reshape(len(a), -1)
    mu, var = flat.mean(1).reshape(-1, 1, 1, 1), flat.var(1).reshape(-1, 1, 1, 1)
    return (a - mu) / np.sqrt(var + eps) * weight.numpy() + bias.numpy()


def gn_loop(x, weight, bias, eps=1e-5):
    for sample in x:
        sample -= sample.clone().mean()
        sample /= (sample.pow(2).mean() + eps).sqrt()
    return x.mul_(weight).add_(bias)


def _first_only(x, p):
    y = mv.unfold(x, p).clone()
    y[1:] = mv.unfold(x, p)[:1]
    return y


ATTEMPTS = [
    # 1.1
    ("multi_head_module", "right", "a loop over heads", HeadLoop),
    ("multi_head_module", "right", "PyTorch's attention", HeadSdpa),
    ("multi_head_module", "right", "other names", OtherNames),
    ("multi_head_module", "right", "double precision", DoublePrecision),
    ("multi_head_module", "wrong", "needs exactly one batch axis", BatchOnly),
    ("multi_head_module", "wrong", "heads averaged", ValuesNotSplit),
    ("multi_head_module", "wrong", "scaled by d_h, in two parts", ScaleOnQueryAndKey),
    ("multi_head_module", "wrong", "merged without moving back", MergeFirst),
    ("multi_head_module", "wrong", "W_Q for the keys", KeyIsQuery),
    ("multi_head_module", "wrong", "queries and keys exchanged", SwappedAttention),
    ("multi_head_module", "wrong", "W_O twice", OutputTwice),
    ("multi_head_module", "wrong", "no return", NoReturn),
    ("multi_head_module", "wrong", "residual", WithResidual),
    ("multi_head_module", "wrong", "causal mask", Causal),
    ("multi_head_module", "wrong", "map transposed", TransposedMap),
    ("multi_head_module", "wrong", "multiplied by d_h", MultiplyScale),
    # 1.2
    ("stable_softmax", "right", "in place", softmax_in_place),
    ("stable_softmax", "right", "numpy", softmax_numpy),
    ("stable_softmax", "right", "python loops", softmax_rows),
    ("stable_softmax", "right", "pairs of differences", softmax_pairs),
    ("stable_softmax", "wrong", "calls nn.Softmax", lambda s: nn.Softmax(-1)(s)),
    ("stable_softmax", "wrong", "calls special.softmax", lambda s: torch.special.softmax(s, -1)),
    ("stable_softmax", "wrong", "calls Tensor.softmax", lambda s: torch.Tensor.softmax(s, -1)),
    ("stable_softmax", "wrong", "log_softmax", lambda s: F.log_softmax(s, -1).exp()),
    ("stable_softmax", "wrong", "logsumexp", lambda s: (s - s.logsumexp(-1, True)).exp()),
    ("stable_softmax", "wrong", "softmin", lambda s: F.softmin(-s, -1)),
    (
        "stable_softmax",
        "wrong",
        "two maxima",
        lambda s: (s - s.max()).exp() / (s - s.amax(-1, True)).exp().sum(-1, True),
    ),
    (
        "stable_softmax",
        "wrong",
        "denominator over all",
        lambda s: (s - s.amax(-1, True)).exp() / (s - s.amax(-1, True)).exp().sum(),
    ),
    (
        "stable_softmax",
        "wrong",
        "exp2",
        lambda s: (s - s.amax(-1, True)).exp2() / (s - s.amax(-1, True)).exp2().sum(-1, True),
    ),
    ("stable_softmax", "wrong", "sum without exp", lambda s: s / s.sum(-1, True)),
    ("stable_softmax", "wrong", "keepdim missing", lambda s: (s - s.amax(-1)).exp() / (s - s.amax(-1)).exp().sum(-1)),
    ("stable_softmax", "wrong", "nothing returned but printed", lambda s: print("hello")),
    # 1.3
    ("cross_attention", "right", "einsum", cross_named),
    ("cross_attention", "right", "lists", cross_lists),
    ("cross_attention", "right", "double", lambda *a: cross_named(*(t.double() for t in a))),
    ("cross_attention", "wrong", "no return", cross_unfinished),
    (
        "cross_attention",
        "wrong",
        "scale by sqrt m",
        lambda x, m, q, k, v: ((x @ q) @ (m @ k).T / len(m) ** 0.5).softmax(-1) @ m @ v,
    ),
    ("cross_attention", "wrong", "queries from memory", lambda x, m, q, k, v: cross_named(m, m, q, k, v)),
    ("cross_attention", "wrong", "W_Q left out", lambda x, m, q, k, v: cross_named(x, m, torch.eye(len(q)), k, v)),
    (
        "cross_attention",
        "wrong",
        "W_K left out",
        lambda x, m, q, k, v: (x @ q @ m.T / len(q) ** 0.5).softmax(-1) @ m @ v,
    ),
    ("cross_attention", "wrong", "W_Q for W_K", lambda x, m, q, k, v: cross_named(x, m, q, q, v)),
    ("cross_attention", "wrong", "W_K for W_V", lambda x, m, q, k, v: cross_named(x, m, q, k, k)),
    (
        "cross_attention",
        "wrong",
        "sqrt before",
        lambda x, m, q, k, v: ((x @ q / len(q)) @ (m @ k / len(q) ** 0.5).T).softmax(-1) @ m @ v,
    ),
    ("cross_attention", "wrong", "W_V transposed", lambda x, m, q, k, v: cross_named(x, m, q, k, v.T)),
    ("cross_attention", "wrong", "output scaled", lambda x, m, q, k, v: cross_named(x, m, q, k, v) * len(q) ** 0.5),
    ("cross_attention", "wrong", "both added", lambda x, m, q, k, v: cross_named(x, torch.cat([x, m]), q, k, v)),
    (
        "cross_attention",
        "wrong",
        "values not softmaxed",
        lambda x, m, q, k, v: (x @ q @ (m @ k).T).softmax(-1) / len(q) ** 0.5 @ m @ v,
    ),
    # 1.4
    ("cross_attention_macs", "right", "numpy", lambda k, m, d: np.int64(2 * d) * (k * d + m * d + k * m)),
    ("cross_attention_macs", "right", "float", lambda k, m, d: 2.0 * d * d * (k + m) + 2.0 * k * m * d),
    (
        "cross_attention_macs",
        "wrong",
        "three projections on m",
        lambda k, m, d: k * d * d + 2 * m * d * d + m * d * d + 2 * k * m * d,
    ),
    ("cross_attention_macs", "wrong", "d missing", lambda k, m, d: 2 * (k + m) * d + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "half", lambda k, m, d: (k + m) * d * d + k * m * d),
    ("cross_attention_macs", "wrong", "d cubed", lambda k, m, d: 2 * (k + m) * d**3 + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "plus biases", lambda k, m, d: 2 * (k + m) * d * (d + 1) + 2 * k * m * d),
    # 1.5
    ("cycle", "right", "pinv", cycle_solve),
    ("cycle", "right", "numpy", cycle_numpy),
    ("cycle", "right", "scaled up", lambda x: (1000 * cycle_solve(x)[0], torch.eye(4))),
    ("cycle", "wrong", "weak", lambda x: (0.08 * cycle_solve(x)[0], torch.eye(4))),
    ("cycle", "wrong", "other way", lambda x: (torch.eye(4), cycle_solve(x)[0])),
    ("cycle", "wrong", "identity", lambda x: (torch.eye(4), torch.eye(4))),
    ("cycle", "wrong", "zeros", lambda x: (torch.zeros(4, 4), torch.zeros(4, 4))),
    ("cycle", "wrong", "one matrix", lambda x: cycle_solve(x)[0]),
    ("cycle", "wrong", "wrong shapes", lambda x: (torch.eye(3), torch.eye(3))),
    ("cycle", "wrong", "negative", lambda x: (-cycle_solve(x)[0], torch.eye(4))),
    (
        "cycle",
        "wrong",
        "fixed for these tokens",
        lambda x: cycle_solve(torch.tensor([[2.0, 1, 0, 1], [1, 2, 0, 1], [0, 0, 2, 1]])),
    ),
    # 2.1
    ("separable_module", "right", "pooled", SepPooled),
    ("separable_module", "right", "einsum", SepEinsum),
    ("separable_module", "right", "matmul", SepMatmul),
    (
        "separable_module",
        "wrong",
        "softmax dim 1",
        sep(lambda s, x: s.W_O((s.W_I(x).softmax(1) * s.W_K(x)).sum(1, keepdim=True) * s.W_V(x).relu())),
    ),
    (
        "separable_module",
        "wrong",
        "no keepdim",
        sep(lambda s, x: s.W_O((s.W_I(x).softmax(-2) * s.W_K(x)).sum(-2) * s.W_V(x).relu())),
    ),
    (
        "separable_module",
        "wrong",
        "relu after W_O",
        sep(lambda s, x: s.W_O((s.W_I(x).softmax(-2) * s.W_K(x)).sum(-2, True) * s.W_V(x)).relu()),
    ),
    (
        "separable_module",
        "wrong",
        "K and V exchanged",
        sep(lambda s, x: s.W_O((s.W_I(x).softmax(-2) * s.W_V(x)).sum(-2, True) * s.W_K(x).relu())),
    ),
    (
        "separable_module",
        "wrong",
        "leaky relu",
        sep(lambda s, x: s.W_O((s.W_I(x).softmax(-2) * s.W_K(x)).sum(-2, True) * F.leaky_relu(s.W_V(x)))),
    ),
    (
        "separable_module",
        "wrong",
        "relu on pooled",
        sep(lambda s, x: s.W_O((s.W_I(x).softmax(-2) * s.W_K(x)).sum(-2, True).relu() * s.W_V(x))),
    ),
    (
        "separable_module",
        "wrong",
        "mean",
        sep(lambda s, x: s.W_O((s.W_I(x).softmax(-2) * s.W_K(x)).mean(-2, True) * s.W_V(x).relu())),
    ),
    (
        "separable_module",
        "wrong",
        "no W_O",
        sep(lambda s, x: (s.W_I(x).softmax(-2) * s.W_K(x)).sum(-2, True) * s.W_V(x).relu()),
    ),
    (
        "separable_module",
        "wrong",
        "V is K",
        sep(lambda s, x: s.W_O((s.W_I(x).softmax(-2) * s.W_K(x)).sum(-2, True) * s.W_K(x).relu())),
    ),
    (
        "separable_module",
        "wrong",
        "scaled",
        sep(
            lambda s, x: s.W_O(((s.W_I(x) / x.shape[-1] ** 0.5).softmax(-2) * s.W_K(x)).sum(-2, True) * s.W_V(x).relu())
        ),
    ),
    (
        "separable_module",
        "wrong",
        "forgot sum",
        sep(lambda s, x: s.W_O(s.W_I(x).softmax(-2) * s.W_K(x) * s.W_V(x).relu())),
    ),
    ("separable_module", "wrong", "missing attribute", sep(lambda s, x: s.W_Q(x))),
    # 2.2
    ("pooled_context_vector", "right", "append a one", pooled_append),
    ("pooled_context_vector", "right", "baddbmm", pooled_bmm),
    ("pooled_context_vector", "right", "loops", pooled_loop),
    (
        "pooled_context_vector",
        "right",
        "F.linear",
        lambda x, c, W, b: F.linear((c * x).sum(1, True), W.T) + c.sum(1, True) * b,
    ),
    ("pooled_context_vector", "wrong", "einsum of all", lambda x, c, W, b: torch.einsum("bko,bkd->bod", c, x @ W + b)),
    (
        "pooled_context_vector",
        "wrong",
        "elementwise of all",
        lambda x, c, W, b: (c * ((x[..., None] * W).sum(-2) + b)).sum(1, True),
    ),
    (
        "pooled_context_vector",
        "wrong",
        "baddbmm of all",
        lambda x, c, W, b: (c * torch.baddbmm(b.expand_as(x), x, W.expand(len(x), -1, -1))).sum(1, True),
    ),
    (
        "pooled_context_vector",
        "wrong",
        "addmm bias once",
        lambda x, c, W, b: torch.addmm(b, (c * x).sum(1), W)[:, None],
    ),
    ("pooled_context_vector", "wrong", "squeezed", lambda x, c, W, b: (c * x).sum(1) @ W + c.sum(1) * b),
    (
        "pooled_context_vector",
        "wrong",
        "normalised",
        lambda x, c, W, b: ((c * x).sum(1, True) / c.sum(1, True)) @ W + b,
    ),
    (
        "pooled_context_vector",
        "wrong",
        "bias twice",
        lambda x, c, W, b: (c * x).sum(1, True) @ W + 2 * c.sum(1, True) * b,
    ),
    ("pooled_context_vector", "wrong", "W twice", lambda x, c, W, b: (c * x).sum(1, True) @ W @ W + c.sum(1, True) * b),
    (
        "pooled_context_vector",
        "wrong",
        "batch sum",
        lambda x, c, W, b: (c * x).sum((0, 1), True) @ W + c.sum((0, 1), True) * b,
    ),
    ("pooled_context_vector", "wrong", "abs scores", lambda x, c, W, b: pooled_append(x, c.abs(), W, b)),
    (
        "pooled_context_vector",
        "wrong",
        "bias sum abs",
        lambda x, c, W, b: (c * x).sum(1, True) @ W + c.abs().sum(1, True) * b,
    ),
    # 2.3
    (
        "separable_cross_attention",
        "right",
        "slices",
        lambda x, m, f: (
            ((m @ f[0]).softmax(0) @ (m @ f[1 : len(f) // 2 + 1].T))[None] * (x @ f[len(f) // 2 + 1 :].T).relu()
        ),
    ),
    (
        "separable_cross_attention",
        "right",
        "F.linear",
        lambda x, m, f: (lambda A, K, V: F.linear((F.linear(m, A).softmax(0) * m).sum(0), K) * F.relu(F.linear(x, V)))(
            *f.split([1, x.shape[1], x.shape[1]])
        ),
    ),
    (
        "separable_cross_attention",
        "right",
        "double lists",
        lambda x, m, f: (lambda y: y.tolist())(
            ((m.double() @ f[0].double()).softmax(0) @ (m.double() @ f[1 : 1 + x.shape[1]].double().T))
            * (x.double() @ f[1 + x.shape[1] :].double().T).clamp(min=0)
        ),
    ),
    (
        "separable_cross_attention",
        "wrong",
        "V first",
        lambda x, m, f: (lambda A, V, K: (F.linear(m, A).softmax(0) * F.linear(m, K)).sum(0) * F.relu(F.linear(x, V)))(
            *f.split([1, x.shape[1], x.shape[1]])
        ),
    ),
    (
        "separable_cross_attention",
        "wrong",
        "softmax last",
        lambda x, m, f: (lambda A, K, V: (F.linear(m, A).softmax(-1) * F.linear(m, K)).sum(0) * F.relu(F.linear(x, V)))(
            *f.split([1, x.shape[1], x.shape[1]])
        ),
    ),
    (
        "separable_cross_attention",
        "wrong",
        "sigmoid gate",
        lambda x, m, f: (
            lambda A, K, V: (F.linear(m, A).softmax(0) * F.linear(m, K)).sum(0) * F.linear(x, V).sigmoid()
        )(*f.split([1, x.shape[1], x.shape[1]])),
    ),
    (
        "separable_cross_attention",
        "wrong",
        "pooled from x",
        lambda x, m, f: (lambda A, K, V: (F.linear(x, A).softmax(0) * F.linear(x, K)).sum(0) * F.relu(F.linear(x, V)))(
            *f.split([1, x.shape[1], x.shape[1]])
        ),
    ),
    (
        "separable_cross_attention",
        "wrong",
        "mean",
        lambda x, m, f: (lambda A, K, V: F.linear(m, K).mean(0) * F.relu(F.linear(x, V)))(
            *f.split([1, x.shape[1], x.shape[1]])
        ),
    ),
    (
        "separable_cross_attention",
        "wrong",
        "W_V on the sum",
        lambda x, m, f: (lambda A, K, V: (F.linear(m, A).softmax(0) * F.linear(m, K)).sum(0) + F.relu(F.linear(x, V)))(
            *f.split([1, x.shape[1], x.shape[1]])
        ),
    ),
    # 2.4
    ("several_questions", "right", "loop", questions_loop),
    ("several_questions", "right", "einsum", questions_einsum),
    ("several_questions", "right", "all then pick", questions_full),
    (
        "several_questions",
        "wrong",
        "softmax over heads",
        lambda x, A, K: torch.einsum(
            "bkh,bkhw->bhw", (x @ A).softmax(2), (x @ K).unflatten(-1, (A.shape[1], -1))
        ).flatten(1)[:, None],
    ),
    (
        "several_questions",
        "wrong",
        "interleaved",
        lambda x, A, K: torch.einsum(
            "bkh,bkwh->bwh", (x @ A).softmax(1), (x @ K).unflatten(-1, (-1, A.shape[1]))
        ).flatten(1)[:, None],
    ),
    ("several_questions", "wrong", "no middle axis", lambda x, A, K: questions_einsum(x, A, K)[:, 0]),
    (
        "several_questions",
        "wrong",
        "heads as rows",
        lambda x, A, K: torch.einsum("bkh,bkhw->bhw", (x @ A).softmax(1), (x @ K).unflatten(-1, (A.shape[1], -1))),
    ),
    (
        "several_questions",
        "wrong",
        "transposed inside",
        lambda x, A, K: torch.einsum(
            "bkh,bkhw->bwh", (x @ A).softmax(1), (x @ K).unflatten(-1, (A.shape[1], -1))
        ).flatten(1)[:, None],
    ),
    ("several_questions", "wrong", "scaled", lambda x, A, K: questions_loop(x, A * (A.shape[1] / len(A)) ** 0.5, K)),
    ("several_questions", "wrong", "divided by h", lambda x, A, K: questions_loop(x, A, K) / A.shape[1]),
    ("several_questions", "wrong", "K transposed", lambda x, A, K: questions_loop(x, A, K.T)),
    ("several_questions", "wrong", "tokens pooled", lambda x, A, K: questions_loop(x, A, torch.eye(len(K))) @ K),
    ("several_questions", "wrong", "expanded", lambda x, A, K: questions_loop(x, A, K).expand(-1, x.shape[1], -1)),
    # 2.5
    ("twice_as_much", "right", "tensor", lambda d: torch.tensor(d + 1.0)),
    ("twice_as_much", "right", "numpy", lambda d: np.float32(d + 1)),
    ("twice_as_much", "wrong", "d", lambda d: d),
    ("twice_as_much", "wrong", "d + 2", lambda d: d + 2),
    ("twice_as_much", "wrong", "half", lambda d: (d + 1) / 2),
    ("twice_as_much", "wrong", "sign", lambda d: -(d + 1)),
    # 3.1
    ("benchmark", "right", "median is wrong, min is right", bench_good),
    ("benchmark", "right", "calls in a row", bench(rounds=25)),
    ("benchmark", "right", "numpy", bench(statistic=np.min)),
    ("benchmark", "wrong", "median", bench_median),
    ("benchmark", "wrong", "mean", bench(statistic=np.mean)),
    ("benchmark", "wrong", "single", bench(rounds=1)),
    ("benchmark", "wrong", "max", bench(statistic=max)),
    ("benchmark", "wrong", "threads", bench(threads=False)),
    ("benchmark", "wrong", "sync", bench(sync=False)),
    ("benchmark", "wrong", "sum", bench(statistic=sum)),
    ("benchmark", "wrong", "milliseconds", bench(statistic=lambda t: 1000 * min(t))),
    ("benchmark", "wrong", "not divided", bench(calls=5, divide=False)),
    ("benchmark", "wrong", "mean of 3", bench(rounds=3, statistic=lambda t: sum(t) / 3)),
    ("benchmark", "wrong", "list", bench(statistic=list)),
    # 3.2
    ("log_log_slope", "right", "polyfit", lambda s, t: np.polyfit(np.log(s.numpy()), np.log(t.numpy()), 1)[0]),
    (
        "log_log_slope",
        "right",
        "lstsq",
        lambda s, t: torch.linalg.lstsq(torch.stack([s.log10(), torch.ones_like(s)], 1), t.log10()[:, None]).solution[
            0
        ],
    ),
    ("log_log_slope", "right", "cov", slope(lambda u, v: torch.cov(torch.stack([u, v]))[0, 1] / u.var())),
    ("log_log_slope", "wrong", "intercept", lambda s, t: np.polyfit(np.log(s.numpy()), np.log(t.numpy()), 1)[1]),
    ("log_log_slope", "wrong", "semi log", lambda s, t: np.polyfit(s.numpy(), np.log(t.numpy()), 1)[0]),
    ("log_log_slope", "wrong", "std mix", slope(lambda u, v: v.std() / u.std())),
    (
        "log_log_slope",
        "wrong",
        "cov biased",
        slope(lambda u, v: torch.cov(torch.stack([u, v]))[0, 1] / u.var(correction=0)),
    ),
    ("log_log_slope", "wrong", "sum of ratio", slope(lambda u, v: ((v - v.mean()) / (u - u.mean())).mean())),
    (
        "log_log_slope",
        "wrong",
        "exp",
        lambda s, t: 2 ** slope(lambda u, v: torch.cov(torch.stack([u, v]))[0, 1] / u.var())(s, t),
    ),
    ("log_log_slope", "wrong", "base mix", lambda s, t: np.polyfit(np.log10(s.numpy()), np.log(t.numpy()), 1)[0]),
    # 3.3
    ("meeting_point", "right", "logarithms", meet),
    ("meeting_point", "right", "numpy", lambda k, a, b, c, d: np.float64(k) * np.power(c / a, 1 / (b - d))),
    (
        "meeting_point",
        "right",
        "tensor",
        lambda k, a, b, c, d: torch.tensor(k * (a / c) ** (1 / (d - b)), dtype=torch.float64),
    ),
    ("meeting_point", "wrong", "wrong sign", lambda k, a, b, c, d: k * (a / c) ** (1 / (b - d))),
    ("meeting_point", "wrong", "no root", lambda k, a, b, c, d: k * (a / c) ** (d - b)),
    ("meeting_point", "wrong", "exp of ratio", lambda k, a, b, c, d: k * math.exp((a / c) / (d - b))),
    ("meeting_point", "wrong", "whole", lambda k, a, b, c, d: round(meet(k, a, b, c, d))),
    ("meeting_point", "wrong", "difference", lambda k, a, b, c, d: meet(k, a, b, c, d) - k),
    ("meeting_point", "wrong", "abs", lambda k, a, b, c, d: k * (a / c) ** (1 / abs(d - b))),
    (
        "meeting_point",
        "wrong",
        "bigger over smaller",
        lambda k, a, b, c, d: k * (max(a, c) / min(a, c)) ** (1 / abs(d - b)),
    ),
    # 3.4
    ("largest_k", "right", "bits", fits),
    ("largest_k", "right", "corrected float", fits_corrected),
    ("largest_k", "right", "isqrt", lambda m, h, s: np.int64(math.isqrt(m // h // s // 2))),
    ("largest_k", "right", "float", lambda m, h, s: math.floor(math.sqrt(m / h / s / 2))),
    ("largest_k", "right", "int of power", lambda m, h, s: int((m // (2 * h * s)) ** 0.5)),
    ("largest_k", "right", "numpy sqrt", lambda m, h, s: int(np.sqrt(m // (2 * h * s)))),
    ("largest_k", "wrong", "no twice", lambda m, h, s: math.isqrt(m // (h * s))),
    ("largest_k", "wrong", "strict", lambda m, h, s: math.isqrt((m - 1) // (2 * h * s))),
    ("largest_k", "wrong", "linear", lambda m, h, s: m // (2 * h * s)),
    ("largest_k", "wrong", "next", lambda m, h, s: math.isqrt(m // (2 * h * s)) + 1),
    ("largest_k", "wrong", "multiplied", lambda m, h, s: math.isqrt(m * 2 * h * s)),
    # 3.5
    ("speedup", "right", "numpy", lambda s, f: np.median(s.numpy() / f.numpy())),
    ("speedup", "right", "sorted", lambda s, f: sorted((s / f).tolist())[len(s) // 2]),
    ("speedup", "right", "quantile", lambda s, f: torch.quantile(s.double() / f.double(), 0.5)),
    ("speedup", "wrong", "means", lambda s, f: s.mean() / f.mean()),
    ("speedup", "wrong", "reciprocal", lambda s, f: 1 / (s / f).median()),
    ("speedup", "wrong", "percent", lambda s, f: 100 * (s / f).median()),
    ("speedup", "wrong", "log", lambda s, f: (s / f).log().median()),
    ("speedup", "wrong", "quartile", lambda s, f: torch.quantile(s / f, 0.25)),
    ("speedup", "wrong", "product", lambda s, f: (s * f).median()),
    ("speedup", "wrong", "min of slow over median", lambda s, f: s.min() / f.median()),
    # 4.1
    ("unfold_patches", "right", "strided", unfold_loop),
    ("unfold_patches", "right", "torch", unfold_torch),
    (
        "unfold_patches",
        "right",
        "einops like",
        lambda x, p: x.unfold(2, p, p).unfold(3, p, p).permute(0, 4, 5, 2, 3, 1).flatten(3, 4).flatten(1, 2),
    ),
    ("unfold_patches", "wrong", "first batch item", _first_only),
    ("unfold_patches", "wrong", "P N exchanged", lambda x, p: unfold_loop(x, p).transpose(1, 2)),
    ("unfold_patches", "wrong", "p fixed at 2", lambda x, p: unfold_loop(x, 2)),
    (
        "unfold_patches",
        "wrong",
        "columns",
        lambda x, p: torch.stack([x[:, :, i::p, j::p].flatten(2).mT for j in range(p) for i in range(p)], 1),
    ),
    (
        "unfold_patches",
        "wrong",
        "patches by column",
        lambda x, p: torch.stack([x[:, :, i::p, j::p].mT.flatten(2).mT for i in range(p) for j in range(p)], 1),
    ),
    (
        "unfold_patches",
        "wrong",
        "no transposition of C",
        lambda x, p: torch.stack([x[:, :, i::p, j::p].flatten(2) for i in range(p) for j in range(p)], 1),
    ),
    (
        "unfold_patches",
        "wrong",
        "view as N P",
        lambda x, p: F.unfold(x, p, stride=p).view(len(x), x.shape[1], p * p, -1).permute(0, 3, 2, 1),
    ),
    ("unfold_patches", "wrong", "flat", lambda x, p: unfold_loop(x, p).flatten(1, 2)),
    ("unfold_patches", "wrong", "list", lambda x, p: [unfold_loop(x, p)[:, i] for i in range(p * p)]),
    (
        "unfold_patches",
        "wrong",
        "H for W",
        lambda x, p: (
            x.permute(0, 2, 3, 1)
            .reshape(len(x), x.shape[3] // p, p, x.shape[2] // p, p, -1)
            .permute(0, 2, 4, 1, 3, 5)
            .flatten(3, 4)
            .flatten(1, 2)
        ),
    ),
    # 4.2
    ("block_module", "right", "loop", block(block_loop)),
    (
        "block_module",
        "right",
        "own names of sizes",
        block(
            lambda s, x: s.to_channels(
                fold_shuffle(s.norm(s.layers(unfold_torch(s.to_tokens(s.local(x)), 2))), *x.shape[2:], 2)
            )
        ),
    ),
    (
        "block_module",
        "right",
        "strided",
        block(
            lambda s, x: s.to_channels(
                fold_loop(s.norm(s.layers(unfold_loop(s.to_tokens(s.local(x)), 2))), x.shape[2], x.shape[3], 2)
            )
        ),
    ),
    ("block_module", "wrong", "residual", block(lambda s, x: x + block_loop(s, x))),
    (
        "block_module",
        "wrong",
        "norm missing",
        block(lambda s, x: s.to_channels(mv.fold(s.layers(mv.unfold(s.to_tokens(s.local(x)))), x.shape[2:]))),
    ),
    (
        "block_module",
        "wrong",
        "W for H",
        block(
            lambda s, x: s.to_channels(
                mv.fold(s.norm(s.layers(mv.unfold(s.to_tokens(s.local(x))))), (x.shape[3], x.shape[2]))
            )
        ),
    ),
    (
        "block_module",
        "wrong",
        "view back",
        block(
            lambda s, x: s.to_channels(
                s.norm(s.layers(mv.unfold(s.to_tokens(s.local(x)))))
                .permute(0, 3, 1, 2)
                .reshape(len(x), -1, *x.shape[2:])
            )
        ),
    ),
    (
        "block_module",
        "wrong",
        "local missing",
        block(lambda s, x: s.to_channels(mv.fold(s.norm(s.layers(mv.unfold(s.to_tokens(x)))), x.shape[2:]))),
    ),
    ("block_module", "wrong", "no fold", block(lambda s, x: s.norm(s.layers(mv.unfold(s.to_tokens(s.local(x))))))),
    (
        "block_module",
        "wrong",
        "last layer only",
        block(
            lambda s, x: s.to_channels(mv.fold(s.norm(s.layers[-1](mv.unfold(s.to_tokens(s.local(x))))), x.shape[2:]))
        ),
    ),
    (
        "block_module",
        "wrong",
        "local after",
        block(lambda s, x: s.local(s.to_channels(mv.fold(s.norm(s.layers(mv.unfold(s.to_tokens(x)))), x.shape[2:])))),
    ),
    # 4.3
    ("fold_patches", "right", "strided", fold_loop),
    ("fold_patches", "right", "torch", fold_torch),
    ("fold_patches", "right", "pixel shuffle", fold_shuffle),
    ("fold_patches", "wrong", "H W exchanged at the end", lambda t, H, W, p: fold_loop(t, H, W, p).mT),
    ("fold_patches", "wrong", "channels last", lambda t, H, W, p: fold_loop(t, H, W, p).movedim(1, -1)),
    ("fold_patches", "wrong", "p fixed", lambda t, H, W, p: fold_loop(t, H, W, 2)),
    ("fold_patches", "wrong", "reshape", lambda t, H, W, p: t.movedim(-1, 1).reshape(len(t), -1, H, W)),
    (
        "fold_patches",
        "wrong",
        "i j exchanged",
        lambda t, H, W, p: fold_loop(t.unflatten(1, (p, p)).transpose(1, 2).flatten(1, 2), H, W, p),
    ),
    ("fold_patches", "wrong", "flipped", lambda t, H, W, p: fold_loop(t, H, W, p).flip(-1)),
    (
        "fold_patches",
        "wrong",
        "square grid",
        lambda t, H, W, p: fold_loop(t, int((H * W) ** 0.5), int((H * W) ** 0.5), p),
    ),
    # 4.4
    ("groups_by_position", "right", "std", detect_numbers),
    ("groups_by_position", "right", "tensor bool", lambda f: torch.tensor(bool(detect_numbers(f)))),
    ("groups_by_position", "wrong", "square", detect_square),
    ("groups_by_position", "wrong", "first two", detect_first_entries),
    ("groups_by_position", "wrong", "equal to the library", detect_equal),
    ("groups_by_position", "wrong", "shape", detect_shape),
    ("groups_by_position", "wrong", "inverse", lambda f: not detect_numbers(f)),
    ("groups_by_position", "wrong", "string", lambda f: "True" if detect_numbers(f) else "False"),
    # 4.5
    ("group_norm_1", "right", "functional", gn_functional),
    ("group_norm_1", "right", "numpy", gn_numpy),
    ("group_norm_1", "right", "in place loop", gn_loop),
    (
        "group_norm_1",
        "right",
        "layer norm over all",
        lambda x, w, b, e=1e-5: F.layer_norm(x, x.shape[1:], eps=e) * w + b,
    ),
    ("group_norm_1", "wrong", "layer norm", lambda x, w, b, e=1e-5: F.layer_norm(x, x.shape[-1:], w, b, e)),
    (
        "group_norm_1",
        "wrong",
        "instance norm",
        lambda x, w, b, e=1e-5: F.instance_norm(x.movedim(-1, 1), weight=w, bias=b, eps=e).movedim(1, -1),
    ),
    ("group_norm_1", "wrong", "default eps", lambda x, w, b, e=1e-5: gn_functional(x, w, b)),
    (
        "group_norm_1",
        "wrong",
        "torch std",
        lambda x, w, b, e=1e-5: (x - x.mean((1, 2, 3), True)) / (x.std((1, 2, 3), keepdim=True) + e) * w + b,
    ),
    ("group_norm_1", "wrong", "1 + weight", lambda x, w, b, e=1e-5: gn_functional(x, 1 + w, b, e)),
    ("group_norm_1", "wrong", "bias twice", lambda x, w, b, e=1e-5: gn_functional(x, w, b, e) + b),
    ("group_norm_1", "wrong", "mean only", lambda x, w, b, e=1e-5: (x - x.mean((1, 2, 3), True)) * w + b),
    (
        "group_norm_1",
        "wrong",
        "keepdim missing",
        lambda x, w, b, e=1e-5: (x - x.mean((1, 2, 3))) / (x.var((1, 2, 3)) + e).sqrt() * w + b,
    ),
    # 4.6
    ("block_macs", "right", "sum", lambda C, d, n, H, W: sum([9 * C, 2 * C * d, n * d * (7 * d + 1)]) * H * W),
    ("block_macs", "right", "float", lambda C, d, n, H, W: float(H * W) * (9 * C + 2 * C * d + n * (7 * d * d + d))),
    (
        "block_macs",
        "right",
        "by collections",
        lambda C, d, n, H, W: (
            9 * H * W * C
            + 2 * H * W * C * d
            + 4 * n * (3 * (H * W // 4) * d**2 + (H * W // 4) * d + 4 * (H * W // 4) * d**2)
        ),
    ),
    ("block_macs", "wrong", "no scores", lambda C, d, n, H, W: H * W * (9 * C + 2 * C * d + n * 7 * d * d)),
    ("block_macs", "wrong", "full conv", lambda C, d, n, H, W: H * W * (9 * C * C + 2 * C * d + n * (7 * d * d + d))),
    ("block_macs", "wrong", "one layer", lambda C, d, n, H, W: H * W * (9 * C + 2 * C * d + (7 * d * d + d))),
    (
        "block_macs",
        "wrong",
        "k not all",
        lambda C, d, n, H, W: H * W * (9 * C + 2 * C * d) + n * (H * W / 4) * (7 * d * d + d),
    ),
    ("block_macs", "wrong", "norms counted", lambda C, d, n, H, W: H * W * (9 * C + 2 * C * d + n * (9 * d * d + d))),
    ("block_macs", "wrong", "H only", lambda C, d, n, H, W: H * H * (9 * C + 2 * C * d + n * (7 * d * d + d))),
    ("block_macs", "wrong", "flops", lambda C, d, n, H, W: 2 * H * W * (9 * C + 2 * C * d + n * (7 * d * d + d))),
    (
        "block_macs",
        "wrong",
        "d to d projection",
        lambda C, d, n, H, W: H * W * (9 * C + C * d + d * d + n * (7 * d * d + d)),
    ),
]
