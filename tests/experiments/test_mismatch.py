"""Mismatched inputs: the words for them, noise of any size, and what the layers before produce once they are quantized."""

from itertools import pairwise

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, InvalidArgumentError, optq
from provable_ptq.algorithms.factorization import Folding
from provable_ptq.experiments.calibration import LayerData, load_layer
from provable_ptq.experiments.calibration.load import KINDS, MISMATCHES, check_mismatch
from provable_ptq.experiments.calibration.mismatch import Noise, QuantizedLayers, folded_normal, parse_mismatch, with_noise

AR1 = {"kind": "ar1", "samples": 40, "features": 6, "neurons": 2}


# --- words -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "meaning"), [
    ("none", None), ("noise:0", Noise(0.0)), ("noise:1e-3", Noise(0.001)), ("layers:4", QuantizedLayers(4)),
    ("layers:3:8", QuantizedLayers(3, 8)),
])
def test_the_words_and_what_they_mean(text, meaning):
    assert parse_mismatch("mismatch", text) == meaning
    assert check_mismatch("mismatch", text, "digits") is None


@pytest.mark.parametrize(("value", "accepted"), [
    ("nois:0.1", "one of none, noise:SIZE, layers:BITS, layers:BITS:ACTIVATION_BITS, deployed; did you mean 'noise:SIZE'"),
    ("", "one of none"), (None, "one of none"), (0.1, "one of none"), ("none:1", "one of none"), ("layers", "one of none"),
    ("layers:4:8:2", "one of none"),
    ("noise:-1", "noise:SIZE with a finite number >= 0"), ("noise:nan", "noise:SIZE with a finite"), ("noise:inf", "noise:SIZE with"),
    ("noise:a", "noise:SIZE with a finite"), ("layers:1", "layers:BITS or layers:BITS:ACTIVATION_BITS with numbers of bits from 2 to 16"),
    ("layers:4:17", "with numbers of bits from 2 to 16"), ("layers:4.0", "with numbers of bits"), ("layers:-4", "with numbers of bits"),
])
def test_other_words_are_refused_with_the_accepted_ones(value, accepted):
    with pytest.raises(InvalidArgumentError) as refused:
        check_mismatch("sweep x: mismatch", value, "digits")
    assert str(refused.value).startswith(f"sweep x: mismatch = {value!r} is not accepted: ")
    assert accepted in str(refused.value)


@pytest.mark.parametrize("kind", KINDS)
def test_only_networks_have_layers_before(kind):
    if kind in ("digits", "minilm"):
        assert check_mismatch("mismatch", "layers:4", kind) is None
    else:
        accepted = rf"none or noise:SIZE, since {kind} has no layers before it \(kind digits or minilm has\)"
        with pytest.raises(InvalidArgumentError, match=accepted):
            check_mismatch("mismatch", "layers:4", kind)
    assert check_mismatch("mismatch", MISMATCHES[0], kind) is None


# --- noise -----------------------------------------------------------------------------------------------------------------


def test_noise_is_one_draw_scaled_by_its_size_and_each_feature():
    none, small, large = (load_layer("x", AR1, 0, 0, mismatch) for mismatch in ("none", "noise:0.01", "noise:1"))
    np.testing.assert_array_equal(small.X, none.X)
    np.testing.assert_array_equal(small.W, none.W)
    assert none.X_quantized is None
    np.testing.assert_allclose(100 * (small.X_quantized - small.X), large.X_quantized - large.X, rtol=1e-9)
    drawn = (large.X_quantized - large.X) / np.sqrt(np.square(large.X).mean(axis=0))
    assert np.square(drawn).mean() == pytest.approx(1, abs=0.3)
    other = load_layer("x", AR1, 0, 1, "noise:1")
    assert not np.isclose(other.X_quantized - other.X, large.X_quantized - large.X).any(), "another repetition, another noise"
    np.testing.assert_array_equal(load_layer("x", AR1, 0, 0, "noise:1").X_quantized, large.X_quantized)


def test_dead_features_stay_dead():
    layer = load_layer("x", AR1 | {"kind": "dead-and-duplicated"}, 0, 0, "noise:0.5")
    np.testing.assert_array_equal(layer.X.any(axis=0), layer.X_quantized.any(axis=0))
    assert not layer.X_quantized[:, :2].any()


