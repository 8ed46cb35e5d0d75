"""The project keeps its promises about packaging, import time and documentation; import-linter holds the layers."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mvit2_lib
from mvit2_lib.course.setup import MINIMUM_PYTHON

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "mvit2_lib"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch-cpu"}


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_environment_yml_lists_the_dependencies_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lines = [Requirement(line) for line in environment["dependencies"] if isinstance(line, str)]
    conda = {line.name: line.specifier for line in lines if line.name != "pip"}
    expected = {"python": Requirement(f"python{PROJECT['requires-python']}").specifier}
    for line in map(Requirement, PROJECT["dependencies"] + PROJECT["optional-dependencies"]["course"]):
        expected[CONDA_NAMES.get(line.name, line.name)] = line.specifier
    assert conda == expected
    assert environment["channels"] == ["conda-forge"]


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_every_dependency_is_pinned_within_its_range():
    pinned = {canonicalize_name(pin.name): pin for pin in pins()}
    extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for line in map(Requirement, PROJECT["dependencies"] + extras):
        (version,) = pinned[canonicalize_name(line.name)].specifier
        assert version.operator == "=="
        assert line.specifier.contains(version.version)


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == mvit2_lib.__version__


def test_nothing_asks_for_cuda():
    assert not [pin.name for pin in pins() if re.match("nvidia|triton|cuda", pin.name)]
    (torch_pin,) = [str(pin.specifier) for pin in pins() if pin.name == "torch"]
    assert f"torch{torch_pin}+cpu ; sys_platform ==" in (ROOT / "torch-cpu.txt").read_text(encoding="utf-8")


def test_python_versions_agree():
    assert f">={MINIMUM_PYTHON}" == PROJECT["requires-python"]


@pytest.fixture(scope="module")
def fresh_import():
    """Return what a fresh Python has loaded after importing the library, and the seconds that took beyond PyTorch."""
    code = (
        "import sys, time, torch; start = time.process_time(); import mvit2_lib; "
        "print(time.process_time() - start, *sys.modules)"
    )
    runs = [python(code).split() for _ in range(2)]
    return set(runs[0][1:]), min(float(run[0]) for run in runs)


def test_importing_the_library_loads_nothing_of_the_course_and_no_reference(fresh_import):
    loaded, _ = fresh_import
    heavy = {"matplotlib", "timm", "transformers", "keras", "sklearn", "skimage", "huggingface_hub", "torchvision"}
    assert not loaded & (heavy | {"IPython", "onnx", "onnxruntime", "packaging.requirements"})
    assert not [name for name in loaded if name.startswith("mvit2_lib.course")]


def test_importing_the_library_takes_at_most_three_tenths_of_a_second_beyond_torch(fresh_import):
    assert fresh_import[1] < 0.3


def test_nothing_but_the_core_dependencies_is_imported_outside_the_course():
    core = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]} | {"pil", "mvit2-lib"}
    optional = {"samples.py": {"sklearn", "skimage"}, "run_onnx.py": {"onnxruntime"}, "keras_port.py": {"keras"}}
    for path in LIBRARY.rglob("*.py"):
        if "course" in path.relative_to(LIBRARY).parts:
            continue
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
        names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        roots = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - optional.get(path.name, set())
        assert {canonicalize_name(root) for root in roots} <= {name.replace("pillow", "pil") for name in core}, path


MODULES = {
    ".".join(path.relative_to(LIBRARY).with_suffix("").parts): path
    for path in LIBRARY.rglob("*.py")
    if path.name != "__init__.py"
}


def public_objects():
    for dotted in MODULES:
        module = importlib.import_module(f"mvit2_lib.{dotted}")
        for name, thing in vars(module).items():
            if not name.startswith("_") and callable(thing) and getattr(thing, "__module__", None) == module.__name__:
                yield f"{dotted}.{name}", thing


PUBLIC = dict(public_objects())
NOTEBOOKS = {
    path.stem[:2]: path.read_text(encoding="utf-8") for path in sorted((ROOT / "notebooks" / "source").glob("*.py"))
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_things_are_documented(name):
    documentation = inspect.getdoc(PUBLIC[name]) or ""
    assert documentation.split("\n")[0].rstrip().endswith((".", ":")), f"{name} has no summary"


@pytest.mark.parametrize("name", PUBLIC)
def test_what_a_docstring_says_about_a_notebook_is_true(name):
    documentation, short = inspect.getdoc(PUBLIC[name]) or "", name.rpartition(".")[2]
    for number in re.findall(r"Used in notebook (\d\d)", documentation):
        assert re.search(rf"\b{short}\b", NOTEBOOKS[number]), f"notebook {number} never says {short}"
    for number in re.findall(r"Built in notebook (\d\d)", documentation):
        text = NOTEBOOKS[number]
        defined = re.search(rf"^ *(?:def|class) {short}\b", text, re.MULTILINE)
        compared = [line for line in text.splitlines() if re.search(rf"\b{short}\(", line) and "assert" in line]
        built = re.search(rf"\b{short}\(", text) and re.search(r"assert_close|assert_same|torch\.equal|assert ", text)
        assert defined or compared or built, f"notebook {number} neither defines {short} nor compares with it"


def test_docstrings_are_shorter_than_the_code_they_stand_on():
    words, lines = 0, 0
    for path in MODULES.values():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)) and ast.get_docstring(node):
                words += node.body[0].end_lineno - node.body[0].lineno + 1
        lines += len([line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()])
    assert words < (lines - words) / 2


@pytest.mark.parametrize("name", [n for n, thing in PUBLIC.items() if callable(thing)])
def test_documented_parameters_are_the_real_ones(name):
    documentation = inspect.getdoc(PUBLIC[name]) or ""
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
