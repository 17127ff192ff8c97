r"""The exact optimum over the grid, a closest vector problem: LLL reduction, then Schnorr-Euchner enumeration.

With :math:`S = \mathrm{diag}(\delta)` and :math:`H = L^\top D^2 L`, the damped error of the grid point :math:`q = S k` is
:math:`\|DLw - DLS\,k\|^2`, the distance from a target to a point of the lattice with basis :math:`DLS`. Everything is
counted from OPTQ's codes: what OPTQ leaves of the target is :math:`De` (claim `optq-identity`), so numbers stay small
and the search radius starts at OPTQ's own distance. An *offset* is a code minus OPTQ's code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arguments import LARGEST_CODE, as_count, as_matrix, reject
from .enumeration import Box, Found, Tree, enumerate_closest, plain_tree, reduced_tree
from .factorization import Factorization, factorization_of
from .grid import Grid
from .optq import optq
from .result import Result

NODE_BUDGET = 5_000_000  # about ten seconds
FIRST_TURN = 1_000  # nodes; turns double, so both trees together never cost more than 8x what the better one needs alone
LARGEST_STEP_RATIO = 1e100


@dataclass(frozen=True, eq=False)
class ClosestVector:
    """The grid points closest to the weights in the damped error (N features, K neurons).

    Attributes:
        codes: (N, K) int64, original feature order.
        weights: (N, K) grid points q, original feature order; `weights = step * codes`.
        distance_squared: (K,) ||X(w-q)||^2 + damping ||w-q||^2, computed from X and `weights`.
        decided: (K,) bool; False where the node budget ran out, so that the distance is only an upper bound on the optimum.
        nodes: (K,) int64, partial code vectors the search looked at.
    """

    codes: np.ndarray
    weights: np.ndarray
    distance_squared: np.ndarray
    decided: np.ndarray
    nodes: np.ndarray


def closest_vector(X: np.ndarray | Factorization, w: np.ndarray, grid: Grid, damping: float | str = 0.0,
                   node_budget: int = NODE_BUDGET) -> ClosestVector:
    r"""The grid points of least damped error, :math:`\min_q \|X(w-q)\|^2 + \lambda\|w-q\|^2`, one neuron at a time.

    Exact up to the rounding of the factorization: of points whose distances differ by no more than that, either may come.
    The cost grows exponentially with N: milliseconds per neuron at N = 24 and 32 on well-conditioned or AR(1) matrices,
    seconds near N = 48. Weights as far from the grid as they can be (many equally near points) and heavily saturated finite
    grids with N > 16 take longest. The search never ends in a wrong answer: when the node budget runs out, that neuron is
    undecided and keeps the best grid point seen.

    Arguments:
        X: calibration matrix (m, N), or a float64 Factorization (which then brings the damping; its ordering has no effect).
        w: weights (N, K), one column per neuron.
        grid: the grid; neurons whose steps differ by one common factor share a lattice reduction.
        damping: absolute damping >= 0 or a rule by name, see `factorize`.
        node_budget: nodes of the search tree per neuron, >= 1; about 1.5 microseconds each.

    Returns:
        ClosestVector; its distance is never above that of OPTQ in min-pivot order, where the search starts.

    Raises:
        InvalidArgumentError: any argument out of its range, by name. RankDeficientError: dependent live columns at a
            damping too small to part them (zero columns decouple: their weights go to the nearest grid point).

    Source: bounds/THEORY.md#predictions; Lenstra, Lenstra & Lovasz 1982; Schnorr & Euchner 1994.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> best = closest_vector(X, np.array([[0.4], [0.3]]), Grid(step=1.0))
    >>> print(best.codes.ravel(), best.distance_squared.round(12), best.decided)
    [1 0] [0.54] [ True]
    """
    f = factorization_of(X, damping, "natural", "float64").with_ordering("min-pivot")
    if f.L.dtype != np.float64:
        raise reject("X", f.L.dtype, "a Factorization in float64")
    w = as_matrix("w", w, rows=f.features, empty_columns=True)
    start = optq(f, w, grid)
    codes, decided, nodes = _search(f, start, grid, as_count("node_budget", node_budget))
    step = grid.alphabet(*w.shape).step
    from_search, from_start = damped_error(f, w - step * codes), damped_error(f, w - step * start.codes)
    codes = np.where(from_start < from_search, start.codes, codes)  # a tie that rounding made look better
    return ClosestVector(codes, step * codes, np.minimum(from_search, from_start), decided, nodes)


def damped_error(f: Factorization, difference: np.ndarray) -> np.ndarray:
    """||X r||^2 + damping ||r||^2 (K,) for each column r of `difference` (N, K), from X itself where its rows are at hand."""
    X = f.source.root(0.0) if f.source.X is None else f.X
    return np.square(X @ difference).sum(axis=0) + f.damping * np.square(difference).sum(axis=0)


def _search(f: Factorization, start: Result, grid: Grid, budget: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes (N, K), decided (K,) and nodes (K,). Dead features decouple: there OPTQ's codes are the nearest ones already."""
    codes, neurons = start.codes.copy(), start.codes.shape[1]
    decided, nodes = np.ones(neurons, dtype=bool), np.zeros(neurons, dtype=np.int64)
    if not f.live.any():
        return codes, decided, nodes
    live = f.order[f.live]
    step, low, high = grid.alphabet(*codes.shape).reordered(live)
    lattice = Lattice(f, grid.finite)
    for neuron in range(neurons):
        origin = codes[live, neuron]
        box = Box(low[:, neuron] - origin, high[:, neuron] - origin)
        found = lattice.closest(step[:, neuron], start.rounding_errors[f.live, neuron], box, budget)
        codes[live, neuron] = _shifted(origin, found.offsets)
        decided[neuron], nodes[neuron] = found.decided, found.nodes
    return codes, decided, nodes


