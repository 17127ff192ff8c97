"""What a run did, and which of its cells failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PREPARATION = "preparation"


@dataclass(frozen=True)
class Failure:
    """A cell that ended with an error."""

    cell: str
    error: str

    def __str__(self):
        return f"{self.cell} — {self.reason}"

    @property
    def reason(self) -> str:
        """The error on one line."""
        return " ".join(self.error.split())


@dataclass(frozen=True)
class Summary:
    """What a run did: cells of the study (or of its part), those found in the store, those computed now, and the failures among them.

    `kernels` are the BLAS kernels that the rows of the table come from: of several, last digits may differ from row to row.
    """

    table: Path | None
    cells: int
    found: int
    computed: int
    failures: tuple[Failure, ...]
    kernels: tuple[str, ...] = ()


def listed(failures: Iterable[Failure]) -> list[str]:
    """One sentence per error: where it came up, or in how many cells and which was the first.

    >>> listed([Failure("damping 0", "ValueError: x"), Failure("damping 1", "ValueError: x"), Failure("damping 2", "KeyError: 'y'")])
    ['failed in 2 cells: ValueError: x, first: damping 0', "failed: damping 2 — KeyError: 'y'"]
    """
    alike: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        what = f"{PREPARATION}s" if failure.cell.startswith(PREPARATION) else "cells"
        alike.setdefault((failure.reason, what), []).append(failure)
    return [f"failed in {len(group)} {what}: {reason}, first: {group[0].cell}" if len(group) > 1 else f"failed: {group[0]}"
            for (reason, what), group in alike.items()]
