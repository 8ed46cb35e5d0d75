"""The checks of the exercises of notebook 04."""

import torch
from torch import Tensor, nn

from ...blocks import MobileViTv2Block
from ...patches import fold, unfold
from .exercise import Exercise
from .modules import ModuleExercise
from .values import random


def _numbered(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape)


def _grid(x: Tensor, p: int) -> Tensor:
    """Return the map with its height and width split into patches and their rows and columns."""
    return x.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # [B, C, H/p, p, W/p, p]


unfold_patches = Exercise(
    "4.1 unfold",
    unfold,
    {
        "a map that is not square": (_numbered(2, 3, 4, 6), 2),
        "patches of 3 × 3 pixels": (_numbered(1, 2, 9, 6), 3),
        "a square map": (_numbered(2, 5, 4, 4), 2),
        "patches of one pixel": (_numbered(1, 2, 3, 4), 1),
    },
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
        "the channels are mixed with the pixels: bring the channels to the last axis before you reshape": (
            lambda x, p: x.reshape(len(x), p * p, -1, x.shape[1])
        ),
        "the channels are mixed with the pixels: the grid is reshaped to four axes before they are moved": (
            lambda x, p: _grid(x, p).permute(0, 1, 3, 5, 2, 4).reshape(len(x), p * p, -1, x.shape[1])
        ),
        "patches stand where positions belong, and both are counted column by column": lambda x, p: unfold(
            x.transpose(2, 3), p
        ).transpose(1, 2),
        "that is PyTorch's unfold, whose rows hold channels and positions together": lambda x, p: (
            torch.nn.functional.unfold(x, p, stride=p)
        ),
        "the pixels of each patch are averaged; each must stay, in the row of its position": lambda x, p: (
            unfold(x, p).mean(1, keepdim=True).expand(-1, p * p, -1, -1)
        ),
        "the pixels of each patch are averaged, so that there is one row for all positions": lambda x, p: unfold(
            x, p
        ).mean(1, keepdim=True),
        "that is PyTorch's unfold, whose rows hold all positions of a channel together": lambda x, p: (
            torch.nn.functional.unfold(x, p, stride=p).unflatten(1, (p * p, -1)).permute(0, 1, 3, 2)
        ),
        "that is PyTorch's unfold, cut so that channels and positions are mixed": lambda x, p: (
            torch.nn.functional.unfold(x, p, stride=p).mT.reshape(len(x), p * p, -1, x.shape[1])
        ),
    },
    steps={
        "the map cut into a grid, its axes not moved yet": _grid,
        "the grid in the right order; flatten positions and patches": lambda x, p: _grid(x, p).permute(
            0, 3, 5, 2, 4, 1
        ),
        "the map with its channels last": lambda x, p: x.permute(0, 2, 3, 1),
    },
    sizes={"x": "B C H W"},
    axes="B P N C",
)


def _through(m, x, leave="", cut=unfold, put=fold):
    """Walk through the block, and leave out one part or several."""

    def part(name: str, y: Tensor) -> Tensor:
        return y if name in leave.split() else getattr(m, name)(y)

    size = tuple(x.shape[-2:])
    tokens = cut(part("to_tokens", part("local", x)), 2)
    tokens = part("norm", part("layers", tokens))
    return part("to_channels", put(tokens, size, 2))


def _tokens_of_bands(x: Tensor, p: int) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(len(x), p * p, -1, x.shape[1])


def _bands_of_tokens(tokens: Tensor, size: tuple[int, int], p: int) -> Tensor:
    return tokens.reshape(len(tokens), *size, -1).permute(0, 3, 1, 2)


def _swapped(x: Tensor, p: int) -> Tensor:
    return unfold(x, p).transpose(1, 2)


def _swapped_back(tokens: Tensor, size: tuple[int, int], p: int) -> Tensor:
    return fold(tokens.transpose(1, 2), size, p)


def _together(x: Tensor, p: int) -> Tensor:
    return x.flatten(2).mT[:, None]


def _apart(tokens: Tensor, size: tuple[int, int], p: int) -> Tensor:
    return tokens[:, 0].mT.unflatten(2, size)


