import dataclasses

import pytest

from ctcov_tf import errors
from ctcov_tf.reproduce import arms
from ctcov_tf.reproduce.protocol import Protocol

TINY = Protocol("phantom/tiny", image_size=64, epochs=2)


def changed_fields(one, other):
    """Names of the fields in which two configurations differ."""
    return [
        field.name
        for section in ("data", "preprocess", "augment", "model", "train")
        for field in dataclasses.fields(getattr(one, section))
        if getattr(getattr(one, section), field.name) != getattr(getattr(other, section), field.name)
    ]


def test_each_arm_of_the_ablation_changes_one_thing():
    whole, *others = arms.ablation("deep_ct_net_slim", TINY)
    changes = {arm.name: changed_fields(whole.config, arm.config) for arm in others}
    assert changes == {
        "attention_none": ["attention"],
        "attention_paper": ["attention"],
        "levels_3": ["attention_levels"],
        "pooling_average": ["pooling"],
        "stride_16": ["output_stride"],
        "no_equalise": ["equalise"],
        "no_blur": ["blur"],
        "no_standardise": ["standardise"],
        "focal": ["loss"],
        "last_epoch": ["checkpoint"],
        "no_augment": ["rotation_degrees", "translation"],
    }
    assert whole.title == "Deep-CT-Net (slim), whole"


def test_arms_are_the_other_values_of_a_network():
    names = [arm.name for arm in arms.ablation("deep_ct_net", TINY)]
    assert names[:6] == ["whole", "attention_none", "attention_slim", "levels_2", "pooling_average", "stride_16"]
    assert "stride_32" in [arm.name for arm in arms.ablation("deep_ct_net_tiny", TINY)]


def test_only_a_dense_net_has_another_output_stride():
    edge = [arm.name for arm in arms.ablation("deep_ct_net_edge", TINY)]
    slim = [arm.name for arm in arms.ablation("deep_ct_net_slim", TINY)]
    assert edge == [name for name in slim if name != "stride_16"]


def test_chosen_arms_stand_behind_the_whole():
    all_arms = arms.ablation("deep_ct_net_tiny", TINY)
    assert [arm.name for arm in arms.choose(all_arms, ["focal", "no_blur"])] == ["whole", "no_blur", "focal"]
    assert arms.choose(all_arms, None) == all_arms
    with pytest.raises(errors.CtcovError, match=r"--methods blur: no such arm: choose from whole, attention_.*"):
        arms.choose(all_arms, ["blur"])


def test_a_network_without_attention_is_no_ablation():
    with pytest.raises(errors.CtcovError, match="small_cnn has no pyramid attention"):
        arms.ablation("small_cnn", TINY)


def test_titles_are_the_papers():
    assert arms.method("deep_ct_net_tiny", TINY).title == "Deep-CT-Net (tiny)"
    assert arms.method("deep_ct_net", TINY).title == "Deep-CT-Net"
    assert arms.method("small_cnn", TINY).title == "small_cnn"
    fusion = arms.method("deep_cxr_net_tiny", TINY)
    assert fusion.title == "Deep-CXR-Net (tiny)"
    assert fusion.notes == ("part 3 alone, without the frozen parts",)
    edge = arms.method("deep_cxr_net_edge", dataclasses.replace(TINY, part1="one", part2="two"))
    assert edge.title == "Deep-CXR-Net (edge)"
    assert edge.notes == ("its frozen parts are one and two",)


def test_only_the_seed_of_an_arm_changes():
    arm = arms.method("small_cnn", TINY)
    assert changed_fields(arm.config, arm.seeded(4)) == ["seed"]


def test_presets_stand_once_and_exist():
    assert arms.presets(["small_cnn", "deep_ct_net", "small_cnn"]) == ["small_cnn", "deep_ct_net"]
    with pytest.raises(errors.CtcovError, match="no preset 'nothing'"):
        arms.presets(["nothing"])
