"""Attentions over tokens: every module takes `x` `[..., k, d]` and returns the same shape.

Letters are those of the paper (arXiv 2206.02680): `k` tokens of width `d`, projections `W_I W_K W_V W_O` of separable
attention, `W_Q W_K W_V W_O` and `h` heads of multi-head attention. A weight `W` of the paper multiplies from the
right, `x W`; `torch.nn.Linear` stores its transpose and adds a bias.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from ._guard import whole_number


class MultiHeadSelfAttention(nn.Module):
    """Multi-head self-attention: every token compares itself with every other token, `[..., k, d]` to the same.

    In each head `y = softmax(Q Kᵀ / √d_h) V` (Eq. 1 of arXiv 2206.02680 omits the scale; Eq. 1 of arXiv 1706.03762
    has it). `dropout` is the probability with which an entry of the map is dropped in training. `4kd² + 2k²d`
    multiply–accumulates and `h·k²` scores. Built in notebook 01.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float = 0.0):
        super().__init__()
        self.dim, self.num_heads = _dim_and_heads(dim, num_heads)
        self.W_Q = nn.Linear(dim, dim)
        self.W_K = nn.Linear(dim, dim)
        self.W_V = nn.Linear(dim, dim)
        self.W_O = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def attention_map(self, x: Tensor) -> Tensor:
        """Return who looks at whom, `[..., h, k, k]`; every row adds up to one."""
        query = split_heads(self.W_Q(x), self.num_heads)  # [..., h, k, d_h]
        key = split_heads(self.W_K(x), self.num_heads)  # [..., h, k, d_h]
        scale = query.shape[-1] ** -0.5
        return (scale * query @ key.transpose(-2, -1)).softmax(dim=-1)  # [..., h, k, k]

    def forward(self, x: Tensor) -> Tensor:
        attention = self.dropout(self.attention_map(x))  # [..., h, k, k]
        value = split_heads(self.W_V(x), self.num_heads)  # [..., h, k, d_h]
        return self.W_O(merge_heads(attention @ value))  # [..., k, d]


class FusedMultiHeadSelfAttention(MultiHeadSelfAttention):
    """Multi-head self-attention that never holds the whole attention map: the same weights, the same numbers.

    PyTorch's `scaled_dot_product_attention` computes scores, softmax and weighted means block by block (Algorithm 1
    of arXiv 2205.14135): still `k²` comparisons, but memory that grows with `k`. In training with dropout PyTorch has
    no such form on the CPU, and holds the map after all. Built in notebook 03.
    """

    def forward(self, x: Tensor) -> Tensor:
        # With more than one batch axis PyTorch would take its slow path, which holds the whole map.
        tokens = x.reshape(-1, *x.shape[-2:])  # [B, k, d]
        query, key, value = (split_heads(W(tokens), self.num_heads) for W in (self.W_Q, self.W_K, self.W_V))
        dropout = self.dropout.p if self.training else 0.0
        heads = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)  # [B, h, k, d_h]
        return self.W_O(merge_heads(heads)).reshape(x.shape)  # [..., k, d]


class LinformerSelfAttention(nn.Module):
    """Multi-head attention whose keys and values are first mixed from `k` tokens down to `p`, by learned `E` and `F`.

    `y = softmax(Q (E K)ᵀ / √d_h) F V` (Eq. 7 of arXiv 2006.04768; Fig. 3b of arXiv 2206.02680). One `E` and one `F`
    serve all heads. They have one column a token, so `k = num_tokens` is fixed. `4kd² + 4kpd` multiply–accumulates and
    `h·k·p` scores. Built in notebook 02.
    """

    def __init__(self, dim: int, num_heads: int, num_tokens: int, projected_tokens: int, dropout: float = 0.0):
        super().__init__()
        self.dim, self.num_heads = _dim_and_heads(dim, num_heads)
        self.num_tokens = whole_number("num_tokens", num_tokens)
        projected_tokens = whole_number("projected_tokens", projected_tokens)
        self.W_Q = nn.Linear(dim, dim)
        self.W_K = nn.Linear(dim, dim)
        self.W_V = nn.Linear(dim, dim)
        self.W_O = nn.Linear(dim, dim)
        self.E = nn.Linear(num_tokens, projected_tokens, bias=False)
        self.F = nn.Linear(num_tokens, projected_tokens, bias=False)
        self.dropout = nn.Dropout(dropout)

    def attention_map(self, x: Tensor) -> Tensor:
        """Return how much each token looks at each mixed token, `[..., h, k, p]`; rows add up to one."""
        if x.shape[-2] != self.num_tokens:
            raise ValueError(
                f"this Linformer layer was built for {self.num_tokens} tokens, but x has {x.shape[-2]} "
                f"(shape {tuple(x.shape)}): build it with num_tokens={x.shape[-2]}, or keep the image size fixed"
            )
        query = split_heads(self.W_Q(x), self.num_heads)  # [..., h, k, d_h]
        mixed_keys = self.E(self.W_K(x).transpose(-2, -1)).transpose(-2, -1)  # [..., p, d]
        key = split_heads(mixed_keys, self.num_heads)  # [..., h, p, d_h]
        scale = query.shape[-1] ** -0.5
        return (scale * query @ key.transpose(-2, -1)).softmax(dim=-1)  # [..., h, k, p]

    def forward(self, x: Tensor) -> Tensor:
        attention = self.dropout(self.attention_map(x))  # [..., h, k, p]
        mixed_values = self.F(self.W_V(x).transpose(-2, -1)).transpose(-2, -1)  # [..., p, d]
        value = split_heads(mixed_values, self.num_heads)  # [..., h, p, d_h]
        return self.W_O(merge_heads(attention @ value))  # [..., k, d]


