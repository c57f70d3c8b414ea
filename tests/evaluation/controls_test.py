import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.evaluation import controls, predictions
from ctcov_tf.images import decode, masks, preprocess


@pytest.fixture(scope="module")
def played(marked_runs):
    """What the controls find of the network that reads the border, and of the one that reads the centre."""
    found = {}
    for place, run in marked_runs.items():
        model = run.load_model()
        found[place] = controls.play(run, "test", predictions.predict_split(run, "test", model), model)
    return found


def test_a_network_that_reads_the_border_is_found_out(played):
    found = played["border"]
    whole = found["whole"]["auc"]["value"]
    assert whole > 0.8
    for mask in ("border_only", "centre_masked"):
        assert found["masks"][mask]["auc"]["value"] == pytest.approx(whole)
        assert found["masks"][mask]["auc"]["low"] > 0.5
        assert found["masks"][mask]["auc_difference"] == pytest.approx({"value": 0, "low": 0, "high": 0})


def test_a_network_that_reads_the_centre_is_at_chance(played):
    found = played["centre"]
    assert found["whole"]["auc"]["value"] > 0.8
    for one in found["masks"].values():
        assert one["auc"]["value"] == 0.5
        assert one["auc_difference"]["high"] < 0
        assert one["auc_difference"]["value"] == pytest.approx(0.5 - found["whole"]["auc"]["value"])
    assert (found["images"], found["groups"], found["of_images"]) == (48, 24, 48)


def test_masked_images_take_the_way_of_all_images(marked_runs, monkeypatch):
    run = marked_runs["border"]
    model = run.load_model()
    frame = predictions.predict_split(run, "test", model)
    monkeypatch.setattr(controls, "MASKS", {"as it is": lambda image: image})
    monkeypatch.setattr(controls, "BATCH_SIZE", 7)
    rows = frame.index.to_numpy()[3:40:2]
    found = controls.predict_masked(run, "test", rows, model)
    np.testing.assert_allclose(found["as it is"], frame["probability"].to_numpy()[rows], atol=1e-6)


def test_the_mask_comes_before_pre_processing(run, monkeypatch):
    """The light run equalises and standardises: masked first, its images have no trace of what is hidden."""
    seen = []
    monkeypatch.setattr(preprocess, "preprocess", lambda image, *_: seen.append(image))
    controls.predict_masked(run, "validation", np.arange(3), run.load_model())
    examples = controls.contents.examples(run.config.data, "validation").as_numpy_iterator()
    whole = [decode.decode_grey(next(examples)["image"], "image") for _ in range(3)]
    expected = [hide(image) for hide in (masks.centre_masked, masks.border_only) for image in whole]
    for one, other in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_of_a_large_part_whole_groups_are_drawn(marked_runs, monkeypatch):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"group_id": generator.integers(0, 60, 400).astype(str), "target": 0})
    drawn = controls.sample_groups(frame, 100)
    assert 80 < len(drawn) <= 100
    assert not set(drawn["group_id"]) & set(frame.drop(drawn.index)["group_id"])
    pd.testing.assert_frame_equal(drawn, controls.sample_groups(frame, 100))
    assert controls.sample_groups(frame, 400) is frame

    run = marked_runs["border"]
    model = run.load_model()
    whole = predictions.predict_split(run, "test", model)
    monkeypatch.setattr(controls, "MOST_IMAGES", 30)
    found = controls.play(run, "test", whole, model)
    kept = controls.sample_groups(whole, 30)
    assert (found["images"], found["of_images"]) == (len(kept), 48)
    auc = sk.roc_auc_score(kept["target"], kept["probability"])
    assert found["whole"]["auc"]["value"] == found["masks"]["border_only"]["auc"]["value"] == pytest.approx(auc)


def test_one_class_has_no_controls(marked_runs):
    run = marked_runs["border"]
    frame = predictions.predict_split(run, "test")
    assert controls.play(run, "test", frame[frame["target"] == 0], None) is None
    assert controls.play(run, "test", frame.head(0), None) is None


def test_probabilities_before_temperature_scaling_are_compared_with_their_like(marked_runs):
    run = marked_runs["border"]
    model = run.load_model()
    frame = predictions.predict_split(run, "test", model)
    scaled = frame.assign(uncalibrated=frame["probability"], probability=0.5)
    found = controls.play(run, "test", scaled, model)
    assert found["whole"]["auc"]["value"] == found["masks"]["border_only"]["auc"]["value"] > 0.8


def test_the_sheet_shows_image_and_masks(marked_runs, played):
    sheet = controls.draw(marked_runs["border"], "test", 5, played["border"])
    narrow = controls.panels.draw([np.zeros((4, 4), np.uint8)] * 2, ["", ""], "")
    assert sheet.width > narrow.width
    assert len(np.unique(np.asarray(sheet.convert("L")))) > 20
