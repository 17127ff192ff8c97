"""Nearest or stochastic rounding?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .table import LAYER, norm_ratio, runs
from .words import NOTHING, Section, count, markdown_table, number, paragraphs

PROBABILITY = 0.05
CLAIMS = {"sto-optq-linf", "sto-optq-linf-rowwise"}  # whose levels are compared


def rounding(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    tails = rows[(rows["sweep"] == "tail") & (rows["record"] == "claim")]
    growth = rows[rows["sweep"] == "growth"]
    if not set(tails["claim"]) >= CLAIMS or set(growth["rounding"]) != {"nearest", "stochastic"}:
        return NOTHING
    largest = growth[growth["features"] == growth["features"].max()].groupby("rounding")["measured_max"].max()
    answer = (f"**Stochastic rounding** buys a worst case: on the adversarial construction with N = {int(growth['features'].max()):,} it "
              f"errs by {number(largest['stochastic'])} where nearest rounding errs by {number(largest['nearest'])}{_price(rows)}.")
    text = paragraphs(
        """The errors of nearest rounding can all have one sign; those of stochastic rounding have mean zero whatever came before, so
their sum concentrates. **The theory supports it against worst cases**, where the largest output error matters; on ordinary layers it
predicts twice the mean square error.""",
        _cost(rows),
        _tail_table(rows, tails),
        show("stochastic_tail"),
        _growth_table(growth),
        show("adversarial_growth"),
    )
    return Section("Nearest or stochastic rounding?", answer, text)


def _against_nearest(rows: pd.DataFrame) -> pd.Series:
    """Stochastic over nearest damped error on each layer of the transformer, as norms."""
    made = runs(rows, "layers")
    made = made[(made["bits"] == 4) & (made["alphabet"] == "infinite") & (made["ordering"] == "decreasing-norm")]
    by = made.pivot_table(index=LAYER, columns="rounding", values="damped_error")
    return norm_ratio(by["stochastic"], by["nearest"]) if {"nearest", "stochastic"} <= set(by) else pd.Series(dtype=float)


def _price(rows: pd.DataFrame) -> str:
    ratio = _against_nearest(rows)
    return f"; on the transformer's layers its damped error is {number(ratio.median())} times as large" if len(ratio) else ""


def _cost(rows: pd.DataFrame) -> str:
    ratio = _against_nearest(rows)
    return f"""On the {count(len(ratio), "linear layer")} of the transformer stochastic / nearest damped error was
{number(ratio.median())} in the median ({number(ratio.min())} to {number(ratio.max())}); √2 = 1.41.""" if len(ratio) else ""


def _tail_table(rows: pd.DataFrame, tails: pd.DataFrame) -> str:
    at = tails[tails["failure_probability"] == PROBABILITY]
    sure = rows[(rows["sweep"] == "tail") & (rows["record"] == "tail")].groupby("calibration")["deterministic_level"].first()
    lines = []
    for calibration, group in at.groupby("calibration"):
        of = group.drop_duplicates("claim").set_index("claim")
        paper, rowwise = of.loc["sto-optq-linf"], of.loc["sto-optq-linf-rowwise"]
        levels = [number(paper.level / rowwise.level), number(sure[calibration] / rowwise.level)]
        lines.append([calibration, *levels, _seen(paper), _seen(rowwise)])
    header = ["calibration", "paper's level / row-wise level", "deterministic level / row-wise level", "failures at the paper's level",
              "failures at the row-wise level"]
    return paragraphs(
        f"""**The tail** at $p = {PROBABILITY}$, one neuron, many draws: how often $\\Vert X(w-q)\\Vert_\\infty$ exceeded its level, with
the exact 99 % binomial interval of that probability. The deterministic level is what nearest rounding can never exceed.""",
        markdown_table(header, lines),
    ) if lines else ""


def _seen(row: pd.Series) -> str:
    return f"{int(row.failures)} of {int(row.draws_used):,}: [{number(row.interval_low)}, {number(row.interval_high)}]"


def _growth_table(growth: pd.DataFrame) -> str:
    lines, draws = [], int(growth["seed"].max()) + 1
    for features, group in growth.groupby("features"):
        of = group.groupby("rounding")[["measured_max", "level", "largest_code", "code_level"]].max()
        nearest, stochastic = of.loc["nearest"], of.loc["stochastic"]
        lines.append([f"{int(features):,}", number(nearest.measured_max), number(nearest.level), f"{nearest.largest_code:.0f}",
                      number(stochastic.measured_max), number(stochastic.level), f"{stochastic.largest_code:.0f}",
                      number(stochastic.code_level)])
    header = ["N", "nearest: error", "η√N", "nearest: largest code", f"stochastic: error, largest of {draws} runs",
              "its level", "stochastic: largest code", "its level"]
    power = _slope(growth, "nearest")
    chance = growth[growth["rounding"] == "stochastic"]
    above = int((chance["measured_max"] > chance["level"]).sum())
    return paragraphs(
        f"""**The adversarial construction** (`adversarial-growth`, step 1, η ≈ 0.3): with nearest rounding every error has the same sign
and all of it lands on one output, growing like $N^{{{power:.2f}}}$; of {len(chance)} stochastic runs {above or "none"} exceeded the level
that holds with probability 0.95. No fixed alphabet holds the codes of nearest rounding.""",
        markdown_table(header, lines),
    )


def _slope(growth: pd.DataFrame, rounding: str) -> float:
    """The exponent of the growth with N, by least squares on logarithms."""
    of = growth[growth["rounding"] == rounding]
    return float(np.polyfit(np.log(of["features"].astype(float)), np.log(of["measured_max"].astype(float)), 1)[0])
