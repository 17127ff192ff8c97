"""Bad arguments: every public function names the argument, shows the value and says what is accepted."""

import inspect

import numpy as np
import provable_ptq.algorithms as room
import pytest
from provable_ptq.algorithms import (
    CrossGram,
    Factorization,
    Grid,
    InvalidArgumentError,
    definitions,
    descend,
    factorize,
    gpfq,
    k_best,
    optq,
    qronos,
    round_to_nearest,
)
from provable_ptq.algorithms.rounding import Nearest

RNG = np.random.default_rng(0)
X, W, GRID = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 2)), Grid(0.5)
F = factorize(X)


def with_entry(matrix, row, column, value):
    changed = np.array(matrix, dtype=np.float64)
    changed[row, column] = value
    return changed


# Every public function with arguments it accepts, to be spoilt one by one.
LAYER = {"X": X, "W": W, "grid": GRID, "damping": 0.1, "ordering": "natural", "rounding": "nearest", "seed": None}
PAIR = {**LAYER, "X_quantized": X + 0.1}
GREEDY = {name: value for name, value in PAIR.items() if name != "damping"}
DESCENT = {"X": X, "W": W, "start": np.zeros((3, 2)), "grid": GRID, "damping": 0.1, "passes": 1, "keep": "better"}
SEARCH = {name: value for name, value in LAYER.items() if name not in ("rounding", "seed")} | {"candidates": 2}
FUNCTIONS = {
    "optq": (optq, LAYER | {"dtype": "float64"}),
    "qronos": (qronos, PAIR | {"form": "alternating", "dtype": "float64"}),
    "gpfq": (gpfq, GREEDY),
    "round_to_nearest": (round_to_nearest, {"W": W, "grid": GRID}),
    "factorize": (factorize, {"X": X, "damping": 0.1, "ordering": "natural", "dtype": "float64"}),
    "from_gram": (Factorization.from_gram, {"gram": X.T @ X, "damping": 0.1, "ordering": "natural", "samples": 5, "dtype": "float64"}),
    "CrossGram": (CrossGram, {"matrix": X.T @ X}),
    "from_blocks": (Factorization.from_blocks, {"blocks": [X], "damping": 0.1, "ordering": "natural", "dtype": "float64"}),
    "with_damping": (F.with_damping, {"damping": 0.1, "ordering": None}),
    "with_ordering": (F.with_ordering, {"ordering": "natural"}),
    "Grid": (Grid, {"step": 0.5, "low": -8, "high": 7}),
    "Grid.nearest": (GRID.nearest, {"weights": W}),
    "Grid.for_weights": (Grid.for_weights, {"W": W, "bits": 4, "symmetric": True, "group_size": None}),
    "definitions.optq": (definitions.optq, LAYER | {"codes": None}),
    "definitions.optq_inverse_hessian": (definitions.optq_inverse_hessian, LAYER | {"codes": None}),
    "definitions.qronos": (definitions.qronos, PAIR | {"form": "alternating", "codes": None}),
    "definitions.gpfq": (definitions.gpfq, GREEDY),
    "descend": (descend, DESCENT), "definitions.descend": (definitions.descend, DESCENT),
    "k_best": (k_best, SEARCH), "definitions.k_best": (definitions.k_best, SEARCH),
}


def not_matrices(name, good, optional=False):
    """Values no matrix argument accepts (None where it is not optional), with the head and the end of the refusal."""
    real, shape, empty = "a 2-D array of real numbers", "a 2-D array", "an array without empty axes"
    kinds = [good.astype(kind) for kind in (complex, str, object, "M8[s]")] + [np.ma.masked_less(good, 0), np.ma.array(good)]
    yield from ((value, name, repr(value), real) for value in (*(() if optional else (None,)), "text", [[1.0, 2.0], [3.0]], *kinds))
    yield from ((value, f"{name}.shape", str(np.shape(value)), shape) for value in (1.0, good[:, 0], good[0].tolist(), good[None]))
    yield from ((value, f"{name}.shape", str(value.shape), empty) for value in (np.zeros((0, good.shape[1])), np.zeros((0, 0))))
    for shown in ("nan", "inf", "-inf"):
        yield with_entry(good, 1, 0, float(shown)), f"{name}[1, 0]", shown, "finite"


def wrong_sizes(name, good, rows=True, columns=True, word="rows"):
    if rows:
        yield np.vstack([good, good]), f"{name}.shape", str((2 * good.shape[0], good.shape[1])), f"{good.shape[0]} {word}"
    if columns:
        yield np.hstack([good, good]), f"{name}.shape", str((good.shape[0], 2 * good.shape[1])), f"{good.shape[1]} columns"


