"""What a cell sees: the layer that it asks for, the factorizations that it shares with other cells, and its run from two sides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...algorithms import Factorization, Grid
from ...algorithms.factorization import RowSource, factored
from ...bounds import Problem, Verdict, check
from ...bounds.checking.claim import Claim
from ..calibration import LayerData, load_layer
from ..seeds import seed_of

if TYPE_CHECKING:
    from .sweep import SweepCell


@dataclass(frozen=True)
class Inputs:
    """Which layer a cell asks for: the arguments of `load_layer`.

    Cells with the same inputs run one after the other, so the layer, the triangle of what it is given when deployed and the
    factorizations of that are kept in the process until others come.
    """

    calibration: str
    parameters: tuple[tuple[str, Any], ...]
    study_seed: int
    seed: int = 0
    mismatch: str = "none"
    cache: Path | None = None

    def layer(self) -> LayerData:
        """The layer."""
        return _layer(self)

    def source(self) -> RowSource:
        """What all dampings and orderings of the deployed inputs share: their triangle and their singular values."""
        return _source(self)

    def factorization(self, damping: float | str, ordering: str) -> Factorization:
        """The factorization of the deployed inputs."""
        return _factorization(self, damping, ordering)


@lru_cache(maxsize=2)
def _layer(inputs: Inputs) -> LayerData:
    return load_layer(inputs.calibration, dict(inputs.parameters), inputs.study_seed, inputs.seed, inputs.mismatch, inputs.cache)


@lru_cache(maxsize=2)
def _source(inputs: Inputs) -> RowSource:
    layer = inputs.layer()
    source = RowSource.of(layer.X if layer.X_quantized is None else layer.X_quantized)
    if layer.folded:
        source.samples = layer.m
    return source


@lru_cache(maxsize=2)
def _factorization(inputs: Inputs, damping: float | str, ordering: str) -> Factorization:
    return factored(inputs.source(), damping, ordering)


@dataclass(frozen=True)
class Views:
    """One run seen twice: through all samples, and through those rows that single outputs are looked at on.

    Where the samples are all at hand the two are the same. Of a folded matrix the triangle serves the 2-norm, and the kept rows
    serve the infinity norm, their number standing for m (the theorems hold for any rows, with V's rows beside them). Mismatched
    folded layers have no second view.
    """

    whole: Problem
    outputs: Problem | None

    @classmethod
    def of(cls, cell: SweepCell, inputs: Inputs) -> Views:
        """The run that a cell describes, on its inputs.

        Raises:
            RankDeficientError: undamped, and the features of the deployed inputs are dependent.
        """
        layer, f = inputs.layer(), inputs.factorization(cell.damping, cell.ordering)
        seed = seed_of(study=cell.study_seed, calibration=cell.calibration, seed=cell.seed, axis="rounding")
        settings = {"W": layer.W, "grid": _grid(cell, layer.W, f), "algorithm": cell.algorithm, "form": cell.form,
                    "rounding": cell.rounding, "seed": seed, "X_validation": layer.X_validation,
                    "failure_probability": cell.failure_probability[0]}
        if layer.X_quantized is not None:
            whole = Problem(X=layer.X, X_quantized=f, **settings)
            return cls(whole, None if layer.folded else whole)
        whole = Problem(X=f, **settings)
        return cls(whole, whole if layer.rows is None else Problem(X=f.on_rows(layer.rows), **settings))

    def at(self, failure_probability: float) -> Views:
        """The same run, with another failure probability for the claims."""
        whole = self.whole.but(failure_probability=failure_probability)
        if self.outputs is None or self.outputs is self.whole:
            return Views(whole, None if self.outputs is None else whole)
        return Views(whole, self.outputs.but(failure_probability=failure_probability))

    def check(self, claim: Claim, draws: int = 0) -> Verdict | None:
        """The verdict of a claim on the view it is about; None where there is none."""
        if not claim.per_output or self.outputs is self.whole:
            return check(self.whole, [claim.id], draws=draws)[claim.id]
        if self.outputs is None:
            return None
        if draws or claim.construct is not None:
            return check(self.outputs, [claim.id], draws=draws)[claim.id]
        return check(self.outputs, [claim.id], algorithm=lambda problem: self.whole.result)[claim.id]


def _grid(cell: SweepCell, W: np.ndarray, f: Factorization) -> Grid:
    grid = Grid.for_weights(W, cell.bits)
    if cell.steps == "inverse-pivot":
        widths = np.empty(len(W))
        widths[f.order] = np.exp(np.log(f.pivots).mean()) / f.pivots
        return Grid(grid.step * widths[:, None])
    return grid if cell.alphabet == "finite" else Grid(grid.step)
