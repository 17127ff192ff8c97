"""Which damping? Held-out errors of the named rules, and of the minimizer of the closed-form prediction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..settings import enumerated, mean_over_repetitions, parse_damping, split
from .table import LAYER, by_matrix, by_setting, layers_of, matrices, norm_ratio, runs, source
from .words import Section, count, markdown_table, no_sweep, number, paragraphs, plain, setting_words

TITLE = "Which damping λ?"
PREDICTED = "minimizer of the prediction"
RULES = {"mean-diagonal:1e-2": "GPTQ's 0.01 of the mean diagonal of live features",
         "mean-diagonal-all:1e-2": "the GPTQ libraries' 0.01 of the mean diagonal of all features",
         "spectral:1e-6": "Qronos' 1e-6 of the largest eigenvalue", "spectral:1e-3": "Qronos' 1e-3", "george-saab": "George–Saab"}
LONG = {name: name for name in RULES.values()}
SHORT = dict(zip(LONG, ("GPTQ's", "the libraries'", "Qronos' 1e-6", "Qronos' 1e-3", "George–Saab"), strict=True))  # at the second mention
NAMES = {(rule := parse_damping(damping)).rule + f":{rule.size:g}": name for damping, name in RULES.items()}


def damping(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "heldout")
    made = made[made["heldout_error"] > 0]
    if made.empty:
        return no_sweep(TITLE, "heldout")
    made = made.assign(rule=[_rule(damping) for damping in made["damping"]])
    parts = [part for _, part in split(made, ("damping",)) if part["damping"].nunique() > 1]
    if not parts:
        return Section(TITLE, why="the sweep `heldout` tries one damping only")
    text = paragraphs(
        """λ trades reconstruction for stability on inputs that calibration did not see. The bounds cannot choose it: they only rise
with λ. What can is a closed form: with rounding errors like uniform noise the held-out error is
$\\frac1{12}\\sum_j\\delta_j^2(M^\\top SM)_{jj}$, with $S$ from held-out inputs, for any λ and ordering, **without running OPTQ**
(`predicted-heldout-error`, a prediction, no theorem). *Regret* is the held-out error at the chosen λ over the smallest of all dampings
tried, as norms; 1 is best.""",
        by_setting(made, _part, ("damping",)),
        """Where it stops: the prediction knows deployment only as far as its held-out inputs do (here its minimizer is judged on the inputs
that it was chosen on), and its size is off where many weights are much smaller than the step.""",
        show("heldout_against_damping"),
    )
    return Section(TITLE, _answer(parts, source(made, made)), text)


def _rule(damping: str) -> str:
    """The name under which the report knows a damping; empty for one of a grid."""
    rule, size = parse_damping(damping)
    return NAMES.get(f"{rule}:{size:g}", "")


def _regrets(part: pd.DataFrame) -> pd.DataFrame:
    """Per layer the held-out error over the smallest, for the minimizer of the prediction and for each named rule that was run."""
    norms = part.assign(error=np.sqrt(part["heldout_error"]), predicted=np.sqrt(part["heldout_predicted"]))
    means = mean_over_repetitions(norms, [*LAYER, "damping"], ["error", "predicted"])
    named = [name for name in RULES.values() if (part["rule"] == name).any()]
    found = {}
    for index, layer in means.groupby(LAYER):
        error, predicted = layer["error"].droplevel([*LAYER]), layer["predicted"]
        chosen = {PREDICTED: error.iloc[predicted.argmin()] if predicted.notna().any() else np.nan}
        chosen |= dict.fromkeys(named, np.nan) | {name: error[d] for d in error.index if (name := _rule(d))}
        found[index] = pd.Series(chosen) / error.min()
    return pd.DataFrame(found).T.rename_axis(LAYER)


def _networks(regrets: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The lines of matrices that stand alone, and those of networks with several layers."""
    many = regrets.groupby("calibration").transform("size") > 1
    return regrets[~many], regrets[many]


def _answer(parts: list[pd.DataFrame], where: str) -> str:
    single, layers = (pd.concat(of) for of in zip(*(_networks(_regrets(part)) for part in parts), strict=True))
    told = [(layers, f"the {layers_of(layers.reset_index())}")] if len(layers) else []
    if len(single):
        other = "other " if told else ""
        told += [(single, count(len(single.index.unique()), f"{other}matrix", f"{other}matrices"))]
    (first, on), *rest = told
    more = "".join(f"; on {others} {number(of[PREDICTED].max())} times{_rules_in_words(of, SHORT)}" for of, others in rest)
    return (f"**Damping** ({where}): choosing λ by the predicted held-out error gave at most {number(first[PREDICTED].max())} times the "
            f"best error on {on}{_rules_in_words(first)}{more}.")


def _rules_in_words(regrets: pd.DataFrame, called: dict[str, str] = LONG) -> str:
    """The worst regret of each named rule, one by one."""
    worst = [f"{number(regrets[name].max())} with {called[name]}" for name in called if name in regrets and regrets[name].notna().any()]
    return f", against {enumerated(worst)}" if worst else ""


def _part(part: pd.DataFrame) -> str:
    accuracy = norm_ratio(part["heldout_predicted"], part["heldout_error"]).dropna()
    low, high = (float(accuracy.quantile(share)) for share in (0.05, 0.95))
    told = f"""Over {count(len(accuracy), "run")} on {matrices(part)} predicted / measured held-out error, as norms, was
{number(accuracy.median())} in the median, {number(low)} to {number(high)} for nine in ten. """
    return paragraphs(f"{told if len(accuracy) else ''}Regret; {setting_words(part, averaged=True)}:", _table(_regrets(part)))


def _written(regret: float) -> str:
    return "" if np.isnan(regret) else number(regret)


def _table(regrets: pd.DataFrame) -> str:
    single, layers = _networks(regrets)
    lines = [[name, *map(_written, row)] for name, row in by_matrix(single)]
    for calibration, group in layers.groupby("calibration"):
        lines.append([f"{plain(calibration)}: median of {count(len(group), 'layer')}", *map(_written, group.median())])
        lines.append([f"{plain(calibration)}: worst layer", *map(_written, group.max())])
    return markdown_table(["calibration", *regrets.columns], lines)
