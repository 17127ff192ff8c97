"""What a layer is given once the network is quantized, in place of its calibration inputs: the words for it, and synthetic noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...algorithms.arguments import InvalidArgumentError, reject
from ..names import did_you_mean
from .layer import LayerData

MISMATCHES = ("none", "noise:SIZE", "layers:BITS", "layers:BITS:ACTIVATION_BITS", "deployed")
BITS = range(2, 17)


@dataclass(frozen=True)
class Noise:
    """Independent noise of `size` times each feature's root mean square."""

    size: float


@dataclass(frozen=True)
class QuantizedLayers:
    """All linear layers before this one quantized to `bits`, and every layer's input rounded to `activation_bits` if given."""

    bits: int
    activation_bits: int | None = None


@dataclass(frozen=True)
class Deployed:
    """The deployed inputs that the calibration table itself names."""


Mismatch = Noise | QuantizedLayers | Deployed


def parse_mismatch(name: str, value: object) -> Mismatch | None:
    """What one of `MISMATCHES` means; None for "none".

    Raises:
        InvalidArgumentError: anything else; the argument is called `name`.

    >>> parse_mismatch("mismatch", "layers:4:8")
    QuantizedLayers(bits=4, activation_bits=8)
    """
    head, *numbers = value.split(":") if isinstance(value, str) else ("",)
    if head == "none" and not numbers:
        return None
    if head == "deployed" and not numbers:
        return Deployed()
    try:
        if head == "noise" and len(numbers) == 1:
            return Noise(_size(numbers[0]))
        if head == "layers" and len(numbers) in (1, 2):
            return QuantizedLayers(*map(_bits, numbers))
    except ValueError as error:
        raise reject(name, value, f"{_form(head)} with {error}") from None
    raise _unknown(name, value)


def _size(text: str) -> float:
    accepted = "a finite number >= 0 as SIZE"
    try:
        size = float(text)
    except ValueError:
        raise ValueError(accepted) from None
    if not 0 <= size < np.inf:
        raise ValueError(accepted)
    return size


def _bits(text: str) -> int:
    if not text.isdecimal() or int(text) not in BITS:
        raise ValueError(f"numbers of bits from {BITS[0]} to {BITS[-1]}")
    return int(text)


def _form(head: str) -> str:
    return " or ".join(form for form in MISMATCHES if form.startswith(head))


def _unknown(name: str, value: object) -> InvalidArgumentError:
    return reject(name, value, "one of " + ", ".join(MISMATCHES) + did_you_mean(value, MISMATCHES))


def with_noise(layer: LayerData, size: float, rng: np.random.Generator) -> LayerData:
    """The layer with `X_quantized` = X + size * (root mean square of each feature) * standard normal; dead features stay dead.

    Generators in the same state give the same noise for every size. Where X is folded, the noise is drawn in the coordinates of
    its triangle: a rotation of the samples takes independent normal noise to independent normal noise, and what falls outside
    the span of the triangle enters through its Gram matrix alone, so X_quantized^T [X_quantized | X] has the law it has when
    the noise is added sample by sample.

    >>> layer = with_noise(LayerData("x", np.array([[3.0, 0.0], [4.0, 0.0]]), None, np.ones((2, 1))), 0.1, np.random.default_rng(0))
    >>> (layer.X_quantized - layer.X).round(2).tolist()
    [[0.04, 0.0], [0.23, 0.0]]
    """
    held = len(layer.X)
    scale = size * np.sqrt(np.square(layer.X).sum(axis=0) / layer.m)
    within = rng.standard_normal(layer.X.shape)
    outside = folded_normal(layer.m - held, layer.X.shape[1], rng)
    X = np.vstack([layer.X, np.zeros_like(outside)])
    return replace(layer, X=X, X_quantized=X + scale * np.vstack([within, outside]))


def folded_normal(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """A matrix with the law of the triangle of a standard normal (rows, columns) one, without drawing all of it (Bartlett).

    >>> folded_normal(10**9, 2, np.random.default_rng(0)).shape, folded_normal(0, 2, np.random.default_rng(0)).shape
    ((2, 2), (0, 2))
    """
    if rows <= columns:
        return rng.standard_normal((rows, columns))
    triangle = np.triu(rng.standard_normal((columns, columns)), 1)
    triangle[np.diag_indices(columns)] = np.sqrt(rng.chisquare(rows - np.arange(columns)))
    return triangle
