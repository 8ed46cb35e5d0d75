"""What a run needs in order to go on: saved whole or not at all, and refused where it belongs to another run."""

import dataclasses
import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .._guard import FileError, RetryError, printable, write_whole
from ..weights.checkpoints import save_checkpoint
from .distributed import rank_and_size
from .recipe import Recipe, make_optimizer

STATE, BEST, LAST, HISTORY = "state.pt", "best.safetensors", "last.safetensors", "history.json"


@dataclass
class History:
    """What happened in a training run.

    Attributes
    ----------
    losses : list of float
        The loss of every step, over all processes together.
    accuracies : list of float
        The accuracy on the validation pictures after every epoch; None for an epoch without validation.
    """

    losses: list[float] = field(default_factory=list)
    accuracies: list[float | None] = field(default_factory=list)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder for this process, and clear away what killed ones have left of files they were writing.

    A process that is killed lets go of the folder, whatever it had started itself.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".mvit2.lock")
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RetryError(
            f"another process is at work in {printable(folder)}: wait for it, or name another folder"
        ) from error
    except OSError as error:
        raise RetryError(f"{printable(folder)} cannot be a folder for a run ({error.strerror or error})") from error
    try:
        for name in (STATE, BEST, LAST, HISTORY):
            for partial in folder.glob(f".{name}.{8 * '[0-9a-f]'}.partial"):
                partial.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


class State:
    """Weights, their average, the optimizer, the number of the step and the history of a run.

    `about` is what, besides the recipe, makes it this run and no other; `run` is its folder, or None to keep nothing.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, about: dict, run: Path | None):
        self.model, self.recipe, self.about, self.run = model, recipe, about, run
        self.optimizer = make_optimizer(model, recipe)
        averaging = get_ema_multi_avg_fn(recipe.average)
        self.average = AveragedModel(model, multi_avg_fn=averaging, use_buffers=True) if recipe.average else None
        self.step, self.history = 0, History()
        if run and (run / STATE).exists():
            self._load(run / STATE)
        elif run:
            foreign = [name for name in (BEST, LAST, HISTORY) if (run / name).exists()]
            if foreign:
                raise FileError(
                    f"{printable(run)} holds {foreign[0]}, but no state of a run: take it away, or name another folder"
                )

    def best_guess(self) -> nn.Module:
        """Return the average of the weights, if there is one, or else the model."""
        return self.average.module if self.average and self.step else self.model

    def has_lost_patience(self) -> bool:
        """Return whether so many epochs have brought no better accuracy that the run ends."""
        measured = [accuracy for accuracy in self.history.accuracies if accuracy is not None]
        return bool(
            self.recipe.patience
            and measured
            and len(measured) - 1 - measured.index(max(measured)) >= self.recipe.patience
        )

    def note_accuracy(self, epoch: int, accuracy: float | None = None, model: nn.Module | None = None) -> None:
        """Remember how accurate a model is after an epoch, if it was measured, and keep it if it is the best."""
        accuracies = self.history.accuracies
        before = max((share for share in accuracies if share is not None), default=-1)
        accuracies += [None] * (epoch - 1 - len(accuracies)) + [accuracy]
        # First the weights, then the state that says they were the best: killed between the two, a run repeats both.
        if accuracy is not None and accuracy > before:
            self._keep(model, BEST)
        self.save()

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
        write_whole(self.run / STATE, content.getvalue())

    def finish(self, model: nn.Module) -> None:
        """Leave our model with the weights of this one, ready for use, and write them and what happened."""
        self.model.load_state_dict(model.state_dict())
        self.model.eval()
        self._keep(self.model, LAST)
        if self.run and rank_and_size()[0] == 0:
            write_whole(self.run / HISTORY, json.dumps(dataclasses.asdict(self.history)).encode())

    def _keep(self, model: nn.Module, name: str) -> None:
        if not self.run or rank_and_size()[0] > 0:
            return
        accuracies = self.history.accuracies
        measured = accuracies and accuracies[-1] is not None
        last = {"accuracy": accuracies[-1], "epoch": len(accuracies)} if measured else {}
        notes = {"recipe": dataclasses.asdict(self.recipe), "data": self.about["data"], **self.about["notes"], **last}
        save_checkpoint(model, self.run / name, notes=notes)

    def _load(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()  # compares a checksum of every part; torch.load does not
            if damaged:
                raise zipfile.BadZipFile(f"{damaged} is damaged")
            stored = torch.load(path, map_location="cpu", weights_only=True)
            recipe, about, step = Recipe(**stored["recipe"]), dict(stored["about"]), int(stored["step"])
            history = History(stored["losses"].tolist(), list(stored["accuracies"]))
            model, average, optimizer = dict(stored["model"]), stored["average"], stored["optimizer"]
        except (
            *(zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError, AttributeError),
            *(KeyError, TypeError, ValueError, NotImplementedError),
        ) as error:
            raise FileError(
                f"{printable(path)} is damaged or not the state of a run ({type(error).__name__}: {error})"
            ) from error
        differs = [
            f"{key} {self.about[key]!r} and {about.get(key)!r}"
            for key in self.about
            if self.about[key] != about.get(key)
        ]
        if recipe != self.recipe or differs:
            what = self.recipe.differences(recipe) or ", ".join(differs)
            raise FileError(
                f"{printable(path)} belongs to another run; now and then: {what}. Give the same settings to go on "
                "with that run, or another folder to begin a new one"
            )
        own = self.model.state_dict()
        if {name: t.shape for name, t in own.items()} != {name: t.shape for name, t in model.items()}:
            name = next((n for n in own if n not in model or model[n].shape != own[n].shape), "another tensor")
            there = tuple(model[name].shape) if name in model else "missing"
            raise FileError(
                f"{printable(path)} holds another model, perhaps for another number of classes: {name} is {there} "
                f"there and {tuple(own[name].shape) if name in own else 'missing'} here"
            )
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        if self.average:
            self.average.load_state_dict(average)
        self.step, self.history = step, history
