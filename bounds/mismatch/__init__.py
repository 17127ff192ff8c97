"""Mismatched inputs: Qronos (THEORY, section 5)."""
