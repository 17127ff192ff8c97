"""A network quantized as it is deployed: layer by layer, each on the inputs that the quantized layers before it produce."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...algorithms import Factorization, Grid, optq
from .capture import layer_input, linear_layer, linear_weights, observe_inputs

if TYPE_CHECKING:
    import torch

DAMPING = "mean-diagonal:0.01"  # over live features
HASH_DIGITS = 16  # of a SHA-256: two deployed networks in 2^64 share them
ORDERING = "decreasing-norm"


def quantize_in_order(network: torch.nn.Module, batch: torch.Tensor, layers: Iterable[str], bits: int,
                      input_of: Callable[[str], str] = str) -> dict[str, str]:
    """Quantize layers of the network in place in one forward pass, each with OPTQ on what it is given by then.

    The grid is symmetric absmax of `bits` bits, one step per neuron; the damping is 1% of the mean diagonal over live features, and
    features go by decreasing norm, as GPTQ programs do (which count dead features in that mean as 1). With so much damping the Gram
    matrix serves as well as the inputs themselves: damped, its condition number is at most 100 N + 1. A layer's weights change just
    before it is applied, so the layers after it are calibrated on what they will be given when deployed.

    Arguments:
        network: changed in place.
        batch: all calibration inputs.
        layers: names of linear layers, in any order.
        bits: 2 to 32.
        input_of: names the input of a layer: layers with the same name share one factorization; they must be called in a row.

    Returns:
        The SHA-256 of each layer's codes, by the layer's name.

    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> steps = abs(network[0].weight.detach()).amax(1)
    >>> hashes = quantize_in_order(network, torch.rand(9, 2), ["0", "2"], bits=2)
    >>> bool(torch.isin((network[0].weight / steps[:, None]).round(decimals=5), torch.arange(-2.0, 2.0)).all())
    True
    """
    import torch

    factorizations: dict[str, Factorization] = {}
    hashes: dict[str, str] = {}

    def quantize(name: str, X: np.ndarray) -> None:
        if input_of(name) not in factorizations:
            factorizations.clear()
            factorizations[input_of(name)] = Factorization.from_gram(X.T @ X, DAMPING, ORDERING)
        W = linear_weights(network, name)
        quantized = optq(factorizations[input_of(name)], W, Grid.for_weights(W, bits))
        hashes[name] = codes_sha256(quantized.codes)
        linear_layer(network, name).weight.copy_(torch.from_numpy(quantized.weights.T))

    observe_inputs(network, batch, {name: partial(quantize, name) for name in layers})
    return hashes


def codes_sha256(codes: np.ndarray) -> str:
    """The SHA-256 of integer codes (N, K) and of their shape, the same on every machine.

    >>> codes_sha256(np.array([[1, 2]])) == codes_sha256(np.array([[1], [2]]))
    False
    """
    return hashlib.sha256(f"{codes.shape}".encode() + codes.astype("<i8").tobytes()).hexdigest()


def round_activations(network: torch.nn.Module, layers: Iterable[str], bits: int) -> None:
    """From now on, round what the named linear layers are given to `bits` bits, every token on its own absmax grid."""

    def rounded(layer: torch.nn.Linear, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        return (round_tokens(layer_input(args, kwargs), bits),), {}

    for name in layers:
        linear_layer(network, name).register_forward_pre_hook(rounded, with_kwargs=True)


def round_tokens(activation: torch.Tensor, bits: int) -> torch.Tensor:
    """The nearest codes times the step, where each token (the last axis) has the step max|x| / (2^(bits-1) - 1).

    >>> import torch
    >>> round_tokens(torch.tensor([[1.0, 0.3, -0.8], [0.0, 0.0, 0.0]]), 2).tolist()
    [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]]
    """
    import torch

    step = activation.abs().amax(dim=-1, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.where(step > 0, torch.round(activation / step) * step, 0.0)


def deploy(network: torch.nn.Module, batch: torch.Tensor, order: Sequence[str], wanted: Iterable[str], bits: int,
           activation_bits: int | None = None, input_of: Callable[[str], str] = str) -> dict[str, str]:
    """Quantize, in place, all that lies before the wanted layers, so that these are given what they see when deployed.

    Arguments:
        network, batch, bits, input_of: as in `quantize_in_order`.
        order: all linear layers, in the order in which they are applied.
        wanted: the layers whose deployed inputs will be asked for.
        activation_bits: round what every linear layer is given as well, to so many bits; None: leave it.

    Returns:
        For each wanted layer the first digits of a SHA-256 of all codes before it, which tells the network that it is deployed in
        from any other; "" where no layer lies before it.
    """
    wanted = list(wanted)
    if activation_bits is not None:
        round_activations(network, order, activation_bits)
    before = order[: max(order.index(input_of(layer)) for layer in wanted)]
    hashes = quantize_in_order(network, batch, before, bits, input_of) if before else {}
    return {layer: _hash_of_all([hashes[name] for name in order[: order.index(input_of(layer))]]) for layer in wanted}


def _hash_of_all(hashes: Sequence[str]) -> str:
    """One hash of several, in their order."""
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:HASH_DIGITS] if hashes else ""
