"""timm and transformers as referees, where they are installed, and weights under which no mistake cancels."""

import contextlib
import importlib
import sys
from types import ModuleType

import torch
from torch import nn

from ..weights.layouts import to_layout
from ..weights.pretrained import load_pretrained


def referee(name: str) -> ModuleType | None:
    """Import a reference implementation; where it cannot be imported, say so in a line and return None.

    timm and transformers import torchvision, whose compiled operators may be missing or built for another PyTorch. The
    models compared here use none of them: it is enough to declare the two for which torchvision registers shape rules.
    Used in notebook 06.
    """
    try:
        _declare_torchvision_operators()
        return importlib.import_module(name)
    except Exception as error:  # whatever goes wrong in an import, the notebook goes on without it
        reason = "it is not installed" if isinstance(error, ModuleNotFoundError) else f"{type(error).__name__}: {error}"
        print(f"{name} cannot be used here ({reason}), so this comparison is left out")
        return None


@torch.no_grad()
def randomise(module: nn.Module) -> nn.Module:
    """Make all weights, biases and norms of a module random, in place, and return it in evaluation mode.

    At their defaults norms and biases do nothing, and weights are too small to matter. Built in notebook 04.
    """
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif tensor.ndim == 1 and tensor.is_floating_point():
            tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.3)
        elif tensor.ndim > 1:
            # Large enough for the picture to matter; the classifier's smaller, for logits of ordinary size.
            gain = 0.5 if name.startswith(("head.", "classifier.")) else 2.0
            tensor.normal_(0.0, (gain / tensor[0].numel()) ** 0.5)
    return module.eval()


def timm_digits(timm: ModuleType) -> tuple[nn.Module, dict]:
    """Return timm's own model with the weights of our digit model, and the settings for timm's own transform.

    timm has no model of this width, but its class can be told the channels of every part. Used in notebook 06.
    """
    ours = load_pretrained("digits")
    narrow = timm.models.mobilevit._mobilevitv2_cfg(ours.model.config["width_multiplier"])
    channels = ours.model.stem.conv.out_channels  # the official rule keeps the stem at 16 or more, timm's does not
    model = timm.create_model("mobilevitv2_050", blocks=narrow.blocks, stem_chs=channels, num_classes=10, in_chans=1)
    model.load_state_dict(to_layout(ours.model.state_dict(), model.state_dict(), "timm"))
    wanted = ours.preparation
    size = (wanted.channels, wanted.image_size, wanted.image_size)
    settings = {"input_size": size, "crop_pct": wanted.crop_fraction, "interpolation": wanted.interpolation}
    return model.eval(), {**settings, "mean": (0.0,), "std": (1.0,)}


def _declare_torchvision_operators() -> None:
    try:
        import torchvision  # noqa: F401
    except ModuleNotFoundError:
        return
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            with contextlib.suppress(RuntimeError):  # declared by the first, failed import
                _LIBRARY.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


_LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
