"""Attempts at the exercises of notebook 04: correct ones, and wrong ones with the remark they must get."""

import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv


def looped_unfold(x, p):
    B, C, H, W = x.shape
    tokens = x.new_zeros(B, p * p, (H // p) * (W // p), C)
    for row in range(H):
        for column in range(W):
            tokens[:, (row % p) * p + column % p, (row // p) * (W // p) + column // p] = x[:, :, row, column]
    return tokens


def torch_unfold(x, p):
    columns = F.unfold(x, p, stride=p)
    return columns.unflatten(1, (x.shape[1], p * p)).permute(0, 2, 3, 1)


def sliced_fold(tokens, H, W, p):
    out = tokens.new_zeros(len(tokens), tokens.shape[-1], H, W)
    for position in range(p * p):
        grid = tokens[:, position].unflatten(1, (H // p, W // p)).permute(0, 3, 1, 2)
        out[:, :, position // p :: p, position % p :: p] = grid
    return out


def shuffled_fold(tokens, H, W, p):
    grid = tokens.permute(0, 3, 1, 2).flatten(1, 2).unflatten(2, (H // p, W // p))
    return F.pixel_shuffle(grid, p)


def detect_by_moving_one_pixel(function):
    found = []
    for position in range(4):
        owners = set()
        for row in range(position // 2, 8, 2):
            for column in range(position % 2, 6, 2):
                x = torch.zeros(1, 1, 8, 6)
                x[0, 0, row, column] = 1
                owners.add(int(function(x)[0, :, :, 0].sum(dim=-1).argmax()))
        found.append(owners)
    if any(len(owners) != 1 for owners in found) or len(set.union(*found)) != 4:
        return False
    tokens = function(torch.arange(48.0).reshape(1, 1, 8, 6))
    return sorted(tokens.flatten().tolist()) == list(range(48))


def detect_by_sets(function):
    x = torch.arange(48.0).reshape(1, 1, 6, 8)
    rows = {frozenset(row) for row in function(x)[0, :, :, 0].tolist()}
    return rows == {frozenset(row) for row in mv.unfold(x)[0, :, :, 0].tolist()}


def torch_group_norm(x, weight, bias, eps):
    return F.group_norm(x.permute(0, 3, 1, 2), 1, weight, bias, eps).permute(0, 2, 3, 1)


def flat_group_norm(x, weight, bias, eps):
    flat = x.flatten(1)
    centred = flat - flat.mean(dim=1, keepdim=True)
    return (centred / (centred.square().mean(dim=1, keepdim=True) + eps).sqrt()).view_as(x) * weight + bias


class Block(mv.MobileViTv2Block):
    def nearby(self, x):
        return self.local(x)

    def normed(self, x):
        return self.norm(x)

    def forward(self, x):
        tokens = self.normed(self.layers(mv.unfold(self.to_tokens(self.nearby(x)))))
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))


RIGHT = {
    "unfold_patches": [looped_unfold, torch_unfold],
    "fold_patches": [sliced_fold, shuffled_fold],
    "groups_by_position": [detect_by_moving_one_pixel, detect_by_sets],
    "group_norm_1": [torch_group_norm, flat_group_norm],
    "block_macs": [
        lambda C, d, layers, H, W: mv.count_macs(mv.MobileViTv2Block(C, d, layers), 1, C, H, W),
        lambda C, d, n, H, W: sum([9 * C * H * W, 2 * C * d * H * W, n * (7 * d**2 + d) * H * W]),
    ],
    "block_module": [mv.MobileViTv2Block, Block],
}

WRONG = {
    "unfold_patches": [
        (lambda x, p: x.movedim(1, -1).reshape(len(x), p * p, -1, x.shape[1]), "horizontal bands"),
        (lambda x, p: torch_unfold(x, p).transpose(1, 2), "P comes before N"),
        (lambda x, p: looped_unfold(x, p).movedim(-1, 1), "last axis"),
        (lambda x, p: looped_unfold(x.mT, p), "height and width are exchanged"),
        (lambda x, p: torch_unfold(x, p).unflatten(1, (p, p)).transpose(1, 2).flatten(1, 2), "column by column"),
        (
            lambda x, p: torch_unfold(x, p).unflatten(2, (x.shape[2] // p, -1)).transpose(2, 3).flatten(2, 3),
            "the patches are counted column by column",
        ),
        (lambda x, p: torch_unfold(x, p).transpose(1, 2).reshape(len(x), p * p, -1, x.shape[1]), "pixels of one patch"),
        (lambda x, p: F.unfold(x, p, stride=p), "PyTorch's unfold"),
    ],
    "fold_patches": [
        (lambda t, H, W, p: t.reshape(len(t), H, W, t.shape[-1]).movedim(-1, 1), "band of the map"),
        (lambda t, H, W, p: sliced_fold(t, H, W, p).movedim(1, -1), "second axis"),
        (lambda t, H, W, p: sliced_fold(t, W, H, p), "height and width are exchanged"),
        (
            lambda t, H, W, p: shuffled_fold(t.unflatten(1, (p, p)).transpose(1, 2).flatten(1, 2), H, W, p),
            "rows of a patch and its columns",
        ),
        (
            lambda t, H, W, p: shuffled_fold(t.unflatten(2, (W // p, H // p)).transpose(2, 3).flatten(2, 3), H, W, p),
            "laid out column by column",
        ),
    ],
    "groups_by_position": [
        (lambda function: True, "finds every function right"),
        (lambda function: False, "finds every function wrong"),
        (lambda function: function(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 16, 3), "one that only reshapes"),
        (
            lambda function: function(torch.arange(16.0).reshape(1, 1, 4, 4))[0, 0, :, 0].tolist() == [0, 2, 8, 10],
            "right for 6 of 9",
        ),
        (
            lambda function: torch.equal(
                function(torch.arange(48.0).reshape(1, 1, 6, 8)), mv.unfold(torch.arange(48.0).reshape(1, 1, 6, 8))
            ),
            "insists on the library's order",
        ),
        (lambda function: not detect_by_sets(function), "right and wrong are exchanged"),
    ],
    "group_norm_1": [
        (lambda x, w, b, e: F.layer_norm(x, x.shape[-1:], w, b, e), "layer norm"),
        (lambda x, w, b, e: F.batch_norm(x.movedim(-1, 1), None, None, w, b, True, 0, e).movedim(1, -1), "batch norm"),
        (lambda x, w, b, e: F.instance_norm(x.movedim(-1, 1), eps=e).movedim(1, -1) * w + b, "for all channels"),
        (lambda x, w, b, e: F.layer_norm(x, x.shape[1:], eps=e), "weight and bias are missing"),
        (lambda x, w, b, e: F.layer_norm(x, x.shape[1:], eps=e) * w, "the bias is missing"),
        (lambda x, w, b, e: torch_group_norm(x, w, b, 0), "eps is missing"),
        (lambda x, w, b, e: torch_group_norm(x, w, b, 1e-5), "fixed at a small value"),
        (lambda x, w, b, e: F.layer_norm(x, x.shape, eps=e) * w + b, "runs over the batch"),
        (
            lambda x, w, b, e: (x - x.mean((1, 2, 3), True)) / (x.var((1, 2, 3), keepdim=True) + e) ** 0.5 * w + b,
            "less one",
        ),
        (lambda x, w, b, e: nn.GroupNorm(1, 4)(x), "shape is right"),
    ],
    "block_macs": [
        (lambda C, d, n, H, W: H * W * (9 * C * C + 2 * C * d + n * (7 * d * d + d)), "nine places, one channel each"),
        (lambda C, d, n, H, W: H * W * (2 * C * d + n * (7 * d * d + d)), "depthwise 3×3 is missing"),
        (lambda C, d, n, H, W: H * W * (9 * C + C * d + n * (7 * d * d + d)), "one of the two 1×1"),
        (lambda C, d, n, H, W: H * W * (9 * C + 2 * C * d + n * (3 * d * d + d)), "feed-forward network is missing"),
        (lambda C, d, n, H, W: H * W * (9 * C + 2 * C * d + n * (5 * d * d + d)), "two linear layers"),
        (lambda C, d, n, H, W: H * W * (9 * C + 2 * C * d + 7 * d * d + d), "that is one layer"),
        (lambda C, d, n, H, W: H * W * (9 * C + 2 * C * d + 7 * n * d * d), "score projection is missing"),
        (
            lambda C, d, n, H, W: mv.count_macs(mv.MobileViTv2Block(C, d, n), 1, C, H, W, form="executed"),
            "pools first",
        ),
    ],
    "block_module": [
        (type("NoNorm", (Block,), {"normed": lambda self, x: x}), "the norm at the end of the layers is missing"),
        (type("NoLocal", (Block,), {"nearby": lambda self, x: x}), "the local convolution is missing"),
        (type("Plus", (Block,), {"forward": lambda self, x: x + Block.forward(self, x)}), "no shortcut"),
    ],
}
