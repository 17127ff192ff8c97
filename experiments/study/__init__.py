"""A study: a sweep as data. Its TOML file is read and refused before anything runs."""

from .data import Study
from .keys import SWEEP_KEYS
from .reading import SHIPPED, read_study

__all__ = ["SHIPPED", "SWEEP_KEYS", "Study", "read_study"]
