# %% [markdown]
# # 00 · Start here
#
# **In twenty minutes you will see where this course is going, and know that your machine is ready for it.**
#
# **You will be able to**
#
# 1. *check* that your machine has everything the course needs,
# 2. *run* a finished MobileViTv2 on a real picture and read its answer,
# 3. *say* in one sentence what separable attention, the idea behind MobileViTv2, saves,
# 4. *find* your way through the course, on one of three routes.
#
# **You need** Python, and a first acquaintance with PyTorch: what a tensor is, and that a model is an
# `nn.Module`. Nothing else: no graphics card, and no network once the course is installed.
#
# *18 minutes: 18 to read and run, 0 for exercises.*
# Run a cell with <kbd>Shift</kbd>+<kbd>Enter</kbd>. The minutes in the heading of a section count from the start
# of the notebook; those of an exercise say how long it takes.

# %% [markdown] slide="`make lab`, then run notebook 00. Every line must say `[OK]`." ask="Whose machine says [FAIL], and what does the line ask for?"
# ## Is your machine ready? · 0 min · ◆
#
# The first cell checks whether this notebook's Python has PyTorch. If it does, it prints nothing.

# %%
import importlib.util

if importlib.util.find_spec("torch") is None:
    print("This kernel has no PyTorch. Start the course with `make lab`,")
    print("or choose the kernel of its environment in the menu Kernel.")

# %% [markdown]
# The second imports PyTorch and the small library behind this course, `mvit2_lib`, under the short name `mv`.
# The library holds nothing secret. Every part of the model is built in front of you.

# %%
import torch

import mvit2_lib as mv
from mvit2_lib.course import figures, setup

# %% [markdown]
# The next cell looks for everything the course needs. A line that starts with `[FAIL]` ends with what to do
# about it.

# %%
setup.check_machine()

# %% [markdown] slide="A complete MobileViTv2, trained on 1,415 handwritten digits, comes with the course."
# ## The destination, running · 2 min · ◇
#
# MobileViTv2 is a network that looks at a picture and says what is in it. Here is one that is finished: a small
# version, trained for this course on 1,415 handwritten digits. What it has learned, its *weights*, comes with
# the library, so nothing is downloaded.

# %%
model = mv.load_pretrained("digits").model
print(f"{mv.count_parameters(model):,} learned numbers")

# %% [markdown]
# The last 382 digits of the data set were kept away from the training. `images` is a *batch* of them, a tensor
# with 1 channel (grey) and 64 × 64 pixels for each picture. We pick number 178. The slice `178:179` keeps the
# batch axis, because the model takes batches.

# %%
images, labels = mv.load_digits("test")
picture = images[178:179]  # [1, 1, 64, 64]
print(tuple(images.shape), tuple(picture.shape))

# %% slide="An arch, a stem on the right, a broad foot: 8 × 8 pixels, enlarged"
figures.show(
    figures.picture(picture[0, 0]),
    alt="A blurred white stroke on black: an arch that opens to the left, a stem on "
    "the right, and a broad flat foot.",
)

# %% [markdown]
# *An arch, a stem on the right, and a broad foot; and room for doubt, because the data set stores each digit as
# 8 × 8 pixels.*
#
# > **Predict.** Which digit do *you* see? Which one would you name second?
#
# The model returns ten *logits*, one score for each digit. The *softmax* turns them into probabilities, positive
# numbers that add up to one. `inference_mode` tells PyTorch that nothing is to be learned now.

# %% slide="Two is ahead, and three comes close behind"
with torch.inference_mode():
    probabilities = model(picture).softmax(dim=1)[0]  # [10]
for guess in probabilities.topk(3).indices:
    print(f"digit {guess}: probability {probabilities[guess]:.2f}")

# %% [markdown]
# Two is ahead, and three comes close behind. Was the model right?

# %%
print(f"The label says {labels[178]}.")

# %% [markdown]
# One picture proves nothing, so ask for all 382. A model that guessed at random would get about 38 of them right.

# %% slide="One picture proves nothing: ask for all 382"
with torch.inference_mode():
    guesses = model(images).argmax(dim=1)  # [382]
correct = int((guesses == labels).sum())
print(
    f"{correct} of {len(labels)} digits it had never seen: {correct / len(labels):.1%}"
)

# %% [markdown]
# That is the destination: a complete MobileViTv2 that works on real input. By notebook 05 you will have built
# every part of it.

# %% [markdown] slide="The same kind of network, with Apple's weights from 1.28 million photographs."
# ## The same kind of network on a photograph · 7 min
#
# Apple, whose researchers published MobileViTv2, also published weights trained on 1.28 million photographs in
# 1,000 classes (ImageNet). They come under Apple's own licence, so they are not shipped with this course, but the
# Hugging Face hub has them.
#
# The next cell *downloads 5.5 MB* the first time it runs, and checks what arrives. Without a network it says so,
# and you lose nothing but this one answer. `050` is the smallest version.