@pytest.mark.parametrize("samples", [12, 200])
def test_noise_on_a_folded_matrix_has_the_law_of_noise_on_its_rows(samples):
    """Mean and variance of X_quantized^T [X_quantized | X] over draws, against noise added sample by sample."""
    N, draws, size = 3, 4000, 0.3
    X = np.random.default_rng(1).standard_normal((samples, N)) @ np.array([[1.0, 0.5, 0], [0, 1, 0.5], [0, 0, 3]])
    folding = Folding()
    folding.add(X[:5])
    folding.add(X[5:])
    folded = LayerData("x", folding.triangle, None, np.ones((N, 1)), rows=X[:4], samples=samples)
    plain = LayerData("x", X, None, np.ones((N, 1)))

    def products(layer, number):
        noisy = with_noise(layer, size, np.random.default_rng(number))
        np.testing.assert_allclose(noisy.X.T @ noisy.X, X.T @ X, atol=1e-9 * samples)
        return noisy.X_quantized.T @ np.hstack([noisy.X_quantized, noisy.X])

    of_folded, of_plain = (np.array([products(layer, number) for number in range(draws)]) for layer in (folded, plain))
    spread = of_plain.std(axis=0)
    assert (abs(of_folded.mean(axis=0) - of_plain.mean(axis=0)) < 5 * spread * np.sqrt(2 / draws)).all()
    np.testing.assert_allclose(of_folded.std(axis=0), spread, rtol=0.1)
    expected = X.T @ X + size**2 * np.diag(np.square(X).sum(axis=0))
    assert (abs(of_folded.mean(axis=0)[:, :N] - expected) < 5 * spread[:, :N] / np.sqrt(draws)).all()


def test_folded_normal_has_the_gram_matrix_of_a_normal_matrix():
    grams = np.array([(R := folded_normal(50, 3, np.random.default_rng(number))).T @ R for number in range(4000)])
    np.testing.assert_allclose(grams.mean(axis=0), 50 * np.eye(3), atol=5 * 10 / np.sqrt(4000))
    np.testing.assert_allclose(grams.var(axis=0), 50 * (1 + np.eye(3)), rtol=0.15)


# --- quantized layers before -----------------------------------------------------------------------------------------------


torch = pytest.importorskip("torch")
deployed = pytest.importorskip("provable_ptq.experiments.networks.deployed")
SIZES = (6, 5, 4, 3)


def perceptron(seed=0):
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(features, neurons).double() for features, neurons in pairwise(SIZES)]
    return torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])


def by_hand(network, X, bits, activation_bits):
    """What each layer is given, one layer after the other in numpy, by the words of bounds/THEORY.md#algorithms."""
    given = []
    for layer in (part for part in network if isinstance(part, torch.nn.Linear)):
        if activation_bits:
            step = abs(X).max(axis=1, keepdims=True) / (2 ** (activation_bits - 1) - 1)
            X = np.where(step > 0, np.rint(X / np.where(step > 0, step, 1)) * step, 0)
        given.append(X)
        W = layer.weight.detach().numpy().T
        Q = optq(X, W, Grid.for_weights(W, bits), "mean-diagonal:0.01", "decreasing-norm").weights
        X = np.maximum(X @ Q + layer.bias.detach().numpy(), 0)
    return given


@pytest.mark.parametrize("activation_bits", [None, 3, 8])
@pytest.mark.parametrize("bits", [2, 4])
def test_every_layer_is_calibrated_on_what_the_quantized_layers_before_it_produce(bits, activation_bits):
    X = np.random.default_rng(0).standard_normal((50, 6))
    for place, name in enumerate(("0", "2", "4")):
        network = perceptron()
        untouched = {part: values.clone() for part, values in network.state_dict().items()}
        deployed.deploy(network, torch.from_numpy(X), ("0", "2", "4"), [name], bits, activation_bits)
        got = deployed_inputs(network, X, name)
        np.testing.assert_allclose(got, by_hand(perceptron(), X, bits, activation_bits)[place], rtol=1e-10, atol=1e-12)
        for part, values in network.state_dict().items():
            changed = part.endswith("weight") and int(part[0]) < int(name)
            assert torch.equal(values, untouched[part]) != changed, f"{part} for the inputs of layer {name}"


def deployed_inputs(network, X, name):
    from provable_ptq.experiments.networks.capture import capture_inputs

    return capture_inputs(network, torch.from_numpy(X), [name])[name]


