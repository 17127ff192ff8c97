"""Inputs of a layer folded as they come: a triangle in place of all rows, and a fixed few of the rows themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...algorithms.factorization import Folding
from ..networks.capture import capture_inputs, observe_inputs
from .layer import KEPT_ROWS

if TYPE_CHECKING:
    import torch

BLOCK_ROWS = 4096  # rows folded at a time: more cost memory, fewer cost time


class InputFolding:
    """Blocks of a layer's inputs, alone or beside what the layer is given when deployed, folded one after the other.

    Arguments:
        samples: how many rows will come.

    >>> folding = InputFolding(6)
    >>> for block in np.arange(12.0).reshape(3, 2, 2):
    ...     folding.add(block, 2 * block)
    >>> kept = folding.fields()
    >>> bool(np.allclose(kept["X_quantized"].T @ kept["X"], 2 * kept["X"].T @ kept["X"])), kept["rows"].shape, kept["samples"]
    (True, (6, 2), 6)
    """

    def __init__(self, samples: int):
        self._folding = Folding()
        self._chosen = kept_rows(samples)
        self._kept: list[np.ndarray] = []
        self._joint = False

    def add(self, X: np.ndarray, X_quantized: np.ndarray | None = None) -> None:
        """Fold rows (n, N), with `X_quantized` (n, N) in every call or in none."""
        self._joint = X_quantized is not None
        start = self._folding.samples
        here = (self._chosen >= start) & (self._chosen < start + len(X))
        self._kept.append(X[self._chosen[here] - start])
        self._folding.add(X if X_quantized is None else np.hstack([X_quantized, X]))

    @property
    def triangle(self) -> np.ndarray:
        """What the rows were folded into."""
        triangle = self._folding.triangle
        if triangle is None:
            raise ValueError("no rows came to be folded")
        return triangle

    def fields(self) -> dict[str, Any]:
        """The fields of `LayerData` that hold what is kept of all rows that came: X, rows, samples, and X_quantized if there was one."""
        N = self._kept[0].shape[1]
        halves = {"X_quantized": self.triangle[:, :N], "X": self.triangle[:, N:]} if self._joint else {"X": self.triangle}
        return halves | {"rows": np.concatenate(self._kept), "samples": self._folding.samples}


def kept_rows(samples: int) -> np.ndarray:
    """Which rows of so many are kept: all of them, or KEPT_ROWS drawn once and for all, in order.

    >>> len(kept_rows(8192)), kept_rows(3).tolist()
    (1024, [0, 1, 2])
    """
    return np.sort(np.random.default_rng(0).permutation(samples)[:KEPT_ROWS])


def fold_layer_inputs(network: torch.nn.Module, batches: Iterable[torch.Tensor], layers: Sequence[str], samples: int,
                      deployed: torch.nn.Module | None = None) -> dict[str, InputFolding]:
    """Run the network on batches and fold what the named layers are given, beside what they are given in the `deployed` network.

    Memory grows with the size of a batch and not with their number. `samples` is the number of rows in all batches together.

    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 3))
    >>> fold_layer_inputs(network, [torch.ones(4, 2), torch.ones(5, 2)], ["0"], 9)["0"].fields()["rows"].shape
    (9, 2)
    """
    foldings = {name: InputFolding(samples) for name in layers}
    for batch in batches:
        if deployed is None:
            observe_inputs(network, batch, {name: folding.add for name, folding in foldings.items()})
        else:
            plain = capture_inputs(network, batch, layers)
            observe_inputs(deployed, batch, {name: partial(folding.add, plain[name]) for name, folding in foldings.items()})
    return foldings
