"""The form that phones have fast kernels for: everything is a convolution, a sum or a product over maps.

Tokens lie channels first, `[B, d, P, N]`, so that a linear layer for every token is a 1×1 convolution. XNNPACK, the
library behind ExecuTorch on processors, then takes the whole network; the form of `blocks`, tokens last, falls out of
it piece by piece into kernels that nobody has made fast. The numbers are the same.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import MultiHeadSelfAttention, SeparableSelfAttention
from ..blocks import PATCH_SIZE, GroupNorm1, MobileViTv2Block, TransformerLayer
from ..model import MobileViTv2
from .fast import fuse


class MobileForm(nn.Module):
    """A MobileViTv2 in evaluation mode, rewritten channels first: pictures `[B, C, H, W]` to logits.

    Raises
    ------
    ValueError
        If the model is in training mode, or its attention has no such form.
    """

    def __init__(self, model: MobileViTv2):
        super().__init__()
        model = fuse(model)
        for stage in model.stages:
            for index, block in enumerate(stage):
                if isinstance(block, MobileViTv2Block):
                    stage[index] = _Block(block)
        self.stem, self.stages, self.classifier = model.stem, model.stages, model.classifier
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stages(self.stem(image))  # [B, C_last, H/32, W/32]
        return self.classifier(x.mean(dim=(-2, -1), keepdim=True).flatten(1))  # [B, num_classes]


class _Block(nn.Module):
    def __init__(self, block: MobileViTv2Block):
        super().__init__()
        self.local, self.to_tokens, self.to_channels = block.local, block.to_tokens, block.to_channels
        self.layers = nn.Sequential(*map(_Layer, block.layers))
        self.norm = _Norm(block.norm)

    def forward(self, x: Tensor) -> Tensor:
        p = PATCH_SIZE
        H, W = (side + side % p for side in x.shape[-2:])
        if x.shape[-2:] != (H, W):
            x = F.interpolate(x, (H, W), mode="bilinear", align_corners=True)  # [B, C, H, W]
        x = self.to_tokens(self.local(x))  # [B, d, H, W]
        B, d = x.shape[:2]
        x = x.reshape(B, d, H // p, p, W // p, p).permute(0, 1, 3, 5, 2, 4)  # [B, d, p, p, H/p, W/p]
        x = self.norm(self.layers(x.reshape(B, d, p * p, -1)))  # [B, d, P, N]
        x = x.reshape(B, d, p, p, H // p, W // p).permute(0, 1, 4, 2, 5, 3)  # [B, d, H/p, p, W/p, p]
        return self.to_channels(x.reshape(B, d, H, W))  # [B, C, H, W]


class _Layer(nn.Module):
    def __init__(self, layer: TransformerLayer):
        super().__init__()
        kinds = {SeparableSelfAttention: _SeparableAttention, MultiHeadSelfAttention: _MultiHeadAttention}
        kind = next((ours for theirs, ours in kinds.items() if isinstance(layer.attention, theirs)), None)
        if kind is None:
            raise ValueError(f"there is no form for phones of {type(layer.attention).__name__}")
        self.attention_norm, self.attention = _Norm(layer.attention_norm), kind(layer.attention)
        self.ffn_norm = _Norm(layer.ffn_norm)
        self.expand, self.project = _convolution(layer.ffn.expand), _convolution(layer.ffn.project)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))  # [B, d, P, N]
        return x + self.project(F.silu(self.expand(self.ffn_norm(x))))  # [B, d, P, N]


class _Norm(nn.Module):
    """One mean and one variance a sample, out of operators that XNNPACK has.

    It takes means over the last two axes; the mean over the channels is a 1×1 convolution whose weights are all 1/d.
    """

    def __init__(self, norm: GroupNorm1):
        super().__init__()
        d = len(norm.weight)
        self.mean_of_channels = nn.Conv2d(d, 1, kernel_size=1, bias=False).to(norm.weight)
        nn.init.constant_(self.mean_of_channels.weight, 1 / d)
        self.weight = nn.Parameter(norm.weight.view(d, 1, 1))
        self.bias = nn.Parameter(norm.bias.view(d, 1, 1))
        self.eps = norm.eps

    def mean(self, x: Tensor) -> Tensor:
        return self.mean_of_channels(x.mean(dim=(-2, -1), keepdim=True))  # [B, 1, 1, 1]

    def forward(self, x: Tensor) -> Tensor:
        x = x - self.mean(x)  # [B, d, P, N]
        scale = torch.rsqrt(self.mean(x * x) + self.eps)  # [B, 1, 1, 1]
        return x * (scale * self.weight) + self.bias  # [B, d, P, N]


class _SeparableAttention(nn.Module):
    def __init__(self, attention: SeparableSelfAttention):
        super().__init__()
        self.W_I, self.W_K, self.W_V, self.W_O = map(
            _convolution, (attention.W_I, attention.W_K, attention.W_V, attention.W_O)
        )

    def forward(self, x: Tensor) -> Tensor:
        scores = self.W_I(x)  # [B, 1, P, N]
        # Flat on purpose: ExecuTorch 1.5 runs a softmax that follows a convolution over the channels, where all are 1.
        c_s = scores.flatten(0, 2).softmax(dim=-1).reshape(scores.shape)  # [B, 1, P, N]
        N = x.shape[-1]
        c_v = self.W_K(N * F.avg_pool2d(c_s * x, (1, N)))  # [B, d, P, 1]: N times the mean is the sum
        return self.W_O(c_v * F.relu(self.W_V(x)))  # [B, d, P, N]


class _MultiHeadAttention(nn.Module):
    def __init__(self, attention: MultiHeadSelfAttention):
        super().__init__()
        self.W_Q, self.W_K, self.W_V, self.W_O = map(
            _convolution, (attention.W_Q, attention.W_K, attention.W_V, attention.W_O)
        )
        self.num_heads = attention.num_heads

    def forward(self, x: Tensor) -> Tensor:
        B, d, P, N = x.shape
        apart = (B, self.num_heads, d // self.num_heads, P, N)

        def heads(projection: nn.Module) -> Tensor:
            return projection(x).reshape(apart).permute(0, 1, 3, 4, 2).flatten(0, 2)  # [B·h·P, N, d_h]

        query, key, value = heads(self.W_Q), heads(self.W_K), heads(self.W_V)
        # bmm, not @, which asks to expand what needs no expanding: a copy that falls out of XNNPACK.
        scores = torch.bmm(query.shape[-1] ** -0.5 * query, key.transpose(1, 2))  # [B·h·P, N, N]
        y = torch.bmm(scores.softmax(dim=-1), value)  # [B·h·P, N, d_h]
        y = y.reshape(B, self.num_heads, P, N, -1).permute(0, 1, 4, 2, 3)  # [B, h, d_h, P, N]
        return self.W_O(y.reshape(x.shape))  # [B, d, P, N]


def _convolution(linear: nn.Linear) -> nn.Conv2d:
    """Return the 1×1 convolution that does for every pixel what a linear layer does for every token."""
    conv = nn.Conv2d(linear.in_features, linear.out_features, kernel_size=1).to(linear.weight)
    conv.load_state_dict({"weight": linear.weight[..., None, None], "bias": linear.bias})
    return conv
