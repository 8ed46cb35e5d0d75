"""Kills a training run again and again at any moment, lets it go on each time, and compares where it ends.

The moments are counted in the run's own computing time, so that a busy machine changes nothing. `test_interruptions.py`
has a few of them each time, and many with `pytest -m slow`; `python tests/killed_run.py` prints what happens.
"""

import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from micro import digits, exit_code, forked, small_mobilevitv2, trained

import mvit2_lib as mv
from mvit2_lib.training.state import State

STEPS = 12
FILES = STEPS + 6  # a state after every step and every epoch, the best weights up to twice, the last, the history
RECIPE = mv.Recipe(epochs=2, batch_size=16, mixup=0.2, cutmix=1.0, average=0.9, warmup_steps=4)
RESULTS = ("last.safetensors", "best.safetensors", "history.json")


def run(folder: Path, prepare: Callable[[], None] = lambda: None) -> None:
    """Train from the beginning, or go on, and save the state after every step."""
    torch.set_num_threads(1)
    prepare()
    trained(RECIPE, STEPS // 2 * 16, digits("test", 30), folder, model=small_mobilevitv2, save_every=1)


def whole_run(folder: Path) -> tuple[list[bytes], float]:
    """Return the files of a run that nobody kills, and the computing time of a step."""
    begin = os.times()
    assert exit_code(forked(run, folder)) == 0
    end = os.times()
    seconds = end.children_user + end.children_system - begin.children_user - begin.children_system
    return [(folder / name).read_bytes() for name in RESULTS], seconds / STEPS


def die_later(step: int, seconds: float) -> None:
    """Let this process be killed after so many seconds of its own computing time since it saved a step."""
    save = State.save

    def saving(self) -> None:
        save(self)
        if self.step == step:
            # The signal of this clock is one that nobody handles here: it ends the process at once, like SIGKILL.
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, seconds)

    State.save = saving


def die_while_saving(number: int) -> None:
    """Let this process kill itself when its so many-th file is half written."""
    whole, files = os.fsync, itertools.count(1)

    def fsync(descriptor: int) -> None:
        whole(descriptor)
        if next(files) == number:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fsync


def saved_step(folder: Path) -> int:
    """Return the last step that a run has saved."""
    state = folder / "state.pt"
    return torch.load(state, weights_only=True)["step"] if state.exists() else 0


def ends_the_same(folder: Path, expected: list[bytes]) -> bool:
    """Let a run go on, and compare what it leaves."""
    ended_well = exit_code(forked(run, folder)) == 0
    left = [path for path in folder.glob(".*") if path.name != ".mvit2.lock"]
    return ended_well and not left and [(folder / name).read_bytes() for name in RESULTS] == expected


def main(place: Path, tries: int) -> None:
    """Print one line for each try: when the run was killed, and whether it ended the same."""
    expected, second = whole_run(place / "whole")
    seed = time.time_ns()  # other moments each time: any of them must do
    print("seed", seed)
    moments = random.Random(seed)
    for number in range(tries):
        folder = place / str(number)
        if number % 2:
            how = die_while_saving, moments.randint(1, STEPS)
        else:
            how = die_later, moments.randrange(1, STEPS), moments.uniform(0.05, 0.9) * second
        code = exit_code(forked(run, folder, lambda how=how: how[0](*how[1:])))
        step = saved_step(folder)
        result = "the same" if ends_the_same(folder, expected) else "ANOTHER RESULT"
        print(f"{how[0].__name__} {how[1:]}: ended with {code} after step {step}, then {result}", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 10)
