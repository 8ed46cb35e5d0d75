# %% [markdown]
# # 01 · Multi-head attention, from one dot product
#
# **You build multi-head attention, the heart of the Transformer, from a single dot product, and count what it costs.**
#
# **You will be able to**
#
# 1. *compute* attention over three tokens with loops, and again with two matrix products,
# 2. *explain* why the scores are divided by the square root of a width, and what happens without that,
# 3. *build* multi-head attention as a module that equals PyTorch's own,
# 4. *show* that attention does not know the order of its tokens,
# 5. *count* its multiplications for any number of tokens.
#
# **You need** notebook 00, matrix products, and PyTorch tensors, modules and gradients (`backward`).
# No network, no graphics card.
#
# *73 minutes: 47 to read, run and build, 26 for the exercises at the end.*
# Headings with ◆ are on the 90-minute route, those with ◆ or ◇ on the half-day route (notebook 00).

# %% [markdown] slide="A token is a list of numbers that describes a piece of a picture."
# ## Three tokens · 0 min · ◇
#
# The set-up first: PyTorch, and this course's library.

# %%
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import cost
from mvit2_lib.course import checks, figures, tables

_ = torch.set_printoptions(precision=2, sci_mode=False)

# %% [markdown]
# A *token* is a list of numbers that describes a piece of something: of a sentence, or here of a
# picture. Our picture has three pieces. Four numbers say how *warm*, *striped*, *green* and *soft*
# each of them is.
#
# We call the number of tokens $k$ and the length of each list $d$, the *width* of a token.
# The tokens are the rows of a matrix $x$.

# %% slide="Three tokens of width four: how warm, striped, green and soft"
names = ("fur", "ear", "grass")
x = torch.tensor(
    [[2.0, 1.0, 0.0, 1.0], [1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 2.0, 1.0]]
)  # [k, d]
k, d = x.shape
print(k, "tokens of width", d)

# %% [markdown]
# How alike are two tokens? Multiply them entry by entry and add up. This *dot product* is large
# where both have large entries in the same places.
#
# > **Predict.** Which is the larger dot product: fur with ear, or fur with grass?

# %% slide="Fur and ear score 5, fur and grass only 1"
scores = torch.zeros(k, k)
for i in range(k):
    for j in range(k):
        scores[i, j] = (x[i] * x[j]).sum()
print(scores)

# %% [markdown]
# Fur and ear score 5, fur and grass only 1. Row *ear*, column *grass* holds 1 because both are
# soft. The diagonal compares each token with itself, and is the largest number in its row here.
#
# A table of all dot products is a matrix product: the rows of $x$ times the columns of its
# transpose $x^\top$. In PyTorch that is `x @ x.mT`. One line replaces two loops, and both must agree:

# %% slide="All dot products at once are one matrix product" seminar=false
torch.testing.assert_close(x @ x.mT, scores)
print("one matrix product gives the same table")

# %% [markdown] slide="Each token borrows a little from the others, and more from those it resembles." ask="Why not simply divide each row of scores by its sum?"
# ## From scores to attention · 4 min · ◇
#
# Each token should borrow a little from the others, and more from those it resembles. So we turn
# each row of scores into *weights* that are positive and add up to one. The *softmax* does that.
# It takes the exponential of every score, and divides by the sum of them all.
#
# $$\operatorname{softmax}(s)_j = \frac{e^{s_j}}{\sum_{j'} e^{s_{j'}}}$$

# %%
weights = torch.zeros(k, k)
for i in range(k):
    exponentials = scores[i].exp()
    weights[i] = exponentials / exponentials.sum()
print(weights)

# %% [markdown]
# PyTorch's `softmax` needs to know along which axis the weights add up to one. A row belongs to the
# token that looks, and its columns are the tokens it looks at. Columns are counted along the last
# axis, `dim=-1`.

