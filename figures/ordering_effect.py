"""What the ordering of the features does to the bound and to the measured error, relative to the floor that no ordering beats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.ticker import MaxNLocator

from ..experiments.settings import varying
from .looks import BLACK, GREY, Look, looks_in
from .marks import dots, draw_measured, key
from .panels import TITLE_WIDTH, about_blocks, by_panel, new_figure, shared, title_height
from .runs import CELL, conditions, guaranteed_runs, left_out, relative_to_floor
from .style import PAGE, styled

SWEEP = "ordering"
SHOWS = ("ordering",)
NARROW = 15  # characters above one of five panels in a row
ROW = 0.23  # inches for each ordering
CLOUD = 0.9  # height of the cloud of random orderings, or of repetitions; a run alone has a row of height 1


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _relative(table)
    return (
        "Damped error under each ordering of the features, and its proven bound, both relative to the order floor: "
        f"{conditions(runs, SHOWS)}. Black bars: the bound (claim optq-l2). Coloured dots: measured, one for each run. Grey line at 1: "
        "the floor below which no ordering brings the bound (claim order-floor). A bar cannot lie left of that line; a dot can, for it "
        "is only held below its own bar. All are norms."
        + _heuristic(runs)
        + left_out(table, runs, "those that the bound covers (OPTQ, nearest rounding, no saturated step) with a positive floor")
        + about_blocks(runs)
    )


def _heuristic(runs: pd.DataFrame) -> str:
    """A sentence on how often natural order has the smaller bound than decreasing norm; empty where not both were run."""
    bounds = runs.groupby([column for column in CELL if column != "ordering"] + ["kind"])["bound"].first().unstack("kind")
    if not {"natural", "decreasing-norm"} <= set(bounds):
        return ""
    both = bounds[["natural", "decreasing-norm"]].dropna()
    better = int((both["natural"] < both["decreasing-norm"]).sum())
    return f" Decreasing norm is a heuristic: in {better} of {len(both)} cases natural order has the smaller bound."


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `ordering` of a results table; runs with a floor of zero (rank deficient, undamped) are left out.

    Raises:
        NothingToDrawError: the table holds no run of it with a positive floor.
    """
    runs = _relative(table)
    across, width = (3, TITLE_WIDTH) if varying(runs, SHOWS) else (5, NARROW)  # settings in the titles need room
    panels, looks = by_panel(runs, SHOWS, width), looks_in(runs["kind"])
    rows = -(-len(panels) // across)
    columns = -(-len(panels) // rows)
    figure = new_figure(PAGE, 0.8 + (0.7 + title_height([title for title, _ in panels]) + max(0.6, ROW * len(looks))) * rows)
    cells = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for unused in cells[len(panels) :]:
        unused.set_axis_off()
    for axes, (title, group) in zip(cells, panels, strict=False):
        _panel(axes, title, group, looks)
    cells[0].set_yticks(range(len(looks)), [look.label for look in looks.values()])
    cells[0].set_ylim(len(looks) - 0.35, -0.5)
    figure.supxlabel("damped error, relative to the order floor", fontsize=8)
    _legend(figure, looks, shared(runs, SHOWS))
    return figure


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    """The runs that the bound covers, with errors and bounds relative to a positive floor."""
    return relative_to_floor(guaranteed_runs(table, SWEEP))


def _panel(axes: Axes, title: str, group: pd.DataFrame, looks: dict[str, Look]) -> None:
    axes.axvline(1, color=GREY, linewidth=0.8, zorder=1, gid="floor")
    for row, (kind, look) in enumerate(looks.items()):
        runs = group[group["kind"] == kind]
        alone = len(runs) == 1
        y = row + (np.zeros(1) if alone else np.linspace(-CLOUD / 2, CLOUD / 2, len(runs)))
        half = 0.3 if alone else 0.08
        axes.vlines(runs["bound"], y - half, y + half, color=BLACK, linewidth=1.2, zorder=3, gid="bound")
        draw_measured(axes, runs["measured"].to_numpy(), y, look, markersize=4 if alone else 2)
    axes.set_title(title)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:g}")


def _legend(figure: Figure, looks: dict[str, Look], title: str) -> None:
    bar, floor = ({"linestyle": "none", "marker": "|", "color": color, "markersize": 8, "markeredgewidth": 1.2} for color in (BLACK, GREY))
    handles: list[Any] = [key(**bar), tuple(key(**dots(look)) for look in looks.values()), key(**floor)]
    figure.legend(
        handles, ["proven bound", "measured, one run each", "order floor: no ordering has a bound left of it"],
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.3)}, handlelength=2.8, handletextpad=0.6, title=title,
        loc="outside upper center", ncols=3,
    )  # fmt: skip
