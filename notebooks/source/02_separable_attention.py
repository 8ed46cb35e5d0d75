# %% [markdown]
# # 02 · Separable self-attention
#
# **You replace $k^2$ comparisons by $k$, derive every step, and can say what is given up.**
#
# **You will be able to**
#
# 1. *derive* separable attention from one shared question, as loops and as one line for each step,
# 2. *build* it as a module that equals the library's, and its form with 1×1 convolutions,
# 3. *explain* why its attention map has rank one, and what a network loses by that,
# 4. *prove* that pooling before projecting gives the same numbers for up to a third less work,
# 5. *compare* the costs of multi-head, Linformer and separable attention.
#
# **You need** notebook 01; on the 90-minute route, its sections with ◆. No network, no graphics card.
#
# *88 minutes: 59 to read, run and build, 29 for the exercises at the end.*
# Three cells train small networks, and take about a quarter of a minute each.

# %% [markdown] slide="Suppose all tokens agree on *one* question. Then $k$ comparisons replace $k^2$."
# ## One question for everybody · 0 min · ◆
#
# The set-up, and the three tokens of notebook 01. Four numbers say how *warm*, *striped*, *green* and
# *soft* each piece of a picture is.

# %%
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib import cost
from mvit2_lib.course import checks, figures, tables

_ = torch.set_printoptions(precision=2, sci_mode=False)

# %% [markdown]
# The tokens are the rows of $x$, $k$ of them, each of width $d$:

# %%
names = ("fur", "ear", "grass")
x = torch.tensor(
    [[2.0, 1.0, 0.0, 1.0], [1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 2.0, 1.0]]
)  # [k, d]
k, d = x.shape
print(k, "tokens of width", d)

# %% [markdown]
# In multi-head attention every token asks its own question, its query, so $k$ tokens make $k \times k$
# comparisons. Suppose all tokens agree on *one* question. Then there is one comparison for each
# token: $k$ in all.
#
# The shared question is a vector of $d$ learned numbers. The MobileViTv2 paper (arXiv 2206.02680, from
# here on *the paper*) calls it the *latent token* $L$. Ours asks: are you warm, and a little striped?

# %% slide="One dot product for each token, with the shared question $L$"
L = torch.tensor([1.0, 0.5, 0.0, 0.0])  # [d]
scores = torch.zeros(k, 1)
for i in range(k):
    scores[i] = (x[i] * L).sum()
print(scores)

# %% [markdown]
# Dot products with one vector are a matrix product with one column. Written as a column, $L$ is the
# weight $W_I$ of a linear layer with a single output, and all scores are $x W_I$:

# %%
W_I = L[:, None]  # [d, 1]
torch.testing.assert_close(x @ W_I, scores)
print("one product gives the same scores")

# %% [markdown] slide="A softmax turns scores into weights, the *context scores*\n\n$W_I$ is the shared question $L$, written as a column."
# As before, a softmax turns scores into weights that add up to one. The paper calls these weights the
# *context scores* $c_s$ (Section 3.2, leading to its Eq. 2), and so do we:
#
# $$c_s = \operatorname{softmax}(x W_I), \qquad W_I \in \mathbb{R}^{d \times 1}$$
#
# > **Predict.** The scores have shape `[k, 1]`. Over which axis must the softmax run: the first, which
# > holds the tokens, or the last?

# %% slide="Over the tokens. Along the last axis every score is 1, and no error is raised\n\nFrom here on, the first of the two is $c_s$."
over_tokens = scores.softmax(dim=-2)  # [k, 1]
over_last = scores.softmax(dim=-1)  # [k, 1]
print("over the tokens:   ", over_tokens.flatten())
print("over the last axis:", over_last.flatten())

# %% [markdown]
# Over the tokens. The last axis has a single entry, so a softmax along it makes every score 1, and all
# tokens count the same. That mistake raises no error.
#
# There is no division by $\sqrt d$ here. The paper has none, and does not say why.

# %%
c_s = over_tokens
for name, share in zip(names, c_s.flatten().tolist(), strict=True):
    print(f"{name:6} {share:.2f}")

# %% [markdown] slide="All tokens become a single vector." ask="In multi-head attention a token that is found gives its value. What does it give here?"
# ## One summary · 5 min · ◆
#
# In multi-head attention, a token that is found gives its *value*. Here it gives a *key* $x W_K$. The keys
# of all tokens are averaged, with the context scores as weights. The result is a single vector, the
# *context vector* $c_v$ (Eq. 2):
#
# $$c_v = \sum_{i=1}^{k} c_s(i) \, (x W_K)_i$$
#
# Here $c_s(i)$ is the score of token $i$. First slowly, one token at a time. The matrices are random and
# small. Real layers also add a *bias*, a learned vector, which the equations leave out:

