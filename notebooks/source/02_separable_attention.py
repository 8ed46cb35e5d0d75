# %% [markdown]
# # 02 · Separable self-attention
#
# **You replace $k^2$ comparisons by $k$, derive every step, and can say what is given up.**
#
# **You will be able to**
#
# 1. *derive* separable attention from one shared question, as loops and as one line for each step,
# 2. *build* it as a module that equals the library's and the form that other libraries use,
# 3. *explain* why its attention map has rank one, and what a network loses by that,
# 4. *prove* that pooling before projecting gives the same numbers for up to a third less work,
# 5. *compare* the exact costs of multi-head, Linformer and separable attention.
#
# **You need** notebook 01. No network, no graphics card.
#
# About forty-five minutes of reading and running, then twenty-five minutes of exercises. Three cells train small networks, half a minute in
# all.

# %% [markdown]
# ## One question for everybody · 0 min
#
# The set-up, and the three tokens of notebook 01. Four numbers say how *warm*, *striped*, *green* and *soft* each piece is.

# %%
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import cost
from mvit2_lib.course import checks, figures

_ = torch.set_printoptions(precision=2, sci_mode=False)

# %% [markdown]
# The tokens are the rows of $x$, $k$ of them, each of width $d$:

# %%
names = ("fur", "ear", "grass")
x = torch.tensor([[2.0, 1.0, 0.0, 1.0], [1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 2.0, 1.0]])  # [k, d]
k, d = x.shape
print(k, "tokens of width", d)

# %% [markdown]
# In multi-head attention every token asks its own question, so $k$ tokens make $k \times k$ comparisons. Suppose all tokens agree on
# *one* question. Then there is one comparison for each token: $k$ in all.
#
# The shared question is a vector of $d$ learned numbers. The MobileViTv2 paper (arXiv 2206.02680; from here on: the paper) calls it the *latent token* $L$. Ours asks: are you warm, and a
# little striped?

# %%
L = torch.tensor([1.0, 0.5, 0.0, 0.0])  # [d]
scores = torch.zeros(k, 1)
for i in range(k):
    scores[i] = (x[i] * L).sum()
print(scores)

# %% [markdown]
# Dot products with one vector are a matrix product with one column. Written as a column, $L$ is the weight $W_I$ of a linear layer with
# a single output, and all scores are $x W_I$:

# %%
W_I = L[:, None]  # [d, 1]
torch.testing.assert_close(x @ W_I, scores)
print("one product gives the same scores")

# %% [markdown]
# As before, a softmax turns scores into weights that add up to one. The paper calls these weights the *context scores* $c_s$ (Section 3.2,
# leading to its Eq. 2), and so do we:
#
# $$c_s = \operatorname{softmax}(x W_I), \qquad W_I \in \mathbb{R}^{d \times 1}$$
#
# > **Predict.** The scores have shape `[k, 1]`. Over which axis must the softmax run: the first, which holds the tokens, or the last?

# %%
over_tokens = scores.softmax(dim=-2)  # [k, 1]
over_last = scores.softmax(dim=-1)  # [k, 1]
print("over the tokens:   ", over_tokens.flatten())
print("over the last axis:", over_last.flatten())

# %% [markdown]
# Over the tokens. The last axis has a single entry, so a softmax along it makes every score 1: each token is alone with itself. That
# mistake raises no error. Exercise 2.1 hunts it.
#
# There is no division by $\sqrt d$ here. The paper has none, and does not say why. We follow it;
# training can set the length of the question.

# %%
c_s = over_tokens
print({name: round(score, 2) for name, score in zip(names, c_s.flatten().tolist(), strict=True)})

# %% [markdown]
# ## One summary · 6 min
#
# In notebook 01, a token that was found gave its *value*. Here it gives a *key* $x W_K$. The keys of all tokens are averaged with the
# context scores as weights. The result is a single vector, the *context vector* $c_v$ (Eq. 2):
#
# $$c_v = \sum_{i=1}^{k} c_s(i) \, (x W_K)_i$$
#
# First slowly, one token at a time. The matrices are random, and have biases as real layers do:

# %%
torch.manual_seed(0)
W_K, W_V, W_O = torch.randn(3, d, d)
b_K, b_V, b_O = torch.randn(3, d)