class SeparableSelfAttention(nn.Module):
    """Separable self-attention: all tokens ask one shared question, so `k` comparisons replace `k²`.

        c_s = softmax_k(x W_I)              context scores  [..., k, 1]
        c_v = Σ_i c_s(i) (x W_K)_i          context vector  [..., 1, d]
        y   = (c_v * ReLU(x W_V)) W_O                       [..., k, d]

    Eqs. 2 and 3 of arXiv 2206.02680, whose I, K, V are called query, key, value in other implementations. The softmax
    runs over axis -2, the tokens; `dropout` drops context scores in training. Built in notebook 02.

    The module pools before it projects: `Σ_i c_s(i) (x_i W_K + b_K) = (Σ_i c_s(i) x_i) W_K + b_K Σ_i c_s(i)`, the same
    vector with one token projected instead of `k`. `2kd² + d² + 2kd` multiply–accumulates instead of `3kd² + kd`.
    """

    def __init__(self, dim: int, dropout: float = 0.0):
        super().__init__()
        self.dim = whole_number("dim", dim)
        self.W_I = nn.Linear(dim, 1)
        self.W_K = nn.Linear(dim, dim)
        self.W_V = nn.Linear(dim, dim)
        self.W_O = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def context_scores(self, x: Tensor) -> Tensor:
        """Return the share of each token in the context vector, `c_s` `[..., k, 1]`; they add up to one."""
        return self.W_I(x).softmax(dim=-2)  # [..., k, 1]

    def context_vector(self, x: Tensor) -> Tensor:
        """Return the one vector that summarises all tokens, `c_v` `[..., 1, d]`."""
        c_s = self.dropout(self.context_scores(x))  # [..., k, 1]
        c_v = self.W_K(c_s.transpose(-2, -1) @ x)  # [..., 1, d]
        if self.training and self.dropout.p > 0:
            # Dropped scores no longer add up to one, so neither does the weight of the key bias.
            c_v = c_v + (c_s.sum(dim=-2, keepdim=True) - 1) * self.W_K.bias
        return c_v

    def forward(self, x: Tensor) -> Tensor:
        c_v = self.context_vector(x)  # [..., 1, d]
        return self.W_O(c_v * F.relu(self.W_V(x)))  # [..., k, d]


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Cut the width of every token into heads: `[..., k, d]` to `[..., h, k, d/h]`. Built in notebook 01."""
    return x.unflatten(-1, (num_heads, -1)).transpose(-3, -2)  # [..., h, k, d_h]


def merge_heads(x: Tensor) -> Tensor:
    """Undo `split_heads`: `[..., h, k, d/h]` to `[..., k, d]`."""
    return x.transpose(-3, -2).flatten(-2)  # [..., k, d]


def _dim_and_heads(dim: int, num_heads: int) -> tuple[int, int]:
    dim, num_heads = whole_number("dim", dim), whole_number("num_heads", num_heads)
    if dim % num_heads:
        raise ValueError(
            f"dim={dim} cannot be cut into num_heads={num_heads} heads of equal width: choose a divisor of {dim}"
        )
    return dim, num_heads
