"""The checks of the exercises of notebook 10. Keras is imported when a check needs it, and not before."""

import importlib.util
import math
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

import numpy as np
import torch
from torch import nn

from .exercise import Exercise
from .values import Remark, random


def _attention(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O, axis=1, keys_first=False, relu_of="values", pool=True, gate=True):
    """Compute separable attention in `keras.ops`; the options are the ways to go wrong."""
    from keras import ops

    c_s = ops.matmul(x, W_I)  # [B, k, 1]
    if axis is not None:
        c_s = ops.exp(c_s - ops.max(c_s, axis=axis, keepdims=True))
        c_s = c_s / ops.sum(c_s, axis=axis, keepdims=True)
    tokens = ops.matmul(x, W_K) + b_K if keys_first else x
    tokens = ops.relu(tokens) if relu_of == "keys" else tokens
    c_v = ops.sum(c_s * tokens, axis=1, keepdims=True) if pool else c_s * tokens  # [B, 1, d]
    c_v = c_v if keys_first else ops.matmul(c_v, W_K) + b_K
    gates = ops.matmul(x, W_V) + b_V  # [B, k, d]
    gates = ops.relu(gates) if relu_of == "values" else gates
    y = c_v * gates if gate else c_v + 0 * gates
    return ops.matmul(ops.relu(y) if relu_of == "product" else y, W_O) + b_O  # [B, k, d]


def _context_vector(*arguments):
    from keras import ops

    x, W_I, W_K, b_K = arguments[:4]
    c_s = ops.exp(ops.matmul(x, W_I))
    c_s = c_s / ops.sum(c_s, axis=1, keepdims=True)
    return ops.matmul(ops.sum(c_s * x, axis=1, keepdims=True), W_K) + b_K


_IN_ANOTHER_PROCESS = """
import pickle, sys
import keras, numpy
with open(sys.argv[1], "rb") as file:
    function, arrays = pickle.load(file)
result = function(*map(keras.ops.convert_to_tensor, arrays))
numpy.save(sys.argv[2], keras.ops.convert_to_numpy(result))
"""
_NAMES = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}


def _other_backend() -> str | None:
    """Return a backend that is installed and is not the one in use, or None; without cloudpickle none can be asked."""
    from keras import backend

    if importlib.util.find_spec("cloudpickle") is None:  # older versions of scikit-learn do not bring it
        return None
    there = (name for name in _NAMES if importlib.util.find_spec(name) is not None)
    return next((name for name in there if name != backend.backend()), None)


