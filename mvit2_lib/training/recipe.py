"""What a training run is told: how long, how fast, and what keeps it from learning the pictures by heart."""

import dataclasses
import math
import numbers
from dataclasses import dataclass

import torch
from torch import nn

from .._guard import whole_number

AUGMENTATIONS = ("crop+mirror", "crop", "mirror", "none")


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
    backbone_learning_rate : float
        The learning rate of everything but the classifier, as a share of the classifier's.
    last_learning_rate : float
        Its value at the end, as a share of the highest.
    warmup_steps : int
        Steps over which the learning rate rises from (nearly) zero.
    weight_decay : float
        AdamW's, for weights of two or more axes; biases and norms are left alone.
    label_smoothing : float
        Share of the target that is spread over all classes.
    augmentation : {"crop+mirror", "crop", "mirror", "none"}
        How pictures of a folder are changed for training: cut at random, mirrored half of the time, both or neither.
        Pictures in memory are distorted, unless it is "none".
    smallest_crop : float
        The smallest share of a picture's area that is cut out.
    mixup, cutmix : float
        Parameter of the Beta distribution from which the shares of two mixed pictures are drawn; 0 mixes none. With
        both, each step draws one of the two.
    average : float
        Decay of the exponential moving average of the weights, which is what is evaluated and kept; 0 averages nothing.
    clip : float
        Longest gradient, over all parameters together; longer ones are shortened. 0 shortens none.
    balanced : bool
        Whether every class counts the same: the loss of a picture is weighted by one over the size of its class.
    precise_norms : bool
        Whether batch norms get the statistics of training pictures, measured with the weights as they are, before
        the model is evaluated or kept ("precise BN", Section 3 of arXiv 2105.07576). Short runs need it.
    patience : int
        Epochs without a better accuracy after which the run ends early; 0 takes all steps.
    seed : int
        Fixes the first weights, the order of the pictures, and all distortions.
    """

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 2e-3
    backbone_learning_rate: float = 1.0
    last_learning_rate: float = 0.01
    warmup_steps: int = 60
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    augmentation: str = "crop+mirror"
    smallest_crop: float = 0.08
    mixup: float = 0.0
    cutmix: float = 0.0
    average: float = 0.98
    clip: float = 10.0
    balanced: bool = False
    precise_norms: bool = False
    patience: int = 0
    seed: int = 0

    def __post_init__(self):
        for name, least in (("epochs", 1), ("batch_size", 2), ("warmup_steps", 0), ("patience", 0), ("seed", 0)):
            # As a plain int, also where NumPy counted: the settings are written into files.
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least, most=2**63 - 1))
        for name in ("balanced", "precise_norms"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if self.augmentation not in AUGMENTATIONS:
            raise ValueError(
                f"augmentation must be one of {', '.join(map(repr, AUGMENTATIONS))}, not {self.augmentation!r}"
            )
        positive = {"learning_rate", "smallest_crop"}
        most = {
            "backbone_learning_rate": 1,
            "smallest_crop": 1,
            "last_learning_rate": 1,
            "label_smoothing": 1,
            "average": 0.999999,
        }
        for name in (field.name for field in dataclasses.fields(self) if field.type in (float, "float")):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise ValueError(f"{name} must be a number, not {value!r}")
            limit = f"from 0 to {most[name]}" if name in most else "0 or more"
            if name in positive:
                limit = f"above 0 and at most {most[name]}" if name in most else "above 0"
            if not 0 <= value <= most.get(name, 1e30) or (value == 0 and name in positive):
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
    """Return AdamW (arXiv 1711.05101) on all weights that are not frozen; biases and norms have no weight decay.

    Every group says with `share` which share of the learning rate is its own.
    """
    groups = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            share = 1.0 if name.startswith("classifier.") else recipe.backbone_learning_rate
            group = groups.setdefault((decay, share), {"params": [], "weight_decay": decay, "share": share})
            group["params"].append(parameter)
    return torch.optim.AdamW(groups.values(), lr=recipe.learning_rate)


# What suits a few hundred pictures and weights that are already good for something; notebook 08 shows why.
FINE_TUNING = Recipe(
    batch_size=16,
    backbone_learning_rate=0.5,
    warmup_steps=10,
    smallest_crop=0.35,
    average=0.0,
    precise_norms=True,
)
