"""Attempts of a third cold reader at the exercises of notebook 01."""

import math
from functools import reduce

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

# 1.1 multi-head attention as a module


class Stub(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.W_Q, self.W_K = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def cut(self, x):
        return x.unflatten(-1, (self.num_heads, x.shape[-1] // self.num_heads)).transpose(-3, -2)

    def merge(self, heads):
        return heads.transpose(-3, -2).flatten(-2)


class SliceLoop(Stub):
    def forward(self, x):
        query, key, value = self.W_Q(x), self.W_K(x), self.W_V(x)
        width = x.shape[-1] // self.num_heads
        heads = []
        for i in range(self.num_heads):
            part = slice(i * width, (i + 1) * width)
            weights = (query[..., part] @ key[..., part].mT / width**0.5).softmax(dim=-1)
            heads.append(weights @ value[..., part])
        return self.W_O(torch.cat(heads, dim=-1))


class Einsum(Stub):
    def forward(self, x):
        shape = (*x.shape[:-1], self.num_heads, -1)
        q, k, v = (layer(x).reshape(shape) for layer in (self.W_Q, self.W_K, self.W_V))
        scores = torch.einsum("...ihc,...jhc->...hij", q, k) / math.sqrt(q.shape[-1])
        mixed = torch.einsum("...hij,...jhc->...ihc", torch.softmax(scores, -1), v)
        return self.W_O(mixed.reshape(x.shape))


class BuiltIn(Stub):
    def forward(self, x):
        heads = F.scaled_dot_product_attention(*map(self.cut, (self.W_Q(x), self.W_K(x), self.W_V(x))))
        return self.W_O(self.merge(heads))


class ChunkStack(Stub):
    def forward(self, x):
        q = torch.stack(self.W_Q(x).chunk(self.num_heads, dim=-1))  # heads in front of everything
        k = torch.stack(self.W_K(x).chunk(self.num_heads, dim=-1))
        v = torch.stack(self.W_V(x).chunk(self.num_heads, dim=-1))
        q *= q.size(-1) ** -0.5
        exponentials = torch.exp(q @ k.transpose(-1, -2))
        heads = (exponentials / exponentials.sum(-1, keepdim=True)) @ v
        return self.W_O(torch.cat(list(heads), dim=-1))


class FlatBatch(Stub):
    def forward(self, x):
        *front, k, d = x.shape
        h = self.num_heads
        flat = x.reshape(-1, k, d)

        def to_heads(layer):
            return layer(flat).view(len(flat), k, h, d // h).permute(0, 2, 1, 3).reshape(-1, k, d // h)

        scores = torch.bmm(to_heads(self.W_Q), to_heads(self.W_K).permute(0, 2, 1))
        scores /= np.sqrt(d / h)
        heads = torch.bmm(F.softmax(scores, dim=2), to_heads(self.W_V))
        return self.W_O(heads.view(-1, h, k, d // h).permute(0, 2, 1, 3).reshape(*front, k, d))


class ReshapeAtOnce(Stub):
    def forward(self, x):
        *front, k, d = x.shape
        shape = (*front, self.num_heads, k, d // self.num_heads)
        q, k, v = self.W_Q(x).reshape(shape), self.W_K(x).reshape(shape), self.W_V(x).reshape(shape)
        maps = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
        return self.W_O(self.merge(maps @ v))


class ReshapeBack(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        maps = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
        return self.W_O((maps @ v).reshape(x.shape))


class FullWidthDivisor(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge((q @ k.mT / x.shape[-1] ** 0.5).softmax(dim=-1) @ v))


class NoDivisor(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge((q @ k.mT).softmax(dim=-1) @ v))


class NoRoot(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge((q @ k.mT / q.shape[-1]).softmax(dim=-1) @ v))


class DividedAfterSoftmax(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge((q @ k.mT).softmax(dim=-1) / q.shape[-1] ** 0.5 @ v))


class SoftmaxOverQueries(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-2) @ v))


class SoftmaxOverHeads(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-3) @ v))


class NoMixing(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v)


class QueriesAsKeys(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_Q(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v))


class RawValues(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(x)
        return self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v))


class OneHead(Stub):
    def forward(self, x):
        q, k, v = self.W_Q(x), self.W_K(x), self.W_V(x)
        return self.W_O((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v)


class HeadsAttendHeads(Stub):
    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (self.num_heads, -1)) for layer in (self.W_Q, self.W_K, self.W_V))
        return self.W_O(((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v).flatten(-2))


class EveryOtherEntry(Stub):
    def cut(self, x):
        return x.unflatten(-1, (-1, self.num_heads)).movedim(-1, -3)

    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        heads = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v
        return self.W_O(heads.movedim(-3, -1).flatten(-2))


class Causal(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge(F.scaled_dot_product_attention(q, k, v, is_causal=True)))


class Residual(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return x + self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v))


class MapTransposed(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1).mT @ v))


