"""Every linear layer of a network, ranked by measured error: OPTQ, its prediction, its proven bound, and round-to-nearest."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiments.settings import in_words, settings, split
from .looks import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, Look, looks_among
from .marks import dots, draw_measured, key, plain_log_ticks
from .panels import about_blocks, block_and_part, calibration_name, new_figure, shared
from .runs import guaranteed_runs, left_out
from .style import PAGE, styled

SWEEP = "layers"
USUAL = {"bits": 4, "damping": "mean-diagonal:1e-2", "ordering": "decreasing-norm", "alphabet": "infinite", "steps": "uniform"}
TYPES = {
    "query": Look("query", BLUE, "o", "-"),
    "key": Look("key", SKY, "s", "-"),
    "value": Look("value", GREEN, "D", "-"),
    "attention output": Look("attention output", PURPLE, "^", "-"),
    "intermediate": Look("intermediate", ORANGE, "v", "-"),
    "output": Look("output", VERMILION, "P", "-"),
    "": Look("other layers", BLUE, "o", "-"),
}
OPEN = {"linestyle": "none", "marker": "o", "markersize": 6, "markerfacecolor": "none", "markeredgecolor": GREY, "markeredgewidth": 0.7}
RTN = {"linestyle": "none", "marker": "x", "markersize": 3.6, "color": GREY, "markeredgewidth": 0.9}
BOUND = {"linestyle": "none", "marker": "_", "markersize": 7, "color": BLACK, "markeredgewidth": 1.2}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _ranked(table)
    return (
        f"Every linear layer of a network, from the smallest measured error to the largest: {settings(runs)}. Above: damped error, "
        "sqrt(‖X(W−Q)‖² + λ‖W−Q‖²), relative to ‖XW‖, all neurons of a layer together. Black bars: the proven bound (claim optq-l2). "
        "Coloured dots: measured, one run for each layer, coloured by the kind of layer. Open circles: the prediction of uniform "
        "rounding errors (claim predicted-error), which is no theorem. Grey crosses: the same damped error of round-to-nearest. Below: "
        "the measured error over the predicted one; the prediction is met at the dashed line, and the proven bound is the black line at "
        "√3. A dot off the dashed line is a layer whose rounding errors are not uniform, as where many weights are much smaller than "
        "the step."
        + left_out(table, runs, "those under these settings, one repetition") + about_blocks(runs)
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw one setting of the sweep `layers` of a results table: the usual one of GPTQ, else that which is most like it.

    Raises:
        NothingToDrawError: the table holds no run of it that the bound covers.
    """
    runs = _ranked(table)
    figure = new_figure(PAGE, 4.5)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.7, 1))
    _errors(above, runs)
    _against_prediction(below, runs)
    below.set_xticks(runs["rank"], runs["name"], rotation=90, fontsize=7)
    below.set_xlim(-0.8, len(runs) - 0.2)
    below.set_xlabel(_below(runs))
    _legend(figure, runs)
    return figure


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each layer by measured error, with errors relative to the signal."""
    runs = _of_one_setting(guaranteed_runs(table, SWEEP))
    columns = {"measured": "damped_error", "bound": "damped_bound", "predicted": "damped_predicted", "nearest": "rtn_damped_error"}
    relative = {name: np.sqrt(runs[column] / runs["signal"]) for name, column in columns.items()}
    ranked = runs.assign(name=_names(runs), type=runs["layer"].map(_type), **relative).sort_values(["measured", "calibration", "layer"])
    return ranked.assign(rank=range(len(ranked)))


def _of_one_setting(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of the setting that agrees most with the usual one, of several the one with the most layers; the first repetition."""
    parts = [part[part["seed"] == part["seed"].min()] for _, part in split(runs)]
    return max(parts, key=lambda part: (sum(in_words(axis, part[axis].iloc[0]) == in_words(axis, usual) for axis, usual in USUAL.items()),
                                        len(part)))  # fmt: skip


def _names(runs: pd.DataFrame) -> list[str]:
    """What stands below a layer: its block and its plain name, of several networks with theirs."""
    several = runs["calibration"].nunique() > 1
    return [calibration_name(calibration, layer) if several or not layer else " ".join(block_and_part(layer)).strip()
            for calibration, layer in zip(runs["calibration"], runs["layer"], strict=True)]  # fmt: skip


def _type(layer: str) -> str:
    """The type of a layer, a key of TYPES; empty for those of no transformer.

    >>> _type("encoder.layer.3.attention.self.query"), _type("hidden2")
    ('query', '')
    """
    block, part = block_and_part(layer)
    return part if block else ""


def _below(runs: pd.DataFrame) -> str:
    """What the names below the layers are."""
    network = calibration_name(runs["calibration"].iloc[0], "") + ": " if runs["calibration"].nunique() == 1 else ""
    return f"{network}block, numbered from 0 at the inputs, and layer in it" if runs["type"].any() else f"{network}layer"


def _errors(axes: Axes, runs: pd.DataFrame) -> None:
    axes.plot(runs["rank"], runs["bound"], **BOUND, zorder=3, gid="bound")
    axes.plot(runs["rank"], runs["nearest"], **RTN, zorder=2, gid="round-to-nearest")
    axes.plot(runs["rank"], runs["predicted"], **OPEN, zorder=3, gid="prediction")
    _coloured(axes, runs, runs["measured"])
    axes.set(yscale="log", ylabel=r"$\|\hat X(W-Q)\|_F\,/\,\|XW\|_F$")
    plain_log_ticks(axes.yaxis, (1, 2, 5))
    axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.4)


def _against_prediction(axes: Axes, runs: pd.DataFrame) -> None:
    axes.axhline(np.sqrt(3), color=BLACK, linewidth=1.2, zorder=3, gid="bound")
    axes.axhline(1, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1, gid="prediction")
    _coloured(axes, runs, runs["measured"] / runs["predicted"])
    axes.set(ylabel="measured /\npredicted")
    axes.margins(y=0.15)
    axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.4)


def _coloured(axes: Axes, runs: pd.DataFrame, heights: pd.Series) -> None:
    for name, look in looks_among(TYPES, runs["type"]).items():
        here = runs["type"] == name
        draw_measured(axes, runs.loc[here, "rank"].to_numpy(), heights[here].to_numpy(), look, markersize=4)


def _legend(figure: Figure, runs: pd.DataFrame) -> None:
    measured = [(look.label, key(**dots(look))) for look in looks_among(TYPES, runs["type"]).values()]
    rest = [("proven bound", key(**BOUND)), ("prediction (no theorem)", key(**OPEN)), ("round-to-nearest", key(**RTN))]
    labels, handles = zip(*measured, *rest, strict=True)
    figure.legend(handles, labels, title=shared(runs, ()), loc="outside upper center", ncols=5, handlelength=1, columnspacing=1.6)
