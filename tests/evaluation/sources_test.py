import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.evaluation import sources, summary


def frame(source, target, probability=None, groups=None):
    images = len(source)
    columns = {"source": source, "target": target, "probability": probability or [0.5] * images}
    return pd.DataFrame(columns | {"group_id": groups or [f"g{index}" for index in range(images)]})


@pytest.fixture
def mixed():
    """The positives and few negatives from `a`, other negatives from `b`; the source tells more than the score."""
    generator = np.random.default_rng(0)
    target = np.array([1] * 30 + [0] * 10 + [0] * 40)
    source = ["a"] * 40 + ["b"] * 40
    probability = np.clip(generator.normal(0.3 + 0.1 * target + 0.3 * (np.array(source) == "a"), 0.15), 0, 1)
    return frame(source, target, probability.tolist(), [f"g{index // 2}" for index in range(80)])


def test_keeps_the_images_of_the_sources_of_positives(mixed):
    kept = sources.same_source(mixed)
    assert kept.index.tolist() == list(range(40))
    assert kept["target"].sum() == 30


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (list("aaaa"), [1, 0, 1, 0]),  # one source
        (list("aabb"), [1, 1, 0, 0]),  # each holds one class
        (list("aabb"), [1, 0, 1, 0]),  # every negative shares its source
        (list("ab"), [0, 0]),  # no positive
    ],
)
def test_nothing_where_no_or_every_negative_shares_its_source(source, target):
    assert sources.same_source(frame(source, target)) is None
    assert sources.summarise_same_source(frame(source, target), 0.5) is None


def test_a_dataset_without_sources_says_nothing(mixed):
    without = mixed.drop(columns="source")
    assert sources.same_source(without) is None
    assert sources.source_alone(without, without) is None


def test_numbers_are_those_of_the_rows_kept(mixed):
    shuffled = mixed.sample(frac=1, random_state=3)  # a part's rows need not be numbered in order
    found = sources.summarise_same_source(shuffled, 0.5)
    kept = sources.same_source(shuffled)
    assert found["sources"] == ["a"]
    assert (found["images"], found["positives"]) == (40, 30)
    assert found["metrics"] == summary.summarise(kept, 0.5)["metrics"]
    whole = sk.roc_auc_score(shuffled["target"], shuffled["probability"])
    difference = found["auc_difference"]
    assert difference["value"] == pytest.approx(sk.roc_auc_score(kept["target"], kept["probability"]) - whole)
    assert difference["low"] < difference["value"] < difference["high"] < 0


def test_the_source_alone_is_scored_by_what_train_knows(mixed):
    train = frame(["a"] * 10 + ["b"] * 10, [1] * 8 + [0] * 2 + [1] + [0] * 9)
    found = sources.source_alone(train, mixed)
    assert found["sources"] == {"a": {"images": 40, "positives": 30}, "b": {"images": 40, "positives": 0}}
    assert found["auc"]["value"] == pytest.approx(sk.roc_auc_score(mixed["target"], [0.8] * 40 + [0.1] * 40))
    assert found["auc"]["low"] <= found["auc"]["value"] <= found["auc"]["high"]


def test_a_source_that_train_lacks_counts_as_the_average():
    train = frame(list("aabb"), [1, 1, 0, 0])
    found = sources.source_alone(train, frame(["a", "new", "b", "new"], [1, 1, 0, 0]))
    assert found["auc"]["value"] == pytest.approx(sk.roc_auc_score([1, 1, 0, 0], [1, 0.5, 0, 0.5]))
