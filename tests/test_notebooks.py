"""Every notebook agrees with its source, was run from top to bottom, and has the frame that readers rely on."""

import contextlib
import copy
import importlib.util
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

from mvit2_lib.course import checks, figures
from mvit2_lib.model import make_divisible

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STUDENT_EDITIONS = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))

spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


READERS = "(readers write in my_notebooks, which `make lab` opens; authors run `make notebooks`; git restores the rest)"


def name_of(path):
    return str(path.relative_to(ROOT))


every_notebook = pytest.mark.parametrize("path", NOTEBOOKS + STUDENT_EDITIONS, ids=name_of)


def test_there_is_one_notebook_for_each_source_and_a_student_edition_where_there_are_exercises():
    assert [path.stem for path in NOTEBOOKS] == [path.stem for path in SOURCES] != []
    with_exercises = [source.stem for source in SOURCES if "### BEGIN SOLUTION" in source.read_text(encoding="utf-8")]
    assert [path.stem for path in STUDENT_EDITIONS] == with_exercises


@every_notebook
def test_notebook_and_source_agree(path):
    assert not build.written_into(path), f"somebody has written into {name_of(path)} {READERS}"
    expected, actual = build.from_source(ROOT / "notebooks" / "source" / f"{path.stem}.py"), read(path)
    expected = build.student_edition(expected) if path in STUDENT_EDITIONS else expected
    keys = ("id", "cell_type", "source", "metadata")
    assert [{key: cell[key] for key in keys} for cell in actual.cells] == [
        {key: cell[key] for key in keys} for cell in expected.cells
    ], f"the notebook is not what its source describes {READERS}"
    assert actual.metadata == expected.metadata


@every_notebook
def test_cells_were_run_once_each_from_top_to_bottom(path):
    # A notebook whose outputs were stripped passes nbval silently: it has nothing to compare.
    counts = [cell.execution_count for cell in code_cells(read(path))]
    assert counts == list(range(1, len(counts) + 1)), f"{name_of(path)} was not run from top to bottom {READERS}"


@every_notebook
def test_stored_outputs_hold_nothing_of_the_machine_they_were_made_on(path):
    for output in outputs(read(path)):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        assert not build.is_widget(output)  # it would show as "Error displaying widget" in a fresh JupyterLab
        shown = str({key: value for key, value in output.get("data", {}).items() if "image" not in key})
        shown += output.get("text", "")
        assert not re.search(
            r"/(home|root|tmp|work|Users|usr)/|\b[A-Z]:\\|\b0x[0-9a-f]{6,}|[Ww]arning:|Traceback", shown
        )


@every_notebook
def test_every_picture_has_an_alt_text(path):
    notebook = read(path)
    for output in outputs(notebook):
        if any(kind.startswith("image/") for kind in output.get("data", {})):
            alt = output.metadata.get("image/png", {}).get("alt", "")
            assert len(alt.split()) >= 5
            assert output.data["text/plain"] == alt
    for alt in re.findall(r"!\[(.*?)\]\(", text(notebook)):
        assert len(alt.split()) >= 5


@every_notebook
def test_a_sentence_under_every_figure_says_what_it_shows(path):
    cells = read(path).cells
    for cell, following in zip(cells, cells[1:], strict=False):
        if cell.cell_type == "code" and "figures.show(" in cell.source:
            assert following.cell_type == "markdown"
            assert following.source.startswith("*"), f"no caption in italics after:\n{cell.source}"


@every_notebook
def test_code_cells_are_short(path):
    cells = read(path).cells
    for cell in cells:
        if cell.cell_type == "code":
            longest = 25 if re.search(r"^class ", cell.source, re.MULTILINE) else 20
            assert len(cell.source.splitlines()) <= longest, cell.source
            assert not cell.source.rstrip().endswith(";"), cell.source
            assert not re.search(r"^\s*[!%]|\bpip\b|sys\.path", cell.source, re.MULTILINE), cell.source
    first = next(cell for cell in cells if cell.cell_type == "code")
    assert len([line for line in first.source.splitlines() if line]) <= 8


@every_notebook
def test_the_frame_is_complete(path):
    content = text(read(path))
    number = path.stem.split("_")[0]
    assert content.startswith(f"# {number} · ")
    for part in ("**You will be able to**", "**You need**", "> **Predict.**", "## What you now know", "**References**"):
        assert part in content, f"{part} is missing"
    opening = content.partition("**You will be able to**")[2].partition("**You need**")[0]
    closing = content.partition("## What you now know")[2].partition("**References**")[0]
    abilities, mirrored = (re.findall(r"^\d\. (.*)$", part, re.MULTILINE) for part in (opening, closing))
    assert 3 <= len(abilities) <= 5
    assert len(abilities) == len(mirrored)
    for ability, mirror in zip(abilities, mirrored, strict=True):
        verb = re.match(r"\*(\w+)\*", ability).group(1)
        assert re.search(rf"\*{verb[0]}\w+\*", mirror), f"{mirror!r} does not take up *{verb}*"


@every_notebook
def test_exercises_state_their_difficulty_and_minutes_and_fold_a_hint(path):
    cells = read(path).cells
    exercises = [index for index, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])]
    assert len(exercises) >= 5 or path.stem.startswith("00")
    for number, index in enumerate(exercises, 1):
        heading, _, task = cells[index - 1].source.partition("\n")
        assert re.fullmatch(rf"### {int(path.stem[:2])}\.{number} · .* ★{{1,3}} · \d min", heading), heading
        assert "<details><summary>Hint</summary>" in task
        verdict = cells[index].outputs[0].text.partition(": ")[2].strip()
        if path in STUDENT_EDITIONS:
            assert "raise NotImplementedError" in cells[index].source
            assert "SOLUTION" not in cells[index].source
            assert cells[index + 1].source.startswith("<details><summary>Solution</summary>")
            assert verdict == "not done yet"
        else:
            assert cells[index].metadata.jupyter.source_hidden
            assert verdict == "right"


