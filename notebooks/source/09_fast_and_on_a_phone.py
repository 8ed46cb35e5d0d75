# %% [markdown]
# # 09 · Fast, and on a phone
#
# **You make a trained model answer sooner without changing its answers, and write it to a file that runs without
# PyTorch.**
#
# **You will be able to**
#
# 1. *profile* a network, and find the least time that its products need,
# 2. *rewrite* it so that it answers sooner, and check that the answers stay the same,
# 3. *export* it to a file for another runtime, and notice when the file is wrong,
# 4. *quantize* it to 8 bits, and say what that costs,
# 5. *judge* a claim of speed by looking inside both sides.
#
# **You need** notebooks 02, 03, 04 and 06; of 08, what it says about preparation. No network, no graphics card. The section about files runs the packages `onnx`,
# `onnxscript` and `onnxruntime`. Without them, its cells tell you how to install them.
#
# *121 minutes: 84 to read, run and build, 37 for the exercises at the end.*
# All cells together take less than a minute.

# %% [markdown] slide="Before you change anything, look."
# ## Where the time goes · 0 min
#
# The set-up:

# %%
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib.course import checks, figures, records, tables, timing

# %% [markdown]
# A model is trained once, and answers every day. On a phone, it gets one picture at a time. So we make that case fast.
#
# We take MobileViTv2 at $\alpha = 0.5$ and a photograph. How long it takes hardly depends on the weights, so random
# weights will do. But whether two forms give *equal answers* does depend on them. In a fresh batch norm, every mean is 0 and
# every variance 1, and most mistakes would go unnoticed. We draw these numbers instead, as if the model had been trained:

# %%
torch.set_num_threads(1)
torch.manual_seed(0)
model = mv.MobileViTv2(0.5).eval()
for module in model.modules():
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.running_mean, std=0.2)
        nn.init.uniform_(module.running_var, 0.5, 1.5)
        nn.init.uniform_(module.weight, 0.5, 1.5)
        nn.init.normal_(module.bias, std=0.2)
picture = mv.preprocess(mv.sample_picture("chelsea"))  # [1, 3, 256, 256]


def answer(network):
    with torch.inference_mode():
        return network(picture)


expected = answer(model)

# %% [markdown] predict="Nearly all multiply–accumulates are in convolutions and linear layers. The profiler calls the latter `addmm`. What share of the time do they take? What takes the rest?"
# Before you change anything, look. A *profiler* notes how long each operator takes. Names that begin with `aten` are
# PyTorch's own:
#
# > **Predict.** Nearly all multiply–accumulates are in convolutions and linear layers (the profiler calls these
# > `addmm`). What share of the time do they take? What takes the rest?

# %% tags=["nbval-ignore-output"] slide="Most of it is products. The rest reads a map and writes it back"
taken = timing.breakdown(lambda: answer(model), repeats=8)
figures.show(
    figures.operators({"our model": taken}, timing.machine()),
    alt="One bar, cut into the times of the operators. Convolutions and addmm take "
    "most of it, SiLU and the batch norms more than a fifth.",
)
products = ("conv", "mm")  # mm, addmm, bmm
share = sum(
    seconds for name, seconds in taken.items() if any(part in name for part in products)
) / sum(taken.values())
print(f"convolutions and products take {share:.0%} of the time")
assert 0.3 < share < 0.95, share

# %% [markdown] predict="Freed memory may be kept, or returned to the system. The widest map of our network holds four megabytes. How much longer does a call take where memory is returned?"
# *The operators of one forward pass, by PyTorch's profiler.* The largest piece is the 1×1 convolutions. PyTorch
# calls its way to them slow, though it is a plain product of matrices. In the stored
# output, the activation SiLU and the batch norms take more than a fifth together, without one multiply–accumulate that we
# count. They read a whole map, change every number, and write it back.
#
# One cost hides inside all of these pieces. When a program asks for a few megabytes, the system hands out *pages*, usually
# of four kilobytes. At its first touch, each is cleared and entered into the program's table of memory, and that is a
# *page fault*. In notebook 03, this was the fourth of the five mistakes. When a tensor is freed, its memory may go
# back to the system, and the next call begins again. Whether it goes back is up to the C library, the layer between
# programs and the system.
#
# Here is a call of such a network in two new processes. In one, the C library returns every block larger than 128 kilobytes, and
# in the other it keeps all.
#
# > **Predict.** The widest map of our network holds four megabytes. How much longer does the call take where memory is
# > returned?

# %%
program = """
import resource, time, torch, mvit2_lib as mv

torch.set_num_threads(1)
model, picture = mv.MobileViTv2(0.5).eval(), torch.rand(1, 3, 256, 256)
seconds, faults = [], []
for _ in range(12):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    start = time.perf_counter()
    with torch.inference_mode():
        model(picture)
    seconds.append(time.perf_counter() - start)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(sorted(faults)[6], "page faults,", round(1e3 * min(seconds), 1), "ms")
"""

# %% tags=["nbval-ignore-output"] slide="The same arithmetic takes longer where memory is new"
import os
import subprocess
import sys

