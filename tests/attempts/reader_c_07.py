"""Attempts at the exercises of notebook 07 by a reader who saw neither the checks nor the solutions."""

import copy
import itertools
import math
import statistics

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# 7.1 one step of training
def step_plain(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_none_grads(model, optimizer, images, labels):
    criterion = nn.CrossEntropyLoss()
    logits = model(images)
    loss = criterion(logits, labels)
    before = float(loss.detach())
    for p in model.parameters():
        p.grad = None
    loss.backward()
    optimizer.step()
    return before


def step_by_hand(model, optimizer, images, labels):
    logs = model(images).log_softmax(dim=1)
    loss = -logs[torch.arange(len(labels)), labels].mean()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        p.grad = gradient
    optimizer.step()
    return loss.detach().tolist()


def step_closure(model, optimizer, images, labels):
    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = F.nll_loss(F.log_softmax(model(images), -1), labels)
        loss.backward()
        return loss

    return optimizer.step(closure).item()


def step_numpy_number(model, optimizer, images, labels):
    model.zero_grad()
    loss = F.cross_entropy(model(images), labels, reduction="sum") / len(labels)
    loss.backward()
    optimizer.step()
    return float(np.float64(loss.detach().numpy()))


def step_zeroes_at_the_end(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def step_never_zeroes(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_zeroes_too_late(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def step_before_backward(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    loss.backward()
    return loss.item()


def step_no_step(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    return loss.item()


def step_no_backward(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    return loss.item()


def step_loss_after(model, optimizer, images, labels):
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()
    with torch.no_grad():
        return F.cross_entropy(model(images), labels).item()


def step_returns_tensor(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


def step_softmax_twice(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images).softmax(dim=-1), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_nll_of_logits(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.nll_loss(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_squares(model, optimizer, images, labels):
    optimizer.zero_grad()
    logits = model(images)
    loss = F.mse_loss(logits, F.one_hot(labels, logits.shape[1]).to(logits.dtype))
    loss.backward()
    optimizer.step()
    return loss.item()


def step_eval_mode(model, optimizer, images, labels):
    model.eval()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_two_steps(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.step()
    return loss.item()


def step_uphill(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    (-loss).backward()
    optimizer.step()
    return loss.item()


def step_no_return(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    print(loss.item())


def step_sum(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    loss.backward()
    optimizer.step()
    return loss.item()


# 7.2 the schedule
def rate_plain(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    t = (step - warmup) / (steps - 1 - warmup)
    return highest * (1 + math.cos(math.pi * t)) / 2


def rate_numpy(step, steps, warmup, highest):
    up = highest * np.arange(1, warmup + 1) / (warmup + 1)
    down = highest * (1 + np.cos(np.linspace(0, np.pi, steps - warmup))) / 2
    return np.concatenate([up, down])[step]


def rate_tensor(step, steps, warmup, highest):
    if step <= warmup:  # at the top both formulas give `highest`
        return torch.tensor((step + 1) / (warmup + 1) * highest, dtype=torch.float64)
    t = torch.tensor((step - warmup) / (steps - warmup - 1), dtype=torch.float64)
    return highest * 0.5 * (1 + torch.cos(torch.pi * t))


def rate_half_angle(step, steps, warmup, highest):
    left = steps - 1 - step
    way = max(steps - 1 - warmup, 1)
    return highest * ((step + 1) / (warmup + 1) if step < warmup else math.sin(math.pi / 2 * left / way) ** 2)


def rate_no_plus_one(step, steps, warmup, highest):
    if step < warmup:
        return highest * step / warmup
    return highest * (1 + math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))) / 2


def rate_over_warmup(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest * (1 + math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))) / 2


def rate_linear_fall(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 - (step - warmup) / (steps - 1 - warmup))


def rate_never_zero(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


def rate_forgets_warmup_in_t(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * step / (steps - 1))) / 2


def rate_shifts_only_above(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * (step - warmup) / (steps - 1))) / 2


def rate_full_wave(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(2 * math.pi * (step - warmup) / (steps - 1 - warmup))) / 2


def rate_quarter_wave(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * math.cos(math.pi / 2 * (step - warmup) / (steps - 1 - warmup))


def rate_not_halved(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * (step - warmup) / (steps - 1 - warmup)))


def rate_wave_below_zero(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))


def rate_rises(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 - math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))) / 2


def rate_floor_division(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * ((step - warmup) // (steps - 1 - warmup)))) / 2


def rate_degrees(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(180 * (step - warmup) / (steps - 1 - warmup))) / 2


def rate_precedence(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * (step - warmup) / (steps - 1 - warmup)) / 2)


def rate_no_warmup(step, steps, warmup, highest):
    return highest * (1 + math.cos(math.pi * max(0, step - warmup) / (steps - 1 - warmup))) / 2


def rate_share_only(step, steps, warmup, highest):
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (1 + math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))) / 2


def rate_one_percent_left(step, steps, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    wave = (1 + math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))) / 2
    return highest * (0.01 + 0.99 * wave)


# 7.3 a smoothed target
def smooth_plain(label, classes, smoothing):
    target = [smoothing / classes] * classes
    target[label] += 1 - smoothing
    return target


def smooth_tensor(label, classes, smoothing):
    pure = F.one_hot(torch.tensor(label), classes).double()
    return torch.lerp(pure, torch.full_like(pure, 1 / classes), smoothing).tolist()


def smooth_numpy(label, classes, smoothing):
    return list((1 - smoothing) * np.eye(classes)[label] + smoothing * np.ones(classes) / classes)


def smooth_from_the_rest(label, classes, smoothing):
    each = smoothing / classes
    others = each * (classes - 1)
    return [1 - others if c == label else each for c in range(classes)]


def smooth_others_only(label, classes, smoothing):
    return [1 - smoothing if c == label else smoothing / (classes - 1) for c in range(classes)]


def smooth_right_gets_rest_only(label, classes, smoothing):
    return [1 - smoothing if c == label else smoothing / classes for c in range(classes)]


def smooth_right_stays_one(label, classes, smoothing):
    return [1.0 if c == label else smoothing / classes for c in range(classes)]


def smooth_not_divided(label, classes, smoothing):
    target = [smoothing] * classes
    target[label] += 1 - smoothing
    return target


def smooth_swapped(label, classes, smoothing):
    target = [(1 - smoothing) / classes] * classes
    target[label] += smoothing
    return target


def smooth_counts_from_one(label, classes, smoothing):
    target = [smoothing / classes] * classes
    target[label - 1] += 1 - smoothing
    return target


def smooth_one_hot(label, classes, smoothing):
    return [float(c == label) for c in range(classes)]


def smooth_adds_one(label, classes, smoothing):
    target = [smoothing / classes] * classes
    target[label] += 1
    return target


def smooth_uniform(label, classes, smoothing):
    return [1 / classes for _ in range(classes)]


def smooth_floor(label, classes, smoothing):
    target = [smoothing // classes] * classes
    target[label] += 1 - smoothing
    return target


def smooth_one_too_many(label, classes, smoothing):
    return [smoothing / classes + (1 - smoothing) * (c == label) for c in range(classes + 1)]


def smooth_forgets_the_rest(label, classes, smoothing):
    return [smoothing / classes] * classes


def smooth_only_the_right_one(label, classes, smoothing):
    return 1 - smoothing + smoothing / classes


def smooth_renormalised(label, classes, smoothing):
    target = [smoothing / classes] * classes
    target[label] += 1
    return [value / sum(target) for value in target]


def smooth_subtracts_twice(label, classes, smoothing):
    target = [smoothing / classes] * classes
    target[label] = 1 - smoothing - smoothing / classes
    return target


def smooth_append_returns_none(label, classes, smoothing):
    target = [smoothing / classes] * (classes - 1)
    return target.insert(label, 1 - smoothing + smoothing / classes)


# 7.4 who gets which pictures?
def share_slice(batch, rank, size):
    n = len(batch) // size
    return batch[rank * n : (rank + 1) * n]


def share_numpy(batch, rank, size):
    return np.split(np.array(batch), size)[rank].tolist()


def share_tensor(batch, rank, size):
    return torch.tensor(batch).reshape(size, -1)[rank].tolist()


def share_loop(batch, rank, size):
    n, mine = len(batch) // size, []
    for place, index in enumerate(batch):
        if place // n == rank:
            mine.append(index)
    return mine


def share_islice(batch, rank, size):
    n = int(len(batch) / size)
    return list(itertools.islice(iter(batch), n * rank, n * rank + n))


def share_strided(batch, rank, size):
    return batch[rank::size]


def share_rank_from_one(batch, rank, size):
    n = len(batch) // size
    return batch[(rank - 1) * n : rank * n]


def share_pieces_of_size(batch, rank, size):
    return batch[rank * size : (rank + 1) * size]


def share_starts_at_rank(batch, rank, size):
    n = len(batch) // size
    return batch[rank : rank + n]


def share_one_too_long(batch, rank, size):
    n = len(batch) // size
    return batch[rank * n : (rank + 1) * n + 1]


def share_one_too_short(batch, rank, size):
    n = len(batch) // size
    return batch[rank * n : (rank + 1) * n - 1]


def share_to_the_end(batch, rank, size):
    n = len(batch) // size
    return batch[rank * n :]


def share_always_first(batch, rank, size):
    return batch[: len(batch) // size]


def share_float_slice(batch, rank, size):
    n = len(batch) / size
    return batch[rank * n : (rank + 1) * n]


def share_all_of_them(batch, rank, size):
    n = len(batch) // size
    return [batch[i : i + n] for i in range(0, len(batch), n)]


def share_places_not_indices(batch, rank, size):
    n = len(batch) // size
    return list(range(rank * n, (rank + 1) * n))


def share_sorted(batch, rank, size):
    n = len(batch) // size
    return sorted(batch)[rank * n : (rank + 1) * n]


def share_from_behind(batch, rank, size):
    n = len(batch) // size
    return batch[len(batch) - (rank + 1) * n : len(batch) - rank * n]


def share_length_as_end(batch, rank, size):
    n = len(batch) // size
    return batch[rank * n : n]


def share_cumulative(batch, rank, size):
    n = len(batch) // size
    return batch[: (rank + 1) * n]


# 7.5 statistics of two halves
def both_squares(mean_1, variance_1, mean_2, variance_2):
    mean = (mean_1 + mean_2) / 2
    squares = (variance_1 + mean_1**2 + variance_2 + mean_2**2) / 2
    return mean, squares - mean**2


def both_between(mean_1, variance_1, mean_2, variance_2):
    half = 0.5 * (mean_1 - mean_2)
    return [mean_2 + half, 0.5 * variance_1 + 0.5 * variance_2 + half * half]


def both_numpy(mean_1, variance_1, mean_2, variance_2):
    means = np.array([mean_1, mean_2], dtype=np.float64)
    variances = np.array([variance_1, variance_2], dtype=np.float64)
    return np.array([means.mean(0), variances.mean(0) + means.var(0)])


def both_tensor(mean_1, variance_1, mean_2, variance_2):
    means = torch.stack([torch.as_tensor(m, dtype=torch.float64) for m in (mean_1, mean_2)])
    variances = torch.stack([torch.as_tensor(v, dtype=torch.float64) for v in (variance_1, variance_2)])
    return means.mean(0), variances.mean(0) + means.var(0, unbiased=False)


def both_four_values(mean_1, variance_1, mean_2, variance_2):
    values = []
    for mean, variance in ((mean_1, variance_1), (mean_2, variance_2)):
        deviation = math.sqrt(variance)
        values += [float(mean) - deviation, float(mean) + deviation]
    return statistics.fmean(values), statistics.pvariance(values)


def both_mean_of_variances(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, (variance_1 + variance_2) / 2


def both_sum_of_variances(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, variance_1 + variance_2


def both_forgets_mean_squared(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, (variance_1 + mean_1**2 + variance_2 + mean_2**2) / 2


def both_swapped(mean_1, variance_1, mean_2, variance_2):
    mean, variance = both_squares(mean_1, variance_1, mean_2, variance_2)
    return variance, mean


def both_variance_only(mean_1, variance_1, mean_2, variance_2):
    return both_squares(mean_1, variance_1, mean_2, variance_2)[1]


def both_deviation(mean_1, variance_1, mean_2, variance_2):
    mean, variance = both_squares(mean_1, variance_1, mean_2, variance_2)
    return mean, variance**0.5


def both_full_distance(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, (variance_1 + variance_2) / 2 + (mean_1 - mean_2) ** 2


def both_minus_between(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, (variance_1 + variance_2) / 2 - ((mean_1 - mean_2) / 2) ** 2


def both_squares_not_halved(mean_1, variance_1, mean_2, variance_2):
    mean = (mean_1 + mean_2) / 2
    return mean, variance_1 + mean_1**2 + variance_2 + mean_2**2 - mean**2


def both_mean_not_squared(mean_1, variance_1, mean_2, variance_2):
    mean = (mean_1 + mean_2) / 2
    return mean, (variance_1 + mean_1**2 + variance_2 + mean_2**2) / 2 - mean


def both_precedence(mean_1, variance_1, mean_2, variance_2):
    mean = mean_1 + mean_2 / 2
    return mean, (variance_1 + mean_1**2 + variance_2 + mean_2**2) / 2 - mean**2


def both_takes_deviations(mean_1, variance_1, mean_2, variance_2):
    mean = (mean_1 + mean_2) / 2
    return mean, (variance_1**2 + mean_1**2 + variance_2**2 + mean_2**2) / 2 - mean**2


def both_bessel(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, (variance_1 + variance_2) / 2 + (mean_1 - mean_2) ** 2 / 2


def both_mean_summed(mean_1, variance_1, mean_2, variance_2):
    mean, variance = both_squares(mean_1, variance_1, mean_2, variance_2)
    return mean_1 + mean_2, variance


def both_variance_of_means_only(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, ((mean_1 - mean_2) / 2) ** 2


def both_plus_for_minus(mean_1, variance_1, mean_2, variance_2):
    return (mean_1 + mean_2) / 2, (variance_1 + variance_2) / 2 + ((mean_1 + mean_2) / 2) ** 2


# 7.6 train the head alone
def head_plain(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.classifier.parameters())


def head_by_name(model):
    total = 0
    for name, p in model.named_parameters():
        p.requires_grad = name.split(".")[0] == "classifier"
        if p.requires_grad:
            total += p.numel()
    return total


def head_by_identity(model):
    mine = {id(p) for p in model.classifier.parameters()}
    for p in model.parameters():
        if id(p) not in mine:
            p.requires_grad_(False)
    return int(np.sum([np.prod(p.shape) for p in model.parameters() if p.requires_grad]))


def head_children(model):
    for name, child in model.named_children():
        child.requires_grad_(name == "classifier")
    trained = filter(lambda p: p.requires_grad, model.parameters())
    return nn.utils.parameters_to_vector(trained).numel()


def head_freezes_all(model):
    model.requires_grad_(False)
    return sum(p.numel() for p in model.classifier.parameters())


def head_freezes_the_head(model):
    model.classifier.requires_grad_(False)
    return sum(p.numel() for p in model.classifier.parameters())


def head_attribute_on_module(model):
    model.requires_grad = False
    model.classifier.requires_grad = True
    return sum(p.numel() for p in model.classifier.parameters())


def head_changes_nothing(model):
    return sum(p.numel() for p in model.classifier.parameters())


def head_counts_all(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.parameters())


def head_counts_tensors(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return len([p for p in model.parameters() if p.requires_grad])


def head_counts_no_bias(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.classifier.parameters() if p.ndim > 1)


def head_bias_frozen(model):
    for name, p in model.named_parameters():
        p.requires_grad_(name.startswith("classifier") and name.endswith("weight"))
    return sum(p.numel() for p in model.classifier.parameters())


def head_counts_frozen(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.parameters() if not p.requires_grad)


def head_no_return(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)


def head_returns_model(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return model


def head_counts_before(model):
    total = sum(p.numel() for p in model.parameters() if p.requires_grad)
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return total


def head_eval_only(model):
    model.eval()
    model.classifier.train()
    return sum(p.numel() for p in model.classifier.parameters())


def head_in_a_copy(model):
    model = copy.deepcopy(model)
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(p.numel() for p in model.classifier.parameters())


def head_norms_left_on(model):
    for name, p in model.named_parameters():
        if not name.startswith("classifier.") and p.ndim > 1:
            p.requires_grad_(False)
    return sum(p.numel() for p in model.classifier.parameters())


def head_no_grad_block(model):
    with torch.no_grad():
        trained = list(model.classifier.parameters())
    return sum(p.numel() for p in trained)


def head_first_axis(model):
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    return sum(len(p) for p in model.classifier.parameters())


ATTEMPTS = [
    ("training_step", "right", "zero, loss, backward, step", step_plain),
    ("training_step", "right", "clears .grad by hand, number taken before the step", step_none_grads),
    ("training_step", "right", "log-softmax by indexing, torch.autograd.grad", step_by_hand),
    ("training_step", "right", "a closure handed to optimizer.step", step_closure),
    ("training_step", "right", "sum over the batch divided by its length, model.zero_grad", step_numpy_number),
    ("training_step", "wrong", "clears the gradients only after the step", step_zeroes_at_the_end),
    ("training_step", "wrong", "never clears the gradients", step_never_zeroes),
    ("training_step", "wrong", "clears the gradients between backward and step", step_zeroes_too_late),
    ("training_step", "wrong", "steps before backward", step_before_backward),
    ("training_step", "wrong", "no optimizer.step", step_no_step),
    ("training_step", "wrong", "no backward", step_no_backward),
    ("training_step", "wrong", "returns the loss after the step", step_loss_after),
    ("training_step", "right", "returns a tensor with its graph", step_returns_tensor),
    ("training_step", "wrong", "softmax before cross_entropy", step_softmax_twice),
    ("training_step", "wrong", "nll_loss of raw logits", step_nll_of_logits),
    ("training_step", "wrong", "squared error instead of cross-entropy", step_squares),
    ("training_step", "wrong", "switches to eval mode", step_eval_mode),
    ("training_step", "wrong", "two optimizer steps", step_two_steps),
    ("training_step", "wrong", "climbs instead of descending", step_uphill),
    ("training_step", "wrong", "prints the loss and returns nothing", step_no_return),
    ("training_step", "wrong", "sum instead of mean over the batch", step_sum),
    ("learning_rate", "right", "an if and the formula", rate_plain),
    ("learning_rate", "right", "the whole schedule in NumPy, then one entry", rate_numpy),
    ("learning_rate", "right", "0-d float64 tensors, <= at the top", rate_tensor),
    ("learning_rate", "right", "sine squared of the half angle, guarded division", rate_half_angle),
    ("learning_rate", "wrong", "warm-up is step / warmup, zero at first", rate_no_plus_one),
    ("learning_rate", "wrong", "warm-up divides by warmup", rate_over_warmup),
    ("learning_rate", "wrong", "falls in a straight line", rate_linear_fall),
    ("learning_rate", "wrong", "divides by steps - warmup, does not reach zero", rate_never_zero),
    ("learning_rate", "wrong", "the wave begins at step 0", rate_forgets_warmup_in_t),
    ("learning_rate", "wrong", "subtracts warmup above the line only", rate_shifts_only_above),
    ("learning_rate", "wrong", "a whole cosine wave", rate_full_wave),
    ("learning_rate", "wrong", "a quarter of a cosine wave", rate_quarter_wave),
    ("learning_rate", "wrong", "1 + cos is not halved", rate_not_halved),
    ("learning_rate", "wrong", "cos alone, falls to -highest", rate_wave_below_zero),
    ("learning_rate", "wrong", "1 - cos, rises from zero", rate_rises),
    ("learning_rate", "wrong", "floor division in the share of the way", rate_floor_division),
    ("learning_rate", "wrong", "degrees in a cosine of radians", rate_degrees),
    ("learning_rate", "wrong", "only the cosine is halved", rate_precedence),
    ("learning_rate", "wrong", "stays at highest during the warm-up", rate_no_warmup),
    ("learning_rate", "wrong", "forgets the factor highest", rate_share_only),
    ("learning_rate", "wrong", "stops at one percent instead of zero", rate_one_percent_left),
    ("smoothed", "right", "a list, one entry raised", smooth_plain),
    ("smoothed", "right", "torch.lerp between one-hot and uniform, float64", smooth_tensor),
    ("smoothed", "right", "rows of np.eye, a list of NumPy numbers", smooth_numpy),
    ("smoothed", "right", "the right one gets what the others leave", smooth_from_the_rest),
    ("smoothed", "wrong", "spreads over the other classes only", smooth_others_only),
    ("smoothed", "wrong", "the right class misses its part of the share", smooth_right_gets_rest_only),
    ("smoothed", "wrong", "the right class keeps 1", smooth_right_stays_one),
    ("smoothed", "wrong", "smoothing is not divided by classes", smooth_not_divided),
    ("smoothed", "wrong", "smoothing and 1 - smoothing swapped", smooth_swapped),
    ("smoothed", "wrong", "labels counted from one", smooth_counts_from_one),
    ("smoothed", "wrong", "no smoothing at all", smooth_one_hot),
    ("smoothed", "wrong", "adds 1 instead of the rest", smooth_adds_one),
    ("smoothed", "wrong", "all classes alike", smooth_uniform),
    ("smoothed", "wrong", "floor division", smooth_floor),
    ("smoothed", "wrong", "one class too many", smooth_one_too_many),
    ("smoothed", "wrong", "spreads the share and forgets the rest", smooth_forgets_the_rest),
    ("smoothed", "wrong", "returns the right class's number alone", smooth_only_the_right_one),
    ("smoothed", "wrong", "adds 1 and divides by the sum", smooth_renormalised),
    ("smoothed", "wrong", "subtracts the part of the share instead of adding it", smooth_subtracts_twice),
    ("smoothed", "wrong", "returns the None of list.insert", smooth_append_returns_none),
    ("share_of", "right", "a slice", share_slice),
    ("share_of", "right", "np.split", share_numpy),
    ("share_of", "right", "a tensor reshaped to rows", share_tensor),
    ("share_of", "right", "a loop over places", share_loop),
    ("share_of", "right", "itertools.islice", share_islice),
    ("share_of", "wrong", "every size-th index", share_strided),
    ("share_of", "wrong", "ranks counted from one", share_rank_from_one),
    ("share_of", "wrong", "takes size for the length of a share", share_pieces_of_size),
    ("share_of", "wrong", "begins at rank", share_starts_at_rank),
    ("share_of", "wrong", "one index too many", share_one_too_long),
    ("share_of", "wrong", "one index too few", share_one_too_short),
    ("share_of", "wrong", "runs to the end of the batch", share_to_the_end),
    ("share_of", "wrong", "the first share for everybody", share_always_first),
    ("share_of", "wrong", "slices with floats", share_float_slice),
    ("share_of", "wrong", "returns all shares", share_all_of_them),
    ("share_of", "wrong", "returns places, not the indices there", share_places_not_indices),
    ("share_of", "wrong", "sorts the batch first", share_sorted),
    ("share_of", "wrong", "gives the shares out from the end", share_from_behind),
    ("share_of", "wrong", "takes the length of a share for its end", share_length_as_end),
    ("share_of", "wrong", "from the beginning of the batch", share_cumulative),
    ("statistics_of_both", "right", "mean of squares minus square of mean", both_squares),
    ("statistics_of_both", "right", "half the distance squared, a list", both_between),
    ("statistics_of_both", "right", "NumPy, an array of two", both_numpy),
    ("statistics_of_both", "right", "float64 tensors, var of the means", both_tensor),
    ("statistics_of_both", "right", "four values with these statistics", both_four_values),
    ("statistics_of_both", "wrong", "mean of the variances", both_mean_of_variances),
    ("statistics_of_both", "wrong", "sum of the variances", both_sum_of_variances),
    ("statistics_of_both", "wrong", "does not subtract the square of the mean", both_forgets_mean_squared),
    ("statistics_of_both", "wrong", "variance before mean", both_swapped),
    ("statistics_of_both", "wrong", "returns the variance alone", both_variance_only),
    ("statistics_of_both", "wrong", "standard deviation instead of variance", both_deviation),
    ("statistics_of_both", "wrong", "the whole distance of the means squared", both_full_distance),
    ("statistics_of_both", "wrong", "subtracts the variance of the means", both_minus_between),
    ("statistics_of_both", "wrong", "sum instead of mean of the squares", both_squares_not_halved),
    ("statistics_of_both", "wrong", "subtracts the mean unsquared", both_mean_not_squared),
    ("statistics_of_both", "wrong", "halves only the second mean", both_precedence),
    ("statistics_of_both", "wrong", "squares the variances as if deviations", both_takes_deviations),
    ("statistics_of_both", "wrong", "variance of the two means divided by n - 1", both_bessel),
    ("statistics_of_both", "wrong", "returns the sum of the means", both_mean_summed),
    ("statistics_of_both", "wrong", "the variance of the means alone", both_variance_of_means_only),
    ("statistics_of_both", "wrong", "adds the mean squared instead of half the distance squared", both_plus_for_minus),
    ("train_only_the_head", "right", "requires_grad_ off, then on for the head", head_plain),
    ("train_only_the_head", "right", "a loop over names", head_by_name),
    ("train_only_the_head", "right", "by identity, counted with NumPy", head_by_identity),
    ("train_only_the_head", "right", "children and parameters_to_vector", head_children),
    ("train_only_the_head", "wrong", "switches the classifier off, too", head_freezes_all),
    ("train_only_the_head", "wrong", "switches off the classifier instead of the rest", head_freezes_the_head),
    ("train_only_the_head", "wrong", "sets an attribute on the module", head_attribute_on_module),
    ("train_only_the_head", "wrong", "counts and switches nothing off", head_changes_nothing),
    ("train_only_the_head", "wrong", "counts all parameters", head_counts_all),
    ("train_only_the_head", "wrong", "counts tensors, not weights", head_counts_tensors),
    ("train_only_the_head", "wrong", "leaves the bias out of the count", head_counts_no_bias),
    ("train_only_the_head", "wrong", "switches the classifier's bias off", head_bias_frozen),
    ("train_only_the_head", "wrong", "counts what is not trained", head_counts_frozen),
    ("train_only_the_head", "wrong", "returns nothing", head_no_return),
    ("train_only_the_head", "wrong", "returns the model", head_returns_model),
    ("train_only_the_head", "wrong", "counts before switching off", head_counts_before),
    ("train_only_the_head", "wrong", "eval mode instead of requires_grad", head_eval_only),
    ("train_only_the_head", "wrong", "works on a copy", head_in_a_copy),
    ("train_only_the_head", "wrong", "leaves biases and norms of the rest on", head_norms_left_on),
    ("train_only_the_head", "wrong", "torch.no_grad instead of requires_grad", head_no_grad_block),
    ("train_only_the_head", "wrong", "counts first axes only", head_first_axis),
]
