"""A checker that cannot fail checks nothing: wrong theorems and wrong algorithms, each refuted by the ordinary check.

Every wrong theorem is a registered claim with one thing changed, on a problem where it is really false; the right claim
passes the same check on the same problem. Every wrong algorithm is a copy of the right one with one thing changed, and
names the claims that refute it; the right copy passes them on the same problem.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, factorize, round_to_nearest
from provable_ptq.algorithms.feedback import Rounded
from provable_ptq.algorithms.result import result_of
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.arithmetic import tail_level
from provable_ptq.bounds.campaign import campaign
from provable_ptq.bounds.deterministic.optimum import optimum_squared
from provable_ptq.bounds.deterministic.optq_l2_tight import EPSILON, tight_problem
from provable_ptq.bounds.measure import (
    damped_deployed_error_squared,
    damped_error_squared,
    deployed_errors,
    gram,
    literal_numbers,
    own_errors,
    pivot_sum,
    squares,
    undamped_pivots_squared,
)
from provable_ptq.bounds.mismatch.gpfq_mismatch import unrounded
from provable_ptq.bounds.mismatch.projection import (
    first_minimizer,
    target,
    unexplained_outputs,
    unexplained_squared,
)
from provable_ptq.bounds.problems import zoo_matrix
from provable_ptq.bounds.problems.constructions import clamped_problem, growth_problem
from provable_ptq.bounds.problems.drawn import draw_problem
from provable_ptq.bounds.stochastic.convex_order import convex_order_evaluation
from provable_ptq.bounds.stochastic.levels import hoeffding_factor, largest_error, row_variances, rowwise_level
from provable_ptq.bounds.verdict import decide

DRAWS = 8192  # above 12 features, and for algorithms that are not the project's own


# --- problems ------------------------------------------------------------------------------------------------------


def random_problem(m=9, N=6, K=3, seed=0, **changes):
    """Correlated features of different sizes, weights of a few steps."""
    rng = np.random.default_rng(seed)
    X = zoo_matrix("ar1", m, N, rng, correlation=0.7) * np.exp(0.5 * rng.standard_normal(N))
    return Problem(X, 3 * rng.standard_normal((N, K)), **{"grid": Grid(step=1.0), "damping": 0.5} | changes)


def tight(**changes):
    """The weights on which OPTQ comes within 2^-10 of its bound."""
    return tight_problem(random_problem(**changes))


def tight_row(**changes):
    """The weights on which OPTQ comes within 2^-10 of its infinity-norm bound: signs of the row of V that attains it."""
    problem = random_problem(**changes)
    V = problem.factorization.sample_rows_of_V
    row = np.abs(V).sum(axis=1).argmax()
    errors = 0.5 * (1 - EPSILON) * np.sign(V[row])[:, None]
    return problem.but(W=problem.factorization.M @ errors)


def lopsided():
    """Two nearly parallel features, the large one last: OPTQ's pivots are large in this order and small in the other."""
    return tight_problem(Problem(np.array([[1.0, 10.0], [0.0, 1.0]]), np.zeros((2, 4)), Grid(step=1.0)))


def mixed_steps(**changes):
    """Tight weights with steps that grow with the feature."""
    return tight(grid=Grid(np.array([[0.5], [1.0], [1.0], [2.0], [2.0], [4.0]])), **changes)


def coarse(**changes):
    """Weights of many steps on an alphabet of four codes: most steps saturate."""
    return random_problem(grid=Grid(0.5, low=-2, high=1), **changes)


def mismatched(**changes):
    """Deployed inputs that differ from the calibration inputs by about a fifth."""
    X = random_problem().X
    noisy = X * (1 + 0.2 * np.random.default_rng(1).standard_normal(X.shape))
    return random_problem(X_quantized=noisy, **changes)


def qronos_problem(**changes):
    """Qronos on mismatched inputs, with weights so large that the mismatch moves targets by many steps."""
    problem = mismatched(algorithm="qronos", **changes)
    return problem.but(W=10 * problem.W)


def one_weight(w, p, **changes):
    """One sample, one feature, one weight: the law of the rounding itself."""
    return Problem(np.eye(1), np.array([[w]]), Grid(step=1.0), rounding="stochastic", failure_probability=p, **changes)


def stochastic(**changes):
    """Six features whose weights lie halfway between grid points at the start."""
    return random_problem(K=1, rounding="stochastic", **changes)


def cosines(N=64, w=0.5, p=0.5, **changes):
    """Orthonormal features with one constant row, the largest of all: there the rounding errors of all features add up."""
    basis = zoo_matrix("adversarial", N, N, np.random.default_rng(0)) @ np.tri(N)
    X = np.vstack([basis[:1], *[basis[1:] / 2] * 4])  # four half rows for one: still orthonormal columns
    settings = {"rounding": "stochastic", "failure_probability": p, "seed": 3} | changes
    return Problem(X, np.full((N, 1), w), Grid(step=1.0), **settings)