c_v = torch.zeros(1, d)
for i in range(k):
    key = x[i] @ W_K + b_K  # [d]
    c_v += c_s[i] * key
print(c_v)

# %% [markdown]
# Then all tokens at once, and the two must agree:

# %%
keys = x @ W_K + b_K  # [k, d]
torch.testing.assert_close((c_s * keys).sum(dim=-2, keepdim=True), c_v)
print("one line gives the same context vector", tuple(c_v.shape))

# %% [markdown]
# However many tokens there are, their summary has $d$ numbers. Hold on to that.
#
# ## What each token does with it · 11 min
#
# Every token now receives this same vector. To get different outputs, each token decides *how much* of each number it lets through. It
# projects itself to $x W_V$, and a ReLU sets what is negative to zero: these factors are the token's *gate*. The product with $c_v$ is taken entry by entry, and $W_O$ mixes the
# result (Eq. 3; the star is the entry-by-entry product):
#
# $$y = \big(c_v * \operatorname{ReLU}(x W_V)\big)\, W_O$$
#
# > **Predict.** $c_v$ has shape `[1, d]`, and $\operatorname{ReLU}(x W_V)$ has `[k, d]`. What is the shape of their product?

# %%
y = torch.zeros(k, d)
for i in range(k):
    gate = (x[i] @ W_V + b_V).clamp(min=0)  # [d]
    y[i] = (c_v[0] * gate) @ W_O + b_O
print(y)

# %% [markdown]
# PyTorch repeats the one row of $c_v$ for all tokens. That is called *broadcasting*, and it needs no copy:

# %%
gates = F.relu(x @ W_V + b_V)  # [k, d]
torch.testing.assert_close((c_v * gates) @ W_O + b_O, y)
print("equal; the product has shape", tuple((c_v * gates).shape))

# %% [markdown]
# **Score, summarise, gate.** That is separable attention, whole.

# %%
figures.show(
    figures.separable_unit(),
    alt="Boxes from x upwards: W_I and softmax give k scores, W_K gives keys; their weighted sum c_v meets ReLU(x W_V), then W_O.",
)

# %% [markdown]
# *Read from below; the brackets hold the shape that leaves a box. No box holds $k \times k$ numbers: the largest hold $k \times d$, and the summary holds $d$.*
#
# The paper speaks of an *input*, a *key* and a *value* branch. Public programs (the authors' own ml-cvnets, timm, transformers) call the
# first one `query`:
#
# | here and in the paper | in the programs | part |
# |---|---|---|
# | $x W_I$, *input* branch | `query` | the score of each token |
# | $x W_K$, *key* branch | `key` | what is averaged |
# | $x W_V$, *value* branch | `value` | what gates the average |
#
# So the averaging is done over what everybody calls keys, and the values are not averaged at all.

# %% [markdown]
# ## The module · 17 min
#
# Four linear layers and three lines:


# %%
class Separable(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.W_I, self.W_K = nn.Linear(dim, 1), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x):
        c_s = self.W_I(x).softmax(dim=-2)  # [..., k, 1]
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)  # [..., 1, d]
        return self.W_O(c_v * F.relu(self.W_V(x)))  # [..., k, d]


# %% [markdown]
# With our numbers inside, it gives what the loops gave. (`nn.Linear` stores matrices transposed.)

# %%
ours = Separable(d)
weights = {"W_I": (W_I, torch.zeros(1)), "W_K": (W_K, b_K), "W_V": (W_V, b_V), "W_O": (W_O, b_O)}
for name, (matrix, bias) in weights.items():
    getattr(ours, name).load_state_dict({"weight": matrix.mT, "bias": bias})
torch.testing.assert_close(ours(x), y)
print("the module equals the loops")

# %% [markdown]
# And the library's module, which has the same names, gives the same:

# %%
library = mv.SeparableSelfAttention(d)
library.load_state_dict(ours.state_dict())
torch.testing.assert_close(library(x), ours(x))
print("equal to mv.SeparableSelfAttention")

