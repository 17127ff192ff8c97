"""One linear layer as every study reads it: calibration inputs, held-out inputs, weights, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...algorithms.arguments import as_count, as_matrix, reject

KEPT_ROWS = 1024  # at most so many sample rows are kept of a folded matrix, for statements about single outputs


@dataclass(frozen=True, eq=False)
class LayerData:
    """Inputs and weights of one linear layer, checked and read-only; the layer computes `X @ W + bias`.

    A matrix of very many samples is *folded*: `X` is then a triangle with the same Gram matrix (so every 2-norm of outputs is
    the same), `samples` says of how many rows, and `rows` keeps a fixed few of them for statements about single outputs. With
    `X_quantized`, the two are folded together, row by row, so their cross-Gram matrix is kept as well.

    Arguments:
        name: what the layer is called in its network.
        X: calibration inputs (m, N), one row per sample or token; zero columns (dead features) are allowed.
        X_validation: held-out inputs (m', N) that no calibration may read, or None; may be folded too.
        W: weights (N, K), one column per neuron.
        files: SHA-256 (hexadecimal) of each file that the data came from, by name.
        X_quantized: (m, N), what the layer is given once the network before it is quantized, row by row as `X`; or None.
        rows: sample rows (n, N) of a folded X; None where X holds the samples themselves.
        samples: how many rows X was folded from; None: X holds the samples themselves.
        deployed_codes: a hash of all codes of the quantized layers before this one, which give it `X_quantized`; "" where there are none.

    Raises:
        InvalidArgumentError: an array that is not 2-D and finite, or shapes that do not fit together.

    >>> layer = LayerData("hidden", np.ones((5, 3)), None, np.zeros((3, 2)))
    >>> layer.X.shape, layer.W.shape, layer.folded
    ((5, 3), (3, 2), False)
    """

    name: str
    X: np.ndarray
    X_validation: np.ndarray | None
    W: np.ndarray
    files: Mapping[str, str] = field(default_factory=dict)
    X_quantized: np.ndarray | None = None
    rows: np.ndarray | None = None
    samples: int | None = None
    deployed_codes: str = ""

    def __post_init__(self):
        object.__setattr__(self, "samples", as_count("samples", self.samples, optional=True))
        self._keep("X", as_matrix("X", self.X))
        held, features = self.X.shape
        self._keep("W", as_matrix("W", self.W, rows=features))
        if self.X_quantized is not None:
            self._keep("X_quantized", as_matrix("X_quantized", self.X_quantized, rows=held, columns=features))
        for name in ("X_validation", "rows"):
            if getattr(self, name) is not None:
                self._keep(name, as_matrix(name, getattr(self, name), columns=features))
        if (self.rows is None) != (self.samples is None):
            raise reject("samples", self.samples, "a number of samples exactly where rows are kept of a folded matrix")

    @property
    def folded(self) -> bool:
        """Whether X is a triangle folded from more rows than are at hand."""
        return self.samples is not None

    @property
    def m(self) -> int:
        """Samples, whether they are all at hand or not."""
        return len(self.X) if self.samples is None else self.samples

    def _keep(self, field: str, array: np.ndarray) -> None:
        read_only = array.view()
        read_only.setflags(write=False)
        object.__setattr__(self, field, read_only)
