from ai_edge_litert.interpreter import Interpreter
import numpy as np
import pytest

from ctcov_tf import errors, predictor
from ctcov_tf.edge.runner import EdgeModel
from ctcov_tf.export import samples, tflite
from ctcov_tf.images import decode

PYRAMID = 4 * 16 * 16 * 2 * (7**2 + 5**2 + 3**2)
"""Bytes of the attention's kernels that heat maps store a second time, transposed."""


@pytest.fixture(scope="module")
def expected(trained_run, images):
    model = predictor.load(trained_run.path)
    return np.array([[model.predict(image.data, image.image_id).probability] for image in images])


@pytest.mark.parametrize(
    ("form", "tolerance"), [("float32", 1e-4), ("float16", 1e-2), ("dynamic_int8", 0.15), ("int8", 0.35)]
)
def test_answers_as_the_trained_network(exports, images, expected, form, tolerance):
    model = EdgeModel(exports[form], threads=1)
    answers = [model(decode.decode_rgb(image.data, image.image_id)) for image in images]
    assert np.ptp(expected) > 0.2
    np.testing.assert_allclose([one["probabilities"][0] for one in answers], expected, atol=tolerance)
    np.testing.assert_array_equal([one["probability"] for one in answers], [one["probabilities"][0] for one in answers])


@pytest.mark.parametrize("form", tflite.FORMS)
def test_input_and_output_are_those_of_the_documentation(exports, form):
    interpreter = Interpreter(model_path=str(exports[form]))
    (image,) = interpreter.get_input_details()
    assert (image["dtype"], image["shape_signature"].tolist()) == (np.uint8, [1, -1, -1, 3])
    assert list(interpreter.get_signature_list()) == ["serving_default"]
    runner = interpreter.get_signature_runner()
    assert list(runner.get_input_details()) == ["image"]
    outputs = {
        name: (output["dtype"], output["shape"].tolist()) for name, output in runner.get_output_details().items()
    }
    heatmap = {"heatmap": (np.float32, [1, 2, 2])} if form in tflite.EXPLAINED_FORMS else {}
    assert outputs == {"probability": (np.float32, [1]), "probabilities": (np.float32, [1, 1]), **heatmap}


@pytest.fixture(scope="module")
def fused(tiny_fusion_run):
    return predictor.load(tiny_fusion_run.path)


@pytest.mark.parametrize(
    ("form", "tolerance"), [("float32", 1e-4), ("float16", 1e-2), ("dynamic_int8", 0.1), ("int8", 0.3)]
)
def test_a_fusion_answers_as_the_run_with_every_likelihood(tiny_fusion_exports, fused, images, form, tolerance):
    model = EdgeModel(tiny_fusion_exports[form], threads=1)
    for image in images[:4]:
        expected = fused.predict(image.data, image.image_id)
        answer = model(decode.decode_rgb(image.data, image.image_id))
        maps = {"heatmap", "heatmap_part1", "heatmap_part2"} if form in tflite.EXPLAINED_FORMS else set()
        assert set(answer) == {"probability", "probabilities", *expected.likelihoods, *maps}
        assert answer["probability"][0] == pytest.approx(expected.probability, abs=tolerance)
        for name, value in expected.likelihoods.items():
            assert answer[name].shape == (1,)
            assert answer[name][0] == pytest.approx(value, abs=tolerance), name


