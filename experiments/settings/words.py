"""The values of a study's axes in words, and in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from typing import Any, NamedTuple

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
    distinct = {identity(axis, value): value for value in values}
    return [distinct[key] for key in sorted(distinct)]


def identity(axis: str, value: Any) -> tuple:
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
