"""The shipped closest approaches: each replays, belongs to a claim that can be attacked, and does not violate it."""

import pytest
from provable_ptq.bounds import Kind, claims
from provable_ptq.experiments.cells.replay import SIZES, ReplayCell, shipped_attacks


def test_every_bound_has_a_shipped_problem_of_both_sizes():
    bounds = {claim.id for claim in claims().values() if claim.kind not in (Kind.IDENTITY, Kind.PREDICTION) and not claim.fixed}
    shipped = shipped_attacks()
    for size in SIZES:
        assert {claim_id for claim_id, of_size in shipped if of_size == size} >= bounds - {"my-l1"}


@pytest.mark.parametrize(("claim_id", "least"), [("optq-l2", 0.99), ("optq-linf", 0.99), ("sto-optq-convex-order-sharp", 0.99)])
def test_tight_bounds_are_nearly_attained_at_full_size(claim_id, least):
    (row,), inputs = ReplayCell("paper", claim_id, "full").rows()
    assert least <= row["ratio"] <= 1 + 1e-9
    assert row["features"] >= 8
    assert row["outcome"] == "holds"
    assert inputs == {}


def test_small_problems_replay_and_hold():
    for claim_id, size in shipped_attacks():
        if size == "small":
            (row,), _ = ReplayCell("paper", claim_id, size).rows()
            assert row["outcome"] == "holds", claim_id
            assert row["ratio"] > 0.1
