"""The complete MobileViTv2: an architecture table, scaled by the width multiplier, and the network made from it."""

import math
import numbers
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ._guard import whole_number
from .blocks import ATTENTIONS, ConvNormAct, InvertedResidual, MobileViTv2Block


@dataclass(frozen=True)
class Stage:
    """One row group of the architecture: inverted residuals, then (from stage 3 on) a MobileViTv2 block.

    `strides` holds one stride for each inverted residual; `dim` is the width `d` of the tokens in the MobileViTv2
    block, None where there is none, and `num_layers` the number of its transformer layers.
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
    """Return the channels of the stem, and the stages, at width multiplier `α` (Table 5 of arXiv 2206.02680).

    The stem's channels are kept between 16 and 64; the first stage's are a multiple of 16 and all others of 8. That is
    ml-cvnets' rule. timm truncates instead and has no limits: both agree at every published width (0.5 to 2.0 in
    steps of 0.25) and may differ at others. Built in notebook 05.
    """
    if isinstance(width_multiplier, bool) or not isinstance(width_multiplier, numbers.Real):
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
    """The complete MobileViTv2 image classifier (Table 5 of arXiv 2206.02680, corrected as noted at `STAGES`).

    Pictures `[B, in_channels, H, W]`, RGB with values in [0, 1], to logits `[B, num_classes]`. Built in notebook 05.

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
        if attention not in ATTENTIONS:
            raise ValueError(f"there is no attention called {attention!r}: choose one of {ATTENTIONS}")
        # What `MobileViTv2(**config)` builds again; files of weights hold it.
        self.config = {
            "width_multiplier": float(width_multiplier),
            "num_classes": whole_number("num_classes", num_classes, least=0),
            "in_channels": whole_number("in_channels", in_channels),
            "attention": attention,
            "image_size": whole_number("image_size", image_size),
        }

        self.stem = ConvNormAct(in_channels, stem_channels, kernel_size=3, stride=2)
        self.stages = nn.Sequential()
        channels, side = stem_channels, math.ceil(image_size / 2)
        for stage in stages:
            blocks = []
            for stride in stage.strides:
                blocks.append(InvertedResidual(channels, stage.channels, stride))
                channels, side = stage.channels, math.ceil(side / stride)
            if stage.dim is not None:
                side += side % 2  # the block enlarges odd maps
                blocks.append(MobileViTv2Block(channels, stage.dim, stage.num_layers, attention, (side // 2) ** 2))
            self.stages.append(nn.Sequential(*blocks))
        self.classifier = nn.Linear(channels, num_classes) if num_classes else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        x = self.stages(self.stem(_channels_last(image)))  # [B, C_last, H/32, W/32]
        return self.classifier(x.mean(dim=(-2, -1)))  # [B, num_classes]

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the maps that stages 3, 4 and 5 leave, `[B, C, H/s, W/s]` with `s` 8, 16 and 32, for another head."""
        maps = [self.stem(_channels_last(image))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[3:]

    def reset_classifier(self, num_classes: int) -> None:
        """Put a new, untrained classifier in the place of the old one; 0 leaves it out. All other weights stay."""
        self.config["num_classes"] = whole_number("num_classes", num_classes, least=0)
        channels, like = self.stages[-1][-1].to_channels.conv.out_channels, self.stem.conv.weight
        new = nn.Linear(channels, num_classes).to(like) if num_classes else nn.Identity()
        self.classifier = new.train(self.training)


def _channels_last(image: Tensor) -> Tensor:
    """Return the same picture with the channels of a pixel side by side: so convolutions are faster on the CPU.

    A copy in any case: a batch of one from NumPy may lie so already and still have strides that PyTorch does not
    recognise, and then all layers would work channels first.
    """
    rows = image.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)  # [B, H, W, C]
    return rows.permute(0, 3, 1, 2)  # [B, C, H, W]
