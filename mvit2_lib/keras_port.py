"""MobileViTv2 in Keras 3, as a Keras reader expects it: channels last, any backend, saved and loaded as one file.

The names of all layers are those of the PyTorch model, with a hyphen for each point, so weights go over in both
directions by name. It needs the package `keras`, and a backend that the environment variable KERAS_BACKEND names before
Keras is first imported; unless it does, that is PyTorch.
"""

import os
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from .model import MobileViTv2, scale_architecture

os.environ.setdefault("KERAS_BACKEND", "torch")
try:
    import keras
    from keras import layers, ops
except Exception as error:
    raise ImportError(
        f"Keras cannot be imported ({type(error).__name__}: {error}): pip install keras, and set KERAS_BACKEND to "
        "torch, or to jax or tensorflow where they are installed, before Python starts"
    ) from error

EPSILON = 1e-5  # of all norms; Keras' own default is 1e-3
MOMENTUM = 0.9  # share of the old statistics that stays; PyTorch's momentum 0.1 is the share of the new ones
_registered = keras.saving.register_keras_serializable(package="mvit2_lib")


@_registered
class SeparableSelfAttention(layers.Layer):
    """Separable self-attention over tokens `[..., k, d]`: one shared question, `k` comparisons instead of `k²`.

        c_s = softmax_k(x W_I),   c_v = (Σ_i c_s(i) x_i) W_K,   y = (c_v * ReLU(x W_V)) W_O

    Eqs. 2 and 3 of arXiv 2206.02680; pooled before it is projected, which gives the same vector. The width `d` is that
    of the input. Built in notebook 10.
    """

    def build(self, input_shape: tuple) -> None:
        d = input_shape[-1]
        for name, units in (("W_I", 1), ("W_K", d), ("W_V", d), ("W_O", d)):
            layer = layers.Dense(units, name=name, dtype=self.dtype_policy)
            layer.build((*input_shape[:-1], d))
            setattr(self, name, layer)

    def call(self, x):
        scores = self.W_I(x)  # [..., k, 1]
        # Softmax over the tokens, written out: Keras' own warns where there is a single one, as on the smallest maps.
        c_s = ops.exp(scores - ops.max(scores, axis=-2, keepdims=True))  # [..., k, 1]
        c_s = c_s / ops.sum(c_s, axis=-2, keepdims=True)  # [..., k, 1]
        c_v = self.W_K(ops.sum(c_s * x, axis=-2, keepdims=True))  # [..., 1, d]
        return self.W_O(c_v * ops.relu(self.W_V(x)))  # [..., k, d]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@_registered
class TransformerLayer(layers.Layer):
    """Separable attention, then a feed-forward network, each after a norm and with its input added back.

    Built in notebook 10.
    """

    def build(self, input_shape: tuple) -> None:
        d = input_shape[-1]
        for name, layer in {
            "attention_norm": _group_norm("attention_norm", self.dtype_policy),
            "attention": SeparableSelfAttention(name="attention", dtype=self.dtype_policy),
            "ffn_norm": _group_norm("ffn_norm", self.dtype_policy),
            "expand": layers.Dense(2 * d, activation="silu", name="ffn-expand", dtype=self.dtype_policy),
        }.items():
            layer.build(input_shape)
            setattr(self, name, layer)
        self.project = layers.Dense(d, name="ffn-project", dtype=self.dtype_policy)
        self.project.build((*input_shape[:-1], 2 * d))

    def call(self, x):
        x = x + self.attention(self.attention_norm(x))  # [B, P, N, d]
        return x + self.project(self.expand(self.ffn_norm(x)))  # [B, P, N, d]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@_registered
