from collections import Counter

from etils import epath
import pytest

from tfds_ctcov19.ctcov19 import regroup
from tfds_ctcov19.records import Record


def record(image_id: str, label: str) -> Record:
    part, _, name = image_id.partition("/")
    split = {"Train": "train", "Val": "validation", "Test": "test"}[part]
    group = image_id.rpartition("/")[0]
    return Record(epath.Path(name), image_id, label, split, group, group)


@pytest.fixture
def released() -> list[Record]:
    """A small archive in the manner of the real one: series, batch dumps, one running number over all parts."""
    series = [
        (part, folder) for part, folders in (("Train", 30), ("Val", 3), ("Test", 12)) for folder in range(folders)
    ]
    images = [
        record(f"{part}/COV/{folder:02d}/FILE001{k}.jpg", "covid19")
        for part, folder in series
        for k in range(6, 21 + folder)
    ]
    images += [record(f"Train/COV/2020_4_23/pos_{n}.png", "covid19") for n in range(100, 300) if n % 17]
    images += [
        record(f"{'Train' if n < 1400 else 'Val' if n < 1800 else 'Test'}/Normal/1/neg_{n}.png", "normal")
        for n in range(2300)
    ]
    images += [record(f"Train/OtherPneumonia/pneu_1/pneu_{n}.png", "other_pneumonia") for n in range(0, 400)]
    images += [record(f"Val/OtherPneumonia/pneu_{n}.png", "other_pneumonia") for n in range(133, 160)]
    return images


def test_groups_stay_whole_and_every_image_stays(released):
    regrouped = regroup.regroup(released)
    assert [r.image_id for r in regrouped] == [r.image_id for r in released]
    splits: dict[str, set[str]] = {}
    for image in regrouped:
        splits.setdefault(image.group_id, set()).add(image.split)
    assert all(len(found) == 1 for found in splits.values())


@pytest.mark.parametrize("label", ["covid19", "normal", "other_pneumonia"])
def test_ratios_hold_in_every_class(released, label):
    splits = Counter(image.split for image in regroup.regroup(released) if image.label == label)
    for split, ratio in regroup.RATIOS.items():
        assert splits[split] / splits.total() == pytest.approx(ratio, abs=0.02)


def test_series_are_groups_and_keep_their_part_in_the_key(released):
    groups = {r.image_id: r.group_id for r in regroup.regroup(released)}
    assert groups["Train/COV/01/FILE0016.jpg"] == "Train/COV/01"
    assert groups["Test/COV/01/FILE0016.jpg"] == "Test/COV/01"


def test_runs_end_at_gaps_and_hold_equal_numbers_together(released):
    groups = {r.image_id: r.group_id for r in regroup.regroup(released)}
    assert groups["Train/COV/2020_4_23/pos_103.png"] == "covid19/pos_103-118"  # 102 and 119 are not there
    assert groups["Train/OtherPneumonia/pneu_1/pneu_133.png"] == groups["Val/OtherPneumonia/pneu_133.png"]
    sizes = Counter(groups[image] for image in groups if "/COV/" not in image or "pos_" in image)
    assert max(sizes.values()) <= regroup.LONGEST_RUN


def test_the_split_does_not_depend_on_the_order_of_the_files(released):
    forwards = {r.image_id: r.split for r in regroup.regroup(released)}
    assert forwards == {r.image_id: r.split for r in regroup.regroup(released[::-1])}
    assert len(set(forwards.values())) == 3
