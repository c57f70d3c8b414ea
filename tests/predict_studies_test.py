import dataclasses
import json
import logging
import pathlib

import cv2
import numpy as np
import pytest

from ctcov_tf import RESEARCH_USE, errors, predict, predictor
from ctcov_tf.images import pseudonym
from ctcov_tf.model_info import GateInfo
from ctcov_tf.study import StudyRule
from tests import fixed_predictor
from tests.images import dicom_samples as samples

RULE = StudyRule(highest=2, threshold=0.4, rule="by hand", groups=10, largest_group=50)
OTHER = "1.2.826.0.1.3680043.8.498.9"
FILM = samples.radiograph(np.arange(256, dtype=np.uint16).reshape(16, 16))


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(pseudonym.KEY_VARIABLE, "a key for the tests")


@pytest.fixture
def model(monkeypatch):
    """A CT model, or one with other attributes."""

    def opened(**attributes):
        info = dataclasses.replace(fixed_predictor.info(), **{"modality": "CT", "study": RULE} | attributes)
        monkeypatch.setattr(predictor, "load", lambda path, threads=None: fixed_predictor.Fixed(info, 0.8))

    opened()
    return opened


@pytest.fixture
def study(tmp_path):
    """Folder of a study: a series of four slices, one of two, and what else such a folder holds."""
    folder = tmp_path / "study"
    for name, data in {
        **{f"a/{number}.dcm": data for number, data in enumerate(samples.slices(4)[::-1])},
        **{f"b/{number}": data for number, data in enumerate(samples.slices(2, SeriesInstanceUID=OTHER))},
        "scout": samples.ct(np.zeros((8, 8)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "readme.txt": b"text",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def lines(captured):
    return [json.loads(line) for line in captured.out.splitlines()]


def test_json_of_slices_and_study(model, study, capsys):
    assert predict.predict_command("model", [study], as_json=True) == 0
    captured = capsys.readouterr()
    *slices, answer = lines(captured)
    name = pseudonym.pseudonym(samples.STUDY)
    first, second = (pseudonym.pseudonym(uid) for uid in (samples.SERIES, OTHER))
    assert [(one["series"], one["slice"]) for one in slices] == [(first, n) for n in (1, 2, 3, 4)] + [
        (second, n) for n in (1, 2)
    ]
    assert [one["position_mm"] for one in slices[:4]] == [0, 2.5, 5, 7.5]
    for one in slices:
        assert one["image"] == f"{name}/{one['series']}/{one['slice']:04d}"
        assert one["probability"] == pytest.approx(0.8)
        assert (one["label"], one["threshold"], one["notice"]) == ("covid19", 0.3, RESEARCH_USE)
    assert answer["study"] == name
    assert answer["maximum"] == answer["mean_of_highest"] == pytest.approx(0.8)
    assert (answer["highest"], answer["threshold"], answer["label"]) == (2, 0.4, "covid19")
    assert [(one["series"], one["slices"], one["answered"]) for one in answer["series"]] == [
        (first, 4, 4),
        (second, 2, 2),
    ]
    assert answer["notice"] == RESEARCH_USE
    assert captured.err == "left out: 1 file: localizer\n"


def test_table(model, study, capsys):
    assert predict.predict_command("model", [study]) == 0
    out = capsys.readouterr().out.splitlines()
    name = pseudonym.pseudonym(samples.STUDY)
    assert out[0] == f"study {name}, series {pseudonym.pseudonym(samples.SERIES)}: 4 slices"
    assert out[1].split() == ["slice", "position,", "mm", "probability", "threshold", "decision"]
    assert out[2].split() == ["1", "0.0", "0.8000", "0.3000", "covid19"]
    assert f"study {name}: maximum 0.8000, mean of the highest 2 0.8000, threshold 0.4000: covid19" in out
    assert RESEARCH_USE in out[-1]
    assert not any(line.startswith("image ") for line in out)


def test_images_and_studies_in_one_command(model, study, image_files, capsys):
    assert predict.predict_command("model", [study, *image_files], as_json=True) == 0
    answers = lines(capsys.readouterr())
    assert [one["image"] for one in answers[:2]] == [str(path) for path in image_files]
    assert len(answers) == 2 + 6 + 1


def test_no_rule_no_decision(model, study, capsys):
    model(study=None)
    assert predict.predict_command("model", [study]) == 0
    out = capsys.readouterr().out
    assert "mean of the highest 3 0.8000, no decision" in out
    assert "no rule for studies" in out


def test_heat_maps_have_pseudonyms(model, study, tmp_path, capsys):
    assert predict.predict_command("model", [study / "a"], as_json=True, heatmap=tmp_path / "maps") == 0
    *slices, _ = lines(capsys.readouterr())
    names = [pathlib.Path(one["heatmap"]).name for one in slices]
    assert names == [f"{one['image'].replace('/', '-')}.png" for one in slices]
    assert cv2.imread(slices[0]["heatmap"]).shape == (16, 20, 3)


class Refusing(fixed_predictor.Fixed):
    """A model whose gate refuses every image."""

    def outputs(self, data, image, *, heatmaps=False):
        found = super().outputs(data, image, heatmaps=heatmaps)
        return found | {"in_distribution": np.array([False]), "ood_score": np.array([3.0], np.float32)}


def test_slices_that_the_gate_refuses_have_no_probability(monkeypatch, study, tmp_path, capsys):
    gate = GateInfo("not a chest CT as this model knows them", 0.99, 40, 20, 1.0, {"layout": 32}, "00")
    info = dataclasses.replace(fixed_predictor.info(), modality="CT", study=RULE, gate=gate)
    monkeypatch.setattr(predictor, "load", lambda path, threads=None: Refusing(info, 0.8))
    maps = tmp_path / "maps"
    assert predict.predict_command("model", [study / "a"], as_json=True, heatmap=maps) == 0
    *slices, answer = lines(capsys.readouterr())
    assert {(one["probability"], one["reason"], one["heatmap"]) for one in slices} == {(None, gate.reason, None)}
    assert not maps.exists()
    assert (answer["maximum"], answer["mean_of_highest"], answer["label"]) == (None, None, None)
    assert answer["series"][0]["remarks"] == ["4 of 4 slices are unlike the images that the model knows"]
    assert predict.predict_command("model", [study / "a"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[2].split(maxsplit=4) == ["1", "0.0", "-", "-", gate.reason]
    assert out[-2].endswith(": no slice has a probability")


@pytest.mark.parametrize(("known", "word"), [("CT", "digital radiography"), ("CXR", "computed tomography")])
def test_another_modality_is_refused_by_name(model, study, tmp_path, capsys, known, word):
    model(modality=known)
    film = tmp_path / "film.dcm"
    film.write_bytes(FILM)
    given = film if known == "CT" else study / "b"
    assert predict.predict_command("model", [given], as_json=True) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{word} " in captured.err.splitlines()[0]
    assert f"this model knows {'chest CT' if known == 'CT' else 'chest radiographs'}" in captured.err


def test_a_named_file_of_another_modality_is_an_error_beside_others(model, study, tmp_path, capsys):
    film = tmp_path / "film.dcm"
    film.write_bytes(FILM)
    assert predict.predict_command("model", [study, film], as_json=True) == 2
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 7
    assert captured.err.splitlines()[0].startswith(f"error: {film}: digital radiography")


def test_a_damaged_slice_is_one_line(model, study, capsys):
    damaged = study / "a" / "1.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-50])
    assert predict.predict_command("model", [study / "a"], as_json=True) == 2
    captured = capsys.readouterr()
    *slices, answer = lines(captured)
    assert [one["slice"] for one in slices] == [1, 2, 4]
    assert captured.err.startswith(f"error: {damaged}: damaged DICOM file")
    assert answer["series"][0]["remarks"] == ["1 of 4 slices could not be read"]


def test_the_window_can_be_set_and_is_checked(model, study, capsys):
    assert predict.predict_command("model", [study], as_json=True, window=(40, 400)) == 0
    with pytest.raises(errors.CtcovError, match="the lung window is -600 1500"):
        predict.predict_command("model", [study], window=(40, 0))


def test_nothing_of_a_patient_is_ever_said(model, study, tmp_path, capsys, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    (study / "c").write_bytes(samples.slices(1)[0][:-10])
    (study / "d").write_bytes(FILM)
    (study / "e").write_bytes(samples.content(samples.header(modality="ZEBEDIAH")))
    for flags in {"as_json": True, "heatmap": tmp_path / "maps"}, {}:
        predict.predict_command("model", [study], **flags)
    model(modality="CXR")
    predict.predict_command("model", [study])
    captured = capsys.readouterr()
    names = " ".join(path.name for path in (tmp_path / "maps").iterdir())
    said = [captured.out, captured.err, caplog.text, names, *(str(warning.message) for warning in recwarn)]
    secrets = [part for value in samples.PATIENT.values() for part in (value, *value.split("^"))]
    secrets += [samples.STUDY, samples.SERIES, OTHER, "ZEBEDIAH"]
    assert len(captured.out) > 2000
    for text in said:
        assert [secret for secret in secrets if secret in text] == []


def test_a_slice_is_answered_as_the_picture_of_its_window(mean_grey_file, image_files, tmp_path, capsys):
    levels = cv2.imread(str(image_files[0]), cv2.IMREAD_GRAYSCALE)
    (tmp_path / "slice").write_bytes(samples.ct(np.rint(levels * (1499 / 255) - 1350)))
    assert predict.predict_command(mean_grey_file, [image_files[0], tmp_path / "slice"], as_json=True) == 0
    picture, one, study = lines(capsys.readouterr())
    assert one["probability"] == picture["probability"] == study["maximum"]


def test_a_missing_extra_is_one_line(run_command, mean_grey_file, study):
    code = "import sys; sys.modules['pydicom'] = None; from ctcov_tf.cli import main; main()"
    answer = run_command("-c", code, "predict", mean_grey_file, study)
    assert answer.returncode == 2
    assert "pydicom: not installed, DICOM files need it: install it with pip install 'ctcov[dicom]'" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_study_needs_no_tensorflow(run_command, mean_grey_file, study):
    code = (
        "import sys; from ctcov_tf.cli import main\n"
        "try: main()\n"
        "finally: assert not {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules)"
    )
    answer = run_command("-c", code, "predict", mean_grey_file, study, "--json", "--window", "-600", "1500")
    assert answer.returncode == 0, answer.stderr
    *slices, last = map(json.loads, answer.stdout.splitlines())
    assert len(slices) == 6
    assert last["mean_of_highest"] == pytest.approx(sum(one["probability"] for one in slices[1:4]) / 3)
