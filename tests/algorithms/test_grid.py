"""Grids: the closest element, how steps and codes broadcast, and the absmax and minmax formulas."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid


def test_nearest_is_the_closest_element_of_a_finite_alphabet():
    rng = np.random.default_rng(0)
    for _ in range(200):
        step, low, size = float(10 ** rng.uniform(-2, 2)), int(rng.integers(-9, 3)), int(rng.integers(0, 12))
        grid = Grid(step, low, low + size)
        W = rng.normal(size=(4, 3)) * step * 8
        elements = step * np.arange(low, low + size + 1)
        chosen = grid.nearest(W)
        closest = np.abs(W[..., None] - elements).min(axis=-1)
        np.testing.assert_allclose(np.abs(W - chosen), closest, rtol=1e-12)
        assert np.isin(chosen, elements).all()
        np.testing.assert_array_equal(grid.nearest(chosen), chosen)


def test_nearest_on_the_infinite_alphabet_is_within_half_a_step():
    rng = np.random.default_rng(1)
    for shape in [(), (3,), (5, 1), (5, 3), (1, 3), (1,)]:
        step = 10 ** rng.uniform(-2, 2, size=shape)
        W = rng.normal(size=(5, 3)) * 30
        chosen = Grid(step).nearest(W)
        ratio = chosen / step
        np.testing.assert_allclose(ratio, np.rint(ratio), rtol=1e-14)
        assert (np.abs(W - chosen) <= np.broadcast_to(step, W.shape) / 2 * (1 + 1e-12)).all()


def test_ties_go_to_the_even_code_and_ends_hold():
    W = np.array([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]])
    np.testing.assert_array_equal(Grid(1.0).nearest(W), [[-2, -2, 0, 0, 2, 2]])
    np.testing.assert_array_equal(Grid(0.25).nearest(W / 4), np.array([[-2, -2, 0, 0, 2, 2]]) / 4)
    np.testing.assert_array_equal(Grid(1.0, -1, 1).nearest(W), [[-1, -1, 0, 0, 1, 1]])
    np.testing.assert_array_equal(Grid(1.0, 1, 1).nearest(W), np.ones((1, 6)))


def test_step_and_codes_broadcast_like_arrays():
    rng = np.random.default_rng(2)
    for shape in [(), (1,), (3,), (1, 3), (5, 1), (1, 1), (5, 3)]:
        step, low = rng.random(shape) + 0.1, rng.integers(-9, 0, size=shape)
        alphabet = Grid(step, low, low + 7).alphabet(5, 3)
        for laid, given in zip(alphabet, (step, low, low + 7), strict=True):
            assert laid.shape == (5, 3)
            np.testing.assert_array_equal(laid, np.broadcast_to(given, (5, 3)))
    unbounded = Grid(0.1).alphabet(2, 4)
    assert (unbounded.low == -np.inf).all()
    assert (unbounded.high == np.inf).all()
    assert not Grid(0.1).finite
    assert Grid(0.1, 0, 1).finite
    assert Grid(0.1).alphabet(3, 0).step.shape == (3, 0)


def test_reordering_takes_features_along():
    step = np.arange(1.0, 7.0).reshape(3, 2)
    alphabet = Grid(step, np.array([[-1], [-2], [-3]]), 4).alphabet(3, 2).reordered(np.array([2, 0, 1]))
    np.testing.assert_array_equal(alphabet.step, step[[2, 0, 1]])
    np.testing.assert_array_equal(alphabet.low[:, 0], [-3, -1, -2])
    np.testing.assert_array_equal(alphabet.high, np.full((3, 2), 4))


def test_a_grid_keeps_its_own_numbers():
    step, low, high = np.array([0.5, 1.0]), np.array([-1, -2]), np.array([3, 4])
    grid = Grid(step, low, high)
    for mine, kept in ((step, grid.step), (low, grid.low), (high, grid.high)):
        before = kept.copy()
        mine *= 7
        np.testing.assert_array_equal(kept, before)
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 9


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 16])
@pytest.mark.parametrize("group_size", [None, 1, 2, 3, 4, 7, 50])
def test_symmetric_formula_weight_by_weight(bits, group_size):
    """step = max|w| / (2^(b-1) - 1) per neuron and group; codes -2^(b-1) .. 2^(b-1) - 1."""
    W = np.random.default_rng([3, bits]).normal(size=(7, 3)) * np.array([0.01, 1.0, 300.0])
    grid = Grid.for_weights(W, bits, True, group_size)
    alphabet = grid.alphabet(7, 3)
    width = group_size or 7
    for j in range(7):
        for k in range(3):
            group = W[(j // width) * width : (j // width + 1) * width, k]
            assert alphabet.step[j, k] == np.abs(group).max() / (2 ** (bits - 1) - 1)
    assert (alphabet.low == -(2 ** (bits - 1))).all()
    assert (alphabet.high == 2 ** (bits - 1) - 1).all()
    error = np.abs(W - grid.nearest(W))
    assert (error <= alphabet.step / 2 * (1 + 1e-12)).all()


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("group_size", [None, 1, 3, 4, 50])
@pytest.mark.parametrize("shift", [-5.0, 0.0, 5.0])
def test_asymmetric_formula_weight_by_weight(bits, group_size, shift):
    """The range includes 0; step = (max - min) / (2^b - 1), low = rint(min / step), high = low + 2^b - 1."""
    W = np.random.default_rng([4, bits]).normal(size=(7, 3)) + shift
    grid = Grid.for_weights(W, bits, False, group_size)
    alphabet = grid.alphabet(7, 3)
    width = group_size or 7
    for j in range(7):
        for k in range(3):
            group = W[(j // width) * width : (j // width + 1) * width, k]
            least, most = min(group.min(), 0.0), max(group.max(), 0.0)
            step = (most - least) / (2**bits - 1)
            assert alphabet.step[j, k] == step
            assert alphabet.low[j, k] == round(least / step)
            assert alphabet.high[j, k] == round(least / step) + 2**bits - 1
            assert alphabet.low[j, k] <= 0 <= alphabet.high[j, k]
    # both ends of the range lie within half a step of the end codes, so no weight is further than that from the grid
    assert (np.abs(W - grid.nearest(W)) <= alphabet.step / 2 * (1 + 1e-9)).all()


def test_a_grid_without_groups_has_one_step_per_neuron():
    W = np.random.default_rng(5).normal(size=(6, 4))
    for symmetric in (True, False):
        whole, large = Grid.for_weights(W, 4, symmetric), Grid.for_weights(W, 4, symmetric, group_size=6)
        assert whole.step.shape == (1, 4)
        for a, b in zip(whole.alphabet(6, 4), large.alphabet(6, 4), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_group_of_zeros_has_step_one(symmetric):
    W = np.zeros((5, 2))
    W[0, 0] = 0.7
    grid = Grid.for_weights(W, 4, symmetric, group_size=2)
    step = grid.alphabet(5, 2).step
    np.testing.assert_array_equal(step[2:], np.ones((3, 2)))
    np.testing.assert_array_equal(step[:, 1], np.ones(5))
    assert (step[:2, 0] < 1).all()
    np.testing.assert_array_equal(grid.nearest(W)[1:], 0)


def test_weights_of_a_single_sign():
    """All positive: the asymmetric codes start at 0; all negative: they end at 0."""
    W = np.array([[1.0], [3.0]])
    up, down = Grid.for_weights(W, 2, symmetric=False), Grid.for_weights(-W, 2, symmetric=False)
    assert (up.low.item(), up.high.item(), up.step.item()) == (0, 3, 1.0)
    assert (down.low.item(), down.high.item(), down.step.item()) == (-3, 0, 1.0)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("factor", [2.0**-9, 2.0**11])
def test_scaling_the_weights_scales_the_step_only(symmetric, factor):
    W = np.random.default_rng(6).normal(size=(9, 4))
    before, after = (Grid.for_weights(c * W, 5, symmetric, 4) for c in (1.0, factor))
    np.testing.assert_array_equal(after.step, factor * before.step)  # a power of two: no rounding at all
    np.testing.assert_array_equal(after.low, before.low)
    np.testing.assert_array_equal(after.high, before.high)


def test_no_neurons():
    for symmetric in (True, False):
        for group_size in (None, 2):
            grid = Grid.for_weights(np.zeros((3, 0)), 4, symmetric, group_size)
            assert grid.alphabet(3, 0).step.shape == (3, 0)
            assert grid.nearest(np.zeros((3, 0))).shape == (3, 0)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint64])
@pytest.mark.parametrize("symmetric", [True, False])
def test_widths_in_numpys_small_integers_do_not_wrap(kind, symmetric):
    """uint8(10) bits gave a step twice too large and no negative codes."""
    W = np.random.default_rng(0).standard_normal((7, 3))
    for bits in (2, 8, 10, 31, 32):
        for group_size in (None, 2, 2**62):
            grid = Grid.for_weights(W, kind(bits), symmetric, group_size if group_size != 2 else kind(2))
            expected = Grid.for_weights(W, bits, symmetric, group_size)
            for name in ("step", "low", "high"):
                np.testing.assert_array_equal(getattr(grid, name), getattr(expected, name))
    assert (expected.high - expected.low == 2**32 - 1).all()


def test_a_group_wider_than_the_layer_is_the_layer():
    W = np.random.default_rng(0).standard_normal((7, 3))
    np.testing.assert_array_equal(Grid.for_weights(W, group_size=2**62).step, Grid.for_weights(W).step)
