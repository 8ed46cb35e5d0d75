"""Weights from files and from the hub into our models, and back into files.

A checkpoint is untrusted input: pickles are read without executing anything in them, every tensor is checked before
the first one is copied, and a download is compared with the SHA-256 that the hub publishes for it.
"""

import hashlib
import json
import os
import pickle
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from .files import replace_file
from .hub import fetch
from .layouts import CheckpointError, convert_state_dict
from .model import STAGES, MobileViTv2

WIDTHS = {"050": 0.5, "075": 0.75, "100": 1.0, "125": 1.25, "150": 1.5, "175": 1.75, "200": 2.0}
DIGITS = {"width_multiplier": 0.25, "num_classes": 10, "in_channels": 1}


def load_checkpoint(model: MobileViTv2, source: str | os.PathLike | Mapping[str, Tensor]) -> MobileViTv2:
    """Copy the weights of a checkpoint into a model.

    Parameters
    ----------
    model : MobileViTv2
        The model that receives the weights. It is changed only if everything fits.
    source : path or mapping of str to Tensor
        A `.safetensors` file, a `.pt` file (also `.pth`, `.bin`), or a state dict, in the layout of timm, transformers,
        ml-cvnets or this library. The layout is recognised by the names.

    Returns
    -------
    MobileViTv2
        The same model.

    Raises
    ------
    CheckpointError
        If the file is damaged or holds anything but tensors, if the layout is unknown, or if the tensors do not fit
        the model: the message names what is missing, what is unexpected, or the first tensor of another shape.
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    Built in notebook 06.
    """
    state_dict = source if isinstance(source, Mapping) else _read(Path(source))
    converted = convert_state_dict(state_dict)
    expected = model.state_dict()
    # How many batches a batch norm has seen changes nothing; some exporters leave it out.
    missing = [name for name in expected if name not in converted and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in converted if name not in expected]
    for name, tensor in expected.items():
        if name in converted and converted[name].shape != tensor.shape:
            raise CheckpointError(
                f"{name} has shape {tuple(converted[name].shape)} in the checkpoint and {tuple(tensor.shape)} in the "
                "model: build the model with the width_multiplier, num_classes and in_channels of the checkpoint"
            )
    if missing or unexpected:
        raise CheckpointError(
            f"the checkpoint does not fit the model: missing {_some(missing)}; unexpected {_some(unexpected)}"
        )
    for name, tensor in converted.items():
        counts = {torch.int64, torch.int32, torch.int16, torch.uint8}
        if not (tensor.is_floating_point() if expected[name].is_floating_point() else tensor.dtype in counts):
            raise CheckpointError(f"{name} holds {tensor.dtype} where the model has {expected[name].dtype}")
        if expected[name].is_meta:
            raise CheckpointError("the model is on the meta device and has no memory for weights: model.to_empty first")
    model.load_state_dict({**expected, **converted})
    return model


def load_model(source: str | os.PathLike | Mapping[str, Tensor], sha256: str | None = None) -> MobileViTv2:
    """Build the model that a checkpoint was made for, and load it.

    Width multiplier, number of classes and channels of the picture are read from the shapes of the tensors.

    Parameters
    ----------
    source : path or mapping of str to Tensor
        As for `load_checkpoint`.
    sha256 : str or None
        What the file's SHA-256 must be, for files that came by hand. None asks for nothing.

    Returns
    -------
    MobileViTv2
        The model with its weights, in evaluation mode.

    Raises
    ------
    CheckpointError
        If the file has another SHA-256, and in the cases of `load_checkpoint`.
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    Built in notebook 06.
    """
    if isinstance(source, Mapping):
        state_dict = source
    else:
        if sha256 is not None and Path(source).is_file():
            actual = hashlib.sha256(Path(source).read_bytes()).hexdigest()
            if actual != sha256.lower():
                raise CheckpointError(f"{Path(source).name} has SHA-256 {actual}, not {sha256.lower()}: get it again")
        state_dict = _read(Path(source))
    converted = convert_state_dict(state_dict)
    try:
        in_channels = converted["stem.conv.weight"].shape[1]
        width = converted["stages.4.1.to_channels.conv.weight"].shape[0] / STAGES[-1].channels
        classifier = converted.get("classifier.weight")
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"the checkpoint is not one of a whole MobileViTv2: {error} is missing") from error
    model = MobileViTv2(width, 0 if classifier is None else len(classifier), in_channels)
    return load_checkpoint(model, state_dict).eval()


