"""The shipped digits network: accurate on held-out images, honest splits, the same bytes every time."""

import hashlib

import numpy as np
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments.calibration.digits import digits_layer
from provable_ptq.experiments.networks import digits, train_digits

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

SHAPES = {"hidden1": (64, 128), "hidden2": (128, 96), "output": (96, 10)}
DEAD_FEATURES = {"hidden1": 3, "hidden2": 7, "output": 13}


@pytest.fixture(scope="module")
def trained():
    return digits.read_trained()


@pytest.fixture(scope="module", params=digits.DIGITS_LAYERS)
def layer(request):
    return digits_layer(request.param)


def test_weights_file_is_small_float32_and_hashed(trained):
    content = digits.SHIPPED_WEIGHTS.read_bytes()
    assert len(content) < 200_000
    assert trained.sha256 == hashlib.sha256(content).hexdigest()
    assert {values.dtype for values in trained.parameters.values()} == {np.dtype(np.float32)}


def test_shipped_weights_are_accurate_on_images_they_were_not_trained_on():
    assert digits.digits_accuracy("held-out") > 0.97
    assert digits.digits_accuracy("calibration") > 0.99


def test_splits_are_disjoint_cover_every_image_and_are_the_seeded_ones(trained):
    images, _ = digits.all_images()
    calibration, held_out = (trained.indices[split] for split in digits.DIGITS_SPLITS)
    assert (len(calibration), len(held_out)) == (1200, 597)
    np.testing.assert_array_equal(np.sort(np.concatenate([calibration, held_out])), np.arange(len(images)))
    for split, chosen in train_digits.split_indices(len(images)).items():
        np.testing.assert_array_equal(trained.indices[split], chosen)


def test_no_image_is_in_both_splits(trained):
    seen = {image.tobytes() for image in digits.digits_images(trained, "calibration")[0]}
    assert not any(image.tobytes() in seen for image in digits.digits_images(trained, "held-out")[0])


def test_layers_have_the_documented_shapes_and_dead_features(layer, trained):
    N, K = SHAPES[layer.name]
    assert (layer.X.shape, layer.X_validation.shape, layer.W.shape) == ((1200, N), (597, N), (N, K))
    assert layer.X.dtype == layer.X_validation.dtype == layer.W.dtype == np.float64
    assert (~layer.X.any(axis=0)).sum() == DEAD_FEATURES[layer.name]
    assert layer.files == {"digits_weights.npz": trained.sha256}


@pytest.mark.parametrize(("split", "field"), [("calibration", "X"), ("held-out", "X_validation")])
def test_every_layer_input_is_the_previous_layer_through_its_weights(split, field, trained):
    expected, _ = digits.digits_images(trained, split)
    for name in digits.DIGITS_LAYERS:
        layer = digits_layer(name)
        np.testing.assert_allclose(getattr(layer, field), expected, rtol=1e-12, atol=1e-12)
        expected = np.maximum(expected @ layer.W + trained.parameters[f"{name}.bias"], 0)


def test_loading_twice_gives_the_same_bytes_whatever_the_thread_count(layer):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = digits_layer(layer.name)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    for field in ("X", "X_validation", "W"):
        assert getattr(again, field).tobytes() == getattr(layer, field).tobytes()


def test_loading_and_training_leave_the_random_state_of_torch_alone():
    images, labels = digits.all_images()
    before = torch.random.get_rng_state()
    digits_layer("output")
    train_digits.train(images[:40], labels[:40], epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_training_writes_a_file_that_loads_and_repeats_on_one_machine(tmp_path, capsys):
    for name in ("first.npz", "second.npz"):
        train_digits.main(["--output", str(tmp_path / name), "--epochs", "2"])
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    layer = digits_layer("output", tmp_path / "first.npz")
    assert layer.X.shape == (1200, 96)
    assert layer.files == {"first.npz": hashlib.sha256((tmp_path / "first.npz").read_bytes()).hexdigest()}
    accuracy = digits.digits_accuracy("held-out", tmp_path / "first.npz")
    assert accuracy > 0.5
    assert f"accuracy on the held-out images: {accuracy:.4f}" in capsys.readouterr().out


def test_unknown_names_are_refused():
    with pytest.raises(InvalidArgumentError, match="name = 'hidden3' is not accepted: one of 'hidden1', 'hidden2', 'output'"):
        digits_layer("hidden3")
    with pytest.raises(InvalidArgumentError, match="split = 'test' is not accepted: one of 'calibration', 'held-out'"):
        digits.digits_accuracy("test")
