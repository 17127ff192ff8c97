"""From the rows of a table to words: which settings were run, which of them vary, and one part of a table per setting.

Every sentence, table head, caption or legend that names a setting gets it from here, and here it comes from the rows.
Repetitions (`seed`) are the only axis that may be averaged over; any other that a table or a figure does not show is split by.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import isnan
from typing import NamedTuple

import pandas as pd

PLACES = ("calibration", "layer")  # which matrix: not a setting, but what settings are tried on
SETTINGS = ("algorithm", "form", "rounding", "bits", "steps", "alphabet", "mismatch", "damping", "ordering", "draws", "failure_probability")
REPETITION = "seed"
AXES = (*PLACES, *SETTINGS, REPETITION)
PLAIN = {"steps": "uniform", "mismatch": "none", "draws": 0}  # what goes without saying, unless it varies
ONE_PER = {"calibration": "matrix", "layer": "layer", "algorithm": "algorithm", "form": "form", "rounding": "rounding", "bits": "width",
           "steps": "rule for steps", "alphabet": "alphabet", "mismatch": "mismatch", "damping": "damping", "ordering": "ordering",
           "draws": "number of draws", "failure_probability": "failure probability"}  # fmt: skip

METHODS = {("optq", ""): "OPTQ", ("qronos", "alternating"): "Qronos", ("qronos", "projected"): "projected Qronos", ("gpfq", ""): "GPFQ",
           ("round-to-nearest", ""): "round-to-nearest"}  # fmt: skip
ORDERINGS = {"natural": "natural order", "decreasing-norm": "decreasing norm", "increasing-norm": "increasing norm",
             "min-pivot": "min-pivot order", "permutation": "a permutation"}  # fmt: skip
STEPS = {"uniform": "one step per neuron", "inverse-pivot": "steps inverse to the pivots"}
RULES = {
    "mean-diagonal": "of the mean diagonal of live features",
    "mean-diagonal-all": "of the mean diagonal of all features, dead ones counted as 1",
    "spectral": "of the largest eigenvalue",
}


class Damping(NamedTuple):
    """A damping as the rows hold it: the rule (empty for a number) and its fraction or number."""

    rule: str
    size: float


def parse_damping(damping: object) -> Damping:
    """The rule and the number of a damping; two spellings of one damping are equal.

    >>> parse_damping("mean-diagonal:1e-2") == parse_damping("mean-diagonal:0.01")
    True
    >>> parse_damping("0.5"), parse_damping("none"), parse_damping("george-saab")
    (Damping(rule='', size=0.5), Damping(rule='', size=0.0), Damping(rule='george-saab', size=nan))
    """
    if damping == "none":
        return Damping("", 0.0)
    rule, colon, size = str(damping).rpartition(":")
    if colon:
        return Damping(rule, float(size))
    try:
        return Damping("", float(size))
    except ValueError:
        return Damping(size, float("nan"))


def _damping(damping: object) -> str:
    rule, size = parse_damping(damping)
    if not rule:
        return f"λ = {size:g}" if size else "no damping"
    if rule == "george-saab":
        return "George–Saab damping"
    return f"damping {size:g} {RULES[rule]}" if rule in RULES else f"damping {damping}"


def _ordering(ordering: str) -> str:
    name, _, seed = ordering.partition(":")
    return f"random order {seed}" if name == "random" else ORDERINGS.get(ordering, f"order {ordering}")


def _mismatch(mismatch: str) -> str:
    kind, *sizes = mismatch.split(":")
    if kind == "none":
        return "matched inputs"
    if kind == "noise":
        return f"noise of {100 * float(sizes[0]):g} % of each feature's size"
    if kind == "layers":
        activations = f" and {sizes[1]}-bit activations" if len(sizes) > 1 else ""
        return f"layers before with {sizes[0]}-bit weights{activations}"
    return "the deployed inputs" if kind == "deployed" else f"mismatch {mismatch}"


def method(algorithm: str, form: str = "") -> str:
    """An algorithm by name, Qronos with its form.

    >>> method("optq", "alternating"), method("qronos", "alternating"), method("qronos", "projected")
    ('OPTQ', 'Qronos', 'projected Qronos')
    """
    return METHODS.get((algorithm, form if algorithm == "qronos" else ""), algorithm)


_WORDS = {
    "algorithm": method,
    "form": lambda form: f"{form} form",
    "rounding": lambda rounding: f"{rounding} rounding",
    "bits": lambda bits: f"{int(bits)}-bit steps" if bits else "",  # constructions with a step of their own have no bits
    "steps": lambda steps: STEPS.get(steps, f"{steps} steps"),
    "alphabet": lambda alphabet: f"{alphabet} alphabet",
    "mismatch": _mismatch,
    "damping": _damping,
    "ordering": _ordering,
    "draws": lambda draws: f"{int(draws):,} draws" if draws else "one run",
    "failure_probability": lambda p: f"p = {p:g}",
    "seed": lambda seed: f"repetition {int(seed)}",
}


def in_words(axis: str, value: object) -> str:
    """One value of one axis, as a phrase.

    >>> in_words("bits", 4), in_words("damping", "mean-diagonal:1e-2"), in_words("ordering", "random:3")
    ('4-bit steps', 'damping 0.01 of the mean diagonal of live features', 'random order 3')
    >>> in_words("damping", "mean-diagonal-all:0.01"), in_words("damping", "0.0")
    ('damping 0.01 of the mean diagonal of all features, dead ones counted as 1', 'no damping')
    >>> in_words("mismatch", "layers:4:8")
    'layers before with 4-bit weights and 8-bit activations'
    """
    return _WORDS.get(axis, str)(value)


def all_in_words(axis: str, values: Iterable) -> str:
    """The values of one axis that occur, as one phrase.

    >>> all_in_words("bits", [8, 5, 2]), all_in_words("ordering", ["random:0", "natural", "random:1"])
    ('2-, 5- and 8-bit steps', 'natural order and 2 random orders')
    >>> all_in_words("damping", ["mean-diagonal:1", "mean-diagonal:1e-2", "mean-diagonal:10", "mean-diagonal:100", "spectral:1e-6"])
    'damping 0.01 to 100 of the mean diagonal of live features (4 values) and damping 1e-06 of the largest eigenvalue'
    """
    values = ordered(axis, values)
    if len(values) == 1:
        return in_words(axis, values[0])
    if axis == "bits":
        widths = [f"{int(value)}-" for value in values]
        return f"{enumerated(widths)}bit steps"
    if axis == "ordering":
        named = [_ordering(value) for value in values if not value.startswith("random")]
        drawn = len(values) - len(named)
        return enumerated(named + ([f"{drawn} random orders" if drawn > 1 else "one random order"] if drawn else []))
    if axis == "damping":
        return _dampings(values)
    return enumerated([in_words(axis, value) for value in values])


def _dampings(values: Sequence) -> str:
    by_rule: dict[str, list] = {}
    for value in values:
        by_rule.setdefault(parse_damping(value).rule, []).append(value)
    phrases = []
    for rule, of_rule in by_rule.items():
        sizes = [parse_damping(value).size for value in of_rule]
        if len(of_rule) == 1:
            phrases.append(_damping(of_rule[0]))
            continue
        written = f"{sizes[0]:g} to {sizes[-1]:g}" if len(sizes) > 3 else enumerated([f"{size:g}" for size in sizes])
        count = f" ({len(sizes)} values)" if len(sizes) > 3 else ""
        phrases.append(f"λ = {written}{count}" if not rule else f"damping {written} {RULES.get(rule, rule)}{count}")
    return enumerated(phrases)


def enumerated(phrases: Sequence[str]) -> str:
    """Phrases in a sentence.

    >>> enumerated(["ar1"]), enumerated(["ar1", "digits", "spiked"])
    ('ar1', 'ar1, digits and spiked')
    """
    return "".join(phrases) if len(phrases) < 2 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def ordered(axis: str, values: Iterable) -> list:
    """The distinct values of an axis: numbers and dampings by size, orderings with the random ones last, others by name."""
    distinct = {_identity(axis, value): value for value in values}
    return [distinct[key] for key in sorted(distinct)]


def _identity(axis: str, value: object) -> tuple:
    """What two values that mean the same share, and what values are sorted by."""
    if axis == "damping":
        rule, size = parse_damping(value)
        known = [*RULES, "", "george-saab"]
        return known.index(rule) if rule in known else len(known), rule, 0.0 if isnan(size) else size
    if axis == "ordering":
        name, _, seed = str(value).partition(":")
        place = list(ORDERINGS).index(name) if name in ORDERINGS else len(ORDERINGS)
        return place, name, int(seed) if seed.isdigit() else 0
    if axis == "mismatch":
        kind, *sizes = str(value).split(":")
        return kind != "none", kind, *(float(size) for size in sizes)
    return ("", value) if isinstance(value, str) else ("", float(value))


def normal(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with one spelling per setting: no form but Qronos', one name per damping."""
    changed = {}
    if {"form", "algorithm"} <= set(rows):
        changed["form"] = rows["form"].where(rows["algorithm"] == "qronos", "")
    if "damping" in rows:
        spelt: dict = {}
        changed["damping"] = rows["damping"].map({d: spelt.setdefault(_identity("damping", d), d) for d in rows["damping"].unique()})
    return rows.assign(**changed)


