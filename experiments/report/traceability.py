"""From every figure and number back to the command, the cells and the seeds that made it; and how to cite."""

from __future__ import annotations

import hashlib
from importlib import resources

import pandas as pd

from ..cells.construction import SWEEP as CONSTRUCTIONS
from ..cells.growth import SWEEP as GROWTH
from ..cells.permutations import SWEEP as PERMUTATIONS
from ..cells.replay import SWEEP as TIGHTNESS
from .words import Picture, code, count, details, link, markdown_table, paragraphs

OWN_TABLES = {GROWTH: "[growth]", PERMUTATIONS: "[permutations]", TIGHTNESS: "tightness = true",
              CONSTRUCTIONS: "constructions = true"}
PAPER = """@article{zhang2025provable,
  title   = {Provable Post-Training Quantization: Theoretical Analysis of {OPTQ} and {Qronos}},
  author  = {Zhang, Haoyu and Zhang, Shihao and Colbert, Ian and Saab, Rayan},
  journal = {arXiv preprint arXiv:2508.04853},
  year    = {2025}
}"""
SOFTWARE = """@software{{provable_ptq,
  title   = {{provable-ptq: verified error bounds for post-training quantization}},
  author  = {{{{The provable-ptq developers}}}},
  version = {{{version}}},
  note    = {{Results of study "{study}", code {code}}},
  year    = {{2026}}
}}"""


MADE_BY = {"paper": "`make reproduce`", "quick": "`make quick`"}


def command(made: dict) -> str:
    """What makes the report of a study."""
    return MADE_BY[made["study"]] if _shipped(made) else "`provable-ptq report`"


def _shipped(made: dict) -> bool:
    """Whether a table is that of a shipped study, and not of one's own that has its name."""
    if made["study"] not in MADE_BY:
        return False
    file = resources.files("provable_ptq.experiments.studies") / f"{made['study']}.toml"
    return hashlib.sha256(file.read_bytes()).hexdigest() == made["study_sha256"]


def traceability(rows: pd.DataFrame, made: dict, pictures: list[Picture], table: str) -> str:
    """The section: one line per sweep, with the figures that are drawn from it."""
    shipped = _shipped(made)
    study = f"`experiments/studies/{made['study']}.toml`" if shipped else f"the study {code(made['study'])}"
    drawn: dict[str, list[str]] = {}
    for picture in pictures:
        drawn.setdefault(picture.sweep, []).append(picture.name)
    lines = []
    for sweep, group in ((str(name), of) for name, of in rows.groupby("sweep")):
        figures = ", ".join(f"`{name}`" for name in drawn.get(sweep, [])) or "none"
        section = OWN_TABLES.get(sweep, f'[[sweep]] name = "{sweep}"')
        seeds = int(group["seed"].max()) + 1 if len(group) else 0
        repetitions = "0" if seeds == 1 else f"0 to {seeds - 1}"
        matrices = count(len(group[["calibration", "layer"]].drop_duplicates()), "matrix", "matrices")
        run = code(f"provable-ptq run {made['study'] if shipped else 'STUDY'} --sweep {sweep}")
        lines.append([code(section), run, matrices, f"{len(group):,}", repetitions, figures])
    header = ["section of the study", "command", "on", "rows", "repetitions (seed)", "figures, drawn by `figures/NAME.py`"]
    told = f"""Every number above is computed from {link(table)} by `experiments/report/`. The key columns of
a row name one cell of {study}. Data are drawn from a hash of the
study's seed ({made["seed"]}), the calibration's name and the repetition, stochastic rounding from another hash of the same."""
    table = markdown_table(header, lines, folds=False)
    return paragraphs("## Where every number comes from", details("Commands, rows and seeds", paragraphs(told, table)))


def provenance(made: dict) -> str:
    """The section on what made the table."""
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    digests = {"sources and shipped data of `algorithms/`, `bounds/`, `experiments/`": made["code"],
               f"the file of study {code(made['study'])}": made["study_sha256"]}
    digests |= {f"claims file {code(name)}": digest for name, digest in made["claims_files"].items()}
    digests |= {f"input {code(name)}": digest for name, digest in made["inputs"].items()}
    lines = [[name, f"`{digest}`"] for name, digest in digests.items()]
    return f"""## How this was made

By {command(made)}. The same study gives the same bytes on one machine, whatever the number of workers and however often it was
interrupted; across machines the printed digits agree up to differences in the linear algebra library.{_kernels(made)}

{details("Versions, and SHA-256 of code, study and inputs", paragraphs(f"{versions}.", _digests(lines)))}"""


def _digests(lines: list[list[str]]) -> str:
    return markdown_table(["of", "SHA-256"], lines, folds=False)


def _kernels(made: dict) -> str:
    """Which BLAS kernels computed the cells, where the table knows."""
    kernels = [code(kernel) for kernel in made.get("kernels", [])]
    if len(kernels) < 2:
        return f" BLAS kernel: {kernels[0]}." if kernels else ""
    return (f" **The cells were computed with {len(kernels)} BLAS kernels** ({', '.join(kernels)}): last bits, and codes that hang on "
            "them, may differ between cells that are compared here.")


def citing(made: dict, version: str) -> str:
    """The section with BibTeX for the paper and for this software."""
    study = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in made["study"])
    software = SOFTWARE.format(version=version, study=study, code=made["code"][:12])
    return f"## Citing\n\n```bibtex\n{PAPER}\n\n{software}\n```"