# %% tags=["nbval-ignore-output"]
try:
    imagenet_model = mv.load_pretrained("mobilevitv2_050").model
    print("The ImageNet weights are loaded.")
except mv.RetryError:
    imagenet_model = None
    print("No ImageNet weights: they could not be fetched.")
    print("The cell that needs them will be skipped.")

# %% [markdown]
# The photograph comes with scikit-image. `preprocess` shrinks it, cuts out the middle, and makes a tensor of it,
# `[1, 3, 256, 256]`: one picture, three colours, values from 0 to 1.

# %% slide="What the model gets to see: 256 × 256 pixels"
photograph = mv.sample_picture("chelsea")
batch = mv.preprocess(photograph)  # [1, 3, 256, 256]
figures.show(
    figures.picture(batch[0].movedim(0, -1)),
    alt="The face of a striped cat with green eyes, cropped to a square.",
)

# %% [markdown]
# *What the model gets to see: a square of 256 × 256 pixels.*
#
# > **Predict.** ImageNet knows five kinds of house cat: tabby, tiger cat, Persian, Siamese and Egyptian. Which
# > will the model name first?

# %% tags=["nbval-ignore-output"] slide="Run this cell online: the answer is not stored"
if imagenet_model is None:
    print("Skipped: there are no ImageNet weights without a network.")
else:
    with torch.inference_mode():
        top = imagenet_model(batch).softmax(dim=1)[0].topk(5)
    for probability, index in zip(top.values, top.indices, strict=True):
        print(f"{probability:6.1%}  {mv.imagenet_classes()[index]}")
    house_cats = set(range(281, 286))
    assert set(top.indices.tolist()) & house_cats, "no house cat among five answers"

# %% [markdown]
# Many people load such weights with `timm`, a collection of PyTorch image models. These lines are for
# reading only:
#
# ```python
# import timm
#
# model = timm.create_model("mobilevitv2_050", pretrained=True).eval()
# settings = timm.data.resolve_model_data_config(model)
# logits = model(timm.data.create_transform(**settings)(photograph)[None])
# ```
#
# Notebook 06 gives both programs the same weights and compares their answers.

# %% [markdown] slide="Every token may ask its own question, or all tokens may share one."
# ## The one idea, in one picture · 11 min · ◆
#
# A network of this kind cuts a picture into small pieces, and describes each piece by a list of numbers, a
# *token*. Then the tokens exchange what they know, so that a piece of fur can take into account that there are
# eyes elsewhere. That exchange is *attention*.
#
# In its classic form, *multi-head attention*, every token asks its own *question*: a list of numbers with which
# it compares all tokens, to decide how much it borrows from each. With $k$ tokens that makes $k \times k$
# comparisons.
#
# In *separable attention* all tokens share one question, and that makes $k$ comparisons. Weighted with the
# answers, the tokens are averaged into one summary. Every token receives that same summary, and lets more or less
# of it through.

# %% slide="Above, every token asks; below, all ask the same"
figures.show(
    figures.course_picture(),
    alt="A cat in 16 patches. Above, a 16 by 16 map in which each patch has its own "
    "row. Below, one column of 16 scores, one summary row, a gate for each patch.",
)

# %% [markdown] predict="MobileViTv2, a small network for phones, looks at a picture of 256 × 256 pixels as 256 tokens at a time, and at one of 512 × 512 as 1,024. By what factor does each count of comparisons grow?"
# *Left: 16 patches of a photograph, our tokens, described by six colours. Above: every token asks its own question of
# every token. Below: all tokens ask one question, here "green?", and the scores pick out the two eyes.* What the eyes
# have more of than other patches becomes one summary, the same for all. On the right, each token's gate says how much
# of each colour it lets through.
#
# Nothing is trained in this picture. Questions and projections were set by hand, and the library's attention modules
# computed the rest. Darker means more.
#
# > **Predict.** On a picture of 256 × 256 pixels, the first attention of MobileViTv2 looks over 256 tokens at
# > once. How many comparisons does multi-head attention make there, and how many does separable attention make?
# > And at 1,024 tokens, on a picture of 512 × 512?

# %% slide="Sixteen times the comparisons if every token asks, four times if all share one question"
for k in (16, 256, 1024):
    print(f"{k:5,} tokens: {k * k:9,} comparisons against {k:5,}")

# %% [markdown]
# Four times the tokens make sixteen times the comparisons in multi-head attention, and four times in separable
# attention. That is what $O(k^2)$ and $O(k)$ mean.
#
# Comparisons are not the whole cost, and fewer of them do not promise a faster network. Notebook 03 counts work and
# memory, predicts how the times grow, and measures them. Notebook 02 shows what the shared question gives up.

