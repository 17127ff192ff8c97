"""How many bits suffice, proven and probable, against how many were used, over the damping."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import (
    GREY,
    ROUNDINGS,
    Look,
    NothingToDrawError,
    by_calibration,
    dots,
    draw_bound,
    draw_measured,
    key,
    looks_among,
    panels_and_legend,
    rows_of,
    styled,
)

SWEEP = "bits"
RULE = "mean-diagonal:"
SIDESTEP = 0.2  # decades between the dots of the two roundings, which would else hide one another
SUFFICES = {"nearest": "sufficient_code", "stochastic": "likely_code"}
PROVEN = {"nearest": "sufficient, proven:\nnearest rounding", "stochastic": "sufficient with probability\n$1-p$: stochastic rounding"}
RTN = {"color": GREY, "linestyle": (0, (1, 1)), "linewidth": 1.2}
CAPTION = (
    "Bits that the largest code of a layer needs, against the damping λ. The largest code c needs the symmetric alphabet "
    "−2^(b−1) … 2^(b−1)−1 with b = 1 + log2(1 + c); a whole number of bits is the next tick above. λ is a share of the mean diagonal of "
    "XᵀX. Solid black line: proven to suffice "
    "for nearest rounding, whatever happens (claim optq-alphabet). Dashed black line: suffices for stochastic rounding, for each neuron "
    "with probability 1−p (claim sto-optq-alphabet), p = 0.05 unless the study sets another. Coloured dots: bits used by OPTQ on the "
    "infinite alphabet, largest over all neurons and runs, moved a little sideways so that both are seen. Grey dotted line: what "
    "round-to-nearest uses, the number of bits that the steps were made for."
)


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `bits` of a results table.

    Raises:
        NothingToDrawError: the table holds no run of it with a damping relative to the mean diagonal.
    """
    runs = _runs(table)
    looks = looks_among(ROUNDINGS, runs["rounding"])
    panels = by_calibration(runs)
    figure, all_axes, corner = panels_and_legend(len(panels))
    for axes, (title, group) in zip(all_axes, panels, strict=True):
        _panel(axes, group, looks)
        axes.set(title=title, ylim=_whole_bits(runs))
    figure.supxlabel(r"damping $\lambda$ relative to the mean diagonal of $X^\top X$", fontsize=8)
    figure.supylabel(r"bits, $1+\log_2(1+\mathrm{largest\ code})$", fontsize=8)
    _legend(corner, looks)
    return figure


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    """The runs on infinite alphabets whose damping is a share of the mean diagonal, their matrices not refused."""
    rows = rows_of(table, SWEEP)
    runs = rows[(rows["record"] == "run") & (rows["alphabet"] == "infinite") & rows["damping"].str.startswith(RULE) & (rows["signal"] > 0)]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has an infinite alphabet and a damping {RULE}…")
    return runs.assign(share=runs["damping"].str.removeprefix(RULE).astype(float))


def _bits(codes: pd.Series) -> np.ndarray:
    return 1 + np.log2(1 + codes.to_numpy())


def _whole_bits(runs: pd.DataFrame) -> tuple[float, float]:
    """From the whole number of bits below everything shown to the one above."""
    shown = _bits(runs[["largest_weight_code", "largest_code", *SUFFICES.values()]].stack().dropna())
    return np.floor(shown.min()) - 0.2, np.ceil(shown.max()) + 0.2


def _panel(axes: Axes, group: pd.DataFrame, looks: dict[str, Look]) -> None:
    axes.axhline(_bits(group["largest_weight_code"]).max(), **RTN, zorder=1, gid="round-to-nearest")
    for place, (rounding, look) in enumerate(looks.items()):
        largest = group[group["rounding"] == rounding].groupby("share")[["largest_code", SUFFICES[rounding]]].max()
        x = largest.index.to_numpy()
        beside = x * 10 ** (SIDESTEP * (place - (len(looks) - 1) / 2))
        draw_bound(axes, x, _bits(largest[SUFFICES[rounding]]), look.line)
        draw_measured(axes, beside, _bits(largest["largest_code"]), look)
    axes.set(xscale="log")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.grid(True, color=GREY, alpha=0.35, linewidth=0.4)


def _legend(corner: Axes, looks: dict[str, Look]) -> None:
    entries = [(PROVEN[name], key(linestyle=look.line)) for name, look in looks.items()]
    entries += [(f"used, {look.label}", key(**dots(look))) for look in looks.values()]
    entries += [("used, round-to-nearest", key(**RTN))]
    labels, handles = zip(*entries, strict=True)
    corner.legend(handles, labels, loc="center left")
