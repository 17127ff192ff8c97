"""English text from Python's own documentation (`pydoc_data.topics`, PSF licence), split by paragraph and packed into sequences.

Every third paragraph is held out; a paragraph that occurs twice counts once, so none is in both splits. Another version of
Python has another text: `Text.sha256` tells them apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

HELD_OUT_EVERY = 3


@dataclass(frozen=True)
class Text:
    """Paragraphs for calibration, paragraphs held out, and the SHA-256 of all of them in order."""

    calibration: tuple[str, ...]
    held_out: tuple[str, ...]
    sha256: str


@lru_cache(maxsize=1)
def documentation_text() -> Text:
    """The text of Python's documentation topics.

    >>> text = documentation_text()
    >>> set(text.calibration) & set(text.held_out)
    set()
    """
    from pydoc_data.topics import topics

    return split_paragraphs(paragraph for _, page in sorted(topics.items()) for paragraph in re.split(r"\n\s*\n", page))


def split_paragraphs(paragraphs: Iterable[str]) -> Text:
    """Paragraphs with runs of white space made one space, without repetitions; every third one held out.

    >>> split_paragraphs(["a", "b", "a ", "c  c", "d"]).held_out
    ('c c',)
    """
    tidy = (" ".join(paragraph.split()) for paragraph in paragraphs)
    unique = tuple(dict.fromkeys(paragraph for paragraph in tidy if paragraph))
    held_out = unique[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    calibration = tuple(paragraph for number, paragraph in enumerate(unique, 1) if number % HELD_OUT_EVERY)
    return Text(calibration, held_out, hashlib.sha256("\n\n".join(unique).encode()).hexdigest())


def pack(paragraphs: Iterable[list[int]], length: int, first: int, last: int) -> np.ndarray:
    """Token ids of paragraphs, one after the other, cut into sequences that start with `first` and end with `last`.

    Arguments:
        paragraphs: token ids of each paragraph, without special tokens.
        length: tokens of a sequence, the two special ones included; what is left at the end is dropped.

    Returns:
        int64 (sequences, length).

    >>> pack([[5, 6, 7], [8, 9]], 4, first=1, last=2)
    array([[1, 5, 6, 2],
           [1, 7, 8, 2]])
    """
    stream = np.array([token for paragraph in paragraphs for token in paragraph], dtype=np.int64)
    inner = length - 2
    sequences = np.full((len(stream) // inner, length), first)
    sequences[:, 1:-1] = stream[: len(sequences) * inner].reshape(-1, inner)
    sequences[:, -1] = last
    return sequences


def evenly_spaced(total: int, count: int) -> np.ndarray:
    """`count` of the numbers 0..total - 1, evenly spaced.

    >>> evenly_spaced(10, 4)
    array([0, 2, 5, 7])
    """
    return np.arange(count) * total // count
