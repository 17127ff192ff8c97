"""The measured side of every claim against its statement, from the raw arrays of a result that no algorithm made.

The result is arbitrary: weights, codes and rounding errors drawn at random, so that nothing which holds for OPTQ's own results can
stand in for what the statement measures. Bounds have tests/bounds/test_statements.py.
"""

from dataclasses import dataclass, replace
from importlib import import_module
from itertools import product
from math import cosh, lgamma, log, log2, sqrt

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, definitions, optq
from provable_ptq.bounds import Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.check import unmet_hypotheses
from provable_ptq.bounds.predictions.high_resolution import fine_steps, many_neurons
from provable_ptq.bounds.problems.constructions import clamped_problem

LAMBDA, P, m, N, K = 0.37, 0.03, 7, 5, 3
RNG = np.random.default_rng(20260817)
X, X_TILDE, HELD_OUT = RNG.standard_normal((m, N)), RNG.standard_normal((m, N)), RNG.standard_normal((9, N))
W = 2 * RNG.standard_normal((N, K))
STEPS = np.array([0.31, 0.5, 0.72])
ORDER = np.array([3, 0, 4, 1, 2])


@dataclass(frozen=True)
class Arbitrary:
    """A result that no algorithm made."""

    weights: np.ndarray
    codes: np.ndarray
    rounding_errors: np.ndarray
    saturated: np.ndarray


CODES = RNG.integers(-5, 6, (N, K))
RESULT = Arbitrary(STEPS * CODES, CODES, RNG.uniform(-0.4, 0.4, (N, K)), np.zeros((N, K), dtype=bool))


def problem(algorithm="optq", rounding="nearest", form="alternating", **changes):
    settings = {"damping": LAMBDA, "ordering": ORDER, "grid": Grid(STEPS)} | changes
    if algorithm == "gpfq":
        del settings["damping"]
    grid = settings.pop("grid")
    return Problem(X, W, grid, algorithm, form, rounding=rounding, seed=5, failure_probability=P, **settings)


def measured(claim_id, given, result=RESULT):
    return np.asarray(claims()[claim_id](given, result).measured)


def own(k, result=RESULT):
    """X (w - q), entry by entry."""
    return [sum(X[i, j] * (W[j, k] - result.weights[j, k]) for j in range(N)) for i in range(m)]


def deployed(k):
    """X w - X~ q, entry by entry."""
    return [sum(X[i, j] * W[j, k] - X_TILDE[i, j] * RESULT.weights[j, k] for j in range(N)) for i in range(m)]


def ridge(k):
    return LAMBDA * sum((W[j, k] - RESULT.weights[j, k]) ** 2 for j in range(N))


def squared(entries):
    return sum(entry**2 for entry in entries)


DAMPED = [squared(own(k)) + ridge(k) for k in range(K)]
DAMPED_DEPLOYED = [squared(deployed(k)) + ridge(k) for k in range(K)]
LARGEST = [max(map(abs, own(k))) for k in range(K)]
LARGEST_DEPLOYED = [max(map(abs, deployed(k))) for k in range(K)]
FURTHEST = [max(abs(W[j, k] - RESULT.weights[j, k]) for j in range(N)) for k in range(K)]
DRIFT = np.array([[abs(RESULT.rounding_errors[t, k] + RESULT.weights[ORDER[t], k] - W[ORDER[t], k]) for k in range(K)] for t in range(N)])


@pytest.mark.parametrize(("claim_id", "given", "expected"), [
    ("optq-identity", problem(), DAMPED),
    ("optq-l2", problem(), DAMPED),
    ("optq-linf", problem(), LARGEST),
    ("optq-near-optimal", problem(), DAMPED),
    ("predicted-error", problem(), DAMPED),
    ("rate-distortion-floor", problem(), DAMPED),
    ("sto-optq-l2", problem(rounding="stochastic"), [DAMPED, [squared(own(k)) for k in range(K)]]),
    ("sto-optq-linf", problem(rounding="stochastic"), LARGEST),
    ("sto-optq-linf-sharp", problem(rounding="stochastic"), LARGEST),
    ("sto-optq-linf-rowwise", problem(rounding="stochastic"), LARGEST),
    ("sto-optq-weights", problem(rounding="stochastic"), FURTHEST),
    ("sto-optq-alphabet", problem(rounding="stochastic"), [FURTHEST, DRIFT.max(axis=0)]),
    ("spfq-linf", problem("gpfq", "stochastic"), [LARGEST, LARGEST]),
    ("qronos-identity", problem("qronos", X_quantized=X_TILDE), DAMPED_DEPLOYED),
    ("qronos-l2", problem("qronos", X_quantized=X_TILDE), DAMPED_DEPLOYED),
    ("optq-mismatch", problem(X_quantized=X_TILDE), np.sqrt(DAMPED_DEPLOYED)),
    ("gpfq-mismatch", problem("gpfq", X_quantized=X_TILDE), [squared(deployed(k)) for k in range(K)]),
    ("sto-qronos-linf", problem("qronos", "stochastic", X_quantized=X_TILDE), [LARGEST_DEPLOYED] * 2),
])
def test_what_a_claim_measures(claim_id, given, expected):
    assert measured(claim_id, given) == pytest.approx(np.array(expected), rel=1e-9)


