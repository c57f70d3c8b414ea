"""Random rotation, translation and mirroring of training images as one projective transform (section 4.1)."""

import math

import tensorflow as tf

from ctcov_tf.config import AugmentConfig
from ctcov_tf.preprocessing import grey


def augment(image: tf.Tensor, seed: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Moves an image at random; the same seed moves it the same way.

    Args:
      image: uint8 (height, width, 1).
      seed: integer (2,).
      config: ranges of the rotation and translation, and whether to mirror.

    Returns:
      uint8 of the same shape; what comes from beyond the border is black.
    """
    angle, right, down, coin = tf.unstack(tf.random.stateless_uniform([4], seed, -1.0, 1.0))
    shape = tf.shape(image)
    height, width = (tf.cast(side, tf.float32) for side in (shape[0], shape[1]))
    matrix = rigid_transform(
        height,
        width,
        angle=angle * math.radians(config.rotation_degrees),
        right=right * config.translation * width,
        down=down * config.translation * height,
        mirror=(coin > 0.0) if config.flip else False,
    )
    return warp(image, matrix)


def rigid_transform(
    height: tf.Tensor,
    width: tf.Tensor,
    *,
    angle: tf.Tensor | float,
    right: tf.Tensor | float,
    down: tf.Tensor | float,
    mirror: tf.Tensor | bool,
) -> tf.Tensor:
    """The map from pixels of the result to pixels of the image: a rotation about the centre, moved, mirrored.

    Args:
      height: of the image, pixels, float32.
      width: of the image, pixels, float32.
      angle: radians.
      right: shift of where the result is read, pixels.
      down: shift of where the result is read, pixels.
      mirror: swap left and right.

    Returns:
      float32 (8,): a0, a1, a2, b0, b1, b2, 0, 0. Pixel (x, y) of the result is read at
      (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """
    centre_x, centre_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    cosine, sine = tf.cos(angle), tf.sin(angle)
    sign = tf.where(mirror, -1.0, 1.0)
    a0, a1, b0, b1 = cosine * sign, -sine, sine * sign, cosine
    a2 = centre_x - (a0 * centre_x + a1 * centre_y) + right
    b2 = centre_y - (b0 * centre_x + b1 * centre_y) + down
    return tf.stack([a0, a1, a2, b0, b1, b2, 0.0, 0.0])


def warp(image: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Reads an image through a map, bilinearly.

    Args:
      image: uint8 (height, width, 1).
      matrix: float32 (8,), as `rigid_transform` returns it.

    Returns:
      uint8 of the same shape; black beyond the border.
    """
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32)[tf.newaxis],
        transforms=matrix[tf.newaxis],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(tf.cast(grey.round_to_levels(moved[0]), tf.uint8), image.shape)
