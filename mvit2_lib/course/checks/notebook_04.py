"""The exercises of notebook 04."""

import torch
from torch import Tensor

from ...patches import fold, unfold
from .exercise import Exercise, random


def _numbered(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape)


def _grid(x: Tensor, p: int) -> Tensor:
    """Return the map with its height and width split into patches and their rows and columns."""
    return x.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # [B, C, H/p, p, W/p, p]


unfold_patches = Exercise(
    "4.1 unfold",
    unfold,
    ((_numbered(2, 3, 4, 6), 2), (_numbered(1, 2, 9, 6), 3)),
    {
        "this is a reshape without a permute: the rows are horizontal bands": lambda x, p: x.permute(
            0, 2, 3, 1
        ).reshape(len(x), p * p, -1, x.shape[1]),
        "positions and patches are exchanged: P comes before N": lambda x, p: unfold(x, p).transpose(1, 2),
        "each row holds the pixels of one patch; it must hold one pixel of every patch": lambda x, p: (
            _grid(x, p).permute(0, 2, 4, 3, 5, 1).reshape(len(x), p * p, -1, x.shape[1])
        ),
        "the positions are counted column by column; count them row by row": lambda x, p: (
            _grid(x, p).permute(0, 5, 3, 2, 4, 1).flatten(3, 4).flatten(1, 2)
        ),
        "the patches are counted column by column; count them row by row": lambda x, p: (
            _grid(x, p).permute(0, 3, 5, 4, 2, 1).flatten(3, 4).flatten(1, 2)
        ),
        "height and width are split the wrong way round: first the patch, then the pixel in it": lambda x, p: (
            x.unflatten(3, (p, -1)).unflatten(2, (p, -1)).permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2)
        ),
        "the channels must be the last axis": lambda x, p: unfold(x, p).movedim(-1, 1),
        "height and width are exchanged, or both are counted column by column": lambda x, p: unfold(
            x.transpose(2, 3), p
        ),
    },
)

