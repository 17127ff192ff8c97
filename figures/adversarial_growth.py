"""The adversarial construction at growing size: deterministic OPTQ fails as badly as it can, stochastic OPTQ does not."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import (
    ROUNDINGS,
    Look,
    NothingToDrawError,
    dots,
    draw_bound,
    draw_measured,
    key,
    looks_among,
    panels_and_legend,
    plain_log_ticks,
    rows_of,
    styled,
    with_columns,
)

SWEEP = "growth"
PANELS = {  # what is shown: its measured column, the column of what is proven, the label of its axis
    "largest output error": ("measured_max", "level", r"$\|X(w-q)\|_\infty$, in steps $\delta$"),
    "largest code": ("largest_code", "code_level", r"$\|q\|_\infty$, in steps $\delta$"),
}
TICKS = (1, 2, 5)
PROVEN = {"nearest": "proven value, nearest:\n$\\eta\\sqrt{N}$, and $\\eta N$ rounded", "stochastic": "proven level, stochastic,\n$p=0.05$"}
CAPTION = (
    "OPTQ on the adversarial construction with N features (claim adversarial-growth), natural order, no damping; both axes logarithmic. "
    "Coloured dots: measured, of stochastic rounding several runs. Solid black lines: what nearest rounding is proven to reach, exactly: "
    "an output error of η√N and a code of ηN, rounded, where η < ½ is the error of every step; no fixed alphabet suffices. Dashed black "
    "lines: what a run of stochastic rounding stays below with probability 0.95 (claims sto-optq-linf-rowwise and sto-optq-alphabet): they "
    "grow like √log N and √(N log N)."
)


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `growth` of a results table.

    Raises:
        NothingToDrawError: the table holds no run of it with a level.
    """
    rows = _runs(table)
    looks = looks_among(ROUNDINGS, rows["rounding"])
    figure, all_axes, corner = panels_and_legend(len(PANELS))
    for axes, (title, columns) in zip(all_axes, PANELS.items(), strict=True):
        _panel(axes, rows, looks, *columns)
        axes.set_title(title)
    _legend(corner, looks)
    return figure


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    """The runs of which all is known that is shown, from the smallest."""
    shown = [column for measured, proven, _ in PANELS.values() for column in (measured, proven)]
    rows = with_columns(rows_of(table, SWEEP), shown)
    runs = rows[(rows["record"] == "run") & rows[shown].notna().all(axis=1)]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has errors, codes and levels")
    return runs.sort_values("features")


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


def _legend(corner: Axes, looks: dict[str, Look]) -> None:
    entries = [(PROVEN[name], key(linestyle=look.line)) for name, look in looks.items()]
    entries += [(f"measured, {look.label}", key(**dots(look))) for look in looks.values()]
    labels, handles = zip(*entries, strict=True)
    corner.legend(handles, labels, loc="center left")