# %% slide="The context vector, one token at a time"
torch.manual_seed(0)
W_K, W_V, W_O = torch.randn(3, d, d) / 2
b_K, b_V, b_O = torch.randn(3, d) / 2

c_v = torch.zeros(1, d)
for i in range(k):
    key = x[i] @ W_K + b_K  # [d]
    c_v += c_s[i] * key
print(c_v)

# %% [markdown]
# Then all tokens at once, and the two must agree:

# %% slide="Then all at once: however many tokens, the summary has $d$ numbers" seminar=false
keys = x @ W_K + b_K  # [k, d]
torch.testing.assert_close((c_s * keys).sum(dim=-2, keepdim=True), c_v)
print("one line gives the same context vector", tuple(c_v.shape))

# %% [markdown]
# However many tokens there are, their summary has $d$ numbers. Hold on to that.

# %% [markdown] slide="Every token receives the same vector, and lets through as much of it as its gate says."
# ## What each token does with it · 7 min · ◆
#
# Every token now receives this same vector. To get different outputs, each token decides *how much*
# of each number it lets through. It projects itself to $x W_V$, and a ReLU sets what is negative to
# zero. These factors are the token's *gate*. The gate is multiplied with $c_v$ entry by entry, and
# $W_O$ mixes the result (Eq. 3; the star is the entry-by-entry product):
#
# $$y = \big(c_v * \operatorname{ReLU}(x W_V)\big)\, W_O$$
#
# > **Predict.** $c_v$ has shape `[1, d]`, and $\operatorname{ReLU}(x W_V)$ has `[k, d]`. What is the
# > shape of their product?

# %%
y = torch.zeros(k, d)
for i in range(k):
    gate = (x[i] @ W_V + b_V).clamp(min=0)  # [d]
    y[i] = (c_v[0] * gate) @ W_O + b_O
print(y)

# %% [markdown]
# PyTorch repeats the one row of $c_v$ for all tokens. That is called *broadcasting*, and needs no copy:

# %% slide="`[k, d]`: the one row is repeated for all tokens\n\nHere `y` is what a loop over the tokens gives."
gates = F.relu(x @ W_V + b_V)  # [k, d]
torch.testing.assert_close((c_v * gates) @ W_O + b_O, y)
print("equal; the product has shape", tuple((c_v * gates).shape))

# %% [markdown]
# **Score, summarise, gate.** That is all of separable attention. Here are our three tokens on their way
# through it, biases included:

# %% slide="**Score, summarise, gate:** three tokens on their way"
figures.show(
    figures.worked_example(names, x, c_s, keys, gates),
    alt="Numbers in cells: three tokens, their context scores, their keys, one summary "
    "row, three gates with some zeros, and three gated rows.",
)

# %% [markdown]
# *Orange is positive, violet negative. Follow one column of the keys: three numbers, weighted by the
# scores, become one number of the summary. Each token then multiplies it with its own gate.* Where the
# ReLU has set a gate to zero, the token takes nothing. $W_O$ follows after that.
#
# As a drawing for any $k$ and $d$:

# %% slide="No box holds $k \\times k$ numbers"
figures.show(
    figures.separable_unit(),
    alt="Boxes from x upwards: W_I and softmax give k scores, W_K gives keys; their "
    "weighted sum c_v meets ReLU(x W_V), then W_O.",
)

# %% [markdown] slide="What public code calls *value* is not averaged at all"
# *Read from below; the square brackets hold the shape that leaves a box. No box holds $k \times k$
# numbers. The largest hold $k \times d$, and the summary holds $d$.*
#
# The paper speaks of an *input*, a *key* and a *value* branch. Public programs (the authors' own
# ml-cvnets, timm, transformers) call the first one `query`:
#
# | here and in the paper | in the programs | part |
# |---|---|---|
# | $x W_I$, *input* branch | `query` | the score of each token |
# | $x W_K$, *key* branch | `key` | what is averaged |
# | $x W_V$, *value* branch | `value` | what gates the average |
#
# So the keys are averaged, and the values are not averaged at all.

# %% [markdown] slide="Score, summarise, gate: three lines between the matrices." ask="Over which axis does the sum run, and what must be kept?"
# ## Build it: the module · 13 min · ◆
#
# In a network the matrices are learned. `nn.Linear` holds such a matrix and a bias. You write what happens
# between them. Run the cell when you are done; its check prints one line.
#
# ### 2.1 · Separable attention as a module ★★ · 6 min
#
# Write `forward` from Eqs. 2 and 3. The tokens come as `[..., k, d]`, with any axes in front, and so
# does the result. `nn.Linear` adds the biases.
#
# <details><summary>Hint</summary>
#
# Three lines: score, summarise, gate. Count the axis of the tokens from the end, and keep it when you
# sum over it.
#
# </details>


