"""The names that four code bases give to the same tensors, and the way from each of them to ours."""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from .._guard import FileError, printable

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


def checkpoint_layout(state_dict: Mapping[str, Tensor]) -> str:
    """Return which code base named these tensors: "own", "timm", "transformers" or "ml-cvnets"."""
    return _layout_and_prefix(state_dict)[0]


def is_known(state_dict: Mapping) -> bool:
    """Return whether these are the names of a MobileViTv2 in one of the four layouts."""
    try:
        return bool(checkpoint_layout(state_dict))
    except FileError:
        return False


def _layout_and_prefix(state_dict: Mapping[str, Tensor]) -> tuple[str, str]:
    """Return the layout, and what a wrapper such as DistributedDataParallel or torch.compile put before every name."""
    for layout, signature in _SIGNATURES.items():
        for name in state_dict:
            if isinstance(name, str) and name.endswith(signature):
                prefix = name.removesuffix(signature).removesuffix("mobilevitv2.")
                if not prefix or prefix.endswith("."):
                    return layout, prefix
    some = ", ".join(printable(name) for name in list(state_dict)[:3]) or "no tensors at all"
    raise FileError(
        f"this is not a MobileViTv2 checkpoint in a layout known here ({', '.join(_SIGNATURES)}): it holds {some}"
    )


def our_name(name: str, layout: str) -> str:
    """Return our name for a tensor of another layout; the fused `qkv_proj` keeps its name."""
    for pattern, replacement in _RULES[layout]:
        name = re.sub(pattern, replacement, name)
    return name


def convert_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint under our names and in our shapes, whatever its layout."""
    layout, prefix = _layout_and_prefix(state_dict)
    converted: dict[str, Tensor] = {}
    for original, tensor in state_dict.items():
        if prefix and not str(original).startswith(prefix):  # a loss, a metric, a count: no part of the model
            continue
        _check_tensor(original, tensor)
        name = our_name(original.removeprefix(prefix), layout)
        parts = _split_projections(name, tensor)
        if parts.keys() & converted.keys():
            raise FileError(f"two tensors of the checkpoint are {name} in our names; {original} is the second")
        converted.update(parts)
    return converted


def to_layout(state_dict: Mapping[str, Tensor], names: Iterable[str], layout: str) -> dict[str, Tensor]:
    """Return our tensors under the `names` and in the shapes of another code base: the way back.

    `names` are all names of the other state dict, in its order.
    """
    converted = {}
    for name in names:
        ours = our_name(name, layout).replace(".attention.out_proj.", ".attention.W_O.")
        parts = [ours.replace("qkv_proj", part) for part in ("W_I", "W_K", "W_V")] if "qkv_proj" in ours else [ours]
        tensor = torch.cat([state_dict[part] for part in parts]) if len(parts) > 1 else state_dict[ours]
        # Inside a transformer layer the others have 1×1 convolutions where we have linear layers.
        converted[name] = tensor[..., None, None] if ".layers." in ours and tensor.ndim == 2 else tensor
    return converted


def _split_projections(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Take a fused `qkv_proj` apart and turn the 1×1 convolutions of a transformer layer into linear layers."""
    if ".layers." in name and tensor.ndim == 4 and tensor.shape[2:] == (1, 1):
        tensor = tensor.flatten(1)  # [out, in, 1, 1] -> [out, in]
    if ".attention.qkv_proj." in name:
        if tensor.ndim == 0 or len(tensor) < 3 or len(tensor) % 2 == 0:
            raise FileError(f"{name} has shape {tuple(tensor.shape)}, but 1 + 2d rows are expected")
        dim = (len(tensor) - 1) // 2
        # Row 0 is the paper's W_I, the next d rows are W_K, the last d rows W_V.
        parts = zip(("W_I", "W_K", "W_V"), tensor.split([1, dim, dim]), strict=True)
        return {name.replace("qkv_proj", part): rows for part, rows in parts}
    return {name.replace(".attention.out_proj.", ".attention.W_O."): tensor}


def _check_tensor(name: object, tensor: object) -> None:
    """Raise unless this is a named, ordinary tensor with finite values that can be copied."""
    if not isinstance(name, str):
        raise FileError(f"{name!r} is not the name of a tensor: pass the state dict itself")
    if not isinstance(tensor, Tensor):
        raise FileError(f"{printable(name)} holds a {type(tensor).__name__}, not a tensor: pass the state dict itself")
    ordinary = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized
    # A small file can hold a tensor of any size that repeats one number; looking at it would fill the memory.
    if not ordinary or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise FileError(
            f"{printable(name)} is sparse, quantised, expanded or without values: only ordinary tensors can be loaded"
        )
    if tensor.is_floating_point() and not tensor.isfinite().all():
        raise FileError(f"{printable(name)} holds NaN or infinite values")
