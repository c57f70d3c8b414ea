"""A model in three figures: parameters, trainable parameters, floating-point operations."""

import keras
import tensorflow as tf


def describe(model: keras.Model) -> dict[str, float]:
    """Counts what a model holds and what one image costs.

    Args:
      model: a functional model of one fixed input shape.

    Returns:
      `parameters` (with the moving statistics of batch normalisation), `trainable` (parameters that
      training changes) and `gflops` (10^9 floating-point operations of the forward pass of one image;
      a multiplication and an addition are two).
    """
    return {
        "parameters": model.count_params(),
        "trainable": sum(int(keras.ops.size(variable)) for variable in model.trainable_weights),
        "gflops": _flops(model) / 1e9,
    }


def _flops(model: keras.Model) -> int:
    inputs = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = tf.function(lambda image: model(image, training=False)).get_concrete_function(inputs).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
