"""How time and memory grow with N, K and m: exponents, and the figure that shows them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from provable_ptq.figures.looks import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION, Look
from provable_ptq.figures.marks import dots
from provable_ptq.figures.style import PAGE, styled

from .measure import gemm_size
from .ratios import limit_operations

LOOKS = {
    "rows-loop": Look("published loop, from X", ORANGE, "s", "-"),
    "rows-factorization": Look("factorization of X", BLUE, "o", "-"),
    "gram-factorization": Look("factorization of the Gram matrix", PURPLE, "^", "-"),
    "rounding": Look("OPTQ, factorization at hand", VERMILION, "v", "-"),
    "rows-qronos-alternating": Look("Qronos, from X", GREEN, "D", "-"),
}
AXES = {"N": "features N", "K": "neurons K", "m": "calibration rows m"}
NARROW = {"handlelength": 0.5, "handletextpad": 0.3, "columnspacing": 0.7}
UNITS = {"cpu": (1.0, "processor time, one thread [s]"), "bytes": (1e6, "memory beyond the inputs [MB]")}


def medians(table: pd.DataFrame, job: str, axis: str, what: str) -> pd.Series:
    """The median of each point along an axis."""
    rows = table[(table["part"] == "scaling") & (table["job"] == job) & (table["axis"] == axis) & table[what].notna()]
    return rows.groupby(axis)[what].median()


def exponents(table: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    """Slopes of logarithms, by job, axis and what grows (`cpu` or `bytes`); least squares over all points."""
    found = {}
    for job in LOOKS:
        for axis in AXES:
            for what in UNITS:
                points = medians(table, job, axis, what)
                if len(points) > 1:
                    found[job, axis, what] = float(np.polyfit(np.log(points.index), np.log(points), 1)[0])
    return found


def exponent_word(exponent: float, decimals: int = 2) -> str:
    """So many decimals, without a minus sign before nothing."""
    return "–" if np.isnan(exponent) else f"{round(exponent, decimals) + 0:.{decimals}f}"


def limits(table: pd.DataFrame, axis: str) -> pd.Series:
    """Seconds of the operations that cannot be avoided, at the rate of a matrix product measured at the same point."""
    rows = table[(table["part"] == "scaling") & (table["axis"] == axis) & (table["job"] == "gemm-numpy")]
    points = rows.groupby(["N", "K", "m"])["cpu"].median().reset_index()
    seconds = limit_operations(points["N"], points["K"]) * points["cpu"] / (2 * points["N"].map(gemm_size) ** 3)
    return pd.Series(seconds.to_numpy(), index=points[axis])


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Time above, memory below, against N, K and m; the limit as a black line, the fitted exponents over the panels."""
    figure, panels = plt.subplots(2, 3, figsize=(PAGE, 4.6), sharey="row", sharex="col", layout="constrained")
    found = exponents(table)
    for row, (what, (unit, words)) in zip(panels, UNITS.items(), strict=True):
        row[0].set_ylabel(words)
        for axes, axis in zip(row, AXES, strict=True):
            for job, look in LOOKS.items():
                points = medians(table, job, axis, what) / unit
                if len(points):
                    exponent = exponent_word(found.get((job, axis, what), np.nan), 1)
                    axes.plot(points.index, points, **dots(look) | {"linestyle": "-", "linewidth": 0.6}, label=exponent, zorder=3)
            sizes = table.loc[(table["part"] == "scaling") & (table["axis"] == axis), axis]
            dress(axes, sorted(sizes.unique()))
    for axes, axis in zip(panels[0], AXES, strict=True):
        axes.plot(limits(table, axis), color=BLACK, zorder=2)
    for axes, words in zip(panels[1], AXES.values(), strict=True):
        axes.set_xlabel(words)
    names = [Line2D([], [], **dots(look), label=look.label) for look in LOOKS.values()]
    names.append(Line2D([], [], color=BLACK, label="limit, from the Gram matrix"))
    figure.legend(handles=names, loc="outside upper center", ncols=3, title="over each panel: the fitted exponents")
    return figure


def dress(axes: Axes, sizes: list[float]) -> None:
    """Logarithmic axes with a tick at each size; the labels of what is drawn in a row above, a place that the layout does not see."""
    axes.set(xscale="log", yscale="log", title=" ")
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(LOOKS), **NARROW).set_in_layout(False)
