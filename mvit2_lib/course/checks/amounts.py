"""By how much a result is wrong: the factor or the amount that explains all results, by its name where it has one."""

import math
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from .values import written

_FACTORS = {
    1 / 100: "a hundredth of what is wanted",
    100.0: "a hundred times what is wanted: percent instead of a share?",
    math.log(2): "what is wanted times ln 2: logarithms of different bases?",
    1 / math.log(2): "what is wanted over ln 2: logarithms of different bases?",
    math.log(10): "what is wanted times ln 10: logarithms of different bases?",
    1 / math.log(10): "what is wanted over ln 10: logarithms of different bases?",
    math.log2(10): "what is wanted times log₂ 10: logarithms of different bases?",
    1 / math.log2(10): "what is wanted over log₂ 10: logarithms of different bases?",
}


def sizes_of(arguments: dict, letters: dict[str, str]) -> dict[str, float]:
    """Return the sizes by which a result may be wrong: numbers among the arguments, and the lettered axes."""
    sizes = {name: float(value) for name, value in arguments.items() if type(value) in (int, float) and value > 0}
    for name, axes in letters.items():
        sizes |= dict(zip(axes.split(), map(float, arguments[name].shape), strict=True))
    return sizes


def factor(pairs: list, sizes: list[dict], same: Callable) -> str:
    """Find the factor, by name or as a number, by which all results differ from the wanted ones."""
    factors = []
    for got, wanted in pairs:
        large = wanted.abs() > 1e-9
        if got.shape != wanted.shape or not large.any():
            return ""
        factors.append((got[large] / wanted[large]).median().item())
        if not same(got, factors[-1] * wanted) or not math.isfinite(factors[-1]) or not factors[-1]:
            return ""
    if _constant(factors):
        for value, remark in _FACTORS.items():
            if math.isclose(factors[0], value, rel_tol=1e-4):
                return f"this is {remark}"
        return f"this is what is wanted times {_as_fraction(factors[0])}"
    for name, values in _named(sizes):
        if _constant([f / v for f, v in zip(factors, values, strict=True)], 1):
            return f"this is what is wanted times {name}"
        if _constant([f * v for f, v in zip(factors, values, strict=True)], 1):
            return f"this is what is wanted divided by {name}"
    if any(wanted.numel() > 2 for _, wanted in pairs):
        return "this is in proportion to what is wanted, but not scaled to it: divide by the right sum"
    return ""


def offset(pairs: list, sizes: list[dict], same: Callable) -> str:
    """Find the number, or the product of sizes, that was added to all results."""
    offsets = [(got - wanted).median().item() for got, wanted in pairs if got.shape == wanted.shape]
    if len(offsets) < len(pairs) or not all(same(g, w + o) for (g, w), o in zip(pairs, offsets, strict=True)):
        return ""
    side = "large" if offsets[0] > 0 else "small"
    enough = sum(wanted.numel() for _, wanted in pairs) > 2 or not offsets[0] % 1  # two fractions prove no rule
    if _constant(offsets) and enough:
        amount = written(pairs[0][1].new_tensor(abs(offsets[0])))
        return f"it is {amount} too {side}" + (", off by one" if amount == "1" else "")
    for name, values in _products(sizes) if len(pairs) > 2 else ():
        shares = [o / v for o, v in zip(offsets, values, strict=True)]
        times = _as_fraction(abs(shares[0]))
        if _constant(shares) and "." not in times and abs(shares[0]) < 20:
            return f"it is too {side} by " + (f"{times} · {name}" if times != "1" else name)
    return _of_two_products(offsets, sizes) if len(pairs) > 4 else ""


def _of_two_products(offsets: list[float], sizes: list[dict]) -> str:
    """Explain amounts by two products of sizes with small whole numbers, where more than four cases agree."""
    if any(offset % 1 for offset in offsets):
        return ""
    products = [(name or "1", np.array(values)) for name, values in _products(sizes)][:250]
    target = np.array(offsets)
    for one, first in products:
        for other, second in products:
            if one >= other:
                continue
            determinant = first[0] * second[1] - first[1] * second[0]
            if not determinant:
                continue
            a = (target[0] * second[1] - target[1] * second[0]) / determinant
            b = (first[0] * target[1] - first[1] * target[0]) / determinant
            if not (0.5 < abs(a) < 20 and 0.5 < abs(b) < 20) or abs(a - round(a)) + abs(b - round(b)) > 1e-6:
                continue
            if np.array_equal(round(a) * first + round(b) * second, target):
                parts = [(round(n), name) for n, name in ((a, one), (b, other))]
                words = [f"too {'large' if n > 0 else 'small'} by {_times(abs(n), name)}" for n, name in parts]
                return f"it is {words[0]}, and {words[1]}"
    return ""


def _times(number: int, name: str) -> str:
    return name if number == 1 else f"{number}" if name == "1" else f"{number} · {name}"


def _named(sizes: list[dict]) -> Iterator[tuple[str, list[float]]]:
    """Return sizes, their powers, products and ratios, with the value in each case."""
    names = sorted(set.intersection(*map(set, sizes)))
    for name in names:
        values = [case[name] for case in sizes]
        yield name, values
        yield f"√{name}", [v**0.5 for v in values]
        yield f"{name}²", [v * v for v in values]
        yield f"({name} − 1)", [v - 1 or math.nan for v in values]
        yield f"({name} + 1)", [v + 1 for v in values]
        yield f"{name} / ({name} − 1)", [v / (v - 1) if v != 1 else math.nan for v in values]
    for one, other in product(names, names):
        if one != other:
            yield f"{one} / {other}", [case[one] / case[other] for case in sizes]
            yield f"{one} · {other}", [case[one] * case[other] for case in sizes]
            yield f"√({one} / {other})", [(case[one] / case[other]) ** 0.5 for case in sizes]


def _products(sizes: list[dict]) -> Iterator[tuple[str, list[float]]]:
    """Return all products of whole sizes up to their squares, the simplest first."""
    names = sorted(name for name in set.intersection(*map(set, sizes)) if all(case[name] % 1 == 0 for case in sizes))
    for powers in sorted(product(range(3), repeat=len(names)), key=sum):
        parts = [name + "²" * (power == 2) for name, power in zip(names, powers, strict=True) if power]
        yield (
            " · ".join(parts),
            [math.prod(case[name] ** power for name, power in zip(names, powers, strict=True)) for case in sizes],
        )


def _constant(numbers: list[float], value: float | None = None) -> bool:
    """Say whether all numbers are the same, and `value` if it is given."""
    value = numbers[0] if value is None else value
    return bool(value) and all(math.isclose(number, value, rel_tol=1e-4) for number in numbers)


def _as_fraction(number: float) -> str:
    for below in range(1, 13):
        whole = round(number * below)
        if whole and math.isclose(number * below, whole, rel_tol=1e-4):
            return f"{whole}" + (f"/{below}" if below > 1 else "")
    return f"{number:.4g}"
