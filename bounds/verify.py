"""Decide a certificate again, in exact fractions: `python -I -S bounds/verify.py FILE` says accepted, or rejected and why.

One file, standard library only; it imports nothing of the project whose certificates it decides. A certificate (JSON, floats as exact
hexadecimal strings) holds the raw inputs of one quantized layer, the codes that the algorithm returned, and both sides of one claim.
Floats are rationals: from the inputs alone everything is computed again without rounding: pivots, codes, both sides, and whether the
claim holds. Recorded sides must agree to 1e-12; the claim is decided on the fractions, with roots squared away and eigenvalues
enclosed. Taken as given is what a random generator drew. Exit status: 0 accepted, 1 rejected, 2 no certificate.

Letters: X, Y the layer's inputs and those it is calibrated on (columns, in processing order), w, q weights of a neuron before and after,
s its steps, H = Y^T Y + damping I, M its reverse Gram-Schmidt matrix (columns), L = M^-1 (rows), d2 the squared pivots, z the numbers
that were rounded, e = z - q, u the target (of Qronos: what explains X w best). A row of a claim: does it hold, and its two sides.
"""

import json
import sys
from fractions import Fraction
from itertools import count, pairwise, product
from math import isqrt, prod
from operator import index

FORMAT = "provable-ptq certificate 1"
AGREEMENT, RULES = Fraction(1, 10**12), Fraction(1, 10**9)  # of a recorded side, and of a float64 damping or norm, relative
SMALLEST = Fraction(2) ** -1070  # below it float64 has no digits
NODES = 100_000  # of a search for the optimum
ZERO, HALF, ONE = Fraction(0), Fraction(1, 2), Fraction(1)
SHY = Fraction(1023, 1024)  # of the bound is what `optq-l2-tight` attains
ALPHAS = ZERO, HALF, ONE, ONE + HALF  # targets of `target-family`


def number(text): return Fraction(text) if "/" in text else Fraction(float.fromhex(text))  # raises on what is no finite number
def agree(recorded, exact, tolerance=RULES): return abs(recorded - exact) <= tolerance * abs(exact) + SMALLEST
def root(x): return Fraction(isqrt(x.numerator * x.denominator << 256), x.denominator << 128)  # to 2^-100, relative
def dot(a, b): return sum((x * y for x, y in zip(a, b, strict=True) if x and y), ZERO)
def squares(a): return dot(a, a)
def plus(a, b, times=1): return [x + times * y for x, y in zip(a, b, strict=True)]
def combine(vectors, x): return [dot(entries, x) for entries in zip(*vectors, strict=True)]  # the sum of the vectors, each times its x
def gram(vectors): return [[dot(a, b) for b in vectors] for a in vectors]
def shifted(G, shift): return [[x + shift * (i == j) for j, x in enumerate(row)] for i, row in enumerate(G)]
def diagonal(G): return [row[j] for j, row in enumerate(G)]
def definite(G): return all(minor > 0 for minor in minors(G))
def harmonic(H): return [1 / least_norm(H, row)[j] for j, row in enumerate(shifted([[ZERO] * len(H)] * len(H), ONE))]  # 1 / (H^-1)_jj
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


