"""Attempts of a second reader at notebook 10: written from the stubs alone, before any check was run."""

import math
import os

import numpy as np
import torch
from torch import nn

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402
from keras import ops  # noqa: E402

# 10.1 separable attention in keras.ops


def attention_plain(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I), axis=1)
    key = keras.ops.matmul(x, W_K) + b_K
    context = keras.ops.sum(scores * key, axis=1, keepdims=True)
    value = keras.ops.relu(keras.ops.matmul(x, W_V) + b_V)
    return keras.ops.matmul(value * context, W_O) + b_O


def attention_einsum(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = ops.softmax(ops.einsum("bkd,do->bko", x, W_I)[..., 0], axis=-1)
    key = ops.einsum("bkd,de->bke", x, W_K) + b_K
    value = ops.maximum(ops.einsum("bkd,de->bke", x, W_V) + b_V, 0.0)
    context = ops.einsum("bk,bke->be", scores, key)
    return ops.einsum("bke,be,ef->bkf", value, context, W_O) + b_O


def attention_batch_loop(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    def stable_softmax(column):
        e = keras.ops.exp(column - keras.ops.max(column))
        return e / keras.ops.sum(e)

    results = []
    for i in range(x.shape[0]):
        tokens = x[i]
        weights = stable_softmax(tokens @ W_I)
        # the weights sum to one, so the bias may be added after the sum
        mean_token = keras.ops.sum(weights * tokens, axis=0)
        context = mean_token @ W_K + b_K
        value = keras.ops.relu(tokens @ W_V + b_V)
        results.append((value * context) @ W_O + b_O)
    return keras.ops.stack(results)


def _linear(x, kernel, bias):
    return ops.add(ops.matmul(x, kernel), bias)


def attention_helper(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    logits = ops.transpose(ops.matmul(x, W_I), (0, 2, 1))
    context = ops.matmul(ops.softmax(logits), _linear(x, W_K, b_K))
    value = ops.relu(_linear(x, W_V, b_V))
    return _linear(ops.multiply(value, context), W_O, b_O)


def attention_method_softmax(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = (x @ W_I).softmax(dim=1)
    context = keras.ops.sum(scores * (x @ W_K + b_K), axis=1, keepdims=True)
    return (keras.ops.relu(x @ W_V + b_V) * context) @ W_O + b_O


def attention_torch(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = torch.softmax(x @ W_I, dim=1)
    context = torch.sum(scores * (x @ W_K + b_K), dim=1, keepdim=True)
    return (torch.relu(x @ W_V + b_V) * context) @ W_O + b_O


def attention_method_sum(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(x @ W_I, axis=1)
    context = (scores * (x @ W_K + b_K)).sum(axis=1, keepdims=True)
    return (keras.ops.relu(x @ W_V + b_V) * context) @ W_O + b_O


def attention_last_axis(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I))
    key = keras.ops.matmul(x, W_K) + b_K
    context = keras.ops.sum(scores * key, axis=1, keepdims=True)
    value = keras.ops.relu(keras.ops.matmul(x, W_V) + b_V)
    return keras.ops.matmul(value * context, W_O) + b_O


def attention_no_relu(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I), axis=1)
    key = keras.ops.matmul(x, W_K) + b_K
    context = keras.ops.sum(scores * key, axis=1, keepdims=True)
    value = keras.ops.matmul(x, W_V) + b_V
    return keras.ops.matmul(value * context, W_O) + b_O


def attention_no_keepdims(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I), axis=1)
    key = keras.ops.matmul(x, W_K) + b_K
    context = keras.ops.sum(scores * key, axis=1)
    value = keras.ops.relu(keras.ops.matmul(x, W_V) + b_V)
    return keras.ops.matmul(value * context, W_O) + b_O


def attention_relu_of_key(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I), axis=1)
    key = keras.ops.relu(keras.ops.matmul(x, W_K) + b_K)
    context = keras.ops.sum(scores * key, axis=1, keepdims=True)
    value = keras.ops.matmul(x, W_V) + b_V
    return keras.ops.matmul(value * context, W_O) + b_O


def attention_mean(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = keras.ops.softmax(keras.ops.matmul(x, W_I), axis=1)
    key = keras.ops.matmul(x, W_K) + b_K
    context = keras.ops.mean(scores * key, axis=1, keepdims=True)
    value = keras.ops.relu(keras.ops.matmul(x, W_V) + b_V)
    return keras.ops.matmul(value * context, W_O) + b_O


def attention_transposed(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    scores = ops.softmax(ops.matmul(x, W_I), axis=1)
    key = ops.matmul(x, ops.transpose(W_K)) + b_K
    context = ops.sum(scores * key, axis=1, keepdims=True)
    value = ops.relu(ops.matmul(x, ops.transpose(W_V)) + b_V)
    return ops.matmul(value * context, ops.transpose(W_O)) + b_O


# 10.2 carry one layer over


def carry_permute(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.permute(1, 0)
    elif layer.groups > 1:
        kernel = layer.weight.permute(2, 3, 0, 1)
    else:
        kernel = layer.weight.permute(2, 3, 1, 0)
    arrays = [kernel.detach().numpy()]
    if layer.bias is not None:
        arrays.append(layer.bias.detach().numpy())
    return arrays


def carry_state_dict(layer):
    state = {name: t.cpu().numpy() for name, t in layer.state_dict().items()}
    axes = (1, 0)
    if isinstance(layer, nn.Conv2d):
        axes = (2, 3, 1, 0) if layer.groups == 1 else (2, 3, 0, 1)
    kernel = np.ascontiguousarray(state["weight"].transpose(axes))
    return [kernel] + ([state["bias"]] if "bias" in state else [])


def carry_loops(layer):
    weight = layer.weight.detach().tolist()
    if isinstance(layer, nn.Linear):
        kernel = np.empty((layer.in_features, layer.out_features))
        for o, row in enumerate(weight):
            for i, w in enumerate(row):
                kernel[i, o] = w
    else:
        height, width = layer.kernel_size
        depthwise = layer.groups > 1
        last = (layer.in_channels, 1 if depthwise else layer.out_channels)
        kernel = np.empty((height, width, *last))
        for o, filters in enumerate(weight):
            for i, plane in enumerate(filters):
                place = (o, 0) if depthwise else (i, o)
                kernel[(slice(None), slice(None), *place)] = plane
    result = [kernel]
    if layer.bias is not None:
        result.append(np.array(layer.bias.tolist()))
    return result


@torch.no_grad()
def carry_einsum(layer):
    pattern = "oi->io"
    if isinstance(layer, nn.Conv2d):
        pattern = "oihw->hwio"
        if layer.groups == layer.in_channels == layer.out_channels:
            pattern = "oihw->hwoi"
    parameters = [torch.einsum(pattern, layer.weight), layer.bias]
    return [p.clone().numpy() for p in parameters if p is not None]


def carry_linear_as_is(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight
    elif layer.groups > 1:
        kernel = layer.weight.permute(2, 3, 0, 1)
    else:
        kernel = layer.weight.permute(2, 3, 1, 0)
    result = [kernel.detach().numpy()]
    if layer.bias is not None:
        result.append(layer.bias.detach().numpy())
    return result


def carry_depthwise_as_conv(layer):
    kernel = layer.weight.T if isinstance(layer, nn.Linear) else layer.weight.permute(2, 3, 1, 0)
    result = [kernel.detach().numpy()]
    if layer.bias is not None:
        result.append(layer.bias.detach().numpy())
    return result


def carry_reversed_axes(layer):
    kernel = layer.weight.detach().numpy().T
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        kernel = kernel.swapaxes(2, 3)
    result = [kernel]
    if layer.bias is not None:
        result.append(layer.bias.detach().numpy())
    return result


def carry_reshape(layer):
    weight = layer.weight.detach()
    if isinstance(layer, nn.Linear):
        kernel = weight.reshape(layer.in_features, layer.out_features)
    else:
        out_channels, in_channels, h, w = weight.shape
        if layer.groups > 1:
            kernel = weight.reshape(h, w, out_channels, 1)
        else:
            kernel = weight.reshape(h, w, in_channels, out_channels)
    result = [kernel.numpy()]
    if layer.bias is not None:
        result.append(layer.bias.detach().numpy())
    return result


def carry_none_bias(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.permute(1, 0)
    elif layer.groups > 1:
        kernel = layer.weight.permute(2, 3, 0, 1)
    else:
        kernel = layer.weight.permute(2, 3, 1, 0)
    bias = None if layer.bias is None else layer.bias.detach().numpy()
    return [kernel.detach().numpy(), bias]


def carry_zero_bias(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.permute(1, 0)
    elif layer.groups > 1:
        kernel = layer.weight.permute(2, 3, 0, 1)
    else:
        kernel = layer.weight.permute(2, 3, 1, 0)
    bias = layer.bias
    if bias is None:
        bias = torch.zeros(layer.weight.shape[0])
    return [kernel.detach().numpy(), bias.detach().numpy()]


def carry_bias_truth(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.permute(1, 0)
    elif layer.groups > 1:
        kernel = layer.weight.permute(2, 3, 0, 1)
    else:
        kernel = layer.weight.permute(2, 3, 1, 0)
    result = [kernel.detach().numpy()]
    if layer.bias:
        result.append(layer.bias.detach().numpy())
    return result


def carry_groups_in_channels(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.permute(1, 0)
    elif layer.groups == layer.in_channels:
        kernel = layer.weight.permute(2, 3, 0, 1)
    else:
        kernel = layer.weight.permute(2, 3, 1, 0)
    result = [kernel.detach().numpy()]
    if layer.bias is not None:
        result.append(layer.bias.detach().numpy())
    return result


def carry_tensors(layer):
    if isinstance(layer, nn.Linear):
        kernel = layer.weight.T
    elif layer.groups > 1:
        kernel = layer.weight.permute(2, 3, 0, 1)
    else:
        kernel = layer.weight.permute(2, 3, 1, 0)
    return [kernel] if layer.bias is None else [kernel, layer.bias]


# 10.3 the padding from outputs alone


def padding_impulse(layer):
    x = np.zeros((1, 8, 8, 1), dtype=np.float32)
    x[0, 1, 1, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 4:
        return "none"
    # row 1 is seen by the windows -1, 0, 1 and 1, 2, 3, or by 0, 1, 2 alone
    return "both" if np.count_nonzero(y) > 1 else "end"


def padding_ones(layer):
    x = np.ones([1, 6, 10, 1], "float32")
    y = keras.ops.convert_to_numpy(layer(x))[0, :, :, 0]
    if y.shape != (3, 5):
        return "none"
    middle = y[1, 2]
    if y[0, 0] < 0.9999 * middle:
        return "both"
    if y[-1, -1] < 0.9999 * middle:
        return "end"
    return "none"


def padding_scan(layer):
    def answer(x):
        return layer(x)[0, :, :, 0].detach().cpu().numpy()

    zero = answer(np.zeros((1, 4, 4, 1), dtype=np.float32))
    if zero.size == 1:
        return "none"
    seen_by_first = set()
    for row in range(4):
        x = np.zeros((1, 4, 4, 1), dtype=np.float32)
        x[:, row, :, :] = 1
        if answer(x)[0, 0] != zero[0, 0]:
            seen_by_first.add(row)
    return {2: "both", 3: "end"}[len(seen_by_first)]


def padding_two_sizes(layer):
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, size=(1, 16, 16, 1)).astype(np.float32)
    other = x.copy()
    other[:, -2:] += 5
    other[:, 0] += 5
    y = np.array(layer(x).tolist())
    if 2 * y.shape[2] < 16:
        return "none"
    changed = np.abs(np.array(layer(other).tolist()) - y).max(axis=(0, 2, 3)) > 1e-6
    # the last two rows: only the last window sees them if padded on both sides,
    # with the padding at the end too; the third row decides
    third = x.copy()
    third[:, 2] += 5
    moved = np.abs(np.array(layer(third).tolist()) - y).max(axis=(0, 2, 3)) > 1e-6
    assert changed[0]
    assert changed[-1]
    return "end" if moved[0] else "both"


def padding_first_pixel(layer):
    x = np.zeros((1, 8, 8, 1), dtype=np.float32)
    x[0, 0, 0, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 4:
        return "none"
    return "end" if y[0, 0, 0, 0] > 0 else "both"


def padding_odd_map(layer):
    x = np.zeros((1, 9, 9, 1), dtype=np.float32)
    x[0, 1, 1, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 5:
        return "none"
    return "both" if y[0, 1, 1, 0] > 0 else "end"


def padding_swapped(layer):
    x = np.zeros((1, 8, 8, 1), dtype=np.float32)
    x[0, 2, 2, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[1] < 4:
        return "none"
    return "both" if y[0, 0, 0, 0] > 0 else "end"


def padding_both_edges(layer):
    y = keras.ops.convert_to_numpy(layer(np.ones((1, 8, 8, 1), np.float32)))
    y = y[0, :, :, 0]
    middle = y[1, 1] * 0.999
    if y[0, 0] < middle and y[-1, -1] < middle:
        return "both"
    if y[-1, -1] < middle:
        return "end"
    return "none"


def padding_attribute(layer):
    if layer.padding == "same":
        return "end"
    y = layer(np.ones((1, 8, 8, 1), np.float32))
    return "none" if y.shape[1] == 3 else "both"


def padding_channels_first(layer):
    x = np.zeros((1, 1, 8, 8), dtype=np.float32)
    x[0, 0, 1, 1] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape[2] < 4:
        return "none"
    return "both" if y[0, 0, 1, 1] > 0 else "end"


def padding_shape_equal(layer):
    x = np.zeros((1, 8, 8, 1), dtype=np.float32)
    x[0, 1, 1, 0] = 1
    y = keras.ops.convert_to_numpy(layer(x))
    if y.shape != x.shape:
        return "none"
    return "both" if y[0, 1, 1, 0] > 0 else "end"


def padding_sum(layer):
    y = keras.ops.convert_to_numpy(layer(np.ones((1, 8, 8, 1), np.float32)))
    if y.shape[1] == 3:
        return "none"
    first, last = y[0, 0].sum(), y[0, -1].sum()
    return "both" if np.isclose(first, last) else "end"


# 10.4 which momentum


def momentum_loop(momentum):
    keras_value = 1 - momentum
    weight, steps = 1.0, 0
    while weight >= 0.01:
        weight *= keras_value
        steps += 1
    return keras_value, steps


def momentum_log(momentum):
    steps = math.floor(math.log(0.01) / math.log1p(-momentum)) + 1
    return [1.0 - momentum, steps]


def momentum_numpy(momentum):
    keep = np.float64(1) - momentum
    return np.array([keep, np.ceil(-2 / np.log10(keep))])


def momentum_doubling(momentum):
    keep = torch.tensor(1 - momentum, dtype=torch.float64)
    low, high = 0, 1
    while keep**high >= 0.01:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if keep**middle < 0.01:
            high = middle
        else:
            low = middle
    return keep, torch.tensor(high)


def momentum_same(momentum):
    steps = math.ceil(math.log(0.01) / math.log(1 - momentum))
    return momentum, steps


def momentum_wrong_base(momentum):
    steps = math.ceil(math.log(0.01) / math.log(momentum))
    return 1 - momentum, steps


def momentum_floor(momentum):
    steps = int(math.log(0.01) / math.log(1 - momentum))
    return 1 - momentum, steps


def momentum_not_rounded(momentum):
    return 1 - momentum, math.log(0.01) / math.log(1 - momentum)


def momentum_linear(momentum):
    return 1 - momentum, math.ceil(0.99 / momentum)


def momentum_swapped_pair(momentum):
    keep = 1 - momentum
    steps, weight = 0, 1.0
    while weight >= 0.01:
        weight *= keep
        steps += 1
    return steps, keep


def momentum_ten_per_cent(momentum):
    keep = 1 - momentum
    return keep, math.ceil(math.log(0.1) / math.log(keep))


def momentum_starts_late(momentum):
    keep = 1 - momentum
    weight, steps = keep, 0
    while weight >= 0.01:
        weight *= keep
        steps += 1
    return keep, steps


# 10.5 the epsilon from outputs alone


def epsilon_pair(norm):
    a = 1e-4
    out = norm(np.array([-a, a], dtype=np.float32))
    return (a / float(out[1])) ** 2 - a**2


def epsilon_random(norm):
    x = np.random.default_rng(1).normal(scale=3e-4, size=10_000)
    y = np.asarray(norm(x), dtype=np.float64)
    return x.var() * (1 / y.var() - 1)


def epsilon_bisection(norm):
    x = np.linspace(-1e-3, 1e-3, 101).astype(np.float32)
    variance = float(np.var(x.astype(np.float64)))
    target = float(np.std(norm(x).astype(np.float64)))
    low, high = 1e-8, 1.0
    for _ in range(100):
        middle = math.sqrt(low * high)
        if math.sqrt(variance / (variance + middle)) > target:
            low = middle
        else:
            high = middle
    return torch.tensor(low)


def epsilon_line(norm):
    # 1 / var(out) = 1 + eps / var(in): a line, its slope is eps
    ramp = np.arange(64, dtype=np.float64) - 31.5
    ramp /= ramp.std()
    inverse, answers = [], []
    for deviation in (1e-4, 2e-4, 3e-4):
        x = deviation * ramp
        inverse.append(1 / x.var())
        answers.append(1 / norm(x).astype(np.float64).var())
    return np.polyfit(inverse, answers, 1)[0]


def epsilon_loud(norm):
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    y = norm(x)
    return x.var() / y.var() - x.var()


def epsilon_no_square(norm):
    a = 1e-4
    y = norm(np.array([-a, a], dtype=np.float32))
    return a / float(y[1]) - a


def epsilon_not_subtracted(norm):
    x = np.linspace(-1e-3, 1e-3, 100, dtype=np.float32)
    return float(x.var() / norm(x).var())


def epsilon_constant(norm):
    x = np.full(100, 1e-4, dtype=np.float32)
    y = norm(x)
    return x.var() / y.var() - x.var()


def epsilon_power_of_ten(norm):
    x = np.array([-1e-4, 1e-4], dtype=np.float32)
    found = float(norm(x).std())
    candidates = [10.0**-p for p in range(1, 8)]
    return min(candidates, key=lambda e: abs(1e-4 / math.sqrt(1e-8 + e) - found))


def epsilon_unbiased(norm):
    x = torch.tensor([-1e-3, 1e-3])
    y = torch.from_numpy(norm(x.numpy()))
    return (x.var() / y.var() - x.var()).item()


def epsilon_outside_root(norm):
    x = np.linspace(-1e-3, 1e-3, 50, dtype=np.float32)
    y = norm(x)
    return float(x.std() / y.std() - x.std())


def epsilon_far_mean(norm):
    rng = np.random.default_rng(0)
    x = (100 + 1e-4 * rng.standard_normal(1000)).astype(np.float32)
    y = norm(x)
    return 1e-8 / float(y.var()) - 1e-8


ATTEMPTS = [
    ("attention_in_ops", "right", "keras.ops, line by line", attention_plain),
    ("attention_in_ops", "right", "einsum, maximum", attention_einsum),
    ("attention_in_ops", "right", "a loop over the batch, own softmax", attention_batch_loop),
    ("attention_in_ops", "right", "a helper outside, matmul for the sum", attention_helper),
    ("attention_in_ops", "wrong", "method softmax(dim=1)", attention_method_softmax),
    ("attention_in_ops", "wrong", "torch functions", attention_torch),
    ("attention_in_ops", "wrong", "method sum, not in TensorFlow", attention_method_sum),
    ("attention_in_ops", "wrong", "softmax over the last axis", attention_last_axis),
    ("attention_in_ops", "wrong", "no ReLU", attention_no_relu),
    ("attention_in_ops", "wrong", "sum without keepdims", attention_no_keepdims),
    ("attention_in_ops", "wrong", "ReLU of the keys, not the values", attention_relu_of_key),
    ("attention_in_ops", "wrong", "mean instead of sum", attention_mean),
    ("attention_in_ops", "wrong", "kernels transposed", attention_transposed),
    ("carry_over", "right", "permute, three cases", carry_permute),
    ("carry_over", "right", "state_dict, NumPy transpose", carry_state_dict),
    ("carry_over", "right", "loops, float64", carry_loops),
    ("carry_over", "right", "einsum", carry_einsum),
    ("carry_over", "wrong", "linear not transposed", carry_linear_as_is),
    ("carry_over", "wrong", "depthwise as an ordinary one", carry_depthwise_as_conv),
    ("carry_over", "wrong", ".T: height and width swapped", carry_reversed_axes),
    ("carry_over", "wrong", "reshape instead of permute", carry_reshape),
    ("carry_over", "wrong", "None for a missing bias", carry_none_bias),
    ("carry_over", "wrong", "zeros for a missing bias", carry_zero_bias),
    ("carry_over", "wrong", "if layer.bias", carry_bias_truth),
    ("carry_over", "wrong", "one input channel: depthwise", carry_groups_in_channels),
    ("carry_over", "right", "tensors, which set_weights takes as well", carry_tensors),
    ("padding_of", "right", "one pixel in row 1", padding_impulse),
    ("padding_of", "right", "ones, the corners", padding_ones),
    ("padding_of", "right", "which rows the first window sees", padding_scan),
    ("padding_of", "right", "random maps, differences, lists", padding_two_sizes),
    ("padding_of", "wrong", "pixel in row 0, seen by both", padding_first_pixel),
    ("padding_of", "wrong", "odd sides", padding_odd_map),
    ("padding_of", "wrong", "both and end swapped", padding_swapped),
    ("padding_of", "wrong", "expects both edges to be weaker", padding_both_edges),
    ("padding_of", "wrong", "reads layer.padding", padding_attribute),
    ("padding_of", "wrong", "channels first", padding_channels_first),
    ("padding_of", "wrong", "stride forgotten: same shape expected", padding_shape_equal),
    ("padding_of", "wrong", "both if first and last row agree", padding_sum),
    ("keras_momentum", "right", "a loop", momentum_loop),
    ("keras_momentum", "right", "logarithm, floor + 1, a list", momentum_log),
    ("keras_momentum", "right", "NumPy, log10, an array", momentum_numpy),
    ("keras_momentum", "right", "bisection, tensors", momentum_doubling),
    ("keras_momentum", "wrong", "momentum unchanged", momentum_same),
    ("keras_momentum", "wrong", "steps with momentum as base", momentum_wrong_base),
    ("keras_momentum", "wrong", "rounded down", momentum_floor),
    ("keras_momentum", "wrong", "steps not rounded", momentum_not_rounded),
    ("keras_momentum", "wrong", "linear instead of geometric", momentum_linear),
    ("keras_momentum", "wrong", "pair in the other order", momentum_swapped_pair),
    ("keras_momentum", "wrong", "ten per cent", momentum_ten_per_cent),
    ("keras_momentum", "wrong", "first step not counted", momentum_starts_late),
    ("epsilon_of", "right", "a pair of numbers", epsilon_pair),
    ("epsilon_of", "right", "random, float64, variances", epsilon_random),
    ("epsilon_of", "right", "bisection, a tensor", epsilon_bisection),
    ("epsilon_of", "right", "the slope of a line", epsilon_line),
    ("epsilon_of", "wrong", "variance 1", epsilon_loud),
    ("epsilon_of", "wrong", "not squared", epsilon_no_square),
    ("epsilon_of", "wrong", "variance not subtracted", epsilon_not_subtracted),
    ("epsilon_of", "wrong", "a constant array", epsilon_constant),
    ("epsilon_of", "wrong", "nearest power of ten", epsilon_power_of_ten),
    ("epsilon_of", "wrong", "unbiased variance of two numbers", epsilon_unbiased),
    ("epsilon_of", "wrong", "epsilon outside the root", epsilon_outside_root),
    ("epsilon_of", "right", "a large mean, but still within a tenth", epsilon_far_mean),
]
