"""Attempts at the exercises of notebook 08: correct ones, and wrong ones with the remark they must get."""

import types

import torch
from torch import nn


def leaks_by_sets(training, validation):
    taken = {(photo, r + i, c + j) for photo, r, c in training for i in (0, 63) for j in (0, 63)}

    def touches(photo, row, column):
        return any(p == photo and row <= r <= row + 63 and column <= c <= column + 63 for p, r, c in taken)

    return [tile for tile in validation if touches(*tile)]


def leaks_by_masks(training, validation):
    masks = {}
    for photo, row, column in training:
        masks.setdefault(photo, torch.zeros(512, 512, dtype=torch.bool))[row : row + 64, column : column + 64] = True
    return tuple(
        [photo, row, column]
        for photo, row, column in validation
        if photo in masks and masks[photo][row : row + 64, column : column + 64].any()
    )


def leaks_repeated(training, validation):
    return [v for v in validation for t in training if v[0] == t[0] and max(abs(v[1] - t[1]), abs(v[2] - t[2])) < 64]


def leaks_touching(training, validation):
    return [
        v
        for v in validation
        if any(v[0] == t[0] and abs(v[1] - t[1]) <= 64 and abs(v[2] - t[2]) <= 64 for t in training)
    ]


def leaks_of_training(training, validation):
    return [
        t for t in training if any(v[0] == t[0] and abs(v[1] - t[1]) < 64 and abs(v[2] - t[2]) < 64 for v in validation)
    ]


def frozen_by_class(model):
    class Frozen(nn.BatchNorm2d):
        def train(self, mode=True):
            return super().train(False)

    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith("classifier.")
    for part in (model.stem, model.stages):
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.__class__ = Frozen
                module.train()
    return model


def frozen_by_the_model(model):
    for parameter in [*model.stem.parameters(), *model.stages.parameters()]:
        parameter.requires_grad_(False)
    plain = model.train

    def train(self, mode=True):
        plain(mode)
        self.stem.eval()
        self.stages.eval()
        return self

    model.train = types.MethodType(train, model)
    return model.train()


