"""The law of stochastic rounding: enumerated paths against computations by hand and against independent draws."""

import itertools
import math

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, definitions
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.checking.law import ENUMERABLE, LAW_KINDS, draws_of, law_verdict
from provable_ptq.bounds.checking.measure import own_errors
from provable_ptq.bounds.checking.sampling import every_path, monte_carlo
from provable_ptq.bounds.checking.verdict import binomial_interval


def layer(N=6, m=8, p=0.1, **changes):
    rng = np.random.default_rng(N)
    settings = {"grid": Grid(step=0.7), "damping": 0.2, "ordering": "decreasing-norm", "rounding": "stochastic", "failure_probability": p}
    return Problem(rng.standard_normal((m, N)), rng.standard_normal((N, 1)), **settings | changes)


def one_weight(w, p=0.5, **changes):
    return Problem(np.eye(1), np.array([[w]]), Grid(step=1.0), rounding="stochastic", failure_probability=p, **changes)


def failure_of(problem, level):
    """The exact probability that ||X(w-q)||_inf exceeds a level, from the enumerated paths."""
    repeated, result, weights = every_path(problem, 0)
    return float((np.abs(own_errors(repeated, result)).max(axis=0) > level) @ weights)


# --- by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("w", [0.3, 0.5, -0.2, 2.75, 1.0])
def test_one_feature_by_hand(w):
    up = w - math.floor(w)
    verdict = law_verdict(claims()["sto-optq-l2"], one_weight(w), draws=0)
    assert verdict.ratio == pytest.approx(4 * up * (1 - up), abs=1e-15)  # E e^2 = up (1 - up), the bound is 1/4
    assert verdict.interval == (verdict.ratio, verdict.ratio)
    assert verdict.draws == 2
    assert verdict.failures is None


def test_one_features_failure_probability_by_hand(plant):
    """|e| is 0.3 with probability 0.7 and 0.7 with probability 0.3."""
    for level, probability in ((0.2, 1.0), (0.5, 0.3), (0.8, 0.0)):
        name = plant("sto-optq-linf", lambda problem, result, level=level: Evaluation(
            np.abs(own_errors(problem, result)).max(axis=0), np.full(problem.K, level)))
        for p in (0.29, 0.31):
            verdict = law_verdict(claims()[name], one_weight(0.3, p), draws=0)
            assert verdict.interval == pytest.approx((probability, probability), abs=1e-15)
            assert verdict.outcome is (Outcome.HOLDS if probability <= p else Outcome.VIOLATED)
            assert verdict.margin == pytest.approx(p - probability)


def test_a_failure_probability_of_exactly_p_holds(plant):
    name = plant("sto-optq-linf", lambda problem, result: Evaluation(np.abs(own_errors(problem, result))[0], np.full(problem.K, 0.5)))
    assert law_verdict(claims()[name], one_weight(0.25, p=0.25), draws=0).outcome is Outcome.HOLDS


def test_two_features_by_hand():
    """X = [[1, 1/2], [0, 1]]: L_21 = <v_2, X_1> / d_2^2 = 0.4, d^2 = (0.8, 1.25)."""
    problem = Problem(np.array([[1.0, 0.5], [0.0, 1.0]]), np.array([[0.3], [0.6]]), Grid(step=1.0), rounding="stochastic")
    np.testing.assert_allclose(problem.factorization.pivots_squared, [0.8, 1.25])
    assert problem.factorization.L[1, 0] == pytest.approx(0.4)
    expected, paths = 0.0, {}
    for q1, probability1 in ((0, 0.7), (1, 0.3)):
        z2 = 0.6 + 0.4 * (0.3 - q1)  # 0.72 or 0.32
        for q2, probability2 in ((0, 1 - z2), (1, z2)):
            paths[q1, q2] = probability1 * probability2
            expected += paths[q1, q2] * (0.8 * (0.3 - q1) ** 2 + 1.25 * (z2 - q2) ** 2)
    _, result, weights = every_path(problem, 0)
    assert {tuple(column): weight for column, weight in zip(result.codes.T.tolist(), weights, strict=True)} == pytest.approx(paths)
    verdict = law_verdict(claims()["sto-optq-l2"], problem, draws=0)
    assert verdict.ratio == pytest.approx(expected / ((0.8 + 1.25) / 4))
    assert verdict.outcome is Outcome.HOLDS