class Unfold(layers.Layer):
    """Sort the pixels of a map by their place in 2×2 patches: `[B, H, W, d]` to `[B, P, N, d]`; odd sides fail."""

    def call(self, x):
        H, W, d = ops.shape(x)[1:]
        x = ops.reshape(x, (-1, H // 2, 2, W // 2, 2, d))  # [B, H/2, 2, W/2, 2, d]
        return ops.reshape(ops.transpose(x, (0, 2, 4, 1, 3, 5)), (-1, 4, H * W // 4, d))  # [B, P, N, d]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        B, H, W, d = input_shape
        return (B, 4, H * W // 4, d)


@_registered
class Fold(layers.Layer):
    """Put every pixel back where `Unfold` took it from: `[B, P, N, d]` to `[B, H, W, d]`."""

    def __init__(self, height: int, width: int, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def call(self, tokens):
        d = tokens.shape[-1]
        x = ops.reshape(tokens, (-1, 2, 2, self.height // 2, self.width // 2, d))  # [B, 2, 2, H/2, W/2, d]
        return ops.reshape(ops.transpose(x, (0, 3, 1, 4, 2, 5)), (-1, self.height, self.width, d))  # [B, H, W, d]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict:
        return super().get_config() | {"height": self.height, "width": self.width}


@_registered
class EnlargeToEven(layers.Layer):
    """Enlarge odd sides of a map `[B, H, W, C]` by one pixel, bilinearly with aligned corners.

    `keras.layers.Resizing` aligns the edges of the corner pixels instead of their centres.
    """

    def call(self, x):
        H, W = x.shape[1:3]
        if H % 2:
            x = ops.einsum("ih,bhwc->biwc", ops.convert_to_tensor(_stretched(H), x.dtype), x)  # [B, H+1, W, C]
        if W % 2:
            x = ops.einsum("jw,bhwc->bhjc", ops.convert_to_tensor(_stretched(W), x.dtype), x)  # [B, H, W+1, C]
        return x

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        B, H, W, C = input_shape
        return (B, H + H % 2, W + W % 2, C)


def _stretched(side: int) -> np.ndarray:
    """Return the matrix [side + 1, side] that draws a line through `side` values and reads it at one place more."""
    places = np.arange(side + 1) * (side - 1) / side
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(side))).astype("float32")


def mobilevitv2(
    width_multiplier: float = 1.0, classes: int = 1000, input_shape: tuple[int, int, int] = (256, 256, 3)
) -> keras.Model:
    """Return MobileViTv2 as a functional Keras model: pictures `[B, H, W, C]` with values in [0, 1] to logits.

    Used in notebook 10.

    Parameters
    ----------
    width_multiplier : float
        `α`.
    classes : int
        Number of classes; 0 leaves the classifier out.
    input_shape : (int, int, int)
        Height, width and channels of the pictures.
    """
    _check_input_shape(input_shape)
    stem, stages = scale_architecture(width_multiplier)
    image = keras.Input(input_shape, name="image")
    x = _conv_norm_act(image, stem, 3, strides=2, name="stem")  # [B, H/2, W/2, C]
    for index, stage in enumerate(stages):
        for number, strides in enumerate(stage.strides):
            x = _inverted_residual(x, stage.channels, strides, f"stages-{index}-{number}")
        if stage.dim is not None:
            x = _block(x, stage.dim, stage.num_layers, f"stages-{index}-{len(stage.strides)}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)  # [B, C_last]
    if classes:
        x = layers.Dense(classes, name="classifier", dtype="float32")(x)  # [B, classes]
    return keras.Model(image, x, name=f"mobilevitv2_{round(100 * width_multiplier):03d}")


def _conv_norm_act(x, filters, kernel_size=1, strides=1, depthwise=False, activation=True, name=""):
    """Add convolution, batch norm and SiLU. `padding="same"` would pad a stride of 2 at the other end than PyTorch."""
    if kernel_size == 3:
        x = layers.ZeroPadding2D(1, name=f"{name}-pad")(x)
    if depthwise:
        x = layers.DepthwiseConv2D(kernel_size, strides, use_bias=False, name=f"{name}-conv")(x)
    else:
        x = layers.Conv2D(filters, kernel_size, strides, use_bias=False, name=f"{name}-conv")(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=f"{name}-norm")(x)
    return layers.Activation("silu", name=f"{name}-silu")(x) if activation else x


def _inverted_residual(x, filters, strides, name):
    hidden = 2 * x.shape[-1]
    y = _conv_norm_act(x, hidden, name=f"{name}-expand")
    y = _conv_norm_act(y, hidden, 3, strides, depthwise=True, name=f"{name}-depthwise")
    y = _conv_norm_act(y, filters, activation=False, name=f"{name}-project")
    return layers.Add(name=f"{name}-add")([x, y]) if x.shape == y.shape else y


def _block(x, dim, num_layers, name):
    channels = x.shape[-1]
    x = EnlargeToEven(name=f"{name}-enlarge")(x)  # [B, H, W, C], even
    _, H, W, _ = x.shape
    x = _conv_norm_act(x, channels, 3, depthwise=True, name=f"{name}-local")
    x = layers.Conv2D(dim, 1, use_bias=False, name=f"{name}-to_tokens")(x)  # [B, H, W, d]
    x = Unfold(name=f"{name}-unfold")(x)  # [B, P, N, d]
    for number in range(num_layers):
        x = TransformerLayer(name=f"{name}-layers-{number}")(x)  # [B, P, N, d]
    x = _group_norm(f"{name}-norm")(x)  # [B, P, N, d]
    x = Fold(H, W, name=f"{name}-fold")(x)  # [B, H, W, d]
    return _conv_norm_act(x, channels, activation=False, name=f"{name}-to_channels")  # [B, H, W, C]


def _group_norm(name: str, dtype=None):
    """One mean and one variance for all tokens and channels of a picture."""
    return layers.GroupNormalization(groups=1, epsilon=EPSILON, name=name, dtype=dtype)


# Weights, by name

_ENDINGS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


# From PyTorch's order of axes to Keras': by their number, and whether the layer works on each channel by itself.
_ORDERS = {
    (1, False): (0,),
    (1, True): (0,),
    (2, False): (1, 0),  # [out, in] to [in, out]
    (4, False): (2, 3, 1, 0),  # [out, in, 3, 3] to [3, 3, in, out]
    (4, True): (2, 3, 0, 1),  # [C, 1, 3, 3] to [3, 3, C, 1]
}


def from_torch(model: MobileViTv2, image_size: int | tuple[int, int] = 256) -> keras.Model:
    """Return the Keras model with the weights of a PyTorch model, for pictures of one size. Used in notebook 10."""
    if not isinstance(model, MobileViTv2) or model.config["attention"] != "separable":
        raise ValueError("only a MobileViTv2 with separable attention has a Keras form")
    height, width = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    config = model.config
    ours = mobilevitv2(config["width_multiplier"], config["num_classes"], (height, width, config["in_channels"]))
    return load_state_dict(ours, model.state_dict())


def load_state_dict(model: keras.Model, state: Mapping[str, torch.Tensor]) -> keras.Model:
    """Give a Keras model the weights of a PyTorch model's `state_dict()`, and return it. Used in notebook 10.

    Raises
    ------
    ValueError
        If the weights are of another width, for other pictures or classes, or of another model. Nothing changes then.
    """
    pairs = list(_pairs(model))
    state = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    odd = {name for name, *_ in pairs} ^ set(state)
    if odd:
        raise ValueError(f"these are not the weights of {model.name}: {min(odd)} is in only one of the two")
    arrays = {}
    for name, variable, there, _ in pairs:
        array = state[name].detach().cpu().float().permute(there).numpy()
        if array.shape != tuple(variable.shape):
            raise ValueError(
                f"these are weights of another width, or for other pictures or classes: {name} has the shape "
                f"{list(array.shape)}, and in {model.name} it has {list(variable.shape)}"
            )
        arrays[name] = array
    for name, variable, *_ in pairs:
        variable.assign(arrays[name])
    return model


def state_dict(model: keras.Model) -> dict[str, torch.Tensor]:
    """Return the weights of a Keras model under PyTorch's names, for `mv.load_checkpoint(mv.MobileViTv2(…), …)`.

    Used in notebook 10.
    """
    return {
        name: torch.from_numpy(np.array(ops.convert_to_numpy(variable))).permute(back).contiguous()
        for name, variable, _, back in _pairs(model)
    }


def _pairs(model: keras.Model) -> Iterator[tuple[str, keras.Variable, tuple[int, ...], tuple[int, ...]]]:
    """Yield PyTorch's name of each variable, the variable, and the orders of axes that lead to it and back."""
    for variable in model.weights:
        layer, _, ending = variable.path.replace("/", ".").replace("-", ".").rpartition(".")
        if ending not in _ENDINGS or layer.partition(".")[0] not in ("stem", "stages", "classifier"):
            raise ValueError(f"{model.name} is no MobileViTv2 of this course: it has a variable {variable.path}")
        there = _ORDERS[len(variable.shape), ".depthwise." in layer or ".local." in layer]
        yield f"{layer}.{_ENDINGS[ending]}", variable, there, tuple(int(axis) for axis in np.argsort(there))


def _check_input_shape(shape: tuple) -> None:
    if keras.config.image_data_format() != "channels_last":
        raise ValueError('this model is channels last: call keras.config.set_image_data_format("channels_last") first')
    if len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(f"input_shape is height, width and channels, such as (256, 256, 3), not {shape!r}")
    if shape[0] in (1, 3) and shape[2] not in (1, 3):
        raise ValueError(
            f"input_shape={shape} has its channels first: Keras models here take (height, width, channels)"
        )
