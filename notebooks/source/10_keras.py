# %% [markdown]
# # 10 · The same model in Keras 3
#
# **You build the model a second time, in another framework, and hunt the differences that raise no error.**
#
# **You will be able to**
#
# 1. *write* separable attention and the block in Keras, for any backend,
# 2. *find* what two frameworks do differently without saying so,
# 3. *carry* a trained network from one to the other, and prove it by equal answers,
# 4. *evaluate*, save and train it by Keras' own means,
# 5. *measure* the growth with the number of tokens once more.
#
# **You need** notebooks 02, 04 and 05, and to have met Keras. No internet connection is needed, and no graphics card. The
# package `keras` does not come with the course, and the first cell says how to get it.
#
# *95 minutes: 73 to read, run and build, 22 for the exercises at the end.*
# All cells together take about a minute.

# %% [markdown] slide="`keras.ops` in place of `torch`: one layer for every backend." ask="What in your own layers would not survive a change of backend?"
# ## Separable attention as a Keras layer · 0 min
#
# The set-up. `setup.optional` imports `keras`. If that fails, it says why, and all other cells stay silent:

# %%
import os

import numpy as np
import torch
from torch import nn

import mvit2_lib as mv
from mvit2_lib.course import checks, figures, setup, tables, timing

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = setup.optional("keras")

# %% [markdown]
# Keras describes networks, and leaves the computing to a *backend*: PyTorch, JAX or TensorFlow. The environment variable
# `KERAS_BACKEND` chooses it, before Keras is imported. Unless you have chosen another, it is PyTorch here:

# %% tags=["nbval-ignore-output"]
print("Keras", keras.__version__, "on", keras.backend.backend())

# %% [markdown]
# A layer for all backends must not call PyTorch. It calls `keras.ops`, whose functions look like NumPy's. A Keras
# layer computes in `call`, as a PyTorch module does in `forward`. Its parts can be made in `build`, when the shape of the
# input is known.
#
# Here is separable attention, Eqs. 2 and 3 of the paper. As in notebook 02, the tokens are pooled before they are
# projected, which gives the same vector. We build the four parts at once, so that they have weights before the first
# call:


# %%
class SeparableSelfAttention(keras.layers.Layer):
    def build(self, input_shape):
        d = input_shape[-1]
        self.W_I = keras.layers.Dense(1)
        self.W_K = keras.layers.Dense(d)
        self.W_V = keras.layers.Dense(d)
        self.W_O = keras.layers.Dense(d)
        for layer in (self.W_I, self.W_K, self.W_V, self.W_O):
            layer.build(input_shape)

    def call(self, x):
        ops = keras.ops
        c_s = ops.softmax(self.W_I(x), axis=-2)  # [B, k, 1]
        c_v = self.W_K(ops.sum(c_s * x, axis=-2, keepdims=True))  # [B, 1, d]
        return self.W_O(c_v * ops.relu(self.W_V(x)))  # [B, k, d]


# %% [markdown]
# `keras.layers.Dense` is PyTorch's `nn.Linear`. Keras calls its weight the *kernel*, and stores it as `[in, out]`, where PyTorch
# stores `[out, in]`. So each is transposed on its way over:

# %%
torch.manual_seed(0)
torch_attention = mv.SeparableSelfAttention(8)
keras_attention = SeparableSelfAttention()
keras_attention.build((None, None, 8))
for name in ("W_I", "W_K", "W_V", "W_O"):
    linear = getattr(torch_attention, name)
    kernel, bias = linear.weight.detach().T.numpy(), linear.bias.detach().numpy()
    getattr(keras_attention, name).set_weights([kernel, bias])

# %% slide="Equal to PyTorch's layer"
x = torch.randn(2, 5, 8)  # [B, k, d]


def to_torch(result):
    return torch.tensor(keras.ops.convert_to_numpy(result))


with torch.no_grad():
    expected = torch_attention(x)
torch.testing.assert_close(to_torch(keras_attention(x.numpy())), expected)
print(f"equal, with {keras_attention.count_params()} weights")

# %% [markdown]
# ### 10.1 · For any backend ★★ · 8 min
#
# Write separable attention as a function of arrays, with nothing but `keras.ops` and Python's operators. `x` is `[B, k, d]`,
# `W_I` is `[d, 1]`, the other kernels are `[d, d]`, and `b_K`, `b_V`, `b_O` are `[d]`. There is no `b_I`, because it would
# drop out of the softmax. Return `[B, k, d]`. The check runs your function on this backend.
# If it is right, and JAX or TensorFlow is installed as well, it runs once more there, in a new process.
#
# <details><summary>Hint</summary>
#
# `keras.ops` has `softmax`, `relu`, `sum` and `matmul`, with `axis` and `keepdims`. A method such as `x.softmax(…)` belongs to
# one backend alone.
#
# </details>


# %% tags=["exercise"]
def attention_in_ops(x, W_I, W_K, b_K, W_V, b_V, W_O, b_O):
    ### BEGIN SOLUTION
    ops = keras.ops
    c_s = ops.softmax(ops.matmul(x, W_I), axis=1)  # [B, k, 1]
    pooled = ops.sum(c_s * x, axis=1, keepdims=True)  # [B, 1, d]
    c_v = ops.matmul(pooled, W_K) + b_K  # [B, 1, d]
    gates = ops.relu(ops.matmul(x, W_V) + b_V)  # [B, k, d]
    return ops.matmul(c_v * gates, W_O) + b_O
    ### END SOLUTION


