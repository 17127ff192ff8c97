"""Which damping? Held-out errors of the named rules, and of the minimizer of the closed-form prediction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .table import LAYER, RULES, layer_name, norm_ratio, runs
from .words import NOTHING, Section, count, markdown_table, names, number, paragraphs

PREDICTED = "minimizer of the prediction"


def damping(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "heldout")
    made = made[made["heldout_error"] > 0]
    if made.empty:
        return NOTHING
    regrets = made.groupby(LAYER).apply(_regrets, include_groups=False)
    one, many = regrets[~regrets.index.duplicated()], regrets.groupby("calibration").size()
    network = many[many > 1].index
    single = one[~one.index.get_level_values("calibration").isin(network)]
    layers = one[one.index.get_level_values("calibration").isin(network)]
    of = layers if len(layers) else single
    worst = number(of[list(RULES)].max().max())
    where = f"the {count(len(layers), 'layer')} of {names(list(network))}" if len(layers) else count(len(single), "matrix", "matrices")
    fixed = f"; the fixed rules gave up to {worst} times{_elsewhere(single, layers)}" if of[list(RULES)].notna().any(axis=None) else ""
    answer = (f"**Damping**: choosing λ by the predicted held-out error gave at most {number(of[PREDICTED].max())} times the best error "
              f"on {where}{fixed}.")
    accuracy = norm_ratio(made["heldout_predicted"], made["heldout_error"])
    text = paragraphs(
        f"""λ trades reconstruction for stability on inputs that calibration did not see. The bounds cannot choose it: they only rise
with λ. What can is a closed form: with rounding errors like uniform noise the held-out error is
$\\frac1{{12}}\\sum_j\\delta_j^2(M^\\top SM)_{{jj}}$, with $S$ from held-out inputs, for any λ and ordering, **without running OPTQ**
(`predicted-heldout-error`, a prediction, no theorem). Over {count(len(made), 'run')} predicted / measured was
{number(accuracy.median())} in the median, {number(accuracy.quantile(0.05))} to {number(accuracy.quantile(0.95))} for nine in ten. *Regret*
is the held-out error at the chosen λ over the smallest of all dampings tried (norms, 4 bits, decreasing norm); 1 is best:""",
        _table(single, layers),
        """Where it stops: the prediction knows deployment only as far as its held-out inputs do (here its minimizer is judged on the inputs
that it was chosen on), and its size is off where many weights are much smaller than the step.""",
        show("heldout_against_damping"),
    )
    return Section("Which damping λ?", answer, text)


def _elsewhere(single: pd.DataFrame, layers: pd.DataFrame) -> str:
    if not len(layers) or not len(single):
        return ""
    worst = number(single[list(RULES)].max().max())
    return f" (on {count(len(single), 'other matrix', 'other matrices')}: {number(single[PREDICTED].max())} against {worst})"


def _regrets(layer: pd.DataFrame) -> pd.Series:
    """Held-out error over the smallest one, for each rule and for the minimizer of the prediction."""
    errors = np.sqrt(layer.groupby("damping")["heldout_error"].mean())
    predicted = layer.groupby("damping")["heldout_predicted"].mean()
    found = {PREDICTED: errors[predicted.idxmin()]} | {rule: errors.get(rule, np.nan) for rule in RULES}  # a rule that was not run: nan
    return pd.Series(found) / errors.min()


def _written(regret: float) -> str:
    return "" if np.isnan(regret) else number(regret)


def _table(single: pd.DataFrame, layers: pd.DataFrame) -> str:
    columns = [PREDICTED, *RULES]
    lines = [[layer_name(*index), *(_written(row[name]) for name in columns)] for index, row in single.iterrows()]
    for calibration, group in layers.groupby("calibration"):
        lines.append([f"{calibration}: median of {count(len(group), 'layer')}", *(_written(group[name].median()) for name in columns)])
        lines.append([f"{calibration}: worst layer", *(_written(group[name].max()) for name in columns)])
    return markdown_table(["calibration", PREDICTED, *RULES.values()], lines)