def zigzag(N=10):
    """Two samples: each feature corrects the first output and errs on the second, where path following never looks back."""
    s = 0.1
    X = np.array([[1.0] * N + [0.01], [s, -s] * (N // 2) + [0.0]])
    W = 0.5 * (np.arange(N + 1) == 0)[:, None]  # every step then arrives half-way between two grid points
    return Problem(X, W, Grid(step=1.0), algorithm="gpfq", rounding="stochastic", failure_probability=0.5)


def dead_feature(**changes):
    """A zero column whose weight is many steps large."""
    problem = random_problem(**changes)
    X, W = problem.X.copy(), problem.W.copy()
    X[:, 2], W[2] = 0, [40.3, -17.4, 3.4]
    return problem.but(X=X, W=W)


# --- wrong theorems ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Theorem:
    """A wrong theorem: what is wrong, in which claim, and a problem on which it is false."""

    fault: str
    claim: str
    problem: Callable[[], Problem]
    evaluate: Callable
    changes: dict
    right: Outcome = Outcome.HOLDS  # the outcome of the right claim on the same problem


THEOREMS: list[Theorem] = []


def wrong(claim, problem, right=Outcome.HOLDS, **changes):
    """Collect the decorated evaluation as a corruption of `claim`; its name and first line say what is wrong."""

    def collect(evaluate):
        THEOREMS.append(Theorem(evaluate.__name__, claim, problem, evaluate, changes, right))
        return evaluate

    return collect


def scaled(claim, factor):
    """The claim with its bound multiplied."""

    def evaluate(problem, result):
        right = claims()[claim](problem, result)
        return replace(right, bound=factor * np.asarray(right.bound))

    return evaluate


@wrong("optq-l2", tight)
def l2_constant_halved(problem, result):
    """1/8 in place of 1/4."""
    return scaled("optq-l2", 0.5)(problem, result)


@wrong("optq-l2", lambda: tight(damping=2.0))
def l2_pivots_without_damping(problem, result):
    """The pivots of X in place of those of X stacked on the ridge."""
    return Evaluation(damped_error_squared(problem, result), undamped_pivots_squared(problem) @ problem.steps**2 / 4)


@wrong("optq-l2", lopsided)
def l2_order_reversed(problem, result):
    """The pivots of the features in the reverse of their processing order."""
    reverse = factorize(problem.X, problem.damping, problem.order[::-1].copy())
    return Evaluation(damped_error_squared(problem, result), reverse.pivots_squared[::-1] @ problem.steps**2 / 4)


def overprojected(problem):
    """Squared pivots with the feature before projected out as well."""
    f = problem.factorization
    stacked = np.vstack([problem.X[:, f.order], np.sqrt(f.damping) * np.eye(problem.N)])
    squared = []
    for j in range(problem.N):
        others = np.delete(stacked[:, max(j - 1, 0):], min(j, 1), axis=1)
        fit = others @ np.linalg.lstsq(others, stacked[:, j], rcond=None)[0] if others.shape[1] else 0
        squared.append(squares(stacked[:, j] - fit))
    return np.array(squared)


@wrong("optq-l2", tight)
def l2_projection_off_by_one(problem, result):
    """The projection starts one feature too early."""
    return Evaluation(damped_error_squared(problem, result), overprojected(problem) @ problem.steps**2 / 4)


@wrong("optq-l2", mixed_steps)
def l2_first_step_for_all(problem, result):
    """Steps per feature ignored."""
    return Evaluation(damped_error_squared(problem, result), problem.factorization.pivots_squared.sum() * problem.steps[0] ** 2 / 4)


@wrong("optq-l2", coarse, right=Outcome.NOT_APPLICABLE, hypotheses=())
def l2_clipping_taken_for_rounding(problem, result):
    """The bound of the infinite alphabet on runs that saturated."""
    return claims()["optq-l2"](problem, result)


@wrong("optq-identity", random_problem)
def identity_without_ridge(problem, result):
    """The damped pivots against the undamped error."""
    right = claims()["optq-identity"](problem, result)
    return Evaluation(squares(own_errors(problem, result)), right.bound)


@wrong("optq-identity", random_problem)
def identity_pivots_shifted_by_one(problem, result):
    """Each error against the pivot of the next feature."""
    shifted = np.roll(problem.factorization.pivots_squared, -1)
    return Evaluation(damped_error_squared(problem, result), shifted @ result.rounding_errors**2)


@wrong("optq-identity", lambda: random_problem(ordering="decreasing-norm"))
def identity_errors_in_original_order(problem, result):
    """Rounding errors taken for those of the original feature order."""
    return Evaluation(damped_error_squared(problem, result), problem.factorization.pivots_squared[np.argsort(problem.order)]
                      @ result.rounding_errors**2)


@wrong("optq-l2-tight", lambda: random_problem(damping=50.0))
def tight_in_the_undamped_error(problem, result):
    """The bound attained without the ridge: at large damping the undamped error stays well below."""
    right = claims()["optq-l2-tight"](problem, result)
    return replace(right, measured=np.stack([squares(own_errors(problem, result)), right.measured[1]]))


@wrong("pivot-bound", lambda: Problem(np.eye(3), np.zeros((3, 1)), Grid(step=1.0), damping=1.0))
def pivot_bound_without_damping(problem, result):
    """The lambda that is added at the end left out."""
    right = claims()["pivot-bound"](problem, result)
    return Evaluation(right.measured, right.bound - problem.factorization.damping)


@wrong("optq-l2-explicit", lambda: Problem(np.eye(3), np.zeros((3, 1)), Grid(step=1.0), damping=0.01))
def explicit_bound_with_one_full_feature_too_few(problem, result):
    """Only the last m - 1 features counted in full."""
    right = claims()["optq-l2-explicit"](problem, result)
    return Evaluation(right.measured, right.bound - squares(problem.X[:, problem.order[problem.N - problem.m]]))


@wrong("optq-linf", tight_row)
def linf_constant_halved(problem, result):
    """1/4 in place of 1/2."""
    return scaled("optq-linf", 0.5)(problem, result)


@wrong("optq-linf", tight_row)
def linf_wrong_row(problem, result):
    """The smallest row sum in place of the largest."""
    rows = np.abs(problem.factorization.sample_rows_of_V) @ problem.steps
    return Evaluation(np.abs(own_errors(problem, result)).max(axis=0), rows.min(axis=0) / 2)


@wrong("optq-alphabet", lambda: Problem(np.array([[1.0, 1, 1], [0, 1, 1], [0, 0, 1]]) + np.eye(3), np.full((3, 1), 0.49), Grid(step=1.0)))
def alphabet_constant_halved(problem, result):
    """1/4 in place of 1/2."""
    return scaled("optq-alphabet", 0.5)(problem, result)


@wrong("optq-near-optimal", lambda: random_problem(damping=0.01))
def near_optimal_means_optimal(problem, result):
    """gamma = 1."""
    return Evaluation(damped_error_squared(problem, result), optimum_squared(problem))


@wrong("optimum-floor", lambda: Problem(np.eye(2), np.array([[0.4], [0.0]]), Grid(step=1.0)))
def optimum_floor_doubled(problem, result):
    """Twice what no grid point can beat."""
    return scaled("optimum-floor", 2.0)(problem, result)


@wrong("order-floor", random_problem)
def order_floor_with_arithmetic_mean(problem, result):
    """tr H in place of N (det H)^(1/N): no ordering brings the pivots' sum below the trace."""
    return Evaluation(problem.factorization.pivots_squared.sum()[None], np.trace(gram(problem))[None])


@wrong("optq-beats-rtn", lambda: Problem(np.array([[-2.0, -2, -1], [1, -6, 0]]), np.zeros((3, 1)), Grid(step=1.0), damping=31.0))
def beats_rtn_in_the_undamped_error(problem, result):
    """Worst cases over all weights, both without the ridge."""
    f = problem.factorization
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * problem.N)).reshape(problem.N, -1)
    worst = squares(problem.X[:, f.order] @ signs).max()
    return Evaluation(worst[None], squares(f.sample_rows_of_V @ signs).max()[None])


@wrong("optq-certificate", lambda: random_problem(K=40))
def certificate_that_lets_a_whole_step_pass(problem, result):
    """|e| <= step in place of step / 2."""
    codes = result.codes[problem.order]
    step = int(np.random.default_rng(0).integers(problem.N))
    tampered = codes + (np.arange(problem.N) == step)[:, None]
    errors = problem.factorization.L @ (problem.W[problem.order] - problem.steps * tampered)
    beyond = np.abs(errors) > problem.steps
    found = np.where(beyond.any(axis=0), beyond.argmax(axis=0), problem.N)
    return Evaluation(found.astype(float), np.full(problem.K, float(step)), scale=np.ones(problem.K))


@wrong("optq-update", random_problem)
def update_without_damping(problem, result):
    """The least-squares problem of the undamped matrix."""
    z = result.rounding_errors + result.weights[problem.order]
    return Evaluation(z, literal_numbers(problem.but(damping=0.0), result)[0], scale=1 + np.abs(z))


@wrong("feedback-form", random_problem)
def feedback_transposed(problem, result):
    """The factor of the features taken forwards, H = L D^2 L^T, in place of H = L^T D^2 L."""
    u = problem.W[problem.order]
    return Evaluation(result.rounding_errors, forward_factor(problem) @ (u - result.weights[problem.order]), scale=problem.steps)


@wrong("gpfq-l2", lambda: Problem(np.array([[1.0, 1.0, 0.1], [0.0, 1.0, 0.0]]), np.array([[0.49], [-0.735], [0.0]]), Grid(step=1.0),
                                  algorithm="gpfq"))
def path_following_with_pivots(problem, result):
    """OPTQ's bound for path following."""
    return Evaluation(squares(own_errors(problem, result)), undamped_pivots_squared(problem) @ problem.steps**2 / 4)


@wrong("sto-optq-l2", lambda: one_weight(0.5, 0.5))
def mean_square_with_a_sixteenth(problem, result):
    """1/16 in place of 1/4."""
    return scaled("sto-optq-l2", 0.25)(problem, result)


@wrong("sto-optq-l2", lambda: cosines(N=20, w=0.4))
def mean_square_constant_halved(problem, result):
    """1/8 in place of 1/4, seen in independent draws."""
    return scaled("sto-optq-l2", 0.5)(problem, result)


@wrong("sto-optq-l2", lambda: stochastic(grid=Grid(0.5, low=-2, high=1)), right=Outcome.NOT_APPLICABLE, hypotheses=())
def mean_square_of_clipped_draws(problem, result):
    """Clipping taken for unbiased rounding."""
    return claims()["sto-optq-l2"](problem, result)


@wrong("sto-optq-generalization", lambda: growth_problem(8, 0.5, "stochastic").but(X_validation=np.eye(8)[-1:]))
def generalization_without_feedback(problem, result):
    """S_jj in place of (M^T S M)_jj: the errors' way through later features forgotten."""
    moments = squares(problem.X_validation[:, problem.order]) / len(problem.X_validation)
    right = claims()["sto-optq-generalization"](problem, result)
    return replace(right, bound=moments @ problem.steps**2 / 4)


@wrong("sto-optq-convex-order", lambda: one_weight(0.5, 0.5))
def convex_order_with_an_eighth_of_the_variance(problem, result):
    """pi/16 in place of pi/2: half of the best constant."""
    return convex_order_evaluation(problem, result, np.pi / 16)


@wrong("sto-optq-convex-order-sharp", lambda: one_weight(0.5, 0.5))
def sharp_convex_order_with_less_variance(problem, result):
    """0.99 pi/8 in place of pi/8, which is the best constant."""
    return convex_order_evaluation(problem, result, 0.99 * np.pi / 8)


@wrong("sto-optq-linf", lambda: one_weight(0.5, 0.5))
def paper_level_an_eighth(problem, result):
    """An eighth of the level."""
    return scaled("sto-optq-linf", 1 / 8)(problem, result)


@wrong("sto-optq-linf-sharp", lambda: one_weight(0.41, 0.35))
def sharp_level_halved(problem, result):
    """Half of the level."""
    return scaled("sto-optq-linf-sharp", 1 / 2)(problem, result)


@wrong("sto-optq-linf-rowwise", lambda: one_weight(0.5, 0.5))
def rowwise_level_halved(problem, result):
    """Half of the level."""
    return scaled("sto-optq-linf-rowwise", 1 / 2)(problem, result)


@wrong("sto-optq-linf-rowwise", lambda: Problem(np.diag([1.0, 0.05]), np.full((2, 1), 0.5), Grid(step=1.0), rounding="stochastic"))
def rowwise_level_of_the_wrong_row(problem, result):
    """The smallest row variance for all rows."""
    variances = row_variances(problem)
    smallest = np.broadcast_to(variances.min(axis=0), variances.shape)
    return Evaluation(largest_error(problem, result), tail_level(smallest, problem.failure_probability))


@wrong("sto-optq-linf-rowwise", lambda: stochastic(grid=Grid(np.array([[0.1], [0.1], [0.1], [0.1], [0.1], [4.0]])), damping=0.0))
def rowwise_level_of_the_first_step(problem, result):
    """Steps per feature ignored."""
    variances = squares(problem.factorization.sample_rows_of_V.T)[:, None] * problem.steps[0] ** 2
    return Evaluation(largest_error(problem, result), tail_level(variances, problem.failure_probability))


@wrong("sto-optq-weights", lambda: one_weight(0.5, 0.5, damping=1e-4).but(X=np.array([[0.01]])))
def weights_without_damping(problem, result):
    """The level of the outputs for the weights: 1 / sqrt(lambda) left out."""
    return scaled("sto-optq-weights", np.sqrt(problem.factorization.damping))(problem, result)


@wrong("sto-optq-alphabet", lambda: Problem(2 * np.eye(6) - np.tri(6), np.full((6, 1), 0.5), Grid(step=1.0), rounding="stochastic",
                                            failure_probability=0.5))
def alphabet_with_the_inverse_of_m(problem, result):
    """L in place of M = L^-1."""
    squared = problem.factorization.L**2 @ problem.steps**2
    right = claims()["sto-optq-alphabet"](problem, result)
    return Evaluation(right.measured, np.stack([tail_level(s, problem.failure_probability) for s in (squared, squared - problem.steps**2)]))


@wrong("spfq-linf", lambda: zigzag())
def stochastic_path_following_with_pivots(problem, result):
    """Stochastic OPTQ's level for stochastic path following."""
    right = claims()["spfq-linf"](problem, result)
    largest = np.sqrt(undamped_pivots_squared(problem).max())
    return Evaluation(right.measured[0], largest * problem.steps[0] * hoeffding_factor(problem, problem.m))


@wrong("optq-mismatch", lambda: Problem(np.eye(2), np.full((2, 1), 10.3), Grid(step=1.0), X_quantized=1.5 * np.eye(2)))
def mismatch_left_out(problem, result):
    """OPTQ's own bound for the deployed layer."""
    return Evaluation(np.sqrt(damped_deployed_error_squared(problem, result)), np.sqrt(pivot_sum(problem)) / 2)


def steered(**changes):
    """Path following on mismatched inputs, with weights so large that most of the error is mismatch that the path leaves."""
    problem = mismatched(algorithm="gpfq", **changes)
    return problem.but(W=10 * problem.W)


def in_line():
    """Half-way weights on orthonormal features; the second's mismatch adds to the first's rounding error, the last step is fine."""
    X_quantized = np.eye(2)
    return Problem(X_quantized + np.array([[0.0, 1.0], [0.0, 0.0]]), np.full((2, 1), 0.499), Grid(np.array([[1.0], [2.0**-10]])),
                   "gpfq", X_quantized=X_quantized)


@wrong("gpfq-mismatch", steered)
def path_following_absorbs_all_mismatch(problem, result):
    """The bound of matched inputs."""
    norms = squares(problem.calibration[:, problem.order])
    return Evaluation(squares(deployed_errors(problem, result)), norms @ problem.steps**2 / 4)


@wrong("gpfq-mismatch", in_line)
def mismatch_and_roundings_at_right_angles(problem, result):
    """Their squares added, as if the path's part were orthogonal to all roundings and not to the last alone."""
    whole, alone = claims()["gpfq-mismatch"](problem, result), path_following_absorbs_all_mismatch(problem, result)
    left = squares(problem.X[:, problem.order] @ problem.W[problem.order] - problem.calibration[:, problem.order] @ unrounded(problem))
    return replace(whole, bound=left + alone.bound)


@wrong("gpfq-mismatch", in_line)
def gpfq_mismatch_constant_halved(problem, result):
    """Half the bound, where it is attained."""
    return scaled("gpfq-mismatch", 0.5)(problem, result)


@wrong("qronos-l2", qronos_problem)
def qronos_without_detour(problem, result):
    """The bound of the projected form for the alternating one."""
    return Evaluation(damped_deployed_error_squared(problem, result), unexplained_squared(problem) + pivot_sum(problem) / 4)


@wrong("qronos-identity", qronos_problem)
def qronos_identity_without_ridge(problem, result):
    """lambda ||w - q||^2 left out of the error."""
    right = claims()["qronos-identity"](problem, result)
    outputs = problem.X @ problem.W - problem.calibration @ result.weights
    return Evaluation(squares(outputs), right.bound)


@wrong("qronos-equivalence", qronos_problem)
def qronos_forms_taken_for_equal(problem, result):
    """The literal definition of the projected form for the alternating one."""
    z = result.rounding_errors + result.weights[problem.order]
    return Evaluation(z, literal_numbers(problem.but(form="projected"), result)[0], scale=1 + np.abs(z))


@wrong("target-family", lambda: mismatched(grid=Grid(step=0.01)))
def targets_that_explain_everything(problem, result):
    """The part of the mismatch that no weights explain left out."""
    right = claims()["target-family"](problem, result)
    return Evaluation(right.measured[:4], right.bound[:4] - unexplained_squared(problem))


@wrong("sto-qronos-linf", lambda: qronos_problem(rounding="stochastic", failure_probability=0.5, grid=Grid(step=0.1)))
def stochastic_qronos_without_detour(problem, result):
    """The mean of the error without (u_1 - z_1) v_1."""
    right = claims()["sto-qronos-linf"](problem, result)
    return Evaluation(right.measured[1], np.abs(unexplained_outputs(problem)).max(axis=0) + rowwise_level(problem))


@wrong("adversarial-growth", random_problem)
def errors_that_do_not_add_up(problem, result):
    """eta in place of eta sqrt(N)."""
    return Evaluation(squares(own_errors(problem, result)), claims()["adversarial-growth"](problem, result).bound[0] / problem.N)


@wrong("finite-grid-counterexample", random_problem)
def clamping_never_hurts(problem, result):
    """Round-to-nearest's error at least that of clamped OPTQ."""
    clamped = clamped_problem(64, 1.0)
    rounded = round_to_nearest(clamped.W, clamped.grid)
    return Evaluation(squares(own_errors(clamped, rounded)), squares(own_errors(clamped, clamped.result)))


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.fault)
def test_a_wrong_theorem_is_refuted(plant, theorem):
    problem = theorem.problem()
    name = plant(theorem.claim, theorem.evaluate, **theorem.changes)
    verdict = check(problem, [name], draws=DRAWS)[name]
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.witness is not None


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.fault)
def test_the_right_theorem_passes_where_the_wrong_one_fails(theorem):
    verdict = check(theorem.problem(), [theorem.claim], draws=DRAWS)[theorem.claim]
    assert verdict.outcome is theorem.right, verdict.advice


