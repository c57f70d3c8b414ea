import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import errors, files
from ctcov_tf.calibration import gate as gate_lib
from ctcov_tf.config import DeepCTNetConfig, DeepCTNetEdgeConfig, SmallCNNConfig
from ctcov_tf.model_info import OOD_LIMIT
from ctcov_tf.models import input_gate, registry
from ctcov_tf.models.inference_network import inference_network
from ctcov_tf.models.input_gate import Gate, InputGate, Measure

NETWORKS = {
    "small_cnn": SmallCNNConfig(channels=(8, 8, 8)),
    "edge": DeepCTNetEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, attention="none", dense_units=8),
    "deep_ct_net": DeepCTNetConfig(
        blocks=(1, 1, 1, 1), growth_rate=4, stem_channels=8, attention="slim", attention_channels=8, dense_units=8
    ),
}


def images(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 64, 64, 3)).astype(np.float32)


def coordinates(model, batch):
    tensors = {name: input_gate.tensor_of(model, name) for name in input_gate.FEATURES}
    values = keras.Model(model.input, tensors)(batch)
    return {name: input_gate.features(name, value).numpy() for name, value in values.items()}


@pytest.fixture(scope="module", params=list(NETWORKS))
def fitted(request):
    keras.utils.set_random_seed(0)
    model = registry.build(NETWORKS[request.param], 64, 1)
    return model, gate_lib.fit(coordinates(model, images(40)), coordinates(model, images(20, 1)))


def test_the_graph_gives_the_scores_that_were_fitted(fitted):
    model, gate = fitted
    batch = np.concatenate([images(4, 2), np.linspace(0, 3, 64)[:, None] * np.ones((2, 64, 64, 3))]).astype(np.float32)
    scores = keras.Model(model.input, InputGate(model, gate).output)(batch)
    assert scores.dtype == tf.float32
    np.testing.assert_allclose(scores, gate_lib.scores(gate, coordinates(model, batch)), rtol=1e-4)
    assert (scores[-2:].numpy() > 1).all()


def test_the_rewritten_network_is_gated_alike(fitted):
    model, gate = fitted
    rewritten = inference_network(model)
    ours, theirs = (keras.Model(one.input, InputGate(one, gate).output)(images(6, 3)) for one in (model, rewritten))
    np.testing.assert_allclose(theirs, ours, rtol=1e-3)


def test_a_network_without_a_gate_has_none(fitted):
    model, gate = fitted
    assert input_gate.on(model, None) is None
    assert input_gate.on(model, gate).output.shape == (None,)


def test_layout_is_the_mean_of_cells():
    model = registry.build(NETWORKS["small_cnn"], 64, 1)
    batch = images(2)
    found = coordinates(model, batch)["layout"]
    np.testing.assert_allclose(found, batch[..., 0].reshape(2, 16, 4, 16, 4).mean((2, 4)).reshape(2, 256), atol=1e-6)


def test_arrays_survive_the_file(fitted, tmp_path):
    _, gate = fitted
    sha256 = gate.save(tmp_path / "gate.npz")
    assert sha256 == gate.save(tmp_path / "again.npz"), "the same arrays give the same file"
    loaded = Gate.load(tmp_path / "gate.npz", sha256, "mend it")
    assert list(loaded.measures) == list(gate.measures)
    for name, measure in gate.measures.items():
        for field in dataclasses.asdict(measure):
            np.testing.assert_array_equal(getattr(loaded.measures[name], field), getattr(measure, field))


def test_a_file_that_does_not_belong_is_refused(fitted, tmp_path):
    _, gate = fitted
    with pytest.raises(errors.CtcovError, match=r"gate\.npz: missing: mend it"):
        Gate.load(tmp_path / "gate.npz", "", "mend it")
    gate.save(tmp_path / "gate.npz")
    with pytest.raises(errors.CtcovError, match=r"gate\.npz: not the gate that .* tells of: mend it"):
        Gate.load(tmp_path / "gate.npz", "0" * 64, "mend it")
    (tmp_path / "gate.npz").write_bytes(b"damaged")
    with pytest.raises(errors.CtcovError, match=r"gate\.npz: damaged .*: mend it"):
        Gate.load(tmp_path / "gate.npz", files.sha256(tmp_path / "gate.npz"), "mend it")


def test_a_refused_image_has_no_number():
    answers = {
        "probabilities": tf.constant([[0.2, 0.8]] * 3),
        "part1_edema": tf.constant([0.5] * 3),
        "heatmap": tf.ones((3, 2, 2)),
        "finding": tf.constant(["edema"] * 3),
    }
    found = input_gate.refuse(answers, tf.constant([0.5, 1.5, np.nan]))
    assert found["in_distribution"].numpy().tolist() == [True, False, False]
    np.testing.assert_array_equal(found["ood_score"], [0.5, 1.5, np.nan])
    for name in ("probabilities", "part1_edema"):
        np.testing.assert_array_equal(found[name][0], answers[name][0])
        assert np.isnan(found[name][1:]).all()
    assert [float(tf.reduce_sum(one)) for one in found["heatmap"]] == [4, 0, 0]
    assert found["finding"].numpy().tolist() == [b"edema", b"", b""]


def test_exactly_the_limit_passes():
    measure = Measure(np.zeros(1, np.float32), np.ones((1, 1), np.float32))
    assert gate_lib.distances(measure, [[1.0]])[0] == OOD_LIMIT
    assert input_gate.refuse({}, tf.constant([1.0, np.nextafter(np.float32(1), np.float32(2))]))[
        "in_distribution"
    ].numpy().tolist() == [True, False]
