import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.models import scores

CLASSES = ("normal", "covid19", "other_pneumonia")


def test_binary_head():
    labels = Labels(CLASSES, "covid19", "binary")
    values = scores.probabilities(tf.constant([[0.0], [np.log(3.0)]]), labels)
    np.testing.assert_allclose(values, [[0.5], [0.75]], rtol=1e-6)
    np.testing.assert_allclose(scores.positive_probability(values, labels), [0.5, 0.75], rtol=1e-6)


@pytest.mark.parametrize(("positive", "expected"), [("covid19", 0.25), ("normal", 0.125)])
def test_three_class_head(positive, expected):
    labels = Labels(CLASSES, positive, "three_class")
    values = scores.probabilities(tf.math.log([[1.0, 2.0, 5.0]]), labels)
    np.testing.assert_allclose(values, [[0.125, 0.25, 0.625]], rtol=1e-6)
    np.testing.assert_allclose(scores.positive_probability(values.numpy(), labels), [expected], rtol=1e-6)


def test_of_findings_the_likeliest_is_explained_else_the_positive_class():
    values = tf.constant([[0.25, 0.5, 0.75], [0.5, 0.5, 0.25], [0.25, 0.75, 0.5]])
    findings = scores.explained_output(values, Labels(CLASSES, "covid19", "findings"))
    np.testing.assert_array_equal(findings, [2, 0, 1])
    classes = scores.explained_output(values, Labels(CLASSES, "covid19", "three_class"))
    np.testing.assert_array_equal(classes, [1, 1, 1])
    assert findings.dtype == classes.dtype == tf.int32


PART1 = PartInfo("part1", "cxr_part1", Labels(("edema", "pneumonia"), "pneumonia", "findings"), "phantom/cxr:1.0.0", "")
PART2 = PartInfo(
    "part2", "cxr_part2", Labels(("pneumonia", "normal"), "pneumonia", "two_class"), "phantom/cxr:1.0.0", ""
)


@pytest.fixture(scope="module")
def fused():
    numbers = keras.Input((4,), name="image")
    likelihoods = []
    for part, activation in (PART1, "sigmoid"), (PART2, "softmax"):
        logits = keras.layers.Dense(2, name=f"{part.name}_logits")(numbers)
        likelihoods.append(keras.layers.Activation(activation, name=part.name)(logits))
    return keras.Model(numbers, keras.layers.Dense(1, name="logits")(keras.layers.Concatenate()(likelihoods)))


def test_a_fusion_names_every_likelihood(fused):
    images = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    labels = Labels(("covid19", "normal"), "covid19", "binary")
    answers = scores.Answers(fused, labels, (PART1, PART2))(images)
    np.testing.assert_allclose(answers.pop("probabilities"), keras.ops.sigmoid(fused(images)), rtol=1e-6)
    assert list(answers) == ["part1_edema", "part1_pneumonia", "part2_pneumonia", "part2_normal"]
    logits = images @ fused.get_layer("part1_logits").kernel.numpy()
    np.testing.assert_allclose(answers["part1_pneumonia"], 1 / (1 + np.exp(-logits[:, 1])), rtol=1e-5)
    np.testing.assert_allclose(answers["part2_pneumonia"] + answers["part2_normal"], [1, 1, 1], rtol=1e-6)


def test_a_network_of_no_parts_answers_with_its_probabilities_alone(fused):
    answers = scores.Answers(fused, Labels(("covid19", "normal"), "covid19", "binary"))(np.zeros((1, 4), np.float32))
    assert list(answers) == ["probabilities"]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ((), "no parts"),
        ((PART1,), r"part1 \(2 likelihoods, sigmoid\)"),
        ((PART1, dataclasses.replace(PART2, labels=PART1.labels)), r".* part2 \(2 likelihoods, sigmoid\)"),
        ((dataclasses.replace(PART1, labels=Labels(CLASSES, "normal", "findings")), PART2), r"part1 \(3 .*"),
    ],
)
def test_another_record_than_the_networks_own_is_refused(fused, parts, named):
    scores.check_parts(fused, (PART1, PART2), "model.keras")
    held = r"part1 \(2 likelihoods, sigmoid\) and part2 \(2 likelihoods, softmax\)"
    with pytest.raises(errors.CtcovError, match=f"^model.keras: holds {held}, its record names {named}: put back"):
        scores.check_parts(fused, parts, "model.keras")
