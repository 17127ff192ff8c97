r"""`qronos-equivalence`: the literal alternating definition and the feedback form give the same codes

**Hypotheses.** Any $X$, $\tilde X$, $\lambda \ge 0$, ordering, alphabet and rounding rule; where columns of $\hat{\tilde X}$ depend on
each other, $\arg\min$ means the change of minimum norm. A zero column leaves every $p$ minimal, and $z_t = w_t^{(t-1)}$ is taken.

**Proof.** Write $Y = \hat{\tilde X}$, $c_t = Y_{>t}^+Y_t$ and $y = \Delta w$, so that the target is $\hat Xw = Yw + y$. *Step 1.* What
is minimized over $p$ is $\|y + (w_1-p)Y_1\|$, a parabola around $z_1 = w_1 + \langle Y_1, y\rangle/\|Y_1\|^2$; its minimizer on the
alphabet is an element nearest to $z_1$. The update is
$w_{>1}^{(1)} = w_{>1} + Y_{>1}^+(y + (w_1-q_1)Y_1) = w_{>1} + Y_{>1}^+y + (w_1-q_1)c_1$. With $a = Y^+y$ and $u = w + a$ this is
$u_{>1} + (u_1-q_1)c_1$, because $Y_{>1}^+y = a_{>1} + a_1c_1 =: b$. Indeed
$Y_{>1}b = Y_{>1}a_{>1} + a_1P_{>1}Y_1 = P_{>1}(Ya) = P_{>1}y$, where $P_{>1}$ projects on the range of $Y_{>1}$ (a part of the range of
$Y$, on which $Ya$ and $y$ agree): $b$ is a least-squares solution. And it is the shortest: for every $x$ in the kernel of $Y_{>1}$,
$(0, x)$ is in that of $Y$, so $a_{>1} \perp x$, and $c_1 \perp x$ as a value of $Y_{>1}^+$. *Step $t \ge 2$.* The residual
$\varrho = \hat Xw - \sum_{j<t}q_jY_j - Y_{\ge t}w_{\ge t}^{(t-1)}$ that the step before left is orthogonal to $Y_t, \dots, Y_N$. So the
choice of $q_t$ minimizes $\|\varrho + (w_t^{(t-1)}-p)Y_t\|^2 = \|\varrho\|^2 + (w_t^{(t-1)}-p)^2\|Y_t\|^2$: it rounds $w_t^{(t-1)}$. And
the update is $w_{>t}^{(t)} = w_{>t}^{(t-1)} + Y_{>t}^+(\varrho + e_tY_t) = w_{>t}^{(t-1)} + e_tc_t$, since $Y_{>t}^+\varrho = 0$: OPTQ's
update. With $\epsilon = (u_1-q_1, e_2, \dots, e_N)$ it unrolls, as in `feedback-form`, into $u - q = M\epsilon$, that is
$L(u-q) = \epsilon$. ∎

**Lineage.** Theorem 3.1 of the Qronos paper (arXiv 2505.11695). That it holds with dependent columns, for the change of minimum norm, is
written out here.

**Sharp.** An identity.

**Reduces to.** `optq-update` where $\tilde X = X$.
"""

from __future__ import annotations

from ..checking import (
    Evaluation,
    Kind,
    Origin,
    Problem,
    Result,
    absolute,
    at_most,
    claim,
    literal_numbers,
    literal_reach,
    maximum,
    step_sizes,
)
from .projection import target


@claim(
    id="qronos-equivalence",
    statement=r"Qronos' choice over the alphabet $A$, "
    r"$q_t = \arg\min_{p\in A}\|\hat Xw - \sum_{j<t}q_j\hat{\tilde X}_j - p\hat{\tilde X}_t - \sum_{j>t}w_j^{(t-1)}\hat{\tilde X}_j\|$ "
    r"rounds $w_t^{(t-1)}$ for $t\ge2$: the literal definition = the feedback form",
    origin=Origin.CLASSICAL,
    source="arXiv 2505.11695, Theorem 3.1",
    kind=Kind.IDENTITY,
    unit="weight",
    algorithms=("qronos",),
    rounding=None,
    hypotheses=(at_most(64, "the literal definition solves a least-squares problem at every step"),),
)
def qronos_equivalence(problem: Problem, result: Result) -> Evaluation:
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