def values_of(rows: pd.DataFrame, axis: str) -> list:
    """The values of an axis that occur in the rows, in their order; empty where the rows have none."""
    if axis not in rows:
        return []
    given = rows[axis].tolist()
    if axis == "form" and "algorithm" in rows:
        given = [form for form, algorithm in zip(given, rows["algorithm"].tolist(), strict=True) if algorithm == "qronos"]
    return ordered(axis, [value for value in set(given) if not pd.isna(value)])


def varying(rows: pd.DataFrame, shown: Collection[str] = ()) -> list[str]:
    """The settings that vary in the rows and are not among the shown ones; repetitions and matrices are none.

    >>> varying(pd.DataFrame({"bits": [3, 4, 5], "ordering": ["natural"] * 3, "seed": [0, 1, 2]}))
    ['bits']
    """
    return [axis for axis in SETTINGS if axis not in shown and len(values_of(rows, axis)) > 1]


def split(rows: pd.DataFrame, shown: Collection[str] = ()) -> list[tuple[str, pd.DataFrame]]:
    """The rows in parts, one for each combination of the settings that vary and are not shown: (which, rows).

    `which` names the settings of a part, and is empty where there is only one. Nothing but repetitions varies unseen in a part.

    >>> for which, part in split(pd.DataFrame({"bits": [5, 4, 5], "rounding": ["nearest"] * 3, "seed": [0, 0, 1]})):
    ...     print(which, len(part))
    4-bit steps 1
    5-bit steps 2
    """
    if rows.empty:
        return []
    rows, by = normal(rows), varying(rows, shown)
    if not by:
        return [("", rows)]
    parts = {tuple(_identity(axis, value) for axis, value in zip(by, values, strict=True)): (values, part)
             for values, part in rows.groupby(by, dropna=False)}  # fmt: skip
    return [(_named(by, values), part) for _, (values, part) in sorted(parts.items(), key=lambda item: item[0])]


