"""RESULTS.md: small sections, every number from the table of measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from .aims import memory_of, outcomes, streamed, thread_gain
from .jobs import GROUPS, JOBS
from .layer import BITS, FRACTION, KIND, PRECISIONS
from .measure import BOTH_THREADS, GEMM
from .ratios import LIMIT, Seconds, Spread, significant
from .scaling import AXES, LOOKS, UNITS, exponent_word, exponents

FIGURE = "scaling"
NAMES = {"gemm-numpy": "matrix product, NumPy", "gemm-torch": "matrix product, PyTorch"}


def report(table: pd.DataFrame, machine: dict[str, str]) -> str:
    """The document."""
    parts = (aims, rates, against_limit, against_loop, integers, threads, growth, memory, streaming, small)
    return "\n\n".join([head(table, machine), *(part(table) for part in parts)]) + "\n"


def section(title: str, text: str, *tables: str) -> str:
    """A heading, a few sentences, tables."""
    return "\n\n".join((f"## {title}", text, *tables))


def markdown(header: Sequence[object], lines: Iterable[Sequence[object]]) -> str:
    """A table: words to the left, numbers to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (header, rule, *lines))


def head(table: pd.DataFrame, machine: dict[str, str]) -> str:
    """What was measured, how, and where."""
    rounds = table[table["part"] == "layers"].groupby("N")["repetition"].max() + 1
    counts = f"{rounds.max():g} rounds" if rounds.nunique() == 1 else f"{rounds.max():g} rounds ({rounds.min():g} at the largest size)"
    one_thread = table[table["part"] == "layers"]
    busy = f"{(one_thread['wall'] / one_thread['cpu']).median():.2f} (1 on a quiet machine)"
    facts = "\n".join(f"- {topic}: {words}" for topic, words in (machine | {"wall time over processor time, one thread": busy}).items())
    return f"""# Benchmarks

Written by `make benchmark`. Seconds say something about one machine; the ratios were taken within one run on it:

{facts}

**How it was timed.** A layer has N features, K = N neurons and m = 2 N calibration rows (`{KIND}` features, Gaussian weights, {BITS} bits
per neuron, damping {100 * FRACTION:g} % of the mean diagonal). All jobs of one size, in both precisions, take turns: one repetition of
each, then the next round; before that every one is called once or twice, which does not count. A ratio compares repetitions of the same
round. Numbers are medians over {counts} ± half the distance between the quartiles; what was run once stands without ±.
Times are processor time on one thread unless a section says otherwise. A result counts as made when its codes, weights, errors and
saturated entries are there (the target u of Qronos is not asked for), a factorization when its order, pivots and L are.

**The limit** of a layer is the time of N³/3 + N²K operations (multiplications and additions: one Cholesky factor, and for each neuron a
product with a triangle) at the rate of a plain matrix product, NumPy's or PyTorch's, whichever is faster in the same round and precision.

**The published loop** is GPTQ as its paper describes it (arXiv 2210.17323, algorithm 1, blocks of 128), in PyTorch, with one row of
weights per neuron as others run it ([published_loop.py](published_loop.py))."""


def aims(table: pd.DataFrame) -> str:
    """What was aimed at, and what came out."""
    N, found = outcomes(table)
    lines = [(words, f"at most {significant(most)}", measured, "yes" if reached else "no") for words, most, measured, reached in found]
    text = f"At N = K = {N:,}, in float64 where no precision is named; memory and streaming at the sizes of their sections."
    return section("Aims", text, markdown(("ratio", "aim", "measured", "reached"), lines))


def rates(table: pd.DataFrame) -> str:
    """The yardsticks in absolute numbers."""
    seconds = Seconds(table, "layers")
    products = [(f"{NAMES[name]}, {precision}", *(Spread.of(seconds.rate(precision, N, (name,)) / 1e9) for N in seconds.sizes))
                for precision in PRECISIONS for name in GEMM]
    loops = {LIMIT: "the limit", "gram-loop": "published loop, from the Gram matrix", "rows-loop": "published loop, from X"}
    times = [(f"{words}, {precision}", *(Spread.of(1e3 * seconds.of(job, precision, N)) for N in seconds.sizes))
             for precision in PRECISIONS for job, words in loops.items()]
    return section("The yardsticks", "How fast matrix products are, and what the other tables are ratios to.",
                   markdown(("10⁹ operations per second, N = K", *numbers(seconds.sizes)), products),
                   markdown(("milliseconds, N = K", *numbers(seconds.sizes)), times))


def numbers(sizes: Iterable[int]) -> list[str]:
    """Sizes as words of a header."""
    return [f"{size:,}" for size in sizes]


def ratio_tables(table: pd.DataFrame, other: Callable[[str], str]) -> list[str]:
    """One table for each precision: every job over another one."""
    seconds, tables = Seconds(table, "layers"), []
    for precision in PRECISIONS:
        lines = []
        for group, names in GROUPS.items():
            lines.append((f"**{group}**", *[""] * len(seconds.sizes)))
            lines += [(JOBS[name].label, *(seconds.ratio((name, precision), (other(name), precision), N) for N in seconds.sizes))
                      for name in names if precision in JOBS[name].precisions]
        tables.append(markdown((f"{precision}, N = K", *numbers(seconds.sizes)), lines))
    return tables


