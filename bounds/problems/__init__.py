"""Problems to check claims on: the zoo of synthetic calibration matrices, drawn problems, and Hypothesis strategies.

The strategies are imported when they are first asked for: a run of a study has no use for Hypothesis.
"""

from .zoo import ZOO, zoo_matrix

STRATEGIES = ("calibration_matrices", "dampings", "grids", "mismatched_pairs", "orderings", "problems", "weights", "weights_near_ties")

__all__ = ["ZOO", "zoo_matrix", *STRATEGIES]


def __getattr__(name: str) -> object:
    if name in STRATEGIES:
        from . import strategies

        return getattr(strategies, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