class Lattice:
    """The lattices D L S of one factorization, live features only; lengths in units of the smallest pivot and step.

    In these units no Gram-Schmidt length of the basis is below 1. Search trees are made once per pattern of steps.
    """

    def __init__(self, f: Factorization, finite: bool):
        self.pivots = f.pivots[f.live] / f.pivots[f.live].min()
        self.DL = self.pivots[:, None] * f.L[np.ix_(f.live, f.live)]
        self.finite = finite
        self._trees = {}

    def closest(self, step: np.ndarray, errors: np.ndarray, box: Box, budget: int) -> Found:
        """The offsets in `box` closest to what OPTQ left, with its rounding errors `errors` (n,) at steps `step` (n,)."""
        unit = step.min()
        target = self.pivots * (errors / unit)
        best = Found([0] * len(target), float(target @ target), 0, False)
        trees = self.trees(step / unit)
        turn = FIRST_TURN if self.finite else budget
        nodes = 0
        while nodes < budget and not best.decided:
            for tree in trees:
                best = enumerate_closest(tree, target, box, best, min(turn, budget - nodes))
                nodes += best.nodes
                if best.decided:
                    break
            turn *= 2
        return best._replace(nodes=nodes)

    def trees(self, pattern: np.ndarray) -> list[Tree]:
        """The trees to search for steps in proportion `pattern` (n,), the smallest 1."""
        key = pattern.tobytes()
        if key not in self._trees:
            if not pattern.max() < LARGEST_STEP_RATIO:
                raise reject("max(step) / min(step)", float(pattern.max()), f"a ratio below {LARGEST_STEP_RATIO:g} within a neuron")
            B = self.DL * pattern
            self._trees[key] = [reduced_tree(B), plain_tree(B)] if self.finite else [reduced_tree(B)]
        return self._trees[key]


def _shifted(codes: np.ndarray, offsets: list[int]) -> list[int]:
    """`codes` (n,) plus `offsets`, refused where float64 no longer holds every integer."""
    shifted = [int(code) + offset for code, offset in zip(codes, offsets, strict=True)]
    largest = max(shifted, key=abs)
    if abs(largest) > LARGEST_CODE:
        raise reject("weight / step", largest, "ratios whose code is at most 2**53 in size (take a larger step or damping)")
    return shifted
