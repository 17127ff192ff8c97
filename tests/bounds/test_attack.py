"""The attack comes near every bound that is tight, refutes false ones, shrinks what it finds and is the same for the same seed."""

import json

import numpy as np
import pytest
import typer
from provable_ptq.algorithms import Grid, InvalidArgumentError
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.attack import attack, attackable, gallery
from provable_ptq.bounds.attack.evolution import Evolution
from provable_ptq.bounds.attack.tuning import coordinates
from provable_ptq.bounds.checking.claim import CHAPTERS
from provable_ptq.bounds.checking.hypotheses import at_most
from provable_ptq.experiments.commands.attack import attack_claim
from typer.testing import CliRunner

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command("attack")(attack_claim)
SMALL = {"features": 3, "samples": 3, "budget": 300}


def ratio(problem, claim_id):
    return check(problem, [claim_id], draws=1)[claim_id].ratio


@pytest.mark.parametrize("claim_id", ["optq-l2", "optq-linf"])
def test_tight_bounds_are_attained_at_full_size(claim_id):
    found = attack(claim_id, features=16, samples=16, budget=1500)
    assert (found.found.N, found.found.m, found.found.K) == (16, 16, 1)
    assert 0.99 <= found.found_ratio <= 1 + 1e-6
    np.testing.assert_allclose(ratio(found.found, claim_id), found.found_ratio, rtol=1e-9)


@pytest.mark.parametrize("claim_id", ["optq-l2", "optq-linf"])
def test_tight_bounds_are_attained_from_gaussian_matrices(plant, claim_id):
    def gaussian(rng):
        return Problem(rng.standard_normal((16, 16)), rng.standard_normal((16, 1)), Grid(step=1.0), damping=0.1)

    found = attack(plant(claim_id, claims()[claim_id].evaluate, draw=gaussian), features=16, samples=16, budget=3000)
    assert (found.found.N, found.found.m) == (16, 16)
    assert 0.99 <= found.found_ratio <= 1 + 1e-6
    assert np.linalg.matrix_rank(found.found.X) == 16
    assert np.abs(np.tril(found.found.factorization.L, -1)).max() > 0.5, "features depend on each other"


def test_what_is_found_is_shrunk_and_replays(tmp_path):
    found = attack("optq-l2", features=6, samples=9, budget=1000)
    assert (found.problem.N, found.problem.m, found.problem.K) == (1, 1, 1)
    assert found.ratio >= 0.999 * found.found_ratio
    assert np.array_equal(found.problem.X, np.round(found.problem.X, 3))
    assert (found.verdict.outcome, found.violated, found.claim_id) == (Outcome.HOLDS, False, "optq-l2")
    assert found.words == "not refuted", "that it holds there says nothing of other problems"
    saved, unshrunk = found.save(tmp_path / "attacks")
    assert saved.stat().st_size < 4000
    assert ratio(Problem.load(saved), "optq-l2") == found.ratio
    assert ratio(Problem.load(unshrunk), "optq-l2") == pytest.approx(found.found_ratio, rel=1e-12)


def test_the_seed_decides_and_the_budget_limits():
    first, again, other = (attack("sto-optq-linf-rowwise", features=2, samples=2, budget=60, seed=seed) for seed in (1, 1, 2))
    assert first.ratio == again.ratio
    assert first.evaluations == again.evaluations
    np.testing.assert_array_equal(first.found.X, again.found.X)
    np.testing.assert_array_equal(first.problem.W, again.problem.W)
    assert not np.array_equal(first.found.X, other.found.X)


def test_progress_is_told():
    told = []
    found = attack("optq-mismatch", **SMALL, progress=lambda share, best: told.append((share, best)))
    shares, best = zip(*told, strict=True)
    assert 0 < shares[0] < 0.05
    assert shares[-1] == 1
    assert list(best) == sorted(best)
    assert best[-1] == found.found_ratio


def test_a_bound_that_is_slightly_too_small_is_passed_not_just_approached(plant):
    def too_small(problem, result):
        truth = claims()["optq-l2"](problem, result)
        return Evaluation(truth.measured, 0.98 * truth.bound)

    false = plant("optq-l2", too_small)
    found = attack(false, features=8, samples=8)
    assert found.violated
    assert found.found_ratio > 1.001
    verdict = check(found.problem, [false])[false]
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.ratio == found.ratio
    assert found.problem.N <= 2


