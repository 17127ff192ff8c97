"""The sections of a study beside its sweeps: [growth], [permutations], and the switches `tightness` and `constructions`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from ...algorithms.rounding import ROUNDINGS
from ..cells import StudyCell
from ..cells.construction import ConstructionCell, constructions
from ..cells.growth import GrowthCell
from ..cells.permutations import MOST_FEATURES, PermutationsCell
from ..cells.replay import ReplayCell, shipped_attacks
from .keys import SWEEP_KEYS, of_type
from .source import Header, Source, widest

GROWTH_ETA = 314573 / 2**20  # about 0.3


def section_cells(source: Source, header: Header, content: Mapping[str, Any]) -> list[StudyCell]:
    """The cells of all sections of a study's file.

    Raises:
        InvalidArgumentError: an unknown key, or a value that is not accepted.
    """
    cells: list[StudyCell] = [*_growth(source, header, content), *_permutations(source, header, content)]
    if _asked(source, content, "tightness"):
        cells += [ReplayCell(header.name, claim_id, size) for claim_id, size in shipped_attacks()]
    if _asked(source, content, "constructions"):
        cells += [ConstructionCell(header.name, header.seed, claim_id) for claim_id in constructions()]
    return cells


def _growth(source: Source, header: Header, content: Mapping[str, Any]) -> list[GrowthCell]:
    """The adversarial construction at the sizes of the [growth] table, largest first: they take longest."""
    table = content.get("growth", {"features": []})
    if not isinstance(table, dict):
        raise source.refuse("growth", table, "a [growth] table")
    for key in table:
        source.known("growth: key", key, ("features", "eta"))
    sizes, eta = table.get("features"), table.get("eta", GROWTH_ETA)
    if not isinstance(sizes, list) or not all(of_type(int)(size) and 2 <= size < 2**19 for size in sizes):
        raise source.refuse("growth: features", sizes, "a list of integers from 2 to 2**19 - 1")
    if len(set(sizes)) < len(sizes):
        raise source.refuse("growth: features", sizes, "every value once")
    if not of_type(float)(eta) or not 0 < eta < 0.5 or (eta * 2**20) % 2 != 1:
        raise source.refuse("growth: eta", eta, "an odd multiple of 2**-20 below 1/2, so that no step is a tie")
    pairs = itertools.product(sorted(sizes, reverse=True), ROUNDINGS)
    return [GrowthCell(header.name, header.seed, size, eta, rounding) for size, rounding in pairs]


def _permutations(source: Source, header: Header, content: Mapping[str, Any]) -> list[PermutationsCell]:
    """All N! orderings of the small matrices that the [permutations] table names."""
    table = content.get("permutations")
    if table is None:
        return []
    if not isinstance(table, dict):
        raise source.refuse("permutations", table, "a [permutations] table")
    keys = ("calibration", "damping", "bits")
    for key in table:
        source.known("permutations: key", key, keys)
    read = {key: source.values("permutations", key, table.get(key), SWEEP_KEYS[key]) for key in keys}
    for name in read["calibration"]:
        source.known("permutations: calibration", name, tuple(header.tables))
        features = widest(header.tables[name])
        if features > MOST_FEATURES:
            raise source.refuse("permutations: calibration", name, f"matrices of at most {MOST_FEATURES} features (it has {features})")
    return [
        PermutationsCell(header.name, header.seed, name, tuple(sorted(header.tables[name].items())), damping, bits)
        for name, damping, bits in itertools.product(read["calibration"], read["damping"], read["bits"])
    ]


def _asked(source: Source, content: Mapping[str, Any], key: str) -> bool:
    """A key of the study that is true or false, and false where it is left out."""
    wanted = content.get(key, False)
    if not isinstance(wanted, bool):
        raise source.refuse(key, wanted, "true or false")
    return wanted
