# %% [markdown]
# # 00 · Start here
#
# **In fifteen minutes you see where this course is going, and know that your machine is ready for it.**
#
# **You will be able to**
#
# 1. *check* that your machine has everything the course needs,
# 2. *run* a finished MobileViTv2 on a real picture and read its answer,
# 3. *say* in one sentence what separable attention, the idea behind MobileViTv2, saves,
# 4. *find* your way through the course.
#
# **You need** Python, and a first acquaintance with PyTorch: what a tensor is, and that a model is an `nn.Module`. Nothing else: no
# graphics card, and no network once the course is installed.
#
# Run a cell with <kbd>Shift</kbd>+<kbd>Enter</kbd>. The minutes beside a heading count from the start; those beside an exercise say how long it takes.

# %% [markdown]
# ## Is your machine ready? · 0 min
#
# The second cell imports PyTorch and the small library behind this course, `mvit2_lib`, under the short name `mv`. The library holds
# nothing secret. Every part of the model is built in front of you, from one dot product up. The first cell looks whether this
# notebook runs on the Python that the course was installed into; where it does, it prints nothing.

# %%
import importlib.util

if importlib.util.find_spec("torch") is None:
    print("This kernel has no PyTorch. Start the course with `make lab`,")
    print("or choose the kernel of its environment in the menu Kernel.")

# %%
import torch

import mvit2_lib as mv
from mvit2_lib.course import figures, setup

# %% [markdown]
# The next cell looks for everything the course needs. A line that starts with `[FAIL]` ends with what to do about it.

# %%
setup.check_machine()

# %% [markdown]
# ## The destination, running · 2 min
#
# MobileViTv2 is a network that looks at a picture and says what is in it. Here is one that is finished: a small version, trained for
# this course on 1,415 handwritten digits. What it has learned, its *weights*, comes with the library, so nothing is downloaded.

# %%
model = mv.load_pretrained("digits").model
print(f"{mv.count_parameters(model):,} learned numbers")

# %% [markdown]
# The data set's last 382 digits were kept away from the training. (By what is known of the data set, three people wrote them whose digits the model never saw.) `images` is a *batch* of them, a tensor with 1 channel (grey) and
# 64 × 64 pixels for each picture. We pick one, number 178. The slice `178:179` keeps the batch axis, because the model takes batches.

# %%
images, labels = mv.load_digits("test")
picture = images[178:179]  # [1, 1, 64, 64]
print(tuple(images.shape), tuple(picture.shape))

# %% [markdown]
# The data set stores each digit as 8 × 8 pixels, and `load_digits` enlarges them. Picture 178 looks like this:

# %%
figures.show(
    figures.picture(picture[0, 0]),
    alt="A blurred white stroke on black: an arch that opens to the left, a stem on the right, and a broad flat foot.",
)

# %% [markdown]
# *An arch, a stem on the right, and a broad foot; and room for doubt: 8 × 8 pixels are few.*
#
# > **Predict.** Which digit do *you* see? Which one would you name second? Decide before you run the next cell.
#
# The model returns ten *logits*, one score for each digit. The *softmax* turns them into probabilities, positive numbers that add up
# to one; notebook 01 builds it. `inference_mode` tells PyTorch that nothing is to be learned now.

# %%
with torch.inference_mode():
    probabilities = model(picture).softmax(dim=1)[0]  # [10]
for guess in probabilities.topk(3).indices:
    print(f"digit {guess}: probability {probabilities[guess]:.2f}")

# %% [markdown]
# All ten probabilities at a glance:

# %%
answer = figures.prediction(picture[0, 0], [str(digit) for digit in range(10)], probabilities)
figures.show(
    answer, alt="Left: the blurred digit. Right: ten bars. The bar of 2 is the longest, that of 3 almost as long."
)

# %% [markdown]
# *Two is ahead, and three comes close behind.* Was the model right?

# %%
print(f"The label says {labels[178]}.")

