# %% [markdown]
# # 01 · Multi-head attention, from one dot product
#
# **You build multi-head attention, the heart of the networks called Transformers, from a single dot product, and know exactly what it costs.**
#
# **You will be able to**
#
# 1. *compute* attention over three tokens with loops, and again with two matrix products,
# 2. *explain* why the scores are divided by the square root of a width, and what happens without that,
# 3. *build* multi-head attention as a module that equals PyTorch's own,
# 4. *show* that attention does not know the order of its tokens,
# 5. *count* its multiplications for any number of tokens.
#
# **You need** notebook 00, matrix products, and PyTorch tensors, modules and gradients (`backward`). No network, no graphics card.
#
# About forty-five minutes of reading and running, then twenty minutes of exercises.

# %% [markdown]
# ## Three tokens · 0 min
#
# The set-up first: PyTorch, and this course's library.

# %%
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import cost
from mvit2_lib.course import checks, figures

_ = torch.set_printoptions(precision=2, sci_mode=False)

# %% [markdown]
# A *token* is a list of numbers that describes a piece of something: of a sentence, or here of a picture. Our picture has three
# pieces. Four numbers say how *warm*, *striped*, *green* and *soft* each of them is. We call the number of tokens $k$, and the count
# of numbers in each its *width* $d$.

# %%
names = ("fur", "ear", "grass")
x = torch.tensor([[2.0, 1.0, 0.0, 1.0], [1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 2.0, 1.0]])  # [k, d]
k, d = x.shape
print(k, "tokens of width", d)

# %% [markdown]
# How alike are two tokens? Multiply them number by number, and add up. That is their *dot product*. It is large when both are large
# in the same places, and zero when they have nothing in common.

# %%
print("fur · ear   =", (x[0] * x[1]).sum().item())
print("fur · grass =", (x[0] * x[2]).sum().item())

# %% [markdown]
# > **Predict.** Work out *ear* · *grass* in your head. And which is larger: *fur* · *fur*, or *fur* · *ear*?
#
# Here are all pairs, one after the other:

# %%
scores = torch.zeros(k, k)
for i in range(k):
    for j in range(k):
        scores[i, j] = (x[i] * x[j]).sum()
print(scores)

# %% [markdown]
# Row *ear*, column *grass* holds 1: both are soft. The diagonal compares each token with itself, and is the largest number in its
# row here.
#
# A table of all dot products is a matrix product: the rows of $x$ times the columns of its transpose $x^\top$. In PyTorch that is
# `x @ x.mT`. One line replaces two loops, and both must agree:

# %%
torch.testing.assert_close(x @ x.mT, scores)
print("one matrix product gives the same table")

# %% [markdown]
# ## From scores to attention · 5 min
#
# A token shall take over something from the others, and more from those it resembles. So turn each row of scores into *weights* that are positive
# and add up to one. The *softmax* does that: it takes the exponential of every score, and divides by the sum of them all.
#
# $$\operatorname{softmax}(s)_j = \frac{e^{s_j}}{\sum_{j'} e^{s_{j'}}}$$

# %%
weights = torch.zeros(k, k)
for i in range(k):
    exponentials = scores[i].exp()
    weights[i] = exponentials / exponentials.sum()
print(weights)

# %% [markdown]
# PyTorch's `softmax` wants to know the axis along which the weights add up to one. A row belongs to the token that looks. Its columns
# are the tokens it looks at, and their weights must add up to one. Columns are counted along the last axis, `dim=-1`.

# %%
torch.testing.assert_close(scores.softmax(dim=-1), weights)
print("the rows add up to", [round(total, 4) for total in weights.sum(dim=-1).tolist()])

# %% [markdown]
# This table of weights is the *attention map*. In a picture, dark means much attention:

# %%
figures.show(
    figures.attention_map(weights, names),
    alt="A 3 by 3 map: fur and ear look mostly at themselves and a little at each other, grass almost only at itself.",
)

# %% [markdown]
# *Each row shows where one token looks.* Fur gives 0.73 of its attention to itself and 0.27 to the ear. (What is printed as 0.00 is 0.005.)
# Grass looks almost only at itself.
#
# What does a token take over? The *weighted mean* of all tokens. First slowly, one token at a time:

# %%
y = torch.zeros(k, d)
for i in range(k):
    for j in range(k):
        y[i] += weights[i, j] * x[j]
print(y)

# %% [markdown]
# A weighted sum of rows, for every row of weights, is again a matrix product:

