# %% [markdown]
# # 06 · Pretrained weights and a real picture
#
# **You load trained weights, the course's or somebody else's, into the model you wrote, and get the answer that timm gets.**
#
# **You will be able to**
#
# 1. *translate* the tensors of other code bases into yours,
# 2. *refuse* a weight file that would run code, or that is not the file it should be,
# 3. *prepare* a picture the way the weights expect it, and say what a slip there costs,
# 4. *detect* a pipeline that swaps the colour channels, by comparing its answers,
# 5. *show* where the latent token looks, and test whether that matters.
#
# **You need** notebooks 02, 04 and 05. No network, no graphics card.
#
# *84 minutes: 59 to read, run and build, 25 for the exercises at the end.*

# %% [markdown] slide="The course's digits, or Apple's weights: one line chooses." ask="What do you have to know about weights before you can use them?"
# ## Which weights? · 0 min · ◇
#
# The set-up:

# %%
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib.course import checks, figures, tables
from mvit2_lib.course.published import published

# %% [markdown]
# Apple has published weights for seven widths of MobileViTv2, trained on ImageNet. Their licence is Apple's
# own, so they do not come with this course. What comes with it is a small model for handwritten digits with
# $\alpha = 0.25$. Its training is the subject of notebook 07.
#
# **The choice is yours.** As it stands, this notebook runs on the digit model. Write a name for Apple's weights into
# the next cell, `"mobilevitv2_050"` … `"mobilevitv2_200"`, and every cell that says `model` runs on those instead.
#
# They are fetched once from the Hugging Face hub (5 to 74 MB), checked, and kept. Nothing is downloaded unless you
# write such a name.

# %%
choice = "digits"

# %%
try:
    pretrained = mv.load_pretrained(choice)
except mv.RetryError as problem:  # no network: the digit model steps in
    print(f"The weights {choice} could not be fetched: {problem}")
    choice, pretrained = "digits", mv.load_pretrained("digits")
model, classes = pretrained.model, pretrained.classes
size = f"{mv.count_parameters(model):,} parameters"
print(f"weights {choice!r}: α = {model.config['width_multiplier']}, {size}")

# %% [markdown]
# `load_pretrained` returns the model together with what belongs to its weights. `preparation` turns a
# picture into the batch that they want, and `classes` names the answers. The picture to ask about has 8×8
# pixels for the digit model, and is a photograph for Apple's:

# %% slide="A two that is almost a three"
from mvit2_lib.data.samples import digit_picture

picture = digit_picture(178) if choice == "digits" else mv.sample_picture("chelsea")
batch = pretrained.preparation(picture)
with torch.inference_mode():
    best = model(batch).softmax(dim=1)[0].topk(3)
for probability, index in zip(best.values, best.indices, strict=True):
    print(f"{classes[index]}: {probability:.2f}")

# %% [markdown]
# If you know notebook 00, you know this digit: a two that is almost a three.
#
# <details><summary>The fine print</summary>
#
# In notebook 00 the two had 0.47 and the three 0.39. Here the digit passed through a picture with whole grey
# levels, as it would from a file. That moves pixels by about one level of 255 at most, and the answer by two
# hundredths. On a machine without any network you can bring a file by hand:
# `mv.load_pretrained("path/to/model.safetensors", sha256="…")` finds out the width from the shapes inside.
#
# </details>

# %% [markdown] slide="A checkpoint is a table: names on one side, tensors on the other."
# ## Into the model you wrote · 4 min · ◇
#
# In notebook 05 you built the network from its table, out of the parts of notebook 04. Here it is once more, in one
# cell. `scale_architecture` returns the table at the width α. The number of input channels is a parameter now, because
# digits are grey.


# %%
from mvit2_lib import blocks
from mvit2_lib.model import scale_architecture


class Model(nn.Module):
    def __init__(self, alpha, num_classes, in_channels):
        super().__init__()
        channels, stages = scale_architecture(alpha)
        self.stem = blocks.ConvNormAct(in_channels, channels, kernel_size=3, stride=2)
        self.stages = nn.Sequential()
        for row in stages:
            stage = nn.Sequential()
            for stride in row.strides:
                stage.append(mv.InvertedResidual(channels, row.channels, stride))
                channels = row.channels
            if row.dim:
                stage.append(mv.MobileViTv2Block(channels, row.dim, row.num_layers))
            self.stages.append(stage)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, image):
        x = self.stages(self.stem(image))  # [B, C, H, W]
        return self.classifier(x.mean(dim=(-2, -1)))  # [B, classes]


