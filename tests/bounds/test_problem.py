"""A problem: what it refuses, what it keeps when changed, and that a saved one replays."""

import json
import os

import numpy as np
import pytest
from provable_ptq.algorithms import Factorization, Grid, RankDeficientError, factorize, gpfq, optq, qronos, round_to_nearest
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.algorithms.rounding import Prescribed
from provable_ptq.bounds import Outcome, Problem, check
from provable_ptq.bounds.checking.problem import ALGORITHMS, run
from provable_ptq.bounds.problems.drawn import draw_problem


def layer(**changes):
    rng = np.random.default_rng(4)
    given = {"X": rng.standard_normal((7, 4)), "W": rng.standard_normal((4, 3)), "grid": Grid(step=0.5), "damping": 0.2}
    return Problem(**given | changes)


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "named"), [
    ({"X": np.zeros(4)}, "X.shape = (4,)"),
    ({"X": np.zeros((0, 4))}, "X.shape = (0, 4)"),
    ({"X": [[1.0, np.nan, 0, 0]]}, "X[0, 1] = nan"),
    ({"X": [["a", "b", "c", "d"]]}, "X = "),
    ({"X": np.ones((2, 4), dtype=complex)}, "X = "),
    ({"W": np.zeros((3, 2))}, "W.shape = (3, 2)"),
    ({"W": np.full((4, 1), np.inf)}, "W[0, 0] = inf"),
    ({"W": np.zeros((4, 0))}, "W.shape = (4, 0)"),
    ({"W": np.zeros(4)}, "W.shape = (4,)"),
    ({"grid": 0.5}, "grid = 0.5"),
    ({"grid": Grid(np.ones((3, 1)))}, "grid.step.shape = (3, 1)"),
    ({"grid": Grid(1.0, low=np.zeros((1, 2), dtype=int), high=1)}, "grid.low.shape = (1, 2)"),
    ({"algorithm": "gptq"}, "algorithm = 'gptq'"),
    ({"algorithm": None}, "algorithm = None"),
    ({"form": "literal"}, "form = 'literal'"),
    ({"rounding": "up"}, "rounding = 'up'"),
    ({"damping": -1.0}, "damping = -1.0"),
    ({"damping": np.nan}, "damping = nan"),
    ({"damping": None}, "damping = None"),
    ({"damping": "ridge:1"}, "damping = 'ridge:1'"),
    ({"damping": "mean-diagonal"}, "damping = 'mean-diagonal'"),
    ({"damping": "spectral:-1"}, "damping fraction of spectral = -1.0"),
    ({"ordering": "biggest"}, "ordering = 'biggest'"),
    ({"ordering": "random:x"}, "ordering = 'random:x'"),
    ({"ordering": [0, 1, 1, 2]}, "ordering = [0, 1, 1, 2]"),
    ({"ordering": [0, 1, 2]}, "ordering = [0, 1, 2]"),
    ({"ordering": [1, 2, 3, 4]}, "ordering = [1, 2, 3, 4]"),
    ({"ordering": np.eye(4)}, "ordering = array("),
    ({"ordering": None}, "ordering = None"),
    ({"X": np.ma.masked_less(np.eye(7, 4), 0)}, "X = masked_array("),
    ({"W": np.ma.array(np.ones((4, 3)))}, "W = masked_array("),
    ({"ordering": np.ma.array([0, 1, 2, 3])}, "ordering = masked_array("),
    ({"X_quantized": factorize(np.eye(6, 4), 0.1), "damping": 0.0}, "X_quantized.shape = (6, 4)"),
    ({"X_quantized": np.zeros((6, 4))}, "X_quantized.shape = (6, 4)"),
    ({"X_quantized": np.zeros((7, 3))}, "X_quantized.shape = (7, 3)"),
    ({"X_validation": np.zeros((7, 3))}, "X_validation.shape = (7, 3)"),
    ({"seed": -1}, "seed = -1"),
    ({"seed": 0.5}, "seed = 0.5"),
    ({"seed": True}, "seed = True"),
    ({"failure_probability": 0}, "failure_probability = 0"),
    ({"failure_probability": 1.0}, "failure_probability = 1.0"),
    ({"failure_probability": np.nan}, "failure_probability = nan"),
    ({"failure_probability": "0.1"}, "failure_probability = '0.1'"),
    ({"failure_probability": None}, "failure_probability = None"),
    ({"failure_probability": [0.1, 0.2]}, "failure_probability = [0.1, 0.2]"),
])
def test_bad_arguments_are_refused_by_name_before_anything_is_computed(changes, named):
    with pytest.raises(InvalidArgumentError) as refused:
        layer(**changes)
    assert str(refused.value).startswith(named)
    assert " is not accepted: " in str(refused.value)


