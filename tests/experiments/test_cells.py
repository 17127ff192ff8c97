"""Cells: their rows agree with what the algorithms give directly, and folding a matrix changes no 2-norm."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, closest_vector, definitions, factorize, gpfq, optq, qronos
from provable_ptq.bounds import Outcome, Problem
from provable_ptq.bounds.stochastic.sto_optq_alphabet import alphabet_levels
from provable_ptq.experiments.calibration import load_layer
from provable_ptq.experiments.cells import views
from provable_ptq.experiments.cells.facts import FACTS
from provable_ptq.experiments.cells.permutations import NAMED, PermutationsCell
from provable_ptq.experiments.study import read_study

SMALL = {"calibration.a.features": "6", "calibration.a.samples": "24", "sweep.ordering": '"min-pivot"'}
MISMATCHED = SMALL | {"sweep.mismatch": '"noise:0.3"', "sweep.damping": "0.5", "sweep.algorithm": '["optq", "qronos", "gpfq"]',
                      "sweep.form": '["alternating", "projected"]'}


def rows_of(path, **wanted):
    """Rows of the study's cells with these axes."""
    cells = [cell for cell in read_study(path).cells if all(getattr(cell, name) == value for name, value in wanted.items())]
    return [row for cell in cells for row in cell.rows()[0]]


def run_of(path, **wanted):
    (row,) = (row for row in rows_of(path, **wanted) if row["record"] == "run")
    return row


def layer_of(path, mismatch="none"):
    cell = read_study(path).cells[0]
    return load_layer(cell.calibration, dict(cell.parameters), cell.study_seed, 0, mismatch)


def squares(x):
    return pytest.approx(float(np.square(x).sum()), rel=1e-9)


def test_held_out_and_predicted_errors_are_those_of_the_held_out_inputs(write_study):
    path = write_study(SMALL)
    layer, row = layer_of(path), run_of(path, damping=0.5)
    grid = Grid(Grid.for_weights(layer.W, bits=4).step)
    literal = definitions.optq(layer.X, layer.W, grid, damping=0.5, ordering="min-pivot")
    assert row["heldout_error"] == squares(layer.X_validation @ (layer.W - literal.weights))
    assert row["heldout_signal"] == squares(layer.X_validation @ layer.W)
    f = factorize(layer.X, 0.5, "min-pivot")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (20000, 6)) * float(grid.step.ravel()[0])  # uniform errors, carried through M
    spread = np.square(layer.X_validation[:, f.order] @ f.M @ noise.T).sum() / len(noise)
    one = float(np.square(grid.step.ravel()).sum() / np.square(grid.step.ravel()[0]))
    assert row["heldout_predicted"] == pytest.approx(spread * one, rel=0.03)


def test_every_fact_of_a_run_is_in_the_list_of_facts(write_study):
    path = write_study(MISMATCHED | {"sweep.mismatch": '["none", "noise:0.3"]', "sweep.algorithm": '["optq", "qronos"]',
                                     "sweep.optimum": "true"})
    cell = read_study(path).cells[0]
    found = {name for row in rows_of(path) if row["record"] == "run" for name in row} - set(cell.spec()) - {"record", "claim"}
    assert found - {"samples", "features", "neurons"} == set(FACTS)


def test_codes_stay_inside_the_sufficient_alphabet(write_study):
    path = write_study({"sweep.damping": "[0.01, 1.0]"})
    for row in rows_of(path):
        if row["record"] == "run":
            assert row["largest_code"] <= row["sufficient_code"]
            assert row["largest_weight_code"] == 7


def test_sufficient_codes_are_those_of_the_claims_whether_steps_are_of_one_size_or_not(write_study):
    path = write_study(SMALL | {"sweep.damping": "0.5", "sweep.steps": '["uniform", "inverse-pivot"]'})
    layer = layer_of(path)
    f = factorize(layer.X, 0.5, "min-pivot")
    for steps in ("uniform", "inverse-pivot"):
        row = run_of(path, steps=steps)
        relative = np.exp(np.log(f.pivots).mean()) / f.pivots if steps == "inverse-pivot" else np.ones(6)
        sizes = np.outer(relative, Grid.for_weights(layer.W, bits=4).step.ravel())
        w = np.abs(layer.W[f.order])
        strays = np.array([[sum(sizes[i, k] * abs(f.M[j, i]) for i in range(j)) / 2 for k in range(3)] for j in range(6)])
        assert row["sufficient_code"] == np.ceil(((w + strays) / sizes - 0.5).max())
        problem = Problem(f, layer.W, Grid(sizes[np.argsort(f.order)]), rounding="stochastic")
        assert row["likely_code"] == np.ceil(((w + alphabet_levels(problem)[0]) / sizes).max())


