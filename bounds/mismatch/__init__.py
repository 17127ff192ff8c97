"""Mismatched inputs: Qronos; `introduction.md` opens the chapter of the book."""
