"""The project keeps its promises about packaging, layering, import time and documentation."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mvit2_lib as mv
from mvit2_lib.checks.ready import MINIMUM_PYTHON

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "mvit2_lib"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch-cpu"}
# From the ground up: a file may import only from those before it.
FLOORS = (
    "attention",
    "patches",
    "blocks",
    "model",
    "files",
    "layouts",
    "hub",
    "checkpoints",
    "images",
    "data",
    "recipe",
    "parallel",
    "evaluation",
    "training",
    "cost",
    "published",
    "records",
    "timing",
    "figures",
    "checks",
    "__main__",
)


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_environment_yml_lists_the_dependencies_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lines = [Requirement(line) for line in environment["dependencies"] if isinstance(line, str)]
    conda = {line.name: line.specifier for line in lines if line.name != "pip"}
    expected = {"python": Requirement(f"python{PROJECT['requires-python']}").specifier}
    for line in map(Requirement, PROJECT["dependencies"]):
        expected[CONDA_NAMES.get(line.name, line.name)] = line.specifier
    assert conda == expected
    assert environment["channels"] == ["conda-forge"]


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_every_dependency_is_pinned_within_its_range():
    pinned = {canonicalize_name(pin.name): pin for pin in pins()}
    extras = PROJECT["optional-dependencies"]
    for line in map(Requirement, PROJECT["dependencies"] + extras["authors"] + extras["references"]):
        (version,) = pinned[canonicalize_name(line.name)].specifier
        assert version.operator == "=="
        assert line.specifier.contains(version.version)


def test_nothing_asks_for_cuda():
    assert not [pin.name for pin in pins() if re.match("nvidia|triton|cuda", pin.name)]
    (torch_pin,) = [str(pin.specifier) for pin in pins() if pin.name == "torch"]
    assert f"torch{torch_pin}+cpu ; sys_platform ==" in (ROOT / "torch-cpu.txt").read_text(encoding="utf-8")


def test_python_versions_agree():
    assert f">={MINIMUM_PYTHON}" == PROJECT["requires-python"]


def test_files_import_only_from_floors_below():
    rooms = {path.stem for path in LIBRARY.glob("*.py")} | {path.parent.name for path in LIBRARY.glob("*/*.py")}
    assert rooms - {"__init__"} == set(FLOORS)
    for index, floor in enumerate(FLOORS):
        for path, level in [(LIBRARY / f"{floor}.py", 1), *((path, 2) for path in (LIBRARY / floor).glob("*.py"))]:
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.exists() else ()
            imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == level}
            assert imported <= set(FLOORS[:index]), path


def test_importing_the_library_is_light():
    heavy = python(
        "import sys, mvit2_lib; "
        "print([n for n in ('matplotlib', 'timm', 'transformers', 'keras', 'sklearn', 'skimage', 'huggingface_hub', "
        "'torchvision', 'IPython') if n in sys.modules])"
    )
    assert heavy == "[]"


def test_importing_the_library_takes_at_most_three_tenths_of_a_second_beyond_torch():
    code = "import time, torch; start = time.process_time(); import mvit2_lib; print(time.process_time() - start)"
    assert min(float(python(code)) for _ in range(3)) < 0.3


def public_objects():
    for name in mv.__all__:
        yield name, getattr(mv, name)
    for floor in FLOORS:
        module = sys.modules.get(f"mvit2_lib.{floor}") or __import__(f"mvit2_lib.{floor}", fromlist=[floor])
        for name, thing in vars(module).items():
            home = getattr(thing, "__module__", None) or ""
            if not name.startswith("_") and (home == module.__name__ or home.startswith(f"{module.__name__}.")):
                yield f"{floor}.{name}", thing


PUBLIC = dict(public_objects())


@pytest.mark.parametrize("name", PUBLIC)
def test_public_things_are_documented(name):
    thing = PUBLIC[name]
    documentation = inspect.getdoc(thing) or ""
    assert documentation.split("\n")[0].endswith((".", ":")), f"{name} has no summary"
    if isinstance(thing, type) and issubclass(thing, Exception):
        return
    if name.split(".")[0] in ("attention", "patches", "blocks", "cost") or name in mv.__all__:
        if inspect.isclass(thing) and not hasattr(thing, "forward"):
            return
        assert re.search(r"Built in notebook 0\d", documentation), f"{name} does not say where it is built"


@pytest.mark.parametrize("name", [n for n, thing in PUBLIC.items() if inspect.isfunction(thing)])
def test_documented_parameters_are_the_real_ones(name):
    documentation = inspect.getdoc(PUBLIC[name])
    section = re.search(r"Parameters\n-+\n(.*?)(?=\n\n\w[\w ]*\n-+\n|\Z)", documentation, re.DOTALL)
    if section:
        documented = [
            part.strip().lstrip("*")
            for line in re.findall(r"^(\S.*?) : ", section.group(1) + " : ", re.MULTILINE)
            for part in line.split(",")
        ]
        documented += re.findall(r"^\*(\w+)\b", section.group(1), re.MULTILINE)
        assert set(inspect.signature(PUBLIC[name]).parameters) == set(documented)


def test_no_committed_file_names_a_machine():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".png", ".safetensors"} or path == Path(__file__) or not path.exists():
            continue
        content = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(?:home|root|work|opt)/\w|pypi\.org|file://", content), name
