"""Where results go: what stands in the way is found before any work is done, and a file is written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from ..algorithms.arguments import as_path, reject


def folder_to_write(name: str, path: str | Path) -> Path:
    """The path of a folder that is there or can be made; nothing is made.

    Raises:
        InvalidArgumentError: a file stands in its way, or the folder it would be in cannot be written.
    """
    path = as_path(name, path, "a folder that can be made and written")
    try:
        there = next(above for above in (path, *path.absolute().parents) if above.exists())
        if not there.is_dir():
            raise reject(name, str(path), f"a folder that can be made and written ({there} is a file)")
        if not os.access(there, os.W_OK):
            raise reject(name, str(path), f"a folder that can be made and written ({there} is read-only)")
    except OSError as error:
        raise reject(name, str(path), f"a folder that can be made and written ({error.strerror})") from None
    return path


def file_to_write(name: str, path: str | Path) -> Path:
    """The path of a file that can be written or replaced; nothing is written.

    Raises:
        InvalidArgumentError: a folder has its name, or its own folder cannot be made or written.
    """
    path = as_path(name, path, "a file that can be written")
    folder_to_write(name, path.parent)
    if path.is_dir():
        raise reject(name, str(path), "a file that can be written (it is a folder)")
    return path


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file and rename it: readers see the old file or the new one, nothing between.

    It reaches the disk before it gets its name, so that not even a power cut leaves half a file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
