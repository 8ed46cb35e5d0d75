"""Attempts of a second adversarial reader, at notebooks 05 to 07: written before any check was mended for them."""

import math
from fractions import Fraction

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import blocks
from mvit2_lib.model import make_divisible


class Build(nn.Module):
    bn_stride = True
    expand_from_out = False

    def __init__(self, stem, stages, num_classes):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, 3, stride=2)
        body, c = [], stem
        for channels, strides, dim, layers in stages:
            for s in strides:
                body.append(blocks.InvertedResidual(c, channels, stride=s))
                c = channels
            if dim:
                body.append(blocks.MobileViTv2Block(channels, dim, layers))
        self.body = nn.ModuleList(body)
        self.head = nn.Linear(c, num_classes)

    def features(self, x):
        x = self.stem(x)
        for part in self.body:
            x = part(x)
        return x

    def forward(self, x):
        return self.head(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class BuildSum(Build):
    def forward(self, x):
        return self.head(self.features(x).flatten(2).sum(-1))


class BuildMax(Build):
    def forward(self, x):
        return self.head(F.adaptive_max_pool2d(self.features(x), 1).flatten(1))


class BuildNoHead(Build):
    def forward(self, x):
        return self.features(x).mean((2, 3))


class BuildSoftmax(Build):
    def forward(self, x):
        return super().forward(x).softmax(1)


class BuildSpatial(Build):
    def forward(self, x):
        return self.head(self.features(x).movedim(1, -1))


class BuildAxes(Build):
    def forward(self, x):
        return self.head(self.features(x).mean((1, 2)))


class BuildReturnsNothing(Build):
    def forward(self, x):
        self.head(self.features(x).mean((2, 3)))


class BuildStemStride(Build):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.stem.conv.stride = (1, 1)


class BuildNoBlocks(nn.Module):
    def __init__(self, stem, stages, num_classes):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, 3, stride=2)
        self.stages, c = nn.Sequential(), stem
        for channels, strides, _dim, _layers in stages:
            for s in strides:
                self.stages.append(blocks.InvertedResidual(c, channels, stride=s))
                c = channels
        self.classifier = nn.Linear(c, num_classes)

    def forward(self, x):
        return self.classifier(self.stages(self.stem(x)).mean((-1, -2)))


class BuildWrongIn(nn.Module):
    def __init__(self, stem, stages, num_classes):
        super().__init__()
        self.stem = blocks.ConvNormAct(3, stem, 3, stride=2)
        self.stages = nn.Sequential()
        for channels, strides, _dim, _layers in stages:
            self.stages.append(nn.Sequential(*(blocks.InvertedResidual(channels, channels, s) for s in strides)))
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x):
        return self.classifier(self.stages(self.stem(x)).mean((-1, -2)))


def rounding(value, divisor):
    down = math.floor(value / divisor) * divisor
    best = down + divisor if Fraction(value) - down >= Fraction(divisor, 2) else down
    best = max(best, divisor)
    return best if best >= 0.9 * value else best + divisor


def table(rule=make_divisible, low=16, high=64, first=16):
    def attempt(alpha):
        stem = rule(max(low, min(high, 32 * alpha)), 8)
        return [stem, rule(64 * alpha, first)] + [rule(c * alpha, 8) for c in (128, 256, 384, 512)]

    return attempt


