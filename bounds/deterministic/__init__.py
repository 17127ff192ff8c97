"""Deterministic results for OPTQ on an infinite alphabet with nearest rounding; `introduction.md` opens the chapter of the book."""
