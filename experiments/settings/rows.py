"""The settings that rows of a table were run with: which there are, which of them vary, and one part of a table per setting."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from .words import METHODS, all_in_words, enumerated, identity, in_words, method, ordered

PLACES = ("calibration", "layer")  # which matrix: not a setting, but what settings are tried on
SETTINGS = ("algorithm", "form", "rounding", "bits", "steps", "alphabet", "mismatch", "damping", "ordering", "draws", "failure_probability")
REPETITION = "seed"
AXES = (*PLACES, *SETTINGS, REPETITION)
PLAIN = {"steps": "uniform", "mismatch": "none", "draws": 0}  # what goes without saying, unless it varies
ONE_PER = {"calibration": "matrix", "layer": "layer", "algorithm": "algorithm", "form": "form", "rounding": "rounding", "bits": "width",
           "steps": "rule for steps", "alphabet": "alphabet", "mismatch": "mismatch", "damping": "damping", "ordering": "ordering",
           "draws": "number of draws", "failure_probability": "failure probability"}  # fmt: skip


def normal(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with one spelling per setting: no form but Qronos', one name per damping."""
    changed = {}
    if {"form", "algorithm"} <= set(rows):
        changed["form"] = rows["form"].where(rows["algorithm"] == "qronos", "")
    if "damping" in rows:
        spelt: dict = {}
        changed["damping"] = rows["damping"].map({d: spelt.setdefault(identity("damping", d), d) for d in rows["damping"].unique()})
    return rows.assign(**changed)


def values_of(rows: pd.DataFrame, axis: str) -> list:
    """The values of an axis that occur in the rows, in their order; empty where the rows have none."""
    if axis not in rows:
        return []
    given = rows[axis].tolist()
    if axis == "form" and "algorithm" in rows:
        given = [form for form, algorithm in zip(given, rows["algorithm"].tolist(), strict=True) if algorithm == "qronos"]
    return ordered(axis, [value for value in set(given) if not pd.isna(value)])


def varying(rows: pd.DataFrame, shown: Collection[str] = ()) -> list[str]:
    """The settings that vary in the rows and are not among the shown ones; repetitions and matrices are none.

    >>> varying(pd.DataFrame({"bits": [3, 4, 5], "ordering": ["natural"] * 3, "seed": [0, 1, 2]}))
    ['bits']
    """
    return [axis for axis in SETTINGS if axis not in shown and len(values_of(rows, axis)) > 1]


def split(rows: pd.DataFrame, shown: Collection[str] = ()) -> list[tuple[str, pd.DataFrame]]:
    """The rows in parts, one for each combination of the settings that vary and are not shown: (which, rows).

    `which` names the settings of a part, and is empty where there is only one. Nothing but repetitions varies unseen in a part.

    >>> for which, part in split(pd.DataFrame({"bits": [5, 4, 5], "rounding": ["nearest"] * 3, "seed": [0, 0, 1]})):
    ...     print(which, len(part))
    4-bit steps 1
    5-bit steps 2
    """
    if rows.empty:
        return []
    rows, by = normal(rows), varying(rows, shown)
    if not by:
        return [("", rows)]
    parts = {tuple(identity(axis, value) for axis, value in zip(by, values, strict=True)): (values, part)
             for values, part in rows.groupby(by, dropna=False)}  # fmt: skip
    return [(_named(by, values), part) for _, (values, part) in sorted(parts.items(), key=lambda item: item[0])]


def _named(axes: Sequence[str], values: Sequence) -> str:
    of = dict(zip(axes, values, strict=True))
    if "algorithm" in of:
        of["algorithm"] = method(of["algorithm"], of.pop("form", "alternating"))
    phrases = [value if axis == "algorithm" else in_words(axis, value) for axis, value in of.items()]
    return ", ".join(phrase for phrase in phrases if phrase)


def split_in_words(rows: pd.DataFrame, shown: Collection[str] = (), what: str = "table") -> str:
    """Why there are several tables or panels; empty where nothing but the shown settings varies.

    >>> split_in_words(pd.DataFrame({"bits": [3, 4], "ordering": ["natural", "min-pivot"]}), what="panel")
    'the sweep varies bits and ordering: one panel per width and ordering'
    """
    by = varying(rows, shown)
    if not by:
        return ""
    names = [axis.replace("_", " ") for axis in by]
    return f"the sweep varies {enumerated(names)}: one {what} per {enumerated([ONE_PER[axis] for axis in by])}"


