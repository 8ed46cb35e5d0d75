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
# About forty minutes of reading and running, then twenty-five minutes of exercises.

# %% [markdown]
# ## One table · 0 min
#
# The set-up:

# %%
import torch
from torch import nn

import mvit2_lib as mv
from mvit2_lib import blocks, cost
from mvit2_lib.course import checks, figures
from mvit2_lib.course.published import published

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
# As data, with `None` where a stage has no MobileViTv2 block:

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
# The *width multiplier* $\alpha$ scales all channels and token widths, and the results are rounded to multiples of 8. The rule comes from the MobileNets: take the nearest multiple, but never lose more than a tenth. (The first stage is rounded to multiples of 16, and the stem is kept between 16 and 64 channels.)


# %%
def make_divisible(value, divisor):
    nearest = int(value + divisor / 2) // divisor * divisor
    return nearest + divisor if nearest < 0.9 * value else nearest


def scale(alpha):
    stem = make_divisible(min(64, max(16, STEM * alpha)), 8)
    stages = []
    for index, (channels, strides, dim, layers) in enumerate(STAGES):
        channels = make_divisible(channels * alpha, 16 if index == 0 else 8)
        stages.append((channels, strides, dim and make_divisible(dim * alpha, 8), layers))
    return stem, stages


# %% [markdown]
# The library's rule is the same, also at widths that nobody has published:

# %%
from mvit2_lib.model import scale_architecture

for alpha in (0.25, 0.5, 0.6, 0.75, 1.0, 1.1, 2.0, 4.0):
    stem, stages = scale_architecture(alpha)
    assert scale(alpha) == (stem, [(stage.channels, stage.strides, stage.dim, stage.num_layers) for stage in stages])
print("at α = 0.75:", scale(0.75)[0], "channels in the stem,", [stage[0] for stage in scale(0.75)[1]], "in the stages")

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
# It is the library's model: the same weights under the same names, and the same numbers out. As in notebook 04, all weights, biases and norms are made random first (`randomise`, which you wrote there), and large enough that the picture matters for the answer. (The thousand numbers that come out are called *logits*; a softmax would turn them into probabilities.) If another picture hardly changed the logits, agreement would prove little. So that is measured, too:

# %%
from mvit2_lib.course.referees import randomise, referee

ours, library = randomise(Model(0.5)).double(), mv.MobileViTv2(0.5).double().eval()
library.load_state_dict(ours.state_dict())
picture, another = torch.rand(2, 1, 3, 256, 256, dtype=torch.float64)
with torch.inference_mode():
    torch.testing.assert_close(ours(picture), library(picture))
    change = (ours(picture) - ours(another)).abs().max()
assert change > 0.1
print(f"equal to mv.MobileViTv2(0.5): {len(ours.state_dict())} tensors, {cost.count_parameters(ours):,} parameters")
print("another picture changes the logits by more than 0.1")

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
# Where does the work go, and where do the parameters sit? This drawing is made from the model itself: shapes by running it, work by counting its layers (separable attention in the paper's order, as in the paper's own counts).

# %%
figures.show(
    figures.architecture(0.5, 256),
    alt="A table of eleven rows from stem to classifier with bars: every stage has work, most parameters are in the last rows.",
)

# %% [markdown]
# *MobileViTv2 blocks in pink. Every stage has its share of the work, because the maps shrink while the channels grow; the parameters pile up towards the end.* In numbers:

# %%
parts = {
    "stem, stages 1 to 3": [library.stem, *library.stages[:3]],
    "stages 4, 5, classifier": [*library.stages[3:], library.classifier],
}
for name, modules in parts.items():
    share = sum(cost.count_parameters(module) for module in modules) / cost.count_parameters(library)
    print(f"{name:23} {share:.0%} of the parameters")

# %% [markdown]
# ## The parameter detective · 14 min
#
# Table 5 of the paper, as printed, has *two* inverted residuals with stride 1 in stage 2. Our table has one, and so have the authors' own code, timm and transformers. Who is right?
#
# Nobody needs to be believed. The paper itself has printed the number of parameters for seven widths, in its Table 6. Both readings can be counted. (`published` reads small tables of published numbers that come with the library.)
#
# > **Predict.** Will the difference show better at small $\alpha$ or at large?


