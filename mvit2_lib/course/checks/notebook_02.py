"""The exercises of notebook 02."""

from torch import Tensor
from torch.nn import functional as F

from .exercise import Exercise, choice, random, softmax


def _weighted(x, c_s, W_K, b_K) -> Tensor:
    return (c_s * (x @ W_K + b_K)).sum(dim=1, keepdim=True)


def _shares(*shape: int) -> Tensor:
    return random(*shape).softmax(dim=1)


context_scores = Exercise(
    "2.1 context scores",
    lambda x, W_I: softmax(x @ W_I, 1),
    ((random(2, 5, 4), random(4, 1)), (random(3, 6, 3), random(3, 1))),
    {
        "every score is 1: the softmax runs over the last axis, where each token is alone": lambda x, W: softmax(x @ W),
        "the softmax runs over the pictures of the batch; it must run over the tokens": lambda x, W: softmax(x @ W, 0),
        "the softmax runs over the channels of x; score the tokens first": lambda x, W: softmax(x) @ W,
        "the scores of all pictures together add up to one; those of each picture must": lambda x, W: softmax(
            (x @ W).flatten()
        ).reshape(x.shape[0], x.shape[1], 1),
        "these are the scores before the softmax": lambda x, W: x @ W,
        "a sigmoid judges each token alone; the scores must add up to one": lambda x, W: (x @ W).sigmoid(),
        "the scores are divided by √d; the paper's separable attention has no scale": lambda x, W: softmax(
            x @ W / x.shape[-1] ** 0.5, 1
        ),
        "the last axis is gone; keep it, the scores are [B, k, 1]": lambda x, W: softmax(x @ W, 1).squeeze(-1),
        "the single best token takes everything; the softmax shares the weight out": lambda x, W: choice((x @ W).mT).mT,
    },
)

context_vector = Exercise(
    "2.2 context vector",
    _weighted,
    (
        (random(2, 5, 4), _shares(2, 5, 1), random(4, 4), random(4)),
        (random(3, 6, 3), _shares(3, 6, 1), *random(4, 3).split([3, 1])),
    ),
    {
        "the keys are averaged with equal weights; weigh them with c_s": lambda x, c, W, b: (x @ W + b).mean(1, True),
        "the keys are summed without their weights": lambda x, c, W, b: (x @ W + b).sum(1, True),
        "the bias b_K is missing": lambda x, c, W, b: _weighted(x, c, W, 0),
        "W_K is transposed: the paper's W_K multiplies from the right as it is": lambda x, c, W, b: _weighted(
            x, c, W.mT, b
        ),
        "W_K is applied twice": lambda x, c, W, b: _weighted(x, c, W, b) @ W,
        "W_K and its bias are applied twice": lambda x, c, W, b: _weighted(x @ W + b, c, W, b),
        "the tokens are averaged, but not projected to keys": lambda x, c, W, b: (c * x).sum(1, True),
        "the keys are weighted, but not summed": lambda x, c, W, b: c * (x @ W + b),
        "the weighted keys are averaged once more; the scores already add up to one": lambda x, c, W, b: (
            c * (x @ W + b)
        ).mean(1, True),
        "the axis of the tokens is gone; keep it, the result is [B, 1, d]": lambda x, c, W, b: _weighted(
            x, c, W, b
        ).squeeze(1),
    },
)

