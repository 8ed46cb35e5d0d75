"""The model has the published size and gives the references' logits."""

import numpy as np
import pytest
import torch
from references import WIDTHS, randomise, timm_model, transformers_model
from safetensors.torch import save_file
from torch import nn
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.blocks import MobileViTv2Block
from mvit2_lib.model import make_divisible, scale_architecture
from mvit2_lib.weights import layouts

# Published totals: timm's result files (1.37 … 18.45 M) and Table 6 of the paper (1.4 … 18.5 M), to the last digit.
PARAMETERS = (1_370_593, 2_866_009, 4_901_841, 7_478_089, 10_594_753, 14_251_833, 18_449_329)


def logits(model, x):
    with torch.inference_mode():
        y = model(x)
    return getattr(y, "logits", y)


def assert_same_logits(reference, width, x, tolerance):
    ours = mv.load_checkpoint(mv.MobileViTv2(width), reference.state_dict()).eval().to(x.dtype)
    expected = logits(reference.to(x.dtype), x)
    assert expected.std() > 0.1  # logits near zero would agree with anything,
    assert (logits(ours, 1 - x) - expected).abs().max() > 0.05  # and so would logits that ignore the picture
    assert_close(logits(ours, x), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("make", [timm_model, transformers_model], ids=["timm", "transformers"])
def test_same_weights_give_the_same_logits(make, width):
    assert_same_logits(make(width), width, torch.rand(1, 3, 256, 256), 1e-5)


@pytest.mark.parametrize("width", [0.5, 1.0])
@pytest.mark.parametrize("make", [timm_model, transformers_model], ids=["timm", "transformers"])
def test_same_weights_give_the_same_logits_in_float64(make, width):
    assert_same_logits(make(width), width, torch.rand(1, 3, 256, 256, dtype=torch.float64), 1e-10)


@pytest.mark.parametrize("shape", [(1, 3, 224, 224), (1, 3, 192, 320), (3, 3, 256, 256), (2, 3, 97, 130)], ids=str)
def test_same_weights_give_timm_logits_at_other_sizes(shape):
    assert_same_logits(timm_model(0.5), 0.5, torch.rand(shape), 1e-5)


def test_gradients_of_all_parameters_equal_those_of_timm():
    reference = timm_model(0.5).double()
    ours = mv.load_checkpoint(mv.MobileViTv2(0.5).double(), reference.state_dict()).eval()
    x = torch.rand(2, 3, 64, 96, dtype=torch.float64)
    weighting = torch.randn(2, 1000, dtype=torch.float64)
    for model in (reference, ours):
        (model(x) * weighting).sum().backward()
    expected = layouts.convert_state_dict({name: p.grad for name, p in reference.named_parameters()})
    actual = {name: p.grad for name, p in ours.named_parameters()}
    assert actual.keys() == expected.keys()
    for name, gradient in actual.items():
        assert_close(gradient, expected[name], rtol=1e-7, atol=1e-9 * expected[name].abs().max().item() + 1e-12)


def test_batch_norm_statistics_move_as_in_timm_during_training():
    reference = timm_model(0.5).double()
    ours = mv.load_checkpoint(mv.MobileViTv2(0.5).double(), reference.state_dict())
    x = torch.rand(3, 3, 64, 96, dtype=torch.float64)
    for model in (reference.train(), ours.train()):
        model(x)
    expected = layouts.convert_state_dict(reference.state_dict())
    for name, tensor in ours.state_dict().items():
        assert_close(tensor, expected[name])


@pytest.mark.parametrize(("width", "parameters"), list(zip(WIDTHS, PARAMETERS, strict=True)))
def test_parameter_counts_are_the_published_ones(width, parameters):
    assert mv.count_parameters(mv.MobileViTv2(width)) == parameters


def test_without_classes_the_model_returns_pooled_features():
    model = mv.MobileViTv2(0.5, num_classes=0).eval()
    assert mv.count_parameters(model) == 1_113_593
    assert logits(model, torch.rand(2, 3, 64, 64)).shape == (2, 256)


@pytest.mark.parametrize("attention", ["separable", "multi_head", "fused_multi_head", "linformer"])
def test_every_attention_fits_into_the_same_network(attention):
    model = mv.MobileViTv2(0.5, num_classes=7, in_channels=1, attention=attention, image_size=96).eval()
    assert logits(model, torch.rand(2, 1, 96, 96)).shape == (2, 7)


def test_linformer_model_names_the_image_size_it_was_not_built_for():
    model = mv.MobileViTv2(0.5, attention="linformer", image_size=128)
    with pytest.raises(ValueError, match="built for 64 tokens, but x has 256"):
        model(torch.rand(1, 3, 256, 256))


# Channels of stem and first stage by ml-cvnets' rule. timm has 8, 16 · 12, 24 · 20, 40 · 28, 56 · 128, 256.
@pytest.mark.parametrize(
    ("width", "channels"), [(0.25, (16, 16)), (0.375, (16, 32)), (0.625, (24, 48)), (0.875, (32, 64)), (4, (64, 256))]
)
def test_unusual_widths_follow_the_official_rounding_and_not_timm(width, channels):
    stem, stages = scale_architecture(width)
    assert (stem, stages[0].channels) == channels


def test_the_whole_table_is_rounded_at_a_width_that_nobody_published():
    # 0.3 times the table: 19.2, 38.4, 76.8, 115.2, 153.6 channels, and tokens of width 38.4, 57.6, 76.8.
    stem, stages = scale_architecture(0.3)
    assert (stem, [stage.channels for stage in stages]) == (16, [32, 40, 80, 112, 152])
    assert [stage.dim for stage in stages] == [None, None, 40, 56, 80]
    model = mv.MobileViTv2(0.3)
    blocks = [part for stage in model.stages for part in stage if isinstance(part, MobileViTv2Block)]
    assert [block.to_tokens.out_channels for block in blocks] == [40, 56, 80]
    assert [len(block.layers) for block in blocks] == [2, 4, 3]


def test_without_options_the_model_is_that_of_the_paper_and_its_config_builds_it_again():
    with torch.device("meta"):
        model = mv.MobileViTv2()
        defaults = {"width_multiplier": 1.0, "num_classes": 1000, "in_channels": 3, "attention": "separable"}
        assert model.config == defaults | {"image_size": 256}
        options = {"width_multiplier": 0.3, "num_classes": 0, "in_channels": 2, "attention": "linformer"}
        other = mv.MobileViTv2(**options, image_size=96)
        assert other.config == options | {"image_size": 96}
        again = mv.MobileViTv2(**other.config).state_dict()
    assert {name: tensor.shape for name, tensor in again.items()} == {
        name: tensor.shape for name, tensor in other.state_dict().items()
    }


def test_channels_are_rounded_to_the_nearest_multiple_but_not_much_down():
    assert [make_divisible(value, 8) for value in (3, 8, 92, 99, 100)] == [8, 8, 96, 96, 104]  # to the nearest
    assert [make_divisible(value, 8) for value in (11, 27, 19)] == [16, 32, 24]  # 8, 24 and 16 lose over a tenth
    assert [make_divisible(value, 8) for value in (17.7, 17.9)] == [16, 24]  # just under a tenth, and just over


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"width_multiplier": 0}, ValueError, "width_multiplier must be a positive number such as 0.5 or 1.0, not 0"),
        ({"width_multiplier": -1.0}, ValueError, "must be a positive number"),
        ({"width_multiplier": float("nan")}, ValueError, "must be a positive number"),
        ({"width_multiplier": float("inf")}, ValueError, "must be a positive number"),
        ({"width_multiplier": True}, TypeError, "width_multiplier must be a number, not True"),
        ({"width_multiplier": "0.5"}, TypeError, "width_multiplier must be a number, not '0.5'"),
        ({"num_classes": -1}, ValueError, "num_classes must be a whole number from 0 up, not -1"),
        ({"in_channels": 0}, ValueError, "in_channels must be a whole number from 1 up, not 0"),
        ({"image_size": 0}, ValueError, "image_size must be a whole number from 1 up"),
        ({"attention": "linear"}, ValueError, "no attention called 'linear': choose one of .*'linformer'"),
    ],
)
def test_impossible_models_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        mv.MobileViTv2(**options)


