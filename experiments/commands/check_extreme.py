"""`provable-ptq check --extreme`: float verdicts held against exact ones on problems at the ends of float64."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer
from tqdm import tqdm

from ...algorithms.arguments import reject

EXAMPLES = 5000


def check_extreme(ids: Sequence[str] | None, examples: int | None, seed: int, workers: int, as_json: bool, beside: dict) -> int:
    """Compare both arithmetics on `examples` problems, print one line per claim; 1 where a verdict is wrong, else 0."""
    from ...bounds.exact.disagreement import compare

    for name, value in beside.items():
        if value:
            raise reject(name, value, f"--extreme or --{name}, not both")
    examples = examples or EXAMPLES
    found: list = []
    with tqdm(total=100, desc="check --extreme", unit="%", disable=as_json or None) as progress:
        for share, latest in compare(examples, seed, ids, workers):
            progress.update(round(100 * share) - progress.n)
            found = latest
    if as_json:
        typer.echo(json.dumps({"examples": examples, "seed": seed, "claims": [_row(each) for each in found]}, indent=2))
    else:
        _print(found, examples, seed)
    return int(any(each.disagreements for each in found))


def _row(each) -> dict:
    counts = [{"floating": floating, "exact": exact, "problems": n} for (floating, exact), n in sorted(each.outcomes.items())]
    wrong = [dict(zip(("number", "fault", "floating", "exact"), row, strict=True)) for row in each.disagreements]
    return {"id": each.claim.id, "outcomes": counts, "disagreements": wrong}


def _print(found: list, examples: int, seed: int) -> None:
    width = max(len(each.claim.id) for each in found)
    typer.echo(f"{'claim':<{width}}  problems   holds  violated  undecided  other  wrong verdicts")
    for each in found:
        holds, violated, undecided = (each.count(word) for word in ("holds", "violated", "undecided"))
        total = each.count()
        line = f"{each.claim.id:<{width}}  {total:>8}  {holds:>6}  {violated:>8}  {undecided:>9}  {total - holds - violated - undecided:>5}"
        typer.echo(f"{line}  {len(each.disagreements)}" + "".join(f"; problem {n} ({fault or 'as it is'}): float64 says {a}, exact "
                                                                  f"arithmetic {b}" for n, fault, a, b in each.disagreements[:3]))
    false_alarms, false_comfort = (sum(row[2] == word for each in found for row in each.disagreements) for word in ("violated", "holds"))
    both = sum(each.count(a, b) for each in found for a in ("holds", "violated") for b in ("holds", "violated"))
    typer.echo("outcomes are float64's; other: not applicable, or refused (dependent columns without damping, codes beyond 2^53)")
    typer.echo(f"{examples} extreme problems (seed {seed}), decided by both arithmetics on {both}: {false_alarms} false alarms, "
               f"{false_comfort} wrong results that hold")
