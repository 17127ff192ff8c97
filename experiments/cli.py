"""The command line, `provable-ptq`. Exit status 0 means that nothing was violated."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from ..algorithms.arguments import InvalidArgumentError
from .attack_command import attack_claim

app = typer.Typer(help="Proves, measures and shows how good post-training quantization is.", no_args_is_help=True,
                  add_completion=False, pretty_exceptions_enable=False)

app.command("attack")(attack_claim)

Output = Annotated[Path, typer.Option(help="Folder that holds the table, the figures and the report.")]
Workers = Annotated[int, typer.Option(help="Processes; -1: one per core.")]
StudyName = Annotated[str, typer.Argument(help="A TOML file, or a shipped study by name.")]


def main() -> None:
    """Run the command line; bad input ends with its one sentence and exit status 2."""
    try:
        app()
    except InvalidArgumentError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(2)


@app.command()
def run(study: StudyName, output: Output = Path("out"), workers: Workers = -1) -> None:
    """Run a study and write its table."""
    from .runner import run_study
    from .study import read_study

    read = read_study(study)
    table = run_study(read, _table(output, read.name), workers)
    typer.echo(f"{len(read.cells)} cells in {table}")
    raise typer.Exit(_violations(table))


@app.command()
def figures(study: StudyName, output: Output = Path("out")) -> None:
    """Draw the figures of a study from its table."""
    from ..figures.render import render
    from .study import read_study

    drawn = render(_table(output, read_study(study).name), _figures(output))
    for path in drawn.paths:
        typer.echo(path)
    for note in drawn.notes:
        typer.echo(note, err=True)


@app.command()
def report(study: StudyName, output: Output = Path("out")) -> None:
    """Write the report of a study from its table."""
    from .report import write_report
    from .study import read_study

    table, pictures = _table(output, read_study(study).name), _figures(output)
    typer.echo(write_report(table, pictures, output / "paper_results.md", _drawn(pictures)))


@app.command()
def reproduce(output: Annotated[Path, typer.Option(help="Checkout whose table, figures and paper_results.md are written.")] = Path(),
              workers: Workers = -1) -> None:
    """Run the shipped study, draw its figures and write paper_results.md."""
    from ..figures.render import render
    from .report import write_report
    from .runner import run_study
    from .study import SHIPPED, read_study

    study = read_study(SHIPPED[0])
    table, pictures = output / "experiments" / "results" / f"{study.name}.parquet", output / "figures" / "rendered"
    run_study(study, table, workers)
    drawn = render(table, pictures)
    written = write_report(table, pictures, output / "paper_results.md", _drawn(pictures))
    typer.echo(f"{len(study.cells)} cells in {table}, {len(drawn.paths)} files in {pictures}, report in {written}")
    raise typer.Exit(_violations(table))


@app.command()
def check(
    claim: Annotated[list[str] | None, typer.Option(help="Claim id; may be repeated. Default: all.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Decide in rational and ball arithmetic, on small problems.")] = False,
    examples: Annotated[int | None, typer.Option(min=1, help="Problems per claim. Default: 500; with --exact 50.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the drawn problems.")] = 0,
    claims: Annotated[Path | None, typer.Option(help="A Python file of your own claims.")] = None,
    witnesses: Annotated[Path, typer.Option(help="Folder for problems that violate a claim.")] = Path("out/witnesses"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    workers: Workers = -1,
) -> None:
    """Check claims on drawn problems; one line each: id, origin, problems tried, worst measured/bound, outcome."""
    from ..bounds.campaign import campaign
    from ..bounds.claim import load_claims
    from ..bounds.claim import select as select_claims

    if claims is not None:
        load_claims(claims)
    select_claims(claim)
    examples = examples or (50 if exact else 500)
    batches = campaign(claim, examples, seed, workers, None if claims is None else str(claims), exact)
    with tqdm(total=100, desc="check", unit="%", disable=as_json) as progress:
        for share, latest in batches:
            progress.update(round(100 * share) - progress.n)
            summaries = latest
    for summary in summaries:
        if summary.witness is not None:
            witnesses.mkdir(parents=True, exist_ok=True)
            summary.witness.save(witnesses / f"{summary.claim.id}.npz")
    _print_checked(summaries, examples, seed, witnesses, as_json, exact)
    raise typer.Exit(int(any(summary.witness is not None for summary in summaries)))


def _print_checked(summaries: list, examples: int, seed: int, witnesses: Path, as_json: bool, exact: bool) -> None:
    if as_json:
        rows = [
            {"id": s.claim.id, "origin": s.claim.origin, "kind": s.claim.kind, "tried": s.tried, "worst": _finite(s.worst),
             "outcome": s.outcome, "outcomes": s.outcomes, "witness": str(witnesses / f"{s.claim.id}.npz") if s.witness else None}
            for s in summaries
        ]
        for row, s in zip(rows, summaries, strict=True):
            if exact:
                row |= {"neurons": s.neurons, "same_codes": s.same_codes, "closest_tie": _finite(s.closest_tie)}
        typer.echo(json.dumps({"examples": examples, "seed": seed, "exact": exact, "claims": rows}, indent=2, allow_nan=False))
        return
    width = max(len(s.claim.id) for s in summaries)
    typer.echo(f"{'claim':<{width}}  {'origin':<9}  {'kind':<22}  {'tried':>5}  {'worst':>9}  outcome")
    for s in summaries:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in s.outcomes.items() if count and outcome is not s.outcome)
        line = f"{s.claim.id:<{width}}  {s.claim.origin:<9}  {s.claim.kind:<22}  {s.tried:>5}  {s.worst:>9.3g}  {s.outcome}"
        typer.echo(line + (f" ({counts})" if counts else "") + (f", witness in {witnesses / s.claim.id}.npz" if s.witness else ""))
    if exact:
        neurons, same, tie = sum(s.neurons for s in summaries), sum(s.same_codes for s in summaries), min(s.closest_tie for s in summaries)
        typer.echo("worst: measured/bound (identities: relative residual; probabilities: failure probability / p), with no tolerance")
        typer.echo(f"float64 made the same integers on {same} of {neurons} neurons, none closer than {tie:.2g} steps to a rounding tie")
        return
    typer.echo("worst: measured/bound (identities: relative residual; probabilities: at the (1 - p)-quantile)")
    typer.echo("a run whose claims are all true reports a violation with probability at most 1%")


def _table(output: Path, name: str) -> Path:
    return output / f"{name}.parquet"


def _figures(output: Path) -> Path:
    return output / "figures"


def _drawn(folder: Path) -> list:
    """The figures that stand in a folder, as the report shows them."""
    from ..figures.render import FIGURES
    from .report import Picture

    return [Picture(name, entry.caption, entry.sweep) for name, entry in FIGURES.items() if (folder / f"{name}.png").is_file()]


def _finite(number: float) -> float | str:
    """JSON has no infinity: it is spelt out."""
    return number if math.isfinite(number) else str(number)


def _violations(table: Path) -> int:
    from ..bounds import Outcome
    from .store import read_table

    rows, _ = read_table(table)
    violated = rows[rows["outcome"] == Outcome.VIOLATED.value]
    for row in violated.itertuples():
        typer.secho(f"violated: {row.claim} in {row.sweep}, {row.calibration}, {row.ordering}, {row.damping}", fg="red", err=True)
    return int(len(violated) > 0)


