"""What is drawn on axes: bounds in black, measurements as coloured dots, ticks of logarithmic axes, pictures for a legend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from .looks import BLACK, Look

DAMPING = r"damping $\lambda$ / mean diagonal of $X^\top X$ (live features)"  # the axis of dampings
FEWEST_TICKS = 3


class PlainLogLocator(LogLocator):
    """Ticks at some digits times powers of ten; where the axis is so short that few of them fall on it, at round numbers."""

    def __init__(self, digits: tuple[float, ...]):
        super().__init__(subs=digits)
        self.digits = digits

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]  (all return arrays)
        """The ticks of an axis from vmin to vmax."""
        powers = 10.0 ** np.arange(np.floor(np.log10(vmin)), np.ceil(np.log10(vmax)) + 1)
        ticks = np.outer(powers, self.digits)
        if ((ticks >= vmin) & (ticks <= vmax)).sum() >= FEWEST_TICKS:
            return np.asarray(super().tick_values(vmin, vmax))
        return np.array([tick for tick in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(vmin, vmax) if tick > 0])


def plain_log_ticks(axis: Axis, digits: tuple[float, ...]) -> None:
    """Ticks of a logarithmic axis at `digits` times powers of ten, on a short one at round numbers, written as plain decimals."""
    axis.set_major_locator(PlainLogLocator(digits))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def draw_bound(
    axes: Axes, x: np.ndarray, y: np.ndarray, line: str | tuple = "-", spread: tuple | None = None, **tag: Any
) -> None:
    """A proven bound: a black line; `spread` holds the ends of bars on it, `tag` are the properties of a marker on it."""
    if spread is not None:
        axes.vlines(x, *spread, color=BLACK, linewidth=0.6, zorder=2, gid="bound spread")
    axes.plot(x, y, color=BLACK, linestyle=line, zorder=3, gid="bound", **tag)


def draw_measured(axes: Axes, x: np.ndarray, y: np.ndarray, look: Look, spread: tuple | None = None, **changes: Any) -> None:
    """Measurements: coloured dots; `spread` holds the lower and the upper ends of their bars."""
    if spread is not None:
        axes.vlines(x, *spread, color=look.colour, linewidth=0.9, zorder=2, gid="spread")
    axes.plot(x, y, **dots(look, 3.2) | changes, zorder=4, gid="measured")


def bars_and_dots(axes: Axes, runs: pd.DataFrame, groups: pd.Index, looks: dict[str, Look], width: float = 0.8) -> None:
    """For each of the groups at 0, 1, 2, …: the bounds of all methods as black bars side by side, their measurements as dots.

    Arguments:
        axes: where to draw.
        runs: one row for each run: its `method`, `measured` and `bound`, and its group in the column that `groups` is named after.
        groups: the groups in the order they are shown.
        looks: the looks of the methods.
        width: of a whole group; the next is 1 away.
    """
    step = width / len(looks)
    for place, (method, look) in enumerate(looks.items()):
        sizes = runs[runs["method"] == method].groupby(str(groups.name))[["measured", "bound"]].agg(["mean", "min", "max"]).reindex(groups)
        x = np.arange(len(groups)) + step * (place - (len(looks) - 1) / 2)
        bound, measured = sizes["bound"], sizes["measured"]
        axes.hlines(bound["mean"], x - 0.37 * step, x + 0.37 * step, color=BLACK, linewidth=1, zorder=3, gid="bound")
        axes.vlines(x + 0.37 * step, *ends(bound), color=BLACK, linewidth=0.6, zorder=2, gid="bound spread")
        draw_measured(axes, x, measured["mean"].to_numpy(), look, ends(measured))
    axes.set(xlim=(-0.6, len(groups) - 0.4))
    axes.tick_params(axis="x", length=0)


def dots(look: Look, size: float = 4) -> dict[str, Any]:
    """The line properties of measurements; by default of the size that they have in a legend."""
    return {"linestyle": "none", "marker": look.marker, "color": look.colour, "markeredgewidth": 0, "markersize": size}


def key(**properties: Any) -> Line2D:
    """A legend's picture of a line or marker with these properties; a black line unless they say otherwise."""
    look: dict[str, Any] = {"color": BLACK} | properties
    return Line2D([], [], **look)


def beside(x: np.ndarray, place: int, count: int, most: float) -> np.ndarray:
    """Points of a logarithmic axis moved sideways for the place-th of `count` series, so that no series hides another.

    Neighbours come to stand at most `most` decades apart, and all within a part of the way to the next point of the axis.
    """
    gaps = np.diff(np.log10(x))
    step = min(most, 0.6 * gaps.min() / count) if gaps.size else most
    return x * 10 ** (step * (place - (count - 1) / 2 if count > 1 else 0.5))


def ends(sizes: pd.DataFrame | pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper ends of bars: the columns `min` and `max` (pandas types parts of two-level columns as series)."""
    return sizes["min"].to_numpy(), sizes["max"].to_numpy()
