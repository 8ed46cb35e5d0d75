"""The Keras model gives PyTorch's numbers, goes both ways bit for bit, and lives as Keras' users expect."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from references import randomise
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib import keras_port  # before keras: it chooses the backend
from mvit2_lib.course import timing

keras = keras_port.keras

# Width and size of the pictures; 200×136 makes maps with odd sides, which the blocks enlarge.
SIZES = [
    (0.5, (256, 256)),
    (1.0, (256, 256)),
    (2.0, (256, 256)),
    (0.5, (224, 224)),
    (0.5, (192, 320)),
    (0.5, (200, 136)),
]


@pytest.fixture(scope="module")
def small():
    return randomise(mv.MobileViTv2(0.25, num_classes=7, in_channels=1))


def ask(model, x, **options):
    """Return what a Keras model answers to pictures `[B, C, H, W]`."""
    return torch.from_numpy(keras.ops.convert_to_numpy(model(last(x), **options)).copy())


def last(x):
    return x.permute(0, 2, 3, 1).contiguous().numpy()


@pytest.mark.parametrize(("width", "size"), SIZES)
def test_logits_and_parameters_are_those_of_the_pytorch_model(width, size):
    ours, x = randomise(mv.MobileViTv2(width)), torch.rand(2, 3, *size)
    theirs = keras_port.from_torch(ours, size)
    with torch.no_grad():
        assert_close(ask(theirs, x, training=False), ours(x), rtol=0, atol=1e-4)
    trained = sum(parameter.numel() for parameter in ours.parameters())
    statistics = sum(buffer.numel() for name, buffer in ours.named_buffers() if "running" in name)
    assert theirs.count_params() == trained + statistics


def test_weights_come_back_bit_for_bit(small):
    back = mv.MobileViTv2(0.25, num_classes=7, in_channels=1)
    mv.load_checkpoint(back, keras_port.state_dict(keras_port.from_torch(small, 64)))
    for name, tensor in small.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, back.state_dict()[name]), name


def test_a_saved_model_answers_as_before_in_a_process_that_only_imports_the_module(small, tmp_path):
    model, x = keras_port.from_torch(small, (70, 64)), torch.rand(2, 1, 70, 64)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", last(x))
    code = f"""
        import keras, numpy as np
        import mvit2_lib.keras_port
        model = keras.saving.load_model({str(tmp_path / "model.keras")!r})
        np.save({str(tmp_path / "y.npy")!r}, model.predict(np.load({str(tmp_path / "x.npy")!r}), verbose=0))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True)
    assert_close(torch.from_numpy(np.load(tmp_path / "y.npy")), ask(model, x, training=False), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layer", [keras_port.SeparableSelfAttention(), keras_port.Fold(4, 6)])
def test_layers_are_made_again_from_their_configuration(layer):
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert again.get_config() == layer.get_config()


def test_the_attention_is_a_layer_of_its_own_for_tokens_of_any_shape():
    ours, layer = randomise(mv.SeparableSelfAttention(12)), keras_port.SeparableSelfAttention()
    layer.build((None, None, 12))
    for name in ("W_I", "W_K", "W_V", "W_O"):
        linear = getattr(ours, name)
        getattr(layer, name).set_weights([linear.weight.detach().T.numpy(), linear.bias.detach().numpy()])
    for shape in ((2, 5, 12), (3, 4, 7, 12)):
        x = torch.randn(shape)
        got = torch.from_numpy(keras.ops.convert_to_numpy(layer(x.numpy())).copy())
        assert_close(got, ours(x).detach(), rtol=0, atol=1e-5)


def test_on_the_digits_keras_evaluation_agrees_to_the_last_picture():
    pretrained, (images, labels) = mv.load_pretrained("digits"), mv.load_digits("test")
    model = keras_port.from_torch(pretrained.model, 64)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    _, accuracy = model.evaluate(last(images), labels.numpy(), verbose=0)
    assert round(accuracy * len(labels)) == round(
        mv.accuracy(pretrained.model, mv.Pictures(images, labels)) * len(labels)
    )
    answers = torch.from_numpy(model.predict(last(images), verbose=0))
    with torch.no_grad():
        assert torch.equal(answers.argmax(dim=1), pretrained.model(images).argmax(dim=1))


def test_an_epoch_of_fit_lowers_the_loss_and_moves_the_statistics_as_pytorch_does(small):
    images, labels = mv.load_digits("train")
    model = keras_port.mobilevitv2(0.25, 10, (64, 64, 1))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(0.002), loss)
    before = model.evaluate(last(images[:256]), labels[:256].numpy(), verbose=0)
    model.fit(last(images[:256]), labels[:256].numpy(), batch_size=32, epochs=1, verbose=0)
    history = model.fit(last(images[:256]), labels[:256].numpy(), batch_size=32, epochs=1, verbose=0).history
    assert history["loss"][0] < before


def test_one_step_in_training_mode_moves_the_running_statistics_as_pytorch_does(small):
    ours = randomise(mv.MobileViTv2(0.25, num_classes=7, in_channels=1))
    theirs, x = keras_port.from_torch(ours, 64), torch.rand(6, 1, 64, 64)
    ours.train()
    with torch.no_grad():
        expected = ours(x)
    assert_close(ask(theirs, x, training=True), expected, rtol=0, atol=1e-4)
    moved = keras_port.state_dict(theirs)
    for name, tensor in ours.state_dict().items():
        if "running_mean" in name:  # of the variance PyTorch keeps the unbiased estimate, Keras the biased
            assert_close(moved[name], tensor, rtol=1e-4, atol=1e-5)


