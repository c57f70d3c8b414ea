"""TensorFlow Serving's gRPC services over one exported model, in Python: for tests of clients alone.

Statuses and their words follow TensorFlow Serving's `predict_util.cc` and `server_core.cc`.
"""

from concurrent import futures
import contextlib
import threading

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


class Service(prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer):
    """One version of one model.

    Attributes:
      requests: the model spec and the metadata of every call to Predict.
      faults: statuses that the next calls end with.
      go_on: what every call waits for, a minute at most; set at first.
    """

    def __init__(self, folder, labels):
        self._model = tf.saved_model.load(folder)
        self._definitions = signature_definitions(folder)
        self._name, self._version, self._labels = folder.parent.name, int(folder.name), labels
        self.requests, self.faults, self.go_on = [], [], threading.Event()
        self.go_on.set()

    def Predict(self, request, context):
        self.requests.append((request.model_spec, dict(context.invocation_metadata())))
        if self.faults:
            context.abort(self.faults.pop(0), "not now")
        self.go_on.wait(60)
        self._check(request.model_spec, context)
        name = request.model_spec.signature_name or "serving_default"
        if name not in self._model.signatures:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        wanted = set(self._definitions[name].inputs)
        if set(request.inputs) != wanted:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Inputs expected to be in the set {wanted}.")
        inputs = {key: tf.constant(tf.make_ndarray(tensor)) for key, tensor in request.inputs.items()}
        try:
            outputs = self._model.signatures[name](**inputs)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        answer = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for key, value in outputs.items():
            answer.outputs[key].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return answer

    def GetModelMetadata(self, request, context):
        self._check(request.model_spec, context)
        answer = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in self._definitions.items():
            definitions.signature_def[name].CopyFrom(definition)
        answer.metadata["signature_def"].Pack(definitions)
        return answer

    def GetModelStatus(self, request, context):
        self._check(request.model_spec, context)
        answer = get_model_status_pb2.GetModelStatusResponse()
        state = get_model_status_pb2.ModelVersionStatus.State.AVAILABLE
        answer.model_version_status.add(version=self._version, state=state)
        return answer

    def _check(self, spec, context):
        if spec.name != self._name:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        if spec.version_label and spec.version_label not in self._labels:
            words = f"Unrecognized servable version label: {spec.version_label}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)
        if spec.HasField("version") and spec.version.value != self._version:
            words = f"Could not find version {spec.version.value} of model {spec.name}"
            context.abort(grpc.StatusCode.NOT_FOUND, words)


def signature_definitions(folder):
    """The SignatureDefs of a SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    return {name: one for name, one in graph.signature_def.items() if not name.startswith("__")}


@contextlib.contextmanager
def serving(service):
    """Runs a service on a free port of this machine and yields `HOST:PORT`."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
