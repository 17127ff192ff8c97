"""Where the book says that a claim is sharp, both sides meet; and what it says that a claim reduces to, it is, number for number."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Problem, claims
from provable_ptq.bounds.deterministic.optq_l2_tight import EPSILON, tight_problem
from provable_ptq.bounds.mismatch.projection import unexplained_squared
from provable_ptq.bounds.problems.constructions import clamped_problem, growth_problem
from scipy.stats import ortho_group

BELOW = 0.5 - 1e-9  # just below the tie


def evaluate(name, problem):
    """(measured, bound) of a claim on a problem, as arrays."""
    evaluation = claims()[name](problem, problem.result)
    return np.asarray(evaluation.measured, dtype=float), np.asarray(evaluation.bound, dtype=float)


def meets(name, problem, row=..., rel=1e-8):
    measured, bound = evaluate(name, problem)
    np.testing.assert_allclose(measured[row], bound[row], rtol=rel)


def equal_bounds(one, problem, other, another=None, rel=1e-11, row=..., other_row=..., factor=1.0):
    _, first = evaluate(one, problem)
    _, second = evaluate(other, another if another is not None else problem)
    np.testing.assert_allclose(first[row], factor * second[other_row], rtol=rel)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def problem(rng):
    """Five correlated features, a step for each, damped."""
    X = rng.standard_normal((7, 5)) @ rng.standard_normal((5, 5))
    return Problem(X, rng.standard_normal((5, 3)), Grid(rng.uniform(0.3, 0.9, (5, 3))), damping=0.4)


@pytest.fixture
def orthogonal():
    """Orthogonal columns of different lengths, and weights just below a tie."""
    X = ortho_group.rvs(6, random_state=1)[:, :4] * [3.0, 1.0, 0.5, 2.0]
    return Problem(X, np.full((4, 1), BELOW), Grid(1.0))


# --- sharp ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damping", [0.0, 0.5])
@pytest.mark.parametrize("name", ["pivot-bound", "optq-l2-explicit"])
def test_one_sample_attains_the_bounds_on_pivots(name, damping, rng):
    X = rng.standard_normal((1, 5))
    definite = Problem(X, np.zeros((5, 1)), Grid(1.0), damping=damping) if damping else Problem(X[:, :1], np.zeros((1, 1)), Grid(1.0))
    meets(name, definite, rel=1e-12)


def test_a_multiple_of_the_identity_meets_every_floor_of_orderings():
    meets("order-floor", Problem(2 * np.eye(4), np.zeros((4, 1)), Grid(1.0), damping=0.5), rel=1e-12)


def test_equal_pivots_meet_the_floor_of_the_sum():
    measured, bound = evaluate("order-floor", growth_problem(8, 0.3))
    np.testing.assert_allclose(measured[:4], bound[:4], rtol=1e-12)
    assert measured[4] > 1.5 * bound[4], "the trace is above the sum of the pivots"


def test_signs_of_a_row_attain_the_infinity_norm(problem):
    f, worst = problem.factorization, int(np.argmax((np.abs(problem.factorization.sample_rows_of_V) @ problem.steps)[:, 0]))
    errors = problem.steps / 2 * (1 - EPSILON) * np.sign(f.sample_rows_of_V[worst])[:, None]
    measured, bound = evaluate("optq-linf", problem.but(W=f.M @ errors))
    assert measured[0] / bound[0] == pytest.approx(1 - EPSILON, rel=1e-10)


@pytest.mark.parametrize("j", range(1, 5))
def test_signs_of_a_row_attain_the_drift(problem, j):
    M = problem.factorization.M
    errors = np.where(M[j] == 0, 1, -np.sign(M[j]))[:, None] * problem.steps / 2 * (1 - EPSILON)
    measured, bound = evaluate("optq-alphabet", problem.but(W=M @ errors))
    np.testing.assert_allclose(measured[j] / bound[j], 1 - EPSILON, rtol=1e-8)


def test_the_undamped_error_can_stay_far_below(problem):
    measured, bound = evaluate("optq-l2", tight_problem(problem.but(damping=1e6)))
    np.testing.assert_allclose(measured / bound, (1 - EPSILON) ** 2, rtol=1e-9)
    made = tight_problem(problem.but(damping=1e6))
    undamped = ((made.X @ (made.W - made.result.weights)) ** 2).sum(axis=0)
    assert (undamped < 1e-3 * bound).all()


def test_one_feature_is_rounded_optimally_and_at_its_floor():
    single = Problem(np.array([[2.0], [1.0]]), np.array([[0.3, 1.4]]), Grid(1.0), damping=0.5)
    meets("optq-near-optimal", single, rel=1e-12)
    meets("optimum-floor", single, rel=1e-12)


def test_equal_pivots_put_the_factor_to_the_optimum_at_the_number_of_features():
    made = growth_problem(8, 0.3)
    optimum = evaluate("optimum-floor", made)[0][0]
    np.testing.assert_allclose(evaluate("optq-near-optimal", made)[1], 8 * optimum, rtol=1e-12)


def test_orthogonal_columns_make_everything_rounding_to_nearest(orthogonal):
    meets("optq-beats-rtn", orthogonal, rel=1e-12)
    meets("optq-l2", orthogonal)
    meets("gpfq-l2", orthogonal.but(algorithm="gpfq"))
    assert (orthogonal.result.codes == np.rint(orthogonal.W)).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_worst_cases_of_two_correlated_features_by_hand(sign):
    """H = [[5, 5s], [5s, 10]]: the corner (1, s) is the worst, 25; the trace is 15, the pivots 10 and 5 - 25/10."""
    measured, bound = evaluate("optq-beats-rtn", Problem(np.array([[2.0, 1.0], [1.0, 3.0]]) * [1, sign], np.zeros((2, 1)), Grid(1.0)))
    np.testing.assert_allclose(measured, [25, 15], rtol=1e-12)
    np.testing.assert_allclose(bound, [15, 12.5], rtol=1e-12)


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_projected_qronos_attains_its_bound_by_weights_with_a_tight_target(rng, damping):
    """What the bound has beside the unexplained mismatch is attained, for weights whose target is that of `optq-l2-tight`."""
    deployed = rng.standard_normal((9, 4))
    X = deployed + 0.1 * rng.standard_normal((9, 4))
    blank = Problem(X, np.zeros((4, 1)), Grid(0.7), "qronos", form="projected", damping=damping, X_quantized=deployed)
    M = blank.factorization.M
    target = M @ (np.array([[1.0], [-1.0], [-1.0], [1.0]]) * 0.35 * (1 - EPSILON))
    inverse = np.linalg.inv(deployed.T @ deployed + damping * np.eye(4))
    made = blank.but(W=np.linalg.solve(np.eye(4) + inverse @ deployed.T @ (X - deployed), target))
    measured, bound = evaluate("qronos-l2", made)
    unexplained = unexplained_squared(made)
    assert unexplained > 0
    np.testing.assert_allclose((measured - unexplained) / (bound - unexplained), (1 - EPSILON) ** 2, rtol=1e-8)


def test_path_following_of_one_feature_is_sharp():
    meets("gpfq-mismatch", Problem(np.array([[2.0], [1.0]]), np.array([[BELOW]]), Grid(1.0), "gpfq", X_quantized=np.array([[2.0], [1.0]])))


def test_halfway_weights_attain_the_means_of_stochastic_rounding(orthogonal, rng):
    halfway = orthogonal.but(W=np.array([[0.5], [-1.5], [2.5], [0.5]]), rounding="stochastic", damping=0.3)
    measured, bound = evaluate("sto-optq-l2", halfway)
    np.testing.assert_allclose(measured, bound, rtol=1e-12)
    single = Problem(np.array([[2.0]]), np.array([[0.5]]), Grid(1.0), rounding="stochastic", X_validation=rng.standard_normal((3, 1)))
    meets("sto-optq-generalization", single, rel=1e-12)


def test_a_halfway_weight_attains_the_sharp_convex_order_and_a_quarter_of_the_papers():
    single = Problem(np.array([[2.0]]), np.array([[0.5]]), Grid(1.0), rounding="stochastic")
    absolute = 1  # the row of E|.|, at the sample itself
    meets("sto-optq-convex-order-sharp", single, row=absolute, rel=1e-12)
    measured, bound = evaluate("sto-optq-convex-order", single)
    np.testing.assert_allclose(measured[absolute], bound[absolute] / 2, rtol=1e-12)


def test_the_growth_comes_up_to_the_2_norm_bound():
    made = growth_problem(16, 0.5 - 2**-20)
    meets("optq-l2", made, rel=1e-5)


# --- special cases -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["alternating", "projected"])
def test_without_a_mismatch_qronos_is_optq(problem, form):
    matched = problem.but(algorithm="qronos", form=form, X_quantized=problem.X)
    for one, other in (("qronos-l2", "optq-l2"), ("qronos-identity", "optq-identity")):
        equal_bounds(one, matched, other, problem)
        np.testing.assert_allclose(evaluate(one, matched)[0], evaluate(other, problem)[0], rtol=1e-10)
    stochastic = matched.but(rounding="stochastic", grid=Grid(0.7))
    equal_bounds("sto-qronos-linf", stochastic, "sto-optq-linf", problem.but(rounding="stochastic", grid=Grid(0.7)), row=0)
    equal_bounds("sto-qronos-linf", stochastic, "sto-optq-linf-rowwise", problem.but(rounding="stochastic", grid=Grid(0.7)), row=1)


def test_without_a_mismatch_the_others_are_optq_and_path_following_too(problem):
    matched = problem.but(X_quantized=problem.X)
    np.testing.assert_allclose(evaluate("optq-mismatch", matched)[1] ** 2, evaluate("optq-l2", problem)[1], rtol=1e-12)
    for row in range(4):
        np.testing.assert_allclose(evaluate("target-family", matched)[1][row], evaluate("optq-l2", problem)[1], rtol=1e-10)
    path = problem.but(algorithm="gpfq", damping=0.0)
    equal_bounds("gpfq-mismatch", path.but(X_quantized=problem.X), "gpfq-l2", path, other_row=0, rel=1e-9)


def test_the_target_at_one_is_projected_qronos(problem, rng):
    deployed = problem.X + 0.2 * rng.standard_normal(problem.X.shape)
    family = problem.but(X_quantized=deployed)
    projected = family.but(algorithm="qronos", form="projected")
    equal_bounds("target-family", family, "qronos-l2", projected, row=2)
    np.testing.assert_allclose(evaluate("target-family", family)[0][2], evaluate("qronos-l2", projected)[0], rtol=1e-9)


def test_test_inputs_that_are_the_calibration_inputs(problem):
    drawn = problem.but(rounding="stochastic", X_validation=problem.X)
    equal_bounds("sto-optq-generalization", drawn, "sto-optq-l2", other_row=1, factor=1 / problem.m, rel=1e-9)


@pytest.mark.parametrize(("rounding", "bound", "share"), [("nearest", "optq-l2", 1 / 3), ("stochastic", "sto-optq-l2", 2 / 3)])
def test_predictions_are_shares_of_the_bounds(problem, rounding, bound, share):
    drawn = problem.but(rounding=rounding, X_validation=problem.X)
    equal_bounds("predicted-error", drawn, bound, factor=share, other_row=0 if rounding == "stochastic" else ...)
    if rounding == "stochastic":
        equal_bounds("predicted-heldout-error", drawn, bound, factor=share, other_row=1, rel=1e-9)


def test_equal_pivots_put_the_floor_of_steps_at_the_prediction():
    equal_bounds("rate-distortion-floor", growth_problem(8, 0.3), "predicted-error", rel=1e-10)


def test_rows_of_one_length_give_hoeffdings_level():
    drawn = growth_problem(16, 0.3, rounding="stochastic")
    level = np.sqrt(np.log(2 * 16 / drawn.failure_probability) / 2)
    np.testing.assert_allclose(evaluate("sto-optq-linf-rowwise", drawn)[1], level, rtol=1e-9)
    assert (evaluate("sto-optq-alphabet", drawn)[1] <= np.sqrt(16) * level).all()


def test_levels_of_path_following_are_those_of_optq_on_orthogonal_columns():
    X = ortho_group.rvs(5, random_state=2)
    drawn = Problem(X, np.full((5, 1), 0.3), Grid(0.7), rounding="stochastic")
    path = drawn.but(algorithm="gpfq")
    equal_bounds("spfq-linf", path, "sto-optq-linf", drawn, row=0)
    equal_bounds("spfq-linf", path, "sto-optq-linf-rowwise", drawn, row=1, rel=1e-9)


def test_levels_keep_the_factors_that_the_book_states(problem):
    drawn = problem.but(rounding="stochastic", grid=Grid(0.7))
    paper, sharp, rows = (evaluate(name, drawn)[1] for name in ("sto-optq-linf", "sto-optq-linf-sharp", "sto-optq-linf-rowwise"))
    assert (paper >= np.sqrt(6) * sharp).all()
    assert (sharp >= np.sqrt(np.pi / 2) * rows * (1 - 1e-9)).all()
    assert (paper >= np.sqrt(3 * np.pi) * rows * (1 - 1e-9)).all()


def test_large_damping_leaves_stochastic_rounding(problem):
    drawn = problem.but(rounding="stochastic", grid=Grid(0.7), damping=1e12)
    p, N = drawn.failure_probability, drawn.N
    np.testing.assert_allclose(evaluate("sto-optq-weights", drawn)[1], 0.7 * np.sqrt(2 * np.pi * np.log(np.sqrt(2) * N / p)), rtol=1e-6)


def test_singular_values_that_vanish_leave_the_trace(rng):
    X = np.vstack([rng.standard_normal((2, 6)), np.zeros((1, 6))])
    flat = Problem(X, np.zeros((6, 1)), Grid(1.0), damping=0.4)
    np.testing.assert_allclose(evaluate("optq-l2-explicit", flat)[1], (X**2).sum() + 6 * 0.4, rtol=1e-12)


def test_an_alphabet_that_reaches_down_keeps_the_bound_on_the_clamped_construction():
    N = 32
    clamped, reaching = clamped_problem(N, 1.0), clamped_problem(N, 1.0).but(grid=Grid(1.0, low=2 - N // 2, high=3))
    assert clamped.result.saturated.sum() == 1
    assert not reaching.result.saturated.any()
    measured, bound = evaluate("optq-l2", reaching)
    assert (measured <= bound).all()
    assert (evaluate("optq-l2", clamped)[0] > bound).all()
