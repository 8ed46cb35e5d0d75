"""The checks of the exercises of notebook 08."""

import statistics
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...training.freezing import freeze
from .exercise import Exercise
from .values import Remark, random

Tile = tuple[str, int, int]


def _shares_pixels(one: Tile, other: Tile, size: int = 64) -> bool:
    return one[0] == other[0] and abs(one[1] - other[1]) < size and abs(one[2] - other[2]) < size


def _leaks(training, validation, touch: Callable = _shares_pixels) -> list[Tile]:
    return [tile for tile in validation if any(touch(tile, other) for other in training)]


def _as_places(function: Callable) -> Callable:
    """Return for every tile of validation whether it is in the list that a function returns."""

    def called(training: list[Tile], validation: list[Tile]):
        found = function(training, validation)
        if found is None or found is ...:
            return found
        if isinstance(found, (bool, int)):
            raise Remark(f"it returned {found!r}: return the list of the validation tiles that leak")
        try:
            found = [tuple(tile) for tile in found]
        except TypeError as error:
            raise Remark("return a list of tiles, each as it was given: (photo, row, column)") from error
        if len(set(found)) < len(found):
            raise Remark("a tile stands in the list more than once: each leaking tile is wanted once")
        if [tile for tile in found if tile in training and tile not in validation]:
            raise Remark("there are tiles of training in the list: return those of validation")
        unknown = [tile for tile in found if tile not in validation]
        if unknown:
            raise Remark(f"{unknown[0]!r} is in the list, but it is no tile of validation")
        if found != sorted(found, key=validation.index):
            raise Remark("the tiles are right or wrong, but not in the order of validation: keep that order")
        return torch.tensor([float(tile in found) for tile in validation])

    return called


