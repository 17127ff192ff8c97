"""Certificates: an exact verdict written down with everything it rests on, so that `verify.py` can decide it again from there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq

from ...algorithms.arguments import reject
from ..checking.arithmetic import Number, as_float
from ..checking.problem import Problem
from ..checking.registry import select
from ..checking.verdict import Outcome
from ..verify import CLAIMS, FORMAT
from .decisions import check_exact
from .problem import ExactProblem

DECIDED = (Outcome.HOLDS, Outcome.VIOLATED)
LARGEST = 24  # features that are still decided exactly in seconds


def certificate(problem: Problem, claim_id: str) -> dict[str, Any]:
    """The certificate of a claim on a problem, as it is written to JSON: raw inputs, codes, both sides, and the outcome.

    Floats become exact hexadecimal strings; weights of a construction that are no floats, quotients "p/q". Tables are in the
    original order of features.

    Raises:
        InvalidArgumentError: a claim that `verify.py` does not decide, or one that exact arithmetic does not decide here.

    >>> made = certificate(Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0)), "optq-l2")
    >>> made["outcome"], made["codes"], made["bound"]
    ('holds', [[0], [1]], [['0x1.0000000000000p-1']])
    """
    (claim,) = select(claim_id)
    if claim_id not in CLAIMS:
        raise reject("claim id", claim_id, "a claim that certificates are written for: one of " + ", ".join(sorted(CLAIMS)))
    with np.errstate(over="ignore", invalid="ignore"):  # sides beyond float64 are refused below
        verdict = check_exact(problem, [claim_id]).verdicts[claim_id]
    measured, bound = verdict.measured, verdict.bound
    if verdict.outcome not in DECIDED or measured is None or bound is None:
        raise reject("problem", _size(problem), f"one on which exact arithmetic decides {claim_id} ({verdict})")
    if not (np.isfinite(measured).all() and np.isfinite(bound).all()):
        raise reject("problem", _size(problem), f"one on which both sides of {claim_id} are numbers that float64 holds")
    view = ExactProblem(problem)
    ran = view if claim.construct is None else claim.construct(view)
    sides = [_by_neuron(side, claim.about_neurons) for side in np.broadcast_arrays(measured, bound)]
    return sealed({
        "format": FORMAT, "claim": claim_id, "outcome": str(verdict.outcome),
        "algorithm": problem.algorithm, "form": problem.form, "rounding": problem.rounding,
        "damping": {"rule": _rule(problem.damping), "value": _hexadecimal(ran.factorization.damping)},
        "ordering": {"rule": _rule(problem.ordering), "order": ran.order.tolist()},
        "X": _table(ran.X), "X_quantized": _table(ran.X_quantized), "W": _table(ran.W),
        **_grid(problem), "draws": _table(_draws(problem)),
        "changed_step": int(bound[1, 0]) if claim_id == "optq-certificate" else None,
        "codes": ran.result.codes.tolist(), "measured": sides[0], "bound": sides[1],
    })


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content with its SHA-256, so that a change is noticed even where the claim does not read what was changed."""
    content = {name: value for name, value in content.items() if name != "sha256"}
    return content | {"sha256": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()}


def write_certificate(problem: Problem, claim_id: str, path: str | Path) -> Path:
    """Write the certificate of a claim on a problem to a JSON file; raises as `certificate` does, before anything is written."""
    text = json.dumps(certificate(problem, claim_id), indent=1) + "\n"
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _size(problem: Problem) -> str:
    return f"{problem.algorithm} with N = {problem.N}, m = {problem.m}, K = {problem.K}"


def _rule(setting: object) -> str | None:
    return setting if isinstance(setting, str) else None


def _hexadecimal(entry: Number) -> str:
    number = float(as_float(np.array([entry]))[0]) if isinstance(entry, fmpq) else float(entry)
    if isinstance(entry, fmpq) and fmpq(*map(int, number.as_integer_ratio())) != entry:
        return f"{entry.p}/{entry.q}"
    return number.hex()


def _table(array: np.ndarray | None) -> list[list[str]] | None:
    return None if array is None else _rows(array)


def _rows(array: np.ndarray) -> list[list[str]]:
    return [[_hexadecimal(entry) for entry in row] for row in array]


def _grid(problem: Problem) -> dict[str, Any]:
    laid = problem.grid.alphabet(problem.N, problem.K)
    ends = {name: getattr(laid, name).astype(np.int64).tolist() if problem.grid.finite else None for name in ("low", "high")}
    return {"step": _table(laid.step)} | ends


def _draws(problem: Problem) -> np.ndarray | None:
    return np.random.default_rng(problem.seed).random((problem.N, problem.K)) if problem.rounding == "stochastic" else None


def _by_neuron(side: np.ndarray, about_neurons: bool) -> list[list[str]]:
    return _rows(side.reshape(-1, side.shape[-1]).T if about_neurons else side.reshape(1, -1))
