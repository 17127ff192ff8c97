"""The user's own claims as a table tells of them: who reads a table runs no file of theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..bounds.checking.claim import CHAPTERS, Claim, Kind, Origin
from ..bounds.checking.registry import claims


@dataclass(frozen=True)
class DescribedClaim:
    """A claim in words; it cannot be evaluated."""

    id: str
    statement: str
    origin: Origin
    kind: Kind
    source: str
    unit: str


def describe(ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Those of the claims that no chapter holds, in words, by id: what a table keeps of them."""
    known = claims()
    own = {name: known[name] for name in ids if name in known and known[name].chapter not in CHAPTERS}
    fields = [name for name in DescribedClaim.__dataclass_fields__ if name != "id"]
    return {name: {field: str(getattr(claim, field)) for field in fields} for name, claim in own.items()}


def claims_of(made: dict) -> list[Claim | DescribedClaim]:
    """The claims that a table may have rows about, by chapter, and the user's own last, as its provenance tells of them."""
    own = [
        DescribedClaim(name, **told | {"origin": Origin(told["origin"]), "kind": Kind(told["kind"])})
        for name, told in made.get("own_claims", {}).items()
    ]
    return [claim for claim in claims().values() if claim.chapter in CHAPTERS] + own
