"""The recursion: a triangular solve with rounding, against the plain double loop in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, InvalidArgumentError, optq
from provable_ptq.algorithms.feedback import BLOCK, round_with_feedback
from provable_ptq.algorithms.rounding import Nearest, Stochastic

SIZES = [1, 2, 3, 5, 8, 17, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5]
LARGE = [4 * BLOCK, 5 * BLOCK + 1, 8 * BLOCK + 3]


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
    for seed in range(8 if N < BLOCK else 2):
        L, target, step = dyadic(seed, N, 3)
        rounded = round_with_feedback(L, target, Grid(step, *(ends or (None, None))).alphabet(N, 3), Nearest())
        codes, errors = plain_loop(L, target, step, *(ends or (None, None)))
        np.testing.assert_array_equal(rounded.codes, codes)
        np.testing.assert_array_equal(rounded.errors, errors.astype(float))
        np.testing.assert_array_equal(rounded.weights, step * codes)
        # L(u - q) = e without any rounding, whatever the split
        np.testing.assert_array_equal(L @ (target - rounded.weights), rounded.errors)


@pytest.mark.parametrize("N", LARGE)
def test_the_recursion_equals_the_plain_loop_exactly_over_many_blocks(N):
    L, target, step = dyadic(400, N, 1)
    rounded = round_with_feedback(L, target, Grid(step).alphabet(N, 1), Nearest())
    codes, errors = plain_loop(L, target, step)
    np.testing.assert_array_equal(rounded.codes, codes)
    np.testing.assert_array_equal(rounded.errors, errors.astype(float))


@pytest.mark.parametrize("N", SIZES + LARGE)
def test_the_order_only_says_where_rows_come_from_and_go_to(N):
    """Target, steps, ends, codes and weights are by feature; L, errors and saturated steps in processing order."""
    rng = np.random.default_rng(N)
    L, target, step = dyadic(500, N, 3)
    low = rng.integers(-40, 0, size=(N, 3))
    order = rng.permutation(N)
    natural = round_with_feedback(L, target, Grid(step, low, low + 60).alphabet(N, 3), Nearest())
    feature = np.argsort(order)
    spread = Grid(step[feature], low[feature], low[feature] + 60).alphabet(N, 3)
    ordered = round_with_feedback(L, target[feature], spread, Nearest(), order)
    np.testing.assert_array_equal(ordered.codes[order], natural.codes)
    np.testing.assert_array_equal(ordered.weights[order], natural.weights)
    np.testing.assert_array_equal(ordered.errors, natural.errors)
    np.testing.assert_array_equal(ordered.saturated, natural.saturated)
    assert natural.saturated.any() or N < 5


@pytest.mark.parametrize("N", SIZES)
def test_a_step_saturates_where_its_number_lies_beyond_the_ends(N):
    L, target, step = dyadic(600, N, 4)
    for slack, rule in ((0.5, Nearest()), (0.0, Stochastic(np.random.default_rng(N).random((N, 4))))):
        rounded = round_with_feedback(L, target, Grid(step, -9, 6).alphabet(N, 4), rule)
        ratio = (rounded.weights + rounded.errors) / step
        np.testing.assert_array_equal(rounded.saturated, (ratio < -9 - slack) | (ratio > 6 + slack))
        assert not round_with_feedback(L, target, Grid(step).alphabet(N, 4), rule).saturated.any()


def test_single_precision_keeps_large_codes():
    """float32 does not hold 2^24 + 3, codes do; weights and errors are float32."""
    target = np.array([[2.0**24 + 2], [3.0]], dtype=np.float32)
    step = np.array([[(2**24 + 2) / (2**24 + 3)], [1.0]])
    rounded = round_with_feedback(np.eye(2, dtype=np.float32), target, Grid(step).alphabet(2, 1), Nearest())
    assert rounded.codes.ravel().tolist() == [2**24 + 3, 3]
    assert {rounded.weights.dtype, rounded.errors.dtype} == {np.dtype(np.float32)}


@pytest.mark.parametrize("row", [0, 3, BLOCK, BLOCK + 7])
def test_the_first_number_without_a_code_is_the_one_that_is_named(row):
    """Though rows of a block are checked together, and the rule meets what has become of the number in between."""
    class Own:
        slack = 0.5

        def codes(self, t, ratio):
            return np.rint(ratio)

    N = 2 * BLOCK
    W = np.ones((N, 2))
    W[row, 1] = 1e300
    X = np.tril(np.ones((N, N)))[::-1]  # every later feature feels the error
    step = np.ones((N, 2))
    step[row, 1] = 1e-300
    for rounding in ("nearest", Own()):
        with pytest.raises(InvalidArgumentError, match=r"^weight / step = inf is not accepted: ratios whose code"):
            optq(X, W, Grid(step), rounding=rounding)


@pytest.mark.parametrize("N", SIZES)
def test_the_first_number_can_be_replaced(N):
    for seed in range(8 if N < BLOCK else 2):
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


@pytest.mark.parametrize("N", [9, 3 * BLOCK])
def test_how_arrays_lie_in_memory_makes_no_difference(N):
    L, target, step = dyadic(700, N, 3)
    alphabet, order = Grid(step).alphabet(N, 3), np.arange(N)[::-1]
    expected = round_with_feedback(L, target, alphabet, Nearest(), order, target + 1)
    for lay in (np.asfortranarray, lambda A: np.repeat(A, 2, axis=1)[:, ::2]):
        given = round_with_feedback(lay(L), lay(target), alphabet, Nearest(), order, lay(target + 1))
        for one, other in zip(expected, given, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(round_with_feedback(lay(L), lay(target), alphabet, Nearest(), order).codes,
                                      round_with_feedback(L, target, alphabet, Nearest(), order).codes)


def test_no_neurons():
    rounded = round_with_feedback(np.eye(5), np.zeros((5, 0)), Grid(1.0).alphabet(5, 0), Nearest())
    assert all(array.shape == (5, 0) for array in rounded)


def test_without_feedback_every_weight_is_rounded_by_itself():
    target = np.random.default_rng(1).normal(size=(11, 3)) * 5
    rounded = round_with_feedback(np.eye(11), target, Grid(0.5).alphabet(11, 3), Nearest())
    np.testing.assert_array_equal(rounded.weights, Grid(0.5).nearest(target))
