"""One quantization problem: the data, the algorithm and its settings; what every claim is evaluated on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ...algorithms import Factorization, Grid, Result, factorize, gpfq, optq, qronos, round_to_nearest
from ...algorithms.arguments import InvalidArgumentError, as_matrix, as_nonnegative, as_seed, as_share, choose, reject
from ...algorithms.damping import resolve_damping
from ...algorithms.factorization import RowSource
from ...algorithms.grid import Alphabet
from ...algorithms.ordering import as_permutation, resolve_ordering
from ...algorithms.qronos import FORMS
from ...algorithms.rounding import ROUNDINGS, RoundingRule
from .problem_file import ENDS, read_problem, write_problem

ALGORITHMS = ("optq", "qronos", "gpfq", "round-to-nearest")
PROBE = RowSource.of(np.eye(2))  # what names of dampings and orderings are tried on
Computed = TypeVar("Computed")


@dataclass(frozen=True, eq=False)
class Problem:
    """A layer to quantize and how to quantize it (m samples, N features, K neurons).

    Arguments:
        X: calibration matrix (m, N), or a Factorization of it (which then brings damping and ordering). One made from a Gram matrix or
            from blocks of rows will do: a square root of the Gram matrix stands in for the rows, and all statements but those about
            single outputs are the same for both.
        W: weights (N, K).
        grid: the grid to round to.
        algorithm: "optq", "qronos", "gpfq" or "round-to-nearest".
        form: of Qronos, "alternating" or "projected".
        damping, ordering, rounding: as in `provable_ptq.algorithms.optq`.
        X_quantized: (m, N), inputs that the already quantized part of the network produces; the algorithm is
            calibrated on it where it is given.
        X_validation: (m', N), held-out inputs.
        seed: of the stochastic draws.
        failure_probability: p of the claims that hold with probability 1 - p.

    Raises:
        InvalidArgumentError: any argument out of its range, by name, before anything is computed.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> problem.result.codes.ravel()
    array([0, 1])
    """

    X: np.ndarray
    W: np.ndarray
    grid: Grid
    algorithm: str = "optq"
    form: str = "alternating"
    damping: float | str = 0.0
    ordering: str | np.ndarray = "natural"
    rounding: str = "nearest"
    X_quantized: np.ndarray | None = None
    X_validation: np.ndarray | None = None
    seed: int = 0
    failure_probability: float = 0.05
    _memo: dict = field(default_factory=dict, repr=False)
    _stands_in: bool = field(default=False, repr=False)

    if TYPE_CHECKING:  # given may be a Factorization; kept are the rows

        def __init__(self, X: np.ndarray | Factorization, W: np.ndarray, grid: Grid, algorithm: str = "optq", form: str = "alternating",
                     damping: float | str = 0.0, ordering: str | np.ndarray = "natural", rounding: str = "nearest",
                     X_quantized: np.ndarray | Factorization | None = None, X_validation: np.ndarray | None = None, seed: int = 0,
                     failure_probability: float = 0.05): ...

    def __post_init__(self):
        given = self.X if self.X_quantized is None else self.X_quantized
        if isinstance(given, Factorization):
            if given.L.dtype != np.float64:
                name = "X" if self.X_quantized is None else "X_quantized"
                raise reject(name, given.L.dtype, "a Factorization in float64, as verdicts are")
            for name, default in (("damping", 0.0), ("ordering", "natural")):
                value = getattr(self, name)
                if not (isinstance(value, type(default)) and value == default):
                    raise reject(name, value, f"nothing beside a Factorization, which brings its own {name}")
            if self.X_quantized is None and given.source.X is None:
                given = given.on_rows(given.source.root(0.0))
                object.__setattr__(self, "X", given)
                object.__setattr__(self, "_stands_in", True)
            self.__dict__["factorization"] = given
            object.__setattr__(self, "damping", given.damping)
            object.__setattr__(self, "ordering", given.order)
        X = self.X.X if isinstance(self.X, Factorization) else as_matrix("X", self.X)
        samples, features = X.shape
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "W", as_matrix("W", self.W, rows=features))
        if self.X_quantized is not None:
            deployed = given.X if isinstance(given, Factorization) else given
            object.__setattr__(self, "X_quantized", as_matrix("X_quantized", deployed, rows=samples, columns=features))
        if self.X_validation is not None:
            object.__setattr__(self, "X_validation", as_matrix("X_validation", self.X_validation, columns=features))
        if not isinstance(self.grid, Grid):
            raise reject("grid", self.grid, "a Grid")
        self.grid.alphabet(features, self.W.shape[1])
        choose("algorithm", self.algorithm, ALGORITHMS)
        choose("form", self.form, FORMS)
        choose("rounding", self.rounding, ROUNDINGS if self.algorithm != "round-to-nearest" else ROUNDINGS[:1])
        self._check_rules(features)
        object.__setattr__(self, "seed", as_seed("seed", self.seed))
        object.__setattr__(self, "failure_probability", as_share("failure_probability", self.failure_probability))

    def _check_rules(self, features: int) -> None:
        """Damping and ordering as they are kept: names that are known, or a number and a permutation."""
        if isinstance(self.damping, str):
            resolve_damping(self.damping, PROBE)
        else:
            object.__setattr__(self, "damping", as_nonnegative("damping", self.damping))
        if isinstance(self.ordering, str):
            resolve_ordering(self.ordering, PROBE, 1.0)
        else:
            object.__setattr__(self, "ordering", as_permutation(self.ordering, features))

    @property
    def rows_at_hand(self) -> bool:
        """Whether the rows of X are those of the samples; else they are those of a square root of its Gram matrix."""
        return not self._stands_in

    @property
    def from_gram(self) -> bool:
        """Whether its factorization was made from a Gram matrix, and is right to the square of the condition number only."""
        return self._stands_in and self.factorization.source.reach > 1

    @property
    def m(self) -> int:
        """Samples."""
        return len(self.X)

    @property
    def N(self) -> int:
        """Features."""
        return len(self.W)

    @property
    def K(self) -> int:
        """Neurons."""
        return self.W.shape[1]

    @property
    def calibration(self) -> np.ndarray:
        """The matrix (m, N) that the algorithm is calibrated on: X_quantized where given, else X."""
        return self.X if self.X_quantized is None else self.X_quantized

    @cached_property
    def factorization(self) -> Factorization:
        """Of the calibration matrix; the claims read this one, never the algorithm's own."""
        return factorize(self.calibration, self.damping, self.order if self.algorithm == "gpfq" else self.ordering)

    @cached_property
    def order(self) -> np.ndarray:
        """(N,) original index of the feature processed at each step; path following orders without damping or factorization."""
        if self.algorithm == "gpfq" and "factorization" not in self.__dict__:
            return resolve_ordering(self.ordering, RowSource.of(self.calibration), 0.0)
        return self.factorization.order

    @cached_property
    def alphabet(self) -> Alphabet:
        """Steps and ends of the grid as (N, K) arrays in processing order."""
        return self.grid.alphabet(self.N, self.K).reordered(self.order)

    @property
    def steps(self) -> np.ndarray:
        """(N, K) steps in processing order."""
        return self.alphabet.step

    @cached_property
    def largest_ratio(self) -> float:
        """The largest |w| / step: how many steps the weights are from zero."""
        return float(np.max(np.abs(self.W[self.order]) / self.steps))

    @cached_property
    def result(self) -> Result:
        """What the algorithm returns."""
        return run(self)

    def remember(self, name: str, result: object, compute: Callable[[], Computed]) -> Computed:
        """`compute()` for this result, kept so that claims share it."""
        key = (name, id(result))
        if key not in self._memo:
            self._memo[key] = (result, compute())
        return self._memo[key][1]

    def but(self, **changes: Any) -> Problem:
        """The same problem with some arguments changed; keeps what was computed where that does not depend on them."""
        other = replace(self, **changes, _memo=self._memo if changes.keys() == {"failure_probability"} else {})
        reordered = isinstance(self.ordering, str) and (self.algorithm == "gpfq") != (other.algorithm == "gpfq")
        if not {"X", "X_quantized", "damping", "ordering"} & changes.keys() and "factorization" in self.__dict__ and not reordered:
            other.__dict__["factorization"] = self.factorization
        if changes.keys() == {"failure_probability"} and "result" in self.__dict__:
            other.__dict__["result"] = self.result
        return other

    def save(self, path: str | Path) -> Path:
        """Write the problem to one replayable .npz file (no pickles), whole or not at all.

        Raises:
            InvalidArgumentError: a file that cannot be written.
        """
        return write_problem(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Problem:
        """Read a problem that `save` wrote.

        Raises:
            InvalidArgumentError: no such file, one that is damaged or that `save` did not write, or one that holds no sound problem.
        """
        arrays, words = read_problem(path)
        try:
            grid = Grid(**{name: arrays.pop(f"grid_{name}") for name in ENDS if f"grid_{name}" in arrays})
            return cls(grid=grid, **arrays, **words)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{path}: {error}") from None


def run(problem: Problem, rounding: RoundingRule | None = None) -> Result:
    """Run the problem's algorithm; a rule given as `rounding` replaces the problem's own."""
    shared: dict[str, Any] = {"rounding": rounding or problem.rounding, "seed": problem.seed}
    if problem.algorithm == "round-to-nearest":
        return round_to_nearest(problem.W, problem.grid)
    if problem.algorithm == "gpfq":
        return gpfq(problem.X, problem.W, problem.grid, problem.X_quantized, problem.order, **shared)
    if problem.algorithm == "optq":
        return optq(problem.factorization, problem.W, problem.grid, **shared)
    return qronos(problem.X, problem.factorization, problem.W, problem.grid, form=problem.form, **shared)
