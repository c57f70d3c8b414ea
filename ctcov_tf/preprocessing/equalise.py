"""Histogram equalisation as graph code, equal to `cv2.equalizeHist` bit for bit."""

import tensorflow as tf

LEVELS = 256


def equalise(images: tf.Tensor) -> tf.Tensor:
    """Spreads the grey levels of each image so that their cumulative histogram is as straight as can be.

    Args:
      images: integer (batch, height, width, 1), grey levels in [0, 255].

    Returns:
      float32 of the same shape, grey levels in [0, 255]. An image of one level only is left as it is.
    """
    shape = tf.shape(images)
    batch, pixels = shape[0], shape[1] * shape[2]
    first_bin = LEVELS * tf.range(batch)
    bins = tf.reshape(tf.cast(images, tf.int32), [batch, pixels]) + first_bin[:, tf.newaxis]
    bins = tf.reshape(bins, [-1])
    histogram = tf.math.unsorted_segment_sum(tf.ones_like(bins), bins, LEVELS * batch)
    table = _equalising_table(tf.reshape(histogram, [batch, LEVELS]), pixels)
    return tf.reshape(tf.gather_nd(tf.reshape(table, [-1]), bins[:, tf.newaxis]), shape)


def _equalising_table(histogram: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """New grey level of each old one: float32 (batch, LEVELS) from int32 counts of the same shape."""
    cumulative = tf.cumsum(histogram, axis=-1)
    darkest = tf.reduce_min(tf.where(cumulative > 0, cumulative, pixels), axis=-1, keepdims=True)
    brighter = tf.cast(pixels - darkest, tf.float32)
    scale = 255.0 / tf.maximum(brighter, 1.0)
    table = tf.round(tf.cast(tf.maximum(cumulative - darkest, 0), tf.float32) * scale)
    return tf.where(brighter > 0, table, tf.range(LEVELS, dtype=tf.float32))
