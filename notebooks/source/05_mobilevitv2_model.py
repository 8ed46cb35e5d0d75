# %% [markdown]
# # 05 · The MobileViTv2 model
#
# **You build the whole network from one table, and know that it is correct to the last parameter.**
#
# **You will be able to**
#
# 1. *build* the model from its table, equal to the library's, and to timm's and transformers' where they are installed,
# 2. *trace* the shape of a picture through all stages,
# 3. *decide* by counting parameters which of two contradicting descriptions is the true one,
# 4. *predict* how the width multiplier $\alpha$ and the size of the picture change parameters and work,
# 5. *read* a plot of accuracy over cost without being misled.
#
# **You need** notebook 04. No network, no graphics card.
#
# About forty minutes of reading and running, then twenty minutes of exercises.

# %% [markdown]
# ## One table · 0 min
#
# The set-up:

# %%
import torch
from torch import nn

import mvit2_lib as mv
from mvit2_lib import blocks, checks, cost, figures
from mvit2_lib.published import published

_ = torch.manual_seed(0)

# %% [markdown]
# The network is a *stem*, one 3×3 convolution with stride 2, then five *stages*, and a *classifier*. Stages 1 and 2 are inverted residuals alone. Stages 3 to 5 begin with an inverted residual that halves the map, and go on with a MobileViTv2 block. All of
# it is in one small table (Table 5 of the paper, with a correction to which we come), here for $\alpha = 1$:
#
# | stage | channels $C$ | strides of the inverted residuals | token width $d$ | transformer layers |
# |---|---|---|---|---|
# | stem | 32 | | | |
# | 1 | 64 | 1 | | |
# | 2 | 128 | 2, 1 | | |
# | 3 | 256 | 2 | 128 | 2 |
# | 4 | 384 | 2 | 192 | 4 |
# | 5 | 512 | 2 | 256 | 3 |
#
# As data:

# %%
STEM = 32
STAGES = (
    (64, (1,), None, 0),
    (128, (2, 1), None, 0),
    (256, (2,), 128, 2),
    (384, (2,), 192, 4),
    (512, (2,), 256, 3),
)

# %% [markdown]
# The *width multiplier* $\alpha$ scales all channels and token widths, and the results are rounded: computers like multiples of 8. The rule comes from the MobileNets: take the nearest multiple, but never lose more than a tenth. (The first stage is rounded to multiples of 16, and the stem is kept between 16 and 64 channels.)


# %%
def make_divisible(value, divisor):
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def scale(alpha):
    stem = make_divisible(min(64, max(16, STEM * alpha)), 8)
    stages = []
    for index, (channels, strides, dim, layers) in enumerate(STAGES):
        channels = make_divisible(channels * alpha, 16 if index == 0 else 8)
        stages.append((channels, strides, dim and make_divisible(dim * alpha, 8), layers))
    return stem, stages


# %% [markdown]
# The network follows from the table. Every part was built in notebook 04:


# %%
class Model(nn.Module):
    def __init__(self, alpha, num_classes=1000):
        super().__init__()
        channels, stages = scale(alpha)
        self.stem = blocks.ConvNormAct(3, channels, kernel_size=3, stride=2)
        self.stages = nn.Sequential()
        for wider, strides, dim, layers in stages:
            stage = nn.Sequential()
            for stride in strides:
                stage.append(mv.InvertedResidual(channels, wider, stride))
                channels = wider
            if dim:
                stage.append(mv.MobileViTv2Block(channels, dim, layers))
            self.stages.append(stage)
        self.classifier = nn.Linear(channels, num_classes)


# %% [markdown]
# And what it does with pictures: through stem and stages, then the *mean* over the whole map, and one linear layer. (In v1 there was one more 1×1 convolution before the mean; it is gone.)


# %%
def forward(self, image):
    x = self.stages(self.stem(image))  # [B, C, H, W]
    return self.classifier(x.mean(dim=(-2, -1)))  # [B, classes]


Model.forward = forward  # two cells make one class, so that each fits on a screen

# %% [markdown]
# It is the library's model: the same weights under the same names, and the same numbers out. As in notebook 04, biases and norms are made random first:


