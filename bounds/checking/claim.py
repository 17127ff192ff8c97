"""What a claim is: its statement, where it comes from, when it applies, and how both of its sides are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from ...algorithms import Result
from ...algorithms.arguments import reject
from .hypotheses import Hypothesis
from .page import Page, read_page
from .problem import Problem

CHAPTERS = ("deterministic", "stochastic", "mismatch", "adversarial", "predictions")


class Origin(StrEnum):
    """Where a statement comes from."""

    PAPER = "paper"
    CLASSICAL = "classical"
    OURS = "ours"


class Kind(StrEnum):
    """What a statement says about `measured` and `bound`."""

    IDENTITY = "identity"
    UPPER = "upper bound"
    LOWER = "lower bound"
    EXPECTATION = "bound in expectation"
    PROBABILITY = "bound with probability"
    PREDICTION = "prediction"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Both sides of a statement, in the same unit.

    Attributes:
        measured, bound: arrays whose last axis is the neurons (K,), for a claim about the matrix alone the features (N,)
            or one entry; leading axes are further inequalities of the same statement.
        scale: what an identity's residual is relative to; None: the larger side.
        ceiling: the largest value `measured` can take, for bounds in expectation.
        allowance: what float64 may part the sides of an identity by, relative, where that is more than `tolerance` allows.
        noise: what float64 may part the sides by, absolutely, where terms cancel that are larger than both; None: not known, and
            the tolerances reckon with the largest weights.
        natural: the size of what is compared where that does not happen to vanish, such as the bound of the error that an identity
            splits: a verdict needs float64 to see its millionth part (identities: its thousandth). None: the side's own size.
    """

    measured: np.ndarray
    bound: np.ndarray
    scale: np.ndarray | None = None
    ceiling: np.ndarray | None = None
    allowance: float = 0.0
    noise: np.ndarray | float | None = None
    natural: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Claim:
    r"""One statement: what it says, where it comes from, when it applies, and how to compute both of its sides.

    Attributes:
        id, statement (Markdown with LaTeX), origin, source, kind, unit: what is said, by whom, and in what unit.
        evaluate: (problem, result) -> Evaluation. It takes the result as an argument, so that a wrong algorithm can be handed in.
        algorithms, rounding: whose results it is about; a rounding of None: any.
        hypotheses: what else must hold, looked at neuron by neuron where they say so.
        construct: problem -> problem, for statements about weights or matrices of their own making.
        draw: rng -> problem, where the problems that `campaign` draws would not do.
        examples: how many problems suffice, for fixed constructions and predictions; None: as many as are drawn.
        about_neurons: False for statements about the calibration matrix alone.
        per_output: True for statements about single outputs, which change when the samples are rotated (the 2-norm does not).
        chapter: the chapter of the theory, from the file's folder.

    Its `page` (title, hypotheses, proof, lineage, where it is sharp, what it reduces to) is read from the docstring of its file.
    """

    id: str
    statement: str
    origin: Origin
    source: str
    kind: Kind
    unit: str
    evaluate: Callable[[Problem, Result], Evaluation]
    algorithms: tuple[str, ...] = ("optq",)
    rounding: str | None = "nearest"
    hypotheses: tuple[Hypothesis, ...] = ()
    construct: Callable[[Any], Any] | None = None
    draw: Callable[[np.random.Generator], Problem] | None = None
    examples: int | None = None
    about_neurons: bool = True
    per_output: bool = False
    chapter: str = ""

    def __post_init__(self):
        for name in ("hypotheses", "algorithms"):
            if not isinstance(getattr(self, name), tuple):
                raise reject(f"{name} of claim {self.id!r}", getattr(self, name), "a tuple (of one: with a comma)")

    @property
    def fixed(self) -> bool:
        """Whether the claim is about a construction of its own, whatever problem it is called on."""
        return self.examples is not None and self.draw is None

    @property
    def page(self) -> Page:
        """What the claim's file says beside the statement: from the docstring, of the file or the function, that opens with its id.

        >>> claims()["optq-l2"].page.title
        'the 2-norm error bound of OPTQ'
        """
        return read_page(self.id, self.evaluate.__globals__.get("__doc__"), self.evaluate.__doc__)

    @property
    def file(self) -> str:
        """Where the claim stands, from the root of the repository for shipped ones."""
        path = Path(self.evaluate.__code__.co_filename)
        return "/".join(("bounds", self.chapter, path.name)) if self.chapter in CHAPTERS else str(path)

    def __call__(self, problem: Any, result: Any) -> Evaluation:
        """Both sides; exact arithmetic hands in a problem and a result of its own that bear the names of `Problem` and `Result`."""
        return self.evaluate(problem, result)