def test_the_front_door_is_stem_stages_mean_and_classifier():
    model, x = randomise(mv.MobileViTv2(0.25, num_classes=3)), torch.rand(2, 3, 64, 96)
    assert_close(model(x), model.classifier(model.stages(model.stem(x)).mean(dim=(-2, -1))))


def test_weights_are_saved_by_the_usual_tools_as_they_are(tmp_path):
    model = mv.MobileViTv2(0.25, num_classes=3)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")  # refuses what is not contiguous
    assert torch.equal(mv.load_model(tmp_path / "weights.safetensors").stem.conv.weight, model.stem.conv.weight)


@pytest.mark.parametrize("attention", ["separable", "multi_head", "fused_multi_head", "linformer"])
@pytest.mark.parametrize("side", [64, 97, 130, 225])
def test_every_attention_takes_the_size_it_was_built_for_also_if_it_is_odd(attention, side):
    model = mv.MobileViTv2(0.05, num_classes=3, attention=attention, image_size=side).eval()
    assert logits(model, torch.rand(1, 3, side, side)).shape == (1, 3)


def test_autocast_and_bfloat16_run():
    model, x = mv.MobileViTv2(0.5, num_classes=3).eval(), torch.rand(1, 3, 64, 64)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert_close(model(x).float(), model(x.bfloat16()).float(), rtol=0.1, atol=0.05)
    model = model.to(torch.bfloat16)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.float()  # the usual recipe: norms stay in float32
    with torch.inference_mode():
        assert model(x.bfloat16()).dtype == torch.bfloat16


