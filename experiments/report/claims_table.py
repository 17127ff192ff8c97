"""Every claim: origin, where it was tested, how close the measurements came, with which outcome; one table and unit per kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ...bounds import Kind, claims
from ..calibration.files import FOLDED_FROM
from ..calibration.layer import KEPT_ROWS
from ..cells.construction import SWEEP as CONSTRUCTIONS
from ..cells.replay import SWEEP as REPLAYS
from ..own_claims import claims_of
from .table import LAYER, is_shipped, tally, verdicts
from .words import code, count, details, markdown_table, number, paragraphs, plain, residual, span

ORIGINS = {"paper": "arXiv 2508.04853", "classical": "known before", "ours": "proved by this project"}
SQUARES = ("squared", "ratio of squared")  # how the unit of a claim about squares begins


def as_norm(claim_id: str, ratio: float) -> float:
    """Measured over bound as norms, whatever the unit of the claim.

    >>> as_norm("optq-l2", 0.25), as_norm("optq-linf", 0.25)
    (0.5, 0.25)
    """
    return ratio**0.5 if claims()[claim_id].unit.startswith(SQUARES) else ratio


def _largest_norm(mine: pd.DataFrame) -> str:
    return number(as_norm(mine["claim"].iloc[0], mine["ratio"].max()))


def _quantile(mine: pd.DataFrame) -> str:
    low = mine["interval_low"] / mine["failure_probability"]
    return f"{_largest_norm(mine)}; {number(low.max())}"


@dataclass(frozen=True)
class _Group:
    """One table: the kinds of its claims, its title, the head of its column of numbers, and how that is written."""

    kinds: tuple[Kind, ...]
    title: str
    head: str
    write: Callable[[pd.DataFrame], str]


GROUPS = (
    _Group((Kind.IDENTITY,), "Identities", "largest relative residual", lambda mine: residual(mine["ratio"].max())),
    _Group((Kind.UPPER, Kind.LOWER), "Bounds on every run", "worst measured / bound, as norms (lower bounds: bound / measured)",
           _largest_norm),
    _Group((Kind.EXPECTATION,), "Bounds in expectation", "worst mean of measured / bound, of squares or other convex functions",
           lambda mine: number(mine["ratio"].max())),
    _Group((Kind.PROBABILITY,), "Bounds with probability 1 − p",
           "worst measured / bound at the (1 − p)-quantile, as norms; largest lower end of the interval of the failure probability, over p",
           _quantile),
    _Group((Kind.PREDICTION,), "Predictions, no theorems", "measured / predicted squared error", lambda mine: span(mine["ratio"])),
)  # fmt: skip


def claims_table(rows: pd.DataFrame, made: dict, book: str = "") -> str:
    """The section; `made` is the provenance of the rows, and `book` where the report finds the theorems with their proofs, if it does."""
    applied = verdicts(rows)
    applied = applied[applied["sweep"] != REPLAYS]
    by_claim = {str(claim_id): mine for claim_id, mine in applied.groupby("claim")}
    tables = [_table(group, by_claim, book) for group in GROUPS]
    own = _own_claims(by_claim, claims_of(made))
    if not any(tables) and not own:
        return paragraphs("## Claims", "No claim of this study applied to what it ran.")
    tested = [claim_id for claim_id in claims() if claim_id in by_claim]
    return paragraphs("## Claims", _how_to_read(applied, tested, book), *tables, own, details("The statements", _statements(tested, book)))


def _linked(claim_id: str, book: str) -> str:
    return f"[`{claim_id}`]({book}#{claim_id})" if book and is_shipped(claim_id) else code(claim_id)


def _how_to_read(applied: pd.DataFrame, tested: list[str], book: str) -> str:
    origins = dict.fromkeys(claims()[claim_id].origin.value for claim_id in tested)
    said = "; ".join(f"**{name}**: {ORIGINS[name]}" for name in origins if name in ORIGINS)
    explain = "`provable-ptq explain CLAIM` prints a statement with its proof"
    proofs = f"Each statement with its proof is in [{book}]({book})" if book else explain
    undecided = applied["outcome"].eq("undecided").any()
    partly = applied["partly"].any()
    return " ".join(filter(None, [
        f"{proofs}.", f"*Origin*, {said}." if said else "",
        "*Holds for a part of the neurons*: for the others a hypothesis fails (mostly: a step saturated)." if partly else "",
        "*Undecided*: float64 or the draws do not suffice to support it at 99 %; nothing speaks against it." if undecided else "",
        _subsets(applied),
    ]))  # fmt: skip


def _subsets(applied: pd.DataFrame) -> str:
    """Where single outputs were looked at on some of the samples only."""
    of_outputs = applied[applied["claim"].isin([name for name, made in claims().items() if made.per_output])]
    if not (of_outputs["samples"] > FOLDED_FROM).any():
        return ""
    return (f"Claims about single outputs look at {KEPT_ROWS:,} fixed samples of matrices that have more than {FOLDED_FROM:,}: the "
            "theorems hold for any samples.")


def _tested_on(mine: pd.DataFrame) -> str:
    matrices = len(mine[mine["sweep"] != CONSTRUCTIONS][LAYER].drop_duplicates())
    own = ["its own construction"] if (mine["sweep"] == CONSTRUCTIONS).any() else []
    return " and ".join(([count(matrices, "matrix", "matrices")] if matrices else []) + own)


def _table(group: _Group, by_claim: dict[str, pd.DataFrame], book: str) -> str:
    lines = []
    for claim in claims().values():
        if claim.kind in group.kinds and is_shipped(claim.id) and claim.id in by_claim:
            mine = by_claim[claim.id]
            outcome = tally(mine, prediction=claim.kind is Kind.PREDICTION)
            lines.append([_linked(claim.id, book), claim.origin.value, _tested_on(mine), group.write(mine), outcome])
    table = markdown_table(["claim", "origin", "tested on", group.head, "outcome"], lines)
    return paragraphs(f"**{group.title}**", table) if lines else ""


def _own_claims(by_claim: dict[str, pd.DataFrame], described: list) -> str:
    """Claims that come from the study's own files, which the report does not run: what the table says of them."""
    statements = {claim.id: _own_statement(claim.statement) for claim in described}
    lines = [[code(claim_id), statements.get(claim_id, ""), _tested_on(mine), number(mine["ratio"].max()), tally(mine)]
             for claim_id, mine in by_claim.items() if not is_shipped(claim_id)]
    header = ["claim", "statement", "tested on", "worst ratio, in the claim's own unit", "outcome"]
    return paragraphs("**Claims of the study's own**", markdown_table(header, lines)) if lines else ""


def _own_statement(statement: str) -> str:
    """A statement from the study's own files: its formulas as formulas, without what could end them, and the rest as it reads."""
    parts = statement.split("$")
    if len(parts) % 2 == 0:
        return plain(statement)
    return "$".join(_formula(part) if number % 2 else plain(part) for number, part in enumerate(parts))


def _formula(text: str) -> str:
    for sign, command in ((r"\|", r"\Vert "), ("|", r"\vert "), ("<", r"\lt "), (">", r"\gt "), ("`", "'")):
        text = text.replace(sign, command)
    return " ".join(text.split())


def _statements(tested: list[str], book: str) -> str:
    return "\n".join(f"- {_linked(claim_id, book)}: {_statement(claim_id)}{_lineage(claim_id)}" for claim_id in tested)


def _statement(claim_id: str) -> str:
    return claims()[claim_id].statement.replace(r"\|", r"\Vert ")  # Markdown would take the backslash


def _lineage(claim_id: str) -> str:
    lineage = getattr(claims()[claim_id], "lineage", "")
    return f" ({lineage.rstrip('.')})" if lineage else ""
