"""Measurements that can be trusted: warmed up, on one thread, in interleaved rounds; and slopes with their uncertainty.

`measure` times any functions at any sizes and returns records that can be saved, loaded and drawn without measuring
again. `python -m mvit2_lib.course.timing FILE` measures the attentions of notebook 03, with `--device cuda` on a GPU.
"""

import argparse
import contextlib
import glob
import math
import os
import platform
import sys
import timeit
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.benchmark import Timer
from tqdm.auto import tqdm

from .._guard import printable, whole_number
from ..attention import (
    FusedMultiHeadSelfAttention,
    LinformerSelfAttention,
    MultiHeadSelfAttention,
    SeparableSelfAttention,
)
from .records import Measurement, Timings

# The profiler would write a line to stderr whenever it starts or stops.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

INNER_SECONDS = 2e-3  # what is shorter is repeated until it takes this long, so that reading the clock weighs nothing
FIT_FROM = 512  # tokens; below, the calls themselves take part of the time
ROUND_SECONDS = 5e-2  # what is shorter is timed up to five times a round: on a busy machine some are left in peace


class MeasurementError(RuntimeError):
    """Measuring ended early, or without some of the contestants; what was measured is in `timings`.

    Attributes
    ----------
    timings : Timings
        All records there are.
    interrupted : bool
        Whether somebody stopped the run, so that rounds are missing.
    """

    def __init__(self, message: str, timings: Timings, interrupted: bool = False):
        rest = "What was measured is not lost: it is in the .timings of this error"
        super().__init__(f"{message.rstrip('.')}. {rest if timings.measurements else 'Nothing was measured'}")
        self.timings, self.interrupted = timings, interrupted


def measure(
    contestants: Mapping[str, Callable[[int], Callable[[], object]]],
    sizes: Sequence[int],
    *,
    device: str = "cpu",
    rounds: int = 5,
    threads: int = 1,
    memory: bool = False,
    progress: bool = True,
    title: str = "",
) -> Timings:
    """Time some contestants at some sizes: warmed up, on one thread, in interleaved rounds.

    Each round times every contestant at every size, so that a busy moment of the machine hits all of them alike. What
    is shorter than two milliseconds is repeated until it takes as long. All that is done five times a round, or as
    often as 50 milliseconds allow, and the shortest counts.

    Parameters
    ----------
    contestants : mapping of str to callable
        From a size to a function without arguments, which is what is timed. Making the inputs is not timed.
    sizes : sequence of int
        Growing sizes, for example numbers of tokens.
    device : {"cpu", "cuda"}
        Where the functions compute. On "cuda" the time is taken by events on the GPU itself, after synchronising.
    rounds : int
        How often everything is timed.
    threads : int
        How many threads PyTorch may use on the CPU.
    memory : bool
        Whether to measure the most bytes held at once as well, with `peak_bytes`.
    progress : bool
        Whether to show a progress bar.
    title : str
        What was measured, in a few words; it is kept with the records.

    Returns
    -------
    Timings
        Records with seconds for each contestant, size and round.

    Raises
    ------
    ValueError
        If there are no contestants or no sizes, the sizes do not grow, or the device is not there.
    MeasurementError
        If a contestant raises, or the run is interrupted. A contestant that raises is left out from that size on; all
        others are measured to the end, and the records are in the error's `timings`.

    """
    _check_request(contestants, sizes, device, rounds, threads)
    run = _Run(device, threads, memory, title)
    pairs = [(name, size) for size in sizes for name in contestants]
    interrupted = False
    bar = tqdm(total=len(pairs) * rounds, desc="measuring", leave=False, disable=not progress)
    with bar, _threads(threads):
        try:
            for number in range(rounds):
                for name, size in pairs:
                    # Warmed up only now, so that a failure at a large size finds the small ones already timed.
                    if number == 0:
                        run.warm_up(name, size, contestants[name])
                    run.time(name, size)
                    bar.update()
        except KeyboardInterrupt:
            interrupted = True
    timings = run.timings(contestants, sizes)
    if interrupted or run.troubles:
        message = "; ".join(["interrupted"] * interrupted + list(run.troubles.values()))
        raise MeasurementError(message, timings, interrupted) from run.cause
    return timings


