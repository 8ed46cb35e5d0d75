"""Make the notebooks and the shared figures from their sources: `make notebooks`.

`notebooks/source/NN_name.py` (jupytext's percent format) is what people edit. This script turns each into
`notebooks/NN_name.ipynb`, runs it from top to bottom in a fresh kernel, and stores the outputs. Where a source has
exercises, it makes the student edition `notebooks/exercises/NN_name.ipynb` besides: the solutions, between nbgrader's
markers, are taken out of the code and return folded away beneath it. The result depends on the source alone: a second
run changes no byte. What a cell tagged `nbval-ignore-output` has measured would be different each time, so it stays as
it was until the notebook's code changes, or until `--measure` asks for it. A notebook that somebody has written into is
never overwritten. Numbers choose notebooks: `python notebooks/build.py 03`.
"""

import argparse
import contextlib
import copy
import hashlib
import io
import os
import re
import textwrap
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # as in the tests; must be set before PyTorch is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the stored outputs are those of a machine without a network

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_markdown_cell, new_output

from mvit2_lib.course import checks, figures
from mvit2_lib.course.records import Timings

HERE = Path(__file__).parent
SOURCES = sorted((HERE / "source").glob("*.py"))
SOLUTION = re.compile(r"^ *### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION$", re.DOTALL | re.MULTILINE)
STUB = "    # your code here\n    raise NotImplementedError"
SHARED = HERE.parent / "figures"
FIGURES = {
    "attention_pair.png": figures.course_picture,
    "quadratic_vs_linear.png": lambda: figures.quadratic_vs_linear(Timings.load(SHARED / "quadratic_vs_linear.json")),
}
MEASURED = "nbval-ignore-output"


def from_source(source: Path) -> nbformat.NotebookNode:
    """Return the notebook that a source file describes, without outputs."""
    notebook = jupytext.read(source)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note about blank lines
        if SOLUTION.search(cell.source):
            cell.metadata["jupyter"] = {"source_hidden": True}  # folded, but there
    return with_stable_ids(notebook)


def with_stable_ids(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Give each cell an id made of its text, which stays the same as long as the text does."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = digest_of(cell)
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = f"{digest}-{seen[digest]}"
    return notebook


def digest_of(cell: nbformat.NotebookNode) -> str:
    """Return the part of a cell's id that its text decides."""
    return hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]


def written_into(path: Path) -> bool:
    """Return whether a stored notebook holds cells that this script has not made: somebody's work."""
    cells = nbformat.read(path, as_version=4).cells if path.exists() else []
    return any(cell.get("id", "").partition("-")[0] != digest_of(cell) for cell in cells)


def student_edition(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Return the notebook with stubs for solutions, and each solution folded away below; None without exercises.

    No later cell depends on a solution, so all other outputs stay; that of a stub comes from running it alone.
    """
    student = copy.deepcopy(notebook)
    cells = []
    for cell in student.cells:
        cells.append(cell)
        solution = SOLUTION.search(cell.source)
        if solution:
            del cell.metadata["jupyter"]
            code = textwrap.dedent(solution.group(1)).rstrip()
            cell.source = SOLUTION.sub(STUB, cell.source)
            if cell.outputs:
                cell.outputs = [new_output("stream", text=printed_by(cell.source))]
            folded = f"<details><summary>Solution</summary>\n\n```python\n{code}\n```\n\n</details>"
            cells.append(new_markdown_cell(folded))
    if len(cells) == len(student.cells):
        return None
    student.cells = cells
    return with_stable_ids(student)


def printed_by(stub: str) -> str:
    """Return what an exercise cell prints as long as nobody has answered it."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(stub, {"checks": checks})
    return printed.getvalue()


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook in a fresh kernel and keep its outputs, but no times."""
    language_info = notebook.metadata["language_info"]
    NotebookClient(
        notebook,
        timeout=300,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,  # how print's output falls into pieces is chance; coalesced, it is one
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    notebook.metadata["language_info"] = language_info  # the kernel adds its version
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if MEASURED in cell.metadata.get("tags", ()):
            cell.outputs = [output for output in cell.outputs if not is_widget(output)]


def is_widget(output: nbformat.NotebookNode) -> bool:
    """Return whether an output lives only as long as its kernel, as a progress bar does."""
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def keep_measured(notebook: nbformat.NotebookNode, target: Path) -> None:
    """Put back what the measuring cells of the stored notebook show, if its code is the same."""
    if not target.exists():
        return
    stored = [cell for cell in nbformat.read(target, as_version=4).cells if cell.cell_type == "code"]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.source for cell in cells] == [cell.source for cell in stored]:
        for cell, old in zip(cells, stored, strict=True):
            if MEASURED in cell.metadata.get("tags", ()):
                cell.outputs = old.outputs


def write(notebook: nbformat.NotebookNode, target: Path) -> None:
    """Write a notebook to its file, if that changes anything and nobody has written into it."""
    target.parent.mkdir(exist_ok=True)
    if written_into(target):
        raise SystemExit(
            f"{target.relative_to(HERE.parent)} was left alone: somebody has written into it. Move it to my_notebooks "
            "to keep it, or throw the changes away with git, and try again"
        )
    text = nbformat.writes(notebook) + "\n"
    changed = not target.exists() or target.read_text(encoding="utf-8") != text
    if changed:
        target.write_text(text, encoding="utf-8")
    print(f"{target.relative_to(HERE)}: {'written' if changed else 'unchanged'}")


def main() -> None:
    """Regenerate everything and say what changed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("numbers", nargs="*", help="numbers of the notebooks, such as 03; all by default")
    parser.add_argument("--figures", action="store_true", help="redraw figures/ and nothing else")
    parser.add_argument("--measure", action="store_true", help="show what was measured now, also where nothing changed")
    options = parser.parse_args()
    for name, draw in FIGURES.items():
        figures.save(draw(), SHARED / name)
    for source in () if options.figures else SOURCES:
        if options.numbers and source.stem[:2] not in options.numbers:
            continue
        target = HERE / f"{source.stem}.ipynb"
        notebook = from_source(source)
        execute(notebook, HERE)
        if not options.measure:
            keep_measured(notebook, target)
        write(notebook, target)
        student = student_edition(notebook)
        if student:
            write(student, HERE / "exercises" / target.name)


if __name__ == "__main__":
    main()
