"""The measured error of OPTQ and its proven bound against the damping, one panel per calibration matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import Patch

from .looks import GREY, Look, looks_in
from .marks import DAMPING, beside, dots, draw_bound, draw_measured, ends, key, plain_log_ticks
from .panels import about_blocks, by_panel, headline, panels_and_legend
from .runs import conditions, dots_in_words, guaranteed_runs, left_out, measured_in_words, with_share
from .style import styled

SWEEP = "damping"
SHOWS = ("damping", "ordering")
SIDESTEP = 0.15  # decades between the dots of two orderings, which would else hide one another
BAND = {"color": GREY, "alpha": 0.3, "linewidth": 0}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _relative(table)
    return (
        f"Damped error relative to ‖XW‖ against the damping λ, and its proven bound: {conditions(runs, SHOWS)}. The damped error is "
        "‖X̂(W−Q)‖ = sqrt(‖X(W−Q)‖² + λ‖W−Q‖²); λ is given as a multiple of the mean diagonal of XᵀX, live features only. Coloured "
        f"dots: {measured_in_words(runs)}, moved a little sideways so that all are seen. Black lines: the bound (claim optq-l2), "
        "likewise, one line style and open marker for each ordering of the features; each bound belongs to the dots of its own "
        "ordering. Grey: the undamped part ‖X(W−Q)‖/‖XW‖, smallest to largest over all orderings and repetitions; at large λ the damped "
        "error is mostly the ridge term."
        + left_out(table, runs, "those with λ > 0 that the bound covers (OPTQ, nearest rounding, no saturated step)")
        + about_blocks(runs)
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `damping` of a results table.

    Raises:
        NothingToDrawError: the table holds no run of it that the bound covers and that is damped.
    """
    runs = _relative(table)
    panels = by_panel(runs, SHOWS)
    figure, all_axes, corner = panels_and_legend([title for title, _ in panels])
    headline(figure, runs, SHOWS)
    for axes, (_, group) in zip(all_axes, panels, strict=True):
        _panel(axes, group)
    figure.supxlabel(DAMPING, fontsize=8)
    figure.supylabel(r"damped error $\|\hat X(W-Q)\|_F\,/\,\|XW\|_F$", fontsize=8)
    _legend(corner, runs)
    return figure


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    """The damped runs that the bound covers, with errors and bounds relative to the signal."""
    runs = with_share(guaranteed_runs(table, SWEEP))
    columns = {"measured": "damped_error", "bound": "damped_bound", "undamped": "reconstruction"}
    return runs.assign(**{name: np.sqrt(runs[column] / runs["signal"]) for name, column in columns.items()})


def _panel(axes: Axes, group: pd.DataFrame) -> None:
    undamped = group.groupby("damping").agg(share=("share", "mean"), low=("undamped", "min"), high=("undamped", "max")).sort_values("share")
    axes.fill_between(undamped["share"], undamped["low"], undamped["high"], **BAND, zorder=1)
    looks = looks_in(group["kind"])
    for place, (kind, look) in enumerate(looks.items()):
        for _, runs in group[group["kind"] == kind].groupby("ordering"):
            sizes = runs.groupby("damping")[["share", "measured", "bound"]].agg(["mean", "min", "max"]).sort_values(("share", "mean"))
            x, bound, measured = sizes["share", "mean"].to_numpy(), sizes["bound"], sizes["measured"]
            draw_bound(axes, x, bound["mean"].to_numpy(), look.line, ends(bound), **_tag(look), markevery=[min(place, len(x) - 1)])
            draw_measured(axes, beside(x, place, len(looks), SIDESTEP), measured["mean"].to_numpy(), look, ends(measured))
    axes.set(xscale="log", yscale="log")
    plain_log_ticks(axes.yaxis, (1, 2, 5))


def _tag(look: Look) -> dict[str, Any]:
    """The open marker that names the ordering of a bound."""
    return {"marker": look.marker, "markersize": 4, "markerfacecolor": "white", "markeredgecolor": look.colour, "markeredgewidth": 0.8}


def _legend(corner: Axes, runs: pd.DataFrame) -> None:
    looks = looks_in(runs["kind"])
    handles = [(key(linestyle=look.line, **_tag(look)), key(**dots(look))) for look in looks.values()]
    corner.legend(
        [*handles, Patch(**BAND)], [*(look.label for look in looks.values()), "undamped error:\nall orderings\nand repetitions"],
        title=f"line: proven bound\n{dots_in_words(runs)}", alignment="left",
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.6)}, handlelength=5, loc="center left",
    )  # fmt: skip
