"""How a figure is divided: one panel for each matrix and each combination of settings that its axes do not show, and what stands above."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from textwrap import wrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..experiments.settings import PLACES, settings, split, split_in_words, varying
from .looks import place_in
from .runs import NothingToDrawError
from .style import PAGE

PANEL_HEIGHT, LINE_HEIGHT = 1.95, 0.14  # inches
MOST_PANELS = 48
ACROSS, TITLE_WIDTH, LINE_WIDTH = 3, 30, 115  # panels in a row; characters above one of them, and across the page

CALIBRATIONS = {
    "gaussian": "Gaussian",
    "ar1": "AR(1)",
    "heavy-tailed": "Heavy-tailed",
    "low-rank": "Low rank",
    "digits": "Digits network",
    "ar1-mild": "AR(1), mild",
    "ar1-strong": "AR(1), strong",
    "spiked": "Spiked",
    "power-law": "Power law",
    "dead-and-duplicated": "Dead, duplicated",
    "few-samples": "Few samples",
    "square": "Square",
    "many-samples": "Many samples",
    "adversarial": "Adversarial",
    "photographs": "Photographs",
    "photographs-shift": "Photographs, shifted",
    "digits-output": "Digits, output layer",
    "minilm": "MiniLM",
    "minilm-some": "MiniLM",
    "minilm-deep": "MiniLM",
    "ar1-6": "AR(1)",
    "ar1-7": "AR(1)",
    "heavy-tailed-7": "Heavy-tailed",
    "low-rank-7": "Low rank",
    **{f"ar1-small-{features}": "AR(1)" for features in (2, 4, 6, 8, 10, 12)},
}
ENCODER = "encoder.layer."
ENCODER_LAYERS = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attention output",
    "intermediate.dense": "intermediate",
    "output.dense": "output",
}
BLOCKS = "A block of the transformer is called by its number, from 0 at the inputs on."


def by_panel(
    rows: pd.DataFrame, shows: Collection[str], width: int = TITLE_WIDTH, matrices: Collection[tuple[str, str]] | None = None
) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each panel with its title: one matrix, under one combination of the settings that vary and are not shown.

    Known matrices come first, in their fixed order. Nothing but repetitions varies unseen in a panel.

    Arguments:
        rows: what the figure shows.
        shows: the settings that are seen on an axis or in the legend.
        width: of a title, in characters.
        matrices: calibration and layer of those to show, where not all are.

    Raises:
        NothingToDrawError: there are more panels than anybody would look at.
    """
    place = place_in(CALIBRATIONS)
    parts = [(place(calibration), layer, number, titled(calibration_name(calibration, layer), group, which, width), group)
             for number, (which, part) in enumerate(split(rows, shows))
             for (calibration, layer), group in ((map(str, names), of) for names, of in part.groupby(list(PLACES)))
             if matrices is None or (calibration, layer) in matrices]  # fmt: skip
    panels = [(title, group) for *_, title, group in sorted(parts, key=lambda part: part[:3])]
    if len(panels) > MOST_PANELS:
        several = split_in_words(rows, shows, "panel")
        raise NothingToDrawError(f"{len(panels)} panels would be too many, at most {MOST_PANELS} are drawn; {several}")
    return panels


def calibration_name(calibration: str, layer: str) -> str:
    """The plain name of a calibration matrix: that of its study, with the layer where one study has many.

    >>> calibration_name("minilm-some", "encoder.layer.3.attention.output.dense")
    'MiniLM block 3, attention output'
    >>> calibration_name("digits", "hidden2"), calibration_name("mine", "hidden2")
    ('Digits network', 'mine, hidden2')
    """
    name = CALIBRATIONS.get(calibration, literal(calibration))
    block, part = block_and_part(layer)
    if block:
        return f"{name} block {block}, {part}"
    return f"{name}, {literal(layer)}" if layer and calibration not in CALIBRATIONS else name


def block_and_part(layer: str) -> tuple[str, str]:
    """The block of a transformer's encoder that a layer is in, and which of its layers it is; no block for other layers.

    >>> block_and_part("encoder.layer.3.attention.self.query"), block_and_part("hidden2")
    (('3', 'query'), ('', 'hidden2'))
    """
    block, _, part = layer.removeprefix(ENCODER).partition(".")
    return (block, ENCODER_LAYERS[part]) if layer.startswith(ENCODER) and part in ENCODER_LAYERS else ("", literal(layer))


def about_blocks(rows: pd.DataFrame) -> str:
    """The sentence for the caption on what block numbers mean; empty where no layer has one."""
    return f" {BLOCKS}" if any(block_and_part(layer)[0] for layer in rows["layer"]) else ""


def literal(name: str) -> str:
    """A name from a study's file as figures write it: its dollars are no mathematics."""
    return name.replace("$", r"\$")


def titled(name: str, group: pd.DataFrame, which: str = "", width: int = TITLE_WIDTH) -> str:
    """A panel's title: name and size of its matrix, broken where too long; below, which settings are its own.

    >>> group = pd.DataFrame({"samples": [8192], "features": [384]})
    >>> titled("Photographs", group), titled("MiniLM block 3, attention output", group, "4-bit steps")
    ('Photographs (8192 × 384)', 'MiniLM block 3,\\nattention output (8192 × 384)\\n4-bit steps')
    """
    size = f"({group['samples'].iloc[0]:g} × {group['features'].iloc[0]:g})"
    lines = [""]
    for piece in [*name.replace(", ", ",\n").split("\n"), size]:
        longer = f"{lines[-1]} {piece}".strip()
        lines = [*lines[:-1], longer] if len(longer) <= width else [*lines, piece]
    return "\n".join([line for line in lines if line] + broken(which, width))


def broken(words: str, width: int) -> list[str]:
    """The words on lines of at most so many characters, no number apart from what it is of."""
    return wrap(words.replace(" = ", "\u00a0=\u00a0"), width)


def shared(rows: pd.DataFrame, shows: Collection[str]) -> str:
    """The settings that all runs of a figure share, on as many lines as they need. What varies is seen elsewhere: on an axis, in
    the legend or in the titles.
    """
    said = settings(rows, apart={*shows, *varying(rows, shows)})
    lines = -(-len(said) // LINE_WIDTH)
    return "\n".join(broken(said, len(said) // lines + LINE_WIDTH // 6)) if said else ""


def headline(figure: Figure, rows: pd.DataFrame, shows: Collection[str]) -> None:
    """The shared settings above all panels; where a legend stands there, they are its title instead."""
    figure.suptitle(shared(rows, shows), fontsize=8)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure on the Agg canvas, without pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def title_height(titles: Sequence[str]) -> float:
    """Inches that the longest of these titles needs beyond the two lines for which every panel has room."""
    return LINE_HEIGHT * max(0, max(title.count("\n") for title in titles) - 1)


def panels_and_legend(titles: Sequence[str]) -> tuple[Figure, list[Axes], Axes]:
    """A page-wide figure with one panel for each title, three to a row, and a free cell after the last for the legend."""
    count = len(titles)
    rows = -(-(count + 1) // ACROSS)
    columns = -(-(count + 1) // rows)
    figure = new_figure(PAGE, (PANEL_HEIGHT + title_height(titles)) * rows + 0.4)
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in cells[count:]:
        unused.set_axis_off()
    for axes, title in zip(cells, titles, strict=False):
        axes.set_title(title)
    return figure, list(cells[:count]), cells[count]
