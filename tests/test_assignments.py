"""Assignments hand out what the notebooks ask, and nbgrader gives the points that an answer deserves."""

import copy
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("assignments", ROOT / "notebooks" / "assignments.py")
assignments = importlib.util.module_from_spec(spec)
spec.loader.exec_module(assignments)
NAME = "01_multi_head_attention"


def marked(notebook, **wanted):
    """Return the cells whose metadata for nbgrader holds these values."""
    found = ((cell, cell.metadata.get("nbgrader", {})) for cell in notebook.cells)
    return [cell for cell, data in found if data and all(data[key] == value for key, value in wanted.items())]


@pytest.mark.parametrize("source", assignments.SOURCES[1:], ids=lambda path: path.stem)
def test_each_exercise_becomes_a_cell_to_write_in_and_a_locked_one_that_gives_its_stars(source):
    notebook, content = assignments.assignment(source), source.read_text(encoding="utf-8")
    tasks = marked(notebook, solution=True, locked=False)
    tests = marked(notebook, grade=True, locked=True)
    assert len(tasks) == len(tests) == content.count('tags=["exercise"]')
    assert sum(cell.metadata.nbgrader.points for cell in tests) == sum(
        line.count("★") for line in content.splitlines() if line.startswith("# ### ")
    )
    assert all("### BEGIN SOLUTION" in cell.source and "checks." not in cell.source for cell in tasks)
    written = "\n".join(cell.source for cell in notebook.cells)
    assert "<summary>Solution" not in written
    assert "setup.optional" not in written
    nbformat.validate(notebook)


def test_a_cell_that_gives_points_raises_the_remark_unless_the_answer_is_right(capsys):
    from mvit2_lib.course import checks

    checks.keras_momentum.demand(lambda momentum: checks.keras_momentum.right(momentum))
    assert capsys.readouterr().out == "10.4 which momentum?: right\n"
    for answer, remark in ((None, "not yet"), (lambda momentum: None, "not done yet"), (lambda m: 1 - m, "the steps")):
        with pytest.raises(AssertionError, match=remark):
            checks.keras_momentum.demand(answer)


@pytest.mark.slow
def test_nbgrader_hands_out_takes_back_and_marks(tmp_path):
    api = pytest.importorskip("nbgrader.api")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def nbgrader(*command):
        told = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        return subprocess.run([sys.executable, "-m", "nbgrader", *command], **told)

    assignments.write(tmp_path)
    made = nbgrader("generate_assignment", NAME)
    assert made.returncode == 0, made.stderr
    handed_out = nbformat.read(tmp_path / "release" / NAME / f"{NAME}.ipynb", as_version=4)
    assert not any("SOLUTION" in cell.source for cell in handed_out.cells)
    tried = nbgrader("validate", str(tmp_path / "release" / NAME / f"{NAME}.ipynb"))
    assert "success" not in (tried.stdout + tried.stderr).lower()
    assert "not done yet" in tried.stdout + tried.stderr

    solved = marked(assignments.assignment(assignments.SOURCES[1]), solution=True)
    for student, answered in {"untouched": 0, "half": 2, "right": len(solved)}.items():
        place = tmp_path / "submitted" / student / NAME
        place.mkdir(parents=True)
        submission = copy.deepcopy(handed_out)
        for cell, solution in zip(marked(submission, solution=True)[:answered], solved, strict=False):
            cell.source = solution.source
        nbformat.write(submission, place / f"{NAME}.ipynb")
    graded = nbgrader("autograde", NAME)
    assert graded.returncode == 0, graded.stderr
    with api.Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        scores = {entry.student.id: entry.score for entry in book.assignment_submissions(NAME)}
        most = book.find_assignment(NAME).max_score
    points = [cell.metadata.nbgrader.points for cell in marked(handed_out, grade=True)]
    assert scores == {"untouched": 0, "half": sum(points[:2]), "right": sum(points)}
    assert most == sum(points)
