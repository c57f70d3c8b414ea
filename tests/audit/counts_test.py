import pandas as pd

from ctcov_tf.audit import counts
from ctcov_tf.audit.collection import Published

TABLE = pd.DataFrame(
    {
        "image_id": list("abcde"),
        "label": ["covid", "covid", "normal", "normal", "normal"],
        "split": ["train", "test", "test", "train", "train"],
        "group": ["p", "p", "p", "", "q"],
        "source": ["web", "web", "", "nih", "nih"],
        "age": [40.0, 60.0, None, None, None],
        "sex": ["M", "M", "", "F", "M"],
    }
)


def test_images_and_sources_by_class():
    assert counts.images(TABLE) == {"train": {"covid": 1, "normal": 2}, "test": {"covid": 1, "normal": 1}}
    assert counts.images(TABLE.assign(split="")) == {"all": {"covid": 2, "normal": 3}}
    assert counts.sources(TABLE) == {
        "nih": {"covid": 0, "normal": 2},
        "web": {"covid": 2, "normal": 0},
        "(not told)": {"covid": 0, "normal": 1},
    }


def test_groups():
    assert counts.groups(TABLE) == {
        "told": 4,
        "number": 2,
        "by_class": {"covid": 1, "normal": 2},
        "of_several_classes": 1,
    }


def test_patients_in_words():
    told = counts.patients(TABLE)
    assert told["covid"] == {"age": "median 50", "sex": "M 100%"}
    assert told["normal"] == {"age": "not told", "sex": "F 50%, M 50% (67% told)"}


def test_against_the_publisher():
    rows = counts.against_published(counts.images(TABLE), Published("book", {"train": {"covid": 1, "normal": 9}}))
    assert rows == [
        {"part": "train", "class": "covid", "found": 1, "published": 1},
        {"part": "train", "class": "normal", "found": 2, "published": 9},
    ]
    whole = counts.against_published(counts.images(TABLE), Published("book", {"all": {"covid": 2, "other": 1}}))
    assert [row["found"] for row in whole] == [2, 0]
    unsplit = counts.images(TABLE.assign(split=""))
    rows = counts.against_published(
        unsplit, Published("book", {"train": {"covid": 1, "normal": 9}, "test": {"covid": 1, "normal": 1}})
    )
    assert rows == [
        {"part": "all", "class": "covid", "found": 2, "published": 2},
        {"part": "all", "class": "normal", "found": 3, "published": 10},
    ]
