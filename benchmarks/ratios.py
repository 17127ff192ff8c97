"""From seconds to ratios: each repetition over the one of another job in the same round; medians with their spread."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10

import numpy as np
import pandas as pd

from .measure import GEMM, gemm_size

LIMIT = "limit"


@dataclass(frozen=True)
class Spread:
    """A median, half the distance between the quartiles, and of how many it is."""

    median: float
    half: float
    count: int

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """Of the values; those that are missing do not count."""
        values = values[np.isfinite(values)]
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75)) if values.size else (np.nan,) * 3
        return cls(float(median), float(high - low) / 2, values.size)

    def __str__(self) -> str:
        if not self.count:
            return "–"
        digits = decimals(self.median)
        return f"{self.median:.{digits}f}" + (f" ± {self.half:.{digits}f}" if self.count > 1 else "")


def decimals(value: float) -> int:
    """Decimals that show three significant digits."""
    return max(0, 2 - floor(log10(abs(value)))) if value else 2


def significant(value: float) -> str:
    """Three significant digits."""
    return f"{value:.{decimals(value)}f}"


def limit_operations(N: int, K: int) -> float:
    """Multiplications and additions of a layer that cannot be avoided: a Cholesky factor, and a triangular product with each neuron."""
    return N**3 / 3 + N**2 * K


class Seconds:
    """The repetitions of one part of the table: seconds of processor time, by job and precision, at each N."""

    def __init__(self, table: pd.DataFrame, part: str, clock: str = "cpu", threads: int = 1):
        rows = table[(table["part"] == part) & (table["threads"] == threads) & table[clock].notna()].astype({"N": int})
        self.times = {key: group.sort_values("repetition")[clock].to_numpy() for key, group in rows.groupby(["job", "precision", "N"])}
        self.sizes = sorted({N for _, _, N in self.times})

    def of(self, job: str, precision: str, N: int) -> np.ndarray:
        """Seconds of each repetition; none where the job was not run."""
        if job == LIMIT:
            return limit_operations(N, N) / self.rate(precision, N)
        return self.times.get((job, precision, N), np.array([]))

    def rate(self, precision: str, N: int, libraries: tuple[str, ...] = GEMM) -> np.ndarray:
        """Operations per second of a matrix product in each repetition, in the faster of the libraries."""
        seconds = np.min([self.of(library, precision, N) for library in libraries], axis=0)
        return 2 * gemm_size(N) ** 3 / seconds

    def ratio(self, job: tuple[str, str], other: tuple[str, str], N: int) -> Spread:
        """One job over another, both with their precision, in every round that has both."""
        a, b = self.of(*job, N), self.of(*other, N)
        both = min(len(a), len(b))
        return Spread.of(a[:both] / b[:both])
