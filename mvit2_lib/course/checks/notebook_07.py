"""The checks of the exercises of notebook 07."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...model import MobileViTv2
from ...training.recipe import Recipe, learning_rate_at
from .exercise import Exercise
from .values import Remark, copied, plain, random


def _pupil() -> nn.Module:
    """Return a small classifier with a batch norm, which behaves in one way in training and in another without."""
    return nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


def _adamw(parameters):
    return torch.optim.AdamW(parameters, lr=0.02, weight_decay=0.1, eps=0.05)  # no rounding is enlarged


def _momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def _several_steps(function: Callable) -> Callable:
    """Return the losses of several steps, and the weights after them."""

    def called(make_optimizer: Callable, steps: int):
        model = _pupil()
        optimizer = make_optimizer(model.parameters())
        for parameter in model.parameters():  # the gradients of an earlier step may still be there
            parameter.grad = 0.3 * random(*parameter.shape)
        ready, computed = [], []  # for each step: whether there were gradients, and whether any were computed
        optimizer.register_step_pre_hook(
            lambda _, args, kwargs: ready.append(
                len(args) > 1
                or kwargs.get("closure") is not None
                or any(p.grad is not None and bool(p.grad.any()) for p in model.parameters())
            )
        )
        for parameter in model.parameters():
            parameter.register_hook(lambda gradient: computed.append(True))
        losses = []
        for step in range(steps):
            images, labels = random(6, 1, 6, step + 6)[..., :6], torch.arange(6).add(step).mul(3) % 5
            before, trained = _weights_of(model), [p.requires_grad for p in model.parameters()]
            ready.clear(), computed.clear()
            try:
                loss = function(model, optimizer, copied(images), copied(labels))
            except RuntimeError as error:
                if "does not require grad" in str(error) or "does not have a grad_fn" in str(error):
                    raise Remark(
                        "the loss knows no way back to the weights: is it computed under no_grad, or detached or "
                        "turned into a number before backward()?"
                    ) from error
                if "modified by an inplace operation" in str(error):
                    raise Remark("the weights move between the loss and backward(): step comes too early") from error
                raise
            if loss is None or loss is ...:
                return loss
            loss = plain(loss)
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                raise Remark("return the loss of the step, a single number")
            losses.append(loss.reshape(()))
            if not ready:
                moved = not torch.equal(before, _weights_of(model))
                raise Remark(
                    "optimizer.step() is never called" + ("; the weights moved without it" if moved else " yet")
                )
            if not computed and all(trained):
                raise Remark("no gradient is computed: loss.backward() is missing")
            if not all(ready):
                late = any(p.grad is not None and bool(p.grad.any()) for p in model.parameters())
                order = "step comes before backward" if late else "they are cleared between backward and step"
                raise Remark(f"there are no gradients when the optimizer steps: {order}")
            if not model.training:
                raise Remark("the model is left in evaluation mode: a step of training needs model.train()")
        return torch.stack(losses), _weights_of(model)

    return called


def _weights_of(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def _step(model, optimizer, images, labels, order="zero loss backward step", loss_of=F.cross_entropy, again=False):
    """Do the four parts of a step in the order that is given; a part may be missing."""
    loss = None
    for part in order.split():
        if part == "zero":
            optimizer.zero_grad()
        elif part == "loss":
            loss = loss_of(model(images), labels)
        elif part == "backward":
            loss.backward()
        else:
            optimizer.step()
    return loss_of(model(images), labels) if again else loss


def _evaluating(model, optimizer, images, labels):
    model.eval()
    loss = _step(model, optimizer, images, labels)
    model.train()
    return loss


def _frozen_body(model, optimizer, images, labels):
    model[:-1].requires_grad_(False)
    return _step(model, optimizer, images, labels)


def _clipped(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss


def _onto_one_hot(scores, labels):
    return F.mse_loss(scores, F.one_hot(labels, scores.shape[1]).float())


def _share_right(model, optimizer, images, labels):
    _step(model, optimizer, images, labels)
    return (model(images).argmax(1) == labels).float().mean()


def _share_before(model, optimizer, images, labels):
    shares = []

    def loss_of(scores, labels):
        shares.append((scores.argmax(1) == labels).float().mean())
        return F.cross_entropy(scores, labels)

    _step(model, optimizer, images, labels, loss_of=loss_of)
    return shares[0]


def _doubled(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward(retain_graph=True)
    loss.backward()
    optimizer.step()
    return loss


def _picture_by_picture(model, optimizer, images, labels, put):
    first = F.cross_entropy(model(images), labels).detach() if put is None else None
    losses = [_step(model, optimizer, images[i : i + 1], labels[i : i + 1]).detach() for i in range(len(labels))]
    return first if put is None else put(torch.stack(losses))


training_step = Exercise(
    "7.1 one step of training",
    lambda model, optimizer, images, labels: _step(model, optimizer, images, labels),
    {"SGD with momentum": (_momentum, 4), "AdamW": (_adamw, 4), "a single step": (_momentum, 1)},
    {
        "zero_grad is missing: the gradients of all steps add up": lambda *a: _step(*a, order="loss backward step"),
        "zero_grad comes after the step, so what an earlier step has left still counts: clear before backward": (
            lambda *a: _step(*a, order="loss backward step zero")
        ),
        "backward is done twice, so the gradient is doubled": lambda m, o, x, y: _doubled(m, o, x, y),
        "the step climbs: the gradient is that of minus the loss": lambda m, o, x, y: (
            -_step(m, o, x, y, loss_of=lambda s, t: -F.cross_entropy(s, t))
        ),
        "the accuracy from before the step is returned; return the loss": lambda m, o, x, y: _share_before(m, o, x, y),
        "the optimizer steps once for each picture; the batch is one step": lambda m, o, x, y: _picture_by_picture(
            m, o, x, y, torch.mean
        ),
        "the optimizer steps once for each picture, and the last loss is returned": lambda m, o, x, y: (
            _picture_by_picture(m, o, x, y, lambda losses: losses[-1])
        ),
        "the optimizer steps once for each picture, and the losses are summed": lambda m, o, x, y: _picture_by_picture(
            m, o, x, y, torch.sum
        ),
        "the optimizer steps once for each picture, and the loss of the batch from before is returned": (
            lambda m, o, x, y: _picture_by_picture(m, o, x, y, None)
        ),
        "the optimizer steps twice": lambda *a: _step(*a, order="zero loss backward step step"),
        "two whole steps are done, and the loss of the second is returned": lambda *a: _step(
            *a, order="zero loss backward step zero loss backward step"
        ),
        "that is the loss after the step; return the one before it": lambda *a: _step(*a, again=True),
        "a softmax comes before cross_entropy, which takes its own": lambda *a: _step(
            *a, loss_of=lambda s, y: F.cross_entropy(s.softmax(-1), y)
        ),
        "a softmax comes before nll_loss; it wants logarithms": lambda *a: _step(
            *a, loss_of=lambda s, y: F.nll_loss(s.softmax(-1), y)
        ),
        "nll_loss wants logarithms of probabilities; use cross_entropy": lambda *a: _step(*a, loss_of=F.nll_loss),
        "the loss is summed over the pictures; take the mean": lambda *a: _step(
            *a, loss_of=lambda s, y: F.cross_entropy(s, y, reduction="sum")
        ),
        "the loss is the squared difference; use cross_entropy": lambda *a: _step(*a, loss_of=_onto_one_hot),
        "the sign of the loss is turned: the step climbs": lambda *a: _step(
            *a, loss_of=lambda s, y: -F.cross_entropy(s, y)
        ),
        "labels are smoothed here; plain cross_entropy is wanted": lambda *a: _step(
            *a, loss_of=lambda s, y: F.cross_entropy(s, y, label_smoothing=0.1)
        ),
        "eval() is called: in training the batch norm must use the batch": _evaluating,
        "all but the last layer are frozen": _frozen_body,
        "the gradient is clipped; that is not asked": _clipped,
        "the loss is divided by the number of pictures, though it is a mean already": lambda *a: _step(
            *a, loss_of=lambda s, y: F.cross_entropy(s, y) / len(y)
        ),
        "the accuracy is returned; return the loss": _share_right,
    },
    effect=_several_steps,
)


def _rate(step: int, steps: int, warmup: int, highest: float) -> float:
    recipe = Recipe(learning_rate=highest, last_learning_rate=0, warmup_steps=warmup)
    return learning_rate_at(step, steps, recipe)


def _wave(step, steps, warmup, highest, up=lambda s, w: (s + 1) / (w + 1), begin=None, last=1, wave=math.cos) -> float:
    if step < warmup:
        return highest * up(step, warmup)
    t = (step - (warmup if begin is None else begin)) / (steps - last - (warmup if begin is None else begin))
    return highest * (1 + wave(math.pi * t)) / 2


learning_rate = Exercise(
    "7.2 the schedule",
    _rate,
    ((0, 100, 9, 0.5), (8, 100, 9, 0.5), (9, 100, 9, 0.5), (40, 100, 9, 0.5), (98, 100, 9, 0.5), (3, 12, 1, 2.0))
    + ((99, 100, 9, 0.5), (0, 50, 0, 0.25), (30, 50, 0, 0.25)),
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
        "`//` cuts the share of the way to a whole number, so the rate stays at its highest until the end": (
            lambda s, n, w, h: _wave(s, n, w, h) if s < w or s == n - 1 else h
        ),
        "these are the rates of all steps; return that of one": lambda s, n, w, h: [
            _wave(step, n, w, h) for step in range(n)
        ],
        "the warm-up grows with the square of the step": lambda *a: _wave(*a, up=lambda s, w: ((s + 1) / (w + 1)) ** 2),
        "the wave is squared": lambda s, n, w, h: _wave(s, n, w, h) if s < w else _wave(s, n, w, h) ** 2 / h,
        "it falls along a straight line; half a cosine wave is wanted": lambda *a: _wave(
            *a, wave=lambda angle: 1 - 2 * angle / math.pi
        ),
        "that is a share; multiply by the highest learning rate": lambda s, n, w, h: _wave(s, n, w, 1.0),
        "the cosine begins as a sine: at the top it must be highest": lambda *a: _wave(*a, wave=math.sin),
        "a whole cosine wave is run through; half of one is wanted": lambda *a: _wave(
            *a, wave=lambda angle: math.cos(2 * angle)
        ),
        "only a quarter of a wave is run through, from 1 to 0": lambda *a: _wave(
            *a, wave=lambda angle: 2 * math.cos(angle / 2) - 1
        ),
        "the wave is not halved: (1 + cos) / 2": lambda s, n, w, h: _wave(s, n, w, h) * (1 if s < w else 2),
        "the wave has no 1 in front: it must fall from 1 to 0, not from 1 to −1": lambda s, n, w, h: (
            _wave(s, n, w, h) if s < w else 2 * _wave(s, n, w, h) - h
        ),
        "the wave rises: 1 + cos, not 1 − cos": lambda *a: _wave(*a, wave=lambda angle: -math.cos(angle)),
        "π is missing in the cosine": lambda *a: _wave(*a, wave=lambda angle: math.cos(angle / math.pi)),
        "the angle is in degrees; the cosine takes radians": lambda *a: _wave(
            *a, wave=lambda angle: math.cos(180 / math.pi * angle)
        ),
        "the wave begins one step too early, at the last of the warm-up": lambda s, n, w, h: _wave(
            s, n, w, h, begin=w - 1
        ),
        "the wave is divided by steps; the way down has steps − 1 − warmup": lambda s, n, w, h: (
            _wave(s, n, w, h) if s < w else h * (1 + math.cos(math.pi * (s - w) / n)) / 2
        ),
        "the wave is divided by steps − 1; the way down has steps − 1 − warmup": lambda s, n, w, h: (
            _wave(s, n, w, h) if s < w else h * (1 + math.cos(math.pi * (s - w) / (n - 1))) / 2
        ),
        "the wave counts the steps from 0, not from warmup": lambda s, n, w, h: (
            _wave(s, n, w, h) if s < w else h * (1 + math.cos(math.pi * s / (n - 1 - w))) / 2
        ),
        "after the warm-up the rate stays at its highest": lambda s, n, w, h: h if s >= w else _wave(s, n, w, h),
        "the warm-up stays at its highest from the beginning": lambda s, n, w, h: h if s < w else _wave(s, n, w, h),
        "the warm-up does not depend on the step": lambda s, n, w, h: _wave(s, n, w, h) if s >= w else h / (w + 1),
        "the warm-up is one step longer than it should be: step warmup is the top of the wave": lambda s, n, w, h: (
            h * (s + 1) / (w + 1) if s <= w else _wave(s, n, w, h, begin=w + 1)
        ),
        "the warm-up is multiplied with the wave; one follows the other": lambda s, n, w, h: (
            min(1, (s + 1) / (w + 1)) * _wave(s, n, 0, h)
        ),
        "the rate in the warm-up is not multiplied by the highest": lambda s, n, w, h: (
            _wave(s, n, w, h) if s >= w else (s + 1) / (w + 1)
        ),
        "the wave ends at a hundredth of the highest; it must end at 0": lambda s, n, w, h: (
            _wave(s, n, w, h) if s < w else 0.01 * h + 0.99 * _wave(s, n, w, h)
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
    ((2, 5, 0.1), (0, 4, 0.2), (6, 7, 0.35)),
    {
        "it is spread over the other classes only; the right one gets its part, too": lambda i, n, s: _onto(
            i, n, 1 - s, s / (n - 1)
        ),
        "the right class has only 1 - smoothing; it gets its part of the rest, too": lambda i, n, s: _onto(
            i, n, 1 - s, s / n
        ),
        "each class gets the whole smoothing; it is to be spread over them": lambda i, n, s: _onto(i, n, 1.0, s),
        "nothing is smoothed": lambda i, n, s: _onto(i, n, 1.0, 0.0),
        "the right class keeps its whole share; take the smoothing from it first": lambda i, n, s: _onto(
            i, n, 1 + s / n, s / n
        ),
        "the classes are counted from 1 here; they are from 0": lambda i, n, s: _smooth(i - 1, n, s),
        "right and others are exchanged": lambda i, n, s: _onto(i, n, s / n, 1 - s + s / n),
        "the right class keeps 1; 1 − smoothing and its part are left for it": lambda i, n, s: _onto(i, n, 1.0, s / n),
        "the others get nothing; they have a share of the smoothing": lambda i, n, s: _onto(i, n, 1 - s, 0.0),
        "the others get nothing; the smoothing is spread over them, too": lambda i, n, s: _onto(
            i, n, 1 - s + s / n, 0.0
        ),
        "each class gets the whole smoothing, and the right one 1 − smoothing": lambda i, n, s: _onto(i, n, 1 - s, s),
        "the right class gets all but smoothing / classes; the others add up to more than that": lambda i, n, s: _onto(
            i, n, 1 - s / n, s / n
        ),
        "smoothing and 1 − smoothing are exchanged": lambda i, n, s: _onto(i, n, s + (1 - s) / n, (1 - s) / n),
        "the target is uniform: nothing is left for the right class": lambda i, n, s: [1 / n] * n,
        "the smoothing is spread, but the rest is missing for the right class": lambda i, n, s: [s / n] * n,
        "the others share the smoothing among n − 1 and the right class gets its part on top": lambda i, n, s: _onto(
            i, n, 1 - s + s / n, s / (n - 1)
        ),
        "the others have the smoothing's share of one of n − 1, the right one all but it": lambda i, n, s: _onto(
            i, n, 1 - s / (n - 1), s / (n - 1)
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
    ((list(range(10, 22)), 1, 3), ([7, 5, 3, 1], 0, 2), ([9, 8, 4, 6, 2, 0], 2, 3), ([6, 1, 8], 0, 1)),
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
        "ranks begin at 0; this is the share of the process after": lambda b, r, n: b[
            (r + 1) * (len(b) // n) : (r + 2) * (len(b) // n)
        ],
        "the share begins at rank itself; it begins at rank · share": lambda b, r, n: b[r : r + len(b) // n],
        "every process gets the last share": lambda b, r, n: b[-(len(b) // n) :],
        "the shares are counted from the end": lambda b, r, n: b[(n - 1 - r) * (len(b) // n) : (n - r) * (len(b) // n)],
        "the share is sorted; keep the order of the batch": lambda b, r, n: sorted(_share(b, r, n)),
        "the range ends at the length of a share, not behind its beginning: batch[begin : begin + length]": (
            lambda b, r, n: b[r * (len(b) // n) : len(b) // n]
        ),
        "the share is in reverse order": lambda b, r, n: _share(b, r, n)[::-1],
        "the last index of the share is missing: a slice ends before its end": lambda b, r, n: _share(b, r, n)[:-1],
        "one index too many is in the share: a slice ends before its end": lambda b, r, n: b[
            r * (len(b) // n) : (r + 1) * (len(b) // n) + 1
        ],
        "these are places in the batch; return the indices that stand there": lambda b, r, n: list(
            range(r * (len(b) // n), (r + 1) * (len(b) // n))
        ),
        "the share is everything up to its end; it begins at rank · share": lambda b, r, n: b[
            : (r + 1) * (len(b) // n)
        ],
        "that is every share; return the one of rank": lambda b, r, n: [_share(b, q, n) for q in range(n)],
        "that is the first index of the share alone": lambda b, r, n: _share(b, r, n)[:1],
        "the batch is sorted first; keep its order": lambda b, r, n: _share(sorted(b), r, n),
        "that is all but the share of this process": lambda b, r, n: (
            b[: r * (len(b) // n)] + b[(r + 1) * (len(b) // n) :]
        ),
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
        "the difference of the means is squared before it is halved; halve it first": lambda a, v, b, w: (
            (a + b) / 2,
            (v + w) / 2 + (a - b) ** 2 / 2,
        ),
        "means and variances are summed; the halves have to be averaged": lambda a, v, b, w: (a + b, v + w),
        "the squares of the means are missing: the mean of the squares is variance plus mean squared": (
            lambda a, v, b, w: ((a + b) / 2, (v + w) / 2 - ((a + b) / 2) ** 2)
        ),
        "that is the variance of the two means alone": lambda a, v, b, w: ((a + b) / 2, ((a - b) / 2) ** 2),
        "deviations are averaged, not variances": lambda a, v, b, w: ((a + b) / 2, ((v**0.5 + w**0.5) / 2) ** 2),
        "that is the standard deviation; return the variance": lambda a, v, b, w: (
            (a + b) / 2,
            _together(a, v, b, w)[1] ** 0.5,
        ),
        "the difference of the means is missing its square": lambda a, v, b, w: (
            (a + b) / 2,
            (v + w) / 2 + abs(a - b) / 2,
        ),
        "the difference of the means is not halved before it is squared": lambda a, v, b, w: (
            (a + b) / 2,
            (v + w) / 2 + (a - b) ** 2,
        ),
        "the means' part is subtracted; it must be added": lambda a, v, b, w: (
            (a + b) / 2,
            (v + w) / 2 - ((a - b) / 2) ** 2,
        ),
        "the variances are added, not averaged": lambda a, v, b, w: ((a + b) / 2, v + w + ((a - b) / 2) ** 2),
        "the variances are squared: the mean of the squares is variance plus mean squared": lambda a, v, b, w: (
            (a + b) / 2,
            (v**2 + a**2 + w**2 + b**2) / 2 - ((a + b) / 2) ** 2,
        ),
        "the mean is not squared before it is subtracted": lambda a, v, b, w: (
            (a + b) / 2,
            (v + a**2 + w + b**2) / 2 - (a + b) / 2,
        ),
        "the squares are not halved: average them over both halves": lambda a, v, b, w: (
            (a + b) / 2,
            v + a**2 + w + b**2 - ((a + b) / 2) ** 2,
        ),
        "the means are not squared: the mean of the squares is variance plus mean squared": lambda a, v, b, w: (
            (a + b) / 2,
            (v + a + w + b) / 2 - ((a + b) / 2) ** 2,
        ),
        "that is the first half alone": lambda a, v, b, w: (a, v),
        "that is the second half alone": lambda a, v, b, w: (b, w),
        "the variance is the sum of both; their mean is wanted, and what the means add": lambda a, v, b, w: (
            (a + b) / 2,
            v + w,
        ),
        "a quarter of the variances' sum is the variance of a mean of two numbers": lambda a, v, b, w: (
            (a + b) / 2,
            (v + w) / 4,
        ),
        "that is the variance of the first half alone": lambda a, v, b, w: ((a + b) / 2, v),
        "the larger of the two variances is taken": lambda a, v, b, w: ((a + b) / 2, max(v, w)),
        "the variance is right, but the mean is not halved": lambda a, v, b, w: (a + b, _together(a, v, b, w)[1]),
        "the variances are divided by four; their mean is wanted": lambda a, v, b, w: (
            (a + b) / 2,
            (v + w) / 4 + ((a - b) / 2) ** 2,
        ),
        "the means are weighed with the variances": lambda a, v, b, w: (
            (a * v + b * w) / (v + w) if v + w else a,
            _together(a, v, b, w)[1],
        ),
        "variance and mean are exchanged": lambda a, v, b, w: _together(a, v, b, w)[::-1],
        "that is the variance alone; return the mean, too": lambda a, v, b, w: _together(a, v, b, w)[1],
    },
)


def _on_a_fresh_model(function: Callable) -> Callable:
    """Return a function that calls the given one on a new model and says what it left to be trained."""

    def called(width: float, classes: int):
        model = MobileViTv2(width, num_classes=classes)
        classifier = model.classifier
        number = function(model)
        if number is None or number is ...:
            return number
        if model.classifier is not classifier:
            raise Remark("the classifier was replaced by a new one: train the one that is there")
        frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        trained = {name for name, _ in model.named_parameters()} - frozen
        head = {"classifier.weight", "classifier.bias"}
        if trained == head:
            return number
        if not frozen or not trained:
            raise Remark(f"{'nothing' if trained else 'everything'} is switched off" + _likely(number, model, function))
        if head <= trained:
            raise Remark(f"{sorted(trained - head)[0]} would be trained as well: switch off all but the classifier")
        if trained <= head:
            raise Remark(f"{sorted(head - trained)[0]} would not be trained: the classifier has weights and biases")
        raise Remark(f"{sorted(head - trained)[0]} would not be trained, but {sorted(trained - head)[0]} would")

    return called


def _likely(number, model: nn.Module, function: Callable) -> str:
    """Say what somebody may have taken for a switch, where it can be seen."""
    if any("requires_grad" in vars(part) for part in model.modules()):
        return ": a module has no `requires_grad`; its method requires_grad_ sets that of all its parameters"
    if not model.training:
        return ": eval() changes what norms and dropout do, and no gradients"
    names = _names_in(getattr(function, "__code__", None))
    for name, what in {
        "deepcopy": "a copy of the model is changed, not the model",
        "detach": "`detach` returns another tensor, and leaves the parameter as it is",
        "no_grad": "`no_grad` holds only inside its block",
        "grad": "`.grad` is the gradient itself, not the switch",
    }.items():
        if name in names:
            return f": {what}{_counted(number, model)}"
    return _counted(number, model)


def _names_in(code) -> set[str]:
    if code is None:
        return set()
    inner = [_names_in(part) for part in code.co_consts if hasattr(part, "co_names")]
    return {*code.co_names}.union(*inner)


def _counted(number, model: nn.Module) -> str:
    """Say whether at least the number is right."""
    right = sum(parameter.numel() for parameter in model.classifier.parameters())
    number = plain(number)
    if isinstance(number, Tensor) and number.numel() == 1 and number.item() == right:
        return ", though the number is right"
    return ""


def _freeze(model: nn.Module, weights: Callable | None = None) -> int:
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return weights(model) if weights else sum(parameter.numel() for parameter in trained)


train_only_the_head = Exercise(
    "7.6 train the head alone",
    lambda model: _freeze(model),
    {"a model of α = 0.25": (0.25, 10), "a model of α = 0.5": (0.5, 3)},
    {
        "the biases of the classifier are weights, too": lambda m: _freeze(m, lambda m: m.classifier.weight.numel()),
        "that counts all parameters, also those that are switched off": lambda m: _freeze(
            m, lambda m: sum(p.numel() for p in m.parameters())
        ),
        "that counts those that are switched off; count the others": lambda m: _freeze(
            m, lambda m: sum(p.numel() for p in m.parameters() if not p.requires_grad)
        ),
        "that counts tensors, not the weights in them": lambda m: _freeze(
            m, lambda m: sum(p.requires_grad for p in m.parameters())
        ),
        "that counts all tensors; count the weights in those that are trained": lambda m: _freeze(
            m, lambda m: len(list(m.parameters()))
        ),
        "that is the number of classes; count weights and biases": lambda m: _freeze(
            m, lambda m: m.classifier.out_features
        ),
        "that is the number of channels; count weights and biases": lambda m: _freeze(
            m, lambda m: m.classifier.in_features
        ),
        "that counts the rows of the tensors, not the weights in them": lambda m: _freeze(
            m, lambda m: sum(len(p) for p in m.parameters() if p.requires_grad)
        ),
        "the weights of the classifier are counted twice": lambda m: _freeze(
            m, lambda m: 2 * sum(p.numel() for p in m.classifier.parameters())
        ),
        "one bias for each channel is counted; there is one for each class": lambda m: _freeze(
            m, lambda m: m.classifier.weight.numel() + m.classifier.in_features
        ),
    },
    effect=_on_a_fresh_model,
)
