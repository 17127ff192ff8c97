"""Do the bounds hold, and how far below them is the error?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...bounds import Outcome
from .table import TYPICAL_DAMPING, norm_ratio, runs, verdicts
from .words import NOTHING, Section, count, markdown_table, number, paragraphs, percent, span


def errors(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "damping")
    made = made[(made["rounding"] == "nearest") & (made["alphabet"] == "infinite")]
    if made.empty:
        return NOTHING
    decided = verdicts(rows)
    decided = decided[decided["outcome"] != Outcome.NOT_APPLICABLE.value]
    violated = int((decided["outcome"] == Outcome.VIOLATED.value).sum())
    ratio = norm_ratio(made["damped_error"], made["damped_bound"])
    matrices = count(made["calibration"].nunique(), "matrix", "matrices")
    told = f"{count(violated, 'violation')} in {count(len(decided), 'verdict')}"
    verdict = "**The bounds hold**" if not violated else f"**A statement is violated** ({_violated(decided)})"
    answer = (f"{verdict}: {told}. Over λ and orderings OPTQ's damped "
              f"error is {span(ratio)} of its bound on {matrices}; uniform rounding errors give 0.577.")
    text = paragraphs(
        f"""The 2-norm bound of OPTQ (`optq-l2`) is worst case over the weights and cannot be improved for any calibration matrix
(`optq-l2-tight`). Real weights are not adversarial: rounding errors look uniform on a step, which puts error / bound at
$1/\\sqrt3 = 0.577$. Over {count(len(made), 'run')} on {matrices} the ratio was {span(ratio)}: **the bound
overestimates the error by a factor of {number(1 / ratio.median())} in the median**.""",
        _table(made[(made["damping"] == TYPICAL_DAMPING) & (made["ordering"] == "decreasing-norm")]),
        """Where it stops: the theory bounds the *damped* error, so it says less where the ridge takes a large share of it.""",
        show("error_against_damping"),
    )
    return Section("Do the bounds hold, and how far below is the error?", answer, text)


def _violated(decided: pd.DataFrame) -> str:
    """Which claims were violated, and where first."""
    found = decided[decided["outcome"] == Outcome.VIOLATED.value].drop_duplicates("claim")
    return "; ".join(f"`{row.claim}` in {row.sweep}, {row.calibration}, {row.ordering}, {row.damping}" for row in found.itertuples())


def _table(typical: pd.DataFrame) -> str:
    lines = []
    for calibration, group in typical.groupby("calibration"):
        relative = norm_ratio(group["damped_error"], group["signal"]).mean()
        bound = norm_ratio(group["damped_bound"], group["signal"]).mean()
        ridge = (group["ridge"] / group["damped_error"]).mean()
        against_rtn = np.sqrt(group["rtn_reconstruction"] / group["reconstruction"]).mean()
        lines.append([calibration, number(relative), number(bound), number(relative / bound), percent(ridge), number(against_rtn)])
    header = ["calibration", "relative damped error", "its bound", "error / bound", "share of the ridge", "RTN error / OPTQ error"]
    if not lines:
        return ""
    return paragraphs("With damping 0.01 of the mean diagonal, 4-bit steps, infinite alphabet, decreasing norm, mean over repetitions:",
                      markdown_table(header, lines))
