"""`provable-ptq calibrations`: every kind of calibration matrix that a study can name."""

from __future__ import annotations

import json

import typer

from .options import AsJson


def list_calibrations(as_json: AsJson = False) -> None:
    """List the kinds of calibration matrices, synthetic and real: what they are, their tags, the keys of their tables."""
    from ..calibration.load import describe_kinds

    kinds = describe_kinds()
    if as_json:
        typer.echo(json.dumps(kinds, indent=2))
        return
    for kind in kinds:
        typer.secho(kind["kind"], bold=True, nl=False)
        typer.echo(f"  [{', '.join(kind['tags'])}]")
        typer.echo(f"  {kind['description']}")
        for key, option in kind["keys"].items():
            default = "" if option["default"] is None else f", default {option['default']}"
            typer.echo(f"    {key}: {option['accepted']}{default}")
        typer.echo(f"    mismatch: {', '.join(kind['mismatches'])}\n")
