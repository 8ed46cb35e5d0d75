# %% [markdown]
# # 03 · O(k²) against O(k): count, predict, measure
#
# **You make a timing plot that you can trust, and learn to read those of others.**
#
# **You will be able to**
#
# 1. *count* the work and the memory of an attention before you run it,
# 2. *recognise* five ways in which a timing misleads,
# 3. *measure* growth so that the answer repeats: warmed up, one thread, interleaved rounds, the
#    shortest time, a slope with its uncertainty,
# 4. *separate* what is linear in memory from what is linear in time,
# 5. *judge* a plot such as the paper's by what was held fixed.
#
# **You need** notebooks 01 and 02; on the 90-minute route, their sections with ◆. No network, no
# graphics card.
#
# *72 minutes: 48 to read, run and build, 24 for the exercises at the end.*
# All measurements together take about half a minute.

# %% [markdown] slide="Counts are the same on every machine, now and in ten years."
# ## Count first · 0 min · ◆
#
# The set-up:

# %%
import statistics
import time

import torch

import mvit2_lib as mv
from mvit2_lib import cost
from mvit2_lib.course import checks, figures, records, tables, timing

# %% [markdown] predict="With twice as many tokens, separable attention takes very nearly twice the work. How many times as much does multi-head attention take at 64 tokens as at 32? And at 16,384 as at 8,192?"
# Notebook 02 ended with exact formulas for the multiply–accumulates (MACs) of three attentions over
# $k$ tokens of width $d$. Here are their values for $d = 64$, with four heads, and with $p = 64$ mixed
# tokens for Linformer. Separable attention pools first, as the library's module does. These numbers
# are the same on every machine, now and in ten years.
#
# > **Predict.** With twice as many tokens, separable attention takes very nearly twice the work. How many times
# > more does multi-head attention take at 64 tokens than at 32? And at 16,384 than at 8,192?

# %% slide="Even on paper, multi-head attention becomes quadratic only gradually\n\nMACs at $d = 64$, $p = 64$. *Growth* is against half as many tokens."
d, heads, p = 64, 4, 64
rows = []
for k in (2**power for power in range(6, 15)):
    quadratic = cost.multi_head_macs(k, d)
    linear = cost.separable_macs(k, d, form="executed")  # pooled first
    row = {"k": k, "multi-head": quadratic}
    row["growth"] = f"{quadratic / cost.multi_head_macs(k // 2, d):.2f}"
    row |= {"Linformer": cost.linformer_macs(k, d, p), "separable": linear}
    rows.append(row | {"multi-head / separable": f"{quadratic / linear:.1f}"})
tables.show(rows)

# %% [markdown] slide="Peak memory of each form, in bytes" seminar=false
# *Growth* divides the work by that for half as many tokens. It is 2.40 at 64 tokens, where the four
# projections weigh most, and close to 4 from some thousands on. So even on paper, multi-head
# attention is not purely quadratic. It *becomes* so. Projections and pairs take equally many MACs at $k = 2d = 128$.
#
# Now the memory for one forward pass at such sizes, beside $x$ and the weights. *Explicit* means that the attention
# map is a tensor in memory. Our explicit attention holds the most while the softmax runs: all scores
# before it, all scores after it, and the queries and keys. It projects the values afterwards. Linformer
# holds its smaller scores twice, its queries, and $p$ mixed keys.
#
# Separable attention holds the most at the end, when its $k$ scores are long gone: the gates, their
# product with the context vector, and that vector. Each number takes four bytes:
#
# | attention | most bytes held at once |
# |---|---|
# | multi-head, explicit | $4\,(2hk^2 + 2kd)$ |
# | Linformer | $4\,(2hkp + kd + pd)$ |
# | separable | $4\,(2kd + d)$ |

# %% slide="Gigabytes against megabytes, for one layer and one picture\n\nFour heads, $d = 64$, $p = 64$; multi-head attention explicit, with its map in memory."
rows = []
for k in (64, 256, 1024, 4096, 16384):
    row = {"k": k, "multi-head": cost.multi_head_bytes(k, d, heads)}
    row["Linformer"] = cost.linformer_bytes(k, d, p, heads)
    rows.append(row | {"separable": cost.separable_bytes(k, d)})
tables.show(rows, caption="bytes held at once")

