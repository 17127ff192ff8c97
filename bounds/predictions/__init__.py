"""Predictions and optima: not theorems, and labelled so (THEORY, section 7)."""
