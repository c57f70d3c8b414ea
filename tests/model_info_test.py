import dataclasses
import json

import pytest

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.config import PreprocessConfig
from ctcov_tf.model_info import Labels, ModelInfo
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
