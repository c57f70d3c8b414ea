"""What the builders of published archives share: find the files, read them all, leave nothing out silently."""

import abc
from collections.abc import Iterable, Iterator, Mapping
import json
from typing import Any, ClassVar

from etils import epath
import tensorflow_datasets as tfds

from tfds_ctcov19 import records as records_lib
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Omission, Record

SPLITS = ("train", "validation", "test")
REPORT_FILE = "build_report.json"


class ArchiveBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Builder over a folder of image files, from `--manual_dir` or downloaded.

    Beside the records it writes `build_report.json`: images by split and class, every file left out and why. The same
    is printed as a table at the end of a build.
    """

    CLASSES: ClassVar[tuple[str, ...]]
    URL: ClassVar[str]
    PUBLISHED: ClassVar[Mapping[str, Mapping[str, int]]]  # images by split and class, as published
    PUBLISHED_TITLE: ClassVar[str]
    _report: dict[str, Any] | None = None

    @abc.abstractmethod
    def _list_records(self, folder: epath.Path, dl_manager: tfds.download.DownloadManager) -> Iterable[Record]:
        """Yields every image file of the unpacked archive, with the part it was published in as its split."""

    @abc.abstractmethod
    def _holds_archive(self, folder: epath.Path) -> bool:
        """Whether a folder is the root of the archive."""

    def _arrange(self, records: list[Record]) -> tuple[list[Record], list[Omission]]:
        """Applies what the config decides: returns the records to keep, with their splits, and those left out."""
        return records, []

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = self._archive(dl_manager)
        readable, unreadable = records_lib.read_all(self._list_records(folder, dl_manager))
        kept, dropped = self._arrange(readable)
        table = records_lib.count(kept, SPLITS, self.CLASSES)
        records_lib.check(kept, table, self.info.full_name)
        self._report = {
            "dataset": self.info.full_name,
            "images": table,
            "groups": {split: len({r.group_id for r in kept if r.split == split}) for split in SPLITS},
            "unreadable": [vars(omission) for omission in unreadable],
            "dropped": [vars(omission) for omission in dropped],
            "published": {"title": self.PUBLISHED_TITLE, "images": self.PUBLISHED},
        }
        return {split: self._generate_examples([r for r in kept if r.split == split]) for split in SPLITS}

    def _generate_examples(self, records: Iterable[Record]) -> Iterator[tuple[str, dict[str, Any]]]:
        for record in records:
            yield record.image_id, record.example()

    def _download_and_prepare(
        self, dl_manager: tfds.download.DownloadManager, download_config: tfds.download.DownloadConfig
    ) -> None:
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
            place = str(missing).partition(". ")[0]
            try:
                given = dl_manager.download_and_extract(self.URL)
            except Exception as error:
                raise DatasetError(
                    f"{self.name}: {self.URL}: download failed ({type(error).__name__}) and: {place}: "
                    "check the network, or fetch the archive yourself and give its folder as --manual_dir"
                ) from error
        found = self._find_root(given)
        archives = sorted(given.glob("*.zip"))
        if found is None and len(archives) == 1:
            found = self._find_root(extract(dl_manager, archives[0]))
        if found is None:
            instructions = " ".join((self.MANUAL_DOWNLOAD_INSTRUCTIONS or "").split())
            raise DatasetError(f"{self.name}: {given}: not the layout of the archive: {instructions}")
        return found

    def _find_root(self, folder: epath.Path) -> epath.Path | None:
        inside = [child for child in sorted(folder.iterdir()) if child.is_dir()] if folder.is_dir() else []
        return next((place for place in (folder, *inside) if self._holds_archive(place)), None)


def extract(dl_manager: tfds.download.DownloadManager, archive: epath.Path) -> epath.Path:
    """Unpacks a zip file with TFDS's extraction, which skips names that lead out of the folder.

    Raises:
      DatasetError: the file is damaged.
    """
    try:
        return dl_manager.extract(archive)
    except Exception as error:
        raise DatasetError(f"{archive}: cannot be unpacked ({error.__cause__ or error}): fetch it again") from error


def format_report(report: Mapping[str, Any]) -> str:
    """Returns the build report as text: a table of images beside the published one, then every file left out."""
    images, published = report["images"], report["published"]["images"]
    classes = list(next(iter(images.values())))
    lines = [
        f"{report['dataset']}: images built (and as in {report['published']['title']})",
        "".join(f"{cell:>24}" for cell in ("", *classes, "all")),
    ]
    for split in images:
        pairs = [(images[split][label], published[split][label]) for label in classes]
        pairs.append((sum(built for built, _ in pairs), sum(given for _, given in pairs)))
        lines.append(f"{split:>24}" + "".join(f"{f'{built} ({given})':>24}" for built, given in pairs))
    lines.append("groups: " + ", ".join(f"{split} {number}" for split, number in report["groups"].items()))
    for kind in ("unreadable", "dropped"):
        lines.append(f"{kind} files: {len(report[kind])}")
        lines.extend(f"  {omission['file']}: {omission['reason']}" for omission in report[kind])
    return "\n".join(lines)