# %%
torch.testing.assert_close(scores.softmax(dim=-1), weights)
print("the rows add up to", [round(total, 4) for total in weights.sum(dim=-1).tolist()])

# %% [markdown]
# This table of weights is the *attention map*. In a picture, dark means much attention:

# %% slide="Each row shows where one token looks"
figures.show(
    figures.attention_map(weights, names),
    alt="A 3 by 3 map: fur and ear look mostly at themselves and a little at each "
    "other, grass almost only at itself.",
)

# %% [markdown]
# *Each row shows where one token looks.* Fur gives 0.73 of its attention to itself and 0.27 to the
# ear. Grass looks almost only at itself.
#
# What does a token borrow? The *weighted mean* of all tokens. First slowly, one token at a time:

# %%
y = torch.zeros(k, d)
for i in range(k):
    for j in range(k):
        y[i] += weights[i, j] * x[j]
print(y)

# %% [markdown]
# A weighted sum of rows, for every row of weights, is again a matrix product:

# %% slide="**Compare, weigh, average:** that is attention"
torch.testing.assert_close(weights @ x, y)
print("softmax(x xᵀ) x is the same")

# %% [markdown]
# The new *fur*, in the first row, is less warm and more striped than the old one, because it has
# borrowed from the *ear*. That is all there is to attention: **compare, weigh, average**.
#
# A model handles many pictures at once. `@` and `.mT` work on the last two axes, `softmax(dim=-1)` on
# the last one, and all of them leave the axes in front alone. So a *batch* of $B$ pictures needs no
# new code:

# %%
batch = torch.stack([x, 2 * x])  # [B, k, d]
batch_y = (batch @ batch.mT).softmax(dim=-1) @ batch  # [B, k, d]
torch.testing.assert_close(batch_y[0], y)
print(tuple(batch_y.shape))

# %% [markdown] slide="Real tokens are wide, and dot products of wide tokens are large."
# ## Why divide by a square root · 9 min · ◇
#
# Real tokens are much wider than four. What happens to a dot product when $d$ grows? We draw two
# vectors at random, with entries of mean 0 and variance 1, and take their dot product. We do that
# ten thousand times for each of several widths.
#
# > **Predict.** The dot product is a sum of $d$ products. How does its *variance* grow with $d$: not
# > at all, like $\sqrt d$, like $d$, or like $d^2$?

# %% slide="The variance grows like $d$, so a dot product grows like $\\sqrt d$"
torch.manual_seed(0)
widths = [4, 16, 64, 256, 1024]
for width in widths:
    dots = (torch.randn(10_000, width) * torch.randn(10_000, width)).sum(dim=1)
    print(f"d = {width:4}: variance / d = {dots.var().item() / width:.1f}")

# %% [markdown]
# The variance is $d$. Each product of two such numbers has variance 1, and the variances of
# independent numbers add up. So a dot product is typically about $\sqrt d$ in size. At $d = 1024$
# that is 32, and the softmax takes the exponential of such numbers. What does that do to a row of
# 16 weights?

# %%
dots = (torch.randn(1000, 1, 1024) * torch.randn(1000, 16, 1024)).sum(dim=-1)
for label, row in (("as they are", dots), ("divided by sqrt(d)", dots / 1024**0.5)):
    largest = row.softmax(dim=-1).amax(dim=-1).mean().item()
    print(f"{label:18}: the largest of 16 weights is {largest:.2f} on average")

# %% [markdown]
# Undivided, the largest score takes almost everything. Why is that bad? A network learns by
# *gradients*: how much does an output change when an input changes a little? The next cell draws
# 1,000 rows of 16 scores for each width, and measures how much the largest weight of a row changes
# with its own score.


# %%
def reaction(scores):
    """Return how much the largest weight of a row changes with its own score."""
    scores = scores.clone().requires_grad_()
    scores.softmax(dim=-1).amax(dim=-1).sum().backward()
    return scores.grad.amax(dim=-1).mean().item()  # only its own gradient is positive


