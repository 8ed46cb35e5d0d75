"""Every notebook agrees with its source, was run from top to bottom, and has the frame that readers rely on."""

import ast
import contextlib
import copy
import html
import importlib.util
import io
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from mvit2_lib.course import figures
from mvit2_lib.course.records import Timings

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

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


every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)


def test_there_is_one_notebook_for_each_source():
    assert [path.stem for path in NOTEBOOKS] == [path.stem for path in SOURCES] != []


@every_notebook
def test_notebook_and_source_agree(path):
    assert not build.written_into(path), f"somebody has written into {name_of(path)} {READERS}"
    expected, actual = build.from_source(ROOT / "notebooks" / "source" / f"{path.stem}.py"), read(path)
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
        shown = str({key: value for key, value in output.get("data", {}).items() if "data:image" not in value})
        shown += output.get("text", "")
        assert not re.search(
            r"/(home|root|tmp|work|Users|usr)/|\b[A-Z]:\\|\b0x[0-9a-f]{6,}|[Ww]arning:|Traceback", shown
        )


@every_notebook
def test_every_picture_has_an_alt_text_where_browsers_read_it(path):
    notebook = read(path)
    for output in outputs(notebook):
        data = output.get("data", {})
        assert not any(kind.startswith("image/") for kind in data), "use figures.show"
        if "<img" in data.get("text/html", ""):
            (alt,) = re.findall(r'<img alt="([^"]*)"', data["text/html"])
            assert len(alt.split()) >= 5
            assert html.unescape(alt) == data["text/plain"]
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
            assert all(len(line) <= 88 for line in cell.source.splitlines()), f"it scrolls sideways:\n{cell.source}"
            assert not cell.source.rstrip().endswith(";"), cell.source
            assert not re.search(r"^\s*[!%]|\bpip\b|sys\.path", cell.source, re.MULTILINE), cell.source
    first = next(cell for cell in cells if cell.cell_type == "code")
    assert len([line for line in first.source.splitlines() if line]) <= 8


@every_notebook
def test_every_assert_says_what_it_found(path):
    # Without that, nbval's report ends in an empty "AssertionError:".
    for cell in code_cells(read(path)):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.Assert) or node.msg is not None, ast.unparse(node)


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
def test_printed_lines_fit_the_column(path):
    for output in outputs(read(path)):
        printed = output.get("text", "")
        if "<img" not in output.get("data", {}).get("text/html", ""):  # the text beside a picture is its alt text
            printed += output.get("data", {}).get("text/plain", "")
        assert all(len(line) <= 95 for line in printed.splitlines()), f"a line breaks inside words:\n{printed}"


HEADING = re.compile(r"^## (.+?) · (\d+) min( · [◆◇])?$", re.MULTILINE)


@every_notebook
def test_exercises_state_their_difficulty_and_minutes_and_fold_a_hint_and_a_solution(path):
    cells = read(path).cells
    exercises = [index for index, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])]
    end = next((i for i, cell in enumerate(cells) if cell.source.startswith("## Exercises")), len(cells))
    assert len(exercises) >= 5 or path.stem.startswith("00")
    assert not exercises or exercises[0] < end, "the first exercise stands in the middle of the text"
    for number, index in enumerate(exercises, 1):
        task = cells[index - 1].source
        title = re.findall(rf"^### {int(path.stem[:2])}\.{number} · .* ★{{1,3}} · \d+ min$", task, re.MULTILINE)
        assert len(title) == 1, task
        assert task.count("<details><summary>Hint</summary>") == 1
        assert "raise NotImplementedError" in cells[index].source
        assert "SOLUTION" not in cells[index].source + cells[index + 1].source
        assert cells[index + 1].source.startswith("<details><summary>Solution</summary>")
        assert cells[index].outputs[0].text.partition(": ")[2].strip() == "not done yet"
    if exercises:
        assert "### An open experiment · " in text(read(path))


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
                parts = re.split(r"[/·²]| or | \+ ", size.replace("2d", "d"))
                assert all(part in known or part in ("", "classes") or part.isdigit() for part in parts), shape
        if cell.cell_type == "markdown":
            for letter in re.findall(r"\$([A-Za-z])\$", cell.source):
                assert letter in known | {"x", "y", "L", "Q", "K", "V", "O", "E", "F"}, letter


@every_notebook
def test_minutes_add_up(path):
    content = text(read(path))
    minutes = [int(start) for _, start, _ in HEADING.findall(content)]
    assert len(minutes) == len(re.findall(r"^## ", content, re.MULTILINE)) - 1  # all but "What you now know"
    assert minutes[0] == 0
    assert minutes == sorted(set(minutes))
    total, reading, exercising = map(
        int, re.search(r"^\*(\d+) minutes: (\d+) to read.*, (\d+) for", content, re.MULTILINE).groups()
    )
    body, _, end = content.partition("## Exercises")
    assert exercising == sum(map(int, re.findall(r"^### .* · (\d+) min$", end, re.MULTILINE)))
    assert total == reading + exercising
    assert reading == (minutes[-1] if end else reading)
    for name in ("notebooks/00_start_here.ipynb", "README.md"):
        place = ROOT / name
        table = place.read_text(encoding="utf-8") if place.suffix == ".md" else text(read(place))
        (row,) = re.findall(rf"^\| .*{path.stem[:2]} · [^|]*\|[^|]*\| (\d+) \|", table, re.MULTILINE)
        assert int(row) == total, f"{name} says {row} minutes for {path.stem}"
    inside = sum(map(int, re.findall(r"^### .* · (\d+) min$", body, re.MULTILINE)))
    assert inside < reading  # the exercises in the text are part of its minutes