checks.attention_in_ops(attention_in_ops)

# %% [markdown] slide="Some slips raise an error. The others are worse."
# ## What differs without an error · 13 min
#
# Some slips raise an error, because a shape does not fit. The others are worse. The model runs, and answers something. So
# before we build the block, here are the places where the two frameworks disagree and it matters for us:
#
# | what | PyTorch | Keras |
# |---|---|---|
# | layout of a map | `[B, C, H, W]` | `[B, H, W, C]` |
# | kernel of a convolution | `[out, in, height, width]` | `[height, width, in, out]` |
# | 1×1 convolution | `nn.Conv2d` with `kernel_size=1` | a dense layer does the same |
# | padding of a 3×3 convolution with stride 2 | `padding=1`: a pixel on each side | `padding="same"`: a pixel at the far end, if the side is even |
# | ε of a norm | $10^{-5}$ | $10^{-3}$ |
# | momentum of a batch norm | share of the *new* statistics, 0.1 | share of the *old* ones, 0.99 |
# | running variance, of $n$ numbers | divided by $n - 1$ | divided by $n$ |
# | first weights of a dense layer | uniform, up to $1/\sqrt{n}$ for $n$ inputs; bias too | uniform, up to $\sqrt{6/(n+m)}$ for $m$ outputs; bias 0 |
# | training | a mode of the model, `model.train()` | an argument of the call, `training=True` |
#
# The numbers are the defaults. We go down the table, and see each row.
#
# **Layout.** In PyTorch, a map has its channels first, in Keras last. A picture goes over by moving one axis:


# %%
def to_keras(maps):
    return maps.permute(0, 2, 3, 1).numpy()  # [B, H, W, C]


colours = torch.rand(2, 3, 6, 8)  # [B, C, H, W]
print("PyTorch", tuple(colours.shape), "Keras", to_keras(colours).shape)

# %% [markdown]
# **Kernels.** A convolution's kernel has its axes in another order, too. Here is one like the first of our network, in both orders:

# %%
conv = nn.Conv2d(3, 16, kernel_size=3, bias=False)
print("PyTorch", tuple(conv.weight.shape))
theirs = keras.layers.Conv2D(16, 3, use_bias=False)
theirs.build((None, None, None, 3))
print("Keras  ", tuple(theirs.kernel.shape))
theirs.set_weights([conv.weight.detach().permute(2, 3, 1, 0).numpy()])
with torch.no_grad():
    expected = conv(colours).movedim(1, -1)  # [B, H, W, C]
torch.testing.assert_close(to_torch(theirs(to_keras(colours))), expected)
print("equal")

# %% [markdown]
# ### 10.2 · Carry one layer over ★★ · 8 min
#
# `layer` is PyTorch's, an `nn.Linear` or an `nn.Conv2d`, with or without a bias. A convolution is either an ordinary one or
# *depthwise*, with as many groups as channels. Return what Keras' `Dense`, `Conv2D` or `DepthwiseConv2D` takes in
# `set_weights`: a list of NumPy arrays, the kernel first, and then the bias if there is one. A depthwise kernel is
# `[channels, 1, height, width]` in PyTorch and `[height, width, channels, 1]` in Keras.
#
# <details><summary>Hint</summary>
#
# `isinstance(layer, nn.Linear)` and `layer.groups` tell the three kinds apart, and `layer.bias` may be `None`.
# `weight.permute(…)` takes the axes in their new order. `.detach().numpy()` makes an array.
#
# </details>


# %% tags=["exercise"]
def carry_over(layer):
    ### BEGIN SOLUTION
    weight = layer.weight.detach()
    if isinstance(layer, nn.Linear):
        kernel = weight.T
    elif layer.groups > 1:
        kernel = weight.permute(2, 3, 0, 1)
    else:
        kernel = weight.permute(2, 3, 1, 0)
    biases = [] if layer.bias is None else [layer.bias.detach().numpy()]
    return [kernel.numpy(), *biases]
    ### END SOLUTION


checks.carry_over(carry_over)

# %% [markdown]
# **A 1×1 convolution is a dense layer** for every pixel (notebook 04). Where the channels are last, `Dense` works on a map as
# it stands, so in Keras you may write either:

# %%
conv, dense = keras.layers.Conv2D(5, 1), keras.layers.Dense(5)
for part in (conv, dense):
    part.build((None, 6, 8, 3))
kernel, bias = conv.get_weights()
dense.set_weights([kernel[0, 0], bias])
by_conv, by_dense = (to_torch(part(to_keras(colours))) for part in (conv, dense))
torch.testing.assert_close(by_dense, by_conv)
print("equal")

# %% [markdown] predict="A map has the columns 0 to 5, and a convolution with stride 2 keeps three of them. Which three in PyTorch, with `padding=1`? Which in Keras, with `padding=\"same\"`?"
# **Padding.** MobileViTv2 halves its maps with 3×3 convolutions of stride 2. In PyTorch, they have `padding=1`. In Keras, it
# is tempting to write `padding="same"`.
#
# To see what each does, we take a kernel that copies the pixel in its middle, and a map in which each pixel holds the
# number of its column:
#
# > **Predict.** The columns are 0, 1, 2, 3, 4, 5. Which three come out in PyTorch? Which in Keras?

