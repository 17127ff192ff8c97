"""Problems to check claims on: the zoo of synthetic calibration matrices, drawn problems, and Hypothesis strategies.

The strategies are imported when they are first asked for: a run of a study has no use for Hypothesis.
"""

from typing import TYPE_CHECKING

from .zoo import ZOO, zoo_matrix

if TYPE_CHECKING:
    from .strategies import calibration_matrices, dampings, grids, mismatched_pairs, orderings, problems, weights, weights_near_ties

STRATEGIES = ("calibration_matrices", "dampings", "grids", "mismatched_pairs", "orderings", "problems", "weights", "weights_near_ties")

__all__ = [
    "ZOO", "calibration_matrices", "dampings", "grids", "mismatched_pairs", "orderings", "problems", "weights", "weights_near_ties",
    "zoo_matrix",
]


def __getattr__(name: str) -> object:
    if name in STRATEGIES:
        from . import strategies

        return getattr(strategies, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
