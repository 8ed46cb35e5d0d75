"""The training loop: it can be interrupted at any moment, and run in several processes, without changing its result.

Nothing in it depends on the past but the weights and the optimizer: which pictures step 500 sees, how they are
distorted and mixed, and its learning rate are functions of the seed and of the number 500. `python -m
mvit2_lib.training` trains the digit model again that is shipped with this library.
"""

import contextlib
import dataclasses
import io
import math
import os
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from .checkpoints import DIGITS, save_checkpoint
from .data import Pictures, load_digits
from .evaluation import accuracy, as_is
from .files import only_writer, replace_file
from .layouts import CheckpointError
from .model import MobileViTv2
from .parallel import mean_over_processes, rank_and_size, synchronise
from .recipe import Recipe, RecipeError, learning_rate_at, make_optimizer, mix


class TrainingError(RuntimeError):
    """A training run cannot go on."""


@dataclass
class History:
    """What happened in a training run.

    Attributes
    ----------
    losses : list of float
        The loss of every step, over all processes together.
    accuracies : list of float
        The accuracy on the validation pictures after every epoch.
    """

    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)


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

    Parameters
    ----------
    model : nn.Module
        Takes `[B, C, H, W]` to logits, and has a `classifier` whose `out_features` is their number. In the end it
        holds the last weights, or their moving average if the recipe has one, and is in evaluation mode.
    training : Pictures or PictureFolder
        The pictures to learn from.
    recipe : Recipe
        The settings.
    validation : Pictures or PictureFolder or None
        Pictures on which the accuracy is measured after every epoch.
    run : path or None
        A folder for the state of the run (`state.pt`), for the weights that were best on the validation pictures
        (`best.safetensors`) and for the last ones (`last.safetensors`). If it holds the state of an interrupted run,
        that run goes on, and ends with the same weights, bit for bit, as if nothing had happened.
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
    RecipeError
        If the batch is larger than the data set, or cannot be shared out over the processes.
    TrainingError
        If the loss is no longer finite.
    CheckpointError
        If `run` holds the state of another run, or a damaged one.
    SaveError
        If the state cannot be written (the one before stays, and the run can go on from there), or if another process
        is training into the same folder.
    DataError
        If a picture cannot be read.

    Notes
    -----
    Section 4.1 of arXiv 2206.02680. Built in notebook 07.
    """
    rank, size = rank_and_size()
    _check_batches(recipe, len(training), size)
    if save_every < 1:
        raise RecipeError(f"save_every must be 1 or more, not {save_every}")
    about = {
        "data": training.name,
        "validation": validation and validation.name,
        "bfloat16": bfloat16,
        "notes": dict(notes or {}),
    }
    with contextlib.ExitStack() as held:
        if run and rank == 0:
            held.enter_context(only_writer(Path(run)))
        if size > 1:
            torch.distributed.barrier()
        # These only say that an argument gets another name, and how gradients of 1×1 convolutions lie in memory.
        held.enter_context(warnings.catch_warnings())
        for message in ("`broadcast_buffers` is deprecated", "Grad strides do not match bucket view strides"):
            warnings.filterwarnings("ignore", message)
        state = _State(synchronise(model) if size > 1 else model, recipe, about, run and Path(run))
        _run(state, training, validation, save_every, workers, progress and rank == 0)
    return state.history


def _run(state: "_State", training: Dataset, validation: Dataset | None, save_every: int, workers: int, progress: bool):
    """Take all steps that are left."""
    model, recipe, device = state.model, state.recipe, next(state.model.parameters()).device
    per_epoch = len(training) // recipe.batch_size
    steps = recipe.epochs * per_epoch
    parallel = DistributedDataParallel(model, broadcast_buffers=False) if rank_and_size()[1] > 1 else model
    plan = _Plan(len(training), recipe, state.step, steps)
    pinned = device.type == "cuda"
    loader = DataLoader(training, batch_sampler=plan, num_workers=workers, collate_fn=as_is, pin_memory=pinned)

    with tqdm(total=steps, initial=state.step, desc="training", unit="step", disable=not progress) as bar:
        if state.step and state.step % per_epoch == 0:  # it was interrupted between the last step of an epoch and this
            state.close_epoch(state.step // per_epoch, validation, workers)
        for images, labels in loader:
            random = np.random.default_rng((recipe.seed, state.step, len(training)))
            images, labels = (tensor.to(device, non_blocking=True) for tensor in (images, labels))
            images, targets = mix(images, labels, model.classifier.out_features, recipe, random)
            for group in state.optimizer.param_groups:
                group["lr"] = learning_rate_at(state.step, steps, recipe)
            model.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=state.about["bfloat16"]):
                loss = F.cross_entropy(parallel(images), targets, label_smoothing=recipe.label_smoothing)
            state.optimizer.zero_grad()
            loss.backward()
            if recipe.clip:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            shared = mean_over_processes(loss.detach()).item()
            if not math.isfinite(shared):
                raise TrainingError(
                    f"the loss is {shared} at step {state.step}: begin a new run, in another folder, with a lower "
                    "learning_rate or more warmup_steps"
                )
            state.optimizer.step()
            if state.average:
                state.average.update_parameters(model)
            state.step += 1
            state.history.losses.append(shared)
            bar.update()
            bar.set_postfix(loss=f"{shared:.3f}", refresh=False)
            if state.step % per_epoch == 0 or state.step % save_every == 0:
                state.save()
            if state.step % per_epoch == 0:
                state.close_epoch(state.step // per_epoch, validation, workers)
    state.finish()


class _State:
    """All that a run needs in order to go on: weights, their average, the optimizer, the number of the step."""

    def __init__(self, model: nn.Module, recipe: Recipe, about: dict, run: Path | None):
        self.model, self.recipe, self.about, self.run = model, recipe, about, run
        self.optimizer = make_optimizer(model, recipe)
        averaging = get_ema_multi_avg_fn(recipe.average)
        self.average = AveragedModel(model, multi_avg_fn=averaging, use_buffers=True) if recipe.average else None
        self.step, self.history = 0, History()
        if run and (run / "state.pt").exists():
            self._load(run / "state.pt")

    def best_guess(self) -> nn.Module:
        """Return the model that is evaluated and kept."""
        return self.average.module if self.average and self.step else self.model

    def notes(self) -> dict[str, object]:
        """Return what is written into the files with weights."""
        accuracies = self.history.accuracies
        last = {"accuracy": accuracies[-1], "epoch": len(accuracies)} if accuracies else {}
        return {"recipe": dataclasses.asdict(self.recipe), "data": self.about["data"], **self.about["notes"], **last}

    def close_epoch(self, epoch: int, validation: Dataset | None, workers: int) -> None:
        """Measure the accuracy, unless that was done before an interruption, and keep the best weights so far."""
        accuracies = self.history.accuracies
        if validation is None or len(accuracies) == epoch:
            return
        accuracies.append(accuracy(self.best_guess(), validation, workers=workers))
        # First the weights, then the state that says they were the best: killed between the two, a run repeats both.
        if accuracies[-1] > max(accuracies[:-1], default=-1):
            self._keep(self.best_guess(), "best")
        self.save()

    def _keep(self, model: nn.Module, name: str) -> None:
        if self.run and rank_and_size()[0] == 0:
            save_checkpoint(model, self.run / f"{name}.safetensors", notes=self.notes())

    def save(self) -> None:
        """Write the state of the run, whole or not at all."""
        if not self.run or rank_and_size()[0] > 0:
            return
        content = io.BytesIO()
        torch.save(
            {
                "recipe": dataclasses.asdict(self.recipe),
                "about": self.about,
                "step": self.step,
                "losses": torch.tensor(self.history.losses, dtype=torch.float64),
                "accuracies": self.history.accuracies,
                "model": self.model.state_dict(),
                "average": self.average.state_dict() if self.average else None,
                "optimizer": self.optimizer.state_dict(),
            },
            content,
        )
        replace_file(self.run / "state.pt", content.getvalue())

    def finish(self) -> None:
        """Leave the model as it is to be used."""
        if self.average and self.step:
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()
        self._keep(self.model, "last")

    def _load(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()  # compares a checksum of every part; torch.load does not
            if damaged:
                raise ValueError(f"{damaged} has changed")
            stored = torch.load(path, map_location="cpu", weights_only=True)
            recipe, about, model, average = (stored[key] for key in ("recipe", "about", "model", "average"))
            step, losses, accuracies = stored["step"], stored["losses"].tolist(), list(stored["accuracies"])
            recipe, optimizer = Recipe(**recipe), stored["optimizer"]
        except (
            *(zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError, AttributeError),
            *(KeyError, TypeError, ValueError, NotImplementedError),
        ) as error:
            raise CheckpointError(
                f"{path} is damaged or not the state of a run ({type(error).__name__}: {error})"
            ) from error
        differs = [
            f"{key} {self.about[key]!r} and {about.get(key)!r}"
            for key in self.about
            if self.about[key] != about.get(key)
        ]
        if recipe != self.recipe or differs:
            what = self.recipe.differences(recipe) or ", ".join(differs)
            raise CheckpointError(
                f"{path} belongs to another run; now and then: {what}. Give the same settings to go on "
                "with that run, or another folder to begin a new one"
            )
        own = self.model.state_dict()
        if {name: t.shape for name, t in own.items()} != {name: t.shape for name, t in model.items()}:
            name = next((n for n in own if n not in model or model[n].shape != own[n].shape), "another tensor")
            there = tuple(model[name].shape) if name in model else "missing"
            raise CheckpointError(
                f"{path} holds another model, perhaps for another number of classes: {name} is {there} there and "
                f"{tuple(own[name].shape) if name in own else 'missing'} here"
            )
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        if self.average:
            self.average.load_state_dict(average)
        self.step, self.history = step, History(losses, accuracies)


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


def _check_batches(recipe: Recipe, pictures: int, processes: int) -> None:
    if recipe.batch_size > pictures:
        raise RecipeError(f"batch_size {recipe.batch_size} is more than the {pictures} pictures there are")
    share = 2 * processes if recipe.mixup or recipe.cutmix else processes
    if recipe.batch_size % share:
        raise RecipeError(
            f"batch_size {recipe.batch_size} cannot be shared out over {processes} processes"
            + (" in pairs" if share > processes else "")
            + f": choose a multiple of {share}"
        )


def train_digit_model(path: Path, recipe: Recipe | None = None) -> float:
    """Train the digit model on one thread, save it as float16, and return its accuracy on digits it never saw."""
    recipe = recipe or Recipe()
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    model = MobileViTv2(**DIGITS)
    train(model, Pictures(*load_digits("train")), recipe)
    right = accuracy(model.half().float(), Pictures(*load_digits("test")))
    save_checkpoint(model, path, torch.float16, {"recipe": dataclasses.asdict(recipe), "accuracy": right})
    return right


if __name__ == "__main__":
    destination = Path(str(files(__package__) / "assets" / "digits.safetensors"))
    print(f"held-out accuracy {train_digit_model(destination):.3f}, saved as {destination.name}")
