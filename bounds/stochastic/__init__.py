"""Stochastic rounding (THEORY, section 4)."""
