"""Calibration matrices out of any torch network: what its linear layers see, and their weights.

This is the one door at which torch's (out, in) weights become the (N, K) = (in, out) of the theory, and (..., in)
activations become the rows of a calibration matrix. torch is imported only when a function here runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...algorithms.arguments import reject

if TYPE_CHECKING:
    import torch

Observer = Callable[[np.ndarray], None]


def capture_inputs(module: torch.nn.Module, inputs: torch.Tensor | Mapping | Iterable, layers: Iterable[str]) -> dict[str, np.ndarray]:
    """Run the network on `inputs` and keep what the named linear layers were given.

    The network runs in evaluation mode and without gradients; its hooks and modes are as before afterwards, also when
    it fails. Every leading axis of an activation is flattened, so every token of a sequence becomes a row: pass
    sequences without padding. A layer that is called several times contributes the rows of all its calls, in order.

    Arguments:
        module: the network; the device and floating-point type of `inputs` must be its own.
        inputs: one batch, or an iterable of batches (a list, a generator, a `DataLoader`). A batch is a tensor, a
            mapping of keyword arguments, or a tuple or list of positional arguments inside such an iterable.
        layers: names of `torch.nn.Linear` layers, as in `module.named_modules()`.

    Returns:
        A dict from name to float64 array (samples, in_features), in the order of `layers`.

    Raises:
        InvalidArgumentError: an unknown layer (the message lists those there are), one that is not linear, one that
            the network never called, or a batch of another type.

    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> captured = capture_inputs(network, [torch.ones(4, 2), torch.ones(5, 7, 2)], ["0", "2"])
    >>> {name: X.shape for name, X in captured.items()}
    {'0': (39, 2), '2': (39, 3)}
    """
    seen: dict[str, list[np.ndarray]] = {}
    for name in _names(layers):
        linear_layer(module, name)
        seen[name] = []
    observe_inputs(module, inputs, {name: blocks.append for name, blocks in seen.items()})
    return {name: np.concatenate(blocks) for name, blocks in seen.items()}


def observe_inputs(module: torch.nn.Module, inputs: torch.Tensor | Mapping | Iterable, observers: Mapping[str, Observer]) -> None:
    """Run the network on `inputs` and hand what each named linear layer is given to its observer, call by call.

    As `capture_inputs`, but nothing is kept, so memory does not grow with the number of batches.

    Arguments:
        module, inputs: as in `capture_inputs`.
        observers: by layer name, a function of one float64 array (samples, in_features), which is its own to keep.

    Raises:
        InvalidArgumentError: as `capture_inputs`.

    >>> import torch
    >>> from provable_ptq.algorithms.factorization import Folding
    >>> folding = Folding()
    >>> observe_inputs(torch.nn.Sequential(torch.nn.Linear(2, 3)), [torch.ones(4, 2), torch.ones(5, 2)], {"0": folding.add})
    >>> folding.samples
    9
    """
    import torch

    called = set()
    with ExitStack() as undo, torch.no_grad():
        undo.enter_context(_evaluating(module))
        for name, observe in observers.items():
            hook = _handing_to(observe, partial(called.add, name))
            undo.callback(linear_layer(module, name).register_forward_pre_hook(hook, with_kwargs=True).remove)
        for batch in _batches(inputs):
            _call(module, batch)
    for name in observers:
        if name not in called:
            raise reject("layer", name, "a layer that the network calls on these inputs (it was never called)")


def linear_weights(module: torch.nn.Module, name: str) -> np.ndarray:
    """The weights of one linear layer as float64 (in_features, out_features): torch's matrix, transposed and copied.

    Arguments:
        module: the network.
        name: name of a `torch.nn.Linear` layer, as in `module.named_modules()`.

    Raises:
        InvalidArgumentError: an unknown layer (the message lists those there are), or one that is not linear.

    >>> import torch
    >>> linear_weights(torch.nn.Sequential(torch.nn.Linear(5, 2)), "0").shape
    (5, 2)
    """
    return np.ascontiguousarray(_as_float64(linear_layer(module, name).weight).T)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one thread inside the block, so that bytes do not depend on the thread count; restored afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _names(layers: Iterable[str]) -> list[str]:
    accepted = "a non-empty list of layer names"
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise reject("layers", layers, accepted)
    names = list(layers)
    if not names:
        raise reject("layers", names, accepted)
    return names


def linear_layer(module: torch.nn.Module, name: str) -> torch.nn.Linear:
    """The named linear layer of a network, or an error that lists those there are."""
    import torch

    if not isinstance(module, torch.nn.Module):
        raise reject("module", module, "a torch.nn.Module")
    modules = dict(module.named_modules(remove_duplicate=False))
    part = modules.get(name) if isinstance(name, str) else None
    if isinstance(part, torch.nn.Linear):
        return part
    problem = "unknown" if part is None else f"a {type(part).__name__}"
    linear = ", ".join(repr(known) for known, part in modules.items() if isinstance(part, torch.nn.Linear)) or "(none)"
    raise reject("layer", name, f"it is {problem}; the linear layers of this network are {linear}")


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; every submodule's own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _handing_to(observe: Observer, note: Callable[[], None]) -> Callable:
    """A forward pre-hook that hands over a copy of the layer's input (..., in) as rows (samples, in)."""

    def hand_over(layer: torch.nn.Linear, args: tuple, kwargs: dict) -> None:
        note()
        observe(_as_float64(layer_input(args, kwargs)).reshape(-1, layer.in_features))

    return hand_over


def layer_input(args: tuple, kwargs: dict) -> torch.Tensor:
    """The activation that a linear layer is called with."""
    return args[0] if args else kwargs["input"]


def _as_float64(tensor: torch.Tensor) -> np.ndarray:
    """A float64 copy in main memory: later in-place changes of the tensor do not reach it."""
    import torch

    return tensor.detach().cpu().to(torch.float64, copy=True).numpy()


def _batches(inputs: torch.Tensor | Mapping | Iterable) -> Iterable:
    import torch

    if isinstance(inputs, (torch.Tensor, Mapping)):
        return [inputs]
    if isinstance(inputs, str) or not isinstance(inputs, Iterable):
        raise reject("inputs", inputs, "a tensor, a mapping of keyword arguments, or an iterable of batches")
    return inputs


def _call(module: torch.nn.Module, batch: torch.Tensor | Mapping | tuple | list) -> None:
    import torch

    if isinstance(batch, torch.Tensor):
        module(batch)
    elif isinstance(batch, Mapping):
        module(**batch)
    elif isinstance(batch, (tuple, list)):
        module(*batch)
    else:
        raise reject("batch", batch, "a tensor, a mapping of keyword arguments, or a tuple or list of positional arguments")
