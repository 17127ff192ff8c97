"""A theorem's page: the parts of the docstring that opens a claim's file, hypotheses and proof among them.

The docstring opens with the claim's id in backticks, a colon and a title; then come paragraphs that begin with the labels below,
in Markdown with LaTeX. `explain` prints a page, and `bounds/THEORY.md` is made from all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import cleandoc

LABELS = {"hypotheses": "Hypotheses", "proof": "Proof", "lineage": "Lineage", "sharp": "Sharp", "reduces_to": "Reduces to"}
_LABEL = re.compile(r"^\*\*(" + "|".join(LABELS.values()) + r")\.\*\*\s+", re.MULTILINE)
_FIELDS = {label: field for field, label in LABELS.items()}


@dataclass(frozen=True)
class Page:
    """What a claim's file says beside its statement; a part that the file does not have is empty.

    Attributes:
        title: what the statement is about, in a few words.
        hypotheses: what is assumed.
        proof: ends with a tombstone; a prediction says that it has none, and how it comes about.
        lineage: who knew it, and what is new here.
        sharp: where the two sides meet, or how far they stay apart.
        reduces_to: what it becomes in special cases.
    """

    title: str = ""
    hypotheses: str = ""
    proof: str = ""
    lineage: str = ""
    sharp: str = ""
    reduces_to: str = ""

    def parts(self) -> dict[str, str]:
        """{label: text} of the parts that there are, in the page's order."""
        return {label: getattr(self, field) for field, label in LABELS.items() if getattr(self, field)}


def read_page(claim_id: str, *docstrings: str | None) -> Page:
    """The page of a claim: the first of these docstrings that opens with its id; an empty page where none does.

    >>> text = '''`toy`: one is at most one.
    ...
    ... **Proof.** It is. ∎
    ...
    ... **Sharp.** Always.
    ... '''
    >>> page = read_page("toy", text)
    >>> page.title, page.proof, page.sharp, page.lineage
    ('one is at most one', 'It is. ∎', 'Always.', '')
    >>> read_page("another", text).parts()
    {}
    """
    opening = f"`{claim_id}`: "
    for text in map(cleandoc, filter(None, docstrings)):
        if text.startswith(opening):
            title, *parts = _LABEL.split(text.removeprefix(opening))
            found = {_FIELDS[label]: body.strip() for label, body in zip(parts[::2], parts[1::2], strict=True)}
            return Page(" ".join(title.split()).removesuffix("."), **found)
    return Page()
