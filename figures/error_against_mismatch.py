"""The error of the deployed layer against the mismatch of its inputs: OPTQ, both forms of Qronos and GPFQ, with their bounds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import (
    GREY,
    METHODS,
    Look,
    NothingToDrawError,
    bars_and_dots,
    bounds_and_dots_legend,
    by_calibration,
    dots_in_words,
    draw_bound,
    draw_measured,
    key,
    looks_among,
    methods,
    panels_and_legend,
    plain_log_ticks,
    rows_of,
    styled,
    tag,
)

SWEEP = "mismatch"
NOISE, LAYERS, DEPLOYED = "noise:", "layers:", "deployed"
DOT_SIZES = (5.6, 4.4, 3.4, 2.4)  # points; all dots stand at the true mismatch, the later ones upon the earlier
MARGIN = 0.8  # of the smallest error that is shown; the grey mismatch may leave the panel below
MISMATCH = {"color": GREY, "linewidth": 1.8, "alpha": 0.6}
CAPTION = (
    "Error of the deployed layer, sqrt(‖XW−X̃Q‖² + λ‖W−Q‖²) relative to ‖XW‖ (GPFQ knows no damping: the undamped ‖XW−X̃Q‖). X are the "
    "original inputs, X̃ those after the layers before were quantized. Coloured dots: measured, mean over runs; coloured bars: smallest to "
    "largest run. Black: the proven bound of each algorithm (claims optq-mismatch, qronos-l2, gpfq-mismatch), mean over runs, to be "
    "compared with its own dots only. Grey: the mismatch ‖(X−X̃)W‖/‖XW‖ itself, which the bound of OPTQ contains in full, the bound of "
    "Qronos only as far as no weights explain it; where it is not seen it lies below the panel. Panels over the mismatch: X̃ is X plus "
    "noise of growing size; dots of several algorithms at one place are drawn one upon the other, OPTQ's the largest. Panels over "
    "settings: real mismatch, one group for each setting of the layers before, by growing mismatch; W4A8 says 4-bit weights and 8-bit "
    "activations, W4 that only weights are rounded, deployed that the study's own file gives X̃."
)


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `mismatch` of a results table.

    Raises:
        NothingToDrawError: the table holds no run of it, with noise, quantized layers or deployed inputs, that a bound covers.
    """
    runs = _relative(table)
    looks = looks_among(METHODS, runs["method"])
    panels = [(draw_panel, title, group)
              for start, draw_panel in ((NOISE, _noise), ((LAYERS, DEPLOYED), _layers))
              for title, group in by_calibration(runs[runs["mismatch"].str.startswith(start)])]  # fmt: skip
    figure, all_axes, corner = panels_and_legend(len(panels))
    for axes, (draw_panel, title, group) in zip(all_axes, panels, strict=True):
        draw_panel(axes, group, looks_among(looks, group["method"]))
        axes.set(yscale="log", title=title, ylim=(MARGIN * group["measured"].min(), None))
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
    return runs.assign(method=methods(runs), **{name: np.sqrt(runs[column] / runs["original_signal"]) for name, column in columns.items()})


def _noise(axes: Axes, group: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Errors over the size of the mismatch."""
    whole = np.sort(group["size"].unique())
    axes.plot(whole, whole, **MISMATCH, zorder=1, gid="mismatch")
    for place, (method, look) in enumerate(looks.items()):
        columns = group[group["method"] == method].groupby("mismatch")[["size", "measured", "bound"]]
        sizes = columns.agg(["mean", "min", "max"]).sort_values(("size", "mean"))
        x, measured = sizes["size", "mean"].to_numpy(), sizes["measured"]
        ends = (measured["min"].to_numpy(), measured["max"].to_numpy())
        draw_bound(axes, x, sizes["bound", "mean"].to_numpy(), look.line, **tag(look), markevery=[min(place, len(x) - 1)])
        draw_measured(axes, x, measured["mean"].to_numpy(), look, ends, markersize=DOT_SIZES[place])
    axes.set(xscale="log", xlabel=r"mismatch $\|(X-\tilde X)W\|_F\,/\,\|XW\|_F$")


def _layers(axes: Axes, group: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Errors in one group for each setting of the layers before."""
    size = group.groupby("mismatch")["size"].mean().sort_values()
    places = np.arange(len(size))
    axes.hlines(size, places - 0.45, places + 0.45, **MISMATCH, zorder=1, gid="mismatch")
    bars_and_dots(axes, group, size.index, looks)
    axes.set_xticks(places, [_setting(name) for name in size.index], rotation=90)
    axes.set_xlabel("setting of the layers before")


def _setting(mismatch: str) -> str:
    """W and A with the bits of weights and activations: `layers:4:8` is W4A8; deployed inputs of a file have no bits."""
    if mismatch == DEPLOYED:
        return DEPLOYED
    return "".join(letter + bits for letter, bits in zip("WA", mismatch.removeprefix(LAYERS).split(":"), strict=False))


def _legend(corner: Axes, runs: pd.DataFrame) -> None:
    title = f"black: proven bound\n{dots_in_words(runs, ['calibration', 'layer', 'mismatch', 'method'])}"
    bounds_and_dots_legend(corner, looks_among(METHODS, runs["method"]), {"the mismatch itself": key(**MISMATCH)}, title)
