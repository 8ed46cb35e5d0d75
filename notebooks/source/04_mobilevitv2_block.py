# %% [markdown]
# # 04 · The MobileViTv2 block
#
# **You build the block around separable attention, know what each piece does, and test that it does what it says.**
#
# **You will be able to**
#
# 1. *count* what a depthwise-separable convolution saves, and *see* by its gradient what it looks at,
# 2. *test* with numbered pixels that `unfold` groups them by their position in the patch, and *spot* a bug that raises no error,
# 3. *explain* where the block's four separate conversations come from, and where they meet,
# 4. *assemble* the block, equal to the library's, which is equal to timm's,
# 5. *compare* it with the block of MobileViT v1: what was dropped, and what that saves.
#
# **You need** notebooks 01 and 02, and to have met convolutions. No network, no graphics card.
#
# About forty-five minutes of reading and running, then half an hour of exercises.

# %% [markdown]
# ## Cheaper convolutions · 0 min
#
# The set-up:

# %%
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import blocks, cost
from mvit2_lib.course import checks, figures

_ = torch.manual_seed(0)

# %% [markdown]
# Separable attention needs tokens, and pictures are made of pixels. Between the two stand convolutions, and a re-sorting of pixels. Convolutions work on *feature maps* `[B, C, H, W]`: $C$ numbers for every
# pixel of a map of $H \times W$ pixels.
#
# A 3×3 convolution from $C$ channels to $C$ channels takes $9 C^2$ multiply–accumulates a pixel: every output channel looks at every input channel in nine places. A *depthwise-separable* convolution
# does it in two steps. The *depthwise* one looks at nine places in its own channel only, $9C$ in all. The *pointwise* one, 1×1, then mixes the channels in one place, $C^2$.
#
# > **Predict.** For $C = 128$, how many times cheaper are the two steps together?

# %%
C, H, W = 128, 32, 32
full = nn.Conv2d(C, C, 3, padding=1, bias=False)
two_steps = nn.Sequential(nn.Conv2d(C, C, 3, padding=1, groups=C, bias=False), nn.Conv2d(C, C, 1, bias=False))
costs = [cost.count_macs(module, 1, C, H, W) for module in (full, two_steps)]
assert costs == [H * W * 9 * C**2, H * W * (9 * C + C**2)]
print(f"3×3: {costs[0]:,} MACs, depthwise and 1×1: {costs[1]:,} MACs, {costs[0] / costs[1]:.1f} times fewer")

# %% [markdown]
# More than eight times: where there are many channels, the nine places are almost free. `groups=C` is PyTorch's way to say *depthwise*. The price: a depthwise convolution cannot mix channels, and a 1×1 convolution cannot look sideways.
#
# In MobileViTv2 almost every convolution is followed by a *batch norm*, which subtracts a mean from each channel and divides by a spread (in training those of the batch, afterwards stored ones), and most by a *SiLU*, $x \cdot \operatorname{sigmoid}(x)$, a smooth relative of the ReLU. The three together are one building stone:


# %%
class ConvNormAct(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size=1, stride=1, groups=1, activation=True):
        super().__init__()
        padding = kernel_size // 2  # stride 1 keeps the size of the map
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.activation = nn.SiLU() if activation else nn.Identity()

    def forward(self, x):
        return self.activation(self.norm(self.conv(x)))  # [B, C, H, W]


# %% [markdown]
# MobileViTv2 has two kinds of block. The simpler one, the *inverted residual* (MobileNetV2, arXiv 1801.04381), is made of three such stones: widen with 1×1 (here to twice the channels), look sideways with a depthwise 3×3, narrow with 1×1. Where the shape allows it, the input is
# added to the output. (The *bottleneck* block of residual networks is wide outside and narrow inside; this one is the other way round.)


