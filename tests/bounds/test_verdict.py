"""From evaluations to outcomes: exact binomial intervals, empirical Bernstein intervals, ratios, allowances."""

from dataclasses import replace

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.checking.decision import decide, reach
from provable_ptq.bounds.checking.tolerance import identity_tolerance, relative_allowance
from provable_ptq.bounds.checking.verdict import binomial_interval, ratios
from scipy.stats import binom, binomtest


def problem(K=1, p=0.5, **changes):
    return Problem(np.eye(2), np.full((2, K), 0.3), Grid(step=1.0), failure_probability=p, **changes)


def made(kind):
    """Some claim of this kind."""
    return next(each for each in claims().values() if each.kind is kind and each.about_neurons)


def decided(kind, measured, bound, p=0.5, saturated=None, confidence=0.99, **more):
    measured = np.atleast_1d(np.asarray(measured, dtype=float))
    K = measured.shape[-1]
    evaluation = Evaluation(measured, np.broadcast_to(np.asarray(bound, dtype=float), measured.shape), **more)
    saturated = np.zeros(K, dtype=bool) if saturated is None else saturated
    return decide(made(kind), problem(K, p), evaluation, saturated, np.ones(K, dtype=bool), confidence)


# --- the binomial interval -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("draws", [1, 2, 7, 100, 4603, 100_000])
@pytest.mark.parametrize("confidence", [0.9, 0.99, 1 - 1e-7])
def test_interval_is_clopper_and_pearsons(draws, confidence):
    tail = (1 - confidence) / 2
    for failures in {0, 1, draws // 3, draws - 1, draws}:
        low, high = binomial_interval(failures, draws, confidence)
        expected = binomtest(failures, draws).proportion_ci(confidence, method="exact")
        np.testing.assert_allclose((low, high), expected, rtol=0, atol=1e-9)  # scipy searches its ends
        if failures > 0:  # the tails to three digits: so far out, quantiles of the beta distribution know no more
            assert binom.sf(failures - 1, draws, low) == pytest.approx(tail, rel=1e-3)
        if failures < draws:
            assert binom.cdf(failures, draws, high) == pytest.approx(tail, rel=1e-3)


@pytest.mark.parametrize("p", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("draws", [1, 5, 60])
def test_interval_covers_the_truth_as_often_as_it_says(p, draws):
    covered = sum(binom.pmf(failures, draws, p) for failures in range(draws + 1)
                  if binomial_interval(failures, draws, 0.99)[0] <= p <= binomial_interval(failures, draws, 0.99)[1])
    assert covered >= 0.99


def test_draws_without_failure_that_support_one_in_a_thousand():
    one_sided = 1 - (1 - 1e-3) ** 4603  # P(some failure) if p were 1e-3: the test at 99%
    assert one_sided >= 0.99
    assert 1 - (1 - 1e-3) ** 4602 < 0.99, "4603 is the smallest number of draws that does"
    assert binomial_interval(0, 4603, 0.98)[1] == pytest.approx(1e-3, rel=1e-3), "the upper end of a two-sided 98% interval"
    assert binomial_interval(0, 5296, 0.99)[1] <= 1e-3 < binomial_interval(0, 5294, 0.99)[1]


# --- probability claims --------------------------------------------------------------------------------------------


def outcome_of(failures, draws, p, **options):
    measured = np.where(np.arange(draws) < failures, 2.0, 0.5)
    return decided(Kind.PROBABILITY, measured, 1.0, p, **options)


@pytest.mark.parametrize("p", [0.5, 0.1, 0.01])
def test_refuted_only_when_the_whole_interval_lies_above_p(p):
    draws = 2000
    for failures in range(0, draws + 1, 10):
        low, high = binomial_interval(failures, draws)
        expected = Outcome.VIOLATED if low > p else Outcome.HOLDS if high <= p else Outcome.UNDECIDED
        verdict = outcome_of(failures, draws, p)
        assert verdict.outcome is expected
        assert verdict.interval == (low, high)
        assert (verdict.failures, verdict.draws) == (failures, draws)
        assert (verdict.witness is not None) == (expected is Outcome.VIOLATED)
    assert outcome_of(int(p * draws), draws, p).outcome is Outcome.UNDECIDED


def test_a_value_at_the_level_is_no_failure_and_a_nan_is_one():
    assert decided(Kind.PROBABILITY, np.ones(10), 1.0).failures == 0
    assert decided(Kind.PROBABILITY, np.full(10, np.nextafter(1, 2)), 1.0).failures == 10
    assert decided(Kind.PROBABILITY, np.full(10, np.nan), 1.0).failures == 10
    assert decided(Kind.PROBABILITY, np.ones(10), np.nan).failures == 10


def test_saturated_draws_count_as_no_failure_and_none_is_dropped():
    saturated = np.arange(100) < 60
    verdict = decided(Kind.PROBABILITY, np.full(100, 2.0), 1.0, saturated=saturated)
    assert (verdict.failures, verdict.draws) == (40, 100)
    assert verdict.interval == binomial_interval(40, 100)
    assert decided(Kind.PROBABILITY, np.full(100, 2.0), 1.0, saturated=np.ones(100, dtype=bool)).failures == 0


def test_the_ratio_of_a_probability_claim_is_a_quantile():
    measured = np.arange(1.0, 101)
    assert decided(Kind.PROBABILITY, measured, 100.0, p=0.1).ratio == 0.9
    assert decided(Kind.PROBABILITY, measured, 100.0, p=0.1, saturated=measured > 50).ratio == 0.4, "the 90th of 50 zeros and 0.01 to 0.50"


def test_several_inequalities_share_the_confidence():
    rows = np.stack([np.where(np.arange(400) < 30, 2.0, 0.5), np.zeros(400)])
    together = decided(Kind.PROBABILITY, rows, 1.0)
    assert together.failures == 30, "of the row with most failures"
    np.testing.assert_allclose(together.interval, binomial_interval(30, 400, 0.995), rtol=1e-9)
    assert together.interval[0] < binomial_interval(30, 400, 0.99)[0]


def test_false_alarms_are_as_rare_as_promised():
    """A true claim whose failure probability is exactly p: violated in at most half of 1% of the runs, summed over all counts."""
    draws, p = 300, 0.1
    refuted = [outcome_of(failures, draws, p).outcome is Outcome.VIOLATED for failures in range(draws + 1)]
    assert binom.pmf(np.arange(draws + 1), draws, p)[refuted].sum() <= 0.005


# --- bounds in expectation -----------------------------------------------------------------------------------------


def bernstein(values, ceiling, confidence=0.99):
    return decided(Kind.EXPECTATION, values, 1.0, confidence=confidence, ceiling=np.full_like(values, ceiling))


@pytest.mark.parametrize(("success", "ceiling"), [(0.5, 2.0), (0.05, 20.0), (0.9, 1 / 0.9)])
def test_bernstein_interval_covers_the_mean(success, ceiling):
    """Values are 0 or `ceiling` with mean 1, as far out as they can be: over 400 runs the interval misses at most 1%."""
    rng = np.random.default_rng(8)
    misses = 0
    for _ in range(400):
        values = ceiling * (rng.random(500) < success)
        low, high = bernstein(values, ceiling).interval
        misses += not low <= success * ceiling <= high
    assert misses <= 4


def test_bernstein_interval_is_the_published_one():
    values = np.array([0.0, 1.0, 2.0, 1.0])
    log_term = np.log(2 / 0.005)  # Maurer and Pontil 2009, one side at 0.5% each
    width = np.sqrt(2 * values.var(ddof=1) * log_term / 4) + 7 * 2 * log_term / (3 * 3)
    low, high = bernstein(values, 2.0).interval
    assert (low, high) == (0.0, pytest.approx(1 + width))


def test_expectations_are_decided_by_the_interval():
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 1, 20_000)
    assert bernstein(0.4 + noise, 2.0).outcome is Outcome.HOLDS
    assert bernstein(0.6 + noise, 2.0).outcome is Outcome.VIOLATED
    assert bernstein(0.5 + noise, 2.0).outcome is Outcome.UNDECIDED
    assert bernstein(0.4 + noise[:20], 2.0).outcome is Outcome.UNDECIDED
    assert bernstein(noise[:1], 2.0).outcome is Outcome.UNDECIDED, "one draw has no variance"
    assert decided(Kind.EXPECTATION, noise, 1.0).outcome is Outcome.UNDECIDED, "without a ceiling nothing is known about the mean"
    assert bernstein(0.4 + noise, 2.0).ratio == pytest.approx(0.9, abs=0.01)


def test_an_expectation_of_nans_is_not_decided():
    assert bernstein(np.full(100, np.nan), 1.0).outcome is Outcome.UNDECIDED


# --- certain claims ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "measured", "bound", "ratio"), [
    (Kind.UPPER, 1.0, 4.0, 0.25), (Kind.UPPER, 0.0, 0.0, 0.0), (Kind.UPPER, 1.0, 0.0, np.inf),
    (Kind.LOWER, 4.0, 1.0, 0.25), (Kind.LOWER, 0.0, 0.0, 0.0), (Kind.LOWER, 0.0, 1.0, np.inf),
    (Kind.IDENTITY, 1.0, 1.25, 0.2), (Kind.IDENTITY, 0.0, 0.0, 0.0), (Kind.IDENTITY, -1.0, 1.0, 2.0),
    (Kind.UPPER, np.nan, 0.0, np.nan), (Kind.LOWER, 1.0, np.nan, np.nan), (Kind.IDENTITY, np.nan, 1.0, np.nan),
])
def test_ratios(kind, measured, bound, ratio):
    np.testing.assert_array_equal(ratios(kind, Evaluation(np.array([measured]), np.array([bound]))), [ratio])


