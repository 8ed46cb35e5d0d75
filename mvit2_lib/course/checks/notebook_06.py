"""The checks of the exercises of notebook 06."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ...attention import SeparableSelfAttention
from ...data.transforms import preprocess
from ...weights.layouts import our_name
from .exercise import Exercise
from .values import Remark, plain, random

_OURS = ("W_I", "W_K", "W_V", "W_O")


def _timm_layer(d: int) -> dict[str, Tensor]:
    weight, bias = random(1 + 2 * d, d, 1, 1), random(1 + 2 * d)
    return {
        "qkv_proj.weight": weight / d**0.5,
        "qkv_proj.bias": bias,
        "out_proj.weight": random(d, d, 1, 1) / d**0.5,
        "out_proj.bias": random(d),
    }


def _translated(theirs, order=(0, 1, 2), sizes=lambda d: [1, d, d], change=lambda W: W, last=lambda W: W, axis=0):
    """Return our eight tensors; the options are the ways to go wrong."""
    d = theirs["out_proj.bias"].numel()
    weight, bias = theirs["qkv_proj.weight"].flatten(1), theirs["qkv_proj.bias"]
    weights, biases = weight.split(sizes(d)), bias.split(sizes(d))
    ours = {"W_O.weight": last(theirs["out_proj.weight"].flatten(1)), "W_O.bias": theirs["out_proj.bias"]}
    for name, place in zip(_OURS, order, strict=False):
        ours |= {f"{name}.weight": change(weights[place]), f"{name}.bias": biases[place]}
    return ours


def _biases(theirs, change):
    ours = _translated(theirs)
    return ours | {name: change(name, tensor) for name, tensor in ours.items() if name.endswith("bias")}


def _from_row(theirs, starts):
    """Take the rows of the three parts from other places."""
    d = theirs["out_proj.bias"].numel()
    ours = _translated(theirs)
    for name, start in zip(_OURS, starts(d), strict=False):
        rows = slice(start, start + (1 if name == "W_I" else d))
        ours |= {
            f"{name}.weight": theirs["qkv_proj.weight"].flatten(1)[rows],
            f"{name}.bias": theirs["qkv_proj.bias"][rows],
        }
    return ours


def _in_our_layer(function: Callable) -> Callable:
    """Return what our attention makes of tokens with the weights that somebody translated."""

    def called(theirs: dict[str, Tensor], x: Tensor):
        ours = function(theirs)
        if ours is None or ours is ...:
            return ours
        layer = SeparableSelfAttention(x.shape[-1])
        layer.load_state_dict(_fitting(ours, layer.state_dict()))
        return layer(x)

    return called


def _fitting(ours, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return somebody's weights if their names and shapes are right, and raise a remark if not."""
    if not isinstance(ours, dict):
        raise Remark(f"it returned a {type(ours).__name__}, but a dictionary is wanted")
    missing, surplus = [n for n in wanted if n not in ours], [n for n in ours if n not in wanted]
    if any(name in ("qkv_proj.weight", "out_proj.weight") for name in surplus):
        raise Remark(f"timm's {surplus[0]} is still in the result: only our eight names belong there")
    if missing or surplus:
        wrong = f"{missing[0]} is missing" if missing else f"{surplus[0]!r} is none of our names"
        raise Remark(wrong + (f", and {surplus[0]!r} is none of our names" if missing and surplus else ""))
    ours = {name: torch.as_tensor(tensor) for name, tensor in ours.items()}
    for name, tensor in ours.items():
        shape, want = list(tensor.shape), list(wanted[name].shape)
        if shape != want:
            reason = ""
            if shape[::-1] == want and len(shape) == 2:
                reason = ": it is transposed"
            elif [side for side in shape if side > 1] == [side for side in want if side > 1]:
                reason = (
                    ": an axis of length one is too many" if len(shape) > len(want) else ": keep the axis of one row"
                )
            elif len(shape) == len(want) and shape[1:] == want[1:]:
                reason = ": it has other rows than it should; W_I has 1, W_K and W_V have d each"
            elif len(shape) == len(want):
                reason = ": cut the rows, which are the outputs, and not the columns"
            raise Remark(f"{name} has shape {shape}, but {want} is wanted{reason}")
    return ours


