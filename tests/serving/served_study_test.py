"""DICOM over HTTP: single images by `:predict`, studies by `:study`."""

import base64
import dataclasses
import json
import time

import numpy as np
import pytest

from ctcov_tf import RESEARCH_USE, predict, predictor
from ctcov_tf.images import dicom, pseudonym
from ctcov_tf.serving.settings import Limits, Settings
from ctcov_tf.study import StudyRule
from tests import fixed_predictor
from tests.images import dicom_samples as samples

RULE = StudyRule(highest=2, threshold=0.4, rule="by hand", groups=10, largest_group=50)
FILM = samples.radiograph(np.arange(256, dtype=np.uint16).reshape(16, 16))
PREDICT, STUDY = "/v1/models/fixed:predict", "/v1/models/fixed:study"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(pseudonym.KEY_VARIABLE, "a key for the tests")


@pytest.fixture
def model():
    info = dataclasses.replace(fixed_predictor.info(), modality="CT", study=RULE)
    return fixed_predictor.Fixed(info, 0.8)


@pytest.fixture
def client(serving, model):
    return serving(1, models={1: model}).client


def test_a_slice_is_answered_as_an_image_is(client, rows):
    (data,) = samples.slices(1)
    (answer,) = client.post(PREDICT, json=rows(data)).raise_for_status().json()["predictions"]
    assert answer["probability"] == pytest.approx(0.8)


@pytest.mark.parametrize(("window", "level"), [(None, 0.5), ((-600.0, 100.0), 0.5), ((0.0, 100.0), 0.0)])
def test_a_slice_goes_through_the_window_of_the_server(serving, rows, mean_grey_file, window, level):
    request = rows(samples.ct(np.full((8, 8), -600.0)))
    client = serving(1, models={1: predictor.load(mean_grey_file)}, settings=Settings(window=window)).client
    (answer,) = client.post("/v1/models/mean_grey:predict", json=request).raise_for_status().json()["predictions"]
    assert answer["probability"] == pytest.approx(level, abs=0.01)


def test_a_radiograph_for_a_model_of_ct_is_refused_by_name(client, rows):
    answer = client.post(PREDICT, json=rows(FILM))
    assert answer.status_code == 400
    assert "instances[0]: digital radiography (DX)" in answer.json()["error"]


def test_several_frames_are_no_image(client, rows):
    data = samples.enhanced_ct(np.zeros((2, 8, 8)), [(0, 0, 0), (0, 0, 1)])
    answer = client.post(PREDICT, json=rows(data))
    assert answer.status_code == 400
    assert "2 frames" in answer.json()["error"]


def test_a_study_is_answered_as_predict_answers_it(client, rows, model, tmp_path, monkeypatch, capsys):
    files = samples.slices(4)[::-1]
    answer = client.post(STUDY, json=rows(*files)).raise_for_status().json()
    assert answer["refused"] == {}
    (study,) = answer["studies"]
    for number, data in enumerate(files):
        (tmp_path / f"{number}.dcm").write_bytes(data)
    monkeypatch.setattr(predictor, "load", lambda path, threads=None: model)
    assert predict.predict_command("model", [tmp_path], as_json=True) == 0
    *slices, expected = map(json.loads, capsys.readouterr().out.splitlines())
    assert study.pop("slices") == slices
    assert study == expected
    assert study["notice"] == RESEARCH_USE


def test_what_is_not_for_the_model_is_named_and_the_rest_answered(client, rows):
    files = [*samples.slices(2), FILM, bytes(128) + b"DICM"]
    answer = client.post(STUDY, json=rows(*files)).raise_for_status().json()
    assert answer["studies"][0]["series"][0]["slices"] == 2
    assert answer["refused"].keys() == {"instances[2]", "instances[3]"}
    assert answer["refused"]["instances[2]"].startswith("digital radiography (DX)")
    assert answer["refused"]["instances[3]"].startswith("states no transfer syntax")


def test_nothing_of_a_patient_is_answered(client, rows):
    said = client.post(STUDY, json=rows(*samples.slices(2))).text
    for value in (*samples.PATIENT.values(), samples.STUDY, samples.SERIES):
        assert value not in said


def test_more_slices_than_the_limit_are_refused(serving, model, rows):
    client = serving(1, models={1: model}, settings=Settings(limits=Limits(slices=3))).client
    assert client.post(STUDY, json=rows(*samples.slices(3))).status_code == 200
    assert client.post(STUDY, json=rows(*samples.slices(4))).status_code == 413
    frames = samples.enhanced_ct(np.zeros((4, 8, 8)), [(0, 0, z) for z in range(4)])
    refused = client.post(STUDY, json=rows(frames))
    assert refused.status_code == 413
    assert "4 slices" in refused.json()["error"]


def test_a_study_takes_more_files_than_a_request_takes_images(serving, model, rows):
    client = serving(1, models={1: model}, settings=Settings(limits=Limits(images=2))).client
    assert client.post(PREDICT, json=rows(*samples.slices(3))).status_code == 413
    assert client.post(STUDY, json=rows(*samples.slices(3))).status_code == 200


def test_pictures_are_no_study(client, rows, image):
    answer = client.post(STUDY, json=rows(image)).json()
    assert answer["studies"] == []
    assert answer["refused"] == {"instances[0]": "not a DICOM file: name one"}


def test_columns_are_taken_too(client):
    column = [{"b64": base64.b64encode(data).decode()} for data in samples.slices(2)]
    (study,) = client.post(STUDY, json={"inputs": column}).raise_for_status().json()["studies"]
    assert len(study["slices"]) == 2


def test_who_goes_away_costs_no_further_slices(serving, model, rows, monkeypatch):
    client = serving(1, models={1: model}, settings=Settings(limits=Limits(seconds=0.5))).client
    outputs = model.outputs

    def slow(data, image, heatmaps=False):
        time.sleep(0.2)
        return outputs(data, image, heatmaps=heatmaps)

    monkeypatch.setattr(model, "outputs", slow)
    assert client.post(STUDY, json=rows(*samples.slices(40))).status_code == 504
    assert model.runs < 10


def test_who_goes_away_costs_no_further_headers(serving, model, rows, monkeypatch):
    """The time is over while the first of many headers is read."""
    read, count = dicom.read_header, 0

    def slow(*given):
        nonlocal count
        count += 1
        time.sleep(0.3)
        return read(*given)

    monkeypatch.setattr(dicom, "read_header", slow)
    settings = Settings(limits=Limits(seconds=0.2))
    served = serving(1, models={1: model}, settings=settings)
    answer = served.client.post(STUDY, json=rows(*samples.slices(30)))
    assert answer.status_code == 504
    time.sleep(1)
    assert count <= 3
