"""Make the notebooks and the shared figures from their sources: `make notebooks`.

`notebooks/source/NN_name.py` (jupytext's percent format) is what people edit. This script turns each into
`notebooks/NN_name.ipynb`, runs it from top to bottom in a fresh kernel, and stores the outputs. Where a source has
exercises, it makes the student edition `notebooks/exercises/NN_name.ipynb` besides: nbgrader takes the solutions out of
the code, and they return folded away beneath it. The result depends on the source alone: a second run changes no byte.
"""

import copy
import hashlib
import os
import re
import textwrap
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # as in the tests; must be set before PyTorch is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the stored outputs are those of a machine without a network

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_markdown_cell
from nbgrader.preprocessors import ClearSolutions

from mvit2_lib import figures

HERE = Path(__file__).parent
SOURCES = sorted((HERE / "source").glob("*.py"))
SOLUTION = re.compile(r"^ *### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION$", re.DOTALL | re.MULTILINE)
STUB = "# your code here\nraise NotImplementedError"
FIGURES = {"attention_pair.png": figures.course_picture}


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
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = f"{digest}-{seen[digest]}"
    return notebook


def student_edition(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Return the notebook with stubs for solutions, and each solution folded away below; None without exercises."""
    student = copy.deepcopy(notebook)
    cells = []
    for cell in student.cells:
        cells.append(cell)
        solution = SOLUTION.search(cell.source)
        if solution:
            del cell.metadata["jupyter"]
            code = textwrap.dedent(solution.group(1)).rstrip()
            folded = f"<details><summary>Solution</summary>\n\n```python\n{code}\n```\n\n</details>"
            cells.append(new_markdown_cell(folded))
    if len(cells) == len(student.cells):
        return None
    student.cells = cells
    student, _ = ClearSolutions(enforce_metadata=False, code_stub={"python": STUB}).preprocess(student, {})
    return with_stable_ids(student)


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook in a fresh kernel and keep its outputs, but no times."""
    language_info = notebook.metadata["language_info"]
    resources = {"metadata": {"path": str(folder)}}
    # How print's output falls into pieces is chance; coalesced, it is one.
    NotebookClient(notebook, timeout=300, record_timing=False, coalesce_streams=True, resources=resources).execute()
    notebook.metadata["language_info"] = language_info  # the kernel adds its version
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def write(notebook: nbformat.NotebookNode, target: Path) -> None:
    """Run a notebook and write it to its file, if that changes anything."""
    target.parent.mkdir(exist_ok=True)
    execute(notebook, target.parent)
    text = nbformat.writes(notebook) + "\n"
    changed = not target.exists() or target.read_text(encoding="utf-8") != text
    if changed:
        target.write_text(text, encoding="utf-8")
    print(f"{target.relative_to(HERE)}: {'written' if changed else 'unchanged'}")


def main() -> None:
    """Regenerate everything and say what changed."""
    for name, draw in FIGURES.items():
        figures.save(draw(), HERE.parent / "figures" / name)
    for source in SOURCES:
        notebook = from_source(source)
        write(notebook, HERE / f"{source.stem}.ipynb")
        student = student_edition(from_source(source))
        if student:
            write(student, HERE / "exercises" / f"{source.stem}.ipynb")


if __name__ == "__main__":
    main()
