"""timm and transformers as referees, and weights under which no mistake cancels."""

from torch import nn

from mvit2_lib.course.referees import randomise, referee

timm, transformers = referee("timm"), referee("transformers")
LinearSelfAttention = timm.models.mobilevit.LinearSelfAttention
WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)

__all__ = ["WIDTHS", "LinearSelfAttention", "randomise", "timm_model", "transformers_model"]


def timm_model(width: float, **options) -> nn.Module:
    return randomise(timm.create_model(f"mobilevitv2_{round(100 * width):03d}", **options))


def transformers_model(width: float) -> nn.Module:
    config = transformers.MobileViTV2Config(width_multiplier=width, num_labels=1000)
    return randomise(transformers.MobileViTV2ForImageClassification(config))