def unscaled(name):
    """Entries whose squares overflow, or vanish in a live column."""
    yield with_entry(X, 0, 0, 1e200), f"max|{name}|", "1e+200", "do not overflow"
    yield np.ones((5, 3)) * [1.0, 1e-200, 1.0], f"max|{name}[:, 1]|", "1e-200", "do not vanish"


def refusals(function, argument):
    """(value, head, shown, accepted) of every bad value of one argument of one function."""
    rules, orders = "a number >= 0 or one of the rules none, mean-diagonal:FRACTION", "a permutation"
    leading = {"X": function.rpartition(".")[2] in ("optq", "factorize", "optq_inverse_hessian", "descend", "k_best"), "X_quantized": True}
    number = "one finite number >= 0"
    simple = {
        "damping": [*((v, number) for v in (-1.0, -1e-300, np.nan, np.inf, -np.inf, None, True, [1.0], np.ones(3), 1j, 10**400)),
                    *((v, rules) for v in ("half", "", "0.1", "none:1", "mean-diagonal", "mean-diagonal:", "spectral", "george-saab:2")),
                    ("mean-diagonal:x", "mean-diagonal:FRACTION"), ("spectral:1e-3:2", "spectral:FRACTION")],
        "ordering": [(v, orders) for v in (
            "best", "", "random", "random:", "random:x", "random:-1", "random:1.5", 3, [0, 1], [0, 1, 1], [1, 2, 3], [-1, 0, 1],
            np.ma.array([0, 1, 2]), "random:" + "9" * 5000, [0.0, 1.0, 2.0],
            [[0, 1, 2]], ["a", "b", "c"], np.array([True, False, True]), [0, [1]], {0, 1, 2})],
        "rounding": [(v, "one of 'nearest', 'stochastic'")
                     for v in ("up", "", "Nearest", None, 0, ["nearest"], np.array(["nearest"] * 2), Nearest)],
        "seed": [(v, "None or an integer >= 0") for v in (-1, 1.0, "1", True, [1], np.float64(2))],
        "form": [(v, "one of 'alternating', 'projected'") for v in ("both", None, 1, ["projected"])],
        "dtype": [(v, "one of 'float64', 'float32'") for v in ("float16", "double", np.float32, None)],
        "grid": [(v, "a Grid, such as Grid(step=0.1)") for v in (0.5, None, "4 bits", Grid)],
        "step": [(v, "positive finite numbers") for v in (
            "0.1", 1j, None, [1.0, [2.0]], np.array([0.5], dtype=object), True, np.ma.array([0.5]))],
        "low": [(v, "integer codes") for v in (0.5, np.nan, "0", 1j, [0, 0.5], True, 10**30, np.ma.array([0]))]
               + [(v, "at most 2**53") for v in (-(2**53) - 1, -(2**63), -1e300, -np.inf)],
        "high": [(v, "integer codes") for v in (7.5, np.nan, "7", 1j, [7, 7.5], True, 10**30)]
                + [(v, "at most 2**53") for v in (2**53 + 1, 2**63, 1e300, np.inf)],
        "bits": [(v, "an integer from 2 to 32") for v in (1, 0, -4, 33, 4.0, "4", None, True)],
        "symmetric": [(v, "True or False") for v in ("no", 1, None)],
        "group_size": [(v, "None or an integer >= 1") for v in (0, -1, 2.0, "2", True)],
        "samples": [(v, "None or an integer >= 1") for v in (0, -5, 5.0, "5", True)],
        "passes": [(v, "an integer >= 1") for v in (0, -1, 1.0, "1", None, True)],
        "candidates": [(v, "an integer from 1 to 1024") for v in (0, -1, 1025, 2.0, "4", None, True)],
        "keep": [(v, "one of 'descent', 'better'") for v in ("best", None, True, ["better"])],
        "blocks": [(5, "blocks of rows"), (None, "blocks of rows"), ([], "at least one block")],
    }
    yield from ((value, argument, repr(value), accepted) for value, accepted in simple.get(argument, ()))
    if argument == "ordering" and function != "with_damping":
        yield None, "ordering", "None", orders
    if argument == "damping":
        yield from ((f"{name}:{fraction}", f"damping fraction of {name}", fraction, "one finite number >= 0")
                    for name in ("mean-diagonal", "spectral") for fraction in ("-1.0", "nan", "inf"))
    if argument in leading:
        yield from not_matrices(argument, X, optional=argument == "X_quantized" and function.endswith("gpfq"))
        yield np.zeros((5, 0)), f"{argument}.shape", "(5, 0)", "empty axes"
        if leading[argument]:
            yield from unscaled(argument)
        if argument == "X" and not leading["X"]:
            yield from wrong_sizes("X", X)
    if argument in ("W", "weights"):
        yield from not_matrices(argument, W)
        if argument == "W" and function not in ("round_to_nearest", "Grid.for_weights"):
            yield from wrong_sizes("W", W, columns=False, word="rows, one per feature")
        if argument == "W" and function not in ("Grid.for_weights",):
            yield with_entry(W, 0, 0, -1e20), "weight / step", "e+20", "at most 2**53 in size"
        if function == "Grid.for_weights":
            yield np.full((3, 2), 5e-324), "range of W", "5e-324", "divided into steps"
    if argument == "grid":
        yield Grid(np.ones(5)), "grid.step.shape", "(5,)", "broadcasts to (N, K) = (3, 2)"
        yield Grid(np.ones((4, 1))), "grid.step.shape", "(4, 1)", "broadcasts to (N, K) = (3, 2)"
        yield Grid(1.0, np.zeros(5), 7), "grid.low.shape", "(5,)", "broadcasts to (N, K) = (3, 2)"
        yield Grid(1.0, 0, np.ones((4, 1))), "grid.high.shape", "(4, 1)", "broadcasts to (N, K) = (3, 2)"
    if argument == "step":
        yield from ((value, "step", shown, "positive finite numbers") for value, shown in [
            (0.0, "0.0"), (-0.5, "-0.5"), (np.nan, "nan"), (np.inf, "inf"), ([0.5, 0.0], "0.0"), ([[1.0], [-2.0]], "-2.0")])
        yield [], "step.shape", "(0,)", "broadcasts to (N, K)"
        yield np.ones((2, 2, 2)), "step.shape", "(2, 2, 2)", "broadcasts to (N, K)"
    if argument in ("low", "high"):
        yield None, argument, "None", "since the other end is given"
    if argument == "codes":
        yield from not_matrices("codes", np.zeros((3, 2)), optional=True)
        yield from wrong_sizes("codes", np.zeros((3, 2)))
        yield np.full((3, 2), 0.5), "codes", "0.5", "integer codes of the grid"
    if argument == "start":
        yield from not_matrices("start", np.zeros((3, 2)))
        yield from wrong_sizes("start", np.zeros((3, 2)))
        yield with_entry(np.zeros((3, 2)), 2, 1, 0.3), "start[2, 1]", "0.3", "weights on the grid"
    if argument == "gram":
        yield from not_matrices("gram", X.T @ X)
        yield X, "gram.shape", "(5, 3)", "a square matrix"
        yield with_entry(np.eye(3), 0, 1, 0.5), "gram", "0.5", "a symmetric matrix"
        yield np.diag([1.0, 2.0, -3.0]), "gram", "-3.0", "a positive semidefinite matrix"
        yield np.array([[1.0, 2.0, 0], [2.0, 1.0, 0], [0, 0, 1.0]]), "gram", "-1", "a positive semidefinite matrix"
        yield np.array([[0.0, 1.0], [1.0, 0.0]]), "gram", "-1.0", "a positive semidefinite matrix"
    if argument == "matrix":
        yield from not_matrices("matrix", X.T @ X)
        yield X, "matrix.shape", "(5, 3)", "a square matrix"
    if argument == "blocks":
        for value, head, shown, accepted in not_matrices("blocks[1]", X):
            yield [X, value], head, shown, accepted
        yield [X, X[:, :2]], "blocks[1].shape", "(5, 2)", "3 columns"
        yield [with_entry(X, 0, 0, 1e200)], "max|blocks[0]|", "1e+200", "do not overflow"


