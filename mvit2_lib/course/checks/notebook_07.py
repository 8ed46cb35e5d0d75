"""The exercises of notebook 07."""

import math
from collections.abc import Callable

from torch import nn

from ...training.recipe import Recipe, learning_rate_at
from .exercise import Exercise


def _rate(step: int, steps: int, warmup: int, highest: float) -> float:
    recipe = Recipe(learning_rate=highest, last_learning_rate=0, warmup_steps=warmup)
    return learning_rate_at(step, steps, recipe)


def _wave(step, steps, warmup, highest, up=lambda s, w: (s + 1) / (w + 1), begin=None, last=1, wave=math.cos) -> float:
    if step < warmup:
        return highest * up(step, warmup)
    t = (step - (warmup if begin is None else begin)) / (steps - last - (warmup if begin is None else begin))
    return highest * (1 + wave(math.pi * t)) / 2


learning_rate = Exercise(
    "7.1 the schedule",
    _rate,
    ((0, 100, 9, 0.5), (8, 100, 9, 0.5), (9, 100, 9, 0.5), (40, 100, 9, 0.5), (98, 100, 9, 0.5), (3, 12, 1, 2.0)),
    {
        "the first step has a learning rate of zero: it begins at highest / (warmup + 1)": lambda *a: _wave(
            *a, up=lambda s, w: s / (w + 1)
        ),
        "the warm-up reaches the highest rate one step early: divide by warmup + 1": lambda *a: _wave(
            *a, up=lambda s, w: (s + 1) / w
        ),
        "the warm-up begins at zero and reaches the highest rate at step warmup: add one above and below": lambda *a: (
            _wave(*a, up=lambda s, w: s / w)
        ),
        "there is no warm-up": lambda s, n, w, h: _wave(s, n, 0, h) if s >= w else _wave(w, n, w, h),
        "there is no warm-up, and the wave begins at step 0": lambda s, n, w, h: _wave(s, n, 0, h),
        "the wave begins at step 0; it begins after the warm-up": lambda *a: _wave(*a, begin=0),
        "the wave ends one step late: the last step is steps - 1": lambda *a: _wave(*a, last=0),
        "it falls along a straight line; half a cosine wave is wanted": lambda *a: _wave(
            *a, wave=lambda angle: 1 - 2 * angle / math.pi
        ),
        "that is a share; multiply by the highest learning rate": lambda s, n, w, h: _wave(s, n, w, 1.0),
    },
)


def _average(weights: list[float], decay: float, average: float | None = None) -> float:
    average = weights[0] if average is None else average
    for weight in weights[1:]:
        average = decay * average + (1 - decay) * weight
    return average


moving_average = Exercise(
    "7.2 the moving average",
    _average,
    (([1.0, 3.0, 2.0, 7.0], 0.9), ([4.0, 0.5], 0.75), ([5.0], 0.9)),
    {
        "decay and 1 - decay are exchanged: the old average has the share decay": lambda w, d: _average(w, 1 - d),
        "it begins at zero; begin with the first value": lambda w, d: _average([0.0, *w], d),
        "that is the plain mean; older values count less and less": lambda w, d: sum(w) / len(w),
        "that is the newest value alone": lambda w, d: w[-1],
        "that is the first value alone": lambda w, d: w[0],
        "every value is mixed into the first one, not into the average so far": lambda w, d: (
            w[0] if len(w) == 1 else d * w[0] + (1 - d) * w[-1]
        ),
    },
)


def _smooth(label: int, classes: int, smoothing: float) -> list[float]:
    target = [smoothing / classes] * classes
    target[label] += 1 - smoothing
    return target


def _onto(label: int, classes: int, right: float, others: float) -> list[float]:
    return [right if index == label else others for index in range(classes)]


smoothed = Exercise(
    "7.3 a smoothed target",
    _smooth,
    ((2, 5, 0.1), (0, 4, 0.2)),
    {
        "it is spread over the other classes only; the right one gets its part, too": lambda i, n, s: _onto(
            i, n, 1 - s, s / (n - 1)
        ),
        "the right class has only 1 - smoothing; it gets its part of the rest, too": lambda i, n, s: _onto(
            i, n, 1 - s, s / n
        ),
        "each class gets the whole smoothing; it is to be spread over them": lambda i, n, s: _onto(i, n, 1, s),
        "nothing is smoothed": lambda i, n, s: _onto(i, n, 1.0, 0.0),
        "the right class keeps its whole share; take the smoothing from it first": lambda i, n, s: _onto(
            i, n, 1 + s / n, s / n
        ),
        "that is the share of the right class alone; return the list": lambda i, n, s: _smooth(i, n, s)[i],
    },
)


