"""Every number of a run's row, recomputed from its definition with least squares and plain loops."""

import numpy as np
import pytest
from provable_ptq.experiments.calibration import load_layer
from provable_ptq.experiments.calibration.folded import kept_rows
from provable_ptq.experiments.seeds import seed_of
from provable_ptq.experiments.study import read_study

ORDER = np.random.default_rng(1).permutation(8)  # what random:1 means
DAMPING = 0.05
STUDY = {"calibration.a.kind": '"ar1"', "calibration.a.correlation": "0.95", "sweep.ordering": '"random:1"', "sweep.seeds": "3",
         "sweep.damping": str(DAMPING), "sweep.bits": "3", "sweep.claims": '["optq-l2"]'}
SETTINGS = {
    "plain": {},
    "dead features": {"calibration.a.kind": '"dead-and-duplicated"', "calibration.a.correlation": None},
    "stochastic": {"sweep.rounding": '"stochastic"'},
    "finite": {"sweep.alphabet": '"finite"'},
    "stochastic and finite": {"sweep.rounding": '"stochastic"', "sweep.alphabet": '"finite"'},
    "steps inverse to the pivots": {"sweep.steps": '"inverse-pivot"'},
    "mismatched": {"sweep.mismatch": '"noise:0.3"'},
}


def total(x):
    return float(np.square(x).sum())


def reverse_gram_schmidt(stacked):
    """Squared pivots (N,) and M (N, N): each column less what the later ones explain of it."""
    N = stacked.shape[1]
    squared, M = np.empty(N), np.eye(N)
    for j in range(N):
        M[j + 1 :, j] = -np.linalg.lstsq(stacked[:, j + 1 :], stacked[:, j], rcond=None)[0]
        squared[j] = total(stacked @ M[:, j])
    return squared, M


def optq(stacked, w, steps, ends, draws=None):
    """Codes (N, K) and saturated steps (N, K) of the literal definition, all in processing order; draws: of stochastic rounding."""
    w, codes, saturated = w.copy(), np.empty_like(w), np.zeros(w.shape, dtype=bool)
    reach = 0.5 if draws is None else 0.0
    for t in range(len(w)):
        z = w[t] / steps[t]
        codes[t] = np.rint(z) if draws is None else np.floor(z) + (draws[t] < z - np.floor(z))
        if ends is not None:
            saturated[t] = (z < ends[0] - reach) | (z > ends[1] + reach)
            codes[t] = np.clip(codes[t], *ends)
        error = w[t] - codes[t] * steps[t]
        w[t + 1 :] += np.linalg.lstsq(stacked[:, t + 1 :], np.outer(stacked[:, t], error), rcond=None)[0]
    return codes, saturated


def level(variances, p):
    """Where 2 exp(-2 a^2 / s), summed over s, is p: by bisection."""
    low, high = 0.0, 100 * np.sqrt(variances.max())
    for _ in range(200):
        middle = (low + high) / 2
        above = 2 * np.exp(-2 * middle**2 / variances[variances > 0]).sum() > p
        low, high = (middle, high) if above else (low, middle)
    return high