# %%
torch.testing.assert_close(weights @ x, y)
print("softmax(x xᵀ) x is the same")

# %% [markdown]
# The new *fur*, in the first row, is less warm and more striped than the old one: it has taken over from the *ear*. That is all there is
# to attention: **compare, weigh, average**.
#
# A model handles many pictures at once. The product `@` and `.mT` work on the last two axes, `softmax(dim=-1)` on the last, and all leave
# the axes before them alone. So a *batch* of $B$ pictures needs no new code:

# %%
batch = torch.stack([x, 2 * x])  # [B, k, d]
batch_y = (batch @ batch.mT).softmax(dim=-1) @ batch  # [B, k, d]
torch.testing.assert_close(batch_y[0], y)
print(tuple(batch_y.shape))

# %% [markdown]
# ## Why divide by a square root · 12 min
#
# Real tokens are much wider than four. What becomes of a dot product when $d$ grows? Draw two vectors at random, with entries of mean
# 0 and variance 1. Take their dot product. Do it ten thousand times, for each of several widths.
#
# > **Predict.** The dot product is a sum of $d$ products. How does its *variance* grow with $d$: not at all, like $\sqrt d$, like $d$, or
# > like $d^2$?

# %%
torch.manual_seed(0)
widths = [4, 16, 64, 256, 1024]
for width in widths:
    dots = (torch.randn(10_000, width) * torch.randn(10_000, width)).sum(dim=1)  # [10000]
    print(f"d = {width:4}: variance / d = {dots.var().item() / width:.1f}")

# %% [markdown]
# The variance is $d$: each product of two such numbers has variance 1, and the variances of independent numbers add up. So the size of a
# dot product is typically $\sqrt d$. At $d = 1024$ that is 32, and the softmax takes the exponential of such numbers. What becomes of a
# row of 16 weights?

# %%
dots = (torch.randn(1000, 1, 1024) * torch.randn(1000, 16, 1024)).sum(dim=-1)  # [1000, 16]
for label, row in (("as they are", dots), ("divided by sqrt(d)", dots / 1024**0.5)):
    print(f"{label:18}: the largest of 16 weights is {row.softmax(dim=-1).amax(dim=-1).mean().item():.2f} on average")

# %% [markdown]
# Undivided, the largest score takes almost everything. Why is that bad? A network learns by *gradients*: how much does an output change when an
# input changes a little? The next cell measures it. It draws 1,000 rows of 16 scores for each width, and asks how much the largest weight
# of a row changes with its own score.


# %%
def reaction(scores):
    """Return how much the largest weight of a row changes with its own score, on average over the rows."""
    scores = scores.clone().requires_grad_()
    scores.softmax(dim=-1).amax(dim=-1).sum().backward()
    return scores.grad.amax(dim=-1).mean().item()  # no other score's gradient is positive


plain, scaled = [], []
for width in widths:
    dots = (torch.randn(1000, 1, width) * torch.randn(1000, 16, width)).sum(dim=-1)  # [1000, 16]
    plain.append(reaction(dots))
    scaled.append(reaction(dots / width**0.5))

# %% [markdown]
# Drawn over the width:

# %%
figures.show(
    figures.lines(
        widths, {"scores as they are": plain, "divided by √d": scaled}, "width d", "reaction of the largest weight"
    ),
    alt="Two lines over d from 4 to 1024. Undivided, the reaction falls towards zero; divided by root d, it stays level.",
)
assert plain[-1] < 0.25 * scaled[-1]
assert plain == sorted(plain, reverse=True)

# %% [markdown]
# *Without the division the reaction falls as tokens get wider, to less than a quarter at d = 1024; with it, it hardly depends on d.* (At d = 4
# the undivided scores react even more. The point is that the width must not matter.) If the softmax
# hardly reacts, what lies before it receives hardly any gradient, and learns slowly. So the scores are divided by $\sqrt d$, or by
# $\sqrt{d_h}$ where vectors of width $d_h$ are compared. (The MobileViTv2 paper, arXiv 2206.02680, leaves the division out of its Eq. 1, though
# its text calls the attention "scaled". Eq. 1 of *Attention Is All You Need* has it.)

# %% [markdown]
# ## Three questions: query, key, value · 19 min
#
# So far a token plays three parts with the same numbers. It *asks* (its row), it *is compared* (its column), and it *is averaged*.
# Those are different jobs. A token should be able to ask for grass without being grass. So each part gets its own learned matrix, a
# *projection*:
#
# $$Q = x W_Q \qquad K = x W_K \qquad V = x W_V$$
#
# $Q$ holds the *queries*, what each token looks for. $K$ holds the *keys*, what each token offers to be found by. $V$ holds the
# *values*, what each token gives when it is found. The matrices are random here; training would set them. (They are drawn small, so that
# the numbers stay readable. The fourth, $W_O$, is for the next section.)

