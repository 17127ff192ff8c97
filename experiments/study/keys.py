"""Which keys a sweep has, and what each of them accepts, in code and in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...algorithms.arguments import InvalidArgumentError
from ...algorithms.damping import RULES, resolve_damping
from ...algorithms.factorization import RowSource
from ...algorithms.ordering import ORDERINGS, resolve_ordering
from ...algorithms.qronos import FORMS
from ...algorithms.rounding import ROUNDINGS
from ...bounds.checking.problem import ALGORITHMS
from ..calibration.load import MISMATCHES

ALPHABETS = ("infinite", "finite")
STEPS = ("uniform", "inverse-pivot")
MOST_DRAWS = 10**8
LONGEST_NAME = 100  # bytes: names become those of files
NAME = f"a name of letters, digits, '-', '_' and '.', at most {LONGEST_NAME} bytes long"

Test = Callable[[Any], bool]  # of a value of a TOML file


@dataclass(frozen=True)
class Key:
    """What one key of a sweep accepts: a list of values that pass `test`, or one of them; `single`: only one.

    `names` are what a misspelt value may have been meant to be.
    """

    test: Test
    accepted: str
    default: object = None
    required: bool = False
    single: bool = False
    names: tuple[str, ...] = ()


def of_type(*types: type) -> Test:
    """Whether a value is of one of these types; true and false are no numbers."""
    return lambda value: isinstance(value, types) and not isinstance(value, bool)


def is_file_name(value: object) -> bool:
    """Whether a value can be a part of a file's name."""
    return isinstance(value, str) and re.fullmatch(r"\w[\w.-]*", value) is not None and len(value.encode()) <= LONGEST_NAME


_PROBE = RowSource.of(np.eye(2))


def _resolves(resolve: Callable[[Any], object]) -> Test:
    def test(value: object) -> bool:
        try:
            resolve(value)
        except InvalidArgumentError:
            return False
        return True

    return test


def _names_ordering(value: object) -> bool:
    return isinstance(value, str) and _resolves(lambda name: resolve_ordering(name, _PROBE, 1.0))(value)


SWEEP_KEYS = {
    "name": Key(is_file_name, NAME, required=True, single=True),
    "calibration": Key(of_type(str), "names of [calibration.NAME] tables", required=True),
    "mismatch": Key(of_type(str), "the mismatches " + ", ".join(MISMATCHES), ("none",), names=MISMATCHES),
    "damping": Key(_resolves(lambda value: resolve_damping(value, _PROBE)), "numbers >= 0 or the rules " + ", ".join(RULES), (0.0,),
                   names=RULES),
    "ordering": Key(_names_ordering, "the orderings " + ", ".join(ORDERINGS), ("natural",), names=ORDERINGS),
    "rounding": Key(ROUNDINGS.__contains__, " or ".join(ROUNDINGS), ("nearest",), names=ROUNDINGS),
    "algorithm": Key(ALGORITHMS.__contains__, " or ".join(ALGORITHMS), ("optq",), names=ALGORITHMS),
    "form": Key(FORMS.__contains__, " or ".join(FORMS), ("alternating",), names=FORMS),
    "bits": Key(lambda value: of_type(int)(value) and 2 <= value <= 32, "integers from 2 to 32", (4,)),
    "steps": Key(STEPS.__contains__, " or ".join(STEPS), ("uniform",), names=STEPS),
    "alphabet": Key(ALPHABETS.__contains__, " or ".join(ALPHABETS), ("infinite",), names=ALPHABETS),
    "seeds": Key(lambda value: of_type(int)(value) and value >= 1, "an integer >= 1: how many repetitions", 1, single=True),
    "draws": Key(lambda value: of_type(int)(value) and 0 <= value <= MOST_DRAWS, f"an integer from 0 to {MOST_DRAWS}", 0, single=True),
    "failure_probability": Key(lambda value: of_type(float)(value) and 0 < value < 1, "numbers strictly between 0 and 1", (0.05,)),
    "claims": Key(of_type(str), "claim ids", ("all",)),
    "optimum": Key(lambda value: isinstance(value, bool), "true or false", False, single=True),
}
AXES = ("calibration", "mismatch", "damping", "ordering", "rounding", "algorithm", "form", "bits", "steps", "alphabet")
