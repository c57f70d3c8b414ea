"""Exports of a network with random weights, and an image: what they cost does not depend on what was learnt.

    python -m benchmarks.random_exports FOLDER [--preset NAME] [--image-size N] [--forms NAME ...]

A process of its own makes them, so that the one that measures stays small.
"""

import dataclasses
import pathlib
import subprocess
import sys
from typing import Annotated

import tyro

from benchmarks import record

PRESET = "deep_ct_net_slim"
IMAGE_SIZE = 256
NATIVE_SIZE = 512
FORMS = ("saved_model", "float32", "int8")


@dataclasses.dataclass(frozen=True)
class Given(record.Output):
    """A model and an image to measure with; made for the purpose if not given."""

    model: Annotated[pathlib.Path | None, tyro.conf.Positional] = None
    """A TFLite file; made for the purpose if not given."""
    image: Annotated[pathlib.Path | None, tyro.conf.Positional] = None
    """An image file for it."""


@dataclasses.dataclass(frozen=True)
class Exports:
    """What stands in a folder that `make` filled.

    Attributes:
      folder: the folder.
      preset: of the network.
    """

    folder: pathlib.Path
    preset: str = PRESET

    @property
    def run(self) -> pathlib.Path:
        """Run directory of the network."""
        return self.folder / "run"

    @property
    def image(self) -> pathlib.Path:
        """A synthetic CT slice, 512 x 512, grey PNG."""
        return self.folder / "slice.png"

    @property
    def saved_model(self) -> pathlib.Path:
        """Folder of the SavedModel's versions."""
        return self.folder / "exports" / self.preset

    def tflite(self, form: str) -> pathlib.Path:
        """The TFLite file of a form."""
        return self.folder / "exports" / f"{self.preset}-1-{form}.tflite"


def make_apart(
    folder: pathlib.Path, preset: str = PRESET, image_size: int = IMAGE_SIZE, forms: tuple[str, ...] = FORMS
) -> Exports:
    """Calls `make` in a process of its own, and says nothing while it works."""
    command = [sys.executable, "-m", "benchmarks.random_exports", str(folder), "--preset", preset]
    command += ["--image-size", str(image_size), "--forms", *forms]
    subprocess.run(command, check=True, capture_output=True)
    return Exports(folder, preset)


def make(
    folder: Annotated[pathlib.Path, tyro.conf.Positional],
    preset: str = PRESET,
    image_size: int = IMAGE_SIZE,
    forms: tuple[str, ...] = FORMS,
) -> None:
    """Builds the network, its run directory and its exports, and draws the image.

    Args:
        folder: Where to.
        preset: Preset of the network.
        image_size: Side of the image that the network sees, pixels.
        forms: What to export.
    """
    import cv2
    import tensorflow_datasets as tfds

    from ctcov_tf import configs, files, run_directory
    from ctcov_tf.datasets import contents
    from ctcov_tf.export import saved_model, tflite
    from ctcov_tf.models import registry
    import tfds_ctcov19
    from tfds_ctcov19.phantom import scanner

    exports = Exports(folder, preset)
    chosen = configs.load(preset)
    config = dataclasses.replace(
        chosen,
        data=dataclasses.replace(chosen.data, dataset="phantom/tiny", data_dir=str(folder / "data")),
        preprocess=dataclasses.replace(chosen.preprocess, image_size=image_size),
        model=registry.without_weights(chosen.model),
    )
    assert tfds_ctcov19, "importing it registers the builders"
    tfds.builder(config.data.dataset, data_dir=config.data.data_dir).download_and_prepare()
    labels = contents.labels_of(config.data, config.model.head)
    run = run_directory.RunDirectory(exports.run, preset, config, labels, contents.manifest(config.data), {})
    run.save()
    registry.build(config.model, image_size, len(labels.outputs)).save(run.model_file)
    files.write_json(run.calibration_file, {"threshold": 0.5, "threshold_rule": "none: the weights are random"})
    if "saved_model" in forms:
        saved_model.export_saved_model(run, folder / "exports")
    tflite.export_tflite(run, folder / "exports", [form for form in forms if form != "saved_model"])
    cv2.imwrite(str(exports.image), scanner.scan(0, (NATIVE_SIZE, NATIVE_SIZE)).image)


if __name__ == "__main__":
    tyro.cli(make, description=__doc__)
