"""Adversarial constructions (THEORY, section 6)."""