# %%
def randomise(module):
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point() and tensor.ndim == 1:
            tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.3)
    return module.eval()


ours, library = randomise(Model(0.5)), mv.MobileViTv2(0.5).eval()
library.load_state_dict(ours.state_dict())
picture = torch.rand(1, 3, 256, 256)
torch.testing.assert_close(ours(picture), library(picture))
print(f"equal to mv.MobileViTv2(0.5): {len(ours.state_dict())} tensors, {cost.count_parameters(ours):,} parameters")

# %% [markdown]
# ## A picture on its way · 9 min
#
# > **Predict.** A picture of 256×256 pixels enters. How large is the map after the last stage? And how many tokens does each attention layer look over, in stages 3, 4 and 5?

# %%
x = library.stem(picture)
print("stem   ", tuple(x.shape))
for number, stage in enumerate(library.stages, 1):
    x = stage(x)
    tokens = f"{x.shape[-2] * x.shape[-1] // 4:4} tokens in each of 4 groups" if number > 2 else ""
    print(f"stage {number}", tuple(x.shape), tokens)

# %% [markdown]
# Each stride of 2 halves the sides; after five of them, 256 has become 8. The last map has 64 places and the most channels. In its attention layers only 16 tokens talk to one another.
#
# Where does the work go, and where do the parameters sit? This drawing is made from the model itself, by running it and counting:

# %%
figures.show(
    figures.architecture(0.5, 256),
    alt="A table of eleven rows from stem to classifier with bars: work is spread evenly, parameters grow towards the end.",
)

# %% [markdown]
# *MobileViTv2 blocks in pink. The work is spread over all stages, because the maps shrink while the channels grow; nearly all parameters sit in the last third.*

# %% [markdown]
# ## The parameter detective · 14 min
#
# Table 5 of the paper, as printed, has *two* inverted residuals with stride 1 in stage 2. Our table has one, and so have the authors' own code, timm, transformers and all others we know. Who is right?
#
# Nobody needs to be believed. The number of parameters has been published for seven widths, by the paper to one digit after the point and by timm to two. Both readings can be counted:
#
# > **Predict.** Where would you look for the difference: at small $\alpha$ or at large?


# %%
def one_block_more(model):
    """Return the parameters of another inverted residual with stride 1 in stage 2."""
    channels = model.stages[1][1].project.conv.out_channels
    return cost.count_parameters(mv.InvertedResidual(channels, channels))


rows, counted = published("totals"), {"one, as coded": [], "two, as printed": []}
print("   α   timm   one, as coded   two, as printed")
for row in rows:
    model = mv.MobileViTv2(row["width_multiplier"])
    counted["one, as coded"].append(cost.count_parameters(model))
    counted["two, as printed"].append(cost.count_parameters(model) + one_block_more(model))
    print(f"{row['width_multiplier']:4}  {row['timm_parameters_m']:5.2f}", *(f"{n[-1]:15,}" for n in counted.values()))

# %% [markdown]
# Which of them rounds to the published number?

# %%
for name, values in counted.items():
    agree = [f"{value / 1e6:.2f}" == f"{row['timm_parameters_m']:.2f}" for value, row in zip(values, rows, strict=True)]
    print(f"{name}: {sum(agree)} of {len(agree)} totals agree")

# %% [markdown]
# As a picture of what is left over:

# %%
left_over = {
    name: [value / 1e6 - row["timm_parameters_m"] for value, row in zip(values, rows, strict=True)]
    for name, values in counted.items()
}
figures.show(
    figures.residuals(
        [row["width_multiplier"] for row in rows], left_over, "width multiplier α", "counted − published, millions"
    ),
    alt="Counted minus published over α: with one block all seven points lie in a narrow band at zero; with two they rise to 0.27.",
)

# %% [markdown]
# *With one block every total agrees; with two, none does, and the gap grows with* $\alpha^2$*.* The printed table is wrong by one block.
#
# And the paper's own totals, with one digit?

# %%
for name, values in counted.items():
    fits = [round(value / 1e6, 1) == row["paper_parameters_m"] for value, row in zip(values, rows, strict=True)]
    misses = [row["width_multiplier"] for row, fit in zip(rows, fits, strict=True) if not fit]
    print(f"{name}: {sum(fits)} of 7 agree with Table 6 of the paper; not at α = {misses}")
