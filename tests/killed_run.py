"""Kills a training run with SIGKILL again and again, lets it go on each time, and compares where it ends.

Run by `test_training.py` in a process of its own: it forks, so that a run starts in no time.
"""

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch._dynamo  # the first step of an optimizer imports it: here once, not in every child

import mvit2_lib as mv

torch.set_num_threads(1)
TRIES, STEPS = 10, 12
RECIPE = mv.Recipe(epochs=2, batch_size=16, mixup=0.2, cutmix=1.0, average=0.9, warmup_steps=4)
IMAGES, LABELS = (tensor[:96] for tensor in mv.load_digits("train"))
VALIDATION = mv.Pictures(*(tensor[:30] for tensor in mv.load_digits("test")))


def run(folder: Path) -> None:
    """Train from the beginning, or go on, and save the state after every step."""
    torch.manual_seed(0)
    model = mv.MobileViTv2(0.25, num_classes=10, in_channels=1)
    mv.train(model, mv.Pictures(IMAGES, LABELS), RECIPE, VALIDATION, folder, save_every=1, progress=False)


def forked(folder: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Begin the run in a child process, after some preparation there, and return its number."""
    child = os.fork()
    if child == 0:
        try:
            prepare()
            run(folder)
        except BaseException as error:  # whatever happens, the child must not go on as its parent
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def ended_well(child: int) -> bool:
    """Wait for a child process and return whether it ended by itself and without an error."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def saved_step(folder: Path) -> int:
    """Return the last step that a run has saved."""
    state = folder / "state.pt"
    return torch.load(state, weights_only=True)["step"] if state.exists() else 0


def kill(child: int, folder: Path, step: int, later: float) -> None:
    """Kill a run so many seconds after it has saved a step, whatever it is doing then."""
    running = os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
    while saved_step(folder) < step and os.waitid(*running) is None:
        time.sleep(0.002)
    time.sleep(later)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def die_while_saving(number: int) -> None:
    """Let this process kill itself when its so many-th file is half written."""
    whole, files = os.fsync, itertools.count(1)

    def fsync(descriptor: int) -> None:
        whole(descriptor)
        if next(files) == number:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fsync


def main(place: Path) -> None:
    """Print one line for each try: at which step the run was killed, and whether it ended the same."""
    begin = time.perf_counter()
    assert ended_well(forked(place / "whole"))
    duration = time.perf_counter() - begin
    files = ("last.safetensors", "best.safetensors")
    expected = [(place / "whole" / name).read_bytes() for name in files]
    moments = random.Random(time.time_ns())  # other moments each time: any of them must do
    steps, file = moments.sample(range(STEPS), TRIES), moments.randint(2, STEPS)
    for number in range(TRIES + 1):
        folder = place / str(number)
        if number == TRIES:
            child = forked(folder, lambda: die_while_saving(file))
            print("killed while saving:", not ended_well(child) and any(folder.glob(".*.partial")))
        else:
            kill(forked(folder), folder, steps[number], moments.uniform(0, duration / STEPS))
        step = saved_step(folder)
        same = ended_well(forked(folder)) and [(folder / name).read_bytes() for name in files] == expected
        left = [path.name for path in folder.glob(".*.partial")]
        print(f"killed after step {step}: {'the same' if same else 'ANOTHER RESULT'}", left or "", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
