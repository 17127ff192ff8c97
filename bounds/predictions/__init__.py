"""Predictions: not theorems, and labelled so; `introduction.md` opens the chapter of the book."""
