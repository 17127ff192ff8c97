"""A study as it was read: its cells, and what they need before they run."""

from __future__ import annotations

from dataclasses import dataclass

from ...algorithms.arguments import reject
from ...bounds.checking.loading import load_claims
from ..calibration.load import Preparation, preparations
from ..cells import StudyCell
from ..cells.sweep import SweepCell, available_claims
from ..names import did_you_mean


@dataclass(frozen=True)
class Study:
    """A study as read from its file: `cells` in a fixed order; `sha256` of the file.

    `awaited` are the claims that its own claims files must register, each with the place where the study names it.
    """

    name: str
    title: str
    seed: int
    cells: tuple[StudyCell, ...]
    claims_files: tuple[str, ...] = ()
    sha256: str = ""
    awaited: tuple[tuple[str, str], ...] = ()

    def load_claims(self) -> None:
        """Run the files of the study's own claims, and refuse a sweep that names a claim which is in none of them.

        Reading a study runs nothing of the user's; whoever evaluates its cells calls this first.

        Raises:
            InvalidArgumentError: a file that cannot be imported, or a claim that nobody registers.
        """
        known = tuple(available_claims([name for file in self.claims_files for name in load_claims(file)]))
        for place, name in self.awaited:
            if name not in known:
                raise reject(place, name, "one of " + ", ".join(known) + did_you_mean(name, known))

    def preparations(self) -> list[Preparation]:
        """Costly inputs that several cells share, each once: what to run (into a cache) before the cells."""
        wanted = {(cell.parameters, cell.mismatch): None for cell in self.cells if isinstance(cell, SweepCell)}
        return preparations([(dict(parameters), mismatch) for parameters, mismatch in wanted])
