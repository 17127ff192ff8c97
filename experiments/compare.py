"""Two tables of one study held against each other: which cells agree, which numbers differ and by how much, which outcomes changed.

What is promised of a table: the same bytes on one machine and in one environment; on another machine, with another kernel of the
linear algebra library, every outcome and every code of a deployed network, and every number to `STATED`. The tolerances stand here
and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from .cells.growth import SWEEP as GROWTH
from .cells.permutations import SWEEP as PERMUTATIONS
from .table import KEY

AGREED = 1e-9  # relative: what other roundings of sums leave of well-conditioned numbers, with orders of magnitude to spare
STATED = 1e-6  # relative: the most that any number may change on another machine, far below the three digits that a report prints
NOISE = 1e-12  # of a ratio or a relative residual: both below it are equal, whatever their digits are

NUMBERS = ("bits", "seed", "draws", "samples", "features", "neurons", "failure_probability")
CELL = (*KEY[: KEY.index("record")], "samples", "features", "neurons")
ROW = [*CELL, "record", "claim", "failure_probability"]  # what names a row, with its place among those alike, in order of their levels
WITHIN = {PERMUTATIONS: ("ordering",), GROWTH: ("seed",)}  # what varies inside one cell of these sections
PROSE = ("advice", "error")  # sentences: compared without the numbers in them, which stand in columns of their own
NUMERAL = re.compile(r"\d[\d,]*\.?\d*(?:e[-+]?\d+)?|\binf\b|\bnan\b")


class Pair(NamedTuple):
    """A value of the first table and of the second."""

    first: Any
    second: Any


@dataclass(frozen=True)
class Difference:
    """A column of a sweep in which rows differ beyond `AGREED`.

    Attributes:
        rows: how many.
        largest: the largest relative difference; infinite where one side is no finite number, or where texts differ.
        values: both values where it is largest; `where` says in which row.
    """

    sweep: str
    column: str
    rows: int
    largest: float
    values: Pair
    where: str


@dataclass(frozen=True)
class Change:
    """A verdict that is another one in the second table."""

    where: str
    outcomes: Pair


@dataclass(frozen=True)
class Comparison:
    """What two tables have in common, the second held against the first.

    Attributes:
        cells, rows: how many each of the two tables has.
        cells_agree, rows_agree: how many of them are in both tables and equal to `AGREED` in every number, and in every word.
        differences: by sweep and column.
        changes: verdicts whose outcome changed.
        sweeps: the sections with a row that is not equal in both.
        missing: rows that only the first table has, and only the second.
        columns: columns with values that only the first table has, and only the second: they are not compared.
        made: what the tables say of their making, where they say different things.
    """

    cells: Pair
    rows: Pair
    cells_agree: int
    rows_agree: int
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]
    sweeps: tuple[str, ...]
    missing: Pair
    columns: Pair
    made: dict[str, Pair]

    @property
    def largest(self) -> float:
        """The largest relative difference beyond `AGREED` of a number that both tables have; 0 where all agree."""
        return max((each.largest for each in self.differences), default=0.0)

    @property
    def same(self) -> bool:
        """Whether the second table reproduces the first: the same rows and outcomes, and every number to `STATED`."""
        whole = not any((*self.missing, *self.columns))
        return whole and not self.changes and self.largest <= STATED


def compare(first: tuple[pd.DataFrame, dict], second: tuple[pd.DataFrame, dict]) -> Comparison:
    """Hold a table against another one.

    Arguments:
        first, second: tables and what they say of their making, as `read_table` returns them.

    >>> row = {"sweep": "damping", "calibration": "ar1", "record": "run", "damped_error": 2.0}
    >>> tables = [(pd.DataFrame([row | {"damped_error": error}]), {}) for error in (2.0, 2.0000001)]
    >>> found = compare(*tables)
    >>> found.rows_agree, found.same, [(each.column, round(each.largest, 9)) for each in found.differences]
    (0, True, [('damped_error', 5e-08)])
    """
    tables = [_indexed(rows) for rows, _ in (first, second)]
    both = tables[0].index.intersection(tables[1].index)
    a, b = (table.loc[both].reset_index(drop=True) for table in tables)
    alone = [table.loc[table.index.difference(both)] for table in tables]
    measured = [column for column in a.columns if column in b.columns and column not in (*ROW, "level", "cell")]
    distances = pd.DataFrame({column: distance(a[column], b[column], column) for column in (*measured, "level")}, index=a.index)
    changed = distances.pop("outcome") > 0
    agree = (distances <= AGREED).all(axis=1) & ~changed
    spoilt = {*a["cell"][~agree], *alone[0]["cell"], *alone[1]["cell"]}
    return Comparison(
        cells=Pair(*(table["cell"].nunique() for table in tables)),
        rows=Pair(*(len(table) for table in tables)),
        cells_agree=len(set(a["cell"]) - spoilt),
        rows_agree=int(agree.sum()),
        differences=tuple(_differences(a, b, distances)),
        changes=tuple(Change(f"{row['sweep']}, {described(row)}", Pair(row["outcome"], b.at[index, "outcome"]))
                      for index, row in a[changed].iterrows()),
        sweeps=tuple(sorted({*a["sweep"][~agree], *alone[0]["sweep"], *alone[1]["sweep"]})),
        missing=Pair(*map(len, alone)),
        columns=Pair(_columns_of_one(*tables), _columns_of_one(*tables[::-1])),
        made=_made_differently(first[1], second[1]),
    )


def distance(a: pd.Series, b: pd.Series, column: str) -> np.ndarray:
    """How far values are apart (rows,): relative to the larger; infinite where only one is a finite number, or where texts differ.

    >>> distance(pd.Series([1.0, 0.0, 3e-15]), pd.Series([1.5, np.nan, 8e-14]), "ratio").round(3).tolist()
    [0.333, inf, 0.0]
    """
    if not (is_numeric_dtype(a) and is_numeric_dtype(b)):
        texts = [_text(values) for values in (a, b)]
        if column in PROSE:
            texts = [text.str.replace(NUMERAL, "#", regex=True) for text in texts]
        return np.where(texts[0] == texts[1], 0.0, np.inf)
    x, y = a.to_numpy(float), b.to_numpy(float)
    equal = (x == y) | (np.isnan(x) & np.isnan(y)) | (is_ratio(column) & (np.abs(x) < NOISE) & (np.abs(y) < NOISE))
    with np.errstate(invalid="ignore", over="ignore"):
        relative = np.abs(x / np.maximum(np.abs(x), np.abs(y)) - y / np.maximum(np.abs(x), np.abs(y)))
    return np.where(equal, 0.0, np.where(np.isfinite(x) & np.isfinite(y), relative, np.inf))


def is_ratio(column: str) -> bool:
    """Whether a column has no unit, so that `NOISE` means the same everywhere: ratios and relative residuals."""
    return column.startswith("ratio")


def described(row: pd.Series) -> str:
    """A row in a few words: what tells it from the others of its section, without the settings that most have."""
    told = [row["calibration"], row["layer"]]
    told += [] if row["mismatch"] in ("", "none") else [row["mismatch"]]
    told += [row["algorithm"], *([row["form"]] if row["algorithm"] == "qronos" else []), row["rounding"]]
    told += [f"{row['bits']:g} bits"] if row["bits"] else []
    told += [row["ordering"], row["damping"], *([f"seed {row['seed']:g}"] if row["seed"] else []), row["claim"]]
    return ", ".join(word for word in told if word)


def _indexed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows under an index that names each of them, whatever the last digits of their levels, with the cell of each."""
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *ROW, "level", "outcome"])))
    filled = {name: rows[name].fillna(0.0).astype(float) if name in NUMBERS else _text(rows[name]) for name in ROW}
    rows = rows.assign(**filled).sort_values("level", kind="stable", ignore_index=True)
    names = rows[ROW].astype(str)
    alike = _joined(names)
    place = alike.groupby(alike, sort=False).cumcount()
    return rows.assign(cell=_cells(names)).set_index(alike + "|" + place.astype(str))


