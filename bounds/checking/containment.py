"""Code of the user's own may fail, but it never ends the program: a run without a result must not look like one that went well."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_exit = os._exit
_inside = threading.local()


class EndedError(RuntimeError):
    """Code that was called tried to end the process."""


@contextmanager
def contained() -> Iterator[None]:
    """Inside, `sys.exit` and `os._exit` are errors like any other, in this thread.

    >>> import sys
    >>> try:
    ...     with contained():
    ...         sys.exit(0)
    ... except EndedError as error:
    ...     print(error)
    it called sys.exit(0)
    """
    os._exit = _exit_unless_contained
    _inside.depth = getattr(_inside, "depth", 0) + 1
    try:
        yield
    except SystemExit as ended:
        raise EndedError(f"it called sys.exit({'' if ended.code is None else repr(ended.code)})") from None
    finally:
        _inside.depth -= 1


def _exit_unless_contained(status: int) -> None:
    if getattr(_inside, "depth", 0):
        raise EndedError(f"it called os._exit({status})")
    _exit(status)
