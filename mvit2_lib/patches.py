"""Between a feature map and its pixel-position groups.

A patch is a `p × p` square of pixels. MobileViTv2 does not attend over the pixels of a patch: it collects the first
pixel of every patch, then the second of every patch, and so on, and attends inside each collection.
"""

from torch import Tensor


def unfold(x: Tensor, patch_size: int = 2) -> Tensor:
    """Collect the pixels of a feature map `[B, C, H, W]` by their position inside their patch: `[B, P, N, C]`.

    `P = p²` positions and `N = H·W/p²` patches, both counted row by row; `p` must divide `H` and `W`. Section 3.3 of
    arXiv 2206.02680. Built in notebook 04.
    """
    B, C, H, W = x.shape
    rows, columns = _grid((H, W), patch_size)
    x = x.permute(0, 2, 3, 1)  # [B, H, W, C]
    x = x.reshape(B, rows, patch_size, columns, patch_size, C)  # [B, H/p, p, W/p, p, C]
    x = x.permute(0, 2, 4, 1, 3, 5)  # [B, p, p, H/p, W/p, C]
    return x.reshape(B, patch_size**2, rows * columns, C)  # [B, P, N, C]


def fold(tokens: Tensor, size: tuple[int, int], patch_size: int = 2) -> Tensor:
    """Put every pixel back where `unfold` took it from: `[B, P, N, C]` to a map `[B, C, H, W]` of `size` `(H, W)`.

    The map lies channels last in memory. Section 3.3 of arXiv 2206.02680. Built in notebook 04.
    """
    H, W = size
    rows, columns = _grid(size, patch_size)
    if tokens.ndim != 4 or tokens.shape[1] != patch_size**2 or tokens.shape[2] != rows * columns:
        raise ValueError(
            f"a {H}×{W} map in {patch_size}×{patch_size} patches needs tokens "
            f"[B, {patch_size**2}, {rows * columns}, C], but these have shape {tuple(tokens.shape)}"
        )
    B, _, _, C = tokens.shape
    x = tokens.reshape(B, patch_size, patch_size, rows, columns, C)  # [B, p, p, H/p, W/p, C]
    x = x.permute(0, 3, 1, 4, 2, 5)  # [B, H/p, p, W/p, p, C]
    return x.reshape(B, H, W, C).permute(0, 3, 1, 2)  # [B, C, H, W]


def _grid(size: tuple[int, int], patch_size: int) -> tuple[int, int]:
    """Return how many patches stand above and beside one another."""
    H, W = size
    if patch_size < 1 or H < 1 or W < 1 or H % patch_size or W % patch_size:
        raise ValueError(
            f"patches of {patch_size}×{patch_size} pixels do not tile a map of {H}×{W}: "
            f"resize or pad it to multiples of {patch_size} first"
        )
    return H // patch_size, W // patch_size
