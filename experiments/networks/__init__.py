"""Torch networks whose layers are quantized: their inputs captured, their layers quantized one by one; the digits and MiniLM."""