def test_what_optq_alphabet_measures():
    """The drift |z - w|, less what float64 loses in forming z, and on alphabets that suffice the number of saturated steps."""
    found = measured("optq-alphabet", problem())
    assert found[:N] == pytest.approx(DRIFT, rel=1e-9)
    result = replace(RESULT, saturated=np.arange(N * K).reshape(N, K) % 4 == 0)
    assert measured("optq-alphabet", problem(), result)[N] == pytest.approx(result.saturated.sum(axis=0)), "an infinite alphabet suffices"
    narrow = problem(grid=Grid(STEPS, low=-1, high=1))
    assert measured("optq-alphabet", narrow, result)[N] == pytest.approx([0, 0, 0]), "one that does not suffice promises nothing"


def test_which_alphabet_suffices():
    """step * min(high, -low) against |w| + drift - step/2: at the smallest alphabet that suffices, and at one code less."""
    given = problem()
    S = np.vstack([X[:, ORDER], sqrt(LAMBDA) * np.eye(N)])
    needed = np.zeros((N, K))
    for k, j in product(range(K), range(N)):
        strays = [abs(np.linalg.lstsq(S[:, i + 1 :], S[:, i], rcond=None)[0][j - i - 1]) for i in range(j)]
        needed[j, k] = abs(W[ORDER[j], k]) / STEPS[k] + sum(strays) / 2 - 0.5
    enough = np.ceil(needed.max(axis=0)).astype(int)
    for less, applies in ((0, [True] * K), (1, [False] * K)):
        ends = enough - less
        everywhere = replace(RESULT, saturated=np.ones((N, K), dtype=bool))
        for low, high in ((-ends, ends), (-ends, ends + 3), (-ends - 3, ends)):
            finite = given.but(grid=Grid(STEPS, low=low[None], high=high[None]))
            assert list(unmet_hypotheses(claims()["optq-alphabet"], finite, everywhere)[0]) == applies


def test_what_generalization_and_heldout_predictions_measure():
    outputs = [squared([sum(row[j] * (W[j, k] - RESULT.weights[j, k]) for j in range(N)) for row in HELD_OUT]) for k in range(K)]
    given = problem(rounding="stochastic", X_validation=HELD_OUT)
    assert measured("sto-optq-generalization", given) == pytest.approx(np.array(outputs) / 9)
    assert measured("predicted-heldout-error", problem(X_validation=HELD_OUT)) == pytest.approx(outputs)


def test_what_gpfq_l2_measures():
    """Its error; OPTQ's bound without damping; and OPTQ's largest pivot step without damping."""
    pivots = []
    for t in range(N):
        later = X[:, ORDER[t + 1 :]]
        column = X[:, ORDER[t]]
        pivots.append(column - later @ np.linalg.lstsq(later, column, rcond=None)[0] if later.size else column)
    sizes = np.array([squared(v) for v in pivots])
    expected = [[squared(own(k)) for k in range(K)], STEPS**2 * sizes.sum() / 4, STEPS**2 * sizes.max()]
    given = problem("gpfq")
    assert measured("gpfq-l2", given) == pytest.approx(np.array(expected))
    largest = max(X[:, j] @ X[:, j] for j in range(N))
    assert np.asarray(claims()["gpfq-l2"](given, RESULT).bound)[2] == pytest.approx(STEPS**2 * largest)


