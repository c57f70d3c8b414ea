"""Histogram equalisation as graph code, equal to `cv2.equalizeHist` bit for bit.

Counting and looking up are the dearest steps of the whole pre-processing, and cost the same for a pixel as for two.
So pixels are taken two at a time: a pair of 8-bit levels is one 16-bit code.
"""

import tensorflow as tf

LEVELS = 256
CODES = LEVELS * LEVELS


def equalise(images: tf.Tensor) -> tf.Tensor:
    """Spreads the grey levels of each image so that their cumulative histogram is as straight as can be.

    Args:
      images: uint8 (batch, height, width, 1).

    Returns:
      float32 of the same shape, whole grey levels in [0, 255]. An image of one level only is left as it is.
    """
    shape = tf.shape(images)
    batch, pixels = shape[0], shape[1] * shape[2]
    pairs = (pixels + 1) // 2
    padding = 2 * pairs - pixels
    flat = tf.concat([tf.reshape(images, [batch, pixels]), tf.zeros([batch, padding], tf.uint8)], axis=1)
    codes = tf.cast(tf.bitcast(tf.reshape(flat, [batch, pairs, 2]), tf.uint16), tf.int32)
    codes = tf.reshape(codes + (CODES * tf.range(batch))[:, tf.newaxis], [batch * pairs])  # each image its own codes

    counts = tf.math.unsorted_segment_sum(tf.ones_like(codes), codes, CODES * batch)
    counts = tf.reshape(counts, [batch, LEVELS, LEVELS])
    histogram = tf.reduce_sum(counts, axis=1) + tf.reduce_sum(counts, axis=2)
    histogram -= padding * tf.one_hot(0, LEVELS, dtype=tf.int32)

    table = tf.cast(_equalising_table(histogram, pixels), tf.int32)
    table_of_pairs = tf.cast(LEVELS * table[:, :, tf.newaxis] + table[:, tf.newaxis, :], tf.uint16)
    table_of_pairs = tf.cast(tf.bitcast(tf.reshape(table_of_pairs, [CODES * batch]), tf.uint8), tf.float32)
    equalised = tf.reshape(tf.gather_nd(table_of_pairs, codes[:, tf.newaxis]), [batch, 2 * pairs])
    return tf.reshape(equalised[:, :pixels], shape)


def _equalising_table(histogram: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """New grey level of each old one: float32 (batch, LEVELS) from int32 counts of the same shape."""
    cumulative = tf.cumsum(histogram, axis=-1)
    darkest = tf.reduce_min(tf.where(cumulative > 0, cumulative, pixels), axis=-1, keepdims=True)
    brighter = tf.cast(pixels - darkest, tf.float32)
    scale = 255.0 / tf.maximum(brighter, 1.0)
    table = tf.round(tf.cast(tf.maximum(cumulative - darkest, 0), tf.float32) * scale)
    return tf.where(brighter > 0, table, tf.range(LEVELS, dtype=tf.float32))