# %%
torch.manual_seed(1)
W_Q, W_K, W_V, W_O = torch.randn(4, d, d) / 2
query, key, value = x @ W_Q, x @ W_K, x @ W_V  # [k, d] each

# %% [markdown]
# > **Predict.** In the table $x x^\top$ the score of *fur* for *ear* equals that of *ear* for *fur*. Is the table $Q K^\top$ symmetric as well?

# %%
print(query @ key.mT)

# %% [markdown]
# It is not: asking and being found are different jobs now. With scale, softmax and weighted mean as before, we have one *head* of
# attention. PyTorch has this formula built in, and ours equals it:

# %%
one_head = (query @ key.mT / d**0.5).softmax(dim=-1) @ value  # [k, d]
torch.testing.assert_close(F.scaled_dot_product_attention(query[None], key[None], value[None])[0], one_head)
print("equal to F.scaled_dot_product_attention")

# %% [markdown]
# ## Several heads · 24 min
#
# One map gives a token one mixture of all tokens. It may need several: one for "what has my colour?", another for "what is striped like
# me?". *Multi-head attention* cuts the width of queries, keys and values into $h$ equal parts of width $d_h = d / h$, and
# runs one head on each. Each head computes its own map from its own part. At the end the parts are put side by side again, and a last matrix
# $W_O$ mixes them.
#
# First as a list of heads, with $h = 2$. The scores are now dot products of width $d_h$, so the divisor is $\sqrt{d_h}$:

# %%
h = 2
d_h = d // h
heads = []
for i in range(h):
    part = slice(i * d_h, (i + 1) * d_h)
    head_map = (query[:, part] @ key[:, part].mT / d_h**0.5).softmax(dim=-1)  # [k, k]
    heads.append(head_map @ value[:, part])  # [k, d_h]
listed = torch.cat(heads, dim=-1) @ W_O  # [k, d]
print(listed)

# %% [markdown]
# That is Eq. 1 of the MobileViTv2 paper (with the scale). To do all heads at once, the heads become an axis of their own. *Cut* the width into heads,
# and move the new axis in front of the token axis:


# %%
def split_heads(x):
    return x.unflatten(-1, (h, d_h)).transpose(-3, -2)  # [h, k, d_h]


def merge_heads(x):
    return x.transpose(-3, -2).flatten(-2)  # [k, d]


print(tuple(query.shape), "->", tuple(split_heads(query).shape), "->", tuple(merge_heads(split_heads(query)).shape))

# %% [markdown]
# The order of the two steps matters. Why not reshape `[k, d]` to `[h, k, d_h]` in one go?
#
# > **Predict.** `query.reshape(h, k, d_h)` has the right shape too. What would its first head contain?

# %%
numbered = torch.arange(k * d).reshape(k, d)  # [k, d]
print("cut, then move:  ", split_heads(numbered)[0].tolist())
print("reshape at once: ", numbered.reshape(h, k, d_h)[0].tolist())

# %% [markdown]
# Cut and moved, the first head holds the first half of *every* token: entries 0, 1 of the first, 4, 5 of the second, 8, 9 of the
# third. Reshaped at once, it holds both halves of the first token and one half of the second. No error is raised, and everything
# after it is wrong. Exercise 1.3 has the same trap, on the way back.
#
# With heads as an axis, the formula from before works unchanged, for all heads at once:

# %%
q, key_heads, v = split_heads(query), split_heads(key), split_heads(value)  # [h, k, d_h] each
maps = (q @ key_heads.mT / d_h**0.5).softmax(dim=-1)  # [h, k, k]
multi_head = merge_heads(maps @ v) @ W_O  # [k, d]
torch.testing.assert_close(multi_head, listed)
print(maps)

# %% [markdown]
# Equal to the list of heads, and two maps in place of one: the heads look at different tokens.
#
# ## The module · 30 min
#
# In a network the four matrices are learned. `nn.Linear` holds such a matrix and adds a *bias*, a learned vector. It stores the
# matrix transposed: `nn.Linear(d, d)` computes $x W^\top_\text{stored} + b$. Everything so far fits into ten lines. (In the shapes, `...` stands for any axes in front, such as the batch.)


