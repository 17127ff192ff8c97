"""Run a study: cells in parallel processes, each kept when it is finished, all of them in one sorted table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib

from ..algorithms.arguments import as_path, reject
from .cells import StudyCell
from .dispatch import OtherEnvironmentError, part_of, run_preparation, run_task, tasks
from .environment import environment
from .names import did_you_mean
from .places import file_to_write
from .pools import Pool, WorkersLostError, cluster, processes
from .progress import Progress, StoppedError, terminable
from .store import Shard, Store
from .summary import PREPARATION, Failure, Summary
from .table import described, failed_row, provenance, sweep_of, tidy, write_table


def run_study(study, table: str | Path, workers: int = -1, progress: bool = True, store: str | Path | None = None,
              fail_fast: bool = False, scheduler: str | None = None) -> Summary:
    """Run every cell that the store does not hold and write the table; the same bytes however the work was shared out.

    A cell that fails is a row of the table (`record` is "failed", `error` says why), is not kept, and is tried again by the next run.

    Arguments:
        study: what to run.
        table: the Parquet file to write.
        workers: processes; -1: one per core.
        progress: whether to show a progress bar.
        store: folder of finished cells; by default `store` beside the table.
        fail_fast: stop at the first cell that fails.
        scheduler: address of a Dask scheduler whose workers do the work; files that the study names must be where they are here.

    Raises:
        InvalidArgumentError: claims of the study's own that cannot be loaded, a table or a store that cannot be written, a number of
            workers out of range, a scheduler that cannot run this study; before any cell runs.
        StoppedError: interrupted, a worker lost, the disk full, or the first failure with `fail_fast`.
    """
    table = file_to_write("table", table)
    study.load_claims()
    run = _Run(study, range(len(study.cells)), Store(store or table.parent / "store", study.claims_files))
    with run.ending_clearly():
        run.finish(workers, progress, fail_fast, scheduler)
        shards = {index: run.shard(index) for index in run.wanted if index not in run.errors}
        failed = {index: [failed_row(run.specs[index], error)] for index, error in run.errors.items()}
        rows = [row for index in run.wanted for row in (shards[index].rows if index in shards else failed[index])]
        made = _write(study, rows, shards.values(), table)
    return run.summary(table, made["kernels"])


def run_shard(study, shard: tuple[int, int], store: str | Path, workers: int = -1, progress: bool = True, fail_fast: bool = False,
              scheduler: str | None = None) -> Summary:
    """Run one part of a study, as one job of a batch; its finished cells go to the store, and `merge` makes the table.

    Arguments:
        shard: number of the part and how many parts there are, from (1, n) to (n, n). Together they are the study.
        study, store, workers, progress, fail_fast, scheduler: as for `run_study`.

    Raises:
        InvalidArgumentError, StoppedError: as for `run_study`.
    """
    study.load_claims()
    run = _Run(study, part_of(study.cells, *shard), Store(store, study.claims_files))
    with run.ending_clearly():
        run.store.note_part(study.name, *shard)
        run.finish(workers, progress, fail_fast, scheduler)
    return run.summary(None, ())


def merge(study, table: str | Path, stores: Iterable[str | Path]) -> Summary:
    """Write the table of a study whose cells were run in parts, from all their stores.

    The study's own claims are not loaded: nothing of the user's is run.

    Raises:
        InvalidArgumentError: a cell is in none of the stores; which, and which parts of the study hold them.
    """
    table = file_to_write("table", table)
    folders = [as_path("store", folder) for folder in stores]
    for folder in folders:
        if not folder.is_dir():
            raise reject("store", str(folder), "a folder that `provable-ptq run` wrote")
    opened = [Store(folder, study.claims_files) for folder in folders]
    found = [_first(opened, cell) for cell in study.cells]
    missing = [index for index, shard in enumerate(found) if shard is None]
    if missing:
        raise reject("store", ", ".join(map(str, folders)), _what_is_missing(study, missing, opened))
    shards = [shard for shard in found if shard is not None]
    made = _write(study, [row for shard in shards for row in shard.rows], shards, table)
    return Summary(table, len(shards), len(shards), 0, (), tuple(made["kernels"]))


def one_sweep(study, sweep: str):
    """A study of one of its sweeps, named after both.

    Raises:
        InvalidArgumentError: no such sweep, with the nearest valid name.
    """
    names = list(dict.fromkeys(sweep_of(cell.spec()) for cell in study.cells))
    if sweep not in names:
        raise reject("sweep", sweep, "one of " + ", ".join(names) + did_you_mean(sweep, names))
    return replace(study, name=f"{study.name}-{sweep}", cells=tuple(cell for cell in study.cells if sweep_of(cell.spec()) == sweep))


def _write(study, rows: list[dict], shards: Iterable[Shard], table: Path) -> dict[str, Any]:
    made = provenance(study, shards)
    write_table(tidy(rows), made, table)
    return made


def _first(stores: list[Store], cell: StudyCell) -> Shard | None:
    return next((found for store in stores if (found := store.read(store.key(cell.spec()))) is not None), None)


def _what_is_missing(study, missing: list[int], stores: list[Store]) -> str:
    counts = []
    for parts in sorted({parts for store in stores for parts in store.parts(study.name)}):
        for number in range(1, parts + 1):
            lacking = len(set(missing) & set(part_of(study.cells, number, parts)))
            counts += [f"{lacking} of --shard {number}/{parts}"] if lacking else []
    where = f" ({', '.join(counts)})" if counts else ""
    return (f"stores that together hold all {len(study.cells)} cells of {study.name}; {len(missing)} are missing{where}, "
            f"the first: {described(study.cells[missing[0]].spec())}; `provable-ptq run` makes them")


class _Run:
    """One run over cells of a study: which are finished, which failed."""

    def __init__(self, study, wanted: Iterable[int], store: Store):
        self.study, self.wanted, self.store = study, list(wanted), store
        self.specs = {index: study.cells[index].spec() for index in self.wanted}
        self.keys = {index: store.key(spec) for index, spec in self.specs.items()}
        store.refuse_obstacles(self.keys.values())
        self.found = {index for index in self.wanted if store.read(self.keys[index]) is not None}
        self.computed: set[int] = set()
        self.errors: dict[int, str] = {}
        self.unprepared: list[Failure] = []

    @contextmanager
    def ending_clearly(self) -> Iterator[None]:
        """Every way to end early becomes one sentence that says what is kept."""
        try:
            with terminable():
                yield
        except KeyboardInterrupt:
            raise self._stopped("interrupted") from None
        except (WorkersLostError, OtherEnvironmentError) as error:
            raise self._stopped(str(error)) from None
        except OSError as error:
            raise self._stopped(f"cannot write: {error}") from error

    def _stopped(self, why: str) -> StoppedError:
        kept = sum(self.store.holds(key) for key in self.keys.values())
        return StoppedError(f"{why}; {kept} of {len(self.wanted)} cells are finished and kept in {self.store.folder}, "
                            "the same command resumes")

    def finish(self, workers: int, shown: bool, fail_fast: bool, scheduler: str | None) -> None:
        """Compute the cells that are not there yet."""
        cells = self.study.cells
        work = tasks(cells, set(self.wanted) - self.found)
        if not work:
            return
        preparations = replace(self.study, cells=tuple(cells[i] for task in work for i in task)).preparations()
        costs = [(PREPARATION, each.cost()) for each in preparations]
        costs += [(sweep_of(self.specs[i]), cells[i].cost()) for task in work for i in task]
        with (
            cluster(scheduler) if scheduler is not None else processes(workers) as pool,
            Progress(self.study.name, len(self.wanted), len(self.found), costs, pool.workers, shown) as progress,
        ):
            self._prepare(pool, preparations, progress, fail_fast)
            self._compute(pool, work, progress, fail_fast)

    def _prepare(self, pool: Pool, preparations: Sequence, progress: Progress, fail_fast: bool) -> None:
        calls = (joblib.delayed(run_preparation)(n, each, self.store.cache, environment()) for n, each in enumerate(preparations))
        with closing(pool.stream(calls)) as stream:
            for done in stream:
                progress.finished(PREPARATION, preparations[done.index].cost(), done.seconds, cells=0)
                if done.error:
                    self.unprepared.append(self._failure(f"{PREPARATION} {done.index + 1} of {len(preparations)}", done.error, fail_fast))

    def _compute(self, pool: Pool, work: list[list[int]], progress: Progress, fail_fast: bool) -> None:
        cells, cache, made_with = self.study.cells, self.store.cache, environment()
        calls = (joblib.delayed(run_task)([(i, cells[i]) for i in task], cache, made_with, fail_fast) for task in work)
        with closing(pool.stream(calls)) as stream:
            for done in stream:
                if done.error:
                    self.errors[done.index] = done.error
                    self._failure(described(self.specs[done.index]), done.error, fail_fast)
                elif done.shard is not None:
                    self.store.write(self.keys[done.index], done.shard)
                    self.computed.add(done.index)
                progress.finished(sweep_of(self.specs[done.index]), cells[done.index].cost(), done.seconds)

    def _failure(self, what: str, error: str, fail_fast: bool) -> Failure:
        failure = Failure(what, error)
        if fail_fast:
            raise self._stopped(f"failed: {failure}")
        return failure

    def shard(self, index: int) -> Shard:
        """A finished cell, from the store."""
        found = self.store.read(self.keys[index])
        if found is None:
            raise self._stopped(f"a finished cell is gone from the store: {described(self.specs[index])}")
        return found

    def summary(self, table: Path | None, kernels: Iterable[str]) -> Summary:
        failed = [Failure(described(self.specs[index]), error) for index, error in sorted(self.errors.items())]
        return Summary(table, len(self.wanted), len(self.found), len(self.computed), (*self.unprepared, *failed), tuple(kernels))
