"""What a training run is told: how long, how fast, and what keeps it from learning the pictures by heart."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RecipeError(ValueError):
    """A setting of a training run makes no sense."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run. The defaults train the digit model.

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

    Raises
    ------
    RecipeError
        If a value is not finite, or not in the range where it makes sense.

    Notes
    -----
    Built in notebook 07.
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
        for field, least, most, open_end in (
            ("epochs", 1, math.inf, False),
            ("batch_size", 2, math.inf, False),
            ("learning_rate", 0, math.inf, True),
            ("last_learning_rate", 0, 1, False),
            ("warmup_steps", 0, math.inf, False),
            ("weight_decay", 0, math.inf, False),
            ("label_smoothing", 0, 1, False),
            ("mixup", 0, math.inf, False),
            ("cutmix", 0, math.inf, False),
            ("average", 0, 0.999999, False),
            ("clip", 0, math.inf, False),
            ("seed", 0, 2**63 - 1, False),
        ):
            value = getattr(self, field)
            whole = field in ("epochs", "batch_size", "warmup_steps", "seed")
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise RecipeError(f"{field} must be a {'whole ' if whole else ''}number, not {value!r}")
            if not math.isfinite(value) or not least <= value <= most or (open_end and value == least):
                limit = f"above {least}" if open_end else f"{least} or more"
                raise RecipeError(
                    f"{field} must be {limit if most == math.inf else f'from {least} to {most}'}, not {value}"
                )

    def differences(self, other: "Recipe") -> str:
        """Say in which settings two recipes differ, or return an empty string."""
        pairs = zip(dataclasses.asdict(self).items(), dataclasses.asdict(other).values(), strict=True)
        return ", ".join(f"{name} {one} and {two}" for (name, one), two in pairs if one != two)


def learning_rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Return the learning rate of a step: a straight line up, then half a cosine wave down.

    Parameters
    ----------
    step, steps : int
        Which step, counted from 0, of how many.
    recipe : Recipe
        Says how high, how low at the end, and how long the way up is.

    Returns
    -------
    float
        The learning rate.

    Notes
    -----
    Section 4.1 of arXiv 2206.02680; the cosine is Eq. 5 of arXiv 1608.03983 without restarts. Built in notebook 07.
    """
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / (recipe.warmup_steps + 1)
    done = (step - recipe.warmup_steps) / max(1, steps - 1 - recipe.warmup_steps)  # 0 at the top, 1 at the end
    low = recipe.last_learning_rate
    return recipe.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * min(done, 1))) / 2)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """Return AdamW with weight decay on weights of two or more axes only. Built in notebook 07."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    spared = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=recipe.learning_rate)


def mix(
    images: Tensor, labels: Tensor, num_classes: int, recipe: Recipe, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Mix every picture with its neighbour in the batch, and its target likewise.

    MixUp takes `share` of one picture and `1 − share` of the other (Section 2 of arXiv 1710.09412); CutMix pastes a
    rectangle of the other (Eq. 1 of arXiv 1905.04899). The share is drawn once for the whole batch. Neighbours are
    pictures 0 and 1, 2 and 3, and so on: with a random order that is as random as any other pairing, and it does not
    depend on how many processes share the batch.

    Parameters
    ----------
    images, labels : Tensor
        `[B, C, H, W]` with an even `B`, and the classes `[B]`.
    num_classes : int
        Number of classes.
    recipe : Recipe
        Says which of the two, and how strongly.
    random : numpy.random.Generator
        Where the chance comes from.

    Returns
    -------
    images : Tensor
        `[B, C, H, W]`.
    targets : Tensor
        Shares of the classes, `[B, num_classes]`; each row adds up to one.

    Notes
    -----
    Built in notebook 07.
    """
    targets = F.one_hot(labels, num_classes).to(images.dtype)  # [B, classes]
    if not recipe.mixup and not recipe.cutmix:
        return images, targets
    cutting = random.random() < 0.5 if recipe.mixup and recipe.cutmix else bool(recipe.cutmix)
    share = random.beta(*[recipe.cutmix if cutting else recipe.mixup] * 2)
    others = images.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)  # [B, C, H, W]
    if cutting:
        H, W = images.shape[-2:]
        height, width = round(H * (1 - share) ** 0.5), round(W * (1 - share) ** 0.5)
        top, left = random.integers(0, H - height + 1), random.integers(0, W - width + 1)
        images = images.clone()
        images[..., top : top + height, left : left + width] = others[..., top : top + height, left : left + width]
        share = 1 - height * width / (H * W)
    else:
        images = share * images + (1 - share) * others
    return images, share * targets + (1 - share) * targets.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
