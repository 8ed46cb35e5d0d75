"""Make the notebooks and the shared figures from their sources: `make notebooks`.

`notebooks/source/NN_name.py` (jupytext's percent format) is what people edit. This script turns each into
`notebooks/NN_name.ipynb`, runs it from top to bottom in a fresh kernel, and stores the outputs. A solution, between
nbgrader's markers, is taken out of its code cell and returns folded away beneath it, so that on the web, too, a reader
has to open it; `tests/test_exercises.py` runs it. The result depends on the sources alone: a second run changes no
byte. What a cell tagged `nbval-ignore-output` has measured would differ each time, so it stays as it was until the
notebook's code changes, or until `--measure` asks for it. A notebook that somebody has written into is never
overwritten. Numbers choose notebooks: `python notebooks/build.py 03`. `--beside` prints each stored output beside the
text that speaks of it, to be read before a commit: no sentence may contradict its output.
"""

import argparse
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

from mvit2_lib.course import figures
from mvit2_lib.course.records import Timings, measured

HERE = Path(__file__).parent
SOURCES = sorted((HERE / "source").glob("*.py"))
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.DOTALL | re.MULTILINE)
MARKER = re.compile(r"^ *### (BEGIN|END) SOLUTION\n", re.MULTILINE)
STUB = r"\1# your code here\n\1raise NotImplementedError"
SHARED = HERE.parent / "figures"
FORMS = {
    "timm, plain": "timm, eager",
    "ours, plain": "ours: channels last, pooled keys",
    "ours, optimised": "batch norms folded, widest maps in kept memory",
    "ours, optimised, kept": "all freed memory kept by the C library",
    "ours, ONNX Runtime": "ours, in ONNX Runtime",
    "ours, ExecuTorch": "ours, in ExecuTorch with XNNPACK",
}
FIGURES = {
    "attention_pair.png": figures.course_picture,
    "speed.png": lambda: figures.waterfall(measured("batch_1"), 50, FORMS, "floor, F.linear"),
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
    cells = []
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note about blank lines
        cells.append(cell)
        if SOLUTION.search(cell.source):
            code = MARKER.sub("", cell.source).rpartition("\n\n\nchecks.")[0]
            cell.source = SOLUTION.sub(STUB, cell.source)
            folded = f"<details><summary>Solution</summary>\n\n```python\n{code}\n```\n\n</details>"
            cells.append(new_markdown_cell(folded))
    notebook.cells = cells
    add_links(notebook, source)
    return with_stable_ids(notebook)


def add_links(notebook: nbformat.NotebookNode, source: Path) -> None:
    """Lead from a notebook to its neighbours and its exercises: under its title, and at its end."""
    names, place = [path.stem for path in SOURCES], SOURCES.index(source)
    around = [f"[← {names[place - 1][:2]}]({names[place - 1]}.ipynb)"] if place else []
    onwards = [f"[{names[place + 1][:2]} →]({names[place + 1]}.ipynb)"] if place + 1 < len(names) else []
    exercises = re.findall(r"^## (Exercises.*)$", "\n".join(cell.source for cell in notebook.cells), re.MULTILINE)
    inside = [f"[Exercises](#{heading.replace(' ', '-')})" for heading in exercises]
    title, rest = notebook.cells[0].source.split("\n", 1)
    notebook.cells[0].source = f"{title}\n\n{' · '.join([*around, *inside, *onwards])}\n{rest}"
    notebook.cells[-1].source += "\n\n" + " · ".join([*around, *onwards])


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


def beside(notebook: nbformat.NotebookNode) -> None:
    """Print every stored output together with the text before and after its cell."""
    text = {"before": "", "after": ""}
    for place, cell in enumerate(notebook.cells):
        printed = "".join(
            output.get("text", "") or output.data.get("text/plain", "") for output in cell.get("outputs", ())
        )
        if printed:
            for side, others in (("before", notebook.cells[:place][::-1]), ("after", notebook.cells[place + 1 :])):
                text[side] = next((other.source for other in others if other.cell_type == "markdown"), "")
            print(f"{'=' * 95}\n{text['before']}\n\n{textwrap.indent(printed.rstrip(), '    | ')}\n\n{text['after']}")


def is_widget(output: nbformat.NotebookNode) -> bool:
    """Return whether an output lives only as long as its kernel, as a progress bar does."""
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def keep_outputs(notebook: nbformat.NotebookNode, target: Path, tag: str | None = None) -> bool:
    """Put back what the stored notebook shows, if its code is the same: all of it, or in the cells with a tag."""
    stored = nbformat.read(target, as_version=4).cells if target.exists() else []
    old = [cell for cell in stored if cell.cell_type == "code"]
    new = [cell for cell in notebook.cells if cell.cell_type == "code"]
    same = [cell.source for cell in old] == [cell.source for cell in new]
    for cell, before in zip(new, old, strict=True) if same else ():
        if tag is None or tag in cell.metadata.get("tags", ()):
            cell.outputs, cell.execution_count = before.outputs, before.execution_count
    return same


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
    parser.add_argument("--text", action="store_true", help="run nothing where only the text has changed")
    parser.add_argument("--beside", action="store_true", help="build nothing; print stored outputs beside their text")
    options = parser.parse_args()
    chosen = [source for source in SOURCES if not options.numbers or source.stem[:2] in options.numbers]
    if options.beside:
        for source in chosen:
            beside(nbformat.read(HERE / f"{source.stem}.ipynb", as_version=4))
        return
    for name, draw in FIGURES.items():
        figures.save(draw(), SHARED / name)
    for source in () if options.figures else chosen:
        target = HERE / f"{source.stem}.ipynb"
        notebook = from_source(source)
        if not (options.text and keep_outputs(notebook, target)):
            execute(notebook, HERE)
            if not options.measure:
                keep_outputs(notebook, target, MEASURED)
        write(notebook, target)


if __name__ == "__main__":
    main()
