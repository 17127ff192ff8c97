"""From the parameters of one [calibration.NAME] table of a study to the layer it describes."""

from __future__ import annotations

import inspect
import sys

import numpy as np

from ...algorithms.arguments import reject
from ...bounds.problems import ZOO, zoo_matrix
from ...bounds.problems.zoo import Maker
from ..names import did_you_mean
from ..seeds import seed_of
from .digits import DIGITS_LAYERS, digits_layer
from .layer import LayerData

KINDS = (*ZOO, "digits")
SIZES = ("samples", "features", "neurons")


def load_layer(name: str, parameters: dict, study_seed: int, seed: int) -> LayerData:
    """The layer of a calibration table.

    Arguments:
        name: the table's name; synthetic data depend on it.
        parameters: `kind`, and what that kind takes (see `check_parameters`).
        study_seed, seed: the study's seed and the number of the repetition; synthetic data are drawn from both.

    Synthetic weights are standard normal, and held-out inputs come from the same law as the calibration inputs.

    >>> layer = load_layer("toy", {"kind": "gaussian", "samples": 8, "features": 3, "neurons": 2}, study_seed=0, seed=0)
    >>> layer.X.shape, layer.W.shape
    ((8, 3), (3, 2))
    """
    check_parameters(f"calibration.{name}", parameters)
    if parameters["kind"] == "digits":
        return digits_layer(parameters.get("layer", "hidden2"))
    rng = np.random.default_rng(seed_of(study=study_seed, calibration=name, seed=seed))
    options = _options(parameters)
    m, N, K = (parameters[size] for size in SIZES)
    both = zoo_matrix(parameters["kind"], m if parameters["kind"] == "adversarial" else 2 * m, N, rng, **options)
    held_out = both[m:] if len(both) > m else None
    return LayerData(name, both[:m], held_out, rng.standard_normal((N, K)), "")


def check_parameters(name: str, parameters: dict) -> None:
    """Refuse a calibration table before anything runs.

    Raises:
        InvalidArgumentError: an unknown kind, key or layer, a missing or wrong size, an option that makes no finite matrix.
    """
    kind = parameters.get("kind")
    if kind not in KINDS:
        raise reject(f"{name}.kind", kind, "one of " + ", ".join(KINDS) + did_you_mean(kind, KINDS))
    defaults = {} if kind == "digits" else {
        key: parameter.default for key, parameter in list(inspect.signature(ZOO[kind]).parameters.items())[3:]
    }
    allowed = ("kind", "layer") if kind == "digits" else ("kind", *SIZES, *defaults)
    for key, value in parameters.items():
        if key not in allowed:
            raise reject(f"{name}.{key}", value, "only the keys " + ", ".join(allowed) + did_you_mean(key, allowed))
    if kind == "digits":
        layer = parameters.get("layer", "hidden2")
        if layer not in DIGITS_LAYERS:
            raise reject(f"{name}.layer", layer, "one of " + ", ".join(DIGITS_LAYERS) + did_you_mean(layer, DIGITS_LAYERS))
        return
    for key in SIZES:
        if not _is_count(parameters.get(key)) or parameters[key] < 1:
            raise reject(f"{name}.{key}", parameters.get(key), "an integer >= 1")
    for key, value in _options(parameters).items():
        _check_option(f"{name}.{key}", value, ZOO[kind], key, defaults[key])
    if kind == "adversarial" and parameters["samples"] != parameters["features"]:
        raise reject(f"{name}.samples", parameters["samples"], f"samples = features = {parameters['features']} for the adversarial matrix")


def _options(parameters: dict) -> dict:
    return {key: value for key, value in parameters.items() if key not in ("kind", *SIZES)}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_option(name: str, value: object, make: Maker, key: str, default: float) -> None:
    """An option is of the type of its default, and a small matrix made with it is finite."""
    if isinstance(default, int):
        if not _is_count(value):
            raise reject(name, value, "an integer >= 0")
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise reject(name, value, "a finite number")
    with np.errstate(all="ignore"):
        probe = make(4, 4, np.random.default_rng(0), **{key: value})
    if not np.isfinite(probe).all():
        raise reject(name, value, f"a value that makes a finite matrix, like the default {default}")
