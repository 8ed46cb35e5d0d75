"""The building blocks of MobileViTv2: convolutions look nearby, the transformer layers look everywhere."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import (
    FusedMultiHeadSelfAttention,
    LinformerSelfAttention,
    MultiHeadSelfAttention,
    SeparableSelfAttention,
)
from .patches import fold, unfold

ATTENTIONS = ("separable", "multi_head", "fused_multi_head", "linformer")
PATCH_SIZE = 2


class ConvNormAct(nn.Module):
    r"""Convolution, batch norm and (unless `activation=False`) SiLU. `[B, C, H, W]` to `[B, C', H/s, W/s]`.

    In evaluation the statistics of a batch norm are constants, so convolution and norm are one convolution:
    :math:`\gamma (w * x - \mu) / \sigma + \beta = (\gamma w / \sigma) * x + (\beta - \gamma \mu / \sigma)`.
    The module runs that one: the same numbers, with one pass over the map less. `conv` and `norm` are then not called
    themselves, and hooks on them see nothing in evaluation.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels `C` before and `C'` after.
    kernel_size : int
        Side of the kernel in pixels; the map is padded so that stride 1 keeps its size.
    stride : int
        Step `s` of the kernel in pixels.
    groups : int
        Number of channel groups that are convolved separately; `in_channels` makes it depthwise.
    activation : bool
        Whether SiLU (called Swish in the paper) follows.

    Notes
    -----
    Built in notebook 04.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
    ):
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.activation = nn.SiLU(inplace=True) if activation else nn.Identity()

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the one convolution that equals convolution and norm in evaluation."""
        norm, dtype = self.norm, self.conv.weight.dtype
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        weight, bias = self.conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
        return weight.to(dtype), bias.to(dtype)  # a norm may be kept in higher precision than its convolution

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv
        if self.norm.training or conv.bias is not None:
            return self.activation(self.norm(conv(x)))  # [B, C', H/s, W/s]
        x = F.conv2d(x, *self.folded(), conv.stride, conv.padding, groups=conv.groups)  # [B, C', H/s, W/s]
        return self.activation(x)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen with 1×1, look nearby with a depthwise 3×3, narrow with 1×1.

    The input is added to the output where both have the same shape (Fig. 3 of arXiv 1801.04381; "MV2" in
    Table 5 of arXiv 2206.02680).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels `C` before and `C'` after.
    stride : int
        1 keeps the size of the map, 2 halves it (rounding up).
    expansion : int
        How many times wider the depthwise convolution is than the input.

    Shape
    -----
    `[B, C, H, W]` to `[B, C', H/stride, W/stride]`.

    Notes
    -----
    Built in notebook 04.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, expansion: int = 2):
        super().__init__()
        hidden = in_channels * expansion
        self.expand = ConvNormAct(in_channels, hidden)
        self.depthwise = ConvNormAct(hidden, hidden, kernel_size=3, stride=stride, groups=hidden)
        self.project = ConvNormAct(hidden, out_channels, activation=False)
        self.has_residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))  # [B, C', H/s, W/s]
        return x + y if self.has_residual else y


class GroupNorm1(nn.Module):
    r"""Group norm with one group, for tokens: one mean and one variance per sample.

    :math:`y = (x - \mu) / \sqrt{\sigma^2 + \epsilon} * \gamma + \beta`, with :math:`\mu, \sigma^2` taken over all
    pixel positions, patches and channels of a sample together, and one :math:`\gamma, \beta` per channel.
    It is `nn.GroupNorm(1, d)` for tokens whose width is the last axis. It is not a layer norm of each token:
    every token's output depends on the whole map.

    Parameters
    ----------
    dim : int
        Width `d` of a token.
    eps : float
        The :math:`\epsilon` that keeps the division finite.

    Shape
    -----
    `x` `[B, P, N, d]` to `[B, P, N, d]`.

    Notes
    -----
    Built in notebook 04.
    """

    def __init__(self, dim: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            # The same numbers in one step, so that one map less is kept for the way back.
            weight, bias = self.weight.expand(x.shape[1:]), self.bias.expand(x.shape[1:])
            return F.layer_norm(x, x.shape[1:], weight, bias, self.eps)  # [B, P, N, d]
        normalised = F.layer_norm(x, x.shape[1:], eps=self.eps)  # [B, P, N, d]
        return torch.addcmul(self.bias, normalised, self.weight)  # [B, P, N, d]


class FeedForward(nn.Sequential):
    """Two linear layers with SiLU between, for every token by itself. `[..., d]` to `[..., d]`.

    Parameters
    ----------
    dim : int
        Width `d` of a token.
    expansion : int
        How many times wider the middle is.

    Notes
    -----
    Costs `2·expansion·d²` multiply–accumulates per token. Built in notebook 04.
    """

    def __init__(self, dim: int, expansion: int = 2):
        super().__init__()
        self.expand = nn.Linear(dim, expansion * dim)
        self.activation = nn.SiLU()
        self.project = nn.Linear(expansion * dim, dim)


class TransformerLayer(nn.Module):
    """Attention, then a feed-forward network; each after a norm and with its input added back.

    Parameters
    ----------
    dim : int
        Width `d` of a token.
    attention : nn.Module
        Any module that takes tokens `[B, P, N, d]` to tokens and mixes them along `N`; see `make_attention`.

    Shape
    -----
    `x` `[B, P, N, d]` to `[B, P, N, d]`. Attention runs over the `N` patches, once per pixel position.

    Notes
    -----
    Built in notebook 04.
    """

    def __init__(self, dim: int, attention: nn.Module):
        super().__init__()
        self.attention_norm = GroupNorm1(dim)
        self.attention = attention
        self.ffn_norm = GroupNorm1(dim)
        self.ffn = FeedForward(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))  # [B, P, N, d]
        return x + self.ffn(self.ffn_norm(x))  # [B, P, N, d]


class MobileViTv2Block(nn.Module):
    """A depthwise 3×3 convolution looks nearby, transformer layers look everywhere.

    Depthwise 3×3 → 1×1 (`C` to `d`) → `unfold` → transformer layers → norm → `fold` → 1×1 (`d` to `C`); Section 3.3
    and Fig. 6 of arXiv 2206.02680. MobileViT v1's skip connection and fusion convolution are gone.

    Parameters
    ----------
    channels : int
        Channels `C` of the feature map.
    dim : int
        Width `d` of a token.
    num_layers : int
        Number of transformer layers (`B` in Table 5 of the paper).
    attention : {"separable", "multi_head", "fused_multi_head", "linformer"}
        Which attention the layers use; see `make_attention`.
    num_tokens : int or None
        Number of patches `N`. Only Linformer needs it.

    Shape
    -----
    `[B, C, H, W]` to `[B, C, H, W]`. An odd height or width is first enlarged by one pixel, bilinearly with aligned
    corners, and stays so: 7×7 becomes 8×8. ml-cvnets and timm do the same; transformers drops the last row and column.

    Notes
    -----
    Built in notebook 04.
    """

    def __init__(
        self, channels: int, dim: int, num_layers: int, attention: str = "separable", num_tokens: int | None = None
    ):
        super().__init__()
        self.local = ConvNormAct(channels, channels, kernel_size=3, groups=channels)
        self.to_tokens = nn.Conv2d(channels, dim, kernel_size=1, bias=False)
        self.layers = nn.Sequential(
            *(TransformerLayer(dim, make_attention(attention, dim, num_tokens)) for _ in range(num_layers))
        )
        self.norm = GroupNorm1(dim)
        self.to_channels = ConvNormAct(dim, channels, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        size = tuple(PATCH_SIZE * math.ceil(side / PATCH_SIZE) for side in x.shape[-2:])
        if size != x.shape[-2:]:
            x = F.interpolate(x, size, mode="bilinear", align_corners=True)  # [B, C, H, W]
        x = self.to_tokens(self.local(x))  # [B, d, H, W]
        tokens = unfold(x, PATCH_SIZE)  # [B, P, N, d]
        tokens = self.norm(self.layers(tokens))  # [B, P, N, d]
        return self.to_channels(fold(tokens, size, PATCH_SIZE))  # [B, C, H, W]


def make_attention(name: str, dim: int, num_tokens: int | None = None) -> nn.Module:
    """Build one of the attentions by name.

    Parameters
    ----------
    name : {"separable", "multi_head", "fused_multi_head", "linformer"}
        All but "separable" get four heads, as in MobileViT v1; "linformer" mixes its tokens down to a quarter.
    dim : int
        Width `d` of a token.
    num_tokens : int or None
        Number of tokens `k`. Only "linformer" needs it.

    Raises
    ------
    ValueError
        If there is no attention of that name, or if "linformer" is not told the number of tokens.

    Notes
    -----
    Built in notebook 04.
    """
    if name == "separable":
        return SeparableSelfAttention(dim)
    if name == "multi_head":
        return MultiHeadSelfAttention(dim, num_heads=4)
    if name == "fused_multi_head":
        return FusedMultiHeadSelfAttention(dim, num_heads=4)
    if name == "linformer":
        if num_tokens is None:
            raise ValueError("Linformer has one weight per token: say how many there are with num_tokens")
        return LinformerSelfAttention(dim, 4, num_tokens, projected_tokens=max(1, num_tokens // 4))
    raise ValueError(f"there is no attention called {name!r}: choose one of {', '.join(map(repr, ATTENTIONS))}")
