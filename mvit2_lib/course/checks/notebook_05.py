"""The exercises of notebook 05."""

import math

import torch
from torch import Tensor, nn

from ...model import MobileViTv2, make_divisible
from .exercise import Exercise, random

round_channels = Exercise(
    "5.1 the rounding rule",
    make_divisible,
    ((36.0, 8), (100, 8), (11, 8), (19.2, 8), (3, 8), (20.0, 16), (130, 16), (91, 8), (95, 8)),
    {
        "it rounds down; take the nearest multiple": lambda v, d: max(d, int(v // d * d)),
        "it rounds up; take the nearest multiple": lambda v, d: math.ceil(v / d) * d,
        "it may lose more than a tenth; then take the next multiple": lambda v, d: max(d, int(v + d / 2) // d * d),
        "it may lose more than a tenth, and Python's round sends halves to the even neighbour": lambda v, d: max(
            d, round(v / d) * d
        ),
        "Python's round sends halves to the even neighbour; here they go up": lambda v, d: (
            lambda n: n + d if n < 0.9 * v else n
        )(max(d, round(v / d) * d)),
        "it only cuts the fraction off, and knows no multiples": lambda v, d: int(v),
        "the limit is on the wrong side: it must not lose a tenth, but may gain one": lambda v, d: (
            lambda n: n - d if n > 1.1 * v else n
        )(max(d, int(v + d / 2) // d * d)),
        "this is the number of multiples; multiply with the divisor": lambda v, d: (
            (lambda n: n + d if n < 0.9 * v else n)(max(d, int(v + d / 2) // d * d)) // d
        ),
    },
)


def _table(alpha, stem=lambda c: min(64, max(16, c)), first=16, rounded=make_divisible) -> list[int]:
    rest = (rounded(channels * alpha, 8) for channels in (128, 256, 384, 512))
    return [rounded(stem(32 * alpha), 8), rounded(64 * alpha, first), *rest]


table_of_channels = Exercise(
    "5.2 the table at another width",
    _table,
    ((0.75,), (1.0,), (0.25,), (0.6,), (0.35,), (4.0,)),
    {
        "the channels are cut off to whole numbers; round them to multiples": lambda a: _table(
            a, rounded=lambda v, d: int(v)
        ),
        "the first stage must be a multiple of 16": lambda a: _table(a, first=8),
        "the stem has no limits: keep it between 16 and 64": lambda a: _table(a, stem=lambda c: c),
        "the stem has no lower limit: keep it at 16 or more": lambda a: _table(a, stem=lambda c: min(64, c)),
        "the stem has no upper limit: keep it at 64 or less": lambda a: _table(a, stem=lambda c: max(16, c)),
        "all stages are multiples of 16 here; only the first must be": lambda a: _table(
            a, rounded=lambda v, d: make_divisible(v, 16)
        ),
        "the nearest multiple may lose more than a tenth; then take the next": lambda a: _table(
            a, rounded=lambda v, d: max(d, int(v + d / 2) // d * d)
        ),
        "the stem is missing": lambda a: _table(a)[1:],
        "this is the table at α = 1": lambda a: _table(1.0),
    },
)


def _tokens(pixels, halve=lambda side: -(-side // 2), grow=True, before=2, patch=2) -> list[int]:
    side, counts = pixels, []
    for _ in range(before):
        side = halve(side)
    for _ in range(3):
        side = halve(side)
        side += side % 2 if grow else 0
        counts.append((side // patch) ** 2)
    return counts


token_counts = Exercise(
    "5.3 tokens at any size",
    _tokens,
    ((256,), (224,), (384,), (70,), (100,)),
    {
        "the sides are rounded down; a stride of 2 rounds up": lambda p: _tokens(p, halve=lambda side: side // 2),
        "odd maps do not grow here: 7×7 becomes 8×8 before the block": lambda p: _tokens(p, grow=False),
        "odd maps do not grow here, and a part of a patch is counted: 7×7 becomes 8×8 before the block": lambda p: [
            math.ceil(p / 2**n) ** 2 // 4 for n in (3, 4, 5)
        ],
        "these are the pixels of the maps; each group has a quarter of them": lambda p: _tokens(p, patch=1),
        "there are three strides of 2 before the first block: stem, stage 2, stage 3": lambda p: _tokens(p, before=1),
        "there are only three strides of 2 before the first block: stem, stage 2, stage 3": lambda p: _tokens(
            p, before=3
        ),
        "these are sides; the number of tokens is a square": lambda p: [math.isqrt(k) for k in _tokens(p)],
    },
)

parameters_with_classes = Exercise(
    "5.4 another number of classes",
    lambda parameters, channels, classes: parameters + (classes - 1000) * (channels + 1),
    ((1370593, 256, 10), (10594753, 768, 10450)),
    {
        "the biases are missing: one for each class": lambda p, c, n: p + (n - 1000) * c,
        "the old classifier is still in it: subtract the one with 1000 classes": lambda p, c, n: p + n * (c + 1),
        "that is the model without a classifier": lambda p, c, n: p - 1000 * (c + 1),
        "that is the new classifier alone": lambda p, c, n: n * (c + 1),
        "there is one bias for each class, not for each channel": lambda p, c, n: p + (n - 1000) * c + c,
        "the whole model does not grow with the classes, only the classifier": lambda p, c, n: p * n / 1000,
        "the difference has the wrong sign": lambda p, c, n: p - (n - 1000) * (c + 1),
    },
)

macs_at = Exercise(
    "5.5 work at another size",
    lambda pixels, macs, classifier: (macs - classifier) * pixels**2 // 256**2 + classifier,
    ((384, 1811930000, 512000), (128, 464853000, 256000)),
    {
        "the classifier works once, whatever the size": lambda p, m, c: m * p**2 // 256**2,
        "work grows with the number of pixels, so with the square of the side": lambda p, m, c: (m - c) * p // 256 + c,
        "the classifier is missing": lambda p, m, c: (m - c) * p**2 // 256**2,
        "the classifier is added, but was not taken out before": lambda p, m, c: m * p**2 // 256**2 + c,
        "work grows with the number of pixels; this is k², as with multi-head attention": lambda p, m, c: (
            (m - c) * p**4 // 256**4 + c
        ),
        "the ratio of the sizes is upside down": lambda p, m, c: (m - c) * 256**2 // p**2 + c,
        "the size of the picture does change the work": lambda p, m, c: m,
    },
)


def _small_model() -> MobileViTv2:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MobileViTv2(0.25, num_classes=3).eval()


def _walk(model: nn.Module, pictures: Tensor) -> list[Tensor]:
    x, maps = model.stem(pictures), []
    for stage in model.stages:
        x = stage(x)
        maps.append(x)
    return maps


feature_maps = Exercise(
    "5.6 a backbone",
    _walk,
    ((_small_model(), random(2, 3, 64, 96).sigmoid()),),
    {
        "the output of the stem is in the list as well; begin after stage 1": lambda m, x: [m.stem(x), *_walk(m, x)],
        "that is the last map alone; collect one for each stage": lambda m, x: _walk(m, x)[-1:],
        "these are the maps before the stages; collect what leaves them": lambda m, x: [m.stem(x), *_walk(m, x)[:-1]],
        "the maps are in reverse order": lambda m, x: _walk(m, x)[::-1],
        "the maps are averaged; return them whole": lambda m, x: [y.mean(dim=(-2, -1)) for y in _walk(m, x)],
        "only stages with attention are collected; all five are wanted": lambda m, x: _walk(m, x)[2:],
        "that is a tensor, the last map; return a list of all five": lambda m, x: _walk(m, x)[-1],
        "these are the class scores": lambda m, x: m(x),
    },
)
