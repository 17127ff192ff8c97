"""The best of several prefixes: never worse than OPTQ, in exact rationals; equals its definition; one candidate is OPTQ."""

from importlib import import_module

import numpy as np
import pytest
from provable_ptq.algorithms import (
    Factorization,
    Grid,
    InvalidArgumentError,
    RankDeficientError,
    closest_vector,
    definitions,
    factorize,
    k_best,
    optq,
)


def test_it_is_never_worse_than_optq_in_exact_rationals(exact, draws):
    better, equal, skipped = 0, 0, 0
    for index in range(300):
        X, W, grid, damping, rng = draws.small(20, index)
        ordering = str(rng.choice(["natural", "decreasing-norm", "min-pivot"]))
        try:
            start = optq(X, W, grid, damping, ordering)
        except RankDeficientError:
            with pytest.raises(RankDeficientError):
                k_best(X, W, grid, 4, damping, ordering)
            skipped += 1
            continue
        before = exact.errors(X, damping, W, start.codes, grid)
        for candidates in (2, 4):
            result = k_best(X, W, grid, candidates, damping, ordering)
            after = exact.errors(X, damping, W, result.codes, grid)
            assert all(a <= b for a, b in zip(after, before, strict=True)), (index, candidates)
            if grid.finite:
                assert (result.codes >= grid.low).all()
                assert (result.codes <= grid.high).all()
            better += sum(a < b for a, b in zip(after, before, strict=True))
            equal += sum(a == b for a, b in zip(after, before, strict=True))
    assert better > 60
    assert equal > 300
    assert skipped < 150


def test_one_candidate_is_optq(draws):
    for problem in draws.problems(60, seed=21):
        shared = (problem.damping, problem.ordering)
        one, start = k_best(problem.X, problem.W, problem.grid, 1, *shared), optq(problem.X, problem.W, problem.grid, *shared)
        for field in ("codes", "weights", "rounding_errors", "saturated", "order"):
            np.testing.assert_array_equal(getattr(one, field), getattr(start, field))


def test_the_definition_agrees(draws):
    compared, improved = 0, 0
    for index, problem in enumerate(draws.problems(70, seed=22)):
        for candidates in (2, 4):
            shared = (problem.X, problem.W, problem.grid, candidates, problem.damping, problem.ordering)
            fast, literal = k_best(*shared), definitions.k_best(*shared)
            np.testing.assert_array_equal(fast.codes, literal.codes, err_msg=f"{index} {candidates}")
            np.testing.assert_allclose(fast.weights, literal.weights)
            np.testing.assert_array_equal(fast.saturated, literal.saturated)
            scale = np.abs(problem.W).max(initial=0) + np.abs(literal.rounding_errors).max(initial=0)
            np.testing.assert_allclose(fast.rounding_errors, literal.rounding_errors, rtol=0, atol=1e-6 * scale)
            draws.check_identity(problem.X, fast.damping, problem.W, fast)
            start = optq(problem.X, problem.W, problem.grid, problem.damping, problem.ordering)
            compared += fast.codes.size
            improved += int((fast.codes != start.codes).any(axis=0).sum())
    assert compared > 700
    assert improved > 20


def test_where_nothing_is_better_the_codes_are_optqs():
    """Orthogonal features at ties: other codes cost exactly as much."""
    W = np.arange(-6, 6)[:, None] + 0.5
    np.testing.assert_array_equal(k_best(np.diag(np.arange(1.0, 13)), W, Grid(1.0)).codes, np.rint(W))


def test_enough_candidates_find_the_optimum():
    """Where all prefixes are kept nothing is decided before the end."""
    rng = np.random.default_rng(23)
    gained = 0
    for _ in range(20):
        X, W, grid = rng.normal(size=(6, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(4, 3)), Grid(0.8, -2, 1)
        found, best = k_best(X, W, grid, 4**4, damping=1e-3), closest_vector(X, W, grid, damping=1e-3)
        assert best.decided.all()
        np.testing.assert_array_equal(found.codes, best.codes)
        gained += (optq(X, W, grid, damping=1e-3).codes != best.codes).any(axis=0).sum()
    assert gained > 20


def test_neurons_do_not_see_each_other_however_many_go_at_once(monkeypatch):
    rng = np.random.default_rng(24)
    X, W, grid = rng.normal(size=(60, 40)) @ rng.normal(size=(40, 40)), rng.normal(size=(40, 7)), Grid(0.5, -4, 3)
    whole = k_best(X, W, grid)
    monkeypatch.setattr(import_module("provable_ptq.algorithms.k_best"), "COLUMNS", 8)
    np.testing.assert_array_equal(k_best(X, W, grid).codes, whole.codes)
    for neuron in range(7):
        np.testing.assert_array_equal(k_best(X, W[:, [neuron]], grid).codes.ravel(), whole.codes[:, neuron])


def test_a_gram_matrix_does_as_well_as_the_rows():
    rng = np.random.default_rng(25)
    X, W, grid = rng.normal(size=(60, 40)), rng.normal(size=(40, 5)), Grid(0.5)
    result = k_best(X, W, grid, damping=0.1, ordering="min-pivot")
    from_gram = k_best(Factorization.from_gram(X.T @ X, 0.1, "min-pivot", samples=60), W, grid)
    np.testing.assert_array_equal(from_gram.codes, result.codes)
    assert result.factorization.damping == result.damping == 0.1


def test_correlated_features_gain_as_much_as_is_known():
    """Squared error over OPTQ's in min-pivot order at N = 48: about .88 for AR(.95), .91 for independent features."""
    rng = np.random.default_rng(26)
    noise = rng.normal(size=(400, 48))
    correlated = noise.copy()
    for j in range(1, 48):
        correlated[:, j] = 0.95 * correlated[:, j - 1] + (1 - 0.95**2) ** 0.5 * noise[:, j]
    for X, low, high in ((noise, 0.86, 0.97), (correlated, 0.8, 0.94)):
        W, grid, f = rng.uniform(-8, 8, (48, 200)), Grid(1.0), factorize(X, 0.0, "min-pivot")
        errors = [np.square(X @ (W - result.weights)).sum() for result in (k_best(f, W, grid), optq(f, W, grid))]
        assert low < errors[0] / errors[1] < high


def test_units_do_not_matter():
    rng = np.random.default_rng(27)
    X, W = rng.normal(size=(30, 20)), rng.normal(size=(20, 3))
    plain = k_best(X, W, Grid(0.5), damping=2.0)
    for unit, scale in ((2.0**200, 2.0**-30), (2.0**-200, 2.0**100), (2.0**-200, 2.0**-400)):
        scaled = k_best(unit * X, scale * W, Grid(0.5 * scale), damping=2.0 * unit * unit)
        np.testing.assert_array_equal(scaled.codes, plain.codes)


@pytest.mark.parametrize(("spoilt", "named"), [
    ({"candidates": 0}, "candidates = 0"), ({"candidates": 2.0}, "candidates = 2.0"), ({"candidates": 10**6}, "candidates"),
    ({"damping": -1}, "damping"), ({"ordering": "best"}, "ordering"), ({"W": np.ones((2, 1))}, "W"), ({"grid": 1.0}, "grid")])
def test_bad_arguments_are_refused_by_name(spoilt, named):
    good = {"X": np.eye(3), "W": np.ones((3, 1)), "grid": Grid(0.3)}
    assert k_best(**good).algorithm == "k-best"
    with pytest.raises(InvalidArgumentError, match=named):
        k_best(**good | spoilt)
