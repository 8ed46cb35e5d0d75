"""Files that appear whole or not at all."""

import os
from pathlib import Path


class SaveError(OSError):
    """A file could not be written; what stood there before is untouched."""


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Write a file so that, whenever the machine stops, either the older file is there or the new one, never a part.

    The content goes to a hidden file beside it, is forced onto the disk, and then takes the name in one step. What a
    killed program leaves of the hidden file is overwritten by the next.

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
    partial = path.with_name(f".{path.name}.partial")
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
