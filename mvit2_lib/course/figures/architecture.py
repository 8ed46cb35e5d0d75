"""Drawings of blocks and of the whole model, made from the modules themselves."""

import copy
import functools
import itertools
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor, nn

from ...attention import SeparableSelfAttention
from ...blocks import ConvNormAct, InvertedResidual, MobileViTv2Block, TransformerLayer
from ...cost import count_parameters, layer_costs
from ...model import MobileViTv2
from .canvas import BLUE, MAGENTA, STYLE, WIDEST
from .drawings import CHEAP, COSTLY, LINEAR, arrow, blank


@dataclass(frozen=True)
class Step:
    """One box of a drawing: what happens, the shape that leaves, and its colour."""

    text: str
    shape: str
    color: str = "white"


def block_steps(block: nn.Module, x: Tensor) -> list[Step]:
    """Run a block and return what its parts did, in their order, with the shapes that really left them.

    Between two parts, `unfold` and `fold` show in the shapes: channels become the last axis, or the second again.
    """
    children = block.named_children()
    parts = [part for _, child in children for part in (child if isinstance(child, nn.Sequential) else [child])]
    steps, last = [Step("feature map", _shape(x))], x

    def record(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal last
        (received,) = inputs
        if received.numel() != last.numel():
            steps.append(Step("side by side with the input", _shape(received), CHEAP))
        elif received.shape != last.shape:
            text = "unfold" if received.shape[-1] == last.shape[1] else "fold"
            steps.append(Step(text, _shape(received), CHEAP))
        steps.append(Step(_describe(part), _shape(output), COSTLY if isinstance(part, TransformerLayer) else LINEAR))
        last = output

    handles = [part.register_forward_hook(record) for part in parts]
    try:
        with torch.inference_mode():
            block(x)
    finally:
        for handle in handles:
            handle.remove()
    return steps


def blocks(columns: Mapping[str, Sequence[Step]], skip: Mapping[str, tuple[int, int]] | None = None) -> Figure:
    """Draw the steps of some blocks as columns of boxes, read from below; of two columns, mark where they differ.

    `skip` may give a column an arrow that leads around some of its steps: from one step's number to another's. A
    difference has a thick frame and a letter, the same in both columns; steps that follow each other share it if the
    same is different about them.
    """
    pitch, width, height = 0.4, 3.98, 0.29
    tallest = max(len(steps) for steps in columns.values())
    figure, axes = blank(4.3 * len(columns), pitch * tallest + 0.55)
    letters = _differences(*columns.values()) if len(columns) == 2 else {}
    for index, (title, steps) in enumerate(columns.items()):
        left = 4.3 * index + 0.18
        for number, step in enumerate(steps):
            y = 0.28 + pitch * number
            look = {"edgecolor": MAGENTA, "linewidth": 2} if number in letters else {"edgecolor": "#555"}
            shape = "round,pad=0,rounding_size=0.06"
            axes.add_patch(FancyBboxPatch((left, y - height / 2), width, height, shape, facecolor=step.color, **look))
            axes.text(left + 0.14, y, step.text, va="center", size=9)
            axes.text(left + width - 0.05, y, step.shape, ha="right", va="center", size=9, family="monospace")
            if number in letters:
                badge = {"boxstyle": "circle,pad=0.15", "facecolor": MAGENTA, "edgecolor": "none"}
                look = {"ha": "center", "va": "center", "weight": "bold", "color": "white"}
                axes.text(left, y, letters[number], size=9, bbox=badge, **look)
            if number:
                arrow(axes, (left + width / 2, y - pitch + height / 2), (left + width / 2, y - height / 2))
        if skip and title in skip:
            start, end = (0.28 + pitch * number for number in skip[title])
            style = "arc,angleA=0,angleB=0,armA=10,armB=10,rad=4"
            shape = {"arrowstyle": "-|>", "color": MAGENTA, "linewidth": 2, "connectionstyle": style}
            ends = (left + width, end), (left + width, start)
            axes.annotate("", *ends, arrowprops=shape | {"shrinkA": 0, "shrinkB": 0})
        axes.text(left + width / 2, pitch * tallest + 0.32, title, ha="center", va="center", weight="bold", size=11)
    return figure


def _differences(one: Sequence[Step], other: Sequence[Step]) -> dict[int, str]:
    """Give a letter to each number of a step at which two blocks do different things."""
    letters, previous, latest = {}, None, -1
    for number, (step, facing) in enumerate(itertools.zip_longest(one, other)):
        pair = (step.text, facing.text) if step and facing else "only here"
        if step and facing and step.text == facing.text:
            pair = None
        elif pair != previous:
            latest += 1
        if pair:
            letters[number] = string.ascii_uppercase[latest]
        previous = pair
    return letters


def architecture(width_multiplier: float = 1.0, image_size: int = 256) -> Figure:
    """Draw the whole model, a row for each block: the shape that leaves it, its MACs and its parameters to scale."""
    with torch.device("meta"):  # shapes and counts need no weights
        rows = stage_costs(MobileViTv2(width_multiplier), image_size)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, 0.45 * len(rows) + 1.1), layout="constrained")
        names, work, weights = figure.subplots(1, 3, width_ratios=(3.9, 1, 1), sharey=True)
        names.axis("off")
        for number, row in enumerate(rows):
            names.text(0, number, row["stage"], va="center", size=9, weight="bold")
            names.text(0.145, number, row["content"], va="center", size=9)
            names.text(1.0, number, row["shape"], va="center", ha="right", size=9, family="monospace")
        for axes, key, unit, scale in ((work, "macs", "million MACs", 1e6), (weights, "parameters", "thousand", 1e3)):
            values = [row[key] / scale for row in rows]
            colors = [MAGENTA if "MobileViTv2" in row["content"] else BLUE for row in rows]
            hatches = ["//" if color == MAGENTA else "" for color in colors]
            bars = axes.barh(range(len(rows)), values, color=colors, hatch=hatches, edgecolor="white")
            written = [f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in values]
            axes.bar_label(bars, written, padding=3, size=9)
            axes.set_xlim(right=1.7 * max(values))
            axes.set(xlabel=unit, yticks=[], xticks=[])
            axes.spines[["left", "bottom"]].set_visible(False)
        work.set_title(f"MACs:\n{sum(row['macs'] for row in rows) / 1e9:.2f} G in all", size=10)
        weights.set_title(f"parameters:\n{sum(row['parameters'] for row in rows) / 1e6:.2f} M in all", size=10)
        names.set_title(f"MobileViTv2, α = {width_multiplier:g}, {image_size}×{image_size} pixels", loc="left", size=11)
        names.set_xlim(0, 1)
        names.set_ylim(len(rows) - 0.4, -0.6)
    return figure