def counts(pixels):
    out, s = [], pixels
    for stage in range(5):
        s = math.ceil(s / 2)
        if stage > 1:
            s = 2 * math.ceil(s / 2)
            out.append(s * s // 4)
    return np.array(out)


def maps_hooks(remove=True, stages=(2, 3, 4)):
    def attempt(model, pictures):
        kept, handles = [], []
        for i in stages:
            handles.append(model.stages[i].register_forward_hook(lambda m, i, o: kept.append(o)))
        model(pictures)
        if remove:
            for handle in handles:
                handle.remove()
        return kept

    return attempt


def maps_train(model, pictures):
    model.train()
    return maps_hooks()(model, pictures)


def maps_change(model, pictures):
    model.classifier = nn.Identity()
    return maps_hooks()(model, pictures)


def ours(w, names=("W_I", "W_K", "W_V"), flat=True, bias=True, order=(0, 1, 2)):
    d = w["out_proj.bias"].numel()
    rows = [slice(0, 1), slice(1, 1 + d), slice(1 + d, None)]
    out = {}
    for name, place in zip(names, order, strict=True):
        weight = w["qkv_proj.weight"][rows[place]]
        out[f"{name}.weight"] = weight[:, :, 0, 0] if flat else weight
        if bias:
            out[f"{name}.bias"] = w["qkv_proj.bias"][rows[place]]
    out["W_O.weight"] = w["out_proj.weight"].squeeze(-1).squeeze(-1) if flat else w["out_proj.weight"]
    out["W_O.bias"] = w["out_proj.bias"]
    return out


def prep(how=3, crop=256, side=288, mode="RGB", scale=255.0, truncate=round):
    def attempt(image):
        w, h = image.size
        w, h = (side, h * side // w) if w < h else (w * side // h, side)
        image = image.convert(mode).resize((w, h), resample=how)
        a = np.asarray(image, dtype=np.float32)
        top, left = truncate((h - crop) / 2), truncate((w - crop) / 2)
        return torch.tensor(a[top : top + crop, left : left + crop]).permute(2, 0, 1).unsqueeze(0) / scale

    return attempt


def prep_torch(image, mode="bicubic", antialias=True):
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    h, w = x.shape[-2:]
    size = (288 * h // min(h, w), 288 * w // min(h, w))
    x = F.interpolate(x, size, mode=mode, antialias=antialias, align_corners=False)
    top, left = round((size[0] - 256) / 2), round((size[1] - 256) / 2)
    return x[..., top : top + 256, left : left + 256].div(255)


def order_rgb(pipeline, model):
    x = torch.rand(2, 3, 8, 8)
    return "RGB" if torch.allclose(pipeline(x), model(x), atol=1e-5) else "BGR"


def order_grey(pipeline, model):
    x = torch.full((1, 3, 8, 8), 0.5)
    return "RGB" if torch.allclose(pipeline(x), model(x), atol=1e-5) else "BGR"


def order_argmax(pipeline, model):
    x = torch.rand(1, 3, 8, 8)
    return "RGB" if pipeline(x).argmax() == model(x).argmax() else "BGR"


def tops(read=True, first=0, last=5, scale=1):
    def attempt(lines):
        lines = [line for line in lines if "answers" in line or not read]
        one = np.mean([line.get("answers", [None])[first] == line["label"] for line in lines])
        five = np.mean([line["label"] in line.get("answers", [])[:last] for line in lines])
        return scale * one, scale * five

    return attempt


def step(order="zfbs", mode=None, loss=F.cross_entropy, item=True):
    def attempt(model, optimizer, images, labels):
        if mode is not None:
            model.train(mode)
        for letter in order:
            if letter == "z":
                optimizer.zero_grad(set_to_none=False)
            elif letter == "f":
                value = loss(model(images), labels)
            elif letter == "b":
                value.backward()
            else:
                optimizer.step()
        return value.item() if item else value

    return attempt


def rate(step, steps, warmup, highest):
    if warmup > step:
        return np.float64(highest) * (1 + step) / (1 + warmup)
    return torch.tensor(highest / 2 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup - 1))))


def rate_with(down, up=lambda s, w: (s + 1) / (w + 1)):
    return lambda s, n, w, h: h * (up(s, w) if s < w else down((s - w) / (n - 1 - w)))


def head(model, count=True, keep=("classifier",)):
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(keep)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def one_hot(label, classes, smoothing):
    target = F.one_hot(torch.tensor(label), classes).double()
    return (1 - smoothing) * target + smoothing / classes