fold_patches = Exercise(
    "4.2 fold",
    lambda tokens, H, W, p: fold(tokens, (H, W), p),
    ((_numbered(2, 4, 6, 3), 4, 6, 2), (_numbered(1, 9, 6, 2), 9, 6, 3)),
    {
        "this is a reshape without a permute: every row of tokens became a band of the map": lambda t, H, W, p: (
            t.reshape(len(t), H, W, -1).permute(0, 3, 1, 2)
        ),
        "the channels must be the second axis": lambda t, H, W, p: fold(t, (H, W), p).permute(0, 2, 3, 1),
        "the rows of a patch and its columns are exchanged": lambda t, H, W, p: fold(
            t.unflatten(1, (p, p)).transpose(1, 2).flatten(1, 2), (H, W), p
        ),
        "the patches are laid out column by column; they were counted row by row": lambda t, H, W, p: fold(
            t.unflatten(2, (W // p, H // p)).transpose(2, 3).flatten(2, 3), (H, W), p
        ),
        "the pixels of a position are laid side by side; each belongs into its own patch": lambda t, H, W, p: (
            t.unflatten(2, (H // p, W // p)).unflatten(1, (p, p)).permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
        ),
        "height and width are exchanged": lambda t, H, W, p: fold(t, (W, H), p),
        "tokens are taken as [B, N, P, C]; they are [B, P, N, C]": lambda t, H, W, p: fold(
            t.reshape(len(t), t.shape[2], t.shape[1], -1).transpose(1, 2), (H, W), p
        ),
    },
)


def _bands(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(len(x), 4, -1, x.shape[1])


def _columns(x: Tensor) -> Tensor:
    return x.permute(0, 3, 2, 1).reshape(len(x), 4, -1, x.shape[1])


def _patch_rows(x: Tensor) -> Tensor:
    return unfold(x).transpose(1, 2).reshape(len(x), 4, -1, x.shape[1])


def _two_positions(x: Tensor) -> Tensor:
    tokens = unfold(x)
    return tokens[:, [0, 1, 0, 1]]


def _right_on_squares(x: Tensor) -> Tensor:
    """Height and width are exchanged in the split: it does not show where both are four."""
    B, C, H, W = x.shape
    x = x.permute(0, 2, 3, 1).reshape(B, W // 2, 2, H // 2, 2, C)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(B, 4, H * W // 4, C)


def _one_row_wrong(x: Tensor) -> Tensor:
    tokens = unfold(x)
    return torch.cat([tokens[:, :3], torch.cat([tokens[:, 3:, :-1], tokens[:, :1, -1:]], dim=2)], dim=1)


def _other_order(x: Tensor) -> Tensor:
    return unfold(x).flip(2)[:, [2, 0, 3, 1]]


groups_by_position = Exercise(
    "4.3 a detector for the band bug",
    lambda function: function in (unfold, _other_order),
    tuple(
        (function,)
        for function in (
            unfold,
            _bands,
            _patch_rows,
            _other_order,
            _columns,
            _two_positions,
            _one_row_wrong,
            _right_on_squares,
        )
    ),
    {
        "it finds every function right, also one that only reshapes: the shape proves nothing": lambda function: True,
        "it finds every function wrong, also the library's": lambda function: False,
        "it does not notice that two collections hold the same positions": lambda function: (
            function in (unfold, _other_order, _two_positions)
        ),
        "it looks at the beginning of each row only; one of the functions goes wrong at the end": lambda function: (
            function in (unfold, _other_order, _one_row_wrong)
        ),
        "it tries a square map only; one of the functions goes wrong on others": lambda function: (
            function in (unfold, _other_order, _right_on_squares)
        ),
        "it insists on the library's order; any order of positions and patches will do": lambda function: (
            function is unfold
        ),
        "it finds horizontal bands, and misses other ways to be wrong": lambda function: function is not _bands,
        "right and wrong are exchanged": lambda function: function not in (unfold, _other_order),
    },
)


def _normed(x, weight, bias, eps, dim=(1, 2, 3), correction=0):
    mean, variance = x.mean(dim=dim, keepdim=True), x.var(dim=dim, correction=correction, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


group_norm_1 = Exercise(
    "4.4 group norm with one group",
    _normed,
    (
        (0.5 * random(2, 4, 5, 3) + random(3), random(3), random(3).cos(), 0.1),
        (random(3, 4, 2, 6) + random(3, 4, 2, 1), random(6), random(6).sin(), 1e-3),
    ),
    {
        "this is a layer norm: each token has its own mean; take one over the whole sample": lambda x, w, b, e: _normed(
            x, w, b, e, dim=-1
        ),
        "this is a batch norm: each channel has its own mean; take one over the whole sample": lambda x, w, b, e: (
            _normed(x, w, b, e, dim=(0, 1, 2))
        ),
        "each channel of a sample has its own mean; take one for all channels": lambda x, w, b, e: _normed(
            x, w, b, e, dim=(1, 2)
        ),
        "each pixel position has its own mean; take one for all positions": lambda x, w, b, e: _normed(
            x, w, b, e, dim=(2, 3)
        ),
        "the mean runs over the batch as well; every sample needs its own": lambda x, w, b, e: _normed(
            x, w, b, e, dim=(0, 1, 2, 3)
        ),
        "the variance divides by the number of entries less one; use correction=0": lambda x, w, b, e: _normed(
            x, w, b, e, correction=1
        ),
        "eps is added to the standard deviation; it belongs under the root": lambda x, w, b, e: (
            (x - x.mean((1, 2, 3), True)) / (x.std((1, 2, 3), correction=0, keepdim=True) + e) * w + b
        ),
        "eps is missing or fixed at a small value; use the one that is handed in": lambda x, w, b, e: _normed(
            x, w, b, 0
        ),
        "the mean is not subtracted": lambda x, w, b, e: (
            x / (x.var((1, 2, 3), correction=0, keepdim=True) + e).sqrt() * w + b
        ),
        "the root is missing: divide by the standard deviation, not by the variance": lambda x, w, b, e: (
            (x - x.mean((1, 2, 3), True)) / (x.var((1, 2, 3), correction=0, keepdim=True) + e) * w + b
        ),
        "weight and bias are missing": lambda x, w, b, e: _normed(x, 1, 0, e),
        "the bias is missing": lambda x, w, b, e: _normed(x, w, 0, e),
        "bias comes before weight; multiply first, then add": lambda x, w, b, e: (_normed(x, 1, 0, e) + b) * w,
    },
)


def _block(C, d, layers, H, W, attention=lambda d: 3 * d * d + d, feed_forward=4, local=9, there=1, back=1):
    per_layer = attention(d) + feed_forward * d * d
    return H * W * (local * C + there * C * d + layers * per_layer + back * C * d)


block_macs = Exercise(
    "4.5 count the block",
    _block,
    ((128, 64, 2, 32, 32), (192, 96, 4, 16, 16), (60, 26, 3, 10, 6)),
    {
        "the first convolution is depthwise: nine places, one channel each": lambda C, d, n, H, W: _block(
            C, d, n, H, W, local=9 * C
        ),
        "the depthwise 3×3 is missing": lambda C, d, n, H, W: _block(C, d, n, H, W, local=0),
        "the 1×1 back to C channels is missing": lambda C, d, n, H, W: _block(C, d, n, H, W, back=0),
        "both 1×1 convolutions are missing": lambda C, d, n, H, W: _block(C, d, n, H, W, there=0, back=0),
        "the feed-forward network is missing": lambda C, d, n, H, W: _block(C, d, n, H, W, feed_forward=0),
        "the feed-forward network has two linear layers, to 2d and back": lambda C, d, n, H, W: _block(
            C, d, n, H, W, feed_forward=2
        ),
        "the score projection is missing: separable attention takes 3kd² + kd": lambda C, d, n, H, W: _block(
            C, d, n, H, W, lambda d: 3 * d * d
        ),
        "that is the form that pools first; the paper's order is meant": lambda C, d, n, H, W: (
            _block(C, d, n, H, W, lambda d: 2 * d * d + 2 * d) + 4 * n * d * d
        ),
        "that is one layer; there are several": lambda C, d, n, H, W: _block(C, d, 1, H, W),
        "that is one of four collections; each pixel is a token of one of them": lambda C, d, n, H, W: (
            H * W * (9 * C + 2 * C * d) + n * H * W // 4 * (7 * d * d + d)
        ),
        "each pixel is a token of one collection only; the layers are counted four times": lambda C, d, n, H, W: (
            H * W * (9 * C + 2 * C * d) + 4 * n * H * W * (7 * d * d + d)
        ),
    },
)

extra_macs = Exercise(
    "4.6 with multi-head attention",
    lambda d, H, W: H * W * (d * d - d) + H * W * (H * W // 4) * 2 * d,
    ((64, 32, 32), (96, 16, 16), (50, 6, 10)),
    {
        "this is one of the four collections": lambda d, H, W: (
            (H * W // 4) * (d * d - d) + (H * W // 4) * (H * W // 4) * 2 * d
        ),
        "all pixels attend to all others here; each collection has only a quarter of them": lambda d, H, W: (
            H * W * (d * d - d) + (H * W) ** 2 * 2 * d
        ),
        "this is the whole of multi-head attention; subtract separable attention": lambda d, H, W: (
            4 * H * W * d * d + H * W * (H * W // 4) * 2 * d
        ),
        "this is only the part with k²; multi-head attention also has a projection more": lambda d, H, W: (
            H * W * (H * W // 4) * 2 * d
        ),
        "pairs are compared and then averaged: k²d twice": lambda d, H, W: (
            H * W * (d * d - d) + H * W * (H * W // 4) * d
        ),
        "the score projection kd of separable attention is missing": lambda d, H, W: (
            H * W * d * d + H * W * (H * W // 4) * 2 * d
        ),
        "that is against the form that pools first; the paper's order is meant": lambda d, H, W: (
            4 * (4 * (H * W // 4) * d * d + 2 * (H * W // 4) ** 2 * d)
            - 4 * (2 * (H * W // 4) * d * d + d * d + 2 * (H * W // 4) * d)
        ),
    },
)
