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
# About forty-five minutes of reading and running, then twenty-five minutes of exercises.

# %% [markdown]
# ## Which weights? · 0 min
#
# The set-up:

# %%
import torch
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib.course import checks, figures
from mvit2_lib.course.published import published
from mvit2_lib.data.samples import digit_picture

# %% [markdown]
# Apple has published weights for seven widths of MobileViTv2, trained on ImageNet. Their licence is Apple's own, so they do not come with this course. What comes with it is a small model for handwritten digits ($\alpha = 0.25$, trained in notebook 07).
#
# **The choice is yours.** As it stands, this notebook runs on the digit model. Write one of timm's names for Apple's weights into the next cell, `"mobilevitv2_050"` … `"mobilevitv2_200"`, and everything below that says `model` runs on those instead. They are fetched once, from the Hugging Face hub (5 to 74 MB), compared with the fingerprint (SHA-256) that the hub publishes, and kept. Nothing is downloaded unless you write such a name.

# %%
choice = "digits"

# %% [markdown]
# If the hub cannot be reached, the digit model steps in, and the cell says so.

# %%
try:
    pretrained = mv.load_pretrained(choice)
except mv.RetryError as problem:
    print(f"The weights {choice} could not be had: {problem}")
    choice, pretrained = "digits", mv.load_pretrained("digits")
model, prepare = pretrained.model, pretrained.preparation
width, size = model.config["width_multiplier"], mv.count_parameters(model)
print(f"This notebook now runs on the weights {choice!r}: α = {width}, {size:,} parameters")

# %% [markdown]
# On a machine without any network you can bring the file by hand: `mv.load_pretrained("path/to/model.safetensors", sha256="…")` reads it, and finds out the width from the shapes inside. (More in the README, under *Without a network*.)
#
# The picture to ask about has 8×8 pixels for the digit model, and is a photograph for Apple's. `mv.load_pretrained` returns the model together with what belongs to its weights: `preparation` turns a picture into the batch that they want (by hand below), and `classes` names the answers:

# %%
picture = digit_picture(178) if choice == "digits" else mv.sample_picture("chelsea")
names = pretrained.classes
with torch.inference_mode():
    best = model(prepare(picture)).softmax(dim=1)[0].topk(3)
print([f"{names[index]}: {probability:.2f}" for probability, index in zip(best.values, best.indices, strict=True)])

# %% [markdown]
# If you know notebook 00, you know this digit: a two that is almost a three. (There the two had 0.47 and the three 0.39. Here the digit passed through a picture with whole grey levels, as it would from a file. That moves pixels by about one level of 255 at most, and the answer by two hundredths.) How did trained numbers get into the model that you wrote?

# %% [markdown]
# ## Four names for one tensor · 5 min
#
# A *checkpoint* is a table: names on one side, tensors on the other. Four code bases hold the same network, and no two of them agree about all the names. Here is one tensor in each:
#
# | code base | its name for the key, value and score projection of the first attention |
# |---|---|
# | this course | `stages.2.1.layers.0.attention.W_I.weight`, `…W_K.weight`, `…W_V.weight` |
# | timm | `stages.2.1.transformer.0.attn.qkv_proj.weight` |
# | transformers | `mobilevitv2.encoder.layer.2.transformer.layer.0.attention.qkv_proj.convolution.weight` |
# | ml-cvnets (Apple's own) | `layer_3.1.global_rep.0.pre_norm_attn.1.qkv_proj.block.conv.weight` |
#
# Most of the translation is *renaming*, and a few rules go a long way. The names in Apple's checkpoint come with the library (the names and shapes, not the weights). Here are rules for everything that is not a MobileViTv2 block:

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
# > **Predict.** Apple's checkpoint has 269 tensors. How many of them have one of *our* names after these seven rules: a tenth, nearly half, nearly all?


# %%
def rename(name):
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


apple = [row["name"] for row in published("cvnets_names")]
ours = set(mv.MobileViTv2(0.5).state_dict())
renamed = {name: rename(name) for name in apple}
left = [name for name, new in renamed.items() if new not in ours]
assert all(re.match(r"layer_[345]\.1\.", name) for name in left)
print(f"{len(apple) - len(left)} of {len(apple)}; for instance")
for name in ("layer_2.0.block.conv_3x3.block.norm.weight", "layer_3.1.local_rep.0.block.norm.weight"):
    print(f"{name} → {renamed[name]} {'(one of ours)' if renamed[name] in ours else '(not one of ours yet)'}")

