import dataclasses
import json
import shutil

import cv2
import numpy as np
import pytest

from ctcov_tf import RESEARCH_USE, errors, predict
from ctcov_tf.config import PreprocessConfig, SmallCNNConfig
from ctcov_tf.images import decode
from ctcov_tf.model_info import Labels, ModelInfo


@pytest.fixture(scope="module")
def small_run(tiny_run, tmp_path_factory):
    """A run whose network has a heat map in every form."""
    from ctcov_tf.models import registry

    config = dataclasses.replace(tiny_run.config, model=SmallCNNConfig(channels=(8, 8, 8)))
    run = dataclasses.replace(tiny_run, path=tmp_path_factory.mktemp("small") / "run", config=config)
    run.save()
    shutil.copy(tiny_run.calibration_file, run.calibration_file)
    registry.build(config.model, config.preprocess.image_size, 1).save(run.model_file)
    return run


@pytest.fixture(scope="module")
def exports(small_run, tmp_path_factory):
    from ctcov_tf.export import saved_model, tflite

    directory = tmp_path_factory.mktemp("exports")
    folder = saved_model.export_saved_model(small_run, directory)
    return {"run": small_run.path, "saved_model": folder, **tflite.export_tflite(small_run, directory, ["float32"])}


@pytest.fixture(scope="module")
def image_files(tmp_path_factory):
    """Two grey pictures of differing sizes."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name, shape in ("a.png", (70, 81)), ("b.png", (96, 64)):
        noise = cv2.GaussianBlur(rng.integers(0, 256, shape, dtype=np.uint8), (0, 0), 4)
        cv2.imwrite(str(folder / name), cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX))
    return [folder / "a.png", folder / "b.png"]


def test_all_three_kinds_answer_alike(exports, image_files, small_run):
    for path in image_files:
        answers = {kind: predict.load(model).predict(path.read_bytes(), path.name) for kind, model in exports.items()}
        expected = answers["run"]
        assert expected.label in (small_run.labels.positive, small_run.labels.negative)
        assert expected.probabilities == {"covid19": expected.probability}
        assert (expected.name, expected.model, expected.threshold) == (path.name, small_run.preset, 0.5)
        for answer in answers.values():
            assert answer.probability == pytest.approx(expected.probability, abs=1e-5)


def test_all_three_kinds_draw_the_same_heat_map(exports, image_files):
    data = image_files[0].read_bytes()
    maps = {kind: predict.load(model).heatmap(data, "a.png") for kind, model in exports.items()}
    assert maps["run"].ndim == 2
    for heatmap in maps.values():
        np.testing.assert_allclose(heatmap, maps["run"], atol=1e-3)


def test_the_highest_version_is_taken(exports, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "2").symlink_to(exports["saved_model"])
    (tmp_path / "model" / "10").mkdir()
    with pytest.raises(errors.CtcovError, match="not a model"):
        predict.load(tmp_path / "model")  # version 10 is the highest, and empty
    (tmp_path / "model" / "10").rmdir()
    assert isinstance(predict.load(tmp_path / "model"), predict.SavedModelPredictor)


class Fixed(predict.Predictor):
    """A model that gives the same answer to every readable image."""

    def __init__(self, info, *probabilities):
        self.info = info
        self._probabilities = np.array(probabilities, np.float32)

    def probabilities(self, data, name):
        decode.decode_rgb(data, name)
        return self._probabilities

    def heatmap(self, data, name):
        return np.eye(4, dtype=np.float32)


def info(head="binary", classes=("normal", "covid19"), threshold=0.3):
    labels = Labels(classes, "covid19", head)
    return ModelInfo("fixed", labels, threshold, "by hand", PreprocessConfig(image_size=8), "nothing:1.0.0")


@pytest.mark.parametrize(
    ("probability", "label"), [(0.299, "normal"), (np.float32(0.3), "covid19"), (0.301, "covid19")]
)
def test_positive_at_and_above_the_threshold(image_files, probability, label):
    answer = Fixed(info(), probability).predict(image_files[0].read_bytes(), "a.png")
    assert answer.label == label


def test_three_classes_are_decided_by_the_positive_one(image_files):
    model = Fixed(info("three_class", ("normal", "other_pneumonia", "covid19")), 0.1, 0.55, 0.35)
    answer = model.predict(image_files[0].read_bytes(), "a.png")
    assert (answer.label, answer.probability) == ("covid19", pytest.approx(0.35))
    assert answer.probabilities == pytest.approx({"normal": 0.1, "other_pneumonia": 0.55, "covid19": 0.35})


@pytest.fixture
def fixed(monkeypatch):
    monkeypatch.setattr(predict, "load", lambda path, threads=None: Fixed(info(), 0.8))


def test_json_lines(fixed, image_files, capsys):
    assert predict.predict_command("model", image_files, as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["image"] for line in lines] == [str(path) for path in image_files]
    for line in lines:
        assert line["probability"] == pytest.approx(0.8)
        assert line["probabilities"] == pytest.approx({"covid19": 0.8})
        assert (line["label"], line["threshold"], line["model"]) == ("covid19", 0.3, "fixed")
        assert line["notice"] == RESEARCH_USE


def test_table(fixed, image_files, capsys):
    assert predict.predict_command("model", image_files) == 0
    header, *rows, foot = capsys.readouterr().out.splitlines()
    assert header.split() == ["image", "probability", "threshold", "decision"]
    assert [row.split() for row in rows] == [[str(path), "0.8000", "0.3000", "covid19"] for path in image_files]
    assert RESEARCH_USE in foot


def test_a_bad_image_does_not_stop_the_others(fixed, image_files, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(image_files[0].read_bytes()[:400])
    bad = [tmp_path / "text.png", tmp_path / "cut.png", tmp_path / "missing.png", tmp_path]
    images = [bad[0], image_files[0], *bad[1:], image_files[1]]
    assert predict.predict_command("model", images, as_json=True) == 2
    captured = capsys.readouterr()
    assert [json.loads(line)["image"] for line in captured.out.splitlines()] == [str(path) for path in image_files]
    complaints = captured.err.splitlines()
    assert len(complaints) == len(bad)
    for path, complaint in zip(bad, complaints, strict=True):
        assert complaint.startswith(f"error: {path}: ")
        assert complaint.count(": ") >= 3, "thing, place and remedy"


def test_heat_maps_are_laid_over_the_images(fixed, image_files, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    namesake = tmp_path / "other" / "a.png"
    namesake.write_bytes(image_files[1].read_bytes())
    out = tmp_path / "maps" / "new"
    assert predict.predict_command("model", [*image_files, namesake], as_json=True, heatmap=out) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["heatmap"] for line in lines] == [str(out / name) for name in ("a.png", "b.png", "a_2.png")]
    for path, drawn in zip([*image_files, namesake], lines, strict=True):
        image, picture = cv2.imread(str(path)), cv2.imread(drawn["heatmap"])
        assert picture.shape == image.shape
        assert np.ptp(picture.astype(int), axis=-1).max() > 30  # coloured


@pytest.mark.parametrize("kind", ["missing", "folder", "file", "saved_model"])
def test_what_is_no_model_is_refused(kind, tmp_path):
    path = tmp_path / "model"
    if kind == "folder":
        path.mkdir()
    if kind == "file":
        path.write_text("no model")
    if kind == "saved_model":
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(errors.CtcovError, match=rf"^{tmp_path}.*: .*name a") as caught:
        predict.load(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_saved_model_is_refused(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "model_info.json").write_text(info().to_json())
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(errors.CtcovError, match=r"damaged SavedModel .*export it again"):
        predict.load(tmp_path)


def test_a_tflite_file_is_answered_without_tensorflow(exports, image_files, run_command, tmp_path):
    code = (
        "import sys; from ctcov_tf import predict; "
        f"code = predict.predict_command({str(exports['float32'])!r}, [{str(image_files[0])!r}], as_json=True, "
        f"heatmap={str(tmp_path)!r}, threads=1); "
        "assert not {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules), 'heavy import'; sys.exit(code)"
    )
    done = run_command("-c", code)
    assert done.returncode == 0, done.stderr
    expected = predict.load(exports["run"]).predict(image_files[0].read_bytes(), "a.png")
    assert json.loads(done.stdout)["probability"] == pytest.approx(expected.probability, abs=1e-4)
    assert (tmp_path / "a.png").is_file()
