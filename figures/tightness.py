"""How closely each bound has been approached: by problems sought for the purpose, and by the runs of the study."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple

from ..bounds import Origin, claims
from .looks import BLACK, BLUE, GREEN, VERMILION, Look
from .marks import dots, draw_measured, key, plain_log_ticks
from .panels import new_figure
from .runs import NothingToDrawError, rows_of, with_columns
from .style import PAGE, styled

SWEEP = "tightness"
LOOKS = {
    Origin.PAPER: Look("paper", BLUE, "o", "-"),
    Origin.OURS: Look("ours", VERMILION, "D", "-"),
    Origin.CLASSICAL: Look("classical", GREEN, "s", "-"),
}
ROW = 0.165  # inches for each claim
SIZES = ["full", "small"]
BAR = {"linewidth": 3, "alpha": 0.4}
OPEN = {"markersize": 6.5, "markerfacecolor": "none", "markeredgewidth": 0.8}
MARK = " *"  # behind claims about functions of errors


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    rows = _attacks(table)
    full, small = (rows[rows["calibration"] == size] for size in SIZES)
    functions = " Claims with a star are about means of convex functions of the error: those means are compared, as they are."
    return (
        "How much of each proven bound has been reached, measured over bound (for lower bounds the inverse), all as norms: of claims "
        "about squared errors the square root. Claims that hold with a probability are measured by the quantile that it leaves, those "
        "in expectation by the mean. Black line at 1: the bound; a mark on it means that the bound is attained. Filled marks: the "
        f"closest problem that a search found, of {_features(full)} features (see provable-ptq attack). Open marks: the closest smaller "
        f"problem found, of {_features(small)}. Bars: the runs of the study, from the median run's median neuron (or draw, or feature) "
        "to the worst of all; no bar: the claim was not checked on them, or applies to none. Colour, marker and the word on the right "
        "say where a statement comes from."
        + (functions if rows["claim"].map(_marked).str.endswith(MARK).any() else "")
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `tightness` of a results table, beside all claims about its other runs.

    Raises:
        NothingToDrawError: the table holds no ratio of a known claim in that sweep.
    """
    reached = _reached(_attacks(table)).join(_of_study(table))
    figure = new_figure(PAGE, 0.9 + ROW * len(reached))
    axes = figure.subplots()
    axes.axvline(1, color=BLACK, zorder=1, gid="bound")
    origins = [claims()[name].origin for name in reached.index]
    for origin in dict.fromkeys(origins):
        _marks(axes, np.flatnonzero([other == origin for other in origins]), reached, LOOKS[origin])
    axes.set_yticks(range(len(reached)), [_marked(name) for name in reached.index])
    axes.set_ylim(len(reached) - 0.4, -0.6)
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(reached)), [LOOKS[origin].label for origin in origins])
    right.spines["right"].set_visible(False)
    for side in (axes, right):
        side.tick_params(axis="y", length=0)
    axes.set(xscale="log", xlabel="share of the bound that was reached, measured / bound, as norms")
    plain_log_ticks(axes.xaxis, (1, 3))
    _legend(figure)
    return figure


def _attacks(table: pd.DataFrame) -> pd.DataFrame:
    """The problems sought for the claims that are known here, with their ratios as norms."""
    rows = rows_of(table, SWEEP)
    rows = rows[(rows["ratio"] > 0) & rows["claim"].isin(claims())]
    if rows.empty:
        raise NothingToDrawError(f"no claim of the sweep {SWEEP!r} has a ratio")
    return _as_norms(rows)


def _as_norms(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with ratios of norms: the square root where the claim is about squares."""
    square = rows["claim"].isin([name for name, claim in claims().items() if "squared" in claim.unit])
    return rows.assign(**{ratio: rows[ratio].where(~square, np.sqrt(rows[ratio])) for ratio in ("ratio", "ratio_median") if ratio in rows})


def _reached(rows: pd.DataFrame) -> pd.DataFrame:
    """The ratios of the problems sought for each claim, `full` and `small`; the tightest claims first."""
    ratios = rows.pivot_table(index="claim", columns="calibration", values="ratio", aggfunc="max").reindex(columns=SIZES)
    return ratios.assign(order=ratios["full"].round(3)).sort_values(["order", "small", "claim"], ascending=[False, False, True])


def _of_study(table: pd.DataFrame) -> pd.DataFrame:
    """Of each claim: the `typical` ratio over the runs of the study (median of the medians) and the `worst` one, as norms."""
    table = with_columns(table, ["ratio_median"])
    rows = _as_norms(table[(table["record"] == "claim") & (table["sweep"] != SWEEP) & (table["ratio"] > 0)])
    return rows.groupby("claim").agg(typical=("ratio_median", "median"), worst=("ratio", "max"))


def _marked(name: str) -> str:
    return name + MARK * claims()[name].unit.startswith("convex functions")


def _features(rows: pd.DataFrame) -> str:
    """How many features the problems have; `any number of` where there are none."""
    if with_columns(rows, ["features"])["features"].isna().all():
        return "any number of"
    low, high = int(rows["features"].min()), int(rows["features"].max())
    return f"{low}" if low == high else f"{low} to {high}"


def _marks(axes: Axes, places: np.ndarray, reached: pd.DataFrame, look: Look) -> None:
    rows = reached.iloc[places]
    met = rows["worst"].notna()
    axes.hlines(places[met], rows.loc[met, "typical"], rows.loc[met, "worst"], color=look.colour, **BAR, zorder=2, gid="study")
    draw_measured(axes, rows["small"].to_numpy(), places, look, **OPEN)
    draw_measured(axes, rows["full"].to_numpy(), places, look, markersize=4)


def _legend(figure: Figure) -> None:
    def of_all(**changes: Any) -> tuple:
        return tuple(key(**dots(look) | changes) for look in LOOKS.values())

    handles = [key(), of_all(), of_all(**OPEN), tuple(key(color=look.colour, **BAR) for look in LOOKS.values())]
    labels = ["the bound", "closest problem found", "smaller problem", "runs of the study,\nmedian to worst"]
    figure.legend(
        handles, labels, handler_map={tuple: HandlerTuple(ndivide=None, pad=0.3)}, loc="outside upper center", ncols=len(handles)
    )
