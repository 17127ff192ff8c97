"""The named zoo of synthetic calibration matrices: one function per kind, each (samples m, features N, rng) -> X (m, N).

Entries have unit variance up to the kind's own scales. THEORY names the kinds; sweeps, tests and documents use these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import dct
from scipy.signal import lfilter

from ...algorithms.arguments import reject

Maker = Callable[..., np.ndarray]


def gaussian(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    """Independent standard normal entries."""
    return rng.standard_normal((m, N))


def ar1(m: int, N: int, rng: np.random.Generator, correlation: float = 0.95) -> np.ndarray:
    """Neighbouring features correlated: an autoregressive process along the features, stationary from the first."""
    noise = rng.standard_normal((m, N))
    noise[:, 1:] *= np.sqrt(1 - correlation**2)
    return lfilter([1.0], [1.0, -correlation], noise, axis=1)


def heavy_tailed_channels(m: int, N: int, rng: np.random.Generator, tail: float = 1.0) -> np.ndarray:
    """Outlier features as in transformers: Gaussian columns scaled by lognormal factors exp(tail * normal)."""
    return rng.standard_normal((m, N)) * np.exp(tail * rng.standard_normal(N))


def low_rank(m: int, N: int, rng: np.random.Generator, rank: int = 8, noise: float = 0.05) -> np.ndarray:
    """A product of two Gaussian factors of the given rank, plus noise."""
    signal = rng.standard_normal((m, rank)) @ rng.standard_normal((rank, N)) / np.sqrt(rank)
    return signal + noise * rng.standard_normal((m, N))


def spiked(m: int, N: int, rng: np.random.Generator, spikes: int = 3, strength: float = 30.0) -> np.ndarray:
    """Identity covariance plus a few strong random directions."""
    directions = np.linalg.qr(rng.standard_normal((N, min(spikes, N))))[0]
    return rng.standard_normal((m, N)) + strength * rng.standard_normal((m, directions.shape[1])) @ directions.T


def power_law(m: int, N: int, rng: np.random.Generator, exponent: float = 1.0) -> np.ndarray:
    """Covariance eigenvalues j^(-2 exponent) in a random basis, largest 1."""
    basis = np.linalg.qr(rng.standard_normal((N, N)))[0]
    return rng.standard_normal((m, N)) * np.arange(1.0, N + 1) ** -exponent @ basis.T


def dead_and_duplicated(m: int, N: int, rng: np.random.Generator, dead: int = 2, duplicated: int = 2) -> np.ndarray:
    """Gaussian, then the first `dead` columns zero and each of the last `duplicated` a copy of the column before them."""
    X = rng.standard_normal((m, N))
    for column in range(max(1, N - duplicated), N):
        X[:, column] = X[:, column - 1]
    X[:, : min(dead, N)] = 0
    return X


def adversarial(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    """Differences of the orthonormal cosine basis, on which OPTQ's errors add up (`adversarial-growth`); needs m = N."""
    if m != N:
        raise reject("samples", m, f"samples = features = {N} for the adversarial matrix")
    C = dct(np.eye(N), axis=0, norm="ortho")
    return C - np.hstack([C[:, 1:], np.zeros((N, 1))])


ZOO: dict[str, Maker] = {
    "gaussian": gaussian,
    "ar1": ar1,
    "heavy-tailed-channels": heavy_tailed_channels,
    "low-rank": low_rank,
    "spiked": spiked,
    "power-law": power_law,
    "dead-and-duplicated": dead_and_duplicated,
    "adversarial": adversarial,
}


def zoo_matrix(kind: str, samples: int, features: int, rng: np.random.Generator, **parameters: float) -> np.ndarray:
    """A calibration matrix (samples, features) of a named kind.

    Raises:
        InvalidArgumentError: an unknown kind.

    >>> zoo_matrix("ar1", 5, 3, np.random.default_rng(0), correlation=0.5).shape
    (5, 3)
    """
    if kind not in ZOO:
        raise reject("kind", kind, "one of " + ", ".join(ZOO))
    return ZOO[kind](samples, features, rng, **parameters)
