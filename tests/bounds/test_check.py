"""check: outcomes with their reasons, wrong algorithms handed in, and which neurons and draws count."""

import re
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from provable_ptq.algorithms import Grid, InvalidArgumentError, RankDeficientError, factorize, optq, qronos, round_to_nearest
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.certificate import departures
from provable_ptq.bounds.check import structural_mismatch, unmet_hypotheses
from provable_ptq.bounds.checking.law import law_verdict
from provable_ptq.bounds.checking.problem import run
from provable_ptq.bounds.exact import check_exact


def layer(K=3, m=8, N=5, **changes):
    rng = np.random.default_rng(11)
    return Problem(rng.standard_normal((m, N)), 2 * rng.standard_normal((N, K)), **{"grid": Grid(step=1.0), "damping": 0.3} | changes)


def one(problem, name, **options):
    return check(problem, [name], **options)[name]


# --- outcomes ------------------------------------------------------------------------------------------------------


def test_every_claim_about_the_problem_gets_a_verdict_in_registry_order():
    verdicts = check(layer())
    assert list(verdicts) == [name for name, made in claims().items() if not made.fixed]
    assert not {"adversarial-growth", "finite-grid-counterexample"} & verdicts.keys()
    assert check_exact(layer(N=3)).verdicts.keys() == verdicts.keys()
    assert {verdict.outcome for verdict in verdicts.values()} == {Outcome.HOLDS, Outcome.NOT_APPLICABLE}


