"""Folded inputs kept on disk, so that what takes a network many seconds is computed once, whoever asks.

A file is written under a temporary name and then renamed, so none is ever half there; one that is damaged all the same reads
as missing and is made again. Its name is a hash of everything that it depends on.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..environment import kernel

try:
    import fcntl
except ImportError:  # no such locks on this system: two processes may both compute, and either result is good
    fcntl = None

ROOM = Path(__file__).resolve().parents[1]
DAMAGED = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)


class InputCache:
    """The files of one capture: one per distinct input of a layer.

    Arguments:
        folder: where they are; made when the first one is written.
        made_from: everything that the contents depend on, as JSON values.
    """

    def __init__(self, folder: Path | str, made_from: dict):
        self.folder = Path(folder)
        self.made_from = json.dumps(made_from, sort_keys=True)

    def path(self, name: str) -> Path:
        """The file of one input."""
        made_from = f"{self.made_from}\n{name}"
        return self.folder / f"{hashlib.sha256(made_from.encode()).hexdigest()[:40]}.npz"

    def read(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays of one input, or None where there is no sound file."""
        if not self.path(name).is_file():  # a pipe in its place would never end
            return None
        try:
            with self.path(name).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        except DAMAGED:
            return None

    def write(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Keep the arrays of one input."""
        path = self.path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]  (numpy's flag could be a name of an array)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time inside the block."""
        if fcntl is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path("lock").with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@lru_cache(maxsize=1)
def code_and_versions() -> dict[str, str]:
    """What of this program folded inputs depend on: its sources that make them, the libraries that compute, and their kernel.

    With the kernel among them, what a shard says of its kernel is true of all that went into it.
    """
    folders = (ROOM.parent / "algorithms", ROOM / "calibration", ROOM / "networks")
    sources = sorted(source for folder in folders for source in folder.rglob("*.py"))
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    versions = {library: version(library) for library in ("numpy", "scipy", "torch", "tokenizers", "safetensors")}
    return {"code": digest, "kernel": kernel()} | versions