# %% [markdown]
# A *checkpoint* is a table: names on one side, tensors on the other. `load_state_dict` puts each tensor where its name
# says. It refuses names that do not exist or are missing, and tensors of another shape.
#
# > **Predict.** How will the answer of your own model differ from the one above?

# %% slide="Not at all, apart from rounding"
config = model.config
own = Model(config["width_multiplier"], config["num_classes"], config["in_channels"])
own.load_state_dict(model.state_dict())
own.eval()
with torch.inference_mode():
    torch.testing.assert_close(own(batch), model(batch))
print("your model gives the library's answer:", classes[own(batch).argmax()])

# %% [markdown]
# Not at all, but for rounding. That was easy, because the library uses the same names as you. Weights from elsewhere have other names.

# %% [markdown] slide="Most of the translation is renaming."
# ## Four names for one tensor · 8 min
#
# Four code bases hold the same network, and no two of them agree about all the names. Here is one part of it in each:
# the projections in the first attention.
#
# | code base | its names |
# |---|---|
# | this course | `stages.2.1.layers.0.attention.W_I.weight`, `…W_K.weight`, `…W_V.weight` |
# | timm, a collection of PyTorch image models | `stages.2.1.transformer.0.attn.qkv_proj.weight` |
# | transformers | `mobilevitv2.encoder.layer.2.transformer.layer.0.attention.qkv_proj.convolution.weight` |
# | ml-cvnets (Apple's own) | `layer_3.1.global_rep.0.pre_norm_attn.1.qkv_proj.block.conv.weight` |
#
# Most of the translation is *renaming*, and a few rules go a long way. A rule here is a regular expression and what
# takes its place. The names in Apple's checkpoint come with the library, without the weights. These rules cover
# everything outside the MobileViTv2 blocks:

# %%
import re

rules = [
    (r"\.block\.", "."),
    (r"^conv_1\.", "stem."),
    (r"^layer_(\d)\.", lambda match: f"stages.{int(match[1]) - 1}."),
    (r"\.exp_1x1\.", ".expand."),
    (r"\.conv_3x3\.", ".depthwise."),
    (r"\.red_1x1\.", ".project."),
    (r"^classifier\.1\.", "classifier."),
]

# %% [markdown]
# > **Predict.** Apple's checkpoint has 269 tensors. How many of them have one of *our* names after these
# > seven rules: a tenth, nearly half, nearly all?


# %% slide="Nearly half. What is left sits inside the three blocks"
def rename(name):
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


apple = published("cvnets_names")
our_names = set(mv.MobileViTv2(0.5).state_dict())
left = [row["name"] for row in apple if rename(row["name"]) not in our_names]
assert all(re.match(r"layer_[345]\.1\.", name) for name in left), left
print(f"{len(apple) - len(left)} of {len(apple)}; for instance")
example = "layer_2.0.block.conv_3x3.block.norm.weight"
print(f"{example} → {rename(example)}")

# %% [markdown]
# All that is left sits inside the three MobileViTv2 blocks, where more rules of the same kind apply. One thing no rule
# can rename. Where we have three linear layers, the others have one 1×1 convolution,
# `qkv_proj`. Its output is cut into 1, $d$ and $d$ numbers: score, key and value.
#
# ### 6.1 · Translate an attention layer ★★ · 6 min
#
# You get a dictionary with timm's four tensors of one attention layer: `qkv_proj.weight` `[1 + 2d, d, 1, 1]`
# and `qkv_proj.bias`, `out_proj.weight` `[d, d, 1, 1]` and `out_proj.bias`. Return a dictionary with our eight:
# weight and bias of `W_I`, `W_K`, `W_V` and `W_O`, under names such as `W_I.weight`, in the shapes that
# `mv.SeparableSelfAttention` has.
#
# <details><summary>Hint</summary>
#
# `flatten(1)` merges all axes from 1 on, and so drops axes of length one here. `split` takes a list of sizes, and cuts the first axis.
#
# </details>


