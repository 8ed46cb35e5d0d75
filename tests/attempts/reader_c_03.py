"""Held-out attempts at the exercises of notebook 03, by a third cold reader."""

import math
import os
import statistics
import time
from collections import deque
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations, pairwise, product, starmap

import numpy as np
import torch

# 3.1 a fair benchmark


def bench_loop(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    times = []
    for _ in range(20):
        start = clock()
        work()
        synchronize()
        times.append(clock() - start)
    return min(times)


def bench_inner_function(work, clock, synchronize, set_threads):
    def once(_):
        synchronize()
        start = clock()
        work()
        synchronize()
        return clock() - start

    set_threads(1)
    for _ in range(5):
        work()
    return min(map(once, range(50)))


def bench_numpy(work, clock, synchronize, set_threads):
    set_threads(n := 1)
    [work() for _ in range(3 * n)]
    synchronize()
    stamps = np.empty((30, 2), dtype=np.float64)
    for row in stamps:
        row[0] = clock()
        work()
        synchronize()
        row[1] = clock()
    return np.diff(stamps, axis=1).min()


def bench_tensor(work, clock, synchronize, set_threads):
    calls = 25
    seconds = torch.full((calls,), torch.inf, dtype=torch.float64)
    set_threads(1)
    work()
    work()
    synchronize()
    for i in range(calls):
        begin = clock()
        work()
        synchronize()
        seconds[i] = clock() - begin
    return seconds.amin()


def bench_running_best(work, clock, synchronize, set_threads):
    best, left = float("inf"), 40
    set_threads(1)
    work()
    synchronize()
    while left > 0:
        start = clock()
        work()
        synchronize()
        elapsed = clock() - start
        if elapsed < best:
            best = elapsed
        left -= 1
    return best


def bench_sorted_generator(work, clock, synchronize, set_threads):
    def rounds():
        for _ in range(16):
            synchronize()
            begin = clock()
            work()
            synchronize()
            yield clock() - begin

    set_threads(1)
    deque((work() for _ in range(2)), maxlen=0)
    shortest, *_ = sorted(rounds())
    return shortest


def bench_blocks(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    best = math.inf
    for _ in range(60):
        start = clock()
        for _ in range(2):
            work()
        synchronize()
        best = min(best, (clock() - start) / 2)
    return best


def bench_no_warm_up(work, clock, synchronize, set_threads):
    set_threads(1)
    times = []
    for _ in range(12):
        start = clock()
        work()
        synchronize()
        times.append(clock() - start)
    return min(times)


def bench_no_synchronize(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    times = []
    for _ in range(12):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def bench_synchronize_too_late(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    times = []
    for _ in range(12):
        start = clock()
        work()
        end = clock()
        synchronize()
        times.append(end - start)
    return min(times)


def bench_synchronize_not_called(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize  # noqa: B018
    times = []
    for _ in range(12):
        start = clock()
        work()
        synchronize  # noqa: B018
        times.append(clock() - start)
    return min(times)


def bench_synchronize_after_all(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    stamps = [clock()]
    for _ in range(12):
        work()
        stamps.append(clock())
    synchronize()
    return min(b - a for a, b in pairwise(stamps))


def bench_no_threads(work, clock, synchronize, set_threads):
    work()
    synchronize()
    times = []
    for _ in range(12):
        start = clock()
        work()
        synchronize()
        times.append(clock() - start)
    return min(times)


def bench_threads_afterwards(work, clock, synchronize, set_threads):
    best = bench_no_threads(work, clock, synchronize, set_threads)
    set_threads(1)
    return best


def bench_all_cores(work, clock, synchronize, set_threads):
    set_threads(max(2, os.cpu_count() or 2))
    return bench_no_threads(work, clock, synchronize, set_threads)


def bench_mean(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    total = 0.0
    for _ in range(20):
        start = clock()
        work()
        synchronize()
        total += clock() - start
    return total / 20


def bench_one_block(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    start = clock()
    for _ in range(10):
        work()
    synchronize()
    return (clock() - start) / 10


def _ten_times(work, clock, synchronize, set_threads, calls=10):
    set_threads(1)
    work()
    synchronize()
    times = []
    for _ in range(calls):
        start = clock()
        work()
        synchronize()
        times.append(clock() - start)
    return times


def bench_median(work, clock, synchronize, set_threads):
    return statistics.median(_ten_times(work, clock, synchronize, set_threads, calls=15))


def bench_longest(work, clock, synchronize, set_threads):
    return max(_ten_times(work, clock, synchronize, set_threads))


def bench_total(work, clock, synchronize, set_threads):
    return sum(_ten_times(work, clock, synchronize, set_threads))


def bench_three_calls(work, clock, synchronize, set_threads):
    return min(_ten_times(work, clock, synchronize, set_threads, calls=3))


def bench_all_times(work, clock, synchronize, set_threads):
    return _ten_times(work, clock, synchronize, set_threads)


def bench_milliseconds(work, clock, synchronize, set_threads):
    return 1e3 * min(_ten_times(work, clock, synchronize, set_threads))


def bench_divided_again(work, clock, synchronize, set_threads):
    return min(_ten_times(work, clock, synchronize, set_threads)) / 10


def bench_printed(work, clock, synchronize, set_threads):
    print(f"{min(_ten_times(work, clock, synchronize, set_threads)):.3g} s")


def bench_own_clock(work, clock, synchronize, set_threads):
    return min(_ten_times(work, time.perf_counter, synchronize, set_threads))


def bench_warm_up_timed(work, clock, synchronize, set_threads):
    set_threads(1)
    times = []
    for _ in range(12):
        start = clock()
        work()  # warm up
        work()
        synchronize()
        times.append(clock() - start)
    return min(times)


def bench_start_once(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    start = clock()
    times = []
    for _ in range(12):
        work()
        synchronize()
        times.append(clock() - start)
    return times[-1]


def bench_start_minus_end(work, clock, synchronize, set_threads):
    set_threads(1)
    work()
    synchronize()
    times = []
    for _ in range(12):
        start = clock()
        work()
        synchronize()
        times.append(start - clock())
    return max(times)


def bench_last_call(work, clock, synchronize, set_threads):
    return _ten_times(work, clock, synchronize, set_threads, calls=11)[-1]


# 3.2 fit a slope


def slope_centred(sizes, seconds):
    u = torch.log(sizes.double())
    v = torch.log(seconds.double())
    u -= u.mean()
    v -= v.mean()
    return u @ v / (u @ u)


def slope_python_loop(sizes, seconds):
    xs = [math.log10(size) for size in sizes.tolist()]
    ys = [math.log10(second) for second in seconds.tolist()]
    n = len(xs)
    x_mean, y_mean = sum(xs) / n, sum(ys) / n
    above = below = 0.0
    for i in range(n):
        above += (xs[i] - x_mean) * (ys[i] - y_mean)
        below += (xs[i] - x_mean) ** 2
    return above / below


def slope_polyfit(sizes, seconds):
    return np.polyfit(np.log2(sizes.numpy()), np.log2(seconds.numpy()), 1)[0]


def slope_lstsq(sizes, seconds):
    x = sizes.double().log()
    design = torch.stack([x, torch.ones_like(x)], dim=1)
    return torch.linalg.lstsq(design, seconds.double().log()[:, None]).solution[0, 0].item()


def slope_normal_equations(sizes, seconds):
    x, y, n = sizes.double().log2(), seconds.double().log2(), len(sizes)
    return (n * (x * y).sum() - x.sum() * y.sum()) / (n * (x**2).sum() - x.sum() ** 2)


def slope_statistics(sizes, seconds):
    line = statistics.linear_regression(list(map(math.log, sizes.tolist())), list(map(math.log, seconds.tolist())))
    return line.slope


def slope_covariance_einsum(sizes, seconds):
    logs = torch.stack([sizes.double(), seconds.double()]).log()
    logs = logs - logs.mean(dim=1, keepdim=True)
    table = torch.einsum("in,jn->ij", logs, logs)
    return float(table[0, 1] / table[0, 0])


def slope_no_logs(sizes, seconds):
    u, v = sizes - sizes.double().mean(), seconds - seconds.double().mean()
    return (u * v).sum() / (u * u).sum()


def slope_log_of_seconds_only(sizes, seconds):
    u, v = sizes - sizes.double().mean(), seconds.log2() - seconds.log2().mean()
    return (u * v).sum() / (u * u).sum()


def slope_log_of_sizes_only(sizes, seconds):
    u, v = sizes.log2() - sizes.log2().mean(), seconds - seconds.mean()
    return (u * v).sum() / (u * u).sum()


def slope_axes_swapped(sizes, seconds):
    return slope_centred(seconds, sizes)


def slope_divided_by_v(sizes, seconds):
    u, v = sizes.log() - sizes.log().mean(), seconds.log() - seconds.log().mean()
    return (u * v).sum() / (v * v).sum()


def slope_through_origin(sizes, seconds):
    u, v = sizes.log2(), seconds.log2()
    return (u * v).sum() / (u * u).sum()


def slope_first_and_last(sizes, seconds):
    return (seconds[-1] / seconds[0]).log() / (sizes[-1] / sizes[0]).log()


def slope_mean_of_steps(sizes, seconds):
    return (seconds.log2().diff() / sizes.log2().diff()).mean()


def slope_median_of_pairs(sizes, seconds):
    points = list(zip(sizes.log().tolist(), seconds.log().tolist(), strict=True))
    return statistics.median((d - b) / (c - a) for (a, b), (c, d) in combinations(points, 2))


def slope_intercept(sizes, seconds):
    return np.polyfit(np.log2(sizes.numpy()), np.log2(seconds.numpy()), 1)[1]


def slope_both_coefficients(sizes, seconds):
    return np.polyfit(np.log2(sizes.numpy()), np.log2(seconds.numpy()), 1)


def slope_correlation(sizes, seconds):
    return np.corrcoef(np.log(sizes.numpy()), np.log(seconds.numpy()))[0, 1]


def slope_spreads(sizes, seconds):
    return seconds.log().std() / sizes.log().std()


def slope_two_bases(sizes, seconds):
    u, v = sizes.log2(), seconds.log10()
    u, v = u - u.mean(), v - v.mean()
    return (u * v).sum() / (u * u).sum()


def slope_as_growth(sizes, seconds):
    return 2 ** slope_centred(sizes, seconds)


def slope_whole(sizes, seconds):
    return round(slope_centred(sizes, seconds).item())


def slope_from_512(sizes, seconds):
    keep = sizes >= 512
    return slope_centred(sizes[keep], seconds[keep])


def slope_per_point(sizes, seconds):
    u, v = sizes.log2() - sizes.log2().mean(), seconds.log2() - seconds.log2().mean()
    return (u * v) / (u * u)


def slope_parabola(sizes, seconds):
    return np.polyfit(np.log2(sizes.numpy()), np.log2(seconds.numpy()), 2)[0]


def slope_log1p(sizes, seconds):
    u, v = sizes.double().log1p(), seconds.double().log1p()
    u, v = u - u.mean(), v - v.mean()
    return (u * v).sum() / (u * u).sum()


# 3.3 where two lines meet


def meet_formula(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_2 / seconds_1) ** (1 / (exponent_1 - exponent_2))


def meet_logarithms(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    gap = math.log(seconds_1) - math.log(seconds_2)
    return math.exp(math.log(known_k) + gap / (exponent_2 - exponent_1))


def meet_linear_system(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    x = np.log2(known_k)
    # log t = a * log k + b for both lines: the unknowns are log k and log t
    matrix = np.array([[exponent_1, -1.0], [exponent_2, -1.0]])
    right = np.array([exponent_1 * x - np.log2(seconds_1), exponent_2 * x - np.log2(seconds_2)])
    return np.exp2(np.linalg.solve(matrix, right)[0])


def meet_bisection(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    def ahead(x):  # x is the logarithm of k / known_k
        return math.log(seconds_1) + exponent_1 * x - math.log(seconds_2) - exponent_2 * x

    low, high = -1.0, 1.0
    while ahead(low) * ahead(high) > 0:
        low, high = 2 * low, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if ahead(low) * ahead(middle) <= 0:
            high = middle
        else:
            low = middle
    return known_k * math.exp(low)


def meet_tensor(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    seconds = torch.tensor([float(seconds_1), float(seconds_2)], dtype=torch.float64)
    exponents = torch.tensor([float(exponent_1), float(exponent_2)], dtype=torch.float64)
    return float(known_k) * (-seconds.log().diff() / exponents.diff()).exp().squeeze()


def meet_two_factors(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    c_1 = seconds_1 / known_k**exponent_1
    c_2 = seconds_2 / known_k**exponent_2
    return (c_1 / c_2) ** (1 / (exponent_2 - exponent_1))


def meet_exponents_swapped(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_1 / seconds_2) ** (1 / (exponent_1 - exponent_2))


def meet_without_known_k(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return (seconds_1 / seconds_2) ** (1 / (exponent_2 - exponent_1))


def meet_added(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k + (seconds_1 / seconds_2) ** (1 / (exponent_2 - exponent_1))


def meet_divided(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k / (seconds_1 / seconds_2) ** (1 / (exponent_2 - exponent_1))


def meet_rounded(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return round(meet_formula(known_k, seconds_1, exponent_1, seconds_2, exponent_2))


def meet_straight_lines(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k + (seconds_1 - seconds_2) / (exponent_2 - exponent_1)


def meet_without_root(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * seconds_1 / seconds_2


def meet_difference_as_power(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_1 / seconds_2) ** (exponent_2 - exponent_1)


def meet_precedence(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_1 / seconds_2) ** 1 / (exponent_2 - exponent_1)


def meet_ratio_of_exponents(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_1 / seconds_2) ** (exponent_1 / exponent_2)


def meet_sum_of_exponents(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_1 / seconds_2) ** (1 / (exponent_1 + exponent_2))


def meet_absolute_difference(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_1 / seconds_2) ** (1 / abs(exponent_2 - exponent_1))


def meet_two_bases(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * 2 ** (math.log10(seconds_1 / seconds_2) / (exponent_2 - exponent_1))


def meet_square_root(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return known_k * (seconds_1 / seconds_2) ** 0.5


def meet_seconds(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    k = meet_formula(known_k, seconds_1, exponent_1, seconds_2, exponent_2)
    return seconds_1 * (k / known_k) ** exponent_1


def meet_never_below(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return max(known_k, meet_formula(known_k, seconds_1, exponent_1, seconds_2, exponent_2))


def meet_logarithm_of_k(known_k, seconds_1, exponent_1, seconds_2, exponent_2):
    return math.log(known_k) + math.log(seconds_1 / seconds_2) / (exponent_2 - exponent_1)


# 3.4 what fits


def fits_isqrt(memory, heads, size):
    scores_of_one_head = memory // size // 2 // heads
    return math.isqrt(scores_of_one_head)


def fits_doubling(memory, heads, size):
    def fits(k):
        return 2 * heads * k * k * size <= memory

    k, step = 0, 1
    while fits(2 * step):
        step *= 2
    while step:
        if fits(k + step):
            k += step
        step //= 2
    return k


def fits_bisection(memory, heads, size):
    low, high = 0, memory + 1  # low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if 2 * heads * size * middle**2 <= memory else (low, middle)
    return low


def fits_decimal(memory, heads, size):
    with localcontext() as context:
        context.prec = 80
        return int((Decimal(int(memory)) / (2 * int(heads) * int(size))).sqrt())


def fits_float_then_corrected(memory, heads, size):
    k = int((memory / (2 * heads * size)) ** 0.5)
    while (k + 1) ** 2 * 2 * heads * size <= memory:
        k += 1
    while k**2 * 2 * heads * size > memory:
        k -= 1
    return np.int64(k)


def fits_fraction_newton(memory, heads, size):
    target = math.floor(Fraction(memory, 2 * heads * size))
    k = target + 1
    while k * k > target:
        k = (k + target // k) // 2
    return k


def fits_once_only(memory, heads, size):
    return math.isqrt(memory // (heads * size))


def fits_one_head(memory, heads, size):
    return math.isqrt(memory // (2 * size))


def fits_numbers_not_bytes(memory, heads, size):
    return math.isqrt(memory // (2 * heads))


def fits_four_bytes(memory, heads, size):
    return math.isqrt(memory // (2 * heads * 4))


def fits_bits(memory, heads, size):
    return math.isqrt(8 * memory // (2 * heads * size))


def fits_without_root(memory, heads, size):
    return memory // (2 * heads * size)


def fits_real(memory, heads, size):
    return (memory / (2 * heads * size)) ** 0.5


def fits_nearest(memory, heads, size):
    return round((memory / (2 * heads * size)) ** 0.5)


def fits_ceil(memory, heads, size):
    return math.ceil((memory / (2 * heads * size)) ** 0.5)


def fits_first_that_does_not(memory, heads, size):
    return math.isqrt(memory // (2 * heads * size)) + 1


def fits_strictly(memory, heads, size):
    return math.isqrt((memory - 1) // (2 * heads * size))


def fits_with_queries_and_keys(memory, heads, size):
    d, k = 64, math.isqrt(memory // (2 * heads * size))
    while k > 0 and (2 * heads * k**2 + 2 * k * d) * size > memory:
        k -= 1
    return k


def fits_heads_squared(memory, heads, size):
    return math.isqrt(memory // (2 * size)) // heads


def fits_shared_by_heads(memory, heads, size):
    return math.isqrt(memory * heads // (2 * size))


def fits_root_first(memory, heads, size):
    return math.isqrt(memory) // (2 * heads * size)


def fits_power_of_two(memory, heads, size):
    k = 1
    while 2 * heads * size * (2 * k) ** 2 <= memory:
        k *= 2
    return k


def fits_two_squared(memory, heads, size):
    return math.isqrt(memory // (heads * size)) // 2


def fits_half_the_pairs(memory, heads, size):
    return math.isqrt(memory // (heads * size * 2) * 2)


# 3.5 a ratio that survives a busy machine


def speed_tensor(slow, fast):
    return torch.median(slow.div(fast))


def speed_statistics(slow, fast):
    return statistics.median(a / b for a, b in zip(slow.tolist(), fast.tolist(), strict=True))


def speed_numpy(slow, fast):
    return np.median(slow.numpy() / fast.numpy())


def speed_sorted(slow, fast):
    ratios = []
    for i in range(len(slow)):
        ratios.append(float(slow[i]) / float(fast[i]))
    ratios.sort()
    middle = len(ratios) // 2
    return ratios[middle] if len(ratios) % 2 else (ratios[middle - 1] + ratios[middle]) / 2


def speed_quantile(slow, fast):
    return (slow.double() / fast.double()).quantile(0.5).item()


def speed_starmap(slow, fast):
    rounds = torch.stack([slow, fast], dim=1).unbind()
    return statistics.median(starmap(lambda one, other: (one / other).item(), rounds))


def speed_medians(slow, fast):
    return slow.median() / fast.median()


def speed_shortest(slow, fast):
    return slow.min() / fast.min()


def speed_totals(slow, fast):
    return slow.sum() / fast.sum()


def speed_mean_of_ratios(slow, fast):
    return (slow / fast).mean()


def speed_upside_down(slow, fast):
    return (fast / slow).median()


def speed_differences(slow, fast):
    return (slow - fast).median()


def speed_smallest(slow, fast):
    return (slow / fast).min()


def speed_largest(slow, fast):
    return (slow / fast).max()


def speed_geometric(slow, fast):
    return (slow / fast).log().mean().exp()


def speed_unsummarised(slow, fast):
    return slow / fast


def speed_percent(slow, fast):
    return 100 * ((slow / fast).median() - 1)


def speed_sorted_separately(slow, fast):
    return (slow.sort().values / fast.sort().values).median()


def speed_first_round(slow, fast):
    return slow[0] / fast[0]


def speed_last_round(slow, fast):
    return (slow / fast)[-1]


def speed_values_and_indices(slow, fast):
    return (slow / fast).median(dim=0)


def speed_whole(slow, fast):
    return (slow // fast).median()


def speed_all_pairs(slow, fast):
    return torch.tensor([a / b for a, b in product(slow.tolist(), fast.tolist())]).median()


def speed_neighbouring_round(slow, fast):
    return (slow / fast.roll(1)).median()


def speed_best_round_of_fast(slow, fast):
    return slow[fast.argmin()] / fast.min()


def speed_unsorted_middle(slow, fast):
    return (slow / fast)[len(slow) // 2]


def speed_without_extremes(slow, fast):
    return (slow / fast).sort().values[1:-1].mean()


ATTEMPTS = [
    ("benchmark", "right", "a plain loop", bench_loop),
    ("benchmark", "right", "an inner function, mapped", bench_inner_function),
    ("benchmark", "right", "time stamps in a NumPy array", bench_numpy),
    ("benchmark", "right", "a float64 tensor, a 0-d tensor as the answer", bench_tensor),
    ("benchmark", "right", "the best so far, with while", bench_running_best),
    ("benchmark", "right", "a generator, sorted", bench_sorted_generator),
    ("benchmark", "right", "sixty short rounds of two calls each", bench_blocks),
    ("benchmark", "wrong", "no warm-up", bench_no_warm_up),
    ("benchmark", "wrong", "never waits for the graphics card", bench_no_synchronize),
    ("benchmark", "wrong", "waits after the clock was read", bench_synchronize_too_late),
    ("benchmark", "wrong", "synchronize without parentheses", bench_synchronize_not_called),
    ("benchmark", "wrong", "waits only once, after all calls", bench_synchronize_after_all),
    ("benchmark", "wrong", "leaves the threads as they are", bench_no_threads),
    ("benchmark", "wrong", "sets one thread after measuring", bench_threads_afterwards),
    ("benchmark", "wrong", "as many threads as cores", bench_all_cores),
    ("benchmark", "wrong", "the mean of the calls", bench_mean),
    ("benchmark", "wrong", "one block of ten, divided by ten", bench_one_block),
    ("benchmark", "wrong", "the median of the calls", bench_median),
    ("benchmark", "wrong", "the longest call", bench_longest),
    ("benchmark", "wrong", "the sum of ten calls", bench_total),
    ("benchmark", "wrong", "three calls only", bench_three_calls),
    ("benchmark", "wrong", "returns all times", bench_all_times),
    ("benchmark", "wrong", "milliseconds", bench_milliseconds),
    ("benchmark", "wrong", "the shortest call divided by ten", bench_divided_again),
    ("benchmark", "wrong", "prints in place of returning", bench_printed),
    ("benchmark", "wrong", "time.perf_counter in place of clock", bench_own_clock),
    ("benchmark", "wrong", "the warm-up is inside the timed part", bench_warm_up_timed),
    ("benchmark", "wrong", "the start is read once, before all calls", bench_start_once),
    ("benchmark", "wrong", "start minus end", bench_start_minus_end),
    ("benchmark", "wrong", "the last call in place of the shortest", bench_last_call),
    ("log_log_slope", "right", "centred in place, float64", slope_centred),
    ("log_log_slope", "right", "Python loops and log10", slope_python_loop),
    ("log_log_slope", "right", "np.polyfit, a NumPy number", slope_polyfit),
    ("log_log_slope", "right", "torch.linalg.lstsq", slope_lstsq),
    ("log_log_slope", "right", "sums without centring", slope_normal_equations),
    ("log_log_slope", "right", "statistics.linear_regression", slope_statistics),
    ("log_log_slope", "right", "covariances with einsum", slope_covariance_einsum),
    ("log_log_slope", "wrong", "no logarithms", slope_no_logs),
    ("log_log_slope", "wrong", "logarithm of the seconds only", slope_log_of_seconds_only),
    ("log_log_slope", "wrong", "logarithm of the sizes only", slope_log_of_sizes_only),
    ("log_log_slope", "wrong", "sizes over seconds", slope_axes_swapped),
    ("log_log_slope", "wrong", "divided by the squares of v", slope_divided_by_v),
    ("log_log_slope", "wrong", "means not subtracted: a line through the origin", slope_through_origin),
    ("log_log_slope", "wrong", "first and last point only", slope_first_and_last),
    ("log_log_slope", "wrong", "mean of the slopes between neighbours", slope_mean_of_steps),
    ("log_log_slope", "wrong", "median of the slopes of all pairs", slope_median_of_pairs),
    ("log_log_slope", "wrong", "the intercept", slope_intercept),
    ("log_log_slope", "wrong", "both coefficients", slope_both_coefficients),
    ("log_log_slope", "wrong", "the correlation", slope_correlation),
    ("log_log_slope", "wrong", "ratio of the standard deviations", slope_spreads),
    ("log_log_slope", "wrong", "log2 of one, log10 of the other", slope_two_bases),
    ("log_log_slope", "wrong", "the growth at a doubling, two to the slope", slope_as_growth),
    ("log_log_slope", "wrong", "rounded to a whole number", slope_whole),
    ("log_log_slope", "wrong", "only sizes from 512 on, as in the figure", slope_from_512),
    ("log_log_slope", "wrong", "one quotient for each point, not summed", slope_per_point),
    ("log_log_slope", "wrong", "leading coefficient of a parabola", slope_parabola),
    ("log_log_slope", "wrong", "log1p", slope_log1p),
    ("meeting_point", "right", "one formula", meet_formula),
    ("meeting_point", "right", "logarithms", meet_logarithms),
    ("meeting_point", "right", "a linear system in NumPy", meet_linear_system),
    ("meeting_point", "right", "bisection", meet_bisection),
    ("meeting_point", "right", "a 0-d float64 tensor", meet_tensor),
    ("meeting_point", "right", "the factors of both power laws first", meet_two_factors),
    ("meeting_point", "wrong", "difference of the exponents the wrong way round", meet_exponents_swapped),
    ("meeting_point", "wrong", "known_k forgotten", meet_without_known_k),
    ("meeting_point", "wrong", "growth added to known_k", meet_added),
    ("meeting_point", "wrong", "known_k divided by the growth", meet_divided),
    ("meeting_point", "wrong", "rounded to a whole number", meet_rounded),
    ("meeting_point", "wrong", "straight lines in place of powers", meet_straight_lines),
    ("meeting_point", "wrong", "no root", meet_without_root),
    ("meeting_point", "wrong", "difference as the power, not one over it", meet_difference_as_power),
    ("meeting_point", "wrong", "brackets missing: ** 1 / difference", meet_precedence),
    ("meeting_point", "wrong", "quotient of the exponents as the power", meet_ratio_of_exponents),
    ("meeting_point", "wrong", "sum of the exponents", meet_sum_of_exponents),
    ("meeting_point", "wrong", "absolute difference of the exponents", meet_absolute_difference),
    ("meeting_point", "wrong", "log10, then a power of two", meet_two_bases),
    ("meeting_point", "wrong", "always a square root", meet_square_root),
    ("meeting_point", "wrong", "the time at which they meet, not k", meet_seconds),
    ("meeting_point", "wrong", "never below known_k", meet_never_below),
    ("meeting_point", "wrong", "the logarithm of k", meet_logarithm_of_k),
    ("largest_k", "right", "isqrt, divided step by step", fits_isqrt),
    ("largest_k", "right", "doubling steps", fits_doubling),
    ("largest_k", "right", "bisection on whole numbers", fits_bisection),
    ("largest_k", "right", "Decimal", fits_decimal),
    ("largest_k", "right", "float root, corrected, as np.int64", fits_float_then_corrected),
    ("largest_k", "right", "Newton on whole numbers", fits_fraction_newton),
    ("largest_k", "wrong", "scores held once", fits_once_only),
    ("largest_k", "wrong", "heads forgotten", fits_one_head),
    ("largest_k", "wrong", "size forgotten", fits_numbers_not_bytes),
    ("largest_k", "wrong", "four bytes whatever the size", fits_four_bytes),
    ("largest_k", "wrong", "size taken as bits", fits_bits),
    ("largest_k", "wrong", "no root", fits_without_root),
    ("largest_k", "wrong", "not rounded", fits_real),
    ("largest_k", "wrong", "rounded to the nearest", fits_nearest),
    ("largest_k", "wrong", "rounded up", fits_ceil),
    ("largest_k", "wrong", "the first k that does not fit", fits_first_that_does_not),
    ("largest_k", "wrong", "an exact fit is refused", fits_strictly),
    ("largest_k", "wrong", "queries and keys counted as well", fits_with_queries_and_keys),
    ("largest_k", "wrong", "heads outside the root", fits_heads_squared),
    ("largest_k", "wrong", "multiplied by the heads", fits_shared_by_heads),
    ("largest_k", "wrong", "root taken before dividing", fits_root_first),
    ("largest_k", "wrong", "powers of two only", fits_power_of_two),
    ("largest_k", "wrong", "two outside the root", fits_two_squared),
    ("largest_k", "wrong", "only one of each two mirrored scores counted", fits_half_the_pairs),
    ("speedup", "right", "torch.median of the quotients", speed_tensor),
    ("speedup", "right", "statistics.median on lists", speed_statistics),
    ("speedup", "right", "NumPy", speed_numpy),
    ("speedup", "right", "a loop, sorted by hand", speed_sorted),
    ("speedup", "right", "quantile one half, float64", speed_quantile),
    ("speedup", "right", "stacked rounds, one by one", speed_starmap),
    ("speedup", "wrong", "quotient of the medians", speed_medians),
    ("speedup", "wrong", "quotient of the shortest", speed_shortest),
    ("speedup", "wrong", "quotient of the totals", speed_totals),
    ("speedup", "wrong", "mean of the quotients", speed_mean_of_ratios),
    ("speedup", "wrong", "fast over slow", speed_upside_down),
    ("speedup", "wrong", "differences in place of quotients", speed_differences),
    ("speedup", "wrong", "the smallest quotient", speed_smallest),
    ("speedup", "wrong", "the largest quotient", speed_largest),
    ("speedup", "wrong", "geometric mean of the quotients", speed_geometric),
    ("speedup", "wrong", "all quotients returned", speed_unsummarised),
    ("speedup", "wrong", "per cent faster", speed_percent),
    ("speedup", "wrong", "both sorted before dividing", speed_sorted_separately),
    ("speedup", "wrong", "the first round only", speed_first_round),
    ("speedup", "wrong", "the last round only", speed_last_round),
    ("speedup", "wrong", "median with dim: values and indices", speed_values_and_indices),
    ("speedup", "wrong", "whole-number division", speed_whole),
    ("speedup", "wrong", "median over all pairs of rounds", speed_all_pairs),
    ("speedup", "wrong", "divided by the round before", speed_neighbouring_round),
    ("speedup", "wrong", "only the round in which fast was shortest", speed_best_round_of_fast),
    ("speedup", "wrong", "the middle entry without sorting", speed_unsorted_middle),
    ("speedup", "wrong", "mean without the two extremes", speed_without_extremes),
]
