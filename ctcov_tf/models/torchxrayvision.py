"""DenseNet weights of TorchXRayVision (arXiv 2111.00595) in this package's network.

Layout, order of findings, input range and operating points are those of `torchxrayvision/models.py` and of `normalize`
in `torchxrayvision/utils.py` (github.com/mlmed/torchxrayvision). Its DenseNet is torchvision's with one input channel.
"""

from collections.abc import Sequence
import dataclasses
import itertools
import pathlib

import keras
import numpy as np

from ctcov_tf import errors
from ctcov_tf.config import DenseNetClassifierConfig
from ctcov_tf.models import torch_file
from ctcov_tf.models.backbones import BATCH_NORM_EPSILON

IMAGE_SIZE = 224
INPUT_SCALE, INPUT_OFFSET = 2048.0, -1024.0  # from [0, 1] to [-1024, 1024]
TORCH_BATCH_NORM_EPSILON = 1e-5
FINDINGS = (
    "atelectasis",
    "consolidation",
    "infiltration",
    "pneumothorax",
    "edema",
    "emphysema",
    "fibrosis",
    "pleural_effusion",  # Effusion
    "pneumonia",
    "pleural_thickening",
    "cardiomegaly",
    "nodule",
    "mass",
    "hernia",
    "lung_lesion",
    "fracture",
    "lung_opacity",
    "enlarged_cardiomediastinum",
)
"""What each row of the classifier finds, by this package's names."""

_PREFIXES = ("module.", "model.")  # of DataParallel and of wrappers
_STATE_DICT = (
    "save one where PyTorch is, in two lines: "
    'model = torchxrayvision.models.DenseNet(weights="densenet121-res224-chex"); torch.save(model.state_dict(), FILE)'
)


