"""Synthetic chest CT with known lesions."""

from collections.abc import Iterator
import dataclasses
from typing import Any

import cv2
import numpy as np
import tensorflow_datasets as tfds

from tfds_ctcov19 import image_files
from tfds_ctcov19.phantom import scanner


@dataclasses.dataclass(kw_only=True)
class PhantomConfig(tfds.core.BuilderConfig):
    """How many phantoms of which size.

    Attributes:
      patients: number of synthetic patients in train, validation and test; each gives three slices.
      sizes: smallest and largest height and width in pixels.
      shortcut: whether a mark in a corner tells the class.
    """

    patients: tuple[int, int, int] = (160, 40, 40)
    sizes: tuple[int, int] = (160, 224)
    shortcut: bool = False


class Builder(tfds.core.GeneratorBasedBuilder):
    """Draws the synthetic dataset; it needs no files."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    DEFAULT_BUILDER_CONFIG_NAME = "ct"
    BUILDER_CONFIGS = [  # noqa: RUF012
        PhantomConfig(name="ct", description="Synthetic chest CT, 480 / 120 / 120 images."),
        PhantomConfig(name="shortcut", description="The same with a corner mark that tells the class.", shortcut=True),
        PhantomConfig(
            name="tiny",
            description="Synthetic chest CT of 96 px for tests, 60 / 24 / 24 images.",
            patients=(20, 8, 8),
            sizes=(96, 96),
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=image_files.features(
                scanner.CLASSES,
                lesion_mask=tfds.features.Image(shape=(None, None, 1), doc="255 where the disease was drawn, else 0"),
            ),
            supervised_keys=("image", "label"),
            metadata=tfds.core.MetadataDict(synthetic=True, groups_disjoint=True),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        del dl_manager  # nothing to download
        train, validation, test = np.cumsum(self.builder_config.patients) * scanner.SLICES_PER_PATIENT
        return {
            "train": self._generate_examples(range(0, train)),
            "validation": self._generate_examples(range(train, validation)),
            "test": self._generate_examples(range(validation, test)),
        }

    def _generate_examples(self, indices: range) -> Iterator[tuple[str, dict[str, Any]]]:
        for index in indices:
            phantom = scanner.scan(index, self.builder_config.sizes, shortcut=self.builder_config.shortcut)
            # Stored and not deflated: the length of the file follows from its size alone and cannot tell the class.
            image = cv2.imencode(".png", phantom.image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
            group = f"synthetic-{phantom.patient:04d}"
            image_id = f"{group}-{phantom.slice}"
            yield (
                image_id,
                {
                    "image": image,
                    "label": phantom.label,
                    "image_id": image_id,
                    "group_id": group,
                    "source": "synthetic",
                    **dataclasses.asdict(image_files.read_facts(image)),
                    "lesion_mask": cv2.imencode(".png", phantom.lesion_mask)[1].tobytes(),
                },
            )