def assert_refused(call, head, shown, accepted):
    with pytest.raises(InvalidArgumentError) as refusal:
        call()
    assert isinstance(refusal.value, ValueError)
    message = str(refusal.value)
    named, _, reason = message.partition(" is not accepted: ")
    name, _, value = named.partition(" = ")
    assert name == head, message
    shown = " ".join(shown.split()) if "\n" in shown else shown
    assert (shown if len(shown) <= 120 else shown[:117] + "...") in value, message
    assert "\n" not in message, "one sentence, one line"
    assert accepted in reason, message
    assert len(message) < 500


@pytest.mark.parametrize(("function", "argument"), [(name, argument) for name, (_, good) in FUNCTIONS.items() for argument in good])
def test_bad_arguments_are_refused(function, argument):
    call, good = FUNCTIONS[function]
    call(**good)
    refused = 0
    for value, head, shown, accepted in refusals(function, argument):
        spoilt = good | {argument: value}
        assert_refused(lambda spoilt=spoilt: call(**spoilt), head, shown, accepted)
        if argument == "seed":
            assert_refused(lambda spoilt=spoilt: call(**(spoilt | {"rounding": "stochastic"})), head, shown, accepted)
        refused += 1
    assert refused >= 3


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_argument_is_left_out(function):
    call, good = FUNCTIONS[function]
    assert set(inspect.signature(call).parameters) == set(good)


