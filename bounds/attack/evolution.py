"""Covariance matrix adaptation (CMA-ES): maximizes a function of many numbers from nothing but the order of its values.

Source: Hansen, The CMA Evolution Strategy: A Tutorial, arXiv 1604.00772; names follow it. Plain form, no active update.
"""

from __future__ import annotations

import numpy as np


class Evolution:
    """A normal distribution N(mean, scale^2 C) that moves towards what scores well: `ask` for candidates, `tell` their scores.

    Arguments:
        mean: (n,) where to start.
        scale: standard deviation to start with.
        population: candidates per generation, at least 4.
        rng: where all randomness comes from.

    >>> search = Evolution(np.full(3, 5.0), 1.0, 12, np.random.default_rng(0))
    >>> for _ in range(100):
    ...     candidates = search.ask()
    ...     search.tell(-(candidates**2).sum(axis=0))
    >>> bool(np.abs(search.mean).max() < 1e-6)
    True
    """

    def __init__(self, mean: np.ndarray, scale: float, population: int, rng: np.random.Generator):
        n = len(mean)
        self.mean, self.scale, self.rng, self.population = np.array(mean, dtype=float), scale, rng, population
        parents = population // 2
        self.shares = np.log(parents + 0.5) - np.log(np.arange(1, parents + 1))
        self.shares /= self.shares.sum()
        mass = 1 / (self.shares**2).sum()
        self.mass = mass
        self.c_path = (4 + mass / n) / (n + 4 + 2 * mass / n)
        self.c_scale = (mass + 2) / (n + mass + 5)
        self.c_one = 2 / ((n + 1.3) ** 2 + mass)
        self.c_parents = min(1 - self.c_one, 2 * (mass - 2 + 1 / mass) / ((n + 2) ** 2 + mass))
        self.damping = 1 + self.c_scale + 2 * max(0.0, np.sqrt((mass - 1) / (n + 1)) - 1)
        self.usual = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))  # E ||N(0, I)||
        self.C, self.path, self.scale_path = np.eye(n), np.zeros(n), np.zeros(n)
        self.axes, self.lengths = np.eye(n), np.ones(n)
        self.generation = 0
        self.between_decompositions = max(1, int(1 / (10 * n * (self.c_one + self.c_parents))))

    def ask(self) -> np.ndarray:
        """Candidates (n, population)."""
        if self.generation % self.between_decompositions == 0 and self.generation:
            values, self.axes = np.linalg.eigh((self.C + self.C.T) / 2)
            self.lengths = np.sqrt(np.maximum(values, 1e-20))
        self.steps = (self.axes * self.lengths) @ self.rng.standard_normal((len(self.mean), self.population))
        return self.mean[:, None] + self.scale * self.steps

    def tell(self, scores: np.ndarray) -> None:
        """Move towards the better half of the candidates of the last `ask`; scores (population,), larger is better, -inf: unfit."""
        self.generation += 1
        best = np.argsort(-scores, kind="stable")[: len(self.shares)]
        if not np.isfinite(scores[best[0]]):
            self.scale /= 2  # nothing here is fit: look closer to the mean
            return
        moved = self.steps[:, best] @ self.shares
        self.mean = self.mean + self.scale * moved
        whitened = self.axes @ (self.axes.T @ moved / self.lengths)
        keep = 1 - self.c_scale
        self.scale_path = keep * self.scale_path + np.sqrt(self.c_scale * (2 - self.c_scale) * self.mass) * whitened
        length = np.linalg.norm(self.scale_path)
        settled = length / np.sqrt(1 - keep ** (2 * self.generation)) < (1.4 + 2 / (len(self.mean) + 1)) * self.usual
        self.path = (1 - self.c_path) * self.path + settled * np.sqrt(self.c_path * (2 - self.c_path) * self.mass) * moved
        parents = self.steps[:, best]
        self.C *= 1 - self.c_one - self.c_parents
        self.C += self.c_one * np.outer(self.path, self.path) + self.c_parents * (parents * self.shares) @ parents.T
        self.scale *= np.exp(min(1.0, self.c_scale / self.damping * (length / self.usual - 1)))
