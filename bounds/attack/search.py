"""Where an attack searches: regimes of sizes and dampings, places opened in each, the nearest approach and others pursued in turn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from ..campaign import mended
from ..checking.hypotheses import mismatched_inputs, validation_inputs
from ..checking.law import LAW_KINDS
from ..checking.problem import Problem
from ..checking.sampling import repeat_neuron
from ..problems.built import Random, make_damping, make_problem
from .scoring import ENOUGH, Search
from .tuning import tune_everything, tune_weights

SIZES = (8, 3, 16)  # features, where they are left to the attack
SHAPES = (1.0, 0.5, 2.0)  # samples over features
LARGE_DAMPING = "spectral:10"  # outweighs every feature
OPENING = 150  # generations in each place before any is returned to
TRIES = 25  # runs for each problem that is drawn in a place before the best of them is tuned
LAW_FEATURES = 8  # all 2^N rounding paths are enumerated for every candidate


@dataclass
class Place:
    """Where the search is, and how near it came there."""

    problem: Problem
    score: float

    @property
    def attained(self) -> bool:
        """Whether the bound is attained here, or float64 sees only its own noise: nothing more is to be found."""
        return self.score >= ENOUGH


def regimes_of(features: int | None, samples: int | None) -> list[tuple[int, int, float | str | None]]:
    """Where to search: (N, m, damping), None being any positive one; different ones follow each other."""
    if features is not None and samples is not None:
        sizes = [(features, samples)]
    elif samples is not None:
        sizes = [(max(1, round(samples / shape)), samples) for shape in SHAPES]
    else:
        sizes = [(N, max(1, round(N * shape))) for N in (SIZES if features is None else (features,)) for shape in SHAPES]
    return [(N, m, damping) for damping in (None, 0.0, LARGE_DAMPING) for N, m in dict.fromkeys(sizes) if damping != 0 or m >= N]


def explore(search: Search, regimes: list, rng: np.random.Generator) -> None:
    """Open every place, then go on from the nearest approach and from others in turn; attained places are replaced by new ones."""
    places: list[Place] = []
    waiting = list(regimes)
    for turn in count():
        while waiting and not search.over:
            opened = _opened(search, *waiting.pop(0), len(regimes), rng)
            places += [] if opened is None else [opened]
        if search.over or (turn and not places):
            return
        places = [place for place in places if not place.attained]
        waiting = [] if places else list(regimes)
        if places:
            nearest = max(places, key=lambda place: place.score)
            _pursue(search, places[rng.integers(len(places))] if turn % 2 else nearest, rng)


def _opened(search: Search, N: int, m: int, damping: float | str | None, regimes: int, rng: np.random.Generator) -> Place | None:
    """The best of a few problems of a regime, tuned for a while; None where the claim applies to none, or float64 sees only noise."""
    search.lost = False
    share = search.given // (2 * regimes)
    place = None
    for _ in range(1 + share // TRIES):
        problem = _candidate(search, N, m, damping, rng)
        scores = search.scores(problem)
        neuron = int(np.argmax(scores))
        if search.neurons == problem.K and scores[neuron] > (-np.inf if place is None else place.score):
            place = Place(repeat_neuron(problem, neuron, 1) if search.in_population else problem, float(scores[neuron]))
        if search.over or search.lost:
            break
    if place is not None and not search.lost:
        _settle(place, tune_weights(search, place.problem, rng, min(OPENING, share)) if search.in_population
                else tune_everything(search, place.problem, rng, share))
    return None if search.lost else place


def _pursue(search: Search, place: Place, rng: np.random.Generator) -> None:
    """Tune the weights of a place, then everything, then the weights again; a place of rounding noise is left."""
    search.lost = False
    if search.in_population:
        _settle(place, tune_weights(search, place.problem, rng))
        _settle(place, tune_everything(search, place.problem, rng, search.given // 8))
        _settle(place, tune_weights(search, place.problem, rng))
    else:
        _settle(place, tune_everything(search, place.problem, rng, search.given // 4))
    if search.lost:
        place.score = np.inf


def _settle(place: Place, climbed: tuple[Problem, float]) -> None:
    if climbed[1] > place.score:
        place.problem, place.score = climbed


def _candidate(search: Search, N: int, m: int, damping: float | str | None, rng: np.random.Generator) -> Problem:
    """A problem of a regime as it is drawn, mended to meet the claim's hypotheses."""
    claim, neurons = search.claim, search.neurons
    if claim.draw is not None:
        drawn = repeat_neuron(claim.draw(rng), 0, neurons)
        scattered = drawn.grid.alphabet(drawn.N, neurons).step * rng.standard_normal(drawn.W.shape)
        drawn = drawn.but(W=drawn.W + scattered * (np.arange(neurons) > 0))
    else:
        choices = Random(rng)
        drawn = make_problem(
            choices, choices.pick(claim.algorithms), rounding=claim.rounding, samples=m, neurons=neurons,
            features=min(N, LAW_FEATURES) if claim.kind in LAW_KINDS else N,
            damping=make_damping(choices, positive=True) if damping is None else damping,
            mismatched=mismatched_inputs in claim.hypotheses or "qronos" in claim.algorithms, near_ties=False,
        )
    unread = {} if validation_inputs in claim.hypotheses else {"X_validation": None}
    return mended(claim, drawn.but(**unread))
