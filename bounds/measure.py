"""The usual measured sides of claims, where files of claims import them from; they stand in `checking/measure.py`."""

from .checking.measure import *  # noqa: F403
