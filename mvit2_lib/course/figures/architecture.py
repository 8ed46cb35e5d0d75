"""Drawings of blocks and of the whole model, made from the modules themselves."""

import copy
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from ...attention import SeparableSelfAttention
from ...blocks import ConvNormAct, InvertedResidual, MobileViTv2Block, TransformerLayer
from ...cost import count_parameters, layer_costs
from ...model import MobileViTv2
from .canvas import BLUE, MAGENTA, STYLE, draw_picture
from .drawings import CHEAP, COSTLY, LINEAR, arrow, blank, box


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
    """Draw the steps of some blocks as columns of boxes, read from below.

    `skip` may give a column an arrow that leads around some of its steps: from one step's number to another's.
    """
    tallest = max(len(steps) for steps in columns.values())
    figure, axes = blank(4.1 * len(columns), 0.72 * tallest + 0.7)
    for index, (title, steps) in enumerate(columns.items()):
        x = 4.1 * index + 1.85
        for number, step in enumerate(steps):
            y = 0.45 + 0.72 * number
            box(axes, (x, y), step.text, step.shape, step.color, width=2.9)
            if number:
                arrow(axes, (x, y - 0.47), (x, y - 0.25))
        if skip and title in skip:
            start, end = (0.45 + 0.72 * number for number in skip[title])
            style = "arc,angleA=0,angleB=0,armA=22,armB=22,rad=4"
            shape = {"arrowstyle": "-|>", "color": MAGENTA, "connectionstyle": style, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x + 1.45, end), (x + 1.45, start), arrowprops=shape)
        axes.text(x, 0.72 * tallest + 0.45, title, ha="center", va="center", weight="bold", size=11)
    return figure


def architecture(width_multiplier: float = 1.0, image_size: int = 256) -> Figure:
    """Draw the whole model, a row for each block: the shape that leaves it, its MACs and its parameters to scale."""
    with torch.device("meta"):  # shapes and counts need no weights
        rows = stage_costs(MobileViTv2(width_multiplier), image_size)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.2, 0.52 * len(rows) + 1.4), layout="constrained")
        names, work, weights = figure.subplots(1, 3, width_ratios=(2.0, 1, 1), sharey=True)
        names.axis("off")
        for number, row in enumerate(rows):
            names.text(0, number, row["stage"], va="center", size=9, weight="bold")
            names.text(0.2, number, row["content"], va="center", size=9)
            names.text(1.0, number, row["shape"], va="center", ha="right", size=9, family="monospace")
        for axes, key, unit, scale in ((work, "macs", "million MACs", 1e6), (weights, "parameters", "thousand", 1e3)):
            values = [row[key] / scale for row in rows]
            colors = [MAGENTA if "MobileViTv2" in row["content"] else BLUE for row in rows]
            bars = axes.barh(range(len(rows)), values, color=colors)
            axes.bar_label(bars, [f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in values], padding=3)
            axes.set_xlim(right=1.22 * max(values))
            axes.set(xlabel=unit, yticks=[])
            axes.spines["left"].set_visible(False)
        work.set_title(f"MACs: {sum(row['macs'] for row in rows) / 1e9:.2f} G in all", size=10)
        weights.set_title(f"parameters: {sum(row['parameters'] for row in rows) / 1e6:.2f} M in all", size=10)
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


def index_image(image: Tensor, rows: Tensor) -> Figure:
    """Draw a small image of numbers `[H, W]` and its unfolded rows `[P, N]`, coloured by pixel position."""
    (H, W), (P, _) = image.shape, rows.shape
    p = round(P**0.5)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        place = np.fromfunction(lambda row, column: (row % p) * p + column % p, (H, W), dtype=int)
        _draw_numbers(left, image, place)
        for line in range(0, W + 1, p):
            left.axvline(line - 0.5, color="black", linewidth=2.5, linestyle="-", marker="")
        for line in range(0, H + 1, p):
            left.axhline(line - 0.5, color="black", linewidth=2.5, linestyle="-", marker="")
        left.set_title(f"{H} × {W} pixels in {p} × {p} patches")
        _draw_numbers(right, rows, np.arange(P)[:, None] + np.zeros(rows.shape, dtype=int))
        right.set(title="unfolded", ylabel="pixel position P", xlabel="patch N")
    return figure


def panels(pictures: Mapping[str, Tensor], width: float = 2.5) -> Figure:
    """Draw some pictures, grey `[H, W]` or RGB `[H, W, 3]`, side by side with their titles."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * len(pictures), width + 0.4), layout="constrained")
        for axes, (title, picture) in zip(
            figure.subplots(1, len(pictures), squeeze=False)[0], pictures.items(), strict=True
        ):
            draw_picture(axes, picture)
            axes.set_title(title, size=10)
    return figure


def receptive_fields(maps: Mapping[str, Tensor], width: float = 2.6) -> Figure:
    """Draw how much each input pixel matters to one output pixel, maps `[H, W]`: white where it does not at all."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * len(maps), width + 0.5), layout="constrained")
        row = figure.subplots(1, len(maps), squeeze=False)[0]
        for axes, (title, values) in zip(row, maps.items(), strict=True):
            shown = np.ma.masked_equal(values.numpy(), 0)
            image = axes.imshow(np.ma.log10(shown / shown.max()), cmap="viridis", vmin=-5, vmax=0)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
            axes.set_title(title, size=10)
        bar = figure.colorbar(image, ax=row, shrink=0.8, ticks=[-5, -2.5, 0])
        bar.ax.set_yticklabels(["10⁻⁵", "", "1"])
        bar.set_label("gradient, largest = 1")
    return figure


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


def _draw_numbers(axes: Axes, numbers: Tensor, colors: np.ndarray) -> None:
    axes.imshow(colors, cmap=mpl.colors.ListedColormap(["#DCE5FF", "#FAD1E3", "#FFE3CC", "#FFF0CC"]), vmin=0, vmax=3)
    for (row, column), number in np.ndenumerate(np.asarray(numbers)):
        axes.text(column, row, f"{number:g}", ha="center", va="center")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