def test_gradients_of_each_sample_can_be_taken():
    model = mv.MobileViTv2(0.5, num_classes=3).double().eval()
    x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    parameters = dict(model.named_parameters())

    def loss(parameters, picture):
        return torch.func.functional_call(model, parameters, (picture[None],)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    (expected,) = torch.autograd.grad(model(x[1:]).square().sum(), model.classifier.weight)
    assert_close(each["classifier.weight"][1], expected)


def test_hooks_on_the_layers_of_a_transformer_see_what_they_compute():
    model, seen = mv.MobileViTv2(0.5, num_classes=3).train(), {}
    attention = model.stages[2][1].layers[0].attention
    attention.W_V.register_forward_hook(lambda layer, inputs, output: seen.update(value=output))
    attention.W_V.register_full_backward_hook(lambda layer, gradients, _: seen.update(gradient=gradients[0]))
    model(torch.rand(2, 3, 64, 64)).sum().backward()
    assert seen["value"].min() < 0  # before the ReLU
    assert seen["gradient"].shape == seen["value"].shape


def test_all_convolutions_work_channels_last_also_on_a_picture_as_it_comes_from_numpy():
    # A batch of one: its strides are contiguous in either order, but not those that PyTorch takes for channels last.
    picture = torch.from_numpy(np.random.default_rng(0).random((64, 96, 3), dtype=np.float32)).permute(2, 0, 1)[None]
    model, seen = mv.MobileViTv2(0.25).eval(), []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    for x in (picture, picture.contiguous()):
        with torch.inference_mode():
            model(x)
    assert len(seen) == 2 * 28
    assert all(x.stride() == x.clone(memory_format=torch.channels_last).stride() for x in seen if x.shape[-1] > 1)
