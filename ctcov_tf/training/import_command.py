"""Weights that others trained: TorchXRayVision's as a finished run directory, EfficientNet-Lite0's as a file."""

from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Any

import keras

from ctcov_tf import errors, files
from ctcov_tf.config import FINDINGS, Config, DataConfig, PreprocessConfig
from ctcov_tf.model_info import Labels
from ctcov_tf.models import registry
from ctcov_tf.models.efficientnet_lite import efficientnet_lite
from ctcov_tf.models.efficientnet_lite_weights import EfficientNetLiteWeights
from ctcov_tf.models.torchxrayvision import IMAGE_SIZE, TorchXRayVisionWeights
from ctcov_tf.run_directory import MODEL_SHA256, RunDirectory
from ctcov_tf.training.versions import versions

PRESET = "torchxrayvision"
FALLBACK_THRESHOLD = 0.5
WEIGHTS_SUFFIXES = (".keras", ".weights.h5")


def import_weights(
    file: pathlib.Path, run_dir: pathlib.Path, findings: Sequence[str] = FINDINGS, positive: str = "pneumonia"
) -> RunDirectory:
    """Makes the run directory that training would leave; it can be evaluated, explained, exported, and be part 1.

    The network sees what TorchXRayVision's does: grey levels from 0 to 255 as -1024 to 1024, at 224 px.

    Args:
      file: state dict of a TorchXRayVision DenseNet.
      run_dir: where; must not exist.
      findings: what the network shall answer, in this order, of what the weights were trained to find.
      positive: the finding that binary metrics call positive.

    Returns:
      The finished run.

    Raises:
      CtcovError: the folder exists, the file is missing, no state dict or of another architecture, or the weights
        do not have a finding.
    """
    if run_dir.exists():
        raise errors.CtcovError(f"{run_dir}: exists: choose another --run-dir")
    if positive not in findings:
        raise errors.CtcovError(
            f"--positive {positive}: is not among the findings: choose it from {', '.join(findings)}"
        )
    weights = TorchXRayVisionWeights.read(file)
    config = Config(
        data=DataConfig(dataset="chexpert", positive=positive, findings=tuple(findings)),
        preprocess=PreprocessConfig(image_size=IMAGE_SIZE, equalise=False, blur=False, standardise=False),
        model=weights.config,
    )
    model = registry.build(config.model, IMAGE_SIZE, len(findings))
    weights.fill(model, findings)
    with files.atomic_path(run_dir) as written:
        run = RunDirectory(
            path=written,
            preset=PRESET,
            config=config,
            labels=Labels(tuple(findings), positive, "findings"),
            manifest=_manifest(file),
            versions=versions(),
        )
        run.save()
        model.save(run.model_file)
        files.write_json(
            run.calibration_file,
            _calibration(weights, positive) | {MODEL_SHA256: files.sha256(run.model_file)},
        )
    return dataclasses.replace(run, path=run_dir)


def convert_efficientnet_lite(out: pathlib.Path, file: pathlib.Path | None = None) -> pathlib.Path:
    """Writes ImageNet weights of EfficientNet-Lite0 as Keras reads them, for `--weights` and `--init-from`.

    Args:
      out: the file to write, `.weights.h5` or `.keras`; must not exist.
      file: state dict in the layout of `efficientnet_lite_pytorch`; that of the installed package if not given.

    Returns:
      The file that was read.

    Raises:
      CtcovError: `out` exists or has another suffix, or the state dict is missing or of another network.
    """
    if not out.name.endswith(WEIGHTS_SUFFIXES):
        raise errors.CtcovError(f"{out}: has another suffix than {' or '.join(WEIGHTS_SUFFIXES)}: give it one of them")
    if out.exists():
        raise errors.CtcovError(f"{out}: exists: choose another --out")
    weights = EfficientNetLiteWeights.read(file) if file else EfficientNetLiteWeights.read_package()
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="image")
    backbone = keras.Model(image, efficientnet_lite(image), name="backbone")
    weights.fill(backbone)
    with files.atomic_path(out) as written:
        if out.suffix == ".keras":
            backbone.save(written)
        else:
            backbone.save_weights(written)
    return weights.path


def _manifest(file: pathlib.Path) -> dict[str, Any]:
    """Nothing is known of the images that the weights were trained on, only the file."""
    return {"name": f"TorchXRayVision/{file.name}", "classes": [], "splits": {}, "sha256": files.sha256(file)}


def _calibration(weights: TorchXRayVisionWeights, positive: str) -> dict[str, Any]:
    point = weights.operating_point(positive)
    rule = f"TorchXRayVision's operating point of {positive}"
    if point is None:
        point, rule = FALLBACK_THRESHOLD, f"{FALLBACK_THRESHOLD}, since the weights state no operating point"
    return {"threshold": point, "threshold_rule": rule, "split": None, "images": 0}
