"""Attempts at the exercises of notebook 09 by a reader who saw neither the checks nor the solutions."""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights


# 9.1 fold a batch norm
def fold_plain(conv, norm):
    new = copy.deepcopy(conv)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    old = 0 if conv.bias is None else conv.bias
    new.weight = nn.Parameter((conv.weight * scale[:, None, None, None]).detach())
    new.bias = nn.Parameter((norm.bias + (old - norm.running_mean) * scale).detach())
    return new


@torch.no_grad()
def fold_built_anew(conv, norm):
    new = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        groups=conv.groups,
    )
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    new.weight.copy_(torch.einsum("oihw,o->oihw", conv.weight, scale))
    new.bias.copy_(norm.bias - norm.running_mean * scale)
    if conv.bias is not None:
        new.bias.add_(conv.bias * scale)
    return new


def fold_norm_of_the_bias(conv, norm):
    # the new bias is what the norm makes of the old one
    new = copy.deepcopy(conv)
    old = torch.zeros_like(norm.running_mean) if conv.bias is None else conv.bias.data
    bias = F.batch_norm(
        old[None], norm.running_mean, norm.running_var, norm.weight, norm.bias, training=False, eps=norm.eps
    )[0]
    sigma = (norm.running_var + norm.eps) ** 0.5
    new.weight.data = torch.diag(norm.weight.data / sigma).matmul(conv.weight.data.flatten(1)).view_as(conv.weight)
    new.bias = nn.Parameter(bias.detach())
    return new


def fold_library(conv, norm):
    new = copy.deepcopy(conv)
    new.weight, new.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    return new


def fold_parts(conv, norm):
    old = torch.zeros_like(norm.running_mean) if conv.bias is None else conv.bias.detach()
    scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
    return old, scale


def fold_put(conv, weight, bias):
    new = copy.deepcopy(conv)
    new.weight = nn.Parameter(weight.detach().clone())
    new.bias = nn.Parameter(bias.detach().clone())
    return new


def fold_old_bias_lost(conv, norm):
    _, scale = fold_parts(conv, norm)
    return fold_put(conv, conv.weight * scale.view(-1, 1, 1, 1), norm.bias - norm.running_mean * scale)


def fold_old_bias_unscaled(conv, norm):
    old, scale = fold_parts(conv, norm)
    return fold_put(conv, conv.weight * scale.view(-1, 1, 1, 1), old + norm.bias - norm.running_mean * scale)


def fold_no_root(conv, norm):
    old, _ = fold_parts(conv, norm)
    scale = norm.weight / (norm.running_var + norm.eps)
    return fold_put(conv, conv.weight * scale.view(-1, 1, 1, 1), norm.bias + (old - norm.running_mean) * scale)


def fold_no_eps(conv, norm):
    old, _ = fold_parts(conv, norm)
    scale = norm.weight / norm.running_var.sqrt()
    return fold_put(conv, conv.weight * scale.view(-1, 1, 1, 1), norm.bias + (old - norm.running_mean) * scale)


def fold_wrong_axis(conv, norm):
    old, scale = fold_parts(conv, norm)
    return fold_put(conv, conv.weight * scale.view(1, -1, 1, 1), norm.bias + (old - norm.running_mean) * scale)


def fold_no_beta(conv, norm):
    old, scale = fold_parts(conv, norm)
    return fold_put(conv, conv.weight * scale.view(-1, 1, 1, 1), (old - norm.running_mean) * scale)


def fold_bias_only_if_there(conv, norm):
    new = copy.deepcopy(conv)
    old, scale = fold_parts(conv, norm)
    new.weight.data *= scale.view(-1, 1, 1, 1)
    if new.bias is not None:
        new.bias.data = norm.bias.data + (old - norm.running_mean) * scale
    return new


def fold_in_place(conv, norm):
    old, scale = fold_parts(conv, norm)
    conv.weight.data.mul_(scale.view(-1, 1, 1, 1))
    conv.bias = nn.Parameter(norm.bias.detach() + (old - norm.running_mean) * scale)
    return conv


