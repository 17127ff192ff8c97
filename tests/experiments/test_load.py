"""Calibration tables: refused before anything runs, and layers that depend on their name and seeds alone."""

import json
import pickle

import numpy as np
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.bounds.problems import ZOO
from provable_ptq.experiments.calibration import load_layer
from provable_ptq.experiments.calibration.load import (
    KINDS,
    check_parameters,
    describe_kinds,
    identity,
    layer_names,
    preparations,
    shape,
)
from provable_ptq.experiments.networks import minilm
from provable_ptq.experiments.seeds import seed_of

SIZES = {"samples": 6, "features": 6, "neurons": 2}
GAUSSIAN = {"kind": "gaussian", **SIZES}


@pytest.mark.parametrize("kind", ZOO)
def test_every_kind_loads_at_the_sizes_asked_for(kind):
    layer = load_layer("x", {"kind": kind, **SIZES}, study_seed=0, seed=0)
    assert (layer.X.shape, layer.W.shape) == ((6, 6), (6, 2))
    assert layer.X_validation is None if kind == "adversarial" else layer.X_validation.shape == (6, 6)
    assert layer.files == {}


def test_synthetic_data_are_pinned():
    """The bytes of every study made so far rest on these draws."""
    layer = load_layer("x", GAUSSIAN, study_seed=3, seed=1)
    rng = np.random.default_rng(seed_of(study=3, calibration="x", seed=1))
    both, W = rng.standard_normal((12, 6)), rng.standard_normal((6, 2))
    np.testing.assert_array_equal(np.vstack([layer.X, layer.X_validation]), both)
    np.testing.assert_array_equal(layer.W, W)


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
    assert one.files == other.files != {}


@pytest.mark.parametrize(("change", "message"), [
    ({"kind": "gausian"}, r"^cal\.kind = 'gausian' is not accepted: one of gaussian, .*; did you mean 'gaussian'\?$"),
    ({"kind": None}, r"^cal\.kind = None is not accepted: one of gaussian,"),
    ({"kind": "digits"}, r"^cal\.samples = 6 is not accepted: only the keys kind, layer$"),
    ({"sample": 6}, r"^cal\.sample = 6 is not accepted: only the keys kind, samples, .*; did you mean 'samples'\?$"),
    ({"correlation": 0.5}, r"^cal\.correlation = 0\.5 is not accepted: only the keys kind, samples, features, neurons$"),
    ({"kind": "ar1", "corelation": 0.5}, r"did you mean 'correlation'\?$"),
    ({"samples": 0}, r"^cal\.samples = 0 is not accepted: an integer from 1 to 1,000,000,000$"),
    ({"features": -3}, r"^cal\.features = -3 is not accepted: an integer from 1 to 1,000,000,000$"),
    ({"neurons": 2.0}, r"^cal\.neurons = 2\.0 is not accepted: an integer from 1 to 1,000,000,000$"),
    ({"samples": True}, r"^cal\.samples = True is not accepted"),
    ({"samples": "6"}, r"^cal\.samples = '6' is not accepted"),
    ({"samples": None}, r"^cal\.samples = None is not accepted"),
    ({"kind": "adversarial", "samples": 5}, r"^cal\.samples = 5 is not accepted: samples = features = 6"),
    ({"kind": "ar1", "correlation": 1.5}, r"^cal\.correlation = 1\.5 is not accepted: a value that makes a finite matrix"),
    ({"kind": "ar1", "correlation": float("nan")}, r"^cal\.correlation = nan is not accepted: a finite number$"),
    ({"kind": "ar1", "correlation": float("inf")}, r"^cal\.correlation = inf is not accepted: a finite number$"),
    ({"kind": "ar1", "correlation": 10**400}, r"^cal\.correlation = 1000.* is not accepted: a finite number$"),
    ({"kind": "ar1", "correlation": "0.5"}, r"^cal\.correlation = '0\.5' is not accepted: a finite number$"),
    ({"kind": "low-rank", "rank": 2.0}, r"^cal\.rank = 2\.0 is not accepted: an integer from 0 to 65,536$"),
    ({"kind": "low-rank", "rank": 0}, r"^cal\.rank = 0 is not accepted: a value that makes a finite matrix"),
    ({"kind": "dead-and-duplicated", "dead": -1}, r"^cal\.dead = -1 is not accepted: an integer from 0 to 65,536$"),
])
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(InvalidArgumentError, match=message):
        check_parameters("cal", GAUSSIAN | change)


def test_an_unknown_layer_of_the_digits_network_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"^cal\.layer = 'hidden3' is not accepted: one of hidden1, .*; did you mean 'hidden"):
        check_parameters("cal", {"kind": "digits", "layer": "hidden3"})


@pytest.mark.parametrize("table", [
    *({"kind": kind, **SIZES} for kind in ZOO),
    {"kind": "digits", "layer": "hidden1"},
    {"kind": "digits", "layer": ["hidden1", "out*"]},
    {"kind": "photographs", "shift": True},
    {"kind": "minilm", "layer": "all"},
    {"kind": "file", "inputs": "a.npy", "weights": "b.npz:w"},
], ids=lambda table: table["kind"])
def test_good_parameters_pass(table):
    assert check_parameters("cal", table) is None