class MeanMap(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        maps = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1).mean(dim=-3, keepdim=True)
        return self.W_O(self.merge(maps @ v))


class NoBiases(Stub):
    def forward(self, x):
        q, k, v = (self.cut(x @ layer.weight.mT) for layer in (self.W_Q, self.W_K, self.W_V))
        return self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v) @ self.W_O.weight.mT


class StoredMatrix(Stub):
    def forward(self, x):
        q, k, v = (self.cut(x @ layer.weight + layer.bias) for layer in (self.W_Q, self.W_K, self.W_V))
        return self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v))


class TwoHeadsAlways(Stub):
    def forward(self, x):
        heads = [t.unflatten(-1, (2, -1)).transpose(-3, -2) for t in (self.W_Q(x), self.W_K(x), self.W_V(x))]
        q, k, v = heads
        return self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v))


class OneFrontAxis(Stub):
    def forward(self, x):
        B, k, d = x.shape
        split = [t.view(B, k, self.num_heads, -1).transpose(1, 2) for t in (self.W_Q(x), self.W_K(x), self.W_V(x))]
        q, key, v = split
        heads = (q @ key.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v
        return self.W_O(heads.transpose(1, 2).reshape(B, k, d))


class AxesFromTheFront(Stub):
    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (self.num_heads, -1)) for layer in (self.W_Q, self.W_K, self.W_V))
        q, k, v = q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1)  # right for [k, d] only
        heads = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v
        return self.W_O(heads.transpose(0, 1).flatten(-2))


class ReturnsMapsToo(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        maps = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
        return self.W_O(self.merge(maps @ v)), maps


class ForgetsReturn(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        self.W_O(self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v))


class MixesBeforeMerging(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.merge((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ self.cut(self.W_O(self.merge(v))))


class NoSoftmax(Stub):
    def forward(self, x):
        q, k, v = self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x))
        return self.W_O(self.merge(q @ k.mT / q.shape[-1] ** 0.5 @ v))


# 1.2 a softmax that survives


def softmax_max_values(scores):
    peak, _ = torch.max(scores, dim=-1, keepdim=True)
    e = torch.exp(scores - peak)
    return torch.div(e, e.sum(-1, True))


def softmax_rows(scores):
    rows = []
    for row in scores.reshape(-1, scores.shape[-1]):
        largest = max(row.tolist())
        exponentials = [(entry - largest).exp() for entry in row]
        total = sum(exponentials)
        rows.append(torch.stack([entry / total for entry in exponentials]))
    return torch.stack(rows).reshape(scores.shape)


def softmax_wide(scores):
    wide = scores.double()
    wide = (wide - wide.amax(dim=-1)[..., None]).exp()
    return (wide / wide.sum(dim=-1)[..., None]).to(scores.dtype)


def softmax_unbind(scores):
    columns = scores.unbind(dim=-1)
    peak = reduce(torch.maximum, columns)
    exponentials = [(column - peak).exp() for column in columns]
    total = sum(exponentials)
    return torch.stack([e / total for e in exponentials], dim=-1)


def softmax_in_place(scores):
    work = scores.clone()
    work -= scores.sort(dim=-1, descending=True).values[..., :1]
    work.exp_()
    return work / torch.einsum("...j->...", work).unsqueeze(-1)


def softmax_plain(scores):
    return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)


def softmax_global_max(scores):
    e = (scores - scores.max()).exp()
    return e / e.sum(dim=-1, keepdim=True)


def softmax_column_max(scores):
    e = (scores - scores.amax(dim=-2, keepdim=True)).exp()
    return e / e.sum(dim=-1, keepdim=True)


def softmax_first_axis(scores):
    e = (scores - scores.amax(dim=0, keepdim=True)).exp()
    return e / e.sum(dim=0, keepdim=True)


def softmax_mean(scores):
    e = (scores - scores.mean(dim=-1, keepdim=True)).exp()
    return e / e.sum(dim=-1, keepdim=True)


def softmax_min(scores):
    e = (scores - scores.amin(dim=-1, keepdim=True)).exp()
    return e / e.sum(dim=-1, keepdim=True)


def softmax_largest_size(scores):
    e = (scores - scores.abs().amax(dim=-1, keepdim=True)).exp()
    return e / e.sum(dim=-1, keepdim=True)