translate = Exercise(
    "6.1 translate an attention layer",
    _translated,
    {
        "tokens of width six": (_timm_layer(6), random(2, 5, 6)),
        "tokens of width eight": (_timm_layer(8), random(3, 4, 8)),
    },
    {
        "key and value are exchanged: the rows of W_K come before those of W_V": lambda w: _translated(w, (0, 2, 1)),
        "the single row is the first, not the last": lambda w: _translated(w, (2, 0, 1), lambda d: [d, d, 1]),
        "the single row is the first, not the last, and key and value are exchanged besides": lambda w: _translated(
            w, (2, 1, 0), lambda d: [d, d, 1]
        ),
        "the single row is the first, not the one in the middle": lambda w: _translated(
            w, (1, 0, 2), lambda d: [d, 1, d]
        ),
        "W_K and W_V begin one row too early: row 0 is W_I alone": lambda w: _from_row(w, lambda d: (0, 0, d)),
        "W_K begins at row 1 and has d rows; W_V begins one row too early": lambda w: _from_row(w, lambda d: (0, 1, d)),
        "W_K begins one row too early: row 0 is W_I alone": lambda w: _from_row(w, lambda d: (0, 0, d + 1)),
        "all matrices are transposed; a linear layer keeps [out, in], as the convolution does": lambda w: {
            name: W.mT if W.ndim == 2 and len(W) > 1 else W for name, W in _translated(w).items()
        },
        "W_K and W_V are transposed; a linear layer keeps [out, in], as the convolution does": lambda w: _translated(
            w, change=lambda W: W.mT if len(W) > 1 else W
        ),
        "W_O is transposed; a linear layer keeps [out, in], as the convolution does": lambda w: _translated(
            w, last=lambda W: W.mT
        ),
        "all biases are zero; cut qkv_proj.bias as well": lambda w: _biases(w, lambda n, b: 0 * b),
        "the biases of W_K and W_V are zero; cut qkv_proj.bias as well": lambda w: _biases(
            w, lambda n, b: b if n == "W_O.bias" else 0 * b
        ),
        "the bias of W_O is not taken over": lambda w: _biases(w, lambda n, b: 0 * b if n == "W_O.bias" else b),
        "the weights are right, but the biases of W_K and W_V are exchanged": lambda w: (
            _translated(w) | {"W_K.bias": _translated(w)["W_V.bias"], "W_V.bias": _translated(w)["W_K.bias"]}
        ),
        "the biases are right, but the weights of W_K and W_V are exchanged": lambda w: (
            _translated(w) | {"W_K.weight": _translated(w)["W_V.weight"], "W_V.weight": _translated(w)["W_K.weight"]}
        ),
        "the biases begin one row too early: entry 0 is that of W_I": lambda w: (
            _translated(w) | {name: W for name, W in _from_row(w, lambda d: (0, 0, d)).items() if name.endswith("bias")}
        ),
        "W_O holds the rows of W_K": lambda w: _translated(w) | {"W_O.weight": _translated(w)["W_K.weight"]},
        "W_O holds the rows of W_V": lambda w: _translated(w) | {"W_O.weight": _translated(w)["W_V.weight"]},
        "W_V holds the rows of W_K": lambda w: _translated(w) | {"W_V.weight": _translated(w)["W_K.weight"]},
        "W_V holds the rows of W_K, and their biases": lambda w: _translated(w, (0, 1, 1)),
        "W_V's bias is that of W_K": lambda w: _translated(w) | {"W_V.bias": _translated(w)["W_K.bias"]},
        "the first row of W_K stands in W_I": lambda w: _from_row(w, lambda d: (1, 1, d + 1)),
        "W_O's bias is that of W_V": lambda w: _translated(w) | {"W_O.bias": _translated(w)["W_V.bias"]},
        "W_O's bias is that of W_K": lambda w: _translated(w) | {"W_O.bias": _translated(w)["W_K.bias"]},
        "all weights are zero: nothing is copied": lambda w: {name: 0 * W for name, W in _translated(w).items()},
    },
    effect=_in_our_layer,
    axes="B k d",
)


