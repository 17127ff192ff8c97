"""Attack a claim: search for inputs that bring measured/bound as near to 1 as it gets, or past it.

The search sees measured/bound and nothing else: no factorization, no proof, no construction. It starts in many places: tall, square
and wide problems of several sizes, without damping, with some, and with more than the features weigh; grids, orderings and the rest
as they are drawn. In each, evolution (`Evolution`) tunes the weights, a whole population of them as the neurons of one problem, and
after them the matrices. Where a bound is attained and not passed, nothing more is to be found: the search goes on elsewhere. What is
found is shrunk to fewer features and samples and rounder numbers, and saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ...algorithms.arguments import as_count, reject
from ..checking.claim import Claim, Kind
from ..checking.containment import contained
from ..checking.problem import Problem
from ..checking.registry import select
from ..checking.verdict import Outcome, Verdict
from .scoring import Search, judged
from .search import explore, regimes_of
from .shrinking import shrunk

BUDGET = 6000  # runs of the algorithm
GALLERY_BUDGET = 600
LARGEST_SIDE = 4096  # features or samples that a search may be asked for


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
        return _attack(Search(claim, budget, progress), features, samples, seed)


def _attack(search: Search, features: int | None, samples: int | None, seed: int) -> Attack:
    claim = search.claim
    explore(search, regimes_of(features, samples), np.random.default_rng([seed, 1]))
    if search.best is None and search.noise:
        search.best = search.noise[0]
        search.score = judged(claim, search.best).ratio
    if search.best is None:
        sizes = [f"{number} {name}" for name, number in (("features", features), ("samples", samples)) if number is not None]
        raise reject("claim id", claim.id, "a claim to which some problem" + (f" with {' and '.join(sizes)}" if sizes else "") + " belongs")
    found, found_ratio, verdict = search.best, search.score, judged(claim, search.best)
    problem = found
    if verdict.outcome is Outcome.VIOLATED or claim.kind is not Kind.IDENTITY:  # a true identity's residual is noise: nothing to shrink
        smaller = shrunk(search, found, np.random.default_rng([seed, 2]))
        of_smaller = judged(claim, smaller)
        if of_smaller.outcome in (verdict.outcome, Outcome.VIOLATED):
            problem, verdict = smaller, of_smaller
    return Attack(claim, verdict.ratio, problem, found, found_ratio, search.evaluations, verdict)


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
