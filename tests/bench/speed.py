"""How fast are the forms of MobileViTv2? `make bench` measures them side by side, for `records.measured`.

Every form runs in a process of its own, and the processes take turns: in each round every form answers once, so that a
busy moment of the machine hits all of them. In one process they would disturb each other, because the C library gives
memory back to the system, or keeps it, depending on what was allocated before: timm's model took 22 or 30 ms that way.

Before anything is timed, every form of one network has to give the same logits. Memory is how much the process grew
while it loaded the model and answered.

On a machine with a GPU, `tests/bench/speed.py --gpu` measures there, by the GPU's own clock and in one process.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

sys.path.insert(0, str(Path(__file__).parents[1]))
from references import randomise, timm, timm_model, transformers_model

import mvit2_lib as mv
from mvit2_lib.course import timing
from mvit2_lib.course.records import Measurement, Timings
from mvit2_lib.deploy import exporting, fuse

# A form is a network and what runs it. "kept" means that the C library keeps freed memory instead of giving it back.
RUNTIMES = ("ONNX Runtime", "ExecuTorch")
WAYS = ("plain", "optimised", "compiled", "plain, kept", "optimised, kept", *RUNTIMES)
FORMS = [
    *(("timm", way) for way in ("plain", "plain, kept", "folded", "compiled", *RUNTIMES)),
    *(("ours", way) for way in (*WAYS, *(f"{runtime}, 8 bits" for runtime in RUNTIMES))),
    ("transformers", "plain"),
    *(("multi-head", way) for way in ("plain", "optimised", *RUNTIMES)),
    *((name, way) for name in ("v1", "v1 spelled out") for way in ("plain", *RUNTIMES)),
    ("floor", "F.linear"),
    ("floor", "packed"),
]
MEASURED = Path(mv.__file__).parent / "assets" / "measured"
V1 = {0.5: "mobilevit_xxs", 1.0: "mobilevit_s"}  # of similar accuracy
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**33)}


def network(name: str, width: float) -> nn.Module:
    """Return a network with random weights; timm's, transformers' and ours have the same.

    "v1 spelled out" computes its attention by products and a softmax, and not by PyTorch's one operator for it.
    """
    torch.manual_seed(round(100 * width))
    if name.startswith("v1"):
        model = randomise(timm.create_model(V1[width]))
        for module in model.modules():
            if hasattr(module, "fused_attn"):
                module.fused_attn = name == "v1"
        return model
    if name == "multi-head":
        return randomise(mv.MobileViTv2(width, attention="fused_multi_head"))
    reference = timm_model(width)
    if name == "timm":
        return reference
    ours = mv.load_checkpoint(mv.MobileViTv2(width), reference.state_dict()).eval()
    if name == "transformers":
        theirs = transformers_model(width)
        theirs.load_state_dict(mv.weights.layouts.to_layout(ours.state_dict(), theirs.state_dict(), "transformers"))
        return theirs
    return ours


def picture(batch: int, side: int) -> Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(1))


def write_file(name: str, width: float, side: int, batch: int, way: str, path: Path) -> None:
    """Write the file of a network for a runtime."""
    model, x = network(name, width), picture(batch, side)
    if name in ("ours", "multi-head") and batch == 1:
        ranges = [x] if way.endswith("8 bits") else None
        exporting.AGREEMENT = 0  # of random weights only the time counts
        mv.export(model, path, {".onnx": "onnx", ".pte": "executorch"}[path.suffix], side, quantize=ranges)
    elif way == "ONNX Runtime":
        torch.onnx.export(
            fuse(model) if name == "ours" else model, (x,), path, dynamo=True, external_data=False, verbose=False
        )
    else:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        program = torch.export.export(model, (x,))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        path.write_bytes(lowered.to_executorch().buffer)


def load(name: str, way: str, width: float, side: int, batch: int, threads: int, path: Path) -> Callable[[], Tensor]:
    """Return a function that answers for the picture."""
    x = picture(batch, side)
    if way.startswith(RUNTIMES):
        answer = load_file(path, threads)
        return lambda: answer(x)
    if name == "floor":
        return floor(network("ours", width), x, packed=way == "packed")
    model = network(name, width)
    if way == "folded":
        model, x = fold_timm(model).to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    elif way.startswith("optimised"):
        model = mv.optimize_for_inference(model)
    elif way == "compiled" and name == "ours":
        model = mv.optimize_for_inference(model, compile=True)
    elif way == "compiled":
        model = torch.compile(model, dynamic=False, options={"freezing": True})
    return lambda: model(x).logits if name == "transformers" else model(x)


def load_file(path: Path, threads: int = 1) -> Callable[[Tensor], Tensor]:
    """Return a function that answers as the file does in its runtime."""
    if path.suffix == ".onnx":
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
    from executorch.runtime import Runtime

    _unsafe_reset_threadpool(threads)
    method = Runtime.get().load_program(str(path)).load_method("forward")
    return lambda x: method.execute((x,))[0]


def fold_timm(model: nn.Module) -> nn.Module:
    """Fold the batch norms of timm's model into the convolutions before them."""
    for block in model.modules():
        if hasattr(block, "conv") and hasattr(block, "bn"):
            block.conv, block.bn = fuse_conv_bn_eval(block.conv, block.bn), block.bn.act
    return model


