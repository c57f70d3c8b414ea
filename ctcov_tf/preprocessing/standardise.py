"""Per-image standardisation as graph code (section 4.1)."""

import tensorflow as tf


def standardise(images: tf.Tensor) -> tf.Tensor:
    """Subtracts each image's mean and divides by its standard deviation.

    The deviation is held above that of an image in which a single pixel differs by one grey level, so that an
    image of one level becomes zeros.

    Args:
      images: float32 (batch, height, width, 1), grey levels in [0, 255]; static height and width.

    Returns:
      float32 of the same shape.
    """
    centred = images - tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(centred), axis=[1, 2, 3], keepdims=True))
    smallest = (images.shape[1] * images.shape[2]) ** -0.5
    return centred / tf.maximum(deviation, smallest)