def test_the_three_routes_take_what_they_promise():
    taken = {"◆": 0, "◇": 0}
    for path in NOTEBOOKS:
        content = text(read(path))
        headings = HEADING.findall(content)
        ends = [int(start) for _, start, _ in headings[1:]]
        if not headings[-1][0].startswith("Exercises"):
            ends.append(int(re.search(r"^\*(\d+) minutes", content, re.MULTILINE).group(1)))
        for (_, start, route), end in zip(headings, ends, strict=False):
            if route:
                taken[route[-1]] += end - int(start)
    assert 80 <= taken["◆"] <= 95, taken
    assert 210 <= taken["◆"] + taken["◇"] <= 270, taken


@every_notebook
def test_links_lead_to_the_neighbours_and_to_the_exercises(path):
    content, place = text(read(path)), NOTEBOOKS.index(path)
    top, bottom = content.partition("**You will be able to**")[0], content.rpartition("**References**")[2]
    for neighbour in NOTEBOOKS[max(0, place - 1) : place + 2]:
        if neighbour != path:
            assert f"]({neighbour.name})" in top
            assert f"]({neighbour.name})" in bottom
    for heading in re.findall(r"^## (Exercises.*)$", content, re.MULTILINE):
        assert f"[Exercises](#{heading.replace(' ', '-')})" in top


@pytest.mark.parametrize("path", [*NOTEBOOKS, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=name_of)
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
    data = {"quadratic_vs_linear.json"}
    assert all(Timings.load(ROOT / "figures" / name).measurements for name in data)
    assert {path.name for path in (ROOT / "figures").iterdir()} == set(build.FIGURES) | data


@every_notebook
def test_an_exercise_needs_no_cell_but_the_first(path):
    cells = code_cells(read(path))
    for cell in cells:
        if "exercise" in cell.metadata.get("tags", []):
            namespace: dict = {}
            exec(cells[0].source, namespace)
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(cell.source, namespace)
            assert printed.getvalue() == cell.outputs[0].text


@pytest.mark.slow
@every_notebook
def test_every_cell_can_be_run_again_after_a_full_run(path):
    # From the end to the beginning: each cell then meets whatever later sections have done to its names. A cell that
    # takes long is left out, and one that can be run only once says so in the text above it.
    notebook = build.from_source(ROOT / "notebooks" / "source" / f"{path.stem}.py")
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT / "notebooks")}})
    with client.setup_kernel():
        seconds = {}
        for index, cell in enumerate(notebook.cells):
            start = time.monotonic()
            client.execute_cell(cell, index)
            seconds[index] = time.monotonic() - start
        for index in reversed(seconds):
            if seconds[index] < 1.5:
                client.execute_cell(notebook.cells[index], index)


@pytest.mark.slow
def test_notebook_09_says_the_same_where_no_other_runtime_is_installed():
    path = ROOT / "notebooks" / "09_fast_and_on_a_phone.ipynb"
    notebook = build.from_source(ROOT / "notebooks" / "source" / f"{path.stem}.py")
    runtimes = ("onnx", "onnxscript", "onnxruntime", "executorch", "coremltools")
    blocked = f"import sys; sys.modules.update(dict.fromkeys({runtimes}))"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(blocked))
    NotebookClient(notebook, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    told = 0
    for now, stored in zip(code_cells(notebook)[1:], code_cells(read(path)), strict=True):
        said, before = ("".join(output.get("text", "") for output in cell.outputs) for cell in (now, stored))
        told += "pip install onnx onnxscript onnxruntime" in said
        assert said == before or "nbval-ignore-output" in stored.metadata.tags
    assert told == 2


def test_notebook_10_says_in_one_sentence_that_keras_is_missing_and_nothing_fails():
    notebook = build.from_source(ROOT / "notebooks" / "source" / "10_keras.py")
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import sys; sys.modules['keras'] = None"))
    NotebookClient(notebook, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    (said,) = (output for cell in code_cells(notebook) for output in cell.outputs)
    assert said.text.startswith("The package keras ")
    assert said.text.rstrip().endswith("pip install keras")
    assert said.text.count("\n") == 1


def test_a_notebook_that_somebody_has_written_into_is_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "HERE", tmp_path)
    ours, target = read(NOTEBOOKS[1]), tmp_path / "01.ipynb"
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
