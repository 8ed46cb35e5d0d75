"""Attempts of a cold reader at notebook 03: written from the stubs alone, before any check was run."""

import functools
import math
import operator
import os
import statistics
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch

# 3.1 a fair benchmark


def bench_plain(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    seconds = []
    for _ in range(30):
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return min(seconds)


def bench_nested(work, clock, synchronize, set_threads):
    def once(_=None):
        synchronize()
        start = clock()
        work()
        synchronize()
        return clock() - start

    set_threads(1)
    once()
    return min(map(once, range(50)))


def bench_running_best(work, clock, synchronize, set_threads):
    set_threads(1)
    for _ in range(5):
        work()
    synchronize()
    best, left = math.inf, 40
    while left:
        before = clock()
        work()
        synchronize()
        after = clock()
        best = min(best, after - before)
        left -= 1
    return best


def bench_numpy(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    times = np.empty((25, 2))
    for row in times:
        row[0] = clock()
        work()
        synchronize()
        row[1] = clock()
    return np.diff(times, axis=1).min()


def bench_tensor(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    rounds = torch.zeros(30, dtype=torch.float64)
    for i in range(30):
        start = clock()
        work()
        synchronize()
        rounds[i] = clock() - start
    return rounds.min()


def bench_warm_by_minimum(work, clock, synchronize, set_threads):
    set_threads(1)
    seconds = []
    for _ in range(30):
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return min(seconds)


def bench_repeats(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    best = math.inf
    for _ in range(40):
        start = clock()
        for _ in range(2):
            work()
        synchronize()
        best = min(best, (clock() - start) / 2)
    return best


def bench_three_rounds(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    seconds = []
    for _ in range(3):
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return min(seconds)


def bench_as_given(work, clock, synchronize, set_threads):
    start = clock()
    work()
    return clock() - start


def bench_one_round(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    start = clock()
    work()
    synchronize()
    return clock() - start


def _rounds(summary):
    def benchmark(work, clock, synchronize, set_threads):
        set_threads(1)
        work()
        synchronize()
        seconds = []
        for _ in range(30):
            start = clock()
            work()
            synchronize()
            seconds.append(clock() - start)
        return summary(seconds)

    return benchmark


def bench_no_sync(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    seconds = []
    for _ in range(30):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)


def bench_sync_too_late(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    seconds = []
    for _ in range(30):
        start = clock()
        work()
        end = clock()
        synchronize()
        seconds.append(end - start)
    return min(seconds)


def bench_sync_only_before(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    seconds = []
    for _ in range(30):
        synchronize()
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)


def bench_sync_not_called(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    seconds = []
    for _ in range(30):
        start = clock()
        work()
        synchronize  # noqa: B018
        seconds.append(clock() - start)
    return min(seconds)


def bench_no_threads(work, clock, synchronize, set_threads):
    work()
    synchronize()
    seconds = []
    for _ in range(30):
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return min(seconds)


def bench_all_cores(work, clock, synchronize, set_threads):
    set_threads(os.cpu_count() or 2)
    work()
    synchronize()
    seconds = []
    for _ in range(30):
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return min(seconds)


def bench_threads_afterwards(work, clock, synchronize, set_threads):
    work()
    synchronize()
    seconds = []
    for _ in range(30):
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    set_threads(1)
    return min(seconds)


def bench_warm_up_in_time(work, clock, synchronize, set_threads):
    set_threads(1)
    seconds = []
    for _ in range(30):
        start = clock()
        work()  # warm up
        work()
        synchronize()
        seconds.append(clock() - start)
    return min(seconds)


def bench_cold_mean(work, clock, synchronize, set_threads):
    set_threads(1)
    start = clock()
    for _ in range(30):
        work()
    synchronize()
    return (clock() - start) / 30


def bench_own_clock(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    seconds = []
    for _ in range(30):
        start = time.perf_counter()
        work()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def bench_cumulative(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    start, seconds = clock(), []
    for _ in range(30):
        work()
        synchronize()
        seconds.append(clock() - start)
    return seconds[-1]


def bench_prints(work, clock, synchronize, set_threads):
    best = bench_plain(work, clock, synchronize, set_threads)
    f"{best:.6f} seconds"  # noqa: B018


def bench_drops_half(work, clock, synchronize, set_threads):
    set_threads(1)
    seconds = []
    for _ in range(2):
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return sum(seconds) / 2


# 3.2 fit a slope


def slope_hint(sizes, seconds):
    u = sizes.log() - sizes.log().mean()
    v = seconds.log() - seconds.log().mean()
    return (u * v).sum() / (u * u).sum()


def slope_polyfit(sizes, seconds):
    return np.polyfit(np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(seconds, dtype=float)), 1)[0]


def slope_loop(sizes, seconds):
    xs = [math.log(float(s)) for s in sizes]
    ys = [math.log(float(s)) for s in seconds]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    above = below = 0.0
    for a, b in zip(xs, ys, strict=True):
        above += (a - mx) * (b - my)
        below += (a - mx) ** 2
    return above / below


def slope_lstsq(sizes, seconds):
    x = sizes.double().log()
    design = torch.stack([x, torch.ones_like(x)], dim=1)
    return torch.linalg.lstsq(design, seconds.double().log()[:, None]).solution[0, 0].item()


def slope_library(sizes, seconds):
    return statistics.linear_regression(torch.log2(sizes).tolist(), torch.log2(seconds).tolist()).slope


def slope_covariance(sizes, seconds):
    table = torch.cov(torch.stack([sizes.double().log10(), seconds.double().log10()]))
    return table[0, 1] / table[0, 0]


def slope_einsum(sizes, seconds):
    u, v = sizes.double().log(), seconds.double().log()
    u = u - u.mean()
    return torch.einsum("i,i->", u, v) / torch.einsum("i,i->", u, u)


def slope_no_logs(sizes, seconds):
    u, v = sizes - sizes.float().mean(), seconds - seconds.mean()
    return (u * v).sum() / (u * u).sum()


def slope_half_log(sizes, seconds):
    u, v = sizes - sizes.float().mean(), seconds.log() - seconds.log().mean()
    return (u * v).sum() / (u * u).sum()


def slope_other_half_log(sizes, seconds):
    u, v = sizes.log() - sizes.log().mean(), seconds - seconds.mean()
    return (u * v).sum() / (u * u).sum()


def slope_upside_down(sizes, seconds):
    u = sizes.log() - sizes.log().mean()
    v = seconds.log() - seconds.log().mean()
    return (u * u).sum() / (u * v).sum()


def slope_of_sizes(sizes, seconds):
    u = sizes.log() - sizes.log().mean()
    v = seconds.log() - seconds.log().mean()
    return (u * v).sum() / (v * v).sum()


def slope_through_origin(sizes, seconds):
    u, v = sizes.log(), seconds.log()
    return (u * v).sum() / (u * u).sum()


def slope_ends(sizes, seconds):
    u, v = sizes.log(), seconds.log()
    return (v[-1] - v[0]) / (u[-1] - u[0])


def slope_neighbours(sizes, seconds):
    u, v = sizes.log(), seconds.log()
    return (v.diff() / u.diff()).mean()


def slope_correlation(sizes, seconds):
    return torch.corrcoef(torch.stack([sizes.log(), seconds.log()]))[0, 1]


def slope_spreads(sizes, seconds):
    return seconds.log().std() / sizes.log().std()


def slope_log_of_mean(sizes, seconds):
    u = sizes.log() - sizes.float().mean().log()
    v = seconds.log() - seconds.mean().log()
    return (u * v).sum() / (u * u).sum()


def slope_intercept(sizes, seconds):
    return np.polyfit(np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(seconds, dtype=float)), 1)[1]


def slope_both(sizes, seconds):
    return np.polyfit(np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(seconds, dtype=float)), 1)


def slope_mixed_bases(sizes, seconds):
    u = sizes.log2() - sizes.log2().mean()
    v = seconds.log() - seconds.log().mean()
    return (u * v).sum() / (u * u).sum()


def slope_exponentiated(sizes, seconds):
    return slope_hint(sizes, seconds).exp()


def slope_whole(sizes, seconds):
    return round(float(slope_hint(sizes, seconds)))


def slope_mean_of_ratios(sizes, seconds):
    u = sizes.log() - sizes.log().mean()
    v = seconds.log() - seconds.log().mean()
    return (v / u).mean()


def slope_mixed_divisors(sizes, seconds):
    u, v = sizes.log(), seconds.log()
    together = ((u - u.mean()) * (v - v.mean())).mean()
    return together / u.var()


def slope_logs_of_differences(sizes, seconds):
    u = (sizes - sizes.float().mean()).log()
    v = (seconds - seconds.mean()).log()
    return (u * v).sum() / (u * u).sum()


# 3.3 where two lines meet


def meet_formula(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) ** (1 / (exponent_1 - exponent_2))


def meet_logs(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    log_k = math.log(known_k) + (math.log(seconds_1) - math.log(seconds_2)) / (exponent_2 - exponent_1)
    return math.exp(log_k)


def meet_bisection(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    def gap(log_k):
        step = log_k - math.log(known_k)
        return math.log(seconds_1) + exponent_1 * step - math.log(seconds_2) - exponent_2 * step

    low, high = -200.0, 200.0
    for _ in range(200):
        middle = (low + high) / 2
        if (gap(middle) > 0) == (gap(high) > 0):
            high = middle
        else:
            low = middle
    return math.exp(low)


def meet_numpy(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    lines = np.array([[exponent_1, -1.0], [exponent_2, -1.0]])
    constants = np.array(
        [exponent_1 * np.log(known_k) - np.log(seconds_1), exponent_2 * np.log(known_k) - np.log(seconds_2)]
    )
    return np.exp(np.linalg.solve(lines, constants)[0])


def meet_tensor(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    k, one, two = (torch.tensor(float(n), dtype=torch.float64) for n in (known_k, seconds_1, seconds_2))
    return k * (one / two).pow(1.0 / (exponent_2 - exponent_1))


def meet_constants(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    a = seconds_1 / known_k**exponent_1
    b = seconds_2 / known_k**exponent_2
    return (b / a) ** (1 / (exponent_1 - exponent_2))


def meet_ratio_turned(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_1 / seconds_2) ** (1 / (exponent_1 - exponent_2))


def meet_exponents_turned(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) ** (1 / (exponent_2 - exponent_1))


def meet_no_root(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) ** (exponent_1 - exponent_2)


def meet_no_power(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) / (exponent_1 - exponent_2)


def meet_factor_only(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return (seconds_2 / seconds_1) ** (1 / (exponent_1 - exponent_2))


def meet_sum_of_exponents(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) ** (1 / (exponent_1 + exponent_2))


def meet_precedence(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) ** 1 / (exponent_1 - exponent_2)


def meet_outer_power(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return (known_k * seconds_2 / seconds_1) ** (1 / (exponent_1 - exponent_2))


def meet_whole(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return round(known_k * (seconds_2 / seconds_1) ** (1 / (exponent_1 - exponent_2)))


def meet_next_whole(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return math.ceil(known_k * (seconds_2 / seconds_1) ** (1 / (exponent_1 - exponent_2)))


def meet_straight(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k + (seconds_2 - seconds_1) / (exponent_1 - exponent_2)


def meet_log_answer(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return math.log(known_k) + math.log(seconds_2 / seconds_1) / (exponent_1 - exponent_2)


def meet_absolute(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    slow, fast = max(seconds_1, seconds_2), min(seconds_1, seconds_2)
    return known_k * (slow / fast) ** (1 / abs(exponent_1 - exponent_2))


def meet_without_known_k(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return (seconds_2 / seconds_1) ** (1 / (exponent_1 - exponent_2)) / known_k


def meet_mixed_logs(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * 2 ** (math.log(seconds_2 / seconds_1) / (exponent_1 - exponent_2))


def meet_time(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    k = known_k * (seconds_2 / seconds_1) ** (1 / (exponent_1 - exponent_2))
    return seconds_1 * (k / known_k) ** exponent_1


def meet_ratio_of_exponents(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) ** (exponent_2 / exponent_1)


def meet_whole_division(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) ** (1 // (exponent_1 - exponent_2))


# 3.4 what fits


def fits_isqrt(memory, heads, size):
    return math.isqrt(memory // (2 * heads * size))


def fits_climbing(memory, heads, size):
    k = 0
    while 2 * heads * (k + 1) ** 2 * size <= memory:
        k += 1
    return k


def fits_bisection(memory, heads, size):
    low, high = 0, memory + 1
    while high - low > 1:
        middle = (low + high) // 2
        if 2 * heads * middle * middle * size <= memory:
            low = middle
        else:
            high = middle
    return low


def fits_floor_sqrt(memory, heads, size):
    return math.floor(math.sqrt(memory / (2 * heads * size)))


def fits_numpy(memory, heads, size):
    return np.int64(np.floor(np.sqrt(np.float64(memory) / (2 * heads * size))))


def fits_decimal(memory, heads, size):
    return int((Decimal(int(memory)) / (2 * heads * size)).sqrt())


def fits_tensor(memory, heads, size):
    return torch.tensor(memory / (2 * heads * size), dtype=torch.float64).sqrt().floor().long()


def fits_division_after(memory, heads, size):
    k = int((memory / size / heads / 2) ** 0.5)
    return k + 1 if 2 * heads * size * (k + 1) ** 2 <= memory else k


def fits_once(memory, heads, size):
    return math.isqrt(memory // (heads * size))


def fits_one_head(memory, heads, size):
    return math.isqrt(memory // (2 * size))


def fits_numbers(memory, heads, size):
    return math.isqrt(memory // (2 * heads))


def fits_no_root(memory, heads, size):
    return memory // (2 * heads * size)


def fits_unrounded(memory, heads, size):
    return math.sqrt(memory / (2 * heads * size))


def fits_rounded(memory, heads, size):
    return round(math.sqrt(memory / (2 * heads * size)))


def fits_rounded_up(memory, heads, size):
    return math.ceil(math.sqrt(memory / (2 * heads * size)))


def fits_root_first(memory, heads, size):
    return math.isqrt(memory) // (2 * heads * size)


def fits_one_too_many(memory, heads, size):
    k = 0
    while 2 * heads * k**2 * size <= memory:
        k += 1
    return k


def fits_strictly(memory, heads, size):
    k = 0
    while 2 * heads * (k + 1) ** 2 * size < memory:
        k += 1
    return k


def fits_heads_outside(memory, heads, size):
    return math.isqrt(memory // (2 * size)) // heads


def fits_half_outside(memory, heads, size):
    return math.isqrt(memory // (heads * size)) // 2


def fits_bits(memory, heads, size):
    return math.isqrt(8 * memory // (2 * heads * size))


def fits_four_bytes(memory, heads, size):
    return math.isqrt(memory // (2 * heads * 4))


def fits_size_multiplied(memory, heads, size):
    return math.isqrt(memory // (2 * heads) * size)


def fits_power_of_two(memory, heads, size):
    k = 1
    while 2 * heads * (2 * k) ** 2 * size <= memory:
        k *= 2
    return k


def fits_heads_squared(memory, heads, size):
    return math.isqrt(memory // (2 * heads**2 * size))


def fits_precedence(memory, heads, size):
    return math.isqrt(memory // 2 * heads * size)


# 3.5 a ratio that survives


def ratio_statistics(slow, fast):
    return statistics.median(float(s) / float(f) for s, f in zip(slow, fast, strict=True))


def ratio_sorted(slow, fast):
    ratios = sorted(float(slow[i]) / float(fast[i]) for i in range(len(slow)))
    n = len(ratios)
    return (ratios[(n - 1) // 2] + ratios[n // 2]) / 2


def ratio_numpy(slow, fast):
    return np.median(np.divide(slow, fast))


def ratio_torch(slow, fast):
    return torch.as_tensor(slow).div(torch.as_tensor(fast)).median()


def ratio_quantile(slow, fast):
    slow, fast = (torch.as_tensor(t, dtype=torch.float64) for t in (slow, fast))
    return torch.quantile(slow / fast, 0.5).item()


def ratio_map(slow, fast):
    return statistics.median(map(operator.truediv, slow, fast))


def ratio_logs(slow, fast):
    logs = [math.log(s) - math.log(f) for s, f in zip(slow, fast, strict=True)]
    return math.exp(statistics.median(logs))


def ratio_trimmed(slow, fast):
    ratios = sorted(s / f for s, f in zip(slow, fast, strict=True))[1:-1]
    return sum(ratios) / len(ratios)


def ratio_fraction(slow, fast):
    return float(statistics.median(Fraction(float(s)) / Fraction(float(f)) for s, f in zip(slow, fast, strict=True)))


def ratio_means(slow, fast):
    return (sum(slow) / len(slow)) / (sum(fast) / len(fast))


def ratio_sums(slow, fast):
    return sum(slow) / sum(fast)


def ratio_medians(slow, fast):
    return statistics.median(slow) / statistics.median(fast)


def ratio_shortest(slow, fast):
    return min(slow) / min(fast)


def ratio_mean_of_ratios(slow, fast):
    return statistics.mean([float(s) / float(f) for s, f in zip(slow, fast, strict=True)])


def ratio_turned(slow, fast):
    return statistics.median([f / s for s, f in zip(slow, fast, strict=True)])


def ratio_difference(slow, fast):
    return statistics.median([s - f for s, f in zip(slow, fast, strict=True)])


def ratio_first(slow, fast):
    return slow[0] / fast[0]


def ratio_geometric(slow, fast):
    product = functools.reduce(operator.mul, (float(s) / float(f) for s, f in zip(slow, fast, strict=True)))
    return product ** (1 / len(slow))


def ratio_largest(slow, fast):
    return max(s / f for s, f in zip(slow, fast, strict=True))


def ratio_smallest(slow, fast):
    return min(s / f for s, f in zip(slow, fast, strict=True))


def ratio_list(slow, fast):
    return [s / f for s, f in zip(slow, fast, strict=True)]


def ratio_sorted_apart(slow, fast):
    return statistics.median([s / f for s, f in zip(sorted(slow), sorted(fast), strict=True)])


def ratio_unsorted_middle(slow, fast):
    ratios = [s / f for s, f in zip(slow, fast, strict=True)]
    return ratios[len(ratios) // 2]


def ratio_minus_one(slow, fast):
    return statistics.median([s / f for s, f in zip(slow, fast, strict=True)]) - 1


def ratio_all_pairs(slow, fast):
    return statistics.median([s / f for s in slow for f in fast])


def ratio_max_of_rounds(slow, fast):
    return max(slow) / max(fast)


def ratio_whole(slow, fast):
    return round(float(ratio_statistics(slow, fast)))


ATTEMPTS = [
    ("benchmark", "right", "a loop and a list", bench_plain),
    ("benchmark", "right", "a nested function and map", bench_nested),
    ("benchmark", "right", "five warm-up calls and a running best", bench_running_best),
    ("benchmark", "right", "a NumPy array and a NumPy number", bench_numpy),
    ("benchmark", "right", "a float64 tensor and a 0-d tensor", bench_tensor),
    ("benchmark", "wrong", "the shortest of 30 rounds, without a warm-up", bench_warm_by_minimum),
    ("benchmark", "right", "repeats within a round, number 5 of the list", bench_repeats),
    ("benchmark", "wrong", "nothing is mended", bench_as_given),
    ("benchmark", "wrong", "only one round after the warm-up", bench_one_round),
    ("benchmark", "wrong", "the mean of the rounds", _rounds(statistics.mean)),
    ("benchmark", "wrong", "the median of the rounds", _rounds(statistics.median)),
    ("benchmark", "wrong", "the longest of the rounds", _rounds(max)),
    ("benchmark", "wrong", "the sum of all rounds", _rounds(sum)),
    ("benchmark", "wrong", "the list of all rounds", _rounds(list)),
    ("benchmark", "wrong", "milliseconds instead of seconds", _rounds(lambda seconds: 1e3 * min(seconds))),
    ("benchmark", "wrong", "synchronize is never called", bench_no_sync),
    ("benchmark", "wrong", "synchronize after the clock was read", bench_sync_too_late),
    ("benchmark", "wrong", "synchronize only before the clock starts", bench_sync_only_before),
    ("benchmark", "wrong", "synchronize without its parentheses", bench_sync_not_called),
    ("benchmark", "wrong", "the number of threads is never set", bench_no_threads),
    ("benchmark", "wrong", "as many threads as cores", bench_all_cores),
    ("benchmark", "wrong", "one thread only after the measurement", bench_threads_afterwards),
    ("benchmark", "wrong", "the warm-up call is inside the timed span", bench_warm_up_in_time),
    ("benchmark", "wrong", "the mean over 30 calls without a warm-up", bench_cold_mean),
    ("benchmark", "wrong", "its own clock instead of the one that was given", bench_own_clock),
    ("benchmark", "wrong", "the clock is started once for all rounds", bench_cumulative),
    ("benchmark", "wrong", "nothing is returned", bench_prints),
    ("benchmark", "wrong", "the first, cold call is part of the mean of two", bench_drops_half),
    ("benchmark", "wrong", "three rounds are too few to find a quiet one", bench_three_rounds),
    ("log_log_slope", "right", "tensors, as in the hint", slope_hint),
    ("log_log_slope", "right", "NumPy's polyfit and a NumPy number", slope_polyfit),
    ("log_log_slope", "right", "a loop with math.log", slope_loop),
    ("log_log_slope", "right", "torch.linalg.lstsq in float64", slope_lstsq),
    ("log_log_slope", "right", "statistics.linear_regression with log2", slope_library),
    ("log_log_slope", "right", "covariance over variance, with log10", slope_covariance),
    ("log_log_slope", "right", "einsum with one side centred", slope_einsum),
    ("log_log_slope", "wrong", "no logarithms", slope_no_logs),
    ("log_log_slope", "wrong", "the logarithm of the times only", slope_half_log),
    ("log_log_slope", "wrong", "the logarithm of the sizes only", slope_other_half_log),
    ("log_log_slope", "wrong", "the fraction is upside down", slope_upside_down),
    ("log_log_slope", "wrong", "divided by the squares of the times", slope_of_sizes),
    ("log_log_slope", "wrong", "the means are not subtracted", slope_through_origin),
    ("log_log_slope", "wrong", "only the first and the last point", slope_ends),
    ("log_log_slope", "wrong", "the mean of the slopes between neighbours", slope_neighbours),
    ("log_log_slope", "wrong", "the correlation instead of the slope", slope_correlation),
    ("log_log_slope", "wrong", "the ratio of the standard deviations", slope_spreads),
    ("log_log_slope", "wrong", "the logarithm of the mean is subtracted", slope_log_of_mean),
    ("log_log_slope", "wrong", "the intercept instead of the slope", slope_intercept),
    ("log_log_slope", "wrong", "slope and intercept instead of one number", slope_both),
    ("log_log_slope", "wrong", "logarithms of two different bases", slope_mixed_bases),
    ("log_log_slope", "wrong", "the exponential of the slope", slope_exponentiated),
    ("log_log_slope", "wrong", "rounded to a whole number", slope_whole),
    ("log_log_slope", "wrong", "the mean of the single ratios v / u", slope_mean_of_ratios),
    ("log_log_slope", "wrong", "divided by n above and by n - 1 below", slope_mixed_divisors),
    ("log_log_slope", "wrong", "the logarithm after the mean was subtracted", slope_logs_of_differences),
    ("meeting_point", "right", "the formula", meet_formula),
    ("meeting_point", "right", "through logarithms", meet_logs),
    ("meeting_point", "right", "by bisection", meet_bisection),
    ("meeting_point", "right", "two linear equations in NumPy", meet_numpy),
    ("meeting_point", "right", "0-d tensors in float64", meet_tensor),
    ("meeting_point", "right", "the constants of both power laws first", meet_constants),
    ("meeting_point", "wrong", "the ratio of the times is upside down", meet_ratio_turned),
    ("meeting_point", "wrong", "the exponents are subtracted the wrong way round", meet_exponents_turned),
    ("meeting_point", "wrong", "a power where a root is meant", meet_no_root),
    ("meeting_point", "wrong", "divided by the difference of the exponents", meet_no_power),
    ("meeting_point", "wrong", "the factor only, known_k is forgotten", meet_factor_only),
    ("meeting_point", "wrong", "the exponents are added", meet_sum_of_exponents),
    ("meeting_point", "wrong", "parentheses missing around 1 / (...)", meet_precedence),
    ("meeting_point", "wrong", "known_k is inside the root", meet_outer_power),
    ("meeting_point", "wrong", "rounded to a whole number", meet_whole),
    ("meeting_point", "wrong", "rounded up to the next whole number", meet_next_whole),
    ("meeting_point", "wrong", "straight lines without logarithms", meet_straight),
    ("meeting_point", "wrong", "the logarithm of the answer", meet_log_answer),
    ("meeting_point", "wrong", "always to the right of known_k", meet_absolute),
    ("meeting_point", "wrong", "divided by known_k", meet_without_known_k),
    ("meeting_point", "wrong", "a natural logarithm undone with base 2", meet_mixed_logs),
    ("meeting_point", "wrong", "the time at the meeting point", meet_time),
    ("meeting_point", "wrong", "the ratio of the exponents", meet_ratio_of_exponents),
    ("meeting_point", "wrong", "whole-number division in the exponent", meet_whole_division),
    ("largest_k", "right", "isqrt", fits_isqrt),
    ("largest_k", "right", "climbing in a loop", fits_climbing),
    ("largest_k", "right", "bisection", fits_bisection),
    ("largest_k", "right", "floor of a float root", fits_floor_sqrt),
    ("largest_k", "right", "a NumPy whole number", fits_numpy),
    ("largest_k", "right", "Decimal", fits_decimal),
    ("largest_k", "right", "a 0-d tensor of whole numbers", fits_tensor),
    ("largest_k", "right", "a float root, corrected by one", fits_division_after),
    ("largest_k", "wrong", "the scores are held once, not twice", fits_once),
    ("largest_k", "wrong", "one head only", fits_one_head),
    ("largest_k", "wrong", "the bytes of a number are forgotten", fits_numbers),
    ("largest_k", "wrong", "no root", fits_no_root),
    ("largest_k", "wrong", "not a whole number", fits_unrounded),
    ("largest_k", "wrong", "rounded to the nearest", fits_rounded),
    ("largest_k", "wrong", "rounded up", fits_rounded_up),
    ("largest_k", "wrong", "the root before the division", fits_root_first),
    ("largest_k", "wrong", "the first k that no longer fits", fits_one_too_many),
    ("largest_k", "wrong", "an exact fit is refused", fits_strictly),
    ("largest_k", "wrong", "divided by the heads after the root", fits_heads_outside),
    ("largest_k", "wrong", "halved after the root", fits_half_outside),
    ("largest_k", "wrong", "bits taken for bytes", fits_bits),
    ("largest_k", "wrong", "always four bytes", fits_four_bytes),
    ("largest_k", "wrong", "multiplied by the size", fits_size_multiplied),
    ("largest_k", "wrong", "powers of two only", fits_power_of_two),
    ("largest_k", "wrong", "the heads are squared", fits_heads_squared),
    ("largest_k", "wrong", "parentheses missing in the denominator", fits_precedence),
    ("speedup", "right", "statistics.median over zip", ratio_statistics),
    ("speedup", "right", "sorted by hand", ratio_sorted),
    ("speedup", "right", "NumPy", ratio_numpy),
    ("speedup", "right", "torch's median, a 0-d tensor", ratio_torch),
    ("speedup", "right", "torch.quantile in float64", ratio_quantile),
    ("speedup", "right", "map and truediv", ratio_map),
    ("speedup", "right", "the median of the logarithms", ratio_logs),
    ("speedup", "wrong", "the mean without the smallest and the largest ratio", ratio_trimmed),
    ("speedup", "right", "fractions", ratio_fraction),
    ("speedup", "wrong", "the ratio of the means", ratio_means),
    ("speedup", "wrong", "the ratio of the sums", ratio_sums),
    ("speedup", "wrong", "the ratio of the medians", ratio_medians),
    ("speedup", "wrong", "the ratio of the shortest times", ratio_shortest),
    ("speedup", "wrong", "the mean of the ratios", ratio_mean_of_ratios),
    ("speedup", "wrong", "fast over slow", ratio_turned),
    ("speedup", "wrong", "a difference instead of a ratio", ratio_difference),
    ("speedup", "wrong", "the first round only", ratio_first),
    ("speedup", "wrong", "the geometric mean of the ratios", ratio_geometric),
    ("speedup", "wrong", "the largest ratio", ratio_largest),
    ("speedup", "wrong", "the smallest ratio", ratio_smallest),
    ("speedup", "wrong", "all ratios instead of one number", ratio_list),
    ("speedup", "wrong", "both are sorted before they are paired", ratio_sorted_apart),
    ("speedup", "wrong", "the middle one of unsorted ratios", ratio_unsorted_middle),
    ("speedup", "wrong", "one is subtracted", ratio_minus_one),
    ("speedup", "wrong", "every round against every other", ratio_all_pairs),
    ("speedup", "wrong", "the ratio of the longest times", ratio_max_of_rounds),
    ("speedup", "wrong", "rounded to a whole number", ratio_whole),
]