def repetitions(rows: pd.DataFrame) -> list[int]:
    """How many repetitions each combination of matrix and settings has: the smallest and the largest number."""
    rows = normal(rows)
    by = [axis for axis in (*PLACES, *SETTINGS) if axis in rows]
    counts = rows.groupby(by, dropna=False)[REPETITION].nunique() if REPETITION in rows and len(rows) else pd.Series([1])
    return [int(counts.min()), int(counts.max())]


def mean_over(rows: pd.DataFrame) -> str:
    """What a mean is over; empty where every run stands alone.

    >>> mean_over(pd.DataFrame({"bits": [4, 4, 8], "seed": [0, 1, 0]})), mean_over(pd.DataFrame({"bits": [4], "seed": [0]}))
    ('mean over 1 to 2 repetitions', '')
    """
    low, high = repetitions(rows)
    return "" if high == 1 else f"mean over {high if low == high else f'{low} to {high}'} repetitions"


def settings(rows: pd.DataFrame, apart: Collection[str] = (), averaged: bool = False, unsaid: dict | None = None) -> str:
    """All settings of the rows in one phrase, apart from those named; with `averaged` also over how many repetitions a mean is.

    What goes without saying (`unsaid`; by default matched inputs, one step per neuron, one run) is said only where it varies.

    >>> rows = pd.DataFrame({"algorithm": "optq", "bits": [4, 8, 8], "damping": "none", "mismatch": "none", "seed": [0, 0, 1]})
    >>> settings(rows, averaged=True), settings(rows.head(1), apart=("damping",))
    ('OPTQ, 4- and 8-bit steps, no damping, mean over 1 to 2 repetitions', 'OPTQ, 4-bit steps')
    """
    phrases, unsaid = [], PLAIN if unsaid is None else unsaid
    if "algorithm" not in apart and "algorithm" in rows:
        pairs = normal(rows)[["algorithm", "form"]].drop_duplicates() if "form" in rows else rows[["algorithm"]].drop_duplicates()
        met = [method(*pair) for pair in pairs.itertuples(index=False)]
        known = list(METHODS.values())
        phrases.append(enumerated(sorted(met, key=lambda name: known.index(name) if name in known else len(known))))
    for axis in SETTINGS:
        values = values_of(rows, axis)
        if axis in apart or axis in ("algorithm", "form") or not values or values == [unsaid.get(axis)]:
            continue
        phrases.append(all_in_words(axis, values))
    said = [phrase for phrase in phrases if phrase]
    return ", ".join(said + ([mean_over(rows)] if averaged and mean_over(rows) else []))


def mean_over_repetitions(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str], whatever: Collection[str] = ()) -> pd.DataFrame:
    """The means of columns for each combination of the axes `by`: over repetitions, and over nothing else.

    Arguments:
        rows: runs.
        by: the axes that are shown.
        columns: what is averaged.
        whatever: settings on which the columns do not depend (pivots have no bits).

    Raises:
        ValueError: another axis varies within a combination; `split` by it first.

    >>> rows = pd.DataFrame({"calibration": "x", "bits": [4, 4, 8], "seed": [0, 1, 0], "ratio": [1.0, 2.0, 5.0]})
    >>> mean_over_repetitions(rows, ["calibration", "bits"], ["ratio"])["ratio"].tolist()
    [1.5, 5.0]
    >>> mean_over_repetitions(rows, ["calibration"], ["ratio"])
    Traceback (most recent call last):
    ...
    ValueError: a mean over repetitions, where bits vary too: split by them first
    """
    groups = normal(rows).groupby(list(by))
    unseen = [axis for axis in (*PLACES, *SETTINGS) if axis in rows and axis not in by and axis not in whatever]
    several = (groups[unseen].nunique() > 1).any()
    mixed = [axis for axis in unseen if several[axis]]
    if mixed:
        raise ValueError(f"a mean over repetitions, where {enumerated(mixed)} vary too: split by them first")
    return groups[list(columns)].mean()