plain, scaled = [], []
for width in widths:
    dots = (torch.randn(1000, 1, width) * torch.randn(1000, 16, width)).sum(dim=-1)
    plain.append(reaction(dots))
    scaled.append(reaction(dots / width**0.5))

# %% slide="Undivided, the softmax reacts less and less as tokens get wider"
reactions = {"scores as they are": plain, "divided by √d": scaled}
figures.show(
    figures.lines(widths, reactions, "width d", "reaction of the largest weight"),
    alt="Two lines over d from 4 to 1024. Undivided, the reaction falls towards zero; "
    "divided by root d, it stays level.",
)
assert plain[-1] < 0.25 * scaled[-1], (plain, scaled)
assert plain == sorted(plain, reverse=True), plain

# %% [markdown]
# *Without the division the reaction falls as tokens get wider. At d = 1024 it is less than a quarter of the
# reaction with division, which hardly depends on d.* If the softmax hardly reacts, whatever comes before it
# receives hardly any gradient and learns slowly. So the scores are divided by $\sqrt d$, or by
# $\sqrt{d_h}$ where the vectors that are compared have width $d_h$.
#
# <details><summary>The fine print</summary>
#
# At d = 4 the undivided scores react even more. The point is that the width should not matter. Eq. 1 of
# *Attention Is All You Need* has the division. The MobileViTv2 paper (arXiv 2206.02680) leaves it out
# of its own Eq. 1, though its text calls the attention "scaled".
#
# </details>

# %% [markdown] slide="Compare all pairs, weigh by a softmax over each row, average. Three jobs need three learned matrices."
# ## Query, key, value · 14 min · ◆
#
# Our tokens are $k = 3$ pieces of a picture, *fur*, *ear* and *grass*. Each is a row of $d = 4$ numbers
# in the matrix $x$. Attention works on them in three steps.
#
# - *Compare*: the dot products of all pairs of tokens are the table $x x^\top$, in code `x @ x.mT`.
# - *Weigh*: a softmax takes the exponential of every number, and divides by the sum of its row. Now each row
#   is positive and adds up to one. In code it is `softmax(dim=-1)`, and the result is the attention map.
# - *Average*: each token becomes the mean of all tokens, with the weights of its row.
#
# In this form, $\operatorname{softmax}(x x^\top)\,x$, a token plays three parts with the same numbers. It
# *asks*, it *is compared*, and it *is averaged*. Those are different jobs. A token should be able to look
# for grass without being grass. So each part gets its own learned matrix, a *projection*:
#
# $$Q = x W_Q \qquad K = x W_K \qquad V = x W_V$$
#
# - $Q$ holds the *queries*: the question that each token asks.
# - $K$ holds the *keys*: what each token offers to be found by.
# - $V$ holds the *values*: what each token gives when it is found.
#
# Training would set these matrices. Here they are random, and small enough that the numbers stay
# readable. The fourth, $W_O$, is for the next section.

# %%
torch.manual_seed(1)
W_Q, W_K, W_V, W_O = torch.randn(4, d, d) / 2
query, key, value = x @ W_Q, x @ W_K, x @ W_V  # [k, d] each

# %% [markdown]
# > **Predict.** In the table $x x^\top$ the score of *fur* for *ear* equals that of *ear* for *fur*.
# > Is the table $Q K^\top$ symmetric as well?

# %% slide="It is not: asking and being found are different jobs now"
print(query @ key.mT)

# %% [markdown]
# It is not. Asking and being found are different jobs now.
#
# With the scores divided by $\sqrt d$, a softmax over each row, and the weighted mean of the values,
# we have one *head* of attention. Without the division, the scores of wide tokens are large, and the softmax
# hands nearly everything to a single token.
# PyTorch has this formula built in, and ours equals it:

