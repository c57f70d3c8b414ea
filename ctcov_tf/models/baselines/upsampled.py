"""A map enlarged to the size of a skip connection's."""

import keras


def upsampled(x: keras.KerasTensor, skip: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """Doubles a map by a transposed convolution, and cuts off the row and column that odd sizes have too many.

    Args:
      x: (batch, height, width, any) map.
      skip: (batch, 2 * height or one less, 2 * width or one less, any) map to go with.
      channels: of the result.
      name: of the convolution.

    Returns:
      (batch, height and width of `skip`, channels).
    """
    x = keras.layers.Conv2DTranspose(channels, 2, strides=2, kernel_initializer="he_normal", name=name)(x)
    excess = [ours - theirs for ours, theirs in zip(x.shape[1:3], skip.shape[1:3], strict=True)]
    if not any(excess):
        return x
    return keras.layers.Cropping2D(((0, excess[0]), (0, excess[1])), name=f"{name}_crop")(x)
