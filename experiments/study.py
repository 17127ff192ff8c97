"""A study: a sweep as data. Its TOML file is read and refused before anything runs."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np

from ..algorithms.arguments import InvalidArgumentError, as_path, reject
from ..algorithms.damping import RULES, resolve_damping
from ..algorithms.factorization import RowSource
from ..algorithms.ordering import ORDERINGS, resolve_ordering
from ..algorithms.qronos import FORMS
from ..algorithms.rounding import ROUNDINGS
from ..bounds.checking.loading import claims_file, load_claims
from ..bounds.checking.problem import ALGORITHMS
from .calibration.load import MISMATCHES, check_mismatch, check_parameters, layer_names, preparations, resolve_files, shape
from .cells import StudyCell
from .cells.construction import ConstructionCell, constructions
from .cells.growth import GrowthCell
from .cells.permutations import MOST_FEATURES, PermutationsCell
from .cells.replay import ReplayCell, shipped_attacks
from .cells.sweep import SweepCell, available_claims
from .names import did_you_mean

SHIPPED = ("paper", "quick")
SEARCHABLE = 16  # features up to which a study may ask for the exact optimum
ALPHABETS = ("infinite", "finite")
STEPS = ("uniform", "inverse-pivot")
GROWTH_ETA = 314573 / 2**20  # about 0.3
MOST_CELLS = 100_000  # of a study: more is a slip of the pen, and their specs alone would fill the memory
MOST_DRAWS = 10**8
MOST_ENTRIES = 2**31  # of a matrix that is drawn: 16 GiB
LONGEST_NAME = 100  # bytes: names become those of files


@dataclass(frozen=True)
class Study:
    """A study as read from its file: `cells` in a fixed order; `sha256` of the file.

    `awaited` are the claims that its own claims files must register, each with the place where the study names it.
    """

    name: str
    title: str
    seed: int
    cells: tuple[StudyCell, ...]
    claims_files: tuple[str, ...] = ()
    sha256: str = ""
    awaited: tuple[tuple[str, str], ...] = ()

    def load_claims(self) -> None:
        """Run the files of the study's own claims, and refuse a sweep that names a claim which is in none of them.

        Reading a study runs nothing of the user's; whoever evaluates its cells calls this first.

        Raises:
            InvalidArgumentError: a file that cannot be imported, or a claim that nobody registers.
        """
        known = tuple(available_claims([name for file in self.claims_files for name in load_claims(file)]))
        for place, name in self.awaited:
            if name not in known:
                raise reject(place, name, "one of " + ", ".join(known) + did_you_mean(name, known))

    def preparations(self) -> list:
        """Costly inputs that several cells share, each once: what to run (into a cache) before the cells."""
        wanted = {(cell.parameters, cell.mismatch): None for cell in self.cells if isinstance(cell, SweepCell)}
        return preparations([(dict(parameters), mismatch) for parameters, mismatch in wanted])


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
    return isinstance(value, str) and re.fullmatch(r"\w[\w.-]*", value) is not None and len(value.encode()) <= LONGEST_NAME


NAME = f"a name of letters, digits, '-', '_' and '.', at most {LONGEST_NAME} bytes long"
SWEEP_KEYS = {
    "name": _Key(_is_file_name, NAME, required=True, single=True),
    "calibration": _Key(_is(str), "names of [calibration.NAME] tables", required=True),
    "mismatch": _Key(_is(str), "the mismatches " + ", ".join(MISMATCHES), ("none",), names=MISMATCHES),
    "damping": _Key(_resolves(lambda value: resolve_damping(value, _PROBE)), "numbers >= 0 or the rules " + ", ".join(RULES), (0.0,),
                    names=RULES),
    "ordering": _Key(_names_ordering, "the orderings " + ", ".join(ORDERINGS), ("natural",), names=ORDERINGS),
    "rounding": _Key(ROUNDINGS.__contains__, " or ".join(ROUNDINGS), ("nearest",), names=ROUNDINGS),
    "algorithm": _Key(ALGORITHMS.__contains__, " or ".join(ALGORITHMS), ("optq",), names=ALGORITHMS),
    "form": _Key(FORMS.__contains__, " or ".join(FORMS), ("alternating",), names=FORMS),
    "bits": _Key(lambda value: _is(int)(value) and 2 <= value <= 32, "integers from 2 to 32", (4,)),
    "steps": _Key(STEPS.__contains__, " or ".join(STEPS), ("uniform",), names=STEPS),
    "alphabet": _Key(ALPHABETS.__contains__, " or ".join(ALPHABETS), ("infinite",), names=ALPHABETS),
    "seeds": _Key(lambda value: _is(int)(value) and value >= 1, "an integer >= 1: how many repetitions", 1, single=True),
    "draws": _Key(lambda value: _is(int)(value) and 0 <= value <= MOST_DRAWS, f"an integer from 0 to {MOST_DRAWS}", 0, single=True),
    "failure_probability": _Key(lambda value: _is(float)(value) and 0 < value < 1, "numbers strictly between 0 and 1", (0.05,)),
    "claims": _Key(_is(str), "claim ids", ("all",)),
    "optimum": _Key(lambda value: isinstance(value, bool), "true or false", False, single=True),
}
_AXES = ("calibration", "mismatch", "damping", "ordering", "rounding", "algorithm", "form", "bits", "steps", "alphabet")


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
    source = resources.files("provable_ptq.experiments.studies") / f"{shown}.toml" if shown in SHIPPED else Path(path)
    if not source.is_file():
        raise reject("study", shown, accepted + did_you_mean(shown, SHIPPED))
    try:
        written = source.read_bytes()
        content = tomllib.loads(written.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise reject("study", shown, f"a TOML file ({error})") from None
    except RecursionError:
        raise reject("study", shown, "a TOML file that is nested less deeply") from None
    folder = source.parent if isinstance(source, Path) else Path()
    return _Reader(shown, folder).study(content, hashlib.sha256(written).hexdigest())


def _features(parameters: dict) -> int:
    """The features of a calibration table; of its widest layer where it has several."""
    return max(shape(parameters | ({"layer": layer} if layer else {}))[1] for layer in layer_names(parameters))


class _Reader:
    def __init__(self, file: str, folder: Path):
        self.file = file
        self.folder = folder
        self.awaited: list[tuple[str, str]] = []

    def refuse(self, key: str, value: object, accepted: str) -> InvalidArgumentError:
        return reject(f"{self.file}: {key}", value, accepted)

    def known(self, key: str, value: object, names) -> None:
        if value not in names:
            raise self.refuse(key, value, "one of " + ", ".join(names) + did_you_mean(value, names))

    def study(self, content: dict, sha256: str) -> Study:
        for key in content:
            self.known("key", key, ("name", "title", "seed", "claims", "tightness", "constructions", "growth", "permutations",
                                    "calibration", "sweep"))
        checks = (("name", _is_file_name, NAME), ("title", _is(str), "a title"),
                  ("seed", _is(int), "an integer"))
        for key, test, accepted in checks:
            if not test(content.get(key)):
                raise self.refuse(key, content.get(key), accepted)
        files = self.claims_files(content.get("claims", []))
        tables = self.calibrations(content.get("calibration"))
        sweeps = content.get("sweep")
        if not isinstance(sweeps, list) or not sweeps:
            raise self.refuse("sweep", sweeps, "at least one [[sweep]] table")
        for sweep in sweeps:
            if not isinstance(sweep, dict):
                raise self.refuse("sweep", sweep, "[[sweep]] tables")
        cells = []
        for sweep in sweeps:
            cells += self.cells(content, sweep, tables, files, MOST_CELLS - len(cells))
        for cell, times in Counter(cells).items():
            if times > 1:
                given = (cell.calibration, cell.damping, cell.ordering)
                raise self.refuse(f"sweep {cell.sweep}", given, "a cell that no other sweep of this name has")
        cells += [*self.growth_cells(content), *self.permutations_cells(content, tables), *self.replay_cells(content),
                  *self.construction_cells(content)]
        return Study(content["name"], content["title"], content["seed"], tuple(cells), files, sha256, tuple(self.awaited))

    def calibrations(self, tables: object) -> dict[str, dict]:
        """The [calibration.NAME] tables, checked, with the files of the user's own found and hashed."""
        if not isinstance(tables, dict) or not tables:
            raise self.refuse("calibration", tables, "at least one [calibration.NAME] table")
        read = {}
        for name, parameters in tables.items():
            if not isinstance(parameters, dict):
                raise self.refuse(f"calibration.{name}", parameters, f"a [calibration.{name}] table")
            try:
                check_parameters(f"calibration.{name}", parameters)
                read[name] = resolve_files(f"calibration.{name}", parameters, self.folder)
                self.affordable(f"calibration.{name}", read[name])
            except InvalidArgumentError as error:
                raise InvalidArgumentError(f"{self.file}: {error}") from None
        return read

    @staticmethod
    def affordable(name: str, parameters: dict) -> None:
        """Refuse matrices that no memory holds, where they are drawn and not read from files."""
        if parameters["kind"] == "file":
            return
        for layer in layer_names(parameters):
            m, N, K = shape(parameters | ({"layer": layer} if layer else {}))
            if N * max(m, K) > MOST_ENTRIES:
                raise reject(name, {"samples": m, "features": N, "neurons": K}, f"matrices of at most {MOST_ENTRIES} entries")

    def permutations_cells(self, content: dict, tables: dict) -> list[PermutationsCell]:
        """All N! orderings of the small matrices that the [permutations] table names."""
        table = content.get("permutations")
        if table is None:
            return []
        if not isinstance(table, dict):
            raise self.refuse("permutations", table, "a [permutations] table")
        keys = ("calibration", "damping", "bits")
        for key in table:
            self.known("permutations: key", key, keys)
        read = {key: self.values("permutations", key, table.get(key), SWEEP_KEYS[key]) for key in keys}
        for name in read["calibration"]:
            self.known("permutations: calibration", name, tuple(tables))
            features = _features(tables[name])
            if features > MOST_FEATURES:
                raise self.refuse("permutations: calibration", name, f"matrices of at most {MOST_FEATURES} features (it has {features})")
        return [
            PermutationsCell(content["name"], content["seed"], name, tuple(sorted(tables[name].items())), damping, bits)
            for name, damping, bits in itertools.product(read["calibration"], read["damping"], read["bits"])
        ]

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
        if len(set(sizes)) < len(sizes):
            raise self.refuse("growth: features", sizes, "every value once")
        if not _is(float)(eta) or not 0 < eta < 0.5 or (eta * 2**20) % 2 != 1:
            raise self.refuse("growth: eta", eta, "an odd multiple of 2**-20 below 1/2, so that no step is a tie")
        pairs = itertools.product(sorted(sizes, reverse=True), ROUNDINGS)
        return [GrowthCell(content["name"], content["seed"], size, eta, rounding) for size, rounding in pairs]

    def replay_cells(self, content: dict) -> list[ReplayCell]:
        """One cell per shipped attack, where `tightness = true`."""
        wanted = self.asked(content, "tightness")
        return [ReplayCell(content["name"], claim_id, size) for claim_id, size in shipped_attacks()] if wanted else []

    def construction_cells(self, content: dict) -> list[ConstructionCell]:
        """One cell per claim about a construction of its own, where `constructions = true`."""
        wanted = self.asked(content, "constructions")
        return [ConstructionCell(content["name"], content["seed"], claim_id) for claim_id in constructions()] if wanted else []

    def asked(self, content: dict, key: str) -> bool:
        """A key of the study that is true or false, and false where it is left out."""
        wanted = content.get(key, False)
        if not isinstance(wanted, bool):
            raise self.refuse(key, wanted, "true or false")
        return wanted

    def claims_files(self, given: object) -> tuple[str, ...]:
        if not isinstance(given, list) or not all(isinstance(file, str) for file in given):
            raise self.refuse("claims", given, "a list of Python files that register claims")
        try:
            return tuple(str(claims_file(os.path.abspath(self.folder / file))) for file in given)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{self.file}: {error}") from None

    def cells(self, content: dict, sweep: dict, tables: dict, files: tuple[str, ...], most: int):
        name = sweep.get("name")
        where = f"sweep {name if isinstance(name, str) else '?'}"
        for key in sweep:
            self.known(f"{where}: key", key, tuple(SWEEP_KEYS))
        read = {key: self.values(where, key, sweep.get(key), rule) for key, rule in SWEEP_KEYS.items()}
        if read["draws"][0] and read["rounding"] != ("stochastic",):
            raise self.refuse(f"{where}: draws", read["draws"][0], 'draws only where rounding = "stochastic"')
        if "inverse-pivot" in read["steps"] and "finite" in read["alphabet"]:
            raise self.refuse(f"{where}: steps", "inverse-pivot", "inverse-pivot steps on the infinite alphabet only")
        if "stochastic" in read["rounding"] and "round-to-nearest" in read["algorithm"]:
            raise self.refuse(f"{where}: rounding", "stochastic", "nearest only, beside the algorithm round-to-nearest")
        for calibration in read["calibration"]:
            self.known(f"{where}: calibration", calibration, tuple(tables))
            self.fits(where, read, calibration, tables[calibration])
        if read["claims"] != ("all",):
            for claim_id in read["claims"]:
                if not files:
                    self.known(f"{where}: claims", claim_id, tuple(available_claims([])))
                self.awaited.append((f"{self.file}: {where}: claims", claim_id))
        layers = sum(len(layer_names(tables[name])) for name in read["calibration"])
        wanted = layers * read["seeds"][0] * math.prod(len(read[axis]) for axis in _AXES if axis != "calibration")
        if wanted > most:
            raise self.refuse(f"{where}: cells", wanted, f"at most {MOST_CELLS} cells in a study (values of all keys, layers and seeds "
                                                        "multiply)")
        shared = {"study": content["name"], "study_seed": content["seed"], "sweep": read["name"][0], "draws": read["draws"][0],
                  "failure_probability": read["failure_probability"], "claims": read["claims"], "claims_files": files,
                  "optimum": read["optimum"][0]}
        for values in itertools.product(*(read[axis] for axis in _AXES)):
            axes = dict(zip(_AXES, values, strict=True))
            if axes["algorithm"] != "qronos" and axes["form"] != read["form"][0]:
                continue  # only Qronos has forms
            parameters = tables[axes["calibration"]]
            for layer, seed in itertools.product(layer_names(parameters), range(read["seeds"][0])):
                of_layer = parameters | ({"layer": layer} if layer else {})
                yield SweepCell(layer=layer, parameters=tuple(sorted(of_layer.items())), seed=seed, **shared, **axes)

    def fits(self, where: str, read: dict, calibration: str, parameters: dict) -> None:
        """Refuse a mismatch that the calibration has no network for, and searches for the optimum of too many features."""
        for mismatch in read["mismatch"]:
            if mismatch == "deployed" and "deployed" not in parameters:
                raise self.refuse(f"{where}: mismatch", mismatch, f"a calibration table with the key 'deployed' ({calibration} has none)")
            try:
                check_mismatch(f"{where}: mismatch", mismatch, parameters["kind"])
            except InvalidArgumentError as error:
                raise InvalidArgumentError(f"{self.file}: {error}") from None
        if read["optimum"][0]:
            features = _features(parameters)
            if features > SEARCHABLE or "finite" in read["alphabet"]:
                raise self.refuse(f"{where}: optimum", True, f"infinite alphabets and at most {SEARCHABLE} features "
                                                            f"({calibration} has {features})")

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