def test_a_false_identity_is_refuted(plant):
    def undamped(problem, result):
        truth = claims()["optq-identity"](problem, result)
        return Evaluation(truth.measured, truth.bound - problem.factorization.damping * problem.steps[0] ** 2 / 2**20)

    found = attack(plant("optq-identity", undamped), **SMALL)
    assert found.violated
    assert found.problem.N <= found.found.N


def test_rounding_noise_is_no_violation(plant):
    def cancelling(problem, result):
        """True: both sides are zero. The left one loses its digits in float64."""
        w = problem.W.sum(axis=0)
        return Evaluation(abs((w + 3 * problem.steps[0] / 7) - w - 3 * problem.steps[0] / 7), 0 * w)

    found = attack(plant("optq-l2", cancelling, rounding=None), **SMALL)
    assert found.verdict.outcome is Outcome.UNDECIDED
    assert "exact arithmetic" in found.verdict.advice
    assert not found.violated


def test_a_false_probability_claim_is_refuted_on_enumerated_paths(plant):
    def eighth(problem, result):
        truth = claims()["sto-optq-linf"](problem, result)
        return Evaluation(truth.measured, truth.bound / 8)

    found = attack(plant("sto-optq-linf", eighth), features=5, samples=4, budget=400)
    assert found.violated
    assert found.verdict.interval[0] > found.problem.failure_probability
    assert found.problem.N <= 5


def test_noise_in_one_regime_does_not_hide_a_falsehood_in_another(plant):
    def noisy_or_false(problem, result):
        """True without damping, though float64 loses its digits there; 5 % too small with damping."""
        if problem.factorization.damping == 0:
            w = problem.W.sum(axis=0)
            return Evaluation(abs((w + 3 * problem.steps[0] / 7) - w - 3 * problem.steps[0] / 7), 0 * w)
        truth = claims()["optq-l2"](problem, result)
        return Evaluation(truth.measured, truth.bound * 19 / 20)

    false = plant("optq-l2", noisy_or_false)
    for seed in range(3):
        found = attack(false, features=3, samples=3, budget=1000, seed=seed)
        assert found.violated
        assert found.problem.factorization.damping > 0


def test_a_regime_where_the_bound_is_attained_is_left(plant):
    """Ratio 1 at once without damping; only with damping, and only far from where the search starts, is the bound passed."""
    tried = []

    def attained_or_false(problem, result):
        truth = claims()["optq-l2"](problem, result)
        undamped = problem.factorization.damping == 0
        tried.append(undamped)
        return Evaluation(truth.bound if undamped else truth.measured, truth.bound if undamped else truth.bound * 19 / 20)

    found = attack(plant("optq-l2", attained_or_false), features=3, samples=3, budget=1000)
    assert found.violated
    assert sum(tried) < len(tried) / 2


def test_by_default_the_shapes_sizes_and_dampings_differ(plant):
    met = set()

    def recorded(problem, result):
        f = problem.factorization
        heavy = f.damping > 5 * (problem.calibration**2).sum(axis=0).max()
        met.add((problem.N, np.sign(problem.m - problem.N), "none" if f.damping == 0 else "large" if heavy else "some"))
        return claims()["optq-l2"](problem, result)

    attack(plant("optq-l2", recorded), budget=300)
    for size in (3, 8, 16):
        for shape in (-1, 0, 1):
            dampings = {damping for N, sign, damping in met if (N, sign) == (size, shape)}
            assert dampings >= ({"none", "large"} if shape >= 0 else {"large"}), (size, shape)
    met.clear()
    attack(plant("optq-l2", recorded), features=5, budget=100)
    assert {N for N, _, _ in met} >= {5}
    assert max(N for N, _, _ in met) == 5
    assert {sign for _, sign, _ in met} >= {-1, 0, 1}


def test_dead_features_stay_dead_when_matrices_are_tuned():
    X = np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 1.0]])
    problem = Problem(X, np.ones((3, 1)), Grid(1.0), damping=1.0, X_quantized=2 * X)
    flat, rebuild = coordinates(claims()["optq-mismatch"], problem)
    moved = rebuild(flat + 0.5)
    for matrix in (moved.X, moved.X_quantized):
        np.testing.assert_array_equal(matrix.any(axis=0), [True, False, True])
    assert not np.array_equal(moved.X, X)


def test_a_claim_about_several_neurons_is_attacked_with_several(plant):
    def together(problem, result):
        truth = claims()["optq-l2"](problem, result)
        return Evaluation(truth.measured.sum() + 0 * truth.measured, truth.bound.max() + 0 * truth.bound)

    found = attack(plant("optq-l2", together), **SMALL)
    assert found.violated
    assert found.problem.K in (2, 3)
    assert ratio(found.problem, found.claim_id) == found.ratio


