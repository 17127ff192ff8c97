"""From the rows of a table to words: which settings were run, which of them vary, and one part of a table per setting.

Every sentence, table head, caption or legend that names a setting gets it from here, and here it comes from the rows.
Repetitions (`seed`) are the only axis that may be averaged over; any other that a table or a figure does not show is split by.
"""

from .rows import (
    AXES,
    PLACES,
    PLAIN,
    SETTINGS,
    mean_over,
    mean_over_repetitions,
    normal,
    repetitions,
    settings,
    split,
    split_in_words,
    values_of,
    varying,
)
from .words import METHODS, STEPS, enumerated, in_words, method, ordered, parse_damping

__all__ = [
    "AXES", "METHODS", "PLACES", "PLAIN", "SETTINGS", "STEPS", "enumerated", "in_words", "mean_over", "mean_over_repetitions", "method",
    "normal", "ordered", "parse_damping", "repetitions", "settings", "split", "split_in_words", "values_of", "varying",
]  # fmt: skip
