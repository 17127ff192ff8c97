"""`bounds/THEORY.md`, the book of all statements with their proofs, made from the registry.

The hand-written parts are the `introduction.md` of this folder (setting, notation, reverse Gram-Schmidt, algorithms, checking) and
of each chapter's folder; a claim's section is its statement and the page in its own file. Rewrite the book after a change with

    python -m provable_ptq.bounds.book
"""

from __future__ import annotations

import re
from pathlib import Path

from .checking.claim import CHAPTERS, Claim
from .checking.registry import claims

FOLDER = Path(__file__).parent
BOOK = FOLDER / "THEORY.md"
COMMAND = "python -m provable_ptq.bounds.book"
CONTENTS = "[contents]"  # where the table of contents goes
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"\$([^$]+)\$")
_CODE = re.compile(r"(?<!\[)`([a-z0-9-]+)`")  # not yet a link
_NAMED = re.compile(r"`([a-z0-9-]+)`")
_HEADING = re.compile(r"^(##+) (.+)$", re.MULTILINE)


def write_book() -> Path:
    """Write the book beside this file; returns its path."""
    BOOK.write_text(book(), encoding="utf-8")
    return BOOK


def book() -> str:
    """The whole book in the Markdown of code hosts."""
    parts = [introduction()]
    for chapter in CHAPTERS:
        opening = introduction(chapter)
        mine = [made for made in shipped().values() if made.chapter == chapter]
        parts += [opening, *(section(made) for made in in_reading_order(mine, opening))]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    return text.replace(CONTENTS, contents(text))


def shipped() -> dict[str, Claim]:
    """The claims of the chapters, by id: a user's own are not in the book."""
    return {name: made for name, made in claims().items() if made.chapter in CHAPTERS}


def introduction(chapter: str = "") -> str:
    """The hand-written part of a chapter, or of the whole."""
    return for_code_hosts((FOLDER / chapter / "introduction.md").read_text(encoding="utf-8"))


def in_reading_order(mine: list[Claim], opening: str) -> list[Claim]:
    """Claims in the order in which the chapter's introduction first names them; the others after them, by id."""
    place = {name: number for number, name in reversed(list(enumerate(_NAMED.findall(opening))))}
    return sorted(mine, key=lambda made: (place.get(made.id, len(place)), made.id))


def section(made: Claim) -> str:
    """One claim: heading (its anchor is the id), statement, when the machine takes it to apply, and the parts of its page."""
    path, source = made.file.removeprefix("bounds/"), made.source.replace(f", bounds/{BOOK.name}#{made.id}", "")
    head = f"### {made.id}\n\n**{sentence(made.page.title)}** {sentence(made.kind.value)} *{made.origin.value}*: {source}. [{path}]({path})"
    statement = "\n".join(f"> {line}" for line in made.statement.splitlines())
    parts = [f"**{label}.** {text}" for label, text in {"Applied to": applies(made) + ".", **made.page.parts()}.items()]
    return for_code_hosts("\n\n".join([head, statement, *parts]))


def sentence(text: str) -> str:
    """A title as a sentence."""
    return text[:1].upper() + text[1:] + "."


def applies(made: Claim) -> str:
    """To which runs a claim is applied, in words.

    >>> applies(claims()["optq-l2"])
    'optq, nearest rounding; no step saturates'
    """
    rounding = "any rounding" if made.rounding is None else f"{made.rounding} rounding"
    return "; ".join([", ".join([*made.algorithms, rounding]), *(hypothesis.name for hypothesis in made.hypotheses)])


def contents(text: str) -> str:
    """A list of all headings after it with their links; claims with their titles."""
    lines, known = [], shipped()
    for level, heading in _HEADING.findall(text.partition(CONTENTS)[2]):
        name, title = (f"`{heading}`", f": {known[heading].page.title}") if heading in known else (heading, "")
        lines.append("  " * (len(level) - 2) + f"- [{name}](#{anchor(heading)}){title}")
    return for_code_hosts("\n".join(lines))


def anchor(heading: str) -> str:
    """The anchor that code hosts give to a heading.

    >>> anchor("How a statement is checked"), anchor("Reverse Gram-Schmidt")
    ('how-a-statement-is-checked', 'reverse-gram-schmidt')
    """
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def for_code_hosts(text: str) -> str:
    r"""Formulas in the forms that Markdown leaves alone, and claim ids as links.

    >>> print(for_code_hosts(r"By `optq-l2`, $a_1 \le b_2$."))
    By [`optq-l2`](#optq-l2), $`a_1 \le b_2`$.
    """
    known = shipped()
    text = _CODE.sub(lambda found: f"[`{found[1]}`](#{found[1]})" if found[1] in known else found[0], text)
    text = _DISPLAY.sub(lambda found: f"```math\n{found[1].strip()}\n```", text)
    return _INLINE.sub(lambda found: f"$`{' '.join(found[1].split())}`$", text)


if __name__ == "__main__":
    print(write_book())