def test_hypotheses_are_met_by_what_is_found(plant):
    small = plant("optq-l2", claims()["optq-l2"].evaluate, hypotheses=(*claims()["optq-l2"].hypotheses, at_most(2, "a test")))
    assert attack(small, features=5, samples=4, budget=200).found.N == 2
    for claim_id in ("qronos-l2", "optq-mismatch", "sto-optq-generalization", "optq-l2-explicit"):
        found = attack(claim_id, features=2, samples=2, budget=60)
        assert found.verdict.outcome is not Outcome.NOT_APPLICABLE
        assert 0 < found.ratio <= 1 + 1e-6


def test_probability_claims_are_attacked_on_problems_that_can_be_enumerated():
    assert attack("sto-optq-linf", features=16, samples=1, budget=10).found.N == 8


def test_what_cannot_be_attacked_is_refused():
    for claim_id in ("predicted-error", "adversarial-growth", "finite-grid-counterexample"):
        with pytest.raises(InvalidArgumentError, match=f"claim id = '{claim_id}' is not accepted: a claim that can be attacked"):
            attack(claim_id)
    with pytest.raises(InvalidArgumentError, match="claim id = 'no-such' is not accepted"):
        attack("no-such")
    for name in ("features", "samples", "budget"):
        with pytest.raises(InvalidArgumentError, match=f"{name} = 0 is not accepted: an integer "):
            attack("optq-l2", **{name: 0})


def test_a_claim_to_which_nothing_belongs_is_refused(plant):
    impossible = plant("optq-l2", claims()["optq-l2"].evaluate, hypotheses=(at_most(0, "a test"),))
    with pytest.raises((InvalidArgumentError, ValueError)):
        attack(impossible, **SMALL)


def test_the_gallery_has_one_attack_per_claim():
    wanted = [made.id for made in claims().values() if made.chapter in CHAPTERS and attackable(made)]
    assert len(wanted) >= 30
    shares = []
    found = gallery(wanted, features=2, samples=2, budget=20, progress=lambda share, best: shares.append(share))
    assert [made.claim_id for made in found] == wanted
    assert shares[-1] == 1
    assert [made.claim_id for made in found if made.violated] == []
    by_id = {made.claim_id: made for made in found}
    tight = {"optq-l2", "optq-linf", "gpfq-l2", "order-floor", "pivot-bound", "optq-beats-rtn", "optq-l2-explicit"}
    assert {claim_id for claim_id in tight if by_id[claim_id].found_ratio < 0.95} == set()
    assert all(made.found_ratio < 1e-6 for made in found if made.claim.kind is Kind.IDENTITY)


def test_the_command_saves_and_tells_how_to_replay(tmp_path):
    done = CliRunner().invoke(APP, ["optq-l2", "--features", "3", "--samples", "3", "--budget", "300", "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    saved = tmp_path / "optq-l2.npz"
    assert f"Problem.load({str(saved)!r})" in done.output
    assert done.output.startswith("optq-l2: not refuted\nfound   measured/bound")
    assert "holds" not in done.output
    assert ratio(Problem.load(saved), "optq-l2") > 0.99


def test_the_command_prints_json_and_ends_with_1_on_a_violation(tmp_path, own_claims, write_claims):
    words = ["my-claim", "--claims", str(write_claims(0.5)), "--features", "2", "--samples", "2", "--output", str(tmp_path), "--json"]
    done = CliRunner().invoke(APP, words)
    assert done.exit_code == 1, done.output
    document = json.loads(done.output)
    assert (document["id"], document["outcome"]) == ("my-claim", "violated")
    assert document["ratio"] == pytest.approx(ratio(Problem.load(document["file"]), "my-claim"))
    assert Problem.load(document["found_file"]).N == document["found_features"] == 2
    assert document["evaluations"] > 0


def test_evolution_solves_an_ill_conditioned_problem_and_survives_unfit_candidates():
    rng = np.random.default_rng(0)
    curvature = np.diag(10.0 ** np.linspace(0, 4, 8))
    search = Evolution(np.ones(8), 0.5, 16, rng)
    for _ in range(400):
        x = search.ask()
        search.tell(np.where(x[0] > 2, -np.inf, -np.einsum("ik,ij,jk->k", x, curvature, x)))
    assert np.abs(search.mean).max() < 1e-4
    search.tell(np.full(16, -np.inf))
    assert np.isfinite(search.mean).all()
