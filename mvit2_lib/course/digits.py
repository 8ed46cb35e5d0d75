"""Train the digit model that comes with the library again: `make digits`."""

import dataclasses
from pathlib import Path

import torch

from ..data.datasets import Pictures
from ..data.samples import load_digits
from ..model import MobileViTv2
from ..training.evaluation import accuracy
from ..training.loop import train
from ..training.recipe import Recipe
from ..weights.checkpoints import save_checkpoint
from ..weights.pretrained import DIGITS, DIGITS_FILE, DIGITS_PREPARATION


def train_digit_model(path: Path, recipe: Recipe | None = None) -> float:
    """Train the digit model on one thread, save it as float16, and return its accuracy on digits it never saw."""
    recipe = recipe or Recipe()
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    model = MobileViTv2(**DIGITS)
    train(model, Pictures(*load_digits("train")), recipe)
    right = accuracy(model.half().float(), Pictures(*load_digits("test")))
    classes = [str(digit) for digit in range(10)]
    notes = {"recipe": dataclasses.asdict(recipe), "accuracy": right, "classes": classes}
    save_checkpoint(model, path, torch.float16, notes | dataclasses.asdict(DIGITS_PREPARATION))
    return right


if __name__ == "__main__":
    print(f"held-out accuracy {train_digit_model(DIGITS_FILE):.3f}, saved as {DIGITS_FILE.name}")