def fold_shallow_copy(conv, norm):
    old, scale = fold_parts(conv, norm)
    new = copy.copy(conv)
    new.weight = nn.Parameter((conv.weight * scale.view(-1, 1, 1, 1)).detach())
    new.bias = nn.Parameter((norm.bias + (old - norm.running_mean) * scale).detach())
    return new


def fold_resets_norm(conv, norm):
    old, scale = fold_parts(conv, norm)
    new = fold_put(conv, conv.weight * scale.view(-1, 1, 1, 1), norm.bias + (old - norm.running_mean) * scale)
    norm.reset_running_stats()
    norm.reset_parameters()
    return new


def fold_no_stride(conv, norm):
    old, scale = fold_parts(conv, norm)
    new = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, padding=conv.padding, groups=conv.groups)
    new.weight.data = conv.weight.data * scale.view(-1, 1, 1, 1)
    new.bias.data = norm.bias.data + (old - norm.running_mean) * scale
    return new


def fold_sequential(conv, norm):
    return nn.Sequential(copy.deepcopy(conv), copy.deepcopy(norm)).eval()


# 9.2 the same norm in fewer passes
def passes_layer_norm(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[1:], eps=eps) * weight + bias


def passes_var_mean(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
    scale = weight / torch.sqrt(variance + eps)
    return x * scale + (bias - mean * scale)


def passes_addcmul(x, weight, bias, eps):
    flat = x.flatten(1)
    variance, mean = torch.var_mean(flat, dim=1, unbiased=False)
    scale = (variance + eps).rsqrt()[:, None] * weight
    shift = bias - mean[:, None] * scale
    return torch.addcmul(shift[:, None, None], x, scale[:, None, None])


def passes_group_norm(x, weight, bias, eps):
    y = F.group_norm(x, 1, eps=eps)  # one group: all of P, N and d
    return torch.addcmul(bias, y, weight)


def passes_written_out(x, weight, bias, eps):
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def passes_four(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
    return (x - mean) * (weight / torch.sqrt(variance + eps)) + bias


def passes_bessel(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True)
    scale = weight / torch.sqrt(variance + eps)
    return x * scale + (bias - mean * scale)


def passes_last_axis(x, weight, bias, eps):
    return F.layer_norm(x, weight.shape, weight, bias, eps)


def passes_batch_too(x, weight, bias, eps):
    return F.layer_norm(x, x.shape, eps=eps) * weight + bias


def passes_each_channel(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2), keepdim=True, correction=0)
    scale = weight / torch.sqrt(variance + eps)
    return x * scale + (bias - mean * scale)


def passes_mean_before_var(x, weight, bias, eps):
    mean, variance = torch.var_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
    scale = weight / torch.sqrt(variance.abs() + eps)
    return x * scale + (bias - mean * scale)


def passes_no_root(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
    scale = weight / (variance + eps)
    return x * scale + (bias - mean * scale)


def passes_shift_without_weight(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
    inverse = torch.rsqrt(variance + eps)
    return torch.addcmul(bias - mean * inverse, x, weight * inverse)


def passes_addcmul_order(x, weight, bias, eps):
    return torch.addcmul(weight, F.layer_norm(x, x.shape[1:], eps=eps), bias)


def passes_no_bias(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[1:], eps=eps) * weight


def passes_own_eps(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[1:]) * weight + bias


# 9.3 quantize by hand
def quantize_plain(weight):
    s = weight.abs().flatten(1).amax(dim=1) / 127
    s[s == 0] = 1
    q = torch.round(weight / s.view(-1, *[1] * (weight.ndim - 1))).to(torch.int8)
    return q, s


def quantize_rows(weight):
    rows = weight.flatten(1)
    largest = rows.abs().max(dim=1, keepdim=True).values
    s = torch.where(largest > 0, largest / 127, torch.ones_like(largest))
    return (rows / s).round().int().reshape(weight.shape), s.squeeze(1)


def quantize_loop(weight):
    q, s = [], []
    for channel in weight.detach():
        largest = max(-channel.min().item(), channel.max().item())
        scale = largest / 127 if largest > 0 else 1.0
        s.append(scale)
        q.append(torch.round(channel / scale).to(torch.int8))
    return torch.stack(q), torch.tensor(s)


def quantize_whole_floats(weight):
    # torch.round leaves whole numbers, still kept as floats
    s = torch.linalg.vector_norm(weight.flatten(1), ord=float("inf"), dim=1) / 127
    s = s.masked_fill(s == 0, 1.0)
    return torch.round((weight.transpose(0, -1) / s).transpose(0, -1)), s


def quantize_parts(weight, s):
    return s.view(-1, *[1] * (weight.ndim - 1))


def quantize_one_scale(weight):
    s = weight.abs().max() / 127
    return torch.round(weight / s).to(torch.int8), s.expand(len(weight)).clone()


def quantize_no_abs(weight):
    s = weight.flatten(1).amax(dim=1) / 127
    s = torch.where(s == 0, torch.ones_like(s), s)
    return torch.round(weight / quantize_parts(weight, s)).to(torch.int32), s


def quantize_input_channels(weight):
    s = weight.transpose(0, 1).flatten(1).abs().amax(dim=1) / 127
    s = torch.where(s == 0, torch.ones_like(s), s)
    return torch.round(weight / s.view(1, -1, *[1] * (weight.ndim - 2))).to(torch.int8), s


def quantize_inverse_scale(weight):
    largest = weight.flatten(1).abs().amax(dim=1)
    s = torch.where(largest == 0, torch.ones_like(largest), 127 / largest)
    return torch.round(weight * quantize_parts(weight, s)).to(torch.int8), s


def quantize_128(weight):
    s = weight.flatten(1).abs().amax(dim=1) / 128
    s = torch.where(s == 0, torch.ones_like(s), s)
    return torch.round(weight / quantize_parts(weight, s)).clamp(-128, 127).to(torch.int8), s


def quantize_truncates(weight):
    s = weight.flatten(1).abs().amax(dim=1) / 127
    s = torch.where(s == 0, torch.ones_like(s), s)
    return (weight / quantize_parts(weight, s)).to(torch.int8), s


def quantize_forgets_zeros(weight):
    s = weight.flatten(1).abs().amax(dim=1) / 127
    return torch.round(weight / quantize_parts(weight, s)), s


def quantize_zeros_get_one_127th(weight):
    largest = weight.flatten(1).abs().amax(dim=1)
    largest[largest == 0] = 1
    s = largest / 127
    return torch.round(weight / quantize_parts(weight, s)).to(torch.int8), s


def quantize_clamped_scale(weight):
    s = (weight.flatten(1).abs().amax(dim=1) / 127).clamp(min=1)
    return torch.round(weight / quantize_parts(weight, s)).to(torch.int8), s


def quantize_swapped(weight):
    q, s = quantize_plain(weight)
    return s, q


def quantize_scale_keeps_axes(weight):
    q, s = quantize_plain(weight)
    return q, quantize_parts(weight, s)


def quantize_range(weight):
    rows = weight.flatten(1)
    s = (rows.amax(dim=1) - rows.amin(dim=1)) / 254
    s = torch.where(s == 0, torch.ones_like(s), s)
    return torch.round(weight / quantize_parts(weight, s)).clamp(-127, 127).to(torch.int8), s


# 9.4 find the operator that stalls
def stalling_max(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1] - max(op[2] / rate, op[3] / bandwidth))[0]


def stalling_loop(profile, rate, bandwidth):
    best, most = None, -math.inf
    for name, seconds, macs, size in profile:
        least = macs / rate
        if size / bandwidth > least:
            least = size / bandwidth
        if seconds - least > most:
            best, most = name, seconds - least
    return best


def stalling_numpy(profile, rate, bandwidth):
    names, *numbers = zip(*profile, strict=True)
    seconds, macs, size = np.array(numbers, dtype=float)
    return names[np.argmax(seconds - np.maximum(macs / rate, size / bandwidth))]


def stalling_smaller_gain(profile, rate, bandwidth):
    # the smaller of the two differences is the one to the slower of the two
    won = [(min(t - m / rate, t - b / bandwidth), name) for name, t, m, b in profile]
    return sorted(won, reverse=True)[0][1]


def stalling_longest(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1])[0]


def stalling_factor(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1] / max(op[2] / rate, op[3] / bandwidth))[0]


