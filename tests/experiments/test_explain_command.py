"""`provable-ptq explain CLAIM`: the whole page of a claim, in words or as JSON."""

import json

import pytest
from provable_ptq.bounds import claims
from provable_ptq.bounds.checking.claim import CHAPTERS
from provable_ptq.bounds.checking.page import LABELS
from provable_ptq.experiments import cli

SHIPPED = [name for name, made in claims().items() if made.chapter in CHAPTERS]


@pytest.fixture
def explain(monkeypatch, capsys):
    """Run the command; returns (exit status, standard output, standard error)."""

    def call(*words):
        monkeypatch.setattr("sys.argv", ["provable-ptq", "explain", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


@pytest.mark.parametrize("name", SHIPPED)
def test_prints_the_statement_and_every_part_of_the_page(explain, root, name):
    status, out, err = explain(name)
    made = claims()[name]
    assert (status, err) == (0, "")
    assert out.startswith(f"{name}: {made.page.title}\n{made.kind.value}, {made.origin.value} ({made.source})")
    assert f"\nStatement. {made.statement}\n" in out
    for label, text in made.page.parts().items():
        assert f"\n\n{label}. {text}\n" in out
    file, book = out.strip().rpartition("\n\nWhere. ")[2].split(", ")
    assert f"`{name}`: " in (root / file).read_text(encoding="utf-8")
    document, anchor = book.split("#")
    assert f"\n### {anchor}\n" in (root / document).read_text(encoding="utf-8")


def test_prints_one_json_document(explain):
    status, out, _ = explain("sto-optq-weights", "--json")
    document = json.loads(out)
    made = claims()["sto-optq-weights"]
    assert status == 0
    assert document["statement"] == made.statement
    assert document["checked"] == ["the damping is positive", "the step is the same for all features of a neuron"]
    assert {field: document[field] for field in LABELS} == {field: getattr(made.page, field) for field in LABELS}
    assert (document["origin"], document["kind"], document["rounding"]) == ("paper", "bound with probability", "stochastic")
    assert document["file"] == "bounds/stochastic/sto_optq_weights.py"
    assert document["book"].endswith("#sto-optq-weights")


@pytest.mark.parametrize(("wrong", "near"), [("optq-l22", "optq-l2"), ("qronos-identety", "qronos-identity")])
def test_an_unknown_id_is_answered_with_the_nearest(explain, wrong, near):
    status, out, err = explain(wrong)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert err.rstrip().endswith(f"; did you mean {near!r}?")


def test_a_claim_of_ones_own_without_a_page_says_that_it_has_no_proof(explain, own_claims, write_claims):
    file = write_claims(1.0)
    status, out, _ = explain("my-claim", "--claims", file)
    assert status == 0
    assert out.startswith("my-claim\nupper bound, ours (a test); unit: ")
    assert "\n\nProof. The file has no proof" in out
    assert out.rstrip().endswith(f"Where. {file}")
    document = json.loads(explain("my-claim", "--claims", file, "--json")[1])
    assert (document["proof"], document["book"]) == (None, None)


def test_a_claim_of_ones_own_with_a_page_shows_it(explain, own_claims, write_claims):
    file = write_claims(1.0)
    file.write_text('"""`my-claim`: mine.\n\n**Proof.** Easy. ∎\n"""\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    out = explain("my-claim", "--claims", file)[1]
    assert out.startswith("my-claim: mine\n")
    assert "\n\nProof. Easy. ∎\n" in out
    assert "no proof" not in out
