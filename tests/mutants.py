"""How many small faults do the tests notice? Put some into one room of the library, one at a time, and count.

`python tests/mutants.py mvit2_lib/patches.py --tests tests/test_patches.py tests/test_blocks.py` lets cosmic-ray
(`pip install cosmic-ray`) change a copy of the repository, runs these tests against each change, and prints those that
nobody noticed. `--number 40` takes that many at random; without it all are tried, which may take hours.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db

ROOT = Path(__file__).parents[1]
CONFIG = """
[cosmic-ray]
module-path = {module}
timeout = {timeout}
excluded-modules = []
test-command = {command}

[cosmic-ray.distributor]
name = "local"
"""


def main() -> None:
    """Print the survivors, and the share of the faults that were noticed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("module", help="a file of the library")
    parser.add_argument("--tests", nargs="+", required=True, help="test files that should notice")
    parser.add_argument("--number", type=int, help="how many faults, chosen at random")
    parser.add_argument("--seed", type=int, default=0, help="of that choice (0)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one run of the tests (120)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "course")
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "my_notebooks"))
        # The copy comes first on the path, before the installed library.
        run = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *options.tests]
        command = f"env PYTHONPATH={copy} OMP_NUM_THREADS=1 {' '.join(run)}"
        subprocess.run(command, shell=True, check=True, cwd=copy, stdout=subprocess.DEVNULL)
        values = {"module": options.module, "timeout": options.timeout, "command": command}
        config, session = copy / "mutants.toml", copy / "mutants.sqlite"
        config.write_text(CONFIG.format(**{name: json.dumps(value) for name, value in values.items()}))
        subprocess.run(["cosmic-ray", "init", str(config), str(session)], check=True, cwd=copy)
        with use_db(session, WorkDB.Mode.open) as database:
            items = list(database.work_items)
            if options.number and options.number < len(items):
                items = random.Random(options.seed).sample(items, options.number)
                database.clear()
                database.add_work_items(items)
        subprocess.run(["cosmic-ray", "exec", str(config), str(session)], check=True, cwd=copy)
        with use_db(session, WorkDB.Mode.open) as database:
            results = dict(database.results)
    survivors = [item for item in items if results[item.job_id].test_outcome.value == "survived"]
    for item in survivors:
        (change,) = item.mutations
        print(f"survived: {change.operator_name} at {options.module}:{change.start_pos[0]}")
        print(results[item.job_id].diff)
    print(f"{len(items) - len(survivors)} of {len(items)} faults in {options.module} were noticed")


if __name__ == "__main__":
    main()