def _on_another(backend: str, function: Callable, arrays: list[np.ndarray]) -> np.ndarray:
    """Return what a function returns in a new process with another backend."""
    import cloudpickle

    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.pickle", Path(folder) / "answered.npy"
        try:
            asked.write_bytes(cloudpickle.dumps((function, arrays)))
        except Exception as error:  # what it refers to may be anything
            raise Remark(f"right, but it cannot be sent to another process ({error}): call only `keras.ops`") from error
        command = [sys.executable, "-c", _IN_ANOTHER_PROCESS, str(asked), str(answered)]
        done = subprocess.run(command, env=os.environ | {"KERAS_BACKEND": backend}, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            raise Remark(f"right here, but not on {_NAMES[backend]}: {last[:160]}. Call only `keras.ops`")
        return np.load(answered)


class _Watch:
    """While it is open, note which functions and methods of a backend a function calls by itself.

    Some of them are there in two backends and not in the third, so trying one other backend is not enough.
    """

    def __init__(self, function: Callable):
        self.home, self.seen = getattr(function, "__globals__", None), []

    def __enter__(self):
        self.before = sys.getprofile()
        sys.setprofile(self._note)
        return self

    def __exit__(self, *error):
        sys.setprofile(self.before)

    def _note(self, frame, event: str, called) -> None:
        if event == "c_call" and frame.f_globals is self.home:
            owner = getattr(called, "__self__", None)
            if owner is None or isinstance(owner, type):  # a function, for example torch.softmax
                self._judge("torch" if getattr(torch, called.__name__, None) is called else "", called.__name__, False)
            else:
                self._judge(type(owner).__module__, called.__name__, True)
        elif event == "call" and frame.f_back is not None and frame.f_back.f_globals is self.home:
            self._judge(frame.f_globals.get("__name__", ""), frame.f_code.co_name, False)

    def _judge(self, module: str, name: str, method: bool) -> None:
        if module.partition(".")[0] in ("torch", "jax", "jaxlib", "tensorflow") and not name.startswith("__"):
            self.seen.append(f"the method `.{name}(…)`" if method else f"`{name}`")


def _on_two_backends(function: Callable) -> Callable:
    """Return what a function makes of arrays of this backend; a right one is asked on another, in the longest case."""

    def called(*tensors):
        try:
            from keras import ops
        except ImportError as error:
            raise Remark("this check needs the package keras") from error
        arrays = [tensor.numpy() for tensor in tensors]
        here = [ops.convert_to_tensor(array) for array in arrays]
        with warnings.catch_warnings():  # Keras warns of a softmax over one number, and the remarks say more
            warnings.simplefilter("ignore")
            with _Watch(function) as watch:
                got = function(*here)
        if got is None or got is ...:
            return got
        if not hasattr(got, "shape"):
            raise Remark(f"it returned a {type(got).__name__}: return an array [B, k, d]")
        got = np.array(ops.convert_to_numpy(got))
        if function is not _attention and isinstance(function, FunctionType) and arrays[0].shape[1] >= 9:
            _compare(function, arrays, got, ops.convert_to_numpy(_attention(*here)), watch.seen)
        return torch.from_numpy(got)

    return called


def _compare(function: Callable, arrays: list[np.ndarray], got: np.ndarray, wanted: np.ndarray, seen: list) -> None:
    """Complain if a function is right on this backend and may not be on others."""
    if got.shape != wanted.shape or not np.allclose(got, wanted, rtol=1e-4, atol=1e-5):
        return
    if seen:
        raise Remark(f"the numbers are right, but {seen[0]} belongs to this backend: call only `keras.ops`")
    backend = _other_backend()
    if backend is None:
        return
    elsewhere = _on_another(backend, function, arrays)
    if elsewhere.shape != got.shape or not np.allclose(elsewhere, got, rtol=1e-4, atol=1e-4):
        raise Remark(f"right here, but {_NAMES[backend]} gives other numbers: call only `keras.ops`")


def _weights(d: int) -> tuple:
    """Return W_I, and three kernels with their biases."""
    return (2 * random(d, 1), *(random(d, *size) + number for number in (0.1, 0.2, 0.3) for size in ((d,), ())))


def _case(B: int, k: int, d: int) -> tuple:
    return (random(B, k, d), *_weights(d))


attention_in_ops = Exercise(
    "10.1 for any backend",
    _attention,
    {"two pictures": _case(2, 5, 4), "one picture": _case(1, 6, 4), "nine tokens": _case(3, 9, 5)},
    {
        "the softmax runs over the last axis, where each score is alone: let it run over the tokens": (
            lambda *a: _attention(*a, axis=-1)
        ),
        "the softmax runs over the last axis, so all keys are summed up: let it run over the tokens": lambda *a: (
            _attention(*a, axis=-1, keys_first=True)
        ),
        "the softmax runs over the pictures: let it run over the tokens": lambda *a: _attention(*a, axis=0),
        "the softmax runs over the pictures, the first axis: let it run over the tokens": lambda *a: _attention(
            *a, axis=0, keys_first=True
        ),
        "the scores are divided by √d, as in multi-head attention: here they are not": (
            lambda x, i, *rest: _attention(x, i / x.shape[-1] ** 0.5, *rest)
        ),
        "the softmax is missing": lambda *a: _attention(*a, axis=None),
        "the softmax is missing, and the scores multiply the keys": lambda *a: _attention(
            *a, axis=None, keys_first=True
        ),
        "the ReLU is missing": lambda *a: _attention(*a, relu_of=""),
        "the ReLU is taken of the keys: it belongs to the values": lambda *a: _attention(
            *a, keys_first=True, relu_of="keys"
        ),
        "the ReLU is taken of the product: it belongs to the values alone": lambda *a: _attention(
            *a, relu_of="product"
        ),
        "the tokens are not summed up: there is one context vector for all": lambda *a: _attention(*a, pool=False),
        "the gates are missing": lambda *a: _attention(*a, gate=False),
        "`b_K` is missing": lambda x, i, k, bk, *rest: _attention(x, i, k, 0 * bk, *rest),
        "`b_V` is missing": lambda x, i, k, bk, v, bv, *rest: _attention(x, i, k, bk, v, 0 * bv, *rest),
        "`b_O` is missing": lambda x, i, k, bk, v, bv, o, bo: _attention(x, i, k, bk, v, bv, o, 0 * bo),
        "all three biases are missing": lambda x, i, k, bk, v, bv, o, bo: _attention(
            x, i, k, 0 * bk, v, 0 * bv, o, 0 * bo
        ),
        "`W_K` and `W_V` are exchanged": lambda x, i, k, bk, v, bv, *rest: _attention(x, i, v, bv, k, bk, *rest),
        "`W_O` is missing": lambda x, i, k, bk, v, bv, o, bo: _attention(
            x, i, k, bk, v, bv, np.eye(len(bo), dtype="float32"), 0 * bo
        ),
        "it is averaged over the tokens, but a weighted sum is enough: the scores add up to one": (
            lambda x, i, k, bk, *rest: _attention(x, i, k / x.shape[1], bk, *rest)
        ),
        "the keys are averaged over the tokens, but a weighted sum is enough: the scores add up to one": (
            lambda x, i, k, bk, *rest: _attention(x, i, k / x.shape[1], bk / x.shape[1], *rest)
        ),
        "the bias is added to each key and then summed up without the scores": (
            lambda x, i, k, bk, *rest: _attention(x, i, k, x.shape[1] * bk, *rest)
        ),
        "the kernels are transposed: they are `[in, out]` already": lambda x, i, k, bk, v, bv, o, bo: _attention(
            x, i, _turned(k), bk, _turned(v), bv, _turned(o), bo
        ),
    },
    steps={"the context vector": _context_vector},
    effect=_on_two_backends,
)


def _turned(kernel):
    from keras import ops

    return ops.transpose(kernel)


def _carry_over(layer: nn.Module, dense=(1, 0), conv=(2, 3, 1, 0), depthwise=(2, 3, 0, 1)) -> list:
    """Return kernel and bias in Keras' order; the options are orders of axes."""
    order = dense if isinstance(layer, nn.Linear) else depthwise if layer.groups > 1 else conv
    kernel = layer.weight.detach().permute(order)
    return [kernel] if layer.bias is None else [kernel, layer.bias.detach()]


def _layer(kind: type, *sizes: int, **options) -> nn.Module:
    layer = nn.utils.skip_init(kind, *sizes, **options)  # leaves the chance of the notebook alone
    with torch.no_grad():
        for number, tensor in enumerate(layer.parameters()):
            tensor.copy_(random(*tensor.shape) + number)
    return layer


carry_over = Exercise(
    "10.2 carry one layer over",
    _carry_over,
    {
        "a linear layer": (_layer(nn.Linear, 3, 5),),
        "a linear layer without bias": (_layer(nn.Linear, 4, 4, bias=False),),
        "a convolution": (_layer(nn.Conv2d, 2, 4, kernel_size=(3, 5)),),
        "a convolution without bias": (_layer(nn.Conv2d, 3, 3, kernel_size=3, bias=False),),
        "a convolution of one channel": (_layer(nn.Conv2d, 1, 4, kernel_size=3),),
        "a depthwise convolution": (_layer(nn.Conv2d, 4, 4, kernel_size=(3, 2), groups=4),),
        "a depthwise convolution without bias": (_layer(nn.Conv2d, 3, 3, kernel_size=3, groups=3, bias=False),),
    },
    {
        "the kernel of a linear layer is not transposed: Keras wants `[in, out]`": lambda m: _carry_over(
            m, dense=(0, 1)
        ),
        "the kernels of convolutions are in PyTorch's order: Keras wants `[height, width, in, out]`": (
            lambda m: _carry_over(m, conv=(0, 1, 2, 3), depthwise=(0, 1, 2, 3))
        ),
        "no kernel is turned around": lambda m: _carry_over(m, (0, 1), (0, 1, 2, 3), (0, 1, 2, 3)),
        "in and out of ordinary convolutions are exchanged: Keras wants `[height, width, in, out]`": (
            lambda m: _carry_over(m, conv=(2, 3, 0, 1))
        ),
        "a depthwise kernel is turned like an ordinary one: Keras wants `[height, width, channels, 1]`": (
            lambda m: _carry_over(m, depthwise=(2, 3, 1, 0))
        ),
        "in and out are exchanged, for ordinary and for depthwise convolutions": (
            lambda m: _carry_over(m, conv=(2, 3, 0, 1), depthwise=(2, 3, 1, 0))
        ),
        "height and width of the kernels are exchanged": lambda m: _carry_over(
            m, conv=(3, 2, 1, 0), depthwise=(3, 2, 0, 1)
        ),
        "`.T` turns all axes around, height and width too": lambda m: _carry_over(
            m, conv=(3, 2, 1, 0), depthwise=(3, 2, 1, 0)
        ),
        "a depthwise kernel is left in PyTorch's order": lambda m: _carry_over(m, depthwise=(0, 1, 2, 3)),
        "a convolution of one channel is no depthwise one: it has one group, and several outputs": (
            lambda m: _carry_over(m, conv=(2, 3, 0, 1) if getattr(m, "in_channels", 0) == 1 else (2, 3, 1, 0))
        ),
        "the bias is missing": lambda m: _carry_over(m)[:1],
        "the bias comes first: the kernel does": lambda m: _carry_over(m)[::-1],
        "there is a bias of zeros where the layer has none: return the kernel alone": lambda m: [
            _carry_over(m)[0],
            torch.zeros(len(m.weight)) if m.bias is None else m.bias.detach(),
        ],
        "where the layer has no bias, `None` stands in its place: return the kernel alone": lambda m: [
            _carry_over(m)[0],
            None if m.bias is None else m.bias.detach(),
        ],
        "the kernel alone is returned, and in no list": lambda m: _carry_over(m)[0],
        "the kernels of convolutions are turned by 180°: both frameworks leave them as they are": lambda m: [
            _carry_over(m)[0] if isinstance(m, nn.Linear) else _carry_over(m)[0].flip(0, 1),
            *_carry_over(m)[1:],
        ],
        "the kernel is cut anew with `reshape`: that moves numbers, so use `permute`": lambda m: [
            m.weight.detach().reshape(_carry_over(m)[0].shape),
            *_carry_over(m)[1:],
        ],
    },
)

_KINDS = {
    "both": "the layer that pads a pixel on each side",
    "end": "the layer that pads one at the far end",
    "none": "the layer that does not pad",
}


class _Hidden:
    """A layer of which one sees the outputs, and nothing else."""

    def __init__(self, called: Callable):
        self._called = called

    def __call__(self, maps, **_):
        shape = tuple(getattr(maps, "shape", ()))
        if len(shape) != 4 or shape[-1] != 1:
            raise Remark(f"the layer takes maps [1, H, W, 1], and it was called with {list(shape) or type(maps)}")
        if shape[1] % 2 or shape[2] % 2:
            raise Remark(f"the map has {shape[1]}×{shape[2]} pixels: even sides are asked for, odd ones tell less")
        return self._called(maps)

    def __getattr__(self, name: str):
        raise Remark(f"`layer.{name}` is hidden: call `layer`, and look at what comes out")


def _with_a_layer(function: Callable) -> Callable:
    """Call a function with a convolution whose weights and settings it cannot see."""

    def called(padding: str, number: int):
        try:
            import keras
        except ImportError as error:
            raise Remark("this check needs the package keras") from error
        conv = keras.layers.Conv2D(
            1, 3, strides=2, padding="same" if padding == "end" else "valid", use_bias=False, dtype="float32"
        )
        conv.build((None, None, None, 1))
        conv.set_weights([random(3, 3, 1, number)[..., :1].abs().numpy() + 0.2])
        pad = keras.layers.ZeroPadding2D(1 if padding == "both" else 0)

        return function(_Hidden(lambda maps: conv(pad(maps))))

    return called


def _names_a_padding(got, padding: str, number: int) -> str:
    if not isinstance(got, str):
        return f'it returned a {type(got).__name__}: return one of "both", "end" and "none"'
    if got == padding:
        return ""
    if got.strip().lower() == padding:
        return f"the name is spelt in another way: {padding!r}"
    if got not in _KINDS:
        return f'{got!r} is none of the names: return one of "both", "end" and "none"'
    if padding == "none":
        told = "its results are smaller: three rows from eight, where the others have four"
    elif got == "none":
        told = "its results have half as many rows as the map, and without padding they have one fewer"
    elif padding == "end":
        told = "its first window covers the rows 0, 1 and 2, and its last one runs over the edge"
    else:
        told = "its first window covers the rows −1, 0 and 1, and its last one ends inside the map"
    return f"{_KINDS[padding]} was called {got!r}: {told}"


padding_of = Exercise(
    "10.3 find the padding from outputs alone",
    lambda layer: "none",
    {f"{_KINDS[padding]} ({number})": (padding, number) for number in (1, 2, 3) for padding in _KINDS},
    effect=_with_a_layer,
    judge=_names_a_padding,
)


def _steps(kept: float, most: float = 0.01) -> int:
    return math.floor(math.log(most) / math.log(kept)) + 1


def _kept(momentum: float) -> tuple:
    return 1 - momentum, _steps(1 - momentum)


keras_momentum = Exercise(
    "10.4 which momentum?",
    _kept,
    ((0.15,), (0.02,), (0.3,), (0.001,)),
    {
        "the momentum is PyTorch's: Keras means the share of the *old* mean": lambda m: (m, _steps(1 - m)),
        "the momentum is PyTorch's, and the steps are counted with it, too: the old mean's share is 1 − momentum": (
            lambda m: (m, _steps(m))
        ),
        "the steps are counted with PyTorch's momentum: in each step the start is multiplied by 1 − momentum": (
            lambda m: (1 - m, _steps(m))
        ),
        "after so many steps the start still weighs more than one per cent: one step more": (
            lambda m: (1 - m, _steps(1 - m) - 1)
        ),
        "that is one step too many": lambda m: (1 - m, _steps(1 - m) + 1),
        "the number of steps is not a whole number: round it up": lambda m: (1 - m, math.log(0.01) / math.log(1 - m)),
        "that is when the start weighs less than one half": lambda m: (1 - m, _steps(1 - m, 0.5)),
        "that is when the start weighs less than one tenth": lambda m: (1 - m, _steps(1 - m, 0.1)),
        "that is when the start weighs less than a thousandth": lambda m: (1 - m, _steps(1 - m, 0.001)),
        "that is when the start weighs less than 99 per cent": lambda m: (1 - m, _steps(1 - m, 0.99)),
        "a weight does not fall by the same amount in each step, but by the same factor": lambda m: (
            1 - m,
            math.ceil(0.99 / m),
        ),
        "that is one over the momentum": lambda m: (1 - m, round(1 / m)),
        "the two are exchanged: the momentum first": lambda m: (_steps(1 - m), 1 - m),
        "the steps are missing: return a pair": lambda m: 1 - m,
        "the momentum is missing: return a pair": lambda m: _steps(1 - m),
    },
)


def _with_a_norm(function: Callable) -> Callable:
    """Call a function with a norm that computes in float32, and judge what it says by the arrays that it sent."""

    def called(epsilon: float):
        seen = []

        def norm(x):
            x = np.asarray(x, dtype=np.float32)
            if x.size < 2:
                raise Remark("the norm was called with a single number, which has no variance: take several")
            seen.append((float(x.var(dtype=np.float64)), x.size))
            return ((x - x.mean()) / np.sqrt(x.var() + np.float32(epsilon))).astype(np.float32)

        got = function(norm)
        if got is None or got is ...:
            return got
        try:
            value = float(got)
        except (TypeError, ValueError) as error:
            raise Remark(f"it returned a {type(got).__name__}: return one number") from error
        if not seen:
            raise Remark("the norm was not called")
        if abs(value - epsilon) <= 0.1 * epsilon:
            return value
        variance, size = min(seen)
        if variance == 0:
            raise Remark("all numbers of the array are equal: it has no variance, and the result is 0 for any ε")
        out = variance / (variance + epsilon)
        for said, wrong in {
            "that is its root": math.sqrt(epsilon),
            "that is its square": epsilon**2,
            "that is one over it": 1 / epsilon,
            "its sign is wrong": -epsilon,
            "that is its logarithm to the base ten": math.log10(epsilon),
            "that is σ² + ε: subtract the variance of your array": variance + epsilon,
            "that is √(σ² + ε): square it, and subtract the variance of your array": math.sqrt(variance + epsilon),
            "that is √(σ² + ε) − σ: square the root before you subtract": math.sqrt(variance + epsilon)
            - math.sqrt(variance),
            "that is ε/σ²: multiply by the variance of your array": epsilon / variance,
            "that is the variance of the output": out,
            "that is the spread of the output": math.sqrt(out),
            "that is σ² (1 − v), with v for the variance of the output: solve v = σ²/(σ² + ε) once more": variance
            * (1 - out),
            "one variance is divided by n, the other by n − 1": epsilon - variance / max(size - 1, 1),
            "one variance is divided by n − 1, the other by n": epsilon + variance / max(size - 1, 1),
        }.items():
            if math.isclose(value, wrong, rel_tol=0.02):
                raise Remark(f"for ε = {epsilon:g} it returned {value:g}: {said}")
        if variance > 1000 * epsilon:
            raise Remark(
                f"for ε = {epsilon:g} it returned {value:g}: beside a variance of {variance:.1g}, ε drowns in rounding"
            )
        raise Remark(f"for ε = {epsilon:g} it returned {value:g}, which is off by more than a tenth")

    return called


epsilon_of = Exercise(
    "10.5 find the ε from outputs alone",
    lambda norm: -1.0,
    {f"ε = {epsilon:g}": (epsilon,) for epsilon in (1e-5, 1e-3, 3e-7, 0.05)},
    effect=_with_a_norm,
    judge=lambda got, epsilon: "",
)
