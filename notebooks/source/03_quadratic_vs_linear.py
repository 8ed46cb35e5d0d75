# %% [markdown]
# # 03 · O(k²) against O(k): count, predict, measure
#
# **You make a timing plot that you can trust, and learn to read those of others.**
#
# **You will be able to**
#
# 1. *count* the work and the memory of an attention before you run it,
# 2. *recognise* five ways in which a timing misleads,
# 3. *measure* growth so that the answer repeats: warmed up, one thread, interleaved rounds, the shortest time, a slope with its uncertainty,
# 4. *separate* what is linear in memory from what is linear in time,
# 5. *judge* a claim such as "three times faster" by what was held fixed.
#
# **You need** notebooks 01 and 02. No network, no graphics card; with a graphics card, one section uses it.
#
# About fifty minutes of reading and running, then twenty-five of exercises. All measurements together take half a minute to a minute.

# %% [markdown]
# ## Count first · 0 min
#
# The set-up:

# %%
import statistics
import time

import torch

import mvit2_lib as mv
from mvit2_lib import cost
from mvit2_lib.course import checks, figures, records, timing
from mvit2_lib.course.published import published

# %% [markdown]
# Notebook 02 ended with exact formulas for the multiply–accumulates (MACs) of three attentions over $k$ tokens of width $d$. Here they are
# for $d = 64$, with four heads and $p = 64$ mixed tokens for Linformer. These numbers are the same on every machine, now and in ten
# years.
#
# > **Predict.** With twice as many tokens, separable attention takes twice the work. How many times more does multi-head attention take at 64 tokens
# > than at 32? And at 16 384 than at 8192?

