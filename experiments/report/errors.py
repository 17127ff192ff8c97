"""Do the bounds hold, and how far below them is the error?"""

from __future__ import annotations

import pandas as pd

from ...bounds import Outcome
from ..settings import mean_over_repetitions
from .table import LAYER, by_matrix, by_setting, covered_runs, matrices, norm_ratio, runs, source, usual, verdicts
from .words import Section, code, count, markdown_table, no_sweep, number, paragraphs, plain, setting_words, span

TITLE = "Do the bounds hold, and how far below is the error?"
COLUMNS = {"error": ("damped_error", "signal"), "bound": ("damped_bound", "signal"), "of_bound": ("damped_error", "damped_bound"),
           "undamped": ("reconstruction", "signal"), "rtn": ("rtn_damped_error", "signal"),
           "against_rtn": ("rtn_damped_error", "damped_error")}  # fmt: skip
HEADER = ["calibration", "damped error", "its bound", "error / bound", "undamped part", "RTN's damped error", "RTN / OPTQ"]


def errors(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = covered_runs(rows, "damping")
    left_out = len(runs(rows, "damping")) - len(made)
    if made.empty:
        return _nothing_covered(left_out)
    ratio = norm_ratio(made["damped_error"], made["damped_bound"])
    where = source(made, runs(rows, "damping"))
    answer = (f"{_verdict(rows)}: OPTQ's damped error is {span(ratio)} of its bound, as norms, on {matrices(made)} ({where}); uniform "
              "rounding errors give 0.577.")
    text = paragraphs(
        f"""The 2-norm bound of OPTQ (`optq-l2`) is worst case over the weights and cannot be improved for any calibration matrix
(`optq-l2-tight`). Real weights are not adversarial: rounding errors look uniform on a step, which puts error / bound, as norms, at
$1/\\sqrt3 = 0.577$. Over {count(len(made), "run")} ({where}) the ratio was {span(ratio)}: **the bound
overestimates the error by a factor of {span(1 / ratio)}**.{_without(left_out)}""",
        by_setting(usual(made, "damping", "ordering"), _table),
        """Where it stops: the theory bounds the *damped* error, so it says less of the undamped part where the two are far apart.""",
        show("error_against_damping"),
    )
    return Section(TITLE, answer, text)


def _nothing_covered(left_out: int) -> Section:
    if not left_out:
        return no_sweep(TITLE, "damping")
    return Section(TITLE, why=f"`optq-l2` covers none of the {count(left_out, 'run')} of the sweep `damping` (nearest-rounding OPTQ, "
                              "nothing saturated, inputs and bound above zero)")


def _without(left_out: int) -> str:
    if not left_out:
        return ""
    return (f" Left out: {count(left_out, 'run')} that `optq-l2` does not cover (stochastic rounding, saturation, other algorithms, zero "
            "inputs).")


def _verdict(rows: pd.DataFrame) -> str:
    decided = verdicts(rows)
    theorems = decided[~decided["prediction"]]
    violated = theorems[theorems["outcome"] == Outcome.VIOLATED.value].drop_duplicates("claim")
    if theorems.empty:
        return "**Errors and bounds** (no claim was checked)"
    if len(violated):
        found = "; ".join(f"{code(row.claim)} in {plain(f'{row.sweep}, {row.calibration}, {row.ordering}, {row.damping}')}"
                          for row in violated.itertuples())
        return f"**A statement is violated** ({found})"
    holds, undecided = (theorems["outcome"] == outcome.value for outcome in (Outcome.HOLDS, Outcome.UNDECIDED))
    partly = holds & theorems["partly"]
    said = [f"{int(which.sum()):,} {words}" for which, words in ((undecided, "undecided"), (partly, "for a part of the neurons"))
            if which.any()]
    first = "The bounds hold" if holds.any() else "Nothing is decided"
    return f"**{first}** ({count(len(theorems), 'verdict')} on theorems, {', '.join(['0 violations', *said])})"


def _table(part: pd.DataFrame) -> str:
    ratios = {name: norm_ratio(part[over], part[under]) for name, (over, under) in COLUMNS.items()}
    means = mean_over_repetitions(part.assign(**ratios), LAYER, list(ratios))
    lines = [[name, *map(number, row)] for name, row in by_matrix(means)]
    return paragraphs(f"Norms relative to $\\Vert XW\\Vert_F$, and ratios of norms; {setting_words(part, averaged=True)}:",
                      markdown_table(HEADER, lines))