# %%
class InvertedResidual(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        hidden = 2 * in_channels
        self.expand = ConvNormAct(in_channels, hidden)
        self.depthwise = ConvNormAct(hidden, hidden, kernel_size=3, stride=stride, groups=hidden)
        self.project = ConvNormAct(hidden, out_channels, activation=False)
        self.has_residual = stride == 1 and in_channels == out_channels

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))  # [B, C, H, W]
        return x + y if self.has_residual else y


# %% [markdown]
# Is it the library's? Give both the same weights, and compare. Fresh weights would make a weak test: the norms do nothing yet, their biases are zero, and the three stones pass on little of the input. A mistake in what passes on little is hard to see. So first, random numbers for all of them, written into the module:


# %%
def randomise(module):
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.ndim == 1:
            tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.3)
        elif tensor.ndim > 1:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5)  # keeps the size of the numbers
    return module.eval()


# %% [markdown]
# Then the comparison, at both strides:


# %%
def assert_same(ours, library, x):
    library.load_state_dict(randomise(ours).state_dict())
    torch.testing.assert_close(ours(x), library.eval()(x), rtol=1e-4, atol=1e-5)


for stride in (1, 2):
    assert_same(InvertedResidual(24, 24, stride), mv.InvertedResidual(24, 24, stride), torch.randn(2, 24, 10, 14))
print("the inverted residual equals mv.InvertedResidual, with stride 1 and with stride 2")

# %% [markdown]
# ## What does a pixel see? · 8 min
#
# Which input pixels matter to one output pixel? Ask the gradient: for those that have no influence it is zero. (A pixel that does have influence could have gradient zero by accident; with random numbers that hardly ever happens.) Those with a gradient make the *receptive field*. The networks are in evaluation mode here: in training, a batch
# norm lets every pixel see every other.


# %%
def seen(function, x):
    """Return how much each input pixel matters to the output pixel in the middle. [H, W]"""
    x = x.clone().requires_grad_()
    y = function(x)
    row, column = y.shape[-2] // 2, y.shape[-1] // 2
    (gradient,) = torch.autograd.grad(y[:, :, row, column].sum(), x)
    return gradient.abs().sum(dim=(0, 1))  # [H, W]


# %% [markdown]
# > **Predict.** How many pixels does a stack of three depthwise 3×3 convolutions see? And an inverted residual?

# %%
x = torch.randn(1, 24, 16, 16)
three = randomise(nn.Sequential(*(ConvNormAct(24, 24, kernel_size=3, groups=24) for _ in range(3))))
fields = {
    "1×1": seen(randomise(ConvNormAct(24, 24)), x),
    "inverted residual": seen(randomise(InvertedResidual(24, 24)), x),
    "three depthwise 3×3": seen(three, x),
}
print({name: int((field > 0).sum()) for name, field in fields.items()})

# %% [markdown]
# As pictures:

# %%
figures.show(
    figures.receptive_fields(fields),
    alt="Three maps of 16 by 16 pixels: one single coloured pixel, a square of 3 by 3, and a square of 7 by 7 fading outwards.",
)

# %% [markdown]
# *Coloured pixels matter to the pixel in the middle, white ones not at all; the scale is logarithmic.* Convolutions see their neighbourhood and no more; every 3×3 adds one pixel on each side. To relate two far corners of a map takes many layers, strides that shrink the map, or attention.

# %% [markdown]
# ## Unfold · 13 min
#
# Attention wants tokens `[..., k, d]`. Each pixel becomes one token. The simplest choice would be a single attention over all of them, $k = HW$. MobileViTv2 (like v1) does something else: it cuts the map into patches of 2×2 pixels, and collects the *first* pixel of every patch, then the *second* of every patch, and so
# on. There are $P = 4$ pixel positions and $N = HW/4$ patches, and so four collections of $N$ tokens. Each collection attends only within itself: four separate *conversations*.
#
# The definition, as loops over the pixels, and a picture whose pixels are numbered:


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

# %% [markdown]
# Drawn:

# %%
figures.show(
    figures.index_image(numbered[0, 0], collect(numbered)[0, :, :, 0]),
    alt="Left, pixels 0 to 15 in four patches of two by two. Right, four rows: 0 2 8 10, then 1 3 9 11, then 4 6 12 14, then 5 7 13 15.",
)