def test_dependent_features_without_damping_raise_with_the_damping_that_would_do():
    problem = layer(X=np.ones((7, 4)), damping=0.0)
    with pytest.raises(RankDeficientError, match="rank 1 with 4 live") as refused:
        _ = problem.result
    assert problem.but(damping=refused.value.smallest_damping).result.codes.shape == (4, 3)


def test_numbers_of_numpy_are_numbers(tmp_path):
    problem = layer(damping=np.float32(0.25), seed=np.int64(3), failure_probability=np.float64(0.1))
    assert [type(value) for value in (problem.damping, problem.seed, problem.failure_probability)] == [float, int, float]
    assert Problem.load(problem.save(tmp_path / "problem.npz")).seed == 3


def test_no_seed_draws_one_and_keeps_it(tmp_path):
    problem = layer(seed=None, rounding="stochastic")
    assert problem.seed > 2**64
    assert problem.seed != layer(seed=None).seed
    np.testing.assert_array_equal(problem.result.codes, layer(seed=problem.seed, rounding="stochastic").result.codes)
    assert Problem.load(problem.save(tmp_path / "problem.npz")).seed == problem.seed


# --- what it is ----------------------------------------------------------------------------------------------------


def test_shapes_and_what_the_algorithm_is_calibrated_on():
    problem = layer()
    assert (problem.m, problem.N, problem.K) == (7, 4, 3)
    assert problem.calibration is problem.X
    deployed = problem.X + 1
    assert np.array_equal(problem.but(X_quantized=deployed).calibration, deployed)


def test_orders_and_alphabets_are_in_processing_order():
    steps = np.arange(1.0, 13).reshape(4, 3)
    problem = layer(grid=Grid(steps, low=-2, high=5), ordering=[2, 0, 3, 1])
    assert problem.order.tolist() == [2, 0, 3, 1]
    np.testing.assert_array_equal(problem.steps, steps[[2, 0, 3, 1]])
    np.testing.assert_array_equal(problem.alphabet.high, np.full((4, 3), 5.0))


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_each_algorithm_is_the_one_it_names(rounding):
    problem = layer(rounding=rounding, seed=7, ordering="min-pivot")
    X, W, grid, shared = problem.X, problem.W, problem.grid, {"rounding": rounding, "seed": 7, "ordering": "min-pivot"}
    deployed = X + 0.3 * np.random.default_rng(1).standard_normal(X.shape)
    expected = {
        ("optq", None): optq(X, W, grid, 0.2, **shared),
        ("optq", "mismatched"): optq(deployed, W, grid, 0.2, **shared),
        ("gpfq", None): gpfq(X, W, grid, **shared),
        ("gpfq", "mismatched"): gpfq(X, W, grid, deployed, **shared),
        ("qronos", None): qronos(X, X, W, grid, 0.2, **shared),
        ("qronos", "mismatched"): qronos(X, deployed, W, grid, 0.2, **shared),
    }
    for (algorithm, mismatch), result in expected.items():
        made = problem.but(algorithm=algorithm, X_quantized=deployed if mismatch else None).result
        np.testing.assert_array_equal(made.codes, result.codes)
        np.testing.assert_array_equal(made.order, result.order)
    projected = problem.but(algorithm="qronos", form="projected", X_quantized=deployed).result
    np.testing.assert_array_equal(projected.codes, qronos(X, deployed, W, grid, 0.2, form="projected", **shared).codes)
    plain = layer(algorithm="round-to-nearest")
    np.testing.assert_array_equal(plain.result.codes, round_to_nearest(W, grid).codes)
    assert {name for name, _ in expected} | {"round-to-nearest"} == set(ALGORITHMS)