def test_every_theorem_has_a_planted_corruption():
    theorems = {made.id for made in claims().values() if made.kind is not Kind.PREDICTION}
    assert {theorem.claim for theorem in THEOREMS} == theorems


# --- wrong algorithms ----------------------------------------------------------------------------------------------


def nearest(t, ratio):
    """The closest code."""
    return np.rint(ratio)


def by_hand(problem, L=None, target=None, first=None, codes_of=nearest, step=None):
    """The feedback recursion as a plain loop, every part of it replaceable; everything in processing order.

    Arguments:
        L: what feeds the errors of earlier features back; None: the right one.
        target: (N, K); None: the weights.
        first: (K,) what the first step rounds in place of its target; None: the target.
        codes_of: (step number, ratios) -> codes.
        step: (N, K) what is taken for the step; None: the right one.
    """
    f = problem.factorization
    L, u = f.L if L is None else L, problem.W[f.order] if target is None else target
    right, low, high = problem.alphabet
    step, slack = right if step is None else step, 0.5 if problem.rounding == "nearest" else 0.0
    codes, q, errors, saturated = np.zeros_like(u), np.zeros_like(u), np.zeros_like(u), np.zeros(u.shape, dtype=bool)
    for t in range(problem.N):
        z = u[t] + L[t, :t] @ (u[:t] - q[:t]) if t or first is None else first
        ratio = z / step[t]
        codes[t] = np.clip(codes_of(t, ratio), low[t], high[t])
        q[t] = step[t] * codes[t]
        errors[t] = z - q[t]
        saturated[t] = (ratio < low[t] - slack) | (ratio > high[t] + slack)
    return laid_out(problem, codes, q, errors, saturated)


