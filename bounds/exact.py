r"""Exact replay: OPTQ, Qronos and path following in rational arithmetic, from the floats as they are given.

Floats are rationals, so for small problems every identity and every inequality without roots is decided with no tolerance at
all; roots and logarithms become balls. `ExactProblem` and its result carry the same names as `Problem` and `Result`, on
object arrays of `flint.fmpq`, so a claim's one formula serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from flint import arb, ctx, fmpq, fmpq_mat

from ..algorithms.damping import resolve_damping
from ..algorithms.factorization import RowSource
from ..algorithms.grid import Alphabet
from ..algorithms.ordering import resolve_ordering
from ..algorithms.rounding import EveryPath
from .arithmetic import as_float, rational, rationals
from .check import structural_mismatch, unmet_hypotheses
from .claim import Claim, Evaluation, Kind, select
from .law import LAW_KINDS
from .problem import Problem
from .sampling import repeat_neuron
from .verdict import Outcome, Verdict

PRECISIONS = (64, 256, 1024, 4096)  # bits, tried in turn until every ball is decided
EXACT_PATHS = 8  # features up to which all 2^N rounding paths are replayed exactly


def to_matrix(array: np.ndarray) -> fmpq_mat:
    """An object array of rationals as a flint matrix."""
    return fmpq_mat([list(row) for row in array])


def to_array(matrix: fmpq_mat) -> np.ndarray:
    """A flint matrix as an object array."""
    array = np.empty((matrix.nrows(), matrix.ncols()), dtype=object)
    array[...] = matrix.tolist()
    return array


def product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A B for object arrays of rationals; flint clears denominators once instead of at every step."""
    if 0 in A.shape or 0 in B.shape:
        return np.full((A.shape[0], B.shape[1]), fmpq(0), dtype=object)
    return to_array(to_matrix(A) * to_matrix(B))


