"""A real transformer, layer by layer."""

from __future__ import annotations

import pandas as pd

from .table import ENCODER, LAYER, by_setting, covered_runs, layers_of, norm_ratio, runs, source, usual
from .words import Section, count, markdown_table, no_sweep, number, paragraphs, percent, setting_words, span

TITLE = "Does it hold on the layers of a transformer?"
KINDS = {"query": "query", "key": "key", "value": "value", "attention.output.dense": "attention output",
         "intermediate.dense": "intermediate", "output.dense": "output"}
CLOSE = 0.03


def transformer(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = covered_runs(rows, "layers")
    if made.empty:
        return no_sweep(TITLE, "layers")
    made = made[made["layer"].map(kind_of).astype(str) != ""]
    if made.empty:
        return Section(TITLE, why="the layers of the sweep `layers` are not those of an encoder's blocks")
    made = usual(made, "damping", "ordering")
    made = made.assign(kind=made["layer"].map(kind_of), to_prediction=norm_ratio(made["damped_error"], made["damped_predicted"]))
    typical = usual(made, "bits")
    to_bound, to_rtn = (norm_ratio(typical[over], typical[under])
                        for over, under in (("damped_error", "damped_bound"), ("rtn_damped_error", "damped_error")))
    close = int(((typical["to_prediction"] - 1).abs() < CLOSE).sum())
    of_runs = "" if len(typical) == len(typical[LAYER].drop_duplicates()) else f" of {count(len(typical), 'run')}"
    which = source(typical, runs(rows, "layers"))
    answer = (f"**A transformer**: on the {layers_of(made, 'linear layer')} ({which}) the damped error is {span(to_bound)} of its bound, "
              f"within {percent(CLOSE)} of the prediction on {close}{of_runs}, and RTN's is {span(to_rtn)} times OPTQ's (norms).")
    sizes = f"N = {span(made['features'])}, m = {span(made['samples'], lambda m: f'{m:,.0f}')}"
    text = paragraphs(
        f"All {layers_of(made, 'linear layer')}{_blocks(made)}, {sizes}.",
        show("transformer_layers"),
        by_setting(made, _part, ("bits",)),
    )
    return Section(TITLE, answer, text)


def _blocks(made: pd.DataFrame) -> str:
    blocks = {layer.removeprefix(ENCODER).split(".")[0] for layer in made["layer"] if layer.startswith(ENCODER)}
    return f", in {count(len(blocks), 'block')}" if blocks else ""


def kind_of(layer: str) -> str:
    """Which of the six linear layers of a block this is; empty for layers of other networks.

    >>> kind_of("encoder.layer.3.attention.output.dense"), kind_of("encoder.layer.0.output.dense")
    ('attention output', 'output')
    """
    return next((name for ending, name in KINDS.items() if layer.endswith(ending)), "")


def _part(part: pd.DataFrame) -> str:
    exceeded = int((part["damped_error"] > part["damped_bound"]).sum())
    return paragraphs(
        f"""**Where the prediction stops**: weights smaller than half a step round to zero, and their error is the weight itself, not noise.
Measured / predicted damped error, as norms, over all layers of a kind; {setting_words(part, "bits")}. {_falls(part)} The bound was exceeded
on {exceeded or "none"} of these {count(len(part), "run")}:""",
        _by_bits(part),
    )


def _falls(part: pd.DataFrame) -> str:
    """Where the prediction is furthest off at the fewest bits, and at the usual width."""
    widths = sorted({part["bits"].min(), usual(part, "bits")["bits"].min()})
    worst = [part.loc[part[part["bits"] == width]["to_prediction"].idxmin()] for width in widths]
    falls = [f"{number(row['to_prediction'])} at {int(row['bits'])} bits ({_place(row['layer'])})" for row in worst]
    return f"It falls to {' and to '.join(falls)}."


def _place(layer: str) -> str:
    return f"block {layer.removeprefix(ENCODER).split('.')[0]}, {kind_of(layer)}" if layer.startswith(ENCODER) else kind_of(layer)


def _by_bits(part: pd.DataFrame) -> str:
    widths = sorted(part["bits"].unique())
    lines = [
        [kind, *(span(part[(part["kind"] == kind) & (part["bits"] == width)]["to_prediction"]) for width in widths)]
        for kind in KINDS.values() if kind in set(part["kind"])
    ]
    return markdown_table(["layers", *(f"{int(width)} bits" for width in widths)], lines)
