"""Decide a certificate again, in exact fractions: `python -I -S bounds/verify.py FILE` says accepted, or rejected and why.

One file, standard library only; it imports nothing of the project whose certificates it decides. A certificate (JSON, floats in exact
hexadecimal) holds the raw inputs of a quantized layer, the codes that the algorithm returned, and both sides of one claim. From the
inputs alone all is computed again in fractions, without rounding: pivots, codes, sides, and whether the claim holds (roots squared away,
eigenvalues enclosed). Recorded sides must agree to 1e-12. Draws of a random generator are taken as given. Status 0: accepted, 1: rejected.

Letters: X, Y the layer's inputs and those it is calibrated on (columns, in processing order), w, q weights of a neuron before and after,
s its steps, H = Y^T Y + damping I, M its reverse Gram-Schmidt matrix (columns), L = M^-1 (rows), d2 the squared pivots, z the numbers
that were rounded, e = z - q, u the target (of Qronos: what explains X w best). A row of a claim: does it hold, and its two sides.
"""

import hashlib
import json
import sys
from fractions import Fraction
from functools import reduce
from itertools import chain, count, pairwise, product
from math import isqrt, lcm, prod
from operator import index
from pathlib import Path
from typing import Any

FORMAT = "provable-ptq certificate 1"
AGREEMENT, RULES = Fraction(1, 10**12), Fraction(1, 10**9)  # of a recorded side, and of a float64 damping or norm, relative
SMALLEST, NODES = Fraction(2) ** -1070, 100_000  # below it float64 has no digits; how long the optimum is searched for
ZERO, HALF, ONE, SHY = Fraction(0), Fraction(1, 2), Fraction(1), Fraction(1023, 1024)  # SHY of the bound: what `optq-l2-tight` attains


def number(text): return Fraction(text) if "/" in text else Fraction(float.fromhex(text))  # raises on what is no finite number
def agree(recorded, exact, tolerance=RULES): return abs(recorded - exact) <= tolerance * abs(exact) + SMALLEST
def shown(x): return float(x).hex() if abs(x) < 2**1000 else "more than 2^1000"
def root(x): return Fraction(isqrt(x.numerator * x.denominator << 256), x.denominator << 128)  # to 2^-100, relative
def dot(a, b): return sum((x * y for x, y in zip(a, b, strict=True) if x and y), ZERO)
def squares(a): return dot(a, a)
def plus(a, b, times: Fraction | int = 1): return [x + times * y for x, y in zip(a, b, strict=True)]
def combine(vectors, x): return [dot(entries, x) for entries in zip(*vectors, strict=True)]  # the sum of the vectors, each times its x
def gram(vectors): return [[dot(a, b) for b in vectors] for a in vectors]
def shifted(G, shift): return [[x + shift * (i == j) for j, x in enumerate(row)] for i, row in enumerate(G)]
def diagonal(G): return [row[j] for j, row in enumerate(G)]
def definite(G): return all(minor > 0 for minor in minors(G))
def determinant(G): return [ONE, *minors(G)][-1]  # of a positive definite matrix
def harmonic(H): return [determinant(H) / determinant([row[:j] + row[j + 1 :] for row in H[:j] + H[j + 1 :]]) for j in range(len(H))]
def equal(a, b): return a == b, a, b
def at_most(a, b, radicand=ZERO): return a <= b or (a - b) ** 2 <= radicand, a, b + root(radicand)  # a <= b + the root of the radicand
def between(a, low, high): return True if a <= low else False if a > high else None, a, low  # a <= a number between low and high
def at_least(a, low, high=None): return between(-a, -(low if high is None else high), -low)[0], a, low  # a >= a number between them


def require(condition, reason):
    if not condition:
        raise ValueError(reason)


def least_norm(H, g):
    """The x of smallest norm with H x = g, for a Gram matrix H and a g in its range."""
    rows, done = [[*row, y] for row, y in zip(H, g, strict=True)], 0
    for column in range(len(H)):  # to reduced row echelon form
        pivot = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if pivot is not None:
            rows[done], rows[pivot] = rows[pivot], rows[done]
            head = rows[done] = [x / rows[done][column] for x in rows[done]]
            rows = [plus(row, head, -row[column]) if i != done and row[column] else row for i, row in enumerate(rows)]
            done += 1
    R, c = [row[:-1] for row in rows[:done]], [row[-1] for row in rows[:done]]
    return (c or [ZERO] * len(H)) if done in (0, len(H)) else combine(R, least_norm(gram(R), c))


