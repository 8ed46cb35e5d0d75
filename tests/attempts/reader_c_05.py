"""Attempts at the exercises of notebook 05 by a cold reader who had not seen the checks."""

import copy
import itertools
import math
from fractions import Fraction
from functools import reduce

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import blocks

# 5.1 the rounding rule


def nearest(value, divisor):
    return int(value + divisor / 2) // divisor * divisor


def round_plain(value, divisor):
    result = int(value + divisor / 2) // divisor * divisor
    if result < 0.9 * value:
        result += divisor
    return result


def round_loop(value, divisor):
    below = 0
    while below + divisor <= value:
        below += divisor
    above = below + divisor
    if value - below < above - value and value - below <= 0.1 * value:
        return below
    return below if below == value else above


def round_candidates(value, divisor):
    multiples = [n * divisor for n in range(int(value // divisor) + 2)]
    allowed = [m for m in multiples if m >= 0.9 * value]
    return min(allowed, key=lambda m: (abs(m - value), -m))


def round_fraction(value, divisor):
    exact = Fraction(value)
    result = math.floor(exact / divisor + Fraction(1, 2)) * divisor
    return result if 10 * (exact - result) <= exact else result + divisor


def round_numpy(value, divisor):
    result = np.int64(np.floor(np.float64(value) / divisor + 0.5)) * np.int64(divisor)
    return np.where(result < np.float64(0.9) * value, result + divisor, result)[()]


def round_divmod(value, divisor):
    whole, rest = divmod(value, divisor)
    up = rest * 2 >= divisor or rest > value * 0.1
    return (int(whole) + up) * divisor


def round_tensor(value, divisor):
    result = torch.floor(torch.tensor(value, dtype=torch.float64) / divisor + 0.5) * divisor
    if result < 0.9 * value:
        result += divisor
    return result.long()


def round_without_tenth(value, divisor):
    return int(value + divisor / 2) // divisor * divisor


def round_down(value, divisor):
    result = int(value) // divisor * divisor
    return result + divisor if result < 0.9 * value else result


def round_up(value, divisor):
    return math.ceil(value / divisor) * divisor


def round_half_even(value, divisor):
    result = round(value / divisor) * divisor
    return result + divisor if result < 0.9 * value else result


def round_half_down(value, divisor):
    result = math.ceil(value / divisor - 0.5) * divisor
    return result + divisor if result < 0.9 * value else result


def round_subtracts(value, divisor):
    result = nearest(value, divisor)
    return result - divisor if result < 0.9 * value else result


def round_turned(value, divisor):
    result = nearest(value, divisor)
    return result + divisor if result > 0.9 * value else result


def round_tenth_of_divisor(value, divisor):
    result = nearest(value, divisor)
    return result + divisor if value - result > divisor / 10 else result


def round_tenth_of_result(value, divisor):
    result = nearest(value, divisor)
    return result + divisor if value - result > 0.1 * result else result


def round_tenth_left(value, divisor):
    result = nearest(value, divisor)
    return result + divisor if result < 0.1 * value else result


def round_counts(value, divisor):
    result = int(value + divisor / 2) // divisor
    return result + 1 if result * divisor < 0.9 * value else result


def round_floor_of_one(value, divisor):
    return max(divisor, nearest(value, divisor))


def round_eights(value, divisor):
    return round_plain(value, 8)


def round_cut(value, divisor):
    return round_plain(int(value), divisor)


def round_at_a_tenth(value, divisor):
    result = nearest(value, divisor)
    return result + divisor if result <= 0.9 * value else result


def round_prints(value, divisor):
    result = round_plain(value, divisor)
    if result is None:
        return result


def round_one_more(value, divisor):
    result = nearest(value, divisor)
    return result + 1 if result < 0.9 * value else result


def round_gives_value(value, divisor):
    result = nearest(value, divisor)
    return value if result < 0.9 * value else result


def round_no_half(value, divisor):
    result = int(value + divisor) // divisor * divisor
    return result + divisor if result < 0.9 * value else result


# 5.2 the model from its table


class ModelPlain(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, 3, 2)
        self.stages = nn.Sequential()
        inputs = stem
        for channels, strides, dim, layers in stages:
            stage = nn.Sequential()
            for stride in strides:
                stage.append(mv.InvertedResidual(inputs, channels, stride))
                inputs = channels
            if dim is not None:
                stage.append(mv.MobileViTv2Block(channels, dim, layers))
            self.stages.append(stage)
        self.classifier = nn.Linear(inputs, num_classes)

    def forward(self, image):
        return self.classifier(self.stages(self.stem(image)).mean(dim=(2, 3)))


class ModelModuleList(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, kernel_size=3, stride=2)
        widths = [stem] + [row[0] for row in stages]
        self.stages = nn.ModuleList(self.stage(C, row) for C, row in zip(widths, stages, strict=False))
        self.classifier = nn.Linear(widths[-1], num_classes, bias=True)

    @staticmethod
    def stage(inputs, row):
        channels, (first, *others), dim, layers = row
        parts = [mv.InvertedResidual(inputs, channels, first)]
        parts += [mv.InvertedResidual(channels, channels, stride) for stride in others]
        if dim is not None:
            parts += [mv.MobileViTv2Block(channels, dim, layers)]
        return nn.Sequential(*parts)

    def forward(self, image):
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)
        return self.classifier(x.flatten(2).mean(-1))


class ModelPooling(ModelPlain):
    def forward(self, image):
        x = self.stem(image)
        x = reduce(lambda y, stage: stage(y), self.stages, x)
        return self.classifier(torch.flatten(nn.AdaptiveAvgPool2d(1)(x), 1))


class ModelEinsum(ModelPlain):
    def forward(self, image):
        x = self.stages(self.stem(image))
        places = x.shape[-1] * x.shape[-2]
        return torch.einsum("bchw,kc->bk", x, self.classifier.weight) / places + self.classifier.bias


class ModelOwnStem(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, num_classes)
        conv = nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False)
        self.stem = nn.Sequential(conv, nn.BatchNorm2d(stem), nn.SiLU())


class ModelDeepLists(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        parts, before = [], stem
        for channels, strides, dim, layers in stages:
            pairs = zip([before] + [channels] * (len(strides) - 1), strides, strict=True)
            residuals = [mv.InvertedResidual(C, channels, stride=s) for C, s in pairs]
            attention = [] if dim is None else [mv.MobileViTv2Block(channels, dim, layers)]
            parts.append(nn.Sequential(*residuals, *attention))
            before = channels
        self.stem, self.stages = blocks.ConvNormAct(3, stem, 3, stride=2), nn.Sequential(*parts)
        self.classifier = nn.Linear(before, num_classes)

    def forward(self, image):
        x = self.stages(self.stem(image))
        return F.linear(F.avg_pool2d(x, x.shape[-2:])[..., 0, 0], self.classifier.weight, self.classifier.bias)


class ModelStemStride(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, num_classes)
        self.stem = blocks.ConvNormAct(3, stem, 3)


class ModelStemPointwise(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, num_classes)
        self.stem = blocks.ConvNormAct(3, stem, 1, 2)


class ModelStemLinear(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, num_classes)
        self.stem = blocks.ConvNormAct(3, stem, 3, 2, activation=False)


class ModelStemUnpadded(ModelOwnStem):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, num_classes)
        self.stem[0].padding = (0, 0)


class ModelMax(ModelPlain):
    def forward(self, image):
        return self.classifier(self.stages(self.stem(image)).amax(dim=(2, 3)))


class ModelSum(ModelPlain):
    def forward(self, image):
        return self.classifier(self.stages(self.stem(image)).sum(dim=(2, 3)))


class ModelCorner(ModelPlain):
    def forward(self, image):
        return self.classifier(self.stages(self.stem(image))[:, :, 0, 0])


class ModelMeanOfRows(ModelPlain):
    def forward(self, image):
        return self.classifier(self.stages(self.stem(image)).mean(dim=-1))


class ModelMeanOfBatch(ModelPlain):
    def forward(self, image):
        return self.classifier(self.stages(self.stem(image)).mean(dim=(0, 2, 3)))


class ModelSoftmax(ModelPlain):
    def forward(self, image):
        return super().forward(image).softmax(dim=-1)


class ModelNoBias(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, num_classes)
        self.classifier = nn.Linear(self.classifier.in_features, num_classes, bias=False)


class ModelThousand(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, 1000)


class ModelNoBlocks(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, [(C, strides, None, 0) for C, strides, _, _ in stages], num_classes)


class ModelStrideOne(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, [(C, (1,) * len(s), d, n) for C, s, d, n in stages], num_classes)


class ModelStridesTurned(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, [(C, s[::-1], d, n) for C, s, d, n in stages], num_classes)


class ModelFirstStride(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, [(C, s[:1], d, n) for C, s, d, n in stages], num_classes)


class ModelTwoLayers(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, [(C, s, d, 2) for C, s, d, _ in stages], num_classes)


class ModelAsPrinted(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        printed = [(C, (*s, 1) if len(s) > 1 else s, d, n) for C, s, d, n in stages]
        super().__init__(stem, printed, num_classes)


class ModelWideTokens(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, [(C, s, d and C, n) for C, s, d, n in stages], num_classes)


class ModelAsInV1(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, num_classes)
        width = self.classifier.in_features
        self.last = blocks.ConvNormAct(width, width)

    def forward(self, image):
        return self.classifier(self.last(self.stages(self.stem(image))).mean(dim=(2, 3)))


class ModelInputsKept(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, 3, 2)
        self.stages = nn.Sequential()
        inputs = stem
        for channels, strides, dim, layers in stages:
            stage = nn.Sequential(*(mv.InvertedResidual(inputs, channels, s) for s in strides))
            if dim is not None:
                stage.append(mv.MobileViTv2Block(channels, dim, layers))
            self.stages.append(stage)
            inputs = channels
        self.classifier = nn.Linear(inputs, num_classes)

    forward = ModelPlain.forward


class ModelPythonList(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages, num_classes)
        parts = list(self.stages)
        del self.stages
        self.stages = parts

    def forward(self, image):
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)
        return self.classifier(x.mean(dim=(2, 3)))


class ModelBlockFirst(nn.Module):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, 3, 2)
        self.stages = nn.Sequential()
        inputs = stem
        for channels, strides, dim, layers in stages:
            stage = nn.Sequential()
            if dim is not None:
                stage.append(mv.MobileViTv2Block(inputs, dim, layers))
            for stride in strides:
                stage.append(mv.InvertedResidual(inputs, channels, stride))
                inputs = channels
            self.stages.append(stage)
        self.classifier = nn.Linear(inputs, num_classes)

    forward = ModelPlain.forward


