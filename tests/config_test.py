import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st
import pytest

from ctcov_tf import config, configs, errors


@pytest.mark.parametrize("preset", configs.names())
def test_preset_survives_json(preset):
    resolved = configs.load(preset)
    assert config.from_dict(json.loads(json.dumps(config.to_dict(resolved)))) == resolved


@given(
    st.builds(
        config.Config,
        data=st.builds(config.DataConfig),
        preprocess=st.builds(config.PreprocessConfig),
        augment=st.just(config.AugmentConfig()),
        model=st.one_of(
            st.builds(config.DeepCTNetConfig),
            st.builds(config.DeepCTNetEdgeConfig),
            st.builds(config.DeepCXRNetConfig),
            st.builds(config.DeepCXRNetEdgeConfig),
            st.builds(config.SmallCNNConfig),
        ),
        train=st.just(config.TrainConfig(early_stages=((64, 2), (96, 1)))),
    )
)
def test_any_config_survives_json(drawn):
    drawn = dataclasses.replace(drawn, model=dataclasses.replace(drawn.model, dropout=0.5))
    assert config.from_dict(json.loads(json.dumps(config.to_dict(drawn)))) == drawn


def test_runs_from_before_a_field_have_its_default():
    content = config.to_dict(config.Config())
    del content["augment"]["crop"], content["train"]["first_layer_rate"]
    assert config.from_dict(content) == config.Config()


def test_unknown_field_is_named():
    content = config.to_dict(config.Config())
    content["train"]["learning_speed"] = 1.0
    with pytest.raises(errors.CtcovError, match=r"learning_speed.*train again"):
        config.from_dict(content)


def test_unknown_model_kind_is_named():
    content = config.to_dict(config.Config())
    content["model"]["kind"] = "AlexNetConfig"
    with pytest.raises(errors.CtcovError, match="does not fit this version"):
        config.from_dict(content)


def test_paper_constants():
    paper = configs.load("deep_ct_net")
    assert (paper.augment.rotation_degrees, paper.augment.translation) == (15.0, 0.05)
    assert (paper.preprocess.image_size, paper.train.learning_rate, paper.train.optimizer) == (256, 1e-5, "adam")
    assert (paper.model.attention, paper.model.blocks) == ("paper", (6, 12, 24, 16))
