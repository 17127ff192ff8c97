"""The book of proofs: every part of every claim is there, it is what the registry says, whatever refers to it arrives, and the
numbers and lemmas that its proofs state are so."""

import itertools
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, definitions
from provable_ptq.bounds import Kind, Problem, claim, claims, load_claims
from provable_ptq.bounds.book import BOOK, COMMAND, anchor, book, in_reading_order, introduction, shipped, write_book
from provable_ptq.bounds.checking.claim import CHAPTERS
from provable_ptq.bounds.checking.page import LABELS, read_page
from provable_ptq.bounds.exact import ExactProblem
from provable_ptq.bounds.problems.constructions import clamped_problem
from scipy.integrate import quad
from scipy.stats import norm

SHIPPED = shipped()
TOMBSTONE = "∎"
MATH = re.compile(r"\$`([^`]+)`\$|```math\n(.*?)```", re.DOTALL)
COMMANDS = {
    "alpha", "approx", "arg", "begin", "big", "Big", "cdot", "cdots", "Delta", "delta", "det", "dots", "ell", "end", "epsilon", "eta",
    "exp", "frac", "gamma", "ge", "hat", "in", "infty", "int", "lambda", "langle", "le", "log", "mapsto", "mathbb", "mathbf", "mathrm",
    "max", "mid", "min", "ne", "perp", "Phi", "pi", "pm", "Pr", "prec", "preceq", "prod", "propto", "psi", "qquad", "rangle", "Sigma",
    "sigma", "sqrt", "succ", "sum", "text", "theta", "tilde", "times", "to", "top", "varepsilon", "varphi", "varrho",
}


@pytest.fixture(scope="module")
def text():
    return BOOK.read_text(encoding="utf-8")


@cache
def anchors(markdown):
    """The anchors of a document's headings."""
    without_code = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return [anchor(heading) for heading in re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)]


# --- every claim's page --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
class TestEveryPage:
    def test_has_all_parts_in_their_order(self, name):
        made = SHIPPED[name]
        assert made.page.title
        assert list(made.page.parts()) == list(LABELS.values())
        labels = re.findall(r"^\*\*([\w ]+)\.\*\*", made.evaluate.__globals__["__doc__"], re.MULTILINE)
        assert labels == list(LABELS.values()), "each part once, in the order of the labels, and no other label"

    def test_proves_the_theorem_or_says_that_it_is_none(self, name):
        made = SHIPPED[name]
        if made.kind is Kind.PREDICTION:
            assert made.page.proof.startswith("None, this is a prediction")
            assert TOMBSTONE not in made.page.proof
        else:
            assert made.page.proof.endswith(TOMBSTONE)
            assert made.page.proof.count(TOMBSTONE) == 1

    def test_lineage_gives_a_reference_or_says_that_none_was_found(self, name):
        made = SHIPPED[name]
        lineage = " ".join(made.page.lineage.split())
        assert re.search(r"arXiv \d{4}\.\d{5}|\b1\d{3}\)|[Nn]o source found", lineage)
        if made.origin == "ours":
            assert made.source.startswith(f"this project, bounds/{BOOK.name}#{name}")
            assert re.search(r"[Tt]his project|New here", lineage)
            assert re.search(r"[Nn]o source found|is this project's", lineage), "a search, or whose construction it is"
        else:
            assert "this project, bounds" not in made.source

    def test_its_formulas_are_whole(self, name):
        made = SHIPPED[name]
        for part in (made.statement, *made.page.parts().values()):
            assert part.count("$") % 2 == 0
            assert "`" not in "".join(re.findall(r"\$([^$]+)\$", part.replace("$$", "$")))


def test_papers_that_were_compared_are_cited_where_they_knew_it():
    quip = {name for name, made in SHIPPED.items() if "2307.13304" in made.page.lineage}
    assert quip >= {"feedback-form", "optq-identity", "optq-l2", "optq-l2-tight", "optq-beats-rtn", "sto-optq-l2", "predicted-error",
                    "finite-grid-counterexample"}
    assert {name for name, made in SHIPPED.items() if "2507.18553" in made.page.lineage} >= {"feedback-form", "optq-near-optimal"}
    known_before = {"optq-l2-tight", "optq-beats-rtn", "order-floor", "optimum-floor", "sto-optq-l2", "predicted-error"}
    assert {SHIPPED[name].origin.value for name in known_before} == {"classical"}


