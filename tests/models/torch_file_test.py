import os
import pickle
import zipfile

import numpy as np
import pytest

from ctcov_tf import errors
from ctcov_tf.models import torch_file
from tests.models import torch_samples

REMEDY = "save one in two lines"


def test_reads_every_type_with_its_shape(tmp_path):
    arrays = {
        "double": np.linspace(-1, 1, 6).reshape(2, 3),
        "single": np.linspace(-1, 1, 24, dtype="float32").reshape(2, 3, 4),
        "half": np.array([0.5, np.nan], "float16"),
        "count": np.array(3, "int64"),
        "empty": np.zeros((0, 3), "float32"),
    }
    read = torch_file.read(torch_samples.write_state_dict(tmp_path / "weights.pt", arrays), REMEDY)
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_honours_offset_stride_and_byte_order(tmp_path):
    storage = np.arange(24, dtype="float32")
    tensors = {
        "whole": torch_samples.tensor("0", "float32", (24,)),
        "transposed": torch_samples.tensor("0", "float32", (3, 2), offset=12, stride=(1, 4), elements=24),
    }
    for order, code in (("little", "<f4"), ("big", ">f4"), (None, "<f4")):
        data = storage.astype(code).tobytes()
        path = torch_samples.write_archive(
            tmp_path / f"{order}.pt", torch_samples.pickled(tensors), {"0": data}, byte_order=order
        )
        read = torch_file.read(path, REMEDY)
        np.testing.assert_array_equal(read["whole"], storage)
        np.testing.assert_array_equal(read["transposed"], [[12, 16], [13, 17], [14, 18]])


def test_reads_the_format_before_1_6(tmp_path):
    arrays = {"single": np.linspace(-1, 1, 24, dtype="float32").reshape(2, 3, 4), "count": np.array(3, "int64")}
    read = torch_file.read(torch_samples.write_legacy(tmp_path / "weights.pt", arrays), REMEDY)
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_a_torn_file_of_the_format_before_1_6_is_refused(tmp_path):
    path = torch_samples.write_legacy(tmp_path / "weights.pt", {"single": np.ones(4, "float32")})
    whole = path.read_bytes()
    for content in whole[:-4], whole[:-24] + (5).to_bytes(8, "little") + whole[-16:]:
        path.write_bytes(content)
        with pytest.raises(errors.CtcovError, match=r"weights.pt: is no state dict"):
            torch_file.read(path, REMEDY)


def test_runs_no_code_of_the_format_before_1_6(tmp_path):
    path = torch_samples.write_legacy(tmp_path / "weights.pt", {"single": np.ones(4, "float32")})
    start = path.read_bytes().index(b"\x80\x02}(")  # of the dict
    evil = pickle.dumps({"weight": Malicious(tmp_path / "made")}, protocol=2)
    path.write_bytes(path.read_bytes()[:start] + evil)
    with pytest.raises(errors.CtcovError, match=r"is no state dict \(it holds \w+.mkdir, "):
        torch_file.read(path, REMEDY)
    assert not (tmp_path / "made").exists()


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_runs_no_code_of_the_file(tmp_path, protocol):
    data = pickle.dumps({"weight": Malicious(tmp_path / "made")}, protocol=protocol)
    path = torch_samples.write_archive(tmp_path / "weights.pt", data, {})
    with pytest.raises(errors.CtcovError, match=r"weights.pt: is no state dict \(it holds \w+.mkdir, .*two lines"):
        torch_file.read(path, REMEDY)
    assert not (tmp_path / "made").exists()
    pickle.loads(data)
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "name",
    ["builtins\ngetattr", "torch\nload", "torch._utils\n_rebuild_tensor_v2.__globals__", "numpy\nload", "os\nsystem"],
)
def test_lets_no_other_name_through(tmp_path, name):
    data = b"\x80\x02}" + torch_samples.push("weight") + f"c{name}\ns.".encode()
    path = torch_samples.write_archive(tmp_path / "weights.pt", data, {})
    with pytest.raises(errors.CtcovError, match=f"it holds {name.splitlines()[0]}"):
        torch_file.read(path, REMEDY)


def test_the_pickle_cannot_alter_the_reader(tmp_path):
    """BUILD with (None, {...}) sets attributes of what stands below it."""
    for target in (b"ctorch._utils\n_rebuild_tensor_v2\n", torch_samples.tensor("0", "float32", (1,))):
        data = torch_samples.pickled({"weight": target + torch_samples.push((None, {"offset": 9})) + b"b"})
        path = torch_samples.write_archive(tmp_path / "weights.pt", data, {"0": b"\0" * 4})
        with pytest.raises(errors.CtcovError, match="is no state dict"):
            torch_file.read(path, REMEDY)