def _named(axes: Sequence[str], values: Sequence) -> str:
    of = dict(zip(axes, values, strict=True))
    if "algorithm" in of:
        of["algorithm"] = method(of["algorithm"], of.pop("form", "alternating"))
    phrases = [value if axis == "algorithm" else in_words(axis, value) for axis, value in of.items()]
    return ", ".join(phrase for phrase in phrases if phrase)


def split_in_words(rows: pd.DataFrame, shown: Collection[str] = (), what: str = "table") -> str:
    """Why there are several tables or panels; empty where nothing but the shown settings varies.

    >>> split_in_words(pd.DataFrame({"bits": [3, 4], "ordering": ["natural", "min-pivot"]}), what="panel")
    'the sweep varies bits and ordering: one panel per width and ordering'
    """
    by = varying(rows, shown)
    if not by:
        return ""
    names = [axis.replace("_", " ") for axis in by]
    return f"the sweep varies {enumerated(names)}: one {what} per {enumerated([ONE_PER[axis] for axis in by])}"


def repetitions(rows: pd.DataFrame) -> list[int]:
    """How many repetitions each combination of matrix and settings has: the smallest and the largest number."""
    rows = normal(rows)
    by = [axis for axis in (*PLACES, *SETTINGS) if axis in rows]
    counts = rows.groupby(by, dropna=False)[REPETITION].nunique() if REPETITION in rows and len(rows) else pd.Series([1])
    return [int(counts.min()), int(counts.max())]


