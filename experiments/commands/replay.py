"""`provable-ptq replay FILE`: decide a certificate or a saved problem again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...algorithms import RankDeficientError
from ...algorithms.arguments import reject
from .options import OwnClaims

if TYPE_CHECKING:
    from ...bounds import Claim, Problem, Verdict

DRAWS = 8192  # of stochastic claims above 12 features
SUFFIXES = ("-found", "-exact")  # that files of attacks and of exact witnesses bear after the claim's id


def replay_file(
    file: Annotated[Path, typer.Argument(help="A certificate (.json), or a problem that `check` or `attack` saved (.npz).")],
    claim: Annotated[str | None, typer.Option(help="Claim to decide on a saved problem. Default: the one the file is named after.")] = None,
    claims: OwnClaims = None,
    certificate: Annotated[Path | None, typer.Option(help="Write the exact verdict on a saved problem as a certificate (.json).")] = None,
) -> None:
    """Decide a certificate again in exact fractions, or a saved problem in float64 and, where it is small, exactly.

    Exit status 0: accepted, and nothing is violated. A rejected certificate ends with 1, a file that is none with 2.
    """
    if not file.is_file() or file.suffix not in (".json", ".npz"):
        raise reject("file", str(file), "an existing certificate (.json) or saved problem (.npz)")
    if file.suffix == ".json" and certificate is not None:
        raise reject("certificate", str(certificate), "nothing beside a certificate, which is decided as it is")
    raise typer.Exit(_replay_certificate(file) if file.suffix == ".json" else _replay_problem(file, claim, claims, certificate))


def _replay_certificate(file: Path) -> int:
    from ...bounds import Outcome
    from ...bounds.verify import main

    status = main(str(file))
    return status or int(json.loads(file.read_text("utf-8"))["outcome"] == Outcome.VIOLATED)


def _replay_problem(file: Path, claim_id: str | None, claims: Path | None, certificate: Path | None) -> int:
    from ...bounds import Outcome, Problem, load_claims
    from ...bounds.checking.registry import select
    from ...bounds.exact.certificates import write_certificate

    own = [] if claims is None else load_claims(claims)
    (claim,) = select(claim_id or _named(file))
    problem = Problem.load(file)
    written = write_certificate(problem, claim.id, certificate) if certificate is not None else None
    verdicts = [verdict for verdict in (_in_float64(problem, claim), _exactly(problem, claim, claim.id in own)) if verdict is not None]
    if written is not None:
        typer.echo(f"certificate: {written}")
    decided = [verdict for verdict in verdicts if verdict.outcome in (Outcome.HOLDS, Outcome.VIOLATED)]
    return int(bool(decided) and decided[-1].outcome is Outcome.VIOLATED)  # exact arithmetic has the last word


def _named(file: Path) -> str:
    stem = file.stem
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem


def _in_float64(problem: Problem, claim: Claim) -> Verdict | None:
    from ...bounds import check

    try:
        verdict = check(problem, [claim.id], draws=DRAWS)[claim.id]
    except RankDeficientError as error:
        typer.echo(f"{claim.id} in float64: refused, since {error}")
        return None
    typer.echo(f"{claim.id} in float64: {verdict}{_near(verdict)}")
    return verdict


def _exactly(problem: Problem, claim: Claim, own: bool) -> Verdict | None:
    from ...bounds import Kind
    from ...bounds.exact import check_exact
    from ...bounds.exact.certificates import LARGEST

    if claim.kind is Kind.PREDICTION or problem.N > LARGEST:
        return None
    try:
        verdict = check_exact(problem, [claim.id]).verdicts[claim.id]
    except (TypeError, AttributeError, ValueError):
        if not own:
            raise
        typer.echo(f"{claim.id} exactly: not decided, since its formula is not written for exact arithmetic")
        return None
    typer.echo(f"{claim.id} exactly: {verdict}{_near(verdict)}")
    return verdict


def _near(verdict: Verdict) -> str:
    return "" if verdict.measured is None else f" (ratio {verdict.ratio:.6g})"
