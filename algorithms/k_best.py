"""OPTQ that keeps several prefixes of codes for every neuron; the literal definition is `definitions.k_best`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .arguments import LARGEST_CODE, as_count, as_matrix
from .factorization import Factorization, factorization_of
from .feedback import Rounded
from .grid import Alphabet, Grid, alphabet_of
from .optq import optq
from .result import Result, result_of
from .rounding import Nearest, saturates
from .seminorm import Seminorm

MOST_CANDIDATES = 1024
COLUMNS = 4096  # prefixes, of as many neurons, that are extended at once


def k_best(X: np.ndarray | Factorization, W: np.ndarray, grid: Grid, candidates: int = 4, damping: float | str = 0.0,
           ordering: str | np.ndarray = "natural") -> Result:
    r"""Quantize as OPTQ does, but decide late: every neuron keeps several prefixes of codes, and the best of them wins in the end.

    A prefix :math:`q_1 \dots q_t` costs :math:`\sum_{j\le t} d_j^2 e_j^2`, the damped error that no later weight can take back (claim
    `optq-identity`). Each step extends every prefix by its nearest codes and keeps OPTQ's own and, of the others, the best.

    Arguments:
        X, W, grid, damping, ordering: as in `optq`.
        candidates: how many prefixes a neuron keeps, OPTQ's among them, 1 to 1024; 1 is OPTQ. The cost grows with it.

    Returns:
        Result whose damped error is never above OPTQ's, neuron by neuron, on finite alphabets too: other codes than OPTQ's are returned
        only where float64 can tell that they are better.

    Raises:
        InvalidArgumentError: any argument out of its range, by name. RankDeficientError: see `factorize`.

    Source: the M-algorithm of sequential decoding, Anderson & Mohan 1984, on OPTQ's tree; bounds/THEORY.md#algorithms.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> W, grid = np.array([[0.4], [0.3]]), Grid(step=1.0)
    >>> print(optq(X, W, grid).codes.ravel(), k_best(X, W, grid, candidates=2).codes.ravel())
    [0 0] [1 0]
    """
    f = factorization_of(X, damping, ordering, "float64")
    W = as_matrix("W", W, f.L.dtype, rows=f.features, empty_columns=True).astype(np.float64, copy=False)
    alphabet = alphabet_of(grid, W.shape).reordered(f.order)
    candidates = as_count("candidates", candidates, 1, MOST_CANDIDATES)
    start = optq(f, W, grid)
    if candidates == 1:
        return replace(start, algorithm="k-best")
    w, codes = W[f.order], start.codes[f.order]
    found, errors = np.empty_like(codes), np.empty_like(w)
    at_once = max(1, COLUMNS // candidates)
    with np.errstate(over="ignore", invalid="ignore"):  # what has no number wins nothing
        for first in range(0, w.shape[1], at_once):
            neurons = slice(first, first + at_once)
            part = Alphabet(*(rows[:, neurons] for rows in alphabet))
            found[:, neurons], errors[:, neurons] = _searched(f, w[:, neurons], codes[:, neurons], part, candidates)
        better = _better(f, w, alphabet, start, found, errors)
    return result_of("k-best", better, W, f.order, None, f)


def _better(f: Factorization, w: np.ndarray, alphabet: Alphabet, start: Result, codes: np.ndarray, errors: np.ndarray) -> Rounded:
    """What was found for the neurons where it is better than OPTQ's beyond doubt; `codes` and `errors` in processing order."""
    weights, before = alphabet.step * codes, start.weights[f.order]
    saturated = saturates((errors + weights) / alphabet.step, *alphabet.ends, Nearest.slack)
    better = Seminorm.factored(f).surely_lower(w, weights, before, left=(errors, start.rounding_errors))
    better &= (np.abs(codes) <= LARGEST_CODE).all(axis=0)
    return Rounded.of_steps(f.order, np.where(better, codes, start.codes[f.order]), np.where(better, weights, before),
                            np.where(better, errors, start.rounding_errors), np.where(better, saturated, start.saturated))