class _Run:
    """One call of `measure` under way: what is ready to be timed, what has been timed, and what went wrong."""

    def __init__(self, device: str, threads: int, memory: bool, title: str):
        self.device, self.memory, self.title = device, memory, title
        self.machine = machine(device, threads)  # now, while the device still answers
        self.ready: dict[tuple[str, int], tuple[Callable[[], object], int, int]] = {}
        self.seconds: dict[tuple[str, int], list[float]] = {}
        self.peaks: dict[tuple[str, int], int] = {}
        self.troubles: dict[str, str] = {}
        self.cause: Exception | None = None

    def warm_up(self, name: str, size: int, prepare: Callable[[int], Callable[[], object]]) -> None:
        if name in self.troubles:
            return
        with self.leaving_out(name, size):
            function = prepare(size)
            if not callable(function):
                kind = type(function).__name__
                raise TypeError(f"it must return a function to be timed, not a {kind}: lambda k: lambda: …")
            once = _seconds(function, 1, 1, self.device)
            if once < INNER_SECONDS:  # a single short call is a poor estimate
                once = min(_seconds(function, 3, 1, self.device), once)
            if self.memory:
                self.peaks[name, size] = peak_bytes(function, self.device)
            once = max(once, 1e-7)  # the clock of some systems stands still for less
            repeats = math.ceil(INNER_SECONDS / once)
            blocks = min(5, max(1, int(ROUND_SECONDS / (repeats * once))))
            self.ready[name, size] = function, repeats, blocks

    def time(self, name: str, size: int) -> None:
        if (name, size) not in self.ready:
            return
        with self.leaving_out(name, size):
            taken = _seconds(*self.ready[name, size], self.device)
            self.seconds.setdefault((name, size), []).append(taken)

    @contextlib.contextmanager
    def leaving_out(self, name: str, size: int) -> Iterator[None]:
        """Leave a contestant out from this size on if it raises."""
        try:
            yield
        except Exception as error:  # a contestant may fail in any way
            reason = str(error).partition("\n")[0] or "without a message"
            self.troubles.setdefault(name, f"{name!r} raised {type(error).__name__} at size {size}: {reason}")
            self.cause = self.cause or error.with_traceback(None)  # a traceback would keep its tensors alive
            self.ready = {key: value for key, value in self.ready.items() if key[0] != name or key[1] < size}

    def timings(self, names: Iterable[str], sizes: Sequence[int]) -> Timings:
        keys = [(name, size) for name in names for size in sizes if (name, size) in self.seconds]
        rows = (Measurement(*key, tuple(self.seconds[key]), self.peaks.get(key)) for key in keys)
        return Timings(self.machine, tuple(rows), self.title)


def peak_bytes(function: Callable[[], object], device: str = "cpu") -> int:
    """Return the most bytes that a function holds at one time, beyond what there was before. Used in notebook 03.

    It counts what PyTorch's allocator hands out, which does not depend on how fast or how busy the machine is. Call the
    function once before: what it sets up in its first call would be counted as well.
    """
    _check_device(device)
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        function()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        function()
    events = record.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    now = peak = 0
    for _, change in changes:
        now += change
        peak = max(peak, now)
    return peak


def breakdown(function: Callable[[], object], repeats: int = 20) -> dict[str, float]:
    """Return the seconds that each operator takes in one call, the longest first, on one thread of the CPU.

    The times are PyTorch's profiler's: of each operator without the operators that it calls. Where an operator runs
    several times in a call, each of them counts with its shortest time of all calls.
    """
    shortest: dict[tuple[str, int], float] = {}  # of the first, second, … run of an operator
    with _threads(1):
        function()
        for _ in range(repeats):
            with profile(activities=[ProfilerActivity.CPU]) as record:
                function()
            runs = Counter()
            for event in record.events():  # in the order of time
                runs[event.key] += 1
                run = event.key, runs[event.key]
                shortest[run] = min(event.self_cpu_time_total / 1e6, shortest.get(run, math.inf))
    operators = Counter()
    for (name, _), seconds in shortest.items():
        operators[name] += seconds
    return dict(operators.most_common())


