"""The user's own files: every format reads the same numbers, and what does not fit is refused by key, with what would."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments.calibration import files as files_room
from provable_ptq.experiments.calibration import load_layer
from provable_ptq.experiments.calibration.arrays import Reference, parse_reference
from provable_ptq.experiments.calibration.load import check_parameters, identity, resolve_files, shape

RNG = np.random.default_rng(0)
X, HELD_OUT, W = RNG.standard_normal((9, 4)), RNG.standard_normal((5, 4)), RNG.standard_normal((4, 3))
TABLE = {"kind": "file", "inputs": "x.npy", "weights": "w.npy"}


def save_safetensors(path, arrays, dtype="F64", words=None):
    """The format's own words: eight bytes of length, a JSON header, the bytes of all arrays."""
    header, data = {"__metadata__": {"made": "here"}}, b""
    for name, array in arrays.items():
        content = (array if words is None else words(array)).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "w.npy", W)
    np.savez(tmp_path / "both.npz", inputs=X, weights=W)
    save_safetensors(tmp_path / "both.safetensors", {"layer.inputs": X, "layer.weight": W.T})
    return tmp_path


def loaded(folder, mismatch="none", **change):
    table = {key: value for key, value in (TABLE | change).items() if value is not None}
    check_parameters("calibration.mine", table)
    return load_layer("mine", resolve_files("calibration.mine", table, folder), 0, 0, mismatch)


def refusal(folder, mismatch="none", **change):
    with pytest.raises(InvalidArgumentError) as refused:
        loaded(folder, mismatch, **change)
    return str(refused.value).replace(str(folder), "FOLDER")


# --- formats ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    {},
    {"inputs": "both.npz:inputs", "weights": "both.npz:weights"},
    {"inputs": "both.safetensors:layer.inputs", "weights": "both.safetensors:layer.weight", "layout": "out-in"},
    {"inputs": "x.npy", "weights": "both.npz:weights", "layout": "features-by-neurons"},
])
def test_every_format_and_layout_reads_the_same_layer(folder, change):
    layer = loaded(folder, **change)
    np.testing.assert_array_equal(layer.X, X)
    np.testing.assert_array_equal(layer.W, W)
    assert (layer.name, layer.X_validation, layer.X_quantized, layer.folded) == ("mine", None, None, False)


def test_held_out_and_deployed_inputs_are_read_too(folder):
    np.savez(folder / "more.npz", held_out=HELD_OUT, deployed=2 * X)
    both = {"held_out": "more.npz:held_out", "deployed": "more.npz:deployed"}
    layer = loaded(folder, "deployed", **both)
    np.testing.assert_array_equal(layer.X_validation, HELD_OUT)
    np.testing.assert_array_equal(layer.X_quantized, 2 * X)
    assert loaded(folder, **both).X_quantized is None
    np.testing.assert_array_equal(loaded(folder, "noise:0.1", **both).X_quantized, loaded(folder, "noise:0.1").X_quantized)
    assert "that names its deployed inputs (mine does not)" in refusal(folder, "deployed", held_out="more.npz:held_out")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint8])
@pytest.mark.parametrize("suffix", ["npy", "npz", "safetensors"])
def test_numbers_of_any_type_are_read_as_float64_exactly(folder, dtype, suffix):
    numbers = (np.arange(36).reshape(9, 4) / (4 if np.dtype(dtype).kind == "f" else 1)).astype(dtype)
    if suffix == "npz":
        np.savez_compressed(folder / "n.npz", numbers)
    elif suffix == "npy":
        np.save(folder / "n.npy", np.asfortranarray(numbers))
    else:
        name = {"f": "F", "i": "I", "u": "U"}[numbers.dtype.kind] + str(8 * numbers.itemsize)
        save_safetensors(folder / "n.safetensors", {"n": numbers}, name)
    layer = loaded(folder, inputs=f"n.{suffix}")
    assert layer.X.dtype == np.float64
    np.testing.assert_array_equal(layer.X, numbers.astype(np.float64))


