"""Weights into our models, and back into files. Every tensor is checked before the first one is copied."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from .._guard import FileError, printable, write_whole
from ..model import STAGES, MobileViTv2, scale_architecture
from .layouts import convert_state_dict
from .reading import check_hash, checkpoint_notes, read_file, unwrapped


def load_checkpoint(model: MobileViTv2, source: str | os.PathLike | Mapping[str, Tensor]) -> MobileViTv2:
    """Copy the weights of a checkpoint into a model, which changes only if everything fits. Used in notebook 05.

    `source` is a file (safetensors, or written by `torch.save`) or a state dict, in the layout of timm, transformers,
    ml-cvnets or this library, which is recognised by its names. The usual wrappings are opened.

    Raises
    ------
    FileError
        If the file is damaged or unsafe, the layout unknown, or the tensors do not fit the model: the message names
        what is missing, what is unexpected, or the first tensor of another shape.
    FileNotFoundError
        If there is no such file.
    """
    state_dict = unwrapped(source) if isinstance(source, Mapping) else read_file(source)
    converted = convert_state_dict(state_dict)
    expected = model.state_dict()
    # How many batches a batch norm has seen changes nothing; some exporters leave it out.
    missing = [name for name in expected if name not in converted and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in converted if name not in expected]
    for name, tensor in expected.items():
        if name in converted and converted[name].shape != tensor.shape:
            hint = "build the model with the width_multiplier, num_classes and in_channels of the checkpoint"
            if name.startswith("classifier.") and converted[name].shape[1:] == tensor.shape[1:]:
                hint = f"for other classes, mv.load_pretrained(FILE, num_classes={len(tensor)}) takes all but the head"
            raise FileError(
                f"{name} has shape {tuple(converted[name].shape)} in the checkpoint and {tuple(tensor.shape)} in the "
                f"model: {hint}"
            )
    if missing or unexpected:
        raise FileError(
            f"the checkpoint does not fit the model: missing {_some(missing)}; unexpected {_some(unexpected)}"
        )
    for name, tensor in converted.items():
        counts = {torch.int64, torch.int32, torch.int16, torch.uint8}
        if not (tensor.is_floating_point() if expected[name].is_floating_point() else tensor.dtype in counts):
            raise FileError(f"{name} holds {tensor.dtype} where the model has {expected[name].dtype}")
        if expected[name].is_meta:
            raise FileError("the model is on the meta device and has no memory for weights: model.to_empty first")
    model.load_state_dict({**expected, **converted})
    return model


def load_model(source: str | os.PathLike | Mapping[str, Tensor], sha256: str | None = None) -> MobileViTv2:
    """Build the model that a checkpoint was made for, load it, and return it in evaluation mode. Used in notebook 06.

    Everything about the model is read from the shapes of the tensors, and from the notes that `save_checkpoint` leaves
    in a file. `sha256` is what the file's SHA-256 must be; None asks for nothing. Errors as of `load_checkpoint`.
    """
    if isinstance(source, Mapping):
        state_dict, notes = unwrapped(source), {}
    else:
        if sha256 is not None:
            check_hash(source, sha256)
        state_dict, notes = read_file(source), checkpoint_notes(source)
    model = MobileViTv2(**_config(convert_state_dict(state_dict), notes.get("architecture")))
    return load_checkpoint(model, state_dict).eval()


def save_checkpoint(
    model: nn.Module,
    path: str | os.PathLike,
    dtype: torch.dtype | None = None,
    notes: Mapping[str, object] | None = None,
) -> None:
    """Write the weights of a model to a `.safetensors` file, whole or not at all. Used in notebook 06.

    The architecture stands in it too, so that `load_model` reads every file back. `dtype` stores floating-point weights
    in another type (`torch.float16` halves the file); `notes` is what else a reader should know, in plain numbers and
    strings, such as the names of the classes.

    Raises
    ------
    ValueError
        If the path does not end in `.safetensors`, `dtype` is no floating-point type, or a weight is not finite or too
        large for it.
    RetryError
        If the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"checkpoints are saved as .safetensors files, not {path.name!r}")
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"weights are stored as floating-point numbers, not as {dtype}")
    # torch.compile and DistributedDataParallel wrap a model, and put their own names before those of its weights.
    while isinstance(inner := getattr(model, "_orig_mod", getattr(model, "module", None)), nn.Module):
        model = inner
    tensors = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
        for name, tensor in model.state_dict().items()
    }
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(
                f"{name} holds values that are not finite, or too large for {tensor.dtype}: nothing was saved"
            )
    about = {"architecture": model.config} if isinstance(model, MobileViTv2) else {}
    # All notes under one key: several would stand in the file in an order that changes from process to process.
    write_whole(path, save(tensors, {"notes": json.dumps({**about, **(notes or {})}, sort_keys=True)}))


