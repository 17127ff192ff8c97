"""MiniLM: our forward pass is the published one, and folded inputs are those of the network on the text, however they are made."""

import hashlib
import threading
from importlib.util import find_spec

import numpy as np
import pytest
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.experiments.calibration import load_layer, minilm
from provable_ptq.experiments.calibration.load import check_parameters, preparations, shape
from provable_ptq.experiments.networks import minilm as minilm_network
from provable_ptq.experiments.networks.capture import capture_inputs, one_torch_thread
from provable_ptq.experiments.networks.deployed import deploy

torch = pytest.importorskip("torch")
for package in ("safetensors", "tokenizers", minilm_network.PACKAGE):
    if find_spec(package) is None:
        pytest.skip("the extra transformer is not installed", allow_module_level=True)

SMALL = {"kind": "minilm", "samples": 512, "held_out": 128, "sequence": 64}
KEY, VALUE, DENSE, LAST = (f"encoder.layer.{part}" for part in (
    "1.attention.self.key", "1.attention.self.value", "0.output.dense", "1.attention.output.dense"))
INPUTS = tuple(map(minilm_network.input_of, (KEY, DENSE, LAST)))


@pytest.fixture(scope="module")
def network():
    return minilm_network.minilm_network()


@pytest.fixture(scope="module")
def tokens():
    return tuple(map(torch.from_numpy, minilm_network.minilm_tokens(512, 128, 64)))


