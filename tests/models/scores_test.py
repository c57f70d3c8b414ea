import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf.model_info import Labels
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