# --- the paths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [1, 2, 5, 9])
@pytest.mark.parametrize("settings", [{}, {"algorithm": "qronos"}, {"algorithm": "gpfq"}, {"algorithm": "qronos", "form": "projected"}])
def test_probabilities_of_the_paths_sum_to_one(N, settings):
    X_quantized = layer(N).X + 0.1 if settings.get("algorithm") == "qronos" else None
    repeated, result, weights = every_path(layer(N, X_quantized=X_quantized, **settings), 0)
    assert repeated.K == len(weights) == 2**N
    assert (weights >= 0).all()
    assert math.fsum(weights) == pytest.approx(1, abs=1e-14)
    assert len({tuple(column) for column in result.codes.T}) == 2**N


def test_every_path_is_what_the_literal_definition_makes_of_its_codes():
    problem = layer(7)
    repeated, result, weights = every_path(problem, 0)
    literal = definitions.optq(problem.X, repeated.W, problem.grid, damping=problem.damping, ordering=problem.ordering, codes=result.codes)
    np.testing.assert_allclose(literal.rounding_errors, result.rounding_errors, rtol=0, atol=1e-12)
    assert (np.abs(result.rounding_errors) <= 0.7 + 1e-12).all(), "an error of stochastic rounding is below one step"
    up = (np.arange(2**7) >> np.arange(7)[:, None]) & 1 == 1
    share = np.where(up, 1 + result.rounding_errors / 0.7, 1 - result.rounding_errors / 0.7)
    np.testing.assert_allclose(share.prod(axis=0), weights, rtol=1e-11)


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_is_one_of_the_paths(seed):
    problem = layer(5)
    _, result, weights = every_path(problem, 0)
    drawn = problem.but(seed=seed).result.codes[:, 0]
    found = (result.codes == drawn[:, None]).all(axis=0)
    assert found.sum() == 1
    assert weights[found][0] > 0


def test_the_expectation_of_each_error_given_the_history_is_zero():
    problem = layer(6)
    _, result, weights = every_path(problem, 0)
    errors, up = result.rounding_errors, (np.arange(2**6) >> np.arange(6)[:, None]) & 1
    for t in range(6):
        for history in itertools.product((0, 1), repeat=t):
            same = (up[:t] == np.array(history)[:, None]).all(axis=0)
            assert errors[t, same] @ weights[same] == pytest.approx(0, abs=1e-15)


def test_errors_are_uncorrelated_and_their_variance_is_what_the_claim_says():
    problem = layer(6)
    f = problem.factorization
    _, result, weights = every_path(problem, 0)
    covariance = (result.rounding_errors * weights) @ result.rounding_errors.T
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-15)
    assert (np.diag(covariance) <= 0.7**2 / 4 + 1e-15).all()
    verdict = law_verdict(claims()["sto-optq-l2"], problem, draws=0)
    assert verdict.ratio >= f.pivots_squared @ np.diag(covariance) / (f.pivots_squared.sum() * 0.7**2 / 4) - 1e-14


# --- enumeration and draws agree -----------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"algorithm": "gpfq"}, {"algorithm": "qronos"}, {"ordering": "natural", "p": 0.5}])
def test_enumerated_probabilities_agree_with_draws(settings):
    X_quantized = layer().X + 0.1 if settings.get("algorithm") == "qronos" else None
    problem = layer(X_quantized=X_quantized, **settings)
    repeated, result, weights = every_path(problem, 0)
    blocks = list(monte_carlo(problem, 0, 20_000))
    errors = np.abs(own_errors(repeated, result)).max(axis=0)
    drawn = np.concatenate([np.abs(own_errors(block, made)).max(axis=0) for block, made in blocks])
    for level in np.quantile(errors, [0.2, 0.5, 0.8, 0.95]):
        exact = float((errors > level + 1e-9) @ weights)
        low, high = binomial_interval(int((drawn > level + 1e-9).sum()), len(drawn), 1 - 1e-6)
        assert low <= exact <= high
    codes = np.concatenate([made.codes for _, made in blocks], axis=1)
    mean, spread = result.codes @ weights, np.sqrt(result.codes.astype(float) ** 2 @ weights - (result.codes @ weights) ** 2)
    assert (np.abs(codes.mean(axis=1) - mean) <= 6 * spread / np.sqrt(codes.shape[1]) + 1e-12).all()


@pytest.mark.parametrize("name", ["sto-optq-l2", "sto-optq-generalization", "sto-optq-convex-order", "sto-optq-convex-order-sharp"])
def test_expectations_agree_with_draws(name):
    """Means of 20,000 draws within 6 of their standard deviations of the exact means, for every inequality of the claim."""
    problem, made = layer(X_validation=np.eye(6)), claims()[name]
    repeated, result, weights = every_path(problem, 0)
    exact = np.atleast_2d(made(repeated, result).measured) @ weights
    drawn = [made(block.but(seed=problem.seed), result).measured for block, result in draws_of(problem, 20_000)]  # one set of functionals
    drawn = np.concatenate([np.atleast_2d(block) for block in drawn], axis=1)
    assert (np.abs(drawn.mean(axis=1) - exact) <= 6 * drawn.std(axis=1) / np.sqrt(20_000) + 1e-12).all()
    ratio = law_verdict(made, problem, draws=0).ratio
    assert ratio == pytest.approx((exact / np.atleast_2d(made(repeated, result).bound)[:, 0]).max())


