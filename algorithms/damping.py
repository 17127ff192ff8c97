"""Damping rules by name, converted to the one absolute number that the theory calls lambda (bounds/THEORY.md#algorithms)."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .arguments import as_nonnegative, reject

RULES = ("none", "mean-diagonal:FRACTION", "spectral:FRACTION", "george-saab")


class Diagonal(Protocol):
    """What a rule reads of a calibration matrix; zero columns (dead features) are left out of `live`."""

    samples: int | None
    column_norms_squared: np.ndarray
    live: np.ndarray

    def largest_eigenvalue(self) -> float:
        """sigma_max(X^T X)."""


def resolve_damping(damping: float | str, source: Diagonal) -> float:
    """The absolute damping of a number or of a named rule, for one calibration matrix.

    Rules: `none`; `mean-diagonal:c`, c times the mean diagonal of X^T X (GPTQ uses 0.01); `spectral:c`, c times its
    largest eigenvalue (Qronos: 1e-6 for weights only, 1e-3 with 4-bit activations); `george-saab`,
    ||X||_F^2 / (m^(1/3) min(m, N)^(2/3)) (arXiv 2609.31560). Dead features never change the result.
    """
    if not isinstance(damping, str):
        return as_nonnegative("damping", damping)
    name, _, given = damping.partition(":")
    live_norms = source.column_norms_squared[source.live]
    if damping == "none":
        return 0.0
    if damping == "george-saab":
        if source.samples is None:
            raise reject("damping", damping, "a rule that needs no sample count (or pass samples= with the Gram matrix)")
        m, N = source.samples, live_norms.size
        if N == 0:
            return 0.0
        return float(live_norms.sum() / (m ** (1 / 3) * min(m, N) ** (2 / 3)))
    if name not in ("mean-diagonal", "spectral") or not given:
        raise reject("damping", damping, "a number >= 0 or one of the rules " + ", ".join(RULES))
    try:
        fraction = float(given)
    except ValueError:
        raise reject("damping", damping, f"{name}:FRACTION with a number as FRACTION") from None
    fraction = as_nonnegative(f"damping fraction of {name}", fraction)
    if not live_norms.size:
        return 0.0
    scale = float(live_norms.mean()) if name == "mean-diagonal" else source.largest_eigenvalue()
    if not np.isfinite(fraction * scale):
        raise reject("damping", damping, "a rule whose damping does not overflow")
    return fraction * scale
