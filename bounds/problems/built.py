"""Problems built from choices: the one source of variety of the Hypothesis strategies and of the problems that `check` draws.

Every function takes `Choices` first: where its decisions come from. `Random` makes them with a generator of random numbers;
the strategies let Hypothesis make them, which then shrinks what fails towards the first option and the lowest number.
Everything is built and nothing is filtered. Numbers are moderate (no square overflows or vanishes) and short in binary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from ...algorithms import Factorization, Grid
from ...algorithms.arguments import reject
from ...algorithms.qronos import FORMS
from ...algorithms.rounding import ROUNDINGS
from ..checking.problem import ALGORITHMS, Problem

LARGEST = 8  # features; twice as many samples
NEURONS = 3
CONDITION = 2.0**16  # of the factors; heavy-tailed columns multiply it by up to 2**6
SOMETIMES = (False, False, False, True)
REFLECTIONS = (0, 1, 2, 2)
NAMED_ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot")
PROBABILITIES = (0.05, 0.5, 0.1, 0.01)
STEPS = np.array([1, 0.5, 0.25, 0.125, 2, 4, 0.75, 1.5])
UNDAMPED = (0.0, "none")
NUMBERS = tuple(2.0**k for k in (0, *range(-8, 0), *range(1, 9)))
FRACTIONS = ("0.01", "0.0001", "0.001", "0.1", "1", "10", "100")
RULES = (*(f"{rule}:{fraction}" for rule in ("mean-diagonal", "spectral") for fraction in FRACTIONS), "george-saab")
NEAREST_ONLY = "round-to-nearest"


Option = TypeVar("Option")


class Choices(Protocol):
    """Where the decisions of a builder come from."""

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        ...

    def integers(self, shape: tuple[int, ...], low: int, high: int, most: tuple[int, ...]) -> np.ndarray:
        """Integers in [low, high], which includes 0; `most` is the largest shape that could be asked for in this place."""
        ...

    def pick(self, options: Sequence[Option]) -> Option:
        """One of the options."""
        ...

    def permutation(self, size: int) -> np.ndarray:
        """A permutation of range(size)."""
        ...


class Random:
    """Choices made by a generator of random numbers.

    >>> Random(np.random.default_rng(0)).integer(3, 3)
    3
    """

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high], all alike."""
        return int(self.rng.integers(low, high + 1))

    def integers(self, shape: tuple[int, ...], low: int, high: int, most: tuple[int, ...] = ()) -> np.ndarray:
        """Integers in [low, high], all alike."""
        return self.rng.integers(low, high + 1, shape)

    def pick(self, options: Sequence[Option]) -> Option:
        """One of the options, all alike."""
        return options[self.integer(0, len(options) - 1)]

    def permutation(self, size: int) -> np.ndarray:
        """A permutation of range(size), all alike."""
        return self.rng.permutation(size)


def _samples(choices: Choices, N: int, least: int, widest: int) -> int:
    """Any number of samples that there can be; or at most twice the features, so that fewer are common; or as many."""
    m = choices.integer(least, 2 * widest)
    near = least + (m - least) % (2 * N - least + 1)
    return choices.pick((m, near, near, N))