def test_what_the_target_family_measures():
    """Targets w + alpha X~^+ Delta w, rounded by the literal OPTQ on X~; alpha = 0 is the result that is handed in."""
    given = problem(X_quantized=X_TILDE)
    S, T = (np.vstack([matrix, sqrt(LAMBDA) * np.eye(N)]) for matrix in (X, X_TILDE))
    change = np.linalg.lstsq(T, (S - T) @ W, rcond=None)[0]
    expected = [DAMPED_DEPLOYED]
    for alpha in (0.5, 1, 1.5):
        Q = definitions.optq(X_TILDE, W + alpha * change, Grid(STEPS), LAMBDA, ORDER).weights
        expected.append(((S @ W - T @ Q) ** 2).sum(axis=0))
    evaluation = claims()["target-family"](given, RESULT)
    assert np.asarray(evaluation.measured)[:4] == pytest.approx(np.array(expected))
    bounds = np.asarray(evaluation.bound)
    assert np.asarray(evaluation.measured)[4] == pytest.approx(bounds[2]), "the bound at alpha = 1"
    assert bounds[4] == pytest.approx(np.minimum(np.minimum(bounds[0], bounds[1]), bounds[3])), "the least of the others"


@pytest.mark.parametrize("algorithm", ["optq", "qronos", "gpfq", "round-to-nearest"])
def test_optimum_floor_is_about_every_grid_point(algorithm):
    """It applies to any algorithm's result, and measures the optimum, twice, and the result's damped error, three times."""
    given = Problem(X, W, Grid(STEPS), algorithm, damping=LAMBDA, ordering=ORDER)
    verdict = check(given, ["optimum-floor"])["optimum-floor"]
    assert verdict.outcome is Outcome.HOLDS, verdict.advice
    found = measured("optimum-floor", given)
    assert found[[1, 3, 4]] == pytest.approx(np.array([DAMPED] * 3))
    S = np.vstack([X, sqrt(LAMBDA) * np.eye(N)])
    near = np.stack(np.meshgrid(*[np.arange(-3, 4)] * N), -1).reshape(-1, N)
    for k, step in enumerate(STEPS):
        points = step * (np.rint(W[:, k] / step) + near)
        best = min(((S @ (W[:, k] - block).T) ** 2).sum(axis=0).min() for block in np.array_split(points, 8))
        assert found[[0, 2], k] == pytest.approx([best, best])


def test_optimum_floor_is_broken_by_a_point_below_the_optimum():
    """Weights that are not on the grid have no error at all: no claim about grid points may pass them."""
    given = problem()
    free = replace(RESULT, weights=W.copy())
    assert check(given, ["optimum-floor"], algorithm=lambda _: free)["optimum-floor"].outcome is Outcome.VIOLATED


def test_order_floor_entry_by_entry():
    """Both sides of all 7 + 2N inequalities, from H alone."""
    given = problem()
    evaluation = claims()["order-floor"](given, RESULT)
    S = np.vstack([X[:, ORDER], sqrt(LAMBDA) * np.eye(N)])
    H = S.T @ S
    pivots = np.array([1 / np.linalg.inv(H[t:, t:])[0, 0] for t in range(N)])  # what features t, t+1, ... leave of feature t
    floor, inverse = np.linalg.det(H) ** (1 / N), np.diag(np.linalg.inv(H))
    geometric = np.prod(pivots) ** (1 / N)
    expected = [
        (pivots.sum() / N, floor), (pivots.max(), floor), (geometric, floor), (floor, geometric), (np.trace(H), pivots.sum()),
        (pivots.sum(), (1 / inverse).sum()), (pivots.max(), np.diag(H).min()),
        *zip(np.diag(H), pivots, strict=True), *zip(pivots, 1 / inverse, strict=True),
    ]
    assert np.asarray(evaluation.measured) == pytest.approx([one for one, _ in expected])
    assert np.asarray(evaluation.bound) == pytest.approx([other for _, other in expected])


def test_optq_beats_rtn_entry_by_entry():
    """RTN's worst case over all 2^N sign vectors, the trace of H, and the sum of the pivots."""
    evaluation = claims()["optq-beats-rtn"](problem(), RESULT)
    S = np.vstack([X[:, ORDER], sqrt(LAMBDA) * np.eye(N)])
    worst = max(squared(S @ np.array(signs)) for signs in product((-1.0, 1.0), repeat=N))
    trace = sum(squared(S[:, j]) for j in range(N))
    pivots = sum(1 / np.linalg.inv((S.T @ S)[t:, t:])[0, 0] for t in range(N))
    assert np.asarray(evaluation.measured) == pytest.approx([worst, trace])
    assert np.asarray(evaluation.bound) == pytest.approx([trace, pivots])


