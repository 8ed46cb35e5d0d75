"""A file of weights becomes a state dict, or is refused: whatever a pickle names, nothing of it is ever run."""

import contextlib
import hashlib
import json
import os
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from .._guard import FileError, printable
from .layouts import is_known

# Under these keys training scripts keep weights beside other things; averages first, since they are what was tested.
AVERAGES = ("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema", "average")
WRAPPINGS = (*AVERAGES, "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights")


def read_file(path: str | os.PathLike) -> Mapping:
    """Return the state dict in a file of weights, without running anything that the file names."""
    path = _existing(path)
    name = printable(path.name)
    with path.open("rb") as file:
        is_safetensors = path.suffix == ".safetensors" or file.read(9)[8:] == b"{"
    if is_safetensors:
        try:
            return load_file(path)
        except safetensors.SafetensorError as error:
            raise FileError(f"{name} is damaged or not a safetensors file ({error})") from error
    try:
        content = _load_pickle(path)
    except pickle.UnpicklingError as error:
        raise FileError(
            f"{name} was refused: it is damaged, or holds Python objects besides tensors, and loading those could "
            "run any code. Ask its author for a .safetensors file"
        ) from error
    except Exception as error:  # damaged pickles fail in many ways
        raise FileError(
            f"{name} is damaged, cut short or no file of weights ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(content, Mapping) or hasattr(content, "is_inert"):
        what = "Python object" if hasattr(content, "is_inert") else type(content).__name__
        raise FileError(f"{name} holds a {what}, not a state dict")
    state_dict = unwrapped(content)
    for weight, tensor in state_dict.items():
        if hasattr(tensor, "is_inert"):
            raise FileError(
                f"{name} was refused: in place of the weight {printable(weight)} it holds a Python object, and loading "
                "those could run any code. Ask its author for a .safetensors file"
            )
    return state_dict


def checkpoint_notes(path: str | os.PathLike) -> dict[str, object]:
    """Return the notes that `save_checkpoint` wrote into a file; empty where somebody else wrote it."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            notes = json.loads((file.metadata() or {}).get("notes", "{}"))
    except (safetensors.SafetensorError, ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) else {}


def hash_of(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(_existing(path).read_bytes()).hexdigest()


def check_hash(path: str | os.PathLike, sha256: str) -> None:
    """Raise unless a file's SHA-256 is this."""
    actual = hash_of(path)
    if actual != sha256.lower():
        raise FileError(f"{printable(Path(path).name)} has SHA-256 {actual}, not {sha256.lower()}: get it again")


def unwrapped(content: Mapping) -> Mapping:
    """Return the state dict inside what a training script saved; of several, the average of the weights."""

    def may_be_weights(value: object) -> bool:  # and not the settings of an average
        return isinstance(value, Mapping) and any(isinstance(part, (Tensor, Mapping)) for part in value.values())

    inside = [key for key in WRAPPINGS if may_be_weights(content.get(key))]
    if not inside or is_known(content):
        return content
    if inside[0] in AVERAGES and len(inside) > 1:
        warnings.warn(f"took the average of the weights, {inside[0]!r}, not {inside[1]!r}", stacklevel=3)
    return unwrapped(content[inside[0]])


class _Inert:
    """Stands for any object of a pickle that is no tensor and no plain container: it takes all, and does nothing."""

    is_inert = True

    def __init__(self, *arguments):
        pass

    def __setstate__(self, state):
        pass


class _InertDictionary:
    """The same for objects that are dictionaries of their own class, into which PyTorch's reader puts things."""

    def __new__(cls, *arguments):
        instead = OrderedDict()
        instead.is_inert = True
        return instead


def _load_pickle(path: Path) -> object:
    """Read a file of `torch.save`: tensors and plain containers as they are, every other object as an inert one.

    Training scripts store their arguments and settings beside the weights. PyTorch's own reader refuses those; here it
    is told to take an inert object for each, so that nothing of the file's choosing is ever called.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = error
    try:
        others = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # an older format, or damage
        raise refused from None
    for inert in (_Inert, _InertDictionary):
        with (
            contextlib.suppress(pickle.UnpicklingError, TypeError, ValueError),
            torch.serialization.safe_globals([(inert, name) for name in others]),
        ):
            return torch.load(path, map_location="cpu", weights_only=True)
    raise refused


def _existing(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.is_dir():
        raise FileError(f"{printable(path)} is a folder: name the file of weights in it")
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint file at {printable(path)}")
    return path