# %% [markdown]
# At 16,384 tokens, one layer of multi-head attention holds 8.6 gigabytes for one picture, and
# separable attention 8.4 megabytes: a thousandth.
#
# Counting is exact, and it is not the whole truth. It does not say how long a multiply–accumulate
# takes, nor what it costs to fetch a number from memory. For that we must measure, and a
# measurement easily goes wrong.

# %% [markdown] slide="Five mistakes, each shown on the machine in front of you."
# ## Five ways to be wrong · 5 min · ◇
#
# From here on, numbers differ from machine to machine and from run to run. Those you see before you
# run a cell come from the machine named under the figures. The text says what is usual. See whether
# your machine agrees.
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
# **One: the first call.** It does one-off work: it sets up memory and loads the right code. Time
# only that call, and you mostly time the set-up.
#
# > **Predict.** How many times longer than the others does the first call take, in a program that has
# > not used this kind of layer before?

# %% tags=["nbval-ignore-output"] slide="**One: the first call** sets things up, and does so once"
torch.set_num_threads(1)
layer, tokens = mv.SeparableSelfAttention(96), torch.randn(1, 300, 96)
with torch.inference_mode():
    first, *others = stopwatch(lambda: layer(tokens), calls=50)
typical = statistics.median(others)
print(
    f"the first call takes {1e3 * first:.2f} ms, a typical one {1e3 * typical:.2f} ms"
)

# %% [markdown]
# This works once only. If you run the cell again, your Python process has used such a layer before,
# and its first call is nothing special any more.
#
# **Two: the mean.** A few slow calls pull it up. Call the same layer 400 times. Nothing changes
# between the calls, except what else the machine is doing:

# %% tags=["nbval-ignore-output"] slide="**Two: the mean.** Noise makes calls longer, and hardly ever shorter"
with torch.inference_mode():
    seconds = stopwatch(lambda: layer(tokens), calls=400)
figures.show(
    figures.repetitions(seconds, timing.machine()),
    alt="Times of 400 equal calls in their order: a band at the bottom and some calls "
    "far above it; the mean lies above the median.",
)

# %% [markdown]
# *Each dot is one call of the same layer. Noise makes calls longer, and hardly ever shorter.* The mean
# mixes the layer with the rest of the machine. The shortest time says most about the layer, if there
# are enough calls for some of them to find the machine undisturbed.
#
# **Three: the number of threads.** PyTorch uses as many threads as there are cores, unless told
# otherwise. If nothing else runs, that is usually faster. With two threads, however, a delay in either
# one delays the whole product. So we time a matrix product with one and with two threads, first as the
# machine is now, then while other programs keep all cores but one busy:


# %%
import os
import subprocess
import sys


def other_programs(number):
    work = "import time\nend = time.time() + 20\nwhile time.time() < end: pass"
    programs = [subprocess.Popen([sys.executable, "-c", work]) for _ in range(number)]
    time.sleep(0.3)  # until they run
    return programs


def stop(programs):
    for program in programs:
        program.kill()
        program.wait()


# %% [markdown]
# > **Predict.** One or two threads, alone or alongside other programs: in which of the four cases is the average call
# > furthest from the best one?

# %% tags=["nbval-ignore-output"] slide="**Three: threads.** Read the last column"
matrix, rows = torch.randn(384, 384), []
for busy in (0, max(1, os.cpu_count() - 1)):
    programs = other_programs(busy)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        ms = [1e3 * s for s in stopwatch(lambda: matrix @ matrix, calls=80)[20:]]
        best, mean = min(ms), statistics.mean(ms)
        row = {"programs started": busy, "threads": threads}
        row |= {"shortest, ms": f"{best:.2f}", "mean, ms": f"{mean:.2f}"}
        rows.append(row | {"mean / shortest": f"{mean / best:.1f}"})
    stop(programs)
torch.set_num_threads(1)
tables.show(rows)

# %% [markdown] predict="We fill 64 MiB with ones: in new memory, and in memory that we already have. How much longer does the new memory take?"
# Read the last column. One thread finds a free core, and its average call is close to the best one. With two
# threads, alongside other programs, the average is usually far off, and so may be any single measurement.
#
# If that happens in the first pair of rows already, something else was running, or the machine has a single
# core. All measurements below use one thread.
#
# **Four: new memory.** A large result goes into new memory, which the operating system hands out piece
# by piece as it is first written to. When it is no longer used it goes back, and the next call gets new
# memory again. We fill 64 MiB (mebibytes, of $2^{20}$ bytes) with ones: in new memory, and in memory
# that we already have.
#
# > **Predict.** The processor writes the same numbers in both cases. How much longer does the new
# > memory take?

