"""A cell's spec says all that its rows depend on: whatever is changed in a cell, its spec changes."""

from dataclasses import fields, replace

import pytest
from provable_ptq.experiments.cells.growth import GrowthCell
from provable_ptq.experiments.cells.permutations import PermutationsCell
from provable_ptq.experiments.cells.replay import ReplayCell
from provable_ptq.experiments.cells.sweep import SweepCell
from provable_ptq.experiments.study import read_study

OTHER = {bool: lambda value: not value, int: lambda value: value + 1, float: lambda value: value / 2, str: lambda value: f"{value}x"}


def other(name, value):
    """Another value of the same type."""
    if name == "parameters":
        return tuple((key, given + 1 if key == "samples" else given) for key, given in value)
    return (*value, "x") if isinstance(value, tuple) else OTHER[type(value)](value)


@pytest.mark.parametrize("kind", [SweepCell, PermutationsCell, GrowthCell, ReplayCell])
def test_every_field_tells_cells_apart(kind):
    cell = next(cell for cell in read_study("paper").cells if isinstance(cell, kind))
    for field in fields(cell):
        changed = replace(cell, **{field.name: other(field.name, getattr(cell, field.name))})
        assert changed.spec() != cell.spec(), field.name
