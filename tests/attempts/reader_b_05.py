"""Attempts of a cold reader at notebook 05, all written before any check was run."""

import copy
import functools
import itertools
import math
from collections import OrderedDict
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import blocks

# --- 5.1 the rounding rule


def round_math(value, divisor):
    result = math.floor(value / divisor + 0.5) * divisor
    if result < 0.9 * value:
        result += divisor
    return result


def round_loop(value, divisor):
    multiple = 0
    while multiple + divisor / 2 <= value:
        multiple += divisor
    return multiple + divisor if value - multiple > value / 10 else multiple


def round_fraction(value, divisor):
    value = Fraction(value)
    below = value // divisor * divisor
    nearest = min((below + divisor, below), key=lambda multiple: abs(multiple - value))
    return int(nearest if 10 * nearest >= 9 * value else nearest + divisor)


def round_numpy(value, divisor):
    multiples = np.arange(0, int(value) + 2 * divisor + 1, divisor)
    distance = np.abs(multiples - value)
    nearest = multiples[distance == distance.min()][-1]
    return nearest + divisor * (nearest < 0.9 * value)


def round_tensor(value, divisor):
    value = torch.as_tensor(value, dtype=torch.float64)
    nearest = torch.floor(value / divisor + 0.5) * divisor
    return torch.where(nearest < 0.9 * value, nearest + divisor, nearest).long()


def round_divmod(value, divisor):
    times, rest = divmod(value, divisor)
    if 2 * rest >= divisor:
        times, rest = times + 1, rest - divisor
    return int(times + (rest > 0.1 * value)) * divisor


def round_bankers(value, divisor):
    nearest = round(value / divisor) * divisor
    return nearest + divisor if nearest < 0.9 * value else nearest


def round_floor(value, divisor):
    nearest = int(value // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def round_ceil(value, divisor):
    return math.ceil(value / divisor) * divisor


def round_no_tenth(value, divisor):
    return int(value + divisor / 2) // divisor * divisor


def round_tenth_of_divisor(value, divisor):
    nearest = int(value + divisor / 2) // divisor * divisor
    return nearest + divisor if nearest < 0.9 * divisor else nearest


def round_down_further(value, divisor):
    nearest = int(value + divisor / 2) // divisor * divisor
    return nearest - divisor if nearest < 0.9 * value else nearest


def round_one_tenth(value, divisor):
    nearest = int(value + divisor / 2) // divisor * divisor
    return nearest + divisor if nearest < 0.1 * value else nearest


def round_plus_one(value, divisor):
    nearest = int(value + divisor / 2) // divisor * divisor
    return nearest + 1 if nearest < 0.9 * value else nearest


def round_count(value, divisor):
    times = int(value + divisor / 2) // divisor
    return times + 1 if times * divisor < 0.9 * value else times


def round_eight(value, divisor):
    nearest = int(value + 4) // 8 * 8
    return nearest + 8 if nearest < 0.9 * value else nearest


def round_int_first(value, divisor):
    value = int(value)
    nearest = (value + divisor // 2) // divisor * divisor
    return nearest + divisor if nearest < 0.9 * value else nearest


def round_at_equal(value, divisor):
    nearest = int(value + divisor / 2) // divisor * divisor
    return nearest + divisor if nearest <= 0.9 * value else nearest


def round_printed(value, divisor):
    nearest = int(value + divisor / 2) // divisor * divisor
    print(nearest + divisor if nearest < 0.9 * value else nearest)


# --- 5.2 the model from its table


class Plain(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        self.stem = self.make_stem(stem)
        self.stages = nn.Sequential()
        inputs = stem
        for row in stages:
            self.stages.append(self.make_stage(inputs, *row))
            inputs = row[0]
        self.classifier = self.make_classifier(inputs, num_classes)

    def make_stem(self, stem):
        return blocks.ConvNormAct(3, stem, 3, stride=2)

    def make_stage(self, inputs, channels, strides, dim, layers):
        stage = nn.Sequential()
        for stride in strides:
            stage.append(mv.InvertedResidual(inputs, channels, stride))
            inputs = channels
        if dim is not None:
            stage.append(mv.MobileViTv2Block(channels, dim, layers))
        return stage

    def make_classifier(self, inputs, num_classes):
        return nn.Linear(inputs, num_classes)

    def pool(self, x):
        return x.mean(dim=(-2, -1))

    def forward(self, image):
        return self.classifier(self.pool(self.stages(self.stem(image))))


class Listed(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, kernel_size=3, stride=2)
        widths = [stem] + [row[0] for row in stages]
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(blocks.InvertedResidual(widths[i] if j == 0 else c, c, s) for j, s in enumerate(strides)),
                *([blocks.MobileViTv2Block(c, d, n)] if d else []),
            )
            for i, (c, strides, d, n) in enumerate(stages)
        )
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, image):
        x = functools.reduce(lambda x, stage: stage(x), self.stages, self.stem(image))
        return F.linear(F.adaptive_avg_pool2d(x, 1).flatten(1), self.classifier.weight, self.classifier.bias)