# %% tags=["nbval-ignore-output"] slide="**Four: new memory** has its price, in every call"
numbers = 64 * 2**20 // 4  # 64 MiB of float32
held = torch.empty(numbers)
new = min(stopwatch(lambda: torch.empty(numbers).fill_(1), calls=6))
old = min(stopwatch(lambda: held.fill_(1), calls=6))
print(f"into new memory {1e3 * new:.1f} ms, into old memory {1e3 * old:.1f} ms")

# %% [markdown]
# The clock is right: a call that needs new memory pays for it each time. The mistake is to forget it,
# and to wonder why a line climbs faster than the count of MACs.
#
# **Five: one after the other.** Time all of contestant A, then all of contestant B, and B is blamed for
# whatever the machine did in the meantime. To see it, let A and B be *the same layer*, and let other
# programs start between them. Beside that, time them *in turns*, A, B, A, B, while the same thing
# happens:


# %%
def in_turns(function, calls):
    return [stopwatch(function, calls=2) for _ in range(calls)]  # pairs of seconds


# %% tags=["nbval-ignore-output"] slide="**Five: timing one after the other.** A and B are the same layer"
with torch.inference_mode():
    a = stopwatch(lambda: layer(tokens), calls=600)
    programs = other_programs(os.cpu_count())
    b = stopwatch(lambda: layer(tokens), calls=600)
    stop(programs)
    pairs = in_turns(lambda: layer(tokens), calls=300)
    programs = other_programs(os.cpu_count())
    pairs += in_turns(lambda: layer(tokens), calls=300)
    stop(programs)
ratios = [second / first for first, second in pairs]
totals = [sum(seconds) for seconds in zip(*pairs, strict=True)]
print(
    f"in turns, median of the ratios:  B takes {statistics.median(ratios):.2f} times A"
)
print(f"in turns, by the totals:         B takes {totals[1] / totals[0]:.2f} times A")
print(f"one after the other, totals:     B takes {sum(b) / sum(a):.2f} times A")
assert 0.8 < statistics.median(ratios) < 1.25, statistics.median(ratios)

# %% [markdown]
# It is one and the same layer, so the answer is one. In turns, both calls of a pair mostly meet the same
# troubles. A few long delays that hit only one of them can still tip the totals, and the median ignores those.
# One after the other, the answer depends on what the machine did in the meantime.

# %% [markdown] slide="Warm up. One thread. Rounds in turns. The shortest counts. Repeat what is short. Name the machine."
# ## Build it: a protocol · 18 min · ◇
#
# What we do about it:
#
# 1. *Warm up*: call everything before the clock starts.
# 2. *One thread.*
# 3. *Interleaved rounds*: every round visits every contestant at every size, so that a busy moment
#    hits all of them.
# 4. *The shortest* of the rounds is the time. A *ratio* of two contestants is taken within each round,
#    and the median of these ratios counts.
# 5. *Repeat what is short* within a round, until reading the clock weighs nothing.
# 6. *Name the machine*, the threads and the version under the figure.
#
# ### 3.1 · A fair benchmark ★★★ · 8 min
#
# Here is somebody's benchmark. It has four flaws. Fix them all.
#
# ```python
# def benchmark(work, clock, synchronize, set_threads):
#     start = clock()
#     work()
#     return clock() - start
# ```
#
# `work()` does the work once, or, on a graphics card, only starts it. `synchronize()` waits until everything
# that was started is done. `clock()` is the time in seconds, and `set_threads(n)` sets the number of threads.
# Warm up, time at least ten calls one by one, and return the seconds of the shortest. The check runs your benchmark on make-believe machines, each with one
# kind of trouble, and names every flaw that is left.
#
# <details><summary>Hint</summary>
#
# Numbers 1, 2 and 4 of the list, and what a graphics card needs before you read the clock.
#
# </details>


# %% tags=["exercise"]
def benchmark(work, clock, synchronize, set_threads):
    ### BEGIN SOLUTION
    def once():
        synchronize()
        start = clock()
        work()
        synchronize()
        return clock() - start

    set_threads(1)
    once()  # warm up
    return min(once() for _ in range(10))
    ### END SOLUTION


checks.benchmark(benchmark)

