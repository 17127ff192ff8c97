"""How every figure looks, and how it is saved: names, colours and markers, sizes for print, the same bytes every time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

COLUMN, PAGE = 3.25, 6.75  # widths in inches: one column of text, the full page

FEWEST_TICKS = 3
DAMPING = r"damping $\lambda$ / mean diagonal of $X^\top X$ (live features)"  # the axis of dampings

BLACK, GREY = "#000000", "#999999"
ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"  # Okabe–Ito

RC = {
    "font.family": "DejaVu Sans", "font.size": 8, "mathtext.fontset": "dejavusans",
    "axes.titlesize": 8, "axes.labelsize": 8, "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8, "legend.title_fontsize": 8,
    "axes.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False, "axes.titlepad": 4, "axes.labelpad": 2.5,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.minor.width": 0.4, "ytick.minor.width": 0.4,
    "xtick.major.size": 3, "ytick.major.size": 3, "xtick.minor.size": 1.5, "ytick.minor.size": 1.5,
    "lines.linewidth": 1.0, "lines.markersize": 3.2, "legend.frameon": False, "legend.handlelength": 2.6, "legend.borderaxespad": 0,
    "savefig.dpi": 300, "pdf.fonttype": 42, "pdf.compression": 9,
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """The name of an ordering, the colour and marker of its measurements, the line style of its bound."""

    label: str
    colour: str
    marker: str
    line: str | tuple


ORDERINGS = {
    "natural": Look("natural", BLUE, "o", "-"),
    "decreasing-norm": Look("decreasing norm", VERMILION, "v", (0, (5, 1.8))),
    "increasing-norm": Look("increasing norm", PURPLE, "^", (0, (1, 1.4))),
    "min-pivot": Look("min-pivot", GREEN, "D", (0, (5, 1.5, 1, 1.5))),
    "random": Look("random", ORANGE, "s", (0, (3, 1.5, 1, 1.5, 1, 1.5))),
}


def styled(draw: Callable[[pd.DataFrame], Figure]) -> Callable[[pd.DataFrame], Figure]:
    """Run a draw function under this project's style, whatever the user's own settings are."""

    @wraps(draw)
    def under_style(table: pd.DataFrame) -> Figure:
        with mpl.style.context(("default", RC)):
            return draw(table)

    return under_style


def save(figure: Figure, folder: str | Path, name: str) -> list[Path]:
    """Write `name.png` (300 dpi) and `name.pdf` (embedded TrueType), without dates or program names: same figure, same bytes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    png, pdf = _files(folder, name)
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of the date in matplotlib's own font
    with mpl.style.context(("default", RC)):
        figure.savefig(png, metadata={"Software": None})
        figure.savefig(pdf, metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return [png, pdf]


def discard(folder: str | Path, name: str) -> None:
    """Delete what `save` wrote, if anything."""
    for path in _files(folder, name):
        path.unlink(missing_ok=True)


def _files(folder: str | Path, name: str) -> list[Path]:
    return [Path(folder) / f"{name}.{kind}" for kind in ("png", "pdf")]


def looks_in(occurring: pd.Series) -> dict[str, Look]:
    """The looks of the kinds of orderings that occur: the known ones in their fixed order, then any other."""
    names = sorted(occurring.unique(), key=place_in(ORDERINGS))
    return {name: ORDERINGS.get(name, Look(name, SKY, "P", "-")) for name in names}


def place_in(known: dict) -> Callable[[str], tuple[int, str]]:
    """A sort key: known names by their place, unknown ones after them by name."""
    return lambda name: (list(known).index(name) if name in known else len(known), name)


class PlainLogLocator(LogLocator):
    """Ticks at some digits times powers of ten; where the axis is so short that few of them fall on it, at round numbers."""

    def __init__(self, digits: tuple[int, ...]):
        super().__init__(subs=digits)
        self.digits = digits

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        """The ticks of an axis from vmin to vmax."""
        powers = 10.0 ** np.arange(np.floor(np.log10(vmin)), np.ceil(np.log10(vmax)) + 1)
        ticks = np.outer(powers, self.digits)
        if ((ticks >= vmin) & (ticks <= vmax)).sum() >= FEWEST_TICKS:
            return super().tick_values(vmin, vmax)
        return np.array([tick for tick in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(vmin, vmax) if tick > 0])


def plain_log_ticks(axis: Axis, digits: tuple[int, ...]) -> None:
    """Ticks of a logarithmic axis at `digits` times powers of ten, on a short one at round numbers, written as plain decimals."""
    axis.set_major_locator(PlainLogLocator(digits))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def draw_bound(
    axes: Axes, x: np.ndarray, y: np.ndarray, line: str | tuple = "-", spread: tuple | None = None, **tag: object
) -> None:
    """A proven bound: a black line; `spread` holds the ends of bars on it, `tag` are the properties of a marker on it."""
    if spread is not None:
        axes.vlines(x, *spread, color=BLACK, linewidth=0.6, zorder=2, gid="bound spread")
    axes.plot(x, y, color=BLACK, linestyle=line, zorder=3, gid="bound", **tag)


def draw_measured(axes: Axes, x: np.ndarray, y: np.ndarray, look: Look, spread: tuple | None = None, **changes: object) -> None:
    """Measurements: coloured dots; `spread` holds the lower and the upper ends of their bars."""
    if spread is not None:
        axes.vlines(x, *spread, color=look.colour, linewidth=0.9, zorder=2, gid="spread")
    axes.plot(x, y, **dots(look) | {"markersize": 3.2} | changes, zorder=4, gid="measured")


def dots(look: Look) -> dict[str, object]:
    """The line properties of measurements; a larger size in the legend."""
    return {"linestyle": "none", "marker": look.marker, "color": look.colour, "markeredgewidth": 0, "markersize": 4}


def key(**properties: object) -> Line2D:
    """A legend's picture of a line or marker with these properties; a black line unless they say otherwise."""
    return Line2D([], [], **{"color": BLACK} | properties)


METHODS = {
    "optq": Look("OPTQ", BLUE, "o", "-"),
    "alternating qronos": Look("Qronos, alternating", VERMILION, "v", (0, (5, 1.8))),
    "projected qronos": Look("Qronos, projected", GREEN, "D", (0, (5, 1.5, 1, 1.5))),
    "gpfq": Look("GPFQ", PURPLE, "^", (0, (1, 1.4))),
}
ROUNDINGS = {"nearest": Look("nearest rounding", BLUE, "o", "-"), "stochastic": Look("stochastic rounding", VERMILION, "v", (0, (5, 1.8)))}


def methods(runs: pd.DataFrame) -> pd.Series:
    """The algorithm of each run, Qronos with its form: the keys of METHODS."""
    return runs["algorithm"].where(runs["algorithm"] != "qronos", runs["form"] + " qronos")


def looks_among(looks: dict[str, Look], names: pd.Series) -> dict[str, Look]:
    """Those of the looks whose names occur."""
    return {name: look for name, look in looks.items() if (names == name).any()}


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
        sizes = runs[runs["method"] == method].groupby(groups.name)[["measured", "bound"]].agg(["mean", "min", "max"]).reindex(groups)
        x = np.arange(len(groups)) + step * (place - (len(looks) - 1) / 2)
        bound, measured = sizes["bound"], sizes["measured"]
        axes.hlines(bound["mean"], x - 0.37 * step, x + 0.37 * step, color=BLACK, linewidth=1, zorder=3, gid="bound")
        axes.vlines(x + 0.37 * step, *ends(bound), color=BLACK, linewidth=0.6, zorder=2, gid="bound spread")
        draw_measured(axes, x, measured["mean"].to_numpy(), look, ends(measured))
    axes.set(xlim=(-0.6, len(groups) - 0.4))
    axes.tick_params(axis="x", length=0)


def beside(x: np.ndarray, place: int, count: int, most: float) -> np.ndarray:
    """Points of a logarithmic axis moved sideways for the place-th of `count` series, so that no series hides another.

    Neighbours come to stand at most `most` decades apart, and all within a part of the way to the next point of the axis.
    """
    gaps = np.diff(np.log10(x))
    step = min(most, 0.6 * gaps.min() / count) if gaps.size else most
    return x * 10 ** (step * (place - (count - 1) / 2 if count > 1 else 0.5))


def ends(sizes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper ends of bars: the columns `min` and `max`."""
    return sizes["min"].to_numpy(), sizes["max"].to_numpy()
