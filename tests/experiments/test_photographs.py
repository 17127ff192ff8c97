"""Patches of two photographs: whole, disjoint between the splits, and drawn from the seeds."""

import hashlib

import numpy as np
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments.calibration import load_layer, photographs
from provable_ptq.experiments.calibration.load import check_parameters

pytest.importorskip("sklearn")

SMALL = {"kind": "photographs", "samples": 300, "held_out": 200, "neurons": 3, "patch": 4}


@pytest.fixture
def numbered(monkeypatch):
    """Photographs whose pixels are numbers of their own: 1000 times the row plus the column, 10^6 more on the second."""
    rows, columns = np.mgrid[: photographs.HEIGHT, : photographs.WIDTH].astype(float)
    monkeypatch.setattr(photographs, "grey_photographs", lambda: (1000 * rows + columns, 10**6 + 1000 * rows + columns))


def test_photographs_are_as_the_constants_say():
    assert [picture.shape for picture in photographs.grey_photographs()] == [(photographs.HEIGHT, photographs.WIDTH)] * 2
    assert all(0 <= picture.min() < picture.max() <= 1 for picture in photographs.grey_photographs())


def test_every_patch_is_a_square_of_neighbouring_pixels(numbered):
    layer = load_layer("p", SMALL, 0, 0)
    assert (layer.X.shape, layer.X_validation.shape, layer.W.shape) == ((300, 16), (200, 16), (16, 3))
    corner = 1000 * np.arange(4)[:, None] + np.arange(4)
    for rows in (layer.X, layer.X_validation):
        np.testing.assert_array_equal(rows - rows[:, :1], np.tile(corner.ravel(), (len(rows), 1)))
        assert len(np.unique(rows[:, 0])) == len(rows), "no patch twice"


@pytest.mark.parametrize("shift", [False, True])
def test_no_pixel_is_in_both_splits(numbered, shift):
    layer = load_layer("p", SMALL | {"shift": shift, "samples": 20_000, "held_out": 20_000}, 0, 0)
    assert not np.isin(layer.X, layer.X_validation).any()
    from_first = [float((rows < 10**6).mean()) for rows in (layer.X, layer.X_validation)]
    assert from_first == ([1, 0] if shift else pytest.approx([0.5, 0.5], abs=0.02))
    columns = np.unique(layer.X % 1000)
    assert len(columns) == (photographs.WIDTH if shift else photographs.WIDTH // 2), "all of one photograph, or half of both"


def test_seeds_draw_positions_and_weights():
    first, again, other = (load_layer("p", SMALL, 0, seed) for seed in (0, 0, 1))
    for field in ("X", "X_validation", "W"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
        assert not np.array_equal(getattr(first, field), getattr(other, field))


def test_neighbouring_pixels_are_alike_and_the_shift_is_one():
    same, shifted = (load_layer("p", {"kind": "photographs", "shift": shift}, 0, 0) for shift in (False, True))
    assert same.X.shape == (4096, 64)
    assert np.corrcoef(same.X[:, 0], same.X[:, 1])[0, 1] > 0.9

    def distance(layer):
        S, T = (rows.T @ rows / len(rows) for rows in (layer.X, layer.X_validation))
        return np.linalg.norm(S - T) / np.linalg.norm(S)

    assert distance(shifted) > 2 * distance(same)


def test_files_are_the_images():
    from importlib.resources import files

    hashes = load_layer("p", SMALL, 0, 0).files
    assert set(hashes) == {"china.jpg", "flower.jpg"}
    assert hashes["china.jpg"] == hashlib.sha256((files("sklearn.datasets") / "images" / "china.jpg").read_bytes()).hexdigest()


@pytest.mark.parametrize(("change", "message"), [
    ({"shift": 1}, r"cal\.shift = 1 is not accepted: true or false"),
    ({"patch": 0}, r"cal\.patch = 0 is not accepted: an integer from 1 to 1,000,000,000"),
    ({"patch": 65}, r"cal\.patch = 65 is not accepted: at most 64 pixels"),
    ({"samples": 300_000}, r"cal\.samples = 300000 is not accepted: at most 258640, the number of patches of that size"),
    ({"heldout": 3}, r"cal\.heldout = 3 .*; did you mean 'held_out'\?"),
])
def test_bad_tables_are_refused(change, message):
    with pytest.raises(InvalidArgumentError, match=message):
        check_parameters("cal", SMALL | change)


def test_all_patches_there_are_can_be_asked_for_and_are_then_drawn_once_each(numbered):
    there = 10 * (photographs.HEIGHT - 59) * (photographs.STRIP - 59)
    everything = {"kind": "photographs", "patch": 60, "samples": there, "held_out": 1, "neurons": 1}
    assert check_parameters("cal", everything) is None
    with pytest.raises(InvalidArgumentError, match=f"at most {there}"):
        check_parameters("cal", everything | {"samples": there + 1})
    patches = photographs.draw_patches(photographs.split_regions(False)[0], there, 60, np.random.default_rng(0))
    assert len(np.unique(patches[:, 0])) == there
