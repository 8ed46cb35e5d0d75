"""Is this machine ready for the course?"""

import platform
import sys
from collections.abc import Iterable
from importlib import metadata

import torch
from packaging.requirements import Requirement
from packaging.version import Version

MINIMUM_PYTHON = "3.10"
_REINSTALL = "run 'make lab' again, or in the course's environment: python -m pip install -e . -c constraints.txt"


def machine(requirements: Iterable[str] | None = None) -> None:
    """Print one line for each thing the course needs: `[OK]`, or `[FAIL]` with what to do about it.

    Works without a network, and raises nothing.

    Parameters
    ----------
    requirements : iterable of str or None
        What to look for, such as `"numpy>=1.26"`; None takes the requirements this library was installed with.

    Notes
    -----
    Used in notebook 00.
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
    return [line for line in requirements if "extra ==" not in line]


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
