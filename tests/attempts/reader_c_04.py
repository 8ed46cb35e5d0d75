"""Attempts of a cold reader at the exercises of notebook 04, right and wrong, written without looking at the checks."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import blocks, cost

# 4.1 unfold ---------------------------------------------------------------------------------------------------------


def unfold_hint(x, p):
    six = x.unflatten(2, (-1, p)).unflatten(4, (-1, p))
    return six.permute(0, 3, 5, 2, 4, 1).flatten(3, 4).flatten(1, 2)


def unfold_loops(x, p):
    B, C, H, W = x.shape
    tokens = x.new_empty(B, p * p, (H // p) * (W // p), C)
    for row in range(H):
        for column in range(W):
            position = p * (row % p) + column % p
            patch = (W // p) * (row // p) + column // p
            tokens[:, position, patch, :] = x[:, :, row, column]
    return tokens


def unfold_slices(x, p):
    collections = [x[:, :, i::p, j::p].flatten(2).mT for i in range(p) for j in range(p)]
    return torch.stack(collections, dim=1)


def unfold_pytorch(x, p):
    B, C, _, _ = x.shape
    columns = F.unfold(x, p, stride=p)
    return columns.reshape(B, C, p * p, -1).permute(0, 2, 3, 1)


def unfold_shuffle(x, p):
    B, C, H, W = x.shape
    return F.pixel_unshuffle(x, p).view(B, C, p * p, H * W // p**2).permute(0, 2, 3, 1)


def unfold_einsum(x, p):
    B, C, H, W = x.shape
    rows, columns = int(H / p), int(W / p)
    cut = x.reshape([B, C, rows, p, columns, p])
    return torch.einsum("bcripq->bpqirc", cut.permute(0, 1, 4, 2, 3, 5)).reshape([B, p * p, rows * columns, C])


def unfold_numpy(x, p):
    B, C, H, W = x.shape
    array = x.detach().numpy().reshape(B, C, H // p, p, W // p, p)
    return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 5, 2, 4, 1)).reshape(B, p * p, -1, C))


def unfold_bands(x, p):
    B, C, H, W = x.shape
    return x.permute(0, 2, 3, 1).reshape(B, p * p, H * W // p**2, C)


def unfold_plain_reshape(x, p):
    B, C, H, W = x.shape
    return x.reshape(B, p * p, H * W // p**2, C)


def unfold_positions_by_column(x, p):
    six = x.unflatten(2, (-1, p)).unflatten(4, (-1, p))
    return six.permute(0, 5, 3, 2, 4, 1).flatten(3, 4).flatten(1, 2)


def unfold_patches_by_column(x, p):
    six = x.unflatten(2, (-1, p)).unflatten(4, (-1, p))
    return six.permute(0, 3, 5, 4, 2, 1).flatten(3, 4).flatten(1, 2)


def unfold_split_other_way(x, p):
    six = x.unflatten(2, (p, -1)).unflatten(4, (p, -1))
    return six.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2)


def unfold_n_before_p(x, p):
    six = x.unflatten(2, (-1, p)).unflatten(4, (-1, p))
    return six.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2)


def unfold_channels_second(x, p):
    six = x.unflatten(2, (-1, p)).unflatten(4, (-1, p))
    return six.permute(0, 1, 3, 5, 2, 4).flatten(4, 5).flatten(2, 3)


def unfold_channels_third(x, p):
    six = x.unflatten(2, (-1, p)).unflatten(4, (-1, p))
    return six.permute(0, 3, 5, 1, 2, 4).flatten(4, 5).flatten(1, 2)


def unfold_always_two(x, p):
    return unfold_hint(x, 2)


def unfold_width_is_height(x, p):
    B, C, H, W = x.shape
    W = H
    six = x.reshape(B, C, H // p, p, W // p, p)
    return six.permute(0, 3, 5, 2, 4, 1).reshape(B, p * p, -1, C)


def unfold_four_positions(x, p):
    B, C, H, W = x.shape
    six = x.reshape(B, C, H // p, p, W // p, p)
    return six.permute(0, 3, 5, 2, 4, 1).reshape(B, 4, H * W // 4, C)


def unfold_pytorch_channels_inside(x, p):
    B, C, _, _ = x.shape
    return F.unfold(x, p, stride=p).reshape(B, p * p, C, -1).permute(0, 1, 3, 2)


def unfold_first_sample(x, p):
    tokens = torch.zeros_like(unfold_hint(x, p))
    tokens[0] = unfold_hint(x, p)[0]
    return tokens


def unfold_overlapping(x, p):
    B, C, _, _ = x.shape
    return F.unfold(x, p).reshape(B, C, p * p, -1).permute(0, 2, 3, 1)


def unfold_patch_by_rows_count(x, p):
    B, C, H, W = x.shape
    tokens = x.new_zeros(B, p * p, max((H // p) * (W // p), (H // p) * (H // p) + W // p), C)
    for row in range(H):
        for column in range(W):
            patch = (H // p) * (row // p) + column // p
            tokens[:, p * (row % p) + column % p, patch] = x[:, :, row, column]
    return tokens[:, :, : (H // p) * (W // p)]


# 4.3 fold -----------------------------------------------------------------------------------------------------------


def fold_hint(tokens, H, W, p):
    x = tokens.unflatten(1, (p, p)).unflatten(3, (H // p, W // p))
    return x.permute(0, 5, 3, 1, 4, 2).flatten(4, 5).flatten(2, 3)


def fold_loops(tokens, H, W, p):
    B, _, _, C = tokens.shape
    x = torch.empty(B, C, H, W, dtype=tokens.dtype)
    for position in range(p * p):
        for patch in range((H // p) * (W // p)):
            row = p * (patch // (W // p)) + position // p
            column = p * (patch % (W // p)) + position % p
            x[:, :, row, column] = tokens[:, position, patch]
    return x


def fold_slices(tokens, H, W, p):
    B, C = tokens.shape[0], tokens.shape[-1]
    x = tokens.new_zeros((B, C, H, W))
    for i in range(p):
        for j in range(p):
            x[..., i::p, j::p] = tokens[:, i * p + j].mT.unflatten(-1, (H // p, W // p))
    return x


def fold_shuffle(tokens, H, W, p):
    B, P, _, C = tokens.shape
    deep = tokens.permute(0, 3, 1, 2).reshape(B, C * P, H // p, W // p)
    return nn.PixelShuffle(p)(deep)


def fold_pytorch(tokens, H, W, p):
    columns = tokens.permute(0, 3, 1, 2).flatten(1, 2)
    return F.fold(columns, [H, W], p, stride=p)


def fold_einsum(tokens, H, W, p):
    B, _, _, C = tokens.shape
    six = tokens.reshape(B, p, p, H // p, W // p, C)
    return torch.einsum("bijrqc->bcriqj", six).reshape(B, C, H, W)


def fold_index(tokens, H, W, p):
    order = unfold_hint(torch.arange(H * W).view(1, 1, H, W), p).flatten()
    flat = tokens.flatten(1, 2)[:, torch.argsort(order)]
    return flat.mT.reshape(tokens.shape[0], -1, H, W)


def fold_plain_reshape(tokens, H, W, p):
    return tokens.reshape(tokens.shape[0], tokens.shape[-1], H, W)


def fold_bands(tokens, H, W, p):
    B, _, _, C = tokens.shape
    return tokens.permute(0, 3, 1, 2).reshape(B, C, H, W)


def fold_positions_by_column(tokens, H, W, p):
    x = tokens.unflatten(1, (p, p)).unflatten(3, (H // p, W // p))
    return x.permute(0, 5, 3, 2, 4, 1).flatten(4, 5).flatten(2, 3)


def fold_patches_by_column(tokens, H, W, p):
    x = tokens.unflatten(1, (p, p)).unflatten(3, (W // p, H // p))
    return x.permute(0, 5, 4, 1, 3, 2).flatten(4, 5).flatten(2, 3)


def fold_sides_exchanged(tokens, H, W, p):
    x = tokens.unflatten(1, (p, p)).unflatten(3, (W // p, H // p))
    return x.permute(0, 5, 3, 1, 4, 2).reshape(tokens.shape[0], -1, H, W)


def fold_returns_transposed(tokens, H, W, p):
    return fold_hint(tokens, H, W, p).mT


def fold_patch_axes_inside(tokens, H, W, p):
    x = tokens.unflatten(1, (p, p)).unflatten(3, (H // p, W // p))
    return x.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def fold_channels_last(tokens, H, W, p):
    return fold_hint(tokens, H, W, p).permute(0, 2, 3, 1)


def fold_always_two(tokens, H, W, p):
    return fold_hint(tokens, H, W, 2)


def fold_no_permute_between(tokens, H, W, p):
    x = tokens.unflatten(1, (p, p)).unflatten(3, (H // p, W // p))
    return x.permute(0, 5, 1, 2, 3, 4).reshape(tokens.shape[0], -1, H, W)


def fold_pytorch_position_first(tokens, H, W, p):
    return F.fold(tokens.permute(0, 1, 3, 2).flatten(1, 2), (H, W), p, stride=p)


def fold_first_position_only(tokens, H, W, p):
    x = tokens.new_zeros(tokens.shape[0], tokens.shape[-1], H, W)
    x[:, :, ::p, ::p] = tokens[:, 0].mT.unflatten(-1, (H // p, W // p))
    return x


def fold_square(tokens, H, W, p):
    side = round((H * W) ** 0.5) // p
    x = tokens.unflatten(1, (p, p)).unflatten(3, (side, side))
    return x.permute(0, 5, 3, 1, 4, 2).flatten(4, 5).flatten(2, 3)


def fold_only_first_sample(tokens, H, W, p):
    return fold_hint(tokens[:1], H, W, p)


def fold_is_unfold(tokens, H, W, p):
    return unfold_hint(tokens.permute(0, 3, 1, 2).reshape(tokens.shape[0], -1, H, W), p)


# 4.2 the block ------------------------------------------------------------------------------------------------------


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


class BlockStepByStep(Parts):
    def forward(self, x):
        H, W = x.shape[-2:]
        x = self.local(x)
        x = self.to_tokens(x)
        x = mv.unfold(x)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        x = mv.fold(x, (H, W))
        return self.to_channels(x)


class BlockNested(Parts):
    def forward(self, x):
        tokens = self.layers(mv.unfold(self.to_tokens(self.local(x)), 2))
        return self.to_channels(mv.fold(self.norm(tokens), x.size()[2:], 2))


class BlockByHand(Parts):
    def forward(self, x):
        y = self.to_tokens(self.local(x))
        size = [y.shape[2], y.shape[3]]
        tokens = unfold_slices(y, 2)
        for i in range(len(self.layers)):
            layer = self.layers[i]
            tokens = tokens + layer.attention(layer.attention_norm(tokens))
            tokens = tokens + layer.ffn(layer.ffn_norm(tokens))
        return self.to_channels(fold_shuffle(self.norm(tokens), *size, 2))


class BlockPipeline(Parts):
    def forward(self, x):
        size = tuple(x.shape[-2:])
        steps = (self.local, self.to_tokens, mv.unfold, self.layers, self.norm)
        for step in (*steps, lambda tokens: mv.fold(tokens, size), self.to_channels):
            x = step(x)
        return x


class BlockNoLastNorm(Parts):
    def forward(self, x):
        tokens = self.layers(mv.unfold(self.to_tokens(self.local(x))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockNormFirst(Parts):
    def forward(self, x):
        tokens = self.layers(self.norm(mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockNormBothEnds(Parts):
    def forward(self, x):
        tokens = self.norm(mv.unfold(self.to_tokens(self.local(x))))
        return self.to_channels(mv.fold(self.norm(self.layers(tokens)), x.shape[-2:]))


class BlockNormAfterEveryLayer(Parts):
    def forward(self, x):
        tokens = mv.unfold(self.to_tokens(self.local(x)))
        for layer in self.layers:
            tokens = self.norm(layer(tokens))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockSkip(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return x + self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockTokensSkip(Parts):
    def forward(self, x):
        tokens = mv.unfold(self.to_tokens(self.local(x)))
        tokens = tokens + self.norm(self.layers(tokens))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockNoLocal(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(x))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockLocalTwice(Parts):
    def forward(self, x):
        x = self.local(x)
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockSidesExchanged(Parts):
    def forward(self, x):
        B, C, W, H = x.shape
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(mv.fold(tokens, (H, W)))


class BlockOneConversation(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)), 1)))
        return self.to_channels(mv.fold(tokens, x.shape[-2:], 1))


class BlockBandBug(Parts):
    def forward(self, x):
        B, _, H, W = x.shape
        tokens = self.to_tokens(self.local(x)).permute(0, 2, 3, 1).reshape(B, 4, H * W // 4, -1)
        tokens = self.norm(self.layers(tokens))
        return self.to_channels(tokens.reshape(B, H, W, -1).permute(0, 3, 1, 2))


class BlockFirstLayerOnly(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers[0](mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockNoLayers(Parts):
    def forward(self, x):
        tokens = self.norm(mv.unfold(self.to_tokens(self.local(x))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


class BlockLastActivation(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return F.silu(self.to_channels(mv.fold(tokens, x.shape[-2:])))


class BlockBareAttention(Parts):
    def forward(self, x):
        tokens = mv.unfold(self.to_tokens(self.local(x)))
        for layer in self.layers:
            tokens = tokens + layer.attention(layer.attention_norm(tokens))
        return self.to_channels(mv.fold(self.norm(tokens), x.shape[-2:]))


class BlockNoFold(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return self.to_channels(tokens.permute(0, 3, 1, 2))


class BlockNoWayBack(Parts):
    def forward(self, x):
        tokens = self.norm(self.layers(mv.unfold(self.to_tokens(self.local(x)))))
        return mv.fold(tokens, x.shape[-2:])


class BlockPatchAxis(Parts):
    def forward(self, x):
        tokens = mv.unfold(self.to_tokens(self.local(x))).transpose(1, 2)
        tokens = self.norm(self.layers(tokens)).transpose(1, 2)
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


# 4.4 a detector -----------------------------------------------------------------------------------------------------


def position_map(H, W):
    row, column = torch.arange(H).view(-1, 1), torch.arange(W).view(1, -1)
    return (2 * (row % 2) + column % 2).float().view(1, 1, H, W)


def detect_loops(function):
    for H, W in [(4, 6), (8, 8), (10, 4)]:
        tokens = function(position_map(H, W))
        for collection in tokens[0, :, :, 0].tolist():
            if len(set(collection)) != 1:
                return False
    return True


def detect_numbered(function):
    H, W = 6, 10
    number = function(torch.arange(float(H * W)).reshape(1, 1, H, W))[0, ..., 0].long()
    position = 2 * ((number // W) % 2) + number % W % 2
    return bool((position.amin(dim=1) == position.amax(dim=1)).all())


def detect_sets(function):
    numbered = torch.arange(96.0).reshape(1, 1, 8, 12)
    wanted = {frozenset(numbered[0, 0, i::2, j::2].flatten().tolist()) for i in (0, 1) for j in (0, 1)}
    return {frozenset(row) for row in function(numbered)[0, :, :, 0].tolist()} == wanted


def detect_one_hot(function):
    picture = torch.zeros(2, 4, 8, 12, dtype=torch.float64)
    for i in range(2):
        for j in range(2):
            picture[:, 2 * i + j, i::2, j::2] = 1
    share = function(picture).double().mean(dim=2)  # [B, P, C]
    return torch.allclose(share.amax(dim=-1), torch.ones(2, 4, dtype=torch.float64))


def detect_tensor(function):
    tokens = function(position_map(12, 8))
    return (tokens == tokens[:, :, :1]).all()


def detect_equal_to_unfold(function):
    x = torch.randn(2, 3, 8, 12)
    return torch.equal(function(x), mv.unfold(x))


def detect_positions_in_order(function):
    tokens = function(position_map(8, 12))[0, :, :, 0]
    return torch.equal(tokens, torch.arange(4.0)[:, None].expand(4, 24))


def detect_patches_in_order(function):
    numbered = torch.arange(96.0).reshape(1, 1, 8, 12)
    rows = sorted(function(numbered)[0, :, :, 0].tolist())
    return rows == sorted(mv.unfold(numbered)[0, :, :, 0].tolist())


def detect_square_only(function):
    tokens = function(position_map(8, 8))
    return bool((tokens == tokens[:, :, :1]).all())


def detect_first_row_only(function):
    first = function(position_map(8, 12))[0, 0, :, 0]
    return bool((first == first[0]).all())


def detect_shape(function):
    return tuple(function(torch.randn(2, 3, 8, 12)).shape) == (2, 4, 24, 3)


def detect_all_pixels_there(function):
    numbered = torch.arange(96.0).reshape(1, 1, 8, 12)
    return sorted(function(numbered).flatten().tolist()) == list(range(96))


def detect_constant_map(function):
    tokens = function(torch.ones(1, 1, 8, 12))
    return bool((tokens == tokens[:, :, :1]).all())


def detect_no_error(function):
    try:
        function(torch.randn(1, 3, 8, 12))
    except (RuntimeError, ValueError):
        return False
    return True


def detect_any(function):
    tokens = function(position_map(8, 12))
    return bool((tokens == tokens[:, :, :1]).any())


def detect_inverted(function):
    tokens = function(position_map(8, 12))
    return not bool((tokens == tokens[:, :, :1]).all())


def detect_columns_only(function):
    picture = (torch.arange(12) % 2).float().expand(1, 1, 8, 12)
    tokens = function(picture)
    return bool((tokens == tokens[:, :, :1]).all())


def detect_rows_only(function):
    picture = (torch.arange(8) % 2).float()[:, None].expand(1, 1, 8, 12)
    tokens = function(picture)
    return bool((tokens == tokens[:, :, :1]).all())


def detect_rows_are_patches(function):
    row, column = torch.arange(8)[:, None] // 2, torch.arange(12) // 2
    tokens = function((6 * row + column).float()[None, None])
    return bool((tokens == tokens[:, :, :1]).all())


def detect_first_two_tokens(function):
    tokens = function(position_map(8, 12))
    return bool((tokens[:, :, 0] == tokens[:, :, 1]).all())


def detect_mean_of_rows(function):
    means = function(position_map(8, 12)).mean(dim=(1, 2, 3))
    return bool((means == 1.5).all())


def detect_wrong_axis(function):
    tokens = function(position_map(8, 12))
    return bool((tokens == tokens[:, :1]).all())


# 4.5 group norm -----------------------------------------------------------------------------------------------------


def norm_plain(x, weight, bias, eps=1e-5):
    centred = x - x.mean(dim=(1, 2, 3), keepdim=True)
    variance = (centred**2).mean(dim=(1, 2, 3), keepdim=True)
    return centred * torch.rsqrt(variance + eps) * weight + bias


def norm_loop(x, weight, bias, eps=1e-5):
    samples = []
    for sample in x:
        mean = sample.sum() / sample.numel()
        variance = ((sample - mean) ** 2).sum() / sample.numel()
        samples.append((sample - mean) / (variance + eps) ** 0.5 * weight + bias)
    return torch.stack(samples)


def norm_functional(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], eps=eps) * weight + bias


def norm_group_norm(x, weight, bias, eps=1e-5):
    return F.group_norm(x.movedim(-1, 1), 1, weight, bias, eps).movedim(1, -1)


def norm_flat_var_mean(x, weight, bias, eps=1e-5):
    variance, mean = torch.var_mean(x.flatten(1), dim=1, unbiased=False)
    shape = (-1, 1, 1, 1)
    return torch.addcmul(bias, (x - mean.view(shape)) / torch.sqrt(variance.view(shape) + eps), weight)


def norm_in_place_double(x, weight, bias, eps=1e-5):
    y = x.clone().double()
    y -= y.mean(dim=(1, 2, 3), keepdim=True)
    y /= (y.square().mean(dim=(1, 2, 3), keepdim=True) + eps).sqrt()
    y *= weight
    y += bias
    return y.to(x.dtype)


def norm_moments(x, weight, bias, eps=1e-5):
    exact, count = x.double(), x[0].numel()
    mean = torch.einsum("bpnd->b", exact) / count
    variance = torch.einsum("bpnd,bpnd->b", exact, exact) / count - mean**2
    scale = 1 / (variance + eps).sqrt()
    y = torch.einsum("bpnd,b,d->bpnd", exact - mean[:, None, None, None], scale, weight.double()) + bias.double()
    return y.to(x.dtype)


def norm_by_token(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def norm_by_position(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=(2, 3), keepdim=True)
    variance = x.var(dim=(2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def norm_by_channel(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=(1, 2), keepdim=True)
    variance = x.var(dim=(1, 2), correction=0, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def norm_whole_batch(x, weight, bias, eps=1e-5):
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt() * weight + bias


def norm_batch_norm(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=(0, 1, 2), keepdim=True)
    variance = x.var(dim=(0, 1, 2), correction=0, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def norm_bessel(x, weight, bias, eps=1e-5):
    mean, variance = x.mean(dim=(1, 2, 3), keepdim=True), x.var(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def norm_eps_outside(x, weight, bias, eps=1e-5):
    mean, spread = x.mean(dim=(1, 2, 3), keepdim=True), x.std(dim=(1, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (spread + eps) * weight + bias


def norm_no_eps(x, weight, bias, eps=1e-5):
    mean, spread = x.mean(dim=(1, 2, 3), keepdim=True), x.std(dim=(1, 2, 3), correction=0, keepdim=True)
    return (x - mean) / spread * weight + bias


def norm_fixed_eps(x, weight, bias, eps=1e-5):
    return norm_plain(x, weight, bias)


def norm_no_root(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / (x.var(dim=(1, 2, 3), correction=0, keepdim=True) + eps) * weight + bias


def norm_bias_first(x, weight, bias, eps=1e-5):
    one, zero = torch.ones_like(weight), torch.zeros_like(bias)
    return (norm_plain(x, one, zero, eps) + bias) * weight


def norm_no_bias(x, weight, bias, eps=1e-5):
    return norm_plain(x, weight, torch.zeros_like(bias), eps)


def norm_no_weight(x, weight, bias, eps=1e-5):
    return norm_plain(x, torch.ones_like(weight), bias, eps)


def norm_weight_bias_exchanged(x, weight, bias, eps=1e-5):
    return norm_plain(x, bias, weight, eps)


def norm_no_mean(x, weight, bias, eps=1e-5):
    return x / (x.var(dim=(1, 2, 3), correction=0, keepdim=True) + eps).sqrt() * weight + bias


def norm_one_plus_weight(x, weight, bias, eps=1e-5):
    return norm_plain(x, 1 + weight, bias, eps)


def norm_root_of_mean_square(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / (x.square().mean(dim=(1, 2, 3), keepdim=True) + eps).sqrt() * weight + bias


def norm_channels_second(x, weight, bias, eps=1e-5):
    return F.group_norm(x, 1, weight, bias, eps)


# 4.6 count the block ------------------------------------------------------------------------------------------------


def macs_formula(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + layers * (7 * d**2 + d))


def macs_loop(C, d, layers, H, W):
    total = 0
    tokens = H * W // 4
    total += 9 * C * H * W
    total += C * d * H * W
    for _ in range(layers):
        for _ in range(4):
            total += 3 * tokens * d**2 + tokens * d
            total += tokens * (d * 2 * d) + tokens * (2 * d * d)
    total += d * C * H * W
    return total


def macs_library(C, d, layers, H, W):
    return cost.count_macs(mv.MobileViTv2Block(C, d, layers), 1, C, H, W)


def macs_numpy(C, d, layers, H, W):
    per_pixel = np.array([9 * C, C * d, layers * 3 * d * d, layers * d, layers * 4 * d * d, d * C], dtype=np.int64)
    return np.int64(H * W) * per_pixel.sum()


def macs_tensor(C, d, layers, H, W):
    per_layer = cost.separable_macs(H * W, d) + 4 * H * W * d**2
    return torch.tensor([9 * C * H * W, 2 * C * d * H * W, layers * per_layer]).sum()


def macs_one_conversation(C, d, layers, H, W):
    k = H * W // 4
    return H * W * (9 * C + 2 * C * d) + layers * k * (7 * d * d + d)


def macs_four_times(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d) + 4 * layers * H * W * (7 * d * d + d)


def macs_attention_one_conversation(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + 4 * layers * d * d) + layers * cost.separable_macs(H * W // 4, d)


def macs_full_convolution(C, d, layers, H, W):
    return H * W * (9 * C * C + 2 * C * d + layers * (7 * d * d + d))


def macs_no_local(C, d, layers, H, W):
    return H * W * (2 * C * d + layers * (7 * d * d + d))


def macs_three_places(C, d, layers, H, W):
    return H * W * (3 * C + 2 * C * d + layers * (7 * d * d + d))


def macs_no_way_back(C, d, layers, H, W):
    return H * W * (9 * C + C * d + layers * (7 * d * d + d))


def macs_one_layer(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + 7 * d * d + d)


def macs_narrow_feed_forward(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + layers * (5 * d * d + d))


def macs_half_feed_forward(C, d, layers, H, W):
    attention = 3 * d * d + d
    feed_forward = d * (2 * d)
    return H * W * (9 * C + 2 * C * d + layers * (attention + feed_forward))


def macs_wide_feed_forward(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + layers * (3 * d * d + d + 8 * d * d))


def macs_no_feed_forward(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + layers * (3 * d * d + d))


def macs_executed(C, d, layers, H, W):
    attention = 4 * cost.separable_macs(H * W // 4, d, form="executed")
    return H * W * (9 * C + 2 * C * d + 4 * layers * d * d) + layers * attention


def macs_multi_head(C, d, layers, H, W):
    attention = 4 * cost.multi_head_macs(H * W // 4, d)
    return H * W * (9 * C + 2 * C * d + 4 * layers * d * d) + layers * attention


def macs_flops(C, d, layers, H, W):
    return 2 * macs_formula(C, d, layers, H, W)


def macs_no_scores(C, d, layers, H, W):
    return H * W * (9 * C + 2 * C * d + layers * 7 * d * d)


def macs_biases(C, d, layers, H, W):
    biases = layers * (1 + 3 * d + 2 * d + d)
    return macs_formula(C, d, layers, H, W) + H * W * biases


def macs_one_pixel(C, d, layers, H, W):
    return macs_formula(C, d, layers, 1, 1)


def macs_depthwise_on_tokens(C, d, layers, H, W):
    return H * W * (9 * d + 2 * C * d + layers * (7 * d * d + d))


def macs_local_on_quarter(C, d, layers, H, W):
    return H * W * (2 * C * d + layers * (7 * d * d + d)) + H * W // 4 * 9 * C


ATTEMPTS = [
    ("unfold_patches", "right", "as the hint says, with unflatten, permute and flatten", unfold_hint),
    ("unfold_patches", "right", "loops over the pixels", unfold_loops),
    ("unfold_patches", "right", "strided slices, stacked", unfold_slices),
    ("unfold_patches", "right", "PyTorch's F.unfold, then sorted", unfold_pytorch),
    ("unfold_patches", "right", "F.pixel_unshuffle", unfold_shuffle),
    ("unfold_patches", "right", "einsum as a permutation, with lists as shapes", unfold_einsum),
    ("unfold_patches", "right", "through NumPy", unfold_numpy),
    ("unfold_patches", "wrong", "the band bug: one reshape of channels-last pixels", unfold_bands),
    ("unfold_patches", "wrong", "one reshape, with the channels still in front", unfold_plain_reshape),
    ("unfold_patches", "wrong", "positions counted column by column", unfold_positions_by_column),
    ("unfold_patches", "wrong", "patches counted column by column", unfold_patches_by_column),
    ("unfold_patches", "wrong", "sides split into (p, side / p) in place of (side / p, p)", unfold_split_other_way),
    ("unfold_patches", "wrong", "patches before positions: [B, N, P, C]", unfold_n_before_p),
    ("unfold_patches", "wrong", "channels left second: [B, C, P, N]", unfold_channels_second),
    ("unfold_patches", "wrong", "channels before patches: [B, P, C, N]", unfold_channels_third),
    ("unfold_patches", "wrong", "p ignored: patches are always 2×2", unfold_always_two),
    ("unfold_patches", "wrong", "takes the width to be the height", unfold_width_is_height),
    ("unfold_patches", "wrong", "always four positions, whatever p", unfold_four_positions),
    (
        "unfold_patches",
        "wrong",
        "F.unfold read as if the channels were the inner axis",
        unfold_pytorch_channels_inside,
    ),
    ("unfold_patches", "wrong", "only the first sample of the batch is filled", unfold_first_sample),
    ("unfold_patches", "wrong", "F.unfold without the stride: patches overlap", unfold_overlapping),
    ("unfold_patches", "wrong", "loops number patches with H / p columns", unfold_patch_by_rows_count),
    ("block_module", "right", "step by step, with a loop over the layers", BlockStepByStep),
    ("block_module", "right", "two nested lines", BlockNested),
    ("block_module", "right", "layers taken apart, own unfold and fold", BlockByHand),
    ("block_module", "right", "a pipeline of functions", BlockPipeline),
    ("block_module", "wrong", "the last norm is forgotten", BlockNoLastNorm),
    ("block_module", "wrong", "the norm comes before the layers", BlockNormFirst),
    ("block_module", "wrong", "the norm comes before the layers and after them", BlockNormBothEnds),
    ("block_module", "wrong", "the norm comes after every layer", BlockNormAfterEveryLayer),
    ("block_module", "wrong", "the input is added to the output", BlockSkip),
    ("block_module", "wrong", "the tokens are added after the layers", BlockTokensSkip),
    ("block_module", "wrong", "the depthwise 3×3 is forgotten", BlockNoLocal),
    ("block_module", "wrong", "the depthwise 3×3 runs twice", BlockLocalTwice),
    ("block_module", "wrong", "height and width exchanged in fold", BlockSidesExchanged),
    ("block_module", "wrong", "one conversation over all pixels (patches of 1×1)", BlockOneConversation),
    ("block_module", "wrong", "the band bug, there and back", BlockBandBug),
    ("block_module", "wrong", "only the first layer runs", BlockFirstLayerOnly),
    ("block_module", "wrong", "no layer runs", BlockNoLayers),
    ("block_module", "wrong", "a SiLU on the output", BlockLastActivation),
    ("block_module", "wrong", "the feed-forward networks are left out", BlockBareAttention),
    ("block_module", "wrong", "not folded: [B, C, P, N] comes out", BlockNoFold),
    ("block_module", "wrong", "to_channels is forgotten", BlockNoWayBack),
    ("block_module", "wrong", "attends inside each patch, not across patches", BlockPatchAxis),
    ("fold_patches", "right", "as the hint says", fold_hint),
    ("fold_patches", "right", "loops over positions and patches", fold_loops),
    ("fold_patches", "right", "strided slices, written in place", fold_slices),
    ("fold_patches", "right", "nn.PixelShuffle", fold_shuffle),
    ("fold_patches", "right", "PyTorch's F.fold", fold_pytorch),
    ("fold_patches", "right", "einsum as a permutation", fold_einsum),
    ("fold_patches", "right", "numbered pixels and argsort", fold_index),
    ("fold_patches", "wrong", "one reshape to [B, C, H, W]", fold_plain_reshape),
    ("fold_patches", "wrong", "channels brought forward, then one reshape (bands)", fold_bands),
    ("fold_patches", "wrong", "positions read column by column", fold_positions_by_column),
    ("fold_patches", "wrong", "patches read column by column", fold_patches_by_column),
    ("fold_patches", "wrong", "N split into (W / p, H / p)", fold_sides_exchanged),
    ("fold_patches", "wrong", "the map comes out transposed: [B, C, W, H]", fold_returns_transposed),
    ("fold_patches", "wrong", "the axes p stand before the axes of the patches", fold_patch_axes_inside),
    ("fold_patches", "wrong", "channels last: [B, H, W, C]", fold_channels_last),
    ("fold_patches", "wrong", "p ignored: patches are always 2×2", fold_always_two),
    ("fold_patches", "wrong", "axes split, but not interleaved before the reshape", fold_no_permute_between),
    ("fold_patches", "wrong", "F.fold given positions outside channels", fold_pytorch_position_first),
    ("fold_patches", "wrong", "only the first position is put back", fold_first_position_only),
    ("fold_patches", "wrong", "takes the map to be square", fold_square),
    ("fold_patches", "wrong", "only the first sample comes back", fold_only_first_sample),
    ("fold_patches", "wrong", "unfolds once more in place of folding", fold_is_unfold),
    ("groups_by_position", "right", "positions on three sizes, sets in a loop", detect_loops),
    ("groups_by_position", "right", "numbered pixels, position computed afterwards", detect_numbered),
    ("groups_by_position", "right", "sets of pixel numbers compared", detect_sets),
    ("groups_by_position", "right", "one channel for each position, float64, a batch of two", detect_one_hot),
    ("groups_by_position", "right", "answers with a 0-d tensor", detect_tensor),
    ("groups_by_position", "wrong", "demands exactly what mv.unfold gives", detect_equal_to_unfold),
    ("groups_by_position", "wrong", "demands positions in the order 0, 1, 2, 3", detect_positions_in_order),
    ("groups_by_position", "wrong", "demands patches counted row by row", detect_patches_in_order),
    ("groups_by_position", "wrong", "tries a square map only", detect_square_only),
    ("groups_by_position", "wrong", "looks at collection 0 only", detect_first_row_only),
    ("groups_by_position", "wrong", "looks at the shape only", detect_shape),
    ("groups_by_position", "wrong", "only asks whether every pixel is there", detect_all_pixels_there),
    ("groups_by_position", "wrong", "gives a map with one number everywhere", detect_constant_map),
    ("groups_by_position", "wrong", "True as long as no error is raised", detect_no_error),
    ("groups_by_position", "wrong", "any in place of all", detect_any),
    ("groups_by_position", "wrong", "True and False exchanged", detect_inverted),
    ("groups_by_position", "wrong", "the map tells columns apart, but not rows", detect_columns_only),
    ("groups_by_position", "wrong", "the map tells rows apart, but not columns", detect_rows_only),
    ("groups_by_position", "wrong", "asks whether each row is one patch", detect_rows_are_patches),
    ("groups_by_position", "wrong", "compares only the first two tokens of each row", detect_first_two_tokens),
    ("groups_by_position", "wrong", "takes the mean over everything, which is always the same", detect_mean_of_rows),
    ("groups_by_position", "wrong", "compares along the positions, not along the patches", detect_wrong_axis),
    ("group_norm_1", "right", "centred, mean of squares, rsqrt", norm_plain),
    ("group_norm_1", "right", "a loop over the samples", norm_loop),
    ("group_norm_1", "right", "F.layer_norm over three axes", norm_functional),
    ("group_norm_1", "right", "F.group_norm with the channels moved second", norm_group_norm),
    ("group_norm_1", "right", "var_mean of flat samples, addcmul", norm_flat_var_mean),
    ("group_norm_1", "right", "in place on a float64 copy", norm_in_place_double),
    ("group_norm_1", "right", "einsum, variance as mean of squares minus square of mean", norm_moments),
    ("group_norm_1", "wrong", "each token by itself (layer norm)", norm_by_token),
    ("group_norm_1", "wrong", "each position by itself", norm_by_position),
    ("group_norm_1", "wrong", "each channel of a sample by itself (instance norm)", norm_by_channel),
    ("group_norm_1", "wrong", "one mean and variance for the whole batch", norm_whole_batch),
    ("group_norm_1", "wrong", "each channel over the batch (batch norm)", norm_batch_norm),
    ("group_norm_1", "wrong", "variance divides by the number of entries minus one", norm_bessel),
    ("group_norm_1", "wrong", "eps added to the root, not to the variance", norm_eps_outside),
    ("group_norm_1", "wrong", "eps forgotten", norm_no_eps),
    ("group_norm_1", "wrong", "the argument eps is ignored: always 1e-5", norm_fixed_eps),
    ("group_norm_1", "wrong", "divides by the variance, without the root", norm_no_root),
    ("group_norm_1", "wrong", "bias added before the weight multiplies", norm_bias_first),
    ("group_norm_1", "wrong", "bias forgotten", norm_no_bias),
    ("group_norm_1", "wrong", "weight forgotten", norm_no_weight),
    ("group_norm_1", "wrong", "weight and bias exchanged", norm_weight_bias_exchanged),
    ("group_norm_1", "wrong", "mean not subtracted", norm_no_mean),
    ("group_norm_1", "wrong", "multiplies by 1 + weight", norm_one_plus_weight),
    ("group_norm_1", "wrong", "mean of squares of x itself as variance", norm_root_of_mean_square),
    ("group_norm_1", "wrong", "F.group_norm takes the positions for channels", norm_channels_second),
    ("block_macs", "right", "one formula", macs_formula),
    ("block_macs", "right", "added up in loops over layers and collections", macs_loop),
    ("block_macs", "right", "counts the library's block", macs_library),
    ("block_macs", "right", "a NumPy integer", macs_numpy),
    ("block_macs", "right", "a 0-d tensor", macs_tensor),
    ("block_macs", "wrong", "layers counted for one collection of four", macs_one_conversation),
    ("block_macs", "wrong", "layers counted four times over all pixels", macs_four_times),
    ("block_macs", "wrong", "attention counted for one collection of four", macs_attention_one_conversation),
    ("block_macs", "wrong", "the 3×3 counted as a full convolution", macs_full_convolution),
    ("block_macs", "wrong", "the depthwise 3×3 forgotten", macs_no_local),
    ("block_macs", "wrong", "three places in place of nine", macs_three_places),
    ("block_macs", "wrong", "the 1×1 back to C forgotten", macs_no_way_back),
    ("block_macs", "wrong", "not multiplied by the number of layers", macs_one_layer),
    ("block_macs", "wrong", "the feed-forward network does not widen", macs_narrow_feed_forward),
    ("block_macs", "wrong", "only the first linear layer of the feed-forward network", macs_half_feed_forward),
    ("block_macs", "wrong", "the feed-forward network widens to 4d", macs_wide_feed_forward),
    ("block_macs", "wrong", "the feed-forward network forgotten", macs_no_feed_forward),
    ("block_macs", "wrong", "attention as executed, pooled first", macs_executed),
    ("block_macs", "wrong", "multi-head attention in place of separable", macs_multi_head),
    ("block_macs", "wrong", "FLOPs: two for each multiply–accumulate", macs_flops),
    ("block_macs", "wrong", "the scores (kd) forgotten", macs_no_scores),
    ("block_macs", "wrong", "the biases counted as well", macs_biases),
    ("block_macs", "wrong", "counts one pixel in place of the whole map", macs_one_pixel),
    ("block_macs", "wrong", "the depthwise 3×3 counted with d channels", macs_depthwise_on_tokens),
    ("block_macs", "wrong", "the depthwise 3×3 counted once for each patch", macs_local_on_quarter),
]
