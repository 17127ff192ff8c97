"""The wings of bounds/ know each other along one direction, and what documents ever told a user to import is still there."""

from __future__ import annotations

import ast
import importlib

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Problem, check, claims, load_claims
from provable_ptq.bounds.checking.claim import CHAPTERS

LAYERS = (("verify",), ("checking",), ("arithmetic", "hypotheses", "measure", "certificate", "check", "book", "problems"), ("exact",),
          CHAPTERS, ("campaign",), ("attack",))  # each may import itself and what stands before it
LONG_FOR_A_REASON = {"bounds.verify"}  # one file, so that it can be read and run on its own
DOORS = ("arithmetic", "hypotheses", "measure")
CLAIM_WITH_ONE_IMPORT = """
from provable_ptq.bounds.checking import Evaluation, Kind, Origin, absolute, claim, own_errors, unsaturated
"""
CLAIM_WITH_FOUR_IMPORTS = """
from provable_ptq.bounds import Evaluation, Kind, Origin, claim
from provable_ptq.bounds.arithmetic import absolute
from provable_ptq.bounds.hypotheses import unsaturated
from provable_ptq.bounds.measure import own_errors
"""
CLAIM = """

@claim(id="my-l1", statement="$x$", origin=Origin.OURS, source="a test", kind=Kind.UPPER, unit="output error", hypotheses=(unsaturated,))
def my_l1(problem, result):
    columns = absolute(problem.factorization.sample_rows_of_V).sum(axis=0)
    return Evaluation(absolute(own_errors(problem, result)).sum(axis=0), columns @ problem.steps / 2)
"""


def part_of(module):
    """The name of the layer's part that a module inside bounds/ belongs to: the first one below bounds."""
    return module.removeprefix("bounds").lstrip(".").partition(".")[0]


def parts_imported(module, source):
    """What of bounds/ a module imports, part by part; `module` is its dotted name from "bounds" on."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level and node.level <= len(package):
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [name for name in base if name]
            yield from [part_of(".".join(base))] if len(base) > 1 else [name.name for name in node.names]


def upwards(module, source):
    """Imports of a module that lead to its own layer's other parts or to a later layer."""
    mine = part_of(module)
    place = next(number for number, layer in enumerate(LAYERS) if mine in layer)
    allowed = {mine, *(name for layer in LAYERS[:place] for name in layer), *(CHAPTERS if mine in CHAPTERS else ())}
    return sorted(set(parts_imported(module, source)) - allowed)


@pytest.fixture(scope="module")
def modules(root, repository_files):
    """{dotted name: source} of all modules of bounds/ but the package itself."""
    files = [file for file in repository_files if file.parts[0] == "bounds" and file.suffix == ".py" and file.parts[1:] != ("__init__.py",)]
    return {".".join(file.with_suffix("").parts): (root / file).read_text(encoding="utf-8") for file in files}


def test_every_part_of_bounds_has_its_layer_and_imports_none_above(modules):
    assert {part_of(module) for module in modules} == {name for layer in LAYERS for name in layer}
    assert {module: found for module, source in modules.items() if (found := upwards(module, source))} == {}


@pytest.mark.parametrize(("module", "source", "found"), [
    ("bounds.checking.problem", "from ..exact.replay import replay", ["exact"]),
    ("bounds.checking.problem", "from .verdict import Verdict", []),
    ("bounds.checking.problem", "from ... import algorithms", []),
    ("bounds.exact.decisions", "from ..deterministic.optimum import optimum_decided", ["deterministic"]),
    ("bounds.exact.decisions", "def f():\n    from .. import attack", ["attack"]),
    ("bounds.deterministic.optimum", "from ..mismatch.projection import target", []),
    ("bounds.problems.extreme", "from ..exact import check_exact", ["exact"]),
    ("bounds.check", "from .checking.claim import Claim", []),
    ("bounds.check", "from .campaign import campaign", ["campaign"]),
])
def test_an_import_that_leads_up_is_seen(module, source, found):
    assert upwards(module, source) == found


def test_no_file_of_bounds_is_long_without_a_reason(modules):
    long = {module for module, source in modules.items() if source.count("\n") > 250}
    assert long == LONG_FOR_A_REASON


def test_every_wing_says_what_it_holds(root, repository_files):
    wings = [file for file in repository_files if file.parts[0] == "bounds" and file.name == "__init__.py"]
    assert {file.parent.name for file in wings} >= {"checking", "exact", "attack", "problems", *CHAPTERS}
    assert [str(file) for file in wings if len(ast.get_docstring(ast.parse((root / file).read_text(encoding="utf-8"))) or "") < 20] == []


@pytest.mark.parametrize("name", DOORS)
def test_a_door_leads_to_all_that_its_module_makes(name):
    door, module = (importlib.import_module(f"provable_ptq.bounds.{place}{name}") for place in ("", "checking."))
    own = {key: value for key, value in vars(module).items() if not key.startswith("_")}
    assert own
    assert {key for key, value in own.items() if getattr(door, key, None) is not value} == set()


def test_what_a_claim_is_written_with_comes_in_one_import():
    checking = importlib.import_module("provable_ptq.bounds.checking")
    missing = [name for name in checking.__all__ if not hasattr(checking, name)]
    assert missing == []
    assert sorted(set(checking.__all__)) == sorted(checking.__all__)


@pytest.mark.parametrize("head", [CLAIM_WITH_ONE_IMPORT, CLAIM_WITH_FOUR_IMPORTS])
def test_files_of_claims_may_be_written_with_one_import_or_by_the_doors(head, tmp_path, own_claims):
    (tmp_path / "mine.py").write_text(head + CLAIM, encoding="utf-8")
    assert load_claims(tmp_path / "mine.py") == ["my-l1"]
    problem = Problem(np.eye(3), np.array([[0.4], [0.3], [0.1]]), Grid(step=1.0))
    verdict = check(problem, ["my-l1"])["my-l1"]
    assert verdict.outcome == "holds"
    assert verdict.measured == pytest.approx(0.8)
    assert verdict.bound == pytest.approx(1.5)


def test_a_file_registers_its_claims_in_the_order_it_makes_them(tmp_path, own_claims):
    first, second = CLAIM.replace("my-l1", "my-z"), CLAIM.replace("my-l1", "my-a")
    (tmp_path / "mine.py").write_text(CLAIM_WITH_ONE_IMPORT + first + second, encoding="utf-8")
    assert load_claims(tmp_path / "mine.py") == ["my-z", "my-a"]
    assert [name for name in claims() if name.startswith("my-")] == ["my-a", "my-z"]