# %% [markdown]
# In those three programs the layer looks different. The tokens lie with the width first, `[B, d, P, N]`: $P$ separate groups of $N$ tokens, each group with its own softmax and its own summary
# (notebook 04 says why there are groups). And one *1×1 convolution* with $1 + 2d$ outputs takes the place of $W_I$, $W_K$ and $W_V$. A 1×1 convolution looks at one place of the $P \times N$ grid at
# a time, here at one token, and applies the same matrix to each: it *is* a linear layer. Here is that form, written from its description:


# %%
class ConvolutionForm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.qkv_proj, self.out_proj = nn.Conv2d(dim, 1 + 2 * dim, 1), nn.Conv2d(dim, dim, 1)

    def forward(self, x):
        dim = x.shape[1]
        query, key, value = self.qkv_proj(x).split([1, dim, dim], dim=1)  # [B, 1 or d, P, N]
        context = (query.softmax(dim=-1) * key).sum(dim=-1, keepdim=True)  # [B, d, P, 1]
        return self.out_proj(context * value.relu())  # [B, d, P, N]


# %% [markdown]
# > **Predict.** Look at the `split` above, which cuts the channels into 1, `dim` and `dim`. Which of our four matrices is row 0 of `qkv_proj.weight`?
#
# Give it our weights, and tokens in its layout:

# %%
conv = ConvolutionForm(d)
fused = {p: torch.cat([library.get_parameter(f"{W}.{p}") for W in ("W_I", "W_K", "W_V")]) for p in ("weight", "bias")}
conv.qkv_proj.load_state_dict({"weight": fused["weight"][..., None, None], "bias": fused["bias"]})
conv.out_proj.load_state_dict({"weight": library.W_O.weight[..., None, None], "bias": library.W_O.bias})
tokens = torch.randn(2, 3, 5, d)  # [B, P, N, d]
torch.testing.assert_close(conv(tokens.permute(0, 3, 1, 2)), library(tokens).permute(0, 3, 1, 2))
print("1×1 convolutions and linear layers give the same")

# %% [markdown]
# Row 0 is $W_I$, the next $d$ rows are $W_K$, the last $d$ rows $W_V$. `tests/test_attention.py` makes the same comparison with timm's own
# layer.

# %% [markdown]
# ## A map of rank one · 24 min
#
# Multi-head attention has a map with $k$ rows, one for each token's question. Does separable attention have one too? Every token
# receives $c_v$, the keys averaged with the weights $c_s$.
#
# > **Predict.** Write down that $k \times k$ map for our three tokens. How do its rows differ?

# %%
implied = c_s.mT.expand(k, k)  # [k, k]
torch.testing.assert_close(implied @ keys, c_v.expand(k, d))
print(implied)

# %% [markdown]
# They do not differ. Let us see both kinds of map on 16 patches of the photograph, computed by the library's modules. A patch is
# described by the mean colours of its four quarters, as in notebook 01. The weights are set so that the multi-head map compares patches
# with one another, and the separable one compares them with patch 5, the second in the second row, which holds the left eye.

# %%
photograph = mv.preprocess(mv.sample_picture("chelsea"))[0]  # [3, 256, 256]


def describe(side):
    """Return side × side patches as tokens: less their mean, at length one. [k, 12]"""
    quarters = F.adaptive_avg_pool2d(photograph, 2 * side)
    patches = quarters.unfold(1, 2, 2).unfold(2, 2, 2).permute(1, 2, 0, 3, 4).reshape(side * side, 12)
    return F.normalize(patches - patches.mean(dim=0), dim=-1)


cat = describe(4)  # [16, 12]

# %% [markdown]
# Two modules, with the biases of queries, keys and $W_I$ at zero. (The factor 3 makes the preferences clear enough to be seen.) We also ask for the *rank* of each map: the number of rows it really needs,
# because all others are mixtures of those.

# %%
multi_head, separable = mv.MultiHeadSelfAttention(12, 1), mv.SeparableSelfAttention(12)
for projection in (multi_head.W_Q, multi_head.W_K):
    projection.load_state_dict({"weight": 3 * torch.eye(12), "bias": torch.zeros(12)})