@pytest.fixture(scope="module")
def plain(network, tokens):
    """What the layers of `INPUTS` are given, all rows at once: calibration and held out."""
    with one_torch_thread():
        return tuple(capture_inputs(network, split, INPUTS) for split in tokens)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The folded inputs of all layers used here, made as a study makes them."""
    folder = tmp_path_factory.mktemp("cache")
    layers, mismatches = (KEY, VALUE, DENSE, LAST), ("none", "layers:3:8")
    for made in preparations([(SMALL | {"layer": layer}, mismatch) for layer in layers for mismatch in mismatches]):
        made.run(folder)
    return folder


# --- the network -----------------------------------------------------------------------------------------------------------


def test_the_forward_pass_is_the_published_one(network, tokens):
    transformers = pytest.importorskip("transformers")
    folder = minilm_network.model_folder()
    published = transformers.BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False).double().eval()
    with one_torch_thread(), torch.no_grad():
        batch = tokens[0][:3]
        expected = published(input_ids=batch, attention_mask=torch.ones_like(batch), output_hidden_states=True)
        ours = network(batch)
        hidden = network.embeddings(batch)
        for block, there in zip([None, *network.encoder.layer], expected.hidden_states, strict=True):
            hidden = hidden if block is None else block(hidden)
            torch.testing.assert_close(hidden, there, rtol=0, atol=1e-12 * float(there.abs().max()))
    torch.testing.assert_close(ours, expected.last_hidden_state, rtol=0, atol=1e-12 * float(ours.abs().max()))


def test_layers_are_the_linear_ones_of_the_encoder_in_the_order_they_are_applied(network, tokens):
    linear = {name: part for name, part in network.named_modules() if isinstance(part, torch.nn.Linear)}
    assert set(minilm_network.MINILM_LAYERS) == set(linear)
    assert len(linear) == 36
    called = []
    hooks = [part.register_forward_pre_hook(lambda *_, name=name: called.append(name)) for name, part in linear.items()]
    with torch.no_grad():
        network(tokens[0][:1])
    for hook in hooks:
        hook.remove()
    assert tuple(called) == minilm_network.MINILM_LAYERS


def test_query_key_and_value_are_given_the_same_and_shapes_are_as_said(network, tokens):
    given = capture_inputs(network, tokens[0][:1], minilm_network.MINILM_LAYERS)
    assert len({minilm_network.input_of(layer) for layer in given}) == 24
    for layer, X in given.items():
        np.testing.assert_array_equal(X, given[minilm_network.input_of(layer)])
        W = minilm_network.minilm_weights(layer)
        assert W.shape == minilm_network.layer_shape(layer) == shape({"kind": "minilm", "layer": layer})[1:]
        assert X.shape == (64, W.shape[0])
        np.testing.assert_array_equal(W.T, network.get_submodule(layer).weight.detach().numpy())


def test_tokens_are_whole_sequences_of_the_text_and_no_sequence_is_in_both_splits(tokens):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm_network.model_folder() / "tokenizer.json"))
    calibration, held_out = (split.numpy() for split in tokens)
    assert (calibration.shape, held_out.shape) == ((8, 64), (2, 64))
    for sequences in (calibration, held_out):
        assert {tokenizer.id_to_token(token) for token in sequences[:, 0]} == {"[CLS]"}
        assert {tokenizer.id_to_token(token) for token in sequences[:, -1]} == {"[SEP]"}
        assert tokenizer.token_to_id("[PAD]") not in sequences
    inner = {tuple(sequence[1:-1]) for sequence in calibration}
    assert len(inner) == 8
    assert not inner & {tuple(sequence[1:-1]) for sequence in held_out}


def test_more_tokens_than_the_text_has_are_refused():
    with pytest.raises(InvalidArgumentError, match=r"^samples = 1280000 is not accepted: at most \d+ tokens"):
        minilm_network.minilm_tokens(1_280_000, 128, 128)


# --- folded inputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [KEY, VALUE, DENSE, LAST])
def test_folded_inputs_have_the_gram_matrices_of_all_rows(layer, plain, cache):
    calibration, held_out = (split[minilm_network.input_of(layer)] for split in plain)
    loaded = load_layer("m", SMALL | {"layer": layer}, 0, 0, cache=cache)
    assert (loaded.name, loaded.m, loaded.folded, loaded.X_quantized) == (layer, 512, True, None)
    for folded, rows in ((loaded.X, calibration), (loaded.X_validation, held_out)):
        assert folded.shape == (min(rows.shape), rows.shape[1])
        np.testing.assert_allclose(folded.T @ folded, rows.T @ rows, atol=1e-11 * np.square(rows).sum())
    assert len(loaded.rows) == 512, "few rows are all kept"
    np.testing.assert_array_equal(loaded.rows, calibration)


def test_kept_rows_are_rows_and_the_triangle_does_not_depend_on_blocks(network, tokens, plain, monkeypatch):
    monkeypatch.setattr("provable_ptq.experiments.calibration.folded.KEPT_ROWS", 100)
    with one_torch_thread():
        made = [minilm.fold_layer_inputs(network, tokens[0].split(size), INPUTS[:1], 512) for size in (8, 3)]
    whole, blocks = (foldings[INPUTS[0]].fields() for foldings in made)
    rows = plain[0][INPUTS[0]]
    places = [int(np.flatnonzero((np.isclose(rows, row, atol=1e-10)).all(axis=1))[0]) for row in blocks["rows"]]
    assert len(set(places)) == 100
    assert places == sorted(places)
    assert blocks["samples"] == whole["samples"] == 512
    grams = [fields["X"].T @ fields["X"] for fields in (whole, blocks)]
    np.testing.assert_allclose(*grams, atol=1e-13 * np.trace(grams[0]))


@pytest.fixture(scope="module")
def quantized(tokens):
    """What the layers of `INPUTS` are given in the deployed network, all rows at once."""
    network = minilm_network.minilm_network()
    with one_torch_thread():
        deploy(network, tokens[0], minilm_network.MINILM_LAYERS, INPUTS, 3, 8, minilm_network.input_of)
        return capture_inputs(network, tokens[0], INPUTS)


@pytest.mark.parametrize("layer", [VALUE, DENSE])
def test_mismatched_inputs_keep_their_cross_gram_matrix(layer, plain, quantized, cache):
    loaded = load_layer("m", SMALL | {"layer": layer}, 0, 0, "layers:3:8", cache)
    X, X_quantized = (given[minilm_network.input_of(layer)] for given in (plain[0], quantized))
    scale = np.square(X).sum()
    np.testing.assert_allclose(loaded.X.T @ loaded.X, X.T @ X, atol=1e-11 * scale)
    for folded, rows in ((loaded.X, X), (loaded.X_quantized, X_quantized)):
        np.testing.assert_allclose(loaded.X_quantized.T @ folded, X_quantized.T @ rows, atol=1e-11 * scale)
    drift = np.linalg.norm(X_quantized - X) / np.linalg.norm(X)
    assert 0.01 < drift < 1
    assert np.linalg.norm(loaded.X_quantized - loaded.X) / np.linalg.norm(loaded.X) == pytest.approx(drift, rel=1e-3)
    np.testing.assert_array_equal(loaded.rows, X)


def test_last_bits_of_float64_change_no_code_of_the_deployed_network_and_float32_does(tokens):
    """What another processor changes is the rounding of sums; here half of every word is changed by as much."""

    def codes(unit, dtype=torch.float64):
        network = minilm_network.minilm_network()
        network.embeddings.word_embeddings.weight.data[:, ::2] *= 1 + unit
        with one_torch_thread():
            return deploy(network.to(dtype), tokens[0], minilm_network.MINILM_LAYERS, [DENSE], 4, 8, minilm_network.input_of)

    assert codes(2.0**-52) == codes(0.0)
    assert codes(0.0, torch.float32) != codes(0.0)


def test_the_network_and_all_that_its_layers_are_given_are_float64(network, tokens):
    seen = []
    hooks = [network.get_submodule(layer).register_forward_pre_hook(lambda _, args: seen.append(args[0].dtype)) for layer in INPUTS]
    with torch.no_grad():
        network(tokens[0][:1])
    for hook in hooks:
        hook.remove()
    assert {part.dtype for part in network.state_dict().values()} == {torch.float64} == set(seen)


def test_a_mismatched_layer_says_which_network_it_is_deployed_in(cache, tokens):
    kept = {layer: load_layer("m", SMALL | {"layer": layer}, 0, 0, "layers:3:8", cache).deployed_codes
            for layer in (KEY, VALUE, DENSE, LAST)}
    assert kept[KEY] == kept[VALUE], "what lies before is the same"
    assert len(set(kept.values())) == 3
    with one_torch_thread():
        alone = deploy(minilm_network.minilm_network(), tokens[0], minilm_network.MINILM_LAYERS, [DENSE], 3, 8, minilm_network.input_of)
    assert alone == {DENSE: kept[DENSE]}, "whichever layers are prepared together"
    assert load_layer("m", SMALL | {"layer": KEY}, 0, 0, cache=cache).deployed_codes == ""


def test_weights_and_files_are_those_of_the_package(cache):
    loaded = load_layer("m", SMALL | {"layer": DENSE}, 0, 0, cache=cache)
    np.testing.assert_array_equal(loaded.W, minilm_network.minilm_weights(DENSE))
    content = (minilm_network.model_folder() / "model.safetensors").read_bytes()
    assert loaded.files["model.safetensors"] == hashlib.sha256(content).hexdigest()
    assert set(loaded.files) == {"model.safetensors", "config.json", "tokenizer.json", "pydoc_data.topics"}


def test_noise_needs_no_capture_of_its_own(cache, monkeypatch):
    monkeypatch.setattr(minilm.MiniLMCapture, "make", nothing_to_make)
    loaded = load_layer("m", SMALL | {"layer": KEY}, 0, 0, "noise:0.1", cache)
    assert loaded.X_quantized.shape == loaded.X.shape == (512, 384)
    assert np.linalg.norm(loaded.X_quantized - loaded.X) / np.linalg.norm(loaded.X) == pytest.approx(0.1, rel=0.02)


def nothing_to_make(self, names):
    assert not names, f"{names} are in the cache"
    return iter(())


# --- the cache -------------------------------------------------------------------------------------------------------------


def test_the_cache_holds_the_bytes_that_a_load_without_it_makes(cache):
    parameters = SMALL | {"layer": KEY}
    kept, made = load_layer("m", parameters, 0, 0, cache=cache), load_layer("m", parameters, 1, 1)
    for field in ("X", "X_validation", "W", "rows"):
        np.testing.assert_array_equal(getattr(kept, field), getattr(made, field))
    assert len(list(cache.glob("*.npz"))) == 6, "three distinct inputs, with and without mismatch; key and value share one"
    assert not list(cache.glob("*.tmp"))


@pytest.fixture
def counted(monkeypatch):
    """A capture that makes the same few numbers at once, and a list of what it was asked to make."""
    asked = []

    def make(self, names):
        asked.extend(names)
        for name in names:
            rows = np.full((4, 384), float(len(name)))
            yield name, {"X": rows, "rows": rows, "samples": 4, "X_validation": rows, "deployed_codes": np.array("")}

    monkeypatch.setattr(minilm.MiniLMCapture, "make", make)
    return asked


def loaded_with(folder, mismatch="none", **change):
    return load_layer("m", SMALL | {"layer": KEY} | change, 0, 0, mismatch, folder)


def test_what_is_in_the_cache_is_not_made_again_and_all_that_it_depends_on_has_files_of_its_own(counted, tmp_path):
    for _ in range(2):
        loaded_with(tmp_path)
        loaded_with(tmp_path, layer=VALUE)
    assert len(counted) == 1
    changes = ({"samples": 1024}, {"held_out": 256}, {"sequence": 32}, {"layer": LAST},
               {"mismatch": "layers:4"}, {"mismatch": "layers:4:8"})
    for number, change in enumerate(changes, 2):
        loaded_with(tmp_path, **change)
        assert len(counted) == number, change


@pytest.mark.parametrize("damage", [
    lambda whole: b"", lambda whole: whole[: len(whole) // 2], lambda whole: whole[:5000] + b"\1" + whole[5001:],
], ids=["empty", "half", "one byte"])
def test_a_damaged_file_is_made_again(counted, tmp_path, damage):
    first = loaded_with(tmp_path)
    (file,) = tmp_path.glob("*.npz")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert file.read_bytes() != whole
    np.testing.assert_array_equal(loaded_with(tmp_path).X, first.X)
    assert len(counted) == 2
    assert file.read_bytes() == whole


def test_of_two_at_once_one_computes_and_the_other_waits(counted, tmp_path, monkeypatch):
    pytest.importorskip("fcntl")
    quick, entered, go_on = minilm.MiniLMCapture.make, threading.Event(), threading.Event()

    def slow(self, names):
        entered.set()
        assert go_on.wait(60)
        yield from quick(self, names)

    monkeypatch.setattr(minilm.MiniLMCapture, "make", slow)
    threads = [threading.Thread(target=loaded_with, args=(tmp_path,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert entered.wait(60)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert len(counted) == 1


def test_without_locks_everything_works(counted, tmp_path, monkeypatch):
    monkeypatch.setattr("provable_ptq.experiments.calibration.cache.fcntl", None)
    assert loaded_with(tmp_path).X.shape == (4, 384)
    assert [file.suffix for file in tmp_path.iterdir()] == [".npz"]


def test_a_failed_write_leaves_nothing_behind(counted, tmp_path, monkeypatch):
    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        loaded_with(tmp_path)
    assert [file.suffix for file in tmp_path.iterdir()] == [".lock"]


def test_a_preparation_makes_all_its_layers_in_one_go(counted, tmp_path):
    (made,) = preparations([(SMALL | {"layer": layer}, "none") for layer in (LAST, VALUE, KEY)])
    made.run(tmp_path)
    assert counted == [minilm_network.input_of(KEY), LAST]
    loaded_with(tmp_path, layer=VALUE)
    assert len(counted) == 2


def test_cost_grows_with_what_is_asked_for():
    cost = minilm.capture_cost
    assert 0 < cost(512, 128, [KEY], False) < cost(512, 128, [KEY], True) < cost(1024, 128, [KEY], True)
    assert cost(512, 128, [KEY], False) < cost(512, 128, [KEY, DENSE], False)
    assert cost(512, 128, INPUTS[:1], True) < cost(512, 128, [LAST], True), "more layers before it"


# --- bad tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "message"), [
    ({"samples": 500}, r"cal\.samples = 500 is not accepted: a multiple of sequence = 64"),
    ({"held_out": 0}, r"cal\.held_out = 0 is not accepted: an integer from 1 to 1,000,000,000"),
    ({"sequence": 2}, r"cal\.sequence = 2 is not accepted: an integer from 3 to 1,000,000,000"),
    ({"sequence": 1024}, r"cal\.sequence = 1024 is not accepted: at most 512 tokens"),
    ({"layer": "encoder.layer.6.output.dense"}, r"one of encoder\.layer\.0.*; did you mean 'encoder\.layer\.\d\.output\.dense'\?"),
    ({"tokens": 3}, r"only the keys kind, layer, samples, held_out, sequence"),
])
def test_bad_tables_are_refused(change, message):
    with pytest.raises(InvalidArgumentError, match=message):
        check_parameters("cal", SMALL | change)
