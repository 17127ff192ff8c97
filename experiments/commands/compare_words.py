"""How a comparison of two tables is told: line by line, and as one JSON document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..compare import AGREED, NOISE, STATED, Comparison, Difference, Pair, is_ratio
from .values import finite

SHOWN = 12  # lines of a list; how many more there are is said


def document(found: Comparison) -> dict[str, Any]:
    """A comparison as JSON values."""
    return {"same": found.same, "tolerances": {"agreed": AGREED, "stated": STATED, "noise": NOISE}} | plain(found)


def told(found: Comparison, first: str, second: str) -> Iterator[str]:
    """What a comparison found, line by line; the last one says whether the tables are the same.

    Arguments:
        found: the comparison.
        first, second: what the two tables are called.
    """
    yield (f"{found.cells_agree:,} of {found.cells.first:,} cells and {found.rows_agree:,} of {found.rows.first:,} rows "
           f"agree to {AGREED:g} in every number")
    yield from _listed([f"  {line}" for line in _table(found.differences)])
    both = f" of the {found.rows.first - found.missing.first:,} rows that both have" if any(found.missing) else ""
    yield f"no outcome{both} changed" if not found.changes else f"outcomes that changed: {len(found.changes):,}"
    yield from _listed([f"  {change.where}: {' → '.join(map(str, change.outcomes))}" for change in found.changes])
    for name, rows, columns in zip((first, second), found.missing, found.columns, strict=True):
        if rows:
            yield f"rows that only {name} has: {rows:,}"
        if columns:
            yield f"columns that only {name} has, not compared: {', '.join(columns)}"
    if found.made:
        yield f"what {first} and {second} say of their making differs:"
        yield from (f"  {name}: {_short(values.first)} → {_short(values.second)}" for name, values in found.made.items())
    yield _verdict(found)


def _verdict(found: Comparison) -> str:
    if found.same:
        most = f"no number differs by more than {found.largest:.1g}, within" if found.largest else "every number is within"
        return f"the same: {most} the {STATED:g} that is stated for another machine"
    reasons = [f"numbers differ by more than the {STATED:g} that is stated for another machine"] if found.largest > STATED else []
    reasons += ["outcomes changed"] if found.changes else []
    reasons += ["rows are missing"] if any(found.missing) else []
    reasons += ["columns are missing"] if any(found.columns) else []
    return "not the same: " + ", ".join(reasons)


def _table(differences: Sequence[Difference]) -> list[str]:
    """A head, and one line per sweep and column, the widest difference first; nothing where there is none."""
    if not differences:
        return []
    lines = [("section", "column", "rows", "at most", "where it is most")]
    for each in sorted(differences, key=lambda each: -each.largest):
        values = " → ".join(_value(value, each.column) for value in each.values)
        most = f"{each.largest:.1e}" if math.isfinite(each.largest) else "other"
        lines.append((each.sweep, each.column, f"{each.rows:,}", most, f"{values} in {each.where}"))
    widths = [max(len(line[place]) for line in lines) for place in range(4)]
    return ["  ".join([*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[4]]) for line in lines]


def _value(value: object, column: str) -> str:
    """A value of a table; what is rounding noise is called so."""
    if not isinstance(value, (int, float)):
        return str(value) or "nothing"
    return f"< {NOISE:g}" if is_ratio(column) and abs(value) < NOISE else f"{value:.6g}"


def _short(text: str) -> str:
    """The first digits of a SHA-256; anything else as it is, or that there is none."""
    return text[:12] if len(text) == 64 and not text.strip("0123456789abcdef") else text or "not said"


def _listed(lines: Sequence[str]) -> Iterable[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"  and {len(lines) - SHOWN:,} more"]


def plain(value: object) -> Any:
    """A value in JSON's own types; numbers that JSON does not have are spelt out."""
    if isinstance(value, Pair):
        return {"first": plain(value.first), "second": plain(value.second)}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return finite(value) if isinstance(value, float) else value