def laid_out(problem, codes, q, errors, saturated=None):
    """A result from arrays in processing order."""
    saturated = np.zeros(q.shape, dtype=bool) if saturated is None else saturated
    whole = np.where(np.isfinite(codes), codes, 0).astype(np.int64)
    return result_of(problem.algorithm, Rounded.of_steps(problem.order, whole, q, errors, saturated), problem.W, problem.order, None, None)


def forward_factor(problem):
    """L of the Cholesky factorization of the features taken forwards, unit lower triangular."""
    C = np.linalg.cholesky(gram(problem))
    return C / np.diag(C)


def draws_of(problem):
    """The uniforms (N, K) of the problem's stochastic rounding, processing order."""
    return np.random.default_rng(problem.seed).random((problem.N, problem.K))[problem.order]


def up_below(uniforms, probability):
    """Rounds up where the step's uniform is below probability(fractional part)."""
    return lambda t, ratio: np.floor(ratio) + (uniforms[t] < probability(ratio - np.floor(ratio)))


def fraction(f):
    """The probability of rounding up that makes the error's mean zero."""
    return f


def right(problem):
    """Every algorithm by hand, nothing wrong with it."""
    codes_of = nearest if problem.rounding == "nearest" else up_below(draws_of(problem), fraction)
    if problem.algorithm == "gpfq":
        return path_following(problem, codes_of)
    if problem.algorithm == "optq":
        return by_hand(problem, codes_of=codes_of)
    first = first_minimizer(problem) if problem.form == "alternating" else None
    return by_hand(problem, target=target(problem), first=first, codes_of=codes_of)


