"""The fast forms give the same numbers, and the model goes where PyTorch's own tools can take it."""

import copy
import sys
import threading
import types
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from references import randomise
from torch import nn
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.blocks import ConvNormAct
from mvit2_lib.deploy import fast as fast_forms
from mvit2_lib.deploy import fuse
from mvit2_lib.deploy.mobile import MobileForm

SHAPES = [(1, 3, 64, 64), (2, 3, 97, 130), (3, 3, 33, 64)]


@pytest.fixture
def model():
    return randomise(mv.MobileViTv2(0.25, num_classes=7))


@pytest.mark.parametrize("options", [{"kernel_size": 3, "stride": 2}, {"groups": 3}, {"activation": False}], ids=str)
def test_a_fused_convolution_equals_convolution_norm_and_activation(options):
    block, x = randomise(ConvNormAct(6, 9, **options)).double(), torch.randn(2, 6, 7, 12, dtype=torch.float64)
    fused = fuse(block)
    assert_close(fused(x), block(x))
    assert not any(isinstance(part, nn.BatchNorm2d) for part in fused.modules())


@pytest.mark.parametrize("attention", ["separable", "multi_head", "linformer"])
@pytest.mark.parametrize("width", [0.25, 1.0])
def test_the_optimised_model_equals_the_plain_one(width, attention):
    plain = randomise(mv.MobileViTv2(width, num_classes=7, attention=attention, image_size=96)).double()
    fast, x = mv.optimize_for_inference(plain), torch.rand(2, 3, 96, 96, dtype=torch.float64)
    assert_close(fast(x), plain(x), rtol=0, atol=1e-10)
    assert plain(x).std() > 0.1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_optimised_model_takes_any_size_and_any_layout(model, shape):
    x, fast = torch.rand(shape), mv.optimize_for_inference(model)
    expected = model(x)
    assert_close(fast(x), expected, rtol=0, atol=1e-5)
    assert_close(fast(x.contiguous(memory_format=torch.channels_last)), expected, rtol=0, atol=1e-5)


def test_optimising_leaves_the_model_and_the_picture_as_they_were(model):
    before, x = copy.deepcopy(model.state_dict()), torch.rand(1, 3, 64, 64)
    kinds = [type(module) for module in model.modules()]
    picture, expected = x.clone(), model(x)
    fast = mv.optimize_for_inference(model)
    fast(x)
    assert torch.equal(x, picture)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(model(x), expected)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.inplace for module in model.modules() if isinstance(module, nn.SiLU))
    assert [type(module) for module in model.modules()] == kinds
    with torch.no_grad():
        model.stem.conv.weight += 1  # what is trained further does not change the copy
    assert_close(fast(x), expected, rtol=0, atol=1e-5)


def test_the_optimised_model_holds_no_gradients_and_is_in_evaluation(model):
    for fast in (mv.optimize_for_inference(model), fuse(model)):
        assert not any(parameter.requires_grad for parameter in fast.parameters())
        assert not any(module.training for module in fast.modules())


def test_the_optimised_model_works_channels_last_and_overwrites_what_it_activates(model):
    fast = mv.optimize_for_inference(model)
    convolutions = [module for module in fast.modules() if isinstance(module, nn.Conv2d)]
    activations = [module for module in fast.modules() if isinstance(module, nn.SiLU)]
    assert all(layer.weight.is_contiguous(memory_format=torch.channels_last) for layer in convolutions)
    assert activations
    for activation in activations:
        x = torch.randn(2, 3)
        assert activation(x) is x


def test_a_model_in_training_or_with_a_training_norm_is_refused(model):
    with pytest.raises(ValueError, match=r"training mode cannot be fused.*call model.eval\(\) first"):
        mv.optimize_for_inference(copy.deepcopy(model).train())
    model.stages[0].train()
    with pytest.raises(ValueError, match="training mode"):
        mv.optimize_for_inference(model)


def test_half_precision_can_be_fused(model):
    fast, x = mv.optimize_for_inference(copy.deepcopy(model).bfloat16()), torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert_close(fast(x.bfloat16()).float(), model(x), rtol=0.2, atol=0.5)


# The form for phones