def against_limit(table: pd.DataFrame) -> str:
    """Every job over what cannot be avoided."""
    text = ("All lines over the limit of a layer that starts from its Gram matrix. To form the Gram matrix of X takes 3/2 of that more,\n"
            "a QR factorization of X 5/2 in place of the Cholesky factor's 1/4.")
    return section("Over the limit", text, *ratio_tables(table, lambda name: LIMIT))


def against_loop(table: pd.DataFrame) -> str:
    """Every job over the published loop."""
    text = "Over a whole run of the loop in the same precision: from the Gram matrix in the first group, from X in the second."
    return section("Over the published loop", text, *ratio_tables(table, lambda name: JOBS[name].reference))


def integers(table: pd.DataFrame) -> str:
    """How often the toolkit and the loop agree."""
    rows = table[table["part"] == "integers"]
    shares = rows.pivot_table(index=["precision", "job"], columns="N", values="share", sort=False)
    lines = [(", ".join(index), *map(percentage, values)) for index, values in zip(shares.index, shares.to_numpy(), strict=True)]
    text = "How many codes, and how many whole neurons, OPTQ and the published loop agree on, both from one Gram matrix in one precision."
    return section("The same integers", text, markdown(("N = K", *numbers(shares.columns)), lines))


def percentage(share: float) -> str:
    """Five digits; `all` only if it is all."""
    return "all" if share == 1 else f"{min(100 * share, 99.999):.3f} %"


def threads(table: pd.DataFrame) -> str:
    """What the second thread brings."""
    sizes = Seconds(table, "threads", "wall").sizes
    columns = [(precision, N) for precision in PRECISIONS for N in sizes]
    lines = [(with_input(name), *(thread_gain(table, name, *column) for column in columns)) for name in BOTH_THREADS]
    text = "Wall time on two threads over wall time on one: 0.5 is ideal; above 1 the second thread hinders."
    return section("Two threads", text, markdown(("N = K", *(f"{N:,}, {precision}" for precision, N in columns)), lines))


def with_input(job: str) -> str:
    """The name of a job on its own, with what it starts from."""
    if job in NAMES:
        return NAMES[job]
    return LOOKS[job].label if job in LOOKS else f"{JOBS[job].label}, from {'the Gram matrix' if job.startswith('gram') else 'X'}"


def growth(table: pd.DataFrame) -> str:
    """Exponents of time and memory."""
    found = exponents(table)
    lines = [(look.label, *(exponent_word(found.get((job, axis, what), np.nan)) for what in UNITS for axis in AXES))
             for job, look in LOOKS.items()]
    text = ("Time or memory grows like this power of N, K or m while the other two stay: slopes fitted to all points of the figure\n"
            f"(float64).\n\n![Time and memory against N, K and m]({FIGURE}.png)")
    return section("How it grows", text, markdown(("", *(f"{what}, {axis}" for what in ("time", "memory") for axis in AXES)), lines))


def memory(table: pd.DataFrame) -> str:
    """What whole jobs hold at once."""
    rows = table[table["part"] == "memory"]
    sizes = {precision: int(N) for precision, N in zip(rows["precision"], rows["N"], strict=True)}
    found = {precision: memory_of(table, precision) for precision in sizes}
    columns = [(precision, how) for precision in sizes for how in ("allocated", "resident")]
    lines = [(with_input(job), *(dash(found[precision].loc[job, how]) for precision, how in columns)) for job in rows["job"].unique()]
    text = ("The most that a job holds at once beyond its inputs, its result included, in N² numbers of its precision: as NumPy's\n"
            "allocations add up, and by how much a process of its own grows.")
    return section("Memory", text, markdown(("", *(f"N = {sizes[precision]:,}, {precision}, {how}" for precision, how in columns)), lines))


def dash(value: float) -> str:
    """A number, or a dash where there is none."""
    return "–" if np.isnan(value) else significant(value)


def streaming(table: pd.DataFrame) -> str:
    """Rows that do not fit in memory."""
    rows = table[(table["part"] == "streaming") & (table["job"] == "streamed")]
    N, m = int(rows["N"].iloc[0]), int(rows["m"].iloc[0])
    held = rows[rows["bytes"].notna()].set_index("precision")["bytes"]
    lines = [(precision, streamed(precision)(table, N), significant(held[precision] / np.dtype(precision).itemsize / N**2))
             for precision in PRECISIONS]
    text = (f"{m:,} rows of {N:,} features, folded in blocks of {N:,}: time over that of the 2mN² − 2N³/3 operations of a QR\n"
            "factorization at the rate of a matrix product, and allocated memory in N² numbers.")
    return section("Rows that do not fit in memory", text, markdown(("", "time", "memory"), lines))


def small(table: pd.DataFrame) -> str:
    """What has no layer's size."""
    lines = []
    for what, group in table[table["part"] == "small"].groupby("job", sort=False):
        clock = "wall" if group["cpu"].isna().all() else "cpu"
        first, second = (group[group["side"] == side].sort_values("repetition")[clock].to_numpy() for side in ("slower", "faster"))
        lines.append((what, Spread.of(1e3 * first), Spread.of(1e3 * second), Spread.of(first / second)))
    text = ("Milliseconds of the first and of the second, and their ratio; of the runner on the wall. Time to the exact optimum grows\n"
            "exponentially with N: there are no larger sizes.")
    return section("Small problems", text, markdown(("what: first, second", "first [ms]", "second [ms]", "ratio"), lines))