def path_following(problem, codes_of=nearest, remembered=1.0):
    """GPFQ by its definition; `remembered`: how much of the running error each step still sees."""
    order = problem.order
    X, deployed, w, step = problem.X[:, order], problem.calibration[:, order], problem.W[order], problem.steps
    running, codes, errors = np.zeros((problem.m, problem.K)), np.zeros_like(w), np.zeros_like(w)
    for t in range(problem.N):
        z = deployed[:, t] @ (remembered * running + np.outer(X[:, t], w[t])) / squares(deployed[:, t])
        codes[t] = codes_of(t, z / step[t])
        errors[t] = z - step[t] * codes[t]
        running += np.outer(X[:, t], w[t]) - np.outer(deployed[:, t], step[t] * codes[t])
    return laid_out(problem, codes, step * codes, errors)


@dataclass(frozen=True)
class Algorithm:
    """A wrong algorithm: what is wrong, the claims that must refute it, and a problem on which they do."""

    fault: str
    run: Callable
    claims: tuple[str, ...]
    problem: Callable[[], Problem]


ALGORITHMS: list[Algorithm] = []


def caught_by(*claims, on=random_problem):
    """Collect the decorated algorithm; its name and first line say what is wrong."""

    def collect(run):
        ALGORITHMS.append(Algorithm(run.__name__, run, claims, on))
        return run

    return collect


