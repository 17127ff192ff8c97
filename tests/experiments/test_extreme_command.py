"""`provable-ptq check --extreme`: one line per claim, status 1 on a wrong verdict, refusals of what does not go together."""

import json

import pytest
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.bounds.exact import disagreement
from provable_ptq.experiments.commands.check_extreme import check_extreme


def test_one_line_per_claim_and_both_numbers(capsys):
    assert check_extreme(["optq-l2", "qronos-l2"], 40, 0, 1, False, {}) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["optq-l2", "20"], ["qronos-l2", "20"]]
    assert lines[-1].startswith("40 extreme problems (seed 0)")
    assert lines[-1].endswith("0 false alarms, 0 wrong results that hold")


def test_a_wrong_verdict_ends_with_status_one(monkeypatch, capsys):
    monkeypatch.setattr(disagreement, "contradict", lambda claim, floating, exact: True)
    assert check_extreme(["optq-l2"], 5, 0, 1, False, {}) == 1
    assert "problem 0 (" in capsys.readouterr().out
    assert check_extreme(["optq-l2"], 5, 0, 1, True, {}) == 1
    made = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in made["claims"][0]["disagreements"]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("beside", [{"exact": True}, {"claims": "mine.py"}])
def test_what_does_not_go_together_is_refused(beside):
    with pytest.raises(InvalidArgumentError, match="not both"):
        check_extreme(None, 5, 0, 1, False, beside)
