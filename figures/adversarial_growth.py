"""The adversarial construction at growing size: deterministic OPTQ fails as badly as it can, stochastic OPTQ does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .looks import ROUNDINGS, Look, looks_among
from .marks import dots, draw_bound, draw_measured, key, plain_log_ticks
from .panels import headline, panels_and_legend
from .runs import NothingToDrawError, likelihood, rows_of, with_columns
from .style import styled

SWEEP = "growth"
SHOWS = ("rounding", "failure_probability")
PANELS = {  # what is shown: its measured column, the column of what is proven, the label of its axis
    "largest output error": ("measured_max", "level", r"$\|X(w-q)\|_\infty$, in steps $\delta$"),
    "largest code": ("largest_code", "code_level", r"$\|q\|_\infty$, in steps $\delta$"),
}
TICKS = (1, 2, 5)
PROVEN = {
    "nearest": "proven value, nearest:\n$\\eta\\sqrt{N}$, and $\\eta N$ rounded",
    "stochastic": "proven level, stochastic,\nwith probability ",
}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _runs(table)
    likely = likelihood(runs, "probability")
    return (
        "OPTQ on the adversarial construction with N features, natural order, no damping: the largest output error and the largest "
        "code, in steps, beside what is proven (claim adversarial-growth). Both axes are logarithmic. Coloured dots: measured, one for "
        "each run. Solid black lines: what nearest rounding is proven to reach, exactly: an output error of η√N and a code of ηN, "
        f"rounded, where {_eta(runs)} is the error of every step; no fixed alphabet suffices. Dashed black lines: what a run of "
        f"stochastic rounding stays below with probability {likely} (claims sto-optq-linf-rowwise and sto-optq-alphabet): they "
        "grow like √log N and √(N log N)."
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `growth` of a results table.

    Raises:
        NothingToDrawError: the table holds no run of it with a level.
    """
    runs = _runs(table)
    looks = looks_among(ROUNDINGS, runs["rounding"])
    figure, all_axes, corner = panels_and_legend(list(PANELS))
    headline(figure, runs, SHOWS)
    for axes, columns in zip(all_axes, PANELS.values(), strict=True):
        _panel(axes, runs, looks, *columns)
    _legend(corner, looks, likelihood(runs, "probability"))
    return figure


def _eta(runs: pd.DataFrame) -> str:
    """The size of every rounding error, in steps: the level of nearest rounding over √N."""
    nearest = runs[runs["rounding"] == "nearest"]
    sizes = {f"{eta:.3g}" for eta in nearest["level"] / np.sqrt(nearest["features"].to_numpy())}
    return f"η = {sizes.pop()}" if len(sizes) == 1 else "η < ½"


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    """The runs of which all is known that is shown, from the smallest."""
    shown = [column for measured, proven, _ in PANELS.values() for column in (measured, proven)]
    rows = with_columns(rows_of(table, SWEEP), [*shown, "failure_probability"])
    runs = rows[(rows["record"] == "run") & rows[shown].notna().all(axis=1)]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has errors, codes and levels")
    return runs.assign(probability=1 - runs["failure_probability"]).sort_values("features")


def _panel(axes: Axes, rows: pd.DataFrame, looks: dict[str, Look], measured: str, proven: str, label: str) -> None:
    for rounding, look in looks.items():
        runs = rows[rows["rounding"] == rounding]
        levels = runs.groupby("features")[proven].first()
        draw_bound(axes, levels.index.to_numpy(), levels.to_numpy(), look.line)
        draw_measured(axes, runs["features"].to_numpy(), runs[measured].to_numpy(), look)
    axes.set(xscale="log", yscale="log", xlabel="number of features $N$", ylabel=label)
    axes.set_xticks(rows["features"].unique(), minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:g}")
    plain_log_ticks(axes.yaxis, TICKS)


def _legend(corner: Axes, looks: dict[str, Look], likely: str) -> None:
    proven = PROVEN | {"stochastic": PROVEN["stochastic"] + likely}
    entries = [(proven[name], key(linestyle=look.line)) for name, look in looks.items()]
    entries += [(f"measured, {look.label}", key(**dots(look))) for look in looks.values()]
    labels, handles = zip(*entries, strict=True)
    corner.legend(handles, labels, loc="center left")
