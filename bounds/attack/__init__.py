"""The falsification search: inputs that bring measured/bound as near to 1 as it gets, or past it."""

from .attacks import BUDGET, Attack, attack, attackable, gallery

__all__ = ["BUDGET", "Attack", "attack", "attackable", "gallery"]