separable.W_I.load_state_dict({"weight": 3 * cat[5:6], "bias": torch.zeros(1)})
with torch.no_grad():
    own_rows = multi_head.attention_map(cat)[0]  # [k, k]
    same_rows = separable.context_scores(cat).mT.expand(16, 16)  # [k, k]
print("ranks:", [torch.linalg.matrix_rank(map).item() for map in (own_rows, same_rows)])

# %% [markdown]
# Sixteen rows of its own against a single one:

# %%
figures.show(
    figures.implied_maps(own_rows, same_rows),
    alt="Two 16 by 16 maps. Left, multi-head: every row differs. Right, separable: all 16 rows are equal, so columns show.",
)

# %% [markdown]
# *Left, each row is one token's own answer. Right, all rows are the same row:* the matrix has rank one. That is the saving and the
# sacrifice. There are no heads either: one question, one row.
#
# Without any preference, the one row is an ordinary mean. Set $W_I$ to zero, and separable attention becomes *average pooling and a gate*.
# (The bias of $W_I$ may stay: it shifts all scores alike, and the softmax does not see that. Why projecting the mean is the same as averaging the projections is shown in *Cheaper still, exactly*.)

# %%
plain = mv.SeparableSelfAttention(d)
nn.init.zeros_(plain.W_I.weight)
pooled = plain.W_K(x.mean(dim=-2, keepdim=True))  # [1, d]
torch.testing.assert_close(plain(x), plain.W_O(pooled * F.relu(plain.W_V(x))))
print("with W_I = 0: mean, projection, gate")

# %% [markdown]
# So it has relatives: squeeze-and-excitation (arXiv 1709.01507), which computes its gate from the plain mean; GCNet (arXiv 1904.11492), which adds
# a softmax-weighted mean to every token; and Fastformer (arXiv 2108.09084), with a global query and a global key.

# %% [markdown]
# ## What is lost · 30 min
#
# One summary for all tokens: which tasks become hard? Here is one made to be hard for it. The input is a sequence of $k$ digits. The output is the
# same sequence *reversed*. Token 1 must fetch the last digit, token 2 the last but one: every token needs another answer, and together
# the answers are the whole sequence.
#
# The network is small: an *embedding*, which turns each digit into a learned vector, and a learned vector for each position; one or
# more attention layers; and a linear layer that names a digit. Between two attention layers stands a *feed-forward* part, two linear
# layers that work on each token by itself. Each attention and each feed-forward part adds its result to what was there before. Only the attention differs.


# %%
def feed_forward(dim):
    return nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))


class Small(nn.Module):
    def __init__(self, attention, k, layers, classes, dim):
        super().__init__()
        self.digit, self.position = nn.Embedding(10, dim), nn.Parameter(torch.randn(k, dim))
        self.attention = nn.ModuleList(attention(dim) for _ in range(layers))
        self.between = nn.ModuleList(feed_forward(dim) for _ in range(layers - 1))
        self.answer = nn.Linear(dim, classes)


# %% [markdown]
# What it does with a batch of sequences:


# %%
def forward(self, digits):
    x = self.digit(digits) + self.position  # [B, k, d]
    x = x + self.attention[0](x)
    for between, attention in zip(self.between, self.attention[1:], strict=True):
        x = x + between(x)
        x = x + attention(x)
    return self.answer(x)  # [B, k, classes]


Small.forward = forward  # two cells make one class, so that each fits on a screen

# %% [markdown]
# Training shows it fresh random sequences, 300 times 64 of them, and then counts right answers on 500 new ones. (The loss, cross-entropy, is
# small where the right digit gets a high probability. AdamW is the usual way to follow its gradients; notebook 07 explains both.)


