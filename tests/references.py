"""timm and transformers as referees, and weights under which no mistake cancels."""

import torch
from torch import nn

from mvit2_lib.checks import referee

timm, transformers = referee("timm"), referee("transformers")
LinearSelfAttention = timm.models.mobilevit.LinearSelfAttention
WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)

__all__ = ["WIDTHS", "LinearSelfAttention", "randomise", "timm_model", "transformers_model"]


def randomise(module: nn.Module) -> nn.Module:
    """Make everything random: at their defaults norms and biases do nothing, and weights are too small to matter."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0)
            elif tensor.ndim == 1 and tensor.is_floating_point():
                tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.3)
            elif tensor.ndim > 1:
                # Large enough for the picture to matter; the classifier's smaller, for logits of ordinary size.
                gain = 0.5 if name.startswith(("head.", "classifier.")) else 2.0
                tensor.normal_(0.0, (gain / tensor[0].numel()) ** 0.5)
    return module.eval()


def timm_model(width: float, **options) -> nn.Module:
    return randomise(timm.create_model(f"mobilevitv2_{round(100 * width):03d}", **options))


def transformers_model(width: float) -> nn.Module:
    config = transformers.MobileViTV2Config(width_multiplier=width, num_labels=1000)
    return randomise(transformers.MobileViTV2ForImageClassification(config))
