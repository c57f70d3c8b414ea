import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.evaluation import subgroups, summary

IMAGES = 240


@pytest.fixture
def frame():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 2, IMAGES)
    return pd.DataFrame(
        {
            "target": target,
            "probability": np.clip(generator.normal(0.4 + 0.2 * target, 0.2), 0, 1),
            "group_id": (np.arange(IMAGES) // 2).astype(str),
            "sex": generator.choice(["M", "F", ""], IMAGES, p=[0.5, 0.4, 0.1]),
            "age": generator.choice([-1, 0, 17, 18, 39, 40, 65, 80, 101], IMAGES),
            "view": "PA",
            "source": [f"atlas {index % 4}" for index in range(IMAGES)],
        }
    )


def test_every_level_is_judged_on_its_own_images(frame):
    found = subgroups.by_subgroup(frame, 0.5)
    assert list(found) == ["source", "sex", "age"]  # one view only tells nothing apart
    assert set(found["sex"]) == {"M", "F", "unknown"}
    assert list(found["sex"])[-1] == "unknown"
    for level, value in {"M": "M", "F": "F", "unknown": ""}.items():
        rows, one = frame[frame["sex"] == value], found["sex"][level]
        assert (one["images"], one["groups"]) == (len(rows), rows["group_id"].nunique())
        assert one["metrics"]["auc"]["value"] == pytest.approx(sk.roc_auc_score(rows["target"], rows["probability"]))
        assert one["metrics"]["recall"] == summary.summarise(rows, 0.5)["metrics"]["recall"]


def test_ages_stand_in_bands_and_in_order(frame):
    found = subgroups.by_subgroup(frame, 0.5)["age"]
    assert list(found) == ["under 18", "18 to 39", "40 to 59", "60 to 79", "80 and over", "unknown"]
    ages = frame["age"]
    expected = [(ages.isin(band)).sum() for band in ([0, 17], [18, 39], [40], [65], [80, 101], [-1])]
    assert [one["images"] for one in found.values()] == expected


@pytest.mark.parametrize("dimension", ["source", "sex", "age"])
def test_no_image_is_lost_or_counted_twice(frame, dimension):
    found = subgroups.by_subgroup(frame, 0.5)[dimension]
    assert sum(one["images"] for one in found.values()) == IMAGES
    assert sum(one["positives"] for one in found.values()) == frame["target"].sum()


def test_small_rows_are_said_to_be_small(frame):
    frame.loc[frame.index[:6], "sex"] = "other"
    found = subgroups.by_subgroup(frame, 0.5)["sex"]
    assert {level: one["small"] for level, one in found.items()} == {
        "M": False,
        "F": False,
        "other": True,
        "unknown": True,
    }
    one_class = frame.assign(sex=np.where(frame["target"], "M", "F"))
    found = subgroups.by_subgroup(one_class, 0.5)["sex"]
    assert found["M"]["small"]
    assert found["M"]["metrics"]["auc"] == {"value": None, "low": None, "high": None}


def test_many_sources_are_pooled_but_for_the_largest(frame):
    frame["source"] = [f"atlas {index % (3 + index % 17)}" for index in range(IMAGES)]
    found = subgroups.by_subgroup(frame, 0.5)["source"]
    assert len(found) == subgroups.MOST + 1
    assert list(found)[-1] == subgroups.OTHERS
    sizes = [one["images"] for one in found.values()][:-1]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(one["images"] for one in found.values()) == IMAGES


def test_what_is_not_recorded_is_left_out(frame):
    assert subgroups.by_subgroup(frame.drop(columns=["sex", "age", "source", "view"]), 0.5) == {}
    assert "sex" not in subgroups.by_subgroup(frame.assign(sex=""), 0.5)
    assert subgroups.by_subgroup(frame.head(0), 0.5) == {}
    half = frame.assign(sex=np.where(frame["sex"] == "M", "M", ""))
    assert list(subgroups.by_subgroup(half, 0.5)["sex"]) == ["M", "unknown"]
