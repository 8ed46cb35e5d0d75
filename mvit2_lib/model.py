"""MobileViTv2 from one table."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .blocks import ATTENTIONS, ConvNormAct, InvertedResidual, MobileViTv2Block


@dataclass(frozen=True)
class Stage:
    """One row group of the architecture: inverted residuals, then (from stage 3 on) a MobileViTv2 block.

    Attributes
    ----------
    channels : int
        Channels of the feature map.
    strides : tuple of int
        Stride of each inverted residual, in order.
    dim : int or None
        Width `d` of the tokens in the MobileViTv2 block; None where there is no such block.
    num_layers : int
        Number of transformer layers in it.
    """

    channels: int
    strides: tuple[int, ...]
    dim: int | None = None
    num_layers: int = 0


STEM_CHANNELS = 32

# Table 5 of the paper at α = 1, with one correction: the table prints two stride-1 blocks at output stride 4, while the
# official code, every other implementation and all seven published parameter counts have one (notebook 05).
STAGES = (
    Stage(channels=64, strides=(1,)),
    Stage(channels=128, strides=(2, 1)),
    Stage(channels=256, strides=(2,), dim=128, num_layers=2),
    Stage(channels=384, strides=(2,), dim=192, num_layers=4),
    Stage(channels=512, strides=(2,), dim=256, num_layers=3),
)


def make_divisible(value: float, divisor: int) -> int:
    """Round to the nearest multiple of `divisor`, but never below `divisor` nor to less than 90 % of `value`.

    The rounding rule of the MobileNet family, as in ml-cvnets. Built in notebook 05.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def scale_architecture(width_multiplier: float) -> tuple[int, tuple[Stage, ...]]:
    """Return the channels of the stem and the stages at width multiplier `α`.

    The stem's channels are kept between 16 and 64; the first stage's are a multiple of 16 and all others of 8. That is
    ml-cvnets' rule. timm truncates instead and has no limits: both agree at every published width (0.5 to 2.0 in
    steps of 0.25) and may differ at others.

    Parameters
    ----------
    width_multiplier : float
        `α`, a positive number.

    Raises
    ------
    ValueError
        If `α` is not a positive, finite number.

    Notes
    -----
    Table 5 of arXiv 2206.02680. Built in notebook 05.
    """
    if isinstance(width_multiplier, bool) or not isinstance(width_multiplier, (int, float)):
        raise TypeError(f"width_multiplier must be a number, not {width_multiplier!r}")
    if not (math.isfinite(width_multiplier) and width_multiplier > 0):
        raise ValueError(f"width_multiplier must be a positive number such as 0.5 or 1.0, not {width_multiplier!r}")
    stem = make_divisible(min(64, max(16, STEM_CHANNELS * width_multiplier)), 8)
    stages = []
    for index, stage in enumerate(STAGES):
        channels = make_divisible(stage.channels * width_multiplier, 16 if index == 0 else 8)
        dim = stage.dim and make_divisible(stage.dim * width_multiplier, 8)
        stages.append(Stage(channels, stage.strides, dim, stage.num_layers))
    return stem, tuple(stages)


