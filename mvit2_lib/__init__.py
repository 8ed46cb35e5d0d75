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
from .checkpoints import load_checkpoint, load_model, load_pretrained, preprocessing, save_checkpoint
from .cost import count_macs, count_parameters
from .data import DataError, PictureFolder, Pictures, load_digits
from .evaluation import accuracy, evaluate
from .files import SaveError
from .hub import DownloadError, OfflineError
from .images import ImageError, imagenet_classes, open_image, preprocess, sample_picture
from .layouts import CheckpointError
from .model import MobileViTv2
from .patches import fold, unfold
from .recipe import Recipe, RecipeError
from .training import TrainingError, train

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "DataError",
    "DownloadError",
    "FusedMultiHeadSelfAttention",
    "ImageError",
    "InvertedResidual",
    "LinformerSelfAttention",
    "MobileViTv2",
    "MobileViTv2Block",
    "MultiHeadSelfAttention",
    "OfflineError",
    "PictureFolder",
    "Pictures",
    "Recipe",
    "RecipeError",
    "SaveError",
    "SeparableSelfAttention",
    "TrainingError",
    "accuracy",
    "count_macs",
    "count_parameters",
    "evaluate",
    "fold",
    "imagenet_classes",
    "load_checkpoint",
    "load_digits",
    "load_model",
    "load_pretrained",
    "open_image",
    "preprocess",
    "preprocessing",
    "sample_picture",
    "save_checkpoint",
    "train",
    "unfold",
]
