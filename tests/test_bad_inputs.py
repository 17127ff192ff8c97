"""Bad input of every kind to every door: one sentence that names it, before any work, and never another exception."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from provable_ptq.algorithms import (
    CrossGram,
    Factorization,
    Grid,
    InvalidArgumentError,
    closest_vector,
    definitions,
    descend,
    factorize,
    gpfq,
    k_best,
    optq,
    qronos,
    round_to_nearest,
)
from provable_ptq.bounds import Problem, check, load_claims
from provable_ptq.bounds.attack import attack, gallery
from provable_ptq.bounds.campaign import campaign
from provable_ptq.experiments import cli
from provable_ptq.experiments.calibration import LayerData, load_layer
from provable_ptq.experiments.study import read_study


def without(arguments, *names):
    return {name: value for name, value in arguments.items() if name not in names}


RNG = np.random.default_rng(0)
X, W, GRID = RNG.standard_normal((6, 4)), RNG.standard_normal((4, 2)), Grid(0.5)
LAYER = {"X": X, "W": W, "grid": GRID, "damping": 0.1, "ordering": "natural", "rounding": "nearest", "seed": 0}
PAIR = LAYER | {"X_quantized": X + 0.1, "form": "projected"}
DESCENT = {"X": X, "W": W, "start": optq(X, W, GRID), "grid": GRID, "damping": 0.1, "passes": 2, "keep": "better"}
SEARCH = without(LAYER, "rounding", "seed") | {"candidates": 2}
TABLE = {"kind": "low-rank", "samples": 6, "features": 4, "neurons": 2, "rank": 2}


def first(campaign_arguments):
    return next(campaign(**campaign_arguments))


DOORS = {
    "optq": (optq, LAYER), "qronos": (qronos, PAIR), "gpfq": (gpfq, without(PAIR, "damping", "form")),
    "round_to_nearest": (round_to_nearest, {"W": W, "grid": GRID}),
    "factorize": (factorize, {"X": X, "damping": 0.1, "ordering": "natural"}),
    "from_gram": (Factorization.from_gram, {"gram": X.T @ X, "damping": "george-saab", "ordering": "min-pivot", "samples": 6}),
    "CrossGram": (CrossGram, {"matrix": X.T @ X}),
    "qronos of matrices": (qronos, PAIR | {"X": CrossGram(X.T @ X)}),
    "from_blocks": (Factorization.from_blocks, {"blocks": [X, X], "damping": "none", "ordering": "natural"}),
    "Grid": (Grid, {"step": 0.5, "low": -8, "high": 7}),
    "Grid.for_weights": (Grid.for_weights, {"W": W, "bits": 4, "symmetric": True, "group_size": 2}),
    "Grid.nearest": (GRID.nearest, {"weights": W}), "closest_vector": (closest_vector, {"X": X, "w": W, "grid": GRID, "node_budget": 100}),
    "descend": (descend, DESCENT), "definitions.descend": (definitions.descend, DESCENT),
    "k_best": (k_best, SEARCH), "definitions.k_best": (definitions.k_best, SEARCH),
    "definitions.optq": (definitions.optq, LAYER), "definitions.qronos": (definitions.qronos, PAIR),
    "definitions.gpfq": (definitions.gpfq, without(PAIR, "damping", "form")),
    "Problem": (Problem, PAIR | {"X_validation": X, "algorithm": "qronos", "failure_probability": 0.1}),
    "check": (check, {"problem": Problem(X, W, GRID), "ids": ["optq-l2"], "confidence": 0.99, "draws": 0}),
    "campaign": (lambda **given: first(given), {"ids": ["optq-l2"], "examples": 1, "seed": 0, "workers": 1, "claims_file": None}),
    "attack": (attack, {"claim_id": "optq-l2", "features": 2, "samples": 2, "budget": 1, "seed": 0, "progress": None}),
    "gallery": (gallery, {"ids": ["optq-l2"], "features": 2, "samples": 2, "budget": 1, "seed": 0}),
    "load_claims": (load_claims, {"path": "nowhere.py"}), "read_study": (read_study, {"path": "quick"}),
    "Problem.load": (Problem.load, {"path": "nowhere.npz"}), "Problem.save": (Problem(X, W, GRID).save, {"path": "nowhere/x.npz"}),
    "LayerData": (LayerData, {"name": "x", "X": X, "X_validation": X, "W": W, "X_quantized": X, "rows": None, "samples": None}),
    "load_layer": (load_layer, {"name": "x", "parameters": TABLE, "study_seed": 0, "seed": 0, "mismatch": "noise:0.1"}),
}
ACCEPTED = {"load_claims", "Problem.load", "Problem.save"}  # doors to which even the good arguments are bad


class Raising:
    """Raises whatever is asked of it."""

    def __array__(self, *_, **__):
        raise OSError("no array")

    def __float__(self):
        raise ArithmeticError("no number")

    def __repr__(self):
        raise RuntimeError("no words")

    def __len__(self):
        raise KeyError("no length")


def nested(depth):
    value = 1.0
    for _ in range(depth):
        value = [value]
    return value


def masked():
    return np.ma.masked_less(X, 0)


BAD = [
    None, True, False, "", "x", "\0", "a\nb", "é" * 300, "optq-l3", "mean-diagonal:nan", "mean-diagonal:", "spectral:-1",
    "random:" + "9" * 5000,
    "../../x", "/dev/null", "/", b"x", -1, 0, 1.5, -0.5, float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, 10**30, -(10**30),
    10**400,
    10**5000, 1j, np.uint8(200), np.int64(-(2**63)), np.uint64(2**64 - 1), np.float16("inf"), np.float64("nan"), np.bool_(True),
    np.str_("x"),
    np.datetime64("2020-01-01"), Fraction(1, 3), Decimal("NaN"), Path("x"), object(), object, lambda: 0, Raising(), range(3), (), [], {},
    set(),
    {"a": 1}, [[]], [[1.0, [2.0]]], ["x"], [None], [np.nan] * 4, [[1, 2], [3]], nested(30), nested(200), nested(5000), np.zeros(0),
    np.zeros((0, 4)),
    np.zeros((4, 0)), np.zeros((1,) * 40), np.array(None), np.array("x"), np.array([[1j]]), np.array([b"x"]), np.array([1, 2, 3]),
    np.zeros((2, 2), dtype="f4,i4"), np.zeros((6, 4), dtype="M8[s]"), np.full((6, 4), np.nan), np.full((6, 4), np.inf), np.full((6, 4),
    1e200),
    np.full((6, 4), 1e-200), np.full((4, 2), 1e300), np.ones((4, 6)), np.ones((7, 4)), np.ones((3, 2)), np.ones((6, 4, 1)),
    X.astype(object),
    X.astype(str), np.ma.masked, masked(), np.ma.array(W), np.broadcast_to(1.0, (4, 2**44)), pd.DataFrame(X.astype(object)), iter([X]),
    Grid(np.ones(5)), Grid(np.ones((9, 1))), Grid(1.0, 0, np.ones((4, 1))), Grid, Problem, factorize(np.eye(3)), factorize(np.eye(9, 4)),
    Factorization.from_gram(np.eye(4)), CrossGram(np.eye(4)), CrossGram(np.eye(5)), CrossGram(np.full((4, 4), 1e300)),
]  # fmt: skip


def said(call):
    """The sentence that a call is refused with; None where it is accepted; any other exception is raised."""
    try:
        call()
    except InvalidArgumentError as error:
        return str(error)
    return None


def assert_one_sentence(sentence):
    assert len(sentence.splitlines()) == 1, sentence
    assert " is not accepted: " in sentence
    assert len(sentence) < 1500


@pytest.fixture
def no_work(monkeypatch):
    """Searches and campaigns that get past their door do nothing."""
    summary = import_module("provable_ptq.bounds.campaign")
    monkeypatch.setattr(summary, "_batch", lambda *_: [])
    found = import_module("types").SimpleNamespace(claim_id="x", ratio=0.5)
    monkeypatch.setattr("provable_ptq.bounds.attack.attacks._attack", lambda *_: found)


@pytest.mark.parametrize("door", DOORS)
def test_every_bad_value_of_every_argument_is_refused_in_one_sentence_or_is_good(door, no_work, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, good = DOORS[door]
    assert (said(lambda: call(**good)) is None) == (door not in ACCEPTED)
    sentences = []
    for name in good:
        for value in BAD:
            with np.errstate(all="ignore"):
                sentences.append(said(lambda spoilt=good | {name: value}: call(**spoilt)))
    refused = [sentence for sentence in sentences if sentence is not None]
    for sentence in refused:
        assert_one_sentence(sentence)
    assert len(refused) > 0.7 * len(sentences)


def test_two_bad_values_at_once_are_refused_too(no_work, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng, refused = np.random.default_rng(7), 0
    for _ in range(400):
        call, good = DOORS[str(rng.choice(list(DOORS)))]
        names = rng.permutation(list(good))[:2]
        spoilt = good | {str(name): BAD[rng.integers(len(BAD))] for name in names}
        with np.errstate(all="ignore"):
            sentence = said(lambda call=call, spoilt=spoilt: call(**spoilt))
        refused += sentence is not None
        if sentence is not None:
            assert_one_sentence(sentence)
    assert refused > 350


INTEGERS = {
    "bits": lambda number: Grid.for_weights(W, number(10)).step, "group size": lambda number: Grid.for_weights(W, 4, True, number(3)).step,
    "samples of a Gram matrix": lambda number: Factorization.from_gram(X.T @ X, "george-saab", samples=number(200)).pivots,
    "node budget": lambda number: closest_vector(X, W, GRID, node_budget=number(255)).nodes,
    "passes": lambda number: descend(X, W, 0 * W, GRID, passes=number(3)).codes,
    "candidates": lambda number: k_best(X, W, GRID, number(200)).codes,
    "draws": lambda number: check(Problem(X, W, GRID, rounding="stochastic"), ["sto-optq-linf"], draws=number(200))["sto-optq-linf"].draws,
    "seed": lambda number: optq(X, W, GRID, rounding="stochastic", seed=number(255)).codes,
    "seed of a problem": lambda number: Problem(X, W, GRID, rounding="stochastic", seed=number(255)).result.codes,
    "codes": lambda number: Grid(1.0, number(0), number(127)).nearest(1e9 * W), "ordering": lambda number: optq(
        X, W, GRID, ordering=[number(3), number(1), number(0), number(2)]).codes,
    "samples of a layer": lambda number: LayerData("x", X, None, W, rows=X, samples=number(127)).m - 1000,
    "examples": lambda number: len(list(campaign(["order-floor"], number(3), number(255), number(1)))),
    "attack": lambda number: attack("optq-l2", number(2), number(2), number(100), number(3)).problem.W,
}  # fmt: skip


@pytest.mark.parametrize("argument", INTEGERS)
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint64])
def test_numpys_integers_mean_what_pythons_do(argument, kind):
    """No argument wraps around, whatever the size of the integer it comes in."""

    def number(value):
        return kind(min(value, np.iinfo(kind).max))

    np.testing.assert_array_equal(INTEGERS[argument](number), INTEGERS[argument](lambda value: int(number(value))))


# --- studies -----------------------------------------------------------------------------------------------------------------

LITERALS = [
    "1", "-1", "0", "1.5", "nan", "-inf", "1e400", "1" + "0" * 30, "9" * 400, "true", '""', '"x"', '"../x"', '"a\\u0000b"', '"é"',
    "'''a\nb'''", "[]",
    "{}", "[1, 2]", "[1, 1]", '["x", 1]', "[[[[]]]]", "{a = {b = {c = 1}}}", "2020-01-01", "07:32:00", "2020-01-01T00:00:00Z", '"all"',
    '"none"',
    '"random:"', '"mean-diagonal:x"', '"layers:99"', '"noise:-1"', '"deployed"', '"/dev/zero"', '"file"', '"minilm"', '"digits"', "0xff",
    "1_000_000_000",
    '["a", "a"]', '[{name = "x"}]', "[" * 3000 + "]" * 3000,
]  # fmt: skip
KEYS = [
    "name", "title", "seed", "claims", "tightness", "growth", "growth.features", "growth.eta", "permutations", "permutations.calibration",
    "permutations.bits", "calibration", "calibration.a", "calibration.a.kind", "calibration.a.samples", "calibration.a.features",
    "calibration.a.rank",
    "calibration.a.inputs", "calibration.a.layer", "calibration.a.neurons", "sweep", "sweep.name", "sweep.calibration", "sweep.mismatch",
    "sweep.damping", "sweep.ordering", "sweep.rounding", "sweep.algorithm", "sweep.form", "sweep.bits", "sweep.steps", "sweep.alphabet",
    "sweep.seeds", "sweep.draws", "sweep.failure_probability", "sweep.claims", "sweep.optimum", "sweep.nothing", "nothing",
]  # fmt: skip


def assert_read_or_refused(path):
    sentence = said(lambda: read_study(path).cells)
    if sentence is not None:
        assert_one_sentence(sentence)
        assert str(path) in sentence
    return sentence is not None


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_study_takes_any_value_or_refuses_it(write_study, key):
    refused = [assert_read_or_refused(write_study({key: literal})) for literal in LITERALS]
    assert sum(refused) > len(LITERALS) / 2 or key in ("title", "sweep.damping")


def test_studies_with_letters_changed_are_read_or_refused(write_study, tmp_path):
    text, rng = write_study().read_text(encoding="utf-8"), np.random.default_rng(3)
    path, refused = tmp_path / "changed.toml", 0
    for _ in range(300):
        letters = list(text)
        for place in rng.integers(0, len(letters), rng.integers(1, 4)):
            letters[place] = str(rng.choice(list("[]{}=\"'\n.,-_0x#é\0 ")))
        path.write_text("".join(letters), encoding="utf-8")
        refused += assert_read_or_refused(path)
    assert refused > 150


# --- the command line --------------------------------------------------------------------------------------------------------

NO_NUMBER = ["x", "", "1.5", "nan", "1e3", "--", "[1]", "0x10", "9" * 5000]
NO_FOLDER = ["taken", "taken/deeper", "taken/deeper/still"]
NO_STUDY = ["nowhere", "", ".", "taken", "a\nb", "x" * 5000, "/dev/null", "../..", "study.toml/x"]
COMMANDS = {
    ("check",): {"--claim": ["optq-l3", "", "x" * 500, "a\nb"], "--examples": [*NO_NUMBER, "0", "-1", "1" + "0" * 30],
                 "--seed": [*NO_NUMBER, "-1"], "--workers": [*NO_NUMBER, "0", "-2", "100000", "1" + "0" * 30],
                 "--claims": ["nowhere.py", "taken", "", ".", "/dev/null", "bad.py"], "--witnesses": NO_FOLDER},
    ("attack", "optq-l2"): {"--features": [*NO_NUMBER, "0", "-1", "1" + "0" * 30], "--samples": [*NO_NUMBER, "0", "1" + "0" * 30],
                            "--seed": [*NO_NUMBER, "-1"], "--budget": [*NO_NUMBER, "0"], "--output": NO_FOLDER,
                            "--claims": ["bad.py", "x"]},
    ("attack",): {"": ["optq-l3", "", "predicted-error", "adversarial-growth", "x" * 500]},
    ("run", "study.toml"): {"--workers": [*NO_NUMBER, "0", "100000"], "--output": NO_FOLDER, "--store": NO_FOLDER,
                            "--shard": ["", "0/1", "2/1", "1/0", "x", "1/9999999999", "٣/٤"],
                            "--sweep": ["../x", "", "dampin", "/absolute/x", "a\nb"],
                            "--scheduler": ["", "x", "tcp://", "tcp://127.0.0.1:1", "tcp://127.0.0.1:999999"]},
    ("run",): {"": NO_STUDY}, ("figures",): {"": NO_STUDY}, ("report",): {"": NO_STUDY}, ("merge", "--store", "."): {"": NO_STUDY},
    ("merge", "study.toml"): {"--store": [*NO_FOLDER, "nowhere", ""], "--output": NO_FOLDER},
    ("figures", "study.toml"): {"--output": ["nowhere", *NO_FOLDER, "damaged"], "--sweep": ["../x", "", "damping"]},
    ("report", "study.toml"): {"--output": ["nowhere", *NO_FOLDER, "damaged"], "--sweep": ["../x", "", "damping"]},
    ("reproduce", "--quick"): {"--workers": [*NO_NUMBER, "0", "100000"], "--output": NO_FOLDER},
}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_bad_option_ends_with_status_2_and_one_sentence_before_any_work(words, write_study, tmp_path, monkeypatch, capsys):
    def work(*_, **__):
        raise AssertionError("worked")

    write_study()
    (tmp_path / "taken").touch()
    (tmp_path / "bad.py").write_text("def f(:\n", encoding="utf-8")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "tiny.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    monkeypatch.chdir(tmp_path)
    for place in ("bounds.campaign._batch", "bounds.attack.attacks._attack", "experiments.cells.sweep.SweepCell.rows"):
        monkeypatch.setattr(f"provable_ptq.{place}", work)
    before = sorted(file for file in tmp_path.rglob("*") if file.is_file())
    for option, values in COMMANDS[words].items():
        for value in values:
            monkeypatch.setattr("sys.argv", ["provable-ptq", *words, *([option] if option else []), value])
            with pytest.raises(SystemExit) as ended:
                cli.main()
            captured = capsys.readouterr()
            assert (ended.value.code, captured.out) == (2, ""), (option, value, captured)
            if not captured.err.startswith("Usage: "):  # the parser's own words, in a box
                assert captured.err.startswith("error: "), captured.err
                assert_one_sentence(captured.err.strip())
    assert sorted(file for file in tmp_path.rglob("*") if file.is_file()) == before, "nothing is written"