def machine(device: str = "cpu", threads: int = 1) -> str:
    """Return what a reader must know to judge a time: processor, cores, threads, PyTorch."""
    _check_device(device)
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}"
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    # Those that this process may use: a container's share, not the whole server.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = ", ".join(f"{n} {noun if n == 1 else f'{noun}s'}" for n, noun in ((cores, "core"), (threads, "thread")))
    return f"{name} ({torch.backends.cpu.get_cpu_capability()}), {counts}, PyTorch {torch.__version__}"


def attentions(
    d: int = 64, heads: int = 4, p: int = 64, device: str = "cpu", backward: bool = False
) -> dict[str, Callable[[int], Callable[[], object]]]:
    """Return the four attentions of notebook 03 as contestants for `measure`.

    Parameters
    ----------
    d, heads, p : int
        Width of a token, number of heads, number of mixed tokens of Linformer.
    device : str
        Where they compute.
    backward : bool
        Whether the gradients of the input and of all weights are computed as well.

    Notes
    -----
    Built in notebook 03.
    """
    _check_device(device)

    def contestant(build: Callable[[int], nn.Module]) -> Callable[[int], Callable[[], object]]:
        def prepare(k: int) -> Callable[[], object]:
            module = build(k).to(device)
            x = torch.randn(1, k, d, device=device, requires_grad=backward)  # [B, k, d]

            def forward() -> None:
                with torch.inference_mode():
                    module(x)

            def forward_and_backward() -> None:
                torch.autograd.grad(module(x).sum(), [x, *module.parameters()])

            return forward_and_backward if backward else forward

        return prepare

    return {
        "multi-head, explicit": contestant(lambda k: MultiHeadSelfAttention(d, heads)),
        "multi-head, fused": contestant(lambda k: FusedMultiHeadSelfAttention(d, heads)),
        "Linformer": contestant(lambda k: LinformerSelfAttention(d, heads, k, p)),
        "separable": contestant(lambda k: SeparableSelfAttention(d)),
    }


def _seconds(function: Callable[[], object], repeats: int, blocks: int, device: str) -> float:
    """Return the mean of some calls in a row, the shortest of some such blocks.

    It warms up first, since the contestant before has emptied the caches.
    """
    function()
    if device == "cuda":
        return min(_gpu_seconds(function, repeats) for _ in range(blocks))
    # Timer's own clock would wait for a GPU as well, where there is one.
    clock, threads = timeit.default_timer, torch.get_num_threads()
    if repeats == 1:  # long enough to need no loop, and Timer would warm up before each
        return min(timeit.repeat(function, timer=clock, number=1, repeat=blocks))
    timer = Timer("function()", globals={"function": function}, timer=clock, num_threads=threads)
    return min(timer.timeit(repeats).mean for _ in range(blocks))


def _gpu_seconds(function: Callable[[], object], repeats: int) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(repeats):
        function()
    end.record()
    end.synchronize()  # calls return before the GPU is done; only now has the last one ended
    return start.elapsed_time(end) / 1e3 / repeats


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_device(device: str) -> None:
    if device not in ("cpu", "cuda", "meta"):
        raise ValueError(f"there is no device {device!r}: choose 'cpu' or 'cuda'")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("PyTorch finds no CUDA GPU on this machine: measure with device='cpu'")


def _check_request(contestants, sizes, device: str, rounds: int, threads: int) -> None:
    if not isinstance(contestants, Mapping):
        raise TypeError(f"contestants must be a dictionary from names to functions, not a {type(contestants).__name__}")
    if not contestants:
        raise ValueError("there is nothing to measure: name at least one contestant")
    if not isinstance(sizes, (Sequence, range)):
        raise TypeError(f"sizes must be a list of whole numbers, not a {type(sizes).__name__}")
    for name, prepare in contestants.items():
        if not callable(prepare):
            raise TypeError(f"contestant {name!r} must be a function of the size, not a {type(prepare).__name__}")
    if not len(sizes):
        raise ValueError("there are no sizes: give at least one, and at least two for a slope")
    for size in sizes:
        whole_number("a size", size)
    if any(size >= following for size, following in zip(sizes, sizes[1:], strict=False)):
        raise ValueError(f"the sizes must grow, but they are {list(sizes)}: sort them, and name each once")
    whole_number("rounds", rounds)
    whole_number("threads", threads)
    _check_device(device)


