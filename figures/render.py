"""All figures of a results table, as PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from ..experiments.table import read_table
from . import (
    adversarial_growth,
    all_orderings,
    bits_against_damping,
    error_against_damping,
    error_against_mismatch,
    exact_optimum,
    heldout_against_damping,
    ordering_effect,
    rate_distortion,
    stochastic_tail,
    tightness,
    transformer_layers,
)
from .runs import NothingToDrawError
from .style import discard, save

RENDERED = Path(__file__).parent / "rendered"


@dataclass(frozen=True)
class Entry:
    """A figure of the registry: how it is drawn, what stands below it (made from the same table), the sweep it reads."""

    draw: Callable[[pd.DataFrame], Figure]
    caption: Callable[[pd.DataFrame], str]
    sweep: str


class Rendered(NamedTuple):
    """The files that were written, and notes on the figures that were left out."""

    paths: list[Path]
    notes: list[str]


IN_ORDER = (
    error_against_damping, ordering_effect, all_orderings, heldout_against_damping, bits_against_damping, stochastic_tail,
    adversarial_growth, error_against_mismatch, transformer_layers, exact_optimum, rate_distortion, tightness,
)  # fmt: skip
FIGURES = {module.__name__.rpartition(".")[2]: Entry(module.draw, module.caption, module.SWEEP) for module in IN_ORDER}


def render(table: str | Path, folder: str | Path = RENDERED, progress: bool = True) -> Rendered:
    """Draw every figure that the table has rows for; the same table gives the same bytes.

    Pictures of the other figures are deleted from the folder: they would show another table.

    Arguments:
        table: a Parquet table written by `provable-ptq run`.
        folder: where the files go.
        progress: whether to show a progress bar.

    Returns:
        The paths, PNG and PDF of each figure, a note for each figure that cannot be drawn from the runs of its sweep, and one
        note for all figures whose sweeps the table does not have.

    Raises:
        InvalidArgumentError: no such table.
    """
    rows, _ = read_table(table)
    sweeps = set(rows["sweep"])
    paths, notes, absent = [], [], 0
    for name, entry in tqdm(FIGURES.items(), desc="figures", unit="figure", disable=not progress):
        try:
            paths += save(entry.draw(rows), folder, name)
        except NothingToDrawError as missing:
            discard(folder, name)
            if entry.sweep in sweeps:
                notes.append(f"figure {name!r} left out: {missing}")
            else:
                absent += 1
    return Rendered(paths, notes + _absent(absent))


def captions(table: str | Path, folder: str | Path) -> dict[str, str]:
    """What stands below each figure that `render` drew of this table into the folder, by name, in the order of the registry."""
    rows, _ = read_table(table)
    said = {}
    for name, entry in FIGURES.items():
        if (Path(folder) / f"{name}.png").is_file():
            with suppress(NothingToDrawError):  # a picture of an older table
                said[name] = entry.caption(rows)
    return said


def _absent(count: int) -> list[str]:
    if count < 2:
        return ["1 figure left out: its sweep is not in the table"] * count
    return [f"{count} figures left out: their sweeps are not in the table"]
