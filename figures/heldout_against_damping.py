"""Held-out error of OPTQ against the damping: its closed-form prediction, where the named damping rules lie, and what they lose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, NullFormatter

from ..experiments.settings import PLACES, in_words, split
from .looks import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, Look
from .marks import DAMPING, dots, draw_measured, key, plain_log_ticks
from .panels import PANEL_HEIGHT, about_blocks, broken, by_panel, headline, new_figure, title_height
from .runs import CELL, NothingToDrawError, conditions, guaranteed_runs, left_out
from .style import PAGE, styled

SWEEP = "heldout"
SHOWS = ("damping",)
COLUMNS = 3
STRIP_HEIGHT, STRIP_WIDTH = 1.8, 80  # inches; characters above a strip
CURVE = [column for column in CELL if column != "damping"]  # one layer, measured over many dampings
PREDICTED = "predicted"
RULES = {
    "mean-diagonal:1e-2": Look("GPTQ: $10^{-2}$ of the mean\ndiagonal (live features)", VERMILION, "v", "-"),
    "mean-diagonal-all:1e-2": Look("GPTQ: $10^{-2}$ of the mean\ndiagonal (dead features as 1)", VERMILION, "<", "-"),
    "spectral:1e-6": Look(r"Qronos, weights only: $10^{-6}\,\sigma_{\max}^2$", PURPLE, "^", "-"),
    "spectral:1e-3": Look(r"Qronos, 4-bit inputs: $10^{-3}\,\sigma_{\max}^2$", ORANGE, "s", "-"),
    "george-saab": Look("George and Saab", GREEN, "D", "-"),
    PREDICTED: Look("minimizer of the prediction", SKY, "o", "-"),
}
MEASURED = Look("measured (the named rules: large marks, as below)", BLUE, "o", (0, (4, 2)))
RTN = {"color": GREY, "linewidth": 1.4}
UNDAMPED = " Runs without damping have no place on the logarithmic axis; they count among the dampings tried."
PREDICTION = {"color": BLUE, "linestyle": MEASURED.line, "linewidth": 0.9}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _relative(table)
    return (
        f"Held-out error relative to ‖X'W‖ against the damping λ: {conditions(runs, SHOWS)}. The error is ‖X'(W−Q)‖ on inputs X' that "
        "calibration does not see. λ is given as a multiple of the mean diagonal of XᵀX, live features only. Dots: measured, one run "
        "for each damping; large marks: the named damping rules, each marked as beside its name below. Dashed line: the closed-form "
        "prediction from the second moments of X', made without running OPTQ (claim predicted-heldout-error), no theorem. Grey line: "
        f"round-to-nearest.{_choice(runs)} Below: regret, the held-out error that a rule gives over the least of any damping tried, one "
        "mark for each layer and a bar at the median. The minimizer of the prediction is chosen among the dampings tried, for the same "
        "X'."
        + (UNDAMPED if (runs["share"] == 0).any() else "")
        + left_out(table, runs, "those with held-out inputs that the bound covers (OPTQ, nearest rounding, no saturated step)")
        + about_blocks(runs)
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `heldout` of a results table.

    Raises:
        NothingToDrawError: the table holds no run of it with held-out inputs.
    """
    runs = _relative(table)
    panels, strips = by_panel(runs, SHOWS, matrices=_typical_and_worst(runs)), split(runs, SHOWS)
    heights = (PANEL_HEIGHT + title_height([title for title, _ in panels])) * -(-len(panels) // COLUMNS) + 0.4, STRIP_HEIGHT * len(strips)
    figure = new_figure(PAGE, sum(heights) + 0.2)
    headline(figure, runs, SHOWS)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    _panels(above, panels)
    for axes, (which, part) in zip(below.subplots(len(strips), 1, squeeze=False)[:, 0], strips, strict=True):
        _regrets(axes, which, part)
        axes.set_xlim(_limits(runs))
    return figure


def _panels(figure: SubFigure, panels: list[tuple[str, pd.DataFrame]]) -> None:
    cells = figure.subplots(-(-len(panels) // COLUMNS), COLUMNS, squeeze=False).ravel()
    for axes, (title, group) in zip(cells, panels, strict=False):
        _panel(axes, title, group)
    for unused in cells[len(panels) :]:
        unused.set_axis_off()
    figure.supxlabel(DAMPING, fontsize=8)
    figure.supylabel(r"held-out error $\|X'(W-Q)\|_F\,/\,\|X'W\|_F$", fontsize=8)
    _legend(figure)


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    """The runs with held-out inputs: errors relative to the signal, the regret of each, and the rule that named its damping, if any."""
    runs = guaranteed_runs(table, SWEEP)
    runs = runs[runs.reindex(columns=["heldout_signal"])["heldout_signal"] > 0]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has held-out inputs")
    columns = {"measured": "heldout_error", "predicted": "heldout_predicted", "nearest": "heldout_rtn_error"}
    relative = {name: np.sqrt(runs[column] / runs["heldout_signal"]) for name, column in columns.items()}
    named = {in_words("damping", rule): rule for rule in RULES}
    rules = runs["damping"].map(lambda damping: named.get(in_words("damping", damping), ""))
    runs = runs.assign(share=runs["absolute_damping"] / runs["mean_diagonal"], rule=rules, **relative)
    return runs.assign(regret=runs["measured"] / runs.groupby(CURVE)["measured"].transform("min")).sort_values([*CURVE, "share"])


def _judge(runs: pd.DataFrame) -> str:
    """The rule by whose regret layers are picked: the first that was run; empty where none was."""
    return next((rule for rule in RULES if len(_chosen(runs, rule))), "")


def _typical_and_worst(runs: pd.DataFrame) -> set[tuple[str, str]]:
    """The layers of each calibration with the median and with the largest regret of one rule; of a single layer, that layer."""
    judged = _chosen(runs, _judge(runs))
    regrets = judged.groupby(list(PLACES))["regret"].max().reindex(pd.MultiIndex.from_frame(runs[list(PLACES)].drop_duplicates()))
    regrets = regrets.sort_values(kind="stable")
    place, count = regrets.groupby("calibration").cumcount(), regrets.groupby("calibration").transform("size")
    return set(regrets.index[(place == (count - 1) // 2) | (place == count - 1)])


def _choice(runs: pd.DataFrame) -> str:
    """The sentence on which layers are shown; empty where all are."""
    if len(_typical_and_worst(runs)) == len(runs[list(PLACES)].drop_duplicates()):
        return ""
    name = RULES[_judge(runs)].label.replace("\n", " ").replace("$10^{-2}$", "0.01") if _judge(runs) else "any damping"
    return f" Of a network with many layers two are shown, those with the median and with the largest regret of one rule ({name})."


def _chosen(runs: pd.DataFrame, rule: str) -> pd.DataFrame:
    """The run of each curve whose damping a rule of RULES chooses; all runs where there is no rule."""
    if rule == PREDICTED:
        predicted = runs[runs["predicted"].notna()]
        return predicted.loc[predicted.groupby(CURVE)["predicted"].idxmin()]
    return runs[runs["rule"] == rule] if rule else runs


def _panel(axes: Axes, title: str, group: pd.DataFrame) -> None:
    for _, curve in group.groupby(CURVE):
        axes.axhline(curve["nearest"].iloc[0], **RTN, zorder=1, gid="round-to-nearest")
        axes.plot(curve["share"], curve["predicted"], **PREDICTION, zorder=2, gid="prediction")
        draw_measured(axes, curve["share"].to_numpy(), curve["measured"].to_numpy(), MEASURED, markersize=2.6)
    for rule in RULES:
        chosen = _chosen(group, rule)
        axes.plot(chosen["share"], chosen["measured"], **_mark(rule), zorder=5, gid=rule)
    axes.set(xscale="log", yscale="log", title=title)
    plain_log_ticks(axes.yaxis, (1, 1.5, 2, 3, 5, 7))
    low, high = axes.get_xlim()
    if high > 100 * low:
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        plain_log_ticks(axes.xaxis, (1,))


def _mark(rule: str, size: float = 6) -> dict[str, Any]:
    """The mark of a rule; the minimizer of the prediction is a ring, for it often meets another rule."""
    ring = {"markersize": 1.25 * size, "markerfacecolor": "none", "markeredgecolor": RULES[rule].colour, "markeredgewidth": 1.2}
    filled = {"markersize": size, "markeredgecolor": "white", "markeredgewidth": 0.4}
    return dots(RULES[rule]) | (ring if rule == PREDICTED else filled)


def _regrets(axes: Axes, which: str, runs: pd.DataFrame) -> None:
    """One strip of dots for each rule that occurs, named beside it with its mark; a bar at the median."""
    strips = {rule: np.sort(_chosen(runs, rule)["regret"]) for rule in RULES}
    strips = {rule: regrets for rule, regrets in strips.items() if len(regrets)}
    for row, (rule, regrets) in enumerate(strips.items()):
        axes.plot(-0.02, row, **_mark(rule), transform=axes.get_yaxis_transform(), clip_on=False)
        axes.plot(regrets, row + _beside(len(regrets)), **_mark(rule, 3.6), zorder=3, gid=rule)
        axes.vlines(np.median(regrets), row - 0.42, row + 0.42, color=RULES[rule].colour, linewidth=1.5, zorder=4, gid="median")
    axes.axvline(1, color=GREY, linewidth=0.8, zorder=1)
    axes.set_yticks(range(len(strips)), [RULES[rule].label for rule in strips])
    axes.tick_params(axis="y", length=0, pad=12)
    axes.set_ylim(len(strips) - 0.4, -0.6)
    axes.set(xscale="log", xlabel="regret: held-out error over the least of all dampings tried")
    each = "layer and repetition" if runs["seed"].nunique() > 1 else "layer"
    axes.set_title("\n".join([*broken(which, STRIP_WIDTH), f"one mark for each {each} ({runs.groupby(CURVE).ngroups}), bar: median"]))
    plain_log_ticks(axes.xaxis, (1, 1.2, 1.5, 2, 3, 5))


def _limits(runs: pd.DataFrame) -> tuple[float, float]:
    """Of the axes of regrets: from 1 to the largest mark, with room for ticks where all are close to 1."""
    largest = max([1.02, *(regret for rule in RULES for regret in _chosen(runs, rule)["regret"])])
    return largest**-0.05, largest**1.05


def _beside(count: int) -> np.ndarray:
    """Heights that keep neighbouring dots of a strip apart."""
    return 0.16 * (np.arange(count) % 5 - (min(count, 5) - 1) / 2)


def _legend(figure: SubFigure) -> None:
    entries = [(MEASURED.label, key(**dots(MEASURED))), ("prediction (no theorem)", key(**PREDICTION)), ("round-to-nearest", key(**RTN))]
    labels, handles = zip(*entries, strict=True)
    figure.legend(handles, labels, loc="outside upper center", ncols=3, handlelength=1.8)
