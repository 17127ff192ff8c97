"""Folded inputs: the Gram matrices of all rows, a fixed few of the rows, and nothing that grows with their number."""

import numpy as np
import pytest
from provable_ptq.experiments.calibration.folded import InputFolding, kept_rows
from provable_ptq.experiments.calibration.layer import KEPT_ROWS

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3000, 5))
DEPLOYED = X + 0.2 * RNG.standard_normal(X.shape)


@pytest.mark.parametrize("sizes", [[3000], [1, 2999], [1500, 1500], [7] * 428 + [4]])
def test_folding_in_any_blocks_keeps_both_gram_matrices_the_cross_gram_and_the_same_rows(sizes):
    folding, start = InputFolding(3000), 0
    for size in sizes:
        folding.add(X[start : start + size], DEPLOYED[start : start + size])
        start += size
    fields = folding.fields()
    assert (fields["X"].shape, fields["X_quantized"].shape, fields["samples"]) == ((10, 5), (10, 5), 3000)
    np.testing.assert_allclose(fields["X"].T @ fields["X"], X.T @ X, atol=1e-9)
    np.testing.assert_allclose(fields["X_quantized"].T @ fields["X_quantized"], DEPLOYED.T @ DEPLOYED, atol=1e-9)
    np.testing.assert_allclose(fields["X_quantized"].T @ fields["X"], DEPLOYED.T @ X, atol=1e-9)
    np.testing.assert_array_equal(fields["rows"], X[kept_rows(3000)])


def test_errors_of_outputs_are_those_of_all_rows():
    """||X w - X_quantized q|| is what studies of mismatched inputs read off the folded pair."""
    folding = InputFolding(3000)
    folding.add(X, DEPLOYED)
    fields = folding.fields()
    w, q = RNG.standard_normal((2, 5))
    assert np.linalg.norm(fields["X"] @ w - fields["X_quantized"] @ q) == pytest.approx(np.linalg.norm(X @ w - DEPLOYED @ q), rel=1e-12)


def test_alone_the_rows_fold_into_a_triangle_of_their_own_width():
    folding = InputFolding(3000)
    folding.add(X)
    assert set(folding.fields()) == {"X", "rows", "samples"}
    assert folding.fields()["X"].shape == (5, 5)


@pytest.mark.parametrize("samples", [1, 1023, 1024, 1025, 100_000])
def test_kept_rows_are_distinct_in_order_and_spread_over_all(samples):
    rows = kept_rows(samples)
    assert len(rows) == min(samples, KEPT_ROWS)
    assert (np.diff(rows) > 0).all()
    assert 0 <= rows[0] <= rows[-1] < samples
    assert rows.mean() == pytest.approx((samples - 1) / 2, rel=0.1)
    np.testing.assert_array_equal(rows, kept_rows(samples))
