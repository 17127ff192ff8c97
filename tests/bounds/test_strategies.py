"""The public strategies: built and never filtered, of every kind they promise, never rank deficient, and small when shrunk."""

import inspect
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from provable_ptq.algorithms import Grid, InvalidArgumentError, factorize
from provable_ptq.algorithms.damping import resolve_damping
from provable_ptq.algorithms.factorization import RowSource
from provable_ptq.bounds import Evaluation, Outcome, Problem, check, claims
from provable_ptq.bounds.checking.claim import CHAPTERS
from provable_ptq.bounds.checking.problem import ALGORITHMS
from provable_ptq.bounds.problems import (
    calibration_matrices,
    dampings,
    grids,
    mismatched_pairs,
    orderings,
    problems,
    strategies,
    weights,
    weights_near_ties,
)

MODERATE = settings(derandomize=True, deadline=None, max_examples=150, database=None)


def drawn(strategy, examples=150):
    """Examples of a strategy: as many as asked for, or all there are."""
    found = []

    @settings(MODERATE, max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(example):
        found.append(example)

    collect()
    return found


def smallest(strategy, condition):
    return find(strategy, condition, settings=settings(derandomize=True, database=None, max_examples=500))


def rank(X):
    live = X[:, X.any(axis=0)]
    return (np.linalg.matrix_rank(live, tol=1e-9 * np.linalg.norm(live, 2)) if live.size else 0), live.shape[1]


def test_calibration_matrices_are_of_every_kind():
    found = drawn(calibration_matrices(), 300)
    dead = [X for X in found if not X.any(axis=0).all()]
    twins = [X for X in found if any((X[:, i] == X[:, j]).all() and X[:, i].any() for i in range(X.shape[1]) for j in range(i))]
    norms = [np.linalg.norm(X[:, X.any(axis=0)], axis=0) for X in found]
    tails = [n for n in norms if n.size and n.max() > 16 * n.min()]
    wide = [X for X in found if X.shape[0] < X.shape[1]]
    short = [X for X in found if rank(X)[0] < min(X.shape[0], rank(X)[1])]
    for some in (dead, twins, tails, wide, short, [X for X in found if len(X) == 1], [X for X in found if X.shape[1] == 1]):
        assert len(some) >= 8
    assert max(np.linalg.cond(X) for X in found if rank(X) == (X.shape[1], X.shape[1])) > 1e3
    largest = max(np.abs(X).max() for X in found)
    least = min(np.abs(X[X != 0]).min() for X in found if X.any())
    assert largest <= 2**10
    assert least > 1e-12


def test_independent_calibration_matrices_have_independent_live_columns():
    for X in drawn(calibration_matrices(independent=True)):
        assert rank(X)[0] == rank(X)[1]
        assert X.shape[0] >= X.shape[1]


def test_the_condition_number_of_the_factors_is_prescribed():
    found = drawn(calibration_matrices(samples=6, features=4, condition=8.0, independent=True))
    values = [np.linalg.svd(X, compute_uv=False) for X in found if rank(X)[0] == 4]
    assert max(v[0] / v[-1] for v in values) <= 8 * 64 * 1.01
    assert max(v[0] / v[-1] for v in values) > 6


def test_mismatched_pairs_keep_independence_and_span_all_sizes_of_mismatch():
    found = drawn(mismatched_pairs(independent=True), 200)
    sizes = []
    for X, X_quantized in found:
        assert rank(X)[0] == rank(X)[1]
        assert rank(X_quantized)[0] == rank(X_quantized)[1]
        sizes.append(np.linalg.norm(X - X_quantized) / max(np.linalg.norm(X), 1e-300))
    assert min(sizes) == 0
    assert sum(0 < size < 0.01 for size in sizes) >= 5
    assert sum(size > 0.1 for size in sizes) >= 20
    unexplained = [Xq - X @ np.linalg.lstsq(X, Xq, rcond=None)[0] for X, Xq in found]
    assert sum(np.linalg.norm(left) > 1e-3 for left in unexplained) >= 20


def test_weights_are_moderate_and_often_tie():
    found = drawn(weights(3, 2))
    assert all(W.shape == (3, 2) and np.abs(W).max() <= 8 for W in found)
    assert sum((np.abs(W % 1 - 0.5) < 1e-12).any() for W in found) >= 20


@MODERATE
@given(st.data())
def test_weights_near_ties_are_a_hair_from_a_tie_at_every_step(data):
    problem = data.draw(problems(algorithm="optq", rounding="nearest", neurons=2))
    W = data.draw(weights_near_ties(problem.factorization, problem.grid, 2))
    attacked = problem.but(W=W)
    e = np.abs(attacked.result.rounding_errors) / attacked.steps
    shared = e.flat[0]
    assert 0.25 - 1e-9 <= shared < 0.5
    np.testing.assert_allclose(e, shared, rtol=0, atol=1e-8)
    assert not attacked.result.saturated.any()


def test_grids_have_every_shape_and_ends_on_demand():
    found = drawn(grids(4, 3))
    assert {grid.step.shape for grid in found} == {(1, 1), (1, 3), (4, 1), (4, 3)}
    assert {grid.finite for grid in found} == {True, False}
    assert {grid.low.shape for grid in found if grid.finite} == {(1, 1), (1, 3)}
    assert {grid.finite for grid in drawn(grids(4, 3, finite=True), 20)} == {True}
    assert {grid.finite for grid in drawn(grids(4, 3, finite=False), 20)} == {False}
    assert all(grid.step.min() >= 0.125 and grid.step.max() <= 4 for grid in found)


def test_dampings_are_numbers_and_every_rule():
    X = RowSource.of(np.random.default_rng(0).standard_normal((5, 3)))
    found = drawn(dampings(), 200)
    assert {name.partition(":")[0] for name in found if isinstance(name, str)} == {"none", "mean-diagonal", "spectral", "george-saab"}
    assert {resolve_damping(damping, X) for damping in found} >= {0.0, 1.0}
    assert all(resolve_damping(damping, X) > 0 for damping in drawn(dampings(positive=True)))


def test_orderings_are_named_random_or_permutations():
    found = drawn(orderings(5), 200)
    named = {ordering.partition(":")[0] for ordering in found if isinstance(ordering, str)}
    assert named == {"natural", "decreasing-norm", "increasing-norm", "min-pivot", "random"}
    explicit = [ordering for ordering in found if not isinstance(ordering, str)]
    assert explicit
    assert all(np.array_equal(np.sort(order), np.arange(5)) for order in explicit)
    assert all(isinstance(ordering, str) for ordering in drawn(orderings(), 30))


def test_problems_are_of_every_kind():
    found = drawn(problems(), 400)
    assert {problem.algorithm for problem in found} == set(ALGORITHMS)
    assert {(problem.rounding, problem.form) for problem in found if problem.algorithm == "qronos"} == {
        (rounding, form) for rounding in ("nearest", "stochastic") for form in ("alternating", "projected")}
    for kind in (lambda p: p.X_quantized is None, lambda p: p.X_quantized is not None, lambda p: p.result.saturated.any(),
                 lambda p: p.grid.finite, lambda p: p.m < p.N, lambda p: p.N == 1, lambda p: p.m == 1, lambda p: p.K == 1,
                 lambda p: p.factorization.damping == 0, lambda p: np.abs(np.tril(p.factorization.L, -1)).max() > 1,
                 lambda p: (np.abs(np.abs(p.result.rounding_errors / p.steps) - 0.5) < 1e-3).all()):
        assert sum(bool(kind(problem)) for problem in found) >= 5


def test_arguments_of_problems_are_kept():
    given_arguments = {"algorithm": "qronos", "form": "projected", "rounding": "stochastic", "damping": 2.0, "ordering": "min-pivot",
                       "features": 3, "samples": st.sampled_from([2, 5]), "neurons": 2, "mismatched": True, "finite": True}
    found = drawn(problems(**given_arguments), 30)
    for problem in found:
        assert (problem.algorithm, problem.form, problem.rounding, problem.damping, problem.ordering) == (
            "qronos", "projected", "stochastic", 2.0, "min-pivot")
        assert (problem.N, problem.K, problem.m in (2, 5)) == (3, 2, True)
        assert problem.X_quantized is not None
        assert problem.grid.finite
    assert {problem.rounding for problem in drawn(problems(algorithm="round-to-nearest"), 20)} == {"nearest"}
    assert "round-to-nearest" not in {problem.algorithm for problem in drawn(problems(rounding="stochastic"), 40)}
    undamped = drawn(problems(damping=0.0), 40)
    assert all(problem.m >= problem.N for problem in undamped)


def test_what_cannot_be_built_is_refused_in_one_sentence():
    for strategy in (calibration_matrices(samples=2, features=3, independent=True), problems(damping=0.0, samples=2, features=3)):
        with pytest.raises(InvalidArgumentError, match="samples = 2 is not accepted: at least 3"):
            smallest(strategy, lambda example: True)
    with pytest.raises(InvalidArgumentError, match=r"condition = 0\.5 is not accepted"):
        smallest(calibration_matrices(condition=0.5), lambda X: True)


def test_examples_shrink_to_small_sizes_and_simple_numbers():
    np.testing.assert_array_equal(smallest(calibration_matrices(), lambda X: True), [[1.0]])
    saturated = smallest(problems(mismatched=False, near_ties=False), lambda problem: problem.result.saturated.any())
    assert (saturated.N, saturated.m, saturated.X.item()) == (1, 1, 1.0)
    coupled = smallest(calibration_matrices(), lambda X: np.abs(np.tril((X.T @ X), -1)).max(initial=0) > 0.3)
    assert coupled.shape[1] == 2


@settings(MODERATE, max_examples=200)
@given(problems())
def test_no_shipped_claim_is_violated(problem):
    wanted = [made.id for made in claims().values() if made.chapter in CHAPTERS and not made.fixed]
    verdicts = check(problem, wanted, draws=100)
    assert {claim_id for claim_id, verdict in verdicts.items() if verdict.outcome is Outcome.VIOLATED} == set()


def test_a_false_claim_is_found_and_shrunk_to_one_feature(plant):
    def halved(problem, result):
        truth = claims()["optq-l2"](problem, result)
        return Evaluation(truth.measured, truth.bound / 2)

    false = plant("optq-l2", halved)
    strategy = problems(algorithm="optq", rounding="nearest", mismatched=False, finite=False)
    found = smallest(strategy, lambda problem: check(problem, [false])[false].witness is not None)
    assert isinstance(found, Problem)
    assert (found.N, found.m, found.K) == (1, 1, 1)


def test_nothing_is_filtered():
    source = inspect.getsource(strategies)
    assert not re.search(r"filter\(|assume\(|reject\(\)|unique", source)
    assert len(drawn(problems(), 120)) >= 120


def test_the_public_names_are_importable_from_the_package():
    import provable_ptq.bounds.problems as package

    assert set(package.STRATEGIES) == {"calibration_matrices", "dampings", "grids", "mismatched_pairs", "orderings", "problems", "weights",
                                       "weights_near_ties"}
    assert all(callable(getattr(package, name)) for name in package.STRATEGIES)
    with pytest.raises(AttributeError, match="strategy"):
        package.strategy  # noqa: B018


def test_simplest_weights_near_ties_follow_the_factorization():
    f = factorize(np.array([[2.0, 1.0], [1.0, 3.0]]))
    W = smallest(weights_near_ties(f, Grid(step=1.0), 1), lambda W: True)
    np.testing.assert_allclose(W[f.order], f.M @ np.full((2, 1), 0.25))
