"""The gradient of a logit by a feature map, from built-in TFLite operators.

TFLite has no gradients, and TensorFlow's own do not convert: those of ReLU, of max pooling and of a resize have no
TFLite operator, and those of fully connected layers and 1 x 1 convolutions would store each kernel a second time,
transposed. So the pass back is written out here, an operation of the graph after the other (`_GRADIENTS`). A kernel is
multiplied as it lies in the file and summed, of a convolution over the map only after the mean over its positions,
which is all that Grad-CAM asks for.
"""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf


@tf.autograph.experimental.do_not_convert
def mean_gradient(logits: tf.Tensor, features: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor | None:
    """Mean over the positions of a map of one logit's gradient.

    Args:
      logits: (batch, outputs) float32, in the graph of a `tf.function`.
      features: (batch, height, width, channels) float32, in the same graph, all of it known: the map.
      chosen: (batch,) int32, which logit.

    Returns:
      (batch, 1, 1, channels) float32; None where an operation between the two has no gradient here.
    """
    between = _between(features, logits)
    if not all(map(_is_known, between)):
        return None
    reached = {features.ref(), *(op.outputs[0].ref() for op in between)}
    gradients = {logits.ref(): tf.one_hot(chosen, logits.shape[-1])}
    means = []
    for op in reversed(between):
        gradient = gradients.pop(op.outputs[0].ref())
        if op.inputs[0] is features and _is_pointwise(op):
            gradient = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
        for index, tensor in enumerate(op.inputs):
            if tensor.ref() not in reached:
                continue
            found = _GRADIENTS[op.type](op, gradient, index)
            if tensor is features:
                means.append(tf.reduce_mean(found, axis=(1, 2), keepdims=True))
            else:
                gradients[tensor.ref()] = gradients[tensor.ref()] + found if tensor.ref() in gradients else found
    return tf.add_n(means)


def _between(features: tf.Tensor, logits: tf.Tensor) -> list[tf.Operation]:
    """Operations that lead from the map to the logits, in the order of the graph."""
    behind, reached = [], {features.ref()}
    for op in features.graph.get_operations():
        if any(tensor.ref() in reached for tensor in op.inputs):
            behind.append(op)
            reached |= {tensor.ref() for tensor in op.outputs}
    between, needed = [], {logits.ref()}
    for op in reversed(behind):
        if any(tensor.ref() in needed for tensor in op.outputs):
            between.append(op)
            needed |= {tensor.ref() for tensor in op.inputs}
    return between[::-1]


def _is_known(op: tf.Operation) -> bool:
    if op.type == "DepthwiseConv2dNative":
        return op.inputs[1].shape[:2] == (1, 1) and op.get_attr("strides") == [1, 1, 1, 1]
    if op.type == "MaxPool":
        return op.get_attr("ksize") == op.get_attr("strides") and op.get_attr("padding") == b"SAME"
    if op.type == "Conv2D":
        return op.get_attr("dilations") == [1, 1, 1, 1]
    return op.type in _GRADIENTS


def _is_pointwise(op: tf.Operation) -> bool:
    """Whether it is a convolution that treats each position alone, so that the mean may be taken before its kernel."""
    return op.type == "Conv2D" and op.inputs[1].shape[:2] == (1, 1) and op.get_attr("strides") == [1, 1, 1, 1]


def _same(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    return gradient


def _reshape(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    return tf.reshape(gradient, op.inputs[0].shape)


def _add(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    return _summed(gradient, op.inputs[index])


def _multiply(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    return _summed(gradient * op.inputs[1 - index], op.inputs[index])


def _summed(gradient: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """Summed along the axes on which the tensor was repeated."""
    pairs = zip(gradient.shape, tensor.shape, strict=True)
    repeated = [axis for axis, (many, one) in enumerate(pairs) if many != one]
    return tf.reduce_sum(gradient, repeated, keepdims=True) if repeated else gradient


def _concatenate(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    *tensors, axis = op.inputs
    sizes = [tensor.shape[int(tf.get_static_value(axis))] for tensor in tensors]
    return tf.split(gradient, sizes, int(tf.get_static_value(axis)))[index]


def _mean(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    shape, axes = op.inputs[0].shape, np.ravel(tf.get_static_value(op.inputs[1]))
    kept = [1 if axis in axes % len(shape) else size for axis, size in enumerate(shape)]
    return tf.broadcast_to(tf.reshape(gradient / np.prod(np.array(shape)[axes]), kept), shape)


def _rectify(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    return gradient * tf.cast(op.outputs[0] > 0, gradient.dtype)


def _dense(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    return _through(op.inputs[1], gradient)


def _through(kernel: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """From (batch, outputs) to (batch, inputs), by a kernel (inputs, outputs) in the order that TFLite stores."""
    return tf.reduce_sum(gradient[:, :, tf.newaxis] * tf.transpose(kernel), axis=1)


def _convolution(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    kernel = op.inputs[1]
    if _is_pointwise(op) and gradient.shape[1:3] == (1, 1):
        return _through(kernel[0, 0], gradient[:, 0, 0])[:, tf.newaxis, tf.newaxis]
    return tf.nn.conv2d_transpose(
        gradient, kernel, op.inputs[0].shape, op.get_attr("strides"), op.get_attr("padding").decode()
    )


def _scale(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    """Of a depthwise convolution of one pixel: what a batch norm has become."""
    return gradient * op.inputs[1][0, 0, :, 0]


def _max_pool(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    """To every position that is its window's maximum; several are equal only where a ReLU before has made them 0."""
    pooled, image = op.outputs[0], op.inputs[0]
    _, height, width, _ = image.shape

    def spread(tensor: tf.Tensor) -> tf.Tensor:
        (_, down, across, _), (_, rows, columns, _) = op.get_attr("ksize"), tensor.shape
        repeated = tf.image.resize(tensor, (rows * down, columns * across), tf.image.ResizeMethod.NEAREST_NEIGHBOR)
        return repeated[:, :height, :width]

    return spread(gradient) * tf.cast(image == spread(pooled), gradient.dtype)


def _resize(op: tf.Operation, gradient: tf.Tensor, index: int) -> tf.Tensor:
    """By the weights that each pixel of the input has in each of the output, along both axes."""
    _, height, width, _ = op.inputs[0].shape
    _, rows, columns, _ = op.outputs[0].shape
    down, across = _weights(op, rows, height), _weights(op, columns, width)
    return tf.einsum("byxc,yi,xj->bijc", gradient, down, across)


def _weights(op: tf.Operation, outputs: int, inputs: int) -> tf.Tensor:
    """(outputs, inputs): the identity matrix resized along its first axis."""
    with tf.init_scope():
        resized = tf.raw_ops.ResizeBilinear(
            images=tf.eye(inputs)[tf.newaxis, :, :, tf.newaxis],
            size=(outputs, inputs),
            align_corners=op.get_attr("align_corners"),
            half_pixel_centers=op.get_attr("half_pixel_centers"),
        ).numpy()
    return tf.constant(resized[0, :, :, 0])


_Gradient = Callable[[tf.Operation, tf.Tensor, int], tf.Tensor]

_GRADIENTS: Mapping[str, _Gradient] = {
    "AddV2": _add,
    "BiasAdd": _same,
    "ConcatV2": _concatenate,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _scale,
    "Identity": _same,
    "MatMul": _dense,
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Mul": _multiply,
    "Relu": _rectify,
    "Reshape": _reshape,
    "ResizeBilinear": _resize,
}
