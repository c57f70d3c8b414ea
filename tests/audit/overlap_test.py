import pandas as pd

from ctcov_tf.audit import overlap


def table(*rows):
    return pd.DataFrame(rows, columns=["split", "group"])


def test_groups_in_two_parts_are_counted_with_their_images():
    found = overlap.overlaps(table(("train", "p"), ("train", "p"), ("test", "p"), ("test", "q"), ("validation", "r")))
    assert found == [{"parts": ["train", "test"], "groups": 1, "images": [2, 1], "examples": ["p"]}]


def test_an_empty_group_is_none():
    assert not overlap.overlaps(table(("train", ""), ("test", ""), ("train", "p"), ("test", "q")))
