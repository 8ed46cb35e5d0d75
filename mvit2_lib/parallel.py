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
    process works alone. Built in notebook 07.
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
    """Return the number of this process, from 0, and how many there are. Built in notebook 07."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def mean_over_processes(x: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes; gradients flow back to each of them. Built in notebook 07."""
    return _Sum.apply(x) / rank_and_size()[1] if dist.is_initialized() else x


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return _Sum.forward(context, gradient.contiguous())


class SynchronisedBatchNorm(nn.BatchNorm2d):
    r"""A batch norm whose mean and variance, in training, are those of the pictures of all processes together.

    Without it, two processes with 32 pictures each would not compute what one computes with 64. PyTorch's own
    `nn.SyncBatchNorm` does the same, but not on the CPU.

    Shape
    -----
    `[B, C, H, W]` to the same, with the same `B, H, W` in every process.

    Notes
    -----
    Built in notebook 07.
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
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()  # [C]
        return torch.addcmul(self.bias[:, None, None], centred, scale[:, None, None])  # [B, C, H, W]


def synchronise(model: nn.Module) -> nn.Module:
    """Give every batch norm of a model the statistics of all processes, in place. Built in notebook 07."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SynchronisedBatchNorm  # the same weights under the same names, another forward
    return model
