"""Forms are made of a small network, the same logits come out, and a missing peer is named."""

import numpy as np
import pytest

from benchmarks import inference, our_forms, peer_forms, random_network, record
from ctcov_tf import errors
from ctcov_tf.config import DeepCTNetConfig

SMALL = DeepCTNetConfig(
    blocks=(2, 1, 1), growth_rate=8, stem_channels=8, output_stride=16, attention="slim", attention_channels=8
)


@pytest.fixture(scope="module")
def network():
    model = random_network.build(SMALL, 64)
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    return model, images, model(images, training=False).numpy()


def test_our_forms_give_the_networks_logits(network, tmp_path):
    model, images, expected = network
    forms = our_forms.saved_models(model, tmp_path) + our_forms.tflite_files(model, tmp_path, 1, ["float32", "int8"])
    for form in forms + our_forms.stock_keras(model, images):
        bound = 1e-4 if form.precision == "float32" else 0.3
        assert inference.difference(form.answer(images), expected) <= bound, form.name


@pytest.mark.parametrize("peer", ["pytorch", "onnx_runtime", "openvino"])
def test_peers_give_the_networks_logits(network, peer, tmp_path):
    package = {"pytorch": ["torch"], "onnx_runtime": ["torch", "onnx", "onnxruntime"], "openvino": ["openvino", "nncf"]}
    for name in package[peer]:
        pytest.importorskip(name)
    model, images, expected = network
    make = {
        "pytorch": lambda: peer_forms.pytorch(model, SMALL, 1, 1),
        "onnx_runtime": lambda: peer_forms.onnx_runtime(model, SMALL, 1, 1, tmp_path),
        "openvino": lambda: peer_forms.openvino(model, 1, 1, tmp_path),
    }
    for form in make[peer]():
        bound = 1e-4 if form.precision == "float32" else 0.3
        assert inference.difference(form.answer(images), expected) <= bound, form.name


def test_a_missing_peer_is_named_with_the_remedy():
    with pytest.raises(errors.CtcovError, match=r"no_such_peer: not installed: pip install -e '\.\[bench\]'"):
        peer_forms.require("numpy", "no_such_peer")


def test_goals_are_decided_by_the_case_that_measures_them():
    ratios = {"ctcov SavedModel bfloat16 / OpenVINO bfloat16": {"median": 1.2}}
    case = record.Case("net, batch 16", "ms", {}, ratios)
    (goal,) = inference.goals_of(case, 16)
    assert (goal.value, goal.bound, goal.met) == (1.2, 1.5, True)
    assert not inference.goals_of(case, 1)
