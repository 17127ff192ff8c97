"""How far floating point may stray: every allowance of the project, each with its reason.

A float64 run is compared with a theorem about real numbers. Three things part them:

- The factorization is backward stable column by column: it is exact for X + E with ||E_j|| <= c N eps ||X_j||. The
  projections that make up L, M and the pivots magnify that by at most cond(X), so quantities built from them carry a
  relative error of order N eps cond(X).
- Codes times step and weights times code are rounded: z - q loses eps |w| / step of a step.
- Sums of squares lose (m + N) eps, which the two terms above cover.

The factor 100 below is room for the constants hidden in "of order"; tests/bounds/test_tolerance.py shows that it covers
what exact arithmetic measures and that faults of 1e-4 are still caught.
"""

from __future__ import annotations

import numpy as np

EPS = float(np.finfo(np.float64).eps)
EQUALITY = 1e-6  # inside an allowance this small, equality is all that float64 can see: it counts as holding
VISIBLE = 1e-3  # an identity whose sides float64 cannot compare to this is not decided
IDENTITY = 1e-10  # the design's tolerance for identities of well-conditioned problems
WELL_CONDITIONED = 1e8


def relative_allowance(features: int, condition: float, largest_ratio: float) -> float:
    """What a bound may be missed by, relative to the bound; `largest_ratio` is max |w| / step.

    An output loses a few eps of the largest weight times the largest column; a bound may be as small as the smallest pivot times
    half a step. So the two quotients multiply.
    """
    return float((100 + 4 * largest_ratio) * features * EPS * condition)


def identity_tolerance(features: int, condition: float, largest_ratio: float) -> float:
    """Relative residual that an identity may have; its sides may be much smaller than a bound, hence more room for z - q."""
    representation = 100 * features * EPS * largest_ratio
    if condition <= WELL_CONDITIONED:
        return max(IDENTITY, representation)
    return float(100 * features * EPS * condition + representation)


def projection_allowance(features: int, condition: float, largest_ratio: float = 1.0) -> float:
    """Relative residual of an identity one side of which is computed with L or M alone, not along a result.

    What L and M lose is relative to the weights they act on, `largest_ratio` times the steps that errors are measured in.
    """
    return float(100 * features * EPS * condition * max(1.0, largest_ratio))


def literal_allowance(features: int, condition: float) -> float:
    """Relative residual against a literal definition: its least-squares problems lose eps cond, and their residuals eps cond^2."""
    return projection_allowance(features, condition) + float(EPS * condition**2)


def cancellation(*terms: np.ndarray) -> np.ndarray:
    """What float64 may lose, absolutely, when these arrays are added and cancel: a few eps of their sizes."""
    return 4 * EPS * sum((np.abs(term) for term in terms), np.zeros(()))


def sums(features: int) -> float:
    """What float64 loses of a sum of products, relative to the sum of their sizes: the factorization's backward error included."""
    return 16 * features * EPS


def squared(size_squared: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """What a squared norm loses when its vector loses `loss` in norm: 2 r l + l^2."""
    return 2 * np.sqrt(size_squared) * loss + loss**2
