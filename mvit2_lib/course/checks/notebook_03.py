"""The checks of the exercises of notebook 03."""

import io
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from .exercise import Exercise
from .values import difference, kind_of, plain, written
from .watch import raised


def _fit(x, y):
    return ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()


log_log_slope = Exercise(
    "3.2 fit a slope",
    lambda sizes, seconds: _fit(sizes.log2(), seconds.log2()),
    {
        "sizes that double": (torch.tensor([64.0, 128, 256, 512]), torch.tensor([0.9, 2.1, 3.6, 8.8])),
        "uneven sizes": (torch.tensor([100.0, 300, 1000]), torch.tensor([5.0, 30, 500])),
        "sizes out of order": (torch.tensor([512.0, 64, 2048, 256]), torch.tensor([0.4, 0.03, 9.0, 0.1])),
    },
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
        "only the times are logarithms, and their base is e; take the logarithm of both": lambda s, t: _fit(s, t.log()),
        "only the sizes are logarithms, and their base is e; take the logarithm of both": lambda s, t: _fit(s.log(), t),
        "the mean is subtracted from the sizes alone below and from neither above": lambda s, t: (
            (s.log2() * t.log2()).sum() / (s.log2() - s.log2().mean()).square().sum()
        ),
        "this is the covariance of the logarithms; divide by the variance of those of the sizes": lambda s, t: (
            torch.cov(torch.stack([s.log(), t.log()]))[0, 1]
        ),
        "the sum below lacks its square: u · u": lambda s, t: (
            _products(s, t) / (s.log2() - s.log2().mean()).abs().sum()
        ),
        "the root of the sum below is taken; the slope has none": lambda s, t: _products(s, t) / _products(s, s) ** 0.5,
        "that is the mean of each time's logarithm over its size's; fit a line through all": lambda s, t: (
            t.log2() / s.log2()
        ).mean(),
        "that is the median of the steps from point to point; fit a line through all": lambda s, t: (
            t.log2().diff() / s.log2().diff()
        ).median(),
        "that is the height at which the line begins; return its slope": lambda s, t: (
            t.log2().mean() - _fit(s.log2(), t.log2()) * s.log2().mean()
        ),
        "that is the height at which the line begins, in natural logarithms; return its slope": lambda s, t: (
            t.log().mean() - _fit(s.log(), t.log()) * s.log().mean()
        ),
        "that is the height at which the line begins, in decimal logarithms; return its slope": lambda s, t: (
            t.log10().mean() - _fit(s.log10(), t.log10()) * s.log10().mean()
        ),
        "that is the square of the correlation; it says how straight the line is, not how steep": lambda s, t: (
            torch.corrcoef(torch.stack([s.log2(), t.log2()]))[0, 1] ** 2
        ),
        "this is the ratio of the two spreads, which is right only for points on a line": lambda s, t: (
            t.log2().std() / s.log2().std()
        ),
        "this is a mean of ratios; divide the sum of the products by the sum of the squares": lambda s, t: (
            (t.log2() - t.log2().mean()) / (s.log2() - s.log2().mean())
        ).mean(),
        "slope and height of the line are both returned; return the slope alone, a single number": lambda s, t: (
            torch.stack([_fit(s.log2(), t.log2()), t.log2().mean() - _fit(s.log2(), t.log2()) * s.log2().mean()])
        ),
        "slope and height of the line, in natural logarithms, are both returned; return the slope alone": lambda s, t: (
            torch.stack([_fit(s.log(), t.log()), t.log().mean() - _fit(s.log(), t.log()) * s.log().mean()])
        ),
        "slope and height of the line, in decimal logarithms, are both returned; return the slope alone": lambda s, t: (
            torch.stack([_fit(s.log10(), t.log10()), t.log10().mean() - _fit(s.log10(), t.log10()) * s.log10().mean()])
        ),
        "the means are those of the numbers, taken before the logarithm": lambda s, t: (
            ((s.log2() - s.mean().log2()) * (t.log2() - t.mean().log2())).sum()
            / (s.log2() - s.mean().log2()).square().sum()
        ),
    },
    steps={
        "the sum of the products of both deviations": lambda s, t: _products(s, t),
        "the sum of the squares of the deviations": lambda s, t: _products(s, s),
    },
    sizes={"sizes": "n"},
)


