"""Write paper_results.md from a study's table alone: questions and answers, claims, where each number comes from."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from ...bounds import Outcome
from ..cells.construction import SWEEP as CONSTRUCTIONS
from ..cells.growth import SWEEP as GROWTH
from ..cells.replay import SWEEP as REPLAYS
from ..networks.minilm import MODEL_FILES
from ..places import write_whole
from ..table import FAILED, read_table
from .bits import bits
from .claims_table import claims_table
from .damping import damping
from .errors import errors
from .mismatch import mismatch
from .optimality import optimality
from .ordering import ordering
from .rounding import rounding
from .table import ENCODER, LAYER, complete, tally, verdicts
from .tightness import tightness
from .traceability import citing, command, provenance, traceability
from .transformer import transformer
from .words import Picture, Section, code, count, details, link, markdown_table, paragraphs, plain

QUESTIONS = (errors, ordering, damping, bits, rounding, mismatch, transformer, optimality, tightness)
HEURISTICS = {ordering: "ordering", damping: "damping λ", bits: "alphabet", rounding: "stochastic rounding",
              mismatch: "Qronos instead of OPTQ"}  # fmt: skip
BOOK = "bounds/THEORY.md"
SHIPPED_TABLES = "experiments/results/"  # where the table of a report that stands beside the sources is


def write_report(table: str | Path, folder: str | Path, report: str | Path, pictures: list[Picture]) -> Path:
    """Write the report of a table; every number in it comes from there.

    Arguments:
        table: Parquet file of the study.
        folder: where the rendered pictures are; the report links to them.
        report: the Markdown file to write.
        pictures: what there is to show.
    """
    report = Path(report)
    rows, made = read_table(table)
    text = render_report(rows, made, pictures, _relative(folder, report), _relative(table, report))
    return write_whole(report, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def render_report(rows: pd.DataFrame, made: dict, pictures: list[Picture], folder: str, table: str) -> str:
    """The Markdown text of a report.

    Arguments:
        rows, made: a study's table and its provenance, as `read_table` returns them.
        pictures: what to show; `folder` and `table` are where the report finds the pictures and the table.
    """
    rows, shown = complete(rows), _Gallery(pictures, folder)
    asked = {ask: ask(rows, shown.show) for ask in QUESTIONS}
    sections = {ask: section for ask, section in asked.items() if section.text}
    return paragraphs(
        _opening(rows, made, table, [words for ask, words in HEURISTICS.items() if ask in sections]),
        _summary(list(sections.values())),
        _missing([section for section in asked.values() if not section.text]),
        *(f"## {section.title}\n\n{section.text}" for section in sections.values()),
        shown.rest(),
        claims_table(rows, made, BOOK if table.startswith(SHIPPED_TABLES) else ""),
        _failures(rows),
        _matrices(rows, made),
        traceability(rows, made, pictures, table),
        provenance(made),
        citing(made, version("provable-ptq")),
    ) + "\n"


def _relative(path: str | Path, report: Path) -> str:
    return Path(os.path.relpath(path, report.parent)).as_posix()


class _Gallery:
    """The pictures at hand, numbered in the order in which the text shows them."""

    def __init__(self, pictures: list[Picture], folder: str):
        self.waiting = {picture.name: picture for picture in pictures}
        self.folder = folder
        self.shown = 0

    def show(self, name: str) -> str:
        """A figure with its caption; empty where it was not drawn."""
        picture = self.waiting.pop(name, None)
        if picture is None:
            return ""
        self.shown += 1
        what, _, how = picture.caption.partition(". ")
        file = quote(f"{self.folder}/{name}")
        return paragraphs(f"![{name}]({file}.png)",
                          f"**Figure {self.shown}.** {plain(what.removesuffix('.'))}. ([PDF]({file}.pdf))",
                          details("How to read it", plain(how)))

    def rest(self) -> str:
        """The figures that no section showed."""
        left = [self.show(name) for name in list(self.waiting)]
        return paragraphs("## More figures", *left) if left else ""


def _opening(rows: pd.DataFrame, made: dict, table: str, heuristics: list[str]) -> str:
    decided = verdicts(rows)
    matrices = len(decided[~decided["sweep"].isin([REPLAYS, CONSTRUCTIONS])][LAYER].drop_duplicates())
    statements = count(decided["claim"].nunique(), "statement about them is", "statements about them are")
    on = count(matrices, "calibration matrix", "calibration matrices")
    asked = f"Here {statements} checked on {on}" if matrices else "Here they are measured"
    practice = f", and heuristics ({', '.join(heuristics)}) are held against what the theory supports"
    return paragraphs(
        f"""# {plain(made["title"])}

Generated by {command(made)} from {link(table)}; never edited by hand. {count(made["cells"], "cell")} of
the study {code(made["study"])}{_verdicts(decided)}{_how_many_failed(rows)}.""",
        f"""**What was asked.** Post-training quantization replaces the weights $W$ of a layer by grid points $Q$ so that its outputs on