@pytest.mark.parametrize("m", [640, 200])
def test_a_whole_check_of_a_layer_decomposes_nothing(m, monkeypatch):
    """No singular values and no eigenvalues of a layer's matrix: they would cost more than all claims together."""

    def refuse(*_, **__):
        raise AssertionError("a decomposition")

    for module in (np.linalg, scipy.linalg):
        for name in ("svd", "svdvals", "eigh", "eigvalsh", "eigvals", "eig"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    verdicts = check(layer(K=20, m=m, N=320, damping="mean-diagonal:0.01"))
    assert {verdict.outcome for verdict in verdicts.values()} == {Outcome.HOLDS, Outcome.NOT_APPLICABLE}
    assert verdicts["order-floor"].outcome is verdicts["optq-l2-tight"].outcome is Outcome.HOLDS
    assert (verdicts["pivot-bound"].outcome is Outcome.HOLDS) == (m >= 320)


def test_a_bound_that_holds_shows_both_sides():
    problem = layer()
    verdict = one(problem, "optq-l2")
    error = problem.W - problem.result.weights
    measured = np.square(problem.X @ error).sum(axis=0) + 0.3 * np.square(error).sum(axis=0)
    assert verdict.outcome is Outcome.HOLDS
    np.testing.assert_allclose(verdict.measured, measured, rtol=1e-13)
    np.testing.assert_allclose(verdict.bound, np.square(problem.factorization.pivots).sum() / 4, rtol=1e-13)
    assert verdict.ratio == pytest.approx((verdict.measured / verdict.bound).max())
    assert verdict.margin == pytest.approx(1 - verdict.ratio)
    assert verdict.witness is None


def test_a_lower_bound_turns_the_ratio_around():
    verdict = one(layer(), "order-floor")
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.ratio == pytest.approx((verdict.bound / verdict.measured).max())


def test_zero_over_zero_counts_as_zero():
    problem = layer()
    on_the_grid = problem.but(W=np.rint(problem.W))
    nothing = Problem(np.zeros((3, 2)), np.ones((2, 1)), Grid(step=1.0))
    for name in ("optq-l2", "optq-identity", "optq-linf", "feedback-form", "optq-update"):
        assert one(on_the_grid, name).ratio < 1e-12
        assert one(nothing, name).outcome is Outcome.HOLDS
        assert one(nothing, name).ratio == 0


def test_a_positive_measurement_over_a_zero_bound_is_a_violation(plant):
    name = plant("optq-l2", lambda problem, result: Evaluation(np.full(problem.K, 1e-9), np.zeros(problem.K)))
    verdict = one(layer(), name)
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.ratio == np.inf


def test_a_violation_brings_a_witness_that_replays(plant, tmp_path):
    name = plant("optq-l2", lambda problem, result: replace(claims()["optq-l2"](problem, result), bound=np.full(problem.K, 1e-6)))
    verdict = one(layer(), name)
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.ratio > 1
    assert verdict.margin < 0
    replayed = one(Problem.load(verdict.witness.save(tmp_path / "witness.npz")), name)
    assert replayed.outcome is Outcome.VIOLATED
    np.testing.assert_array_equal(replayed.measured, verdict.measured)


def test_another_algorithm_or_rounding_is_not_applicable():
    problem = layer()
    assert one(problem, "gpfq-l2").advice == "the claim is about algorithm gpfq, and the problem has optq: change it"
    assert one(problem, "sto-optq-l2").advice == "the claim is about rounding stochastic, and the problem has nearest: change it"
    assert "optq or qronos" in structural_mismatch(claims()["feedback-form"], problem.but(algorithm="gpfq"))
    assert structural_mismatch(claims()["feedback-form"], problem.but(rounding="stochastic")) == ""


CLIPPED = Grid(0.1, low=-1, high=1)
STEPS = Grid(np.arange(1.0, 6)[:, None])


def nothing(**changes):
    return Problem(np.zeros((2, 2)), np.ones((2, 1)), Grid(1.0), **changes)


@pytest.mark.parametrize(("problem", "name", "hypothesis", "failed", "repair"), [
    (lambda: layer(grid=CLIPPED), "optq-l2", "no step saturates", "steps of 3 neurons saturated", "widen the alphabet"),
    (lambda: layer(grid=CLIPPED, rounding="stochastic"), "sto-optq-l2", "alphabet is infinite", "biased", "infinite grid"),
    (lambda: layer(damping=0.0, rounding="stochastic"), "sto-optq-weights", "damping is positive", "damping is 0", "positive damping"),
    (lambda: layer(), "optq-mismatch", "the layer's deployed inputs are given", "X_quantized is not given", "pass X_quantized"),
    (lambda: layer(rounding="stochastic"), "sto-optq-generalization", "held-out inputs are given", "not given", "pass X_validation"),
    (lambda: layer(), "optq-l2-explicit", "m <= N", "m = 8 exceeds N = 5", "pivot-bound"),
    (lambda: layer(N=13, m=20), "optimum-floor", "N <= 12", "N = 13", "at most 12 features"),
    (lambda: layer(grid=STEPS, rounding="stochastic"), "sto-optq-linf", "same for all features", "varies", "row-wise"),
    (lambda: nothing(), "order-floor", "H is positive definite", "2 pivots are zero", "positive damping"),
    (lambda: nothing(algorithm="gpfq"), "gpfq-l2", "no column is zero", "2 columns", "drop the dead features"),
    (lambda: layer(algorithm="gpfq", X_quantized=np.ones((8, 5))), "gpfq-l2", "are the calibration inputs", "differs", "leave X_quantized"),
    (lambda: layer(), "predicted-error", "at least 256 neurons", "K = 3", "more neurons"),
])
def test_not_applicable_names_what_failed_and_what_repairs_it(problem, name, hypothesis, failed, repair):
    problem = problem()
    verdict = one(problem, name)
    assert verdict.outcome is Outcome.NOT_APPLICABLE
    assert verdict.advice.startswith("hypothesis '")
    for words in (hypothesis, failed, repair):
        assert words in verdict.advice
    assert verdict.measured is None
    assert np.isnan(verdict.ratio)
    mends = [h.mend for h in claims()[name].hypotheses if h.mend is not None and not np.any(h.test(problem, problem.result))]
    for mend in mends:
        assert hypothesis not in one(mend(problem), name).advice, "what mends a hypothesis makes it true"


def test_saturated_neurons_are_left_out_with_a_note():
    problem = layer(grid=Grid(1.0, low=-1, high=1))
    W = problem.W.copy()
    W[:, 0], W[:, 1:] = 0.4, 30.0
    problem = problem.but(W=W)
    assert problem.result.saturated.any(axis=0).tolist() == [False, True, True]
    verdict = one(problem, "optq-l2")
    assert verdict.outcome is Outcome.HOLDS
    assert "1 of 3 neurons were checked" in verdict.advice
    assert "no step saturates" in verdict.advice
    assert verdict.measured.shape == (1,)
    assert one(problem, "optq-identity").measured.shape == (3,), "identities hold for saturated runs too"


def test_hypotheses_are_looked_at_neuron_by_neuron():
    steps = np.ones((5, 3))
    steps[0, 1] = 2.0
    problem = layer(grid=Grid(steps), rounding="stochastic")
    applies, notes = unmet_hypotheses(claims()["sto-optq-linf"], problem, problem.result)
    assert applies.tolist() == [True, False, True]
    assert notes[-1] == "2 of 3 neurons were checked"


def test_an_ill_conditioned_problem_is_undecided_and_says_where_to_go():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 4)) @ np.diag([1, 1e-6, 1e-12, 1e-13])
    verdict = one(Problem(X, rng.standard_normal((4, 2)), Grid(step=1.0)), "optq-update")
    assert verdict.outcome is Outcome.UNDECIDED
    assert "exact arithmetic" in verdict.advice
    assert verdict.witness is None