# %%
def one_block_more(model):
    """Return the parameters of another inverted residual with stride 1 in stage 2."""
    channels = model.stages[1][1].project.conv.out_channels
    return cost.count_parameters(mv.InvertedResidual(channels, channels))


def count_both(alpha, classes=1000):
    model = mv.MobileViTv2(alpha, num_classes=classes)
    one = cost.count_parameters(model)
    return {"one, as coded": one, "two, as printed": one + one_block_more(model)}


# %% [markdown]
# Against Table 6, in millions with one decimal:

# %%
rows = published("totals")
print("   α  Table 6   one, as coded   two, as printed")
agree = {"one, as coded": 0, "two, as printed": 0}
for row in rows:
    counted = count_both(row["width_multiplier"])
    for name, number in counted.items():
        agree[name] += round(number / 1e6, 1) == row["paper_parameters_m"]
    print(
        f"{row['width_multiplier']:4} {row['paper_parameters_m']:8}", *(f"{number:15,}" for number in counted.values())
    )
print({name: f"{number} of 7 agree" for name, number in agree.items()})

# %% [markdown]
# With one block, all but the last agree: 18.449 million round to 18.4, and the table prints 18.5, as if 18.45 had been rounded once more. With two blocks only the two narrowest agree, where a tenth of a million hides the difference.
#
# A second witness, also from the paper: Table 7 has the same models with a classifier for the 10 450 classes of a cleaned-up ImageNet-21k.

# %%
for alpha, table_7 in ((1.5, 17.9), (1.75, 22.7), (2.0, 28.1)):
    counted = {name: f"{number / 1e6:.3f}" for name, number in count_both(alpha, classes=10450).items()}
    assert round(float(counted["one, as coded"]), 1) == table_7 != round(float(counted["two, as printed"]), 1)
    print(f"α = {alpha:4}: Table 7 prints {table_7}, we count", counted)

# %% [markdown]
# Three of three for one block, none of three for two. So the paper's models had one block there, and its Table 5 prints one too many. timm publishes counts of its own program, to two decimals. They say nothing about the paper, but they show more sharply how the two readings differ:

# %%
left_over = {"one, as coded": [], "two, as printed": []}
for row in rows:
    for name, number in count_both(row["width_multiplier"]).items():
        left_over[name].append(number / 1e6 - row["timm_parameters_m"])
figures.show(
    figures.residuals(
        [row["width_multiplier"] for row in rows], left_over, "width multiplier α", "counted − timm's, millions"
    ),
    alt="Counted minus timm's totals over α: with one block all seven points lie in a narrow band at zero; with two they rise to 0.27.",
)
assert max(map(abs, left_over["one, as coded"])) < 0.005 < min(left_over["two, as printed"])
print("with one block every total agrees to two decimals, with two blocks none does")

# %% [markdown]
# *With one block the difference is rounding; with two it grows almost like* $\alpha^2$. As a share it is about the same at all widths; it shows at large $\alpha$ because the table prints tenths of a million.

# %% [markdown]
# ## What α does · 22 min
#
# A convolution from $C$ to $C'$ channels has $C C'$ weights (times nine for a full 3×3). Scale both by $\alpha$, and it has $\alpha^2$ times as many. What is counted once for each channel (depthwise weights, biases, norms) grows with $\alpha$ only.
#
# > **Predict.** From $\alpha = 1$ to $\alpha = 2$, do the parameters grow by a factor of four exactly, of more, or of less?

# %%
for low, high in ((0.5, 1.0), (1.0, 2.0)):
    small, large = mv.MobileViTv2(low), mv.MobileViTv2(high)
    macs = cost.count_macs(large, 1, 3, 256, 256) / cost.count_macs(small, 1, 3, 256, 256)
    whole = cost.count_parameters(large) / cost.count_parameters(small)
    small.classifier = large.classifier = nn.Identity()
    body = cost.count_parameters(large) / cost.count_parameters(small)
    print(
        f"α from {low} to {high}: {whole:.2f} times the parameters, {body:.2f} without the classifier; {macs:.2f} times the MACs"
    )

