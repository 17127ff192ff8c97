"""Calibration tables: refused before anything runs, and layers that depend on their name and seeds alone."""

import numpy as np
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.bounds.problems import ZOO
from provable_ptq.experiments.calibration import load_layer
from provable_ptq.experiments.calibration.load import KINDS, check_parameters

SIZES = {"samples": 6, "features": 6, "neurons": 2}
GAUSSIAN = {"kind": "gaussian", **SIZES}


@pytest.mark.parametrize("kind", ZOO)
def test_every_kind_loads_at_the_sizes_asked_for(kind):
    layer = load_layer("x", {"kind": kind, **SIZES}, study_seed=0, seed=0)
    assert (layer.X.shape, layer.W.shape) == ((6, 6), (6, 2))
    assert layer.X_validation is None if kind == "adversarial" else layer.X_validation.shape == (6, 6)
    assert layer.source_sha256 == ""


def test_a_layer_is_the_same_whenever_it_is_loaded():
    first, again = (load_layer("x", GAUSSIAN, study_seed=3, seed=1) for _ in range(2))
    for name in ("X", "X_validation", "W"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


@pytest.mark.parametrize("change", [{"name": "y"}, {"study_seed": 4}, {"seed": 2}])
def test_name_study_seed_and_repetition_each_draw_new_data(change):
    asked = {"name": "x", "parameters": GAUSSIAN, "study_seed": 3, "seed": 1}
    first, other = load_layer(**asked), load_layer(**asked | change)
    for name in ("X", "X_validation", "W"):
        assert not np.isin(getattr(first, name), getattr(other, name)).any()


def test_held_out_inputs_are_other_rows_of_the_same_law():
    layer = load_layer("x", {"kind": "ar1", "samples": 4000, "features": 3, "neurons": 1, "correlation": 0.8}, study_seed=0, seed=0)
    assert not np.isin(layer.X_validation, layer.X).any()
    law = 0.8 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    for rows in (layer.X, layer.X_validation):
        np.testing.assert_allclose(rows.T @ rows / len(rows), law, atol=0.1)


def test_options_reach_the_matrix():
    loaded = load_layer("x", {"kind": "low-rank", "rank": 1, "noise": 0.0, **SIZES}, study_seed=0, seed=0)
    assert np.linalg.matrix_rank(loaded.X) == 1


def test_digits_layers_ignore_the_seeds():
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    one, other = (load_layer("d", {"kind": "digits", "layer": "output"}, study_seed=seed, seed=seed) for seed in (0, 1))
    assert one.X.shape == (1200, 96)
    np.testing.assert_array_equal(one.X, other.X)
    assert one.source_sha256 == other.source_sha256 != ""


@pytest.mark.parametrize(("change", "message"), [
    ({"kind": "gausian"}, r"^cal\.kind = 'gausian' is not accepted: one of gaussian, .*; did you mean 'gaussian'\?$"),
    ({"kind": None}, r"^cal\.kind = None is not accepted: one of gaussian,"),
    ({"kind": "digits"}, r"^cal\.samples = 6 is not accepted: only the keys kind, layer$"),
    ({"sample": 6}, r"^cal\.sample = 6 is not accepted: only the keys kind, samples, .*; did you mean 'samples'\?$"),
    ({"correlation": 0.5}, r"^cal\.correlation = 0\.5 is not accepted: only the keys kind, samples, features, neurons$"),
    ({"kind": "ar1", "corelation": 0.5}, r"did you mean 'correlation'\?$"),
    ({"samples": 0}, r"^cal\.samples = 0 is not accepted: an integer >= 1$"),
    ({"features": -3}, r"^cal\.features = -3 is not accepted: an integer >= 1$"),
    ({"neurons": 2.0}, r"^cal\.neurons = 2\.0 is not accepted: an integer >= 1$"),
    ({"samples": True}, r"^cal\.samples = True is not accepted"),
    ({"samples": "6"}, r"^cal\.samples = '6' is not accepted"),
    ({"samples": None}, r"^cal\.samples = None is not accepted"),
    ({"kind": "adversarial", "samples": 5}, r"^cal\.samples = 5 is not accepted: samples = features = 6"),
    ({"kind": "ar1", "correlation": 1.5}, r"^cal\.correlation = 1\.5 is not accepted: a value that makes a finite matrix"),
    ({"kind": "ar1", "correlation": float("nan")}, r"^cal\.correlation = nan is not accepted: a finite number$"),
    ({"kind": "ar1", "correlation": float("inf")}, r"^cal\.correlation = inf is not accepted: a finite number$"),
    ({"kind": "ar1", "correlation": 10**400}, r"^cal\.correlation = 1000.* is not accepted: a finite number$"),
    ({"kind": "ar1", "correlation": "0.5"}, r"^cal\.correlation = '0\.5' is not accepted: a finite number$"),
    ({"kind": "low-rank", "rank": 2.0}, r"^cal\.rank = 2\.0 is not accepted: an integer >= 0$"),
    ({"kind": "low-rank", "rank": 0}, r"^cal\.rank = 0 is not accepted: a value that makes a finite matrix"),
    ({"kind": "dead-and-duplicated", "dead": -1}, r"^cal\.dead = -1 is not accepted: an integer >= 0$"),
])
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(InvalidArgumentError, match=message):
        check_parameters("cal", GAUSSIAN | change)


def test_an_unknown_layer_of_the_digits_network_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"^cal\.layer = 'hidden3' is not accepted: one of hidden1, .*; did you mean 'hidden"):
        check_parameters("cal", {"kind": "digits", "layer": "hidden3"})


@pytest.mark.parametrize("kind", KINDS)
def test_good_parameters_pass(kind):
    assert check_parameters("cal", {"kind": "digits", "layer": "hidden1"} if kind == "digits" else {"kind": kind, **SIZES}) is None