@pytest.mark.parametrize("attention", ["separable", "multi_head", "fused_multi_head"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_form_for_phones_equals_the_plain_model(attention, shape):
    plain = randomise(mv.MobileViTv2(0.25, num_classes=7, attention=attention)).double()
    before, x = copy.deepcopy(plain.state_dict()), torch.rand(shape, dtype=torch.float64)
    assert_close(MobileForm(plain)(x), plain(x), rtol=0, atol=1e-10)
    assert plain(x).std() > 0.1
    assert all(torch.equal(before[name], tensor) for name, tensor in plain.state_dict().items())


def test_an_attention_without_a_form_for_phones_is_refused():
    model = mv.MobileViTv2(0.25, attention="linformer", image_size=64).eval()
    with pytest.raises(ValueError, match="no form for phones of LinformerSelfAttention"):
        MobileForm(model)


# Memory that is kept from call to call


def test_answers_do_not_depend_on_what_was_asked_before_or_beside(model):
    quick, pictures = mv.optimize_for_inference(model), [torch.rand(n, 3, 64, 64) for n in (1, 3, 2, 1)]
    other = mv.optimize_for_inference(randomise(mv.MobileViTv2(0.25, num_classes=7)))
    expected = [model(x) for x in pictures]
    with torch.inference_mode():
        for x in pictures:
            other(x)
            assert_close(quick(x), model(x), rtol=0, atol=1e-5)
    answers = {}

    def ask(index):
        with torch.inference_mode():
            answers[index] = [quick(pictures[index]) for _ in range(20)]

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, repeated in answers.items():
        for answer in repeated:
            assert_close(answer, expected[index], rtol=0, atol=1e-5)


def test_kept_memory_is_used_in_inference_only_and_has_a_limit(model, monkeypatch):
    quick, x = mv.optimize_for_inference(model), torch.rand(2, 3, 64, 64)
    monkeypatch.setattr(fast_forms, "_MEMORY", types.SimpleNamespace())
    quick(x)
    assert not vars(fast_forms._MEMORY)
    with torch.inference_mode():
        quick(x)
        kept = fast_forms._MEMORY.flat
        quick(x)
        assert fast_forms._MEMORY.flat is kept
        monkeypatch.setattr(fast_forms, "_MOST_KEPT", 4 * kept.numel() - 1)
        monkeypatch.setattr(fast_forms, "_MEMORY", types.SimpleNamespace())
        quick(x)
        assert fast_forms._MEMORY.flat.numel() < kept.numel()


def test_the_optimised_model_goes_to_bfloat16_by_autocast(model):
    x = torch.rand(2, 3, 64, 64)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        answer = mv.optimize_for_inference(model)(x)
    assert_close(answer.float(), model(x), rtol=0.2, atol=0.5)


# Hooks


@pytest.mark.parametrize("gradients", [True, False])
def test_hooks_see_every_layer_and_nothing_overwrites_what_they_see(model, gradients):
    seen, x = {}, torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = model(x)
    for name, module in model.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _, __, output, name=name: seen.update({name: (output, output.clone())}))
    with torch.set_grad_enabled(gradients):
        assert_close(model(x), expected)
    assert seen.keys() == {name for name, module in model.named_modules() if not list(module.children())}
    for name, (output, as_it_was) in seen.items():
        assert torch.equal(output, as_it_was), name


@pytest.mark.parametrize("register", ["register_full_backward_hook", "register_full_backward_pre_hook"])
@pytest.mark.parametrize("training", [True, False])
def test_full_backward_hooks_on_every_module_see_gradients(model, register, training):
    seen, x = set(), torch.rand(2, 3, 64, 64, requires_grad=True)
    for name, module in model.train(training).named_modules():
        getattr(module, register)(lambda *_, name=name: seen.add(name))
    model(x).sum().backward()
    assert seen == {name for name, _ in model.named_modules()}


# PyTorch's own tools


def run_onnx(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


@pytest.mark.parametrize("form", [lambda model: model, mv.optimize_for_inference], ids=["plain", "optimised"])
def test_the_older_onnx_exporter_gives_the_same_logits_too(model, form, tmp_path):
    x = torch.rand(2, 3, 64, 96)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(form(model), (x,), tmp_path / "m.onnx", dynamo=False, verbose=False)
    assert_close(run_onnx(tmp_path / "m.onnx", x), model(x).detach(), rtol=0, atol=1e-4)


def test_torch_export_gives_the_same_logits_also_for_other_batches(model):
    x = torch.rand(2, 3, 64, 96)
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: batch},)).module()
    for images in (x, torch.rand(5, 3, 64, 96)):
        assert_close(exported(images), model(images), rtol=0, atol=1e-5)


def test_a_traced_model_gives_the_same_logits_at_the_size_it_was_traced_with(model):
    x = torch.rand(2, 3, 64, 96)
    traced = torch.jit.trace(model, torch.rand(2, 3, 64, 96))
    assert_close(traced(x), model(x), rtol=0, atol=1e-5)


# `dynamic=False` compiles for each size anew. By default PyTorch would look for one program for all sizes when a second
# one comes, and simplify nested roundings for hours.
NO_LINK = pytest.mark.skipif(" " in sys.prefix, reason="PyTorch's linker call does not quote the path of PyTorch")


@pytest.mark.slow
@pytest.mark.parametrize(
    "compiled",
    [
        lambda model: torch.compile(model, backend="eager", dynamic=False),
        pytest.param(lambda model: mv.optimize_for_inference(model, compile=True), marks=NO_LINK),
    ],
    ids=["traced", "optimised and compiled"],
)
def test_a_compiled_model_gives_the_same_logits_at_a_second_size(model, compiled):
    quick = compiled(model)
    with torch.inference_mode():
        for shape in ((1, 3, 64, 64), (2, 3, 96, 130)):
            x = torch.rand(shape)
            assert_close(quick(x), model(x), rtol=0, atol=1e-5)


def test_numpy_numbers_build_a_model_that_can_be_noted():
    model = mv.MobileViTv2(np.float32(0.25), num_classes=np.int64(3), image_size=np.int32(64))
    assert [type(value) for value in model.config.values()] == [float, int, int, str, int]
    assert mv.MobileViTv2(**model.config).state_dict().keys() == model.state_dict().keys()
