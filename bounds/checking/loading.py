"""Files of a user's own claims: found, executed, and what they raise in words."""

from __future__ import annotations

import importlib.util
import traceback
from pathlib import Path

from ...algorithms.arguments import InvalidArgumentError, as_path, reject
from .containment import contained
from .registry import added_by


def load_claims(path: str | Path) -> list[str]:
    """Import a file of your own claims, which runs it; returns the ids it registered.

    Raises:
        InvalidArgumentError: no such file, one that cannot be imported (with the line and the error), one that ends the program, or one
            that registers no claim.
    """
    path = claims_file(path)
    added = added_by(lambda: _executed(path))
    if not added:
        raise reject("claims file", str(path), "a file that registers at least one claim with @claim")
    return added


def _executed(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"claims_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise reject("claims file", str(path), "a Python file that can be imported")
    try:
        with contained():
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except (InvalidArgumentError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise reject("claims file", str(path), f"a Python file that can be imported ({what_was_raised(error, path)})") from error


def claims_file(path: str | Path) -> Path:
    """The path of a file of the user's own claims, once it is seen to be there; nothing of it is run.

    Raises:
        InvalidArgumentError: no such file, or no Python file.
    """
    path = as_path("claims file", path, "a Python file that registers claims")
    if not path.is_file() or path.suffix != ".py":
        raise reject("claims file", str(path), "a Python file that registers claims")
    return path


def what_was_raised(error: BaseException, path: str | Path) -> str:
    """An error of a user's file in words: its kind, what it says, and the line of the file where there is one.

    >>> what_was_raised(SyntaxError("invalid syntax", ("mine.py", 3, 1, "1 +")), "mine.py")
    'line 3: SyntaxError: invalid syntax'
    """
    if isinstance(error, SyntaxError):
        said, lines = error.msg, [error.lineno] if error.lineno else []
    else:
        said = " ".join(str(error).split())
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == Path(path).absolute()]
    where = f"line {lines[-1]}: " if lines else ""
    return where + type(error).__name__ + (f": {said}" if said else "")


def refuse_raising(claim_id: str, path: str | Path, error: Exception) -> InvalidArgumentError:
    """What to raise where a claim of a user's file ended with an error."""
    return reject("claim", claim_id, f"a function that can be evaluated (in {path}, {what_was_raised(error, path)})")