def _products(one, other):
    one, other = one.log2(), other.log2()
    return ((one - one.mean()) * (other - other.mean())).sum()


def _meet(k, t1, e1, t2, e2):
    return k * (t1 / t2) ** (1 / (e2 - e1))


def _both_ways(mistakes: dict[str, Callable]) -> dict[str, Callable]:
    """Add each mistake with the two layers exchanged, where that gives other numbers: ratio and difference turned."""
    case, found = (1024, 0.08, 1.2, 0.02, 1.7), {}
    numbers = [mistake(*case) for mistake in mistakes.values()]
    for remark, mistake in mistakes.items():
        k, t1, e1, t2, e2 = case
        number = mistake(k, t2, e2, t1, e1)
        if not any(abs(number - other) < 1e-6 * abs(other) for other in (*numbers, _meet(*case))):
            numbers.append(number)
            turned = remark.translate(str.maketrans("12", "21")) if "exponent_" in remark else remark
            turned = turned.replace("2 / (", "1 / (")
            found[f"{turned}; it is written for seconds_2 / seconds_1"] = lambda k, t1, e1, t2, e2, m=mistake: m(
                k, t2, e2, t1, e1
            )
    return {**mistakes, **found}


meeting_point = Exercise(
    "3.3 where two lines meet",
    lambda known_k, seconds_1, exponent_1, seconds_2, exponent_2: _meet(
        known_k, seconds_1, exponent_1, seconds_2, exponent_2
    ),
    (
        (1024, 0.08, 1.0, 0.02, 2.0),
        (256, 0.5, 1.2, 0.3, 1.7),
        (4096, 0.01, 1.9, 0.07, 0.9),
        (100, 3.0, 1.0, 1.0, 3.0),
        (2048, 0.02, 1.0, 0.3, 2.0),
    ),
    _both_ways(
        {
            "that is the growth alone; multiply with known_k": lambda k, t1, e1, t2, e2: _meet(1, t1, e1, t2, e2),
            "the ratio of the times is upside down, or the exponents are exchanged": lambda k, t1, e1, t2, e2: _meet(
                k, t2, e1, t1, e2
            ),
            "the difference of the exponents is a divisor here: take the power 1 / (exponent_2 − exponent_1)": (
                lambda k, t1, e1, t2, e2: k * (t1 / t2) ** (e2 - e1)
            ),
            "the difference of the exponents is turned round, and no divisor: take the power "
            "1 / (exponent_2 − exponent_1)": (lambda k, t1, e1, t2, e2: k * (t1 / t2) ** (e1 - e2)),
            "the exponents are added; their difference counts": lambda k, t1, e1, t2, e2: (
                k * (t1 / t2) ** (1 / (e1 + e2))
            ),
            "the exponents are divided; their difference counts": lambda k, t1, e1, t2, e2: k * (t1 / t2) ** (e1 / e2),
            "the exponents are divided, the second by the first; their difference counts": lambda k, t1, e1, t2, e2: (
                k * (t1 / t2) ** (e2 / e1)
            ),
            "the times are subtracted; a power law multiplies: take their ratio": lambda k, t1, e1, t2, e2: (
                k * (t1 - t2) ** (1 / (e2 - e1)) if t1 > t2 else k * (t2 - t1) ** (1 / (e2 - e1))
            ),
            "the ratio of the times is not raised to a power": lambda k, t1, e1, t2, e2: k * t1 / t2,
            "the ratio is divided by the difference of the exponents; it must be a root": lambda k, t1, e1, t2, e2: (
                k * t1 / t2 / (e2 - e1)
            ),
            "the ratio is multiplied with the difference of the exponents; it must be a root": (
                lambda k, t1, e1, t2, e2: k * t1 / t2 * (e2 - e1)
            ),
            "only the first exponent is used; their difference counts": lambda k, t1, e1, t2, e2: (
                k * (t1 / t2) ** (1 / e1)
            ),
            "only the second exponent is used; their difference counts": lambda k, t1, e1, t2, e2: (
                k * (t1 / t2) ** (1 / e2)
            ),
            "known_k is inside the power; only the ratio of the times is": lambda k, t1, e1, t2, e2: _meet(
                1, k * t1, e1, t2, e2
            ),
            "known_k is divided; it must be multiplied": lambda k, t1, e1, t2, e2: _meet(1, t1, e1, t2, e2) / k,
            "known_k is added; it must be multiplied": lambda k, t1, e1, t2, e2: k + _meet(1, t1, e1, t2, e2),
            "brackets are missing around exponent_2 − exponent_1": lambda k, t1, e1, t2, e2: (
                k * (t1 / t2) ** (1 / e2 - e1)
            ),
            "the lines are taken as straight; they are straight in logarithms only": lambda k, t1, e1, t2, e2: (
                k + (t1 - t2) / (e2 - e1)
            ),
            "two logarithms have different bases: what a natural one begins, exp must end": lambda k, t1, e1, t2, e2: (
                2 ** (math.log(k) + math.log(t1 / t2) / (e2 - e1))
            ),
            "a natural logarithm is undone with a power of two": lambda k, t1, e1, t2, e2: (
                k * 2 ** (math.log(t1 / t2) / (e2 - e1))
            ),
            "a logarithm of base two is undone with exp": lambda k, t1, e1, t2, e2: (
                k * math.exp(math.log2(t1 / t2) / (e2 - e1))
            ),
            "a natural logarithm is undone with a power of ten": lambda k, t1, e1, t2, e2: (
                k * 10 ** (math.log(t1 / t2) / (e2 - e1))
            ),
            "`//` cuts the exponent to a whole number; divide with `/`": lambda k, t1, e1, t2, e2: (
                k * (t1 / t2) ** (1 // (e2 - e1))
            ),
            "the larger of the times is always divided by the smaller, so that they meet on one side only": (
                lambda k, t1, e1, t2, e2: k * (max(t1, t2) / min(t1, t2)) ** (1 / abs(e2 - e1))
            ),
            "the sign of the difference of the exponents is lost, so that they may meet on the wrong side": (
                lambda k, t1, e1, t2, e2: k * (t1 / t2) ** (1 / abs(e2 - e1))
            ),
            "this is an exponential of the ratio; it must be a root of it": lambda k, t1, e1, t2, e2: (
                k * math.exp(t1 / t2 / (e2 - e1))
            ),
            "that is the time at which they meet; return the k": lambda k, t1, e1, t2, e2: (
                t1 * _meet(1, t1, e1, t2, e2) ** e1
            ),
            "that is the logarithm of the k; return the k itself": lambda k, t1, e1, t2, e2: math.log(
                _meet(k, t1, e1, t2, e2)
            ),
        }
    ),
)


def _largest(memory, heads, size, twice=2):
    return math.isqrt(memory // (twice * heads * size))


largest_k = Exercise(
    "3.4 what fits",
    _largest,
    # The largest answer is small enough that a float's root is right, and that counting up to it takes no time.
    ((10**9, 4, 4), (2 * 4 * 4 * 1000**2, 4, 4), (16 * 2**26, 8, 2), (2 * 4 * 4 * 1000**2 - 1, 4, 4), (5000, 3, 4))
    + ((3 * 10**7, 2, 8), (123456, 5, 1)),
    {
        "the scores are held twice, before and after the softmax": lambda m, h, b: _largest(m, h, b, 1),
        "the scores are held twice, not four times": lambda m, h, b: _largest(m, h, b, 4),
        "each head has scores of its own": lambda m, h, b: _largest(m, 1, b),
        "each head has scores of its own, and they are held twice": lambda m, h, b: _largest(m, 1, b, 1),
        "these are scores as numbers; each takes several bytes": lambda m, h, b: _largest(m, h, 1),
        "the size is in bytes; there are no bits here": lambda m, h, b: _largest(m, h, 8 * b),
        "the memory is in bytes; there are no bits here": lambda m, h, b: _largest(8 * m, h, b),
        "that is k²: take the root": lambda m, h, b: m // (2 * h * b),
        "that is k², and not whole: take the root, and round down": lambda m, h, b: m / (2 * h * b),
        "the root need not be whole, but a number of tokens is: round down": lambda m, h, b: (m / (2 * h * b)) ** 0.5,
        "it is rounded to the nearest number, which may not fit: round down": lambda m, h, b: round(
            (m / (2 * h * b)) ** 0.5
        ),
        "it is rounded up, which does not fit: round down": lambda m, h, b: math.ceil((m / (2 * h * b)) ** 0.5),
        "it is the first k that does not fit: subtract one": lambda m, h, b: _largest(m, h, b) + 1,
        "an exact fit counts: it may take all of the memory": lambda m, h, b: (lambda k: k - (2 * h * b * k * k == m))(
            _largest(m, h, b)
        ),
        "one is subtracted always; what fits exactly or nearly is lost": lambda m, h, b: _largest(m, h, b) - 1,
        "the number of bytes multiplies, where it must divide": lambda m, h, b: math.isqrt(m * b // (2 * h)),
        "only the 2 divides: put brackets around all that is below": lambda m, h, b: int((m / 2 * h * b) ** 0.5),
        "the heads multiply: put brackets around all that is below": lambda m, h, b: int((m / (2 * b) * h) ** 0.5),
        "all is multiplied under the root; memory must be divided by the rest": lambda m, h, b: math.isqrt(
            m * 2 * h * b
        ),
        "that is the largest power of two that fits; the largest whole number is wanted": lambda m, h, b: (
            1 << _largest(m, h, b).bit_length() - 1
        ),
        "the root is taken before the division; divide first": lambda m, h, b: int(m**0.5) // (2 * h * b),
        "each pair is counted once; a row and a column differ, so all k² scores are held": lambda m, h, b: (
            (math.isqrt(1 + 4 * (m // (h * b))) - 1) // 2
        ),
    },
)

speedup = Exercise(
    "3.5 a ratio that survives a busy machine",
    lambda slow, fast: (slow / fast).median(),
    {
        "five rounds": (torch.tensor([9.0, 4.2, 4.0, 4.4, 8.1]), torch.tensor([3.1, 2.0, 2.1, 2.3, 4.1])),
        "five rounds that differ much": (
            torch.tensor([2.9, 2.6, 7.2, 9.2, 4.9]),
            torch.tensor([0.6, 2.1, 2.7, 2.6, 3.6]),
        ),
        "three rounds": (torch.tensor([1.0, 5.0, 1.2]), torch.tensor([0.5, 1.1, 0.7])),
        "a machine that becomes slower": (
            torch.tensor([2.0, 2.1, 2.2, 4.4, 4.2, 9.1, 4.1]),
            torch.tensor([1.0, 0.9, 1.2, 1.9, 2.0, 2.2, 3.9]),
        ),
    },
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
        "the rounds are sorted, each list by itself, so that their pairs are lost": lambda s, f: (
            s.sort().values / f.sort().values
        ).median(),
        "this compares the longest rounds, and those are the disturbed ones": lambda s, f: s.max() / f.max(),
        "this is the ratio of the first round alone": lambda s, f: s[0] / f[0],
        "this is the ratio of the last round alone": lambda s, f: s[-1] / f[-1],
        "this is the ratio in the middle of the list; sort the ratios first": lambda s, f: (s / f)[len(s) // 2],
        "this is the middle of the differences; how many times longer does slow take?": lambda s, f: (s - f).median(),
        "this is the ratio less one, how much longer slow takes; how many times longer?": lambda s, f: (
            (s / f).median() - 1
        ),
        "the typical ratio is a middle one; a geometric mean moves with a bad round as well": lambda s, f: (
            (s / f).log().mean().exp()
        ),
        "this is upside down, and a mean besides: take the median of slow / fast": lambda s, f: (f / s).mean(),
        "this drops the first round only; a bad one may come at any time": lambda s, f: (s / f)[1:].median(),
        "this compares each round with every other, which had other conditions; compare round by round": lambda s, f: (
            (s[:, None] / f).flatten().median()
        ),
        "this is a quantile below the middle of the ratios; the median is wanted": lambda s, f: (s / f).quantile(0.25),
        "this is a quantile above the middle of the ratios; the median is wanted": lambda s, f: (s / f).quantile(0.75),
        "slow and fast are multiplied; divide": lambda s, f: (s * f).median(),
        "this compares the slow minimum with the fast median": lambda s, f: s.min() / f.median(),
        "this compares the slow median with the fast minimum": lambda s, f: s.median() / f.min(),
        "this drops the largest and smallest ratio, and takes a mean of the rest; take the median": lambda s, f: (
            (s / f).sort().values[1:-1].mean()
        ),
    },
    steps={"the difference in each round": lambda s, f: s - f},
    sizes={"slow": "n"},
)


class _Machine:
    """A make-believe machine, so that the check of a benchmark depends on no real clock.

    `cold`: the first call takes eight times as long. `lazy`: calls return at once, and only `synchronize` waits.
    `fresh`: the first call takes half the time, as on a processor that is not warm yet and may run faster than later.
    `noisy`: most rounds are disturbed. `crowded`: more than one thread costs time.
    """

    def __init__(self, cold=False, lazy=False, noisy=False, crowded=False, fresh=False):
        self.seconds = 0.003 + 0.001 * (cold + 2 * lazy + 3 * noisy + 4 * crowded + 5 * fresh)  # no constant fits all
        self.fresh = fresh
        self.cold, self.lazy, self.noisy, self.crowded = cold, lazy, noisy, crowded
        self.now = self.pending = 0.0
        self.threads, self.readings, self.durations, self.timed = 4, 0, [], []

    def work(self) -> None:
        seconds = self.seconds * (8 if self.cold else 1)
        seconds *= (1.9, 1.3, 1.0, 1.55, 1.2)[self.readings // 2 % 5] if self.noisy else 1
        seconds *= 2 if self.crowded and self.threads != 1 else 1
        seconds *= 0.5 if self.fresh else 1
        self.cold = self.fresh = False
        self.durations.append(seconds)
        if self.readings % 2:  # between two readings of the clock
            self.timed.append(seconds)
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


_STATISTICS = {
    "mean": statistics.mean,
    "median": statistics.median,
    "longest": max,
    "shortest": min,
    "first": lambda times: times[0],
    "last": lambda times: times[-1],
}


def _disturbed(machine: _Machine, seconds: float) -> str:
    """Say what a benchmark has done on a machine most of whose calls are disturbed."""
    if len(machine.timed) == 1:
        return "one call alone is timed, and most are disturbed: take the shortest of several"
    names = [
        name
        for name, statistic in _STATISTICS.items()
        if machine.timed and abs(seconds - statistic(machine.timed)) < 0.01 * machine.seconds
    ]
    if "shortest" in names:
        return f"{len(machine.timed)} calls are too few to meet one that is not disturbed: time at least ten"
    if names:
        return (
            f"this is the {' or '.join(names)} of the calls that are timed, and most are disturbed: take the shortest"
        )
    if seconds < 0.98 * machine.seconds:
        return "on a busy machine it returned less time than a call ever takes"
    return "disturbances are left in the result: time each call for itself, and take the shortest"


def _few(machine: _Machine, seconds: float) -> str:
    return f"only {len(machine.durations)} calls are made; after a warm-up, time at least ten"


def _late(machine: _Machine, seconds: float) -> str:
    if seconds < 0.1 * machine.seconds:
        return "the clock is read before the work is done: synchronize first"
    return "work that is still under way is counted to the wrong round: synchronize before the clock starts and stops"


def _first(machine: _Machine, seconds: float) -> str:
    return "the first call is slower than all others: warm up before the clock starts"


def _fresh(machine: _Machine, seconds: float) -> str:
    return (
        "the first call takes another time than all others, on one machine half of it: warm up before the clock starts"
    )


def _threads(machine: _Machine, seconds: float) -> str:
    if machine.threads == 4:
        return "the number of threads is not set to one before the work runs"
    if machine.threads == 1:
        return "the number of threads is set to one too late: set it before the work that is timed"
    return f"the number of threads is not one while the work runs; in the end it is {machine.threads}"


def _everywhere(machine: _Machine, seconds: float) -> str:
    wrong = f"even on a machine without noise it returned {written(torch.tensor(seconds))} s, but a call takes 0.003 s"
    if not machine.readings:
        return f"{wrong}: `clock` is never called"
    if not machine.durations:
        return f"{wrong}: `work` is never called"
    for name, factor in {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9, "calls a second": 0}.items():
        right = machine.seconds * factor if factor else 1 / machine.seconds
        if abs(seconds - right) <= 0.02 * right:
            return f"{wrong}: those are {name}"
    if abs(seconds + machine.seconds) < 1e-4:
        return f"{wrong}: stop and start are exchanged"
    times = round(seconds / machine.seconds)
    if 1 < times <= len(machine.durations) and abs(seconds / machine.seconds - times) < 0.02:
        return f"{wrong}: that is the time of {times} calls"
    for times in range(2, 101):
        if abs(seconds * times - machine.seconds) < 0.01 * machine.seconds:
            return f"{wrong}: that is a call's time divided by {times}"
    if machine.readings % 2:
        return f"{wrong}; the clock is read {machine.readings} times, which makes no pairs of start and stop"
    return wrong


@dataclass(frozen=True)
class Benchmark(Exercise):
    """The check of a benchmark that the learner writes: it must find the time of a call on every make-believe machine.

    Attributes
    ----------
    machines : dict of callable to dict
        From a function that names a flaw, of a machine and the seconds found, to the trouble by which it shows. On the
        first machine there is no trouble at all.
    """

    machines: dict[Callable[[_Machine, float], str], dict] = field(default_factory=dict)

    def _outcomes(self, function: Callable, printed=None) -> list:
        def called(trouble: dict):
            machine = _Machine(**trouble)
            return function(machine.work, machine.clock, machine.synchronize, machine.set_threads), machine

        outcomes = [self._outcome(called, (trouble,), printed or io.StringIO()) for trouble in self.machines.values()]
        return [got[0] if isinstance(got, tuple) and (got[0] is None or got[0] is ...) else got for got in outcomes]

    def _remark(self, outcomes: list, printed: bool, attempt=None) -> str:
        remarks = []
        for name, got in zip(self.machines, outcomes, strict=True):
            if not isinstance(got, tuple):
                return self._missing(got, printed) or raised(got, attempt) or difference(got, None, (0, 0))
            seconds, machine = plain(got[0]), got[1]
            if not isinstance(seconds, torch.Tensor) or seconds.numel() != 1:
                return f"it returned {kind_of(seconds)}, but the seconds of one call are wanted"
            if not abs(seconds.item() - machine.seconds) <= 0.02 * machine.seconds:
                if name is _fresh and any("warm up" in remark for remark in remarks):
                    continue
                remarks.append(name(machine, seconds.item()))
                if len(remarks) == 1 and name is _everywhere:  # then the other machines say nothing more
                    return remarks[0]
        if not remarks and min(len(got[1].durations) for got in outcomes) < 10:
            return _few(outcomes[0][1], 0.0)
        return "; ".join(remarks)


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
    "3.1 a fair benchmark",
    right=_fair,
    cases=(),
    machines={
        _everywhere: {},
        _first: {"cold": True},
        _late: {"lazy": True},
        _disturbed: {"noisy": True},
        _threads: {"crowded": True},
        _fresh: {"fresh": True},
    },
)