def softmax_clamped(scores):
    e = scores.clamp(-80, 80).exp()
    return e / e.sum(dim=-1, keepdim=True)


def softmax_called(scores):
    return torch.softmax(scores, dim=-1)


def softmax_log_called(scores):
    return F.log_softmax(scores, dim=-1).exp()


def softmax_logsumexp(scores):
    return (scores - torch.logsumexp(scores, dim=-1, keepdim=True)).exp()


def softmax_nan_to_num(scores):
    e = scores.exp()
    return (e / e.sum(dim=-1, keepdim=True)).nan_to_num(nan=1.0)


def softmax_divides(scores):
    e = (scores / scores.amax(dim=-1, keepdim=True)).exp()
    return e / e.sum(dim=-1, keepdim=True)


def softmax_no_keepdim(scores):
    e = (scores - scores.amax(dim=-1)).exp()
    return e / e.sum(dim=-1, keepdim=True)


def softmax_not_normalised(scores):
    return (scores - scores.amax(dim=-1, keepdim=True)).exp()


def softmax_float64_only(scores):
    e = scores.double().exp()
    return (e / e.sum(dim=-1, keepdim=True)).to(scores.dtype)


def softmax_slices(scores):
    out = []
    for row in scores:
        e = (row - row.max()).exp()
        out.append(e / e.sum())
    return torch.stack(out)


def softmax_log_weights(scores):
    shifted = scores - scores.amax(dim=-1, keepdim=True)
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


def softmax_base_two(scores):
    e = torch.exp2(scores - scores.amax(dim=-1, keepdim=True))
    return e / e.sum(dim=-1, keepdim=True)


def softmax_old_total(scores):
    return (scores - scores.amax(dim=-1, keepdim=True)).exp() / scores.exp().sum(dim=-1, keepdim=True)


def softmax_max_of_total(scores):
    e = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    return e / e.sum()


# 1.3 cross-attention


def cross_loops(x, memory, W_Q, W_K, W_V):
    y = torch.zeros(len(x), W_V.shape[1], dtype=x.dtype)
    for i in range(len(x)):
        query = x[i] @ W_Q
        scores = torch.stack([query @ (token @ W_K) for token in memory]) / len(query) ** 0.5
        for weight, token in zip(scores.softmax(dim=0), memory, strict=True):
            y[i] += weight * (token @ W_V)
    return y


def cross_einsum(x, memory, W_Q, W_K, W_V):
    scores = torch.einsum("id,de,je->ij", x, W_Q, torch.einsum("jd,de->je", memory, W_K))
    weights = torch.softmax(scores.div(math.sqrt(W_K.shape[-1])), dim=1)
    return torch.einsum("ij,jd,de->ie", weights, memory, W_V)


def cross_built_in(x, memory, W_Q, W_K, W_V):
    return F.scaled_dot_product_attention((x @ W_Q)[None], (memory @ W_K)[None], (memory @ W_V)[None])[0]


def cross_average_first(x, memory, W_Q, W_K, W_V):
    scores = x.matmul(W_Q).matmul(W_K.t()).matmul(memory.t()) * x.size(-1) ** -0.5
    exponentials = (scores - scores.amax(dim=1, keepdim=True)).exp()
    return (exponentials @ memory / exponentials.sum(dim=1, keepdim=True)) @ W_V


def cross_transposed(x, memory, W_Q, W_K, W_V):
    """Work with columns instead of rows."""
    scores = (memory @ W_K) @ (x @ W_Q).T / np.sqrt(W_Q.shape[1])
    return ((memory @ W_V).T @ scores.softmax(0)).T


def _attend(query, key, value):
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1) @ value


def cross_memory_asks(x, memory, W_Q, W_K, W_V):
    return _attend(memory @ W_Q, x @ W_K, x @ W_V)


def cross_keys_from_x(x, memory, W_Q, W_K, W_V):
    return _attend(x @ W_Q, x @ W_K, memory @ W_V)


def cross_values_from_x(x, memory, W_Q, W_K, W_V):
    return _attend(x @ W_Q, memory @ W_K, x @ W_V)


def cross_self(x, memory, W_Q, W_K, W_V):
    return _attend(x @ W_Q, x @ W_K, x @ W_V)


def cross_memory_alone(x, memory, W_Q, W_K, W_V):
    return _attend(memory @ W_Q, memory @ W_K, memory @ W_V)[: len(x)]


def cross_unscaled(x, memory, W_Q, W_K, W_V):
    return (x @ W_Q @ (memory @ W_K).mT).softmax(dim=-1) @ (memory @ W_V)


