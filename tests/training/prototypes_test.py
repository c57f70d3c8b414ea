import numpy as np
import pandas as pd
import pytest

from ctcov_tf.config import BaselineConfig, SmallCNNConfig
from ctcov_tf.training import prototypes


def points(count, features, seed=0):
    return prototypes.normalised(np.random.default_rng(seed).normal(0.3, 1.0, (count, features)))


def plain_loop(rows):
    """The algorithm as it is published, a number at a time, without anything of ours."""
    features = len(rows[0])
    found, support = [list(rows[0])], [1]
    for i in range(1, len(rows)):
        seen = rows[: i + 1]
        mean = [sum(row[k] for row in seen) / len(seen) for k in range(features)]
        variance = sum(sum(v * v for v in row) for row in seen) / len(seen) - sum(m * m for m in mean)

        def density(x, mean=mean, variance=variance):
            return 1 / (1 + sum((a - m) ** 2 for a, m in zip(x, mean, strict=True)) / variance)

        own, others = density(rows[i]), [density(one) for one in found]
        if own > max(others) or own < min(others):
            found.append(list(rows[i]))
            support.append(1)
        else:
            gaps = [sum((a - b) ** 2 for a, b in zip(rows[i], one, strict=True)) for one in found]
            k = gaps.index(min(gaps))
            found[k] = [(support[k] * b + a) / (support[k] + 1) for a, b in zip(rows[i], found[k], strict=True)]
            support[k] += 1
    return found


@pytest.mark.parametrize(("count", "features"), [(40, 3), (25, 12)])
def test_equals_a_plain_loop(count, features):
    rows = points(count, features)
    learnt = prototypes.learn(rows)
    assert 1 < len(learnt) < count
    np.testing.assert_allclose(learnt, plain_loop(rows.tolist()), rtol=1e-5, atol=1e-6)


def test_equal_points_are_one_prototype():
    np.testing.assert_allclose(prototypes.learn(np.tile(points(1, 4), (5, 1))), points(1, 4), rtol=1e-6)


def test_a_single_point_is_its_own_prototype():
    np.testing.assert_allclose(prototypes.learn(points(1, 4)), points(1, 4), rtol=1e-6)


def test_standardisation_leaves_out_what_never_changes():
    features = np.random.default_rng(0).normal(2.0, 3.0, (50, 4)).astype("float32")
    features[:, 2] = 1.5
    mean, scale = prototypes.standardisation(features)
    standardised = (features - mean) * scale
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standardised.std(axis=0), [1, 1, 0, 1], atol=1e-5)


def test_only_xdnn_learns_so():
    assert prototypes.learns_by(BaselineConfig(method="xdnn"))
    assert not prototypes.learns_by(BaselineConfig(method="hall"))
    assert not prototypes.learns_by(SmallCNNConfig())


def test_history_has_one_line(xdnn_run):
    history = pd.read_csv(xdnn_run.history_file)
    assert history["epoch"].tolist() == [0]
    assert 0 <= history["val_auc"][0] <= 1
    layer = xdnn_run.load_model().get_layer("logits")
    assert history["prototypes"][0] == sum(layer.counts) >= 2


def test_training_images_are_what_the_prototypes_lie_among(xdnn_run):
    """The nearest prototype of most training images is of their own class."""
    from ctcov_tf import input_pipeline

    model, right, count = xdnn_run.load_model(), 0, 0
    for images, targets in input_pipeline.evaluation_batches(xdnn_run.config, xdnn_run.labels, "train"):
        answers = model.predict_on_batch(images)[:, 0] > 0
        right += np.sum(answers == (targets.numpy()[:, 0] > 0.5))
        count += len(answers)
    assert right / count > 0.6
