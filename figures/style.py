"""The style of every figure: sizes for print, and files with the same bytes every time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.style import context

COLUMN, PAGE = 3.25, 6.75  # widths in inches: one column of text, the full page
RC = {
    "font.family": "DejaVu Sans", "font.size": 8, "mathtext.fontset": "dejavusans",
    "axes.titlesize": 8, "axes.labelsize": 8, "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8, "legend.title_fontsize": 8,
    "axes.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False, "axes.titlepad": 4, "axes.labelpad": 2.5,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.minor.width": 0.4, "ytick.minor.width": 0.4,
    "xtick.major.size": 3, "ytick.major.size": 3, "xtick.minor.size": 1.5, "ytick.minor.size": 1.5,
    "lines.linewidth": 1.0, "lines.markersize": 3.2, "legend.frameon": False, "legend.handlelength": 2.6, "legend.borderaxespad": 0,
    "savefig.dpi": 300, "pdf.fonttype": 42, "pdf.compression": 9,
}  # fmt: skip


def styled(draw: Callable[[pd.DataFrame], Figure]) -> Callable[[pd.DataFrame], Figure]:
    """Run a draw function under this project's style, whatever the user's own settings are."""

    @wraps(draw)
    def under_style(table: pd.DataFrame) -> Figure:
        with context(("default", RC)):
            return draw(table)

    return under_style


def save(figure: Figure, folder: str | Path, name: str) -> list[Path]:
    """Write `name.png` (300 dpi) and `name.pdf` (embedded TrueType), without dates or program names: same figure, same bytes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    png, pdf = _files(folder, name)
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of the date in matplotlib's own font
    with context(("default", RC)):
        figure.savefig(png, metadata={"Software": None})
        figure.savefig(pdf, metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return [png, pdf]


def discard(folder: str | Path, name: str) -> None:
    """Delete what `save` wrote, if anything."""
    for path in _files(folder, name):
        path.unlink(missing_ok=True)


def _files(folder: str | Path, name: str) -> list[Path]:
    return [Path(folder) / f"{name}.{kind}" for kind in ("png", "pdf")]
