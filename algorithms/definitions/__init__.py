"""The literal definitions of the algorithms: same names and signatures, slow, and what the fast forms are checked against."""

from ..round_to_nearest import round_to_nearest
from .searches import descend, k_best
from .step_by_step import gpfq, optq, optq_inverse_hessian, qronos

__all__ = ["descend", "gpfq", "k_best", "optq", "optq_inverse_hessian", "qronos", "round_to_nearest"]
