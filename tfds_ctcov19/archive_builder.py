"""What the builders of published archives share: find the files, read them all, leave nothing out silently."""

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping
import json
from typing import Any, ClassVar

from etils import epath
import tensorflow_datasets as tfds

from tfds_ctcov19 import archives, generation
from tfds_ctcov19 import records as records_lib
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Arrangement, Omission, Record

SPLITS = ("train", "validation", "test")
REPORT_FILE = "build_report.json"


class ArchiveBuilder(generation.ParallelBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Builder over a folder of image files, from `--manual_dir` or downloaded.

    Beside the records it writes `build_report.json`: images by split and class, every file left out and why. The same
    is printed as a table at the end of a build.
    """

    CLASSES: ClassVar[tuple[str, ...]]
    URL: ClassVar[str]
    PUBLISHED: ClassVar[Mapping[str, Mapping[str, int]]]  # images by split (or `all`) and class, as published
    PUBLISHED_TITLE: ClassVar[str]
    _report: dict[str, Any] | None = None
    _unpacked: epath.Path  # where unpacked archives are kept

    @abc.abstractmethod
    def _list_records(
        self, folder: epath.Path, dl_manager: tfds.download.DownloadManager
    ) -> Iterable[Record | Omission]:
        """Yields every image file of the unpacked archive, with the part it was published in as its split.

        A file that is of no use whatever the config, such as another kind of picture, is an omission.
        """

    @abc.abstractmethod
    def _holds_archive(self, folder: epath.Path) -> bool:
        """Whether a folder is the root of the archive."""

    def _arrange(self, records: list[Record]) -> Arrangement:
        """Applies what the config decides: which images to keep, and in which split."""
        return Arrangement(records)

    @property
    def _parts(self) -> tuple[str, ...]:
        """The splits of the config; every class must be in each."""
        return SPLITS

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = self._archive(dl_manager)
        listed = list(self._list_records(folder, dl_manager))
        readable, unreadable = records_lib.read_all(item for item in listed if isinstance(item, Record))
        arranged = self._arrange(readable)
        kept, dropped = arranged.kept, [item for item in listed if isinstance(item, Omission)] + arranged.dropped
        table = records_lib.count(kept, self._parts, self.CLASSES)
        records_lib.check(
            kept, table, self.info.full_name, groups_disjoint=(self.info.metadata or {}).get("groups_disjoint", True)
        )
        self._report = {
            "dataset": self.info.full_name,
            "images": table,
            "groups": {split: len({r.group_id for r in kept if r.split == split}) for split in self._parts},
            "unreadable": [vars(omission) for omission in unreadable],
            "dropped": [vars(omission) for omission in dropped],
            "notes": arranged.notes,
            "published": {"title": self.PUBLISHED_TITLE, "images": self.PUBLISHED},
        }
        return {split: self._generate_examples([r for r in kept if r.split == split]) for split in self._parts}

    def _make_example(self) -> Callable[[Record], generation.Keyed]:
        return Record.keyed_example

    def _download_and_prepare(
        self, dl_manager: tfds.download.DownloadManager, download_config: tfds.download.DownloadConfig
    ) -> None:
        self._unpacked = epath.Path(download_config.extract_dir or dl_manager.download_dir / "extracted")
        super()._download_and_prepare(dl_manager, download_config)
        if self._report:  # the folder still has its temporary name: report and records appear together
            (epath.Path(self.data_dir) / REPORT_FILE).write_text(json.dumps(self._report, indent=2) + "\n")

    def _post_download_and_prepare_hook(self) -> None:
        if self._report:
            print(format_report(self._report))

    def _archive(self, dl_manager: tfds.download.DownloadManager) -> epath.Path:
        """Finds the archive in `--manual_dir`, unpacked or as a zip file; downloads it if that folder is not there."""
        try:
            given = dl_manager.manual_dir
        except AssertionError as missing:
            given = self._download(dl_manager, str(missing).partition(". ")[0])
        found = self._find_root(given)
        zip_files = sorted(given.glob("*.zip"))
        if found is None and len(zip_files) == 1:
            found = self._find_root(self._unpack(zip_files[0]))
        if found is None:
            instructions = " ".join((self.MANUAL_DOWNLOAD_INSTRUCTIONS or "").split())
            raise DatasetError(f"{self.name}: {given}: not the layout of the archive: {instructions}")
        return found

    def _unpack(self, archive: epath.Path) -> epath.Path:
        """Unpacks a zip file where TFDS keeps what it unpacks."""
        return archives.unpack(archive, self._unpacked)

    def _download(self, dl_manager: tfds.download.DownloadManager, missing: str) -> epath.Path:
        """Downloads and unpacks the archive; what did not arrive whole is removed, so that the next build mends it."""
        place = dl_manager.download_dir
        there = _unfinished(place)
        try:
            archive = epath.Path(dl_manager.download(self.URL))
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise DatasetError(
                f"{self.name}: {self.URL}: download failed ({type(error).__name__}: {reason}) and: {missing}: "
                "check the network, or fetch the archive yourself and give its folder as --manual_dir"
            ) from error
        finally:
            for folder in _unfinished(place) - there:
                folder.rmtree()
        try:
            return self._unpack(archive)
        except DatasetError:
            archive.unlink(missing_ok=True)
            epath.Path(f"{archive}.INFO").unlink(missing_ok=True)
            raise

    def _find_root(self, folder: epath.Path) -> epath.Path | None:
        """Returns the first folder that holds the archive: the given one, one inside it, or one inside that."""
        places = [folder]
        for _ in range(3):
            found = next((place for place in places if self._holds_archive(place)), None)
            if found is not None:
                return found
            places = [child for place in places for child in _folders(place)]
        return None


def _unfinished(folder: epath.Path) -> set[epath.Path]:
    """Folders of downloads that TFDS has not finished; it leaves them behind when it fails."""
    return {*folder.glob("*.tmp.*"), *folder.glob("*/*.tmp.*")} if folder.exists() else set()


def _folders(folder: epath.Path) -> list[epath.Path]:
    if not folder.is_dir():
        return []
    return [child for child in sorted(folder.iterdir()) if child.name[0] not in "._" and child.is_dir()]


def format_report(report: Mapping[str, Any]) -> str:
    """Returns the build report as text: a table of images beside the published one, then what was left out and why."""
    images, published = dict(report["images"]), dict(report["published"]["images"])
    classes = list(next(iter(images.values())))
    images["all"] = _sum(images, classes)
    published.setdefault("all", _sum(published, classes))
    lines = [
        f"{report['dataset']}: images built (and as in {report['published']['title']})",
        "".join(f"{cell:>24}" for cell in ("", *classes, "all")),
    ]
    for split, built in images.items():
        cells = [str(number) for number in (*built.values(), sum(built.values()))]
        if given := published.get(split):
            beside = [given[label] for label in classes]
            cells = [f"{cell} ({number})" for cell, number in zip(cells, (*beside, sum(beside)), strict=True)]
        lines.append(f"{split:>24}" + "".join(f"{cell:>24}" for cell in cells))
    lines.append("groups: " + ", ".join(f"{split} {number}" for split, number in report["groups"].items()))
    lines += report["notes"]
    for kind in ("unreadable", "dropped"):
        lines.append(f"{kind} files: {len(report[kind])}")
        files: dict[str, list[str]] = {}
        for omission in report[kind]:
            files.setdefault(omission["reason"], []).append(omission["file"])
        for reason, names in files.items():
            more = f" and {len(names) - 1} more (in {REPORT_FILE})" if len(names) > 1 else ""
            lines.append(f"  {names[0]}{more}: {reason}")
    return "\n".join(lines)


def _sum(images: Mapping[str, Mapping[str, int]], classes: Iterable[str]) -> dict[str, int]:
    return {label: sum(by_class[label] for by_class in images.values()) for label in classes}
