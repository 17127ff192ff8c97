"""Damping rules by name, converted to the one absolute number that the theory calls lambda (bounds/THEORY.md#algorithms)."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .arguments import as_nonnegative, reject

RULES = ("none", "mean-diagonal:FRACTION", "mean-diagonal-all:FRACTION", "mean-diagonal-all:FRACTION:FACTOR", "spectral:FRACTION",
         "george-saab")


class Diagonal(Protocol):
    """What a rule reads of a calibration matrix; zero columns (dead features) are left out of `live`."""

    column_norms_squared: np.ndarray
    live: np.ndarray

    @property
    def samples(self) -> int | None:
        """m, where it is known."""
        ...

    def largest_eigenvalue(self) -> float:
        """sigma_max(X^T X)."""
        ...


def resolve_damping(damping: float | str, source: Diagonal) -> float:
    """The absolute damping of a number or of a named rule, for one calibration matrix.

    Rules: `none`; `mean-diagonal:c`, c times the mean diagonal of X^T X over the live features (c = 0.01 is GPTQ's rule where no
    feature is dead); `mean-diagonal-all:c`, the same as GPTQ libraries compute it, over all features with the dead ones counted
    as 1; `spectral:c`, c times its largest eigenvalue (Qronos: 1e-6 for weights only, 1e-3 with 4-bit activations);
    `george-saab`, ||X||_F^2 / (m^(1/3) min(m, N)^(2/3)) (arXiv 2609.31560).

    Libraries count a dead feature as 1 in units of their own H = FACTOR * X^T X (2 / sequences in the GPTQ authors' code and in
    llm-compressor, 2 / rows in Brevitas), which is 1 / FACTOR in ours: `mean-diagonal-all:0.01:FACTOR` is the damping that such a
    library adds, divided by FACTOR; without FACTOR it is 1, for an H that is X^T X itself. This is the only rule that dead
    features change, and where there are any it does not scale with X: of inputs 1,000 times smaller a dead feature counts a
    million times as much.

    >>> from provable_ptq.algorithms import factorize
    >>> X = np.array([[3.0, 0.0], [1.0, 0.0]])
    >>> [factorize(X, rule).damping for rule in ("mean-diagonal:0.5", "mean-diagonal-all:0.5", "mean-diagonal-all:0.5:0.25")]
    [5.0, 2.75, 3.5]
    """
    if not isinstance(damping, str):
        return as_nonnegative("damping", damping)
    name, fraction, factor = parse_rule(damping)
    value = fraction * _scale(name, factor, source)
    if not np.isfinite(value):
        raise reject("damping", damping, "a rule whose damping does not overflow")
    return value


def parse_rule(damping: str) -> tuple[str, float, float]:
    """The name of a rule, its fraction and its factor (1 where it has none)."""
    name, *given = damping.split(":")
    form = next((rule for rule in RULES if rule.split(":")[0] == name and rule.count(":") == len(given)), None)
    if form is None or "" in given:
        raise reject("damping", damping, "a number >= 0 or one of the rules " + ", ".join(RULES))
    words = form.split(":")[1:]
    try:
        numbers = [float(text) for text in given]
    except ValueError:
        raise reject("damping", damping, f"{form} with a number as {' and as '.join(words)}") from None
    numbers = [as_nonnegative(f"damping {word.lower()} of {name}", number) for word, number in zip(words, numbers, strict=True)]
    fraction, factor = [*numbers, 1.0, 1.0][:2]
    if factor == 0:
        raise reject("damping", damping, f"{form} with a FACTOR > 0")
    return name, fraction, factor


def _scale(name: str, factor: float, source: Diagonal) -> float:
    """What the fraction of a rule is a fraction of."""
    live = source.column_norms_squared[source.live]
    dead = source.live.size - live.size
    if name == "mean-diagonal-all":
        with np.errstate(over="ignore"):
            return float((live.sum() + dead / np.float64(factor)) / source.live.size)
    if name == "none" or not live.size:
        return 0.0
    if name == "mean-diagonal":
        return float(live.mean())
    if name == "spectral":
        return source.largest_eigenvalue()
    if source.samples is None:
        raise reject("damping", name, "a rule that needs no sample count (or pass samples= with the Gram matrix)")
    return float(live.sum() / (source.samples ** (1 / 3) * min(source.samples, live.size) ** (2 / 3)))
