"""The command line, `provable-ptq`. Exit status 0 means that nothing was violated."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from ..algorithms.arguments import InvalidArgumentError, as_path, as_workers, reject
from .commands.attack import attack_claim
from .commands.calibrations import list_calibrations
from .commands.check_extreme import check_extreme
from .commands.compare import compare_tables
from .commands.explain import explain_claim
from .commands.replay import replay_file
from .commands.reproduce import reproduce_study
from .places import file_to_write, folder_to_write
from .progress import StoppedError, terminable

if TYPE_CHECKING:
    from .runner import Failure, Summary
    from .study import Study

app = typer.Typer(help="Proves, measures and shows how good post-training quantization is.", no_args_is_help=True,
                  add_completion=False, pretty_exceptions_enable=False)

app.command("attack")(attack_claim)
app.command("calibrations")(list_calibrations)
app.command("compare")(compare_tables)
app.command("explain")(explain_claim)
app.command("replay")(replay_file)
app.command("reproduce")(reproduce_study)


def _processes(workers: int) -> int:
    return as_workers("workers", workers)


Output = Annotated[Path, typer.Option(help="Folder that holds the table, and the figures and the report in a folder of the study's name.")]
Workers = Annotated[int, typer.Option(help="Processes; -1: one per core.", callback=_processes)]
StoreFolder = Annotated[Path | None, typer.Option(help="Folder of finished cells. Default: `store` in the output folder.")]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first cell that fails.")]
Scheduler = Annotated[str | None, typer.Option(help="Run on the workers of a Dask scheduler, like tcp://host:8786 (extra `cluster`).")]
StudyName = Annotated[str, typer.Argument(help="A TOML file, or a shipped study by name.")]
OfSweep = Annotated[str | None, typer.Option("--sweep", help="The table STUDY-SWEEP that `run --sweep` wrote.")]


def main() -> None:
    """Run the command line; bad input ends with its one sentence and exit status 2, a study stopped early with status 1."""
    try:
        with terminable():
            app()
    except InvalidArgumentError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(2)
    except StoppedError as stopped:
        typer.secho(f"stopped: {stopped}", fg="red", err=True)
        sys.exit(1)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"provable-ptq {installed('provable-ptq')}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)] = False,
) -> None:
    """What can be said before any command."""


@app.command()
def run(
    study: StudyName,
    output: Output = Path("out"),
    workers: Workers = -1,
    store: StoreFolder = None,
    fail_fast: FailFast = False,
    scheduler: Scheduler = None,
    shard: Annotated[str | None, typer.Option(help="Run one part only, `2/4`: the second of four; then `merge`.")] = None,
    sweep: Annotated[str | None, typer.Option(help="Run one sweep only, into a table STUDY-SWEEP.")] = None,
) -> None:
    """Run a study and write its table. Finished cells are kept: the same command resumes."""
    from .runner import run_shard, run_study

    part = None if shard is None else _part(shard)
    if part and sweep:
        raise reject("sweep", sweep, "--sweep or --shard, not both")
    read, kept = _named(study, sweep), store or output / "store"
    if part:
        done = run_shard(read, part, kept, workers, fail_fast=fail_fast, scheduler=scheduler)
        _tell(done, f"in {kept}; when all {part[1]} shards are done: provable-ptq merge {study} --store {kept}")
        raise typer.Exit(_failures(done.failures))
    done = run_study(read, _table(output, read.name), workers, store=kept, fail_fast=fail_fast, scheduler=scheduler)
    _tell(done, f"in {done.table}")
    raise typer.Exit(_failures(done.failures) or _violations(done.table))


@app.command()
def merge(
    study: StudyName,
    store: Annotated[list[Path], typer.Option(help="A folder that `run --shard` wrote; may be repeated.")],
    output: Output = Path("out"),
) -> None:
    """Write the table of a study that was run in parts; refused where a cell is missing."""
    from .runner import merge as merge_stores
    from .study import read_study

    read = read_study(study)
    done = merge_stores(read, _table(output, read.name), store)
    _tell(done, f"in {done.table}")
    raise typer.Exit(_violations(done.table))


@app.command()
def figures(study: StudyName, output: Output = Path("out"), sweep: OfSweep = None) -> None:
    """Draw the figures of a study from its table."""
    from ..figures.render import render

    name = _named(study, sweep).name
    drawn = render(_written(output, name, study, sweep), _figures(output / name), sys.stderr.isatty())
    for path in drawn.paths:
        typer.echo(path)
    for note in drawn.notes:
        typer.echo(note, err=True)


@app.command()
def report(study: StudyName, output: Output = Path("out"), sweep: OfSweep = None) -> None:
    """Write the report of a study from its table; status 1 where the table holds a violation or a failed cell."""
    from .report import write_report

    name = _named(study, sweep).name
    table, pictures = _written(output, name, study, sweep), _figures(output / name)
    typer.echo(write_report(table, pictures, output / name / "paper_results.md", _drawn(table, pictures)))
    raise typer.Exit(max(_failures(_failed_rows(table)), _violations(table)))


@app.command()
def check(
    claim: Annotated[list[str] | None, typer.Option(help="Claim id; may be repeated. Default: all.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Decide in rational and ball arithmetic, on small problems.")] = False,
    extreme: Annotated[bool, typer.Option("--extreme", help="Hold float verdicts against exact ones on extreme problems.")] = False,
    examples: Annotated[int | None, typer.Option(min=1, help="Problems per claim. Default: 500; with --exact 50; with --extreme "
                                                             "5000 in all.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the drawn problems.")] = 0,
    claims: Annotated[Path | None, typer.Option(help="A Python file of your own claims.")] = None,
    witnesses: Annotated[Path, typer.Option(help="Folder for problems that violate a claim.")] = Path("out/witnesses"),
    certificates: Annotated[Path | None, typer.Option(help="Folder for certificates of what came closest, with --exact.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    workers: Workers = -1,
) -> None:
    """Check claims on drawn problems; one line each: id, origin, problems tried, worst measured/bound, what was found."""
    from ..bounds.campaign import campaign
    from ..bounds.claim import load_claims
    from ..bounds.claim import select as select_claims
    from .dispatch import LOST

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
    batches = campaign(claim, examples, seed, workers, file, exact)
    with tqdm(total=100, desc="check", unit="%", disable=as_json or None) as progress:
        try:
            for share, latest in batches:
                progress.update(round(100 * share) - progress.n)
                summaries = latest
        except InvalidArgumentError:
            raise
        except Exception as error:
            if type(error).__name__ in LOST:
                raise StoppedError(f"{LOST[type(error).__name__]}; nothing was decided") from None
            for name in (name for name in own if name in chosen):
                _refuse_raising(name, claims, examples, seed, exact)
            raise
    for summary in summaries:
        if summary.witness is not None:
            witnesses.mkdir(parents=True, exist_ok=True)
            summary.witness.save(_witness_file(witnesses, summary.claim.id, exact))
    _print_checked(summaries, examples, seed, witnesses, as_json, exact)
    if certificates is not None:
        _certify(summaries, certificates, as_json)
    raise typer.Exit(int(any(summary.witness is not None for summary in summaries)))


def _refuse_raising(name: str, file: Path, examples: int, seed: int, exact: bool) -> None:
    """Check one of the user's own claims alone, in this process, so that an error of its own is known for what it is."""
    from ..bounds.campaign import campaign
    from ..bounds.claim import refuse_raising

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
    from ..bounds.certificates import CLAIMS, write_certificate

    decided = [s for s in summaries if s.claim.id in CLAIMS and s.closest is not None]
    for s in decided:
        write_certificate(s.witness or s.closest, s.claim.id, folder / f"{s.claim.id}.json")
    if not quiet:
        typer.echo(f"certificates of {len(decided)} claims in {folder}: `provable-ptq replay FILE` decides one again")


