"""Which cells go together, in which order, in how many parts; and that numerical libraries keep to one thread."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from provable_ptq.experiments import dispatch
from provable_ptq.experiments.dispatch import Done, OtherEnvironmentError, one_thread, part_of, run_task, tasks
from provable_ptq.experiments.environment import environment
from provable_ptq.experiments.pools import processes
from threadpoolctl import threadpool_info, threadpool_limits


@dataclass(frozen=True)
class Piece:
    kin: int
    seconds: float

    def group(self):
        return self.kin

    def cost(self):
        return self.seconds


pieces = st.lists(st.builds(Piece, st.integers(0, 6), st.floats(0.0, 30.0)), max_size=30)


def cost(cells, places):
    return sum(cells[place].cost() for place in places)


@given(pieces, st.sets(st.integers(0, 29)))
def test_every_unfinished_cell_is_in_one_task_and_only_with_its_kin(cells, unfinished):
    unfinished &= set(range(len(cells)))
    made = tasks(cells, unfinished)
    assert sorted(place for task in made for place in task) == sorted(unfinished)
    assert all(len({cells[place].kin for place in task}) == 1 for task in made)
    costs = [cost(cells, task) for task in made]
    assert costs == sorted(costs, reverse=True)


@given(pieces)
def test_tasks_are_short_and_no_shorter_than_they_need_be(cells):
    made = tasks(cells, set(range(len(cells))))
    assert all(len(task) == 1 or cost(cells, task) <= dispatch.LONGEST_TASK + 1e-9 for task in made)
    for kin in {cell.kin for cell in cells}:
        if sum(cell.cost() for cell in cells if cell.kin == kin) <= dispatch.LONGEST_TASK:
            assert len([task for task in made if cells[task[0]].kin == kin]) == 1


@given(pieces, st.integers(1, 8))
def test_parts_are_the_study_in_whole_groups(cells, parts):
    made = [part_of(cells, number, parts) for number in range(1, parts + 1)]
    assert sorted(place for part in made for place in part) == list(range(len(cells)))
    kin = [{cells[place].kin for place in part} for part in made]
    assert sum(map(len, kin)) == len(set().union(*kin))


@given(pieces.filter(len), st.integers(1, 8))
def test_parts_are_balanced_as_far_as_groups_allow(cells, parts):
    """Taking always the part with least to do, no part gets more than an equal share and one group."""
    loads = [cost(cells, part_of(cells, number, parts)) for number in range(1, parts + 1)]
    groups = [sum(cell.cost() for cell in cells if cell.kin == kin) for kin in {cell.kin for cell in cells}]
    assert max(loads) <= sum(loads) / parts + max(groups) + 1e-9


class Threads:
    """A cell whose row says on how many threads the numerical libraries of its process run."""

    def __init__(self, group=0):
        self.number = group

    def group(self):
        return self.number

    def spec(self):
        return {}

    def rows(self, cache):
        import torch

        np.ones((2, 2)) @ scipy.linalg.inv(np.eye(2))
        most = max(pool["num_threads"] for pool in threadpool_info())
        return [{"process": os.getpid(), "torch": torch.get_num_threads(), "most": most}], {}


@pytest.mark.parametrize("workers", [1, 2])
def test_numerical_libraries_run_on_one_thread_in_every_cell(workers, tmp_path):
    torch = pytest.importorskip("torch")
    from joblib import delayed
    from provable_ptq.experiments.store import decode

    before = torch.get_num_threads()
    with threadpool_limits(limits=2):
        torch.set_num_threads(2)
        with processes(workers) as pool:
            assert pool.workers == workers
            calls = [delayed(run_task)([(n, Threads(n))], tmp_path, environment(), False) for n in range(4)]
            rows = [row for done in pool.stream(calls) for row in decode(done.shard)[0]]
        assert (torch.get_num_threads(), max(pool["num_threads"] for pool in threadpool_info())) == (2, 2), "as before"
    torch.set_num_threads(before)
    assert [(row["torch"], row["most"]) for row in rows] == [(1, 1)] * 4
    assert (os.getpid() in {row["process"] for row in rows}) == (workers == 1)


def test_the_variables_that_set_threads_are_as_before_at_the_end(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread():
        assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("1", "1")
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in os.environ


def test_a_worker_of_other_code_refuses_to_work(toys, ran, tmp_path):
    cell = toys.toy(tmp_path).cells[0]
    other = {"code": "0"}, {"versions": {}}, {"code": "0", "versions": {}}
    for changed, said in zip(other, ("code", "versions", "code and other versions"), strict=True):
        with pytest.raises(OtherEnvironmentError, match=f"^a worker has other {said} than this process"):
            run_task([(0, cell)], tmp_path, environment() | changed, False)
    assert not ran()


def test_an_error_ends_its_cell_only(toys, tmp_path):
    cells = toys.toy(tmp_path, sweeps=1, dampings=1, seeds=4).cells
    (tmp_path / "fail-sweep-0-0.0-1").touch()
    for fail_fast, indices in ((False, [0, 1, 2, 3]), (True, [0, 1])):
        done = run_task(list(enumerate(cells)), Path(), environment(), fail_fast)
        assert [piece.index for piece in done] == indices
        assert done[1].error == "ValueError: no luck\nwith sweep-0-0.0-1"
        assert [piece.index for piece in done if piece.error] == [1]
        assert all((piece.shard is None) == (piece.index == 1) for piece in done)
        assert all(isinstance(piece, Done) and piece.seconds > 0 for piece in done)