def test_a_page_is_read_from_the_docstring_that_opens_with_the_id():
    page = "`mine`: a title\nin two lines.\n\n**Hypotheses.** None.\n\n**Proof.** Two\n\nparagraphs. ∎\n\n**Sharp.** Never."
    read = read_page("mine", None, "`other`: not this.\n\n**Proof.** No. ∎", page)
    assert read.title == "a title in two lines"
    assert read.proof == "Two\n\nparagraphs. ∎"
    assert read.parts() == {"Hypotheses": "None.", "Proof": "Two\n\nparagraphs. ∎", "Sharp": "Never."}
    assert read_page("mine", None, "", "`mine`, without a colon. **Proof.** x").parts() == {}
    assert read_page("min", page).parts() == {}


def test_claims_of_ones_own_may_have_a_page_in_the_function(own_claims):
    @claim(id="mine", statement="$1 = 1$", origin="ours", source="a test", kind="identity", unit="one")
    def mine(problem, result):
        """`mine`: one is one.

        **Proof.** Look. ∎
        """

    assert mine.page.title == "one is one"
    assert mine.page.parts() == {"Proof": "Look. ∎"}
    assert mine.file == __file__


# --- the book ------------------------------------------------------------------------------------------------------


def test_the_book_is_what_the_registry_says(text):
    assert text == book(), f"bounds/THEORY.md is stale: {COMMAND} rewrites it"


def test_the_command_rewrites_it(tmp_path, monkeypatch, text):
    monkeypatch.setitem(write_book.__globals__, "BOOK", tmp_path / BOOK.name)
    assert write_book().read_text(encoding="utf-8") == text


def test_claims_of_ones_own_are_not_in_it(own_claims, write_claims, text):
    load_claims(write_claims(1.0))
    assert book() == text


def test_a_changed_page_makes_another_book(monkeypatch, text):
    module = SHIPPED["optq-l2"].evaluate.__globals__
    monkeypatch.setitem(module, "__doc__", module["__doc__"].replace("does not saturate has", "does not saturate can have"))
    assert book() != text


def test_every_claim_is_an_anchor_once_and_every_link_arrives(text):
    found = anchors(text)
    assert len(found) == len(set(found))
    assert set(SHIPPED) <= set(found)
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(found)
    contents = text.partition("## Contents")[2].partition("\n## ")[0]
    assert set(re.findall(r"\]\(#([^)]+)\)", contents)) == set(found[2:]), "all headings after the title and the contents' own"


def test_chapters_introduce_all_their_claims():
    for chapter in CHAPTERS:
        mine = [made for made in SHIPPED.values() if made.chapter == chapter]
        assert [made.id for made in mine if f"[`{made.id}`](#{made.id})" not in introduction(chapter)] == []
        assert in_reading_order(mine, introduction(chapter))[0].id == {
            "deterministic": "optq-update", "stochastic": "sto-optq-l2", "mismatch": "qronos-equivalence",
            "adversarial": "adversarial-growth", "predictions": "predicted-error"}[chapter]


def test_proofs_rest_on_claims_without_a_circle():
    """A theorem's proof names claims that do not, by their own proofs, name it."""
    rests_on = {name: set(re.findall(r"`([a-z0-9-]+)`", made.page.proof)) & set(SHIPPED) for name, made in SHIPPED.items()}
    rests_on["optq-update"].discard("feedback-form")  # names what its recursion is unrolled in, and does not use it
    rests_on["feedback-form"].discard("qronos-equivalence")  # where the case of Qronos is proved
    settled: set[str] = set()
    while ready := {name for name, needed in rests_on.items() if name not in settled and needed - {name} <= settled}:
        settled |= ready
    assert set(SHIPPED) - settled == set()


def test_formulas_of_the_book_are_whole_and_in_the_form_of_code_hosts(text):
    formulas = [inline or display for inline, display in MATH.findall(text)]
    assert len(formulas) > 500
    for formula in formulas:
        depth = 0
        for sign in re.sub(r"\\[{}]", "", formula):
            depth += {"{": 1, "}": -1}.get(sign, 0)
            assert depth >= 0, formula
        assert depth == 0, formula
        assert set(re.findall(r"\\([a-zA-Z]+)", formula)) <= COMMANDS, formula
        assert formula.count(r"\begin") == formula.count(r"\end")
        assert formula.count(r"\langle") == formula.count(r"\rangle")
    assert "$" not in MATH.sub("", text)


