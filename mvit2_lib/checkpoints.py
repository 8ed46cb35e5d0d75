"""Weights from files and from the hub, in the layouts of four code bases.

A checkpoint is untrusted input: pickles are read without executing anything in them, every tensor is checked before
the first one is copied, and a download is compared with the SHA-256 that the hub publishes for it.
"""

import hashlib
import os
import pickle
import re
import tempfile
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from .model import MobileViTv2


class CheckpointError(ValueError):
    """A checkpoint is damaged, unsafe, of an unknown layout, or made for another model."""


class DownloadError(OSError):
    """The hub answered, but did not deliver the file whole and unaltered."""


class OfflineError(DownloadError):
    """The hub could not be reached, and nothing usable is in the cache."""


# How each code base names our tensors, as rules applied in this order to one of its names.
# The reference layouts keep the score, key and value projections in one `qkv_proj` convolution; `_split_projections`
# takes it apart.
_INSIDE_CVNETS_LAYER = r"(stages\.\d+\.\d+)\.global_rep\.(\d+)"
_RULES = {
    "own": [],
    "timm": [
        (r"\.bn\.", ".norm."),
        (r"\.conv1_1x1\.", ".expand."),
        (r"\.conv2_kxk\.", ".depthwise."),
        (r"\.conv3_1x1\.", ".project."),
        (r"\.conv_kxk\.", ".local."),
        (r"\.conv_1x1\.", ".to_tokens."),
        (r"\.transformer\.", ".layers."),
        (r"\.norm1\.", ".attention_norm."),
        (r"\.attn\.", ".attention."),
        (r"\.norm2\.", ".ffn_norm."),
        (r"\.mlp\.fc1\.", ".ffn.expand."),
        (r"\.mlp\.fc2\.", ".ffn.project."),
        (r"\.conv_proj\.", ".to_channels."),
        (r"^head\.fc\.", "classifier."),
    ],
    "transformers": [
        (r"^mobilevitv2\.", ""),
        (r"\.normalization\.", ".norm."),
        (r"\.convolution\.", ".conv."),
        (r"^conv_stem\.", "stem."),
        (r"^encoder\.layer\.(\d+)\.layer\.(\d+)\.", r"stages.\1.\2."),
        (r"^encoder\.layer\.(\d+)\.downsampling_layer\.", r"stages.\1.0."),
        (r"^encoder\.layer\.(\d+)\.", r"stages.\1.1."),
        (r"\.expand_1x1\.", ".expand."),
        (r"\.conv_3x3\.", ".depthwise."),
        (r"\.reduce_1x1\.", ".project."),
        (r"\.conv_kxk\.", ".local."),
        (r"\.conv_1x1\.conv\.", ".to_tokens."),
        (r"\.transformer\.layer\.", ".layers."),
        (r"\.layernorm_before\.", ".attention_norm."),
        (r"\.(qkv|out)_proj\.conv\.", r".\1_proj."),
        (r"\.layernorm_after\.", ".ffn_norm."),
        (r"\.ffn\.conv1\.conv\.", ".ffn.expand."),
        (r"\.ffn\.conv2\.conv\.", ".ffn.project."),
        (r"\.layernorm\.", ".norm."),
        (r"\.conv_projection\.", ".to_channels."),
    ],
    "ml-cvnets": [
        (r"\.block\.", "."),
        (r"^conv_1\.", "stem."),
        (r"^layer_1\.", "stages.0."),
        (r"^layer_2\.", "stages.1."),
        (r"^layer_3\.", "stages.2."),
        (r"^layer_4\.", "stages.3."),
        (r"^layer_5\.", "stages.4."),
        (r"\.exp_1x1\.", ".expand."),
        (r"\.conv_3x3\.", ".depthwise."),
        (r"\.red_1x1\.", ".project."),
        (r"\.local_rep\.0\.", ".local."),
        (r"\.local_rep\.1\.conv\.", ".to_tokens."),
        (_INSIDE_CVNETS_LAYER + r"\.pre_norm_attn\.0\.", r"\1.layers.\2.attention_norm."),
        (_INSIDE_CVNETS_LAYER + r"\.pre_norm_attn\.1\.(qkv|out)_proj\.conv\.", r"\1.layers.\2.attention.\3_proj."),
        (_INSIDE_CVNETS_LAYER + r"\.pre_norm_ffn\.0\.", r"\1.layers.\2.ffn_norm."),
        (_INSIDE_CVNETS_LAYER + r"\.pre_norm_ffn\.1\.conv\.", r"\1.layers.\2.ffn.expand."),
        (_INSIDE_CVNETS_LAYER + r"\.pre_norm_ffn\.3\.conv\.", r"\1.layers.\2.ffn.project."),
        (_INSIDE_CVNETS_LAYER + r"\.(weight|bias)$", r"\1.norm.\3"),
        (r"\.conv_proj\.", ".to_channels."),
        (r"^classifier\.1\.", "classifier."),
    ],
}
# A tensor that only one layout has, by that name.
_SIGNATURES = {
    "own": "stages.0.0.expand.conv.weight",
    "timm": "stages.0.0.conv1_1x1.conv.weight",
    "transformers": "encoder.layer.0.layer.0.expand_1x1.convolution.weight",
    "ml-cvnets": "layer_1.0.block.exp_1x1.block.conv.weight",
}

