"""Files for other runtimes, each compared with the model before it is kept."""

import contextlib
import importlib
import io
import json
import logging
import os
import platform
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .._guard import RetryError, printable, whole_number, write_whole
from ..model import MobileViTv2
from .fast import fuse
from .mobile import MobileForm

ENDINGS = {"onnx": ".onnx", "executorch": ".pte", "coreml": ".mlpackage"}
# What each needs: names to import, and to install.
PACKAGES = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "executorch": ("executorch", "torchao"),
    "coreml": ("coremltools",),
}
OLDEST_TORCH = (2, 11)  # that was tried
TOLERANCE = 1e-5  # times the largest logit, if that is above one
AGREEMENT = 0.9  # share of pictures to which an 8-bit file must give the model's best answer


def export(
    model: MobileViTv2,
    path: str | os.PathLike,
    to: str = "onnx",
    image_size: int | tuple[int, int] = 256,
    dynamic: bool = False,
    quantize: Sequence[Tensor] | None = None,
    notes: Mapping[str, object] | None = None,
) -> float | None:
    """Write a model to a file for another runtime, if its answers there are those of the model.

    Used in notebook 09.

    Parameters
    ----------
    model : MobileViTv2
        A model in evaluation mode; it stays as it is.
    path : str or path
        The file, ending in `.onnx`, `.pte` (ExecuTorch) or `.mlpackage` (Core ML, a folder).
    to : {"onnx", "executorch", "coreml"}
        The runtime. ONNX Runtime and ExecuTorch are asked for their answers before the file is kept. Core ML answers
        on Apple's systems only; elsewhere a warning says that nothing was compared.
    image_size : int or (int, int)
        Side, or height and width, of the pictures in pixels, at least 32.
    dynamic : bool
        Whether the file takes any batch and any height and width that are multiples of 64. ONNX only.
    quantize : sequence of Tensor or None
        Pictures `[B, C, H, W]` as the model gets them: weights and maps become 8-bit integers, with ranges measured on
        these pictures. A hundred typical ones are enough. ONNX and ExecuTorch only.
    notes : mapping or None
        What the file shall say of itself, such as `pretrained.notes_for(pretrained.classes)`. In ONNX and Core ML it
        lies in the metadata, in ExecuTorch in a method `notes`; the values are text, or JSON.

    Returns
    -------
    float or None
        The largest difference between two logits, the file's and the model's; None where nothing could be compared.

    Raises
    ------
    ValueError
        If the model is in training mode, or the runtime, the size or the pictures make no sense.
    RuntimeError
        If a package is missing or too old, or the file answers differently. No file is written then.
    RetryError
        If the file cannot be written. What was there before is untouched.
    """
    _check_request(model, path, to, dynamic)
    size = _height_and_width(image_size, dynamic)
    pictures = _pictures(model, size) if quantize is None else _for_ranges(quantize, model, size, to)
    notes = {key: text if isinstance(text, str) else json.dumps(text) for key, text in (notes or {}).items()}
    if "image_size" in notes and size != (int(notes["image_size"]),) * 2:
        raise ValueError(f"the notes speak of pictures of {notes['image_size']} pixels, and the file takes {size}")
    with quietly():
        for name in PACKAGES[to]:
            _check_package(name, to)
    with torch.no_grad():
        tried = _tried(pictures, dynamic)
        expected = [model(picture) for picture in tried]
        if not all(logits.isfinite().all() for logits in expected):
            raise ValueError("the model's own logits are not finite: a weight is NaN, or too large")
        with quietly():
            try:
                if to == "onnx":
                    content, answer = _to_onnx(model, pictures, notes, quantize is not None, dynamic)
                elif to == "executorch":
                    content, answer = _to_executorch(model, pictures, notes, quantize is not None)
                else:
                    content, answer = _to_core_ml(model, pictures, notes)
            except Exception as error:  # a runtime of another version may refuse in any way
                raise RuntimeError(f"not written: {to} did not take the model ({_reason(error)})") from error
            answers = [answer(picture) for picture in tried] if answer else None
    difference = _compare(expected, answers, quantize is not None) if answers else None
    if isinstance(content, bytes):
        write_whole(path, content)
    else:
        _write_folder(Path(path), content)
    if difference is None:
        warnings.warn("Core ML answers on Apple's systems only: the file was not compared with the model", stacklevel=2)
    return difference