@dataclasses.dataclass(frozen=True)
class TorchXRayVisionWeights:
    """A state dict of TorchXRayVision's DenseNet.

    Attributes:
      path: the file.
      arrays: its tensors by name.
    """

    path: pathlib.Path
    arrays: dict[str, np.ndarray]

    @classmethod
    def read(cls, path: pathlib.Path) -> "TorchXRayVisionWeights":
        """Reads a state dict; PyTorch is not needed.

        Args:
          path: file that `torch.save(model.state_dict(), path)` wrote.

        Returns:
          The weights, without prefixes such as `module.` before their names.

        Raises:
          CtcovError: the file is missing or no state dict, or its classifier has not the 18 rows.
        """
        arrays = {_without_prefix(name): array for name, array in torch_file.read(path, _STATE_DICT).items()}
        weights = cls(path, arrays)
        for name in ("classifier.bias", "op_threshs"):
            rows = arrays[name].shape if name in arrays else (len(FINDINGS),)
            if rows != (len(FINDINGS),):
                raise errors.CtcovError(
                    f"{path}: {name}: shape {rows}, TorchXRayVision has {len(FINDINGS)} findings, so that it cannot be "
                    f"told which row is which: choose a file of its own weights: {_STATE_DICT}"
                )
        return weights

    @property
    def config(self) -> DenseNetClassifierConfig:
        """The network whose widths and depths the arrays have.

        Raises:
          CtcovError: they are of no DenseNet.
        """
        blocks = []
        for block in itertools.count(1):
            layers = (f"features.denseblock{block}.denselayer{layer}.conv2.weight" for layer in itertools.count(1))
            depth = sum(1 for _ in itertools.takewhile(self.arrays.__contains__, layers))
            if not depth:
                break
            blocks.append(depth)
        return DenseNetClassifierConfig(
            blocks=tuple(blocks),
            growth_rate=self._array("features.denseblock1.denselayer1.conv2.weight").shape[0],
            stem_channels=self._array("features.conv0.weight").shape[0],
            input_scale=INPUT_SCALE,
            input_offset=INPUT_OFFSET,
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """What these weights were trained to find: rows without an operating point were not, where there are any."""
        points = self.arrays.get("op_threshs", np.zeros(len(FINDINGS)))
        return tuple(name for name, point in zip(FINDINGS, points, strict=True) if not np.isnan(point))

    def operating_point(self, finding: str) -> float | None:
        """Probability that TorchXRayVision takes for the boundary of a finding.

        Args:
          finding: one of `findings`.

        Returns:
          The sigmoid's value in (0, 1), or None if the file states none.
        """
        points = self.arrays.get("op_threshs")
        return None if points is None else float(points[FINDINGS.index(finding)])

    def fill(self, model: keras.Model, findings: Sequence[str]) -> None:
        """Sets every variable of a network.

        Args:
          model: `dense_net_classifier` of `config`, with a logit for each of the findings.
          findings: names of the logits, of those in `findings`.

        Raises:
          CtcovError: the weights have no such finding, it stands there twice, or a layer's arrays are missing or of
            another shape.
        """
        rows = self._rows(findings)
        names = _layer_names(self.config.blocks)
        for layer in model.layers:
            if not layer.weights:
                continue
            name = names[layer.name]
            if isinstance(layer, keras.layers.Conv2D):
                values = [self._kernel(layer, name)]
            elif isinstance(layer, keras.layers.BatchNormalization):
                values = self._batch_norm(layer, name)
            else:
                kernel = self._array(f"{name}.weight", (len(FINDINGS), layer.kernel.shape[0]))
                values = [kernel[rows].T, self._array(f"{name}.bias", (len(FINDINGS),))[rows]]
            layer.set_weights(values)

    def _rows(self, findings: Sequence[str]) -> list[int]:
        for name in findings:
            if name not in self.findings:
                raise errors.CtcovError(
                    f"{self.path}: finding {name!r}: these weights do not have it: choose --findings from "
                    f"{', '.join(self.findings)}"
                )
        if len(set(findings)) < len(findings):
            raise errors.CtcovError(f"--findings {' '.join(findings)}: names one twice: name each once")
        return [FINDINGS.index(name) for name in findings]

    def _kernel(self, layer: keras.layers.Conv2D, name: str) -> np.ndarray:
        """Kernel (height, width, in, out); the stem's one input channel is spread over three equal ones."""
        height, width, inputs, outputs = layer.kernel.shape
        if layer.name != "conv1_conv":
            return self._array(f"{name}.weight", (outputs, inputs, height, width)).transpose(2, 3, 1, 0)
        kernel = self._array(f"{name}.weight", (outputs, 1, height, width)).transpose(2, 3, 1, 0)
        return np.repeat(kernel / inputs, inputs, axis=2)

    def _batch_norm(self, layer: keras.layers.BatchNormalization, name: str) -> list[np.ndarray]:
        """Gamma, beta, mean and variance; gamma makes up for PyTorch's other epsilon."""
        shape = tuple(layer.gamma.shape)
        weight, bias, mean, variance = (
            self._array(f"{name}.{part}", shape) for part in ("weight", "bias", "running_mean", "running_var")
        )
        ratio = (variance + BATCH_NORM_EPSILON) / (variance + TORCH_BATCH_NORM_EPSILON)
        return [weight * np.sqrt(ratio), bias, mean, variance]

    def _array(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        found = self.arrays.get(name)
        if found is None or (shape is not None and found.shape != shape):
            fault = "missing" if found is None else f"shape {found.shape}, a DenseNet of its other layers has {shape}"
            raise errors.CtcovError(
                f"{self.path}: {name}: {fault}: the file is of another architecture; choose one of TorchXRayVision's "
                f"DenseNets: {_STATE_DICT}"
            )
        return found.astype("float64")


def _without_prefix(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _layer_names(blocks: Sequence[int]) -> dict[str, str]:
    """PyTorch's name of each layer that has weights, by that of `backbones.dense_net`."""
    names = {"conv1_conv": "conv0", "conv1_bn": "norm0", "bn": "norm5"}
    for block, layers in enumerate(blocks, start=1):
        for layer in range(1, layers + 1):
            ours, theirs = f"conv{block + 1}_block{layer}", f"denseblock{block}.denselayer{layer}"
            names[f"{ours}_0_bn"], names[f"{ours}_1_conv"] = f"{theirs}.norm1", f"{theirs}.conv1"
            names[f"{ours}_1_bn"], names[f"{ours}_2_conv"] = f"{theirs}.norm2", f"{theirs}.conv2"
        names[f"pool{block + 1}_bn"] = f"transition{block}.norm"
        names[f"pool{block + 1}_conv"] = f"transition{block}.conv"
    return {ours: f"features.{theirs}" for ours, theirs in names.items()} | {"logits": "classifier"}
