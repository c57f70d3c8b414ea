import keras
import numpy as np
import pytest
from scipy import stats

from ctcov_tf import explain
from ctcov_tf.evaluation.explanation import randomisation, remarks
from ctcov_tf.model_info import Labels
from ctcov_tf.models import registry

LABELS = Labels(("covid19", "normal"), "covid19", "binary")
GROUPS = [str(number) for number in range(12)]


@pytest.fixture(scope="module")
def network(tiny_config):
    """A Deep-CT-Net whose batch norms have seen images, as after training: its maps differ from image to image."""
    keras.utils.set_random_seed(3)
    model = registry.build(tiny_config.model, 64, 1)
    images = np.random.default_rng(0).normal(size=(32, 64, 64, 3)).astype(np.float32)
    for _ in range(30):
        model(images, training=True)
    return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(size=(12, 64, 64, 3)).astype(np.float32)


def grad_cam(model):
    cam = explain.GradCam(model, LABELS)
    return lambda batch: cam(batch)[1].numpy()


def by_edges(batch):
    """A map of the image alone, whatever the network has learnt."""
    return np.abs(np.diff(batch[:, ::8, :, 0], axis=1, prepend=0))[:, :, ::8]


def test_stages_go_from_the_logits_down_and_leave_nothing_out(network):
    stages = randomisation.stages(network, "relu")
    names = [layer.name for layers in stages.values() for layer in layers]
    assert list(stages) == ["logits", "all behind the map", "upper half before it", "every layer"]
    assert names[:4] == ["logits", "dense", "head_bn", "attention"]
    assert names[-1] == "conv1_conv"
    assert sorted(names) == sorted(layer.name for layer in network.layers if layer.weights)


def test_frozen_parts_are_left_alone(tiny_fusion_run):
    model = tiny_fusion_run.load_model()
    names = [layer.name for layers in randomisation.stages(model, "relu").values() for layer in layers]
    assert names[0] == "logits"
    assert "conv1_conv" in names
    assert not [name for name in names if name.startswith("part")]


def test_every_stage_changes_its_layers_and_the_weights_come_back(network, images):
    before = network.get_weights()
    stages = randomisation.stages(network, "relu")
    changed = []

    def look(batch):
        changed.append(sum(np.any(now != was) for now, was in zip(network.get_weights(), before, strict=True)))
        return np.zeros((len(batch), 2, 2))

    maps = randomisation.cascade(network, look, images, stages)
    draws = [changed[:4], changed[4:]]  # twelve images are two draws
    for counts in draws:
        assert counts == sorted(set(counts))
        assert counts[0] > 0
    assert {name: array.shape for name, array in maps.items()} == dict.fromkeys(stages, (12, 2, 2))
    for now, was in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, was)


def test_weights_come_back_after_an_error(network, images):
    before = network.get_weights()
    with pytest.raises(ZeroDivisionError):
        randomisation.cascade(network, lambda _: 1 / 0, images, randomisation.stages(network, "relu"))
    for now, was in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, was)


def checked(network, explainer, images):
    stages = randomisation.stages(network, "relu")
    maps = randomisation.cascade(network, explainer, images, stages)
    return randomisation.compare(explainer(images), maps, dict.fromkeys(stages, 1), GROUPS, 64)


def test_grad_cam_depends_on_the_weights(network, images):
    last = checked(network, grad_cam(network), images)["stages"][-1]
    assert abs(last["rank_correlation"]["value"]) < 0.5
    assert last["structural_similarity"]["value"] < 0.8


def test_a_map_that_ignores_the_weights_is_exposed(network, images):
    found = checked(network, by_edges, images)
    assert found["draws"] == 2
    for stage in found["stages"]:
        assert stage["rank_correlation"]["low"] == pytest.approx(1)
        assert stage["structural_similarity"]["low"] == pytest.approx(1)
    assert found["other_images"]["rank_correlation"]["value"] < 0.5
    difference = {"value": 0.1, "low": 0.05, "high": 0.2}
    said = remarks.remarks(
        {
            "randomisation": found,
            "deletion": {
                "deletion": {"difference": difference, "curve": [0.8, 0.1]},
                "insertion": {"difference": difference, "curve": [0.1, 0.8]},
            },
            "lungs": {"left_out": "of no interest here"},
        }
    )
    assert "no explanation of it" in said[0]


def test_rank_correlation_is_spearmans():
    generator = np.random.default_rng(0)
    ours, theirs = np.maximum(generator.normal(size=(2, 20, 5, 7)), 0)  # with ties, as rectified maps have
    expected = [stats.spearmanr(one.ravel(), other.ravel()).statistic for one, other in zip(ours, theirs, strict=True)]
    np.testing.assert_allclose(randomisation.rank_correlation(ours, theirs), expected)
    np.testing.assert_array_equal(randomisation.rank_correlation(ours, np.zeros_like(ours)), 0)


def test_structural_similarity_falls_with_noise():
    generator = np.random.default_rng(0)
    maps = generator.random((4, 5, 5)).astype(np.float32)
    found = [
        randomisation.structural_similarity(
            maps, maps + noise * generator.normal(size=maps.shape).astype(np.float32), 64
        )
        for noise in (0, 0.1, 0.5)
    ]
    np.testing.assert_allclose(found[0], 1, atol=1e-5)
    assert (found[0] > found[1]).all()
    assert (found[1] > found[2]).all()


def test_random_weights_know_nothing_of_the_trained_ones(network):
    model = keras.models.clone_model(network)
    layers = [layer for layer in model.layers if layer.weights]
    randomisation.randomise(layers, np.random.default_rng(0))
    values = {"gamma": 1, "moving_variance": 1, "beta": 0, "moving_mean": 0, "bias": 0}
    for variable in model.weights:
        if len(variable.shape) == 1:
            np.testing.assert_array_equal(variable, values[variable.name], err_msg=variable.path)
    kernel = model.get_layer("conv3_block1_1_conv").kernel.numpy()
    assert kernel.std() == pytest.approx(np.sqrt(2 / np.prod(kernel.shape[:-1])), rel=0.15)
