"""Attempts at the exercises of notebook 06 by a reader who had seen neither the checks nor the solutions."""

import functools
import re
from collections import Counter, OrderedDict

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

import mvit2_lib as mv

BICUBIC = Image.Resampling.BICUBIC
OURS = ("W_I", "W_K", "W_V")

# 6.1 translate


def translate_slices(theirs):
    weight, bias = theirs["qkv_proj.weight"][:, :, 0, 0], theirs["qkv_proj.bias"]
    d = weight.shape[1]
    return {
        "W_I.weight": weight[:1],
        "W_I.bias": bias[:1],
        "W_K.weight": weight[1 : 1 + d],
        "W_K.bias": bias[1 : 1 + d],
        "W_V.weight": weight[1 + d :],
        "W_V.bias": bias[1 + d :],
        "W_O.weight": theirs["out_proj.weight"][:, :, 0, 0],
        "W_O.bias": theirs["out_proj.bias"],
    }


def translate_counter(theirs):
    d, row, result = theirs["out_proj.bias"].numel(), 0, OrderedDict()
    for name, rows in zip(OURS, (1, d, d), strict=True):
        for kind, shape in (("weight", (rows, d)), ("bias", (rows,))):
            result[f"{name}.{kind}"] = theirs[f"qkv_proj.{kind}"].narrow(0, row, rows).reshape(shape).clone()
        row += rows
    result["W_O.weight"] = theirs["out_proj.weight"].squeeze(-1).squeeze(-1)
    result["W_O.bias"] = theirs["out_proj.bias"]
    return result


def translate_numpy(theirs):
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in theirs.items()}
    d = len(arrays["out_proj.bias"])
    result = {}
    for kind in ("weight", "bias"):
        parts = np.split(arrays[f"qkv_proj.{kind}"], [1, d + 1])
        for name, part in zip(OURS, parts, strict=True):
            result[name + "." + kind] = (
                torch.from_numpy(part.copy()).flatten(1) if part.ndim > 1 else torch.tensor(part)
            )
    result["W_O.weight"] = torch.tensor(arrays["out_proj.weight"][..., 0, 0])
    result["W_O.bias"] = torch.tensor(arrays["out_proj.bias"])
    return result


def translate_module(theirs):
    d = theirs["out_proj.weight"].size(0)
    layer = mv.SeparableSelfAttention(d).to(theirs["out_proj.weight"].dtype)
    with torch.no_grad():
        for i in range(1 + 2 * d):
            target, row = (layer.W_I, 0) if i == 0 else (layer.W_K, i - 1) if i <= d else (layer.W_V, i - 1 - d)
            target.weight[row] = theirs["qkv_proj.weight"][i].view(-1)
            target.bias[row] = theirs["qkv_proj.bias"][i]
        layer.W_O.weight.copy_(theirs["out_proj.weight"].view(d, d))
        layer.W_O.bias.copy_(theirs["out_proj.bias"])
    return layer.state_dict()


def assemble(theirs, sizes, order=OURS, bias_order=None):
    weights = dict(zip(order, theirs["qkv_proj.weight"].flatten(1).split(sizes), strict=True))
    biases = dict(zip(bias_order or order, theirs["qkv_proj.bias"].split(sizes), strict=True))
    result = {f"{name}.weight": tensor for name, tensor in weights.items()}
    result |= {f"{name}.bias": tensor for name, tensor in biases.items()}
    return result | {"W_O.weight": theirs["out_proj.weight"].flatten(1), "W_O.bias": theirs["out_proj.bias"]}


def width(theirs):
    return theirs["out_proj.bias"].shape[0]


def translate_helper(theirs):
    return assemble(theirs, [1, width(theirs), width(theirs)])


def translate_value_before_key(theirs):
    return assemble(theirs, [1, width(theirs), width(theirs)], ("W_I", "W_V", "W_K"))


def translate_score_last(theirs):
    return assemble(theirs, [width(theirs), width(theirs), 1], ("W_K", "W_V", "W_I"))


def translate_biases_swapped(theirs):
    return assemble(theirs, [1, width(theirs), width(theirs)], OURS, ("W_I", "W_V", "W_K"))


