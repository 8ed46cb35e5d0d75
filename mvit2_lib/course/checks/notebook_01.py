"""The checks of the exercises of notebook 01."""

import torch
from torch import Tensor

from ...attention import MultiHeadSelfAttention, merge_heads, split_heads
from .exercise import Exercise
from .modules import ModuleExercise
from .values import choice, plain, random, softmax


def _multi_head(
    m, x, scale=None, dim=-1, names="QKV", split=split_heads, merge=merge_heads, last=True, before=1.0, weigh=softmax
):
    query, key, value = (split(getattr(m, f"W_{name}")(x) if name else x, m.num_heads) for name in names)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    merged = merge(before * weigh(scale * query @ key.mT, dim) @ value)
    return m.W_O(merged) if last else merged


def _cut_without_moving(x: Tensor, h: int) -> Tensor:
    return x.reshape(*x.shape[:-2], h, x.shape[-2], -1)


def _interleaved(x: Tensor, h: int) -> Tensor:
    return x.unflatten(-1, (-1, h)).movedim(-1, -3)


def _pushed_together(x: Tensor) -> Tensor:
    return x.reshape(*x.shape[:-3], x.shape[-2], -1)


def _one_head(m, x, **options):
    m.num_heads = 1
    return _multi_head(m, x, **options)


def _over_heads(m, x):
    """Attention among the heads of each token, where nobody moved the heads."""
    query, key, value = (W(x).unflatten(-1, (m.num_heads, -1)) for W in (m.W_Q, m.W_K, m.W_V))
    return m.W_O((softmax(query @ key.mT / query.shape[-1] ** 0.5) @ value).flatten(-2))


def _without_biases(m, x, names: str):
    for name in names:
        getattr(m, f"W_{name}").bias.data.zero_()
    return m(x)


def _values_first(m, x):
    return _multi_head(m, x, weigh=lambda s, dim: s)


def _masked(scores: Tensor, dim: int) -> Tensor:
    return softmax(scores + torch.full(scores.shape[-2:], -torch.inf).triu(1), dim)


def _scaled(m, x, name: str, power: float) -> Tensor:
    sizes = {"d": m.dim, "d_h": m.dim / m.num_heads, "h": m.num_heads, "k": x.shape[-2]}
    return _multi_head(m, x, sizes[name] ** power)


_NAMED = {("d_h", -0.5), ("d_h", -1), ("d_h", 0.5), ("d", -0.5), ("d", -1), ("h", -0.5), ("k", -0.5)}
# Every other size may be mistaken for another, and every power for another.
_SCALES = {
    f"the scores are multiplied by {word.format(name)}; they must be divided by √d_h": (
        lambda m, x, name=name, power=power: _scaled(m, x, name, power)
    )
    for name in ("d_h", "d", "h", "k")
    for word, power in {"{}": 1, "√{}": 0.5, "1/{}": -1, "1/{}²": -2, "1/√{}": -0.5, "1/√√{}": -0.25}.items()
    if (name, power) not in _NAMED
}