@pytest.mark.parametrize("claim_id", ["sto-optq-convex-order", "sto-optq-convex-order-sharp"])
def test_what_the_convex_order_measures(claim_id):
    """cosh, |y| and hinges of the output with the largest row of V, then of three sign combinations; ceilings at all errors at once."""
    given = problem(rounding="stochastic")
    V = given.factorization.sample_rows_of_V
    evaluation = claims()[claim_id](given, RESULT)
    found, bounds, ceilings = (np.asarray(getattr(evaluation, name)) for name in ("measured", "bound", "ceiling"))
    assert found.shape == (20, K), "four functionals, five functions each"
    row = int(np.argmax((V**2).sum(axis=1)))
    for k in range(K):
        sigma = bounds[1, k] / sqrt(2 / np.pi)  # E |Z| = sigma sqrt(2/pi)
        for values, y in ((found, own(k)[row]), (ceilings, STEPS[k] * np.abs(V[row]).sum())):
            assert values[:5, k] == pytest.approx([cosh(y / sigma), abs(y), *(max(y - t * sigma, 0) for t in (0, 1, 2))])
    for block in range(1, 4):  # the signs cannot be known from outside: |a^T X(w - q)| of some sign vector
        possible = [np.abs(np.array(signs) @ np.array([own(k) for k in range(K)]).T) for signs in product((-1, 1), repeat=m)]
        assert min(np.abs(found[5 * block + 1] - values).max() for values in possible) < 1e-9


@pytest.mark.parametrize(("epsilon", "stated"), [(1.0, 508), (0.1, 50697)])
def test_the_finite_grid_counterexample_in_numbers(epsilon, stated):
    """OPTQ's squared error over RTN's by hand: alternating weights .499 and .501, codes 0..3, 512 features."""
    given = clamped_problem(512, epsilon)
    q = optq(given.X, given.W, given.grid).weights
    rtn = np.clip(np.rint(given.W), 0, 3)
    error, rounded = (squared((given.X @ (given.W - Q))[:, 0]) for Q in (q, rtn))
    assert error / rounded == pytest.approx(stated, rel=2e-3)
    evaluation = claims()["finite-grid-counterexample"](clamped_problem(512, 0.1), clamped_problem(512, 0.1).result)
    rows = {1.0: slice(0, 4), 0.1: slice(4, 8)}[epsilon]
    free = optq(given.X, given.W, Grid(step=1.0)).weights
    ratio = rounded / squared((given.X @ (given.W - free))[:, 0])
    assert np.asarray(evaluation.measured)[rows] == pytest.approx([error / rounded, 1, 1, ratio])
    assert np.asarray(evaluation.bound)[rows] == pytest.approx([stated, 1, 1, 1], rel=2e-3)
    assert ratio >= 1, "unclamped OPTQ is no worse than RTN"


# --- hypotheses: each is needed, and each is asked for ----------------------------------------------------------------------


def test_path_following_claims_need_matched_inputs():
    """With X~ = 2X, GPFQ's outputs match X w by other weights: bounds on ||X(w - q)|| would be false."""
    for claim_id, rounding in (("gpfq-l2", "nearest"), ("spfq-linf", "stochastic")):
        verdict = check(Problem(X, W, Grid(STEPS), "gpfq", rounding=rounding, X_quantized=2 * X), [claim_id])[claim_id]
        assert verdict.outcome is Outcome.NOT_APPLICABLE
        assert "X_quantized differs from X" in verdict.advice
        assert check(Problem(X, W, Grid(STEPS), "gpfq", rounding=rounding, X_quantized=X), [claim_id])[claim_id].outcome is not (
            Outcome.NOT_APPLICABLE)


@pytest.mark.parametrize("claim_id", ["optq-near-optimal", "optimum-floor"])
def test_an_undecided_search_for_the_optimum_leaves_the_claim_open(claim_id, monkeypatch):
    module = import_module("provable_ptq.bounds.deterministic.optimum")
    monkeypatch.setattr(module, "NODES", 1)
    rng = np.random.default_rng(3)
    hard = Problem(rng.standard_normal((12, 12)) @ np.diag(np.logspace(0, -3, 12)), rng.standard_normal((12, 4)), Grid(step=0.05))
    verdict = check(hard, [claim_id])[claim_id]
    assert verdict.outcome is Outcome.NOT_APPLICABLE
    assert "undecided" in verdict.advice


