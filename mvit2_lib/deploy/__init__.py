"""A trained model goes to work.

`fast` gives the same numbers sooner, `mobile` is the form that phones have fast kernels for, `exporting` writes files
for other runtimes, and `run_onnx.py` answers from such a file without PyTorch.
"""

from .exporting import export
from .fast import fuse, optimize_for_inference

__all__ = ["export", "fuse", "optimize_for_inference"]