def _picture(width: int, height: int, seed: int) -> Image.Image:
    """Return a picture with detail, but far enough from black and white that no way to resize has to cut off."""
    pixels = np.random.default_rng(seed).uniform(70, 185, (height, width, 3))
    pixels[..., 0] += 30 * np.linspace(0, 1, width)[None]  # no two sides and no two channels alike
    pixels[..., 2] -= 40 * np.linspace(0, 1, height)[:, None]
    return Image.fromarray(pixels.astype(np.uint8))


def _interpolated(image):
    sides = [288 * side // min(image.size) for side in image.size]
    left, top = (round((side - 256) / 2) for side in sides)
    pixels = torch.from_numpy(np.array(image)).movedim(-1, 0)[None].float()
    pixels = torch.nn.functional.interpolate(pixels, sides[::-1], mode="bicubic").clamp(0, 255)
    return pixels[..., top : top + 256, left : left + 256] / 255


def _prepared(image, shorter=288, size=256, how=Image.Resampling.BICUBIC, half=round, corner=False, sides=None):
    sides = sides or [shorter * side // min(image.size) for side in image.size]
    left, top = (0, 0) if corner else (half((side - size) / 2) for side in sides)
    image = image.resize(sides, how).crop((left, top, left + size, top + size))
    return torch.from_numpy(np.array(image)).movedim(-1, 0)[None] / 255


def _exchanged_cut(image):
    sides = [288 * side // min(image.size) for side in image.size]
    top, left = (round((side - 256) / 2) for side in sides)
    image = image.resize(sides, Image.Resampling.BICUBIC).crop((left, top, left + 256, top + 256))
    return torch.from_numpy(np.array(image)).movedim(-1, 0)[None] / 255


def _longer(image):
    sides = [288 * side // max(image.size) for side in image.size]
    return _prepared(image, sides=sides)


def _normalised(image, mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225)):
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (mean, deviation))
    return (_prepared(image) - mean) / deviation


def _divided_by_255(function: Callable) -> Callable:
    """Notice a division by 256, which hides within the error that is forgiven."""

    def called(image: Image.Image):
        result = function(image)
        numbers, right = plain(result), preprocess(image).double()
        if isinstance(numbers, Tensor) and numbers.shape == right.shape:
            close = (numbers - right).abs().max() < 2.1 / 255
            if close and abs(numbers.mean() / right.mean() - 255 / 256).item() < 1e-3:
                raise Remark("the values are divided by 256; divide by 255")
        return result

    return called


# PIL resizes in bytes and rounds twice, PyTorch (`interpolate` with `antialias=True`) in floats; without a picture that
# reaches black or white they agree within 2/255. Bilinear pictures, and those half a pixel aside, differ by far more.
prepare = Exercise(
    "6.2 prepare a picture",
    lambda image: preprocess(image),
    {
        "a landscape": (_picture(48, 40, 0),),
        "a portrait": (_picture(40, 61, 1),),
        "a square": (_picture(45, 45, 2),),
        "a large picture": (_picture(471, 400, 3),),
    },
    {
        "it was resized bilinearly; bicubic is wanted": lambda i: _prepared(i, how=Image.Resampling.BILINEAR),
        "it was resized to the nearest pixels; bicubic is wanted": lambda i: _prepared(i, how=Image.Resampling.NEAREST),
        "it was resized with Lanczos; bicubic is wanted": lambda i: _prepared(i, how=Image.Resampling.LANCZOS),
        "it was resized by areas (box); bicubic is wanted": lambda i: _prepared(i, how=Image.Resampling.BOX),
        "the shorter side was resized to 256, so nothing of it is cut away; 288 is wanted": lambda i: _prepared(i, 256),
        "the longer side was resized to 288; it is the shorter one": _longer,
        "both sides were resized to 256, which distorts the picture, and nothing is cut away": lambda i: _prepared(
            i, sides=(256, 256)
        ),
        "both sides were resized to 288, which distorts the picture": lambda i: _prepared(i, sides=(288, 288)),
        "it was not resized; only cut": lambda i: _prepared(i, sides=i.size),
        "224 × 224 is cut out; 256 × 256 is wanted": lambda i: _prepared(i, size=224),
        "it is not cut: 256 × 256 from the middle is wanted": lambda i: _prepared(i, size=288),
        "the cut begins in the corner; it is the middle that is wanted": lambda i: _prepared(i, corner=True),
        "the longer side was rounded; `288 * side // shorter` cuts the fraction off": lambda i: _prepared(
            i, sides=[round(288 * side / min(i.size)) for side in i.size]
        ),
        "the longer side was rounded up; `288 * side // shorter` cuts the fraction off": lambda i: _prepared(
            i, sides=[-(-288 * side // min(i.size)) for side in i.size]
        ),
        "the cut ends in the lower right corner; it is the middle that is wanted": lambda i: _prepared(
            i, half=lambda n: round(2 * n)
        ),
        "left and top of the cut are exchanged": lambda i: _exchanged_cut(i),
        "it was resized without smoothing where it shrinks: use Pillow's BICUBIC, or antialias=True": _interpolated,
        "half a pixel was cut off; round it": lambda i: _prepared(i, half=int),
        "half a pixel was rounded up always; use Python's round": lambda i: _prepared(i, half=lambda n: int(n + 0.5)),
        "the values reach up to 255: divide by 255": lambda i: 255 * _prepared(i),
        "the values are all but zero: are they divided by 255 twice, or cut to whole numbers?": lambda i: (
            _prepared(i) / 255
        ),
        "the values run from −1 to 1; they must run from 0 to 1": lambda i: 2 * _prepared(i) - 1,
        "ImageNet's mean was subtracted and its deviation divided out; this model wants neither": _normalised,
        "ImageNet's mean was subtracted; this model wants that not": lambda i: _normalised(i, deviation=(1, 1, 1)),
        "the channels are in the order BGR; RGB is wanted": lambda i: _prepared(i).flip(1),
        "the channels stand last: [1, 3, 256, 256] is wanted": lambda i: _prepared(i).permute(0, 2, 3, 1),
        "the batch axis is missing: [1, 3, 256, 256] is wanted": lambda i: _prepared(i)[0],
        "the batch axis is missing, and the channels stand last": lambda i: _prepared(i)[0].permute(1, 2, 0),
        "height and width are exchanged": lambda i: _prepared(i).mT,
        "the pixels were reshaped where their axes must be moved: channels are mixed with columns": lambda i: (
            _prepared(i).permute(0, 2, 3, 1).reshape(1, 3, 256, 256)
        ),
        "the picture was made grey": lambda i: _prepared(i.convert("L").convert("RGB")),
        "the picture is mirrored": lambda i: _prepared(i).flip(3),
        "the picture is upside down": lambda i: _prepared(i).flip(2),
        "it was cut to a square before it was resized: 288 comes first, then the cut": lambda i: _prepared(
            i.crop(_middle(i.size)), sides=(256, 256)
        ),
    },
    axes="B C H W",
    effect=_divided_by_255,
    tolerance=(0.0, 2.1 / 255),
)


def _middle(sides: tuple[int, int]) -> tuple[int, ...]:
    left, top = ((side - min(sides)) // 2 for side in sides)
    return left, top, left + min(sides), top + min(sides)


_PARTS = (("conv1_1x1", "expand"), ("conv2_kxk", "depthwise"), ("conv3_1x1", "project"))


def _renamed(name: str, parts=_PARTS, norm=".norm.") -> str:
    for theirs, ours in parts:
        name = name.replace(theirs, ours)
    return name.replace(".bn.", norm)


name_from_timm = Exercise(
    "6.3 a name from timm",
    lambda name: our_name(name, "timm"),
    (
        ("stages.1.0.conv1_1x1.conv.weight",),
        ("stages.0.0.conv2_kxk.bn.bias",),
        ("stages.2.0.conv3_1x1.bn.running_mean",),
        ("stages.4.0.conv1_1x1.bn.num_batches_tracked",),
        ("stages.3.0.conv3_1x1.conv.weight",),
        ("stages.1.1.conv2_kxk.conv.weight",),
    ),
    {
        "the norm keeps timm's name; ours is norm": lambda name: _renamed(name, norm=".bn."),
        "the convolutions keep timm's names": lambda name: _renamed(name, parts=()),
        "the first and the last convolution are exchanged: the first expands": lambda name: _renamed(
            name, (("conv1_1x1", "project"), ("conv2_kxk", "depthwise"), ("conv3_1x1", "expand"))
        ),
        "the name comes back as it was: is the result of `replace` kept, and from timm's name to ours?": lambda name: (
            name
        ),
        "only the name of the part is left; keep the rest": lambda name: _renamed(name).split(".")[3],
        "only the first convolution is translated": lambda name: _renamed(name, _PARTS[:1]),
        "only the last convolution is translated": lambda name: _renamed(name, _PARTS[2:]),
        "only the depthwise convolution is translated": lambda name: _renamed(name, _PARTS[1:2]),
        "the depthwise convolution is not translated": lambda name: _renamed(name, (_PARTS[0], _PARTS[2])),
        "the last convolution is not translated": lambda name: _renamed(name, _PARTS[:2]),
        "the first convolution is not translated": lambda name: _renamed(name, _PARTS[1:]),
        "depthwise and project are exchanged: conv2_kxk is the depthwise one": lambda name: _renamed(
            name, (_PARTS[0], ("conv2_kxk", "project"), ("conv3_1x1", "depthwise"))
        ),
        "expand and depthwise are exchanged: conv2_kxk is the depthwise one": lambda name: _renamed(
            name, (("conv1_1x1", "depthwise"), ("conv2_kxk", "expand"), _PARTS[2])
        ),
        "every 'conv' is replaced, also the one in front of weight, which stays": lambda name: _renamed(name).replace(
            ".conv.", "."
        ),
        "the points beside the norm are lost": lambda name: _renamed(name, norm="norm"),
        "the point before the norm is lost": lambda name: _renamed(name, norm="norm."),
        "the point behind the norm is lost": lambda name: _renamed(name, norm=".norm"),
        "the norm is called batch_norm here; ours is norm": lambda name: _renamed(name, norm=".batch_norm."),
        "'stages.' is lost in front": lambda name: _renamed(name).removeprefix("stages."),
    },
)


class _Reader(nn.Module):
    """A small model whose answer depends on the order of the channels, and a pipeline around it."""

    def __init__(self, seed: int):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("weight", torch.randn(3, 10, generator=generator))
        self.register_buffer("bias", 100 * torch.eye(10)[seed])  # one class is always the best

    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.ndim != 4 or pictures.shape[1] != 3:
            raise Remark(f"pipeline and model take pictures [B, 3, H, W], and got {list(pictures.shape)}")
        return pictures[:, :, 0, 0] @ self.weight + self.bias  # [B, classes]


def _pipeline(seed: int, order: str) -> tuple[Callable, nn.Module]:
    model = _Reader(seed)
    return (lambda pictures: model(pictures.flip(1) if order == "BGR" else pictures)), model


def _order(pipeline: Callable, model: nn.Module) -> str:
    pictures = torch.linspace(0, 1, 3)[None, :, None, None].expand(1, 3, 64, 64)
    return "RGB" if torch.allclose(pipeline(pictures), model(pictures)) else "BGR"


def _questions(function: Callable) -> Callable:
    """Say of a wrong answer what was wrong with the questions, where that can be seen."""

    def called(pipeline: Callable, model: nn.Module):
        theirs, ours = [], []

        def asked(pictures):
            theirs.append(pictures.clone())
            return pipeline(pictures)

        right = _order(pipeline, model)
        model.register_forward_pre_hook(lambda _, given: ours.append(given[0].clone()))
        answer = function(asked, model)
        if not isinstance(answer, str) or answer not in ("RGB", "BGR") or answer == right or not theirs:
            return answer
        if all(torch.equal(x, x.flip(1)) for x in theirs):
            raise Remark("the pictures that the pipeline is asked about look the same when they are reversed")
        if not ours:
            raise Remark("the model is not asked at all, so there is nothing to compare the pipeline with")
        pairs = [(one, other) for one in theirs for other in ours if one.shape == other.shape]
        straight = any(torch.equal(one, other) for one, other in pairs)
        turned = any(torch.equal(one.flip(1), other) for one, other in pairs)
        for axis, name in ((3, "width"), (2, "height")):
            if (
                not turned
                and not straight
                and any(torch.equal(one.flip(axis), other) and not torch.equal(one, other) for one, other in pairs)
            ):
                raise Remark(
                    f"the model is asked about a picture reversed along axis {axis}, the {name}; channels are axis 1"
                )
        for order in permutations(range(3)):
            if not turned and not straight and any(torch.equal(one[:, list(order)], other) for one, other in pairs):
                raise Remark(f"the model is asked about the channels in the order {order}; reversed is (2, 1, 0)")
        if not straight and not turned:
            raise Remark("pipeline and model are asked about different pictures, so their answers cannot be compared")
        return answer

    return called


channel_order = Exercise(
    "6.4 is the pipeline turned around?",
    _order,
    {
        "a pipeline that hands the channels on": _pipeline(0, "RGB"),
        "a pipeline that reverses them": _pipeline(1, "BGR"),
        "another that reverses them": _pipeline(2, "BGR"),
        "another that hands them on": _pipeline(3, "RGB"),
    },
    {
        "the two are exchanged: who answers like the model hands the channels on as they are": lambda p, m: {
            "RGB": "BGR",
            "BGR": "RGB",
        }[_order(p, m)],
        "it calls every pipeline RGB: "
        "ask both about the same picture in colour, and compare all scores for both orders": (lambda p, m: "RGB"),
        "it calls every pipeline BGR: "
        "ask both about the same picture, and compare all scores for both orders": lambda p, m: "BGR",
        "that is True or False; return 'RGB' or 'BGR'": lambda p, m: _order(p, m) == "RGB",
        "that is False or True; return 'RGB' or 'BGR'": lambda p, m: _order(p, m) == "BGR",
    },
    effect=_questions,
)


def _record() -> list[dict]:
    return [
        {"picture": "a/1", "label": 3, "answers": [3, 1, 2, 4, 9]},
        {"picture": "a/2", "label": 3, "answers": [1, 2, 3, 0, 4]},
        {"picture": "a/3", "label": 3, "unreadable": "it is cut short"},
        {"picture": "b/1", "label": 7, "answers": [7, 1, 2, 3, 4]},
        {"picture": "b/2", "label": 7, "answers": [0, 1, 2, 3, 4]},
        {"picture": "b/3", "label": 7, "answers": [6, 5, 4, 8, 7]},
        {"picture": "b/4", "label": 7, "unreadable": "it is not a picture"},
        {"picture": "b/5", "label": 7, "unreadable": "it is empty"},
        {"picture": "c/1", "label": 2, "answers": [0, 1, 3, 2, 4]},
        {"picture": "d/1", "label": 0, "answers": [0, 5, 3, 1, 4]},
        {"picture": "c/2", "label": 2, "answers": [0, 2, 3, 1, 4]},
    ]


def _shares(lines: list[dict], best: int = 5, read_only: bool = True) -> tuple[float, float]:
    read = [line for line in lines if "answers" in line]
    first = sum(line["answers"][0] == line["label"] for line in read)
    among = sum(line["label"] in line["answers"][:best] for line in read)
    number = len(read) if read_only else len(lines)
    return first / number, among / number


def _read(lines: list[dict]) -> list[dict]:
    return [line for line in lines if "answers" in line]


def _before_unreadable(lines: list[dict]) -> list[dict]:
    return lines[: next((i for i, line in enumerate(lines) if "answers" not in line), len(lines))]


def _by_class(lines: list[dict]) -> tuple[float, ...]:
    labels = {line["label"] for line in lines}
    each = [_shares([line for line in lines if line["label"] == label]) for label in labels]
    return tuple(sum(shares) / len(labels) for shares in zip(*each, strict=True))


top_1_and_5 = Exercise(
    "6.5 top-1 and top-5 on a folder",
    _shares,
    {
        "a folder with unreadable pictures": (_record(),),
        "a folder with one unreadable picture": (_record()[:5],),
        "a folder without": ([line for line in _record() if "answers" in line],),
    },
    {
        "unreadable pictures count as right; leave them out": lambda lines: tuple(
            (share * len(_read(lines)) + len(lines) - len(_read(lines))) / len(lines) for share in _shares(lines)
        ),
        "it stops at the first unreadable picture; go on behind it": lambda lines: _shares(_before_unreadable(lines)),
        "it stops at the first unreadable picture, and divides by the number of all that could be read": lambda lines: (
            tuple(
                share * len(_before_unreadable(lines)) / len(_read(lines))
                for share in _shares(_before_unreadable(lines))
            )
        ),
        "`//` cuts the shares to whole numbers; divide with `/`": lambda lines: tuple(
            float(int(share)) for share in _shares(lines)
        ),
        "the largest number among the answers is taken for the best; the best stands in front": lambda lines: (
            sum(max(line["answers"]) == line["label"] for line in _read(lines)) / len(_read(lines)),
            _shares(lines)[1],
        ),
        "pictures of class 0 are left out: 0 is a label like others, though it counts as false in Python": (
            lambda lines: _shares([line for line in lines if line["label"]])
        ),
        "unreadable pictures count as wrong; leave them out": lambda lines: _shares(lines, read_only=False),
        "the two shares are exchanged": lambda lines: _shares(lines)[::-1],
        "these are counts; divide by the number of pictures that were read": lambda lines: tuple(
            round(share * sum("answers" in line for line in lines)) for share in _shares(lines)
        ),
        "the second is the share of labels that are among the five but not first; the first answer belongs to them": (
            lambda lines: (_shares(lines)[0], _shares(lines)[1] - _shares(lines)[0])
        ),
        "that is top-1 alone; return both": lambda lines: _shares(lines)[0],
        "the second is only top-3 or so; look at all five answers": lambda lines: _shares(lines, best=3),
        "the second is top-4; look at all five answers": lambda lines: _shares(lines, best=4),
        "the second is top-2; look at all five answers": lambda lines: _shares(lines, best=2),
        "these are percent; return shares": lambda lines: tuple(100 * share for share in _shares(lines)),
        "both are top-1": lambda lines: (_shares(lines)[0],) * 2,
        "both are top-5": lambda lines: (_shares(lines)[1],) * 2,
        "that is top-5 alone; return both": lambda lines: _shares(lines)[1],
        "the last answer is taken for the first: the best stands in front": lambda lines: _shares(
            [line | {"answers": line["answers"][::-1]} for line in lines if "answers" in line]
        ),
        "these are the shares that are wrong; return those that are right": lambda lines: tuple(
            1 - share for share in _shares(lines)
        ),
        "top-1 is a share of the pictures that top-5 finds; divide by all that were read": lambda lines: (
            _shares(lines)[0] / _shares(lines)[1],
            _shares(lines)[1],
        ),
        "top-5 is a sum over five answers, divided by five: a label counts once, wherever it stands": lambda lines: (
            _shares(lines)[0],
            _shares(lines)[1] / 5,
        ),
        "each class has the same weight here; each picture must": _by_class,
        "only the first picture is counted": lambda lines: _shares(lines[:1]),
    },
)
