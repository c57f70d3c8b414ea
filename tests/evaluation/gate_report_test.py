import json
import pathlib
import shutil

import cv2
import numpy as np
import pytest
import skimage

from ctcov_tf import RESEARCH_USE, config, errors, run_directory
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import calibrate, gate_report


@pytest.fixture(scope="module")
def run(light_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("gated") / "run"
    shutil.copytree(light_run.path, path, ignore=shutil.ignore_patterns("predictions", "figures"))
    run = run_directory.load(path)
    calibrate.calibrate(run)
    return run


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    """A folder of images that are no chest CT, one that cannot be read, and a text."""
    folder = tmp_path_factory.mktemp("stripes")
    for width in range(4, 12):
        image = np.tile(np.repeat([0, 255], width).astype(np.uint8), (90, 8))
        (folder / f"{width}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    (folder / "cut.png").write_bytes(b"\x89PNG cut")
    (folder / "text.txt").write_text("text")
    return folder


def test_what_is_unlike_is_told_apart(run, stripes, tmp_path, capsys):
    found = gate_report.report(run, [stripes], tmp_path)
    assert json.loads((tmp_path / "gate.json").read_text()) == json.loads(json.dumps(found))
    assert (tmp_path / "gate.png").stat().st_size > 5000
    assert found["known"]["images"] == 24
    assert found["known"]["refused"]["value"] == pytest.approx(1 / 24)
    assert list(found["against"]) == [*gate_report._CHANGES, "noise", str(stripes)]
    against = found["against"][str(stripes)]
    assert (against["images"], against["groups"]) == (8, 8)
    assert against["auc"]["value"] == 1
    assert against["refused"]["value"] == 1
    upside_down = found["against"]["upside down"]
    assert upside_down["groups"] == found["known"]["groups"] < 24
    assert upside_down["auc"]["low"] <= upside_down["auc"]["value"] <= upside_down["auc"]["high"]
    assert found["notice"] == RESEARCH_USE
    text = gate_report.table(found)
    assert len(text.splitlines()) == 2 + len(found["against"])
    assert not run.test_readings_file.exists()


def test_radiographs_photographs_noise_and_windows_are_told_from_ct(run, phantom_data_dir, tmp_path):
    """What the gate is there for, each with the lower end of its AUC: synthetic slices against what is none."""
    radiographs, photographs = tmp_path / "radiographs", tmp_path / "photographs"
    radiographs.mkdir()
    data = config.DataConfig(dataset="phantom/cxr_tiny", data_dir=str(phantom_data_dir))
    for example in contents.examples(data, "validation").as_numpy_iterator():
        (radiographs / f"{example['image_id'].decode()}.png").write_bytes(example["image"])
    photographs.mkdir()
    for name in ("astronaut", "camera", "chelsea", "coffee", "coins", "motorcycle_left", "hubble_deep_field", "rocket"):
        (picture,) = (pathlib.Path(skimage.__file__).parent / "data").glob(f"{name}.*")
        shutil.copy(picture, photographs)
    found = gate_report.report(run, [radiographs, photographs], tmp_path / "out")["against"]
    assert found[str(radiographs)]["images"] == 24
    for kind in (str(radiographs), str(photographs), "noise", "turned by 90 degrees", "inverted", "contrast trebled"):
        assert found[kind]["auc"]["low"] > 0.9, (kind, found[kind])
        assert found[kind]["refused"]["value"] > 0.9, (kind, found[kind])


def test_a_reading_of_the_test_part_is_logged(run, tmp_path):
    gate_report.report(run, [], tmp_path, split="test")
    assert json.loads(run.test_readings_file.read_text().splitlines()[-1])["reason"] == "ctcov gate"


def test_what_cannot_be_measured_is_named(run, light_run, tmp_path):
    with pytest.raises(errors.CtcovError, match="has no input gate: fit one with ctcov calibrate"):
        gate_report.report(light_run, [], tmp_path)
    with pytest.raises(errors.CtcovError, match="no such folder: name one"):
        gate_report.report(run, [tmp_path / "missing"], tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.CtcovError, match="holds no image that can be read"):
        gate_report.report(run, [tmp_path / "empty"], tmp_path)
    assert not (tmp_path / "gate.json").exists()
