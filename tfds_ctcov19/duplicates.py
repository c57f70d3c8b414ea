"""The same picture under two names: one copy is kept, and the patients are taken for one."""

from collections.abc import Iterable
import dataclasses
import hashlib

from scipy.cluster.hierarchy import DisjointSet

from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.image_files import ImageFacts
from tfds_ctcov19.records import Omission, Record


def merge_groups(groups: Iterable[str], same: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names groups anew after what they share.

    Args:
      groups: all groups.
      same: pairs of groups that share a picture.

    Returns:
      The new name of each group: the first, in alphabetical order, of those that hang together.
    """
    connected = DisjointSet(groups)
    for one, other in same:
        connected.merge(one, other)
    return {group: min(subset) for subset in connected.subsets() for group in subset}


def drop_contradictory(records: Iterable[Record]) -> tuple[list[Record], list[Omission]]:
    """Drops files whose bytes stand under two labels: which of them is right is not known.

    Args:
      records: the readable images, with their digests.

    Returns:
      The others, and what was dropped.
    """
    records = list(records)
    labels: dict[str, set[str]] = {}
    for record in records:
        labels.setdefault(record.digest, set()).add(record.label)
    dropped = [
        Omission(record.image_id, f"the same bytes under {' and '.join(sorted(labels[record.digest]))}")
        for record in records
        if len(labels[record.digest]) > 1
    ]
    return [record for record in records if len(labels[record.digest]) == 1], dropped


def drop_identical(records: Iterable[Record], name: str) -> tuple[list[Record], list[Omission]]:
    """Drops files whose bytes repeat another's, and merges the groups of both.

    Args:
      records: the readable images, with their facts.
      name: of the dataset, for the message.

    Returns:
      The images without the repetitions, the first by name of each set of copies kept; and the repetitions.

    Raises:
      DatasetError: copies with two labels.
    """
    records = list(records)
    candidates: dict[ImageFacts | None, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.image_id):
        candidates.setdefault(record.facts, []).append(record)
    dropped: dict[str, Omission] = {}
    same = []
    for alike in candidates.values():
        first: dict[str, Record] = {}
        for record in alike if len(alike) > 1 else ():
            kept = first.setdefault(record.digest or hashlib.sha256(record.content()).hexdigest(), record)
            if kept is record:
                continue
            if kept.label != record.label:
                raise DatasetError(
                    f"{name}: {record.image_id}: {record.label}, and the same bytes as {kept.image_id}: {kept.label}: "
                    "remove the image or mend its label"
                )
            dropped[record.image_id] = Omission(record.image_id, f"the same bytes as {kept.image_id}")
            same.append((kept.group_id, record.group_id))
    groups = merge_groups({record.group_id for record in records}, same)
    return [
        dataclasses.replace(record, group_id=groups[record.group_id])
        for record in records
        if record.image_id not in dropped
    ], list(dropped.values())
