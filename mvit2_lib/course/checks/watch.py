"""Watch an attempt while it runs: which functions of PyTorch it calls, and how much it multiplies."""

import dis
import linecache
import re
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from io import StringIO

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# How a name looks on either side of PyTorch's dispatcher: `torch.softmax` ends in `aten._softmax`.
_ALIASES = {"special_softmax": "softmax", "special_log_softmax": "log_softmax", "special_logsumexp": "logsumexp"}
_MULTIPLICATIONS = {"mul", "mul_", "addcmul", "addcmul_", "div", "div_"}


class _Calls(TorchFunctionMode):
    """Collect the names of the functions that a caller calls."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        self.names.add(_ALIASES.get(name, name))
        return function(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    """Collect the names of the operators that run, and count their multiplications.

    Products of matrices and of single numbers count alike, so that nobody saves work by writing it in another way.
    """

    def __init__(self):
        super().__init__()
        self.names, self.macs = set(), 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        self.names.add(name.strip("_"))
        if name in ("mm", "bmm", "mv", "dot"):
            self.macs += args[0].numel() * (args[1].shape[-1] if args[1].ndim > 1 and name != "mv" else 1)
        elif name in ("addmm", "baddbmm", "addmv"):
            self.macs += args[1].numel() * (args[2].shape[-1] if args[2].ndim > 1 else 1)
        elif name == "convolution":
            self.macs += result.numel() * args[1][0].numel()
        elif name in _MULTIPLICATIONS:
            self.macs += result.numel()
        return result


def watched(function: Callable, arguments: tuple) -> tuple[set[str], int]:
    """Return the names of all PyTorch functions that a call uses, and its multiply–accumulates."""
    calls, operations = _Calls(), _Operations()
    with redirect_stdout(StringIO()), suppress(Exception), torch.no_grad(), calls, operations:
        function(*arguments)
    return calls.names | operations.names, operations.macs


class _Nonsense(TorchFunctionMode):
    """Note the first function that makes numbers which are not finite out of numbers that are."""

    def __init__(self):
        super().__init__()
        self.found = ""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = [arg for arg in args if isinstance(arg, torch.Tensor) and arg.is_floating_point()]
        name = getattr(function, "__name__", "").strip("_")
        if self.found or not tensors or not isinstance(result, torch.Tensor) or not result.is_floating_point():
            return result
        with torch._C.DisableTorchFunction():
            fine = all(bool(tensor.isfinite().all()) for tensor in tensors)
            if fine and not bool(result.isfinite().all()):
                kind = "NaN" if result.isnan().any() else "infinite numbers"
                reason = ""
                if name in ("log", "log2", "log10", "sqrt", "pow") and (tensors[0] < 0).any():
                    reason = ": numbers below zero go in"
                elif name in ("log", "log2", "log10"):
                    reason = ": a zero goes in"
                elif name in ("exp", "exp2"):
                    reason = f": {tensors[0].max().item():.4g} goes in, which is too large for a float"
                elif name in ("div", "truediv", "rdiv", "reciprocal"):
                    reason = ": it divides by zero" if any((t == 0).any() for t in tensors[-1:]) else ""
                self.found = f"`{name}` is the first to return {kind}{reason}"
        return result


def first_nonsense(function: Callable, arguments: tuple, got, wanted) -> str:
    """Say which function has made numbers that are not finite, where finite ones are wanted."""
    if not (isinstance(got, torch.Tensor) and isinstance(wanted, torch.Tensor)):
        return ""
    if got.is_complex() or got.isfinite().all() or not wanted.isfinite().all():
        return ""
    watching = _Nonsense()
    with redirect_stdout(StringIO()), suppress(Exception), watching:
        function(*arguments)
    kind = "NaN" if got.isnan().any() else "infinite numbers"
    return f"the result holds {kind}; {watching.found}" if watching.found else ""


def raised(error: BaseException, attempt) -> str:
    """Say what was raised, in which line of an attempt, and which shapes its tensors had there."""
    code = getattr(getattr(attempt, "forward", attempt), "__code__", None)
    if code is None or error.__traceback__ is None:
        return ""
    frames = [f for f in traceback.walk_tb(error.__traceback__) if f[0].f_code.co_filename == code.co_filename]
    if not frames:
        return ""
    frame, number = frames[-1]
    line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals)
    summary = traceback.extract_tb(error.__traceback__)[
        [f[0] for f in traceback.walk_tb(error.__traceback__)].index(frame)
    ]
    if getattr(summary, "colno", None) is not None and summary.end_lineno == number:  # the very expression
        line = line.encode()[summary.colno : summary.end_colno].decode(errors="replace")
    line = " ".join(line.split()).removeprefix("return ").strip()
    if not line:
        return ""
    names = re.findall(r"[A-Za-z_]\w*", line)
    shapes = [
        f"{name} is {list(frame.f_locals[name].shape)}"
        for name in dict.fromkeys(names)
        if isinstance(frame.f_locals.get(name), torch.Tensor)
    ]
    message = str(error).partition("\n")[0] or "without a message"
    where = f"in `{line if len(line) <= 70 else line[:69] + '…'}`" + (f", where {', '.join(shapes)}" if shapes else "")
    return f"{where}, it raised {type(error).__name__}: {message}"


def is_empty(attempt: Callable) -> bool:
    """Say whether a function, or the `forward` of a class, has a body that computes nothing: a stub."""
    code = getattr(getattr(attempt, "forward", attempt), "__code__", None)
    if code is None:
        return False
    steps = {step.opname for step in dis.get_instructions(code)}
    if "RAISE_VARARGS" in steps and code.co_names == ("NotImplementedError",):
        steps -= {"RAISE_VARARGS", "LOAD_GLOBAL", "CALL", "PRECALL", "PUSH_NULL"}
    return steps <= {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "COPY_FREE_VARS", "MAKE_CELL"}