# %% slide="One head of attention, equal to PyTorch's" seminar=false
one_head = (query @ key.mT / d**0.5).softmax(dim=-1) @ value  # [k, d]
built_in = F.scaled_dot_product_attention(query[None], key[None], value[None])[0]
torch.testing.assert_close(built_in, one_head)
print("equal to F.scaled_dot_product_attention")

# %% [markdown] slide="Cut the width into $h$ parts, run one head on each, and mix the results with $W_O$."
# ## Several heads · 18 min · ◆
#
# One map gives a token one mixture of all tokens. It may need several: one for "what has my colour?",
# another for "what is striped like me?".
#
# *Multi-head attention* cuts the width of queries,
# keys and values into $h$ equal parts of width $d_h = d / h$, and runs one head on each. At the end
# the parts are put side by side again, and a last matrix $W_O$ mixes them.
#
# First as a list of heads, with $h = 2$. The scores are dot products of width $d_h$ now, so the
# divisor is $\sqrt{d_h}$:

# %% slide="First as a list of heads"
h = 2
d_h = d // h
heads = []
for i in range(h):
    part = slice(i * d_h, (i + 1) * d_h)
    head_scores = query[:, part] @ key[:, part].mT / d_h**0.5  # [k, k]
    heads.append(head_scores.softmax(dim=-1) @ value[:, part])  # [k, d_h]
listed = torch.cat(heads, dim=-1) @ W_O  # [k, d]
print(listed)

# %% [markdown]
# This is Eq. 1 of the MobileViTv2 paper, which leaves out the division. To do all heads at once, the heads become an
# axis of their own. *Cut* the width into heads, then *move* the new axis in front of the tokens:


# %% slide="All heads at once: cut the width, then move the new axis"
def split_heads(x):
    return x.unflatten(-1, (h, d_h)).transpose(-3, -2)  # [h, k, d_h]


print(tuple(query.shape), "->", tuple(split_heads(query).shape))

# %% [markdown] predict="Number the entries of a 3 × 4 matrix from 0 to 11, and cut it into two heads of width 2. `reshape(2, 3, 2)` also has the right shape. Which numbers does its first head hold?"
# The order of the two steps matters.
#
# > **Predict.** `query.reshape(h, k, d_h)` has the right shape too. Which numbers would its first head
# > contain?

# %% slide="0 to 5 in place of 0, 1, 4, 5, 8, 9: the right shape, the wrong numbers, no error"
numbered = torch.arange(k * d).reshape(k, d)  # [k, d]
print("cut, then move:  ", split_heads(numbered)[0].tolist())
print("reshape at once: ", numbered.reshape(h, k, d_h)[0].tolist())

# %% [markdown]
# Cut and moved, the first head holds the first half of *every* token: entries 0, 1 of the first,
# 4, 5 of the second, 8, 9 of the third. Reshaped at once, it holds both halves of the first token and
# one half of the second. No error is raised, and everything after it is wrong. The same trap waits on
# the way back.
#
# With heads as an axis, the formula from before works unchanged, for all heads at once:

# %% slide="The same formula, for all heads at once: two maps in place of one"
head_q, head_k, head_v = split_heads(query), split_heads(key), split_heads(value)
maps = (head_q @ head_k.mT / d_h**0.5).softmax(dim=-1)  # [h, k, k]
averaged = maps @ head_v  # [h, k, d_h]
multi_head = averaged.transpose(-3, -2).flatten(-2) @ W_O  # [k, d]
torch.testing.assert_close(multi_head, listed)
print(maps)

# %% [markdown]
# The result equals the list of heads, and there are two maps in place of one. The heads look at
# different tokens.

