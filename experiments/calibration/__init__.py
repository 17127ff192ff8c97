"""Calibration matrices by name: the synthetic zoo, real activations, and files of the user's own."""

from .layer import LayerData
from .load import load_layer

__all__ = ["LayerData", "load_layer"]
