"""From the parameters of one [calibration.NAME] table of a study to the layer it describes."""

from __future__ import annotations

import inspect

import numpy as np

from ...algorithms.arguments import reject
from ...bounds.problems import ZOO, zoo_matrix
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
    options = {key: value for key, value in parameters.items() if key not in ("kind", *SIZES)}
    m, N, K = (parameters[size] for size in SIZES)
    both = zoo_matrix(parameters["kind"], m if parameters["kind"] == "adversarial" else 2 * m, N, rng, **options)
    held_out = both[m:] if len(both) > m else None
    return LayerData(name, both[:m], held_out, rng.standard_normal((N, K)), "")


def check_parameters(name: str, parameters: dict) -> None:
    """Refuse a calibration table before anything runs.

    Raises:
        InvalidArgumentError: an unknown kind, key or layer, a missing or wrong size.
    """
    kind = parameters.get("kind")
    if kind not in KINDS:
        raise reject(f"{name}.kind", kind, "one of " + ", ".join(KINDS))
    if kind == "digits":
        allowed, needed = {"layer"}, ()
        if parameters.get("layer", "hidden2") not in DIGITS_LAYERS:
            raise reject(f"{name}.layer", parameters["layer"], "one of " + ", ".join(DIGITS_LAYERS))
    else:
        options = list(inspect.signature(ZOO[kind]).parameters)[3:]
        allowed, needed = {*SIZES, *options}, SIZES
    for key in parameters.keys() - {"kind"}:
        if key not in allowed:
            raise reject(f"{name}.{key}", parameters[key], f"only the keys kind, {', '.join(sorted(allowed))}")
    for key in needed:
        value = parameters.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise reject(f"{name}.{key}", value, "an integer >= 1")