def by_definition(cell):
    """The facts of one cell without mismatch claims."""
    layer = load_layer(cell.calibration, dict(cell.parameters), cell.study_seed, cell.seed, cell.mismatch)
    X, W = layer.X if layer.X_quantized is None else layer.X_quantized, layer.W
    (N, K), back = W.shape, np.argsort(ORDER)
    stacked = np.vstack([X[:, ORDER], np.sqrt(DAMPING) * np.eye(N)])
    squared, M = reverse_gram_schmidt(stacked)
    steps = np.tile(np.abs(W).max(axis=0) / 3, (N, 1))
    if cell.steps == "inverse-pivot":
        steps = steps * (np.prod(squared) ** (0.5 / N) / np.sqrt(squared))[:, None]
    ends = (-4, 3) if cell.alphabet == "finite" else None
    draws = None
    if cell.rounding == "stochastic":  # the same whatever the damping, the ordering and the algorithm
        seed = seed_of(study=cell.study_seed, calibration=cell.calibration, seed=cell.seed, axis="rounding")
        draws = np.random.default_rng(seed).random((N, K))[ORDER]
    codes, saturated = optq(stacked, W[ORDER], steps, ends, draws)
    left = W - (codes * steps)[back]
    nearest = np.rint(W / steps[back])
    rtn = W - (nearest if ends is None else np.clip(nearest, *ends)) * steps[back]
    pivot_sum, variance = float((squared @ steps**2).sum()), 12 if draws is None else 6
    drift = np.abs(np.tril(M, -1)) @ steps / 2
    likely = [level(np.square(M) @ steps[:, k] ** 2, 0.05) for k in range(K)]
    norms = np.square(X).sum(axis=0)
    found = {
        "absolute_damping": DAMPING, "mean_diagonal": norms[norms > 0].mean(),
        "pivot_square_sum": squared.sum(), "order_floor": N * np.prod(squared) ** (1 / N), "step_square_sum": total(steps[0]),
        "signal": total(X @ W), "reconstruction": total(X @ left), "ridge": DAMPING * total(left),
        "damped_error": total(X @ left) + DAMPING * total(left), "damped_bound": pivot_sum / 4, "damped_predicted": pivot_sum / variance,
        "rtn_reconstruction": total(X @ rtn), "rtn_damped_error": total(X @ rtn) + DAMPING * total(rtn),
        "saturated_share": saturated.mean(), "unsaturated_neurons": 1 - saturated.any(axis=0).mean(),
        "largest_code": np.abs(codes).max(), "largest_weight_code": np.abs(np.rint(W / steps[back])).max(),
        "sufficient_code": np.ceil(((np.abs(W[ORDER]) + drift) / steps - 0.5).max()),
        "likely_code": np.ceil(((np.abs(W) + likely) / steps[back]).max()),
        "rate_floor": sum(np.prod(steps[:, k]) ** (2 / N) for k in range(K)) * np.prod(squared) ** (1 / N) * N / 12,
    }
    if cell.mismatch == "none":
        held = layer.X_validation
        found |= {
            "heldout_signal": total(held @ W), "heldout_error": total(held @ left), "heldout_rtn_error": total(held @ rtn),
            "heldout_predicted": float((np.square(held[:, ORDER] @ M) @ steps**2).sum()) / variance,
        }
    return found


@pytest.mark.parametrize("setting", SETTINGS)
def test_facts_are_those_of_the_definitions(write_study, setting):
    for cell in read_study(write_study(STUDY | SETTINGS[setting])).cells:
        (row,) = (row for row in cell.rows()[0] if row["record"] == "run")
        expected = by_definition(cell)
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-8)
        assert ("heldout_error" in row) == ("heldout_error" in expected)  # held-out inputs are never mismatched


def test_the_settings_reach_saturation_and_dead_features(write_study):
    finite = read_study(write_study(STUDY | SETTINGS["stochastic and finite"])).cells
    assert any(0 < by_definition(cell)["unsaturated_neurons"] < 1 for cell in finite)
    (dead, *_) = read_study(write_study(STUDY | SETTINGS["dead features"])).cells
    assert (load_layer(dead.calibration, dict(dead.parameters), dead.study_seed, 0).X == 0).all(axis=0).any()


def test_the_median_ratio_is_that_of_the_neurons(write_study):
    (cell, *_) = read_study(write_study(STUDY)).cells
    (row,) = (row for row in cell.rows()[0] if row.get("claim") == "optq-l2")
    layer = load_layer("a", dict(cell.parameters), cell.study_seed, 0)
    stacked = np.vstack([layer.X[:, ORDER], np.sqrt(DAMPING) * np.eye(8)])
    steps = np.tile(np.abs(layer.W).max(axis=0) / 3, (8, 1))
    codes, _ = optq(stacked, layer.W[ORDER], steps, None)
    squared, _ = reverse_gram_schmidt(stacked)
    ratios = np.square(stacked @ (layer.W[ORDER] - codes * steps)).sum(axis=0) / (squared @ steps**2 / 4)
    assert row["ratio_median"] == pytest.approx(np.median(ratios), rel=1e-8)
    assert row["ratio"] == pytest.approx(ratios.max(), rel=1e-8)