def stalling_sum(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1] - (op[2] / rate + op[3] / bandwidth))[0]


def stalling_faster_of_two(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1] - min(op[2] / rate, op[3] / bandwidth))[0]


def stalling_macs_only(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1] - op[2] / rate)[0]


def stalling_bytes_only(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1] - op[3] / bandwidth)[0]


def stalling_limits_swapped(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1] - max(op[2] / bandwidth, op[3] / rate))[0]


def stalling_least_won(profile, rate, bandwidth):
    return sorted(profile, key=lambda op: op[1] - max(op[2] / rate, op[3] / bandwidth))[0][0]


def stalling_returns_seconds(profile, rate, bandwidth):
    return max(t - max(m / rate, b / bandwidth) for _, t, m, b in profile)


def stalling_returns_row(profile, rate, bandwidth):
    return max(profile, key=lambda op: op[1] - max(op[2] / rate, op[3] / bandwidth))


def stalling_by_name(profile, rate, bandwidth):
    won = {name: t - max(m / rate, b / bandwidth) for name, t, m, b in profile}
    return max(won)


def stalling_returns_early(profile, rate, bandwidth):
    for name, seconds, macs, size in profile:
        if seconds > max(macs / rate, size / bandwidth):
            return name


# 9.5 run the file, and compare
def error_plain(model, run, pictures):
    worst = largest = 0.0
    for picture in pictures.split(1):
        with torch.no_grad():
            expected = model(picture)
        answer = torch.from_numpy(run(picture.numpy()))
        if not torch.isfinite(answer).all():
            return math.inf
        worst = max(worst, (answer - expected).abs().max().item())
        largest = max(largest, expected.abs().max().item())
    return worst / largest


