"""Every ordering of a few features: its bound and its measured error, relative to the floor that no ordering beats."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.ticker import PercentFormatter

from .looks import GREY, SKY, Look, looks_in
from .marks import dots, draw_bound, draw_measured, key
from .panels import PANEL_HEIGHT, by_panel, new_figure, shared, title_height
from .runs import NothingToDrawError, conditions, kinds, relative_to_floor, rows_of
from .style import PAGE, styled

SWEEP = "permutations"
SHOWS = ("ordering",)
EVERY = Look("every ordering", SKY, ".", "-")
SPECK: dict[str, Any] = {"markersize": 1.8, "alpha": 0.6}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    rows = _of_all_orderings(table)
    return (
        f"All orderings of the features of a small matrix, their proven bound and damped error: {conditions(rows, SHOWS)}. Black curve: "
        "the bound (claim optq-l2) under every ordering, from the smallest to the largest; light dots: the damped error measured under "
        "the same ordering. Both are norms relative to the floor below which no ordering brings the bound (claim order-floor), the grey "
        "line at 1; the measured error may lie below it. The named orderings are marked on the curve (open) and among the measurements "
        "(filled), at the share of orderings whose bound is smaller than theirs: at the left end an ordering is the best of all. "
        "Decreasing norm is a heuristic: compare its place with natural order's, matrix by matrix."
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `permutations` of a results table.

    Raises:
        NothingToDrawError: the table holds no matrix of it with all orderings and a positive floor.
    """
    rows = _of_all_orderings(table)
    panels, looks = by_panel(rows, SHOWS), looks_in(rows.loc[rows["record"] == "run", "kind"])
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = new_figure(PAGE, 0.9 + (PANEL_HEIGHT + title_height([title for title, _ in panels])) * lines)
    cells = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in cells[len(panels) :]:
        unused.set_axis_off()
    for axes, (title, group) in zip(cells, panels, strict=False):
        _panel(axes, title, group, looks)
    figure.supxlabel("share of orderings with a smaller bound", fontsize=8)
    figure.supylabel("damped error, relative to the order floor", fontsize=8)
    _legend(figure, looks, shared(rows, SHOWS))
    return figure


def _of_all_orderings(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the matrices that were run under every ordering, not under named ones only, relative to a positive floor."""
    rows = relative_to_floor(rows_of(table, SWEEP))
    every = (rows["record"] == "permutation").groupby([rows["calibration"], rows["layer"]]).transform("any")
    if not every.any():
        raise NothingToDrawError(f"no matrix of the sweep {SWEEP!r} was run under all orderings")
    return rows[every].assign(kind=kinds(rows.loc[every, "ordering"]))


def _panel(axes: Axes, title: str, group: pd.DataFrame, looks: dict[str, Look]) -> None:
    every = group[group["record"] == "permutation"].sort_values(["bound", "ordering"])
    share = np.linspace(0, 1, len(every))
    axes.axhline(1, color=GREY, linewidth=0.8, zorder=1, gid="floor")
    draw_bound(axes, share, every["bound"].to_numpy())
    draw_measured(axes, share, every["measured"].to_numpy(), EVERY, **SPECK)
    for kind, look in reversed(looks.items()):
        named = group[(group["record"] == "run") & (group["kind"] == kind)]
        place = np.searchsorted(every["bound"], named["bound"]) / max(len(every) - 1, 1)
        axes.plot(place, named["bound"], **_open(look), zorder=5, gid="named bound")
        axes.plot(place, named["measured"], **_filled(look), zorder=5, gid="named measured")
    axes.set(title=title, xlim=(-0.03, 1.03))
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))


def _open(look: Look) -> dict[str, Any]:
    return dots(look) | {"markerfacecolor": "none", "markeredgewidth": 1, "markersize": 5, "clip_on": False}


def _filled(look: Look) -> dict[str, Any]:
    return dots(look) | {"markeredgecolor": "white", "markeredgewidth": 0.5, "markersize": 5, "clip_on": False}


def _legend(figure: Figure, looks: dict[str, Look], title: str) -> None:
    """The curve, the dots and the floor in one line, the named orderings in the next; a legend is filled column by column."""
    general = [("proven bound", key()), ("measured, one run each", key(**dots(EVERY))), ("order floor", key(color=GREY, linewidth=0.8))]
    named = [(look.label, (key(**_open(look)), key(**_filled(look)))) for look in looks.values()]
    pairs = zip_longest(general, named, fillvalue=("", key(linestyle="none")))
    labels, handles = zip(*chain.from_iterable(pairs), strict=True)
    columns = max(len(general), len(named))
    figure.legend(handles, labels, ncols=columns, handler_map={tuple: HandlerTuple(None, 0.6)}, title=title, loc="outside upper center")
