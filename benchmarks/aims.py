"""What was aimed at, each aim as a ratio that is to be small, and what was measured instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .jobs import JOBS
from .layer import PRECISIONS
from .measure import BOTH_THREADS
from .ratios import Seconds, Spread

SIZE = 2048  # N = K of the aims

Measured = Callable[[pd.DataFrame, int], Spread]  # from the table and a size


@dataclass(frozen=True)
class Aim:
    """A ratio in words, what it is to be at most, and how it is read off the table."""

    words: str
    most: float
    measured: Measured


def ours(job: str, other: str) -> Measured:
    """The ratio of two of the toolkit's jobs in float64."""
    return lambda table, N: Seconds(table, "layers").ratio((job, "float64"), (other, "float64"), N)


def against_float32(job: str, precision: str, loop: str) -> Measured:
    """A job over the published loop in float32."""
    return lambda table, N: Seconds(table, "layers").ratio((job, precision), (loop, "float32"), N)


def thread_gain(table: pd.DataFrame, job: str, precision: str, N: int) -> Spread:
    """Wall time on two threads over that on one, round by round."""
    one, two = (Seconds(table, "threads", "wall", count).of(job, precision, N) for count in (1, 2))
    return Spread.of(two / one if len(one) == len(two) else np.array([]))


def least_thread_gain(table: pd.DataFrame, N: int) -> Spread:
    """Of the toolkit's own jobs the one that two threads help least."""
    own = [name for name in BOTH_THREADS if name in JOBS and JOBS[name].ours]
    return max((thread_gain(table, name, precision, N) for name in own for precision in PRECISIONS), key=lambda gain: gain.median)


def streamed(precision: str) -> Measured:
    """Seconds of streamed rows over those of the operations of one QR factorization at the rate of a matrix product."""

    def measured(table: pd.DataFrame, N: int) -> Spread:
        rows = table[(table["part"] == "streaming") & (table["precision"] == precision)]
        n, m = int(rows["N"].iloc[0]), int(rows["m"].iloc[0])
        seconds = Seconds(table, "streaming")
        return Spread.of(seconds.of("streamed", precision, n) * seconds.rate(precision, n, ("gemm-numpy",)) / (2 * m * n**2 - 2 * n**3 / 3))

    return measured


def memory_of(table: pd.DataFrame, precision: str) -> pd.DataFrame:
    """Memory of whole jobs in N² numbers of the precision, by job: allocated, and resident."""
    rows = table[(table["part"] == "memory") & (table["precision"] == precision)].set_index("job")
    numbers = np.dtype(precision).itemsize * rows["N"] ** 2
    return pd.DataFrame({"allocated": rows["bytes"] / numbers, "resident": rows["resident"] / numbers})


def largest_memory(table: pd.DataFrame, N: int) -> Spread:
    """Of the toolkit's own whole jobs in float64 the one that allocates most."""
    return Spread.of(memory_of(table, "float64")["allocated"].nlargest(1).to_numpy())


AIMS = (
    Aim("OPTQ from a Gram matrix, over the published loop in float32", 2 / 3, against_float32("gram-optq", "float64", "gram-loop")),
    Aim("OPTQ from a Gram matrix in float32, over the same", 1 / 4, against_float32("gram-optq", "float32", "gram-loop")),
    Aim("OPTQ from X, over the published loop from X in float32", 1, against_float32("rows-optq", "float64", "rows-loop")),
    Aim("Qronos, alternating, from Gram matrices, over OPTQ from a Gram matrix", 1.6, ours("gram-qronos-alternating", "gram-optq")),
    Aim("Qronos, projected, from Gram matrices, over OPTQ from a Gram matrix", 1.6, ours("gram-qronos-projected", "gram-optq")),
    Aim("another damping, over the first factorization of X", 1 / 3, ours("new-damping", "rows-factorization")),
    Aim("another ordering, over the first factorization of X", 1 / 3, ours("new-ordering", "rows-factorization")),
    Aim("certificate of given codes, over OPTQ from X", 1 / 2, ours("certificate", "rows-optq")),
    Aim("wall time on two threads, over that on one: the job they help least", 1, least_thread_gain),
    Aim("rows streamed, over their operations at the rate of a matrix product", 2, streamed("float64")),
    Aim("memory beyond the inputs, in N² numbers: the job that needs most", 6, largest_memory),
)


def outcomes(table: pd.DataFrame) -> tuple[int, list[tuple[str, float, Spread, bool]]]:
    """The size, and for each aim its words, its number, what was measured and whether it is reached."""
    sizes = Seconds(table, "layers").sizes
    N = SIZE if SIZE in sizes else sizes[-1]
    found = [(aim, aim.measured(table, N)) for aim in AIMS]
    return N, [(aim.words, aim.most, measured, measured.median <= aim.most) for aim, measured in found]