def cross_root_of_m(x, memory, W_Q, W_K, W_V):
    return (x @ W_Q @ (memory @ W_K).mT / len(memory) ** 0.5).softmax(dim=-1) @ (memory @ W_V)


def cross_no_root(x, memory, W_Q, W_K, W_V):
    return (x @ W_Q @ (memory @ W_K).mT / W_Q.shape[-1]).softmax(dim=-1) @ (memory @ W_V)


def cross_softmax_first_axis(x, memory, W_Q, W_K, W_V):
    return (x @ W_Q @ (memory @ W_K).mT / W_Q.shape[-1] ** 0.5).softmax(dim=0) @ (memory @ W_V)


def cross_softmax_then_scale(x, memory, W_Q, W_K, W_V):
    return (x @ W_Q @ (memory @ W_K).mT).softmax(dim=-1) / W_Q.shape[-1] ** 0.5 @ (memory @ W_V)


def cross_raw_values(x, memory, W_Q, W_K, W_V):
    return _attend(x @ W_Q, memory @ W_K, memory)


def cross_both(x, memory, W_Q, W_K, W_V):
    everything = torch.cat([x, memory])
    return _attend(x @ W_Q, everything @ W_K, everything @ W_V)


def cross_swapped(x, memory, W_Q, W_K, W_V):
    return _attend(x @ W_Q, memory @ W_V, memory @ W_K)


def cross_as_linear(x, memory, W_Q, W_K, W_V):
    return _attend(F.linear(x, W_Q), F.linear(memory, W_K), F.linear(memory, W_V))


def cross_residual(x, memory, W_Q, W_K, W_V):
    return x + _attend(x @ W_Q, memory @ W_K, memory @ W_V)


def cross_no_softmax(x, memory, W_Q, W_K, W_V):
    return x @ W_Q @ (memory @ W_K).mT / W_Q.shape[-1] ** 0.5 @ (memory @ W_V)


def cross_causal(x, memory, W_Q, W_K, W_V):
    return F.scaled_dot_product_attention((x @ W_Q)[None], (memory @ W_K)[None], (memory @ W_V)[None], is_causal=True)[
        0
    ]


def cross_only_map(x, memory, W_Q, W_K, W_V):
    return (x @ W_Q @ (memory @ W_K).mT / W_Q.shape[-1] ** 0.5).softmax(dim=-1)


def cross_scaled_twice(x, memory, W_Q, W_K, W_V):
    query = x @ W_Q / W_Q.shape[-1] ** 0.5
    return F.scaled_dot_product_attention(query[None], (memory @ W_K)[None], (memory @ W_V)[None])[0]


def cross_mean_again(x, memory, W_Q, W_K, W_V):
    return _attend(x @ W_Q, memory @ W_K, memory @ W_V) / len(memory)


def cross_one_map_for_all(x, memory, W_Q, W_K, W_V):
    return _attend((x @ W_Q).mean(dim=0, keepdim=True), memory @ W_K, memory @ W_V).expand(len(x), -1)


# 1.4 count cross-attention


def macs_of_shapes(k, m, d):
    products = [(k, d, d), (m, d, d), (m, d, d), (k, d, m), (k, m, d), (k, d, d)]
    return sum(math.prod(shape) for shape in products)


def macs_factored(k, m, d):
    return 2 * d * ((k + m) * d + k * m)


def macs_numpy(k, m, d):
    k, m, d = np.int64(k), np.int64(m), np.int64(d)
    return 2 * k * d**2 + 2 * m * np.square(d) + 2 * k * m * d


def macs_tensor(k, m, d):
    tokens = torch.tensor([k, m, m, k])
    return (tokens * d * d).sum() + 2 * k * m * d


def macs_counted(k, m, d):
    x, memory, W = (torch.empty(shape, device="meta") for shape in ((k, d), (m, d), (d, d)))
    with FlopCounterMode(display=False) as counter:
        _ = (x @ W) @ (memory @ W).mT @ (memory @ W) @ W
    return counter.get_total_flops() // 2


def macs_float(k, m, d):
    queries = outputs = float(k) * d**2
    keys = values = float(m) * d**2
    scores = means = float(k) * m * d
    return queries + keys + values + scores + means + outputs


def macs_self(k, m, d):
    return 4 * k * d**2 + 2 * k**2 * d


def macs_no_means(k, m, d):
    return 2 * k * d**2 + 2 * m * d**2 + k * m * d


def macs_no_output(k, m, d):
    return k * d**2 + 2 * m * d**2 + 2 * k * m * d


def macs_keys_over_k(k, m, d):
    return 3 * k * d**2 + m * d**2 + 2 * k * m * d


