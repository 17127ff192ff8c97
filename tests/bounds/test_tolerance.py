"""The allowances of floating point: they cover what exact arithmetic measures, and hide no fault worth the name."""

from dataclasses import replace

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, RankDeficientError
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.checking.arithmetic import as_float
from provable_ptq.bounds.checking.decision import decide, reach
from provable_ptq.bounds.checking.tolerance import (
    EPS,
    EQUALITY,
    IDENTITY,
    cancellation,
    identity_tolerance,
    literal_allowance,
    projection_allowance,
    relative_allowance,
)
from provable_ptq.bounds.checking.verdict import ratios
from provable_ptq.bounds.exact import ExactProblem, check_exact

CONDITIONS = [10.0, 1e2, 1e4, 1e6, 1e8, 1e10]
DETERMINISTIC = ("optq-l2", "optq-linf", "optq-alphabet", "optq-identity", "pivot-bound", "feedback-form")


def conditioned(condition, number=0, N=6, m=8, K=4, **changes):
    """A problem whose calibration matrix has singular values from 1 down to 1/condition."""
    rng = np.random.default_rng([number, int(np.log10(condition))])
    left, right = np.linalg.qr(rng.standard_normal((m, N)))[0], np.linalg.qr(rng.standard_normal((N, N)))[0]
    X = left * np.geomspace(1, 1 / condition, N) @ right.T
    ordering = ("natural", "decreasing-norm", "min-pivot")[number % 3]
    return Problem(X, rng.standard_normal((N, K)), **{"grid": Grid(step=0.3), "ordering": ordering} | changes)


# --- what they are -------------------------------------------------------------------------------------------------


def test_identities_have_the_designs_tolerance():
    assert identity_tolerance(10, 1.0, 1.0) == identity_tolerance(10, 1e8, 1.0) == IDENTITY == 1e-10
    beyond = 1e9
    assert identity_tolerance(10, beyond, 1.0) == pytest.approx(100 * 10 * EPS * beyond, rel=1e-6)
    assert identity_tolerance(10, 1.0, 1e9) == pytest.approx(100 * 10 * EPS * 1e9)


def test_allowances_grow_with_what_they_depend_on():
    for allowance in (relative_allowance, identity_tolerance):
        base = allowance(10, 1e9, 1e3)
        assert base < allowance(20, 1e9, 1e3)
        assert base < allowance(10, 2e9, 1e3)
        assert base < allowance(10, 1e9, 2e9)
    assert relative_allowance(16, 1e3, 100.0) < 1e-8, "of a well-conditioned problem nothing near a fault of 1e-4"


def test_cancellation_is_a_few_eps_of_the_terms():
    np.testing.assert_array_equal(cancellation(np.array([1.0, -2.0]), np.array([3.0, 0.0])), 4 * EPS * np.array([4.0, 2.0]))
    assert abs((0.1 + 0.2) - 0.3) <= cancellation(np.array(0.1), np.array(0.2), np.array(0.3))


# --- they cover what exact arithmetic measures ---------------------------------------------------------------------


@pytest.mark.parametrize("condition", CONDITIONS)
def test_floating_point_strays_no_farther_than_allowed(condition):
    """Both sides of each claim, in float64 and exactly, on the float64 codes where both made the same: relative differences."""
    compared, farthest = 0, 0.0
    for number in range(4):
        problem = conditioned(condition, number)
        exact = ExactProblem(problem)
        same = (exact.result.codes == problem.result.codes).all(axis=0)
        allowance = relative_allowance(*reach(problem))
        for name in DETERMINISTIC:
            made = claims()[name]
            found, truth = made(problem, problem.result), made(exact, exact.result)
            kind = Kind.IDENTITY if made.kind is Kind.IDENTITY else Kind.UPPER
            at = np.ones(problem.N, dtype=bool) if not made.about_neurons else same
            if kind is Kind.IDENTITY:
                residual = float(np.max(ratios(kind, found)[..., at], initial=0))
                assert residual <= identity_tolerance(*reach(problem))
                assert (np.asarray(truth.measured == truth.bound)).all()
            else:
                float_ratio = ratios(kind, found)[..., at]
                exact_ratio = ratios(kind, Evaluation(as_float(truth.measured), as_float(truth.bound)))[..., at]
                strayed = np.abs(float_ratio - exact_ratio).max(initial=0)
                assert strayed <= allowance
                farthest = max(farthest, strayed / allowance)
            compared += int(at.sum())
    assert compared >= 4 * 6, "most codes agree at every condition number"
    assert farthest < 0.1, "room for larger problems than these"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_codes_agree_with_exact_arithmetic_unless_a_tie_is_near(condition):
    for number in range(4):
        problem = conditioned(condition, number, K=12)
        report = check_exact(problem, ["optq-identity"])
        allowance = relative_allowance(*reach(problem)) * max(1.0, np.abs(problem.W).max() / 0.3)
        assert (report.same_codes | (report.tie_distances <= allowance)).all()
        assert report.verdicts["optq-identity"].outcome is Outcome.HOLDS


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("damping", [0.0, 1e-6, "mean-diagonal:0.01"])
def test_true_claims_are_never_refuted_by_rounding(condition, damping):
    for number in range(3):
        problem = conditioned(condition, number, damping=damping)
        outcomes = {name: verdict.outcome for name, verdict in check(problem).items()}
        assert Outcome.VIOLATED not in outcomes.values(), outcomes


