"""Attempts at the exercises of notebook 09: correct ones, and wrong ones with the remark they must get."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded_by_hand(conv, norm):
    has_bias = {"bias": True, "stride": conv.stride, "padding": conv.padding, "groups": conv.groups}
    new = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, **has_bias)
    with torch.no_grad():
        for channel in range(conv.out_channels):
            scale = norm.weight[channel] / (norm.running_var[channel] + norm.eps) ** 0.5
            new.weight[channel] = conv.weight[channel] * scale
            before = 0.0 if conv.bias is None else conv.bias[channel]
            new.bias[channel] = norm.bias[channel] + scale * (before - norm.running_mean[channel])
    return new


def folded_by_norm(conv, norm):
    new = copy.deepcopy(conv)
    before = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
    new.bias = nn.Parameter(norm(before.view(1, -1, 1, 1)).flatten())
    new.weight = nn.Parameter(conv.weight * (norm.weight * (norm.running_var + norm.eps).rsqrt()).reshape(-1, 1, 1, 1))
    return new


def folded_in_place(conv, norm):
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    conv.weight.mul_(scale[:, None, None, None])
    bias = 0 if conv.bias is None else conv.bias
    conv.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)
    return conv


def folded_without_stride(conv, norm):
    new = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, groups=conv.groups)
    right = fuse_conv_bn_eval(conv, norm)
    new.load_state_dict(right.state_dict())
    return new


def two_statistics(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
    scale = weight / torch.sqrt(variance + eps)
    return torch.addcmul(bias - mean * scale, x, scale)


def as_in_the_text(x, weight, bias, eps):
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def whole_batch(x, weight, bias, eps):
    return F.layer_norm(x, x.shape, eps=eps) * weight + bias


def quantized_by_row(weight):
    q, s = torch.empty_like(weight, dtype=torch.int8), []
    for channel, row in enumerate(weight):
        peak = float(row.abs().max())
        s.append(peak / 127 if peak else 1.0)
        q[channel] = torch.round(row / s[-1])
    return q, s


def quantized_along_all(weight):
    s = weight.abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True) / 127
    s = s.masked_fill(s == 0, 1)
    return (weight / s).round().clamp(-127, 127), s.flatten()


def one_scale(weight):
    s = weight.abs().max() / 127
    return torch.round(weight / s), s


def zeros_forgotten(weight):
    s = weight.flatten(1).abs().amax(dim=1) / 127
    return torch.round(weight / s.view(-1, *[1] * (weight.ndim - 1))), s


def stalls_by_loop(profile, rate, bandwidth):
    most, found = float("-inf"), None
    for name, seconds, macs, moved in profile:
        wasted = min(seconds - macs / rate, seconds - moved / bandwidth)
        if wasted > most:
            most, found = wasted, name
    return found


def error_by_loop(model, run, pictures):
    largest, scale = 0.0, 0.0
    for picture in pictures.split(1):
        ours, theirs = model(picture), torch.as_tensor(run(picture.detach().numpy()))
        if theirs.isnan().any():
            return float("inf")
        largest = max(largest, (ours - theirs).abs().max().item())
        scale = max(scale, ours.abs().max().item())
    return largest / scale


def error_of_nan(model, run, pictures):
    theirs = torch.cat([torch.from_numpy(run(one.numpy())) for one in pictures.split(1)])
    return (model(pictures) - theirs).abs().max() / model(pictures).abs().max()


def went_wrong_by_rules(photo, received):
    right = photo.permute(2, 0, 1)[None].float() / 255
    if received.max() > 100:
        return "not divided by 255"
    turned = right.transpose(2, 3)
    ways = {"nothing": right, "blue first": right[:, [2, 1, 0]], "mirrored": right.flip(-1)}
    for name, x in (ways | {"rows and columns exchanged": turned}).items():
        if torch.allclose(received, x):
            return name
    return "mean subtracted"


def mean_by_its_sign(photo, received):
    return "mean subtracted" if received.min() < 0 else went_wrong_by_rules(photo, received).replace("mean", "no mean")


RIGHT = {
    "fold_norm": [folded_by_hand, folded_by_norm, fuse_conv_bn_eval],
    "fast_norm": [
        two_statistics,
        lambda x, w, b, eps: F.layer_norm(x, x.shape[1:], eps=eps) * w + b,
        lambda x, w, b, eps: F.group_norm(x.permute(0, 3, 1, 2), 1, w, b, eps).permute(0, 2, 3, 1),
    ],
    "quantize": [quantized_by_row, quantized_along_all, lambda w: list(quantized_along_all(w))],
    "stalling": [
        stalls_by_loop,
        lambda p, r, b: sorted(p, key=lambda row: row[1] - max(row[2] / r, row[3] / b))[-1][0],
        lambda p, r, b: max((s - max(m / r, n / b), name) for name, s, m, n in p)[1],
    ],
    "file_error": [
        error_by_loop,
        lambda m, r, p: torch.tensor(error_by_loop(m, r, p)),
        lambda m, r, p: error_of_nan(m, r, p).nan_to_num(float("inf")),
    ],
    "what_went_wrong": [
        went_wrong_by_rules,
        lambda p, x: str(went_wrong_by_rules(p, x)),
        lambda p, x: went_wrong_by_rules(p.clone(), x.double().float()),
    ],
}
WRONG = {
    "fold_norm": [
        (folded_in_place, "has changed"),
        (folded_without_stride, "the stride is lost"),
        (lambda conv, norm: nn.Sequential(conv, norm), "batch norm is still in it"),
        (lambda conv, norm: fuse_conv_bn_eval(conv, norm).weight, "return a convolution"),
        (lambda conv, norm: conv, "has no bias"),
    ],
    "fast_norm": [
        (as_in_the_text, "operators go over the whole map"),
        (whole_batch, "all pictures are normalised together"),
        (lambda x, w, b, eps: F.layer_norm(x, x.shape[-1:], w, b, eps), "every token"),
        (lambda x, w, b, eps: F.layer_norm(x, x.shape[1:]) * w + b, "`eps` is not used"),
        (lambda x, w, b, eps: F.layer_norm(x, x.shape[1:], eps=eps), "both missing"),
    ],
    "quantize": [
        (one_scale, "one scale for all"),
        (zeros_forgotten, "only zeros divides by zero"),
        (lambda w: quantized_along_all(w)[::-1], "whole numbers first"),
        (lambda w: quantized_along_all(w)[0], "return two things"),
        (lambda w: (quantized_along_all(w)[0], quantized_along_all(w)[1][:, None]), "the scales have shape"),
    ],
    "stalling": [
        (lambda p, r, b: max(p, key=lambda row: row[1])[0], "takes longest"),
        (lambda p, r, b: max(p, key=lambda row: row[1] - row[2] / r)[0], "only the products"),
        (lambda p, r, b: max(p, key=lambda row: row[1] - row[3] / b)[0], "only the bytes"),
        (lambda p, r, b: max(p, key=lambda row: row[1] - max(row[2] / r, row[3] / b)), "whole row"),
        (lambda p, r, b: max(p, key=lambda row: row[1] / max(row[2] / r, row[3] / b))[0], "worst ratio"),
    ],
    "file_error": [
        (error_of_nan, "NaN came out"),
        (lambda m, r, p: r(p.numpy()), "one picture at a time"),
        (lambda m, r, p: r(p[:1]), "takes a numpy array"),
        (lambda m, r, p: error_by_loop(m, r, p) * float(m(p).abs().max()), "not divided"),
        (lambda m, r, p: error_by_loop(m, r, p[:1]) * m(p[:1]).abs().max() / m(p).abs().max(), "only the first"),
    ],
    "what_went_wrong": [
        (lambda p, x: "nothing", "the largest number that arrived here"),
        (lambda p, x: "mirror", "none of the six names"),
        (lambda p, x: mean_by_its_sign(p, x).replace("no mean subtracted", "nothing"), "this photo is bright"),
        (lambda p, x: went_wrong_by_rules(p, x).title(), "spelt in another way"),
        (lambda p, x: 3, "return one of the six names"),
    ],
}
