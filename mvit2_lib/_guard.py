"""Rules that every layer shares: two kinds of errors, whole numbers, names from outside, files that appear whole.

A caller can tell three cases apart: a wrong *argument* is a ValueError or TypeError, a wrong *file* a `FileError`, and
what may work at another time a `RetryError`.
"""

import numbers
import os
import secrets
from pathlib import Path


class FileError(ValueError):
    """A file or folder is damaged, unsafe, of an unknown kind, or not what it was given for."""


class RetryError(OSError):
    """Something outside stood in the way: a full disk, an unreachable hub, another process. Nothing was lost."""


def whole_number(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """Return `value` as an int if it is a whole number (NumPy's count too) from `least` to `most`; else raise."""
    ok = isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least
    if not ok or (most is not None and value > most):
        limit = f"from {least} up" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {limit}, not {value!r}")
    return int(value)


def printable(text: object) -> str:
    """Return a text from outside, such as a file's name, with line feeds and escape sequences written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Write a file so that, whenever the machine stops, the older file is there or the new one, never a part.

    The content goes to a new file `.NAME.XXXXXXXX.partial` beside it, is forced onto the disk, and takes the name in
    one step. Where the name is a link, the link is replaced, never the file it leads to.

    Raises
    ------
    RetryError
        If there is no space, no permission or no such folder. The older file is untouched.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no ordinary file")
        file = partial.open("xb")  # never over a file that is there
        try:
            with file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)  # Windows takes no name from an open file
        except BaseException:
            partial.unlink(missing_ok=True)  # room for whatever comes next
            raise
    except OSError as error:
        older = ": the file that was there before is untouched" if path.exists() else ""
        raise RetryError(f"could not write {printable(path)} ({error.strerror or error}){older}") from error
