"""A real calibration matrix: the activations of a small network that reads scikit-learn's bundled handwritten digits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...algorithms.arguments import choose
from ..networks.capture import capture_inputs, linear_weights, one_torch_thread
from ..networks.deployed import deploy
from ..networks.digits import (
    CALIBRATION_IMAGES,
    DIGITS_LAYERS,
    DIGITS_SPLITS,
    SHIPPED_WEIGHTS,
    WIDTHS,
    TrainedDigits,
    digits_images,
    digits_network,
    read_trained,
)
from .kind import Kind, Request, layer_option
from .layer import LayerData
from .mismatch import QuantizedLayers

if TYPE_CHECKING:
    import torch


class Digits(Kind):
    """One layer of the digits network."""

    name = "digits"
    description = "Any of the 3 layers of a small network that reads scikit-learn's handwritten digits."
    tags = ("real", "network", "dead features")
    layers = DIGITS_LAYERS

    def __init__(self):
        self.options = {"layer": layer_option(DIGITS_LAYERS, "hidden2")}

    def load(self, request: Request) -> LayerData:
        (layer,) = self.layer_names(request.parameters)
        return digits_layer(layer, mismatch=request.mismatch)

    def files(self) -> dict[str, str]:
        return {SHIPPED_WEIGHTS.name: hashlib.sha256(SHIPPED_WEIGHTS.read_bytes()).hexdigest()}

    def shape(self, parameters: Mapping[str, Any]) -> tuple[int, int, int]:
        (layer,) = self.layer_names(parameters)
        place = DIGITS_LAYERS.index(layer)
        return CALIBRATION_IMAGES, WIDTHS[place], WIDTHS[place + 1]


def digits_layer(name: str = "hidden2", weights: Path | str = SHIPPED_WEIGHTS, mismatch: QuantizedLayers | None = None) -> LayerData:
    """One layer of the digits network with its inputs: `X` on the images it was trained on, `X_validation` on the held-out ones.

    Arguments:
        name: one of `DIGITS_LAYERS`; (N, K) is (64, 128), (128, 96) and (96, 10); m = 1200 and m' = 597.
        weights: a file written by `train_digits`; the shipped one by default.
        mismatch: with it, `X_quantized` is what the layer is given once the layers before it are quantized.

    Raises:
        InvalidArgumentError: an unknown name.
        ModuleNotFoundError: torch or scikit-learn (the extra `calibration`) is not installed.

    >>> layer = digits_layer("hidden2")
    >>> layer.X.shape, layer.X_validation.shape, layer.W.shape
    ((1200, 128), (597, 128), (128, 96))
    """
    choose("name", name, DIGITS_LAYERS)
    trained = read_trained(weights)
    network = digits_network(trained)
    X, X_validation = (_layer_inputs(network, name, digits_images(trained, split)[0]) for split in DIGITS_SPLITS)
    W = linear_weights(network, name)
    deployed = {} if mismatch is None else _deployed_inputs(trained, name, mismatch)
    return LayerData(name, X, X_validation, W, {Path(weights).name: trained.sha256}, **deployed)


def _deployed_inputs(trained: TrainedDigits, name: str, mismatch: QuantizedLayers) -> dict[str, Any]:
    """What a layer is given on the calibration images once the layers before it are quantized on them, and their codes' hash."""
    import torch

    network, images = digits_network(trained), digits_images(trained, "calibration")[0]
    with one_torch_thread():
        hashes = deploy(network, torch.from_numpy(images), DIGITS_LAYERS, [name], mismatch.bits, mismatch.activation_bits)
    return {"X_quantized": _layer_inputs(network, name, images), "deployed_codes": hashes[name]}


def _layer_inputs(network: torch.nn.Module, name: str, images: np.ndarray) -> np.ndarray:
    import torch

    with one_torch_thread():
        return capture_inputs(network, torch.from_numpy(images), [name])[name]
