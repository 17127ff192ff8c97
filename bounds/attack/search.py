"""Attack a claim: search for inputs that bring measured/bound as near to 1 as it gets, or past it.

The search sees measured/bound and nothing else: no factorization, no proof, no construction. It starts in many places: tall, square
and wide problems of several sizes, without damping, with some, and with more than the features weigh; grids, orderings and the rest
as they are drawn. In each, evolution (`Evolution`) tunes the weights, a whole population of them as the neurons of one problem, and
after them the matrices. Where a bound is attained and not passed, nothing more is to be found: the search goes on elsewhere. What is
found is shrunk to fewer features and samples and rounder numbers, and saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ...algorithms import Grid, InvalidArgumentError
from ...algorithms.arguments import as_count, reject
from ...algorithms.damping import resolve_damping
from ...algorithms.factorization import RowSource
from ..campaign import mended
from ..check import check, unmet_hypotheses
from ..checking.claim import Claim, Kind, select
from ..checking.containment import contained
from ..checking.hypotheses import mismatched_inputs, validation_inputs
from ..checking.law import LAW_KINDS, law_verdict
from ..checking.problem import Problem
from ..checking.sampling import repeat_neuron
from ..checking.tolerance import EQUALITY, relative_allowance
from ..checking.verdict import Outcome, Verdict, ratios, reach
from ..deterministic.optimum import optimum_decided
from ..exact.decisions import check_exact
from ..problems.built import NEURONS, Random, make_damping, make_problem
from .evolution import Evolution

BUDGET = 6000  # runs of the algorithm
GALLERY_BUDGET = 600
LARGEST_SIDE = 4096  # features or samples that a search may be asked for
ENOUGH = 0.9999  # a place where the search comes so near, and not past 1 in OVERTIME more generations, is left
OVERTIME = 40
SIZES = (8, 3, 16)  # features, where they are left to the attack
SHAPES = (1.0, 0.5, 2.0)  # samples over features
LARGE_DAMPING = "spectral:10"  # outweighs every feature
OPENING = 150  # generations in each place before any is returned to
KEPT = 1 - 1e-3  # of the ratio, when a problem is shrunk
POPULATION = 256  # weights per run
TRIES = 25  # runs for each problem that is drawn in a place before the best of them is tuned
SEARCHED_POPULATION = 32  # where every one of them costs the search for an exact optimum
LAW_FEATURES = 8  # all 2^N rounding paths are enumerated for every candidate
WEIGHT_STEP, MATRIX_STEP = 0.05, 0.2  # where evolution starts, in steps of the grid and in typical entries of a matrix
GENERATIONS, RETUNED = 600, 150  # of one evolution of weights, and of one after something was left out
MOST_NOISE = 8  # places where float64 sees a violation and exact arithmetic none, before the search ends
PATIENCE = 120  # generations without progress
POLISHINGS = 3  # of a problem that got smaller, each with a tenth of the budget
LARGEST_LOGARITHM = 12.0  # of a damping or of odds


@dataclass(frozen=True, eq=False)
class Attack:
    """The closest approach to a claim that a search found.

    Attributes:
        claim: the claim that was attacked.
        ratio: measured/bound of `problem`, as in `Verdict.ratio`.
        problem: what was found, shrunk: few features and samples, round numbers, one neuron unless the claim is about several at
            once; not more than 0.1% below `found_ratio`, and above it where small problems come nearer.
        found: the problem before it was shrunk, and its `found_ratio`.
        evaluations: how many inputs were tried.
        verdict: of the claim on `problem`; an outcome of VIOLATED refutes the claim. That it holds there says nothing of others.
    """

    claim: Claim
    ratio: float
    problem: Problem
    found: Problem
    found_ratio: float
    evaluations: int
    verdict: Verdict

    @property
    def claim_id(self) -> str:
        """Id of the claim."""
        return self.claim.id

    @property
    def violated(self) -> bool:
        """Whether the claim is refuted."""
        return self.verdict.outcome is Outcome.VIOLATED

    @property
    def words(self) -> str:
        """What the search may say of the claim: a search that ends without a violation proves nothing."""
        return "not refuted" if self.verdict.outcome is Outcome.HOLDS else str(self.verdict.outcome)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the problem as CLAIM.npz and what it was shrunk from as CLAIM-found.npz; `Problem.load` reads them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return [self.problem.save(folder / f"{self.claim_id}.npz"), self.found.save(folder / f"{self.claim_id}-found.npz")]


def attack(claim_id: str, features: int | None = None, samples: int | None = None, budget: int = BUDGET, seed: int = 0,
           progress: Callable[[float, float], object] | None = None) -> Attack:
    """Search for inputs on which a claim nearly fails, or fails.

    Upper bounds: measured/bound; lower bounds: bound/measured; identities: the relative residual; expectations: the mean of
    measured/bound, and probabilities: its (1 - p)-quantile, both exactly, over all rounding paths of at most 8 features.

    Arguments:
        claim_id: a registered claim; predictions and fixed constructions cannot be attacked.
        features, samples: N and m of the problems that are searched, fewer where a claim's own hypotheses ask for it; None: tall,
            square and wide problems of several sizes.
        budget: runs of the algorithm, each on a whole population of weights; the search ends sooner where the claim is refuted.
        seed: the same seed finds the same problem.
        progress: called with the share of the budget that is spent and the largest ratio so far.

    Raises:
        InvalidArgumentError: an unknown claim, one that cannot be attacked, or one to which no drawn problem belongs.

    >>> found = attack("optq-l2", features=3, samples=3, budget=500)
    >>> found.found_ratio > 0.999, found.problem.N, found.violated, found.words
    (True, 1, False, 'not refuted')
    """
    if features is not None:
        features = as_count("features", features, 1, LARGEST_SIDE)
    if samples is not None:
        samples = as_count("samples", samples, 1, LARGEST_SIDE)
    budget, seed = as_count("budget", budget), as_count("seed", seed, 0)
    if not isinstance(claim_id, str):
        raise reject("claim id", claim_id, "the id of one claim")
    if progress is not None and not callable(progress):
        raise reject("progress", progress, "None or a function of the share done and the ratio")
    (claim,) = select(claim_id)
    if not attackable(claim):
        raise reject("claim id", claim_id, "a claim that can be attacked (no prediction, and no construction with fixed numbers)")
    with threadpool_limits(limits=1), contained():
        return _attack(_Search(claim, budget, progress), features, samples, seed)


def _attack(search: _Search, features: int | None, samples: int | None, seed: int) -> Attack:
    claim = search.claim
    _explore(search, _regimes(features, samples), np.random.default_rng([seed, 1]))
    if search.best is None and search.noise:
        search.best = search.noise[0]
        search.score = _verdict(claim, search.best).ratio
    if search.best is None:
        sizes = [f"{number} {name}" for name, number in (("features", features), ("samples", samples)) if number is not None]
        raise reject("claim id", claim.id, "a claim to which some problem" + (f" with {' and '.join(sizes)}" if sizes else "") + " belongs")
    found, found_ratio, verdict = search.best, search.score, _verdict(claim, search.best)
    problem = found
    if verdict.outcome is Outcome.VIOLATED or claim.kind is not Kind.IDENTITY:  # a true identity's residual is noise: nothing to shrink
        smaller = _shrunk(search, np.random.default_rng([seed, 2]))
        of_smaller = _verdict(claim, smaller)
        if of_smaller.outcome in (verdict.outcome, Outcome.VIOLATED):
            problem, verdict = smaller, of_smaller
    return Attack(claim, verdict.ratio, problem, found, found_ratio, search.evaluations, verdict)


def _verdict(claim: Claim, problem: Problem) -> Verdict:
    """A violation stands unless exact arithmetic says that float64 only saw its own rounding."""
    verdict = check(problem, [claim.id], draws=1)[claim.id]
    if verdict.outcome is not Outcome.VIOLATED or not _is_noise(claim, problem):
        return verdict
    advice = "float64 sees a violation, and the claim holds in exact arithmetic: its formula loses precision here"
    return replace(verdict, outcome=Outcome.UNDECIDED, advice=advice, witness=None)


def _is_noise(claim: Claim, problem: Problem) -> bool:
    """Whether exact arithmetic says that the claim holds; False for a formula that is not written for exact arithmetic."""
    try:
        return check_exact(problem, [claim.id]).verdicts[claim.id].outcome is Outcome.HOLDS
    except (TypeError, AttributeError, ValueError):
        return False


def attackable(claim: Claim) -> bool:
    """Whether there are inputs to search: not for predictions, nor for constructions with fixed numbers."""
    return claim.kind is not Kind.PREDICTION and not claim.fixed


def gallery(ids: Iterable[str] | None = None, features: int = 8, samples: int = 8, budget: int = GALLERY_BUDGET, seed: int = 0,
            progress: Callable[[float, float], object] | None = None) -> list[Attack]:
    """How tight is each theorem? One attack per claim, in the order of the registry; claims that cannot be attacked are left out.

    >>> [made.claim_id for made in gallery(["optq-l2", "predicted-error"], features=2, samples=2)]
    ['optq-l2']
    """
    chosen = [claim for claim in select(ids) if attackable(claim)]
    found = []
    for claim in chosen:
        found.append(attack(claim.id, features, samples, budget, seed))
        if progress is not None:
            progress(len(found) / len(chosen), found[-1].ratio)
    return found


class _Search:
    """What the attack sees: scores of candidates. Counts the runs and keeps the best candidate."""

    def __init__(self, claim: Claim, budget: int, progress: Callable[[float, float], object] | None):
        self.claim, self.given, self.budget, self.progress = claim, budget, budget, progress
        self.runs = self.evaluations = 0
        self.best, self.score, self.highest = None, -np.inf, -np.inf
        self.ceiling = ENOUGH if claim.kind is Kind.IDENTITY else 1 + EQUALITY
        self.each_alone = True
        self.noise: list[Problem] = []
        self.lost = False

    @property
    def in_population(self) -> bool:
        """Whether many weights can be tried at once, as the neurons of one problem."""
        return self.claim.construct is None and self.each_alone and self.claim.about_neurons and self.claim.kind not in LAW_KINDS

    @property
    def neurons(self) -> int:
        """Of every problem that is drawn."""
        return self.population if self.in_population else 1 if self.each_alone else NEURONS

    @property
    def population(self) -> int:
        return SEARCHED_POPULATION if optimum_decided in self.claim.hypotheses else POPULATION

    @property
    def over(self) -> bool:
        return self.runs >= self.budget or self.score > self.ceiling or (self.lost and len(self.noise) >= MOST_NOISE)

    def scores(self, problem: Problem) -> np.ndarray:
        """The ratio of every neuron (K,); -inf where the claim does not apply or float64 cannot decide it."""
        found = self._run(problem)
        neuron = int(np.argmax(found))
        if found[neuron] > self.highest:
            self.highest = found[neuron]
            if self.in_population and problem.K > 1:
                self._keep_alone(repeat_neuron(problem, neuron, 1), found[neuron])
            else:
                self._keep(problem, found[neuron])
        if self.progress is not None:
            self.progress(min(1.0, self.runs / self.budget), self.score)
        return found

    def _run(self, problem: Problem) -> np.ndarray:
        self.runs += 1 + (problem.K // 4 if optimum_decided in self.claim.hypotheses else 0)
        self.evaluations += problem.K
        try:
            return _ratios(self.claim, problem)
        except InvalidArgumentError:  # rank deficient, or codes beyond every integer
            return np.full(problem.K, -np.inf)

    def _keep_alone(self, problem: Problem, among_others: float) -> None:
        """The best neuron of a population as a problem of its own; a claim that then sees less is about several at once."""
        (ratio,) = self._run(problem)
        self._keep(problem, ratio)
        if ratio < (1 - EQUALITY) * among_others - EQUALITY:
            self.each_alone, self.highest = False, self.score

    def _keep(self, problem: Problem, ratio: float) -> None:
        if ratio > self.ceiling and _is_noise(self.claim, problem):
            self.noise.append(problem)
            self.lost, self.highest = True, self.score
        elif ratio > self.score:
            self.best, self.score = problem, float(ratio)


@dataclass
class _Place:
    """Where the search is, and how near it came there."""

    problem: Problem
    score: float

    @property
    def attained(self) -> bool:
        """Whether the bound is attained here, or float64 sees only its own noise: nothing more is to be found."""
        return self.score >= ENOUGH


def _ratios(claim: Claim, problem: Problem) -> np.ndarray:
    if claim.construct is not None:
        problem = claim.construct(problem)
    unfit = np.full(problem.K, -np.inf)
    applies, _ = unmet_hypotheses(claim, problem, problem.result)
    if not applies.any() or relative_allowance(*reach(problem)) > EQUALITY:
        return unfit
    if claim.kind in LAW_KINDS:
        return np.full(problem.K, law_verdict(claim, problem, draws=1).ratio)
    found = ratios(claim.kind, claim(problem, problem.result))
    worst = np.reshape(found, (-1, problem.K)).max(axis=0) if claim.about_neurons else np.full(problem.K, np.max(found))
    return np.where(applies & ~np.isnan(worst), worst, unfit)


def _regimes(features: int | None, samples: int | None) -> list[tuple[int, int, float | str | None]]:
    """Where to search: (N, m, damping), None being any positive one; different ones follow each other."""
    if features is not None and samples is not None:
        sizes = [(features, samples)]
    elif samples is not None:
        sizes = [(max(1, round(samples / shape)), samples) for shape in SHAPES]
    else:
        sizes = [(N, max(1, round(N * shape))) for N in (SIZES if features is None else (features,)) for shape in SHAPES]
    return [(N, m, damping) for damping in (None, 0.0, LARGE_DAMPING) for N, m in dict.fromkeys(sizes) if damping != 0 or m >= N]


def _explore(search: _Search, regimes: list, rng: np.random.Generator) -> None:
    """Open every place, then go on from the nearest approach and from others in turn; attained places are replaced by new ones."""
    places: list[_Place] = []
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


def _opened(search: _Search, N: int, m: int, damping: float | str | None, regimes: int, rng: np.random.Generator) -> _Place | None:
    """The best of a few problems of a regime, tuned for a while; None where the claim applies to none, or float64 sees only noise."""
    search.lost = False
    share = search.given // (2 * regimes)
    place = None
    for _ in range(1 + share // TRIES):
        problem = _candidate(search, N, m, damping, rng)
        scores = search.scores(problem)
        neuron = int(np.argmax(scores))
        if search.neurons == problem.K and scores[neuron] > (-np.inf if place is None else place.score):
            place = _Place(repeat_neuron(problem, neuron, 1) if search.in_population else problem, float(scores[neuron]))
        if search.over or search.lost:
            break
    if place is not None and not search.lost:
        _settle(place, _tune_weights(search, place.problem, rng, min(OPENING, share)) if search.in_population
                else _tune_everything(search, place.problem, rng, share))
    return None if search.lost else place


def _pursue(search: _Search, place: _Place, rng: np.random.Generator) -> None:
    """Tune the weights of a place, then everything, then the weights again; a place of rounding noise is left."""
    search.lost = False
    if search.in_population:
        _settle(place, _tune_weights(search, place.problem, rng))
        _settle(place, _tune_everything(search, place.problem, rng, search.given // 8))
        _settle(place, _tune_weights(search, place.problem, rng))
    else:
        _settle(place, _tune_everything(search, place.problem, rng, search.given // 4))
    if search.lost:
        place.score = np.inf


def _settle(place: _Place, climbed: tuple[Problem, float]) -> None:
    if climbed[1] > place.score:
        place.problem, place.score = climbed


def _candidate(search: _Search, N: int, m: int, damping: float | str | None, rng: np.random.Generator) -> Problem:
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


def _climb(search: _Search, evolution: Evolution, score: Callable[[np.ndarray], np.ndarray], generations: int,
           enough: float = np.inf) -> tuple[np.ndarray, float]:
    """The best candidate (n,) that evolution finds before it stops making progress, and its score."""
    best, highest, since = evolution.mean, -np.inf, 0
    for _ in range(generations):
        candidates = evolution.ask()
        scores = score(candidates)
        evolution.tell(scores)
        leader, since = int(np.argmax(scores)), since + 1
        if scores[leader] > highest:
            since = 0 if scores[leader] > highest + 1e-6 else since
            best, highest = candidates[:, leader], scores[leader]
        patience = PATIENCE if highest < ENOUGH else OVERTIME
        if search.over or search.lost or highest >= enough or since > patience or evolution.scale < 1e-9:
            break
    return best, float(highest)


def _tune_weights(search: _Search, start: Problem, rng: np.random.Generator, generations: int = GENERATIONS,
                  enough: float = np.inf) -> tuple[Problem, float]:
    """The start with better weights; every run tries a population of them side by side."""
    step = start.grid.alphabet(start.N, 1).step
    evolution = Evolution((start.W / step)[:, 0] + rng.uniform(-0.5, 0.5, start.N), WEIGHT_STEP, search.population, rng)
    best, score = _climb(search, evolution, lambda candidates: search.scores(start.but(W=candidates * step)), generations, enough)
    return start.but(W=best[:, None] * step), score


def _tune_everything(search: _Search, start: Problem, rng: np.random.Generator, runs: int) -> tuple[Problem, float]:
    """The start with better matrices, weights, damping and failure probability; every candidate is a problem of its own."""
    flat, rebuild = _coordinates(search.claim, start)
    evolution = Evolution(flat, MATRIX_STEP, 4 + int(3 * np.log(len(flat))), rng)

    def score(candidates: np.ndarray) -> np.ndarray:
        return np.array([search.scores(rebuild(candidate)).max() for candidate in candidates.T])

    best, highest = _climb(search, evolution, score, max(1, runs // evolution.population))
    return rebuild(best), highest


def _coordinates(claim: Claim, start: Problem) -> tuple[np.ndarray, Callable[[np.ndarray], Problem]]:
    """Everything continuous about a problem as one vector of comparable numbers, and the way back."""
    step = start.grid.alphabet(start.N, start.K).step
    parts = {"W": start.W / step}
    sizes = {name: np.sqrt(np.mean(X**2)) or 1.0 for name in ("X", "X_validation") if (X := getattr(start, name)) is not None}
    parts |= {name: getattr(start, name) / size for name, size in sizes.items()}
    live = {name: X.any(axis=0) for name in ("X", "X_quantized") if (X := getattr(start, name)) is not None}  # dead features stay dead
    if start.X_quantized is not None:
        parts["mismatch"] = (start.X_quantized - start.X) / sizes["X"]
    damping = _absolute_damping(start)
    if damping > 0:
        parts["damping"] = np.log([damping])
    if claim.kind is Kind.PROBABILITY:
        p = start.failure_probability
        parts["odds"] = np.log([p / (1 - p)])
    ends = np.cumsum([part.size for part in parts.values()])

    def rebuild(flat: np.ndarray) -> Problem:
        read = {name: np.reshape(piece, part.shape) for (name, part), piece in zip(parts.items(), np.split(flat, ends[:-1]), strict=True)}
        changes = {"W": read["W"] * step} | {name: read[name] * size for name, size in sizes.items()}
        if "mismatch" in read:
            changes["X_quantized"] = changes["X"] + read["mismatch"] * sizes["X"]
        for name, alive in live.items():
            changes[name] = changes[name] * alive
        if "damping" in read:
            changes["damping"] = float(np.exp(np.clip(read["damping"][0], -LARGEST_LOGARITHM, LARGEST_LOGARITHM)))
        if "odds" in read:
            changes["failure_probability"] = float(1 / (1 + np.exp(-np.clip(read["odds"][0], -LARGEST_LOGARITHM, LARGEST_LOGARITHM))))
        return start.but(**changes)

    return np.concatenate([part.ravel() for part in parts.values()]), rebuild


def _absolute_damping(problem: Problem) -> float:
    return resolve_damping(problem.damping, RowSource.of(problem.calibration))


def _shrunk(search: _Search, rng: np.random.Generator) -> Problem:
    """The best problem made smaller, tuned again at its new size while that gains something, and made rounder."""
    polishing, search.budget, search.ceiling, search.progress, search.lost = search.given // 10, np.inf, np.inf, None, False
    for _ in range(POLISHINGS):
        reached = search.score
        kept = max(KEPT * reached, 1 + 2 * EQUALITY) if reached > 1 + 2 * EQUALITY else KEPT * reached
        problem = _small(search, search.best, rng, kept)
        if reached < ENOUGH:
            _tune_everything(search, problem, rng, polishing)
        if search.score * KEPT <= reached:
            break
    return _rounder(problem, lambda candidate: bool(search.scores(candidate).max() >= kept))


def _small(search: _Search, problem: Problem, rng: np.random.Generator, kept: float) -> Problem:
    """The problem with as little in it as still scores `kept`; weights are tuned again where something is left out."""
    for candidate in _smaller(problem):
        if search.scores(candidate).max() < kept and search.in_population:
            candidate, _ = _tune_weights(search, candidate, rng, RETUNED, kept)
        if search.scores(candidate).max() >= kept:
            return _small(search, candidate, rng, kept)
    return problem


def _smaller(problem: Problem) -> Iterator[Problem]:
    """Problems with less in them, boldest first."""
    if problem.X_validation is not None:
        yield problem.but(X_validation=None)
    if problem.X_quantized is not None:
        yield problem.but(X_quantized=None)
    for keep in _parts(problem.K):
        yield _with_neurons(problem, keep)
    for keep in _parts(problem.N):
        yield _with_features(problem, keep)
    for keep in _parts(problem.m):
        quantized = None if problem.X_quantized is None else problem.X_quantized[keep]
        yield problem.but(X=problem.X[keep], X_quantized=quantized)
    for keep in _parts(0 if problem.X_validation is None else len(problem.X_validation)):
        yield problem.but(X_validation=problem.X_validation[keep])
    if problem.grid.finite:
        yield problem.but(grid=Grid(problem.grid.step))
    if not (isinstance(problem.ordering, str) and problem.ordering == "natural"):
        yield problem.but(ordering="natural")


def _parts(size: int) -> Iterator[np.ndarray]:
    """Indices to keep: the last alone, either half, all but one."""
    everything = np.arange(size)
    if size > 2:
        yield everything[-1:]
    if size > 3:
        yield from np.array_split(everything, 2)
    if size > 1:
        for left_out in everything[::-1]:
            yield np.delete(everything, left_out)


def _with_neurons(problem: Problem, keep: np.ndarray) -> Problem:
    laid = problem.grid.alphabet(problem.N, problem.K)
    ends = (laid.low[:, keep], laid.high[:, keep]) if problem.grid.finite else (None, None)
    return problem.but(W=problem.W[:, keep], grid=Grid(laid.step[:, keep], *ends))


def _with_features(problem: Problem, keep: np.ndarray) -> Problem:
    laid = problem.grid.alphabet(problem.N, problem.K)
    ends = (laid.low[keep], laid.high[keep]) if problem.grid.finite else (None, None)
    matrices = {name: X[:, keep] for name in ("X", "X_quantized", "X_validation") if (X := getattr(problem, name)) is not None}
    ordering = problem.ordering
    if not isinstance(ordering, str):
        ordering = np.argsort(np.argsort(ordering)[keep])
    return problem.but(W=problem.W[keep], grid=Grid(laid.step[keep], *ends), ordering=ordering, **matrices)


def _rounder(problem: Problem, keeps: Callable[[Problem], bool]) -> Problem:
    """The problem with numbers of as few decimals as keep it, each matrix as a whole and then entry by entry."""
    if np.unique(problem.grid.step).size == 1 and not problem.grid.finite:
        problem = problem.but(grid=Grid(float(problem.grid.step.flat[0])))
    for damping in (0.0, 1.0, *(float(f"{_absolute_damping(problem):.{digits}g}") for digits in range(1, 5))):
        if keeps(candidate := problem.but(damping=damping)):
            problem = candidate
            break
    for name in ("X", "X_quantized", "X_validation", "W"):
        if getattr(problem, name) is None:
            continue
        for index in [..., *np.ndindex(getattr(problem, name).shape)]:
            for decimals in range(8):
                array = getattr(problem, name).copy()
                array[index] = np.round(array[index], decimals) + 0.0  # no -0
                if np.array_equal(array, getattr(problem, name)):
                    break
                if keeps(candidate := problem.but(**{name: array})):
                    problem = candidate
                    break
    return problem
