"""Which ordering of the features?"""

from __future__ import annotations

import pandas as pd

from ..settings import in_words, mean_over_repetitions, split
from .table import LAYER, NAMED_ORDERINGS, by_matrix, by_setting, layers_of, norm_ratio, runs, source
from .words import Section, count, markdown_table, no_sweep, number, paragraphs, percent, plain, setting_words, span

TITLE = "Which ordering of the features?"
SMALL = "permutations"
LOSES = 1.01  # times the bound of natural order
WHATEVER = ("algorithm", "form", "rounding", "bits", "steps", "alphabet", "draws", "failure_probability")  # pivots have none of these


def ordering(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "ordering")
    made = made[(made["order_floor"] > 0) & made["ordering"].isin(NAMED_ORDERINGS)]
    if made.empty:
        return no_sweep(TITLE, "ordering")
    if made["ordering"].nunique() < 2:
        return Section(TITLE, why="the sweep `ordering` has fewer than two of the named orderings")
    parts = split(made, ("ordering", *WHATEVER))
    bounds = {which: _bounds(part) for which, part in parts}
    findings = [finding for finding in (_heuristic(bounds), _best(bounds)) if finding]
    measured = _measured(rows)
    text = paragraphs(
        """The paper's reason for processing features by decreasing norm ("act-order") is its bound for $m \\le N$, where only the last
$m$ features count in full (`optq-l2-explicit`). What any ordering can gain is limited: the product of the squared pivots is
$\\det H$ whatever the ordering, so no bound falls below a floor (`order-floor`). **The theory supports looking at residual norms, not
at norms**, as min-pivot does, which goes backwards and eliminates the smallest *residual* each time. Where it stops: none of these rules
is the best of all orderings.""",
        by_setting(made, _table, ("ordering", *WHATEVER)),
        *(text for text, _ in measured),
        show("ordering_effect"),
        _small(rows),
        show("all_orderings"),
    )
    found = "; ".join(findings) or f"{made['ordering'].nunique()} orderings are compared"
    return Section(TITLE, f"**Ordering** (sweep `ordering`): {'; '.join([found, *(short for _, short in measured)])}.", text)


def _bounds(part: pd.DataFrame) -> pd.DataFrame:
    """The bound over the floor, as norms: one line per matrix, one column per named ordering."""
    ratio = norm_ratio(part["pivot_square_sum"], part["order_floor"])
    by = mean_over_repetitions(part.assign(bound_over_floor=ratio), [*LAYER, "ordering"], ["bound_over_floor"], WHATEVER)
    by = by["bound_over_floor"].unstack()
    return by[[name for name in NAMED_ORDERINGS if name in by]]


def _heuristic(bounds: dict[str, pd.DataFrame]) -> str:
    """Where decreasing norm has the larger bound."""
    with_both = {which: by.dropna(subset=["natural", "decreasing-norm"]) for which, by in bounds.items()
                 if {"natural", "decreasing-norm"} <= set(by)}
    if not with_both:
        return ""
    loses = [name + (f" ({which})" if which else "") for which, by in with_both.items() for name, row in by_matrix(by)
             if row["decreasing-norm"] > LOSES * row["natural"]]
    lost = f"on {', '.join(loses)}" if loses else "nowhere here"
    return f"decreasing norm is a heuristic (its bound is more than 1 % above that of natural order {lost})"


def _best(bounds: dict[str, pd.DataFrame]) -> str:
    """How often min-pivot has the smallest bound of the named orderings."""
    of = [by[by["min-pivot"].notna()] for by in bounds.values() if "min-pivot" in by and len(by.columns) > 1]
    total = sum(map(len, of))
    if not total:
        return ""
    best = sum(int((by["min-pivot"] <= by.min(axis=1) * (1 + 1e-9)).sum()) for by in of)
    among = count(total, "matrix", "matrices") if len(of) == 1 else f"{total} pairs of a matrix and a setting"
    return f"min-pivot has the smallest bound among the named orderings on {best} of {among}"


