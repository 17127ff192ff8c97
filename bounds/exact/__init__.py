"""Rational and ball arithmetic: factorization, replay, decisions with no tolerance, and certificates for `verify.py`."""

from .decisions import ExactReport, check_exact
from .problem import ExactProblem

__all__ = ["ExactProblem", "ExactReport", "check_exact"]