ROTATION = np.linalg.qr(np.random.default_rng(8).standard_normal((m, m)))[0]


EVERY_DIRECTION = {"sto-optq-convex-order", "sto-optq-convex-order-sharp"}  # true of all directions, tried along a few of them


@pytest.mark.parametrize("claim_id", sorted(
    name for name, made in claims().items() if not made.fixed and made.kind is not Kind.PREDICTION and name not in EVERY_DIRECTION))
def test_claims_about_single_outputs_say_so(claim_id):
    """Rotating the samples leaves 2-norms alone and changes single outputs: `per_output` says which a statement reads."""
    made = claims()[claim_id]
    algorithm = made.algorithms[0]
    settings = {"rounding": made.rounding or "nearest", "X_quantized": X_TILDE if made.chapter == "mismatch" else None,
                "X_validation": HELD_OUT if claim_id == "sto-optq-generalization" else None}
    settings = {name: value for name, value in settings.items() if value is not None}
    given = problem(algorithm, **settings) if algorithm != "round-to-nearest" else problem(**settings)
    turned = {name: ROTATION @ getattr(given, name) for name in ("X", "X_quantized") if getattr(given, name) is not None}
    result = replace(RESULT, weights=given.result.weights, codes=given.result.codes, rounding_errors=given.result.rounding_errors)
    sides = []
    for seen in (given, given.but(**turned)):
        if made.construct is not None:
            seen = made.construct(seen)
            result = seen.result
        evaluation = made(seen, result)
        sides.append(np.concatenate([np.ravel(evaluation.measured), np.ravel(evaluation.bound)]))
    unchanged = np.allclose(*sides, rtol=1e-6, atol=1e-9)
    assert unchanged != made.per_output


def test_the_range_of_the_predictions():
    """Steps up to twice the weights' standard deviation, 256 neurons."""
    weights = np.random.default_rng(1).standard_normal((40, 300))
    deviation = weights.std(axis=0)
    for factor, fine in ((1.999, True), (2.001, False)):
        given = Problem(np.eye(40), weights, Grid(factor * deviation[None]))
        assert np.all(fine_steps.test(given, None)) == fine
        assert np.any(fine_steps.test(given, None)) == fine
    for neurons, enough in ((256, True), (255, False)):
        assert many_neurons.test(Problem(np.eye(40), weights[:, :neurons], Grid(1.0)), None) == enough


@pytest.mark.parametrize(("w", "codes", "departs"), [
    (2.5, 3, 2), (2.5, 2, 2), (-1.5, -1, 2), (-1.5, -2, 2), (2.5, 1, 0), (2.5, 4, 0), (2.4, 3, 0),
])
def test_the_certificate_accepts_either_side_of_a_tie_and_nothing_else(w, codes, departs):
    """z = 2.5: both 2 and 3 are nearest, whichever the program took; what lies further away departs at the first step."""
    given = Problem(np.eye(2), np.array([[w], [0.2]]), Grid(step=1.0))
    right = given.result
    other = replace(right, codes=np.array([[codes], [0]]), weights=np.array([[float(codes)], [0.0]]),
                    rounding_errors=np.array([[w - codes], [0.2]]))
    evaluation = claims()["optq-certificate"](given, other)
    assert evaluation.measured[0, 0] == evaluation.bound[0, 0] == departs
    assert check(given, ["optq-certificate"], algorithm=lambda _: other)["optq-certificate"].outcome is Outcome.HOLDS


FINITE = Grid(STEPS, low=-1, high=1)  # weights of several steps saturate
DEAD = np.where(np.arange(N) == 2, 0.0, X)
WIDE = RNG.standard_normal((2, N))