# %%
class MultiHead(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.W_Q, self.W_K, self.W_V, self.W_O = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x):
        projected = self.W_Q(x), self.W_K(x), self.W_V(x)  # [..., k, d] each
        query, key, value = (p.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2) for p in projected)
        attention = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)  # [..., h, k, k]
        return self.W_O((attention @ value).transpose(-3, -2).flatten(-2))  # [..., k, d]


# %% [markdown]
# With our four matrices in it and biases of zero, it gives what we computed by hand:

# %%
ours = MultiHead(d, h)
with torch.no_grad():
    for linear, matrix in zip((ours.W_Q, ours.W_K, ours.W_V, ours.W_O), (W_Q, W_K, W_V, W_O), strict=True):
        linear.weight.copy_(matrix.T)
        linear.bias.zero_()
torch.testing.assert_close(ours(x), multi_head)
print("the module equals the formula")

# %% [markdown]
# PyTorch has a module of its own, `nn.MultiheadAttention`. It keeps the matrices for queries, keys and values in one tall matrix. Draw all
# our weights and biases afresh, so that nothing can hide behind zeros, and copy them over. PyTorch's module wants to be given $x$ three
# times, once for each part it plays, and returns the result and the mean of the heads' maps; we compare the result.

# %%
with torch.no_grad():
    for parameter in ours.parameters():
        parameter.normal_()
theirs = nn.MultiheadAttention(d, h, batch_first=True)
with torch.no_grad():
    theirs.in_proj_weight.copy_(torch.cat([ours.W_Q.weight, ours.W_K.weight, ours.W_V.weight]))
    theirs.in_proj_bias.copy_(torch.cat([ours.W_Q.bias, ours.W_K.bias, ours.W_V.bias]))
    theirs.out_proj.load_state_dict(ours.W_O.state_dict())
torch.testing.assert_close(ours(batch), theirs(batch, batch, batch)[0])
print("equal to nn.MultiheadAttention")

# %% [markdown]
# The library holds the same module, which also checks its input, and has a method that returns the map. Its weights have the same names, so
# they carry over:

# %%
library = mv.MultiHeadSelfAttention(d, h)
library.load_state_dict(ours.state_dict())
torch.testing.assert_close(library(batch), ours(batch))
learned = sum(parameter.numel() for parameter in library.parameters())
assert learned == mv.count_parameters(library) == 4 * d**2 + 4 * d
print("equal to mv.MultiHeadSelfAttention, with", learned, "learned numbers: four matrices and four biases")

# %% [markdown]
# All of it in one drawing: a box for each step, with the shape that leaves it.

# %%
figures.show(
    figures.multi_head_unit(),
    alt="Boxes from x upwards: projections W_Q, W_K, W_V; dot products and softmax, h by k by k; weighted means; W_O.",
)

# %% [markdown]
# *Read from below. The two pink boxes work on all $k \times k$ pairs of tokens: they are the reason for this whole course.*

# %% [markdown]
# ## Order does not matter · 35 min
#
# > **Predict.** Swap the first and the last token, and run the module again. What happens to the output?

# %%
with torch.no_grad():
    for order in ([2, 1, 0], [1, 2, 0], [0, 2, 1]):
        same = torch.allclose(library(x[order]), library(x)[order], atol=1e-6)
        print(order, "output of reordered tokens equals reordered output:", same)

# %% [markdown]
# The output is reordered in the same way, and nothing else changes: each output is a sum over all tokens, and a sum does not care about
# order. Attention is *permutation equivariant*: it treats its tokens as a set. To it, a picture and its jumbled pieces are the same set. Whoever cares about position must put it into the tokens. MobileViTv2
# does that with convolutions, which look at neighbours (notebook 04).

# %% [markdown]
# ## On a real picture · 37 min
#
# Now a photograph, cut into a grid of 16 × 16 patches: 256 tokens. (`unfold(axis, size, step)` cuts an axis into windows.) To describe a patch in a few numbers, we average its colours over each
# quarter: 4 quarters times 3 colours make $d = 12$. We subtract the average patch and scale each token to length one, so that a dot
# product says how alike two patches are in colour. Nothing is trained here: queries and keys are the tokens themselves. Their dot products
# lie between −1 and 1, so that one weight could be at most $e^2 \approx 7$ times another. This time we *enlarge* the scores, by a factor of 20.

