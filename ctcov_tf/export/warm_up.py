"""Warm-up requests: TensorFlow Serving asks them before clients may ask, so that none waits for what is done once.

They stand in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog records. Their images are grey
ramps that are drawn here: an export holds no image of a dataset.
"""

from collections.abc import Iterator, Mapping
import pathlib

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

FILE = "tf_serving_warmup_requests"


def ramp(size: int) -> np.ndarray:
    """A grey image from black at the left to white at the right.

    Args:
      size: its side, pixels.

    Returns:
      uint8 (size, size, 3), RGB.
    """
    return np.tile(np.linspace(0, 255, size).astype(np.uint8)[:, np.newaxis], (size, 1, 3))


def requests(name: str, inputs: Mapping[str, tf.TensorSpec], size: int) -> Iterator[predict_pb2.PredictRequest]:
    """Asks each signature for one image; those that take image files for a PNG and for a JPEG.

    Args:
      name: of the model.
      inputs: what each signature takes, by its name: image files string (n,), or pixels (n, h, w, 3) of any number type
        in [0, 255].
      size: side of the image, pixels.
    """
    image = ramp(size)
    files = [[tf.io.encode_png(image).numpy()], [tf.io.encode_jpeg(image).numpy()]]
    for signature, spec in inputs.items():
        for batch in files if spec.dtype == tf.string else [image[np.newaxis]]:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            request.inputs[spec.name].CopyFrom(tf.make_tensor_proto(batch, spec.dtype))
            yield request


def write(path: pathlib.Path, name: str, inputs: Mapping[str, tf.TensorSpec], size: int) -> None:
    """Writes the file.

    Args:
      path: where.
      name: of the model.
      inputs: what each signature takes, as `requests` has it.
      size: side of the images, pixels.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests(name, inputs, size):
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())