# %%
def learn(attention, task, k, seed, layers=1, classes=10, dim=32, steps=300, rate=3e-3):
    torch.manual_seed(seed)
    model = Small(attention, k, layers, classes, dim)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    for _ in range(steps):
        digits = torch.randint(10, (64, k))  # [B, k]
        loss = F.cross_entropy(model(digits).flatten(0, 1), task(digits).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    digits = torch.randint(10, (500, k))  # [B, k]
    return (model(digits).argmax(dim=-1) == task(digits)).float().mean().item()


# %% [markdown]
# The task, and the attention with four heads to compare with:


# %%
def reverse(digits):
    return digits.flip(-1)  # [B, k]


def four_heads(dim):
    return mv.MultiHeadSelfAttention(dim, num_heads=4)


# %% [markdown]
# Each network is trained three times, from different random starts (*seeds*), for four lengths. Each number is the share of right
# digits. Guessing gives 0.10.
#
# > **Predict.** The tokens have width $d = 32$, and so has the summary. How will separable attention do at $k = 4$, and at $k = 24$?

# %%
torch.set_num_threads(1)
lengths, seeds = (4, 8, 16, 24), (0, 1, 2)
reversing = {
    name: [[learn(attention, reverse, n, seed) for seed in seeds] for n in lengths]
    for name, attention in (("multi-head", four_heads), ("separable", mv.SeparableSelfAttention))
}

# %% [markdown]
# Every mark is one trained network (those of multi-head attention lie on top of each other), every line a mean of three:

# %%
figures.show(
    figures.spread(lengths, reversing, "digits in the sequence (k)", "share of right digits", chance=0.1),
    alt="Over k from 4 to 24: multi-head attention stays at 1; separable attention falls from above 0.9 to about 0.2.",
)

# %% [markdown]
# *At this width and after this training, longer sequences are harder for separable attention, and multi-head attention does not
# notice.* In words, checked for every seed:

# %%
assert all(min(runs) > 0.97 for runs in reversing["multi-head"])
print("Multi-head attention reverses all lengths.")
assert min(reversing["separable"][0]) > 0.8
assert max(reversing["separable"][-1]) < 0.5
print("Separable attention reverses four digits well and twenty-four badly.")

# %% [markdown]
# Is that a wall, or only steep? At sixteen digits, change one thing at a time: twice the width of the whole network, three times the training, three times the learning rate, or a second attention layer with the
# feed-forward part between. (And half the width, to compare.)
#
# > **Predict.** Which of the four help?

# %%
changes = {
    "width 16": {"dim": 16},
    "width 32, as above": {},
    "width 64": {"dim": 64},
    "width 32, 900 steps": {"steps": 900},
    "width 32, rate 0.01": {"rate": 0.01},
    "width 32, 2 layers": {"layers": 2},
}
sixteen = {
    name: [learn(mv.SeparableSelfAttention, reverse, 16, seed, **change) for seed in seeds]
    for name, change in changes.items()
}

# %% [markdown]
# Again a mark for each network, and a black stroke at their mean:

# %%
figures.show(
    figures.runs(sixteen, "share of 16 digits that are right", chance=0.1),
    alt="Six rows of three squares. Width 16 lies furthest left, width 32 next; the other four changes lie further right.",
)
means = {name: sum(runs) / len(runs) for name, runs in sixteen.items()}
for name in ("width 64", "width 32, 900 steps", "width 32, rate 0.01", "width 32, 2 layers"):
    assert means[name] > means["width 32, as above"] + 0.05 > means["width 16"]
print("Each of the four helps, on average over the seeds. None of them reaches multi-head attention in every run.")
assert all(min(runs) < 0.97 for runs in sixteen.values())

# %% [markdown]
# *Width, training and depth all help, on average.* So it is a difficulty and not a law, and a difficulty of *learning* it in so many steps as much as of holding it. One shared summary makes it harder to give every token its own
# answer. That multi-head attention learns it at once is what its $k^2$ comparisons buy.
#
# And where all tokens need the *same* answer? Two such tasks: "is the sum of the digits large?" (large: a mean above 4.5), and
# "which digit is the most frequent?" (if several tie, the smallest). To see that they need attention at all, we also train a network whose
# attention mixes nothing: `nn.Identity` hands every token back to itself.


# %%
def large_sum(digits):
    return (digits.sum(dim=-1, keepdim=True) > 4.5 * digits.shape[-1]).long().expand_as(digits)  # [B, k]


def most_frequent(digits):
    return F.one_hot(digits, 10).sum(dim=1).argmax(dim=-1, keepdim=True).expand_as(digits)  # [B, k]


# %% [markdown]
# Sixteen digits and three seeds again:

# %%
shared = {}
attentions = {"multi-head": four_heads, "separable": mv.SeparableSelfAttention, "none": lambda dim: nn.Identity()}
for task, classes in ((large_sum, 2), (most_frequent, 10)):
    runs = {n: [learn(a, task, 16, seed, classes=classes) for seed in seeds] for n, a in attentions.items()}
    mean = {name: sum(shares) / len(shares) for name, shares in runs.items()}
    assert mean["none"] < 0.75 < mean["separable"]
    assert mean["separable"] > mean["multi-head"] - 0.08
    print(f"{task.__name__}: separable attention keeps up with multi-head attention; without attention it fails")
    shared[task.__name__] = mean

# %% [markdown]
# The means of the three seeds. The network without attention shows how far a token gets with its own digit alone:

# %% tags=["nbval-ignore-output"]
for name, mean in shared.items():
    print(f"{name:14}", {attention: round(share, 2) for attention, share in mean.items()})

# %% [markdown]
# Where one summary serves everybody, separable attention loses little or nothing here. To name what is in a picture may well be such a
# task. To say of each pixel what it belongs to may be less so. And MobileViTv2 does not stand on attention alone: its convolutions pass on what
# is near, and it has nine attention layers (notebook 05).

# %% [markdown]
# ## Cheaper still, exactly · 38 min
#
# Look at Eq. 2 again. Every token is projected to a key, and then the keys are summed. But a sum of projections is the projection of
# the sum:
#
# $$\sum_i c_s(i)\,(x_i W_K + b_K) \;=\; \Big(\sum_i c_s(i)\, x_i\Big) W_K + b_K \sum_i c_s(i)$$
#
# The context scores add up to one, so the last sum is 1. We may *pool the tokens first, and project the one result*:

# %%
pool_first = (c_s * x).sum(dim=-2, keepdim=True) @ W_K + b_K  # [1, d]
torch.testing.assert_close(pool_first, c_v)
print("the same context vector, with one projected vector instead of", k)

# %% [markdown]
# The key projection falls from $k d^2$ to $d^2$ multiply–accumulates: of the three large products, one is gone. The library's module does it
# this way; ml-cvnets, timm and transformers project first. `tests/test_attention.py` holds it against the paper's order, in values and
# gradients.
#
# > **Predict.** While training, *dropout* may set some scores to zero and enlarge the others, so that they no longer add up to one. Which
# > term of the equation must then be treated with care?

# %%
dropped = c_s * torch.tensor([[2.0], [0.0], [2.0]])  # [k, 1]
right = (dropped * keys).sum(dim=-2, keepdim=True)  # [1, d]
pooled = (dropped * x).sum(dim=-2, keepdim=True) @ W_K  # [1, d]
print("with b_K:               equal?", torch.allclose(pooled + b_K, right))
print("with b_K times the sum: equal?", torch.allclose(pooled + b_K * dropped.sum(), right))

# %% [markdown]
# The bias must be multiplied by the sum of the scores. Exercise 2.4 is about that.

# %% [markdown]
# ## Three attentions, one table · 42 min
#
# Between "everybody with everybody" and "one question" lies *Linformer* (arXiv 2006.04768). It keeps multi-head attention, but first
# mixes the $k$ keys and the $k$ values down to $p$ of each, with two learned `[p, k]` matrices. Then every token looks at $p$ mixtures. Mixing
# keys, mixing values, scores, and weighted means take $kpd$ each.
#
# | attention | multiply–accumulates | numbers in the maps |
# |---|---|---|
# | multi-head, $h$ heads | $4kd^2 + 2k^2d$ | $h k^2$ |
# | Linformer, $h$ heads | $4kd^2 + 4kpd$ | $h k p$ |
# | separable, the paper's order | $3kd^2 + kd$ | $k$ |
# | separable, pooled first | $2kd^2 + d^2 + 2kd$ | $k$ |
#
# The row of the paper's order counts its linear layers only; the weighted sum of the keys would add $kd$. The last row includes
# its sum, which the library writes as a matrix product. The entry-by-entry products with $c_v$ are in neither. Does PyTorch count the same when the modules run? (Ours runs pooled first.)

# %%
from torch.utils.flop_counter import FlopCounterMode

modules = {
    cost.multi_head_macs(256, 64): mv.MultiHeadSelfAttention(64, 4),
    cost.linformer_macs(256, 64, p=64): mv.LinformerSelfAttention(64, 4, num_tokens=256, projected_tokens=64),
    cost.separable_macs(256, 64, form="executed"): mv.SeparableSelfAttention(64),
}
for macs, module in modules.items():
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.randn(1, 256, 64))
    print(f"{type(module).__name__:24} formula {macs:10,}   counted {counter.get_total_flops() // 2:10,}")

