"""Attempts of a second reader at notebook 09: written from the stubs alone, before any check was run."""

import copy
import math
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# 9.1 fold a batch norm


def fold_deepcopy(conv, norm):
    folded = copy.deepcopy(conv)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = 0 if conv.bias is None else conv.bias
    folded.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    folded.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)
    return folded


def fold_new_conv(conv, norm):
    folded = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        groups=conv.groups,
        bias=True,
        padding_mode=conv.padding_mode,
        dtype=conv.weight.dtype,
    )
    with torch.no_grad():
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        folded.weight.copy_(torch.einsum("o,oikl->oikl", scale, conv.weight))
        folded.bias.copy_(norm.bias - norm.running_mean * scale)
        if conv.bias is not None:
            folded.bias.add_(conv.bias * scale)
    return folded


def fold_library(conv, norm):
    return fuse_conv_bn_eval(copy.deepcopy(conv).eval(), copy.deepcopy(norm).eval())


@torch.no_grad()
def fold_channel_loop(conv, norm):
    folded = copy.deepcopy(conv)
    if folded.bias is None:
        folded.bias = nn.Parameter(torch.zeros(conv.out_channels, dtype=conv.weight.dtype))
    for o in range(conv.out_channels):
        sigma = math.sqrt(norm.running_var[o].item() + norm.eps)
        factor = norm.weight[o].item() / sigma
        folded.weight[o] *= factor
        folded.bias[o] = factor * (folded.bias[o] - norm.running_mean[o]) + norm.bias[o]
    return folded


@torch.no_grad()
def fold_probe(conv, norm):
    probe = copy.deepcopy(norm).double().eval()
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
    zero = probe(torch.zeros(1, conv.out_channels, 1, 1, dtype=torch.float64)).flatten()
    one = probe(torch.ones(1, conv.out_channels, 1, 1, dtype=torch.float64)).flatten()
    new_bias = probe(bias.double().reshape(1, -1, 1, 1)).flatten()
    folded = copy.deepcopy(conv)
    folded.weight.data = (conv.weight * (one - zero).reshape(-1, 1, 1, 1)).to(conv.weight.dtype)
    folded.bias = nn.Parameter(new_bias.to(conv.weight.dtype))
    return folded


def fold_with(conv, scale, bias):
    folded = copy.deepcopy(conv)
    folded.weight = nn.Parameter(conv.weight * scale.reshape(-1, 1, 1, 1))
    folded.bias = nn.Parameter(bias)
    return folded


def old_bias(conv):
    return torch.zeros(conv.out_channels) if conv.bias is None else conv.bias


def fold_no_eps(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var)
    return fold_with(conv, scale, (old_bias(conv) - norm.running_mean) * scale + norm.bias)


def fold_no_root(conv, norm):
    scale = norm.weight / (norm.running_var + norm.eps)
    return fold_with(conv, scale, (old_bias(conv) - norm.running_mean) * scale + norm.bias)


def fold_eps_outside(conv, norm):
    scale = norm.weight / (torch.sqrt(norm.running_var) + norm.eps)
    return fold_with(conv, scale, (old_bias(conv) - norm.running_mean) * scale + norm.bias)