def test_a_rule_replaces_the_problems_rounding():
    problem = layer(ordering="decreasing-norm")
    codes = np.arange(12.0).reshape(4, 3)
    result = run(problem, Prescribed(codes))
    np.testing.assert_array_equal(result.codes[problem.order], codes)


def test_the_result_is_computed_once():
    problem = layer()
    assert problem.result is problem.result
    assert problem.factorization is problem.factorization


def test_remember_keeps_what_belongs_to_one_result():
    problem, calls = layer(), []
    first, second = problem.result, run(problem)
    for result in (first, second, first, None):
        problem.remember("something", result, lambda: calls.append(1))
    assert len(calls) == 3


# --- changing one --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"W": np.ones((4, 1))}, {"grid": Grid(1.0)}, {"rounding": "stochastic"}, {"seed": 5},
                                     {"form": "projected"}, {"algorithm": "qronos"}, {"X_validation": np.ones((1, 4))},
                                     {"failure_probability": 0.5}])
def test_a_change_that_leaves_the_calibration_alone_keeps_the_factorization(changes):
    problem = layer(ordering="min-pivot")
    kept = problem.factorization
    assert problem.but(**changes).factorization is kept


@pytest.mark.parametrize("changes", [{"X": np.eye(7, 4)}, {"damping": 0.3}, {"ordering": "random:1"}, {"X_quantized": np.eye(7, 4)}])
def test_a_change_of_the_calibration_drops_the_factorization(changes):
    problem = layer(ordering="min-pivot")
    assert problem.factorization is problem.factorization
    changed, fresh = problem.but(**changes), layer(**{"ordering": "min-pivot"} | changes)
    assert changed.factorization is not problem.factorization
    np.testing.assert_array_equal(changed.factorization.L, fresh.factorization.L)
    np.testing.assert_array_equal(changed.factorization.order, fresh.factorization.order)


def test_nothing_changed_changes_nothing_and_only_the_level_keeps_the_result():
    problem = layer(rounding="stochastic")
    result = problem.result
    assert problem.but(failure_probability=0.5).result is result
    assert problem.but(failure_probability=0.5).failure_probability == 0.5
    for changes in ({"seed": 1}, {"W": problem.W + 1}, {"grid": Grid(2.0)}, {"failure_probability": 0.5, "seed": 1}):
        assert problem.but(**changes).result is not result


@pytest.mark.parametrize("number", range(25))
def test_a_changed_problem_is_the_problem_made_afresh(number):
    """Whatever was computed before the change: same order, factorization and codes as a problem that never was another one."""
    problem = draw_problem(np.random.default_rng([7, number]))
    given = {name: getattr(problem, name) for name in ("X", "W", "grid", "damping", "ordering", "X_quantized", "seed")}
    for algorithm in ("gpfq", "qronos", "optq", "gpfq"):
        _ = problem.factorization, problem.order, problem.result
        problem = problem.but(algorithm=algorithm)
        fresh = Problem(**given, algorithm=algorithm)
        assert problem.result.codes.tolist() == fresh.result.codes.tolist()
        assert problem.order.tolist() == fresh.order.tolist() == problem.factorization.order.tolist()
        np.testing.assert_array_equal(problem.factorization.pivots, fresh.factorization.pivots)


def test_path_following_orders_without_damping_and_its_claims_agree_on_the_order():
    """Min-pivot orders differ with and without damping. Steps and the floor's diagonal must come in one order, or the floor is false."""
    rng = np.random.default_rng(23)
    X = rng.standard_normal((6, 5)) * np.exp(1.5 * rng.standard_normal(5))
    W = rng.standard_normal((5, 2))
    problem = Problem(X, W, Grid(np.exp(rng.standard_normal((5, 1)))), algorithm="gpfq", ordering="min-pivot", damping=10.0)
    assert factorize(X, 10.0, "min-pivot").order.tolist() != factorize(X, 0.0, "min-pivot").order.tolist()
    assert problem.order.tolist() == problem.factorization.order.tolist() == factorize(X, 0.0, "min-pivot").order.tolist()
    assert check(problem, ["optimum-floor"])["optimum-floor"].outcome is Outcome.HOLDS


# --- a factorization in place of the matrix ------------------------------------------------------------------------