# %% slide="PyTorch keeps 0, 2, 4. Keras keeps 1, 3, 5"
columns = torch.arange(6.0).expand(1, 1, 6, 6)  # [B, C, H, W]
copying = torch.zeros(1, 1, 3, 3)
copying[..., 1, 1] = 1
both_ends = nn.functional.conv2d(columns, copying, stride=2, padding=1)
same = keras.layers.Conv2D(1, 3, strides=2, padding="same", use_bias=False)
same.build((None, 6, 6, 1))
same.set_weights([copying.permute(2, 3, 1, 0).numpy()])
far_end = to_torch(same(to_keras(columns)))
print("PyTorch, padding=1:    ", both_ends[0, 0, 0].tolist())
print('Keras, padding="same": ', far_end[0, 0, :, 0].tolist())

# %% [markdown]
# The shapes agree, but Keras' windows lie one column further to the right. Why?

# %% slide="The missing column comes at the far end"
figures.show(
    figures.padding_windows(),
    alt="Two rows of six columns, 0 to 5. PyTorch pads both ends, and the middles of "
    "its three windows are 0, 2, 4. Keras pads the far end: the middles are 1, 3, 5.",
)

# %% [markdown]
# *The three windows of the convolution, with the columns in their middles marked.* With stride 2, three windows cover seven
# columns, and there are six. Keras adds the one that is missing, at the far end. PyTorch adds one at each end, which makes
# eight, and its windows never use the eighth. Stride 1 needs all eight, so there both frameworks pad both ends.
#
# So in Keras we pad by ourselves, and ask for no other padding:

# %%
pad = keras.layers.ZeroPadding2D(1)
valid = keras.layers.Conv2D(1, 3, strides=2, padding="valid", use_bias=False)
valid.build((None, 8, 8, 1))
valid.set_weights(same.get_weights())
padded = to_torch(valid(pad(to_keras(columns))))
torch.testing.assert_close(padded.movedim(-1, 1), both_ends)
print("PyTorch's columns:", padded[0, 0, :, 0].tolist())

# %% [markdown]
# ### 10.3 · Find the padding from outputs alone ★★★ · 8 min
#
# Somebody gives you a 3×3 convolution with stride 2, in Keras, from one channel to one. Its nine weights are positive, and
# you do not know them. Call `layer` with maps of your own, NumPy arrays `[1, H, W, 1]` of float32 with even sides. Return
# `"both"` if it pads a pixel on each side, `"end"` if it pads one at the far end, and `"none"` if it does not pad.
#
# <details><summary>Hint</summary>
#
# Without padding, the result is smaller. For the other two, let one pixel be 1 and all others 0. The first window covers
# the rows −1, 0, 1 in one case, and 0, 1, 2 in the other. `keras.ops.convert_to_numpy` makes an array of the result.
#
# </details>


# %% tags=["exercise"]
def padding_of(layer):
    ### BEGIN SOLUTION
    image = np.zeros((1, 8, 8, 1), dtype="float32")
    image[0, 2, 2, 0] = 1
    result = keras.ops.convert_to_numpy(layer(image))  # [1, H, W, 1]
    if result.shape[1] < 4:
        return "none"
    return "end" if result[0, 0, 0, 0] > 0 else "both"
    ### END SOLUTION


checks.padding_of(padding_of)

# %% [markdown]
# **ε.** A norm divides by $\sqrt{\sigma^2 + \varepsilon}$. Where the variance $\sigma^2$ is large, ε hardly matters. Where a
# channel hardly varies, ε takes over:

# %% slide="Where a channel hardly varies, ε takes over"
theirs, ours = keras.layers.BatchNormalization(), nn.BatchNorm2d(1)
print("default ε:", theirs.epsilon, "in Keras,", ours.eps, "in PyTorch")
torch.manual_seed(0)
for spread in (1.0, 0.01):
    quiet = spread * torch.randn(8, 1, 16, 16)  # [B, C, H, W]
    after = to_torch(theirs(to_keras(quiet), training=True)).std(), ours(quiet).std()
    print(f"σ = {spread:4}: then {after[0]:.2f} in Keras, {after[1]:.2f} in PyTorch")

# %% [markdown]
# **Momentum.** A batch norm keeps a running mean. In each step of training, it becomes a weighted average of its old
# value and the mean of the batch. Both frameworks call one of the two weights *momentum*. PyTorch means the weight of the new
# value, Keras that of the old:

# %% slide="One word, two opposite meanings"
theirs, ours = keras.layers.BatchNormalization(), nn.BatchNorm2d(1)
print("default momentum:", theirs.momentum, "in Keras,", ours.momentum, "in PyTorch")
batch = np.ones((1, 4, 4, 1), dtype="float32")  # [B, H, W, C], with mean 1
for momentum in (0.99, 0.9, 0.1):
    norm = keras.layers.BatchNormalization(momentum=momentum)
    norm(batch, training=True)
    mean = to_torch(norm.moving_mean)[0]
    print(f"Keras, momentum {momentum}: running mean {mean:.2f}")