def fold_in_place(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = (old_bias(conv) - norm.running_mean) * scale + norm.bias
    conv.weight = nn.Parameter(conv.weight * scale.reshape(-1, 1, 1, 1))
    conv.bias = nn.Parameter(bias)
    return conv


def fold_shallow_copy(conv, norm):
    folded = copy.copy(conv)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = (old_bias(conv) - norm.running_mean) * scale + norm.bias
    folded.weight = nn.Parameter(conv.weight * scale.reshape(-1, 1, 1, 1))
    folded.bias = nn.Parameter(bias)
    return folded


def fold_forgets_conv_bias(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return fold_with(conv, scale, norm.bias - norm.running_mean * scale)


def fold_bias_only_if_there(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    folded = copy.deepcopy(conv)
    folded.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    if conv.bias is not None:
        folded.bias = nn.Parameter((conv.bias - norm.running_mean) * scale + norm.bias)
    return folded


def fold_bias_not_scaled(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return fold_with(conv, scale, old_bias(conv) - norm.running_mean * scale + norm.bias)


def fold_beta_scaled(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return fold_with(conv, scale, (old_bias(conv) - norm.running_mean + norm.bias) * scale)


def fold_in_axis(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    folded = copy.deepcopy(conv)
    folded.weight = nn.Parameter(conv.weight * scale.reshape(1, -1, 1, 1))
    folded.bias = nn.Parameter((old_bias(conv) - norm.running_mean) * scale + norm.bias)
    return folded


def fold_forgets_groups(conv, norm):
    folded = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    folded.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    folded.bias = nn.Parameter((old_bias(conv) - norm.running_mean) * scale + norm.bias)
    return folded


def fold_forgets_stride(conv, norm):
    folded = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, padding=conv.padding, groups=conv.groups)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    folded.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    folded.bias = nn.Parameter((old_bias(conv) - norm.running_mean) * scale + norm.bias)
    return folded


def fold_forgets_gamma(conv, norm):
    scale = 1 / torch.sqrt(norm.running_var + norm.eps)
    return fold_with(conv, scale, (old_bias(conv) - norm.running_mean) * scale + norm.bias)


def fold_sequential(conv, norm):
    return nn.Sequential(copy.deepcopy(conv), copy.deepcopy(norm)).eval()


# 9.2 the same norm in fewer passes


def norm_layer_norm(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[1:], eps=eps) * weight + bias


def norm_var_mean(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), correction=0, keepdim=True)
    scale = weight / torch.sqrt(variance + eps)
    return torch.addcmul(bias - mean * scale, x, scale)


def norm_expanded(x, weight, bias, eps):
    shape = x.shape[1:]
    return F.layer_norm(x, shape, weight.expand(shape), bias.expand(shape), eps)


def norm_group_norm(x, weight, bias, eps):
    y = F.group_norm(x, 1, eps=eps)
    y = torch.mul(y, weight)
    return torch.add(y, bias)


def norm_std_mean(x, weight, bias, eps):
    std, mean = torch.std_mean(x.flatten(1), dim=1, correction=0)
    factor = torch.rsqrt(std.square() + eps)
    scale = torch.outer(factor, weight)[:, None, None, :]
    shift = bias - scale * mean.reshape(-1, 1, 1, 1)
    return x * scale + shift


def norm_tokens(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def norm_as_written(x, weight, bias, eps):
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def norm_unbiased(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True)
    scale = weight / torch.sqrt(variance + eps)
    return x * scale + (bias - mean * scale)


def norm_eps_outside(x, weight, bias, eps):
    std, mean = torch.std_mean(x, dim=(1, 2, 3), correction=0, keepdim=True)
    scale = weight / (std + eps)
    return x * scale + (bias - mean * scale)


def norm_default_eps(x, weight, bias, eps):
    return torch.addcmul(bias, F.layer_norm(x, x.shape[1:]), weight)


def norm_whole_batch(x, weight, bias, eps):
    return F.layer_norm(x, x.shape, eps=eps) * weight + bias


def norm_unsorted(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + eps) * weight + bias


def norm_no_weights(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[1:], eps=eps)


def norm_bias_first(x, weight, bias, eps):
    return (F.layer_norm(x, x.shape[1:], eps=eps) + bias) * weight


def norm_each_channel(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2), correction=0, keepdim=True)
    scale = weight / torch.sqrt(variance + eps)
    return x * scale + (bias - mean * scale)


def norm_each_pixel(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[2:], eps=eps) * weight + bias


def norm_shift_without_weight(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), correction=0, keepdim=True)
    factor = torch.rsqrt(variance + eps)
    return x * (factor * weight) + (bias - mean * factor)


def norm_swapped(x, weight, bias, eps):
    mean, variance = torch.var_mean(x, dim=(1, 2, 3), correction=0, keepdim=True)
    scale = weight / torch.sqrt(variance + eps)
    return x * scale + (bias - mean * scale)


def norm_squares(x, weight, bias, eps):
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    variance = (x * x).mean(dim=(1, 2, 3), keepdim=True) - mean**2
    scale = weight / torch.sqrt(variance + eps)
    return torch.addcmul(bias - mean * scale, x, scale)


# 9.3 quantize by hand


def quantize_flatten(weight):
    largest = weight.detach().flatten(1).abs().amax(dim=1)
    s = torch.where(largest == 0, torch.ones_like(largest), largest / 127)
    q = torch.round(weight.detach() / s.reshape(-1, *[1] * (weight.ndim - 1)))
    return q.to(torch.int8), s


@torch.no_grad()
def quantize_loop(weight):
    q, s = [], []
    for channel in weight:
        scale = max(channel.max().item(), -channel.min().item()) / 127
        if scale == 0:
            scale = 1.0
        q.append((channel / scale).round())
        s.append(scale)
    return torch.stack(q), torch.tensor(s)


def quantize_numpy(weight):
    w = weight.detach().numpy()
    largest = np.abs(w).max(axis=tuple(range(1, w.ndim)), keepdims=True)
    largest[largest == 0] = 127
    s = largest / 127
    return np.rint(w / s).astype(np.int8), s.ravel()


def quantize_library(weight):
    w = weight.detach().float()
    s = torch.linalg.vector_norm(w.flatten(1), ord=float("inf"), dim=1) / 127
    s[s == 0] = 1.0
    zero = torch.zeros(len(s), dtype=torch.int32)
    rounded = torch.fake_quantize_per_channel_affine(w, s, zero, 0, -127, 127)
    return torch.round(rounded / per_channel(s, w)).short(), s


def quantize_transposed(weight):
    s = torch.stack([c.abs().max() / 127 for c in weight.detach()])
    s = s + (s == 0)
    back = torch.arange(weight.ndim - 1, -1, -1).tolist()
    return (weight.detach().permute(back) / s).permute(back).round().int(), s


def per_channel(s, weight):
    return s.reshape(-1, *[1] * (weight.ndim - 1))


def largest_of(weight):
    return weight.detach().flatten(1).abs().amax(1)


def quantize_whole_tensor(weight):
    largest = weight.detach().abs().max()
    s = largest / 127 if largest > 0 else torch.tensor(1.0)
    return torch.round(weight.detach() / s).to(torch.int8), s.repeat(len(weight))


def quantize_128(weight):
    s = largest_of(weight) / 128
    s[s == 0] = 1
    return torch.round(weight.detach() / per_channel(s, weight)), s


def quantize_no_abs(weight):
    s = weight.detach().flatten(1).amax(1) / 127
    s[s == 0] = 1
    return torch.round(weight.detach() / per_channel(s, weight)), s


def quantize_no_zero_guard(weight):
    s = largest_of(weight) / 127
    return torch.round(weight.detach() / per_channel(s, weight)), s


def quantize_zero_tiny(weight):
    s = (largest_of(weight) / 127).clamp(min=1e-12)
    return torch.round(weight.detach() / per_channel(s, weight)).to(torch.int8), s


def quantize_inverse(weight):
    largest = largest_of(weight)
    s = torch.where(largest == 0, torch.ones_like(largest), 127 / largest)
    return torch.round(weight.detach() * per_channel(s, weight)).to(torch.int8), s


def quantize_not_rounded(weight):
    s = largest_of(weight) / 127
    s[s == 0] = 1
    return weight.detach() / per_channel(s, weight), s


def quantize_cut(weight):
    s = largest_of(weight) / 127
    s[s == 0] = 1
    return (weight.detach() / per_channel(s, weight)).to(torch.int8), s


def quantize_unsigned(weight):
    s = largest_of(weight) / 127
    s[s == 0] = 1
    return torch.round(weight.detach() / per_channel(s, weight)).to(torch.int16).to(torch.uint8), s


def quantize_keepdim(weight):
    s = weight.detach().abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True) / 127
    s[s == 0] = 1
    return torch.round(weight.detach() / s).to(torch.int8), s


def quantize_stays_flat(weight):
    rows = weight.detach().flatten(1)
    s = rows.abs().amax(1, keepdim=True) / 127
    s[s == 0] = 1
    return torch.round(rows / s).to(torch.int8), s[:, 0]


def quantize_per_input(weight):
    largest = weight.detach().transpose(0, 1).flatten(1).abs().amax(1)
    s = torch.where(largest == 0, 1.0, largest / 127)
    return torch.round(weight.detach() / s.reshape(1, -1, *[1] * (weight.ndim - 2))).to(torch.int8), s


def quantize_last_axis(weight):
    s = largest_of(weight) / 127
    s[s == 0] = 1
    return torch.round(weight.detach() / s).to(torch.int8), s


def quantize_small_is_one(weight):
    s = largest_of(weight).clamp(min=1) / 127
    return torch.round(weight.detach() / per_channel(s, weight)).to(torch.int8), s


# 9.4 find the operator that stalls


def stalling_max(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] - max(p[2] / rate, p[3] / bandwidth))[0]


def stalling_loop(profile, rate, bandwidth):
    worst, most = None, -math.inf
    for name, seconds, macs, moved in profile:
        compute, memory = macs / rate, moved / bandwidth
        least = compute if compute > memory else memory
        if seconds - least > most:
            worst, most = name, seconds - least
    return worst


def stalling_numpy(profile, rate, bandwidth):
    names, *numbers = zip(*profile, strict=True)
    seconds, macs, moved = np.array(numbers, dtype=float)
    return names[int(np.argmax(seconds - np.maximum(macs / rate, moved / bandwidth)))]


def stalling_min_of_two(profile, rate, bandwidth):
    numbers = torch.tensor([p[1:] for p in profile], dtype=torch.float64)
    over_compute = numbers[:, 0] - numbers[:, 1] / rate
    over_memory = numbers[:, 0] - numbers[:, 2] / bandwidth
    return profile[torch.minimum(over_compute, over_memory).argmax().item()][0]


def stalling_reduce(profile, rate, bandwidth):
    def won(p):
        _, seconds, macs, moved = p
        return seconds - max(macs / rate, moved / bandwidth)

    return reduce(lambda a, b: b if won(b) > won(a) else a, profile)[0]


def stalling_longest(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1])[0]


