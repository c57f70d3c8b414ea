import keras
import numpy as np
import pytest

from ctcov_tf.config import BaselineConfig, SmallCNNConfig, TrainConfig
from ctcov_tf.model_info import Labels
from ctcov_tf.training import head_losses, optimization

BINARY = Labels(("covid19", "normal"), "covid19", "binary")
CLASSES = Labels(("covid19", "pneumonia", "normal"), "covid19", "three_class")


def cross_entropy(target, logit):
    return np.log1p(np.exp(-logit if target else logit))


def test_other_networks_keep_their_loss():
    loss = optimization.make_loss(TrainConfig(), BINARY)
    for config in (SmallCNNConfig(), BaselineConfig(method="resnet50")):
        assert head_losses.over_heads(config, loss, BINARY) is loss


def test_an_ensemble_learns_by_the_mean_of_its_members_losses():
    loss = head_losses.over_heads(BaselineConfig(method="hall"), optimization.make_loss(TrainConfig(), BINARY), BINARY)
    targets, members = np.array([[1.0], [0.0]]), np.array([[2.0, -1.0, 0.5], [0.3, 0.0, -4.0]])
    outputs = np.column_stack([members.mean(axis=1), members])
    expected = np.mean([[cross_entropy(t[0], z) for z in row] for t, row in zip(targets, members, strict=True)])
    assert float(loss(targets, outputs)) == pytest.approx(expected, rel=1e-5)


def test_members_of_several_classes():
    base = optimization.make_loss(TrainConfig(), CLASSES)
    loss = head_losses.over_heads(BaselineConfig(method="hall", head="three_class"), base, CLASSES)
    targets = np.eye(3, dtype="float32")[[0, 2]]
    members = np.random.default_rng(0).normal(size=(3, 2, 3)).astype("float32")
    outputs = np.concatenate([members.mean(axis=0), *members], axis=1)
    assert float(loss(targets, outputs)) == pytest.approx(
        np.mean([float(base(targets, one)) for one in members]), rel=1e-5
    )


def test_deviation_pulls_negatives_to_zero_and_positives_above_the_margin():
    loss = head_losses.over_heads(BaselineConfig(method="caad"), optimization.make_loss(TrainConfig(), BINARY), BINARY)

    def value(target, class_logit, score):
        return float(loss(np.array([[target]]), np.array([[99.0, class_logit, score]])))

    assert value(0.0, 0.3, -1.5) == pytest.approx(cross_entropy(0, 0.3) + 1.5, rel=1e-5)
    assert value(1.0, 0.3, 2.0) == pytest.approx(cross_entropy(1, 0.3) + 3.0, rel=1e-5)
    assert value(1.0, 0.3, 7.0) == pytest.approx(cross_entropy(1, 0.3), rel=1e-5)


def test_class_weights_reach_the_heads():
    loss = head_losses.over_heads(BaselineConfig(method="caad"), optimization.make_loss(TrainConfig(), BINARY), BINARY)
    targets, outputs = np.array([[1.0], [0.0]]), np.array([[0.0, 0.2, 1.0], [0.0, 0.1, 0.5]])
    each = [float(loss(targets[[row]], outputs[[row]])) for row in (0, 1)]
    weighted = loss(targets, outputs, sample_weight=keras.ops.convert_to_tensor([3.0, 1.0]))
    assert float(weighted) == pytest.approx((3 * each[0] + each[1]) / 2, rel=1e-5)