def test_no_public_function_is_left_out():
    walked = {call for call, _ in FUNCTIONS.values()}
    elsewhere = {"closest_vector"}  # has its own tests
    for place, names in ((room, set(room.__all__) - elsewhere), (definitions, definitions.__all__)):
        for name in names:
            if inspect.isfunction(getattr(place, name)):
                assert getattr(place, name) in walked, name


@pytest.mark.parametrize("argument", ["damping", "ordering", "dtype"])
def test_nothing_is_accepted_beside_a_factorization_that_it_brings_itself(argument):
    values = {"damping": [0.1, 0, 1.0, "none", "mean-diagonal:0.01", None], "dtype": ["float32", "bogus", None],
              "ordering": ["min-pivot", "decreasing-norm", [0, 1, 2], np.arange(3), None]}[argument]
    walked = []
    for name, (call, good) in FUNCTIONS.items():
        leading = "X_quantized" if "X_quantized" in good else "X"
        if "W" not in good or leading not in good or argument not in good:
            continue
        needed = {key: good[key] for key in ("X", "X_quantized", "W", "start", "grid") if key in good} | {leading: F}
        call(**needed)
        for value in values:
            accepted = f"nothing beside a Factorization as {leading}, which brings its own {argument}"
            given = needed | {argument: value}
            assert_refused(lambda call=call, given=given: call(**given), argument, repr(value), accepted)
        walked.append(name)
    assert len(walked) >= 2


def test_ends_that_do_not_fit():
    assert_refused(lambda: Grid(1.0, 3, 2), "low", "3", "codes not above high = 2")
    assert_refused(lambda: Grid(1.0, [0, 5], [1, 4]), "low", "[0, 5]", "codes not above high = [1, 4]")
    assert_refused(lambda: Grid(1.0, low=0), "high", "None", "since the other end is given")
    assert_refused(lambda: Grid(1.0, high=0), "low", "None", "since the other end is given")
    assert_refused(lambda: Grid(np.ones(3), [0, 1], 7), "(step, low, high) shapes", "((3,), (2,), ())", "broadcast together")
    assert_refused(lambda: Grid(1.0, [0, 1], [7, 8, 9]), "(step, low, high) shapes", "((), (2,), (3,))", "broadcast together")
    assert Grid(1.0, -(2**53), 2**53).finite
    assert Grid(1.0, 2.0, 2).high == 2


def test_numbers_that_float32_cannot_hold():
    assert_refused(lambda: factorize(with_entry(X, 0, 0, 1e300), dtype="float32"), "X[0, 0]", "1e+300", "finite in float32")
    assert_refused(lambda: optq(X, with_entry(W, 2, 1, -1e300), GRID, dtype="float32"), "W[2, 1]", "-1e+300", "finite in float32")


def test_an_asymmetric_range_that_overflows():
    huge = np.array([[1.7e308], [-1.7e308]])
    assert_refused(lambda: Grid.for_weights(huge, symmetric=False), "range of W", "inf", "divided into steps")


def test_bad_calls_are_refused_before_anything_is_drawn():
    """A refusal leaves no trace: the same call with good arguments gives what it always gave."""
    before = optq(X, W, GRID, rounding="stochastic", seed=3)
    with pytest.raises(InvalidArgumentError):
        optq(X, W, GRID, rounding="stochastic", seed=-3)
    after = optq(X, W, GRID, rounding="stochastic", seed=3)
    np.testing.assert_array_equal(before.codes, after.codes)


def test_long_values_are_cut():
    with pytest.raises(InvalidArgumentError, match=r"\.\.\. is not accepted") as refusal:
        factorize("x" * 10000)
    assert len(str(refusal.value)) < 250


def test_booleans_and_integers_are_numbers():
    """What is accepted besides floats: integer and boolean matrices, lists."""
    for matrix in (np.eye(3, dtype=bool), np.eye(3, dtype=np.int8), np.eye(3).tolist(), np.eye(3, dtype=np.float16)):
        np.testing.assert_array_equal(factorize(matrix).pivots, np.ones(3))
