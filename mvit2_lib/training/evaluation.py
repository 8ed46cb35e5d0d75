"""How many answers are right: of a model on any data set, and on a folder of any size with a record."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm.auto import tqdm

from .._guard import FileError, RetryError, printable
from ..data.datasets import PictureFolder, Readable, fingerprint, tensor_bytes
from ..deploy import optimize_for_inference
from ..model import MobileViTv2
from .distributed import rank_and_size

SHOWN = 10  # unreadable pictures that are named; a record names all of them


@torch.no_grad()
def accuracy(model: nn.Module, pictures: Dataset, batch_size: int = 120, workers: int = 0) -> float:
    """Return the share of pictures whose highest logit is the right class. Used in notebook 06.

    The model is left in evaluation mode. Several processes take turns, and all of them return the same.
    """
    model.eval()
    device = next(model.parameters()).device
    rank, size = rank_and_size()
    right = torch.zeros(1, device=device)
    mine = Subset(pictures, range(rank, len(pictures), size))
    for images, labels in DataLoader(mine, batch_size, num_workers=workers):
        right += (model(images.to(device)).argmax(dim=1) == labels.to(device)).sum()
    if size > 1:
        torch.distributed.all_reduce(right)
    return right.item() / len(pictures)


@dataclass
class Evaluation:
    """What came out of an evaluation.

    Attributes
    ----------
    pictures : int
        Pictures that were read and classified.
    top1, top5 : int
        How many of them have the right class as first answer, and among the first five.
    unreadable : int
        Pictures that could not be read; they count neither as right nor as wrong.
    reasons : list of str
        The first few of those, and why.
    confusion : Counter
        How many pictures of a class got which first answer: `confusion[class, answer]`.
    worst : list of dict
        The wrong answers whose right class had the least probability: `picture`, `label`, `answers`, `probability`.
    """

    pictures: int = 0
    top1: int = 0
    top5: int = 0
    unreadable: int = 0
    reasons: list[str] = field(default_factory=list)
    confusion: Counter = field(default_factory=Counter)
    worst: list[dict] = field(default_factory=list)

    def add(self, line: dict) -> None:
        """Count one line of a record."""
        if "unreadable" in line:
            self.unreadable += 1
            if len(self.reasons) < SHOWN:
                self.reasons.append(f"{printable(line['picture'])}: {line['unreadable']}")
            return
        right, answer = line["label"], line["answers"][0]
        self.pictures += 1
        self.top1 += right == answer
        self.top5 += right in line["answers"]
        self.confusion[right, answer] += 1
        if right != answer and "probability" in line:
            self.worst = sorted([*self.worst, line], key=lambda line: line["probability"])[:SHOWN]

    def summary(self) -> dict[str, float | int | None]:
        """Return shares and counts."""
        share = (lambda right: right / self.pictures) if self.pictures else (lambda right: None)
        counts = {"pictures": self.pictures, "unreadable": self.unreadable}
        return {"top1": share(self.top1), "top5": share(self.top5), **counts}

    def matrix(self, num_classes: int) -> np.ndarray:
        """Return the confusion matrix `[num_classes, num_classes]`: a row for each class, a column for each answer."""
        matrix = np.zeros((num_classes, num_classes), dtype=int)
        for (right, answer), number in self.confusion.items():
            matrix[right, answer] = number
        return matrix

    def per_class(self, classes: Sequence[str]) -> list[dict[str, object]]:
        """Return for each class that occurs its pictures, recall and precision; None where there is nothing to divide.

        Recall is the share of its pictures that were recognised, precision the share of the answers that were right.
        """
        matrix = self.matrix(max([len(classes), *(1 + max(pair) for pair in self.confusion)]))
        names = [*classes, *(f"answer {number}" for number in range(len(classes), len(matrix)))]
        rows = []
        for name, right, shown, answered in zip(names, matrix.diagonal(), matrix.sum(1), matrix.sum(0), strict=True):
            if shown or answered:
                recall = float(right / shown) if shown else None
                precision = float(right / answered) if answered else None
                rows.append({"class": name, "pictures": int(shown), "recall": recall, "precision": precision})
        return rows


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    pictures: PictureFolder,
    batch_size: int = 32,
    workers: int = 0,
    record: str | os.PathLike | None = None,
    title: str = "",
    progress: bool = True,
) -> Evaluation:
    """Classify every picture of a folder and count the right answers. Only a batch is in memory at a time.

    A picture that cannot be read is counted and named, and the evaluation goes on. Section 4.1 of arXiv 2206.02680.
    Used in notebook 06.

    Parameters
    ----------
    model : nn.Module
        A classifier. It is left in evaluation mode.
    pictures : PictureFolder
        What to classify.
    batch_size, workers : int
        Pictures a batch, and processes that read them.
    record : path or None
        A file with one line of JSON for each picture: its label, the five best answers and the probability of the right
        one, or why it could not be read.
        It is written as the evaluation goes on. An existing one is continued, if it belongs to this evaluation.
    title : str
        What the record calls the model. It also holds a hash of the weights.
    progress : bool
        Whether a progress bar is shown.

    Raises
    ------
    FileError
        If the model has fewer classes than the folder, or the record belongs to another evaluation.
    RetryError
        If the record cannot be written. What is in it stays, and the next call goes on from there.
    """
    model.eval()
    outputs = getattr(getattr(model, "classifier", None), "out_features", len(pictures.classes))
    if outputs < len(pictures.classes):
        raise FileError(f"the model has {outputs} classes, and the folder {len(pictures.classes)}")
    device = next(model.parameters()).device
    counts, writer = Evaluation(), None
    if record is not None:
        about = {"title": title, "weights": _weights_hash(model), "folder": pictures.name}
        writer = _Record(Path(record), about | asdict(pictures.preparation), pictures, counts)
    done = counts.pictures + counts.unreadable
    fast = optimize_for_inference(model) if isinstance(model, MobileViTv2) else model
    batches = [range(start, min(start + batch_size, len(pictures))) for start in range(done, len(pictures), batch_size)]
    loader = DataLoader(Readable(pictures), batch_sampler=batches, num_workers=workers, collate_fn=list)
    try:
        with tqdm(total=len(pictures), initial=done, unit="picture", disable=not progress) as bar:
            for batch in loader:
                read = [picture for _, picture in batch if isinstance(picture, Tensor)]
                logits = iter(fast(torch.stack(read).to(device)) if read else [])
                lines = []
                for index, picture in batch:
                    name, label = pictures.pictures[index]
                    unreadable = isinstance(picture, str)
                    answer = {"unreadable": picture} if unreadable else _answer(next(logits), label)
                    lines.append({"picture": name, "label": label, **answer})
                if writer:
                    writer.write(lines)
                for line in lines:
                    counts.add(line)
                bar.update(len(batch))
    finally:
        if writer:
            writer.close()
    return counts


class _Record:
    """The record of an evaluation on the disk. Opening one that exists counts its lines and continues it."""

    def __init__(self, path: Path, head: dict, pictures: PictureFolder, counts: Evaluation):
        self.path, self.name = path, printable(path)
        try:
            self.file = path.open("r+b" if path.exists() else "x+b")
            end = self._count(head, pictures, counts)
            self.file.truncate(end)
            self.file.seek(end)
            if end == 0:
                self.write([head])
        except RetryError:
            raise
        except OSError as error:
            raise RetryError(f"could not write the record {self.name} ({error.strerror or error})") from error

    def _count(self, head: dict, pictures: PictureFolder, counts: Evaluation) -> int:
        """Count all whole lines, and return where they end: a program that was killed may leave half a line."""
        end = 0
        for number, text in enumerate(self.file):
            if not text.endswith(b"\n"):
                if number == 0 and not _line(head).startswith(text):
                    raise FileError(f"{self.name} is not a record of an evaluation")
                break
            try:
                line = json.loads(text)
                if number == 0:
                    differs = [key for key in head if line.get(key) != head[key]]
                    if differs:
                        raise FileError(
                            f"the record {self.name} belongs to another evaluation: its {differs[0]} is "
                            f"{line.get(differs[0])!r}, not {head[differs[0]]!r}. Name another file"
                        )
                elif (line["picture"], line["label"]) != tuple(pictures.pictures[number - 1]):
                    raise ValueError("lines are missing, doubled or of another folder")
                else:
                    counts.add(line)
            except FileError:
                raise
            except (ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
                raise FileError(
                    f"{self.name} is not a record of an evaluation: line {number + 1} cannot be read"
                ) from error
            end += len(text)
        return end

    def write(self, lines: list[dict]) -> None:
        """Add lines; each call reaches the disk whole or is cut off by the next run."""
        try:
            self.file.write(b"".join(map(_line, lines)))
            self.file.flush()
        except OSError as error:
            raise RetryError(
                f"could not write the record {self.name} ({error.strerror or error}): what is in it stays, and "
                "the same command goes on from there"
            ) from error

    def close(self) -> None:
        """Close the file; what could not be written was reported before."""
        with contextlib.suppress(OSError):
            self.file.close()


def _answer(logits: Tensor, label: int) -> dict[str, object]:
    """Return the five best of the classes, and the probability of the right one."""
    best = logits.topk(min(5, len(logits))).indices.tolist()
    return {"answers": best, "probability": round(logits.softmax(dim=0)[label].item(), 6)}


def _line(content: dict) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _weights_hash(model: nn.Module) -> str:
    return fingerprint(b"".join(map(tensor_bytes, model.state_dict().values())))
