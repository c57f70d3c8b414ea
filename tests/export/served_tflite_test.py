from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from flatbuffers import flexbuffers
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from ctcov_tf import predictor
from ctcov_tf.export import saved_model, served_tflite, tflite
from ctcov_tf.images import decode


@pytest.fixture(scope="module", params=["deep_ct_net_tiny", "deep_cxr_net"])
def files(request):
    """Content of an exported TFLite file, and of the same for TensorFlow Serving."""
    fixture = {"deep_ct_net_tiny": "exports", "deep_cxr_net": "tiny_fusion_exports"}[request.param]
    plain = request.getfixturevalue(fixture)["float32"].read_bytes()
    return plain, served_tflite.with_signature(plain)


def served_signatures(content):
    """What TensorFlow Serving finds: `GetSignatureDefMap` in TensorFlow's `signature_def_util.cc`."""
    model = schema.Model.GetRootAs(content)
    found = {}
    for index in range(model.MetadataLength()):
        metadata = model.Metadata(index)
        if metadata.Name() == b"signature_defs_metadata":
            data = model.Buffers(metadata.Buffer()).DataAsNumpy().tobytes()
            by_name = flexbuffers.GetRoot(data).AsMap
            for name, text in zip(by_name.Keys, by_name.Values, strict=True):
                assert text.IsString
                serialised = bytes(text.AsString.encode()).partition(b"\0")[0]  # it reads a C string
                found[name.AsKey] = meta_graph_pb2.SignatureDef.FromString(serialised)
    return found


def run_by_tensor_names(content, signature, image):
    """Runs a model as TensorFlow Serving's `TfLiteSession` does: tensors by the names that the SignatureDef gives."""
    interpreter = Interpreter(model_content=content)
    inputs = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    outputs = {detail["name"]: detail["index"] for detail in interpreter.get_output_details()}
    (info,) = signature.inputs.values()
    interpreter.resize_tensor_input(inputs[info.name], image.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(inputs[info.name], image)
    interpreter.invoke()
    return {name: interpreter.get_tensor(outputs[info.name]) for name, info in signature.outputs.items()}


def test_tensorflow_serving_finds_every_output_by_its_name(files, images):
    plain, served = files
    assert served_signatures(plain) == {}
    ((name, signature),) = served_signatures(served).items()
    assert (name, signature.method_name) == ("serving_default", "tensorflow/serving/predict")
    assert [(key, info.dtype) for key, info in signature.inputs.items()] == [("image", tf.uint8.as_datatype_enum)]
    runner = Interpreter(model_content=plain).get_signature_runner()
    assert set(signature.outputs) == set(runner.get_output_details())
    for image in images[:3]:
        rgb = decode.decode_rgb(image.data, image.image_id)[np.newaxis]
        expected = runner(image=rgb)
        for output, value in run_by_tensor_names(served, signature, rgb).items():
            np.testing.assert_array_equal(value, expected[output])
            assert signature.outputs[output].dtype == tf.as_dtype(value.dtype).as_datatype_enum
            assert tuple(tf.TensorShape(signature.outputs[output].tensor_shape)) == value.shape


def test_without_the_metadata_all_outputs_would_have_one_name(files):
    """Why it is there: TensorFlow Serving's own names are those of the tensors up to the colon."""
    details = Interpreter(model_content=files[0]).get_output_details()
    assert len(details) > 1
    assert len({detail["name"].partition(":")[0] for detail in details}) == 1


def test_it_stands_in_the_version_folder_and_opens_like_any_other(trained_run, images, tmp_path):
    plain = tflite.export_tflite(trained_run, tmp_path, ["float32"])["float32"]
    folder = saved_model.export_saved_model(trained_run, tmp_path, tflite=plain)
    assert served_signatures((folder / "model.tflite").read_bytes()).keys() == {"serving_default"}
    served, expected = predictor.load(folder / "model.tflite"), predictor.load(plain)
    assert served.info == expected.info
    for image in images[:2]:
        assert served.predict(image.data, "image") == expected.predict(image.data, "image")
    assert predictor.load(folder.parent).path == folder


def test_without_a_tflite_file_there_is_none(exports):
    assert not (exports["saved_model"] / "model.tflite").exists()
