# %% [markdown]
# # 04 · The MobileViTv2 block
#
# **You build the block around separable attention, know what each piece does, and test that it does what it says.**
#
# **You will be able to**
#
# 1. *count* what a depthwise-separable convolution saves, and *see* by its gradient what it looks at,
# 2. *test* with numbered pixels that `unfold` groups them by their position in the patch, and *spot* a
#    bug that raises no error,
# 3. *explain* where the block's four separate conversations come from, and where they meet,
# 4. *assemble* the block, equal to the library's, which is equal to timm's,
# 5. *compare* it with the block of MobileViT v1: what was dropped, and what that saves.
#
# **You need** notebooks 01 and 02, and to have met convolutions. No network, no graphics card.
#
# *92 minutes: 57 to read, run and build, 35 for the exercises at the end.*

# %% [markdown] slide="Attention needs tokens. Pictures are made of pixels."
# ## Cheaper convolutions · 0 min · ◇
#
# The set-up:

# %%
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import blocks, cost
from mvit2_lib.course import checks, figures, tables

_ = torch.manual_seed(0)

# %% [markdown] predict="A depthwise 3×3 and then a 1×1 convolution replace one full 3×3. For $C = 128$, how many times cheaper are the two together?"
# Separable attention needs tokens, and pictures are made of pixels. Convolutions, and a way to sort pixels into
# groups, lead from the one to the other. Convolutions work on *feature maps* `[B, C, H, W]`: $C$ numbers for every
# pixel of a map of $H \times W$ pixels.
#
# A 3×3 convolution from $C$ channels to $C$ channels takes $9 C^2$ multiply–accumulates (MACs) a pixel,
# because every output channel looks at every input channel in nine places. A *depthwise-separable*
# convolution does it in two steps. The *depthwise* one looks at nine places in its own channel only,
# $9C$ in all. The *pointwise* one, 1×1, then mixes the channels in one place, $C^2$.
#
# > **Predict.** For $C = 128$, how many times cheaper are the two steps together?

# %% slide="More than eight times: the nine places are almost free"
C, H, W = 128, 32, 32
full = nn.Conv2d(C, C, 3, padding=1, bias=False)
depthwise = nn.Conv2d(C, C, 3, padding=1, groups=C, bias=False)
two_steps = nn.Sequential(depthwise, nn.Conv2d(C, C, 1, bias=False))
# for one map of C channels and H × W pixels
one, two = (cost.count_macs(module, 1, C, H, W) for module in (full, two_steps))
assert (one, two) == (H * W * 9 * C**2, H * W * (9 * C + C**2)), (one, two)
print(
    f"3×3: {one:,} MACs; depthwise and 1×1: {two:,} MACs; {one / two:.1f} times fewer"
)

# %% [markdown]
# More than eight times. Where there are many channels, the nine places are almost free. `groups=C` is
# PyTorch's way to say *depthwise*. The price: a depthwise convolution cannot mix channels, and a 1×1
# convolution cannot look sideways.
#
# In MobileViTv2 almost every convolution is followed by a *batch norm*. It subtracts a mean from each
# channel and divides by a spread: those of the batch while training, stored ones afterwards. Then it multiplies each
# channel with a learned weight and adds a learned bias. Most are
# then followed by a *SiLU*, $x \cdot \operatorname{sigmoid}(x)$, a smooth relative of the ReLU. We give
# the three together one name:


# %%
class ConvNormAct(nn.Module):
    def __init__(
        self, inputs, outputs, kernel_size=1, stride=1, groups=1, activation=True
    ):
        super().__init__()
        padding = kernel_size // 2  # stride 1 keeps the size of the map
        settings = {"stride": stride, "padding": padding, "groups": groups}
        self.conv = nn.Conv2d(inputs, outputs, kernel_size, bias=False, **settings)
        self.norm = nn.BatchNorm2d(outputs)
        self.activation = nn.SiLU() if activation else nn.Identity()

    def forward(self, x):
        return self.activation(self.norm(self.conv(x)))  # [B, C, H, W]


# %% [markdown]
# MobileViTv2 has two kinds of block. The simpler one is the *inverted residual* (MobileNetV2,
# arXiv 1801.04381), made of three such layers: widen with 1×1 to twice the channels, look sideways with a
# depthwise 3×3, narrow with 1×1. Where the shape allows it, the input is added to the output.
#
# The *bottleneck* block of residual networks is wide outside and narrow inside. This one is the other way
# round, hence its name.


