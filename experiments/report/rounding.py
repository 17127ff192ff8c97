"""Nearest or stochastic rounding?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..settings import AXES, enumerated, mean_over_repetitions, normal, split
from .table import LAYER, by_setting, layer_name, layers_of, norm_ratio, runs, source, usual
from .words import Section, count, markdown_table, no_sweep, number, paragraphs, percent, setting_words, span

TITLE = "Nearest or stochastic rounding?"
CLAIMS = ["sto-optq-linf", "sto-optq-linf-rowwise"]  # whose levels are compared
ABOVE = 1.05  # times sqrt(2): where stochastic rounding costs more than the prediction says


def rounding(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    growth = rows[(rows["sweep"] == "growth") & rows["measured_max"].notna()]
    growth = growth if set(growth["rounding"]) == {"nearest", "stochastic"} else growth.head(0)
    costs, tail = _costs(rows), _tail(rows)
    if growth.empty and not costs and not tail:
        return no_sweep(TITLE, "growth", "tail", "layers")
    worst = [f"buys a worst case: on the adversarial construction with N = {_largest(growth, 'features'):,.0f} it errs by at most "
             f"{number(_at_largest(growth, 'stochastic'))} where nearest rounding errs by {number(_at_largest(growth, 'nearest'))} "
             "(sweep `growth`)"]
    answer = "; ".join([*(worst if len(growth) else []), *(_in_short(which, where, table) for _, which, where, table in costs)])
    text = paragraphs(
        """The errors of nearest rounding can all have one sign; those of stochastic rounding have mean zero whatever came before, so
their sum concentrates. **The theory supports it against worst cases**, where the largest output error matters; on ordinary layers it
predicts twice the mean square error.""",
        *(_cost(which, where, table) for which, _, where, table in costs),
        tail,
        show("stochastic_tail"),
        _growth_table(growth) if len(growth) else "",
        show("adversarial_growth"),
    )
    return Section(TITLE, f"**Stochastic rounding** {answer or 'keeps to its levels: see how often they were exceeded'}.", text)


def _costs(rows: pd.DataFrame) -> list[tuple[str, str, str, pd.DataFrame]]:
    """For each setting of the sweep `layers` with both roundings: its words, long and short, on which layers, how both compare."""
    made = runs(rows, "layers")
    made = made[(made["damped_error"] > 0) & (made["saturated_share"] == 0)]
    found = []
    for _, part in split(usual(made, "damping", "ordering"), ("rounding",)):
        norms = part.assign(error=np.sqrt(part["damped_error"]), of_prediction=norm_ratio(part["damped_error"], part["damped_predicted"]))
        known = [name for name in ("error", "of_prediction", "zeroed_share") if name in norms]
        by = pd.DataFrame(mean_over_repetitions(norms, [*LAYER, "rounding"], known).unstack())
        if {"nearest", "stochastic"} <= set(by["error"]):
            by = by[by[["error"]].notna().all(axis=1)]
            by["ratio", ""] = by["error", "stochastic"] / by["error", "nearest"]
            found.append((setting_words(part, "rounding", averaged=True), source(part, made), layers_of(part), by))
    return found


def _in_short(which: str, where: str, by: pd.DataFrame) -> str:
    ratio = by["ratio"]
    return (f"on the {where} its damped error is {number(ratio.median())} times as large in the median, {number(ratio.max())} times at "
            f"most ({which})")


def _cost(which: str, where: str, by: pd.DataFrame) -> str:
    ratio = by["ratio"]
    return f"""On the {where} ({which}) stochastic / nearest damped error, as norms, was
{number(ratio.median())} in the median ({span(ratio)}), where the prediction is √2 = 1.41.{_cause(by[ratio > ABOVE * np.sqrt(2)], by)}"""


def _cause(above: pd.DataFrame, by: pd.DataFrame) -> str:
    """Why the ratio is above the predicted one on some layers, as far as the rows tell."""
    if above.empty:
        return ""
    names = enumerated([layer_name(*index) for index in above.index])
    nearest, stochastic = (span(above["of_prediction", rounding]) for rounding in ("nearest", "stochastic"))
    said = (f" It is more than {percent(ABOVE - 1)} above that on {names}; there nearest rounding errs by {nearest} of its own prediction, "
            f"stochastic by {stochastic} of its own")
    if "zeroed_share" not in by or by[["zeroed_share"]].isna().all(axis=None):
        return f"{said}."
    share = by["zeroed_share", "nearest"]
    here, there = share.loc[above.index], share.loc[by.index.difference(above.index)]
    elsewhere = f" (elsewhere {span(there, percent)})" if len(there) else ""
    return (f"{said}. The cause are wide steps: {span(here, percent)} of the bound lies on "
            f"weights below half a step{elsewhere}, which nearest rounding sets to zero at an error of their own small size, while "
            "stochastic rounding does not.")


def _tail(rows: pd.DataFrame) -> str:
    tails = rows[(rows["sweep"] == "tail") & (rows["record"] == "claim") & rows["claim"].isin(CLAIMS) & (rows["level"] > 0)]
    sure = rows[(rows["sweep"] == "tail") & (rows["record"] == "tail")]
    return by_setting(usual(tails, "failure_probability"), lambda part: _tail_table(part, sure), ("draws",))


def _tail_table(part: pd.DataFrame, sure: pd.DataFrame) -> str:
    same = [axis for axis in AXES if axis not in ("failure_probability", "draws")]
    deterministic = normal(sure).drop_duplicates([*same, "draws"]).set_index([*same, "draws"])["deterministic_level"]
    lines = []
    for index, group in part.groupby([*same, "draws"], dropna=False):
        of = {row["claim"]: row for _, row in group.drop_duplicates("claim").iterrows()}
        if set(CLAIMS) <= set(of):
            paper, rowwise = (of[name] for name in CLAIMS)
            sure_level = number(deterministic.at[index] / rowwise.level) if index in deterministic.index else ""
            levels = [number(paper.level / rowwise.level), sure_level]
            which = f", repetition {paper.seed}" if part["seed"].nunique() > 1 else ""
            lines.append([layer_name(paper.calibration, paper.layer) + which, *levels, _seen(paper), _seen(rowwise)])
    if not lines:
        return ""
    header = ["calibration", "paper's level / row-wise level", "deterministic level / row-wise level", "failures at the paper's level",
              "failures at the row-wise level"]
    return paragraphs(
        f"""**The tail** of one neuron ({setting_words(part, "draws")}): in how many draws