_ROWS = [("gravel", 0, 0), ("gravel", 128, 0), ("grass", 0, 0)]
leaks = Exercise(
    "8.1 find the leak",
    _leaks,
    {
        "tiles side by side": (_ROWS, [("gravel", 0, 64), ("gravel", 64, 0), ("grass", 64, 64), ("brick", 0, 0)]),
        "tiles that overlap": (_ROWS, [("gravel", 30, 40), ("gravel", 0, 63), ("grass", 100, 0), ("gravel", 65, 0)]),
        "a tile that overlaps two": ([("grass", 0, 0), ("grass", 32, 0)], [("grass", 40, 10), ("grass", 96, 0)]),
        "a copy": (_ROWS, [("gravel", 128, 0), ("brick", 128, 0), ("gravel", 300, 300)]),
        "tiles above and to the left": (
            [("brick", 200, 200)],
            [("brick", 140, 140), ("brick", 136, 200), ("brick", 200, 137)],
        ),
        "tiles in another order": (_ROWS, [("gravel", 130, 0), ("gravel", 10, 0), ("brick", 0, 0)]),
        "nothing in training": ([], [("gravel", 0, 0)]),
    },
    {
        "tiles that only touch share no pixel: two of 64 pixels overlap if they are less than 64 apart": lambda t, v: (
            _leaks(t, v, lambda a, b: _shares_pixels(a, b, 65))
        ),
        "tiles that share a single row or column are missed: they overlap if less than 64 apart": lambda t, v: _leaks(
            t, v, lambda a, b: _shares_pixels(a, b, 63)
        ),
        "tiles that overlap by less than half are missed: one shared pixel is enough": lambda t, v: _leaks(
            t, v, lambda a, b: _shares_pixels(a, b, 32)
        ),
        "only exact copies are found: tiles that overlap share pixels, too": lambda t, v: [x for x in v if x in t],
        "the photo is not compared: the same place in another photo is no leak": lambda t, v: _leaks(
            t, v, lambda a, b: _shares_pixels(("", *a[1:]), ("", *b[1:]))
        ),
        "only the rows are compared: the columns count as well": lambda t, v: _leaks(
            t, v, lambda a, b: a[0] == b[0] and abs(a[1] - b[1]) < 64
        ),
        "only the columns are compared: the rows count as well": lambda t, v: _leaks(
            t, v, lambda a, b: a[0] == b[0] and abs(a[2] - b[2]) < 64
        ),
        "a tile leaks if rows *and* columns overlap; here one of them is enough": lambda t, v: _leaks(
            t, v, lambda a, b: a[0] == b[0] and (abs(a[1] - b[1]) < 64 or abs(a[2] - b[2]) < 64)
        ),
        "tiles above or to the left of a training tile are missed: take the absolute difference": lambda t, v: _leaks(
            t, v, lambda a, b: a[0] == b[0] and 0 <= a[1] - b[1] < 64 and 0 <= a[2] - b[2] < 64
        ),
        "tiles below or to the right of a training tile are missed: take the absolute difference": lambda t, v: _leaks(
            t, v, lambda a, b: a[0] == b[0] and 0 <= b[1] - a[1] < 64 and 0 <= b[2] - a[2] < 64
        ),
        "these are the tiles that do not leak": lambda t, v: [x for x in v if x not in _leaks(t, v)],
        "every tile of a photo that is also in training is taken; it leaks only where pixels are shared": lambda t, v: (
            _leaks(t, v, lambda a, b: a[0] == b[0])
        ),
        "a tile is only found if it overlaps all tiles of training: one is enough": lambda t, v: [
            x for x in v if t and all(_shares_pixels(x, y) for y in t)
        ],
        "only the first tile of training is looked at": lambda t, v: _leaks(t[:1], v),
        "the distance is that of the centres on the diagonal; compare rows and columns by themselves": lambda t, v: (
            _leaks(t, v, lambda a, b: a[0] == b[0] and (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2 < 64**2)
        ),
    },
    effect=_as_places,
)


class _Pupil(nn.Module):
    """A small network with norms, a few parts and a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.SiLU())
        self.stages = nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6), nn.SiLU())
        self.classifier = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.stages(self.stem(images)).mean(dim=(2, 3)))


def _trained_afterwards(function: Callable) -> Callable:
    """Freeze a small network as somebody does, train it, and say what has changed."""

    def called(steps: int):
        model = _Pupil()
        for norm in (model.stem[1], model.stages[1]):
            norm.running_mean.copy_(random(*norm.running_mean.shape))
            norm.running_var.copy_(random(*norm.running_var.shape).square() + 0.5)
        weight, names = model.classifier.weight.clone(), {name for name, _ in model.named_parameters()}
        model.train()
        returned = function(model)
        if returned is None or returned is ...:
            return returned
        if not isinstance(returned, nn.Module):
            raise Remark("return the model")
        if not hasattr(returned, "classifier") or not hasattr(returned, "stages"):
            raise Remark("it returned another module: return the model")
        model = returned
        if not torch.equal(model.classifier.weight, weight):
            raise Remark("the classifier is another one than before: freeze what is there")
        if {name for name, _ in model.named_parameters()} != names:
            raise Remark("parameters have come or gone: freeze those that are there, and take none away")
        _check_gradients(model)
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
        for step in range(steps):
            _into_training(model)
            images, labels = random(8, 1, 6, 6) + step, torch.arange(8) % 3
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        changed = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])]
        _check_statistics(model, [name for name in changed if not name.startswith("classifier.")])
        return float(len(changed))

    return called


def _into_training(model: nn.Module) -> None:
    try:
        model.train()
    except TypeError as error:
        raise Remark(
            f"model.train() fails ({error}): it calls `train(True)` of every part, and yours must take the mode"
        ) from error
    except RecursionError as error:
        raise Remark(
            "model.train() calls itself without end: does a `train` of yours call `eval` of the part?"
        ) from error


def _check_statistics(model: _Pupil, changed: list[str]) -> None:
    renewed = [name for name in changed if "running" in name]
    if renewed:
        raise Remark(
            f"{renewed[0]} has changed: a batch norm in training mode renews its statistics, also without gradients, "
            "and the loop calls model.train() in each step"
        )
    if changed and "num_batches" not in changed[0]:
        raise Remark(f"{changed[0]} has changed, and only the classifier should")
    images = random(5, 1, 6, 6) + 1
    with torch.no_grad():
        model.train()
        in_training = model.stages(model.stem(images))
        model.eval()
        if not torch.allclose(in_training, model.stages(model.stem(images)), atol=1e-5):
            raise Remark(
                "the statistics are kept, but not used: in training the norms still work with the mean and variance of "
                "the batch. A norm in evaluation mode uses its own"
            )
        model.train()
    if changed:
        raise Remark(f"{changed[0]} still counts batches: the norm is in training mode in each step")


def _check_gradients(model: nn.Module) -> None:
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    head = {"classifier.weight", "classifier.bias"}
    if learning == head:
        return
    if learning >= head:
        first = next(name for name, _ in model.named_parameters() if name in learning - head)
        what = "nothing is frozen" if len(learning) == len(dict(model.named_parameters())) else f"{first} is not frozen"
        raise Remark(f"{what}: set requires_grad to False in all but the classifier")
    if not learning:
        raise Remark("the classifier is frozen as well, and nothing can learn")
    raise Remark(f"{sorted(head - learning)[0]} is frozen: the classifier must learn")


freeze_backbone = Exercise(
    "8.2 freeze, and prove it",
    lambda model: freeze(model, "backbone"),
    {"three steps": (3,), "a single step": (1,)},
    effect=_trained_afterwards,
)


def _recall_precision(matrix) -> list[tuple[float, float]]:
    return [(matrix[i][i] / sum(matrix[i]), matrix[i][i] / sum(row[i] for row in matrix)) for i in range(len(matrix))]


def _two(matrix, recall: Callable, precision: Callable) -> list[tuple[float, float]]:
    total = sum(map(sum, matrix))
    rows, columns = [sum(row) for row in matrix], [sum(column) for column in zip(*matrix, strict=True)]
    return [
        (recall(matrix[i][i], rows[i], columns[i], total), precision(matrix[i][i], rows[i], columns[i], total))
        for i in range(len(matrix))
    ]


recall_and_precision = Exercise(
    "8.3 read a confusion matrix",
    _recall_precision,
    {
        "two classes": ([[8, 2], [1, 4]],),
        "three classes": ([[40, 3, 2], [0, 30, 15], [1, 6, 38]],),
        "a class that takes everything": ([[9, 0, 0], [7, 2, 0], [8, 0, 1]],),
    },
    {
        "recall and precision are exchanged: a row holds the pictures of a class, a column the answers": lambda m: [
            pair[::-1] for pair in _recall_precision(m)
        ],
        "both are recall: for precision, divide by the sum of the column": lambda m: _two(
            m, lambda d, r, c, n: d / r, lambda d, r, c, n: d / r
        ),
        "both are precision: for recall, divide by the sum of the row": lambda m: _two(
            m, lambda d, r, c, n: d / c, lambda d, r, c, n: d / c
        ),
        "these are shares of all pictures: divide by the sum of the row, and of the column": lambda m: _two(
            m, lambda d, r, c, n: d / n, lambda d, r, c, n: d / n
        ),
        "these are the shares of errors: take the diagonal": lambda m: _two(
            m, lambda d, r, c, n: (r - d) / r, lambda d, r, c, n: (c - d) / c
        ),
        "these are counts, not shares: divide": lambda m: _two(m, lambda d, r, c, n: d, lambda d, r, c, n: d),
        "the diagonal is left out of the sums: divide by the whole row, and the whole column": lambda m: _two(
            m, lambda d, r, c, n: d / (r - d) if r > d else 1.0, lambda d, r, c, n: d / (c - d) if c > d else 1.0
        ),
        "a single pair came out; return one for each class": lambda m: tuple(
            sum(side) / len(m) for side in zip(*_recall_precision(m), strict=True)
        ),
        "these are two lists; return one pair for each class": lambda m: [
            list(side) for side in zip(*_recall_precision(m), strict=True)
        ],
    },
)

Results = dict[float, list[tuple[float, float]]]


def _chosen(results: Results, by: Callable = lambda runs: statistics.mean(v for v, _ in runs), tell=None):
    rate = max(results, key=lambda rate: by(results[rate]))
    tell = tell or (lambda runs: statistics.mean(t for _, t in runs))
    return [rate, tell(results[rate])]


choose_rate = Exercise(
    "8.4 choose a learning rate",
    _chosen,
    {
        "a lucky run at the highest rate": (
            {
                0.001: [(0.80, 0.79), (0.82, 0.78), (0.81, 0.83)],
                0.004: [(0.88, 0.85), (0.90, 0.86), (0.89, 0.84)],
                0.016: [(0.97, 0.95), (0.60, 0.62), (0.91, 0.90)],
            },
        ),
        "a steady rate and a better one": ({0.02: [(0.86, 0.88), (0.86, 0.87)], 0.1: [(0.95, 0.79), (0.80, 0.90)]},),
        "another one ahead on the test pictures": (
            {
                0.002: [(0.92, 0.84), (0.90, 0.85)],
                0.01: [(0.88, 0.93), (0.89, 0.94)],
                0.0005: [(0.93, 0.93), (0.87, 0.93)],
            },
        ),
    },
    {
        "the rate is chosen by the test pictures: those are only for the very end": lambda r: _chosen(
            r, lambda runs: statistics.mean(t for _, t in runs)
        ),
        "the rate of the best single run is chosen: take the mean over the seeds": lambda r: _chosen(
            r, lambda runs: max(v for v, _ in runs)
        ),
        "the rate of the best single run on the test pictures is chosen": lambda r: _chosen(
            r, lambda runs: max(t for _, t in runs)
        ),
        "validation and test are mixed when the rate is chosen": lambda r: _chosen(
            r, lambda runs: statistics.mean(v + t for v, t in runs)
        ),
        "the rate with the best worst run is chosen: take the mean over the seeds": lambda r: _chosen(
            r, lambda runs: min(v for v, _ in runs)
        ),
        "the rate is right, but the test accuracy is that of the best validation seed: take the mean": lambda r: (
            _chosen(r, tell=lambda runs: max(runs)[1])
        ),
        "the rate with the best median run is chosen: take the mean over the seeds": lambda r: _chosen(
            r, lambda runs: statistics.median(v for v, _ in runs)
        ),
        "the rate with the worst mean is chosen": lambda r: _chosen(
            r, lambda runs: -sum(v for v, _ in runs) / len(runs)
        ),
        "the rate is right, but its validation accuracy is returned: that one chose it": lambda r: _chosen(
            r, tell=lambda runs: statistics.mean(v for v, _ in runs)
        ),
        "the rate is right, but its best test run is returned: take the mean": lambda r: _chosen(
            r, tell=lambda runs: max(t for _, t in runs)
        ),
        "the rate is right, but the test accuracy is that of one seed: take the mean over all": lambda r: _chosen(
            r, tell=lambda runs: runs[0][1]
        ),
        "the rate is right, but the test accuracy is summed over the seeds": lambda r: _chosen(
            r, tell=lambda runs: sum(t for _, t in runs)
        ),
        "the test accuracy is the best of all rates: return that of the rate you chose": lambda r: [
            _chosen(r)[0],
            max(statistics.mean(t for _, t in runs) for runs in r.values()),
        ],
        "return the rate first, then its test accuracy": lambda r: _chosen(r)[::-1],
        "that is the rate alone; return its mean test accuracy, too": lambda r: _chosen(r)[0],
        "that is the accuracy alone; return the rate, too": lambda r: _chosen(r)[1],
    },
)


def _weights(labels: Sequence[int], classes: int, weigh: Callable | None = None, put=lambda w, counts, n: w):
    counts = [list(labels).count(label) for label in range(classes)]
    weigh = weigh or (lambda count, n, k: n / (k * count))
    return put([weigh(count, len(labels), classes) for count in counts], counts, len(labels))


class_weights = Exercise(
    "8.5 weights for uneven classes",
    lambda labels, classes: _weights(labels, classes),
    {
        "even classes": ([0, 1, 2, 0, 1, 2], 3),
        "a rare class": ([0] * 6 + [1] * 3 + [2], 3),
        "two classes": ([1, 0, 1, 1], 2),
    },
    {
        "the frequent classes get the larger weights: divide by the count": lambda y, k: _weights(
            y, k, lambda c, n, k: c * k / n
        ),
        "these are the counts": lambda y, k: _weights(y, k, lambda c, n, k: c),
        "these are the shares of the classes: the weights go the other way": lambda y, k: _weights(
            y, k, lambda c, n, k: c / n
        ),
        "one over the count is right up to a factor: a picture must weigh 1 on average": lambda y, k: _weights(
            y, k, lambda c, n, k: 1 / c
        ),
        "the number of classes is missing: divide by it, so that a picture weighs 1 on average": lambda y, k: _weights(
            y, k, lambda c, n, k: n / c
        ),
        "the weights add up to 1; instead, a picture must weigh 1 on average": lambda y, k: _weights(
            y, k, lambda c, n, k: 1 / c, lambda w, *_: [x / sum(w) for x in w]
        ),
        "the weights are 1 on average over the classes; over the *pictures* they must be": lambda y, k: _weights(
            y, k, lambda c, n, k: 1 / c, lambda w, *_: [len(w) * x / sum(w) for x in w]
        ),
        "the largest class has weight 1; instead, a picture must weigh 1 on average": lambda y, k: _weights(
            y, k, lambda c, n, k: 1 / c, lambda w, *_: [x / min(w) for x in w]
        ),
        "the rarest class has weight 1; instead, a picture must weigh 1 on average": lambda y, k: _weights(
            y, k, lambda c, n, k: 1 / c, lambda w, *_: [x / max(w) for x in w]
        ),
        "one minus the share does not even the classes out: divide by the count": lambda y, k: _weights(
            y, k, lambda c, n, k: 1 - c / n
        ),
        "there is a weight for each picture; return one for each class": lambda y, k: [
            len(y) / (k * list(y).count(label)) for label in y
        ],
        "the root of the right weights evens the classes out only in part": lambda y, k: _weights(
            y, k, lambda c, n, k: (n / (k * c)) ** 0.5
        ),
        "all weights are 1: nothing is evened out": lambda y, k: [1.0] * k,
    },
)


def _best(counts: Sequence[int], groups: Sequence[Sequence[int]], group=max, total=sum) -> float:
    alone = [label for label in range(len(counts)) if not any(label in members for members in groups)]
    right = sum(counts[label] for label in alone) + sum(group([counts[i] for i in members]) for members in groups)
    return right / total(counts)


best_possible = Exercise(
    "8.6 a class nobody can learn",
    _best,
    {
        "two of three even classes": ([45, 45, 45], [[1, 2]]),
        "two uneven classes": ([50, 30, 10, 10], [[0, 2]]),
        "two pairs and a single one": ([10, 20, 30, 40, 50], [[0, 4], [1, 2]]),
        "three that are alike": ([7, 7, 2, 4], [[0, 1, 2]]),
        "no groups": ([5, 6], []),
    },
    {
        "in a group, answers are drawn evenly: always giving the largest class is better": lambda c, g: _best(
            c, g, lambda members: sum(members) / len(members)
        ),
        "whole groups are counted as wrong: one class of each can be answered right": lambda c, g: _best(
            c, g, lambda members: 0
        ),
        "the smaller class of each group is answered; take the larger": lambda c, g: _best(c, g, min),
        "whole groups are counted as right": lambda c, g: _best(c, g, sum),
        "that is the share of classes that can be learned, not of pictures": lambda c, g: (
            (len(c) - sum(len(m) - 1 for m in g)) / len(c)
        ),
        "that is the number of right answers; divide by the number of pictures": lambda c, g: _best(
            c, g, total=lambda counts: 1
        ),
        "that is the share of wrong answers": lambda c, g: 1 - _best(c, g),
        "answers are drawn in proportion to the classes: always giving the larger one is better": lambda c, g: _best(
            c, g, lambda members: sum(n * n for n in members) / sum(members)
        ),
        "the first class of each group is answered; take the largest": lambda c, g: _best(
            c, g, lambda members: members[0]
        ),
        "the last class of each group is answered; take the largest": lambda c, g: _best(
            c, g, lambda members: members[-1]
        ),
        "classes that are in no group are forgotten: they can be learned": lambda c, g: (
            sum(max(c[i] for i in members) for members in g) / sum(c)
        ),
        "all groups are taken for one: in each, one class can be answered right": lambda c, g: _best(
            c, [[i for members in g for i in members]] if g else []
        ),
        "only the smallest class of a group is lost; all but the largest are": lambda c, g: _best(
            c, g, lambda members: sum(members) - min(members)
        ),
        "only the first group is looked at": lambda c, g: _best(c, g[:1]),
        "groups are taken to be pairs: there may be more than two": lambda c, g: _best(
            c, g, lambda members: max(members[:2]) + sum(members[2:])
        ),
    },
)
