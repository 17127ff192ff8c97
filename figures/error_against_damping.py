"""The measured error of OPTQ and its proven bound against the damping, one panel per calibration matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import Patch

from .style import (
    GREY,
    Look,
    NothingToDrawError,
    by_calibration,
    dots,
    dots_in_words,
    draw_bound,
    draw_measured,
    guaranteed_runs,
    key,
    looks_in,
    panels_and_legend,
    plain_log_ticks,
    styled,
)

SWEEP = "damping"
RULE = "mean-diagonal:"
SIDESTEP = 0.15  # decades between the dots of two orderings, which would else hide one another
BAND = {"color": GREY, "alpha": 0.3, "linewidth": 0}
CAPTION = (
    "Damped error of OPTQ, sqrt(‖X(W−Q)‖² + λ‖W−Q‖²), relative to ‖XW‖, against the damping λ as a share of the mean diagonal of XᵀX. "
    "Black lines: the proven bound (claim optq-l2), mean over runs, one line style and open marker for each ordering of the features. "
    "Coloured dots: measured, mean over runs with their own X and W, moved a little sideways so that all are seen; bars: smallest to "
    "largest run. Each bound belongs to the dots of its own ordering. Grey: the undamped part ‖X(W−Q)‖/‖XW‖, smallest to largest over all "
    "orderings and runs; at large λ the damped error is mostly the ridge term."
)


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `damping` of a results table.

    Raises:
        NothingToDrawError: the table holds no run of it with a damping relative to the mean diagonal.
    """
    runs = _relative(guaranteed_runs(table, SWEEP))
    panels = by_calibration(runs)
    figure, all_axes, corner = panels_and_legend(len(panels))
    for axes, (title, group) in zip(all_axes, panels, strict=True):
        _panel(axes, title, group)
    figure.supxlabel(r"damping $\lambda$ relative to the mean diagonal of $X^\top X$", fontsize=8)
    figure.supylabel(r"damped error $\|\hat X(W-Q)\|_F\,/\,\|XW\|_F$", fontsize=8)
    _legend(corner, runs)
    return figure


def _relative(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs whose damping is a share of the mean diagonal, with errors and bounds relative to the signal."""
    runs = runs[runs["damping"].str.startswith(RULE)]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has a damping {RULE}…")
    columns = {"measured": "damped_error", "bound": "damped_bound", "undamped": "reconstruction"}
    relative = {name: np.sqrt(runs[column] / runs["signal"]) for name, column in columns.items()}
    return runs.assign(share=runs["damping"].str.removeprefix(RULE).astype(float), **relative)


def _panel(axes: Axes, title: str, group: pd.DataFrame) -> None:
    undamped = group.groupby("share")["undamped"].agg(["min", "max"])
    axes.fill_between(undamped.index, undamped["min"], undamped["max"], **BAND, zorder=1)
    looks = looks_in(group["kind"])
    for place, (kind, look) in enumerate(looks.items()):
        sizes = group[group["kind"] == kind].groupby("share")[["measured", "bound"]].agg(["mean", "min", "max"])
        x, measured = sizes.index.to_numpy(), sizes["measured"]
        beside = x * 10 ** (SIDESTEP * (place - (len(looks) - 1) / 2))
        draw_bound(axes, x, sizes["bound", "mean"].to_numpy(), look.line, **_tag(look), markevery=[min(place, len(x) - 1)])
        draw_measured(axes, beside, measured["mean"].to_numpy(), look, (measured["min"].to_numpy(), measured["max"].to_numpy()))
    axes.set(xscale="log", yscale="log", title=title)
    plain_log_ticks(axes.yaxis, (1, 2, 5))


def _tag(look: Look) -> dict[str, object]:
    """The open marker that names the ordering of a bound."""
    return {"marker": look.marker, "markersize": 4, "markerfacecolor": "white", "markeredgecolor": look.colour, "markeredgewidth": 0.8}


def _legend(corner: Axes, runs: pd.DataFrame) -> None:
    looks = looks_in(runs["kind"])
    handles = [(key(linestyle=look.line, **_tag(look)), key(**dots(look))) for look in looks.values()]
    measured = dots_in_words(runs, ["calibration", "layer", "kind", "share"], "bar")
    corner.legend(
        [*handles, Patch(**BAND)], [*(look.label for look in looks.values()), "undamped error:\nall orderings and runs"],
        title=f"line: proven bound\n{measured}", alignment="left",
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.6)}, handlelength=5, loc="center left",
    )  # fmt: skip
