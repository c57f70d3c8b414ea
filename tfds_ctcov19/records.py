"""Image files of an archive on their way to TFDS examples."""

from collections.abc import Callable, Iterable, Mapping
import dataclasses
import hashlib
from typing import Any

from etils import epath

from tfds_ctcov19 import image_files
from tfds_ctcov19.errors import DatasetError


@dataclasses.dataclass(frozen=True)
class Record:
    """One image file and what the archive knows of it.

    Attributes:
      path: where its bytes are.
      image_id: unique name in the dataset.
      label: class name.
      split: `train`, `validation` or `test`; empty until it is decided.
      group_id: patient, series or batch that must not be split.
      source: where in the archive it stands.
      more: further features of this dataset; of one that costs memory or time a function that makes it.
      read: makes the image file's bytes, where they are not those of `path`; `path` is then what it is made of.
      facts: what the file tells about itself, None until it was read.
      digest: SHA-256 of its bytes; empty until it was read.
    """

    path: epath.Path
    image_id: str
    label: str
    split: str
    group_id: str
    source: str
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    facts: image_files.ImageFacts | None = None
    digest: str = ""
    read: Callable[[], bytes] | None = None

    def content(self) -> bytes:
        """The image file's bytes.

        Raises:
          OSError: the file cannot be read.
          UnreadableImageError: it cannot be made into an image.
        """
        return self.read() if self.read else self.path.read_bytes()

    def example(self) -> dict[str, Any]:
        """Returns the TFDS example; reads the file once more.

        Raises:
          DatasetError: the file is no longer what it was.
        """
        assert self.facts is not None
        try:
            data = self.content()
        except (OSError, image_files.UnreadableImageError):
            data = b""
        if hashlib.sha256(data).hexdigest() != self.digest:
            raise DatasetError(f"{self.path}: changed during the build: leave the archive alone and build again")
        return {
            "image": data,
            "label": self.label,
            "image_id": self.image_id,
            "group_id": self.group_id,
            "source": self.source,
            **dataclasses.asdict(self.facts),
            **{name: value() if callable(value) else value for name, value in self.more.items()},
        }

    def keyed_example(self) -> tuple[str, dict[str, Any]]:
        """Returns the image's name and its example."""
        return self.image_id, self.example()


@dataclasses.dataclass(frozen=True)
class Omission:
    """A file that is in the archive and not in the dataset, and why."""

    file: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """What a config makes of the readable images.

    Attributes:
      kept: the images to build, with their splits.
      dropped: those left out.
      notes: sentences for the build report.
    """

    kept: list[Record]
    dropped: list[Omission] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


def read_all(records: Iterable[Record]) -> tuple[list[Record], list[Omission]]:
    """Decodes every file whole; returns the readable ones with their facts, and the others with their fault."""
    readable, unreadable = [], []
    for record in records:
        try:
            data = record.content()
            facts = image_files.read_facts(data)
        except OSError as error:
            unreadable.append(Omission(record.image_id, f"cannot be read: {error.strerror or type(error).__name__}"))
        except image_files.UnreadableImageError as error:
            unreadable.append(Omission(record.image_id, f"unreadable: {error}"))
        else:
            digest = hashlib.sha256(data).hexdigest()
            readable.append(dataclasses.replace(record, facts=facts, digest=digest))
    return readable, unreadable


def count(records: Iterable[Record], splits: Iterable[str], classes: Iterable[str]) -> dict[str, dict[str, int]]:
    """Returns the number of images by split and class, zeros included."""
    table = {split: dict.fromkeys(classes, 0) for split in splits}
    for record in records:
        table[record.split][record.label] += 1
    return table


def check(
    records: list[Record], table: Mapping[str, Mapping[str, int]], name: str, *, groups_disjoint: bool = True
) -> None:
    """Refuses a dataset with an empty class in a split, a name used twice, or a group in two splits.

    Args:
      records: the images with their splits.
      table: number of images by split and class.
      name: of the dataset, for the message.
      groups_disjoint: False where groups may stand in two splits.

    Raises:
      DatasetError: with the fault and its remedy.
    """
    for split, by_class in table.items():
        empty = [label for label, images in by_class.items() if not images]
        if empty:
            raise DatasetError(
                f"{name}: no readable image of class {', '.join(empty)} in {split}: "
                "give the whole archive, every class is needed in every part"
            )
    seen: set[str] = set()
    for record in records:
        if record.image_id in seen:
            raise DatasetError(f"{name}: {record.image_id}: listed twice: give the archive as published")
        seen.add(record.image_id)
    splits: dict[str, str] = {}
    for record in records:
        other = splits.setdefault(record.group_id, record.split)
        if groups_disjoint and other != record.split:
            raise DatasetError(
                f"{name}: group {record.group_id} stands in {other} and {record.split}: "
                "mend the patient ids or the split lists"
            )
