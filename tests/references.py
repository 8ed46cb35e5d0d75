"""timm and transformers as referees, and weights under which no mistake cancels.

Both libraries import torchvision, whose compiled operators may be missing or built for another PyTorch. The models
compared here use none of them: it is enough that the two operators torchvision registers shape rules for are declared.
"""

import contextlib
import sys

import torch
from torch import nn


def _declare_torchvision_operators() -> None:
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            with contextlib.suppress(RuntimeError):  # declared by the first, failed import
                _LIBRARY.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


_LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
_declare_torchvision_operators()

import timm  # noqa: E402
from timm.models.mobilevit import LinearSelfAttention  # noqa: E402
from transformers import MobileViTV2Config, MobileViTV2ForImageClassification  # noqa: E402

WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)

__all__ = ["WIDTHS", "LinearSelfAttention", "randomise", "timm_model", "transformers_model"]


def randomise(module: nn.Module) -> nn.Module:
    """Make every bias, norm weight and norm statistic random: at their defaults many mistakes cancel to zero."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0)
            elif tensor.ndim == 1 and tensor.is_floating_point():
                tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.3)
    return module.eval()


def timm_model(width: float, **options) -> nn.Module:
    return randomise(timm.create_model(f"mobilevitv2_{round(100 * width):03d}", **options))


def transformers_model(width: float) -> nn.Module:
    return randomise(MobileViTV2ForImageClassification(MobileViTV2Config(width_multiplier=width, num_labels=1000)))
