"""How far from the best possible grid point, and from the information-theoretic limit?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...bounds.predictions.rate_distortion_floor import GAP_IN_BITS
from .table import LAYER, layer_name, norm_ratio, runs
from .words import NOTHING, Section, markdown_table, number, paragraphs, percent, span


def optimality(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "optimum")
    made = made[made["optimum_error"] > 0]
    if not ((made["mismatch"] == "none") & (made["algorithm"] == "optq")).any():
        return NOTHING
    reached = made["deployed_damped_error"].fillna(made["damped_error"])
    qronos = np.where(made["form"] == "projected", "projected Qronos", "Qronos")
    made = made.assign(ratio=norm_ratio(reached, made["optimum_error"]), program=np.where(made["algorithm"] == "optq", "OPTQ", qronos))
    by = made.groupby(["mismatch", "program", "features"])["ratio"].mean().unstack()
    matched = by.loc[("none", "OPTQ")]
    text = paragraphs(
        f"""For small N the best grid point can be found exactly (a closest vector problem). **OPTQ comes close to it**: at
N = {int(matched.index.max())} its damped error is {number(matched.iloc[-1])} times the optimum's, where `optq-near-optimal`
guarantees only the factor γ.{_mismatched(by)}""",
        markdown_table(["inputs", "program", *(f"N = {int(size)}" for size in by.columns)],
                       [["matched" if kind == "none" else f"mismatched, {kind}", program, *(number(value) for value in row)]
                        for (kind, program), row in by.iterrows() if kind != "none" or program == "OPTQ"]),
        show("exact_optimum"),
        _limit(rows),
        show("rate_distortion"),
    )
    above = percent(matched.iloc[-1] - 1)
    answer = (f"**Room for better methods**: at N = {int(matched.index.max())} OPTQ's damped error is on average {above} above that of "
              f"the best grid point{_best_gap(rows)}.")
    return Section("How much better could any method be?", answer, text)


def _mismatched(by: pd.DataFrame) -> str:
    """How close OPTQ and projected Qronos come to the optimum of the deployed error, at the largest size."""
    found = [(kind, by.loc[(kind, "OPTQ")].iloc[-1], by.loc[(kind, "projected Qronos")].iloc[-1])
             for kind in by.index.get_level_values(0).unique()
             if kind != "none" and {(kind, "OPTQ"), (kind, "projected Qronos")} <= set(by.index)]
    return "".join(
        f" With mismatched inputs ({kind}) OPTQ is at {number(optq)} times the optimum of the deployed error, projected Qronos at "
        f"{number(qronos)} times." for kind, optq, qronos in found
    )


def _best_gap(rows: pd.DataFrame) -> str:
    gaps = bits_above_limit(rows)
    uniform = gaps[(gaps["steps"] == "uniform") & (gaps["ordering"] == "min-pivot")]["gap"]
    return f"; one step per neuron leaves {span(uniform)} bits per weight to the rate–distortion limit" if len(uniform) else ""


def _limit(rows: pd.DataFrame) -> str:
    gaps = bits_above_limit(rows)
    if gaps.empty:
        return ""
    by = gaps.groupby([*LAYER, "steps", "ordering"])["gap"].mean().unstack(["steps", "ordering"])
    wanted = [("uniform", "natural"), ("uniform", "decreasing-norm"), ("uniform", "min-pivot"), ("inverse-pivot", "min-pivot")]
    columns = [column for column in wanted if column in by]
    lines = [[layer_name(*index), *(number(row[column]) for column in columns)] for index, row in by.iterrows()]
    return paragraphs(
        f"""**Rate–distortion.** How many bits per weight a method with ideal coding could save at the same damped error: the distance to
the information-theoretic limit for Gaussian weights. Uniform quantizers are predicted to stay {number(GAP_IN_BITS)} bit above it even with
the best steps, $\\delta_j \\propto 1/d_j$ (`rate-distortion-floor`, a prediction). What one step per neuron loses beyond that is
the unevenness of the pivots.""",
        markdown_table(["calibration", *(f"{steps} steps, {ordering}" for steps, ordering in columns)], lines),
    )


def bits_above_limit(rows: pd.DataFrame) -> pd.DataFrame:
    """Per run of the sweep `rate-distortion`: half the binary logarithm of the damped error over the limit."""
    made = runs(rows, "rate-distortion")
    made = made[made["order_floor"] > 0]
    return made.assign(gap=0.5 * np.log2(made["damped_error"] / made["rate_floor"]) + GAP_IN_BITS)
