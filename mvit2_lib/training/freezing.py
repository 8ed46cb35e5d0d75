"""Training a part of a model: what is frozen stays as it is, bit for bit."""

from collections.abc import Iterator

from torch import nn


class FrozenBatchNorm(nn.BatchNorm2d):
    """A batch norm that keeps its statistics and works with them, whatever mode the model is in."""

    def train(self, mode: bool = True) -> "FrozenBatchNorm":
        return super().train(False)

    def reset_running_stats(self) -> None:
        pass


def freeze(model: nn.Module, through: str | None = "backbone") -> nn.Module:
    """Freeze a model from the stem through one of its parts, in place; all that comes after can learn. Return it.

    Frozen weights get no gradients. Frozen batch norms keep their statistics, also when `model.train()` is called; with
    those, a frozen part computes the same in training and in evaluation. Used in notebook 08.

    Parameters
    ----------
    model : nn.Module
        A `MobileViTv2`.
    through : {"stem", "stages.0", …, "stages.4", "backbone"} or None
        The last part that is frozen. "backbone" is everything but the classifier, so only that learns; None freezes
        nothing.

    Raises
    ------
    ValueError
        If the model has no such part.
    """
    parts = dict(_parts(model))
    names = [name for name in parts if name != "classifier"]
    last = names[-1] if through == "backbone" else through
    if last is not None and last not in names:
        raise ValueError(f"there is no part {through!r} to freeze: choose one of {', '.join([*names, 'backbone'])}")
    chosen = [] if last is None else names[: names.index(last) + 1]
    for name, part in parts.items():
        frozen = name in chosen
        part.requires_grad_(not frozen)
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d) and frozen != isinstance(module, FrozenBatchNorm):
                # The same weights under the same names, another `train`; the model's mode decides what it becomes.
                module.__class__ = FrozenBatchNorm if frozen else nn.BatchNorm2d
                module.train(model.training)
    return model


def keep_counts(average: nn.Module, model: nn.Module) -> None:
    """Give the frozen norms of an average the counts of the model: averaging whole numbers may lose one."""
    for one, other in zip(average.modules(), model.modules(), strict=True):
        if isinstance(other, FrozenBatchNorm):
            one.num_batches_tracked.copy_(other.num_batches_tracked)


def frozen_parts(model: nn.Module) -> list[str]:
    """Return the names of the parts in which nothing can learn."""
    return [
        name
        for name, part in _parts(model)
        if (weights := list(part.parameters())) and not any(weight.requires_grad for weight in weights)
    ]


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Return the parts of a model in the order in which a picture passes them: the stem, each stage, the classifier."""
    for name, part in model.named_children():
        if name == "stages":
            yield from ((f"stages.{index}", stage) for index, stage in enumerate(part))
        else:
            yield name, part