def test_no_line_of_a_paragraph_opens_a_list_or_a_quotation(text):
    """Wrapped prose may not start a line with a sign that Markdown reads."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for paragraph in plain.split("\n\n"):
        first, *rest = paragraph.strip("\n").splitlines() or [""]
        if not re.match(r"\s*([-*+>|#]|\d+[.)]) ?", first):
            assert [line for line in rest if re.match(r"\s*([-*+>#] |\d+[.)] |[=-]+$)", line)] == []


# --- what refers to it ---------------------------------------------------------------------------------------------

DOCUMENT = re.compile(r"(?<![\w/.-])((?:\.\./)*(?:[a-z_]+/)*[A-Z][A-Z_]+\.md)(#[\w-]+)?")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NOWHERE = re.compile(r"\bTHE" r"ORY\b(?!\.md|_)|\b[Ss]ec" r"tions? \d")
STEMS = "optq sto-optq sto-qronos qronos gpfq spfq optimum predicted feedback adversarial finite-grid descent order pivot"
CLAIM_LIKE = re.compile(rf"`((?:{STEMS.replace(' ', '|')})-[a-z0-9-]+)`")


def arrives(root, file, target, fragment):
    """Whether there is such a document, with such an anchor: a path from the file's folder or from the root, a bare name anywhere."""
    places = [folder / target for folder in ((root / file).parent, root)]
    if "/" not in target:
        places += [root / room / target for room in ("bounds", "experiments", "benchmarks")]
    for place in filter(Path.is_file, places):
        return not fragment or fragment.removeprefix("#") in anchors(place.read_text(encoding="utf-8"))
    return False


def dangling(root, file, content):
    """What a file refers to and is not there."""
    missing = [found[0] for found in DOCUMENT.finditer(content) if not arrives(root, file, found[1], found[2])]
    missing += [found[0] for found in NOWHERE.finditer(content)]
    missing += [name for name in CLAIM_LIKE.findall(content) if name not in SHIPPED]
    if file.suffix == ".md":
        prose = re.sub(r"\$`[^`]*`\$|^```.*?^```", "", content, flags=re.DOTALL | re.MULTILINE)
        links = [target for target in LINK.findall(prose) if "://" not in target]
        missing += [target for target in links if not linked(root, file, *target.partition("#")[::2])]
    return missing


def linked(root, file, target, fragment):
    """Whether a link arrives: a page reads it from its own folder alone."""
    path = root / file if not target else (root / file).parent / target
    return path.exists() and (not fragment or fragment in anchors(path.read_text(encoding="utf-8")))


def test_nothing_refers_to_a_document_or_a_section_that_is_not_there(root, repository_files):
    found = {}
    for file in repository_files:
        if file.suffix in (".py", ".md", ".toml") and (missing := dangling(root, file, (root / file).read_text(encoding="utf-8"))):
            found[str(file)] = missing
    assert found == {}


@pytest.mark.parametrize(("content", "missing"), [
    ("# see THE" "ORY, sec" "tion 4", 2),
    ("# see bounds/{book}#optq-l3", 1),
    ("# see bounds/{book}#optq-l2 and experiments/{book}", 1),
    ("# see NOTES{md}", 1),
    ("# the claim `optq-" "l3`", 1),
    ("# the claim `optq-l2` and the rule `min-pivot`", 0),
])  # fmt: skip
def test_dangling_references_are_seen_in_code(root, content, missing):
    assert len(dangling(root, Path("algorithms/optq.py"), content.format(book=BOOK.name, md=".md"))) == missing


@pytest.mark.parametrize(("content", "missing"), [
    ("[book](bounds/{book}#optq-l2), [here](#rooms)\n\n## Rooms", 0),
    ("[book](bounds/{book}#optq-l3)", 2),
    ("[here](#nowhere)", 1),
    ("[file](bounds/nothing.py)", 1),
    ("[there](https://arxiv.org/abs/2508.04853)", 0),
    ("```\n[in code](nowhere.py)\n```", 0),
])  # fmt: skip
def test_dangling_links_are_seen_in_documents(root, content, missing):
    assert len(dangling(root, Path("README.md"), content.format(book=BOOK.name))) == missing


def test_sources_are_references(text):
    for name, made in SHIPPED.items():
        assert re.search(r"arXiv \d{4}\.\d{5}|this project|\b1\d{3}\b|inequality", made.source), name
        assert f"*{made.origin.value}*: " in text.partition(f"\n### {name}\n")[2].partition("\n### ")[0]


# --- the numbers and lemmas that the proofs state -------------------------------------------------------------------