ours(torch.ones(1, 1, 4, 4))
print(f"PyTorch, momentum {ours.momentum}: running mean {ours.running_mean[0]:.2f}")

# %% [markdown]
# All start from 0 and see a batch with the mean 1. To move like PyTorch's with 0.1, Keras' mean needs 0.9. A careless port
# sets 0.1, and a port that sets nothing gets 0.99. What that costs, we shall see when we train.
#
# **The running variance** is not quite the same, either. PyTorch divides by one less than the number of values, and Keras by
# their number:

# %%
two = torch.tensor([0.0, 2.0])[:, None]  # [B, C]
ours, theirs = nn.BatchNorm1d(1), keras.layers.BatchNormalization(momentum=0.9)
ours(two), theirs(two.numpy(), training=True)
variances = ours.running_var[0], to_torch(theirs.moving_variance)[0]
print(f"PyTorch {variances[0]:.2f}, Keras {variances[1]:.2f}")

# %% [markdown]
# Both started from 1, and kept nine tenths of it. The variance of 0 and 2 is 2 if you divide by one, and 1 if you divide by
# two. In a network the norms average over thousands of pixels, and nobody notices. It matters where a map has few pixels
# and the batch few pictures.
#
# **The first weights.** They matter only if you train from scratch:

# %%
keras.utils.set_random_seed(0)
dense, linear = keras.layers.Dense(64), nn.Linear(256, 64)
dense.build((None, 256))
kernel, bias = dense.get_weights()
pairs = {"weights": (linear.weight, kernel), "biases": (linear.bias, bias)}
for name, (ours, theirs) in pairs.items():
    largest = ours.abs().max(), abs(theirs).max()
    print(f"{name:8} PyTorch up to {largest[0]:.3f}, Keras {largest[1]:.3f}")

# %% [markdown]
# The largest values are close to the bounds of the table, $1/\sqrt{256}$ and $\sqrt{6/(256+64)}$.
#
# **Training.** A PyTorch model is in training mode until you call `eval()`. A Keras layer that you call is not, unless you
# say so. `fit` says so for you:

# %% slide="Training: a mode of the model, or an argument of the call"
norm = keras.layers.BatchNormalization(epsilon=1e-5)
noise = np.random.default_rng(0).normal(3, 2, (256, 1)).astype("float32")
for training in (False, True):
    result = to_torch(norm(noise, training=training))
    numbers = f"mean {result.mean().abs():.1f}, σ {result.std():.1f}"
    print(f"Keras, training={training!s:5}: {numbers}")
result = nn.BatchNorm1d(1)(torch.tensor(noise)).detach()
numbers = f"mean {result.mean().abs():.1f}, σ {result.std():.1f}"
print(f"PyTorch, newly made:   {numbers}")

# %% [markdown] slide="Now the block is a matter of care." ask="Which lines of the block would you check first?"
# ## The block · 43 min
#
# Now the block is a matter of care. First the transformer layer: attention and a feed-forward network, each after a group
# norm and with its input added back (notebook 04). The group norm has one group, so one mean for all tokens and channels
# of a picture. Here Keras builds the parts itself, at the first call:


# %%
class TransformerLayer(keras.layers.Layer):
    def build(self, input_shape):
        d = input_shape[-1]
        norm = {"groups": 1, "epsilon": 1e-5}
        self.attention_norm = keras.layers.GroupNormalization(**norm)
        self.attention = SeparableSelfAttention()
        self.ffn_norm = keras.layers.GroupNormalization(**norm)
        self.expand = keras.layers.Dense(2 * d, activation="silu")
        self.project = keras.layers.Dense(d)

    def call(self, x):
        x = x + self.attention(self.attention_norm(x))  # [B, P, N, d]
        return x + self.project(self.expand(self.ffn_norm(x)))  # [B, P, N, d]


# %% [markdown]
# `unfold` sorts the pixels by their place in a 2×2 patch, and `fold` puts them back. With the channels last, each is two
# reshapes around one transposition:


