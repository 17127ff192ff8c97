"""The registry: every statement of the theory is one claim in one file, and ids are unique."""

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.bounds import Evaluation, Kind, Origin, Outcome, Problem, check, claim, claims, load_claims
from provable_ptq.bounds.checking.claim import CHAPTERS
from provable_ptq.bounds.checking.registry import select

# Every statement of the theory: id -> (origin, chapter). Who knew it is said under *Lineage* in its file.
STATEMENTS = {
    "feedback-form": ("classical", "deterministic"),
    "optq-update": ("paper", "deterministic"),
    "optq-identity": ("paper", "deterministic"),
    "optq-l2": ("paper", "deterministic"),
    "optq-l2-tight": ("classical", "deterministic"),
    "pivot-bound": ("paper", "deterministic"),
    "optq-l2-explicit": ("paper", "deterministic"),
    "order-floor": ("classical", "deterministic"),
    "optq-linf": ("ours", "deterministic"),
    "optq-alphabet": ("ours", "deterministic"),
    "optq-near-optimal": ("classical", "deterministic"),
    "optimum-floor": ("classical", "deterministic"),
    "optq-certificate": ("ours", "deterministic"),
    "optq-beats-rtn": ("classical", "deterministic"),
    "gpfq-l2": ("classical", "deterministic"),
    "sto-optq-convex-order": ("paper", "stochastic"),
    "sto-optq-convex-order-sharp": ("ours", "stochastic"),
    "sto-optq-linf": ("paper", "stochastic"),
    "sto-optq-linf-sharp": ("ours", "stochastic"),
    "sto-optq-weights": ("paper", "stochastic"),
    "sto-optq-linf-rowwise": ("ours", "stochastic"),
    "sto-optq-alphabet": ("ours", "stochastic"),
    "sto-optq-l2": ("classical", "stochastic"),
    "sto-optq-generalization": ("ours", "stochastic"),
    "spfq-linf": ("classical", "stochastic"),
    "qronos-equivalence": ("classical", "mismatch"),
    "qronos-identity": ("paper", "mismatch"),
    "qronos-l2": ("paper", "mismatch"),
    "optq-mismatch": ("paper", "mismatch"),
    "target-family": ("ours", "mismatch"),
    "gpfq-mismatch": ("ours", "mismatch"),
    "sto-qronos-linf": ("paper", "mismatch"),
    "adversarial-growth": ("paper", "adversarial"),
    "finite-grid-counterexample": ("ours", "adversarial"),
    "predicted-error": ("classical", "predictions"),
    "predicted-heldout-error": ("ours", "predictions"),
    "rate-distortion-floor": ("classical", "predictions"),
}

KIND_WORDS = {
    Kind.IDENTITY: "identity",
    Kind.UPPER: "upper bound",
    Kind.LOWER: "lower bound",
    Kind.EXPECTATION: "in expectation",
    Kind.PROBABILITY: "with probability",
    Kind.PREDICTION: "prediction",
}

CLAIM_FIELDS = {"statement": "$1 \\le 1$", "origin": Origin.OURS, "source": "a test", "kind": Kind.UPPER, "unit": "one"}


def always(problem, result):
    """1 <= 1."""
    return Evaluation(np.ones(problem.K), np.ones(problem.K))


@pytest.fixture
def registry(monkeypatch):
    """The registry's module; what a test registers is forgotten after it."""
    module = importlib.import_module("provable_ptq.bounds.checking.registry")
    module.claims()
    monkeypatch.setattr(module, "_registry", dict(module._registry))
    return module


@pytest.fixture
def problem():
    return Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))


@pytest.fixture
def toy(tmp_path):
    """A file that registers one claim under this id."""

    def write(name, file="toy.py"):
        path = tmp_path / file
        path.write_text(
            "from provable_ptq.bounds import Evaluation, Kind, Origin, claim\n\n\n"
            f"@claim(id={name!r}, statement='$e^2 \\\\le 2$', origin=Origin.OURS, source='a test', kind=Kind.UPPER, unit='one')\n"
            "def toy(problem, result):\n"
            "    return Evaluation((result.rounding_errors**2).sum(axis=0), 2.0 + 0 * problem.W[0])\n", encoding="utf-8")
        return path

    return write


