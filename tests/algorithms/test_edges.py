"""Empty layers, matrices on the edge of what is accepted, and what comes of a single feature."""

import numpy as np
import pytest
from provable_ptq.algorithms import Factorization, Grid, definitions, optq, qronos
from provable_ptq.algorithms.arguments import InvalidArgumentError

X = np.random.default_rng(4).standard_normal((6, 3))


@pytest.mark.parametrize("smallest", [-1e-18, -1e-300])
def test_no_gram_matrix_has_a_negative_diagonal_however_small(smallest):
    with pytest.raises(InvalidArgumentError, match="a positive semidefinite matrix"):
        Factorization.from_gram(np.diag([1.0, smallest]))


def test_literal_definitions_replay_a_layer_without_neurons():
    none, codes = np.zeros((3, 0)), np.zeros((3, 0), dtype=np.int64)
    for result in (definitions.optq(X, none, Grid(1.0), codes=codes), definitions.qronos(X, X, none, Grid(1.0), codes=codes),
                   optq(X, none, Grid(1.0)), qronos(X, X, none, Grid(1.0))):
        assert result.weights.shape == result.codes.shape == (3, 0)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_layer_without_neurons_has_a_grid_without_steps(symmetric):
    grid = Grid.for_weights(np.zeros((3, 0)), symmetric=symmetric, group_size=2)
    assert grid.step.shape == (3, 0)
    assert optq(X, np.zeros((3, 0)), grid).codes.shape == (3, 0)
    for shape in ((0,), (3, 0, 1)):
        with pytest.raises(InvalidArgumentError, match="a shape that broadcasts to"):
            Grid(np.zeros(shape))
