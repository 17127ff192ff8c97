"""The repository's files, study files made from changes to a small one, and a registry of claims that forgets."""

from __future__ import annotations

import subprocess
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

TINY = {
    "": {"name": '"tiny"', "title": '"A small study"', "seed": "7"},
    "calibration.a": {"kind": '"gaussian"', "samples": "12", "features": "8", "neurons": "3"},
    "sweep": {"name": '"damping"', "calibration": '"a"', "damping": "[0.0, 0.5]", "ordering": '["natural", "min-pivot"]'},
}


@pytest.fixture(scope="session")
def root():
    """The folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def repository_files():
    """Paths, relative to the root, of every file that is tracked or could be: what a clean checkout holds."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted({Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()})


@pytest.fixture
def write_study(tmp_path):
    """Write the small study with changes, {"section.key": TOML text, or None to leave the key out}, and text to append."""

    def write(changes=None, more="", name="study.toml"):
        sections = {section: dict(content) for section, content in TINY.items()}
        for path, text in (changes or {}).items():
            section, _, key = path.rpartition(".")
            sections.setdefault(section, {})[key] = text
        lines = []
        for section, content in sections.items():
            lines += [] if not section else ["[[sweep]]"] if section == "sweep" else [f"[{section}]"]
            lines += [f"{key} = {text}" for key, text in content.items() if text is not None]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n" + more, encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_claims(tmp_path):
    """Write a file that registers one claim of the user's own: OPTQ's damped error is at most `factor` times its bound."""

    def write(factor, claim_id="my-claim", name="my_claim.py"):
        path = tmp_path / name
        path.write_text(f'''
from provable_ptq.bounds import Evaluation, Kind, Origin, claim
from provable_ptq.bounds.checking.hypotheses import unsaturated
from provable_ptq.bounds.checking.measure import damped_error_squared, pivot_sum


@claim(id="{claim_id}", statement="$x$", origin=Origin.OURS, source="a test", kind=Kind.UPPER, unit="squared output error",
       hypotheses=(unsaturated,))
def my_claim(problem, result):
    return Evaluation(damped_error_squared(problem, result), {factor} * pivot_sum(problem) / 4)
''', encoding="utf-8")
        return path

    return write


@pytest.fixture
def own_claims(monkeypatch):
    """Claims that a test registers are forgotten after it, in this process and in workers."""
    from joblib.externals.loky import get_reusable_executor

    registry = import_module("provable_ptq.bounds.checking.registry")
    registry.claims()
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run one command in an empty folder; returns (exit status, standard output, standard error)."""

    def call(*words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["provable-ptq", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            import_module("provable_ptq.experiments.cli").main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call
