"""Attempts of a cold reader at notebook 04: written from the stubs, before any check was run or read."""

import functools
import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import blocks

# 4.1 unfold: right


def unfold_loops(x, p):
    B, C, H, W = x.shape
    tokens = torch.empty(B, p * p, (H // p) * (W // p), C, dtype=x.dtype)
    for row in range(H):
        for column in range(W):
            position = p * (row % p) + column % p
            patch = (W // p) * (row // p) + column // p
            tokens[:, position, patch] = x[:, :, row, column]
    return tokens


def unfold_slices(x, p):
    parts = [x[:, :, i::p, j::p].flatten(2).mT for i in range(p) for j in range(p)]
    return torch.stack(parts, dim=1)


def unfold_torch(x, p):
    B, C, H, W = x.shape
    columns = F.unfold(x, p, stride=p)  # [B, C·P, N]
    return columns.reshape(B, C, p * p, -1).permute(0, 2, 3, 1)


def unfold_einsum(x, p):
    B, C, H, W = x.shape
    six = x.reshape(B, C, H // p, p, W // p, p)
    return torch.einsum("bchiwj->bijhwc", six).reshape(B, p * p, H * W // (p * p), C)


def unfold_numpy(x, p):
    array = x.detach().numpy()
    rows = [array[..., i::p, j::p].reshape(*array.shape[:2], -1) for i in range(p) for j in range(p)]
    return torch.from_numpy(np.stack(rows, axis=1).transpose(0, 1, 3, 2).copy())


def unfold_index(x, p):
    H, W = x.shape[-2:]
    order = torch.arange(H * W).view(H // p, p, W // p, p).permute(1, 3, 0, 2).reshape(p * p, -1)
    return x.flatten(2)[..., order].permute(0, 2, 3, 1)


# 4.1 unfold: wrong


def unfold_banded(x, p):
    B, C, H, W = x.shape
    return x.permute(0, 2, 3, 1).reshape(B, p * p, H * W // p**2, C)


def unfold_no_permute(x, p):
    B, C, H, W = x.shape
    return x.reshape(B, p * p, H * W // p**2, C)


def unfold_patch_first(x, p):
    return unfold_slices(x, p).transpose(1, 2)


def unfold_channels_first(x, p):
    return unfold_slices(x, p).permute(0, 3, 1, 2)


def unfold_channels_before_patches(x, p):
    return unfold_slices(x, p).mT


def unfold_p_outside(x, p):
    B, C, H, W = x.shape
    six = x.reshape(B, C, p, H // p, p, W // p)
    return six.permute(0, 2, 4, 3, 5, 1).reshape(B, p * p, -1, C)


def unfold_positions_by_column(x, p):
    return torch.stack([x[:, :, i::p, j::p].flatten(2).mT for j in range(p) for i in range(p)], dim=1)


def unfold_patches_by_column(x, p):
    return torch.stack([x[:, :, i::p, j::p].mT.flatten(2).mT for i in range(p) for j in range(p)], dim=1)


def unfold_always_two(x, p):
    return unfold_slices(x, 2)


def unfold_torch_mixed(x, p):
    columns = F.unfold(x, p, stride=p)  # [B, C·P, N]
    return columns.reshape(x.shape[0], p * p, x.shape[1], -1).permute(0, 1, 3, 2)


def unfold_square_grid(x, p):
    B, C, H, W = x.shape
    six = x.reshape(B, C, H // p, p, H // p, p)
    return six.permute(0, 3, 5, 2, 4, 1).reshape(B, p * p, -1, C)


def unfold_pooled(x, p):
    return F.avg_pool2d(x, p).flatten(2).mT[:, None].expand(-1, p * p, -1, -1)


def unfold_prints(x, p):
    print(unfold_slices(x, p).shape)


def unfold_list(x, p):
    return [x[:, :, i::p, j::p].flatten(2).mT for i in range(p) for j in range(p)]


# 4.2 the block


class Parts(nn.Module):
    def __init__(self, C, d, num_layers):
        super().__init__()
        self.local = blocks.ConvNormAct(C, C, kernel_size=3, groups=C)
        self.to_tokens = nn.Conv2d(C, d, 1, bias=False)
        self.layers, self.norm = nn.Sequential(), blocks.GroupNorm1(d)
        for _ in range(num_layers):
            attention = mv.SeparableSelfAttention(d)
            self.layers.append(blocks.TransformerLayer(d, attention))
        self.to_channels = blocks.ConvNormAct(d, C, activation=False)


class BlockSteps(Parts):
    def forward(self, x):
        H, W = x.shape[2], x.shape[3]
        y = self.local(x)
        y = self.to_tokens(y)
        y = mv.unfold(y)
        for layer in self.layers:
            y = layer(y)
        y = self.norm(y)
        y = mv.fold(y, [H, W])
        return self.to_channels(y)


class BlockFunctional(Parts):
    def forward(self, x):
        steps = (
            self.local,
            self.to_tokens,
            mv.unfold,
            self.layers,
            self.norm,
            functools.partial(mv.fold, size=tuple(x.shape[-2:])),
            self.to_channels,
        )
        return functools.reduce(lambda value, step: step(value), steps, x)


class BlockByHand(Parts):
    def forward(self, x):
        maps = self.to_tokens(self.local(x))
        tokens = unfold_slices(maps, 2)
        for index in range(len(self.layers)):
            layer = self.layers[index]
            tokens = tokens + layer.attention(layer.attention_norm(tokens))
            tokens = tokens + layer.ffn(layer.ffn_norm(tokens))
        tokens = self.norm(tokens)
        out = torch.zeros_like(maps)
        for position in range(4):
            i, j = divmod(position, 2)
            out[:, :, i::2, j::2] = tokens[:, position].mT.unflatten(-1, (maps.shape[2] // 2, -1))
        return self.to_channels(out)


class BlockAnySize(Parts):
    def forward(self, x):
        size = [side + side % 2 for side in x.shape[-2:]]
        if size != list(x.shape[-2:]):
            x = F.interpolate(x, size, mode="bilinear", align_corners=True)
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(mv.fold(tokens, tuple(size)))


class BlockNoLastNorm(Parts):
    def forward(self, x):
        tokens = self.layers(mv.unfold(self.to_tokens(self.local(x))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockNoLocal(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(x))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockNormFirst(Parts):
    def forward(self, x):
        tokens = self.layers(self.norm(mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockResidual(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return x + self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockNoLayers(Parts):
    def forward(self, x):
        tokens = self.norm(mv.unfold(self.to_tokens(self.local(x))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockFirstLayer(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers[0](mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockBanded(Parts):
    def forward(self, x):
        y = self.to_tokens(self.local(x))
        tokens = self.norm(self.layers(unfold_banded(y, 2)))
        y = tokens.reshape(len(x), *x.shape[-2:], -1).permute(0, 3, 1, 2)
        return self.to_channels(y)


class BlockOneConversation(Parts):
    def forward(self, x):
        y = self.to_tokens(self.local(x))
        tokens = self.norm(self.layers(y.flatten(2).mT[:, None]))  # [B, 1, HW, d]
        return self.to_channels(tokens[:, 0].mT.unflatten(-1, x.shape[-2:]))


class BlockNoFold(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(tokens)


class BlockTokensOut(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return mv.fold(tokens, x.shape[-2:])


class BlockSwappedSize(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(mv.fold(tokens, (x.shape[3], x.shape[2])))


class BlockExtraActivation(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return F.silu(self.to_channels(mv.fold(tokens, x.shape[-2:])))


class BlockLayersTwice(Parts):
    def forward(self, x):
        tokens = mv.unfold(self.to_tokens(self.local(x)))
        for _ in self.layers:
            tokens = self.layers(tokens)
        return self.to_channels(mv.fold(self.norm(tokens), x.shape[-2:]))


class BlockNormOnMap(Parts):
    def forward(self, x):
        tokens = self.layers(mv.unfold(self.to_tokens(self.local(x))))
        return self.to_channels(self.norm(mv.fold(tokens, x.shape[-2:])))


class BlockFoldForgotten(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        self.to_channels(mv.fold(tokens, x.shape[-2:]))


# 4.3 fold: right


def fold_permute(tokens, H, W, p):
    B, P, N, C = tokens.shape
    six = tokens.reshape(B, p, p, H // p, W // p, C)
    return six.permute(0, 5, 3, 1, 4, 2).reshape(B, C, H, W)


def fold_loops(tokens, H, W, p):
    x = torch.zeros(tokens.shape[0], tokens.shape[-1], H, W).to(tokens)
    for row in range(H):
        for column in range(W):
            position, patch = p * (row % p) + column % p, (W // p) * (row // p) + column // p
            x[:, :, row, column] = tokens[:, position, patch]
    return x


def fold_slices(tokens, H, W, p):
    x = tokens.new_empty(len(tokens), tokens.shape[-1], H, W)
    for i in range(p):
        for j in range(p):
            x[:, :, i::p, j::p] = tokens[:, i * p + j].mT.unflatten(-1, (H // p, W // p))
    return x


def fold_torch(tokens, H, W, p):
    columns = tokens.permute(0, 3, 1, 2).flatten(1, 2)  # [B, C·P, N]
    return F.fold(columns, (H, W), p, stride=p)


def fold_shuffle(tokens, H, W, p):
    maps = tokens.permute(0, 3, 1, 2).flatten(1, 2).unflatten(-1, (H // p, W // p))
    return nn.PixelShuffle(p)(maps)


def fold_numpy(tokens, H, W, p):
    array = np.reshape(tokens.numpy(), (len(tokens), p, p, H // p, W // p, -1))
    return torch.tensor(np.einsum("bijhwc->bchiwj", array).reshape(len(tokens), -1, H, W))


# 4.3 fold: wrong


def fold_reshape(tokens, H, W, p):
    return tokens.reshape(tokens.shape[0], tokens.shape[-1], H, W)


def fold_band(tokens, H, W, p):
    return tokens.reshape(tokens.shape[0], H, W, -1).permute(0, 3, 1, 2)


def fold_p_outside(tokens, H, W, p):
    six = tokens.reshape(len(tokens), p, p, H // p, W // p, -1)
    return six.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), -1, H, W)


def fold_channels_last(tokens, H, W, p):
    return fold_permute(tokens, H, W, p).permute(0, 2, 3, 1)


def fold_positions_swapped(tokens, H, W, p):
    six = tokens.reshape(len(tokens), p, p, H // p, W // p, -1)
    return six.permute(0, 5, 3, 2, 4, 1).reshape(len(tokens), -1, H, W)


def fold_grid_swapped(tokens, H, W, p):
    six = tokens.reshape(len(tokens), p, p, W // p, H // p, -1)
    return six.permute(0, 5, 4, 1, 3, 2).reshape(len(tokens), -1, H, W)


def fold_transposed(tokens, H, W, p):
    return fold_permute(tokens, H, W, p).mT


def fold_always_two(tokens, H, W, p):
    return mv.fold(tokens, (H, W))


def fold_square(tokens, H, W, p):
    side = math.isqrt(tokens.shape[2])
    six = tokens.reshape(len(tokens), p, p, side, side, -1)
    return six.permute(0, 5, 3, 1, 4, 2).reshape(len(tokens), -1, side * p, side * p)


def fold_torch_mixed(tokens, H, W, p):
    columns = tokens.permute(0, 1, 3, 2).flatten(1, 2)  # [B, P·C, N]
    return F.fold(columns, (H, W), p, stride=p)


def fold_unfolds(tokens, H, W, p):
    return mv.unfold(tokens, p)


def fold_overlap_average(tokens, H, W, p):
    return fold_permute(tokens, H, W, p) / p**2


# 4.4 the detector: right


def detect_position_map(function):
    H, W = 6, 10
    row, column = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    position = (2 * (row % 2) + column % 2).float()
    tokens = function(position[None, None])[0, :, :, 0]
    each_alike = (tokens == tokens[:, :1]).all()
    all_there = sorted(tokens[:, 0].tolist()) == [0, 1, 2, 3]
    return bool(each_alike) and all_there


def detect_sets(function):
    for H, W in ((4, 4), (4, 6), (8, 2), (6, 4)):
        numbered = torch.arange(float(H * W)).reshape(1, 1, H, W)
        wanted = {frozenset(numbered[0, 0, i::2, j::2].flatten().tolist()) for i in (0, 1) for j in (0, 1)}
        result = function(numbered)
        if tuple(result.shape) != (1, 4, H * W // 4, 1):
            return False
        if {frozenset(row.tolist()) for row in result[0, :, :, 0]} != wanted:
            return False
    return True


def detect_sorted(function):
    for size in ((2, 3, 4, 6), (1, 2, 6, 4), (2, 1, 8, 8)):
        x = torch.arange(math.prod(size), dtype=torch.float32).reshape(size)
        result, reference = function(x), mv.unfold(x)
        if result.shape != reference.shape:
            return False
        result, reference = (t.sort(dim=2).values for t in (result, reference))
        order = [t[0, :, 0, 0].argsort() for t in (result, reference)]
        if not torch.equal(result[:, order[0]], reference[:, order[1]]):
            return False
    return True


def detect_one_hot(function):
    verdicts = []
    for H, W in ((4, 4), (4, 8), (10, 6)):
        hit = []
        for i in range(2):
            for j in range(2):
                x = torch.zeros(1, 1, H, W)
                x[..., i::2, j::2] = 1
                rows = function(x)[0, :, :, 0].sum(dim=1)
                hit.append(int(rows.argmax()))
                verdicts.append(np.isclose(rows.max().item(), H * W / 4))
        verdicts.append(len(set(hit)) == 4)
    return np.all(verdicts)


# 4.4 the detector: wrong


def detect_shape(function):
    return tuple(function(torch.zeros(2, 3, 4, 6)).shape) == (2, 4, 6, 3)


def detect_equal_library(function):
    x = torch.randn(2, 3, 6, 10)
    return torch.equal(function(x), mv.unfold(x))


def detect_one_square(function):
    numbered = torch.arange(16.0).reshape(1, 1, 4, 4)
    wanted = {(0, 2, 8, 10), (1, 3, 9, 11), (4, 6, 12, 14), (5, 7, 13, 15)}
    return {tuple(sorted(row)) for row in function(numbered)[0, :, :, 0].tolist()} == wanted


def detect_always_true(function):
    return True


def detect_always_false(function):
    return False


def detect_upside_down(function):
    return not detect_sets(function)


def detect_first_row(function):
    x = torch.arange(24.0).reshape(1, 1, 4, 6)
    return set(function(x)[0, 0, :, 0].tolist()) == {0, 2, 4, 12, 14, 16}


def detect_column_only(function):
    position = (torch.arange(6) % 2).float().expand(1, 1, 4, 6)
    tokens = function(position)[0, :, :, 0]
    return bool((tokens == tokens[:, :1]).all())


def detect_any(function):
    position = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat(2, 3)[None, None]
    tokens = function(position)[0, :, :, 0]
    return bool((tokens == tokens[:, :1]).any())


def detect_multiset(function):
    x = torch.randn(1, 2, 4, 6)
    return torch.equal(function(x).flatten().sort().values, x.flatten().sort().values)


def detect_not_banded(function):
    x = torch.randn(1, 3, 4, 6)
    return not torch.equal(function(x), unfold_banded(x, 2))


def detect_patch_order(function):
    position = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat(2, 3)[None, None]
    tokens = function(position)[0, :, :, 0]
    return torch.equal(tokens, torch.arange(4.0)[:, None].expand(4, 6))


def detect_text(function):
    return "True" if detect_sets(function) else "False"


def detect_round_trip(function):
    x = torch.randn(2, 3, 4, 6)
    return torch.equal(mv.fold(function(x), (4, 6)), x)


# 4.5 group norm: right


def norm_plain(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    variance = x.var(dim=(1, 2, 3), keepdim=True, correction=0)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def norm_loop(x, weight, bias, eps=1e-5):
    results = []
    for sample in x:
        centred = sample - sample.sum() / sample.numel()
        variance = (centred**2).sum() / sample.numel()
        results.append(centred / math.sqrt(variance.item() + eps))
    return torch.stack(results) * weight + bias


def norm_torch(x, weight, bias, eps=1e-5):
    return F.group_norm(x.permute(0, 3, 1, 2), 1, weight, bias, eps).permute(0, 2, 3, 1)


def norm_layer(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], eps=eps) * weight + bias


def norm_double(x, weight, bias, eps=1e-5):
    flat = x.double().flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    flat = flat * torch.rsqrt(torch.einsum("bn,bn->b", flat, flat)[:, None] / flat.shape[1] + eps)
    return torch.addcmul(bias.double(), flat.view_as(x), weight.double())


def norm_numpy(x, weight, bias, eps=1e-5):
    a = x.detach().numpy()
    a = (a - a.mean((1, 2, 3), keepdims=True)) / np.sqrt(a.var((1, 2, 3), keepdims=True) + eps)
    return torch.from_numpy(a * weight.detach().numpy() + bias.detach().numpy())


# 4.5 group norm: wrong


def norm_token(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def norm_batch(x, weight, bias, eps=1e-5):
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt() * weight + bias


def norm_corrected(x, weight, bias, eps=1e-5):
    mean, variance = x.mean(dim=(1, 2, 3), keepdim=True), x.var(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def norm_no_root(x, weight, bias, eps=1e-5):
    mean, variance = x.mean(dim=(1, 2, 3), keepdim=True), x.var(dim=(1, 2, 3), keepdim=True, correction=0)
    return (x - mean) / (variance + eps) * weight + bias


def norm_eps_outside(x, weight, bias, eps=1e-5):
    mean, variance = x.mean(dim=(1, 2, 3), keepdim=True), x.var(dim=(1, 2, 3), keepdim=True, correction=0)
    return (x - mean) / (variance.sqrt() + eps) * weight + bias


def norm_no_eps(x, weight, bias, eps=1e-5):
    mean, variance = x.mean(dim=(1, 2, 3), keepdim=True), x.var(dim=(1, 2, 3), keepdim=True, correction=0)
    return (x - mean) / variance.sqrt() * weight + bias


def norm_fixed_eps(x, weight, bias, eps=1e-5):
    return norm_plain(x, weight, bias, 1e-5)


def norm_no_affine(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], eps=eps)


def norm_no_bias(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], eps=eps) * weight


def norm_no_mean(x, weight, bias, eps=1e-5):
    return x * (x.pow(2).mean(dim=(1, 2, 3), keepdim=True) + eps).rsqrt() * weight + bias


def norm_per_position(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[2:], eps=eps) * weight + bias


def norm_per_channel(x, weight, bias, eps=1e-5):
    mean, variance = x.mean(dim=(1, 2), keepdim=True), x.var(dim=(1, 2), keepdim=True, correction=0)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def norm_channels_second(x, weight, bias, eps=1e-5):
    return F.group_norm(x, 1, weight[: x.shape[1]], bias[: x.shape[1]], eps)


def norm_bias_first(x, weight, bias, eps=1e-5):
    return (F.layer_norm(x, x.shape[1:], eps=eps) + bias) * weight


def norm_in_place(x, weight, bias, eps=1e-5):
    mean, variance = x.mean(dim=(1, 2, 3), keepdim=True), x.var(dim=(1, 2, 3), keepdim=True, correction=0)
    x -= mean
    x /= (variance + eps).sqrt()
    return x.mul_(weight).add_(bias)


def norm_std(x, weight, bias, eps=1e-5):
    mean, std = x.mean(dim=(1, 2, 3), keepdim=True), x.std(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / (std + eps) * weight + bias


# 4.6 count the block: right


def macs_formula(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + layers * (7 * d**2 + d))


def macs_steps(C, d, layers, H, W):
    k = H * W
    total = 9 * C * k
    total += C * d * k
    for _ in range(layers):
        total += 3 * k * d**2 + k * d
        total += k * d * (2 * d) + k * (2 * d) * d
    return total + d * C * k


def macs_numpy(C, d, layers, H, W):
    each = np.array([9 * C, C * d, layers * (3 * d * d + d), layers * 4 * d * d, d * C], dtype=np.int64)
    return (each * H * W).sum()


def macs_tensor(C, d, layers, H, W):
    each = [9 * C, C * d, d * C] + layers * [3 * d**2, d, 2 * d**2, 2 * d**2]
    return torch.tensor(each).sum() * H * W


def macs_four(C, d, layers, H, W):
    N = Fraction(H * W, 4)
    attention = 4 * (3 * N * d**2 + N * d)
    return H * W * C * 9 + 2 * H * W * C * d + layers * (attention + 4 * N * 4 * d**2)


def macs_float(C, d, layers, H, W):
    return float(sum(H * W * n for n in (9 * C, 2 * C * d, 7 * d**2 * layers, d * layers)))


# 4.6 count the block: wrong


def macs_full_conv(C, d, layers, H, W):
    return H * W * (9 * C**2 + 2 * C * d + layers * (7 * d**2 + d))


def macs_quarter_tokens(C, d, layers, H, W):
    k = H * W // 4
    return H * W * (9 * C + 2 * C * d) + layers * k * (7 * d**2 + d)


def macs_four_times(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d) + 4 * layers * H * W * (7 * d**2 + d)


def macs_no_ffn(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + layers * (3 * d**2 + d))


def macs_half_ffn(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + layers * (5 * d**2 + d))


def macs_one_layer(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + 7 * d**2 + d)


def macs_no_way_back(C, d, layers, H, W):
    return H * W * (9 * C + C * d + layers * (7 * d**2 + d))


def macs_no_depthwise(C, d, layers, H, W):
    return H * W * (2 * C * d + layers * (7 * d**2 + d))


def macs_one_pixel(C, d, layers, H, W):
    return 9 * C + 2 * C * d + layers * (7 * d**2 + d)


def macs_depthwise_three(C, d, layers, H, W):
    return H * W * (3 * C + 2 * C * d + layers * (7 * d**2 + d))


def macs_multi_head(C, d, layers, H, W):
    k = H * W
    return k * (9 * C + 2 * C * d) + layers * (4 * k * d**2 + 2 * k**2 * d + 4 * k * d**2)


def macs_operations(C, d, layers, H, W):
    return 2 * macs_formula(C, d, layers, H, W)


def macs_pooled(C, d, layers, H, W):
    k = H * W
    attention = 2 * k * d**2 + 2 * k * d + 4 * d**2
    return k * (9 * C + 2 * C * d) + layers * (attention + 4 * k * d**2)


def macs_no_kd(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + 7 * layers * d**2)


def macs_with_fuse(C, d, layers, H, W):
    return macs_formula(C, d, layers, H, W) + 9 * 2 * C * C * H * W


def macs_square(C, d, layers, H, W):
    return H * H * (9 * C + 2 * C * d + layers * (7 * d**2 + d))


ATTEMPTS = [
    ("unfold_patches", "right", "loops over the pixels", unfold_loops),
    ("unfold_patches", "right", "strided slices, stacked", unfold_slices),
    ("unfold_patches", "right", "F.unfold and a permute", unfold_torch),
    ("unfold_patches", "right", "reshape and einsum", unfold_einsum),
    ("unfold_patches", "right", "NumPy and back", unfold_numpy),
    ("unfold_patches", "right", "a table of pixel numbers", unfold_index),
    ("unfold_patches", "wrong", "one reshape: bands", unfold_banded),
    ("unfold_patches", "wrong", "one reshape, channels not moved to the end", unfold_no_permute),
    ("unfold_patches", "wrong", "patches before positions: [B, N, P, C]", unfold_patch_first),
    ("unfold_patches", "wrong", "channels in front: [B, C, P, N]", unfold_channels_first),
    ("unfold_patches", "wrong", "channels before patches: [B, P, C, N]", unfold_channels_before_patches),
    ("unfold_patches", "wrong", "split into p blocks in place of blocks of p", unfold_p_outside),
    ("unfold_patches", "wrong", "positions counted column by column", unfold_positions_by_column),
    ("unfold_patches", "wrong", "patches counted column by column", unfold_patches_by_column),
    ("unfold_patches", "wrong", "2 written in place of p", unfold_always_two),
    ("unfold_patches", "wrong", "F.unfold's channels and positions split in the wrong order", unfold_torch_mixed),
    ("unfold_patches", "wrong", "height used for the width: square maps only", unfold_square_grid),
    ("unfold_patches", "wrong", "pixels of a patch averaged", unfold_pooled),
    ("unfold_patches", "wrong", "prints, returns nothing", unfold_prints),
    ("unfold_patches", "wrong", "a list, not stacked", unfold_list),
    ("block_module", "right", "one step a line, a list as the size", BlockSteps),
    ("block_module", "right", "functions reduced", BlockFunctional),
    ("block_module", "right", "the layers and the folding written out", BlockByHand),
    ("block_module", "right", "odd sizes enlarged as well", BlockAnySize),
    ("block_module", "wrong", "the last norm forgotten", BlockNoLastNorm),
    ("block_module", "wrong", "the depthwise 3×3 forgotten", BlockNoLocal),
    ("block_module", "wrong", "the norm before the layers", BlockNormFirst),
    ("block_module", "wrong", "the input added at the end", BlockResidual),
    ("block_module", "wrong", "the layers forgotten", BlockNoLayers),
    ("block_module", "wrong", "only the first layer run", BlockFirstLayer),
    ("block_module", "wrong", "the band bug in place of unfold and fold", BlockBanded),
    ("block_module", "wrong", "one conversation of all pixels", BlockOneConversation),
    ("block_module", "wrong", "fold forgotten", BlockNoFold),
    ("block_module", "wrong", "to_channels forgotten", BlockTokensOut),
    ("block_module", "wrong", "width and height exchanged in fold", BlockSwappedSize),
    ("block_module", "wrong", "a SiLU after the last 1×1", BlockExtraActivation),
    ("block_module", "wrong", "all the layers run once for each layer", BlockLayersTwice),
    ("block_module", "wrong", "the norm on the map, not on the tokens", BlockNormOnMap),
    ("block_module", "wrong", "no return", BlockFoldForgotten),
    ("fold_patches", "right", "reshape and permute", fold_permute),
    ("fold_patches", "right", "loops over the pixels", fold_loops),
    ("fold_patches", "right", "strided slices filled", fold_slices),
    ("fold_patches", "right", "F.fold", fold_torch),
    ("fold_patches", "right", "PixelShuffle", fold_shuffle),
    ("fold_patches", "right", "NumPy's einsum", fold_numpy),
    ("fold_patches", "wrong", "one reshape to [B, C, H, W]", fold_reshape),
    ("fold_patches", "wrong", "one reshape to [B, H, W, C]: bands", fold_band),
    ("fold_patches", "wrong", "positions outside, patches inside", fold_p_outside),
    ("fold_patches", "wrong", "channels left at the end", fold_channels_last),
    ("fold_patches", "wrong", "row and column within the patch exchanged", fold_positions_swapped),
    ("fold_patches", "wrong", "N split as (W/p, H/p)", fold_grid_swapped),
    ("fold_patches", "wrong", "height and width exchanged", fold_transposed),
    ("fold_patches", "wrong", "2 written in place of p", fold_always_two),
    ("fold_patches", "wrong", "a square map taken for granted", fold_square),
    ("fold_patches", "wrong", "positions before channels in front of F.fold", fold_torch_mixed),
    ("fold_patches", "wrong", "unfolds in place of folding", fold_unfolds),
    ("fold_patches", "wrong", "divided by p², as if patches overlapped", fold_overlap_average),
    ("groups_by_position", "right", "a map of the positions", detect_position_map),
    ("groups_by_position", "right", "numbered pixels and sets", detect_sets),
    ("groups_by_position", "right", "both sorted and compared with mv.unfold", detect_sorted),
    ("groups_by_position", "right", "one position lit at a time; np.bool_", detect_one_hot),
    ("groups_by_position", "wrong", "looks at the shape alone", detect_shape),
    ("groups_by_position", "wrong", "wants mv.unfold's order", detect_equal_library),
    ("groups_by_position", "wrong", "one square map alone", detect_one_square),
    ("groups_by_position", "wrong", "always True", detect_always_true),
    ("groups_by_position", "wrong", "always False", detect_always_false),
    ("groups_by_position", "wrong", "upside down", detect_upside_down),
    ("groups_by_position", "wrong", "looks at row 0 alone and wants position 0 there", detect_first_row),
    ("groups_by_position", "wrong", "marks columns, not rows", detect_column_only),
    ("groups_by_position", "wrong", "any for all", detect_any),
    ("groups_by_position", "wrong", "only asks whether all numbers are there", detect_multiset),
    ("groups_by_position", "wrong", "knows one wrong function only", detect_not_banded),
    ("groups_by_position", "wrong", "wants the positions in order", detect_patch_order),
    ("groups_by_position", "wrong", "text in place of a truth value", detect_text),
    ("groups_by_position", "wrong", "asks that mv.fold undo it: wants one order", detect_round_trip),
    ("group_norm_1", "right", "mean and var", norm_plain),
    ("group_norm_1", "right", "a loop over the samples", norm_loop),
    ("group_norm_1", "right", "F.group_norm", norm_torch),
    ("group_norm_1", "right", "F.layer_norm over three axes", norm_layer),
    ("group_norm_1", "right", "float64, einsum, addcmul", norm_double),
    ("group_norm_1", "right", "NumPy", norm_numpy),
    ("group_norm_1", "wrong", "each token normalised by itself", norm_token),
    ("group_norm_1", "wrong", "over the whole batch", norm_batch),
    ("group_norm_1", "wrong", "divides by n − 1", norm_corrected),
    ("group_norm_1", "wrong", "no square root", norm_no_root),
    ("group_norm_1", "wrong", "eps outside the root", norm_eps_outside),
    ("group_norm_1", "wrong", "eps forgotten", norm_no_eps),
    ("group_norm_1", "wrong", "eps fixed at 1e-5", norm_fixed_eps),
    ("group_norm_1", "wrong", "weight and bias forgotten", norm_no_affine),
    ("group_norm_1", "wrong", "bias forgotten", norm_no_bias),
    ("group_norm_1", "wrong", "the mean not subtracted", norm_no_mean),
    ("group_norm_1", "wrong", "each position by itself", norm_per_position),
    ("group_norm_1", "wrong", "each channel by itself", norm_per_channel),
    ("group_norm_1", "wrong", "positions taken for channels", norm_channels_second),
    ("group_norm_1", "wrong", "bias before weight", norm_bias_first),
    ("group_norm_1", "right", "changes the tokens it was given", norm_in_place),
    ("group_norm_1", "wrong", "std with n − 1, and eps outside", norm_std),
    ("block_macs", "right", "one formula", macs_formula),
    ("block_macs", "right", "step by step", macs_steps),
    ("block_macs", "right", "a NumPy number", macs_numpy),
    ("block_macs", "right", "a 0-d tensor", macs_tensor),
    ("block_macs", "right", "four collections, a Fraction", macs_four),
    ("block_macs", "right", "a float", macs_float),
    ("block_macs", "wrong", "a full 3×3", macs_full_conv),
    ("block_macs", "wrong", "tokens of one collection only", macs_quarter_tokens),
    ("block_macs", "wrong", "all tokens, four times", macs_four_times),
    ("block_macs", "wrong", "feed-forward forgotten", macs_no_ffn),
    ("block_macs", "wrong", "one half of the feed-forward", macs_half_ffn),
    ("block_macs", "wrong", "one layer for all", macs_one_layer),
    ("block_macs", "wrong", "the 1×1 back forgotten", macs_no_way_back),
    ("block_macs", "wrong", "the depthwise 3×3 forgotten", macs_no_depthwise),
    ("block_macs", "wrong", "for one pixel", macs_one_pixel),
    ("block_macs", "wrong", "three places in place of nine", macs_depthwise_three),
    ("block_macs", "wrong", "multi-head attention counted", macs_multi_head),
    ("block_macs", "wrong", "two operations for each multiply–accumulate", macs_operations),
    ("block_macs", "wrong", "pooled first, not as in the paper", macs_pooled),
    ("block_macs", "wrong", "kd left out", macs_no_kd),
    ("block_macs", "wrong", "v1's fusing convolution counted", macs_with_fuse),
    ("block_macs", "wrong", "height for width", macs_square),
]
