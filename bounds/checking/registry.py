"""The registry of claims: a theorem is one decorated function, and everything else walks the registry."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any

from ...algorithms import Result
from ...algorithms.arguments import reject
from .claim import CHAPTERS, Claim, Evaluation, Kind, Origin
from .problem import Problem

Evaluate = Callable[[Problem, Result], Evaluation]

_registry: dict[str, Claim] = {}


def claim(**fields: Any) -> Callable[[Evaluate], Claim]:
    """Register the decorated `(problem, result) -> Evaluation` as a claim; the fields are those of `Claim`.

    Raises:
        InvalidArgumentError: an id that is already registered from another file, or an unknown origin or kind.
    """

    def register(evaluate: Evaluate) -> Claim:
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


def added_by(work: Callable[[], object]) -> list[str]:
    """Call `work`; the ids of the claims that it registers, in its order."""
    before = dict(claims())
    work()
    return [name for name, made in _registry.items() if before.get(name) is not made]