_WIDTHS = {"050": 0.5, "075": 0.75, "100": 1.0, "125": 1.25, "150": 1.5, "175": 1.75, "200": 2.0}
DIGITS = {"width_multiplier": 0.25, "num_classes": 10, "in_channels": 1}


def checkpoint_layout(state_dict: Mapping[str, Tensor]) -> str:
    """Return which code base named these tensors: "own", "timm", "transformers" or "ml-cvnets".

    Raises
    ------
    CheckpointError
        If the names are those of none of them.

    Notes
    -----
    Built in notebook 06.
    """
    for layout, signature in _SIGNATURES.items():
        if signature in state_dict or f"mobilevitv2.{signature}" in state_dict:
            return layout
    some = ", ".join(list(map(str, state_dict))[:3]) or "no tensors at all"
    raise CheckpointError(
        f"this is not a MobileViTv2 checkpoint in a layout known here ({', '.join(_SIGNATURES)}): it holds {some}"
    )


def convert_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint under our names and in our shapes, whatever its layout.

    Built in notebook 06.
    """
    rules = _RULES[checkpoint_layout(state_dict)]
    converted: dict[str, Tensor] = {}
    for original, tensor in state_dict.items():
        _check_tensor(original, tensor)
        name = original
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        parts = _split_projections(name, tensor)
        if parts.keys() & converted.keys():
            raise CheckpointError(f"two tensors of the checkpoint are {name} in our names; {original} is the second")
        converted.update(parts)
    return converted


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


def save_checkpoint(model: MobileViTv2, path: str | os.PathLike, dtype: torch.dtype | None = None) -> None:
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

    Raises
    ------
    ValueError
        If the path does not end in `.safetensors`, if `dtype` is no floating-point type, or if a weight is not finite
        or too large for it.

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
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as folder:
        partial = Path(folder) / path.name
        partial.write_bytes(save(tensors))
        os.replace(partial, path)


def load_pretrained(name: str) -> MobileViTv2:
    """Return a model with trained weights, in evaluation mode.

    Parameters
    ----------
    name : str
        `"digits"` for the small model shipped with this library (grey 64×64 pictures of handwritten digits, ten
        classes, no network needed). Or one of timm's names for Apple's ImageNet weights: `"mobilevitv2_050"` …
        `"mobilevitv2_200"`, optionally with a tag such as `".cvnets_in1k"` (the default) or, for 150, 175 and 200,
        `".cvnets_in22k_ft_in1k"` and `".cvnets_in22k_ft_in1k_384"`. They are fetched once from the Hugging Face hub
        (5 to 74 MB), checked against the SHA-256 published there, and kept in its cache.

    Raises
    ------
    ValueError
        If no weights of that name are known.
    OfflineError
        If the hub cannot be reached and the weights are not in the cache.
    DownloadError
        If the hub does not deliver the file whole and unaltered.

    Notes
    -----
    Built in notebook 06.
    """
    if name == "digits":
        with as_file(files(__package__) / "assets" / "digits.safetensors") as path:
            return load_checkpoint(MobileViTv2(**DIGITS), path).eval()
    model_name, _, tag = name.partition(".")
    width = _WIDTHS.get(model_name.removeprefix("mobilevitv2_"))
    if width is None or not model_name.startswith("mobilevitv2_"):
        known = ", ".join(f"mobilevitv2_{code}" for code in _WIDTHS)
        raise ValueError(f"there are no pretrained weights called {name!r}: choose digits or one of {known}")
    path = _download(f"timm/{model_name}.{tag or 'cvnets_in1k'}", "model.safetensors", width)
    return load_checkpoint(MobileViTv2(width), path).eval()


def _split_projections(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Take a fused `qkv_proj` apart and turn the 1×1 convolutions of a transformer layer into linear layers."""
    if ".layers." in name and tensor.ndim == 4 and tensor.shape[2:] == (1, 1):
        tensor = tensor.flatten(1)  # [out, in, 1, 1] -> [out, in]
    if ".attention.qkv_proj." in name:
        if tensor.ndim == 0 or len(tensor) < 3 or len(tensor) % 2 == 0:
            raise CheckpointError(f"{name} has shape {tuple(tensor.shape)}, but 1 + 2d rows are expected")
        dim = (len(tensor) - 1) // 2
        # Row 0 is the paper's W_I, the next d rows are W_K, the last d rows W_V.
        parts = zip(("W_I", "W_K", "W_V"), tensor.split([1, dim, dim]), strict=True)
        return {name.replace("qkv_proj", part): rows for part, rows in parts}
    return {name.replace(".attention.out_proj.", ".attention.W_O."): tensor}


