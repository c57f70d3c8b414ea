import dataclasses

import numpy as np
import pytest

from ctcov_tf.config import DeepCTNetConfig, SmallCNNConfig
from ctcov_tf.models import registry, transfer

TINY = DeepCTNetConfig(
    blocks=(1, 1, 1, 1),
    growth_rate=4,
    stem_channels=8,
    output_stride=16,
    attention="slim",
    attention_channels=10,
    dense_units=6,
)


def test_copies_everything_between_equal_models():
    source, target = registry.build(TINY, 32, 1), registry.build(TINY, 32, 1)
    assert transfer.transfer_weights(source, target) == []
    for a, b in zip(source.weights, target.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("small", "large"), [(64, 128), (128, 64)])
def test_resizes_the_dense_layer_over_the_map(small, large):
    source, target = registry.build(TINY, small, 1), registry.build(TINY, large, 1)
    assert transfer.transfer_weights(source, target) == []
    constant = [np.ones((1, size // 16, size // 16, 10), "float32") for size in (small, large)]
    answers = [
        m.get_layer("dense").kernel.numpy().T @ x.ravel() for m, x in zip((source, target), constant, strict=True)
    ]
    np.testing.assert_allclose(*answers, atol=1e-5)


def test_an_averaged_map_has_one_dense_layer_for_all_sizes():
    averaging = dataclasses.replace(TINY, pooling="average")
    source, target = registry.build(averaging, 64, 1), registry.build(averaging, 128, 1)
    assert transfer.transfer_weights(source, target) == []
    for a, b in zip(source.weights, target.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_keeps_where_the_weights_look():
    source, target = registry.build(TINY, 64, 1), registry.build(TINY, 128, 1)
    kernel = np.zeros((4, 4, 10, 6), "float32")
    kernel[0, 3, 2, 5] = 1
    source.get_layer("dense").kernel.assign(kernel.reshape(-1, 6))
    transfer.transfer_weights(source, target)
    resized = target.get_layer("dense").kernel.numpy().reshape(8, 8, 10, 6)
    assert resized[:2, 6:, 2, 5].min() > 0
    assert np.abs(resized[4:]).max() == np.abs(resized[:, :4]).max() == 0
    assert resized.sum() == pytest.approx(1, abs=1e-6)


def test_answer_to_a_smooth_map_stays_close():
    source, target = registry.build(TINY, 64, 1), registry.build(TINY, 128, 1)
    transfer.transfer_weights(source, target)
    rng = np.random.default_rng(0)
    slopes, phases = rng.normal(size=(2, 1, 1, 10)), rng.uniform(0, 6, size=10)
    answers = []
    for model, side in ((source, 4), (target, 8)):
        y, x = (np.mgrid[0:side, 0:side][..., None] + 0.5) / side
        features = np.sin(slopes[0] * x + slopes[1] * y + phases)
        answers.append(model.get_layer("dense").kernel.numpy().T @ features.ravel())
    np.testing.assert_allclose(answers[1], answers[0], atol=0.1 * np.abs(answers[0]).max())


def test_other_head_is_left_alone():
    source, target = registry.build(TINY, 32, 1), registry.build(TINY, 32, 3)
    before = [v.numpy() for v in target.get_layer("logits").weights]
    assert transfer.transfer_weights(source, target) == ["logits/kernel", "logits/bias"]
    for variable, value in zip(target.get_layer("logits").weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_other_attention_is_left_alone():
    source = registry.build(TINY, 32, 1)
    target = registry.build(dataclasses.replace(TINY, attention="none"), 64, 1)
    left_alone = transfer.transfer_weights(source, target)
    assert "dense/kernel" in left_alone
    assert "conv1_conv/kernel" not in left_alone


def test_small_cnn_at_another_size():
    source, target = (registry.build(SmallCNNConfig(channels=(4, 8)), size, 1) for size in (32, 64))
    assert transfer.transfer_weights(source, target) == []
