"""The usual hypotheses of claims, where files of claims import them from; they stand in `checking/hypotheses.py`."""

from .checking.hypotheses import *  # noqa: F403