gate_and_mix = Exercise(
    "2.3 gate and mix",
    lambda x, c_v, W_V, W_O: (c_v * F.relu(x @ W_V)) @ W_O,
    (
        (random(2, 5, 4), random(2, 1, 4), *random(2, 4, 4)),
        (random(3, 6, 3), random(3, 1, 3), *random(2, 3, 3)),
    ),
    {
        "the ReLU is missing": lambda x, c, V, W: (c * (x @ V)) @ W,
        "the ReLU is on the context vector; it belongs to x W_V": lambda x, c, V, W: (F.relu(c) * (x @ V)) @ W,
        "the ReLU is on both factors; it belongs to x W_V alone": lambda x, c, V, W: (F.relu(c) * F.relu(x @ V)) @ W,
        "the ReLU is on the product; it belongs to x W_V": lambda x, c, V, W: F.relu(c * (x @ V)) @ W,
        "the ReLU is on the output; it belongs to x W_V": lambda x, c, V, W: F.relu((c * (x @ V)) @ W),
        "the two factors are added; they must be multiplied entry by entry": lambda x, c, V, W: (c + F.relu(x @ V)) @ W,
        "W_O is missing": lambda x, c, V, W: c * F.relu(x @ V),
        "W_O is applied to the gates alone; it belongs to the product": lambda x, c, V, W: c * (F.relu(x @ V) @ W),
        "W_V is missing": lambda x, c, V, W: (c * F.relu(x)) @ W,
        "W_V and W_O are exchanged": lambda x, c, V, W: (c * F.relu(x @ W)) @ V,
    },
)

pooled_context_vector = Exercise(
    "2.4 pool first",
    _weighted,
    (
        (random(2, 5, 4), random(2, 5, 1).abs(), random(4, 4), random(4)),
        (random(3, 6, 3), random(3, 6, 1), random(3, 3), random(3)),
    ),
    {
        "the bias is added once; it must be weighed with the sum of the scores": lambda x, c, W, b: (
            (c * x).sum(1, True) @ W + b
        ),
        "the bias is missing": lambda x, c, W, b: (c * x).sum(1, True) @ W,
        "the scores of all pictures are summed together; each picture needs its own sum": lambda x, c, W, b: (
            (c * x).sum(1, True) @ W + c.sum() * b
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
    budget=lambda x, c_s, W_K, b_K: len(x) * (W_K.numel() + x[0].numel() + 2 * len(W_K)),
)


def _separable_cross(x, memory, W_I, W_K, W_V) -> Tensor:
    c_s = (memory @ W_I.mT).softmax(dim=0)
    return (c_s * (memory @ W_K.mT)).sum(dim=0, keepdim=True) * F.relu(x @ W_V.mT)


def _rows(fused: Tensor) -> tuple[Tensor, ...]:
    return fused.split([1, fused.shape[1], fused.shape[1]])


separable_cross_attention = Exercise(
    "2.5 separable cross-attention",
    lambda x, memory, fused: _separable_cross(x, memory, *_rows(fused)),
    ((random(4, 3), random(6, 3), random(7, 3)), (random(5, 6), random(1, 5, 6)[0], random(13, 6))),
    {
        "W_V is one row where a range is meant: fused[d + 1] instead of fused[d + 1 :]": lambda x, m, f: (
            _separable_cross(x, m, f[:1], f[1 : 1 + x.shape[1]], f[x.shape[1] + 1][None])
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
        "the softmax must run over the tokens of memory": lambda x, m, f: (
            (m @ _rows(f)[1].mT).sum(0, True) * F.relu(x @ _rows(f)[2].mT)
        ),
    },
)

twice_as_much = Exercise(
    "2.6 where they cross",
    lambda d: float(d + 1),
    ((8,), (64,), (257,)),
    {
        "the factor two is missing: separable attention always takes less, they never cross": lambda d: (1 - d) / 2,
        "the score projection is missing: separable attention takes 3kd² + kd": lambda d: float(d),
        "the score projection kd must be doubled as well": lambda d: d + 0.5,
        "that is where the pairs overtake the projections of multi-head attention": lambda d: float(2 * d),
        "only one k² d is counted; scores and weighted means each need one": lambda d: float(2 * d + 2),
        "the four projections of multi-head attention are missing": lambda d: float(3 * d + 1),
        "that is for the form that pools first; the paper's order is meant": lambda d: 1 + (1 + d) ** 0.5,
    },
)
