"""Deep-CT-Net in PyTorch: same layers, same names, same arithmetic, for what is measured beside ours. Imports PyTorch.

    network = torch_network.DeepCTNet(config, image_size, outputs)
    torch_network.copy_weights(keras_model, network)
    network.to(memory_format=torch.channels_last)

Trainable like any module. In training its moving variances follow PyTorch's rule, which corrects them for the size
of the batch; everything else is the Keras network's.
"""

from typing import Any

import keras
import torch
from torch import nn
from torch.nn import functional

from ctcov_tf.config import DeepCTNetConfig
from ctcov_tf.layers import feature_pyramid_attention as attention
from ctcov_tf.models import backbones

HEAD_EPSILON = 1e-3  # Keras's default


class DeepCTNet(nn.Module):
    """Pre-processed images (batch, 3, size, size) to logits (batch, outputs)."""

    def __init__(self, config: DeepCTNetConfig, image_size: int, outputs: int) -> None:
        """Builds the network with PyTorch's own random weights.

        Args:
          config: widths, depths and variant.
          image_size: side of the input, pixels.
          outputs: number of logits.
        """
        super().__init__()
        self.backbone = DenseNet(config)
        channels, side = self.backbone.channels, -(-image_size // config.output_stride)
        self.attention: nn.Module | None = None
        if config.attention == "slim":
            self.attention = SlimAttention(channels, config.attention_channels, config.attention_levels)
            channels = config.attention_channels
        elif config.attention == "paper":
            self.attention = PaperAttention(channels, config.attention_levels)
        self.head_bn = _norm(channels, HEAD_EPSILON)
        self.dense = nn.Linear(channels * side**2, config.dense_units)
        self.dropout = nn.Dropout(config.dropout)
        self.logits = nn.Linear(config.dense_units, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Answers a batch."""
        x = self.backbone(images)
        if self.attention is not None:
            x = self.attention(x)
        x = self.head_bn(x).permute(0, 2, 3, 1).flatten(1)  # in Keras's order
        return self.logits(self.dropout(functional.relu(self.dense(x))))


class DenseNet(nn.Module):
    """`backbones.dense_net`: images (batch, 3, size, size) to maps (batch, `channels`, size / stride, ...)."""

    def __init__(self, config: DeepCTNetConfig) -> None:
        """Builds the layers under their Keras names.

        Args:
          config: widths and depths.
        """
        super().__init__()
        self.blocks = config.blocks
        channels = config.stem_channels
        self.conv1_conv = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        self.conv1_bn = _norm(channels)
        full_stride = backbones.STEM_STRIDE * 2 ** (len(config.blocks) - 1)
        self.dilated = config.output_stride < full_stride
        for index, layers in enumerate(config.blocks):
            dilation = 2 if self._is_dilated(index) else 1
            if index:
                out = int(channels * backbones.COMPRESSION)
                self.add_module(f"pool{index + 1}_bn", _norm(channels))
                self.add_module(f"pool{index + 1}_conv", nn.Conv2d(channels, out, 1, bias=False))
                channels = out
            for layer in range(1, layers + 1):
                name, inner = f"conv{index + 2}_block{layer}", backbones.BOTTLENECK * config.growth_rate
                kernel = {"padding": dilation, "dilation": dilation, "bias": False}
                self.add_module(f"{name}_0_bn", _norm(channels))
                self.add_module(f"{name}_1_conv", nn.Conv2d(channels, inner, 1, bias=False))
                self.add_module(f"{name}_1_bn", _norm(inner))
                self.add_module(f"{name}_2_conv", nn.Conv2d(inner, config.growth_rate, 3, **kernel))
                channels += config.growth_rate
        self.bn = _norm(channels)
        self.channels = channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Gives the last map."""
        x = functional.relu(self.conv1_bn(self.conv1_conv(images)), inplace=True)
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        for index, layers in enumerate(self.blocks):
            if index:
                x = self._layer(f"pool{index + 1}_conv", self._norm_relu(f"pool{index + 1}_bn", x))
                x = x if self._is_dilated(index) else functional.avg_pool2d(x, 2)
            for layer in range(1, layers + 1):
                name = f"conv{index + 2}_block{layer}"
                new = self._layer(f"{name}_1_conv", self._norm_relu(f"{name}_0_bn", x))
                new = self._layer(f"{name}_2_conv", self._norm_relu(f"{name}_1_bn", new))
                x = torch.cat([x, new], dim=1)
        return self._norm_relu("bn", x)

    def _is_dilated(self, block: int) -> bool:
        return self.dilated and block == len(self.blocks) - 1

    def _layer(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self.get_submodule(name)(x)

    def _norm_relu(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self._layer(name, x), inplace=True)


class SlimAttention(nn.Module):
    """`FeaturePyramidAttention("slim")`."""

    def __init__(self, channels: int, out: int, levels: int) -> None:
        """Builds the convolutions.

        Args:
          channels: of the input.
          out: channels of the output.
          levels: of the pyramid.
        """
        super().__init__()
        width = attention.SLIM_PYRAMID_CHANNELS
        self.levels = levels
        self.main = _Convolution(channels, out, 1)
        self.pooled = _Convolution(channels, out, 1, normalise=False)
        self.narrow = _Convolution(channels, width, 1)
        for level, kernel in enumerate(attention.KERNELS[:levels], start=1):
            self.add_module(f"down_{level}", _Convolution(width, width, kernel, one_is_too_few=True))
            self.add_module(f"lateral_{level}", _Convolution(width, width, kernel, one_is_too_few=True))
        self.widen = _Convolution(width, out, 1, normalise=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weighs a map."""
        main = functional.relu(self.main(x))
        pooled = functional.relu(self.pooled(x.mean((2, 3), keepdim=True)))
        size = x.shape[2:]
        laterals = []
        x = functional.relu(self.narrow(x))
        for level in range(1, self.levels + 1):
            x = functional.max_pool2d(x, 2, ceil_mode=True)
            x = functional.relu(self.get_submodule(f"down_{level}")(x))
            laterals.append(functional.relu(self.get_submodule(f"lateral_{level}")(x)))
        x = laterals.pop()
        for lateral in reversed(laterals):
            x = lateral + _resize(x, lateral.shape[2:])
        return main * self.widen(_resize(x, size)) + pooled


class PaperAttention(nn.Module):
    """`FeaturePyramidAttention("paper")`, which keeps the channels of its input."""

    def __init__(self, channels: int, levels: int) -> None:
        """Builds the convolutions.

        Args:
          channels: of input and output.
          levels: of the pyramid.
        """
        super().__init__()
        width = max(1, channels // attention.PAPER_REDUCTION)
        self.levels = levels
        self.main = _Convolution(channels, channels, 1)
        self.pooled = _Convolution(channels, channels, 1)
        for level, kernel in enumerate(attention.KERNELS[:levels], start=1):
            first = level == 1
            self.add_module(f"down_{level}", _Convolution(channels if first else width, width, kernel, stride=2))
            self.add_module(f"lateral_{level}", _Convolution(width, width, kernel))
            self.add_module(f"up_{level}", _Convolution(width, channels if first else width, 4, transposed=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weighs a map."""
        main, pooled, size = self.main(x), self.pooled(x.mean((2, 3), keepdim=True)), x.shape[2:]
        laterals = []
        for level in range(1, self.levels + 1):
            x = functional.relu(self.get_submodule(f"down_{level}")(x))
            laterals.append(self.get_submodule(f"lateral_{level}")(x))
        x = laterals.pop()
        for level in range(self.levels, 1, -1):
            x = functional.relu(self.get_submodule(f"up_{level}")(x))
            lateral = laterals.pop()
            x = functional.relu(lateral + _resize(x, lateral.shape[2:]))
        x = _resize(functional.relu(self.up_1(x)), size)
        return functional.relu(main * x + pooled)


class _Convolution(nn.Module):
    """A convolution with TensorFlow's `same` padding and its batch normalisation, or a bias."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int,
        *,
        stride: int = 1,
        transposed: bool = False,
        normalise: bool = True,
        one_is_too_few: bool = False,
    ) -> None:
        """Builds both; `one_is_too_few`: a map of 1 x 1 is normalised by the moving statistics, as in our layer."""
        super().__init__()
        if transposed:
            self.conv: nn.Module = nn.ConvTranspose2d(channels, out, kernel, stride=2, padding=1, bias=not normalise)
        else:
            padding = kernel // 2 if stride == 1 else 0
            self.conv = nn.Conv2d(channels, out, kernel, stride=stride, padding=padding, bias=not normalise)
        self.kernel, self.stride, self.one_is_too_few = kernel, stride, one_is_too_few
        self.bn = _norm(out, attention.BATCH_NORM_EPSILON) if normalise else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride > 1:
            x = functional.pad(x, (*self._padding(x.shape[3]), *self._padding(x.shape[2])))
        x = self.conv(x)
        if self.bn is None:
            return x
        if self.one_is_too_few and x.shape[2:] == (1, 1):
            statistics = self.bn.running_mean, self.bn.running_var
            return functional.batch_norm(x, *statistics, self.bn.weight, self.bn.bias, eps=self.bn.eps)
        return self.bn(x)

    def _padding(self, size: int) -> tuple[int, int]:
        """Before and after: as much as gives size / stride, rounded up; the odd one behind."""
        total = max((-(-size // self.stride) - 1) * self.stride + self.kernel - size, 0)
        return total // 2, total - total // 2


def _norm(channels: int, epsilon: float = backbones.BATCH_NORM_EPSILON) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=epsilon, momentum=1 - backbones.BATCH_NORM_MOMENTUM)


def _resize(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return x if x.shape[2:] == size else functional.interpolate(x, size, mode="bilinear", align_corners=False)


@torch.no_grad()
def copy_weights(model: keras.Model, network: DeepCTNet) -> None:
    """Gives a network the weights of its Keras twin.

    Args:
      model: as `deep_ct_net.deep_ct_net` builds it, of the same configuration.
      network: takes the weights.
    """
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm2d)):
            layer = _keras_layer(model, name)
            if isinstance(module, nn.BatchNorm2d):
                _fill(module.weight, layer.gamma)
                _fill(module.bias, layer.beta)
                _fill(module.running_mean, layer.moving_mean)
                _fill(module.running_var, layer.moving_variance)
                continue
            axes = (1, 0) if isinstance(module, nn.Linear) else (3, 2, 0, 1)
            _fill(module.weight, keras.ops.transpose(layer.kernel, axes))
            if module.bias is not None:
                _fill(module.bias, layer.bias)


def _keras_layer(model: keras.Model, name: str) -> Any:
    """The layer of a module's name: of the backbone, inside the attention, or behind it."""
    path = name.removeprefix("backbone.").split(".")
    if path[0] != "attention":
        return model.get_layer(path[0])
    return model.get_layer("attention").parts["_".join(path[1:])]


def _fill(tensor: torch.Tensor | None, value: Any) -> None:
    assert tensor is not None
    tensor.copy_(torch.tensor(value.numpy()))