def stalling_sum(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] - (p[2] / rate + p[3] / bandwidth))[0]


def stalling_faster_of_two(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] - min(p[2] / rate, p[3] / bandwidth))[0]


def stalling_ratio(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] / max(p[2] / rate, p[3] / bandwidth))[0]


def stalling_compute_only(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] - p[2] / rate)[0]


def stalling_memory_only(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] - p[3] / bandwidth)[0]


def stalling_seconds(profile, rate, bandwidth):
    return max(seconds - max(macs / rate, moved / bandwidth) for _, seconds, macs, moved in profile)


def stalling_entry(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] - max(p[2] / rate, p[3] / bandwidth))


def stalling_best(profile, rate, bandwidth):
    return min(profile, key=lambda p: p[1] - max(p[2] / rate, p[3] / bandwidth))[0]


def stalling_largest_least(profile, rate, bandwidth):
    return max(profile, key=lambda p: max(p[2] / rate, p[3] / bandwidth))[0]


def stalling_exchanged(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] - max(p[2] / bandwidth, p[3] / rate))[0]


def stalling_forgets_update(profile, rate, bandwidth):
    most, worst = 0, None
    for name, seconds, macs, moved in profile:
        won = seconds - max(macs / rate, moved / bandwidth)
        if won > most:
            worst = name
    return worst