@pytest.mark.parametrize(("claim_ids", "changes", "reason"), [
    (("optq-l2", "optq-linf", "optq-near-optimal"), {"grid": FINITE}, "saturated"),
    (("qronos-l2",), {"grid": FINITE, "algorithm": "qronos", "X_quantized": X_TILDE}, "saturated"),
    (("optq-mismatch",), {"grid": FINITE, "X_quantized": X_TILDE}, "saturated"),
    (("gpfq-l2",), {"grid": FINITE, "algorithm": "gpfq"}, "saturated"),
    (("gpfq-mismatch",), {"grid": FINITE, "algorithm": "gpfq", "X_quantized": X_TILDE}, "saturated"),
    (("predicted-error", "rate-distortion-floor"), {"grid": FINITE}, "saturated"),
    (("predicted-heldout-error",), {"grid": FINITE, "X_validation": HELD_OUT}, "saturated"),
    (("sto-optq-l2", "sto-optq-convex-order", "sto-optq-convex-order-sharp"), {"grid": FINITE, "rounding": "stochastic"}, "biased"),
    (("sto-optq-generalization",), {"grid": FINITE, "rounding": "stochastic", "X_validation": HELD_OUT}, "biased"),
    (("target-family",), {"grid": FINITE, "X_quantized": X_TILDE}, "ends"),
    (("sto-optq-linf", "sto-optq-linf-sharp", "sto-optq-weights"), {"grid": Grid(np.arange(1.0, N + 1)[:, None]), "rounding": "stochastic"},
     "varies over features"),
    (("spfq-linf",), {"grid": Grid(np.arange(1.0, N + 1)[:, None]), "rounding": "stochastic", "algorithm": "gpfq"}, "varies over features"),
    (("sto-optq-weights",), {"damping": 0.0, "rounding": "stochastic"}, "damping is 0"),
    (("order-floor", "optimum-floor", "optq-near-optimal"), {"X": DEAD, "damping": 0.0}, "pivots are zero"),
    (("gpfq-l2",), {"X": DEAD, "algorithm": "gpfq"}, "are zero"),
    (("optq-l2-explicit",), {}, "exceeds N"),
    (("optq-mismatch", "target-family"), {}, "X_quantized is not given"),
    (("gpfq-mismatch",), {"algorithm": "gpfq"}, "X_quantized is not given"),
    (("sto-optq-generalization",), {"rounding": "stochastic"}, "X_validation is not given"),
    (("predicted-heldout-error",), {}, "X_validation is not given"),
])  # fmt: skip
def test_a_statement_is_not_applied_where_a_hypothesis_of_its_fails(claim_ids, changes, reason):
    """And it is where all of them hold: nothing else keeps it from being applied."""
    changes = {"algorithm": "optq", "grid": Grid(STEPS), **changes}
    given = problem(**{name: value for name, value in changes.items() if name != "X"})
    if "X" in changes:
        given = given.but(X=changes["X"])
    verdicts = check(given, claim_ids)
    for verdict in verdicts.values():
        assert verdict.outcome is Outcome.NOT_APPLICABLE
        assert reason in verdict.advice


@pytest.mark.parametrize("form", ["alternating", "projected"])
def test_what_weights_explain_of_a_mismatch_where_pivots_are_small(form):
    """The target and the unexplained part do not depend on the units of the inputs, however small the pivots come out."""
    for size in (1e-3, 1.0, 1e3):
        given = Problem(size * X, W, Grid(STEPS), "qronos", form, damping=LAMBDA * size**2, ordering=ORDER, X_quantized=size * X_TILDE)
        S, T = (np.vstack([matrix, sqrt(LAMBDA) * np.eye(N)]) for matrix in (X, X_TILDE))
        u = np.linalg.lstsq(T, S @ W, rcond=None)[0]
        left = size**2 * ((S @ W - T @ u) ** 2).sum(axis=0)
        assert given.result.target == pytest.approx(u, rel=1e-9)
        evaluation = claims()["qronos-identity"](given, given.result)
        assert np.asarray(evaluation.measured) == pytest.approx(np.asarray(evaluation.bound), rel=1e-9)
        assert (np.asarray(evaluation.measured) >= left * (1 - 1e-9)).all()


def test_the_gap_to_the_rate_distortion_limit_is_that_of_a_cube_to_a_ball():
    """Half the logarithm of 2 pi e / 12: the second moment of a cube over that of a ball of many dimensions and the same volume."""
    gap = import_module("provable_ptq.bounds.predictions.rate_distortion_floor").GAP_IN_BITS
    k = 10**7
    ball = log(k) - log(k + 2) - log(np.pi) + 2 / k * lgamma(k / 2 + 1)  # log of the second moment per dimension, times k
    assert pytest.approx(0.5 * log2(k / 12) - 0.5 * (ball) / log(2), abs=1e-4) == gap
    assert round(gap, 3) == 0.255
