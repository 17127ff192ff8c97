"""Cells of a study: each a pure function of its spec. The runner knows them by this protocol alone."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Protocol

Rows = tuple[list[dict], dict[str, str]]


class StudyCell(Protocol):
    """One cell: everything its rows depend on, apart from the code. A frozen, picklable dataclass."""

    def spec(self) -> dict[str, Any]:
        """What the cell is, ready for JSON: the same on every machine (files by their SHA-256, never by path)."""
        raise NotImplementedError

    def group(self) -> Hashable:
        """Cells of one group share work (a factorization) and run one after the other in one process."""
        raise NotImplementedError

    def cost(self) -> float:
        """Expected seconds, roughly: for the order of the work and for the estimate of the time left."""
        raise NotImplementedError

    def rows(self, cache: Path | None = None) -> Rows:
        """The rows of the cell, and the SHA-256 of each input file that it read, by name. BLAS runs on one thread.

        Arguments:
            cache: a folder in which costly inputs (activations of a transformer) are kept between processes, or None.
        """
        raise NotImplementedError


def axes(**own: object) -> dict[str, Any]:
    """The columns that say what a row is about: a plain deterministic run, but for what is given."""
    return {
        "layer": "", "mismatch": "none", "algorithm": "optq", "form": "alternating", "rounding": "nearest", "ordering": "natural",
        "damping": "0.0", "bits": 0, "steps": "uniform", "alphabet": "infinite", "seed": 0, "draws": 0, "claim": "", "record": "run",
    } | own  # fmt: skip
