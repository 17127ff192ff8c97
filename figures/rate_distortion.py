"""Where the error of OPTQ sits above the rate-distortion limit, in bits for each weight, and what steps inverse to the pivots regain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bounds.predictions.rate_distortion_floor import GAP_IN_BITS
from .looks import BLACK, GREY, ORANGE, Look, looks_in
from .marks import dots, draw_measured, key
from .panels import about_blocks, by_panel, new_figure, shared
from .runs import NothingToDrawError, conditions, guaranteed_runs, left_out
from .style import PAGE, styled

SWEEP = "rate-distortion"
SHOWS = ("ordering", "steps")
BEST_BOUND = GAP_IN_BITS + 0.5 * np.log2(3)  # the bound has 1/4 where the prediction has 1/12
INVERSE = Look("steps ∝ 1/pivot", ORANGE, "P", "-")
BOUND = {"linestyle": "none", "marker": "|", "markersize": 5, "color": BLACK, "markeredgewidth": 1.2}
OPEN = {"linestyle": "none", "marker": "o", "markersize": 6, "markerfacecolor": "none", "markeredgecolor": GREY, "markeredgewidth": 0.7}
UNIFORM = (
    " Coloured dots: measured with one step for each neuron, one row for each ordering. Open circles: what uniform rounding errors predict "
    "for them. Black bars: the proven bound on them (claim optq-l2), which no ordering brings below the dotted line (claim order-floor)."
)
INVERTED = (
    " Orange crosses: measured under the same ordering with steps inverse to the pivots, of the same geometric mean. Dotted black line: "
    "the proven bound on them."
)
LIMIT, REACHED = {"color": GREY, "linewidth": 1.4}, {"color": GREY, "linewidth": 1.0, "linestyle": (0, (4, 2))}
BEST = {"color": BLACK, "linewidth": 0.8, "linestyle": (0, (1, 1.4))}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _in_bits(table)
    return (
        f"Damped error in bits above the rate–distortion limit: {conditions(runs, SHOWS)}. So many bits for each weight an ideal code "
        "would save at the same error, for Gaussian weights, fine steps and codes stored at their entropy; the scale is a prediction "
        "(claim rate-distortion-floor), no theorem. Grey line at 0: the information-theoretic limit. Dashed line at "
        f"{GAP_IN_BITS:.3g}: the predicted error of a uniform quantizer whose steps are inverse to the pivots, the least that scalar "
        "steps of the same geometric mean reach." + (UNIFORM if not runs["inverse"].all() else "")
        + (INVERTED if runs["inverse"].any() else "")
        + left_out(table, runs, "those that the bound covers (OPTQ, nearest rounding, no saturated step) with a positive floor")
        + about_blocks(runs)
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `rate-distortion` of a results table; runs with a floor of zero (rank deficient, undamped) are left out.

    Raises:
        NothingToDrawError: the table holds no run of it with a positive floor.
    """
    runs = _in_bits(table)
    panels, looks = by_panel(runs, SHOWS), looks_in(runs["kind"])
    lines = sum(max(len(looks) + 1, 1.3 * (title.count("\n") + 1)) for title, _ in panels)
    figure = new_figure(PAGE, 1.5 + 0.115 * lines)
    axes = figure.subplots()
    for place, (_, group) in enumerate(panels):
        _block(axes, place * (len(looks) + 1), group, looks)
    _lines(axes)
    middles = [place * (len(looks) + 1) + (len(looks) - 1) / 2 for place in range(len(panels))]
    axes.set_yticks(middles, [title for title, _ in panels])
    axes.set_ylim(len(panels) * (len(looks) + 1) - 0.5, -1)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("bits for each weight above the rate–distortion limit")
    _legend(figure, runs, looks)
    return figure


def _in_bits(table: pd.DataFrame) -> pd.DataFrame:
    """The runs that the bound covers with their errors, bounds and predictions as bits above the limit."""
    runs = guaranteed_runs(table, SWEEP)
    runs = runs[runs["order_floor"] > 0]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has a positive order floor")
    columns = {"measured": "damped_error", "bound": "damped_bound", "predicted": "damped_predicted"}
    bits = {name: GAP_IN_BITS + 0.5 * np.log2(runs[column] / runs["rate_floor"]) for name, column in columns.items()}
    return runs.assign(inverse=runs["steps"] == "inverse-pivot", **bits)


def _block(axes: Axes, top: int, group: pd.DataFrame, looks: dict[str, Look]) -> None:
    """The rows of one calibration matrix, one for each ordering, from `top` downwards."""
    for row, (kind, look) in enumerate(looks.items(), start=top):
        runs = group[group["kind"] == kind]
        uniform, inverse = runs[~runs["inverse"]], runs[runs["inverse"]]
        axes.plot(uniform["bound"], np.full(len(uniform), row), **BOUND, zorder=3, gid="bound")
        axes.plot(uniform["predicted"], np.full(len(uniform), row), **OPEN, zorder=3, gid="prediction")
        draw_measured(axes, inverse["measured"].to_numpy(), np.full(len(inverse), row), INVERSE, markersize=4)
        draw_measured(axes, uniform["measured"].to_numpy(), np.full(len(uniform), row), look, markersize=4)


def _lines(axes: Axes) -> None:
    axes.axvline(0, **LIMIT, zorder=1, gid="limit")
    axes.axvline(GAP_IN_BITS, **REACHED, zorder=1, gid="prediction")
    axes.axvline(BEST_BOUND, **BEST, zorder=1, gid="bound")


def _legend(figure: Figure, runs: pd.DataFrame, looks: dict[str, Look]) -> None:
    uniform, inverse = not runs["inverse"].all(), runs["inverse"].any()
    entries = [(f"measured, {look.label}", key(**dots(look))) for look in looks.values()] * bool(uniform)
    entries += [(f"measured, {INVERSE.label}", key(**dots(INVERSE)))] * bool(inverse)
    entries += [("prediction (no theorem)", key(**OPEN)), ("proven bound", key(**BOUND))] * bool(uniform)
    entries += [("proven bound, " + INVERSE.label if inverse else "least bound of any ordering", key(**BEST))]
    entries += [("limit: 0", key(**LIMIT)), (f"scalar quantizers: {GAP_IN_BITS:.3g}", key(**REACHED))]
    labels, handles = zip(*entries, strict=True)
    figure.legend(
        handles, labels, title=shared(runs, SHOWS), loc="outside upper center", ncols=3, handlelength=1.8, columnspacing=1.4
    )