# %% tags=["exercise"]
class MySeparable(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.W_I, self.W_K = nn.Linear(dim, 1), nn.Linear(dim, dim)
        self.W_V, self.W_O = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x):
        ### BEGIN SOLUTION
        c_s = self.W_I(x).softmax(dim=-2)  # [..., k, 1]
        c_v = (c_s * self.W_K(x)).sum(dim=-2, keepdim=True)  # [..., 1, d]
        return self.W_O(c_v * F.relu(self.W_V(x)))  # [..., k, d]
        ### END SOLUTION


checks.separable_module(MySeparable)

# %% [markdown]
# The library's module has the same names. With our numbers inside, it gives what the loops gave. As
# `nn.Linear` stores matrices transposed, we hand them over as `.mT`:

# %% slide="The library's module gives what the loops gave" seminar=false
ours = mv.SeparableSelfAttention(d)
by_hand = {
    "W_I": (W_I, torch.zeros(1)),
    "W_K": (W_K, b_K),
    "W_V": (W_V, b_V),
    "W_O": (W_O, b_O),
}
for name, (matrix, bias) in by_hand.items():
    getattr(ours, name).load_state_dict({"weight": matrix.mT, "bias": bias})
torch.testing.assert_close(ours(x), y)
print("mv.SeparableSelfAttention equals the loops")

# %% [markdown] slide="In other programs one 1×1 convolution takes the place of three matrices."
# ## As others write it · 20 min
#
# In ml-cvnets, timm and transformers the layer looks different, in two ways.
#
# - The tokens lie with the width first, `[B, d, P, N]`. These are $P$ separate groups of $N$ tokens,
#   each with its own softmax and its own summary. Notebook 04 says where the groups come from.
# - One *1×1 convolution* with $1 + 2d$ outputs takes the place of $W_I$, $W_K$ and $W_V$. It looks at
#   one place of the $P \times N$ grid at a time, here at one token, and applies the same matrix to
#   each. So it *is* a linear layer.
#
# Here is that form, written from its description:


# %% slide="The form of ml-cvnets, timm and transformers"
class ConvolutionForm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.qkv_proj = nn.Conv2d(dim, 1 + 2 * dim, 1)
        self.out_proj = nn.Conv2d(dim, dim, 1)

    def forward(self, x):  # [B, d, P, N]
        dim = x.shape[1]
        query, key, value = self.qkv_proj(x).split([1, dim, dim], dim=1)
        weighted = query.softmax(dim=-1) * key  # [B, d, P, N]
        context = weighted.sum(dim=-1, keepdim=True)  # [B, d, P, 1]
        return self.out_proj(context * value.relu())  # [B, d, P, N]


# %% [markdown]
# > **Predict.** The `split` cuts the channels into 1, `dim` and `dim`. Which of our four matrices is
# > row 0 of `qkv_proj.weight`?
#
# Give it our weights, and tokens in its layout. A convolution's weight has two more axes, of length
# one:

# %% slide="Row 0 is $W_I$, then come $W_K$ and $W_V$"
conv, three = ConvolutionForm(d), (ours.W_I, ours.W_K, ours.W_V)
tall = torch.cat([linear.weight for linear in three])  # [1 + 2d, d]
tall_bias = torch.cat([linear.bias for linear in three])
conv.qkv_proj.load_state_dict({"weight": tall[..., None, None], "bias": tall_bias})
mix = ours.W_O
conv.out_proj.load_state_dict({"weight": mix.weight[..., None, None], "bias": mix.bias})
groups = torch.randn(2, 3, 5, d)  # [B, P, N, d]
torch.testing.assert_close(
    conv(groups.permute(0, 3, 1, 2)), ours(groups).permute(0, 3, 1, 2)
)
print("1×1 convolutions and linear layers give the same")

# %% [markdown]
# Row 0 is $W_I$, the next $d$ rows are $W_K$, the last $d$ rows $W_V$.

# %% [markdown] slide="Every token is projected to a key, and then the keys are summed. Is there a cheaper way?" ask="Where in this sum could one product do the work of many?"
# ## Cheaper still, exactly · 24 min · ◆
#
# Look at Eq. 2 again. For each picture of a batch of $B$, every one of the $k$ tokens is projected to a key, and then the keys are summed
# to a single vector. Is there a cheaper way to the same vector?
#
# ### 2.2 · Pool first ★★ · 5 min
#
# Compute $\sum_i c_s(i)\,(x_i W_K + b_K)$ for tokens $x$ `[B, k, d]` and scores $c_s$ `[B, k, 1]`, with
# `W_K` `[d, d]` and `b_K` `[d]`, but project *one* vector for each picture instead of $k$. The result
# is `[B, 1, d]`. Here the scores need **not** add up to one. The check counts
# multiplications, both in matrix products and entry by entry: those of $k$ projections are too many.
#
# <details><summary>Hint</summary>
#
# A sum of projections is the projection of the sum. Write the sum out as two sums. What becomes of
# $b_K$?
#
# </details>


