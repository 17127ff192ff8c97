"""From a TOML file to a study: everything that is wrong with it is refused before anything runs."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections import Counter
from importlib import resources
from pathlib import Path

from ...algorithms.arguments import InvalidArgumentError, as_path, reject
from ...bounds.checking.loading import claims_file
from ..calibration.load import check_parameters, resolve_files
from ..cells.sweep import SweepCell
from ..names import did_you_mean
from .data import Study
from .keys import NAME, is_file_name, of_type
from .sections import section_cells
from .source import Header, Source, shapes
from .sweeps import Sweep

SHIPPED = ("paper", "quick")
SECTIONS = ("name", "title", "seed", "claims", "tightness", "constructions", "growth", "permutations", "calibration", "sweep")
MOST_ENTRIES = 2**31  # of a matrix that is drawn: 16 GiB


def read_study(path: str | Path) -> Study:
    """Read a study from a TOML file, or one of the shipped ones by name.

    Raises:
        InvalidArgumentError: no such file, no TOML, an unknown key or name (with the nearest valid one), a wrong type, an
            empty grid or one of too many cells; before anything runs, with file and key.

    Nothing of the user's is run, not even the files of claims that the study names (see `Study.load_claims`).

    >>> read_study("paper").name
    'paper'
    """
    accepted = "a TOML file or a shipped study: " + ", ".join(SHIPPED)
    shown = str(as_path("study", path, accepted))
    file = resources.files("provable_ptq.experiments.studies") / f"{shown}.toml" if shown in SHIPPED else Path(path)
    if not file.is_file():
        raise reject("study", shown, accepted + did_you_mean(shown, SHIPPED))
    try:
        written = file.read_bytes()
        content = tomllib.loads(written.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise reject("study", shown, f"a TOML file ({error})") from None
    except RecursionError:
        raise reject("study", shown, "a TOML file that is nested less deeply") from None
    folder = file.parent if isinstance(file, Path) else Path()
    return _study(Source(shown, folder), content, hashlib.sha256(written).hexdigest())


def _study(source: Source, content: dict, sha256: str) -> Study:
    for key in content:
        source.known("key", key, SECTIONS)
    for key, test, accepted in (("name", is_file_name, NAME), ("title", of_type(str), "a title"), ("seed", of_type(int), "an integer")):
        if not test(content.get(key)):
            raise source.refuse(key, content.get(key), accepted)
    files = _claims_files(source, content.get("claims", []))
    header = Header(content["name"], content["seed"], _calibrations(source, content.get("calibration")), files)
    cells, awaited = _sweeps(source, header, content.get("sweep"))
    cells = (*cells, *section_cells(source, header, content))
    return Study(header.name, content["title"], header.seed, cells, files, sha256, tuple(awaited))


def _sweeps(source: Source, header: Header, tables: object) -> tuple[list[SweepCell], list[tuple[str, str]]]:
    """The cells of all [[sweep]] tables, and the claims that these name, each with the place where they do."""
    if not isinstance(tables, list) or not tables:
        raise source.refuse("sweep", tables, "at least one [[sweep]] table")
    for table in tables:
        if not isinstance(table, dict):
            raise source.refuse("sweep", table, "[[sweep]] tables")
    cells: list[SweepCell] = []
    awaited: list[tuple[str, str]] = []
    for table in tables:
        sweep = Sweep(source, header, table)
        sweep.refuse_beside(len(cells))
        cells += sweep.cells()
        awaited += sweep.awaited()
    for cell, times in Counter(cells).items():
        if times > 1:
            given = (cell.calibration, cell.damping, cell.ordering)
            raise source.refuse(f"sweep {cell.sweep}", given, "a cell that no other sweep of this name has")
    return cells, awaited


def _calibrations(source: Source, tables: object) -> dict[str, dict]:
    """The [calibration.NAME] tables, checked, with the files of the user's own found and hashed."""
    if not isinstance(tables, dict) or not tables:
        raise source.refuse("calibration", tables, "at least one [calibration.NAME] table")
    read = {}
    for name, parameters in tables.items():
        if not isinstance(parameters, dict):
            raise source.refuse(f"calibration.{name}", parameters, f"a [calibration.{name}] table")
        try:
            check_parameters(f"calibration.{name}", parameters)
            read[name] = resolve_files(f"calibration.{name}", parameters, source.folder)
            _refuse_unaffordable(f"calibration.{name}", read[name])
        except InvalidArgumentError as error:
            raise source.refuse_as(error) from None
    return read


def _refuse_unaffordable(name: str, parameters: dict) -> None:
    """Refuse matrices that no memory holds, where they are drawn and not read from files."""
    if parameters["kind"] == "file":
        return
    for m, N, K in shapes(parameters):
        if N * max(m, K) > MOST_ENTRIES:
            raise reject(name, {"samples": m, "features": N, "neurons": K}, f"matrices of at most {MOST_ENTRIES} entries")


def _claims_files(source: Source, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(file, str) for file in given):
        raise source.refuse("claims", given, "a list of Python files that register claims")
    try:
        return tuple(str(claims_file(os.path.abspath(source.folder / file))) for file in given)
    except InvalidArgumentError as error:
        raise source.refuse_as(error) from None