def test_calibrating_on_full_precision_inputs_instead_would_be_noticed():
    """The planted fault that `test_every_layer_is_calibrated_...` exists for changes the inputs of the last layer."""
    X, network = np.random.default_rng(0).standard_normal((50, 6)), perceptron()
    for name in ("0", "2"):
        W = network[int(name)].weight.detach().numpy().T
        plain = deployed_inputs(perceptron(), X, name)
        Q = optq(plain, W, Grid.for_weights(W, 2), "mean-diagonal:0.01", "decreasing-norm").weights
        network[int(name)].weight.data = torch.from_numpy(Q.T)
    assert abs(deployed_inputs(network, X, "4") - by_hand(perceptron(), X, 2, None)[2]).max() > 1e-3


def test_shared_inputs_share_a_factorization_and_change_nothing():
    class Fork(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.left, self.right, self.join = (torch.nn.Linear(5, 5).double() for _ in range(3))

        def forward(self, x):
            return self.join(self.left(x) * self.right(x))

    X = torch.from_numpy(np.random.default_rng(2).standard_normal((30, 5)))
    apart, shared = Fork(), Fork()
    deployed.quantize_in_order(apart, X, ["left", "right", "join"], 3)
    deployed.quantize_in_order(shared, X, ["left", "right", "join"], 3, input_of={"left": "left", "right": "left", "join": "join"}.get)
    for name, weights in apart.state_dict().items():
        assert torch.equal(weights, shared.state_dict()[name])


def test_the_hash_of_the_codes_before_a_layer_tells_networks_apart():
    X, names = torch.from_numpy(np.random.default_rng(0).standard_normal((50, 6))), ("0", "2", "4")

    def hashes(change=None, bits=3, wanted=names):
        network = perceptron()
        if change is not None:
            network[change].weight.data[0, 0] += 1.0
        return deployed.deploy(network, X, names, wanted, bits)

    first = hashes()
    assert list(first) == list(names)
    assert first["0"] == ""
    assert len(set(first.values())) == 3
    assert first == hashes() == hashes(change=4), "the layer itself and those after it do not count"
    assert hashes(bits=4)["2"] != first["2"]
    assert hashes(change=2)["2"] == first["2"]
    assert hashes(change=2)["4"] != first["4"]
    assert hashes(wanted=["2"]) == {"2": first["2"]}


def test_the_hash_is_of_the_codes_that_the_network_was_given():
    X, network = np.random.default_rng(0).standard_normal((50, 6)), perceptron()
    W = network[0].weight.detach().numpy().T.copy()
    codes = optq(X, W, Grid.for_weights(W, 3), "mean-diagonal:0.01", "decreasing-norm").codes
    assert deployed.quantize_in_order(network, torch.from_numpy(X), ["0"], 3) == {"0": deployed.codes_sha256(codes)}
    other = codes.copy()
    other[3, 2] += 1
    assert deployed.codes_sha256(other) != deployed.codes_sha256(codes)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_tokens_are_rounded_each_on_its_own_grid(bits):
    tokens = np.random.default_rng(3).standard_normal((4, 7, 9)) * np.logspace(-6, 6, 7)[:, None]
    rounded = deployed.round_tokens(torch.from_numpy(tokens), bits).numpy()
    rows = tokens.reshape(-1, 9)
    np.testing.assert_allclose(rounded.reshape(-1, 9), Grid.for_weights(rows.T, bits).nearest(rows.T).T, rtol=1e-12)


# --- the digits network ----------------------------------------------------------------------------------------------------


def test_digits_layers_before_are_quantized_and_the_layer_itself_is_not():
    pytest.importorskip("sklearn")
    first, last = ({"kind": "digits", "layer": layer} for layer in ("hidden1", "output"))
    plain = load_layer("d", last, 0, 0)
    drifts = []
    for mismatch in ("layers:2", "layers:4", "layers:8", "layers:8:3"):
        layer = load_layer("d", last, 0, 0, mismatch)
        np.testing.assert_array_equal(layer.X, plain.X)
        np.testing.assert_array_equal(layer.W, plain.W)
        drifts.append(np.linalg.norm(layer.X_quantized - layer.X) / np.linalg.norm(layer.X))
    assert drifts[0] > drifts[1] > drifts[2] > 0, "more bits, less mismatch"
    assert drifts[3] > drifts[2], "rounded activations add to it"
    np.testing.assert_array_equal(load_layer("d", first, 0, 0, "layers:2").X_quantized, load_layer("d", first, 0, 0).X)
    assert len(np.unique(load_layer("d", first, 0, 0, "layers:4:2").X_quantized)) <= 40, "two bits leave 0 and one step, a 16th each"