def translate_four_axes(theirs):
    right = translate_helper(theirs)
    return {name: tensor[..., None, None] if "weight" in name else tensor for name, tensor in right.items()}


def translate_out_four_axes(theirs):
    return translate_helper(theirs) | {"W_O.weight": theirs["out_proj.weight"]}


def translate_transposed(theirs):
    return {name: t.mT if "weight" in name else t for name, t in translate_helper(theirs).items()}


def translate_out_transposed(theirs):
    right = translate_helper(theirs)
    right["W_O.weight"] = right["W_O.weight"].mT
    return right


def translate_squeezed(theirs):
    return {name: tensor.squeeze() for name, tensor in translate_helper(theirs).items()}


def translate_no_biases(theirs):
    return {name: tensor for name, tensor in translate_helper(theirs).items() if name.endswith("weight")}


def translate_no_out(theirs):
    return {name: tensor for name, tensor in translate_helper(theirs).items() if "W_O" not in name}


def translate_with_prefix(theirs):
    return {f"attention.{name}": tensor for name, tensor in translate_helper(theirs).items()}


def translate_keeps_theirs(theirs):
    return dict(theirs) | translate_helper(theirs)


def translate_off_by_one(theirs):
    d, right = width(theirs), translate_helper(theirs)
    right["W_K.weight"] = theirs["qkv_proj.weight"].flatten(1)[:d]
    right["W_K.bias"] = theirs["qkv_proj.bias"][:d]
    return right


def translate_interleaved(theirs):
    right = translate_helper(theirs)
    for kind in ("weight", "bias"):
        rest = theirs[f"qkv_proj.{kind}"][1:]
        rest = rest.flatten(1) if kind == "weight" else rest
        right[f"W_K.{kind}"], right[f"W_V.{kind}"] = rest[0::2], rest[1::2]
    return right


def translate_thirds(theirs):
    parts = theirs["qkv_proj.weight"].flatten(1).chunk(3)
    biases = theirs["qkv_proj.bias"].chunk(3)
    right = translate_helper(theirs)
    for name, part, bias in zip(OURS, parts, biases, strict=True):
        right[f"{name}.weight"], right[f"{name}.bias"] = part, bias
    return right


def translate_tuple(theirs):
    return tuple(translate_helper(theirs).values())


# 6.2 prepare


def prepare_crop(picture):
    shorter = min(picture.size)
    w, h = (288 * side // shorter for side in picture.size)
    left, top = round((w - 256) / 2), round((h - 256) / 2)
    cut = picture.resize((w, h), BICUBIC).crop((left, top, left + 256, top + 256))
    return torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None] / 255


def prepare_slices(picture):
    w, h = picture.size
    new_w, new_h = 288 * w // min(w, h), 288 * h // min(w, h)
    pixels = np.asarray(picture.resize([new_w, new_h]), dtype=np.float64) / 255  # bicubic is Pillow's default
    x, y = int(round((new_w - 256) / 2)), int(round((new_h - 256) / 2))
    return torch.tensor(pixels[y : y + 256, x : x + 256].transpose(2, 0, 1)[np.newaxis], dtype=torch.float32)


def prepare_bytes(picture):
    small = np.array(picture.size) * 288 // min(picture.size)
    resized = picture.resize(tuple(small.tolist()), resample=BICUBIC)
    left, top = (round(0.5 * (int(side) - 256)) for side in small)
    flat = torch.frombuffer(bytearray(resized.tobytes()), dtype=torch.uint8).float().div_(255)
    image = flat.view(resized.height, resized.width, 3).narrow(0, top, 256).narrow(1, left, 256)
    return torch.einsum("hwc->chw", image).unsqueeze(0).contiguous()


