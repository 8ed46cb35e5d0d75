"""Attempts of a second cold reader at notebook 06: written before the checks and solutions were looked at."""

import re
from collections import OrderedDict
from fractions import Fraction
from functools import reduce

import numpy as np
import torch
from PIL import Image
from torch import nn

import mvit2_lib as mv

# 6.1


def translate_split(theirs):
    d = theirs["out_proj.bias"].shape[0]
    out = {}
    for part in ("weight", "bias"):
        pieces = theirs[f"qkv_proj.{part}"].split([1, d, d])
        for letter, piece in zip("IKV", pieces, strict=True):
            out[f"W_{letter}.{part}"] = piece.flatten(1) if part == "weight" else piece
        mixed = theirs[f"out_proj.{part}"]
        out[f"W_O.{part}"] = mixed.flatten(1) if part == "weight" else mixed
    return out


def translate_slices(theirs):
    w, b = theirs["qkv_proj.weight"][:, :, 0, 0], theirs["qkv_proj.bias"]
    d = (len(b) - 1) // 2
    return OrderedDict(
        [
            ("W_O.bias", theirs["out_proj.bias"]),
            ("W_O.weight", theirs["out_proj.weight"][..., 0, 0]),
            ("W_V.weight", w[-d:]),
            ("W_V.bias", b[-d:]),
            ("W_K.weight", w[1:-d]),
            ("W_K.bias", b[1:-d]),
            ("W_I.weight", w[:1]),
            ("W_I.bias", b[:1]),
        ]
    )


def translate_module(theirs):
    d = theirs["out_proj.bias"].numel()
    layer = mv.SeparableSelfAttention(d)
    with torch.no_grad():
        for row in range(d):
            layer.W_K.weight[row] = theirs["qkv_proj.weight"][1 + row].view(d)
            layer.W_V.weight[row] = theirs["qkv_proj.weight"][1 + d + row].view(d)
            layer.W_K.bias[row] = theirs["qkv_proj.bias"][1 + row]
            layer.W_V.bias[row] = theirs["qkv_proj.bias"][1 + d + row]
        layer.W_I.weight.copy_(theirs["qkv_proj.weight"][0].view(1, d))
        layer.W_I.bias.copy_(theirs["qkv_proj.bias"][0])
        layer.W_O.weight.copy_(theirs["out_proj.weight"].squeeze())
        layer.W_O.bias.copy_(theirs["out_proj.bias"])
    return layer.state_dict()


def translate_numpy(theirs):
    arrays = {name: tensor.detach().numpy() for name, tensor in theirs.items()}
    d = arrays["out_proj.weight"].shape[0]
    w = np.split(arrays["qkv_proj.weight"].reshape(1 + 2 * d, d), [1, 1 + d])
    b = np.split(arrays["qkv_proj.bias"], [1, 1 + d])
    out = {f"W_{x}.weight": torch.from_numpy(y.copy()) for x, y in zip("IKV", w, strict=True)}
    out |= {f"W_{x}.bias": torch.from_numpy(y.copy()) for x, y in zip("IKV", b, strict=True)}
    out["W_O.weight"] = torch.tensor(arrays["out_proj.weight"].reshape(d, d))
    out["W_O.bias"] = torch.tensor(arrays["out_proj.bias"])
    return out


def translate_parameters(theirs):
    return {name: nn.Parameter(tensor.detach().clone()) for name, tensor in translate_slices(theirs).items()}


def _translate(theirs, sizes=None, letters="IKV"):
    d = theirs["out_proj.bias"].shape[0]
    w = theirs["qkv_proj.weight"].flatten(1).split(sizes(d) if sizes else [1, d, d])
    b = theirs["qkv_proj.bias"].split(sizes(d) if sizes else [1, d, d])
    out = {"W_O.weight": theirs["out_proj.weight"].flatten(1), "W_O.bias": theirs["out_proj.bias"]}
    for letter, weight, bias in zip(letters, w, b, strict=True):
        out[f"W_{letter}.weight"], out[f"W_{letter}.bias"] = weight, bias
    return out


