"""Every ordering of a few features: how the proven bound and the error of OPTQ spread over all N! of them (`order-floor`)."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ...algorithms import Factorization, Grid, optq
from ...algorithms.factorization import factored
from ...bounds.checking.measure import squares
from ..calibration import LayerData
from ..calibration.load import identity, shape
from . import Rows, axes
from .views import Inputs

SWEEP = "permutations"
MOST_FEATURES = 7
NAMED = ("natural", "decreasing-norm", "increasing-norm", "min-pivot")


@dataclass(frozen=True)
class PermutationsCell:
    """All orderings of one small calibration matrix at one damping, and the named ones again, by name."""

    study: str
    study_seed: int
    calibration: str
    parameters: tuple[tuple[str, Any], ...]
    damping: float | str
    bits: int

    def spec(self) -> dict[str, Any]:
        """Everything that the rows depend on, apart from the code."""
        return asdict(self) | {"cell": "permutations", "sweep": SWEEP, "parameters": identity(dict(self.parameters))}

    def group(self) -> Hashable:
        """Shares nothing with other cells."""
        return ("permutations", self.calibration, self.parameters, str(self.damping))

    def cost(self) -> float:
        """Seconds: a factorization and a run for each ordering."""
        return 7e-4 * factorial(shape(dict(self.parameters))[1])

    def rows(self, cache: Path | None = None) -> Rows:
        """One row per ordering: the sum of the squared pivots, and the damped error. BLAS runs on one thread."""
        with threadpool_limits(limits=1):
            inputs = Inputs(self.calibration, self.parameters, self.study_seed, cache=cache)
            layer, source = inputs.layer(), inputs.source()
            grid = Grid(Grid.for_weights(layer.W, self.bits).step)
            rows = [{"record": "run", "ordering": name} | _errors(factored(source, self.damping, name), layer, grid) for name in NAMED]
            for order in itertools.permutations(range(layer.X.shape[1])):
                f = factored(source, self.damping, np.array(order))
                rows.append({"record": "permutation", "ordering": "-".join(map(str, order))} | _errors(f, layer, grid))
        shared = axes(study=self.study, sweep=SWEEP, calibration=self.calibration, damping=str(self.damping), bits=self.bits,
                      samples=layer.m, features=layer.W.shape[0], neurons=layer.W.shape[1])
        return [shared | row for row in rows], dict(layer.files)


def _errors(f: Factorization, layer: LayerData, grid: Grid) -> dict[str, float]:
    left = layer.W - optq(f, layer.W, grid).weights
    steps = grid.alphabet(*layer.W.shape).step[f.order]
    squared = f.pivots_squared
    return {
        "pivot_square_sum": float(squared.sum()),
        "order_floor": float(len(squared) * np.exp(np.log(squared).mean())),
        "damped_error": float((squares(layer.X @ left) + f.damping * squares(left)).sum()),
        "damped_bound": float((squared @ steps**2).sum() / 4),
        "step_square_sum": float((steps[0] ** 2).sum()),
        "signal": float(squares(layer.X @ layer.W).sum()),
    }
