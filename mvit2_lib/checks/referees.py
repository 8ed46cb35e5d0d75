"""timm and transformers as referees, where they are installed."""

import contextlib
import importlib
import sys
from types import ModuleType

import torch


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
