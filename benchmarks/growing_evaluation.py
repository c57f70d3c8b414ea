"""An evaluation of so many small images of noise: what `benchmarks.growth` measures, in a module that TFDS can name."""

import csv
import pathlib
import resource
import time
from typing import Any

import numpy as np

from ctcov_tf import files

FITTED_IMAGES = 256
"""Of the train and of the validation part."""

_PATIENT_IMAGES = 8
_NOISE_SIZE = 32


def peak_megabytes() -> float:
    """The most that this process has held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def measure(folder: str, images: int) -> tuple[float, float]:
    """Evaluates a test part of noise.

    Args:
      folder: to work in.
      images: of the test part.

    Returns:
      Seconds, and peak megabytes of the process.
    """
    from ctcov_tf import config as config_lib
    from ctcov_tf import run_directory
    from ctcov_tf.datasets import contents
    from ctcov_tf.evaluation import protocols
    from ctcov_tf.models import registry

    place = pathlib.Path(folder) / str(images)
    _noise_builder(images, place / "data").download_and_prepare()
    config = config_lib.Config(
        data=config_lib.DataConfig(dataset="noise", data_dir=str(place / "data")),
        preprocess=config_lib.PreprocessConfig(image_size=_NOISE_SIZE),
        model=config_lib.SmallCNNConfig(channels=(8, 8)),
    )
    labels = contents.labels_of(config.data, config.model.head)
    run = run_directory.RunDirectory(place / "run", "noise", config, labels, contents.manifest(config.data), {})
    run.save()
    registry.build(config.model, _NOISE_SIZE, len(labels.outputs)).save(run.model_file)
    chosen = {"threshold": 0.5, "threshold_rule": "none", "split": "validation", "images": FITTED_IMAGES}
    files.write_json(run.calibration_file, chosen)
    with run.history_file.open("w", newline="") as history:
        rows = [["epoch", "auc", "learning_rate", "loss", "val_auc", "val_loss"], [0, 0.5, 1e-3, 0.7, 0.5, 0.7]]
        csv.writer(history).writerows(rows)
    start = time.perf_counter()
    protocols.evaluate(run, ("test",), reason="benchmark of growth")
    return time.perf_counter() - start, peak_megabytes()


def _noise_builder(test_images: int, data_dir: pathlib.Path) -> Any:
    """A TFDS builder of small images of noise, eight a patient."""
    import cv2
    import tensorflow_datasets as tfds

    class Noise(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            texts = dict.fromkeys(("image_id", "group_id", "mode", "file_format"), tfds.features.Text())
            numbers = dict.fromkeys(("width", "height", "file_bytes"), np.int32)
            image = tfds.features.Image(shape=(None, None, 3))
            label = tfds.features.ClassLabel(names=["normal", "covid19"])
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict({"image": image, "label": label, **texts, **numbers})
            )

        def _split_generators(self, dl_manager: Any) -> Any:
            sizes = {"train": FITTED_IMAGES, "validation": FITTED_IMAGES, "test": test_images}
            return {split: self._generate_examples(split, size) for split, size in sizes.items()}

        def _generate_examples(self, split: str, size: int) -> Any:
            rng = np.random.default_rng(len(split))
            for number in range(size):
                patient = number // _PATIENT_IMAGES
                levels = rng.integers(0, 256, (_NOISE_SIZE, _NOISE_SIZE), np.uint8)
                png = cv2.imencode(".png", levels)[1].tobytes()
                yield (
                    number,
                    {
                        "image": png,
                        "label": patient % 2,
                        "image_id": f"{split}-{number}",
                        "group_id": f"{split}-{patient}",
                        "mode": "L",
                        "file_format": "PNG",
                        "width": _NOISE_SIZE,
                        "height": _NOISE_SIZE,
                        "file_bytes": len(png),
                    },
                )

    return Noise(data_dir=str(data_dir))
