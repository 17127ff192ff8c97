"""The law of a stochastic run: all rounding paths of a small problem, or many independent draws of any problem.

Both put one neuron side by side with itself, so one run of the ordinary recursion makes every draw at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...algorithms import Grid
from ...algorithms.rounding import EveryPath
from .problem import Problem, run

ENUMERABLE = 12  # features up to which all 2^N paths are enumerated
BLOCK = 4096  # draws per run of the recursion: bounds the memory


def repeat_neuron(problem: Problem, neuron: int, times: int) -> Problem:
    """The problem with one of its neurons, side by side with itself `times` times."""
    alphabet = problem.grid.alphabet(problem.N, problem.K)
    column = slice(neuron, neuron + 1)
    ends = (alphabet.low[:, column], alphabet.high[:, column]) if problem.grid.finite else (None, None)
    return problem.but(W=np.tile(problem.W[:, column], times), grid=Grid(alphabet.step[:, column], *ends))


def monte_carlo(problem: Problem, neuron: int, draws: int, algorithm: Callable[[Problem], Any] = run) -> Iterator[tuple[Problem, Any]]:
    """Independent stochastic runs of one neuron, in blocks: each is a problem whose columns are draws, and its result.

    The draws depend on the problem's seed and on nothing else.
    """
    for block, start in enumerate(range(0, draws, BLOCK)):
        seed = int(np.random.SeedSequence([problem.seed, block]).generate_state(1, np.uint64)[0])
        repeated = repeat_neuron(problem, neuron, min(BLOCK, draws - start)).but(seed=seed)
        yield repeated, algorithm(repeated)


def every_path(problem: Problem, neuron: int, algorithm: Callable[[Problem, EveryPath], Any] = run) -> tuple[Problem, Any, np.ndarray]:
    """All 2^N rounding paths of one neuron: the problem of their columns, its result, and their probabilities (2^N,)."""
    repeated = repeat_neuron(problem, neuron, 2**problem.N)
    rule = EveryPath(problem.N)
    result = algorithm(repeated, rule)
    return repeated, result, rule.probabilities
