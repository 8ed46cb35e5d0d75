"""What a training run is told: how long, how fast, and what keeps it from learning the pictures by heart."""

import dataclasses
import math
import numbers
from dataclasses import dataclass

import torch
from torch import nn

from .._guard import whole_number


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run (Section 4.1 of arXiv 2206.02680). The defaults train the digit model.

    Used in notebook 07.

    Attributes
    ----------
    epochs : int
        How often every picture is seen.
    batch_size : int
        Pictures a step, over all processes together. A smaller rest at the end of an epoch is left out.
    learning_rate : float
        Its highest value.
    last_learning_rate : float
        Its value at the end, as a share of the highest.
    warmup_steps : int
        Steps over which the learning rate rises from (nearly) zero.
    weight_decay : float
        AdamW's, for weights of two or more axes; biases and norms are left alone.
    label_smoothing : float
        Share of the target that is spread over all classes.
    mixup, cutmix : float
        Parameter of the Beta distribution from which the shares of two mixed pictures are drawn; 0 mixes none. With
        both, each step draws one of the two.
    average : float
        Decay of the exponential moving average of the weights, which is what is evaluated and kept; 0 averages nothing.
    clip : float
        Longest gradient, over all parameters together; longer ones are shortened. 0 shortens none.
    seed : int
        Fixes the first weights, the order of the pictures, and all distortions.
    """

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 2e-3
    last_learning_rate: float = 0.01
    warmup_steps: int = 60
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    mixup: float = 0.0
    cutmix: float = 0.0
    average: float = 0.98
    clip: float = 10.0
    seed: int = 0

    def __post_init__(self):
        for name, least in (("epochs", 1), ("batch_size", 2), ("warmup_steps", 0), ("seed", 0)):
            # As a plain int, also where NumPy counted: the settings are written into files.
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least, most=2**63 - 1))
        most = {"last_learning_rate": 1, "label_smoothing": 1, "average": 0.999999}
        for name in (field.name for field in dataclasses.fields(self) if field.type in (float, "float")):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise ValueError(f"{name} must be a number, not {value!r}")
            limit = f"from 0 to {most[name]}" if name in most else "0 or more"
            if name == "learning_rate":
                limit = "above 0"
            if not 0 <= value <= most.get(name, 1e30) or (value == 0 and name == "learning_rate"):
                raise ValueError(f"{name} must be {limit}, not {value}")
            object.__setattr__(self, name, float(value))

    def differences(self, other: "Recipe") -> str:
        """Say in which settings two recipes differ, or return an empty string."""
        pairs = zip(dataclasses.asdict(self).items(), dataclasses.asdict(other).values(), strict=True)
        return ", ".join(f"{name} {one} and {two}" for (name, one), two in pairs if one != two)


def learning_rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Return the learning rate of a step, counted from 0: a straight line up, then half a cosine wave down.

    Section 4.1 of arXiv 2206.02680; the cosine is Eq. 5 of arXiv 1608.03983 without restarts. Used in notebook 07.
    """
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / (recipe.warmup_steps + 1)
    done = (step - recipe.warmup_steps) / max(1, steps - 1 - recipe.warmup_steps)  # 0 at the top, 1 at the end
    low = recipe.last_learning_rate
    return recipe.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * min(done, 1))) / 2)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """Return AdamW (arXiv 1711.05101) with weight decay on weights of two or more axes only."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    spared = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=recipe.learning_rate)