class Einsum(Plain):
    def pool(self, x):
        return torch.einsum("bchw->bc", x) / (x.shape[2] * x.shape[3])


class Named(Plain):
    def make_stage(self, inputs, channels, strides, dim, layers):
        parts = OrderedDict(first=mv.InvertedResidual(inputs, channels, strides[0]))
        for number, stride in enumerate(strides[1:]):
            parts[f"more{number}"] = mv.InvertedResidual(channels, channels, stride)
        if dim is not None:
            parts["block"] = mv.MobileViTv2Block(channels, dim, layers)
        return nn.Sequential(parts)


class PoolInClassifier(Plain):
    def make_classifier(self, inputs, num_classes):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, num_classes))

    def pool(self, x):
        return x


class ModuleListInStage(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, 3, 2)
        self.stages = nn.ModuleList()
        for channels, strides, dim, layers in stages:
            parts = nn.ModuleList()
            for stride in strides:
                parts.append(mv.InvertedResidual(stem, channels, stride))
                stem = channels
            if dim is not None:
                parts.append(mv.MobileViTv2Block(channels, dim, layers))
            self.stages.append(parts)
        self.classifier = nn.Linear(stem, num_classes)

    def forward(self, image):
        x = self.stem(image)
        for stage in self.stages:
            for part in stage:
                x = part(x)
        return self.classifier(x.flatten(2).mean(-1))


class StemStride1(Plain):
    def make_stem(self, stem):
        return blocks.ConvNormAct(3, stem, 3)


class StemKernel1(Plain):
    def make_stem(self, stem):
        return blocks.ConvNormAct(3, stem, stride=2)


class StemBareConv(Plain):
    def make_stem(self, stem):
        return nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False)


class AllStride1(Plain):
    def make_stage(self, inputs, channels, strides, dim, layers):
        return super().make_stage(inputs, channels, [1 for _ in strides], dim, layers)


class FirstStrideOnly(Plain):
    def make_stage(self, inputs, channels, strides, dim, layers):
        return super().make_stage(inputs, channels, strides[:1], dim, layers)


class InputsNotUpdated(Plain):
    def make_stage(self, inputs, channels, strides, dim, layers):
        stage = nn.Sequential(*(mv.InvertedResidual(inputs, channels, stride) for stride in strides))
        if dim is not None:
            stage.append(mv.MobileViTv2Block(channels, dim, layers))
        return stage


class BlockFirst(Plain):
    def make_stage(self, inputs, channels, strides, dim, layers):
        stage = nn.Sequential()
        if dim is not None:
            stage.append(mv.MobileViTv2Block(inputs, dim, layers))
        for stride in strides:
            stage.append(mv.InvertedResidual(inputs, channels, stride))
            inputs = channels
        return stage


class NoBlocks(Plain):
    def make_stage(self, inputs, channels, strides, dim, layers):
        return super().make_stage(inputs, channels, strides, None, layers)


class TwoLayers(Plain):
    def make_stage(self, inputs, channels, strides, dim, layers):
        return super().make_stage(inputs, channels, strides, dim, 2)


class SwappedWidths(Plain):
    def make_stage(self, inputs, channels, strides, dim, layers):
        stage = super().make_stage(inputs, channels, strides, None, layers)
        if dim is not None:
            stage.append(mv.MobileViTv2Block(dim, channels, layers))
        return stage


