"""The checks of the exercises of notebook 02."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ...attention import SeparableSelfAttention
from .exercise import Exercise
from .modules import ModuleExercise
from .values import choice, random, softmax


def _separable(m, x, dim=-2, weigh=softmax, gate=F.relu, key=None, pool=None, mix=torch.mul, last=True):
    c_s = weigh(m.W_I(x), dim)
    c_v = (c_s * (m.W_K if key is None else key)(x)).sum(-2, keepdim=True) if pool is None else pool(c_s, m.W_K(x))
    y = mix(c_v, gate(m.W_V(x)))
    return m.W_O(y) if last else y


# What else somebody may put where the ReLU belongs.
_GATES = {
    "sigmoid": torch.sigmoid,
    "SiLU": F.silu,
    "GELU": F.gelu,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "softmax": softmax,
    "leaky ReLU": F.leaky_relu,
    "absolute value": torch.abs,
    "exponential": torch.exp,
    "ReLU6": F.relu6,
    "ELU": F.elu,
}


def _without_biases(m, x, names: str):
    for name in names:
        getattr(m, f"W_{name}").bias.data.zero_()
    return m(x)


def _silent(values: Tensor) -> Tensor:
    return values


separable_module = ModuleExercise(
    "2.1 separable attention as a module",
    SeparableSelfAttention,
    {
        "two pictures of five tokens": ((6,), random(2, 5, 6)),
        "tokens without a batch axis": ((4,), 4 * random(7, 4)),
        "collections [B, P, N, d]": ((8,), random(2, 4, 3, 8)),
        "as many tokens as pictures": ((5,), random(3, 3, 5)),
    },
    {
        "every score is 1: the softmax runs over the last axis, where each token is alone": lambda m, x: _separable(
            m, x, dim=-1
        ),
        "the softmax runs over the first axis; the tokens are the axis before the last": lambda m, x: _separable(
            m, x, dim=0
        ),
        "the softmax runs over axis 1; the tokens are the axis before the last, -2": lambda m, x: _separable(
            m, x, dim=1 if x.ndim > 2 else -1
        ),
        "with more than one axis in front the softmax runs over axis 1; the tokens are the axis before the last, -2": (
            lambda m, x: _separable(m, x, dim=1 if x.ndim > 2 else -2)
        ),
        "everything runs over axis 1; the tokens are the axis before the last, -2": lambda m, x: m.W_O(
            (m.W_I(x).softmax(1) * m.W_K(x)).sum(1, keepdim=True) * F.relu(m.W_V(x))
        ),
        "the softmax is missing": lambda m, x: _separable(m, x, weigh=lambda s, dim: s),
        "a sigmoid judges each token alone; the scores must add up to one": lambda m, x: _separable(
            m, x, weigh=lambda s, dim: s.sigmoid()
        ),
        "the softmax is taken twice": lambda m, x: _separable(m, x, weigh=lambda s, dim: softmax(softmax(s, -2), -2)),
        "the scores are divided by √d; the paper's separable attention has no scale": lambda m, x: _separable(
            m, x, weigh=lambda s, dim: softmax(s / m.dim**0.5, -2)
        ),
        "the single best token takes everything; the softmax shares the weight out": lambda m, x: _separable(
            m, x, weigh=lambda s, dim: choice(s.mT).mT
        ),
        "the ReLU is missing": lambda m, x: _separable(m, x, gate=_silent),
        **{
            f"the gate is another: {name} stands where the ReLU belongs": lambda m, x, gate=gate: _separable(
                m, x, gate=gate
            )
            for name, gate in _GATES.items()
        },
        "the ReLU is on the context vector; it belongs to the values": lambda m, x: _separable(
            m, x, gate=_silent, mix=lambda c, v: c.relu() * v
        ),
        "the ReLU is on both factors; it belongs to the values alone": lambda m, x: _separable(
            m, x, mix=lambda c, v: c.relu() * v
        ),
        "the ReLU is on the product; it belongs to the values": lambda m, x: _separable(
            m, x, gate=_silent, mix=lambda c, v: (c * v).relu()
        ),
        "the ReLU is on the output; it belongs to the values": lambda m, x: _separable(m, x, gate=_silent).relu(),
        "the ReLU is on the keys; it belongs to the values": lambda m, x: _separable(
            m, x, gate=_silent, key=lambda t: m.W_K(t).relu()
        ),
        "the ReLU is on keys and values; it belongs to the values alone": lambda m, x: _separable(
            m, x, key=lambda t: m.W_K(t).relu()
        ),
        "the keys are weighted, but not summed": lambda m, x: _separable(m, x, pool=torch.mul),
        "the keys are averaged with equal weights; weigh them with the scores": lambda m, x: _separable(
            m, x, pool=lambda s, k: k.mean(-2, keepdim=True)
        ),
        "the weighted keys are averaged once more; the scores already add up to one": lambda m, x: _separable(
            m, x, pool=lambda s, k: (s * k).mean(-2, keepdim=True)
        ),
        "the largest of the weighted keys is taken; sum them": lambda m, x: _separable(
            m, x, pool=lambda s, k: (s * k).amax(-2, keepdim=True)
        ),
        "context vector and values are added; they must be multiplied entry by entry": lambda m, x: _separable(
            m, x, mix=torch.add
        ),
        "W_O is missing": lambda m, x: _separable(m, x, last=False),
        "the weighted keys are summed over axis 1; the tokens are the axis before the last, -2": lambda m, x: (
            _separable(m, x, pool=lambda s, k: (s * k).sum(1, keepdim=True))
        ),
        "the weighted keys are summed over their width; sum over the tokens, axis -2": lambda m, x: _separable(
            m, x, pool=lambda s, k: (s * k).sum(-1, keepdim=True)
        ),
        "the weighted keys are summed over the first axis; the tokens are the axis before the last, -2": (
            lambda m, x: _separable(m, x, pool=lambda s, k: (s * k).sum(0, keepdim=True))
        ),
        "the biases of W_K and W_V are missing: call the layers, do not multiply with their weights": (
            lambda m, x: _without_biases(m, x, "KV")
        ),
        "all biases are missing: call the layers, do not multiply with their weights": lambda m, x: _without_biases(
            m, x, "IKVO"
        ),
        "W_K is missing: the tokens themselves are averaged": lambda m, x: _separable(m, x, key=_silent),
        "W_V is missing: the tokens themselves are the values": lambda m, x: m.W_O(m.context_vector(x) * x.relu()),
        "the scores weigh the values, and the keys are gated; it is the other way round": lambda m, x: m.W_O(
            (m.context_scores(x) * m.W_V(x)).sum(-2, keepdim=True) * m.W_K(x).relu()
        ),
        "W_O is applied to the values alone; it belongs to the product": lambda m, x: (
            m.context_vector(x) * m.W_O(m.W_V(x).relu())
        ),
        "x is not added here: attention alone is wanted": lambda m, x: x + m(x),
    },
    steps={
        "the context scores": lambda m, x: m.context_scores(x),
        "the context vector": lambda m, x: m.context_vector(x),
        "the product of context vector and values, where the ReLU and W_O are missing": lambda m, x: _separable(
            m, x, gate=_silent, last=False
        ),
    },
    linears=("W_K", "W_V", "W_O"),
    axes="B k d",
)


def _weighted(x, c_s, W_K, b_K) -> Tensor:
    return (c_s * (x @ W_K + b_K)).sum(dim=1, keepdim=True)


pooled_context_vector = Exercise(
    "2.2 pool first",
    _weighted,
    {
        "two pictures of thirty tokens": (random(2, 30, 8), random(2, 30, 1).abs(), random(8, 8), random(1, 8)[0]),
        "scores of either sign": (random(3, 20, 12), random(3, 20, 1), random(12, 12), random(2, 12)[1]),
    },
    {
        "the bias is added once; it must be weighed with the sum of the scores": lambda x, c, W, b: (
            (c * x).sum(1, True) @ W + b
        ),
        "the pictures of the batch are summed together: sum over the tokens, axis 1": lambda x, c, W, b: (
            (c * x).sum(0, True) @ W + c.sum(0, True) * b
        ),
        "everything is summed over the batch as well; each picture needs its own sum": lambda x, c, W, b: (
            (c * x).sum((0, 1), True) @ W + c.sum((0, 1), True) * b
        ),
        "the sum of the scores multiplies the projection as well; it belongs to the bias alone": lambda x, c, W, b: (
            ((c * x).sum(1, True) @ W + b) * c.sum(1, True)
        ),
        "the bias is missing": lambda x, c, W, b: (c * x).sum(1, True) @ W,
        "the scores of all pictures are summed together; each picture needs its own sum": lambda x, c, W, b: (
            (c * x).sum(1, True) @ W + c.sum() * b
        ),
        "the bias is weighed with the mean of the scores; it must be with their sum": lambda x, c, W, b: (
            (c * x).sum(1, True) @ W + c.mean(1, True) * b
        ),
        "the scores are put through a softmax; leave them as they are": lambda x, c, W, b: _weighted(
            x, c.softmax(1), W, b
        ),
        "the softmax of the scores is averaged, where the scores are meant as they are": lambda x, c, W, b: _weighted(
            x, c.softmax(-1), W, b
        ),
        "the tokens are averaged with the scores, and W_K is transposed": lambda x, c, W, b: _weighted(x, c, W.mT, 0),
        "W_K is transposed: the paper's W_K multiplies from the right as it is": lambda x, c, W, b: _weighted(
            x, c, W.mT, b
        ),
        "the tokens are summed without their weights": lambda x, c, W, b: x.sum(1, True) @ W + c.sum(1, True) * b,
        "the bias is weighed with the sum of the scores and then goes through W_K as well": lambda x, c, W, b: (
            ((c * x).sum(1, True) + c.sum(1, True) * b) @ W
        ),
        "the bias is added before W_K; it comes after it": lambda x, c, W, b: ((c * x).sum(1, True) + b) @ W,
        "the bias is added once for each token; it must be weighed with the sum of the scores": lambda x, c, W, b: (
            (c * x).sum(1, True) @ W + x.shape[1] * b
        ),
        "the scores are made to add up to one; leave them as they are": lambda x, c, W, b: _weighted(
            x, c / c.sum(1, True), W, b
        ),
        "the tokens are averaged with equal weights": lambda x, c, W, b: x.mean(1, True) @ W + c.sum(1, True) * b,
        "the mean is taken where the sum is meant": lambda x, c, W, b: (c * x).mean(1, True) @ W + c.mean(1, True) * b,
        "bias and all are weighed with the sum of the scores": lambda x, c, W, b: (
            (x.sum(1, True) @ W + b) * c.sum(1, True)
        ),
    },
    steps={
        "the pooled tokens, not projected yet": lambda x, c, W, b: (c * x).sum(1, True),
        "the weighted keys, not summed yet": lambda x, c, W, b: c * (x @ W + b),
        "the keys": lambda x, c, W, b: x @ W + b,
    },
    sizes={"x": "B k d"},
    axes="B 1 d",
    # Three passes over the tokens and two products with W_K leave room for every form that pools, such as one with a
    # column of ones appended for the bias; projecting all tokens takes k·d², about twice as much.
    budget=lambda x, c_s, W_K, b_K: len(x) * (3 * x[0].numel() + 2 * W_K.numel() + 6 * len(W_K) + 3 * len(x[0])),
)


def _separable_cross(x, memory, W_I, W_K, W_V) -> Tensor:
    c_s = (memory @ W_I.mT).softmax(dim=0)
    return (c_s * (memory @ W_K.mT)).sum(dim=0, keepdim=True) * F.relu(x @ W_V.mT)


def _rows(fused: Tensor) -> tuple[Tensor, ...]:
    return fused.split([1, fused.shape[1], fused.shape[1]])


separable_cross_attention = Exercise(
    "2.3 separable cross-attention",
    lambda x, memory, fused: _separable_cross(x, memory, *_rows(fused)),
    {
        "four tokens and six in memory": (random(4, 3), random(6, 3), random(7, 3)),
        "as many tokens in memory as in x": (random(5, 6), random(1, 5, 6)[0], random(13, 6)),
        "one token": (5 * random(1, 4), random(7, 4), 2 * random(9, 4)),
    },
    {
        "W_V is one row where a range is meant: fused[d + 1] instead of fused[d + 1 :]": lambda x, m, f: (
            _separable_cross(x, m, f[:1], f[1 : 1 + x.shape[1]], f[x.shape[1] + 1][None])
        ),
        "W_K is one row where a range is meant: fused[1] instead of fused[1 : 1 + d]": lambda x, m, f: _separable_cross(
            x, m, f[:1], f[1:2], _rows(f)[2]
        ),
        "W_K begins one row too early: row 0 is W_I alone": lambda x, m, f: _separable_cross(
            x, m, f[:1], f[: x.shape[1]], _rows(f)[2]
        ),
        "W_V begins one row too early: it has the last d rows": lambda x, m, f: _separable_cross(
            x, m, f[:1], _rows(f)[1], f[x.shape[1] : -1]
        ),
        "W_K and W_V are one row each, where ranges are meant": lambda x, m, f: _separable_cross(
            x, m, f[:1], f[1:2], f[2:3]
        ),
        "W_K and W_V are one row each, fused[1] and fused[1 + d], where ranges are meant": lambda x, m, f: (
            _separable_cross(x, m, f[:1], f[1:2], f[1 + x.shape[1]][None])
        ),
        "the scores come from x; they must come from memory, like the keys": lambda x, m, f: (
            ((x @ f[:1].mT).softmax(0) * (m @ _rows(f)[1].mT)).sum(0, True) * F.relu(x @ _rows(f)[2].mT)
            if len(x) == len(m)
            else x[:, :0]
        ),
        "the parts are exchanged: x gives the values, memory the scores and keys": lambda x, m, f: _separable_cross(
            m, x, *_rows(f)
        ),
        "this is self-attention: memory is not used": lambda x, m, f: _separable_cross(x, x, *_rows(f)),
        "the values come from memory; they must come from x": lambda x, m, f: _separable_cross(m, m, *_rows(f)),
        "the rows are off by one: W_I is row 0 alone": lambda x, m, f: _separable_cross(
            x, m, f[:1], f[: x.shape[1]], f[x.shape[1] : -1]
        ),
        "W_K and W_V are exchanged": lambda x, m, f: _separable_cross(x, m, *(_rows(f)[i] for i in (0, 2, 1))),
        "W_K and W_V are stored transposed, as nn.Linear does: multiply with .mT": lambda x, m, f: _separable_cross(
            x, m, _rows(f)[0], _rows(f)[1].mT, _rows(f)[2].mT
        ),
        "W_I is taken from the last row; it is the first": lambda x, m, f: _separable_cross(
            x, m, f[-1:], f[: x.shape[1]], f[x.shape[1] : -1]
        ),
        "the ReLU is missing": lambda x, m, f: (
            ((m @ f[:1].mT).softmax(0) * (m @ _rows(f)[1].mT)).sum(0, True) * (x @ _rows(f)[2].mT)
        ),
        "the keys come from x; they must come from memory, like the scores": lambda x, m, f: (
            ((m @ f[:1].mT).softmax(0) * (x @ _rows(f)[1].mT)).sum(0, True) * F.relu(x @ _rows(f)[2].mT)
            if len(x) == len(m)
            else x[:, :0]
        ),
        "the ReLU is on the product; it belongs to the values": lambda x, m, f: F.relu(
            ((m @ f[:1].mT).softmax(0) * (m @ _rows(f)[1].mT)).sum(0, True) * (x @ _rows(f)[2].mT)
        ),
        "the ReLU is on the context vector; it belongs to the values": lambda x, m, f: (
            F.relu(((m @ f[:1].mT).softmax(0) * (m @ _rows(f)[1].mT)).sum(0, True)) * (x @ _rows(f)[2].mT)
        ),
        "the ReLU is on the keys, too; it belongs to the values alone": lambda x, m, f: (
            ((m @ f[:1].mT).softmax(0) * F.relu(m @ _rows(f)[1].mT)).sum(0, True) * F.relu(x @ _rows(f)[2].mT)
        ),
        "the softmax is missing": lambda x, m, f: (
            (m @ f[:1].mT * (m @ _rows(f)[1].mT)).sum(0, True) * F.relu(x @ _rows(f)[2].mT)
        ),
        "the scores are divided by √d; the paper's separable attention has no scale": lambda x, m, f: _separable_cross(
            x, m, f[:1] / x.shape[1] ** 0.5, *_rows(f)[1:]
        ),
        "the weighted keys are averaged; sum them, the scores already add up to one": lambda x, m, f: (
            _separable_cross(x, m, *_rows(f)) / len(m)
        ),
        "the two factors are added; they must be multiplied entry by entry": lambda x, m, f: (
            ((m @ f[:1].mT).softmax(0) * (m @ _rows(f)[1].mT)).sum(0, True) + F.relu(x @ _rows(f)[2].mT)
        ),
        **{
            f"the gate is another: {name} stands where the ReLU belongs": lambda x, m, f, gate=gate: (
                ((m @ f[:1].mT).softmax(0) * (m @ _rows(f)[1].mT)).sum(0, True) * gate(x @ _rows(f)[2].mT)
            )
            for name, gate in _GATES.items()
        },
        "the keys are averaged with equal weights; weigh them with the scores": lambda x, m, f: (
            (m @ _rows(f)[1].mT).mean(0, True) * F.relu(x @ _rows(f)[2].mT)
        ),
        "the softmax must run over the tokens of memory": lambda x, m, f: (
            (m @ _rows(f)[1].mT).sum(0, True) * F.relu(x @ _rows(f)[2].mT)
        ),
    },
    steps={
        "the context vector": lambda x, m, f: ((m @ f[:1].mT).softmax(0) * (m @ _rows(f)[1].mT)).sum(0, True),
        "the context scores": lambda x, m, f: (m @ f[:1].mT).softmax(0),
        "the rectified values": lambda x, m, f: F.relu(x @ _rows(f)[2].mT),
    },
    sizes={"x": "k d", "memory": "m d"},
    axes="k d",
)


def _questions(x, W_I, W_K, dim=1, weigh=softmax, interleaved=False, one=None, backwards=False):
    h = W_I.shape[1]
    c_s = weigh(x @ W_I, dim)  # [B, k, h]
    c_s = c_s[..., :1].expand(c_s.shape) if one else c_s.flip(-1) if backwards else c_s
    keys = x @ W_K  # [B, k, d]
    if interleaved:
        return (c_s.repeat(1, 1, keys.shape[-1] // h) * keys).sum(1, True)
    return (c_s.repeat_interleave(keys.shape[-1] // h, -1) * keys).sum(1, True)  # [B, 1, d]


several_questions = Exercise(
    "2.4 several questions",
    lambda x, W_I, W_K: _questions(x, W_I, W_K),
    {
        "two questions": (random(2, 5, 6), random(6, 2), random(6, 6)),
        "three questions": (random(3, 4, 12), random(12, 3) / 2, random(12, 12) / 2),
        "a single question": (random(2, 7, 5), random(5, 1), random(5, 5)),
        "as many questions as numbers in a token": (random(2, 6, 4), random(5, 4)[1:], random(4, 4)),
    },
    {
        "the softmax runs over the questions; each question's scores must add up to one over the tokens": (
            lambda x, W, K: _questions(x, W, K, dim=-1)
        ),
        "one softmax runs over tokens and questions together; each question needs its own over the tokens": (
            lambda x, W, K: _questions(x, W, K, weigh=lambda s, dim: s.flatten(1).softmax(-1).reshape(s.shape))
        ),
        "the keys are cut by a reshape that moves the questions before the tokens, which mixes tokens": (
            lambda x, W, K: (
                (softmax(x @ W, 1).mT[..., None] * (x @ K).reshape(len(x), W.shape[1], x.shape[1], -1))
                .sum(2)
                .flatten(1)[:, None]
            )
        ),
        "the softmax runs over the pictures of the batch; it must run over the tokens": lambda x, W, K: _questions(
            x, W, K, dim=0
        ),
        "the softmax is missing": lambda x, W, K: _questions(x, W, K, weigh=lambda s, dim: s),
        "a sigmoid judges each token alone; the scores must add up to one": lambda x, W, K: _questions(
            x, W, K, weigh=lambda s, dim: s.sigmoid()
        ),
        "the scores are divided by a root; there is no scale here": lambda x, W, K: _questions(
            x, W / x.shape[-1] ** 0.5, K
        ),
        "the scores are divided by the root of a part's width; there is no scale here": lambda x, W, K: _questions(
            x, W / (x.shape[-1] // W.shape[1]) ** 0.5, K
        ),
        "question i averages every h-th number of the keys; it must average the i-th part": lambda x, W, K: _questions(
            x, W, K, interleaved=True
        ),
        "all parts are averaged by the first question; part i has column i of W_I": lambda x, W, K: _questions(
            x, W, K, one=True
        ),
        "the questions are in reverse order": lambda x, W, K: _questions(x, W, K, backwards=True),
        "the scores of all questions are averaged, and every part is weighed alike": lambda x, W, K: (
            softmax(x @ W, 1).mean(-1, True) * (x @ K)
        ).sum(1, True),
        "the questions are averaged before the softmax, so there is one only": lambda x, W, K: (
            softmax((x @ W).mean(-1, True), 1) * (x @ K)
        ).sum(1, True),
        "each question averages the whole keys, which gives h · d numbers; it must average its own part": (
            lambda x, W, K: (softmax(x @ W, 1).mT @ (x @ K)).flatten(1)[:, None]
        ),
        "the questions are added before the softmax, so there is one only": lambda x, W, K: (
            softmax((x @ W).sum(-1, True), 1) * (x @ K)
        ).sum(1, True),
        "the scores of all questions are added, so every part is weighed with their sum": lambda x, W, K: (
            softmax(x @ W, 1).sum(-1, True) * (x @ K)
        ).sum(1, True),
        "W_K is missing: the tokens themselves are averaged": lambda x, W, K: _questions(x, W, torch.eye(len(K))),
        "the keys are averaged with equal weights": lambda x, W, K: (x @ K).mean(1, True),
        "the weighted keys are averaged once more; the scores already add up to one": lambda x, W, K: (
            _questions(x, W, K) / x.shape[1]
        ),
        "the scores are computed from the keys; they come from x": lambda x, W, K: (
            softmax(x @ K @ W, 1).repeat_interleave(K.shape[1] // W.shape[1], -1) * (x @ K)
        ).sum(1, True),
        "x is cut into parts before W_K, so that each question averages a part of x only": lambda x, W, K: (
            (softmax(x @ W, 1).repeat_interleave(len(K) // W.shape[1], -1) * x).sum(1, True) @ K
        ),
        "the last question alone weighs the whole keys": lambda x, W, K: (softmax(x @ W, 1)[..., -1:] * (x @ K)).sum(
            1, True
        ),
    },
    steps={
        "the context scores": lambda x, W, K: softmax(x @ W, 1),
        "the keys": lambda x, W, K: x @ K,
        "the weighted keys, not summed yet": lambda x, W, K: (
            softmax(x @ W, 1).repeat_interleave(len(K) // W.shape[1], -1) * (x @ K)
        ),
        "one context vector of the whole width for each question": lambda x, W, K: softmax(x @ W, 1).mT @ (x @ K),
        "one row for each question, with a part of the width": lambda x, W, K: _questions(x, W, K).unflatten(
            -1, (W.shape[1], -1)
        )[:, 0],
    },
    sizes={"x": "B k d", "W_I": "d h"},
    axes="B 1 d",
)

twice_as_much = Exercise(
    "2.5 twice the work",
    lambda d: float(d + 1),
    ((8,), (64,), (257,), (30,), (100,)),
    {
        "the factor two is missing: separable attention always takes less, they never cross": lambda d: (1 - d) / 2,
        "this is one too small: is the score projection missing? Separable attention takes 3kd² + kd": lambda d: float(
            d
        ),
        "the score projection kd must be doubled as well": lambda d: d + 0.5,
        "that is where the pairs overtake the projections of multi-head attention": lambda d: float(2 * d),
        "this is twice the right k: is one k² d counted where there are two, or one factor 2 missing?": (
            lambda d: float(2 * d + 2)
        ),
        "the four projections of multi-head attention are missing": lambda d: float(3 * d + 1),
        "that is for the form that pools first; the paper's order is meant": lambda d: 1 + (1 + d) ** 0.5,
        "the factor two is on the wrong side: multi-head attention takes twice as much, so separable is doubled": (
            lambda d: (1 - 5 * d) / 4
        ),
        "that is the cost, not the k at which it is reached": lambda d: 2 * ((d + 1) * (3 * d * d + d)),
        "that is the cost of separable attention, not the k at which it is reached": lambda d: (
            (d + 1) * (3 * d * d + d)
        ),
        "only one of the two d is kept: 6kd² + 2kd = 4kd² + 2k²d": lambda d: float(d * d + 1),
        "the signs are turned: bring 4kd² to the other side, 6d² − 4d² is left": lambda d: float(5 * d + 1),
        "that is for three times as much; twice is asked": lambda d: (5 * d + 3) / 2,
        "that is where the pairs 2k²d alone take as much as separable attention": lambda d: (3 * d + 1) / 2,
        "one k is left over: divide both sides by kd": lambda d: (d + 1) ** 0.5,
        "one d is left over: divide both sides by 2kd": lambda d: float(d * (d + 1)),
    },
)