multi_head_module = ModuleExercise(
    "1.1 multi-head attention as a module",
    MultiHeadSelfAttention,
    {
        "two pictures of five tokens": ((12, 3), random(2, 5, 12)),
        "tokens without a batch axis": ((8, 2), random(7, 8)),
        "two batch axes": ((6, 3), random(2, 3, 4, 6)),
        "a single head": ((10, 1), random(3, 4, 10)),
    },
    {
        "the scores are not divided by √d_h": lambda m, x: _multi_head(m, x, 1.0),
        "the scores are divided by √d; the width of a head is d_h = d/h": lambda m, x: _multi_head(m, x, m.dim**-0.5),
        "the scores are divided by d_h, not by its square root": lambda m, x: _multi_head(m, x, m.num_heads / m.dim),
        "the scores are divided by d; √d_h is wanted": lambda m, x: _multi_head(m, x, 1 / m.dim),
        "the scores are multiplied by √d_h; they must shrink": lambda m, x: _multi_head(
            m, x, (m.dim / m.num_heads) ** 0.5
        ),
        "the scores are divided by √h; the width of a head is d_h = d/h": lambda m, x: _multi_head(
            m, x, m.num_heads**-0.5
        ),
        "the scores are divided by √k; they must be by √d_h": lambda m, x: _multi_head(m, x, x.shape[-2] ** -0.5),
        "the softmax runs over the queries; every row of the map must add up to one": lambda m, x: _multi_head(
            m, x, dim=-2
        ),
        "the softmax runs over the heads; it must run over the tokens that are looked at": lambda m, x: _multi_head(
            m, x, dim=-3
        ),
        "the softmax is missing": _values_first,
        "tokens look at those before them only: there is no mask here": lambda m, x: _multi_head(m, x, weigh=_masked),
        "the map is transposed after the softmax: a row belongs to a query": lambda m, x: _multi_head(
            m, x, weigh=lambda s, dim: softmax(s).mT
        ),
        "the maps of all heads are averaged; each head weighs its own values with its own map": lambda m, x: (
            _multi_head(m, x, weigh=lambda s, dim: softmax(s).mean(-3, keepdim=True))
        ),
        "each row picks a single winner; the softmax shares the weight out": lambda m, x: _multi_head(
            m, x, weigh=lambda s, dim: choice(s)
        ),
        "a sigmoid judges each pair alone; the weights of a row must add up to one": lambda m, x: _multi_head(
            m, x, weigh=lambda s, dim: s.sigmoid()
        ),
        "the softmax is taken twice": lambda m, x: _multi_head(m, x, weigh=lambda s, dim: softmax(softmax(s))),
        "the weights are divided by √d_h after the softmax; the scores must be, before it": lambda m, x: _multi_head(
            m, x, 1.0, before=(m.dim / m.num_heads) ** -0.5
        ),
        "the heads are cut by a reshape alone, which mixes tokens: unflatten the width, then move the heads": (
            lambda m, x: _multi_head(m, x, split=_cut_without_moving)
        ),
        "the heads are put together by a reshape alone, which mixes tokens: move them back first": lambda m, x: (
            _multi_head(m, x, merge=_pushed_together)
        ),
        "heads are cut and put together by a reshape alone, which mixes tokens: move the axis of the heads": (
            lambda m, x: _multi_head(m, x, split=_cut_without_moving, merge=_pushed_together)
        ),
        "a head takes every h-th number; it must take neighbours, head after head": lambda m, x: _multi_head(
            m, x, split=_interleaved
        ),
        "the biases of the three projections are missing: call W_Q, W_K and W_V, do not multiply with their weights": (
            lambda m, x: _without_biases(m, x, "QKV")
        ),
        "the biases of all four layers are missing: call the layers, do not multiply with their weights": (
            lambda m, x: _without_biases(m, x, "QKVO")
        ),
        "the averages are added to what W_O returns; return that alone": lambda m, x: (
            m(x) + _multi_head(m, x, last=False)
        ),
        "the numbers of the heads are interleaved in the end; head after head is wanted": lambda m, x: _multi_head(
            m, x, merge=lambda y: y.movedim(-3, -1).flatten(-2)
        ),
        "the heads of a token look at one another; the tokens must: move the axis of the heads before the tokens": (
            _over_heads
        ),
        "W_O is missing": lambda m, x: _multi_head(m, x, last=False),
        "this is one head over the whole width; cut it into num_heads": _one_head,
        "this is one head over the whole width, scaled as if it were several": lambda m, x: _one_head(
            m, x, scale=(m.dim / m.num_heads) ** -0.5
        ),
        "the heads are not merged: move them back and flatten the last two axes": lambda m, x: _multi_head(
            m, x, merge=lambda y: y, last=False
        ),
        "the values are not projected: W_V is missing": lambda m, x: _multi_head(m, x, names=("Q", "K", "")),
        "x is not added here: attention alone is wanted": lambda m, x: x + m(x),
        **_SCALES,
    },
    steps={
        "the attention map": lambda m, x: m.attention_map(x),
        "one result for each head, before they are merged": lambda m, x: _multi_head(
            m, x, merge=lambda y: y, last=False
        ),
    },
    linears=("W_Q", "W_K", "W_V", "W_O"),
    axes="B k d",
)