# %% tags=["exercise"]
def translate(theirs):
    ### BEGIN SOLUTION
    fused, d = theirs["qkv_proj.weight"].flatten(1), theirs["out_proj.bias"].shape[0]
    weights = [*fused.split([1, d, d]), theirs["out_proj.weight"].flatten(1)]
    biases = [*theirs["qkv_proj.bias"].split([1, d, d]), theirs["out_proj.bias"]]
    ours = {}
    for name, weight, bias in zip(
        ("W_I", "W_K", "W_V", "W_O"), weights, biases, strict=True
    ):
        ours |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return ours
    ### END SOLUTION


checks.translate(translate)

# %% [markdown]
# How do we know that *trained* weights are in this order? Two programs that cut in the same wrong order would
# still agree with each other. Accuracy decides: timm's code cuts in this order, and with Apple's weights it reaches the
# accuracy that Apple publishes. The table under *The colour trap* has the sources.
#
# The library has all rules for the three foreign layouts, and the cut, in `convert_state_dict`. We need it in a
# moment.

# %% [markdown] slide="timm's tensors, translated into the model you wrote."
# ## The same answer as timm · 18 min · ◇
#
# `timm` is the library most people would use: model, transform, answer in a few lines. They run here if timm is
# installed, with your choice of weights. For the digits there is no timm model to fetch. So `timm_digits` builds one
# from timm's own class, with our weights under timm's names and the digits' way to prepare pictures.

# %%
from mvit2_lib.course.referees import referee, timm_digits

timm = referee("timm")  # or None, with a line that says so
if timm and choice == "digits":
    theirs, settings = timm_digits(timm)
elif timm:
    theirs = timm.create_model(choice, pretrained=True).eval()
    settings = timm.data.resolve_model_data_config(theirs)
if timm:
    transform = timm.data.create_transform(**settings)
    with torch.inference_mode():
        their_logits = theirs(transform(picture)[None])

# %% [markdown] predict="Your own model, with timm's tensors translated into it, and our preparation of the same picture: will the logits agree, and how closely?"
# > **Predict.** Now your model from the start, with timm's tensors translated into it, and our preparation of
# > the same picture. Will the logits agree, and how closely?

# %% slide="Within 0.0001: the same five answers, in the same order"
from mvit2_lib.weights.layouts import convert_state_dict

if timm:
    own.load_state_dict(convert_state_dict(theirs.state_dict()))
with torch.inference_mode():
    our_logits = own(batch)
print("ours:", [classes[index] for index in our_logits[0].topk(5).indices])
if timm:
    print("timm:", [classes[index] for index in their_logits[0].topk(5).indices])
    torch.testing.assert_close(our_logits, their_logits, rtol=0, atol=1e-4)
    print("and each of our logits differs from timm's by at most 0.0001")

# %% [markdown]
# If timm is installed: the same five answers in the same order, from a model that you built from one dot product up.

# %% [markdown] slide="A pickle is not data, but a program that rebuilds data."
# ## A file from a stranger · 21 min
#
# Weight files travel as *pickles* or as *safetensors*. A pickle is not data but a program that rebuilds data. An object
# in it may name a function that is called to rebuild it, in Python by its method `__reduce__`. Here is a "checkpoint"
# that names `print`:


# %% slide="A “checkpoint” that calls a function"
class Surprise:
    def __reduce__(self):
        return print, ("this line was printed by the weight file",)


# %% [markdown]
# > **Predict.** Two ways to read it: PyTorch's old one, and the library's. What does each print?

# %% slide="The old way ran it. The library refused"
import tempfile
import textwrap
from pathlib import Path

folder = tempfile.TemporaryDirectory()
bad = Path(folder.name, "weights.pt")
torch.save({"stem.conv.weight": Surprise()}, bad)
_ = torch.load(bad, weights_only=False)
try:
    mv.load_model(bad)
except mv.FileError as error:
    print(textwrap.fill(str(error), 88))

# %% [markdown]
# The old way ran it. The library reads pickles with `weights_only=True`, the default of current PyTorch:
# tensors, numbers and plain containers, and no code of the file's choosing. A safetensors file has no program
# in it at all.
#
# A file may also be *damaged*, by a bad disk or a broken download. We take the digit weights and flip a single
# bit, in one weight of the first convolution. `mv.Pictures` holds pictures with their labels, and
# `mv.accuracy` returns the share of right answers.
#
# > **Predict.** Does the damaged file still load? Undamaged, the model gets 99 % of the digits right. And damaged?

