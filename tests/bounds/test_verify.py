"""The verifier accepts what is so and rejects what is not, in a fresh process that knows nothing of the project."""

import ast
import json
import re
import subprocess
import sys
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, InvalidArgumentError
from provable_ptq.bounds import Kind, Outcome, Problem, claims, verify
from provable_ptq.bounds.campaign import mended
from provable_ptq.bounds.checking.claim import CHAPTERS
from provable_ptq.bounds.deterministic.optq_alphabet import sufficient_alphabet
from provable_ptq.bounds.exact.certificates import certificate, sealed, write_certificate
from provable_ptq.bounds.problems.drawn import draw_problem
from provable_ptq.experiments import cli
from provable_ptq.experiments.cells.replay import shipped_attacks

PROGRAM = Path(verify.__file__)
SHIPPED = Path(cli.__file__).parent / "studies" / "attacks"
ROUNDINGS = ("nearest", "stochastic")


def in_a_fresh_process(file):
    """(exit status, what it prints) of the program alone: isolated, no site packages, an empty environment."""
    done = subprocess.run([sys.executable, "-I", "-S", PROGRAM, file], capture_output=True, text=True, env={}, cwd="/", check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def said(given):
    """The sentence of an accepted certificate, or the reason of a rejected one; it is sealed anew, as by a careful forger."""
    try:
        return verify.verify(sealed(json.loads(json.dumps(given))))
    except ValueError as error:
        return f"rejected: {error}"


def drawn(seed, claim_id, largest=4):
    made = claims()[claim_id]
    algorithm = made.algorithms[seed % len(made.algorithms)]
    rounding = "nearest" if algorithm == "round-to-nearest" else made.rounding or ROUNDINGS[seed % 2]
    problem = draw_problem(np.random.default_rng([17, seed]), largest)
    problem = problem.but(algorithm=algorithm, form=("alternating", "projected")[seed // 2 % 2], rounding=rounding)
    mismatched = seed % 3 == 0 or any(needed.name == "the layer's deployed inputs are given" for needed in made.hypotheses)
    return mended(made, problem if mismatched else problem.but(X_quantized=None))


def layer(algorithm="optq", mismatch=0.0, **changes):
    """A layer of four features and two neurons on which nothing is tied, zero, or saturated."""
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((5, 4)), rng.standard_normal((4, 2))
    deployed = X + mismatch * rng.random((5, 4)) if mismatch else None
    settings = {"damping": "mean-diagonal:0.1", "ordering": "decreasing-norm", "algorithm": algorithm, "X_quantized": deployed}
    return Problem(X, W, Grid(0.25, -20, 20), **settings | changes)


def test_the_program_is_one_short_file_of_the_standard_library():
    text = PROGRAM.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in imported if isinstance(node, ast.Import) for alias in node.names}
    names |= {"." * node.level + (node.module or "") for node in imported if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names
    assert not names & {"importlib", "ctypes", "subprocess"}
    assert "__import__" not in text


def test_every_claim_that_one_run_decides_in_fractions_is_covered():
    """Not covered: predictions, claims about the law of random draws, and the two constructions with numbers of their own."""
    decided = {made.id for made in claims().values()
               if made.chapter in CHAPTERS and made.kind in (Kind.IDENTITY, Kind.UPPER, Kind.LOWER) and not made.fixed}
    assert set(verify.CLAIMS) == decided
    assert len(decided) == 21


@pytest.mark.parametrize(("claim_id", "size"), [pair for pair in shipped_attacks() if pair[0] in verify.CLAIMS])
def test_every_shipped_closest_approach_is_accepted(claim_id, size, tmp_path):
    file = write_certificate(Problem.load(SHIPPED / size / f"{claim_id}.npz"), claim_id, tmp_path / "certificate.json")
    assert in_a_fresh_process(file) == (0, f"accepted: {claim_id} holds, decided in exact fractions\n")


@pytest.mark.parametrize("claim_id", sorted(verify.CLAIMS))
def test_drawn_problems_are_accepted(claim_id):
    for seed in range(8):
        made = certificate(drawn(seed, claim_id), claim_id)
        assert said(made).startswith(f"{claim_id} holds"), (seed, said(made))


@pytest.mark.parametrize("form", ["alternating", "projected"])
@pytest.mark.parametrize("claim_id", ["qronos-identity", "qronos-equivalence", "qronos-l2", "feedback-form", "pivot-bound"])
def test_dead_and_dependent_columns_without_damping_are_decided(claim_id, form):
    rng = np.random.default_rng(3)
    X = rng.integers(-3, 4, (3, 6)).astype(float)
    X[:, 1] = 0
    deployed = X.copy()
    deployed[:, [0, 3]] += 1
    for ordering in ("natural", np.array([1, 0, 2, 3, 4, 5])):
        problem = Problem(X, rng.standard_normal((6, 2)), Grid(0.5), "qronos", form, ordering=ordering, X_quantized=deployed)
        assert said(certificate(problem, claim_id)) == f"{claim_id} holds"


def test_the_minimum_norm_decides_where_many_fits_are_as_good():
    problem = Problem(np.array([[1.0, 1.0, 1.0]]), np.array([[0.4], [0.35], [0.2]]), Grid(1.0))
    made = certificate(problem, "optq-update")
    assert made["codes"] == [[0], [1], [0]]
    assert said(made) == "optq-update holds"


def test_what_holds_for_some_neurons_only_is_said():
    W = np.array([[0.3, 9.0], [0.4, 0.2]])
    made = certificate(Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), W, Grid(0.5, -2, 2)), "optq-l2")
    assert len(made["measured"]) == 1
    assert said(made) == "optq-l2 holds for 1 of 2 neurons"


def test_a_decimal_tie_does_not_fool_the_search_for_the_optimum():
    made = certificate(Problem(np.array([[1.0]]), np.array([[0.55]]), Grid(0.1)), "optq-l2")
    rows = verify.Neuron(verify.Layer(made), 0).floors()
    assert {row[0] for row in rows} == {True}
    assert rows[0][1:] == rows[4][1:], "the result is the optimum, and attains the floor"


# Corrupted certificates: what is done to one, and the reason that must be given.

def put(path, value):
    """A corruption: the entry at `path` becomes `value`, or what `value` makes of it."""
    def corrupt(made):
        *outer, last = path
        for key in outer:
            made = made[key]
        made[last] = value(made[last]) if callable(value) else value
    return corrupt


def scaled(factor):
    return lambda text: (float.fromhex(text) * factor).hex()


def swapped(made):
    made["measured"], made["bound"] = made["bound"], made["measured"]


def reordered(made):
    order = made["ordering"]["order"]
    order[0], order[1] = order[1], order[0]


CORRUPTIONS = {
    "an entry of X": (put(("X", 2, 1), scaled(1.001)), "the damping does not follow its rule 'mean-diagonal:0.1'"),
    "the sign of an entry of X": (put(("X", 0, 0), scaled(-1)), "a measured side is 0x.* and the inputs give 0x|the code of feature"),
    "an entry of another matrix": (put(("X_quantized",), [["0x1p+0"] * 4] * 5), "the ordering does not|the damping does not"),
    "a weight": (put(("W", 1, 1), scaled(1.001)), "a measured side is"),
    "a code": (put(("codes", 3, 1), lambda code: code + 1), r"the code of feature 3, neuron 1 is -?\d+, not -?\d+"),
    "a code that is no integer": (put(("codes", 3, 1), 1.0), "malformed|float"),
    "a step": (put(("step", 0, 0), scaled(1.0001)), "side is|the code of feature"),
    "a step of zero": (put(("step", 0, 0), "0x0p+0"), "the damping is negative, or a step not positive"),
    "an end of the alphabet": (put(("high",), [[0, 0]] * 4), "the code of feature"),
    "the bound": (put(("bound", 0, 0), scaled(0.999)), "a bound side is 0x.* and the inputs give"),
    "the measured side": (put(("measured", 1, 0), scaled(1 + 1e-11)), "a measured side is"),
    "both sides swapped": (swapped, "a measured side is"),
    "a side less": (put(("bound", 1), []), "there are 1 bound sides, and the claim has 2"),
    "the claim, unknown": (put(("claim",), "optq-l3"), "'optq-l3' is not a claim that this program decides"),
    "the claim, not covered": (put(("claim",), "sto-optq-linf"), "'sto-optq-linf' is not a claim that this program decides"),
    "the claim, another one": (put(("claim",), "optq-identity"), "a bound side is"),
    "the claim, of another algorithm": (put(("claim",), "qronos-l2"), "qronos-l2 is not about optq with nearest rounding"),
    "the ordering, another one": (reordered, "the ordering does not follow its rule 'decreasing-norm'"),
    "the ordering, no permutation": (put(("ordering", "order", 0), 3), r"the ordering is no permutation of 0\.\.3"),
    "the ordering's rule": (put(("ordering", "rule"), "increasing-norm"), "the ordering does not follow its rule 'increasing-norm'"),
    "the ordering's rule, unknown": (put(("ordering", "rule"), "best"), "the ordering does not follow its rule 'best'"),
    "the damping": (put(("damping", "value"), scaled(1 + 1e-6)), "the damping does not follow its rule 'mean-diagonal:0.1'"),
    "the damping, no rule": (put(("damping",), {"rule": None, "value": (0.001).hex()}), "side is|the code of feature"),
    "a negative damping": (put(("damping", "value"), scaled(-1)), "the damping is negative, or a step not positive"),
    "the outcome": (put(("outcome",), "violated"), "the outcome is 'violated', and in exact fractions it is 'holds'"),
    "the format": (put(("format",), "provable-ptq certificate 2"), "the format is not 'provable-ptq certificate 1'"),
    "the algorithm": (put(("algorithm",), "gpfq"), "optq-l2 is not about gpfq with nearest rounding"),
    "the rounding": (put(("rounding",), "upwards"), "malformed .*upwards"),
    "the form": (put(("form",), "sideways"), "malformed .*sideways"),
    "no number": (put(("W", 0, 0), "nan"), "NaN"),
    "infinity": (put(("W", 0, 0), "inf"), "malformed .*Infinity"),
    "a number that is no string": (put(("W", 0, 0), 0.5), "malformed"),
    "a row too short": (put(("X", 1), lambda row: row[:-1]), r"X does not have the shape \(5, 4\)"),
    "rows too few": (put(("X_quantized",), [["0x1p+0"] * 4]), r"X_quantized does not have the shape \(5, 4\)"),
    "a field less": (lambda made: made.pop("W"), "malformed .*'W'"),
}


@pytest.fixture(scope="module")
def sound():
    """The text of a sound certificate."""
    return json.dumps(certificate(layer(), "optq-l2"))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_corrupted_certificate_is_rejected_for_its_reason(kind, sound, tmp_path, capsys):
    corrupt, reason = CORRUPTIONS[kind]
    made = json.loads(sound)
    corrupt(made)
    for name, content in (("as it is", made), ("sealed anew", sealed(made))):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
        assert verify.main(str(tmp_path / name)) == 1
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith("rejected: ")
        assert re.search(reason, line), line


@pytest.mark.parametrize("claim_id", ["pivot-bound", "optq-l2"])
def test_what_a_claim_does_not_read_may_not_be_changed_either(claim_id):
    made = certificate(layer(mismatch=0.1), claim_id)
    changed = json.loads(json.dumps(made))
    changed["X"][0][0] = scaled(2)(changed["X"][0][0])
    assert said(changed) == f"{claim_id} holds", "the claim is about the deployed inputs alone"
    with pytest.raises(ValueError, match="the SHA-256 is that of another content"):
        verify.verify(changed)


def test_the_certificate_that_was_corrupted_is_sound(sound, tmp_path):
    file = tmp_path / "sound.json"
    file.write_text(sound, encoding="utf-8")
    assert in_a_fresh_process(file) == (0, "accepted: optq-l2 holds, decided in exact fractions\n")


@pytest.mark.parametrize(("claim_id", "algorithm"), [("optq-mismatch", "optq"), ("qronos-l2", "qronos"), ("gpfq-mismatch", "gpfq")])
def test_every_number_of_a_certificate_matters(claim_id, algorithm):
    made = certificate(layer(algorithm, mismatch=0.1, damping=0.3, ordering="natural"), claim_id)
    text = json.dumps(made)
    accepted = []
    for name in ("X", "X_quantized", "W", "step", "measured", "bound"):
        for i, j in product(range(len(made[name])), range(len(made[name][0]))):
            changed = json.loads(text)
            changed[name][i][j] = scaled(1 + 1e-6)(changed[name][i][j])
            if not said(changed).startswith("rejected"):
                accepted.append((name, i, j))
    assert accepted == []


def test_files_that_are_no_certificates_end_with_2(sound, tmp_path):
    (tmp_path / "folder").mkdir()
    contents = {"truncated": sound[: len(sound) // 2].encode(), "empty": b"", "binary": b"\xff\xfe\x00", "deep": b"[" * 100_000}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in (*contents, "folder", "missing"):
        status, text = in_a_fresh_process(tmp_path / name)
        assert status == 2, name
        assert text.startswith("rejected: "), name
        assert len(text.splitlines()) == 1


def test_a_false_claim_is_violated_and_its_witness_accepted(monkeypatch):
    """Were OPTQ's bound a tenth of what it is: only `violated` is accepted of it."""
    def too_small(n):
        return [verify.at_most(n.damped, n.bound / 10)]

    monkeypatch.setitem(verify.CLAIMS, "optq-l2", (*verify.CLAIMS["optq-l2"][:3], too_small))
    made = certificate(layer(), "optq-l2")
    made["bound"] = [[scaled(0.1)(text) for text in row] for row in made["bound"]]
    assert said(made) == "rejected: the outcome is 'holds', and in exact fractions it is 'violated'"
    assert said(made | {"outcome": "violated"}) == "optq-l2 violated"


def test_what_does_not_apply_is_rejected():
    made = certificate(layer(), "optq-l2")
    saturated = json.loads(json.dumps(made)) | {"high": [[0, 0]] * 4, "low": [[0, 0]] * 4, "codes": [[0, 0]] * 4}
    assert said(saturated) == "rejected: optq-l2 does not apply: its hypothesis 'no step saturates' fails"
    alone = certificate(layer(mismatch=0.1), "optq-mismatch")
    alone |= {"X": alone["X_quantized"], "X_quantized": None}
    assert said(alone) == "rejected: optq-mismatch does not apply: its hypothesis 'deployed inputs are given' fails"


@pytest.mark.parametrize("rule", ["none", "mean-diagonal:0.01", "spectral:0.001", "spectral:3", "george-saab", "mean-diagonal:0"])
def test_damping_rules_are_checked(rule):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((7, 5)) * 10.0 ** rng.uniform(-3, 3, 5)
    made = certificate(Problem(X, rng.standard_normal((5, 1)), Grid(0.3), damping=rule), "pivot-bound")
    assert said(made) == "pivot-bound holds"
    for change in (1 + 1e-6, 1 - 1e-6):
        value = float.fromhex(made["damping"]["value"]) * change or 1e-9
        wrong = made | {"damping": {"rule": rule, "value": value.hex()}}
        assert said(wrong) == f"rejected: the damping does not follow its rule {rule!r}"


def test_the_two_mean_diagonals_differ_in_dead_features():
    X = np.array([[3.0, 0.0], [4.0, 0.0]])
    made = certificate(Problem(X, np.zeros((2, 1)), Grid(1.0), damping=2.5), "pivot-bound")
    follows = {rule: said(made | {"damping": {"rule": rule, "value": value.hex()}}).startswith("pivot-bound") or "side" in said(
        made | {"damping": {"rule": rule, "value": value.hex()}}) for rule, value in (
            ("mean-diagonal:0.1", 2.5), ("mean-diagonal-all:0.1", 1.3), ("mean-diagonal-all:0.125", 1.625))}
    assert follows == dict.fromkeys(follows, True)
    assert "does not follow" in said(made | {"damping": {"rule": "mean-diagonal-all:0.1", "value": (2.5).hex()}})


@pytest.mark.parametrize("rule", ["natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:3"])
def test_ordering_rules_are_checked(rule):
    answers = set()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((6, 5)) @ rng.standard_normal((5, 5))
        made = certificate(Problem(X, rng.standard_normal((5, 1)), Grid(0.3), damping=0.01, ordering=rule), "optq-identity")
        assert said(made) == "optq-identity holds"
        wrong = json.loads(json.dumps(made))
        reordered(wrong)
        answers.add(said(wrong))
    ordered = {f"rejected: the ordering does not follow its rule {rule!r}"}
    assert answers == ordered if rule in ("natural", "decreasing-norm", "increasing-norm") else ordered <= answers or rule == "random:3"


def test_equal_columns_may_come_in_any_order():
    X = np.array([[1.0, 1.0, 2.0], [2.0, 2.0, 1.0], [0.0, 0.0, 5.0]])
    for rule in ("decreasing-norm", "min-pivot"):
        made = certificate(Problem(X, np.ones((3, 1)) / 3, Grid(0.5), damping=0.1, ordering=rule), "optq-identity")
        assert said(made) == "optq-identity holds"


# What the verdicts rest on, against definitions.

def test_the_least_eigenvalue_is_enclosed():
    rng = np.random.default_rng(1)
    A = rng.integers(-9, 9, (6, 4)).astype(float)
    G = [[Fraction(x) for x in row] for row in A.T @ A]
    low, high = verify.least_eigenvalue(G)
    assert low < high <= low * (1 + Fraction(1, 10**17))
    np.testing.assert_allclose(float(low), np.linalg.eigvalsh(A.T @ A)[0], rtol=1e-12)
    singular = [[Fraction(x) for x in row] for row in A @ A.T]
    assert verify.least_eigenvalue(singular) == (0, 0)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_smallest_solution_is_the_pseudoinverse(rank):
    rng = np.random.default_rng(rank)
    A = (rng.integers(-4, 5, (5, rank)) @ rng.integers(-4, 5, (rank, 4))).astype(float)
    b = rng.integers(-9, 9, 5).astype(float)
    H, g = A.T @ A, A.T @ b
    x = verify.least_norm([[Fraction(y) for y in row] for row in H], [Fraction(y) for y in g])
    np.testing.assert_allclose([float(y) for y in x], np.linalg.pinv(A) @ b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_is_that_of_all_near_grid_points(seed):
    rng = np.random.default_rng(seed)
    X, W = rng.standard_normal((4, 3)) @ np.array([[1, 0.9, 0.9], [0, 0.3, 0.2], [0, 0, 0.2]]), rng.standard_normal((3, 1))
    problem = Problem(X, W, Grid(0.5), damping=0.01, ordering="increasing-norm")
    neuron = verify.Neuron(verify.Layer(certificate(problem, "optq-l2")), 0)
    around = np.rint(W[:, 0] / 0.5)
    points = [0.5 * (around + shift) for shift in product(range(-4, 5), repeat=3)]
    errors = [np.sum((X @ (W[:, 0] - q)) ** 2) + 0.01 * np.sum((W[:, 0] - q) ** 2) for q in points]
    assert float(neuron.optimum()) == pytest.approx(min(errors), rel=1e-12)


def test_roots_are_compared_exactly():
    two, eight = Fraction(2), Fraction(8)
    assert verify.at_most(Fraction(0), Fraction(-1), Fraction(1))[0], "0 <= -1 + 1"
    assert not verify.at_most(Fraction(1, 10**40), Fraction(-1), Fraction(1))[0]
    assert verify.root(two) ** 2 == pytest.approx(2, rel=1e-15)
    assert verify.root(eight) / verify.root(two) == pytest.approx(2, rel=1e-15)
    assert verify.at_most(Fraction(-5), Fraction(-1), Fraction(0))[0]


# Where certificates come from, and the command line.

def test_a_certificate_is_refused_where_nothing_would_decide_it(tmp_path):
    for claim_id, why in (("sto-optq-linf", "a claim that certificates are written for"), ("gpfq-l2", "exact arithmetic decides gpfq-l2")):
        with pytest.raises(InvalidArgumentError, match=why):
            write_certificate(layer(), claim_id, tmp_path / "no.json")
    assert list(tmp_path.iterdir()) == []


def test_exact_checks_write_certificates_that_a_fresh_process_accepts(command, tmp_path):
    chosen = [word for claim_id in ("qronos-l2", "optq-l2-tight", "sto-optq-l2") for word in ("--claim", claim_id)]
    status, out, err = command("check", "--exact", "--examples", 2, *chosen, "--workers", 1, "--certificates", "certified")
    assert status == 0, err
    assert out.splitlines()[-1].startswith("certificates of 2 claims in certified")
    files = sorted((tmp_path / "certified").iterdir())
    assert [file.name for file in files] == ["optq-l2-tight.json", "qronos-l2.json"]
    assert [in_a_fresh_process(file)[0] for file in files] == [0, 0]
    assert command("replay", "certified/qronos-l2.json") == (0, "accepted: qronos-l2 holds, decided in exact fractions\n", "")


def test_certificates_need_exact_arithmetic_and_a_folder(command, tmp_path):
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    for words in (("--certificates", "new"), ("--exact", "--certificates", "file")):
        status, out, err = command("check", "--examples", 1, *words)
        assert (status, out) == (2, "")
        assert err.startswith("error: certificates = ")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_attacks_write_certificates_beside_their_problems(command, tmp_path):
    status, out, _ = command("attack", "optq-l2", "--features", 3, "--samples", 3, "--budget", 60, "--output", "found")
    assert status == 0
    assert sorted(file.name for file in (tmp_path / "found").iterdir()) == [
        "optq-l2-found.json", "optq-l2-found.npz", "optq-l2.json", "optq-l2.npz"]
    for name in ("optq-l2", "optq-l2-found"):
        assert str(Path("found") / f"{name}.json") in out
        assert in_a_fresh_process(tmp_path / "found" / f"{name}.json")[0] == 0
        status, out_of_problem, _ = command("replay", f"found/{name}.npz")
        assert status == 0
        in_float64, exactly = out_of_problem.splitlines()
        assert in_float64.startswith("optq-l2 in float64: holds")
        assert exactly.startswith("optq-l2 exactly: holds")


def test_an_attack_without_certificate_leaves_no_older_one(command, tmp_path):
    (tmp_path / "out" / "attacks").mkdir(parents=True)
    old = tmp_path / "out" / "attacks" / "sto-optq-l2.json"
    old.write_text("of another problem", encoding="utf-8")
    assert command("attack", "sto-optq-l2", "--features", 2, "--samples", 2, "--budget", 20)[0] == 0
    assert not old.exists()


def test_float_and_exact_witnesses_do_not_overwrite_each_other(command, write_claims, own_claims, tmp_path):
    words = ("check", "--claims", write_claims(0), "--claim", "my-claim", "--examples", 3, "--workers", 1)
    ended = [command(*words, *more) for more in ((), ("--exact", "--certificates", "certified"))]
    assert [status for status, _, _ in ended] == [1, 1], ended
    witnesses = sorted(file.name for file in (tmp_path / "out" / "witnesses").iterdir())
    assert witnesses == ["my-claim-exact.npz", "my-claim.npz"]
    assert not (tmp_path / "certified").exists(), "no program but the claim's own file can decide it"
    for name in witnesses:
        status, out, _ = command("replay", f"out/witnesses/{name}", "--claims", write_claims(0))
        assert status == 1
        assert out.splitlines()[0].startswith("my-claim in float64: violated")
        assert out.splitlines()[1].startswith("my-claim exactly: violated")
    status, out, _ = command("replay", "out/witnesses/my-claim.npz", "--claim", "optq-l2")
    assert (status, out.splitlines()[1][:23]) == (0, "optq-l2 exactly: holds ")


def test_a_saved_problem_gets_its_certificate_on_demand(command, tmp_path):
    shipped = SHIPPED / "full" / "optq-l2.npz"
    status, out, err = command("replay", shipped, "--certificate", "out/optq-l2.json")
    assert status == 0, err
    assert out.splitlines()[-1] == f"certificate: {Path('out/optq-l2.json')}"
    assert in_a_fresh_process(tmp_path / "out" / "optq-l2.json") == (0, "accepted: optq-l2 holds, decided in exact fractions\n")
    for words in ((SHIPPED / "full" / "sto-optq-l2.npz", "--certificate", "no.json"), ("out/optq-l2.json", "--certificate", "no.json")):
        status, out, err = command("replay", *words)
        assert (status, out) == (2, "")
        assert err.startswith("error: ")
    assert not (tmp_path / "no.json").exists()


def test_a_replay_tells_rejected_from_unreadable(command, sound, tmp_path):
    made = json.loads(sound)
    CORRUPTIONS["a code"][0](made)
    (tmp_path / "rejected.json").write_text(json.dumps(made), encoding="utf-8")
    (tmp_path / "truncated.json").write_text(sound[:-100], encoding="utf-8")
    assert command("replay", "rejected.json")[0] == 1
    assert command("replay", "truncated.json")[0] == 2
    for name in ("missing.npz", "notes.txt", "."):
        status, out, err = command("replay", name)
        assert (status, out) == (2, "")
        assert err.startswith("error: file = "), name
    Problem.save(layer(), tmp_path / "unnamed.npz")
    assert command("replay", "unnamed.npz")[2].startswith("error: claim id = 'unnamed' is not accepted")


def test_exact_arithmetic_has_the_last_word_in_a_replay(command, tmp_path, monkeypatch):
    """What float64 refuses, since columns depend, is decided exactly."""
    problem = Problem(np.array([[1.0, 1.0, 1.0]]), np.array([[0.4], [0.35], [0.2]]), Grid(1.0))
    problem.save(tmp_path / "optq-l2-exact.npz")
    status, out, _ = command("replay", "optq-l2-exact.npz")
    assert status == 0
    assert "in float64: refused" in out
    assert "optq-l2 exactly: holds" in out
    assert Outcome.HOLDS in out


def test_extreme_scales_are_decided_or_refused():
    X, W = np.array([[3.0, 1.0], [1.0, 2.0], [0.5, 1.0]]), np.array([[0.4, 0.3], [0.7, 0.1]])
    for claim_id, scale in (("optq-l2", 1e-150), ("optq-l2-tight", 1e70), ("optq-l2", 1e90), ("order-floor", 1e-100)):
        made = certificate(Problem(scale * X, 1e60 * W, Grid(1e59), damping="mean-diagonal:0.1", ordering="min-pivot"), claim_id)
        assert said(made) == f"{claim_id} holds"
    with pytest.raises(InvalidArgumentError, match="both sides of optq-l2 are numbers that float64 holds"):
        certificate(Problem(1e100 * X, 1e100 * W, Grid(1e99)), "optq-l2")


def test_enclosed_sides_are_compared_with_both_ends():
    one, two, three = Fraction(1), Fraction(2), Fraction(3)
    assert [verify.between(x, two, three)[0] for x in (one, two, Fraction(5, 2), three, Fraction(4))] == [True, True, None, None, False]
    assert [verify.at_least(x, two, three)[0] for x in (one, two, Fraction(5, 2), three, Fraction(4))] == [False, None, None, True, True]
    assert [verify.at_least(x, two)[0] for x in (one, two, three)] == [False, True, True]
    assert [verify.equal(x, two)[0] for x in (one, two)] == [False, True]


def test_sides_too_near_to_tell_apart_are_rejected_not_guessed(monkeypatch):
    made = certificate(layer(), "pivot-bound")
    algorithms, rounding, needed, rows = verify.CLAIMS["pivot-bound"]
    monkeypatch.setitem(verify.CLAIMS, "pivot-bound", (algorithms, rounding, needed, lambda c: [(None, *row[1:]) for row in rows(c)]))
    assert said(made) == "rejected: the two sides lie nearer to each other than this program can tell apart"


# Corners: ends of alphabets, ties, dead features, hypotheses that fail.

SATURABLE = ("optq-identity", "feedback-form", "optq-update", "optq-certificate", "qronos-identity", "qronos-equivalence", "optimum-floor")


@pytest.mark.parametrize("claim_id", SATURABLE)
def test_saturated_runs_are_replayed(claim_id):
    rng = np.random.default_rng(2)
    X, W = rng.standard_normal((4, 3)), 2 * rng.standard_normal((3, 3))
    made = claims()[claim_id]
    for algorithm, rounding in product(made.algorithms, [made.rounding] if made.rounding else ROUNDINGS):
        if (algorithm, rounding) == ("round-to-nearest", "stochastic"):
            continue
        problem = Problem(X, W, Grid(0.5, -2, 1), algorithm, rounding=rounding, damping=0.1, X_quantized=X + 0.1)
        assert problem.result.saturated.any()
        assert said(certificate(problem, claim_id)) == f"{claim_id} holds"


def test_a_tie_at_the_end_of_the_alphabet_does_not_saturate():
    for weight, low, high in ((3.5, -1, 3), (-2.5, -2, 3)):
        made = certificate(Problem(np.array([[1.0]]), np.array([[weight]]), Grid(1.0, low, high)), "optq-l2")
        assert made["codes"] == [[low if weight < 0 else high]]
        assert said(made) == "optq-l2 holds"


def test_which_alphabets_suffice_is_decided_independently():
    answers = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        low, high = -int(rng.integers(1, 6)), int(rng.integers(0, 6))
        problem = Problem(rng.standard_normal((4, 3)), rng.standard_normal((3, 1)), Grid(0.5, low, high), damping=0.1)
        neuron = verify.Neuron(verify.Layer(certificate(problem, "optq-identity")), 0)
        assert neuron.sufficient == bool(sufficient_alphabet(problem)[0])
        answers.add(neuron.sufficient)
    assert answers == {True, False}
    for high, suffices in ((2, True), (1, False)):  # on a unit matrix z = w, and 2.5 is within half a step of 2
        made = certificate(Problem(np.eye(1), np.array([[2.5]]), Grid(1.0, -5, high)), "optq-identity")
        assert verify.Neuron(verify.Layer(made), 0).sufficient is suffices


def test_stochastic_rounding_goes_up_only_below_the_fraction():
    made = certificate(Problem(np.eye(1), np.array([[0.5]]), Grid(1.0), rounding="stochastic"), "optq-identity")
    for draw, code in ((0.5, 0), (0.4999, 1)):
        assert verify.Neuron(verify.Layer(made | {"draws": [[draw.hex()]]}), 0).codes == [code]


@pytest.mark.parametrize(("claim_id", "X"), [
    ("optq-linf", [[1.0, 0.0, 0.0]]), ("optq-alphabet", [[1.0, 0.0, 0.0]]), ("optq-identity", [[0.0, 0.0], [0.0, 0.0]]),
    ("qronos-l2", [[1.0, 0.0], [0.0, 2.0]]), ("qronos-identity", [[0.0, 1.0], [0.0, 2.0]]), ("pivot-bound", [[1.0, 1.0, 1.0]]),
    ("optq-l2-explicit", [[1.0, 1.0, 1.0]]), ("optq-l2-explicit", [[1.0, 0.0, 2.0, 1.0], [0.0, 1.0, 1.0, 1.0]]),
])
@pytest.mark.parametrize("damping", [0.0, 1.0])
def test_dead_orthogonal_and_equal_features(claim_id, X, damping):
    X = np.array(X)
    algorithm = claims()[claim_id].algorithms[0]
    deployed = X + np.eye(*X.shape) * (X != 0) if algorithm == "qronos" else None
    W = np.linspace(-0.9, 1.3, X.shape[1])[:, None]
    assert said(certificate(Problem(X, W, Grid(0.4), algorithm, damping=damping, X_quantized=deployed), claim_id)) == f"{claim_id} holds"


@pytest.mark.parametrize(("claim_id", "words", "changes"), [
    ("order-floor", "H is positive definite", {"X": [[1.0, 0.0], [2.0, 0.0]]}),
    ("optq-near-optimal", "H is positive definite", {"X": [[1.0, 0.0], [2.0, 0.0]]}),
    ("optq-beats-rtn", "there are at most 12 features", {"X": np.eye(13)}),
    ("optimum-floor", "there are at most 12 features", {"X": np.eye(13)}),
    ("optq-l2-explicit", "there are no more samples than features", {"X": [[1.0], [2.0]]}),
    ("gpfq-l2", "no column is zero", {"X": [[1.0, 0.0], [2.0, 0.0]], "algorithm": "gpfq"}),
    ("gpfq-l2", "the deployed inputs are the calibration inputs", {"X": np.eye(2), "algorithm": "gpfq", "X_quantized": 2 * np.eye(2)}),
    ("target-family", "the alphabet is infinite", {"X": np.eye(2), "X_quantized": 2 * np.eye(2), "grid": Grid(1.0, -3, 3)}),
    ("target-family", "deployed inputs are given", {"X": np.eye(2)}),
    ("optq-alphabet", "no step saturates, or the alphabet is sufficient", {"X": np.eye(1), "grid": Grid(0.25, -1, 1)}),
])
def test_a_claim_is_rejected_where_its_hypothesis_fails(claim_id, words, changes):
    X = np.array(changes["X"])
    known = "gpfq-mismatch" if changes.get("algorithm") == "gpfq" else "pivot-bound"  # what does apply there
    deployed = {"X_quantized": X} if known == "gpfq-mismatch" else {}
    settings = {"grid": Grid(1.0), "W": np.full((X.shape[1], 1), 0.75)} | deployed | changes | {"X": X}
    made = certificate(Problem(**settings), known)
    assert said(made | {"claim": claim_id}) == f"rejected: {claim_id} does not apply: its hypothesis {words!r} fails"


def test_a_search_without_end_is_rejected(monkeypatch):
    made = certificate(layer(), "optq-near-optimal")
    assert said(made) == "optq-near-optimal holds"
    monkeypatch.setattr(verify, "NODES", 3)
    assert said(made) == "rejected: the search for the optimum takes more than 3 nodes"
