"""Attempts of a second reader at notebook 07: written from the stubs alone, before any check was run."""

import copy
import itertools
import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib.training.recipe import learning_rate_at

# 7.1 one step of training


def step_plain(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_by_hand(model, optimizer, images, labels):
    logs = model(images).log_softmax(dim=-1)
    total = 0
    for row, label in zip(logs, labels, strict=True):
        total = total - row[label]
    loss = total / len(labels)
    model.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return float(loss)


def step_by_autograd_grad(model, optimizer, images, labels):
    loss = nn.CrossEntropyLoss()(model(images), labels)
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.detach().cpu().numpy().item()


def step_by_closure(model, optimizer, images, labels):
    def closure():
        optimizer.zero_grad(set_to_none=True)
        loss = F.nll_loss(F.log_softmax(model(images), 1), labels)
        loss.backward()
        return loss

    return optimizer.step(closure).item()


def step_by_none(model, optimizer, images, labels):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
    logits = model(images)
    loss = (torch.logsumexp(logits, 1) - logits.gather(1, labels[:, None])[:, 0]).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return np.float64(loss.item())


def step_keeps_gradients(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_clears_too_late(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def step_clears_after(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def step_without_step(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    return loss.item()


def step_without_backward(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    return loss.item()


def step_before_backward(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    loss.backward()
    return loss.item()


def step_returns_tensor(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


def step_returns_later_loss(model, optimizer, images, labels):
    step_plain(model, optimizer, images, labels)
    with torch.no_grad():
        return F.cross_entropy(model(images), labels).item()


def step_softmax_twice(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images).softmax(dim=-1), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_sum(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    loss.backward()
    optimizer.step()
    return loss.item()


def step_returns_nothing(model, optimizer, images, labels):
    step_plain(model, optimizer, images, labels)


def step_twice(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.step()
    return loss.item()


def step_squares(model, optimizer, images, labels):
    optimizer.zero_grad()
    logits = model(images)
    loss = F.mse_loss(logits, F.one_hot(labels, logits.shape[-1]).float())
    loss.backward()
    optimizer.step()
    return loss.item()


def step_evaluates(model, optimizer, images, labels):
    model.eval()
    return step_plain(model, optimizer, images, labels)


def step_uphill(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    (-loss).backward()
    optimizer.step()
    return loss.item()


def step_own_descent(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.01 * parameter.grad
    return loss.item()


def step_without_gradient(model, optimizer, images, labels):
    optimizer.zero_grad()
    with torch.no_grad():
        loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_returns_accuracy(model, optimizer, images, labels):
    optimizer.zero_grad()
    logits = model(images)
    F.cross_entropy(logits, labels).backward()
    optimizer.step()
    return (logits.argmax(dim=-1) == labels).float().mean().item()


def step_one_picture(model, optimizer, images, labels):
    loss = 0.0
    for image, label in zip(images, labels, strict=True):
        optimizer.zero_grad()
        one = F.cross_entropy(model(image[None]), label[None])
        one.backward()
        optimizer.step()
        loss += one.item() / len(labels)
    return loss


# 7.2 the schedule


def rate_plain(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    t = (step - warmup) / (steps - 1 - warmup)
    return highest * (1 + math.cos(math.pi * t)) / 2


def rate_by_numpy(step, steps, warmup, highest):
    up = np.linspace(0, highest, warmup + 2)[1:-1]
    down = highest * (1 + np.cos(np.linspace(0, np.pi, steps - warmup))) / 2
    return np.concatenate([up, down])[step]


def rate_by_tensor(step, steps, warmup, highest):
    number = torch.tensor(step, dtype=torch.float64)
    up = highest * (number + 1) / (warmup + 1)
    down = highest * 0.5 * (1 + torch.cos(torch.pi * (number - warmup) / (steps - 1 - warmup)))
    return torch.where(number < warmup, up, down)


def rate_by_interpolation(step, steps, warmup, highest):
    climbs = step <= warmup
    t = 0 if climbs else (step - warmup) / (steps - warmup - 1)
    return (highest * (step + 1) / (warmup + 1)) if climbs else highest * math.cos(t * math.pi / 2) ** 2


def rate_by_library(step, steps, warmup, highest):
    return learning_rate_at(step, steps, mv.Recipe(learning_rate=highest, last_learning_rate=0.0, warmup_steps=warmup))


def _down(step, steps, warmup, highest, shape):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * shape((step - warmup) / (steps - 1 - warmup))


def rate_from_zero(step, steps, warmup, highest):
    return highest * step / (warmup + 1) if step < warmup else rate_plain(step, steps, warmup, highest)


def rate_step_over_warmup(step, steps, warmup, highest):
    return highest * step / warmup if step < warmup else rate_plain(step, steps, warmup, highest)


def rate_peak_early(step, steps, warmup, highest):
    return highest * (step + 1) / warmup if step < warmup else rate_plain(step, steps, warmup, highest)


def rate_never_zero(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


def rate_whole_run(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * step / (steps - 1))) / 2


def rate_straight(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: 1 - t)


def rate_quarter(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: math.cos(math.pi * t / 2))


def rate_whole_wave(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: (1 + math.cos(2 * math.pi * t)) / 2)


def rate_not_halved(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: 1 + math.cos(math.pi * t))


def rate_bare_cosine(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: math.cos(math.pi * t))


def rate_without_pi(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: (1 + math.cos(t)) / 2)


def rate_degrees(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: (1 + math.cos(180 * t)) / 2)


def rate_rises(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: (1 - math.cos(math.pi * t)) / 2)


def rate_floor(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: 0.01 + 0.99 * (1 + math.cos(math.pi * t)) / 2)


def rate_whole_division(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * ((step - warmup) // (steps - 1 - warmup)))) / 2


def rate_without_warmup(step, steps, warmup, highest):
    return highest * (1 + math.cos(math.pi * step / (steps - 1))) / 2


def rate_share_only(step, steps, warmup, highest):
    return rate_plain(step, steps, warmup, 1.0)


def rate_constant(step, steps, warmup, highest):
    return _down(step, steps, warmup, highest, lambda t: 1.0)


def rate_list(step, steps, warmup, highest):
    return [rate_plain(number, steps, warmup, highest) for number in range(steps)]


# 7.3 a smoothed target


def target_plain(label, classes, smoothing):
    target = [smoothing / classes] * classes
    target[label] += 1 - smoothing
    return target


def target_by_one_hot(label, classes, smoothing):
    one_hot = F.one_hot(torch.tensor(label), classes).to(torch.float64)
    return ((1 - smoothing) * one_hot + smoothing / classes).tolist()


def target_by_numpy(label, classes, smoothing):
    return list(np.eye(classes)[label] * (1 - smoothing) + np.full(classes, smoothing / classes))


def target_by_loop(label, classes, smoothing):
    target = []
    for index in range(classes):
        share = smoothing / classes
        if index == label:
            share = 1 - (classes - 1) * share
        target.append(share)
    return target


def target_by_lerp(label, classes, smoothing):
    pure = torch.zeros(classes)
    pure[label] = 1
    return [value.item() for value in torch.lerp(pure, torch.full((classes,), 1 / classes), smoothing)]


def target_by_fractions(label, classes, smoothing):
    share = Fraction(smoothing) / classes
    return [float(share + (1 - Fraction(smoothing)) * (i == label)) for i in range(classes)]


def target_others_only(label, classes, smoothing):
    return [1 - smoothing if i == label else smoothing / (classes - 1) for i in range(classes)]


def target_own_part_missing(label, classes, smoothing):
    return [1 - smoothing if i == label else smoothing / classes for i in range(classes)]


def target_one_stays(label, classes, smoothing):
    return [1.0 if i == label else smoothing / classes for i in range(classes)]


def target_adds_to_one(label, classes, smoothing):
    target = [smoothing / classes] * classes
    target[label] += 1
    return target


def target_whole_share_each(label, classes, smoothing):
    target = [smoothing] * classes
    target[label] = 1 - smoothing
    return target


def target_exchanged(label, classes, smoothing):
    target = [(1 - smoothing) / classes] * classes
    target[label] += smoothing
    return target


def target_pure(label, classes, smoothing):
    return [float(i == label) for i in range(classes)]


def target_even(label, classes, smoothing):
    return [1 / classes] * classes


def target_from_one(label, classes, smoothing):
    target = [smoothing / classes] * classes
    target[label - 1] += 1 - smoothing
    return target


def target_one_class_less(label, classes, smoothing):
    target = [smoothing / (classes - 1)] * (classes - 1)
    target.insert(label, 0.0)
    target[label] += 1 - smoothing + smoothing / classes
    return target


def target_too_short(label, classes, smoothing):
    target = [smoothing / classes] * (classes - 1)
    target[label - 1] += 1 - smoothing
    return target


def target_tensor(label, classes, smoothing):
    target = torch.full((classes,), smoothing / classes)
    target[label] += 1 - smoothing
    return target


def target_number(label, classes, smoothing):
    return 1 - smoothing + smoothing / classes


def target_whole_division(label, classes, smoothing):
    target = [smoothing // classes] * classes
    target[label] += 1 - smoothing
    return target


def target_tenth(label, classes, smoothing):
    target = [0.1 / classes] * classes
    target[label] += 0.9
    return target


# 7.4 who gets which pictures?


def share_by_slice(batch, rank, size):
    length = len(batch) // size
    return batch[rank * length : (rank + 1) * length]


def share_by_array_split(batch, rank, size):
    return np.array_split(np.asarray(batch), size)[rank].tolist()


def share_by_view(batch, rank, size):
    return torch.tensor(batch).view(size, -1)[rank].tolist()


def share_by_comprehension(batch, rank, size):
    return [index for place, index in enumerate(batch) if place * size // len(batch) == rank]


def share_by_islice(batch, rank, size):
    length = len(batch) // size
    walk = iter(batch)
    for _ in range(rank):
        list(itertools.islice(walk, length))
    return list(itertools.islice(walk, length))


def share_strided(batch, rank, size):
    return batch[rank::size]


def share_from_one(batch, rank, size):
    length = len(batch) // size
    return batch[(rank - 1) * length : rank * length]


def share_last_missing(batch, rank, size):
    length = len(batch) // size
    return batch[rank * length : (rank + 1) * length - 1]


def share_one_too_many(batch, rank, size):
    length = len(batch) // size
    return batch[rank * length : (rank + 1) * length + 1]


def share_to_the_end(batch, rank, size):
    return batch[rank * (len(batch) // size) :]


def share_first(batch, rank, size):
    return batch[: len(batch) // size]


def share_of_length_size(batch, rank, size):
    return batch[rank * size : (rank + 1) * size]


def share_begins_at_rank(batch, rank, size):
    return batch[rank : rank + len(batch) // size]


def share_places(batch, rank, size):
    length = len(batch) // size
    return list(range(rank * length, (rank + 1) * length))


def share_all(batch, rank, size):
    length = len(batch) // size
    return [batch[r * length : (r + 1) * length] for r in range(size)]


def share_from_behind(batch, rank, size):
    return share_by_slice(batch, size - 1 - rank, size)


def share_reversed(batch, rank, size):
    return share_by_slice(batch, rank, size)[::-1]


def share_sorted(batch, rank, size):
    return sorted(share_by_slice(batch, rank, size))


def share_sorted_before(batch, rank, size):
    return share_by_slice(sorted(batch), rank, size)


def share_true_division(batch, rank, size):
    length = len(batch) / size
    return batch[rank * length : (rank + 1) * length]


def share_empties_the_batch(batch, rank, size):
    length = len(batch) // size
    begin = rank * length
    share = batch[begin : begin + length]
    del batch[begin : begin + length]
    return share


def share_empty_for_most(batch, rank, size):
    length = len(batch) // size
    return batch[rank * length : length]


# 7.5 statistics of two halves


def both_by_squares(mean_1, variance_1, mean_2, variance_2):
    mean = (mean_1 + mean_2) / 2
    squares = (variance_1 + mean_1**2 + variance_2 + mean_2**2) / 2
    return mean, squares - mean**2


def both_by_distance(mean_1, variance_1, mean_2, variance_2):
    half = 0.5 * (mean_2 - mean_1)
    return mean_1 + half, 0.5 * variance_1 + 0.5 * variance_2 + half * half


def both_by_stack(mean_1, variance_1, mean_2, variance_2):
    means = torch.stack([torch.as_tensor(mean_1), torch.as_tensor(mean_2)])
    variances = torch.stack([torch.as_tensor(variance_1), torch.as_tensor(variance_2)])
    return means.mean(dim=0), variances.mean(dim=0) + means.var(dim=0, unbiased=False)


def both_by_samples(mean_1, variance_1, mean_2, variance_2):
    # Two values, mean ± deviation, have exactly this mean and variance.
    values = [mean_1 - variance_1**0.5, mean_1 + variance_1**0.5, mean_2 - variance_2**0.5, mean_2 + variance_2**0.5]
    mean = sum(values) / 4
    return [mean, sum((value - mean) ** 2 for value in values) / 4]


def both_by_loop(mean_1, variance_1, mean_2, variance_2):
    mean = squares = 0
    for m, v in ((mean_1, variance_1), (mean_2, variance_2)):
        mean = mean + 0.5 * m
        squares = squares + 0.5 * (v + m * m)
    return mean, squares - mean * mean


def _mean(mean_1, mean_2):
    return (mean_1 + mean_2) / 2


def both_mean_of_variances(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), (variance_1 + variance_2) / 2


def both_whole_distance(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), (variance_1 + variance_2) / 2 + (mean_1 - mean_2) ** 2


def both_half_square(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), (variance_1 + variance_2) / 2 + (mean_1 - mean_2) ** 2 / 2


def both_subtracted(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), (variance_1 + variance_2) / 2 - ((mean_1 - mean_2) / 2) ** 2


def both_not_squared(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), (variance_1 + variance_2) / 2 + abs(mean_1 - mean_2) / 2


def both_sum_of_variances(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), variance_1 + variance_2


def both_quarter(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), (variance_1 + variance_2) / 4


def both_mean_of_squares(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), (variance_1 + mean_1**2 + variance_2 + mean_2**2) / 2


def both_squares_not_halved(mean_1, variance_1, mean_2, variance_2):
    mean = _mean(mean_1, mean_2)
    return mean, variance_1 + mean_1**2 + variance_2 + mean_2**2 - mean**2


def both_mean_not_squared(mean_1, variance_1, mean_2, variance_2):
    mean = _mean(mean_1, mean_2)
    return mean, (variance_1 + mean_1**2 + variance_2 + mean_2**2) / 2 - mean


def both_variance_squared(mean_1, variance_1, mean_2, variance_2):
    mean = _mean(mean_1, mean_2)
    return mean, (variance_1**2 + mean_1**2 + variance_2**2 + mean_2**2) / 2 - mean**2


def both_deviation(mean_1, variance_1, mean_2, variance_2):
    mean, variance = both_by_squares(mean_1, variance_1, mean_2, variance_2)
    return mean, variance**0.5


def both_mean_of_deviations(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), ((variance_1**0.5 + variance_2**0.5) / 2) ** 2


def both_exchanged(mean_1, variance_1, mean_2, variance_2):
    return both_by_squares(mean_1, variance_1, mean_2, variance_2)[::-1]


def both_variance_only(mean_1, variance_1, mean_2, variance_2):
    return both_by_squares(mean_1, variance_1, mean_2, variance_2)[1]


def both_sum_of_means(mean_1, variance_1, mean_2, variance_2):
    return mean_1 + mean_2, both_by_squares(mean_1, variance_1, mean_2, variance_2)[1]


def both_variance_of_means(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), ((mean_1 - mean_2) / 2) ** 2


def both_unbiased(mean_1, variance_1, mean_2, variance_2):
    return _mean(mean_1, mean_2), (variance_1 + variance_2) / 2 + np.var([mean_1, mean_2], ddof=1)


def both_first_half(mean_1, variance_1, mean_2, variance_2):
    return mean_1, variance_1


# 7.6 train the head alone


def head_plain(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.classifier.parameters())


def head_by_names(model):
    count = 0
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.split(".")[0] == "classifier"
        count += math.prod(parameter.shape) if parameter.requires_grad else 0
    return count


def head_by_identity(model):
    kept = {id(p) for p in model.classifier.parameters()}
    others = [p for p in model.parameters() if id(p) not in kept]
    for parameter in others:
        parameter.requires_grad_(False)
    return torch.nn.utils.parameters_to_vector(model.classifier.parameters()).shape[0]


def head_by_children(model):
    for name, child in model.named_children():
        child.requires_grad_(name == "classifier")
    return np.sum([p.numel() for p in model.parameters() if p.requires_grad])


def head_by_tensor_sum(model):
    for parameter in model.parameters():
        parameter.requires_grad = False
    for parameter in model.classifier.parameters():
        parameter.requires_grad = True
    return int(torch.tensor([p.numel() for p in filter(lambda p: p.requires_grad, model.parameters())]).sum())


def head_the_wrong_way(model):
    model.classifier.requires_grad_(False)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def head_all_off(model):
    model.requires_grad_(False)
    return sum(p.numel() for p in model.classifier.parameters())


def head_none_off(model):
    return sum(p.numel() for p in model.classifier.parameters())


def head_attribute_of_module(model):
    model.requires_grad = False
    model.classifier.requires_grad = True
    return sum(p.numel() for p in model.classifier.parameters())


def head_without_bias(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return model.classifier.weight.numel()


def head_bias_off(model):
    model.requires_grad_(False)
    model.classifier.weight.requires_grad = True
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def head_tensors(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return len([p for p in model.parameters() if p.requires_grad])


def head_counts_all(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.parameters())


def head_counts_frozen(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.parameters() if not p.requires_grad)


def head_counts_before(model):
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return count


def head_leaves_norms(model):
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and not name.startswith("classifier"):
            parameter.requires_grad = False
    return sum(p.numel() for p in model.classifier.parameters())


def head_of_a_copy(model):
    model = copy.deepcopy(model)
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def head_new(model):
    model.requires_grad_(False)
    model.classifier = nn.Linear(model.classifier.in_features, model.classifier.out_features)
    return sum(p.numel() for p in model.classifier.parameters())


def head_evaluates(model):
    model.eval()
    model.classifier.train()
    return sum(p.numel() for p in model.classifier.parameters())


def head_clears_gradients(model):
    for name, parameter in model.named_parameters():
        if not name.startswith("classifier"):
            parameter.grad = None
    return sum(p.numel() for p in model.classifier.parameters())


def head_loop_variable(model):
    for name, parameter in model.named_parameters():
        if not name.startswith("classifier"):
            parameter = parameter.detach()
    return sum(p.numel() for p in model.classifier.parameters())


def head_first_axis(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(len(p) for p in model.classifier.parameters())


def head_returns_nothing(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)


ATTEMPTS = [
    ("training_step", "right", "zero_grad, loss, backward, step", step_plain),
    ("training_step", "right", "cross-entropy by a loop over the rows, model.zero_grad", step_by_hand),
    ("training_step", "right", "torch.autograd.grad put into .grad", step_by_autograd_grad),
    ("training_step", "right", "a closure handed to optimizer.step", step_by_closure),
    ("training_step", "right", "gradients set to None, logsumexp, a NumPy float", step_by_none),
    ("training_step", "wrong", "never clears the gradients", step_keeps_gradients),
    ("training_step", "wrong", "clears the gradients between backward and step", step_clears_too_late),
    ("training_step", "wrong", "clears only after the step, so the earlier gradients count", step_clears_after),
    ("training_step", "wrong", "optimizer.step() is missing", step_without_step),
    ("training_step", "wrong", "loss.backward() is missing", step_without_backward),
    ("training_step", "wrong", "steps before backward", step_before_backward),
    ("training_step", "right", "returns the loss as a tensor with its graph", step_returns_tensor),
    ("training_step", "wrong", "returns the loss from after the step", step_returns_later_loss),
    ("training_step", "wrong", "softmax before cross_entropy", step_softmax_twice),
    ("training_step", "wrong", "sum over the batch instead of its mean", step_sum),
    ("training_step", "wrong", "returns nothing", step_returns_nothing),
    ("training_step", "wrong", "steps twice", step_twice),
    ("training_step", "wrong", "mean squared error with one-hot targets", step_squares),
    ("training_step", "wrong", "switches the model to eval", step_evaluates),
    ("training_step", "wrong", "climbs: the gradient of minus the loss", step_uphill),
    (
        "training_step",
        "wrong",
        "moves the weights itself, with a rate of its own, without the optimizer",
        step_own_descent,
    ),
    ("training_step", "wrong", "computes the loss under no_grad", step_without_gradient),
    ("training_step", "wrong", "returns the accuracy", step_returns_accuracy),
    ("training_step", "wrong", "a step for each picture", step_one_picture),
    ("learning_rate", "right", "if and math.cos", rate_plain),
    ("learning_rate", "right", "the whole schedule as a NumPy array, one entry of it", rate_by_numpy),
    ("learning_rate", "right", "a 0-d float64 tensor with torch.where", rate_by_tensor),
    ("learning_rate", "right", "step <= warmup, and a squared cosine", rate_by_interpolation),
    ("learning_rate", "right", "the library's own schedule with last_learning_rate 0", rate_by_library),
    ("learning_rate", "wrong", "warm-up begins at zero: step instead of step + 1", rate_from_zero),
    ("learning_rate", "wrong", "warm-up is step / warmup", rate_step_over_warmup),
    ("learning_rate", "wrong", "warm-up is (step + 1) / warmup: the top one step early", rate_peak_early),
    ("learning_rate", "wrong", "divides by steps - warmup, so the last step is not 0", rate_never_zero),
    ("learning_rate", "wrong", "the cosine runs over all steps, not from the warm-up's end", rate_whole_run),
    ("learning_rate", "wrong", "falls in a straight line", rate_straight),
    ("learning_rate", "wrong", "a quarter of a cosine wave", rate_quarter),
    ("learning_rate", "wrong", "a whole cosine wave: rises again", rate_whole_wave),
    ("learning_rate", "wrong", "not halved: twice as high", rate_not_halved),
    ("learning_rate", "wrong", "the bare cosine, which turns negative", rate_bare_cosine),
    ("learning_rate", "wrong", "pi is missing", rate_without_pi),
    ("learning_rate", "wrong", "degrees in math.cos", rate_degrees),
    ("learning_rate", "wrong", "1 - cos: rises instead of falling", rate_rises),
    ("learning_rate", "wrong", "ends at 1 % of the highest rate", rate_floor),
    ("learning_rate", "wrong", "whole division for the share that is done", rate_whole_division),
    ("learning_rate", "wrong", "no warm-up", rate_without_warmup),
    ("learning_rate", "wrong", "ignores highest", rate_share_only),
    ("learning_rate", "wrong", "stays at the highest after the warm-up", rate_constant),
    ("learning_rate", "wrong", "returns the list of all rates", rate_list),
    ("smoothed", "right", "a repeated list, one entry added to", target_plain),
    ("smoothed", "right", "F.one_hot in float64, tolist", target_by_one_hot),
    ("smoothed", "right", "np.eye, a list of NumPy numbers", target_by_numpy),
    ("smoothed", "right", "a loop; the right one gets what the others leave", target_by_loop),
    ("smoothed", "right", "torch.lerp in float32", target_by_lerp),
    ("smoothed", "right", "fractions", target_by_fractions),
    ("smoothed", "wrong", "spread over the wrong classes only", target_others_only),
    ("smoothed", "wrong", "the right class lacks its part of the share", target_own_part_missing),
    ("smoothed", "wrong", "the right class keeps 1", target_one_stays),
    ("smoothed", "wrong", "adds the share to a full 1", target_adds_to_one),
    ("smoothed", "wrong", "every class gets the whole share", target_whole_share_each),
    ("smoothed", "wrong", "smoothing and the rest exchanged", target_exchanged),
    ("smoothed", "wrong", "no smoothing", target_pure),
    ("smoothed", "wrong", "all classes alike", target_even),
    ("smoothed", "wrong", "counts the classes from 1", target_from_one),
    ("smoothed", "wrong", "divides by classes - 1 for the others, by classes for the right one", target_one_class_less),
    ("smoothed", "wrong", "one entry too few", target_too_short),
    ("smoothed", "right", "a tensor instead of a list", target_tensor),
    ("smoothed", "wrong", "only the right class's probability", target_number),
    ("smoothed", "wrong", "whole division", target_whole_division),
    ("smoothed", "wrong", "a fixed tenth instead of smoothing", target_tenth),
    ("share_of", "right", "a slice", share_by_slice),
    ("share_of", "right", "np.array_split", share_by_array_split),
    ("share_of", "right", "a tensor's view, tolist", share_by_view),
    ("share_of", "right", "a comprehension over the places", share_by_comprehension),
    ("share_of", "right", "islice on an iterator", share_by_islice),
    ("share_of", "wrong", "every size-th index", share_strided),
    ("share_of", "wrong", "counts the processes from 1", share_from_one),
    ("share_of", "wrong", "the last index of the share is missing", share_last_missing),
    ("share_of", "wrong", "one index too many", share_one_too_many),
    ("share_of", "wrong", "goes on to the end of the batch", share_to_the_end),
    ("share_of", "wrong", "everybody gets the first share", share_first),
    ("share_of", "wrong", "takes size for the length of a share", share_of_length_size),
    ("share_of", "wrong", "begins at rank instead of rank times the length", share_begins_at_rank),
    ("share_of", "wrong", "places in the batch instead of its indices", share_places),
    ("share_of", "wrong", "returns all shares", share_all),
    ("share_of", "wrong", "shares dealt from the end", share_from_behind),
    ("share_of", "wrong", "share in reversed order", share_reversed),
    ("share_of", "wrong", "share sorted", share_sorted),
    ("share_of", "wrong", "sorts the batch first", share_sorted_before),
    ("share_of", "wrong", "/ instead of //", share_true_division),
    ("share_of", "right", "removes the share from the caller's batch", share_empties_the_batch),
    ("share_of", "wrong", "ends at the length instead of begin plus length", share_empty_for_most),
    ("statistics_of_both", "right", "mean of the squares minus square of the mean", both_by_squares),
    ("statistics_of_both", "right", "mean of the variances plus half the distance squared", both_by_distance),
    ("statistics_of_both", "right", "torch.stack and var of the means", both_by_stack),
    ("statistics_of_both", "right", "four values with these statistics; returns a list", both_by_samples),
    ("statistics_of_both", "right", "a loop over the halves", both_by_loop),
    ("statistics_of_both", "wrong", "mean of the two variances", both_mean_of_variances),
    ("statistics_of_both", "wrong", "adds the squared distance of the means, not of half of it", both_whole_distance),
    ("statistics_of_both", "wrong", "adds half the squared distance instead of a quarter", both_half_square),
    ("statistics_of_both", "wrong", "subtracts the part of the means", both_subtracted),
    ("statistics_of_both", "wrong", "adds half the distance without squaring it", both_not_squared),
    ("statistics_of_both", "wrong", "sum of the variances", both_sum_of_variances),
    ("statistics_of_both", "wrong", "a quarter of the variances' sum, as for the mean of two values", both_quarter),
    ("statistics_of_both", "wrong", "mean of the squares, nothing subtracted", both_mean_of_squares),
    ("statistics_of_both", "wrong", "squares summed, not averaged", both_squares_not_halved),
    ("statistics_of_both", "wrong", "subtracts the mean instead of its square", both_mean_not_squared),
    ("statistics_of_both", "wrong", "squares the variances, as if they were deviations", both_variance_squared),
    ("statistics_of_both", "wrong", "standard deviation instead of variance", both_deviation),
    ("statistics_of_both", "wrong", "averages the standard deviations", both_mean_of_deviations),
    ("statistics_of_both", "wrong", "variance first, mean second", both_exchanged),
    ("statistics_of_both", "wrong", "returns the variance only", both_variance_only),
    ("statistics_of_both", "wrong", "sum of the means", both_sum_of_means),
    ("statistics_of_both", "wrong", "variance of the means only", both_variance_of_means),
    ("statistics_of_both", "wrong", "unbiased variance of the means", both_unbiased),
    ("statistics_of_both", "wrong", "only the first half", both_first_half),
    ("train_only_the_head", "right", "all off, classifier on", head_plain),
    ("train_only_the_head", "right", "by names, in one loop", head_by_names),
    ("train_only_the_head", "right", "by identity; the rest is left as it was", head_by_identity),
    ("train_only_the_head", "right", "by children, a NumPy integer", head_by_children),
    ("train_only_the_head", "right", "two loops, a tensor's sum", head_by_tensor_sum),
    ("train_only_the_head", "wrong", "freezes the classifier instead of the rest", head_the_wrong_way),
    ("train_only_the_head", "wrong", "freezes the classifier, too", head_all_off),
    ("train_only_the_head", "wrong", "freezes nothing", head_none_off),
    ("train_only_the_head", "wrong", "sets an attribute of the module, which does nothing", head_attribute_of_module),
    ("train_only_the_head", "wrong", "counts without the bias", head_without_bias),
    ("train_only_the_head", "wrong", "freezes the classifier's bias", head_bias_off),
    ("train_only_the_head", "wrong", "counts tensors, not numbers", head_tensors),
    ("train_only_the_head", "wrong", "counts all parameters", head_counts_all),
    ("train_only_the_head", "wrong", "counts the frozen ones", head_counts_frozen),
    ("train_only_the_head", "wrong", "counts before freezing", head_counts_before),
    ("train_only_the_head", "wrong", "leaves norms and biases of the rest trainable", head_leaves_norms),
    ("train_only_the_head", "wrong", "freezes a copy", head_of_a_copy),
    ("train_only_the_head", "wrong", "replaces the classifier by a new one", head_new),
    ("train_only_the_head", "wrong", "eval() instead of requires_grad", head_evaluates),
    ("train_only_the_head", "wrong", "clears gradients instead of switching them off", head_clears_gradients),
    ("train_only_the_head", "wrong", "detaches the loop variable, which changes nothing", head_loop_variable),
    ("train_only_the_head", "wrong", "counts rows (len) instead of numbers", head_first_axis),
    ("train_only_the_head", "wrong", "returns nothing", head_returns_nothing),
]
