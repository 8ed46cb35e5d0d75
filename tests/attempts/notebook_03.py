"""Attempts at the exercises of notebook 03: two correct ones each, and wrong ones with the remark they must get."""

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
    "score_bytes": [
        lambda k, heads, width: sum(width * heads * k * k for _ in ("before", "after")),
        lambda k, heads, width: 2 * width * torch.empty(heads, k, k, device="meta").numel(),
    ],
    "log_log_slope": [
        lambda sizes, seconds: torch.tensor(np.polyfit(sizes.log().numpy(), seconds.log().numpy(), 1)[0]),
        lambda sizes, seconds: torch.cov(torch.stack([sizes.log10(), seconds.log10()]))[0, 1] / sizes.log10().var(),
    ],
    "predicted_seconds": [
        lambda k, known_k, known_seconds, exponent: known_seconds / (known_k / k) ** exponent,
        lambda k, n, t, e: float(np.exp(np.log(t) + e * (np.log(k) - np.log(n)))),
    ],
    "ratio_reached": [
        lambda d, ratio: ratio * (1.5 * d + 0.5) - 2 * d,
        lambda d, ratio: (ratio * (3 * d**2 + d) - 4 * d**2) / (2 * d),
    ],
    "speedup": [
        lambda slow, fast: (slow / fast).sort().values[len(slow) // 2],
        lambda slow, fast: (slow.log() - fast.log()).median().exp(),
    ],
    "benchmark": [with_loop, sorted_times],
}

WRONG = {
    "score_bytes": [
        (lambda k, heads, width: heads * k * k * width, "there twice"),
        (lambda k, heads, width: 2 * k * k * width, "each head has scores"),
        (lambda k, heads, width: 2 * heads * k * k, "each takes several bytes"),
        (lambda k, heads, width: 8 * width * 2 * heads * k * k, "a byte has eight"),
        (lambda k, heads, width: 2 * heads * k * width, "k², not k"),
        (lambda k, heads, width: 2 * width * heads * k * (k + 1) // 2, "counted once"),
        (lambda k, heads, width: 0, "it returned 0"),
    ],
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
        (lambda s, t: 1.0, "a Tensor is wanted"),
    ],
    "predicted_seconds": [
        (lambda k, n, t, e: k / n * t, "the exponent is missing"),
        (lambda k, n, t, e: e * k / n * t, "must be a power"),
        (lambda k, n, t, e: t / (k / n) ** e, "upside down"),
        (lambda k, n, t, e: (k / n) ** e, "multiply it with the known time"),
        (lambda k, n, t, e: (k / n * t) ** e, "inside the power"),
    ],
    "ratio_reached": [
        (lambda d, r: 1.5 * r * d - 2 * d, "score projection is missing"),
        (lambda d, r: r * (3 * d + 1) / 2, "projections of multi-head attention are missing"),
        (lambda d, r: r * (3 * d + 1) - 4 * d, "divide by two"),
        (lambda d, r: (3 * d + 1 - 4 * d) / 2, "where they take the same"),
        (lambda d, r: ((3 * d + 1) / r - 4 * d) / 2, "wrong side"),
        (lambda d, r: (r * (2 * d**2 + 2 * d) - 4 * d**2) / (2 * d), "pools first"),
        (lambda d, r: 2 * d, "is wanted"),
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
        (flawed(rounds=1), "shortest of several"),
        (flawed(summary=statistics.mean), "shortest of several"),
        (flawed(summary=statistics.median), "shortest of several"),
        (flawed(threads=None), "threads is not one"),
        (flawed(threads=2), "threads is not one"),
        (undivided, "even on a machine without noise"),
        (
            flawed(warm_up=False, synchronized=False, rounds=1, threads=None),
            "warm up before the clock starts; the clock is read before the work is done: synchronize first; "
            "one disturbed round is enough to spoil it: take the shortest of several; "
            "the number of threads is not one: set it before the work begins",
        ),
    ],
}