class PoolMax(Plain):
    def pool(self, x):
        return x.amax(dim=(2, 3))


class PoolSum(Plain):
    def pool(self, x):
        return x.sum(dim=(2, 3))


class PoolHeight(Plain):
    def pool(self, x):
        return x.mean(dim=2)[..., 0]


class PoolChannels(Plain):
    def pool(self, x):
        return x.mean(dim=1).flatten(1)


class NoBias(Plain):
    def make_classifier(self, inputs, num_classes):
        return nn.Linear(inputs, num_classes, bias=False)


class WithSoftmax(Plain):
    def forward(self, image):
        return super().forward(image).softmax(dim=-1)


class Always1000(Plain):
    def make_classifier(self, inputs, num_classes):
        return nn.Linear(inputs, 1000)


class ExtraConvAsV1(Plain):
    def make_classifier(self, inputs, num_classes):
        self.last = blocks.ConvNormAct(inputs, inputs)
        return nn.Linear(inputs, num_classes)

    def pool(self, x):
        return self.last(x).mean(dim=(2, 3))


class PythonList(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        whole = Plain(stem, stages, num_classes)
        self.stem, self.stages, self.classifier = whole.stem, list(whole.stages), whole.classifier

    def forward(self, image):
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)
        return self.classifier(x.mean(dim=(2, 3)))


class NoClassifierCall(Plain):
    def forward(self, image):
        return self.pool(self.stages(self.stem(image)))


class SkipsStem(Plain):
    def forward(self, image):
        return self.classifier(self.pool(self.stages(image)))


class ForgotReturn(Plain):
    def forward(self, image):
        self.classifier(self.pool(self.stages(self.stem(image))))


# --- 5.3 the table at another width

WIDTHS = (64, 128, 256, 384, 512)
make_divisible = mv.model.make_divisible


def table_plain(alpha):
    stem = make_divisible(min(64, max(16, 32 * alpha)), 8)
    return [stem, make_divisible(64 * alpha, 16)] + [make_divisible(c * alpha, 8) for c in WIDTHS[1:]]


def table_clamped_late(alpha):
    numbers = []
    for channels, divisor in zip((32, *WIDTHS), (8, 16, 8, 8, 8, 8), strict=True):
        numbers.append(make_divisible(channels * alpha, divisor))
    numbers[0] = sorted([16, numbers[0], 64])[1]
    return numbers


def table_own_rule(alpha):
    scaled = np.array([32, *WIDTHS]) * float(alpha)
    scaled[0] = np.clip(scaled[0], 16, 64)
    divisors = np.array([8, 16, 8, 8, 8, 8])
    nearest = np.floor(scaled / divisors + 0.5) * divisors
    nearest[nearest < 0.9 * scaled] += divisors[nearest < 0.9 * scaled]
    return list(nearest.astype(int))


def table_tensors(alpha):
    scaled = torch.tensor([32, *WIDTHS], dtype=torch.float64) * alpha
    scaled[0].clamp_(16, 64)
    return [torch.tensor(make_divisible(float(x), 16 if i == 1 else 8)) for i, x in enumerate(scaled)]


def table_no_limits(alpha):
    return [make_divisible(32 * alpha, 8), *table_plain(alpha)[1:]]


def table_no_upper(alpha):
    return [make_divisible(max(16, 32 * alpha), 8), *table_plain(alpha)[1:]]


def table_no_lower(alpha):
    return [make_divisible(min(64, 32 * alpha), 8), *table_plain(alpha)[1:]]


def table_all_eight(alpha):
    stem = make_divisible(min(64, max(16, 32 * alpha)), 8)
    return [stem] + [make_divisible(c * alpha, 8) for c in WIDTHS]


def table_all_sixteen(alpha):
    return table_plain(alpha)[:1] + [make_divisible(c * alpha, 16) for c in WIDTHS]


def table_stem_sixteen(alpha):
    return [make_divisible(min(64, max(16, 32 * alpha)), 16), *table_plain(alpha)[1:]]


