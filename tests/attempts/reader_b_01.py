"""Attempts of a cold reader at the exercises of notebook 01."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Base(nn.Module):
    """The stub of 1.1 without its `forward`."""

    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.W_Q, self.W_K = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)


class Loop(Base):
    def forward(self, x):
        q, k, v = self.W_Q(x), self.W_K(x), self.W_V(x)
        width = x.shape[-1] // self.num_heads
        heads = []
        for i in range(self.num_heads):
            s = slice(i * width, (i + 1) * width)
            scores = q[..., s] @ k[..., s].transpose(-1, -2) / math.sqrt(width)
            heads.append(torch.softmax(scores, -1) @ v[..., s])
        return self.W_O(torch.cat(heads, -1))


class Einsum(Base):
    def forward(self, x):
        shape = (*x.shape[:-1], self.num_heads, -1)
        q, k, v = (layer(x).reshape(shape) for layer in (self.W_Q, self.W_K, self.W_V))
        weights = torch.einsum("...qhc,...khc->...hqk", q, k).div(np.sqrt(q.shape[-1])).softmax(-1)
        return self.W_O(torch.einsum("...hqk,...khc->...qhc", weights, v).reshape(x.shape))


class Fused(Base):
    def cut(self, t):
        return t.view(*t.shape[:-1], self.num_heads, t.shape[-1] // self.num_heads).movedim(-2, -3)

    def forward(self, x):
        out = F.scaled_dot_product_attention(self.cut(self.W_Q(x)), self.cut(self.W_K(x)), self.cut(self.W_V(x)))
        return self.W_O(out.movedim(-3, -2).reshape(x.shape))


class Functional(Base):
    def forward(self, x):
        flat = x.reshape(-1, *x.shape[-2:])
        y, _ = F.multi_head_attention_forward(
            *[flat.transpose(0, 1)] * 3,
            x.shape[-1],
            self.num_heads,
            torch.cat([self.W_Q.weight, self.W_K.weight, self.W_V.weight]),
            torch.cat([self.W_Q.bias, self.W_K.bias, self.W_V.bias]),
            None,
            None,
            False,
            0.0,
            self.W_O.weight,
            self.W_O.bias,
        )
        return y.transpose(0, 1).reshape(x.shape)


class InPlace(Base):
    def forward(self, x):
        q, k, v = (
            torch.stack(layer(x).chunk(self.num_heads, dim=-1), dim=-3) for layer in (self.W_Q, self.W_K, self.W_V)
        )
        s = q @ k.mT
        s /= torch.tensor(q.shape[-1]).sqrt()
        s = s - s.amax(-1, keepdim=True)
        s = s.exp()
        s = s / s.sum(-1, keepdim=True)
        return self.W_O(torch.cat((s @ v).unbind(dim=-3), dim=-1))


class Faulty(Base):
    """A right `forward` with one part after another replaced in the classes below."""

    axis = -1

    def project(self, x):
        return self.W_Q(x), self.W_K(x), self.W_V(x)

    def cut(self, t):
        return t.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2)

    def divisor(self, q, x):
        return q.shape[-1] ** 0.5

    def scores(self, q, k):
        return q @ k.mT

    def weigh(self, s):
        return s.softmax(dim=self.axis)

    def merge(self, y, x):
        return y.transpose(-3, -2).flatten(-2)

    def last(self, y):
        return self.W_O(y)

    def forward(self, x):
        q, k, v = (self.cut(t) for t in self.project(x))
        weights = self.weigh(self.scores(q, k) / self.divisor(q, x))
        return self.last(self.merge(weights @ v, x))


class NoScale(Faulty):
    def divisor(self, q, x):
        return 1.0


class ScaleOfWidth(Faulty):
    def divisor(self, q, x):
        return x.shape[-1] ** 0.5


class ScaleNoRoot(Faulty):
    def divisor(self, q, x):
        return q.shape[-1]


class ScaleOfHeads(Faulty):
    def divisor(self, q, x):
        return self.num_heads**0.5


class ScaleOfTokens(Faulty):
    def divisor(self, q, x):
        return x.shape[-2] ** 0.5


class SoftmaxOverQueries(Faulty):
    axis = -2


class SoftmaxOverHeads(Faulty):
    axis = -3


class NoSoftmax(Faulty):
    def weigh(self, s):
        return s


class ReshapeAtOnce(Faulty):
    def cut(self, t):
        return t.reshape(*t.shape[:-2], self.num_heads, t.shape[-2], -1)


class MergeAtOnce(Faulty):
    def merge(self, y, x):
        return y.reshape(x.shape)


class HeadsInside(Faulty):
    def cut(self, t):
        return t.unflatten(-1, (-1, self.num_heads)).movedim(-1, -3)


class WidthFirst(Faulty):
    def merge(self, y, x):
        return y.movedim(-3, -1).flatten(-2)


class NoOutput(Faulty):
    def last(self, y):
        return y


class OutputNoBias(Faulty):
    def last(self, y):
        return y @ self.W_O.weight.mT


class OutputNotTransposed(Faulty):
    def last(self, y):
        return y @ self.W_O.weight + self.W_O.bias


class KeysAreQueries(Faulty):
    def project(self, x):
        return self.W_Q(x), self.W_Q(x), self.W_V(x)


class ValuesAreKeys(Faulty):
    def project(self, x):
        return self.W_Q(x), self.W_K(x), self.W_K(x)


class ValuesAreTokens(Faulty):
    def project(self, x):
        return self.W_Q(x), self.W_K(x), x


class Swapped(Faulty):
    def scores(self, q, k):
        return k @ q.mT


class NoBiases(Faulty):
    def project(self, x):
        return x @ self.W_Q.weight.mT, x @ self.W_K.weight.mT, x @ self.W_V.weight.mT


class OneHead(Faulty):
    def cut(self, t):
        return t.unsqueeze(-3)


class Residual(Faulty):
    def last(self, y):
        return self.W_O(y) + y


class BatchOnly(Faulty):
    def cut(self, t):
        B, k, d = t.shape
        return t.reshape(B, k, self.num_heads, d // self.num_heads).transpose(1, 2)

    def merge(self, y, x):
        return y.transpose(1, 2).flatten(2)


class ScaledTwice(Faulty):
    def forward(self, x):
        q, k, v = (self.cut(t) for t in self.project(x))
        y = F.scaled_dot_product_attention(q / q.shape[-1] ** 0.5, k, v)
        return self.last(self.merge(y, x))


class NoMerge(Faulty):
    def merge(self, y, x):
        return y

    def last(self, y):
        return y


class Forgot(Faulty):
    def forward(self, x):
        super().forward(x)


# 1.2


def soft_log(scores):
    return (scores - torch.logsumexp(scores, dim=-1, keepdim=True)).exp()


def soft_rows(scores):
    flat = scores.reshape(-1, scores.shape[-1])
    rows = []
    for row in flat:
        e = torch.exp(row - max(row))
        rows.append(e / sum(e))
    return torch.stack(rows).reshape(scores.shape)


def soft_inplace(scores):
    s = scores.clone()
    s -= s.max(-1, keepdim=True)[0]
    s.exp_()
    s /= s.sum(-1, keepdim=True)
    return s


def soft_double(scores):
    s = scores.double()
    s = s - s.amax(-1)[..., None]
    return (s.exp() / s.exp().sum(-1)[..., None]).to(scores.dtype)


def soft_differences(scores):
    return 1 / (scores[..., None, :] - scores[..., :, None]).exp().sum(-1)


def soft_sigmoid(scores):
    others = torch.stack(
        [torch.cat([scores[..., :i], scores[..., i + 1 :]], -1).logsumexp(-1) for i in range(scores.shape[-1])], -1
    )
    return torch.sigmoid(scores - others)


def soft_numpy(scores):
    a = scores.detach().numpy()
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return torch.from_numpy(e / e.sum(axis=-1, keepdims=True))


def soft_plain(scores):
    return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)


def soft_global(scores):
    e = (scores - scores.max()).exp()
    return e / e.sum(-1, keepdim=True)


def soft_first(scores):
    e = (scores - scores[..., :1]).exp()
    return e / e.sum(-1, keepdim=True)


def soft_mean(scores):
    e = (scores - scores.mean(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


def soft_min(scores):
    e = (scores - scores.amin(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


def soft_abs(scores):
    e = (scores - scores.abs().amax(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


def soft_divide(scores):
    e = (scores / scores.amax(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


def soft_clamp(scores):
    e = scores.clamp(max=80).exp()
    return e / e.sum(-1, keepdim=True)


def soft_nan(scores):
    e = scores.exp()
    return (e / e.sum(-1, keepdim=True)).nan_to_num(nan=1.0)


def soft_keepdim(scores):
    e = (scores - scores.amax(-1, keepdim=True)).exp()
    return e / e.sum(-1)


def soft_dim0(scores):
    e = (scores - scores.amax(0, keepdim=True)).exp()
    return e / e.sum(0, keepdim=True)


def soft_all(scores):
    e = (scores - scores.amax(-1, keepdim=True)).exp()
    return e / e.sum()


def soft_called(scores):
    return torch.softmax(scores, dim=-1)


def soft_called_shifted(scores):
    return F.softmax(scores - scores.amax(-1, keepdim=True), dim=-1)


def soft_log_only(scores):
    return scores - scores.logsumexp(-1, keepdim=True)


def soft_only_double(scores):
    e = scores.double().exp()
    return (e / e.sum(-1, keepdim=True)).to(scores.dtype)


def soft_unnormalised(scores):
    return (scores - scores.amax(-1, keepdim=True)).exp()


def soft_spoils(scores):
    scores -= scores.amax(-1, keepdim=True)
    e = scores.exp()
    return e / e.sum(-1, keepdim=True)


def soft_shift_below(scores):
    e = (scores - scores.amax(-1, keepdim=True)).exp()
    return e / scores.exp().sum(-1, keepdim=True)


def soft_eps(scores):
    e = scores.exp()
    return e / (e.sum(-1, keepdim=True) + 1e-6)


# 1.3


def cross_loop(x, memory, W_Q, W_K, W_V):
    out = []
    for token in x:
        q = token @ W_Q
        s = torch.stack([(q * (m @ W_K)).sum() / math.sqrt(len(q)) for m in memory])
        w = s.exp() / s.exp().sum()
        out.append(sum(a * (m @ W_V) for a, m in zip(w, memory, strict=True)))
    return torch.stack(out)


def cross_einsum(x, memory, W_Q, W_K, W_V):
    s = torch.einsum("ka,ab,cb,mc->km", x, W_Q, W_K, memory) * W_Q.shape[-1] ** -0.5
    return torch.einsum("km,mc,cd->kd", s.softmax(-1), memory, W_V)


def cross_sdpa(x, memory, W_Q, W_K, W_V):
    return F.scaled_dot_product_attention((x @ W_Q)[None], (memory @ W_K)[None], (memory @ W_V)[None]).squeeze(0)


def cross_columns(x, memory, W_Q, W_K, W_V):
    scores = (memory @ W_K) @ (x @ W_Q).T / np.sqrt(W_K.shape[1])
    return scores.softmax(dim=0).T @ (memory @ W_V)


def cross_linear(x, memory, W_Q, W_K, W_V):
    q, k = F.linear(x, W_Q.T), F.linear(memory, W_K.T)
    weights = torch.softmax(torch.matmul(q / torch.tensor(q.shape[-1]).sqrt(), k.t()), 1)
    return weights.mm(memory).mm(W_V)


def cross(q_from="x", k_from="memory", v_from="memory", divisor=lambda q, k: q.shape[-1] ** 0.5, dim=-1, **changes):
    def attempt(x, memory, W_Q, W_K, W_V):
        tokens, weight = {"x": x, "memory": memory}, {"q": W_Q, "k": W_K, "v": W_V}
        weight |= {name: weight[other] for name, other in changes.items()}
        q, k, v = tokens[q_from] @ weight["q"], tokens[k_from] @ weight["k"], tokens[v_from] @ weight["v"]
        return (q @ k.mT / divisor(q, k)).softmax(dim=dim) @ v

    return attempt


def cross_no_softmax(x, memory, W_Q, W_K, W_V):
    return (x @ W_Q) @ (memory @ W_K).mT / W_Q.shape[-1] ** 0.5 @ (memory @ W_V)


def cross_transposed(x, memory, W_Q, W_K, W_V):
    q, k, v = x @ W_Q.mT, memory @ W_K.mT, memory @ W_V.mT
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


def cross_map(x, memory, W_Q, W_K, W_V):
    q, k = x @ W_Q, memory @ W_K
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)


def cross_no_values(x, memory, W_Q, W_K, W_V):
    return cross_map(x, memory, W_Q, W_K, W_V) @ memory


def cross_joint(x, memory, W_Q, W_K, W_V):
    both = torch.cat([x, memory])
    q, k, v = x @ W_Q, both @ W_K, both @ W_V
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


def cross_plus_x(x, memory, W_Q, W_K, W_V):
    return x + cross_linear(x, memory, W_Q, W_K, W_V)


def cross_scale_late(x, memory, W_Q, W_K, W_V):
    q, k, v = x @ W_Q, memory @ W_K, memory @ W_V
    return (q @ k.mT).softmax(-1) / q.shape[-1] ** 0.5 @ v


def cross_times(x, memory, W_Q, W_K, W_V):
    q, k, v = x @ W_Q, memory @ W_K, memory @ W_V
    return (q @ k.mT * q.shape[-1] ** 0.5).softmax(-1) @ v


def cross_forgot(x, memory, W_Q, W_K, W_V):
    cross_linear(x, memory, W_Q, W_K, W_V)


# 1.4


def macs_steps(k, m, d):
    total = 0
    for rows, inner, columns in ((k, d, d), (m, d, d), (m, d, d), (k, d, m), (k, m, d), (k, d, d)):
        total += rows * inner * columns
    return total


def macs_numpy(k, m, d):
    return np.int64(2) * d * (d * (k + m) + k * m)


def macs_float(k, m, d):
    return 2.0 * d * (d * (k + m) + k * m)


def macs_tensor(k, m, d):
    return torch.tensor(2 * d * (d * (k + m) + k * m))


def macs_slow(k, m, d):
    shapes = {"q": (k, d, d), "k": (m, d, d), "v": (m, d, d), "s": (k, d, m), "y": (k, m, d), "o": (k, d, d)}
    return sum(math.prod(shape) for shape in shapes.values())


# 1.5


def cycle_transposed(x):
    inverse = torch.linalg.pinv(x)
    wanted = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    return inverse @ (30 * wanted) @ inverse.mT, torch.eye(4)


def cycle_keys_plain(x):
    target = torch.linalg.pinv(x).mT.roll(-1, 0) * 50
    return torch.linalg.lstsq(x, target, driver="gelsd").solution, torch.eye(4)


def cycle_trained(x):
    torch.manual_seed(0)
    W_Q, W_K = (torch.randn(4, 4).requires_grad_() for _ in range(2))
    optimizer = torch.optim.Adam([W_Q, W_K], lr=0.05)
    for _ in range(400):
        loss = F.cross_entropy((x @ W_Q) @ (x @ W_K).mT / 2, torch.tensor([1, 2, 0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return W_Q, W_K


def cycle_trained_detached(x):
    with torch.enable_grad():
        return [W.detach() for W in cycle_trained(x)]


def cycle_by_hand(x):
    # Combinations of the columns that single out fur (a - b/2), ear (b - a/2) and grass (green).
    W_K = torch.zeros(4, 4)
    W_K[0, 0], W_K[1, 0] = 2 / 3, -1 / 3
    W_K[0, 1], W_K[1, 1] = -1 / 3, 2 / 3
    W_K[2, 2] = 0.5
    W_Q = 40 * W_K[:, [2, 0, 1, 3]]
    return W_Q, W_K


def cycle_solve(x):
    square = torch.cat([x, torch.tensor([[0.0, 0.0, 0.0, 1.0]])])
    inverse = torch.linalg.inv(square)
    P = torch.zeros(4, 4)
    P[0, 1] = P[1, 2] = P[2, 0] = 1
    return 18 * inverse @ P, inverse


def cycle_double(x):
    W_Q, W_K = cycle_by_hand(x)
    return W_Q.double(), W_K.double()


def cycle_lists(x):
    W_Q, W_K = cycle_by_hand(x)
    return W_Q.tolist(), W_K.tolist()


def cycle_backwards(x):
    W_Q, W_K = cycle_by_hand(x)
    return 40 * W_K[:, [1, 2, 0, 3]], W_K


def cycle_itself(x):
    _, W_K = cycle_by_hand(x)
    return 40 * W_K, W_K


def cycle_weak(x):
    _, W_K = cycle_by_hand(x)
    return W_K[:, [2, 0, 1, 3]], W_K


def cycle_almost(x):
    _, W_K = cycle_by_hand(x)
    return 4 * W_K[:, [2, 0, 1, 3]], W_K


def cycle_exchanged(x):
    W_Q, W_K = cycle_by_hand(x)
    return W_K, W_Q


def cycle_narrow(x):
    inverse = torch.linalg.pinv(x)
    return 20 * inverse[:, [2, 0, 1]], inverse


def cycle_products(x):
    W_Q, W_K = cycle_by_hand(x)
    return x @ W_Q, x @ W_K


def cycle_one(x):
    return cycle_by_hand(x)[0]


def cycle_map(x):
    W_Q, W_K = cycle_by_hand(x)
    return ((x @ W_Q) @ (x @ W_K).mT / 2).softmax(-1)


def cycle_identity(x):
    return torch.eye(4) * 20, torch.eye(4)


def cycle_permuted_tokens(x):
    return 20 * F.pad(torch.eye(3)[[1, 2, 0]], (0, 1, 0, 1)), torch.eye(4)


def cycle_negative(x):
    _, W_K = cycle_by_hand(x)
    return -40 * W_K[:, [2, 0, 1, 3]], W_K


def cycle_not_own(x):
    """Enlarge the neighbour's token instead of its key."""
    inverse = torch.linalg.pinv(x)
    return inverse @ (20 * x[[1, 2, 0]]), torch.eye(4)


