from collections import Counter
import itertools

from etils import epath
import numpy as np
import pytest

from tfds_ctcov19 import group_splits
from tfds_ctcov19.records import Record

RATIOS = {"train": 0.6, "validation": 0.1, "test": 0.3}


def record(number: int, label: str, group: str) -> Record:
    return Record(epath.Path(str(number)), str(number), label, "", group, "")


@pytest.fixture
def records() -> list[Record]:
    """Three patients of four have one image, the fourth three; every tenth group has both classes."""
    rng = np.random.default_rng(0)
    images: list[Record] = []
    for group in range(200):
        label = "covid19" if group % 2 else "normal"
        for k in range(rng.choice([1, 1, 1, 3])):
            other = "normal" if k and group % 10 == 1 else label
            images.append(record(len(images), other, f"patient{group}"))
    return images


def test_groups_stay_whole_and_classes_are_alike(records):
    drawn = group_splits.split(records, RATIOS, 0)
    splits: dict[str, set[str]] = {}
    for image in drawn:
        splits.setdefault(image.group_id, set()).add(image.split)
    assert all(len(found) == 1 for found in splits.values())
    for label in ("covid19", "normal"):
        counts = Counter(image.split for image in drawn if image.label == label)
        for split, ratio in RATIOS.items():
            assert counts[split] / counts.total() == pytest.approx(ratio, abs=0.03)


def test_patients_with_many_images_stand_in_every_part(records):
    drawn = group_splits.split(records, RATIOS, 0)
    sizes = Counter(image.group_id for image in drawn)
    splits = Counter(image.split for image in drawn if sizes[image.group_id] == 3)
    assert splits["test"] / splits.total() == pytest.approx(RATIOS["test"], abs=0.1)
    assert splits["validation"]


def test_the_seed_decides_and_the_order_does_not(records):
    def splits(images: list[Record], seed: int) -> dict[str, str]:
        return {image.image_id: image.split for image in group_splits.split(images, RATIOS, seed)}

    assert splits(records, 0) == splits(records[::-1], 0)
    assert splits(records, 0) != splits(records, 1)


def test_single_images_are_split_where_they_are_the_unit(records):
    drawn = group_splits.split(records, RATIOS, 0, unit=lambda image: image.image_id)
    assert any(one.group_id == other.group_id and one.split != other.split for one, other in itertools.pairwise(drawn))
    assert Counter(image.split for image in drawn)["test"] == pytest.approx(0.3 * len(drawn), abs=2)


def test_three_groups_fill_three_splits():
    splits = group_splits.assign({"a": 90, "b": 2, "c": 1}, RATIOS, np.random.default_rng(0))
    assert sorted(splits.values()) == ["test", "train", "validation"]
    assert splits["a"] == "train"
