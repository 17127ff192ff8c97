"""Stochastic rounding; `introduction.md` has the lemmas and opens the chapter of the book."""