# %% [markdown] slide="You have seen every piece. Put them together." ask="Which of the four matrices could be left out, and what would be lost?"
# ## Build it: the module · 23 min · ◇
#
# In a network the four matrices are learned. `nn.Linear` holds such a matrix and adds a *bias*, a
# learned vector. It stores the matrix transposed: `nn.Linear(d, d)` computes
# $x W^\top_\text{stored} + b$.
#
# You have seen every piece. Now put them together.
#
# ### 1.1 · Multi-head attention as a module ★★ · 8 min
#
# Write `forward`. The input has any axes in front, such as a batch, then tokens and width:
# `[..., k, d]`. So has the output.
#
# <details><summary>Hint</summary>
#
# Project three times. Cut the last axis with `unflatten`, and move the heads in front of the tokens.
# Compare, weigh, average. Then undo the two steps in reverse order, and mix with `W_O`. Axes counted
# from the end work for any number of axes in front.
#
# </details>


# %% tags=["exercise"]
class MyMultiHead(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.W_Q, self.W_K = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x):
        ### BEGIN SOLUTION
        projected = (self.W_Q(x), self.W_K(x), self.W_V(x))  # [..., k, d] each
        query, key, value = (
            p.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2) for p in projected
        )  # [..., h, k, d_h] each
        scores = query @ key.mT / query.shape[-1] ** 0.5  # [..., h, k, k]
        averaged = scores.softmax(dim=-1) @ value  # [..., h, k, d_h]
        return self.W_O(averaged.transpose(-3, -2).flatten(-2))  # [..., k, d]
        ### END SOLUTION


checks.multi_head_module(MyMultiHead)

# %% [markdown]
# The library's `mv.MultiHeadSelfAttention` is written in the same way, with the same names. From here
# on we use it. With our four matrices in it and biases of zero, it gives what we computed by hand:

# %%
ours = mv.MultiHeadSelfAttention(d, h)
by_hand = {"W_Q": W_Q, "W_K": W_K, "W_V": W_V, "W_O": W_O}
for name, matrix in by_hand.items():
    linear = getattr(ours, name)
    linear.load_state_dict({"weight": matrix.mT, "bias": torch.zeros(d)})
torch.testing.assert_close(ours(x), multi_head)
learned = sum(parameter.numel() for parameter in ours.parameters())
assert learned == mv.count_parameters(ours) == 4 * d**2 + 4 * d, learned
print("the module equals the formula, with", learned, "learned numbers")

# %% [markdown]
# PyTorch has a module of its own, `nn.MultiheadAttention`. It keeps the matrices for queries, keys and
# values in one tall matrix. We draw all our weights and biases afresh, so that nothing can hide behind
# zeros, and copy them over.
#
# PyTorch's module takes $x$ three times, once for each part it plays. It returns the result, and the
# mean of the heads' maps.

# %% slide="Equal to `nn.MultiheadAttention`, biases included"
with torch.no_grad():
    for parameter in ours.parameters():
        parameter.normal_()
theirs = nn.MultiheadAttention(d, h, batch_first=True)
three = (ours.W_Q, ours.W_K, ours.W_V)
with torch.no_grad():
    theirs.in_proj_weight.copy_(torch.cat([linear.weight for linear in three]))
    theirs.in_proj_bias.copy_(torch.cat([linear.bias for linear in three]))
theirs.out_proj.load_state_dict(ours.W_O.state_dict())
torch.testing.assert_close(ours(batch), theirs(batch, batch, batch)[0])
print("equal to nn.MultiheadAttention")

# %% [markdown]
# All of it in one drawing: a box for each step, with the shape that leaves it.

# %% slide="Two boxes work on all $k \\times k$ pairs: the reason for this course"
figures.show(
    figures.multi_head_unit(),
    alt="Boxes from x upwards: projections W_Q, W_K, W_V; dot products and softmax, "
    "h by k by k; weighted means; W_O.",
)

# %% [markdown]
# *Read from below. The two pink boxes work on all $k \times k$ pairs of tokens: they are the reason
# for this whole course.*

