"""Lower bounds, the optimum, what algorithms reach, and upper bounds, in that order on every drawn problem."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, gpfq, optq, qronos, round_to_nearest
from provable_ptq.bounds import Outcome, Problem, check, claims
from provable_ptq.bounds.checking.arithmetic import smallest_eigenvalue
from provable_ptq.bounds.checking.decision import reach
from provable_ptq.bounds.checking.measure import damped_error_squared, gram, pivot_sum, squares, undamped_pivots_squared
from provable_ptq.bounds.checking.tolerance import relative_allowance
from provable_ptq.bounds.deterministic.optimum import optimum, optimum_squared
from provable_ptq.bounds.deterministic.optimum_floor import grid_distances
from provable_ptq.bounds.deterministic.order_floor import spectral_floor
from provable_ptq.bounds.deterministic.pivot_bound import pivot_bounds
from provable_ptq.bounds.mismatch.projection import mismatch_outputs, unexplained_squared
from provable_ptq.bounds.problems.built import PROBABILITIES
from provable_ptq.bounds.problems.drawn import draw_problem
from provable_ptq.bounds.stochastic.levels import hoeffding_factor, largest_pivot_step, paper_factor, rowwise_level

LARGEST = 10
BATCHES = range(6)
PER_BATCH = 15


def problems(batch, infinite=True):
    """Drawn problems with one calibration matrix; positive definite, on the infinite grid if asked."""
    for number in range(PER_BATCH):
        problem = draw_problem(np.random.default_rng([20, batch, number]), LARGEST).but(X_quantized=None)
        if infinite:
            problem = problem.but(grid=Grid(problem.grid.step))
        if (problem.factorization.pivots_squared == 0).any():
            problem = problem.but(damping="mean-diagonal:0.01") if problem.X.any() else problem.but(damping=1.0)
        yield problem


def not_above(lower, upper, problem, what):
    """lower <= upper, entry by entry, beyond what float64 may have lost."""
    slack = 1 + relative_allowance(*reach(problem))
    assert np.all(np.asarray(lower) <= np.asarray(upper) * slack + 1e-300), (what, lower, upper)


@pytest.mark.parametrize("batch", BATCHES)
def test_floor_below_optimum_below_optq_below_bound(batch):
    for problem in problems(batch):
        assert optimum(problem).decided.all()
        best, reached = optimum_squared(problem), damped_error_squared(problem, problem.result)
        distances = grid_distances(problem)
        floors = {
            "feature floor": (distances**2 / spectral_floor(problem)[1][:, None]).max(axis=0),
            "spectral floor": smallest_eigenvalue(gram(problem)) * squares(distances),
            "zero": 0 * best,
        }
        weighted = problem.steps**2 * problem.factorization.pivots_squared[:, None]
        later = np.cumsum(weighted[::-1], axis=0)[::-1] - weighted
        ceilings = {"near-optimal": (1 + (later / weighted).max(axis=0)) * best, "optq-l2": pivot_sum(problem) / 4}
        for name, floor in floors.items():
            not_above(floor, best, problem, (name, "optimum"))
            for ceiling, value in ceilings.items():
                not_above(floor, value, problem, (name, ceiling))
        not_above(best, reached, problem, ("optimum", "OPTQ"))
        for ceiling, value in ceilings.items():
            not_above(reached, value, problem, ("OPTQ", ceiling))


@pytest.mark.parametrize("batch", BATCHES)
def test_no_algorithm_beats_the_optimum(batch):
    for problem in problems(batch):
        best, shared = optimum_squared(problem), {"ordering": problem.order, "seed": 0}
        results = {
            "round-to-nearest": round_to_nearest(problem.W, problem.grid),
            "optq, other order": optq(problem.X, problem.W, problem.grid, problem.factorization.damping, "random:3"),
            "stochastic optq": optq(problem.factorization, problem.W, problem.grid, rounding="stochastic", seed=0),
            "gpfq": gpfq(problem.X, problem.W, problem.grid, **shared),
            "qronos": qronos(problem.X, problem.factorization, problem.W, problem.grid),
        }
        for name, result in results.items():
            not_above(best, damped_error_squared(problem, result), problem, ("optimum", name))


@pytest.mark.parametrize("batch", BATCHES)
def test_no_floor_of_the_pivots_lies_above_a_ceiling(batch):
    for problem in problems(batch):
        f, H = problem.factorization, gram(problem)
        floor, inverse_diagonal = spectral_floor(problem)
        floors = {"determinant": problem.N * floor, "inverse diagonal": (1 / inverse_diagonal).sum()}
        ceilings = {"trace": np.trace(H), "pivot bounds": pivot_bounds(problem).sum()}
        total = f.pivots_squared.sum()
        for name, value in floors.items():
            not_above(value, total, problem, (name, "pivots"))
            for ceiling, other in ceilings.items():
                not_above(value, other, problem, (name, ceiling))
        for ceiling, other in ceilings.items():
            not_above(total, other, problem, ("pivots", ceiling))
        not_above(1 / inverse_diagonal, f.pivots_squared, problem, "each pivot from below")
        not_above(f.pivots_squared, np.diag(H), problem, "each pivot from above")
        not_above(np.array([floor, np.diag(H).min()]), f.pivots_squared.max(), problem, "the largest pivot from below")
        not_above(undamped_pivots_squared(problem), f.pivots_squared, problem, "damping raises every pivot")
        not_above(undamped_pivots_squared(problem), squares(problem.X[:, problem.order]), problem, "OPTQ's bound and GPFQ's")


@pytest.mark.parametrize("batch", BATCHES)
def test_every_ordering_has_the_same_determinant_and_stays_above_the_floor(batch):
    for problem in problems(batch):
        floor = spectral_floor(problem)[0]
        for ordering in ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:4"):
            squared = problem.but(ordering=ordering).factorization.pivots_squared
            allowance = relative_allowance(*reach(problem))
            assert np.exp(np.log(squared).mean()) == pytest.approx(floor, rel=allowance)
            not_above(problem.N * floor, squared.sum(), problem, ordering)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("p", PROBABILITIES)
def test_levels_come_in_the_order_the_theory_says(batch, p):
    """Row-wise <= Hoeffding with the largest pivot <= the sharp level <= the paper's, which is at least sqrt(3 pi) times the second."""
    for problem in problems(batch):
        problem = problem.but(failure_probability=p, rounding="stochastic", grid=Grid(problem.steps[:1]))
        scale = largest_pivot_step(problem)
        hoeffding = scale * hoeffding_factor(problem, problem.m)
        paper = scale * paper_factor(problem, problem.m)
        sharp = claims()["sto-optq-linf-sharp"](problem, problem.result).bound
        not_above(rowwise_level(problem), hoeffding, problem, "row-wise and Hoeffding")
        not_above(hoeffding, paper / np.sqrt(3 * np.pi), problem, "Hoeffding and the paper")
        not_above(hoeffding, sharp, problem, "Hoeffding and sharp")
        not_above(sharp, paper / 2, problem, "sharp and the paper")


