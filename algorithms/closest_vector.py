r"""The exact optimum over the grid, a closest vector problem: LLL reduction, then Schnorr-Euchner enumeration.

With :math:`S = \mathrm{diag}(\delta)` and :math:`H = L^\top D^2 L`, the damped error of the grid point :math:`q = S k` is
:math:`\|DLw - DLS\,k\|^2`, the distance from a target to a point of the lattice with basis :math:`DLS`. Everything is
counted from OPTQ's codes: what OPTQ leaves of the target is :math:`De` (claim `optq-identity`), so numbers stay small
and the search radius starts at OPTQ's own distance. An *offset* is a code minus OPTQ's code.

Two search trees hold the same points. In the reduced tree the coefficients belong to an LLL-reduced basis, which keeps it
narrow, but the ends of the alphabet show only at its leaves; in the plain tree the coefficients are the offsets, and the
ends cut every level. An infinite grid needs the reduced tree only; on a finite grid both take turns until one is finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, inf
from operator import mul
from typing import NamedTuple

import numpy as np
from flint import fmpz_mat

from .arguments import LARGEST_CODE, as_matrix, reject
from .factorization import Factorization, factorization_of
from .grid import Grid
from .optq import optq
from .result import Result

NODE_BUDGET = 5_000_000  # about ten seconds
FIRST_TURN = 1_000  # nodes; turns double, so both trees together never cost more than 8x what the better one needs alone
LARGEST_STEP_RATIO = 1e100

# The reduction works on integers, basis entries in units of 2**-128 of the smallest Gram-Schmidt length. No lattice vector
# is shorter than that length, so even coefficients of size 2**53 lose less than 2**-70 of the shortest vector.
INTEGER_SCALE = 2**128


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


class Box(NamedTuple):
    """Smallest and largest offsets that stay on the alphabet, (n,) each; infinite where it has no ends."""

    low: np.ndarray
    high: np.ndarray


class Found(NamedTuple):
    """How far a search came: the best offsets, their squared distance, nodes spent, whether no better point can exist."""

    offsets: list[int]
    distance: float
    nodes: int
    decided: bool


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
    codes, decided, nodes = _search(f, start, grid, _budget(node_budget))
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


class Tree:
    """A basis B U = Q R ready for enumeration: coefficients x are chosen from the last to the first, offsets are U x.

    Arguments:
        U: unimodular, rows of Python integers.
        Q, R: orthogonal and upper triangular, (n, n).
        plain: U only reverses the order, so the ends of the alphabet bound each coefficient.
    """

    def __init__(self, U: list[list[int]], Q: np.ndarray, R: np.ndarray, plain: bool):
        self.U, self.Q, self.R, self.plain = U, Q, R, plain
        self.diagonal = np.diag(R)
        self.mu = [row[k + 1:] for k, row in enumerate((R / self.diagonal[:, None]).tolist())]
        self.column_norms = np.linalg.norm(R, axis=0)
        self.dual_norms = np.linalg.norm(np.linalg.inv(R), axis=1)

    def offsets(self, x: list[int]) -> Iterator[int]:
        """U x, exact."""
        return (sum(map(mul, row, x)) for row in self.U)

    def ends(self, box: Box) -> Box:
        """Smallest and largest coefficients, as far as `box` bounds them one by one."""
        n = len(self.U)
        return Box(box.low[::-1], box.high[::-1]) if self.plain else Box(np.full(n, -inf), np.full(n, inf))

    def slack(self, radius: float, ends: Box) -> float:
        """How far rounding can raise a squared distance within `radius` of the target, which is as near to the origin.

        A point R x within reach has |x_j| <= 2 radius ||row j of the inverse of R||, and |x_j| is at most the farther
        end. Rounding moves it (QR, sums of n products) by less than eta = 4 n eps (radius + sum_j ||R_j|| |x_j|), and a
        squared distance by less than 2 eta radius + eta^2. Cutting only beyond twice that never loses the optimum.
        """
        reach = np.minimum(2 * radius * self.dual_norms, np.maximum(-ends.low, ends.high))
        eta = 4 * len(reach) * np.finfo(np.float64).eps * (radius + float(self.column_norms @ reach))
        return 4 * eta * radius + 2 * eta**2


def reduced_tree(B: np.ndarray) -> Tree:
    """The tree of an LLL-reduced basis (delta = 0.99) of the columns of `B` (n, n), reduced in exact integers."""
    vectors = [[numerator * INTEGER_SCALE // denominator for numerator, denominator in map(float.as_integer_ratio, column)]
               for column in B.T.tolist()]
    reduced, transform = fmpz_mat(vectors).lll(transform=True)
    Q, R = np.linalg.qr([[int(entry) / INTEGER_SCALE for entry in row] for row in reduced.transpose().tolist()])
    U = [[int(entry) for entry in row] for row in transform.transpose().tolist()]
    return Tree(U, Q, R, plain=False)


def plain_tree(B: np.ndarray) -> Tree:
    """The tree of the lower triangular `B` (n, n) as it is, read backwards: OPTQ's first feature is chosen first."""
    reverse = np.eye(len(B), dtype=int)[::-1]
    return Tree(reverse.tolist(), reverse, B[::-1, ::-1], plain=True)


