"""CheXpert (arXiv 1901.07031) as TFDS's own builder stores it, seen as a dataset of this project.

Frontal views only; the patient is the group. CheXpert's validation part, read by radiologists, is the test part;
validation is cut from its training part by a hash of the patient's number.
"""

import pandas as pd
import tensorflow as tf
import tensorflow_datasets as tfds

from ctcov_tf import errors
from ctcov_tf.datasets import dataset

VALIDATION_BUCKETS = 100  # one in so many patients of the training part is validation
FINDINGS = (
    "no_finding",
    "enlarged_cardiomediastinum",
    "cardiomegaly",
    "lung_opacity",
    "lung_lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural_effusion",
    "pleural_other",
    "fracture",
    "support_devices",
)
"""Columns of CheXpert's tables, in their order; TFDS keeps the order and not the names."""

_FRONTAL = 0
_SCALARS = ["label", "image_id", "group_id", "source", "file_format", "mode", "width", "height", "file_bytes"]


class CheXpert(dataset.Dataset):
    """Frontal radiographs with 14 findings.

    `label` is 0 (findings) or 1 (none recorded); what the findings' head learns are the findings.
    """

    def examples(self, split: str) -> tf.data.Dataset:
        """Frontal views of a split, in dataset order, with the features of this project's builders."""
        if split not in self.splits:
            raise errors.CtcovError(f"{self.name}: no split {split}: choose {', '.join(self.splits)}")
        stored = dataset.read(
            self._builder, "validation" if split == "test" else "train", {"image": tfds.decode.SkipDecoding()}
        )
        kept = stored.filter(lambda example: example["image_view"] == _FRONTAL)
        if split != "test":
            kept = kept.filter(lambda example: _is_validation(example["name"]) == (split == "validation"))
        no_finding = self._states().index("positive")
        return kept.map(lambda example: _adapt(example, no_finding))

    def metadata(self, split: str) -> pd.DataFrame:
        """Everything but the pixels; see `Dataset.metadata`."""
        without_image = self.examples(split).map(
            lambda example: {name: value for name, value in example.items() if name != "image"}
        )
        return self._table(without_image, [*_SCALARS, "findings"])

    def _class_names(self) -> tuple[str, ...]:
        return ("findings", "no_finding")

    def _findings(self) -> tuple[str, ...]:
        return FINDINGS

    def _splits(self) -> tuple[str, ...]:
        return ("train", "validation", "test")

    def _states(self) -> list[str]:
        return self._builder.info.features["label"].feature.names


def _patient(name: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(name, r".*(patient\d+).*", r"\1")


def _is_validation(name: tf.Tensor) -> tf.Tensor:
    return tf.strings.to_hash_bucket_fast(_patient(name), VALIDATION_BUCKETS) == 0


def _adapt(example: dict[str, tf.Tensor], no_finding: int) -> dict[str, tf.Tensor]:
    image, findings = example["image"], tf.ensure_shape(example["label"], (len(FINDINGS),))
    height, width, channels = tf.unstack(tf.image.extract_jpeg_shape(image), num=3)
    return {
        "image": image,
        "label": tf.cast(findings[0] == no_finding, tf.int64),
        "image_id": example["name"],
        "group_id": _patient(example["name"]),
        "source": tf.constant("chexpert"),
        "file_format": tf.constant("JPEG"),
        "mode": tf.where(channels == 1, "L", "RGB"),
        "width": width,
        "height": height,
        "file_bytes": tf.strings.length(image),
        "findings": findings,
    }
