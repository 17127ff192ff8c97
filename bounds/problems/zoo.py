"""The named zoo of synthetic calibration matrices: one function per kind, each (samples m, features N, rng) -> X (m, N).

Entries have unit variance up to the kind's own scales. Sweeps, tests and documents use these kinds by name. Every
kind carries tags, which say what is hard or easy about it; `size_tag` says the same of the sizes, which any kind may have.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import dct
from scipy.signal import lfilter

from ...algorithms.arguments import choose, reject

Maker = Callable[..., np.ndarray]

TAGS = ("well conditioned", "correlated", "outlier features", "ill conditioned", "low rank", "rank deficient",
        "dead features", "worst case")
FAR = 4  # samples and features that differ by this factor or more are far apart

ZOO: dict[str, Maker] = {}
ZOO_TAGS: dict[str, tuple[str, ...]] = {}


def tagged(*tags: str) -> Callable[[Maker], Maker]:
    """Take a maker into the zoo, under its own name with hyphens, with some of `TAGS`."""

    def register(make: Maker) -> Maker:
        kind = make.__name__.replace("_", "-")
        ZOO[kind], ZOO_TAGS[kind] = make, tuple(choose("tag", tag, TAGS) for tag in tags)
        return make

    return register


def size_tag(samples: int, features: int) -> str:
    """How the numbers of samples and features compare: "m << N", "m < N", "m = N", "m > N" or "m >> N".

    With fewer samples than features every matrix is rank deficient and needs damping, whatever its kind.

    >>> size_tag(8, 64), size_tag(48, 64), size_tag(64, 64), size_tag(4096, 64)
    ('m << N', 'm < N', 'm = N', 'm >> N')
    """
    if samples == features:
        return "m = N"
    sign = "<" if samples < features else ">"
    return f"m {sign * (2 if max(samples, features) >= FAR * min(samples, features) else 1)} N"


@tagged("well conditioned")
def gaussian(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    """Independent standard normal entries."""
    return rng.standard_normal((m, N))


@tagged("correlated", "ill conditioned")
def ar1(m: int, N: int, rng: np.random.Generator, correlation: float = 0.95) -> np.ndarray:
    """Neighbouring features correlated: an autoregressive process along the features, stationary from the first."""
    noise = rng.standard_normal((m, N))
    noise[:, 1:] *= np.sqrt(1 - correlation**2)
    return np.asarray(lfilter([1.0], [1.0, -correlation], noise, axis=1))


@tagged("outlier features", "ill conditioned")
def heavy_tailed_channels(m: int, N: int, rng: np.random.Generator, tail: float = 1.0) -> np.ndarray:
    """Outlier features as in transformers: Gaussian columns scaled by lognormal factors exp(tail * normal)."""
    return rng.standard_normal((m, N)) * np.exp(tail * rng.standard_normal(N))


@tagged("correlated", "ill conditioned", "low rank")
def low_rank(m: int, N: int, rng: np.random.Generator, rank: int = 8, noise: float = 0.05) -> np.ndarray:
    """A product of two Gaussian factors of the given rank, plus noise."""
    signal = rng.standard_normal((m, rank)) @ rng.standard_normal((rank, N)) / np.sqrt(rank)
    return signal + noise * rng.standard_normal((m, N))


@tagged("correlated", "ill conditioned")
def spiked(m: int, N: int, rng: np.random.Generator, spikes: int = 3, strength: float = 30.0) -> np.ndarray:
    """Identity covariance plus a few strong random directions."""
    directions = np.linalg.qr(rng.standard_normal((N, min(spikes, N))))[0]
    return rng.standard_normal((m, N)) + strength * rng.standard_normal((m, directions.shape[1])) @ directions.T


@tagged("correlated", "ill conditioned")
def power_law(m: int, N: int, rng: np.random.Generator, exponent: float = 1.0) -> np.ndarray:
    """Covariance eigenvalues j^(-2 exponent) in a random basis, largest 1."""
    basis = np.linalg.qr(rng.standard_normal((N, N)))[0]
    return rng.standard_normal((m, N)) * np.arange(1.0, N + 1) ** -exponent @ basis.T


@tagged("rank deficient", "dead features")
def dead_and_duplicated(m: int, N: int, rng: np.random.Generator, dead: int = 2, duplicated: int = 2) -> np.ndarray:
    """Gaussian, then the first `dead` columns zero and each of the last `duplicated` a copy of the column before them."""
    X = rng.standard_normal((m, N))
    for column in range(max(1, N - duplicated), N):
        X[:, column] = X[:, column - 1]
    X[:, : min(dead, N)] = 0
    return X


@tagged("worst case")
def adversarial(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    """Differences of the orthonormal cosine basis, on which OPTQ's errors add up (`adversarial-growth`); needs m = N."""
    if m != N:
        raise reject("samples", m, f"samples = features = {N} for the adversarial matrix")
    C: np.ndarray = dct(np.eye(N), axis=0, norm="ortho")  # pyright: ignore[reportAssignmentType]  # hidden by scipy's dispatch
    return C - np.hstack([C[:, 1:], np.zeros((N, 1))])


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