def error_numpy(model, run, pictures):
    expected = model(pictures).detach().numpy()
    answers = np.concatenate([run(pictures[i : i + 1].numpy()) for i in range(len(pictures))])
    if np.isnan(answers).any():
        return np.inf
    return np.abs(answers - expected).max() / np.abs(expected).max()


def error_tensors(model, run, pictures):
    with torch.no_grad():
        expected = torch.cat([model(p[None]) for p in pictures])
    answers = torch.stack([torch.from_numpy(run(p.unsqueeze(0).numpy()))[0] for p in pictures])
    error = torch.dist(answers, expected, p=torch.inf) / torch.linalg.vector_norm(expected, ord=torch.inf)
    return float(error) if torch.isfinite(answers).all() else float("inf")


@torch.inference_mode()
def error_nan_to_inf(model, run, pictures):
    expected = model(pictures)
    difference = torch.zeros_like(expected)
    for i, picture in enumerate(pictures.split(1)):
        difference[i] = expected[i] - torch.as_tensor(run(picture.numpy())[0])
    return (difference.abs().nan_to_num(nan=torch.inf, posinf=torch.inf).max() / expected.abs().max()).item()


def error_both(model, run, pictures):
    with torch.no_grad():
        expected = model(pictures)
    return expected, torch.cat([torch.from_numpy(run(p.numpy())) for p in pictures.split(1)])


def error_whole_batch(model, run, pictures):
    with torch.no_grad():
        expected = model(pictures)
    answers = torch.from_numpy(run(pictures.numpy()))
    if not torch.isfinite(answers).all():
        return math.inf
    return ((answers - expected).abs().max() / expected.abs().max()).item()


