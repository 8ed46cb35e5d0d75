"""Trains a small model in double precision and writes down what came out, alone or as one process of several.

`test_processes.py` runs it in forked processes each time, and under torchrun with `pytest -m slow`.
"""

import json
import sys
from pathlib import Path

import torch
from micro import small_digits, small_mobilevitv2

import mvit2_lib as mv
from mvit2_lib.training.distributed import processes, rank_and_size


def shared_run(folder: Path, pictures: int = 64, epochs: int = 2, **settings) -> None:
    """Train into a folder, and leave losses, accuracies and weights in `FOLDER.json`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = small_mobilevitv2().double()
    images, labels = (tensor[:pictures] for tensor in small_digits("train"))
    held_out, answers = (tensor[:33] for tensor in small_digits("test"))  # an odd number for two processes
    recipe = mv.Recipe(epochs=epochs, batch_size=32, average=0.9, warmup_steps=2, **settings)
    with processes("cpu"):
        training, validation = mv.Pictures(images.double(), labels), mv.Pictures(held_out.double(), answers)
        history = mv.train(model, training, recipe, validation, run=folder, progress=False)
        if rank_and_size()[0] == 0:
            weights = {name: tensor.double().sum().item() for name, tensor in model.state_dict().items()}
            result = {"losses": history.losses, "accuracies": history.accuracies, "weights": weights}
            folder.with_suffix(".json").write_text(json.dumps(result))


if __name__ == "__main__":
    shared_run(Path(sys.argv[1]), pictures=128, epochs=2, mixup=0.2, cutmix=1.0)