# %% [markdown]
# *Each colour is a pixel position. Left where the pixels lie, right the row in which they are collected.* In the code that follows, the map is split along its height into patches and rows of a patch, and likewise along its width;
# then the axes are put in order, and merged:


# %%
def unfold(x):
    B, C, H, W = x.shape
    x = x.permute(0, 2, 3, 1)  # [B, H, W, C]
    x = x.reshape(B, H // 2, 2, W // 2, 2, C)  # [B, H/2, 2, W/2, 2, C]
    x = x.permute(0, 2, 4, 1, 3, 5)  # [B, 2, 2, H/2, W/2, C]
    return x.reshape(B, 4, H * W // 4, C)  # [B, P, N, C]


# %% [markdown]
# It must give what the loops give, on the numbered pixels, and on a map that is not square (on a square one, height and width could be exchanged unnoticed). So must the library's `unfold`:

# %%
for x in (numbered, torch.randn(2, 3, 6, 10)):
    assert torch.equal(unfold(x), collect(x))
    assert torch.equal(mv.unfold(x), collect(x))
print(unfold(numbered)[0, :, :, 0].int().tolist())

# %% [markdown]
# `fold` takes the same steps backwards. Then nothing may be lost or moved:


# %%
def fold(tokens, size):
    B, P, N, C = tokens.shape
    H, W = size
    x = tokens.reshape(B, 2, 2, H // 2, W // 2, C)  # [B, 2, 2, H/2, W/2, C]
    x = x.permute(0, 3, 1, 4, 2, 5)  # [B, H/2, 2, W/2, 2, C]
    return x.reshape(B, H, W, C).permute(0, 3, 1, 2)  # [B, C, H, W]


assert torch.equal(fold(unfold(x), (6, 10)), x)
assert torch.equal(fold(unfold(x), (6, 10)), mv.fold(mv.unfold(x), (6, 10)))
print("fold undoes unfold, bit for bit")

# %% [markdown]
# **The band bug.** Why not simply reshape? The shapes would come out the same, and no error would be raised:


# %%
def banded(x):
    B, C, H, W = x.shape
    return x.permute(0, 2, 3, 1).reshape(B, 4, H * W // 4, C)  # [B, P, N, C]


# %% [markdown]
# > **Predict.** Which pixels of a photograph does collection 0 hold now?

# %%
photograph = mv.preprocess(mv.sample_picture("chelsea"))  # [1, 3, 256, 256]
tokens = torch.zeros(1, 4, 128 * 128, 1)  # [B, P, N, C]
tokens[:, 0] = 1  # collection 0
taken = {
    "unfold, a corner enlarged": (photograph * fold(tokens, (256, 256)))[..., :48, :48],
    "reshape alone, the whole picture": photograph * tokens.reshape(1, 1, 256, 256),  # back from `banded`
}
pictures = {title: pixels[0].movedim(0, -1) for title, pixels in taken.items()}
figures.show(
    figures.panels(pictures, width=3.4),
    alt="Left, a part of the cat enlarged: every second pixel of every second row. Right, the whole picture: only its top quarter.",
)

# %% [markdown]
# *Left, a corner of the photograph enlarged: `unfold` takes every second pixel, all over the picture. Right, the whole picture: a reshape takes its top quarter, a horizontal band.* With the bug, attention relates only pixels of the same band; it is no longer
# global, and nothing complains. Sixteen numbers are enough to notice:

# %%
print(banded(numbered)[0, :, :, 0].int().tolist())

# %% [markdown]
# ## Four conversations · 22 min
#
# The tokens `[B, P, N, d]` go into attention as they are. It works along $N$, for each of the $P$ positions by itself, with the same weights. So there are four context vectors, not one:

# %%
attention = randomise(mv.SeparableSelfAttention(24))
tokens = mv.unfold(torch.randn(1, 24, 16, 16))  # [B, P, N, d]
print("context scores ", tuple(attention.context_scores(tokens).shape))
print("context vectors", tuple(attention.context_vector(tokens).shape))

# %% [markdown]
# > **Predict.** Which pixels of the map does one pixel see through this attention?


# %%
def through(layer):
    return lambda x: mv.fold(layer(mv.unfold(x)), x.shape[-2:])


x = torch.randn(1, 24, 16, 16)
attention_field = seen(through(attention), x)
print(int((attention_field > 0).sum()), "of", attention_field.numel(), "pixels")

# %% [markdown]
# A quarter: those at its own position in their patches, over the whole map. The first pixel of a patch never talks to the second one here.
#
# **Why four conversations?** In v1 they save work: each of four attentions over a quarter of the tokens compares a sixteenth of the pairs, so all four compare a quarter. (The projections cost the same either way.) For separable attention there is nothing to save, here in the paper's order:

# %%
d, pixels = 64, 32 * 32
for name, count in (("multi-head", cost.multi_head_macs), ("separable", cost.separable_macs)):
    together, apart = count(pixels, d), 4 * count(pixels // 4, d)
    print(f"{name:10} one attention over {pixels} tokens {together:11,} MACs, four over {pixels // 4} each {apart:11,}")

# %% [markdown]
# MobileViTv2 kept the four of its predecessor, and we found no reason for it in the paper. Their one visible effect: four context vectors in place of one.
#
# Two kinds of layers bring the four together in the block, which is assembled in the next section. It begins with a depthwise 3×3
# convolution, which mixes the pixels of a 2×2 patch with one another. And every *norm* in it (before the attention, before the feed-forward network, at the end) looks at all of them.
#
# **That norm** is a *group norm with one group*: one mean and one variance for each sample, over all positions, all patches and all channels. Some call that a layer norm. It is not the layer norm of Transformers, which takes the mean of each *token*. We normalise
# the same tokens both ways; their means were made to differ. (PyTorch's `F.layer_norm` normalises over the last axes, as many as its second argument lists.)

# %%
tokens = torch.randn(2, 4, 9, 6) + torch.arange(9.0)[:, None]  # [B, P, N, d]
group_norm = F.layer_norm(tokens, tokens.shape[1:])
layer_norm = F.layer_norm(tokens, tokens.shape[-1:])
for name, normed in (("group norm, one group", group_norm), ("layer norm of each token", layer_norm)):
    means = normed[0].mean(dim=-1)
    print(f"{name:24} in one sample, the means of the tokens differ by up to {means.max() - means.min():.2f}")

# %% [markdown]
# With the group norm, tokens may keep different means; only the whole sample has mean zero. `nn.GroupNorm(1, d)` computes it for maps with the channels second, and the library's `GroupNorm1` for tokens:

# %%
norm = randomise(blocks.GroupNorm1(6))
reference = nn.GroupNorm(1, 6)
reference.load_state_dict(norm.state_dict())
torch.testing.assert_close(norm(tokens), reference(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
print("GroupNorm1 on tokens equals nn.GroupNorm(1, d) on maps")

# %% [markdown]
# What does one pixel see through attention with this norm before it?

# %%
layer = nn.Sequential(randomise(blocks.GroupNorm1(24)), attention)
fields = {"attention": attention_field, "norm, then attention": seen(through(layer), x)}
print({name: int((field > 0).sum()) for name, field in fields.items()})

# %% [markdown]
# And how strongly:

# %%
figures.show(
    figures.receptive_fields(fields, width=3),
    alt="Left, every second pixel of every second row is coloured. Right, all pixels are; most of the grid stands out.",
)

# %% [markdown]
# *Attention alone leaves three quarters of the map white; through the norm all pixels matter to the one in the middle, those at other positions faintly. (Where a token's share in the attention is tiny, the faint effect of the norm is all one sees.)* So the norm is a second way for news to travel across the map.

# %% [markdown]
# ## The block · 29 min
#
# All pieces are there. A *transformer layer* is attention and a feed-forward network; each has a norm before it and its input added after it (Section 3.3 of the paper; Fig. 6 shows the block):


# %%
class TransformerLayer(nn.Module):
    def __init__(self, dim, attention):
        super().__init__()
        self.attention_norm, self.attention = blocks.GroupNorm1(dim), attention
        self.ffn_norm, self.ffn = blocks.GroupNorm1(dim), blocks.FeedForward(dim)

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))  # [B, P, N, d]
        return x + self.ffn(self.ffn_norm(x))  # [B, P, N, d]


# %% [markdown]
# `FeedForward` is two linear layers, to $2d$ and back to $d$, with a SiLU between them, for each token by itself.
#
# The *block* looks nearby with a depthwise 3×3, goes from $C$ channels to tokens of width $d$, through some transformer layers, and back:


# %%
class Block(nn.Module):
    def __init__(self, channels, dim, num_layers):
        super().__init__()
        self.local = ConvNormAct(channels, channels, kernel_size=3, groups=channels)
        self.to_tokens = nn.Conv2d(channels, dim, 1, bias=False)
        layers = (TransformerLayer(dim, mv.SeparableSelfAttention(dim)) for _ in range(num_layers))
        self.layers, self.norm = nn.Sequential(*layers), blocks.GroupNorm1(dim)
        self.to_channels = ConvNormAct(dim, channels, activation=False)

    def forward(self, x):
        size = x.shape[-2:]
        tokens = unfold(self.to_tokens(self.local(x)))  # [B, P, N, d]
        tokens = self.norm(self.layers(tokens))  # [B, P, N, d]
        return self.to_channels(fold(tokens, size))  # [B, C, H, W]


# %% [markdown]
# It is the library's block, with the same weights under the same names, and the same numbers out (at even sizes; odd ones come further down):

# %%
ours, library = Block(128, 64, num_layers=2), mv.MobileViTv2Block(128, 64, num_layers=2)
assert_same(ours, library, torch.randn(2, 128, 12, 20))
assert cost.count_parameters(ours) == cost.count_parameters(library)
print(f"equal to mv.MobileViTv2Block, with {cost.count_parameters(library):,} parameters in both")

# %% [markdown]
# And the library's block is timm's. Copying weights over is the business of notebook 06; here `mv.load_checkpoint` does it for the narrowest published network, `MobileViTv2(0.5)`, and we compare its first block, in double precision. (`referee` imports timm, or says that it is not there, and everything else runs.)

# %% tags=["nbval-ignore-output"]
from mvit2_lib.course.referees import referee

timm = referee("timm")
if timm:
    network = randomise(timm.create_model("mobilevitv2_050"))
    library = mv.load_checkpoint(mv.MobileViTv2(0.5), network.state_dict()).eval()
    theirs, ours = network.double().stages[2][1], library.double().stages[2][1]  # the first MobileViTv2 block
    for H, W in ((16, 16), (10, 18), (7, 7), (15, 9)):
        x = torch.randn(1, 128, H, W, dtype=torch.float64)
        difference = (ours(x) - theirs(x)).abs().max().item()
        assert difference < 1e-10
        print(f"{H:2}×{W:2}: the largest difference from timm's block is {difference:.0e}")

# %% [markdown]
# At even and at odd sizes.
#
# **What a pixel sees now**, at three places along the way:

# %%
x = torch.randn(1, 128, 24, 24)
block = randomise(mv.MobileViTv2Block(128, 64, num_layers=2))
steps = {
    "depthwise 3×3": block.local,
    "… and 1×1": lambda x: block.to_tokens(block.local(x)),
    "the whole block": block,
}
fields = {name: seen(function, x) for name, function in steps.items()}
print({name: int((field > 0).sum()) for name, field in fields.items()})

# %% [markdown]
# Local first, then global:

# %%
figures.show(
    figures.receptive_fields(fields),
    alt="Three maps of 24 by 24 pixels. Before the transformer a square of 3 by 3 is coloured; after the block the whole map is.",
)

# %% [markdown]
# *Before the transformer layers a pixel sees nine pixels (the 1×1 adds none), after them all 576.* The small squares in the third map are 3×3 pixels large: each surrounds a pixel that the attention looked at, and comes from the first convolution.

# %% [markdown]
# ## Beside MobileViT v1 · 36 min
#
# The block of MobileViT v1 (arXiv 2110.02178) has the same plan with more in it: a *full* 3×3 convolution at the start, multi-head attention, a skip connection that sets the input beside the result, and another full 3×3 that *fuses* the
# two. Here is v1's wiring with this course's layers. (The real v1 also has other widths, and a layer norm for each token.)


# %%
class BlockV1(nn.Module):
    def __init__(self, channels, dim, num_layers):
        super().__init__()
        self.local = blocks.ConvNormAct(channels, channels, kernel_size=3)
        self.to_tokens = nn.Conv2d(channels, dim, 1, bias=False)
        layers = (blocks.TransformerLayer(dim, mv.MultiHeadSelfAttention(dim, 4)) for _ in range(num_layers))
        self.layers, self.norm = nn.Sequential(*layers), blocks.GroupNorm1(dim)
        self.to_channels = blocks.ConvNormAct(dim, channels)
        self.fuse = blocks.ConvNormAct(2 * channels, channels, kernel_size=3)

    def forward(self, x):
        tokens = mv.unfold(self.to_tokens(self.local(x)))  # [B, P, N, d]
        y = self.to_channels(mv.fold(self.norm(self.layers(tokens)), x.shape[-2:]))  # [B, C, H, W]
        return self.fuse(torch.cat([x, y], dim=1))  # [B, C, H, W]


# %% [markdown]
# Both blocks, drawn from what their parts really do when they run:

# %%
v1, v2, x = BlockV1(128, 64, 2).eval(), mv.MobileViTv2Block(128, 64, 2).eval(), torch.randn(1, 128, 32, 32)
columns = {"v1's wiring": figures.block_steps(v1, x), "MobileViTv2": figures.block_steps(v2, x)}
figures.show(
    figures.blocks(columns, skip={"v1's wiring": (0, 9)}),
    alt="Two columns of boxes with shapes. Both unfold, run two transformer layers, fold; v1 has a skip and a fusing 3 by 3 on top.",
)

# %% [markdown]
# *Read from below. Gone in v2 are the skip and the two boxes on top, the one that joins and the one that fuses; the first 3×3 is depthwise, the attention separable, and the last 1×1 has no SiLU.*
#
# > **Predict.** Which of these changes saves most multiply–accumulates at 32×32 pixels, $C = 128$, $d = 64$? (Separable attention is counted in the paper's order.)


# %%
def part_of(name):
    """Say to which part of the block a layer belongs, by its name."""
    if "layers" in name:
        return "attention" if "attention" in name else "feed-forward"
    return {"local": "local 3×3", "fuse": "fusing 3×3"}.get(name.split(".")[0], "1×1")


for name, block in (("v1's wiring", v1), ("MobileViTv2", v2)):
    parts = dict.fromkeys(("local 3×3", "attention", "feed-forward", "1×1", "fusing 3×3"), 0)
    for row in cost.layer_costs(block, 1, 128, 32, 32):
        parts[part_of(row.name)] += row.macs
    print(f"{name:12}", {part: f"{macs / 1e6:.1f}" for part, macs in parts.items()}, "million MACs")
    print(f"{name:12} {sum(parts.values()) / 1e6:.0f} million in all, {cost.count_parameters(block):,} parameters")

# %% [markdown]
# The fusing convolution, by far; then the full 3×3 at the start; then attention. At this size, the block became cheap mostly by losing full convolutions, in MACs and in parameters.
#
# Were they worth anything? The v2 paper reports no experiment of its own on that; it says that they improve the performance marginally, and refers to v1. There, a figure gives the accuracy on ImageNet without and with the skip. And MobileViTv3 (arXiv 2209.15159) put a cheaper fusion and a skip back into v2. The published numbers, from a
# table in the library with its sources:

# %%
from mvit2_lib.course.published import published

for row in published("fusion"):
    gain = row["with"] - row["without"]
    print(f"{row['model']:17} {row['without']:5} without, {row['with']:5} with {row['what']}: {gain:+.1f} points")

# %% [markdown]
# What v3 put back is not quite what v2 dropped, but it suggests that dropping it was not free.

# %% [markdown]
# ## Odd sizes · 41 min
#
# 2×2 patches do not tile a map of 7×7 pixels, and deep in the network a picture of 224×224 pixels has become such a map. Public implementations do five different things. (We ran ours and timm's, and below the two PyTorch functions that transformers uses; of the others we only read the code, in 2026.)
#
# | implementation | what it does with 7×7 | what comes out |
# |---|---|---|
# | ml-cvnets (the authors' own), timm, and ours | enlarges to 8×8 before the block, bilinear, with `align_corners` | 8×8 |
# | keras_cv_attention_models | enlarges to 8×8 before the block, bilinear, without `align_corners` | 8×8, other numbers |
# | keras-vision-models | enlarges inside the block, shrinks back at its end | 7×7 |
# | transformers | unfolds 6×6 and leaves the last row and column empty | 7×7 |
# | PaddleClas | nothing: shapes no longer fit | an error, as far as we can tell |
#
# Ours:

# %%
block = randomise(mv.MobileViTv2Block(16, 8, num_layers=1))
x = torch.randn(1, 16, 7, 7)
enlarged = F.interpolate(x, (8, 8), mode="bilinear", align_corners=True)  # [B, C, H, W]
torch.testing.assert_close(block(x), block(enlarged))
print(tuple(x.shape), "becomes", tuple(block(x).shape))

# %% [markdown]
# With `align_corners` the centres of the corner pixels stay where they are, without it the edges of the picture do. Does it matter? A ramp of seven numbers, made eight:

# %%
ramp = torch.arange(7.0).reshape(1, 1, 1, 7)
for stay in (True, False):
    eight = F.interpolate(ramp, (1, 8), mode="bilinear", align_corners=stay)
    print(f"align_corners={stay!s:5}", [round(number, 3) for number in eight.flatten().tolist()])

# %% [markdown]
# On this smooth ramp, a little: less than 0.05 of the step from pixel to pixel. (On a noisy map it matters more.) And what do PyTorch's `F.unfold` and `F.fold`, which transformers uses for its patches, make of 7×7?

# %%
ones = torch.ones(1, 1, 7, 7)
back = F.fold(F.unfold(ones, 2, stride=2), (7, 7), 2, stride=2)
print(back[0, 0].int())

# %% [markdown]
# A last row and a last column of zeros, without a warning. So, by what we know, the same weights give different answers in different libraries when a map has an odd side. At 256×256 pixels the maps are 32, 16 and 8 wide, and the question does not arise.

# %% [markdown]
# ## Exercises · 45 min
#
# Fill in each stub and run its cell. The check prints one line, and names the mistake if it recognises one.

# %% [markdown]
# ### 4.1 · Unfold ★★ · 5 min
#
# From a map `[B, C, H, W]` to tokens `[B, P, N, C]`, in patches of `p` × `p` pixels. Both positions and patches are counted row by row.
#
# <details><summary>Hint</summary>
#
# `x.unflatten(2, (-1, p))` splits the height into patches and rows of a patch. After both splits, `permute` once, and flatten twice.
#
# </details>


# %% tags=["exercise"]
def unfold_patches(x, p):
    ### BEGIN SOLUTION
    x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # [B, C, H/p, p, W/p, p]
    return x.permute(0, 3, 5, 2, 4, 1).flatten(3, 4).flatten(1, 2)  # [B, P, N, C]
    ### END SOLUTION


checks.unfold_patches(unfold_patches)

# %% [markdown]
# ### 4.2 · Fold ★★ · 5 min
#
# The way back: from tokens `[B, P, N, C]` in patches of `p` × `p` pixels to the map `[B, C, H, W]`.
#
# <details><summary>Hint</summary>
#
# Split the axis `P` into `(p, p)` and the axis `N` into `(H // p, W // p)`. Then bring the axes into the order of the map.
#
# </details>


# %% tags=["exercise"]
def fold_patches(tokens, H, W, p):
    ### BEGIN SOLUTION
    x = tokens.unflatten(2, (H // p, W // p)).unflatten(1, (p, p))  # [B, p, p, H/p, W/p, C]
    return x.permute(0, 5, 3, 1, 4, 2).flatten(4, 5).flatten(2, 3)  # [B, C, H, W]
    ### END SOLUTION


checks.fold_patches(fold_patches)

# %% [markdown]
# ### 4.3 · A detector for the band bug ★★ · 4 min
#
# You are given somebody's function that takes a map `[B, C, H, W]` to tokens `[B, P, N, C]` in 2×2 patches. Return `True` if it groups pixels by
# their position in the patch (in whatever order the positions and the patches come), `False` if not. The check runs your detector on right and wrong functions.
#
# <details><summary>Hint</summary>
#
# Give it a map that says of each pixel which position it has. What must hold for each row of the result?
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
# ### 4.4 · Group norm with one group ★★ · 4 min
#
# Normalise tokens `[B, P, N, d]`: each *sample* gets mean 0 and variance 1 (dividing by the number of entries, and with `eps` added to the variance), then every
# channel its `weight` `[d]` and `bias` `[d]`.
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
# ### 4.5 · Count the block ★★★ · 6 min
#
# The multiply–accumulates of a MobileViTv2 block with `C` channels, tokens of width `d` and `layers` transformer layers, on a map of `H` × `W` pixels with even sides. Count separable attention in the
# paper's order, $3kd^2 + kd$ for $k$ tokens; the feed-forward network widens to $2d$. Norms and activations count nothing.
#
# <details><summary>Hint</summary>
#
# How many tokens are there in all four collections together? Depthwise 3×3, 1×1 to $d$, the layers, 1×1 back to $C$.
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
# ### 4.6 · The same block with multi-head attention ★★ · 4 min
#
# How many *more* multiply–accumulates does one transformer layer take if multi-head attention, $4kd^2 + 2k^2d$, takes the place of separable attention? The map has `H` × `W` pixels in 2×2 patches, the tokens have width `d`.
#
# <details><summary>Hint</summary>
#
# There are four attentions over $k = HW/4$ tokens each.
#
# </details>


# %% tags=["exercise"]
def extra_macs(d, H, W):
    ### BEGIN SOLUTION
    k = H * W // 4
    return 4 * ((4 * k * d**2 + 2 * k**2 * d) - (3 * k * d**2 + k * d))
    ### END SOLUTION


checks.extra_macs(extra_macs)

# %% [markdown]
# ## What you now know
#
# 1. You can *count* the more than eightfold saving of a depthwise-separable convolution, and *saw* that it looks at 3×3 pixels.
# 2. You *tested* `unfold` against its definition and `fold` bit for bit, and can *spot* the band bug.
# 3. You can *explain* the four conversations, one for each pixel position; they meet in the depthwise 3×3 and in the norms.
# 4. You *assembled* the block from its pieces; it equals the library's, which equals timm's (seen where timm is installed).
# 5. You can *compare* v1 and v2: two full 3×3 convolutions, the skip and the comparison of all pairs are gone, and published numbers suggest that not all of that was free.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Section 3.3, Fig. 6.
# - S. Mehta and M. Rastegari, *MobileViT*, arXiv 2110.02178: Fig. 1b, Fig. 12.
# - M. Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, arXiv 1801.04381: Fig. 3.
# - S. Wadekar and A. Chaurasia, *MobileViTv3*, arXiv 2209.15159.
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