def test_two_point_lemma_rests_on_the_isoperimetric_profile():
    theta = np.linspace(1e-6, 1 - 1e-6, 20001)
    profile = norm.pdf(norm.ppf(theta))
    lower = 4 / np.sqrt(2 * np.pi) * theta * (1 - theta)
    assert (profile >= lower * (1 - 1e-12)).all()
    assert profile[10000] == pytest.approx(lower[10000], rel=1e-12), "equality in the middle: the constant is the best"
    assert 8 / np.sqrt(2 * np.pi) - np.sqrt(2 * np.pi) > 0


@pytest.mark.parametrize("theta", [0.02, 0.3, 0.5, 0.9])
def test_two_points_are_below_their_gaussian_in_convex_order(theta):
    """Hinges generate the convex order: E (Y - t)_+ is never above E (G - t)_+; with a twentieth less variance it is somewhere."""
    t = np.linspace(-1.5, 1.5, 601)
    hinges = theta * np.maximum(1 - theta - t, 0) + (1 - theta) * np.maximum(-theta - t, 0)

    def gaussian(variance):
        s = np.sqrt(variance)
        return s * norm.pdf(t / s) - t * norm.sf(t / s)

    assert (hinges <= gaussian(np.pi / 8) + 1e-15).all()
    if theta == 0.5:
        assert (hinges > gaussian(0.95 * np.pi / 8)).any()


def test_lemmas_on_moments():
    squared, _ = quad(lambda y: np.exp(y * y / 4 + norm.logpdf(y)), -np.inf, np.inf)
    assert squared == pytest.approx(np.sqrt(2))
    absolute, _ = quad(lambda y: abs(y) * norm.pdf(y), -np.inf, np.inf)
    assert absolute == pytest.approx(np.sqrt(2 / np.pi))
    s, theta = np.meshgrid(np.linspace(-12, 12, 241), np.linspace(0, 1, 101))
    moment = theta * np.exp(s * (1 - theta)) + (1 - theta) * np.exp(-s * theta)
    assert (moment <= np.exp(s * s / 8) * (1 + 1e-12)).all(), "Hoeffding's lemma"


def test_factors_between_levels():
    m, p = np.meshgrid([1, 2, 10, 1e6], [0.5, 0.1, 1e-9])
    paper, row = np.sqrt(2 * np.pi * np.log(np.sqrt(2) * m / p)), np.sqrt(np.log(2 * m / p) / 2)
    sharp = np.sqrt(np.pi / 4 * np.log(2 * m / p))
    assert (paper / row).min() == pytest.approx(np.sqrt(3 * np.pi)), "at m = 1, p = 1/2"
    assert (paper / sharp).min() == pytest.approx(np.sqrt(6))
    np.testing.assert_allclose(sharp / row, np.sqrt(np.pi / 2))


def test_rows_of_zero_pivots_are_decided_by_the_minimum_norm():
    X, w = np.ones((1, 3)), np.array([[0.4], [0.35], [0.2]])
    assert definitions.optq(X, w, Grid(1.0)).codes[:, 0].tolist() == [0, 1, 0]
    L = ExactProblem(Problem(X, w, Grid(1.0))).factorization.L
    assert [[float(entry) for entry in row] for row in L] == [[1, 0, 0], [0.5, 1, 0], [1, 1, 1]]


def test_worst_cases_without_the_ridge_can_part_the_other_way():
    """`optq-beats-rtn` is false for the undamped error: the page's example, over all corners of the box."""
    X, damping = np.array([[-2.0, -2.0, -1.0], [1.0, -6.0, 0.0]]), 31.0
    f = Problem(X, np.zeros((3, 1)), Grid(1.0), damping=damping).factorization
    corners = [np.array(signs) / 2 for signs in itertools.product([-1, 1], repeat=3)]
    optq, rtn = (max(float(e @ form @ e) for e in corners) for form in (f.M.T @ X.T @ X @ f.M, X.T @ X))
    np.testing.assert_allclose(f.M.T @ X.T @ X @ f.M, np.diag(f.pivots_squared) - damping * f.M.T @ f.M, atol=1e-12)
    assert (round(optq, 2), round(rtn, 2)) == (12.79, 12.5)


