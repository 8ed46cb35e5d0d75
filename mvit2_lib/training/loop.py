"""The training loop: it can be interrupted at any moment, and run in several processes, without changing its result.

Nothing in it depends on the past but the weights and the optimizer: which pictures step 500 sees, how they are
distorted and mixed, and its learning rate are functions of the seed and of the number 500.
"""

import contextlib
import copy
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm.auto import tqdm

from .._guard import FileError, whole_number
from ..data.datasets import PictureFolder, Readable
from ..data.splits import check_apart
from ..data.transforms import mix
from .distributed import gathered, mean_over_processes, rank_and_size, synchronise
from .evaluation import accuracy
from .freezing import FrozenBatchNorm, frozen_parts, keep_counts
from .recipe import Recipe, learning_rate_at
from .state import History, State, only_writer

NORM_PICTURES = 512  # over which precise norms are measured


def train(
    model: nn.Module,
    training: Dataset,
    recipe: Recipe,
    validation: Dataset | None = None,
    run: str | os.PathLike | None = None,
    save_every: int = 500,
    workers: int = 0,
    bfloat16: bool = False,
    notes: Mapping[str, object] | None = None,
    progress: bool = True,
) -> History:
    """Train a classifier in place: AdamW, warm-up and cosine, and whatever else the recipe asks for.

    Section 4.1 of arXiv 2206.02680. Used in notebook 07.

    Parameters
    ----------
    model : nn.Module
        Takes `[B, C, H, W]` to logits, and has a `classifier` whose `out_features` is their number. What is frozen
        (`freeze`) stays as it is. In the end the model holds the last weights, or their moving average if the recipe
        has one, and is in evaluation mode.
    training : Dataset
        `training[i]` is a picture and its class. `Pictures` and those of a `PictureFolder` are augmented as the recipe
        says. With a balanced recipe it needs `labels`, the class of every picture.
    recipe : Recipe
        The settings.
    validation : Dataset or None
        Pictures on which the accuracy is measured after every epoch.
    run : path or None
        A folder for the state of the run (`state.pt`), for the weights that were best on the validation pictures
        (`best.safetensors`), the last ones (`last.safetensors`) and the history (`history.json`). If it holds the state
        of an interrupted run, that run goes on, and ends with the same weights, bit for bit.
    save_every : int
        Steps after which the state is saved; it is also saved after every epoch.
    workers : int
        Processes that read pictures.
    bfloat16 : bool
        Whether matrix products and convolutions are computed in this shorter format, for GPUs that are faster at it.
    notes : mapping of str to object or None
        What else the files with weights shall say, such as the names of the classes.
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    History
        Losses and accuracies since the beginning of the run.

    Raises
    ------
    ValueError
        If there is one class only, all is frozen, the recipe asks for what the data do not have, or the batch is larger
        than the data set or cannot be shared out over the processes.
    FloatingPointError
        If the loss is no longer finite.
    FileError
        If pictures cannot be read (all are tried before the first step), the pictures have more classes than the model
        or other ones than the validation pictures, a validation picture is also one of training, or `run` holds the
        state of another run.
    RetryError
        If the state cannot be written (the one before stays), or another process is training into the same folder.
    """
    rank, size = rank_and_size()
    whole_number("save_every", save_every)
    _check_sizes(model, training, validation, recipe)
    _check_validation(training, validation)
    name = getattr(training, "name", f"{type(training).__name__} of {len(training)}")
    about = {"data": name, "bfloat16": bfloat16, "notes": dict(notes or {}), "frozen": frozen_parts(model) or None}
    with contextlib.ExitStack() as held:
        if run and rank == 0:
            held.enter_context(only_writer(Path(run)))
        if size > 1:
            torch.distributed.barrier()
        # These only say that an argument gets another name, and how gradients of 1×1 convolutions lie in memory.
        held.enter_context(warnings.catch_warnings())
        for message in ("`broadcast_buffers` is deprecated", "Grad strides do not match bucket view strides"):
            warnings.filterwarnings("ignore", message)
        state = State(synchronise(model) if size > 1 else model, recipe, about, run and Path(run))
        progress = progress and rank == 0
        if state.step == 0:
            _check_pictures(training, workers, progress)
            _check_pictures(validation, workers, progress)
        _take_steps(state, training, validation, save_every, workers, progress)
        state.finish(_judged(state, training))
    return state.history


