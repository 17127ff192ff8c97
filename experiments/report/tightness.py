"""How tight is each theorem?"""

from __future__ import annotations

import pandas as pd

from ..cells.replay import SIZES, SWEEP
from .claims_table import as_norm
from .words import Section, code, count, details, markdown_table, no_sweep, number, paragraphs

TITLE = "How tight is each theorem?"
ATTAINED = 0.99


def tightness(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    attacks = rows[(rows["sweep"] == SWEEP) & rows["ratio"].notna()]
    if attacks.empty:
        return no_sweep(TITLE, SWEEP)
    attacks = attacks.assign(ratio=[as_norm(claim, ratio) for claim, ratio in zip(attacks["claim"], attacks["ratio"], strict=True)])
    full = attacks[attacks["calibration"] == SIZES[0]]
    attained = int((full["ratio"] >= ATTAINED).sum())
    lines = []
    for claim_id, group in sorted(attacks.groupby("claim"), key=lambda item: (-item[1]["ratio"].max(), item[0])):
        near = {row.calibration: f"{row.ratio:.4f} ({row.samples:.0f} × {row.features:.0f})" for row in group.itertuples()}
        lines.append([code(claim_id), *(near.get(size, "") for size in SIZES), ", ".join(sorted(set(group["outcome"])))])
    header = ["claim", "full size (m × N)", "shrunk (m × N)", "outcome"]
    text = paragraphs(
        f"""The closest that a search came to each bound (`provable-ptq attack CLAIM`), measured / bound as norms; every number is a replay
of a shipped problem. Near 1: the statement cannot be improved without a further hypothesis. Far from 1: either it can, or the search was
too weak.{_levels(full)}""",
        show("tightness"),
        details("The numbers", markdown_table(header, lines, folds=False)),
    )
    answer = (f"**Tightness**: a search comes within 1 % of {attained} of {count(len(full), 'bound')} at full size, as norms (sweep "
              "`tightness`).")
    return Section(TITLE, answer, text)


def _levels(full: pd.DataFrame) -> str:
    """The paper's level of the largest output error beside the row-wise one."""
    ratio = full.set_index("claim")["ratio"]
    if not {"sto-optq-linf", "sto-optq-linf-rowwise"} <= set(ratio.index):
        return ""
    return (f" The paper's level `sto-optq-linf` was reached to {number(ratio['sto-optq-linf'])}, the row-wise one to "
            f"{number(ratio['sto-optq-linf-rowwise'])}.")
