"""MobileViTv2 from scratch: the library behind the course on separable self-attention.

Every name here is built in front of the reader in one of the notebooks; its docstring says in which.
"""

from .attention import (
    FusedMultiHeadSelfAttention,
    LinformerSelfAttention,
    MultiHeadSelfAttention,
    SeparableSelfAttention,
)
from .blocks import InvertedResidual, MobileViTv2Block
from .checkpoints import (
    CheckpointError,
    DownloadError,
    OfflineError,
    load_checkpoint,
    load_pretrained,
    save_checkpoint,
)
from .cost import count_macs, count_parameters
from .data import load_digits
from .images import ImageError, imagenet_classes, open_image, preprocess, sample_picture
from .model import MobileViTv2
from .patches import fold, unfold

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "DownloadError",
    "FusedMultiHeadSelfAttention",
    "ImageError",
    "InvertedResidual",
    "LinformerSelfAttention",
    "MobileViTv2",
    "MobileViTv2Block",
    "MultiHeadSelfAttention",
    "OfflineError",
    "SeparableSelfAttention",
    "count_macs",
    "count_parameters",
    "fold",
    "imagenet_classes",
    "load_checkpoint",
    "load_digits",
    "load_pretrained",
    "open_image",
    "preprocess",
    "sample_picture",
    "save_checkpoint",
    "unfold",
]
