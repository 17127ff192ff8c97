"""The error of the deployed layer against the mismatch of its inputs: OPTQ, both forms of Qronos and GPFQ, with their bounds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .looks import BLACK, GREY, METHODS, Look, looks_among, methods
from .marks import bars_and_dots, dots, key, plain_log_ticks
from .panels import about_blocks, by_panel, headline, panels_and_legend
from .runs import NothingToDrawError, conditions, dots_in_words, left_out, measured_in_words, once, rows_of
from .style import styled

SWEEP = "mismatch"
SHOWS = ("mismatch", "algorithm", "form")
NOISE, LAYERS, DEPLOYED = "noise:", "layers:", "deployed"
KINDS = {  # which mismatches stand in one panel, and what their ticks say
    (NOISE,): "noise in percent of\neach feature's size",
    (LAYERS, DEPLOYED): "setting of the layers before",
}
SENTENCES = {  # of the caption, where it occurs
    NOISE: " Noise: X̃ is X plus independent noise, in percent of each feature's root mean square.",
    LAYERS: " Settings: the layers before are quantized, W and A with the bits of their weights and, where they are rounded too, of "
            "their activations.",
    DEPLOYED: " Deployed: the study's own file gives X̃.",
}  # fmt: skip
MARGIN = 0.8  # of the smallest error that is shown; the grey mismatch may leave the panel below
MISMATCH = {"color": GREY, "linewidth": 1.8, "alpha": 0.6}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _relative(table)
    return (
        "Error of the deployed layer relative to ‖XW‖ against the mismatch of its inputs, and the proven bound of each algorithm: "
        f"{conditions(runs, SHOWS)}. The error is sqrt(‖XW−X̃Q‖² + λ‖W−Q‖²), of GPFQ, which knows no damping, ‖XW−X̃Q‖; X are the "
        f"original inputs, X̃ those of the deployed layer. Coloured dots: {measured_in_words(runs)}. Black bars, each straight above its "
        "own dot: the proven bound of the algorithm (claims optq-mismatch, qronos-l2, gpfq-mismatch), likewise. Grey bars: the mismatch "
        "‖(X−X̃)W‖/‖XW‖ itself, which the bound of OPTQ contains in full, the bound of Qronos only as far as no weights explain it; where "
        "it is not seen it lies below the panel. One group for each mismatch, by growing size."
        + "".join(sentence for start, sentence in SENTENCES.items() if runs["mismatch"].str.startswith(start).any())
        + left_out(table, runs, "those with mismatched inputs that a bound covers (nearest rounding, no saturated step)")
        + about_blocks(runs)
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `mismatch` of a results table.

    Raises:
        NothingToDrawError: the table holds no run of it, with noise, quantized layers or deployed inputs, that a bound covers.
    """
    runs = _relative(table)
    looks = looks_among(METHODS, runs["method"])
    panels = [(ticks, title, of_kind)
              for starts, ticks in KINDS.items()
              for title, group in by_panel(runs, SHOWS)
              if len(of_kind := group[group["mismatch"].str.startswith(starts)])]  # fmt: skip
    figure, all_axes, corner = panels_and_legend([title for _, title, _ in panels])
    headline(figure, runs, SHOWS)
    for axes, (ticks, _, group) in zip(all_axes, panels, strict=True):
        _panel(axes, group, looks_among(looks, group["method"]))
        axes.set(yscale="log", xlabel=ticks, ylim=(MARGIN * group["measured"].min(), None))
        plain_log_ticks(axes.yaxis, (1, 2, 5))
    figure.supylabel("error of the deployed layer, relative to $\\|XW\\|_F$", fontsize=8)
    _legend(corner, runs)
    return figure


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    """The runs that a bound on the deployed error covers, with errors, bounds and mismatch relative to the original signal."""
    rows = rows_of(table, SWEEP)
    covered = (rows["record"] == "run") & (rows["rounding"] == "nearest") & (rows["saturated_share"] == 0) & rows["deployed_bound"].notna()
    runs = rows[covered & (rows["original_signal"] > 0) & rows["mismatch"].str.startswith((NOISE, LAYERS, DEPLOYED))]
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has a bound on the deployed error")
    columns = {"measured": "deployed_bounded", "bound": "deployed_bound", "size": "mismatch_error"}
    runs = once(runs)
    return runs.assign(method=methods(runs), **{name: np.sqrt(runs[column] / runs["original_signal"]) for name, column in columns.items()})


def _panel(axes: Axes, group: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Errors in one group for each mismatch."""
    size = group.groupby("mismatch")["size"].mean().sort_values()
    places = np.arange(len(size))
    axes.hlines(size, places - 0.45, places + 0.45, **MISMATCH, zorder=1, gid="mismatch")
    bars_and_dots(axes, group, size.index, looks)
    axes.set_xticks(places, [_setting(name) for name in size.index], rotation=90)


def _setting(mismatch: str) -> str:
    """The percent of noise; or W and A with the bits of weights and activations; deployed inputs of a file have no bits.

    >>> _setting("noise:0.003"), _setting("layers:4:8"), _setting("layers:3"), _setting("deployed")
    ('0.3', 'W4A8', 'W3', 'deployed')
    """
    kind, *sizes = mismatch.split(":")
    if kind == "noise":
        return f"{100 * float(sizes[0]):g}"
    return "".join(letter + bits for letter, bits in zip("WA", sizes, strict=False)) if sizes else kind


def _legend(corner: Axes, runs: pd.DataFrame) -> None:
    entries = [(look.label, key(**dots(look))) for look in looks_among(METHODS, runs["method"]).values()]
    entries += [("proven bound of the dot below", key(color=BLACK)), ("the mismatch itself", key(**MISMATCH))]
    labels, handles = zip(*entries, strict=True)
    corner.legend(handles, labels, title=dots_in_words(runs), alignment="left", loc="center left")