# %% tags=["exercise"]
def pool_first(x, c_s, W_K, b_K):
    ### BEGIN SOLUTION
    pooled = (c_s * x).sum(dim=1, keepdim=True)  # [B, 1, d]
    return pooled @ W_K + c_s.sum(dim=1, keepdim=True) * b_K  # [B, 1, d]
    ### END SOLUTION


checks.pooled_context_vector(pool_first)

# %% [markdown]
# After a softmax the scores add up to one, and so the bias counts once:

# %% slide="A sum of projections is the projection of the sum"
pooled = (c_s * x).sum(dim=-2, keepdim=True)  # [1, d]
torch.testing.assert_close(pooled @ W_K + b_K, c_v)
print("the same context vector, with one projected vector instead of", k)

# %% [markdown]
# The key projection falls from $k d^2$ to $d^2$ multiply–accumulates: of the three large products, one
# is gone. The library's module works this way. ml-cvnets, timm and transformers project first.
#
# <details><summary>The derivation</summary>
#
# A sum of projections is the projection of the sum:
#
# $$\sum_i c_s(i)\,(x_i W_K + b_K) \;=\; \Big(\sum_i c_s(i)\, x_i\Big) W_K + b_K \sum_i c_s(i)$$
#
# After a softmax the last sum is 1. While training, *dropout* may set some scores to zero and enlarge the
# others, so that they no longer add up to one. Then the bias must be multiplied by their sum.
#
# </details>

# %% [markdown] slide="Multi-head attention has a map with $k$ different rows. What map does separable attention have?"
# ## A map of rank one · 30 min · ◆
#
# Multi-head attention has a map with $k$ rows, one for each token's question. Does separable
# attention have one too? Every token receives $c_v$, the keys averaged with the weights $c_s$.
#
# > **Predict.** Write down that $k \times k$ map for our three tokens. How do its rows differ?

# %% slide="All its rows are equal: *rank one*. That is the saving, and the sacrifice"
implied = c_s.mT.expand(k, k)  # [k, k]
torch.testing.assert_close(implied @ keys, c_v.expand(k, d))
print(implied)
print("rank:", torch.linalg.matrix_rank(implied).item())

# %% [markdown]
# They do not differ. The *rank* of a matrix is the number of rows it really needs, because all others
# are mixtures of those. This one needs a single row. There are no heads either, so this row is all there
# is. That is the saving, and the sacrifice.
#
# Without any preference, the one row is an ordinary mean. Set $W_I$ to zero, and separable attention
# becomes *average pooling and a gate*:

# %% slide="Without any preference, what is left is a mean and a gate" seminar=false
plain = mv.SeparableSelfAttention(d)
nn.init.zeros_(plain.W_I.weight)
mean_key = plain.W_K(x.mean(dim=-2, keepdim=True))  # [1, d]
torch.testing.assert_close(plain(x), plain.W_O(mean_key * F.relu(plain.W_V(x))))
print("with W_I = 0: mean, projection, gate")

# %% [markdown]
# The bias of $W_I$ may stay. It shifts all scores alike. That multiplies all exponentials by the same factor,
# which cancels when the softmax divides by their sum.
#
# So separable attention has relatives. Squeeze-and-excitation (arXiv 1709.01507) computes its gate
# from the plain mean. GCNet (arXiv 1904.11492) adds a softmax-weighted mean to every token. Fastformer
# (arXiv 2108.09084) has a global query and a global key.

# %% [markdown] slide="One summary for all. So take a task in which every token needs a different answer: reverse a sequence."
# ## What is lost · 33 min · ◆
#
# One summary for all tokens: which tasks become hard? Here is one made to be hard for it. The input is
# a sequence of $k$ digits. The output is the same sequence *reversed*. Token 1 must fetch the last
# digit, token 2 the last but one. Every token needs a different answer, and together the answers are the
# whole sequence.
#
# The network is small. An *embedding* turns each digit into a learned vector, and each position has a
# learned vector too. One attention layer follows, or several with a *feed-forward* part between them,
# two linear layers that work on each token by itself. Each part adds its result to what was there before.
# A last linear layer names a digit. Only the attention differs.


# %%
class Small(nn.Module):
    def __init__(self, attention, k, layers, classes, dim):
        super().__init__()
        self.digit = nn.Embedding(10, dim)
        self.position = nn.Parameter(torch.randn(k, dim))
        self.attention = nn.ModuleList(attention(dim) for _ in range(layers))
        self.between = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
            for _ in range(layers - 1)
        )
        self.answer = nn.Linear(dim, classes)

    def forward(self, digits):
        x = self.digit(digits) + self.position  # [B, k, d]
        x = x + self.attention[0](x)
        for between, attention in zip(self.between, self.attention[1:], strict=True):
            x = x + between(x)
            x = x + attention(x)
        return self.answer(x)  # [B, k, classes]