def test_likelihoods_of_int8_are_no_multiples_of_its_steps(tiny_fusion_exports, images):
    """They come in float from float logits, though what is fused is 8 bit."""
    answer = EdgeModel(tiny_fusion_exports["int8"])(decode.decode_rgb(images[0].data, images[0].image_id))
    steps = np.array([value[0] for name, value in answer.items() if name.startswith("part")]) * 256
    assert len(steps) == 8
    assert np.abs(steps - np.round(steps)).max() > 0.05
    assert answer["part2_pneumonia"] + answer["part2_normal"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("form", tflite.FORMS)
def test_a_fusion_holds_its_three_networks_once_in_built_in_operators(tiny_fusion_exports, tiny_fusion_run, form):
    weights = sum(variable.value.numpy().nbytes for variable in tiny_fusion_run.load_model().weights)
    assert 0.25 * weights < tiny_fusion_exports[form].stat().st_size <= weights + 200_000
    interpreter = Interpreter(model_path=str(tiny_fusion_exports[form]))
    operators = {operator["op_name"] for operator in interpreter._get_ops_details()}
    assert not [name for name in operators if name.startswith(("Flex", "CUSTOM"))]
    record = EdgeModel(tiny_fusion_exports[form]).info
    assert record.parts == tiny_fusion_run.parts


@pytest.mark.parametrize(("form", "tolerance"), [("float32", 2e-3), ("float16", 0.1)])
def test_heat_maps_are_those_of_the_trained_network(exports, trained_run, form, tolerance):
    """Of images called positive: little or nothing speaks for that class in others, and a map is scaled to 1."""
    edge, run = predictor.load(exports[form]), predictor.load(trained_run.path)
    highest = []
    for image in samples.draw(trained_run.config.data, "validation", 24):
        found, expected = (one.explain(image.data, image.image_id) for one in (edge, run))
        if expected.prediction.label == "covid19":
            np.testing.assert_allclose(found.heatmaps["covid19"], expected.heatmaps["covid19"], atol=tolerance)
            highest.append(expected.heatmaps["covid19"].max())
    assert highest.count(1) > 4


def test_heat_maps_store_no_kernel_over_the_map_twice(exports, trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr(tflite, "EXPLAINED_FORMS", ())
    bare = tflite.export_tflite(trained_run, tmp_path, ["float32"])["float32"]
    assert exports["float32"].stat().st_size - bare.stat().st_size < PYRAMID + 50_000


def test_a_part_answers_on_its_own(part_exports, part_run):
    """With a heat map of the likeliest finding."""
    edge, run = predictor.load(part_exports["float32"]), predictor.load(part_run.path)
    for one in samples.draw(part_run.config.data, "validation", 4):
        found, expected = edge.explain(one.data, one.image_id), run.explain(one.data, one.image_id)
        assert list(found.prediction.probabilities) == list(part_run.labels.outputs)
        assert found.prediction.probabilities == pytest.approx(expected.prediction.probabilities, abs=1e-4)
        assert found.prediction.label == expected.prediction.label
        assert list(found.heatmaps) == list(expected.heatmaps)
        for name, heatmap in expected.heatmaps.items():
            np.testing.assert_allclose(found.heatmaps[name], heatmap, atol=1e-3)


def test_weights_are_inside_and_shrink(exports, trained_run):
    weights = sum(variable.value.numpy().nbytes for variable in trained_run.load_model().weights)
    sizes = {form: exports[form].stat().st_size for form in tflite.FORMS}
    assert weights <= sizes["float32"] <= weights + PYRAMID + 100_000
    assert sizes["float16"] < 0.75 * sizes["float32"]
    assert sizes["dynamic_int8"] < 0.6 * sizes["float32"]
    assert sizes["int8"] < 0.6 * sizes["float32"]


@pytest.mark.parametrize("form", tflite.FORMS)
def test_built_in_operators_only(exports, form):
    operators = {operator["op_name"] for operator in Interpreter(model_path=str(exports[form]))._get_ops_details()}
    assert "CONV_2D" in operators
    assert not [name for name in operators if name.startswith(("Flex", "CUSTOM"))]


def test_int8_quantises_the_network_and_nothing_else(exports):
    interpreter = Interpreter(model_path=str(exports["int8"]))
    types = {
        interpreter._get_tensor_details(output, 0)["name"]: interpreter._get_tensor_details(output, 0)["dtype"]
        for operator in interpreter._get_ops_details()
        if operator["op_name"] not in ("DELEGATE", "QUANTIZE", "DEQUANTIZE")
        for output in operator["outputs"]
    }
    eight_bit = {name for name, dtype in types.items() if dtype == np.int8}
    assert len(eight_bit) > 10
    assert not [name for name in eight_bit if tflite._stays_float(name)]
    network = {name for name in types if not tflite._stays_float(name)}
    assert len(eight_bit) > 0.8 * len(network)


def test_the_record_is_inside(exports, trained_run):
    for form in tflite.FORMS:
        assert EdgeModel(exports[form]).info == trained_run.model_info()
        assert exports[form].name == f"{trained_run.preset}-1-{form}.tflite"


def test_never_overwrites(exports, trained_run):
    with pytest.raises(errors.CtcovError, match=r"float32\.tflite: already exported: choose another --version"):
        tflite.export_tflite(trained_run, exports["float32"].parent, ["float32"])
