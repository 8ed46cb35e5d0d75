"""Attempts at the exercises of notebook 03: correct ones, and wrong ones with the remark they must get."""

import itertools
import math
import statistics

import numpy as np
import torch


def with_loop(work, clock, synchronize, set_threads):
    set_threads(1)
    for _ in range(3):
        work()
    synchronize()
    best = float("inf")
    for _ in range(6):
        start = clock()
        for _ in range(4):
            work()
        synchronize()
        best = min(best, (clock() - start) / 4)
    return best


def sorted_times(work, clock, synchronize, set_threads):
    work()
    set_threads(1)
    times = []
    while len(times) < 20:
        synchronize()
        before = clock()
        work()
        synchronize()
        times.append(clock() - before)
    return sorted(times)[0]


def flawed(warm_up=True, synchronized=True, rounds=8, threads=1, summary=min):
    """Return a benchmark that lacks what it is told to lack."""

    def benchmark(work, clock, synchronize, set_threads):
        wait = synchronize if synchronized else lambda: None
        if threads:
            set_threads(threads)
        if warm_up:
            work()
        times = []
        for _ in range(rounds):
            wait()
            start = clock()
            work()
            wait()
            times.append(clock() - start)
        return summary(times)

    return benchmark


def undivided(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    start = clock()
    for _ in range(5):
        work()
    synchronize()
    return clock() - start


RIGHT = {
    "log_log_slope": [
        lambda sizes, seconds: torch.tensor(np.polyfit(sizes.log().numpy(), seconds.log().numpy(), 1)[0]),
        lambda sizes, seconds: torch.cov(torch.stack([sizes.log10(), seconds.log10()]))[0, 1] / sizes.log10().var(),
    ],
    "speedup": [
        lambda slow, fast: (slow / fast).sort().values[len(slow) // 2],
        lambda slow, fast: (slow.log() - fast.log()).median().exp(),
    ],
    "benchmark": [with_loop, sorted_times],
    "meeting_point": [
        lambda k, t1, e1, t2, e2: k * math.exp((math.log(t1) - math.log(t2)) / (e2 - e1)),
        lambda k, t1, e1, t2, e2: k * (t2 / t1) ** (1 / (e1 - e2)),
    ],
    "largest_k": [
        lambda m, h, b: int((m / (2 * h * b)) ** 0.5),
        lambda m, h, b: next(k for k in itertools.count(1) if 2 * h * b * k * k > m) - 1,
    ],
}

WRONG = {
    "log_log_slope": [
        (lambda s, t: torch.cov(torch.stack([s, t]))[0, 1] / s.var(), "logarithm of both"),
        (lambda s, t: torch.cov(torch.stack([s, t.log2()]))[0, 1] / s.var(), "only the times"),
        (lambda s, t: torch.cov(torch.stack([s.log2(), t]))[0, 1] / s.log2().var(), "only the sizes"),
        (lambda s, t: torch.cov(torch.stack([s.log2(), t.log()]))[0, 1] / s.log2().var(), "different bases"),
        (lambda s, t: torch.cov(torch.stack([s.log(), t.log()]))[0, 1] / t.log().var(), "axes are exchanged"),
        (lambda s, t: (t[-1].log() - t[0].log()) / (s[-1].log() - s[0].log()), "first and the last"),
        (lambda s, t: (s.log2() * t.log2()).sum() / (s.log2() ** 2).sum(), "through the origin"),
        (lambda s, t: ((t[1:] / t[:-1]).log() / (s[1:] / s[:-1]).log()).mean(), "from point to point"),
        (lambda s, t: torch.corrcoef(torch.stack([s.log(), t.log()]))[1, 0], "how straight"),
        (lambda s, t: 1.0, "stands where"),
    ],
    "speedup": [
        (lambda slow, fast: (fast / slow).median(), "upside down"),
        (lambda slow, fast: slow.mean() / fast.mean(), "slowest moment weighs most"),
        (lambda slow, fast: slow.median() / fast.median(), "each median"),
        (lambda slow, fast: slow.min() / fast.min(), "shortest rounds"),
        (lambda slow, fast: (slow / fast).mean(), "one bad round"),
        (lambda slow, fast: slow / fast, "return their median"),
        (lambda slow, fast: (slow / fast).max(), "largest of the ratios"),
        (lambda slow, fast: (slow / fast).min(), "smallest of the ratios"),
    ],
    "benchmark": [
        (flawed(warm_up=False, rounds=1), "warm up before the clock starts"),
        (flawed(synchronized=False), "synchronize first"),
        (flawed(rounds=1), "take the shortest"),
        (flawed(summary=statistics.mean), "take the shortest"),
        (flawed(summary=statistics.median), "take the shortest"),
        (flawed(threads=None), "threads is not set to one"),
        (flawed(threads=2), "threads is not one"),
        (undivided, "even on a machine without noise"),
        (
            flawed(warm_up=False, synchronized=False, rounds=1, threads=None),
            "warm up before the clock starts; the clock is read before the work is done: synchronize first; "
            "one call alone is timed, and most are disturbed: take the shortest of several; "
            "the number of threads is not set to one",
        ),
    ],
    "meeting_point": [
        (lambda k, t1, e1, t2, e2: k * (t2 / t1) ** (1 / (e2 - e1)), "upside down, or the exponents are exchanged"),
        (lambda k, t1, e1, t2, e2: k * (t1 / t2) / (e2 - e1), "it must be a root"),
        (lambda k, t1, e1, t2, e2: (k * t2 / t1) ** (1 / (e1 - e2)), "inside the power"),
        (lambda k, t1, e1, t2, e2: k * (t1 / t2) ** (1 / (e2 + e1)), "their difference counts"),
    ],
    "largest_k": [
        (lambda m, h, b: int((m / (2 * h * 4)) ** 0.5), "right only for size = 4"),
        (lambda m, h, b: int((m / 2 * h * b) ** 0.5), "put brackets around"),
        (lambda m, h, b: math.ceil((m / (2 * h * b)) ** 0.5), "rounded up"),
    ],
}
