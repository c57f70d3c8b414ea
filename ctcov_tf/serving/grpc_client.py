"""TensorFlow Serving's gRPC interface, asked with the stubs of tensorflow-serving-api."""

from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format
import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from ctcov_tf.serving import not_answered
from ctcov_tf.serving.client import INPUT, Answer, Client
from ctcov_tf.serving.retries import Retries
from ctcov_tf.serving.target import Target

STATUSES = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}
"""Status of HTTP for one of gRPC, as TensorFlow Serving's own REST interface gives it; 500 for all others."""

_SIGNATURE_DEF = "signature_def"
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class GrpcClient(Client):
    """A client of TensorFlow Serving's gRPC interface."""

    def __init__(self, target: Target, token: str | None, timeout: float, retries: Retries) -> None:
        """Makes the client; connects with the first request.

        Args:
          target: what is asked.
          token: sent as the metadata `authorization: Bearer TOKEN`; None for none.
          timeout: seconds to wait for the whole answer.
          retries: of each request.
        """
        super().__init__(target, timeout, retries)
        if target.scheme == "grpcs":
            self._channel = grpc.secure_channel(target.server, grpc.ssl_channel_credentials(), options=_ANY_SIZE)
        else:
            self._channel = grpc.insecure_channel(target.server, options=_ANY_SIZE)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._metadata = [("authorization", f"Bearer {token}")] if token else []

    def close(self) -> None:  # noqa: D102
        self._channel.close()

    def _predict(self, images: Sequence[bytes], signature: str) -> list[Answer]:
        request = predict_pb2.PredictRequest(model_spec=self._model(signature))
        request.inputs[INPUT].CopyFrom(tf.make_tensor_proto(list(images), dtype=tf.string))
        answer = self._ask(self._predictions.Predict, request)
        outputs = {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}
        if any(output.shape[:1] != (len(images),) for output in outputs.values()):
            raise not_answered.another_answer(str(self.target), f"outputs not of {len(images)} images")
        columns = {name: _plain(output.tolist()) for name, output in outputs.items()}
        return [{name: column[row] for name, column in columns.items()} for row in range(len(images))]

    def _signatures(self) -> dict[str, Any]:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._model(), metadata_field=[_SIGNATURE_DEF]
        )
        answer = self._ask(self._predictions.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        if not answer.metadata[_SIGNATURE_DEF].Unpack(found):
            raise not_answered.another_answer(str(self.target), f"no {_SIGNATURE_DEF}")
        options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
        return json_format.MessageToDict(found, **options)[_SIGNATURE_DEF]

    def _versions(self) -> dict[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._model())
        answer = self._ask(self._models.GetModelStatus, request)
        state = get_model_status_pb2.ModelVersionStatus.State
        return {one.version: state.Name(one.state) for one in answer.model_version_status}

    def _model(self, signature: str = "") -> model_pb2.ModelSpec:
        spec = model_pb2.ModelSpec(name=self.target.name, signature_name=signature)
        if self.target.version is not None:
            spec.version.value = self.target.version
        if self.target.label:
            spec.version_label = self.target.label
        return spec

    def _ask(self, call: grpc.UnaryUnaryMultiCallable, request: Any) -> Any:
        try:
            return call(request, timeout=self.timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            code, reason = error.code(), error.details() or ""
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise not_answered.timed_out(str(self.target), self.timeout) from error
            raise not_answered.refused(str(self.target), STATUSES.get(code, 500), reason) from error


def _plain(value: Any) -> Any:
    """Strings in place of bytes, in lists too."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