def test_bfloat16_is_the_upper_half_of_float32(folder):
    values = np.array([[1.0, -2.5, 0.15625, 3.0e38]] * 9, dtype=np.float32)
    save_safetensors(folder / "b.safetensors", {"n": values}, "BF16", words=lambda array: (array.view(np.uint32) >> 16).astype(np.uint16))
    read = loaded(folder, inputs="b.safetensors").X
    np.testing.assert_allclose(read, values.astype(np.float64), rtol=2**-7)
    np.testing.assert_array_equal(read[:, :3], values[:, :3].astype(np.float64))


def test_files_written_by_the_library_itself_read_the_same(folder):
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    values = torch.from_numpy(X)
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        save_file({"other": torch.ones(3), "inputs": values.to(dtype)}, folder / "library.safetensors")
        np.testing.assert_array_equal(loaded(folder, inputs="library.safetensors:inputs").X, values.to(dtype).double().numpy())


# --- many samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_many_samples_are_folded_with_what_is_deployed_beside_them(folder, monkeypatch, suffix):
    many = RNG.standard_normal((5000, 4))
    shifted, later = many + 0.1 * RNG.standard_normal(many.shape), RNG.standard_normal((4500, 4))
    for name, array in (("many", many), ("shifted", shifted), ("later", later)):
        np.save(folder / f"{name}.npy", array) if suffix == "npy" else np.savez(folder / f"{name}.npz", array)
    monkeypatch.setattr(files_room, "BLOCK_ROWS", 700)
    layer = loaded(folder, "deployed", inputs=f"many.{suffix}", deployed=f"shifted.{suffix}", held_out=f"later.{suffix}")
    assert (layer.m, layer.X.shape, layer.rows.shape, layer.X_validation.shape) == (5000, (8, 4), (1024, 4), (4, 4))
    for folded, rows in ((layer.X.T @ layer.X, many.T @ many), (layer.X_quantized.T @ layer.X, shifted.T @ many),
                         (layer.X_quantized.T @ layer.X_quantized, shifted.T @ shifted),
                         (layer.X_validation.T @ layer.X_validation, later.T @ later)):
        np.testing.assert_allclose(folded, rows, atol=1e-8)
    assert np.isin(layer.rows, many).all()
    assert len(np.unique(layer.rows[:, 0])) == 1024
    alone = loaded(folder, "noise:0.1", inputs=f"many.{suffix}")
    assert (alone.X.shape, alone.X_quantized.shape) == ((8, 4), (8, 4))


def test_few_samples_are_not_folded(folder):
    np.save(folder / "x.npy", RNG.standard_normal((4096, 4)))
    assert not loaded(folder).folded
    np.save(folder / "x.npy", RNG.standard_normal((4097, 4)))
    assert loaded(folder).folded


# --- what a study sees -----------------------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_study_and_files_are_known_by_their_bytes(folder, tmp_path_factory):
    resolved = resolve_files("calibration.mine", TABLE | {"inputs": "both.npz:inputs"}, folder)
    digest = hashlib.sha256((folder / "both.npz").read_bytes()).hexdigest()
    assert resolved["inputs"] == f"{folder.resolve() / 'both.npz'}:inputs"
    assert resolved["inputs_sha256"] == digest
    assert load_layer("mine", resolved, 0, 0).files["both.npz"] == digest
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("both.npz", "w.npy"):
        (elsewhere / name).write_bytes((folder / name).read_bytes())
    again = resolve_files("calibration.mine", TABLE | {"inputs": "both.npz:inputs"}, elsewhere)
    assert again != resolved
    assert identity(again) == identity(resolved), "the same on every machine"
    assert str(folder) not in json.dumps(identity(resolved))
    np.save(folder / "w.npy", W + 1)
    assert identity(resolve_files("calibration.mine", TABLE | {"inputs": "both.npz:inputs"}, folder)) != identity(resolved)
    assert check_parameters("calibration.mine", resolved) is None
    assert resolve_files("calibration.mine", {"kind": "digits"}, folder) == {"kind": "digits"}