print(f"at α = 2 we count {counted['one, as coded'][-1] / 1e6:.3f} million, and Table 6 prints 18.5")

# %% [markdown]
# One block misses at $\alpha = 2$ only: 18.449 million round to 18.4, and the table prints 18.5, which is what one gets by rounding 18.45 once more. A second witness are the models with a classifier for the 10 450 classes of ImageNet-21k, in the paper's Table 7: 17.9, 22.7 and 28.1 million at
# $\alpha = 1.5$, $1.75$ and $2$.

# %%
for alpha, table_7 in ((1.5, 17.9), (1.75, 22.7), (2.0, 28.1)):
    model = mv.MobileViTv2(alpha, num_classes=10450)
    assert round(cost.count_parameters(model) / 1e6, 1) == table_7
    print(f"α = {alpha}: {cost.count_parameters(model) / 1e6:.3f} million, printed {table_7}")

# %% [markdown]
# ## What α does · 22 min
#
# A convolution from $C$ to $C'$ channels has $C C'$ weights (times nine for a full 3×3). Scale both by $\alpha$, and it has $\alpha^2$ times as many. What is counted once for each channel (depthwise weights, biases, norms) grows with $\alpha$ only.
#
# > **Predict.** From $\alpha = 1$ to $\alpha = 2$, do the parameters grow by exactly four? By more or by less?

# %%
for low, high in ((0.5, 1.0), (1.0, 2.0)):
    small, large = mv.MobileViTv2(low), mv.MobileViTv2(high)
    parameters = cost.count_parameters(large) / cost.count_parameters(small)
    macs = cost.count_macs(large, 1, 3, 256, 256) / cost.count_macs(small, 1, 3, 256, 256)
    print(f"α from {low} to {high}: {parameters:.2f} times the parameters, {macs:.2f} times the MACs")

# %% [markdown]
# A little less. (The classifier also has 1000 outputs at every width.) The size of the picture is another matter: it changes the work, and not a single parameter.
#
# > **Predict.** 384×384 pixels are 2.25 times as many as 256×256. How many times the MACs?

# %%
model = mv.MobileViTv2(1.0)
macs = {side: cost.count_macs(model, 1, 3, side, side) for side in (256, 384)}
head = model.classifier.in_features * model.classifier.out_features
print(f"{macs[384] / macs[256]:.4f} times; without the classifier exactly {(macs[384] - head) / (macs[256] - head)}")

# %% [markdown]
# Exactly proportional, but for the classifier, which sees one mean whatever the size. For a network with multi-head attention that would be false. What others count, beside ours:

# %%
for row in rows:
    macs = {
        side: cost.count_macs(mv.MobileViTv2(row["width_multiplier"]), 1, 3, side, side) / 1e9 for side in (256, 384)
    }
    assert abs(macs[256] - row["paper_gmacs_256"]) < 0.051
    assert abs(macs[384] - row["paper_gmacs_384"]) < 0.051
    paper = f"{row['paper_gmacs_256']:4.1f} and {row['paper_gmacs_384']:4.1f}"
    ours = f"{macs[256]:6.3f} and {macs[384]:6.3f}"
    print(
        f"α = {row['width_multiplier']:4}: paper {paper}, ours {ours}, timm {row['timm_gmacs_256']:.2f} ({row['timm_gmacs_256'] / macs[256] - 1:+.1%})"
    )

# %% [markdown]
# The paper's "FLOPs" are these multiply–accumulates; ours agree to the printed digit. timm's are one to three per cent more. Ours count convolutions and linear layers alone; a counter that also counts norms, activations, sums or biases comes out higher, and the more so the narrower the network.
#
# Now change $\alpha$ and the size yourself. First a picture for those who only read:

# %%
figures.show(
    figures.architecture(2.0, 384),
    alt="The same table at α = 2 and 384 by 384 pixels: the same profile of bars, with 16.1 G MACs and 18.45 M parameters in all.",
)

