"""A study of cells that cost next to nothing; a module that worker processes import by name, and a program that runs it.

The numbers of a cell come from its spec alone. What else a cell does is no part of the spec: it notes its runs in `folder`/ran,
takes `seconds`, and fails or dies where a file there says so.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from provable_ptq.experiments.progress import StoppedError
from provable_ptq.experiments.runner import run_study


def _note(folder: Path, name: str) -> None:
    with (folder / "ran").open("a", encoding="utf-8") as ran:
        ran.write(f"{name} {os.getpid()}\n")


@dataclass(frozen=True)
class ToyCell:
    """Three rows of numbers. `trouble`: "fail", "mixed" (text and numbers in one column), "empty" (no rows)."""

    study: str
    sweep: str
    damping: float
    seed: int
    trouble: str = ""
    folder: str = "."
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.sweep}-{self.damping}-{self.seed}"

    def spec(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if name not in ("folder", "seconds")}

    def group(self):
        return self.sweep, self.damping

    def cost(self) -> float:
        return 0.01 + self.seconds

    def rows(self, cache=None):
        folder = Path(self.folder)
        _note(folder, self.name)
        time.sleep(self.seconds)
        if (folder / f"fail-{self.name}").exists() or self.trouble == "fail":
            raise ValueError(f"no luck\nwith {self.name}")
        if (folder / f"die-{self.name}").exists():
            (folder / f"die-{self.name}").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if (folder / f"vanish-{self.name}").exists():  # past Python, where nothing can be caught
            ctypes.CDLL(None)._exit(0)
        if (folder / f"exit-{self.name}").exists():
            os._exit(0)
        if self.trouble == "empty":
            return [], {}
        rng = np.random.default_rng([self.seed, round(1e6 * self.damping)])
        axes = {"study": self.study, "sweep": self.sweep, "damping": str(self.damping), "seed": self.seed}
        rows = [axes | {"claim": f"claim-{n}", "ratio": float(rng.standard_normal()), "draws": n} for n in range(3)]
        rows[1] |= {"level": None, "advice": "more damping"}
        rows[2] |= {"level": float("nan") if self.seed else 0.1 + 0.2, "outcome": "holds", "large": 2**53 + 1}
        if self.trouble == "mixed":
            rows[0]["ratio"] = "text"
        return rows, {f"file-{self.seed}": "0" * 64}


@dataclass(frozen=True)
class ToyPreparation:
    """Something that every cell waits for; `trouble` "fail": it ends with an error."""

    name: str
    trouble: str = ""
    folder: str = "."

    def cost(self) -> float:
        return 0.1

    def run(self, cache: Path) -> None:
        _note(Path(self.folder), f"prepared-{self.name}")
        if self.trouble == "fail":
            raise ValueError("not ready")
        cache.mkdir(parents=True, exist_ok=True)
        (cache / self.name).touch()


@dataclass(frozen=True)
class ToyStudy:
    cells: tuple
    prepared: tuple = ()
    claims_files: tuple[str, ...] = ()
    name: str = "toy"
    title: str = "A toy"
    seed: int = 7
    sha256: str = "f" * 64

    def load_claims(self) -> None:
        """The toys' rows are about nobody's claims."""

    def preparations(self) -> list:
        return list(self.prepared)


def toy(folder: Path | str, sweeps: int = 2, dampings: int = 3, seeds: int = 4, prepared: tuple = (), **more) -> ToyStudy:
    """A small study: `sweeps * dampings` groups of `seeds` cells."""
    cells = [ToyCell("toy", f"sweep-{a}", 0.25 * b, seed, folder=str(folder), **more)
             for a in range(sweeps) for b in range(dampings) for seed in range(seeds)]  # fmt: skip
    return ToyStudy(tuple(cells), prepared)


def main(folder: str, table: str, store: str, workers: str, seconds: str, scheduler: str = "") -> None:
    """Run the small study, as a process that a test can kill; status 3 and a sentence where it is stopped."""
    study = toy(folder, seconds=float(seconds))
    try:
        run_study(study, table, int(workers), store=store, scheduler=scheduler or None)
    except StoppedError as stopped:
        print(f"stopped: {stopped}", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    from toy_study import main as imported  # workers know the cells by the name of the module, not as __main__

    imported(*sys.argv[1:])