def test_a_gross_violation_is_seen_even_where_float64_is_coarse(plant):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 4)) @ np.diag([1, 1e-6, 1e-12, 1e-13])
    name = plant("optq-l2", lambda problem, result: Evaluation(np.full(problem.K, 1e9), np.ones(problem.K)))
    assert one(Problem(X, rng.standard_normal((4, 2)), Grid(step=1.0)), name).outcome is Outcome.VIOLATED


def test_dependent_features_raise_what_the_algorithm_raises():
    with pytest.raises(RankDeficientError):
        check(Problem(np.ones((3, 2)), np.ones((2, 1)), Grid(step=1.0)))


# --- an algorithm of one's own -------------------------------------------------------------------------------------


def test_a_program_of_ones_own_is_checked():
    verdicts = check(layer(), ["optq-identity", "optq-l2"], algorithm=lambda p: optq(p.X, p.W, p.grid, damping=0.3))
    assert {verdict.outcome for verdict in verdicts.values()} == {Outcome.HOLDS}


@pytest.mark.parametrize(("wrong", "name"), [
    (lambda p: round_to_nearest(p.W, p.grid), "optq-identity"),
    (lambda p: round_to_nearest(p.W, p.grid), "feedback-form"),
    (lambda p: optq(p.X, p.W, p.grid, damping=0.0), "optq-identity"),
    (lambda p: optq(p.X, p.W, p.grid, damping=0.3, ordering="random:3"), "feedback-form"),
    (lambda p: optq(p.X, p.W, Grid(step=4.0), damping=0.3), "optq-l2"),
    (lambda p: qronos(p.X, p.X + 1, p.W, p.grid, damping=0.3), "optq-identity"),
])
def test_a_wrong_program_is_refuted(wrong, name):
    assert one(layer(K=50), name, algorithm=wrong).outcome is Outcome.VIOLATED
    assert one(layer(K=50), name).outcome is Outcome.HOLDS


