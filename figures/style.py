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
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
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
    "ar1-mild": "AR(1), mild",
    "ar1-strong": "AR(1), strong",
    "spiked": "Spiked",
    "power-law": "Power law",
    "dead-and-duplicated": "Dead, duplicated",
    "few-samples": "Few samples",
    "square": "Square",
    "many-samples": "Many samples",
    "adversarial": "Adversarial",
    "photographs": "Photographs",
    "photographs-shift": "Photographs, shifted",
    "digits-output": "Digits, output layer",
    "minilm": "MiniLM",
    "minilm-some": "MiniLM",
    "minilm-deep": "MiniLM",
    "ar1-6": "AR(1)",
    "ar1-7": "AR(1)",
    "heavy-tailed-7": "Heavy-tailed",
    "low-rank-7": "Low rank",
    **{f"ar1-small-{features}": "AR(1)" for features in (2, 4, 6, 8, 10, 12)},
}
ENCODER = "encoder.layer."
ENCODER_LAYERS = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attention output",
    "intermediate.dense": "intermediate",
    "output.dense": "output",
}
TITLE_WIDTH = 27  # characters that stand above one panel of three
CELL = [  # what tells two runs of one sweep apart
    "calibration", "layer", "mismatch", "algorithm", "form", "rounding", "bits", "steps", "alphabet", "ordering", "damping", "seed",
]  # fmt: skip
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


def rows_of(table: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """The rows of a sweep.

    Raises:
        NothingToDrawError: the table has none.
    """
    rows = table[table["sweep"] == sweep]
    if rows.empty:
        raise NothingToDrawError(f"the table has no sweep {sweep!r}")
    return rows


def with_columns(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The rows with all of these columns, NaN where the table has none: a fact that no row has makes no column."""
    return rows.reindex(columns=rows.columns.union(names, sort=False))


def guaranteed_runs(table: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """The runs of a sweep that the bound of OPTQ covers: nearest rounding, nothing saturated, no rank deficiency.

    Raises:
        NothingToDrawError: the table has none.
    """
    rows = with_columns(rows_of(table, sweep), SIZES)
    covered = (rows["algorithm"] == "optq") & (rows["rounding"] == "nearest") & (rows["saturated_share"] == 0) & (rows["signal"] > 0)
    runs = rows[covered & (rows["record"] == "run")]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {sweep!r} is covered by the bound of OPTQ")
    return runs.assign(kind=kinds(runs["ordering"]))


def relative_to_floor(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a positive order floor, and `bound` and `measured`: norms relative to the floor of the bound (`order-floor`).

    Raises:
        NothingToDrawError: none has one. (A matrix that is rank deficient and undamped has the floor zero; with steps of
            their own for each feature the floor is another.)
    """
    rows = rows[(rows["order_floor"] > 0) & (rows["steps"] == "uniform")]
    if rows.empty:
        raise NothingToDrawError("no run has a positive order floor and the same step for all features")
    floor = rows["step_square_sum"] * rows["order_floor"] / 4
    return rows.assign(bound=np.sqrt(rows["pivot_square_sum"] / rows["order_floor"]), measured=np.sqrt(rows["damped_error"] / floor))


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
    place = _place(CALIBRATIONS)
    groups = sorted(rows.groupby(["calibration", "layer"]), key=lambda group: (place(group[0][0]), group[0][1]))
    return [(titled(calibration_name(*names), group), group) for names, group in groups]


def calibration_name(calibration: str, layer: str) -> str:
    """The plain name of a calibration matrix: that of its study, with the layer where one study has many.

    >>> calibration_name("minilm-some", "encoder.layer.3.attention.output.dense")
    'MiniLM 3, attention output'
    >>> calibration_name("digits", "hidden2"), calibration_name("mine", "hidden2")
    ('Digits network', 'mine, hidden2')
    """
    name = CALIBRATIONS.get(calibration, calibration)
    if layer.startswith(ENCODER):
        block, _, part = layer.removeprefix(ENCODER).partition(".")
        return f"{name} {block}, {ENCODER_LAYERS.get(part, part)}"
    return f"{name}, {layer}" if layer and calibration not in CALIBRATIONS else name


def titled(name: str, group: pd.DataFrame) -> str:
    """A panel's title: name and size of its matrix, on two lines where one would be too long."""
    size = f"({group['samples'].iloc[0]:g} × {group['features'].iloc[0]:g})"
    return f"{name} {size}" if len(name) + len(size) < TITLE_WIDTH else f"{name}\n{size}"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure on the Agg canvas, without pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels_and_legend(count: int) -> tuple[Figure, list[Axes], Axes]:
    """A page-wide figure with `count` panels, three to a row, and a free cell after the last for the legend."""
    rows = -(-(count + 1) // 3)
    columns = -(-(count + 1) // rows)
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


def tag(look: Look) -> dict[str, object]:
    """The open marker on a bound that names whose bound it is."""
    return {"marker": look.marker, "markersize": 4, "markerfacecolor": "white", "markeredgecolor": look.colour, "markeredgewidth": 0.8}


def bounds_and_dots_legend(corner: Axes, looks: dict[str, Look], others: dict[str, Artist], title: str) -> None:
    """A legend in a free cell: the tagged bound and the dot of each look side by side, then other entries by their label."""
    handles = [(key(linestyle=look.line, **tag(look)), key(**dots(look))) for look in looks.values()]
    corner.legend(
        [*handles, *others.values()], [*(look.label for look in looks.values()), *others], title=title, alignment="left",
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.6)}, handlelength=5, loc="center left",
    )  # fmt: skip


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
        x, measured = np.arange(len(groups)) + step * (place - (len(looks) - 1) / 2), sizes["measured"]
        axes.hlines(sizes["bound", "mean"], x - 0.44 * step, x + 0.44 * step, color=BLACK, linewidth=1, zorder=3, gid="bound")
        draw_measured(axes, x, measured["mean"].to_numpy(), look, (measured["min"].to_numpy(), measured["max"].to_numpy()))
    axes.set(xlim=(-0.6, len(groups) - 0.4))
    axes.tick_params(axis="x", length=0)


def dots_in_words(runs: pd.DataFrame, columns: list[str], bar: str = "coloured bar") -> str:
    """What a dot, and the bar on it, stands for where the runs that share the values of these columns have one dot.

    >>> print(dots_in_words(pd.DataFrame({"bits": [3, 3, 4]}), ["bits"]))
    dot: measured, mean over 1 to 2 runs
    coloured bar: smallest to largest run
    >>> dots_in_words(pd.DataFrame({"bits": [3, 4]}), ["bits"])
    'dot: measured, one run each'
    """
    counts = runs.groupby(columns).size()
    low, high = counts.min(), counts.max()
    if high == 1:
        return "dot: measured, one run each"
    return f"dot: measured, mean over {high if low == high else f'{low} to {high}'} runs\n{bar}: smallest to largest run"