@pytest.mark.parametrize("alphabet", ["infinite", "finite"])
def test_the_tail_counts_the_draws_above_each_level_and_no_saturated_one(write_study, alphabet):
    changes = STUDY | {"sweep.rounding": '"stochastic"', "sweep.draws": "300", "sweep.seeds": "1", "sweep.alphabet": f'"{alphabet}"',
                       "sweep.bits": "2" if alphabet == "finite" else "3", "sweep.claims": '["sto-optq-linf"]'}
    (cell,) = read_study(write_study(changes)).cells
    tail = [row for row in cell.rows()[0] if row["record"] == "tail"]
    layer = load_layer("a", dict(cell.parameters), cell.study_seed, 0)
    X, w = layer.X[:, ORDER], layer.W[ORDER, :1]
    stacked = np.vstack([X, np.sqrt(DAMPING) * np.eye(8)])
    steps = np.full((8, 300), np.abs(w).max() / (2 ** (cell.bits - 1) - 1))
    first = np.random.SeedSequence([seed_of(study=cell.study_seed, calibration="a", seed=0, axis="rounding"), 0])
    draws = np.random.default_rng(int(first.generate_state(1, np.uint64)[0])).random((8, 300))[ORDER]
    codes, saturated = optq(stacked, np.tile(w, 300), steps, (-2, 1) if alphabet == "finite" else None, draws)
    errors = np.where(saturated.any(axis=0), 0.0, np.abs(X @ (w - codes * steps)).max(axis=0))
    assert saturated.any() == (alphabet == "finite")
    V = X @ reverse_gram_schmidt(stacked)[1]
    unit = level(np.square(V) @ steps[:, 0] ** 2, 0.05)
    assert [row["level"] / unit for row in tail] == pytest.approx(list(np.arange(0.1, 1.0001, 0.025)), rel=1e-9)
    assert [row["failures"] for row in tail] == [int((errors > row["level"]).sum()) for row in tail]
    assert tail[0]["deterministic_level"] == pytest.approx((np.abs(V) @ steps[:, 0]).max() / 2, rel=1e-9)
    assert tail[0]["measured_max"] == pytest.approx(errors.max(), rel=1e-9)


def test_a_folded_matrix_keeps_the_meaning_of_its_samples(write_study, tmp_path):
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((5000, 8)) @ rng.standard_normal((8, 8)), rng.standard_normal((8, 3))
    np.save(tmp_path / "inputs.npy", X)
    np.save(tmp_path / "weights.npy", W)
    sizes = dict.fromkeys(("calibration.a.samples", "calibration.a.features", "calibration.a.neurons", "calibration.a.correlation"))
    (cell,) = read_study(write_study(STUDY | sizes | {
        "calibration.a.kind": '"file"', "calibration.a.inputs": '"inputs.npy"', "calibration.a.weights": '"weights.npy"',
        "sweep.damping": '"george-saab"', "sweep.seeds": "1", "sweep.claims": '["optq-linf"]'})).cells
    run, claim = cell.rows()[0]
    damping = total(X) / (5000 ** (1 / 3) * 8 ** (2 / 3))  # George and Saab's rule, of all 5,000 samples
    assert run["absolute_damping"] == pytest.approx(damping, rel=1e-9)
    stacked = np.vstack([X[:, ORDER], np.sqrt(damping) * np.eye(8)])
    steps = np.tile(np.abs(W).max(axis=0) / 3, (8, 1))
    codes, _ = optq(stacked, W[ORDER], steps, None)
    kept = X[kept_rows(5000)][:, ORDER]
    measured = np.abs(kept @ (W[ORDER] - codes * steps)).max(axis=0)
    assert claim["measured_sum"] == pytest.approx(measured.sum(), rel=1e-9)
    bound = (np.abs(kept @ reverse_gram_schmidt(stacked)[1]) @ steps).max(axis=0) / 2
    assert claim["bound_sum"] == pytest.approx(bound.sum(), rel=1e-9)