# %% [markdown] slide="Does attention know where its tokens stand?"
# ## Does order matter? · 35 min · ◇
#
# > **Predict.** Swap the first and the last token, and run the module again. What happens to the
# > output?

# %% slide="The output is reordered in the same way: attention sees a set"
with torch.no_grad():
    for order in ([2, 1, 0], [1, 2, 0], [0, 2, 1]):
        same = torch.allclose(ours(x[order]), ours(x)[order], atol=1e-6)
        print(order, "output of reordered tokens equals reordered output:", same)

# %% [markdown]
# The output is reordered in the same way, and nothing else changes. Each output is a sum over all
# tokens, and a sum does not care about order. Attention is *permutation equivariant*: it treats its
# tokens as a set. To it, a picture and its jumbled pieces are the same set.
#
# A model that needs positions must put them into the tokens. MobileViTv2 does that with
# convolutions, which look at neighbours (notebook 04).

# %% [markdown] slide="A photograph in 256 patches, each described by its colours."
# ## On a real picture · 37 min
#
# Now a photograph, cut into a grid of 16 × 16 patches: 256 tokens. To describe a patch in a few
# numbers, we average its colours over each quarter. Four quarters times three colours make
# $d = 12$. We subtract the average patch, and scale each token to length one. A dot product then
# says how alike two patches are in colour, between −1 and 1.

# %%
picture = mv.preprocess(mv.sample_picture("chelsea"))[0]  # [3, 256, 256]
quarters = F.avg_pool2d(picture, 8)  # [3, 32, 32]
squares = quarters.unfold(1, 2, 2).unfold(2, 2, 2)  # [3, 16, 16, 2, 2]
patches = squares.permute(1, 2, 0, 3, 4).reshape(256, 12)  # [k, d]
tokens = F.normalize(patches - patches.mean(dim=0), dim=-1)  # [k, d]

# %% [markdown]
# Nothing is trained here, so queries and keys are the tokens themselves. With scores between −1 and
# 1, one weight could be at most $e^2 \approx 7$ times another, and 256 weights would all be small.
# A trained $W_Q$ and $W_K$ would stretch the scores. We stretch them by hand, by a factor of 20,
# which was chosen by eye.

# %%
stretch = 20
cat_map = (stretch * tokens @ tokens.mT).softmax(dim=-1)  # [k, k]
print(tuple(cat_map.shape))

# %% [markdown] predict="Where will a patch on the left eye look, apart from at itself? And one on the nose?"
# Each row of this map holds 256 weights, one for every patch. Laid out as 16 × 16, a row becomes a
# picture of where one patch looks.
#
# > **Predict.** Besides itself, where will a patch in the left eye look? And one on the nose?

# %% slide="The eye finds the other eye, the nose its side, the forehead other fur"
asking = {"eye": (6, 5), "nose": (13, 10), "forehead": (2, 9)}
figures.show(
    figures.attention_over_picture(picture, cat_map, asking),
    alt="A cat, three times, with one patch marked: an eye, the nose, the forehead. "
    "Other patches are lit up where the marked one looks.",
)

# %% [markdown]
# *The marked patch asks; the brighter a patch, the more it is looked at.* The eye finds the other eye, the
# nose its side, and the forehead other fur. But one patch of fur gets nearly as much from the eye, and a patch
# of cheek gets as much from the nose. These tokens know colours, not things. Telling things apart
# is what the learned $W_Q$ and $W_K$ are for.
#
# How widely does each of them look? Count the patches that share nine tenths of its attention:

# %% slide="No two rows are equal: 256 questions, $256 \\times 256$ comparisons"
for name, (row, column) in asking.items():
    shares = cat_map[16 * row + column].sort(descending=True).values.cumsum(dim=0)
    print(f"{name:9}{int((shares < 0.9).sum()) + 1:3} patches of 256")
print(len(cat_map.unique(dim=0)), "different rows")