def _by_hand(s, shift, dim=-1):
    return (s - shift).exp() / (s - shift).exp().sum(dim, True)


stable_softmax = Exercise(
    "1.2 a softmax that survives",
    softmax,
    {
        "small scores": (random(5, 7),),
        "large scores with two batch axes": (200 * random(2, 3, 4),),
        "rows far apart": (torch.tensor([[1000.0, 999.0, 0.0], [-300.0, -301.0, -299.0]]),),
        "a single row": (torch.tensor([3.0, -1.0, 90.0, 89.0]),),
    },
    {
        "large scores overflow: subtract the largest of each row first": lambda s: _by_hand(s, 0),
        "large scores overflow, in double precision too: subtract the largest of each row first": lambda s: _by_hand(
            s.double(), 0
        ),
        "the first score of each row is subtracted; where another is much larger, its exponential still overflows": (
            lambda s: _by_hand(s, s[..., :1])
        ),
        "the last score of each row is subtracted; where another is much larger, its exponential still overflows": (
            lambda s: _by_hand(s, s[..., -1:])
        ),
        "a small number is added to the sum, but large scores overflow before: subtract the largest first": (
            lambda s: s.exp() / (s.exp().sum(-1, True) + 1e-9)
        ),
        "NaN is replaced by one, which makes no weights: subtract the largest of each row first": lambda s: _by_hand(
            s, 0
        ).nan_to_num(1.0),
        "the shift is missing in the sum: divide by the sum of the shifted exponentials": lambda s: (
            (s - s.amax(-1, True)).exp() / s.exp().sum(-1, True)
        ),
        "the shift is missing above: shift both by the same number": lambda s: (
            s.exp() / (s - s.amax(-1, True)).exp().sum(-1, True)
        ),
        "one maximum for all rows is not enough, a row far below it underflows: each row needs its own": lambda s: (
            _by_hand(s, s.max())
        ),
        "subtracting the mean is not enough, the largest score still overflows": lambda s: _by_hand(
            s, s.mean(-1, True)
        ),
        "subtracting the smallest makes the largest larger still: subtract the largest": lambda s: _by_hand(
            s, s.amin(-1, True)
        ),
        "the maximum is taken over the axis before the last: each row needs its own, over the last": lambda s: _by_hand(
            s, s.amax(-2 if s.ndim > 1 else -1, True)
        ),
        "the largest magnitude is subtracted, without its sign: a row of negative numbers underflows": lambda s: (
            _by_hand(s, s.abs().amax(-1, True))
        ),
        "the weights add up to one over the wrong axis: it must be the last": lambda s: softmax(s, -2),
        "the weights add up to one over the first axis: it must be the last": lambda s: softmax(s, 0),
        "the weights of the whole tensor add up to one; each row must": lambda s: softmax(s.flatten()).reshape(s.shape),
        "each row picks a single winner; the softmax shares the weight out": choice,
        "these are the exponentials; divide them by their sum": lambda s: (s - s.amax(-1, True)).exp(),
        "the scores are divided by their largest; that changes the weights: subtract it": lambda s: _by_hand(
            s / s.amax(-1, True), 0
        ),
        "the scores are divided by their norm; that changes the weights: subtract the largest": lambda s: _by_hand(
            s / s.norm(dim=-1, keepdim=True), 0
        ),
        "the scores are limited, which makes large ones equal: subtract the largest instead": lambda s: _by_hand(
            s.clamp(max=80), 0
        ),
        "NaN is replaced, but the weights are lost: subtract the largest of each row first": lambda s: _by_hand(
            s, 0
        ).nan_to_num(),
        "above the line one maximum serves all rows, below each has its own: take its own in both": lambda s: (
            (s - s.max()).exp() / (s - s.amax(-1, True)).exp().sum(-1, True)
        ),
        "the weights of the whole tensor add up to one; sum over the last axis": lambda s: (
            (s - s.amax(-1, True)).exp() / (s - s.amax(-1, True)).exp().sum()
        ),
        "the scores are divided by their sum; the powers of e must be": lambda s: s / s.sum(-1, True),
        "the maximum is added; it must be subtracted": lambda s: _by_hand(s, -s.amax(-1, True)),
        "these are logarithms of the weights": lambda s: s.log_softmax(-1),
        "the powers are of 2, not of e": lambda s: softmax(s * torch.tensor(2.0).log()),
        "the signs are turned: the largest score must get the largest weight": lambda s: softmax(-s),
    },
    steps={
        "the scores less the largest of their row": lambda s: s - s.amax(-1, True),
        "the sum of the exponentials": lambda s: (s - s.amax(-1, True)).exp().sum(-1, True),
    },
    forbidden={
        "softmax": "it calls PyTorch's `softmax`; write it yourself",
        "log_softmax": "it calls PyTorch's `log_softmax`, which is a softmax in another dress; write it yourself",
        "softmin": "it calls PyTorch's `softmin`, which is a softmax in another dress; write it yourself",
        "logsumexp": "the numbers are right, but `logsumexp` hides the trick that you are to find; write it with `exp`",
        "scaled_dot_product_attention": "it calls PyTorch's attention, which holds a softmax; write it yourself",
    },
)


