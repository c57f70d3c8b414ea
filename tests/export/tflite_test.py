from ai_edge_litert.interpreter import Interpreter
import numpy as np
import pytest

from ctcov_tf import errors, predict
from ctcov_tf.edge.runner import EdgeModel
from ctcov_tf.export import tflite
from ctcov_tf.images import decode


@pytest.fixture(scope="module")
def expected(trained_run, images):
    model = predict.load(trained_run.path)
    return np.array([model.probabilities(image.data, image.image_id) for image in images])


@pytest.mark.parametrize(
    ("form", "tolerance"), [("float32", 1e-4), ("float16", 1e-2), ("dynamic_int8", 0.15), ("int8", 0.35)]
)
def test_answers_as_the_trained_network(exports, images, expected, form, tolerance):
    model = EdgeModel(exports[form], threads=1)
    answers = [model(decode.decode_rgb(image.data, image.image_id)) for image in images]
    assert np.ptp(expected) > 0.2
    np.testing.assert_allclose([one["probabilities"][0] for one in answers], expected, atol=tolerance)
    np.testing.assert_array_equal([one["probability"] for one in answers], [one["probabilities"][0] for one in answers])


def test_weights_are_inside_and_shrink(exports, trained_run):
    weights = sum(variable.value.numpy().nbytes for variable in trained_run.load_model().weights)
    sizes = {form: exports[form].stat().st_size for form in tflite.FORMS}
    assert weights <= sizes["float32"] <= weights + 100_000
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
