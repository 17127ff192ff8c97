r"""`optq-certificate`: whether given codes are a true OPTQ output, without running OPTQ (ours)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import lift
from ..certificate import departures, tie_width
from ..claim import Evaluation, Kind, Origin, claim


@claim(
    id="optq-certificate",
    statement=r"with $e = L(w-q)$, $z = q+e$: $q$ is an output of nearest-rounding OPTQ iff every $q_j$ is on the alphabet and nearest "
    r"to $z_j$; the first $j$ that breaks it is the first step at which the program departed",
    origin=Origin.OURS,
    source="THEORY, section 3",
    kind=Kind.IDENTITY,
    unit="step number",
)
def optq_certificate(problem, result) -> Evaluation:
    r"""Where a result first departs from OPTQ, by the certificate against the truth, identity, deterministic.

    Setting: any X, damping, ordering and alphabet, nearest rounding. First row: the result itself (N where it never departs)
    against the first step at which its codes differ from a run of OPTQ, unless both codes are nearest ones there (a tie); second
    row: the result with one code changed, away from z, at a step drawn from the seed, against that step.

    Origin: ours. Arguments: problem and result of OPTQ. Returns: (2, K), step numbers, relative to N.
    Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-certificate"])["optq-certificate"].ratio
    0.0
    """
    codes, right = result.codes[problem.order], problem.result.codes[problem.order]
    found = departures(problem, codes)
    differs = codes != right
    first = np.where(differs.any(axis=0), differs.argmax(axis=0), problem.N)
    truth = np.where(_tied(problem, codes, right, first), found, first)
    step = int(np.random.default_rng([problem.seed, problem.N]).integers(problem.N))
    errors = problem.factorization.L[step] @ (problem.W[problem.order] - problem.steps * codes)
    tampered = codes.copy()
    tampered[step] += np.where(errors >= 0, -1, 1)  # away from z: never a tie
    measured = np.stack([found, departures(problem, tampered)]).astype(float)
    bound = np.stack([truth, np.minimum(truth, step)]).astype(float)
    return Evaluation(measured, bound, scale=np.full(problem.K, problem.N), allowance=float(tie_width(problem)))


def _tied(problem, codes: np.ndarray, right: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Whether OPTQ could as well have chosen these codes at the first step that differs: z lies in the middle, on their side (K,)."""
    at = np.minimum(first, problem.N - 1)[None]
    parts = (codes, right, problem.result.rounding_errors, problem.steps)
    code, other, error, step = (np.take_along_axis(part, at, axis=0)[0] for part in parts)
    half = (lift(0.5, problem.W) - tie_width(problem)) * step
    return (first < problem.N) & (code - other == np.where(error > 0, 1, -1)) & (abs(error) >= half)