class ExactFactorization:
    """Pivots, L and M of the calibration matrix in rationals; same names as `Factorization`, features in processing order.

    Dependent columns without damping are allowed: M then has the minimum-norm columns of THEORY section 1.
    """

    def __init__(self, X: np.ndarray, damping: fmpq, order: np.ndarray):
        self.X = X
        self.damping = damping
        self.order = order
        self.ordered = X[:, order]
        self.live = np.array([any(entry != 0 for entry in column) for column in self.ordered.T])

    @cached_property
    def gram(self) -> np.ndarray:
        """The damped Gram matrix H (N, N)."""
        H = product(self.ordered.T, self.ordered)
        for j in range(len(H)):
            H[j, j] += self.damping
        return H

    @cached_property
    def _eliminated(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(L, pivots squared) by elimination from the last feature backwards; None when a live pivot vanishes."""
        S, N = self.gram.copy(), len(self.gram)
        L = np.full((N, N), fmpq(0), dtype=object)
        squared = np.full(N, fmpq(0), dtype=object)
        for k in range(N - 1, -1, -1):
            L[k, k], squared[k] = fmpq(1), S[k, k]
            if squared[k] == 0:
                if self.live[k]:
                    return None
                continue
            L[k, :k] = S[k, :k] / squared[k]
            S[:k, :k] -= np.outer(S[k, :k], L[k, :k])
        return L, squared

    @property
    def dependent(self) -> bool:
        """Whether live columns are dependent and undamped, so that no inverse of H exists on them."""
        return self._eliminated is None

    @cached_property
    def M(self) -> np.ndarray:
        """The inverse of L."""
        if self.dependent:
            return self._minimum_norm_columns()
        L, N = self._eliminated[0], len(self.order)
        M = np.full((N, N), fmpq(0), dtype=object)
        for j in range(N):
            M[j, j] = fmpq(1)
            for k in range(j + 1, N):
                M[k, j] = -sum((L[k, i] * M[i, j] for i in range(j, k)), fmpq(0))
        return M

    def _minimum_norm_columns(self) -> np.ndarray:
        N = len(self.order)
        M = np.full((N, N), fmpq(0), dtype=object)
        for j in range(N):
            M[j, j] = fmpq(1)
            if j + 1 < N:
                M[j + 1 :, j] = -minimum_norm_solution(self.ordered[:, j + 1 :], self.ordered[:, j])
        return M

    @cached_property
    def L(self) -> np.ndarray:
        """Unit lower triangular (N, N)."""
        return to_array(to_matrix(self.M).inv()) if self.dependent else self._eliminated[0]

    @cached_property
    def pivots_squared(self) -> np.ndarray:
        """(N,) squared pivots."""
        if not self.dependent:
            return self._eliminated[1]
        V = self.sample_rows_of_V
        return (V * V).sum(axis=0)

    @cached_property
    def sample_rows_of_V(self) -> np.ndarray:
        """The first m rows of V (m, N)."""
        return product(self.ordered, self.M)

    def minimum_norm_weights(self, outputs: np.ndarray) -> np.ndarray:
        """The weights (N, K) of smallest norm that best explain `outputs` (m, K), without damping."""
        return np.array([minimum_norm_solution(self.ordered, column) for column in outputs.T], dtype=object).T

    @cached_property
    def determinant(self) -> fmpq:
        """det H, not from the pivots."""
        return to_matrix(self.gram).det()

    @cached_property
    def inverse_diagonal(self) -> np.ndarray:
        """The diagonal of the inverse of H (N,), not from the pivots."""
        inverse = to_matrix(self.gram).inv()
        return np.array([inverse[j, j] for j in range(len(self.gram))], dtype=object)


def minimum_norm_solution(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The least-squares solution of A x = b of smallest norm, in rationals."""
    reduced, rank = to_matrix(A).rref()
    if rank == 0:
        return np.full(A.shape[1], fmpq(0), dtype=object)
    rows = to_array(reduced)[:rank]  # a basis of the row space: x = rows^T t
    B = product(A, rows.T)
    t = to_matrix(product(B.T, B)).solve(to_matrix(product(B.T, b[:, None])))
    return product(rows.T, to_array(t))[:, 0]


@dataclass(frozen=True, eq=False)
class ExactResult:
    """What an exact replay leaves; same names as `Result`, and how close each neuron came to a rounding tie.

    Attributes:
        tie_distances: (K,), smallest distance of any z / step to a rounding tie, in steps.
    """

    codes: np.ndarray
    weights: np.ndarray
    rounding_errors: np.ndarray
    saturated: np.ndarray
    tie_distances: np.ndarray


class ExactProblem:
    """A problem in rational arithmetic, with the names that claims read (`Problem`'s)."""

    def __init__(self, problem: Problem, rounding: object = None):
        self.given = problem
        self.algorithm, self.form, self.rounding = problem.algorithm, problem.form, problem.rounding
        self.seed, self.grid = problem.seed, problem.grid
        self.rule = rounding
        self.m, self.N, self.K = problem.m, problem.N, problem.K
        self.failure_probability = rational(problem.failure_probability)
        self.X, self.W = rationals(problem.X), rationals(problem.W)
        self.X_quantized = None if problem.X_quantized is None else rationals(problem.X_quantized)
        self.X_validation = None if problem.X_validation is None else rationals(problem.X_validation)
        self._memo: dict = {}

    @property
    def calibration(self) -> np.ndarray:
        """The matrix the algorithm is calibrated on."""
        return self.X if self.X_quantized is None else self.X_quantized

    @cached_property
    def _settings(self) -> tuple[float, np.ndarray]:
        """The absolute damping (the float that the float64 run uses) and the order."""
        given = self.given
        if "factorization" in given.__dict__:
            return given.factorization.damping, given.factorization.order
        source = RowSource.of(given.calibration)
        damping = resolve_damping(given.damping, source)
        return damping, given.order if self.algorithm == "gpfq" else resolve_ordering(given.ordering, source, damping)

    @property
    def order(self) -> np.ndarray:
        """(N,) original index of the feature processed at each step."""
        return self._settings[1]

    @cached_property
    def factorization(self) -> ExactFactorization:
        """Of the calibration matrix."""
        return ExactFactorization(self.calibration, rational(self._settings[0]), self.order)

    @cached_property
    def alphabet(self) -> Alphabet:
        """Exact steps, and ends as floats, (N, K), processing order."""
        laid = self.grid.alphabet(self.N, self.K).reordered(self.order)
        return Alphabet(rationals(laid.step), laid.low, laid.high)

    @property
    def steps(self) -> np.ndarray:
        """(N, K) exact steps, processing order."""
        return self.alphabet.step

    def remember(self, name: str, result: object, compute: Callable[[], object]) -> object:
        """`compute()` for this result, kept so that claims share it."""
        key = (name, id(result))
        if key not in self._memo:
            self._memo[key] = (result, compute())
        return self._memo[key][1]

    def but(self, **changes: object) -> ExactProblem:
        """The same problem with other exact weights (`W`) or a Grid; keeps the factorization."""
        other = object.__new__(ExactProblem)
        other.__dict__ |= {name: value for name, value in self.__dict__.items() if name not in ("alphabet", "_memo", "result")}
        other.__dict__ |= changes | {"_memo": {}}
        other.K = other.W.shape[1]
        return other

    def literal_numbers(self, result: ExactResult) -> list[np.ndarray]:
        """See `provable_ptq.bounds.measure.literal_numbers`."""
        return literal_numbers(self, result)

    @cached_property
    def result(self) -> ExactResult:
        """The exact replay of the algorithm."""
        return replay(self)


def replay(problem: ExactProblem) -> ExactResult:
    r"""Run the problem's algorithm in rationals: :math:`z = y - (L - I)q` with y = L u from the target u.

    No projection is solved for: for Qronos :math:`y = D^{-2}M^\top C w` with C the damped cross-Gram matrix.
    """
    order = problem.order
    w = problem.W[order]
    first = None
    if problem.algorithm == "round-to-nearest":
        L = np.full((problem.N, problem.N), fmpq(0), dtype=object)
        y = w
    elif problem.algorithm == "gpfq":
        L, y = _path_following(problem, w)
    elif problem.algorithm == "optq":
        L = problem.factorization.L
        y = product(L, w)
    else:
        L = problem.factorization.L
        mismatch = product(problem.X - problem.calibration, problem.W)
        y = product(L, w) + _explained(problem.factorization, mismatch)
        if problem.form == "alternating":
            first = _first_minimizer(problem.factorization, w, mismatch)
    return _round_rows(problem, L, y, first)


def _explained(f: ExactFactorization, outputs: np.ndarray) -> np.ndarray:
    """L times the weights (N, K) that best explain `outputs` (m, K): D^-2 V^T outputs, zero where a pivot is."""
    if f.dependent:  # the columns of V are then no orthogonal basis: project with the minimum norm instead
        return product(f.L, f.minimum_norm_weights(outputs))
    explained = product(f.sample_rows_of_V.T, outputs)
    for j, squared in enumerate(f.pivots_squared):
        explained[j] = explained[j] / squared if squared != 0 else explained[j] * 0
    return explained


def _first_minimizer(f: ExactFactorization, w: np.ndarray, mismatch: np.ndarray) -> np.ndarray:
    column = f.ordered[:, :1]
    energy = (column * column).sum() + f.damping
    return w[0] + product(column.T, mismatch)[0] / energy if energy != 0 else w[0]


def _path_following(problem: ExactProblem, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower triangle of the Gram matrix by its diagonal, and the lower cross-Gram times w by the same."""
    deployed, original = problem.calibration[:, problem.order], problem.X[:, problem.order]
    gram, cross = product(deployed.T, deployed), product(deployed.T, original)
    for t in range(problem.N):
        dead = gram[t, t] == 0
        gram[t, : t + 1] = gram[t, : t + 1] / (fmpq(1) if dead else gram[t, t])
        cross[t, : t + 1] = cross[t, : t + 1] / (fmpq(1) if dead else (deployed[:, t] * deployed[:, t]).sum())
        if dead:
            cross[t, t] = fmpq(1)
    triangle = np.tril(np.ones((problem.N, problem.N), dtype=bool))
    zero = fmpq(0)
    return np.where(triangle, gram, zero), product(np.where(triangle, cross, zero), w)


def literal_numbers(problem: ExactProblem, result: ExactResult) -> list[np.ndarray]:
    """The z (N, K) of the literal definition, a least-squares problem solved exactly at every step along the result's codes."""
    X, w, q = problem.calibration[:, problem.order], problem.W[problem.order].copy(), result.weights[problem.order]
    goal = product(problem.X, problem.W) if problem.algorithm == "qronos" else product(X, w)
    damping, z = problem.factorization.damping, np.empty_like(w)
    if problem.algorithm == "qronos" and problem.form == "projected":
        w = w + _refit(X, goal - product(X, w), damping)
    for t in range(problem.N):
        later = X[:, t + 1 :]
        z[t] = w[t]
        energy = (X[:, t] * X[:, t]).sum() + damping
        if problem.algorithm == "qronos" and problem.form == "alternating" and energy != 0:
            others = goal - product(X[:, :t], q[:t]) - product(later, w[t + 1 :])
            ridge = damping * problem.W[problem.order][t]
            z[t] = (product(X[:, t : t + 1].T, others)[0] + ridge) / energy
        if t + 1 < problem.N:
            if problem.algorithm == "optq":
                w[t + 1 :] += _refit(later, product(X[:, t : t + 1], (w[t] - q[t])[None, :]), damping)
            else:
                base = problem.W[problem.order][t + 1 :]
                w[t + 1 :] = _closest_refit(later, goal - product(X[:, : t + 1], q[: t + 1]), damping, base, w[t + 1 :])
    return [z]


def _refit(A: np.ndarray, goal: np.ndarray, damping: fmpq) -> np.ndarray:
    """The c that minimizes ||goal - A c||^2 + damping ||c||^2, of smallest norm."""
    if damping == 0:
        return np.array([minimum_norm_solution(A, column) for column in goal.T], dtype=object).T
    H = product(A.T, A)
    for j in range(len(H)):
        H[j, j] += damping
    return to_array(to_matrix(H).solve(to_matrix(product(A.T, goal))))


def _closest_refit(A: np.ndarray, goal: np.ndarray, damping: fmpq, base: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The v that minimizes ||goal - A v||^2 + damping ||base - v||^2, closest to `start` where many do."""
    near = start if damping == 0 else base
    return near + _refit(A, goal - product(A, near), damping)


def _round_rows(problem: ExactProblem, L: np.ndarray, y: np.ndarray, first: np.ndarray | None) -> ExactResult:
    N, K = y.shape
    step, low, high = problem.alphabet
    uniforms = None
    if problem.rounding == "stochastic" and problem.rule is None:
        uniforms = rationals(np.random.default_rng(problem.seed).random((N, K))[problem.order])
    codes = np.empty((N, K), dtype=np.int64)
    weights, errors = np.empty((N, K), dtype=object), np.empty((N, K), dtype=object)
    saturated = np.empty((N, K), dtype=bool)
    ties = np.full(K, np.inf)
    for t in range(N):
        z = y[t] - product(L[t : t + 1, :t], weights[:t])[0] if t else y[t]
        if t == 0 and first is not None:
            z = first
        for k in range(K):
            codes[t, k], saturated[t, k], distance = _round_one(
                z[k] / step[t, k], low[t, k], high[t, k], None if uniforms is None else uniforms[t, k],
                None if problem.rule is None else problem.rule.up[t, k])
            ties[k] = min(ties[k], distance)
            weights[t, k] = step[t, k] * int(codes[t, k])
        errors[t] = z - weights[t]
    unordered_codes, unordered_weights = np.empty_like(codes), np.empty_like(weights)
    unordered_codes[problem.order], unordered_weights[problem.order] = codes, weights
    return ExactResult(unordered_codes, unordered_weights, errors, saturated, ties)


def _round_one(ratio: fmpq, low: float, high: float, uniform: fmpq | None, up: bool | None) -> tuple[int, bool, float]:
    """Code, saturation and distance to the decision's tie, of one exact ratio z / step."""
    below = ratio.floor()
    fraction = ratio - below
    if up is not None:
        code, slack, distance = below + int(up), fmpq(0), np.inf
    elif uniform is not None:
        code, slack, distance = below + int(uniform < fraction), fmpq(0), abs(uniform - fraction)
    else:
        half = fmpq(1, 2)
        up = fraction > half or (fraction == half and int(below) % 2 == 1)
        code, slack, distance = below + int(up), half, abs(fraction - half)
    saturated = (low > -np.inf and ratio < fmpq(int(low)) - slack) or (high < np.inf and ratio > fmpq(int(high)) + slack)
    code = int(code)
    clipped = int(min(max(code, low), high)) if low > -np.inf else code
    return clipped, saturated, float(as_float(np.array([distance], dtype=object))[0]) if distance is not np.inf else np.inf


@dataclass(frozen=True, eq=False)
class ExactReport:
    """What exact arithmetic says of one problem.

    Attributes:
        verdicts: by claim id; no tolerance anywhere.
        same_codes: (K,) whether the float64 run made the same integers; False where float64 refuses the problem (dependent
            live columns without damping).
        tie_distances: (K,) smallest distance to a rounding tie, in steps.
    """

    verdicts: dict[str, Verdict]
    same_codes: np.ndarray
    tie_distances: np.ndarray


def check_exact(problem: Problem, ids: Iterable[str] | None = None) -> ExactReport:
    """Replay a problem in exact arithmetic and decide every claim that applies.

    Arguments:
        problem: small: costs grow like N^5 (N = 32 with 400 neurons takes seconds).
        ids: claim ids; None for all.

    Probability claims and expectations are decided on all 2^N rounding paths of the first neuron to which
    they apply, up to 8 features.

    >>> report = check_exact(Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0)), ["optq-identity"])
    >>> report.verdicts["optq-identity"].outcome.value, bool(report.same_codes.all())
    ('holds', True)
    """
    view = ExactProblem(problem)
    result = view.result
    rounded = "result" in problem.__dict__ or problem.algorithm not in ("optq", "qronos") or not view.factorization.dependent
    same = (problem.result.codes == result.codes).all(axis=0) if rounded else np.zeros(problem.K, dtype=bool)
    verdicts = {claim.id: _verdict(claim, view, result) for claim in select(ids)}
    for name, verdict in verdicts.items():
        if verdict.outcome is Outcome.VIOLATED:
            verdicts[name] = replace(verdict, witness=problem)
    return ExactReport(verdicts, same, result.tie_distances)


def _verdict(claim: Claim, view: ExactProblem, result: ExactResult) -> Verdict:
    mismatch = structural_mismatch(claim, view)
    if mismatch:
        return Verdict(Outcome.NOT_APPLICABLE, advice=mismatch)
    if claim.kind is Kind.PREDICTION:
        return Verdict(Outcome.NOT_APPLICABLE, advice="a prediction is no theorem: there is nothing to decide exactly")
    if claim.construct is not None:
        view = claim.construct(view)
        result = view.result
    applies, notes = unmet_hypotheses(claim, view, result)
    if not applies.any():
        return Verdict(Outcome.NOT_APPLICABLE, advice="; ".join(notes))
    if claim.kind in LAW_KINDS:
        return _law(claim, view, int(np.argmax(applies)))
    verdict = _decide(lambda: claim(view, result), claim, applies)
    return replace(verdict, advice="; ".join(filter(None, [*notes, verdict.advice])))


def _decide(evaluate: Callable[[], Evaluation], claim: Claim, applies: np.ndarray) -> Verdict:
    """Evaluate at growing precision until every entry is certain."""
    for precision in PRECISIONS:
        with ctx.workprec(precision):
            evaluation = evaluate()
            measured, bound = np.broadcast_arrays(np.asarray(evaluation.measured, dtype=object), np.asarray(evaluation.bound, dtype=object))
            if claim.about_neurons:
                measured, bound = measured[..., applies], bound[..., applies]
            signs = [_certainly(claim.kind, a, b) for a, b in zip(measured.flat, bound.flat, strict=True)]
            floats = as_float(measured), as_float(bound)
        if None not in signs:
            break
    outcome = Outcome.VIOLATED if False in signs else Outcome.UNDECIDED if None in signs else Outcome.HOLDS
    ratio = _worst_ratio(claim.kind, *floats)
    advice = f"{signs.count(None)} entries stay within the reach of {PRECISIONS[-1]} bits" if None in signs else ""
    return Verdict(outcome, *floats, ratio, 1 - ratio, advice)


def _certainly(kind: Kind, measured: object, bound: object) -> bool | None:
    """Whether the statement is certainly true (True), certainly false (False), or neither (None) for one entry."""
    difference = measured - bound if kind is Kind.LOWER else bound - measured
    if kind is Kind.IDENTITY:
        if isinstance(difference, arb):
            return None if difference.contains(0) else False
        return difference == 0
    if difference >= 0:
        return True
    return False if difference < 0 else None


def _worst_ratio(kind: Kind, measured: np.ndarray, bound: np.ndarray) -> float:
    from .verdict import ratios

    return float(np.max(ratios(kind, Evaluation(measured, bound)), initial=0.0))


def _law(claim: Claim, view: ExactProblem, neuron: int) -> Verdict:
    """A probability or an expectation over all rounding paths of one neuron, weighed exactly."""
    if view.N > EXACT_PATHS:
        return Verdict(Outcome.NOT_APPLICABLE, advice=f"N = {view.N}: all 2^N paths are replayed exactly up to N = {EXACT_PATHS}")
    paths = ExactProblem(repeat_neuron(view.given, neuron, 2**view.N), EveryPath(view.N))
    paths.__dict__["_settings"] = view._settings
    result = paths.result
    weights = _path_weights(paths, result)
    if claim.kind is Kind.EXPECTATION:
        def mean() -> Evaluation:
            evaluation = claim(paths, result)
            measured, bound = np.broadcast_arrays(evaluation.measured, evaluation.bound)
            return Evaluation(np.asarray(measured, dtype=object) @ weights, bound[..., 0])

        return _decide(mean, replace(claim, kind=Kind.UPPER, about_neurons=False), np.ones(1, dtype=bool))
    return _failure_verdict(claim, paths, result, weights, view.failure_probability)


def _failure_verdict(claim: Claim, paths: ExactProblem, result: ExactResult, weights: np.ndarray, p: fmpq) -> Verdict:
    """Certain failures weigh more than p: violated; possible failures weigh at most p: holds; else undecided."""
    counted = ~result.saturated.any(axis=0)
    for precision in PRECISIONS:
        with ctx.workprec(precision):
            evaluation = claim(paths, result)
            pairs = np.broadcast_arrays(np.atleast_2d(evaluation.measured), np.atleast_2d(evaluation.bound))
            rows = list(zip(*pairs, strict=True))
            certain = [sum((w for a, b, c, w in zip(*row, counted, weights, strict=True) if c and a > b), fmpq(0)) for row in rows]
            possible = [sum((w for a, b, c, w in zip(*row, counted, weights, strict=True) if c and not a <= b), fmpq(0)) for row in rows]
            floats = as_float(np.array(possible, dtype=object)), float(as_float(np.array([p], dtype=object))[0])
        if max(certain) > p or max(possible) <= p:
            break
    outcome = Outcome.VIOLATED if max(certain) > p else Outcome.HOLDS if max(possible) <= p else Outcome.UNDECIDED
    worst = float(floats[0].max())
    return Verdict(outcome, floats[0], np.array([floats[1]]), worst / floats[1], floats[1] - worst, "all paths enumerated",
                   draws=len(weights), interval=(float(as_float(np.array([max(certain)], dtype=object))[0]), worst))


def _path_weights(paths: ExactProblem, result: ExactResult) -> np.ndarray:
    """The probability (2^N,) of every path: up with the fractional part of z / step, down with the rest."""
    ratios = (result.rounding_errors + result.weights[paths.order]) / paths.steps
    weights = np.full(paths.K, fmpq(1), dtype=object)
    for t in range(paths.N):
        for k in range(paths.K):
            fraction = ratios[t, k] - fmpq(ratios[t, k].floor())
            weights[k] *= fraction if paths.rule.up[t, k] else 1 - fraction
    return weights


