"""Does the timing notebook ever fail for no reason? Run it again and again, on an idle and on a busy machine.

`python tests/false_alarms.py --idle 20 --busy 20` runs notebook 03 under strict nbval that often, the second time with
neighbours that keep every core busy. It prints how the runs ended and exits with 1 if any of them failed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
NBVAL = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=600"]


# Neighbours take the processor, the memory, or both in turns. They end with their parent, whatever happens to that.
NEIGHBOUR = """
import os
parent, memory = os.getppid(), bytes(2**26)
while os.getppid() == parent:
    for _ in range({counting}):
        sum(range(100000))
    for _ in range({copying}):
        bytearray(memory)
"""
KINDS = ({"counting": 1, "copying": 0}, {"counting": 0, "copying": 1}, {"counting": 200, "copying": 20})


@contextmanager
def busy_cores(number: int):
    """Keep that many cores busy, with programs of several kinds."""
    programs = [NEIGHBOUR.format(**KINDS[index % len(KINDS)]) for index in range(number)]
    processes = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(notebook: Path) -> float | None:
    """Run a notebook once; return the seconds it took, or None if it failed, after printing why."""
    start = time.perf_counter()
    result = subprocess.run([*NBVAL, str(notebook)], cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace")
    if result.returncode:
        print(result.stdout[-5000:], result.stderr[-2000:], sep="\n")
        return None
    return time.perf_counter() - start


def main() -> None:
    """Print the runs, and exit with 1 if there was a false alarm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--idle", type=int, default=3, help="runs on the machine as it is (3)")
    parser.add_argument("--busy", type=int, default=3, help="runs with every core kept busy (3)")
    parser.add_argument("--notebook", type=Path, default=ROOT / "notebooks" / "03_quadratic_vs_linear.ipynb")
    options = parser.parse_args()
    failures = 0
    for name, number, cores in (("idle", options.idle, 0), ("busy", options.busy, os.cpu_count() or 1)):
        if not number:
            continue
        with busy_cores(cores):
            seconds = [run(options.notebook) for _ in range(number)]
        passed = [time for time in seconds if time is not None]
        failures += number - len(passed)
        times = f"{min(passed):.0f}-{max(passed):.0f} s, median {statistics.median(passed):.0f} s" if passed else ""
        print(f"{name}: {len(passed)} of {number} runs passed; {times}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
