"""The growth cells: what the construction promises, at sizes small enough for a test."""

import numpy as np
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments.cells.growth import GrowthCell
from provable_ptq.experiments.study import read_study
from provable_ptq.experiments.study.sections import GROWTH_ETA

STUDY = """
name = "tiny"
title = "t"
seed = 1
[growth]
features = {features}
eta = {eta}
[calibration.a]
kind = "gaussian"
samples = 8
features = 3
neurons = 2
[[sweep]]
name = "s"
calibration = "a"
"""


@pytest.mark.parametrize("features", [2, 16, 100])
def test_nearest_rounding_errs_by_eta_root_n_and_uses_codes_up_to_n_eta(features):
    (row,), inputs = GrowthCell("s", 1, features, GROWTH_ETA, "nearest").rows()
    assert row["measured_max"] == pytest.approx(GROWTH_ETA * np.sqrt(features), rel=1e-10)
    assert row["largest_code"] == np.rint(GROWTH_ETA * features)
    assert inputs == {}


def test_stochastic_rounding_stays_small_on_the_same_input():
    (nearest,), _ = GrowthCell("s", 1, 256, GROWTH_ETA, "nearest").rows()
    runs, _ = GrowthCell("s", 1, 256, GROWTH_ETA, "stochastic").rows()
    assert [row["seed"] for row in runs] == list(range(9))
    assert len({row["measured_max"] for row in runs}) > 5
    for stochastic in runs:  # one of these seeds' levels may be exceeded with probability 0.05; none is
        assert stochastic["measured_max"] < stochastic["level"] < nearest["measured_max"]
        assert stochastic["largest_code"] < stochastic["code_level"] < nearest["largest_code"]


def write(tmp_path, features="[8, 4]", eta="0.30000019073486328"):
    path = tmp_path / "s.toml"
    path.write_text(STUDY.format(features=features, eta=eta))
    return path


def test_a_growth_table_becomes_cells_largest_first(tmp_path):
    cells = [cell for cell in read_study(write(tmp_path)).cells if isinstance(cell, GrowthCell)]
    assert [(cell.features, cell.rounding) for cell in cells] == [(8, "nearest"), (8, "stochastic"), (4, "nearest"), (4, "stochastic")]


@pytest.mark.parametrize(("features", "eta", "named"), [
    ("[1]", repr(GROWTH_ETA), "growth: features"),
    ("8", repr(GROWTH_ETA), "growth: features"),
    ("[4.5]", repr(GROWTH_ETA), "growth: features"),
    ("[8]", "0.3", "growth: eta"),
    ("[8]", "0.75", "growth: eta"),
    ("[8]", '"x"', "growth: eta"),
])
def test_a_bad_growth_table_is_refused(tmp_path, features, eta, named):
    with pytest.raises(InvalidArgumentError, match=named):
        read_study(write(tmp_path, features, eta))