# %%
picture = mv.preprocess(mv.sample_picture("chelsea"))[0]  # [3, 256, 256]
quarters = F.avg_pool2d(picture, 8)  # [3, 32, 32]
squares = quarters.unfold(1, 2, 2).unfold(2, 2, 2)  # [3, 16, 16, 2, 2]: 16 × 16 patches of 2 × 2 quarters
patches = squares.permute(1, 2, 0, 3, 4).reshape(256, 12)  # [k, d]
tokens = F.normalize(patches - patches.mean(dim=0), dim=-1)  # [k, d]
cat_map = (20 * tokens @ tokens.mT).softmax(dim=-1)  # [k, k]
print(tuple(cat_map.shape))

# %% [markdown]
# Each row of this map holds 256 weights, one for every patch. Laid out as 16 × 16, a row becomes a picture of where one patch looks.
#
# > **Predict.** Besides itself, where will a patch in the left eye look? And one on the nose?

# %%
asking = {"eye": (6, 5), "nose": (13, 10), "forehead": (2, 9)}
figures.show(
    figures.attention_over_picture(picture, cat_map, asking),
    alt="A cat, three times, with one patch marked. The eye looks at the other eye, the nose along its side, the fur at fur.",
)

# %% [markdown]
# *The marked patch asks; the brighter a patch, the more it is looked at.* The eye finds the other eye, the tip of the nose finds
# its side, and the forehead other fur. But the eye looks at the forehead nearly as much, and the nose at a patch of cheek: these tokens know colours, not things. Telling things apart is
# what the learned $W_Q$ and $W_K$ are for.
#
# How widely does each of them look? Count the patches that share nine tenths of its attention:

# %%
for name, (row, column) in asking.items():
    shares = cat_map[16 * row + column].sort(descending=True).values.cumsum(dim=0)
    print(f"{name:9}{int((shares < 0.9).sum()) + 1:3} patches of 256")
print(len(cat_map.unique(dim=0)), "different rows")

# %% [markdown]
# Each token asks its own question and gets its own answer: no two rows of the map are equal. It took $256 \times 256 = 65{,}536$
# comparisons to draw it up.

# %% [markdown]
# ## What it costs · 41 min
#
# A *multiply–accumulate* (MAC) is one multiplication and one addition: one step of a matrix product. A product of `[a, b]` and `[b, c]`
# takes $a \cdot b \cdot c$ of them. Now count:
#
# | step | shapes | MACs |
# |---|---|---|
# | four projections $W_Q, W_K, W_V, W_O$ | `[k, d] @ [d, d]`, four times | $4kd^2$ |
# | scores, all heads together | `[k, d_h] @ [d_h, k]`, $h$ times | $k^2 d$ |
# | weighted means, all heads together | `[k, k] @ [k, d_h]`, $h$ times | $k^2 d$ |
#
# Together $4kd^2 + 2k^2d$. The number of heads drops out of the MACs, but the maps hold $h k^2$ weights.
#
# > **Predict.** For $d = 64$, at which $k$ do the two quadratic steps overtake the four projections?

# %%
for tokens_count in (64, 128, 256, 1024):
    projections, pairs = 4 * tokens_count * 64**2, 2 * tokens_count**2 * 64
    assert projections + pairs == cost.multi_head_macs(tokens_count, 64)
    print(f"k = {tokens_count:5,}: projections {projections:11,}, pairs of tokens {pairs:12,}")

# %% [markdown]
# At $k = 2d$ they are equal, and from there the pairs take over. Do not trust a formula that was never measured: PyTorch can count what
# it executes. It counts two operations for each MAC.

# %%
from torch.utils.flop_counter import FlopCounterMode

with FlopCounterMode(display=False) as counter, torch.no_grad():
    mv.MultiHeadSelfAttention(64, 4)(torch.randn(1, 256, 64))
