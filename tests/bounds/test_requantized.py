"""Weights that lie on the grid already, up to rounding: the errors are noise, and no claim may take noise for a violation."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, optq
from provable_ptq.bounds import Outcome, Problem, check


@pytest.mark.parametrize("distance", [0.0, 1e-15, 1e-12, 1e-9, 1e-6])
def test_quantizing_quantized_weights_violates_nothing(distance):
    rng = np.random.default_rng(1)
    X, grid = rng.standard_normal((40, 12)), Grid(0.1)
    W = optq(X, 10 * rng.standard_normal((12, 5)), grid).weights
    problem = Problem(X, W + distance * rng.uniform(-1, 1, W.shape), grid)
    verdicts = check(problem)
    assert verdicts["optq-identity"].outcome is Outcome.HOLDS
    assert [name for name, verdict in verdicts.items() if verdict.outcome is Outcome.VIOLATED] == []


def test_a_wrong_identity_is_still_seen_next_to_the_grid():
    rng = np.random.default_rng(2)
    X, grid = rng.standard_normal((40, 12)), Grid(0.1)
    W = 0.1 * rng.integers(-5, 6, (12, 5)) + 1e-6 * rng.uniform(-1, 1, (12, 5))
    problem = Problem(X, W, grid)
    wrong = problem.but(X=np.vstack([X, 1e-2 * rng.standard_normal((1, 12))]))
    verdict = check(problem, ["optq-identity"], algorithm=lambda _: Problem(wrong.X, W + 1e-8, grid).result)["optq-identity"]
    assert verdict.outcome is Outcome.VIOLATED