# %% [markdown]
# One picture proves nothing, so ask for all 382. A model that guessed at random would get about 38 of them right.

# %%
with torch.inference_mode():
    guesses = model(images).argmax(dim=1)  # [382]
correct = int((guesses == labels).sum())
print(f"{correct} of {len(labels)} digits it had never seen: {correct / len(labels):.1%}")

# %% [markdown]
# That is the destination: a complete MobileViTv2 that works on real input. By notebook 05 you will have built every part of it.

# %% [markdown]
# ## The same kind of network on a photograph · 6 min
#
# Apple, whose researchers published MobileViTv2, also published weights trained on 1.28 million photographs in 1,000 classes
# (ImageNet). They come under Apple's own licence, so they are not shipped with this course, but the Hugging Face hub has them. The next cell
# *downloads 5.5 MB* the first time it runs, and checks what arrives. Without a network it says so, and you lose nothing but this one
# answer. The name `050` stands for the smallest version. It describes each spot of the picture with half as many numbers as the standard one.

# %% tags=["nbval-ignore-output"]
try:
    imagenet_model = mv.load_pretrained("mobilevitv2_050").model
    print("The ImageNet weights are loaded.")
except mv.RetryError:
    imagenet_model = None
    print("No ImageNet weights: they could not be fetched. The cell that needs them will be skipped.")

# %% [markdown]
# The photograph comes with scikit-image. `preprocess` cuts the middle out of it and turns it into a tensor `[1, 3, 256, 256]`: one
# picture, three colours, values from 0 to 1.

# %%
photograph = mv.sample_picture("chelsea")
batch = mv.preprocess(photograph)  # [1, 3, 256, 256]
figures.show(
    figures.picture(batch[0].movedim(0, -1)), alt="The face of a striped cat with green eyes, cropped to a square."
)

# %% [markdown]
# *What the model gets to see: a square of 256 × 256 pixels.*
#
# > **Predict.** ImageNet knows five kinds of house cat: tabby, tiger cat, Persian, Siamese and Egyptian. Which will the model name
# > first? (Without the weights, the next cell says that it was skipped.)

# %% tags=["nbval-ignore-output"]
if imagenet_model is None:
    print("Skipped: there are no ImageNet weights without a network.")
else:
    with torch.inference_mode():
        top = imagenet_model(batch).softmax(dim=1)[0].topk(5)
    for probability, index in zip(top.values, top.indices, strict=True):
        print(f"{probability:6.1%}  {mv.imagenet_classes()[index]}")
    assert set(top.indices.tolist()) & set(range(281, 286)), "no house cat among the five best answers"

# %% [markdown]
# Many people load such weights with `timm`, a collection of PyTorch image models. For reading only: this is how it does so. (The tests of this course give its model and
# ours the same random weights, and compare the answers.)
#
# ```python
# import timm
#
# model = timm.create_model("mobilevitv2_050", pretrained=True).eval()
# transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
# logits = model(transform(photograph)[None])
# ```

# %% [markdown]
# ## The one idea, in one picture · 9 min
#
# A network of this kind cuts a picture into small pieces and describes each piece by a list of numbers, a *token*. Then the tokens
# exchange what they know, so that a piece of fur can take into account that there are eyes elsewhere. That exchange is *attention*.
#
# In its classic form, *multi-head attention*, every token compares itself with every token, and so decides how much it takes over
# from each of them. With $k$ tokens that makes $k \times k$ comparisons. (It does so in several *heads* at once; the picture shows one.)
#
# A *question* is a list of numbers that tokens are compared with. In multi-head attention every token asks its own. In *separable
# attention* all tokens share one question: $k$ comparisons. The answers mix the tokens into one summary, and every token receives that
# same summary.

# %%
figures.show(
    figures.course_picture(),
    alt="A cat's face in 16 patches; a 16 by 16 map in which each patch has its own row; a single column of 16 numbers.",
)