def _check_tensor(name: object, tensor: object) -> None:
    """Raise unless this is a named, ordinary tensor with finite values that can be copied."""
    if not isinstance(name, str):
        raise CheckpointError(f"{name!r} is not the name of a tensor: pass the state dict itself")
    if not isinstance(tensor, Tensor):
        raise CheckpointError(f"{name} holds a {type(tensor).__name__}, not a tensor: pass the state dict itself")
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
        raise CheckpointError(f"{name} is sparse, quantised or without values: only ordinary tensors can be loaded")
    if tensor.is_floating_point() and not tensor.isfinite().all():
        raise CheckpointError(f"{name} holds NaN or infinite values")


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


def _download(repository: str, filename: str, width: float) -> Path:
    """Return the path of a file of a hub repository in the local cache, downloaded if need be, and verified."""
    # Imported here because only a download needs it: it takes longer to import than this library.
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    url = hf_hub_url(repository, filename)
    by_hand = (
        "Or download it on another machine and load the file with "
        f"mv.load_checkpoint(mv.MobileViTv2({width}), 'path/to/{filename}')"
    )
    published = unreachable = None
    try:
        published = get_hf_file_metadata(url).etag
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        raise DownloadError(f"the hub has no file {url}: check the name of the model") from error
    except Exception as error:  # the hub client's transport errors change class between its versions
        unreachable = error

    try:
        path = Path(hf_hub_download(repository, filename, local_files_only=unreachable is not None))
    except LocalEntryNotFoundError as error:
        raise OfflineError(
            f"could not reach {url} ({unreachable or error}), and the cache does not hold it: check the network "
            f"connection and that HF_HUB_OFFLINE is not set, then try again. {by_hand}"
        ) from error
    except Exception as error:
        raise DownloadError(f"the download of {url} broke off ({error}): try again. {by_hand}") from error

    if unreachable:
        # Without the hub's word, the cache's own: it stores a file under the name of its SHA-256 and links to it.
        published = path.resolve().name
        if published == filename:  # a file system without links keeps no such name; it was verified when it came
            return path
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != published:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise DownloadError(
            f"{url} arrived with SHA-256 {actual}, but the hub publishes {published}: the file was removed from the "
            f"cache, try again. {by_hand}"
        )
    return path
