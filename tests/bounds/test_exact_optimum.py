"""The exact search behind `optimum-floor` and `optq-near-optimal`: the least damped error over the grid, in rationals."""

from itertools import product

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Problem
from provable_ptq.bounds.checking.arithmetic import as_float, rational
from provable_ptq.bounds.deterministic.optimum import babai_errors, exact_optimum, optimum_squared
from provable_ptq.bounds.exact import ExactProblem


def layer(number):
    """Three features that share much and one step per feature, the largest twelve times the smallest; eighths, so floats are exact."""
    rng = np.random.default_rng(number)
    X = (rng.integers(-8, 9, (4, 3)) + 3 * rng.integers(-8, 9, (4, 1))) / 8
    return Problem(X, rng.integers(-40, 41, (3, 2)) / 16, Grid(np.array([[0.25], [3.0], [1.25]])), damping=0.125, ordering=[2, 0, 1])


def damped_errors(problem, neuron, codes):
    """||X(w - q)||^2 + damping ||w - q||^2 of each row of codes (n, N)."""
    left = problem.W[:, neuron] - codes * problem.grid.step[:, 0]
    return np.square(left @ problem.X.T).sum(axis=1) + problem.damping * np.square(left).sum(axis=1)


def every_code_as_good(problem, neuron, error):
    """All codes (n, 3) whose damped error may be as small: |w - q|_j <= sqrt(error (H^-1)_jj) for each of them."""
    H = problem.X.T @ problem.X + problem.damping * np.eye(3)
    away, w, step = np.sqrt(error * np.diag(np.linalg.inv(H))) + 1e-9, problem.W[:, neuron], problem.grid.step[:, 0]
    low, high = np.ceil((w - away) / step).astype(int), np.floor((w + away) / step).astype(int)
    return np.array(list(product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))))


def test_it_is_the_least_over_all_codes_whatever_the_steps():
    below_optq = 0
    for number in range(8):
        problem = layer(number)
        found = exact_optimum(ExactProblem(problem))
        assert found.decided.all()
        for neuron in range(problem.K):
            reached = damped_errors(problem, neuron, problem.result.codes[None, :, neuron])[0]
            least = damped_errors(problem, neuron, every_code_as_good(problem, neuron, reached)).min()
            assert found.distance_squared[neuron] == rational(least), (number, neuron)
            below_optq += least < reached
    assert below_optq >= 4, "OPTQ is seldom optimal on such layers"


@pytest.mark.parametrize("number", range(3))
def test_it_starts_from_the_rounding_errors_of_optq(number):
    view = ExactProblem(layer(number))
    for neuron in range(view.K):
        errors = babai_errors(view.factorization.L, view.W[view.order, neuron], view.steps[:, neuron])
        assert list(errors) == list(view.result.rounding_errors[:, neuron])
        assert (abs(errors) <= view.steps[:, neuron] / 2).all()


def test_float64_finds_the_same_optimum():
    for number in range(8):
        problem = layer(number)
        assert optimum_squared(problem) == pytest.approx(as_float(exact_optimum(ExactProblem(problem)).distance_squared), rel=1e-12)


@pytest.mark.parametrize(("ratio", "decided"), [(1e3, True), (1e90, True), (1e110, False), (1e160, False), (1e300, False)])
def test_a_basis_that_float64_does_not_hold_leaves_the_optimum_undecided(ratio, decided):
    """Then it is no more than the error of a grid point, OPTQ's, from above."""
    problem = Problem(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[0.25], [0.25]]), Grid(np.array([[1.0], [ratio]])))
    view = ExactProblem(problem)
    found = exact_optimum(view)
    assert found.decided.tolist() == [decided]
    assert found.distance_squared[0] <= rational(damped_errors(problem, 0, problem.result.codes[None, :, 0])[0])
