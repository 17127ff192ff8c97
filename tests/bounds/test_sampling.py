"""Draws of one neuron: independent, a function of the seed alone, in blocks of bounded size."""

import time

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Problem
from provable_ptq.bounds.checking.sampling import BLOCK, every_path, monte_carlo, repeat_neuron
from scipy.stats import chisquare


def layer(N=5, K=3, **changes):
    rng = np.random.default_rng(2)
    settings = {"grid": Grid(step=0.5), "damping": 0.1, "rounding": "stochastic", "seed": 9}
    return Problem(rng.standard_normal((7, N)), rng.standard_normal((N, K)), **settings | changes)


def codes_of(problem, neuron, draws):
    return np.concatenate([result.codes for _, result in monte_carlo(problem, neuron, draws)], axis=1)


@pytest.mark.parametrize("grid", [Grid(0.5), Grid(np.array([[0.5, 0.25, 1.0]])), Grid(np.linspace(0.1, 1, 5)[:, None]),
                                  Grid(np.linspace(0.1, 1, 15).reshape(5, 3), low=-2, high=3),
                                  Grid(0.5, low=np.array([-1, -2, -3]), high=np.array([1, 2, 3]))])
def test_repeating_a_neuron_keeps_its_grid(grid):
    problem = layer(grid=grid)
    assert problem.factorization.features == 5
    for neuron in range(3):
        repeated = repeat_neuron(problem, neuron, 4)
        assert repeated.W.shape == (5, 4)
        assert repeated.factorization is problem.factorization
        for name in ("step", "low", "high"):
            whole, part = getattr(problem.alphabet, name), getattr(repeated.alphabet, name)
            np.testing.assert_array_equal(part, np.tile(whole[:, neuron : neuron + 1], 4))
        np.testing.assert_array_equal(repeated.W, np.tile(problem.W[:, neuron : neuron + 1], 4))
        assert repeated.grid.finite == grid.finite


def test_draws_depend_on_the_seed_alone():
    first, again, other = (codes_of(layer(seed=seed), 0, 100) for seed in (9, 9, 10))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(codes_of(layer(K=1).but(W=layer().W[:, 1:2]), 0, 100), codes_of(layer(), 1, 100))


def test_draws_come_in_blocks_that_differ():
    blocks = list(monte_carlo(layer(), 0, 2 * BLOCK + 5))
    assert [problem.K for problem, _ in blocks] == [BLOCK, BLOCK, 5]
    assert len({problem.seed for problem, _ in blocks}) == 3
    assert not np.array_equal(blocks[0][1].codes[:, :5], blocks[2][1].codes)
    np.testing.assert_array_equal(codes_of(layer(), 0, BLOCK), blocks[0][1].codes), "more draws begin with the same ones"


def test_draws_follow_the_law_of_the_enumerated_paths():
    """A chi-squared test over all 2^5 paths; its level of one in a million is the chance of a false alarm."""
    problem = layer()
    _, result, weights = every_path(problem, 0)
    draws = codes_of(problem, 0, 40_000)
    counts = np.array([(draws == path[:, None]).all(axis=0).sum() for path in result.codes.T])
    assert counts.sum() == 40_000, "every draw is a path"
    likely = weights * 40_000 > 5
    observed, expected = np.append(counts[likely], counts[~likely].sum()), np.append(weights[likely], weights[~likely].sum()) * 40_000
    kept = expected > 0
    assert chisquare(observed[kept], expected[kept]).pvalue > 1e-6


def test_draws_of_neighbouring_columns_are_independent():
    """Errors of draws k and k + 1 are uncorrelated: 6 standard deviations of the mean of 20,000 products."""
    errors = np.concatenate([result.rounding_errors for _, result in monte_carlo(layer(), 0, 20_000)], axis=1)
    scale = errors.std(axis=1)[:, None]
    products = errors[:, 1:] * errors[:, :-1] / scale**2
    assert (np.abs(products.mean(axis=1)) < 6 / np.sqrt(20_000)).all()


def test_an_algorithm_of_ones_own_makes_the_draws():
    seen = []

    def program(problem):
        seen.append(problem.seed)
        return problem.result

    made = list(monte_carlo(layer(), 0, 10, program))
    assert seen == [made[0][0].seed]


def test_a_hundred_thousand_draws_of_64_features_take_seconds():
    rng = np.random.default_rng(0)
    problem = Problem(rng.standard_normal((128, 64)), rng.standard_normal((64, 1)), Grid(step=0.3), rounding="stochastic")
    started = time.perf_counter()
    assert sum(result.codes.shape[1] for _, result in monte_carlo(problem, 0, 100_000)) == 100_000
    assert time.perf_counter() - started < 20
