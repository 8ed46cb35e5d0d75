"""The building blocks of MobileViTv2: convolutions look nearby, the transformer layers look everywhere."""

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
    """Convolution, batch norm and (unless `activation=False`) SiLU: `[B, C, H, W]` to `[B, C', H/s, W/s]`.

    The map is padded so that stride 1 keeps its size; `groups=in_channels` makes the convolution depthwise. SiLU is
    the paper's Swish. Built in notebook 04.
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
        self.has_activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))  # [B, C', H/s, W/s]
        if self.has_activation:
            # In evaluation SiLU overwrites its input, since new memory costs time; not where a hook may look again.
            hooks = self.norm._forward_hooks or self.norm._backward_hooks or self.norm._backward_pre_hooks
            x = F.silu(x, inplace=not self.training and not hooks)  # [B, C', H/s, W/s]
        return x


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen with 1×1, look nearby with a depthwise 3×3, narrow with 1×1.

    `[B, C, H, W]` to `[B, C', H/s, W/s]`, rounded up. The input is added to the output where both have the same shape
    (Fig. 3 of arXiv 1801.04381; "MV2" in Table 5 of arXiv 2206.02680). Built in notebook 04.
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
    """Group norm with one group, for tokens `[B, P, N, d]`: one mean and one variance per sample.

    `y = (x − μ) / √(σ² + ε) * γ + β` with `μ, σ²` over all pixel positions, patches and channels of a sample together,
    and one `γ, β` per channel. It is `nn.GroupNorm(1, d)` with the width as last axis, and not a layer norm of each
    token: every token's output depends on the whole map. Built in notebook 04.
    """

    def __init__(self, dim: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 3, 1, 2)  # [B, d, P, N]
        x = F.group_norm(x, 1, self.weight, self.bias, self.eps)  # [B, d, P, N]
        return x.permute(0, 2, 3, 1)  # [B, P, N, d]


class FeedForward(nn.Sequential):
    """Two linear layers with SiLU between, for every token by itself: `[..., d]` to `[..., d]`.

    `2·expansion·d²` multiply–accumulates a token. Built in notebook 04.
    """

    def __init__(self, dim: int, expansion: int = 2):
        super().__init__()
        self.expand = nn.Linear(dim, expansion * dim)
        self.activation = nn.SiLU()
        self.project = nn.Linear(expansion * dim, dim)


class TransformerLayer(nn.Module):
    """Attention, then a feed-forward network; each after a norm and with its input added back.

    `attention` is any module that mixes tokens `[B, P, N, d]` along `N`, once per pixel position. Built in notebook 04.
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
    """A depthwise 3×3 convolution looks nearby, transformer layers look everywhere: `[B, C, H, W]` to the same.

    Depthwise 3×3 → 1×1 (`C` to `d`) → `unfold` → `num_layers` transformer layers → norm → `fold` → 1×1 (`d` to `C`);
    Section 3.3 and Fig. 6 of arXiv 2206.02680. An odd height or width is first enlarged by one pixel, bilinearly with
    aligned corners, and stays so: 7×7 becomes 8×8. ml-cvnets and timm do the same; transformers drops the last row and
    column. Only Linformer needs `num_tokens`, the number of patches `N`. Built in notebook 04.
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
        H, W = (side + side % PATCH_SIZE for side in x.shape[-2:])
        if x.shape[-2:] != (H, W):
            x = F.interpolate(x, (H, W), mode="bilinear", align_corners=True)  # [B, C, H, W]
        x = self.to_tokens(self.local(x))  # [B, d, H, W]
        tokens = unfold(x, PATCH_SIZE)  # [B, P, N, d]
        tokens = self.norm(self.layers(tokens))  # [B, P, N, d]
        return self.to_channels(fold(tokens, (H, W), PATCH_SIZE))  # [B, C, H, W]


def make_attention(name: str, dim: int, num_tokens: int | None = None) -> nn.Module:
    """Build one of `ATTENTIONS` by name; all but "separable" have four heads, as in MobileViT v1.

    "linformer" needs the number of tokens, and mixes them down to a quarter.
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