returns = {"MALLOC_MMAP_THRESHOLD_": "131072"}
keeps = {"MALLOC_MMAP_THRESHOLD_": "30000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}
for name, settings in {"returned": returns, "kept": keeps}.items():
    told = {"capture_output": True, "text": True, "env": os.environ | settings}
    done = subprocess.run([sys.executable, "-c", program], **told)
    print(f"{name:9}", done.stdout.strip() or "This system does not count page faults.")

# %% [markdown]
# The two settings are those of Linux's usual C library; elsewhere the lines may agree. In the stored output, the same
# arithmetic takes more than twice as long where its memory is new every time.
#
# Left alone, the C library learns, and lies between the two. It begins by returning, and from then on keeps blocks up
# to the size of the largest that it has seen freed, at most 32 megabytes. So two forms in one process change each
# other's memory, and are hard to compare. We teach our process once and for all, with a block of nearly that size:

# %%
large = torch.empty(30 * 2**20, dtype=torch.uint8)
del large

# %% [markdown]
# How fast could this network be? The convolutions and products must be done, whatever we do. So measure them alone:
# every layer on random numbers of the right shape, with nothing in between. That is the *floor*. A 1×1 convolution is
# a linear layer for every pixel (notebook 04), so we time both as a product of two matrices. All layers read from the
# same piece of memory and write to the same, so that memory costs as little as it can:


# %%
def floor(network):
    numbers, result, layers, hooks = torch.randn(2**21), torch.empty(2**21), [], []

    def note(layer, inputs, output):
        x = numbers[: inputs[0].numel()]
        if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1):
            B, C, H, W = inputs[0].shape
            x = x.view(B, H, W, C).permute(0, 3, 1, 2)
            layers.append(lambda: layer(x))
        else:
            weight = layer.weight.detach().flatten(1).T
            out = result[: output.numel()].view(-1, weight.shape[1])
            layers.append(lambda: torch.mm(x.view(-1, len(weight)), weight, out=out))

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(note))
    answer(network)
    [hook.remove() for hook in hooks]
    return lambda image: [layer() for layer in layers]


# %% [markdown]
# From here on we race *forms* of the model against each other. `timing.measure` is the protocol of notebook 03: warmed
# up, one thread, in rounds that take turns, and the shortest time counts. A form may only take part if it gives the
# same answer. The first form named is the reference. The floor answers nothing, and takes the picture only to be
# called like a network.


# %%
def race(**forms):
    for name, network in forms.items():
        if name != "floor":
            torch.testing.assert_close(answer(network), expected, rtol=0, atol=1e-4)

    def contestant(network):
        return lambda _: lambda: answer(network)

    contestants = {name: contestant(network) for name, network in forms.items()}
    timings = timing.measure(contestants, [256], rounds=7, progress=False)
    first = timings.seconds(timings.names[0])[0]
    for name in timings.names:
        best = timings.seconds(name)[0]
        print(f"{name:15} {1e3 * best:5.1f} ms, {first / best:.2f} times as fast")
    return {name: timings.seconds(name)[0] for name in timings.names}


# %% [markdown] predict="The *floor* is the time of the products alone. How many times as fast as our model is it?"
# > **Predict.** How many times as fast as our model is the floor?

# %% tags=["nbval-ignore-output"] slide="No more than this factor can be won *around* the products"
best = race(plain=model, floor=floor(model))
assert best["floor"] < best["plain"], best

# %% [markdown] slide="A gain is worth no more than the share it applies to."
# About this factor can be won *around* the products, as PyTorch computes them on one thread. The next section tries.
#
# ## One change at a time · 14 min
#
# **Put the channels last.** PyTorch keeps a map `[B, C, H, W]` channel by channel: first all pixels of the first
# channel, then all of the second. *Channels last* keeps all channels of the first pixel together, then those of the
# second. The shape stays the same, and only the order in memory changes. A pixel is then a row of $C$ numbers, as a
# token is a row of $d$.
#
# > **Predict.** A depthwise 3×3 convolution and a 1×1 convolution, each with the channels first and last. Which of the
# > two gains from the other order?


# %% tags=["nbval-ignore-output"] slide="The depthwise convolution gains much, the 1×1 little"
def microseconds(layer, x):
    def run():
        with torch.inference_mode():
            layer(x)

    timings = timing.measure({"": lambda _: run}, [1], progress=False)
    return 1e6 * timings["", 1].best


maps = torch.randn(1, 64, 128, 128)  # [B, C, H, W]
layers = {
    "depthwise 3×3": nn.Conv2d(64, 64, kernel_size=3, padding=1, groups=64),
    "1×1": nn.Conv2d(64, 64, kernel_size=1),
}
for name, layer in layers.items():
    first = microseconds(layer, maps)
    order = {"memory_format": torch.channels_last}
    last = microseconds(layer.to(**order), maps.to(**order))
    print(f"{name:14} channels first {first:5.0f} µs, last {last:5.0f} µs")

# %% [markdown] predict="With channels last, how many times as fast does the whole network become?"
# A 1×1 convolution is a matrix product in both orders, and gains little. For the depthwise convolution, PyTorch's library
# works on many channels at once. If they come first, it sorts the whole map before and after, and if they come last,
# it need not. This holds on most PCs, and other processors may differ.
#
# Our model turns its picture to channels last in its first line, and everything after it stays so. To see what that is
# worth, we call its parts ourselves and leave that line out.
#
# > **Predict.** How many times as fast does the whole network become?


# %% tags=["nbval-ignore-output"] slide="Only a few per cent. That is Amdahl's law"
def channels_first(image):
    x = model.stages(model.stem(image.contiguous()))  # [B, C, H/32, W/32]
    return model.classifier(x.mean(dim=(2, 3)))


best = race(channels_first=channels_first, plain=model)

