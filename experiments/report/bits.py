"""Which alphabet: how many bits suffice, and how many are used?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..settings import split
from .table import LAYER, by_setting, layer_name, runs, source
from .words import Section, count, details, markdown_table, no_sweep, number, paragraphs, percent, plain, setting_words, span

TITLE = "Which alphabet: how many bits suffice?"


def bits(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "bits")
    saturation = _saturation(rows)
    made = made[(made["alphabet"] == "infinite") & (made["mean_diagonal"] > 0) & made["largest_code"].notna()]
    made = made.assign(share=made["absolute_damping"] / made["mean_diagonal"])
    nearest = made[made["rounding"] == "nearest"]
    if nearest.empty:
        return no_sweep(TITLE, "bits") if not saturation else Section(TITLE, "**Bits**: see where finite alphabets saturate.", saturation)
    extra = bits_for(nearest["sufficient_code"]) - bits_for(nearest["largest_code"])
    parts = split(nearest, ("damping",))
    ends = f"; {_from_smallest_to_largest(nearest)}" if len(parts) == 1 else ""
    where = source(nearest, nearest)
    answer = (f"**Bits** ({where}): the alphabet that provably suffices (`optq-alphabet`) is {span(extra)} bits wider than the one that "
              f"nearest rounding used{ends}.")
    text = paragraphs(
        f"""OPTQ changes weights before it rounds them, so codes leave the range of the original weights, and a finite alphabet can
saturate, which voids every guarantee. `optq-alphabet` bounds that drift by the row sums of $|M|$: **a sufficient number of bits,
before anything runs**. *Used* is what the largest code of any neuron needs; *likely* suffices for a neuron with probability
{_likely(made)} under stochastic rounding (`sto-optq-alphabet`).""",
        by_setting(made, _part, ("damping", "rounding")),
        show("bits_against_damping"),
        saturation,
    )
    return Section(TITLE, answer, text)


def _likely(made: pd.DataFrame) -> str:
    """The probability with which likely alphabets suffice, where the table knows it."""
    known = span(made["likely_probability"].dropna()) if "likely_probability" in made else ""
    return known or "1 − p"


def bits_for(code: pd.Series) -> pd.Series:
    """The bits of the smallest symmetric alphabet -2^(b-1)..2^(b-1)-1 that holds plus and minus this code.

    >>> bits_for(pd.Series([7.0, 8.0])).tolist()
    [4, 5]
    """
    return np.ceil(np.log2(code + 1) - 1e-12).astype(int) + 1


def _ends(runs_there: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """Per matrix the bits of the largest code at its smallest λ, and at its largest."""
    by = runs_there.dropna(subset=[column]).groupby([*LAYER, "share"])[column].max()
    return bits_for(by.groupby(LAYER).first()), bits_for(by.groupby(LAYER).last())


def _from_smallest_to_largest(nearest: pd.DataFrame) -> str:
    first, last = (span(end) for end in _ends(nearest, "sufficient_code"))
    return f"{first} bits suffice at the smallest λ of a matrix, {last} at the largest"


def _part(part: pd.DataFrame) -> str:
    nearest, stochastic = (part[part["rounding"] == rounding] for rounding in ("nearest", "stochastic"))
    columns = {"nearest: used": (nearest, "largest_code"), "nearest: suffice": (nearest, "sufficient_code"),
               "stochastic: used": (stochastic, "largest_code"), "stochastic: likely": (stochastic, "likely_code")}
    columns = {name: _ends(*source) for name, source in columns.items() if len(source[0])}
    indices = part[LAYER].drop_duplicates().sort_values(LAYER).itertuples(index=False, name=None)
    lines = [[layer_name(*index), *(_from_first_to_last(*ends, index) for ends in columns.values())] for index in indices]
    shares = f"{number(part['share'].min())} to {number(part['share'].max())} of the mean diagonal of live features"
    largest = "; largest over repetitions" if part["seed"].nunique() > 1 else ""
    which = setting_words(part, "damping", "rounding") + largest
    return paragraphs(f"Bits at the smallest → the largest λ of each matrix ({shares}); {which}:",
                      markdown_table(["calibration", *columns], lines))


def _from_first_to_last(first: pd.Series, last: pd.Series, index: tuple) -> str:
    return f"{first[index]} → {last[index]}" if index in first.index else ""


def _saturation(rows: pd.DataFrame) -> str:
    made = pd.concat([runs(rows, sweep) for sweep in ("finite-alphabet", "layers")])
    made = made[(made["alphabet"] == "finite") & made["saturated_share"].notna()]
    if made.empty:
        return ""
    lines = [
        [plain(calibration), str(width), span(group["saturated_share"], percent), span(group["unsaturated_neurons"], percent)]
        for (calibration, width), group in made.groupby(["calibration", "bits"])
    ]
    header = ["calibration", "bits", "saturated steps", "neurons that the bounds still cover"]
    return paragraphs(
        f"""Where it stops: on the alphabet of the same number of bits as the step (symmetric absmax, {count(len(made), 'run')};
{setting_words(made)}) at most
{percent(made["saturated_share"].max())} of the steps saturated, but a neuron with one saturated step has no guarantee left: between
{percent(made["unsaturated_neurons"].min())} and {percent(made["unsaturated_neurons"].max())} of the neurons kept theirs.""",
        details("By matrix and width", markdown_table(header, lines, folds=False)),
    )