# %% [markdown]
# *Left: 16 patches of a photograph, our tokens. Middle: each row belongs to one token's own question; the darker a square, the
# more the row's token takes over from the column's. (Compare shades within a row, not between the panels.) Right: one question for all, the mean of three patches that hold most of the eyes, and one number for each token.*
# A square is dark when two patches have similar colours at the same places inside the patch. So dark fur, which resembles the patches around the eyes, gets dark squares too. The numbers come from the library's attention
# modules, with questions set by hand instead of learned.
#
# > **Predict.** On a picture of 256 × 256 pixels, the first attention of MobileViTv2 looks over 256 tokens at once. How many comparisons
# > does one head make, and how many does separable attention make? And at 1,024 tokens, on a picture of 512 × 512?

# %%
for k in (16, 256, 1024):
    print(f"{k:5,} tokens: {k * k:9,} comparisons against {k:5,}")

# %% [markdown]
# Four times the tokens make sixteen times the comparisons in multi-head attention, and four times in separable attention. That is what $O(k^2)$ and $O(k)$ mean.
#
# Comparisons are not the whole cost, and fewer of them do not promise a faster network. Notebook 03 counts everything, predicts the
# times, and measures them. Notebook 02 shows what the shared question gives up.

# %% [markdown]
# ## Your way through the course · 12 min
#
# | notebook | what you build or find out | minutes |
# |---|---|---|
# | **00 · Start here** | you are here | 15 |
# | [01 · Multi-head attention](01_multi_head_attention.ipynb) | the classic attention, made famous by the Transformer networks, from one dot product | 60 |
# | [02 · Separable attention](02_separable_attention.ipynb) | one question for all tokens: what it saves, and what it gives up | 60 |
# | [03 · O(k²) against O(k)](03_quadratic_vs_linear.ipynb) | count, predict, measure: a timing plot you can trust | 75 |
# | [04 · The MobileViTv2 block](04_mobilevitv2_block.ipynb) | why each piece is there, and proof that it does what it says | 70 |
# | [05 · The model](05_mobilevitv2_model.ipynb) | the whole network from one table, correct to the last parameter | 60 |
# | [06 · Pretrained weights](06_pretrained_weights.ipynb) | somebody else's weights in the model you wrote, and the same answer as timm's | 70 |
# | [07 · Training](07_training.ipynb) | train it, compare three kinds of attention fairly, and survive an interruption | 90 |
#
# **How to work.** At a *Predict* question, stop and write your answer down before you run the cell below it. A wrong prediction is
# worth more than a right one: it shows where your picture and the machine's differ. *Exercises* come from notebook 01 on. `make lab` opens
# your own copies of the notebooks, in the folder `my_notebooks`: there the exercises are stubs to fill in, a check tells you the likely
# mistake, and a hint and a solution are folded away beside it. Nothing ever overwrites your copies.
#
# **Where the code lives.** What the notebooks build and later ones use is in the folder `mvit2_lib`. Each of its files can be read in one sitting.
# The subject stands in five of them, `attention`, `patches`, `blocks`, `model` and `cost`; the apparatus is in folders of its own.

# %% [markdown]
# ## Letters you will meet · 14 min
#
# The same letters stand for the same things in every equation, program and figure of the course. You do not need to learn or
# understand them now: each is explained where it is first used, and this table is the place to look it up.
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

# %% [markdown]
# ## What you now know
#
# 1. Your machine has everything the course needs: you *checked* it, line by line.
# 2. You *ran* a finished MobileViTv2 on a real picture, and read its answer as probabilities.
# 3. You can *say* what separable attention saves: $k$ comparisons in place of $k \times k$.
# 4. You can *find* your way: the map says what each notebook builds, and `mvit2_lib` holds the result.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680. The attention of this
#   course: Eqs. 2 and 3.
# - A. Vaswani et al., *Attention Is All You Need*, arXiv 1706.03762. Multi-head attention: Eq. 1 and Section 3.2.
# - E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998 (CC BY 4.0).
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
