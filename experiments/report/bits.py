"""Which alphabet: how many bits suffice, and how many are used?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .table import LAYER, layer_name, runs
from .words import NOTHING, Section, count, details, markdown_table, number, paragraphs, percent, span


def bits(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "bits")
    if made.empty:
        return NOTHING
    made = made.assign(share=made["absolute_damping"] / made["mean_diagonal"])
    nearest, stochastic = (made[made["rounding"] == rounding].sort_values("share") for rounding in ("nearest", "stochastic"))
    if nearest.empty:
        return NOTHING
    extra = bits_for(nearest["sufficient_code"]) - bits_for(nearest["largest_code"])
    low, high = nearest[nearest["share"] < 1e-5], nearest[nearest["share"] > 0.5]
    from_to = _from_smallest_to_largest(low, high)
    answer = (f"**Bits**: the alphabet that provably suffices (`optq-alphabet`) is {span(extra)} bits wider than the one that nearest "
              f"rounding used{'; ' + from_to if from_to else ''}.")
    more = f" Here {from_to}." if from_to else ""
    text = paragraphs(
        f"""OPTQ changes weights before it rounds them, so codes leave the range of the original weights, and a finite alphabet can
saturate, which voids every guarantee. `optq-alphabet` bounds that drift by the row sums of $|M|$: **a sufficient number of bits,
before anything runs**.{more} *Used* is what the largest code of any neuron needs; *likely* suffices for a neuron with probability 0.95
under stochastic rounding (`sto-optq-alphabet`).""",
        _table(nearest, stochastic),
        show("bits_against_damping"),
        _saturation(rows),
    )
    return Section("Which alphabet: how many bits suffice?", answer, text)


def _from_smallest_to_largest(low: pd.DataFrame, high: pd.DataFrame) -> str:
    if low.empty or high.empty:
        return ""
    first, last = (span(bits_for(runs_there["sufficient_code"])) for runs_there in (low, high))
    return f"for a 4-bit step {first} bits suffice at the smallest λ, {last} at the largest"


def bits_for(code: pd.Series) -> pd.Series:
    """The bits of the smallest symmetric alphabet -2^(b-1)..2^(b-1)-1 that holds plus and minus this code.

    >>> bits_for(pd.Series([7.0, 8.0])).tolist()
    [4, 5]
    """
    return np.ceil(np.log2(code + 1) - 1e-12).astype(int) + 1


def _table(nearest: pd.DataFrame, stochastic: pd.DataFrame) -> str:
    lines = []
    for index, group in nearest.groupby(LAYER):
        other = stochastic[(stochastic[LAYER] == list(index)).all(axis=1)]
        columns = [group["largest_code"], group["sufficient_code"], other["largest_code"], other["likely_code"]]
        lines.append([layer_name(*index), *(_from_first_to_last(bits_for(column)) for column in columns)])
    header = ["calibration", "nearest: used", "nearest: suffice", "stochastic: used", "stochastic: likely"]
    ends = f"{number(nearest['share'].min())} to {number(nearest['share'].max())} of the mean diagonal"
    caption = f"Bits at the smallest → the largest λ of the sweep ({ends}), 4-bit steps:"
    return paragraphs(caption, markdown_table(header, lines))


def _from_first_to_last(values: pd.Series) -> str:
    return f"{values.iloc[0]} → {values.iloc[-1]}" if len(values) else ""


def _saturation(rows: pd.DataFrame) -> str:
    made = pd.concat([runs(rows, sweep) for sweep in ("finite-alphabet", "layers")])
    made = made[made["alphabet"] == "finite"]
    if made.empty:
        return ""
    lines = [
        [calibration, str(width), span(group["saturated_share"], percent), span(group["unsaturated_neurons"], percent)]
        for (calibration, width), group in made.groupby(["calibration", "bits"])
    ]
    return paragraphs(
        f"""Where it stops: on the alphabet of the same number of bits as the step (symmetric absmax, {count(len(made), 'run')}) at most
{percent(made["saturated_share"].max())} of the steps saturated, but a neuron with one saturated step has no guarantee left: between
{percent(made["unsaturated_neurons"].min())} and {percent(made["unsaturated_neurons"].max())} of the neurons kept theirs.""",
        details("By matrix", markdown_table(["calibration", "bits", "saturated steps", "neurons that the bounds still cover"], lines)),
    )
