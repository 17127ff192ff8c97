"""Hypothesis strategies for problems: property-test bounds of your own with what the shipped claims are attacked with.

Everything is built (see `built`) and nothing is filtered, so no draw is wasted. Numbers are moderate (no square overflows or
vanishes) and short in binary, which keeps exact arithmetic fast and makes ties of the rounding common. What fails shrinks towards one
feature, the identity as calibration matrix, zero weights and step 1. Arguments that say "int or strategy" are fixed by a
number, drawn from a strategy, and left to chance by None.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ...algorithms import Factorization, Grid
from ..checking.problem import Problem
from .built import (
    CONDITION,
    LARGEST,
    NEURONS,
    make_attackers,
    make_damping,
    make_grid,
    make_matrix,
    make_ordering,
    make_pair,
    make_problem,
    make_weights,
)
from .hypothesis_choices import FromHypothesis

Size = int | st.SearchStrategy | None


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
    choices = FromHypothesis(draw)
    return make_matrix(choices, **choices.given(samples=samples, features=features), largest=largest, condition=condition,
                       independent=independent)


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
    choices = FromHypothesis(draw)
    return make_pair(choices, **choices.given(samples=samples, features=features), largest=largest, condition=condition,
                     independent=independent)


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
    choices = FromHypothesis(draw)
    given = choices.given(features=st.integers(1, largest) if features is None else features,
                          neurons=st.integers(1, NEURONS) if neurons is None else neurons)
    return make_weights(choices, given["features"], given["neurons"])


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
    choices = FromHypothesis(draw)
    given = choices.given(neurons=st.integers(1, NEURONS) if neurons is None else neurons)
    return make_attackers(choices, factorization, grid, given["neurons"])


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
    choices = FromHypothesis(draw)
    return make_grid(choices, features, neurons, **choices.given(finite=finite))


@st.composite
def dampings(draw, positive: bool = False) -> float | str:
    """Dampings: absolute numbers (0, or powers of two from 2^-8 to 2^8), and all rules by name.

    Arguments:
        positive: whether to leave out 0 and "none", as for calibration matrices with dependent columns.

    >>> from hypothesis import given
    >>> @given(dampings(positive=True))
    ... def test_duplicated_features_can_be_factored(damping):
    ...     assert factorize(np.ones((3, 2)), damping).damping > 0
    >>> test_duplicated_features_can_be_factored()
    """
    return make_damping(FromHypothesis(draw), positive)


@st.composite
def orderings(draw, features: int | None = None) -> str | np.ndarray:
    """Orderings: the named ones, random:SEED and, where the number of features is given, explicit permutations.

    >>> from hypothesis import given
    >>> @given(orderings(features=3))
    ... def test_every_feature_is_processed_once(ordering):
    ...     assert sorted(factorize(np.eye(3), ordering=ordering).order) == [0, 1, 2]
    >>> test_every_feature_is_processed_once()
    """
    return make_ordering(FromHypothesis(draw), features)


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
    choices = FromHypothesis(draw)
    settings = {"algorithm": algorithm, "form": form, "rounding": rounding, "damping": damping, "ordering": ordering, "features": features,
                "samples": samples, "neurons": neurons, "mismatched": mismatched, "finite": finite, "near_ties": near_ties}
    return make_problem(choices, **choices.given(**settings), largest=largest)
