"""What a misspelt name was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: object, names: Iterable[str]) -> str:
    """A hint at the nearest valid name, empty where none is near or no text is given; what follows a colon is not compared.

    >>> did_you_mean("mean-diagnal:0.01", ["mean-diagonal:FRACTION", "george-saab"])
    "; did you mean 'mean-diagonal:FRACTION'?"
    """
    if not isinstance(given, str):
        return ""
    by_head = {name.partition(":")[0]: name for name in names}
    near = get_close_matches(given.partition(":")[0], list(by_head), n=1)
    return f"; did you mean {by_head[near[0]]!r}?" if near else ""