def prepare_bands(picture):
    batch = torch.zeros(1, 3, 256, 256)
    shorter = picture.width if picture.width < picture.height else picture.height
    size = []
    for side in picture.size:
        size.append(288 * side // shorter)
    for channel, band in enumerate(picture.split()):
        band = np.array(band.resize(tuple(size), BICUBIC))
        top, left = round((size[1] - 256) / 2), round((size[0] - 256) / 2)
        for row in range(256):
            batch[0, channel, row] = torch.from_numpy(band[top + row, left : left + 256] / 255.0)
    return batch


def make_prepare(
    side=288, cut=256, pick=min, grow=None, method=BICUBIC, edge=lambda extra: round(extra / 2), finish=None
):
    """Build an attempt that differs from the text in the one argument that is given."""

    def attempt(picture):
        shorter = pick(picture.size)
        size = tuple(grow(s, shorter) if grow else side * s // shorter for s in picture.size)
        left, top = (edge(s - cut) for s in size)
        resized = picture.resize(size, method).crop((left, top, left + cut, top + cut))
        pixels = torch.from_numpy(np.array(resized))  # [H, W, 3]
        return finish(pixels) if finish else pixels.permute(2, 0, 1)[None] / 255

    return attempt


def prepare_squashed(picture):
    pixels = np.array(picture.resize((288, 288), BICUBIC))[16:272, 16:272]
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255


def prepare_no_crop(picture):
    return torch.from_numpy(np.array(picture.resize((256, 256), BICUBIC))).permute(2, 0, 1)[None] / 255


def prepare_no_resize(picture):
    left, top = round((picture.width - 256) / 2), round((picture.height - 256) / 2)
    cut = picture.crop((left, top, left + 256, top + 256))
    return torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None] / 255


def prepare_edges_swapped(picture):
    w, h = (288 * side // min(picture.size) for side in picture.size)
    left, top = round((w - 256) / 2), round((h - 256) / 2)
    cut = picture.resize((w, h), BICUBIC).crop((top, left, top + 256, left + 256))
    return torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None] / 255


def prepare_interpolate(picture):
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
    h, w = (288 * side // min(pixels.shape[-2:]) for side in pixels.shape[-2:])
    resized = F.interpolate(pixels, (h, w), mode="bicubic", align_corners=False).clamp(0, 1)
    top, left = round((h - 256) / 2), round((w - 256) / 2)
    return resized[..., top : top + 256, left : left + 256]


def imagenet_numbers(pixels):
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((pixels / 255 - mean) / deviation).permute(2, 0, 1)[None]


# 6.3 name_from_timm


def name_chain(name):
    name = name.replace("conv1_1x1", "expand").replace("conv2_kxk", "depthwise")
    return name.replace("conv3_1x1", "project").replace(".bn.", ".norm.")


PARTS = {"conv1_1x1": "expand", "conv2_kxk": "depthwise", "conv3_1x1": "project", "bn": "norm"}


def name_parts(name):
    return ".".join([PARTS.get(part, part) for part in name.split(".")])


def name_regex(name):
    return re.sub("|".join(PARTS), lambda match: PARTS[match.group()], name)


def name_reduce(name):
    return functools.reduce(lambda text, rule: text.replace(*rule), PARTS.items(), name)


def name_match(name):
    stages, stage, block, part, layer, kind = name.split(".")
    match part[4]:
        case "1":
            part = "expand"
        case "2":
            part = "depthwise"
        case _:
            part = "project"
    layer = layer if layer == "conv" else "norm"
    return f"{stages}.{stage}.{block}.{part}.{layer}.{kind}"


def name_first_rule_only(name):
    for theirs, ours in PARTS.items():
        if theirs in name:
            return name.replace(theirs, ours)
    return name


def name_result_dropped(name):
    for theirs, ours in PARTS.items():
        name.replace(theirs, ours)
    return name


def name_no_norm(name):
    return name.replace("conv1_1x1", "expand").replace("conv2_kxk", "depthwise").replace("conv3_1x1", "project")


def name_swapped_ends(name):
    return name_chain(name.replace("conv1_1x1", "X").replace("conv3_1x1", "conv1_1x1").replace("X", "conv3_1x1"))


def name_wildcard(name):
    for pattern, ours in ((r"conv._1x1", "expand"), (r"conv2_kxk", "depthwise"), (r"\.bn\.", ".norm.")):
        name = re.sub(pattern, ours, name)
    return name


def name_apples_3x3(name):
    rules = {"conv1_1x1": "expand", "conv2_3x3": "depthwise", "conv3_1x1": "project", "bn": "norm"}
    return ".".join(rules.get(part, part) for part in name.split("."))


def name_backwards(name):
    return functools.reduce(lambda text, rule: text.replace(rule[1], rule[0]), PARTS.items(), name)


def name_rest_stays(name):
    return (
        name.replace("conv1", "expand").replace("conv2", "depthwise").replace("conv3", "project").replace("bn", "norm")
    )


def name_examples_only(name):
    table = {
        "stages.1.0.conv1_1x1.conv.weight": "stages.1.0.expand.conv.weight",
        "stages.1.0.conv2_kxk.bn.bias": "stages.1.0.depthwise.norm.bias",
        "stages.1.0.conv3_1x1.bn.running_mean": "stages.1.0.project.norm.running_mean",
    }
    return table.get(name, name)


def name_stage_fixed(name):
    return "stages.1.0." + name_chain(name).split(".", 3)[3]


def name_stage_minus_one(name):
    return re.sub(r"^stages\.(\d+)", lambda match: f"stages.{int(match[1]) - 1}", name_chain(name))


def name_loses_conv(name):
    return name_chain(name).replace(".conv.", ".")


def name_norm_only_with_bias(name):
    return name_no_norm(name).replace("bn.weight", "norm.weight").replace("bn.bias", "norm.bias")


def name_no_last(name):
    return ".".join(name_parts(name).split(".")[:-1])


def name_list(name):
    return name_parts(name).split(".")


def name_batch_norm(name):
    return name_chain(name).replace(".norm.", ".batch_norm.")


def name_prints(name):
    print(name_chain(name))


# 6.4 channel_order


def order_distance(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        answer, plain, turned = pipeline(picture), model(picture), model(picture.flip(1))
    return "RGB" if (answer - plain).norm() < (answer - turned).norm() else "BGR"


def order_red(pipeline, model):
    red = torch.zeros(1, 3, 96, 96)
    red[:, 0] = 1.0
    blue = red[:, [2, 1, 0]]
    with torch.inference_mode():
        if torch.allclose(pipeline(red), model(blue), atol=1e-6):
            return "BGR"
    return "RGB"


def order_loop(pipeline, model):
    errors = {"RGB": 0.0, "BGR": 0.0}
    generator = np.random.default_rng(3)
    for _ in range(3):
        picture = torch.from_numpy(generator.random((2, 3, 64, 64), dtype=np.float32))
        red, green, blue = picture.unbind(dim=1)
        orders = {"RGB": picture, "BGR": torch.stack([blue, green, red], dim=1)}
        for name, handed_on in orders.items():
            difference = pipeline(picture).detach() - model(handed_on).detach()
            errors[name] += np.abs(difference.numpy()).sum()
    return min(errors, key=errors.get)


def order_one_batch(pipeline, model):
    batch = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).sigmoid()
    batch[1] = batch[0].flip(0)
    with torch.no_grad():
        same = F.mse_loss(pipeline(batch), model(batch))
        crossed = F.mse_loss(pipeline(batch), model(batch).flip(0))
    return ("RGB", "BGR")[int(crossed < same)]


def order_grey(pipeline, model):
    picture = torch.rand(1, 1, 64, 64).expand(1, 3, 64, 64)
    with torch.no_grad():
        return "RGB" if torch.allclose(pipeline(picture), model(picture), atol=1e-5) else "BGR"


def order_green(pipeline, model):
    picture = torch.zeros(1, 3, 64, 64)
    picture[:, 1] = 1
    with torch.no_grad():
        return "BGR" if torch.allclose(pipeline(picture), model(picture.flip(1)), atol=1e-5) else "RGB"


def order_swapped(pipeline, model):
    return {"RGB": "BGR", "BGR": "RGB"}[order_distance(pipeline, model)]


def order_bool(pipeline, model):
    return order_distance(pipeline, model) == "RGB"


def order_small_letters(pipeline, model):
    return order_distance(pipeline, model).lower()


def order_always_bgr(pipeline, model):
    return "BGR"


def order_pipeline_only(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        return "RGB" if torch.allclose(pipeline(picture), pipeline(picture.flip(1)), atol=1e-5) else "BGR"


def order_flips_width(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        return "BGR" if torch.allclose(pipeline(picture), model(picture.flip(-1)), atol=1e-5) else "RGB"


def order_flips_batch(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        turned = (pipeline(picture) - model(picture.flip(0))).abs().sum()
        plain = (pipeline(picture) - model(picture)).abs().sum()
    return "BGR" if turned < plain else "RGB"


def order_rolls(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        return "BGR" if torch.allclose(pipeline(picture), model(picture.roll(1, dims=1)), atol=1e-5) else "RGB"


def order_two_pictures(pipeline, model):
    with torch.no_grad():
        ours, theirs = model(torch.rand(1, 3, 64, 64)), pipeline(torch.rand(1, 3, 64, 64))
    return "RGB" if torch.allclose(ours, theirs, atol=1e-5) else "BGR"


def order_confidence(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        ours, theirs = (function(picture).softmax(dim=1).max() for function in (model, pipeline))
    return "RGB" if theirs >= ours else "BGR"


def order_best_class(pipeline, model):
    red = torch.zeros(1, 3, 64, 64)
    red[:, 0] = 1
    with torch.no_grad():
        return "RGB" if pipeline(red).argmax() == model(red).argmax() else "BGR"


def order_symmetric(pipeline, model):
    magenta = torch.ones(1, 3, 64, 64)
    magenta[:, 1] = 0
    with torch.no_grad():
        plain, turned = model(magenta), model(magenta.flip(1))
        return "RGB" if (pipeline(magenta) - plain).norm() <= (pipeline(magenta) - turned).norm() else "BGR"


def order_both_turned(pipeline, model):
    picture = torch.rand(1, 3, 64, 64).flip(1)
    with torch.no_grad():
        plain = (pipeline(picture) - model(picture.flip(1))).norm()
        turned = (pipeline(picture) - model(picture)).norm()
    return "RGB" if plain < turned else "BGR"


def order_shape(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        return "RGB" if pipeline(picture).shape == model(picture).shape else "BGR"


# 6.5 top_1_and_5


def top_comprehension(lines):
    read = [line for line in lines if "answers" in line]
    top1 = sum(line["label"] == line["answers"][0] for line in read) / len(read)
    return top1, sum(line["label"] in line["answers"] for line in read) / len(read)


def top_loop(lines):
    first = among = read = 0
    for line in lines:
        if "unreadable" in line:
            continue
        read += 1
        for place, answer in enumerate(line["answers"]):
            if answer == line["label"]:
                among += 1
                if place == 0:
                    first += 1
                break
    return [first / read, among / read]


def top_numpy(lines):
    pairs = [(line["label"], line["answers"]) for line in lines if not line.get("unreadable")]
    labels, answers = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    hits = answers == labels[:, None]
    return np.mean(hits[:, 0]), np.mean(hits.any(axis=1))


def top_tensors(lines):
    read = list(filter(lambda line: line.get("answers"), lines))
    labels = torch.tensor([line["label"] for line in read]).unsqueeze(1)
    hits = torch.tensor([line["answers"] for line in read]).eq(labels).double()
    return tuple(hits[:, :n].amax(dim=1).mean() for n in (1, 5))


def top_counter(lines):
    places = Counter()
    for line in lines:
        try:
            places[line["answers"].index(line["label"])] += 1
        except KeyError:
            pass
        except ValueError:
            places["missed"] += 1
    everything = places.total()
    return places[0] / everything, 1 - places["missed"] / everything


def readable(lines):
    return [line for line in lines if "answers" in line]


def top_all_pictures(lines):
    read = readable(lines)
    first = sum(line["answers"][0] == line["label"] for line in read)
    return first / len(lines), sum(line["label"] in line["answers"] for line in read) / len(lines)


def top_percent(lines):
    return tuple(100 * share for share in top_comprehension(lines))


def top_counts(lines):
    return tuple(round(share * len(readable(lines))) for share in top_comprehension(lines))


def top_other_order(lines):
    return top_comprehension(lines)[::-1]


def top_without_first(lines):
    read = readable(lines)
    return top_comprehension(lines)[0], sum(line["label"] in line["answers"][1:] for line in read) / len(read)


def top_four(lines):
    read = readable(lines)
    return top_comprehension(lines)[0], sum(line["label"] in line["answers"][:4] for line in read) / len(read)


def top_best_last(lines):
    read = readable(lines)
    return sum(line["label"] == line["answers"][-1] for line in read) / len(read), top_comprehension(lines)[1]


def top_largest_number(lines):
    read = readable(lines)
    return sum(line["label"] == max(line["answers"]) for line in read) / len(read), top_comprehension(lines)[1]


def top_unreadable_right(lines):
    right = [line.get("answers", [line["label"]]) for line in lines]
    first = sum(line["label"] == answers[0] for line, answers in zip(lines, right, strict=True))
    five = sum(line["label"] in answers for line, answers in zip(lines, right, strict=True))
    return first / len(lines), five / len(lines)


def top_key_error(lines):
    first = [line["answers"][0] == line["label"] for line in lines]
    return sum(first) / len(lines), sum(line["label"] in line["answers"] for line in lines) / len(lines)


def top_of_the_found(lines):
    read = readable(lines)
    found = [line for line in read if line["label"] in line["answers"]]
    return sum(line["answers"][0] == line["label"] for line in found) / len(found), len(found) / len(read)


def top_whole_division(lines):
    read = readable(lines)
    first = sum(line["answers"][0] == line["label"] for line in read)
    return first // len(read), sum(line["label"] in line["answers"] for line in read) // len(read)


def top_share_of_five(lines):
    read = readable(lines)
    hits = sum(line["answers"].count(line["label"]) for line in read)
    return top_comprehension(lines)[0], hits / (5 * len(read))


def top_stops_at_unreadable(lines):
    first = five = read = 0
    for line in lines:
        if "unreadable" in line:
            break
        read += 1
        first += line["answers"][0] == line["label"]
        five += line["label"] in line["answers"]
    return first / max(read, 1), five / max(read, 1)


def top_errors(lines):
    return tuple(1 - share for share in top_comprehension(lines))


def top_one_only(lines):
    return top_comprehension(lines)[0]


ATTEMPTS = [
    ("translate", "right", "slices", translate_slices),
    ("translate", "right", "a loop that counts rows, narrow, an OrderedDict", translate_counter),
    ("translate", "right", "np.split", translate_numpy),
    ("translate", "right", "row by row into a module, its state_dict", translate_module),
    ("translate", "right", "flatten and split with a helper", translate_helper),
    ("translate", "wrong", "value before key", translate_value_before_key),
    ("translate", "wrong", "takes the score from the last row", translate_score_last),
    ("translate", "wrong", "biases of key and value swapped", translate_biases_swapped),
    ("translate", "wrong", "all weights keep the axes of a convolution", translate_four_axes),
    ("translate", "wrong", "W_O keeps the axes of a convolution", translate_out_four_axes),
    ("translate", "wrong", "all weights transposed", translate_transposed),
    ("translate", "wrong", "W_O transposed", translate_out_transposed),
    ("translate", "wrong", "squeeze also drops the axis of the one score", translate_squeezed),
    ("translate", "wrong", "no biases", translate_no_biases),
    ("translate", "wrong", "no W_O", translate_no_out),
    ("translate", "wrong", "names with a prefix", translate_with_prefix),
    ("translate", "wrong", "their four tensors are still there", translate_keeps_theirs),
    ("translate", "wrong", "the keys start at row 0", translate_off_by_one),
    ("translate", "wrong", "keys and values taken in turns", translate_interleaved),
    ("translate", "wrong", "cut into equal thirds", translate_thirds),
    ("translate", "wrong", "a tuple of tensors instead of a dictionary", translate_tuple),
    ("prepare", "right", "resize and crop", prepare_crop),
    ("prepare", "right", "default resampling, float64 and slices in NumPy", prepare_slices),
    ("prepare", "right", "bytes, narrow and einsum", prepare_bytes),
    ("prepare", "right", "band by band, row by row, in place", prepare_bands),
    ("prepare", "wrong", "the longer side becomes 288", make_prepare(pick=max)),
    ("prepare", "wrong", "the shorter side becomes 256", make_prepare(side=256)),
    ("prepare", "wrong", "cuts out 224 × 224", make_prepare(cut=224)),
    ("prepare", "wrong", "bilinear", make_prepare(method=Image.Resampling.BILINEAR)),
    ("prepare", "wrong", "nearest", make_prepare(method=Image.Resampling.NEAREST)),
    ("prepare", "wrong", "Lanczos", make_prepare(method=Image.Resampling.LANCZOS)),
    ("prepare", "wrong", "sides rounded up", make_prepare(grow=lambda side, shorter: -(-288 * side // shorter))),
    ("prepare", "wrong", "edges rounded down", make_prepare(edge=lambda extra: extra // 2)),
    ("prepare", "wrong", "edges rounded up", make_prepare(edge=lambda extra: (extra + 1) // 2)),
    ("prepare", "wrong", "cut from the top left corner", make_prepare(edge=lambda extra: 0)),
    ("prepare", "wrong", "cut from the bottom right corner", make_prepare(edge=lambda extra: extra)),
    ("prepare", "wrong", "left and top swapped", prepare_edges_swapped),
    ("prepare", "wrong", "squashed to a square", prepare_squashed),
    ("prepare", "wrong", "squashed to 256 × 256, nothing cut off", prepare_no_crop),
    ("prepare", "wrong", "not resized", prepare_no_resize),
    ("prepare", "wrong", "F.interpolate, which does not smooth when it shrinks", prepare_interpolate),
    ("prepare", "wrong", "0 to 255", make_prepare(finish=lambda x: x.permute(2, 0, 1)[None].float())),
    ("prepare", "wrong", "divided by 256", make_prepare(finish=lambda x: x.permute(2, 0, 1)[None] / 256)),
    ("prepare", "wrong", "whole-number division", make_prepare(finish=lambda x: x.permute(2, 0, 1)[None] // 255)),
    ("prepare", "wrong", "from -1 to 1", make_prepare(finish=lambda x: x.permute(2, 0, 1)[None] / 127.5 - 1)),
    ("prepare", "wrong", "mean and deviation of ImageNet", make_prepare(finish=imagenet_numbers)),
    ("prepare", "wrong", "BGR", make_prepare(finish=lambda x: x.permute(2, 0, 1)[None].flip(1) / 255)),
    ("prepare", "wrong", "no batch axis", make_prepare(finish=lambda x: x.permute(2, 0, 1) / 255)),
    ("prepare", "wrong", "channels last", make_prepare(finish=lambda x: x[None] / 255)),
    ("prepare", "wrong", "reshape instead of permute", make_prepare(finish=lambda x: x.reshape(1, 3, 256, 256) / 255)),
    ("prepare", "wrong", "height and width swapped", make_prepare(finish=lambda x: x.permute(2, 1, 0)[None] / 255)),
    ("name_from_timm", "right", "a chain of replace", name_chain),
    ("name_from_timm", "right", "a dictionary over the parts", name_parts),
    ("name_from_timm", "right", "one regular expression", name_regex),
    ("name_from_timm", "right", "reduce", name_reduce),
    ("name_from_timm", "right", "match on one letter", name_match),
    ("name_from_timm", "wrong", "returns after the first rule", name_first_rule_only),
    ("name_from_timm", "wrong", "throws the result of replace away", name_result_dropped),
    ("name_from_timm", "wrong", "forgets the norm", name_no_norm),
    ("name_from_timm", "wrong", "expand and project swapped", name_swapped_ends),
    ("name_from_timm", "wrong", "a pattern that takes both 1×1 for expand", name_wildcard),
    ("name_from_timm", "wrong", "looks for 3x3 instead of kxk", name_apples_3x3),
    ("name_from_timm", "wrong", "translates from ours to theirs", name_backwards),
    ("name_from_timm", "wrong", "_1x1 and _kxk stay", name_rest_stays),
    ("name_from_timm", "wrong", "a table of the three examples", name_examples_only),
    ("name_from_timm", "wrong", "always stage 1, block 0", name_stage_fixed),
    ("name_from_timm", "wrong", "stage number less one", name_stage_minus_one),
    ("name_from_timm", "wrong", "drops .conv", name_loses_conv),
    ("name_from_timm", "wrong", "renames the norm's weight and bias only", name_norm_only_with_bias),
    ("name_from_timm", "wrong", "loses the last part", name_no_last),
    ("name_from_timm", "wrong", "a list of parts", name_list),
    ("name_from_timm", "wrong", "bn becomes batch_norm", name_batch_norm),
    ("name_from_timm", "wrong", "prints instead of returning", name_prints),
    ("channel_order", "right", "the nearer of two answers", order_distance),
    ("channel_order", "right", "a red picture and allclose", order_red),
    ("channel_order", "right", "a loop that sums errors in NumPy", order_loop),
    ("channel_order", "right", "a picture and its reverse in one batch", order_one_batch),
    ("channel_order", "wrong", "a grey picture", order_grey),
    ("channel_order", "wrong", "a green picture", order_green),
    ("channel_order", "wrong", "magenta, the same in both orders", order_symmetric),
    ("channel_order", "wrong", "the two words swapped", order_swapped),
    ("channel_order", "wrong", "True and False", order_bool),
    ("channel_order", "wrong", "small letters", order_small_letters),
    ("channel_order", "wrong", "always BGR", order_always_bgr),
    ("channel_order", "wrong", "asks only whether the pipeline sees colour", order_pipeline_only),
    ("channel_order", "wrong", "reverses the width", order_flips_width),
    ("channel_order", "wrong", "reverses the batch", order_flips_batch),
    ("channel_order", "wrong", "rolls the channels", order_rolls),
    ("channel_order", "wrong", "different pictures for pipeline and model", order_two_pictures),
    ("channel_order", "wrong", "compares how sure they are", order_confidence),
    ("channel_order", "wrong", "compares only the best class", order_best_class),
    ("channel_order", "wrong", "forgets that the picture was turned already", order_both_turned),
    ("channel_order", "wrong", "compares shapes", order_shape),
    ("top_1_and_5", "right", "comprehensions", top_comprehension),
    ("top_1_and_5", "right", "loops, a list", top_loop),
    ("top_1_and_5", "right", "NumPy", top_numpy),
    ("top_1_and_5", "right", "tensors, 0-d float64", top_tensors),
    ("top_1_and_5", "right", "a Counter of places", top_counter),
    ("top_1_and_5", "wrong", "shares of all pictures", top_all_pictures),
    ("top_1_and_5", "wrong", "per cent", top_percent),
    ("top_1_and_5", "wrong", "counts", top_counts),
    ("top_1_and_5", "wrong", "top-5 first", top_other_order),
    ("top_1_and_5", "wrong", "top-5 without the first answer", top_without_first),
    ("top_1_and_5", "wrong", "four answers instead of five", top_four),
    ("top_1_and_5", "wrong", "takes the last answer for the best", top_best_last),
    ("top_1_and_5", "wrong", "takes the largest class number for the best", top_largest_number),
    ("top_1_and_5", "wrong", "counts unreadable pictures as right", top_unreadable_right),
    ("top_1_and_5", "wrong", "KeyError on unreadable pictures", top_key_error),
    ("top_1_and_5", "wrong", "top-1 as a share of the top-5 hits", top_of_the_found),
    ("top_1_and_5", "wrong", "whole-number division", top_whole_division),
    ("top_1_and_5", "wrong", "divides top-5 by five answers a picture", top_share_of_five),
    ("top_1_and_5", "wrong", "stops at the first unreadable picture", top_stops_at_unreadable),
    ("top_1_and_5", "wrong", "error rates", top_errors),
    ("top_1_and_5", "wrong", "top-1 only", top_one_only),
]