@caught_by("optq-identity", "optq-update", "feedback-form")
def stale_weights_after_a_block(problem):
    """The first half's errors never reach the second half."""
    L, half = problem.factorization.L.copy(), problem.N // 2
    L[half:, :half] = 0
    return by_hand(problem, L)


@caught_by("optq-identity", "optq-update", "feedback-form")
def no_feedback_at_all(problem):
    """Round-to-nearest under another name."""
    return by_hand(problem, np.eye(problem.N))


@caught_by("optq-identity", "optq-update", "feedback-form")
def factor_transposed(problem):
    """H = L D^2 L^T in place of H = L^T D^2 L: errors go to features that were processed before."""
    return by_hand(problem, forward_factor(problem))


@caught_by("optq-identity", "optq-update", "feedback-form")
def feedback_with_the_wrong_sign(problem):
    """Errors are doubled where they should be absorbed."""
    return by_hand(problem, 2 * np.eye(problem.N) - problem.factorization.L)


@caught_by("optq-identity", "optq-update", "feedback-form")
def damping_not_applied(problem):
    """The factorization of X alone."""
    return by_hand(problem, factorize(problem.X, 0.0, problem.order).L)


@caught_by("optq-identity", "feedback-form", on=lambda: random_problem(ordering="decreasing-norm"))
def ordering_not_undone(problem):
    """Weights and codes handed back in processing order."""
    made = by_hand(problem)
    return replace(made, weights=made.weights[problem.order], codes=made.codes[problem.order])


@caught_by("optq-identity", "feedback-form")
def neurons_swapped(problem):
    """The columns of the result in reverse."""
    made = by_hand(problem)
    return replace(made, weights=made.weights[:, ::-1], codes=made.codes[:, ::-1])


@caught_by("optq-identity", "feedback-form")
def single_precision(problem):
    """The factorization in float32: the same codes, but the errors are wrong by one part in 10^7."""
    return by_hand(problem, problem.factorization.L.astype(np.float32).astype(float))


@caught_by("optq-l2", "optq-linf", on=lambda: random_problem(K=400, damping=0.01))
def rounding_toward_zero(problem):
    """Truncation in place of the nearest code."""
    return by_hand(problem, codes_of=lambda t, ratio: np.trunc(ratio))


@caught_by("optq-l2", "optq-linf", "optq-alphabet", on=lambda: random_problem(K=400, damping=0.01))
def stochastic_where_nearest_was_asked(problem):
    """Random draws under nearest rounding's bound."""
    return by_hand(problem, codes_of=up_below(draws_of(problem), fraction))


@caught_by("optq-l2", on=lambda: random_problem(K=400, grid=Grid(np.array([[4.0], [1.0], [1.0], [1.0], [1.0], [1.0]]))))
def first_step_for_all_features(problem):
    """Steps per feature ignored: grid points of another grid."""
    return by_hand(problem, step=np.broadcast_to(problem.steps[:1], problem.steps.shape))


@caught_by("optq-identity", "feedback-form", "optq-update", on=mixed_steps)
def codes_scaled_with_the_first_step(problem):
    """The right codes, turned into weights with the wrong steps."""
    made = by_hand(problem)
    return replace(made, weights=made.codes * problem.steps[0])


@caught_by("optq-l2", on=tight)
def one_code_off_by_one(problem):
    """The last code one too large; its error is reported honestly."""
    return by_hand(problem, codes_of=lambda t, ratio: np.rint(ratio) + (t == problem.N - 1))


@caught_by("optq-identity", "feedback-form")
def one_code_off_by_one_in_silence(problem):
    """The third code one too large in weights and codes, its error reported as if it were right."""
    made = by_hand(problem)
    off = (np.arange(problem.N) == 2)[:, None]
    return replace(made, codes=made.codes + off, weights=made.weights + off * problem.steps[np.argsort(problem.order)])


@caught_by("optq-identity", "optq-l2", "optq-l2-tight")
def codes_that_are_not_the_weights(problem):
    """The right weights, the third code one too large."""
    made = by_hand(problem)
    return replace(made, codes=made.codes + (np.arange(problem.N) == 2)[:, None])


@caught_by("optq-l2", "optq-linf", on=coarse)
def saturation_kept_secret(problem):
    """Clipped steps reported as unsaturated."""
    return replace(by_hand(problem), saturated=np.zeros(problem.W.shape, dtype=bool))


@caught_by("optq-identity", "optq-update", "feedback-form", on=coarse)
def ends_of_the_alphabet_ignored(problem):
    """OPTQ on the infinite grid where one with ends was asked."""
    return by_hand(problem.but(grid=Grid(problem.grid.step)))


@caught_by("optimum-floor", "optq-l2")
def nothing_rounded(problem):
    """The weights themselves, which lie on no grid: below what any grid point can reach."""
    w = problem.W[problem.order]
    return laid_out(problem, np.rint(w / problem.steps), w, 0 * w)


@caught_by("optq-identity", "optq-l2", "optq-linf", "feedback-form", "optq-update", on=dead_feature)
def dead_feature_divides_by_zero(problem):
    """0/0 where a feature's column is zero."""
    f = problem.factorization
    with np.errstate(invalid="ignore"):
        return by_hand(problem, np.where(~f.live[:, None] & (np.tri(problem.N, k=-1) > 0), np.nan, f.L))


