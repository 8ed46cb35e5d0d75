"""The training loop, and the script that trains the digit model shipped with this library.

`python -m mvit2_lib.training` trains it again, on one thread and from a fixed seed, and overwrites the shipped file.
"""

from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from .checkpoints import DIGITS, save_checkpoint
from .data import load_digits
from .model import MobileViTv2


def train(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epochs: int,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> None:
    """Train a classifier in place: AdamW, one cycle of the learning rate, label smoothing, shifted and turned pictures.

    Parameters
    ----------
    model : nn.Module
        Takes `[B, C, H, W]` to logits.
    images, labels : Tensor
        All training pictures `[n, C, H, W]` and their classes `[n]`.
    epochs : int
        How often every picture is seen.
    batch_size : int
        Pictures a step. A smaller rest at the end of an epoch is left out.
    learning_rate : float
        Its highest value.
    seed : int
        Fixes the order of the pictures and their distortions.

    Notes
    -----
    Built in notebook 07.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = len(images) // batch_size
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, epochs=epochs, steps_per_epoch=steps)
    model.train()
    for _ in tqdm(range(epochs), desc="training", unit="epoch"):
        for batch in torch.randperm(len(images), generator=generator)[: steps * batch_size].split(batch_size):
            logits = model(distort(images[batch], generator))
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()


def distort(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, scale and shift every picture a little, each by its own random amount. `[B, C, H, W]` to the same.

    Up to 12° of turning, 10 % of scaling in each direction and 10 % of shifting. Built in notebook 07.
    """
    B = len(images)
    angle, scale_x, scale_y, shift_x, shift_y = 2 * torch.rand(5, B, generator=generator) - 1
    angle, scale_x, scale_y = 0.21 * angle, 1 + 0.1 * scale_x, 1 + 0.1 * scale_y
    rows = (
        torch.stack([scale_x * angle.cos(), -scale_y * angle.sin(), 0.2 * shift_x], dim=-1),
        torch.stack([scale_x * angle.sin(), scale_y * angle.cos(), 0.2 * shift_y], dim=-1),
    )
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)  # [B, H, W, 2]
    return F.grid_sample(images, grid, align_corners=False)  # [B, C, H, W]


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 120) -> float:
    """Return the share of pictures whose highest logit is the right class. Built in notebook 07."""
    model.eval()
    guesses = torch.cat([model(batch).argmax(dim=1) for batch in images.split(batch_size)])
    return (guesses == labels).float().mean().item()


def train_digit_model(path: Path, epochs: int = 30) -> float:
    """Train the digit model from seed 0 on one thread, save it as float16, and return its held-out accuracy."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = MobileViTv2(**DIGITS)
    train(model, *load_digits("train"), epochs=epochs)
    save_checkpoint(model, path, dtype=torch.float16)
    return accuracy(model, *load_digits("test"))


if __name__ == "__main__":
    destination = Path(str(files(__package__) / "assets" / "digits.safetensors"))
    print(f"held-out accuracy {train_digit_model(destination):.3f}, saved as {destination.name}")