# %% [markdown]
# That was one contestant. The heart of the protocol for several, with rounds in turns:


# %% slide="The heart of the protocol"
def interleaved(functions, rounds):
    for function in functions.values():
        function()  # warm up
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            seconds[name] += stopwatch(function, calls=1)
    return {name: min(times) for name, times in seconds.items()}


# %% [markdown] predict="Multiply two $n \\times n$ matrices. How many times as long does it take for $n = 512$ as for $n = 256$?"
# The library's `timing.measure` does the same with the rest of the list. It takes many sizes, shows a
# progress bar, can measure memory, and works on graphics cards. A *contestant* is a function that takes a
# size and returns what is to be timed, so that making the input is not part of the time.
#
# `interleaved` and `timing.measure` should roughly agree. Let us time the product of two $n \times n$ matrices,
# which takes $n^3$ MACs.
#
# > **Predict.** For $n = 512$, how many times as long does the product take as for $n = 256$?


# %% tags=["nbval-ignore-output"] slide="$n^3$: about eight times as long"
def product(size):
    square = torch.randn(size, size)
    return lambda: square @ square


by_hand = interleaved({size: product(size) for size in (256, 512)}, rounds=9)
timings = timing.measure({"product": product}, [256, 512])
by_library = {size: timings["product", size].best for size in (256, 512)}
for name, best in {"by hand": by_hand, "library": by_library}.items():
    ratio = best[512] / best[256]
    print(
        f"{name}: {1e3 * best[256]:.2f} and {1e3 * best[512]:.2f} ms, {ratio:.1f} times"
    )
    assert ratio > 3, ratio

# %% [markdown]
# `timings["product", 512]` is one measurement: `.seconds` are its rounds, `.best` is the shortest.
# `timings.slope(name)` fits a power of the size to the shortest times, and `timings.ratio` is the ratio
# that number 4 describes.
#
# <details><summary>The fine print: graphics cards</summary>
#
# On a graphics card a call returns before its work is done, so one must wait before reading a clock.
# `timing.measure(..., device="cuda")` lets the card take the time itself, between two *events*. What a
# card makes of whole networks is in notebook 09. To measure the attentions on yours, from a terminal,
# `python -m mvit2_lib.course.timing gpu.json --device cuda --largest 1048576` goes up to a million tokens
# and leaves out what no longer fits. `records.Timings.load("gpu.json")` and
# `figures.quadratic_vs_linear` draw the result.
#
# </details>

# %% [markdown] slide="The fourth is *fused*: the same numbers, and never the whole map in memory."
# ## Four attentions · 30 min · ◆
#
# Three attentions you know. The fourth is *fused* multi-head attention. It has the same weights and
# gives the same numbers, but it computes scores, softmax and weighted means block by block, and never
# holds the attention map as a whole (FlashAttention, arXiv 2205.14135). PyTorch has it as
# `scaled_dot_product_attention`:


# %% slide="Fused multi-head attention, in PyTorch's own operator" seminar=false
class Fused(mv.MultiHeadSelfAttention):
    def forward(self, x):
        projected = self.W_Q(x), self.W_K(x), self.W_V(x)  # [B, k, d] each
        query, key, value = (
            p.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for p in projected
        )  # [B, h, k, d_h] each
        attended = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        return self.W_O(attended.transpose(1, 2).flatten(2))  # [B, k, d]


# %% [markdown]
# It equals explicit attention with the same weights, and so does the library's form of it:

# %%
explicit, few = mv.MultiHeadSelfAttention(d, heads), torch.randn(2, 50, d)
for fused in (Fused(d, heads), mv.FusedMultiHeadSelfAttention(d, heads)):
    fused.load_state_dict(explicit.state_dict())
    torch.testing.assert_close(fused(few), explicit(few))
print("explicit and fused attention give the same numbers")

# %% [markdown]
# We measure time and memory of one forward pass without gradients, at seven sizes, on one thread.
# `timing.attentions` builds the four contestants: for each $k$ a layer, and an input of shape `[1, k, 64]`. Each
# of five *rounds* visits all of them at all sizes, and the shortest round counts. Then, at five sizes and in
# three rounds, the same with gradients, as in training. This takes about ten seconds.
#
# > **Predict.** On logarithmic axes, a power of $k$ is a straight line, and the exponent is its slope.
# > Which slopes will the four lines have between $k = 512$ and $4096$? And will the time of the fused
# > form be linear?