def test_mixed_precision_is_respected():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = keras_port.mobilevitv2(0.25, 3, (64, 64, 3))
        assert {layer.compute_dtype for layer in model.layers if "stages" in layer.name} == {"bfloat16"}
        assert {variable.dtype for variable in model.weights} == {"float32"}
        assert ask(model, torch.rand(1, 3, 64, 64), training=False).dtype == torch.float32
    finally:
        keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: keras_port.mobilevitv2(0.25, 3, (3, 64, 64)), "has its channels first"),
        (lambda: keras_port.mobilevitv2(0.25, 3, (64, 64)), "input_shape is height, width and channels"),
        (lambda: keras_port.mobilevitv2(-1, 3), "width_multiplier must be a positive number"),
        (lambda: keras_port.from_torch(mv.MobileViTv2(0.25, attention="multi_head")), "with separable attention"),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_sentence(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (1, 96, 64, 1)])
def test_pictures_with_their_channels_first_or_of_another_size_are_refused(small, shape):
    with pytest.raises(ValueError, match=r"expected shape=\(None, 64, 64, 1\), found shape"):
        keras_port.from_torch(small, 64).predict(np.zeros(shape, dtype="float32"), verbose=0)


def test_weights_of_another_model_are_refused_and_change_nothing(small):
    model = keras_port.from_torch(small, 64)
    before = model.get_weights()
    for other, message in (
        (
            mv.MobileViTv2(0.5, num_classes=7, in_channels=1),
            r"weights of another width.*has the shape \[1, 1, 32, 32\], and in mobilevitv2_025 it has \[1, 1, 32, 16\]",
        ),
        (mv.MobileViTv2(0.25, num_classes=0, in_channels=1), "classifier.bias is in only one of the two"),
    ):
        with pytest.raises(ValueError, match=message):
            keras_port.load_state_dict(model, other.state_dict())
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_a_keras_file_of_another_model_gives_no_weights(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="stranger").save(tmp_path / "stranger.keras")
    stranger = keras.saving.load_model(tmp_path / "stranger.keras")
    for use in (keras_port.state_dict, lambda model: keras_port.load_state_dict(model, {})):
        with pytest.raises(ValueError, match="stranger is no MobileViTv2 of this course"):
            use(stranger)
    keras_port.mobilevitv2(0.25, 3, (64, 64, 1)).save(tmp_path / "narrow.keras")
    state = keras_port.state_dict(keras.saving.load_model(tmp_path / "narrow.keras"))
    with pytest.raises(ValueError, match="width"):
        mv.load_checkpoint(mv.MobileViTv2(0.5, num_classes=3, in_channels=1), state)


def test_channels_first_as_keras_setting_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="this model is channels last"):
            keras_port.mobilevitv2(0.25, 3, (64, 64, 3))
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("name", ["keras", "KERAS_BACKEND"])
def test_a_missing_keras_or_an_unknown_backend_is_told_in_a_line(name):
    block = "sys.modules['keras'] = None" if name == "keras" else "os.environ['KERAS_BACKEND'] = 'theano'"
    code = f"import os, sys; {block}; import mvit2_lib.keras_port"
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: Keras cannot be imported" in failed.stderr
    assert "pip install keras" in failed.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_another_backend_gives_the_same_logits(backend, small, tmp_path):
    pytest.importorskip(backend)
    torch.save(small.state_dict(), tmp_path / "weights.pt")
    x = torch.rand(2, 1, 70, 64)
    np.save(tmp_path / "x.npy", last(x))
    code = f"""
        import os
        os.environ["KERAS_BACKEND"] = {backend!r}
        import numpy as np, torch
        from mvit2_lib import keras_port
        model = keras_port.mobilevitv2(0.25, 7, (70, 64, 1))
        keras_port.load_state_dict(model, torch.load({str(tmp_path / "weights.pt")!r}))
        np.save({str(tmp_path / "y.npy")!r}, model.predict(np.load({str(tmp_path / "x.npy")!r}), verbose=0))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True)
    with torch.no_grad():
        assert_close(torch.from_numpy(np.load(tmp_path / "y.npy")), small(x), rtol=0, atol=1e-4)


def test_in_keras_too_separable_attention_grows_linearly_and_multi_head_quadratically():
    def contestant(layer):
        def prepare(k):
            x = np.random.default_rng(0).standard_normal((1, k, 64), dtype=np.float32)
            inputs = (x, x) if isinstance(layer, keras.layers.MultiHeadAttention) else (x,)
            return lambda: keras.ops.convert_to_numpy(layer(*inputs, training=False))

        return prepare

    layers = {"separable": keras_port.SeparableSelfAttention(), "multi-head": keras.layers.MultiHeadAttention(4, 16)}
    with torch.inference_mode():
        contestants = {name: contestant(layer) for name, layer in layers.items()}
        timings = timing.measure(contestants, [512, 1024, 2048, 4096], progress=False)
    separable, multi_head = (timings.slope(name).value for name in layers)
    assert separable < 1.4
    assert multi_head > separable + 0.4
