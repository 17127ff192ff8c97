"""How far from the best possible grid point, and from the information-theoretic limit?"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ...bounds.predictions.rate_distortion_floor import GAP_IN_BITS
from ..settings import METHODS, STEPS, enumerated, in_words, mean_over_repetitions, method, normal
from .table import LAYER, NAMED_ORDERINGS, by_matrix, by_setting, layer_name, norm_ratio, runs, source
from .words import Section, code, markdown_table, no_sweep, number, paragraphs, percent, setting_words, span

TITLE = "How much better could any method be?"


def optimality(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made, gaps = _against_optimum(rows), bits_above_limit(rows)
    if made.empty and gaps.empty:
        return no_sweep(TITLE, "optimum", "rate-distortion")
    findings = [finding for finding in (_closest(made), _best_gap(gaps)) if finding]
    text = paragraphs(
        _optimum(made),
        show("exact_optimum"),
        _limit(gaps),
        show("rate_distortion"),
    )
    return Section(TITLE, f"**Room for better methods**: {'; '.join(findings) or 'the distances are measured'}.", text)


def _against_optimum(rows: pd.DataFrame) -> pd.DataFrame:
    """The runs of the sweep `optimum`: the damped error over the best grid point's, on deployed inputs where they are given."""
    made = normal(runs(rows, "optimum"))
    made = made[made["optimum_error"] > 0]
    reached = made["deployed_damped_error"].fillna(made["damped_error"])
    program = [method(*pair) for pair in zip(made["algorithm"], made["form"], strict=True)]
    made = made.assign(ratio=norm_ratio(reached, made["optimum_error"]), program=program)
    return made[(made["mismatch"] != "none") | (made["program"] == "OPTQ")]  # on matched inputs Qronos is OPTQ


def _family(made: pd.DataFrame) -> str:
    """The matrices by name, those that differ in their sizes alone as one: `ar1-small-N`."""
    members: dict[str, set[str]] = {}
    for calibration, features in made[["calibration", "features"]].drop_duplicates().to_numpy().tolist():
        members.setdefault(re.sub(rf"(?<=\D){int(features)}$", "N", calibration), set()).add(calibration)
    return enumerated([code(family if len(of) > 1 else min(of)) for family, of in sorted(members.items())])


def _closest(made: pd.DataFrame) -> str:
    """How close OPTQ comes to the optimum at the largest size."""
    matched = made[(made["mismatch"] == "none") & (made["rounding"] == "nearest")]
    if matched.empty:
        return ""
    largest = matched[matched["features"] == matched["features"].max()]
    above = mean_over_repetitions(largest, [*LAYER, "bits", "steps", "alphabet", "damping", "ordering"], ["ratio"])["ratio"] - 1
    return (f"on the small matrices {_family(matched)}, N ≤ {int(matched['features'].max())}, OPTQ's damped error is "
            f"{span(above, percent)} above that of the best grid point at N = {int(matched['features'].max())} ({source(matched, made)})")


def _optimum(made: pd.DataFrame) -> str:
    if made.empty:
        return ""
    sizes = span(made["features"], lambda N: f"{int(N)}")
    undecided = int((made["optimum_decided"] < 1).sum())
    unsure = f" (In {undecided} of {len(made)} runs float64 does not decide which grid point is the best.)" if undecided else ""
    return paragraphs(
        f"""For small N the best grid point can be found exactly (a closest vector problem). What is said here is said of
{_family(made)}, N = {sizes}, and of no larger matrix; `optq-near-optimal` guarantees only the factor γ.{unsure}""",
        by_setting(made, _optimum_table, ("mismatch", "algorithm", "form")),
    )


def _optimum_table(part: pd.DataFrame) -> str:
    by = [*LAYER, "mismatch", "features", "program"]
    means = mean_over_repetitions(part, by, ["ratio"], ("algorithm", "form"))["ratio"].unstack().reset_index()
    programs = [name for name in METHODS.values() if name in means]
    means = means.assign(mismatched=means["mismatch"] != "none").sort_values(["mismatched", "mismatch", "features", *LAYER])
    lines = [
        [layer_name(row["calibration"], row["layer"]), in_words("mismatch", row["mismatch"]), str(int(row["features"])),
         *("" if pd.isna(row[name]) else number(row[name]) for name in programs)]
        for _, row in means.iterrows()
    ]
    which = setting_words(part, "mismatch", "algorithm", "form", averaged=True)
    return paragraphs(f"Damped error (of the deployed layer, if inputs are mismatched) over the best grid point's, as norms; {which}:",
                      markdown_table(["calibration", "inputs", "N", *programs], lines))


def _best_gap(gaps: pd.DataFrame) -> str:
    uniform = gaps[(gaps["steps"] == "uniform") & (gaps["ordering"] == "min-pivot")]
    return (f"one step per neuron leaves {span(uniform['gap'])} bits per weight to the rate–distortion limit ({source(uniform, gaps)})"
            if len(uniform) else "")


def _limit(gaps: pd.DataFrame) -> str:
    if gaps.empty:
        return ""
    return paragraphs(
        f"""**Rate–distortion.** How many bits per weight a method with ideal coding could save at the same damped error: the distance to
the information-theoretic limit for Gaussian weights. Uniform quantizers are predicted to stay {number(GAP_IN_BITS)} bit above it even with
the best steps, $\\delta_j \\propto 1/d_j$ (`rate-distortion-floor`, a prediction). What one step per neuron loses beyond that is
the unevenness of the pivots.""",
        by_setting(gaps, _limit_table, ("steps", "ordering")),
    )


def _limit_table(part: pd.DataFrame) -> str:
    by = mean_over_repetitions(part, [*LAYER, "steps", "ordering"], ["gap"])["gap"].unstack(["steps", "ordering"])
    columns = [column for steps in STEPS for ordering in NAMED_ORDERINGS if (column := (steps, ordering)) in by]
    lines = [[name, *("" if pd.isna(row[column]) else number(row[column]) for column in columns)] for name, row in by_matrix(by)]
    header = ["calibration", *(f"{in_words('steps', steps)}, {in_words('ordering', ordering)}" for steps, ordering in columns)]
    return paragraphs(f"Bits per weight above the limit; {setting_words(part, 'steps', 'ordering', averaged=True)}:",
                      markdown_table(header, lines))


def bits_above_limit(rows: pd.DataFrame) -> pd.DataFrame:
    """Per run of the sweep `rate-distortion`: half the binary logarithm of the damped error over the limit."""
    made = runs(rows, "rate-distortion")
    made = made[(made["order_floor"] > 0) & (made["rate_floor"] > 0) & (made["damped_error"] > 0)]
    return normal(made.assign(gap=0.5 * np.log2(made["damped_error"] / made["rate_floor"]) + GAP_IN_BITS))
