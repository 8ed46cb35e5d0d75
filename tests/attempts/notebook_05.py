"""Attempts at the exercises of notebook 05: two correct ones each, and wrong ones with the remark they must get."""

import math

import torch
from torch import nn

import mvit2_lib as mv
from mvit2_lib.model import scale_architecture


def rounded_by_search(value, divisor):
    candidates = [
        multiple for multiple in range(divisor, 10 * divisor + int(value), divisor) if multiple >= 0.9 * value
    ]
    return min(candidates, key=lambda multiple: (abs(multiple - value), -multiple))


def rounded_by_floor(value, divisor):
    multiple = max(divisor, math.floor(value / divisor + 0.5) * divisor)
    while multiple < 0.9 * value:
        multiple += divisor
    return multiple


def table_from_library(alpha):
    stem, stages = scale_architecture(alpha)
    return [stem] + [stage.channels for stage in stages]


def table_by_search(alpha):
    table = [rounded_by_search(sorted((16, 32 * alpha, 64))[1], 8), rounded_by_search(64 * alpha, 16)]
    return tuple(table + [rounded_by_search(channels * alpha, 8) for channels in (128, 256, 384, 512)])


def tokens_by_running(pixels):
    model, counts = mv.MobileViTv2(0.25).eval(), []
    for stage in list(model.stages)[2:]:
        stage[1].layers.register_forward_hook(lambda layers, inputs, output: counts.append(inputs[0].shape[2]))
    with torch.inference_mode():
        model(torch.zeros(1, 3, pixels, pixels))
    return counts


def tokens_by_formula(pixels):
    side = math.ceil(math.ceil(pixels / 2) / 2)
    counts = []
    for _ in "345":
        k = math.ceil(math.ceil(side / 2) / 2)
        counts.append(k * k)
        side = 2 * k
    return counts


def floored_tokens(pixels):
    side, counts = pixels // 4, []
    for _ in "345":
        side = side // 2 + side // 2 % 2
        counts.append((side // 2) ** 2)
    return counts


def collected_by_hooks(model, pictures):
    maps = []
    handles = [stage.register_forward_hook(lambda stage, inputs, output: maps.append(output)) for stage in model.stages]
    model(pictures)
    for handle in handles:
        handle.remove()
    return maps


def collected_by_prefixes(model, pictures):
    return [nn.Sequential(model.stem, *list(model.stages)[: number + 1])(pictures) for number in range(5)]


def all_maps(model, pictures):
    maps = [model.stem(pictures)]
    for stage in model.stages:
        maps.append(stage(maps[-1]))
    return maps


RIGHT = {
    "round_channels": [rounded_by_search, rounded_by_floor],
    "table_of_channels": [table_from_library, table_by_search],
    "token_counts": [tokens_by_running, tokens_by_formula],
    "parameters_with_classes": [
        lambda parameters, channels, classes: parameters - (channels * 1000 + 1000) + (channels * classes + classes),
        lambda p, c, n: p + nn.Linear(c, n, device="meta").weight.numel() - 1000 * c + n - 1000,
    ],
    "macs_at": [
        lambda pixels, macs, classifier: classifier + (macs - classifier) * (pixels / 256) ** 2,
        lambda pixels, macs, classifier: (macs * pixels**2 - classifier * (pixels**2 - 256**2)) / 256**2,
    ],
    "feature_maps": [collected_by_hooks, collected_by_prefixes],
}

WRONG = {
    "round_channels": [
        (lambda v, d: max(d, math.floor(v / d) * d), "it rounds down"),
        (lambda v, d: -(-v // d) * d, "it rounds up"),
        (lambda v, d: max(d, math.floor(v / d + 0.5) * d), "more than a tenth"),
        (lambda v, d: math.floor(v), "knows no multiples"),
        (lambda v, d: rounded_by_floor(v, d) // d, "number of multiples"),
        (lambda v, d: 8, "it returned 8"),
    ],
    "table_of_channels": [
        (lambda a: [int(c) for c in (min(64, max(16, 32 * a)), 64 * a, 128 * a, 256 * a, 384 * a, 512 * a)], "cut off"),
        (
            lambda a: [table_from_library(a)[0]] + [rounded_by_floor(c * a, 8) for c in (64, 128, 256, 384, 512)],
            "the first stage must be",
        ),
        (lambda a: [rounded_by_floor(32 * a, 8)] + table_from_library(a)[1:], "no limits"),
        (lambda a: [rounded_by_floor(min(64, 32 * a), 8)] + table_from_library(a)[1:], "no lower limit"),
        (lambda a: [rounded_by_floor(max(16, 32 * a), 8)] + table_from_library(a)[1:], "no upper limit"),
        (lambda a: table_from_library(a)[1:], "stem is missing"),
        (lambda a: [32, 64, 128, 256, 384, 512], "at α = 1"),
    ],
    "token_counts": [
        (floored_tokens, "rounded down"),
        (lambda p: [4 * k for k in tokens_by_formula(p)], "these are the pixels"),
        (lambda p: [round(k**0.5) for k in tokens_by_formula(p)], "these are sides"),
        (lambda p: [(math.ceil(p / 2**n) // 2) ** 2 for n in (3, 4, 5)], "do not grow"),
        (lambda p: [256, 64, 16], "is wrong: it returned 256"),
    ],
    "parameters_with_classes": [
        (lambda p, c, n: p + (n - 1000) * c, "biases are missing"),
        (lambda p, c, n: p + n * (c + 1), "old classifier"),
        (lambda p, c, n: p - 1000 * (c + 1), "without a classifier"),
        (lambda p, c, n: n * (c + 1), "classifier alone"),
        (lambda p, c, n: p * n / 1000, "only the classifier"),
    ],
    "macs_at": [
        (lambda s, m, c: m * s * s // 65536, "works once"),
        (lambda s, m, c: (m - c) * s // 256 + c, "square of the side"),
        (lambda s, m, c: (m - c) * s * s // 65536, "classifier is missing"),
        (lambda s, m, c: m * s * s // 65536 + c, "not taken out"),
        (lambda s, m, c: (m - c) * (s // 128) ** 4 // 16 + c, "this is k²"),
        (lambda s, m, c: 0, "it returned 0"),
        (lambda s, m, c: m, "does change the work"),
    ],
    "feature_maps": [
        (lambda m, x: all_maps(m, x), "output of the stem"),
        (lambda m, x: all_maps(m, x)[:-1], "before the stages"),
        (lambda m, x: all_maps(m, x)[-1:], "last map alone"),
        (lambda m, x: all_maps(m, x)[-1], "return a list"),
        (lambda m, x: all_maps(m, x)[:0:-1], "reverse order"),
        (lambda m, x: [y.mean((2, 3)) for y in all_maps(m, x)[1:]], "return them whole"),
        (lambda m, x: m(x), "class scores"),
        (lambda m, x: all_maps(m, x)[2:], "are wanted"),
    ],
}
