"""MobileViTv2 from scratch: the library behind the course on separable self-attention.

The subject is five files: `attention`, `patches`, `blocks`, `model` and `cost`. Around it, `deploy` makes the same
numbers faster and takes them to other runtimes, `data` reads pictures, `weights` loads what others have trained, and
`training` trains and evaluates.
"""

from ._guard import FileError, RetryError
from .attention import (
    FusedMultiHeadSelfAttention,
    LinformerSelfAttention,
    MultiHeadSelfAttention,
    SeparableSelfAttention,
)
from .blocks import InvertedResidual, MobileViTv2Block
from .cost import count_macs, count_parameters
from .data.datasets import PictureFolder, Pictures
from .data.reading import open_image
from .data.samples import imagenet_classes, load_digits, sample_picture
from .data.splits import split_folder
from .data.transforms import Preparation, preprocess
from .deploy import export, optimize_for_inference
from .model import MobileViTv2
from .patches import fold, unfold
from .training.evaluation import accuracy, evaluate
from .training.freezing import freeze
from .training.loop import train
from .training.recipe import FINE_TUNING, Recipe
from .weights.checkpoints import load_checkpoint, load_model, save_checkpoint
from .weights.pretrained import Pretrained, load_pretrained

__version__ = "0.2.0"

__all__ = [
    "FINE_TUNING",
    "FileError",
    "FusedMultiHeadSelfAttention",
    "InvertedResidual",
    "LinformerSelfAttention",
    "MobileViTv2",
    "MobileViTv2Block",
    "MultiHeadSelfAttention",
    "PictureFolder",
    "Pictures",
    "Preparation",
    "Pretrained",
    "Recipe",
    "RetryError",
    "SeparableSelfAttention",
    "accuracy",
    "count_macs",
    "count_parameters",
    "evaluate",
    "export",
    "fold",
    "freeze",
    "imagenet_classes",
    "load_checkpoint",
    "load_digits",
    "load_model",
    "load_pretrained",
    "open_image",
    "optimize_for_inference",
    "preprocess",
    "sample_picture",
    "save_checkpoint",
    "split_folder",
    "train",
    "unfold",
]