# %% [markdown]
# Each token asks its own question and gets its own answer: no two rows of the map are equal. It took
# $256 \times 256 = 65{,}536$ comparisons.

# %% [markdown] slide="Count the multiply–accumulates (MACs), the steps of the matrix products."
# ## What it costs · 42 min · ◆
#
# A *multiply–accumulate* (MAC) is one multiplication and one addition: one step of a matrix product.
# A product of `[a, b]` and `[b, c]` takes $a \cdot b \cdot c$ of them. Count them for multi-head
# attention over $k$ tokens of width $d$, with $h$ heads of width $d_h = d/h$:
#
# | step | shapes | MACs |
# |---|---|---|
# | four projections $W_Q, W_K, W_V, W_O$ | `[k, d] @ [d, d]`, four times | $4kd^2$ |
# | scores, all heads together | `[k, d_h] @ [d_h, k]`, $h$ times | $k^2 d$ |
# | weighted means, all heads together | `[k, k] @ [k, d_h]`, $h$ times | $k^2 d$ |
#
# Together $4kd^2 + 2k^2d$. The number of heads drops out of the MACs, but the maps hold $h k^2$
# weights.
#
# > **Predict.** For $d = 64$, at which $k$ do the two quadratic steps overtake the four projections?

# %% slide="At $k = 2d$ the pairs overtake the projections"
rows = []
for number in (64, 128, 256, 1024):
    linear, pairs = 4 * number * 64**2, 2 * number**2 * 64
    rows.append({"k": number, "projections": linear, "pairs": pairs})
tables.show(rows)

# %% [markdown]
# At $k = 2d$ they are equal, and from there the pairs take over. But we should not trust a formula
# that was never checked. PyTorch can count what it executes, here the library's module for multi-head attention. It counts two operations for
# each MAC. `cost.multi_head_macs` is the formula $4kd^2 + 2k^2d$.

# %% slide="PyTorch counts the same, to the last digit" seminar=false
from torch.utils.flop_counter import FlopCounterMode

with FlopCounterMode(display=False) as counter, torch.no_grad():
    layer = mv.MultiHeadSelfAttention(64, 4)  # d = 64, four heads
    layer(torch.randn(1, 256, 64))
