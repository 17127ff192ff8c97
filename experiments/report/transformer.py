"""A real transformer, layer by layer."""

from __future__ import annotations

import pandas as pd

from .table import norm_ratio, runs
from .words import NOTHING, Section, count, markdown_table, number, paragraphs, span

KINDS = {"query": "query", "key": "key", "value": "value", "attention.output.dense": "attention output",
         "intermediate.dense": "intermediate", "output.dense": "output"}


def transformer(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "layers")
    made = made[(made["rounding"] == "nearest") & (made["alphabet"] == "infinite") & (made["ordering"] == "decreasing-norm")]
    made = made[made["layer"].map(kind_of).astype(str) != ""]
    typical = made[made["bits"] == 4]
    if typical.empty:
        return NOTHING
    to_bound = norm_ratio(typical["damped_error"], typical["damped_bound"])
    to_prediction = norm_ratio(typical["damped_error"], typical["damped_predicted"])
    to_rtn = norm_ratio(typical["rtn_reconstruction"], typical["reconstruction"])
    close = int(((to_prediction - 1).abs() < 0.03).sum())
    answer = (f"**A real transformer**: on the {count(len(typical), 'linear layer')} of MiniLM the damped error at 4 bits is "
              f"{span(to_bound)} of its bound, within 3 % of the prediction on {close}, and RTN's error is {span(to_rtn)} times OPTQ's.")
    text = paragraphs(
        f"""All {count(len(typical), "linear layer")} of MiniLM (6 blocks, N = {span(typical["features"])}),
{int(typical["samples"].iloc[0]):,} tokens of English text, damping 0.01 of the mean diagonal, decreasing norm.""",
        show("transformer_layers"),
        "**Where the prediction stops**: measured / predicted damped error by width, over all layers of a kind:",
        _by_bits(made),
        f"""Weights smaller than half a step round to zero, and their error is the weight itself, not noise. {_falls(made)} The bound was
exceeded on {int((made["damped_error"] > made["damped_bound"]).sum()) or "none"} of these {count(len(made), "run")}.""",
    )
    return Section("Does it hold on a real transformer?", answer, text)


def kind_of(layer: str) -> str:
    """Which of the six linear layers of a block this is; empty for layers of other networks.

    >>> kind_of("encoder.layer.3.attention.output.dense"), kind_of("encoder.layer.0.output.dense")
    ('attention output', 'output')
    """
    return next((name for ending, name in KINDS.items() if layer.endswith(ending)), "")


def _falls(made: pd.DataFrame) -> str:
    """Where the prediction is furthest off at the fewest bits, and at four."""
    ratio = made.assign(ratio=norm_ratio(made["damped_error"], made["damped_predicted"]))
    worst = [ratio.loc[ratio[ratio["bits"] == width]["ratio"].idxmin()] for width in sorted({ratio["bits"].min(), 4})]
    falls = [
        f"{number(row['ratio'])} at {int(row['bits'])} bits (block {row['layer'].split('.')[2]}, {kind_of(row['layer'])})" for row in worst
    ]
    return f"Measured / predicted falls to {' and to '.join(falls)}."


def _by_bits(made: pd.DataFrame) -> str:
    ratio = made.assign(ratio=norm_ratio(made["damped_error"], made["damped_predicted"]), kind=made["layer"].map(kind_of))
    widths = sorted(ratio["bits"].unique())
    lines = [
        [kind, *(span(ratio[(ratio["kind"] == kind) & (ratio["bits"] == width)]["ratio"]) for width in widths)]
        for kind in KINDS.values() if kind in set(ratio["kind"])
    ]
    return markdown_table(["layers", *(f"{int(width)} bits" for width in widths)], lines)