def extreme(number):
    """A small problem with everything that strains float64, drawn at random: see the names below."""
    rng = np.random.default_rng([60, number])
    N, m = int(rng.integers(1, 9)), int(rng.integers(1, 14))
    k = min(m, N)
    left, right = np.linalg.qr(rng.standard_normal((m, k)))[0], np.linalg.qr(rng.standard_normal((N, k)))[0]
    X = left * 10.0 ** -np.sort(rng.uniform(0, rng.uniform(0, 14), k)) @ right.T
    scale, spread, dead, twins = rng.choice([0, 0, -60, 60]), rng.random() < 0.2, rng.random() < 0.2, N > 1 and rng.random() < 0.2
    X *= 10.0**scale * (10.0 ** rng.uniform(-6, 6, N) if spread else 1)
    if dead:
        X[:, rng.random(N) < 0.4] = 0
    if twins:
        X[:, -1] = X[:, 0]
    step = 10.0 ** rng.uniform(-3, 3, [(), (1, 3), (N, 1), (N, 3)][rng.integers(4)])
    ends = {} if rng.random() < 0.7 else {"low": -int(rng.integers(0, 20)), "high": int(rng.integers(0, 20))}
    return Problem(
        X, rng.standard_normal((N, 3)) * 10.0 ** rng.choice([0, 0, 3, 8, -3, -12]), Grid(step, **ends),
        algorithm=str(rng.choice(["optq", "qronos", "gpfq"])), form=str(rng.choice(["alternating", "projected"])),
        damping=str(rng.choice(["none", "mean-diagonal:1e-12", "mean-diagonal:1e-6", "mean-diagonal:100", "spectral:1e-9"])),
        ordering=str(rng.choice(["natural", "decreasing-norm", "min-pivot"])), rounding=str(rng.choice(["nearest", "stochastic"])),
        X_quantized=X * (1 + 10.0 ** rng.uniform(-8, 1) * rng.standard_normal(X.shape)) if rng.random() < 0.5 else None,
        X_validation=X, seed=number, failure_probability=float(rng.choice([0.5, 0.1, 0.01])))


@pytest.mark.parametrize("batch", range(3))
def test_nothing_true_is_refuted_on_extreme_problems(batch):
    """Scales of 1e-60 and 1e60, condition numbers up to 1e14, twin and dead features beside a damping of 1e-12, 1e8 steps."""
    checked = 0
    for number in range(40 * batch, 40 * batch + 40):
        try:
            verdicts = check(extreme(number), draws=100)
        except (RankDeficientError, InvalidArgumentError):  # dependent features without damping; codes beyond 2^53
            continue
        assert {name for name, verdict in verdicts.items() if verdict.outcome is Outcome.VIOLATED} == set()
        checked += 1
    assert checked >= 30


def test_a_feature_that_later_ones_explain_needs_no_damping_in_its_bound():
    """The last feature is dead, so those after the first have rank 1 < m; an eigenvalue solver calls that 2e-18, not 0."""
    X = np.array([[0.3, 0.7, 0.0], [0.9, 0.1, 0.0]])
    assert np.linalg.eigvalsh(X[:, 1:] @ X[:, 1:].T)[0] > 0
    problem = Problem(X, np.ones((3, 1)), Grid(step=1.0))
    for name in ("pivot-bound", "optq-l2-explicit"):
        assert check(problem, [name])[name].outcome is Outcome.HOLDS
        assert check_exact(problem, [name]).verdicts[name].outcome is Outcome.HOLDS


@pytest.mark.parametrize("scale", [1e-60, 1.0, 1e60])
def test_floors_do_not_depend_on_the_unit(scale):
    verdict = check(Problem(np.full((9, 1), scale), np.ones((1, 1)), Grid(step=1.0)), ["order-floor"])["order-floor"]
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.ratio == pytest.approx(1, abs=1e-15)


def test_the_drift_has_a_level_however_small_the_feedback():
    """M's entries below the diagonal are about 1e-10: their squares vanish beside the diagonal's 1, but the level must not."""
    X = np.array([[1.0, 1e-10], [0.0, 1.0]])
    problem = Problem(X, np.array([[0.5], [0.0]]), Grid(step=1.0), rounding="stochastic", failure_probability=0.5)
    evaluation = claims()["sto-optq-alphabet"](problem, problem.result)
    assert evaluation.bound[1, 0] == pytest.approx(1e-10 * np.sqrt(np.log(4) / 2), rel=1e-9)
    assert check(problem, ["sto-optq-alphabet"], draws=1)["sto-optq-alphabet"].outcome is Outcome.HOLDS


@pytest.mark.parametrize("largest", [1e3, 1e6, 1e9])
def test_weights_of_many_steps_are_allowed_for(largest):
    problem = conditioned(10.0).but(W=largest * conditioned(10.0).W)
    outcomes = {name: verdict.outcome for name, verdict in check(problem).items()}
    assert Outcome.VIOLATED not in outcomes.values()
    assert outcomes["optq-l2"] is Outcome.HOLDS


