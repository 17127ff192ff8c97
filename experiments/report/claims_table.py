"""Every claim: statement, origin, where it was tested, how close the measurements came, with which outcome."""

from __future__ import annotations

import pandas as pd

from ...bounds import Kind, Outcome
from ..cells.replay import SWEEP
from ..own_claims import claims_of
from .table import verdicts
from .words import count, markdown_table, number

HEADER = ["claim", "statement", "origin", "tested on", "worst", "outcome"]


def claims_table(rows: pd.DataFrame, made: dict) -> str:
    """The section."""
    lines = []
    for claim in claims_of(made):
        mine = verdicts(rows)
        mine = mine[(mine["claim"] == claim.id) & (mine["sweep"] != SWEEP)]
        applied = mine[mine["outcome"] != Outcome.NOT_APPLICABLE.value]
        if applied.empty:
            continue
        counts = applied["outcome"].value_counts()
        outcome = ", ".join(f"{counts[o.value]} {o.value}" for o in Outcome if o.value in counts)
        matrices = len(applied[["calibration", "layer"]].drop_duplicates())
        statement = claim.statement.replace(r"\|", r"\Vert ").replace("|", r"\vert ")  # a bare bar would end the table cell
        tested = count(matrices, "matrix", "matrices")
        lines.append([f"`{claim.id}`", statement, claim.origin.value, tested, _worst(claim.kind, applied), outcome])
    return f"""## Claims

*Origin*: **paper** is arXiv 2508.04853, **classical** was known before, **ours** is proved by this project (or by whoever wrote a claim of
their own). *Worst* is the largest measured/bound over all verdicts, in the claim's own unit, squared for squared errors (lower bounds:
bound/measured; identities: relative residual; probabilities: at the (1 − p)-quantile; predictions: measured/predicted, never a
violation). *Undecided*: float64 or the draws do not suffice to support the statement at 99 %; nothing speaks against it. ∞-norm claims on
matrices of more than 4,096 samples are evaluated on a fixed subset of 1,024 rows, m being their number: the theorems hold for any rows.

{markdown_table(HEADER, lines)}"""


def _worst(kind: Kind, applied: pd.DataFrame) -> str:
    worst = number(applied["ratio"].max())
    if kind is not Kind.PROBABILITY:
        return worst
    low = applied["interval_low"] / applied["failure_probability"]
    return f"{worst}; interval's lower end at most {number(low.max())} p"