def _take_steps(
    state: State, training: Dataset, validation: Dataset | None, save_every: int, workers: int, progress: bool
) -> None:
    """Take all steps that are left."""
    model, recipe, device = state.model, state.recipe, next(state.model.parameters()).device
    classes, per_epoch = model.classifier.out_features, len(training) // recipe.batch_size
    steps = recipe.epochs * per_epoch
    parallel = DistributedDataParallel(model, broadcast_buffers=False) if rank_and_size()[1] > 1 else model
    plan = _Plan(len(training), recipe, state.step, steps)
    pinned = device.type == "cuda"
    loader = DataLoader(_Augmented(training, recipe), batch_sampler=plan, num_workers=workers, pin_memory=pinned)
    weights = _class_weights(training, classes).to(device) if recipe.balanced else None

    def close_epoch() -> None:
        epoch, measured = state.step // per_epoch, state.history.accuracies
        if validation is not None and len(measured) < epoch:
            judged = _judged(state, training)
            state.note_accuracy(epoch, accuracy(judged, validation, workers=workers), judged)
        elif measured and len(measured) < epoch:  # earlier epochs had a validation
            state.note_accuracy(epoch)

    with tqdm(total=steps, initial=state.step, desc="training", unit="step", disable=not progress) as bar:
        if state.step and state.step % per_epoch == 0:  # it was interrupted between the last step of an epoch and this
            close_epoch()
        for images, labels in () if state.has_lost_patience() else loader:
            # All chance in a step is a function of the seed and of the step's number: a run can go on anywhere.
            random = np.random.default_rng((recipe.seed, state.step, len(training)))

            # A target is a share for each class; MixUp and CutMix mix pictures and targets alike.
            images, labels = (tensor.to(device, non_blocking=True) for tensor in (images, labels))
            targets = F.one_hot(labels.long(), classes).to(images.dtype)  # [B, classes]
            images, targets = mix(images, targets, recipe.mixup, recipe.cutmix, random)

            # Warm-up, then the falling cosine.
            for group in state.optimizer.param_groups:
                group["lr"] = learning_rate_at(state.step, steps, recipe) * group["share"]

            # Forward, with smoothed targets, and backward; DistributedDataParallel averages gradients over processes.
            model.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=state.about["bfloat16"]):
                loss = _loss(parallel(images), targets, recipe.label_smoothing, weights)
            state.optimizer.zero_grad()
            loss.backward()

            # A gradient that is too long is shortened; a loss that is no number ends the run, before it is saved.
            if recipe.clip:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            shared = mean_over_processes(loss.detach()).item()
            if not math.isfinite(shared):
                raise FloatingPointError(
                    f"the loss is {shared} at step {state.step}: begin a new run, in another folder, with a lower "
                    "learning_rate or more warmup_steps"
                )

            # The step, and the moving average of the weights.
            state.optimizer.step()
            if state.average:
                state.average.update_parameters(model)
                keep_counts(state.average.module, model)
            state.step += 1
            state.history.losses.append(shared)
            bar.update()
            bar.set_postfix(loss=f"{shared:.3f}", refresh=False)

            # Save; and after an epoch, measure.
            if state.step % per_epoch == 0 or state.step % save_every == 0:
                state.save()
            if state.step % per_epoch == 0:
                close_epoch()
                if state.has_lost_patience():
                    break


def _loss(logits: Tensor, targets: Tensor, smoothing: float, weights: Tensor | None) -> Tensor:
    """Return the mean cross-entropy; each picture counts as much as its classes weigh."""
    if weights is None:
        return F.cross_entropy(logits, targets, label_smoothing=smoothing)
    losses = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")  # [B]
    return (losses * (targets @ weights.to(targets.dtype))).mean()


def _class_weights(training: Dataset, classes: int) -> Tensor:
    """Return a weight for each class, so that all that occur count the same, and a picture 1 on average."""
    counts = torch.bincount(torch.as_tensor(training.labels), minlength=classes)  # [classes]
    return torch.where(counts > 0, len(training) / ((counts > 0).sum() * counts.clamp(min=1)), 0.0)


def _judged(state: State, training: Dataset) -> nn.Module:
    """Return the model that is evaluated and kept; with precise norms it is another one than the one that learns."""
    model, recipe = state.best_guess(), state.recipe
    learning = (isinstance(m, nn.BatchNorm2d) and not isinstance(m, FrozenBatchNorm) for m in model.modules())
    if not recipe.precise_norms or not any(learning):
        return model
    # Each process takes its share of every batch, as in training; pictures are prepared as for evaluation.
    rank, size = rank_and_size()
    chosen = np.random.default_rng(recipe.seed).permutation(len(training))[:NORM_PICTURES]
    batch = min(recipe.batch_size, NORM_PICTURES)
    first, share = rank * batch // size, batch // size
    batches = [chosen[start + first :][:share] for start in range(0, len(chosen) - batch + 1, batch)]
    model = copy.deepcopy(model)
    update_bn(DataLoader(training, batch_sampler=batches), model, next(model.parameters()).device)
    return model


