"""What is timed on a layer: each job prepares its inputs, which is not timed, and gives back the task that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from provable_ptq.algorithms import Factorization, Result, factorize, optq, qronos
from provable_ptq.bounds import Problem, check
from provable_ptq.bounds.certificate import departures

from .clock import Task
from .layer import DAMPING, FRACTION, PRECISIONS, Layer
from .published_loop import features_first, gram_matrix, published_loop

OTHER_DAMPING = 2.0  # times the mean diagonal: anything but the first
RESULT = ("codes", "weights", "rounding_errors", "saturated")
FACTORS = ("order", "pivots", "L")


@dataclass(frozen=True)
class Job:
    """One line of the tables.

    Attributes:
        label: what it is called there.
        prepare: from a layer to the task.
        reference: the job it is compared with: the published loop from the same input.
        precisions: those it runs in.
        largest: N beyond which it is left out.
        ours: False for what only serves as a comparison.
    """

    label: str
    prepare: Callable[[Layer], Task]
    reference: str
    precisions: tuple[str, ...] = PRECISIONS
    largest: int = 4096
    ours: bool = True


def whole(made: Result | Factorization) -> Result | Factorization:
    """With everything in it that a caller reads: what is put off until it is asked for is timed too."""
    for name in RESULT if isinstance(made, Result) else FACTORS:
        getattr(made, name)
    return made


def loop_from_gram(layer: Layer) -> Task:
    H, W, levels = torch.from_numpy(layer.gram), layer.W_rows, layer.levels
    return lambda: published_loop(H, W, levels, FRACTION)


def features_first_from_gram(layer: Layer) -> Task:
    H, W, levels = torch.from_numpy(layer.gram), torch.from_numpy(layer.W), layer.levels
    return lambda: features_first(H, W, levels, FRACTION)


def loop_from_rows(layer: Layer) -> Task:
    X, W, levels = torch.from_numpy(layer.X), layer.W_rows, layer.levels
    return lambda: published_loop(gram_matrix(X), W, levels, FRACTION)


def from_gram(layer: Layer) -> Task:
    gram = layer.gram
    return lambda: whole(Factorization.from_gram(gram, DAMPING, dtype=layer.precision))


def optq_from_gram(layer: Layer) -> Task:
    gram, W, grid = layer.gram, layer.W, layer.grid
    return lambda: whole(optq(Factorization.from_gram(gram, DAMPING, dtype=layer.precision), W, grid))


def rounding(layer: Layer) -> Task:
    f, W, grid = whole(layer.factorization), layer.W, layer.grid
    return lambda: whole(optq(f, W, grid))


def stochastic_rounding(layer: Layer) -> Task:
    f, W, grid = whole(layer.factorization), layer.W, layer.grid
    return lambda: whole(optq(f, W, grid, rounding="stochastic", seed=0))


def from_rows(layer: Layer) -> Task:
    X = layer.X
    return lambda: whole(factorize(X, DAMPING, dtype=layer.precision))


def optq_from_rows(layer: Layer) -> Task:
    X, W, grid = layer.X, layer.W, layer.grid
    return lambda: whole(optq(X, W, grid, DAMPING, dtype=layer.precision))


def new_damping(layer: Layer) -> Task:
    f = layer.factorization
    other = OTHER_DAMPING * float(np.mean(f.column_norms_squared))
    return lambda: whole(f.with_damping(other))


def new_ordering(layer: Layer) -> Task:
    f = layer.factorization
    return lambda: whole(f.with_ordering("decreasing-norm"))


def qronos_from_gram(form: str) -> Callable[[Layer], Task]:
    def prepare(layer: Layer) -> Task:
        cross, gram, W, grid = layer.cross_gram, layer.gram_quantized, layer.W, layer.grid
        return lambda: whole(qronos(cross, Factorization.from_gram(gram, DAMPING, dtype=layer.precision), W, grid, form=form))

    return prepare


def qronos_from_rows(form: str) -> Callable[[Layer], Task]:
    def prepare(layer: Layer) -> Task:
        X, X_quantized, W, grid = layer.X, layer.X_quantized, layer.W, layer.grid
        return lambda: whole(qronos(X, X_quantized, W, grid, DAMPING, form=form, dtype=layer.precision))

    return prepare


def certificate(layer: Layer) -> Task:
    f, W, grid = layer.factorization, layer.W, layer.grid
    codes = optq(f, W, grid).codes[f.order]
    return lambda: departures(Problem(replace(f), W, grid), codes)  # a copy remembers no condition number of an earlier call


def all_bounds(layer: Layer) -> Task:
    X, W, grid = layer.X, layer.W, layer.grid
    return lambda: check(Problem(X, W, grid, damping=DAMPING))


JOBS = {
    "gram-loop": Job("published loop", loop_from_gram, "gram-loop", ours=False),
    "gram-loop-features-first": Job("the same, features first in memory", features_first_from_gram, "gram-loop", largest=2048, ours=False),
    "gram-optq": Job("OPTQ", optq_from_gram, "gram-loop"),
    "gram-factorization": Job("its factorization alone", from_gram, "gram-loop"),
    "rounding": Job("its rounding alone", rounding, "gram-loop"),
    "stochastic-rounding": Job("rounding alone, stochastic", stochastic_rounding, "gram-loop"),
    "gram-qronos-alternating": Job("Qronos, alternating", qronos_from_gram("alternating"), "gram-loop"),
    "gram-qronos-projected": Job("Qronos, projected", qronos_from_gram("projected"), "gram-loop"),
    "rows-loop": Job("published loop", loop_from_rows, "rows-loop", ours=False),
    "rows-optq": Job("OPTQ", optq_from_rows, "rows-loop"),
    "rows-factorization": Job("its factorization alone", from_rows, "rows-loop"),
    "new-damping": Job("another damping", new_damping, "rows-loop"),
    "new-ordering": Job("another ordering (decreasing norm)", new_ordering, "rows-loop"),
    "rows-qronos-alternating": Job("Qronos, alternating", qronos_from_rows("alternating"), "rows-loop", largest=2048),
    "rows-qronos-projected": Job("Qronos, projected", qronos_from_rows("projected"), "rows-loop", largest=2048),
    "certificate": Job("certificate of given codes", certificate, "rows-loop", ("float64",)),
    "bounds": Job("OPTQ and every claim about it", all_bounds, "rows-loop", ("float64",)),
}
GROUPS = {  # the lines of the tables, by what they start from
    "From the Gram matrix (Qronos: of the deployed inputs, and the cross-Gram matrix)": (
        "gram-loop", "gram-loop-features-first", "gram-optq", "gram-factorization", "rounding", "stochastic-rounding",
        "gram-qronos-alternating", "gram-qronos-projected"),
    "From the rows of X": (
        "rows-loop", "rows-optq", "rows-factorization", "new-damping", "new-ordering", "rows-qronos-alternating", "rows-qronos-projected",
        "certificate", "bounds"),
}