# %% [markdown]
# *Almost the same profile as before, at more than thirty times the work; only the classifier's share of the parameters has shrunk.* With a running kernel, move the sliders:

# %% tags=["nbval-ignore-output"]
import ipywidgets

alpha = ipywidgets.FloatSlider(0.5, min=0.25, max=2, step=0.25, description="α", continuous_update=False)
pixels = ipywidgets.IntSlider(256, min=64, max=512, step=32, description="pixels", continuous_update=False)
drawing = ipywidgets.Image(value=figures.png(figures.architecture(0.5, 256)))


def redraw(_):
    drawing.value = figures.png(figures.architecture(alpha.value, pixels.value))


for slider in (alpha, pixels):
    slider.observe(redraw, names="value")
ipywidgets.VBox([alpha, pixels, drawing])

# %% [markdown]
# The numbers above the bars are the totals. At sizes that are no multiple of 64 a map somewhere has an odd side, and grows by a pixel before a block (notebook 04).

# %% [markdown]
# ## What it buys · 29 min
#
# Accuracy is published, not computed here: these tables are small files in the library, each row with its source. *Top-1* is the share of pictures whose first answer is right, of the 1000 classes of ImageNet.

# %%
table = [row for row in published("imagenet") if row["pretrained"] == ""]
for row in table:
    if row["family"] == "MobileViTv2" and row["pixels"] == 256:
        print(f"{row['model']:16} {row['parameters_m']:5} M parameters {row['gmacs']:4} G MACs   top-1 {row['top1']} %")

# %% [markdown]
# > **Predict.** Against which of three costs will MobileViTv2 look best: parameters, multiply–accumulates, or milliseconds on the paper's phone?


# %%
def points(key):
    families = {}
    for row in table:
        if row[key] != "" and row["pixels"] != 384:
            families.setdefault(row["family"], []).append((row[key], row["top1"]))
    return families


# %% [markdown]
# Three kinds of cost, side by side:

# %%
costs = {"million parameters": "parameters_m", "billion MACs": "gmacs", "ms on an iPhone 12": "iphone12_ms"}
figures.show(
    figures.accuracy({name: points(key) for name, key in costs.items()}, "top-1 accuracy, %"),
    alt="Top-1 accuracy over three costs: MobileViT v1 and v2 lie together over parameters and MACs, far apart in iPhone time.",
)

# %% [markdown]
# *The same models, three times. Which of them looks best depends on what you count.* Against parameters, both MobileViTs are ahead of nearly everything shown. Against multiply–accumulates, EfficientNet and Mobile-Former lie to the left of them. In both panels v2 lies on v1's line; only in milliseconds on an iPhone 12 is it far
# ahead. There, EfficientNet-b0 and ConvNeXt-T are on or above its line; the paper says so itself of ConvNeXt.
#
# Three more reasons for care: the models were trained by different recipes, at different sizes (224 to 288 pixels), and these are the rows that one paper chose to show. In the step from v1 to v2 the recipe changed as well as the network.

# %%
top1 = {row["model"]: row["top1"] for row in table if row["pixels"] == 256}
for v1, v2 in (("XXS", "0.5"), ("XS", "0.75"), ("S", "1")):
    print(
        f"v1-{v1:3} {top1[f'MobileViT-{v1}']}, v2 at α = {v2:4} {top1[f'MobileViTv2-{v2}']}: {top1[f'MobileViTv2-{v2}'] - top1[f'MobileViT-{v1}']:+.1f} points"
    )

# %% [markdown]
# ## Same weights, same answer · 34 min
#
# That parameters agree in number does not prove that they are used alike. So give the reference implementations random weights, read them into our model, and compare the logits, in double precision. (A cell says so if timm or transformers is not installed, and the rest runs.)


# %%
def largest_difference(reference, answer, alpha=0.5):
    """Return the largest difference of logits between a reference model and ours with its weights."""
    ours = mv.load_checkpoint(mv.MobileViTv2(alpha), reference.state_dict()).eval().double()
    pictures = torch.rand(1, 3, 256, 192, dtype=torch.float64)
    with torch.inference_mode():
        return (ours(pictures) - answer(reference.double(), pictures)).abs().max().item()


