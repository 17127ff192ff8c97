"""Rounding rules: where a number goes, how the draws are made, what counts as saturated."""

from fractions import Fraction

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, InvalidArgumentError, definitions, gpfq, optq, qronos
from provable_ptq.algorithms.rounding import EveryPath, Nearest, Stochastic

# Every way to round with feedback, as one call (X, W, grid, ordering, rounding, seed).
ALGORITHMS = {
    "optq": lambda X, W, grid, *rest: optq(X, W, grid, 0.01, *rest),
    "definitions.optq": lambda X, W, grid, *rest: definitions.optq(X, W, grid, 0.01, *rest),
    "qronos": lambda X, W, grid, *rest: qronos(X, X + 0.1, W, grid, 0.01, *rest),
    "gpfq": lambda X, W, grid, ordering, rounding, seed: gpfq(X, W, grid, X + 0.1, ordering, rounding, seed),
    "definitions.gpfq": lambda X, W, grid, ordering, rounding, seed: definitions.gpfq(X, W, grid, X + 0.1, ordering, rounding, seed),
}


def layer(seed, m=9, N=6, K=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, N)), rng.normal(size=(N, K))


# --- stochastic rounding -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.0, 0.25, -0.25, 3.8125, -3.8125, 2.0, -5.0, 0.0625])
def test_stochastic_rounding_has_mean_zero_error(ratio):
    """Over all uniforms i / 2^12 the mean code is the ratio itself: exact, since the ratio is a multiple of 2^-12."""
    count = 2**12
    codes = Stochastic((np.arange(count) / count)[None]).codes(0, np.full(count, ratio))
    assert sum(map(Fraction, codes.tolist())) / count == Fraction(ratio)
    assert set(codes.tolist()) <= {np.floor(ratio), np.ceil(ratio)}


def test_up_iff_the_uniform_lies_below_the_fraction():
    rng = np.random.default_rng(0)
    uniforms, ratio = rng.random((1, 5000)), rng.normal(size=5000) * 4
    codes = Stochastic(uniforms).codes(0, ratio)
    expected = [np.floor(z) + 1 if u < z - np.floor(z) else np.floor(z) for u, z in zip(uniforms[0], ratio, strict=True)]
    np.testing.assert_array_equal(codes, expected)
    edge = Stochastic(np.array([[0.25, 0.25, 0.0, 0.0]])).codes(0, np.array([0.25, np.nextafter(0.25, 1), 0.0, 5e-324]))
    np.testing.assert_array_equal(edge, [0, 1, 0, 1])


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("ordering", ["natural", "decreasing-norm", "min-pivot", "random:3"])
def test_the_draws_belong_to_the_weights_whatever_the_order(name, ordering):
    """U = default_rng(seed).random((N, K)) in the original feature order; the code is floor(z/step) + (U < fraction)."""
    for seed in range(20):
        X, W = layer([1, seed])
        step = np.random.default_rng([2, seed]).random((6, 1)) + 0.2
        result = ALGORITHMS[name](X, W, Grid(step), ordering, "stochastic", seed)
        uniforms = np.random.default_rng(seed).random((6, 4))
        ratio = np.empty((6, 4))
        ratio[result.order] = result.codes[result.order] + result.rounding_errors / step[result.order]  # z / step
        np.testing.assert_array_equal(result.codes, np.floor(ratio) + (uniforms < ratio - np.floor(ratio)))
        assert (np.abs(result.rounding_errors) < step[result.order]).all()
        assert result.seed == seed