# %% tags=["nbval-ignore-output"]
torch.set_num_threads(1)
sizes = [64, 128, 256, 512, 1024, 2048, 4096]
forward = timing.measure(timing.attentions(d, heads, p), sizes, memory=True)
with_gradients = timing.attentions(d, heads, p, backward=True)
backward = timing.measure(with_gradients, sizes[1:6], rounds=3)

# %% tags=["nbval-ignore-output"] slide="Separable attention grows about like $k$ or less. Multi-head, fused or not, grows about like $k^2$"
both = {"forward": forward, "forward and backward": backward}
figures.show(
    figures.times(both, fit_from=512, against="multi-head, fused"),
    alt="Milliseconds over k on logarithmic axes, without and with gradients: the two "
    "multi-head lines are the steep ones, separable attention lies lowest.",
)

# %% [markdown]
# *A point is the shortest round; its bar ends at the median. Slopes are fitted from $k = 512$ on, on the right to
# three points.* The ±
# is the standard error of the fit. It says how far the points are from a straight line, not what another
# machine would give. A ring marks where Linformer overtakes fused attention.
#
# What we expect of other machines too, as a test. It looks at slopes and ratios, never at
# milliseconds:

# %%
slopes = {name: forward.slope(name, smallest=512).value for name in forward.names}
assert slopes["separable"] < 1.4 < 1.5 < slopes["multi-head, fused"], slopes
assert slopes["multi-head, explicit"] > 1.5, slopes
print("From 512 to 4096 tokens, separable attention grows about linearly;")
print("multi-head attention, fused or not, does not.")
fused_over_separable = {
    k: forward.ratio("multi-head, fused", "separable", k) for k in (256, 1024, 4096)
}
assert fused_over_separable[256] > 1, fused_over_separable
assert fused_over_separable[4096] > 8, fused_over_separable
print("Separable attention is faster than fused attention at 256 tokens,")
print("and more than eight times faster at 4096.")

# %% [markdown]
# What do the counts say about these slopes?

# %% slide="By count: close to 2 for multi-head, 1 for the others" seminar=false
large = (512, 1024, 2048, 4096)
counts = {
    "multi-head": [cost.multi_head_macs(k, d) for k in large],
    "Linformer": [cost.linformer_macs(k, d, p) for k in large],
    "separable": [cost.separable_macs(k, d, form="executed") for k in large],
}
for name, macs in counts.items():
    print(f"{name:10} counted slope {records.slope(large, macs)}")

# %% [markdown]
# Your own numbers, beside them. The columns are the numbers of tokens $k$, the entries milliseconds:

# %% tags=["nbval-ignore-output"]
rows = []
for name in forward.names:
    best = zip(forward.sizes(name), forward.seconds(name), strict=True)
    row = {"attention": name} | {f"{k}": f"{1e3 * seconds:.2f}" for k, seconds in best}
    rows.append(row | {"slope": str(forward.slope(name, smallest=512))})
tables.show(rows)

# %% [markdown]
# Fused attention grows about as its MACs say. Two other lines deserve a second look.
#
# *Explicit attention may climb faster than $k^2$.* Very large scores need new memory from the operating system
# in every call, and fetching it takes time that no count of MACs contains. Where that begins, the line has a step.
#
# *Separable attention may stay below 1.* At 512 tokens a part of its time is still what any call
# costs, whatever the $k$.

# %% [markdown] slide="Fused attention saves the memory. It does not save the comparisons."
# ## Linear memory is not linear time · 38 min
#
# We counted bytes at the start. The same run measured them, from what PyTorch's allocator handed out:

# %% tags=["nbval-ignore-output"] slide="Memory: what was measured lies on what was counted"
counted = {
    "multi-head, explicit": [cost.multi_head_bytes(k, d, heads) for k in sizes],
    "Linformer": [cost.linformer_bytes(k, d, p, heads) for k in sizes],
    "separable": [cost.separable_bytes(k, d) for k in sizes],
}
figures.show(
    figures.memory(forward, counted),
    alt="MiB over k on logarithmic axes: marks lie on the counted lines; explicit "
    "attention is steep, fused attention is not.",
)

# %% [markdown]
# *Marks are measured, lines are counted.* Fused attention has only marks, because what it holds depends
# on PyTorch's block size. As a test:

# %% slide="Fused attention: linear memory, not linear time"
for name, expected in counted.items():
    measured = [forward[name, k].peak_bytes for k in sizes]
    off = [abs(have / want - 1) for have, want in zip(measured, expected, strict=True)]
    assert max(off) < 0.05, (name, off)
    print(f"{name}: measured memory is what was counted, within 5 %")
fused_bytes = [forward["multi-head, fused", k].peak_bytes for k in large]
growth = records.slope(large, fused_bytes).value
assert growth < 1.4 < slopes["multi-head, fused"], (growth, slopes)
print("fused attention: memory grows about linearly with k, time does not")

# %% [markdown]
# The fused form saves the memory, and at many tokens much of the time as well. It does not
# save the comparisons: all $k^2$ are still made. Separable attention does not make them.
#
# What about attention over every single pixel of a picture of 1000 × 1000 pixels, $k = 10^6$?

# %% slide="Every pixel of a picture of 1000 × 1000: terabytes against half a gigabyte"
million = 10**6
many_bytes = cost.multi_head_bytes(million, d, heads), cost.separable_bytes(million, d)
print(f"explicit multi-head attention would hold {many_bytes[0] / 1e9:,.0f} gigabytes,")
print(f"separable attention {many_bytes[1] / 1e9:.2f} gigabytes")

# %% [markdown]
# Thirty-two terabytes for one layer and one picture. Separable attention could do it. Would its time stay
# linear that far?
#
# > **Predict.** If time were linear, the time *per token* would be the same at all sizes. Is it, up to
# > $2^{18}$ tokens?

# %% tags=["nbval-ignore-output"] slide="The work is linear throughout, the time is not"
alone = {"separable": timing.attentions(d)["separable"]}
further = timing.measure(alone, [2**n for n in range(8, 19, 2)], rounds=3)
for k in further.sizes("separable"):
    per_token = 1e9 * further["separable", k].best / k
    print(f"{k:8,} tokens: {per_token:6.0f} nanoseconds a token")

# %% [markdown]
# The number of operations is as good as linear throughout, the time is not. At few tokens, each of them carries a large
# share of the fixed cost of a call. At very many, likely reasons are that the results no longer fit into the
# small, fast *cache* beside the processor, and that every call needs new memory. A straight line through the
# middle would promise too little time for a million tokens.

# %% [markdown] slide="Figure 1 of the paper: $d = 512$, eight heads, one core."
# ## The paper's own setting · 43 min
#
# Figure 1 of the paper compares attentions at $d = 512$ with eight heads and $p = 256$, on one core of an Intel
# Core i9 at 2.4 GHz. We repeat it on this machine, with our separable attention, which pools first.
#
# > **Predict.** The projections are the larger part of multi-head attention's work up to $k = 2d = 1024$. Which
# > slope do you expect for it between $k = 128$ and $1024$?

# %% tags=["nbval-ignore-output"] slide="Far from 2: at $d = 512$ the projections are the larger part"
paper_setting = timing.attentions(d=512, heads=8, p=256)
figure_one = timing.measure(paper_setting, [64, 128, 256, 512, 1024])
figures.show(
    figures.times({"d = 512, h = 8, p = 256": figure_one}, fit_from=128),
    alt="Milliseconds over k from 64 to 1024 at d = 512: four rising lines, separable "
    "attention lowest, the other three close together.",
)

# %% [markdown]
# *The same four attentions, and another picture.* Over the same sizes, fused attention is less steep than at $d = 64$, and
# separable attention lies below the others. As a test, and beside the counts:

# %%
fused = "multi-head, fused"
four = (128, 256, 512, 1024)  # the same sizes for both widths
here = records.slope(four, figure_one.seconds(fused, four)).value
before = records.slope(four, forward.seconds(fused, four)).value
assert here < before - 0.1, (here, before)
for k in (256, 1024):
    assert figure_one.ratio(fused, "separable", k) > 1.2, k
print("fused attention is less steep than at d = 64, and slower than separable")

# %% slide="What is called quadratic depends on where you look"
rows = []
wide_counts = {
    "multi-head": [cost.multi_head_macs(k, 512) for k in four],
    "Linformer": [cost.linformer_macs(k, 512, p=256) for k in four],
    "separable": [cost.separable_macs(k, 512, form="executed") for k in four],
}
for name, macs in wide_counts.items():
    row = {"attention": name, "counted slope": str(records.slope(four, macs))}
    millions = {"k = 256, million MACs": f"{macs[1] / 1e6:.0f}"}
    rows.append(row | millions | {"k = 1024": f"{macs[3] / 1e6:.0f}"})