# %% [markdown]
# First timm:

# %% tags=["nbval-ignore-output"]
timm = checks.referee("timm")
if timm:
    for name, alpha in (("mobilevitv2_050", 0.5), ("mobilevitv2_100", 1.0)):
        reference = randomise(timm.create_model(name))
        difference = largest_difference(reference, lambda model, pictures: model(pictures), alpha)
        assert difference < 1e-10
        print(f"{name}: the logits differ by at most {difference:.0e}")

# %% [markdown]
# Then transformers, whose tensors have other names:

# %% tags=["nbval-ignore-output"]
transformers = checks.referee("transformers")
if transformers:
    settings = transformers.MobileViTV2Config(width_multiplier=0.5, num_labels=1000)
    reference = randomise(transformers.MobileViTV2ForImageClassification(settings))
    difference = largest_difference(reference, lambda model, pictures: model(pictures).logits)
    assert difference < 1e-10
    print(f"transformers: the logits differ by at most {difference:.0e}")

# %% [markdown]
# And Apple's own ml-cvnets. It cannot be installed like the others, but the names and shapes of the tensors in its checkpoint are known. Under those names our weights must find their places again:

# %%
from mvit2_lib.checkpoints import checkpoint_layout

names = published("cvnets_names")
print(len(names), "tensors, for example", names[6]["name"])

# %% [markdown]
# timm's checkpoint lists the same tensors in the same order, so its tensors can be given Apple's names:

# %% tags=["nbval-ignore-output"]
if timm:
    reference = randomise(timm.create_model("mobilevitv2_050"))
    apple = dict(zip((row["name"] for row in names), reference.state_dict().values(), strict=True))
    model, x = mv.load_checkpoint(mv.MobileViTv2(0.5), apple).eval(), torch.rand(1, 3, 64, 64)
    difference = (model(x) - reference(x)).abs().max().item()
    assert difference < 1e-4
    print(f"layout {checkpoint_layout(apple)!r}: the logits differ by at most {difference:.0e}, in single precision")

# %% [markdown]
# Differences of $10^{-15}$ or so are rounding: the same formulas, added up in another order. Notebook 06 loads the real weights the same way.
#
# **Where implementations disagree.** At the seven published widths, and at sizes that are multiples of 64, all are alike. Elsewhere they are not. timm truncates channels instead of rounding them, and knows no limits for the stem; ours follows ml-cvnets:

# %%
for alpha in (0.5, 0.625, 0.75, 0.875, 4.0):
    stem, stages = scale(alpha)
    truncated = int(32 * alpha), int(64 * alpha)
    print(
        f"α = {alpha:5}: ml-cvnets and ours {stem:3} and {stages[0][0]:3} channels in stem and stage 1, timm {truncated[0]:3} and {truncated[1]:3}"
    )

# %% [markdown]
# So a checkpoint for $\alpha = 0.625$ from one does not fit the other, and `load_checkpoint` says so. Odd maps were the subject of notebook 04: for pictures of 224×224 pixels, transformers' answer is not Apple's.

# %% [markdown]
# ## Exercises · 40 min
#
# Fill in each stub and run its cell. The check prints one line, and names the likely mistake if there is one.

# %% [markdown]
# ### 5.1 · The rounding rule ★★ · 4 min
#
# Round `value` to the nearest multiple of `divisor` (halves go up), but not below `divisor`, and not below 90 % of `value`: then take the next multiple.
#
# <details><summary>Hint</summary>
#
# `int(value + divisor / 2) // divisor * divisor` is the nearest multiple.
#
# </details>


# %% tags=["exercise"]
def round_channels(value, divisor):
    ### BEGIN SOLUTION
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest
    ### END SOLUTION


checks.round_channels(round_channels)

# %% [markdown]
# ### 5.2 · The table at another width ★★ · 5 min
#
# Return the channels of the stem and of the five stages as a list of six numbers, for any $\alpha$. Start from 32, 64, 128, 256, 384 and 512. The stem is kept between 16 and 64; stem and stages are rounded to multiples of 8, the first stage to multiples of 16. You may use
# `make_divisible` from above. Try $\alpha = 0.75$ by hand first.
#
# <details><summary>Hint</summary>
#
# Limit the stem before you round it.
#
# </details>


