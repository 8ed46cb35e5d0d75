"""The exercises of notebook 03."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from .exercise import Exercise


def _fit(x, y):
    return ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()


score_bytes = Exercise(
    "3.1 bytes of scores",
    lambda k, heads, width: 2 * heads * k**2 * width,
    ((256, 4, 4), (1024, 8, 2), (50, 3, 4)),
    {
        "the scores are there twice, before and after the softmax": lambda k, h, b: h * k**2 * b,
        "each head has scores of its own": lambda k, h, b: 2 * k**2 * b,
        "each head has scores of its own, and they are there twice": lambda k, h, b: k**2 * b,
        "these are numbers; each takes several bytes": lambda k, h, b: 2 * h * k**2,
        "these are bits; a byte has eight": lambda k, h, b: 16 * h * k**2 * b,
        "every token has a score with every other token: k², not k": lambda k, h, b: 2 * h * k * b,
        "each pair is counted once; a row and a column differ, so all k² scores are held": lambda k, h, b: (
            h * k * (k + 1) * b
        ),
    },
)

log_log_slope = Exercise(
    "3.2 log–log slope",
    lambda sizes, seconds: _fit(sizes.log2(), seconds.log2()),
    (
        (torch.tensor([64.0, 128, 256, 512]), torch.tensor([0.9, 2.1, 3.6, 8.8])),
        (torch.tensor([100.0, 300, 1000]), torch.tensor([5.0, 30, 500])),
    ),
    {
        "this is the slope of the times themselves; take the logarithm of both": _fit,
        "only the times are logarithms; take that of the sizes as well": lambda s, t: _fit(s, t.log2()),
        "only the sizes are logarithms; take that of the times as well": lambda s, t: _fit(s.log2(), t),
        "the two logarithms have different bases": lambda s, t: _fit(s.log2(), t.log()),
        "the axes are exchanged: this is how the size grows with the time": lambda s, t: _fit(t.log2(), s.log2()),
        "only the first and the last point are used; fit a line through all": lambda s, t: (
            (t[-1] / t[0]).log2() / (s[-1] / s[0]).log2()
        ),
        "the line is forced through the origin; subtract the means first": lambda s, t: (
            (s.log2() * t.log2()).sum() / s.log2().square().sum()
        ),
        "this is the mean of the steps from point to point; fit a line through all": lambda s, t: (
            t.log2().diff() / s.log2().diff()
        ).mean(),
        "this is the correlation; it says how straight the line is, not how steep": lambda s, t: torch.corrcoef(
            torch.stack([s.log2(), t.log2()])
        )[0, 1],
    },
)

predicted_seconds = Exercise(
    "3.3 from one size to another",
    lambda k, known_k, known_seconds, exponent: known_seconds * (k / known_k) ** exponent,
    ((8192, 1024, 0.02, 2.0), (4096, 512, 0.5, 1.0), (100, 1600, 3.0, 1.5)),
    {
        "this grows in proportion to k; the exponent is missing": lambda k, n, t, e: t * k / n,
        "the exponent multiplies; it must be a power": lambda k, n, t, e: t * k / n * e,
        "the ratio of the sizes is upside down": lambda k, n, t, e: t * (n / k) ** e,
        "the time is inside the power; only the ratio of the sizes is": lambda k, n, t, e: (t * k / n) ** e,
        "this adds the difference of the sizes; a power law multiplies": lambda k, n, t, e: (
            t + (k - n) ** e if k > n else t - (n - k) ** e
        ),
        "this is the growth alone; multiply it with the known time": lambda k, n, t, e: (k / n) ** e,
    },
)

ratio_reached = Exercise(
    "3.4 where the ratio is reached",
    lambda d, ratio: (ratio * (3 * d + 1) - 4 * d) / 2,
    ((64, 10), (128, 3), (33, 25)),
    {
        "the score projection is missing: separable attention takes 3kd² + kd": lambda d, r: (3 * r - 4) * d / 2,
        "the four projections of multi-head attention are missing": lambda d, r: r * (3 * d + 1) / 2,
        "2k²d is 2kd for each token: divide by two": lambda d, r: float(r * (3 * d + 1) - 4 * d),
        "that is where they take the same; multiply separable attention by the ratio": lambda d, r: (1 - d) / 2,
        "the ratio is on the wrong side: multi-head attention takes more": lambda d, r: (
            (3 * d + 1 - 4 * d * r) / (2 * r)
        ),
        "that is for the form that pools first; the paper's order is meant": lambda d, r: float(r * (d + 1) - 2 * d),
        "this is k times d; divide by the width": lambda d, r: d * (r * (3 * d + 1) - 4 * d) / 2,
    },
)

speedup = Exercise(
    "3.5 ratio from interleaved rounds",
    lambda slow, fast: (slow / fast).median(),
    (
        (torch.tensor([9.0, 4.2, 4.0, 4.4, 8.1]), torch.tensor([3.1, 2.0, 2.1, 2.3, 4.1])),
        (torch.tensor([1.0, 5.0, 1.2]), torch.tensor([0.5, 1.1, 0.7])),
    ),
    {
        "the ratio is upside down: how many times longer does slow take?": lambda s, f: (f / s).median(),
        "this compares the sums, in which the slowest moment weighs most; compare round by round": lambda s, f: (
            s.sum() / f.sum()
        ),
        "each median may come from another moment; compare round by round, then take the median": lambda s, f: (
            s.median() / f.median()
        ),
        "the two shortest rounds may come from different moments; compare round by round": lambda s, f: (
            s.min() / f.min()
        ),
        "one bad round moves a mean as far as it likes; take the median of the ratios": lambda s, f: (s / f).mean(),
        "this is the largest of the ratios; the median is the typical one": lambda s, f: (s / f).max(),
        "this is the smallest of the ratios; the median is the typical one": lambda s, f: (s / f).min(),
        "these are the ratios of all rounds; return their median": lambda s, f: s / f,
    },
)


class _Machine:
    """A make-believe machine, so that the check of a benchmark depends on no real clock.

    `cold`: the first call takes eight times as long. `lazy`: calls return at once, and only `synchronize` waits.
    `noisy`: most rounds are disturbed. `crowded`: more than one thread costs time.
    """

    def __init__(self, cold: bool = False, lazy: bool = False, noisy: bool = False, crowded: bool = False):
        self.seconds = 0.003 + 0.001 * (cold + 2 * lazy + 3 * noisy + 4 * crowded)  # no constant fits all
        self.cold, self.lazy, self.noisy, self.crowded = cold, lazy, noisy, crowded
        self.now = self.pending = 0.0
        self.threads, self.readings = 4, 0

    def work(self) -> None:
        seconds = self.seconds * (8 if self.cold else 1)
        seconds *= (1.9, 1.3, 1.0, 1.5, 1.2)[self.readings // 2 % 5] if self.noisy else 1
        seconds *= 2 if self.crowded and self.threads != 1 else 1
        self.cold = False
        self.pending += seconds
        self.now += 1e-5  # what starting the work takes
        if not self.lazy:
            self.synchronize()

    def clock(self) -> float:
        self.readings += 1
        return self.now

    def synchronize(self) -> None:
        self.now += max(0.0, self.pending - 1e-5)
        self.pending = 0.0

    def set_threads(self, threads: int) -> None:
        self.threads = threads


@dataclass(frozen=True)
class Benchmark(Exercise):
    """The check of a benchmark that the learner writes: it must find the time of a call on every make-believe machine.

    Attributes
    ----------
    machines : dict of str to callable
        From a remark to the machine on which a benchmark with that flaw goes wrong, so that every flaw is named, alone
        or together with others. On the first there is no trouble at all.
    """

    machines: dict[str, Callable[[], _Machine]] = field(default_factory=dict)

    def _verdict(self, attempt: Callable) -> str:
        remarks = []
        for remark, build in self.machines.items():
            machine = build()
            try:
                seconds = attempt(machine.work, machine.clock, machine.synchronize, machine.set_threads)
            except NotImplementedError:
                return "not done yet"
            except Exception as error:  # a learner's function may fail in any way
                return f"not yet: it raised {type(error).__name__}: {str(error) or 'without a message'}"
            if seconds is None or seconds is ...:
                return "not done yet"
            try:
                seconds = float(seconds)
            except (TypeError, ValueError):
                return f"not yet: it returned a {type(seconds).__name__}, but seconds are wanted"
            if not abs(seconds - machine.seconds) <= 0.02 * machine.seconds:
                remarks.append(remark.format(seconds=seconds, machine=machine))
                if len(remarks) == len(self.machines):  # wrong everywhere: the first remark says it all
                    return f"not yet: {remarks[0]}"
        return f"not yet: {'; '.join(remarks)}" if remarks else "right"


def _fair(work, clock, synchronize, set_threads) -> float:
    set_threads(1)
    work()
    rounds = []
    for _ in range(10):
        synchronize()
        start = clock()
        work()
        synchronize()
        rounds.append(clock() - start)
    return min(rounds)


benchmark = Benchmark(
    "3.6 a fair benchmark",
    right=_fair,
    cases=(),
    mistakes={},
    machines={
        "even on a machine without noise it returned {seconds:.4f} s, but a call takes {machine.seconds} s": lambda: (
            _Machine()
        ),
        "the first call is slower than all others: warm up before the clock starts": lambda: _Machine(cold=True),
        "the clock is read before the work is done: synchronize first": lambda: _Machine(lazy=True),
        "one disturbed round is enough to spoil it: take the shortest of several": lambda: _Machine(noisy=True),
        "the number of threads is not one: set it before the work begins": lambda: _Machine(crowded=True),
    },
)