def test_a_factorization_brings_damping_and_ordering():
    plain = layer(damping=0.7, ordering="decreasing-norm")
    f = factorize(plain.X, 0.7, "decreasing-norm")
    shared = layer(X=f, damping=0.0)
    assert shared.factorization is f
    assert shared.damping == 0.7
    np.testing.assert_array_equal(shared.X, plain.X)
    np.testing.assert_array_equal(shared.result.codes, plain.result.codes)
    np.testing.assert_array_equal(shared.but(seed=3).factorization.L, f.L)


def test_a_factorization_of_the_deployed_inputs():
    plain = layer(algorithm="qronos", X_quantized=np.eye(7, 4) + 1)
    f = factorize(plain.X_quantized, 0.2)
    shared = layer(algorithm="qronos", X_quantized=f, damping=0.0)
    assert shared.factorization is f
    np.testing.assert_array_equal(shared.X_quantized, plain.X_quantized)
    np.testing.assert_array_equal(shared.result.codes, plain.result.codes)


@pytest.mark.parametrize("beside", [{"damping": 0.2}, {"damping": "none"}, {"ordering": "decreasing-norm"}, {"ordering": [0, 1, 2, 3]}])
@pytest.mark.parametrize("place", ["X", "X_quantized"])
def test_damping_and_ordering_beside_a_factorization_are_refused(beside, place):
    f = factorize(layer().X, 0.1)
    with pytest.raises(InvalidArgumentError, match="nothing beside a Factorization"):
        layer(**{"damping": 0.0} | {place: f} | beside)


def test_deployed_inputs_without_rows_are_refused():
    with pytest.raises(InvalidArgumentError, match="only a Gram matrix"):
        layer(X_quantized=Factorization.from_gram(np.eye(4)), damping=0.0, ordering="natural", algorithm="qronos")


# --- saving --------------------------------------------------------------------------------------------------------


SAVED = [
    {}, {"rounding": "stochastic", "seed": 99, "failure_probability": 0.01}, {"damping": "mean-diagonal:0.01", "ordering": "min-pivot"},
    {"ordering": [3, 1, 0, 2]}, {"algorithm": "qronos", "form": "projected", "X_quantized": np.eye(7, 4) + 0.5},
    {"algorithm": "gpfq"}, {"algorithm": "round-to-nearest"}, {"X_validation": np.ones((2, 4))},
    {"grid": Grid(np.linspace(0.1, 1, 12).reshape(4, 3), low=-3, high=np.array([1, 2, 3]))},
    {"W": np.full((4, 1), 1 / 3), "grid": Grid(1e-3)},
]


@pytest.mark.parametrize("changes", SAVED)
def test_a_saved_problem_replays_to_the_same_codes(changes, tmp_path):
    problem = layer(**changes)
    loaded = Problem.load(problem.save(tmp_path / "problem.npz"))
    for name in ("X", "W", "X_quantized", "X_validation"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(problem, name))
    for name in ("algorithm", "form", "damping", "rounding", "seed", "failure_probability"):
        assert getattr(loaded, name) == getattr(problem, name)
    for name in ("step", "low", "high"):
        np.testing.assert_array_equal(getattr(loaded.grid, name), getattr(problem.grid, name))
    np.testing.assert_array_equal(loaded.order, problem.order)
    np.testing.assert_array_equal(loaded.result.codes, problem.result.codes)
    np.testing.assert_array_equal(loaded.result.rounding_errors, problem.result.rounding_errors)


@pytest.mark.parametrize("number", range(20))
def test_drawn_problems_replay(number, tmp_path):
    problem = draw_problem(np.random.default_rng([3, number]), rounding=["nearest", "stochastic"][number % 2])
    loaded = Problem.load(str(problem.save(str(tmp_path / "problem.npz"))))
    np.testing.assert_array_equal(loaded.result.codes, problem.result.codes)


def test_a_problem_of_a_factorization_replays(tmp_path):
    problem = layer(X=factorize(layer().X, 0.4, "min-pivot"), damping=0.0)
    loaded = Problem.load(problem.save(tmp_path / "problem.npz"))
    np.testing.assert_array_equal(loaded.factorization.L, problem.factorization.L)
    np.testing.assert_array_equal(loaded.result.codes, problem.result.codes)