def test_an_identity_is_relative_to_its_scale():
    evaluation = Evaluation(np.array([1.0, 1.0]), np.array([1.5, 1.0]), scale=np.array([100.0, 0.0]))
    np.testing.assert_array_equal(ratios(Kind.IDENTITY, evaluation), [0.005, 0.0])


def test_bounds_are_missed_only_beyond_the_allowance():
    allowance = relative_allowance(*reach(problem()))
    assert 1e-14 < allowance < 1e-12
    for kind, side in ((Kind.UPPER, 1), (Kind.LOWER, -1)):
        assert decided(kind, (1 + 0.9 * allowance) ** side, 1.0).outcome is Outcome.HOLDS
        assert decided(kind, (1 + 2 * allowance) ** side, 1.0).outcome is Outcome.VIOLATED
    tolerance = identity_tolerance(*reach(problem()))
    assert decided(Kind.IDENTITY, 1 + 0.9 * tolerance, 1.0).outcome is Outcome.HOLDS
    assert decided(Kind.IDENTITY, 1 + 1.1 * tolerance, 1.0).outcome is Outcome.VIOLATED


def test_the_worst_entry_decides():
    assert decided(Kind.UPPER, [[0.1, 0.2], [0.3, 1.1]], 1.0).outcome is Outcome.VIOLATED
    assert decided(Kind.UPPER, [[0.1, 0.2], [0.3, 0.9]], 1.0).ratio == 0.9


