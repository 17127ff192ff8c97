"""Rows that come block by block, folded into one triangle."""

from __future__ import annotations

import numpy as np

from .arguments import as_matrix, choose, reject
from .sources import PRECISIONS, RowSource, column_norms_squared
from .triangles import Triangle, triangle_of


class Folding:
    """Rows of a calibration matrix folded block by block into one triangle: memory does not grow with their number.

    >>> X = np.arange(12.0).reshape(6, 2) ** 2
    >>> folding = Folding()
    >>> for block in (X[:2], X[2:]):
    ...     folding.add(block)
    >>> folding.samples, bool(np.allclose(folding.triangle.T @ folding.triangle, X.T @ X))
    (6, True)
    """

    def __init__(self, dtype: str = "float64"):
        self.dtype = choose("dtype", dtype, PRECISIONS)
        self.column_norms_squared = np.zeros((), dtype=self.dtype)
        self.samples = 0
        self._blocks = 0
        self._triangle: Triangle | None = None

    def add(self, block: np.ndarray) -> None:
        """Fold a block of rows (n, N) into the triangle; the block may be reused afterwards."""
        name = f"blocks[{self._blocks}]"
        block = as_matrix(name, block, self.dtype, columns=len(self.column_norms_squared) if self._blocks else None)
        self.column_norms_squared = self.column_norms_squared + column_norms_squared(name, block)
        self.samples += len(block)
        self._blocks += 1
        self._triangle = self._triangle or Triangle(block.shape[1], block.dtype)
        self._triangle.add(block)

    @property
    def triangle(self) -> np.ndarray | None:
        """T (min(m, N), N) with T^T T = X^T X for the m rows so far, lower triangular once m reaches N; None before the first."""
        if self._triangle is None:
            return None
        return np.ascontiguousarray(self._triangle.upper()[: self.samples, ::-1][::-1])

    def source(self) -> RowSource:
        """What all factorizations of the matrix share.

        Raises:
            InvalidArgumentError: no block was added.
        """
        if self._triangle is None:
            raise reject("blocks", [], "at least one block of rows (m_i, N)")
        live = self.column_norms_squared > 0
        R = self._triangle.upper()
        return RowSource(self.samples, self.column_norms_squared,
                         triangle=R if live.all() else triangle_of(R[: self.samples, ::-1], np.flatnonzero(live)))
