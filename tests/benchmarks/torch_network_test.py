"""The twin in PyTorch answers as the Keras network; skipped without PyTorch."""

import dataclasses

import numpy as np
import pytest

from benchmarks import random_network
from ctcov_tf.config import DeepCTNetConfig

torch = pytest.importorskip("torch")
SMALL = DeepCTNetConfig(blocks=(2, 2, 1), growth_rate=8, stem_channels=16, output_stride=16, attention_channels=8)


@pytest.mark.parametrize("attention", ["slim", "paper", "none"])
@pytest.mark.parametrize(
    ("image_size", "output_stride", "levels"), [(64, 16, 2), (112, 16, 3), (64, 8, 3), (96, 8, 2), (80, 16, 2)]
)
def test_answers_as_the_keras_network(attention, image_size, output_stride, levels):
    from benchmarks import torch_network

    config = dataclasses.replace(
        SMALL, attention=attention, output_stride=output_stride, attention_levels=levels, dense_units=8
    )
    model = random_network.build(config, image_size, outputs=2)
    network = torch_network.DeepCTNet(config, image_size, 2).eval()
    torch_network.copy_weights(model, network)
    images = np.random.default_rng(0).normal(size=(3, image_size, image_size, 3)).astype(np.float32)
    expected = model(images, training=False)
    with torch.no_grad():
        found = network(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)
    parameters = sum(one.numel() for one in network.parameters())
    assert parameters == sum(int(np.prod(one.shape)) for one in model.trainable_weights)


def test_trains():
    from benchmarks import torch_network

    network = torch_network.DeepCTNet(dataclasses.replace(SMALL, attention="slim", attention_levels=3), 64, 1)
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(one.grad is not None for one in network.parameters())
