"""The margin of a verdict: how far its worst entry is from a violation, negative beyond it, whatever the kind of claim."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, Verdict, check, claims
from provable_ptq.bounds.checking.arithmetic import rationals
from provable_ptq.bounds.checking.decision import decide
from provable_ptq.bounds.checking.law import law_verdict
from provable_ptq.bounds.checking.verdict import binomial_interval, ratios
from provable_ptq.bounds.exact import check_exact

DRAWS = 4000


def problem(K, p=0.5):
    return Problem(np.eye(2), np.full((2, K), 0.3), Grid(step=1.0), failure_probability=p)


def decided(kind, measured, bound=1.0, p=0.5, **more):
    measured = np.asarray(measured, dtype=float)
    made = next(each for each in claims().values() if each.kind is kind and each.about_neurons)
    K = measured.shape[-1]
    evaluation = Evaluation(measured, np.broadcast_to(float(bound), measured.shape), **more)
    return decide(made, problem(K, p), evaluation, np.zeros(K, dtype=bool), np.ones(K, dtype=bool))


@pytest.mark.parametrize(("kind", "measured", "margin"), [
    (Kind.UPPER, [0.25, 0.5], 0.5), (Kind.UPPER, [0.5, 3.0], -2.0), (Kind.LOWER, [4.0, 2.0], 0.5), (Kind.LOWER, [4.0, 0.25], -3.0),
    (Kind.PREDICTION, [0.5, 1.1], 0.2), (Kind.PREDICTION, [3.0, 5.0], -3.0),
])
def test_of_bounds_and_predictions_it_is_what_the_ratio_leaves_to_one(kind, measured, margin):
    verdict = decided(kind, measured)
    assert verdict.margin == pytest.approx(margin)
    assert verdict.ratio == pytest.approx(1 - margin)


def test_of_an_identity_it_is_what_the_residual_leaves_to_the_tolerance():
    assert decided(Kind.IDENTITY, [1.0, 1.0]).margin == pytest.approx(1e-10)
    assert decided(Kind.IDENTITY, [1.0, 1.0 + 4e-11]).margin == pytest.approx(6e-11, rel=1e-4)
    assert decided(Kind.IDENTITY, [1.0, 1.25]).margin == pytest.approx(-0.2)


@pytest.mark.parametrize(("failures", "p"), [(0, 0.1), (300, 0.1), (600, 0.1), (3000, 0.5)])
def test_of_a_probability_it_is_what_the_lower_end_leaves_to_p(failures, p):
    verdict = decided(Kind.PROBABILITY, np.where(np.arange(DRAWS) < failures, 2.0, 0.5), p=p)
    assert verdict.margin == pytest.approx(p - binomial_interval(failures, DRAWS)[0])
    assert (verdict.margin < 0) == (verdict.outcome is Outcome.VIOLATED)


@pytest.mark.parametrize("mean", [0.5, 0.9, 1.0, 1.1, 1.5])
def test_of_an_expectation_it_is_what_the_lower_end_leaves_to_one(mean):
    """Maurer and Pontil's interval, not cut off at 0: rows whose mean is further down do not count."""
    noise = np.random.default_rng(5).uniform(-0.3, 0.3, DRAWS)
    values = np.stack([mean + noise, np.full(DRAWS, 0.1)])
    verdict = decided(Kind.EXPECTATION, values, ceiling=np.full_like(values, 2.0))
    log_term = np.log(4 / 0.005)  # two rows share 1%, each has two sides
    width = np.sqrt(2 * values[0].var(ddof=1) * log_term / DRAWS) + 7 * 2 * log_term / (3 * (DRAWS - 1))
    assert verdict.margin == pytest.approx(1 - (values[0].mean() - width))
    assert verdict.interval == pytest.approx((values[0].mean() - width, values[0].mean() + width))
    assert (verdict.margin < 0) == (verdict.outcome is Outcome.VIOLATED) == (mean > 1.05)


def test_of_an_expectation_over_few_draws_it_may_pass_one_though_the_interval_ends_at_zero():
    verdict = decided(Kind.EXPECTATION, [0.0, 1.0, 2.0, 1.0], ceiling=np.full(4, 2.0))
    assert verdict.interval[0] == 0
    assert verdict.margin > 1


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, Outcome.HOLDS), (0.2, Outcome.VIOLATED)])
def test_of_an_enumerated_expectation_it_is_what_the_mean_leaves_to_one(factor, outcome, plant):
    """One weight of 0.3: the squared error is 0.09 with probability 0.7 and 0.49 with probability 0.3, mean 0.21."""
    def evaluate(given, result):
        return Evaluation((given.X[0] @ (given.W - result.weights)) ** 2, np.full(given.K, 0.25 * factor))

    single = Problem(np.eye(1), np.array([[0.3]]), Grid(1.0), rounding="stochastic")
    name = plant("sto-optq-l2", evaluate)
    verdict = law_verdict(claims()[name], single, draws=0)
    assert verdict.ratio == pytest.approx(0.21 / (0.25 * factor))
    assert verdict.margin == pytest.approx(1 - 0.21 / (0.25 * factor))
    assert verdict.outcome is outcome


