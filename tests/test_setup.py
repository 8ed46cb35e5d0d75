"""The machine check tells what is missing and what to do, and raises nothing."""

import json
import runpy
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from mvit2_lib.course import setup


def test_this_machine_passes_every_line(capsys):
    setup.check_machine()
    *lines, verdict = capsys.readouterr().out.splitlines()
    assert verdict == "Your machine is ready."
    assert all(line.startswith("[OK]   ") for line in lines)
    assert "[OK]   torch >=2.13" in lines
    assert "[OK]   jupyterlab >=4.2" in lines  # of the extra that the course needs
    assert not [line for line in lines if "timm" in line or "ruff" in line]  # of extras that it does not
    assert len(lines) >= 12


def test_an_old_and_a_missing_package_are_named_with_a_remedy(capsys):
    setup.check_machine(["torch>=99", "no-such-package>=1", "numpy>=1.26"])
    lines = capsys.readouterr().out.splitlines()
    found = metadata.version("torch")
    assert any(line.startswith(f"[FAIL] torch >=99: found {found}. What to do: run 'make lab' again") for line in lines)
    assert any(line.startswith("[FAIL] no-such-package >=1: not installed for ") for line in lines)
    assert "[OK]   numpy >=1.26" in lines
    assert lines[-1] == "2 of 5 checks failed."


def test_an_old_python_is_named(capsys, monkeypatch):
    monkeypatch.setattr(setup.platform, "python_version", lambda: "3.9.18")
    setup.check_machine([])
    assert "[FAIL] Python 3.10 or newer: this is Python 3.9.18. What to do: install a newer" in capsys.readouterr().out


def test_a_broken_pytorch_is_reported_and_not_raised(capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch, "equal", lambda *pair: 1 / 0)
    setup.check_machine([])
    assert "[FAIL] PyTorch multiplies two matrices: ZeroDivisionError" in capsys.readouterr().out


def test_a_wrong_product_is_a_failure(capsys, monkeypatch):
    monkeypatch.setattr(setup.torch, "equal", lambda *pair: False)
    setup.check_machine([])
    assert "[FAIL] PyTorch multiplies two matrices: the product is wrong. What to do: " in capsys.readouterr().out


def test_a_version_before_its_release_is_new_enough(capsys, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "2.9.0.dev20250701+cpu")
    setup.check_machine(["torch>=2.6"])
    assert "[OK]   torch >=2.6" in capsys.readouterr().out


def test_a_library_without_requirements_needs_only_python_and_pytorch(capsys, monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: None)
    setup.check_machine()
    *lines, verdict = capsys.readouterr().out.splitlines()
    assert (len(lines), verdict) == (2, "Your machine is ready.")


def test_a_library_that_was_never_installed_is_named(capsys, monkeypatch):
    def not_installed(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", not_installed)
    monkeypatch.setattr(metadata, "version", not_installed)
    setup.check_machine()
    assert "[FAIL] mvit2_lib: not installed for " in capsys.readouterr().out


def test_without_its_package_a_notebook_says_so_once_and_stays_silent_until_it_is_there(tmp_path, monkeypatch, capsys):
    shell = InteractiveShell.instance()
    shell.run_cell("from mvit2_lib.course import setup\nwanted = setup.optional('late_package')")
    shell.run_cell("print(wanted.name)\nraise SystemError")
    assert capsys.readouterr().out == (
        "The package late_package is not installed, so the cells of this notebook do nothing. "
        "In a terminal: pip install late_package\n"
    )
    (tmp_path / "late_package.py").write_text("name = 'here it is'")
    monkeypatch.syspath_prepend(tmp_path)
    shell.run_cell("wanted = setup.optional('late_package')")
    shell.run_cell("print(wanted.name)")
    assert capsys.readouterr().out == "here it is\n"


def test_a_package_that_is_there_and_broken_is_told_from_one_that_is_missing(tmp_path, monkeypatch, capsys):
    (tmp_path / "broken_package.py").write_text("import a_backend")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "IPython", None)  # outside a notebook there are no cells
    assert setup.optional("broken_package") is None
    assert (
        "broken_package cannot be imported (ModuleNotFoundError: No module named 'a_backend')"
        in capsys.readouterr().out
    )


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_the_command_copies_the_notebooks_of_the_folder_it_runs_in(tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks").mkdir()
    for name in ("00_start.ipynb", "draft.ipynb"):
        (tmp_path / "notebooks" / name).write_text("start")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["setup"])
    runpy.run_module("mvit2_lib.course.setup", run_name="__main__")
    assert [path.name for path in (tmp_path / "my_notebooks").iterdir()] == ["00_start.ipynb"]
    assert capsys.readouterr().out.startswith("1 new notebooks in my_notebooks")


def test_a_presenter_finds_no_answer_stored_under_a_question(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(Path(__file__).parents[1] / "notebooks", "notebooks", ignore=shutil.ignore_patterns("source"))
    setup.main(["--present"])
    for path in Path("my_presentation").iterdir():
        cells, originals = (
            json.loads(Path(folder, path.name).read_text())["cells"] for folder in (path.parent, "notebooks")
        )
        for cell, original in zip(cells, originals, strict=True):
            bare = "".join(cell["source"]).replace("<details><summary>After the answer</summary>", "")
            expected = "".join(original["source"])
            assert bare.replace("</details>", "").split() == expected.replace("</details>", "").split()
        asked = [number for number, cell in enumerate(cells) if "> **Predict.**" in "".join(cell["source"])]
        assert asked
        for number in asked:
            answer = next(cell for cell in cells[number:] if cell["cell_type"] == "code")
            assert (answer["outputs"], answer["execution_count"]) == ([], None)
            assert answer["metadata"]["jupyter"] == {"source_hidden": True}
        assert any("<summary>After the answer</summary>" in cell["source"] for cell in cells)
        kept = [cell for cell in cells if cell.get("outputs")]
        assert 0 < len(kept) < sum(bool(cell.get("outputs")) for cell in originals)


def test_every_reader_gets_copies_and_nothing_overwrites_them(tmp_path, capsys):
    course, mine = tmp_path / "notebooks", tmp_path / "my_notebooks"
    course.mkdir()
    for name, text in (("00_start.ipynb", "start"), ("01_one.ipynb", "stubs")):
        (course / name).write_text(text)
    setup.copy_notebooks(course, mine)
    assert {path.name: path.read_text() for path in mine.iterdir()} == {
        "00_start.ipynb": "start",
        "01_one.ipynb": "stubs",
    }
    (mine / "01_one.ipynb").write_text("my answers")
    (course / "02_two.ipynb").write_text("new")
    setup.copy_notebooks(course, mine)
    assert (mine / "01_one.ipynb").read_text() == "my answers"
    assert (mine / "02_two.ipynb").read_text() == "new"
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 new notebooks in ")