def floor(model: nn.Module, x: Tensor, packed: bool) -> Callable[[], Tensor]:
    """Return the convolutions and products of a network with nothing in between, each on random numbers of its shape.

    `packed` takes oneDNN's product with a weight that was laid out for it beforehand, as compiled models do.
    """
    work, hooks = [], []
    numbers, result = torch.randn(64 * x.numel()), torch.empty(64 * x.numel())

    def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        B, C, *sides = inputs[0].movedim(-1, 1).shape if isinstance(module, nn.Linear) else inputs[0].shape
        rows = numbers[: inputs[0].numel()].view(B, *sides, C)
        if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1):
            work.append(lambda: module(rows.movedim(-1, 1)))
            return
        weight, rows = module.weight.flatten(1).contiguous(), rows.view(-1, C)
        bias = torch.zeros(len(weight)) if module.bias is None else module.bias
        out = result[: output.numel()].view(len(rows), len(weight))
        if packed and min(weight.shape) > 1:
            laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, len(rows))
            work.append(lambda: torch.ops.mkldnn._linear_pointwise(rows, laid_out, bias, "none", [], ""))
        else:
            work.append(lambda: torch.addmm(bias, rows, weight.T, out=out))

    model = fuse(model).to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(note))
    model(x)
    for hook in hooks:
        hook.remove()
    return lambda: [part() for part in work][-1]


def memory(line: str) -> int:
    """Return what the kernel says of this process: VmRSS, what it holds now, or VmHWM, the most it held."""
    found = [row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(line)]
    return 1024 * int(found[0].split()[1])


def worker(pipe, name: str, way: str, *setting) -> None:
    """Load a form, say what it answers and how much memory that took, and then answer as often as asked."""
    torch.set_num_threads(setting[-2])
    warnings.simplefilter("ignore")
    with torch.inference_mode():
        before = memory("VmRSS")
        answer = load(name, way, *setting)
        logits = answer().clone()
        answer()
        pipe.send((logits.numpy(), memory("VmHWM") - before))
        while repeats := pipe.recv():
            start = time.perf_counter()
            for _ in range(repeats):
                answer()
            pipe.send((time.perf_counter() - start) / repeats)


def contest(forms: list, width: float, how: dict, folder: Path) -> list:
    """Return a measurement of each form."""
    side, batch, threads, rounds = (how[name] for name in ("side", "batch", "threads", "rounds"))
    context, running, rows, references = multiprocessing.get_context("spawn"), {}, [], {}
    for name, way in forms:
        ending = {"ONNX Runtime": "onnx", "ExecuTorch": "pte"}.get(way.partition(",")[0])
        path = folder / f"{name}-{way}-{width}-{side}-{batch}.{ending}"
        if ending and not path.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                one = context.Process(target=write_file, args=(name, width, side, batch, way, path))
                one.start(), one.join()
        ours, theirs = context.Pipe()
        os.environ.update(KEPT if way.endswith("kept") or name == "floor" else {})
        process = context.Process(target=worker, args=(theirs, name, way, width, side, batch, threads, path))
        process.start()
        theirs.close()
        for variable in KEPT:
            os.environ.pop(variable, None)
        try:
            logits, peak = ours.recv()
        except EOFError:
            print(f"  {name}, {way}: failed", flush=True)
            continue
        group = "same" if name in ("timm", "ours", "transformers") else name.partition(" ")[0]
        reference = references.setdefault(group, logits)
        difference = float(abs(logits - reference).max())
        if name != "floor":
            print(f"  {name}, {way}: logits differ by {difference:.0e}", flush=True)
            # timm's own file for ExecuTorch adds up its norms one number at a time
            exact = way.endswith("8 bits") or difference < (1e-3 if (name, way) == ("timm", "ExecuTorch") else 2e-5)
            assert exact, (name, way)
        size = path.stat().st_size if ending else None
        running[name, way] = process, ours, peak, size, []
    for _ in range(rounds + 1):  # the first is for warming up, and says how often to repeat
        for _, pipe, _, _, times in running.values():
            pipe.send(max(1, round(0.1 / times[0])) if times else 2)
            times.append(pipe.recv())
    for (name, way), (process, pipe, peak, size, times) in running.items():
        pipe.send(0)
        process.join()
        rows.append(Measurement(f"{name}, {way}", round(100 * width), tuple(times[1:]), peak, size))
    return rows


