"""The wheel holds the rooms and nothing else, and the rooms know each other along one direction only."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import provable_ptq
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOMS = ("algorithms", "bounds", "experiments", "figures")  # each may import itself and those before it
DATA = ("*/py.typed", "bounds/THEORY.md", "experiments/studies/*.toml", "experiments/studies/attacks/*/*.npz", "experiments/networks/*.npz")
COMMANDS = Path("experiments/commands")  # the command line ties all rooms together
STANDARD_METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}


def copy_tree(root, files, folder):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, folder / file)
    return folder


def build_wheel(folder):
    """The wheel as `python -m build` makes it: by way of a source distribution, in a temporary folder."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", "."]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    return zipfile.ZipFile(wheel)


def shipped_files(files):
    """What of the tree belongs in the wheel."""
    return {file for file in files if file.parts[0] in ROOMS and (file.suffix == ".py" or any(file.match(data) for data in DATA))}


def packaged_files(wheel):
    """What the wheel installs beside its own metadata, by name in the tree."""
    return {Path(name).relative_to("provable_ptq") for name in wheel.namelist() if not is_metadata(name)}


def is_metadata(name):
    return name.partition("/")[0].endswith(".dist-info")


@pytest.fixture(scope="module")
def wheel(root, repository_files, tmp_path_factory):
    """Built from a clean copy in which leftovers of every kind were planted."""
    folder = copy_tree(root, repository_files, tmp_path_factory.mktemp("tree"))
    planted = ("build/lib/provable_ptq/algorithms/removed.py", "algorithms/__pycache__/removed.cpython-311.pyc", "bounds/notes.txt",
               "experiments/results/planted.parquet", "figures/rendered/planted.png", "tests/planted.py", "benchmarks/planted.py")
    for name in planted:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    with build_wheel(folder) as built:
        yield built


def test_wheel_holds_every_module_and_its_data_and_nothing_else(wheel, repository_files):
    expected = shipped_files(repository_files)
    assert packaged_files(wheel) == expected
    assert {Path("bounds/stochastic/__init__.py"), Path("experiments/studies/paper.toml"),
            Path("experiments/networks/digits_weights.npz")} <= expected


def test_every_room_says_that_it_is_typed(wheel):
    """The umbrella has no folder, hence no marker of its own."""
    assert {Path(room, "py.typed") for room in ROOMS} <= packaged_files(wheel)


def test_wheel_holds_the_bytes_of_the_tree(wheel, root, repository_files):
    different = [file for file in shipped_files(repository_files)
                 if wheel.read(f"provable_ptq/{file.as_posix()}") != (root / file).read_bytes()]
    assert different == []


def test_wheel_metadata_is_the_standard_one(wheel):
    assert {name.partition("/")[2] for name in wheel.namelist() if is_metadata(name)} == STANDARD_METADATA


def test_a_package_missing_from_the_list_is_noticed(root, repository_files, tmp_path):
    forgotten = Path("bounds/forgotten/__init__.py")
    folder = copy_tree(root, repository_files, tmp_path)
    (folder / forgotten).parent.mkdir()
    (folder / forgotten).write_text("", encoding="utf-8")
    with build_wheel(folder) as built:
        assert shipped_files([*repository_files, forgotten]) - packaged_files(built) == {forgotten}


def test_one_console_script(wheel):
    scripts = configparser.ConfigParser()
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    scripts.read_string(wheel.read(name).decode())
    assert {section: dict(scripts[section]) for section in scripts.sections()} == {
        "console_scripts": {"provable-ptq": "provable_ptq.experiments.cli:main"}
    }
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="provable-ptq")
    assert script.load().__module__ == "provable_ptq.experiments.cli"


def test_umbrella_is_an_implicit_namespace():
    assert getattr(provable_ptq, "__file__", None) is None
    assert provable_ptq.__spec__.origin is None


def test_pinned_versions_meet_the_requirements(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {}
    for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pinned[canonicalize_name(name)] = version
    required = [Requirement(text) for texts in (project["dependencies"], *project["optional-dependencies"].values()) for text in texts]
    unmet = [str(need) for need in required if not need.specifier.contains(pinned.get(canonicalize_name(need.name), "0"))]
    assert unmet == []
    assert {str(need.specifier) for need in required if need.name == "torch"} == {"<2.14,>=2.6"}


def test_citation_names_the_version_of_the_package(root):
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: [\"']?([\w.]+)", citation, re.MULTILINE)[1] == version


def forbidden_imports(file, source):
    """Imports of a module that break the rule, as text; `file` is its path in the tree."""
    allowed = ROOMS if file.parent == COMMANDS else ROOMS[: ROOMS.index(file.parts[0]) + 1]
    package = ("provable_ptq", *file.parent.parts)
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.partition(".")[0] in (*ROOMS, "provable_ptq", "tests", "benchmarks")]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [node.module] if node.module.partition(".")[0] in (*ROOMS, "provable_ptq", "tests", "benchmarks") else []
        elif isinstance(node, ast.ImportFrom):
            base = (*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else ()))
            targets = [base] if len(base) > 1 else [(*base, name.name) for name in node.names]
            found += [".".join(target) for target in targets if target[:1] != ("provable_ptq",) or target[1] not in allowed]
    return found


def test_rooms_import_each_other_in_one_direction_and_relatively(root, repository_files):
    modules = [file for file in repository_files if file.parts[0] in ROOMS and file.suffix == ".py"]
    found = {str(file): forbidden_imports(file, (root / file).read_text(encoding="utf-8")) for file in modules}
    assert {file: imports for file, imports in found.items() if imports} == {}
    assert {file.parts[0] for file in modules} == set(ROOMS)


@pytest.mark.parametrize(("file", "source", "refused"), [
    ("algorithms/optq.py", "from ..bounds import check", True),
    ("bounds/checking/problem.py", "from ...experiments.store import read_table", True),
    ("bounds/stochastic/levels.py", "from ...figures import render", True),
    ("bounds/stochastic/levels.py", "from ...algorithms import optq", False),
    ("experiments/report.py", "from ..figures.render import FIGURES", True),
    ("experiments/report.py", "def f():\n    from .. import figures", True),
    ("experiments/report.py", "from .. import bounds", False),
    ("experiments/cli.py", "from ..figures.render import render", True),
    ("experiments/commands/figures.py", "from ...figures.render import render", False),
    ("figures/render.py", "from ..experiments.store import read_table", False),
    ("figures/render.py", "from ..tests import conftest", True),
    ("figures/render.py", "from ... import bounds", True),
    ("figures/render.py", "import bounds.problem", True),
    ("figures/render.py", "from bounds import check", True),
    ("figures/render.py", "import provable_ptq.bounds", True),
    ("figures/render.py", "import numpy", False),
])
def test_the_rule_about_imports_sees_what_breaks_it(file, source, refused):
    assert bool(forbidden_imports(Path(file), source)) is refused