@every_notebook
def test_every_prediction_is_followed_by_an_experiment(path):
    cells = read(path).cells
    for cell, following in zip(cells, cells[1:], strict=False):
        if "> **Predict.**" in cell.source:
            assert following.cell_type == "code", cell.source


NOTATION = "B k d h H W C P N α"


@every_notebook
def test_formulas_and_shapes_use_the_letters_of_the_table(path):
    known = set(NOTATION.split()) | {"p", "m", "i", "j", "j'", "d_h", "a", "b", "c", "s", "n", "o", "e", "..."}
    notebook = read(path)
    for cell in notebook.cells:
        for shape in re.findall(r"# \[([^\]]+)\](?= each$|$)", cell.source, re.MULTILINE):
            for size in shape.split(", "):
                parts = re.split(r"[/·²]| or ", size)
                assert all(part in known or part in ("", "classes") or part.isdigit() for part in parts), shape
        if cell.cell_type == "markdown":
            for letter in re.findall(r"\$([A-Za-z])\$", cell.source):
                assert letter in known | {"x", "y", "L", "Q", "K", "V", "O", "E", "F"}, letter


@every_notebook
def test_minutes_grow_from_section_to_section(path):
    content = text(read(path))
    headings = [line for line in re.findall(r"^## (.*)$", content, re.MULTILINE) if line != "What you now know"]
    minutes = [int(re.search(r" · (\d+) min$", heading).group(1)) for heading in headings]
    assert minutes[0] == 0
    assert minutes == sorted(set(minutes))


@pytest.mark.parametrize(
    "path", [*NOTEBOOKS, *STUDENT_EDITIONS, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=name_of
)
def test_internal_links_lead_somewhere(path):
    content = path.read_text(encoding="utf-8") if path.suffix == ".md" else text(read(path))
    for target in re.findall(r"\]\(([^)]+)\)", content):
        if not target.startswith(("http://", "https://", "#")):
            assert (path.parent / target.partition("#")[0]).exists(), target


@pytest.mark.skipif(
    f"matplotlib=={matplotlib.__version__}" not in (ROOT / "constraints.txt").read_text(encoding="utf-8"),
    reason="the figures were drawn with the pinned Matplotlib; another one moves their parts by a pixel or more",
)
@pytest.mark.parametrize("name", build.FIGURES)
def test_shared_figures_are_those_that_the_code_draws(name):
    stored = Image.open(ROOT / "figures" / name)
    drawn = Image.open(io.BytesIO(figures.png(build.FIGURES[name]())))
    assert stored.format == "PNG"
    assert stored.size == drawn.size
    # Other versions of the font library place letters a little differently, so a few pixels may differ.
    difference = np.abs(np.asarray(stored.convert("RGB"), dtype=int) - np.asarray(drawn.convert("RGB")))
    assert (difference.max(axis=-1) > 32).mean() < 0.02
    assert name in (ROOT / "README.md").read_text(encoding="utf-8")


def test_there_is_no_stray_figure():
    data = {"quadratic_vs_linear.json"}  # the records that the figure of the same name is drawn from
    assert {path.name for path in (ROOT / "figures").iterdir()} == set(build.FIGURES) | data


def run_alone(source):
    """Return what an exercise cell prints without the rest of its notebook."""
    namespace = {"torch": torch, "np": np, "F": torch.nn.functional, "nn": torch.nn, "checks": checks}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(source, namespace | {"make_divisible": make_divisible})
    return printed.getvalue()


@pytest.mark.parametrize("path", STUDENT_EDITIONS, ids=name_of)
def test_an_exercise_runs_without_the_rest_and_says_what_is_stored(path):
    for edition in (path, ROOT / "notebooks" / path.name):
        for cell in code_cells(read(edition)):
            if "exercise" in cell.metadata.get("tags", []):
                assert run_alone(cell.source) == cell.outputs[0].text


def test_a_notebook_that_somebody_has_written_into_is_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "HERE", tmp_path)
    ours, target = read(STUDENT_EDITIONS[0]), tmp_path / "01.ipynb"
    build.write(ours, target)
    answered = copy.deepcopy(ours)
    code_cells(answered)[-1].source += "\n# my answer"
    nbformat.write(answered, target)
    before = target.read_bytes()
    with pytest.raises(SystemExit, match="was left alone: somebody has written into it"):
        build.write(ours, target)
    assert target.read_bytes() == before
    run = copy.deepcopy(ours)  # running and saving it is no writing
    code_cells(run)[0].execution_count, code_cells(run)[0].metadata["execution"] = 17, {"now": "1"}
    nbformat.write(run, target)
    build.write(ours, target)
    assert read(target) == ours


@pytest.mark.slow
@pytest.mark.parametrize(("printed", "passes"), [("a warning of another library", True), ("", False)])
def test_noise_on_stderr_turns_no_notebook_red_but_another_output_does(tmp_path, printed, passes):
    shown = "as stored" if passes else "something else"
    code = f"import sys\nprint({printed!r}, file=sys.stderr)\nprint({shown!r})"
    cell = nbformat.v4.new_code_cell(code, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", text="as stored\n")]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "noise.ipynb")
    shutil.copy(ROOT / "conftest.py", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "noise.ipynb"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (process.returncode == 0) == passes, process.stdout
