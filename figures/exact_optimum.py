"""How close OPTQ and Qronos come to the exact optimum at small N, and where their bounds lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import (
    BLACK,
    CELL,
    GREY,
    METHODS,
    NothingToDrawError,
    bars_and_dots,
    dots,
    dots_in_words,
    key,
    looks_among,
    methods,
    panels_and_legend,
    plain_log_ticks,
    rows_of,
    styled,
)

SWEEP = "optimum"
MATCHED = "none"
TICKS = (1, 1.2, 1.5, 2, 3, 5)
GUARANTEE, GUARANTEE_BAR = "optq-near-optimal", {"color": BLACK, "linestyle": (0, (1, 1)), "linewidth": 1.2}
OPTIMUM = {"color": GREY, "linewidth": 1.0}
CAPTION = (
    "Damped error relative to the exact optimum, the least that any grid points reach (a closest vector problem, solved exactly): the "
    "grey line at 1. Coloured dots: measured, mean over runs with their own X and W; coloured bars: smallest to largest run. Black bars: "
    "proven bounds, mean over the same runs. Matched inputs: the error ‖X̂(W−Q)‖ of OPTQ, which Qronos equals there, its bound (claim "
    "optq-l2), and, dotted, its classical guarantee relative to the optimum (claim optq-near-optimal). Mismatched inputs: the error of "
    "the deployed layer, ‖X̂W−X̃̂Q‖, and the bound of each algorithm (claims optq-mismatch and qronos-l2)."
)


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `optimum` of a results table: one panel for matched inputs, one for each mismatch.

    Raises:
        NothingToDrawError: the table holds no run of it with the exact optimum of every neuron, not zero, and nearest rounding.
    """
    runs = _relative(table)
    mismatches = sorted(runs["mismatch"].unique(), key=lambda name: (name != MATCHED, name))
    figure, all_axes, corner = panels_and_legend(len(mismatches))
    for axes, mismatch in zip(all_axes, mismatches, strict=True):
        _panel(axes, runs[runs["mismatch"] == mismatch])
        axes.set(title=_title(mismatch), xlabel="number of features $N$")
    all_axes[0].set_ylabel("damped error, relative\nto the exact optimum")
    _legend(corner, runs)
    return figure


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    """The runs with an exact optimum; errors, bounds and guarantees relative to it. On matched inputs Qronos is OPTQ, shown once."""
    rows = rows_of(table, SWEEP)
    rows = rows.assign(method=methods(rows))
    decided = (rows["optimum_decided"] == 1) & (rows["optimum_error"] > 0)
    covered = (rows["rounding"] == "nearest") & (rows["saturated_share"] == 0) & decided
    runs = rows[(rows["record"] == "run") & covered & ((rows["mismatch"] != MATCHED) | (rows["method"] == "optq"))]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has an exact optimum and nearest rounding")
    matched = runs["mismatch"] == MATCHED
    guarantees = rows[(rows["claim"] == GUARANTEE) & (rows["mismatch"] == MATCHED)].drop_duplicates(CELL).set_index(CELL)["bound_sum"]
    squares = {
        "measured": runs["damped_error"].where(matched, runs["deployed_bounded"]),
        "bound": runs["damped_bound"].where(matched, runs["deployed_bound"]),
        "guarantee": runs.join(guarantees.rename("guarantee"), on=CELL)["guarantee"],
    }
    return runs.assign(**{name: np.sqrt(square / runs["optimum_error"]) for name, square in squares.items()})


def _title(mismatch: str) -> str:
    return "matched inputs" if mismatch == MATCHED else f"mismatched inputs ({mismatch.replace(':', ' ')})"


def _panel(axes: Axes, group: pd.DataFrame) -> None:
    axes.axhline(1, **OPTIMUM, zorder=1, gid="optimum")
    guarantee = group.groupby("features")["guarantee"].mean()
    places = np.arange(len(guarantee))
    axes.hlines(guarantee, places - 0.3, places + 0.3, **GUARANTEE_BAR, zorder=3, gid="guarantee")
    bars_and_dots(axes, group, guarantee.index, looks_among(METHODS, group["method"]), width=0.7)
    axes.set_xticks(places, [f"{features:g}" for features in guarantee.index])
    axes.set(yscale="log")
    plain_log_ticks(axes.yaxis, TICKS)


def _legend(corner: Axes, runs: pd.DataFrame) -> None:
    entries = [(look.label, key(**dots(look))) for look in looks_among(METHODS, runs["method"]).values()]
    if runs["guarantee"].notna().any():
        entries += [("OPTQ's guarantee\nrelative to the optimum", key(**GUARANTEE_BAR))]
    labels, handles = zip(*entries, ("exact optimum", key(**OPTIMUM)), strict=True)
    title = f"black: proven bound\n{dots_in_words(runs, ['features', 'mismatch', 'method'])}"
    corner.legend(handles, labels, title=title, alignment="left", loc="center left")