def test_the_shape_comes_from_headers_alone(folder):
    table = resolve_files("x", TABLE | {"inputs": "both.safetensors:layer.inputs", "weights": "both.npz:weights"}, folder)
    assert shape(table) == (9, 4, 3)
    assert shape(resolve_files("x", TABLE | {"weights": "both.safetensors:layer.weight", "layout": "out-in"}, folder)) == (9, 4, 3)


def test_a_link_keeps_the_name_that_says_what_it_is(folder):
    """As in model caches, where the file behind a link is called by its hash."""
    (folder / "blob").write_bytes((folder / "both.npz").read_bytes())
    (folder / "linked.npz").symlink_to(folder / "blob")
    np.testing.assert_array_equal(loaded(folder, inputs="linked.npz:inputs").X, X)
    assert identity(resolve_files("x", TABLE | {"inputs": "linked.npz:inputs"}, folder))["inputs"] == "linked.npz:inputs"


@pytest.mark.parametrize(("text", "file", "array"), [
    ("a.npz", "a.npz", None), ("a.npz:x", "a.npz", "x"), ("a.npz:x.npy", "a.npz", "x.npy"),
    ("d.e/a.SAFETENSORS:m:0", "d.e/a.SAFETENSORS", "m:0"), ("C:/data/a.npy", "C:/data/a.npy", None), ("d.npz/a.npz:x", "d.npz/a.npz", "x"),
])
def test_a_reference_is_a_file_and_perhaps_an_array(text, file, array):
    assert parse_reference(text) == Reference(Path(file), array)
    assert str(parse_reference(text)) == text


def test_a_file_can_be_pinned(folder):
    digest = hashlib.sha256((folder / "x.npy").read_bytes()).hexdigest()
    assert loaded(folder, inputs_sha256=digest).X.shape == (9, 4)
    assert refusal(folder, inputs_sha256="0" * 64).startswith(
        f"calibration.mine.inputs_sha256 = '{'0' * 64}' is not accepted: {digest}, the SHA-256 of x.npy as it is now")
    assert "64 hexadecimal digits" in refusal(folder, inputs_sha256="abc")


