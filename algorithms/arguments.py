"""Checks at the door: every bad argument is refused in one sentence, before any work is done."""

from __future__ import annotations

import numpy as np

LARGEST_CODE = 2**53  # beyond it float64 no longer holds every integer


class InvalidArgumentError(ValueError):
    """A public function got an argument it cannot accept."""


def reject(name: str, value: object, accepted: str) -> InvalidArgumentError:
    """The one sentence that every refusal uses: the name, the value, what is accepted."""
    shown = repr(value)
    if len(shown) > 120:
        shown = shown[:117] + "..."
    return InvalidArgumentError(f"{name} = {shown} is not accepted: {accepted}")


def as_matrix(name: str, value: object, dtype: object = np.float64, rows: int | None = None,
              columns: int | None = None, empty_columns: bool = False) -> np.ndarray:
    """`value` as a finite 2-D array of `dtype`; `rows` and `columns` prescribe its shape."""
    try:
        given = np.asarray(value)
        if given.dtype.kind not in "fiub":
            raise TypeError
        with np.errstate(over="ignore"):
            array = np.asarray(given, dtype=dtype, order="C")
    except (TypeError, ValueError):
        raise reject(name, value, "a 2-D array of real numbers") from None
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


def as_nonnegative(name: str, value: object) -> float:
    """`value` as one finite number that is not negative."""
    try:
        if np.asarray(value).dtype.kind not in "fiuO" or np.ndim(value) != 0:
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise reject(name, value, "one finite number >= 0") from None
    if not 0 <= number < np.inf:
        raise reject(name, value, "one finite number >= 0")
    return number


def as_seed(name: str, value: object) -> int:
    """`value` as a non-negative integer seed; None draws fresh entropy."""
    if value is None:
        return int(np.random.SeedSequence().entropy)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise reject(name, value, "None or an integer >= 0")
    return int(value)


def choose(name: str, value: object, accepted: tuple[str, ...]) -> str:
    """`value` if it is one of the accepted names."""
    if not (isinstance(value, str) and value in accepted):
        raise reject(name, value, "one of " + ", ".join(repr(word) for word in accepted))
    return value
