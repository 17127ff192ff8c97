"""Every linear layer of a network, ranked by measured error: OPTQ, its prediction, its proven bound, and round-to-nearest."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import (
    BLACK,
    BLUE,
    CALIBRATIONS,
    ENCODER,
    ENCODER_LAYERS,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    PURPLE,
    SKY,
    VERMILION,
    Look,
    NothingToDrawError,
    dots,
    draw_measured,
    guaranteed_runs,
    key,
    looks_among,
    new_figure,
    plain_log_ticks,
    styled,
)

SWEEP = "layers"
SHOWN = {"bits": 4, "damping": "mean-diagonal:1e-2", "ordering": "decreasing-norm", "alphabet": "infinite"}
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
CAPTION = (
    "Every linear layer of the network, quantized to 4 bits by OPTQ. Nearest rounding, decreasing norm, damping 1% of the mean diagonal; "
    "from the smallest measured error to the largest; a name is the block and the layer in it. Above: damped error, "
    "sqrt(‖X(W−Q)‖² + λ‖W−Q‖²), relative to ‖XW‖, all neurons of a layer together. Black bars: the proven bound (claim optq-l2). Coloured "
    "dots: measured, one run for each layer, coloured by the kind of layer. Open circles: the prediction of uniform rounding errors (claim "
    "predicted-error), which is no theorem. Grey crosses: the same error of round-to-nearest. Below: the measured error over the predicted "
    "one; the prediction is met at the dashed line, and the proven bound is the black line at √3. A dot off the dashed line is a layer "
    "whose rounding errors are not uniform, as where many weights are much smaller than the step."
)


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `layers` of a results table: the runs with 4 bits, decreasing norm and the damping of GPTQ.

    Raises:
        NothingToDrawError: the table holds no such run.
    """
    runs = _ranked(guaranteed_runs(table, SWEEP))
    figure = new_figure(PAGE, 4.3)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.7, 1))
    names = " and ".join(CALIBRATIONS.get(name, name) for name in sorted(set(runs["calibration"])))
    above.set_title(f"{names}: linear layers from smallest to largest error")
    _errors(above, runs)
    _against_prediction(below, runs)
    below.set_xticks(runs["rank"], runs["name"], rotation=90, fontsize=7)
    below.set_xlim(-0.8, len(runs) - 0.2)
    _legend(figure, runs)
    return figure


def _ranked(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each layer by measured error, with errors relative to the signal."""
    runs = runs[np.logical_and.reduce([runs[column] == value for column, value in SHOWN.items()])]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has {', '.join(f'{name} {value}' for name, value in SHOWN.items())}")
    columns = {"measured": "damped_error", "bound": "damped_bound", "predicted": "damped_predicted", "nearest": "rtn_damped_error"}
    relative = {name: np.sqrt(runs[column] / runs["signal"]) for name, column in columns.items()}
    names, types = zip(*(_name_and_type(layer) for layer in runs["layer"]), strict=True)
    ranked = runs.assign(name=names, type=types, **relative).sort_values(["measured", "layer"])
    return ranked.assign(rank=range(len(ranked)))


def _name_and_type(layer: str) -> tuple[str, str]:
    """What stands below a layer, its block and its plain name, and its type; a layer of no known type keeps its own name.

    >>> _name_and_type("encoder.layer.3.attention.self.query"), _name_and_type("hidden2")
    (('3 query', 'query'), ('hidden2', ''))
    """
    block, _, part = layer.removeprefix(ENCODER).partition(".")
    return (f"{block} {ENCODER_LAYERS[part]}", ENCODER_LAYERS[part]) if part in ENCODER_LAYERS else (layer, "")


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
    figure.legend(handles, labels, loc="outside upper center", ncols=5, handlelength=1, columnspacing=1.6)