# %% [markdown]
# Less, and mostly because of the classifier: it has 1000 outputs at every width, and only its inputs grow. The rest of the shortfall is what is counted once for each channel, and the stem, whose input always has three colours. These also keep the MACs short of four; the classifier is almost no work.
#
# The size of the picture is another matter: it changes the work, and not a single parameter.
#
# > **Predict.** 384×384 pixels are 2.25 times as many as 256×256. How many times the MACs?

# %%
model = mv.MobileViTv2(1.0)
macs = {side: cost.count_macs(model, 1, 3, side, side) for side in (256, 384)}
head = model.classifier.in_features * model.classifier.out_features
print(f"{macs[384] / macs[256]:.4f} times; without the classifier exactly {(macs[384] - head) / (macs[256] - head)}")

# %% [markdown]
# Exactly proportional, with three exceptions. The classifier sees one mean whatever the size. As the library runs it, pooled first, each of an attention's four conversations also projects one vector whatever the size. And at sides that are no multiples of 64, such as 224, maps grow by a pixel, and the work with them. With multi-head attention it would be more:

# %%
model = mv.MobileViTv2(1.0, attention="multi_head")
macs = {side: cost.count_macs(model, 1, 3, side, side) - head for side in (256, 384)}
print(f"with multi-head attention {macs[384] / macs[256]:.2f} times, also without the classifier")

# %% [markdown]
# What others count, beside ours:

# %%
for row in rows:
    model = mv.MobileViTv2(row["width_multiplier"])
    small, large = (cost.count_macs(model, 1, 3, side, side) / 1e9 for side in (256, 384))
    assert f"{small:.1f}" == f"{row['paper_gmacs_256']:.1f}"
    assert f"{large:.1f}" == f"{row['paper_gmacs_384']:.1f}"
    paper = f"paper {row['paper_gmacs_256']:.1f} and {row['paper_gmacs_384']:4.1f}"
    timm_says = f"timm {row['timm_gmacs_256']:.2f} ({row['timm_gmacs_256'] / small - 1:+.1%})"
    print(f"α = {row['width_multiplier']:4}: {paper}, ours {small:.3f} and {large:6.3f}, {timm_says}")

# %% [markdown]
# What the paper calls FLOPs, floating-point operations, are these multiply–accumulates (in G, thousand millions). Ours agree with its Table 6 to the printed digit. (Its Table 2 prints 7.5 for $\alpha = 2$, where Table 6 has 7.2.) timm's are one to three per cent more. Ours count the convolutions and linear layers of MobileViTv2 alone, as the paper does; we have not traced where timm's surplus comes from. A counter that includes norms, activations, sums or biases would come out higher.
#
# Now change $\alpha$ and the size yourself. First a picture for those who only read:

# %%
figures.show(
    figures.architecture(2.0, 384),
    alt="The same table at α = 2 and 384 by 384 pixels: the same profile of bars, with 16.1 G MACs and 18.45 M parameters in all.",
)

# %% [markdown]
# *Almost the same profile as before, at more than thirty times the work; the classifier's share of the parameters and the stem's share of the work have shrunk.* With a running kernel, move the sliders:

# %%
from ipywidgets import FloatSlider, Image, IntSlider, VBox


def explorer():
    alpha = FloatSlider(0.5, min=0.25, max=2, step=0.25, description="α", continuous_update=False)
    pixels = IntSlider(256, min=64, max=512, step=32, description="pixels", continuous_update=False)
    drawing = Image(value=figures.png(figures.architecture(0.5, 256)))

    def redraw(_):
        drawing.value = figures.png(figures.architecture(alpha.value, pixels.value))

    for slider in (alpha, pixels):
        slider.observe(redraw, names="value")
    return VBox([alpha, pixels, drawing])


# %% [markdown]
# Here they are:

# %% tags=["nbval-ignore-output"]
explorer()

# %% [markdown]
# The totals stand in the headings. At those sizes that are no multiple of 64 the last map has an odd side, and grows by a pixel before its block (notebook 04).

# %% [markdown]
# ## What it buys · 29 min
#
# Accuracy is published, not computed here; each row of the table names its source. *Top-1* is the share of pictures whose first answer is right, among the 1000 classes of ImageNet. We leave out models that were trained on more pictures first.