# %% [markdown]
# Training takes 300 steps, with 64 fresh random sequences in each. The *loss*, cross-entropy, is small where the
# right digit gets a high probability, and AdamW is the usual way to follow its gradients. Notebook 07
# explains both.


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
    return model


# %% [markdown]
# Then we count right answers on 500 new sequences. The task, and the attention to compare with:


# %%
def share_of_right(model, task, k):
    digits = torch.randint(10, (500, k))  # [B, k]
    with torch.no_grad():
        return (model(digits).argmax(dim=-1) == task(digits)).float().mean().item()


def reverse(digits):
    return digits.flip(-1)  # [B, k]


def four_heads(dim):
    return mv.MultiHeadSelfAttention(dim, num_heads=4)


# %% [markdown] predict="Guessing gets one digit in ten. Tokens and summary have width 32. What share of the reversed digits will separable attention get right at $k = 4$, and at $k = 24$?"
# Each network is trained three times, from different random starts (*seeds*), for three lengths.
# Guessing gives 0.10.
#
# > **Predict.** The tokens have width $d = 32$, and so has the summary. How will separable attention do
# > at $k = 4$, and at $k = 24$?

# %%
torch.set_num_threads(1)
lengths, seeds = (4, 12, 24), (0, 1, 2)
kinds = {"multi-head": four_heads, "separable": mv.SeparableSelfAttention}
trained, reversing = {}, {name: [] for name in kinds}
for name, attention in kinds.items():
    for n in lengths:
        models = [learn(attention, reverse, n, seed) for seed in seeds]
        trained[name, n] = models[0]
        reversing[name].append([share_of_right(model, reverse, n) for model in models])

# %% [markdown]
# Every mark is one trained network, every line a mean of three. Those of multi-head attention lie on
# top of each other:

# %% slide="From above 0.9 to about 0.2, at this width and after 300 steps"
labels = ("digits in the sequence (k)", "share of right digits")
figures.show(
    figures.spread(lengths, reversing, *labels, chance=0.1),
    alt="Over k from 4 to 24: multi-head attention stays at 1; "
    "separable attention falls from above 0.9 to about 0.2.",
)

# %% [markdown]
# *Longer sequences are harder for separable attention, and multi-head attention does not notice.*
# That holds at this width and after this training. In words, checked for every seed:

# %%
assert all(min(runs) > 0.97 for runs in reversing["multi-head"]), reversing
print("Multi-head attention reverses all lengths.")
assert min(reversing["separable"][0]) > 0.8, reversing
assert max(reversing["separable"][-1]) < 0.5, reversing
print("Separable attention reverses four digits well and twenty-four badly.")

# %% [markdown] predict="Token 1 must fetch digit 12. What will the map of multi-head attention look like, and that of separable attention?"
# Look at what both have learned. We hand one sequence of twelve digits to the two trained networks,
# and draw their maps: the mean of the four heads on the left, the implied map on the right.
#
# > **Predict.** Token 1 must fetch digit 12. What will the left map look like?

# %%
sequence = torch.randint(10, (1, 12))  # [B, k]


def tokens_of(model):
    return model.digit(sequence) + model.position  # [B, k, d]


with torch.no_grad():
    model = trained["multi-head", 12]
    head_maps = model.attention[0].attention_map(tokens_of(model))[0]  # [h, k, k]
    model = trained["separable", 12]
    one_row = model.attention[0].context_scores(tokens_of(model))[0].mT  # [1, k]
own_rows, same_rows = head_maps.mean(dim=0), one_row.expand(12, 12)  # [k, k]
favourites = (own_rows.argmax(dim=-1) + 1).tolist()
assert favourites == list(range(12, 0, -1)), favourites
print("multi-head: tokens 1 to 12 look most at tokens", *favourites)

# %% slide="Left, each token looks at its mirror image. Right, all look the same way"
figures.show(
    figures.learned_maps(own_rows, same_rows),
    alt="Two 12 by 12 maps. Left, multi-head: a line from the lower left to the upper "
    "right. Right, separable: all rows are equal, so columns show.",
)

# %% [markdown]
# *Left, each token looks at its mirror image. Right, all tokens look the same way, because they must.* The
# colours are stretched so that pale cells show.
#
# Separable attention has to squeeze the whole sequence into one summary of 32 numbers, and each token
# has to find its digit in there with nothing but a gate.

# %% [markdown] slide="Is the task out of reach, or only hard? Change one thing at a time."
# ## How much is lost? · 44 min · ◆
#
# Is the task out of reach for separable attention, or only hard? At sixteen digits, change one thing at a
# time.
#
# > **Predict.** Which of these help: twice the width, three times the training, a learning rate of 0.01 instead
# > of 0.003, a second attention layer?

