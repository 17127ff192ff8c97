"""What the figures read of a results table: the runs of a sweep, each once, with errors and dampings in the units of the axes."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from ..experiments.settings import mean_over, normal, repetitions, settings, split_in_words

CELL = [  # what tells two runs of one sweep apart
    "calibration", "layer", "mismatch", "algorithm", "form", "rounding", "bits", "steps", "alphabet", "ordering", "damping", "draws",
    "seed",
]  # fmt: skip
SIZES = ["signal", "damped_error", "saturated_share"]  # columns that a run has unless the factorization refused its matrix


class NothingToDrawError(ValueError):
    """The table has no rows that this figure could show; the message says which are missing."""


def rows_of(table: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """The rows of a sweep, every setting in one spelling.

    Raises:
        NothingToDrawError: the table has none.
    """
    rows = table[table["sweep"] == sweep]
    if rows.empty:
        raise NothingToDrawError(f"the table has no sweep {sweep!r}")
    return normal(rows).reset_index(drop=True)


def with_columns(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The rows with all of these columns, NaN where the table has none: a fact that no row has makes no column."""
    return rows.reindex(columns=rows.columns.union(names, sort=False))


def once(runs: pd.DataFrame) -> pd.DataFrame:
    """Every run once: two sections of a study may ask for the same one, with other claims."""
    return runs.drop_duplicates([column for column in CELL if column in runs])


def guaranteed_runs(table: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """The runs of a sweep that the bound of OPTQ covers: nearest rounding, nothing saturated, no rank deficiency.

    Raises:
        NothingToDrawError: the table has none.
    """
    rows = with_columns(rows_of(table, sweep), SIZES)
    covered = (rows["algorithm"] == "optq") & (rows["rounding"] == "nearest") & (rows["saturated_share"] == 0) & (rows["signal"] > 0)
    runs = rows[covered & (rows["record"] == "run")]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {sweep!r} is covered by the bound of OPTQ")
    return once(runs.assign(kind=kinds(runs["ordering"])))


def with_share(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with damping, and `share`: λ over the mean diagonal of XᵀX, live features only, however the study names it.

    Raises:
        NothingToDrawError: all are undamped; the axes of dampings are logarithmic and have no zero.
    """
    runs = with_columns(runs, ["absolute_damping", "mean_diagonal"])
    damped = runs[(runs["absolute_damping"] > 0) & (runs["mean_diagonal"] > 0)]
    if damped.empty:
        raise NothingToDrawError(f"no run of the sweep {runs['sweep'].iloc[0]!r} has a damping λ > 0, to stand on a logarithmic axis")
    return damped.assign(share=damped["absolute_damping"] / damped["mean_diagonal"])


def relative_to_floor(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a positive order floor, and `bound` and `measured`: norms relative to the floor of the bound (`order-floor`).

    Raises:
        NothingToDrawError: none has one. (A matrix that is rank deficient and undamped has the floor zero; with steps of
            their own for each feature the floor is another.)
    """
    rows = rows[(rows["order_floor"] > 0) & (rows["steps"] == "uniform")]
    if rows.empty:
        raise NothingToDrawError("no run has a positive order floor and the same step for all features")
    floor = rows["step_square_sum"] * rows["order_floor"] / 4
    return rows.assign(bound=np.sqrt(rows["pivot_square_sum"] / rows["order_floor"]), measured=np.sqrt(rows["damped_error"] / floor))


def kinds(orderings: pd.Series) -> pd.Series:
    """The kind of each ordering: its name, without the seed of a random one."""
    return orderings.str.partition(":")[0]


def likelihood(rows: pd.DataFrame, column: str) -> str:
    """A probability that all rows share, in words; 1 − p where they do not."""
    asked = with_columns(rows, [column])[column].dropna().unique()
    return f"{asked[0]:g}" if len(asked) == 1 else "1 − p"


def conditions(runs: pd.DataFrame, shows: Collection[str]) -> str:
    """The part of a caption that says under which settings the runs were made, apart from those that the figure shows itself.

    >>> runs = pd.DataFrame({"algorithm": "optq", "bits": [5, 8], "ordering": ["natural", "min-pivot"]})
    >>> conditions(runs, ["ordering"])
    'OPTQ, 5- and 8-bit steps; the sweep varies bits: one panel per width'
    """
    several = split_in_words(runs, shows, "panel")
    return settings(runs, apart=shows) + (f"; {several}" if several else "")


def left_out(table: pd.DataFrame, runs: pd.DataFrame, kept: str) -> str:
    """A sentence for the caption on the runs of the sweep that are not shown; empty where all are.

    Arguments:
        table: a results table.
        runs: the runs that the figure shows, of one sweep.
        kept: which runs those are.
    """
    rows = rows_of(table, runs["sweep"].iloc[0])
    every = len(once(rows[rows["record"] == "run"]))
    return f" Of the {every:,} runs of the sweep {len(runs):,} are shown: {kept}." if len(runs) < every else ""


def measured_in_words(runs: pd.DataFrame) -> str:
    """What the caption calls a dot: `measured`, and how many repetitions it stands for.

    >>> measured_in_words(pd.DataFrame({"bits": [3, 3, 4], "seed": [0, 1, 0]}))
    'measured, mean over 1 to 2 repetitions, with bars from the smallest to the largest'
    >>> measured_in_words(pd.DataFrame({"bits": [3, 4], "seed": [0, 0]}))
    'measured, one run each'
    """
    mean = mean_over(runs)
    return f"measured, {mean}, with bars from the smallest to the largest" if mean else "measured, one run each"


def dots_in_words(runs: pd.DataFrame) -> str:
    """What a dot, and the bar on it, stands for where the repetitions of a run have one dot.

    >>> print(dots_in_words(pd.DataFrame({"bits": [3, 3, 4], "seed": [0, 1, 0]})))
    dot: measured, mean of
    1 to 2 repetitions;
    bar: smallest to largest
    >>> dots_in_words(pd.DataFrame({"bits": [3, 4], "seed": [0, 0]}))
    'dot: measured, one run each'
    """
    low, high = repetitions(runs)
    if high == 1:
        return "dot: measured, one run each"
    return f"dot: measured, mean of\n{high if low == high else f'{low} to {high}'} repetitions;\nbar: smallest to largest"