# %% tags=["exercise"]
def table_of_channels(alpha):
    ### BEGIN SOLUTION
    stem = make_divisible(min(64, max(16, 32 * alpha)), 8)
    first = make_divisible(64 * alpha, 16)
    return [stem, first, *(make_divisible(channels * alpha, 8) for channels in (128, 256, 384, 512))]
    ### END SOLUTION


checks.table_of_channels(table_of_channels)

# %% [markdown]
# ### 5.3 · Tokens at any size ★★ · 5 min
#
# For a picture of `pixels` × `pixels`, return the numbers of tokens $k$ over which attention looks in stages 3, 4 and 5, as a list. A stride of 2 halves the side and rounds up. Where a block meets an odd side, the map grows by one pixel, and stays so.
#
# <details><summary>Hint</summary>
#
# Three strides of 2 lie before the first block: in the stem, in stage 2 and in stage 3. 224 becomes 28, then 14, then 7, which grows to 8.
#
# </details>


# %% tags=["exercise"]
def token_counts(pixels):
    ### BEGIN SOLUTION
    side, counts = -(-pixels // 2), []
    side = -(-side // 2)
    for _ in range(3):
        side = -(-side // 2)
        side += side % 2
        counts.append((side // 2) ** 2)
    return counts
    ### END SOLUTION


checks.token_counts(token_counts)

# %% [markdown]
# ### 5.4 · Another number of classes ★ · 3 min
#
# A model with 1000 classes has `parameters` parameters, and its last stage has `channels` channels. How many does it have with `classes` classes?
#
# <details><summary>Hint</summary>
#
# The classifier is a linear layer with a bias.
#
# </details>


# %% tags=["exercise"]
def parameters_with_classes(parameters, channels, classes):
    ### BEGIN SOLUTION
    return parameters + (classes - 1000) * (channels + 1)
    ### END SOLUTION


checks.parameters_with_classes(parameters_with_classes)

# %% [markdown]
# ### 5.5 · Work at another size ★★ · 4 min
#
# A model takes `macs` multiply–accumulates for 256×256 pixels, of which its classifier takes `classifier`. How many does it take for `pixels` × `pixels`, a multiple of 64?
#
# <details><summary>Hint</summary>
#
# Which part of the model works for each pixel, and which only once?
#
# </details>


# %% tags=["exercise"]
def macs_at(pixels, macs, classifier):
    ### BEGIN SOLUTION
    return (macs - classifier) * pixels**2 // 256**2 + classifier
    ### END SOLUTION


checks.macs_at(macs_at)

# %% [markdown]
# ### 5.6 · A backbone ★★★ · 5 min
#
# Detection and segmentation want *feature maps*, not class scores. Given a model with `stem` and `stages`, and pictures, return a list of the maps that leave the five stages, in their order.
#
# <details><summary>Hint</summary>
#
# Walk through `model.stages` as in *A picture on its way*, and collect.
#
# </details>


# %% tags=["exercise"]
def feature_maps(model, pictures):
    ### BEGIN SOLUTION
    x, maps = model.stem(pictures), []
    for stage in model.stages:
        x = stage(x)
        maps.append(x)
    return maps
    ### END SOLUTION


checks.feature_maps(feature_maps)

# %% [markdown]
# ## What you now know
#
# 1. You *built* the model from its table; it equals the library's, timm's and transformers', as far as they are installed.
# 2. You *traced* a picture from 256×256 pixels to 8×8, and from there to its class scores.
# 3. You *decided* by counting that the paper's table prints one block too many.
# 4. You can *predict* parameters and work: about $\alpha^2$ for the width; exactly proportional to the pixels for the size, but for the classifier.
# 5. You can *read* an accuracy plot: who is ahead depends on which cost is on the axis.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Tables 2, 5, 6 and 7.
# - S. Mehta and M. Rastegari, *MobileViT*, arXiv 2110.02178.
# - timm's counts: [results of the pytorch-image-models repository](https://github.com/huggingface/pytorch-image-models/tree/main/results).