def _print_checked(summaries: list, examples: int, seed: int, witnesses: Path, as_json: bool, exact: bool) -> None:
    if as_json:
        rows = [
            {"id": s.claim.id, "origin": s.claim.origin, "kind": s.claim.kind, "tried": s.tried, "worst": _finite(s.worst),
             "outcome": s.word, "outcomes": s.outcomes, "partial": s.partial,
             "witness": str(_witness_file(witnesses, s.claim.id, exact)) if s.witness else None}
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
        line = f"{s.claim.id:<{width}}  {s.claim.origin:<9}  {s.claim.kind:<22}  {s.tried:>5}  {s.worst:>9.3g}  {s.words}"
        typer.echo(line + (f", witness in {_witness_file(witnesses, s.claim.id, exact)}" if s.witness else ""))
    if exact:
        neurons, same, tie = sum(s.neurons for s in summaries), sum(s.same_codes for s in summaries), min(s.closest_tie for s in summaries)
        typer.echo("worst: measured/bound (identities: relative residual; probabilities: failure probability / p), with no tolerance")
        typer.echo(f"float64 made the same integers on {same} of {neurons} neurons, the closest {tie:.2g} steps from a rounding tie")
        return
    typer.echo("worst: measured/bound (identities: relative residual; probabilities: at the (1 - p)-quantile)")
    typer.echo("a run whose claims are all true reports a violation with probability at most 1%")


def _part(shard: str) -> tuple[int, int]:
    given = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", shard)
    number, parts = map(int, given.groups()) if given else (1, 0)
    if number > parts:
        raise reject("shard", shard, "NUMBER/PARTS with a number from 1 to the parts, like 2/4")
    return number, parts


def _tell(done: Summary, where: str) -> None:
    failed = done.cells - done.found - done.computed
    said = [f"{done.found} found", f"{done.computed} computed"] if done.found else []
    said += [f"{failed} failed"] if failed else []
    counts = f" ({', '.join(said)})" if said else ""
    typer.echo(f"{done.cells} cells{counts} {where}")
    if len(done.kernels) > 1:
        typer.echo(f"these cells were computed by {len(done.kernels)} BLAS kernels ({'; '.join(done.kernels)}): digits may differ in the "
                   "last places, and on networks quantized layer by layer in more", err=True)


def _failures(failures: Sequence[Failure]) -> int:
    from .runner import listed

    for sentence in listed(failures):
        typer.secho(sentence, fg="red", err=True)
    return int(len(failures) > 0)


def _failed_rows(table: Path) -> list[Failure]:
    from .runner import FAILED, Failure
    from .store import read_table

    rows, _ = read_table(table)
    failed = rows[rows["record"] == FAILED].itertuples()
    return [Failure(f"{row.sweep}, {row.calibration}, {row.ordering}, {row.damping}", row.error) for row in failed]


def _named(study: str, sweep: str | None) -> Study:
    from .runner import one_sweep
    from .study import read_study

    read = read_study(study)
    return read if sweep is None else one_sweep(read, sweep)


def _table(output: Path, name: str) -> Path:
    return output / f"{name}.parquet"


def _written(output: Path, name: str, study: str, sweep: str | None) -> Path:
    table = as_path("table", _table(output, name))
    if not table.is_file():
        made = f"run {study}" + (f" --sweep {sweep}" if sweep else "") + (f" --output {output}" if output != Path("out") else "")
        raise reject("table", str(table), f"no such file; `provable-ptq {made}` makes it")
    return table


def _figures(output: Path) -> Path:
    return output / "figures"


def _drawn(table: Path, folder: Path) -> list:
    """The figures of a table that stand in a folder, as the report shows them."""
    from ..figures.render import FIGURES, captions
    from .report import Picture

    return [Picture(name, caption, FIGURES[name].sweep) for name, caption in captions(table, folder).items()]


def _finite(number: float) -> float | str:
    """JSON has no infinity: it is spelt out."""
    return number if math.isfinite(number) else str(number)


def _violations(table: Path) -> int:
    from ..bounds import Outcome
    from .store import read_table

    rows, _ = read_table(table)
    violated = rows[rows["outcome"] == Outcome.VIOLATED.value] if "outcome" in rows else rows[:0]
    for row in violated.itertuples():
        typer.secho(f"violated: {row.claim} in {row.sweep}, {row.calibration}, {row.ordering}, {row.damping}", fg="red", err=True)
    return int(len(violated) > 0)