def _cross(x, memory, W_Q, W_K, W_V, scale=None, dim=-1, weigh=softmax) -> Tensor:
    query, key, value = x @ W_Q, memory @ W_K, memory @ W_V
    return weigh(query @ key.mT * (scale or query.shape[-1] ** -0.5), dim) @ value


cross_attention = Exercise(
    "1.3 cross-attention",
    _cross,
    {
        "four tokens that look at nine": (random(4, 6), random(9, 6), *random(3, 6, 6) / 2),
        "as many tokens in memory as in x": (random(5, 8), random(1, 5, 8)[0], *random(3, 8, 8) / 2),
        "one token in memory": (random(3, 4), random(1, 4), *random(3, 4, 4)),
    },
    {
        "the parts are exchanged: x asks, memory is looked at": lambda x, m, q, k, v: _cross(m, x, q, k, v),
        "the values come from x; it is memory that is averaged": lambda x, m, q, k, v: (
            softmax(x @ q @ (m @ k).mT / q.shape[-1] ** 0.5) @ (x @ v)
        ),
        "the keys come from x, so x looks at itself": lambda x, m, q, k, v: (
            softmax(x @ q @ (x @ k).mT / q.shape[-1] ** 0.5) @ (m @ v)
        ),
        "the queries come from memory: x asks": lambda x, m, q, k, v: _cross(m, m, q, k, v),
        "this is self-attention: memory is not used": lambda x, m, q, k, v: _cross(x, x, q, k, v),
        "W_V is missing: memory is averaged as it is": lambda x, m, q, k, v: _cross(x, m, q, k, torch.eye(len(v))),
        "the scores are not divided by √d": lambda x, m, q, k, v: _cross(x, m, q, k, v, scale=1.0),
        "the scores are divided by d, not by its square root": lambda x, m, q, k, v: _cross(x, m, q, k, v, 1 / len(q)),
        "the scores are multiplied by √d; they must shrink": lambda x, m, q, k, v: _cross(x, m, q, k, v, len(q) ** 0.5),
        "the scale takes the number of tokens in memory for the width": lambda x, m, q, k, v: _cross(
            x, m, q, k, v, len(m) ** -0.5
        ),
        "the scale takes the number of tokens in x for the width": lambda x, m, q, k, v: _cross(
            x, m, q, k, v, len(x) ** -0.5
        ),
        "the softmax runs over the tokens that ask; it must run over memory": lambda x, m, q, k, v: _cross(
            x, m, q, k, v, dim=-2
        ),
        "the softmax is missing": lambda x, m, q, k, v: _cross(x, m, q, k, v, weigh=lambda s, dim: s),
        "the softmax is taken twice": lambda x, m, q, k, v: _cross(
            x, m, q, k, v, weigh=lambda s, dim: softmax(softmax(s))
        ),
        "each token looks at a single winner; the softmax shares the weight out": lambda x, m, q, k, v: _cross(
            x, m, q, k, v, weigh=lambda s, dim: choice(s)
        ),
        "the weights are divided by √d after the softmax; the scores must be, before it": lambda x, m, q, k, v: (
            _cross(x, m, q, k, v, scale=1.0) / len(q) ** 0.5
        ),
        "all matrices are transposed: they multiply from the right as they are": lambda x, m, q, k, v: _cross(
            x, m, q.mT, k.mT, v.mT
        ),
        "the scores are divided by d √d; √d is enough": lambda x, m, q, k, v: _cross(x, m, q, k, v, len(q) ** -1.5),
        "the scores are multiplied by d; they must be divided by √d": lambda x, m, q, k, v: _cross(
            x, m, q, k, v, len(q)
        ),
        "x is looked at together with memory; memory alone must be": lambda x, m, q, k, v: _cross(
            x, torch.cat([x, m]), q, k, v
        ),
        "x is not added here: attention alone is wanted": lambda x, m, *W: x + _cross(x, m, *W),
    },
    steps={
        "the attention map, who looks at whom": lambda x, m, q, k, v: softmax(x @ q @ (m @ k).mT / len(q) ** 0.5),
        "the scores": lambda x, m, q, k, v: x @ q @ (m @ k).mT / len(q) ** 0.5,
        "the scores without their scale": lambda x, m, q, k, v: x @ q @ (m @ k).mT,
    },
    sizes={"x": "k d", "memory": "m d"},
    axes="k d",
)