def test_the_factor_between_the_levels_is_attained_at_one_sample_and_one_half():
    problem = Problem(np.eye(1), np.array([[0.3]]), Grid(1.0), rounding="stochastic", failure_probability=0.5)
    assert paper_factor(problem, 1) / hoeffding_factor(problem, 1) == pytest.approx(np.sqrt(3 * np.pi), rel=1e-14)
    more = problem.but(failure_probability=0.6)
    assert paper_factor(more, 1) / hoeffding_factor(more, 1) < np.sqrt(3 * np.pi), "and not kept beyond p = 1/2"


@pytest.mark.parametrize("batch", BATCHES)
def test_what_qronos_can_promise_is_never_more_than_what_optq_promises_on_the_deployed_inputs(batch):
    for number in range(PER_BATCH):
        problem = draw_problem(np.random.default_rng([21, batch, number]), LARGEST)
        rounding = pivot_sum(problem) / 4
        unexplained, whole = unexplained_squared(problem), squares(mismatch_outputs(problem))
        not_above(unexplained, whole, problem, "the unexplained part and the mismatch")
        not_above(np.sqrt(unexplained + rounding), np.sqrt(whole) + np.sqrt(rounding), problem, "projected Qronos and OPTQ")


@pytest.mark.parametrize("batch", BATCHES[:2])
def test_all_claims_hold_together_on_every_drawn_problem(batch):
    """Finite grids and dead features included; nothing violated, and no certain claim left undecided on these conditionings."""
    for problem in problems(batch, infinite=False):
        outcomes = {name: verdict.outcome for name, verdict in check(problem).items()}
        assert set(outcomes.values()) <= {Outcome.HOLDS, Outcome.NOT_APPLICABLE}, outcomes
