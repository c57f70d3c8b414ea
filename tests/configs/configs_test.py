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