@caught_by("optq-l2", on=dead_feature)
def dead_feature_pruned(problem):
    """A feature whose column is zero gets code 0 whatever its weight: the ridge pays for it."""
    f = problem.factorization
    return by_hand(problem, codes_of=lambda t, ratio: np.rint(ratio) * f.live[t])


def refit(problem, cross):
    """H^-1 (cross + ridge) w, processing order, with `cross` (N, N) in the original one."""
    f = problem.factorization
    return np.linalg.solve(gram(problem), (cross @ problem.W)[f.order] + f.damping * problem.W[f.order])


@caught_by("qronos-identity", "qronos-equivalence", "feedback-form", on=qronos_problem)
def cross_gram_transposed(problem):
    """X^T X_quantized in place of X_quantized^T X."""
    return by_hand(problem, target=refit(problem, problem.X.T @ problem.X_quantized), first=first_minimizer(problem))


@caught_by("qronos-identity", "qronos-equivalence", "feedback-form", on=qronos_problem)
def ridge_dropped_on_the_cross_gram(problem):
    """The damping on X_quantized^T X_quantized alone, so that weights are pulled to zero."""
    cross = problem.X_quantized.T @ problem.X - problem.factorization.damping * np.eye(problem.N)
    return by_hand(problem, target=refit(problem, cross), first=first_minimizer(problem))


@caught_by("qronos-identity", "qronos-equivalence", "qronos-l2", on=qronos_problem)
def mismatch_ignored(problem):
    """OPTQ on the deployed inputs under Qronos' name."""
    return by_hand(problem)


@caught_by("qronos-equivalence", "feedback-form", on=qronos_problem)
def the_other_qronos(problem):
    """The projected form where the alternating one was asked."""
    return by_hand(problem, target=target(problem))


@caught_by("gpfq-mismatch", on=steered)
def path_on_deployed_inputs_alone(problem):
    """The original inputs never looked at: the path corrects its own roundings and none of the mismatch."""
    return path_following(problem.but(X=problem.calibration))


@caught_by("gpfq-l2", on=lambda: Problem(np.ones((3, 6)), np.full((6, 1), 0.45), Grid(step=1.0), algorithm="gpfq"))
def running_error_forgotten(problem):
    """Every step sees its own feature only."""
    return path_following(problem, remembered=0.0)


@caught_by("sto-optq-linf-rowwise", "sto-optq-linf-sharp", on=lambda: cosines(N=128))
@caught_by("sto-optq-convex-order-sharp", on=lambda: cosines(N=8))
def biased_rounding(problem):
    """Up with the square of the right probability: every error leans the same way."""
    return by_hand(problem, codes_of=up_below(draws_of(problem), lambda f: f**2))


@caught_by("sto-optq-l2", "sto-optq-generalization", on=lambda: cosines(N=8, w=0.1, X_validation=np.eye(8)))
def coin_flips(problem):
    """Up or down with equal probability, however near the grid point: floor(z + u) with u of 0 or 1."""
    return by_hand(problem, codes_of=up_below(draws_of(problem), lambda f: 0.5 + 0 * f))


@caught_by("sto-optq-linf", "sto-optq-linf-rowwise", "sto-optq-linf-sharp", on=lambda: cosines(N=256))
@caught_by("sto-optq-linf-rowwise", "sto-optq-convex-order", "sto-optq-convex-order-sharp", on=lambda: cosines(N=8))
def one_draw_for_all_features(problem):
    """The same uniform at every step of a neuron: each error has mean zero, but they add up."""
    shared = np.broadcast_to(draws_of(problem)[:1], problem.W.shape)
    return by_hand(problem, codes_of=up_below(shared, fraction))


