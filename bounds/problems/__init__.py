"""Problems to check claims on: the zoo of synthetic calibration matrices and drawn problems."""

from .zoo import ZOO, zoo_matrix

__all__ = ["ZOO", "zoo_matrix"]
