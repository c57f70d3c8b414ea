"""Synthetic chest CT and chest radiographs with known lesions."""

from collections.abc import Callable, Iterator
import dataclasses
import functools
from typing import Any, Literal

import cv2
import numpy as np
import tensorflow_datasets as tfds

from tfds_ctcov19 import generation, image_files
from tfds_ctcov19.phantom import findings, scanner, xray


@dataclasses.dataclass(kw_only=True)
class PhantomConfig(tfds.core.BuilderConfig):
    """How many phantoms of which kind and size.

    Attributes:
      modality: `ct`, or `cxr` for frontal chest radiographs.
      images: number of images in train, validation and test, whole patients: a multiple of
        `scanner.SLICES_PER_PATIENT` or of `xray.IMAGES`.
      sizes: smallest and largest height and width in pixels.
      classes: the class names.
      findings: whether the recorded findings of a radiograph stand beside its class.
      first_patient: of radiographs, the number of the first patient: configs that lie apart share no patient.
      shortcut: of CT, whether a mark in a corner tells the class.
    """

    modality: Literal["ct", "cxr"] = "ct"
    images: tuple[int, int, int] = (480, 120, 120)
    sizes: tuple[int, int] = (160, 224)
    classes: tuple[str, ...] = scanner.CLASSES
    findings: bool = False
    first_patient: int = 0
    shortcut: bool = False

    @property
    def prefix(self) -> str:
        """Start of every image id and group id; a number means another patient in CT than in radiographs."""
        return "synthetic" if self.modality == "ct" else f"synthetic-{self.modality}"

    def draw(self, index: int) -> scanner.Phantom:
        """Draws example `index`."""
        if self.modality == "ct":
            return scanner.scan(index, self.sizes, shortcut=self.shortcut)
        return xray.expose(index, self.sizes, classes=self.classes, first_patient=self.first_patient)


class Builder(generation.ParallelBuilder):
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
            images=(60, 24, 24),
            sizes=(96, 96),
        ),
        PhantomConfig(
            name="cxr",
            description="Synthetic chest radiographs with six findings, 480 / 120 / 120 images.",
            modality="cxr",
            findings=True,
        ),
        PhantomConfig(
            name="cxr_pneumonia",
            description="Synthetic chest radiographs with and without pneumonia, 360 / 90 / 90 images.",
            modality="cxr",
            images=(360, 90, 90),
            classes=xray.PNEUMONIA_CLASSES,
            first_patient=10_000,
        ),
        PhantomConfig(
            name="cxr_covid",
            description="Synthetic chest radiographs with six findings, 360 / 90 / 90 images of other patients.",
            modality="cxr",
            images=(360, 90, 90),
            findings=True,
            first_patient=20_000,
        ),
        PhantomConfig(
            name="cxr_tiny",
            description="Synthetic chest radiographs of 96 px with six findings for tests, 60 / 24 / 24 images.",
            modality="cxr",
            images=(60, 24, 24),
            sizes=(96, 96),
            findings=True,
            first_patient=30_000,
        ),
        PhantomConfig(
            name="cxr_pneumonia_tiny",
            description="Synthetic chest radiographs of 96 px with and without pneumonia for tests, 36 / 18 / 18.",
            modality="cxr",
            images=(36, 18, 18),
            sizes=(96, 96),
            classes=xray.PNEUMONIA_CLASSES,
            first_patient=40_000,
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        more, metadata = {}, {}
        if config.findings:
            state = tfds.features.ClassLabel(names=list(findings.STATES))
            more["findings"] = tfds.features.Sequence(state, length=len(findings.FINDINGS))
            metadata["findings"] = list(findings.FINDINGS)
        return self.dataset_info_from_configs(
            features=image_files.features(
                config.classes,
                lesion_mask=tfds.features.Image(shape=(None, None, 1), doc="255 where the disease was drawn, else 0"),
                **more,
            ),
            supervised_keys=("image", "label"),
            metadata=tfds.core.MetadataDict(synthetic=True, groups_disjoint=True, **metadata),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        del dl_manager  # nothing to download
        train, validation, test = np.cumsum(self.builder_config.images).tolist()
        return {
            "train": self._generate_examples(range(0, train)),
            "validation": self._generate_examples(range(train, validation)),
            "test": self._generate_examples(range(validation, test)),
        }

    def _make_example(self) -> Callable[[int], generation.Keyed]:
        return functools.partial(_example, self.builder_config)


def _example(config: PhantomConfig, index: int) -> generation.Keyed:
    phantom: Any = config.draw(index)
    # Stored and not deflated: the length of the file follows from its size alone and cannot tell the class.
    image = cv2.imencode(".png", phantom.image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
    group = f"{config.prefix}-{phantom.patient:04d}"
    image_id = f"{group}-{phantom.number}"
    example = {
        "image": image,
        "label": phantom.label,
        "image_id": image_id,
        "group_id": group,
        "source": "synthetic",
        **dataclasses.asdict(image_files.read_facts(image)),
        "lesion_mask": cv2.imencode(".png", phantom.lesion_mask)[1].tobytes(),
    }
    if config.findings:
        example["findings"] = list(phantom.findings)
    return image_id, example