def stalling_two_flops(profile, rate, bandwidth):
    return max(profile, key=lambda p: p[1] - max(2 * p[2] / rate, p[3] / bandwidth))[0]


def stalling_lowest_rate(profile, rate, bandwidth):
    return min(profile, key=lambda p: p[2] / p[1])[0]


# 9.5 run the file, and compare


@torch.no_grad()
def error_loop(model, run, pictures):
    worst = largest = 0.0
    for picture in pictures.split(1):
        ours = model(picture)
        theirs = torch.from_numpy(run(picture.numpy()))
        if not torch.isfinite(theirs).all():
            return float("inf")
        worst = max(worst, (ours - theirs).abs().max().item())
        largest = max(largest, ours.abs().max().item())
    return worst / largest


def error_numpy(model, run, pictures):
    ours = model(pictures).detach().numpy()
    theirs = np.concatenate([run(p[None].numpy()) for p in pictures])
    if np.isnan(theirs).any():
        return np.inf
    return np.abs(ours - theirs).max() / np.abs(ours).max()


def error_nan_to_num(model, run, pictures):
    with torch.inference_mode():
        ours = torch.cat([model(p) for p in pictures.split(1)])
        theirs = torch.cat([torch.as_tensor(run(p.numpy())) for p in pictures.split(1)])
        error = (ours - theirs).abs().amax() / ours.abs().amax()
        return torch.nan_to_num(error, nan=float("inf"), posinf=float("inf"))


def error_norms(model, run, pictures):
    with torch.no_grad():
        ours = model(pictures)
    theirs = torch.stack([torch.tensor(run(pictures[i : i + 1].numpy())[0]) for i in range(len(pictures))])
    if torch.isfinite(theirs).all():
        infinity = float("inf")
        difference = torch.linalg.vector_norm(ours - theirs, infinity)
        return float(difference / torch.linalg.vector_norm(ours, infinity))
    return math.inf


@torch.no_grad()
def error_python_numbers(model, run, pictures):
    pairs = []
    for picture in pictures.split(1):
        pairs += zip(model(picture)[0].tolist(), run(picture.numpy())[0].tolist(), strict=True)
    if any(math.isnan(b) for _, b in pairs):
        return math.inf
    return max(abs(a - b) for a, b in pairs) / max(abs(a) for a, _ in pairs)


@torch.no_grad()
def both(model, run, pictures):
    ours = torch.cat([model(p) for p in pictures.split(1)])
    theirs = torch.cat([torch.from_numpy(run(p.numpy())) for p in pictures.split(1)])
    return ours, theirs


