"""The checks of the exercises of notebook 09."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from .exercise import Exercise
from .values import Remark, random


def _fold(conv, norm, scale: Callable | None = None, bias: Callable | None = None) -> nn.Conv2d:
    """Fold a batch norm; the options are the ways to go wrong."""
    scale = (scale or (lambda n: n.weight / (n.running_var + n.eps).sqrt()))(norm)
    bias = bias or (lambda b, n, scale: (b - n.running_mean) * scale + n.bias)
    folded = copy.deepcopy(conv)
    folded.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    before = torch.zeros_like(norm.bias) if conv.bias is None else conv.bias
    folded.bias = nn.Parameter(bias(before, norm, scale))
    return folded


def _only_bias(conv, norm) -> nn.Conv2d:
    folded = _fold(conv, norm)
    folded.weight = conv.weight
    return folded


def _convolves(function: Callable) -> Callable:
    """Return what the convolution that a function returns makes of a picture."""

    def called(channels: tuple[int, int], options: dict, eps: float):
        conv = nn.Conv2d(*channels, kernel_size=3, **options).requires_grad_(False).eval()
        norm = nn.BatchNorm2d(channels[1], eps=eps).requires_grad_(False).eval()
        for number, tensor in enumerate((conv.weight, *([] if conv.bias is None else [conv.bias]), *norm.buffers())):
            if tensor.is_floating_point():
                tensor.copy_(random(number + 1, *tensor.shape)[0])
        norm.running_var.copy_(norm.running_var.abs() / 4 + 0.05)
        norm.weight.copy_(random(7, channels[1])[0].abs() + 0.3)
        norm.bias.copy_(random(8, channels[1])[0])
        before = [copy.deepcopy(module.state_dict()) for module in (conv, norm)]
        folded = function(conv, norm)
        if folded is None or folded is ...:
            return folded
        for module, state, name in zip((conv, norm), before, ("conv", "norm"), strict=True):
            now = module.state_dict()
            if now.keys() != state.keys() or any(not torch.equal(now[key], state[key]) for key in state):
                raise Remark(f"`{name}` has changed: work on a copy, and let it stay as it is")
        if not isinstance(folded, nn.Module):
            raise Remark("return a convolution, an nn.Conv2d")
        if any(isinstance(part, nn.BatchNorm2d) for part in folded.modules()):
            raise Remark("the batch norm is still in it: return one convolution, an nn.Conv2d")
        if not isinstance(folded, nn.Conv2d):
            raise Remark(f"it returned a {type(folded).__name__}: return one convolution, an nn.Conv2d")
        for name in ("stride", "padding", "dilation", "groups"):
            if getattr(folded, name) != getattr(conv, name):
                raise Remark(f"the {name} is lost: it was {getattr(conv, name)}, and is {getattr(folded, name)}")
        if folded.bias is None:
            raise Remark("the new convolution has no bias: what the norm adds has no place")
        return folded(random(2, channels[0], 7, 9))

    return called


fold_norm = Exercise(
    "9.1 fold a batch norm",
    _fold,
    {
        "a convolution without bias": ((3, 4), {"bias": False}, 1e-5),
        "a convolution with a bias": ((2, 5), {"padding": 1, "stride": 2}, 1e-5),
        "a depthwise convolution": ((6, 6), {"groups": 6, "bias": False}, 1e-5),
        "a large ε": ((3, 4), {}, 0.5),
    },
    {
        "ε is missing: it stands under the root": lambda c, n: _fold(c, n, lambda n: n.weight / n.running_var.sqrt()),
        "ε stands beside the root: it belongs under it": lambda c, n: _fold(
            c, n, lambda n: n.weight / (n.running_var.sqrt() + n.eps)
        ),
        "it is always the same ε: take `norm.eps`": lambda c, n: _fold(
            c, n, lambda n: n.weight / (n.running_var + 1e-5).sqrt()
        ),
        "it is divided by the variance: take its square root": lambda c, n: _fold(
            c, n, lambda n: n.weight / (n.running_var + n.eps)
        ),
        "it is multiplied by σ: divide": lambda c, n: _fold(c, n, lambda n: n.weight * (n.running_var + n.eps).sqrt()),
        "γ is missing, `norm.weight`": lambda c, n: _fold(c, n, lambda n: (n.running_var + n.eps).rsqrt()),
        "σ is missing": lambda c, n: _fold(c, n, lambda n: n.weight),
        "β is missing, `norm.bias`": lambda c, n: _fold(c, n, bias=lambda b, n, s: (b - n.running_mean) * s),
        "β is divided by σ as well: it comes after": lambda c, n: _fold(
            c, n, bias=lambda b, n, s: (b - n.running_mean + n.bias) * s
        ),
        "μ is not scaled: it is subtracted before the norm divides by σ": lambda c, n: _fold(
            c, n, bias=lambda b, n, s: b * s - n.running_mean + n.bias
        ),
        "μ is missing, `norm.running_mean`": lambda c, n: _fold(c, n, bias=lambda b, n, s: b * s + n.bias),
        "μ is added: subtract it": lambda c, n: _fold(c, n, bias=lambda b, n, s: (b + n.running_mean) * s + n.bias),
        "the convolution's own bias is lost": lambda c, n: _fold(
            c, n, bias=lambda b, n, s: -n.running_mean * s + n.bias
        ),
        "the convolution's own bias is not scaled: it goes through the norm like all the rest": lambda c, n: _fold(
            c, n, bias=lambda b, n, s: b - n.running_mean * s + n.bias
        ),
        "nothing but the weight is folded: the bias must hold what is left": lambda c, n: _fold(
            c, n, bias=lambda b, n, s: b
        ),
        "nothing but the bias is folded: the weight is γ w / σ": _only_bias,
        "this is the convolution alone, without the norm": lambda c, n: _fold(
            c, n, lambda n: torch.ones_like(n.weight), lambda b, n, s: b
        ),
    },
    effect=_convolves,
)


class _Passes(TorchDispatchMode):
    """Collect the operators that read or write as many numbers as a map has."""

    def __init__(self, numbers: int):
        super().__init__()
        self.numbers, self.names = numbers, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        touched = (*args, *(result if isinstance(result, tuple) else (result,)))
        large = any(isinstance(part, Tensor) and part.numel() >= self.numbers for part in touched)
        name = function.overloadpacket.__name__
        if large and not function.is_view and not name.startswith(("empty", "_unsafe_view", "new_empty")):
            self.names.append(name.removeprefix("native_"))
        return result


def _norm(x, weight, bias, eps, dims=(1, 2, 3), unbiased=False, scale=lambda v, eps: (v + eps).rsqrt(), last=None):
    variance, mean = torch.var_mean(x, dim=dims, keepdim=True, correction=int(unbiased))
    y = (x - mean) * scale(variance, eps)
    return y * weight + bias if last is None else last(y)


_MOST_PASSES = 3


def _in_few_passes(function: Callable) -> Callable:
    """Return what a function returns, unless it is right but takes too many passes over the map.

    They are counted where ε is large, which nobody gets right by chance.
    """

    def called(x: Tensor, weight: Tensor, bias: Tensor, eps: float):
        wanted = _norm(x, weight, bias, eps)
        with _Passes(x.numel()) as passes, torch.no_grad():
            got = function(x, weight, bias, eps)
        right = (
            eps > 0.1
            and isinstance(got, Tensor)
            and got.shape == wanted.shape
            and torch.allclose(got, wanted, atol=1e-5)
        )
        if right and len(passes.names) > _MOST_PASSES:
            raise Remark(
                f"the numbers are right, but {len(passes.names)} operators go over the whole map "
                f"({', '.join(passes.names)}), and {_MOST_PASSES} are enough"
            )
        return got

    return called


fast_norm = Exercise(
    "9.2 the same norm in fewer passes",
    lambda x, weight, bias, eps: torch.addcmul(bias, F.layer_norm(x, x.shape[1:], eps=eps), weight),
    {
        "one picture": (random(1, 4, 6, 5) + 0.7, random(5).abs() + 0.4, random(5) - 1, 1e-5),
        "three pictures": (
            random(3, 4, 7, 6) * torch.tensor([0.5, 1.0, 3.0]).view(3, 1, 1, 1) - 2,
            random(6) + 1.5,
            random(6),
            1e-5,
        ),
        "a large ε": (random(2, 4, 9, 3) * 0.6 + 1, random(3) + 1, random(3), 0.3),
    },
    {
        "every token is normalised by itself: the statistics are those of a whole picture": lambda x, w, b, e: _norm(
            x, w, b, e, dims=(3,)
        ),
        "every channel is normalised by itself: the statistics are those of a whole picture": lambda x, w, b, e: _norm(
            x, w, b, e, dims=(1, 2)
        ),
        "every pixel position is normalised by itself: the statistics are those of a picture": lambda x, w, b, e: _norm(
            x, w, b, e, dims=(2, 3)
        ),
        "all pictures are normalised together: each has statistics of its own": lambda x, w, b, e: _norm(
            x, w, b, e, dims=(0, 1, 2, 3)
        ),
        "the variance is divided by n − 1: divide by n": lambda x, w, b, e: _norm(x, w, b, e, unbiased=True),
        "`eps` is not used: the default of the function is another": lambda x, w, b, e: _norm(x, w, b, 1e-5),
        "ε stands beside the root: it belongs under it": lambda x, w, b, e: _norm(
            x, w, b, e, scale=lambda v, e: 1 / (v.sqrt() + e)
        ),
        "it is divided by the variance: take its square root": lambda x, w, b, e: _norm(
            x, w, b, e, scale=lambda v, e: 1 / (v + e)
        ),
        "`weight` is missing": lambda x, w, b, e: _norm(x, w, b, e, last=lambda y: y + b),
        "`bias` is missing": lambda x, w, b, e: _norm(x, w, b, e, last=lambda y: y * w),
        "`weight` and `bias` are both missing": lambda x, w, b, e: _norm(x, w, b, e, last=lambda y: y),
        "`weight` and `bias` are exchanged": lambda x, w, b, e: _norm(x, b, w, e),
        "`bias` is multiplied by `weight`, too: add it last": lambda x, w, b, e: _norm(
            x, w, b, e, last=lambda y: (y + b) * w
        ),
        "`torch.var_mean` gives the variance first, then the mean": lambda x, w, b, e: (
            (x - x.var(dim=(1, 2, 3), keepdim=True, correction=0))
            * (x.mean(dim=(1, 2, 3), keepdim=True) + e).rsqrt()
            * w
            + b
        ),
        "the mean that is subtracted at the end is not multiplied by `weight`": lambda x, w, b, e: (
            _norm(x, w, b, e)
            + (w - 1)
            * x.mean(dim=(1, 2, 3), keepdim=True)
            * (x.var(dim=(1, 2, 3), keepdim=True, correction=0) + e).rsqrt()
        ),
        "the mean is not subtracted": lambda x, w, b, e: (
            x * (x.var(dim=(1, 2, 3), keepdim=True, correction=0) + e).rsqrt() * w + b
        ),
        "it is divided by the root of the mean square of `x`: subtract the mean first": lambda x, w, b, e: (
            x * (x.square().mean(dim=(1, 2, 3), keepdim=True) + e).rsqrt() * w + b
        ),
    },
    effect=_in_few_passes,
)


def _quantize(weight, peak=lambda rows: rows.abs().amax(dim=1), steps=127, to_whole=torch.round):
    s = peak(weight.flatten(1)) / steps
    s = torch.where(s == 0, torch.ones_like(s), s)
    return [to_whole(weight / _along(s, weight)), s]


def _along(s: Tensor, weight: Tensor) -> Tensor:
    return s.view(-1, *[1] * (weight.ndim - 1))


def _numbers_and_scales(function: Callable) -> Callable:
    """Return whole numbers and scales, whatever holds them."""

    def called(weight: Tensor):
        got = function(weight.clone())
        if got is None or got is ...:
            return got
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise Remark("return two things: the whole numbers `q`, and the scales `s`")
        q, s = (torch.as_tensor(part).detach().to(torch.float64) for part in got)
        out = len(weight)
        if q.shape != weight.shape and s.shape == weight.shape:
            raise Remark("return the whole numbers first, then the scales")
        if q.shape != weight.shape:
            raise Remark(f"`q` has shape {list(q.shape)}, and the weight has {list(weight.shape)}")
        if s.numel() == 1:
            raise Remark("there is one scale for all: each output channel has its own")
        if s.numel() != out:
            raise Remark(f"there are {s.numel()} scales, and {out} output channels: one for each, the first axis")
        if s.ndim != 1:
            raise Remark(f"the scales have shape {list(s.shape)}, and [{out}] is wanted")
        if not (q.isfinite().all() and s.isfinite().all()):
            raise Remark("a channel that holds only zeros divides by zero: its scale is 1")
        return [q, s]

    return called


_UNEVEN = torch.tensor([0.01, 1.0, 30.0, 0.3])
quantize = Exercise(
    "9.3 quantize by hand",
    _quantize,
    {
        "a linear layer": (random(5, 7) - 0.4,),
        "uneven channels": (random(4, 9) * _UNEVEN[:, None],),
        "a convolution": (random(4, 3, 3, 2) * _UNEVEN.view(4, 1, 1, 1),),
        "a channel of zeros": (random(4, 6) * torch.tensor([1.0, 0.0, 2.0, 1.0])[:, None],),
    },
    {
        "the scales divide by 128, and 128 does not exist in 8 bits: divide by 127": lambda w: _quantize(w, steps=128),
        "the scales divide by 128, and the largest number wraps around to −128: divide by 127": lambda w: _quantize(
            w, steps=128, to_whole=lambda x: torch.round(x).to(torch.int16).to(torch.int8)
        ),
        "the scales divide by 128: divide by 127": lambda w: _quantize(
            w, steps=128, to_whole=lambda x: torch.round(x).clamp(-128, 127)
        ),
        "the scales divide by 128, and the numbers are cut at 127: divide by 127": lambda w: _quantize(
            w, steps=128, to_whole=lambda x: torch.round(x).clamp(-127, 127)
        ),
        "the scales divide by 255: whole numbers from −127 to 127 are wanted": lambda w: _quantize(w, steps=255),
        "the scales are the largest values themselves: divide by 127": lambda w: _quantize(w, steps=1),
        "the fraction is cut off: round": lambda w: _quantize(w, to_whole=torch.trunc),
        "it is rounded down: round to the nearest": lambda w: _quantize(w, to_whole=torch.floor),
        "`q` is not rounded": lambda w: _quantize(w, to_whole=lambda x: x),
        "the largest value is taken without its sign removed: take the largest *absolute* value": lambda w: _quantize(
            w, peak=lambda rows: rows.amax(dim=1)
        ),
        "half the range from the smallest to the largest value is taken: take the largest absolute value": lambda w: (
            _quantize(w, peak=lambda rows: (rows.amax(dim=1) - rows.amin(dim=1)) / 2)
        ),
        "the range from the smallest to the largest value is taken: take the largest absolute value": lambda w: (
            _quantize(w, peak=lambda rows: rows.amax(dim=1) - rows.amin(dim=1))
        ),
        "`q` is multiplied by the scale again: return the whole numbers": lambda w: [
            _quantize(w)[0] * _along(_quantize(w)[1], w),
            _quantize(w)[1],
        ],
        "`q` is right, but the scales are upside down: `w` is about `s · q`": lambda w: [
            _quantize(w)[0],
            1 / _quantize(w)[1],
        ],
        "all channels have the same scale, that of the largest: each has its own": lambda w: [
            torch.round(w / (w.abs().max() / 127)),
            torch.full((len(w),), float(w.abs().max() / 127)),
        ],
        "a channel of zeros gets the scale 1/127: it should be 1": lambda w: [
            _quantize(w)[0],
            torch.where(w.flatten(1).any(dim=1), _quantize(w)[1], torch.full((len(w),), 1 / 127)),
        ],
        "a channel of zeros gets the scale 0: it should be 1": lambda w: [
            _quantize(w)[0],
            w.flatten(1).abs().amax(dim=1) / 127,
        ],
    },
    effect=_numbers_and_scales,
)


def _lost(row, rate, bandwidth, least=max) -> float:
    return row[1] - least(row[2] / rate, row[3] / bandwidth)


def _name_of(profile, key: Callable, best=max) -> str:
    return best(profile, key=key)[0]


stalling = Exercise(
    "9.4 find the operator that stalls",
    lambda profile, rate, bandwidth: _name_of(profile, lambda row: _lost(row, rate, bandwidth)),
    {
        "a network with a slow convolution": (
            [
                ("addmm", 10e-3, 900_000_000, 4_000_000),
                ("depthwise", 4e-3, 5_000_000, 8_000_000),
                ("silu", 3e-3, 0, 25_000_000),
                ("gather", 0.5e-3, 0, 40_000),
            ],
            100e9,
            10e9,
        ),
        "one with a slow softmax": (
            [
                ("silu", 9e-3, 0, 88_000_000),
                ("mm", 12e-3, 1_150_000_000, 60_000_000),
                ("softmax", 2e-3, 0, 3_000_000),
            ],
            100e9,
            10e9,
        ),
        "one with a slow product": (
            [
                ("copy", 3e-3, 0, 10_000_000),
                ("addmm", 11e-3, 1_050_000_000, 2_000_000),
                ("bmm", 8e-3, 500_000_000, 45_000_000),
                ("silu", 12e-3, 0, 115_000_000),
            ],
            100e9,
            10e9,
        ),
    },
    {
        "this is the operator that takes longest, maybe with good reason: subtract its least time": lambda p, r, b: (
            _name_of(p, lambda row: row[1])
        ),
        "this is the worst ratio to the least time, but of an operator that takes no time: subtract": lambda p, r, b: (
            _name_of(p, lambda row: row[1] / max(row[2] / r, row[3] / b))
        ),
        "only the bytes are looked at: the products bind, too": lambda p, r, b: _name_of(
            p, lambda row: row[1] - row[3] / b
        ),
        "only the products are looked at: the bytes bind, too": lambda p, r, b: _name_of(
            p, lambda row: row[1] - row[2] / r
        ),
        "the two bounds are added, but the machine does both at the same time: take the larger": lambda p, r, b: (
            _name_of(p, lambda row: row[1] - row[2] / r - row[3] / b)
        ),
        "the smaller of the two bounds is taken: an operator waits for the slower one": lambda p, r, b: _name_of(
            p, lambda row: _lost(row, r, b, min)
        ),
        "this is where the least could be won": lambda p, r, b: _name_of(p, lambda row: _lost(row, r, b), min),
        "this is the operator that moves the fewest bytes a second": lambda p, r, b: _name_of(
            p, lambda row: row[3] / row[1], min
        ),
        "this is the operator that multiplies least in a second": lambda p, r, b: _name_of(
            p, lambda row: row[2] / row[1], min
        ),
        "that is the first operator": lambda p, r, b: p[0][0],
        "that is what could be won; return the name of the operator": lambda p, r, b: max(
            _lost(row, r, b) for row in p
        ),
        "that is its place in the list; return its name": lambda p, r, b: max(
            range(len(p)), key=lambda i: _lost(p[i], r, b)
        ),
        "that is the whole row; return its name": lambda p, r, b: max(p, key=lambda row: _lost(row, r, b)),
    },
)


def _file_error(model, run, pictures, measure: Callable | None = None) -> float:
    ours = model(pictures)
    theirs = torch.cat([torch.from_numpy(run(one.numpy())) for one in pictures.split(1)])
    if measure is not None:
        return float(measure(ours, theirs))
    if not theirs.isfinite().all():
        return float("inf")
    return float((ours - theirs).abs().max() / ours.abs().max())


def _with_a_file(function: Callable) -> Callable:
    """Call a function with a small model, and a file of it that is off in some places."""

    def called(off: Tensor):
        model = nn.Sequential(nn.Flatten(), nn.Linear(12, off.shape[1])).requires_grad_(False).eval()
        model[1].weight.copy_(random(off.shape[1], 12))
        model[1].bias.copy_(random(off.shape[1]))
        pictures = random(len(off), 1, 3, 4)
        errors = {one.tobytes(): error for one, error in zip(pictures.numpy(), off.numpy(), strict=True)}

        def run(image: np.ndarray) -> np.ndarray:
            if not isinstance(image, np.ndarray):
                raise Remark(f"`run` takes a numpy array, and got a {type(image).__name__}: `.numpy()` makes one")
            if image.ndim != 4 or len(image) != 1:
                raise Remark(f"the file takes one picture at a time, [1, C, H, W], and got {list(image.shape)}")
            if image.tobytes() not in errors:
                raise Remark("`run` got a picture that is not one of `pictures`")
            return model(torch.from_numpy(image)).numpy() + errors[image.tobytes()]

        return function(model, run, pictures)

    return called


def _off(pictures: int, classes: int, **places: float) -> Tensor:
    off = torch.zeros(pictures, classes)
    for place, value in places.items():
        picture, label = map(int, place.strip("p").split("c"))
        off[picture, label] = value
    return off


_NAN = float("nan")
file_error = Exercise(
    "9.5 run the file, and compare",
    lambda model, run, pictures: _file_error(model, run, pictures),
    {
        "a file that is off a little": (random(4, 3) / 1000,),
        "one that is off at its last picture": (_off(3, 5, p2c1=0.25, p0c2=-0.01),),
        "one that is off downwards": (_off(3, 4, p0c0=0.01, p1c3=-3.0),),
        "one that answers once with NaN": (_off(4, 3, p1c1=_NAN, p2c0=0.5),),
    },
    {
        "NaN came out; return infinity where the file's answer is not a number": lambda m, r, p: _file_error(
            m, r, p, lambda a, b: (a - b).abs().max() / a.abs().max()
        ),
        "the NaN is overlooked: ask whether all numbers are finite": lambda m, r, p: _file_error(
            m, r, p, lambda a, b: (a - b).abs().nan_to_num(0).max() / a.abs().max()
        ),
        "only the first picture counts: take the largest over all": lambda m, r, p: _file_error(
            m, r, p, lambda a, b: (a - b)[0].abs().max() / a.abs().max()
        ),
        "only the last picture counts: take the largest over all": lambda m, r, p: _file_error(
            m, r, p, lambda a, b: (a - b)[-1].abs().max() / a.abs().max()
        ),
        "only the first picture is looked at: take the largest over all": lambda m, r, p: _file_error(
            m, r, p, lambda a, b: (a - b)[0].abs().max() / a[0].abs().max()
        ),
        "only the last picture is looked at: take the largest over all": lambda m, r, p: _file_error(
            m, r, p, lambda a, b: (a - b)[-1].abs().max() / a[-1].abs().max()
        ),
        **{
            remark: lambda m, r, p, f=measure: _file_error(
                m, r, p, lambda a, b, f=f: f(a, b) if b.isfinite().all() else float("inf")
            )
            for remark, measure in {
                "this is the mean difference: the largest is wanted": lambda a, b: (a - b).abs().mean() / a.abs().max(),
                "differences downwards are lost: take absolute values": lambda a, b: (b - a).max() / a.abs().max(),
                "differences upwards are lost: take absolute values": lambda a, b: (a - b).max() / a.abs().max(),
                "it is divided by the largest logit of the file: take the model's": lambda a, b: (
                    (a - b).abs().max() / b.abs().max()
                ),
                "it is not divided by the largest logit": lambda a, b: (a - b).abs().max(),
                "it is divided by the largest logit, which may not be the largest *absolute* one": lambda a, b: (
                    (a - b).abs().max() / a.max()
                ),
                "each difference is divided by its own logit: divide by the largest of all": lambda a, b: (
                    ((a - b) / a).abs().max()
                ),
                "each picture's difference is divided by its own largest logit: divide by the largest of all": (
                    lambda a, b: ((a - b).abs().amax(1) / a.abs().amax(1)).max()
                ),
                "the differences are added up: take the largest": lambda a, b: (a - b).abs().sum() / a.abs().max(),
                "the mean over the pictures is taken: take the largest": lambda a, b: (
                    (a - b).abs().amax(1).mean() / a.abs().max()
                ),
                "it is the root of the mean square: take the largest absolute difference": lambda a, b: (
                    (a - b).square().mean().sqrt() / a.abs().max()
                ),
                "it is divided by the mean of the logits' absolute values: take the largest": lambda a, b: (
                    (a - b).abs().max() / a.abs().mean()
                ),
            }.items()
        },
    },
    effect=_with_a_file,
)

_MISTAKES = {
    "nothing": lambda x: x,
    "not divided by 255": lambda x: x * 255,
    "blue first": lambda x: x.flip(1),
    "rows and columns exchanged": lambda x: x.mT.contiguous(),
    "mirrored": lambda x: x.flip(3),
    "mean subtracted": lambda x: (x - 0.45) / 0.225,
}
_SEEN = {
    "nothing": "this picture arrived as it should be, from 0 to 1",
    "not divided by 255": "the largest number that arrived here is about 255",
    "blue first": "here only the order of the three channels has changed",
    "rows and columns exchanged": "here the last two axes have changed places",
    "mirrored": "here every row runs from right to left",
    "mean subtracted": "here some of the numbers that arrived are negative",
}


def _photo(darkest: int = 0) -> Tensor:
    return torch.randint(darkest, 256, (8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def _what_went_wrong(photo: Tensor, received: Tensor) -> str:
    right = photo.permute(2, 0, 1)[None] / 255
    return next(name for name, change in _MISTAKES.items() if torch.allclose(change(right), received, atol=1e-4))


def _judged(got, photo: Tensor, received: Tensor) -> str:
    wanted = _what_went_wrong(photo, received)
    if not isinstance(got, str):
        return f"it returned a {type(got).__name__}: return one of the six names, a text"
    if got == wanted:
        return ""
    if got.strip().lower() == wanted:
        return f"the name is spelt in another way: {wanted!r}"
    if got not in _MISTAKES:
        return f"{got!r} is none of the six names"
    seen = _SEEN[wanted]
    if wanted == "mean subtracted" and received.min() >= 0:
        seen = "this photo is bright, and nothing in it is negative after a mean was subtracted"
    return f"it returned {got!r}: {seen}"


what_went_wrong = Exercise(
    "9.6 why does the phone answer differently?",
    _what_went_wrong,
    {
        f'"{name}"': (_photo(), change(_photo().permute(2, 0, 1)[None] / 255).clone())
        for name, change in _MISTAKES.items()
    }
    | {
        '"mean subtracted" in a bright photo': (
            _photo(150),
            _MISTAKES["mean subtracted"](_photo(150).permute(2, 0, 1)[None] / 255),
        )
    },
    judge=_judged,
)
