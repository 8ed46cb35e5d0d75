"""Attempts at the exercises of notebook 06: correct ones, and wrong ones with the remark they must get."""

import re

import numpy as np
import torch
from PIL import Image

WORDS = {"conv1_1x1": "expand", "conv2_kxk": "depthwise", "conv3_1x1": "project", "bn": "norm"}


def renamed_word_by_word(name):
    return ".".join(WORDS.get(word, word) for word in name.split("."))


def renamed_by_pattern(name):
    return re.sub("conv1_1x1|conv2_kxk|conv3_1x1|bn", lambda match: WORDS[match[0]], name)


def order_by_red(pipeline, model):
    red = torch.zeros(1, 3, 64, 64)
    red[:, 0] = 1
    return "RGB" if torch.equal(pipeline(red), model(red)) else "BGR"


def order_by_nearest(pipeline, model):
    pictures = torch.rand(5, 3, 64, 64)
    distances = {
        name: (pipeline(pictures) - model(turned)).norm()
        for name, turned in (("RGB", pictures), ("BGR", pictures[:, [2, 1, 0]]))
    }
    return min(distances, key=distances.get)


def best_class_only(pipeline, model):
    pictures = torch.rand(8, 3, 64, 64)
    return "RGB" if torch.equal(pipeline(pictures).argmax(dim=1), model(pictures).argmax(dim=1)) else "BGR"


def grey_test(pipeline, model):
    grey = torch.rand(1, 1, 64, 64).expand(1, 3, 64, 64)
    return "RGB" if torch.allclose(pipeline(grey), model(grey)) else "BGR"


def counted(lines):
    first = among = number = 0
    for line in lines:
        if "unreadable" in line:
            continue
        number += 1
        first += line["label"] == line["answers"][0]
        among += line["answers"].count(line["label"])
    return [first / number, among / number]


def averaged(lines):
    hits = [[answer == line["label"] for answer in line["answers"]] for line in lines if "answers" in line]
    hits = torch.tensor(hits, dtype=torch.float64)
    return hits[:, 0].mean().item(), hits.sum(dim=1).mean().item()


def translate_by_slices(theirs):
    ours, d = {}, len(theirs["out_proj.bias"])
    for name, rows in {"W_I": slice(1), "W_K": slice(1, d + 1), "W_V": slice(d + 1, None)}.items():
        ours[f"{name}.weight"] = theirs["qkv_proj.weight"][rows, :, 0, 0]
        ours[f"{name}.bias"] = theirs["qkv_proj.bias"][rows]
    return {**ours, "W_O.weight": theirs["out_proj.weight"][:, :, 0, 0], "W_O.bias": theirs["out_proj.bias"]}


def prepare_by_arrays(picture, how=Image.Resampling.BICUBIC, half=round, whole=int):
    width, height = (whole(288 * side / min(picture.size)) for side in picture.size)
    pixels = np.asarray(picture.resize((width, height), how))
    left, top = half((width - 256) / 2), half((height - 256) / 2)
    return torch.tensor(pixels[top : top + 256, left : left + 256]).permute(2, 0, 1)[None].float() / 255


RIGHT = {
    "name_from_timm": [renamed_word_by_word, renamed_by_pattern],
    "channel_order": [order_by_red, order_by_nearest],
    "top_1_and_5": [counted, averaged],
    "translate": [translate_by_slices],
    "prepare": [prepare_by_arrays],
}

WRONG = {
    "name_from_timm": [
        (lambda name: re.sub("conv[123]_(1x1|kxk)", lambda match: WORDS[match[0]], name), "norm keeps"),
        (lambda name: name.replace("bn", "norm"), "convolutions keep"),
        (lambda name: name, "as it was"),
        (lambda name: renamed_word_by_word(name).split(".")[3], "keep the rest"),
        (
            lambda name: renamed_word_by_word(name.replace("conv3", "conv0")).replace("conv0", "conv3"),
            "last convolution is not",
        ),
        (
            lambda name: (
                renamed_word_by_word(name).replace("expand", "x").replace("project", "expand").replace("x", "project")
            ),
            "wanted",
        ),
    ],
    "channel_order": [
        (grey_test, "look the same when they are reversed"),
        (best_class_only, "it calls every pipeline RGB"),
        (lambda p, m: "BGR", "every pipeline BGR"),
        (lambda p, m: "BGR" if order_by_red(p, m) == "RGB" else "RGB", "are exchanged"),
        (lambda p, m: order_by_red(p, m) == "RGB", "return 'RGB'"),
        (lambda p, m: order_by_red(p, m).lower(), "is wanted"),
    ],
    "top_1_and_5": [
        (
            lambda lines: [share * sum("answers" in line for line in lines) / len(lines) for share in counted(lines)],
            "wrong; leave",
        ),
        (lambda lines: counted(lines)[::-1], "exchanged"),
        (lambda lines: [share * sum("answers" in line for line in lines) for share in counted(lines)], "counts"),
        (lambda lines: counted(lines)[0], "return both"),
        (lambda lines: [counted(lines)[0], counted(lines)[1] - counted(lines)[0]], "belongs to them"),
        (lambda lines: [1.0, 1.0], "only the first picture"),
    ],
    "translate": [
        (lambda w: {n: W.mT if W.ndim > 1 else W for n, W in translate_by_slices(w).items()}, "it is transposed"),
        (lambda w: {n: W for n, W in translate_by_slices(w).items() if n != "W_V.bias"}, "W_V.bias is missing"),
        (lambda w: {**translate_by_slices(w), "W_O.bias": w["qkv_proj.bias"][-len(w["out_proj.bias"]) :]}, "of W_V"),
    ],
    "prepare": [
        (lambda p: prepare_by_arrays(p, how=Image.Resampling.BILINEAR), "bilinearly"),
        (lambda p: prepare_by_arrays(p)[0], "the batch axis is missing"),
        (lambda p: prepare_by_arrays(p, half=lambda n: int(n // 1)), "half a pixel was cut off"),
        (lambda p: prepare_by_arrays(p, whole=round), "the longer side was rounded"),
    ],
}