# %%
changes = {
    "width 16": {"dim": 16},
    "width 32, as above": {},
    "width 64": {"dim": 64},
    "width 32, 900 steps": {"steps": 900},
    "width 32, rate 0.01": {"rate": 0.01},
    "width 32, 2 layers": {"layers": 2},
}
sixteen = {name: [] for name in changes}
for name, change in changes.items():
    for seed in seeds:
        model = learn(mv.SeparableSelfAttention, reverse, 16, seed, **change)
        sixteen[name].append(share_of_right(model, reverse, 16))

# %% slide="Width, training, learning rate and depth all help, on average"
figures.show(
    figures.runs(sixteen, "share of 16 digits that are right", chance=0.1),
    alt="Six rows of three squares and a bar for their mean. The bar of width 16 is "
    "the shortest, that of width 32 the next; the other four are longer.",
)
means = {name: sum(runs) / len(runs) for name, runs in sixteen.items()}
for name in list(changes)[2:]:
    assert means[name] > means["width 32, as above"] + 0.05 > means["width 16"], means
assert all(min(runs) < 0.97 for runs in sixteen.values()), sixteen
print("Each of the four helps, on average over the seeds.")
print("None of them gets 97 % right in every run.")

# %% [markdown]
# *A bar is the mean of three runs, a square is one run. Width, training, learning rate and depth all help,
# on average.* So the task is hard and not impossible, and a part of the difficulty lies in *learning* it in so
# few steps. Multi-head attention, with its $k^2$ comparisons, had no such difficulty at
# 12 or at 24 digits.
#
# And what if all tokens need the *same* answer? Here are two such tasks: "is the mean of the digits above
# 4.5?", and "which digit is the most frequent?". To see that they need attention at all, we also train
# a network whose attention mixes nothing. `nn.Identity` returns every token unchanged.


# %%
def large_mean(digits):
    return (digits.float().mean(dim=-1, keepdim=True) > 4.5).long().expand_as(digits)


def most_frequent(digits):
    counts = F.one_hot(digits, 10).sum(dim=1)  # of equal counts, the smallest digit
    return counts.argmax(dim=-1, keepdim=True).expand_as(digits)  # [B, k]


# %% [markdown]
# Sixteen digits, three seeds:

# %%
shared, three_kinds = {}, kinds | {"none": lambda dim: nn.Identity()}
for task, classes in ((large_mean, 2), (most_frequent, 10)):
    mean = {}
    for name, attention in three_kinds.items():
        models = [learn(attention, task, 16, seed, classes=classes) for seed in seeds]
        mean[name] = sum(share_of_right(model, task, 16) for model in models) / 3
    shared[task.__name__] = mean
    assert mean["none"] < 0.75 < mean["separable"], mean
    assert mean["separable"] > mean["multi-head"] - 0.08, mean
    print(f"{task.__name__}: separable attention keeps up with multi-head attention;")
    print("    without attention the network fails")

# %% [markdown]
# The means of the three seeds. The network without attention shows how far a token gets with its own
# digit alone:

# %% tags=["nbval-ignore-output"] slide="In two tasks where one answer serves all tokens, one summary is enough\n\n`large_mean`: is the mean of the digits above 4.5? `most_frequent`: which digit is it? *none* mixes nothing at all."
rows = []
for task, mean in shared.items():
    shares = {name: f"{share:.2f}" for name, share in mean.items()}
    rows.append({"task": task} | shares)
tables.show(rows)

# %% [markdown]
# Where one summary serves everybody, separable attention loses little or nothing here. Naming what is
# in a picture may well be such a task. Naming the object that each single pixel belongs to may be less so.
# And MobileViTv2 does not rely on attention alone. Its convolutions pass on what is near, and it has nine
# attention layers.

# %% [markdown] slide="The digit model has trained questions. Its first attention looks over 16 patches."
# ## Where a trained model looks · 51 min · ◆
#
# The course comes with a complete MobileViTv2 that reads handwritten digits, with trained questions. Its first
# attention layer looks over 16 patches of each picture. Every attention of MobileViTv2 works in four groups of
# pixels, with a summary for each (notebook 04 says where they come from). We take the mean of the four groups' scores. A *hook* is
# a function that PyTorch calls whenever a layer has run. This one keeps the scores:

# %%
digit_model = mv.load_pretrained("digits").model
digit_pictures, _ = mv.load_digits("test")
watched = digit_model.stages[2][1].layers[0].attention  # the first attention
kept = []
hook = watched.register_forward_hook(
    lambda layer, inputs, output: kept.append(layer.context_scores(inputs[0]))
)
with torch.inference_mode():
    _ = digit_model(digit_pictures)