@pytest.mark.parametrize(("ratio", "noise", "outcome"), [
    (0.7, 0.2, Outcome.HOLDS), (0.95, 0.2, Outcome.UNDECIDED), (1.05, 0.2, Outcome.UNDECIDED), (1.5, 0.2, Outcome.VIOLATED),
    (0.95, 0.0, Outcome.HOLDS), (1.05, 0.0, Outcome.VIOLATED),
])
def test_an_enumerated_expectation_is_decided_only_beyond_what_float64_lost(ratio, noise, outcome, plant):
    """The mean 0.21 again, its bound 1/ratio times that, and sides that may be off by `noise` of the bound."""
    bound = 0.21 / ratio

    def evaluate(given, result):
        return Evaluation((given.W - result.weights)[0] ** 2, np.full(given.K, bound), noise=np.full(given.K, noise * bound))

    single = Problem(np.eye(1), np.array([[0.3]]), Grid(1.0), rounding="stochastic")
    name = plant("sto-optq-l2", evaluate)
    assert law_verdict(claims()[name], single, draws=0).outcome is outcome


def test_part_of_the_neurons_is_more_than_none_and_fewer_than_all():
    partial = [Verdict(Outcome.HOLDS, covered=covered, neurons=3).partial for covered in (0, 1, 2, 3, None)]
    assert partial == [False, True, True, False, False]
    halves = Problem(np.eye(2), np.array([[0.4, 9.0, 0.2], [0.3, 0.1, 0.4]]), Grid(1.0, low=-2, high=2))
    verdict = check(halves, ["optq-l2"])["optq-l2"]
    assert (verdict.covered, verdict.neurons, verdict.words) == (2, 3, "holds for 2 of 3 neurons")
    assert verdict.measured.shape[-1] == 2


@pytest.mark.parametrize("company", [(), (1.0, 2.0), (0.0, 0.0), (-1.0, -2.0), (0.0, 3.0), (2.0, -1.0)])
@pytest.mark.parametrize(("measured", "bound", "ratio"), [
    (0.25, 0.5, 0.5), (3.0, 0.5, 6.0), (0.25, 2.0, 0.125), (0.0, 0.5, 0.0), (0.0, 0.0, 0.0), (0.25, 0.0, np.inf),
    (-0.5, -0.25, 0.5), (-0.25, -0.5, 2.0), (0.5, -0.25, np.inf), (0.0, -0.25, np.inf), (-0.5, 0.25, -2.0),
])  # fmt: skip
def test_a_ratio_does_not_depend_on_the_entries_beside_it(measured, bound, ratio, company):
    sides = np.array([[measured, bound], company]) if company else np.array([[measured, bound]])
    assert ratios(Kind.UPPER, Evaluation(sides[:, 0], sides[:, 1]))[0] == ratio
    assert ratios(Kind.LOWER, Evaluation(sides[:, 1], sides[:, 0]))[0] == ratio


@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.1, 0.9, 1.5, 4.0])
@pytest.mark.parametrize("residual", [1e-11, 0.05, 0.3, 0.99, 1.3, 1.7, 2.1, 3.0, 5.5])
def test_an_identity_is_violated_where_losing_all_digits_does_not_explain_it(residual, noise):
    """Sides that are sums of terms of size 1. Where `noise` is a good part of that, float64 may hold none of their digits: both
    sides may be off by the size itself, or one by the noise where that is more."""
    verdict = decided(Kind.IDENTITY, [residual], bound=0.0, scale=np.ones(1), noise=np.full(1, noise))
    lost = noise + 1e-10
    fine = noise < 1e-3
    explained = lost if fine else 1 + max(lost, 1.0)
    expected = Outcome.VIOLATED if residual > explained else Outcome.HOLDS if fine else Outcome.UNDECIDED
    assert verdict.outcome is expected


@pytest.mark.parametrize(("like", "measured", "bound", "margin"), [
    ("optq-l2", [3, 1], [1, 2], -2 / 3), ("optq-l2", [1, 3], [2, 4], 0.25), ("optq-l2", [5, 2], [4, 1], -0.5),
    ("optimum-floor", [1, 4], [4, 2], -0.75), ("optimum-floor", [4, 4], [1, 2], 0.5), ("optq-identity", [1, 4], [4, 4], -0.75),
])
def test_in_exact_arithmetic_it_is_what_the_worst_entry_leaves_relative_to_its_larger_side(like, measured, bound, margin, plant):
    name = plant(like, lambda given, result: Evaluation(*(rationals(np.array(side)) for side in (measured, bound))), hypotheses=())
    verdict = check_exact(problem(2), [name]).verdicts[name]
    assert verdict.margin == pytest.approx(margin)
    assert verdict.outcome is (Outcome.VIOLATED if margin < 0 else Outcome.HOLDS)


@pytest.mark.parametrize(("noise", "natural"), [(np.inf, 1.0), (np.nan, 1.0), (0.5, np.nan)])
@pytest.mark.parametrize("kind", [Kind.UPPER, Kind.IDENTITY])
def test_where_a_size_is_no_number_the_advice_names_no_digits(kind, noise, natural):
    """`decided only to inf, relative` would say nothing."""
    verdict = decided(kind, [0.9], noise=np.full(1, noise), natural=np.full(1, natural))
    assert verdict.outcome is Outcome.UNDECIDED
    assert "none in float64" in verdict.advice
