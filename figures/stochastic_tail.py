"""How often stochastic OPTQ exceeds a level, counted in many draws, beside the levels that four theorems guarantee."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import (
    BLACK,
    CELL,
    Look,
    NothingToDrawError,
    by_calibration,
    dots,
    draw_bound,
    draw_measured,
    key,
    kinds,
    looks_in,
    panels_and_legend,
    plain_log_ticks,
    rows_of,
    styled,
    with_columns,
)

SWEEP = "tail"
BOUNDS = {
    "sto-optq-linf-rowwise": ("row-wise bound (ours)", "-"),
    "sto-optq-linf-sharp": ("sharp-constant bound (ours)", (0, (5, 1.8))),
    "sto-optq-linf": ("the paper's bound", (0, (1, 1.4))),
}
SURE = {"color": BLACK, "linestyle": (0, (5, 1.5, 1, 1.5)), "linewidth": 1}
UNIT, UNIT_PROBABILITY = "sto-optq-linf-rowwise", 0.05
DOT = {"marker": "o", "markersize": 2.4}
CAPTION = (
    "Probability that the largest output error ‖X(w−q)‖_∞ of stochastic OPTQ, for one neuron, exceeds a level. Black curves: proven bounds "
    "(claims sto-optq-linf-rowwise, sto-optq-linf-sharp and, the paper's, sto-optq-linf); each joins the levels that are exceeded with "
    "probability at most p. Vertical line: the level that nearest rounding never exceeds, whatever the weights (claim optq-linf). Where a "
    "curve lies left of it, giving up certainty buys a lower level; where a curve lies right of it, the sure level is the lower one. "
    "Coloured dots: share of independent draws above the level, with exact 99% intervals (Clopper–Pearson); open triangles: no draw came "
    "above it, the triangle stands at the upper end of the interval. Levels are in units of the row-wise level at p = 0.05 of the same "
    "calibration matrix; those below about a fifth of it are not shown."
)


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `tail` of a results table.

    Raises:
        NothingToDrawError: the table holds no cell of it with the row-wise level at p = 0.05, the unit of the figure.
    """
    rows = _in_units(with_columns(rows_of(table, SWEEP), ["deterministic_level"]))
    panels = by_calibration(rows)
    figure, all_axes, corner = panels_and_legend(len(panels))
    for axes, (title, group) in zip(all_axes, panels, strict=True):
        _panel(axes, title, group)
        axes.set(ylim=(0.4 / rows["draws"].max(), 4), xlim=(0.185, None))
    figure.supxlabel("level, in units of the row-wise level at $p=0.05$", fontsize=8)
    figure.supylabel("probability that\n" r"$\|X(w-q)\|_\infty$ exceeds the level", fontsize=8, multialignment="center")
    _legend(corner, rows)
    return figure


def _in_units(rows: pd.DataFrame) -> pd.DataFrame:
    """The counted levels, relative to the unit of their own cell."""
    rows = rows[(rows["draws"] > 0) & (rows["level"] > 0)]
    units = rows[(rows["claim"] == UNIT) & (rows["failure_probability"] == UNIT_PROBABILITY)].set_index(CELL)["level"]
    if units.empty:
        raise NothingToDrawError(f"no cell of the sweep {SWEEP!r} has the claim {UNIT!r} at failure probability {UNIT_PROBABILITY}")
    rows = rows.join(units.rename("unit"), on=CELL, how="inner")
    return rows.assign(relative=rows["level"] / rows["unit"], share=rows["failures"] / rows["draws"], kind=kinds(rows["ordering"]))


def _panel(axes: Axes, title: str, group: pd.DataFrame) -> None:
    looks = looks_in(group["kind"])
    for _, cell in group.sort_values("relative").groupby(CELL):
        for claim, (_, line) in BOUNDS.items():
            levels = cell[cell["claim"] == claim]
            draw_bound(axes, levels["relative"].to_numpy(), levels["failure_probability"].to_numpy(), line)
        for level in (cell["deterministic_level"] / cell["unit"]).dropna().unique():
            axes.axvline(level, **SURE, zorder=2, gid="sure")
        _counted(axes, cell, looks[cell["kind"].iloc[0]])
    axes.set(xscale="log", yscale="log", title=title)
    plain_log_ticks(axes.xaxis, (1, 3))


def _counted(axes: Axes, cell: pd.DataFrame, look: Look) -> None:
    seen, unseen = cell[cell["failures"] > 0], cell[cell["failures"] == 0]
    ends = (seen["interval_low"].to_numpy(), seen["interval_high"].to_numpy())
    draw_measured(axes, seen["relative"].to_numpy(), seen["share"].to_numpy(), look, ends, **DOT)
    axes.plot(unseen["relative"], unseen["interval_high"], **_open(look), zorder=4, gid="upper end")


def _open(look: Look) -> dict[str, object]:
    return dots(look) | {"marker": "v", "markerfacecolor": "white", "markeredgewidth": 0.7, "markersize": 3.4}


def _legend(corner: Axes, rows: pd.DataFrame) -> None:
    fewest, most = f"{rows['draws'].min():,.0f}", f"{rows['draws'].max():,.0f}"
    draws = f"{fewest} to {most} draws" if fewest != most else f"{most} draws"
    entries = [(label, key(linestyle=line)) for label, line in BOUNDS.values()]
    entries.append(("sure level of nearest rounding\n(ours)", key(**SURE)))
    for look in looks_in(rows["kind"]).values():
        entries += [(f"measured, {look.label},\n{draws};\nbar: exact 99% interval", key(**dots(look) | DOT)),
                    ("no draw above the level:\nupper end of the interval", key(**_open(look)))]  # fmt: skip
    labels, handles = zip(*entries, strict=True)
    corner.legend(handles, labels, loc="center left")
