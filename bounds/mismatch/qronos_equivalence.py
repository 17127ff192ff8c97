r"""`qronos-equivalence`: the literal alternating definition and the feedback form give the same codes (Qronos, Theorem 3.1)."""

from __future__ import annotations

from ..arithmetic import absolute, maximum
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import at_most
from ..measure import literal_numbers, literal_reach, step_sizes
from .projection import target


@claim(
    id="qronos-equivalence",
    statement=r"Qronos' choice "
    r"$q_t = \arg\min_{p\in A}\|\hat Xw - \sum_{j<t}q_j\tilde X_j - p\tilde X_t - \sum_{j>t}w_j^{(t-1)}\tilde X_j\|$ "
    r"rounds $w_t^{(t-1)}$ for $t\ge2$: the literal definition = the feedback form",
    origin=Origin.CLASSICAL,
    source="arXiv 2505.11695, Theorem 3.1",
    kind=Kind.IDENTITY,
    unit="weight",
    algorithms=("qronos",),
    rounding=None,
    hypotheses=(at_most(64, "the literal definition solves a least-squares problem at every step"),),
)
def qronos_equivalence(problem, result) -> Evaluation:
    r"""The numbers z that the result rounded against those of the literal definition, identity, deterministic.

    Setting: both forms of Qronos, any calibration matrices, damping, ordering, grid and rounding; the literal definition replays
    the result's own codes, so that ties cannot part them.

    Origin: classical (the Qronos paper). Arguments: problem and result of Qronos. Returns: z (N, K), units of the weights.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0), algorithm="qronos", X_quantized=2 * np.eye(2))
    >>> bool(check(problem, ["qronos-equivalence"])["qronos-equivalence"].ratio < 1e-12)
    True
    """
    z = result.rounding_errors + result.weights[problem.order]
    size = maximum(absolute(z)) + maximum(absolute(target(problem))) + maximum(absolute(problem.W)) + problem.steps
    return Evaluation(z, literal_numbers(problem, result)[0], scale=size, allowance=literal_reach(problem), natural=step_sizes(problem))