class _Plan:
    """Which pictures each step sees: lists of (index, seed) pairs, the share of this process only."""

    def __init__(self, pictures: int, recipe: Recipe, start: int, stop: int):
        self.pictures, self.recipe, self.start, self.stop = pictures, recipe, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[tuple[int, tuple[int, int, int]]]]:
        rank, size = rank_and_size()
        batch, seed, order, shuffled = self.recipe.batch_size, self.recipe.seed, None, None
        for step in range(self.start, self.stop):
            epoch, place = divmod(step, self.pictures // batch)
            if epoch != shuffled:
                order, shuffled = np.random.default_rng((seed, epoch)).permutation(self.pictures), epoch
            first, share = place * batch + rank * batch // size, batch // size
            yield [(int(i), (seed, epoch, int(i))) for i in order[first : first + share]]


class _Augmented(Dataset):
    """A data set as training sees it: for an (index, seed) pair, it shows what the seed makes of the picture."""

    def __init__(self, dataset: Dataset, recipe: Recipe):
        self.dataset, self.how = dataset, (recipe.augmentation, recipe.smallest_crop)

    def __getitem__(self, key: tuple[int, tuple[int, ...]]) -> tuple[Tensor, int]:
        index, seed = key
        changed = self.how[0] != "none" and getattr(self.dataset, "distorted", hasattr(self.dataset, "augmented"))
        try:
            return (
                self.dataset.augmented(index, np.random.default_rng(seed), *self.how)
                if changed
                else self.dataset[index]
            )
        except (FileError, OSError) as error:
            raise FileError(
                f"{error}: repair or replace this file. Without it, the data set would be another one"
            ) from error


def _check_sizes(model: nn.Module, training: Dataset, validation: Dataset | None, recipe: Recipe) -> None:
    """Raise unless there is something to learn, and batches can be made of it."""
    classes, others = (getattr(pictures, "classes", None) for pictures in (training, validation))
    if classes is not None and len(classes) > model.classifier.out_features:
        raise FileError(f"the model has {model.classifier.out_features} classes, and the pictures {len(classes)}")
    if classes is not None and others is not None and list(classes) != list(others):
        raise FileError(
            "the validation pictures have other classes than those of training, or in another order: "
            "validation = PictureFolder(FOLDER, training.classes)"
        )
    if model.classifier.out_features < 2:
        only = getattr(training, "classes", ["one"])[0]
        raise ValueError(f"there is one class only ({only!r}), and nothing to learn: expected FOLDER/CLASS/PICTURE")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("all of the model is frozen, and nothing could learn: freeze less of it")
    if recipe.patience and validation is None:
        raise ValueError("patience is for runs with validation pictures: without them no accuracy is measured")
    if recipe.balanced and not hasattr(training, "labels"):
        raise ValueError(f"a balanced run needs to know the class of every picture: {type(training).__name__}.labels")
    if recipe.batch_size > len(training):
        raise ValueError(f"batch_size {recipe.batch_size} is more than the {len(training)} pictures there are")
    processes = rank_and_size()[1]
    share = 2 * processes if recipe.mixup or recipe.cutmix else processes
    if recipe.batch_size % share:
        raise ValueError(
            f"batch_size {recipe.batch_size} cannot be shared out over {processes} processes"
            + (" in pairs" if share > processes else "")
            + f": choose a multiple of {share}"
        )


def _check_validation(training: Dataset, validation: Dataset | None) -> None:
    """Let the first process look whether folders are apart, and raise in all of them if they are not."""
    problems = []
    if isinstance(training, PictureFolder) and isinstance(validation, PictureFolder) and rank_and_size()[0] == 0:
        try:
            check_apart(training, validation)
        except FileError as error:
            problems.append(str(error))
    for problem in gathered(problems):
        raise FileError(problem)


def _check_pictures(dataset: Dataset | None, workers: int, progress: bool) -> None:
    """Read every picture of a folder once, the processes taking turns, and raise if some cannot be read."""
    if not isinstance(dataset, PictureFolder):
        return
    rank, size = rank_and_size()
    mine = Subset(Readable(dataset), range(rank, len(dataset), size))
    loader = DataLoader(mine, batch_size=None, num_workers=workers)
    answers = tqdm(loader, desc="reading", unit="picture", leave=False, disable=not progress)
    problems = gathered([answer for _, answer in answers if isinstance(answer, str)])
    if problems:
        count = f"{len(problems)} of {len(dataset)} pictures cannot be read, first " if len(problems) > 1 else ""
        raise FileError(f"{count}{problems[0]}: repair or replace what cannot be read, before training begins")
