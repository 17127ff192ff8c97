"""The recursion: a triangular solve with rounding, against the plain double loop in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.algorithms.feedback import round_with_feedback
from provable_ptq.algorithms.rounding import Nearest, Stochastic

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33]


def dyadic(seed, N, K):
    """L, target and steps as short binary fractions, so that float64 arithmetic on them is exact (ties included)."""
    rng = np.random.default_rng([seed, N, K])
    L = np.tril(rng.integers(-2, 3, size=(N, N)) * (rng.random((N, N)) < 2 / N), -1) / 2 + np.eye(N)
    return L, rng.integers(-512, 513, size=(N, K)) / 8, rng.choice([0.25, 0.5, 1.0, 2.0], size=(N, 1))


def plain_loop(L, target, step, low=None, high=None, first=None):
    """z_j = u_j + sum_{i<j} L_ji (u_i - q_i), q_j = Q(z_j), in rational arithmetic; ties to the even code."""
    N, K = target.shape
    codes, errors = np.zeros((N, K), dtype=np.int64), np.zeros((N, K), dtype=object)
    for k in range(K):
        u = [Fraction(x) for x in target[:, k].tolist()]
        q = []
        for j in range(N):
            z = u[j] + sum(Fraction(float(L[j, i])) * (u[i] - q[i]) for i in range(j))
            if j == 0 and first is not None:
                z = Fraction(float(first[k]))
            delta = Fraction(float(step[j, 0]))
            code = round(z / delta)
            if low is not None:
                code = min(max(code, low), high)
            q.append(delta * code)
            codes[j, k], errors[j, k] = code, z - q[j]
    return codes, errors


@pytest.mark.parametrize("N", SIZES)
@pytest.mark.parametrize("ends", [None, (-9, 6)])
def test_the_recursion_equals_the_plain_loop_exactly(N, ends):
    for seed in range(8):
        L, target, step = dyadic(seed, N, 3)
        rounded = round_with_feedback(L, target, Grid(step, *(ends or (None, None))).alphabet(N, 3), Nearest())
        codes, errors = plain_loop(L, target, step, *(ends or (None, None)))
        np.testing.assert_array_equal(rounded.codes, codes)
        np.testing.assert_array_equal(rounded.errors, errors.astype(float))
        np.testing.assert_array_equal(rounded.weights, step * codes)
        # L(u - q) = e without any rounding, whatever the split
        np.testing.assert_array_equal(L @ (target - rounded.weights), rounded.errors)


@pytest.mark.parametrize("N", SIZES)
def test_the_first_number_can_be_replaced(N):
    for seed in range(8):
        L, target, step = dyadic(100 + seed, N, 2)
        first = np.random.default_rng(seed).integers(-100, 100, size=2) / 8
        rounded = round_with_feedback(L, target, Grid(step).alphabet(N, 2), Nearest(), start=np.vstack([first, target[1:]]))
        codes, errors = plain_loop(L, target, step, first=first)
        np.testing.assert_array_equal(rounded.codes, codes)
        np.testing.assert_array_equal(rounded.errors, errors.astype(float))


def test_stochastic_draws_are_those_of_the_step():
    for N in SIZES:
        L, target, step = dyadic(200, N, 4)
        uniforms = np.random.default_rng(N).random((N, 4))
        rounded = round_with_feedback(L, target, Grid(step).alphabet(N, 4), Stochastic(uniforms))
        ratio = (rounded.weights + rounded.errors) / step
        np.testing.assert_array_equal(rounded.codes, np.floor(ratio) + (uniforms < ratio - np.floor(ratio)))
        np.testing.assert_array_equal(L @ (target - rounded.weights), rounded.errors)


def test_nothing_given_is_changed():
    L, target, step = dyadic(300, 9, 2)
    copies = L.copy(), target.copy(), step.copy()
    round_with_feedback(L, target, Grid(step).alphabet(9, 2), Nearest(), np.arange(9)[::-1])
    for before, after in zip(copies, (L, target, step), strict=True):
        np.testing.assert_array_equal(before, after)


def test_no_neurons():
    rounded = round_with_feedback(np.eye(5), np.zeros((5, 0)), Grid(1.0).alphabet(5, 0), Nearest())
    assert all(array.shape == (5, 0) for array in rounded)


def test_without_feedback_every_weight_is_rounded_by_itself():
    target = np.random.default_rng(1).normal(size=(11, 3)) * 5
    rounded = round_with_feedback(np.eye(11), target, Grid(0.5).alphabet(11, 3), Nearest())
    np.testing.assert_array_equal(rounded.weights, Grid(0.5).nearest(target))