def _table(part: pd.DataFrame) -> str:
    by = _bounds(part)
    lines = [[name, *("" if pd.isna(value) else number(value) for value in row), "1"] for name, row in by_matrix(by)]
    return paragraphs(f"The bound of OPTQ relative to the floor, as norms; {setting_words(part, 'ordering', *WHATEVER, averaged=True)}:",
                      markdown_table(["calibration", *(in_words("ordering", name) for name in by.columns), "floor"], lines))


def _measured(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """For each setting of the sweep `layers` with two orderings or more: a paragraph on the measured errors, and it in short."""
    made = runs(rows, "layers")
    made = made[made["ordering"].isin(NAMED_ORDERINGS) & (made["damped_error"] > 0)]
    told = [_of_layers(part, made) for _, part in split(made, ("ordering",))]
    return [both for both in told if both]


def _of_layers(part: pd.DataFrame, runs_of_sweep: pd.DataFrame) -> tuple[str, str] | None:
    norms = part.assign(error=part["damped_error"] ** 0.5)
    by = mean_over_repetitions(norms, [*LAYER, "ordering"], ["error"])["error"].unstack()
    if not {"natural", "decreasing-norm", "min-pivot"} <= set(by):
        return None
    by = by.dropna(subset=["natural", "decreasing-norm", "min-pivot"])
    decreasing, best, gain = by["decreasing-norm"] / by["natural"], by["min-pivot"] / by["natural"], by["min-pivot"] / by["decreasing-norm"]
    lower, worse = int((gain < 1).sum()), int((decreasing > 1).sum())
    which, where = setting_words(part, "ordering", averaged=True), layers_of(part, "layer")
    text = f"""On the {where} ({which}) the *measured* damped error (norm) under decreasing norm is
{number(decreasing.median())} times that of natural order in the median ({span(decreasing)}; worse on {worse or "none"}), under min-pivot
{number(best.median())} times ({span(best)}). Min-pivot's error is {_less(gain.median())} than decreasing norm's
in the median ({_less(gain.min())} to {_less(gain.max())}), and smaller on {lower} of {len(by)}."""
    return text, (f"measured on the {where}, min-pivot's error is {_less(gain.median())} than decreasing norm's in the median "
                  f"({source(part, runs_of_sweep)})")


def _less(ratio: float) -> str:
    return f"{percent(abs(1 - ratio))} {'smaller' if ratio <= 1 else 'larger'}"


def _small(rows: pd.DataFrame) -> str:
    everything = rows[(rows["sweep"] == SMALL) & rows["record"].isin(["permutation", "run"])]
    if not (everything["record"] == "permutation").any():
        return ""
    return by_setting(everything, _all_orderings, ("ordering", *WHATEVER))


def _all_orderings(part: pd.DataFrame) -> str:
    everything = part[part["record"] == "permutation"]
    named = [name for name in NAMED_ORDERINGS if name in set(part["ordering"])]
    lines = []
    for calibration, group in everything.groupby("calibration"):
        ratio = norm_ratio(group["pivot_square_sum"], group["order_floor"])
        of = part[(part["record"] == "run") & (part["calibration"] == calibration)].drop_duplicates("ordering").set_index("ordering")
        of = norm_ratio(of["pivot_square_sum"], of["order_floor"])
        better = [percent(float((ratio < of[name] * (1 - 1e-9)).mean())) if name in of else "" for name in named]
        lines.append([plain(calibration), span(ratio), *better])
    orders = everything.groupby(["calibration", "bits"]).size()
    header = ["calibration", "bound / floor, best to worst", *(f"better than {in_words('ordering', name)}" for name in named)]
    return paragraphs(
        f"All {span(orders, lambda value: f'{int(value):,}')} orderings of {span(everything['features'])} features "
        f"({setting_words(part, 'ordering', *WHATEVER)}): the range of the bound, as norms, and the share of all orderings whose bound is "
        "strictly better than that of a named one (0 %: the named one is optimal).",
        markdown_table(header, lines),
    )
