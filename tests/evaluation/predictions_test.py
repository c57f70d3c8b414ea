import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest

from ctcov_tf import errors, files, input_pipeline
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import predictions


def test_rows_are_the_images_in_order(run):
    model = run.load_model()
    frame = predictions.predict_split(run, "validation", model)
    metadata = contents.metadata(run.config.data, "validation")
    assert frame["image_id"].tolist() == metadata["image_id"].tolist()
    assert frame["target"].tolist() == (metadata["label"] == run.labels.positive_index).astype(int).tolist()
    batches = input_pipeline.evaluation_batches(run.config, run.labels, "validation", batch_size=5)
    logits = np.concatenate([model(images, training=False) for images, _ in batches])[:, 0]
    np.testing.assert_allclose(frame["probability"], 1 / (1 + np.exp(-logits)), atol=1e-5)
    np.testing.assert_array_equal(frame["probability"], frame["p_covid19"])


def test_findings_have_targets_and_probabilities_each(tiny_parts):
    run = tiny_parts["part1"]
    frame = predictions.predict_split(run, "test")
    masked = 0
    for name in run.labels.outputs:
        states, targets = frame[f"finding_{name}"], frame[f"t_{name}"]
        assert targets.tolist() == states.map({1: 1, 0: 0, -1: -1, -2: 0}).tolist()  # the policy's defaults
        assert frame[f"p_{name}"].between(0, 1).all()
        masked += (targets == -1).sum()
    assert masked
    assert frame["target"].tolist() == frame["t_pneumonia"].tolist()
    assert frame["probability"].tolist() == frame["p_pneumonia"].tolist()


def test_the_policy_decides_on_targets(tiny_parts):
    run = tiny_parts["part1"]
    table = contents.metadata(run.config.data, "train")
    open_cases = (table["finding_pneumonia"] == -1).to_numpy()
    for policy, target in (("ignore", -1), ("zeros", 0), ("ones", 1)):
        data = dataclasses.replace(run.config.data, uncertain=policy)
        other = dataclasses.replace(run, config=dataclasses.replace(run.config, data=data))
        found = predictions.with_targets(other, table)["target"]
        assert open_cases.any()
        assert (found[open_cases] == target).all()


def test_a_fusion_gives_the_likelihoods_of_its_parts(tiny_fusion_run, tmp_path):
    model = tiny_fusion_run.load_model()
    frame = predictions.predict_split(tiny_fusion_run, "validation", model, path=tmp_path / "validation.csv")
    batches = input_pipeline.evaluation_batches(tiny_fusion_run.config, tiny_fusion_run.labels, "validation")
    images = np.concatenate([batch for batch, _ in batches])
    for part in tiny_fusion_run.parts:
        likelihoods = keras.Model(model.input, model.get_layer(part.name).output)
        found = frame[list(part.likelihoods)]
        np.testing.assert_allclose(found, likelihoods(images, training=False), atol=1e-5)
        assert found.to_numpy().std() > 0.01


def test_a_second_call_reads_the_file(run, monkeypatch):
    first = predictions.predict_split(run, "test")
    assert first["source"].map(type).eq(str).all()
    monkeypatch.setattr(predictions, "_predict", None)
    pd.testing.assert_frame_equal(predictions.predict_split(run, "test"), first, check_dtype=False)


@pytest.mark.parametrize("stale", ["other weights", "other steps", "damaged record", "no record"])
def test_a_stale_file_is_computed_again(run, stale):
    fresh = predictions.predict_split(run, "test")
    path = run.predictions_file("test")
    fresh.assign(probability=0.123, logit_covid19=-1.963).to_csv(path, index=False)
    expected = fresh["probability"]
    if stale == "other weights":
        model = run.load_model()
        model.get_layer("logits").set_weights([-weights for weights in model.get_layer("logits").get_weights()])
        model.save(run.model_file)
        expected = 1 - expected
    elif stale == "other steps":
        steps = dataclasses.replace(run.config.preprocess, equalise=False)
        run = dataclasses.replace(run, config=dataclasses.replace(run.config, preprocess=steps))
        expected = None
    elif stale == "damaged record":
        path.with_suffix(".json").write_text("{")
    else:
        path.with_suffix(".json").unlink()
    again = predictions.predict_split(run, "test")["probability"]
    assert not np.isclose(again, 0.123, atol=1e-3).any()
    if expected is not None:
        np.testing.assert_allclose(again, expected, atol=1e-5)


def test_probabilities_follow_the_temperature_without_the_network(run, monkeypatch):
    before = predictions.predict_split(run, "validation")
    np.testing.assert_array_equal(before["probability"], before["uncalibrated"])
    monkeypatch.setattr(predictions, "_predict", None)
    content = run.read_json(run.calibration_file, "")
    files.write_json(run.calibration_file, content | {"temperature": 2.0})
    after = predictions.predict_split(run, "validation")
    np.testing.assert_allclose(after["uncalibrated"], before["probability"], atol=1e-12)
    logit = np.log(before["probability"] / (1 - before["probability"]))
    np.testing.assert_allclose(after["probability"], 1 / (1 + np.exp(-logit / 2)), atol=1e-6)
    np.testing.assert_array_equal(after["probability"], after["p_covid19"])
    pd.testing.assert_frame_equal(predictions.predict_split(run, "validation"), after, check_dtype=False)


def test_softmax_has_one_temperature_for_all_classes(tiny_parts):
    labels = tiny_parts["part2"].labels
    frame = pd.DataFrame({"logit_pneumonia": [2.0, -1.0], "logit_normal": [0.0, 3.0]})
    found = predictions.with_temperature(frame, labels, 2.0)
    expected = np.exp(frame / 2).div(np.exp(frame / 2).sum(axis=1), axis=0)
    np.testing.assert_allclose(found[["p_pneumonia", "p_normal"]], expected, atol=1e-12)
    np.testing.assert_allclose(found["uncalibrated"], 1 / (1 + np.exp([-2.0, 4.0])), atol=1e-12)


def test_a_diverged_network_is_named(run):
    model = run.load_model()
    logits = model.get_layer("logits")
    logits.set_weights([np.full_like(weights, np.nan) for weights in logits.get_weights()])
    with pytest.raises(
        errors.CtcovError, match=r"model.keras: gives no finite probability for 24 of 24 images of test"
    ):
        predictions.predict_split(run, "test", model)
    assert not run.predictions_file("test").exists()


def test_a_missing_model_is_named(run):
    run.model_file.unlink()
    with pytest.raises(errors.CtcovError, match=r"model.keras: missing.*--resume"):
        predictions.predict_split(run, "test")
