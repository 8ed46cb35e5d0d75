"""Exact counts: parameters, multiply–accumulates (MACs), and the bytes that an attention holds at once.

A multiply–accumulate is one multiplication and one addition, the step of a matrix product; one MAC is two FLOPs.
What papers publish as "FLOPs" of a network, the MobileViTv2 paper included, is this number of MACs.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from .attention import LinformerSelfAttention, MultiHeadSelfAttention, SeparableSelfAttention
from .blocks import ConvNormAct

FORMS = ("paper", "executed")
FLOAT32 = 4  # bytes


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs: its name in the model, its class, its parameters and its multiply–accumulates."""

    name: str
    kind: str
    parameters: int
    macs: int


def count_parameters(module: nn.Module) -> int:
    """Return the number of learned numbers in a module. Built in notebook 01."""
    return sum(parameter.numel() for parameter in module.parameters())


def multi_head_macs(k: int, d: int) -> int:
    """Return `4kd² + 2k²d`: four projections, then all pairs of tokens twice. Built in notebook 01."""
    return 4 * k * d**2 + 2 * k**2 * d


def linformer_macs(k: int, d: int, p: int) -> int:
    """Return `4kd² + 4kpd`: four projections, then keys and values mixed and attended. Built in notebook 02."""
    return 4 * k * d**2 + 4 * k * p * d


def separable_macs(k: int, d: int, form: str = "paper") -> int:
    """Return the multiply–accumulates of separable attention (Eqs. 2 and 3 of arXiv 2206.02680). Built in notebook 02.

    Form "paper" counts the linear layers in the paper's order, which projects every token to a key: `3kd² + kd`.
    "executed" counts what `SeparableSelfAttention` runs, which pools the tokens first: `2kd² + d² + 2kd`. Neither
    counts the element-wise products with `c_v`.
    """
    _check_form(form)
    if form == "paper":
        return 3 * k * d**2 + k * d
    return 2 * k * d**2 + d**2 + 2 * k * d


def multi_head_bytes(k: int, d: int, heads: int) -> int:
    """Return the most bytes that explicit multi-head attention holds at once: `4(2hk² + 2kd)`. Built in notebook 03.

    Its scores before and after the softmax, and two more tensors of the size of `x`. Like the two counts below it is
    for one forward pass without gradients, in float32, beside `x` and the weights, as long as the scores are the larger
    part: from `k = d/h` on here, from `p = d/h` on for Linformer.
    """
    return FLOAT32 * (2 * heads * k**2 + 2 * k * d)


def linformer_bytes(k: int, d: int, p: int, heads: int) -> int:
    """Return the most bytes that Linformer holds at once: `4(2hkp + kd + pd)`. Built in notebook 03."""
    return FLOAT32 * (2 * heads * k * p + k * d + p * d)


def separable_bytes(k: int, d: int) -> int:
    """Return the most bytes that separable attention holds at once: `4(2kd + d)`. Built in notebook 03."""
    return FLOAT32 * (2 * k * d + d)


def layer_costs(module: nn.Module, *input_shape: int, form: str = "paper") -> list[LayerCost]:
    """Return the cost of every convolution, linear layer and attention, in the order in which they run.

    For an input such as `1, 3, 256, 256`; the counts are for the whole batch. A convolution and its batch norm are one
    row, and so is an attention with its projections; the norms between transformer layers have none. Element-wise work
    has no multiply–accumulates. `form` is that of `separable_macs`. Used in notebook 04.
    """
    _check_form(form)
    rows: list[LayerCost] = []
    whole = (ConvNormAct, SeparableSelfAttention, MultiHeadSelfAttention, LinformerSelfAttention)

    def record(name, layer):
        def hook(_, inputs, output):
            macs = _macs(layer, inputs[0], output, form)
            rows.append(LayerCost(name, type(layer).__name__, count_parameters(layer), macs))

        return hook

    # On the meta device, where tensors have shapes and no values; in float32, and without anybody else's hooks.
    shadow = copy.deepcopy(module).to("meta", torch.float32).eval()
    for layer in shadow.modules():
        layer._forward_hooks.clear()
        layer._forward_pre_hooks.clear()
    inside: tuple[str, ...] = ()
    for name, layer in shadow.named_modules():
        if isinstance(layer, whole):
            inside += (f"{name}." if name else "",)
        elif not isinstance(layer, (nn.Conv2d, nn.Linear)) or name.startswith(inside):
            continue
        layer.register_forward_hook(record(name, layer))
    with torch.no_grad():
        shadow(torch.empty(input_shape, device="meta"))
    return rows


def count_macs(module: nn.Module, *input_shape: int, form: str = "paper") -> int:
    """Return the multiply–accumulates of one forward pass: the sum over `layer_costs`. Used in notebook 05."""
    return sum(row.macs for row in layer_costs(module, *input_shape, form=form))


def _macs(layer: nn.Module, x: torch.Tensor, y: torch.Tensor, form: str) -> int:
    if isinstance(layer, ConvNormAct):
        return y.numel() * layer.conv.weight[0].numel()
    if isinstance(layer, nn.Conv2d):
        return y.numel() * layer.weight[0].numel()
    if isinstance(layer, nn.Linear):
        return y.numel() * layer.in_features
    k, d = x.shape[-2:]
    sequences = x.numel() // (k * d)  # one per sample and pixel position
    if isinstance(layer, SeparableSelfAttention):
        return sequences * separable_macs(k, d, form)
    if isinstance(layer, LinformerSelfAttention):
        return sequences * linformer_macs(k, d, layer.E.out_features)
    return sequences * multi_head_macs(k, d)


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise ValueError(f"there is no form {form!r}: choose 'paper' or 'executed'")
