"""The split of Table VI of the paper: 70 / 30, and other pneumonias added to the test part.

Validation is cut from the paper's 70 %.
"""

from collections.abc import Iterable
import dataclasses

import numpy as np

from tfds_ctcov19 import group_splits
from tfds_ctcov19.records import Record

SEED = 0
RATIOS = {"train": 0.6, "validation": 0.1, "test": 0.3}
ADDED_CLASS, ADDED_SOURCE = "other_pneumonia", "nih"


def split(records: Iterable[Record], added: int, *, by_patient: bool) -> list[Record]:
    """Gives every image its split.

    Images of other pneumonia are set aside first, and added to the test part; see `set_aside`.

    Args:
      records: the images.
      added: how many images to set aside.
      by_patient: whether groups stay whole, in splits alike by class and source; else single images are drawn, in
        splits alike by class.

    Returns:
      The images with their splits, in their order.
    """
    records = list(records)
    aside = set_aside(records, added)
    rest = [record for record in records if record.image_id not in aside]
    if by_patient:
        drawn = group_splits.split(rest, RATIOS, SEED, stratum=lambda record: (record.label, record.source))
    else:
        drawn = group_splits.split(rest, RATIOS, SEED, unit=lambda record: record.image_id)
    splits = {record.image_id: record.split for record in drawn}
    return [dataclasses.replace(record, split=splits.get(record.image_id, "test")) for record in records]


def set_aside(records: Iterable[Record], most: int) -> set[str]:
    """Chooses the images of other pneumonia that are added to the test part.

    Only whole groups that hold nothing but other pneumonia are taken, those of NIH before any others, and at most half
    of the class's images, so that enough of it is left for all parts.

    Args:
      records: the images.
      most: how many to choose at most.

    Returns:
      The names of the images.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.group_id, []).append(record)
    pure = sorted(name for name, images in groups.items() if {image.label for image in images} == {ADDED_CLASS})
    np.random.default_rng(SEED).shuffle(pure)
    pure.sort(key=lambda name: groups[name][0].source != ADDED_SOURCE)
    in_class = sum(image.label == ADDED_CLASS for images in groups.values() for image in images)
    wanted, chosen = min(most, in_class // 2), set[str]()
    for name in pure:
        if len(chosen) + len(groups[name]) <= wanted:
            chosen |= {image.image_id for image in groups[name]}
    return chosen
