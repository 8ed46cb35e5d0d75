"""Make the edition for marking with nbgrader: `make assignments`, or `python notebooks/assignments.py FOLDER`.

An assignment holds the set-up cell of a notebook and its exercises, without the text between them and without
solutions beneath. Each exercise is a cell to write in and, after it, a locked cell that raises until the answer is
right; it is worth as many points as the exercise has stars. FOLDER becomes a course folder of nbgrader.
"""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SOURCES = sorted((Path(__file__).parent / "source").glob("*.py"))
EXERCISE = re.compile(r"^### \d+\.\d+ · .*? (?P<stars>★+) · \d+ min$", re.MULTILINE)
CALL = re.compile(r"\n+checks\.(?P<name>\w+)\((?P<function>\w+)\)\s*$")
OPTIONAL = re.compile(r'^(\w+) = setup\.optional\("\1"\)$', re.MULTILINE)
CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "mobilevitv2"\n'


def assignment(source: Path) -> nbformat.NotebookNode:
    """Return the assignment of one notebook, with its solutions between nbgrader's markers."""
    cells = jupytext.read(source).cells
    title = cells[0].source.splitlines()[0]
    setup = next(cell for cell in cells if cell.cell_type == "code")
    made = [
        new_markdown_cell(
            f"{title}: exercises\n\nWhat the exercises speak of is explained in the notebook of this name."
        ),
        # Where a package is missing, an assignment fails instead of staying silent, which would be full marks.
        new_code_cell(OPTIONAL.sub(r"import \1", setup.source)),
    ]
    for before, cell in zip(cells, cells[1:], strict=False):
        if "exercise" in cell.metadata.get("tags", []):
            task = EXERCISE.search(before.source)
            call = CALL.search(cell.source)
            made.append(new_markdown_cell(before.source[task.start() :]))
            made.append(_graded(cell.source[: call.start()], call["name"], solution=True))
            test = f"checks.{call['name']}.demand({call['function']})"
            made.append(_graded(test, f"{call['name']}-points", points=len(task["stars"])))
    metadata = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    return new_notebook(cells=made, metadata=metadata)


def _graded(source: str, name: str, solution: bool = False, points: int = 0) -> nbformat.NotebookNode:
    metadata = {"grade": not solution, "grade_id": name, "locked": not solution, "solution": solution, "task": False}
    metadata |= {"schema_version": 3} | ({} if solution else {"points": points})
    return new_code_cell(source, metadata={"nbgrader": metadata})


def write(folder: Path) -> None:
    """Write a course folder of nbgrader with an assignment for every notebook that has exercises."""
    (folder / "source").mkdir(parents=True, exist_ok=True)
    (folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    for source in SOURCES:
        made = assignment(source)
        if len(made.cells) > 2:
            place = folder / "source" / source.stem
            place.mkdir(exist_ok=True)
            nbformat.write(made, place / f"{source.stem}.ipynb")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
