"""Documents are executed: docstring examples, the README's commands, every number in paper_results.md."""

from __future__ import annotations

import difflib
import doctest
import importlib
import inspect
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from provable_ptq import algorithms, bounds
from provable_ptq.bounds import Claim, Outcome, claims
from provable_ptq.bounds.checking.claim import CHAPTERS
from provable_ptq.experiments import cli, runner
from provable_ptq.experiments.table import read_table, write_table
from provable_ptq.figures import render

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("algorithms", "bounds", "experiments", "figures")
TABLE = Path("experiments/results/paper.parquet")
REPORT = Path("paper_results.md")
PICTURES = Path("figures/rendered")
REQUIRED = {"optq-update", "optq-identity", "optq-l2", "optq-l2-tight", "pivot-bound", "order-floor",
            "sto-optq-linf", "sto-optq-linf-sharp", "sto-optq-linf-rowwise", "sto-optq-l2"}
PROMPT = re.compile(r"^\s*>>> ", re.MULTILINE)


def modules_with_examples():
    """{import name: how many examples its source holds}."""
    sources = {file: file.read_text(encoding="utf-8") for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))}
    names = {file: ".".join(["provable_ptq", *file.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__") for file in sources}
    return {names[file]: len(PROMPT.findall(text)) for file, text in sources.items() if PROMPT.search(text)}


EXAMPLES = modules_with_examples()


def public_names(package):
    return {name: getattr(package, name) for name in package.__all__}


def examples_of(module):
    """The module's examples; a claim's stand in the docstring of the function that it decorates."""
    scope = {"np": np} | public_names(algorithms) | public_names(bounds) | vars(module)
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(module, globs=scope)
    for made in vars(module).values():
        if isinstance(made, Claim) and made.evaluate.__module__ == module.__name__:
            found += finder.find(made.evaluate, name=f"{module.__name__}.{made.evaluate.__name__}", module=module, globs=scope)
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_docstring_examples_print_what_they_show(name):
    if name.startswith(("provable_ptq.experiments.calibration.", "provable_ptq.experiments.networks.")):
        pytest.importorskip("torch")
    output = []
    runner_of_examples = doctest.DocTestRunner()
    for example in examples_of(importlib.import_module(name)):
        runner_of_examples.run(example, out=output.append)
    assert runner_of_examples.failures == 0, "".join(output)
    assert runner_of_examples.tries >= EXAMPLES[name]


def test_there_are_many_examples():
    assert sum(EXAMPLES.values()) >= 70
    assert {name.split(".")[1] for name in EXAMPLES} >= {"algorithms", "bounds", "experiments"}


def test_a_wrong_example_is_caught():
    def wrong():
        """
        >>> optq.__name__, np.__name__
        ('optq', 'nympy')
        """

    (example,) = doctest.DocTestFinder().find(wrong, globs={"np": np} | public_names(algorithms))
    assert doctest.DocTestRunner().run(example, out=lambda text: None).failed == 1


@pytest.mark.parametrize("name", [name for name, value in public_names(algorithms).items() if inspect.isfunction(value)])
def test_public_functions_have_an_example(name):
    assert PROMPT.search(inspect.getdoc(getattr(algorithms, name)))


def test_shipped_claims_have_an_example():
    shipped = [made for made in claims().values() if made.chapter in CHAPTERS]
    assert {made.id for made in shipped} >= REQUIRED
    assert [made.id for made in shipped if not PROMPT.search(made.evaluate.__doc__ or "")] == []


@pytest.fixture
def reproduced(tmp_path, monkeypatch):
    """paper_results.md as `provable-ptq reproduce` writes it, from a given table instead of a run of the study."""

    def reproduce(table):
        checkout = tmp_path / "checkout"
        shutil.copytree(ROOT / PICTURES, checkout / PICTURES, dirs_exist_ok=True)
        (checkout / TABLE).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(table, checkout / TABLE)
        monkeypatch.setattr(runner, "run_study", lambda study, table, *rest, **options: runner.Summary(Path(table), 0, 0, 0, ()))
        monkeypatch.setattr(render, "render", lambda table, folder, *rest, **options: render.Rendered([], []))
        monkeypatch.setattr("sys.argv", ["provable-ptq", "reproduce", "--update", "--output", str(checkout)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        return (checkout / REPORT).read_bytes()

    return reproduce


def stale_lines(document, rendered):
    """The lines in which two documents differ, as bytes."""
    if document == rendered:
        return []
    lines = [text.decode("utf-8", "replace").splitlines(keepends=True) for text in (document, rendered)]
    return [line for line in difflib.ndiff(*lines) if line[0] in "+-"]


def test_report_is_what_its_table_says(reproduced):
    assert stale_lines((ROOT / REPORT).read_bytes(), reproduced(ROOT / TABLE)) == []


def test_report_with_any_one_number_altered_is_noticed(reproduced):
    text, rendered = (ROOT / REPORT).read_text(encoding="utf-8"), reproduced(ROOT / TABLE)
    digits = [match.start() for match in re.finditer(r"\d", text)]
    assert len(digits) > 500
    unseen = [place for place in digits if altered_at(text, place) == rendered]
    assert unseen == []
    for place in digits[::50]:
        assert len(stale_lines(altered_at(text, place), rendered)) >= 2


def altered_at(text, place):
    return (text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]).encode()


@pytest.mark.parametrize("column", ["ratio", "reconstruction", "failures", "interval_low", "level", "saturated_share", "pivot_square_sum"])
def test_report_of_an_altered_table_is_another(reproduced, tmp_path, column):
    rows, made = read_table(ROOT / TABLE)
    changed = rows["claim"] == "sto-optq-linf" if column == "level" else rows[column].notna()
    altered = write_table(rows.assign(**{column: rows[column].where(~changed, 1.5 * rows[column])}), made, tmp_path / "altered.parquet")
    assert stale_lines((ROOT / REPORT).read_bytes(), reproduced(altered))


def test_report_links_to_files_that_exist():
    text = re.sub(r"\$[^$\n]*\$", "", (ROOT / REPORT).read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)#]+)\)", text)
    local = [link for link in links if "://" not in link]
    assert TABLE.as_posix() in local
    assert {f"{(PICTURES / name).as_posix()}.png" for name in render.FIGURES} <= set(local)
    assert [link for link in local if not (ROOT / link).is_file()] == []


def test_report_tells_every_claim_that_was_tested_and_where():
    rows, _ = read_table(ROOT / TABLE)
    tested = rows[(rows["record"] == "claim") & (rows["sweep"] != "tightness") & (rows["outcome"] != Outcome.NOT_APPLICABLE.value)]
    constructed = set(tested[tested["sweep"] == "constructions"]["claim"])
    tested = tested[tested["sweep"] != "constructions"]
    matrices = {claim: len(group.groupby(["calibration", "layer"])) for claim, group in tested.groupby("claim")}
    text = (ROOT / REPORT).read_text(encoding="utf-8")
    section = text.partition("## Claims")[2].partition("\n## ")[0]
    listed = {line.split("`")[1]: line for line in section.splitlines() if line.startswith(("| `", "| [`"))}
    assert set(listed) == set(matrices) | constructed
    assert [claim for claim in constructed if "| its own construction |" not in listed[claim]] == []
    assert set(listed) >= REQUIRED
    assert [claim for claim in matrices if f"| {matrices[claim]} matri" not in listed[claim]] == []


def test_every_claim_of_the_registry_is_tested_in_the_study():
    rows, _ = read_table(ROOT / TABLE)
    own_constructions = {made.id for made in claims().values() if made.fixed}
    shipped = {made.id for made in claims().values() if made.chapter in CHAPTERS}
    decided = rows[(rows["record"] == "claim") & (rows["sweep"] != "tightness") & rows["outcome"].isin(["holds", "undecided"])]
    assert shipped - own_constructions - set(decided["claim"]) == set()


def test_committed_table_is_small():
    assert 0 < (ROOT / TABLE).stat().st_size < 2_000_000


def test_readme_shows_both_commands_first():
    first_screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40])
    assert re.search(r"^make reproduce\b", first_screen, re.MULTILINE)
    assert re.search(r"^make test\b", first_screen, re.MULTILINE)


def test_readme_commands_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", readme, re.DOTALL))
    assert set(re.findall(r"\bmake ([a-z][\w-]*)", code)) - targets == set()
    assert set(re.findall(r"\bprovable-ptq ([a-z][\w-]*)", code)) - commands == set()
    assert {"setup", "reproduce", "test", "lint"} <= targets


PRIVATE = {
    "a path of one machine": re.compile(r"(?<![\w./:])/(?:" + "|".join(["home", "root", "Users", "work", "tmp", "mnt", "media"]) + r")/\w"),
    "a drive of one machine": re.compile(r"\b[A-Z]:" + r"\\\w"),
    "a package registry": re.compile("pypi" r"\.org|python" r"hosted|ana" r"conda\.org|download" r"\.pytorch|index" "-url"),
}


def private_marks(text):
    return {what: pattern.search(text)[0] for what, pattern in PRIVATE.items() if pattern.search(text)}


def test_no_file_names_a_machine_or_a_registry(repository_files):
    found = {}
    for file in repository_files:
        content = (ROOT / file).read_bytes()
        if b"\0" not in content and (marks := private_marks(content.decode("utf-8"))):
            found[str(file)] = marks
    assert found == {}


@pytest.mark.parametrize("text", ["open('/" "home/x.npz')", "C:" "\\Users", "https://pypi" ".org/simple", "--index" "-url x"])
def test_machine_and_registry_marks_are_seen(text):
    assert private_marks(text)
    assert not private_marks(text.replace("/", "-").replace("\\", "-").replace("pypi", "x").replace("index", "x"))


def test_readme_python_runs_and_prints_a_verdict(root, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("holds 0.")