def table_limits_before(alpha):
    return [make_divisible(min(64, max(16, 32)) * alpha, 8), *table_plain(alpha)[1:]]


def table_unrounded(alpha):
    return [int(min(64, max(16, 32 * alpha)))] + [int(c * alpha) for c in WIDTHS]


def table_without_stem(alpha):
    return table_plain(alpha)[1:]


def table_stem_unscaled(alpha):
    return [32, *table_plain(alpha)[1:]]


def table_squared(alpha):
    return table_plain(alpha**2)


def table_wrong_stage(alpha):
    numbers = table_plain(alpha)
    numbers[1], numbers[2] = make_divisible(64 * alpha, 8), make_divisible(128 * alpha, 16)
    return numbers


def table_swapped_min_max(alpha):
    return [make_divisible(max(64, min(16, 32 * alpha)), 8), *table_plain(alpha)[1:]]


def table_all_limited(alpha):
    numbers = [min(64, max(16, c * alpha)) for c in (32, *WIDTHS)]
    return [make_divisible(c, 16 if i == 1 else 8) for i, c in enumerate(numbers)]


# --- 5.4 tokens at any size


def tokens_loop(pixels):
    side, counts = math.ceil(math.ceil(pixels / 2) / 2), []
    for _ in range(3):
        side = math.ceil(side / 2)
        side += side % 2
        counts.append((side // 2) ** 2)
    return counts


def tokens_slices(pixels):
    x, counts = torch.zeros(pixels, pixels)[::2, ::2][::2, ::2], []
    for _ in "345":
        x = x[::2, ::2]
        x = F.pad(x, (0, x.shape[1] % 2, 0, x.shape[0] % 2))
        counts.append(x[::2, ::2].numel())
    return counts


def tokens_numpy(pixels):
    sides = [np.ceil(pixels / 8)]
    for _ in range(2):
        sides.append(np.ceil(sides[-1] / 2))
    return list((np.ceil(np.array(sides) / 2) ** 2).astype(int))


def tokens_by_running(pixels):
    strided = nn.Conv2d(1, 1, 3, stride=2, padding=1)
    x, counts = strided(strided(torch.zeros(1, 1, pixels, pixels))), []
    with torch.no_grad():
        for _ in range(3):
            x = strided(x)
            size = [n + n % 2 for n in x.shape[2:]]
            x = F.interpolate(x, size, mode="bilinear", align_corners=True)
            counts.append(mv.unfold(x).shape[2])
    return counts


def tokens_walk(pixels, first=3, up=True, grow=True, stays=True, count=lambda side: (side // 2) ** 2):
    side, counts = pixels, []
    for number in range(first + 2):
        side = (side + 1) // 2 if up else side // 2
        if number >= first - 1:
            grown = side + side % 2 if grow else side
            counts.append(count(grown))
            side = grown if stays else side
    return counts


def tokens_rounds_down(pixels):
    return tokens_walk(pixels, up=False)


def tokens_growth_lost(pixels):
    # an odd side and the even one after it have the same half, rounded up: so this is right, too
    return tokens_walk(pixels, stays=False)


def tokens_no_growth(pixels):
    return tokens_walk(pixels, grow=False)


def tokens_no_growth_quarter(pixels):
    return tokens_walk(pixels, grow=False, count=lambda side: side * side // 4)


def tokens_all_pixels(pixels):
    return tokens_walk(pixels, count=lambda side: side**2)


def tokens_not_squared(pixels):
    return tokens_walk(pixels, count=lambda side: side // 2)


def tokens_sides(pixels):
    return tokens_walk(pixels, count=lambda side: side)


def tokens_half_map(pixels):
    return tokens_walk(pixels, count=lambda side: side * side // 2)


def tokens_without_stem(pixels):
    return tokens_walk(pixels, first=2)


def tokens_one_stride_more(pixels):
    return tokens_walk(pixels, first=4)


def tokens_grow_before(pixels):
    side, counts = math.ceil(math.ceil(pixels / 2) / 2), []
    for _ in range(3):
        side += side % 2
        side = -(-side // 2)
        counts.append((side // 2) ** 2)
    return counts


def tokens_sum(pixels):
    return sum(tokens_walk(pixels))


def tokens_floats(pixels):
    return [(pixels / 8) ** 2 / 4, (pixels / 16) ** 2 / 4, (pixels / 32) ** 2 / 4]


def tokens_always_256(pixels):
    return [256, 64, 16]


def tokens_grow_everywhere(pixels):
    side, counts = pixels, []
    for _ in range(5):
        side = -(-side // 2)
        side += side % 2
        counts.append((side // 2) ** 2)
    return counts[2:]


# --- 5.5 work at another size


def macs_fraction(pixels, macs, classifier):
    return int(Fraction(pixels, 256) ** 2 * (macs - classifier) + classifier)


def macs_float(pixels, macs, classifier):
    ratio = (pixels * pixels) / (256 * 256)
    return round(ratio * macs + (1 - ratio) * classifier)


def macs_tiles(pixels, macs, classifier):
    tile = (macs - classifier) // 16  # the work for 64×64 pixels
    total = classifier
    for _ in range((pixels // 64) ** 2):
        total += tile
    return total


def macs_numpy(pixels, macs, classifier):
    return np.int64(macs - classifier) * np.int64(pixels) ** 2 // 65536 + np.int64(classifier)


def macs_all_scaled(pixels, macs, classifier):
    return macs * pixels**2 // 256**2


def macs_not_squared(pixels, macs, classifier):
    return (macs - classifier) * pixels // 256 + classifier


def macs_classifier_dropped(pixels, macs, classifier):
    return (macs - classifier) * pixels**2 // 256**2


def macs_classifier_twice(pixels, macs, classifier):
    return macs * pixels**2 // 256**2 + classifier


def macs_whole_ratio(pixels, macs, classifier):
    return (macs - classifier) * (pixels // 256) ** 2 + classifier


def macs_inverted(pixels, macs, classifier):
    return (macs - classifier) * 256**2 // pixels**2 + classifier


def macs_fourth_power(pixels, macs, classifier):
    return (macs - classifier) * pixels**4 // 256**4 + classifier


def macs_at_224(pixels, macs, classifier):
    return (macs - classifier) * pixels**2 // 224**2 + classifier


def macs_classifier_only(pixels, macs, classifier):
    return macs - classifier + classifier * pixels**2 // 256**2


def macs_one_side_base(pixels, macs, classifier):
    return (macs - classifier) * pixels**2 // 256 + classifier


def macs_millions(pixels, macs, classifier):
    return ((macs - classifier) * pixels**2 // 256**2 + classifier) // 10**6


def macs_unchanged(pixels, macs, classifier):
    return macs


def macs_added_inside(pixels, macs, classifier):
    return (macs + classifier) * pixels**2 // 256**2 - classifier


# --- 5.6 a backbone


def maps_walk(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages, start=1):
        x = stage(x)
        if number >= 3:
            maps.append(x)
    return maps


def maps_accumulate(model, pictures):
    every = itertools.accumulate(model.stages, lambda x, stage: stage(x), initial=model.stem(pictures))
    return list(every)[-3:]


def maps_hooks(model, pictures):
    maps = []
    handles = [s.register_forward_hook(lambda module, args, output: maps.append(output)) for s in model.stages[2:]]
    try:
        model(pictures)
    finally:
        for handle in handles:
            handle.remove()
    return maps


def maps_copy(model, pictures):
    twin, maps = copy.deepcopy(model), {}
    for number in (2, 3, 4):
        twin.stages[number].register_forward_hook(lambda _m, _i, out, number=number: maps.update({number: out}))
    twin(pictures)
    return [maps[number] for number in sorted(maps)]


def maps_prefixes(model, pictures):
    # each map from the start again: slow, and right in evaluation mode
    was_training = model.training
    modes = {module: module.training for module in model.modules()}
    model.eval()
    result = [nn.Sequential(model.stem, *list(model.stages)[:n])(pictures) for n in (3, 4, 5)]
    if was_training:
        for module, mode in modes.items():
            module.training = mode
    return result


def maps_off_by_one(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages):
        x = stage(x)
        if number >= 3:
            maps.append(x)
    return maps


def maps_all_five(model, pictures):
    x, maps = model.stem(pictures), []
    for stage in model.stages:
        x = stage(x)
        maps.append(x)
    return maps


def maps_reversed(model, pictures):
    return maps_walk(model, pictures)[::-1]


def maps_before(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages, start=1):
        if number >= 3:
            maps.append(x)
        x = stage(x)
    return maps


def maps_hooks_left(model, pictures):
    maps = []
    for stage in model.stages[2:]:
        stage.register_forward_hook(lambda module, args, output: maps.append(output))
    model(pictures)
    return maps


def maps_mode_changed(model, pictures):
    model.eval()
    return maps_walk(model, pictures)


def maps_training_on(model, pictures):
    model.train()
    return maps_walk(model, pictures)


def maps_frozen(model, pictures):
    model.requires_grad_(False)
    return maps_walk(model, pictures)


def maps_head_removed(model, pictures):
    model.classifier = nn.Identity()
    return maps_hooks(model, pictures)


def maps_without_stem(model, pictures):
    x, maps = pictures, []
    for stage in model.stages:
        x = stage(x)
        maps.append(x)
    return maps[2:]


def maps_each_from_stem(model, pictures):
    x = model.stem(pictures)
    return [stage(x) for stage in model.stages[2:]]


def maps_twice(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages, start=1):
        x = stage(x)
        if number >= 3:
            maps.append(stage[-1](x))
    return maps


def maps_inside(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages, start=1):
        if number >= 3:
            maps.append(stage[0](x))
        x = stage(x)
    return maps


def maps_means(model, pictures):
    return [x.mean(dim=(2, 3)) for x in maps_walk(model, pictures)]


def maps_logits(model, pictures):
    maps = maps_walk(model, pictures)
    return [*maps, model.classifier(maps[-1].mean(dim=(2, 3)))]


def maps_last_only(model, pictures):
    return maps_walk(model, pictures)[-1]


def maps_first_picture(model, pictures):
    return [x[0] for x in maps_walk(model, pictures)]


def maps_hook_inputs(model, pictures):
    maps = []
    handles = [s.register_forward_hook(lambda module, args, output: maps.append(args[0])) for s in model.stages[2:]]
    model(pictures)
    for handle in handles:
        handle.remove()
    return maps


ATTEMPTS = [
    ("round_channels", "right", "math.floor", round_math),
    ("round_channels", "right", "a loop over multiples", round_loop),
    ("round_channels", "right", "exact fractions", round_fraction),
    ("round_channels", "right", "NumPy, returns an np.int64", round_numpy),
    ("round_channels", "right", "0-d tensor", round_tensor),
    ("round_channels", "right", "divmod", round_divmod),
    ("round_channels", "wrong", "Python's round sends halves to the even multiple", round_bankers),
    ("round_channels", "wrong", "always rounds down before the rule of a tenth", round_floor),
    ("round_channels", "wrong", "always rounds up", round_ceil),
    ("round_channels", "wrong", "no rule of a tenth", round_no_tenth),
    ("round_channels", "wrong", "compares with nine tenths of the divisor", round_tenth_of_divisor),
    ("round_channels", "wrong", "takes the multiple below instead of the next", round_down_further),
    ("round_channels", "wrong", "compares with one tenth instead of nine", round_one_tenth),
    ("round_channels", "wrong", "adds 1 instead of the divisor", round_plus_one),
    ("round_channels", "wrong", "returns how many times the divisor, not the multiple", round_count),
    ("round_channels", "wrong", "divisor 8 written in", round_eight),
    ("round_channels", "wrong", "cuts the value off to a whole number first", round_int_first),
    ("round_channels", "wrong", "rounds up also when exactly a tenth is lost", round_at_equal),
    ("round_channels", "wrong", "prints instead of returning", round_printed),
    ("model_from_table", "right", "nn.Sequential with append", Plain),
    ("model_from_table", "right", "ModuleList, reduce, F.linear", Listed),
    ("model_from_table", "right", "einsum for the mean", Einsum),
    ("model_from_table", "right", "layers of a stage have names of their own", Named),
    ("model_from_table", "right", "the mean is a layer of the classifier", PoolInClassifier),
    ("model_from_table", "right", "ModuleLists in a ModuleList, two loops", ModuleListInStage),
    ("model_from_table", "wrong", "stem without its stride", StemStride1),
    ("model_from_table", "wrong", "stem with a 1×1 convolution, the default", StemKernel1),
    ("model_from_table", "wrong", "stem without norm and SiLU", StemBareConv),
    ("model_from_table", "wrong", "strides ignored, all 1", AllStride1),
    ("model_from_table", "wrong", "only one inverted residual in each stage", FirstStrideOnly),
    ("model_from_table", "wrong", "input channels not updated after the first residual", InputsNotUpdated),
    ("model_from_table", "wrong", "block before the inverted residual", BlockFirst),
    ("model_from_table", "wrong", "no MobileViTv2 blocks", NoBlocks),
    ("model_from_table", "wrong", "always two transformer layers", TwoLayers),
    ("model_from_table", "wrong", "channels and token width exchanged", SwappedWidths),
    ("model_from_table", "wrong", "maximum instead of mean", PoolMax),
    ("model_from_table", "wrong", "sum instead of mean", PoolSum),
    ("model_from_table", "wrong", "mean over the height only", PoolHeight),
    ("model_from_table", "wrong", "mean over the channels", PoolChannels),
    ("model_from_table", "wrong", "classifier without bias", NoBias),
    ("model_from_table", "wrong", "softmax at the end", WithSoftmax),
    ("model_from_table", "wrong", "num_classes ignored", Always1000),
    ("model_from_table", "wrong", "one more 1×1 convolution before the mean, as in v1", ExtraConvAsV1),
    ("model_from_table", "wrong", "stages in a Python list, not registered", PythonList),
    ("model_from_table", "wrong", "classifier never called", NoClassifierCall),
    ("model_from_table", "wrong", "stem never called", SkipsStem),
    ("model_from_table", "wrong", "forward returns nothing", ForgotReturn),
    ("table_of_channels", "right", "make_divisible and a comprehension", table_plain),
    ("table_of_channels", "right", "limits after rounding, which is the same", table_clamped_late),
    ("table_of_channels", "right", "own rule in NumPy, a list of np.int64", table_own_rule),
    ("table_of_channels", "right", "list of 0-d tensors", table_tensors),
    ("table_of_channels", "wrong", "no limits on the stem", table_no_limits),
    ("table_of_channels", "wrong", "no upper limit on the stem", table_no_upper),
    ("table_of_channels", "wrong", "no lower limit on the stem", table_no_lower),
    ("table_of_channels", "wrong", "stage 1 rounded to 8", table_all_eight),
    ("table_of_channels", "wrong", "all stages rounded to 16", table_all_sixteen),
    ("table_of_channels", "wrong", "stem rounded to 16", table_stem_sixteen),
    ("table_of_channels", "wrong", "limits before scaling, so without effect", table_limits_before),
    ("table_of_channels", "wrong", "no rounding to multiples", table_unrounded),
    ("table_of_channels", "wrong", "stem left out", table_without_stem),
    ("table_of_channels", "wrong", "stem not scaled", table_stem_unscaled),
    ("table_of_channels", "wrong", "scaled by the square of α", table_squared),
    ("table_of_channels", "wrong", "16 at stage 2 instead of stage 1", table_wrong_stage),
    ("table_of_channels", "wrong", "min and max exchanged", table_swapped_min_max),
    ("table_of_channels", "wrong", "limits of the stem on all stages", table_all_limited),
    ("token_counts", "right", "math.ceil in a loop", tokens_loop),
    ("token_counts", "right", "slices of a map of zeros", tokens_slices),
    ("token_counts", "right", "NumPy, a list of np.int64", tokens_numpy),
    ("token_counts", "right", "runs real convolutions and unfold", tokens_by_running),
    ("token_counts", "wrong", "halves and rounds down", tokens_rounds_down),
    ("token_counts", "right", "the map does not stay grown, which gives the same", tokens_growth_lost),
    ("token_counts", "wrong", "odd maps lose a row instead of growing", tokens_no_growth),
    ("token_counts", "wrong", "odd maps do not grow, a quarter of the pixels", tokens_no_growth_quarter),
    ("token_counts", "wrong", "all pixels of the map, not a quarter", tokens_all_pixels),
    ("token_counts", "wrong", "patches along one side only", tokens_not_squared),
    ("token_counts", "wrong", "sides of the maps instead of tokens", tokens_sides),
    ("token_counts", "wrong", "divides by 2 instead of 4", tokens_half_map),
    ("token_counts", "wrong", "one stride forgotten, the stem's", tokens_without_stem),
    ("token_counts", "wrong", "one stride too many", tokens_one_stride_more),
    ("token_counts", "wrong", "grows before the stride instead of after it", tokens_grow_before),
    ("token_counts", "wrong", "returns the sum", tokens_sum),
    ("token_counts", "wrong", "no rounding at all, true division", tokens_floats),
    ("token_counts", "wrong", "the numbers for 256 pixels whatever the size", tokens_always_256),
    ("token_counts", "right", "grows also where there is no block, which gives the same", tokens_grow_everywhere),
    ("macs_at", "right", "Fraction", macs_fraction),
    ("macs_at", "right", "float ratio and round", macs_float),
    ("macs_at", "right", "adds up tiles of 64×64", macs_tiles),
    ("macs_at", "right", "np.int64", macs_numpy),
    ("macs_at", "wrong", "classifier scaled, too", macs_all_scaled),
    ("macs_at", "wrong", "ratio of the sides, not squared", macs_not_squared),
    ("macs_at", "wrong", "classifier not added back", macs_classifier_dropped),
    ("macs_at", "wrong", "classifier added but not taken off first", macs_classifier_twice),
    ("macs_at", "wrong", "whole division of the sides first", macs_whole_ratio),
    ("macs_at", "wrong", "ratio upside down", macs_inverted),
    ("macs_at", "wrong", "fourth power, as for pairs of pixels", macs_fourth_power),
    ("macs_at", "wrong", "starts from 224 pixels", macs_at_224),
    ("macs_at", "wrong", "only the classifier is scaled", macs_classifier_only),
    ("macs_at", "wrong", "divides by 256 instead of its square", macs_one_side_base),
    ("macs_at", "wrong", "returns millions", macs_millions),
    ("macs_at", "wrong", "work does not depend on the size", macs_unchanged),
    ("macs_at", "wrong", "signs of the classifier exchanged", macs_added_inside),
    ("feature_maps", "right", "a walk through the stages", maps_walk),
    ("feature_maps", "right", "itertools.accumulate", maps_accumulate),
    ("feature_maps", "right", "hooks, removed", maps_hooks),
    ("feature_maps", "right", "hooks on a deep copy", maps_copy),
    ("feature_maps", "right", "three networks from the start, modes put back", maps_prefixes),
    ("feature_maps", "wrong", "counts from 0, so stages 4 and 5 only", maps_off_by_one),
    ("feature_maps", "wrong", "all five stages", maps_all_five),
    ("feature_maps", "wrong", "order reversed", maps_reversed),
    ("feature_maps", "wrong", "what enters the stages", maps_before),
    ("feature_maps", "wrong", "hooks not removed", maps_hooks_left),
    ("feature_maps", "wrong", "leaves the model in evaluation mode", maps_mode_changed),
    ("feature_maps", "wrong", "leaves the model in training mode", maps_training_on),
    ("feature_maps", "wrong", "leaves the parameters frozen", maps_frozen),
    ("feature_maps", "wrong", "leaves the model without its classifier", maps_head_removed),
    ("feature_maps", "wrong", "stem forgotten", maps_without_stem),
    ("feature_maps", "wrong", "every stage gets the stem's map", maps_each_from_stem),
    ("feature_maps", "wrong", "block applied once more", maps_twice),
    ("feature_maps", "wrong", "maps before the block of each stage", maps_inside),
    ("feature_maps", "wrong", "means over the maps", maps_means),
    ("feature_maps", "wrong", "logits as a fourth entry", maps_logits),
    ("feature_maps", "wrong", "the last map alone", maps_last_only),
    ("feature_maps", "wrong", "first picture only", maps_first_picture),
    ("feature_maps", "wrong", "hooks collect inputs", maps_hook_inputs),
]