# %% slide="The inverted residual: widen, look sideways, narrow"
class InvertedResidual(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        hidden = 2 * in_channels
        self.expand = ConvNormAct(in_channels, hidden)
        self.depthwise = ConvNormAct(hidden, hidden, 3, stride, groups=hidden)
        self.project = ConvNormAct(hidden, out_channels, activation=False)
        self.has_residual = stride == 1 and in_channels == out_channels

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))  # [B, C, H, W]
        return x + y if self.has_residual else y


# %% [markdown]
# Is it the library's? Give both the same weights, and compare. Fresh weights would make a weak test,
# because the norms do nothing yet and all their biases are zero. So first we write random numbers into
# all of them:


# %%
def randomise(module):
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.ndim == 1:
            tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.3)
        elif tensor.ndim > 1:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5)  # outputs like inputs
    return module.eval()


# %% [markdown]
# Then the comparison, at both strides:


# %%
def assert_same(ours, library, x):
    library.load_state_dict(randomise(ours).state_dict())
    torch.testing.assert_close(ours(x), library.eval()(x), rtol=1e-4, atol=1e-5)


for stride in (1, 2):
    pair = InvertedResidual(24, 24, stride), mv.InvertedResidual(24, 24, stride)
    assert_same(*pair, torch.randn(2, 24, 10, 14))
print("the inverted residual equals mv.InvertedResidual, with stride 1 and 2")

# %% [markdown] slide="Which input pixels matter to one output pixel? Ask the gradient."
# ## What does a pixel see? · 8 min · ◇
#
# Which input pixels matter to one output pixel? Ask the gradient. It is zero for those that have no
# influence. The others make the *receptive field*. The networks are in evaluation mode here, because in
# training a batch norm lets every pixel see every other.


# %%
def seen(function, x):
    """Return how much each input pixel matters to the middle output pixel. [H, W]"""
    x = x.clone().requires_grad_()
    y = function(x)
    row, column = y.shape[-2] // 2, y.shape[-1] // 2
    (gradient,) = torch.autograd.grad(y[:, :, row, column].sum(), x)
    return gradient.abs().sum(dim=(0, 1))  # [H, W]


# %% [markdown]
# > **Predict.** How many pixels does a stack of three depthwise 3×3 convolutions see? And an inverted
# > residual?

# %%
small_map = torch.randn(1, 24, 16, 16)
three = nn.Sequential(*(ConvNormAct(24, 24, 3, groups=24) for _ in range(3)))
fields = {
    "1×1": seen(randomise(ConvNormAct(24, 24)), small_map),
    "inverted residual": seen(randomise(InvertedResidual(24, 24)), small_map),
    "three depthwise 3×3": seen(randomise(three), small_map),
}
print({name: int((field > 0).sum()) for name, field in fields.items()})

# %% slide="Convolutions see their neighbourhood, and no more"
figures.show(
    figures.receptive_fields(fields),
    alt="Three maps of 16 by 16 pixels: one single coloured pixel, a square of 3 by 3, "
    "and a square of 7 by 7 fading outwards.",
)

# %% [markdown]
# *Coloured pixels matter to the pixel in the middle, white ones not at all.* Convolutions see their
# neighbourhood and no more, and every 3×3 adds one pixel on each side. To relate two far corners of a
# map takes many layers, strides that shrink the map, or attention.

# %% [markdown] slide="The *first* pixels of all patches make one collection, the *second* pixels another: four in all."
# ## Build it: unfold · 12 min · ◇
#
# Attention wants tokens `[..., k, d]`. Each pixel becomes one token. The simplest choice would be a
# single attention over all of them. MobileViTv2, like v1, does something else. It cuts the map into
# patches of 2×2 pixels. It collects the *first* pixel of every patch, then the *second* of every patch,
# and so on.
#
# So there are $P = 4$ pixel positions and $N = HW/4$ patches, and four collections of $N$ tokens. Each
# collection attends only within itself: four separate *conversations*.
#
# The definition as loops over the pixels, and a picture whose pixels are numbered:


# %%
def collect(x):
    B, C, H, W = x.shape
    tokens = torch.zeros(B, 4, H * W // 4, C)  # [B, P, N, C]
    for row in range(H):
        for column in range(W):
            position = 2 * (row % 2) + column % 2
            patch = (W // 2) * (row // 2) + column // 2
            tokens[:, position, patch] = x[:, :, row, column]
    return tokens


numbered = torch.arange(16.0).reshape(1, 1, 4, 4)  # [B, C, H, W]
print(collect(numbered)[0, :, :, 0])

# %% slide="Each colour is a position in the patch"
figures.show(
    figures.index_image(numbered[0, 0], collect(numbered)[0, :, :, 0]),
    alt="Left, pixels 0 to 15 in four patches of two by two. Right, four rows: "
    "0 2 8 10, then 1 3 9 11, then 4 6 12 14, then 5 7 13 15.",
)

# %% [markdown]
# *Each colour is a pixel position. Left where the pixels lie, right the row in which they are
# collected.*
#
# Loops over pixels are slow. Now write it without them, by splitting, reordering and merging axes.
#
# ### 4.1 · Unfold ★★★ · 8 min
#
# From a map `[B, C, H, W]` to tokens `[B, P, N, C]`, in patches of `p` × `p` pixels. Positions and
# patches are both counted row by row.
#
# <details><summary>Hint</summary>
#
# Split the height into patches and rows within a patch: `x.unflatten(2, (-1, p))`. Split the width
# likewise. Now six axes lie open. Bring them into order with one `permute`, and merge them with two
# `flatten`s. Try it on the numbered picture.
#
# </details>


# %% tags=["exercise"]
def unfold(x, p):
    ### BEGIN SOLUTION
    x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # [B, C, H/p, p, W/p, p]
    x = x.permute(0, 3, 5, 2, 4, 1)  # [B, p, p, H/p, W/p, C]
    return x.flatten(3, 4).flatten(1, 2)  # [B, P, N, C]
    ### END SOLUTION


checks.unfold_patches(unfold)

# %% [markdown]
# From here on we use the library's `mv.unfold`, whose patches are 2×2 unless told otherwise. It gives what
# the loops give, also on a map that is not square. `mv.fold` takes the same steps backwards, so that one after the
# other changes nothing:

# %%
for example in (numbered, torch.randn(2, 3, 6, 10)):
    tokens = mv.unfold(example)
    assert torch.equal(tokens, collect(example)), tokens
    there_and_back = mv.fold(tokens, example.shape[-2:])
    assert torch.equal(there_and_back, example), there_and_back
print("unfold equals the loops, and fold undoes it, bit for bit")

# %% [markdown]
# **The band bug.** Why not one reshape? The shapes would come out the same, and no error would be
# raised:


# %% slide="**The band bug.** Why not one reshape?"
def banded(x):
    B, C, H, W = x.shape
    return x.permute(0, 2, 3, 1).reshape(B, 4, H * W // 4, C)  # [B, P, N, C]


# %% [markdown]
# > **Predict.** Which pixels of the numbered picture does collection 0 hold now? And of a photograph?

# %%
print("collection 0 by unfold: ", mv.unfold(numbered)[0, 0, :, 0].int().tolist())
print("collection 0 by reshape:", banded(numbered)[0, 0, :, 0].int().tolist())

# %% slide="With a reshape, attention relates pixels of one band only, and nothing complains"
photograph = mv.preprocess(mv.sample_picture("chelsea"))  # [1, 3, 256, 256]
chosen = torch.zeros(1, 4, 128 * 128, 1)  # [B, P, N, C]
chosen[:, 0] = 1  # collection 0
masks = {
    "unfold, a part enlarged": mv.fold(chosen, (256, 256))[0, 0, 96:120, 96:120],
    "reshape, the whole picture": chosen.reshape(256, 256),
}
pictures = {
    "unfold, a part enlarged": photograph[0, :, 96:120, 96:120],
    "reshape, the whole picture": photograph[0],
}
figures.show(
    figures.taken(pictures, masks),
    alt="Left, a part of the cat enlarged: every second pixel of every second row "
    "keeps its colour. Right, the whole picture: only its top quarter does.",
)

# %% [markdown]
# *Pixels that keep their colour are in collection 0. Left, in a part of the picture, `unfold` takes every
# second pixel of every second row. Right, a reshape takes the top quarter, a horizontal band.* With the bug, attention relates only pixels of the
# same band. It is no longer global, and nothing complains. Sixteen numbered pixels are enough to notice.

# %% [markdown] slide="Attention works for each of the four positions by itself: four conversations."
# ## Four conversations · 28 min · ◇
#
# The tokens `[B, P, N, d]` go into attention as they are. It works along $N$, for each of the $P$
# positions by itself, with the same weights. So there are four context vectors, not one:

# %%
attention = randomise(mv.SeparableSelfAttention(24))
groups = mv.unfold(small_map)  # [B, P, N, d]
print("context scores ", tuple(attention.context_scores(groups).shape))
print("context vectors", tuple(attention.context_vector(groups).shape))

# %% [markdown]
# > **Predict.** Which pixels of the map does one pixel see through this attention?


# %% slide="A quarter: those at its own position, over the whole map"
def through(layer):
    return lambda x: mv.fold(layer(mv.unfold(x)), x.shape[-2:])


attention_field = seen(through(attention), small_map)
print(int((attention_field > 0).sum()), "of", attention_field.numel(), "pixels")

# %% [markdown]
# A quarter: those at its own position in their patches, over the whole map. The first pixel of a patch
# never talks to the second one here.
#
# **Why four conversations?** In v1 they save work. Each of four attentions over a quarter of the tokens
# compares a sixteenth of the pairs, so all four together compare a quarter. The projections cost the same
# either way. For separable attention there is nothing to save. Here are both at $d = 64$; separable attention is counted as in the paper, where
# every token is projected to a key:

# %% slide="In v1, four conversations mean fewer pairs. Separable attention has no pairs to save"
rows, pixels = [], 32 * 32
counts = {"multi-head": cost.multi_head_macs, "separable": cost.separable_macs}
for name, count in counts.items():
    row = {"attention": name, f"one over {pixels} tokens": count(pixels, 64)}
    rows.append(row | {f"four over {pixels // 4} each": 4 * count(pixels // 4, 64)})
tables.show(rows, caption="multiply–accumulates")

# %% [markdown]
# MobileViTv2 kept the four of its predecessor, and we found no reason for it in the paper. What we can see is that
# there are four context vectors in place of one, and that each pixel sees a quarter of the others.
#
# The four are not left alone for long. The block, which comes next, begins with a depthwise 3×3, which
# mixes the pixels of a 2×2 patch. The other links are the *norms* between the layers.
#
# **That norm** is a *group norm with one group*: one mean and one variance for each sample, over all
# positions, all patches and all channels. It is not the layer norm of Transformers, which takes the mean
# of each *token*. We normalise the same tokens both ways. Their means were made to differ:

# %% slide="*Group norm with one group*: one mean for the sample, not one for each token"
uneven = torch.randn(2, 4, 9, 6) + torch.arange(9.0)[:, None]  # [B, P, N, d]
normed = {
    "group norm, one group": F.layer_norm(uneven, uneven.shape[1:]),  # over P, N, d
    "layer norm of each token": F.layer_norm(uneven, uneven.shape[-1:]),  # over d
}
for name, result in normed.items():
    token_means = result[0].mean(dim=-1)
    spread = token_means.max() - token_means.min()
    print(f"{name:24} in one sample, token means differ by up to {spread:.2f}")

# %% [markdown]
# With the group norm, tokens may keep different means, and only the whole sample has mean zero.
# `nn.GroupNorm(1, d)` computes it for maps with the channels second, and the library's `GroupNorm1` for
# tokens:

# %%
norm = randomise(blocks.GroupNorm1(6))
reference = nn.GroupNorm(1, 6)
reference.load_state_dict(norm.state_dict())
as_map = reference(uneven.permute(0, 3, 1, 2))  # [B, d, P, N]
torch.testing.assert_close(norm(uneven), as_map.permute(0, 2, 3, 1))
print("GroupNorm1 on tokens equals nn.GroupNorm(1, d) on maps")

# %% [markdown]
# > **Predict.** What does one pixel see through attention with this norm before it?

# %%
with_norm = nn.Sequential(randomise(blocks.GroupNorm1(24)), attention)
fields_of_attention = {
    "attention": attention_field,
    "norm, then attention": seen(through(with_norm), small_map),
}
print({name: int((f > 0).sum()) for name, f in fields_of_attention.items()})

# %% slide="Through the norm, all pixels matter to the one in the middle"
figures.show(
    figures.receptive_fields(fields_of_attention),
    alt="Left, every second pixel of every second row is coloured. Right, all pixels "
    "are; most of the grid stands out.",
)

# %% [markdown]
# *Attention alone leaves three quarters of the map white. Through the norm all pixels matter to the one
# in the middle, most of those at other positions faintly.* So through the norms each pixel can reach all others.

# %% [markdown] slide="Norm, attention, add the input. Norm, feed-forward, add the input."
# ## Build it: the block · 36 min · ◇
#
# A *transformer layer* is attention and a *feed-forward* network. The latter works on each token by itself: two linear
# layers, to $2d$ and back to $d$, with a SiLU between them. Each of the two has a norm before it, and its input added
# after it (Section 3.3 of the paper):


# %%
class FeedForward(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.expand, self.project = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x):
        return self.project(F.silu(self.expand(x)))  # [B, P, N, d]


class TransformerLayer(nn.Module):
    def __init__(self, dim, attention):
        super().__init__()
        self.attention_norm, self.attention = blocks.GroupNorm1(dim), attention
        self.ffn_norm, self.ffn = blocks.GroupNorm1(dim), FeedForward(dim)

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))  # [B, P, N, d]
        return x + self.ffn(self.ffn_norm(x))  # [B, P, N, d]


# %%
kinds = (TransformerLayer, blocks.TransformerLayer)
own_layer, library_layer = (kind(24, mv.SeparableSelfAttention(24)) for kind in kinds)
assert_same(own_layer, library_layer, groups)
print("the transformer layer equals the library's")

# %% [markdown]
# ### 4.2 · The block ★★ · 6 min
#
# The *block* looks nearby with a depthwise 3×3 (`local`) and goes from $C$ channels to tokens of width $d$
# with a 1×1 convolution (`to_tokens`). Then come unfold, the transformer layers, one more norm, fold, and
# a 1×1 back to $C$ channels (`to_channels`). The parts are given. Write `forward`, with `mv.unfold` and
# `mv.fold`. The sides of the map are even here; the section *Odd sizes* is about the others.
#
# <details><summary>Hint</summary>
#
# `mv.fold` wants the height and width of the map. Neither `local` nor `to_tokens` changes them.
#
# </details>


# %% tags=["exercise"]
class MyBlock(nn.Module):
    def __init__(self, C, d, num_layers):
        super().__init__()
        self.local = blocks.ConvNormAct(C, C, kernel_size=3, groups=C)
        self.to_tokens = nn.Conv2d(C, d, 1, bias=False)
        self.layers, self.norm = nn.Sequential(), blocks.GroupNorm1(d)
        for _ in range(num_layers):
            attention = mv.SeparableSelfAttention(d)
            self.layers.append(blocks.TransformerLayer(d, attention))
        self.to_channels = blocks.ConvNormAct(d, C, activation=False)

    def forward(self, x):  # [B, C, H, W]
        ### BEGIN SOLUTION
        tokens = mv.unfold(self.to_tokens(self.local(x)))  # [B, P, N, d]
        tokens = self.norm(self.layers(tokens))  # [B, P, N, d]
        return self.to_channels(mv.fold(tokens, x.shape[-2:]))  # [B, C, H, W]
        ### END SOLUTION


checks.block_module(MyBlock)

# %% [markdown]
# The check compares your block with the library's `mv.MobileViTv2Block`, which has the same parts under
# the same names. And the library's block is timm's. Copying weights over is the business of notebook 06.
# Here `mv.load_checkpoint` does it for a whole network with random weights, and we compare its first
# MobileViTv2 block in double precision. `referee` imports timm, or says that it is not there:

# %% tags=["nbval-ignore-output"]
from mvit2_lib.course.referees import referee

timm = referee("timm")
if timm:
    network = randomise(timm.create_model("mobilevitv2_050"))
    copied = mv.load_checkpoint(mv.MobileViTv2(0.5), network.state_dict()).eval()
    theirs, ours = network.double().stages[2][1], copied.double().stages[2][1]
    for height, width in ((16, 16), (10, 18), (7, 7), (15, 9)):
        example = torch.randn(1, 128, height, width, dtype=torch.float64)
        difference = (ours(example) - theirs(example)).abs().max().item()
        assert difference < 1e-10, difference
        print(f"{height:2}×{width:2}: differs from timm's by at most {difference:.0e}")

# %% [markdown]
# The same at even and at odd sizes.
#
# > **Predict.** What does a pixel see now, at three places along the way: after the depthwise 3×3, after
# > the 1×1, and after the whole block?

# %%
wide_map = torch.randn(1, 128, 24, 24)
block = randomise(mv.MobileViTv2Block(128, 64, num_layers=2))
steps = {
    "depthwise 3×3": block.local,
    "… and 1×1": lambda x: block.to_tokens(block.local(x)),
    "the whole block": block,
}
fields_of_block = {name: seen(function, wide_map) for name, function in steps.items()}
print({name: int((field > 0).sum()) for name, field in fields_of_block.items()})

# %% slide="Local first, then global"
figures.show(
    figures.receptive_fields(fields_of_block),
    alt="Three maps of 24 by 24 pixels. Before the transformer a square of 3 by 3 is "
    "coloured; after the block the whole map is.",
)

# %% [markdown]
# *Local first, then global: nine pixels before the transformer layers, all 576 after them.* The small
# squares in the third map are 3×3 pixels large. Each surrounds a pixel that the attention looked at, and
# comes from the first convolution.

# %% [markdown] slide="The block of MobileViT v1 has the same plan with more in it."
# ## Beside MobileViT v1 · 48 min
#
# The block of MobileViT v1 (arXiv 2110.02178) has the same plan with more in it: a *full* 3×3 convolution
# at the start, multi-head attention, a skip connection that sets the input beside the result, and another
# full 3×3 that *fuses* the two. Here is v1's wiring with this course's layers:


# %%
class BlockV1(nn.Module):
    def __init__(self, C, d, num_layers):
        super().__init__()
        self.local = blocks.ConvNormAct(C, C, kernel_size=3)
        self.to_tokens = nn.Conv2d(C, d, 1, bias=False)
        self.layers, self.norm = nn.Sequential(), blocks.GroupNorm1(d)
        for _ in range(num_layers):
            attention = mv.MultiHeadSelfAttention(d, num_heads=4)
            self.layers.append(blocks.TransformerLayer(d, attention))
        self.to_channels = blocks.ConvNormAct(d, C)
        self.fuse = blocks.ConvNormAct(2 * C, C, kernel_size=3)

    def forward(self, x):
        tokens = mv.unfold(self.to_tokens(self.local(x)))  # [B, P, N, d]
        tokens = self.norm(self.layers(tokens))  # [B, P, N, d]
        y = self.to_channels(mv.fold(tokens, x.shape[-2:]))  # [B, C, H, W]
        return self.fuse(torch.cat([x, y], dim=1))  # [B, C, H, W]


# %% [markdown]
# The next figure shows both blocks, with the shapes that their parts return when they run. The real v1 also
# has other widths, and a layer norm for each token.

# %% slide="A: depthwise. B: separable. C: no SiLU. D: no skip, no fusion"
v1, v2 = BlockV1(128, 64, 2).eval(), mv.MobileViTv2Block(128, 64, 2).eval()
features = torch.randn(1, 128, 32, 32)
columns = {
    "v1's wiring": figures.block_steps(v1, features),
    "MobileViTv2": figures.block_steps(v2, features),
}
figures.show(
    figures.blocks(columns, skip={"v1's wiring": (0, 9)}),
    alt="Two columns of boxes with shapes. Both unfold, run two transformer layers, "
    "and fold. Frames with the letters A to D mark where they differ.",
)

# %% [markdown] predict="Which of these changes saves the most multiply–accumulates at 32×32 pixels, with $C = 128$ and $d = 64$?"
# *Read from the bottom up. A: the first 3×3 became depthwise. B: the attention became separable. C: the last 1×1 lost
# its SiLU. D: the skip that joins, and the 3×3 that fuses, are gone.*
#
# > **Predict.** Which of these changes saves most multiply–accumulates at 32×32 pixels, $C = 128$,
# > $d = 64$?


# %% slide="The fusion convolution, by far; then the first 3×3; then attention"
def part_of(name):
    """Say to which part of the block a layer belongs, by its name."""
    if "layers" in name:
        return "attention" if "attention" in name else "feed-forward"
    names = {"local": "local 3×3", "fuse": "fusing 3×3"}
    return names.get(name.split(".")[0], "both 1×1")


rows = []
names = ("local 3×3", "attention", "feed-forward", "both 1×1", "fusing 3×3")
for name, module in (("v1's wiring", v1), ("MobileViTv2", v2)):
    parts = dict.fromkeys(names, 0)
    for row in cost.layer_costs(module, 1, 128, 32, 32):
        parts[part_of(row.name)] += row.macs
    total, learned = sum(parts.values()), cost.count_parameters(module)
    row = {"block": name} | {part: f"{n / 1e6:.1f}" for part, n in parts.items()}
    rows.append(row | {"in all": f"{total / 1e6:.1f}", "parameters": learned})
tables.show(rows, caption="million multiply–accumulates, and parameters")

# %% [markdown]
# The fusing convolution, by far; then the full 3×3 at the start; then attention, counted here as in the
# paper. At this size, the block became cheap mostly by losing full convolutions.
#
# Were the skip and the fusion worth anything? The v2 paper reports no experiment of its own on that. It
# says that they improve the performance marginally, and refers to v1. There, a figure gives the *top-1*
# accuracy on ImageNet, the share of right first answers, without and with the skip. And MobileViTv3
# (arXiv 2209.15159) put a skip and a cheaper fusion back into v2. The published numbers:

# %% slide="Published numbers suggest that not all of this was free"
from mvit2_lib.course.published import published

rows = []
for row in published("fusion"):
    gain = f"{row['with'] - row['without']:+.2f}"
    numbers = {"top-1 without": row["without"], "with": row["with"], "points": gain}
    rows.append({"model": row["model"], "what": row["what"]} | numbers)
tables.show(rows)

# %% [markdown]
# What v3 put back is not quite what v2 dropped, but it suggests that dropping it was not free.

# %% [markdown] slide="2×2 patches do not tile a map of 7×7." ask="What would you do with the last row: cut it, repeat it, or stretch the map?"
# ## Odd sizes · 55 min
#
# 2×2 patches do not tile a map of 7×7 pixels, and deep in the network a picture of 224×224 pixels has
# become such a map. Public implementations do five different things with it. Ours does what the authors' own
# code and timm do: it first enlarges the map to 8×8, bilinearly.
#
# <details><summary>The fine print: who does what</summary>
#
# | implementation | what it does with 7×7 | what comes out |
# |---|---|---|
# | ml-cvnets (the authors' own), timm, and ours | enlarges to 8×8 at the start, bilinear, with `align_corners` | 8×8 |
# | keras_cv_attention_models | enlarges to 8×8 at the start, bilinear, without `align_corners` | 8×8, other numbers |
# | keras-vision-models | enlarges to 8×8, shrinks back at the end | 7×7 |
# | transformers | unfolds 6×6; the last row and column are zeros before the last 1×1, and constant after it | 7×7 |
# | PaddleClas | nothing: shapes no longer fit | an error, as far as we can tell |
#
# We ran ours and timm's, and the two PyTorch functions that transformers uses. Of the others we only read
# the code, in 2026. With `align_corners` the centres of the corner pixels stay where they are; without it
# the edges of the picture do. On a smooth ramp the difference is below 0.05 of a step from pixel to pixel,
# on a noisy map it is larger.
#
# </details>

# %% slide="Ours enlarges the map first, as timm and the authors' code do"
odd = randomise(mv.MobileViTv2Block(16, 8, num_layers=1))
seven = torch.randn(1, 16, 7, 7)
eight = F.interpolate(seven, (8, 8), mode="bilinear", align_corners=True)
torch.testing.assert_close(odd(seven), odd(eight))
print(tuple(seven.shape), "becomes", tuple(odd(seven).shape))

# %% [markdown]
# And what do PyTorch's `F.unfold` and `F.fold`, which transformers uses for its patches, make of 7×7?

# %% slide="PyTorch's own fold leaves zeros, without a warning"
ones = torch.ones(1, 1, 7, 7)
back = F.fold(F.unfold(ones, 2, stride=2), (7, 7), 2, stride=2)
print(back[0, 0].int())

# %% [markdown]
# A last row and a last column of zeros, without a warning. So the same weights may give different answers
# in different libraries when a map has an odd side. At 256×256 pixels the maps are 32, 16 and 8 wide, and
# the question does not arise.

# %% [markdown]
# ## Exercises · 57 min
#
# Fill in each stub and run its cell. The check prints one line, and names the mistake if it recognises
# one. After a restart, run the first code cell of the notebook; no exercise needs more.

# %% [markdown]
# ### 4.3 · Fold ★★ · 6 min
#
# The way back: from tokens `[B, P, N, C]` in patches of `p` × `p` pixels to the map `[B, C, H, W]`.
#
# <details><summary>Hint</summary>
#
# Split the axis `P` into `(p, p)` and the axis `N` into `(H // p, W // p)`. Then bring the axes into the
# order of the map.
#
# </details>


# %% tags=["exercise"]
def fold(tokens, H, W, p):
    ### BEGIN SOLUTION
    x = tokens.unflatten(2, (H // p, W // p)).unflatten(1, (p, p))
    x = x.permute(0, 5, 3, 1, 4, 2)  # [B, C, H/p, p, W/p, p]
    return x.flatten(4, 5).flatten(2, 3)  # [B, C, H, W]
    ### END SOLUTION


checks.fold_patches(fold)

# %% [markdown]
# ### 4.4 · A detector for the band bug ★★★ · 6 min
#
# You are given somebody's function that takes a map `[B, C, H, W]` to tokens `[B, P, N, C]` in 2×2
# patches. Return `True` if it groups pixels by their position in the patch, in whatever order the
# positions and the patches come, and `False` if not. You may take for granted that every pixel comes once and that no error is raised. The check runs your detector on right and wrong
# functions.
#
# <details><summary>Hint</summary>
#
# Give it a map that says of each pixel which position it has. What must hold for each row of the result?
# Is one square map enough?
#
# </details>


# %% tags=["exercise"]
def groups_by_position(function):
    ### BEGIN SOLUTION
    row, column = torch.arange(8.0)[:, None] % 2, torch.arange(12.0) % 2
    positions = (2 * row + column)[None, None]  # [B, C, H, W]
    tokens = function(positions)[0, :, :, 0]  # [P, N]
    same = (tokens == tokens[:, :1]).all()
    return bool(same) and sorted(tokens[:, 0].tolist()) == [0, 1, 2, 3]
    ### END SOLUTION


checks.groups_by_position(groups_by_position)

# %% [markdown]
# ### 4.5 · Group norm with one group ★★ · 5 min
#
# Normalise tokens `[B, P, N, d]`. Each *sample* gets mean 0 and variance 1. The variance is the mean of the squared
# deviations, and `eps` is added to it. Then every channel gets its `weight` `[d]` and `bias` `[d]`.
#
# <details><summary>Hint</summary>
#
# `x.mean(dim=(1, 2, 3), keepdim=True)`, and `x.var(..., correction=0)`.
#
# </details>


# %% tags=["exercise"]
def group_norm_1(x, weight, bias, eps=1e-5):
    ### BEGIN SOLUTION
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    variance = x.var(dim=(1, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * weight + bias
    ### END SOLUTION


checks.group_norm_1(group_norm_1)

# %% [markdown]
# ### 4.6 · Count the block ★★★ · 8 min
#
# Return the multiply–accumulates of a MobileViTv2 block with `C` channels, tokens of width `d` and
# `layers` transformer layers, on a map of `H` × `W` pixels with even sides. Count separable attention as
# in the paper, $3kd^2 + kd$ for $k$ tokens. The feed-forward network widens to $2d$. Norms, biases and
# activations count nothing.
#
# <details><summary>Hint</summary>
#
# How many tokens are there in all four collections together? Depthwise 3×3, 1×1 to $d$, the layers, 1×1
# back to $C$.
#
# </details>


# %% tags=["exercise"]
def block_macs(C, d, layers, H, W):
    ### BEGIN SOLUTION
    attention, feed_forward = 3 * d * d + d, 4 * d * d
    return H * W * (9 * C + C * d + layers * (attention + feed_forward) + d * C)
    ### END SOLUTION


checks.block_macs(block_macs)

# %% [markdown]
# ### An open experiment · 10 min
#
# Are four conversations better than one, or than sixteen? With `mv.unfold(x, 4)` and `mv.fold(tokens, size, 4)`
# patches have 4×4 pixels; with 1 all pixels are in one conversation. Draw with `seen` what a pixel sees through
# attention alone in each, and count the multiply–accumulates for both kinds of attention. Which would you choose,
# and what would you have to measure to know? There is no single right answer. This one needs the cells above.

# %% [markdown]
# ## What you now know
#
# 1. You can *count* what a depthwise-separable convolution saves, more than eight times here, and you *saw* that
#    it looks at 3×3 pixels.
# 2. You *tested* `unfold` against its definition and `fold` bit for bit, and can *spot* the band bug.
# 3. You can *explain* the four conversations, one for each pixel position. They meet in the depthwise 3×3
#    and in the norms.
# 4. You *assembled* the block from its pieces. At even sizes it equals the library's, which equals timm's, as you saw
#    if timm is installed.
# 5. You can *compare* v1 and v2: two full 3×3 convolutions, the skip and the comparison of pairs are gone, and
#    published numbers suggest that not all of that was free.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*,
#   arXiv 2206.02680: Section 3.3, Fig. 6.
# - S. Mehta and M. Rastegari, *MobileViT*, arXiv 2110.02178: Fig. 1b, Fig. 12.
# - M. Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, arXiv 1801.04381: Fig. 3.
# - S. Wadekar and A. Chaurasia, *MobileViTv3*, arXiv 2209.15159.
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
