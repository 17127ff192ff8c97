"""Where statements change their form: equality, nothing to compare, ends of alphabets, and what a residual is relative to."""

from dataclasses import dataclass
from importlib import import_module

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, gpfq
from provable_ptq.bounds import Outcome, Problem, check, claims
from provable_ptq.bounds.check import unmet_hypotheses
from provable_ptq.bounds.checking.arithmetic import as_float
from provable_ptq.bounds.checking.measure import output_loss
from provable_ptq.bounds.deterministic.optq_l2_tight import tight_problem
from provable_ptq.bounds.exact import check_exact
from provable_ptq.bounds.mismatch.projection import projected_loss

RNG = np.random.default_rng(20261124)
X, W = RNG.standard_normal((7, 5)), 2 * RNG.standard_normal((5, 3))
X_TILDE = X + 0.3 * RNG.standard_normal((7, 5))
STEPS, ORDER = np.array([0.31, 0.5, 0.72]), np.array([3, 0, 4, 1, 2])


@dataclass(frozen=True)
class Arbitrary:
    """A result that no algorithm made."""

    weights: np.ndarray
    codes: np.ndarray
    rounding_errors: np.ndarray
    saturated: np.ndarray


CODES = RNG.integers(-5, 6, W.shape)
RESULT = Arbitrary(STEPS * CODES, CODES, RNG.uniform(-0.4, 0.4, W.shape), np.zeros(W.shape, dtype=bool))


def outcome(claim_id, problem):
    return check(problem, [claim_id])[claim_id].outcome


# --- equality, and nothing to compare --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "suffices"), [(2, True), (1, False)])
def test_an_alphabet_that_just_reaches_suffices(end, suffices):
    """w = 2.5 without drift: step min(high, -low) >= |w| - step/2 with equality at ends of 2, where the tie is no saturation."""
    problem = Problem(np.eye(2), np.full((2, 1), 2.5), Grid(1.0, low=-end, high=end))
    assert problem.result.saturated.any() != suffices
    everywhere = Arbitrary(problem.result.weights, problem.result.codes, problem.result.rounding_errors, np.ones((2, 1), dtype=bool))
    assert unmet_hypotheses(claims()["optq-alphabet"], problem, everywhere)[0].all() == suffices


@pytest.mark.parametrize("explained", [0.5, 2.0, 4.0])
def test_a_drift_is_decided_however_large_its_bound_is_beside_the_step(explained):
    """The second feature explains `explained` of the first: a tie there drifts by half of that many steps, one step at 2."""
    problem = Problem(np.array([[explained, 1.0], [1.0, 0.0]]), np.array([[0.5], [0.2]]), Grid(1.0))
    evaluation = claims()["optq-alphabet"](problem, problem.result)
    for side in (evaluation.measured, evaluation.bound):
        assert np.asarray(side)[1] == pytest.approx([explained / 2])
    assert outcome("optq-alphabet", problem) is Outcome.HOLDS


@pytest.mark.parametrize("claim_id", ["sto-optq-convex-order", "sto-optq-convex-order-sharp"])
def test_outputs_of_dead_inputs_compare_nothing(claim_id):
    dead = Problem(np.zeros((3, 2)), np.full((2, 1), 0.3), Grid(1.0), damping=1.0, rounding="stochastic")
    evaluation = claims()[claim_id](dead, dead.result)
    for side in (evaluation.measured, evaluation.bound, evaluation.ceiling):
        assert not np.asarray(side).any()


@pytest.mark.parametrize("algorithm", ["optq", "qronos", "gpfq"])
def test_zero_weights_have_no_error_and_break_no_claim(algorithm):
    problem = Problem(X, np.zeros((5, 2)), Grid(1.0), algorithm, X_quantized=X if algorithm == "qronos" else None)
    assert not problem.result.codes.any()
    for name, verdict in check(problem, None).items():
        assert verdict.outcome in (Outcome.HOLDS, Outcome.NOT_APPLICABLE) or claims()[name].kind == "prediction", (name, str(verdict))


@pytest.mark.parametrize("algorithm", ["optq", "qronos", "gpfq", "round-to-nearest"])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_ties_on_orthogonal_features_are_decided(algorithm, scale):
    """Every error is half a step: identities and bounds of errors meet, and none of them is left open for it."""
    problem = Problem(scale * np.eye(3), np.array([[2.5], [0.5], [-1.5]]), Grid(1.0), algorithm,
                      X_quantized=scale * np.eye(3) if algorithm == "qronos" else None)
    for name, verdict in check(problem, None).items():
        assert verdict.outcome in (Outcome.HOLDS, Outcome.NOT_APPLICABLE) or claims()[name].kind == "prediction", (name, str(verdict))