def on_gpu(width: float, batch: int = 16) -> Timings:
    """Return how long networks take on the GPU, over the side of the picture."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 throughout

    def contestant(name: str, way: str) -> Callable[[int], Callable[[], Tensor]]:
        model = network(name, width).cuda()
        model = mv.optimize_for_inference(model) if way == "optimised" else model

        def prepare(side: int) -> Callable[[], Tensor]:
            x = picture(batch, side).cuda()

            def answer() -> Tensor:
                with torch.inference_mode():
                    return model(x)

            return answer

        return prepare

    ways = [(name, way) for name, way in FORMS if name in ("timm", "ours", "multi-head", "v1")]
    forms = {f"{name}, {way}": contestant(name, way) for name, way in ways if way in ("plain", "optimised")}
    title = f"α = {width}, batch {batch}, float32"
    return timing.measure(forms, [256, 512, 1024], device="cuda", rounds=9, memory=True, progress=False, title=title)


def table(timings: Timings) -> str:
    """Return the measurements as text: milliseconds, and the median of the rounds' ratios to timm's plain model."""
    lines = [f"{timings.title}\n{timings.machine}\n"]
    sizes = sorted({row.size for row in timings.measurements})
    lines.append(f"{'':28}" + "".join(f"{f'α = {size / 100}':>40}" for size in sizes))
    lines.append(f"{'':28}" + f"{'ms':>12}{'ratio':>8}{'MB more':>10}{'file MB':>10}" * len(sizes))
    for name in timings.names:
        line = f"{name:28}"
        for size in sizes:
            try:
                row = timings[name, size]
            except KeyError:
                line += " " * 40
                continue
            peak, file = (f"{n / 1e6:.1f}" if n is not None else "" for n in (row.peak_bytes, row.file_bytes))
            ratio = timings.ratio(timings.names[0], name, size)
            line += f"{1e3 * statistics.median(row.seconds):12.2f}{ratio:8.2f}{peak:>10}{file:>10}"
        lines.append(line)
    return "\n".join(lines)


USUAL = {"plain", "optimised", *RUNTIMES}
SETTINGS = {
    "batch_1": {"side": 256, "batch": 1, "threads": 1, "rounds": 15, "ways": None},
    # A phone takes one picture at a time.
    "batch_8": {"side": 256, "batch": 8, "threads": 1, "rounds": 7, "ways": USUAL - {"ExecuTorch"}},
    "all_threads": {"side": 256, "batch": 1, "threads": os.cpu_count(), "rounds": 9, "ways": USUAL},
    "512_pixels": {"side": 512, "batch": 1, "threads": 1, "rounds": 9, "ways": USUAL - {"ONNX Runtime"}},
}


def main() -> None:
    """Measure, print the tables and write the records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SETTINGS, nargs="*", default=list(SETTINGS))
    parser.add_argument("--widths", type=float, nargs="*", default=[0.5, 1.0, 2.0])
    parser.add_argument("--into", type=Path, default=MEASURED)
    parser.add_argument("--gpu", action="store_true", help="measure on the GPU instead")
    options = parser.parse_args()
    if options.gpu:
        for width in V1:
            on_gpu(width).save(options.into / f"gpu_{round(100 * width):03d}.json")
        return
    with tempfile.TemporaryDirectory() as folder:
        for setting in options.only:
            how, rows = SETTINGS[setting], []
            for width in options.widths if setting != "512_pixels" else options.widths[:2]:
                ways = how["ways"] or {way for _, way in FORMS}
                forms = [(name, way) for name, way in FORMS if way in ways and (width in V1 or "v1" not in name)]
                print(f"{setting}, α = {width}", flush=True)
                rows += contest(forms, width, how, Path(folder))
            title = f"{how['side']}×{how['side']} pixels, batch {how['batch']}"
            timings = Timings(timing.machine("cpu", how["threads"]), tuple(rows), title)
            timings.save(options.into / f"{setting}.json")
            print("\n" + table(timings) + "\n", flush=True)


if __name__ == "__main__":
    main()