# --- refusals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "message"), [
    ({"inputs": None}, "calibration.mine.inputs = None is not accepted: FILE or FILE:ARRAY, where FILE ends in .npy, .npz, .safetensors"),
    ({"inputs": "x.txt"}, "calibration.mine.inputs = 'x.txt' is not accepted: FILE or FILE:ARRAY"),
    ({"weights": 3}, "calibration.mine.weights = 3 is not accepted: FILE or FILE:ARRAY"),
    ({"input": "x.npy"}, "did you mean 'inputs'?"),
    ({"layout": "in-out"}, "calibration.mine.layout = 'in-out' is not accepted: one of features-by-neurons, out-in"),
    ({"layout": []}, "calibration.mine.layout = [] is not accepted: one of"),
    ({"inputs": "y.npy"}, "calibration.mine.inputs = 'FOLDER/y.npy' is not accepted: a file that exists"),
    ({"inputs": "both.npz"}, "FILE:ARRAY with one of the arrays in this file: inputs, weights"),
    ({"inputs": "both.npz:input"}, "one of the arrays in this file: inputs, weights; did you mean 'inputs'?"),
    ({"weights": "both.safetensors:layer.wieght"}, "layer.inputs, layer.weight; did you mean 'layer.weight'?"),
    ({"weights": "both.safetensors:layer.weight"}, "calibration.mine.weights.shape = (3, 4) is not accepted: 4 features by neurons, "
     "as inputs have; with layout = 'out-in' they fit"),
    ({"layout": "out-in"}, "calibration.mine.weights.shape = (4, 3) is not accepted: neurons by 4 features, as inputs have; "
     "with layout = 'features-by-neurons' they fit"),
    ({"weights": "x.npy"}, "calibration.mine.weights.shape = (9, 4) is not accepted: 4 features by neurons"),
    ({"held_out": "w.npy"}, "calibration.mine.held_out.shape = (4, 3) is not accepted: 4 columns, as inputs have"),
    ({"deployed": "five.npy"}, "calibration.mine.deployed.shape = (5, 4) is not accepted: 9 rows and 4 columns, as inputs have"),
    ({"inputs": "deep.npy"}, "calibration.mine.inputs.shape = (2, 9, 4) is not accepted: a 2-D array without empty axes, one row per"),
    ({"inputs": "empty.npy"}, "calibration.mine.inputs.shape = (0, 4) is not accepted: a 2-D array without empty axes"),
    ({"inputs": "nan.npy"}, "calibration.mine.inputs[3, 2] = nan is not accepted: finite numbers"),
    ({"weights": "infinite.npy"}, "calibration.mine.weights[0, 1] = inf is not accepted: finite numbers"),
    ({"held_out": "nan.npy"}, "calibration.mine.held_out[3, 2] = nan is not accepted: finite numbers"),
    ({"deployed": "nan.npy"}, "calibration.mine.deployed[3, 2] = nan is not accepted: finite numbers"),
    ({"inputs": "zero.npy"}, "calibration.mine.inputs = 'FOLDER/zero.npy' is not accepted: an array that is not all zero"),
    ({"weights": "nothing.npy"}, "calibration.mine.weights = 'FOLDER/nothing.npy' is not accepted: an array that is not all zero"),
    ({"held_out": "zero.npy"}, "calibration.mine.held_out = 'FOLDER/zero.npy' is not accepted: an array that is not all zero"),
    ({"deployed": "zero.npy"}, "calibration.mine.deployed = 'FOLDER/zero.npy' is not accepted: an array that is not all zero"),
    ({"weights": "words.npy"}, "calibration.mine.weights = '<U1' is not accepted: an array of real numbers"),
    ({"inputs": "many.npz:words"}, "calibration.mine.inputs = '<U1' is not accepted: an array of real numbers"),
    ({"inputs": "many.npz:dates"}, "calibration.mine.inputs = 'datetime64[s]' is not accepted: an array of real numbers"),
    ({"inputs": "cut.npy"}, "is not accepted: a sound .npy file"),
    ({"inputs": "cut.npz"}, "is not accepted: a sound .npz file"),
    ({"weights": "square.npy", "inputs": "five.npy"}, "calibration.mine.layout = None is not accepted: one of features-by-neurons or "
     "out-in, since 4 by 4 weights fit either way"),
    ({"inputs": "complex.npy"}, "calibration.mine.inputs = 'complex128' is not accepted: an array of real numbers"),
    ({"inputs": "broken.npy"}, "calibration.mine.inputs = 'FOLDER/broken.npy' is not accepted: a sound .npy file"),
    ({"inputs": "broken.npz"}, "is not accepted: a sound .npz file"),
    ({"inputs": "broken.safetensors"}, "is not accepted: a sound .safetensors file"),
    ({"inputs": "objects.npy"}, "is not accepted: a sound .npy file (Array can't be memory-mapped"),
])
def test_what_does_not_fit_is_refused(folder, change, message):
    spoilt, infinite = X.copy(), W.copy()
    spoilt[3, 2], infinite[0, 1] = np.nan, np.inf
    for name, array in (("five", HELD_OUT), ("deep", np.zeros((2, 9, 4))), ("empty", np.zeros((0, 4))), ("nan", spoilt),
                        ("infinite", infinite), ("complex", X + 1j), ("objects", np.array([[{}]])), ("zero", 0 * X), ("nothing", 0 * W),
                        ("words", np.full((4, 3), "x")), ("square", np.eye(4) + 1)):
        np.save(folder / f"{name}.npy", array)
    np.savez(folder / "many.npz", words=np.full((9, 4), "x"), dates=np.full((9, 4), "2020-01-01", "M8[s]"))
    for name in ("x.npy", "both.npz"):
        (folder / f"cut{Path(name).suffix}").write_bytes((folder / name).read_bytes()[:-100])
    for suffix in ("npy", "npz", "safetensors"):
        (folder / f"broken.{suffix}").write_bytes(b"\xff" * 100)
    assert message in refusal(folder, **change)