def make_matrix(choices: Choices, samples: int | None = None, features: int | None = None, largest: int = LARGEST,
                condition: float = CONDITION, independent: bool = False) -> np.ndarray:
    """A calibration matrix (m, N); arguments as for `strategies.calibration_matrices`."""
    N = choices.integer(1, largest) if features is None else features
    widest = max(largest, N)
    m = _samples(choices, N, N if independent else 1, widest) if samples is None else samples
    longest = max(2 * widest, m)
    if not condition >= 1:
        raise reject("condition", condition, "a number >= 1")
    if independent and m < N:
        raise reject("samples", m, f"at least {N} samples for {N} independent features")
    rank = min(m, N)
    if choices.pick(SOMETIMES) and not independent:
        rank -= choices.integer(0, rank - 1)
    spread = int(np.log2(condition))
    exponents = choices.integers((rank,), 0, choices.pick((0, spread // 4, spread)), (widest,))
    X = np.zeros((m, N))
    X[range(rank), range(rank)] = 2.0**-exponents
    X = _reflected(choices, _reflected(choices, X, longest).T, widest).T
    X = np.rint(X * 2**10 * condition) / (2**10 * condition)
    if choices.pick(SOMETIMES):
        X = X * 2.0 ** choices.integers((N,), 0, 6, (widest,))
    if choices.pick(SOMETIMES) and not independent:
        for target, source in choices.integers((2, 2), 0, N - 1, (2, 2)):
            X[:, target] = X[:, source]
    if choices.pick(SOMETIMES):
        X[:, choices.integers((2,), 0, N - 1, (2,))] = 0
    return X * 2.0 ** choices.integer(-4, 4)


def _reflected(choices: Choices, X: np.ndarray, most: int) -> np.ndarray:
    """H X for a product H of at most two Householder reflections, orthogonal whatever is chosen; X has at most `most` rows."""
    count = choices.pick(REFLECTIONS)
    for v in choices.integers((2, len(X)), -3, 3, (2, most))[:count]:
        if v.any():
            X = X - np.outer(2 * v / (v @ v), v @ X)
    return X


def make_pair(choices: Choices, samples: int | None = None, features: int | None = None, largest: int = LARGEST,
              condition: float = CONDITION, independent: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A pair (X, X_quantized) of calibration matrices (m, N); see `strategies.mismatched_pairs`."""
    X = make_matrix(choices, samples, features, largest, condition, independent)
    m, N = X.shape
    epsilon = choices.pick((0.0, *(2.0**-k for k in range(11))))
    widest = max(largest, N)
    u, v = choices.integers((2, m), -2, 2, (2, max(2 * widest, m)))
    size = max(1.0, float(np.sqrt((u @ u) * (v @ v))))
    turned = X + epsilon / size * (np.outer(u, v @ X) - np.outer(v, u @ X))
    X_quantized = turned * (1 + epsilon * choices.integers((N,), -4, 4, (widest,)) / 8)
    for matrix in (X, X_quantized):
        if choices.pick(SOMETIMES):
            matrix[:, choices.integer(0, N - 1)] = 0
    return X, X_quantized


def _part(choices: Choices, N: int, K: int, low: int, high: int) -> np.ndarray:
    """Integers (N, K) that stay when N or K shrinks."""
    return choices.integers((N, K), low, high, (max(LARGEST, N), max(NEURONS, K)))


def make_weights(choices: Choices, N: int, K: int) -> np.ndarray:
    """Weights (N, K): multiples of 1/256 up to 8 in size, or of 1/2 (ties of the simpler steps)."""
    quantum = choices.pick((2, 256))
    return _part(choices, N, K, -8 * quantum, 8 * quantum) / quantum


def make_attackers(choices: Choices, factorization: Factorization, grid: Grid, K: int) -> np.ndarray:
    """Attackers (N, K), a hair from a tie at every step; see `strategies.weights_near_ties`."""
    N = factorization.features
    alphabet = grid.alphabet(N, K).reordered(factorization.order)
    codes = np.clip(_part(choices, N, K, -8, 8), alphabet.low, alphabet.high)
    signs = 1 - 2 * _part(choices, N, K, 0, 1)
    near = 1 - 2.0 ** -choices.integer(1, 12)
    W = np.empty((N, K))
    W[factorization.order] = alphabet.step * codes + factorization.M @ (alphabet.step / 2 * signs * near)
    return W


def make_grid(choices: Choices, N: int, K: int, finite: bool | None = None) -> Grid:
    """A grid for (N, K) weights; see `strategies.grids`."""
    shapes = {"one": (1, 1), "neurons": (1, K), "features": (N, 1), "weights": (N, K)}

    def laid(kinds: Sequence[str], low: int, high: int) -> np.ndarray:
        return _part(choices, *shapes[choices.pick(kinds)], low, high)

    step = STEPS[laid(tuple(shapes), 0, len(STEPS) - 1)]
    if not _either(choices, finite):
        return Grid(step)
    return Grid(step, low=-laid(("one", "neurons"), 0, 16), high=laid(("one", "neurons"), 0, 16))


def make_damping(choices: Choices, positive: bool = False) -> float | str:
    """A damping: none, an absolute number, or a rule by name."""
    return choices.pick(choices.pick((NUMBERS, RULES) if positive else (UNDAMPED, NUMBERS, RULES)))


def make_ordering(choices: Choices, N: int | None = None) -> str | np.ndarray:
    """An ordering: a named one, random:SEED or, where N is given, a permutation."""
    kind = choices.pick((*NAMED_ORDERINGS, "random", *(() if N is None else ("permutation",))))
    if N is not None and kind == "permutation":
        return choices.permutation(N)
    return f"random:{choices.integer(0, 99)}" if kind == "random" else kind


def make_problem(choices: Choices, algorithm: str | None = None, form: str | None = None, rounding: str | None = None,
                 damping: float | str | None = None, ordering: str | np.ndarray | None = None, features: int | None = None,
                 samples: int | None = None, neurons: int | None = None, largest: int = LARGEST, mismatched: bool | None = None,
                 finite: bool | None = None, near_ties: bool | None = None) -> Problem:
    """A whole problem; what is None is left to the choices. See `strategies.problems`."""
    N = choices.integer(1, largest) if features is None else features
    m = _samples(choices, N, N if damping in UNDAMPED else 1, max(largest, N)) if samples is None else samples
    K = choices.integer(1, NEURONS) if neurons is None else neurons
    damping = make_damping(choices, positive=m < N) if damping is None else damping
    matrices: dict[str, Any] = {"samples": m, "features": N, "largest": largest, "independent": damping in UNDAMPED}
    X, X_quantized = make_pair(choices, **matrices) if _either(choices, mismatched) else (make_matrix(choices, **matrices), None)
    rounding = rounding or choices.pick(ROUNDINGS[:1] if algorithm == NEAREST_ONLY else ROUNDINGS)
    accepted = [name for name in ALGORITHMS if rounding == "nearest" or name != NEAREST_ONLY]
    made = Problem(
        X, np.zeros((N, K)), make_grid(choices, N, K, finite), algorithm or choices.pick(accepted),
        form=form or choices.pick(FORMS), damping=damping, ordering=make_ordering(choices, N) if ordering is None else ordering,
        rounding=rounding, X_quantized=X_quantized, X_validation=make_matrix(choices, features=N, largest=largest),
        seed=choices.integer(0, 2**31 - 1), failure_probability=choices.pick(PROBABILITIES),
    )
    attacked = _either(choices, near_ties)
    return made.but(W=make_attackers(choices, made.factorization, made.grid, K) if attacked else make_weights(choices, N, K))


def _either(choices: Choices, given: bool | None) -> bool:
    return choices.pick((False, True)) if given is None else given
