"""`provable-ptq attack CLAIM`: search for inputs on which a claim nearly fails, or fails."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from ...algorithms.arguments import InvalidArgumentError
from ...bounds import Kind
from ..places import file_to_write
from .options import AsJson, ClaimId, OwnClaims
from .values import finite

RATIOS = {Kind.IDENTITY: "relative residual", Kind.LOWER: "bound/measured", Kind.EXPECTATION: "mean of measured/bound",
          Kind.PROBABILITY: "(1 - p)-quantile of measured/bound"}  # else measured/bound


def attack_claim(
    claim: ClaimId,
    features: Annotated[int | None, typer.Option(min=1, help="Features N of what is searched. Default: several sizes.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Samples m. Default: fewer, as many and more than features.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed finds the same problem.")] = 0,
    budget: Annotated[int | None, typer.Option(min=1, help="Runs of the algorithm, each on a whole population of weights.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for what is found.")] = Path("out/attacks"),
    claims: OwnClaims = None,
    as_json: AsJson = False,
) -> None:
    """Search for inputs that bring measured/bound of a claim as near to 1 as it gets; save the worst as a replayable file.

    Beside it goes a certificate that `bounds/verify.py` decides again, where the claim is decided exactly.
    """
    from ...bounds.attack import BUDGET, attack
    from ...bounds.checking.loading import load_claims, refuse_raising
    from ...bounds.checking.registry import select

    own = [] if claims is None else load_claims(claims)
    select(claim)
    for name in (claim, f"{claim}-found"):
        file_to_write("output", output / f"{name}.npz")
    with tqdm(total=100, desc=f"attack {claim}", unit="%", disable=as_json or None) as bar:

        def show(share: float, ratio: float) -> None:
            if (moved := math.floor(100 * share) - bar.n) > 0:
                bar.set_postfix_str(f"ratio {ratio:.4g}", refresh=False)
                bar.update(moved)

        try:
            found = attack(claim, features, samples, budget or BUDGET, seed, show)
        except InvalidArgumentError:
            raise
        except Exception as error:
            if claims is None or claim not in own:
                raise
            raise refuse_raising(claim, claims, error) from error
        bar.update(bar.total - bar.n)
    saved, unshrunk = found.save(output)
    certificates = [_certify(found.claim_id, problem, file) for problem, file in ((found.problem, saved), (found.found, unshrunk))]
    typer.echo(_document(found, saved, unshrunk, certificates) if as_json else _lines(found, saved, unshrunk, certificates, claims))
    raise typer.Exit(int(found.violated))


def _certify(claim_id: str, problem, saved: Path) -> Path | None:
    """Write the certificate of a saved problem beside it; None, and no older one left there, where the verifier would not decide it."""
    from ...bounds.exact.certificates import LARGEST, write_certificate
    from ...bounds.verify import CLAIMS

    path = saved.with_suffix(".json")
    path.unlink(missing_ok=True)
    if claim_id not in CLAIMS or problem.N > LARGEST:
        return None
    try:
        return write_certificate(problem, claim_id, path)
    except InvalidArgumentError:  # exact arithmetic leaves it undecided
        return None


def _document(found, saved: Path, unshrunk: Path, certificates: list[Path | None]) -> str:
    return json.dumps({
        "id": found.claim_id, "outcome": found.words, "advice": found.verdict.advice, "evaluations": found.evaluations,
        "ratio": finite(found.ratio), "features": found.problem.N, "samples": found.problem.m, "file": str(saved),
        "found_ratio": finite(found.found_ratio), "found_features": found.found.N, "found_samples": found.found.m,
        "found_file": str(unshrunk), "certificates": [str(path) for path in certificates if path],
    }, indent=2, allow_nan=False)


def _lines(found, saved: Path, unshrunk: Path, certificates: list[Path | None], claims: Path | None) -> str:
    loaded = "" if claims is None else f"load_claims({str(claims)!r}); "
    imported = "Problem, check" if claims is None else "Problem, check, load_claims"
    advice = f" ({found.verdict.advice})" if found.verdict.advice else ""
    ratio = RATIOS.get(found.claim.kind, "measured/bound")
    certified = "".join(f"\ncertificate, decided again by provable-ptq replay: {path}" for path in certificates if path)
    return f"""{found.claim_id}: {found.words}{advice}
found   {ratio} {found.found_ratio:.6g} at {_size(found.found)}, {found.evaluations} inputs tried: {unshrunk}
shrunk  {ratio} {found.ratio:.6g} at {_size(found.problem)}: {saved}
replay  from provable_ptq.bounds import {imported}
        {loaded}check(Problem.load({str(saved)!r}), [{found.claim_id!r}], draws=1){certified}"""


def _size(problem) -> str:
    return f"N = {problem.N}, m = {problem.m}"