def _share(batch: list[int], rank: int, size: int) -> list[int]:
    share = len(batch) // size
    return batch[rank * share : (rank + 1) * share]


share_of = Exercise(
    "7.4 who gets which pictures?",
    _share,
    ((list(range(10, 22)), 1, 3), ([7, 5, 3, 1], 0, 2), ([9, 8, 4, 6, 2, 0], 2, 3)),
    {
        "that is every size-th picture; the shares are contiguous": lambda b, r, n: b[r::n],
        "the share begins in the right place but does not end": lambda b, r, n: b[r * (len(b) // n) :],
        "that is a share of size pictures; it has len(batch) // size": lambda b, r, n: b[r * n : (r + 1) * n],
        "that is the whole batch": lambda b, r, n: b,
        "ranks begin at 0; this is the share of the process before": lambda b, r, n: b[
            (r - 1) * (len(b) // n) : r * (len(b) // n)
        ],
        "every process gets the first share": lambda b, r, n: b[: len(b) // n],
        "that is the number of pictures in the share; return their indices": lambda b, r, n: len(b) // n,
    },
)


def _together(mean_1: float, variance_1: float, mean_2: float, variance_2: float) -> tuple[float, float]:
    mean = (mean_1 + mean_2) / 2
    return mean, (variance_1 + mean_1**2 + variance_2 + mean_2**2) / 2 - mean**2


statistics_of_both = Exercise(
    "7.5 statistics of two halves",
    _together,
    ((1.0, 2.0, 3.0, 4.0), (0.0, 1.0, 0.5, 0.25), (-2.0, 0.0, 5.0, 0.0)),
    {
        "the mean of the variances leaves out that the halves have different means": lambda a, v, b, w: (
            (a + b) / 2,
            (v + w) / 2,
        ),
        "that is the mean of the squares; subtract the square of the mean": lambda a, v, b, w: (
            (a + b) / 2,
            (v + a**2 + w + b**2) / 2,
        ),
        "the difference of the means is halved before it is squared": lambda a, v, b, w: (
            (a + b) / 2,
            (v + w) / 2 + (a - b) ** 2 / 2,
        ),
        "means and variances are summed; the halves have to be averaged": lambda a, v, b, w: (a + b, v + w),
        "the squares of the means are missing: the mean of the squares is variance plus mean squared": (
            lambda a, v, b, w: ((a + b) / 2, (v + w) / 2 - ((a + b) / 2) ** 2)
        ),
        "that is the variance of the two means alone": lambda a, v, b, w: ((a + b) / 2, ((a - b) / 2) ** 2),
        "variance and mean are exchanged": lambda a, v, b, w: _together(a, v, b, w)[::-1],
        "that is the variance alone; return the mean, too": lambda a, v, b, w: _together(a, v, b, w)[1],
    },
)


class _Model(nn.Module):
    """A body and a classifier."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, width, 3), nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, classes)


def _on_a_fresh_model(function: Callable) -> Callable:
    """Return a function that calls the given one on a new model and says what it left to be trained."""

    def called(width: int, classes: int):
        model = _Model(width, classes)
        number = function(model)
        if number is None or number is ... or isinstance(number, str):
            return number
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        return [number, " and ".join(trained) or "nothing"]

    return called


def _freeze(model: nn.Module, body: bool = True, head: bool = True, weights: Callable | None = None) -> int:
    if body:
        model.requires_grad_(False)
    model.classifier.requires_grad_(head)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return weights(model) if weights else sum(parameter.numel() for parameter in trained)


train_only_the_head = Exercise(
    "7.6 train the head alone",
    _freeze,
    ((4, 10), (6, 3)),
    {
        "the biases of the classifier are weights, too": lambda m: _freeze(
            m, weights=lambda m: m.classifier.weight.numel()
        ),
        "nothing is switched off": lambda m: _freeze(m, body=False),
        "everything is switched off, the classifier too": lambda m: _freeze(m, head=False),
        "that counts all parameters, also those that are switched off": lambda m: _freeze(
            m, weights=lambda m: sum(p.numel() for p in m.parameters())
        ),
        "that counts tensors, not the weights in them": lambda m: _freeze(
            m, weights=lambda m: sum(p.requires_grad for p in m.parameters())
        ),
        "the number is right, but everything is switched off, the classifier too": lambda m: _freeze(
            m, head=False, weights=lambda m: sum(p.numel() for p in m.classifier.parameters())
        ),
        "the number is right, but nothing is switched off": lambda m: sum(p.numel() for p in m.classifier.parameters()),
    },
    effect=_on_a_fresh_model,
)
