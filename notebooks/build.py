"""Make the notebooks and the shared figures from their sources: `make notebooks`.

`notebooks/source/NN_name.py` (jupytext's percent format) is what people edit. This script turns each into
`notebooks/NN_name.ipynb`, runs it from top to bottom in a fresh kernel, and stores the outputs. The result depends on
the source alone: a second run changes no byte.
"""

import hashlib
import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # as in the tests; must be set before PyTorch is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the stored outputs are those of a machine without a network

import jupytext
import nbformat
from nbclient import NotebookClient

from mvit2_lib import figures

HERE = Path(__file__).parent
SOURCES = sorted((HERE / "source").glob("*.py"))
FIGURES = {"attention_pair.png": figures.course_picture}


def from_source(source: Path) -> nbformat.NotebookNode:
    """Return the notebook that a source file describes, without outputs."""
    notebook = jupytext.read(source)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        # Cell ids made of the text stay the same as long as the cell does; jupytext would draw new ones at random.
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = f"{digest}-{seen[digest]}"
    return notebook


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run a notebook in a fresh kernel and keep its outputs, but no times."""
    language_info = notebook.metadata["language_info"]
    NotebookClient(notebook, timeout=300, record_timing=False, resources={"metadata": {"path": str(HERE)}}).execute()
    notebook.metadata["language_info"] = language_info  # the kernel adds its version
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def main() -> None:
    """Regenerate everything and say what changed."""
    for name, draw in FIGURES.items():
        figures.save(draw(), HERE.parent / "figures" / name)
    for source in SOURCES:
        notebook = from_source(source)
        execute(notebook)
        target = HERE / f"{source.stem}.ipynb"
        text = nbformat.writes(notebook) + "\n"
        changed = not target.exists() or target.read_text(encoding="utf-8") != text
        if changed:
            target.write_text(text, encoding="utf-8")
        print(f"{target.name}: {'written' if changed else 'unchanged'}")


if __name__ == "__main__":
    main()