def _macs(k, m, d):
    return 2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d


cross_attention_macs = Exercise(
    "1.4 count cross-attention",
    _macs,
    ((7, 5, 3), (64, 256, 32), (10, 4, 6), (3, 11, 8), (13, 2, 5), (6, 9, 14)),
    {
        "the projections are missing": lambda k, m, d: 2 * k * m * d,
        "the pairs are missing: scores and weighted means": lambda k, m, d: 2 * k * d**2 + 2 * m * d**2,
        "that is self-attention: keys and values run over m tokens": lambda k, m, d: 4 * k * d**2 + 2 * k**2 * d,
        "that is self-attention over memory: x asks": lambda k, m, d: 4 * m * d**2 + 2 * m**2 * d,
        "all four projections run over k tokens; two of them run over m": lambda k, m, d: 4 * k * d**2 + 2 * k * m * d,
        "all four projections run over m tokens; two of them run over k": lambda k, m, d: 4 * m * d**2 + 2 * k * m * d,
        "W_O is missing": lambda k, m, d: k * d**2 + 2 * m * d**2 + 2 * k * m * d,
        "W_V is missing": lambda k, m, d: 2 * k * d**2 + m * d**2 + 2 * k * m * d,
        "W_O runs over the k tokens that ask, not over m": lambda k, m, d: k * d**2 + 3 * m * d**2 + 2 * k * m * d,
        "three of the projections run over k tokens; only two of them do": lambda k, m, d: (
            3 * k * d**2 + m * d**2 + 2 * k * m * d
        ),
        "there are only two projections here, one over k and one over m; there are four": lambda k, m, d: (
            k * d**2 + m * d**2 + 2 * k * m * d
        ),
        "the pairs are counted once; scores and weighted means each need them": lambda k, m, d: (
            2 * k * d**2 + 2 * m * d**2 + k * m * d
        ),
        "there are k · m pairs, not k²": lambda k, m, d: 2 * k * d**2 + 2 * m * d**2 + 2 * k**2 * d,
        "there are k · m pairs, not m²": lambda k, m, d: 2 * k * d**2 + 2 * m * d**2 + 2 * m**2 * d,
        "there are k · m pairs, not (k + m)²": lambda k, m, d: 2 * (k + m) * d**2 + 2 * (k + m) ** 2 * d,
        "that is self-attention of all k + m tokens; only k of them ask, and only m are looked at": lambda k, m, d: (
            4 * (k + m) * d**2 + 2 * (k + m) ** 2 * d
        ),
        "a pair takes d multiplications in each of the two products": lambda k, m, d: 2 * (k + m) * d**2 + 2 * k * m,
        "a projection of a token takes d² multiplications, not d": lambda k, m, d: 2 * (k + m) * d + 2 * k * m * d,
        "those are operations; one multiply–accumulate is two of them": lambda k, m, d: 2 * _macs(k, m, d),
        "that is the number of scores": lambda k, m, d: k * m,
        "the tokens are multiplied where they belong to different projections: k and m are added": lambda k, m, d: (
            4 * k * m * d**2 + 2 * k * m * d
        ),
    },
)