@caught_by("sto-optq-linf-rowwise", on=lambda: cosines(N=32, w=0.25, p=0.01))
def one_draw_for_eight_features(problem):
    """Independent draws, but each used at eight steps in a row."""
    uniforms = draws_of(problem)
    return by_hand(problem, codes_of=up_below(uniforms[np.arange(problem.N) // 8], fraction))


@caught_by("sto-optq-l2", "sto-optq-convex-order-sharp", on=lambda: cosines(N=8, w=0.9))
def stochastic_on_every_other_grid_point(problem):
    """Unbiased, but between even codes only: twice the step."""
    return by_hand(problem, codes_of=lambda t, ratio: 2 * up_below(draws_of(problem), fraction)(t, ratio / 2))


@caught_by("sto-optq-weights", "sto-optq-alphabet", on=lambda: stochastic(damping=50.0, failure_probability=0.5))
def draws_added_to_the_weights(problem):
    """Rounds z + 40u, not z."""
    return by_hand(problem, codes_of=lambda t, ratio: np.rint(ratio + 40 * draws_of(problem)[t]))


@caught_by("spfq-linf", on=lambda: Problem(zoo_matrix("adversarial", 16, 16, np.random.default_rng(0)) @ np.tri(16), np.full((16, 1), 0.5),
                                           Grid(step=1.0), algorithm="gpfq", rounding="stochastic", failure_probability=0.5))
def path_following_with_one_draw(problem):
    """SPFQ with the same uniform at every step."""
    shared = np.broadcast_to(draws_of(problem)[:1], problem.W.shape)
    return path_following(problem, up_below(shared, fraction))


@caught_by("sto-qronos-linf", on=lambda: cosines(N=64, w=0.5).but(algorithm="qronos", X_quantized=cosines(N=64).X))
def stochastic_qronos_with_one_draw(problem):
    """Stochastic Qronos with the same uniform at every step."""
    shared = np.broadcast_to(draws_of(problem)[:1], problem.W.shape)
    return by_hand(problem, target=target(problem), first=first_minimizer(problem), codes_of=up_below(shared, fraction))


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.fault)
def test_a_wrong_algorithm_is_refuted(algorithm):
    verdicts = check(algorithm.problem(), algorithm.claims, algorithm=algorithm.run, draws=DRAWS)
    assert {name: verdict.outcome for name, verdict in verdicts.items()} == dict.fromkeys(algorithm.claims, Outcome.VIOLATED)
    assert all(verdict.witness is not None for verdict in verdicts.values())


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.fault)
def test_the_right_algorithm_passes_where_the_wrong_one_fails(algorithm):
    verdicts = check(algorithm.problem(), algorithm.claims, algorithm=right, draws=DRAWS)
    passes = {Outcome.HOLDS} if algorithm.run is not saturation_kept_secret else {Outcome.NOT_APPLICABLE}
    assert {verdict.outcome for verdict in verdicts.values()} == passes, {name: v.advice for name, v in verdicts.items()}


# --- without a problem made for the purpose ------------------------------------------------------------------------


FOUND_BY_DRAWING = (
    "l2_constant_halved", "l2_pivots_without_damping", "l2_order_reversed", "l2_projection_off_by_one", "l2_clipping_taken_for_rounding",
    "identity_without_ridge", "identity_pivots_shifted_by_one", "identity_errors_in_original_order", "pivot_bound_without_damping",
    "linf_wrong_row", "near_optimal_means_optimal", "optimum_floor_doubled", "order_floor_with_arithmetic_mean", "mismatch_left_out",
    "path_following_absorbs_all_mismatch",
    "mean_square_constant_halved", "rowwise_level_of_the_wrong_row", "qronos_identity_without_ridge",
)


@pytest.mark.parametrize("theorem", [made for made in THEOREMS if made.fault in FOUND_BY_DRAWING], ids=lambda theorem: theorem.fault)
def test_drawn_problems_alone_refute_a_wrong_theorem(plant, theorem):
    name = plant(theorem.claim, theorem.evaluate, **theorem.changes)
    *_, (_, (wrong_one, right_one)) = campaign([name, theorem.claim], examples=40, seed=2, workers=1)
    assert wrong_one.outcome is Outcome.VIOLATED
    assert check(wrong_one.witness, [name], draws=DRAWS)[name].outcome is Outcome.VIOLATED, "the witness replays"
    assert right_one.outcomes[Outcome.VIOLATED] == 0


def test_the_names_of_the_faults_found_by_drawing_are_right():
    assert set(FOUND_BY_DRAWING) <= {theorem.fault for theorem in THEOREMS}


@pytest.mark.parametrize("run", [stale_weights_after_a_block, no_feedback_at_all, feedback_with_the_wrong_sign, ordering_not_undone,
                                 neurons_swapped, single_precision, rounding_toward_zero, saturation_kept_secret])
def test_drawn_problems_alone_refute_a_wrong_algorithm(run):
    deterministic = ("optq-identity", "optq-l2", "optq-linf", "feedback-form")
    refuted = set()
    for number in range(30):
        problem = draw_problem(np.random.default_rng([5, number])).but(X_quantized=None)
        refuted |= {name for name, verdict in check(problem, deterministic, algorithm=run).items() if verdict.outcome is Outcome.VIOLATED}
        outcomes = {verdict.outcome for verdict in check(problem, deterministic, algorithm=right).values()}
        assert outcomes <= {Outcome.HOLDS, Outcome.NOT_APPLICABLE}
    assert refuted


# --- not a number --------------------------------------------------------------------------------------------------


def not_numbers(problem):
    """A program that broke down: every weight and every error NaN."""
    return laid_out(problem, 0 * problem.W, np.nan * problem.W, np.nan * problem.W)


READ_NO_WEIGHTS = {made.id for made in claims().values() if not made.about_neurons} | {"optq-certificate"}


@pytest.mark.parametrize("draws", [0, 200])
@pytest.mark.parametrize("algorithm", ["optq", "qronos", "gpfq"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_a_result_of_nans_never_holds(algorithm, rounding, draws):
    problem = mismatched(algorithm=algorithm, rounding=rounding, X_validation=np.ones((2, 6)))
    for given in (problem, problem.but(X_quantized=None)):
        verdicts = check(given, algorithm=not_numbers, draws=draws)
        assert {name for name, verdict in verdicts.items() if verdict.outcome is Outcome.HOLDS} <= READ_NO_WEIGHTS
        certain = {name for name, verdict in verdicts.items() if claims()[name].kind in (Kind.IDENTITY, Kind.UPPER, Kind.LOWER)}
        undecided = {name for name in certain if verdicts[name].outcome is Outcome.UNDECIDED}
        assert undecided == set(), "a result that is no number refutes every bound on it"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.PREDICTION])
@pytest.mark.parametrize("side", ["measured", "bound"])
@pytest.mark.parametrize("entries", ["all", "one"])
def test_an_evaluation_with_a_nan_never_holds(plant, kind, side, entries):
    def evaluate(problem, result):
        sides = {"measured": np.full((2, problem.K), 0.5), "bound": np.full((2, problem.K), 0.5)}
        sides[side][(0, 0) if entries == "one" else ...] = np.nan
        return Evaluation(**sides, ceiling=np.ones((2, problem.K)))

    name = plant("optq-l2", evaluate, kind=kind, rounding=None, hypotheses=())
    small, wide = stochastic(failure_probability=1e-9), cosines(N=20, p=1e-9)
    for problem, draws in ((small, 0), (small, 50), (wide, 0), (wide, 50)):
        assert check(problem, [name], draws=draws)[name].outcome is not Outcome.HOLDS
    made, many = claims()[name], small.but(W=np.tile(small.W, 7))
    everywhere, nowhere = np.ones(7, dtype=bool), np.zeros(7, dtype=bool)
    assert decide(made, many, made(many, many.result), nowhere, everywhere).outcome is not Outcome.HOLDS
