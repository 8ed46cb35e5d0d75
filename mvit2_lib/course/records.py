"""What a measurement leaves behind: plain records that can be saved, loaded and drawn, and the slopes in them."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Measurement:
    """What one contestant took at one size: seconds in each round; most bytes held at once; its file; its score.

    `file_bytes` is the size of its file, and `accuracy` the share of pictures that it gets right.
    """

    name: str
    size: int
    seconds: tuple[float, ...]
    peak_bytes: int | None = None
    file_bytes: int | None = None
    accuracy: float | None = None

    @property
    def best(self) -> float:
        """The shortest of the rounds. Noise only ever adds time, so this is the estimate that repeats best."""
        return min(self.seconds)


@dataclass(frozen=True)
class Timings:
    """All measurements of a run, with the machine they were made on, and a title that says what was measured.

    Used in notebook 03.
    """

    machine: str
    measurements: tuple[Measurement, ...]
    title: str = ""

    def __getitem__(self, key: tuple[str, int]) -> Measurement:
        for measurement in self.measurements:
            if (measurement.name, measurement.size) == key:
                return measurement
        raise KeyError(f"there is no measurement of {key[0]!r} at size {key[1]}")

    @property
    def names(self) -> list[str]:
        """The contestants, in the order in which they were given."""
        return list(dict.fromkeys(measurement.name for measurement in self.measurements))

    def sizes(self, name: str) -> list[int]:
        """The sizes at which a contestant was measured, growing."""
        if name not in self.names:
            raise KeyError(f"there is no measurement of {name!r}: choose one of {', '.join(map(repr, self.names))}")
        return [measurement.size for measurement in self.measurements if measurement.name == name]

    def seconds(self, name: str, sizes: Sequence[int] | None = None) -> list[float]:
        """The shortest time of a contestant at each size, by default at all its sizes."""
        return [self[name, size].best for size in (self.sizes(name) if sizes is None else sizes)]

    def slope(self, name: str, smallest: int = 0, largest: float = math.inf) -> "Slope":
        """Return the log–log slope of a contestant's shortest times between two sizes."""
        sizes = [size for size in self.sizes(name) if smallest <= size <= largest]
        return slope(sizes, self.seconds(name, sizes))

    def ratio(self, slow: str, fast: str, size: int) -> float:
        """Return how many times longer `slow` takes than `fast` at a size: the median over the rounds.

        Both were timed within each round, a moment apart, so that whatever slows the machine down hits both.
        """
        rounds = zip(self[slow, size].seconds, self[fast, size].seconds, strict=False)
        return statistics.median(one / other for one, other in rounds)

    def save(self, path: str | Path) -> None:
        """Write the records to a JSON file, the seconds with four digits."""
        rows = [asdict(row) | {"seconds": [float(f"{time:.4g}") for time in row.seconds]} for row in self.measurements]
        lines = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        head = f'  "title": {json.dumps(self.title)},\n  "machine": {json.dumps(self.machine)},\n'
        text = f'{{\n{head}  "measurements": [\n{lines}\n  ]\n}}\n'
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Timings":
        """Read records that `save` has written."""
        try:
            stored = json.loads(Path(path).read_text(encoding="utf-8-sig"))
            rows = [_measurement(row) for row in stored["measurements"]]
            if len({(row.name, row.size) for row in rows}) < len(rows):
                raise ValueError("a contestant was measured twice at one size")
            return cls(str(stored["machine"]), tuple(rows), str(stored.get("title", "")))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} does not hold timings: {type(error).__name__}: {error}") from None


def _measurement(row: dict) -> Measurement:
    seconds, size = row["seconds"], row["size"]
    if not isinstance(seconds, list) or not seconds:
        raise ValueError("a measurement without a list of seconds")
    if not all(isinstance(time, (int, float)) and 0 < time < math.inf for time in seconds):
        raise ValueError("seconds must be numbers above zero")
    if isinstance(size, bool) or not isinstance(size, (int, float)) or not 0 < size < math.inf:
        raise ValueError(f"a size must be a number above zero, not {size!r}")
    return Measurement(**row | {"name": str(row["name"]), "seconds": tuple(map(float, seconds))})


def measured(name: str) -> Timings:
    """Return what `make bench` measured once, on the machine that the records name. Used in notebook 09.

    Parameters
    ----------
    name : str
        "batch_1", "batch_8", "all_threads", "512_pixels": forms of MobileViTv2, timm's and v1 side by side, over the
        width multiplier in hundredths.

        "gpu_050" and "gpu_100": α = 0.5 and 1.0 on a graphics card, over the side of the pictures.

        "inside": the kinds of operators inside ExecuTorch, over the width multiplier in hundredths.

        "eight_bits": files with 32 and with 8 bits of the digit model and of one for textures, with their scores.

    Raises
    ------
    ValueError
        If there are no records of that name.
    """
    folder = files("mvit2_lib") / "assets" / "measured"
    names = sorted(path.name.removesuffix(".json") for path in folder.iterdir())
    if name not in names:
        raise ValueError(f"there are no records {name!r}: choose one of {', '.join(map(repr, names))}")
    return Timings.load(str(folder / f"{name}.json"))


@dataclass(frozen=True)
class Slope:
    """The exponent of a power law and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.error:.2f}"


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> Slope:
    """Fit a straight line to the logarithms by least squares: its slope is the exponent of a power law.

    Parameters
    ----------
    sizes, seconds : sequence of float
        At least two points, all positive.

    Returns
    -------
    Slope
        The exponent and its standard error: how far the points are from one line. It does not cover what another
        machine would give, and is infinite for two points.

    Notes
    -----
    Built in notebook 03.
    """
    if len(sizes) != len(seconds):
        raise ValueError(f"there are {len(sizes)} sizes and {len(seconds)} times")
    if len(set(sizes)) < 2:
        raise ValueError(f"a slope needs at least two sizes, not {list(sizes)}")
    if min(*sizes, *seconds) <= 0:
        raise ValueError("a logarithm needs sizes and times above zero")
    x, y = np.log2(np.asarray(sizes, float)), np.log2(np.asarray(seconds, float))
    if len(sizes) == 2:
        return Slope(float((y[1] - y[0]) / (x[1] - x[0])), math.inf)
    (exponent, _), covariance = np.polyfit(x, y, 1, cov=True)
    return Slope(float(exponent), float(covariance[0, 0] ** 0.5))


def crossover(sizes: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the size from which on `one` stays above `other`, read off straight lines between the points.

    None if `one` is above at all sizes, or below at the last.
    """
    if not len(sizes) == len(one) == len(other):
        raise ValueError(f"there are {len(sizes)} sizes, but {len(one)} and {len(other)} times")
    ahead = np.log2(np.asarray(one, float)) - np.log2(np.asarray(other, float))
    below = np.flatnonzero(ahead <= 0)
    if not len(below) or below[-1] == len(ahead) - 1:
        return None
    left = below[-1]
    share = ahead[left] / (ahead[left] - ahead[left + 1])
    start, end = math.log2(sizes[left]), math.log2(sizes[left + 1])
    return float(2 ** (start + share * (end - start)))