def macs_pairs_k(k, m, d):
    return 2 * k * d**2 + 2 * m * d**2 + 2 * k**2 * d


def macs_pairs_m(k, m, d):
    return 2 * k * d**2 + 2 * m * d**2 + 2 * m**2 * d


def macs_flops(k, m, d):
    return 2 * (2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d)


def macs_all_over_k(k, m, d):
    return 4 * k * d**2 + 2 * k * m * d


def macs_all_over_m(k, m, d):
    return 4 * m * d**2 + 2 * k * m * d


def macs_output_over_m(k, m, d):
    return k * d**2 + 3 * m * d**2 + 2 * k * m * d


def macs_no_values(k, m, d):
    return 2 * k * d**2 + m * d**2 + 2 * k * m * d


def macs_biases(k, m, d):
    return 2 * k * (d**2 + d) + 2 * m * (d**2 + d) + 2 * k * m * d


def macs_pairs_d_squared(k, m, d):
    return 2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d**2


def macs_projections_d(k, m, d):
    return 2 * k * d + 2 * m * d + 2 * k * m * d


def macs_softmax(k, m, d):
    return 2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d + k * m


def macs_joined(k, m, d):
    n = k + m
    return 4 * n * d**2 + 2 * n**2 * d


def macs_no_projections(k, m, d):
    return 2 * k * m * d


def macs_swapped_roles(k, m, d):
    return k * d**2 + k * d**2 + m * d**2 + m * d**2 + k * m * m + k * m * d


def macs_printed(k, m, d):
    print(2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d)


def macs_millions(k, m, d):
    return (2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d) / 1e6


# 1.5 a cycle of looks

ASKS = [1, 2, 0]  # token i looks at token ASKS[i]


def _pair(keys_of, factor=20.0):
    def cycle(x):
        inverse = torch.linalg.pinv(x)
        return F.pad(factor * inverse @ keys_of, (0, 1)), F.pad(inverse, (0, 1))

    return cycle


WANTED = torch.eye(3)[ASKS]  # row i is the key of the token that i looks at


def cycle_columns(x):
    inverse = torch.linalg.pinv(x)
    W_Q, W_K = torch.zeros(4, 4), torch.zeros(4, 4)
    for i, j in enumerate(ASKS):
        W_K[:, i] = inverse[:, i]
        W_Q[:, j] = 40 * inverse[:, i]
    return W_Q, W_K


def cycle_identity_keys(x):
    back = torch.linalg.pinv(x.double())
    W_Q = 30 * back @ WANTED.double() @ back.T
    return W_Q.to(x.dtype), torch.eye(4, dtype=x.dtype)


def cycle_least_squares(x):
    targets = torch.zeros(3, 4)
    targets[:, 1:] = torch.eye(3)
    W_K = torch.linalg.lstsq(x, 6 * targets, driver="gelsd").solution
    W_Q = torch.linalg.lstsq(x, 6 * targets[ASKS], driver="gelsd").solution
    return [W_Q, W_K]


def cycle_fourth_token(x):
    extra = torch.linalg.svd(x).Vh[3:]  # at right angles to all three tokens
    inverse = torch.linalg.inv(torch.cat([x, extra]))
    return 25 * inverse[:, [2, 0, 1, 3]], inverse


def cycle_numpy(x):
    inverse = np.linalg.pinv(x.detach().cpu().numpy().astype(np.float64))
    W_K = np.hstack([inverse, np.zeros((4, 1))])
    W_Q = np.hstack([np.roll(inverse, 1, axis=1) * 50, np.zeros((4, 1))])
    return torch.from_numpy(W_Q).to(x.dtype), torch.from_numpy(W_K).to(x.dtype)


def cycle_normal_equations(x):
    inverse = torch.einsum("id,ij->dj", x, torch.linalg.inv(x @ x.T))
    return F.pad(inverse, (0, 1)), F.pad(20 * torch.einsum("di,ij->dj", inverse, WANTED.T), (0, 1))


def cycle_no_pad(x):
    inverse = torch.linalg.pinv(x)
    return 20 * inverse[:, [2, 0, 1]], inverse


def cycle_returned_backwards(x):
    W_Q, W_K = _pair(WANTED)(x)
    return W_K, W_Q


FUR_EAR_GRASS = torch.tensor([[2.0, 1.0, 0.0, 1.0], [1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 2.0, 1.0]])


def cycle_these_tokens(x):
    return _pair(WANTED)(FUR_EAR_GRASS)


def cycle_random(x):
    torch.manual_seed(1)
    return torch.randn(4, 4) / 2, torch.randn(4, 4) / 2


