"""How many answers are right: of a model on pictures in memory, and on a folder of any size."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from .data import DataError, PictureFolder, fingerprint, tensor_bytes
from .files import SaveError
from .images import ImageError
from .parallel import rank_and_size

SHOWN = 10  # unreadable pictures that are named; a record names all of them


@torch.no_grad()
def accuracy(model: nn.Module, pictures: Dataset, batch_size: int = 120, workers: int = 0) -> float:
    """Return the share of pictures whose highest logit is the right class.

    Several processes take turns, and all of them return the same.

    Parameters
    ----------
    model : nn.Module
        A classifier. It is left in evaluation mode.
    pictures : Pictures or PictureFolder
        What to classify.
    batch_size, workers : int
        Pictures a batch, and processes that read them.

    Returns
    -------
    float
        From 0 to 1.

    Notes
    -----
    Built in notebook 07.
    """
    model.eval()
    device = next(model.parameters()).device
    rank, size = rank_and_size()
    right = torch.zeros(1, device=device)
    batches = [[(i, None) for i in part] for part in _parts(range(rank, len(pictures), size), batch_size)]
    for images, labels in DataLoader(pictures, batch_sampler=batches, num_workers=workers, collate_fn=as_is):
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
    """

    pictures: int = 0
    top1: int = 0
    top5: int = 0
    unreadable: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, line: dict) -> None:
        """Count one line of a record."""
        if "unreadable" in line:
            self.unreadable += 1
            if len(self.reasons) < SHOWN:
                self.reasons.append(f"{line['picture']}: {line['unreadable']}")
            return
        self.pictures += 1
        self.top1 += line["label"] == line["answers"][0]
        self.top5 += line["label"] in line["answers"]

    def summary(self) -> dict[str, float | int | None]:
        """Return shares and counts."""
        share = (lambda right: right / self.pictures) if self.pictures else (lambda right: None)
        counts = {"pictures": self.pictures, "unreadable": self.unreadable}
        return {"top1": share(self.top1), "top5": share(self.top5), **counts}


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

    A picture that cannot be read is counted and named, and the evaluation goes on. With a record, an evaluation that
    was interrupted goes on where it stopped.

    Parameters
    ----------
    model : nn.Module
        A classifier. It is left in evaluation mode.
    pictures : PictureFolder
        What to classify.
    batch_size, workers : int
        Pictures a batch, and processes that read them.
    record : path or None
        A file with one line of JSON for each picture: its label and the five best answers, or why it could not be read.
        It is written as the evaluation goes on. An existing one is continued, if it belongs to this evaluation.
    title : str
        What the record calls the model. It also holds a hash of the weights.
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    Evaluation
        The counts, those of a continued record among them.

    Raises
    ------
    DataError
        If the model has fewer classes than the folder, or if the record belongs to another evaluation.
    SaveError
        If the record cannot be written. What is in it stays, and the next call goes on from there.

    Notes
    -----
    Section 4.1 of arXiv 2206.02680. Built in notebook 06.
    """
    model.eval()
    device = next(model.parameters()).device
    outputs = getattr(getattr(model, "classifier", None), "out_features", len(pictures.classes))
    if outputs < len(pictures.classes):
        raise DataError(f"the model has {outputs} classes, and the folder {len(pictures.classes)}")
    counts = Evaluation()
    writer = None
    if record is not None:
        head = {"title": title, "weights": _weights_hash(model), "folder": pictures.name, **pictures.sizes}
        writer = _Record(Path(record), head, pictures, counts)
    done = counts.pictures + counts.unreadable
    batches = list(_parts(range(done, len(pictures)), batch_size))
    loader = DataLoader(_Readable(pictures), batch_sampler=batches, num_workers=workers, collate_fn=as_is)
    try:
        with tqdm(total=len(pictures), initial=done, unit="picture", disable=not progress) as bar:
            for indices, images, labels, problems in loader:
                answers = iter(_answers(model, images.to(device)) if len(images) else [])
                lines = []
                for index, label in zip(indices, labels, strict=True):
                    line = {"picture": pictures.pictures[index][0], "label": label}
                    unread = {"unreadable": problems[index]} if index in problems else {"answers": next(answers)}
                    lines.append({**line, **unread})
                if writer:
                    writer.write(lines)
                for line in lines:
                    counts.add(line)
                bar.update(len(indices))
    finally:
        if writer:
            writer.close()
    return counts


def as_is(batch):
    """Return a batch as the data set made it."""
    return batch


class _Readable(Dataset):
    """Reads batches of a folder, and says which pictures could not be read."""

    def __init__(self, pictures: PictureFolder):
        self.pictures = pictures

    def __getitems__(self, indices: Sequence[int]) -> tuple[list[int], Tensor, list[int], dict[int, str]]:
        images, problems = [], {}
        for index in indices:
            try:
                images.append(self.pictures.read(index))
            except (ImageError, OSError) as error:
                problems[index] = str(error)
        labels = [self.pictures.pictures[index][1] for index in indices]
        return list(indices), torch.stack(images) if images else torch.empty(0), labels, problems


class _Record:
    """The record of an evaluation on the disk. Opening one that exists counts its lines and continues it."""

    def __init__(self, path: Path, head: dict, pictures: PictureFolder, counts: Evaluation):
        self.path = path
        try:
            self.file = path.open("r+b" if path.exists() else "w+b")
            end = self._count(head, pictures, counts)
            self.file.truncate(end)
            self.file.seek(end)
            if end == 0:
                self.write([head])
        except SaveError:
            raise
        except OSError as error:
            raise SaveError(f"could not write the record {path} ({error.strerror or error})") from error

    def _count(self, head: dict, pictures: PictureFolder, counts: Evaluation) -> int:
        """Count all whole lines, and return where they end: a program that was killed may leave half a line."""
        end = 0
        for number, text in enumerate(self.file):
            if not text.endswith(b"\n"):
                if number == 0 and not _line(head).startswith(text):
                    raise DataError(f"{self.path} is not a record of an evaluation")
                break
            try:
                line = json.loads(text)
                if number == 0:
                    differs = [key for key in head if line.get(key) != head[key]]
                    if differs:
                        raise DataError(
                            f"the record {self.path} belongs to another evaluation: its {differs[0]} is "
                            f"{line.get(differs[0])!r}, not {head[differs[0]]!r}. Name another file"
                        )
                elif (line["picture"], line["label"]) != tuple(pictures.pictures[number - 1]):
                    raise ValueError("lines are missing, doubled or of another folder")
                else:
                    counts.add(line)
            except (ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
                if isinstance(error, DataError):
                    raise
                raise DataError(
                    f"{self.path} is not a record of an evaluation: line {number + 1} cannot be read"
                ) from error
            end += len(text)
        return end

    def write(self, lines: list[dict]) -> None:
        """Add lines; each call reaches the disk whole or is cut off by the next run."""
        try:
            self.file.write(b"".join(map(_line, lines)))
            self.file.flush()
        except OSError as error:
            raise SaveError(
                f"could not write the record {self.path} ({error.strerror or error}): what is in it stays, and "
                "the same command goes on from there"
            ) from error

    def close(self) -> None:
        """Close the file; what could not be written was reported before."""
        with contextlib.suppress(OSError):
            self.file.close()


def _answers(model: nn.Module, images: Tensor) -> list[list[int]]:
    logits = model(images)  # [B, classes]
    return logits.topk(min(5, logits.shape[1]), dim=1).indices.tolist()


def _line(content: dict) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _weights_hash(model: nn.Module) -> str:
    return fingerprint(b"".join(map(tensor_bytes, model.state_dict().values())))


def _parts(numbers: range, size: int) -> Iterator[list[int]]:
    for start in range(0, len(numbers), size):
        yield list(numbers[start : start + size])
