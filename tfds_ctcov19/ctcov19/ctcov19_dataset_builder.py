"""CT-COV19: chest CT images in three classes, as released or split anew by group."""

from collections.abc import Iterator

from etils import epath
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, image_files, labels
from tfds_ctcov19.ctcov19 import regroup
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Arrangement, Record

COMMIT = "598e9b8e86cb8e54179a130c3d990ee97fde5353"
CLASS_NAMES = {"COV": "covid19", "OtherPneumonia": "other_pneumonia", "Normal": "normal"}
PARTS = {"Train": "train", "Val": "validation", "Test": "test"}
NO_PATIENTS = (
    "The archive has no patient ids. A numbered COV folder looks like one series; batch dumps, Normal and "
    "OtherPneumonia hold many patients under running numbers, and folder numbers repeat from part to part, so no split "
    "of it can be shown to keep patients apart."
)


class Builder(archive_builder.ArchiveBuilder):
    """Reads the published folder; the group is (part, class, folder), or a series or run of numbers in `grouped`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    DEFAULT_BUILDER_CONFIG_NAME = "as_released"
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="as_released", description="Train, Val and Test as in the archive."),
        tfds.core.BuilderConfig(
            name="grouped",
            description="All parts pooled and split 72 / 8 / 20 by class; series and runs of file numbers stay whole.",
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds Train/, Val/ and Test/, each with COV/, OtherPneumonia/ and Normal/, or the zip file of all that; get it
    from https://github.com/m2dgithub/CT-COV19
    """
    CLASSES = tuple(CLASS_NAMES.values())
    URL = f"https://codeload.github.com/m2dgithub/CT-COV19/zip/{COMMIT}"
    PUBLISHED_TITLE = "Table II of the paper"
    PUBLISHED = {  # noqa: RUF012
        "train": {"covid19": 6120, "other_pneumonia": 543, "normal": 3060},
        "validation": {"covid19": 680, "other_pneumonia": 60, "normal": 340},
        "test": {"covid19": 1700, "other_pneumonia": 151, "normal": 851},
    }

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=image_files.features(self.CLASSES),
            supervised_keys=("image", "label"),
            homepage="https://github.com/m2dgithub/CT-COV19",
            metadata=tfds.core.MetadataDict(
                stands_for=labels.stands_for(self.name), groups_disjoint=False, reason=NO_PATIENTS
            ),
        )

    def _holds_archive(self, folder: epath.Path) -> bool:
        return (folder / "Train").is_dir()

    def _list_records(self, folder: epath.Path, dl_manager: tfds.download.DownloadManager) -> Iterator[Record]:
        del dl_manager
        for part, split in PARTS.items():
            for class_name, label in CLASS_NAMES.items():
                images = folder / part / class_name
                files = list(_files(images)) if images.is_dir() else []
                if not files:
                    raise DatasetError(
                        f"ctcov19: {images}: no such folder or nothing in it: unpack the whole archive, every class is "
                        "needed in every part"
                    )
                for path in files:
                    source = path.parent.relative_to(folder).as_posix()
                    yield Record(
                        path=path,
                        image_id=path.relative_to(folder).as_posix(),
                        label=label,
                        split=split,
                        group_id=source,
                        source=source,
                    )

    def _arrange(self, records: list[Record]) -> Arrangement:
        return Arrangement(regroup.regroup(records) if self.builder_config.name == "grouped" else records)


def _files(folder: epath.Path) -> Iterator[epath.Path]:
    """Yields the files in a folder and its folders, in order, without hidden ones."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files(path)
        elif not path.name.startswith("."):
            yield path