def translate_score_last(theirs):
    return _translate(theirs, lambda d: [d, d, 1], "KVI")


def translate_k_v_swapped(theirs):
    return _translate(theirs, letters="IVK")


def translate_transposed(theirs):
    return {name: t.mT if t.ndim == 2 else t for name, t in _translate(theirs).items()}


def translate_out_transposed(theirs):
    out = _translate(theirs)
    return out | {"W_O.weight": out["W_O.weight"].T}


def translate_conv_axes(theirs):
    return {name: t[..., None, None] if t.ndim == 2 else t for name, t in _translate(theirs).items()}


def translate_no_biases(theirs):
    return {name: t for name, t in _translate(theirs).items() if "weight" in name}


def translate_no_out(theirs):
    return {name: t for name, t in _translate(theirs).items() if "W_O" not in name}


def translate_query_name(theirs):
    return _translate(theirs, letters="QKV")


def translate_thirds(theirs):
    out = {"W_O.weight": theirs["out_proj.weight"].flatten(1), "W_O.bias": theirs["out_proj.bias"]}
    for part in ("weight", "bias"):
        for letter, piece in zip("IKV", theirs[f"qkv_proj.{part}"].chunk(3), strict=True):
            out[f"W_{letter}.{part}"] = piece.flatten(1) if part == "weight" else piece
    return out


def translate_squeezed(theirs):
    return {name: t.squeeze() for name, t in _translate(theirs).items()}


def translate_nested(theirs):
    out = _translate(theirs)
    return {f"W_{x}": {"weight": out[f"W_{x}.weight"], "bias": out[f"W_{x}.bias"]} for x in "IKVO"}


def translate_prefix(theirs):
    return {f"attention.{name}": t for name, t in _translate(theirs).items()}


def translate_biases_swapped(theirs):
    out = _translate(theirs)
    return out | {"W_K.bias": out["W_V.bias"], "W_V.bias": out["W_K.bias"]}


def translate_forgets_the_one(theirs):
    d = theirs["out_proj.bias"].shape[0]
    w, b = theirs["qkv_proj.weight"].flatten(1), theirs["qkv_proj.bias"]
    out = _translate(theirs)
    out |= {"W_K.weight": w[0:d], "W_K.bias": b[0:d], "W_V.weight": w[d : 2 * d], "W_V.bias": b[d : 2 * d]}
    return out


def translate_keeps_theirs(theirs):
    return dict(theirs) | _translate(theirs)


def translate_tuple(theirs):
    return tuple(_translate(theirs).values())


# 6.2


