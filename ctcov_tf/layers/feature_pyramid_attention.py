"""Feature pyramid attention (Pyramid Attention Network, arXiv 1805.10180, section 3.1)."""

from typing import Any, Literal

import keras
import tensorflow as tf

from ctcov_tf.layers.batch_norm import FusedBatchNormalization

KERNELS = (7, 5, 3)  # of the pyramid's levels, finest first
PAPER_REDUCTION = 4  # the paper variant's pyramid has a quarter of the channels
SLIM_CHANNELS = 64
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
        normalise: bool = True,
        **kwargs: Any,
    ) -> None:
        """Sets the layer up; its convolutions are made when the input's shape is known.

        Args:
          variant: `paper` or `slim`, see above.
          channels: channels of the output; by default those of the input (`paper`) or 64 (`slim`).
          levels: levels of the pyramid, 1 to 3.
          normalise: whether batch norms follow the convolutions; without them each has a bias, as in a
            network for inference (`models/inference_network.py`).
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
        self.normalise = normalise

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the convolutions.

        Args:
          input_shape: (batch, height, width, channels); all but the batch must be known.
        """
        _, height, width, channels = input_shape
        if height is None or width is None or channels is None:
            raise ValueError(f"{self.name}: height, width and channels of the input must be known, got {input_shape}")
        self._size = (height, width)
        self.parts: dict[str, keras.layers.Layer] = {}
        if self.variant == "paper":
            self._build_paper(channels)
        else:
            self._build_slim(channels)
        super().build(input_shape)

    def _build_paper(self, channels: int) -> None:
        width = max(1, channels // PAPER_REDUCTION)
        out = self._out_channels(channels)
        self._add("main", 1, channels, out)
        self._add("pooled", 1, channels, out)
        for level, kernel in enumerate(KERNELS[: self.levels], start=1):
            self._add(f"down_{level}", kernel, channels if level == 1 else width, width, strides=2)
            self._add(f"lateral_{level}", kernel, width, width)
            self._add(f"up_{level}", 4, width, out if level == 1 else width, strides=2, transposed=True)

    def _build_slim(self, channels: int) -> None:
        width = SLIM_PYRAMID_CHANNELS
        out = self._out_channels(channels)
        self._add("main", 1, channels, out)
        self._add("pooled", 1, channels, out, normalise=False)
        self._add("narrow", 1, channels, width)
        for level, kernel in enumerate(KERNELS[: self.levels], start=1):
            self._add(f"down_{level}", kernel, width, width)
            self._add(f"lateral_{level}", kernel, width, width)
        self._add("widen", 1, width, out, normalise=False, bias_initializer="ones")

    def _out_channels(self, channels: int) -> int:
        return self.channels or (channels if self.variant == "paper" else SLIM_CHANNELS)

    def _add(
        self,
        name: str,
        kernel: int,
        channels_in: int,
        channels_out: int,
        *,
        strides: int = 1,
        transposed: bool = False,
        normalise: bool = True,
        bias_initializer: str = "zeros",
    ) -> None:
        """Makes a convolution with its batch normalisation (or a bias); `_apply` runs the two."""
        convolution = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
        normalise = normalise and self.normalise
        self.parts[f"{name}_conv"] = convolution(
            channels_out,
            kernel,
            strides=strides,
            padding="same",
            use_bias=not normalise,
            kernel_initializer="he_normal",
            bias_initializer=bias_initializer,
            trainable=self.trainable,
            dtype=self.dtype_policy,
            name=f"{name}_conv",
        )
        self.parts[f"{name}_conv"].build((None, None, None, channels_in))
        if normalise:
            self.parts[f"{name}_bn"] = FusedBatchNormalization(
                momentum=BATCH_NORM_MOMENTUM,
                epsilon=BATCH_NORM_EPSILON,
                trainable=self.trainable,
                dtype=self.dtype_policy,
                name=f"{name}_bn",
            )
            self.parts[f"{name}_bn"].build((None, None, None, channels_out))

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Applies the attention.

        Args:
          inputs: (batch, height, width, channels) feature map.
          training: whether batch normalisation uses the batch's statistics.

        Returns:
          (batch, height, width, output channels) feature map.
        """
        average = keras.ops.mean(inputs, axis=(1, 2), keepdims=True)
        if self.variant == "paper":
            main = self._apply("main", inputs, training, relu=False)
            pooled = self._apply("pooled", average, training, relu=False)
            return keras.ops.relu(main * self._paper_pyramid(inputs, training) + pooled)
        main = self._apply("main", inputs, training)
        pooled = self._apply("pooled", average, training)
        return main * self._slim_pyramid(inputs, training) + pooled

    def _paper_pyramid(self, x: tf.Tensor, training: bool | None) -> tf.Tensor:
        laterals = []
        for level in range(1, self.levels + 1):
            x = self._apply(f"down_{level}", x, training)
            laterals.append(self._apply(f"lateral_{level}", x, training, relu=False))
        x = laterals.pop()
        for level in range(self.levels, 1, -1):
            x = self._apply(f"up_{level}", x, training)
            lateral = laterals.pop()
            x = keras.ops.relu(lateral + self._resize(x, lateral.shape[1:3]))
        return self._resize(self._apply("up_1", x, training), self._size)

    def _slim_pyramid(self, x: tf.Tensor, training: bool | None) -> tf.Tensor:
        x = self._apply("narrow", x, training)
        laterals = []
        for level in range(1, self.levels + 1):
            x = self._apply(f"down_{level}", keras.ops.max_pool(x, 2, strides=2, padding="same"), training)
            laterals.append(self._apply(f"lateral_{level}", x, training))
        x = laterals.pop()
        for lateral in reversed(laterals):
            x = lateral + self._resize(x, lateral.shape[1:3])
        return self._apply("widen", self._resize(x, self._size), training, relu=False)

    def _apply(self, name: str, x: tf.Tensor, training: bool | None, relu: bool = True) -> tf.Tensor:
        x = self.parts[f"{name}_conv"](x)
        if f"{name}_bn" in self.parts:
            too_few = self.variant == "slim" and x.shape[1] == x.shape[2] == 1
            x = self.parts[f"{name}_bn"](x, training=training and not too_few)
        return keras.ops.relu(x) if relu else x

    @staticmethod
    def _resize(x: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
        return x if tuple(x.shape[1:3]) == tuple(size) else keras.ops.image.resize(x, size, interpolation="bilinear")

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
            "normalise": self.normalise,
        }