# --- alphabets that end ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(20, 35), (-35, -20), (-2, 1), (-100, 100), (9, 9)])
def test_tight_weights_have_codes_of_the_alphabet_and_not_all_the_same(low, high):
    """Drawn for every neuron and feature, wherever the alphabet lies; near zero where it has codes there."""
    made = tight_problem(Problem(X, np.zeros((5, 16)), Grid(0.4, low=low, high=high), damping=0.2))
    codes = made.result.codes
    assert ((low <= codes) & (codes <= high)).all()
    assert not made.result.saturated.any()
    if low <= 0 <= high:
        assert len(np.unique(codes)) > 3
    verdict = check(made, ["optq-l2"])["optq-l2"]
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.ratio == pytest.approx(1, abs=1e-2), "tight"


def test_no_multiple_of_eta_is_a_tie():
    """eta is an odd multiple of 2^-20, below a half: t eta is half an integer at t = 2^19 first, far beyond what is built."""
    for seed in range(20):
        made = claims()["adversarial-growth"].construct(Problem(np.eye(2), np.zeros((2, 1)), Grid(1.0), seed=seed))
        eta = made.W[0, 0]
        assert 0 < eta < 0.5
        assert (eta * 2**20) % 2 == 1


# --- what a residual is relative to ----------------------------------------------------------------------------------------


def largest(*arrays):
    """The sum of the largest sizes (K,) of the arrays' columns."""
    return sum(np.abs(array).max(axis=0) for array in arrays)


def test_numbers_that_were_rounded_are_compared_relative_to_them_the_weights_and_a_step():
    z = RESULT.rounding_errors + RESULT.weights[ORDER]
    given = Problem(X, W, Grid(STEPS), damping=0.37, ordering=ORDER)
    S = np.vstack([X, np.sqrt(0.37) * np.eye(5)])
    expected = np.broadcast_to(largest(z, W) + STEPS, z.shape)
    scales = np.asarray(claims()["optq-update"](given, RESULT).scale)
    assert np.broadcast_to(scales[0], z.shape) == pytest.approx(expected)
    assert np.broadcast_to(scales[1], z.shape) == pytest.approx(expected * np.linalg.cond(S) ** 2), "an inverse loses cond^2 more"

    deployed = Problem(X, W, Grid(STEPS), "qronos", damping=0.37, ordering=ORDER, X_quantized=X_TILDE)
    T = np.vstack([X_TILDE, np.sqrt(0.37) * np.eye(5)])
    u = np.linalg.lstsq(T, S @ W, rcond=None)[0]
    scale = np.asarray(claims()["qronos-equivalence"](deployed, RESULT).scale)
    assert np.broadcast_to(scale, z.shape) == pytest.approx(np.broadcast_to(largest(z, u, W) + STEPS, z.shape))


def test_feedback_is_compared_relative_to_the_terms_of_its_sums():
    given = Problem(X, W, Grid(STEPS), damping=0.37, ordering=ORDER)
    S = np.vstack([X[:, ORDER], np.sqrt(0.37) * np.eye(5)])
    R = np.linalg.qr(S[:, ::-1], mode="r")[::-1, ::-1]
    L = R / np.diag(R)[:, None]
    expected = np.abs(L) @ (np.abs(W[ORDER]) + np.abs(RESULT.weights[ORDER])) + STEPS
    assert np.asarray(claims()["feedback-form"](given, RESULT).scale) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [1, 3])
def test_every_code_that_is_not_the_tight_one_counts_as_one(wrong):
    made = tight_problem(Problem(X, np.zeros((5, 2)), Grid(0.4), damping=0.2))
    codes = made.result.codes.copy()
    codes[:wrong, 1] += 7
    other = Arbitrary(0.4 * codes, codes, made.result.rounding_errors, made.result.saturated)
    evaluation = claims()["optq-l2-tight"](made, other)
    residual = np.abs(np.asarray(evaluation.measured) - np.asarray(evaluation.bound)) / np.asarray(evaluation.scale)
    assert list(residual[1]) == [0, wrong]


def test_what_float64_loses_beside_the_optimum_covers_both_sides():
    """Both errors may move by some eps of what their norms are sums of: squares move by twice as much times the norm, and add up."""
    given = Problem(X, W, Grid(STEPS), damping=0.37, ordering=ORDER)
    S = np.vstack([X[:, ORDER], np.sqrt(0.37) * np.eye(5)])
    pivots = np.array([1 / np.linalg.inv(S[:, t:].T @ S[:, t:])[0, 0] for t in range(5)])
    factor = 1 + max(pivots[t + 1 :].sum() / pivots[t] for t in range(5))
    shares = []
    for result in (RESULT, given.result):
        evaluation = claims()["optq-near-optimal"](given, result)
        reached, best = np.sqrt(np.asarray(evaluation.measured)), np.sqrt(np.asarray(evaluation.bound) / factor)
        loss = np.finfo(float).eps * (np.sqrt((X**2).sum(axis=0) + 0.37) @ (2 * np.abs(W) + np.abs(result.weights)))
        shares.append(np.asarray(evaluation.noise) / (2 * loss * (reached + factor * best)))
    assert np.array(shares) == pytest.approx(np.full((2, 3), shares[0][0]), rel=1e-6), "one number of eps for all"
    assert 1 < shares[0][0] < 200