def test_same_codes_under_any_ordering_where_features_do_not_interact():
    W = layer(3)[1]
    X = np.diag([3.0, 1.0, 2.0, 5.0, 4.0, 0.5])
    codes = [optq(X, W, Grid(0.7), 0.0, ordering, "stochastic", seed=8).codes
             for ordering in ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:1", [5, 0, 4, 1, 3, 2])]
    ratio, uniforms = W / 0.7, np.random.default_rng(8).random(W.shape)
    for code in codes:
        np.testing.assert_array_equal(code, np.floor(ratio) + (uniforms < ratio - np.floor(ratio)))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_seed_replays_and_no_seed_keeps_its_entropy(name):
    X, W = layer(4, m=40, N=30, K=10)
    first, second = (ALGORITHMS[name](X, W, Grid(0.5), "natural", "stochastic", None) for _ in range(2))
    assert first.seed != second.seed
    assert not np.array_equal(first.codes, second.codes)
    replayed = ALGORITHMS[name](X, W, Grid(0.5), "natural", "stochastic", first.seed)
    np.testing.assert_array_equal(first.codes, replayed.codes)
    assert replayed.seed == first.seed
    assert not np.array_equal(first.codes, ALGORITHMS[name](X, W, Grid(0.5), "natural", "stochastic", first.seed + 1).codes)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_nearest_rounding_draws_nothing(name):
    X, W = layer(5)
    results = [ALGORITHMS[name](X, W, Grid(0.5), "natural", "nearest", seed) for seed in (None, 0, 1)]
    assert {result.seed for result in results} == {None}
    for result in results:
        np.testing.assert_array_equal(result.codes, results[0].codes)


@pytest.mark.parametrize("fault", [None, "nearest", "always up"])
def test_the_expected_error_over_the_whole_rounding_tree_is_zero(fault):
    """All 2^N outcomes with their probabilities: E[e] = 0 and E[X(w - q)] = 0; a biased rule does not pass."""
    N = 5
    X = layer(6, N=N)[0]
    w = np.random.default_rng(7).normal(size=N)
    tree = np.array([[(path >> t) & 1 for path in range(2**N)] for t in range(N)])  # 1: up
    uniforms = np.where(tree == 1, 0.0, np.nextafter(1.0, 0.0))  # these always go up, those always down
    rule = {None: Stochastic(uniforms), "nearest": Nearest(), "always up": Stochastic(np.zeros_like(uniforms))}[fault]
    result = optq(X, np.repeat(w[:, None], 2**N, axis=1), Grid(0.5), 0.3, "decreasing-norm", rule)
    ratio = (result.weights[result.order] + result.rounding_errors) / 0.5
    fraction = ratio - np.floor(ratio)
    probability = np.where(tree == 1, fraction, 1 - fraction).prod(axis=0)
    mean_error = result.rounding_errors @ probability
    mean_output = X @ (w[:, None] - result.weights) @ probability
    if fault is None:
        assert probability.sum() == pytest.approx(1, abs=1e-13)
        np.testing.assert_allclose(mean_error, 0, atol=1e-13)
        np.testing.assert_allclose(mean_output, 0, atol=1e-12)
    else:
        assert max(np.abs(mean_error).max(), np.abs(mean_output).max()) > 1e-3


def test_every_path_walks_the_same_tree():
    N = 4
    X, W = layer(8, N=N)
    tree = np.array([[(path >> t) & 1 for path in range(2**N)] for t in range(N)])
    uniforms = np.where(tree == 1, 0.0, np.nextafter(1.0, 0.0))
    paths = EveryPath(N)
    columns = np.repeat(W[:, :1], 2**N, axis=1)
    walked = optq(X, columns, Grid(0.5), 0.3, "min-pivot", paths)
    np.testing.assert_array_equal(walked.codes, optq(X, columns, Grid(0.5), 0.3, "min-pivot", Stochastic(uniforms)).codes)
    assert len({tuple(code) for code in walked.codes.T}) == 2**N
    assert paths.probabilities.sum() == pytest.approx(1, abs=1e-14)
    # frequencies of independent draws agree with the probabilities: 20000 draws, five standard deviations
    count = 20000
    drawn = optq(X, np.repeat(W[:, :1], count, axis=1), Grid(0.5), 0.3, "min-pivot", "stochastic", seed=9)
    for code, probability in zip(walked.codes.T, paths.probabilities, strict=True):
        seen = (drawn.codes == code[:, None]).all(axis=0).mean()
        assert abs(seen - probability) <= 5 * np.sqrt(probability * (1 - probability) / count)


# --- saturation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_saturated_where_z_lies_beyond_the_alphabet(name, rounding):
    """Nearest: z outside [(low - 1/2) step, (high + 1/2) step]; stochastic: outside [low step, high step]."""
    slack, seen = (0.5 if rounding == "nearest" else 0.0), 0
    for seed in range(30):
        X, W = layer([9, seed])
        rng = np.random.default_rng([10, seed])
        step, low = rng.random((6, 4)) + 0.2, rng.integers(-4, 0, size=4)
        result = ALGORITHMS[name](X, W, Grid(step, low, low + 4), "decreasing-norm", rounding, seed)
        step = step[result.order]
        z = result.weights[result.order] + result.rounding_errors
        expected = (z < (low - slack) * step) | (z > (low + 4 + slack) * step)
        np.testing.assert_array_equal(result.saturated, expected)
        codes = result.codes[result.order]
        np.testing.assert_array_equal(codes[expected], np.where(z < low * step, low, low + 4)[expected])
        assert ((codes >= low) & (codes <= low + 4)).all()
        assert (np.abs(result.rounding_errors)[~expected] <= (step * (0.5 if rounding == "nearest" else 1))[~expected] * (1 + 1e-12)).all()
        seen += int(expected.sum())
    assert 30 < seen < 600


def test_the_very_edge_is_not_saturated():
    W = np.array([[-2.5, -2.0, 1.0, 1.5, np.nextafter(1.5, 2), np.nextafter(-2.5, -3)]])
    nearest = optq(np.ones((1, 1)), W, Grid(1.0, -2, 1))
    assert nearest.saturated.tolist() == [[False] * 4 + [True] * 2]
    W = np.array([[-2.0, 1.0, np.nextafter(1.0, 2), np.nextafter(-2.0, -3)]])
    stochastic = optq(np.ones((1, 1)), W, Grid(1.0, -2, 1), rounding="stochastic", seed=0)
    assert stochastic.saturated.tolist() == [[False, False, True, True]]
    assert stochastic.codes.tolist() == [[-2, 1, 1, -2]]


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_an_infinite_alphabet_never_saturates(rounding):
    X, W = layer(11)
    assert not optq(X, 1e6 * W, Grid(0.1), rounding=rounding, seed=0).saturated.any()


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_numbers_beyond_every_code_saturate_or_are_refused(rounding):
    W = np.array([[1e300, -1e300, 0.0]])
    ended = optq(np.ones((1, 1)), W, Grid(1e-300, -4, 3), rounding=rounding, seed=0)
    assert ended.codes.tolist() == [[3, -4, 0]]
    assert ended.saturated.tolist() == [[True, True, False]]
    with pytest.raises(InvalidArgumentError, match=r"weight / step = inf .*2\*\*53"):
        optq(np.ones((1, 1)), W, Grid(1e-300), rounding=rounding, seed=0)


def test_codes_up_to_two_to_the_53():
    largest = 2.0**53
    result = optq(np.ones((1, 1)), np.array([[largest, -largest]]), Grid(1.0))
    assert result.codes.tolist() == [[2**53, -(2**53)]]
    for W in ([[2.0**54]], [[-(2.0**54)]]):
        with pytest.raises(InvalidArgumentError, match=r"weight / step = .*1\.8014398509481984e\+16 .*2\*\*53"):
            optq(np.ones((1, 1)), np.array(W), Grid(1.0))


# --- nearest rounding ----------------------------------------------------------------------------------------------


def test_nearest_takes_the_closest_integer_and_ties_to_even():
    ratio = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994, 1e15 + 0.5])
    np.testing.assert_array_equal(Nearest().codes(0, ratio), [round(z) for z in ratio.tolist()])


