"""The time left is honest: with a simulated clock, on studies whose costs are wrong."""

import io

import numpy as np
import pytest
from provable_ptq.experiments import progress
from provable_ptq.experiments.progress import Progress, TimeLeft


def simulate(work, workers):
    """Run work, (kind, expected, taken), on a clock of our own, longest expected first; returns (now, estimate, truth) at each end."""
    order = sorted(work, key=lambda piece: -piece[1])
    left = TimeLeft([(kind, expected) for kind, expected, _ in order], workers)
    free, ends = [0.0] * workers, []
    for kind, expected, taken in order:
        worker = free.index(min(free))
        free[worker] += taken
        ends.append((free[worker], kind, expected, taken))
    seen = []
    for now, kind, expected, taken in sorted(ends):
        left.finished(kind, expected, taken)
        seen.append((now, left.seconds(), max(free) - now))
    return seen


def heterogeneous(rng, speeds, pieces=150):
    """Kinds that differ a thousandfold in cost; each takes `speeds[kind]` times what was expected, give or take a third."""
    for kind, speed in enumerate(speeds):
        for expected in rng.lognormal(-2.0 + 1.5 * kind, 0.5, pieces):
            yield kind, expected, expected * speed * rng.uniform(0.67, 1.33)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize(("speeds", "factor"), [((1, 1, 1, 1), 1.15), ((4, 4, 4, 4), 1.15), ((0.5, 2, 1, 1.5), 1.3), ((3, 1, 0.5, 1), 1.5)])
def test_the_estimate_is_within_its_factor_at_a_quarter_half_and_three_quarters(seed, workers, speeds, factor):
    seen = simulate(list(heterogeneous(np.random.default_rng(seed), speeds)), workers)
    end = seen[-1][0]
    for share in (0.25, 0.5, 0.75):
        _, estimate, truth = next(moment for moment in seen if moment[0] >= share * end)
        assert truth / factor <= estimate <= truth * factor


def test_a_kind_is_judged_by_its_own_speed():
    """All of a slow kind is done, half of a fast one: what is left is fast, whatever the average was."""
    left = TimeLeft([("slow", 1.0)] * 100 + [("fast", 1.0)] * 100, workers=1)
    for _ in range(100):
        left.finished("slow", 1.0, 3.0)
    for _ in range(50):
        left.finished("fast", 1.0, 0.5)
    assert left.seconds() == pytest.approx(25.0, rel=0.15)


def test_what_was_found_does_not_count_as_speed():
    """Only work that is still to do is known to the estimate: one second a piece, however many pieces were found."""
    left = TimeLeft([("a", 1.0)] * 4, workers=1)
    left.finished("a", 1.0, 1.0)
    assert left.seconds() == pytest.approx(3.0)


def test_nothing_is_left_at_the_end():
    left = TimeLeft([("a", 0.1)] * 30, workers=2)
    for _ in range(30):
        left.finished("a", 0.1, 0.3)
    assert left.seconds() == pytest.approx(0.0, abs=1e-12)


def test_work_that_costs_nothing_is_no_error():
    left = TimeLeft([("a", 0.0), ("a", 0.0)], workers=1)
    left.finished("a", 0.0, 5.0)
    assert left.seconds() == 0.0


class Terminal(io.StringIO):
    """A stream that a bar can be redrawn on."""

    def isatty(self):
        return True


def test_the_bar_shows_cells_and_the_time_left(monkeypatch):
    shown = Terminal()
    real = progress.tqdm
    monkeypatch.setattr(progress, "tqdm", lambda **options: real(**options, file=shown, mininterval=0, ncols=100))
    with Progress("toy", 10, 6, [("preparation", 60.0)] + [("a", 60.0)] * 4, workers=2, shown=True) as bar:
        bar.finished("preparation", 60.0, 60.0, cells=0)
        bar.finished("a", 60.0, 60.0)
    lines = shown.getvalue().replace("\r", "\n").splitlines()
    assert any("60%" in line and "6/10 cells" in line for line in lines)
    assert any("70%" in line and "7/10 cells" in line and "about 90 s left" not in line and "about 2 min left" in line for line in lines)
    assert "left" not in lines[-1]


def test_without_a_terminal_there_is_a_plain_line_every_ten_seconds(monkeypatch, capsys):
    clock = iter(np.arange(0.0, 1000.0, 3.0))
    now = [next(clock)]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with Progress("toy", 10, 2, [("a", 3.0)] * 8, workers=1, shown=True) as lines:
        for _ in range(8):
            now[0] = next(clock)
            lines.finished("a", 3.0, 3.0)
    assert capsys.readouterr().err == "run toy: 6 of 10 cells, about 12 s left\nrun toy: 10 of 10 cells, about 1 s left\n"


@pytest.mark.parametrize("seconds", [0.0, 1e6])
def test_nothing_is_shown_where_nothing_is_wanted(monkeypatch, capsys, seconds):
    clock = iter([0.0, seconds, 2 * seconds, 3 * seconds])
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    with Progress("toy", 1, 0, [("a", 1.0)], workers=1, shown=False) as quiet:
        quiet.finished("a", 1.0, 1.0)
    assert capsys.readouterr().err == ""