# %% [markdown] slide="In evaluation, a batch norm multiplies each channel by one number and adds another"
# The layer becomes about three times as fast, and the whole network gains some per cent. Depthwise convolutions take a
# small share of its time, and a gain is worth no more than the share it applies to. This is *Amdahl's law*, and the reason to
# profile first.
#
# **Fold the batch norms.** In evaluation, the statistics of a batch norm are constants. Per channel, with $\sigma =
# \sqrt{\text{variance} + \varepsilon}$, it computes
#
# $$y = \gamma\,\frac{z - \mu}{\sigma} + \beta$$
#
# from the output $z = w * x + b$ of the convolution before it. That is a number times the output plus a number, and both
# can be moved into the convolution's weight and bias. One layer then does the work of two, and a pass over the map is
# saved.
#
# ### 9.1 · Fold a batch norm ★★ · 8 min
#
# `conv` and `norm` are layers in evaluation mode. Return a new `nn.Conv2d` that does in one what `conv` followed by
# `norm` does, and leave the two as they are. `conv` may have a bias or none, a stride, a padding and groups. The
# numbers of the norm are `norm.running_mean`, `norm.running_var`, `norm.weight` ($\gamma$), `norm.bias` ($\beta$) and
# `norm.eps` ($\varepsilon$).
#
# <details><summary>Hint</summary>
#
# Put $z = w * x + b$ into the formula and collect the terms in $x$: the new weight is $\gamma w / \sigma$. What is left is the new
# bias. `conv.weight` is `[out, in, kernel, kernel]`, and $\gamma / \sigma$ has one number for each *out*.
# `copy.deepcopy(conv)` copies stride, padding and groups as well, and a bias can be put into the copy as an
# `nn.Parameter`.
#
# </details>


# %% tags=["exercise"]
def fold_norm(conv, norm):
    ### BEGIN SOLUTION
    from copy import deepcopy

    folded = deepcopy(conv)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = 0 if conv.bias is None else conv.bias
    folded.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    folded.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)
    return folded
    ### END SOLUTION


checks.fold_norm(fold_norm)

# %% [markdown]
# The library's `fuse` does this to a whole model:

# %% tags=["nbval-ignore-output"]
from mvit2_lib.deploy import fuse

folded = fuse(model)
best = race(plain=model, folded=folded)

# %% [markdown]
# **Touch memory less.** `mv.optimize_for_inference` folds the norms, takes every 1×1 convolution as the product it is,
# and writes the widest maps, those inside the inverted residuals, into one piece of memory that it keeps from call to
# call, whatever the C library does. It returns a new model, and the old one stays as it is:

# %% tags=["nbval-ignore-output"] slide="Folded norms, and memory that is kept"
optimised = mv.optimize_for_inference(model)
best = race(plain=model, folded=folded, optimised=optimised, floor=floor(model))
assert best["floor"] < best["plain"], best

# %% [markdown]
# The last step gains little here, because our process has been taught to keep its memory.
#
# **Go over the map less often.** The network's other norm has one mean and one variance for all tokens and channels of a
# picture (notebook 04). Written as its formula reads, it goes over the whole map eight times. Our
# `GroupNorm1` hands it to one operator of PyTorch:


# %% tags=["nbval-ignore-output"] slide="Fewer passes over the map"
def norm_as_written(x, weight, bias, eps):
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


tokens = torch.randn(1, 4, 256, 64) + 0.5  # [B, P, N, d]
norm = model.stages[2][1].norm
numbers = (norm.weight, norm.bias, norm.eps)
ways = {"as written": lambda x: norm_as_written(x, *numbers), "GroupNorm1": norm}
for name, way in ways.items():
    torch.testing.assert_close(way(tokens), norm(tokens))
    print(f"{name:10} {microseconds(way, tokens):4.0f} µs")

# %% [markdown]
# ### 9.2 · The same norm in fewer passes ★★★ · 10 min
#
# `x` is `[B, P, N, d]`, `weight` and `bias` are `[d]`. Return what `norm_as_written` returns, for any `B`, with at
# most *three* operators that read or write as many numbers as `x` has. One that does both counts once, and so does a
# copy. Reshaping that only looks at the same memory in another way is free.
#
# <details><summary>Hint</summary>
#
# `F.layer_norm(x, shape, eps=eps)` normalises over the last axes, as many as `shape` has, and is one operator. What it
# does not know is our `weight` and `bias`, which have one number for each channel.
#
# `torch.var_mean` finds both statistics in one pass, too. Time what you wrote: fewer passes are not always less time.
#
# </details>


# %% tags=["exercise"]
def fast_norm(x, weight, bias, eps):
    ### BEGIN SOLUTION
    y = F.layer_norm(x, x.shape[1:], eps=eps)  # [B, P, N, d]
    return torch.addcmul(bias, y, weight)
    ### END SOLUTION


checks.fast_norm(fast_norm)

# %% [markdown] slide="Every bar is a form of the same network, with the same answers." ask="What should a fast form be compared with?"
# ## The way down · 40 min
#
# The bars below were measured beforehand, each form in a process of its own, in rounds that took turns. `make bench`
# repeats it, and compares all answers. The top bar is timm's model, which many people use, with the same weights:

# %% slide="From timm's model down to below the floor"
batch_1 = records.measured("batch_1")
forms = {
    "timm, plain": "timm as it comes",
    "ours, plain": "ours: channels last, pooled keys",
    "ours, optimised": "norms folded, widest maps kept",
    "ours, optimised, kept": "all freed memory kept",
    "ours, ONNX Runtime": "ours, in ONNX Runtime",
    "ours, ExecuTorch": "ours, in ExecuTorch",
}
figures.show(
    figures.waterfall(batch_1, 50, forms, "floor, F.linear"),
    alt="Six bars from timm's time down to that of ExecuTorch. The last two are below "
    "the floor. Each bar says how many times as fast as timm it is.",
)

# %% [markdown]
# *Each bar is a form of the same network at* $\alpha = 0.5$*: the median of 15 rounds, and pale, what it saves against the
# bar above. The ratio to timm is the median of the ratios within each round.* Medians, because page faults are part of
# what a user waits for. "Pooled keys" is the attention of notebook 02, which pools before it projects. In the fourth row, the C
# library was told to keep all freed memory. The last two bars are other runtimes, which the next section is about.
#
# But against *what*? Kept memory and other runtimes help timm's model as well. So here are the ratios to timm's time, for
# three widths, with those forms of timm's model, too:

# %%
WIDTHS = {50: "α = 0.5", 100: "α = 1.0", 200: "α = 2.0"}


def ratios(timings, pairs, sizes=WIDTHS, caption=""):
    rows = []
    for said, (slow, fast) in pairs.items():
        row = {"": said}
        for size, name in sizes.items():
            row[name] = f"{timings.ratio(slow, fast, size):.2f}"
        rows.append(row)
    tables.show(rows, caption)


# %% slide="The wider the network, the less can be won around the products"
against_timm = {
    "timm, plain, kept": "timm, all freed memory kept",
    "timm, folded": "timm, norms folded, channels last",
    "timm, ONNX Runtime": "timm, in ONNX Runtime",
    "timm, ExecuTorch": "timm, in ExecuTorch",
    "ours, compiled": "ours, optimised and compiled",
    "floor, F.linear": "the floor",
}
against_timm = forms | against_timm
ratios(batch_1, {said: ("timm, plain", form) for form, said in against_timm.items()})

# %% [markdown] slide="A phone has no Python. Export writes operators and weights into a file." ask="How would you notice that an exported file is wrong?"
# The wider the network, the more of its time is in products, and the less there is to win around them. With kept memory
# on both sides, our optimised form is ahead of timm's plain one by about a quarter at $\alpha = 0.5$. In ONNX Runtime the two are
# close, because that runtime folds and rearranges by itself. Other runtimes also have faster products, partly
# because they arrange the weights in advance, so they can end up below our floor.
#
# **What did not help.** `torch.compile` fuses what lies between the products and plans the memory. It takes up to a
# minute, and as the table shows, it gains hardly more here than memory that is kept. We also built attention that does
# not unfold the map, and folded the weights of the group norms into the layers behind them. Neither gained anything
# that we could measure, so neither is in the library.
#
# ## To a file, and out of PyTorch · 45 min
#
# A phone has no Python. It has a *runtime*, a small program that reads a file with the network in it. *Export* traces
# the model once and writes down its operators and weights. Three such pairs are common:
#
# | file | runtime | at home on |
# |---|---|---|
# | `.onnx` | ONNX Runtime | servers, desktops, browsers, phones |
# | `.pte` | ExecuTorch, PyTorch's own, with XNNPACK | Android and iOS |
# | `.mlpackage` | Core ML | Apple's devices |
#
# XNNPACK is a library of fast *kernels*, the small programs that compute an operator, for the processors of phones and
# PCs. We export the digit model, because its weights are trained and its answers mean something. `notes` are what the file
# says about itself: its classes, and how it wants its pictures.

# %%
import tempfile
from pathlib import Path

digits = mv.load_pretrained("digits")
notes = digits.notes_for(digits.classes)
place = Path(tempfile.mkdtemp())


def export(name, **options):
    try:
        return mv.export(digits.model, place / name, image_size=64, **options)
    except RuntimeError as error:
        if str(error).startswith("not written"):  # the file was wrong
            raise
        print(error)


# %% tags=["nbval-ignore-output"]
difference = export("digits.onnx", notes=notes)
if difference is not None:
    print(f"largest difference of a logit from the model's: {difference:.0e}")

# %% [markdown]
# Now forget PyTorch. Beside the file we put a picture, one of the held-out digits, and a short program that the library
# brings along, `run_onnx.py`. It imports `onnxruntime`, `numpy` and `pillow`. We start it in a new process in which
# importing `torch` is an error:

# %% tags=["nbval-ignore-output"] slide="Without PyTorch"
import shutil

from mvit2_lib.data.samples import digit_picture