# %% slide="`unfold` and `fold`: two reshapes around one transposition"
def unfold(x):
    _, H, W, d = x.shape
    x = keras.ops.reshape(x, (-1, H // 2, 2, W // 2, 2, d))  # [B, H/2, 2, W/2, 2, d]
    x = keras.ops.transpose(x, (0, 2, 4, 1, 3, 5))  # [B, 2, 2, H/2, W/2, d]
    return keras.ops.reshape(x, (-1, 4, H * W // 4, d))  # [B, P, N, d]


def fold(x, H, W):
    d = x.shape[-1]
    x = keras.ops.reshape(x, (-1, 2, 2, H // 2, W // 2, d))  # [B, 2, 2, H/2, W/2, d]
    x = keras.ops.transpose(x, (0, 3, 1, 4, 2, 5))  # [B, H/2, 2, W/2, 2, d]
    return keras.ops.reshape(x, (-1, H, W, d))  # [B, H, W, d]


# %% [markdown]
# And the block, in Keras' *functional* style. You call layers on a placeholder, and Keras notes the graph:


# %%
def norm_and_silu(x):
    x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return keras.layers.Activation("silu")(x)


def block(image, d, num_layers):
    _, H, W, C = image.shape
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(image)
    x = keras.layers.Dense(d, use_bias=False)(norm_and_silu(x))  # [B, H, W, d]
    x = unfold(x)  # [B, P, N, d]
    for _ in range(num_layers):
        x = TransformerLayer()(x)  # [B, P, N, d]
    x = keras.layers.GroupNormalization(groups=1, epsilon=1e-5)(x)  # [B, P, N, d]
    x = keras.layers.Dense(C, use_bias=False)(fold(x, H, W))  # [B, H, W, C]
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


image = keras.Input((8, 12, 24))
keras_block = keras.Model(image, block(image, d=16, num_layers=2))

# %% [markdown]
# Here `padding="same"` is right, because the stride is 1. Each 1×1 convolution is a dense layer.
#
# Both frameworks list weights in the order in which the layers were made, a batch norm's running statistics last. So we walk
# through both lists side by side. All weights and statistics are random, so that a mix-up would show:

# %%
torch_block = mv.MobileViTv2Block(24, dim=16, num_layers=2).eval()
weights = []
for name, tensor in torch_block.state_dict().items():
    if name.endswith("num_batches_tracked"):
        continue  # Keras does not count batches
    if tensor.ndim == 1:  # of a norm, or a bias
        tensor.uniform_(0.5, 1.5)
    else:
        tensor.normal_(std=0.3)
    if tensor.ndim == 4 and tensor.shape[1:3] == (1, 3):  # depthwise
        tensor = tensor.permute(2, 3, 0, 1)
    elif tensor.ndim > 1:  # linear, or a 1×1 convolution
        tensor = tensor.flatten(1).T
    weights.append(tensor.numpy())
keras_block.set_weights(weights)

# %% slide="Equal to PyTorch's block"
maps = torch.randn(2, 24, 8, 12)  # [B, C, H, W]
with torch.no_grad():
    expected = torch_block(maps)
result = to_torch(keras_block(to_keras(maps))).movedim(-1, 1)
torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)
print(f"equal, {keras_block.count_params():,} numbers in {len(weights)} arrays")

# %% [markdown] slide="Layers with PyTorch's names, so that weights go over by name."
# ## The model · 49 min
#
# What is left are inverted residuals and the table of channels (notebook 05). The library has them in
# `mvit2_lib/keras_port.py`. Its layers carry PyTorch's names, with a hyphen in place of each dot. So weights go over by
# name and not by order:

# %%
from mvit2_lib import keras_port

torch.manual_seed(0)
in_torch = mv.MobileViTv2(0.5).eval()
for module in in_torch.modules():
    if isinstance(module, nn.BatchNorm2d):
        nn.init.uniform_(module.running_var, 0.5, 1.5)
        nn.init.normal_(module.running_mean, std=0.2)
in_keras = keras_port.from_torch(in_torch, image_size=256)
for layer in in_keras.layers[-9:]:
    print(f"{layer.name:28} {tuple(layer.output.shape)}")

# %% [markdown]
# > **Predict.** Keras counts the running mean and variance of a batch norm among the parameters, and PyTorch calls them
# > *buffers*. How many more numbers does Keras count, for each channel of a norm?

# %% slide="Two for each channel"
picture = mv.preprocess(mv.sample_picture("chelsea"))  # [B, C, H, W]
with torch.no_grad():
    expected = in_torch(picture)
result = to_torch(in_keras(to_keras(picture)))
torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)
modules = [part for part in in_torch.modules() if isinstance(part, nn.BatchNorm2d)]
channels = sum(part.num_features for part in modules)
counted = mv.count_parameters(in_torch), 2 * channels
print(f"{in_keras.count_params():,} = {counted[0]:,} + {counted[1]:,}")
print(f"largest logit {expected.abs().max():.2f}; none differs by more than 0.0001")
assert in_keras.count_params() == sum(counted), counted

# %% [markdown]
# And the way back? Nothing is computed on either way. Axes change places, and numbers are
# copied:

# %% slide="And the way back: bit for bit"
back = mv.MobileViTv2(0.5)
mv.load_checkpoint(back, keras_port.state_dict(in_keras))
kept = [
    torch.equal(tensor, back.state_dict()[name])
    for name, tensor in in_torch.state_dict().items()
    if not name.endswith("num_batches_tracked")
]
print(f"{sum(kept)} of {len(kept)} tensors came back bit for bit")

# %% [markdown]
# Weights of timm, transformers and ml-cvnets come over in two steps: into our model (notebook 06), then into this one.
#
# **What does a slip cost?** You now know several ways to carry a model over wrongly. Here are four of them, in the digit
# model. Each raises no error, and all shapes are right. The first is `padding="same"`. `clone_model` makes every layer anew,
# and lets us exchange some. Where the stride is 1, we keep a pixel on each side, because there `"same"` does that, too:

# %%
digits = mv.load_pretrained("digits")
images, labels = mv.load_digits("test")
pictures, answers = to_keras(images), labels.numpy()
right = keras_port.from_torch(digits.model, image_size=64)


def pad_as_same_does(layer):
    if not layer.name.endswith("-pad"):
        return layer.__class__.from_config(layer.get_config())
    conv = right.get_layer(layer.name.replace("-pad", "-conv"))
    first = 0 if conv.strides == (2, 2) else 1  # with stride 1, a pixel on each side
    return keras.layers.ZeroPadding2D(((first, 1), (first, 1)), name=layer.name)


padded_otherwise = keras.models.clone_model(right, clone_function=pad_as_same_does)
padded_otherwise.set_weights(right.get_weights())

# %% [markdown]
# The second is Keras' own ε in all norms, which `keras_port` takes from its constant `EPSILON`. For the other two, weights come
# over with their axes in the wrong order. $W_K$, $W_V$ and $W_O$ are square, so they fit even if you forget to transpose them.
# 3×3 kernels fit if height and width are exchanged. We make these slips in PyTorch's weights, before they go over. `.T` there
# undoes the transposition that follows:

# %%
keras_port.EPSILON = 1e-3
wrong_epsilon = keras_port.from_torch(digits.model, image_size=64)
keras_port.EPSILON = 1e-5


def with_weights(change):
    network = keras_port.from_torch(digits.model, image_size=64)
    state = digits.model.state_dict()
    changed = {name: change(name, tensor) for name, tensor in state.items()}
    return keras_port.load_state_dict(network, changed)


square = ("W_K.weight", "W_V.weight", "W_O.weight")
not_transposed = with_weights(lambda name, w: w.T if name.endswith(square) else w)
turned = with_weights(lambda name, w: w.mT if w.ndim == 4 else w)
no_attention = with_weights(lambda name, w: 0 * w if "W_O" in name else w)

# %% [markdown] predict="Four slips: `padding=\"same\"`, another ε, square kernels not transposed, height and width exchanged. Order them by what they cost. Which would you notice?"
# > **Predict.** Order the four slips by what they cost. Which of them would you notice?

# %% slide="Two cost half or more. Two look like a model that works"
versions = {"none": right, 'padding="same"': padded_otherwise}
versions |= {"ε = 0.001": wrong_epsilon}
versions |= {"square kernels not transposed": not_transposed}
versions |= {"height and width exchanged": turned}
versions |= {"for comparison: no attention": no_attention}
logits = {name: m.predict(pictures, verbose=0) for name, m in versions.items()}
rows = []
for name, those in logits.items():
    correct = (those.argmax(axis=1) == answers).sum()
    row = {"slip": name, "right": f"{correct} of {len(answers)}"}
    row["largest change of a logit"] = f"{abs(those - logits['none']).max():.1f}"
    rows.append(row)
tables.show(rows)

# %% [markdown] slide="`compile` says what to measure, `evaluate` measures it." ask="Which of these numbers must agree with PyTorch's to the last digit?"
# Two of the slips cost the model half of what it knows, or all. The other two cost less than two per cent, and that is the
# worse kind, because such a score looks like a model that works. The logits show all four at a glance. So test a port by
# *equal logits*, and not by its score. Random weights and statistics are enough for that.
#
# Why does the forgotten transposition cost so little? Look at the last row. There $W_O$ is zero, so the attention adds nothing,
# and most digits are still right. In this model, most of the answer goes around the attention, through the residual
# connections.
#
# **Two other ports** are parts of larger collections. We have read their code, and not run it. `keras_cv_attention_models`
# (1.4.3) was written for TensorFlow, with layers of its own for PyTorch. `ZeroModels` (1.3.6), once called `kmodels`, is pure
# Keras 3. Both pad as PyTorch does, and set ε and momentum. Both compute scores, keys and values in one convolution, so they
# project all keys before they pool. They differ from ours where a map has odd sides, as with pictures of 224×224 pixels. There
# the originals in PyTorch enlarge it with `align_corners=True`, and these two with what PyTorch calls `align_corners=False`.
# `ZeroModels` shrinks it again after the attention. Expect other logits there from the same weights.
#
# ## Evaluate, save, train · 59 min
#
# **Evaluate.** In Keras, `compile` says what to measure, and `evaluate` measures it:

# %% slide="As many digits are right as in PyTorch"
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
right.compile(loss=loss, metrics=["accuracy"])
_, accuracy = right.evaluate(pictures, answers, verbose=0)
by_torch = mv.accuracy(digits.model, mv.Pictures(images, labels))
for name, share in (("Keras", accuracy), ("PyTorch", by_torch)):
    print(f"{name:8} {round(share * len(answers))} of {len(answers)} right")

# %% [markdown]
# **Ask for one picture.** The photograph, and the five best of ImageNet's thousand names. If Apple's weights cannot be
# fetched, the network keeps the random ones from above. Then the names are nonsense, but they must be the same nonsense:

# %% tags=["nbval-ignore-output"]
try:
    in_torch = mv.load_pretrained("mobilevitv2_050").model
except mv.RetryError:
    print("No ImageNet weights could be fetched: random ones.")
keras_port.load_state_dict(in_keras, in_torch.state_dict())
with torch.no_grad():
    expected = in_torch(picture)[0].topk(5).indices.tolist()
best = np.argsort(-in_keras.predict(to_keras(picture), verbose=0)[0])[:5].tolist()
for framework, indices in {"Keras": best, "PyTorch": expected}.items():
    names = [mv.imagenet_classes()[index].split(",")[0] for index in indices]
    print(f"{framework:8}", "; ".join(names))
assert best == expected, (best, expected)

# %% [markdown]
# **Save.** One file holds the network and its weights. To load it, Keras must know the registered names of our own layers.
# `keras_port` *registers* them, so a program that loads the file imports `keras_port` first, and needs nothing more:

# %%
import tempfile
from pathlib import Path

file = Path(tempfile.mkdtemp()) / "digits.keras"
right.save(file)
loaded = keras.saving.load_model(file)
before, after = (m.predict(pictures, verbose=0) for m in (right, loaded))
assert np.array_equal(before, after), abs(before - after).max()
print("the same answers from the file, to the last bit")

# %% [markdown]
# **Train.** A small network from random weights, on the 1,415 training digits at half their size, to save time. The recipe is that of notebook 07: AdamW,
# whose weight decay spares biases and norms (their scale is called `gamma` in Keras, their shift `beta`), and a learning
# rate that rises and then falls to zero.

# %%
import math

keras.utils.set_random_seed(0)
fresh = keras_port.mobilevitv2(0.25, classes=10, input_shape=(32, 32, 1))
train_images, train_labels = mv.load_digits("train")
train_answers = train_labels.numpy()
train_pictures, held_out = (to_keras(x[:, :, ::2, ::2]) for x in (train_images, images))
steps = 2 * math.ceil(len(train_answers) / 32)  # two epochs, 32 pictures in a step
rate = keras.optimizers.schedules.CosineDecay(
    0.0, steps - 10, warmup_target=0.004, warmup_steps=10
)
optimizer = keras.optimizers.AdamW(rate, weight_decay=0.05)
optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
fresh.compile(optimizer, loss, metrics=["accuracy"])
print(f"{len(train_images):,} digits, {steps} steps")

# %% tags=["nbval-ignore-output"]
untrained, _ = fresh.evaluate(held_out, answers, verbose=0)
history = fresh.fit(
    train_pictures, train_answers, batch_size=32, epochs=2, verbose=0
).history
trained, accuracy = fresh.evaluate(held_out, answers, verbose=0)
print("loss while training:", *(f"{value:.2f}" for value in history["loss"]))
print(f"on held-out digits: {untrained:.2f} before, {trained:.2f} after")
print(f"{accuracy:.0%} of them right")
norms = [x for x in fresh.layers if isinstance(x, keras.layers.BatchNormalization)]
variances = torch.cat([to_torch(norm.moving_variance) for norm in norms])
print(f"{(variances < 0.1).float().mean():.0%} of the running variances are below 0.1")
assert history["loss"][1] < history["loss"][0], history
assert trained < untrained, (untrained, trained)

# %% [markdown] predict="After 90 steps with momentum 0.99, what share of the running statistics still comes from their start? What share of the held-out digits will be right?"
# Two epochs make no good model, but the loss falls, in training and in evaluation. The library's norms have the momentum
# 0.9. What if we had left Keras' 0.99?
#
# The weights would be the same, because in training a norm uses the statistics of its batch. Only the running statistics
# would differ, and they are used in evaluation. So we need not train again. We start the statistics anew, and let as many
# batches pass through as in training, without changing any weight. That is even kinder than training, because the statistics
# are of the final weights from the first batch on:
#
# > **Predict.** After 90 steps with 0.99, what share of the running statistics still comes from their start, mean 0 and
# > variance 1? What share of the held-out digits will be right?


# %% tags=["nbval-ignore-output"] slide="Four tenths of the start are left, and the answers are no better than guessing"
def with_momentum(momentum):
    for norm in norms:
        norm.momentum = momentum
        norm.moving_mean.assign(np.zeros(norm.moving_mean.shape))
        norm.moving_variance.assign(np.ones(norm.moving_variance.shape))
    with torch.no_grad():
        for step in range(steps):
            batch = np.arange(32 * step, 32 * step + 32) % len(train_pictures)
            fresh(train_pictures[batch], training=True)
    return fresh.evaluate(held_out, answers, verbose=0)[1]


scores = {momentum: with_momentum(momentum) for momentum in (0.9, 0.99)}
for momentum, share in scores.items():
    left = momentum**steps
    print(f"momentum {momentum}: {left:7.3%} left of the start, {share:.0%} right")
assert scores[0.9] > 2 * scores[0.99], scores

# %% [markdown] slide="A framework changes what a call costs. Does it change the growth?"
# With 0.99, the same weights do no better than guessing. Four tenths of the start are left, and a variance of 1 weighs heavily
# where the true one is far smaller, as it often is here. It is not a bad value as such. Over many thousand steps, the start is
# forgotten. But a short training needs statistics that keep up, and no error says so.
#
# ## The growth, once more · 68 min
#
# Keras has a multi-head attention of its own, `keras.layers.MultiHeadAttention`. Does its time grow faster with the number of
# tokens than that of separable attention here, too? It has four heads of width 16, and is called with the queries and the
# values, here both times $x$. The protocol is that of notebook 03. `convert_to_numpy` waits until the backend is done:


# %% tags=["nbval-ignore-output"]
def contestant(layer, inputs):
    def prepare(k):
        generator = np.random.default_rng(0)
        x = generator.standard_normal((1, k, 64), dtype="float32")  # [B, k, d]

        def run():
            with torch.inference_mode():
                keras.ops.convert_to_numpy(layer(*[x] * inputs))

        return run

    return prepare


layers = {
    "multi-head": contestant(keras.layers.MultiHeadAttention(4, 16), inputs=2),
    "separable": contestant(keras_port.SeparableSelfAttention(), inputs=1),
}
growth = timing.measure(layers, [256, 512, 1024, 2048, 4096], progress=False)

# %% [markdown]
# > **Predict.** Between 512 and 4,096 tokens, what slopes will the two lines have on logarithmic axes?

# %% tags=["nbval-ignore-output"] slide="Multi-head attention rises steeply, separable attention much less"
figures.show(
    figures.times({"Keras, one layer, d = 64": growth}, fit_from=512),
    alt="Milliseconds over k from 256 to 4096 tokens on logarithmic axes. Multi-head "
    "attention rises steeply, and separable attention much less.",
)
slopes = {name: growth.slope(name, smallest=512).value for name in growth.names}
assert slopes["separable"] < 1.4, slopes
assert slopes["multi-head"] > slopes["separable"] + 0.4, slopes

# %% [markdown]
# *The time of one layer over the number of tokens* $k$*, in Keras, with the slopes from 512 tokens on.* Multi-head attention
# rises steeply, as in notebook 03. Its slope is below 2, because the projections take part, and they grow with $k$. Separable
# attention hardly rises at all. Most of its time must go into something that does not depend on $k$, the calls of Keras. So
# we continue with separable attention alone, to where the arithmetic outweighs them:

# %% tags=["nbval-ignore-output"] slide="Where the arithmetic outweighs the calls"
large = torch.empty(30 * 2**20, dtype=torch.uint8)
del large  # from now on the C library keeps freed memory, see notebook 09
further = timing.measure(
    {"separable": layers["separable"]}, [4096, 8192, 16384, 32768], progress=False
)
slope = further.slope("separable")
print("separable attention from 4,096 to 32,768 tokens: slope", slope)
assert slope.value < 1.4, slope

# %% [markdown]
# In the stored output, with PyTorch as the backend, the slope is now close to 1. A framework changes what a call costs. How
# the arithmetic grows is a matter of the formula.

# %% [markdown]
# ## Exercises · 73 min
#
# ### 10.4 · Which momentum? ★ · 4 min
#
# `momentum` is that of a PyTorch batch norm, larger than 0 and smaller than 1. Return a pair: the momentum that gives a Keras
# batch norm the same running mean, and the number of training steps after which the value that the running mean started
# from weighs less than one per cent.
#
# <details><summary>Hint</summary>
#
# In PyTorch, the new running mean is (1 − momentum) times the old one plus momentum times that of the batch. So in each
# step, the weight of the start is multiplied by the same number.
#
# </details>


# %% tags=["exercise"]
def keras_momentum(momentum):
    ### BEGIN SOLUTION
    kept = 1 - momentum
    steps, weight = 0, 1.0
    while weight >= 0.01:
        weight *= kept
        steps += 1
    return kept, steps
    ### END SOLUTION


checks.keras_momentum(keras_momentum)

# %% [markdown]
# ### 10.5 · Find the ε from outputs alone ★★ · 6 min
#
# `norm` is a function. It takes a NumPy array of any length, subtracts the mean, divides by $\sqrt{\sigma^2 + \varepsilon}$, and
# returns an array of float32. Call it with an array of your own, and return ε to within 10 per cent. It lies
# between $10^{-7}$ and $10^{-1}$.
#
# <details><summary>Hint</summary>
#
# If the input has the variance $\sigma^2$, what is the output's variance? Solve for ε. Where $\sigma^2$ is much larger than ε, ε
# drowns in rounding errors. So make your array quiet.
#
# </details>


# %% tags=["exercise"]
def epsilon_of(norm):
    ### BEGIN SOLUTION
    x = np.array([-1e-5, 1e-5])  # a variance of 1e-10
    return x.var() / norm(x).var() - x.var()
    ### END SOLUTION


checks.epsilon_of(epsilon_of)

# %% [markdown]
# ### An open experiment · 12 min
#
# Break the digit model in a way of your own: another activation, one norm left out, the two 1×1 convolutions of a block
# exchanged, rows and columns of the pictures exchanged. Which of your slips costs least? Write the shortest test that
# finds it. If you have JAX, set `KERAS_BACKEND=jax` before you start JupyterLab, and run the notebook again, which takes about
# three minutes: which outputs change?

# %% [markdown]
# ## What you now know
#
# 1. You *wrote* separable attention and the block in Keras, with nothing in them that belongs to one backend.
# 2. You can *find* what raises no error: a padding that moves every map, another ε, a momentum that means the opposite.
# 3. You *carried* a network over by name, saw equal logits, and know why a good score proves nothing.
# 4. You *evaluated* it, saved it in one file, trained one, and saw statistics that lag behind.
# 5. You *measured* the growth in another framework: steep for multi-head attention, and linear for separable attention once
#    there are enough tokens to outweigh the calls.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Eqs. 2 and 3.
# - The documentation of Keras 3, keras.io.
# - The two ports: [keras_cv_attention_models](https://github.com/leondgarse/keras_cv_attention_models) and
#   [ZeroModels](https://github.com/IMvision12/ZeroModels).