$\\Vert X(w-q)\\Vert_\\infty$ exceeded its level, with the exact 99 % binomial interval of that probability. The deterministic level is
what nearest rounding can never exceed.""",
        markdown_table(header, lines),
    )


def _seen(row: pd.Series) -> str:
    return f"{int(row.failures)} of {int(row.draws_used):,}: [{number(row.interval_low)}, {number(row.interval_high)}]"


def _largest(growth: pd.DataFrame, column: str) -> float:
    return growth[column].max()


def _at_largest(growth: pd.DataFrame, rounding: str) -> float:
    """The largest error of a rounding at the largest size."""
    of = growth[growth["rounding"] == rounding]
    return of[of["features"] == _largest(growth, "features")]["measured_max"].max()


def _growth_table(growth: pd.DataFrame) -> str:
    lines = []
    for features, group in growth.groupby("features"):
        of = group.groupby("rounding")[["measured_max", "level", "largest_code", "code_level"]].max().to_dict("index")
        if not {"nearest", "stochastic"} <= set(of):
            continue
        nearest, stochastic = of["nearest"], of["stochastic"]
        lines.append([f"{features:,.0f}", number(nearest["measured_max"]), number(nearest["level"]), f"{nearest['largest_code']:.0f}",
                      number(stochastic["measured_max"]), number(stochastic["level"]), f"{stochastic['largest_code']:.0f}",
                      number(stochastic["code_level"])])
    chance = growth[growth["rounding"] == "stochastic"]
    draws = chance.groupby("features")["seed"].nunique()
    header = ["N", "nearest: error", "η√N", "nearest: largest code", f"stochastic: error, largest of {span(draws)} runs",
              "its level", "stochastic: largest code", "its level"]
    nearest = growth[growth["rounding"] == "nearest"]
    eta = nearest["level"] / np.sqrt(nearest["features"].astype(float))
    above = int((chance["measured_max"] > chance["level"]).sum())
    levels = chance["failure_probability"].dropna() if "failure_probability" in chance else chance["level"].head(0)
    probability = f" that holds with probability {span(1 - levels)}" if len(levels) else ""
    return paragraphs(
        f"""**The adversarial construction** (`adversarial-growth`, step 1, η = {span(eta)}): with nearest rounding every error has the same
sign and all of it lands on one output{_power(nearest)}; of {count(len(chance), "stochastic run")} {above or "none"} exceeded the
level{probability}. No fixed alphabet holds the codes of nearest rounding.""",
        markdown_table(header, lines),
    )


def _power(nearest: pd.DataFrame) -> str:
    """The exponent of the growth with N, by least squares on logarithms."""
    if nearest["features"].nunique() < 2:
        return ""
    slope = np.polyfit(np.log(nearest["features"].astype(float)), np.log(nearest["measured_max"].astype(float)), 1)[0]
    return f", growing like $N^{{{float(slope):.2f}}}$"