# %% [markdown]
# They agree to the last digit. Now let $k$ grow:

# %%
ks = [64, 128, 256, 512, 1024, 2048, 4096]
series = {
    "multi-head": [cost.multi_head_macs(n, 64) / 1e6 for n in ks],
    "Linformer, p = 64": [cost.linformer_macs(n, 64, p=64) / 1e6 for n in ks],
    "separable, paper": [cost.separable_macs(n, 64) / 1e6 for n in ks],
    "separable, pooled first": [cost.separable_macs(n, 64, form="executed") / 1e6 for n in ks],
}
figures.show(
    figures.lines(ks, series, "tokens k", "million MACs", log_y=True),
    alt="Four rising lines on logarithmic axes, d = 64. Multi-head bends upwards; the others are parallel, pooled separable lowest.",
)

# %% [markdown]
# *Three lines look straight and parallel, for they grow like $k$ (but for a small constant). Only multi-head attention bends upwards.* At $k = 64$ Linformer costs more than
# multi-head attention, at 128 the same, and from there on less. Linformer and separable attention differ by a factor, not in growth. What this means in milliseconds is another question, and notebook 03 measures it.

# %% [markdown]
# ## The question, seen over a picture · 46 min
#
# What the scores look like on the photograph, with 256 patches as in notebook 01. The one question is the patch in the left eye.

