"""Every model that ships, and a small one made here, answers as when it was made."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds

from ctcov_tf import predictor, run_directory, shipped
from ctcov_tf.evaluation import predictions, summary
from ctcov_tf.statistics import metrics

SHIPPED = shipped.models()
AUC_TOLERANCE = 0.01  # rounding, and arithmetic of another processor, may change places of a few pairs


@pytest.fixture(params=["small", *(model.name for model in SHIPPED)])
def model(request):
    if request.param == "small":
        return request.getfixturevalue("small_model")
    return next(model for model in SHIPPED if model.name == request.param)


def test_files_are_those_that_were_shipped(model):
    model.check()


def test_phantoms_are_answered_as_before(model):
    opened = {"keras": predictor.RunPredictor(model.path)}
    opened |= {form: predictor.EdgePredictor(model.file(name)) for form, name in model.content["tflite"].items()}
    for phantom in model.content["phantoms"]:
        data = model.file(phantom["file"]).read_bytes()
        for form, expected in phantom["answers"].items():
            found, tolerance = opened[form].predict(data, phantom["file"]), model.content["tolerance"][form]
            assert found.ood_score == pytest.approx(expected["ood_score"], rel=tolerance), (form, phantom["file"])
            if abs((expected["ood_score"] or 0) - 1) > tolerance:
                assert found.probability == pytest.approx(expected["probability"], abs=tolerance), form


def test_what_answers_explains_as_the_network(model):
    data = model.file("phantom0.png").read_bytes()
    found = predictor.EdgePredictor(model.answering_file).explain(data, "phantom0.png")
    expected = predictor.RunPredictor(model.path).explain(data, "phantom0.png")
    assert list(found.heatmaps) == list(expected.heatmaps)
    for name, heatmap in expected.heatmaps.items():  # a ReLU near 0 may let a gradient through in one of the two alone
        np.testing.assert_allclose(found.heatmaps[name], heatmap, atol=0.02)


@pytest.mark.parametrize(
    "name", [model.name for model in SHIPPED if model.content["trained_on"].startswith("covid_ct")]
)
def test_the_test_part_gives_the_auc_of_the_card(name, real_data, tmp_path):
    run = run_directory.load(shipped.named(name).path)
    dataset = run.manifest["name"].partition(":")[0]
    download = tfds.download.DownloadConfig(manual_dir=real_data / "covid_ct")
    tfds.builder(dataset, data_dir=tmp_path).download_and_prepare(download_config=download)
    data = dataclasses.replace(run.config.data, data_dir=str(tmp_path))
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, data=data))
    found = summary.known(predictions.predict_split(run, "test", path=tmp_path / "test.csv"))
    auc = metrics.binary_metrics(found["target"].to_numpy(), found["probability"].to_numpy(), 0.5)["auc"]
    assert auc == pytest.approx(shipped.named(name).figures["auc"]["value"], abs=AUC_TOLERANCE)
