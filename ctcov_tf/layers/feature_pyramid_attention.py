"""Feature pyramid attention (Pyramid Attention Network, arXiv 1805.10180, section 3.1)."""

from typing import Any, Literal

import keras
import tensorflow as tf

from ctcov_tf.layers.batch_norm import FusedBatchNormalization

KERNELS = (7, 5, 3)  # of the pyramid's levels, finest first
PAPER_REDUCTION = 4  # the paper variant's pyramid has a quarter of the channels
SLIM_PYRAMID_CHANNELS = 16
BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="ctcov_tf")
class FeaturePyramidAttention(keras.layers.Layer):
    """Weighs each position of a feature map by what a small pyramid sees around it.

    Three branches start from the input `x`: a 1 x 1 convolution (main); a pyramid whose levels halve
    the map one after the other, each with a kernel of its own (7, 5, 3), and are added up from the
    coarsest to the finest; and the convolved global average (pooled). The result is
    `main * pyramid + pooled`.

    `paper` follows the description at full width, about 28.9 M parameters over 1024 channels: no
    biases, strided convolutions down to a quarter of the channels, transposed 4 x 4 convolutions up,
    and a ReLU over the result.

    `slim` is the light form that pools down and resizes up, about 0.2 M parameters over 1024
    channels. Where it differs from the one-channel pyramid of the usual light implementation, it does
    so because that one dies in training on the small maps of this project (each level ends as a ReLU
    that never fires, with a moving variance near zero):

    - The pyramid has 16 channels rather than one. A 1 x 1 convolution narrows `x` to them first, so
      that the 7 x 7 kernel stays cheap, and another, without ReLU, widens the pyramid again.
    - That last convolution's bias starts at one: an untrained pyramid lets the main branch through.
    - The pooled branch has a bias in place of batch normalisation, and a level whose map is 1 x 1
      normalises by its moving statistics, which then stay as they are (a trainable scale and shift):
      one value an image is too little to take statistics from.

    Levels are resized to the exact size of what they are added to, so that maps of any size work.
    Variables do not depend on the size of the map.
    """

    def __init__(
        self,
        variant: Literal["paper", "slim"] = "paper",
        channels: int | None = None,
        levels: int = 3,
        **kwargs: Any,
    ) -> None:
        """Sets the layer up; its convolutions are made when the input's shape is known.

        Args:
          variant: `paper` or `slim`, see above.
          channels: channels of the output; by default those of the input (`paper`) or 64 (`slim`).
          levels: levels of the pyramid, 1 to 3.
          **kwargs: `name`, `dtype` and the like, as in every Keras layer.

        Raises:
          ValueError: an argument is out of range.
        """
        super().__init__(**kwargs)
        if variant not in ("paper", "slim"):
            raise ValueError(f"variant must be 'paper' or 'slim', not {variant!r}")
        if not 1 <= levels <= len(KERNELS):
            raise ValueError(f"levels must be 1 to {len(KERNELS)}, not {levels}")
        self.variant = variant
        self.channels = channels
        self.levels = levels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the convolutions.

        Args:
          input_shape: (batch, height, width, channels); all but the batch must be known.
        """
        _, height, width, channels = input_shape
        if height is None or width is None or channels is None:
            raise ValueError(f"{self.name}: height, width and channels of the input must be known, got {input_shape}")
        self._sizes = [(height, width)]
        for _ in range(self.levels):
            height, width = (height + 1) // 2, (width + 1) // 2
            self._sizes.append((height, width))
        if self.variant == "paper":
            self._build_paper(channels)
        else:
            self._build_slim(channels)
        super().build(input_shape)

    def _build_paper(self, channels: int) -> None:
        width = max(1, channels // PAPER_REDUCTION)
        out = self._out_channels(channels)
        top = self._sizes[0]
        self.main = self._block("main", 1, channels, out, top, activation=None)
        self.pooled = self._block("pooled", 1, channels, out, (1, 1), activation=None)
        self.down, self.lateral, self.up = [], [], []
        for level, kernel in enumerate(KERNELS[: self.levels], start=1):
            finer, size = self._sizes[level - 1 : level + 1]
            into = channels if level == 1 else width
            self.down.append(self._block(f"down_{level}", kernel, into, width, finer, strides=2))
            self.lateral.append(self._block(f"lateral_{level}", kernel, width, width, size, activation=None))
            up_channels = out if level == 1 else width
            self.up.append(self._block(f"up_{level}", 4, width, up_channels, size, strides=2, transposed=True))

    def _build_slim(self, channels: int) -> None:
        width = SLIM_PYRAMID_CHANNELS
        out = self._out_channels(channels)
        top = self._sizes[0]
        self.main = self._block("main", 1, channels, out, top)
        self.pooled = self._block("pooled", 1, channels, out, (1, 1), normalise=False)
        self.narrow = self._block("narrow", 1, channels, width, top)
        self.widen = self._block("widen", 1, width, out, top, normalise=False, activation=None, bias_initializer="ones")
        self.down, self.lateral = [], []
        for level, kernel in enumerate(KERNELS[: self.levels], start=1):
            size = self._sizes[level]
            self.down.append(self._block(f"down_{level}", kernel, width, width, size))
            self.lateral.append(self._block(f"lateral_{level}", kernel, width, width, size))

    def _out_channels(self, channels: int) -> int:
        return self.channels or (channels if self.variant == "paper" else 64)

    def _block(
        self,
        name: str,
        kernel: int,
        channels_in: int,
        channels_out: int,
        size: tuple[int, int],
        *,
        strides: int = 1,
        transposed: bool = False,
        normalise: bool = True,
        activation: str | None = "relu",
        bias_initializer: str = "zeros",
    ) -> list[keras.layers.Layer]:
        """A built chain of convolution, batch normalisation (or a bias) and activation."""
        convolution = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
        block = [
            convolution(
                channels_out,
                kernel,
                strides=strides,
                padding="same",
                use_bias=not normalise,
                kernel_initializer="he_normal",
                bias_initializer=bias_initializer,
                dtype=self.dtype_policy,
                name=f"{name}_conv",
            )
        ]
        if normalise:
            block.append(
                FusedBatchNormalization(
                    momentum=BATCH_NORM_MOMENTUM,
                    epsilon=BATCH_NORM_EPSILON,
                    dtype=self.dtype_policy,
                    name=f"{name}_bn",
                )
            )
        if activation:
            block.append(keras.layers.Activation(activation, dtype=self.dtype_policy, name=f"{name}_{activation}"))
        shape: tuple[int | None, ...] = (None, *size, channels_in)
        for layer in block:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        return block

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Applies the attention.

        Args:
          inputs: (batch, height, width, channels) feature map.
          training: whether batch normalisation uses the batch's statistics.

        Returns:
          (batch, height, width, output channels) feature map.
        """
        main = self._run(self.main, inputs, training)
        pooled = self._run(self.pooled, keras.ops.mean(inputs, axis=(1, 2), keepdims=True), training)
        if self.variant == "paper":
            return keras.ops.relu(main * self._paper_pyramid(inputs, training) + pooled)
        return main * self._slim_pyramid(inputs, training) + pooled

    def _paper_pyramid(self, x: tf.Tensor, training: bool | None) -> tf.Tensor:
        skips = []
        for down, lateral in zip(self.down, self.lateral, strict=True):
            x = self._run(down, x, training)
            skips.append(self._run(lateral, x, training))
        x = self._run(self.up[-1], skips[-1], training)
        for level in reversed(range(self.levels - 1)):
            x = keras.ops.relu(skips[level] + self._resize(x, self._sizes[level + 1]))
            x = self._run(self.up[level], x, training)
        return self._resize(x, self._sizes[0])

    def _slim_pyramid(self, x: tf.Tensor, training: bool | None) -> tf.Tensor:
        x = self._run(self.narrow, x, training)
        skips = []
        for down, lateral in zip(self.down, self.lateral, strict=True):
            x = self._run(down, keras.ops.max_pool(x, 2, strides=2, padding="same"), training)
            skips.append(self._run(lateral, x, training))
        x = skips[-1]
        for level in reversed(range(self.levels - 1)):
            x = skips[level] + self._resize(x, self._sizes[level + 1])
        return self._run(self.widen, self._resize(x, self._sizes[0]), training)

    def _run(self, block: list[keras.layers.Layer], x: tf.Tensor, training: bool | None) -> tf.Tensor:
        for layer in block:
            if isinstance(layer, FusedBatchNormalization):
                frozen = self.variant == "slim" and x.shape[1] == x.shape[2] == 1
                x = layer(x, training=training and not frozen)
            else:
                x = layer(x)
        return x

    @staticmethod
    def _resize(x: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
        return x if tuple(x.shape[1:3]) == size else keras.ops.image.resize(x, size, interpolation="bilinear")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape with the output's channels."""
        return (*input_shape[:-1], self._out_channels(input_shape[-1] or 0))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "variant": self.variant,
            "channels": self.channels,
            "levels": self.levels,
        }
