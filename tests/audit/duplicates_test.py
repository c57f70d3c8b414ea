import cv2
import numpy as np
import pandas as pd
import pytest

from ctcov_tf.audit import duplicates, hashes
from ctcov_tf.audit.scan import SIDE, Scan
from tests.audit import samples

SHAPE = (200, 240)


def jpeg(image, quality=70):
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def scaled(image, share):
    return cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


CHANGES = {
    "brighter and JPEG": lambda image: jpeg(np.clip(image * 0.8 + 40, 0, 255).astype(np.uint8)),
    "half the size": lambda image: scaled(image, 0.5),
    "other proportions": lambda image: cv2.resize(image, (260, 170), interpolation=cv2.INTER_AREA),
    "mirrored": lambda image: image[:, ::-1],
    "cut by 2 % all round": lambda image: image[4:-4, 5:-5],
    "cut by 5 % all round": lambda image: image[10:-10, 12:-12],
    "cut by 8 % at the bottom": lambda image: image[:184],
    "cut by 10 % at one corner": lambda image: image[20:, :216],
    "mirrored and cut": lambda image: image[20:, :216][:, ::-1],
    "with letters": lambda image: cv2.putText(image.copy(), "R  4/5", (10, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1),
    "a black border around": lambda image: cv2.copyMakeBorder(image, 3, 3, 4, 4, cv2.BORDER_CONSTANT, value=0),
}


def seen(images, labels, splits=None, groups=None):
    files = [cv2.imencode(".png", image)[1].tobytes() for image in images]
    table = pd.DataFrame(
        {
            "image_id": [f"i{number}" for number in range(len(images))],
            "label": labels,
            "split": splits or "train",
            "group": groups or [f"g{number}" for number in range(len(images))],
            "sha256": [str(hash(data)) for data in files],
        }
    )
    thumbnails = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images]
    return Scan(table, np.stack(thumbnails), {})


def others(count=40):
    return [samples.picture(1000 + number, SHAPE) for number in range(count)]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_changed_copy_is_found_among_others(change):
    for seed in range(3):
        image = samples.picture(seed, SHAPE)
        images = [*others(), image, np.ascontiguousarray(CHANGES[change](image))]
        found = duplicates.find(seen(images, ["covid"] * 41 + ["normal"]))
        assert [{pair.first, pair.second} for pair in found.pairs] == [{40, 41}]
        assert found.pairs[0].how.startswith("mirrored") == change.startswith("mirrored")


def test_the_same_file_is_told_from_the_same_picture():
    image = samples.picture(0, SHAPE)
    images = [*others(10), image, image.copy(), jpeg(image)]
    found = duplicates.find(seen(images, ["a"] * 11 + ["b"] + ["b"]))
    assert [(pair.first, pair.second, pair.how) for pair in found.pairs] == [
        (10, 11, "same file"),
        (10, 12, "same picture"),
        (11, 12, "same picture"),
    ]
    assert found.pairs[0].correlation == 1


def test_pictures_that_only_look_alike_are_none():
    """One outline, other details: as the chests of two patients."""
    outline = cv2.GaussianBlur(samples.picture(0, SHAPE), (0, 0), 12).astype(float)
    images = []
    for seed in range(30):
        fine = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=SHAPE), (0, 0), 2)
        images.append(np.clip(2 * outline - 128 + 60 * fine, 0, 255).astype(np.uint8))
    correlations = np.corrcoef([cv2.resize(image, (32, 32)).ravel() for image in images])
    assert np.median(correlations) > 0.9
    assert not duplicates.find(seen(images, ["a", "b"] * 15)).pairs


def test_neighbours_of_one_group_and_part_and_class_are_left_alone():
    image = samples.picture(0, SHAPE)
    images = [*others(10), image, jpeg(image), image]
    labels, groups = ["a"] * 13, [*map(str, range(10)), "x", "x", "x"]
    found = duplicates.find(seen(images, labels, groups=groups))
    assert not found.pairs
    assert found.repeated_files == 1
    found = duplicates.find(seen(images, labels, groups=[*map(str, range(10)), "x", "y", "x"]))
    assert {(pair.first, pair.second) for pair in found.pairs} == {(10, 11), (11, 12)}


def test_without_groups_only_classes_and_parts_are_held_apart():
    image = samples.picture(0, SHAPE)
    images = [*others(10), image, jpeg(image)]
    assert not duplicates.find(seen(images, ["a"] * 12, groups=[""] * 12)).pairs
    assert duplicates.find(seen(images, ["a"] * 12, ["train"] * 11 + ["test"], [""] * 12)).pairs


def test_constant_pictures_and_single_pictures_are_no_error():
    assert not duplicates.find(seen([np.zeros(SHAPE, np.uint8)], ["a"])).pairs
    black = [np.full(SHAPE, level, np.uint8) for level in (0, 0, 90, 255)]
    found = duplicates.find(seen(black, ["a", "b", "a", "b"]))
    assert [pair.how for pair in found.pairs] == ["same file"]


def test_where_too_many_are_alike_the_closest_are_compared_and_it_is_told(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_CANDIDATES", 6)
    image = samples.picture(0, SHAPE)
    images = [*others(20), image, image + 1, *(image[cut:, cut:] for cut in (4, 6, 8, 10, 12))]
    found = duplicates.find(seen([np.ascontiguousarray(one) for one in images], ["a"] * 27))
    assert found.examined <= 6
    assert found.most_bits < duplicates.MOST_BITS
    assert {20, 21} in [{pair.first, pair.second} for pair in found.pairs]


def test_an_overlay_gives_the_correlation_of_details():
    first = cv2.resize(samples.picture(0, SHAPE), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    whole = hashes.WINDOWS[0]
    assert duplicates.overlay_correlation(first, first, whole, False) == pytest.approx(1, abs=1e-3)
    assert duplicates.overlay_correlation(first, first[:, ::-1].copy(), whole, True) == pytest.approx(1, abs=1e-3)
    assert duplicates.overlay_correlation(first, np.zeros_like(first), whole, False) == 0