@pytest.mark.parametrize("view", [{"offset": 3}, {"offset": -1}, {"stride": (4,)}, {"stride": (-1,)}, {"elements": 5}])
def test_refuses_to_read_outside_of_a_storage(tmp_path, view):
    data = torch_samples.pickled({"weight": torch_samples.tensor("0", "float32", (2,), **{"elements": 4, **view})})
    path = torch_samples.write_archive(tmp_path / "weights.pt", data, {"0": b"\0" * 16})
    with pytest.raises(errors.CtcovError, match="is no state dict"):
        torch_file.read(path, REMEDY)


def test_refuses_a_compressed_archive(tmp_path):
    data = torch_samples.pickled({"weight": torch_samples.tensor("0", "float32", (10**6,))})
    path = torch_samples.write_archive(
        tmp_path / "weights.pt", data, {"0": bytes(4 * 10**6)}, compression=zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < 10**5
    with pytest.raises(errors.CtcovError, match="is compressed"):
        torch_file.read(path, REMEDY)


def test_faults_name_the_file_and_the_remedy(tmp_path):
    path = tmp_path / "weights.pt"
    with pytest.raises(errors.CtcovError, match=r"weights.pt: no such file: save one"):
        torch_file.read(path, REMEDY)
    contents = {
        "is no PyTorch file": b"not a network",
        r"is no state dict \(.*\)": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + b"\x80\x02M\xe9\x03.",
    }
    for fault, content in contents.items():
        path.write_bytes(content)
        with pytest.raises(errors.CtcovError, match=f"weights.pt: {fault}: save one"):
            torch_file.read(path, REMEDY)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no network")
    with pytest.raises(errors.CtcovError, match=r"no data.pkl.*save one"):
        torch_file.read(path, REMEDY)
    for fault, value in {
        "it is no dictionary": [1],
        "'epoch' is no tensor": {"epoch": 1},
        "under 0 is no tensor": {0: "a"},
    }.items():
        torch_samples.write_archive(path, pickle.dumps(value, 2), {})
        with pytest.raises(errors.CtcovError, match=rf"is no state dict \(.*{fault}.*\): save one"):
            torch_file.read(path, REMEDY)
    whole = torch_samples.write_state_dict(path, {"weight": np.ones(100, "float32")}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(errors.CtcovError, match=r"weights.pt: .*save one"):
        torch_file.read(path, REMEDY)


@pytest.mark.parametrize("by_zip", [True, False])
def test_reads_what_pytorch_writes(tmp_path, by_zip):
    torch = pytest.importorskip("torch", reason=torch_samples.NO_TORCH)
    state = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).state_dict()
    state["slice"] = torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1)[1:]
    state["half"] = torch.ones(3).half()
    torch.save(state, tmp_path / "weights.pt", _use_new_zipfile_serialization=by_zip)
    read = torch_file.read(tmp_path / "weights.pt", REMEDY)
    assert list(read) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())


def test_refuses_what_pytorch_writes_beside_state_dicts(tmp_path):
    torch = pytest.importorskip("torch", reason=torch_samples.NO_TORCH)
    path = tmp_path / "model.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(errors.CtcovError, match=r"it holds torch.nn.modules.linear.Linear.*two lines"):
        torch_file.read(path, REMEDY)
    torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=False)
    with pytest.raises(errors.CtcovError, match=r"is no state dict"):
        torch_file.read(path, REMEDY)


@pytest.mark.parametrize(
    ("shape", "stride"),
    [((2,), (2**60,)), ((3, 2), (2**61, 2)), ((2**40,), (0,)), ((2, 2), (1, 1)), ((4, 4), (4, 0)), ((2,), (True,))],
)
def test_a_stride_that_overflows_or_repeats_is_refused(tmp_path, shape, stride):
    data = torch_samples.pickled({"weight": torch_samples.tensor("0", "float32", shape, stride=stride, elements=4)})
    path = torch_samples.write_archive(tmp_path / "weights.pt", data, {"0": b"\0" * 16})
    with pytest.raises(errors.CtcovError, match="is no state dict"):
        torch_file.read(path, REMEDY)


def test_transposed_and_empty_tensors_are_read(tmp_path):
    values = np.arange(6, dtype=np.float32)
    data = torch_samples.pickled(
        {
            "transposed": torch_samples.tensor("0", "float32", (2, 3), stride=(1, 2), elements=6),
            "empty": torch_samples.tensor("0", "float32", (0, 3), stride=(3, 1), elements=6),
            "one": torch_samples.tensor("0", "float32", (1, 6), stride=(999, 1), elements=6),
        }
    )
    path = torch_samples.write_archive(tmp_path / "weights.pt", data, {"0": values.tobytes()})
    found = torch_file.read(path, REMEDY)
    np.testing.assert_array_equal(found["transposed"], values.reshape(3, 2).T)
    assert found["empty"].shape == (0, 3)
    np.testing.assert_array_equal(found["one"], values[np.newaxis])
