"""How are weights rounded? Grids, damping, orderings, one factorization, and the algorithms that read it."""

from . import definitions
from .arguments import InvalidArgumentError
from .closest_vector import closest_vector
from .descend import descend
from .factorization import Factorization, factorize
from .grid import Grid
from .k_best import k_best
from .optq import optq
from .path_following import gpfq
from .qronos import CrossGram, qronos
from .rank import RankDeficientError
from .result import Result
from .round_to_nearest import round_to_nearest

__all__ = [
    "CrossGram",
    "Factorization",
    "Grid",
    "InvalidArgumentError",
    "RankDeficientError",
    "Result",
    "closest_vector",
    "definitions",
    "descend",
    "factorize",
    "gpfq",
    "k_best",
    "optq",
    "qronos",
    "round_to_nearest",
]
