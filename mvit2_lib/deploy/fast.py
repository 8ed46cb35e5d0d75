"""The same numbers, faster: what only makes sense once a model is trained. Everything here is exact."""

import copy
import threading
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..blocks import ConvNormAct, InvertedResidual, MobileViTv2Block


def fuse(module: nn.Module) -> nn.Module:
    """Return a copy in which every batch norm is part of the convolution before it; the module stays as it is.

    In evaluation the statistics are constants, so both are one convolution:
    `γ (w * x − μ) / σ + β = (γ w / σ) * x + (β − γ μ / σ)`, with one pass over the map less.
    Activations overwrite their input. Used in notebook 09.
    """
    if any(part.training for part in module.modules()):
        raise ValueError("a model in training mode cannot be fused: its norms still change; call model.eval() first")
    fused = copy.deepcopy(module).requires_grad_(False)
    if isinstance(fused, ConvNormAct):
        return _one_convolution(fused)
    for parent in list(fused.modules()):
        for name, child in parent.named_children():
            if isinstance(child, ConvNormAct):
                setattr(parent, name, _one_convolution(child))
    return fused


def optimize_for_inference(model: nn.Module, compile: bool = False) -> nn.Module | Callable[[Tensor], Tensor]:
    """Return a new model with equal outputs that answers faster; the old one stays as it is.

    Norms are fused into convolutions (`fuse`); pixels lie channels last, where a 1×1 convolution is a linear layer;
    activations overwrite their input; and the widest maps are written into memory that is kept from call to call. It
    holds no gradients, and hooks see fewer layers; a wide map that a hook keeps is overwritten. `predict` and
    `evaluate` use it. Used in notebook 09.

    Parameters
    ----------
    model : nn.Module
        A model, or a part of one, in evaluation mode.
    compile : bool
        Whether PyTorch compiles it too, at the first call with each size. That takes up to a minute and needs a C++
        compiler. Call it inside `torch.inference_mode()`: only there are the weights constants that can be packed.

    Raises
    ------
    ValueError
        If the model is in training mode.
    """
    fast = fuse(model)
    for parent in list(fast.modules()):
        for name, child in parent.named_children():
            if name in ("expand", "project", "to_channels") and isinstance(
                parent, (InvertedResidual, MobileViTv2Block)
            ):
                kept = name == "expand" and not compile  # a compiled model plans its memory itself
                setattr(parent, name, _Pointwise(child.conv, isinstance(child.activation, nn.SiLU), kept))
            elif name == "to_tokens":
                setattr(parent, name, _Pointwise(child))
    for module in fast.modules():
        if isinstance(module, nn.SiLU):
            module.inplace = True
    fast = fast.to(memory_format=torch.channels_last).eval()
    # By default PyTorch would look for one program for all sizes, and simplify nested roundings for hours.
    return torch.compile(fast, dynamic=False, options={"freezing": True}) if compile else fast


class _Pointwise(nn.Module):
    """A 1×1 convolution as what it is: a linear layer for every pixel, `[B, C, H, W]` to `[B, C', H, W]`.

    Both maps lie channels last. With `kept` the result lies in memory that the next such layer of this thread writes
    over; fresh memory would have to be mapped, and cleared page by page, at every call.
    """

    def __init__(self, conv: nn.Conv2d, has_activation: bool = False, kept: bool = False):
        super().__init__()
        self.weight = nn.Parameter(conv.weight.flatten(1).contiguous(), requires_grad=False)
        self.bias = conv.bias
        self.has_activation, self.kept = has_activation, kept

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)  # [B, H, W, C]
        y = _kept_memory(x, self.weight) if self.kept else None  # [B, H, W, C']
        if y is not None:
            torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight.T, out=y.view(-1, y.shape[-1]))
        else:
            y = F.linear(x, self.weight, self.bias)  # [B, H, W, C']
        if self.has_activation:
            y = F.silu(y, inplace=True)  # [B, H, W, C']
        return y.permute(0, 3, 1, 2)  # [B, C', H, W]


_MEMORY = threading.local()
_MOST_KEPT = 2**28  # bytes, for each thread


def _kept_memory(x: Tensor, weight: Tensor) -> Tensor | None:
    """Return this thread's memory for the product of `x` and `weight`, overwriting what it held; None if it may not."""
    shape = torch.Size((*x.shape[:-1], len(weight)))
    plain = x.device.type == "cpu" and x.dtype == weight.dtype  # they differ under autocast
    watched = not torch.is_inference_mode_enabled() or torch.compiler.is_compiling()
    if not plain or watched or shape.numel() * x.element_size() > _MOST_KEPT:
        return None
    flat = getattr(_MEMORY, "flat", None)
    if flat is None or flat.numel() < shape.numel() or flat.dtype != x.dtype:
        flat = _MEMORY.flat = x.new_empty(shape.numel())
    return flat[: shape.numel()].view(shape)


def _one_convolution(block: ConvNormAct) -> nn.Sequential:
    parts = nn.Sequential()
    parts.conv = fuse_conv_bn_eval(block.conv, block.norm)
    parts.activation = nn.SiLU(inplace=True) if block.has_activation else nn.Identity()
    return parts.eval()