digit_picture(7).save(place / "digit.png")
shutil.copy(Path(mv.__file__).parent / "deploy" / "run_onnx.py", place)
no_torch = (
    "import runpy, sys; sys.modules['torch'] = None; sys.argv.pop(0); "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
command = [sys.executable, "-c", no_torch, "run_onnx.py", "digits.onnx", "digit.png"]
if difference is not None:
    alone = subprocess.run(command, cwd=place, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    print(alone.stdout)

# %% [markdown]
# And PyTorch's answer to the same picture file:

# %%
image = digits.preparation(mv.open_image(place / "digit.png"))
with torch.inference_mode():
    shares = digits.model(image).softmax(dim=1)[0]
for share, index in zip(*shares.topk(5), strict=True):
    print(f"  {share:6.1%}  {digits.classes[index]}")

# %% tags=["nbval-ignore-output"]
if difference is not None:
    theirs = [line.split()[1] for line in alone.stdout.splitlines()[1:]]
    ours = [digits.classes[index] for index in shares.topk(5).indices]
    assert theirs == ours, (theirs, ours)
    print("The same five names in the same order.")

# %% [markdown] predict="Set every context score of the digit model to 1. How many of the 382 held-out digits does it still get right?"
# The picture was opened, resized and scaled by another program, though with the same Pillow, and answered by another
# runtime. A
# file whose picture is prepared in another way gives other answers, without any error (notebook 08). Exercise 9.6 is
# about finding out what went wrong.
#
# **The phone's own form.** Fast in one runtime can be slow in another. Our model keeps the $d$ numbers of a token side
# by side, `[B, P, N, d]`, because PyTorch's matrix products like rows. XNNPACK has fast kernels for *maps*, `[B, d, …]`. What it does not know, it
# leaves to general ones that nobody has tuned. Exported as it stands, our model takes 75 to 100 times as long there as
# timm's. So `mv.export(…, to="executorch")` first turns the model, exactly, into a form in which every linear layer
# is a 1×1 convolution. Then XNNPACK takes practically the whole network, in one piece.
#
# **A file that is wrong without any error.** The first time we did that, the file ran, fast, and answered wrongly. The
# context scores are the softmax of a convolution with *one* output channel. ExecuTorch 1.5.1, seeing a convolution,
# took the softmax over the channels instead of the tokens. With one channel, every score becomes 1. People make the same
# mistake (notebook 02); here a compiler made it. What would it have done to the digits?
#
# > **Predict.** The digit model with all context scores 1. How many of the 382 held-out digits does it still get right?


# %% slide="It runs without an error, and gets 88 of 382 right"
class WrongAxis(mv.SeparableSelfAttention):
    def context_scores(self, x):
        return self.W_I(x).softmax(dim=-1)  # over the one channel: always 1


wrong = mv.load_pretrained("digits").model
for module in wrong.modules():
    if isinstance(module, mv.SeparableSelfAttention):
        module.__class__ = WrongAxis
held_out = mv.load_digits("test")
for name, network in (("as trained", digits.model), ("wrong axis", wrong)):
    right = mv.accuracy(network, mv.Pictures(*held_out))
    print(f"{name}: {right * len(held_out[1]):.0f} of {len(held_out[1])} right")

# %% [markdown] slide="Does a weight need 32 bits?" ask="Which would you rather round, the weights or the maps?"
# Somebody who only checks that the file runs would have shipped it. So `mv.export` asks every file that it can run for
# its answers, on pictures to which the model gives different ones, and keeps a 32-bit file only if they are the model's.
# The cure was
# to flatten the scores before the softmax. Exercise 9.5 has you write such a test.
#
# ## Eight bits · 53 min
#
# A weight is a 32-bit number. Do we need so many? *Quantizing* to 8 bits keeps for each weight `w` a whole number `q`
# between −127 and 127, and for each output channel one *scale* `s`, so that $w \approx s\,q$. The file becomes up to four
# times smaller, and whole numbers multiply faster.
#
# ### 9.3 · Quantize by hand ★★ · 8 min
#
# `weight` is `[out, in]` or `[out, in, kernel, kernel]`. Return `(q, s)`: the nearest whole numbers in the shape of `weight`,
# of any data type, and the scales `[out]`. The value of each output channel that is farthest from zero becomes 127 or
# −127, by its sign. A channel that holds only zeros gets the scale 1.
#
# <details><summary>Hint</summary>
#
# `weight.flatten(1)` has a row for each output channel, whatever the kernel. `torch.round` rounds. To divide, the
# scales need as many axes as the weight has.
#
# </details>


# %% tags=["exercise"]
def quantize(weight):
    ### BEGIN SOLUTION
    s = weight.flatten(1).abs().amax(dim=1) / 127
    s[s == 0] = 1.0
    q = torch.round(weight / s.view(-1, *[1] * (weight.ndim - 1)))
    return q.to(torch.int8), s
    ### END SOLUTION


checks.quantize(quantize)

# %% [markdown]
# That was for the weights. The maps between the layers become whole numbers, too, and their ranges are not known in
# advance. So the tools of each runtime watch some typical pictures go by and note the range of each map. That is called
# *calibration*. We give them a hundred training digits:

# %% tags=["nbval-ignore-output"] slide="A smaller file, at the price of one digit"
typical = [mv.load_digits("train")[0][:100]]  # [100, 1, 64, 64]
worst = export("small.onnx", notes=notes, quantize=typical)


def of_file(name):
    import onnxruntime

    file = place / name
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    right = 0
    for image, label in zip(*held_out, strict=True):
        (logits,) = session.run(None, {"image": image[None].numpy()})
        right += int(logits.argmax()) == int(label)
    print(f"{name:12} {file.stat().st_size / 1e3:5.0f} kB, {right} right")
    return right


if worst is not None:
    full, small = of_file("digits.onnx"), of_file("small.onnx")
    assert small >= full - 0.01 * len(held_out[1]), (full, small)

# %% [markdown]
# The weights shrink by four, and the file does not. Each step into 8 bits and out of them is an operator of its own, so
# the list of operators has more than doubled.
#
# The score says something about these digits only. So here are more rows, measured beforehand with `make bench`:
# the digits and the textures of notebook 08, in two runtimes, with the shortest time for one picture.

# %% slide="Small networks gain little from 8 bits, and may lose"
eight_bits = records.measured("eight_bits")
rows = []
for row in eight_bits.measurements:
    size = f"{row.file_bytes / 1e3:.0f}" if row.file_bytes else "–"
    score = f"{row.accuracy:.1%}"
    rows.append(
        {"": row.name, "file, kB": size, "ms": f"{1e3 * row.best:.2f}", "right": score}
    )
tables.show(rows)

# %% [markdown]
# The price is small here. One digit of 382 is lost, and the textures change by one tile or none, which is chance. But in
# ONNX Runtime, 8 bits make this small network *slower*. Probably the steps into whole numbers and out of them cost more
# there than such small products gain. And note PyTorch's own time: between operators this small, it mostly waits for
# Python.
#
# Larger networks with random weights, 256×256 pixels, say nothing about the score, but they do about time. How many
# times as fast are 8 bits as 32, in the same runtime?

# %% slide="The wider the network, the more 8 bits gain"
pairs = {}
for runtime in ("ONNX Runtime", "ExecuTorch"):
    pairs[runtime] = (f"ours, {runtime}", f"ours, {runtime}, 8 bits")
ratios(batch_1, pairs)

# %% [markdown] slide="“3.2× faster on a mobile device”: where can such a factor come from?"
# The wider the network, the more of its time is in products, and the more 8 bits gain. How much that is depends on the
# instructions that a processor has for such products.
#
# <details><summary>The fine print: seven bits, and when an 8-bit file is kept</summary>
#
# For ONNX, the library gives the weights only seven of the eight bits. On many processors, the sum of two products of
# 8-bit numbers does not fit into the 16 bits that it gets, and the result would be wrong without any error. Of an
# 8-bit file, `mv.export` demands the model's best answer for nine of ten calibration pictures.
#
# </details>
#
# ## Three times faster? · 66 min
#
# The abstract of the paper says that MobileViTv2 runs "3.2× faster on a mobile device" than MobileViT v1, which has
# multi-head attention. Where can such a factor come from, and does it come from the attention?
#
# **What was published.** This table is in the library, each row with its source, all at 256×256 pixels. v1 comes in the
# sizes XXS, XS and S, and each stands against the v2 of about the same accuracy:

# %% slide="Near three on the paper's phone; all other marks lie below two"
from mvit2_lib.course.published import published

rows, speedups = published("v2_against_v1"), []
for row in rows:
    v1, v2 = row["v1_value"], row["v2_value"]
    speedups.append(v2 / v1 if row["unit"] == "img/s" else v1 / v2)
figures.show(
    figures.speed_ratios(rows, speedups),
    alt="Speed of v2 over v1 by device. The marks for an iPhone 12 are near three; "
    "all others lie between 0.78 and 1.98, many of them below one.",
)

# %% [markdown]
# *Each mark is one published comparison.* The two at three are from the paper's Table 2, on a phone, with the software
# of 2022. The abstract's 3.2 is not among them. All other marks are below two, and for XXS against $\alpha = 0.5$ many are
# below one: v2 is slower there. But they were made on servers, PCs and small boards, and the claim is about a phone.
#
# **Count.** If time went by multiply–accumulates (MACs), what would the swap of the attention alone be worth? Here is our
# network, once with separable and once with multi-head attention:

# %% slide="By count, the attention cannot be worth three at 256 × 256"
rows = []
for alpha in (0.5, 1.0):
    for side in (256, 512):
        macs = [
            mv.count_macs(mv.MobileViTv2(alpha, attention=name), 1, 3, side, side)
            for name in ("separable", "multi_head")
        ]
        row = {"α": alpha, "pixels": f"{side}×{side}"}
        rows.append(row | {"multi-head / separable": f"{macs[1] / macs[0]:.2f}"})
tables.show(rows, caption="MACs of the whole network")

# %% [markdown] predict="In which of the three runtimes does the famous factor appear? Is it also there when only the attention is swapped?"
# So by counting, the attention cannot be worth a factor of three at 256×256. But time does not go by MACs (notebook 03).
#
# **Measure.** A phone's runtime runs on other processors, too. Here are v1 and v2 on one core of the same processor in
# three runtimes, both as timm writes them. The first column is v1-XXS against v2 at $\alpha = 0.5$, the second v1-S against
# $\alpha = 1.0$. Below them is the fairer comparison: *our* network with only the attention exchanged. Its multi-head
# attention is fused in PyTorch (notebook 03), and written as products and a softmax in the phone's form.
#
# > **Predict.** In which of the three runtimes does the famous factor appear? Is it there for the swap as well?

# %% slide="In ExecuTorch, and only there. Swapping only the attention does not show it"
runtimes = {"plain": "PyTorch", "ONNX Runtime": "ONNX Runtime"}
runtimes["ExecuTorch"] = "ExecuTorch"
pairs = {}
for way, said in runtimes.items():
    pairs[f"v1 / v2, {said}"] = (f"v1, {way}", f"timm, {way}")
for way, said in runtimes.items():
    pairs[f"multi-head / separable, {said}"] = (f"multi-head, {way}", f"ours, {way}")
columns = {50: "XXS, 0.5", 100: "S, 1.0"}
ratios(batch_1, pairs, columns)

# %% [markdown] predict="Where does v1 lose its time in ExecuTorch: in the products, in the softmax, or outside XNNPACK, in general kernels?"
# There it is, nearly three for the narrow pair, in ExecuTorch and only there. The swap, which changes nothing but the
# attention, does not show it.
#
# A story offers itself: the phone's runtime is bad at multi-head attention as v1 has it. A story is not evidence. We look
# inside.
#
# **Inside the runtime.** ExecuTorch can keep a log with the time of every operator, also of those that it hands over to
# XNNPACK. "Outside" is what XNNPACK does not take. It runs in general kernels:
#
# > **Predict.** Where does v1 lose its time: in the products, in the softmax, or outside?

# %% slide="Neither products nor softmax: most of the difference lies outside"
inside = records.measured("inside")


def times_inside(form, size=50):
    kinds = {}
    for row in inside.measurements:
        name, kind = row.name.split(", ", 1)
        if (name, row.size) == (form, size):
            kinds[kind] = row.best
    return kinds


figures.show(
    figures.operators(
        {"v2": times_inside("timm"), "v1": times_inside("v1")}, inside.machine
    ),
    alt="Two bars. That of v2 is mostly products. That of v1 is about three times as "
    "long, and most of it lies outside: an operator called where, one called eq.",
)

# %% [markdown] predict="With one switch, timm writes v1's attention as two products and a softmax. What is left of the factor?"
# *The kinds of operators in one forward pass, v2 at* $\alpha = 0.5$ *and v1-XXS.* Neither the products nor the softmax makes
# the difference. It is mostly `where`, `eq`, `logical_not` and `any`, and there are no such operators in the formula of
# attention. What do they do?
#
# timm calls PyTorch's one operator for attention, `scaled_dot_product_attention`. Export spells it out, and adds a guard.
# If *all* scores of a row are −∞, the softmax would be 0/0. That happens only with a mask, in practice. So the file asks
# for every row whether it is so (`eq`, `logical_not`, `any`), and if yes puts zeros there (`where`). v1 has no mask.
# XNNPACK does not know these operators, so each runs in a general kernel, over one number for every pair of tokens.
#
# **Change one thing.** timm has a switch that computes the attention by two products and a softmax instead. The answers
# are the same, and hardly anything else changes:
#
# > **Predict.** What is left of the factor?

# %% slide="One switch, and most of the factor is gone"
in_the_runtime = {
    "v1 as it comes / v2": ("v1, ExecuTorch", "timm, ExecuTorch"),
    "v1 spelled out / v2": ("v1 spelled out, ExecuTorch", "timm, ExecuTorch"),
    "multi-head / separable": ("multi-head, ExecuTorch", "ours, ExecuTorch"),
}
ratios(batch_1, in_the_runtime, columns)

# %% slide="The difference was a guard for fully masked rows, and nothing is masked here"
bars = {"v2": "timm", "v1 as it comes": "v1", "v1 spelled out": "v1 spelled out"}
bars |= {"ours, multi-head": "multi-head", "ours, separable": "ours"}
figures.show(
    figures.operators(
        {said: times_inside(form) for said, form in bars.items()}, inside.machine
    ),
    alt="Five bars. v1 as it comes is by far the longest. Spelled out it is less than "
    "half as long, and a little longer than v2.",
)

# %% [markdown]
# *As above, with v1 spelled out, and our own network with both attentions. The log is of another run than the table, so
# its sums differ a little.* With one switch, the factor falls from 2.90 to 1.10, and from 1.72 to 1.15. What had separated
# these two networks at this size was a guard against masks that neither has. Of what is left, `expand` is the largest
# part, again copies that compute nothing.
#
# The last row of the table is about the attention itself. With nothing else exchanged, multi-head attention takes about a
# third longer at $\alpha = 0.5$, and a fifth at $\alpha = 1.0$. The last bar is shorter than that of timm's v2, because the library writes
# its norms and its pooling so that XNNPACK takes them.
#
# Was it this guard on the paper's phone? No. PyTorch has had it since 2024, and the paper's code spelled its attention
# out. What made the factor there, in Core ML, we do not know. But a factor of this size can come from a detail of the
# export, and comparing two totals does not show it. So when you read a claim of speed, ask: *against what, at which
# size, on which device, and written how well?*
#
# **Larger pictures.** Four times the pixels are four times the tokens and sixteen times the pairs. The same rows at 512×512
# pixels:

# %% slide="Larger pictures: four times the tokens, sixteen times the pairs"
ratios(records.measured("512_pixels"), in_the_runtime, columns)

# %% [markdown]
# As it comes, the guard costs v1 even more, because it works on every pair. With only the attention exchanged, the narrow
# network takes about twice as long with multi-head attention, somewhat more than the count of MACs says.
#
# **On a graphics card,** an NVIDIA H200, in PyTorch, with 16 pictures at a time and in float32:

# %% slide="On this graphics card it pays off only with more tokens"
on_the_card = {
    "v1 / v2, both timm's": ("v1, plain", "timm, plain"),
    "multi-head / separable": ("multi-head, optimised", "ours, optimised"),
}
sides = {side: f"{side} pixels" for side in (256, 512, 1024)}
for alpha, name in (("α = 0.5", "gpu_050"), ("α = 1.0", "gpu_100")):
    ratios(records.measured(name), on_the_card, sides, caption=alpha)

# %% [markdown] slide="Not run here, because no phone was at hand. This section says what is left to do." ask="Whose phone, which runtime, and measured how?"
# At 256×256 pixels, neither v2 nor separable attention is faster on this card. The card mostly waits for its next operator.
# At 1024×1024 there are sixteen times as many tokens and 256 times as many pairs, and separable attention is worth a factor
# of two to three. In half precision, which has faster kernels for multi-head attention, it may be less.
#
# So, three times faster? It depends, and now you can say on what: on the number of tokens, and on which operators a
# runtime has good kernels for. At the paper's size, exchanging the attention is worth a fifth to a third on this
# processor, and nothing on this card.
#
# ## On your device · 82 min
#
# Nothing in this section was run for this course, because no phone was at hand. It says what is left to do.
#
# **The files.** In a terminal, for the weights that you want on the phone:
#
# ```bash
# pip install executorch torchao coremltools
# python -m mvit2_lib export model.pte --weights runs/mine/best.safetensors --to executorch
# python -m mvit2_lib export model.mlpackage --weights runs/mine/best.safetensors --to coreml
# ```
#
# **Android.** Put the dependency `org.pytorch:executorch-android` into your app, in the version that wrote the file, copy
# `model.pte` to the phone, and:
#
# ```kotlin
# import org.pytorch.executorch.*
#
# val module = Module.load(path)
# val image = Tensor.fromBlob(pixels, longArrayOf(1, 3, 256, 256))  // FloatArray, 0 … 1
# val logits = module.forward(EValue.from(image))[0].toTensor().dataAsFloatArray
# ```
#
# **iOS.** Add ExecuTorch's Swift package with `backend_xnnpack` and `kernels_optimized`, and the linker flags that its page
# names. Without those, the kernels are not found.
#
# ```swift
# import ExecuTorch
#
# let module = Module(filePath: path)
# let image = Tensor<Float>(pixels, shape: [1, 3, 256, 256])
# let logits: Tensor<Float> = try module.forward(image)[0].tensor()!
# ```
#
# With Core ML, drag `model.mlpackage` into the project, and Xcode writes a class for it. On a Mac, `export` also compares
# the answers; elsewhere it cannot, and warns you.
#
# **First compare, then measure.** Send one picture through your app and through `python -m mvit2_lib predict`. If the five
# names differ, look at the preparation first: RGB and not BGR, numbers from 0 to 1 with nothing subtracted, the
# same resizing and crop. The notes in the file say which.
#
# **Measure by the protocol of notebook 03.** Build the app for release. Let the phone cool down, unplug it, and close all
# other apps. Warm up, then time single calls in rounds that take turns with the model you compare it to, and name what you
# held fixed: threads, size, batch, runtime and its version. Report the shortest time and the median, and repeat after
# ten minutes, because a warm phone slows itself down.

# %% [markdown]
# ## Exercises · 84 min
#
# ### 9.4 · Find the operator that stalls ★★ · 6 min
#
# `profile` is a list of `(name, seconds, macs, bytes)`: what an operator took, what it had to multiply, and what it had to
# read and write. The machine multiplies at most `rate` MACs and moves at most `bandwidth` bytes a second, and does both
# at the same time. So no operator can be faster than the slower of the two. Return the name of the operator in which the
# most *seconds* could be won. Each name occurs once.
#
# <details><summary>Hint</summary>
#
# The longest operator need not be a bad one. The least time of each is `max(macs / rate, bytes / bandwidth)`; what it
# took beyond that is what could be won.
#
# </details>


# %% tags=["exercise"]
def stalling(profile, rate, bandwidth):
    ### BEGIN SOLUTION
    def lost(row):
        name, seconds, macs, moved = row
        return seconds - max(macs / rate, moved / bandwidth)

    return max(profile, key=lost)[0]
    ### END SOLUTION


checks.stalling(stalling)

# %% [markdown]
# ### 9.5 · Run the file, and compare ★★ · 8 min
#
# `model`, in evaluation mode, takes a tensor `[B, C, H, W]`. `run` is an exported file in its runtime: it takes a *numpy array* with *one*
# picture, `[1, C, H, W]`, and returns a numpy array of logits `[1, classes]`. Return the largest absolute difference
# between a logit of the file and the same logit of the model, divided by the largest absolute logit of the model, both
# over all `pictures`. If the file ever answers with a number that is not finite, return infinity.
#
# <details><summary>Hint</summary>
#
# `pictures.split(1)` gives one picture after another, `.numpy()` and `torch.from_numpy` lead to the other side and back.
# A maximum may hide a NaN or may not, depending on the function. Ask `torch.isfinite` before.
#
# </details>


# %% tags=["exercise"]
def file_error(model, run, pictures):
    ### BEGIN SOLUTION
    with torch.no_grad():
        ours = model(pictures)
    theirs = [torch.from_numpy(run(one.numpy())) for one in pictures.split(1)]
    theirs = torch.cat(theirs)
    if not torch.isfinite(theirs).all():
        return float("inf")
    return float((ours - theirs).abs().max() / ours.abs().max())
    ### END SOLUTION


checks.file_error(file_error)

# %% [markdown]
# ### 9.6 · Why does the phone answer differently? ★★ · 7 min
#
# An app sends its pictures to your file, and its answers look wrong. `photo` is a square picture as the
# camera gave it, a tensor `[H, W, 3]` of whole numbers from 0 to 255 in the order red, green, blue. `received` is the
# tensor `[1, 3, H, W]` that the file got, of the same size. At most one thing went wrong. Return which, one of `"nothing"`, `"not divided by 255"`, `"blue
# first"`, `"rows and columns exchanged"`, `"mirrored"` (left and right), `"mean subtracted"`.
#
# <details><summary>Hint</summary>
#
# Prepare the photo as it should be, `[1, 3, H, W]` from 0 to 1. Make each of the first four mistakes with it, one at a
# time, and see which gives `received`. "Mean subtracted" is what is left. Compare with `torch.allclose`.
#
# </details>


# %% tags=["exercise"]
def what_went_wrong(photo, received):
    ### BEGIN SOLUTION
    right = photo.permute(2, 0, 1)[None] / 255  # [1, 3, H, W]
    candidates = {
        "nothing": right,
        "not divided by 255": right * 255,
        "blue first": right.flip(1),
        "rows and columns exchanged": right.mT,
        "mirrored": right.flip(3),
    }
    for name, candidate in candidates.items():
        if candidate.shape == received.shape and torch.allclose(candidate, received):
            return name
    return "mean subtracted"
    ### END SOLUTION


checks.what_went_wrong(what_went_wrong)

# %% [markdown]
# ### An open experiment · 16 min
#
# Export your own model of notebook 08, or the digit model, with 8 bits. Which pictures change their best answer? Then
# calibrate with two pictures only, or with the wrong ones, for example noise. From how many
# typical pictures on does the score stay the same? And if you have a phone: does the row *multi-head /
# separable* look the same there?

# %% [markdown]
# ## What you now know
#
# 1. You can *profile* a network, and you found the least time that its products need.
# 2. You *rewrote* it in small steps, checked the answers each time, and know what a page fault costs.
# 3. You *exported* it, asked the file for its answers without PyTorch, and saw what a wrong softmax does without any
#    error.
# 4. You *quantized* weights by hand and a model by its runtime's tools, and saw the price on two data sets.
# 5. You can *judge* a claim of speed: you met a factor nearly as large as the famous one, looked inside, and saw it
#    vanish with a guard that nobody needed.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Tables 1 and 2.
# - S. Mehta and M. Rastegari, *MobileViT*, arXiv 2110.02178.
# - B. Jacob et al., *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*,
#   arXiv 1712.05877.
# - S. Williams et al., *Roofline*, Communications of the ACM 52(4), 2009: the bound of exercise 9.4.
# - The documentation of ExecuTorch and ONNX Runtime.
