"""Attempts at the exercises of notebook 07: correct ones, and wrong ones with the remark they must get."""

import math

import torch
from torch import nn


def schedule_by_squares(step, steps, warmup, highest):
    if step < warmup:
        return (step + 1) * highest / (warmup + 1)
    return highest * math.cos(math.pi / 2 * (step - warmup) / (steps - warmup - 1)) ** 2


def schedule_by_list(step, steps, warmup, highest):
    up = [highest * number / (warmup + 1) for number in range(1, warmup + 1)]
    angles = torch.linspace(0, math.pi, steps - warmup, dtype=torch.float64)
    return (up + [highest * (1 + value) / 2 for value in angles.cos().tolist()])[step]


def schedule_from_zero(step, steps, warmup, highest):
    return highest * step / (warmup + 1) if step < warmup else schedule_by_squares(step, steps, warmup, highest)


def schedule_early(step, steps, warmup, highest):
    return highest * (step + 1) / warmup if step < warmup else schedule_by_squares(step, steps, warmup, highest)


def schedule_late(step, steps, warmup, highest):
    if step < warmup:
        return schedule_by_squares(step, steps, warmup, highest)
    return highest * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


def schedule_linear(step, steps, warmup, highest):
    if step < warmup:
        return schedule_by_squares(step, steps, warmup, highest)
    return highest * (1 - (step - warmup) / (steps - 1 - warmup))


def average_by_recursion(weights, decay):
    if len(weights) == 1:
        return weights[0]
    return average_by_recursion(weights[:-1], decay) * decay + weights[-1] * (1 - decay)


def together_by_spread(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, (variance_1 + variance_2) / 2 + ((mean_1 - mean_2) / 2) ** 2


def together_by_values(mean_1, variance_1, mean_2, variance_2):
    halves = [(m - v**0.5, m + v**0.5) for m, v in ((mean_1, variance_1), (mean_2, variance_2))]
    values = torch.tensor(halves, dtype=torch.float64)
    return [values.mean().item(), values.var(unbiased=False).item()]


def head_by_names(model):
    number = 0
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith("classifier")
        number += parameter.numel() * parameter.requires_grad
    return number


def head_by_parts(model):
    for name, part in model.named_children():
        part.requires_grad_(name == "classifier")
    return model.classifier.weight.numel() + model.classifier.bias.numel()


def without_biases(model):
    head_by_names(model)
    return model.classifier.in_features * model.classifier.out_features


def all_counted(model):
    head_by_names(model)
    return sum(parameter.numel() for parameter in model.parameters())


def nothing_left(model):
    for parameter in model.parameters():
        parameter.requires_grad = False
    return 0


def tensors_counted(model):
    head_by_names(model)
    return len([parameter for parameter in model.parameters() if parameter.requires_grad])


def step_in_parts(model, optimizer, images, labels, order="zero loss backward step"):
    for part in order.split():
        if part == "loss":
            scores = model(images).double()
            loss = (scores.logsumexp(1) - scores[range(len(labels)), labels]).mean()
        elif part == "backward":
            loss.backward()
        else:
            {"zero": optimizer.zero_grad, "step": optimizer.step}[part]()
    return loss.item()


def step_by_closure(model, optimizer, images, labels):
    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        return loss

    return float(optimizer.step(closure).detach())


RIGHT = {
    "learning_rate": [schedule_by_squares, schedule_by_list],
    "smoothed": [
        lambda label, classes, s: [s / classes + (1 - s) * (index == label) for index in range(classes)],
        lambda label, classes, s: tuple(
            ((1 - s) * torch.eye(classes, dtype=torch.float64)[label] + s / classes).tolist()
        ),
    ],
    "share_of": [
        lambda batch, rank, size: batch[len(batch) * rank // size : len(batch) * (rank + 1) // size],
        lambda batch, rank, size: torch.tensor(batch).reshape(size, -1)[rank].tolist(),
    ],
    "statistics_of_both": [together_by_spread, together_by_values],
    "train_only_the_head": [head_by_names, head_by_parts],
    "training_step": [step_by_closure, step_in_parts],
}

WRONG = {
    "learning_rate": [
        (schedule_from_zero, "learning rate of zero"),
        (schedule_early, "one step early"),
        (schedule_late, "one step late"),
        (schedule_linear, "straight line"),
        (lambda s, n, w, h: schedule_by_squares(s, n, 0, h), "no warm-up"),
        (lambda s, n, w, h: schedule_by_squares(s, n, w, 1.0), "that is a share"),
        (lambda s, n, w, h: h, "stands where step"),
    ],
    "smoothed": [
        (lambda i, n, s: [1 - s if j == i else s / (n - 1) for j in range(n)], "other classes only"),
        (lambda i, n, s: [1 - s if j == i else s / n for j in range(n)], "gets its part of the rest"),
        (lambda i, n, s: [float(j == i) for j in range(n)], "nothing is smoothed"),
        (lambda i, n, s: [(j == i) + s / n for j in range(n)], "take the smoothing"),
        (lambda i, n, s: 1 - s + s / n, "return the list"),
        (lambda i, n, s: [1.0 if j == i else s for j in range(n)], "spread over them"),
    ],
    "share_of": [
        (lambda b, r, n: b[r::n], "contiguous"),
        (lambda b, r, n: b[r * n : r * n + n], "share of size pictures"),
        (lambda b, r, n: b[r * len(b) // n :], "does not end"),
        (lambda b, r, n: list(b), "whole batch"),
        (lambda b, r, n: b[: len(b) // n], "first share"),
        (lambda b, r, n: len(b) // n, "return their indices"),
    ],
    "statistics_of_both": [
        (lambda a, v, b, w: ((a + b) / 2, (v + w) / 2), "different means"),
        (lambda a, v, b, w: ((a + b) / 2, (v + w + a * a + b * b) / 2), "subtract"),
        (lambda a, v, b, w: (a + b, v + w), "summed"),
        (lambda a, v, b, w: ((a + b) / 2, (a - b) ** 2 / 4), "two means alone"),
        (lambda a, v, b, w: together_by_spread(a, v, b, w)[1], "return the mean"),
        (lambda a, v, b, w: (0.0, 0.0), "always zero"),
    ],
    "train_only_the_head": [
        (without_biases, "biases"),
        (all_counted, "also those"),
        (nothing_left, "switched off"),
        (tensors_counted, "not the weights"),
        (lambda model: sum(parameter.numel() for parameter in model.parameters()), "nothing is switched off"),
        (lambda model: model.classifier.weight.numel() + model.classifier.bias.numel(), "nothing is switched off"),
    ],
    "training_step": [
        (lambda m, o, x, y: step_in_parts(m, o, x, y, "loss backward step zero"), "clear before backward"),
        (lambda m, o, x, y: step_in_parts(m, o, x, y, "loss backward step"), "zero_grad is missing"),
        (lambda m, o, x, y: step_in_parts(m, o, x, y, "loss backward zero step"), "cleared between backward and step"),
        (lambda m, o, x, y: step_in_parts(m, o, x, y, "zero loss step"), "backward() is missing"),
        (lambda m, o, x, y: step_in_parts(m, o, x, y, "zero loss backward"), "step() is never called"),
        (lambda m, o, x, y: step_in_parts(m, o, x, y, "loss step backward"), "step comes too early"),
        (torch.no_grad()(lambda m, o, x, y: step_in_parts(m, o, x, y)), "under no_grad"),
    ],
}
