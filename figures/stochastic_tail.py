"""How often stochastic OPTQ exceeds a level, counted in many draws, beside the levels that four theorems guarantee."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bounds.checking.verdict import CONFIDENCE
from .looks import BLACK, Look, looks_in
from .marks import dots, draw_bound, draw_measured, key, plain_log_ticks
from .panels import about_blocks, by_panel, headline, panels_and_legend
from .runs import CELL, NothingToDrawError, conditions, kinds, left_out, rows_of, with_columns
from .style import styled

SWEEP = "tail"
SHOWS = ("failure_probability", "ordering")
BOUNDS = {
    "sto-optq-linf-rowwise": ("row-wise bound (ours)", "-"),
    "sto-optq-linf-sharp": ("sharp-constant bound (ours)", (0, (5, 1.8))),
    "sto-optq-linf": ("the paper's bound", (0, (1, 1.4))),
}
SURE = {"color": BLACK, "linestyle": (0, (5, 1.5, 1, 1.5)), "linewidth": 1}
UNIT = "sto-optq-linf-rowwise"
USUAL = 0.05  # the failure probability of the unit, where the study has it
LOWEST = 0.185  # units; further left every draw exceeds the level
INTERVAL = f"exact {CONFIDENCE:.0%} interval"
SURE_SENTENCE = (
    " Vertical line: the level that nearest rounding never exceeds, whatever the weights (claim optq-linf). Where a curve lies left of it, "
    "giving up certainty buys a lower level; where a curve lies right of it, the sure level is the lower one."
)
DOT = {"marker": "o", "markersize": 2.4}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    rows = _in_units(table)
    return (
        "Probability that the largest output error ‖X(w−q)‖_∞ of stochastic OPTQ, for one neuron, exceeds a level: "
        f"{conditions(rows, SHOWS)}. Black curves: proven bounds ({', '.join(f'claim {name}' for name in _bounds(rows))}); each joins the "
        "levels that are exceeded with probability at most p."
        + (SURE_SENTENCE if rows["deterministic_level"].notna().any() else "")
        + f" Coloured dots: share of independent draws above the level; bars: {INTERVAL}s (Clopper–Pearson); open triangles: no draw came "
        "above the level, the triangle stands at the upper end of the interval. Levels are in units of the row-wise level at "
        f"p = {_unit(rows):g} of the same calibration matrix; those below {LOWEST:g} are not shown."
        + left_out(table, rows[[*CELL, "sweep"]].drop_duplicates(), f"those with a row-wise level at p = {_unit(rows):g}")
        + about_blocks(rows)
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `tail` of a results table.

    Raises:
        NothingToDrawError: the table holds no cell of it with a row-wise level, the unit of the figure.
    """
    rows = _in_units(table)
    panels = by_panel(rows, SHOWS)
    figure, all_axes, corner = panels_and_legend([title for title, _ in panels])
    headline(figure, rows, SHOWS)
    for axes, (_, group) in zip(all_axes, panels, strict=True):
        _panel(axes, group)
        axes.set(ylim=(0.4 / rows["draws"].max(), 4), xlim=(LOWEST, None))
    figure.supxlabel(f"level, in units of the row-wise level at $p={_unit(rows):g}$", fontsize=8)
    figure.supylabel("probability that\n" r"$\|X(w-q)\|_\infty$ exceeds the level", fontsize=8, multialignment="center")
    _legend(corner, rows)
    return figure


def _in_units(table: pd.DataFrame) -> pd.DataFrame:
    """The counted levels, relative to the unit of their own cell: its row-wise level at one failure probability, the same for all."""
    rows = with_columns(rows_of(table, SWEEP), ["deterministic_level", "level"])
    rows = rows[(rows["draws"] > 0) & (rows["level"] > 0)]
    levels = rows[rows["claim"] == UNIT].drop_duplicates([*CELL, "failure_probability"])
    asked = levels["failure_probability"].value_counts().sort_index()
    if asked.empty:
        raise NothingToDrawError(f"no cell of the sweep {SWEEP!r} has levels of the claim {UNIT!r}, the unit of the figure")
    unit = USUAL if USUAL in asked.index else asked.idxmax()
    units = levels[levels["failure_probability"] == unit].set_index(CELL)["level"]
    rows = rows.join(units.rename("unit"), on=CELL, how="inner")
    relative = {"unit_probability": unit, "relative": rows["level"] / rows["unit"], "share": rows["failures"] / rows["draws"]}
    return rows.assign(kind=kinds(rows["ordering"]), **relative)


def _unit(rows: pd.DataFrame) -> float:
    return rows["unit_probability"].iloc[0]


def _bounds(rows: pd.DataFrame) -> dict[str, tuple]:
    """Those of BOUNDS that were checked."""
    return {claim: look for claim, look in BOUNDS.items() if (rows["claim"] == claim).any()}


def _panel(axes: Axes, group: pd.DataFrame) -> None:
    looks = looks_in(group["kind"])
    for _, cell in group.sort_values("relative").groupby(CELL):
        for claim, (_, line) in BOUNDS.items():
            levels = cell[cell["claim"] == claim]
            draw_bound(axes, levels["relative"].to_numpy(), levels["failure_probability"].to_numpy(), line)
        for level in (cell["deterministic_level"] / cell["unit"]).dropna().unique():
            axes.axvline(level, **SURE, zorder=2, gid="sure")
        _counted(axes, cell, looks[cell["kind"].iloc[0]])
    axes.set(xscale="log", yscale="log")
    plain_log_ticks(axes.xaxis, (1, 3))


def _counted(axes: Axes, cell: pd.DataFrame, look: Look) -> None:
    seen, unseen = cell[cell["failures"] > 0], cell[cell["failures"] == 0]
    ends = (seen["interval_low"].to_numpy(), seen["interval_high"].to_numpy())
    draw_measured(axes, seen["relative"].to_numpy(), seen["share"].to_numpy(), look, ends, **DOT)
    axes.plot(unseen["relative"], unseen["interval_high"], **_open(look), zorder=4, gid="upper end")


def _open(look: Look) -> dict[str, Any]:
    return dots(look) | {"marker": "v", "markerfacecolor": "white", "markeredgewidth": 0.7, "markersize": 3.4}


def _legend(corner: Axes, rows: pd.DataFrame) -> None:
    entries = [(label, key(linestyle=line)) for label, line in _bounds(rows).values()]
    entries += [("sure level of nearest rounding\n(ours)", key(**SURE))] * bool(rows["deterministic_level"].notna().any())
    for look in looks_in(rows["kind"]).values():
        entries += [(f"measured, {look.label};\nbar: {INTERVAL}", key(**dots(look) | DOT)),
                    ("no draw above the level:\nupper end of the interval", key(**_open(look)))]  # fmt: skip
    labels, handles = zip(*entries, strict=True)
    corner.legend(handles, labels, loc="center left")