def mean_over(rows: pd.DataFrame) -> str:
    """What a mean is over; empty where every run stands alone.

    >>> mean_over(pd.DataFrame({"bits": [4, 4, 8], "seed": [0, 1, 0]})), mean_over(pd.DataFrame({"bits": [4], "seed": [0]}))
    ('mean over 1 to 2 repetitions', '')
    """
    low, high = repetitions(rows)
    return "" if high == 1 else f"mean over {high if low == high else f'{low} to {high}'} repetitions"


def settings(rows: pd.DataFrame, apart: Collection[str] = (), averaged: bool = False, unsaid: dict | None = None) -> str:
    """All settings of the rows in one phrase, apart from those named; with `averaged` also over how many repetitions a mean is.

    What goes without saying (`unsaid`; by default matched inputs, one step per neuron, one run) is said only where it varies.

    >>> rows = pd.DataFrame({"algorithm": "optq", "bits": [4, 8, 8], "damping": "none", "mismatch": "none", "seed": [0, 0, 1]})
    >>> settings(rows, averaged=True), settings(rows.head(1), apart=("damping",))
    ('OPTQ, 4- and 8-bit steps, no damping, mean over 1 to 2 repetitions', 'OPTQ, 4-bit steps')
    """
    phrases, unsaid = [], PLAIN if unsaid is None else unsaid
    if "algorithm" not in apart and "algorithm" in rows:
        pairs = normal(rows)[["algorithm", "form"]].drop_duplicates() if "form" in rows else rows[["algorithm"]].drop_duplicates()
        met = [method(*pair) for pair in pairs.itertuples(index=False)]
        known = list(METHODS.values())
        phrases.append(enumerated(sorted(met, key=lambda name: known.index(name) if name in known else len(known))))
    for axis in SETTINGS:
        values = values_of(rows, axis)
        if axis in apart or axis in ("algorithm", "form") or not values or values == [unsaid.get(axis)]:
            continue
        phrases.append(all_in_words(axis, values))
    said = [phrase for phrase in phrases if phrase]
    return ", ".join(said + ([mean_over(rows)] if averaged and mean_over(rows) else []))


def mean_over_repetitions(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str], whatever: Collection[str] = ()) -> pd.DataFrame:
    """The means of columns for each combination of the axes `by`: over repetitions, and over nothing else.

    Arguments:
        rows: runs.
        by: the axes that are shown.
        columns: what is averaged.
        whatever: settings on which the columns do not depend (pivots have no bits).

    Raises:
        ValueError: another axis varies within a combination; `split` by it first.

    >>> rows = pd.DataFrame({"calibration": "x", "bits": [4, 4, 8], "seed": [0, 1, 0], "ratio": [1.0, 2.0, 5.0]})
    >>> mean_over_repetitions(rows, ["calibration", "bits"], ["ratio"])["ratio"].tolist()
    [1.5, 5.0]
    >>> mean_over_repetitions(rows, ["calibration"], ["ratio"])
    Traceback (most recent call last):
    ...
    ValueError: a mean over repetitions, where bits vary too: split by them first
    """
    groups = normal(rows).groupby(list(by))
    unseen = [axis for axis in (*PLACES, *SETTINGS) if axis in rows and axis not in by and axis not in whatever]
    several = (groups[unseen].nunique() > 1).any()
    mixed = [axis for axis in unseen if several[axis]]
    if mixed:
        raise ValueError(f"a mean over repetitions, where {enumerated(mixed)} vary too: split by them first")
    return groups[list(columns)].mean()
