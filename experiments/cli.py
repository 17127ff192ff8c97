"""The command line, `provable-ptq`. Exit status 0 means that nothing was violated."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from typing import Annotated

import typer

from ..algorithms.arguments import InvalidArgumentError
from .commands.attack import attack_claim
from .commands.calibrations import list_calibrations
from .commands.check import check_claims
from .commands.compare import compare_tables
from .commands.explain import explain_claim
from .commands.figures import draw_figures
from .commands.merge import merge_stores
from .commands.replay import replay_file
from .commands.report import report_table
from .commands.reproduce import reproduce_study
from .commands.run import run_cells
from .progress import StoppedError, terminable

COMMANDS = {
    "attack": attack_claim, "calibrations": list_calibrations, "compare": compare_tables, "explain": explain_claim,
    "replay": replay_file, "reproduce": reproduce_study, "run": run_cells, "merge": merge_stores, "figures": draw_figures,
    "report": report_table, "check": check_claims,
}  # fmt: skip

app = typer.Typer(help="Proves, measures and shows how good post-training quantization is.", no_args_is_help=True,
                  add_completion=False, pretty_exceptions_enable=False)
for name, command in COMMANDS.items():
    app.command(name)(command)


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