@pytest.mark.parametrize(("features", "epsilon"), [(6, 1.0), (32, 0.5), (512, 1.0), (512, 0.1)])
def test_clamped_construction_has_the_errors_of_its_closed_form(features, epsilon):
    problem = clamped_problem(features, epsilon)
    half, last = (features - 2) / 2, 2.00499 - features / 2
    clamped = epsilon**2 * (0.499**2 + half * (0.49601**2 + 0.49401**2)) + last**2
    rtn = epsilon**2 * (0.499**2 + half * (0.50399**2 + 0.49401**2)) + 0.00499**2
    error = problem.X @ (problem.W - problem.result.weights)
    assert float((error**2).sum()) == pytest.approx(clamped, rel=1e-10)
    nearest = problem.X @ (problem.W - np.rint(problem.W))
    assert float((nearest**2).sum()) == pytest.approx(rtn, rel=1e-10)
    free = clamped_problem(features, epsilon, clamp=False)
    assert int(free.result.codes[-1, 0]) == 2 - features // 2
    assert float(((free.X @ (free.W - free.result.weights)) ** 2).sum()) == pytest.approx(clamped - last**2 + 0.00499**2, rel=1e-8)
    if features == 512:
        assert round(clamped / rtn, 2 if epsilon == 1 else 0) == {1.0: 507.96, 0.1: 50697}[epsilon]


def test_uniform_weights_make_the_predictions_exact():
    """Weights on a fine lattice of midpoints in one cell: the mean of OPTQ's error is a twelfth of the sum, up to the lattice."""
    points = (np.arange(200) + 0.5) / 200
    W = np.stack([grid.ravel() for grid in np.meshgrid(points, points)])
    problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), W, Grid(1.0), damping=0.5)
    error = problem.X @ (W - problem.result.weights)
    damped = (error**2).sum(axis=0) + 0.5 * ((W - problem.result.weights) ** 2).sum(axis=0)
    assert damped.mean() == pytest.approx(problem.factorization.pivots_squared.sum() / 12, rel=1e-3)
    moments = ((problem.X @ problem.factorization.M) ** 2).sum(axis=0)
    assert (error**2).sum(axis=0).mean() == pytest.approx(moments.sum() / 12, rel=1e-3)


@pytest.mark.parametrize("damping", [0.0, 0.7])
def test_qronos_with_dependent_columns_follows_its_target(damping):
    """L(u - q) = (u_1 - q_1, e_2, ...), M by pseudo-inverses, where deployed columns depend on each other and where damping parts them."""
    rng = np.random.default_rng(3)
    deployed = rng.standard_normal((4, 3)) @ rng.standard_normal((3, 6))
    X, w = deployed + 0.3 * rng.standard_normal((4, 6)), rng.standard_normal((6, 1))
    result = definitions.qronos(X, deployed, w, Grid(0.5), damping=damping)
    Y = np.vstack([deployed, np.sqrt(damping) * np.eye(6)])
    M = np.eye(6)
    for j in range(5):
        M[j + 1 :, j] = -np.linalg.pinv(Y[:, j + 1 :], rcond=1e-10) @ Y[:, j]
    mismatch = np.vstack([(X - deployed) @ w, np.zeros((6, 1))])
    u, q = w + np.linalg.pinv(Y, rcond=1e-10) @ mismatch, result.weights
    expected = result.rounding_errors.copy()
    expected[0] = u[0] - q[0]
    np.testing.assert_allclose(u - q, M @ expected, atol=1e-9)
    unexplained = mismatch - Y @ (u - w)
    left = np.vstack([X @ w - deployed @ q, np.sqrt(damping) * (w - q)])
    np.testing.assert_allclose(left, unexplained + Y @ M @ expected, atol=1e-9)
    assert np.abs(Y.T @ unexplained).max() < 1e-9


def test_the_sharp_examples_of_mismatched_claims():
    """`optq-mismatch` at N = m = 1 just below the tie, and the triangle inequality between it and `target-family`."""
    a, w = 0.3, 0.5 - 1e-9
    problem = Problem(np.array([[1 + a]]), np.array([[w]]), Grid(1.0), X_quantized=np.array([[1.0]]))
    evaluation = claims()["optq-mismatch"](problem, problem.result)
    assert float(evaluation.measured[0] / evaluation.bound[0]) == pytest.approx(1, abs=1e-8)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 4))
    problem = Problem(X, rng.standard_normal((4, 8)), Grid(0.7), X_quantized=X + 0.2 * rng.standard_normal((5, 4)), damping=0.1)
    family = claims()["target-family"](problem, problem.result).bound[0]
    assert (family <= claims()["optq-mismatch"](problem, problem.result).bound ** 2 * (1 + 1e-12)).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_book_names_to_which_runs_a_claim_is_applied(name, text):
    section = text.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    made = SHIPPED[name]
    applied = section.partition("**Applied to.** ")[2].partition("\n")[0]
    assert all(algorithm in applied for algorithm in made.algorithms)
    assert all(hypothesis.name in applied for hypothesis in made.hypotheses)