def test_only_neurons_to_which_the_claim_applies_are_looked_at():
    evaluation = Evaluation(np.array([[0.5, 9.0]]), np.array([[1.0, 1.0]]))
    verdict = decide(made(Kind.UPPER), problem(2), evaluation, np.zeros(2, dtype=bool), np.array([True, False]))
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.measured.shape == (1, 1)


def test_not_a_number_is_undecided():
    for kind in (Kind.UPPER, Kind.LOWER, Kind.IDENTITY):
        for measured, bound in ((np.nan, 1.0), (1.0, np.nan)):
            assert decided(kind, [0.5, measured], bound).outcome is Outcome.UNDECIDED


# --- predictions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("measured", "outcome"), [(1.0, Outcome.HOLDS), (1.9, Outcome.HOLDS), (2.1, Outcome.UNDECIDED),
                                                   (100.0, Outcome.UNDECIDED), (0.0, Outcome.UNDECIDED), (np.nan, Outcome.UNDECIDED)])
def test_a_missed_prediction_is_never_a_violation(measured, outcome):
    verdict = decided(Kind.PREDICTION, [measured, measured], 1.0)
    assert verdict.outcome is outcome
    assert ("range of validity" in verdict.advice) == (outcome is Outcome.UNDECIDED)


def test_a_prediction_is_about_the_mean_of_many_neurons():
    assert decided(Kind.PREDICTION, [0.1, 1.9], 1.0).ratio == 1.0
    assert decided(Kind.PREDICTION, [0.1, 1.9], 1.0).outcome is Outcome.HOLDS


def test_reach_needs_no_factorization_where_none_is_used():
    dependent = Problem(np.ones((2, 2)), np.full((2, 1), 3.0), Grid(step=0.5), algorithm="gpfq")
    assert reach(dependent) == (2, 1.0, 6.0)


def test_noise_without_end_decides_nothing():
    """Where what float64 may have lost is infinite, and so is the size it is held against, nothing has been seen."""
    problem = Problem(np.eye(1), np.ones((1, 1)), Grid(1.0))
    evaluation = Evaluation(np.zeros(1), np.ones(1), noise=np.array([np.inf]), natural=np.array([np.inf]))
    for kind in (Kind.UPPER, Kind.LOWER, Kind.IDENTITY):
        claim = replace(claims()["optq-l2"], kind=kind)
        assert decide(claim, problem, evaluation, np.zeros(1, dtype=bool), np.ones(1, dtype=bool)).outcome is Outcome.UNDECIDED


def test_the_optimum_is_not_searched_for_beyond_its_size():
    """The exact search is exponential: with one feature more than it is meant for, the claim does not apply, and says why."""
    from provable_ptq.bounds.deterministic.optimum import SEARCHABLE

    N = SEARCHABLE + 1
    problem = Problem(np.eye(N), np.full((N, 1), 0.3), Grid(1.0))
    for name in ("optq-near-optimal", "optimum-floor"):
        verdict = check(problem, [name])[name]
        assert verdict.outcome is Outcome.NOT_APPLICABLE
        assert f"N = {N}" in verdict.advice


def test_undecided_says_how_far_float64_sees():
    problem = Problem(np.eye(1), np.ones((1, 1)), Grid(1.0))
    evaluation = Evaluation(np.ones(1), np.array([1 + 1e-5]), noise=np.array([1e-4]))
    verdict = decide(claims()["optq-l2"], problem, evaluation, np.zeros(1, dtype=bool), np.ones(1, dtype=bool))
    assert verdict.outcome is Outcome.UNDECIDED
    assert "only to 1.0e-04" in verdict.advice