# %% [markdown]
# All that is left sits inside the three MobileViTv2 blocks, `layer_3.1` to `layer_5.1`. Nine more rules of the same kind do for Apple's names all that renaming can do; `mvit2_lib/weights/layouts.py` has the rules for all three foreign layouts.
#
# One thing no rule can rename. Where we have three linear layers, the others have one 1×1 convolution, `qkv_proj`, whose output is then cut into three.
#
# > **Predict.** Tokens are $d = 64$ wide. What is the shape of Apple's fused weight?

# %%
shapes = {row["name"]: row["shape"] for row in published("cvnets_names")}
print(shapes["layer_3.1.global_rep.0.pre_norm_attn.1.qkv_proj.block.conv.weight"], " = (1 + 64 + 64) × 64 × 1 × 1")

# %% [markdown]
# Apple's code cuts the output into 1, 64 and 64 numbers, in the order score, key, value. So row 0 is $W_I$, the next 64 rows are $W_K$, and the last 64 $W_V$. Here is attention written their way, on one fused weight of random numbers:

# %%
torch.manual_seed(0)
fused, fused_bias = torch.randn(129, 64), torch.randn(129)
out, out_bias = torch.randn(64, 64), torch.randn(64)
x = torch.randn(2, 4, 9, 64)  # [B, P, N, d]
score, key, value = F.linear(x, fused, fused_bias).split([1, 64, 64], dim=-1)
context = (score.softmax(dim=-2) * key).sum(dim=-2, keepdim=True)  # [B, P, 1, d]
theirs = F.linear(F.relu(value) * context, out, out_bias)  # [B, P, N, d]

# %% [markdown]
# And ours, with the three parts under their own names, gives the same numbers:

# %%
layer = mv.SeparableSelfAttention(64)
(W_I, W_K, W_V), (b_I, b_K, b_V) = fused.split([1, 64, 64]), fused_bias.split([1, 64, 64])
layer.load_state_dict(
    {"W_I.weight": W_I, "W_I.bias": b_I, "W_K.weight": W_K, "W_K.bias": b_K}
    | {"W_V.weight": W_V, "W_V.bias": b_V, "W_O.weight": out, "W_O.bias": out_bias}
)
torch.testing.assert_close(layer(x), theirs, rtol=1e-4, atol=1e-3)
print("one fused weight, or three: the same numbers")

# %% [markdown]
# That shows that the cut is possible, not that *trained* weights are in this order. Two programs that cut in the same wrong order would still agree with each other, so agreement with timm, below, does not show it either. Accuracy does: timm's code cuts in this order, and with Apple's weights it reaches the accuracy that Apple publishes (the table under *The colour trap* has the evidence).
#
# Now the whole way, there and back, with the weights of your choice: give our tensors Apple's names and shapes, as if they came from Apple, and load them again. The layout is recognised by its names.
#
# > **Predict.** Apple has 269 tensors. Each of the nine attention layers has one fused weight and one fused bias where we have three of each. How many tensors do we have?

# %%
from mvit2_lib.weights.layouts import checkpoint_layout, to_layout

