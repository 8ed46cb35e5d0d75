"""What the tests of training share: a model and pictures that train in a moment, and processes that are copies."""

import faulthandler
import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable

import torch
import torch._dynamo  # the first step of an optimizer imports it: here once, not in every child
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv

SIDE = 16
QUICK = mv.Recipe(epochs=1, batch_size=16, learning_rate=0.01, warmup_steps=2, average=0.9)


class Micro(nn.Module):
    """The least that has everything training cares for: weights, biases, a norm with buffers, a classifier."""

    def __init__(self, classes: int = 10, channels: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 4, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.classifier = nn.Linear(8 * 16, classes)

    def forward(self, images):
        return self.classifier(F.adaptive_avg_pool2d(F.silu(self.norm(self.conv(images))), 4).flatten(1))


class NeverAsked(Micro):
    """Shows that a mistake was found before the first step."""

    def forward(self, images):
        raise AssertionError("the model was asked")


@functools.cache
def small_digits(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = mv.load_digits(split)
    return F.interpolate(images, (SIDE, SIDE), mode="area"), labels


def digits(split: str, number: int | None = None, first: int = 0) -> mv.Pictures:
    return mv.Pictures(*(tensor[first:][:number] for tensor in small_digits(split)))


def trained(recipe=QUICK, pictures=64, validation=None, run=None, seed=0, model=Micro, **settings):
    """Train a new model on digits, or on the data set that `pictures` is, and return it with its history."""
    torch.manual_seed(seed)
    model = model() if callable(model) and not isinstance(model, nn.Module) else model
    pictures = digits("train", pictures) if isinstance(pictures, int) else pictures
    return model, mv.train(model, pictures, recipe, validation, run, progress=False, **settings)


def small_mobilevitv2() -> mv.MobileViTv2:
    return mv.MobileViTv2(0.05, num_classes=10, in_channels=1)


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


class Interrupting:
    """A function that raises KeyboardInterrupt instead of being called again."""

    def __init__(self, function: Callable, after: int):
        self.function, self.after, self.calls = function, after, 0

    def __call__(self, *arguments, **options):
        self.calls += 1
        if self.calls > self.after:
            raise KeyboardInterrupt
        return self.function(*arguments, **options)


def forked(function: Callable, *arguments) -> int:
    """Call a function in a child process, and return the child's number.

    A child that has not ended after five minutes tells where it is, and is killed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        faulthandler.register(signal.SIGALRM, chain=True)
        signal.alarm(300)
        try:
            function(*arguments)
        except BaseException:  # whatever happens, the child must not go on as its parent
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return child


def exit_code(child: int) -> int:
    """Wait for a child process: 0 if it ended well, −n if signal n killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
