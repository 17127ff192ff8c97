"""`provable-ptq explain CLAIM`: what a claim says, under which hypotheses, why it is true, and who knew it."""

from __future__ import annotations

import json

import typer

from .options import AsJson, ClaimId, OwnClaims

FIELDS = ("id", "statement", "origin", "source", "kind", "unit", "chapter", "algorithms", "rounding")
NO_PROOF = "The file has no proof: bounds/ADD_A_CLAIM.md says how to write one into its docstring."


def explain_claim(
    claim: ClaimId,
    claims: OwnClaims = None,
    as_json: AsJson = False,
) -> None:
    """Print a claim's statement, hypotheses, proof, lineage, where it is sharp, what it reduces to, and where it stands."""
    from ...bounds.checking.loading import load_claims
    from ...bounds.checking.registry import select

    if claims is not None:
        load_claims(claims)
    (made,) = select(claim)
    typer.echo(_document(made) if as_json else _text(made))


def _where(made) -> dict[str, str | None]:
    """The claim's file, and its place in the book: None for a claim of one's own."""
    from ...bounds.checking.claim import CHAPTERS

    return {"file": made.file, "book": f"bounds/THEORY.md#{made.id}" if made.chapter in CHAPTERS else None}


def _document(made) -> str:
    from ...bounds.checking.page import LABELS

    said = {name: getattr(made, name) for name in FIELDS}
    checked = [hypothesis.name for hypothesis in made.hypotheses]
    page = {field: getattr(made.page, field) or None for field in ("title", *LABELS)}
    return json.dumps(said | {"checked": checked} | page | _where(made), indent=2, ensure_ascii=False)


def _text(made) -> str:
    from ...bounds.book import applies

    title = f"{made.id}: {made.page.title}" if made.page.title else made.id
    about = f"{made.kind}, {made.origin} ({made.source}); unit: {made.unit}"
    parts = {"Statement": made.statement, "Applied to": applies(made) + ".", **made.page.parts()}
    if not made.page.proof:
        parts["Proof"] = NO_PROOF
    where = ", ".join(place for place in _where(made).values() if place)
    return "\n\n".join([f"{title}\n{about}", *(f"{label}. {text}" for label, text in parts.items()), f"Where. {where}"])
