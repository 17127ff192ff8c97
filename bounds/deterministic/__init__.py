"""Deterministic results for OPTQ on an infinite alphabet with nearest rounding (THEORY, section 3)."""
