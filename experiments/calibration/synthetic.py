"""Calibration tables of the synthetic zoo: inputs of a named kind, standard normal weights, all drawn from the seeds."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...algorithms.arguments import reject
from ...bounds.problems.zoo import ZOO, ZOO_TAGS
from .kind import Kind, Option, Request, count
from .layer import LayerData

SIZES = ("samples", "features", "neurons")
LARGEST_OPTION = 2**16  # ranks, spikes, features of one kind


class Synthetic(Kind):
    """One kind of the zoo. Held-out inputs come from the same law as the calibration inputs, where there is a law."""

    def __init__(self, name: str):
        self.name = name
        self.make = ZOO[name]
        self.description = (inspect.getdoc(self.make) or "").partition("\n")[0]
        self.tags = ZOO_TAGS[name]
        makes = list(inspect.signature(self.make).parameters.values())[3:]
        self.options = {size: count() for size in SIZES} | {made.name: _option(made.default) for made in makes}

    def check(self, where: str, parameters: Mapping[str, Any]) -> None:
        super().check(where, parameters)
        for key in self._given(parameters):
            with np.errstate(all="ignore"):
                probe = self.make(4, 4, np.random.default_rng(0), **{key: parameters[key]})
            if not np.isfinite(probe).all():
                accepted = f"a value that makes a finite matrix, like the default {self.options[key].default}"
                raise reject(f"{where}.{key}", parameters[key], accepted)
        m, N, _ = self.shape(parameters)
        if self.name == "adversarial" and m != N:
            raise reject(f"{where}.samples", m, f"samples = features = {N} for the adversarial matrix")

    def load(self, request: Request) -> LayerData:
        rng = request.rng()
        m, N, K = self.shape(request.parameters)
        options = {key: request.parameters[key] for key in self._given(request.parameters)}
        both = self.make(m if self.name == "adversarial" else 2 * m, N, rng, **options)
        return LayerData(request.table, both[:m], both[m:] if len(both) > m else None, rng.standard_normal((N, K)))

    def shape(self, parameters: Mapping[str, Any]) -> tuple[int, int, int]:
        return parameters["samples"], parameters["features"], parameters["neurons"]

    @staticmethod
    def _given(parameters: Mapping[str, Any]) -> list[str]:
        return [key for key in parameters if key not in ("kind", *SIZES)]


def _option(default: float) -> Option:
    """A key of the type of its default."""
    return count(0, default, LARGEST_OPTION) if isinstance(default, int) else Option(_is_finite, "a finite number", default)


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
