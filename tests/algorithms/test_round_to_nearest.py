"""Round-to-nearest: every weight by itself, the calibration matrix unread."""

import numpy as np
from provable_ptq.algorithms import Grid, definitions, round_to_nearest


def test_every_weight_goes_to_its_closest_grid_point(draws):
    for problem in draws.problems(300, seed=50):
        result = round_to_nearest(problem.W, problem.grid)
        alphabet = problem.grid.alphabet(*problem.W.shape)
        for index in np.ndindex(*problem.W.shape):
            w, step, low, high = problem.W[index], *(laid[index] for laid in alphabet)
            code = int(np.clip(np.round(w / step), low, high))
            assert result.codes[index] == code
            for other in (code - 1, code + 1):
                if low <= other <= high:
                    assert abs(w - step * other) >= abs(w - step * code)
        np.testing.assert_array_equal(result.weights, problem.grid.nearest(problem.W))
        np.testing.assert_array_equal(result.rounding_errors, problem.W - result.weights)


def test_saturated_beyond_half_a_step_past_the_ends():
    W = np.array([[-2.6, -2.4, -1.0, 1.4, 1.6]])
    result = round_to_nearest(W, Grid(1.0, -2, 1))
    assert result.saturated.tolist() == [[True, False, False, False, True]]
    assert result.codes.tolist() == [[-2, -2, -1, 1, 1]]


def test_nothing_of_a_calibration_matrix_in_the_result():
    result = round_to_nearest(np.array([[0.4], [0.6]]), Grid(1.0))
    assert result.factorization is None
    assert result.seed is None
    assert result.damping == 0.0
    assert result.algorithm == "round-to-nearest"
    np.testing.assert_array_equal(result.order, [0, 1])
    np.testing.assert_array_equal(result.target, [[0.4], [0.6]])
    assert definitions.round_to_nearest is round_to_nearest