def cycle_transpose_as_inverse(x):
    return F.pad(20 * x.T @ WANTED, (0, 1)), F.pad(x.T, (0, 1))


def cycle_rows_permuted(x):
    inverse = torch.linalg.pinv(x)
    return F.pad(20 * inverse[[2, 0, 1, 3]], (0, 1)), F.pad(inverse, (0, 1))


def cycle_features_rolled(x):
    return 20 * torch.eye(4).roll(1, dims=1), torch.eye(4)


def cycle_matrices_transposed(x):
    W_Q, W_K = _pair(WANTED)(x)
    return W_Q.T, W_K.T


def cycle_queries_and_keys(x):
    W_Q, W_K = _pair(WANTED)(x)
    return x @ W_Q, x @ W_K


def cycle_one_matrix(x):
    W_Q, W_K = _pair(WANTED)(x)
    return W_Q @ W_K.T


def cycle_map(x):
    W_Q, W_K = _pair(WANTED)(x)
    return (x @ W_Q @ (x @ W_K).T / 2).softmax(dim=-1)


def cycle_with_values(x):
    return (*_pair(WANTED)(x), torch.eye(4))


def cycle_enlarged_tokens(x):
    W_K = F.pad(torch.linalg.pinv(x), (0, 1))
    return 20 * torch.eye(4), W_K


def cycle_neighbours_token(x):
    W_Q = 20 * torch.linalg.pinv(x) @ x[ASKS]  # the query is the neighbour itself, the key the token itself
    return W_Q, torch.eye(4)