def frozen_parts_are_deaf(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        part.eval()
        part.train = lambda mode=True, part=part: part
    return model


def only_gradients(model):
    model.stem.requires_grad_(False)
    model.stages.requires_grad_(False)
    return model


def eval_once(model):
    only_gradients(model)
    model.stem.eval()
    model.stages.eval()
    return model


def no_momentum(model):
    only_gradients(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    return model


def only_the_stem(model):
    model.stem.requires_grad_(False)
    return model


def everything(model):
    model.requires_grad_(False)
    return model


def only_weight_learns(model):
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name == "classifier.weight"
    return model


def norms_only(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train = lambda mode=True: None
            module.eval()
    return model


def whole_model_deaf(model):
    only_gradients(model)
    model.eval()
    model.train = lambda mode=True: model
    return model


def another_head(model):
    model.classifier = nn.Linear(6, 3)
    return frozen_by_class(model)


def pairs_by_tensor(matrix):
    matrix = torch.tensor(matrix, dtype=torch.float64)
    return torch.stack([matrix.diagonal() / matrix.sum(1), matrix.diagonal() / matrix.sum(0)], dim=1)


def pairs_exchanged(matrix):
    return [(r[i] / sum(x[i] for x in matrix), r[i] / sum(r)) for i, r in enumerate(matrix)]


def chosen_by_loop(results):
    best, highest = None, -1
    for rate, runs in results.items():
        mean = sum(validation for validation, _ in runs) / len(runs)
        if mean > highest:
            best, highest = rate, mean
    return [best, torch.tensor([test for _, test in results[best]], dtype=torch.float64).mean()]


def chosen_by_test(results):
    rate = max(results, key=lambda r: sum(t for _, t in results[r]) / len(results[r]))
    return rate, sum(t for _, t in results[rate]) / len(results[rate])


def chosen_by_luck(results):
    rate = max(results, key=lambda r: max(v for v, _ in results[r]))
    return rate, sum(t for _, t in results[rate]) / len(results[rate])


def reported_validation(results):
    rate = chosen_by_loop(results)[0]
    return rate, sum(v for v, _ in results[rate]) / len(results[rate])


def best_by_tensor(counts, groups):
    counts = torch.tensor(counts, dtype=torch.float64)
    lost = sum(counts[group].sum() - counts[group].max() for group in groups)
    return 1 - lost / counts.sum()


RIGHT = {
    "leaks": [
        leaks_by_sets,
        leaks_by_masks,
        lambda t, v: [x for x in v if [y for y in t if x[0] == y[0] and max(abs(x[1] - y[1]), abs(x[2] - y[2])) <= 63]],
    ],
    "freeze_backbone": [whole_model_deaf, frozen_by_class, frozen_by_the_model, frozen_parts_are_deaf],
    "recall_and_precision": [
        lambda m: [(m[i][i] / sum(m[i]), m[i][i] / sum(list(zip(*m, strict=True))[i])) for i in range(len(m))],
        pairs_by_tensor,
        lambda m: [list(pair) for pair in pairs_by_tensor(m).tolist()],
    ],
    "choose_rate": [
        chosen_by_loop,
        lambda r: [chosen_by_loop(r)[0], float(chosen_by_loop(r)[1])],
        lambda r: tuple(chosen_by_loop(r)),
    ],
    "class_weights": [
        lambda labels, classes: [len(labels) / classes / sum(y == c for y in labels) for c in range(classes)],
        lambda labels, classes: len(labels) / (classes * torch.tensor(labels).bincount(minlength=classes)),
        lambda labels, classes: tuple(len(labels) / classes / labels.count(c) for c in range(classes)),
    ],
    "best_possible": [
        best_by_tensor,
        lambda c, g: 1 - sum(sum(c[i] for i in m) - max(c[i] for i in m) for m in g) / sum(c),
        lambda counts, groups: float(best_by_tensor(counts, groups)),
    ],
}
WRONG = {
    "leaks": [
        (leaks_repeated, "more than once"),
        (leaks_touching, "only touch share no pixel"),
        (leaks_of_training, "tiles of training"),
        (lambda t, v: [x for x in v if x in t], "only exact copies"),
        (lambda t, v: [x for x in v if any(x[0] == y[0] for y in t)], "every tile of a photo"),
        (lambda t, v: len(leaks_by_sets(t, v)), "return the list"),
        (lambda t, v: leaks_by_sets(t, v)[::-1], "order of validation"),
        (lambda t, v: [x for x in v if x not in leaks_by_sets(t, v)], "do not leak"),
        (lambda t, v: leaks_by_sets(t[:1], v), "only the first tile"),
    ],
    "freeze_backbone": [
        (only_gradients, "running_mean has changed"),
        (eval_once, "the loop calls model.train()"),
        (no_momentum, "kept, but not used"),
        (only_the_stem, "is not frozen"),
        (everything, "nothing can learn"),
        (only_weight_learns, "classifier.bias is frozen"),
        (norms_only, "nothing is frozen"),
        (another_head, "another one than before"),
        (lambda model: model, "nothing is frozen"),
        (lambda model: list(frozen_by_class(model).parameters()), "return the model"),
        (lambda model: frozen_by_class(model).classifier, "return the model"),
    ],
    "recall_and_precision": [
        (pairs_exchanged, "exchanged"),
        (lambda m: pairs_by_tensor(m).T, "two lists"),
        (lambda m: [(m[i][i], m[i][i]) for i in range(len(m))], "counts, not shares"),
        (lambda m: [(m[i][i] / sum(m[i]), m[i][i] / sum(m[i])) for i in range(len(m))], "both are recall"),
        (lambda m: [(m[i][i] / sum(map(sum, m)),) * 2 for i in range(len(m))], "shares of all pictures"),
    ],
    "choose_rate": [
        (chosen_by_test, "by the test pictures"),
        (chosen_by_luck, "best single run"),
        (reported_validation, "its validation accuracy is returned"),
        (lambda r: chosen_by_loop(r)[0], "the rate alone"),
        (lambda r: chosen_by_loop(r)[::-1], "rate first"),
    ],
    "class_weights": [
        (lambda labels, classes: [1 / labels.count(c) for c in range(classes)], "up to a factor"),
        (lambda labels, classes: [labels.count(c) for c in range(classes)], "these are the counts"),
        (
            lambda labels, classes: [len(labels) / labels.count(c) for c in range(classes)],
            "number of classes is missing",
        ),
        (lambda labels, classes: [1.0] * classes, "all weights are 1"),
        (lambda labels, classes: [1 - labels.count(c) / len(labels) for c in range(classes)], "one minus the share"),
        (lambda labels, classes: [len(labels) / (classes * labels.count(y)) for y in labels], "for each picture"),
    ],
    "best_possible": [
        (lambda c, g: 1 - best_by_tensor(c, g), "share of wrong answers"),
        (lambda c, g: 1 - sum(sum(c[i] for i in m) for m in g) / sum(c), "counted as wrong"),
        (lambda c, g: best_by_tensor(c, g) * sum(c), "divide by the number of pictures"),
        (lambda c, g: 1.0, "counted as right"),
    ],
}