# %%
digits = mv.load_pretrained("digits").model
images, labels = mv.load_digits("test")
held_out = mv.Pictures(images, labels)
good, damaged = (
    Path(folder.name, f"{name}.safetensors") for name in ("good", "damaged")
)
mv.save_checkpoint(digits, good, dtype=torch.float16)

spoilt = mv.load_model(good)
numbers = spoilt.stem.conv.weight.detach().half()  # 16 bits each, as in the file
numbers.view(torch.int16)[0, 0, 0, 0] ^= 1 << 14  # the first bit of the exponent
_ = spoilt.stem.conv.weight.data.copy_(numbers)
mv.save_checkpoint(spoilt, damaged, dtype=torch.float16)

# %% slide="It loads, because every number in it is still a number, and it is nearly worthless"
for path in (good, damaged):
    loaded = mv.load_model(path)
    weight = loaded.stem.conv.weight[0, 0, 0, 0].item()
    share = mv.accuracy(loaded, held_out)
    print(f"{path.stem:7} first weight {weight:7.4f}, {share:3.0%} of the digits right")

# %% [markdown]
# It loads, because every number in it is still a number. Nothing complained, and the model is nearly
# worthless. That is what a *hash* such as SHA-256 is for: a fingerprint of the whole file, which any flipped
# bit changes. A careful publisher gives the SHA-256, and a careful reader compares.

# %% slide="A fingerprint of the file, which any flipped bit changes"
import hashlib

fingerprint = hashlib.sha256(good.read_bytes()).hexdigest()
_ = mv.load_model(good, sha256=fingerprint)
try:
    mv.load_model(damaged, sha256=fingerprint)
except mv.FileError as error:
    print(re.sub(r"[0-9a-f]{64}", "…", str(error)))

# %% [markdown]
# `mv.load_pretrained` compares every download without being asked. A hash tells you that the file is the one
# that was published. It does not tell you that its publisher is honest. So take both precautions.

# %% [markdown] slide="Weights know only pictures that were prepared as in their training."
# ## Preprocessing is part of the model · 27 min
#
# Weights know only pictures that were prepared as in their training. Apple's evaluation, and so timm's,
# resizes the shorter side to 288 pixels, cuts out the middle 256×256, keeps red, green and blue in this order,
# and divides by 255. Most other networks want a mean subtracted and the rest divided by a standard deviation.
# These do *not*.
#
# ### 6.2 · Prepare a picture ★★ · 8 min
#
# Write it: from a Pillow picture of any size to a tensor `[1, 3, 256, 256]` of floats between 0 and 1. Each
# side becomes `288 * side // shorter`, resized with `Image.Resampling.BICUBIC`, where each new pixel is a weighted sum
# of at least 4×4 old ones. The left and the top edge of the cut, half of what is left over, are rounded with Python's
# `round`. The pictures are in RGB.
#
# <details><summary>Hint</summary>
#
# `picture.size` is `(width, height)`; `resize` and `crop` take such pairs and boxes
# `(left, top, right, bottom)`. `np.array(picture)` is `[H, W, 3]`. The channels must come first, and the batch
# before them.
#
# </details>


