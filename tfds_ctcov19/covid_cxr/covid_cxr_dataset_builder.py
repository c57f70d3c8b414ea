"""Chest radiographs of COVID-19, other pneumonia and neither, split after Table VI of the paper."""

from collections.abc import Iterator
from typing import ClassVar

from etils import epath
import numpy as np
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, duplicates, image_files, labels, masks
from tfds_ctcov19.covid_cxr import opacities, protocol, tables
from tfds_ctcov19.records import Arrangement, Omission, Record

COMMIT = "6a4242344473ccb5ed0d2148d8c7bfb1691e4ed8"
PATIENTS_LEAK = "the paper's split is by image, so images of one patient stand in training and in test"


class Builder(archive_builder.ArchiveBuilder):
    """Reads the ieee8023 collection, or class folders with `labels.csv`; the patient is the group."""

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {  # noqa: RUF012
        "1.0.0": "First release.",
        "1.1.0": "Masks of opacities and lungs as features; images, labels and splits are those of 1.0.0.",
    }
    DEFAULT_BUILDER_CONFIG_NAME = "by_patient"
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(
            name="by_patient", description="60 / 10 / 30 by patient, and other pneumonias added to the test part."
        ),
        tfds.core.BuilderConfig(name="random", description="The same by image, as in the paper: patients leak."),
        tfds.core.BuilderConfig(
            name="one_source",
            description="The films of ieee8023 alone, each in the part that it has in by_patient: no source tells the "
            "class.",
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds metadata.csv and images/, from https://github.com/ieee8023/covid-chestxray-dataset, or labels.csv and the
    folders Covid-19/, Pneumonia/ and No_findings/; masks of opacities are read from cxr_opacities/ in it or beside it
    """
    CLASSES = ("covid19", "other_pneumonia", "normal")
    URL = f"https://codeload.github.com/ieee8023/covid-chestxray-dataset/zip/{COMMIT}"
    PUBLISHED_TITLE = "the 1520 films of ieee8023 and NIH before repetitions are dropped"
    PUBLISHED = {"all": {"covid19": 427, "other_pneumonia": 580, "normal": 513}}  # noqa: RUF012
    ONE_SOURCE: ClassVar[str] = "ieee8023"  # of all films of COVID-19, and of some others
    ADDED: ClassVar[int] = 100  # images of other pneumonia added to the test part, as in Table VI

    def _info(self) -> tfds.core.DatasetInfo:
        by_patient = self._splits_by_patient
        return self.dataset_info_from_configs(
            features=image_files.features(
                self.CLASSES,
                source=tfds.features.Text(doc="the collection: ieee8023 or nih"),
                finding=tfds.features.Text(doc="as the table has it"),
                view=tfds.features.Text(doc="PA, AP, AP Supine, ..., empty where unknown"),
                age=tfds.features.Scalar(np.int32, doc="years, -1 where unknown"),
                sex=tfds.features.Text(doc="M, F or empty where unknown"),
                license=tfds.features.Text(doc="of the image, empty where not stated"),
                **masks.features(lungs=True),
            ),
            supervised_keys=("image", "label"),
            homepage="https://github.com/ieee8023/covid-chestxray-dataset",
            metadata=tfds.core.MetadataDict(
                stands_for=labels.stands_for(self.name),
                groups_disjoint=by_patient,
                **({} if by_patient else {"reason": PATIENTS_LEAK}),
            ),
        )

    @property
    def _splits_by_patient(self) -> bool:
        return self.builder_config.name != "random"

    def _holds_archive(self, folder: epath.Path) -> bool:
        return (folder / tables.METADATA).is_file() or _has_class_folders(folder)

    def _list_records(
        self, folder: epath.Path, dl_manager: tfds.download.DownloadManager
    ) -> Iterator[Record | Omission]:
        del dl_manager
        found = tables.read_labels(folder) if _has_class_folders(folder) else tables.read_metadata(folder)
        return opacities.add(found, folder)

    def _arrange(self, records: list[Record]) -> Arrangement:
        records, dropped = duplicates.drop_identical(records, self.name)
        arranged = protocol.split(records, self.ADDED, by_patient=self._splits_by_patient)
        if self.builder_config.name == "one_source":
            others = [Omission(one.image_id, f"of {one.source}") for one in arranged if one.source != self.ONE_SOURCE]
            return Arrangement([one for one in arranged if one.source == self.ONE_SOURCE], dropped + others)
        added = len(protocol.set_aside(records, self.ADDED))
        note = f"images of other pneumonia added to the test part: {added}, of {self.ADDED} in Table VI of the paper"
        if added < self.ADDED:
            note += "; at most half of the class is taken, in whole groups of nothing else"
        return Arrangement(arranged, dropped, [note])


def _has_class_folders(folder: epath.Path) -> bool:
    return any((folder / name).is_dir() for name in tables.CLASS_NAMES)