hook.remove()
digit_scores = kept[0].mean(dim=1).squeeze(-1)  # [B, k]: the mean of four groups

# %% [markdown]
# > **Predict.** Equal scores would be one sixteenth each. Will this question prefer the patches with strokes?

# %% slide="There are preferences. They follow the strokes only weakly"
figures.show(
    figures.digit_scores(digit_pictures[:6, 0], digit_scores[:6]),
    alt="Six digits, and under each a grid of 4 by 4 patches coloured by their context "
    "scores, with one scale for all.",
)

# %% [markdown]
# *Above, six digits. Below, the mean weight of each of the 16 patches, as a multiple of an equal share; its least and
# largest values stand under each map.* There are preferences. Do they follow the strokes? We correlate the weight of
# each patch with its brightness, picture by picture:

# %% slide="In nearly all pictures, brighter patches count a little more"
brightness = F.adaptive_avg_pool2d(digit_pictures, 4).flatten(1)  # [B, k]
pairs = torch.stack([digit_scores, brightness], dim=1)  # [B, 2, k]
correlations = torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs])  # [B]
positive = (correlations > 0).float().mean()
print(f"mean correlation {correlations.mean():.1f},", f"above zero in {positive:.0%}")

# %% [markdown]
# Weakly: in nearly all pictures, brighter patches count a little more. It is tempting to tell stories about such maps.
# Notebook 06 tests whether they matter for the answers.

# %% [markdown] slide="Linformer first mixes the $k$ keys and the $k$ values down to $p$ of each, with learned `[p, k]` matrices." ask="Why does a trained Linformer work for a single k only?"
# ## Three attentions, one table · 55 min · ◆
#
# Between "everybody with everybody" and "one question" lies *Linformer* (arXiv 2006.04768). It keeps
# multi-head attention, but first mixes the $k$ keys and the $k$ values down to $p$ of each, with two
# learned `[p, k]` matrices. Every token then looks at $p$ mixtures. Because these matrices have a
# column for each token, a trained Linformer works for one fixed $k$ only.
#
# | attention | multiply–accumulates | numbers in the maps |
# |---|---|---|
# | multi-head, $h$ heads | $4kd^2 + 2k^2d$ | $h k^2$ |
# | Linformer, $h$ heads | $4kd^2 + 4kpd$ | $h k p$ |
# | separable, as in the paper | $3kd^2 + kd$ | $k$ |
# | separable, pooled first | $2kd^2 + d^2 + 2kd$ | $k$ |
#
# <details><summary>The fine print</summary>
#
# *As in the paper* means that every token is projected to a key. That row counts the linear layers only;
# the weighted sum of the keys would add $kd$. The last row includes its sum, which the library writes as
# a matrix product. The entry-by-entry products with $c_v$ are in neither.
#
# </details>
#
# Does PyTorch count the same when the modules run?

# %%
from torch.utils.flop_counter import FlopCounterMode

modules = {
    "multi-head": mv.MultiHeadSelfAttention(64, 4),
    "Linformer": mv.LinformerSelfAttention(64, 4, num_tokens=256, projected_tokens=64),
    "separable, pooled first": mv.SeparableSelfAttention(64),
}
formulas = (
    cost.multi_head_macs(256, 64),
    cost.linformer_macs(256, 64, p=64),
    cost.separable_macs(256, 64, form="executed"),  # as the library runs it
)
rows = []
for (name, module), macs in zip(modules.items(), formulas, strict=True):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.randn(1, 256, 64))
    counted = counter.get_total_flops() // 2
    rows.append({"attention": name, "formula": macs, "counted": counted})
tables.show(rows)

# %% [markdown]
# They agree to the last digit. Now let $k$ grow:

# %% slide="Only multi-head attention bends upwards"
ks = [64, 128, 256, 512, 1024, 2048, 4096]
series = {
    "multi-head": [cost.multi_head_macs(n, 64) / 1e6 for n in ks],
    "Linformer, p = 64": [cost.linformer_macs(n, 64, p=64) / 1e6 for n in ks],
    "separable, paper": [cost.separable_macs(n, 64) / 1e6 for n in ks],
    "separable, pooled first": [
        cost.separable_macs(n, 64, form="executed") / 1e6 for n in ks
    ],
}
figures.show(
    figures.lines(ks, series, "tokens k", "million MACs", log_y=True),
    alt="Four rising lines on logarithmic axes, d = 64. Multi-head bends upwards; "
    "the others are parallel, pooled separable lowest.",
)

# %% [markdown]
# *Three lines look straight and parallel, because they grow like $k$. Only multi-head attention bends
# upwards.* At $k = 64$ Linformer costs more than multi-head attention, at 128 the same, and from there
# on less. Linformer and separable attention differ by a factor, not in growth.
#
# What this means in milliseconds is another question. Notebook 03 measures it.

