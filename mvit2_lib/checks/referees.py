"""timm and transformers as referees, where they are installed."""

import contextlib
import importlib
import sys
from types import ModuleType

import torch
from torch import nn

from ..checkpoints import DIGITS, load_pretrained, preprocessing
from ..layouts import to_layout


def referee(name: str) -> ModuleType | None:
    """Import a reference implementation; where it cannot be imported, say so in a line and return None.

    timm and transformers import torchvision, whose compiled operators may be missing or built for another PyTorch. The
    models compared here use none of them: it is enough to declare the two for which torchvision registers shape rules.
    """
    try:
        _declare_torchvision_operators()
        return importlib.import_module(name)
    except Exception as error:  # whatever goes wrong in an import, the notebook goes on without it
        reason = "it is not installed" if isinstance(error, ModuleNotFoundError) else f"{type(error).__name__}: {error}"
        print(f"{name} cannot be used here ({reason}), so this comparison is left out")
        return None


def timm_digits(timm: ModuleType) -> tuple[nn.Module, dict]:
    """Return timm's own model with the weights of our digit model, and the settings for timm's own transform.

    timm has no model of this width, but its class can be told the channels of every part. Built in notebook 06.
    """
    ours = load_pretrained("digits")
    narrow = timm.models.mobilevit._mobilevitv2_cfg(DIGITS["width_multiplier"])
    channels = ours.stem.conv.out_channels  # the official rule keeps the stem at 16 or more, timm's does not
    model = timm.create_model("mobilevitv2_050", blocks=narrow.blocks, stem_chs=channels, num_classes=10, in_chans=1)
    model.load_state_dict(to_layout(ours.state_dict(), model.state_dict(), "timm"))
    sizes = preprocessing("digits")
    size = (sizes["channels"], sizes["image_size"], sizes["image_size"])
    settings = {"input_size": size, "crop_pct": sizes["crop_fraction"], "interpolation": sizes["interpolation"]}
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
