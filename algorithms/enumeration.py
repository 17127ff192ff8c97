"""Search trees for the closest point of a lattice: LLL reduction and Schnorr-Euchner enumeration.

An *offset* is a code minus OPTQ's code. Two search trees hold the same points. In the reduced tree the coefficients belong
to an LLL-reduced basis, which keeps it narrow, but the ends of the alphabet show only at its leaves; in the plain tree the
coefficients are the offsets, and the ends cut every level. An infinite grid needs the reduced tree only; on a finite grid
both take turns until one is finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import floor, inf
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from flint import fmpz_mat

MOST_NEAR = 4096  # points that float64 cannot tell from the nearest

# The reduction works on integers, basis entries in units of 2**-128 of the smallest Gram-Schmidt length. No lattice vector
# is shorter than that length, so even coefficients of size 2**53 lose less than 2**-70 of the shortest vector.
INTEGER_SCALE = 2**128


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
    reduced, transform = fmpz_mat(vectors).lll(transform=True)  # pyright: ignore[reportCallIssue]  # other arguments have defaults
    Q, R = np.linalg.qr([[int(entry) / INTEGER_SCALE for entry in row] for row in reduced.transpose().tolist()])
    U = [[int(entry) for entry in row] for row in transform.transpose().tolist()]
    return Tree(U, Q, R, plain=False)


def plain_tree(B: np.ndarray) -> Tree:
    """The tree of the lower triangular `B` (n, n) as it is, read backwards: OPTQ's first feature is chosen first."""
    reverse = np.eye(len(B), dtype=int)[::-1]
    return Tree(reverse.tolist(), reverse, B[::-1, ::-1], plain=True)


def near_closest(basis: np.ndarray, target: np.ndarray, budget: int) -> list[list[int]] | None:
    """All offsets whose distances float64 cannot tell from the least; None where the search does not end or there are too many.

    Arguments:
        basis: lower triangular (n, n), every entry right to a few eps, no diagonal entry below 1.
        target: (n,) what the all-zero offsets leave, right to a few eps.
        budget: nodes to visit at most.

    >>> near_closest(np.eye(1), np.array([0.5]), budget=100)
    [[0], [1]]
    """
    n = len(target)
    box = Box(np.full(n, -inf), np.full(n, inf))
    tree, radius = reduced_tree(basis), float(np.linalg.norm(target))
    slack = 2 * (tree.slack(radius, box) + plain_tree(basis).slack(radius, box))  # of the tree, and of the basis it stands for
    near: list[tuple[float, list[int]]] = []
    found = enumerate_closest(tree, target, box, Found([0] * n, float(target @ target), 0, False), budget, slack, near)
    kept = [offsets for distance, offsets in near if distance <= found.distance + slack]
    return sorted(kept) if found.decided and len(kept) <= MOST_NEAR else None


def enumerate_closest(tree: Tree, target: np.ndarray, box: Box, start: Found, budget: int, slack: float | None = None,
                      near: list | None = None) -> Found:
    """Schnorr-Euchner enumeration: depth first, nearest coefficient first, the radius shrinking with every better leaf.

    Arguments:
        target: (n,) what the point of the all-zero offsets leaves; no distance in reach is above its norm.
        start: the best offsets so far, to be beaten.
        budget: nodes to visit at most; `nodes` of the answer counts this call alone.
        slack: how far rounding may raise a squared distance; None: as the tree says.
        near: takes (squared distance, offsets) of every point within slack of the best so far.
    """
    ends = tree.ends(box)
    slack = tree.slack(float(np.linalg.norm(target)), ends) if slack is None else slack
    low, high, smallest, largest = (part.tolist() for part in (*ends, *box))
    origin = (tree.Q.T @ target / tree.diagonal).tolist()
    squared_lengths = np.square(tree.diagonal).tolist()
    mu = tree.mu
    n = len(origin)
    x: list[Any] = [0] * n  # integers, infinity where no sibling is left
    siblings: list[Iterator[int]] = [iter(())] * n
    center, parent_distance = [0.0] * n, [0.0] * n
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
        elif near is not None:
            near.append((distance, list(tree.offsets(x))))
            if distance < best:
                offsets, best = near[-1][1], distance
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
