"""Attempts at the exercises of notebook 10: correct ones, and wrong ones with the remark they must get."""

import os

import numpy as np
import torch
from torch import nn

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras  # noqa: E402
from keras import ops  # noqa: E402


def by_einsum(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    weights = keras.ops.softmax(keras.ops.einsum("bkd,do->bk", x, W_I), axis=-1)
    pooled = keras.ops.einsum("bk,bkd->bd", weights, x)
    vector = keras.ops.expand_dims(pooled @ W_K + b_K, 1)
    return (vector * keras.ops.relu(x @ W_V + b_V)) @ W_O + b_O


def keys_first(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = ops.exp(x @ W_I)
    scores = scores / ops.sum(scores, axis=1, keepdims=True)
    keys = ops.matmul(x, W_K) + b_K
    context = ops.sum(scores * keys, axis=1, keepdims=True)
    return ops.matmul(context * ops.maximum(x @ W_V + b_V, 0), W_O) + b_O


def with_a_helper(*arguments):
    return by_einsum(*arguments)


def by_methods_of_pytorch(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    c_s = (x @ W_I).softmax(dim=1)
    c_v = (c_s * x).sum(dim=1, keepdim=True) @ W_K + b_K
    return (c_v * (x @ W_V + b_V).relu()) @ W_O + b_O


def by_functions_of_pytorch(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    c_s = torch.softmax(ops.matmul(x, W_I), 1)
    c_v = ops.matmul(ops.sum(c_s * x, axis=1, keepdims=True), W_K) + b_K
    return ops.matmul(c_v * ops.relu(ops.matmul(x, W_V) + b_V), W_O) + b_O


def by_methods_of_two_backends(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    c_s = ops.softmax(x @ W_I, axis=1)
    c_v = ops.matmul((c_s * x).sum(axis=1, keepdims=True), W_K) + b_K
    return ops.matmul(c_v * ops.relu(x @ W_V + b_V), W_O) + b_O


def over_the_last_axis(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    c_s = ops.softmax(x @ W_I, axis=-1)
    c_v = ops.sum(c_s * (x @ W_K + b_K), axis=1, keepdims=True)
    return (c_v * ops.relu(x @ W_V + b_V)) @ W_O + b_O


def without_relu(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    c_v = ops.matmul(ops.sum(ops.softmax(x @ W_I, axis=1) * x, axis=1, keepdims=True), W_K) + b_K
    return (c_v * (x @ W_V + b_V)) @ W_O + b_O


def one_vector(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    return ops.matmul(ops.sum(ops.softmax(x @ W_I, axis=1) * x, axis=1, keepdims=True), W_K) + b_K


def carried_by_cases(layer):
    weight = layer.weight.detach().numpy()
    if weight.ndim == 2:
        kernel = weight.transpose()
    elif layer.groups == 1:
        kernel = weight.transpose(2, 3, 1, 0)
    else:
        kernel = np.moveaxis(weight, (0, 1), (2, 3))
    return [kernel] + ([layer.bias.detach().numpy()] if layer.bias is not None else [])


def carried_by_movedim(layer):
    order = {nn.Linear: lambda w: w.T}.get(type(layer), lambda w: w.movedim((0, 1), (3, 2)))
    if getattr(layer, "groups", 1) > 1:
        order = lambda w: w.movedim((0, 1), (2, 3))  # noqa: E731
    return tuple([order(layer.weight.data)] + [b for name, b in layer.named_parameters() if name == "bias"])


def without_depthwise(layer):
    weight = layer.weight.detach()
    kernel = weight.T if weight.ndim == 2 else weight.permute(2, 3, 1, 0)
    return [kernel.numpy()] + ([] if layer.bias is None else [layer.bias.detach().numpy()])


def by_channels(layer):
    kernel, *rest = carried_by_cases(layer)
    one = isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == 1
    return [kernel.swapaxes(2, 3) if one else kernel, *rest]


def as_it_is(layer):
    return [parameter.detach().numpy() for parameter in layer.parameters()]


def turned_around(layer):
    return [parameter.detach().numpy().T for parameter in layer.parameters()]


def answer(layer, image):
    return np.array(keras.ops.convert_to_numpy(layer(image.astype("float32"))))


def padding_by_corners(layer):
    result = answer(layer, np.ones((1, 6, 6, 1)))[0, :, :, 0]
    if len(result) == 2:
        return "none"
    return "end" if result[-1, -1] < result[0, 0] else "both"


def padding_by_every_row(layer):
    first = []
    for row in range(8):
        image = np.zeros((1, 8, 8, 1))
        image[0, row] = 1
        result = answer(layer, image)
        if result[0, 0].any():
            first.append(row)
    return {2: "both", 3: "end" if result.shape[1] == 4 else "none"}[len(first)]


def padding_by_last_row(layer):
    image = np.zeros((1, 10, 4, 1))
    image[0, 8] = 1
    result = answer(layer, image)
    seen = int((result[0, :, 0, 0] > 0).sum())
    return "none" if result.shape[1] == 4 else {1: "both", 2: "end"}[seen]


def padding_by_shape(layer):
    return "none" if answer(layer, np.ones((1, 8, 8, 1))).shape[1] == 3 else "both"


def padding_with_odd_sides(layer):
    return "end" if answer(layer, np.ones((1, 7, 7, 1)))[0, 0, 0, 0] else "both"


def padding_upside_down(layer):
    return {"end": "both", "both": "end", "none": "none"}[padding_by_corners(layer)]


def momentum_by_logarithm(momentum):
    kept = 1.0 - momentum
    return kept, int(np.floor(np.log(0.01) / np.log(kept))) + 1


def momentum_by_trial(momentum):
    return [1 - momentum, next(n for n in range(10**6) if (1 - momentum) ** n < 0.01)]


def epsilon_by_two_numbers(norm):
    y = norm(np.array([0.0, 2e-5], dtype=np.float32))
    return (1e-5 / y[1]) ** 2 - 1e-10


def epsilon_by_many(norm):
    x = np.random.default_rng(0).normal(0, 1e-5, 1000).astype(np.float32)
    return x.var() * (1 / norm(x).var() - 1)


def epsilon_by_search(norm):
    x = np.linspace(-1e-5, 1e-5, 5)
    low, high = 1e-8, 1.0
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if norm(x).std() < x.std() / np.sqrt(x.var() + middle) else (low, middle)
    return low


def epsilon_of_loud(norm):
    x = np.random.default_rng(0).normal(0, 10, 1000)
    return x.var() / norm(x).var() - x.var()


def epsilon_of_equal_numbers(norm):
    return 1 / norm(np.ones(4)).var()


RIGHT = {
    "attention_in_ops": [by_einsum, keys_first, with_a_helper],
    "carry_over": [carried_by_cases, carried_by_movedim, lambda layer: list(carried_by_movedim(layer))],
    "padding_of": [padding_by_corners, padding_by_every_row, padding_by_last_row],
    "keras_momentum": [momentum_by_logarithm, momentum_by_trial, lambda m: np.array(momentum_by_trial(m))],
    "epsilon_of": [epsilon_by_two_numbers, epsilon_by_many, epsilon_by_search],
}
WRONG = {
    "attention_in_ops": [
        (by_methods_of_pytorch, "the method `.softmax(…)` belongs to this backend"),
        (by_functions_of_pytorch, "`softmax` belongs to this backend"),
        (by_methods_of_two_backends, "the method `.sum(…)` belongs to this backend"),
        (over_the_last_axis, "softmax runs over the last axis"),
        (without_relu, "the ReLU is missing"),
        (one_vector, "that is the context vector"),
    ],
    "carry_over": [
        (without_depthwise, "a depthwise kernel is turned like an ordinary one"),
        (as_it_is, "no kernel is turned around"),
        (turned_around, "`.T` turns all axes around"),
        (by_channels, "a convolution of one channel is no depthwise one"),
        (lambda layer: carried_by_cases(layer)[::-1], "the bias comes first"),
        (lambda layer: carried_by_cases(layer)[0], "in no list"),
    ],
    "padding_of": [
        (padding_by_shape, "pads one at the far end was called 'both'"),
        (padding_with_odd_sides, "even sides"),
        (padding_upside_down, "was called"),
        (lambda layer: "both" if layer.padding == "same" else "none", "`layer.padding` is hidden"),
        (lambda layer: layer(np.ones((8, 8), dtype="float32")), "takes maps [1, H, W, 1]"),
        (lambda layer: padding_by_corners(layer).title(), "spelt in another way"),
        (lambda layer: {"none": "valid"}.get(padding_by_corners(layer), "same"), "none of the names"),
    ],
    "keras_momentum": [
        (lambda m: (m, momentum_by_trial(m)[1]), "share of the *old* mean"),
        (lambda m: 1 - m, "the steps are missing"),
        (lambda m: (1 - m, momentum_by_trial(m)[1] - 1), "one step more"),
        (lambda m: (1 - m, np.log(0.01) / np.log(1 - m)), "not a whole number"),
        (lambda m: momentum_by_trial(m)[::-1], "exchanged"),
    ],
    "epsilon_of": [
        (epsilon_of_loud, "ε drowns in rounding"),
        (epsilon_of_equal_numbers, "it has no variance"),
        (lambda norm: np.sqrt(epsilon_by_many(norm)), "that is its root"),
        (lambda norm: 1e-5, "the norm was not called"),
        (lambda norm: 2 * epsilon_by_many(norm), "off by more than a tenth"),
        (lambda norm: norm(np.array([0.0, 1.0])), "return one number"),
        (lambda norm: 1 / norm(np.array([-1e-2, 1e-2])).var() * 1e-4, "subtract the variance"),
    ],
}