# %% tags=["exercise"]
def prepare(picture):
    ### BEGIN SOLUTION
    sides = [288 * side // min(picture.size) for side in picture.size]
    resized = picture.resize(sides, Image.Resampling.BICUBIC)
    left, top = (round((side - 256) / 2) for side in sides)
    cropped = resized.crop((left, top, left + 256, top + 256))
    return torch.from_numpy(np.array(cropped)).movedim(-1, 0)[None] / 255
    ### END SOLUTION


checks.prepare(prepare)

# %% [markdown]
# The library's `mv.preprocess` does the same. What it cuts out of our photograph:

# %%
from PIL import ImageDraw

photograph = mv.sample_picture("chelsea")
framed = photograph.resize((432, 288), Image.Resampling.BICUBIC)
ImageDraw.Draw(framed).rectangle((88, 16, 343, 271), outline="white", width=4)
cut = mv.preprocess(photograph)[0].movedim(0, -1)  # [H, W, C]
both_views = {"resized to 432 × 288": np.array(framed), "the middle 256 × 256": cut}
figures.show(
    figures.panels(both_views, width=3.4),
    alt="A cat's photograph with a white square around the middle; beside it what is "
    "inside the square.",
)

# %% [markdown]
# *What is outside the square is never seen.*
#
# The digit model wants something else: one grey channel, 64×64 pixels, *bright strokes on black*, enlarged
# from 8×8 bilinearly, which is a weighted mean of 2×2 old pixels. How much does it matter? The digit model and
# its 382 held-out digits can say. Here are six ways to hand over the same digit:

# %%
small = [torch.from_numpy(np.array(digit_picture(i))) for i in range(382)]
stored = torch.stack(small)[:, None] / 255  # [382, 1, 8, 8]
ways = {
    "as in training": images,
    "bicubic": F.interpolate(stored, (64, 64), mode="bicubic").clamp(0, 1),
    "hard pixels": F.interpolate(stored, (64, 64), mode="nearest"),
    "dark on white": 1 - images,
    "0 to 255": 255 * images,
    "mean 0, dev. 1": (images - images.mean()) / images.std(),
}

# %% slide="The same digit, handed over in six ways"
shown = {}
for name, pictures in ways.items():
    one = pictures[178, 0]
    title = f"{name}\n{one.min():.1f} … {one.max():.1f}"
    shown[title] = (one - one.min()) / (one.max() - one.min())
figures.show(
    figures.panels(shown, width=1.4),
    alt="The same digit six times: four smooth and nearly alike, one in hard squares, "
    "one as a negative.",
)

# %% [markdown] predict="With pictures prepared as in training, the model gets 99 % right. Write down a number for each of the other five ways."
# *Each is stretched from black to white here; its range stands above. Four look nearly alike.*
#
# > **Predict.** Shown as in training, the model gets 99 % right. Write down a number for each of the other
# > five.

# %% slide="From almost none to nearly all of the answers, and never an error message"
rows = []
for name, pictures in ways.items():
    share = mv.accuracy(digits, mv.Pictures(pictures, labels))
    rows.append({"handed over": name, "digits right": f"{share:.0%}"})
tables.show(rows)

# %% [markdown]
# None of these raises an error, and all of them are easily made. What they cost ranges from almost nothing to
# nearly all answers, and it is hard to guess from the picture. So if you hand over weights, say how pictures
# must be prepared. In this library the `preparation` of `mv.load_pretrained` does.

# %% [markdown] slide="Nothing in a tensor says which channel is red."
# ## The colour trap · 41 min
#
# A colour picture has three channels, and nothing in a tensor says which is red. Some programs read pictures as
# red, green, blue (RGB; Pillow does), others as blue, green, red (BGR; OpenCV does). Train on RGB and run on BGR, and
# the model gets the picture on the right:

# %% slide="The same cat with other colours"
swapped = {"red, green, blue": cut, "blue, green, red": cut.flip(-1)}
figures.show(
    figures.panels(swapped),
    alt="A cat with orange-brown fur and greenish eyes; beside it the same cat with "
    "bluish fur.",
)

# %% [markdown]
# *The same cat with other colours.* Which order do published weights of MobileViTv2 expect? What is known, with the
# evidence:

# %%
columns = ("weights", "expected", "evidence", "source")
rows = [row for row in published("channel_order") if "v2" in row["weights"]]
tables.show([{name: row[name] for name in columns} for row in rows])

# %% [markdown]
# The last row is a trap in daily use. The *processor* of transformers, which prepares pictures for
# MobileViTv2, reverses the channels by default, and its documentation says that this is right. The evidence
# above speaks against it.
#
# What does the trap look like from the inside? The digit model is grey. We can turn it into one that *reads red
# ink*: give its first convolution three input channels, put the grey weights into the red one, and zeros into
# the others.

# %%
reader = mv.MobileViTv2(0.25, num_classes=10, in_channels=3).eval()
weights = digits.state_dict()
grey = weights["stem.conv.weight"]  # [16, 1, 3, 3]
weights["stem.conv.weight"] = torch.cat([grey, 0 * grey, 0 * grey], dim=1)
reader.load_state_dict(weights)
red_only = torch.cat([images, 0 * images, 0 * images], dim=1)  # [382, 3, H, W]
with torch.inference_mode():
    torch.testing.assert_close(reader(red_only), digits(images), rtol=1e-4, atol=1e-4)

# %% [markdown]
# Now put two digits on top of each other: the one to read in red, another one in blue. The other is the next in the
# data set that has a different label.


# %% slide="Two digits in each picture: the red one counts"
def next_with_another_label(i):
    return next(j % 382 for j in range(i, i + 382) if labels[j % 382] != labels[i])


partner = torch.tensor([next_with_another_label(i) for i in range(382)])
two_inks = torch.cat([images, 0 * images, images[partner]], dim=1)  # [382, 3, H, W]
four = {}
for i in range(4):
    title = f"read the {labels[i]}, not the {labels[partner[i]]}"
    four[title] = two_inks[i].movedim(0, -1)
figures.show(
    figures.panels(four, width=1.9),
    alt="Four black squares, each with a red digit and a blue digit drawn over each "
    "other.",
)

# %% [markdown]
# *Two digits in each picture, magenta where both have ink; the red one counts.*
#
# > **Predict.** The model reads 99 % of the red digits. Feed the same pictures with the channels in reverse
# > order. What will its accuracy be? And how sure will it be of its answers?

# %% slide="None right, and about as sure as before"
rows = []
orders = {"red, green, blue": two_inks, "blue, green, red": two_inks.flip(1)}
for name, pictures in orders.items():
    with torch.inference_mode():
        probabilities = reader(pictures).softmax(dim=1)
    answers, sure = probabilities.argmax(dim=1), probabilities.amax(dim=1).mean()
    row = {"channels": name}
    row["read the red digit"] = f"{(answers == labels).float().mean():.0%}"
    row["read the blue one"] = f"{(answers == labels[partner]).float().mean():.0%}"
    rows.append(row | {"mean probability": f"{sure:.0%}"})
tables.show(rows)

# %% [markdown]
# Not the 10 % of guessing but *none*, and about as sure of itself as before, by the mean probability of its
# answers. The model reads the other digit. We built
# it so that both orders make sense, which is the worst case. How sure a model is need not tell you anything about
# the order.
#
# There are two cures. Reverse the channels of each picture, or reverse the input channels of the *first convolution*,
# once. They come to the same:

# %%
turned = mv.MobileViTv2(0.25, num_classes=10, in_channels=3).eval()
stem = weights["stem.conv.weight"].flip(1)
turned.load_state_dict(weights | {"stem.conv.weight": stem})
with torch.inference_mode():
    torch.testing.assert_close(
        turned(two_inks.flip(1)), reader(two_inks), rtol=1e-4, atol=1e-4
    )
print("turned pictures into turned weights: the same numbers")

# %% [markdown] slide="Every attention layer has one question. Which patches does it favour?"
# ## Where the latent token looks · 49 min · ◇
#
# Every attention layer has its one question, the latent token, and its context scores $c_s$ say which patches
# answer it (notebook 02). The paper draws them over pictures in its Fig. 8. So can we, with a *hook*: a function that
# PyTorch calls whenever a module has run. This one computes the scores once more and keeps them:

# %%
seen = {}


def remember(name):
    def hook(layer, inputs, output):
        scores = layer.context_scores(inputs[0])[0, ..., 0]  # [P, N]
        seen.setdefault(name, []).append(scores.mean(dim=0))  # [N]

    return hook


# %% [markdown]
# Each block works in four groups of pixels, each with its own softmax, and the hook keeps the mean of the four.
#
# > **Predict.** The digit pictures have 64×64 pixels. How many patches $N$ does the attention in stage 5 choose
# > from? Halve five times, then take patches of 2×2.

# %% slide="One patch in stage 5: nothing is chosen there"
seen.clear()
hooks = []
for number in (3, 4, 5):
    for layer in model.stages[number - 1][1].layers:
        hook = remember(f"stage {number}")
        hooks.append(layer.attention.register_forward_hook(hook))
with torch.inference_mode():
    _ = model(batch)
for hook in hooks:
    hook.remove()
for name, layers in seen.items():
    patches = f"{len(layers[0])} patch{'es' * (len(layers[0]) > 1)}"
    print(f"{name}: each of {len(layers)} layers chooses from {patches}")

# %% [markdown]
# In stage 5 of the digit model there is *one* patch, its score is always 1, and nothing is chosen at all. Look at
# the others:

# %% slide="It is tempting to tell a story. A story is not evidence"
views = {name: layers for name, layers in seen.items() if len(layers[0]) > 1}
figures.show(
    figures.latent_views(batch[0], views),
    alt="The picture, and beside it small heat maps of the patches' weights, a row for "
    "each stage with more than one patch.",
)

# %% [markdown]
# *Each square is a patch, its colour the mean weight over the four groups, as a multiple of an equal share. The
# smallest and the largest are given above.* It is tempting to tell a story about such maps: here it looks at the stroke, there at the corner.
# A story is not evidence.
#
# Whether the question matters for the answers can be *tested*, with the digit model and the 382 digits that it was not
# trained on. Set $W_I$ to zero in every layer. Then all scores
# are equal, and no question is asked any more.
#
# > **Predict.** The digit model gets 378 of its 382 digits right. How many does it lose without its questions? And
# > how many if each attention adds nothing but a constant?

# %%
import copy

asked = copy.deepcopy(digits)
attentions = [m for m in asked.modules() if isinstance(m, mv.SeparableSelfAttention)]
shares = {"with its questions": mv.accuracy(asked, held_out)}
for attention in attentions:
    nn.init.zeros_(attention.W_I.weight)
shares["all scores equal"] = mv.accuracy(asked, held_out)
with torch.inference_mode():
    before, after = digits(images).softmax(dim=1), asked(images).softmax(dim=1)
changed = int((before.argmax(dim=1) != after.argmax(dim=1)).sum())
moved = int(((before - after).abs().amax(dim=1) > 0.1).sum())
for attention in attentions:
    nn.init.zeros_(attention.W_O.weight)  # its bias stays
shares["only a constant"] = mv.accuracy(asked, held_out)

# %% slide="With equal scores, the same 382 answers. With only a constant, eight fewer right"
for name, share in shares.items():
    print(f"{name:22} {round(382 * share)} of 382")
print(f"without its questions, {changed} answers change,")
print(f"and {moved} digits get a probability that moves by more than 0.1")

# %% [markdown]
# Without its questions the model gives the same 382 answers as before. With nothing but a constant from each attention
# it loses 8. So in *this* small model on *these* small pictures attention contributes a little, and none of these
# answers depends on choosing between patches. A plain mean serves as well, so the maps are not needed to explain them.
#
# That says nothing about Apple's models on photographs. It says how to find out: change the one thing that the story is
# about, and measure.

# %% [markdown] slide="One picture proves nothing. Accuracy means a folder." ask="What should an evaluation do with a file that it cannot read?"
# ## A folder of pictures · 57 min
#
# One picture proves nothing. Accuracy on ImageNet means 50,000 pictures in 1000 class folders. *Top-1* is the
# share whose class is the first answer, *top-5* the share whose class is among the first five.
#
# The library reads such folders batch by batch. Here is a small one, made of digits, with one file that is not a picture. The library
# must be told which folder is which class, in the order of the logits.

# %% slide="The broken file is named, and stops nothing"
place = Path(folder.name, "digits")
for index, label in enumerate(labels[:60].tolist()):
    (place / str(label)).mkdir(parents=True, exist_ok=True)
    digit_picture(index).save(place / str(label) / f"{index:02}.png")
_ = (place / "3" / "broken.png").write_text("this is no picture")
names_of_folders = [str(digit) for digit in range(10)]
preparation = mv.load_pretrained("digits").preparation
pictures = mv.PictureFolder(place, names_of_folders, preparation)
result = mv.evaluate(digits, pictures, progress=False)
for name, value in result.summary().items():
    print(f"{name}: {value}")
print("first unreadable:", result.reasons[0].partition(":")[0])

# %% [markdown]
# The broken file is named, counts neither as right nor as wrong, and stops nothing. From a terminal, with a record
# that makes it resumable: `python -m mvit2_lib evaluate FOLDER --weights digits --record answers.jsonl`. And for
# single pictures: `python -m mvit2_lib predict cat.jpg --width 0.5 --download`.

# %% [markdown]
# ## Exercises · 59 min
#
# Fill in each stub and run its cell. The check prints one line, and names the mistake if it recognises one. After
# a restart, run the first code cell of the notebook; no exercise needs more.

# %% [markdown]
# ### 6.3 · A name from timm ★ · 4 min
#
# Return our name for the name of a tensor in one of timm's *inverted residuals*. Theirs:
# `stages.1.0.conv1_1x1.conv.weight`, `stages.1.0.conv2_kxk.bn.bias`, `stages.1.0.conv3_1x1.bn.running_mean`.
# Ours: `stages.1.0.expand.conv.weight`, `stages.1.0.depthwise.norm.bias`,
# `stages.1.0.project.norm.running_mean`.
#
# <details><summary>Hint</summary>
#
# Four replacements. Three are for the parts of the block, one is for the norm.
#
# </details>


# %% tags=["exercise"]
def name_from_timm(name):
    ### BEGIN SOLUTION
    replacements = {
        "conv1_1x1": "expand",
        "conv2_kxk": "depthwise",
        "conv3_1x1": "project",
        ".bn.": ".norm.",
    }
    for theirs, ours in replacements.items():
        name = name.replace(theirs, ours)
    return name
    ### END SOLUTION


checks.name_from_timm(name_from_timm)

# %% [markdown]
# ### 6.4 · Is the pipeline turned around? ★★★ · 6 min
#
# Somebody hands you `pipeline`, a function from pictures `[B, 3, H, W]` of any size, in RGB, to logits. You know the `model`
# inside, which expects RGB, but not whether the pipeline reverses the channels before it asks the model. Return
# `"RGB"` if it hands them on as they are, and `"BGR"` if it reverses them. You may ask the pipeline and the model
# whatever you like.
#
# <details><summary>Hint</summary>
#
# Make a picture whose channels differ; a grey one cannot tell. Ask the pipeline once, and the model twice.
#
# </details>


# %% tags=["exercise"]
def channel_order(pipeline, model):
    ### BEGIN SOLUTION
    pictures = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        answer = pipeline(pictures)
        straight = (answer - model(pictures)).abs().sum()
        reversed_ = (answer - model(pictures.flip(1))).abs().sum()
    return "RGB" if straight < reversed_ else "BGR"
    ### END SOLUTION


checks.channel_order(channel_order)

# %% [markdown]
# ### 6.5 · Top-1 and top-5 on a folder ★★ · 5 min
#
# `lines` is the record of an evaluation: one dictionary for each picture. It has a `"label"`, and the best five classes
# as `"answers"`, best first: `{"picture": "a/1", "label": 3, "answers": [3, 1, 2, 4, 9]}`. A picture that could not be
# read has no answers, but a reason: `{"picture": "a/2", "label": 3, "unreadable": "it is empty"}`.
#
# Return the top-1 and the top-5 accuracy, as shares of the pictures that could be read.
#
# <details><summary>Hint</summary>
#
# Drop the unreadable ones first. Top-1 asks whether the label is the first answer, top-5 whether it is among all
# of them.
#
# </details>


# %% tags=["exercise"]
def top_1_and_5(lines):
    ### BEGIN SOLUTION
    read = [line for line in lines if "unreadable" not in line]
    top_1 = sum(line["answers"][0] == line["label"] for line in read)
    top_5 = sum(line["label"] in line["answers"] for line in read)
    return top_1 / len(read), top_5 / len(read)
    ### END SOLUTION


checks.top_1_and_5(top_1_and_5)

# %% [markdown]
# ### An open experiment · 10 min
#
# Write a digit with the mouse in any paint program, bright on black, and ask the digit model about the file:
# `digits(preparation(mv.open_image("mine.png"))).argmax()`. Then find the smallest change to your picture that changes
# the answer: thicker, shifted, turned, grey, dark on white. Which of the six ways above does it resemble?

# %% [markdown]
# ## What you now know
#
# 1. You can *translate* names by rules, and you took one fused weight apart. On the picture above, the same trained
#    weights gave the same answers in timm and in your own model.
# 2. You *refused* a file that would have run code, and a file with one bit flipped, which had loaded without complaint.
# 3. You *prepared* a photograph by hand, and measured on digits what slips cost: from almost nothing to nearly all
#    answers.
# 4. You *detected*, in exercise 6.4, what the model's confidence hides: reversed channels. The cure can sit in the
#    pictures or in the first convolution.
# 5. You *showed* the context scores of every layer that has a choice, and tested them: in the digit model, a plain
#    mean in their place changes none of 382 answers.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680:
#   Section 4.1, Figs. 5 and 8.
# - Apple's weights: [ml-cvnets, model zoo](https://github.com/apple/ml-cvnets). timm's copies:
#   [huggingface.co/timm](https://huggingface.co/timm/mobilevitv2_050.cvnets_in1k).
# - R. Wightman, *PyTorch Image Models* (timm):
#   [results-imagenet.csv](https://github.com/huggingface/pytorch-image-models/tree/main/results).
# - *EdgeTransformerBench*:
#   [logs of Apple's original weights](https://github.com/YingkunZhou/EdgeTransformerBench).
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