# --- what is registered --------------------------------------------------------------------------------------------


def test_every_statement_of_the_theory_is_a_claim():
    shipped = {name: made for name, made in claims().items() if made.chapter in CHAPTERS}
    assert {name: (made.origin.value, made.chapter) for name, made in shipped.items()} == STATEMENTS


def test_claims_come_chapter_by_chapter():
    chapters = [made.chapter for made in claims().values()]
    assert list(dict.fromkeys(chapters)) == list(CHAPTERS)
    assert sorted(chapters, key=CHAPTERS.index) == chapters


@pytest.mark.parametrize("name", sorted(STATEMENTS))
class TestEveryClaim:
    def test_stands_in_a_file_of_its_name(self, name):
        made = claims()[name]
        assert made.evaluate.__module__ == f"provable_ptq.bounds.{made.chapter}.{name.replace('-', '_')}"

    def test_docstring_names_setting_kind_and_origin(self, name):
        made = claims()[name]
        text = " ".join(made.evaluate.__doc__.split())
        assert KIND_WORDS[made.kind] in text.partition("Arguments:")[0]
        assert re.search(rf"Origin: (the )?{made.origin.value}\b", text)
        assert "Setting:" in text or "Range:" in text
        for part in ("Arguments:", "Returns:", "Errors:", ">>> "):
            assert part in text

    def test_file_opens_with_the_id(self, name):
        module = importlib.import_module(claims()[name].evaluate.__module__)
        assert module.__doc__.startswith(f"`{name}`: ")

    def test_says_what_it_says(self, name):
        made = claims()[name]
        assert made.statement.count("$") >= 2
        assert made.statement.count("$") % 2 == 0
        assert made.source
        assert made.unit
        assert isinstance(made.origin, Origin)
        assert isinstance(made.kind, Kind)
        assert made.algorithms

    def test_paper_claims_quote_the_paper_and_no_theorem_number(self, name):
        made = claims()[name]
        if made.origin is Origin.PAPER:
            assert "2508.04853" in made.source
            assert not re.search(r"Theorem|Corollary|Proposition", made.source)


def test_hypotheses_say_how_they_are_repaired():
    for made in claims().values():
        for hypothesis in made.hypotheses:
            assert hypothesis.name
            assert hypothesis.repair


# --- registering ---------------------------------------------------------------------------------------------------


def test_a_registered_claim_is_checked_like_any_other(registry, problem):
    made = claim(id="toy", **CLAIM_FIELDS)(always)
    assert claims()["toy"] is made
    assert made.chapter == "your own"
    assert list(claims())[-1] == "toy"
    assert check(problem, ["toy"])["toy"].outcome is Outcome.HOLDS
    assert check(problem)["toy"].outcome is Outcome.HOLDS


def test_an_id_that_is_taken_is_refused(registry):
    before = dict(claims())
    with pytest.raises(InvalidArgumentError, match=r"claim id = 'optq-l2' is not accepted: .*optq_l2"):
        claim(id="optq-l2", **CLAIM_FIELDS)(always)
    assert claims() == before


def test_the_same_file_may_register_again(registry):
    claim(id="toy", **CLAIM_FIELDS)(always)
    again = claim(id="toy", **CLAIM_FIELDS)(always)
    assert claims()["toy"] is again


@pytest.mark.parametrize(("field", "value"), [("origin", "hearsay"), ("kind", "conjecture"), ("kind", None)])
def test_unknown_words_are_refused(registry, field, value):
    with pytest.raises(InvalidArgumentError, match=rf"{field} = .* is not accepted: one of"):
        claim(id="toy", **CLAIM_FIELDS | {field: value})(always)
    assert "toy" not in claims()


def test_words_may_be_plain_strings(registry):
    made = claim(id="toy", **CLAIM_FIELDS | {"origin": "paper", "kind": "upper bound"})(always)
    assert made.origin is Origin.PAPER
    assert made.kind is Kind.UPPER