def minors(A):
    """The leading minors of a symmetric matrix, up to the first that is not positive (Bareiss)."""
    before = ONE
    while A and before > 0:
        head = A[0]
        yield head[0]
        A, before = [[(x * head[0] - row[0] * y) / before for x, y in zip(row[1:], head[1:], strict=True)] for row in A[1:]], head[0]


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
        self.algorithm, self.form, self.rounding = given["algorithm"], given["form"], given["rounding"]
        self.m, self.N, self.K, self.order = len(given["X"]), len(given["W"]), len(given["W"][0]), given["ordering"]["order"]
        require(sorted(self.order) == list(range(self.N)), f"the ordering is no permutation of 0..{self.N - 1}")

        def table(name, read=number, across=False):
            """By features, in processing order: the rows of an (N, K) table, or the columns of an (m, N) one."""
            if (rows := given[name]) is None:
                return None
            shape = (self.m, self.N) if across else (self.N, self.K)
            require(rows and [len(row) for row in rows] == [shape[1]] * shape[0], f"{name} does not have the shape {shape}")
            rows = list(zip(*rows, strict=True)) if across else rows
            return [[read(entry) for entry in rows[i]] for i in self.order]

        self.X, self.deployed = table("X", across=True), table("X_quantized", across=True)
        self.W, self.steps, self.draws = table("W"), table("step"), table("draws")
        self.codes, self.low, self.high = table("codes", index), table("low", index), table("high", index)
        self.Y, self.damping, self.changed = self.deployed or self.X, number(given["damping"]["value"]), given["changed_step"]
        require(self.damping >= 0 and min(map(min, self.steps)) > 0, "the damping is negative, or a step not positive")
        self.norms, self.undamped = [squares(y) for y in self.Y], gram(self.Y)
        self.H = shifted(self.undamped, self.damping)
        self.M, self.L, self.d2 = reverse_gram_schmidt(self.H)

    def orderings(self):
        d2, sides, inverses, floor, N = self.d2, diagonal(self.H), harmonic(self.H), list(minors(self.H))[-1], self.N
        firsts = ((sum(d2) / N) ** N, floor), (max(d2) ** N, floor), (prod(d2), floor), (floor, prod(d2)), (sum(sides), sum(d2))
        pairs = *firsts, (sum(d2), sum(inverses)), (max(d2), min(sides)), *zip(sides, d2, strict=True), *zip(d2, inverses, strict=True)
        return [at_least(*pair) for pair in pairs]

    def lemma(self, summed=False):
        """Every pivot, or their sum, and numbers between which the right-hand side of Lemma B.1 lies."""
        rows = []
        for j, norm in enumerate(self.norms):
            fully = j >= self.N - self.m
            sigmas = (ONE, ONE) if fully else least_eigenvalue(gram(list(zip(*self.Y[j + 1 :], strict=True))))
            shares = [ONE if fully or not x + self.damping else self.damping / (x + self.damping) for x in reversed(sigmas)]
            rows.append([self.d2[j], *(share * norm + self.damping for share in shares)])
        return [between(*row) for row in ([map(sum, zip(*rows, strict=True))] if summed else rows)]

    def signs(self):
        worst, trace = max(dot(x, combine(self.H, x)) for x in product((-1, 1), repeat=self.N)), sum(diagonal(self.H))
        return [at_least(worst, trace), at_least(trace, sum(self.d2))]


