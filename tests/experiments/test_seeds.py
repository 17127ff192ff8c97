"""Seeds are hashes of named axes."""

import itertools

import pytest
from provable_ptq.experiments.seeds import seed_of


def test_a_seed_is_the_same_in_every_process_and_version():
    assert seed_of(study=1, calibration="ar1", seed=0) == 6529216010849311394


def test_the_order_of_the_axes_does_not_matter():
    axes = {"study": 3, "calibration": "digits", "seed": 2, "axis": "rounding"}
    assert {seed_of(**dict(given)) for given in itertools.permutations(axes.items())} == {seed_of(**axes)}


@pytest.mark.parametrize("change", [{"study": 2}, {"calibration": "ar2"}, {"seed": 1}, {"axis": "rounding"}, {"seed": "0"}])
def test_every_axis_matters(change):
    axes = {"study": 1, "calibration": "ar1", "seed": 0}
    assert seed_of(**axes | change) != seed_of(**axes)


def test_seeds_are_distinct_and_fit_63_bits():
    seeds = {seed_of(study=study, calibration="a", seed=seed) for study in range(40) for seed in range(40)}
    assert len(seeds) == 1600
    assert 0 <= min(seeds) < 2**59 < 2**62 < max(seeds) < 2**63