# %%
table = [row for row in published("imagenet") if row["pretrained"] == ""]
for row in table:
    if row["family"] == "MobileViTv2" and row["pixels"] == 256:
        print(f"{row['model']:16} {row['parameters_m']:5} M parameters {row['gmacs']:4} G MACs   top-1 {row['top1']} %")

# %% [markdown]
# The paper compares them with MobileViT v1, with two other families of small networks (EfficientNet, Mobile-Former), and with DeiT, Swin and ConvNeXt, most of them larger.
#
# > **Predict.** Over which of three costs will MobileViTv2 lie furthest ahead of v1: parameters, multiply–accumulates, or milliseconds on the paper's phone?


# %%
def points(key):
    families = {}
    for row in table:
        if row[key] != "" and row["pixels"] != 384:  # one point for each width
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
# *The same models, three times. Which of them looks best depends on what you count.*
#
# - Over parameters, v1 and v2 lie together, more accurate than the other models of their size; only EfficientNet-b2, the upper right of its two marks, keeps up. Swin-T, ConvNeXt-T and DeiT-B are larger, and a little more accurate.
# - Over multiply–accumulates, v1 and v2 lie together again (v1-XS has no count in the table), but others are ahead of both: EfficientNet and Mobile-Former far to the left, and at the top Swin-T and ConvNeXt-T.
# - In milliseconds on the iPhone, v2 is nearly three times as fast as v1 at the same accuracy. EfficientNet in turn is faster than v2 at the same accuracy, by a smaller factor. And ConvNeXt-T takes half the time of the widest v2 and is more accurate, which the paper admits when it discusses its Table 2. (The paper gives times for four of the seven widths, and none for Swin-T. For v1-S we took the 9.9 ms of Table 1; Table 2 prints 3.4, the time of v2 at $\alpha = 1$. v1-XS and its time are from the v1 paper.)
#
# The axes of cost are logarithmic, and pictures of 384 pixels are left out.
# More reasons for care: training recipes and picture sizes differ between the families, and apart from v1-XS these are the rows that one paper chose to show. From v1 to v2, accuracy and parameters changed like this:

# %%
small = {row["model"]: row for row in table if row["pixels"] == 256}
for v1, v2 in (("XXS", "0.5"), ("XS", "0.75"), ("S", "1")):
    old, new = small[f"MobileViT-{v1}"], small[f"MobileViTv2-{v2}"]
    sizes = f"{old['parameters_m']} and {new['parameters_m']} million parameters"
    print(f"v1-{v1:3} and v2 at α = {v2:4}: {sizes}, {new['top1'] - old['top1']:+.1f} points")

# %% [markdown]
# About a point more with more parameters, or 0.3 points less with fewer. What v2 brought was not accuracy for its size, but speed on the paper's phone (notebook 03 looks at other devices).

# %% [markdown]
# ## Same weights, same answer · 34 min
#
# That parameters agree in number does not prove that they are used alike. So give other implementations random weights, read these into the library's model, which yours equals, and compare the logits, in double precision. (A cell says so if timm or transformers is not installed, and the rest runs.)


# %%
def compare(name, reference, answer, alpha=0.5):
    """Print how far logits differ between a reference and ours, and how much another picture changes them."""
    ours = mv.load_checkpoint(mv.MobileViTv2(alpha), reference.state_dict()).eval().double()
    picture, another = torch.rand(2, 1, 3, 256, 192, dtype=torch.float64)
    with torch.inference_mode():
        difference = (ours(picture) - answer(reference.double(), picture)).abs().max().item()
        change = (ours(picture) - ours(another)).abs().max().item()
    assert difference < 1e-10 < 0.01 < change
    print(f"{name}: the logits differ by at most {difference:.0e}; another picture changes them by {change:.1f}")


# %% [markdown]
# First timm:

# %% tags=["nbval-ignore-output"]
timm = referee("timm")
if timm:
    for name, alpha in (("mobilevitv2_050", 0.5), ("mobilevitv2_100", 1.0)):
        compare(name, randomise(timm.create_model(name)), lambda model, picture: model(picture), alpha)

# %% [markdown]
# Then transformers, whose tensors have other names:

# %% tags=["nbval-ignore-output"]
transformers = referee("transformers")
if transformers:
    settings = transformers.MobileViTV2Config(width_multiplier=0.5, num_labels=1000)
    reference = randomise(transformers.MobileViTV2ForImageClassification(settings))
    compare("transformers", reference, lambda model, picture: model(picture).logits)

# %% [markdown]
# And ml-cvnets, the authors' own code, published by Apple? It cannot be installed like the others, and does not run here. What we can test is that its *names* are understood. The library keeps the names and shapes of the tensors in Apple's checkpoint for $\alpha = 0.5$. (They are fewer than our 305: the scores, keys and values of each of the nine attention layers are one
# fused convolution there, as in timm: three weights and three biases become one of each, which makes $9 \times 4$ tensors fewer.)

# %%
from mvit2_lib.weights.layouts import checkpoint_layout

names = published("cvnets_names")
print(len(names), "tensors, for example", names[6]["name"])

# %% [markdown]
# timm's model has tensors of the same shapes in the same order, as the cell asserts. So give timm's random tensors Apple's names, and load them. Every tensor must find its place again, or the logits would not be timm's:

# %% tags=["nbval-ignore-output"]
if timm:
    reference = randomise(timm.create_model("mobilevitv2_050"))
    tensors = list(reference.state_dict().values())
    assert [row["shape"].strip("()") for row in names] == ["×".join(map(str, tensor.shape)) for tensor in tensors]
    apple = dict(zip((row["name"] for row in names), tensors, strict=True))
    compare(f"names of {checkpoint_layout(apple)}", reference, lambda model, picture: model(picture))

# %% [markdown]
# Differences of $10^{-14}$ or so are rounding: the same formulas, added up in another order. Notebook 06 loads the real weights the same way.
#
# **Where implementations disagree.** The comparisons above are for published widths, and for pictures whose maps have even sides. Elsewhere answers may differ. By its code, timm cuts the scaled numbers off to whole ones, then rounds the stages' channels to multiples of 8 (not of 16 in stage 1), and leaves the stem as it is, without limits; ours follows ml-cvnets. Both rules, at five widths:

# %%
for alpha in (0.5, 0.625, 0.75, 0.875, 4.0):
    stem, stages = scale(alpha)
    theirs = int(32 * alpha), make_divisible(int(64 * alpha), 8)
    print(
        f"α = {alpha:5}: {stem:3} and {stages[0][0]:3} channels in stem and stage 1, timm {theirs[0]:3} and {theirs[1]:3}"
    )

# %% [markdown]
# So a checkpoint for $\alpha = 0.625$ from one does not fit the other. Odd maps were the subject of notebook 04; pictures of 224×224 pixels lead to them.

# %% [markdown]
# ## Exercises · 40 min
#
# Fill in each stub and run its cell. The check prints one line, and names the mistake if it recognises one.

# %% [markdown]
# ### 5.1 · The rounding rule ★★ · 4 min
#
# Round `value`, a positive number, to the nearest multiple of `divisor` (halves go up). If that would lose more than a tenth of `value`, take the next multiple.
#
# <details><summary>Hint</summary>
#
# `int(value + divisor / 2) // divisor * divisor` is the nearest multiple.
#
# </details>


# %% tags=["exercise"]
def round_channels(value, divisor):
    ### BEGIN SOLUTION
    nearest = int(value + divisor / 2) // divisor * divisor
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
# `min(64, max(16, …))` limits the stem.
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
# 1. You *built* the model from its table; it equals the library's, which equals timm's and transformers', as far as they are installed.
# 2. You *traced* a picture from 256×256 pixels to 8×8, and from there to its class scores.
# 3. You *decided*, by counting and with the paper's own totals, that its table prints one block too many.
# 4. You can *predict* parameters and work: a little less than $\alpha^2$ for the width; proportional to the pixels for sizes that are multiples of 64, but for the classifier.
# 5. You can *read* an accuracy plot: who is ahead depends on which cost is on the axis, and on who chose the rows.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Tables 2, 5, 6 and 7.
# - S. Mehta and M. Rastegari, *MobileViT*, arXiv 2110.02178.
# - timm's counts: [results of the pytorch-image-models repository](https://github.com/huggingface/pytorch-image-models/tree/main/results).
