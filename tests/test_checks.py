"""The machine check tells what is missing and what to do, and raises nothing."""

from importlib import metadata

from mvit2_lib import checks
from mvit2_lib.checks import ready


def test_this_machine_passes_every_line(capsys):
    checks.machine()
    *lines, verdict = capsys.readouterr().out.splitlines()
    assert verdict == "Your machine is ready."
    assert all(line.startswith("[OK]   ") for line in lines)
    assert "[OK]   torch >=2.6" in lines
    assert len(lines) >= 12


def test_an_old_and_a_missing_package_are_named_with_a_remedy(capsys):
    checks.machine(["torch>=99", "no-such-package>=1", "numpy>=1.26"])
    lines = capsys.readouterr().out.splitlines()
    found = metadata.version("torch")
    assert any(line.startswith(f"[FAIL] torch >=99: found {found}. What to do: run 'make lab' again") for line in lines)
    assert any(line.startswith("[FAIL] no-such-package >=1: not installed for ") for line in lines)
    assert "[OK]   numpy >=1.26" in lines
    assert lines[-1] == "2 of 5 checks failed."


def test_an_old_python_is_named(capsys, monkeypatch):
    monkeypatch.setattr(ready.platform, "python_version", lambda: "3.9.18")
    checks.machine([])
    assert "[FAIL] Python 3.10 or newer: this is Python 3.9.18. What to do: install a newer" in capsys.readouterr().out


def test_a_broken_pytorch_is_reported_and_not_raised(capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch, "equal", lambda *pair: 1 / 0)
    checks.machine([])
    assert "[FAIL] PyTorch multiplies two matrices: ZeroDivisionError" in capsys.readouterr().out


def test_a_library_that_was_never_installed_is_named(capsys, monkeypatch):
    def not_installed(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", not_installed)
    monkeypatch.setattr(metadata, "version", not_installed)
    checks.machine()
    assert "[FAIL] mvit2_lib: not installed for " in capsys.readouterr().out