def merge(paths: Sequence[str], figure: Path) -> int:
    """Draw the records of many devices, such as the live page saves, into one figure, and print their slopes.

    What cannot be used is named and left out. Returns 1 if there was any, 2 if nothing could be drawn, and else 0.
    """
    from . import figures  # here, because measuring works without it

    # Some shells leave it to the program to find *.json; and a file may be named twice.
    found = [match for path in paths for match in (sorted(glob.glob(path)) or [path])]
    loaded: list[tuple[str, Timings]] = []
    troubles = []
    for path in {Path(path).resolve(): path for path in found}.values():
        try:
            timings = Timings.load(path)
            if not timings.measurements:
                raise ValueError(f"{path} holds no measurements")
            loaded.append((path, timings))
        except (ValueError, OSError) as error:
            troubles.append(str(error))
    titles = Counter(timings.title for _, timings in loaded)
    title = titles.most_common(1)[0][0] if titles else ""
    runs = [timings for _, timings in loaded if timings.title == title]
    troubles += [f"{path} holds {one.title!r}, most others {title!r}" for path, one in loaded if one.title != title]
    for timings in runs:
        slopes = [
            f"{name} {timings.slope(name, FIT_FROM)}"
            for name in timings.names
            if sum(size >= FIT_FROM for size in timings.sizes(name)) > 2
        ]
        print(f"{printable(timings.machine)}: {'; '.join(slopes) or f'too few sizes from {FIT_FROM} on for a slope'}")
    for trouble in troubles:
        print(f"left out: {printable(trouble)}")
    if not runs:
        print("nothing to draw")
        return 2
    figures.save(figures.devices(runs, FIT_FROM), figure)
    print(f"{figure}: {len(runs)} device{'s' * (len(runs) > 1)}")
    return int(bool(troubles))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the four attentions of notebook 03 and write the records to a file, or draw the records of a class."""
    parser = argparse.ArgumentParser(prog="python -m mvit2_lib.course.timing", description=main.__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="where the records go, as JSON; the figure, with --merge")
    parser.add_argument("--merge", nargs="+", metavar="RECORD", help="draw these records into one figure (devices.png)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--largest", type=int, default=4096, help="largest number of tokens; doubles from 64 (4096)")
    parser.add_argument("--backward", action="store_true", help="forward and backward instead of forward alone")
    options = parser.parse_args(arguments)
    if options.file is None and not options.merge:
        parser.error("say where the records go: python -m mvit2_lib.course.timing records.json")
    if options.largest < 128:
        parser.error("--largest must be at least 128: a slope needs two sizes")
    if options.file and not options.file.parent.is_dir():
        parser.error(f"there is no folder {options.file.parent}")
    if options.merge:
        figure = options.file or Path("devices.png")
        if figure.suffix != ".png":
            parser.error(f"the figure is a PNG, and {figure} does not end in .png")
        sys.exit(merge(options.merge, figure))
    sizes = [2**power for power in range(6, options.largest.bit_length())]
    way = "forward and backward" if options.backward else "forward"
    try:
        timings = measure(
            attentions(device=options.device, backward=options.backward),
            sizes,
            device=options.device,
            memory=True,
            title=f"one layer, d = 64, h = 4, p = 64, {way}",
        )
    except ValueError as error:
        parser.error(str(error))
    except MeasurementError as error:
        print(error)
        timings = error.timings
        if error.interrupted or not timings.measurements:
            # Never in place of good records.
            options.file = options.file.with_suffix(".partial.json")
    if timings.measurements:
        timings.save(options.file)
        print(f"{options.file}: {len(timings.measurements)} measurements on {timings.machine}")
    if options.file.name.endswith(".partial.json"):
        sys.exit(1)


if __name__ == "__main__":
    main()