# Three writers: each returns the content of the file, and a function that answers as the file does


def _to_onnx(
    model: MobileViTv2, pictures: Sequence[Tensor], notes: Mapping[str, str], quantized: bool, dynamic: bool
) -> tuple[bytes, Callable[[Tensor], Tensor]]:
    onnx, onnxruntime = (importlib.import_module(name) for name in ("onnx", "onnxruntime"))
    shapes = None
    if dynamic:
        sides = {axis: 64 * torch.export.Dim(name, min=1, max=64) for axis, name in ((2, "rows"), (3, "columns"))}
        shapes = ({0: torch.export.Dim("batch", min=1, max=4096)} | sides,)
    # Whatever is one in the example, such as a map of one patch, would be taken for fixed.
    example = torch.rand(2, *pictures[0].shape[1:2], 128, 192) if dynamic else pictures[0][:1]
    proto = onnx_graph(fuse(model), (example,), ["image"], ["logits"], shapes)
    if quantized:
        proto = _quantized_onnx(onnx, proto, pictures)
    onnx.helper.set_model_props(proto, dict(notes))
    onnx.checker.check_model(proto, full_check=True)
    content = proto.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def answer(image: Tensor) -> Tensor:
        batches = [image] if dynamic else image.split(1)
        return torch.from_numpy(np.concatenate([session.run(None, {"image": one.numpy()})[0] for one in batches]))

    return content, answer


def onnx_graph(
    module: nn.Module, example: tuple, inputs: Sequence[str], outputs: Sequence[str], shapes: tuple | None = None
) -> object:
    """Return the ONNX graph of a module, with these names; `shapes` says which axes of the example may change."""
    program = torch.onnx.export(
        module,
        example,
        dynamo=True,
        dynamic_shapes=shapes,
        input_names=inputs,
        output_names=outputs,
        verbose=False,
    )
    proto = program.model_proto
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output, proto.graph):
        del part.metadata_props[:]  # which line of which file made it: half of the file, and nobody's business
    return proto


