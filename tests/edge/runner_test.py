import json
import subprocess
import sys
import zipfile

from ai_edge_litert.interpreter import Interpreter
import numpy as np
import pytest

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.edge import runner
from tests import shipped_folder
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


def test_the_file_may_be_overwritten_while_it_answers(mean_grey_file, tmp_path):
    """`cp new old` keeps the file and changes its bytes: one that is mapped kills the process."""
    path = tmp_path / "model.tflite"
    path.write_bytes(mean_grey_file.read_bytes())
    model = runner.EdgeModel(path, threads=1)
    image = np.full((40, 40, 3), 51, np.uint8)
    before = model(image)["probability"][0]
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(b"\xff" * 100)
    assert model(image)["probability"][0] == before


def test_mutated_files_answer_or_are_one_line(mean_grey_file, tmp_path):
    content = mean_grey_file.read_bytes()
    model_bytes = content.index(b"PK\x03\x04")
    rng = np.random.default_rng(0)
    path = tmp_path / "mutant.tflite"
    code = (
        "import sys, pathlib, numpy as np\n"
        "from ctcov_tf import errors\n"
        "from ctcov_tf.edge import runner\n"
        "try:\n"
        "    runner.EdgeModel(sys.argv[1], 1)(np.zeros((9, 9, 3), np.uint8))\n"
        "except errors.CtcovError as error:\n"
        "    assert '\\n' not in str(error)\n"
    )
    tracebacks = 0
    for _ in range(12):
        mutant = bytearray(content)
        for place in rng.integers(8, model_bytes, 20):
            mutant[place] = rng.integers(256)
        path.write_bytes(mutant)
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60)
        tracebacks += "Traceback" in done.stderr
    assert not tracebacks


def test_a_record_of_any_size_ends(mean_grey_file, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "MAX_TEXT", 10_000)
    path = tmp_path / "bomb.tflite"
    content = mean_grey_file.read_bytes()
    path.write_bytes(content[: content.index(b"PK\x03\x04")])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(runner.RECORD, b" " * 10**7)
    with pytest.raises(errors.CtcovError, match="over the limit of 10,000 bytes"):
        runner.EdgeModel(path)


def test_a_device_in_the_place_of_a_model_is_not_read(tmp_path):
    (tmp_path / "zero.tflite").symlink_to("/dev/zero")
    with pytest.raises(errors.CtcovError, match="no such file"):
        runner.EdgeModel(tmp_path / "zero.tflite")


def test_a_shipped_file_that_is_named_by_its_path_is_held_to_its_hash(mean_grey_file, tmp_path):
    folder = shipped_folder.write(tmp_path, "edge-20260101", mean_grey_file)
    (name,) = (path.name for path in folder.glob("*.tflite"))
    assert runner.EdgeModel(folder / name).info == INFO
    content = bytearray((folder / name).read_bytes())
    content[content.index(b"PK\x03\x04") - 1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(errors.CtcovError, match="not the file that was shipped"):
        runner.EdgeModel(folder / name)
    (folder / "other.tflite").write_bytes(mean_grey_file.read_bytes())
    with pytest.raises(errors.CtcovError, match="not the file that was shipped"):
        runner.EdgeModel(folder / "other.tflite")


def test_a_keras_file_is_told_where_it_belongs(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(errors.CtcovError, match="name the run directory that it stands in"):
        runner.EdgeModel(tmp_path / "model.keras")
