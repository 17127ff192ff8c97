"""Rounding rules: what turns the real number that a step arrives at into an integer code (bounds/THEORY.md#rounding).

A rule sees the number in units of its step, `ratio = z / step`, for one feature (step `t` of the processing order) and
all neurons at once. `slack` says how far beyond the end codes a ratio may lie before the step counts as saturated.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .arguments import LARGEST_CODE, as_array, as_nonnegative, as_seed, choose, reject
from .grid import Alphabet

ROUNDINGS = ("nearest", "stochastic")


class RoundingRule(Protocol):
    """One way to round; `codes` may return integers outside the alphabet, which are clipped to its ends."""

    slack: float

    def codes(self, t: int, ratio: np.ndarray) -> np.ndarray:
        """Integer codes (as floats) for the ratios (K,) of step `t`."""
        ...


class Nearest:
    """The closest code; a tie goes to the even one."""

    slack = 0.5

    def codes(self, t: int, ratio: np.ndarray) -> np.ndarray:
        return np.rint(ratio)


class Stochastic:
    """Up with probability equal to the fractional part, so the error has mean zero; needs uniforms (N, K) in processing order."""

    slack = 0.0

    def __init__(self, uniforms: np.ndarray):
        self.uniforms = uniforms

    def codes(self, t: int, ratio: np.ndarray) -> np.ndarray:
        below = np.floor(ratio)
        return below + (self.uniforms[t] < ratio - below)


class Prescribed:
    """Codes that are given beforehand (N, K, processing order): replays a result through any form of an algorithm."""

    slack = 0.5

    def __init__(self, prescribed: np.ndarray):
        self.prescribed = prescribed

    def codes(self, t: int, ratio: np.ndarray) -> np.ndarray:
        return self.prescribed[t]


class EveryPath:
    """All 2^N rounding paths at once: column c rounds step t up iff bit t of c is set, with its probability kept.

    Attributes:
        probabilities: (2^N,) probability of each path under stochastic rounding, once every step was taken.
    """

    slack = 0.0

    def __init__(self, features: int):
        self.up = (np.arange(2**features) >> np.arange(features)[:, None]) & 1 == 1
        self.probabilities = np.ones(2**features)

    def codes(self, t: int, ratio: np.ndarray) -> np.ndarray:
        below = np.floor(ratio)
        fraction = ratio - below
        self.probabilities *= np.where(self.up[t], fraction, 1 - fraction)
        return below + self.up[t]


class Checked:
    """A rule of somebody's own, held to what it promises at every step: an integer for every neuron."""

    def __init__(self, rule: RoundingRule):
        self.rule = rule
        self.slack = as_nonnegative("rounding.slack", rule.slack)

    def codes(self, t: int, ratio: np.ndarray) -> np.ndarray:
        accepted = f"integers, one for each of {len(ratio)} neurons"
        given = self.rule.codes(t, ratio)
        try:
            codes = as_array(given)
        except TypeError:
            raise reject("rounding.codes", given, accepted) from None
        if codes.dtype.kind not in "fiu" or codes.shape != ratio.shape or not np.array_equal(codes, np.rint(codes)):
            raise reject("rounding.codes", codes, accepted)
        return codes


OURS = (Nearest, Stochastic, Prescribed, EveryPath)


def rounding_rule(rounding: str | RoundingRule, seed: int | None, shape: tuple[int, int],
                  order: np.ndarray) -> tuple[RoundingRule, int | None]:
    """The named rule for (N, K) weights processed in `order`, and the seed it used (None where nothing is drawn).

    Stochastic draws are made in the original feature order, so every ordering and every form of an algorithm sees the
    same uniform number for the same weight. A rule object of somebody's own is taken with its codes checked.
    """
    if not isinstance(rounding, str):
        if isinstance(rounding, type) or not (callable(getattr(rounding, "codes", None)) and hasattr(rounding, "slack")):
            raise reject("rounding", rounding, "one of " + ", ".join(map(repr, ROUNDINGS)) + " or a RoundingRule")
        return rounding if isinstance(rounding, OURS) else Checked(rounding), seed
    choose("rounding", rounding, ROUNDINGS)
    if rounding == "nearest":
        if seed is not None:
            as_seed("seed", seed)
        return Nearest(), None
    seed = as_seed("seed", seed)
    return Stochastic(np.random.default_rng(seed).random(shape)[order]), seed


def round_row(alphabet: Alphabet, rule: RoundingRule, t: int, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes (K,) and saturation flags (K,) of step `t`, which arrived at the real numbers `z` (K,)."""
    step, low, high = alphabet.step[t], alphabet.low[t], alphabet.high[t]
    with np.errstate(over="ignore", invalid="ignore"):  # a ratio beyond every number is saturated, or refused below
        ratio = z / step
        codes = np.clip(rule.codes(t, ratio), low, high)
    refuse_large(codes, ratio)
    return codes, saturates(ratio, low, high, rule.slack)


def refuse_large(codes: np.ndarray, ratio: np.ndarray) -> None:
    """Refuse codes that float64 cannot tell from their neighbours, or that are no numbers; names the first ratio that led to one."""
    if not (codes.min(initial=0) >= -LARGEST_CODE and codes.max(initial=0) <= LARGEST_CODE):
        worst = float(ratio[~(np.abs(codes) <= LARGEST_CODE)][0])
        raise reject("weight / step", worst, "ratios whose code is at most 2**53 in size (take a larger step or damping)")


def saturates(ratio: np.ndarray, low: np.ndarray, high: np.ndarray, slack: float) -> np.ndarray:
    """Which numbers lay beyond the alphabet, in units of their step."""
    return (ratio < low - slack) | (ratio > high + slack)
