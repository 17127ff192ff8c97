"""Adversarial constructions; `introduction.md` opens the chapter of the book."""
