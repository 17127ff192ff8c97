"""Hypothesis strategies for problems: property-test bounds of your own with what the shipped claims are attacked with.

Everything is built and nothing is filtered, so no draw is wasted. Numbers are moderate (no square overflows or vanishes) and
short in binary, which keeps exact arithmetic fast and makes ties of the rounding common. What fails shrinks towards one
feature, the identity as calibration matrix, zero weights and step 1. Arguments that say "int or strategy" are fixed by a
number, drawn from a strategy, and left to chance by None.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from hypothesis import strategies as st

from ...algorithms import Factorization, Grid
from ...algorithms.arguments import reject
from ...algorithms.qronos import FORMS
from ...algorithms.rounding import ROUNDINGS
from ..problem import ALGORITHMS, Problem

LARGEST = 8  # features; twice as many samples
NEURONS = 3
CONDITION = 2.0**16  # of the factors; heavy-tailed columns multiply it by up to 2**6
NAMED_ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot")
UNDAMPED = (0, "none")
NEAREST_ONLY = "round-to-nearest"
SOMETIMES = st.sampled_from([False, False, False, True])
REFLECTIONS = st.sampled_from([0, 1, 2, 2])

Size = int | st.SearchStrategy | None


def _draw(draw, given: object, default: st.SearchStrategy) -> object:
    """What an argument asks for: itself, a draw from the strategy it is, or, for None, a draw from the default."""
    if given is None:
        return draw(default)
    return draw(given) if isinstance(given, st.SearchStrategy) else given


@cache
def _integers(shape: tuple[int, ...], low: int, high: int, most: tuple[int, ...] = ()) -> st.SearchStrategy[np.ndarray]:
    """Integer arrays with entries in [low, high], which includes 0; one draw of two bytes per entry, so large arrays are quick.

    `most` is the largest shape there can be: that much is drawn and folded to `shape`, so that smaller sizes keep the numbers.
    """
    most = most or shape
    size, span = 2 * math.prod(most), high - low + 1
    folded = np.ix_(*(np.arange(longest) % length for longest, length in zip(most, shape, strict=True)))

    def decode(drawn: bytes) -> np.ndarray:
        values = np.zeros(shape, dtype=np.int64)
        np.add.at(values, folded, np.frombuffer(drawn, dtype=">u2").reshape(most))
        values %= span
        return np.where(values > high, values - span, values)

    return st.binary(min_size=size, max_size=size).map(decode)


def _reflect(draw, X: np.ndarray, most: int) -> np.ndarray:
    """H X for a product H of at most two Householder reflections, orthogonal whatever is drawn; X has at most `most` rows."""
    count = draw(REFLECTIONS)
    for v in draw(_integers((2, len(X)), -3, 3, (2, most)))[:count]:
        if v.any():
            X = X - np.outer(2 * v / (v @ v), v @ X)
    return X


@st.composite
def calibration_matrices(draw, samples: Size = None, features: Size = None, largest: int = LARGEST, condition: float = CONDITION,
                         independent: bool = False) -> np.ndarray:
    r"""Calibration matrices X (m, N), built from factors :math:`U\,\mathrm{diag}(s)\,V^\top` with singular values in [1/condition, 1].

    Then columns are scaled (heavy tails), copied (duplicates) and set to zero (dead features), and the whole by a power of two;
    m < N, one sample and one feature are all drawn, and ranks below min(m, N).

    Arguments:
        samples, features: m and N, int or strategy.
        largest: the most features, and half the most samples, where those are left to chance.
        condition: the largest quotient of two singular values of the factors, at least 1.
        independent: whether nonzero columns must be linearly independent, as problems without damping need: then m >= N, no
            column is copied, and only dead features lower the rank.

    Returns: a strategy of float64 arrays (m, N), no entry above 2**10.
    Errors: InvalidArgumentError on the draw where `independent` is asked of fewer samples than features, or condition < 1.

    >>> from hypothesis import given
    >>> @given(calibration_matrices(samples=3, features=2, independent=True))
    ... def test_no_damping_is_needed(X):
    ...     assert factorize(X, damping=0.0).pivots.shape == (2,)
    >>> test_no_damping_is_needed()
    """
    N = _draw(draw, features, st.integers(1, largest))
    widest = max(largest, N)
    m = _draw(draw, samples, st.integers(N if independent else 1, 2 * widest))
    longest = max(2 * widest, m)
    if not condition >= 1:
        raise reject("condition", condition, "a number >= 1")
    if independent and m < N:
        raise reject("samples", m, f"at least {N} samples for {N} independent features")
    rank = min(m, N)
    if draw(SOMETIMES) and not independent:
        rank -= draw(st.integers(0, rank - 1))
    spread = int(np.log2(condition))
    exponents = draw(_integers((rank,), 0, draw(st.sampled_from((0, spread // 4, spread))), (widest,)))
    X = np.zeros((m, N))
    X[range(rank), range(rank)] = 2.0**-exponents
    X = _reflect(draw, _reflect(draw, X, longest).T, widest).T
    X = np.rint(X * 2**10 * condition) / (2**10 * condition)
    if draw(SOMETIMES):
        X = X * 2.0 ** draw(_integers((N,), 0, 6, (widest,)))
    if draw(SOMETIMES) and not independent:
        for target, source in draw(_integers((2, 2), 0, N - 1)):
            X[:, target] = X[:, source]
    if draw(SOMETIMES):
        X[:, draw(_integers((2,), 0, N - 1))] = 0
    return X * 2.0 ** draw(st.integers(-4, 4))


@st.composite
def mismatched_pairs(draw, samples: Size = None, features: Size = None, largest: int = LARGEST, condition: float = CONDITION,
                     independent: bool = False) -> tuple[np.ndarray, np.ndarray]:
    r"""Pairs (X, X_quantized) of calibration matrices (m, N): :math:`\tilde X = (I + \varepsilon A)\,X\,(I + \varepsilon C)`.

    A = u v^T - v u^T turns outputs out of the column space of X and C = diag(c) with :math:`|c_j| \le 1/2` stays inside it; both
    factors are invertible, so X_quantized has independent columns wherever X has. Either matrix may have dead features of its own.

    Arguments: as for `calibration_matrices`. Returns: a strategy of pairs. The mismatch :math:`\varepsilon` is 0 or between 2^-10
    and 1.

    >>> from hypothesis import given
    >>> @given(mismatched_pairs(features=2))
    ... def test_pairs_agree_in_shape(pair):
    ...     assert pair[0].shape == pair[1].shape
    >>> test_pairs_agree_in_shape()
    """
    X = draw(calibration_matrices(samples, features, largest, condition, independent))
    m, N = X.shape
    epsilon = draw(st.sampled_from([0.0, *(2.0**-k for k in range(11))]))
    widest = max(largest, N)
    u, v = draw(_integers((2, m), -2, 2, (2, max(2 * widest, m))))
    size = max(1.0, float(np.sqrt((u @ u) * (v @ v))))
    turned = X + epsilon / size * (np.outer(u, v @ X) - np.outer(v, u @ X))
    X_quantized = turned * (1 + epsilon * draw(_integers((N,), -4, 4, (widest,))) / 8)
    for matrix in (X, X_quantized):
        if draw(SOMETIMES):
            matrix[:, draw(st.integers(0, N - 1))] = 0
    return X, X_quantized


def _part(draw, N: int, K: int, low: int, high: int) -> np.ndarray:
    """Integers (N, K) that stay when N or K shrinks."""
    return draw(_integers((N, K), low, high, (max(LARGEST, N), max(NEURONS, K))))


@st.composite
def weights(draw, features: Size = None, neurons: Size = None, largest: int = LARGEST) -> np.ndarray:
    """Weights (N, K): multiples of 1/256 up to 8 in size, or of 1/2 (ties of the simpler steps).

    Arguments:
        features, neurons: N and K, int or strategy; at most `largest` features and 3 neurons where left to chance.

    >>> from hypothesis import given
    >>> @given(weights(features=2, neurons=3))
    ... def test_rounding_errs_by_half_a_step_at_most(W):
    ...     assert (np.abs(W - Grid(step=0.3).nearest(W)) <= 0.15 + 1e-12).all()
    >>> test_rounding_errs_by_half_a_step_at_most()
    """
    N, K = _draw(draw, features, st.integers(1, largest)), _draw(draw, neurons, st.integers(1, NEURONS))
    quantum = draw(st.sampled_from([2, 256]))
    return _part(draw, N, K, -8 * quantum, 8 * quantum) / quantum


@st.composite
def weights_near_ties(draw, factorization: Factorization, grid: Grid, neurons: Size = None) -> np.ndarray:
    r"""Attackers (N, K): :math:`w = \delta k + Me` with :math:`|e_j| = (1-\varepsilon)\delta_j/2`, a hair from a tie at every step.

    OPTQ returns :math:`\delta k` for them with an error of (1 - eps) times its bound (`optq-l2-tight`).

    Arguments:
        factorization: of the calibration matrix, for M and the order.
        grid: whose steps and ends are meant; codes stay on the alphabet.
        neurons: K, int or strategy.

    Returns: a strategy of weights in the original order of features; eps is between 2^-1 and 2^-12.

    >>> from hypothesis import given
    >>> X, grid = np.array([[2.0, 1.0], [1.0, 3.0]]), Grid(step=1.0)
    >>> @given(weights_near_ties(factorize(X), grid, neurons=1))
    ... def test_a_quarter_of_the_bound_is_attained(W):
    ...     assert check(Problem(X, W, grid), ["optq-l2"])["optq-l2"].ratio > 0.249
    >>> test_a_quarter_of_the_bound_is_attained()
    """
    N, K = factorization.features, _draw(draw, neurons, st.integers(1, NEURONS))
    alphabet = grid.alphabet(N, K).reordered(factorization.order)
    codes = np.clip(_part(draw, N, K, -8, 8), alphabet.low, alphabet.high)
    signs = 1 - 2 * _part(draw, N, K, 0, 1)
    near = 1 - 2.0 ** -draw(st.integers(1, 12))
    W = np.empty((N, K))
    W[factorization.order] = alphabet.step * codes + factorization.M @ (alphabet.step / 2 * signs * near)
    return W


@st.composite
def grids(draw, features: int, neurons: int, finite: bool | None = None) -> Grid:
    """Grids for (N, K) weights: one step for all, per neuron, per feature or for each weight; infinite, or with ends.

    Arguments:
        features, neurons: N and K.
        finite: whether the alphabet has ends; None: either. The ends include 0 and may differ per neuron.

    Returns: a strategy of grids with steps between 1/8 and 4.

    >>> from hypothesis import given
    >>> @given(grids(2, 3, finite=True))
    ... def test_zero_is_on_every_grid(grid):
    ...     assert not grid.nearest(np.zeros((2, 3))).any()
    >>> test_zero_is_on_every_grid()
    """
    shapes = {"one": (1, 1), "neurons": (1, neurons), "features": (features, 1), "weights": (features, neurons)}

    def laid(kinds: list[str], low: int, high: int) -> np.ndarray:
        return _part(draw, *shapes[draw(st.sampled_from(kinds))], low, high)

    step = np.array([1, 0.5, 0.25, 0.125, 2, 4, 0.75, 1.5])[laid(list(shapes), 0, 7)]
    if not _draw(draw, finite, st.booleans()):
        return Grid(step)
    return Grid(step, low=-laid(["one", "neurons"], 0, 16), high=laid(["one", "neurons"], 0, 16))


def dampings(positive: bool = False) -> st.SearchStrategy[float | str]:
    """Dampings: absolute numbers (0, or powers of two from 2^-8 to 2^8), and all rules by name.

    Arguments:
        positive: whether to leave out 0 and "none", as for calibration matrices with dependent columns.

    >>> from hypothesis import given
    >>> @given(dampings(positive=True))
    ... def test_duplicated_features_can_be_factored(damping):
    ...     assert factorize(np.ones((3, 2)), damping).damping > 0
    >>> test_duplicated_features_can_be_factored()
    """
    numbers = [2.0**k for k in (0, *range(-8, 0), *range(1, 9))]
    fractions = ("0.01", "0.0001", "0.001", "0.1", "1")
    rules = [f"{rule}:{fraction}" for rule in ("mean-diagonal", "spectral") for fraction in fractions] + ["george-saab"]
    undamped = [] if positive else 3 * [0.0, "none"]  # a special case: three times as likely as any other
    return st.sampled_from([*undamped, *numbers, *rules])


def orderings(features: int | None = None) -> st.SearchStrategy[str | np.ndarray]:
    """Orderings: the named ones, random:SEED and, where the number of features is given, explicit permutations.

    >>> from hypothesis import given
    >>> @given(orderings(features=3))
    ... def test_every_feature_is_processed_once(ordering):
    ...     assert sorted(factorize(np.eye(3), ordering=ordering).order) == [0, 1, 2]
    >>> test_every_feature_is_processed_once()
    """
    named = st.sampled_from(NAMED_ORDERINGS) | st.integers(0, 99).map("random:{}".format)
    return named if features is None else named | st.permutations(range(features)).map(np.array)


@st.composite
def problems(draw, algorithm: object = None, form: object = None, rounding: object = None, damping: object = None,
             ordering: object = None, features: Size = None, samples: Size = None, neurons: Size = None, largest: int = LARGEST,
             mismatched: bool | None = None, finite: bool | None = None, near_ties: bool | None = None) -> Problem:
    """Whole problems, of every shape, conditioning, grid, damping, ordering, algorithm and rounding; none is rank deficient.

    A problem without damping gets a calibration matrix whose nonzero columns are independent; X_validation is always given.

    Arguments:
        algorithm, form, rounding, damping, ordering: of `Problem`: a value, a strategy, or None for all there are.
        features, samples, neurons: N, m and K, int or strategy; at most `largest` features, twice as many samples and 3 neurons
            where left to chance.
        mismatched: whether X_quantized is given; None: either.
        finite: whether the alphabet has ends; None: either.
        near_ties: whether the weights are attackers (`weights_near_ties`); None: either.

    Returns: a strategy of `Problem`.
    Errors: InvalidArgumentError on the draw where damping 0 is asked of fewer samples than features.

    >>> from hypothesis import given, settings
    >>> @settings(deadline=None, max_examples=30)
    ... @given(problems(algorithm="optq", rounding="nearest", finite=False))
    ... def test_damping_never_lowers_a_pivot(problem):
    ...     damped = problem.but(damping=problem.factorization.damping + 1, ordering=problem.order)
    ...     assert (damped.factorization.pivots >= problem.factorization.pivots).all()
    >>> test_damping_never_lowers_a_pivot()
    """
    N = _draw(draw, features, st.integers(1, largest))
    fixed_at_zero = not isinstance(damping, st.SearchStrategy) and damping in UNDAMPED
    m = _draw(draw, samples, st.integers(N if fixed_at_zero else 1, 2 * max(largest, N)))
    K = _draw(draw, neurons, st.integers(1, NEURONS))
    chosen = _draw(draw, damping, dampings(positive=m < N))
    matrices = {"samples": m, "features": N, "independent": chosen in UNDAMPED}
    X, X_quantized = draw(mismatched_pairs(**matrices)) if _draw(draw, mismatched, st.booleans()) else (
        draw(calibration_matrices(**matrices)), None)
    given = None if algorithm is None else _draw(draw, algorithm, st.nothing())
    rounds = _draw(draw, rounding, st.sampled_from(ROUNDINGS[:1] if given == NEAREST_ONLY else ROUNDINGS))
    accepted = [name for name in ALGORITHMS if rounds == "nearest" or name != NEAREST_ONLY]
    problem = Problem(
        X, np.zeros((N, K)), draw(grids(N, K, finite)), given or draw(st.sampled_from(accepted)),
        form=_draw(draw, form, st.sampled_from(FORMS)), damping=chosen, ordering=_draw(draw, ordering, orderings(N)),
        rounding=rounds, X_quantized=X_quantized,
        X_validation=draw(calibration_matrices(features=N, largest=largest)), seed=draw(st.integers(0, 2**31 - 1)),
        failure_probability=draw(st.sampled_from([0.05, 0.5, 0.1, 0.01])),
    )
    attackers = _draw(draw, near_ties, st.booleans())
    return problem.but(W=draw(weights_near_ties(problem.factorization, problem.grid, K) if attackers else weights(N, K)))
