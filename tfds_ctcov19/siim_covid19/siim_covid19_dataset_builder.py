"""Chest radiographs of the SIIM-FISABIO-RSNA challenge: four appearances, and boxes around opacities."""

from collections.abc import Iterator

from etils import epath
import numpy as np
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, duplicates, group_splits, image_files, labels, masks
from tfds_ctcov19.records import Arrangement, Omission, Record
from tfds_ctcov19.siim_covid19 import tables

SEED = 0
RATIOS = {"train": 0.7, "validation": 0.15, "test": 0.15}


class Builder(archive_builder.ArchiveBuilder):
    """Reads the competition's archive, copies of it as JPEG or PNG, or class folders with `labels.csv`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(
            name="by_patient", description="As listed, where the table has splits; else 70 / 15 / 15 by patient."
        )
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds train_study_level.csv, train_image_level.csv and the images as train/<study>/<series>/<image>.dcm, or as
    <image>.jpg or .png in any folder, from https://www.kaggle.com/competitions/siim-covid19-detection; or labels.csv
    and the folders negative/, typical/, indeterminate/ and atypical/
    """
    CLASSES = tuple(tables.CLASSES.values())
    URL = "https://www.kaggle.com/competitions/siim-covid19-detection"
    PUBLISHED_TITLE = "the 6,334 films of the competition's training part"
    PUBLISHED = {  # noqa: RUF012
        "all": {"negative": 1736, "typical": 3007, "indeterminate": 1108, "atypical": 483}
    }

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=image_files.features(
                self.CLASSES,
                source=tfds.features.Text(doc="the challenge"),
                sex=tfds.features.Text(doc="M, F or empty where unknown"),
                study_id=tfds.features.Text(doc="the label is that of the study"),
                original_width=tfds.features.Scalar(np.int32, doc="pixels as published, -1 where unknown"),
                original_height=tfds.features.Scalar(np.int32, doc="pixels as published, -1 where unknown"),
                **masks.features(),
            ),
            supervised_keys=("image", "label"),
            homepage=self.URL,
            metadata=tfds.core.MetadataDict(
                stands_for=labels.stands_for(self.name), groups_disjoint=True, modality="CXR", synthetic=False
            ),
        )

    def _holds_archive(self, folder: epath.Path) -> bool:
        return (folder / tables.STUDIES).is_file() or any((folder / name).is_dir() for name in tables.CLASSES)

    def _list_records(
        self, folder: epath.Path, dl_manager: tfds.download.DownloadManager
    ) -> Iterator[Record | Omission]:
        del dl_manager
        return tables.read_published(folder) if (folder / tables.STUDIES).is_file() else tables.read_labels(folder)

    def _arrange(self, records: list[Record]) -> Arrangement:
        kept, contradictory = duplicates.drop_contradictory(records)
        kept, repeated = duplicates.drop_identical(kept, self.name)
        return Arrangement(group_splits.as_listed(kept, RATIOS, SEED), contradictory + repeated)
