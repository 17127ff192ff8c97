"""`provable-ptq check`: claims on drawn problems, in float64 or exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from ...algorithms.arguments import InvalidArgumentError, reject
from ..places import file_to_write, folder_to_write
from ..progress import StoppedError
from .check_extreme import check_extreme
from .options import AsJson, OwnClaims, Workers
from .values import finite


def check_claims(
    claim: Annotated[list[str] | None, typer.Option(help="Claim id; may be repeated. Default: all.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Decide in rational and ball arithmetic, on small problems.")] = False,
    extreme: Annotated[bool, typer.Option("--extreme", help="Hold float verdicts against exact ones on extreme problems.")] = False,
    examples: Annotated[int | None, typer.Option(min=1, help="Problems per claim. Default: 500; with --exact 50; with --extreme "
                                                             "5000 in all.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the drawn problems.")] = 0,
    claims: OwnClaims = None,
    witnesses: Annotated[Path, typer.Option(help="Folder for problems that violate a claim.")] = Path("out/witnesses"),
    certificates: Annotated[Path | None, typer.Option(help="Folder for certificates of what came closest, with --exact.")] = None,
    as_json: AsJson = False,
    workers: Workers = -1,
) -> None:
    """Check claims on drawn problems; one line each: id, origin, problems tried, worst measured/bound, what was found."""
    from ...bounds.campaign import campaign
    from ...bounds.checking.loading import load_claims
    from ...bounds.checking.registry import select as select_claims

    if certificates is not None and not exact:
        raise reject("certificates", str(certificates), "a folder, with --exact: only exact verdicts have certificates")
    if extreme:
        beside = {"exact": exact, "claims": claims}
        raise typer.Exit(check_extreme(claim, examples, seed, workers, as_json, beside=beside))
    folder_to_write("witnesses", witnesses)
    if certificates is not None:
        folder_to_write("certificates", certificates)
    file, own = (None, []) if claims is None else (str(claims), load_claims(claims))
    chosen = [made.id for made in select_claims(claim)]
    for name in chosen:
        file_to_write("witnesses", witnesses / f"{name}.npz")
    examples = examples or (50 if exact else 500)
    try:
        summaries = _last(campaign(claim, examples, seed, workers, file, exact), as_json)
    except (InvalidArgumentError, StoppedError):
        raise
    except Exception:
        if claims is not None:
            _refuse_raising([name for name in own if name in chosen], claims, examples, seed, exact)
        raise
    for summary in summaries:
        if summary.witness is not None:
            witnesses.mkdir(parents=True, exist_ok=True)
            summary.witness.save(_witness_file(witnesses, summary.claim.id, exact))
    if as_json:
        typer.echo(_document(summaries, examples, seed, witnesses, exact))
    else:
        _print_lines(summaries, witnesses, exact)
    if certificates is not None:
        _certify(summaries, certificates, as_json)
    raise typer.Exit(int(any(summary.witness is not None for summary in summaries)))


def _last(batches: Iterable[tuple[float, list]], quiet: bool) -> list:
    """The summaries that a campaign ends with, after a bar that follows it.

    Raises:
        StoppedError: a worker is lost.
    """
    from ..pools import LOST

    summaries: list = []
    with tqdm(total=100, desc="check", unit="%", disable=quiet or None) as progress:
        try:
            for share, latest in batches:
                progress.update(round(100 * share) - progress.n)
                summaries = latest
        except Exception as error:
            if type(error).__name__ in LOST:
                raise StoppedError(f"{LOST[type(error).__name__]}; nothing was decided") from None
            raise
    return summaries


def _refuse_raising(names: Iterable[str], file: Path, examples: int, seed: int, exact: bool) -> None:
    """Check some of the user's own claims one by one, in this process, so that an error of their own is known for what it is."""
    from ...bounds.campaign import campaign
    from ...bounds.checking.loading import refuse_raising

    for name in names:
        try:
            for _ in campaign([name], examples, seed, 1, str(file), exact):
                pass
        except Exception as error:
            raise refuse_raising(name, file, error) from error


def _witness_file(folder: Path, claim_id: str, exact: bool) -> Path:
    """Where a witness goes: one that float64 found and one that exact arithmetic found do not overwrite each other."""
    return folder / f"{claim_id}{'-exact' if exact else ''}.npz"


def _certify(summaries: list, folder: Path, quiet: bool) -> None:
    """Write a certificate of the witness, or else of the closest approach, of every claim that the verifier decides."""
    from ...bounds.exact.certificates import write_certificate
    from ...bounds.verify import CLAIMS

    decided = [s for s in summaries if s.claim.id in CLAIMS and s.closest is not None]
    for s in decided:
        write_certificate(s.witness or s.closest, s.claim.id, folder / f"{s.claim.id}.json")
    if not quiet:
        typer.echo(f"certificates of {len(decided)} claims in {folder}: `provable-ptq replay FILE` decides one again")


def _document(summaries: list, examples: int, seed: int, witnesses: Path, exact: bool) -> str:
    rows = [
        {"id": s.claim.id, "origin": s.claim.origin, "kind": s.claim.kind, "tried": s.tried, "worst": finite(s.worst),
         "outcome": s.word, "outcomes": s.outcomes, "partial": s.partial,
         "witness": str(_witness_file(witnesses, s.claim.id, exact)) if s.witness else None}
        for s in summaries
    ]
    for row, s in zip(rows, summaries, strict=True):
        if exact:
            row |= {"neurons": s.neurons, "same_codes": s.same_codes, "closest_tie": finite(s.closest_tie)}
    return json.dumps({"examples": examples, "seed": seed, "exact": exact, "claims": rows}, indent=2, allow_nan=False)


def _print_lines(summaries: list, witnesses: Path, exact: bool) -> None:
    width = max(len(s.claim.id) for s in summaries)
    typer.echo(f"{'claim':<{width}}  {'origin':<9}  {'kind':<22}  {'tried':>5}  {'worst':>9}  outcome")
    for s in summaries:
        line = f"{s.claim.id:<{width}}  {s.claim.origin:<9}  {s.claim.kind:<22}  {s.tried:>5}  {s.worst:>9.3g}  {s.words}"
        typer.echo(line + (f", witness in {_witness_file(witnesses, s.claim.id, exact)}" if s.witness else ""))
    if exact:
        neurons, same, tie = sum(s.neurons for s in summaries), sum(s.same_codes for s in summaries), min(s.closest_tie for s in summaries)
        typer.echo("worst: measured/bound (identities: relative residual; probabilities: failure probability / p), with no tolerance")
        typer.echo(f"float64 made the same integers on {same} of {neurons} neurons, the closest {tie:.2g} steps from a rounding tie")
        return
    typer.echo("worst: measured/bound (identities: relative residual; probabilities: at the (1 - p)-quantile)")
    typer.echo("a run whose claims are all true reports a violation with probability at most 1%")