def test_a_program_that_forgets_to_clip_is_refused():
    """Its identities are right for the infinite grid, but it was asked for another; the certificate names the first code beyond."""
    problem = layer(grid=Grid(1.0, low=-1, high=1))
    free = problem.but(grid=Grid(1.0)).result
    beyond = int((np.abs(free.codes) > 1).sum())
    assert beyond
    verdicts = check(problem, algorithm=lambda p: p.but(grid=Grid(p.grid.step)).result)
    for name in ("optq-update", "optq-identity", "feedback-form"):
        assert verdicts[name].outcome is Outcome.VIOLATED
        assert verdicts[name].advice == f"the result holds codes off the alphabet: {beyond}"
        assert verdicts[name].witness is problem
    first = (np.abs(free.codes[problem.order]) > 1).argmax(axis=0)
    assert (departures(problem, free.codes[problem.order]) == first).all()


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("name", ["optq-identity", "feedback-form"])
def test_weights_that_are_not_step_times_code_are_refused(name, rounding):
    """By a part in 10^9, far below what the claims themselves could see; on the grid, however it was computed, all is well."""
    problem = layer(grid=Grid(0.1), rounding=rounding)

    def off_the_grid(p):
        return replace(run(p), weights=run(p).weights * (1 + 1e-9 * (np.arange(p.N) == 2)[:, None]))

    def rounded_otherwise(p):
        return replace(run(p), weights=run(p).codes / 10)

    assert (rounded_otherwise(problem).weights != run(problem).weights).any()
    assert one(problem, name, algorithm=rounded_otherwise).outcome is Outcome.HOLDS
    refused = one(problem, name, algorithm=off_the_grid)
    assert refused.outcome is Outcome.VIOLATED
    assert refused.advice == "the result holds weights that are not step times code: 3"


def test_only_neurons_that_a_claim_is_about_are_refused():
    """The first neuron saturates and is off the grid besides: `optq-l2` is about the others, and says nothing of the matrix."""
    problem = layer(K=2, grid=Grid(1.0, low=-20, high=20)).but(W=layer(K=2).W * [100.0, 1.0])
    assert problem.result.saturated.any(axis=0).tolist() == [True, False]

    def off_the_grid(p):
        return replace(run(p), weights=run(p).weights + np.array([0.25, 0.0]))

    assert one(problem, "optq-l2", algorithm=off_the_grid).outcome is Outcome.HOLDS
    assert one(problem, "order-floor", algorithm=off_the_grid).outcome is Outcome.HOLDS
    assert one(problem, "optq-identity", algorithm=off_the_grid).outcome is Outcome.VIOLATED


def test_the_problems_own_factorization_judges_not_the_programs():
    problem = layer()
    looser = factorize(10 * problem.X, 0.3)  # pivots ten times too large, and a bound that would always hold
    made = optq(looser, problem.W, Grid(step=3.0))
    assert one(problem, "optq-l2", algorithm=lambda p: made).outcome is Outcome.VIOLATED


def test_constructed_weights_go_to_the_program_too():
    seen = []

    def program(problem):
        seen.append(problem.W)
        return run(problem)

    problem = layer()
    assert one(problem, "optq-l2-tight", algorithm=program).outcome is Outcome.HOLDS
    assert [np.array_equal(W, problem.W) for W in seen] == [True, False]


def half_up(problem):
    """OPTQ that rounds a tie up, where the project rounds it to the even code: as right as the other."""

    class HalfUp:
        slack = 0.5

        def codes(self, t, ratio):
            return np.floor(ratio + 0.5)

    return run(problem, HalfUp())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grid", [Grid(1.0), Grid(1.0, low=0, high=1), Grid(1.0, low=0, high=0)])
def test_a_tie_may_be_broken_either_way(grid, seed):
    """Weights and feedback in halves: ties at both steps. Both codes next to a tie make a true OPTQ output."""
    X, W = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.5, -0.5, 1.5, 0.5], [0.25, 0.5, 0.0, -0.75]])
    problem = Problem(X, W, grid, seed=seed)
    if not grid.finite:
        assert (half_up(problem).codes != problem.result.codes).any()
    for algorithm in (run, half_up):
        for name in ("optq-certificate", "optq-identity", "optq-l2"):
            assert one(problem, name, algorithm=algorithm).outcome in (Outcome.HOLDS, Outcome.NOT_APPLICABLE)
    assert check_exact(problem, ["optq-certificate"]).verdicts["optq-certificate"].outcome is Outcome.HOLDS


