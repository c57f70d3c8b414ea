import dataclasses

import numpy as np
import pytest

from ctcov_tf.config import DeepCTNetConfig, SmallCNNConfig
from ctcov_tf.models import registry, transfer

TINY = DeepCTNetConfig(
    blocks=(1, 1),
    growth_rate=4,
    stem_channels=8,
    output_stride=8,
    attention="slim",
    attention_channels=8,
    dense_units=6,
)


def test_copies_everything_between_equal_models():
    source, target = registry.build(TINY, 32, 1), registry.build(TINY, 32, 1)
    assert transfer.transfer_weights(source, target) == []
    for a, b in zip(source.weights, target.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("small", "large"), [(32, 64), (64, 32)])
def test_resizes_the_dense_layer_over_the_map(small, large):
    source, target = registry.build(TINY, small, 1), registry.build(TINY, large, 1)
    assert transfer.transfer_weights(source, target) == []
    constant = [np.ones((1, size // 8, size // 8, 8), "float32") for size in (small, large)]
    answers = [
        m.get_layer("dense").kernel.numpy().T @ x.ravel() for m, x in zip((source, target), constant, strict=True)
    ]
    np.testing.assert_allclose(*answers, atol=1e-5)


def test_keeps_where_the_weights_look():
    source, target = registry.build(TINY, 32, 1), registry.build(TINY, 64, 1)
    kernel = np.zeros((4, 4, 8, 6), "float32")
    kernel[0, 3, 2, 5] = 1
    source.get_layer("dense").kernel.assign(kernel.reshape(-1, 6))
    transfer.transfer_weights(source, target)
    resized = target.get_layer("dense").kernel.numpy().reshape(8, 8, 8, 6)
    assert resized[:2, 6:, 2, 5].min() > 0
    assert np.abs(resized[4:]).max() == np.abs(resized[:, :4]).max() == 0
    assert resized.sum() == pytest.approx(1, abs=1e-6)


def test_answers_to_the_same_scene_stay_close():
    """A smooth scene at twice the size gives about the same logit."""
    source, target = registry.build(TINY, 64, 1), registry.build(TINY, 128, 1)
    transfer.transfer_weights(source, target)
    y, x = np.mgrid[0:1:128j, 0:1:128j]
    scenes = np.stack([np.sin(3 * x + phase) * np.cos(2 * y) for phase in range(8)])[..., None].repeat(3, -1)
    coarse = source(scenes[:, ::2, ::2].astype("float32")).numpy().ravel()
    fine = target(scenes.astype("float32")).numpy().ravel()
    assert np.corrcoef(coarse, fine)[0, 1] > 0.9


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
