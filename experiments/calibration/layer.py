"""One linear layer as every study reads it: calibration inputs, held-out inputs, weights, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...algorithms.arguments import as_matrix


@dataclass(frozen=True, eq=False)
class LayerData:
    """Inputs and weights of one linear layer, checked and read-only; the layer computes `X @ W + bias`.

    Arguments:
        name: what the layer is called in its network.
        X: calibration inputs (m, N), one row per sample or token; zero columns (dead features) are allowed.
        X_validation: held-out inputs (m', N) that no calibration may read, or None.
        W: weights (N, K), one column per neuron.
        source_sha256: SHA-256 (hexadecimal) of the file the weights came from.

    Raises:
        InvalidArgumentError: an array that is not 2-D and finite, or shapes that do not fit together.

    >>> layer = LayerData("hidden", np.ones((5, 3)), None, np.zeros((3, 2)), source_sha256="")
    >>> layer.X.shape, layer.W.shape
    ((5, 3), (3, 2))
    """

    name: str
    X: np.ndarray
    X_validation: np.ndarray | None
    W: np.ndarray
    source_sha256: str

    def __post_init__(self):
        self._keep("X", as_matrix("X", self.X))
        features = self.X.shape[1]
        self._keep("W", as_matrix("W", self.W, rows=features))
        if self.X_validation is not None:
            self._keep("X_validation", as_matrix("X_validation", self.X_validation, columns=features))

    def _keep(self, field: str, array: np.ndarray) -> None:
        read_only = array.view()
        read_only.setflags(write=False)
        object.__setattr__(self, field, read_only)
