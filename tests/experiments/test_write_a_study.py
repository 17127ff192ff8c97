"""WRITE_A_STUDY.md is executed: its study runs on files of one's own, and its table of keys is that of the reader."""

import re

import numpy as np
import pytest
from provable_ptq.experiments.runner import run_study
from provable_ptq.experiments.study import SWEEP_KEYS, read_study
from provable_ptq.experiments.table import read_table
from provable_ptq.figures.render import render


@pytest.fixture
def document(root):
    return (root / "experiments/WRITE_A_STUDY.md").read_text(encoding="utf-8")


def test_the_study_of_a_layer_of_ones_own_runs_and_is_drawn(document, tmp_path):
    rng = np.random.default_rng(0)
    files = {"activations": (60, 12), "weights": (12, 7), "validation": (30, 12), "quantized": (60, 12)}
    for name, shape in files.items():
        np.save(tmp_path / f"{name}.npy", rng.standard_normal(shape))
    (toml,) = re.findall(r"```toml\n(.*?)```", document, re.DOTALL)
    path = tmp_path / "my_layer.toml"
    path.write_text(toml.replace("# held_out", "held_out"), encoding="utf-8")
    done = run_study(read_study(path), tmp_path / "table.parquet", workers=1, progress=False)
    rows, made = read_table(done.table)
    assert done.failures == ()
    assert set(rows["sweep"]) == {"damping", "heldout"}
    assert len(made["inputs"]) == 3
    drawn = render(done.table, tmp_path / "figures", progress=False)
    assert {file.stem for file in drawn.paths} == {"error_against_damping", "heldout_against_damping"}


def test_the_commented_keys_of_the_study_are_keys(document, tmp_path):
    (toml,) = re.findall(r"```toml\n(.*?)```", document, re.DOTALL)
    rng = np.random.default_rng(0)
    for name, shape in {"activations": (60, 12), "weights": (7, 12), "validation": (30, 12), "quantized": (60, 12)}.items():
        np.save(tmp_path / f"{name}.npy", rng.standard_normal(shape))
    path = tmp_path / "my_layer.toml"
    path.write_text(re.sub(r"^# (layout|held_out|deployed)", r"\1", toml, flags=re.MULTILINE), encoding="utf-8")
    assert len(read_study(path).cells) == 12


def test_every_key_of_a_sweep_is_in_the_table_of_keys(document):
    assert set(re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE)) == set(SWEEP_KEYS)
