"""Deep-CT-Net and Deep-CXR-Net over EfficientNet-Lite in every form: the networks of the presets made for devices."""

import dataclasses
import shutil

from ai_edge_litert.interpreter import Interpreter
import numpy as np
import pytest

from benchmarks import random_network
from ctcov_tf import config, predictor
from ctcov_tf.edge.runner import EdgeModel
from ctcov_tf.export import saved_model, tflite, verify
from ctcov_tf.images import decode

MODEL = config.DeepCTNetEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, attention_channels=8, dense_units=8)
FORMS = ("float32", "float16", "int8")


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    run = dataclasses.replace(
        tiny_run,
        path=tmp_path_factory.mktemp("edge") / "run",
        preset="deep_ct_net_edge",
        config=dataclasses.replace(tiny_run.config, model=MODEL),
    )
    run.save()
    shutil.copy(tiny_run.calibration_file, run.calibration_file)
    random_network.build(MODEL, run.config.preprocess.image_size).save(run.model_file)
    return run


@pytest.fixture(scope="module")
def files(run, tmp_path_factory):
    return tflite.export_tflite(run, tmp_path_factory.mktemp("exports"), FORMS)


@pytest.mark.parametrize(("form", "tolerance"), [("float32", 1e-4), ("float16", 1e-2), ("int8", 0.2)])
def test_answers_as_the_network(run, files, images, form, tolerance):
    network, model = predictor.load(run.path), EdgeModel(files[form], threads=1)
    for image in images[:4]:
        expected = network.predict(image.data, image.image_id).probability
        answer = model(decode.decode_rgb(image.data, image.image_id))
        assert answer["probability"][0] == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("form", FORMS)
def test_is_made_of_built_in_operators(files, form):
    interpreter = Interpreter(model_path=str(files[form]))
    operators = {operator["op_name"] for operator in interpreter._get_ops_details()}
    assert not [name for name in operators if name.startswith(("Flex", "CUSTOM"))]


def test_the_backbone_of_int8_computes_in_8_bits(files):
    """And ReLU6 is part of the convolution before it, no operator of its own."""
    interpreter = Interpreter(model_path=str(files["int8"]), experimental_preserve_all_tensors=True)
    types = {detail["index"]: detail["dtype"] for detail in interpreter.get_tensor_details()}
    depthwise = [one for one in interpreter._get_ops_details() if one["op_name"] == "DEPTHWISE_CONV_2D"]
    eight_bit = [one for one in depthwise if types[one["outputs"][0]] == np.int8]
    assert len(eight_bit) >= 7
    names = {one["op_name"] for one in interpreter._get_ops_details() if types[one["outputs"][0]] == np.int8}
    assert not names & {"RELU6", "RELU", "MINIMUM"}


@pytest.fixture(scope="module")
def fusion_exports(tiny_edge_fusion_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fusion")
    exported = tflite.export_tflite(tiny_edge_fusion_run, folder)
    return exported | {"saved_model": saved_model.export_saved_model(tiny_edge_fusion_run, folder)}


def test_a_fusion_is_verified_in_every_form(tiny_edge_fusion_run, fusion_exports, tmp_path):
    found = verify.verify(tiny_edge_fusion_run, fusion_exports, tmp_path / "v.json", limit=8)
    assert set(found["forms"]) == {"keras", "saved_model pixels", "saved_model", *tflite.FORMS}
    assert found["forms"]["float32"]["likelihood_difference"] <= 1e-4


def test_a_fusion_is_explained_by_the_maps_of_all_three(tiny_edge_fusion_run, fusion_exports, images):
    """The SavedModel and the TFLite file draw what the run draws."""
    paths = tiny_edge_fusion_run.path, fusion_exports["saved_model"], fusion_exports["float32"]
    expected, *others = (predictor.load(path).explain(images[0].data, images[0].image_id) for path in paths)
    networks = [name.partition("_")[0] for name in expected.heatmaps]
    assert networks == ["covid19", "part1", "part2"]
    for found in others:
        assert list(found.heatmaps) == list(expected.heatmaps)
        for name, heatmap in expected.heatmaps.items():
            assert heatmap.shape == (2, 2)
            np.testing.assert_allclose(found.heatmaps[name], heatmap, atol=2e-3)
    assert any(heatmap.any() for heatmap in expected.heatmaps.values())