cos = math.cos
ATTEMPTS = [
    ("round_channels", "right", "fractions", rounding),
    ("round_channels", "right", "library", lambda v, d: make_divisible(v, d)),
    ("round_channels", "right", "float", lambda v, d: float(make_divisible(v, d))),
    ("round_channels", "wrong", "floor of half", lambda v, d: round(v / d) * d),
    ("round_channels", "wrong", "no minimum rule", lambda v, d: int((v + d / 2) // d) * d),
    ("round_channels", "wrong", "ceil", lambda v, d: -(-v // d) * d),
    (
        "round_channels",
        "wrong",
        "0.9 <=",
        lambda v, d: (lambda n: n if n > 0.9 * v else n + d)(int((v + d / 2) // d) * d),
    ),
    (
        "round_channels",
        "wrong",
        "loss of a tenth relative to n",
        lambda v, d: (lambda n: n + d if (v - n) / d > 0.1 else n)(int((v + d / 2) // d) * d),
    ),
    (
        "round_channels",
        "wrong",
        "adds one",
        lambda v, d: (lambda n: n + 1 if n < 0.9 * v else n)(int((v + d / 2) // d) * d),
    ),
    ("round_channels", "wrong", "number of multiples", lambda v, d: make_divisible(v, d) // d),
    ("round_channels", "wrong", "for 8 only", lambda v, d: make_divisible(v, 8)),
    ("model_from_table", "right", "flat list, other names", Build),
    ("model_from_table", "right", "a subclass", type("Again", (Build,), {})),
    (
        "model_from_table",
        "right",
        "loop pooling",
        type("Loop", (Build,), {"forward": lambda s, x: s.head(torch.stack([y.mean((1, 2)) for y in s.features(x)]))}),
    ),
    ("model_from_table", "wrong", "sum", BuildSum),
    ("model_from_table", "wrong", "max", BuildMax),
    ("model_from_table", "wrong", "no head", BuildNoHead),
    ("model_from_table", "wrong", "softmax", BuildSoftmax),
    ("model_from_table", "wrong", "no pooling", BuildSpatial),
    ("model_from_table", "wrong", "mean of other axes", BuildAxes),
    ("model_from_table", "wrong", "no return", BuildReturnsNothing),
    ("model_from_table", "wrong", "stem stride", BuildStemStride),
    ("model_from_table", "wrong", "no blocks", BuildNoBlocks),
    ("model_from_table", "wrong", "in channels", BuildWrongIn),
    ("table_of_channels", "right", "plain", table()),
    ("table_of_channels", "right", "numpy", lambda a: np.array(table()(a))),
    ("table_of_channels", "right", "own rounding", table(rounding)),
    ("table_of_channels", "wrong", "first 8", table(first=8)),
    ("table_of_channels", "wrong", "low 8", table(low=8)),
    ("table_of_channels", "wrong", "high 128", table(high=128)),
    ("table_of_channels", "wrong", "doubled", lambda a: [2 * c for c in table()(a)]),
    ("table_of_channels", "wrong", "reversed", lambda a: table()(a)[::-1]),
    ("table_of_channels", "wrong", "no stem", lambda a: table()(a)[1:]),
    ("table_of_channels", "wrong", "floor", table(lambda v, d: int(v // d * d))),
    ("token_counts", "right", "numpy", counts),
    ("token_counts", "right", "ceil of 64ths", lambda p: [math.ceil(math.ceil(p / 2**n) / 2) ** 2 for n in (3, 4, 5)]),
    ("token_counts", "right", "tensor", lambda p: torch.tensor(counts(p))),
    ("token_counts", "wrong", "floor", lambda p: [(p // 2 ** (n + 1)) ** 2 for n in (3, 4, 5)]),
    ("token_counts", "wrong", "pixels", lambda p: [math.ceil(p / 2**n) ** 2 for n in (3, 4, 5)]),
    (
        "token_counts",
        "wrong",
        "one stage early",
        lambda p: [math.ceil(math.ceil(p / 2**n) / 2) ** 2 for n in (2, 3, 4)],
    ),
    ("token_counts", "wrong", "sides", lambda p: [math.ceil(math.ceil(p / 2**n) / 2) for n in (3, 4, 5)]),
    ("token_counts", "wrong", "all summed", lambda p: int(counts(p).sum())),
    ("token_counts", "wrong", "four times", lambda p: 4 * counts(p)),
    ("macs_at", "right", "float", lambda p, m, c: c + (m - c) * (p / 256) ** 2),
    ("macs_at", "right", "fraction", lambda p, m, c: int(c + (m - c) * Fraction(p, 256) ** 2)),
    ("macs_at", "right", "tensor", lambda p, m, c: torch.tensor(c + (m - c) * p * p // 65536)),
    ("macs_at", "wrong", "all", lambda p, m, c: m * (p / 256) ** 2),
    ("macs_at", "wrong", "linear", lambda p, m, c: c + (m - c) * p / 256),
    ("macs_at", "wrong", "inverse", lambda p, m, c: c + (m - c) * (256 / p) ** 2),
    ("macs_at", "wrong", "no classifier", lambda p, m, c: (m - c) * (p / 256) ** 2),
    ("macs_at", "wrong", "twice c", lambda p, m, c: (m - c) * (p / 256) ** 2 + 2 * c),
    ("macs_at", "wrong", "fourth power", lambda p, m, c: (m - c) * (p / 256) ** 4 + c),
    ("feature_maps", "right", "hooks", maps_hooks()),
    ("feature_maps", "right", "tuple", lambda m, x: tuple(maps_hooks()(m, x))),
    ("feature_maps", "right", "slices", lambda m, x: [m.stages[:n](m.stem(x)) for n in (3, 4, 5)]),
    ("feature_maps", "wrong", "hooks left", maps_hooks(False)),
    ("feature_maps", "wrong", "stages 1 to 3", maps_hooks(stages=(0, 1, 2))),
    ("feature_maps", "wrong", "two stages", maps_hooks(stages=(3, 4))),
    ("feature_maps", "wrong", "train mode", maps_train),
    ("feature_maps", "wrong", "classifier removed", maps_change),
    ("feature_maps", "wrong", "reversed", lambda m, x: maps_hooks()(m, x)[::-1]),
    ("feature_maps", "wrong", "a dict", lambda m, x: dict(zip("345", maps_hooks()(m, x), strict=True))),
    ("feature_maps", "wrong", "relu", lambda m, x: [y.relu() for y in maps_hooks()(m, x)]),
    ("translate", "right", "slices", ours),
    (
        "translate",
        "right",
        "numpy round trip",
        lambda w: {n: torch.from_numpy(t.numpy().copy()) for n, t in ours(w).items()},
    ),
    ("translate", "right", "another order of names", lambda w: dict(reversed(list(ours(w).items())))),
    ("translate", "wrong", "K and V", lambda w: ours(w, order=(0, 2, 1))),
    ("translate", "wrong", "not flat", lambda w: ours(w, flat=False)),
    ("translate", "wrong", "no bias", lambda w: ours(w, bias=False)),
    ("translate", "wrong", "W_Q", lambda w: ours(w, names=("W_Q", "W_K", "W_V"))),
    ("translate", "wrong", "squeezed vector", lambda w: ours(w) | {"W_I.weight": ours(w)["W_I.weight"][0]}),
    ("translate", "wrong", "W_O transposed", lambda w: ours(w) | {"W_O.weight": ours(w)["W_O.weight"].T}),
    ("translate", "wrong", "kept theirs", lambda w: w | ours(w)),
    (
        "translate",
        "wrong",
        "thirds",
        lambda w: (
            ours(w)
            | dict(
                zip(
                    ("W_I.weight", "W_K.weight", "W_V.weight"),
                    w["qkv_proj.weight"].flatten(1).tensor_split(3),
                    strict=True,
                )
            )
        ),
    ),
    ("translate", "wrong", "tuple", lambda w: tuple(ours(w).values())),
    ("prepare", "right", "numpy", prep()),
    ("prepare", "right", "torch bicubic", prep_torch),
    ("prepare", "right", "library", lambda i: mv.preprocess(i).double()),
    ("prepare", "wrong", "bilinear", prep(how=2)),
    ("prepare", "wrong", "torch bilinear", lambda i: prep_torch(i, "bilinear")),
    ("prepare", "wrong", "256", prep(side=256)),
    ("prepare", "wrong", "no division", prep(scale=1)),
    ("prepare", "wrong", "256ths", prep(scale=256)),
    ("prepare", "wrong", "floor", prep(truncate=math.floor)),
    ("prepare", "wrong", "ceil", prep(truncate=math.ceil)),
    ("prepare", "wrong", "BGR", lambda i: prep()(i)[:, [2, 1, 0]]),
    ("prepare", "wrong", "no batch", lambda i: prep()(i)[0]),
    ("prepare", "wrong", "HWC", lambda i: prep()(i)[0].permute(1, 2, 0)[None]),
    (
        "prepare",
        "wrong",
        "squash",
        lambda i: torch.tensor(np.array(i.resize((256, 256), Image.Resampling.BICUBIC)) / 255).permute(2, 0, 1)[None],
    ),
    ("prepare", "wrong", "half normalised", lambda i: (prep()(i) - 0.5) / 0.5),
    ("prepare", "wrong", "crop 224", prep(crop=224)),
    (
        "name_from_timm",
        "right",
        "loop",
        lambda n: (
            n.replace("conv1_1x1", "expand")
            .replace("conv2_kxk", "depthwise")
            .replace("conv3_1x1", "project")
            .replace(".bn.", ".norm.")
        ),
    ),
    (
        "name_from_timm",
        "right",
        "parts",
        lambda n: ".".join(
            {"conv1_1x1": "expand", "conv2_kxk": "depthwise", "conv3_1x1": "project", "bn": "norm"}.get(p, p)
            for p in n.split(".")
        ),
    ),
    (
        "name_from_timm",
        "wrong",
        "no norm",
        lambda n: n.replace("conv1_1x1", "expand").replace("conv2_kxk", "depthwise").replace("conv3_1x1", "project"),
    ),
    ("name_from_timm", "wrong", "list", lambda n: n.split(".")),
    ("name_from_timm", "wrong", "upper", lambda n: n.upper()),
    ("name_from_timm", "wrong", "unchanged", lambda n: n.replace("bn.bn", "norm")),
    ("channel_order", "right", "random", order_rgb),
    (
        "channel_order",
        "right",
        "exact",
        lambda p, m: ("BGR", "RGB")[
            int(torch.equal(p(torch.eye(3)[:, :, None, None]), m(torch.eye(3)[:, :, None, None])))
        ],
    ),
    ("channel_order", "wrong", "grey", order_grey),
    ("channel_order", "wrong", "argmax", order_argmax),
    ("channel_order", "wrong", "lower case", lambda p, m: order_rgb(p, m).lower()),
    ("channel_order", "wrong", "bool", lambda p, m: order_rgb(p, m) == "RGB"),
    ("top_1_and_5", "right", "numpy", tops()),
    ("top_1_and_5", "right", "list", lambda lines: [float(v) for v in tops()(lines)]),
    ("top_1_and_5", "right", "tensor", lambda lines: torch.tensor(tops()(lines))),
    ("top_1_and_5", "wrong", "unreadable counted", tops(read=False)),
    ("top_1_and_5", "wrong", "last", tops(first=-1)),
    ("top_1_and_5", "wrong", "top 3", tops(last=3)),
    ("top_1_and_5", "wrong", "percent", tops(scale=100)),
    ("top_1_and_5", "wrong", "exchanged", lambda lines: tops()(lines)[::-1]),
    ("top_1_and_5", "wrong", "errors", lambda lines: tuple(1 - v for v in tops()(lines))),
    ("top_1_and_5", "wrong", "rounded", lambda lines: tuple(round(v, 2) for v in tops()(lines))),
    ("training_step", "right", "zero first", step()),
    ("training_step", "wrong", "zero last", step("fbsz")),
    ("training_step", "right", "tensor with graph", step(item=False)),
    ("training_step", "right", "train() called", step(mode=True)),
    ("training_step", "wrong", "no zero", step("fbs")),
    ("training_step", "wrong", "zero between", step("fbzs")),
    ("training_step", "wrong", "no step", step("zfb")),
    ("training_step", "wrong", "no backward", step("zfs")),
    ("training_step", "wrong", "step first", step("sfb")),
    ("training_step", "wrong", "loss afterwards", step("zfbsf")),
    ("training_step", "wrong", "eval", step(mode=False)),
    ("training_step", "wrong", "summed", step(loss=lambda s, y: F.cross_entropy(s, y, reduction="sum"))),
    ("training_step", "wrong", "softmax", step(loss=lambda s, y: F.cross_entropy(F.softmax(s, 1), y))),
    ("training_step", "wrong", "log softmax summed", step(loss=lambda s, y: F.multi_margin_loss(s, y))),
    ("training_step", "wrong", "whole loss", step(loss=lambda s, y: F.cross_entropy(s, y, reduction="none"))),
    ("learning_rate", "right", "numpy and tensor", rate),
    ("learning_rate", "right", "squares", rate_with(lambda t: cos(math.pi * t / 2) ** 2)),
    (
        "learning_rate",
        "right",
        "np.where",
        lambda s, n, w, h: np.where(s < w, h * (s + 1) / (w + 1), h * (1 + np.cos(np.pi * (s - w) / (n - 1 - w))) / 2),
    ),
    ("learning_rate", "wrong", "linear", rate_with(lambda t: 1 - t)),
    ("learning_rate", "wrong", "quarter", rate_with(lambda t: cos(math.pi * t / 2))),
    ("learning_rate", "wrong", "no half", rate_with(lambda t: 1 + cos(math.pi * t))),
    ("learning_rate", "wrong", "square", rate_with(lambda t: (1 - t) ** 2)),
    ("learning_rate", "wrong", "zero at start", rate_with(lambda t: (1 + cos(math.pi * t)) / 2, lambda s, w: s / w)),
    (
        "learning_rate",
        "wrong",
        "warm-up squared",
        rate_with(lambda t: (1 + cos(math.pi * t)) / 2, lambda s, w: ((s + 1) / (w + 1)) ** 2),
    ),
    ("learning_rate", "wrong", "share", lambda s, n, w, h: rate(s, n, w, 1.0)),
    ("smoothed", "right", "tensor", one_hot),
    ("smoothed", "right", "numpy", lambda i, n, s: np.eye(n)[i] * (1 - s) + s / n),
    ("smoothed", "right", "tuple", lambda i, n, s: tuple(1 - s + s / n if j == i else s / n for j in range(n))),
    ("smoothed", "wrong", "others only", lambda i, n, s: [1 - s if j == i else s / (n - 1) for j in range(n)]),
    ("smoothed", "wrong", "uniform", lambda i, n, s: [1 / n] * n),
    ("smoothed", "wrong", "shifted", lambda i, n, s: np.roll(one_hot(i, n, s), 1)),
    ("smoothed", "wrong", "logs", lambda i, n, s: one_hot(i, n, s).log()),
    ("smoothed", "wrong", "times n", lambda i, n, s: n * one_hot(i, n, s)),
    ("share_of", "right", "numpy", lambda b, r, n: np.array_split(np.array(b), n)[r]),
    ("share_of", "right", "chunk", lambda b, r, n: torch.tensor(b).chunk(n)[r]),
    (
        "share_of",
        "right",
        "integers of numpy",
        lambda b, r, n: [np.int64(v) for v in b[r * len(b) // n : (r + 1) * len(b) // n]],
    ),
    ("share_of", "wrong", "strided", lambda b, r, n: b[r::n]),
    ("share_of", "wrong", "next", lambda b, r, n: np.roll(b, -len(b) // n).reshape(n, -1)[r]),
    ("share_of", "wrong", "reversed", lambda b, r, n: np.reshape(b, (n, -1))[r][::-1]),
    ("share_of", "wrong", "all", lambda b, r, n: np.reshape(b, (n, -1))),
    ("share_of", "wrong", "one short", lambda b, r, n: np.reshape(b, (n, -1))[r][:-1]),
    (
        "statistics_of_both",
        "right",
        "numpy",
        lambda a, v, b, w: np.array([(a + b) / 2, (v + w) / 2 + (a - b) ** 2 / 4]),
    ),
    (
        "statistics_of_both",
        "right",
        "tensors",
        lambda a, v, b, w: (torch.tensor((a + b) / 2), torch.tensor((v + w) / 2 + ((a - b) / 2) ** 2)),
    ),
    ("statistics_of_both", "wrong", "means only", lambda a, v, b, w: ((a + b) / 2, (v + w) / 2)),
    (
        "statistics_of_both",
        "wrong",
        "deviation",
        lambda a, v, b, w: ((a + b) / 2, math.sqrt((v + w) / 2 + ((a - b) / 2) ** 2)),
    ),
    ("statistics_of_both", "wrong", "times two", lambda a, v, b, w: ((a + b) / 2, v + w + (a - b) ** 2 / 2)),
    ("statistics_of_both", "wrong", "variance only", lambda a, v, b, w: (v + w) / 2 + ((a - b) / 2) ** 2),
    ("train_only_the_head", "right", "by name", head),
    ("train_only_the_head", "right", "tensor", lambda m: torch.tensor(head(m))),
    ("train_only_the_head", "right", "eval", lambda m: head(m.eval())),
    ("train_only_the_head", "wrong", "stem as well", lambda m: head(m, keep=("classifier", "stem"))),
    ("train_only_the_head", "wrong", "last stage as well", lambda m: head(m, keep=("classifier", "stages.4"))),
    ("train_only_the_head", "wrong", "weight only", lambda m: head(m, keep=("classifier.weight",))),
    ("train_only_the_head", "wrong", "nothing frozen", lambda m: sum(p.numel() for p in m.classifier.parameters())),
    ("train_only_the_head", "wrong", "no return", lambda m: print(head(m))),
]
