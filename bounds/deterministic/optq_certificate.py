r"""`optq-certificate`: whether given codes are a true OPTQ output, without running OPTQ (ours)."""

from __future__ import annotations

import numpy as np

from ..certificate import departures
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

    Setting: any X, damping, ordering and alphabet, nearest rounding, away from ties. First row: the result itself (N where it
    never departs) against the first step at which its codes differ from a run of OPTQ; second row: the result with one code
    changed at a step drawn from the seed, against that step.

    Origin: ours. Arguments: problem and result of OPTQ. Returns: (2, K), step numbers. Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-certificate"])["optq-certificate"].ratio
    0.0
    """
    codes = result.codes[problem.order]
    differs = codes != problem.result.codes[problem.order]
    truth = np.where(differs.any(axis=0), differs.argmax(axis=0), problem.N)
    step = int(np.random.default_rng([problem.seed, problem.N]).integers(problem.N))
    tampered = codes.copy()
    tampered[step] += np.where(codes[step] >= problem.alphabet.high[step], -1, 1)
    first_tampered = np.minimum(truth, step)
    found = np.stack([departures(problem, codes), departures(problem, tampered)])
    return Evaluation(found.astype(float), np.stack([truth, first_tampered]).astype(float), scale=np.ones(problem.K))
