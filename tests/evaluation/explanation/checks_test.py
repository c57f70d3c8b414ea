import shutil

import numpy as np

from ctcov_tf import run_directory
from ctcov_tf.evaluation import protocols
from ctcov_tf.evaluation.explanation import checks
from ctcov_tf.evaluation.predictions import predict_split


def copied(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run", ignore=shutil.ignore_patterns("figures", "metrics.json"))
    return run_directory.load(tmp_path / "run")


def checked(run, split="validation"):
    model = run.load_model()
    weights = model.get_weights()
    found = checks.check(run, split, predict_split(run, split, model), 0.5, model)
    for now, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, before)
    return found


def test_a_run_on_ct_has_every_check(light_run, tmp_path):
    run = copied(light_run, tmp_path)
    found = checked(run)
    assert found["images"] - found["empty_heatmaps"] > 0
    assert found["randomisation"]["stages"][-1]["layers"] == 2
    assert 0 < found["lungs"]["area"]["value"] < 0.6
    assert set(found["figures"]) == {"randomisation", "cascade", "deletion", "lungs"}
    for name in found["figures"].values():
        assert (run.figures / name).is_file()


def test_a_fusion_is_checked_by_part_3_and_its_lungs_are_left_out(tiny_fusion_run, tmp_path, monkeypatch):
    run = copied(tiny_fusion_run, tmp_path)
    monkeypatch.setitem(run.manifest, "name", "phantom/cxr_tiny:1.0.0")
    found = checked(run)
    assert found["frozen_parts"] == ["part1", "part2"]
    assert found["randomisation"]["stages"][-1]["layers"] > 10
    assert "CT slices only" in found["lungs"]["left_out"]
    assert "lungs" not in found["figures"]


def test_findings_are_checked_by_each_images_likeliest(tiny_parts, tmp_path):
    run = copied(tiny_parts["part1"], tmp_path)
    found = checked(run)
    assert "of the part" in found["rule"]
    assert found["images"] == 24


def test_maps_without_evidence_are_left_out_with_the_reason(light_run, tmp_path):
    run = copied(light_run, tmp_path)
    model = run.load_model()
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([-np.abs(kernel), bias])
    model.save(run.model_file)
    found = protocols.evaluate(run, ["validation"], reason="empty maps")
    assert found["explanation"]["empty_heatmaps"] == found["explanation"]["images"]
    assert "empty" in found["explanation"]["left_out"]
    assert "Not checked: the heat maps of all images are empty" in run.report_file.read_text()


def test_one_image_has_numbers_and_no_intervals(light_run, tmp_path, monkeypatch):
    run = copied(light_run, tmp_path)
    monkeypatch.setattr(checks.sample, "choose", lambda *_: ([0], "the first image"))
    found = checked(run)
    assert found["randomisation"]["other_images"] is None
    assert found["deletion"]["deletion"]["difference"]["value"] is not None
    assert found["deletion"]["deletion"]["difference"]["low"] is None