def _config(weights: Mapping[str, Tensor], noted: object) -> dict[str, object]:
    """Return the arguments of the `MobileViTv2` that these weights (under our names) belong to."""
    noted = noted if isinstance(noted, dict) else {}
    attention, image_size, k = "separable", noted.get("image_size"), None
    try:
        in_channels = weights["stem.conv.weight"].shape[1]
        width = _width(_channels(weights), noted.get("width_multiplier"))
        classes = weights["classifier.weight"].shape[0] if "classifier.weight" in weights else 0
        if any(name.endswith(".attention.W_Q.weight") for name in weights):
            attention = "fused_multi_head" if noted.get("attention") == "fused_multi_head" else "multi_head"
        if "stages.2.1.layers.0.attention.E.weight" in weights:
            attention, k = "linformer", weights["stages.2.1.layers.0.attention.E.weight"].shape[1]
    except (KeyError, IndexError) as error:
        raise FileError(f"the checkpoint is not one of a whole MobileViTv2 ({error})") from error
    if not isinstance(image_size, int) or isinstance(image_size, bool) or not 0 < image_size < 2**16:
        image_size = 256
    # The map of stage 3 has an eighth of the picture's side, and a token for every two of its pixels in a row.
    if k is not None and math.ceil(image_size / 16) ** 2 != k:
        image_size = max(1, 16 * math.isqrt(k))
    return {
        "width_multiplier": width,
        "num_classes": classes,
        "in_channels": in_channels,
        "attention": attention,
        "image_size": image_size,
    }


def _channels(weights: Mapping[str, Tensor]) -> list[int]:
    """Return the channels of the stem, of each stage, and the widths of the tokens."""
    places = ["stem"] + [f"stages.{index}.0.project" for index in range(len(STAGES))]
    channels = [weights[f"{place}.conv.weight"].shape[0] for place in places]
    dims = [weights[f"stages.{index}.1.to_tokens.weight"].shape[0] for index in range(2, len(STAGES))]
    return channels + dims


def _width(channels: list[int], noted: object) -> float:
    """Return the width multiplier of an architecture: the one that was noted, if it fits, or the roundest that does."""

    def fits(width: float) -> bool:
        stem, stages = scale_architecture(width)
        dims = [stage.dim for stage in stages if stage.dim is not None]
        return [stem, *(stage.channels for stage in stages), *dims] == channels

    def candidates() -> Iterator[float]:
        if isinstance(noted, float) and 0 < noted < 1000:
            yield noted
        about = channels[len(STAGES)] / STAGES[-1].channels
        for steps in (4, 20, 100, 1000, 10000):
            first, last = round(max(0.5 * about, about - 0.02) * steps), round((about + 0.02) * steps)
            yield from (number / steps for number in range(max(1, first), last + 1))

    for width in candidates():
        if fits(width):
            return width
    raise FileError(
        f"the weights have {channels[0]} channels in the stem and {channels[1 : len(STAGES) + 1]} in the stages: no "
        "width multiplier gives these (timm rounds otherwise than ml-cvnets where a width is none of the published)"
    )


def _some(names: list[str]) -> str:
    if not names:
        return "nothing"
    shown = ", ".join(printable(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