sent = to_layout(model.state_dict(), apple, "ml-cvnets")
print("recognised as", checkpoint_layout(sent), "with", len(sent), "tensors; ours has", len(model.state_dict()))
back = mv.load_model(sent)
assert all(torch.equal(back.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
print("every number came back: the two translations undo each other")

# %% [markdown]
# ## A file from a stranger · 14 min
#
# Weight files travel as *pickles* or as *safetensors*. A pickle is not data but a program that rebuilds data, and reading it the old way runs that program: an object in it may name a function, with arguments, that is called to rebuild it. (In Python the object's method `__reduce__` names them.) Here is a "checkpoint" that has `print` called:


# %%
class Surprise:
    def __reduce__(self):
        return print, ("this line was printed by the weight file",)


# %% [markdown]
# > **Predict.** Two ways to read it: PyTorch's old one, and the library's. What does each print?

# %%
import tempfile
from pathlib import Path

folder = tempfile.TemporaryDirectory()
bad = Path(folder.name, "weights.pt")
torch.save({"stem.conv.weight": Surprise()}, bad)
_ = torch.load(bad, weights_only=False)
try:
    mv.load_model(bad)
except mv.FileError as error:
    print(error)

# %% [markdown]
# The old way ran it. The library reads pickles with `weights_only=True`, the default of current PyTorch: tensors, numbers and plain containers, and no code of the file's choosing. A safetensors file has no program in it at all.
#
# A file may also be *damaged*, by a bad disk or a broken download. Take our digit weights, 0.6 MB, and flip a single bit, in one weight of the first convolution. (Its numbers are float16, two bytes each. The second byte holds the sign, the exponent and the first two bits of the fraction. `mv.Pictures` holds pictures with their labels, and `mv.accuracy` returns the share of right answers.)
#
# > **Predict.** Does the file still load? Does the model still know its digits? (It gets 99 % of them right.)

# %%
digits = mv.load_pretrained("digits").model
held_out = mv.Pictures(*mv.load_digits("test"))
good = Path(folder.name, "digits.safetensors")
mv.save_checkpoint(digits, good, dtype=torch.float16)
content = bytearray(good.read_bytes())
place = content.index(digits.stem.conv.weight.detach().half().numpy().tobytes())  # where the first weights lie
content[place + 1] ^= 0b01000000  # one bit of the exponent
damaged = Path(folder.name, "damaged.safetensors")
_ = damaged.write_bytes(content)

# %% [markdown]
# It loads, since every number in it is still a number, and finite:

# %%
accuracy = {path.stem: mv.accuracy(mv.load_model(path), held_out) for path in (good, damaged)}
print({name: f"{share:.1%}" for name, share in accuracy.items()})
before, after = (mv.load_model(path).stem.conv.weight.flatten()[0] for path in (good, damaged))
print(f"one weight of {mv.count_parameters(digits):,} went from {before:.3f} to {after:.0f}")

# %% [markdown]
# Nothing complained, and the model is nearly worthless. The bit was badly placed; what do others do? Ten bits at random, anywhere in the tensors:

# %%
import numpy as np

random, harmless, other = np.random.default_rng(0), 0, Path(folder.name, "other.safetensors")
first = 8 + int.from_bytes(
    content[:8], "little"
)  # the file begins with the length of its table of names, and the table
for _ in range(10):
    flipped = bytearray(good.read_bytes())
    flipped[random.integers(first, len(flipped))] ^= 1 << int(random.integers(8))
    other.write_bytes(flipped)
    harmless += abs(mv.accuracy(mv.load_model(other), held_out) - accuracy["digits"]) < 0.01
print(f"{harmless} of 10 change the accuracy by less than one digit in a hundred")

# %% [markdown]
# So a look at the accuracy does not find damage reliably. That is what a *hash* such as SHA-256 is for: a fingerprint of the whole file, which any flipped bit changes. A careful publisher gives the SHA-256, and a careful reader compares.

# %%
import hashlib

published_hash = hashlib.sha256(good.read_bytes()).hexdigest()
mv.load_model(good, sha256=published_hash)
try:
    mv.load_model(damaged, sha256=published_hash)
except mv.FileError as error:
    print(str(error).replace(hashlib.sha256(content).hexdigest(), "…").replace(published_hash, "…"))

# %% [markdown]
# `mv.load_pretrained` does this for every download without being asked. A hash tells you that the file is the one that was published. It does not tell you that its publisher is honest: hence both precautions.

# %% [markdown]
# ## Preprocessing is part of the model · 22 min
#
# Weights know only pictures that were prepared as in their training. Apple's evaluation, and so timm's, resizes the shorter side to 288 pixels (*bicubic*: each new pixel is a weighted mean of 4×4 old ones, or of more where the picture shrinks), cuts out the middle 256×256, keeps red, green and blue in this order, and divides by 255. Most other networks want a mean subtracted, and the rest divided by a standard deviation; these do *not*. By hand:

# %%
from PIL import Image, ImageDraw

photograph = mv.sample_picture("chelsea")
size = [288 * side // min(photograph.size) for side in photograph.size]
resized = photograph.resize(size, Image.Resampling.BICUBIC)
left, top = (round((side - 256) / 2) for side in size)
cropped = resized.crop((left, top, left + 256, top + 256))
print(photograph.size, "→", resized.size, "→", cropped.size)

# %% [markdown]
# Then a tensor, channels first, bytes divided by 255. It is what `mv.preprocess` does:

# %%
tensor = torch.from_numpy(np.array(cropped)).movedim(-1, 0)[None] / 255  # [1, 3, H, W]
torch.testing.assert_close(tensor, mv.preprocess(photograph))
framed = resized.copy()
ImageDraw.Draw(framed).rectangle((left, top, left + 255, top + 255), outline="white", width=4)
figures.show(
    figures.panels({"resized to 432 × 288": np.array(framed), "the middle 256 × 256": np.array(cropped)}, width=3.4),
    alt="A cat's photograph with a white square around the middle; beside it what is inside the square.",
)

# %% [markdown]
# *What is outside the square is never seen.* Why not simply resize to 256? The usual reason: training cut pictures out at random, so that things appeared larger in them than in the whole picture; cutting out the middle makes them larger in evaluation, too.

# %% [markdown]
# The digit model wants something else: one grey channel, 64×64 pixels, *bright strokes on black*, enlarged from 8×8 bilinearly (a weighted mean of 2×2 old pixels). How much does it matter? The digit model and its 382 held-out digits can say, whatever your choice above. (`digit_picture(i)` is the digit of `images[i]` at its stored size, 8×8.) Six ways to hand over the same digit:

# %%
images, labels = mv.load_digits("test")
stored = torch.stack([torch.from_numpy(np.array(digit_picture(i)))[None] / 255 for i in range(382)])  # [382, 1, H, W]
ways = {
    "as in training": images,
    "bicubic\ninstead of bilinear": F.interpolate(stored, (64, 64), mode="bicubic").clamp(0, 1),
    "hard pixels": F.interpolate(stored, (64, 64), mode="nearest"),
    "dark ink\non white paper": 1 - images,
    "values\nfrom 0 to 255": 255 * images,
    "mean 0,\ndeviation 1": (images - images.mean()) / images.std(),
}

# %% [markdown]
# What the model is shown:

# %%
shown = {}
for name, pictures in ways.items():
    one = pictures[178, 0]
    shown[f"{name}\n{one.min():.1f} … {one.max():.1f}"] = (one - one.min()) / (one.max() - one.min())
figures.show(
    figures.panels(shown, width=1.7),
    alt="The same digit six times: three smooth and alike, one bicubic and a little bolder, one in hard squares, one as a negative.",
)

# %% [markdown]
# *Each is stretched from black to white here. Four look alike, and the last two of them differ from the first in their range only, which stands above.*
#
# > **Predict.** Shown as in training, the model gets 99 % right. Write down a number for each of the other five.

# %%
shares = {name: mv.accuracy(digits, mv.Pictures(pictures, labels)) for name, pictures in ways.items()}
for name, share in shares.items():
    print(f"{' '.join(name.split()):30} {share:4.0%}")

# %% [markdown]
# None of these raises an error. All of them are easily made. What they cost ranges from almost nothing to nearly all answers, and how much is hard to guess from the picture or the range. So whoever hands over weights must say how pictures are prepared; in this library the `preparation` of `mv.load_pretrained(name)` does.

# %% [markdown]
# ## The same answer as timm · 30 min
#
# `timm` is the library most people would use. These are its own few lines: model, transform, answer. Where timm is installed, they run here, with your choice of weights (`referee` imports a library, or says that it is missing. It also declares two operators of torchvision, which timm imports and these models never call, where torchvision was built for another PyTorch.) (For the digits there is no timm model to fetch; `timm_digits` builds one from timm's own class and gives it our weights *under timm's names*.)

# %%
from mvit2_lib.course.referees import referee, timm_digits

timm = referee("timm")
if timm and choice == "digits":
    theirs, settings = timm_digits(timm)
elif timm:
    theirs = timm.create_model(choice, pretrained=True).eval()
    settings = timm.data.resolve_model_data_config(theirs)
if timm:
    transform = timm.data.create_transform(**settings)
    with torch.inference_mode():
        their_logits = theirs(transform(picture)[None])

# %% [markdown]
# > **Predict.** Our lines, on the same picture. Will the logits agree, and how closely?

# %%
with torch.inference_mode():
    our_logits = model(prepare(picture))
best = our_logits[0].topk(5).indices.tolist()
print("ours:", [names[index] for index in best])
if timm:
    print("timm:", [names[index] for index in their_logits[0].topk(5).indices])
    torch.testing.assert_close(our_logits, their_logits, rtol=0, atol=1e-4)
    print("and each of our logits differs from timm's by at most 0.0001")

# %% [markdown]
# Where timm is installed: the same five answers in the same order, from a model that you built from one dot product up.
#
# Others have written down what Apple's ImageNet weights answer to well-known pictures. Tests compare that too, but only on request (`pytest --online`), since they need the network.

# %% [markdown]
# ## The colour trap · 33 min
#
# A colour picture has three channels, and nothing in a tensor says which is red. Some programs read pictures as red, green, blue (RGB; Pillow does), others as blue, green, red (BGR; OpenCV does). Whoever trains with one and runs with the other hands the model the picture on the right:

# %%
swapped = {"red, green, blue": np.array(cropped), "blue, green, red": np.array(cropped)[..., ::-1].copy()}
figures.show(
    figures.panels(swapped),
    alt="A cat with orange-brown fur and greenish eyes; beside it the same cat with bluish fur.",
)

# %% [markdown]
# *The shapes survive. What it costs a model must be measured.* Which order do published weights expect? What is known, with the evidence (EdgeTransformerBench is an independent benchmark that ran Apple's files on ImageNet):

# %%
for row in published("channel_order"):
    print(f"{row['weights']:26} {row['expected']}: {row['evidence']} ({row['source']})")

# %% [markdown]
# The last row is a trap in daily use. In transformers a *processor* prepares the pictures. That of MobileViTv2 reverses the channels, and its documentation says that this is right; the evidence above speaks against it. Where transformers is installed, the default of the processor's class, which MobileViT and MobileViTv2 share, can be read off (a published checkpoint may bring settings of its own):

# %%
transformers = referee("transformers")
if transformers:
    processor = transformers.MobileViTImageProcessor()
    print("transformers' processor swaps the channels by default:", processor.do_flip_channel_order)

# %% [markdown]
# What does the trap look like from the inside? The digit model is grey, but a grey model can be made into one that *reads red ink* exactly: give its first convolution three input channels, put the grey weights into the red one, and zeros into the others.

# %%
reader = mv.MobileViTv2(0.25, num_classes=10, in_channels=3).eval()
weights = digits.state_dict()
grey = weights["stem.conv.weight"]  # [16, 1, 3, 3]
weights["stem.conv.weight"] = torch.cat([grey, 0 * grey, 0 * grey], dim=1)  # [16, 3, 3, 3]
reader.load_state_dict(weights)
red_only = torch.cat([images, 0 * images, 0 * images], dim=1)  # [382, 3, H, W]
with torch.inference_mode():
    torch.testing.assert_close(reader(red_only), digits(images), rtol=1e-4, atol=1e-4)

# %% [markdown]
# Now write two digits over each other: the one to read in red, another one in blue. (The other is the next in the data set that has another label.)

# %%
partner = [next(j % 382 for j in range(i + 1, i + 383) if labels[j % 382] != labels[i]) for i in range(382)]
both = torch.cat([images, 0 * images, images[partner]], dim=1)  # [382, 3, H, W]
figures.show(
    figures.panels({f"read the {labels[i]}": both[i].movedim(0, -1) for i in (0, 1, 2, 3)}, width=1.9),
    alt="Four black squares, each with a red digit and a blue digit drawn over each other.",
)

# %% [markdown]
# *Two digits in each picture, magenta where both have ink; the red one counts.*
#
# > **Predict.** The model reads 99 % of the red digits. Feed the same pictures with the channels in reverse order. What will its accuracy be? And how sure will it be of its answers?

# %%
for name, pictures in {"red, green, blue": both, "blue, green, red": both.flip(1)}.items():
    with torch.inference_mode():
        probabilities = reader(pictures).softmax(dim=1)
    answers = probabilities.argmax(dim=1)
    red, blue = ((answers == wanted).float().mean() for wanted in (labels, labels[partner]))
    print(
        f"{name}: {red:4.0%} read the red digit, {blue:4.0%} the blue one; {probabilities.amax(dim=1).mean():.0%} sure"
    )

# %% [markdown]
# Not the 10 % of guessing but *none*, and just as sure of itself: the model reads the other digit. (The blue digit always has another label, so whoever reads it correctly is counted as wrong.) We built it so that both orders make sense, which is the worst case: how sure a model is need not tell you anything about the order.
#
# There are two cures, and they come to the same. Turn the channels of each picture around, or turn the input channels of the *first convolution* around, once. The second is how weights that were trained on BGR can serve RGB pictures ever after:

# %%
turned = mv.MobileViTv2(0.25, num_classes=10, in_channels=3).eval()
turned.load_state_dict(weights | {"stem.conv.weight": weights["stem.conv.weight"].flip(1)})
with torch.inference_mode():
    torch.testing.assert_close(turned(both.flip(1)), reader(both), rtol=1e-4, atol=1e-4)
print("turned pictures into turned weights: the same numbers")

# %% [markdown]
# ## Where the latent token looks · 38 min
#
# Every attention layer has its one question, the latent token, and its context scores say which patches answer it (notebook 02). The paper draws them over pictures in its Fig. 8. With forward hooks, which PyTorch calls whenever a module has run, you can too. This one computes the scores once more and keeps them:

# %%
seen = {}


def remember(name):
    def hook(layer, inputs, output):
        seen.setdefault(name, []).append(layer.context_scores(inputs[0])[0, ..., 0])  # [P, N]

    return hook


attentions = [(number, layer.attention) for number in (3, 4, 5) for layer in model.stages[number - 1][1].layers]

# %% [markdown]
# > **Predict.** The digit pictures have 64×64 pixels. How many patches $N$ does the attention in stage 5 choose from? (Halve five times, then patches of 2×2.)

# %%
batch = prepare(picture)
hooks = [attention.register_forward_hook(remember(f"stage {number}")) for number, attention in attentions]
seen.clear()
with torch.inference_mode():
    _ = model(batch)
for hook in hooks:
    hook.remove()
for name, layers in seen.items():
    print(
        f"{name}: {len(layers)} layers, patches to choose from in each of {layers[0].shape[0]} groups: {layers[0].shape[1]}"
    )

# %% [markdown]
# In stage 5 of the digit model there is *one* patch, its score is always 1, and nothing is chosen at all. Look at the others. Each map is the mean of the four groups' scores (each group of pixels has its own softmax, notebook 04). The colour says with what weight a patch enters the four context vectors, on average: from dark for none to light for the largest weight in that map.

# %%
views = {name: [scores.mean(dim=0) for scores in layers] for name, layers in seen.items() if layers[0].shape[1] > 1}
figures.show(
    figures.latent_views(batch[0], views),
    alt="Small heat maps of the patches' weights, a row for each stage with more than one patch; outlines or a pale picture show the subject.",
)

# %% [markdown]
# *Light patches weigh most; the two numbers are the least and the largest weight. The lines are the digit's outline (over a photograph, the picture itself shines through). In the digit model, equal weights would be one sixteenth in stage 3 and one quarter in stage 4. Each map has its own scale.* It is tempting to tell a story about such maps: here it looks at the stroke, there at the corner. A story is not evidence. Whether the question matters for the answers can be *tested*. Set $W_I$ to zero in every layer: then all scores are equal (the bias is the same for all tokens and cancels in the softmax), and no question is asked any more.
#
# > **Predict.** The digit model gets 378 of its 382 digits right. How many does it lose without its questions? And how many if what each attention adds is set to zero altogether?

# %%
import copy

asked, held_out = copy.deepcopy(digits), mv.Pictures(images, labels)
attentions = [module for module in asked.modules() if isinstance(module, mv.SeparableSelfAttention)]
shares = {"with its questions": mv.accuracy(asked, held_out)}
for attention in attentions:
    torch.nn.init.zeros_(attention.W_I.weight)
shares["all scores equal"] = mv.accuracy(asked, held_out)
with torch.inference_mode():
    before, after = digits(images).softmax(dim=1), asked(images).softmax(dim=1)
    changed = int((before.argmax(dim=1) != after.argmax(dim=1)).sum())
    moved = int(((before - after).abs().amax(dim=1) > 0.1).sum())
for attention in attentions:
    _ = attention.W_O.requires_grad_(False).weight.zero_(), attention.W_O.bias.zero_()
shares["attention adds nothing"] = mv.accuracy(asked, held_out)

# %% [markdown]
# The answer:

# %%
print({name: f"{round(382 * share)} of 382" for name, share in shares.items()})
print(
    f"without its questions, {moved} digits get a probability that moves by more than 0.1, and {changed} answers change"
)
assert moved

# %% [markdown]
# Without its questions the model gives the same 382 answers as before, and few probabilities move much; without its attention it loses 21. So in *this* small model on *these* small pictures attention contributes something, and hardly any of it comes from choosing between patches: a plain mean serves as well. A plain mean gives the same answers, so these maps are not needed to explain them. (That does not make the weights harmless: others than equal ones may well change an answer.) That says nothing about Apple's models on photographs. It says how to find out: change the thing, and measure.

# %% [markdown]
# ## A folder of pictures · 44 min
#
# One picture proves nothing. Accuracy on ImageNet means 50 000 pictures in 1000 class folders: *top-1* is the share whose class is the first answer, *top-5* the share whose class is among the first five. And files that cannot be read are a fact of life. The library reads such folders batch by batch; here is a small one, made of digits, with one file that is no picture. Which folder is which class must be said (the *label map*): the names of the folders, in the order of the logits.

# %%
place = Path(folder.name, "digits")
for index, label in enumerate(labels[:60].tolist()):
    (place / str(label)).mkdir(parents=True, exist_ok=True)
    digit_picture(index).save(place / str(label) / f"{index:02}.png")
_ = (place / "3" / "broken.png").write_text("this is no picture")
folders = [str(digit) for digit in range(10)]  # in the order of the logits
preparation = mv.load_pretrained("digits").preparation
result = mv.evaluate(digits, mv.PictureFolder(place, folders, preparation), progress=False)
print(result.summary())
print("first unreadable:", result.reasons[0].partition(":")[0])

# %% [markdown]
# The broken file is counted and named, counts neither as right nor as wrong, and stops nothing. The same from a terminal, with a record that makes it resumable: `python -m mvit2_lib evaluate FOLDER --weights digits --record answers.jsonl`. And for single pictures: `python -m mvit2_lib predict cat.jpg --width 0.5 --download`.

# %%
folder.cleanup()

# %% [markdown]
# ## Exercises · 46 min
#
# In your own copy (folder `my_notebooks`) the bodies are empty. A check names the likely mistake, and never raises.

# %% [markdown]
# ### 6.1 · A name from timm ★ · 4 min
#
# Return our name for the name of a tensor in one of timm's *inverted residuals*. Theirs: `stages.1.0.conv1_1x1.conv.weight`, `stages.1.0.conv2_kxk.bn.bias`, `stages.1.0.conv3_1x1.bn.running_mean`. Ours: `stages.1.0.expand.conv.weight`, `stages.1.0.depthwise.norm.bias`, `stages.1.0.project.norm.running_mean`.
#
# <details><summary>Hint</summary>
#
# Four replacements. Three are for the parts of the block, one is for the norm.
#
# </details>


# %% tags=["exercise"]
def name_from_timm(name):
    ### BEGIN SOLUTION
    for theirs, ours in (
        ("conv1_1x1", "expand"),
        ("conv2_kxk", "depthwise"),
        ("conv3_1x1", "project"),
        (".bn.", ".norm."),
    ):
        name = name.replace(theirs, ours)
    return name
    ### END SOLUTION


checks.name_from_timm(name_from_timm)

# %% [markdown]
# ### 6.2 · Take a fused projection apart ★★ · 4 min
#
# `weight` is the weight of a `qkv_proj` as a 1×1 convolution, `[1 + 2d, d, 1, 1]`. Return the weights of our three linear layers, `W_I`, `W_K`, `W_V`, as a tuple of matrices.
#
# <details><summary>Hint</summary>
#
# `weight[:, :, 0, 0]` or `flatten(1)` drops the two axes of length one; `split` takes a list of sizes.
#
# </details>


# %% tags=["exercise"]
def split_projections(weight):
    ### BEGIN SOLUTION
    d = weight.shape[1]
    return weight.flatten(1).split([1, d, d])
    ### END SOLUTION


checks.split_projections(split_projections)

# %% [markdown]
# ### 6.3 · Where to cut ★★ · 5 min
#
# A picture of `width` × `height` pixels is resized so that its shorter side has 288, and the middle 256×256 is cut out. Return the box `(left, top, right, bottom)` of the cut in pixels of the *resized* picture. The longer side becomes `288 * longer // shorter`; half a pixel is rounded with Python's `round`.
#
# <details><summary>Hint</summary>
#
# Compute both sides after resizing first. The cut leaves (side − 256) / 2 at the left and at the top.
#
# </details>


# %% tags=["exercise"]
def crop_box(width, height):
    ### BEGIN SOLUTION
    sides = [288 * side // min(width, height) for side in (width, height)]
    left, top = (round((side - 256) / 2) for side in sides)
    return left, top, left + 256, top + 256
    ### END SOLUTION


checks.crop_box(crop_box)

# %% [markdown]
# ### 6.4 · Is the pipeline turned around? ★★★ · 6 min
#
# Somebody hands you `pipeline`, a function from pictures `[B, 3, H, W]` in RGB to logits. You know the `model` inside, which expects RGB, but not whether the pipeline reverses the channels before it asks the model. Return `"RGB"` if it hands them on as they are and `"BGR"` if it reverses them. You may ask the pipeline and the model whatever you like.
#
# <details><summary>Hint</summary>
#
# Make a picture whose channels differ (random numbers will do; a grey one cannot tell). Ask the pipeline once, and the model twice.
#
# </details>


# %% tags=["exercise"]
def channel_order(pipeline, model):
    ### BEGIN SOLUTION
    pictures = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        answer, straight, reverse = pipeline(pictures), model(pictures), model(pictures.flip(1))
    return "RGB" if (answer - straight).abs().sum() < (answer - reverse).abs().sum() else "BGR"
    ### END SOLUTION


checks.channel_order(channel_order)

# %% [markdown]
# ### 6.5 · Top-1 and top-5 on a folder ★★ · 5 min
#
# `lines` is the record of an evaluation: one dictionary for each picture, with its `"label"` and its `"answers"`, the best five classes, best first; or with `"unreadable"` and a reason. Return the top-1 and the top-5 accuracy, as shares of the pictures that could be read.
#
# <details><summary>Hint</summary>
#
# Drop the unreadable ones first. Top-1 asks whether the label is the first answer, top-5 whether it is among all of them.
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
# ## What you now know
#
# 1. You *translated* names: rules for most, and one fused weight to take apart; and the same trained weights gave the same answers in timm and here.
# 2. You *refused* a file that ran code and a file with one bit flipped, which had loaded without a murmur.
# 3. You *prepared* a photograph by hand, equal to `mv.preprocess`, and measured on digits what slips cost: from almost nothing to nearly all answers.
# 4. You *detected* (exercise 6.4) what the answers' confidence hides: reversed channels. The cure can sit in the pictures or in the first convolution.
# 5. You *showed* the context scores of every layer that has a choice, and tested them: in the digit model, a plain mean in their place changes none of 382 answers.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Section 4.1, Figs. 5 and 8.
# - Apple's weights: [ml-cvnets, model zoo](https://github.com/apple/ml-cvnets). timm's copies: [huggingface.co/timm](https://huggingface.co/timm/mobilevitv2_050.cvnets_in1k).
# - R. Wightman, *PyTorch Image Models* (timm): [results-imagenet.csv](https://github.com/huggingface/pytorch-image-models/tree/main/results).
# - *EdgeTransformerBench*: [logs of Apple's original weights](https://github.com/YingkunZhou/EdgeTransformerBench).
# - The cat is Chelsea, photographed by Stéfan van der Walt (CC0), from scikit-image.
