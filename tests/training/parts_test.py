import dataclasses
import json
import shutil

import keras
import pytest

from ctcov_tf import errors, run_directory
from ctcov_tf.training import parts as parts_lib
from ctcov_tf.training import train


def with_model(config, **changes):
    return dataclasses.replace(config, model=dataclasses.replace(config.model, **changes))


@pytest.mark.parametrize(
    ("parts", "names"), [("both", ["part1", "part2"]), ("part1", ["part1"]), ("part2", ["part2"]), ("none", [])]
)
def test_loads_the_parts_that_are_named(tiny_fusion_config, parts, names):
    assert [part.info.name for part in parts_lib.load(with_model(tiny_fusion_config, parts=parts))] == names


def test_other_models_have_no_parts(tiny_config):
    assert parts_lib.load(tiny_config) == ()


def test_likelihoods_are_named_after_part_and_output(tiny_fusion_config):
    part1, part2 = parts_lib.load(tiny_fusion_config)
    assert part1.info.likelihoods[0] == "part1_atelectasis"
    assert part2.info.likelihoods == ("part2_pneumonia", "part2_normal")


def test_a_missing_part_is_an_error_that_says_the_command(tiny_fusion_config, tmp_path):
    with pytest.raises(errors.CtcovError, match=r"part1: .*gone: no such run .*train\.py cxr_part1 .*--parts part2"):
        parts_lib.load(with_model(tiny_fusion_config, part1=str(tmp_path / "gone")))


def test_a_missing_part_is_made_by_the_preset_that_its_folder_is_named_after(tiny_fusion_config):
    with pytest.raises(
        errors.CtcovError, match=r"with python train\.py cxr_part2_edge --run-dir no/cxr_part2_edge, or"
    ):
        parts_lib.load(with_model(tiny_fusion_config, parts="part2", part2="no/cxr_part2_edge"))
    with pytest.raises(errors.CtcovError, match=r"with python train\.py cxr_part2 --run-dir no/cxr_part1_edge, or"):
        parts_lib.load(with_model(tiny_fusion_config, parts="part2", part2="no/cxr_part1_edge"))


def test_an_unfinished_part_is_refused(tiny_fusion_config, tiny_parts, tmp_path):
    shutil.copytree(tiny_parts["part2"].path, tmp_path / "part2")
    (tmp_path / "part2" / "calibration.json").unlink()
    with pytest.raises(errors.CtcovError, match=r"part2: .*not finished: .*--resume"):
        parts_lib.load(with_model(tiny_fusion_config, part2=str(tmp_path / "part2")))


def test_a_part_of_the_other_head_is_refused(tiny_fusion_config, tiny_parts, tiny_run):
    with pytest.raises(errors.CtcovError, match=r"part1: .*head two_class, part1 gives likelihoods of findings"):
        parts_lib.load(with_model(tiny_fusion_config, part1=str(tiny_parts["part2"].path)))
    with pytest.raises(errors.CtcovError, match=r"part2: .*head binary, part2 gives .*two_class"):
        parts_lib.load(with_model(tiny_fusion_config, part2=str(tiny_run.path)))


def test_parts_see_the_same_image(tiny_fusion_config):
    other = dataclasses.replace(
        tiny_fusion_config, preprocess=dataclasses.replace(tiny_fusion_config.preprocess, equalise=False)
    )
    with pytest.raises(errors.CtcovError, match=r"part1: .*equalise True there and False here"):
        parts_lib.load(other)


def test_backbones_may_differ_and_images_may_not(tiny_edge_fusion_config, tiny_parts):
    mixed = with_model(tiny_edge_fusion_config, part2=str(tiny_parts["part2"].path))
    assert [part.info.preset for part in parts_lib.load(mixed)] == ["cxr_part1_edge", "cxr_part2_tiny"]
    other = dataclasses.replace(mixed, preprocess=dataclasses.replace(mixed.preprocess, image_size=96))
    with pytest.raises(errors.CtcovError, match=r"part1: .*another pre-processing \(image_size 64 there and 96 here\)"):
        parts_lib.load(other)


def test_findings_that_do_not_match_the_weights_are_refused(tiny_fusion_config, tiny_parts, tmp_path):
    part = tmp_path / "part1"
    shutil.copytree(tiny_parts["part1"].path, part)
    content = json.loads((part / "config.json").read_text())
    content["labels"]["class_names"] = ["pneumonia", "edema"]
    (part / "config.json").write_text(json.dumps(content))
    with pytest.raises(errors.CtcovError, match=r"gives 6 likelihoods, its config.json names 2 \(pneumonia, edema\)"):
        parts_lib.load(with_model(tiny_fusion_config, part1=str(part)))


def test_weights_of_another_architecture_are_refused(tiny_fusion_config, tiny_parts, tmp_path):
    part = tmp_path / "part1"
    shutil.copytree(tiny_parts["part1"].path, part)
    image = keras.Input((32, 32, 3))
    keras.Model(image, keras.layers.GlobalAveragePooling2D()(image)).save(part / "model.keras")
    with pytest.raises(errors.CtcovError, match=r"part1: .*model\.keras: is of another architecture"):
        parts_lib.load(with_model(tiny_fusion_config, part1=str(part)))


def test_a_part_that_changed_since_the_run_began_is_refused(tiny_fusion_config, tiny_parts, tmp_path):
    part = tmp_path / "part1"
    shutil.copytree(tiny_parts["part1"].path, part)
    run = train.create_run("deep_cxr_net_tiny", with_model(tiny_fusion_config, part1=str(part)), tmp_path / "run")
    model = run_directory.load(part).load_model()
    model.weights[0].assign(model.weights[0] + 1)
    model.save(part / "model.keras")
    with pytest.raises(errors.CtcovError, match=r"part1: has changed since .*run began"):
        train.train(run)
