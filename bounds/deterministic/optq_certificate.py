r"""`optq-certificate`: whether given codes are a true OPTQ output, without running OPTQ

**Hypotheses.** Any $X$, $\lambda \ge 0$, ordering and alphabet; nearest rounding, ties broken either way. $q$ comes from any program.

**Proof.** Let $e = L(w-q)$ and $z = q + e$, so $z_j = w_j + \sum_{i<j}L_{ji}(w_i-q_i)$: a number that depends on the codes before $j$
only, and by `feedback-form` the one that OPTQ rounds at step $j$ if it chose $q_1, \dots, q_{j-1}$ before. If every $q_j$ is on the
alphabet and nearest to $z_j$, then by induction OPTQ can choose $q_1$, then $q_2$, and so on: $q$ is an output. Conversely an output $q$
has rounded exactly these $z_j$ to nearest elements. Let $j$ be the first index that breaks the condition: up to $j-1$ the codes are
choices of OPTQ, and at $j$ no run of OPTQ that shares them chooses $q_j$. ∎

**Lineage.** Without saturation the criterion is classical: $q$ is Babai's point exactly if $w - q$ lies in his cell, the box
$\{Me : |e_j| \le \delta_j/2\}$. New here: alphabets with ends, where a saturated code must be the end on $z_j$'s side, and the first
index that fails as the first step at which a program departed. No source found for that use.

**Sharp.** An equivalence; at an exact tie both neighbours pass.

**Reduces to.** $q$ on the grid and $|e_j| \le \delta_j/2$ for all $j$, on an infinite alphabet; $q = Q(w)$ where columns are orthogonal.
"""

from __future__ import annotations

import numpy as np

from ..certificate import first_departures, tie_width
from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, feedback, is_exact, lift, rationals


@claim(
    id="optq-certificate",
    statement=r"with $e = L(w-q)$, $z = q+e$: $q$ is an output of nearest-rounding OPTQ iff every $q_j$ is on the alphabet and nearest "
    r"to $z_j$; the first $j$ that breaks it is the first step at which the program departed",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#optq-certificate",
    kind=Kind.IDENTITY,
    unit="step number",
)
def optq_certificate(problem: Problem, result: Result) -> Evaluation:
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
    errors = feedback(problem, result)
    found = first_departures(problem, codes, errors)
    differs = codes != right
    first = np.where(differs.any(axis=0), differs.argmax(axis=0), problem.N)
    truth = np.where(_tied(problem, codes, right, first), found, first)
    step = int(np.random.default_rng([problem.seed, problem.N]).integers(problem.N))
    change = np.where(errors[step] >= 0, -1, 1)  # away from z: never a tie
    tampered = codes.copy()
    tampered[step] += change
    moved = problem.steps[step] * (rationals(change) if is_exact(errors) else change)
    tampered_errors = errors - problem.factorization.L[:, step : step + 1] * moved
    measured = np.stack([found, first_departures(problem, tampered, tampered_errors)]).astype(float)
    bound = np.stack([truth, np.minimum(truth, step)]).astype(float)
    return Evaluation(measured, bound, scale=np.full(problem.K, problem.N), allowance=float(tie_width(problem)))


def _tied(problem: Problem, codes: np.ndarray, right: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Whether OPTQ could as well have chosen these codes at the first step that differs: z lies in the middle, on their side (K,)."""
    at = np.minimum(first, problem.N - 1)[None]
    parts = (codes, right, problem.result.rounding_errors, problem.steps)
    code, other, error, step = (np.take_along_axis(part, at, axis=0)[0] for part in parts)
    half = (lift(0.5, problem.W) - tie_width(problem)) * step
    return (first < problem.N) & (code - other == np.where(error > 0, 1, -1)) & (abs(error) >= half)
