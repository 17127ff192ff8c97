"""A study: a sweep as data. Its TOML file is read and refused before anything runs."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np

from ..algorithms.arguments import InvalidArgumentError, reject
from ..algorithms.damping import RULES, resolve_damping
from ..algorithms.factorization import RowSource
from ..algorithms.ordering import ORDERINGS, resolve_ordering
from ..algorithms.qronos import FORMS
from ..algorithms.rounding import ROUNDINGS
from ..bounds.claim import CHAPTERS, Claim, claims, load_claims
from ..bounds.problem import ALGORITHMS
from .calibration.load import check_parameters
from .growth import GrowthCell
from .names import did_you_mean
from .replay import ReplayCell, shipped_attacks

SHIPPED = ("paper",)
ALPHABETS = ("infinite", "finite")
GROWTH_ETA = 314573 / 2**20  # about 0.3


@dataclass(frozen=True)
class Cell:
    """One cell of a sweep: everything its rows depend on, apart from the code.

    The step of each neuron is that of the symmetric absmax grid with `bits`; `alphabet` says whether its ends are kept.
    `draws` > 0 asks for that many stochastic runs of the first neuron instead of one run of all.
    """

    study: str
    study_seed: int
    sweep: str
    calibration: str
    parameters: tuple[tuple[str, object], ...]
    damping: float | str
    ordering: str
    rounding: str
    algorithm: str
    form: str
    bits: int
    alphabet: str
    seed: int
    draws: int
    failure_probability: tuple[float, ...]
    claims: tuple[str, ...]
    claims_files: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """A study as read from its file: `cells` in a fixed order."""

    name: str
    title: str
    seed: int
    cells: tuple[Cell | GrowthCell | ReplayCell, ...]
    claims_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Key:
    """What one key of a sweep accepts: a list of values that pass `test`, or one of them; `single`: only one.

    `names` are what a misspelt value may have been meant to be.
    """

    test: object
    accepted: str
    default: object = field(default=None)
    required: bool = False
    single: bool = False
    names: tuple[str, ...] = ()


def _is(*types):
    return lambda value: isinstance(value, types) and not isinstance(value, bool)


_PROBE = RowSource.of(np.eye(2))


def _resolves(resolve):
    def test(value):
        try:
            resolve(value)
        except InvalidArgumentError:
            return False
        return True

    return test


def _names_ordering(value):
    return isinstance(value, str) and _resolves(lambda name: resolve_ordering(name, _PROBE, 1.0))(value)


def _is_file_name(value):
    return isinstance(value, str) and re.fullmatch(r"\w[\w.-]*", value) is not None


_SWEEP_KEYS = {
    "name": _Key(_is(str), "a name", required=True, single=True),
    "calibration": _Key(_is(str), "names of [calibration.NAME] tables", required=True),
    "damping": _Key(_resolves(lambda value: resolve_damping(value, _PROBE)), "numbers >= 0 or the rules " + ", ".join(RULES), (0.0,),
                    names=RULES),
    "ordering": _Key(_names_ordering, "the orderings " + ", ".join(ORDERINGS), ("natural",), names=ORDERINGS),
    "rounding": _Key(ROUNDINGS.__contains__, " or ".join(ROUNDINGS), ("nearest",), names=ROUNDINGS),
    "algorithm": _Key(ALGORITHMS.__contains__, " or ".join(ALGORITHMS), ("optq",), names=ALGORITHMS),
    "form": _Key(FORMS.__contains__, " or ".join(FORMS), ("alternating",), names=FORMS),
    "bits": _Key(lambda value: _is(int)(value) and 2 <= value <= 32, "integers from 2 to 32", (4,)),
    "alphabet": _Key(ALPHABETS.__contains__, " or ".join(ALPHABETS), ("infinite",), names=ALPHABETS),
    "seeds": _Key(lambda value: _is(int)(value) and value >= 1, "an integer >= 1: how many repetitions", 1, single=True),
    "draws": _Key(lambda value: _is(int)(value) and value >= 0, "an integer >= 0", 0, single=True),
    "failure_probability": _Key(lambda value: _is(float)(value) and 0 < value < 1, "numbers strictly between 0 and 1", (0.05,)),
    "claims": _Key(_is(str), "claim ids", ("all",)),
}
_AXES = ("calibration", "damping", "ordering", "rounding", "algorithm", "form", "bits", "alphabet")


def available_claims(own: Iterable[str]) -> dict[str, Claim]:
    """The claims that a study can name: the shipped ones, and those with ids in `own` that its own files registered."""
    own = set(own)
    return {claim_id: made for claim_id, made in claims().items() if made.chapter in CHAPTERS or claim_id in own}


def read_study(path: str | Path) -> Study:
    """Read a study from a TOML file, or one of the shipped ones by name.

    Raises:
        InvalidArgumentError: no such file, no TOML, an unknown key or name (with the nearest valid one), a wrong type, an
            empty grid; before anything runs, with file and key.

    >>> read_study("paper").name
    'paper'
    """
    shown = str(path)
    source = resources.files("provable_ptq.experiments.studies") / f"{shown}.toml" if shown in SHIPPED else Path(path)
    if not source.is_file():
        raise reject("study", shown, "a TOML file or a shipped study: " + ", ".join(SHIPPED))
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise reject("study", shown, f"a TOML file ({error})") from None
    folder = source.parent if isinstance(source, Path) else Path()
    return _Reader(shown, folder).study(content)


class _Reader:
    def __init__(self, file: str, folder: Path):
        self.file = file
        self.folder = folder
        self.own_claims: list[str] = []

    def refuse(self, key: str, value: object, accepted: str) -> InvalidArgumentError:
        return reject(f"{self.file}: {key}", value, accepted)

    def known(self, key: str, value: object, names) -> None:
        if value not in names:
            raise self.refuse(key, value, "one of " + ", ".join(names) + did_you_mean(value, names))

    def study(self, content: dict) -> Study:
        for key in content:
            self.known("key", key, ("name", "title", "seed", "claims", "tightness", "growth", "calibration", "sweep"))
        checks = (("name", _is_file_name, "a name of letters, digits, '-', '_' and '.'"), ("title", _is(str), "a title"),
                  ("seed", _is(int), "an integer"))
        for key, test, accepted in checks:
            if not test(content.get(key)):
                raise self.refuse(key, content.get(key), accepted)
        files = self.claims_files(content.get("claims", []))
        tables = content.get("calibration")
        if not isinstance(tables, dict) or not tables:
            raise self.refuse("calibration", tables, "at least one [calibration.NAME] table")
        for name, parameters in tables.items():
            if not isinstance(parameters, dict):
                raise self.refuse(f"calibration.{name}", parameters, f"a [calibration.{name}] table")
            try:
                check_parameters(f"calibration.{name}", parameters)
            except InvalidArgumentError as error:
                raise InvalidArgumentError(f"{self.file}: {error}") from None
        sweeps = content.get("sweep")
        if not isinstance(sweeps, list) or not sweeps:
            raise self.refuse("sweep", sweeps, "at least one [[sweep]] table")
        for sweep in sweeps:
            if not isinstance(sweep, dict):
                raise self.refuse("sweep", sweep, "[[sweep]] tables")
        cells = [cell for sweep in sweeps for cell in self.cells(content, sweep, tables, files)]
        for cell, times in Counter(cells).items():
            if times > 1:
                given = (cell.calibration, cell.damping, cell.ordering)
                raise self.refuse(f"sweep {cell.sweep}", given, "a cell that no other sweep of this name has")
        cells += [*self.growth_cells(content), *self.replay_cells(content)]
        return Study(content["name"], content["title"], content["seed"], tuple(cells), files)

    def growth_cells(self, content: dict) -> list[GrowthCell]:
        """The adversarial construction at the sizes of the [growth] table, largest first: they take longest."""
        table = content.get("growth", {"features": []})
        if not isinstance(table, dict):
            raise self.refuse("growth", table, "a [growth] table")
        for key in table:
            self.known("growth: key", key, ("features", "eta"))
        sizes, eta = table.get("features"), table.get("eta", GROWTH_ETA)
        if not isinstance(sizes, list) or not all(_is(int)(size) and 2 <= size < 2**19 for size in sizes):
            raise self.refuse("growth: features", sizes, "a list of integers from 2 to 2**19 - 1")
        if not _is(float)(eta) or not 0 < eta < 0.5 or (eta * 2**20) % 2 != 1:
            raise self.refuse("growth: eta", eta, "an odd multiple of 2**-20 below 1/2, so that no step is a tie")
        pairs = itertools.product(sorted(sizes, reverse=True), ROUNDINGS)
        return [GrowthCell(content["name"], content["seed"], size, eta, rounding) for size, rounding in pairs]

    def replay_cells(self, content: dict) -> list[ReplayCell]:
        """One cell per shipped attack, where `tightness = true`."""
        wanted = content.get("tightness", False)
        if not isinstance(wanted, bool):
            raise self.refuse("tightness", wanted, "true or false")
        return [ReplayCell(content["name"], claim_id, size) for claim_id, size in shipped_attacks()] if wanted else []

    def claims_files(self, given: object) -> tuple[str, ...]:
        if not isinstance(given, list) or not all(isinstance(file, str) for file in given):
            raise self.refuse("claims", given, "a list of Python files that register claims")
        files = tuple(str((self.folder / file).resolve()) for file in given)
        for file in files:
            self.own_claims += load_claims(file)
        return files

    def cells(self, content: dict, sweep: dict, tables: dict, files: tuple[str, ...]):
        name = sweep.get("name")
        where = f"sweep {name if isinstance(name, str) else '?'}"
        for key in sweep:
            self.known(f"{where}: key", key, tuple(_SWEEP_KEYS))
        read = {key: self.values(where, key, sweep.get(key), rule) for key, rule in _SWEEP_KEYS.items()}
        if read["draws"][0] and read["rounding"] != ("stochastic",):
            raise self.refuse(f"{where}: draws", read["draws"][0], 'draws only where rounding = "stochastic"')
        for calibration in read["calibration"]:
            self.known(f"{where}: calibration", calibration, tuple(tables))
        if read["claims"] != ("all",):
            for claim_id in read["claims"]:
                self.known(f"{where}: claims", claim_id, tuple(available_claims(self.own_claims)))
        for values in itertools.product(*(read[axis] for axis in _AXES)):
            axes = dict(zip(_AXES, values, strict=True))
            for seed in range(read["seeds"][0]):
                yield Cell(
                    study=content["name"], study_seed=content["seed"], sweep=read["name"][0],
                    parameters=tuple(sorted(tables[axes["calibration"]].items())), seed=seed, draws=read["draws"][0],
                    failure_probability=read["failure_probability"], claims=read["claims"], claims_files=files, **axes,
                )

    def values(self, where: str, key: str, given: object, rule: _Key) -> tuple:
        if given is None:
            if rule.required:
                raise self.refuse(f"{where}: {key}", given, rule.accepted)
            given = rule.default
        values = tuple(given) if isinstance(given, (list, tuple)) and not rule.single else (given,)
        if not values:
            raise self.refuse(f"{where}: {key}", given, f"at least one value: {rule.accepted}")
        for value in values:
            if not rule.test(value):
                raise self.refuse(f"{where}: {key}", value, rule.accepted + did_you_mean(value, rule.names))
        if len(set(values)) < len(values):
            raise self.refuse(f"{where}: {key}", given, "every value once")
        return values