class MobileViTv2(nn.Module):
    """The complete MobileViTv2 image classifier.

    Parameters
    ----------
    width_multiplier : float
        `α`. It scales the number of channels everywhere; parameters and multiply–accumulates grow roughly as `α²`.
    num_classes : int
        Number of classes; 0 leaves the classifier out, and the model returns the pooled features.
    in_channels : int
        Channels of the picture: 3 for RGB, 1 for grey.
    attention : {"separable", "multi_head", "fused_multi_head", "linformer"}
        "separable" is MobileViTv2. The others put another attention into the same network, for comparison.
    image_size : int
        Height and width of the pictures in pixels. Only "linformer" is bound to it; the others take any size.

    Shape
    -----
    `image` `[B, in_channels, H, W]`, RGB in [0, 1], to logits `[B, num_classes]`.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or a picture handed to the model, is not of the kind described here.

    Notes
    -----
    Table 5 of arXiv 2206.02680, with the correction noted at `STAGES`. Built in notebook 05.
    """

    def __init__(
        self,
        width_multiplier: float = 1.0,
        num_classes: int = 1000,
        in_channels: int = 3,
        attention: str = "separable",
        image_size: int = 256,
    ):
        super().__init__()
        stem_channels, stages = scale_architecture(width_multiplier)
        for name, value, least in (
            ("num_classes", num_classes, 0),
            ("in_channels", in_channels, 1),
            ("image_size", image_size, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number from {least} up, not {value!r}")
        if attention not in ATTENTIONS:
            raise ValueError(f"there is no attention called {attention!r}: choose one of {ATTENTIONS}")
        self.width_multiplier, self.in_channels = width_multiplier, in_channels

        self.stem = ConvNormAct(in_channels, stem_channels, kernel_size=3, stride=2)
        self.stages = nn.Sequential()
        channels, side = stem_channels, math.ceil(image_size / 2)
        for stage in stages:
            blocks = []
            for stride in stage.strides:
                blocks.append(InvertedResidual(channels, stage.channels, stride))
                channels, side = stage.channels, math.ceil(side / stride)
            if stage.dim is not None:
                num_tokens = math.ceil(side / 2) ** 2
                blocks.append(MobileViTv2Block(channels, stage.dim, stage.num_layers, attention, num_tokens))
                side = 2 * math.ceil(side / 2)
            self.stages.append(nn.Sequential(*blocks))
        self.classifier = nn.Linear(channels, num_classes) if num_classes else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        check_image(image, self.in_channels)
        dtype = self.stem.conv.weight.dtype
        if image.dtype != dtype and not torch.is_autocast_enabled(image.device.type):
            raise TypeError(f"the model holds {dtype}, but the pictures {image.dtype}: convert one with .to({dtype})")
        # On the CPU, convolutions are several times faster when the channels of a pixel lie side by side in memory.
        image = image.movedim(1, -1).contiguous().movedim(-1, 1)  # [B, C, H, W]
        x = self.stem(image)  # [B, C_stem, H/2, W/2]
        x = self.stages(x)  # [B, C_last, H/32, W/32]
        return self.classifier(x.mean(dim=(-2, -1)))  # [B, num_classes]


def check_image(image: Tensor, in_channels: int) -> None:
    """Raise a clear error unless `image` is a finite floating-point batch `[B, in_channels, H, W]`."""
    expected = f"expected a batch of pictures [B, {in_channels}, H, W] with values in [0, 1]"
    if not isinstance(image, Tensor):
        raise TypeError(f"{expected}, but got a {type(image).__name__}: mv.preprocess makes such a batch of a picture")
    shape = tuple(image.shape)
    if image.ndim == 3 and shape[0] == in_channels:
        raise ValueError(f"{expected}, but got one picture {shape} without a batch axis: add it with image[None]")
    if image.ndim != 4:
        raise ValueError(f"{expected}, but got shape {shape}")
    if shape[1] != in_channels:
        hint = (
            ": the channels are the last axis, move them with image.movedim(-1, 1)" if shape[3] == in_channels else ""
        )
        raise ValueError(f"{expected}, but axis 1 of {shape} has {shape[1]} channels{hint}")
    if 0 in shape:
        raise ValueError(f"{expected}, but shape {shape} holds no pixels")
    if not image.is_floating_point():
        raise TypeError(f"{expected}, but got {image.dtype}: convert bytes with image.float() / 255")
    # Looking at the values is cheap on the CPU. A GPU program would have to wait for it, a traced graph cannot branch.
    if image.device.type != "cpu" or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return
    try:
        # One sum finds any NaN or infinity; only a suspicious sum is worth the slower look at every value.
        bad = 0 if image.sum().isfinite() else int((~image.isfinite()).sum())
    except RuntimeError:  # a stand-in for a tensor, as in torch.func and tracing, has no values to look at
        return
    if bad:
        raise ValueError(f"{expected}, but {bad} values are NaN or infinite")
