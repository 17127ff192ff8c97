"""How the report writes numbers, names, tables and pictures."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pandas as pd

from ..settings import PLAIN, settings

FOLDS = 15  # a table with more lines opens on demand
UNSAID = PLAIN | {"rounding": "nearest", "alphabet": "infinite"}  # the opening says so
NOISE = 1e-12  # residuals below are what rounding in float64 leaves, and differ from machine to machine


@dataclass(frozen=True)
class Picture:
    """A figure as the report shows it: file name without ending, caption, and the sweep it draws."""

    name: str
    caption: str
    sweep: str


@dataclass(frozen=True)
class Section:
    """One question of the report: its heading, its answer in one sentence for the summary, and its text.

    Without text the study does not answer the question, and `why` says why not.
    """

    title: str
    answer: str = ""
    text: str = ""
    why: str = ""


def no_sweep(title: str, *sweeps: str) -> Section:
    """A question that the study does not ask."""
    return Section(title, why="no run of the sweep " + " or ".join(f"`{sweep}`" for sweep in sweeps))


def number(value: float) -> str:
    """A number as the report prints it: three significant digits, thousands in full.

    >>> number(0.57735), number(0.0), number(1.5e-14), number(1536)
    ('0.577', '0', '1.5e-14', '1536')
    """
    return f"{value:.0f}" if 1000 <= value < 1e6 else f"{value:.3g}"


def residual(value: float) -> str:
    """The residual of an identity; below 1e-12 its digits are noise.

    >>> residual(3.2e-16), residual(0.0), residual(2e-9)
    ('< 1e-12', '0', '2e-09')
    """
    return f"< {NOISE:g}" if 0 < value < NOISE else number(value)


def percent(share: float) -> str:
    """A share in percent.

    >>> percent(0.1234), percent(1.0)
    ('12.3 %', '100 %')
    """
    return f"{100 * share:.3g} %"


def span(values: pd.Series, write: Callable[[float], str] = number) -> str:
    """Smallest to largest value; one number where they print alike, nothing where there is none.

    >>> span(pd.Series([0.5, 0.25])), span(pd.Series([1.0, 1.0]))
    ('0.25 to 0.5', '1')
    """
    if not len(values):
        return ""
    low, high = write(float(np.min(values))), write(float(np.max(values)))
    return low if low == high else f"{low} to {high}"


def count(number_of: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> count(1, "layer"), count(36, "layer")
    ('1 layer', '36 layers')
    """
    return f"{number_of:,} {one if number_of == 1 else many or one + 's'}"


def plain(text: object) -> str:
    """A text of the study's own, such as a title or a name, as Markdown that shows it and does nothing else.

    >>> plain("my_layer"), plain("a | <b>$x$</b>"), plain("two\\n# lines")
    ('my\\\\_layer', 'a \\\\| &lt;b&gt;\\\\$x\\\\$&lt;/b&gt;', 'two \\\\# lines')
    """
    one_line = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#|$~!])", r"\\\1", one_line)


def code(text: object) -> str:
    """A name of the study's own as code: in backticks where they hold it, else as an HTML element that does.

    >>> code("my-layer"), code("a`|<b>")
    ('`my-layer`', '<code>a&#96;&#124;&lt;b&gt;</code>')
    """
    one_line = " ".join(str(text).split())
    if not re.search(r"[`|<>&$\\]", one_line) and one_line:
        return f"`{one_line}`"
    written = html.escape(one_line)
    for mark in "`|$\\*_[]~":
        written = written.replace(mark, f"&#{ord(mark)};")
    return f"<code>{written}</code>"


def link(path: str) -> str:
    """A path as a link to itself.

    >>> link("out/paper.parquet"), link("my out/paper.parquet")
    ('[out/paper.parquet](out/paper.parquet)', '[my out/paper.parquet](my%20out/paper.parquet)')
    """
    return f"[{plain(path)}]({quote(path)})"


def setting_words(rows: pd.DataFrame, *apart: str, averaged: bool = False) -> str:
    """The settings of these rows, apart from some and from what goes without saying, as Markdown."""
    return plain(settings(rows, apart, averaged, UNSAID))


def markdown_table(header: list[str], lines: list[list[str]], folds: bool = True) -> str:
    """A Markdown table; one of more than 15 lines opens on demand, unless what it stands in does."""
    table = "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *lines])
    return details(f"The table, {len(lines)} lines", table) if folds and len(lines) > FOLDS else table


def details(summary: str, text: str) -> str:
    """A part that opens on demand; empty without text."""
    return f"<details>\n<summary>{html.escape(summary, quote=False)}</summary>\n\n{text}\n\n</details>" if text else ""


def paragraphs(*parts: str) -> str:
    """Parts of a text, those that are not empty, with a blank line between."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())