def _norm_first(m, x):
    tokens = m.layers(m.norm(unfold(m.to_tokens(m.local(x)))))
    return m.to_channels(fold(tokens, x.shape[-2:]))


block_module = ModuleExercise(
    "4.2 the block",
    MobileViTv2Block,
    {
        "a map that is not square": ((6, 4, 2), random(2, 6, 4, 8)),
        "as many channels as numbers in a token": ((8, 8, 1), random(1, 8, 6, 4)),
        "a square map": ((4, 8, 3), random(3, 4, 4, 4)),
    },
    {
        "the local convolution is missing": lambda m, x: _through(m, x, "local"),
        "the norm at the end of the layers is missing": lambda m, x: _through(m, x, "norm"),
        "the transformer layers are missing": lambda m, x: _through(m, x, "layers"),
        "layers and norm are missing": lambda m, x: _through(m, x, "layers norm"),
        "the 1×1 convolution back to the channels is missing": lambda m, x: _through(m, x, "to_channels"),
        "the norm comes after the layers, not before them": _norm_first,
        "only the first layer is used; go through all of them": lambda m, x: _through(_first_layer(m), x),
        "the layers are taken in reverse order": lambda m, x: _through(_layers_reversed(m), x),
        "the layers are gone through twice": lambda m, x: _through(_layers_twice(m), x),
        "the norm comes after each layer; it comes once, in the end": lambda m, x: _through(_norm_each(m), x),
        "x is not added here: the block has no shortcut": lambda m, x: x + m(x),
        "what went into the tokens is not added here: the block has no shortcut": lambda m, x: m.to_channels(
            m.to_tokens(m.local(x)) + fold(m.norm(m.layers(unfold(m.to_tokens(m.local(x))))), x.shape[-2:])
        ),
        "only the last layer is used; go through all of them": lambda m, x: _through(_last_layer(m), x),
        "the local convolution comes last; it comes first": lambda m, x: m.local(_through(m, x, "local")),
        "all pixels attend to all others: unfold the map, so that they attend within their position": lambda m, x: (
            _through(m, x, cut=_together, put=_apart)
        ),
        "the map is reshaped, not unfolded: the rows of tokens are bands": lambda m, x: _through(
            m, x, cut=_tokens_of_bands, put=_bands_of_tokens
        ),
        "the map is reshaped back, not folded: the pixels land in other places": lambda m, x: _through(
            m, x, put=_bands_of_tokens
        ),
        "positions and patches are exchanged: attention must run over the patches": lambda m, x: _through(
            m, x, cut=_swapped, put=_swapped_back
        ),
        "height and width are exchanged in fold": lambda m, x: _through(
            m, x, put=lambda tokens, size, p: fold(tokens, size[::-1], p)
        ),
        "the local convolution is applied twice": lambda m, x: _through(m, m.local(x)),
        "the norm is also taken of the map before it is unfolded; it comes once, after the layers": lambda m, x: (
            m.to_channels(fold(m.norm(m.layers(unfold(_norm_of_map(m, m.to_tokens(m.local(x)))))), x.shape[-2:]))
        ),
        "all layers are gone through once for each layer; once is enough": lambda m, x: _through(_layers_often(m), x),
        "a SiLU too many follows the last convolution": lambda m, x: nn.functional.silu(m(x)),
    },
    steps={
        "the tokens, not folded yet": lambda m, x: m.norm(m.layers(unfold(m.to_tokens(m.local(x))))),
        "the tokens before the layers": lambda m, x: unfold(m.to_tokens(m.local(x))),
        "the map after the local convolution": lambda m, x: m.local(x),
        "the map after the first two convolutions": lambda m, x: m.to_tokens(m.local(x)),
        "the folded map, whose d channels are not mixed back to C": lambda m, x: _through(m, x, "to_channels"),
    },
    axes="B C H W",
    in_parts=True,
)


def _first_layer(m):
    m.layers = m.layers[:1]
    return m


def _last_layer(m):
    m.layers = m.layers[-1:]
    return m


def _layers_reversed(m):
    m.layers = nn.Sequential(*list(m.layers)[::-1])
    return m