def error_no_abs(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    if not torch.isfinite(answers).all():
        return math.inf
    return ((answers - expected).max() / expected.abs().max()).item()


def error_abs_of_max(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    if not torch.isfinite(answers).all():
        return math.inf
    return ((answers - expected).abs().max() / expected.max().abs()).item()


def error_mean(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    if not torch.isfinite(answers).all():
        return math.inf
    return ((answers - expected).abs().mean() / expected.abs().max()).item()


def error_absolute(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    if not torch.isfinite(answers).all():
        return math.inf
    return (answers - expected).abs().max().item()


def error_over_the_file(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    if not torch.isfinite(answers).all():
        return math.inf
    return ((answers - expected).abs().max() / answers.abs().max()).item()


def error_each_logit(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    if not torch.isfinite(answers).all():
        return math.inf
    return ((answers - expected).abs() / expected.abs()).max().item()


def error_each_picture(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    if not torch.isfinite(answers).all():
        return math.inf
    return ((answers - expected).abs().amax(dim=1) / expected.abs().amax(dim=1)).max().item()


def error_last_picture(model, run, pictures):
    for picture in pictures.split(1):
        with torch.no_grad():
            expected = model(picture)
        answer = torch.from_numpy(run(picture.numpy()))
        if not torch.isfinite(answer).all():
            return math.inf
        worst, largest = (answer - expected).abs().max(), expected.abs().max()
    return (worst / largest).item()


def error_hides_nan(model, run, pictures):
    worst = largest = 0.0
    for picture in pictures.split(1):
        with torch.no_grad():
            expected = model(picture)
        answer = torch.from_numpy(run(picture.numpy()))
        worst = max(worst, (answer - expected).abs().max().item())
        largest = max(largest, expected.abs().max().item())
    return worst / largest


def error_nan_equals_nan(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    if (answers == float("nan")).any():
        return math.inf
    return ((answers - expected).abs().max() / expected.abs().max()).item()


def error_skips_nan(model, run, pictures):
    expected, answers = error_both(model, run, pictures)
    fine = torch.isfinite(answers)
    return ((answers - expected)[fine].abs().amax() / expected.abs().max()).item() if fine.any() else math.inf


# 9.6 why does the phone answer differently?
def wrong_dictionary(photo, received):
    raw = torch.as_tensor(photo).permute(2, 0, 1)[None].float()
    received = torch.as_tensor(received).float()
    right = raw / 255
    made = {
        "nothing": right,
        "not divided by 255": raw,
        "blue first": right.flip(1),
        "rows and columns exchanged": right.transpose(2, 3),
        "mirrored": right.flip(3),
    }
    for name, x in made.items():
        if x.shape == received.shape and torch.allclose(x, received, atol=1e-4):
            return name
    return "mean subtracted"


def wrong_numpy(photo, received):
    photo = np.asarray(photo, dtype=np.float64)
    got = np.asarray(received, dtype=np.float64)[0].transpose(1, 2, 0)  # back to [H, W, 3]

    def same(x):
        return x.shape == got.shape and np.abs(x - got).max() < 1e-3

    if same(photo):
        return "not divided by 255"
    photo = photo / 255
    if same(photo):
        return "nothing"
    if same(photo[:, :, ::-1]):
        return "blue first"
    if same(photo[:, ::-1]):
        return "mirrored"
    if same(np.swapaxes(photo, 0, 1)):
        return "rows and columns exchanged"
    return "mean subtracted"


def wrong_undoes(photo, received):
    # undo each mistake in what was received, and look which gives the photo
    photo = torch.as_tensor(photo).float()
    x = torch.as_tensor(received).float().squeeze(0)
    undone = [
        ("nothing", 255 * x.permute(1, 2, 0)),
        ("not divided by 255", x.permute(1, 2, 0)),
        ("blue first", 255 * x[[2, 1, 0]].permute(1, 2, 0)),
        ("rows and columns exchanged", 255 * x.permute(2, 1, 0)),
        ("mirrored", 255 * x.flip(-1).permute(1, 2, 0)),
    ]
    for name, y in undone:
        if y.shape == photo.shape and (y - photo).abs().max() < 0.5:
            return name
    return "mean subtracted"


def wrong_nearest(photo, received):
    received = torch.as_tensor(received).float()
    right = torch.einsum("hwc->chw", torch.as_tensor(photo)).unsqueeze(0) / 255
    names = ["nothing", "not divided by 255", "blue first", "rows and columns exchanged", "mirrored"]
    made = [right, right * 255, right[:, [2, 1, 0]], right.mT, right[..., torch.arange(right.shape[-1] - 1, -1, -1)]]
    errors = [float((x - received).abs().max()) if x.shape == received.shape else math.inf for x in made]
    best = int(np.argmin(errors))
    return names[best] if errors[best] < 1e-2 else "mean subtracted"


def wrong_right(photo):
    return torch.as_tensor(photo).permute(2, 0, 1)[None].float() / 255


def wrong_same(x, y):
    return x.shape == y.shape and torch.allclose(x, torch.as_tensor(y).float(), atol=1e-4)


def wrong_search(made, received, rest="mean subtracted"):
    for name, x in made:
        if wrong_same(x, received):
            return name
    return rest


def wrong_made(x):
    return [
        ("nothing", x),
        ("not divided by 255", x * 255),
        ("blue first", x.flip(1)),
        ("rows and columns exchanged", x.transpose(2, 3)),
        ("mirrored", x.flip(3)),
    ]


def wrong_reshape(photo, received):
    photo = torch.as_tensor(photo)
    h, w, _ = photo.shape
    return wrong_search(wrong_made(photo.reshape(1, 3, h, w).float() / 255), received)


def wrong_columns_first(photo, received):
    x = torch.as_tensor(photo).permute(2, 1, 0)[None].float() / 255
    return wrong_search(wrong_made(x), received)


def wrong_never_divides(photo, received):
    x = wrong_right(photo) * 255
    return wrong_search(wrong_made(x)[:1] + [("not divided by 255", x / 255)] + wrong_made(x)[2:], received)


def wrong_whole_division(photo, received):
    x = (torch.as_tensor(photo).permute(2, 0, 1)[None] // 255).float()
    return wrong_search(wrong_made(x), received)


def wrong_upside_down(photo, received):
    x = wrong_right(photo)
    return wrong_search(wrong_made(x)[:-1] + [("mirrored", x.flip(2))], received)


def wrong_rolled_channels(photo, received):
    made = wrong_made(wrong_right(photo))
    made[2] = ("blue first", made[0][1].roll(1, dims=1))
    return wrong_search(made, received)


def wrong_flips_batch(photo, received):
    made = wrong_made(wrong_right(photo))
    made[2] = ("blue first", made[0][1].flip(0))
    return wrong_search(made, received)


def wrong_names_swapped(photo, received):
    x = wrong_right(photo)
    made = wrong_made(x)
    made[3:] = [("mirrored", x.transpose(2, 3)), ("rows and columns exchanged", x.flip(3))]
    return wrong_search(made, received)


def wrong_on_top(photo, received):
    x = wrong_right(photo)
    if wrong_same(x, received):
        return "nothing"
    x = x * 255
    if wrong_same(x, received):
        return "not divided by 255"
    x = x.flip(1)
    if wrong_same(x, received):
        return "blue first"
    x = x.transpose(2, 3)
    if wrong_same(x, received):
        return "rows and columns exchanged"
    x = x.flip(3)
    if wrong_same(x, received):
        return "mirrored"
    return "mean subtracted"


def wrong_rest_is_nothing(photo, received):
    return wrong_search(wrong_made(wrong_right(photo)), received, rest="nothing")


def wrong_no_abs(photo, received):
    for name, x in wrong_made(wrong_right(photo)):
        if (x - torch.as_tensor(received)).max() < 1e-4:
            return name
    return "mean subtracted"


def wrong_any(photo, received):
    for name, x in wrong_made(wrong_right(photo)):
        if ((x - torch.as_tensor(received)).abs() < 1e-4).any():
            return name
    return "mean subtracted"


ATTEMPTS = [
    ("fold_norm", "right", "a deep copy with new parameters", fold_plain),
    ("fold_norm", "right", "built anew with stride, padding, groups; einsum", fold_built_anew),
    ("fold_norm", "right", "the norm of the old bias, a diagonal matrix times the weight", fold_norm_of_the_bias),
    ("fold_norm", "right", "PyTorch's own fuse_conv_bn_weights in a deep copy", fold_library),
    ("fold_norm", "wrong", "forgets the convolution's own bias", fold_old_bias_lost),
    ("fold_norm", "wrong", "does not scale the convolution's own bias", fold_old_bias_unscaled),
    ("fold_norm", "wrong", "divides by the variance, no root", fold_no_root),
    ("fold_norm", "wrong", "forgets eps", fold_no_eps),
    ("fold_norm", "wrong", "scales the in axis of the weight", fold_wrong_axis),
    ("fold_norm", "wrong", "forgets beta", fold_no_beta),
    ("fold_norm", "wrong", "a convolution without bias gets none", fold_bias_only_if_there),
    ("fold_norm", "wrong", "changes conv itself and returns it", fold_in_place),
    ("fold_norm", "wrong", "a shallow copy, conv changes with it", fold_shallow_copy),
    ("fold_norm", "wrong", "resets the norm", fold_resets_norm),
    ("fold_norm", "wrong", "the new convolution has no stride", fold_no_stride),
    ("fold_norm", "wrong", "returns a Sequential of both", fold_sequential),
    ("fast_norm", "right", "layer_norm over three axes, times weight, plus bias", passes_layer_norm),
    ("fast_norm", "right", "var_mean, a number times x plus a number", passes_var_mean),
    ("fast_norm", "right", "var_mean of a flat view, addcmul", passes_addcmul),
    ("fast_norm", "right", "group_norm with one group, addcmul", passes_group_norm),
    ("fast_norm", "wrong", "the formula as it was, too many passes", passes_written_out),
    ("fast_norm", "wrong", "one pass too many, subtracts the mean by itself", passes_four),
    ("fast_norm", "wrong", "var_mean divides by n - 1", passes_bessel),
    ("fast_norm", "wrong", "normalises over the channels of each token", passes_last_axis),
    ("fast_norm", "wrong", "normalises over the batch, too", passes_batch_too),
    ("fast_norm", "wrong", "normalises each channel by itself", passes_each_channel),
    ("fast_norm", "wrong", "takes var_mean's variance for the mean", passes_mean_before_var),
    ("fast_norm", "wrong", "divides by the variance, no root", passes_no_root),
    ("fast_norm", "wrong", "the mean in the shift misses the weight", passes_shift_without_weight),
    ("fast_norm", "wrong", "weight and bias swapped in addcmul", passes_addcmul_order),
    ("fast_norm", "wrong", "forgets the bias", passes_no_bias),
    ("fast_norm", "wrong", "ignores eps, takes layer_norm's own", passes_own_eps),
    ("quantize", "right", "amax of the flat rows, int8", quantize_plain),
    ("quantize", "right", "rows, torch.where, int32", quantize_rows),
    ("quantize", "right", "a loop over channels", quantize_loop),
    ("quantize", "right", "infinity norm, whole numbers kept as floats", quantize_whole_floats),
    ("quantize", "wrong", "one scale for all channels", quantize_one_scale),
    ("quantize", "wrong", "the maximum without abs", quantize_no_abs),
    ("quantize", "wrong", "a scale for each input channel", quantize_input_channels),
    ("quantize", "wrong", "returns one over the scale", quantize_inverse_scale),
    ("quantize", "wrong", "128 instead of 127", quantize_128),
    ("quantize", "wrong", "cuts off instead of rounding", quantize_truncates),
    ("quantize", "wrong", "a channel of zeros gets scale 0 and NaN", quantize_forgets_zeros),
    ("quantize", "wrong", "a channel of zeros gets scale 1/127", quantize_zeros_get_one_127th),
    ("quantize", "wrong", "no scale below 1", quantize_clamped_scale),
    ("quantize", "wrong", "scales before whole numbers", quantize_swapped),
    ("quantize", "wrong", "scales keep the axes of the weight", quantize_scale_keeps_axes),
    ("quantize", "wrong", "scale from the range, max minus min", quantize_range),
    ("stalling", "right", "max with a key", stalling_max),
    ("stalling", "right", "a loop", stalling_loop),
    ("stalling", "right", "NumPy, argmax", stalling_numpy),
    ("stalling", "right", "the smaller of two differences, sorted", stalling_smaller_gain),
    ("stalling", "wrong", "the longest operator", stalling_longest),
    ("stalling", "wrong", "the greatest factor instead of the most seconds", stalling_factor),
    ("stalling", "wrong", "sum of both times, as if one after the other", stalling_sum),
    ("stalling", "wrong", "the faster of the two", stalling_faster_of_two),
    ("stalling", "wrong", "multiplications only", stalling_macs_only),
    ("stalling", "wrong", "bytes only", stalling_bytes_only),
    ("stalling", "wrong", "rate and bandwidth swapped", stalling_limits_swapped),
    ("stalling", "wrong", "the fewest seconds to win", stalling_least_won),
    ("stalling", "wrong", "returns the seconds", stalling_returns_seconds),
    ("stalling", "wrong", "returns the whole row", stalling_returns_row),
    ("stalling", "wrong", "the last name in the alphabet", stalling_by_name),
    ("stalling", "wrong", "the first operator with something to win", stalling_returns_early),
    ("file_error", "right", "a loop with two maxima", error_plain),
    ("file_error", "right", "NumPy, isnan, a NumPy number", error_numpy),
    ("file_error", "right", "infinity norms, the model picture by picture", error_tensors),
    ("file_error", "right", "NaN turned into infinity", error_nan_to_inf),
    ("file_error", "wrong", "gives the file the whole batch", error_whole_batch),
    ("file_error", "wrong", "difference without abs", error_no_abs),
    ("file_error", "wrong", "abs after the maximum of the model's logits", error_abs_of_max),
    ("file_error", "wrong", "mean instead of largest difference", error_mean),
    ("file_error", "wrong", "not divided", error_absolute),
    ("file_error", "wrong", "divides by the file's largest logit", error_over_the_file),
    ("file_error", "wrong", "divides each logit's difference by that logit", error_each_logit),
    ("file_error", "wrong", "divides by the largest logit of each picture", error_each_picture),
    ("file_error", "wrong", "the last picture only", error_last_picture),
    ("file_error", "wrong", "max() hides a NaN", error_hides_nan),
    ("file_error", "wrong", "asks whether something equals NaN", error_nan_equals_nan),
    ("file_error", "wrong", "leaves NaN out", error_skips_nan),
    ("what_went_wrong", "right", "a dictionary of mistakes", wrong_dictionary),
    ("what_went_wrong", "right", "NumPy, one if after the other", wrong_numpy),
    ("what_went_wrong", "right", "undoes each mistake and compares with the photo", wrong_undoes),
    ("what_went_wrong", "right", "the nearest of the five, if near enough", wrong_nearest),
    ("what_went_wrong", "wrong", "reshape instead of permute", wrong_reshape),
    ("what_went_wrong", "wrong", "prepares the photo with columns first", wrong_columns_first),
    ("what_went_wrong", "wrong", "prepares the photo without dividing", wrong_never_divides),
    ("what_went_wrong", "wrong", "whole-number division by 255", wrong_whole_division),
    ("what_went_wrong", "wrong", "mirrors top and bottom", wrong_upside_down),
    ("what_went_wrong", "wrong", "rolls the channels by one", wrong_rolled_channels),
    ("what_went_wrong", "wrong", "flips the batch axis instead of the channels", wrong_flips_batch),
    ("what_went_wrong", "wrong", "names of mirrored and exchanged swapped", wrong_names_swapped),
    ("what_went_wrong", "wrong", "one mistake on top of the other", wrong_on_top),
    ("what_went_wrong", "wrong", "what is left is called nothing", wrong_rest_is_nothing),
    ("what_went_wrong", "wrong", "compares without abs", wrong_no_abs),
    ("what_went_wrong", "wrong", "one equal pixel is enough", wrong_any),
]