def test_square_weights_are_read_as_their_layout_says(folder):
    square = RNG.standard_normal((4, 4))
    np.save(folder / "square.npy", square)
    np.testing.assert_array_equal(loaded(folder, weights="square.npy", layout="features-by-neurons").W, square)
    np.testing.assert_array_equal(loaded(folder, weights="square.npy", layout="out-in").W, square.T)


def test_an_array_of_many_blocks_is_looked_at_to_its_end(folder, monkeypatch):
    monkeypatch.setattr(files_room, "BLOCK_ROWS", 2)
    late = np.zeros((9, 4))
    late[8, 3] = 1.0
    np.save(folder / "x.npy", late)
    assert resolve_files("x", TABLE, folder)["kind"] == "file", "not all zero"
    late[0, 0], late[8, 3] = 1.0, np.nan
    np.save(folder / "x.npy", late)
    with pytest.raises(InvalidArgumentError, match=r"x\.inputs\[8, 3\] = nan"):
        resolve_files("x", TABLE, folder)


def of_safetensors(header, data=bytes(288), length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype="F64", shape=(9, 4), offsets=(0, 288)):
    return {"n": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


@pytest.mark.parametrize("content", [
    of_safetensors(entry("F32")), of_safetensors(entry(shape=(9, 5))), of_safetensors(entry(shape=(3, 4))),
    of_safetensors(entry(offsets=(-296, -8))), of_safetensors(entry(offsets=(8, 296)), bytes(296)),
    of_safetensors(entry(offsets=(0, 280)), bytes(288)), of_safetensors(entry(offsets=(0, 288)), bytes(100)),
    of_safetensors(entry(offsets=(288, 0))), of_safetensors(entry(offsets=(2**63, 2**64))), of_safetensors(entry(shape=(2**40, 2**40))),
    of_safetensors(entry(shape=(10**30, 1))), of_safetensors(entry(shape=(-9, -4))), of_safetensors(entry("F80")),
    of_safetensors(entry(), bytes(400)), of_safetensors(entry(), length=2**62), of_safetensors(entry(), length=10),
    of_safetensors(b"[" * 100_000), of_safetensors(b"{}"), of_safetensors({"n": 3}), of_safetensors({"n": {"dtype": "F64"}}), b"", b"\x01",
    of_safetensors(entry() | {"m": {"dtype": "F64", "shape": [9, 4], "data_offsets": [0, 288]}}),
])  # fmt: skip
def test_a_safetensors_file_whose_header_does_not_fit_its_bytes_is_refused(folder, content):
    """F64 read as F32, and the header read as numbers: two that went unnoticed once."""
    (folder / "n.safetensors").write_bytes(content)
    message = refusal(folder, inputs="n.safetensors")
    assert message.startswith("calibration.mine.inputs")
    assert "\n" not in message


def test_the_extra_that_reads_safetensors_is_named_where_it_is_missing(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert 'pip install "provable-ptq[calibration]"' in refusal(folder, inputs="both.safetensors:layer.inputs")


def test_all_but_the_numbers_is_refused_before_anything_is_read(folder, monkeypatch):
    def no_reading(*_):
        raise AssertionError("read")

    monkeypatch.setattr(files_room.FileLayer, "blocks", no_reading)
    with pytest.raises(InvalidArgumentError, match=r"held_out\.shape"):
        resolve_files("x", TABLE | {"held_out": "w.npy"}, folder)
    with pytest.raises(AssertionError, match="read"):
        resolve_files("x", TABLE, folder)