# %%
d, heads, p = 64, 4, 64
print(f"{'k':>6} {'multi-head':>15} {'growth':>7} {'Linformer':>14} {'separable':>13} {'multi-head / separable':>23}")
for k in (2**power for power in range(6, 15)):
    quadratic, halfway = cost.multi_head_macs(k, d), cost.multi_head_macs(k // 2, d)
    linear = cost.separable_macs(k, d, form="executed")
    print(
        f"{k:6} {quadratic:15,} {quadratic / halfway:7.2f} {cost.linformer_macs(k, d, p):14,} "
        f"{linear:13,} {quadratic / linear:23.1f}"
    )

# %% [markdown]
# (Separable attention as the library runs it, pooled first.) The third column divides the work by that for half as many tokens: 2.4 times at 64 tokens, where the four projections
# weigh most, and close to 4 from some thousands on. So even on paper, multi-head attention is not simply "quadratic": it *becomes* quadratic. The
# two parts are equal where $4kd^2 = 2k^2d$, at $k = 2d = 128$.
#
# Now memory. The library's multi-head attention holds the most when the softmax runs: all scores before it, all scores after it, and two
# more tensors as large as $x$: queries and keys. (The values are projected only after the softmax.) Linformer, too, holds its scores twice, and its queries and $p$ mixed keys. Separable attention holds the most at the end, when its $k$ scores are long gone: the gates, their product with the context
# vector, and that vector. Each number is four bytes long:
#
# | attention | most bytes held at once |
# |---|---|
# | multi-head, explicit | $4\,(2hk^2 + 2kd)$ |
# | Linformer | $4\,(2hkp + kd + pd)$ |
# | separable | $4\,(2kd + d)$ |
#
# (For one forward pass of our modules without gradients, beside $x$ and the weights. *Explicit* means: the attention map is a tensor in memory.)

# %%
print(f"{'k':>6} {'multi-head':>14} {'Linformer':>12} {'separable':>11}   bytes")
for k in (64, 256, 1024, 4096, 16384):
    full, mixed = cost.multi_head_bytes(k, d, heads), cost.linformer_bytes(k, d, p, heads)
    print(f"{k:6} {full:14,} {mixed:12,} {cost.separable_bytes(k, d):11,}")

# %% [markdown]
# At 16 384 tokens, one layer of multi-head attention holds 8.6 gigabytes for one picture, and separable attention 8.4 megabytes: a
# thousandth.
#
# Counting is exact, and it is not the whole truth. It does not say how long a multiply–accumulate takes, nor what it costs to fetch
# a number from memory. For that we must measure, and measuring goes wrong easily.

# %% [markdown]
# ## Five ways to be wrong · 8 min
#
# From here on, numbers differ from machine to machine and from run to run. Those you see before you run a cell come from the machine named under the
# figures. The text says what is usual; look whether your machine agrees.
#
# A stopwatch first: how many seconds each of several calls takes.


# %%
def stopwatch(function, calls):
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds


# %% [markdown]
# **One: the first call.** Things happen in it that never happen again: memory is set up, programs are chosen and loaded. Whoever times a single fresh call times that.
#
# > **Predict.** How many times longer than the others does the first call take, in a program that has not used this kind of layer before?

# %% tags=["nbval-ignore-output"]
torch.set_num_threads(1)
layer, x = mv.SeparableSelfAttention(96), torch.randn(1, 300, 96)
with torch.inference_mode():
    first, *others = stopwatch(lambda: layer(x), calls=50)
least = min(others)
print(f"first call {1e3 * first:.2f} ms, shortest of the others {1e3 * least:.2f} ms: {first / least:.0f} times")

# %% [markdown]
# (Run the cell again: this Python process has used such a layer by now, and the effect is much smaller.)
#
# **Two: the mean.** Call the same layer 400 times. Nothing changes between the calls, except what else the machine is doing:

# %% tags=["nbval-ignore-output"]
with torch.inference_mode():
    seconds = stopwatch(lambda: layer(x), calls=400)
figures.show(
    figures.repetitions(seconds, timing.machine()),
    alt="Times of 400 equal calls in their order: a band at the bottom and some calls far above it; the mean lies above the median.",
)

# %% [markdown]
# *Each dot is one call of the same layer. Noise makes calls longer, and hardly ever shorter.* Every call that is held up pulls the mean upwards, so the mean mixes the layer with the rest of the machine: here by a few per cent, on a busy machine by much more. (The first dot is number one again, if much smaller.) The
# shortest time says most about the layer, if there are enough calls, spread over enough time, for some of them to find the machine undisturbed.

# %% [markdown]
# **Three: the number of threads.** PyTorch uses as many threads as there are cores, unless told otherwise. If nothing else is running, more threads are usually faster. If something is, threads
# wait for one another. The same matrix product with one and two threads, first as the machine is now, then while other programs keep all cores but one busy:


# %%
import os
import subprocess
import sys


def other_programs(number):
    work = "import time\nend = time.time() + 20\nwhile time.time() < end: pass"
    programs = [subprocess.Popen([sys.executable, "-c", work]) for _ in range(number)]
    time.sleep(0.3)  # until they run
    return programs


# %% [markdown]
# And to end them:


# %%
def stop(programs):
    for program in programs:
        program.kill()
        program.wait()


# %% [markdown]
# > **Predict.** One or two threads, alone or beside other programs: in which of the four cases will shortest and longest time differ most?

# %% tags=["nbval-ignore-output"]
matrix = torch.randn(384, 384)
for busy in (0, max(1, os.cpu_count() - 1)):
    programs = other_programs(busy)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        ms = sorted(1e3 * seconds for seconds in stopwatch(lambda: matrix @ matrix, calls=80)[20:])
        times = f"shortest {ms[0]:6.2f} ms, median {ms[30]:6.2f} ms, longest {ms[-1]:6.2f} ms"
        print(f"{'busy' if busy else 'as it is':8}, {threads} thread{'s' * (threads - 1):1}: {times}")
    stop(programs)
torch.set_num_threads(1)

# %% [markdown]
# Look at the *longest* times. With one thread they hardly change: it finds a free core. With two, one thread that is held up holds up the product, and a single number may be wrong by a large factor. (If two threads are slower in the first pair of lines already, something else is running on your machine, or it has a single core.) All measurements below use one
# thread.
#
# **Four: new memory.** Where does a large result go? Into new memory, which the operating system hands out piece by piece as it is first written to. When it is no longer used it goes back, and the next call gets new memory again. Fill 64 MiB
# with ones: in new memory, and in memory that we already have.
#
# > **Predict.** The processor writes the same numbers in both cases. How much longer does the new memory take?

# %% tags=["nbval-ignore-output"]
numbers = 64 * 2**20 // 4  # 64 MiB of float32
kept = torch.empty(numbers)
new = min(stopwatch(lambda: torch.empty(numbers).fill_(1), calls=6))
old = min(stopwatch(lambda: kept.fill_(1), calls=6))
print(f"into new memory {1e3 * new:.1f} ms, into old memory {1e3 * old:.1f} ms: {new / old:.1f} times")

# %% [markdown]
# The clock is right: whoever needs 64 MiB (mebibytes, of $2^{20}$ bytes) of new memory in each call pays for them in each call. The mistake is to forget it, and to wonder why a line climbs faster
# than the count of MACs.
#
# **Five: one after the other.** Time all of contestant A, then all of contestant B, and whatever the machine did during B is blamed on B. To see it, let A and B be *the same layer*, and let other programs start
# between them:


# %%
def in_turns(function, calls):
    pairs = [stopwatch(function, calls=1) + stopwatch(function, calls=1) for _ in range(calls)]
    return [first for first, _ in pairs], [second for _, second in pairs]


# %% [markdown]
# Both ways, with other programs from the middle on:

# %% tags=["nbval-ignore-output"]
with torch.inference_mode():
    a = stopwatch(lambda: layer(x), calls=600)
    programs = other_programs(os.cpu_count())
    b = stopwatch(lambda: layer(x), calls=600)
    stop(programs)
    early_a, early_b = in_turns(lambda: layer(x), calls=300)
    programs = other_programs(os.cpu_count())
    late_a, late_b = in_turns(lambda: layer(x), calls=300)
    stop(programs)
pairs = list(zip(early_a + late_a, early_b + late_b, strict=True))
print(f"one after the other, by their totals: B takes {sum(b) / sum(a):.2f} times as long as A")
print(f"in turns, by their totals:            {sum(b for _, b in pairs) / sum(a for a, _ in pairs):.2f} times")
print(f"in turns, median of the pairs:        {statistics.median(b / a for a, b in pairs):.2f} times")

# %% [markdown]
# In turns, both meet the same troubles. Single calls that were held up still weigh on the totals. The median of the ratios ignores them and comes out near one, as it must for one and the same layer.

# %% [markdown]
# ## A protocol · 17 min
#
# What we do about it:
#
# 1. *Warm up*: call everything before the clock starts.
# 2. *One thread.*
# 3. *Interleaved rounds*: every round times every contestant at every size once. A busy moment hits all of them.
# 4. *The shortest* of the rounds is the time; how far the median lies above it is the error bar. A *ratio* of two contestants is taken within each round; the median of the rounds is the ratio.
# 5. *Repeat what is short* within a round, until it takes some milliseconds, so that reading the clock weighs nothing. Do that a few times in a round, and let the shortest count: other programs hold up some of them, but seldom all.
# 6. *Name the machine*, the threads and the version under the figure.
#
# This is the heart of it, for functions that are ready to be called:


# %%
def interleaved(functions, rounds):
    for function in functions.values():
        function()  # warm up
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            seconds[name] += stopwatch(function, calls=1)
    return {name: min(times) for name, times in seconds.items()}


# %% [markdown]
# The library's `timing.measure` does the same with the rest of the list: it repeats what is short (the time of a round is then the shortest of a few means), takes many sizes, shows a progress bar, and can measure
# memory and graphics cards. A *contestant* is a function that takes a size and returns what is to be timed. Making the input is
# then not part of the time. Both should agree, roughly, about the product of two $n \times n$ matrices, which takes $n^3$ MACs:
#
# > **Predict.** How many times as long as for $n = 256$ does the product take for $n = 512$?


# %% tags=["nbval-ignore-output"]
def product(size):
    matrix = torch.randn(size, size)
    return lambda: matrix @ matrix


by_hand = interleaved({size: product(size) for size in (256, 512)}, rounds=9)
timings = timing.measure({"product": product}, [256, 512])
library = {size: timings["product", size].best for size in (256, 512)}
for name, seconds in {"by hand": by_hand, "library": library}.items():
    ms, ratio = [1e3 * seconds[size] for size in (256, 512)], seconds[512] / seconds[256]
    print(f"{name}: {ms[0]:.2f} and {ms[1]:.2f} ms, {ratio:.1f} times as long")
    assert ratio > 3

# %% [markdown]
# `timings["product", 512]` is one measurement: `.seconds` are its rounds, `.best` the shortest. `timings.seconds(name)` are the shortest times at all sizes, `timings.slope(name)` fits a power of the size to them, and `timings.ratio` is the ratio of number 4 of the protocol.

# %% [markdown]
# ## Four attentions · 21 min
#
# Three contestants you know. The fourth is *fused* multi-head attention. It has the same weights and gives the same numbers, but it computes
# scores, softmax and weighted means block by block, and never holds the attention map as a whole (FlashAttention, arXiv 2205.14135).
# PyTorch has it as `scaled_dot_product_attention`:


# %%
class Fused(mv.MultiHeadSelfAttention):
    def forward(self, x):
        query, key, value = (self.split(W(x)) for W in (self.W_Q, self.W_K, self.W_V))  # [B, h, k, d_h]
        attended = torch.nn.functional.scaled_dot_product_attention(query, key, value)  # [B, h, k, d_h]
        return self.W_O(attended.transpose(1, 2).flatten(2))  # [B, k, d]

    def split(self, x):
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # [B, h, k, d_h]


# %% [markdown]
# It equals explicit attention with the same weights, and the library's `FusedMultiHeadSelfAttention`:

# %%
explicit, x = mv.MultiHeadSelfAttention(d, heads), torch.randn(2, 50, d)
for fused in (Fused(d, heads), mv.FusedMultiHeadSelfAttention(d, heads)):
    fused.load_state_dict(explicit.state_dict())
    torch.testing.assert_close(fused(x), explicit(x))
print("explicit and fused attention give the same numbers")

# %% [markdown]
# We measure time and memory of one forward pass: four attentions, seven sizes, five rounds (as `measure` does unless told otherwise). `timing.attentions` builds the four
# contestants: for each $k$ a layer and an input of shape `[1, k, 64]`, called without gradients. (Separable attention is the library's module, which pools before it projects.) Then, in three rounds, the same with
# gradients, as in training.
#
# > **Predict.** On logarithmic axes, a power of $k$ is a straight line, and the exponent is its slope. Which slopes will the four lines have
# > between $k = 512$ and $4096$? And will the time of the fused form be linear?

# %% tags=["nbval-ignore-output"]
forward = timing.measure(timing.attentions(d, heads, p), [64, 128, 256, 512, 1024, 2048, 4096], memory=True)
backward = timing.measure(timing.attentions(d, heads, p, backward=True), [128, 256, 512, 1024, 2048], rounds=3)

# %% [markdown]
# Here is the plot:

# %% tags=["nbval-ignore-output"]
figures.show(
    figures.times({"forward": forward, "forward and backward": backward}, fit_from=512, against="multi-head, fused"),
    alt="Milliseconds over k on logarithmic axes: both multi-head lines are steep, Linformer and separable attention are half as steep.",
)

# %% [markdown]
# *Left without, right with gradients: everything takes longer, and the slopes are similar. A point is the shortest round; its bar ends at the median. Slopes are fitted from $k = 512$ on, and ± is the standard error of the fit: how far the points are from a straight line, not what another machine would give. The ring marks where Linformer's line crosses
# that of fused attention.* At the left the line of separable attention flattens: the fixed cost of calling begins to show.
#
# What we expect of other machines too, as a test. It looks at slopes and ratios, never at milliseconds:

# %%
slopes = {name: forward.slope(name, smallest=512).value for name in forward.names}
assert slopes["separable"] < 1.4 < 1.5 < slopes["multi-head, fused"]
assert slopes["multi-head, explicit"] > 1.5
print(
    "From 512 to 4096 tokens, separable attention grows about linearly; multi-head attention, fused or not, does not."
)
ratios = {k: forward.ratio("multi-head, fused", "separable", k) for k in (256, 1024, 4096)}
assert ratios[256] > 1
assert ratios[4096] > 8
print("Separable attention is faster than fused attention at 256 tokens, and more than eight times faster at 4096.")

# %% [markdown]
# What do the counts say about those slopes?

# %%
large = (512, 1024, 2048, 4096)
for name, macs in (
    ("multi-head", [cost.multi_head_macs(k, d) for k in large]),
    ("Linformer", [cost.linformer_macs(k, d, p) for k in large]),
    ("separable", [cost.separable_macs(k, d, form="executed") for k in large]),
):
    print(f"{name:10} counted slope {records.slope(large, macs)}")

# %% [markdown]
# Your own numbers, beside them:

# %% tags=["nbval-ignore-output"]
for name in forward.names:
    milliseconds = [f"{1e3 * seconds:8.2f}" for seconds in forward.seconds(name)]
    print(f"{name:21}", *milliseconds, f" ms   slope {forward.slope(name, smallest=512)}")
print("fused / separable, medians of the rounds:", {k: round(ratio, 1) for k, ratio in ratios.items()})

# %% [markdown]
# Fused attention grows about as its MACs say. Two other lines deserve a second look.
#
# *Explicit attention climbs faster than $k^2$, but not everywhere.* Its line has a step. Once its scores are so large that their memory is handed back after each call, every call needs new memory for them, the fourth
# of the five mistakes, and the count of MACs does not contain that. Beyond the step it is quadratic again. (The ± of its slope says so, too: a line with a step is no straight line.)
#
# *Separable attention may stay below 1.* At 512 tokens a part of its time is still the fixed cost of calling.
#
# And the crossing. Linformer takes $4kpd$ where multi-head attention takes $2k^2d$ for the pairs: by count they meet at $k = 2p = 128$. The cell prints where they meet by the clock. It first compares the gap between explicit and fused attention at $k = 2048$, where the scores take 64 MiB before the softmax and 64 MiB after it, with the price of new memory measured above: that would account for most of the gap.

# %% tags=["nbval-ignore-output"]
gap = forward["multi-head, explicit", 2048].best - forward["multi-head, fused", 2048].best
print(
    f"explicit minus fused at 2048 tokens: {1e3 * gap:.0f} ms; twice 64 MiB of new memory: {2e3 * (new - old):.0f} ms"
)
sizes = forward.sizes("Linformer")
meeting = records.crossover(sizes, forward.seconds("multi-head, fused"), forward.seconds("Linformer"))
print(f"Linformer and fused attention: counted, they meet at {2 * p} tokens; measured, at", meeting and round(meeting))

# %% [markdown]
# ## Linear memory is not linear time · 30 min
#
# We counted bytes at the start. The same run measured them, from what PyTorch's allocator handed out:

# %% tags=["nbval-ignore-output"]
counted = {
    "multi-head, explicit": [cost.multi_head_bytes(k, d, heads) for k in sizes],
    "Linformer": [cost.linformer_bytes(k, d, p, heads) for k in sizes],
    "separable": [cost.separable_bytes(k, d) for k in sizes],
}
figures.show(
    figures.memory(forward, counted),
    alt="MiB over k on logarithmic axes: marks lie on the counted lines; explicit attention is steep, fused attention is not.",
)

# %% [markdown]
# *Marks are measured, lines are counted; fused attention has only marks, because what it holds depends on PyTorch's block size.* The marks lie on the lines:

# %%
for name, expected in counted.items():
    measured = [forward[name, k].peak_bytes for k in sizes]
    assert all(abs(have / want - 1) < 0.05 for have, want in zip(measured, expected, strict=True))
    print(f"{name}: measured memory is what was counted")
fused_bytes = [forward["multi-head, fused", k].peak_bytes for k in (512, 1024, 2048, 4096)]
assert records.slope((512, 1024, 2048, 4096), fused_bytes).value < 1.4 < slopes["multi-head, fused"]
print("fused attention: memory grows about linearly with k, time does not")

# %% [markdown]
# The fused form saves the memory, and the time to fetch and store it, which is a great deal. It does not save the comparisons: all $k^2$ are still made. Separable attention does
# not make them.

# %% [markdown]
# ## The paper's own setting · 33 min
#
# Figure 1 of the paper compares the units at $d = 512$ with eight heads and $p = 256$, on one core of an Intel Core i9 at 2.4 GHz. It shows the most expensive operators at
# $k = 256$, and the latency over $k$ (the text does not say over which range). We can do the same on this machine, with our form of separable attention, which pools first. First the operators, by PyTorch's profiler:
#
# > **Predict.** At $d = 512$ and $k = 256$, which takes longer in multi-head attention: the four projections or the $k \times k$ part?

# %% tags=["nbval-ignore-output"]
paper_setting = timing.attentions(d=512, heads=8, p=256)
operators = {name: timing.breakdown(prepare(256)) for name, prepare in paper_setting.items()}
figures.show(
    figures.operators(operators, timing.machine()),
    alt="Stacked bars of operator times: aten::addmm is the longest part of all four attentions, and of separable attention nearly all.",
)

# %% [markdown]
# *PyTorch's names for its operators begin with `aten`. `addmm` is the matrix product of a linear layer, `bmm` the products of all heads at once, `mm` Linformer's mixing, and the longest name is fused attention.* The counts had said so: $2d = 1024$ is far above
# 256, so the projections do most of the work.

# %% tags=["nbval-ignore-output"]
linear = {name: taken["aten::addmm"] / sum(taken.values()) for name, taken in operators.items()}
print("share of the linear layers in the time:", {name: f"{share:.0%}" for name, share in linear.items()})
assert linear["separable"] > linear["multi-head, explicit"]

# %% [markdown]
# And by count, which is the same everywhere:

# %%
k, wide = 256, 512
print(f"The projections are {4 * k * wide**2 / cost.multi_head_macs(k, wide):.0%} of the work of multi-head attention.")
print(
    f"Saved by separable attention: {2 * k * wide**2 / 1e6:.0f} million MACs in projections, {2 * k**2 * wide / 1e6:.0f} million in pairs."
)

# %% [markdown]
# So at this size, two thirds of the MACs that our separable attention saves come from projecting two times instead of four, and one third from avoiding the pairs. (In the paper's order, which projects three times, it would be half and half.) The share of
# the pairs grows with $k$:

# %% tags=["nbval-ignore-output"]
figure_one = timing.measure(paper_setting, [64, 128, 256, 512, 1024], rounds=3)
figures.show(
    figures.times({"the paper's setting: d = 512, h = 8, p = 256": figure_one}, fit_from=128),
    alt="Milliseconds over k from 64 to 1024 at d = 512: four rising lines close together; the two multi-head ones bend upwards.",
)

# %% [markdown]
# *At $d = 512$ the lines stay close together for a long way, since up to $k = 2d = 1024$ the projections are the larger part of the work; at the right Linformer begins to pay, and explicit attention bends away further than its count: new memory again, mistake four.* Fitted here from $k = 128$ on, the slopes of the multi-head lines are far from 2. What is called
# "quadratic" depends on where you look.

# %% [markdown]
# ## Three times faster? · 37 min
#
# The paper's abstract says that MobileViTv2 runs "3.2× faster on a mobile device" than MobileViT v1. Suppose that multi-head attention took the place of separable attention in MobileViTv2: how much of the network's work would then be quadratic?
#
# The network comes in several widths; the *width multiplier* $\alpha$ scales the number of its channels. It has nine attention layers in three stages, which work on maps of an eighth, a sixteenth and a thirty-second of the picture's side, with tokens of width $128\alpha$,
# $192\alpha$ and $256\alpha$. A map of $n \times n$ pixels makes four groups of $k = n^2/4$ tokens (notebook 04 shows how), so at 256×256 pixels $k$ is 256, 64 and 16. The pairs of a layer take $4 \cdot 2k^2d$. Separable attention is counted as the library runs it, pooled first.

# %%
more = {}
for alpha, side in ((0.5, 256), (0.5, 512), (1.0, 256), (1.0, 512)):
    models = {name: mv.MobileViTv2(alpha, attention=name) for name in ("separable", "multi_head")}
    macs = {name: cost.count_macs(model, 1, 3, side, side, form="executed") for name, model in models.items()}
    more[alpha, side] = macs["multi_head"] / macs["separable"]
    stages = ((side // 8, 128, 2), (side // 16, 192, 4), (side // 32, 256, 3))
    pairs = sum(layers * 4 * 2 * (n * n // 4) ** 2 * int(alpha * dim) for n, dim, layers in stages)
    share = pairs / macs["multi_head"]
    print(
        f"α = {alpha}, {side}×{side}: multi-head takes {more[alpha, side]:.2f} times the MACs of separable; {share:4.0%} of its own are k²"
    )

# %% [markdown]
# *If time goes by MACs*, avoiding $k^2$ cannot make a network of this kind three times faster at these sizes. At 512×512, where each $k$ is four times larger, it weighs more.
#
# But does time go by MACs? Take the first attention layer of the network at $\alpha = 0.5$: four groups of 256 tokens, $d = 64$. For each operator, its share of the work beside its share of
# the time:
#
# > **Predict.** The softmax has no multiply–accumulates at all. What share of the time does it take?

# %% tags=["nbval-ignore-output"]
layer, x = mv.MultiHeadSelfAttention(64, 4), torch.randn(1, 4, 256, 64)
with torch.inference_mode():
    taken = timing.breakdown(lambda: layer(x))
work = {"aten::addmm": 4 * 4 * 256 * 64**2, "aten::bmm": 4 * 2 * 256**2 * 64}
share_of_time = {operator: seconds / sum(taken.values()) for operator, seconds in taken.items()}
share_of_work = {operator: work.get(operator, 0) / sum(work.values()) for operator in taken}
for operator in list(taken)[:5]:
    print(f"{operator:14} {share_of_work[operator]:4.0%} of the MACs, {share_of_time[operator]:4.0%} of the time")

# %% [markdown]
# Time does not go by MACs:

# %%
assert share_of_time["aten::addmm"] < share_of_work["aten::addmm"]
print("The linear layers take a smaller share of the time than of the MACs, so the rest takes a larger one.")

# %% [markdown]
# The softmax needs an exponential for every score, which no count of MACs contains. The products of all heads, `bmm`, are many narrow matrix products instead of a large one, which processors do less efficiently: for each MAC they take longer than the linear layers (compare the two shares of `bmm` with those of `addmm`). So the quadratic part, `bmm` and softmax together, takes a larger share of the time than of the MACs. How much larger depends on
# the device and on who wrote the operators.
#
# Now the *controlled swap*, measured: the same network, the same widths, only the attention exchanged. (The weights are random; the time hardly depends on them.)
#
# > **Predict.** Which ratio do you expect at 256×256, and at 512×512?


# %%
def network(attention):
    def prepare(side):
        model, picture = mv.MobileViTv2(0.5, attention=attention).eval(), torch.rand(1, 3, side, side)

        def forward():
            with torch.inference_mode():
                model(picture)

        return forward

    return prepare


# %% [markdown]
# Three networks, two sizes, five rounds. Beside the time, the MACs from above:

# %% tags=["nbval-ignore-output"]
contestants = {name: network(name) for name in ("separable", "multi_head", "fused_multi_head")}
swap = timing.measure(contestants, [256, 512])
for name in swap.names[1:]:
    for side in (256, 512):
        rounds = zip(swap[name, side].seconds, swap["separable", side].seconds, strict=True)
        ratios = sorted(slow / fast for slow, fast in rounds)
        takes = f"takes {ratios[2]:.1f} times as long ({ratios[0]:.1f} to {ratios[4]:.1f})"
        print(f"{name:16} at {side}×{side} {takes}, with {more[0.5, side]:.1f} times the MACs")

# %% [markdown]
# As a test, again by ratios, for the explicit form, where the effect is large:

# %%
gains = [swap.ratio("multi_head", "separable", side) for side in (256, 512)]
assert 1.2 < gains[1] > gains[0]
print("Exchanging only the attention, separable attention gains more on explicit attention at 512×512 than at 256×256.")

# %% [markdown]
# At 512×512 pixels the gain is real here. At 256×256 it is small, about what the count of MACs says. It is no constant, then: it grows with the resolution, and it depends on how well the *other* attention is written. Compare in each line the time with the MACs. At 512×512, fused attention takes about as much longer as its MACs say. Explicit attention takes far longer: its first stage
# needs new memory for two times 64 MiB of scores (four groups, four heads, $k = 1024$), the fourth of the five mistakes once more.
#
# The paper's own comparison is not this swap, though its Table 1 lists the attentions as if only they were exchanged (notebook 07 has more on that table). Its networks, MobileViT v1 in the sizes XXS, XS and S against MobileViTv2 at $\alpha = 0.5$, $0.75$ and $1$, differ in their attention, and also in their convolutions and widths (notebook 04).
# What was measured with such pairs, by the authors and by others? This table is in the library, each row with its source, all at 256×256 pixels:

# %%
rows = published("v2_against_v1")
speedups = [r["v2_value"] / r["v1_value"] if r["unit"] == "img/s" else r["v1_value"] / r["v2_value"] for r in rows]
for place in ("iPhone 12", "elsewhere"):
    for v1, v2 in (("XXS", 0.5), ("XS", 0.75), ("S", 1.0)):
        pair = [(row, ratio) for row, ratio in zip(rows, speedups, strict=True) if row["v2"] == v2]
        ratios = [ratio for row, ratio in pair if (row["device"] == "iPhone 12") == (place == "iPhone 12")]
        if ratios:
            slower = sum(ratio < 1 for ratio in ratios)
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}, median {statistics.median(ratios):.2f}"
            print(
                f"{place}, α = {v2:<4} against {v1:3}: {len(ratios):2} comparisons, {spread}, {slower} of them slower"
            )

# %% [markdown]
# Every comparison as a mark:

# %%
figures.show(
    figures.speed_ratios(rows, speedups),
    alt="Speed of v2 over v1 by device: two marks near 3 on an iPhone 12; all others lie between 0.78 and 1.98, many below 1.",
)
on_cards = sum("Nvidia" in row["device"] and "CPU" not in row["device"] for row in rows)
unequal = sum("and" in str(row["batch"]) for row in rows)
print(f"{on_cards} of the {len(rows)} comparisons were made on Nvidia GPUs, and only the paper's two on a phone.")
print(f"In {unequal} of them v1 and v2 ran with batches of different sizes.")

# %% [markdown]
# *Each mark is one published comparison of a MobileViTv2 with its v1 counterpart. The two marks at three stand alone.* They were measured on a phone, with Apple's Core ML software
# of 2022; the abstract's 3.2 is not among the pairs of times in the paper's Tables 1 and 2, which give 3.00 and 2.91. We cannot repeat that here, and do not doubt it: the claim was about a mobile device, and this table holds no second phone. Nor is it 85 independent experiments: many rows are the same card under another version of
# PyTorch, some count pictures a second in large batches, others milliseconds for one picture.
#
# How to read a claim of speed, then: *against what, at which size, on which device, written how well?* You decide whether "three times faster" is a fair summary of this figure.

# %% [markdown]
# ## On a graphics card · 45 min
#
# The same four attentions on a GPU, if PyTorch finds one. There a call returns before the work is done, so one must wait for the
# card before reading a clock. `timing.measure` lets the card take the time itself, between two *events*, and waits for the second. No GPU was at hand when this course was made,
# so there are no stored measurements to show.

# %% tags=["nbval-ignore-output"]
if torch.cuda.is_available():
    try:
        gpu = timing.measure(timing.attentions(device="cuda"), [2**n for n in range(8, 18)], device="cuda", memory=True)
    except timing.MeasurementError as error:  # explicit attention runs out of memory first
        print(error)
        gpu = error.timings
    print({name: str(gpu.slope(name, smallest=4096)) for name in gpu.names if gpu.sizes(name)[-1] > 4096})
else:
    print("PyTorch finds no CUDA GPU here: there is nothing to measure in this section.")

# %% [markdown]
# From a terminal, `python -m mvit2_lib.course.timing gpu.json --device cuda --largest 1048576` goes up to a million tokens, leaves out what no longer fits, and writes the records to a file. `records.Timings.load("gpu.json")`
# and `figures.quadratic_vs_linear` draw them.

# %% [markdown]
# ## A million tokens · 47 min
#
# Attention over every single pixel of a picture of 1000 × 1000 pixels has $k = 10^6$. Count:

# %%
million = 10**6
for name, held, macs in (
    ("multi-head, explicit", cost.multi_head_bytes(million, d, heads), cost.multi_head_macs(million, d)),
    ("separable", cost.separable_bytes(million, d), cost.separable_macs(million, d, form="executed")),
):
    print(f"{name:20} {held / 1e9:11,.2f} gigabytes {macs / 1e9:11,.1f} billion MACs")

# %% [markdown]
# 32 terabytes for one layer and one picture: more than all but the very largest servers hold. The fused form would not need to. How long would it take here, if its line went on as it does from 512 to 4096? And separable attention?

# %% tags=["nbval-ignore-output"]
guess = {}
for name in ("multi-head, fused", "separable"):
    exponent, known = forward.slope(name, smallest=512).value, forward[name, 4096].best
    guess[name] = known * (million / 4096) ** exponent
    print(
        f"{name:18} at a million tokens: about {float(f'{guess[name]:.2g}'):g} seconds a layer, if the line stays straight"
    )

# %% [markdown]
# *If.* A line is a summary of what was measured, not a law. Beyond it, something new may happen: the tokens no longer fit into the processor's caches, and later not into the memory of one device. Take separable attention up to
# $2^{18} = 262\,144$ tokens, 64 MiB of them:
#
# > **Predict.** If time were linear, the time *per token* would stay the same. Does it?

# %% tags=["nbval-ignore-output"]
further = timing.measure({"separable": timing.attentions(d)["separable"]}, [2**n for n in range(8, 19, 2)], rounds=3)
for k in further.sizes("separable"):
    print(f"{k:8} tokens: {1e9 * further['separable', k].best / k:6.0f} nanoseconds a token")
at_this_rate = further["separable", k].best / k * million
print(
    f"a million tokens at the last rate: {at_this_rate:.2f} seconds, {at_this_rate / guess['separable']:.0f} times the guess"
)

# %% [markdown]
# At the left the fixed cost of a call is shared by few tokens. At the right the results are so large that every call needs new memory for them, and everything has to be fetched from main memory instead of the small, fast *cache* beside the processor. In between it is cheapest. The number of operations is linear throughout, the time is not, and the straight line was too hopeful, also because a slope below 1 was carried on too far.
# (To check the fused form at a million tokens would take most of an hour, if its guess is right.)

# %% [markdown]
# ## Exercises · 50 min
#
# Fill in each stub and run its cell. The check prints one line, and names the mistake if it recognises one.

# %% [markdown]
# ### 3.1 · Bytes of scores ★ · 2 min
#
# How many bytes do the scores of explicit multi-head attention take while the softmax runs, for $k$ tokens and some heads, if one number has
# `size` bytes? (Only the scores; before and after the softmax together.)
#
# <details><summary>Hint</summary>
#
# Compare with the table at the start. What is left without the two tensors as large as $x$?
#
# </details>


# %% tags=["exercise"]
def score_bytes(k, heads, size):
    ### BEGIN SOLUTION
    return size * 2 * heads * k**2
    ### END SOLUTION


checks.score_bytes(score_bytes)

# %% [markdown]
# ### 3.2 · Fit a slope ★★ · 5 min
#
# `sizes` and `seconds` are tensors of the same length. Return the exponent of the power law that fits them best: the slope of the least-squares line
# through their logarithms, as a tensor with a single number.
#
# <details><summary>Hint</summary>
#
# Subtract from each logarithm the mean of its kind: `u` for the sizes, `v` for the times. The slope is the sum of all `u * v` over the
# sum of all `u * u`.
#
# </details>


# %% tags=["exercise"]
def log_log_slope(sizes, seconds):
    ### BEGIN SOLUTION
    u, v = sizes.log2() - sizes.log2().mean(), seconds.log2() - seconds.log2().mean()
    return (u * v).sum() / (u * u).sum()
    ### END SOLUTION


checks.log_log_slope(log_log_slope)

# %% [markdown]
# ### 3.3 · From one size to another ★ · 2 min
#
# A layer takes `known_seconds` at `known_k` tokens, and its line has the slope `exponent`. How many seconds at $k$ tokens?
#
# <details><summary>Hint</summary>
#
# At twice the tokens and exponent 2 it takes four times as long.
#
# </details>


# %% tags=["exercise"]
def predicted_seconds(k, known_k, known_seconds, exponent):
    ### BEGIN SOLUTION
    return known_seconds * (k / known_k) ** exponent
    ### END SOLUTION


checks.predicted_seconds(predicted_seconds)

# %% [markdown]
# ### 3.4 · Another width ★★ · 4 min
#
# At which $k$ does multi-head attention take `ratio` times the multiply–accumulates of separable attention in the paper's order, for tokens of
# width $d$? It need not be a whole number.
#
# <details><summary>Hint</summary>
#
# $4kd^2 + 2k^2d$ must equal `ratio` times $3kd^2 + kd$, and every term has a $k$ and a $d$ to give away.
#
# </details>


# %% tags=["exercise"]
def ratio_reached(d, ratio):
    ### BEGIN SOLUTION
    return (ratio * (3 * d + 1) - 4 * d) / 2
    ### END SOLUTION


checks.ratio_reached(ratio_reached)

# %% [markdown]
# ### 3.5 · A ratio that survives a busy machine ★★ · 3 min
#
# `slow` and `fast` hold the seconds of two contestants in the same rounds. Return how many times longer `slow` takes, so that neither one
# bad round nor a machine that becomes slower half-way can spoil it. Return a tensor with a single number.
#
# <details><summary>Hint</summary>
#
# Within one round both had the same conditions. Which summary ignores a bad round?
#
# </details>


# %% tags=["exercise"]
def speedup(slow, fast):
    ### BEGIN SOLUTION
    return (slow / fast).median()
    ### END SOLUTION


checks.speedup(speedup)

# %% [markdown]
# ### 3.6 · Find the flaws in this benchmark ★★★ · 8 min
#
# ```python
# def benchmark(work, clock, synchronize, set_threads):
#     start = clock()
#     work()
#     return clock() - start
# ```
#
# It has four flaws. Mend them all. The check runs your benchmark on make-believe machines, each with one kind of trouble, and names every flaw
# that is left. `work()` does the work once, or, on a graphics card, orders it. `synchronize()` waits until all ordered work is done. `clock()` is the time in
# seconds, and `set_threads(n)` sets the number of threads. Return the seconds that one call takes.
#
# <details><summary>Hint</summary>
#
# Numbers 1, 2 and 4 of the list under *A protocol*, and what a graphics card needs. (The shortest of several rounds forgives a missing warm-up.)
#
# </details>


# %% tags=["exercise"]
def benchmark(work, clock, synchronize, set_threads):
    ### BEGIN SOLUTION
    def once():
        start = clock()
        work()
        synchronize()
        return clock() - start

    set_threads(1)
    once()
    return min(once() for _ in range(10))
    ### END SOLUTION


checks.benchmark(benchmark)

# %% [markdown]
# ## What you now know
#
# 1. You can *count* MACs and bytes as functions of $k$, exactly, before anything runs.
# 2. You *recognise* five ways to be wrong: the first call, the mean, the threads, new memory forgotten, one after the other.
# 3. You *measured* growth by a protocol, and its verdicts are slopes and ratios, not milliseconds.
# 4. You can *separate* memory from time: fused attention is linear in the one and quadratic in the other.
# 5. You can *judge* "three times faster": against what, at which size, on which device, written how well.
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*, arXiv 2206.02680: Fig. 1, Tables 1 and 2.
# - T. Dao et al., *FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness*, arXiv 2205.14135.
# - S. Wang et al., *Linformer: Self-Attention with Linear Complexity*, arXiv 2006.04768.
# - Published speeds: the paper's Tables 1 and 2; Y. Yun and Y. Ro, *SHViT*, arXiv 2401.16456;
#   [EdgeTransformerBench](https://github.com/YingkunZhou/EdgeTransformerBench); [timm's results](https://github.com/huggingface/pytorch-image-models/tree/main/results).