def test_equality_holds_where_float64_sees_no_difference(plant):
    """The last feature meets the pivot bound with equality; a bound missed by half of the allowance still holds."""
    problem = conditioned(1e2)
    evaluation = claims()["pivot-bound"](problem, problem.result)
    assert evaluation.measured[-1] == pytest.approx(evaluation.bound[-1], rel=1e-14)
    allowance = relative_allowance(*reach(problem))
    assert allowance < EQUALITY
    name = plant("pivot-bound", lambda problem, result: replace(evaluation, bound=evaluation.measured * (1 - allowance / 2)))
    assert check(problem, [name])[name].outcome is Outcome.HOLDS


def test_a_narrow_miss_inside_a_coarse_allowance_is_undecided():
    problem = conditioned(1e10)
    allowance = relative_allowance(*reach(problem))
    assert EQUALITY < allowance < 1e-2
    everywhere, nowhere = np.ones(4, dtype=bool), np.zeros(4, dtype=bool)
    outcomes = {}
    for name, missed in {"inside": allowance / 2, "met": -allowance / 2, "clear": -3 * allowance, "beyond": 3 * allowance}.items():
        evaluation = Evaluation(np.full(4, 1 + missed), np.ones(4))
        outcomes[name] = decide(claims()["optq-l2"], problem, evaluation, nowhere, everywhere).outcome
    assert outcomes == {"inside": Outcome.UNDECIDED, "met": Outcome.UNDECIDED, "clear": Outcome.HOLDS, "beyond": Outcome.VIOLATED}


# --- and hide nothing ----------------------------------------------------------------------------------------------


FAULT = 1e-4


def nearly_tied(condition):
    """Weights that reach OPTQ's bound to one part in 10^6: every error is a millionth short of half a step."""
    problem = conditioned(condition)
    errors = 0.15 * (1 - 5e-7) * np.random.default_rng(0).choice([-1.0, 1.0], (problem.N, problem.K))
    W = np.empty_like(problem.W)
    W[problem.order] = problem.factorization.M @ errors
    return problem.but(W=W)


@pytest.mark.parametrize("condition", [10.0, 1e2, 1e4])
def test_a_bound_wrong_by_one_part_in_ten_thousand_is_refuted(plant, condition):
    problem = nearly_tied(condition)
    assert check(problem, ["optq-l2"])["optq-l2"].ratio == pytest.approx(1, abs=2e-6)
    for like in ("optq-l2", "pivot-bound"):
        right = claims()[like]
        evaluation = right(problem, problem.result)
        wrong = replace(evaluation, bound=(1 - FAULT) * evaluation.bound)
        name = plant(like, lambda problem, result, wrong=wrong: wrong)
        assert check(problem, [name])[name].outcome is Outcome.VIOLATED
        assert check(problem, [like])[like].outcome is Outcome.HOLDS


@pytest.mark.parametrize("condition", [10.0, 1e2, 1e4])
@pytest.mark.parametrize("like", ["optq-identity", "optq-update", "feedback-form"])
def test_an_identity_wrong_by_one_part_in_ten_thousand_is_refuted(plant, like, condition):
    problem, right = conditioned(condition), claims()[like]
    name = plant(like, lambda problem, result: replace(right(problem, result), measured=(1 + FAULT) * right(problem, result).measured))
    assert check(problem, [name])[name].outcome is Outcome.VIOLATED
    assert check(problem, [like])[like].outcome is Outcome.HOLDS


@pytest.mark.parametrize("condition", [10.0, 1e2, 1e4])
def test_feedback_wrong_by_one_part_in_ten_thousand_is_refuted(condition):
    def run_wrong(problem):
        """The right codes, with errors as if L's last row were a ten-thousandth too large."""
        made = problem.result
        L = problem.factorization.L.copy()
        L[-1, :-1] *= 1 + FAULT
        return replace(made, rounding_errors=L @ (problem.W - made.weights)[problem.order])

    problem = conditioned(condition)
    verdicts = check(problem, ["optq-identity", "feedback-form"], algorithm=run_wrong)
    assert verdicts["feedback-form"].outcome is Outcome.VIOLATED
    assert verdicts["optq-identity"].outcome is Outcome.VIOLATED


def test_single_precision_is_refuted():
    def run_single(problem):
        made = problem.result
        return replace(made, rounding_errors=made.rounding_errors.astype(np.float32).astype(float))

    assert check(conditioned(1e2), ["optq-identity"], algorithm=run_single)["optq-identity"].outcome is Outcome.VIOLATED


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e8, 1e12])
def test_literal_definitions_are_allowed_both_of_their_losses(condition):
    """Their least squares lose eps cond like every projection, and where residuals are large eps cond^2 beside it."""
    allowed = literal_allowance(5, condition)
    assert allowed == pytest.approx(projection_allowance(5, condition) + EPS * condition**2, abs=0)
    assert allowed > max(projection_allowance(5, condition), EPS * condition**2)