@pytest.mark.parametrize("name", ["finite-grid-counterexample", "adversarial-growth"])
def test_a_construction_is_judged_by_its_own_condition_number(name):
    """Not by that of the problem the check starts from, which float64 cannot even tell from a singular one."""
    nearly_singular = layer(damping=0.0).but(X=np.vstack([np.eye(5), np.zeros((3, 5))]) * 10.0 ** -np.arange(0, 15, 3))
    assert nearly_singular.factorization.condition > 1e11
    verdict = one(nearly_singular, name)
    assert verdict.outcome is Outcome.HOLDS, verdict.advice


def test_a_program_handed_in_is_judged_on_the_counterexample():
    """Round-to-nearest does not lose to itself, so it refutes a statement about OPTQ."""
    def rounded(problem):
        return replace(round_to_nearest(problem.W, problem.grid), algorithm="optq")

    assert one(layer(), "finite-grid-counterexample", algorithm=rounded).outcome is Outcome.VIOLATED


# --- stochastic claims ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [6, 14])
def test_a_program_of_one_argument_is_judged_by_its_own_draws(N):
    def biased(problem):
        uniforms = np.random.default_rng(problem.seed).random(problem.W.shape)
        return optq(problem.factorization, problem.W + uniforms - 0.1, problem.grid)

    problem = Problem(np.eye(N), np.full((N, 1), 0.3), Grid(step=1.0), rounding="stochastic")
    assert one(problem, "sto-optq-l2", draws=2000).outcome is Outcome.HOLDS
    assert one(problem, "sto-optq-l2", draws=2000, algorithm=biased).outcome is Outcome.VIOLATED


def test_two_programs_on_one_problem_do_not_share_draws():
    problem = Problem(np.eye(14), np.full((14, 1), 0.3), Grid(step=1.0), rounding="stochastic")
    outcomes = []
    for step in (1.0, 3.0, 1.0, 4.0):  # each lambda is gone before the next one is made, and its id with it
        verdict = one(problem, "sto-optq-l2", draws=500, algorithm=lambda p, step=step: optq(p.factorization, p.W, Grid(step),
                                                                                             rounding="stochastic", seed=p.seed))
        outcomes.append(verdict.outcome)
    assert outcomes == [Outcome.HOLDS, Outcome.VIOLATED, Outcome.HOLDS, Outcome.VIOLATED]


def test_draws_are_those_of_a_neuron_that_the_claim_is_about():
    steps = np.ones((3, 2))
    steps[:, 0] = [1e-3, 1.0, 1.0]  # the first neuron has a step per feature, the second has one step
    problem = Problem(np.eye(3), np.full((3, 2), 0.5), Grid(steps), algorithm="gpfq", rounding="stochastic")
    verdict = one(problem, "spfq-linf", draws=100)
    assert verdict.outcome is Outcome.HOLDS
    assert "1 of 2 neurons" in unmet_hypotheses(claims()["spfq-linf"], problem, problem.result)[1][-1]
    with_first = law_verdict(claims()["spfq-linf"], problem, draws=100, neuron=0)
    assert with_first.bound.max() < verdict.bound.max()


def test_without_draws_the_neurons_are_the_draws():
    problem = Problem(np.eye(2), np.full((2, 500), 0.3), Grid(step=1.0), rounding="stochastic", failure_probability=0.5)
    verdict = one(problem, "sto-optq-linf")
    assert verdict.draws == 500
    assert verdict.outcome is Outcome.HOLDS


def test_few_draws_leave_a_true_claim_undecided_never_violated():
    problem = Problem(np.eye(2), np.full((2, 3), 0.3), Grid(step=1.0), rounding="stochastic", failure_probability=0.01)
    for made in claims().values():
        if made.kind in (Kind.PROBABILITY, Kind.EXPECTATION):
            verdict = one(problem, made.id)
            assert verdict.outcome in (Outcome.UNDECIDED, Outcome.NOT_APPLICABLE)
            assert "draws leave the interval" in verdict.advice or verdict.outcome is Outcome.NOT_APPLICABLE


