"""What makes a training step fast must not change what is learnt: gradients and losses against the plain form."""

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf.config import DeepCTNetConfig
from ctcov_tf.layers import FusedBatchNormalization
from ctcov_tf.models import registry
from ctcov_tf.training.fused_adam import FusedAdam

SIZE = 64
CONFIG = DeepCTNetConfig(
    blocks=(2, 2, 2), growth_rate=8, stem_channels=16, output_stride=16, attention="slim", attention_levels=2
)
LOSS = keras.losses.BinaryCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def batches():
    """Noise that is brighter on the left or on the right: learnt in a few steps, not at once."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (24, 16, 1)).astype("float32")
    images = rng.normal(size=(24, 16, SIZE, SIZE, 3)).astype("float32")
    ramp = np.linspace(-0.5, 0.5, SIZE, dtype="float32")[:, None]
    return images + np.where(targets[..., None, None] > 0, ramp, -ramp), targets


def _model(policy="float32"):
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        return registry.build(CONFIG, SIZE, 1)
    finally:
        keras.config.set_dtype_policy("float32")


def _losses(model, optimizer, batches):
    model.compile(optimizer, LOSS, jit_compile=False)
    losses = []
    for images, targets in zip(*batches, strict=True):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(images, targets)))
    return np.array(losses)


def _gradients(model, images, targets):
    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = LOSS(targets, model(images, training=True))
        return tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    return [gradient.numpy().astype("float64") for gradient in gradients()]


def _cosine(some, others):
    one, other = (np.concatenate([gradient.ravel() for gradient in gradients]) for gradients in (some, others))
    return one @ other / (np.linalg.norm(one) * np.linalg.norm(other))


def _plain_batch_norm():
    return mock.patch.object(FusedBatchNormalization, "_is_fusable", return_value=False)


def test_fused_kernels_learn_as_stock_keras_does(batches):
    fused = _losses(_model(), FusedAdam(1e-3), batches)
    with _plain_batch_norm():
        stock = _losses(_model(), keras.optimizers.Adam(1e-3), batches)
    assert stock[-1] < 0.8 * stock[0]
    np.testing.assert_allclose(fused[:5], stock[:5], rtol=1e-3)
    np.testing.assert_allclose(fused, stock, atol=0.05)


def test_bfloat16_gradients_are_as_near_to_float32_as_those_of_stock_keras(batches):
    images, targets = batches[0][0], batches[1][0]
    exact = _gradients(_model(), images, targets)
    ours = _gradients(_model("mixed_bfloat16"), images, targets)
    with _plain_batch_norm():
        stock = _gradients(_model("mixed_bfloat16"), images, targets)
    assert _cosine(ours, exact) > 0.9
    assert _cosine(ours, exact) > _cosine(stock, exact) - 0.03


def test_bfloat16_learns_as_float32_does(batches):
    exact = _losses(_model(), FusedAdam(1e-3), batches)
    coarse = _losses(_model("mixed_bfloat16"), FusedAdam(1e-3), batches)
    np.testing.assert_allclose(coarse, exact, atol=0.1)
    assert coarse[-6:].mean() == pytest.approx(exact[-6:].mean(), abs=0.05)
