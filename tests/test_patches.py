"""`unfold` groups pixels by their position in the patch, and `fold` undoes it bit for bit."""

import pytest
import torch

import mvit2_lib as mv


def test_the_index_image_unfolds_into_one_row_per_pixel_position():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    rows = mv.unfold(image)[0, :, :, 0]
    assert rows.tolist() == [[0, 2, 8, 10], [1, 3, 9, 11], [4, 6, 12, 14], [5, 7, 13, 15]]


@pytest.mark.parametrize(("size", "patch_size"), [((6, 10), 2), ((9, 15), 3), ((5, 7), 1), ((8, 12), 4), ((1, 1), 1)])
def test_unfold_puts_every_pixel_where_its_definition_says(size, patch_size):
    B, C, (H, W), p = 2, 5, size, patch_size
    x = torch.randn(B, C, H, W)
    tokens = mv.unfold(x, p)
    assert tokens.shape == (B, p * p, H * W // p**2, C)
    for row in range(H):
        for column in range(W):
            position = (row % p) * p + column % p
            patch = (row // p) * (W // p) + column // p
            assert torch.equal(tokens[:, position, patch], x[:, :, row, column])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_fold_undoes_unfold_bit_for_bit(memory_format):
    x = torch.randn(2, 5, 6, 14).to(memory_format=memory_format)
    assert torch.equal(mv.fold(mv.unfold(x), (6, 14)), x)
    x = torch.randn(3, 4, 9, 6)
    assert torch.equal(mv.fold(mv.unfold(x, 3), (9, 6), 3), x)


def test_a_folded_map_lies_channels_last_in_memory():
    folded = mv.fold(torch.randn(2, 4, 21, 5), (6, 14))
    assert folded.is_contiguous(memory_format=torch.channels_last)
    assert not folded.is_contiguous()


def test_unfold_undoes_fold_bit_for_bit():
    tokens = torch.randn(2, 4, 21, 5)
    assert torch.equal(mv.unfold(mv.fold(tokens, (6, 14))), tokens)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mv.unfold(torch.zeros(1, 3, 7, 8)), "patches of 2×2 pixels do not tile a map of 7×8"),
        (lambda: mv.unfold(torch.zeros(1, 3, 8, 7)), "patches of 2×2 pixels do not tile a map of 8×7"),
        (lambda: mv.unfold(torch.zeros(1, 3, 8, 8), 3), "resize or pad it to multiples of 3 first"),
        (lambda: mv.unfold(torch.zeros(1, 3, 8, 8), -2), "patches of -2×-2 pixels do not tile"),
        (lambda: mv.unfold(torch.zeros(1, 3, 8, 0)), "do not tile a map of 8×0"),
        (lambda: mv.unfold(torch.zeros(1, 3, 8, 8), 0), "patches of 0×0 pixels do not tile"),
        (lambda: mv.unfold(torch.zeros(1, 3, 0, 8)), "do not tile a map of 0×8"),
        (lambda: mv.fold(torch.zeros(1, 4, 15, 3), (8, 8)), r"needs tokens \[B, 4, 16, C\]"),
        (lambda: mv.fold(torch.zeros(1, 3, 16, 3), (8, 8)), r"needs tokens \[B, 4, 16, C\]"),
        (lambda: mv.fold(torch.zeros(2, 4, 16), (8, 8)), r"needs tokens \[B, 4, 16, C\]"),
        (lambda: mv.fold(torch.zeros(2, 4, 16, 3, 1), (8, 8)), r"needs tokens \[B, 4, 16, C\]"),
        (
            lambda: mv.fold(torch.zeros(4, 16, 3), (8, 8)),
            r"needs tokens \[B, 4, 16, C\], but these have shape \(4, 16, 3\)",
        ),
    ],
)
def test_maps_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
