"""The registry of claims: a theorem is one decorated function, and everything else walks the registry."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from ..algorithms.arguments import reject
from .hypotheses import Hypothesis

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
    """

    measured: np.ndarray
    bound: np.ndarray
    scale: np.ndarray | None = None
    ceiling: np.ndarray | None = None
    allowance: float = 0.0


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
    """

    id: str
    statement: str
    origin: Origin
    source: str
    kind: Kind
    unit: str
    evaluate: Callable
    algorithms: tuple[str, ...] = ("optq",)
    rounding: str | None = "nearest"
    hypotheses: tuple[Hypothesis, ...] = ()
    construct: Callable | None = None
    draw: Callable | None = None
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

    def __call__(self, problem, result) -> Evaluation:
        return self.evaluate(problem, result)


_registry: dict[str, Claim] = {}


def claim(**fields: object) -> Callable[[Callable], Claim]:
    """Register the decorated `(problem, result) -> Evaluation` as a claim; the fields are those of `Claim`.

    Raises:
        InvalidArgumentError: an id that is already registered from another file, or an unknown origin or kind.
    """

    def register(evaluate: Callable) -> Claim:
        package = evaluate.__module__.rpartition(".")[0]
        chapter = package.rpartition(".")[2] if package.endswith(CHAPTERS) else "your own"
        for name, accepted in (("origin", Origin), ("kind", Kind)):
            if fields.get(name) not in list(accepted):
                raise reject(name, fields.get(name), "one of " + ", ".join(repr(word.value) for word in accepted))
            fields[name] = accepted(fields[name])
        made = Claim(evaluate=evaluate, chapter=chapter, **fields)
        known = _registry.get(made.id)
        if known is not None and known.evaluate.__code__.co_filename != evaluate.__code__.co_filename:
            raise reject("claim id", made.id, f"an id that is not taken (it is, by {known.evaluate.__module__})")
        _registry[made.id] = made
        return made

    return register


def claims() -> dict[str, Claim]:
    """All registered claims by id, chapter by chapter.

    >>> claims()["optq-l2"].origin.value
    'paper'
    """
    for chapter in CHAPTERS:
        package = importlib.import_module(f".{chapter}", __package__)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f".{chapter}.{module.name}", __package__)
    place = {chapter: index for index, chapter in enumerate(CHAPTERS)}
    return dict(sorted(_registry.items(), key=lambda item: (place.get(item[1].chapter, len(place)), item[0])))


def select(ids: Iterable[str] | None) -> list[Claim]:
    """The claims with these ids; all of them for None."""
    known = claims()
    if ids is None:
        return list(known.values())
    ids = [ids] if isinstance(ids, str) else list(ids)
    for name in ids:
        if name not in known:
            raise reject("claim id", name, "one of " + ", ".join(known))
    return [known[name] for name in ids]


def load_claims(path: str | Path) -> list[str]:
    """Import a file of your own claims; returns the ids it registered.

    Raises:
        InvalidArgumentError: no such file, or a file that registers no claim.
    """
    path = Path(path)
    if not path.is_file():
        raise reject("claims file", str(path), "a Python file that registers claims")
    spec = importlib.util.spec_from_file_location(f"claims_{path.stem}", path)
    before = dict(claims())
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    added = [name for name, made in _registry.items() if before.get(name) is not made]
    if not added:
        raise reject("claims file", str(path), "a file that registers at least one claim with @claim")
    return added