def _cells(names: pd.DataFrame) -> pd.Series:
    """The cell of the study that each row comes from, by a name that is the same in every table.

    Cells of sweeps have bits and several claims; of the sections without bits each is about one claim, or about none.
    """
    cell = names[list(CELL)].copy()
    for sweep, columns in WITHIN.items():
        cell.loc[names["sweep"] == sweep, list(columns)] = ""
    return _joined(cell.assign(claim=names["claim"].where(names["bits"] == "0.0", "")))


def _joined(names: pd.DataFrame) -> pd.Series:
    """The texts of each row as one."""
    return reduce(lambda text, column: text + "|" + names[column], names.columns[1:], names[names.columns[0]])


def _text(values: pd.Series) -> pd.Series:
    """Values as text, empty where there is none."""
    return values.astype(object).where(values.notna(), "").astype(str)


def _differences(a: pd.DataFrame, b: pd.DataFrame, distances: pd.DataFrame) -> Iterator[Difference]:
    beyond = distances > AGREED
    for column in map(str, beyond.columns[beyond.any()]):
        for sweep, values in distances.loc[beyond[column], column].groupby(a["sweep"]):
            worst = values.index[int(values.argmax())]
            yield Difference(str(sweep), column, len(values), float(values.max()), Pair(a.at[worst, column], b.at[worst, column]),
                             described(a.loc[worst]))


def _columns_of_one(table: pd.DataFrame, other: pd.DataFrame) -> tuple[str, ...]:
    """Columns that only this table has, those without any value left out."""
    return tuple(column for column in table.columns if column not in other.columns and (_text(table[column]) != "").any())


def _made_differently(first: dict, second: dict) -> dict[str, Pair]:
    a, b = _flat(first), _flat(second)
    return {name: Pair(a.get(name, ""), b.get(name, "")) for name in {**a, **b} if a.get(name, "") != b.get(name, "")}


def _flat(made: dict) -> dict[str, str]:
    """What a table says of its making, one line per fact."""
    flat = {}
    for name, said in made.items():
        flat |= {f"{name}: {part}": str(value) for part, value in said.items()} if isinstance(said, dict) else {name: str(said)}
    return flat
