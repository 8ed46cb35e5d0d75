"""One training run in several processes, begun by `torchrun`: who am I, and what do all of us have together?"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn


@contextmanager
def processes(device: str) -> Iterator[torch.device]:
    """Join the other processes if `torchrun` began this one, and yield the device to work on.

    Processes on GPUs talk through NCCL, one GPU each; processes on the CPU through Gloo. Begun without `torchrun`, a
    process works alone.
    """
    if "RANK" not in os.environ:
        yield torch.device(device)
        return
    own = torch.device(device, int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device(device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield own
    finally:
        dist.destroy_process_group()


def rank_and_size() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many there are."""
    alone = not dist.is_available() or not dist.is_initialized()
    return (0, 1) if alone else (dist.get_rank(), dist.get_world_size())


class _Sum(torch.autograd.Function):
    """The sum over all processes. Each of them uses it, so each sends a gradient back, and these add up as well."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return _Sum.forward(context, gradient)


def mean_over_processes(x: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes; gradients flow back to each of them."""
    size = rank_and_size()[1]
    return x if size == 1 else _Sum.apply(x) / size


def gathered(items: list) -> list:
    """Return the items of all processes, in the order of the processes."""
    rank, size = rank_and_size()
    if size == 1:
        return items
    parts = [None] * size
    dist.all_gather_object(parts, items)
    return [item for part in parts for item in part]


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """A batch norm whose mean and variance, in training, are those of the pictures of all processes together.

    Without it, two processes with 32 pictures each would not compute what one computes with 64. PyTorch's own
    `nn.SyncBatchNorm` does the same, but not on the CPU. `[B, C, H, W]` has the same sizes in every process.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or rank_and_size()[1] == 1:
            return super().forward(x)
        mean = mean_over_processes(x.mean(dim=(0, 2, 3)))  # [C]
        centred = x - mean[:, None, None]  # [B, C, H, W]
        variance = mean_over_processes(centred.square().mean(dim=(0, 2, 3)))  # [C]
        with torch.no_grad():
            n = rank_and_size()[1] * x.numel() // x.shape[1]
            self.num_batches_tracked += 1
            # Without a momentum, as in PyTorch, the statistics are the mean over all batches.
            share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * n / (n - 1), share)
        scale = self.weight * (variance + self.eps).rsqrt()  # [C]
        return centred * scale[:, None, None] + self.bias[:, None, None]  # [B, C, H, W]


def synchronise(model: nn.Module) -> nn.Module:
    """Give every batch norm of a model the statistics of all processes, in place."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SynchronisedBatchNorm  # the same weights under the same names, another forward
    return model