def stage_costs(model: MobileViTv2, image_size: int = 256) -> list[dict]:
    """Return a row for the stem, each block of each stage, and the classifier.

    A row has its `stage`, its `content`, the `shape` that leaves, its `macs` and its `parameters`.
    """
    shape = 1, model.config["in_channels"], image_size, image_size
    layers, shapes = layer_costs(model, *shape), {}
    names = [
        "stem",
        *(f"stages.{i}.{j}" for i, stage in enumerate(model.stages) for j in range(len(stage))),
        "classifier",
    ]
    shadow = copy.deepcopy(model).to("meta").eval()
    for name in names:
        keep = functools.partial(lambda name, part, inputs, output: shapes.update({name: output.shape[1:]}), name)
        shadow.get_submodule(name).register_forward_hook(keep)
    with torch.no_grad():
        shadow(torch.empty(shape, device="meta"))
    return [
        {
            "stage": f"stage {int(name[7]) + 1}" if name.startswith("stages.") else name,
            "content": _describe(model.get_submodule(name)),
            "shape": " × ".join(map(str, shapes[name])),
            "macs": sum(layer.macs for layer in layers if f"{layer.name}.".startswith(f"{name}.")),
            "parameters": count_parameters(model.get_submodule(name)),
        }
        for name in names
    ]


def _describe(part: nn.Module) -> str:
    """Say in a few words what a part is, from what it holds."""
    if isinstance(part, ConvNormAct):
        conv, activation = part.conv, ", SiLU" if part.has_activation else ""
        stride = f", stride {conv.stride[0]}" if conv.stride[0] > 1 else ""
        return f"{_describe(conv)}{stride}, norm{activation}"
    if isinstance(part, nn.Conv2d):
        kind = "depthwise " if part.groups == part.in_channels > 1 else ""
        return f"{kind}{part.kernel_size[0]}×{part.kernel_size[1]} convolution"
    if isinstance(part, InvertedResidual):
        return f"inverted residual{'' if part.depthwise.conv.stride[0] == 1 else ', stride 2'}"
    if isinstance(part, MobileViTv2Block):
        return f"MobileViTv2 block, {len(part.layers)} layers of width {part.to_tokens.out_channels}"
    if isinstance(part, TransformerLayer):
        kind = "separable" if isinstance(part.attention, SeparableSelfAttention) else "multi-head"
        return f"{kind} attention, feed-forward"
    return {
        "GroupNorm1": "group norm",
        "Linear": "mean over the map, linear layer",
        "Identity": "mean over the map",
    }.get(type(part).__name__, type(part).__name__)


def _shape(x: Tensor) -> str:
    return f"[{', '.join(map(str, x.shape))}]"
