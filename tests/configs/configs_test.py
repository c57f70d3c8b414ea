import pytest

from ctcov_tf import configs, errors


def test_presets_are_listed_and_described():
    assert {"deep_ct_net", "deep_ct_net_slim", "deep_ct_net_tiny", "small_cnn"} <= set(configs.names())
    for name in configs.names():
        assert len(configs.describe(name)) > 20


def test_unknown_preset_names_the_nearest():
    with pytest.raises(
        errors.CtcovError, match=r"'deep_ctnet' \(did you mean deep_ct_net\?\): choose from .*small_cnn"
    ):
        configs.load("deep_ctnet")


@pytest.mark.parametrize("variant", ["", "_slim", "_edge", "_tiny"])
def test_the_three_networks_of_a_fusion_see_the_same_image(variant):
    parts = [configs.load(f"cxr_part{number}{variant}") for number in (1, 2)]
    fusion = configs.load(f"deep_cxr_net{variant}")
    assert [part.preprocess for part in parts] == 2 * [fusion.preprocess]
    assert [part.model.head for part in parts] == ["findings", "two_class"]


@pytest.mark.parametrize("name", ["cxr_part1", "cxr_part2", "deep_cxr_net"])
def test_radiograph_presets_for_devices_learn_the_same_task_from_imagenet(name):
    slim, edge = (configs.load(f"{name}_{variant}") for variant in ("slim", "edge"))
    assert (edge.model.weights, edge.train.precision) == ("imagenet", "float32")
    assert (edge.data, edge.augment) == (slim.data, slim.augment)
    for setting in ("attention", "attention_channels", "attention_levels", "dense_units", "head"):
        assert getattr(edge.model, setting) == getattr(slim.model, setting)
