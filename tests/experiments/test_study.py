"""A study is refused before anything runs, or becomes exactly the cells that its grid says."""

import hashlib
import itertools
import json
from dataclasses import asdict

import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments.calibration.load import KINDS
from provable_ptq.experiments.cells.permutations import PermutationsCell
from provable_ptq.experiments.cells.sweep import SweepCell
from provable_ptq.experiments.study import SHIPPED, read_study, sweeps


def refusal(path):
    with pytest.raises(InvalidArgumentError) as refused:
        read_study(path)
    return str(refused.value)


BAD = {
    "unknown key of the study": ({"titel": '"x"'}, "key = 'titel'", "; did you mean 'title'?"),
    "unknown key of a sweep": ({"sweep.dampings": "1.0"}, "sweep damping: key = 'dampings'", "; did you mean 'damping'?"),
    "unknown key of a calibration": ({"calibration.a.sampels": "3"}, "calibration.a.sampels = 3", "; did you mean 'samples'?"),
    "unknown calibration": ({"sweep.calibration": '"b"'}, "sweep damping: calibration = 'b'", "one of a"),
    "misspelt calibration": ({"calibration.gaussian.kind": '"gaussian"', "calibration.gaussian.samples": "3",
                              "calibration.gaussian.features": "3", "calibration.gaussian.neurons": "1",
                              "sweep.calibration": '"gausian"'},
                             "sweep damping: calibration = 'gausian'", "; did you mean 'gaussian'?"),
    "unknown kind": ({"calibration.a.kind": '"ar2"'}, "calibration.a.kind = 'ar2'", "; did you mean 'ar1'?"),
    "unknown option": ({"calibration.a.correlation": "0.5"}, "calibration.a.correlation = 0.5", "only the keys kind, samples"),
    "option that makes no matrix": ({"calibration.a.kind": '"ar1"', "calibration.a.correlation": "2.0"},
                                    "calibration.a.correlation = 2.0", "finite"),
    "size of zero": ({"calibration.a.samples": "0"}, "calibration.a.samples = 0", "an integer from 1 to"),
    "missing size": ({"calibration.a.neurons": None}, "calibration.a.neurons = None", "an integer from 1 to"),
    "unknown claim": ({"sweep.claims": '["optq-12"]'}, "sweep damping: claims = 'optq-12'", "; did you mean 'optq-l2'?"),
    "unknown ordering": ({"sweep.ordering": '"decreasing-nrm"'}, "sweep damping: ordering = 'decreasing-nrm'",
                         "; did you mean 'decreasing-norm'?"),
    "random ordering without a seed": ({"sweep.ordering": '"random"'}, "sweep damping: ordering = 'random'", "random:SEED"),
    "ordering as a permutation": ({"sweep.ordering": "[[1, 0]]"}, "sweep damping: ordering = [1, 0]", "natural"),
    "unknown damping rule": ({"sweep.damping": '"mean-diagnal:0.01"'}, "sweep damping: damping = 'mean-diagnal:0.01'",
                             "; did you mean 'mean-diagonal:FRACTION'?"),
    "damping rule without its fraction": ({"sweep.damping": '"spectral"'}, "sweep damping: damping = 'spectral'", "spectral:FRACTION"),
    "negative damping": ({"sweep.damping": "[0.1, -0.1]"}, "sweep damping: damping = -0.1", "numbers >= 0"),
    "damping that is no number": ({"sweep.damping": "nan"}, "sweep damping: damping = nan", "numbers >= 0"),
    "infinite damping": ({"sweep.damping": "inf"}, "sweep damping: damping = inf", "numbers >= 0"),
    "damping that is a truth value": ({"sweep.damping": "true"}, "sweep damping: damping = True", "numbers >= 0"),
    "rule whose fraction is no number": ({"sweep.damping": '"spectral:nan"'}, "sweep damping: damping = 'spectral:nan'", "FRACTION"),
    "unknown rounding": ({"sweep.rounding": '"stochastc"'}, "sweep damping: rounding = 'stochastc'", "; did you mean 'stochastic'?"),
    "rounding that is a table": ({"sweep.rounding": "{a = 1}"}, "sweep damping: rounding = {'a': 1}", "nearest or stochastic"),
    "unknown algorithm": ({"sweep.algorithm": '"qrons"'}, "sweep damping: algorithm = 'qrons'", "; did you mean 'qronos'?"),
    "unknown form": ({"sweep.form": '"projekted"'}, "sweep damping: form = 'projekted'", "; did you mean 'projected'?"),
    "unknown alphabet": ({"sweep.alphabet": '"finit"'}, "sweep damping: alphabet = 'finit'", "; did you mean 'finite'?"),
    "one bit": ({"sweep.bits": "1"}, "sweep damping: bits = 1", "integers from 2 to 32"),
    "bits that are no integers": ({"sweep.bits": "4.0"}, "sweep damping: bits = 4.0", "integers from 2 to 32"),
    "no repetitions": ({"sweep.seeds": "0"}, "sweep damping: seeds = 0", "an integer >= 1"),
    "a list of repetitions": ({"sweep.seeds": "[1, 2]"}, "sweep damping: seeds = [1, 2]", "an integer >= 1"),
    "negative draws": ({"sweep.draws": "-1"}, "sweep damping: draws = -1", "an integer from 0 to 100000000"),
    "draws of nearest rounding": ({"sweep.draws": "5"}, "sweep damping: draws = 5", 'rounding = "stochastic"'),
    "probability of 1": ({"sweep.failure_probability": "1.0"}, "sweep damping: failure_probability = 1.0", "between 0 and 1"),
    "probability that is no number": ({"sweep.failure_probability": "[0.1, nan]"}, "sweep damping: failure_probability = nan",
                                      "between 0 and 1"),
    "empty grid": ({"sweep.damping": "[]"}, "sweep damping: damping = []", "at least one value"),
    "no claims at all": ({"sweep.claims": "[]"}, "sweep damping: claims = []", "at least one value"),
    "value given twice": ({"sweep.damping": "[1, 1.0]"}, "sweep damping: damping = [1, 1.0]", "every value once"),
    "sweep without a name": ({"sweep.name": None}, "sweep ?: name = None", "a name"),
    "sweep with two names": ({"sweep.name": '["a", "b"]'}, "sweep ?: name = ['a', 'b']", "a name"),
    "sweep without a calibration": ({"sweep.calibration": None}, "sweep damping: calibration = None", "[calibration.NAME]"),
    "study without a name": ({"name": None}, "name = None", "a name"),
    "sweep whose name is a path": ({"sweep.name": '"../x"'}, "sweep ../x: name = '../x'", "a name of letters"),
    "sweep whose name is an absolute path": ({"sweep.name": '"/else/x"'}, "sweep /else/x: name = '/else/x'", "a name of letters"),
    "sweep of no name": ({"sweep.name": '""'}, "sweep : name = ''", "a name of letters"),
    "name too long for a file": ({"name": '"' + "x" * 101 + '"'}, "name = '" + "x" * 101 + "'", "at most 100 bytes"),
    "more repetitions than cells": ({"sweep.seeds": "100_000_000"}, "sweep damping: cells = 400000000", "at most 100000 cells"),
    "repetitions beyond every number": ({"sweep.seeds": "1" + "0" * 30}, "sweep damping: cells = 4" + "0" * 30, "at most 100000 cells"),
    "draws beyond every time": ({"sweep.rounding": '"stochastic"', "sweep.draws": "1" + "0" * 30}, "sweep damping: draws = 1" + "0" * 30,
                                "an integer from 0 to"),
    "a rank beyond every matrix": ({"calibration.a.kind": '"low-rank"', "calibration.a.rank": "1" + "0" * 30},
                                   "calibration.a.rank = 1" + "0" * 30, "an integer from 0 to 65,536"),
    "samples beyond every number": ({"calibration.a.samples": "1" + "0" * 30}, "calibration.a.samples = 1" + "0" * 30, "an integer from 1"),
    "a matrix beyond every memory": ({"calibration.a.samples": "1_000_000_000"},
                                     "calibration.a = {'samples': 1000000000, 'features': 8, 'neurons': 3}",
                                     "matrices of at most 2147483648 entries"),
    "name that is a path": ({"name": '"../x"'}, "name = '../x'", "a name of letters"),
    "study without a title": ({"title": None}, "title = None", "a title"),
    "study without a seed": ({"seed": None}, "seed = None", "an integer"),
    "seed that is no integer": ({"seed": "1.5"}, "seed = 1.5", "an integer"),
    "seed that is a truth value": ({"seed": "true"}, "seed = True", "an integer"),
    "unknown mismatch": ({"sweep.mismatch": '"nois:0.1"'}, "sweep damping: mismatch = 'nois:0.1'", "; did you mean 'noise:SIZE'?"),
    "mismatch without its size": ({"sweep.mismatch": '"noise"'}, "sweep damping: mismatch = 'noise'", "noise:SIZE"),
    "quantized layers of no network": ({"sweep.mismatch": '"layers:4"'}, "sweep damping: mismatch = 'layers:4'", "digits"),
    "deployed inputs of no file": ({"sweep.mismatch": '"deployed"'}, "sweep damping: mismatch = 'deployed'", "the key 'deployed'"),
    "unknown steps": ({"sweep.steps": '"unifrm"'}, "sweep damping: steps = 'unifrm'", "; did you mean 'uniform'?"),
    "inverse-pivot steps on an alphabet with ends": ({"sweep.steps": '"inverse-pivot"', "sweep.alphabet": '"finite"'},
                                                     "sweep damping: steps = 'inverse-pivot'", "infinite alphabet only"),
    "stochastic rounding to nearest": ({"sweep.rounding": '"stochastic"', "sweep.algorithm": '"round-to-nearest"'},
                                       "sweep damping: rounding = 'stochastic'", "nearest only"),
    "optimum that is no truth value": ({"sweep.optimum": "1"}, "sweep damping: optimum = 1", "true or false"),
    "optimum of too many features": ({"sweep.optimum": "true", "calibration.a.features": "17"}, "sweep damping: optimum = True",
                                     "at most 16 features (a has 17)"),
    "permutations of too many features": ({"permutations.calibration": '"a"'}, "permutations: calibration = 'a'", "at most 7 features"),
    "permutations of nothing": ({"permutations.damping": "1.0"}, "permutations: calibration = None", "[calibration.NAME]"),
    "unknown key of permutations": ({"permutations.ordering": '"natural"'}, "permutations: key = 'ordering'", "one of calibration"),
    "a size of the construction given twice": ({"growth.features": "[8, 8]"}, "growth: features = [8, 8]", "every value once"),
    "claims that are no list": ({"claims": '"x.py"'}, "claims = 'x.py'", "a list of Python files"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_values_are_refused_with_file_key_value_and_nearest_name(write_study, case):
    changes, shown, accepted = BAD[case]
    path = write_study(changes)
    message = refusal(path)
    assert message.startswith(f"{path}: {shown} is not accepted: ")
    assert accepted in message
    assert "\n" not in message


def test_the_study_that_the_bad_ones_are_made_from_is_good(write_study):
    assert len(read_study(write_study()).cells) == 4


@pytest.mark.parametrize(("text", "shown"), [
    ("", "sweep = None is not accepted: at least one [[sweep]] table"),
    ("sweep = []", "sweep = [] is not accepted: at least one [[sweep]] table"),
    ("sweep = [1]", "sweep = 1 is not accepted: [[sweep]] tables"),
    ("[sweep]\nname = 'x'", "sweep = {'name': 'x'} is not accepted: at least one [[sweep]] table"),
])
def test_sweeps_are_tables(write_study, tmp_path, text, shown):
    head = write_study().read_text(encoding="utf-8").partition("[calibration.a]")
    path = tmp_path / "broken.toml"
    tables = head[1] + head[2].partition("[[sweep]]")[0]
    path.write_text(f"{head[0]}{text}\n{tables}" if "[sweep]" not in text else f"{head[0]}{tables}{text}\n", encoding="utf-8")
    assert refusal(path) == f"{path}: {shown}"


@pytest.mark.parametrize(("text", "shown"), [
    ("", "calibration = None is not accepted: at least one [calibration.NAME] table"),
    ("calibration = {}", "calibration = {} is not accepted: at least one [calibration.NAME] table"),
    ("calibration = 3", "calibration = 3 is not accepted: at least one [calibration.NAME] table"),
    ("calibration.a = 3", "calibration.a = 3 is not accepted: a [calibration.a] table"),
])
def test_calibrations_are_tables(tmp_path, text, shown):
    path = tmp_path / "broken.toml"
    path.write_text(f'name = "x"\ntitle = "x"\nseed = 1\n{text}\n[[sweep]]\nname = "s"\ncalibration = "a"\n', encoding="utf-8")
    assert refusal(path) == f"{path}: {shown}"


def test_cells_given_twice_are_refused(write_study):
    path = write_study(more='[[sweep]]\nname = "damping"\ncalibration = "a"\ndamping = [0.5, 0.7]\nordering = "min-pivot"\n')
    assert refusal(path) == (f"{path}: sweep damping = ('a', 0.5, 'min-pivot') is not accepted: "
                             "a cell that no other sweep of this name has")


def test_files_that_are_no_study_are_refused(tmp_path):
    missing, folder, broken, binary = (tmp_path / name for name in ("missing.toml", "folder.toml", "broken.toml", "binary.toml"))
    folder.mkdir()
    broken.write_text("name = \n", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (missing, folder):
        assert refusal(path) == f"study = {str(path)!r} is not accepted: a TOML file or a shipped study: paper, quick"
    for path in (broken, binary):
        assert refusal(path).startswith(f"study = {str(path)!r} is not accepted: a TOML file (")


def test_a_missing_file_of_claims_is_refused(write_study, tmp_path):
    path = write_study({"claims": '["nowhere.py"]'})
    assert str(tmp_path / "nowhere.py") in refusal(path)


def test_cells_are_the_grid_in_order(write_study):
    again = '[[sweep]]\nname = "again"\ncalibration = ["a"]\nrounding = "stochastic"\ndraws = 9\nclaims = "sto-optq-linf"\n'
    path = write_study({"sweep.seeds": "2", "sweep.bits": "[3, 4]", "sweep.failure_probability": "[0.5, 0.1]"}, more=again)
    study = read_study(path)
    assert (study.name, study.title, study.seed, study.claims_files) == ("tiny", "A small study", 7, ())
    *grid, last = study.cells
    expected = list(itertools.product([0.0, 0.5], ["natural", "min-pivot"], [3, 4], [0, 1]))
    assert [(cell.damping, cell.ordering, cell.bits, cell.seed) for cell in grid] == expected
    assert {cell.failure_probability for cell in grid} == {(0.5, 0.1)}
    assert asdict(last) == {
        "study": "tiny", "study_seed": 7, "sweep": "again", "calibration": "a", "layer": "", "mismatch": "none", "steps": "uniform",
        "parameters": (("features", 8), ("kind", "gaussian"), ("neurons", 3), ("samples", 12)), "damping": 0.0, "ordering": "natural",
        "rounding": "stochastic", "algorithm": "optq", "form": "alternating", "bits": 4, "alphabet": "infinite", "seed": 0, "draws": 9,
        "failure_probability": (0.05,), "claims": ("sto-optq-linf",), "claims_files": (), "optimum": False,
    }


def test_reading_twice_gives_the_same_study(write_study):
    path = write_study()
    assert read_study(path) == read_study(str(path))
    assert read_study(path) != read_study(write_study({"seed": "8"}, name="other.toml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_are_read_by_name(name):
    study = read_study(name)
    assert study.name == name
    assert len(set(study.cells)) == len(study.cells) > 200
    swept = {cell.sweep for cell in study.cells if isinstance(cell, SweepCell)}
    assert swept >= {"damping", "ordering", "tail", "bits", "mismatch", "heldout", "optimum", "rate-distortion"}


def test_the_study_of_the_paper_holds_every_layer_of_the_transformer_and_every_kind_of_matrix():
    swept = [cell for cell in read_study("paper").cells if isinstance(cell, SweepCell)]
    assert len({cell.layer for cell in swept if cell.calibration == "minilm"}) == 36
    assert {dict(cell.parameters)["kind"] for cell in swept} == set(KINDS) - {"file"}
    assert {cell.mismatch.partition(":")[0] for cell in swept} == {"none", "noise", "layers"}


def test_the_quick_study_needs_no_transformer():
    assert read_study("quick").preparations() == []


def test_only_qronos_has_forms(write_study):
    changes = {"sweep.algorithm": '["optq", "qronos"]', "sweep.form": '["projected", "alternating"]', "sweep.damping": "0.5",
               "sweep.ordering": '"natural"'}
    cells = read_study(write_study(changes)).cells
    assert [(cell.algorithm, cell.form) for cell in cells] == [("optq", "projected"), ("qronos", "projected"), ("qronos", "alternating")]


def test_a_table_of_several_layers_becomes_a_cell_each(write_study):
    digits = {"calibration.d.kind": '"digits"', "calibration.d.layer": '"hidden*"', "sweep.calibration": '"d"', "sweep.damping": "0.5",
              "sweep.ordering": '"natural"'}
    cells = read_study(write_study(digits)).cells
    assert [(cell.layer, dict(cell.parameters)["layer"]) for cell in cells] == [("hidden1", "hidden1"), ("hidden2", "hidden2")]


def test_permutations_are_one_cell_per_matrix_and_damping(write_study):
    path = write_study({"calibration.a.features": "3", "permutations.calibration": '"a"', "permutations.damping": "[0.5, 1.0]"})
    cells = [cell for cell in read_study(path).cells if isinstance(cell, PermutationsCell)]
    assert [(cell.calibration, cell.damping, cell.bits) for cell in cells] == [("a", 0.5, 4), ("a", 1.0, 4)]


def test_the_sha256_is_that_of_the_file(write_study):
    path = write_study()
    assert read_study(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_spec_is_json_and_names_everything_that_tells_cells_apart():
    cells = read_study("paper").cells
    specs = [json.dumps(cell.spec(), sort_keys=True) for cell in cells]
    assert len(set(specs)) == len(specs)


def test_a_study_names_its_own_claims_and_no_other_studys(write_study, write_claims, own_claims):
    file = write_claims(1.0)
    path = write_study({"claims": f'["{file.name}"]', "sweep.claims": '["my-claim", "optq-l2"]'})
    study = read_study(path)
    assert study.claims_files == (str(file),)
    assert study.cells[0].claims == ("my-claim", "optq-l2")
    study.load_claims()
    assert "claims = 'my-claim'" in refusal(write_study({"sweep.claims": '["my-claim"]'}, name="other.toml"))


def test_reading_a_study_runs_nothing_of_the_users(write_study, tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit('I was run')\n", encoding="utf-8")
    study = read_study(write_study({"claims": '["mine.py"]', "sweep.claims": '["my-claim"]'}))
    with pytest.raises(InvalidArgumentError, match="I was run"):
        study.load_claims()


def test_a_claim_that_no_file_of_the_study_registers_is_refused_when_they_are_run(write_study, write_claims, own_claims):
    path = write_study({"claims": f'["{write_claims(1.0).name}"]', "sweep.claims": '["my-clam", "optq-l2"]'})
    with pytest.raises(InvalidArgumentError) as refused:
        read_study(path).load_claims()
    assert str(refused.value).startswith(f"{path}: sweep damping: claims = 'my-clam' is not accepted: one of ")
    assert str(refused.value).endswith("; did you mean 'my-claim'?")


def test_as_many_cells_as_are_allowed_are_allowed(write_study, monkeypatch):
    monkeypatch.setattr(sweeps, "MOST_CELLS", 8)
    again = '[[sweep]]\nname = "again"\ncalibration = "a"\n'
    assert len(read_study(write_study({"sweep.seeds": "2"})).cells) == 8
    assert "sweep again: cells = 1 is not accepted: at most 8 cells in a study" in refusal(write_study({"sweep.seeds": "2"}, again))
    assert "sweep damping: cells = 12 is not" in refusal(write_study({"sweep.seeds": "3"}))


@pytest.mark.parametrize("text", ["x = " + "[" * 20_000, "x = " + "{a = " * 20_000, "x" + ".x" * 20_000 + " = 1", "x = " + "9" * 5_000,
                                  "x = '\x00'", "\x00"])
def test_absurd_files_are_refused(tmp_path, text):
    path = tmp_path / "absurd.toml"
    path.write_text(text, encoding="utf-8")
    message = refusal(path)
    assert message.startswith((f"study = {str(path)!r} is not accepted: a TOML file ", f"{path}: key = 'x' is not accepted"))
    assert "\n" not in message