@torch.no_grad()
def error_whole_batch(model, run, pictures):
    ours, theirs = model(pictures), torch.from_numpy(run(pictures.numpy()))
    if not torch.isfinite(theirs).all():
        return float("inf")
    return ((ours - theirs).abs().max() / ours.abs().max()).item()


@torch.no_grad()
def error_tensor_to_file(model, run, pictures):
    ours = model(pictures)
    theirs = torch.cat([torch.as_tensor(run(p)) for p in pictures.split(1)])
    if not torch.isfinite(theirs).all():
        return float("inf")
    return ((ours - theirs).abs().max() / ours.abs().max()).item()


@torch.no_grad()
def error_nan_hidden(model, run, pictures):
    worst = largest = 0.0
    for picture in pictures.split(1):
        ours = model(picture)
        difference = (ours - torch.from_numpy(run(picture.numpy()))).abs().max().item()
        worst = max(worst, difference)
        largest = max(largest, ours.abs().max().item())
    return worst / largest


def error_nan_returned(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    return ((ours - theirs).abs().max() / ours.abs().max()).item()


def error_nan_compared(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    error = ((ours - theirs).abs().max() / ours.abs().max()).item()
    if error == float("nan"):
        return float("inf")
    return error


def error_nanmax(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    if not torch.isfinite(theirs[0]).all():
        return float("inf")
    return float(np.nanmax((ours - theirs).abs().numpy()) / ours.abs().max())


def error_signed(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    if not torch.isfinite(theirs).all():
        return float("inf")
    return ((ours - theirs).max() / ours.abs().max()).item()


def error_each_logit(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    if not torch.isfinite(theirs).all():
        return float("inf")
    return ((ours - theirs).abs() / ours.abs()).max().item()


@torch.no_grad()
def error_each_picture(model, run, pictures):
    errors = []
    for picture in pictures.split(1):
        ours, theirs = model(picture), torch.from_numpy(run(picture.numpy()))
        if not torch.isfinite(theirs).all():
            return float("inf")
        errors.append(((ours - theirs).abs().max() / ours.abs().max()).item())
    return max(errors)


def error_by_file(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    if not torch.isfinite(theirs).all():
        return float("inf")
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def error_largest_not_absolute(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    if not torch.isfinite(theirs).all():
        return float("inf")
    return ((ours - theirs).abs().max() / ours.max()).item()


def error_not_divided(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    if not torch.isfinite(theirs).all():
        return float("inf")
    return (ours - theirs).abs().max().item()


@torch.no_grad()
def error_last_picture(model, run, pictures):
    for picture in pictures.split(1):
        ours, theirs = model(picture), torch.from_numpy(run(picture.numpy()))
        if not torch.isfinite(theirs).all():
            return float("inf")
        error = (ours - theirs).abs().max() / ours.abs().max()
    return error.item()


def error_softmax(model, run, pictures):
    ours, theirs = both(model, run, pictures)
    if not torch.isfinite(theirs).all():
        return float("inf")
    ours, theirs = ours.softmax(1), theirs.softmax(1)
    return ((ours - theirs).abs().max() / ours.abs().max()).item()


# 9.6 why does the phone answer differently?


def wrong_dict(photo, received):
    received = torch.as_tensor(received).float()
    x = torch.as_tensor(photo).permute(2, 0, 1)[None].float() / 255
    candidates = {
        "nothing": x,
        "not divided by 255": x * 255,
        "blue first": x.flip(1),
        "rows and columns exchanged": x.transpose(2, 3),
        "mirrored": x.flip(3),
    }
    for name, y in candidates.items():
        if y.shape == received.shape and torch.allclose(y, received, atol=1e-5):
            return name
    return "mean subtracted"


def wrong_numpy(photo, received):
    photo, got = np.asarray(photo), np.asarray(received)[0].astype(float)
    right = np.moveaxis(photo, 2, 0) / 255.0

    def same(a):
        return a.shape == got.shape and np.allclose(a, got, atol=1e-5)

    if same(right):
        return "nothing"
    if same(right * 255):
        return "not divided by 255"
    if same(right[::-1]):
        return "blue first"
    if same(right.swapaxes(1, 2)):
        return "rows and columns exchanged"
    if same(right[:, :, ::-1]):
        return "mirrored"
    return "mean subtracted"


def wrong_undo(photo, received):
    photo = torch.as_tensor(photo).long()
    got = torch.as_tensor(received)[0].permute(1, 2, 0).double()
    whole = (got * 255).round().long()
    undone = [
        ("nothing", whole),
        ("not divided by 255", got.round().long()),
        ("blue first", whole[:, :, [2, 1, 0]]),
        ("rows and columns exchanged", whole.transpose(0, 1)),
        ("mirrored", whole.flip(1)),
    ]
    return next((name for name, picture in undone if torch.equal(picture, photo)), "mean subtracted")


def wrong_nearest(photo, received):
    received = torch.as_tensor(received).double()
    x = torch.einsum("hwc->chw", torch.as_tensor(photo).double()).unsqueeze(0).div(255)
    names = ["nothing", "not divided by 255", "blue first", "rows and columns exchanged", "mirrored"]
    pictures = [x, x * 255, x[:, [2, 1, 0]], x.mT, torch.fliplr(x[0].permute(1, 2, 0)).permute(2, 0, 1)[None]]
    far = [(p - received).abs().max().item() if p.shape == received.shape else math.inf for p in pictures]
    best = min(range(5), key=far.__getitem__)
    return names[best] if far[best] < 1e-4 else "mean subtracted"


def prepared(photo):
    return torch.as_tensor(photo).permute(2, 0, 1)[None].float() / 255


def same(a, b):
    b = torch.as_tensor(b).float()
    return a.shape == b.shape and torch.allclose(a, b, atol=1e-5)


def first_of(candidates, received, rest="mean subtracted"):
    return next((name for name, y in candidates.items() if same(y, received)), rest)


def mistakes(x):
    return {
        "nothing": x,
        "not divided by 255": x * 255,
        "blue first": x.flip(1),
        "rows and columns exchanged": x.transpose(2, 3),
        "mirrored": x.flip(3),
    }


def wrong_not_prepared(photo, received):
    return first_of(mistakes(torch.as_tensor(photo).permute(2, 0, 1)[None].float()), received)


def wrong_reshape(photo, received):
    photo = torch.as_tensor(photo)
    height, width, _ = photo.shape
    return first_of(mistakes(photo.reshape(1, 3, height, width).float() / 255), received)


def wrong_permute(photo, received):
    return first_of(mistakes(torch.as_tensor(photo).permute(2, 1, 0)[None].float() / 255), received)


def wrong_upside_down(photo, received):
    x = prepared(photo)
    return first_of({**mistakes(x), "mirrored": x.flip(2)}, received)


def wrong_roll(photo, received):
    x = prepared(photo)
    return first_of({**mistakes(x), "blue first": x[:, [2, 0, 1]]}, received)


def wrong_view_for_transpose(photo, received):
    x = prepared(photo)
    exchanged = x.reshape(1, 3, x.shape[3], x.shape[2])
    return first_of({**mistakes(x), "rows and columns exchanged": exchanged}, received)


def wrong_sums(photo, received):
    received = torch.as_tensor(received).float()
    for name, y in mistakes(prepared(photo)).items():
        if torch.allclose(y.mean(dim=(2, 3)), received.mean(dim=(2, 3)), atol=1e-5):
            return name
    return "mean subtracted"


def wrong_any(photo, received):
    received = torch.as_tensor(received).float()
    for name, y in mistakes(prepared(photo)).items():
        if y.shape == received.shape and torch.isclose(y, received).any():
            return name
    return "mean subtracted"


def wrong_in_turn(photo, received):
    x = prepared(photo)
    if same(x, received):
        return "nothing"
    x = x * 255
    if same(x, received):
        return "not divided by 255"
    x = x.flip(1)
    if same(x, received):
        return "blue first"
    x = x.transpose(2, 3)
    if same(x, received):
        return "rows and columns exchanged"
    x = x.flip(3)
    if same(x, received):
        return "mirrored"
    return "mean subtracted"


def wrong_no_rest(photo, received):
    return first_of(mistakes(prepared(photo)), received, rest=None)


def wrong_list(photo, received):
    found = [name for name, y in mistakes(prepared(photo)).items() if same(y, received)]
    return found or ["mean subtracted"]


def wrong_mean_first(photo, received):
    x = prepared(photo)
    if not torch.isclose(torch.as_tensor(received).float().mean(), x.mean(), atol=1e-5):
        return "mean subtracted"
    return first_of(mistakes(x), received)


def wrong_negative_only(photo, received):
    if torch.as_tensor(received).min() < 0:
        return "mean subtracted"
    return first_of(mistakes(prepared(photo)), received, rest="nothing")


def wrong_floor(photo, received):
    return first_of(mistakes((torch.as_tensor(photo).permute(2, 0, 1)[None] // 255).float()), received)


ATTEMPTS = [
    ("fold_norm", "right", "deepcopy, new parameters", fold_deepcopy),
    ("fold_norm", "right", "a new Conv2d, einsum, copy_", fold_new_conv),
    ("fold_norm", "right", "fuse_conv_bn_eval on copies", fold_library),
    ("fold_norm", "right", "a loop over the channels", fold_channel_loop),
    ("fold_norm", "right", "asks a copy of the norm for 0, 1 and the bias", fold_probe),
    ("fold_norm", "wrong", "forgets eps", fold_no_eps),
    ("fold_norm", "wrong", "no square root", fold_no_root),
    ("fold_norm", "wrong", "eps outside the root", fold_eps_outside),
    ("fold_norm", "wrong", "changes conv itself", fold_in_place),
    ("fold_norm", "wrong", "shallow copy shares the parameters", fold_shallow_copy),
    ("fold_norm", "wrong", "forgets the bias of conv", fold_forgets_conv_bias),
    ("fold_norm", "wrong", "no new bias where conv has none", fold_bias_only_if_there),
    ("fold_norm", "wrong", "bias of conv not scaled", fold_bias_not_scaled),
    ("fold_norm", "wrong", "beta is scaled, too", fold_beta_scaled),
    ("fold_norm", "wrong", "scales the input channels", fold_in_axis),
    ("fold_norm", "wrong", "new conv without groups", fold_forgets_groups),
    ("fold_norm", "wrong", "new conv without stride", fold_forgets_stride),
    ("fold_norm", "wrong", "forgets gamma", fold_forgets_gamma),
    ("fold_norm", "wrong", "conv and norm in a Sequential", fold_sequential),
    ("fast_norm", "right", "layer_norm, times, plus", norm_layer_norm),
    ("fast_norm", "right", "var_mean and addcmul", norm_var_mean),
    ("fast_norm", "right", "layer_norm with expanded weight and bias", norm_expanded),
    ("fast_norm", "right", "group_norm with one group", norm_group_norm),
    ("fast_norm", "right", "std_mean of flat pictures, outer", norm_std_mean),
    ("fast_norm", "wrong", "layer_norm of each token", norm_tokens),
    ("fast_norm", "wrong", "formula as written: too many passes", norm_as_written),
    ("fast_norm", "wrong", "unbiased variance", norm_unbiased),
    ("fast_norm", "wrong", "eps outside the root", norm_eps_outside),
    ("fast_norm", "wrong", "default eps", norm_default_eps),
    ("fast_norm", "wrong", "one norm for the whole batch", norm_whole_batch),
    ("fast_norm", "wrong", "var_mean, but four more passes", norm_unsorted),
    ("fast_norm", "wrong", "forgets weight and bias", norm_no_weights),
    ("fast_norm", "wrong", "bias before weight", norm_bias_first),
    ("fast_norm", "wrong", "statistics of each channel", norm_each_channel),
    ("fast_norm", "wrong", "statistics of each pixel of a patch", norm_each_pixel),
    ("fast_norm", "wrong", "shift without weight", norm_shift_without_weight),
    ("fast_norm", "wrong", "mean and variance exchanged", norm_swapped),
    ("fast_norm", "wrong", "mean of x * x: four passes", norm_squares),
    ("quantize", "right", "flatten, where, int8", quantize_flatten),
    ("quantize", "right", "a loop, whole numbers as floats", quantize_loop),
    ("quantize", "right", "NumPy arrays", quantize_numpy),
    ("quantize", "right", "fake_quantize, divided again, int16", quantize_library),
    ("quantize", "right", "axes reversed to broadcast, int32", quantize_transposed),
    ("quantize", "wrong", "one scale for all", quantize_whole_tensor),
    ("quantize", "wrong", "128 instead of 127", quantize_128),
    ("quantize", "wrong", "largest without absolute value", quantize_no_abs),
    ("quantize", "wrong", "NaN where a channel is zero", quantize_no_zero_guard),
    ("quantize", "wrong", "a zero channel gets a tiny scale", quantize_zero_tiny),
    ("quantize", "wrong", "inverse scales", quantize_inverse),
    ("quantize", "wrong", "not rounded", quantize_not_rounded),
    ("quantize", "wrong", "cut off, not rounded", quantize_cut),
    ("quantize", "wrong", "uint8: negative numbers wrap", quantize_unsigned),
    ("quantize", "wrong", "scales keep their axes", quantize_keepdim),
    ("quantize", "wrong", "q stays flat", quantize_stays_flat),
    ("quantize", "wrong", "scales of the input channels", quantize_per_input),
    ("quantize", "wrong", "scales along the last axis", quantize_last_axis),
    ("quantize", "wrong", "largest at least 1", quantize_small_is_one),
    ("stalling", "right", "max with a key", stalling_max),
    ("stalling", "right", "a loop", stalling_loop),
    ("stalling", "right", "NumPy argmax", stalling_numpy),
    ("stalling", "right", "smaller of two differences, PyTorch", stalling_min_of_two),
    ("stalling", "right", "reduce", stalling_reduce),
    ("stalling", "wrong", "longest operator", stalling_longest),
    ("stalling", "wrong", "sum of both times", stalling_sum),
    ("stalling", "wrong", "the faster of the two", stalling_faster_of_two),
    ("stalling", "wrong", "ratio instead of difference", stalling_ratio),
    ("stalling", "wrong", "products only", stalling_compute_only),
    ("stalling", "wrong", "bytes only", stalling_memory_only),
    ("stalling", "wrong", "returns the seconds", stalling_seconds),
    ("stalling", "wrong", "returns the whole entry", stalling_entry),
    ("stalling", "wrong", "least to win", stalling_best),
    ("stalling", "wrong", "largest least time", stalling_largest_least),
    ("stalling", "wrong", "rate and bandwidth exchanged", stalling_exchanged),
    ("stalling", "wrong", "most is never updated: the last with a gain", stalling_forgets_update),
    ("stalling", "wrong", "two operations for each MAC", stalling_two_flops),
    ("stalling", "wrong", "fewest MACs a second", stalling_lowest_rate),
    ("file_error", "right", "a loop, isfinite", error_loop),
    ("file_error", "right", "NumPy, model on the batch", error_numpy),
    ("file_error", "right", "nan_to_num, a tensor", error_nan_to_num),
    ("file_error", "right", "infinity norms", error_norms),
    ("file_error", "right", "Python numbers", error_python_numbers),
    ("file_error", "wrong", "whole batch to the file", error_whole_batch),
    ("file_error", "wrong", "a tensor to the file", error_tensor_to_file),
    ("file_error", "wrong", "max of Python hides NaN", error_nan_hidden),
    ("file_error", "wrong", "returns NaN", error_nan_returned),
    ("file_error", "wrong", "== nan is never true", error_nan_compared),
    ("file_error", "wrong", "isfinite for the first picture only, nanmax", error_nanmax),
    ("file_error", "wrong", "difference with sign", error_signed),
    ("file_error", "wrong", "each logit by itself", error_each_logit),
    ("file_error", "wrong", "each picture by its own largest logit", error_each_picture),
    ("file_error", "wrong", "divided by the file's largest logit", error_by_file),
    ("file_error", "wrong", "largest logit without absolute value", error_largest_not_absolute),
    ("file_error", "wrong", "not divided", error_not_divided),
    ("file_error", "wrong", "last picture only", error_last_picture),
    ("file_error", "wrong", "compares the softmax", error_softmax),
    ("what_went_wrong", "right", "a dictionary of candidates", wrong_dict),
    ("what_went_wrong", "right", "NumPy, a chain of ifs", wrong_numpy),
    ("what_went_wrong", "right", "undoes each mistake, whole numbers", wrong_undo),
    ("what_went_wrong", "right", "nearest candidate, if near enough", wrong_nearest),
    ("what_went_wrong", "wrong", "photo not divided before", wrong_not_prepared),
    ("what_went_wrong", "wrong", "reshape instead of permute", wrong_reshape),
    ("what_went_wrong", "wrong", "permute(2, 1, 0)", wrong_permute),
    ("what_went_wrong", "wrong", "mirrored upside down", wrong_upside_down),
    ("what_went_wrong", "wrong", "blue first: channels rolled", wrong_roll),
    ("what_went_wrong", "wrong", "reshape for transpose", wrong_view_for_transpose),
    ("what_went_wrong", "wrong", "compares the means of the channels", wrong_sums),
    ("what_went_wrong", "wrong", "one equal pixel is enough", wrong_any),
    ("what_went_wrong", "wrong", "one mistake on top of the other", wrong_in_turn),
    ("what_went_wrong", "wrong", "None for mean subtracted", wrong_no_rest),
    ("what_went_wrong", "wrong", "returns a list", wrong_list),
    ("what_went_wrong", "wrong", "another mean: mean subtracted", wrong_mean_first),
    ("what_went_wrong", "wrong", "mean subtracted only if negative", wrong_negative_only),
    ("what_went_wrong", "wrong", "// 255", wrong_floor),
]
