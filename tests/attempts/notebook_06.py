"""Attempts at the exercises of notebook 06: two correct ones each, and wrong ones with the remark they must get."""

import re

import torch

WORDS = {"conv1_1x1": "expand", "conv2_kxk": "depthwise", "conv3_1x1": "project", "bn": "norm"}


def renamed_word_by_word(name):
    return ".".join(WORDS.get(word, word) for word in name.split("."))


def renamed_by_pattern(name):
    return re.sub("conv1_1x1|conv2_kxk|conv3_1x1|bn", lambda match: WORDS[match[0]], name)


def box_by_longer_side(width, height):
    shorter, longer = min(width, height), max(width, height)
    space = round((288 * longer // shorter - 256) / 2)
    left, top = (space, 16) if width >= height else (16, space)
    return left, top, left + 256, top + 256


def box_as_list(width, height):
    scaled = (288 * width // min(width, height), 288 * height // min(width, height))
    corner = [round((side - 256) / 2) for side in scaled]
    return corner + [side + 256 for side in corner]


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


RIGHT = {
    "name_from_timm": [renamed_word_by_word, renamed_by_pattern],
    "split_projections": [
        lambda w: (w[:1, :, 0, 0], w[1 : 1 + len(w) // 2, :, 0, 0], w[1 + len(w) // 2 :, :, 0, 0]),
        lambda w: [
            w.squeeze(3).squeeze(2)[rows] for rows in (slice(0, 1), slice(1, w.shape[1] + 1), slice(-w.shape[1], None))
        ],
    ],
    "crop_box": [box_by_longer_side, box_as_list],
    "channel_order": [order_by_red, order_by_nearest],
    "top_1_and_5": [counted, averaged],
}

WRONG = {
    "name_from_timm": [
        (lambda name: re.sub("conv[123]_(1x1|kxk)", lambda match: WORDS[match[0]], name), "norm keeps"),
        (lambda name: name.replace("bn", "norm"), "convolutions keep"),
        (lambda name: name, "as it was"),
        (lambda name: renamed_word_by_word(name).split(".")[3], "keep the rest"),
        (lambda name: renamed_word_by_word(name.replace("conv3", "conv0")).replace("conv0", "conv3"), "wanted"),
        (
            lambda name: (
                renamed_word_by_word(name).replace("expand", "x").replace("project", "expand").replace("x", "project")
            ),
            "wanted",
        ),
    ],
    "split_projections": [
        (lambda w: w.split([1, w.shape[1], w.shape[1]]), "axes of length one"),
        (lambda w: w[:, :, 0, 0].split([w.shape[1], w.shape[1], 1])[::-1], "number 1 is wrong"),
        (lambda w: [w[:1, :, 0, 0], w[1 + w.shape[1] :, :, 0, 0], w[1 : 1 + w.shape[1], :, 0, 0]], "exchanged"),
        (lambda w: [part.T for part in w[:, :, 0, 0].split([1, w.shape[1], w.shape[1]])], "do not transpose"),
        (lambda w: w[:, :, 0, 0].chunk(3), "number 1 is wrong"),
        (lambda w: (w[0, :, 0, 0], w[1 : 1 + w.shape[1], :, 0, 0], w[1 + w.shape[1] :, :, 0, 0]), "not a vector"),
    ],
    "crop_box": [
        (lambda w, h: box_as_list(h, w), "left and top"),
        (lambda w, h: (*box_as_list(w, h)[:2], 256, 256), "right and bottom"),
        (lambda w, h: [round((w - 256) / 2) + a for a in (0,)] + [0, 256, 256], "is wanted"),
        (lambda w, h: (0, 0, 256, 256), "middle"),
        (lambda w, h: (16, 16, 272, 272), "distorts"),
        (lambda w, h: [(288 * s // min(w, h) - 256) // 2 + a for a in (0, 256) for s in (w, h)], "half a pixel"),
    ],
    "channel_order": [
        (grey_test, "grey picture"),
        (best_class_only, "best class only"),
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
        (lambda lines: [1.0, 1.0], "wrong"),
    ],
}
