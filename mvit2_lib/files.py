"""Files that appear whole or not at all, and folders with one writer."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # on Windows, where two runs into one folder are not noticed
    fcntl = None


class SaveError(OSError):
    """A file could not be written; what stood there before is untouched."""


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Write a file so that, whenever the machine stops, either the older file is there or the new one, never a part.

    The content goes to a hidden file beside it, is forced onto the disk, and then takes the name in one step. A program
    that is killed may leave such a file (`.NAME.NUMBER.partial`) behind.

    Parameters
    ----------
    path : path
        Where to; the folder must exist.
    content : bytes
        The whole file.

    Raises
    ------
    SaveError
        If there is no space left, no permission, or no such folder. The older file is untouched.

    Notes
    -----
    Built in notebook 07.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)  # room for whatever comes next
            raise
    except OSError as error:
        older = ": the file that was there before is untouched" if path.exists() else ""
        raise SaveError(f"could not write {path} ({error.strerror or error}){older}") from error


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder for this process, and clear away what killed ones have left of files they were writing.

    Raises
    ------
    SaveError
        If another process holds the folder. A process that is killed lets go of it.

    Notes
    -----
    Built in notebook 07.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(f"{folder} cannot be a folder for a run ({error.strerror or error})") from error
    with (folder / ".lock").open("w") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SaveError(
                    f"another process is at work in {folder}: wait for it, or name another folder"
                ) from error
        for partial in folder.glob(".*.partial"):
            partial.unlink(missing_ok=True)
        yield
