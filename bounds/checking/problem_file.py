"""The file of a problem: .npz without pickles, written whole or not at all, and read with nothing missing and nothing too many."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...algorithms.arguments import as_path, reject

if TYPE_CHECKING:
    from .problem import Problem

MATRICES = ("X", "W", "X_quantized", "X_validation")
WORDS = ("algorithm", "form", "damping", "rounding", "seed", "failure_probability")
ENDS = ("step", "low", "high")


def write_problem(problem: Problem, path: str | Path) -> Path:
    """See `Problem.save`."""
    arrays = {name: getattr(problem, name) for name in MATRICES if getattr(problem, name) is not None}
    arrays |= {f"grid_{name}": getattr(problem.grid, name) for name in ENDS if getattr(problem.grid, name) is not None}
    words = {name: getattr(problem, name) for name in WORDS}
    if isinstance(problem.ordering, str):
        words["ordering"] = problem.ordering
    else:
        arrays["ordering"] = problem.ordering
    path = as_path("path", path, "the path of a file that can be written")
    temporary = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        with temporary.open("wb") as file:
            np.savez(file, settings=np.array(json.dumps(words, sort_keys=True)), **arrays)
        temporary.replace(path)
    except OSError as error:
        raise reject("path", str(path), f"a file that can be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def read_problem(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and words of a problem's file; raises as `Problem.load` does where it is none."""
    path = as_path("path", path, "the path of a problem file written by Problem.save")
    if not path.is_file():
        raise reject("path", str(path), "a problem file written by Problem.save (there is no such file)")
    try:
        return _stored(path)
    except Exception as error:  # a damaged archive can fail anywhere in its readers
        raise reject("path", str(path), f"a problem file written by Problem.save ({_said(error)})") from None


def _stored(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and words of a problem's file, none missing and none too many."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:  # numpy leaves a damaged file open that it opens itself
        arrays = {name: stored[name] for name in stored.files if name != "settings"}
        words = json.loads(str(stored["settings"]))
    if not isinstance(words, dict):
        raise ValueError("its settings are no table")
    required, ordering = {"X", "W", "grid_step"}, {"ordering"} - words.keys()
    allowed = {*MATRICES, *(f"grid_{name}" for name in ENDS)} | ordering
    missing = sorted((required | ordering) - arrays.keys()) + sorted(set(WORDS) - words.keys())
    unknown = sorted(arrays.keys() - allowed) + sorted(words.keys() - {*WORDS, "ordering"})
    if missing or unknown:
        raise ValueError(f"it lacks {', '.join(missing)}" if missing else f"nothing of a problem is called {', '.join(unknown)}")
    return arrays, words


def _said(error: Exception) -> str:
    """An error on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
