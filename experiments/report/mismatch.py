"""Qronos or OPTQ, where the layers before are quantized?"""

from __future__ import annotations

import pandas as pd

from ..settings import METHODS, mean_over_repetitions, method, normal, split, values_of
from .table import LAYER, by_setting, layer_name, matrices, norm_ratio, runs, source
from .words import Section, code, details, markdown_table, no_sweep, number, paragraphs, percent, setting_words, span

TITLE = "Qronos or OPTQ, once the layers before are quantized?"
TYPICAL = ("noise:0.1", "layers:4", "layers:4:8")  # what the table shows at first sight
BEST = "projected Qronos"
SMALL, LARGE = 0.01, 0.05  # mismatches, relative to the signal
WORDS = {"noise": "under synthetic noise", "layers": "in networks whose layers before are quantized", "deployed": "on deployed inputs"}
SPELLING = {"noise": '"noise:C": noise of C times each feature\'s size',
            "layers": '"layers:B" or "layers:B:A": all layers before have B-bit weights, and A-bit activations',
            "deployed": '"deployed": the inputs of the deployed network, from a file'}  # fmt: skip


def mismatch(rows: pd.DataFrame, show) -> Section:
    """The section; `show(name)` is the Markdown of a figure."""
    made = runs(rows, "mismatch")
    made = made[(made["mismatch_error"] > 0) & (made["original_signal"] > 0)]
    if made.empty:
        return no_sweep(TITLE, "mismatch")
    shown = ("mismatch", "algorithm", "form")
    made = normal(made)
    made = made.assign(
        program=[method(*pair) for pair in zip(made["algorithm"], made["form"], strict=True)],
        size=norm_ratio(made["mismatch_error"], made["original_signal"]),
        error=norm_ratio(made["deployed_error"], made["original_signal"]),
        bound=norm_ratio(made["deployed_bound"], made["original_signal"]),
    )
    means = pd.concat([_means(part) for _, part in split(made, shown)])
    both = {"OPTQ", BEST} <= set(means["error"])
    pairs = means.dropna(subset=[("error", "OPTQ"), ("error", BEST)]) if both else means.head(0)
    if pairs.empty:
        return Section(TITLE, why="the sweep `mismatch` does not run OPTQ and projected Qronos on the same mismatched inputs")
    text = paragraphs(
        """In a quantized network a layer is given $\\tilde X$, not $X$. OPTQ calibrated on $\\tilde X$ alone pays for the whole mismatch
$\\Vert(X-\\tilde X)w\\Vert$ (`optq-mismatch`); Qronos corrects what weights can correct and keeps only the part outside the column
space of $\\tilde X$ (`qronos-l2`). **The theory supports Qronos where the mismatch is comparable to the rounding error or larger**.
Where it stops: single errors can be smaller elsewhere; only the bound is smallest for projected Qronos (`target-family`).""",
        by_setting(made, _part, shown),
        show("error_against_mismatch"),
    )
    return Section(TITLE, _answer(pairs, source(made, made)), text)


def _means(part: pd.DataFrame) -> pd.DataFrame:
    """Sizes, errors and bounds of each matrix and mismatch, one column per program."""
    by = [*LAYER, "mismatch", "program"]
    means = mean_over_repetitions(part, by, ["size", "error", "bound"], ("algorithm", "form"))
    return pd.DataFrame(means.unstack())


def _kind(mismatch: str) -> str:
    return mismatch.partition(":")[0]


def _by_kind(values: pd.Series) -> list[tuple[str, pd.Series]]:
    """Networks first, synthetic noise after."""
    kinds = values.index.get_level_values("mismatch").map(_kind)
    return [(kind, values[kinds == kind]) for kind in ("layers", "deployed", "noise") if (kinds == kind).any()]


def _spans(gain: pd.Series, where: str) -> str:
    told = " and ".join(f"{span(of)} {WORDS[kind]}" for kind, of in _by_kind(gain))
    return f"{told} {where}" if told else ""


def _gain(pairs: pd.DataFrame) -> pd.Series:
    """OPTQ's error over projected Qronos', as norms."""
    return pairs["error", "OPTQ"] / pairs["error", BEST]


def _answer(pairs: pd.DataFrame, where: str) -> str:
    told = [f"on {int((of > 1).sum())} of {len(of)} settings {WORDS[kind]} (OPTQ's error is {span(of)} times its{_worst(kind, of)})"
            for kind, of in _by_kind(_gain(pairs))]
    bounds = pairs["bound", BEST] <= pairs["bound", "OPTQ"]
    return (f"**Qronos against OPTQ** ({where}): with mismatched inputs projected Qronos had the smaller error {' and '.join(told)}; its "
            f"bound is the smaller one on {int(bounds.sum())} of {len(bounds)}.")


def _worst(kind: str, gain: pd.Series) -> str:
    if kind != "noise":
        return ""
    share = float(gain.index[int(gain.argmax())][2].partition(":")[2])
    return f", the most at noise of {percent(share)} of each feature's size"


def _findings(means: pd.DataFrame) -> str:
    """By how much OPTQ's error is above projected Qronos', by size of the mismatch, and how far the two forms of Qronos differ."""
    if not {"OPTQ", BEST} <= set(means["error"]):
        return ""
    gain, size = _gain(means).dropna(), means[["size"]].mean(axis=1)
    told = [text for small, where in ((True, "where the mismatch is below 1 % of the signal"), (False, "where it is above 5 %"))
            if (text := _spans(gain[(size < SMALL) if small else (size > LARGE)], where))]
    more = f" OPTQ's error over projected Qronos' is {', and '.join(told)}." if told else ""
    if "Qronos" not in means["error"]:
        return more
    forms = (means["error", BEST] / means["error", "Qronos"] - 1).abs().dropna()
    return (f"{more} The two programs called Qronos differ in their first step only, and their errors by {percent(forms.median())} in the "
            f"median over the lines, {percent(forms.max())} at most.")


def _both(measured: float, proven: float) -> str:
    return "" if pd.isna(measured) else f"{number(measured)} ≤ {number(proven)}"


def _part(part: pd.DataFrame) -> str:
    means = _means(part)
    kinds = dict.fromkeys(_kind(value) for value in values_of(part, "mismatch"))
    spelt = "; ".join(SPELLING[kind] for kind in kinds if kind in SPELLING)
    size, error, bound = means[["size"]].mean(axis=1), means["error"], means["bound"]
    programs = [program for program in METHODS.values() if program in error]
    lines = [
        [layer_name(*index[:2]), code(index[2]), number(size[index]), *(_both(error[name][index], bound[name][index]) for name in programs)]
        for index in size.index
    ]
    header = ["calibration", "mismatch", "its size", *programs]
    some = [line for line, index in zip(lines, size.index, strict=True) if index[2] in TYPICAL]
    return paragraphs(
        f"""Norms relative to $\\Vert XW\\Vert_F$: the mismatch, then *measured ≤ proven* error of the deployed layer
$\\Vert XW-\\tilde XQ\\Vert_F$ (the bound is of the damped error, for GPFQ of the undamped); {matrices(part)},
{setting_words(part, "mismatch", "algorithm", "form", averaged=True)}, mismatches from {span(size)}.{_findings(means)} {spelt}:""",
        markdown_table(header, some or lines),
        details("All mismatches", markdown_table(header, lines, folds=False)) if some and len(some) < len(lines) else "",
    )

