"""What is drawn in which look: the colour, the marker and the line of every ordering, algorithm and rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

BLACK, GREY = "#000000", "#999999"
ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"  # Okabe–Ito


@dataclass(frozen=True)
class Look:
    """The name of an ordering, the colour and marker of its measurements, the line style of its bound."""

    label: str
    colour: str
    marker: str
    line: str | tuple


ORDERINGS = {
    "natural": Look("natural", BLUE, "o", "-"),
    "decreasing-norm": Look("decreasing norm", VERMILION, "v", (0, (5, 1.8))),
    "increasing-norm": Look("increasing norm", PURPLE, "^", (0, (1, 1.4))),
    "min-pivot": Look("min-pivot", GREEN, "D", (0, (5, 1.5, 1, 1.5))),
    "random": Look("random", ORANGE, "s", (0, (3, 1.5, 1, 1.5, 1, 1.5))),
}
METHODS = {
    "optq": Look("OPTQ", BLUE, "o", "-"),
    "alternating qronos": Look("Qronos, alternating", VERMILION, "v", (0, (5, 1.8))),
    "projected qronos": Look("Qronos, projected", GREEN, "D", (0, (5, 1.5, 1, 1.5))),
    "gpfq": Look("GPFQ", PURPLE, "^", (0, (1, 1.4))),
}
ROUNDINGS = {"nearest": Look("nearest rounding", BLUE, "o", "-"), "stochastic": Look("stochastic rounding", VERMILION, "v", (0, (5, 1.8)))}


def methods(runs: pd.DataFrame) -> pd.Series:
    """The algorithm of each run, Qronos with its form: the keys of METHODS."""
    return runs["algorithm"].where(runs["algorithm"] != "qronos", runs["form"] + " qronos")


def looks_in(occurring: pd.Series) -> dict[str, Look]:
    """The looks of the kinds of orderings that occur: the known ones in their fixed order, then any other."""
    names = sorted(occurring.unique(), key=place_in(ORDERINGS))
    return {name: ORDERINGS.get(name, Look(name, SKY, "P", "-")) for name in names}


def looks_among(looks: dict[str, Look], names: pd.Series) -> dict[str, Look]:
    """Those of the looks whose names occur."""
    return {name: look for name, look in looks.items() if (names == name).any()}


def place_in(known: dict) -> Callable[[str], tuple[int, str]]:
    """A sort key: known names by their place, unknown ones after them by name."""
    return lambda name: (list(known).index(name) if name in known else len(known), name)
