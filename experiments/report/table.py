"""What the report reads of a study's table: the runs of a sweep, the verdicts, parts with one setting each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np
import pandas as pd

from ...bounds import Kind, Outcome, claims
from ...bounds.checking.claim import CHAPTERS
from ..cells.facts import FACTS
from ..settings import AXES, SETTINGS, normal, parse_damping, settings, split, split_in_words, values_of
from .words import code, count, details, paragraphs, plain

TYPICAL_DAMPING = "mean-diagonal:1e-2"  # what GPTQ uses
TYPICAL = {"damping": TYPICAL_DAMPING, "ordering": "decreasing-norm", "bits": 4, "failure_probability": 0.05}
NAMED_ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot")
LAYER = ["calibration", "layer"]
MOST_PARTS = 12  # settings that one section shows side by side
NUMBERS = (*FACTS, "samples", "features", "neurons", "covered", "failure_probability", "ratio", "failures", "draws_used", "interval_low",
           "interval_high", "level", "code_level", "measured_max", "deterministic_level")  # fmt: skip
TEXTS = ("outcome", "claim", "advice", "error", "layer")
ENCODER = "encoder.layer."


def complete(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with every column that the report reads: a table in which no cell has a fact has no column for it."""
    missing = {name: float("nan") for name in NUMBERS if name not in rows} | {name: "" for name in TEXTS if name not in rows}
    texts = [name for name in rows if isinstance(rows[name].dtype, pd.StringDtype)]
    return rows.astype(dict.fromkeys(texts, object)).assign(**missing).copy()  # objects, in one piece: grouped several times faster


def runs(rows: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """The runs of a sweep that were made: one row each, also where several tables of the study ask for one, and none whose matrix was
    refused.
    """
    picked = rows[(rows["sweep"] == sweep) & (rows["record"] == "run")]
    picked = picked.drop_duplicates([axis for axis in AXES if axis in picked and axis != "failure_probability"])
    return picked[picked["damped_error"].notna()] if "damped_error" in rows else picked.head(0)


def covered_runs(rows: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """Those runs that the 2-norm bound of OPTQ covers, on inputs that are not all zero."""
    made = runs(rows, sweep)
    covered = (made["algorithm"] == "optq") & (made["rounding"] == "nearest") & (made["saturated_share"] == 0)
    return made[covered & (made["damped_bound"] > 0) & (made["signal"] > 0)]


def verdicts(rows: pd.DataFrame) -> pd.DataFrame:
    """The verdicts on claims that applied; `partly`: to some of the neurons only."""
    picked = rows[(rows["record"] == "claim") & (rows["outcome"] != Outcome.NOT_APPLICABLE.value)]
    covered = picked["covered"] if "covered" in picked else pd.Series(np.nan, picked.index)
    return picked.assign(partly=(covered < picked["neurons"]).astype(bool), prediction=picked["claim"].isin(_predictions()))


def _predictions() -> list[str]:
    """The claims that are no theorems."""
    return [claim_id for claim_id, made in claims().items() if made.kind is Kind.PREDICTION]


def is_shipped(claim_id: str) -> bool:
    """Whether a claim comes with the toolkit, and not from a file of the study."""
    return claim_id in claims() and claims()[claim_id].chapter in CHAPTERS


def tally(of: pd.DataFrame, prediction: bool = False) -> str:
    """How verdicts ended, in words; a prediction holds where it is met within a factor 2 of the squared error."""
    holds = "within a factor 2" if prediction else "hold"
    met = of["outcome"] == Outcome.HOLDS.value
    counts = {holds: met & ~of["partly"], f"{holds} for a part of the neurons": met & of["partly"],
              "further off" if prediction else "undecided": of["outcome"] == Outcome.UNDECIDED.value,
              "violated": of["outcome"] == Outcome.VIOLATED.value}  # fmt: skip
    return ", ".join(f"{int(which.sum()):,} {word}" for word, which in counts.items() if which.any())


def norm_ratio(over: pd.Series, under: pd.Series) -> pd.Series:
    """The ratio of two norms from their squares."""
    return pd.Series(np.sqrt(over / under))


def layer_name(calibration: str, layer: str) -> str:
    """A calibration matrix as the report calls it: its name in the study, and the layer where the network has several."""
    return plain(f"{calibration}: {layer.removeprefix(ENCODER)}" if layer else calibration)


def by_matrix(table: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """The lines of a table with one per calibration matrix, each after the name of its matrix."""
    for index, (_, line) in zip(table.index.tolist(), table.iterrows(), strict=True):
        yield layer_name(*index), line


def matrices(rows: pd.DataFrame) -> str:
    """On how many calibration matrices these rows are."""
    return count(len(rows[LAYER].drop_duplicates()), "matrix", "matrices")


def layers_of(rows: pd.DataFrame, what: str = "layer") -> str:
    """The layers of a network, counted, with its name in the study."""
    networks = ", ".join(plain(name) for name in sorted(rows["calibration"].unique()))
    return f"{count(len(rows[LAYER].drop_duplicates()), what)} of {networks}"


def usual(rows: pd.DataFrame, *axes: str) -> pd.DataFrame:
    """The rows at the usual setting of some axes, where it is among several; what is usual is said beside the numbers."""
    for axis in axes:
        if len(values_of(rows, axis)) > 1:
            of_axis = rows[axis].map(parse_damping) if axis == "damping" else rows[axis]
            here = of_axis == (parse_damping(TYPICAL[axis]) if axis == "damping" else TYPICAL[axis])
            rows = rows[here] if here.any() else rows
    return rows


def source(rows: pd.DataFrame, among: pd.DataFrame) -> str:
    """Which runs a sentence is about: the sweep, the width of its steps, and every setting that not all runs of the sweep have.

    Arguments:
        rows: the runs of the sentence.
        among: all runs of their sweep.
    """
    picked = [axis for axis in SETTINGS if axis != "bits" and values_of(rows, axis) != values_of(among, axis)]
    words = settings(rows, [axis for axis in SETTINGS if axis not in ("bits", *picked)], unsaid={})
    return ", ".join(filter(None, [plain(words), *(f"sweep {code(name)}" for name in sorted(rows["sweep"].unique()))]))


def by_setting(rows: pd.DataFrame, tell: Callable[[pd.DataFrame], str], shown: Collection[str] = ()) -> str:
    """What `tell` says of each part of the rows with one setting of everything that is not shown; several parts open on demand."""
    rows = normal(rows)
    parts = split(rows, shown)
    if len(parts) > MOST_PARTS:
        return (f"Left out: {split_in_words(rows, shown)}, and with {len(parts)} of them there are more than the {MOST_PARTS} that are "
                "shown here; no mean is taken over them.")
    told = [(which, text) for which, part in parts if (text := tell(part))]
    if len(told) < 2:
        return "".join(text for _, text in told)
    why = split_in_words(rows, shown)
    return paragraphs(why[0].upper() + why[1:] + ".", *(details(which, text) for which, text in told))
