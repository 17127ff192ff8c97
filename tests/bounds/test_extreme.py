"""At the ends of float64: no false alarm, no false comfort, and verdicts that do not depend on the unit."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.algorithms.enumeration import near_closest
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.checking.decision import decide
from provable_ptq.bounds.checking.measure import squares
from provable_ptq.bounds.checking.units import in_units
from provable_ptq.bounds.checking.verdict import Verdict, ratios
from provable_ptq.bounds.exact import ExactProblem, check_exact
from provable_ptq.bounds.exact.disagreement import comparable, compare, contradict, held_against
from provable_ptq.bounds.problems.extreme import FAULTS, extreme_problem

PROBLEMS, PARTS = 5000, 10
HOLDS, VIOLATED, UNDECIDED = Outcome.HOLDS, Outcome.VIOLATED, Outcome.UNDECIDED


def both(problem, name):
    """The outcome of a claim in float64 and in exact arithmetic."""
    return check(problem, [name], draws=1)[name].outcome, check_exact(problem, [name]).verdicts[name].outcome


# --- float verdicts against exact ones ------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(PARTS))
def test_float64_and_exact_arithmetic_never_contradict_each_other(part):
    wrong, outcomes = {}, Counter()
    for _, found in compare(PROBLEMS // PARTS, seed=part):
        wrong = {each.claim.id: each.disagreements for each in found if each.disagreements}
        outcomes = sum((Counter(each.outcomes) for each in found), Counter())
    assert wrong == {}
    assert outcomes["holds", "holds"] > 0.5 * PROBLEMS / PARTS, "most stay decided"
    assert outcomes["violated", "violated"] > 0.03 * PROBLEMS / PARTS, "wrong results are seen"
    assert sum(n for (floating, _), n in outcomes.items() if floating == "undecided") < 0.1 * PROBLEMS / PARTS


@pytest.mark.parametrize(("name", "number"), [("gpfq-l2", 19169), ("gpfq-l2", 71457), ("optq-alphabet", 77699), ("optq-mismatch", 98010),
                                              ("target-family", 15615)])
def test_a_fault_is_planted_on_one_result_for_both_arithmetics(name, number):
    """Codes that part at a near tie make two results; one of 1e12 steps of 5e298 is none in float64."""
    assert not held_against(claims()[name], 5, number)[-1]


@pytest.mark.parametrize("number", [75986, 81106])
def test_a_functional_that_float64_cannot_tell_from_zero_is_left_out(number):
    """Two rows of X that nearly cancel along a random sign vector: what is left of them is rounding noise."""
    assert not held_against(claims()["sto-optq-convex-order-sharp"], 6, number)[-1]


def test_every_claim_that_can_be_decided_exactly_has_its_turn():
    compared = {claim.id for claim in claims().values() if comparable(claim)}
    left_out = {claim.id for claim in claims().values()} - compared
    assert {claims()[name].kind for name in left_out if not claims()[name].fixed} == {Kind.PREDICTION}
    *_, (_, found) = compare(len(compared), seed=1)
    assert [each.count() for each in found] == [1] * len(compared)


@pytest.mark.parametrize(("fault", "like"), [("codes off by a thousand steps", "optq-identity"), ("the last code off by two", "optq-l2"),
                                             ("errors halved", "optq-identity"), ("round to nearest", "optq-identity")])
def test_the_comparison_sees_a_claim_that_calls_wrong_results_right(fault, like, plant, monkeypatch):
    """A claim blinded in float64 alone: wrong results then hold there, and exact arithmetic says so."""
    def blind(problem, result):
        evaluation = claims()[like](problem, result)
        return evaluation if isinstance(problem, ExactProblem) else replace(evaluation, measured=evaluation.bound)

    monkeypatch.setattr(importlib.import_module("provable_ptq.bounds.check"), "homogeneous", lambda claim: True)
    name = plant(like, blind)
    blinded = claims()[name]
    assert set(FAULTS) >= {fault}
    rows = (held_against(blinded, 3, number) for number in range(400))
    assert any(contradicted for _, _, planted, _, _, contradicted in rows if planted == fault), "never contradicted"


def test_a_contradiction_is_violated_against_holds_either_way():
    upper = claims()["optq-l2"]
    holds, violated = Verdict(HOLDS, ratio=0.5, margin=0.5), Verdict(VIOLATED, ratio=2.0, margin=-1.0)
    barely = Verdict(VIOLATED, ratio=1 + 1e-9, margin=-1e-9)
    assert contradict(upper, violated, holds)
    assert contradict(upper, holds, violated)
    assert not contradict(upper, holds, barely), "float64 is not asked to see the millionth part of a bound"
    assert not contradict(upper, Verdict(UNDECIDED), violated)
    assert not contradict(upper, None, violated)


# --- the unit does not matter ---------------------------------------------------------------------------------------


def layer(**changes):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((6, 3))
    settings = {"damping": 0.25, "X_quantized": X + 0.1 * rng.standard_normal(X.shape), "X_validation": rng.standard_normal((4, 3))}
    return Problem(X, 3 * rng.standard_normal((3, 2)), Grid(np.array([0.5, 1.25])), **settings | changes)


def rescaled(problem, inputs, held_out, weights):
    """The problem in other units, powers of two."""
    return problem.but(
        X=np.ldexp(problem.X, inputs), X_quantized=np.ldexp(problem.X_quantized, inputs), W=np.ldexp(problem.W, weights),
        X_validation=np.ldexp(problem.X_validation, held_out), grid=Grid(np.ldexp(problem.grid.step, weights)),
        damping=float(np.ldexp(problem.damping, 2 * inputs)))


@pytest.mark.parametrize(("inputs", "held_out", "weights"), [(-500, 900, 900), (500, -900, -900), (480, 0, -1000), (-90, 0, -1000),
                                                             (0, 1000, 1000), (-470, 0, 0)])
@pytest.mark.parametrize("algorithm", ["optq", "qronos", "gpfq"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_verdicts_do_not_depend_on_the_unit(inputs, held_out, weights, algorithm, rounding):
    problem = layer(algorithm=algorithm, rounding=rounding)
    here, there = check(problem, draws=1), check(rescaled(problem, inputs, held_out, weights), draws=1)
    assert {name: verdict.outcome for name, verdict in there.items()} == {name: verdict.outcome for name, verdict in here.items()}
    for name, verdict in here.items():
        np.testing.assert_allclose(there[name].ratio, verdict.ratio, rtol=1e-9, atol=1e-9, err_msg=name)


def test_verdicts_show_numbers_in_the_problems_own_unit():
    problem = layer(X_quantized=None)
    here = check(problem)
    there = check(problem.but(X=np.ldexp(problem.X, 200), damping=float(np.ldexp(0.25, 400)), W=np.ldexp(problem.W, -300),
                              grid=Grid(np.ldexp(problem.grid.step, -300))))
    for name, degrees in {"optq-l2": (2, 2), "optq-linf": (1, 1), "order-floor": (2, 0), "optq-alphabet": (0, 1)}.items():
        exponent = degrees[0] * 200 - degrees[1] * 300
        np.testing.assert_array_equal(there[name].measured, np.ldexp(here[name].measured, exponent))
        np.testing.assert_array_equal(there[name].bound, np.ldexp(here[name].bound, exponent))


def test_moderate_problems_are_left_as_they_are():
    problem = layer()
    assert in_units(problem)[1] is problem
    assert in_units(problem)[0].own


@pytest.mark.parametrize("scales", [(1e-100, 1e-100), (1.0, 1e-200), (1e140, 1e-300), (1e-200, 1e250), (1.0, 1e-310)])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_codes_off_by_a_thousand_steps_hold_at_no_scale(scales, rounding):
    rng = np.random.default_rng(7)
    X, weights = rng.standard_normal((5, 2)), rng.standard_normal((2, 2))
    problem = Problem(X * scales[0], weights * scales[1], Grid(scales[1]), rounding=rounding)
    codes = in_units(problem)[1].result.codes + 1000
    made = Problem(X, weights, Grid(1.0), rounding=rounding).result
    wrong = replace(made, codes=codes, weights=scales[1] * codes, rounding_errors=scales[1] * (made.rounding_errors - 1000))
    names = ("optq-identity", "optq-update") if rounding == "stochastic" else ("optq-l2", "optq-linf", "optq-near-optimal", "feedback-form")
    for name in names:
        assert check(problem, [name])[name].outcome is HOLDS
        assert check(problem, [name], algorithm=lambda _: wrong)[name].outcome is VIOLATED


@pytest.mark.parametrize("name", ["optq-alphabet", "sto-optq-alphabet"])
@pytest.mark.parametrize("steps", [1e12, 1e13, 1e14])
def test_half_an_error_is_no_drift_of_zero_where_float64_cannot_see_it(name, steps):
    """With errors halved the first rounded number strays from its weight by a quarter of a step, and the bound there is 0."""
    rounding = claims()[name].rounding
    problem = Problem(np.eye(1), np.full((1, 60), steps * np.pi), Grid(1.0), rounding=rounding, failure_probability=0.5)
    wrong = replace(problem.result, rounding_errors=problem.result.rounding_errors / 2)
    assert check(problem, [name], algorithm=lambda _: wrong)[name].outcome is not HOLDS
    assert check(problem, [name])[name].outcome is not VIOLATED


def test_a_user_s_own_claim_is_evaluated_in_the_problem_s_own_unit(plant):
    """Of a statement that is not homogeneous nothing may be rescaled: the error is 0.3 e-80, and its bound is 1e-80."""
    name = plant("optq-linf", lambda problem, result: Evaluation(abs(problem.W - result.weights).max(axis=0), np.full(problem.K, 1e-80)))
    problem = Problem(np.eye(1), np.array([[3e-81]]), Grid(1e-79))
    assert check(problem, [name])[name].outcome is HOLDS
    assert check(problem.but(W=np.array([[3e-80]])), [name])[name].outcome is VIOLATED


# --- false alarms, one by one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["optimum-floor", "optq-near-optimal"])
def test_a_decimal_tie_is_no_violation_in_exact_arithmetic(name):
    """0.55 lies 2.8e-17 nearer to 0.6 than to 0.5 as floats have them; a search in float64 takes either."""
    ties = [(w / 20, step / 10) for w in range(1, 60, 2) for step in (1, 2, 3, 7)]
    for weight, step in [(0.55, 0.1), *ties]:
        problem = Problem([[1.0]], [[weight]], Grid(step))
        assert both(problem, name) == (HOLDS, HOLDS), (weight, step)


def test_the_exact_optimum_is_the_least_of_all_codes_nearby():
    rng = np.random.default_rng(11)
    for number in range(12):
        problem = Problem(rng.integers(-3, 4, (4, 2)) + np.eye(4, 2) / 3, rng.integers(-9, 10, (2, 1)) / 20, Grid(0.1), damping=0.1)
        view = ExactProblem(problem)
        verdict = claims()["optq-near-optimal"](view, view.result)
        codes = np.stack(np.meshgrid(range(-12, 13), range(-12, 13))).reshape(2, -1)
        least = np.min([_exact_error(view, code) for code in codes.T if abs(_exact_error(view, code)) < 10])
        factor = verdict.bound[0] / least
        weighted = view.factorization.pivots_squared
        assert factor == 1 + weighted[1] / weighted[0], number


def _exact_error(view, codes):
    from flint import fmpq

    left = np.array([view.W[j, 0] - view.steps[0, 0] * int(codes[j]) for j in range(2)], dtype=object)
    outputs = [sum((x * d for x, d in zip(row, left, strict=True)), fmpq(0)) for row in view.calibration]
    return sum((y * y for y in outputs), fmpq(0)) + view.factorization.damping * sum((d * d for d in left), fmpq(0))


def test_everything_near_the_nearest_point_is_found():
    assert near_closest(np.eye(2), np.array([0.5, 0.5]), budget=1000) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert near_closest(np.eye(2), np.array([0.5, 0.4]), budget=1000) == [[0, 0], [1, 0]]
    assert near_closest(np.eye(2), np.array([0.3, 0.4]), budget=1000) == [[0, 0]]
    assert near_closest(np.eye(2), np.array([0.3, 0.4]), budget=1) is None, "a search that does not end finds nothing"


@pytest.mark.parametrize("form", ["alternating", "projected"])
@pytest.mark.parametrize("distance", [1e-8, 1e-12, 1e-15, 1e-4])
def test_a_mismatch_that_cancels_violates_no_identity(form, distance):
    X = np.array([[1.0], [2.0]])
    problem = Problem(X, [[3.0]], Grid(1.0), "qronos", form, X_quantized=X * (1 + distance))
    for name in ("qronos-identity", "qronos-l2"):
        assert both(problem, name) == (HOLDS, HOLDS)


@pytest.mark.parametrize("damping", [1e7, 1e10, 1e12, 1e16, 1e30])
def test_the_undamped_mean_needs_no_subtraction(damping):
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 1))
    problem = Problem(X, W, Grid(1.0), damping=damping * float((X**2).sum(axis=0).max()), rounding="stochastic")
    assert both(problem, "sto-optq-l2") == (HOLDS, HOLDS)
    evaluation = claims()["sto-optq-l2"](problem, problem.result)
    assert evaluation.bound[1, 0] == pytest.approx((X**2).sum() / 4, rel=1e-6), "V tends to X itself"


@pytest.mark.parametrize("number", range(8))
def test_a_billion_steps_at_condition_ten_million_violate_nothing(number):
    rng = np.random.default_rng(number)
    left, right = np.linalg.qr(rng.standard_normal((5, 3)))[0], np.linalg.qr(rng.standard_normal((3, 3)))[0]
    X = left * np.array([1, 1e-4, 1 / 2.7e7]) @ right
    for form in ("alternating", "projected"):
        problem = Problem(X, 1e9 * rng.standard_normal((3, 2)), Grid(1.0), "qronos", form, X_quantized=X * (1 + 1e-3))
        for name in ("qronos-l2", "qronos-identity", "feedback-form"):
            floating, exact = both(problem, name)
            assert floating is not VIOLATED
            assert exact is HOLDS


@pytest.mark.parametrize(("inputs", "weights"), [(1.0, 1e-158), (1.0, 1e-300), (1e140, 1e-300), (1e-100, 1e-300),
                                                 (1e-300, 1e-300), (1e300, 1.0)])
def test_small_and_large_units_are_no_violation(inputs, weights):
    rng = np.random.default_rng(3)
    X, W = rng.standard_normal((4, 3)) * inputs, rng.standard_normal((3, 2)) * weights
    problem = Problem(X, W, Grid(weights / 3), damping="mean-diagonal:0.1")
    for name in ("optq-identity", "optq-l2", "optq-update", "order-floor", "optimum-floor"):
        assert both(problem, name) == (HOLDS, HOLDS)


@pytest.mark.parametrize("number", [421, 549])
def test_where_half_a_step_cannot_be_seen_the_certificate_is_undecided(number):
    """Codes of 1e9 at condition numbers of 1e8: a code changed by one lies within what counts as a tie."""
    _, _, _, floating, exact, contradicted = held_against(claims()["optq-certificate"], 100, number)
    assert (floating, exact, contradicted) == ("undecided", "holds", False)


# --- false comfort, one by one --------------------------------------------------------------------------------------


def decided(kind, measured, bound, **more):
    claim = next(each for each in claims().values() if each.kind is kind and each.about_neurons)
    measured = np.atleast_1d(measured)
    K = max(measured.shape[-1], 1)
    problem = Problem(np.eye(2), np.full((2, K), 0.3), Grid(1.0))
    evaluation = Evaluation(measured, np.broadcast_to(bound, measured.shape), **more)
    return decide(claim, problem, evaluation, np.zeros(K, dtype=bool), np.ones(K, dtype=bool))


@pytest.mark.parametrize(("kind", "measured", "bound", "outcome", "ratio"), [
    (Kind.UPPER, -1.0, -2.0, VIOLATED, 2.0), (Kind.UPPER, -2.0, -1.0, HOLDS, 0.5), (Kind.UPPER, -1.0, 2.0, HOLDS, -0.5),
    (Kind.UPPER, 1.0, -2.0, VIOLATED, np.inf), (Kind.UPPER, 0.0, -1.0, VIOLATED, np.inf), (Kind.UPPER, -1.0, 0.0, HOLDS, 0.0),
    (Kind.LOWER, -2.0, -1.0, VIOLATED, 2.0), (Kind.LOWER, -1.0, -2.0, HOLDS, 0.5), (Kind.LOWER, 1.0, -1.0, HOLDS, -1.0),
    (Kind.LOWER, -1.0, 1.0, VIOLATED, np.inf), (Kind.UPPER, 0.0, 0.0, HOLDS, 0.0), (Kind.LOWER, 0.0, 0.0, HOLDS, 0.0),
    (Kind.IDENTITY, -2.0, -2.0, HOLDS, 0.0), (Kind.IDENTITY, -2.0, -1.0, VIOLATED, 0.5),
])
def test_signs_are_no_comfort(kind, measured, bound, outcome, ratio):
    verdict = decided(kind, measured, bound)
    assert (verdict.outcome, verdict.ratio) == (outcome, ratio)


@pytest.mark.parametrize("kind", [Kind.UPPER, Kind.PROBABILITY, Kind.EXPECTATION])
def test_an_infinite_bound_says_nothing(kind):
    verdict = decided(kind, np.ones(4), np.inf, ceiling=np.ones(4))
    assert verdict.outcome is UNDECIDED
    assert "infinite" in verdict.advice


@pytest.mark.parametrize("kind", [Kind.UPPER, Kind.LOWER, Kind.IDENTITY, Kind.PROBABILITY, Kind.EXPECTATION])
def test_nothing_compared_is_nothing_decided(kind):
    claim = next(each for each in claims().values() if each.kind is kind and each.about_neurons)
    problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(1.0))
    empty = Evaluation(np.empty((0, 1)), np.empty((0, 1)))
    verdict = decide(claim, problem, empty, np.zeros(1, dtype=bool), np.ones(1, dtype=bool))
    assert verdict.outcome is UNDECIDED
    assert "no numbers" in verdict.advice


@pytest.mark.parametrize("kind", [Kind.UPPER, Kind.LOWER, Kind.IDENTITY, Kind.PROBABILITY, Kind.EXPECTATION])
@pytest.mark.parametrize("side", [np.array([1 + 1j]), np.array(["1"])])
def test_what_is_no_real_number_is_refused(kind, side):
    with pytest.raises(InvalidArgumentError, match="real numbers"):
        decided(kind, side, 1.0)


def test_squares_that_vanish_are_no_zeros():
    np.testing.assert_array_equal(squares(np.array([[1e-200, 0.0, 1e-160, 1.0]])), [np.nan, 0.0, np.nan, 1.0])
    assert decided(Kind.UPPER, squares(np.array([[1e-200]])), 0.0).outcome is UNDECIDED
    assert np.isnan(ratios(Kind.IDENTITY, Evaluation(squares(np.array([[1e-200]])), np.zeros(1))))


def test_the_generator_draws_what_it_says():
    rng = np.random.default_rng(2)
    drawn = [extreme_problem(claims()["optq-l2"], rng) for _ in range(300)]
    sizes = [np.abs(problem.X).max() for problem in drawn if problem.X.any()]
    assert min(sizes) < 1e-290
    assert max(sizes) > 1e290
    assert any(problem.N == 1 for problem in drawn)
    assert any(problem.m == 1 for problem in drawn)
    assert any((np.abs(problem.W) / 1e9 > problem.grid.step).any() for problem in drawn)
    assert any(0 < problem.grid.step.min() < 1e-299 for problem in drawn)
    assert any((problem.X == 0).all(axis=0).any() for problem in drawn)


@pytest.mark.parametrize("size", [1.0, 1e-30, 1e-100, 1e-200, 1e25])
def test_a_damping_that_counts_dead_features_as_1_keeps_its_units(size):
    """The one rule that does not scale with X: in units of its own a problem is still the same problem."""
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((6, 4)) * size, rng.standard_normal((4, 3))
    X[:, 2] = 0
    problem = Problem(X, W, Grid(0.5), damping="mean-diagonal-all:0.01:0.25")
    expected = 0.01 * (np.square(X).sum() + 1 / 0.25) / 4
    units, measured = in_units(problem)
    assert np.ldexp(measured.factorization.damping, 2 * units.inputs) == pytest.approx(expected, rel=1e-12)
    fixed = problem.but(damping=expected)
    for name, verdict in check(problem, ["optq-identity", "optq-l2", "optq-certificate", "order-floor"]).items():
        assert verdict.outcome is HOLDS
        assert verdict.ratio == pytest.approx(check(fixed, [name])[name].ratio, rel=1e-6, abs=1e-9)