# %%
cat = describe(16)  # [256, 12]
separable.W_I.load_state_dict({"weight": 20 * cat[6 * 16 + 5][None], "bias": torch.zeros(1)})
with torch.no_grad():
    c_s = separable.context_scores(cat)  # [256, 1]
figures.show(
    figures.scores_over_picture(photograph, c_s.flatten(), asking=(6, 5)),
    alt="The cat with a heat map: patches in both eyes are bright, and some of the fur; everything else is dark.",
)

# %% [markdown]
# *The brighter a patch, the larger its share in the one summary; the frame marks the patch that asks. The asking patch counts most, and the other eye and some fur follow.* In notebook 01
# the eye's patch had this row, and each patch had a row of its own. Here all have to make do with this one.

# %% [markdown]
# ## Exercises · 48 min
#
# Fill in each stub and run its cell. The check prints one line, and names the mistake if it recognises one.

# %% [markdown]
# ### 2.1 · Context scores ★ · 2 min
#
# From tokens $x$ `[B, k, d]` and the question $W_I$ `[d, 1]` to context scores `[B, k, 1]`.
#
# <details><summary>Hint</summary>
#
# The scores of one picture add up to one. Which axis do you sum over to see that?
#
# </details>


# %% tags=["exercise"]
def context_scores(x, W_I):
    ### BEGIN SOLUTION
    return (x @ W_I).softmax(dim=1)
    ### END SOLUTION


checks.context_scores(context_scores)

# %% [markdown]
# ### 2.2 · Context vector ★ · 3 min
#
# From tokens `[B, k, d]` and context scores `[B, k, 1]` to the context vector `[B, 1, d]`, with the key projection $W_K$ `[d, d]` and its
# bias $b_K$ `[d]`.
#
# <details><summary>Hint</summary>
#
# What is averaged: the tokens, or what $W_K$ and $b_K$ make of them?
#
# </details>


# %% tags=["exercise"]
def context_vector(x, c_s, W_K, b_K):
    ### BEGIN SOLUTION
    return (c_s * (x @ W_K + b_K)).sum(dim=1, keepdim=True)
    ### END SOLUTION


checks.context_vector(context_vector)

# %% [markdown]
# ### 2.3 · Gate and mix ★★ · 3 min
#
# From tokens `[B, k, d]` and the context vector `[B, 1, d]` to the output `[B, k, d]` (Eq. 3). No biases this time.
#
# <details><summary>Hint</summary>
#
# Only the gates $x W_V$ pass through the ReLU. The context vector may stay negative.
#
# </details>


