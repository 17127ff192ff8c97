"""Qronos or OPTQ, where the layers before are quantized?"""

from __future__ import annotations

import pandas as pd

from .table import LAYER, layer_name, norm_ratio, runs
from .words import NOTHING, Section, count, details, markdown_table, number, paragraphs, percent, span

PROGRAMS = {("optq", ""): "OPTQ", ("qronos", "alternating"): "Qronos", ("qronos", "projected"): "projected Qronos", ("gpfq", ""): "GPFQ"}
TYPICAL = ("noise:0.1", "layers:4", "layers:4:8")  # what the table shows at first sight


def mismatch(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "mismatch")
    made = made[made["mismatch_error"] > 0]
    made = made.assign(
        program=[PROGRAMS.get((a, f if a == "qronos" else ""), a) for a, f in zip(made["algorithm"], made["form"], strict=True)],
        size=norm_ratio(made["mismatch_error"], made["original_signal"]),
        error=norm_ratio(made["deployed_error"], made["original_signal"]),
        bound=norm_ratio(made["deployed_bound"], made["original_signal"]),
    )
    if not {"OPTQ", "Qronos", "projected Qronos"} <= set(made["program"]):
        return NOTHING
    by = made.groupby([*LAYER, "mismatch", "program"])[["size", "error", "bound"]].mean().unstack()
    error, bound, size = by["error"], by["bound"], by["size"]["OPTQ"]
    gain = error["OPTQ"] / error["projected Qronos"]
    wins = int((error["projected Qronos"] < error["OPTQ"]).sum())
    lower_bound = int((bound["projected Qronos"] <= bound["OPTQ"]).sum())
    forms = (error["projected Qronos"] / error["Qronos"] - 1).abs()
    answer = (f"**Qronos against OPTQ**: with mismatched inputs projected Qronos had the smaller error on {wins} of {len(by)} settings "
              f"(OPTQ's error is {number(gain.min())} to {number(gain.max())} times its); its bound is the smaller one on {lower_bound}.")
    text = paragraphs(
        f"""In a quantized network a layer is given $\\tilde X$, not $X$. OPTQ calibrated on $\\tilde X$ alone pays for the whole mismatch
$\\Vert(X-\\tilde X)w\\Vert$ (`optq-mismatch`); Qronos corrects what weights can correct and keeps only the part outside the column
space of $\\tilde X$ (`qronos-l2`). **The theory supports Qronos where the mismatch is comparable to the rounding error or larger**:
OPTQ's error over projected Qronos' is {_median(gain[size < 0.01])} for mismatches below 1 % of the signal, and
{_median(gain[size > 0.05])} above 5 %. Where it stops: single errors can be smaller elsewhere; only the bound is smallest for projected
Qronos (`target-family`).""",
        f"""The two programs called Qronos differ in their first step only, and their errors by {percent(forms.median())} in the median,
{percent(forms.max())} at most. "layers:4:8": all layers before have 4-bit weights and 8-bit activations; "noise:0.1": noise of a
tenth of each feature's size.""",
        _table(size, error, bound),
        show("error_against_mismatch"),
    )
    return Section("Qronos or OPTQ, once the layers before are quantized?", answer, text)


def _both(measured: float, proven: float) -> str:
    return "" if pd.isna(measured) else f"{number(measured)} ≤ {number(proven)}"


def _median(values: pd.Series) -> str:
    return f"{number(values.median())} in the median" if len(values) else "not measured"


def _table(size: pd.Series, error: pd.DataFrame, bound: pd.DataFrame) -> str:
    matrices = count(error.index.droplevel("mismatch").nunique(), "matrix", "matrices")
    programs = [program for program in PROGRAMS.values() if program in error]
    header = ["calibration", "mismatch", "its size", *programs]
    lines = [
        [layer_name(*index[:2]), index[2], number(size[index]), *(_both(error[name][index], bound[name][index]) for name in programs)]
        for index in size.index
    ]
    return paragraphs(
        f"""Relative to $\\Vert XW\\Vert_F$: mismatch, then *measured ≤ proven* error of the deployed layer
$\\Vert XW-\\tilde XQ\\Vert_F$ (the bound is of the damped error, for GPFQ of the undamped), {matrices}, 4-bit steps, mean over
repetitions, mismatches from {span(size)} in all:""",
        markdown_table(header, [line for line in lines if line[1] in TYPICAL]),
        details("All mismatches", markdown_table(header, lines)),
    )
