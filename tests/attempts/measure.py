"""Measure the checks: `python tests/attempts/measure.py [files]` runs attempts whose worth is known.

Without files it takes all of this folder; `--all` prints every remark.
A file holds `RIGHT` and `WRONG` tables, or `ATTEMPTS`, a list of
`(check, "right" or "wrong", cause, function or class)`.
"""

import contextlib
import importlib.util
import io
import re
import sys
from collections import Counter
from pathlib import Path

import torch

from mvit2_lib.course import checks

HERE = Path(__file__).parent
# What a check says where it knows no more than the number: that names no cause.
NUMBER_ONLY = re.compile(
    r"off by up to|it returned (?!a |the text|\d+ thing).* (is|are) wanted$"
    r"|not yet: (.* for .*)?the result has shape|holds (NaN|inf)(?!.*;)|in wrong places"
    r"|(not yet:|for [^`]*) it raised \w+:|result cannot be compared"
)


def attempts_of(path: Path) -> list[tuple]:
    """Return the attempts that a file holds, in the form of `ATTEMPTS`."""
    spec = importlib.util.spec_from_file_location(f"attempts_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    right = [(name, "right", "", attempt) for name, all_ in getattr(module, "RIGHT", {}).items() for attempt in all_]
    wrong = [(name, "wrong", word, a) for name, all_ in getattr(module, "WRONG", {}).items() for a, word in all_]
    return [*right, *wrong, *getattr(module, "ATTEMPTS", [])]


def verdict(name: str, attempt) -> str:
    """Return what the check says after its title."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        getattr(checks, name)(attempt)
    return printed.getvalue().splitlines()[-1].partition(": ")[2]


def judged(worth: str, remark: str) -> str:
    """Return under which head an attempt is counted."""
    if worth == "right":
        return "right ones accepted" if remark == "right" else "right ones REFUSED"
    if remark == "right":
        return "wrong ones ACCEPTED"
    return "wrong ones with a number only" if NUMBER_ONLY.search(remark) else "wrong ones diagnosed"


def main() -> None:
    torch.set_num_threads(1)
    paths = [Path(name) for name in sys.argv[1:] if name != "--all"] or sorted(
        [*HERE.glob("notebook_*.py"), *HERE.glob("reader_*.py")]
    )
    counts: dict[str, Counter] = {}
    for path in paths:
        for name, worth, cause, attempt in attempts_of(path):
            notebook = getattr(checks, name).name.partition(".")[0]
            remark = verdict(name, attempt)
            head = judged(worth, remark)
            counts.setdefault(notebook, Counter())[head] += 1
            if "--all" in sys.argv or head not in ("right ones accepted", "wrong ones diagnosed"):
                print(f"{head}: {name}, {cause or 'no cause given'} ({path.stem}): {remark}")
    for notebook, counter in [*sorted(counts.items()), ("all", sum(counts.values(), Counter()))]:
        wrong = sum(number for head, number in counter.items() if head.startswith("wrong"))
        share = counter["wrong ones diagnosed"] / wrong if wrong else 0
        print(f"notebook {notebook}: {dict(sorted(counter.items()))}, diagnosed {share:.0%}")


if __name__ == "__main__":
    main()
