"""The building blocks equal their references."""

import pytest
import torch
from references import randomise, timm_model
from torch import nn
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.blocks import ConvNormAct, GroupNorm1, make_attention


def test_group_norm_1_equals_torch_group_norm_with_one_group():
    d = 6
    x = torch.randn(2, 3, 5, d, dtype=torch.float64)
    reference, ours = randomise(nn.GroupNorm(1, d)).double(), GroupNorm1(d).double()
    ours.load_state_dict(reference.state_dict())
    assert_close(ours(x), reference(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


def test_group_norm_1_is_not_a_layer_norm_of_each_token():
    x = torch.randn(2, 3, 5, 6)
    assert (GroupNorm1(6)(x) - nn.LayerNorm(6)(x)).abs().max() > 0.1


@pytest.mark.parametrize("options", [{"kernel_size": 3, "stride": 2}, {"groups": 3}, {"activation": False}], ids=str)
def test_convolution_norm_and_activation_run_one_after_the_other(options):
    block, x = randomise(ConvNormAct(6, 9, **options)), torch.randn(2, 6, 7, 12)
    assert block(x).shape == (2, 9, *((4, 6) if "stride" in options else (7, 12)))
    expected = block.norm(block.conv(x))
    assert_close(block(x), nn.functional.silu(expected) if options.get("activation", True) else expected)


def test_in_training_convolution_and_norm_use_the_statistics_of_the_batch():
    block = randomise(ConvNormAct(6, 9, activation=False)).train()
    assert_close(block(torch.randn(5, 6, 7, 12)).mean(dim=(0, 2, 3)), block.norm.bias)


@pytest.mark.parametrize(("in_channels", "out_channels", "stride"), [(6, 6, 1), (6, 10, 1), (6, 6, 2), (6, 10, 2)])
def test_inverted_residual_adds_its_input_only_where_shapes_agree(in_channels, out_channels, stride):
    block = randomise(mv.InvertedResidual(in_channels, out_channels, stride))
    x = torch.randn(2, in_channels, 7, 12)
    y, branch = block(x), block.project(block.depthwise(block.expand(x)))
    assert y.shape == (2, out_channels, -(-7 // stride), 12 // stride)
    assert_close(y, x + branch if (stride, in_channels) == (1, out_channels) else branch)


def paired_blocks():
    """Return the first MobileViTv2 block (128 channels, tokens of width 64) of timm's model and of ours."""
    reference = timm_model(0.5)
    ours = mv.load_checkpoint(mv.MobileViTv2(0.5), reference.state_dict()).eval()
    return reference.stages[2][1].double(), ours.stages[2][1].double()


@pytest.mark.parametrize("size", [(8, 8), (6, 14), (7, 7), (15, 9), (1, 3), (8, 5)])
def test_block_equals_timm_block_also_at_odd_sizes(size):
    reference, ours = paired_blocks()
    x = torch.randn(3, 128, *size, dtype=torch.float64)
    assert_close(ours(x), reference(x), rtol=0, atol=1e-10)


def test_block_gradients_equal_those_of_timm_block():
    reference, ours = paired_blocks()
    x = torch.randn(2, 128, 6, 10, dtype=torch.float64, requires_grad=True)
    weighting = torch.randn(2, 128, 6, 10, dtype=torch.float64)
    (expected,) = torch.autograd.grad((reference(x) * weighting).sum(), x)
    (actual,) = torch.autograd.grad((ours(x) * weighting).sum(), x)
    assert_close(actual, expected)


def test_attention_does_not_mix_pixel_positions():
    for name in ("separable", "multi_head", "linformer"):
        attention = randomise(make_attention(name, 8, num_tokens=6))
        x = torch.randn(2, 4, 6, 8)
        changed = x.clone()
        changed[:, 1] += 1
        difference = (attention(changed) - attention(x)).abs().amax(dim=(0, 2, 3))
        assert difference[1] > 1e-3
        assert difference[[0, 2, 3]].max() == 0


def test_statistics_can_be_estimated_anew_while_the_rest_is_in_evaluation():
    block = randomise(ConvNormAct(6, 9))
    block.norm.train()
    before = block.norm.running_mean.clone()
    block(torch.randn(5, 6, 7, 12))
    assert not torch.equal(block.norm.running_mean, before)


def test_attention_is_chosen_by_name_with_four_heads_and_a_quarter_of_the_tokens():
    assert isinstance(make_attention("separable", 8), mv.SeparableSelfAttention)
    multi_head, linformer = make_attention("multi_head", 8), make_attention("linformer", 8, 24)
    assert isinstance(linformer, mv.LinformerSelfAttention)
    fused = make_attention("fused_multi_head", 8)
    assert (type(multi_head), type(fused)) == (mv.MultiHeadSelfAttention, mv.FusedMultiHeadSelfAttention)
    assert fused.num_heads == 4
    assert (multi_head.num_heads, linformer.num_heads, linformer.E.out_features) == (4, 4, 6)
    choices = "'separable', 'multi_head', 'fused_multi_head', 'linformer'$"
    with pytest.raises(ValueError, match=f"no attention called 'softmax': choose one of {choices}"):
        make_attention("softmax", 8)
    with pytest.raises(ValueError, match="say how many there are with num_tokens"):
        make_attention("linformer", 8)
