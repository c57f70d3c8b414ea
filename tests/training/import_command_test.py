import hashlib
import re

import keras
import numpy as np
import pytest

from ctcov_tf import config, errors, run_directory
from ctcov_tf.models import backbone_weights
from ctcov_tf.models.efficientnet_lite import efficientnet_lite
from ctcov_tf.preprocessing.preprocess import Preprocess
from ctcov_tf.training.import_command import convert_efficientnet_lite, import_weights
from tests.models import torch_samples


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "chex.pt"
    return torch_samples.write_state_dict(path, torch_samples.dense_net_arrays())


def test_run_directory_is_whole(file, tmp_path):
    imported = import_weights(file, tmp_path / "runs" / "part1")
    assert [entry.name for entry in (tmp_path / "runs").iterdir()] == ["part1"]
    names = {entry.name for entry in imported.path.iterdir()}
    assert names == {"config.json", "model.keras", "calibration.json"}

    run = run_directory.load(tmp_path / "runs" / "part1")
    assert run == imported
    assert run.labels.class_names == run.labels.outputs == run.config.data.findings == config.FINDINGS
    assert (run.preset, run.labels.positive, run.labels.head) == ("torchxrayvision", "pneumonia", "findings")
    assert run.manifest["name"] == "TorchXRayVision/chex.pt"
    assert run.manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert {"ctcov", "python", "tensorflow", "keras"} <= set(run.versions)
    info = run.model_info()
    assert info.threshold == pytest.approx(torch_samples.dense_net_arrays()["op_threshs"][8])
    assert info.threshold_rule == "TorchXRayVision's operating point of pneumonia"
    assert run.load_model().output_shape == (None, 6)


def test_answers_as_the_network_in_pytorch(tmp_path):
    """The whole way: 8-bit pixels, pre-processing, saved network, chosen findings, probability."""
    torch = pytest.importorskip("torch", reason=torch_samples.NO_TORCH)
    from tests.models import torch_dense_net

    levels = np.random.default_rng(0).integers(0, 256, (3, 224, 224), dtype=np.uint8)
    normalised = torch.from_numpy((2 * (levels.astype("float32") / 255) - 1.0) * 1024)[:, None]
    reference = torch_dense_net.random_dense_net(normalised, blocks=(2, 1, 2, 2), growth_rate=4, stem_channels=8)
    torch.save(reference.state_dict(), tmp_path / "weights.pt")
    run = import_weights(tmp_path / "weights.pt", tmp_path / "run", ("mass", "pneumonia"), "pneumonia")

    images = Preprocess.from_preprocess_config(run.config.preprocess)(levels[..., None])
    with torch.no_grad():
        expected = reference(normalised).numpy()[:, [12, 8]]
    np.testing.assert_allclose(run.load_model()(images), expected, atol=1e-4 * np.abs(expected).max())


def test_without_operating_points_the_threshold_is_one_half(tmp_path):
    arrays = torch_samples.dense_net_arrays()
    del arrays["op_threshs"]
    file = torch_samples.write_state_dict(tmp_path / "weights.pt", arrays)
    info = import_weights(file, tmp_path / "run", ("edema",), "edema").model_info()
    assert (info.threshold, info.threshold_rule) == (0.5, "0.5, since the weights state no operating point")


def test_faults_leave_nothing_behind(file, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (tmp_path / "text.pt").write_text("no network")
    faults = {
        "taken: exists: choose another --run-dir": (file, taken, ("edema",), "edema"),
        "--positive mass: is not among the findings": (file, tmp_path / "run", ("edema",), "mass"),
        "finding 'oedema': these weights": (file, tmp_path / "run", ("oedema",), "oedema"),
        "missing.pt: no such file": (tmp_path / "missing.pt", tmp_path / "run", ("edema",), "edema"),
        "text.pt: is no PyTorch file": (tmp_path / "text.pt", tmp_path / "run", ("edema",), "edema"),
    }
    for fault, arguments in faults.items():
        with pytest.raises(errors.CtcovError, match=re.escape(fault)):
            import_weights(*arguments)
    assert {entry.name for entry in tmp_path.iterdir()} == {"taken", "text.pt"}
    assert not list(taken.iterdir())


@pytest.mark.parametrize("name", ["lite0.weights.h5", "lite0.keras"])
def test_converted_weights_fill_the_network(tmp_path, name):
    image = keras.Input((32, 32, 3), name="image")
    source, target = (keras.Model(image, efficientnet_lite(image), name="backbone") for _ in range(2))
    arrays = torch_samples.arrays_of_efficientnet_lite(source)
    torch_samples.write_legacy(tmp_path / "lite0.pth", arrays)
    assert convert_efficientnet_lite(tmp_path / name, tmp_path / "lite0.pth") == tmp_path / "lite0.pth"
    backbone_weights.load(target, str(tmp_path / name))
    np.testing.assert_array_equal(target.get_layer("top_conv").kernel[0, 0], arrays["_conv_head.weight"][:, :, 0, 0].T)
    with pytest.raises(errors.CtcovError, match="exists: choose another --out"):
        convert_efficientnet_lite(tmp_path / name, tmp_path / "lite0.pth")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(errors.CtcovError, match=r"lite0\.h5: has another suffix than \.keras or \.weights\.h5"):
        convert_efficientnet_lite(tmp_path / "lite0.h5")