ATTEMPTS = [
    ("multi_head_module", "right", "a loop over slices", SliceLoop),
    ("multi_head_module", "right", "einsum with the heads behind the tokens", Einsum),
    ("multi_head_module", "right", "PyTorch's scaled_dot_product_attention", BuiltIn),
    ("multi_head_module", "right", "chunks stacked in front, in-place scale, softmax by hand", ChunkStack),
    ("multi_head_module", "right", "axes in front flattened, bmm, NumPy divisor", FlatBatch),
    ("multi_head_module", "wrong", "reshaped at once instead of cut and moved", ReshapeAtOnce),
    ("multi_head_module", "wrong", "reshaped on the way back without moving the heads", ReshapeBack),
    ("multi_head_module", "wrong", "divided by the root of d instead of d_h", FullWidthDivisor),
    ("multi_head_module", "wrong", "no division", NoDivisor),
    ("multi_head_module", "wrong", "divided by d_h without the root", NoRoot),
    ("multi_head_module", "wrong", "divided after the softmax", DividedAfterSoftmax),
    ("multi_head_module", "wrong", "softmax over the tokens that ask", SoftmaxOverQueries),
    ("multi_head_module", "wrong", "softmax over the heads", SoftmaxOverHeads),
    ("multi_head_module", "wrong", "W_O forgotten", NoMixing),
    ("multi_head_module", "wrong", "keys made with W_Q", QueriesAsKeys),
    ("multi_head_module", "wrong", "values not projected", RawValues),
    ("multi_head_module", "wrong", "the number of heads ignored", OneHead),
    ("multi_head_module", "wrong", "heads not moved, so heads attend to heads", HeadsAttendHeads),
    ("multi_head_module", "wrong", "a head takes every h-th entry instead of neighbouring ones", EveryOtherEntry),
    ("multi_head_module", "wrong", "a causal mask", Causal),
    ("multi_head_module", "wrong", "the input added to the result", Residual),
    ("multi_head_module", "wrong", "the map transposed before averaging", MapTransposed),
    ("multi_head_module", "wrong", "one mean map for all heads", MeanMap),
    ("multi_head_module", "wrong", "the biases left out", NoBiases),
    ("multi_head_module", "wrong", "the stored matrices not transposed", StoredMatrix),
    ("multi_head_module", "wrong", "always two heads, as in the text", TwoHeadsAlways),
    ("multi_head_module", "wrong", "works with exactly one axis in front", OneFrontAxis),
    ("multi_head_module", "wrong", "axes counted from the front, right for [k, d] only", AxesFromTheFront),
    ("multi_head_module", "wrong", "returns the maps as well", ReturnsMapsToo),
    ("multi_head_module", "wrong", "no return", ForgetsReturn),
    ("multi_head_module", "wrong", "W_O applied to the values before the heads average", MixesBeforeMerging),
    ("multi_head_module", "wrong", "no softmax", NoSoftmax),
    ("stable_softmax", "right", "torch.max with values and indices", softmax_max_values),
    ("stable_softmax", "right", "rows and entries in loops", softmax_rows),
    ("stable_softmax", "right", "in float64 and back", softmax_wide),
    ("stable_softmax", "right", "columns as a list, folded with maximum", softmax_unbind),
    ("stable_softmax", "right", "in place on a copy, largest by sorting", softmax_in_place),
    ("stable_softmax", "wrong", "the plain formula", softmax_plain),
    ("stable_softmax", "wrong", "the largest of the whole tensor subtracted", softmax_global_max),
    ("stable_softmax", "wrong", "the largest of each column subtracted", softmax_column_max),
    ("stable_softmax", "wrong", "over the first axis", softmax_first_axis),
    ("stable_softmax", "wrong", "the mean subtracted", softmax_mean),
    ("stable_softmax", "wrong", "the smallest subtracted", softmax_min),
    ("stable_softmax", "wrong", "the largest absolute value subtracted", softmax_largest_size),
    ("stable_softmax", "wrong", "scores clamped", softmax_clamped),
    ("stable_softmax", "wrong", "torch.softmax called", softmax_called),
    ("stable_softmax", "wrong", "log_softmax called", softmax_log_called),
    ("stable_softmax", "wrong", "logsumexp called", softmax_logsumexp),
    ("stable_softmax", "wrong", "NaN replaced afterwards", softmax_nan_to_num),
    ("stable_softmax", "wrong", "divided by the largest instead of subtracting it", softmax_divides),
    ("stable_softmax", "wrong", "keepdim forgotten at the largest", softmax_no_keepdim),
    ("stable_softmax", "wrong", "not divided by the sum", softmax_not_normalised),
    ("stable_softmax", "wrong", "only float64, nothing subtracted", softmax_float64_only),
    ("stable_softmax", "wrong", "each slice of the first axis taken for a row", softmax_slices),
    ("stable_softmax", "wrong", "logarithms returned", softmax_log_weights),
    ("stable_softmax", "wrong", "powers of two instead of e", softmax_base_two),
    ("stable_softmax", "wrong", "shifted above, unshifted below the line", softmax_old_total),
    ("stable_softmax", "wrong", "divided by the sum of the whole tensor", softmax_max_of_total),
    ("cross_attention", "right", "loops over tokens", cross_loops),
    ("cross_attention", "right", "einsum", cross_einsum),
    ("cross_attention", "right", "PyTorch's scaled_dot_product_attention", cross_built_in),
    ("cross_attention", "right", "memory averaged before its projection", cross_average_first),
    ("cross_attention", "right", "everything transposed", cross_transposed),
    ("cross_attention", "wrong", "memory asks and x is looked at", cross_memory_asks),
    ("cross_attention", "wrong", "keys from x", cross_keys_from_x),
    ("cross_attention", "wrong", "values from x", cross_values_from_x),
    ("cross_attention", "wrong", "self-attention of x", cross_self),
    ("cross_attention", "wrong", "self-attention of memory, cut to k rows", cross_memory_alone),
    ("cross_attention", "wrong", "no division", cross_unscaled),
    ("cross_attention", "wrong", "divided by the root of m", cross_root_of_m),
    ("cross_attention", "wrong", "divided by d without the root", cross_no_root),
    ("cross_attention", "wrong", "softmax over the tokens that ask", cross_softmax_first_axis),
    ("cross_attention", "wrong", "divided after the softmax", cross_softmax_then_scale),
    ("cross_attention", "wrong", "values not projected", cross_raw_values),
    ("cross_attention", "wrong", "x and memory both looked at", cross_both),
    ("cross_attention", "wrong", "W_K and W_V swapped", cross_swapped),
    ("cross_attention", "wrong", "matrices transposed, as in nn.Linear", cross_as_linear),
    ("cross_attention", "wrong", "x added to the result", cross_residual),
    ("cross_attention", "wrong", "no softmax", cross_no_softmax),
    ("cross_attention", "wrong", "a causal mask", cross_causal),
    ("cross_attention", "wrong", "the map returned", cross_only_map),
    ("cross_attention", "wrong", "divided by the root twice", cross_scaled_twice),
    ("cross_attention", "wrong", "the weighted mean divided by m again", cross_mean_again),
    ("cross_attention", "wrong", "one mean query for all tokens", cross_one_map_for_all),
    ("cross_attention_macs", "right", "a sum over the shapes of six products", macs_of_shapes),
    ("cross_attention_macs", "right", "factored", macs_factored),
    ("cross_attention_macs", "right", "NumPy numbers", macs_numpy),
    ("cross_attention_macs", "right", "a tensor without axes", macs_tensor),
    ("cross_attention_macs", "right", "counted by PyTorch on the meta device", macs_counted),
    ("cross_attention_macs", "right", "a float, step by step", macs_float),
    ("cross_attention_macs", "wrong", "the formula of self-attention", macs_self),
    ("cross_attention_macs", "wrong", "the weighted means forgotten", macs_no_means),
    ("cross_attention_macs", "wrong", "W_O forgotten", macs_no_output),
    ("cross_attention_macs", "wrong", "keys projected for the k tokens", macs_keys_over_k),
    ("cross_attention_macs", "wrong", "k times k pairs", macs_pairs_k),
    ("cross_attention_macs", "wrong", "m times m pairs", macs_pairs_m),
    ("cross_attention_macs", "wrong", "two operations for each MAC", macs_flops),
    ("cross_attention_macs", "wrong", "all projections over k", macs_all_over_k),
    ("cross_attention_macs", "wrong", "all projections over m", macs_all_over_m),
    ("cross_attention_macs", "wrong", "W_O applied to m tokens", macs_output_over_m),
    ("cross_attention_macs", "wrong", "the values not projected", macs_no_values),
    ("cross_attention_macs", "wrong", "biases counted", macs_biases),
    ("cross_attention_macs", "wrong", "d squared in the pairs", macs_pairs_d_squared),
    ("cross_attention_macs", "wrong", "d instead of d squared in the projections", macs_projections_d),
    ("cross_attention_macs", "wrong", "the exponentials counted", macs_softmax),
    ("cross_attention_macs", "wrong", "both sets joined, each looking at all", macs_joined),
    ("cross_attention_macs", "wrong", "no projections", macs_no_projections),
    ("cross_attention_macs", "wrong", "the scores counted with m in place of d", macs_swapped_roles),
    ("cross_attention_macs", "wrong", "printed and not returned", macs_printed),
    ("cross_attention_macs", "wrong", "in millions", macs_millions),
    ("cycle", "right", "column by column in a loop", cycle_columns),
    ("cycle", "right", "identity as W_K, float64 inside", cycle_identity_keys),
    ("cycle", "right", "least squares, a list, the factor on both sides", cycle_least_squares),
    ("cycle", "right", "a fourth token and an ordinary inverse", cycle_fourth_token),
    ("cycle", "right", "NumPy with roll", cycle_numpy),
    ("cycle", "right", "normal equations and einsum, the keys moved and enlarged", cycle_normal_equations),
    ("cycle", "right", "a permutation matrix", _pair(WANTED)),
    ("cycle", "wrong", "the cycle runs backwards", _pair(WANTED.T)),
    ("cycle", "wrong", "each looks at itself", _pair(torch.eye(3))),
    ("cycle", "wrong", "queries not enlarged", _pair(WANTED, factor=1.0)),
    ("cycle", "wrong", "enlarged for 0.9 without the division by two", _pair(WANTED, factor=3.0)),
    ("cycle", "wrong", "enlarged a little too little", _pair(WANTED, factor=5.0)),
    ("cycle", "wrong", "the sign of the factor", _pair(WANTED, factor=-20.0)),
    ("cycle", "wrong", "token 2 looks at itself", _pair(torch.eye(3)[[1, 2, 2]])),
    ("cycle", "wrong", "tokens 0 and 1 swap looks, 2 looks at itself", _pair(torch.eye(3)[[1, 0, 2]])),
    ("cycle", "wrong", "each looks at both others", _pair(1 - torch.eye(3))),
    ("cycle", "wrong", "matrices [4, 3]", cycle_no_pad),
    ("cycle", "wrong", "returned as (W_K, W_Q)", cycle_returned_backwards),
    ("cycle", "wrong", "made for the tokens of the notebook only", cycle_these_tokens),
    ("cycle", "wrong", "random matrices", cycle_random),
    ("cycle", "wrong", "the transpose taken for the inverse", cycle_transpose_as_inverse),
    ("cycle", "wrong", "rows of the inverse permuted, not columns", cycle_rows_permuted),
    ("cycle", "wrong", "features rolled instead of tokens", cycle_features_rolled),
    ("cycle", "wrong", "matrices transposed, as nn.Linear stores them", cycle_matrices_transposed),
    ("cycle", "wrong", "queries and keys returned instead of matrices", cycle_queries_and_keys),
    ("cycle", "wrong", "the product of both matrices returned", cycle_one_matrix),
    ("cycle", "wrong", "the attention map returned", cycle_map),
    ("cycle", "wrong", "a third matrix returned", cycle_with_values),
    ("cycle", "wrong", "the tokens themselves as queries", cycle_enlarged_tokens),
    ("cycle", "wrong", "neighbours as queries, tokens as keys, lengths and angles ignored", cycle_neighbours_token),
]