# %% [markdown] slide="Ninety minutes for the idea, half a day to a trained network, or everything." ask="Who wants to understand the idea, and who wants to use the model?"
# ## Your way through the course · 15 min · ◆
#
# | notebook | what you build or find out | minutes |
# |---|---|---|
# | **00 · Start here** | you are here | 18 |
# | [01 · Multi-head attention](01_multi_head_attention.ipynb) | the classic attention, from one dot product | 73 |
# | [02 · Separable attention](02_separable_attention.ipynb) | one question for all tokens: what it saves, and what it gives up | 88 |
# | [03 · O(k²) against O(k)](03_quadratic_vs_linear.ipynb) | count, predict, measure: a timing plot you can trust | 72 |
# | [04 · The MobileViTv2 block](04_mobilevitv2_block.ipynb) | why each piece is there, and proof that it does what it says | 92 |
# | [05 · The model](05_mobilevitv2_model.ipynb) | the whole network from one table, correct to the last parameter | 72 |
# | [06 · Pretrained weights](06_pretrained_weights.ipynb) | trained weights in the model you wrote, and the same answer as timm's | 84 |
# | [07 · Training](07_training.ipynb) | train it, compare three kinds of attention fairly, and survive an interruption | 79 |
# | [08 · Your own pictures](08_your_own_pictures.ipynb) | classes of your own, from trained weights, and a score you can trust | 101 |
# | [09 · Fast, and on a phone](09_fast_and_on_a_phone.ipynb) | the same answers sooner, a file for a phone, and what became of "three times faster" | 121 |
# | [10 · The same model in Keras 3](10_keras.ipynb) | the model in another framework, and what differs without an error | 95 |
#
# **Three routes**, by the marks in the headings:
#
# - **◆ · ninety minutes**: the idea alone. In 00 to 03, read the sections with ◆. Before you start in the middle of a
#   notebook, run the cells above with *Run › Run All Above Selected Cell*.
# - **◇ · half a day**: from the first dot product to a trained network. All sections with ◆ or ◇, without the
#   exercises at the end.
# - **everything**, also the sections without a mark: about fifteen hours, best spread over some days.
#
# If you came to *use* the model on pictures of your own, read 06, 08 and 09, and the rest when you want to know why.
#
# **How to work.** At a *Predict* question, stop and write your answer down before you run the cell below it. A wrong
# prediction is worth more than a right one, because it shows where your picture and the machine's differ.
#
# *Exercises* are cells with a stub to fill in. Some stand in the middle of a notebook, because you should write the
# important things yourself. Stars tell the difficulty. A check prints one line, which often names the mistake, and a
# hint and a solution are folded away beside it.
#
# The command that opened this page, `make lab`, has put your own copies of the notebooks into the folder
# `my_notebooks`. Nothing ever overwrites them.
#
# **Where the code lives.** What the notebooks build and later ones use is in the folder `mvit2_lib`. Five files hold
# the subject: `attention`, `patches`, `blocks`, `model` and `cost`. The rest serves them.
#
# <details><summary>Letters you will meet</summary>
#
# The same letters stand for the same things in every equation, program and figure of the course. Each is explained
# where it is first used.
#
# | letter | meaning |
# |---|---|
# | $B$ | batch size: how many pictures at once |
# | $H, W, C$ | height, width and channels of a feature map |
# | $k$ | tokens that an attention looks over |
# | $d$ | width of a token: how many numbers describe it |
# | $h$, $d_h = d/h$ | heads, and the width of one head |
# | $P$ | pixels in a patch (2 × 2 make 4) |
# | $N$ | patches in the map; inside MobileViTv2 the attention looks over $k = N$ tokens, once for each of the $P$ pixels |
# | $\alpha$ | width multiplier: scales the number of channels of the whole model |
# | $x$ | tokens, `[B, k, d]` |
# | $W_Q, W_K, W_V, W_O$ | the four projections of multi-head attention |
# | $W_I, W_K, W_V, W_O$ | the four projections of separable attention |
# | $c_s$, $c_v$ | context scores `[B, k, 1]` and context vector `[B, 1, d]` of separable attention |
#
# </details>

# %% [markdown]
# ## What you now know
#
# 1. Your machine has everything the course needs: you *checked* it, line by line.
# 2. You *ran* a finished MobileViTv2 on a real picture, and read its answer as probabilities.
# 3. You can *say* what separable attention saves: $k$ comparisons in place of $k \times k$.
# 4. You can *find* your way: the map says what each notebook builds, and the headings which route it is on.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680. The
#   attention of this course: Eqs. 2 and 3.
# - A. Vaswani et al., *Attention Is All You Need*, arXiv 1706.03762. Multi-head attention: Eq. 1 and Section 3.2.
# - E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998
#   (CC BY 4.0).
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
