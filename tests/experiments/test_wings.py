"""No two parts of the rooms import each other, and each wing of experiments/ and figures/ knows only what it is said to know.

A part is a wing (a folder below a room) or a module at the room's door. Imports inside functions and for type checkers count as well.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOMS = ("algorithms", "bounds", "experiments", "figures")
ASSEMBLY = {"experiments.cli", "experiments.commands"}  # the command line: it alone knows all rooms, and nothing knows it
WINGS = {  # what of experiments/ each wing may import
    "networks": set(),
    "settings": set(),
    "calibration": {"networks", "environment", "names", "seeds"},
    "cells": {"calibration", "seeds"},
    "study": {"calibration", "cells", "names"},
    "report": {"calibration", "cells", "networks", "own_claims", "places", "settings", "table"},
}
SEEN_BY_FIGURES = {"settings", "table"}  # of experiments/: a figure reads a table, and says of its rows what the report says
MOST_LINES = 250


def dotted(file):
    """The name of a module from its room on; of a package, its folder's."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module):
    """The room and the wing or door module below it."""
    return ".".join(module.split(".")[:2])


def imported(file, source, modules):
    """The modules of the rooms that one of them imports; `modules` are the names of all."""
    package = file.parent.parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else ())])
            for name in node.names:
                yield next(found for found in (f"{base}.{name.name}".lstrip("."), base) if found in modules)


def arrows(sources):
    """{part: the other parts that it imports} of modules given as {file: source}."""
    modules = {dotted(file) for file in sources}
    found = {part_of(module): set() for module in modules}
    for file, source in sources.items():
        mine = part_of(dotted(file))
        found[mine] |= {part_of(module) for module in imported(file, source, modules)} - {mine}
    return found


def cycle(graph):
    """The parts of a cycle, the first of them again at the end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def sources(root, repository_files):
    """{file: source} of all modules of the rooms."""
    return {file: (root / file).read_text(encoding="utf-8") for file in repository_files if file.parts[0] in ROOMS and file.suffix == ".py"}


@pytest.fixture(scope="module")
def graph(sources):
    return arrows(sources)


def test_no_two_parts_of_the_rooms_import_each_other(graph):
    assert len(graph) > 40
    assert cycle(graph) == []


def test_only_the_command_line_knows_all_rooms_and_nothing_knows_it(graph):
    knows_figures = {part for part, known in graph.items() if any(other.startswith("figures") for other in known)}
    assert {part for part in knows_figures if not part.startswith("figures")} == {"experiments.commands"}
    assert {part for part, known in graph.items() if known & ASSEMBLY} == {"experiments.cli"}


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_knows_what_it_is_said_to_know(graph, wing):
    """No more, and no less: what is said here is true."""
    known = {part for part in graph[f"experiments.{wing}"] if part.startswith("experiments")}
    assert known == {f"experiments.{name}" for name in WINGS[wing]}


def test_every_wing_of_experiments_is_spoken_of(sources):
    folders = {file.parts[1] for file in sources if file.parts[0] == "experiments" and len(file.parts) > 2}
    assert folders == {*WINGS, "commands", "studies"}


def test_figures_see_tables_and_settings_and_no_machinery(graph):
    seen = {other for part, known in graph.items() if part.startswith("figures") for other in known if other.startswith("experiments")}
    assert seen == {f"experiments.{name}" for name in SEEN_BY_FIGURES}


def test_no_file_is_long(sources):
    assert [str(file) for file, source in sources.items()
            if file.parts[0] in ("experiments", "figures") and source.count("\n") > MOST_LINES] == []


def test_every_package_says_what_it_holds(sources):
    packages = {file: ast.get_docstring(ast.parse(source)) for file, source in sources.items()
                if file.name == "__init__.py" and file.parts[0] in ("experiments", "figures")}
    assert [str(file) for file, said in packages.items() if not said] == []


@pytest.mark.parametrize(("planted", "expected"), [
    ({"experiments/a.py": "from .b import x", "experiments/b.py": "def f():\n    from .a import y"}, {"experiments.a", "experiments.b"}),
    ({"experiments/a.py": "from ..figures.c import draw", "figures/c.py": "from ..experiments import a"}, {"experiments.a", "figures.c"}),
    ({"experiments/w/__init__.py": "", "experiments/w/one.py": "from ..a import x", "experiments/a.py": "from .w.two import y",
      "experiments/w/two.py": ""}, {"experiments.w", "experiments.a"}),
    ({"experiments/w/__init__.py": "", "experiments/w/one.py": "from .two import x", "experiments/w/two.py": "from .one import y"}, set()),
    ({"experiments/a.py": "from .b import x\nfrom .c import z", "experiments/b.py": "from .c import z", "experiments/c.py": ""}, set()),
])
def test_a_planted_cycle_is_seen(planted, expected):
    sources = {Path(file): source for file, source in planted.items()} | {Path(f"{room}/__init__.py"): "" for room in ROOMS}
    assert set(cycle(arrows(sources))) == expected