def reverse_gram_schmidt(H):
    """M, L and d2: each feature less its fit by the later ones, of smallest norm."""
    N, L = len(H), []
    fits = [least_norm([row[j + 1 :] for row in H[j + 1 :]], H[j][j + 1 :]) for j in range(N)]
    M = [[ZERO] * j + [ONE] + [-x for x in fit] for j, fit in enumerate(fits)]
    for i in range(N):
        L.append([-dot([M[n][i] for n in range(j, i)], [L[n][j] for n in range(j, i)]) for j in range(i)] + [ONE] + [ZERO] * (N - i - 1))
    return M, L, [dot(row, column) for row, column in zip(H, M, strict=True)]


def minors(G):
    """The leading minors of a symmetric matrix, up to the first that is not positive, by fraction-free elimination."""
    scale = lcm(*(x.denominator for row in G for x in row))
    A, before, power = [[int(x * scale) for x in row] for row in G], 1, 1
    while A and before > 0:
        head, power = A[0], power * scale
        yield Fraction(head[0], power)
        A, before = [[(x * head[0] - row[0] * y) // before for x, y in zip(row[1:], head[1:], strict=True)] for row in A[1:]], head[0]


def least_eigenvalue(G):
    """Fractions around the least eigenvalue of a positive semidefinite G, 2^-60 apart, relative; equal where it is plain."""
    low, high = ZERO, min(diagonal(G)) if definite(G) else ZERO
    while high - low > high / 2**60 and len(G) > 1:
        middle = (low + high) / 2
        low, high = (middle, high) if definite(shifted(G, -middle)) else (low, middle)
    return (low, high) if len(G) > 1 else (high, high)


class Layer:
    """The raw inputs of a certificate in processing order, their reverse Gram-Schmidt process, and claims about it."""

    def __init__(self, given):
        self.algorithm, self.rounding, self.order = given["algorithm"], given["rounding"], given["ordering"]["order"]
        self.slack, self.alternating = {"nearest": HALF, "stochastic": 0}[self.rounding], {"alternating": 1, "projected": 0}[given["form"]]
        self.m, self.N, self.K = len(given["X"]), len(given["W"]), len(given["W"][0])
        require(sorted(self.order) == list(range(self.N)), f"the ordering is no permutation of 0..{self.N - 1}")

        def table(name, read=number) -> Any:
            """By features, in processing order: the rows of an (N, K) table, or the columns of an (m, N) one."""
            rows, across, shape = given[name], name[0] == "X", (self.m, self.N) if name[0] == "X" else (self.N, self.K)
            require(rows is None or [len(row) for row in rows] == [shape[1]] * shape[0], f"{name} does not have the shape {shape}")
            rows = list(zip(*rows, strict=True)) if across and rows else rows
            return rows and [[read(entry) for entry in rows[i]] for i in self.order]

        self.X, self.deployed, self.W, self.steps, self.draws = map(table, ("X", "X_quantized", "W", "step", "draws"))
        self.codes, self.low, self.high = (table(name, index) for name in ("codes", "low", "high"))
        self.Y, self.damping = self.deployed or self.X, number(given["damping"]["value"])
        require(self.damping >= 0 and min(map(min, self.steps)) > 0, "the damping is negative, or a step not positive")
        self.norms, self.undamped, self.H = [squares(y) for y in self.Y], gram(self.Y), shifted(gram(self.Y), self.damping)
        (self.M, self.L, self.d2), self.changed = reverse_gram_schmidt(self.H), range(self.N)[given["changed_step"] or 0]

    def follows_damping_rule(self, rule):
        """none, mean-diagonal:F (of live features), mean-diagonal-all:F (dead ones count as 1), spectral:F, george-saab."""
        (kind, _, given), live = rule.partition(":"), [x for x in self.norms if x]
        F, total, cubed = Fraction(float(given or 0)), sum(live), self.m * min(self.m, len(live)) ** 2
        if kind == "spectral":
            G = [[-F * x for x in row] for row in self.undamped]
            return [definite(shifted(G, self.damping * (1 + sign * RULES) + sign * SMALLEST)) for sign in (-1, 1)] == [False, True]
        exact = {"none": 0, "mean-diagonal": F * total / max(1, len(live)), "mean-diagonal-all": F * (total + self.N - len(live)) / self.N}
        return agree(self.damping**3 * cubed, total**3, 3 * RULES) if kind == "george-saab" else agree(self.damping, exact[kind])

    def follows_ordering_rule(self, rule):
        """natural, decreasing-norm, increasing-norm, min-pivot (backwards, the smallest residual goes); random:SEED is taken as given."""
        S, slack = self.undamped if self.algorithm == "gpfq" else self.H, RULES**2 * max(self.norms)
        while rule == "min-pivot" and S:
            *S, last = S
            if any(last[-1] > x * (1 + RULES) + slack for x in diagonal(S)):
                return False
            S = [plus(row[:-1], last[:-1], -row[-1] / last[-1] if last[-1] else 0) for row in S]
        up, down = (all(b <= a * (1 + RULES) for a, b in pairwise(norms)) for norms in (self.norms[::-1], self.norms))
        known = {"natural": self.order == sorted(self.order), "increasing-norm": up, "decreasing-norm": down}
        return known.get(rule, rule == "min-pivot" or rule.startswith("random:"))

    def orderings(self):
        d2, sides, inverses, floor, N = self.d2, diagonal(self.H), harmonic(self.H), determinant(self.H), self.N
        firsts = ((sum(d2) / N) ** N, floor), (max(d2) ** N, floor), (prod(d2), floor), (floor, prod(d2)), (sum(sides), sum(d2))
        pairs = *firsts, (sum(d2), sum(inverses)), (max(d2), min(sides)), *zip(sides, d2, strict=True), *zip(d2, inverses, strict=True)
        return [at_least(*pair) for pair in pairs]

    def lemma(self, summed=False):
        """Every pivot, or their sum, and numbers between which the right-hand side of Lemma B.1 lies."""
        rows = []
        for j, norm in enumerate(self.norms):
            sigmas = least_eigenvalue(gram(list(zip(*self.Y[j + 1 :], strict=True)))) if j < self.N - self.m else (ZERO, ZERO)
            shares = [self.damping / (x + self.damping) if x + self.damping else ONE for x in reversed(sigmas)]
            rows.append([self.d2[j], *(share * norm + self.damping for share in shares)])
        return [between(*row) for row in ([map(sum, zip(*rows, strict=True))] if summed else rows)]


class Neuron:
    """What the algorithm makes of neuron k, and what the claims say of it."""

    def __init__(self, c, k):
        self.c, self.k, self.w, self.s = c, k, [row[k] for row in c.W], [row[k] for row in c.steps]
        self.mismatch, self.whole = self.outputs(c.X, self.w), squares(self.outputs(c.X, self.w))
        self.correction = least_norm(c.H, [dot(y, self.mismatch) for y in c.Y]) if any(self.mismatch) else [ZERO] * c.N
        self.unexplained = squares(plus(self.mismatch, combine(c.Y, self.correction), -1)) + c.damping * squares(self.correction)
        self.u = plus(self.w, self.correction) if c.algorithm == "qronos" else self.w
        self.alternating = c.algorithm == "qronos" and c.alternating
        self.detour = dot(c.Y[0], self.mismatch) / c.H[0][0] - self.correction[0] if self.alternating and c.H[0][0] else ZERO  # z_1 - u_1
        self.weighted = [s * s * d2 for s, d2 in zip(self.s, c.d2, strict=True)]
        self.stray = [sum(self.s[i] * abs(c.M[i][j]) for i in range(j)) / 2 for j in range(c.N)]  # how far z can be from w
        self.sufficient = not c.low or all(s * min(high[k], -low[k]) >= abs(w) + stray - s / 2 for s, high, low, w, stray in zip(
            self.s, c.high, c.low, self.w, self.stray, strict=True))  # whether the alphabet reaches as far
        arrive = {"round-to-nearest": lambda j, q: self.w[j], "gpfq": self.follow}.get(c.algorithm, self.feedback(self.u, self.detour))
        self.codes, self.q, self.z, self.saturated = self.round(arrive)
        self.e, self.own, self.bound = plus(self.z, self.q, -1), self.outputs(c.Y, self.q), sum(self.weighted) / 4
        self.damped, self.served, self.nodes = self.error(c.Y, self.q), self.error(c.X, self.q), 0
        self.best = self.damped

    def outputs(self, X, q): return plus(combine(X, self.w), combine(self.c.Y, q), -1)  # X w - Y q
    def error(self, X, q): return squares(self.outputs(X, q)) + self.c.damping * squares(plus(self.w, q, -1))

    def follow(self, j, q):
        """The number that path following rounds at step j, after the grid points q."""
        path = plus(combine(self.c.X[: j + 1], self.w[: j + 1]), combine(self.c.Y[: j + 1], [*q, ZERO]), -1)
        return dot(self.c.Y[j], path) / self.c.norms[j] if self.c.norms[j] else self.w[j]

    def feedback(self, u, detour=ZERO):
        """The function of a step and the grid points before it that gives the number which OPTQ rounds on the way to the target u."""
        return lambda j, q: u[j] + (dot(self.c.L[j][:j], plus(u[:j], q, -1)) if j else detour)

    def round(self, arrive):
        """Codes, grid points, the numbers before, and how many steps saturated."""
        c, k, q, z, saturated = self.c, self.k, [], [], 0
        for j, step in enumerate(self.s):
            z.append(arrive(j, q))
            ratio, below = z[j] / step, z[j] // step
            code = round(ratio) if c.slack else below + (c.draws[j][k] < ratio - below)  # ties to the even code; or by the draws given
            if c.low:
                saturated += not c.low[j][k] - c.slack <= ratio <= c.high[j][k] + c.slack
                code = min(max(code, c.low[j][k]), c.high[j][k])
            q.append(code * step)
        return [x // s for x, s in zip(q, self.s, strict=True)], q, z, saturated

    def literal(self):
        """The numbers that the literal definition rounds along the codes: a least-squares problem solved at every step."""
        c, q, z, v, optq = self.c, self.q, [], list(self.w if self.alternating else self.u), self.c.algorithm == "optq"
        for t in range(c.N):
            left, later = self.outputs(c.X, [*q[:t], ZERO, *v[t + 1 :]]), range(t + 1, c.N)
            z.append((dot(c.Y[t], left) + c.damping * self.w[t]) / c.H[t][t] if self.alternating and c.H[t][t] else v[t])
            left = plus(left, c.Y[t], -q[t])
            slope = [(v[t] - q[t]) * c.H[t][i] if optq else dot(c.Y[i], left) + c.damping * (self.w[i] - v[i]) for i in later]
            v[t + 1 :] = plus(v[t + 1 :], least_norm([c.H[i][t + 1 :] for i in later], slope))
        return z

    def departure(self, changed=None):
        """The first step that breaks OPTQ's rule, after moving the code of one step away from z: N where none does."""
        codes = [code + (0 if j != changed else -1 if self.e[j] >= 0 else 1) for j, code in enumerate(self.codes)]
        gaps = combine(zip(*self.c.L, strict=True), [w - s * code for w, s, code in zip(self.w, self.s, codes, strict=True)])
        for j, (code, gap) in enumerate(zip(codes, gaps, strict=True)):
            low, high = (self.c.low[j][self.k], self.c.high[j][self.k]) if self.c.low else (code - 1, code + 1)
            if not low <= code <= high or (code < high and gap > self.s[j] / 2) or (code > low and gap < -self.s[j] / 2):
                return j
        return self.c.N

    def optimum(self, q=(), spent=ZERO):
        """The least damped error over the infinite grid, by depth-first search from the error of the result."""
        j, self.nodes = len(q), self.nodes + 1
        require(self.nodes < NODES, f"the search for the optimum takes more than {NODES} nodes")
        ratio = self.feedback(self.w)(j, q) / self.s[j]
        for i in count():  # codes by their distance: the nearest, then on both sides in turn
            code = round(ratio) + (1 if ratio >= round(ratio) else -1) * ((i + 1) // 2 if i % 2 else -i // 2)
            cost = spent + self.weighted[j] * (ratio - code) ** 2
            if cost >= self.best:
                break
            self.best = self.optimum([*q, code * self.s[j]], cost) if j + 1 < self.c.N else cost
        return self.best

    def path_following(self):
        sizes = self.c.norms, reverse_gram_schmidt(self.c.undamped)[2]
        norms, pivots = ([s * s * x for s, x in zip(self.s, size, strict=True)] for size in sizes)
        return [at_most(squares(self.own), sum(norms) / 4), at_most(sum(pivots) / 4, sum(norms) / 4), at_most(max(pivots), max(norms))]

    def path_mismatch(self):
        u = reduce(lambda u, t: [*u, self.follow(t, u)], range(self.c.N), [])
        *before, last = (s * s * x / 4 for s, x in zip(self.s, self.c.norms, strict=True))
        left, rounding = squares(self.outputs(self.c.X, u)), sum(before, ZERO)
        return [at_most(squares(self.outputs(self.c.X, self.q)), left + rounding + last, 4 * left * rounding)]

    def targets(self):
        rest, alphas = self.whole - self.unexplained, (ZERO, HALF, ONE, ONE + HALF)
        bounds = [(self.unexplained + (1 - x) ** 2 * rest + self.bound, 4 * (1 - x) ** 2 * rest * self.bound) for x in alphas]
        points = (self.round(self.feedback(plus(self.w, self.correction, x)))[1] for x in alphas)
        rows = [at_most(self.error(self.c.X, q), *bound) for q, bound in zip(points, bounds, strict=True)]
        others = [at_most(bounds[2][0], *bounds[i]) for i in (0, 1, 3)]
        return [*rows, (all(row[0] for row in others), bounds[2][0], min(row[2] for row in others))]

    def floors(self):
        apart = [w - s * round(w / s) for w, s in zip(self.w, self.s, strict=True)]
        floor = max(x * x * y for x, y in zip(apart, harmonic(self.c.H), strict=True))
        best, spectral = self.optimum(), [x * squares(apart) for x in least_eigenvalue(self.c.H)]
        return [*(at_least(x, *y) for y in ([floor], spectral) for x in (best, self.damped)), at_least(self.damped, best)]


UNSATURATED = "no step saturates", lambda n: not n.saturated
SUFFICIENT = "no step saturates, or the alphabet is sufficient", lambda n: not n.saturated or n.sufficient
INFINITE = "the alphabet is infinite", lambda n: not n.c.low
DEFINITE = "H is positive definite", lambda n: min(n.c.d2) > 0
SMALL = "there are at most 12 features", lambda n: n.c.N <= 12
WIDE = "there are no more samples than features", lambda n: n.c.m <= n.c.N
LIVE = "no column is zero", lambda n: min(n.c.norms) > 0
MATCHED = "the deployed inputs are the calibration inputs", lambda n: n.c.Y == n.c.X
MISMATCHED = "deployed inputs are given", lambda n: n.c.deployed
OPTQ, QRONOS, BOTH, ANY = ("optq",), ("qronos",), ("optq", "qronos"), ("optq", "qronos", "gpfq", "round-to-nearest")
MATRIX = "optq-beats-rtn", "optq-l2-explicit", "order-floor", "pivot-bound"  # claims about the calibration matrix alone
CLAIMS = {  # algorithms, rounding (None: any), hypotheses, rows of a layer or of a neuron
    "optq-beats-rtn": (OPTQ, None, [SMALL], lambda c: [at_least(max(dot(x, combine(c.H, x)) for x in product(
        (-1, 1), repeat=c.N)), sum(diagonal(c.H))), at_least(sum(diagonal(c.H)), sum(c.d2))]),
    "optq-l2-explicit": (BOTH, None, [WIDE], lambda c: c.lemma(summed=True)),
    "order-floor": (BOTH, None, [DEFINITE], Layer.orderings),
    "pivot-bound": (BOTH, None, [], Layer.lemma),
    "feedback-form": (BOTH, None, [], lambda n: [equal(e, z - q) for e, z, q in zip(n.e, n.literal(), n.q, strict=True)]),
    "gpfq-l2": (("gpfq",), "nearest", [UNSATURATED, LIVE, MATCHED], Neuron.path_following),
    "gpfq-mismatch": (("gpfq",), "nearest", [MISMATCHED, UNSATURATED], Neuron.path_mismatch),
    "optimum-floor": (ANY, None, [DEFINITE, SMALL], Neuron.floors),
    "optq-alphabet": (OPTQ, "nearest", [SUFFICIENT], lambda n: [*map(
        at_most, map(abs, plus(n.z, n.w, -1)), n.stray), at_most(n.saturated if n.sufficient else 0, ZERO)]),
    "optq-certificate": (OPTQ, "nearest", [], lambda n: [equal(n.departure(), n.c.N), equal(n.departure(n.c.changed), n.c.changed)]),
    "optq-identity": (OPTQ, None, [], lambda n: [equal(n.damped, dot([e * e for e in n.e], n.c.d2))]),
    "optq-l2": (OPTQ, "nearest", [UNSATURATED], lambda n: [at_most(n.damped, n.bound)]),
    "optq-l2-tight": (OPTQ, "nearest", [], lambda n: [
        equal(n.damped, SHY**2 * n.bound), equal(sum(abs(e) != SHY * s / 2 for e, s in zip(n.e, n.s, strict=True)), 0)]),
    "optq-linf": (OPTQ, "nearest", [UNSATURATED], lambda n: [at_most(
        max(map(abs, n.own)), max(dot(n.s, list(map(abs, row))) for row in zip(*(combine(n.c.Y, M) for M in n.c.M), strict=True)) / 2)]),
    "optq-mismatch": (OPTQ, "nearest", [MISMATCHED, UNSATURATED], lambda n: [(at_most(
        n.served, n.whole + n.bound, 4 * n.whole * n.bound)[0], root(n.served), root(n.whole) + root(n.bound))]),
    "optq-near-optimal": (OPTQ, "nearest", [UNSATURATED, DEFINITE, SMALL], lambda n: [at_most(
        n.damped, n.optimum() * (1 + max(sum(n.weighted[t + 1 :]) / x for t, x in enumerate(n.weighted))))]),
    "optq-update": (OPTQ, None, [], lambda n: list(map(equal, n.z, n.literal()))),
    "qronos-equivalence": (QRONOS, None, [], lambda n: list(map(equal, n.z, n.literal()))),
    "qronos-identity": (QRONOS, None, [], lambda n: [equal(
        n.served, n.unexplained + (n.u[0] - n.q[0]) ** 2 * n.c.d2[0] + dot([e * e for e in n.e[1:]], n.c.d2[1:]))]),
    "qronos-l2": (QRONOS, "nearest", [UNSATURATED], lambda n: [at_most(
        n.served, n.unexplained + n.bound + abs(n.detour) * (abs(n.detour) + n.s[0]) * n.c.d2[0])]),
    "target-family": (OPTQ, "nearest", [MISMATCHED, INFINITE], Neuron.targets),
}


def verify(given):
    """What an accepted certificate says, in one sentence; a ValueError with the first reason where it is rejected."""
    require(given["format"] == FORMAT, f"the format is not {FORMAT!r}")
    require(given["claim"] in CLAIMS, f"{given['claim']!r} is not a claim that this program decides")
    (algorithms, rounding, hypotheses, rows), c, name = CLAIMS[given["claim"]], Layer(given), given["claim"]
    require(c.algorithm in algorithms and rounding in (None, c.rounding), f"{name} is not about {c.algorithm} with {c.rounding} rounding")
    for what, follows in (("damping", c.follows_damping_rule), ("ordering", c.follows_ordering_rule)):
        require((rule := given[what]["rule"]) is None or follows(rule), f"the {what} does not follow its rule {rule!r}")
    neurons = [Neuron(c, k) for k in range(c.K)]
    for n, j in product(neurons, range(c.N)):
        require(c.codes[j][n.k] == n.codes[j], f"the code of feature {c.order[j]}, neuron {n.k} is {c.codes[j][n.k]}, not {n.codes[j]}")
    for words, met in hypotheses:
        neurons = [n for n in neurons if met(n)]
        require(neurons, f"{name} does not apply: its hypothesis {words!r} fails")
    entries = list(chain(*([rows(c)] if name in MATRIX else map(rows, neurons))))
    for place, side in enumerate(("measured", "bound"), 1):
        recorded = list(chain(*given[side]))
        require(len(recorded) == len(entries), f"there are {len(recorded)} {side} sides, and the claim has {len(entries)}")
        for text, row in zip(recorded, entries, strict=True):
            require(agree(number(text), row[place], AGREEMENT), f"a {side} side is {text}, and the inputs give {shown(row[place])}")
    decided = {row[0] for row in entries}
    require(None not in decided, "the two sides lie nearer to each other than this program can tell apart")
    outcome = "violated" if False in decided else "holds"
    require(given["outcome"] == outcome, f"the outcome is {given['outcome']!r}, and in exact fractions it is {outcome!r}")
    content = json.dumps({field: value for field, value in given.items() if field != "sha256"}, sort_keys=True)
    require(given["sha256"] == hashlib.sha256(content.encode()).hexdigest(), "the SHA-256 is that of another content")
    return f"{name} {outcome}" + ("" if name in MATRIX or len(neurons) == c.K else f" for {len(neurons)} of {c.K} neurons")


def main(path):
    status = 2
    try:
        require(Path(path).is_file(), f"there is no file {path!r}")
        given, status = json.loads(Path(path).read_text("utf-8")), 1
        print(f"accepted: {verify(given)}, decided in exact fractions")
        return 0
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        print("rejected:", error if type(error) is ValueError else f"malformed ({error!r})")
        return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""]))