def test_more_confidence_needs_more_draws():
    problem = Problem(np.eye(2), np.full((2, 100), 0.3), Grid(step=1.0), rounding="stochastic", failure_probability=0.1)
    narrow, wide = (one(problem, "sto-optq-linf", confidence=confidence) for confidence in (0.9, 0.999999))
    assert narrow.outcome is Outcome.HOLDS
    assert wide.outcome is Outcome.UNDECIDED
    assert narrow.interval[1] < wide.interval[1]


@pytest.mark.parametrize("claim_id", sorted(claims()))
def test_saturated_neurons_are_left_out_of_every_claim(claim_id):
    """Two of three neurons on an alphabet that holds, one far beyond it: the verdict is about those that the claim covers."""
    made = claims()[claim_id]
    if made.fixed or not made.about_neurons:
        return
    rng = np.random.default_rng(4)
    X, W = rng.standard_normal((8, 4)), rng.standard_normal((4, 3)) * [1, 1, 40]
    given = Problem(X, W, Grid(0.5, low=-8, high=8), made.algorithms[0], damping=0.0 if made.algorithms[0] == "gpfq" else 0.3,
                    rounding=made.rounding or "nearest", X_quantized=1.1 * X if made.chapter == "mismatch" else None, X_validation=X)
    assert given.result.saturated.any(axis=0).tolist() == [False, False, True]
    verdict = one(given, claim_id)
    assert verdict.outcome is not Outcome.VIOLATED
    if verdict.outcome is not Outcome.NOT_APPLICABLE and verdict.partial:
        assert (verdict.covered, verdict.neurons) == (2, 3)
        assert "for 2 of 3 neurons" in str(verdict)
@pytest.mark.parametrize("algorithm", ["gpfq", "round-to-nearest"])
def test_claims_that_need_a_factorization_do_not_apply_where_there_is_none(algorithm):
    """Path following has no damping: dependent features do not stop it, and claims about pivots say why they do not apply."""
    X = np.random.default_rng(0).standard_normal((6, 4))
    X[:, 3] = X[:, 0] + X[:, 1]
    problem = Problem(X, np.random.default_rng(1).standard_normal((4, 3)), Grid(0.5), algorithm=algorithm)
    verdicts = check(problem)
    assert {name: verdict.outcome for name, verdict in verdicts.items() if verdict.outcome is Outcome.HOLDS}.keys() <= {"gpfq-l2"}
    assert (verdicts["gpfq-l2"].outcome is Outcome.HOLDS) == (algorithm == "gpfq")
    assert verdicts["optimum-floor"].outcome is Outcome.NOT_APPLICABLE
    assert "rank 3 with 4 live features" in verdicts["optimum-floor"].advice
    with pytest.raises(RankDeficientError, match="rank 3 with 4 live"):
        check(problem.but(algorithm="optq"))


@pytest.mark.parametrize(("arguments", "named"), [
    ({"problem": None}, "problem = None"), ({"ids": 5}, "claim ids = 5"), ({"ids": [5]}, "claim id = 5"),
    ({"ids": [["optq-l2"]]}, "claim id = ['optq-l2']"), ({"ids": "optq-l3"}, "claim id = 'optq-l3'"),
    ({"algorithm": "optq"}, "algorithm = 'optq'"), ({"confidence": 1}, "confidence = 1"), ({"confidence": np.nan}, "confidence = nan"),
    ({"confidence": "0.9"}, "confidence = '0.9'"), ({"draws": -1}, "draws = -1"), ({"draws": 1.5}, "draws = 1.5"),
    ({"draws": True}, "draws = True"),
])  # fmt: skip
def test_bad_arguments_of_check_are_refused_before_anything_runs(arguments, named):
    def never(problem):
        raise AssertionError("ran")

    good = {"problem": Problem(np.eye(2), np.ones((2, 1)), Grid(1.0)), "ids": ["optq-l2"], "algorithm": never}
    with pytest.raises(InvalidArgumentError, match=f"^{re.escape(named)}"):
        check(**good | arguments)