_TOKENS = torch.tensor([[2.0, 1.0, 0.0, 1.0], [1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 2.0, 1.0]])


def _cycle(x: Tensor) -> tuple[Tensor, Tensor]:
    """Queries say `x` in coordinates in which the tokens are axes, keys say who looks: both by the pseudo-inverse."""
    inverse, shift = torch.linalg.pinv(x), torch.eye(3).roll(1, 1)
    W_Q, W_K = torch.zeros(4, 4), torch.zeros(4, 4)
    W_Q[:, :3], W_K[:, :3] = 20 * inverse @ shift, inverse
    return W_Q, W_K


def _looks(answer, x: Tensor) -> str:
    """Say where the tokens look, if it is not around the cycle 0 → 1 → 2 → 0."""
    answer = plain(answer) if not isinstance(answer, (tuple, list)) else tuple(map(plain, answer))
    if isinstance(answer, tuple) and len(answer) != 2 or isinstance(answer, Tensor) and answer.shape[:1] != (2,):
        return "it must return two matrices, W_Q and W_K"
    if not isinstance(answer, (tuple, Tensor)) or not all(isinstance(W, Tensor) for W in answer):
        return "it must return two tensors, W_Q and W_K"
    W_Q, W_K = answer
    if W_Q.shape != (4, 4) or W_K.shape != (4, 4):
        return f"W_Q and W_K must be [4, 4], not {list(W_Q.shape)} and {list(W_K.shape)}"
    scores = (x.double() @ W_Q) @ (x.double() @ W_K).mT / 2
    weights = softmax(scores)
    if not weights.isfinite().all():
        return "the scores are not finite"
    wanted = [1, 2, 0]
    looks, most = weights.argmax(dim=1).tolist(), weights.amax(dim=1)
    given = weights[range(3), wanted]
    if (given >= 0.9).all():
        return ""
    if (scores - scores[:, :1]).abs().max() < 1e-6:
        return "every token looks at all three alike: within a row the scores are equal"
    if looks == wanted:
        return (
            f"each token looks at the right one, but gives it only {given.min():.2f} at the least: "
            "make the scores larger"
        )
    back = weights[range(3), [2, 0, 1]]
    if looks == [2, 0, 1] and (back >= 0.9).all():
        return "the cycle runs the other way round: token 0 must look at token 1, token 1 at 2, token 2 at 0"
    if (softmax(-scores)[range(3), wanted] >= 0.9).all():
        return "the sign is wrong: with the opposite sign of the scores each token would look at the right one"
    if looks == [0, 1, 2]:
        return "each token looks at itself: it must look at the next"
    if torch.allclose(scores, scores.mT, atol=1e-4):
        return "the scores are symmetric: who looks at a token is looked at by it, and that is no cycle"
    lost = [j for j in range(3) if j not in looks]
    i = next(i for i in range(3) if looks[i] != wanted[i])
    where = f"token {i} looks at token {looks[i]}, with a weight of {most[i]:.2f}; it must look at token {wanted[i]}"
    twice = next((j for j in range(3) if looks.count(j) == 2), None)
    return where + (f". Nobody looks at token {lost[0]}, and two at token {twice}" if twice is not None else "")


def _looks_at_all(answer, x: Tensor) -> str:
    remark = _looks(answer, x)
    if remark and torch.equal(x, _TOKENS):
        return remark
    if remark and not _looks(answer, _TOKENS):
        return "the matrices fit the first tokens alone: compute them from x"
    return remark


cycle = Exercise(
    "1.5 a cycle of looks",
    _cycle,
    {
        "three tokens": (_TOKENS,),
        "three others": (random(3, 4) + torch.eye(3, 4),),
        "three that are alike, and not of one length": (
            torch.tensor([[1.0, 0.0, 0.0, 0.2], [3.0, 1.0, 0.0, 0.0], [5.0, 0.0, 1.0, 0.0]]),
        ),
    },
    judge=_looks_at_all,
)
