"""Moving batch norms' scales into kernels changes no answer, and leaves the kernels in the form that exports hold."""

import numpy as np
import pytest

from benchmarks import random_network
from ctcov_tf import config
from ctcov_tf.models import absorbed_norms, inference_network
from tests.models.inference_network_test import PYRAMID, images, settled_gammas_of_both_signs

EDGE = config.DeepCTNetEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, attention_channels=8, dense_units=8)


@pytest.fixture(scope="module", params=[PYRAMID, EDGE], ids=["dense_net", "edge"])
def networks(request):
    """A network, and the same absorbed."""
    before, after = (settled_gammas_of_both_signs(random_network.build(request.param, 64, outputs=2)) for _ in range(2))
    after.set_weights(before.get_weights())
    absorbed_norms.absorb(after)
    return before, after


def test_the_answer_stays(networks):
    before, after = networks
    given = images(before)
    expected = before(given, training=False).numpy()
    np.testing.assert_allclose(after(given, training=False).numpy(), expected, atol=1e-4 * np.abs(expected).max())


def test_training_goes_on_as_before(networks):
    """By the statistics of a batch; these calls move the kept ones, which are put back.

    Not to the last digit: epsilon weighs otherwise beside a variance that the kernel has taken up.
    """
    given, weights = images(networks[0], 8), [model.get_weights() for model in networks]
    expected, found = (model(given, training=True).numpy() for model in networks)
    for model, kept in zip(networks, weights, strict=True):
        model.set_weights(kept)
    np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())


def test_every_form_holds_the_same_kernels(networks):
    _, after = networks
    folded = inference_network.inference_network(after)
    pairs = inference_network.folding_pairs(after)
    assert len(pairs) > 5
    inside = {weight.path: weight.numpy() for weight in folded.weights}
    for layer, _ in pairs:
        kernel = layer.weights[0]
        assert np.array_equal(inside[kernel.path], kernel.numpy()), kernel.path