def _searched(f: Factorization, w: np.ndarray, codes: np.ndarray, alphabet: Alphabet, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and errors z - q (N, K) of the best path; `codes` are OPTQ's. All in processing order."""
    prefixes = _Prefixes(f, w, codes, alphabet, candidates)
    prefixes.extend(0, f.features)
    return prefixes.best()


class _Prefixes:
    """The prefixes of all neurons, step by step: number s of neuron k is column kS + s, and number 0 is OPTQ's.

    What prefixes leave behind (`missed`, what they feed into later steps) is brought into the order of their successors half by half,
    as the products go: N log N rows are copied and not N^2.
    """

    def __init__(self, f: Factorization, w: np.ndarray, codes: np.ndarray, alphabet: Alphabet, candidates: int):
        (N, K), self.S = w.shape, candidates
        self.L, self.w, self.optq, self.alphabet = f.L, w, codes, alphabet
        self.short = alphabet.finite and bool((alphabet.high - alphabet.low < candidates - 1).any())  # fewer codes than candidates
        self.scales = (f.pivots / (f.pivots.max() or 1.0))[:, None] * (alphabet.step / alphabet.step.max(axis=0))  # of lost steps
        self.z, self.missed = np.repeat(w, candidates, axis=1), np.empty((N, K * candidates))
        self.costs = np.where(np.arange(K * candidates) % candidates, np.inf, 0.0)
        self.codes, self.errors = np.empty((N, K * candidates)), np.empty((N, K * candidates))
        self.parents = np.empty((N, K * candidates), dtype=np.int64)
        self.neurons = np.arange(K)

    def extend(self, begin: int, end: int) -> np.ndarray:
        """Take the steps from `begin` to `end`; which column at `begin` each column at `end` comes from."""
        if end - begin == 1:
            self._step(begin)
            return self.parents[begin]
        middle = (begin + end) // 2
        first, later = self.extend(begin, middle), slice(middle, end)
        self.z[later] = self.z[later].take(first, axis=1)
        self.z[later] += self.L[later, begin:middle] @ self.missed[begin:middle]
        second = self.extend(middle, end)
        if end < len(self.z):  # later steps read it
            self.missed[begin:middle] = self.missed[begin:middle].take(second, axis=1)
        return first[second]

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes and errors (N, K) of the cheapest path of every neuron, followed back."""
        columns = self.neurons * self.S + self.costs.reshape(-1, self.S).argmin(axis=1)
        codes, errors = np.empty(self.w.shape, dtype=np.int64), np.empty(self.w.shape)
        for t in reversed(range(len(self.w))):
            codes[t], errors[t] = self.codes[t, columns], self.errors[t, columns]
            columns = self.parents[t, columns]
        return codes, errors

    def _step(self, t: int) -> None:
        """Extend every prefix by its S nearest codes, and keep OPTQ's and the best of the others."""
        S, z = self.S, self.z[t]
        step, scale, w = (rows[t].repeat(S) for rows in (self.alphabet.step, self.scales, self.w))
        ratio = z / step
        lowest = np.ceil(ratio - S / 2)
        if self.alphabet.finite:
            low, high = self.alphabet.low[t].repeat(S), self.alphabet.high[t].repeat(S)
            lowest = np.maximum(np.minimum(lowest, high - (S - 1)), low)
        costs, lost = np.empty((len(z), S)), (ratio - lowest) * scale
        for place in range(S):
            np.add(np.square(lost - place * scale), self.costs, out=costs[:, place])
        if self.short:
            costs[lowest[:, None] + np.arange(S) > self.alphabet.high[t].repeat(S)[:, None]] = np.inf
        followed = self.costs[::S] + np.square((ratio[::S] - self.optq[t]) * scale[::S])
        prefix, place = np.divmod(self._chosen(costs.reshape(-1, S * S), self.optq[t] - lowest[::S]), S)
        columns = (self.neurons[:, None] * S + prefix).ravel()
        codes = lowest.take(columns) + place.ravel()
        codes[::S], self.costs[::S] = self.optq[t], followed
        q = step * codes
        self.parents[t], self.codes[t] = columns, codes
        np.subtract(z.take(columns), q, out=self.errors[t])
        np.subtract(w, q, out=self.missed[t])

    def _chosen(self, costs: np.ndarray, followed: np.ndarray) -> np.ndarray:
        """Places (K, S) in `costs` (K, S^2) of OPTQ's extension, `followed`, and of the cheapest others, whose costs are kept."""
        chosen = np.empty((len(costs), self.S), dtype=np.int64)
        for s in range(self.S):
            chosen[:, s] = costs.argmin(axis=1) if s else np.clip(followed, 0, self.S - 1)
            self.costs[s :: self.S] = costs[self.neurons, chosen[:, s]]
            costs[self.neurons, chosen[:, s]] = np.inf
        return chosen