def test_what_float64_loses_of_a_projected_mismatch_covers_the_mismatch_and_what_explains_it():
    """X = 2, X~ = 1: the mismatch is w itself, and so is its projection; one is counted in norm, the other term by term."""
    weights = np.array([[900.0, 300.0, 100.0, 0.0], [0.0, 300.0, -200.0, 0.0], [0.0, 300.0, 300.0, 0.0], [0.0, -300.0, 400.0, 0.5]])
    given = Problem(2 * np.eye(4), weights, Grid(1.0), "qronos", X_quantized=np.eye(4))
    moved = output_loss(given, given.result)
    sizes = np.abs(weights).sum(axis=0) + np.linalg.norm(weights, axis=0) + moved
    shares = (projected_loss(given, given.result) - moved) / sizes / np.finfo(float).eps
    assert shares == pytest.approx(np.full(4, shares[0]))
    assert 1 < shares[0] < 200


def test_what_float64_loses_of_path_following_covers_the_path_without_rounding_too():
    """X scales each feature of X~ = 1 on its own: u = diag(X) w, and all sizes can be read off."""
    scales = np.array([1.0, 2.0, 4.0, 8.0])
    weights = np.array([[900.3, 300.2, 0.4, 0.3], [0.2, 300.1, 0.3, 0.1], [0.3, 300.4, 0.4, 0.3], [0.4, -300.3, 700.3, 0.4]])
    given = Problem(np.diag(scales), weights, Grid(1.0), "gpfq", X_quantized=np.eye(4))
    evaluation = claims()["gpfq-mismatch"](given, given.result)
    size = np.sqrt(evaluation.measured) + np.sqrt(evaluation.bound)
    loss = evaluation.noise / (size + np.sqrt(size**2 + 2 * evaluation.noise))  # the noise is 2 size loss + 2 loss^2
    path = scales @ np.abs(weights)
    moved = scales @ np.abs(weights) + np.abs(weights).sum(axis=0) + np.abs(given.result.weights).sum(axis=0)
    shares = loss / (moved + path) / np.finfo(float).eps
    assert shares == pytest.approx(np.full(4, shares[0]))
    assert 4 < shares[0] < 1000


@pytest.mark.parametrize("claim_id", ["sto-optq-linf-rowwise", "sto-optq-l2"])
@pytest.mark.parametrize(("inputs", "weights"), [(400, 0), (0, -600), (-300, 500)])
def test_draws_of_ones_own_program_are_judged_alike_in_all_units(claim_id, inputs, weights):
    """Powers of two change no digit: the program makes the same codes, and both sides the same ratio."""
    def layer(inputs, weights):
        return Problem(np.ldexp(X, inputs), np.ldexp(W[:, :1], weights), Grid(float(np.ldexp(0.5, weights))), rounding="stochastic", seed=3,
                       damping=float(np.ldexp(0.37, 2 * inputs)), failure_probability=0.3)

    moderate, extreme = (check(given, [claim_id], algorithm=lambda problem: problem.result, draws=300)[claim_id]
                         for given in (layer(0, 0), layer(inputs, weights)))
    assert extreme.outcome is moderate.outcome
    assert extreme.ratio == pytest.approx(moderate.ratio, rel=1e-12)
    assert (extreme.failures, extreme.draws) == (moderate.failures, 300)
    degree = {"sto-optq-linf-rowwise": 1, "sto-optq-l2": 2}[claim_id]
    np.testing.assert_allclose(extreme.bound, np.ldexp(moderate.bound, degree * (inputs + weights)), rtol=1e-12)


@pytest.mark.parametrize("claim_id", ["sto-optq-convex-order", "sto-optq-convex-order-sharp"])
@pytest.mark.parametrize("samples", [7, 12])
def test_the_convex_order_is_tried_along_different_signs(claim_id, samples):
    """One sample by itself, then three combinations of all samples that are not one and the same."""
    rng = np.random.default_rng(6)
    inputs, weights = rng.standard_normal((samples, 4)), 2 * rng.standard_normal((4, 2))
    given = Problem(inputs, weights, Grid(0.5), damping=0.2, rounding="stochastic", seed=1)
    outputs = given.X @ (given.W - given.result.weights)
    sizes = np.asarray(claims()[claim_id](given, given.result).measured)[1::5]
    assert sizes.shape == (4, 2)
    assert np.abs(np.abs(outputs) - sizes[0]).min(axis=0) == pytest.approx(0, abs=1e-12)
    assert len({tuple(row.round(9)) for row in sizes}) == 4
    assert (np.abs(sizes[1:] - np.abs(outputs.sum(axis=0))) > 1e-9).any(axis=0).all(), "not the plain sum each time"


