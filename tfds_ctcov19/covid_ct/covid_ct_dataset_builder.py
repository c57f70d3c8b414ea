"""COVID-CT: 746 chest CT figures, COVID-19 and not, with the official split."""

from collections.abc import Callable, Iterator

from etils import epath
import numpy as np
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, image_files, labels
from tfds_ctcov19.covid_ct import conflicts, patients
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Arrangement, Omission, Record

COMMIT = "0c83254a43230de176489a9b4e3ac12e23b0df53"
CLASS_NAMES = {"COVID": "covid19", "NonCOVID": "non_covid19"}
LISTS = {"train": "train", "val": "validation", "test": "test"}


class Builder(archive_builder.ArchiveBuilder):
    """Reads the published folder; the patient is the group."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    DEFAULT_BUILDER_CONFIG_NAME = "conflicts_dropped"
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(
            name="conflicts_dropped",
            description="Without the training copies of pictures that stand in both classes.",
        ),
        tfds.core.BuilderConfig(name="as_released", description="Every image, contradictions included."),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds Data-split/ and the images, as folders Images/CT_COVID and Images/CT_NonCOVID or as
    Images-processed/CT_COVID.zip and CT_NonCOVID.zip, with COVID-CT-MetaInfo.csv and NonCOVID-CT-MetaInfo.csv (or
    labels.csv); get it from https://github.com/UCSD-AI4H/COVID-CT
    """
    CLASSES = tuple(CLASS_NAMES.values())
    URL = f"https://codeload.github.com/UCSD-AI4H/COVID-CT/zip/{COMMIT}"
    PUBLISHED_TITLE = "the official split"
    PUBLISHED = {  # noqa: RUF012
        "train": {"covid19": 191, "non_covid19": 234},
        "validation": {"covid19": 60, "non_covid19": 58},
        "test": {"covid19": 98, "non_covid19": 105},
    }

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=image_files.features(
                self.CLASSES,
                age=tfds.features.Scalar(np.int32, doc="years, -1 where unknown"),
                sex=tfds.features.Text(doc="M, F or empty where unknown"),
            ),
            supervised_keys=("image", "label"),
            homepage="https://github.com/UCSD-AI4H/COVID-CT",
            metadata=tfds.core.MetadataDict(stands_for=labels.stands_for(self.name), groups_disjoint=True),
        )

    def _holds_archive(self, folder: epath.Path) -> bool:
        return (folder / "Data-split").is_dir()

    def _list_records(self, folder: epath.Path, dl_manager: tfds.download.DownloadManager) -> Iterator[Record]:
        del dl_manager
        known = patients.read_patients(folder)
        for class_name, label in CLASS_NAMES.items():
            images = _images(folder, f"CT_{class_name}", self._unpack)
            there = {path.name for path in images.iterdir()}
            listed: dict[str, str] = {}
            for part, split in LISTS.items():
                names = folder / "Data-split" / class_name / f"{part}CT_{class_name}.txt"
                if not names.exists():
                    raise DatasetError(f"covid_ct: {names}: no such list: give the official split with the images")
                lines = names.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")
                listed.update(dict.fromkeys(lines, split))
            listed.pop("", None)
            _compare(images, there, set(listed))
            for name, split in listed.items():
                patient = known.get((class_name, name))
                if patient is None:
                    raise DatasetError(f"covid_ct: {name}: in no table of patients: give the tables as published")
                yield Record(
                    path=images / name,
                    image_id=f"CT_{class_name}/{name}",
                    label=label,
                    split=split,
                    group_id=patient.group_id,
                    source=_source(patient.group_id),
                    more={"age": patient.age, "sex": patient.sex},
                )

    def _arrange(self, records: list[Record]) -> Arrangement:
        if self.builder_config.name == "as_released":
            return Arrangement(records)
        by_class = [[record for record in records if record.label == label] for label in self.CLASSES]
        dropped = {}
        for pair in conflicts.find_conflicts(*by_class):
            kept, left_out = sorted(pair, key=lambda record: record.split == "train")
            if left_out.split == "train":  # an evaluated image stays as published
                dropped[left_out.image_id] = Omission(
                    left_out.image_id, f"the same picture as {kept.image_id} ({kept.split}) of the other class"
                )
        return Arrangement(
            [record for record in records if record.image_id not in dropped], dropped=list(dropped.values())
        )


def _images(folder: epath.Path, name: str, unpack: Callable[[epath.Path], epath.Path]) -> epath.Path:
    places = [folder / "Images", folder / "Images-processed", folder]
    for place in places:
        if (place / name).is_dir():
            return place / name
    for place in places:
        if (place / f"{name}.zip").exists():
            unpacked = unpack(place / f"{name}.zip")
            return unpacked / name if (unpacked / name).is_dir() else unpacked
    raise DatasetError(f"covid_ct: {folder}: neither Images/{name} nor {name}.zip is there: both classes are needed")


def _compare(images: epath.Path, there: set[str], listed: set[str]) -> None:
    missing = sorted(listed - there)
    if missing:
        raise DatasetError(
            f"covid_ct: {images / missing[0]}: listed in Data-split and not there ({len(missing)} in all): "
            "unpack the images again"
        )
    extra = sorted(name for name in there - listed if not image_files.is_litter(name))
    if extra:
        raise DatasetError(
            f"covid_ct: {images / extra[0]}: in no list of Data-split ({len(extra)} in all): "
            "move it away or give the official split"
        )


def _source(group_id: str) -> str:
    """Where the collectors took an image from: papers for all COVID-19 images, else as the patient id tells."""
    return "papers" if group_id.startswith("covid-") else group_id.removeprefix("noncovid-").partition("_patient")[0]