class ModelLastStageLost(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, stages[:-1], num_classes)


class ModelBlockEverywhere(ModelPlain):
    def __init__(self, stem, stages, num_classes=1000):
        super().__init__(stem, [(C, s, d or C // 2, n) for C, s, d, n in stages], num_classes)


class ModelReturnsMap(ModelPlain):
    def forward(self, image):
        x = self.stages(self.stem(image)).permute(0, 2, 3, 1)
        return self.classifier(x)


class ModelNormBefore(ModelPlain):
    def forward(self, image):
        x = self.stages(self.stem(image)).mean(dim=(2, 3))
        return self.classifier(F.layer_norm(x, x.shape[-1:]))


# 5.3 the table at another width

CHANNELS = [64, 128, 256, 384, 512]
divisible = mv.model.make_divisible


def table_plain(alpha):
    stem = divisible(min(64, max(16, 32 * alpha)), 8)
    return [stem, divisible(64 * alpha, 16)] + [divisible(c * alpha, 8) for c in CHANNELS[1:]]


def table_loop(alpha):
    result = []
    for number, channels in enumerate((32, 64, 128, 256, 384, 512)):
        scaled = channels * alpha
        divisor = 8
        if number == 0 and scaled < 16:
            scaled = 16
        elif number == 0 and scaled > 64:
            scaled = 64
        elif number == 1:
            divisor = 16
        result.append(round_plain(scaled, divisor))
    return result


def table_map(alpha):
    scaled = [alpha * c for c in (32, *CHANNELS)]
    scaled[0] = sorted((16, scaled[0], 64))[1]
    return list(map(divisible, scaled, (8, 16, 8, 8, 8, 8)))


def table_numpy(alpha):
    scaled = np.array([32, 64, 128, 256, 384, 512], dtype=np.float64) * alpha
    scaled[0] = np.clip(scaled[0], 16, 64)
    divisors = np.array([8, 16, 8, 8, 8, 8])
    result = (np.floor(scaled / divisors + 0.5) * divisors).astype(np.int64)
    return list(result + divisors * (result < 0.9 * scaled))


def table_tensor(alpha):
    stem = torch.tensor(32.0 * alpha, dtype=torch.float64).clamp(16, 64).item()
    numbers = [stem] + (torch.tensor(CHANNELS, dtype=torch.float64) * alpha).tolist()
    return [divisible(n, 16 if i == 1 else 8) for i, n in enumerate(numbers)]


def table_library(alpha):
    stem, rows = mv.model.scale_architecture(alpha)
    return [stem, *(row.channels for row in rows)]


def table_limits_last(alpha):
    stem, first, *others = (divisible(c * alpha, d) for c, d in zip((32, *CHANNELS), (8, 16, 8, 8, 8, 8), strict=True))
    return [max(16, min(stem, 64)), first, *others]


def table_no_lower(alpha):
    return [divisible(min(64, 32 * alpha), 8)] + table_plain(alpha)[1:]


def table_no_upper(alpha):
    return [divisible(max(16, 32 * alpha), 8)] + table_plain(alpha)[1:]


def table_no_limits(alpha):
    return [divisible(32 * alpha, 8)] + table_plain(alpha)[1:]


def table_eights(alpha):
    return [table_plain(alpha)[0]] + [divisible(c * alpha, 8) for c in CHANNELS]


def table_sixteens(alpha):
    return [table_plain(alpha)[0]] + [divisible(c * alpha, 16) for c in CHANNELS]


def table_stem_sixteens(alpha):
    return [divisible(min(64, max(16, 32 * alpha)), 16)] + table_plain(alpha)[1:]


def table_stage_2(alpha):
    result = table_plain(alpha)
    return [result[0], divisible(64 * alpha, 8), divisible(128 * alpha, 16), *result[3:]]


def table_not_rounded(alpha):
    return [int(min(64, max(16, 32 * alpha)))] + [int(c * alpha) for c in CHANNELS]


def table_turned_limits(alpha):
    return [divisible(max(64, min(16, 32 * alpha)), 8)] + table_plain(alpha)[1:]


def table_nearest(alpha):
    scaled = [min(64, max(16, 32 * alpha))] + [c * alpha for c in CHANNELS]
    return [nearest(n, 16 if i == 1 else 8) for i, n in enumerate(scaled)]


def table_down(alpha):
    scaled = [min(64, max(16, 32 * alpha))] + [c * alpha for c in CHANNELS]
    return [int(n // d * d) for n, d in zip(scaled, (8, 16, 8, 8, 8, 8), strict=True)]


def table_tokens(alpha):
    return table_plain(alpha)[:3] + [divisible(d * alpha, 8) for d in (128, 192, 256)]


def table_stages_alone(alpha):
    return table_plain(alpha)[1:]


def table_nested(alpha):
    stem, *stages = table_plain(alpha)
    return [stem, stages]


def table_all_limited(alpha):
    scaled = [min(64, max(16, c * alpha)) for c in (32, *CHANNELS)]
    return [divisible(n, 16 if i == 1 else 8) for i, n in enumerate(scaled)]


def table_limited_early(alpha):
    return [divisible(min(64, max(16, 32)) * alpha, 8)] + table_plain(alpha)[1:]


def table_chained(alpha):
    stem = divisible(min(64, max(16, 32 * alpha)), 8)
    return [stem, divisible(2 * stem, 16)] + [divisible(n * stem, 8) for n in (4, 8, 12, 16)]


def table_width_one(alpha):
    return table_plain(1.0)


def table_alpha_rounded(alpha):
    return table_plain(round(alpha, 1))


def table_squared(alpha):
    return table_plain(alpha**2)


def table_stem_unscaled(alpha):
    return [32] + table_plain(alpha)[1:]


# 5.4 tokens at any size


def tokens_plain(pixels):
    side, counts = pixels, []
    for number in range(1, 6):
        side = (side + 1) // 2
        if number >= 3:
            side += side % 2
            counts.append(side * side // 4)
    return counts


def tokens_formula(pixels):
    return [math.ceil(pixels / size) ** 2 for size in (16, 32, 64)]


def tokens_numpy(pixels):
    sides = np.ceil(np.int64(pixels) / np.array([8, 16, 32])).astype(int)
    return list((sides + sides % 2) ** 2 // 4)


def tokens_convolutions(pixels):
    halve = nn.Conv1d(1, 1, 3, stride=2, padding=1)
    x, counts = torch.zeros(1, 1, pixels), []
    with torch.no_grad():
        x = halve(halve(x))
        for _ in range(3):
            x = halve(x)
            x = F.pad(x, (0, x.shape[-1] % 2))
            counts.append((x.shape[-1] // 2) ** 2)
    return counts


def tokens_recursion(pixels, strides=3, stages=3):
    if stages == 0:
        return []
    side = -(-pixels // 2**strides)
    side = side if side % 2 == 0 else side + 1
    return [(side // 2) ** 2, *tokens_recursion(side, 1, stages - 1)]


def tokens_ranges(pixels):
    image = range(pixels)
    maps = list(itertools.accumulate(range(5), lambda x, _: x[::2], initial=image))
    return [len(x[::2]) ** 2 for x in maps[3:]]


def tokens_tensors(pixels):
    side = torch.tensor(pixels)
    counts = []
    for divisor in (8, 16, 32):
        half = (torch.div(side + divisor - 1, divisor, rounding_mode="floor") + 1) // 2
        counts.append(half.square())
    return counts


def halvings(pixels, number):
    for _ in range(number):
        pixels = (pixels + 1) // 2
    return pixels


def grown(side):
    return side + side % 2


def tokens_together(pixels):
    return [grown(halvings(pixels, n)) ** 2 for n in (3, 4, 5)]


def tokens_rounded_down(pixels):
    return [grown(pixels // 2**n) ** 2 // 4 for n in (3, 4, 5)]


def tokens_not_grown(pixels):
    return [halvings(pixels, n) ** 2 // 4 for n in (3, 4, 5)]


def tokens_cropped(pixels):
    return [(halvings(pixels, n) // 2) ** 2 for n in (3, 4, 5)]


def tokens_not_whole(pixels):
    return [halvings(pixels, n) ** 2 / 4 for n in (3, 4, 5)]


def tokens_two_strides(pixels):
    return [grown(halvings(pixels, n)) ** 2 // 4 for n in (2, 3, 4)]


def tokens_four_strides(pixels):
    return [grown(halvings(pixels, n)) ** 2 // 4 for n in (4, 5, 6)]


def tokens_side(pixels):
    return [grown(halvings(pixels, n)) // 2 for n in (3, 4, 5)]


def tokens_turned(pixels):
    return tokens_plain(pixels)[::-1]


def tokens_half_even(pixels):
    side, counts = pixels, []
    for number in range(1, 6):
        side = round(side / 2)
        if number >= 3:
            side += side % 2
            counts.append(side * side // 4)
    return counts


def tokens_always_grown(pixels):
    return [(halvings(pixels, n) // 2 + 1) ** 2 for n in (3, 4, 5)]


def tokens_of_256(pixels):
    return [256, 64, 16]


def tokens_scaled(pixels):
    return [int(k * (pixels / 256) ** 2) for k in (256, 64, 16)]


def tokens_summed(pixels):
    return sum(tokens_plain(pixels))


def tokens_last(pixels):
    return tokens_plain(pixels)[-1:]


def tokens_one_shrink(pixels):
    return [tokens_plain(pixels)[0]] * 3


def tokens_per_patch(pixels):
    return [4, 4, 4]


def tokens_halved_once(pixels):
    return [grown(halvings(pixels, n)) ** 2 // 2 for n in (3, 4, 5)]


def tokens_grown_to_four(pixels):
    return [(-(-halvings(pixels, n) // 4) * 4) ** 2 // 4 for n in (3, 4, 5)]


def tokens_every_stage(pixels):
    return [grown(halvings(pixels, n)) ** 2 // 4 for n in (1, 1, 2, 3, 4, 5)]


# 5.5 work at another size


def macs_plain(pixels, macs, classifier):
    return (macs - classifier) * pixels**2 // 256**2 + classifier


def macs_fraction(pixels, macs, classifier):
    return int(Fraction(pixels, 256) ** 2 * (macs - classifier)) + classifier


def macs_tiles(pixels, macs, classifier):
    tile = (macs - classifier) // 16  # one tile has 64×64 pixels
    total = classifier
    for _row in range(pixels // 64):
        for _column in range(pixels // 64):
            total += tile
    return total


def macs_float(pixels, macs, classifier):
    body = macs - classifier
    return round(body * (pixels / 256) ** 2 + classifier)


def macs_numpy(pixels, macs, classifier):
    body = np.int64(macs) - np.int64(classifier)
    return body // 16 * np.square(np.int64(pixels // 64)) + classifier


def macs_tensor(pixels, macs, classifier):
    scale = torch.tensor(pixels, dtype=torch.float64).div(256).square()
    return int(((macs - classifier) * scale).item()) + classifier


def macs_difference(pixels, macs, classifier):
    more = (pixels * pixels - 65536) * (macs - classifier) // 65536
    return macs + more


def macs_classifier_scaled(pixels, macs, classifier):
    return macs * pixels**2 // 256**2


def macs_classifier_lost(pixels, macs, classifier):
    return (macs - classifier) * pixels**2 // 256**2


def macs_classifier_twice(pixels, macs, classifier):
    return macs * pixels**2 // 256**2 + classifier


def macs_linear(pixels, macs, classifier):
    return (macs - classifier) * pixels // 256 + classifier


def macs_quadratic(pixels, macs, classifier):
    return int((macs - classifier) * (pixels / 256) ** 4) + classifier


def macs_whole_ratio(pixels, macs, classifier):
    return (macs - classifier) * (pixels // 256) ** 2 + classifier


def macs_whole_square(pixels, macs, classifier):
    return (macs - classifier) * round((pixels / 256) ** 2) + classifier


def macs_from_224(pixels, macs, classifier):
    return round((macs - classifier) * (pixels / 224) ** 2) + classifier


def macs_turned(pixels, macs, classifier):
    return round((macs - classifier) * (256 / pixels) ** 2) + classifier


def macs_only_classifier(pixels, macs, classifier):
    return round(macs - classifier + classifier * (pixels / 256) ** 2)


def macs_same(pixels, macs, classifier):
    return macs


def macs_brackets(pixels, macs, classifier):
    return round(macs - classifier * (pixels / 256) ** 2 + classifier)


def macs_millions(pixels, macs, classifier):
    return round(macs_plain(pixels, macs, classifier) / 1e6)


def macs_pixels_added(pixels, macs, classifier):
    return macs + pixels**2 - 256**2


def macs_classifier_added(pixels, macs, classifier):
    return (macs + classifier) * pixels**2 // 256**2 - classifier


def macs_linear_classifier(pixels, macs, classifier):
    return (macs - classifier) * pixels**2 // 256**2 + classifier * pixels // 256


def macs_doubling(pixels, macs, classifier):
    return (macs - classifier) * 2 * pixels // 256 + classifier


def macs_ratio_rounded(pixels, macs, classifier):
    return round((macs - classifier) * round(pixels / 256, 1) ** 2) + classifier


# 5.6 a backbone


def maps_walk(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages, 1):
        x = stage(x)
        if number in (3, 4, 5):
            maps.append(x)
    return maps


def maps_hooks(model, pictures):
    maps = []
    handles = [s.register_forward_hook(lambda module, inputs, output: maps.append(output)) for s in model.stages[2:]]
    try:
        model(pictures)
    finally:
        for handle in handles:
            handle.remove()
    return maps


def maps_accumulate(model, pictures):
    steps = itertools.accumulate(model.stages, lambda x, stage: stage(x), initial=model.stem(pictures))
    return list(steps)[-3:]


def maps_by_hand(model, pictures):
    early = model.stages[1](model.stages[0](model.stem(pictures)))
    third = model.stages[2](early)
    fourth = model.stages[3](third)
    return [third, fourth, model.stages[4](fourth)]


def maps_slices(model, pictures):
    front = nn.Sequential(model.stem, *list(model.stages.children())[:3])
    maps = [front(pictures)]
    maps += [model.stages[3](maps[-1])]
    maps += [model.stages[4](maps[-1])]
    return maps


def maps_named_hooks(model, pictures):
    found, handles = {}, []

    def keep(name):
        def hook(module, inputs, output):
            found[name] = output.clone()

        return hook

    for name, module in model.named_modules():
        if name in ("stages.2", "stages.3", "stages.4"):
            handles.append(module.register_forward_hook(keep(name)))
    model(pictures)
    while handles:
        handles.pop().remove()
    return [found[name] for name in sorted(found)]


def maps_of_a_copy(model, pictures):
    twin, maps = copy.deepcopy(model), []
    for stage in twin.stages[2:]:
        stage.register_forward_hook(lambda module, inputs, output: maps.append(output))
    twin(pictures)
    return maps


def maps_no_stem(model, pictures):
    x, maps = pictures, []
    for stage in model.stages:
        x = stage(x)
        maps.append(x)
    return maps[2:]


def maps_one_early(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages, 1):
        x = stage(x)
        if 2 <= number <= 4:
            maps.append(x)
    return maps


def maps_counted_from_zero(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages):
        x = stage(x)
        if number >= 3:
            maps.append(x)
    return maps


def maps_all(model, pictures):
    x, maps = model.stem(pictures), []
    for stage in model.stages:
        x = stage(x)
        maps.append(x)
    return maps


def maps_last_alone(model, pictures):
    return [model.stages(model.stem(pictures))]


def maps_turned(model, pictures):
    return maps_walk(model, pictures)[::-1]


def maps_hooks_left(model, pictures):
    maps = []
    for stage in model.stages[2:]:
        stage.register_forward_hook(lambda module, inputs, output: maps.append(output))
    model(pictures)
    return list(maps)


def maps_last_hook_left(model, pictures):
    maps = []
    for stage in model.stages[2:]:
        handle = stage.register_forward_hook(lambda module, inputs, output: maps.append(output))
    model(pictures)
    handle.remove()
    return list(maps)


def maps_eval_left(model, pictures):
    model.eval()
    return maps_walk(model, pictures)


def maps_train_left(model, pictures):
    model.eval()
    maps = maps_walk(model, pictures)
    model.train()
    return maps


def maps_of_inputs(model, pictures):
    maps = []
    handles = [s.register_forward_hook(lambda module, inputs, output: maps.append(inputs[0])) for s in model.stages[2:]]
    model(pictures)
    for handle in handles:
        handle.remove()
    return maps


def maps_averaged(model, pictures):
    return [x.mean(dim=(2, 3)) for x in maps_walk(model, pictures)]


def maps_first_picture(model, pictures):
    return [x[0] for x in maps_walk(model, pictures)]


def maps_before_attention(model, pictures):
    x, maps = model.stem(pictures), []
    for number, stage in enumerate(model.stages, 1):
        if number >= 3:
            maps.append(stage[0](x))
        x = stage(x)
    return maps


def maps_identity_left(model, pictures):
    model.classifier = nn.Identity()
    return maps_walk(model, pictures)


def maps_tokens(model, pictures):
    return [mv.unfold(x) for x in maps_walk(model, pictures)]


def maps_fresh_weights(model, pictures):
    fresh = mv.MobileViTv2(0.5)
    fresh.train(model.training)
    return maps_walk(fresh, pictures)


def maps_with_scores(model, pictures):
    maps = maps_walk(model, pictures)
    return [*maps, model.classifier(maps[-1].mean(dim=(2, 3)))]


def maps_dict(model, pictures):
    return dict(zip((3, 4, 5), maps_walk(model, pictures), strict=True))


def maps_same_size(model, pictures):
    maps = maps_walk(model, pictures)
    return [F.interpolate(x, maps[0].shape[-2:]) for x in maps]


def maps_one_by_one(model, pictures):
    maps = [maps_walk(model, picture[None]) for picture in pictures]
    return [x for single in maps for x in single]


def maps_shapes(model, pictures):
    return [tuple(x.shape) for x in maps_walk(model, pictures)]


def maps_attention_blocks_only(model, pictures):
    x, maps = model.stem(pictures), []
    for stage in model.stages:
        x = stage[0](x)
        if isinstance(stage[-1], mv.MobileViTv2Block):
            x = stage[-1](x)
            maps.append(x)
    return maps


ATTEMPTS = [
    ("round_channels", "right", "as the hint says", round_plain),
    ("round_channels", "right", "a loop to the multiples on both sides", round_loop),
    ("round_channels", "right", "the closest of the allowed candidates", round_candidates),
    ("round_channels", "right", "exact fractions", round_fraction),
    ("round_channels", "right", "NumPy numbers", round_numpy),
    ("round_channels", "right", "divmod and a boolean added", round_divmod),
    ("round_channels", "right", "a 0-d integer tensor", round_tensor),
    ("round_channels", "wrong", "no rule of the tenth", round_without_tenth),
    ("round_channels", "wrong", "rounds down instead of to the nearest", round_down),
    ("round_channels", "wrong", "always rounds up", round_up),
    ("round_channels", "wrong", "halves go to even", round_half_even),
    ("round_channels", "wrong", "halves go down", round_half_down),
    ("round_channels", "wrong", "takes the multiple below when too much is lost", round_subtracts),
    ("round_channels", "wrong", "comparison turned round", round_turned),
    ("round_channels", "wrong", "a tenth of the divisor", round_tenth_of_divisor),
    ("round_channels", "wrong", "a tenth of the result", round_tenth_of_result),
    ("round_channels", "wrong", "keeps a tenth instead of losing one", round_tenth_left),
    ("round_channels", "wrong", "returns how many multiples", round_counts),
    ("round_channels", "wrong", "at least one divisor in place of the tenth", round_floor_of_one),
    ("round_channels", "wrong", "ignores the divisor, always 8", round_eights),
    ("round_channels", "wrong", "cuts the value to a whole number first", round_cut),
    ("round_channels", "wrong", "goes up at exactly a tenth", round_at_a_tenth),
    ("round_channels", "wrong", "forgets to return", round_prints),
    ("round_channels", "wrong", "adds one in place of one divisor", round_one_more),
    ("round_channels", "wrong", "returns the value when too much is lost", round_gives_value),
    ("round_channels", "wrong", "adds a whole divisor before dividing", round_no_half),
    ("model_from_table", "right", "append in a loop", ModelPlain),
    ("model_from_table", "right", "ModuleList and a helper", ModelModuleList),
    ("model_from_table", "right", "reduce and adaptive pooling", ModelPooling),
    ("model_from_table", "right", "mean and classifier in one einsum", ModelEinsum),
    ("model_from_table", "right", "a stem of three torch layers", ModelOwnStem),
    ("model_from_table", "right", "lists first, functional end", ModelDeepLists),
    ("model_from_table", "wrong", "stem with stride 1", ModelStemStride),
    ("model_from_table", "wrong", "stem is a 1×1", ModelStemPointwise),
    ("model_from_table", "wrong", "stem without SiLU", ModelStemLinear),
    ("model_from_table", "wrong", "stem without padding", ModelStemUnpadded),
    ("model_from_table", "wrong", "maximum instead of mean", ModelMax),
    ("model_from_table", "wrong", "sum instead of mean", ModelSum),
    ("model_from_table", "wrong", "first pixel instead of mean", ModelCorner),
    ("model_from_table", "wrong", "mean over the width only", ModelMeanOfRows),
    ("model_from_table", "wrong", "mean over the batch too", ModelMeanOfBatch),
    ("model_from_table", "wrong", "softmax at the end", ModelSoftmax),
    ("model_from_table", "wrong", "classifier without bias", ModelNoBias),
    ("model_from_table", "wrong", "always 1000 classes", ModelThousand),
    ("model_from_table", "wrong", "MobileViTv2 blocks left out", ModelNoBlocks),
    ("model_from_table", "wrong", "strides ignored", ModelStrideOne),
    ("model_from_table", "wrong", "strides in reverse order", ModelStridesTurned),
    ("model_from_table", "wrong", "only the first stride of each stage", ModelFirstStride),
    ("model_from_table", "wrong", "two transformer layers everywhere", ModelTwoLayers),
    ("model_from_table", "wrong", "one residual too many in stage 2", ModelAsPrinted),
    ("model_from_table", "wrong", "token width C instead of dim", ModelWideTokens),
    ("model_from_table", "wrong", "one more 1×1 before the mean, as in v1", ModelAsInV1),
    ("model_from_table", "wrong", "inputs not updated within a stage", ModelInputsKept),
    ("model_from_table", "wrong", "stages in a Python list", ModelPythonList),
    ("model_from_table", "wrong", "MobileViTv2 block before the residual", ModelBlockFirst),
    ("model_from_table", "wrong", "last stage lost", ModelLastStageLost),
    ("model_from_table", "wrong", "a block in stages 1 and 2 too", ModelBlockEverywhere),
    ("model_from_table", "wrong", "no mean: scores for each place", ModelReturnsMap),
    ("model_from_table", "wrong", "a norm before the classifier", ModelNormBefore),
    ("table_of_channels", "right", "with make_divisible", table_plain),
    ("table_of_channels", "right", "a loop and own rounding", table_loop),
    ("table_of_channels", "right", "map over two sequences", table_map),
    ("table_of_channels", "right", "NumPy, all at once", table_numpy),
    ("table_of_channels", "right", "tensors in float64", table_tensor),
    ("table_of_channels", "right", "from the library's table", table_library),
    ("table_of_channels", "right", "limits after rounding", table_limits_last),
    ("table_of_channels", "wrong", "no lower limit", table_no_lower),
    ("table_of_channels", "wrong", "no upper limit", table_no_upper),
    ("table_of_channels", "wrong", "no limits", table_no_limits),
    ("table_of_channels", "wrong", "stage 1 by 8", table_eights),
    ("table_of_channels", "wrong", "all stages by 16", table_sixteens),
    ("table_of_channels", "wrong", "stem by 16", table_stem_sixteens),
    ("table_of_channels", "wrong", "16 for stage 2 instead of 1", table_stage_2),
    ("table_of_channels", "wrong", "cut to whole numbers, no multiples", table_not_rounded),
    ("table_of_channels", "wrong", "min and max exchanged", table_turned_limits),
    ("table_of_channels", "wrong", "nearest multiple without the tenth", table_nearest),
    ("table_of_channels", "wrong", "multiples rounded down", table_down),
    ("table_of_channels", "wrong", "token widths for stages 3 to 5", table_tokens),
    ("table_of_channels", "wrong", "stem left out", table_stages_alone),
    ("table_of_channels", "wrong", "stages nested in a list", table_nested),
    ("table_of_channels", "wrong", "limits on all numbers", table_all_limited),
    ("table_of_channels", "wrong", "limits before scaling", table_limited_early),
    ("table_of_channels", "wrong", "stages as multiples of the rounded stem", table_chained),
    ("table_of_channels", "wrong", "alpha not used", table_width_one),
    ("table_of_channels", "wrong", "alpha rounded to one decimal", table_alpha_rounded),
    ("table_of_channels", "wrong", "alpha squared", table_squared),
    ("table_of_channels", "wrong", "stem not scaled", table_stem_unscaled),
    ("token_counts", "right", "a loop over the stages", tokens_plain),
    ("token_counts", "right", "one rounding up for all", tokens_formula),
    ("token_counts", "right", "NumPy numbers", tokens_numpy),
    ("token_counts", "right", "by running convolutions", tokens_convolutions),
    ("token_counts", "right", "recursion", tokens_recursion),
    ("token_counts", "right", "lengths of ranges", tokens_ranges),
    ("token_counts", "right", "a list of 0-d tensors", tokens_tensors),
    ("token_counts", "wrong", "all four conversations together", tokens_together),
    ("token_counts", "wrong", "sides rounded down", tokens_rounded_down),
    ("token_counts", "wrong", "odd sides not grown", tokens_not_grown),
    ("token_counts", "wrong", "odd sides cropped", tokens_cropped),
    ("token_counts", "wrong", "quarter tokens at odd sides", tokens_not_whole),
    ("token_counts", "wrong", "stem's stride forgotten", tokens_two_strides),
    ("token_counts", "wrong", "one stride too many", tokens_four_strides),
    ("token_counts", "wrong", "not squared", tokens_side),
    ("token_counts", "wrong", "stages in reverse order", tokens_turned),
    ("token_counts", "wrong", "halves rounded to even", tokens_half_even),
    ("token_counts", "wrong", "even sides grown too", tokens_always_grown),
    ("token_counts", "wrong", "only for 256 pixels", tokens_of_256),
    ("token_counts", "wrong", "scaled from 256 pixels", tokens_scaled),
    ("token_counts", "wrong", "summed over the stages", tokens_summed),
    ("token_counts", "wrong", "only the last stage", tokens_last),
    ("token_counts", "wrong", "stages 4 and 5 not halved", tokens_one_shrink),
    ("token_counts", "wrong", "pixels in a patch instead of patches", tokens_per_patch),
    ("token_counts", "wrong", "divided by two instead of four", tokens_halved_once),
    ("token_counts", "wrong", "sides grown to multiples of four", tokens_grown_to_four),
    ("token_counts", "wrong", "stem and stages without attention too", tokens_every_stage),
    ("macs_at", "right", "whole numbers", macs_plain),
    ("macs_at", "right", "exact fractions", macs_fraction),
    ("macs_at", "right", "a loop over tiles of 64×64 pixels", macs_tiles),
    ("macs_at", "right", "floats, rounded", macs_float),
    ("macs_at", "right", "NumPy numbers", macs_numpy),
    ("macs_at", "right", "a float64 tensor", macs_tensor),
    ("macs_at", "right", "by the pixels added", macs_difference),
    ("macs_at", "wrong", "classifier scaled too", macs_classifier_scaled),
    ("macs_at", "wrong", "classifier not added back", macs_classifier_lost),
    ("macs_at", "wrong", "classifier not taken off", macs_classifier_twice),
    ("macs_at", "wrong", "proportional to the side", macs_linear),
    ("macs_at", "wrong", "proportional to the square of the pixels", macs_quadratic),
    ("macs_at", "wrong", "whole division of the sides", macs_whole_ratio),
    ("macs_at", "wrong", "ratio of areas rounded", macs_whole_square),
    ("macs_at", "wrong", "from 224 pixels", macs_from_224),
    ("macs_at", "wrong", "ratio turned round", macs_turned),
    ("macs_at", "wrong", "only the classifier scaled", macs_only_classifier),
    ("macs_at", "wrong", "size ignored", macs_same),
    ("macs_at", "wrong", "brackets forgotten", macs_brackets),
    ("macs_at", "wrong", "in millions", macs_millions),
    ("macs_at", "wrong", "pixels added instead of multiplied", macs_pixels_added),
    ("macs_at", "wrong", "signs of the classifier exchanged", macs_classifier_added),
    ("macs_at", "wrong", "classifier grows with the side", macs_linear_classifier),
    ("macs_at", "wrong", "doubled instead of squared", macs_doubling),
    ("macs_at", "wrong", "ratio of sides rounded to one decimal", macs_ratio_rounded),
    ("feature_maps", "right", "a walk through the stages", maps_walk),
    ("feature_maps", "right", "hooks, removed", maps_hooks),
    ("feature_maps", "right", "accumulate", maps_accumulate),
    ("feature_maps", "right", "stage by stage by hand", maps_by_hand),
    ("feature_maps", "right", "a new Sequential of the same modules", maps_slices),
    ("feature_maps", "right", "hooks by name, with clones", maps_named_hooks),
    ("feature_maps", "right", "hooks on a copy", maps_of_a_copy),
    ("feature_maps", "wrong", "stem forgotten", maps_no_stem),
    ("feature_maps", "wrong", "stages 2 to 4", maps_one_early),
    ("feature_maps", "wrong", "counted from zero: stages 4 and 5 only", maps_counted_from_zero),
    ("feature_maps", "wrong", "all five stages", maps_all),
    ("feature_maps", "wrong", "only the last map", maps_last_alone),
    ("feature_maps", "wrong", "reverse order", maps_turned),
    ("feature_maps", "wrong", "hooks left behind", maps_hooks_left),
    ("feature_maps", "wrong", "two of three hooks left behind", maps_last_hook_left),
    ("feature_maps", "wrong", "left in evaluation mode", maps_eval_left),
    ("feature_maps", "wrong", "left in training mode", maps_train_left),
    ("feature_maps", "wrong", "what enters the stages", maps_of_inputs),
    ("feature_maps", "wrong", "averaged over the map", maps_averaged),
    ("feature_maps", "wrong", "only the first picture", maps_first_picture),
    ("feature_maps", "wrong", "before the MobileViTv2 block", maps_before_attention),
    ("feature_maps", "wrong", "classifier replaced for good", maps_identity_left),
    ("feature_maps", "wrong", "tokens instead of maps", maps_tokens),
    ("feature_maps", "wrong", "maps of a fresh model", maps_fresh_weights),
    ("feature_maps", "wrong", "class scores appended", maps_with_scores),
    ("feature_maps", "wrong", "a dictionary", maps_dict),
    ("feature_maps", "wrong", "all maps enlarged to one size", maps_same_size),
    ("feature_maps", "wrong", "picture by picture, not batched", maps_one_by_one),
    ("feature_maps", "wrong", "shapes instead of maps", maps_shapes),
    ("feature_maps", "wrong", "second residual of stage 2 skipped", maps_attention_blocks_only),
]
