"""How close OPTQ and Qronos come to the exact optimum at small N, and where their bounds lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiments.settings import in_words, ordered, split
from .looks import BLACK, GREY, METHODS, looks_among, methods
from .marks import bars_and_dots, dots, key, plain_log_ticks
from .panels import TITLE_WIDTH, about_blocks, broken, calibration_name, headline, panels_and_legend
from .runs import CELL, NothingToDrawError, conditions, dots_in_words, left_out, measured_in_words, once, rows_of
from .style import styled

SWEEP = "optimum"
SHOWS = ("mismatch", "algorithm", "form")
ALGORITHMS, MATCHED = ("optq", "qronos"), "none"
TICKS = (1, 1.2, 1.5, 2, 3, 5)
GUARANTEE, GUARANTEE_BAR = "optq-near-optimal", {"color": BLACK, "linestyle": (0, (1, 1)), "linewidth": 1.2}
MATCHED_SENTENCE = " Matched inputs: the error ‖X̂(W−Q)‖ of OPTQ, which Qronos equals there, and its bound (claim optq-l2)."
GUARANTEE_SENTENCE = f" Dotted: the classical guarantee of OPTQ relative to the optimum (claim {GUARANTEE})."
MISMATCHED_SENTENCE = (
    " Mismatched inputs: the error of the deployed layer, ‖X̂W−X̃̂Q‖, and the bound of each algorithm (claims optq-mismatch and qronos-l2)."
)
OPTIMUM = {"color": GREY, "linewidth": 1.0}


def caption(table: pd.DataFrame) -> str:
    """What stands below the figure, first what is shown, then how to read it."""
    runs = _relative(table)
    matched = runs["mismatch"] == MATCHED
    return (
        f"Damped error, a norm, relative to the exact optimum, the least that any grid points reach: {conditions(runs, SHOWS)}. The "
        "optimum, the grey line at 1, is that of a closest vector problem, solved exactly. Coloured dots: "
        f"{measured_in_words(runs)}. Black bars, each straight above its own dot: the proven bounds, likewise."
        + (MATCHED_SENTENCE if matched.any() else "")
        + (GUARANTEE_SENTENCE if runs["guarantee"].notna().any() else "")
        + (MISMATCHED_SENTENCE if not matched.all() else "")
        + left_out(table, runs, "those of OPTQ and Qronos with nearest rounding and a decided optimum, on matched inputs OPTQ's alone")
        + about_blocks(runs)
    )


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Draw the sweep `optimum` of a results table: one panel for matched inputs, one for each mismatch.

    Raises:
        NothingToDrawError: the table holds no run of it with the exact optimum of every neuron, not zero, and nearest rounding.
    """
    runs = _relative(table)
    panels = [(_title(mismatch, which), part[part["mismatch"] == mismatch])
              for which, part in split(runs, SHOWS) for mismatch in ordered("mismatch", part["mismatch"])]  # fmt: skip
    figure, all_axes, corner = panels_and_legend([title for title, _ in panels])
    headline(figure, runs, SHOWS)
    for axes, (_, group) in zip(all_axes, panels, strict=True):
        _panel(axes, group)
    all_axes[0].set_ylabel("damped error, relative\nto the exact optimum")
    _legend(corner, runs)
    return figure


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    """The runs with an exact optimum; errors, bounds and guarantees relative to it. On matched inputs Qronos is OPTQ, shown once."""
    rows = rows_of(table, SWEEP)
    rows = rows.assign(method=methods(rows))
    decided = (rows["optimum_decided"] == 1) & (rows["optimum_error"] > 0)
    covered = (rows["rounding"] == "nearest") & (rows["saturated_share"] == 0) & decided & rows["algorithm"].isin(ALGORITHMS)
    runs = once(rows[(rows["record"] == "run") & covered & ((rows["mismatch"] != MATCHED) | (rows["method"] == "optq"))])
    if runs.empty:
        raise NothingToDrawError(f"no run of the sweep {SWEEP!r} has an exact optimum and nearest rounding")
    matched = runs["mismatch"] == MATCHED
    guarantees = rows[(rows["claim"] == GUARANTEE) & (rows["mismatch"] == MATCHED)].drop_duplicates(CELL).set_index(CELL)["bound_sum"]
    squares = {
        "measured": runs["damped_error"].where(matched, runs["deployed_bounded"]),
        "bound": runs["damped_bound"].where(matched, runs["deployed_bound"]),
        "guarantee": runs.join(guarantees.rename("guarantee"), on=CELL)["guarantee"],
    }
    return runs.assign(**{name: np.sqrt(square / runs["optimum_error"]) for name, square in squares.items()})


def _title(mismatch: str, which: str) -> str:
    return "\n".join(broken(in_words("mismatch", mismatch), TITLE_WIDTH) + broken(which, TITLE_WIDTH))


def _panel(axes: Axes, group: pd.DataFrame) -> None:
    """Errors in one group for each matrix, the smallest matrix first."""
    axes.axhline(1, **OPTIMUM, zorder=1, gid="optimum")
    matrices = group.groupby(["features", "calibration", "layer"])
    group, guarantee = group.assign(matrix=matrices.ngroup()), matrices["guarantee"].mean()
    places = np.arange(len(guarantee))
    axes.hlines(guarantee, places - 0.3, places + 0.3, **GUARANTEE_BAR, zorder=3, gid="guarantee")
    bars_and_dots(axes, group, pd.Index(places, name="matrix"), looks_among(METHODS, group["method"]), width=0.7)
    _name(axes, places, list(guarantee.index))
    axes.set(yscale="log")
    plain_log_ticks(axes.yaxis, TICKS)


def _name(axes: Axes, places: np.ndarray, matrices: list[tuple[int, str, str]]) -> None:
    """Matrices of one family by their size alone, others by their name as well."""
    families = {calibration_name(calibration, layer) for _, calibration, layer in matrices}
    sizes = [f"{features:g}" for features, _, _ in matrices]
    if len(families) == 1 and len(set(sizes)) == len(sizes):
        axes.set_xticks(places, sizes)
        axes.set_xlabel(f"number of features $N$, {families.pop()}")
    else:
        axes.set_xticks(places, [f"{calibration_name(*matrix)}, {features:g}" for features, *matrix in matrices], rotation=90)
        axes.set_xlabel("matrix, number of features $N$")


def _legend(corner: Axes, runs: pd.DataFrame) -> None:
    entries = [(look.label, key(**dots(look))) for look in looks_among(METHODS, runs["method"]).values()]
    if runs["guarantee"].notna().any():
        entries += [("OPTQ's guarantee\nrelative to the optimum", key(**GUARANTEE_BAR))]
    labels, handles = zip(*entries, ("exact optimum", key(**OPTIMUM)), strict=True)
    title = f"black: proven bound\n{dots_in_words(runs)}"
    corner.legend(handles, labels, title=title, alignment="left", loc="center left")