def test_a_rule_of_ones_own_is_taken_as_it_is():
    class Down:
        slack = 0.0

        def codes(self, t, ratio):
            return np.floor(ratio)

    X, W = layer(12)
    for algorithm in ALGORITHMS.values():
        result = algorithm(X, W, Grid(0.5), "natural", Down(), None)
        assert (result.rounding_errors >= 0).all()
        assert result.rounding_errors.max() > 0.3


class Own:
    """A rule of somebody's own that returns what it is told to."""

    def __init__(self, codes, slack=0.5):
        self.returned, self.slack = codes, slack

    def codes(self, t, ratio):
        return self.returned(ratio)


@pytest.mark.parametrize("codes", [
    lambda ratio: ratio, lambda ratio: np.rint(ratio) + 0.5, lambda ratio: np.full_like(ratio, np.nan), lambda ratio: np.rint(ratio)[:-1],
    lambda ratio: 0.0, lambda ratio: None, lambda ratio: ["1", "2"], lambda ratio: np.rint(ratio) + 0j, lambda ratio: [[1], [1, 2]],
    lambda ratio: np.ma.masked_less(np.rint(ratio), 0), lambda ratio: ratio > 0,
])  # fmt: skip
def test_a_rule_that_returns_no_integers_is_refused(codes):
    X, W = np.random.default_rng(0).standard_normal((5, 3)), np.random.default_rng(1).standard_normal((3, 2))
    for run in (lambda rule: optq(X, W, Grid(0.5), rounding=rule), lambda rule: gpfq(X, W, Grid(0.5), rounding=rule)):
        with pytest.raises(InvalidArgumentError, match=r"^rounding\.codes = .* is not accepted: integers, one for each of 2 neurons$"):
            run(Own(codes))


def test_a_rule_of_ones_own_that_rounds_to_nearest_is_nearest_rounding():
    X, W = np.random.default_rng(0).standard_normal((5, 3)), np.random.default_rng(1).standard_normal((3, 2))
    for codes in (np.rint, lambda ratio: np.rint(ratio).astype(int), lambda ratio: np.rint(ratio).tolist()):
        np.testing.assert_array_equal(optq(X, W, Grid(0.5), rounding=Own(codes)).codes, optq(X, W, Grid(0.5)).codes)
    with pytest.raises(InvalidArgumentError, match=r"^rounding\.slack = 'x'"):
        optq(X, W, Grid(0.5), rounding=Own(np.rint, "x"))
