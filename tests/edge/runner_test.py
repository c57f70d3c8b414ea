import json
import zipfile

from ai_edge_litert.interpreter import Interpreter
import numpy as np
import pytest

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.edge import runner
from tests.mean_grey import INFO


def test_runs_images_of_any_size(mean_grey_file):
    model = runner.EdgeModel(mean_grey_file, threads=1)
    for shape in (3, 5, 3), (40, 31, 3), (1, 1, 3):
        image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        answer = model(image)
        assert answer["probability"][0] == pytest.approx(image.mean() / 255, abs=1e-6)
        assert answer["probabilities"].shape == (1, 1)


def test_record_travels_inside(mean_grey_file):
    model = runner.EdgeModel(mean_grey_file)
    assert model.info == INFO
    assert set(model.outputs) == {"probability", "probabilities"}


def test_record_is_an_associated_file_that_other_tools_read(mean_grey_file):
    with zipfile.ZipFile(mean_grey_file) as archive:
        assert json.loads(archive.read("model_info.json"))["notice"] == RESEARCH_USE
    Interpreter(model_path=str(mean_grey_file)).allocate_tensors()


def test_runs_without_tensorflow(mean_grey_file, run_command):
    code = (
        "import sys, numpy as np; from ctcov_tf.edge.runner import EdgeModel; "
        f"print(EdgeModel({str(mean_grey_file)!r})(np.full((9, 7, 3), 51, np.uint8))['probability'][0]); "
        "assert not {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules), 'heavy import'"
    )
    done = run_command("-c", code)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PNG is no model, however long it may be", bytes(100)])
def test_refuses_what_is_no_tflite_model(content, tmp_path):
    path = tmp_path / "other.tflite"
    path.write_bytes(content)
    with pytest.raises(errors.CtcovError, match=r"other\.tflite: not a TFLite model"):
        runner.EdgeModel(path)


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(errors.CtcovError, match="no such file"):
        runner.EdgeModel(tmp_path / "none.tflite")


def test_refuses_a_file_cut_short(mean_grey_file, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(mean_grey_file.read_bytes()[:-200])
    with pytest.raises(errors.CtcovError, match=r"cut\.tflite: no record .*export it again"):
        runner.EdgeModel(path)


def test_refuses_a_damaged_model_with_a_record(tmp_path):
    path = tmp_path / "damaged.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(range(200)))
    runner.append_record(path, INFO)
    with pytest.raises(errors.CtcovError, match=r"damaged\.tflite: damaged TFLite model"):
        runner.EdgeModel(path)


def test_refuses_a_record_of_another_version(mean_grey_file, tmp_path):
    path = tmp_path / "future.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(runner.RECORD, json.dumps({"format": 99}))
    with pytest.raises(errors.CtcovError, match=r"future\.tflite: .*export the model again"):
        runner.EdgeModel(path)