print("counted by PyTorch:", counter.get_total_flops() // 2)
print("by the formula:    ", cost.multi_head_macs(256, 64))

# %% [markdown]
# They agree to the last digit, because both count matrix products only. Neither counts the learned vectors that
# real layers add (*biases*, $4kd$ additions), the scaling, or the softmax ($h k^2$ exponentials, here 262,144 beside 12.6
# million MACs). Notebook 03 measures whole layers, with all of these.

# %% slide="Each time $k$ doubles, the projections double and the pairs quadruple"
ks = [64, 128, 256, 512, 1024, 2048, 4096]
projections = [4 * n * 64**2 / 1e6 for n in ks]
pairs = [2 * n**2 * 64 / 1e6 for n in ks]
both = {"projections": projections, "pairs of tokens": pairs}
figures.show(
    figures.lines(ks, both, "tokens k", "million MACs", log_y=True),
    alt="Two rising lines on logarithmic axes. The line of pairs is twice as steep "
    "and crosses the projections at k = 128.",
)

# %% [markdown]
# *Both axes are logarithmic. Each time $k$ doubles, the projections double and the pairs quadruple,
# so their line is twice as steep.* The steeper line ends up above the other, whatever the factors in
# front. The next notebook gets rid of it.

# %% [markdown]
# ## Exercises · 47 min
#
# Fill in each stub and run its cell. The check prints one line. It never raises an error, and it names
# the mistake if it recognises one. After a restart, run the first code cell of the notebook; no
# exercise needs more.

# %% [markdown]
# ### 1.2 · A softmax that survives ★★ · 4 min
#
# $e^{1000}$ is too large for a float, so the plain formula returns NaN for large scores. Write a
# softmax over the last axis that works for any scores. Do not call a softmax or `logsumexp`.
#
# <details><summary>Hint</summary>
#
# Adding the same number to all scores of a row changes nothing. Which number makes the largest
# exponential equal to one?
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
# ### 1.3 · Cross-attention ★★ · 5 min
#
# In *cross-attention* the tokens $x$ `[k, d]` ask, and the tokens of another set, `memory` `[m, d]`,
# are looked at and averaged. Write it for one head, with the three `[d, d]` matrices given and the scores divided
# by $\sqrt d$. The result is `[k, d]`.
#
# <details><summary>Hint</summary>
#
# The tokens that ask give the queries. The tokens that are looked at give the keys, and those that
# are averaged give the values.
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
# ### 1.4 · Count cross-attention ★★ · 5 min
#
# How many MACs does the cross-attention of 1.3 take, with an output matrix $W_O$ besides? There are $k$ tokens
# that ask and $m$ that are looked at, all of width $d$.
#
# <details><summary>Hint</summary>
#
# Which projections run over $k$ tokens, which over $m$? How many pairs are there?
#
# </details>


# %% tags=["exercise"]
def cross_attention_macs(k, m, d):
    ### BEGIN SOLUTION
    return 2 * k * d**2 + 2 * m * d**2 + 2 * k * m * d
    ### END SOLUTION


checks.cross_attention_macs(cross_attention_macs)

# %% [markdown]
# ### 1.5 · A cycle of looks ★★★ · 7 min
#
# Now choose the projections yourself. For any three linearly independent tokens $x$ `[3, 4]`, return a pair
# $(W_Q, W_K)$ of matrices `[4, 4]` with which token 0 looks at token 1, token 1 at token 2, and token 2 at
# token 0. Each must give at least 0.9 of its attention to its neighbour, with the scores divided by
# $\sqrt 4$. There are many answers.
#
# <details><summary>Hint</summary>
#
# Give each token a key of its own, such as a row of the identity. The rows of $x$ are
# independent, so `torch.linalg.pinv(x)` turns them into such rows. Then each query must equal the
# neighbour's key, enlarged.
#
# </details>


# %% tags=["exercise"]
def cycle(x):
    ### BEGIN SOLUTION
    inverse = torch.linalg.pinv(x)  # [d, k]: x @ inverse is the identity
    W_K = F.pad(inverse, (0, 1))  # a fourth column of zeros
    W_Q = F.pad(20 * inverse[:, [2, 0, 1]], (0, 1))  # each asks for its neighbour's key
    return W_Q, W_K
    ### END SOLUTION


checks.cycle(cycle)

# %% [markdown]
# ### An open experiment · 5 min
#
# The eye of the photograph gave one patch of fur nearly as much as the other eye. Can you do better
# without any training? Change the description of a patch (edges? the colours of its neighbours? more quarters?)
# or the factor `stretch`. How much attention does the other eye get, and what did you pay: how wide
# are your tokens, and how many MACs does the map take now? There is no single right answer.

# %% [markdown]
# ## What you now know
#
# 1. You can *compute* attention: compare, weigh, average, as loops or as two matrix products around a
#    softmax.
# 2. You can *explain* the divisor $\sqrt{d_h}$: it keeps the softmax reacting when tokens are wide.
# 3. You *built* multi-head attention as a module. It equals the library's, which equals PyTorch's.
# 4. You *showed* that swapped tokens give swapped outputs: attention sees a set, not an order.
# 5. You can *count* it: $4kd^2 + 2k^2d$ multiply–accumulates, checked against PyTorch's counter, for
#    $hk^2$ scores.
#
# **References**
#
# - A. Vaswani et al., *Attention Is All You Need*, arXiv 1706.03762: Eq. 1 (scaled dot products) and
#   Section 3.2.2 (heads).
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*,
#   arXiv 2206.02680: Eq. 1 and Fig. 3a.
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