def _quantized_onnx(onnx: ModuleType, proto: object, pictures: Sequence[Tensor]) -> object:
    """Return the network with 8-bit convolutions and products; their ranges are measured on the pictures."""
    quantization = importlib.import_module("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter([{"image": one[None].numpy()} for picture in pictures for one in picture])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, small = (Path(folder, f"{name}.onnx") for name in ("plain", "prepared", "small"))
        onnx.save(proto, plain)
        quantization.shape_inference.quant_pre_process(plain, prepared)
        quantization.quantize_static(
            prepared,
            small,
            Reader(),
            per_channel=True,
            reduce_range=True,  # weights of seven bits: many processors add two products in 16 bits, which overflow
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return onnx.load(small)


def _to_executorch(
    model: MobileViTv2, pictures: Sequence[Tensor], notes: Mapping[str, str], quantized: bool
) -> tuple[bytes, Callable[[Tensor], Tensor]]:
    exir = importlib.import_module("executorch.exir")
    partition = importlib.import_module("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    runtime = importlib.import_module("executorch.runtime").Runtime.get()
    example = (pictures[0][:1].contiguous(),)
    form = MobileForm(model)
    if quantized:
        form = _quantized_executorch(form, example, pictures)
    lowered = exir.to_edge_transform_and_lower(
        torch.export.export(form, example),
        partitioner=[partition.XnnpackPartitioner()],
        constant_methods={"notes": json.dumps(dict(notes))},
    )
    content = bytes(lowered.to_executorch().buffer)
    method = runtime.load_program(content).load_method("forward")

    def answer(image: Tensor) -> Tensor:
        return torch.cat([method.execute((one[None].contiguous(),))[0].clone() for one in image])

    return content, answer


def _quantized_executorch(form: nn.Module, example: tuple[Tensor], pictures: Sequence[Tensor]) -> nn.Module:
    """Return the form for phones with 8-bit convolutions; their ranges are measured on the pictures."""
    recipes = importlib.import_module("executorch.backends.xnnpack.quantizer.xnnpack_quantizer")
    steps = importlib.import_module("torchao.quantization.pt2e.quantize_pt2e")
    quantizer = recipes.XNNPACKQuantizer()
    settings = recipes.get_symmetric_quantization_config(is_per_channel=True)
    for operator in (torch.ops.aten.conv2d.default, torch.ops.aten.linear.default):
        quantizer.set_operator_type(operator, settings)
    prepared = steps.prepare_pt2e(torch.export.export(form, example).module(), quantizer)
    for picture in pictures:
        for one in picture:
            prepared(one[None].contiguous())
    return steps.convert_pt2e(prepared)


def _to_core_ml(
    model: MobileViTv2, pictures: Sequence[Tensor], notes: Mapping[str, str]
) -> tuple[object, Callable[[Tensor], Tensor] | None]:
    coremltools = importlib.import_module("coremltools")
    example = (pictures[0][:1],)
    program = torch.export.export(MobileForm(model), example).run_decompositions({})
    converted = coremltools.convert(
        program,
        inputs=[coremltools.TensorType(name="image", shape=example[0].shape)],
        outputs=[coremltools.TensorType(name="logits")],
        minimum_deployment_target=coremltools.target.iOS16,
        compute_precision=coremltools.precision.FLOAT32,
    )
    converted.user_defined_metadata.update(notes)
    if platform.system() == "Darwin":
        return converted, lambda image: torch.cat(
            [torch.from_numpy(converted.predict({"image": one[None].numpy()})["logits"]) for one in image]
        )
    return converted, None


# What is checked before, and after


def _check_request(model: nn.Module, path: str | os.PathLike, to: str, dynamic: bool) -> None:
    if to not in ENDINGS:
        raise ValueError(f"there is no export to {to!r}: choose one of {', '.join(map(repr, ENDINGS))}")
    path = Path(path)
    if path.suffix != ENDINGS[to]:
        raise ValueError(f"a file for {to} ends in {ENDINGS[to]}, and {printable(path)} does not")
    if not path.absolute().parent.is_dir():
        raise RetryError(f"could not write {printable(path)} (there is no such folder)")
    if not isinstance(model, MobileViTv2):
        raise TypeError(f"expected a MobileViTv2, not a {type(model).__name__}: export makes its fast form itself")
    if any(part.training for part in model.modules()):
        raise ValueError("a model in training mode cannot be exported: call model.eval() first")
    weight = model.stem.conv.weight
    if (weight.device.type, weight.dtype) != ("cpu", torch.float32):
        here = f"{weight.device.type} in {str(weight.dtype).removeprefix('torch.')}"
        raise ValueError(
            f"a model is exported from the cpu in float32, not from {here}: call model.cpu().float() first"
        )
    if dynamic and to != "onnx":
        raise ValueError(f"a file for {to} has one size of pictures: leave dynamic out, or export to onnx")


def _for_ranges(quantize: Sequence[Tensor], model: MobileViTv2, size: tuple[int, int], to: str) -> list[Tensor]:
    """Return the pictures for 8-bit ranges, if the model can take them."""
    if to == "coreml":
        raise ValueError("8-bit files are made for onnx and executorch, not for coreml")
    pictures, wanted = list(quantize), [model.config["in_channels"], *size]
    if not pictures or any(not isinstance(one, Tensor) or one.ndim != 4 for one in pictures):
        raise ValueError("quantize= needs pictures [B, C, H, W] as the model gets them, to measure ranges on")
    for picture in pictures:
        if list(picture.shape[1:]) != wanted:
            raise ValueError(f"quantize= has pictures of {list(picture.shape[1:])}, and the file takes {wanted}")
    return pictures


def _height_and_width(image_size: int | tuple[int, int], dynamic: bool) -> tuple[int, int]:
    sides = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(sides) != 2:
        raise ValueError(f"image_size is a side, or height and width, not {image_size!r}")
    height, width = (whole_number("image_size", side, least=32, most=4096) for side in sides)
    if dynamic and (height % 64 or width % 64):
        raise ValueError(f"a file for all sizes takes multiples of 64 pixels, and {height}×{width} is none")
    return height, width


def _check_package(name: str, to: str) -> None:
    if tuple(map(int, torch.__version__.split(".")[:2])) < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        raise RuntimeError(f"export needs PyTorch {oldest} or newer, not {torch.__version__}: pip install -U torch")
    try:
        importlib.import_module(name)
    except Exception as error:  # a package built for another PyTorch may fail in any way
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        reason = "is not installed" if missing else f"cannot be imported ({type(error).__name__}: {error})"
        install = " ".join(PACKAGES[to])
        raise RuntimeError(f"export to {to} needs {name}, which {reason}: pip install {install}") from error


def _reason(error: BaseException) -> str:
    """Return the first line of what went wrong at the bottom, without the colours that exporters print in."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().partition("\n")[0]
    return f"{type(error).__name__}: {line}"


def _pictures(model: MobileViTv2, size: tuple[int, int]) -> list[Tensor]:
    """Return pictures that a network tells apart: noise, soft blotches, and a bright half."""
    random = torch.Generator().manual_seed(0)
    channels = model.config["in_channels"]
    noise = torch.rand(1, channels, *size, generator=random)
    blotches = F.interpolate(torch.rand(1, channels, 5, 4, generator=random), size, mode="bilinear")
    half = 0.1 + 0.8 * (torch.arange(size[1]) < size[1] // 2).float().expand(1, channels, *size)
    return [noise, blotches, half.contiguous()]


def _tried(pictures: Sequence[Tensor], dynamic: bool) -> list[Tensor]:
    """Return the pictures on which a file is compared with the model; for all sizes, another batch and size too."""
    if not dynamic:
        return list(pictures)
    wide = F.interpolate(pictures[-1], [side + 64 for side in pictures[-1].shape[-2:]], mode="bilinear")
    return [*pictures, torch.cat(list(pictures)), wide]


def _compare(ours: Sequence[Tensor], theirs: Sequence[Tensor], quantized: bool) -> float:
    """Return the largest difference between two logits; raise if the file does not answer as the model does."""
    difference = max(float((one - other).abs().max()) for one, other in zip(ours, theirs, strict=True))
    if quantized:
        best = [torch.cat(logits).argmax(dim=1) for logits in (ours, theirs)]
        agreement = float((best[0] == best[1]).float().mean())
        if not agreement >= AGREEMENT:
            raise RuntimeError(
                f"not written: with 8-bit numbers the best answer stays the same for {agreement:.0%} of the pictures "
                f"only, and {AGREEMENT:.0%} are wanted: give more pictures, and ones as the model was trained on"
            )
        return difference
    limit = TOLERANCE * max(1.0, *(float(one.abs().max()) for one in ours))
    if not difference <= limit:  # NaN is no answer either
        raise RuntimeError(
            f"not written: the file's logits differ from the model's by {difference:.2g}, and {limit:.1g} is allowed; "
            "another version of the runtime may do better"
        )
    return difference


def _write_folder(path: Path, converted: object) -> None:
    """Save a Core ML package, a folder, beside its name, and give it the name when it is whole."""
    folder = Path(tempfile.mkdtemp(prefix=f".{path.stem}.", dir=path.absolute().parent))
    try:
        converted.save(str(folder / path.name))
        older = folder / "older"
        if path.exists():  # a folder with content cannot be replaced in one step
            os.replace(path, older)
        try:
            os.replace(folder / path.name, path)
        except BaseException:
            if older.exists():
                os.replace(older, path)
            raise
    except OSError as error:
        raise RetryError(f"could not write {printable(path)} ({error.strerror or error})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep silent what exporters print and log of their own affairs."""
    logging.disable(logging.WARNING)
    try:
        nowhere = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
