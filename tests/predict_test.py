import json

import cv2
import numpy as np
import pytest

from ctcov_tf import RESEARCH_USE, predict, predictor
from ctcov_tf.images import decode
from ctcov_tf.model_info import Labels, PartInfo
from tests.fixed_predictor import Fixed, info


@pytest.fixture
def fixed(monkeypatch):
    monkeypatch.setattr(predictor, "load", lambda path, threads=None: Fixed(info(), 0.8))


PARTS = (
    PartInfo("part1", "cxr_part1", Labels(("edema", "pneumonia"), "pneumonia", "findings"), "phantom/cxr:1.0.0", ""),
    PartInfo("part2", "cxr_part2", Labels(("pneumonia", "normal"), "pneumonia", "two_class"), "phantom/cxr:1.0.0", ""),
)


@pytest.fixture
def fused(monkeypatch):
    monkeypatch.setattr(predictor, "load", lambda path, threads=None: Fixed(info(parts=PARTS), 0.8))


def test_json_lines(fixed, image_files, capsys):
    assert predict.predict_command("model", image_files, as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["image"] for line in lines] == [str(path) for path in image_files]
    for line in lines:
        assert line["probability"] == pytest.approx(0.8)
        assert line["probabilities"] == pytest.approx({"covid19": 0.8})
        assert (line["label"], line["threshold"], line["model"]) == ("covid19", 0.3, "fixed")
        assert line["notice"] == RESEARCH_USE
        assert line["likelihoods"] == {}


def test_table(fixed, image_files, capsys):
    assert predict.predict_command("model", image_files) == 0
    header, *rows, foot = capsys.readouterr().out.splitlines()
    assert header.split() == ["image", "probability", "threshold", "decision"]
    assert [row.split() for row in rows] == [[str(path), "0.8000", "0.3000", "covid19"] for path in image_files]
    assert RESEARCH_USE in foot


def test_likelihoods_of_a_fusion(fused, image_files, capsys):
    assert predict.predict_command("model", image_files[:1], as_json=True) == 0
    names = ["part1_edema", "part1_pneumonia", "part2_pneumonia", "part2_normal"]
    assert json.loads(capsys.readouterr().out)["likelihoods"] == dict.fromkeys(names, 0.25)
    assert predict.predict_command("model", image_files[:1]) == 0
    table = capsys.readouterr().out
    assert "likelihoods of part1 and part2: with --json" in table
    assert "part1_edema" not in table


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
        assert drawn["explained"] == ["covid19"]


def test_heat_maps_of_the_parts_stand_beside_that_of_part_3(fused, image_files, tmp_path, capsys):
    assert predict.predict_command("model", image_files[:1], as_json=True, heatmap=tmp_path) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["explained"] == ["covid19", "part1_edema", "part2_pneumonia"]
    height, width, _ = cv2.imread(str(image_files[0])).shape
    picture = cv2.imread(line["heatmap"])
    assert picture.shape == (height, 3 * width, 3)
    first, second, third = np.split(picture, 3, axis=1)
    np.testing.assert_array_equal(second, third)
    assert np.abs(first.astype(int) - second).max() > 50
    assert predict.predict_command("model", image_files[:1], heatmap=tmp_path) == 0
    assert "heat maps from left to right: fixed, part1, part2" in capsys.readouterr().out


def test_an_image_is_decoded_once(fused, image_files, tmp_path, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        decode, "decode_rgb", lambda *given, original=decode.decode_rgb: decoded.append(given) or original(*given)
    )
    predict.predict_command("model", image_files, heatmap=tmp_path)
    assert len(decoded) == len(image_files)
