"""Attempts at the exercises of notebook 05: correct ones, and wrong ones with the remark they must get."""

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


class Model(nn.Module):
    stride, kernel = 2, 3

    def __init__(self, stem, stages, num_classes):
        super().__init__()
        self.stem = mv.blocks.ConvNormAct(3, stem, kernel_size=self.kernel, stride=self.stride)
        self.stages, inputs = nn.Sequential(), stem
        for channels, strides, dim, layers in stages:
            parts = [mv.InvertedResidual(inputs, channels, strides[0])]
            parts += [mv.InvertedResidual(channels, channels, stride) for stride in strides[1:]]
            parts += [mv.MobileViTv2Block(channels, dim, layers)] if dim else []
            self.stages.append(nn.Sequential(*parts))
            inputs = channels
        self.classifier = nn.Linear(inputs, num_classes)

    def pool(self, x):
        return x.mean((2, 3))

    def forward(self, x):
        return self.classifier(self.pool(self.stages(self.stem(x))))


def maps_by_hand(model, pictures):
    maps = [model.stem(pictures)]
    for stage in model.stages:
        maps.append(stage(maps[-1]))
    return maps[-3:]


def maps_by_hooks(model, pictures, remove=True):
    maps = []
    handles = [stage.register_forward_hook(lambda m, i, out: maps.append(out)) for stage in model.stages[2:]]
    model(pictures)
    for handle in handles if remove else ():
        handle.remove()
    return maps


def maps_in_evaluation(model, pictures):
    training = model.training
    model.eval()
    with torch.no_grad():
        maps = maps_by_hand(model, pictures)
    model.train(training)
    return maps


def maps_with_other_statistics(model, pictures):
    training, maps = model.training, maps_by_hand(model, pictures)
    model.train()(pictures)
    model.train(training)
    return maps


RIGHT = {
    "round_channels": [rounded_by_search, rounded_by_floor],
    "table_of_channels": [table_from_library, table_by_search],
    "token_counts": [tokens_by_running, tokens_by_formula],
    "macs_at": [
        lambda pixels, macs, classifier: classifier + (macs - classifier) * (pixels / 256) ** 2,
        lambda pixels, macs, classifier: (macs * pixels**2 - classifier * (pixels**2 - 256**2)) / 256**2,
    ],
    "model_from_table": [Model],
    "feature_maps": [maps_by_hand, maps_by_hooks, maps_in_evaluation],
}

WRONG = {
    "round_channels": [
        (lambda v, d: max(d, math.floor(v / d) * d), "it rounds down"),
        (lambda v, d: -(-v // d) * d, "it rounds up"),
        (lambda v, d: max(d, math.floor(v / d + 0.5) * d), "more than a tenth"),
        (lambda v, d: math.floor(v), "knows no multiples"),
        (lambda v, d: rounded_by_floor(v, d) // d, "number of multiples"),
        (lambda v, d: 8, "whatever the arguments are"),
    ],
    "table_of_channels": [
        (lambda a: [int(c) for c in (min(64, max(16, 32 * a)), 64 * a, 128 * a, 256 * a, 384 * a, 512 * a)], "cut off"),
        (
            lambda a: [table_from_library(a)[0]] + [rounded_by_floor(c * a, 8) for c in (64, 128, 256, 384, 512)],
            "the first stage must be",
        ),
        (lambda a: [rounded_by_floor(32 * a, 8)] + table_from_library(a)[1:], "keep it between 16 and 64"),
        (lambda a: [rounded_by_floor(min(64, 32 * a), 8)] + table_from_library(a)[1:], "no lower limit"),
        (lambda a: [rounded_by_floor(max(16, 32 * a), 8)] + table_from_library(a)[1:], "no upper limit"),
        (lambda a: table_from_library(a)[1:], "stem is missing"),
        (lambda a: [32, 64, 128, 256, 384, 512], "at α = 1"),
    ],
    "token_counts": [
        (floored_tokens, "rounded down"),
        (lambda p: [4 * k for k in tokens_by_formula(p)], "these are the pixels"),
        (lambda p: [round(k**0.5) for k in tokens_by_formula(p)], "these are sides"),
        (lambda p: [(math.ceil(p / 2**n) // 2) ** 2 for n in (3, 4, 5)], "without growing"),
        (lambda p: [256, 64, 16], "right only for pixels = 256"),
    ],
    "macs_at": [
        (lambda s, m, c: m * s * s // 65536, "works once"),
        (lambda s, m, c: (m - c) * s // 256 + c, "square of the side"),
        (lambda s, m, c: (m - c) * s * s // 65536, "classifier is missing"),
        (lambda s, m, c: m * s * s // 65536 + c, "not taken out"),
        (lambda s, m, c: (m - c) * (s // 128) ** 4 // 16 + c, "returned"),
        (lambda s, m, c: 0, "always zero"),
        (lambda s, m, c: m, "does change the work"),
    ],
    "model_from_table": [
        (type("NoStride", (Model,), {"stride": 1}), "the stem has a stride of 2"),
        (type("Small", (Model,), {"kernel": 1}), "stem.conv.weight has shape [8, 3, 1, 1]"),
        (type("Sum", (Model,), {"pool": lambda self, x: x.sum((2, 3))}), "take the mean"),
        (type("Rows", (Model,), {"pool": lambda self, x: x.std(2).amax(-1).exp()}), "goes into classifier"),
    ],
    "feature_maps": [
        (lambda m, x: maps_by_hand(m, x)[::-1], "in reverse order"),
        (lambda m, x: maps_by_hand(m, x)[:2], "stage 5 is missing"),
        (lambda m, x: maps_by_hand(m.eval(), x), "the model came in training mode"),
        (lambda m, x: maps_by_hand(m.train(), x), "the model came in evaluation mode"),
        (lambda m, x: maps_by_hand(m.requires_grad_(False), x), "requires_grad of some parameters has changed"),
        (lambda m, x: [y.mean((2, 3)) for y in maps_by_hand(m, x)], "return them whole"),
        (lambda m, x: maps_by_hooks(m, x, remove=False), "a hook is left behind"),
        (maps_with_other_statistics, "statistics of a batch norm have changed"),
    ],
}