@pytest.mark.parametrize("ids", [["optq-l3"], ["optq-l2", "optq-l3"], "optq-l3"])
def test_an_unknown_id_is_refused_by_name(problem, ids):
    with pytest.raises(InvalidArgumentError, match=r"claim id = 'optq-l3' is not accepted: one of .*optq-l2"):
        check(problem, ids)


def test_select_takes_one_id_many_or_none():
    assert [made.id for made in select("optq-l2")] == ["optq-l2"]
    assert [made.id for made in select(("optq-linf", "optq-l2"))] == ["optq-linf", "optq-l2"]
    assert select(None) == list(claims().values())


def test_a_claim_is_callable():
    problem = Problem(np.eye(1), np.array([[0.4]]), Grid(step=1.0))
    evaluation = claims()["optq-l2"](problem, problem.result)
    np.testing.assert_allclose([evaluation.measured, evaluation.bound], [[0.16], [0.25]], rtol=1e-15)


def test_fixed_claims_are_those_about_a_construction():
    assert {made.id for made in claims().values() if made.fixed} == {"adversarial-growth", "finite-grid-counterexample"}
    assert not replace(claims()["adversarial-growth"], examples=None).fixed


# --- files of one's own --------------------------------------------------------------------------------------------


def test_a_file_of_claims_is_loaded(registry, toy, problem):
    assert load_claims(toy("my-claim")) == ["my-claim"]
    assert check(problem, ["my-claim"])["my-claim"].outcome is Outcome.HOLDS


def test_a_file_may_be_loaded_twice(registry, toy):
    path = toy("my-claim")
    assert load_claims(path) == ["my-claim"]
    assert load_claims(str(path)) == ["my-claim"]


def test_two_files_cannot_share_an_id(registry, toy):
    load_claims(toy("my-claim"))
    with pytest.raises(InvalidArgumentError, match=r"claim id = 'my-claim'"):
        load_claims(toy("my-claim", "other.py"))


def test_a_file_cannot_replace_a_shipped_claim(registry, toy):
    with pytest.raises(InvalidArgumentError, match=r"^claim id = 'optq-l2'"):
        load_claims(toy("optq-l2"))


def test_a_file_without_claims_and_no_file_are_refused(registry, tmp_path):
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match=r"claims file = .* at least one claim"):
        load_claims(empty)
    with pytest.raises(InvalidArgumentError, match=r"claims file = .* a Python file"):
        load_claims(tmp_path / "none.py")
    with pytest.raises(InvalidArgumentError, match=r"claims file = .* a Python file"):
        load_claims(tmp_path)
    text = tmp_path / "claims.txt"
    text.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match=r"claims file = .* a Python file"):
        load_claims(text)


@pytest.mark.parametrize(("source", "said"), [
    ("x = 1\ny = (\n", "(line 2: SyntaxError: '(' was never closed)"),
    ("x = 1\n\nx.y\n", "(line 3: AttributeError: 'int' object has no attribute 'y')"),
    ("import json\njson.loads('{')\n", "(line 2: JSONDecodeError: Expecting property name"),
    ("raise RuntimeError('one\\ntwo')\n", "(line 1: RuntimeError: one two)"),
    ("raise RuntimeError\n", "(line 1: RuntimeError)"),
])  # fmt: skip
def test_a_file_that_cannot_be_imported_is_refused_with_line_and_error(registry, tmp_path, source, said):
    path = tmp_path / "broken.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(InvalidArgumentError) as refused:
        load_claims(path)
    assert str(refused.value).startswith(f"claims file = {str(path)!r}"[:100])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_misspelt_claim_id_is_answered_with_the_nearest():
    with pytest.raises(InvalidArgumentError, match=r"; did you mean 'optq-linf'\?$"):
        select("optq-lnf")
    with pytest.raises(InvalidArgumentError) as refused:
        select("zzz")
    assert "did you mean" not in str(refused.value)
