"""Whole chest CT scans of COVID-CT-MD: COVID-19, community-acquired pneumonia and normal, of one centre."""

from collections.abc import Iterator

from etils import epath
import numpy as np
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, duplicates, group_splits, image_files, labels, masks
from tfds_ctcov19.covid_ct_md import studies
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Arrangement, Omission, Record

SEED = 0
RATIOS = {"train": 0.7, "validation": 0.15, "test": 0.15}


class Builder(archive_builder.ArchiveBuilder):
    """Reads scans as DICOM files, as published or with `labels.csv`; every slice is an example, groups are patients."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    DEFAULT_BUILDER_CONFIG_NAME = "by_patient"
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="by_patient", description="70 / 15 / 15 by patient."),
        tfds.core.BuilderConfig(
            name="test_only", description="Every scan in the test part, for models that were trained on other sources."
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds the folders COVID-19 subjects/, CAP subjects/ and Normal subjects/ (or ... Cases/) with
    <patient>/<slice>.dcm, and perhaps Index.csv and Slice-level-labels.npy, from
    https://github.com/ShahinSHH/COVID-CT-MD; or labels.csv and <patient>/<slice>.dcm
    """
    CLASSES = studies.CLASSES
    URL = "https://github.com/ShahinSHH/COVID-CT-MD"
    PUBLISHED_TITLE = "three scans with labels.csv"
    PUBLISHED = {"all": {"covid19": 148, "other_pneumonia": 84, "normal": 154}}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=image_files.features(
                self.CLASSES,
                source=tfds.features.Text(doc="the archive"),
                slice=tfds.features.Scalar(np.int32, doc="of the scan, by ascending position"),
                position=tfds.features.Scalar(np.float32, doc="of the slice along the body, millimetres"),
                infection=tfds.features.Scalar(
                    np.int32, doc="in this slice, to a radiologist: 1 seen, 0 not seen, -1 not looked at"
                ),
                age=tfds.features.Scalar(np.int32, doc="years, -1 where unknown"),
                sex=tfds.features.Text(doc="M, F or empty where unknown"),
                **masks.features(),
            ),
            supervised_keys=("image", "label"),
            homepage=self.URL,
            metadata=tfds.core.MetadataDict(
                stands_for=labels.stands_for(self.name), groups_disjoint=True, modality="CT", synthetic=False
            ),
        )

    @property
    def _parts(self) -> tuple[str, ...]:
        return ("test",) if self.builder_config.name == "test_only" else archive_builder.SPLITS

    def _holds_archive(self, folder: epath.Path) -> bool:
        return studies.holds_classes(folder) or studies.holds_listed(folder)

    def _list_records(
        self, folder: epath.Path, dl_manager: tfds.download.DownloadManager
    ) -> Iterator[Record | Omission]:
        del dl_manager
        return studies.read_published(folder) if studies.holds_classes(folder) else studies.read_labels(folder)

    def _arrange(self, records: list[Record]) -> Arrangement:
        kept, contradictory = duplicates.drop_contradictory(records)
        kept, repeated = duplicates.drop_identical(kept, self.name)
        dropped = contradictory + repeated
        if self.builder_config.name == "test_only":
            return Arrangement(group_splits.split(kept, {"test": 1.0}, SEED), dropped)
        for label in self.CLASSES:
            patients = len({record.group_id for record in kept if record.label == label})
            if patients < len(RATIOS):
                raise DatasetError(
                    f"{self.name}: {patients} patients of class {label}, too few for {len(RATIOS)} parts: give the "
                    f"whole archive, or build {self.name}/test_only"
                )
        return Arrangement(group_splits.split(kept, RATIOS, SEED), dropped)