def enumerate_closest(tree: Tree, target: np.ndarray, box: Box, start: Found, budget: int) -> Found:
    """Schnorr-Euchner enumeration: depth first, nearest coefficient first, the radius shrinking with every better leaf.

    Arguments:
        target: (n,) what the point of the all-zero offsets leaves; no distance in reach is above its norm.
        start: the best offsets so far, to be beaten.
        budget: nodes to visit at most; `nodes` of the answer counts this call alone.
    """
    ends = tree.ends(box)
    slack = tree.slack(float(np.linalg.norm(target)), ends)
    low, high, smallest, largest = (part.tolist() for part in (*ends, *box))
    origin = (tree.Q.T @ target / tree.diagonal).tolist()
    squared_lengths = np.square(tree.diagonal).tolist()
    mu = tree.mu
    n = len(origin)
    x, center, siblings, parent_distance = [0] * n, [0.0] * n, [iter(())] * n, [0.0] * n
    offsets, best = start.offsets, start.distance

    k = n - 1
    center[k], siblings[k] = origin[k], by_distance(origin[k], low[k], high[k])
    for nodes in range(1, budget + 1):
        x[k] = next(siblings[k], inf)
        gap = center[k] - x[k]
        distance = parent_distance[k] + squared_lengths[k] * gap * gap
        if distance > best + slack:  # so are the siblings that remain
            k += 1
            if k == n:
                return Found(offsets, best, nodes, decided=True)
        elif k > 0:
            k -= 1
            parent_distance[k] = distance
            center[k] = origin[k] - sum(map(mul, mu[k], x[k + 1:]))
            siblings[k] = by_distance(center[k], low[k], high[k])
        elif distance < best and all(map(_between, smallest, tree.offsets(x), largest)):
            offsets, best = list(tree.offsets(x)), distance
    return Found(offsets, best, budget, decided=False)


def by_distance(center: float, low: float, high: float) -> Iterator[int]:
    """The integers from `low` to `high`, nearest to `center` first.

    >>> list(by_distance(0.6, -1, 3))
    [1, 0, 2, -1, 3]
    """
    nearest = int(min(max(floor(center + 0.5), low), high))
    below, above = nearest - 1, nearest + 1
    yield nearest
    while below >= low or above <= high:
        if above > high or (below >= low and center - below <= above - center):
            yield below
            below -= 1
        else:
            yield above
            above += 1


def _between(low: float, value: int, high: float) -> bool:
    return low <= value <= high


def _budget(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise reject("node_budget", value, "an integer >= 1")
    return int(value)


def _shifted(codes: np.ndarray, offsets: list[int]) -> list[int]:
    """`codes` (n,) plus `offsets`, refused where float64 no longer holds every integer."""
    shifted = [int(code) + offset for code, offset in zip(codes, offsets, strict=True)]
    largest = max(shifted, key=abs)
    if abs(largest) > LARGEST_CODE:
        raise reject("weight / step", largest, "ratios whose code is at most 2**53 in size (take a larger step or damping)")
    return shifted
