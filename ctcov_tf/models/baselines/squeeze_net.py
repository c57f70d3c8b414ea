"""SqueezeNet 1.1 (arXiv 1602.07360) without its classifier."""

import keras

STEM_CHANNELS = 64
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Channels of the squeezing convolution and of each of the two expanding ones, fire2 to fire9."""
POOLED = (2, 4, 6)
"""Fires before which the map is halved."""


def squeeze_net(image: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Builds the convolutions; 722,496 parameters.

    Maps are padded, so that each is half the size of the last, rounded up.

    Args:
      image: (batch, size, size, 3) float32.

    Returns:
      The maps after `fire2` to `fire9`: (batch, height, width, channels) after ReLU; `fire5` has an eighth of the
      image's size and 256 channels, `fire9` a sixteenth and 512.
    """
    x = _convolution(STEM_CHANNELS, 3, "conv1", strides=2)(image)
    maps = {}
    for number, (squeezed, expanded) in enumerate(FIRES, start=2):
        if number in POOLED:
            x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool{number}")(x)
        x = _convolution(squeezed, 1, f"fire{number}_squeeze")(x)
        x = keras.layers.Concatenate(name=f"fire{number}")(
            [_convolution(expanded, kernel, f"fire{number}_expand{kernel}")(x) for kernel in (1, 3)]
        )
        maps[f"fire{number}"] = x
    return maps


def _convolution(channels: int, kernel: int, name: str, strides: int = 1) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )
