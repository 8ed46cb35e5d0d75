"""Is this machine ready for the course? And the reader's own copies: `python -m mvit2_lib.course.setup`."""

import argparse
import importlib
import json
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType

import torch
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

MINIMUM_PYTHON = "3.10"
_REINSTALL = (
    "run 'make lab' again, or in the course's environment: python -m pip install -e '.[course]' -c constraints.txt"
)
_ALWAYS = Marker("python_version > '3'")


def check_machine(requirements: Iterable[str] | None = None) -> None:
    """Print one line for each thing the course needs: `[OK]`, or `[FAIL]` with what to do about it.

    Works without a network, and raises nothing. None looks for what the course is installed with. Used in notebook 00.
    """
    results = [_python(), *(_package(line) for line in _requirements(requirements)), _matrix_product()]
    for name, problem, remedy in results:
        print(f"[FAIL] {name}: {problem}. What to do: {remedy}" if problem else f"[OK]   {name}")
    failed = sum(bool(problem) for _, problem, _ in results)
    print(f"{failed} of {len(results)} checks failed." if failed else "Your machine is ready.")


def _requirements(requirements: Iterable[str] | None) -> list[str]:
    if requirements is None:
        try:
            requirements = metadata.requires("mvit2_lib") or []
        except metadata.PackageNotFoundError:
            return ["mvit2_lib"]
    return [line for line in requirements if (Requirement(line).marker or _ALWAYS).evaluate({"extra": "course"})]


def _python() -> tuple[str, str, str]:
    current = platform.python_version()
    problem = "" if Version(current) >= Version(MINIMUM_PYTHON) else f"this is Python {current}"
    return f"Python {MINIMUM_PYTHON} or newer", problem, "install a newer Python and make the environment again"


def _package(line: str) -> tuple[str, str, str]:
    requirement = Requirement(line)
    name = f"{requirement.name} {requirement.specifier}".strip()
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return name, f"not installed for {sys.executable}", _REINSTALL
    fits = requirement.specifier.contains(version, prereleases=True)
    return name, "" if fits else f"found {version}", _REINSTALL


def _matrix_product() -> tuple[str, str, str]:
    name = "PyTorch multiplies two matrices"
    try:
        right = torch.equal(torch.ones(2, 3) @ torch.ones(3, 2), torch.full((2, 2), 3.0))
    except Exception as error:  # a broken installation may fail in any way, and this function reports all of them
        return name, f"{type(error).__name__}: {error}", _REINSTALL
    return name, "" if right else "the product is wrong", _REINSTALL


def optional(name: str) -> ModuleType | None:
    """Import a package that a notebook is about; if it is missing, say so once, and let all other cells do nothing.

    Run again where it has been installed in the meantime, it brings the cells back. Used in notebook 10.
    """
    try:
        package = importlib.import_module(name)
    except Exception as error:  # of a package that is there, too: Keras fails if its backend is missing
        package = None
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        reason = "is not installed" if missing else f"cannot be imported ({type(error).__name__}: {error})"
        remedy = f"pip install {name}" if missing else f"mend that, or pip install --upgrade {name}"
        print(f"The package {name} {reason}, so the cells of this notebook do nothing. In a terminal: {remedy}")
    shell = sys.modules["IPython"].get_ipython() if sys.modules.get("IPython") else None
    if shell is not None:
        shell.input_transformers_cleanup[:] = [t for t in shell.input_transformers_cleanup if t is not _leave_out]
        if package is None:
            shell.input_transformers_cleanup.append(_leave_out)
    return package


def _leave_out(lines: list[str]) -> list[str]:
    """Empty every cell but the one that asks for the package."""
    return lines if any("setup.optional(" in line for line in lines) else []


def copy_notebooks(
    course: Path = Path("notebooks"), mine: Path = Path("my_notebooks"), hide_answers: bool = False
) -> None:
    """Give the reader a copy of every notebook that has none yet, and change no other file.

    With `hide_answers`, for presenting: from a *Predict* question to the end of its section, no output is stored, code
    is collapsed, and text is folded.
    """
    mine.mkdir(exist_ok=True)
    new = []
    for original in sorted(course.glob("[0-9][0-9]_*.ipynb")):
        copy = mine / original.name
        if not copy.exists():
            shutil.copyfile(original, copy)
            if hide_answers:
                copy.write_text(_without_answers(original.read_text(encoding="utf-8")), encoding="utf-8")
            new.append(copy.name)
    print(f"{len(new)} new notebooks in {mine}; those that were there are as you left them")


def _without_answers(notebook: str) -> str:
    content, asked = json.loads(notebook), False
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            parts = re.split(r"^(?=###? |> \*\*Predict\.)", "".join(cell["source"]), flags=re.MULTILINE)
            for number, part in enumerate(parts):
                if number == 0 and asked and part.strip():
                    parts[0] = f"<details><summary>After the answer</summary>\n\n{part.strip()}\n\n</details>\n\n"
                elif number:
                    asked = part.startswith(">")
            cell["source"] = "".join(parts)
        elif asked:
            cell.update(outputs=[], execution_count=None)
            cell["metadata"]["jupyter"] = {"source_hidden": True}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Copy the notebooks into my_notebooks, or for a presentation into my_presentation, without the answers."""
    parser = argparse.ArgumentParser(prog="python -m mvit2_lib.course.setup", description=main.__doc__)
    parser.add_argument("--present", action="store_true", help="copies for presenting, in my_presentation")
    present = parser.parse_args(arguments).present
    copy_notebooks(mine=Path("my_presentation" if present else "my_notebooks"), hide_answers=present)


if __name__ == "__main__":
    main()
