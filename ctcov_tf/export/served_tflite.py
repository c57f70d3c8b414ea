"""A TFLite file as TensorFlow Serving's `--prefer_tflite_model` reads it: `model.tflite` in a version's folder.

TensorFlow Serving does not read the signatures that a TFLite file has. It takes SignatureDefs from the file's metadata
`signature_defs_metadata`: a FlexBuffer that maps each signature's name to its serialised SignatureDef. Without that it
invents a signature from the names of the tensors, in which all outputs have one name, so that all but one are lost
(its `tflite_session.cc`, and `signature_def_util.cc` in TensorFlow).
"""

from ai_edge_litert.interpreter import Interpreter
from flatbuffers import flexbuffers
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

SIGNATURE = "serving_default"
METADATA = "signature_defs_metadata"
_METHOD = "tensorflow/serving/predict"


def with_signature(model: bytes) -> bytes:
    """Adds to a TFLite model what TensorFlow Serving needs to know its inputs and outputs by their names.

    Args:
      model: content of a TFLite file of one signature; an associated file behind the model is not kept.

    Returns:
      The same model with the metadata.
    """
    serialised = signature_def(model).SerializeToString()
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    buffer = schema.BufferT()
    buffer.data = flexbuffers.Dumps({SIGNATURE: serialised.decode("ascii")})
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = METADATA, len(content.buffers)
    content.buffers.append(buffer)
    content.metadata = [*(content.metadata or []), metadata]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


def signature_def(model: bytes) -> meta_graph_pb2.SignatureDef:
    """The signature of a TFLite model as a SignatureDef.

    Shapes that the model leaves open are given as of unknown rank: TensorFlow reads the serialised text up to its first
    zero byte, and a FlexBuffer made in Python holds ASCII alone; negative sizes are not, and empty ones are a zero.

    Args:
      model: content of a TFLite file of one signature.
    """
    runner = Interpreter(model_content=model).get_signature_runner()
    found = meta_graph_pb2.SignatureDef(method_name=_METHOD)
    for infos, details in (
        (found.inputs, runner.get_input_details()),
        (found.outputs, runner.get_output_details()),
    ):
        for name, detail in details.items():
            sizes = [int(size) for size in detail["shape_signature"]]
            known = tf.TensorShape(sizes) if min(sizes, default=0) > 0 else tf.TensorShape(None)
            infos[name].name = detail["name"]
            infos[name].dtype = tf.as_dtype(detail["dtype"]).as_datatype_enum
            infos[name].tensor_shape.CopyFrom(known.as_proto())
    return found