class Neuron:
    """What the algorithm makes of neuron k, and what the claims say of it."""

    def __init__(self, c, k):
        self.c, self.k, self.w, self.s = c, k, [row[k] for row in c.W], [row[k] for row in c.steps]
        self.mismatch = self.outputs(c.X, self.w)
        self.correction = least_norm(c.H, [dot(y, self.mismatch) for y in c.Y]) if any(self.mismatch) else [ZERO] * c.N
        self.unexplained = squares(plus(self.mismatch, combine(c.Y, self.correction), -1)) + c.damping * squares(self.correction)
        self.u = plus(self.w, self.correction) if c.algorithm == "qronos" else self.w
        self.alternating = c.algorithm == "qronos" and c.form == "alternating" and c.H[0][0] > 0
        self.detour = dot(c.Y[0], self.mismatch) / c.H[0][0] - self.correction[0] if self.alternating else ZERO  # z_1 - u_1
        self.weighted = [s * s * d2 for s, d2 in zip(self.s, c.d2, strict=True)]
        self.stray = [sum(self.s[i] * abs(c.M[i][j]) for i in range(j)) / 2 for j in range(c.N)]  # how far z can be from w
        arrive = {"round-to-nearest": lambda j, q: self.w[j], "gpfq": self.follow}.get(c.algorithm, self.feedback(self.u, self.detour))
        self.codes, self.q, self.z, self.saturated = self.round(arrive)
        self.e, self.own, self.bound = plus(self.z, self.q, -1), self.outputs(c.Y, self.q), sum(self.weighted) / 4
        self.damped, self.served, self.nodes = self.error(c.Y, self.q), self.error(c.X, self.q), 0
        self.best = self.damped

    def outputs(self, X, q):
        return plus(combine(X, self.w), combine(self.c.Y, q), -1)

    def error(self, X, q):
        return squares(self.outputs(X, q)) + self.c.damping * squares(plus(self.w, q, -1))

    def follow(self, j, q):
        """The number that path following rounds at step j, after the grid points q."""
        path = plus(combine(self.c.X[: j + 1], self.w[: j + 1]), combine(self.c.Y[: j + 1], [*q, ZERO]), -1)
        return dot(self.c.Y[j], path) / self.c.norms[j] if self.c.norms[j] else self.w[j]

    def feedback(self, u, detour=ZERO):
        """The function of a step and the grid points before it that gives the number which OPTQ rounds on the way to the target u."""
        return lambda j, q: u[j] + (dot(self.c.L[j][:j], plus(u[:j], q, -1)) if j else detour)

    def round(self, arrive):
        """Codes, grid points, the numbers before, and how many steps saturated."""
        c, k, codes, q, z, saturated = self.c, self.k, [], [], [], 0
        for j, step in enumerate(self.s):
            z.append(arrive(j, q))
            ratio, below, slack = z[j] / step, z[j] // step, HALF if c.rounding == "nearest" else 0
            code = round(ratio) if slack else below + (c.draws[j][k] < ratio - below)  # ties to the even code; or by the draws given
            if c.low:
                saturated += not c.low[j][k] - slack <= ratio <= c.high[j][k] + slack
                code = min(max(code, c.low[j][k]), c.high[j][k])
            codes.append(code)
            q.append(code * step)
        return codes, q, z, saturated

    def literal(self):
        """The numbers that the literal definition rounds along the codes: a least-squares problem solved at every step."""
        c, q, z, v = self.c, self.q, [], list(self.w if self.alternating else self.u)
        for t in range(c.N):
            left, later = self.outputs(c.X, [*q[:t], ZERO, *v[t + 1 :]]), range(t + 1, c.N)
            z.append((dot(c.Y[t], left) + c.damping * self.w[t]) / c.H[t][t] if self.alternating and c.H[t][t] else v[t])
            left = plus(left, c.Y[t], -q[t])
            slope = [dot(c.Y[i], left) + c.damping * (self.w[i] - v[i]) for i in later] if c.algorithm == "qronos" else [
                (v[t] - q[t]) * c.H[t][i] for i in later]
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
        self.nodes, j = self.nodes + 1, len(q)
        require(self.nodes < NODES, f"the search for the optimum takes more than {NODES} nodes")
        ratio = self.feedback(self.w)(j, q) / self.s[j] if j < self.c.N else ZERO
        for i in count() if j < self.c.N else ():  # codes by their distance: the nearest, then on both sides in turn
            code = round(ratio) + (1 if ratio >= round(ratio) else -1) * ((i + 1) // 2 if i % 2 else -i // 2)
            cost = spent + self.weighted[j] * (ratio - code) ** 2
            if cost >= self.best:
                return self.best
            self.optimum([*q, code * self.s[j]], cost)
        self.best = spent

    def sufficient(self):
        """Whether the alphabet reaches as far as the numbers can stray."""
        ends = zip(self.c.low, self.c.high, self.w, self.stray, self.s, strict=True) if self.c.low else ()
        return all(s * min(high[self.k], -low[self.k]) >= abs(w) + stray - s / 2 for low, high, w, stray, s in ends)

    def path_following(self):
        sizes = self.c.norms, reverse_gram_schmidt(self.c.undamped)[2]
        norms, pivots = ([s * s * x for s, x in zip(self.s, size, strict=True)] for size in sizes)
        return [at_most(squares(self.own), sum(norms) / 4), at_most(sum(pivots) / 4, sum(norms) / 4), at_most(max(pivots), max(norms))]

    def path_mismatch(self):
        u = []
        for t in range(self.c.N):
            u.append(self.follow(t, u))
        *before, last = (s * s * x / 4 for s, x in zip(self.s, self.c.norms, strict=True))
        left, rounding = squares(self.outputs(self.c.X, u)), sum(before, ZERO)
        return [at_most(squares(self.outputs(self.c.X, self.q)), left + rounding + last, 4 * left * rounding)]

    def optq_mismatch(self):
        a, b, c = self.served, squares(self.mismatch), self.bound
        return [(at_most(a, b + c, 4 * b * c)[0], root(a), root(b) + root(c))]

    def targets(self):
        rest = squares(self.mismatch) - self.unexplained
        bounds = [(self.unexplained + (1 - x) ** 2 * rest + self.bound, 4 * (1 - x) ** 2 * rest * self.bound) for x in ALPHAS]
        points = [self.round(self.feedback(plus(self.w, self.correction, x)))[1] for x in ALPHAS]
        others = [at_most(bounds[2][0], *bounds[i]) for i in (0, 1, 3)]
        rows = [at_most(self.error(self.c.X, q), *bound) for q, bound in zip(points, bounds, strict=True)]
        return [*rows, (all(row[0] for row in others), bounds[2][0], min(row[2] for row in others))]

    def floors(self):
        apart = [w - s * round(w / s) for w, s in zip(self.w, self.s, strict=True)]
        floor = max(x * x * y for x, y in zip(apart, harmonic(self.c.H), strict=True))
        best, spectral = self.optimum(), [x * squares(apart) for x in least_eigenvalue(self.c.H)]
        return [*(at_least(x, *y) for y in ([floor], spectral) for x in (best, self.damped)), at_least(self.damped, best)]


UNSATURATED = "no step saturates", lambda n: not n.saturated
SUFFICIENT = "no step saturates, or the alphabet is sufficient", lambda n: not n.saturated or n.sufficient()
INFINITE = "the alphabet is infinite", lambda n: not n.c.low
DEFINITE = "H is positive definite", lambda n: min(n.c.d2) > 0
SMALL = "there are at most 12 features", lambda n: n.c.N <= 12
WIDE = "there are no more samples than features", lambda n: n.c.m <= n.c.N
LIVE = "no column is zero", lambda n: min(n.c.norms) > 0
MATCHED = "the deployed inputs are the calibration inputs", lambda n: n.c.Y == n.c.X
MISMATCHED = "deployed inputs are given", lambda n: n.c.deployed
OPTQ, QRONOS, BOTH, ANY = ("optq",), ("qronos",), ("optq", "qronos"), ("optq", "qronos", "gpfq", "round-to-nearest")
MATRIX = {  # claims about the calibration matrix: algorithms, rounding (None: any), hypotheses, rows
    "optq-beats-rtn": (OPTQ, None, [SMALL], Layer.signs),
    "optq-l2-explicit": (BOTH, None, [WIDE], lambda c: c.lemma(summed=True)),
    "order-floor": (BOTH, None, [DEFINITE], Layer.orderings),
    "pivot-bound": (BOTH, None, [], Layer.lemma),
}
CLAIMS = MATRIX | {  # and those about every neuron
    "feedback-form": (BOTH, None, [], lambda n: [equal(e, z - q) for e, z, q in zip(n.e, n.literal(), n.q, strict=True)]),
    "gpfq-l2": (("gpfq",), "nearest", [UNSATURATED, LIVE, MATCHED], Neuron.path_following),
    "gpfq-mismatch": (("gpfq",), "nearest", [MISMATCHED, UNSATURATED], Neuron.path_mismatch),
    "optimum-floor": (ANY, None, [DEFINITE, SMALL], Neuron.floors),
    "optq-alphabet": (OPTQ, "nearest", [SUFFICIENT], lambda n: [*map(
        at_most, map(abs, plus(n.z, n.w, -1)), n.stray), at_most(n.saturated if n.sufficient() else 0, ZERO)]),
    "optq-certificate": (OPTQ, "nearest", [], lambda n: [equal(n.departure(), n.c.N), equal(n.departure(n.c.changed), n.c.changed)]),
    "optq-identity": (OPTQ, None, [], lambda n: [equal(n.damped, dot([e * e for e in n.e], n.c.d2))]),
    "optq-l2": (OPTQ, "nearest", [UNSATURATED], lambda n: [at_most(n.damped, n.bound)]),
    "optq-l2-tight": (OPTQ, "nearest", [], lambda n: [
        equal(n.damped, SHY**2 * n.bound), equal(sum(abs(e) != SHY * s / 2 for e, s in zip(n.e, n.s, strict=True)), 0)]),
    "optq-linf": (OPTQ, "nearest", [UNSATURATED], lambda n: [at_most(
        max(map(abs, n.own)), max(dot(n.s, list(map(abs, row))) for row in zip(*(combine(n.c.Y, M) for M in n.c.M), strict=True)) / 2)]),
    "optq-mismatch": (OPTQ, "nearest", [MISMATCHED, UNSATURATED], Neuron.optq_mismatch),
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


def follows_damping_rule(c, rule):
    """none, mean-diagonal:F (of live features), mean-diagonal-all:F (dead ones count as 1), spectral:F, george-saab."""
    (kind, _, given), live = rule.partition(":"), [x for x in c.norms if x]
    F, cube = Fraction(float(given or 0)), sum(live) ** 3 / (c.m * min(c.m, len(live)) ** 2) if live else ZERO
    if kind == "spectral":
        G = [[-F * x for x in row] for row in c.undamped]
        return [definite(shifted(G, c.damping * (1 + sign * RULES) + sign * SMALLEST)) for sign in (-1, 1)] == [False, True]
    return {"none": c.damping == 0, "mean-diagonal": agree(c.damping, F * sum(live) / max(1, len(live))), "george-saab": agree(
        c.damping**3, cube, 3 * RULES), "mean-diagonal-all": agree(c.damping, F * (sum(live) + c.N - len(live)) / c.N)}[kind]


def follows_ordering_rule(c, rule):
    """natural, decreasing-norm, increasing-norm, min-pivot (backwards, the smallest residual goes); random:SEED is taken as given."""
    S, larger = c.undamped if c.algorithm == "gpfq" else c.H, 1 + RULES
    while rule == "min-pivot" and S:
        *S, last = S
        if last[-1] > min([x * larger for x in diagonal(S)], default=last[-1]) + RULES * RULES * max(c.norms):
            return False
        S = [plus(row[:-1], last[:-1], -row[-1] / last[-1] if last[-1] else 0) for row in S]
    return rule.startswith(("min-pivot", "random:")) or {
        "natural": c.order == sorted(c.order), "decreasing-norm": all(b <= a * larger for a, b in pairwise(c.norms)),
        "increasing-norm": all(a <= b * larger for a, b in pairwise(c.norms))}[rule]


def verify(given):
    """What an accepted certificate says, in one sentence; an error with the first reason where it is rejected."""
    require(isinstance(given, dict) and given.get("format") == FORMAT, f"this is no {FORMAT}")
    name, c = given["claim"], Layer(given)
    require(name in CLAIMS, f"{name!r} is not a claim that this program decides")
    algorithms, rounding, hypotheses, rows = CLAIMS[name]
    require(c.algorithm in algorithms and rounding in (None, c.rounding), f"{name} is not about {c.algorithm} with {c.rounding} rounding")
    for what, follows in (("damping", follows_damping_rule), ("ordering", follows_ordering_rule)):
        rule = given[what]["rule"]
        require(rule is None or follows(c, rule), f"the {what} does not follow its rule {rule!r}")
    neurons = [Neuron(c, k) for k in range(c.K)]
    for n in neurons:
        for j, code in enumerate(n.codes):
            require(c.codes[j][n.k] == code, f"the code of feature {c.order[j]}, neuron {n.k} is {c.codes[j][n.k]}, and the inputs give {code}")
    for words, holds in hypotheses:
        neurons = [n for n in neurons if holds(n)]
        require(neurons, f"{name} does not apply: {words} is not so")
    parts = [rows(c)] if name in MATRIX else [rows(n) for n in neurons]
    for side, place in (("measured", 1), ("bound", 2)):
        require([len(part) for part in given[side]] == [len(part) for part in parts], f"the {side} sides are not as many as the claim has")
        for recorded, row in zip(sum(given[side], []), sum(parts, []), strict=True):
            require(agree(number(recorded), row[place], AGREEMENT), f"a {side} side is {recorded}, and the inputs give {float(row[place]).hex()}")
    decided = [row[0] for part in parts for row in part]
    require(None not in decided, "the sides lie too near to each other for this program")
    outcome = "holds" if all(decided) else "violated"
    require(given["outcome"] == outcome, f"the outcome is {given['outcome']!r}, and in exact fractions the claim is {outcome!r}")
    return f"{name} {outcome}" + ("" if name in MATRIX or len(neurons) == c.K else f" for {len(neurons)} of {c.K} neurons")


def main(path):
    try:
        with open(path, encoding="utf-8") as file:
            given = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        print(f"rejected: {path} is no certificate: {error}")
        return 2
    try:
        print(f"accepted: {verify(given)}, decided in exact fractions")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        print(f"rejected: {error if type(error) is ValueError else f'malformed, {error!r}'}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""]))