def _resized(picture, shorter=288, how=Image.Resampling.BICUBIC):
    return picture.resize([shorter * side // min(picture.size) for side in picture.size], how)


def _middle(picture):
    left, top = (round((side - 256) / 2) for side in picture.size)
    return picture.crop((left, top, left + 256, top + 256))


def _tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255


def prepare_pillow(picture):
    return _tensor(_middle(_resized(picture)))


def prepare_slices(picture):
    width, height = picture.size
    short = width if width < height else height
    width, height = 288 * width // short, 288 * height // short
    array = np.asarray(picture.resize((width, height), resample=Image.Resampling.BICUBIC))
    top, left = round((height - 256) / 2), round((width - 256) / 2)
    array = array[top : top + 256, left : left + 256].astype(np.float32) / 255
    return torch.tensor(np.moveaxis(array, -1, 0)).unsqueeze(0)


def prepare_channels(picture):
    cut = _middle(_resized(picture))
    planes = [torch.tensor(np.array(plane), dtype=torch.float32).div_(255.0) for plane in cut.split()]
    return torch.stack([torch.stack(planes)])


def prepare_double(picture):
    array = np.array(_middle(_resized(picture.convert("RGB")))) / 255
    return torch.from_numpy(array.transpose(2, 0, 1)[np.newaxis].copy())


def prepare_library(picture):
    return mv.preprocess(picture)


def prepare_bgr(picture):
    return prepare_pillow(picture).flip(1)


def prepare_bytes(picture):
    return prepare_pillow(picture) * 255


def prepare_channels_last(picture):
    return prepare_pillow(picture).movedim(1, -1)


def prepare_no_batch(picture):
    return prepare_pillow(picture)[0]


def prepare_square(picture):
    return _tensor(_middle(picture.resize((288, 288), Image.Resampling.BICUBIC)))


def prepare_squashed(picture):
    return _tensor(picture.resize((256, 256), Image.Resampling.BICUBIC))


def prepare_no_margin(picture):
    return _tensor(_middle(_resized(picture, 256)))


def prepare_longer(picture):
    size = [288 * side // max(picture.size) for side in picture.size]
    return _tensor(_middle(picture.resize(size, Image.Resampling.BICUBIC)))


def prepare_corner(picture):
    return _tensor(_resized(picture).crop((0, 0, 256, 256)))


def prepare_bilinear(picture):
    return _tensor(_middle(_resized(picture, how=Image.Resampling.BILINEAR)))


def prepare_imagenet(picture):
    mean, dev = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (prepare_pillow(picture) - mean[:, None, None]) / dev[:, None, None]


def prepare_reshape(picture):
    return torch.from_numpy(np.array(_middle(_resized(picture)))).reshape(1, 3, 256, 256) / 255


def prepare_crop_first(picture):
    return _tensor(_middle(picture).resize((256, 256), Image.Resampling.BICUBIC))


def prepare_whole_numbers(picture):
    return torch.from_numpy(np.array(_middle(_resized(picture)))).permute(2, 0, 1)[None] // 255


def prepare_floor(picture):
    picture = _resized(picture)
    left, top = ((side - 256) // 2 for side in picture.size)
    return _tensor(picture.crop((left, top, left + 256, top + 256)))


def prepare_long_side_rounded(picture):
    size = [round(288 * side / min(picture.size)) for side in picture.size]
    return _tensor(_middle(picture.resize(size, Image.Resampling.BICUBIC)))


def prepare_minus_one(picture):
    return prepare_pillow(picture) * 2 - 1


def prepare_256(picture):
    return prepare_pillow(picture) * 255 / 256


def prepare_lying(picture):
    return torch.from_numpy(np.array(_middle(_resized(picture)))).permute(2, 1, 0)[None] / 255


def prepare_array(picture):
    return prepare_pillow(picture).numpy()


# 6.3


def name_replace(name):
    name = name.replace("conv1_1x1", "expand").replace("conv2_kxk", "depthwise")
    return name.replace("conv3_1x1", "project").replace(".bn.", ".norm.")


def name_regex(name):
    parts = {"1_1x1": "expand", "2_kxk": "depthwise", "3_1x1": "project"}
    return re.sub(r"\bbn\b", "norm", re.sub(r"conv(\d_\wx\w)", lambda match: parts[match[1]], name))


def name_words(name):
    table = {"conv1_1x1": "expand", "conv2_kxk": "depthwise", "conv3_1x1": "project", "bn": "norm"}
    words = []
    for word in name.split("."):
        words.append(table.get(word, word))
    return ".".join(words)


def name_reduce(name):
    pairs = (("conv1_1x1", "expand"), ("conv2_kxk", "depthwise"), ("conv3_1x1", "project"), ("bn", "norm"))
    return reduce(lambda text, pair: text.replace(*pair), pairs, name)


def name_positions(name):
    stages, stage, block, conv, kind, last = name.split(".")
    conv = ("expand", "depthwise", "project")[int(conv[4]) - 1]
    return f"{stages}.{stage}.{block}.{conv}.{'norm' if kind == 'bn' else kind}.{last}"


def name_no_norm(name):
    return name_replace(name).replace(".norm.", ".bn.")


def name_swapped(name):
    return name_replace(name.replace("conv1", "convX").replace("conv3", "conv1").replace("convX", "conv3"))


def name_weights_only(name):
    for old, new in (("conv1_1x1", "expand"), ("conv2_kxk", "depthwise"), ("conv3_1x1", "project")):
        name = name.replace(old, new)
    return name.replace("bn.weight", "norm.weight").replace("bn.bias", "norm.bias")


def name_no_prefix(name):
    return name_replace(name).split(".", 3)[-1]


def name_printed(name):
    print(name_replace(name))


def name_three_examples(name):
    return {
        "stages.1.0.conv1_1x1.conv.weight": "stages.1.0.expand.conv.weight",
        "stages.1.0.conv2_kxk.bn.bias": "stages.1.0.depthwise.norm.bias",
        "stages.1.0.conv3_1x1.bn.running_mean": "stages.1.0.project.norm.running_mean",
    }[name]


def name_conv_everywhere(name):
    return name_replace(name).replace("conv", "norm")


def name_elif(name):
    if "conv1_1x1" in name:
        return name.replace("conv1_1x1", "expand")
    elif "conv2_kxk" in name:
        return name.replace("conv2_kxk", "depthwise")
    elif "conv3_1x1" in name:
        return name.replace("conv3_1x1", "project")
    return name.replace("bn", "norm")


def name_stage_shifted(name):
    return re.sub(r"^stages\.(\d)", lambda match: f"stages.{int(match[1]) - 1}", name_replace(name))


def name_not_assigned(name):
    name.replace("conv1_1x1", "expand")
    name.replace("conv2_kxk", "depthwise")
    name.replace("conv3_1x1", "project")
    name.replace("bn", "norm")
    return name


def name_depth_wise(name):
    return name_replace(name).replace("depthwise", "depth_wise")


def name_greedy(name):
    name = re.sub(r"conv1.*\.", "expand.", name)
    name = re.sub(r"conv2.*\.", "depthwise.", name)
    return re.sub(r"conv3.*\.", "project.", name)


def name_list(name):
    return name_words(name).split(".")


def name_batchnorm(name):
    return name_replace(name).replace(".norm.", ".batch_norm.")


def name_first_stage(name):
    return "stages.1.0." + name_replace(name).split(".", 3)[-1]


# 6.4


def order_random(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        asked, plain, turned = pipeline(picture), model(picture), model(picture.flip(1))
    return "RGB" if (asked - plain).abs().sum() < (asked - turned).abs().sum() else "BGR"


def order_red(pipeline, model):
    red, blue = torch.zeros(2, 1, 3, 128, 96)
    red[:, 0], blue[:, 2] = 1, 1
    answer = pipeline(red).detach().numpy()
    gaps = [np.linalg.norm(answer - model(shown).detach().numpy()) for shown in (red, blue)]
    return ["RGB", "BGR"][int(np.argmin(gaps))]


def order_votes(pipeline, model):
    votes = []
    for seed in range(3):
        picture = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            votes.append(torch.allclose(pipeline(picture), model(picture[:, [2, 1, 0]]), atol=1e-4))
    return "BGR" if sum(votes) > 1 else "RGB"


def order_allclose(pipeline, model):
    picture = torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)
    return "RGB" if torch.allclose(pipeline(picture), model(picture), rtol=1e-3, atol=1e-5) else "BGR"


def order_photograph(pipeline, model):
    picture = mv.preprocess(mv.sample_picture("chelsea"))
    with torch.inference_mode():
        both = model(torch.cat([picture, picture.flip(1)]))
        nearest = torch.cdist(pipeline(picture), both).argmin().item()
    return ("RGB", "BGR")[nearest]


def order_always_rgb(pipeline, model):
    return "RGB"


def order_always_bgr(pipeline, model):
    return "BGR"


def order_grey(pipeline, model):
    picture = torch.rand(1, 1, 64, 64).expand(1, 3, 64, 64)
    return "RGB" if torch.allclose(pipeline(picture), model(picture), atol=1e-4) else "BGR"


def order_answers_swapped(pipeline, model):
    return {"RGB": "BGR", "BGR": "RGB"}[order_random(pipeline, model)]


def order_class_only(pipeline, model):
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return "RGB" if pipeline(picture).argmax() == model(picture).argmax() else "BGR"


def order_lower_case(pipeline, model):
    return order_random(pipeline, model).lower()


def order_bool(pipeline, model):
    return order_random(pipeline, model) == "RGB"


def order_wrong_axis(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    return "BGR" if torch.allclose(pipeline(picture), model(picture.flip(-1)), atol=1e-4) else "RGB"


def order_no_batch(pipeline, model):
    picture = torch.rand(3, 64, 64)
    return "RGB" if torch.allclose(pipeline(picture), model(picture), atol=1e-4) else "BGR"


def order_pipeline_only(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    return "RGB" if torch.allclose(pipeline(picture), pipeline(picture.flip(1)), atol=1e-4) else "BGR"


def order_black(pipeline, model):
    picture = torch.zeros(1, 3, 64, 64)
    return "RGB" if torch.allclose(pipeline(picture), model(picture), atol=1e-4) else "BGR"


def order_red_green(pipeline, model):
    picture = torch.rand(1, 3, 64, 64)
    return "BGR" if torch.allclose(pipeline(picture), model(picture[:, [1, 0, 2]]), atol=1e-4) else "RGB"


def order_confidence(pipeline, model):
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    sure, other = pipeline(picture).softmax(-1).amax(), pipeline(picture.flip(1)).softmax(-1).amax()
    return "RGB" if sure > other else "BGR"


def order_green_only(pipeline, model):
    picture = torch.zeros(1, 3, 64, 64)
    picture[:, 1] = torch.rand(64, 64)
    return "RGB" if torch.allclose(pipeline(picture), model(picture), atol=1e-4) else "BGR"


def order_two_pictures(pipeline, model):
    asked, known = pipeline(torch.rand(1, 3, 64, 64)), model(torch.rand(1, 3, 64, 64))
    return "RGB" if torch.allclose(asked, known, atol=1e-4) else "BGR"


def order_printed(pipeline, model):
    print(order_random(pipeline, model))


# 6.5


def top_lists(lines):
    read = [line for line in lines if "unreadable" not in line]
    first = sum(line["label"] == line["answers"][0] for line in read)
    five = sum(line["label"] in line["answers"] for line in read)
    return first / len(read), five / len(read)


def top_loop(lines):
    total = one = five = 0
    for line in lines:
        if "answers" not in line:
            continue
        total += 1
        for place, answer in enumerate(line["answers"]):
            if answer == line["label"]:
                five += 1
                one += place == 0
                break
    return [one / total, five / total]


def top_numpy(lines):
    read = [line for line in lines if not line.get("unreadable")]
    labels, answers = np.array([x["label"] for x in read]), np.array([x["answers"] for x in read])
    hits = answers == labels[:, None]
    return hits[:, 0].mean(), hits.any(axis=1).mean()


def top_torch(lines):
    read = [line for line in lines if "label" in line and "answers" in line]
    labels = torch.tensor([line["label"] for line in read])
    answers = torch.tensor([line["answers"] for line in read])
    hits = (answers == labels[:, None]).double()
    return hits[:, 0].mean(), hits.sum(dim=1).mean()


def top_fraction(lines):
    read = list(filter(lambda line: "unreadable" not in line, lines))
    return tuple(Fraction(sum(x["label"] in x["answers"][:n] for x in read), len(read)) for n in (1, 5))


def top_unreadable_wrong(lines):
    one, five = top_lists(lines)
    share = sum("unreadable" not in line for line in lines) / len(lines)
    return one * share, five * share


def top_unreadable_right(lines):
    one = sum("unreadable" in x or x["label"] == x["answers"][0] for x in lines)
    five = sum("unreadable" in x or x["label"] in x["answers"] for x in lines)
    return one / len(lines), five / len(lines)


def top_percent(lines):
    return tuple(100 * share for share in top_lists(lines))


def top_swapped(lines):
    return top_lists(lines)[::-1]


def top_last_answer(lines):
    read = [line for line in lines if "unreadable" not in line]
    return sum(x["label"] == x["answers"][-1] for x in read) / len(read), top_lists(lines)[1]


def top_without_first(lines):
    read = [line for line in lines if "unreadable" not in line]
    return top_lists(lines)[0], sum(x["label"] in x["answers"][1:] for x in read) / len(read)


def top_four(lines):
    read = [line for line in lines if "unreadable" not in line]
    return top_lists(lines)[0], sum(x["label"] in x["answers"][:4] for x in read) / len(read)


def top_counts(lines):
    read = [line for line in lines if "unreadable" not in line]
    return sum(x["label"] == x["answers"][0] for x in read), sum(x["label"] in x["answers"] for x in read)


def top_one_only(lines):
    return top_lists(lines)[0]


def top_not_dropped(lines):
    one = sum(line["label"] == line["answers"][0] for line in lines)
    return one / len(lines), sum(line["label"] in line["answers"] for line in lines) / len(lines)


def top_whole_division(lines):
    read = [line for line in lines if "unreadable" not in line]
    one, five = top_counts(lines)
    return one // len(read), five // len(read)


def top_by_five(lines):
    one, five = top_lists(lines)
    return one, five / 5


def top_stops(lines):
    read = []
    for line in lines:
        if "unreadable" in line:
            break
        read.append(line)
    return top_lists(read)


def top_no_zero(lines):
    return top_lists([line for line in lines if line.get("label")])


def top_same_twice(lines):
    five = top_lists(lines)[1]
    return five, five


def top_largest(lines):
    read = [line for line in lines if "unreadable" not in line]
    return sum(x["label"] == max(x["answers"]) for x in read) / len(read), top_lists(lines)[1]


def top_by_class(lines):
    read = [line for line in lines if "unreadable" not in line]
    groups = [[x for x in read if x["label"] == label] for label in {x["label"] for x in read}]
    shares = [top_lists(group) for group in groups]
    return tuple(sum(column) / len(column) for column in zip(*shares, strict=True))


def top_rounded(lines):
    return tuple(round(share, 1) for share in top_lists(lines))


def top_dict(lines):
    one, five = top_lists(lines)
    return {"top1": one, "top5": five}


def top_errors(lines):
    return tuple(1 - share for share in top_lists(lines))


ATTEMPTS = [
    ("translate", "right", "split and flatten in a loop", translate_split),
    ("translate", "right", "slices from both ends into an OrderedDict, other order", translate_slices),
    ("translate", "right", "rows copied into a module, its state_dict returned", translate_module),
    ("translate", "right", "NumPy split and back", translate_numpy),
    ("translate", "right", "values are nn.Parameter", translate_parameters),
    ("translate", "wrong", "cuts d, d, 1: the score last", translate_score_last),
    ("translate", "wrong", "K and V swapped", translate_k_v_swapped),
    ("translate", "wrong", "all weights transposed", translate_transposed),
    ("translate", "wrong", "W_O alone transposed", translate_out_transposed),
    ("translate", "wrong", "keeps the convolution's two axes", translate_conv_axes),
    ("translate", "wrong", "no biases", translate_no_biases),
    ("translate", "wrong", "W_O forgotten", translate_no_out),
    ("translate", "wrong", "the score is called W_Q", translate_query_name),
    ("translate", "wrong", "cut into three equal parts", translate_thirds),
    ("translate", "wrong", "squeeze takes W_I's first axis too", translate_squeezed),
    ("translate", "wrong", "nested dictionaries", translate_nested),
    ("translate", "wrong", "names begin with attention.", translate_prefix),
    ("translate", "wrong", "biases of K and V swapped, weights right", translate_biases_swapped),
    ("translate", "wrong", "slices forget the one row of the score", translate_forgets_the_one),
    ("translate", "wrong", "timm's four names still in it", translate_keeps_theirs),
    ("translate", "wrong", "returns a tuple of tensors", translate_tuple),
    ("prepare", "right", "Pillow's resize and crop", prepare_pillow),
    ("prepare", "right", "NumPy slices for the crop", prepare_slices),
    ("prepare", "right", "channel by channel, divided in place", prepare_channels),
    ("prepare", "right", "float64", prepare_double),
    ("prepare", "right", "the library's own function", prepare_library),
    ("prepare", "wrong", "blue, green, red", prepare_bgr),
    ("prepare", "wrong", "not divided by 255", prepare_bytes),
    ("prepare", "wrong", "channels last", prepare_channels_last),
    ("prepare", "wrong", "no batch axis", prepare_no_batch),
    ("prepare", "wrong", "resized to a 288 square: proportions lost", prepare_square),
    ("prepare", "wrong", "squashed to 256 x 256, nothing cut", prepare_squashed),
    ("prepare", "wrong", "shorter side to 256 instead of 288", prepare_no_margin),
    ("prepare", "wrong", "the longer side becomes 288", prepare_longer),
    ("prepare", "wrong", "top left corner cut out", prepare_corner),
    ("prepare", "wrong", "bilinear", prepare_bilinear),
    ("prepare", "wrong", "ImageNet mean and deviation", prepare_imagenet),
    ("prepare", "wrong", "reshape instead of permute", prepare_reshape),
    ("prepare", "wrong", "cropped without resizing", prepare_crop_first),
    ("prepare", "wrong", "whole-number division by 255", prepare_whole_numbers),
    ("prepare", "wrong", "the cut's half pixel rounded down", prepare_floor),
    ("prepare", "wrong", "the longer side rounded, not cut off", prepare_long_side_rounded),
    ("prepare", "wrong", "scaled to -1 ... 1", prepare_minus_one),
    ("prepare", "wrong", "divided by 256", prepare_256),
    ("prepare", "wrong", "height and width swapped", prepare_lying),
    ("prepare", "right", "a NumPy array, not a tensor", prepare_array),
    ("name_from_timm", "right", "chained replace", name_replace),
    ("name_from_timm", "right", "regular expressions", name_regex),
    ("name_from_timm", "right", "word by word in a loop", name_words),
    ("name_from_timm", "right", "functools.reduce", name_reduce),
    ("name_from_timm", "right", "by position", name_positions),
    ("name_from_timm", "wrong", "bn stays", name_no_norm),
    ("name_from_timm", "wrong", "expand and project swapped", name_swapped),
    ("name_from_timm", "wrong", "norm only for weight and bias, not for the running numbers", name_weights_only),
    ("name_from_timm", "wrong", "prefix lost", name_no_prefix),
    ("name_from_timm", "wrong", "prints and returns nothing", name_printed),
    ("name_from_timm", "wrong", "knows the three examples only", name_three_examples),
    ("name_from_timm", "wrong", "conv becomes norm too", name_conv_everywhere),
    ("name_from_timm", "wrong", "elif: only one of the replacements", name_elif),
    ("name_from_timm", "wrong", "stage counted down by one", name_stage_shifted),
    ("name_from_timm", "wrong", "results of replace thrown away", name_not_assigned),
    ("name_from_timm", "wrong", "depth_wise", name_depth_wise),
    ("name_from_timm", "wrong", "greedy pattern eats conv and bn", name_greedy),
    ("name_from_timm", "wrong", "a list of words", name_list),
    ("name_from_timm", "wrong", "bn becomes batch_norm", name_batchnorm),
    ("name_from_timm", "wrong", "stages.1.0 hard-coded", name_first_stage),
    ("channel_order", "right", "random picture, nearer of two", order_random),
    ("channel_order", "right", "pure red and pure blue, NumPy", order_red),
    ("channel_order", "right", "votes over three pictures", order_votes),
    ("channel_order", "right", "allclose once", order_allclose),
    ("channel_order", "right", "a photograph, cdist", order_photograph),
    ("channel_order", "wrong", "always RGB", order_always_rgb),
    ("channel_order", "wrong", "always BGR", order_always_bgr),
    ("channel_order", "wrong", "a grey picture", order_grey),
    ("channel_order", "wrong", "the two answers swapped", order_answers_swapped),
    ("channel_order", "wrong", "compares the class only, on one picture", order_class_only),
    ("channel_order", "wrong", "lower case", order_lower_case),
    ("channel_order", "wrong", "returns True or False", order_bool),
    ("channel_order", "wrong", "flips the width instead of the channels", order_wrong_axis),
    ("channel_order", "wrong", "no batch axis", order_no_batch),
    ("channel_order", "wrong", "never asks the model", order_pipeline_only),
    ("channel_order", "wrong", "a black picture", order_black),
    ("channel_order", "wrong", "swaps red and green instead of red and blue", order_red_green),
    ("channel_order", "wrong", "takes the surer answer for the right order", order_confidence),
    ("channel_order", "wrong", "red and blue equal, only green differs", order_green_only),
    ("channel_order", "wrong", "pipeline and model get different pictures", order_two_pictures),
    ("channel_order", "wrong", "prints and returns nothing", order_printed),
    ("top_1_and_5", "right", "comprehensions", top_lists),
    ("top_1_and_5", "right", "loop with counters, a list returned", top_loop),
    ("top_1_and_5", "right", "NumPy numbers", top_numpy),
    ("top_1_and_5", "right", "0-d tensors in float64", top_torch),
    ("top_1_and_5", "right", "fractions", top_fraction),
    ("top_1_and_5", "wrong", "unreadable ones count as wrong", top_unreadable_wrong),
    ("top_1_and_5", "wrong", "unreadable ones count as right", top_unreadable_right),
    ("top_1_and_5", "wrong", "per cent", top_percent),
    ("top_1_and_5", "wrong", "top-5 first", top_swapped),
    ("top_1_and_5", "wrong", "top-1 looks at the last answer", top_last_answer),
    ("top_1_and_5", "wrong", "top-5 leaves the first answer out", top_without_first),
    ("top_1_and_5", "wrong", "top-5 looks at four answers", top_four),
    ("top_1_and_5", "wrong", "counts instead of shares", top_counts),
    ("top_1_and_5", "wrong", "only top-1 returned", top_one_only),
    ("top_1_and_5", "wrong", "unreadable ones not dropped: KeyError", top_not_dropped),
    ("top_1_and_5", "wrong", "whole-number division", top_whole_division),
    ("top_1_and_5", "wrong", "top-5 divided by five", top_by_five),
    ("top_1_and_5", "wrong", "stops at the first unreadable one", top_stops),
    ("top_1_and_5", "wrong", "label 0 dropped as if it were missing", top_no_zero),
    ("top_1_and_5", "wrong", "top-1 counted like top-5", top_same_twice),
    ("top_1_and_5", "wrong", "the largest class number taken for the best answer", top_largest),
    ("top_1_and_5", "wrong", "mean of the classes' accuracies", top_by_class),
    ("top_1_and_5", "wrong", "rounded to one decimal", top_rounded),
    ("top_1_and_5", "wrong", "a dictionary", top_dict),
    ("top_1_and_5", "wrong", "errors instead of right answers", top_errors),
]
