"""The exercises of notebook 06."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...weights.layouts import our_name
from .exercise import Exercise, random

_PARTS = (("conv1_1x1", "expand"), ("conv2_kxk", "depthwise"), ("conv3_1x1", "project"))


def _renamed(name: str, parts=_PARTS, norm=".norm.") -> str:
    for theirs, ours in parts:
        name = name.replace(theirs, ours)
    return name.replace(".bn.", norm)


name_from_timm = Exercise(
    "6.1 a name from timm",
    lambda name: our_name(name, "timm"),
    (
        ("stages.1.0.conv1_1x1.conv.weight",),
        ("stages.0.0.conv2_kxk.bn.bias",),
        ("stages.2.0.conv3_1x1.bn.running_mean",),
        ("stages.4.0.conv1_1x1.bn.num_batches_tracked",),
    ),
    {
        "the norm keeps timm's name; ours is norm": lambda name: _renamed(name, norm=".bn."),
        "the convolutions keep timm's names": lambda name: _renamed(name, parts=()),
        "the first and the last convolution are exchanged: the first expands": lambda name: _renamed(
            name, (("conv1_1x1", "project"), ("conv2_kxk", "depthwise"), ("conv3_1x1", "expand"))
        ),
        "the name comes back as it was": lambda name: name,
        "only the name of the part is left; keep the rest": lambda name: _renamed(name).split(".")[3],
        "only the first convolution is translated": lambda name: _renamed(name, _PARTS[:1]),
    },
)


def _cut(weight: Tensor, sizes: Callable = lambda d: [1, d, d]) -> tuple[Tensor, ...]:
    return weight.flatten(1).split(sizes(weight.shape[1]))


split_projections = Exercise(
    "6.2 take a fused projection apart",
    _cut,
    ((random(13, 6, 1, 1),), (random(17, 8, 1, 1),)),
    {
        "the axes of length one are still there": lambda w: w.split([1, w.shape[1], w.shape[1]]),
        "the single row is the first, not the last": lambda w: (
            w.flatten(1)[-1:],
            w.flatten(1)[: w.shape[1]],
            w.flatten(1)[w.shape[1] : -1],
        ),
        "key and value are exchanged: W_K comes first": lambda w: tuple(_cut(w)[i] for i in (0, 2, 1)),
        "the input axis was split; the rows are the outputs": lambda w: w.flatten(1).split(
            [1, (w.shape[1] - 1) // 2, w.shape[1] - 1 - (w.shape[1] - 1) // 2], dim=1
        ),
        "a linear layer keeps [out, in], as the convolution does: do not transpose": lambda w: tuple(
            part.mT for part in _cut(w)
        ),
        "these are three parts of about equal size; W_I has one row": lambda w: w.flatten(1).tensor_split(3),
        "W_I is a matrix with one row, not a vector": lambda w: (_cut(w)[0][0], *_cut(w)[1:]),
    },
)


def _box(width: int, height: int, shorter: int = 288, half: Callable = round, size: int = 256) -> tuple[int, ...]:
    sides = [shorter * side // min(width, height) for side in (width, height)]
    left, top = (half((side - size) / 2) for side in sides)
    return left, top, left + size, top + size


def _swapped(box: tuple[int, ...]) -> tuple[int, ...]:
    left, top, right, bottom = box
    return top, left, bottom, right


crop_box = Exercise(
    "6.3 where to cut",
    _box,
    ((451, 300), (300, 454), (288, 288), (1000, 501), (257, 640), (519, 520), (132, 198)),
    {
        "left and top are exchanged": lambda w, h: _swapped(_box(w, h)),
        "the last two numbers are right and bottom, not width and height": lambda w, h: (*_box(w, h)[:2], 256, 256),
        "the box is that of the picture before resizing": lambda w, h: (
            round((w - 256) / 2),
            round((h - 256) / 2),
            round((w - 256) / 2) + 256,
            round((h - 256) / 2) + 256,
        ),
        "the longer side was resized to 288; it is the shorter one": lambda w, h: (
            lambda sides: tuple(round((side - 256) / 2) + more for more in (0, 256) for side in sides)
        )([288 * side // max(w, h) for side in (w, h)]),
        "the shorter side was resized to 256, so nothing of it is cut away": lambda w, h: _box(w, h, 256),
        "both sides were resized to 288; that distorts the picture": lambda w, h: (16, 16, 272, 272),
        "the cut begins in the corner; it is the middle that is wanted": lambda w, h: (0, 0, 256, 256),
        "half a pixel was cut off; round it": lambda w, h: _box(w, h, half=int),
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
        return pictures[:, :, 0, 0] @ self.weight + self.bias  # [B, classes]


def _pipeline(seed: int, order: str) -> tuple[Callable, nn.Module]:
    model = _Reader(seed)
    return (lambda pictures: model(pictures.flip(1) if order == "BGR" else pictures)), model


def _order(pipeline: Callable, model: nn.Module) -> str:
    pictures = torch.linspace(0, 1, 3)[None, :, None, None].expand(1, 3, 64, 64)
    return "RGB" if torch.allclose(pipeline(pictures), model(pictures)) else "BGR"


channel_order = Exercise(
    "6.4 is the pipeline turned around?",
    _order,
    (_pipeline(0, "RGB"), _pipeline(1, "BGR"), _pipeline(2, "BGR"), _pipeline(3, "RGB")),
    {
        "the two are exchanged: who answers like the model hands the channels on as they are": lambda p, m: {
            "RGB": "BGR",
            "BGR": "RGB",
        }[_order(p, m)],
        "it calls every pipeline RGB; did you ask with a grey picture, or compare the best class only?": (
            lambda p, m: "RGB"
        ),
        "it calls every pipeline BGR; did you ask both about the same picture?": lambda p, m: "BGR",
        "that is True or False; return 'RGB' or 'BGR'": lambda p, m: _order(p, m) == "RGB",
        "that is False or True; return 'RGB' or 'BGR'": lambda p, m: _order(p, m) == "BGR",
    },
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
    ]


def _shares(lines: list[dict], best: int = 5, read_only: bool = True) -> tuple[float, float]:
    read = [line for line in lines if "answers" in line]
    first = sum(line["answers"][0] == line["label"] for line in read)
    among = sum(line["label"] in line["answers"][:best] for line in read)
    number = len(read) if read_only else len(lines)
    return first / number, among / number


top_1_and_5 = Exercise(
    "6.5 top-1 and top-5 on a folder",
    _shares,
    ((_record(),), (_record()[:5],)),
    {
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
    },
)