@pytest.mark.parametrize(("codes", "accepted"), [(1, False), (4, False), (3, True), (2, True)])
def test_a_certificate_that_accepts_everything_is_seen_at_a_tie_too(codes, accepted, monkeypatch):
    """z = 2.5: only 2 and 3 are nearest; the claim says so without asking the certificate."""
    module = import_module("provable_ptq.bounds.deterministic.optq_certificate")
    monkeypatch.setattr(module, "first_departures", lambda problem, codes, errors: np.full(problem.K, problem.N))
    given = Problem(np.eye(2), np.array([[2.5], [0.2]]), Grid(1.0))
    given_codes = np.array([[codes], [0]])
    other = Arbitrary(given_codes.astype(float), given_codes, given.W - given_codes, np.zeros((2, 1), dtype=bool))
    evaluation = claims()["optq-certificate"](given, other)
    assert evaluation.measured[0, 0] == 2
    assert (evaluation.bound[0, 0] == 2) == accepted


def test_distances_to_the_grid_are_the_same_numbers_exactly():
    """Weights on either side of codes of either sign, on the grid, and halfway."""
    weights = np.array([[0.3, -0.7, 5.25], [-1.375, 0.0, 2.5], [1.875, -2.25, -3.5]])
    given = Problem(np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 1.0]]), weights, Grid(0.5), damping=0.25)
    name = "optimum-floor"
    exact, floating = check_exact(given, [name]).verdicts[name].bound, check(given, [name])[name].bound
    assert as_float(np.asarray(exact)[:2]) == pytest.approx(np.asarray(floating)[:2])
    H = given.X.T @ given.X + 0.25 * np.eye(3)
    distances = np.abs(weights - 0.5 * np.rint(weights / 0.5))
    assert np.asarray(floating)[0] == pytest.approx((distances**2 / np.diag(np.linalg.inv(H))[:, None]).max(axis=0))


DEGREES = {"squared output error": (2, 2), "squared output error per sample": (2, 2), "output error": (1, 1),
           "squared calibration entry": (2, 0), "weight": (0, 1)}  # in the unit of the inputs, of the weights


@pytest.mark.parametrize(("inputs", "weights"), [(-9, 0), (7, 0), (0, -9), (0, 7)])
@pytest.mark.parametrize("claim_id", [
    name for name, made in claims().items() if made.unit in DEGREES and not made.fixed and made.construct is None])
def test_both_sides_keep_to_their_units(claim_id, inputs, weights):
    """Inputs below and above 1, weights and steps as well: powers of two change no code and no digit of either side."""
    made = claims()[claim_id]

    def sides(inputs, weights):
        about = {"X_quantized": np.ldexp(X_TILDE, inputs)} if made.chapter == "mismatch" else {}
        damping = {} if made.algorithms[0] == "gpfq" else {"damping": float(np.ldexp(0.37, 2 * inputs))}
        given = Problem(np.ldexp(X, inputs), np.ldexp(W, weights), Grid(np.ldexp(STEPS, weights)),
                        made.algorithms[0], ordering=ORDER, seed=4, rounding=made.rounding or "nearest",
                        X_validation=np.ldexp(X[:4], inputs), **damping, **about)
        evaluation = made(given, given.result)
        return np.asarray(evaluation.measured, dtype=float), np.asarray(evaluation.bound, dtype=float)

    exponent = DEGREES[made.unit][0] * inputs + DEGREES[made.unit][1] * weights
    for here, there in zip(sides(0, 0), sides(inputs, weights), strict=True):
        np.testing.assert_allclose(there, np.ldexp(here, exponent), rtol=1e-9, atol=1e-12 * float(np.ldexp(np.abs(here).max(), exponent)))


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("ordering", ["min-pivot", "decreasing-norm", "increasing-norm"])
def test_path_following_orders_without_damping_in_every_unit(size, ordering):
    """The order that claims read is the one that the algorithm took, and it does not depend on the unit."""
    alike = X + 3 * X[:, :1]
    given = Problem(size * alike, W, Grid(STEPS), "gpfq", ordering=ordering)
    assert list(given.order) == list(Problem(alike, W, Grid(STEPS), ordering=ordering).factorization.order)
    taken = gpfq(given.X, W, given.grid, ordering=given.order)
    np.testing.assert_array_equal(gpfq(given.X, W, given.grid, ordering=ordering).codes, taken.codes)