print("counted by PyTorch:", counter.get_total_flops() // 2, " formula:", cost.multi_head_macs(256, 64))

# %% [markdown]
# They agree to the last digit, because both count matrix products only. What neither counts: the biases ($4kd$ additions), the
# scaling, and the softmax ($h k^2$ exponentials, here 262,144 beside 12.6 million MACs). Notebook 03 looks at what they take in time.

# %%
ks = [64, 128, 256, 512, 1024, 2048, 4096]
projections = [4 * n * 64**2 / 1e6 for n in ks]
pairs = [2 * n**2 * 64 / 1e6 for n in ks]
figures.show(
    figures.lines(ks, {"projections": projections, "pairs of tokens": pairs}, "tokens k", "million MACs", log_y=True),
    alt="Two rising lines on logarithmic axes. The line of pairs is twice as steep and crosses the projections at k = 128.",
)

# %% [markdown]
# *Both axes are logarithmic. Each time $k$ doubles, the projections double and the pairs quadruple, so their line is twice as steep.* The
# steeper line ends up above the other, whatever the numbers in front. The next notebook gets rid of it.

# %% [markdown]
# ## Exercises · 45 min
#
# Fill in each stub and run its cell. The check never fails loudly: it prints one line, and names the mistake if it recognises one.
# Difficulty is given in stars.

# %% [markdown]
# ### 1.1 · Scaled attention ★ · 3 min
#
# Write the attention map of one head: from queries and keys `[k, d]` to weights `[k, k]`, with the scale.
#
# <details><summary>Hint</summary>
#
# Three steps: all dot products, one division, one softmax. Which axis holds the tokens that are looked at?
#
# </details>


# %% tags=["exercise"]
def attention_weights(query, key):
    ### BEGIN SOLUTION
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
    ### END SOLUTION


checks.attention_weights(attention_weights)

# %% [markdown]
# ### 1.2 · A softmax that survives ★★ · 4 min
#
# $e^{1000}$ is too large for a float, so the plain formula returns NaN for large scores. Write a softmax over the last axis that works
# for any scores, without calling `softmax`.
#
# <details><summary>Hint</summary>
#
# Adding the same number to all scores of a row changes nothing. Which number makes the largest exponential equal to one?
#
# </details>


# %% tags=["exercise"]
def stable_softmax(scores):
    ### BEGIN SOLUTION
    exponentials = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    return exponentials / exponentials.sum(dim=-1, keepdim=True)
    ### END SOLUTION


checks.stable_softmax(stable_softmax)

# %% [markdown]
# ### 1.3 · Merge the heads ★★ · 3 min
#
# Undo the cut: from `[B, h, k, d_h]` to `[B, k, d]`, so that each token gets its own parts back, head after head.
#
# <details><summary>Hint</summary>
#
# Bring the heads next to the width they belong to. Then, and only then, flatten.
#
# </details>


# %% tags=["exercise"]
def merge(heads):
    ### BEGIN SOLUTION
    return heads.transpose(1, 2).flatten(2)
    ### END SOLUTION


checks.merge_heads(merge)

# %% [markdown]
# ### 1.4 · Cross-attention ★★ · 5 min
#
# In *cross-attention* the tokens $x$ `[k, d]` ask, and the tokens of another set, `memory` `[m, d]`, are looked at and averaged. Write it
# for one head, with the matrices given. The result is `[k, d]`.
#
# <details><summary>Hint</summary>
#
# Who asks gives the queries. Who is looked at gives the keys, and who is averaged gives the values.
#
# </details>


# %% tags=["exercise"]
def cross_attention(x, memory, W_Q, W_K, W_V):
    ### BEGIN SOLUTION
    query, key, value = x @ W_Q, memory @ W_K, memory @ W_V
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1) @ value
    ### END SOLUTION


checks.cross_attention(cross_attention)

# %% [markdown]
# ### 1.5 · Count cross-attention ★★★ · 5 min
#
# How many MACs does cross-attention take, with an output matrix $W_O$ besides? There are $k$ tokens that ask and $m$ that are looked at,
# all of width $d$.
#
# <details><summary>Hint</summary>
#
# Two of the four projections run over $k$ tokens, two over $m$. How many pairs are there?
#
# </details>


# %% tags=["exercise"]
def cross_attention_macs(k, m, d):
    ### BEGIN SOLUTION
    return 2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d
    ### END SOLUTION


checks.cross_attention_macs(cross_attention_macs)

# %% [markdown]
# ## What you now know
#
# 1. You can *compute* attention: compare, weigh, average, as loops or as two matrix products around a softmax.
# 2. You can *explain* the divisor $\sqrt{d_h}$: it keeps the softmax reacting when tokens are wide.
# 3. You *built* multi-head attention as a module, and it equals PyTorch's.
# 4. You *showed* that swapped tokens give swapped outputs: attention sees a set, not an order.
# 5. You can *count* it: $4kd^2 + 2k^2d$ multiply–accumulates, checked against PyTorch's counter, for $hk^2$ scores.
#
# **References**
#
# - A. Vaswani et al., *Attention Is All You Need*, arXiv 1706.03762: Eq. 1 (scaled dot products) and Section 3.2.2 (heads).
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Eq. 1 and Fig. 3a.
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