def cycle_rolled_rows(x):
    _, W_K = cycle_by_hand(x)
    return 40 * W_K[[2, 0, 1, 3]], W_K


def cycle_nan(x):
    W_Q, W_K = cycle_by_hand(x)
    return W_Q * 1e38 * 1e38, W_K


def cycle_swap(x):
    """Fur and ear look at each other, grass at itself."""
    _, W_K = cycle_by_hand(x)
    return 40 * W_K[:, [1, 0, 2, 3]], W_K


def cycle_two_of_three(x):
    _, W_K = cycle_by_hand(x)
    return 40 * W_K[:, [2, 0, 0, 3]], W_K


ATTEMPTS = [
    # 1.1
    ("multi_head_module", "right", "loop over slices", Loop),
    ("multi_head_module", "right", "einsum, the heads stay behind the tokens", Einsum),
    ("multi_head_module", "right", "fused function, view and movedim", Fused),
    ("multi_head_module", "right", "PyTorch's own multi-head function", Functional),
    ("multi_head_module", "right", "chunk and stack, own softmax, in-place division", InPlace),
    ("multi_head_module", "wrong", "no division at all", NoScale),
    ("multi_head_module", "wrong", "divided by the root of d instead of d_h", ScaleOfWidth),
    ("multi_head_module", "wrong", "divided by d_h without the root", ScaleNoRoot),
    ("multi_head_module", "wrong", "divided by the root of the number of heads", ScaleOfHeads),
    ("multi_head_module", "wrong", "divided by the root of the number of tokens", ScaleOfTokens),
    ("multi_head_module", "wrong", "softmax over the queries", SoftmaxOverQueries),
    ("multi_head_module", "wrong", "softmax over the heads", SoftmaxOverHeads),
    ("multi_head_module", "wrong", "no softmax", NoSoftmax),
    ("multi_head_module", "wrong", "reshaped at once into heads", ReshapeAtOnce),
    ("multi_head_module", "wrong", "reshaped at once on the way back", MergeAtOnce),
    ("multi_head_module", "wrong", "heads take every h-th number: unflatten to (d_h, h)", HeadsInside),
    ("multi_head_module", "wrong", "merged with the heads as the fastest axis", WidthFirst),
    ("multi_head_module", "wrong", "W_O forgotten", NoOutput),
    ("multi_head_module", "wrong", "bias of W_O forgotten", OutputNoBias),
    ("multi_head_module", "wrong", "W_O.weight used without transposing", OutputNotTransposed),
    ("multi_head_module", "wrong", "keys made with W_Q", KeysAreQueries),
    ("multi_head_module", "wrong", "values made with W_K", ValuesAreKeys),
    ("multi_head_module", "wrong", "tokens averaged instead of values", ValuesAreTokens),
    ("multi_head_module", "wrong", "keys ask and queries are compared", Swapped),
    ("multi_head_module", "wrong", "biases of the three projections forgotten", NoBiases),
    ("multi_head_module", "wrong", "one head of full width", OneHead),
    ("multi_head_module", "wrong", "the averages added to the output", Residual),
    ("multi_head_module", "wrong", "works only with exactly one batch axis", BatchOnly),
    ("multi_head_module", "wrong", "divided twice: by hand and inside the fused function", ScaledTwice),
    ("multi_head_module", "wrong", "heads not put together again, no W_O", NoMerge),
    ("multi_head_module", "wrong", "return forgotten", Forgot),
    # 1.2
    ("stable_softmax", "wrong", "exp of score minus logsumexp", soft_log),
    ("stable_softmax", "right", "row by row with max and sum of Python", soft_rows),
    ("stable_softmax", "right", "in place on a clone", soft_inplace),
    ("stable_softmax", "right", "in float64 and back", soft_double),
    ("stable_softmax", "right", "one over the sum of exponentials of differences", soft_differences),
    ("stable_softmax", "wrong", "sigmoid against logsumexp of the others", soft_sigmoid),
    ("stable_softmax", "right", "in NumPy", soft_numpy),
    ("stable_softmax", "wrong", "plain formula", soft_plain),
    ("stable_softmax", "wrong", "the maximum of all rows together subtracted", soft_global),
    ("stable_softmax", "wrong", "the first score subtracted", soft_first),
    ("stable_softmax", "wrong", "the mean subtracted", soft_mean),
    ("stable_softmax", "wrong", "the minimum subtracted", soft_min),
    ("stable_softmax", "wrong", "the largest absolute value subtracted", soft_abs),
    ("stable_softmax", "wrong", "divided by the maximum", soft_divide),
    ("stable_softmax", "wrong", "clamped at 80", soft_clamp),
    ("stable_softmax", "wrong", "NaN replaced by one afterwards", soft_nan),
    ("stable_softmax", "wrong", "keepdim forgotten in the sum", soft_keepdim),
    ("stable_softmax", "wrong", "over the first axis", soft_dim0),
    ("stable_softmax", "wrong", "divided by the sum of the whole table", soft_all),
    ("stable_softmax", "wrong", "calls torch.softmax", soft_called),
    ("stable_softmax", "wrong", "calls F.softmax after the shift", soft_called_shifted),
    ("stable_softmax", "wrong", "log-softmax, exp forgotten", soft_log_only),
    ("stable_softmax", "wrong", "only moved to float64", soft_only_double),
    ("stable_softmax", "wrong", "not divided by the sum", soft_unnormalised),
    ("stable_softmax", "right", "changes its argument in place", soft_spoils),
    ("stable_softmax", "wrong", "shifted above, not shifted in the sum", soft_shift_below),
    ("stable_softmax", "wrong", "a small number added to the sum", soft_eps),
    # 1.3
    ("cross_attention", "right", "loops over tokens", cross_loop),
    ("cross_attention", "right", "einsum over everything", cross_einsum),
    ("cross_attention", "right", "fused function", cross_sdpa),
    ("cross_attention", "right", "the table transposed, softmax over its columns", cross_columns),
    ("cross_attention", "right", "F.linear, averages before W_V", cross_linear),
    ("cross_attention", "wrong", "self-attention on x", cross(k_from="x", v_from="x")),
    ("cross_attention", "wrong", "self-attention on memory", cross(q_from="memory")),
    ("cross_attention", "wrong", "memory asks, x is looked at", cross("memory", "x", "x")),
    ("cross_attention", "wrong", "not divided", cross(divisor=lambda q, k: 1)),
    ("cross_attention", "wrong", "divided by d without the root", cross(divisor=lambda q, k: q.shape[-1])),
    ("cross_attention", "wrong", "divided by the root of m", cross(divisor=lambda q, k: len(k) ** 0.5)),
    ("cross_attention", "wrong", "divided by the root of k", cross(divisor=lambda q, k: len(q) ** 0.5)),
    ("cross_attention", "wrong", "softmax over the tokens that ask", cross(dim=0)),
    ("cross_attention", "wrong", "W_Q and W_K exchanged", cross(q="k", k="q")),
    ("cross_attention", "wrong", "W_K and W_V exchanged", cross(k="v", v="k")),
    ("cross_attention", "wrong", "keys from x", cross(k_from="x")),
    ("cross_attention", "wrong", "values from x", cross(v_from="x")),
    ("cross_attention", "wrong", "no softmax", cross_no_softmax),
    ("cross_attention", "wrong", "matrices transposed as in nn.Linear", cross_transposed),
    ("cross_attention", "wrong", "returns the map", cross_map),
    ("cross_attention", "wrong", "memory averaged, W_V forgotten", cross_no_values),
    ("cross_attention", "wrong", "x looks at x and memory together", cross_joint),
    ("cross_attention", "wrong", "x added to the result", cross_plus_x),
    ("cross_attention", "wrong", "divided after the softmax", cross_scale_late),
    ("cross_attention", "wrong", "multiplied by the root", cross_times),
    ("cross_attention", "wrong", "return forgotten", cross_forgot),
    # 1.4
    ("cross_attention_macs", "right", "loop over the products", macs_steps),
    ("cross_attention_macs", "right", "NumPy integer, factored", macs_numpy),
    ("cross_attention_macs", "right", "a float", macs_float),
    ("cross_attention_macs", "right", "a 0-d tensor", macs_tensor),
    ("cross_attention_macs", "right", "math.prod over shapes", macs_slow),
    ("cross_attention_macs", "wrong", "W_O forgotten", lambda k, m, d: k * d**2 + 2 * m * d**2 + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "all four projections over k", lambda k, m, d: 4 * k * d**2 + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "all four over m", lambda k, m, d: 4 * m * d**2 + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "all four over k + m", lambda k, m, d: 4 * (k + m) * d**2 + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "pairs k squared", lambda k, m, d: 2 * (k + m) * d**2 + 2 * k**2 * d),
    ("cross_attention_macs", "wrong", "pairs m squared", lambda k, m, d: 2 * (k + m) * d**2 + 2 * m**2 * d),
    ("cross_attention_macs", "wrong", "scores only, no weighted means", lambda k, m, d: 2 * (k + m) * d**2 + k * m * d),
    ("cross_attention_macs", "wrong", "pairs of k + m", lambda k, m, d: 2 * (k + m) * d**2 + 2 * (k + m) ** 2 * d),
    ("cross_attention_macs", "wrong", "FLOPs", lambda k, m, d: 4 * d * (d * (k + m) + k * m)),
    ("cross_attention_macs", "wrong", "pairs without width", lambda k, m, d: 2 * (k + m) * d**2 + 2 * k * m),
    ("cross_attention_macs", "wrong", "biases counted", lambda k, m, d: 2 * (k + m) * (d**2 + d) + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "softmax counted", lambda k, m, d: 2 * (k + m) * d**2 + 2 * k * m * d + k * m),
    ("cross_attention_macs", "wrong", "W_O over m", lambda k, m, d: (k + 3 * m) * d**2 + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "W_K over k", lambda k, m, d: (3 * k + m) * d**2 + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "projections with d", lambda k, m, d: 2 * (k + m) * d + 2 * k * m * d),
    ("cross_attention_macs", "wrong", "no pairs", lambda k, m, d: 2 * (k + m) * d**2),
    ("cross_attention_macs", "wrong", "no projections", lambda k, m, d: 2 * k * m * d),
    ("cross_attention_macs", "wrong", "pairs with d squared", lambda k, m, d: 2 * (k + m + k * m) * d**2),
    ("cross_attention_macs", "wrong", "self-attention", lambda k, m, d: 4 * k * d**2 + 2 * k**2 * d),
    ("cross_attention_macs", "wrong", "prints and returns nothing", lambda k, m, d: print(end="")),
    ("cross_attention_macs", "wrong", "a text", lambda k, m, d: "2kd^2 + 2md^2 + 2kmd"),
    # 1.5
    ("cycle", "right", "everything in W_Q, W_K the identity", cycle_transposed),
    ("cycle", "right", "least squares for the queries", cycle_keys_plain),
    ("cycle", "right", "trained, still with gradients", cycle_trained),
    ("cycle", "right", "trained, detached, as a list", cycle_trained_detached),
    ("cycle", "wrong", "by hand from warm and striped", cycle_by_hand),
    ("cycle", "right", "a fourth token made up, inverse and permutation", cycle_solve),
    ("cycle", "wrong", "float64 matrices for one x alone", cycle_double),
    ("cycle", "wrong", "nested lists, but for one x alone", cycle_lists),
    ("cycle", "wrong", "the cycle runs backwards", cycle_backwards),
    ("cycle", "wrong", "each looks at itself", cycle_itself),
    ("cycle", "wrong", "not enlarged", cycle_weak),
    ("cycle", "wrong", "enlarged too little", cycle_almost),
    ("cycle", "wrong", "W_K returned first", cycle_exchanged),
    ("cycle", "wrong", "matrices [4, 3]", cycle_narrow),
    ("cycle", "wrong", "queries and keys returned instead of matrices", cycle_products),
    ("cycle", "wrong", "only W_Q returned", cycle_one),
    ("cycle", "wrong", "the map returned", cycle_map),
    ("cycle", "wrong", "identity enlarged", cycle_identity),
    (
        "cycle",
        "wrong",
        "a permutation, as if tokens were rows of the identity, which is enough for this x",
        cycle_permuted_tokens,
    ),
    ("cycle", "wrong", "sign wrong", cycle_negative),
    ("cycle", "wrong", "asks for the neighbour's token, keys are the tokens", cycle_not_own),
    ("cycle", "wrong", "rows permuted instead of columns", cycle_rolled_rows),
    ("cycle", "wrong", "enlarged until it overflows", cycle_nan),
    ("cycle", "wrong", "fur and ear look at each other, grass at itself", cycle_swap),
    ("cycle", "wrong", "one column taken twice, so one is missing", cycle_two_of_three),
]