# %% [markdown]
# ## Exercises · 59 min
#
# Fill in each stub and run its cell. The check prints one line, and names the mistake if it recognises
# one. After a restart, run the first code cell of the notebook; no exercise needs more.

# %% [markdown]
# ### 2.3 · Separable cross-attention ★★★ · 6 min
#
# In *cross-attention* the tokens $x$ `[k, d]` are gated, and the tokens of `memory` `[m, d]` are scored
# and averaged. All three projections come in one matrix `fused` `[1 + 2d, d]`, without biases, stored
# as `nn.Linear` stores them: row 0 is $W_I$, then come $W_K$ and $W_V$. There is no $W_O$. The result
# is `[k, d]`. A public implementation of this slices one row where a range is meant.
#
# <details><summary>Hint</summary>
#
# `fused[1 : 1 + d]` is $W_K$ as stored; tokens are multiplied by its transpose. What is the softmax
# taken over?
#
# </details>


# %% tags=["exercise"]
def separable_cross_attention(x, memory, fused):
    ### BEGIN SOLUTION
    d = x.shape[-1]
    W_I, W_K, W_V = fused[:1], fused[1 : 1 + d], fused[1 + d :]
    c_s = (memory @ W_I.mT).softmax(dim=0)  # [m, 1]
    c_v = (c_s * (memory @ W_K.mT)).sum(dim=0, keepdim=True)  # [1, d]
    return c_v * F.relu(x @ W_V.mT)  # [k, d]
    ### END SOLUTION


checks.separable_cross_attention(separable_cross_attention)

# %% [markdown]
# ### 2.4 · Several questions ★★★ · 8 min
#
# Separable attention has one question. Give it $h$. $W_I$ is `[d, h]`, and its column $i$ is question
# $i$, with a softmax of its own over the tokens. Question $i$ averages the $i$-th of $h$ equal parts of
# the keys $x W_K$; $W_K$ is `[d, d]`, and there are no biases. The parts, side by side, are the context vector `[B, 1, d]`. The tokens are
# `[B, k, d]`.
#
# <details><summary>Hint</summary>
#
# Cut the keys into `[B, k, h, d / h]`. Which shape must the scores have, so that each multiplies its
# own part?
#
# </details>


# %% tags=["exercise"]
def several_questions(x, W_I, W_K):
    ### BEGIN SOLUTION
    c_s = (x @ W_I).softmax(dim=1)  # [B, k, h]
    parts = (x @ W_K).unflatten(-1, (W_I.shape[1], -1))  # [B, k, h, d_h]
    averaged = (c_s[..., None] * parts).sum(dim=1, keepdim=True)  # [B, 1, h, d_h]
    return averaged.flatten(2)  # [B, 1, d]
    ### END SOLUTION


checks.several_questions(several_questions)

# %% [markdown]
# ### 2.5 · Twice the work ★★ · 5 min
#
# At which $k$ does multi-head attention take exactly twice the multiply–accumulates of separable
# attention as in the paper, for tokens of width $d$?
#
# <details><summary>Hint</summary>
#
# Write both counts down from the table, and set them equal with a factor of two on one side. What divides both
# sides?
#
# </details>


# %% tags=["exercise"]
def twice_as_much(d):
    ### BEGIN SOLUTION
    return d + 1
    ### END SOLUTION


checks.twice_as_much(twice_as_much)

# %% [markdown]
# ### An open experiment · 10 min
#
# Make separable attention reverse sixteen digits with at least 97 % right in all three seeds. You may
# change the width, the depth, the training, or the attention itself (several questions, for instance).
# Say what it cost: count the parameters, and the multiply–accumulates of one forward pass, of your
# network and of multi-head attention that does the same. There is no single right answer.

# %% [markdown]
# ## What you now know
#
# 1. You can *derive* separable attention: score, summarise, gate. Each step was a loop first.
# 2. You *built* it as a module, equal to the library's and to its form with 1×1 convolutions.
# 3. You can *explain* the map of rank one. All tokens share one row, and a network that must give every token a
#    different answer finds that hard to learn.
# 4. You can *prove* that pooling first gives the same context vector, with the bias times the sum of the
#    scores.
# 5. You can *compare* costs: $k^2$ in multi-head attention alone; Linformer and separable attention grow
#    like $k$, with different factors.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*,
#   arXiv 2206.02680: Section 3.2, Eqs. 2 and 3.
# - S. Wang et al., *Linformer: Self-Attention with Linear Complexity*, arXiv 2006.04768.
# - J. Hu et al., *Squeeze-and-Excitation Networks*, arXiv 1709.01507. Y. Cao et al., *GCNet*,
#   arXiv 1904.11492. C. Wu et al., *Fastformer*, arXiv 2108.09084.
# - Digits: E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998 (CC BY 4.0).