# --- saturation ----------------------------------------------------------------------------------------------------


def test_saturated_paths_count_as_no_failure_and_none_is_dropped():
    problem = layer(5, grid=Grid(0.7, low=-1, high=1), p=0.3).but(W=layer(5).W / 3)
    repeated, result, weights = every_path(problem, 0)
    saturated = result.saturated.any(axis=0)
    assert 0.05 < saturated @ weights < 0.95
    made = claims()["sto-optq-linf-rowwise"]
    evaluation = made(repeated, result)
    failed = (evaluation.measured > evaluation.bound) & ~saturated
    verdict = law_verdict(made, problem, draws=0)
    assert verdict.interval[0] == pytest.approx(failed @ weights, abs=1e-15)
    assert verdict.draws == 2**5


def test_a_claim_that_fails_on_saturated_paths_only_holds(plant):
    """On one code nothing but saturation happens: every draw errs without bound, and none of them is a failure."""
    problem = Problem(np.eye(2), np.full((2, 1), 9.5), Grid(1.0, low=0, high=1), rounding="stochastic", failure_probability=0.01)
    assert failure_of(problem, level=5.0) == 1.0
    name = plant("sto-optq-linf", lambda problem, result: Evaluation(np.full(problem.K, 9.0), np.full(problem.K, 5.0)))
    assert law_verdict(claims()[name], problem, draws=0).failures == 0
    wide = problem.but(X=np.eye(13), W=np.full((13, 1), 9.5))
    drawn = law_verdict(claims()[name], wide, draws=400)
    assert (drawn.failures, drawn.draws) == (0, 400)


# --- the verdict ---------------------------------------------------------------------------------------------------


def test_every_stochastic_claim_is_decided_on_all_paths():
    rng = np.random.default_rng(0)
    kinds = {"optq": {}, "gpfq": {"damping": 0.0}, "qronos": {"X_quantized": layer().X + 0.1}}
    seen = set()
    for algorithm, settings in kinds.items():
        problem = layer(algorithm=algorithm, X_validation=rng.standard_normal((3, 6)), **settings)
        for name, verdict in check(problem, draws=1).items():
            if claims()[name].kind in LAW_KINDS and verdict.outcome is not Outcome.NOT_APPLICABLE:
                assert verdict.outcome is Outcome.HOLDS
                assert verdict.advice == "all paths enumerated"
                assert verdict.draws == 2**6
                seen.add(name)
    assert seen == {made.id for made in claims().values() if made.kind in LAW_KINDS}


def test_the_first_neuron_is_the_one_and_others_can_be_asked_for():
    problem = layer(4)
    both = problem.but(W=np.hstack([problem.W, np.rint(problem.W / 0.7) * 0.7]))
    made = claims()["sto-optq-l2"]
    assert law_verdict(made, both, draws=0).ratio == law_verdict(made, problem, draws=0).ratio > 0.1
    assert law_verdict(made, both, draws=0, neuron=1).ratio < 1e-12


def test_failure_probabilities_share_paths_and_change_the_level():
    problem = layer(6, p=0.5)
    first = law_verdict(claims()["sto-optq-linf-rowwise"], problem, draws=0)
    second = law_verdict(claims()["sto-optq-linf-rowwise"], problem.but(failure_probability=0.01), draws=0)
    fresh = law_verdict(claims()["sto-optq-linf-rowwise"], layer(6, p=0.01), draws=0)
    assert first.bound[0] < second.bound[0] == fresh.bound[0]
    assert second.interval == fresh.interval
    assert second.margin == fresh.margin


@pytest.mark.parametrize("N", [ENUMERABLE, ENUMERABLE + 1])
def test_above_twelve_features_draws_are_made(N):
    verdict = law_verdict(claims()["sto-optq-linf-rowwise"], layer(N, m=N, p=0.5), draws=3000)
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.draws == (2**N if N == ENUMERABLE else 3000)
    assert verdict.advice == ("all paths enumerated" if N == ENUMERABLE else "")


def test_law_kinds():
    assert set(LAW_KINDS) == {Kind.PROBABILITY, Kind.EXPECTATION}
