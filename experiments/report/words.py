"""How the report writes numbers, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Picture:
    """A figure as the report shows it: file name without ending, caption, and the sweep it draws."""

    name: str
    caption: str
    sweep: str


@dataclass(frozen=True)
class Section:
    """One question of the report: its heading, its answer in one sentence for the summary, and its text; empty without data."""

    title: str
    answer: str
    text: str


NOTHING = Section("", "", "")


def number(value: float) -> str:
    """A number as the report prints it: three significant digits, thousands in full.

    >>> number(0.57735), number(0.0), number(1.5e-14), number(1536)
    ('0.577', '0', '1.5e-14', '1536')
    """
    return f"{value:.0f}" if 1000 <= value < 1e6 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share in percent.

    >>> percent(0.1234), percent(1.0)
    ('12.3 %', '100 %')
    """
    return f"{100 * share:.3g} %"


def span(values: pd.Series, write=number) -> str:
    """Smallest to largest value; one number where they print alike, nothing where there is none.

    >>> span(pd.Series([0.5, 0.25])), span(pd.Series([1.0, 1.0]))
    ('0.25 to 0.5', '1')
    """
    if not len(values):
        return ""
    low, high = write(float(np.min(values))), write(float(np.max(values)))
    return low if low == high else f"{low} to {high}"


def names(values: list[str]) -> str:
    """Names in a sentence.

    >>> names(["ar1"]), names(["ar1", "digits", "spiked"])
    ('ar1', 'ar1, digits and spiked')
    """
    return values[0] if len(values) == 1 else ", ".join(values[:-1]) + " and " + values[-1]


def count(number_of: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> count(1, "layer"), count(36, "layer")
    ('1 layer', '36 layers')
    """
    return f"{number_of:,} {one if number_of == 1 else many or one + 's'}"


def markdown_table(header: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *lines])


def details(summary: str, text: str) -> str:
    """A part that opens on demand; empty without text."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>" if text else ""


def paragraphs(*parts: str) -> str:
    """Parts of a text, those that are not empty, with a blank line between."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())
