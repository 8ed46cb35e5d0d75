"""ONNX graphs for the live page, where a browser answers: a model that shows where it looks, and single attentions."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import MultiHeadSelfAttention, SeparableSelfAttention, merge_heads, split_heads
from ..blocks import MobileViTv2Block
from ..model import MobileViTv2
from .exporting import onnx_graph, quietly
from .fast import fuse

DIM, HEADS, MIXED = 64, 4, 64  # of the layers that are measured, as in notebook 03
LEAST, MOST = 2, 8192  # tokens


class LookingModel(nn.Module):
    """A MobileViTv2 that shows where each attention layer looks, and answers with equal scores on request.

    A picture `[1, C, h, w]`, enlarged bilinearly to `image_size`, and `equal` in [0, 1] to the logits and, for every
    attention layer in its order, the shares of its patches `[√N, √N]`: context scores times `N`, so that 1 is an equal
    share, the mean over the pixel positions. `equal` mixes equal scores into them: `(1 − equal) c_s + equal / N`.
    """

    def __init__(self, model: MobileViTv2, image_size: int):
        super().__init__()
        self.model, self.image_size = fuse(model), image_size
        self.kept: dict[str, object] = {}  # what the layers are told, and the shares that they leave
        for block in self.model.modules():
            if isinstance(block, MobileViTv2Block):
                for layer in block.layers:
                    layer.attention = _LookingAttention(layer.attention, self.kept)

    def forward(self, picture: Tensor, equal: Tensor) -> tuple[Tensor, ...]:
        self.kept["equal"], self.kept["shares"] = equal, []
        size = (self.image_size, self.image_size)
        logits = self.model(F.interpolate(picture, size, mode="bilinear", align_corners=False))  # [1, num_classes]
        return logits, *self.kept["shares"]


class _LookingAttention(nn.Module):
    def __init__(self, attention: SeparableSelfAttention, kept: dict[str, object]):
        super().__init__()
        self.attention, self.kept = attention, kept

    def forward(self, x: Tensor) -> Tensor:
        N = x.shape[-2]
        c_s = torch.lerp(self.attention.context_scores(x), x.new_tensor(1 / N), self.kept["equal"])  # [B, P, N, 1]
        side = math.isqrt(N)  # the grid of patches is square, as the picture is
        self.kept["shares"].append(N * c_s[0].mean(dim=0).reshape(side, side))
        c_v = self.attention.W_K(c_s.transpose(-2, -1) @ x)  # [B, P, 1, d]
        return self.attention.W_O(c_v * F.relu(self.attention.W_V(x)))  # [B, P, N, d]


class Linformer(nn.Module):
    """Linformer's attention for any number of tokens: the mixing matrices `E` and `F`, `[p, k]`, are inputs."""

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.W_Q, self.W_K, self.W_V, self.W_O = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor, E: Tensor, F: Tensor) -> Tensor:
        query = split_heads(self.W_Q(x), self.num_heads)  # [B, h, k, d_h]
        key = split_heads(E @ self.W_K(x), self.num_heads)  # [B, h, p, d_h]
        value = split_heads(F @ self.W_V(x), self.num_heads)  # [B, h, p, d_h]
        scores = query.shape[-1] ** -0.5 * query @ key.transpose(-2, -1)  # [B, h, k, p]
        return self.W_O(merge_heads(scores.softmax(dim=-1) @ value))  # [B, k, d]


def looking_graph(model: MobileViTv2, picture_size: int, image_size: int) -> bytes:
    """Return `LookingModel` as an ONNX file: `picture`, `equal` to `logits`, `shares_0`, `shares_1` and so on."""
    looking = LookingModel(model, image_size).eval()
    example = torch.rand(1, model.config["in_channels"], picture_size, picture_size), torch.tensor(0.5)
    with torch.no_grad(), quietly():
        names = ["logits"] + [f"shares_{number}" for number in range(len(looking(*example)) - 1)]
        return onnx_graph(looking, example, ["picture", "equal"], names).SerializeToString()


def attention_layers() -> dict[str, nn.Module]:
    """Return the layers that the live page measures, as in notebook 03: width 64, four heads, random weights."""
    return {
        "multi_head": MultiHeadSelfAttention(DIM, HEADS),
        "linformer": Linformer(DIM, HEADS),
        "separable": SeparableSelfAttention(DIM),
    }


def attention_graph(layer: nn.Module) -> bytes:
    """Return one such layer as an ONNX file for any number of tokens, `x` `[1, k, 64]` to `y`."""
    k = torch.export.Dim("k", min=LEAST, max=MOST)
    example = {"x": torch.rand(1, 100, DIM)}
    if isinstance(layer, Linformer):
        example |= {"E": torch.rand(MIXED, 100), "F": torch.rand(MIXED, 100)}
    # The tokens are axis 1 of all three.
    with torch.no_grad(), quietly():
        proto = onnx_graph(layer.eval(), tuple(example.values()), list(example), ["y"], ({1: k},) * len(example))
    return proto.SerializeToString()
