"""Checks at the door: every bad argument is refused in one sentence, before any work is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeGuard, overload

import numpy as np
from numpy.typing import DTypeLike

LARGEST_CODE = 2**53  # beyond it float64 no longer holds every integer
LARGEST_COUNT = 2**63 - 1
LONGEST_SHOWN = 120  # characters of a refused value
PROCESSES_PER_CORE = 16


class InvalidArgumentError(ValueError):
    """A public function got an argument it cannot accept."""


def reject(name: str, value: object, accepted: str) -> InvalidArgumentError:
    """The one sentence that every refusal uses: the name, the value, what is accepted."""
    sentence = f"{name} = {_shown(value)} is not accepted: {accepted}"
    return InvalidArgumentError(sentence if len(sentence.splitlines()) == 1 else " ".join(sentence.split()))


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except Exception:  # nested too deeply, too long a number, or of a class of somebody's own
        shown = f"<{type(value).__name__}>"
    if "\n" in shown:
        shown = " ".join(shown.split())
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 3] + "..."


def as_array(value: Any) -> np.ndarray:
    """`value` as an array of whatever it holds.

    Raises:
        TypeError: a masked array (its mask would be lost), or something that numpy cannot read.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError("a masked array")
    try:
        return np.asarray(value)
    except Exception as error:  # ragged, nested too deeply, a tensor on another device
        raise TypeError(str(error)) from None


def as_matrix(name: str, value: Any, dtype: DTypeLike = np.float64, rows: int | None = None,
              columns: int | None = None, empty_columns: bool = False) -> np.ndarray:
    """`value` as a finite 2-D array of `dtype`; `rows` and `columns` prescribe its shape."""
    try:
        given = as_array(value)
        if given.dtype.kind not in "fiub":
            raise TypeError
        with np.errstate(over="ignore"):
            array = np.asarray(given, dtype=dtype, order="C")
    except (TypeError, ValueError):
        masked = " without a mask" if isinstance(value, np.ma.MaskedArray) else ""
        raise reject(name, value, f"a 2-D array of real numbers{masked}") from None
    except MemoryError:
        raise reject(f"{name}.shape", np.shape(value), "an array that fits into memory") from None
    if array.ndim != 2:
        raise reject(f"{name}.shape", array.shape, "a 2-D array")
    if array.shape[0] == 0 or (array.shape[1] == 0 and not empty_columns):
        raise reject(f"{name}.shape", array.shape, "an array without empty axes")
    if rows is not None and array.shape[0] != rows:
        raise reject(f"{name}.shape", array.shape, f"{rows} rows, one per feature of the calibration matrix"
                     if name == "W" else f"{rows} rows")
    if columns is not None and array.shape[1] != columns:
        raise reject(f"{name}.shape", array.shape, f"{columns} columns")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise reject(f"{name}[{row}, {column}]", float(given[row, column]), f"numbers that are finite in {array.dtype}")
    return array


def as_nonnegative(name: str, value: Any) -> float:
    """`value` as one finite number that is not negative."""
    try:
        given = as_array(value)
        if given.dtype.kind not in "fiuO" or given.ndim != 0:
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise reject(name, value, "one finite number >= 0") from None
    if not 0 <= number < np.inf:
        raise reject(name, value, "one finite number >= 0")
    return number


def as_share(name: str, value: Any) -> float:
    """`value` as one number strictly between 0 and 1."""
    try:
        given = as_array(value)
        if given.dtype.kind not in "fiu" or given.ndim != 0 or not 0 < given < 1:
            raise TypeError
    except TypeError:
        raise reject(name, value, "a number strictly between 0 and 1") from None
    return float(value)


@overload
def as_count(name: str, value: Any, least: int = 1, most: int | None = None) -> int: ...
@overload
def as_count(name: str, value: Any, least: int = 1, most: int | None = None, *, optional: bool) -> int | None: ...


def as_count(name: str, value: Any, least: int = 1, most: int | None = None, optional: bool = False) -> int | None:
    """`value` as a Python integer, which never wraps around; None where that is `optional`.

    >>> as_count("bits", np.uint8(10), 2, 32) ** 40
    10000000000000000000000000000000000000000
    """
    if value is None and optional:
        return None
    if not _is_integer(value) or not least <= value <= (LARGEST_COUNT if most is None else most):
        size = f">= {least}" if most is None else f"from {least} to {most}"
        size += " and below 2**63" if most is None and _is_integer(value) and value > LARGEST_COUNT else ""
        raise reject(name, value, f"{'None or ' if optional else ''}an integer {size}")
    return int(value)


def as_seed(name: str, value: Any) -> int:
    """`value` as a non-negative integer seed; None draws fresh entropy."""
    if value is None:
        return int(np.random.SeedSequence().entropy)  # pyright: ignore[reportArgumentType]  # one integer where none was given
    if not _is_integer(value) or value < 0:
        raise reject(name, value, "None or an integer >= 0")
    return int(value)


def as_path(name: str, value: Any, accepted: str = "a path") -> Path:
    """`value` as a path that the system can look up, whether or not there is something."""
    try:
        path = Path(value)
        path.is_file()  # a name may be too long
        if "\0" in str(path):
            raise ValueError
    except (TypeError, ValueError, OSError):
        raise reject(name, value, accepted) from None
    return path


def as_workers(name: str, value: Any) -> int:
    """`value` as a number of processes, -1 for one per core; more than a machine can be meant to run are refused."""
    most = PROCESSES_PER_CORE * (os.cpu_count() or 1)
    if not _is_integer(value) or not (1 <= value <= most or value == -1):
        accepted = f"a number of processes from 1 to {most} ({PROCESSES_PER_CORE} per core), or -1: one per core"
        raise reject(name, value, accepted)
    return int(value)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def choose(name: str, value: Any, accepted: tuple[str, ...]) -> str:
    """`value` if it is one of the accepted names."""
    if not (isinstance(value, str) and value in accepted):
        raise reject(name, value, "one of " + ", ".join(repr(word) for word in accepted))
    return value