tables.show(rows)

# %% [markdown]
# By count, the slope of multi-head attention is 1.28 here. Separable attention saves twice: it projects every
# token two times instead of four, and it compares no pairs. Linformer mixes its tokens down to $p = 256$. At
# $k = 256$ that costs more than the pairs it avoids. It pays only beyond $k = 2p$, which is 512.
#
# What is called "quadratic" depends on where you look. Ask of every timing plot: *which width, which sizes, which
# device, and how well was the other attention written?*

# %% [markdown]
# ## Exercises · 48 min
#
# Fill in each stub and run its cell. The check prints one line, and names the mistake if it recognises
# one. After a restart, run the first code cell of the notebook; no exercise needs more.

# %% [markdown]
# ### 3.2 · Fit a slope ★★ · 5 min
#
# `sizes` and `seconds` are tensors of the same length. Return the exponent of the power law that fits
# them best: the slope of the least-squares line through their logarithms, as a single number.
#
# <details><summary>Hint</summary>
#
# Subtract from each logarithm the mean of its kind: `u` for the sizes, `v` for the times. The slope is
# the sum of all `u * v` over the sum of all `u * u`.
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
# ### 3.3 · Where two lines meet ★★ · 5 min
#
# Two layers were timed at `known_k` tokens. They took `seconds_1` and `seconds_2`, and on logarithmic
# axes their lines have the slopes `exponent_1` and `exponent_2`. At which $k$ will both take the same time? It need not be a
# whole number.
#
# <details><summary>Hint</summary>
#
# At $k$ tokens the first takes `seconds_1 * (k / known_k) ** exponent_1`. Set both equal, and take one
# root.
#
# </details>


# %% tags=["exercise"]
def meeting_point(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    ### BEGIN SOLUTION
    growth = (seconds_1 / seconds_2) ** (1 / (exponent_2 - exponent_1))
    return known_k * growth
    ### END SOLUTION


checks.meeting_point(meeting_point)

# %% [markdown]
# ### 3.4 · What fits ★★ · 4 min
#
# A machine has `memory` bytes to spare. Explicit multi-head attention holds its scores twice, before and
# after the softmax, `size` bytes a number. Return the largest whole $k$ whose scores fit. Forget
# everything but the scores.
#
# <details><summary>Hint</summary>
#
# How many scores do all heads hold together? The root of the largest number of scores
# for one head, rounded down, is the answer.
#
# </details>


# %% tags=["exercise"]
def largest_k(memory, heads, size):
    ### BEGIN SOLUTION
    import math

    return math.isqrt(memory // (2 * heads * size))
    ### END SOLUTION


checks.largest_k(largest_k)

# %% [markdown]
# ### 3.5 · A ratio that survives a busy machine ★★ · 3 min
#
# `slow` and `fast` are tensors with the seconds of two contestants in the same rounds. Return their typical
# ratio, slow over fast, so that neither one bad round nor a machine that becomes slower half-way can spoil it.
# Follow number 4 of the protocol.
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
# ### An open experiment · 7 min
#
# Choose another width or another number of heads, predict at which $k$ Linformer becomes faster than fused
# attention on *your* machine, and measure it with `timing.measure` and `timing.attentions(d=…, heads=…, p=…)`. Were you right? If not, which of the five mistakes, or which cost
# that no count contains, explains the difference?

# %% [markdown]
# ## What you now know
#
# 1. You can *count* MACs and bytes as functions of $k$, exactly, before anything runs.
# 2. You *recognise* five ways to be wrong: the first call, the mean, the threads, new memory forgotten,
#    one after the other.
# 3. You *measured* growth by a protocol, and its verdicts are slopes and ratios, not milliseconds.
# 4. You can *separate* memory from time: fused attention is linear in the one and quadratic in the
#    other.
# 5. You can *judge* a timing plot: which width, which sizes, which device, how well written?
#
# **References**
#
# - S. Mehta and M. Rastegari, *Separable Self-attention for Mobile Vision Transformers*,
#   arXiv 2206.02680: Fig. 1.
# - T. Dao et al., *FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness*,
#   arXiv 2205.14135.
# - S. Wang et al., *Linformer: Self-Attention with Linear Complexity*, arXiv 2006.04768.
