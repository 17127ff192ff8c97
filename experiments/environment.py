"""What results depend on beside their specs: the sources, the libraries, the BLAS kernel, the files of the user's own claims."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import scipy.linalg  # noqa: F401  (its BLAS is one of those that `kernel` names)
from threadpoolctl import threadpool_info

from ..algorithms.arguments import reject

ROOMS = ("algorithms", "bounds", "experiments")
SHIPPED = ("*.py", "*.npz")  # results depend on the sources and on the data that ships with them
LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "python-flint", "torch", "scikit-learn", "safetensors", "tokenizers")


def code_version() -> str:
    """The SHA-256 of the sources of `algorithms/`, `bounds/` and `experiments/`, and of the data shipped with them."""
    digest = hashlib.sha256()
    for room in ROOMS:
        folder = _folder(room)
        for source in sorted(file for pattern in SHIPPED for file in folder.rglob(pattern)):
            digest.update(f"{room}/{source.relative_to(folder).as_posix()}\n".encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()


def _folder(room: str) -> Path:
    spec = find_spec(f"provable_ptq.{room}")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"provable_ptq.{room} is not installed", name=f"provable_ptq.{room}")
    return Path(spec.origin).parent


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """What the rows of this process depend on beside the spec: code version and versions of libraries; read once."""
    return {"code": code_version(), "versions": dict(_versions())}


@lru_cache(maxsize=1)
def kernel() -> str:
    """The BLAS kernels of this process: what last digits depend on beside `environment`, as "openblas Haswell".

    The key of a cell does not depend on it, so that shards of different machines merge; a table says which kernels it is from.
    """
    named = {f"{library['internal_api']} {library.get('architecture', 'of unknown kernel')}" for library in threadpool_info()
             if library["user_api"] == "blas" and "torch" not in library["filepath"]}
    return ", ".join(sorted(named)) or "unknown"


def _versions() -> Iterable[tuple[str, str]]:
    for name in LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def claims_sha256(file: str | Path) -> str:
    """The SHA-256 of a file of the user's own claims.

    Raises:
        InvalidArgumentError: no such file.
    """
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        raise reject("claims file", str(file), "a Python file that can be read") from None
