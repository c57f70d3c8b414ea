import dataclasses

import keras
import numpy as np
import pytest

from ctcov_tf import config
from ctcov_tf.explain import GradCam
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.models import deep_ct_net, deep_cxr_net, registry, scores, transfer

SIZE = 64
PYRAMID = {"attention": "slim", "attention_channels": 8, "attention_levels": 2}
NARROW = {"blocks": (2, 2), "output_stride": 8, "growth_rate": 4, "stem_channels": 8, **PYRAMID}
NARROW_EDGE = {"repeats": (1, 1, 1, 1, 1, 1, 1), "width": 0.25, "attention": "none", "pooling": "average"}
PARTS = {
    "dense_net": config.DeepCTNetConfig(**NARROW, dense_units=8, dropout=0.5),
    "edge": config.DeepCTNetEdgeConfig(**NARROW_EDGE, dense_units=8, dropout=0.5),
}
FUSIONS = {
    "dense_net": config.DeepCXRNetConfig(**NARROW, dense_units=(8, 4)),
    "edge": config.DeepCXRNetEdgeConfig(**NARROW_EDGE, dense_units=(8, 4)),
}
LAST_MAPS = {"dense_net": "relu", "edge": "top_activation"}
LABELS = {
    "part1": Labels(("atelectasis", "pneumonia", "edema"), "pneumonia", "findings"),
    "part2": Labels(("pneumonia", "normal"), "pneumonia", "two_class"),
}


@pytest.fixture(scope="module", params=[("dense_net", "dense_net"), ("edge", "edge"), ("dense_net", "edge")])
def backbones(request):
    """Those of the parts, and that of part 3."""
    return request.param


@pytest.fixture(scope="module")
def fused(backbones):
    """Configuration of the fusion."""
    return FUSIONS[backbones[1]]


@pytest.fixture(scope="module")
def parts(backbones):
    keras.utils.set_random_seed(0)
    frozen = []
    for name, labels in LABELS.items():
        alone = dataclasses.replace(PARTS[backbones[0]], head=labels.head)
        network = deep_ct_net.deep_ct_net(alone, SIZE, len(labels.outputs))
        for variable in network.weights:
            if "moving" in variable.path or variable.path.endswith("bias"):
                variable.assign(np.random.default_rng(1).uniform(0.5, 1.5, variable.shape))
        frozen.append(deep_cxr_net.FrozenPart(PartInfo(name, f"cxr_{name}", labels, "phantom/cxr:1.0.0", ""), network))
    return frozen


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(6, SIZE, SIZE, 3)).astype(np.float32)


def likelihoods(parts, images):
    return np.concatenate(
        [scores.probabilities(part.network(images, training=False), part.info.labels).numpy() for part in parts], axis=1
    )


def test_parts_answer_inside_as_they_do_alone(fused, parts, images):
    whole = registry.build(fused, SIZE, 1, parts)
    inside = keras.Model(whole.input, [whole.get_layer(name).output for name in LABELS])(images)
    np.testing.assert_allclose(np.concatenate(inside, axis=1), likelihoods(parts, images), atol=1e-6)


def test_both_forms_are_one_network(fused, parts, images):
    trained = deep_cxr_net.fusion(fused, SIZE, 1, likelihoods=5)
    whole = registry.build(fused, SIZE, 1, parts)
    left_alone = transfer.transfer_weights(trained, whole)
    assert left_alone
    assert all(path.startswith(("part1_", "part2_")) for path in left_alone)
    np.testing.assert_allclose(whole(images), trained([images, likelihoods(parts, images)]), atol=1e-5)


def test_training_moves_no_weight_of_a_frozen_part(fused, parts, images):
    whole = registry.build(fused, SIZE, 1, parts)
    before = {variable.path: variable.numpy() for variable in whole.weights}
    whole.compile(keras.optimizers.AdamW(1e-2, weight_decay=0.1), keras.losses.BinaryCrossentropy(from_logits=True))
    whole.fit(images, np.array([0, 1, 0, 1, 1, 0], np.float32)[:, np.newaxis], epochs=3, batch_size=3, verbose=0)
    moved = {variable.path for variable in whole.weights if not np.array_equal(before[variable.path], variable.numpy())}
    frozen = {path for path in before if path.startswith(("part1_", "part2_"))}
    assert sum("moving_variance" in path for path in frozen) >= 2
    assert not moved & frozen
    assert {path for path in before if path not in frozen} <= moved
    for part in parts:
        alone = [variable.numpy() for variable in part.network.weights]
        inside = [before[f"{part.info.name}_{variable.path}"] for variable in part.network.weights]
        assert all(map(np.array_equal, alone, inside))


def test_only_part_3_counts_as_trainable(fused, parts):
    whole = registry.build(fused, SIZE, 1, parts)
    alone = registry.build(fused, SIZE, 1)
    paths = [variable.path for variable in whole.trainable_weights]
    assert paths == [variable.path for variable in alone.trainable_weights]


def test_dropout_of_frozen_parts_is_off_in_training(fused, parts, images):
    whole = registry.build(fused, SIZE, 1, parts)
    inside = keras.Model(whole.input, whole.get_layer("part1").output)
    np.testing.assert_array_equal(inside(images, training=True), inside(images, training=False))


def test_survives_saving_bit_for_bit(fused, parts, images, tmp_path):
    whole = registry.build(fused, SIZE, 1, parts)
    whole.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(loaded(images), whole(images))
    assert not any(layer.trainable for layer in loaded.layers if layer.name.startswith(("part1_", "part2_")))


def test_part_3_is_explained_unless_told_otherwise(backbones, fused, parts):
    whole = registry.build(fused, SIZE, 1, parts)
    of_parts, of_part_3 = (LAST_MAPS[name] for name in backbones)
    assert GradCam(whole, Labels(("covid19", "normal"), "covid19", "binary")).layer == of_part_3
    assert GradCam(whole, LABELS["part1"], part="part1").layer == f"part1_{of_parts}"


@pytest.mark.parametrize("name", FUSIONS)
def test_part_3_alone_has_one_input(name, images):
    alone = deep_cxr_net.fusion(FUSIONS[name], SIZE, 1, likelihoods=0)
    assert alone(images).shape == (6, 1)
    assert alone.count_params() == registry.build(FUSIONS[name], SIZE, 1).count_params()