calibration inputs $X$ change little. OPTQ (= GPTQ) and Qronos do it feature by feature; arXiv 2508.04853 proves how large their errors can
get. {asked}{practice if heuristics else ""}. *Bound* is always the proven side.""",
        f"""**Units.** Errors are norms. The damped error is $(\\Vert X(W-Q)\\Vert_F^2 + \\lambda\\Vert W-Q\\Vert_F^2)^{{1/2}}$, what the
theorems bound: an undamped part, and a ridge. Relative: over $\\Vert XW\\Vert_F$. Steps of *b* bits are those of a symmetric absmax grid
per neuron. Where nothing else is said, rounding is nearest and alphabets are infinite.{_names_of_layers(rows)}""",
    )


def _names_of_layers(rows: pd.DataFrame) -> str:
    layers = sorted(layer for layer in rows["layer"].unique() if layer.startswith(ENCODER))
    if not layers:
        return ""
    block, _, part = layers[0].removeprefix(ENCODER).partition(".")
    return f" Layers of a transformer are named by block, counted from 0, and part: `{block}.{part}` is `{part}` of block {block}."


def _verdicts(decided: pd.DataFrame) -> str:
    """How the verdicts on theorems ended, and, apart from them, those on predictions."""
    theorems, predictions = decided[~decided["prediction"]], decided[decided["prediction"]]
    violated = int((theorems["outcome"] == Outcome.VIOLATED.value).sum())
    others = tally(theorems[theorems["outcome"] != Outcome.VIOLATED.value])
    told = f": {count(len(theorems), 'verdict')} on theorems ({others + ', ' if others else ''}**{count(violated, 'violation')}**)" \
        if len(theorems) else ""  # fmt: skip
    return told + (f"{', ' if told else ': '}{len(predictions):,} on predictions of squared errors ({tally(predictions, prediction=True)})"
                   if len(predictions) else "")


def _how_many_failed(rows: pd.DataFrame) -> str:
    failed = int((rows["record"] == FAILED).sum())
    every = " (every cell of the table)" if failed and failed == len(rows) else ""
    return f"; {count(failed, 'cell')} failed{every}" if failed else ""


def _summary(sections: list[Section]) -> str:
    if not sections:
        return ""
    return "## In short\n\n" + "\n".join(f"- {section.answer}" for section in sections)


def _missing(sections: list[Section]) -> str:
    """Which questions the study does not answer, and why."""
    return "Not in this study:\n\n" + "\n".join(f"- *{section.title}* {section.why}." for section in sections) if sections else ""


def _failures(rows: pd.DataFrame) -> str:
    """The cells that failed, by the reason they gave."""
    failed = rows[rows["record"] == FAILED]
    if failed.empty:
        return ""
    lines = [[plain(error), f"{len(group):,}", plain(", ".join(map(str, group[["sweep", "calibration", "ordering", "damping"]].iloc[0])))]
             for error, group in failed.groupby("error")]
    return f"## What failed\n\n{markdown_table(['error', 'cells', 'the first: sweep, calibration, ordering, damping'], lines)}"


REAL = {  # what a study holds whose inputs name this file
    "digits_weights.npz": "digits: activations of a network trained on scikit-learn's handwritten digits, with its weights",
    "china.jpg": "photographs: patches of scikit-learn's two, with Gaussian weights",
    MODEL_FILES[0]: "minilm: inputs of a sentence transformer's linear layers on English text, with their weights",
}


def _matrices(rows: pd.DataFrame, made: dict) -> str:
    """Every calibration matrix of the study, with its sizes."""
    swept = rows[~rows["sweep"].isin([GROWTH, REPLAYS, CONSTRUCTIONS]) & rows["features"].notna()]
    if swept.empty:
        return ""
    lines = []
    for calibration, group in swept.groupby("calibration"):
        layers = group["layer"].nunique()
        sizes = group[["samples", "features", "neurons"]].drop_duplicates().sort_values(["features", "neurons"])
        written = ", ".join(f"{m:.0f} × {N:.0f}; {K:.0f}" for m, N, K in sizes.itertuples(index=False))
        lines.append([plain(calibration), str(layers) if layers > 1 else "", written])
    header = ["calibration", "layers", "m samples × N features; K neurons"]
    table = markdown_table(header, lines, folds=False)
    return paragraphs("## Calibration matrices", details("Where they come from, and their sizes", paragraphs(_sources(made), table)))


def _sources(made: dict) -> str:
    """Where the matrices come from, as far as the files that were read tell."""
    real = [text for file, text in REAL.items() if file in made["inputs"]]
    if not made["inputs"]:
        return "All matrices are synthetic, with Gaussian weights."
    if not real:
        return f"Read from {', '.join(code(name) for name in made['inputs'])}; matrices that no file gives are synthetic."
    return f"Real data: {'; '.join(real)}. Matrices that no file gives are synthetic, with Gaussian weights."