def _layers_twice(m):
    m.layers = nn.Sequential(m.layers, m.layers)
    return m


def _layers_often(m):
    m.layers = nn.Sequential(*[m.layers] * len(m.layers))
    return m


def _norm_of_map(m, x):
    return m.norm(x.flatten(2).mT[:, None])[:, 0].mT.unflatten(2, tuple(x.shape[-2:]))


def _norm_each(m):
    m.layers = nn.Sequential(*(part for layer in m.layers for part in (layer, m.norm)))
    m.norm = nn.Identity()
    return m


fold_patches = Exercise(
    "4.3 fold",
    lambda tokens, H, W, p: fold(tokens, (H, W), p),
    {
        "a map that is not square": (_numbered(2, 4, 6, 3), 4, 6, 2),
        "patches of 3 × 3 pixels": (_numbered(1, 9, 6, 2), 9, 6, 3),
        "a square map": (_numbered(2, 4, 4, 5), 4, 4, 2),
        "a map higher than wide": (_numbered(1, 4, 10, 3), 10, 4, 2),
    },
    {
        "this is a reshape without a permute: every row of tokens became a band of the map": lambda t, H, W, p: (
            t.reshape(len(t), H, W, -1).permute(0, 3, 1, 2)
        ),
        "the channels are taken before the positions, as torch.nn.functional.fold wants them, but not moved there": (
            lambda t, H, W, p: torch.nn.functional.fold(
                t.permute(0, 1, 3, 2).flatten(1, 2), (H, W), kernel_size=p, stride=p
            )
        ),
        "this is unfolding once more; the way back is wanted": lambda t, H, W, p: unfold(
            t.reshape(len(t), H, W, -1).permute(0, 3, 1, 2), p
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
        "the channels are mixed with the pixels: a reshape without a permute": lambda t, H, W, p: t.reshape(
            len(t), t.shape[-1], H, W
        ),
        "positions and patches are exchanged, and both are to be split": lambda t, H, W, p: t.permute(
            0, 3, 2, 1
        ).reshape(len(t), t.shape[-1], H, W),
        "the map is turned over: height and width are exchanged in the end": lambda t, H, W, p: fold(
            t, (H, W), p
        ).transpose(2, 3),
    },
    steps={
        "the tokens cut into a grid, its axes not moved yet": lambda t, H, W, p: t.unflatten(
            2, (H // p, W // p)
        ).unflatten(1, (p, p)),
        "the grid in the right order; flatten rows and columns": lambda t, H, W, p: (
            t.unflatten(2, (H // p, W // p)).unflatten(1, (p, p)).permute(0, 5, 3, 1, 4, 2)
        ),
    },
    axes="B C H W",
)


def _bands(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(len(x), 4, -1, x.shape[1])


def _columns(x: Tensor) -> Tensor:
    return x.permute(0, 3, 2, 1).reshape(len(x), 4, -1, x.shape[1])


def _patch_rows(x: Tensor) -> Tensor:
    return unfold(x).transpose(1, 2).reshape(len(x), 4, -1, x.shape[1])


def _by_rows(x: Tensor) -> Tensor:
    """Mix the two positions of a row of patches: half of the patches are exchanged between them."""
    tokens = unfold(x).unflatten(1, (2, 2))  # [B, 2, 2, N, C]
    tokens[..., ::2, :] = tokens[..., ::2, :].flip(2)
    return tokens.flatten(1, 2)


def _first_alone(x: Tensor) -> Tensor:
    tokens = unfold(x)
    tokens[:, 1:, ::2] = tokens[:, 1:, ::2].roll(1, 1)
    return tokens


def _right_on_squares(x: Tensor) -> Tensor:
    """Height and width are exchanged in the split: it does not show where both are four."""
    B, C, H, W = x.shape
    x = x.permute(0, 2, 3, 1).reshape(B, W // 2, 2, H // 2, 2, C)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(B, 4, H * W // 4, C)


def _one_row_wrong(x: Tensor) -> Tensor:
    tokens = unfold(x)
    tokens[:, [0, 3], -1] = tokens[:, [3, 0], -1]
    return tokens


def _other_order(x: Tensor) -> Tensor:
    return unfold(x).flip(2)[:, [2, 0, 3, 1]]


groups_by_position = Exercise(
    "4.4 a detector for the band bug",
    lambda function: function in (unfold, _other_order),
    {
        "the library's unfold": (unfold,),
        "a function that makes horizontal bands": (_bands,),
        "a function whose rows are patches": (_patch_rows,),
        "a function that is right but takes another order": (_other_order,),
        "a function that makes vertical bands": (_columns,),
        "a function that mixes the two positions of a row": (_by_rows,),
        "a function of whose collections only the first is right": (_first_alone,),
        "a function that exchanges two pixels at the end": (_one_row_wrong,),
        "a function that is right on square maps only": (_right_on_squares,),
    },
    {
        "it finds every function right, also one that only reshapes": lambda function: True,
        "it finds every function wrong, also the library's": lambda function: False,
        "it looks at the first collection alone": lambda function: function in (unfold, _other_order, _first_alone),
        "it looks at the rows of pixels only, and does not notice that positions in a row are mixed": lambda function: (
            function in (unfold, _other_order, _by_rows)
        ),
        "it looks at the beginning of each row only; one of the functions goes wrong at the end": lambda function: (
            function in (unfold, _other_order, _one_row_wrong)
        ),
        "it misses a function that goes wrong on maps that are not square: "
        "try one, with another number for each position": lambda function: (
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
    "4.5 group norm with one group",
    _normed,
    {
        "a large eps": (0.5 * random(2, 4, 5, 3) + random(3), random(3), random(3).cos(), 0.1),
        "a small eps": (random(3, 4, 2, 6) + random(3, 4, 2, 1), random(6), random(6).sin(), 1e-3),
    },
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
        "the mean is not subtracted, and what is divided by is the root of the mean square": lambda x, w, b, e: (
            x / (x.square().mean((1, 2, 3), True) + e).sqrt() * w + b
        ),
        "the division by the standard deviation is missing": lambda x, w, b, e: (x - x.mean((1, 2, 3), True)) * w + b,
        "eps is squared": lambda x, w, b, e: _normed(x, w, b, e * e),
        "eps is subtracted": lambda x, w, b, e: _normed(x, w, b, -e),
        "weight and bias are exchanged": lambda x, w, b, e: _normed(x, b, w, e),
        "the variance is that of a layer norm, each token its own, with the mean of the sample": lambda x, w, b, e: (
            (x - x.mean((1, 2, 3), True)) / (x.var(-1, correction=0, keepdim=True) + e).sqrt() * w + b
        ),
        "each row of patches has its own mean; take one over the whole sample": lambda x, w, b, e: _normed(
            x, w, b, e, dim=1
        ),
        "each position has its own mean along the patches; take one over the whole sample": lambda x, w, b, e: _normed(
            x, w, b, e, dim=2
        ),
        "the mean is added; it must be subtracted": lambda x, w, b, e: (
            (x + x.mean((1, 2, 3), True)) / (x.var((1, 2, 3), correction=0, keepdim=True) + e).sqrt() * w + b
        ),
        "the mean of the squares is not a variance yet: subtract the mean first": lambda x, w, b, e: (
            (x - x.mean((1, 2, 3), True)) / (x.square().mean((1, 2, 3), True) + e).sqrt() * w + b
        ),
        "eps is missing, and the variance divides by the number of entries less one": lambda x, w, b, e: _normed(
            x, w, b, 0, correction=1
        ),
        "the result is multiplied by the standard deviation; divide by it": lambda x, w, b, e: (
            (x - x.mean((1, 2, 3), True)) * (x.var((1, 2, 3), correction=0, keepdim=True) + e).sqrt() * w + b
        ),
        "the weight is missing": lambda x, w, b, e: _normed(x, 1, b, e),
        "the variance divides by the number of entries less one, and eps stands outside the root": lambda x, w, b, e: (
            (x - x.mean((1, 2, 3), True)) / (x.std((1, 2, 3), keepdim=True) + e) * w + b
        ),
        "weight and bias are missing": lambda x, w, b, e: _normed(x, 1, 0, e),
        "the bias is missing": lambda x, w, b, e: _normed(x, w, 0, e),
        "bias comes before weight; multiply first, then add": lambda x, w, b, e: (_normed(x, 1, 0, e) + b) * w,
    },
    steps={
        "the tokens less their mean": lambda x, w, b, e: x - x.mean((1, 2, 3), True),
    },
    sizes={"x": "B P N d"},
    axes="B P N d",
)


def _block(C, d, layers, H, W, attention=lambda d: 3 * d * d + d, feed_forward=4, local=9, there=1, back=1):
    per_layer = attention(d) + feed_forward * d * d
    return H * W * (local * C + there * C * d + layers * per_layer + back * C * d)


block_macs = Exercise(
    "4.6 count the block",
    _block,
    (
        (128, 64, 2, 32, 32),
        (192, 96, 4, 16, 16),
        (60, 26, 3, 10, 6),
        (24, 40, 1, 4, 8),
        (9, 15, 5, 6, 2),
        (31, 7, 2, 4, 14),
    ),
    {
        "the first convolution is depthwise: nine places, one channel each": lambda C, d, n, H, W: _block(
            C, d, n, H, W, local=9 * C
        ),
        "the depthwise 3×3 is missing": lambda C, d, n, H, W: _block(C, d, n, H, W, local=0),
        "one of the two 1×1 convolutions is missing: to d, and back to C": lambda C, d, n, H, W: _block(
            C, d, n, H, W, back=0
        ),
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
        "the attention is missing": lambda C, d, n, H, W: _block(C, d, n, H, W, lambda d: 0),
        "the attention lacks W_O: 3kd² + kd are W_K, W_V, W_O and the scores": lambda C, d, n, H, W: _block(
            C, d, n, H, W, lambda d: 2 * d * d + d
        ),
        "the feed-forward network widens to 2d, so it takes 2·2·d²": lambda C, d, n, H, W: _block(
            C, d, n, H, W, feed_forward=8
        ),
        "that is a feed-forward network that does not widen, and one layer of it": lambda C, d, n, H, W: _block(
            C, d, n, H, W, feed_forward=1
        ),
        "that is multi-head attention with its k² pairs; separable attention is in the block": (
            lambda C, d, n, H, W: _block(C, d, n, H, W, lambda d: 4 * d * d) + n * H * W * (H * W // 4) * 2 * d
        ),
        "the depthwise convolution looks at nine places, not at one": lambda C, d, n, H, W: _block(
            C, d, n, H, W, local=1
        ),
        "the depthwise convolution looks at nine places, three by three": lambda C, d, n, H, W: _block(
            C, d, n, H, W, local=3
        ),
        "that is multi-head attention over all H · W pixels at once; separable attention is in the block": (
            lambda C, d, n, H, W: _block(C, d, n, H, W, lambda d: 4 * d * d) + n * (H * W) ** 2 * 2 * d
        ),
        "that is multi-head attention with a quarter of its pairs; separable attention is in the block": (
            lambda C, d, n, H, W: _block(C, d, n, H, W, lambda d: 4 * d * d) + n * (H * W // 4) ** 2 * 2 * d
        ),
        "that is for a single pixel; there are H · W": lambda C, d, n, H, W: _block(C, d, n, H, W) // (H * W),
        "those are operations; one multiply–accumulate is two of them": lambda C, d, n, H, W: 2 * _block(C, d, n, H, W),
        "everything is counted for a quarter of the pixels; all H · W take part": lambda C, d, n, H, W: (
            _block(C, d, n, H, W) // 4
        ),
        "the convolutions are counted once for each layer; only the transformer layers repeat": (
            lambda C, d, n, H, W: n * _block(C, d, 1, H, W)
        ),
        "the last 1×1 goes from d back to C channels, not from C to C": lambda C, d, n, H, W: _block(
            C, d, n, H, W, back=C / d
        ),
        "both 1×1 convolutions go between C and d, not from d to d": lambda C, d, n, H, W: _block(
            C, d, n, H, W, there=d / C, back=d / C
        ),
        "the depthwise 3×3 works on the C channels, before the 1×1 to d": lambda C, d, n, H, W: _block(
            C, d, n, H, W, local=9 * d / C
        ),
    },
)