def save_checkpoint(
    model: MobileViTv2,
    path: str | os.PathLike,
    dtype: torch.dtype | None = None,
    notes: Mapping[str, object] | None = None,
) -> None:
    """Write the weights of a model to a `.safetensors` file in our own layout.

    The file appears whole or not at all: an interrupted write leaves an older file in place untouched.

    Parameters
    ----------
    model : MobileViTv2
        The model to save.
    path : path
        Where to; the folder must exist.
    dtype : torch.dtype or None
        Store floating-point weights in this type; `torch.float16` halves the file. None keeps theirs.
    notes : mapping of str to object or None
        What a reader of the file should know, such as how it was trained, in plain numbers and strings.

    Raises
    ------
    ValueError
        If the path does not end in `.safetensors`, if `dtype` is no floating-point type, or if a weight is not finite
        or too large for it.
    SaveError
        If the file cannot be written.

    Notes
    -----
    Built in notebook 07.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"checkpoints are saved as .safetensors files, not {path.name!r}")
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"weights are stored as floating-point numbers, not as {dtype}")
    # torch.compile wraps a model and puts this in front of its names.
    state_dict = {name.removeprefix("_orig_mod."): tensor for name, tensor in model.state_dict().items()}
    tensors = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
        for name, tensor in state_dict.items()
    }
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(
                f"{name} holds values that are not finite, or too large for {tensor.dtype}: nothing was saved"
            )
    # All notes under one key: several would stand in the file in an order that changes from process to process.
    metadata = {"notes": json.dumps(notes, sort_keys=True)} if notes else None
    replace_file(path, save(tensors, metadata))


def checkpoint_notes(path: str | os.PathLike) -> dict[str, object]:
    """Return the notes that `save_checkpoint` wrote into a `.safetensors` file. Built in notebook 07."""
    with safetensors.safe_open(path, framework="pt") as file:
        return json.loads((file.metadata() or {}).get("notes", "{}"))


def load_pretrained(name: str, download: bool = True) -> MobileViTv2:
    """Return a model with trained weights, in evaluation mode.

    Parameters
    ----------
    name : str
        `"digits"` for the small model shipped with this library (grey 64×64 pictures of handwritten digits, ten
        classes, no network needed). Or one of timm's names for Apple's ImageNet weights: `"mobilevitv2_050"` …
        `"mobilevitv2_200"`, optionally with a tag such as `".cvnets_in1k"` (the default) or, for 150, 175 and 200,
        `".cvnets_in22k_ft_in1k"` and `".cvnets_in22k_ft_in1k_384"`. They are fetched once from the Hugging Face hub
        (5 to 74 MB), checked against the SHA-256 published there, and kept in its cache.
    download : bool
        Whether to fetch weights that are not in the cache.

    Raises
    ------
    ValueError
        If no weights of that name are known.
    OfflineError
        If the weights are not in the cache, and the hub cannot be reached or may not be asked.
    DownloadError
        If the hub does not deliver the file whole and unaltered.

    Notes
    -----
    Built in notebook 06.
    """
    if name == "digits":
        with as_file(files(__package__) / "assets" / "digits.safetensors") as path:
            return load_checkpoint(MobileViTv2(**DIGITS), path).eval()
    width, repository = _repository(name)
    by_hand = "Or download it on another machine and load the file with mv.load_model('path/to/model.safetensors')"
    path = fetch(repository, "model.safetensors", by_hand, download)
    return load_checkpoint(MobileViTv2(width), path).eval()


def preprocessing(name: str) -> dict[str, float | str]:
    """Return what `preprocess` must be told for the weights of this name: a checkpoint does not say it.

    Parameters
    ----------
    name : str
        As for `load_pretrained`.

    Returns
    -------
    dict
        `image_size`, `crop_fraction`, `channels` and `interpolation`.

    Raises
    ------
    ValueError
        If no weights of that name are known.

    Notes
    -----
    Built in notebook 06.
    """
    if name == "digits":
        return {"image_size": 64, "crop_fraction": 1.0, "channels": 1, "interpolation": "bilinear"}
    _repository(name)
    at_384 = name.endswith("_384")
    size, fraction = (384, 1.0) if at_384 else (256, 0.888)
    return {"image_size": size, "crop_fraction": fraction, "channels": 3, "interpolation": "bicubic"}


def _repository(name: str) -> tuple[float, str]:
    """Return the width multiplier and the hub repository behind one of timm's names."""
    model_name, _, tag = name.partition(".")
    width = WIDTHS.get(model_name.removeprefix("mobilevitv2_"))
    if width is None or not model_name.startswith("mobilevitv2_"):
        known = ", ".join(f"mobilevitv2_{code}" for code in WIDTHS)
        raise ValueError(f"there are no pretrained weights called {name!r}: choose digits or one of {known}")
    return width, f"timm/{model_name}.{tag or 'cvnets_in1k'}"


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint file at {path}")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"{path.name} is damaged or not a safetensors file ({error})") from error
    if path.suffix not in {".pt", ".pth", ".bin"}:
        raise CheckpointError(f"{path.name}: expected a .safetensors, .pt, .pth or .bin file")
    try:
        state_dict = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} was refused: it is damaged, or holds Python objects besides tensors, and loading those could "
            "run any code. Ask its author for a .safetensors file"
        ) from error
    except Exception as error:  # damaged pickles fail in many ways
        raise CheckpointError(
            f"{path.name} is damaged, cut short or no plain state dict ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(state_dict, Mapping):
        raise CheckpointError(f"{path.name} holds a {type(state_dict).__name__}, not a state dict")
    return state_dict


def _some(names: list[str]) -> str:
    if not names:
        return "nothing"
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