# %% tags=["exercise"]
def gate_and_mix(x, c_v, W_V, W_O):
    ### BEGIN SOLUTION
    return (c_v * F.relu(x @ W_V)) @ W_O
    ### END SOLUTION


checks.gate_and_mix(gate_and_mix)

# %% [markdown]
# ### 2.4 · Pool first, with scores that do not add up to one ★★ · 4 min
#
# The same task as 2.2, but project only *one* vector for each picture, and let the context scores be any numbers. The check counts your
# multiply–accumulates.
#
# <details><summary>Hint</summary>
#
# Expand $\sum_i s_i (x_i W_K + b_K)$ with pen and paper.
#
# </details>


# %% tags=["exercise"]
def pooled_context_vector(x, c_s, W_K, b_K):
    ### BEGIN SOLUTION
    pooled = (c_s * x).sum(dim=1, keepdim=True)
    return pooled @ W_K + c_s.sum(dim=1, keepdim=True) * b_K
    ### END SOLUTION


checks.pooled_context_vector(pooled_context_vector)

# %% [markdown]
# ### 2.5 · Cross-attention, from one fused matrix ★★★ · 8 min
#
# In separable *cross-attention* the scores and the keys come from other tokens, `memory` `[m, d]`, and the values from $x$ `[k, d]`. All three
# projections are stored in one matrix `fused` `[1 + 2d, d]`, in the order and the transposed form of `qkv_proj`: row 0 is $W_I$, then
# $d$ rows of $W_K$, then $d$ rows of $W_V$. Return $c_v * \operatorname{ReLU}(x W_V)$, without $W_O$.
#
# <details><summary>Hint</summary>
#
# `fused.split([1, d, d])` cuts the rows into ranges. `fused[d + 1]` would be a single row.
#
# </details>


# %% tags=["exercise"]
def separable_cross_attention(x, memory, fused):
    ### BEGIN SOLUTION
    d = x.shape[-1]
    W_I, W_K, W_V = fused.split([1, d, d])
    c_s = (memory @ W_I.mT).softmax(dim=0)
    c_v = (c_s * (memory @ W_K.mT)).sum(dim=0, keepdim=True)
    return c_v * F.relu(x @ W_V.mT)
    ### END SOLUTION


checks.separable_cross_attention(separable_cross_attention)

# %% [markdown]
# ### 2.6 · Where do they cross? ★★★ · 4 min
#
# Above which number of tokens does multi-head attention take more than *twice* the multiply–accumulates of separable attention in the
# paper's order? Return that $k$ as a function of the width $d$; it need not be whole.
#
# <details><summary>Hint</summary>
#
# $4kd^2 + 2k^2d = 2\,(3kd^2 + kd)$. Every term has a $k$ and a $d$ to give away.
#
# </details>


# %% tags=["exercise"]
def twice_as_much(d):
    ### BEGIN SOLUTION
    return float(d + 1)
    ### END SOLUTION


checks.twice_as_much(twice_as_much)

# %% [markdown]
# ## What you now know
#
# 1. You can *derive* separable attention: score against one question, summarise, gate.
# 2. You *built* it as a module, equal to the library's and to the form with 1×1 convolutions.
# 3. You can *explain* the map of rank one, and saw what it costs: one summary of $d$ numbers has to serve all tokens.
# 4. You *proved* that pooling before projecting changes nothing but the work: a third of the large products is gone.
# 5. You can *compare* three attentions: $4kd^2 + 2k^2d$, $4kd^2 + 4kpd$, and $2kd^2 + d^2 + 2kd$.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Eqs. 2 and 3, Fig. 3c.
# - S. Wang et al., *Linformer: Self-Attention with Linear Complexity*, arXiv 2006.04768: Eq. 7.
# - J. Hu et al., *Squeeze-and-Excitation Networks*, arXiv 1709.01507.
# - Y. Cao et al., *GCNet*, arXiv 1904.11492.
# - C. Wu et al., *Fastformer*, arXiv 2108.09084.
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