def test_the_file_holds_no_pickles_and_other_files_are_refused(tmp_path):
    with np.load(layer().save(tmp_path / "problem.npz"), allow_pickle=False) as stored:
        assert json.loads(str(stored["settings"]))["algorithm"] == "optq"
    np.savez(tmp_path / "other.npz", X=np.eye(2))
    with pytest.raises(InvalidArgumentError, match=r"written by Problem\.save"):
        Problem.load(tmp_path / "other.npz")


def test_a_file_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.npz").mkdir()
    for path in (tmp_path / "nowhere" / "problem.npz", tmp_path / "file" / "problem.npz", tmp_path / "folder.npz"):
        with pytest.raises(InvalidArgumentError, match=r"^path = .* is not accepted: a file that can be written \("):
            layer().save(path)
    assert {file.name for file in tmp_path.iterdir()} == {"file", "folder.npz"}


def test_a_save_that_ends_early_leaves_the_old_file(tmp_path, monkeypatch):
    path = layer().save(tmp_path / "problem.npz")
    before = path.read_bytes()

    def interrupted(file, **_):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        layer().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_file_is_refused_or_the_same_problem(tmp_path):
    """Cut anywhere or with any bit flipped: one sentence, unless what was changed says nothing (dates of a zip archive)."""
    path = layer(ordering=[3, 1, 0, 2]).save(tmp_path / "problem.npz")
    whole, codes = path.read_bytes(), layer(ordering=[3, 1, 0, 2]).result.codes
    rng, sentences = np.random.default_rng(5), []
    damaged = [whole[:length] for length in rng.integers(0, len(whole), 40)]
    for place in rng.integers(0, len(whole), 160):
        damaged.append(whole[:place] + bytes([whole[place] ^ (1 << rng.integers(8))]) + whole[place + 1 :])
    for content in damaged:
        path.write_bytes(content)
        try:
            problem = Problem.load(path)
        except InvalidArgumentError as error:
            sentences.append(str(error))
        else:
            np.testing.assert_array_equal(problem.result.codes, codes)
    assert len(sentences) > 120
    assert all(str(path) in sentence and len(sentence.splitlines()) == 1 for sentence in sentences)


@pytest.mark.parametrize(("arrays", "words", "said"), [
    ({"X": None}, {}, "it lacks X"), ({"grid_step": None}, {}, "it lacks grid_step"), ({}, {"seed": None}, "it lacks seed"),
    ({}, {"ordering": None}, "it lacks ordering"), ({"colour": np.ones(2)}, {}, "nothing of a problem is called colour"),
    ({}, {"colour": "red"}, "nothing of a problem is called colour"), ({"W": np.ones((3, 3))}, {}, "W.shape = (3, 3) is not accepted"),
    ({"W": np.full((4, 3), np.nan)}, {}, "W[0, 0] = nan is not accepted"), ({}, {"damping": "ridge"}, "damping = 'ridge' is not accepted"),
    ({}, {"damping": []}, "damping = [] is not accepted"), ({"grid_step": np.array(-1.0)}, {}, "step = -1.0 is not accepted"),
    ({"settings": np.array("[" * 100_000)}, {}, "RecursionError"), ({"settings": np.array("[]")}, {}, "its settings are no table"),
    ({"X": np.array([["a"] * 4] * 7)}, {}, "X = array("),
])  # fmt: skip
def test_a_file_that_holds_no_sound_problem_is_refused(tmp_path, arrays, words, said):
    with np.load(layer().save(tmp_path / "problem.npz")) as stored:
        held = {name: stored[name] for name in stored.files}
    settings = {name: value for name, value in (json.loads(str(held["settings"])) | words).items() if value is not None}
    held = {name: value for name, value in (held | {"settings": np.array(json.dumps(settings))} | arrays).items() if value is not None}
    np.savez(tmp_path / "changed.npz", **held)
    with pytest.raises(InvalidArgumentError) as refused:
        Problem.load(tmp_path / "changed.npz")
    assert said in str(refused.value)
    assert str(tmp_path / "changed.npz") in str(refused.value)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path, tmp_path / "nowhere.npz", tmp_path / "pipe.npz"):
        with pytest.raises(InvalidArgumentError, match="there is no such file"):
            Problem.load(path)