@pytest.mark.parametrize("kind", [*ZOO, "digits", "photographs", "minilm"])
def test_identity_is_the_table_and_the_files_behind_it(kind):
    same = identity(good_table(kind))
    assert same.items() >= good_table(kind).items()
    assert {key.rpartition("_")[2] for key in set(same) - set(good_table(kind))} <= {"sha256"}


def test_identity_of_a_table_whose_package_is_missing_is_the_table(monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    minilm.minilm_files.cache_clear()
    assert identity({"kind": "minilm"}) == {"kind": "minilm"}
    with pytest.raises(ModuleNotFoundError, match="install the extra transformer"):
        load_layer("m", {"kind": "minilm", "layer": "encoder.layer.0.output.dense"}, study_seed=0, seed=0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_refuses_what_no_table_can_mean(kind):
    for key, option in KINDS[kind].options.items():
        assert option.default is None or option.test(option.default), "a default is accepted"
        with pytest.raises(InvalidArgumentError, match=rf"^cal\.{key} = .* is not accepted: "):
            KINDS[kind].check("cal", good_table(kind) | {key: {"no": "value"}})


def good_table(kind):
    return {"kind": kind} | ({"inputs": "a.npy", "weights": "b.npy"} if kind == "file" else SIZES if kind in ZOO else {})


# --- layers of a network ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "names"), [
    ({"kind": "gaussian"}, ("",)),
    ({"kind": "file"}, ("",)),
    ({"kind": "digits"}, ("hidden2",)),
    ({"kind": "digits", "layer": "all"}, ("hidden1", "hidden2", "output")),
    ({"kind": "digits", "layer": ["output", "hidden1"]}, ("hidden1", "output")),
    ({"kind": "minilm", "layer": "encoder.layer.5.*.key"}, ("encoder.layer.5.attention.self.key",)),
])
def test_a_table_names_one_layer_a_list_a_pattern_or_all(table, names):
    assert layer_names(table) == names


def test_minilm_has_36_layers_of_which_a_pattern_finds_some():
    assert len(layer_names({"kind": "minilm"})) == 36
    assert len(layer_names({"kind": "minilm", "layer": "*.query"})) == 6
    assert len(layer_names({"kind": "minilm", "layer": ["*.query", "encoder.layer.0.*"]})) == 11


@pytest.mark.parametrize("layer", ["*.quary", "", [], ["hidden1", "hidden3"], 3, [3]])
def test_layers_that_are_not_there_are_refused(layer):
    with pytest.raises(InvalidArgumentError, match=r"^cal\.layer = .* is not accepted: one of hidden1, hidden2, output, a list"):
        check_parameters("cal", {"kind": "digits", "layer": layer})


def test_several_layers_are_not_loaded_as_one():
    with pytest.raises(InvalidArgumentError, match=r"^calibration\.d\.layer = 'all' is not accepted: one layer$"):
        load_layer("d", {"kind": "digits", "layer": "all"}, study_seed=0, seed=0)


# --- shapes, preparations, descriptions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [
    GAUSSIAN, {"kind": "low-rank", "samples": 3, "features": 5, "neurons": 7},
    *({"kind": "digits", "layer": layer} for layer in ("hidden1", "hidden2", "output")),
    {"kind": "photographs", "samples": 30, "patch": 3, "neurons": 5},
], ids=lambda table: f"{table['kind']} {table.get('layer', '')}")
def test_the_shape_is_known_before_the_data_are_loaded(table):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    layer = load_layer("x", table, study_seed=0, seed=0)
    assert shape(table) == (layer.m, *layer.W.shape)


def test_preparations_merge_what_comes_out_of_one_capture():
    table = {"kind": "minilm", "samples": 512}
    query, key, dense = (f"encoder.layer.1.{part}" for part in ("attention.self.query", "attention.self.key", "output.dense"))
    mismatches = ("none", "noise:0.1", "noise:1", "layers:4")
    pairs = [(table | {"layer": layer}, mismatch) for layer in (dense, key, query) for mismatch in mismatches]
    pairs += [(GAUSSIAN, "none"), ({"kind": "digits", "layer": "output"}, "layers:4"), (table | {"samples": 1024, "layer": key}, "none")]
    made = preparations(pairs)
    assert [(dict(one.table)["samples"], one.mismatch is None, one.layers) for one in made] == [
        (512, True, (query, key, dense)), (512, False, (query, key, dense)), (1024, True, (key,)),
    ]
    assert made == preparations(pairs), "the same question has the same answer"
    assert [hash(pickle.loads(pickle.dumps(one))) for one in made] == [hash(one) for one in made]
    assert all(one.cost() > 0 for one in made)


def test_every_kind_is_described_as_json_with_tags_keys_and_defaults():
    described = {kind["kind"]: kind for kind in json.loads(json.dumps(describe_kinds()))}
    assert list(described) == list(KINDS)
    assert all(kind["tags"] and kind["description"].endswith(".") for kind in described.values())
    assert described["ar1"]["keys"]["correlation"]["default"] == 0.95
    assert described["gaussian"]["keys"]["samples"]["default"] is None, "it must be given"
    assert {name for name, kind in described.items() if len(kind["mismatches"]) == 4} == {"digits", "minilm"}
    assert len(described["minilm"]["layers"]) == 36
