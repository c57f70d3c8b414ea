import numpy as np
import pandas as pd
import pytest

from ctcov_tf import errors
from ctcov_tf.audit import scan
from ctcov_tf.audit.collection import TOLD, Collection
from ctcov_tf.audit.folder import open_folder
from tests.audit import samples


def test_facts_come_from_the_content_and_not_from_the_name(tmp_path):
    samples.write(tmp_path / "covid/a.png", samples.picture(0, (40, 60)))
    samples.write(tmp_path / "normal/b.jpg", np.repeat(samples.picture(1, (30, 50))[..., None], 3, axis=2))
    (tmp_path / "normal/b.jpg").rename(tmp_path / "normal/b.png")
    table = scan.scan(open_folder(tmp_path)).table
    assert list(table["file_format"]) == ["PNG", "JPEG"]
    assert list(table["mode"]) == ["L", "RGB"]
    assert table[["width", "height"]].to_numpy().tolist() == [[60, 40], [50, 30]]
    assert list(table["file_bytes"]) == [(tmp_path / name).stat().st_size for name in table["image_id"]]


def test_thumbnails_stand_in_the_order_of_the_table(tmp_path):
    for number in range(50):
        samples.write(tmp_path / f"covid/{number:02}.png", np.full((8, 9), 5 * number, np.uint8))
    seen = scan.scan(open_folder(tmp_path))
    assert seen.thumbnails.shape == (50, scan.SIDE, scan.SIDE)
    np.testing.assert_array_equal(seen.thumbnails[:, 3, 3], 5 * np.arange(50))


def test_unreadable_images_are_named_and_left_out(tmp_path):
    for name in ("a", "b", "c"):
        samples.write(tmp_path / f"covid/{name}.png", samples.picture(3))
    damaged = tmp_path / "covid/b.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    seen = scan.scan(open_folder(tmp_path))
    assert list(seen.table["image_id"]) == ["covid/a.png", "covid/c.png"]
    assert len(seen.thumbnails) == 2
    assert list(seen.unreadable) == ["covid/b.png"]
    assert "damaged or truncated" in seen.unreadable["covid/b.png"]


def test_nothing_readable_is_an_error():
    table = pd.DataFrame({name: ["x"] for name in TOLD})
    with pytest.raises(errors.CtcovError, match="empties: no image can be decoded: empty file"):
        scan.scan(Collection("empties", table, lambda: iter([b""])))


def test_few_images_are_held_at_once():
    held = scan._AHEAD * len(scan.os.sched_getaffinity(0))
    taken = []

    def items():
        for number in range(10 * held):
            taken.append(number)
            yield number

    results = scan._on_all_processors(lambda number: -number, items())
    for number, result in enumerate(results):
        assert result == -number
        assert len(taken) <= number + held + 1
