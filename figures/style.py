"""How every figure looks, and how it is saved: names, colours and markers, sizes for print, the same bytes every time."""

from __future__ import annotations

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
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

COLUMN, PAGE = 3.25, 6.75  # widths in inches: one column of text, the full page
PANEL_HEIGHT = 1.95

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
CALIBRATIONS = {
    "gaussian": "Gaussian",
    "ar1": "AR(1)",
    "heavy-tailed": "Heavy-tailed",
    "low-rank": "Low rank",
    "digits": "Digits network",
}
CELL = ["calibration", "damping", "ordering", "bits", "alphabet", "seed"]  # what tells two runs of one sweep apart
SIZES = ["signal", "damped_error", "saturated_share"]  # columns that a run has unless the factorization refused its matrix


class NothingToDrawError(ValueError):
    """The table has no rows that this figure could show; the message says which are missing."""


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
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    with mpl.style.context(("default", RC)):
        figure.savefig(png, metadata={"Software": None})
        figure.savefig(pdf, metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return [png, pdf]


def rows_of(table: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """The rows of a sweep.

    Raises:
        NothingToDrawError: the table has none.
    """
    rows = table[table["sweep"] == sweep]
    if rows.empty:
        raise NothingToDrawError(f"the table has no sweep {sweep!r}")
    return rows


def guaranteed_runs(table: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """One row for each run of a sweep that the bound of OPTQ covers: nearest rounding, nothing saturated, no rank deficiency.

    Raises:
        NothingToDrawError: the table has none.
    """
    rows = rows_of(table, sweep)
    rows = rows.reindex(columns=rows.columns.union(SIZES, sort=False))
    covered = (rows["algorithm"] == "optq") & (rows["rounding"] == "nearest") & (rows["saturated_share"] == 0) & (rows["signal"] > 0)
    runs = rows[covered].drop_duplicates(CELL)
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {sweep!r} is covered by the bound of OPTQ")
    return runs.assign(kind=kinds(runs["ordering"]))


def kinds(orderings: pd.Series) -> pd.Series:
    """The kind of each ordering: its name, without the seed of a random one."""
    return orderings.str.partition(":")[0]


def looks_in(occurring: pd.Series) -> dict[str, Look]:
    """The looks of the kinds of orderings that occur: the known ones in their fixed order, then any other."""
    names = sorted(occurring.unique(), key=_place(ORDERINGS))
    return {name: ORDERINGS.get(name, Look(name, SKY, "P", "-")) for name in names}


def _place(known: dict) -> Callable[[str], tuple[int, str]]:
    """A sort key: known names by their place, unknown ones after them by name."""
    return lambda name: (list(known).index(name) if name in known else len(known), name)


def by_calibration(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each calibration matrix with its title, plain name and size; known matrices first, in their fixed order."""
    names = sorted(rows["calibration"].unique(), key=_place(CALIBRATIONS))
    groups = [(name, rows[rows["calibration"] == name]) for name in names]
    return [(f"{CALIBRATIONS.get(name, name)} ({group['samples'].iloc[0]} × {group['features'].iloc[0]})", group) for name, group in groups]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure on the Agg canvas, without pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels_and_legend(count: int) -> tuple[Figure, list[Axes], Axes]:
    """A page-wide figure with `count` panels, three to a row, and a free cell after the last for the legend."""
    columns = min(3, count + 1)
    rows = -(-(count + 1) // columns)
    figure = new_figure(PAGE, PANEL_HEIGHT * rows + 0.2)
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in cells[count:]:
        unused.set_axis_off()
    return figure, list(cells[:count]), cells[count]


def plain_log_ticks(axis: Axis, digits: tuple[int, ...]) -> None:
    """Ticks of a logarithmic axis at `digits` times powers of ten, written as plain decimals."""
    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def draw_bound(axes: Axes, x: np.ndarray, y: np.ndarray, line: str | tuple = "-", **tag: object) -> None:
    """A proven bound: a black line; `tag` are the properties of a marker on it."""
    axes.plot(x, y, color=BLACK, linestyle=line, zorder=3, gid="bound", **tag)


def draw_measured(axes: Axes, x: np.ndarray, y: np.ndarray, look: Look, spread: tuple | None = None, **changes: object) -> None:
    """Measurements: coloured dots; `spread` holds the lower and the upper ends of their bars."""
    if spread is not None:
        axes.vlines(x, *spread, color=look.colour, linewidth=0.9, zorder=2)
    axes.plot(x, y, **dots(look) | {"markersize": 3.2} | changes, zorder=4, gid="measured")


def dots(look: Look) -> dict[str, object]:
    """The line properties of measurements; a larger size in the legend."""
    return {"linestyle": "none", "marker": look.marker, "color": look.colour, "markeredgewidth": 0, "markersize": 4}


def key(**properties: object) -> Line2D:
    """A legend's picture of a line or marker with these properties; a black line unless they say otherwise."""
    return Line2D([], [], **{"color": BLACK} | properties)
