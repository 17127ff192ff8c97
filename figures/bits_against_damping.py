"""How many bits suffice, proven and probable, against how many were used, over the damping."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .looks import GREY, ROUNDINGS, Look, looks_among
from .marks import DAMPING, beside, dots, draw_bound, draw_measured, key
from .panels import about_blocks, by_panel, headline, panels_and_legend
from .runs import NothingToDrawError, conditions, left_out, likelihood, once, rows_of, with_share
from .style import styled

SWEEP = "bits"
SHOWS = ("damping", "rounding")
SIDESTEP = 0.2  # decades between the dots of the two roundings, which would else hide one another
SUFFICES = {"nearest": "sufficient_code", "stochastic": "likely_code"}
SUFFICIENT = {"nearest": "sufficient, proven:\nnearest rounding", "stochastic": "sufficient with probability\n{}: stochastic rounding"}
RTN = {"color": GREY, "linestyle": (0, (1, 1)), "linewidth": 1.2}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _runs(table)
    sentences = {
        "nearest": " Solid black line: proven to suffice for nearest rounding, whatever happens (claim optq-alphabet).",
        "stochastic": " Dashed black line: suffices for stochastic rounding, for each neuron with probability "
                      f"{likelihood(runs, 'likely_probability')} (claim sto-optq-alphabet).",
    }  # fmt: skip
    return (
        f"Bits that the largest code of a layer needs, against the damping λ: {conditions(runs, SHOWS)}. The largest code c needs the "
        "symmetric alphabet −2^(b−1) … 2^(b−1)−1 with b = 1 + log2(1 + c); a whole number of bits is the next tick above. λ is given as "
        "a multiple of the mean diagonal of XᵀX, live features only."
        + "".join(sentence for rounding, sentence in sentences.items() if (runs["rounding"] == rounding).any())
        + " Coloured dots: bits used by OPTQ on the infinite alphabet, largest over all neurons and repetitions, moved a little sideways "
        "so that both are seen. Grey dotted line: what round-to-nearest uses; with one step per neuron that is the number of bits which "
        "the steps were made for."
        + left_out(table, runs, "those of OPTQ on the infinite alphabet with λ > 0")
        + about_blocks(runs)
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `bits` of a results table.

    Raises:
        NothingToDrawError: the table holds no damped run of OPTQ on an infinite alphabet in it.
    """
    runs = _runs(table)
    looks = looks_among(ROUNDINGS, runs["rounding"])
    panels = by_panel(runs, SHOWS)
    figure, all_axes, corner = panels_and_legend([title for title, _ in panels])
    headline(figure, runs, SHOWS)
    for axes, (_, group) in zip(all_axes, panels, strict=True):
        _panel(axes, group, looks)
        axes.set(ylim=_whole_bits(runs))
    figure.supxlabel(DAMPING, fontsize=8)
    figure.supylabel(r"bits, $1+\log_2(1+\mathrm{largest\ code})$", fontsize=8)
    _legend(corner, looks, likelihood(runs, "likely_probability"))
    return figure


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    """The damped runs of OPTQ on infinite alphabets, their matrices not refused."""
    rows = rows_of(table, SWEEP)
    free = (rows["record"] == "run") & (rows["algorithm"] == "optq") & (rows["alphabet"] == "infinite")
    runs = rows[free & (rows["signal"] > 0)]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} is one of OPTQ on an infinite alphabet")
    return once(with_share(runs))


def _bits(codes: pd.Series) -> np.ndarray:
    return 1 + np.log2(1 + codes.to_numpy())


def _whole_bits(runs: pd.DataFrame) -> tuple[float, float]:
    """From the whole number of bits below everything shown to the one above."""
    codes = runs[["largest_weight_code", "largest_code", *SUFFICES.values()]].to_numpy()
    shown = _bits(pd.Series(codes.ravel()).dropna())
    return np.floor(shown.min()) - 0.2, np.ceil(shown.max()) + 0.2


def _panel(axes: Axes, group: pd.DataFrame, looks: dict[str, Look]) -> None:
    axes.axhline(_bits(group["largest_weight_code"]).max(), **RTN, zorder=1, gid="round-to-nearest")
    for place, (rounding, look) in enumerate(looks.items()):
        runs = group[group["rounding"] == rounding].groupby("damping")
        largest = runs[["largest_code", SUFFICES[rounding]]].max().assign(share=runs["share"].mean()).sort_values("share")
        x = largest["share"].to_numpy()
        draw_bound(axes, x, _bits(largest[SUFFICES[rounding]]), look.line)
        draw_measured(axes, beside(x, place, len(looks), SIDESTEP), _bits(largest["largest_code"]), look)
    axes.set(xscale="log")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.grid(True, color=GREY, alpha=0.35, linewidth=0.4)


def _legend(corner: Axes, looks: dict[str, Look], likely: str) -> None:
    entries = [(SUFFICIENT[name].format(likely), key(linestyle=look.line)) for name, look in looks.items()]
    entries += [(f"used, {look.label}", key(**dots(look))) for look in looks.values()]
    entries += [("used, round-to-nearest", key(**RTN))]
    labels, handles = zip(*entries, strict=True)
    corner.legend(handles, labels, loc="center left")
