"""One [[sweep]] table of a study: what it asks for, refused where it does not fit together, and the cells that it expands to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ...algorithms.arguments import InvalidArgumentError
from ..calibration.load import check_mismatch, layer_names
from ..cells.sweep import SweepCell, available_claims
from .keys import AXES, SWEEP_KEYS
from .source import Header, Source, widest

SEARCHABLE = 16  # features up to which a study may ask for the exact optimum
MOST_CELLS = 100_000  # of a study: more is a slip of the pen, and their specs alone would fill the memory


class Sweep:
    """A [[sweep]] table with every key that was left out at its default.

    Arguments:
        source: the file, for refusals.
        header: what all sweeps share.
        given: the table.

    Raises:
        InvalidArgumentError: an unknown key or name, a value that is not accepted, or values that do not go together.
    """

    def __init__(self, source: Source, header: Header, given: Mapping[str, Any]):
        name = given.get("name")
        self.source, self.header = source, header
        self.where = f"sweep {name if isinstance(name, str) else '?'}"
        for key in given:
            source.known(f"{self.where}: key", key, tuple(SWEEP_KEYS))
        self.read = {key: source.values(self.where, key, given.get(key), rule) for key, rule in SWEEP_KEYS.items()}
        self._refuse_what_does_not_go_together()
        for calibration in self.read["calibration"]:
            source.known(f"{self.where}: calibration", calibration, tuple(header.tables))
            self._refuse_misfit(calibration)
        if not header.claims_files:
            for _, claim_id in self.awaited():
                source.known(f"{self.where}: claims", claim_id, tuple(available_claims([])))

    def awaited(self) -> list[tuple[str, str]]:
        """The claims that the sweep names, each with the place where it does."""
        named = self.read["claims"] if self.read["claims"] != ("all",) else ()
        return [(f"{self.source.file}: {self.where}: claims", claim_id) for claim_id in named]

    def refuse_beside(self, others: int) -> None:
        """Refuse a sweep of more cells than a study has room for beside so many others, before any is made."""
        layers = sum(len(layer_names(self.header.tables[name])) for name in self.read["calibration"])
        wanted = layers * self.read["seeds"][0] * math.prod(len(self.read[axis]) for axis in AXES if axis != "calibration")
        if wanted > MOST_CELLS - others:
            accepted = f"at most {MOST_CELLS} cells in a study (values of all keys, layers and seeds multiply)"
            raise self._refuse("cells", wanted, accepted)

    def cells(self) -> Iterator[SweepCell]:
        """One cell for each combination of values, layers and repetitions."""
        read, header = self.read, self.header
        shared = {"study": header.name, "study_seed": header.seed, "sweep": read["name"][0], "draws": read["draws"][0],
                  "failure_probability": read["failure_probability"], "claims": read["claims"], "claims_files": header.claims_files,
                  "optimum": read["optimum"][0]}
        for values in itertools.product(*(read[axis] for axis in AXES)):
            axes = dict(zip(AXES, values, strict=True))
            if axes["algorithm"] != "qronos" and axes["form"] != read["form"][0]:
                continue  # only Qronos has forms
            parameters = header.tables[axes["calibration"]]
            for layer, seed in itertools.product(layer_names(parameters), range(read["seeds"][0])):
                of_layer = parameters | ({"layer": layer} if layer else {})
                yield SweepCell(layer=layer, parameters=tuple(sorted(of_layer.items())), seed=seed, **shared, **axes)

    def _refuse(self, key: str, value: object, accepted: str) -> InvalidArgumentError:
        return self.source.refuse(f"{self.where}: {key}", value, accepted)

    def _refuse_what_does_not_go_together(self) -> None:
        read = self.read
        if read["draws"][0] and read["rounding"] != ("stochastic",):
            raise self._refuse("draws", read["draws"][0], 'draws only where rounding = "stochastic"')
        if "inverse-pivot" in read["steps"] and "finite" in read["alphabet"]:
            raise self._refuse("steps", "inverse-pivot", "inverse-pivot steps on the infinite alphabet only")
        if "stochastic" in read["rounding"] and "round-to-nearest" in read["algorithm"]:
            raise self._refuse("rounding", "stochastic", "nearest only, beside the algorithm round-to-nearest")

    def _refuse_misfit(self, calibration: str) -> None:
        """Refuse a mismatch that the calibration has no network for, and searches for the optimum of too many features."""
        parameters = self.header.tables[calibration]
        for mismatch in self.read["mismatch"]:
            if mismatch == "deployed" and "deployed" not in parameters:
                raise self._refuse("mismatch", mismatch, f"a calibration table with the key 'deployed' ({calibration} has none)")
            try:
                check_mismatch(f"{self.where}: mismatch", mismatch, parameters["kind"])
            except InvalidArgumentError as error:
                raise self.source.refuse_as(error) from None
        if self.read["optimum"][0]:
            features = widest(parameters)
            if features > SEARCHABLE or "finite" in self.read["alphabet"]:
                accepted = f"infinite alphabets and at most {SEARCHABLE} features ({calibration} has {features})"
                raise self._refuse("optimum", True, accepted)
