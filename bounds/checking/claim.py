"""The registry of claims: a theorem is one decorated function, and everything else walks the registry."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np

from ...algorithms.arguments import InvalidArgumentError, as_path, reject
from .containment import contained
from .hypotheses import Hypothesis
from .page import Page, read_page

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
    _import_chapters()
    place = {chapter: index for index, chapter in enumerate(CHAPTERS)}
    return dict(sorted(_registry.items(), key=lambda item: (place.get(item[1].chapter, len(place)), item[0])))


@cache
def _import_chapters() -> None:
    """Import every file of every chapter, once: each registers its claim."""
    for chapter in CHAPTERS:
        package = importlib.import_module(f"..{chapter}", __package__)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"..{chapter}.{module.name}", __package__)


def select(ids: Iterable[str] | None) -> list[Claim]:
    """The claims with these ids; all of them for None."""
    known = claims()
    if ids is None:
        return list(known.values())
    try:
        ids = [ids] if isinstance(ids, str) else list(ids)
    except TypeError:
        raise reject("claim ids", ids, "None or claim ids") from None
    for name in ids:
        if not isinstance(name, str):
            raise reject("claim id", name, "the id of a claim")
        if name not in known:
            near = [f"; did you mean {other!r}?" for other in get_close_matches(name, known, n=1)]
            raise reject("claim id", name, "one of " + ", ".join(known) + "".join(near))
    return [known[name] for name in ids]


def about_problems(ids: Iterable[str] | None) -> list[Claim]:
    """The claims with these ids; for None all that are about the problem at hand, not about a fixed construction."""
    return [claim for claim in select(ids) if ids is not None or not claim.fixed]


def load_claims(path: str | Path) -> list[str]:
    """Import a file of your own claims, which runs it; returns the ids it registered.

    Raises:
        InvalidArgumentError: no such file, one that cannot be imported (with the line and the error), one that ends the program, or one
            that registers no claim.
    """
    path = claims_file(path)
    spec = importlib.util.spec_from_file_location(f"claims_{path.stem}", path)
    before = dict(claims())
    try:
        with contained():
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except (InvalidArgumentError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise reject("claims file", str(path), f"a Python file that can be imported ({what_was_raised(error, path)})") from error
    added = [name for name, made in _registry.items() if before.get(name) is not made]
    if not added:
        raise reject("claims file", str(path), "a file that registers at least one claim with @claim")
    return added


def claims_file(path: str | Path) -> Path:
    """The path of a file of the user's own claims, once it is seen to be there; nothing of it is run.

    Raises:
        InvalidArgumentError: no such file, or no Python file.
    """
    path = as_path("claims file", path, "a Python file that registers claims")
    if not path.is_file() or path.suffix != ".py":
        raise reject("claims file", str(path), "a Python file that registers claims")
    return path


def what_was_raised(error: BaseException, path: str | Path) -> str:
    """An error of a user's file in words: its kind, what it says, and the line of the file where there is one.

    >>> what_was_raised(SyntaxError("invalid syntax", ("mine.py", 3, 1, "1 +")), "mine.py")
    'line 3: SyntaxError: invalid syntax'
    """
    if isinstance(error, SyntaxError):
        said, lines = error.msg, [error.lineno] if error.lineno else []
    else:
        said = " ".join(str(error).split())
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == Path(path).absolute()]
    where = f"line {lines[-1]}: " if lines else ""
    return where + type(error).__name__ + (f": {said}" if said else "")


def refuse_raising(claim_id: str, path: str | Path, error: Exception) -> InvalidArgumentError:
    """What to raise where a claim of a user's file ended with an error."""
    return reject("claim", claim_id, f"a function that can be evaluated (in {path}, {what_was_raised(error, path)})")
