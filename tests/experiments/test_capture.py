"""Captured inputs are what the layers saw, weights arrive transposed, and the network is left as it was found."""

import subprocess
import sys

import numpy as np
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments.calibration.layer import LayerData
from provable_ptq.experiments.networks.capture import capture_inputs, linear_weights, one_torch_thread

torch = pytest.importorskip("torch")


class Network(torch.nn.Module):
    """Two linear layers, dropout, an in-place ReLU on the first one's output, and a linear layer that is never called."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(5, 7)
        self.dropout = torch.nn.Dropout(0.5)
        self.second = torch.nn.Linear(7, 3)
        self.spare = torch.nn.Linear(2, 2)

    def forward(self, x, scale=1.0):
        hidden = torch.relu_(self.first(x * scale))
        output = self.second(self.dropout(hidden))
        hidden.zero_()
        return output


class Failing(Network):
    def forward(self, x):
        super().forward(x)
        raise RuntimeError("the network broke")


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Network().double()


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(1).standard_normal((6, 5)))


def hooks(network):
    return sum(len(part._forward_pre_hooks) + len(part._forward_hooks) for part in network.modules())


def expected_second_input(network, images):
    W, b = linear_weights(network, "first"), network.first.bias.detach().numpy()
    return np.maximum(images.numpy() @ W + b, 0)


def test_inputs_are_what_the_layers_saw(network, images):
    captured = capture_inputs(network, images, ["second", "first"])
    assert list(captured) == ["second", "first"]
    np.testing.assert_array_equal(captured["first"], images.numpy())
    np.testing.assert_allclose(captured["second"], expected_second_input(network, images), rtol=0, atol=1e-14)


def test_X_times_W_plus_bias_is_the_output_of_the_layer(network, images):
    X = capture_inputs(network, images, ["second"])["second"]
    output = X @ linear_weights(network, "second") + network.second.bias.detach().numpy()
    np.testing.assert_allclose(output, network.eval()(images).detach().numpy(), rtol=0, atol=1e-14)


def test_weights_are_a_transposed_float64_copy():
    layer = torch.nn.Linear(4, 2)
    W = linear_weights(layer, "")
    assert W.shape == (4, 2)
    assert W.dtype == np.float64
    assert W.flags.c_contiguous
    np.testing.assert_array_equal(W, layer.weight.detach().numpy().T)
    W[:] = 0
    assert layer.weight.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_activations_become_the_same_numbers_in_float64(dtype):
    images = torch.linspace(0, 1, 8).reshape(4, 2).to(dtype)
    X = capture_inputs(torch.nn.Linear(2, 1, dtype=dtype), images, [""])[""]
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X, images.double().numpy())


def test_batches_are_concatenated_and_tokens_flattened(network, images):
    tokens = images.reshape(2, 3, 5)
    whole = capture_inputs(network, images, ["second"])["second"]
    for batches in ([images[:2], images[2:]], tokens, [tokens[:1], tokens[1:]], (batch for batch in images.split(4))):
        np.testing.assert_allclose(capture_inputs(network, batches, ["second"])["second"], whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("inputs", [
    lambda images: {"x": images, "scale": 2.0},
    lambda images: [{"x": images, "scale": 2.0}],
    lambda images: [(images, 2.0)],
    lambda images: [[images, 2.0]],
])
def test_batches_of_several_arguments(network, images, inputs):
    captured = capture_inputs(network, inputs(images), ["first"])
    np.testing.assert_array_equal(captured["first"], 2 * images.numpy())


def test_a_data_loader_is_an_iterable_of_batches(network, images):
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images), batch_size=4)
    np.testing.assert_array_equal(capture_inputs(network, loader, ["first"])["first"], images.numpy())


def test_layer_called_by_keyword_and_several_times():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)
            self.alias = self.layer

        def forward(self, x):
            return self.layer(input=x) + self.alias(2 * x)

    x = torch.ones(3, 2)
    captured = capture_inputs(Twice(), x, ["layer", "alias"])
    np.testing.assert_array_equal(captured["layer"], np.repeat([[1.0], [2.0]], 3, axis=0) * np.ones(2))
    np.testing.assert_array_equal(captured["alias"], captured["layer"])


def test_network_is_left_as_it_was(network, images):
    network.train()
    network.spare.eval()
    seen = []
    network.first.register_forward_hook(lambda layer, args, output: seen.append((layer.training, torch.is_grad_enabled())))
    capture_inputs(network, images, ["first", "second"])
    assert seen == [(False, False)]
    assert torch.is_grad_enabled()
    assert hooks(network) == 1
    assert network.training
    assert network.dropout.training
    assert not network.spare.training


def test_hooks_and_modes_are_restored_when_the_network_fails(images):
    network = Failing().double().train()
    with pytest.raises(RuntimeError, match="the network broke"):
        capture_inputs(network, images, ["first", "second"])
    assert hooks(network) == 0
    assert network.dropout.training
    assert torch.is_grad_enabled()


def test_one_torch_thread_is_restored():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_torch_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(ZeroDivisionError), one_torch_thread():
            1 / 0  # noqa: B018
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("layers", "message"), [
    (["third"], r"layer = 'third' is not accepted: it is unknown; the linear layers of this network are 'first', 'second', 'spare'"),
    (["dropout"], r"layer = 'dropout' is not accepted: it is a Dropout; the linear layers of this network are 'first'"),
    ([["first"]], r"it is unknown"),
    (["first", "spare"], r"layer = 'spare' is not accepted: .*never called"),
    ("first", r"layers = 'first' is not accepted: a non-empty list of layer names"),
    ([], r"layers = \[\] is not accepted"),
    (3, r"layers = 3 is not accepted"),
])
def test_bad_layers_are_refused_and_leave_no_hooks(network, images, layers, message):
    with pytest.raises(InvalidArgumentError, match=message):
        capture_inputs(network, images, layers)
    assert hooks(network) == 0


@pytest.mark.parametrize("inputs", [3, "x", [np.ones((2, 5))], np.ones((2, 5))])
def test_bad_inputs_are_refused_and_leave_no_hooks(network, inputs):
    with pytest.raises(InvalidArgumentError, match="is not accepted: a tensor, a mapping"):
        capture_inputs(network, inputs, ["first"])
    assert hooks(network) == 0


def test_bad_modules_are_refused(network):
    with pytest.raises(InvalidArgumentError, match="linear layers of this network are"):
        linear_weights(network, "third")
    with pytest.raises(InvalidArgumentError, match=r"are \(none\)"):
        linear_weights(torch.nn.ReLU(), "")
    with pytest.raises(InvalidArgumentError, match=r"module = 3 is not accepted: a torch.nn.Module"):
        linear_weights(3, "first")


def test_importing_calibration_needs_no_torch():
    names = ("networks.capture", "networks.deployed", "networks.minilm", "networks.train_digits", "calibration")
    program = "import sys\n" + "".join(f"import provable_ptq.experiments.{name}\n" for name in names)
    program += "assert not {'torch', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_layer_data_checks_shapes_and_is_read_only_without_freezing_the_callers_arrays():
    X, W = np.ones((4, 3)), np.ones((3, 2))
    layer = LayerData("layer", X, np.ones((2, 3)), W, "")
    with pytest.raises(ValueError, match="read-only"):
        layer.X[0, 0] = 2
    X[0, 0] = 2
    assert LayerData("layer", X, None, W, "").X_validation is None
    with pytest.raises(InvalidArgumentError, match=r"W\.shape"):
        LayerData("layer", X, None, W.T, "")
    with pytest.raises(InvalidArgumentError, match=r"X_validation\.shape"):
        LayerData("layer", X, np.ones((2, 4)), W, "")
    with pytest.raises(InvalidArgumentError, match="finite"):
        LayerData("layer", np.full((4, 3), np.nan), None, W, "")