def test_mismatched_runs_are_those_of_the_algorithms(write_study):
    path = write_study(MISMATCHED)
    layer = layer_of(path, "noise:0.3")
    X, deployed, W = layer.X, layer.X_quantized, layer.W
    grid = Grid(Grid.for_weights(W, bits=4).step)
    f = factorize(deployed, 0.5, "min-pivot")
    results = {
        ("optq", "alternating"): optq(f, W, grid), ("gpfq", "alternating"): gpfq(X, W, grid, deployed, f.order),
        ("qronos", "alternating"): qronos(X, f, W, grid), ("qronos", "projected"): qronos(X, f, W, grid, form="projected"),
    }
    for (algorithm, form), result in results.items():
        row = run_of(path, algorithm=algorithm, form=form)
        left = X @ W - deployed @ result.weights
        assert row["deployed_error"] == squares(left)
        assert row["deployed_damped_error"] == pytest.approx(np.square(left).sum() + 0.5 * np.square(W - result.weights).sum(), rel=1e-9)
        assert row["mismatch_error"] == squares((X - deployed) @ W)
        assert row["deployed_bounded"] <= row["deployed_bound"]
        assert row["deployed_bounded"] == pytest.approx(row["deployed_error" if algorithm == "gpfq" else "deployed_damped_error"], rel=1e-9)


def test_no_algorithm_is_below_the_exact_optimum(write_study):
    path = write_study(MISMATCHED | {"sweep.algorithm": '["optq", "qronos"]', "sweep.optimum": "true"})
    found = [row for row in rows_of(path) if row["record"] == "run"]
    assert len({round(row["optimum_error"], 9) for row in found}) == 1
    for row in found:
        assert row["optimum_decided"] == 1
        assert row["optimum_error"] <= row["deployed_damped_error"] * (1 + 1e-12)


def test_the_optimum_of_matched_inputs_is_the_closest_vector(write_study):
    path = write_study(SMALL | {"sweep.damping": "0.5", "sweep.optimum": "true"})
    layer, row = layer_of(path), run_of(path)
    grid = Grid(Grid.for_weights(layer.W, bits=4).step)
    assert row["optimum_error"] == pytest.approx(closest_vector(layer.X, layer.W, grid, 0.5).distance_squared.sum(), rel=1e-9)


def test_inverse_pivot_steps_have_the_mean_of_the_uniform_ones_and_equal_shares_of_the_bound(write_study):
    path = write_study(SMALL | {"sweep.damping": "0.5", "sweep.steps": '["uniform", "inverse-pivot"]'})
    uniform, inverse = (run_of(path, steps=steps) for steps in ("uniform", "inverse-pivot"))
    layer = layer_of(path)
    floor = np.square(Grid.for_weights(layer.W, bits=4).step).sum() * uniform["order_floor"] / 4
    assert inverse["damped_bound"] == pytest.approx(floor, rel=1e-9)  # what no ordering of uniform steps can reach, steps can
    assert uniform["damped_bound"] > floor


def test_folding_a_matrix_changes_no_two_norm_and_looks_at_single_outputs_on_the_kept_rows(tmp_path, write_study):
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((5000, 8)) * np.arange(1, 9), rng.standard_normal((8, 3))
    np.save(tmp_path / "inputs.npy", X)
    np.save(tmp_path / "weights.npy", W)
    claims = '["optq-l2", "optq-linf", "optq-identity", "order-floor"]'
    path = write_study({"calibration.a.kind": '"file"', "calibration.a.inputs": '"inputs.npy"', "calibration.a.weights": '"weights.npy"',
                        "calibration.a.samples": None, "calibration.a.features": None, "calibration.a.neurons": None,
                        "sweep.damping": "0.5", "sweep.ordering": '"min-pivot"', "sweep.claims": claims})
    rows = rows_of(path)
    (run,) = (row for row in rows if row["record"] == "run")
    grid = Grid(Grid.for_weights(W, bits=4).step)
    result = optq(X, W, grid, damping=0.5, ordering="min-pivot")
    assert run["samples"] == 5000
    assert run["reconstruction"] == squares(X @ (W - result.weights))
    assert run["signal"] == squares(X @ W)
    assert run["pivot_square_sum"] == pytest.approx(float(result.factorization.pivots_squared.sum()), rel=1e-9)
    found = {row["claim"]: row for row in rows if row["record"] == "claim"}
    assert {row["outcome"] for row in found.values()} == {Outcome.HOLDS.value}
    largest = np.abs(X @ (W - result.weights)).max(axis=0)
    (kept,) = {row["measured_max"] for row in found.values() if row["claim"] == "optq-linf"}
    assert 0.5 * largest.max() < kept <= largest.max() * (1 + 1e-9)  # 1,024 of 5,000 rows


