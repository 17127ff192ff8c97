"""Which ordering of the features?"""

from __future__ import annotations

import pandas as pd

from .table import LAYER, NAMED_ORDERINGS, layer_name, norm_ratio, runs
from .words import NOTHING, Section, count, markdown_table, names, number, paragraphs, percent

SMALL = "permutations"
LOSES = 1.01  # times the bound of natural order


def ordering(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "ordering")
    made = made[made["order_floor"] > 0]
    if made.empty or not {"natural", "decreasing-norm", "min-pivot"} <= set(made["ordering"]):
        return NOTHING
    made = made.assign(ratio=norm_ratio(made["pivot_square_sum"], made["order_floor"]))
    by = made.groupby([*LAYER, "ordering"])["ratio"].mean().unstack()
    by = by[[name for name in NAMED_ORDERINGS if name in by]]
    loses = [layer_name(*index) for index, row in by.iterrows() if row["decreasing-norm"] > LOSES * row["natural"]]
    best = int((by["min-pivot"] <= by.min(axis=1) * (1 + 1e-9)).sum())
    lost = f"on {names(loses)}" if loses else "nowhere here"
    heuristic = f"its bound is more than 1 % above that of natural order {lost}"
    layers = _layers(rows)
    answer = (f"**Ordering**: decreasing norm is a heuristic ({heuristic}); min-pivot has the smallest bound among the named orderings on "
              f"{best} of {len(by)} matrices.")
    header = ["calibration", *by.columns, "floor"]
    lines = [[layer_name(*index), *(number(value) for value in row), "1"] for index, row in by.iterrows()]
    text = paragraphs(
        f"""The paper's reason for processing features by decreasing norm ("act-order") is its bound for $m \\le N$, where only the last
$m$ features count in full (`optq-l2-explicit`). What any ordering can gain is limited: the product of the pivots is
$\\det H$ whatever the ordering, so no bound falls below the floor $N(\\det H)^{{1/N}}$ (`order-floor`). **The theory supports
looking at residual norms, not at norms**: decreasing norm is a heuristic ({heuristic}); min-pivot, which goes backwards and eliminates
the smallest *residual* each time, is the best of the named ones on {best} of {len(by)} matrices. Where it stops: the best ordering of
all is NP-hard to find.""",
        "The bound of OPTQ relative to the floor, damping 0.01 of the mean diagonal:",
        markdown_table(header, lines),
        layers,
        show("ordering_effect"),
        _small(rows),
        show("all_orderings"),
    )
    return Section("Which ordering of the features?", answer, text)


def _layers(rows: pd.DataFrame) -> str:
    made = runs(rows, "layers")
    made = made[(made["bits"] == 4) & (made["rounding"] == "nearest") & (made["alphabet"] == "infinite")]
    by = made.pivot_table(index=LAYER, columns="ordering", values="damped_error")
    if not {"natural", "decreasing-norm", "min-pivot"} <= set(by):
        return ""
    gain = {name: norm_ratio(by[name], by["natural"]) for name in ("decreasing-norm", "min-pivot")}
    lower = int((gain["min-pivot"] < gain["decreasing-norm"]).sum())
    worse = int((gain["decreasing-norm"] > 1).sum())
    return f"""On the {count(len(by), "linear layer")} of the transformer the *measured* damped error under decreasing norm is
{number(gain["decreasing-norm"].median())} times that of natural order in the median ({number(gain["decreasing-norm"].min())} to
{number(gain["decreasing-norm"].max())}; worse on {worse or "none"}), under min-pivot {number(gain["min-pivot"].median())} times
({number(gain["min-pivot"].min())} to {number(gain["min-pivot"].max())}); min-pivot has the smaller error of the two on {lower}."""


def _small(rows: pd.DataFrame) -> str:
    everything = rows[(rows["sweep"] == SMALL) & (rows["record"] == "permutation")]
    if everything.empty:
        return ""
    lines = []
    for calibration, group in everything.groupby("calibration"):
        ratio = norm_ratio(group["pivot_square_sum"], group["order_floor"])
        named = rows[(rows["sweep"] == SMALL) & (rows["record"] == "run") & (rows["calibration"] == calibration)].set_index("ordering")
        of = norm_ratio(named["pivot_square_sum"], named["order_floor"])
        better = [percent(float((ratio < of[name] * (1 - 1e-9)).mean())) for name in NAMED_ORDERINGS]
        lines.append([calibration, f"{number(ratio.min())} to {number(ratio.max())}", *better])
    features, orders = int(everything["features"].iloc[0]), everything.groupby("calibration").size().max()
    chosen = " (`ar1-7` was chosen so that decreasing norm loses)" if "ar1-7" in set(everything["calibration"]) else ""
    header = ["calibration", "bound / floor, best to worst", *(f"better than {name}" for name in NAMED_ORDERINGS)]
    return paragraphs(
        f"All {int(orders):,} orderings of {features} features{chosen}: the range of the bound, "
        "and the share of all orderings whose bound is strictly better than that of a named one (0 %: the named one is optimal).",
        markdown_table(header, lines),
    )

