import dataclasses
import json

import pytest

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.config import PreprocessConfig
from ctcov_tf.model_info import Conformal, GateInfo, Labels, ModelInfo, OperatingPoint
from ctcov_tf.study import StudyRule

LABELS = Labels(("covid19", "other_pneumonia", "normal"), "covid19", "three_class")
INFO = ModelInfo(
    "deep_ct_net",
    LABELS,
    0.4,
    "Youden on validation",
    PreprocessConfig(),
    "ctcov19/as_released:1.0.0",
    modality="CT",
    study=StudyRule(3, 0.45, "highest AUC", groups=20, largest_group=40),
)


def test_record_survives_json():
    for info in INFO, dataclasses.replace(INFO, study=None, modality=None):
        assert ModelInfo.from_json(info.to_json(), "here") == info


@pytest.mark.parametrize(("trained_on", "modality"), [("ctcov19/grouped:1.0.0", "CT"), ("elsewhere:1.0.0", None)])
def test_an_older_record_has_no_rule_and_the_modality_of_its_dataset(trained_on, modality):
    content = INFO.to_dict() | {"trained_on": trained_on}
    del content["study"], content["modality"]
    older = ModelInfo.from_json(json.dumps(content), "here")
    assert (older.study, older.modality) == (None, modality)


FITTED = dataclasses.replace(
    INFO,
    temperature=1.5,
    operating_points=(OperatingPoint("youden", 0.4, "Youden's J", {"value": 0.8, "low": None, "high": None}, {}),),
    conformal=Conformal(0.9, {"covid19": 0.7}, {"covid19": 12}, {"covid19": {"value": 0.9}}, {"1": 0.8, "2": 0.2}),
    gate=GateInfo("not a chest CT", 0.99, 40, 20, 1.0, {"layout": 32}, "00"),
)


def test_what_was_fitted_survives_json():
    assert ModelInfo.from_json(FITTED.to_json(), "here") == FITTED


def test_a_record_of_the_first_format_is_read():
    """It ends with the threshold; nothing is made up for what it lacks."""
    content = json.loads(INFO.to_json())
    for name in ("temperature", "operating_points", "conformal", "gate"):
        del content[name]
    found = ModelInfo.from_json(json.dumps(content | {"format": 1}), "here")
    assert found == INFO
    assert (found.temperature, found.operating_points, found.conformal, found.gate) == (1.0, (), None, None)


def test_record_carries_the_notice():
    assert json.loads(INFO.to_json())["notice"] == RESEARCH_USE


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 99}', INFO.to_json().replace('"threshold"', '"treshold"'), "\x00"]
)
def test_damaged_record_names_the_place(text):
    with pytest.raises(errors.CtcovError, match=r"^model\.tflite: not a model record.*export the model again$"):
        ModelInfo.from_json(text, "model.tflite")


def test_positive_class_must_exist():
    with pytest.raises(errors.CtcovError, match="choose --positive from a, b"):
        Labels(("a", "b"), "c", "binary")


@pytest.mark.parametrize(
    ("classes", "head", "outputs", "negative"),
    [
        (("covid19", "normal"), "binary", ("covid19",), "normal"),
        (("normal", "covid19", "other"), "binary", ("covid19",), "not covid19"),
        (("normal", "covid19", "other"), "three_class", ("normal", "covid19", "other"), "not covid19"),
    ],
)
def test_outputs_and_decisions_have_names(classes, head, outputs, negative):
    labels = Labels(classes, "covid19", head)
    assert labels.outputs == outputs
    assert labels.negative == negative
    assert labels.class_names[labels.positive_index] == "covid19"
    assert labels.outputs[labels.positive_output] == "covid19"