def test_cells_of_one_group_share_a_factorization(write_study, monkeypatch):
    made = []
    plain = views.factored
    monkeypatch.setattr(views, "factored", lambda source, *given: made.append(given) or plain(source, *given))
    cells = read_study(write_study({"sweep.bits": "[2, 3, 4]", "sweep.rounding": '["nearest", "stochastic"]', "seed": "987"})).cells
    for cell in sorted(cells, key=lambda cell: str(cell.group())):
        cell.rows()
    assert len(cells) == 24
    assert len(made) == len({cell.group() for cell in cells}) == 4


@pytest.fixture
def permutations(write_study):
    path = write_study({"calibration.a.features": "4", "permutations.calibration": '"a"', "permutations.damping": "0.5"})
    (cell,) = (cell for cell in read_study(path).cells if isinstance(cell, PermutationsCell))
    return cell.rows()[0]


def test_all_orderings_are_there_once_and_none_is_below_the_floor(permutations):
    every = [row for row in permutations if row["record"] == "permutation"]
    assert len({row["ordering"] for row in every}) == len(every) == 24
    assert len({round(row["order_floor"], 9) for row in every}) == 1
    assert min(row["pivot_square_sum"] for row in every) >= every[0]["order_floor"]
    assert all(row["damped_error"] <= row["damped_bound"] for row in every)


def test_named_orderings_are_among_all_of_them(permutations):
    sums = {round(row["pivot_square_sum"], 9) for row in permutations if row["record"] == "permutation"}
    named = {row["ordering"]: row for row in permutations if row["record"] == "run"}
    assert set(named) == set(NAMED)
    assert {round(row["pivot_square_sum"], 9) for row in named.values()} <= sums
    natural = next(row for row in permutations if row["ordering"] == "0-1-2-3")
    assert named["natural"]["damped_error"] == pytest.approx(natural["damped_error"], rel=1e-12)


def test_orderings_of_a_folded_matrix_know_its_samples(tmp_path, write_study):
    rng = np.random.default_rng(1)
    X, W = rng.standard_normal((5000, 4)), rng.standard_normal((4, 2))
    np.save(tmp_path / "inputs.npy", X)
    np.save(tmp_path / "weights.npy", W)
    path = write_study({"calibration.a.kind": '"file"', "calibration.a.inputs": '"inputs.npy"', "calibration.a.weights": '"weights.npy"',
                        "calibration.a.samples": None, "calibration.a.features": None, "calibration.a.neurons": None,
                        "permutations.calibration": '"a"', "permutations.damping": '"george-saab"'})
    (cell,) = (cell for cell in read_study(path).cells if isinstance(cell, PermutationsCell))
    natural = next(row for row in cell.rows()[0] if row["ordering"] == "natural")
    assert natural["samples"] == 5000
    assert natural["pivot_square_sum"] == pytest.approx(float(factorize(X, "george-saab").pivots_squared.sum()), rel=1e-9)


def test_mismatched_rows_say_in_which_network_and_algorithms_share_it(write_study):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    digits = {f"calibration.a.{size}": None for size in ("samples", "features", "neurons")} | {
        "calibration.a.kind": '"digits"', "calibration.a.layer": '"output"', "sweep.ordering": '"natural"', "sweep.damping": "0.5",
        "sweep.mismatch": '["none", "layers:3", "layers:4"]', "sweep.algorithm": '["optq", "qronos", "gpfq"]',
        "sweep.claims": '["optq-mismatch", "qronos-l2", "gpfq-mismatch"]'}
    seen = {(row["mismatch"], row.get("deployed_codes")) for row in rows_of(write_study(digits))}
    assert len(seen) == 3, "one network for each mismatch, whatever the algorithm and the claim"
    assert ("none", None) in seen
    assert len({codes for _, codes in seen}) == 3
