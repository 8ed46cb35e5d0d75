"""Attempts at the exercises of notebook 10 by a reader who saw neither checks nor solutions."""

import math
import os

import numpy as np
import torch
from torch import nn

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402


# 10.1 separable attention in keras.ops
def attention_plain(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I), axis=1)
    keys = keras.ops.matmul(x, W_K) + b_K
    context = keras.ops.sum(scores * keys, axis=1, keepdims=True)
    values = keras.ops.relu(keras.ops.matmul(x, W_V) + b_V)
    return keras.ops.matmul(values * context, W_O) + b_O


def attention_einsum(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    from keras import ops

    logits = ops.einsum("bkd,do->bk", x, W_I)
    weights = ops.softmax(logits, axis=-1)
    keys = ops.einsum("bkd,de->bke", x, W_K) + b_K
    context = ops.einsum("bk,bkd->bd", weights, keys)
    values = ops.maximum(ops.einsum("bkd,de->bke", x, W_V) + b_V, 0.0)
    return ops.einsum("bkd,bd,de->bke", values, context, W_O) + b_O


def attention_context_first(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    # the weights sum to 1, so the mean of x may go through the kernel instead of every token
    weights = keras.ops.softmax(keras.ops.transpose(x @ W_I, (0, 2, 1)))
    context = (weights @ x) @ W_K + b_K
    return (keras.ops.relu(x @ W_V + b_V) * context) @ W_O + b_O


def _affine(x, kernel, bias):
    return keras.ops.dot(x, kernel) + bias


def attention_helper_own_softmax(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    logits = keras.ops.dot(x, W_I)
    top = keras.ops.exp(logits - keras.ops.max(logits, axis=1, keepdims=True))
    scores = top / keras.ops.sum(top, axis=1, keepdims=True)
    context = keras.ops.sum(scores * _affine(x, W_K, b_K), axis=1)
    values = keras.ops.relu(_affine(x, W_V, b_V))
    return _affine(values * keras.ops.expand_dims(context, 1), W_O, b_O)


def attention_default_axis(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I))
    keys = keras.ops.matmul(x, W_K) + b_K
    context = keras.ops.sum(scores * keys, axis=1, keepdims=True)
    values = keras.ops.relu(keras.ops.matmul(x, W_V) + b_V)
    return keras.ops.matmul(values * context, W_O) + b_O


def attention_no_keepdims(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I), axis=1)
    keys = keras.ops.matmul(x, W_K) + b_K
    context = keras.ops.sum(scores * keys, axis=1)
    values = keras.ops.relu(keras.ops.matmul(x, W_V) + b_V)
    return keras.ops.matmul(values * context, W_O) + b_O


def attention_method_softmax(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = (x @ W_I).softmax(1)
    context = (scores * (x @ W_K + b_K)).sum(1, keepdims=True)
    return (keras.ops.relu(x @ W_V + b_V) * context) @ W_O + b_O


def attention_relu_on_keys(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(x @ W_I, axis=1)
    keys = keras.ops.relu(x @ W_K + b_K)
    context = keras.ops.sum(scores * keys, axis=1, keepdims=True)
    return ((x @ W_V + b_V) * context) @ W_O + b_O


def attention_torch_kernels(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    t = keras.ops.transpose
    scores = keras.ops.softmax(x @ W_I, axis=1)
    keys = x @ t(W_K) + b_K
    context = keras.ops.sum(scores * keys, axis=1, keepdims=True)
    return (keras.ops.relu(x @ t(W_V) + b_V) * context) @ t(W_O) + b_O


def attention_scaled(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    logits = x @ W_I / math.sqrt(x.shape[-1])
    scores = keras.ops.softmax(logits, axis=1)
    context = keras.ops.sum(scores * (x @ W_K + b_K), axis=1, keepdims=True)
    return (keras.ops.relu(x @ W_V + b_V) * context) @ W_O + b_O


def attention_over_the_batch(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(x @ W_I, axis=0)
    context = keras.ops.sum(scores * (x @ W_K + b_K), axis=1, keepdims=True)
    return (keras.ops.relu(x @ W_V + b_V) * context) @ W_O + b_O


def attention_relu_after_product(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(x @ W_I, axis=1)
    context = keras.ops.sum(scores * (x @ W_K + b_K), axis=1, keepdims=True)
    return keras.ops.relu((x @ W_V + b_V) * context) @ W_O + b_O


# 10.2 carry one layer over
def carry_plain(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.permute(1, 0)
    elif layer.groups > 1:
        kernel = layer.weight.permute(2, 3, 0, 1)
    else:
        kernel = layer.weight.permute(2, 3, 1, 0)
    weights = [kernel.detach().numpy()]
    if layer.bias is not None:
        weights.append(layer.bias.detach().numpy())
    return weights


def carry_numpy_state_dict(layer):
    arrays = {name: np.array(value.cpu()) for name, value in layer.state_dict().items()}
    kernel = arrays["weight"].T  # [in, out] or [width, height, in, out]
    if kernel.ndim == 4:
        kernel = kernel.swapaxes(0, 1)
        if layer.groups != 1:
            kernel = kernel.swapaxes(2, 3)
    return [np.ascontiguousarray(kernel)] + [arrays[name] for name in arrays if name == "bias"]


@torch.no_grad()
def carry_einsum(layer):
    if type(layer) is nn.Linear:
        formula = "oi->io"
    else:
        formula = "oihw->hwoi" if layer.groups == layer.out_channels else "oihw->hwio"
    kernel = np.einsum(formula, layer.weight.numpy())
    return [kernel] if layer.bias is None else [kernel, layer.bias.numpy()]


def carry_by_loops(layer):
    w = layer.weight.detach().numpy()
    if w.ndim == 2:
        kernel = np.stack(list(w), axis=1)
    else:
        outs, ins, height, width = w.shape
        depthwise = layer.groups == layer.in_channels and layer.groups > 1
        shape = (height, width, outs, 1) if depthwise else (height, width, ins, outs)
        kernel = np.zeros(shape, np.float32)
        for o in range(outs):
            for i in range(ins):
                if depthwise:
                    kernel[:, :, o, 0] = w[o, 0]
                else:
                    kernel[:, :, i, o] = w[o, i]
    biases = [p.detach().numpy() for name, p in layer.named_parameters() if name == "bias"]
    return [kernel, *biases]


def carry_linear_as_it_is(layer):
    w = layer.weight.detach().numpy()
    if w.ndim == 4:
        w = w.transpose(2, 3, 0, 1) if layer.groups > 1 else w.transpose(2, 3, 1, 0)
    return [w] if layer.bias is None else [w, layer.bias.detach().numpy()]


def carry_depthwise_as_ordinary(layer):
    w = layer.weight.detach().numpy()
    w = w.T if isinstance(layer, nn.Linear) else w.transpose(2, 3, 1, 0)
    return [w] if layer.bias is None else [w, layer.bias.detach().numpy()]


def carry_transposed(layer):
    # .T turns the axes around: [O, I, H, W] becomes [W, H, I, O]
    w = layer.weight.detach().numpy().T
    if w.ndim == 4 and layer.groups > 1:
        w = w.swapaxes(2, 3)
    return [w] if layer.bias is None else [w, layer.bias.detach().numpy()]


def carry_reshape(layer):
    w = layer.weight.detach().numpy()
    if w.ndim == 2:
        w = w.reshape(w.shape[::-1])
    else:
        o, i, height, width = w.shape
        w = w.reshape((height, width, o, 1) if layer.groups > 1 else (height, width, i, o))
    return [w] if layer.bias is None else [w, layer.bias.detach().numpy()]


def carry_truth_of_bias(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.T
    else:
        kernel = layer.weight.permute(2, 3, *((0, 1) if layer.groups > 1 else (1, 0)))
    weights = [kernel.detach().numpy()]
    if layer.bias:
        weights.append(layer.bias.detach().numpy())
    return weights


def carry_zeros_for_no_bias(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.T
    else:
        kernel = layer.weight.permute(2, 3, *((0, 1) if layer.groups > 1 else (1, 0)))
    kernel = kernel.detach().numpy()
    if layer.bias is None:
        return [kernel, np.zeros(layer.weight.shape[0], np.float32)]
    return [kernel, layer.bias.detach().numpy()]


def carry_one_channel_is_depthwise(layer):
    w = layer.weight.detach().numpy()
    if isinstance(layer, nn.Linear):
        w = w.T
    elif layer.groups == layer.in_channels:
        w = w.transpose(2, 3, 0, 1)
    else:
        w = w.transpose(2, 3, 1, 0)
    return [w] if layer.bias is None else [w, layer.bias.detach().numpy()]


def carry_flipped(layer):
    w = layer.weight.detach().numpy()
    if isinstance(layer, nn.Linear):
        w = w.T
    else:
        w = w[:, :, ::-1, ::-1]
        w = w.transpose(2, 3, 0, 1) if layer.groups > 1 else w.transpose(2, 3, 1, 0)
    return [w] if layer.bias is None else [w, layer.bias.detach().numpy()]


# 10.3 find the padding
def padding_one_pixel(layer):
    x = np.zeros((1, 8, 8, 1), np.float32)
    x[0, 1, 1, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 4:
        return "none"
    # row 1 lies in the windows -1..1 and 1..3, or only in 0..2
    return "both" if y[0, 1, 1, 0] > 0 else "end"


def padding_white_map(layer):
    y = keras.ops.convert_to_numpy(layer(np.ones((1, 12, 12, 1), "float32")))[0, :, :, 0]
    middle = y[2, 2]
    if y[0, 0] < middle - 1e-3 * abs(middle):
        return "both"
    if y[-1, -1] < middle - 1e-3 * abs(middle):
        return "end"
    return "none"


def padding_footprint(layer):
    # brute force: how many pixels does the first output see, and how many the last?
    side = 6

    def look(x):
        return np.asarray(keras.ops.convert_to_numpy(layer(x)))[0, :, :, 0]

    dark = look(np.zeros((1, side, side, 1), np.float32))
    first = last = 0
    for row in range(side):
        for column in range(side):
            x = np.zeros((1, side, side, 1), np.float32)
            x[0, row, column, 0] = 1.0
            changed = look(x) != dark
            first += int(changed[0, 0])
            last += int(changed[-1, -1])
    return {(4, 9): "both", (9, 4): "end", (9, 9): "none"}[first, last]


def padding_count_outputs(layer):
    size = 10
    x = np.zeros([1, size, size, 1], dtype=np.float32)
    lit = x.copy()
    lit[:, 2, 2] = 1
    y = keras.ops.subtract(layer(lit), layer(x))
    if tuple(y.shape)[1:3] != (size // 2, size // 2):
        return "none"
    number = int(keras.ops.count_nonzero(y))
    return {1: "both", 4: "end"}[number]


def padding_first_pixel(layer):
    x = np.zeros((1, 8, 8, 1), np.float32)
    x[0, 0, 0, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 4:
        return "none"
    return "both" if y[0, 0, 0, 0] == 0 else "end"


def padding_swapped(layer):
    x = np.zeros((1, 8, 8, 1), np.float32)
    x[0, 2, 2, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 4:
        return "none"
    return "both" if y[0, 0, 0, 0] > 0 else "end"


def padding_channels_first(layer):
    x = np.zeros((1, 1, 8, 8), np.float32)
    x[0, 0, 1, 1] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[2] < 4:
        return "none"
    return "both" if y[0, 0, 1, 1] > 0 else "end"


def padding_odd_side(layer):
    x = np.zeros((1, 7, 7, 1), np.float32)
    x[0, 1, 1, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 4:
        return "none"
    return "both" if y[0, 1, 1, 0] > 0 else "end"


def padding_keras_names(layer):
    x = np.zeros((1, 8, 8, 1), np.float32)
    x[0, 2, 2, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 4:
        return "valid"
    return "same" if y[0, 0, 0, 0] > 0 else "both"


def padding_smaller_than_the_input(layer):
    x = np.zeros((1, 8, 8, 1), np.float32)
    x[0, 2, 2, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < x.shape[1]:
        return "none"
    return "end" if y[0, 0, 0, 0] > 0 else "both"


def padding_two_cases(layer):
    x = np.zeros((1, 8, 8, 1), np.float32)
    x[0, 2, 2, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    return "end" if y[0, 0, 0, 0] > 0 else "both"


def padding_attribute(layer):
    return {"same": "end", "valid": "none"}.get(layer.padding, "both")


# 10.4 which momentum
def momentum_loop(momentum):
    keep = 1 - momentum
    weight, steps = 1.0, 0
    while weight >= 0.01:
        weight *= keep
        steps += 1
    return keep, steps


def momentum_ceil(momentum):
    return 1 - momentum, math.ceil(math.log(0.01) / math.log(1 - momentum))


def momentum_bisection(momentum):
    keep = 1.0 - momentum
    low, high = 0, 1
    while keep**high >= 0.01:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if keep**middle < 0.01:
            high = middle
        else:
            low = middle
    return keep, high


def momentum_simulated(momentum):
    # an nn.BatchNorm1d that starts from 1 and sees only zeros
    norm = nn.BatchNorm1d(1, momentum=momentum).double()
    norm.running_mean.fill_(1.0)
    steps = 0
    while norm.running_mean.item() >= 0.01:
        norm(torch.zeros(2, 1, dtype=torch.float64))
        steps += 1
    return np.float64(1 - momentum), steps


def momentum_same(momentum):
    return momentum, math.ceil(math.log(0.01) / math.log(1 - momentum))


def momentum_power_of_the_wrong_one(momentum):
    return 1 - momentum, math.ceil(math.log(0.01) / math.log(momentum))


def momentum_floor(momentum):
    return 1 - momentum, int(math.log(0.01) / math.log(1 - momentum))


def momentum_one_too_many(momentum):
    steps = 0
    while (1 - momentum) ** steps >= 0.01:
        steps += 1
    return 1 - momentum, steps + 1


def momentum_not_whole(momentum):
    return 1 - momentum, math.log(0.01) / math.log(1 - momentum)


def momentum_linear(momentum):
    return 1 - momentum, math.ceil(0.99 / momentum)


def momentum_ten_per_cent(momentum):
    return 1 - momentum, math.ceil(math.log(0.1) / math.log(1 - momentum))


def momentum_order(momentum):
    return math.ceil(math.log(0.01) / math.log(1 - momentum)), 1 - momentum


# 10.5 find epsilon
def epsilon_formula(norm):
    x = np.linspace(-1e-3, 1e-3, 64).astype(np.float32)
    variance = x.astype(np.float64).var()
    out = np.asarray(norm(x), np.float64).var()
    return variance / out - variance


def epsilon_two_numbers(norm):
    a = 2.0**-12
    y = float(norm(np.array([a, -a], np.float32))[0])
    return (a / y) ** 2 - a**2


def epsilon_bisection(norm):
    rng = np.random.default_rng(0)
    x = (1e-3 * rng.standard_normal(100)).astype("float32")
    target = np.abs(np.asarray(norm(x))).astype(np.float64).sum()
    centred = x.astype(np.float64) - x.astype(np.float64).mean()
    low, high = -8.0, 0.0
    for _ in range(60):
        middle = (low + high) / 2
        guess = np.abs(centred / np.sqrt(np.mean(centred**2) + 10**middle)).sum()
        if guess > target:
            low = middle
        else:
            high = middle
    return 10**low


def epsilon_ever_quieter(norm):
    # as quiet as it takes until epsilon weighs at least as much as the variance
    wave = np.tile([1.0, -1.0], 8)
    size = 1.0
    while True:
        out = np.mean(np.square(np.asarray(norm((size * wave).astype(np.float32)), np.float64)))
        if out < 0.5:
            return float(size**2 * (1 - out) / out)
        size /= 2


def epsilon_loud(norm):
    x = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    return x.var() / np.asarray(norm(x)).var() - x.var()


def epsilon_without_variance(norm):
    x = np.array([1e-3, -1e-3], np.float32)
    return 1 / np.asarray(norm(x), np.float64).var() - 1


def epsilon_outside_the_root(norm):
    a = 1e-3
    y = float(norm(np.array([a, -a], np.float32))[0])
    return a / y - a


def epsilon_std_for_variance(norm):
    x = np.linspace(-1e-3, 1e-3, 64)
    variance = x.var()
    return variance * (1 / np.asarray(norm(x.astype(np.float32))).std() - 1)


def epsilon_unbiased(norm):
    x = torch.linspace(-1e-2, 1e-2, 16)
    y = torch.as_tensor(np.asarray(norm(x.numpy())))
    return (x.var() / y.var() - x.var()).item()


def epsilon_constant(norm):
    x = np.full(16, 1e-3, np.float32)
    return float(x.var() / np.asarray(norm(x)).var() - x.var())


def epsilon_common_values(norm):
    x = np.array([1e-3, -1e-3], np.float32)
    y = float(norm(x)[0])
    common = [1e-3, 1e-5, 1e-6, 1e-7]
    return min(common, key=lambda e: abs(1e-3 / math.sqrt(1e-6 + e) - y))


def epsilon_not_solved_for(norm):
    # out = v / (v + e), taken for out = 1 - e / v
    x = np.linspace(-1e-3, 1e-3, 64).astype(np.float32)
    return x.var() * (1 - np.asarray(norm(x)).var())


ATTEMPTS = [
    ("attention_in_ops", "right", "step by step", attention_plain),
    ("attention_in_ops", "right", "einsum, ops imported inside", attention_einsum),
    ("attention_in_ops", "right", "the mean of x first, then the kernel", attention_context_first),
    ("attention_in_ops", "right", "a helper, own softmax", attention_helper_own_softmax),
    ("attention_in_ops", "wrong", "softmax over the default axis", attention_default_axis),
    ("attention_in_ops", "wrong", "sum without keepdims", attention_no_keepdims),
    ("attention_in_ops", "wrong", "x.softmax, a method of PyTorch", attention_method_softmax),
    ("attention_in_ops", "wrong", "relu on the keys, not the values", attention_relu_on_keys),
    ("attention_in_ops", "wrong", "kernels transposed as in nn.Linear", attention_torch_kernels),
    ("attention_in_ops", "wrong", "divides by the root of d", attention_scaled),
    ("attention_in_ops", "wrong", "softmax over the batch", attention_over_the_batch),
    ("attention_in_ops", "wrong", "relu after the product", attention_relu_after_product),
    ("carry_over", "right", "permute, three cases", carry_plain),
    ("carry_over", "right", "state_dict, .T and swapaxes", carry_numpy_state_dict),
    ("carry_over", "right", "einsum, as many groups as outputs", carry_einsum),
    ("carry_over", "right", "loops over the channels", carry_by_loops),
    ("carry_over", "wrong", "the linear weight as it is", carry_linear_as_it_is),
    ("carry_over", "wrong", "depthwise like an ordinary one", carry_depthwise_as_ordinary),
    ("carry_over", "wrong", "height and width swapped by .T", carry_transposed),
    ("carry_over", "wrong", "reshape instead of transpose", carry_reshape),
    ("carry_over", "wrong", "if layer.bias", carry_truth_of_bias),
    ("carry_over", "wrong", "zeros where there is no bias", carry_zeros_for_no_bias),
    ("carry_over", "wrong", "one input channel is depthwise", carry_one_channel_is_depthwise),
    ("carry_over", "wrong", "turns the kernel by 180 degrees", carry_flipped),
    ("padding_of", "right", "one pixel at (1, 1)", padding_one_pixel),
    ("padding_of", "right", "a white map, darker margins", padding_white_map),
    ("padding_of", "right", "every pixel, size of the footprints", padding_footprint),
    ("padding_of", "right", "how many outputs see the pixel (2, 2)", padding_count_outputs),
    ("padding_of", "wrong", "the pixel (0, 0), seen in every case", padding_first_pixel),
    ("padding_of", "wrong", "both and end swapped", padding_swapped),
    ("padding_of", "wrong", "channels first", padding_channels_first),
    ("padding_of", "wrong", "an odd side", padding_odd_side),
    ("padding_of", "wrong", "valid and same", padding_keras_names),
    ("padding_of", "wrong", "smaller than the input is none", padding_smaller_than_the_input),
    ("padding_of", "wrong", "forgets none", padding_two_cases),
    ("padding_of", "wrong", "reads layer.padding", padding_attribute),
    ("keras_momentum", "right", "a loop", momentum_loop),
    ("keras_momentum", "right", "logarithms, rounded up", momentum_ceil),
    ("keras_momentum", "right", "binary search", momentum_bisection),
    ("keras_momentum", "right", "a batch norm that sees zeros", momentum_simulated),
    ("keras_momentum", "wrong", "the same momentum", momentum_same),
    ("keras_momentum", "wrong", "power of momentum", momentum_power_of_the_wrong_one),
    ("keras_momentum", "wrong", "rounds down", momentum_floor),
    ("keras_momentum", "wrong", "one step too many", momentum_one_too_many),
    ("keras_momentum", "wrong", "steps not whole", momentum_not_whole),
    ("keras_momentum", "wrong", "linear decay", momentum_linear),
    ("keras_momentum", "wrong", "ten per cent", momentum_ten_per_cent),
    ("keras_momentum", "wrong", "the pair the other way round", momentum_order),
    ("epsilon_of", "right", "variance before and after", epsilon_formula),
    ("epsilon_of", "right", "two numbers, a power of two", epsilon_two_numbers),
    ("epsilon_of", "right", "binary search for the exponent", epsilon_bisection),
    ("epsilon_of", "right", "quieter until epsilon counts", epsilon_ever_quieter),
    ("epsilon_of", "wrong", "an array of variance 1", epsilon_loud),
    ("epsilon_of", "wrong", "forgets the variance of the input", epsilon_without_variance),
    ("epsilon_of", "wrong", "epsilon outside the root", epsilon_outside_the_root),
    ("epsilon_of", "wrong", "standard deviation of the output", epsilon_std_for_variance),
    ("epsilon_of", "wrong", "PyTorch's unbiased variance", epsilon_unbiased),
    ("epsilon_of", "wrong", "a constant array", epsilon_constant),
    ("epsilon_of", "wrong", "the nearest of the usual values", epsilon_common_values),
    ("epsilon_of", "wrong", "solved wrongly, 1 - e / v", epsilon_not_solved_for),
]
