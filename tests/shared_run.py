"""Trains a small model in double precision and prints its losses; `test_training.py` runs it under torchrun."""

import json
import sys

import torch

import mvit2_lib as mv
from mvit2_lib.parallel import processes, rank_and_size

torch.set_num_threads(1)
torch.manual_seed(0)
model = mv.MobileViTv2(0.25, num_classes=10, in_channels=1).double()
images, labels = (tensor[:128] for tensor in mv.load_digits("train"))
held_out, answers = (tensor[:33] for tensor in mv.load_digits("test"))  # an odd number for two processes
recipe = mv.Recipe(epochs=2, batch_size=32, mixup=0.2, cutmix=1.0, average=0.9, warmup_steps=2)
with processes("cpu"):
    history = mv.train(
        model,
        mv.Pictures(images.double(), labels),
        recipe,
        mv.Pictures(held_out.double(), answers),
        run=sys.argv[1],
        progress=False,
    )
    if rank_and_size()[0] == 0:
        weights = {name: tensor.double().sum().item() for name, tensor in model.state_dict().items()}
        print(json.dumps({"losses": history.losses, "accuracies": history.accuracies, "weights": weights}))
