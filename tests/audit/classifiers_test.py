import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model, model_selection
from sklearn import metrics as sk

from ctcov_tf.audit import classifiers
from ctcov_tf.audit.scan import SIDE, Scan
from tests.audit import samples
from tfds_ctcov19.phantom import scanner


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    monkeypatch.setattr(classifiers, "TREES", 60)


def seen(images, labels, groups, **columns):
    count = len(images)
    rng = np.random.default_rng(count)
    width = rng.integers(150, 250, count)
    table = pd.DataFrame(
        {
            "image_id": [f"i{number}" for number in range(count)],
            "label": labels,
            "split": "train",
            "group": groups,
            "source": "",
            "file_format": "PNG",
            "mode": "L",
            "width": width,
            "height": width,
            "file_bytes": width * width,
        }
    ).assign(**columns)
    return Scan(table, np.stack([cv2.resize(i, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for i in images]), {})


def made_up(groups=60, change=None, seed=0):
    images, labels, names = [], [], []
    for group in range(groups):
        for number in range(2):
            label = samples.CLASSES[group % 2]
            image = samples.picture((seed, group, number))
            images.append(change(image, label) if change else image)
            labels.append(label)
            names.append(f"p{group}")
    return images, labels, names


def lows(results):
    return {result.name: max(one.low for one in result.classes) for result in results}


def test_pictures_alike_are_at_chance_with_every_seed():
    for seed in range(3):
        found = classifiers.run(seen(*made_up(groups=40, seed=seed)), seed)
        assert [result.name for result in found] == ["file", "border", "masked_centre", "thumbnail"]
        assert max(lows(found).values()) < 0.6


def test_a_mark_in_a_corner_is_seen_in_the_border():
    for seed in range(2):
        low = lows(classifiers.run(seen(*made_up(change=samples.mark, seed=seed)), seed))
        assert min(low["border"], low["masked_centre"]) > 0.9
        assert low["file"] < 0.6


@pytest.mark.parametrize("shortcut", [False, True])
def test_the_mark_of_the_phantoms_is_seen_and_nothing_else(shortcut):
    drawn = [scanner.scan(index, (96, 96), shortcut=shortcut) for index in range(216)]
    images, labels, groups = zip(*((one.image, one.label, f"p{one.patient}") for one in drawn), strict=True)
    low = lows(classifiers.run(seen(images, labels, groups)))
    assert low["file"] < 0.6
    assert (low["border"] > 0.9) == (low["masked_centre"] > 0.9) == shortcut
    if not shortcut:
        assert max(low["border"], low["masked_centre"]) < 0.6


def test_files_sources_and_patients_are_seen_where_they_tell():
    images, labels, groups = made_up()
    covid = np.array(labels) == "covid"
    rng = np.random.default_rng(0)
    told = seen(
        images,
        labels,
        groups,
        file_format=np.where(covid, "PNG", "JPEG"),
        source=np.where(covid, "papers", rng.choice(["papers", "web"], len(labels), p=[0.1, 0.9])),
        age=np.where(covid, 60, 30) + rng.normal(0, 5, len(labels)),
        sex=rng.choice(["M", "F"], len(labels)),
        view="AP",
    )
    low = lows(classifiers.run(told))
    assert list(low) == ["file", "source", "patient", "border", "masked_centre", "thumbnail"]
    assert min(low["file"], low["source"], low["patient"]) > 0.85
    assert low["border"] < 0.6


def test_what_is_known_of_the_group_alone_is_not_learnt():
    """Each source is one group: by image it would tell the class, by group it can't."""
    images, labels, groups = made_up()
    low = lows(classifiers.run(seen(images, labels, groups, source=groups)))
    assert low["source"] < 0.6


def test_folds_keep_groups_together_and_score_every_image_once():
    codes, groups = np.arange(40) // 2 % 2, np.array([f"p{number // 2}" for number in range(40)])
    features = np.random.default_rng(0).normal(size=(40, 3))

    calls = []

    class Recorder:
        classes_ = np.array([0, 1])

        def fit(self, rows, codes):
            self.train = {tuple(row) for row in rows}
            return self

        def predict_proba(self, rows):
            held_out = {tuple(row) for row in rows}
            assert not self.train & held_out
            names = [{groups[k] for k, f in enumerate(features) if tuple(f) in part} for part in (self.train, held_out)]
            assert not names[0] & names[1]
            calls.append(len(rows))
            return np.tile([0.25, 0.75], (len(rows), 1))

    scores = classifiers.out_of_fold(Recorder, features, codes, groups, 5, 0)
    assert sum(calls) == 40
    np.testing.assert_array_equal(scores, np.tile([0.25, 0.75], (40, 1)))


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    codes, groups = np.arange(90) % 3, np.arange(90) // 3 * 3 % 17
    features = rng.normal(size=(90, 4)) + codes[:, None]
    splitter = model_selection.StratifiedGroupKFold(5, shuffle=True, random_state=3)
    expected = model_selection.cross_val_predict(
        linear_model.LogisticRegression(), features, codes, groups=groups, cv=splitter, method="predict_proba"
    )
    found = classifiers.out_of_fold(linear_model.LogisticRegression, features, codes, groups, 5, 3)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    auc = classifiers._auc(codes == 1, found[:, 1], "b", groups.astype(str), np.ones((3, 90)))
    assert auc.value == pytest.approx(sk.roc_auc_score(codes == 1, expected[:, 1]))


def test_few_groups_have_a_value_and_no_interval():
    images, labels, groups = made_up(groups=12)
    found = classifiers.run(seen(images, labels, groups))
    assert all(one.low is None and 0 <= one.value <= 1 for result in found for one in result.classes)
    assert all("no interval for covid: less than 10 groups" in result.reason for result in found)


@pytest.mark.parametrize(
    ("labels", "groups", "reason"),
    [
        (["a"] * 8, list("abcdefgh"), "one class only"),
        (["a", "b"] * 4, ["p", "q", "r", "q", "s", "q", "t", "q"], "a class has images of 1 group only"),
    ],
)
def test_what_cannot_be_run_says_why(labels, groups, reason):
    found = classifiers.run(seen([samples.picture(number) for number in range(8)], labels, groups))
    assert {result.reason for result in found} == {reason}
    assert not any(result.classes for result in found)


def test_an_image_without_a_group_is_a_group_of_its_own():
    table = pd.DataFrame({"image_id": ["a", "b", "c"], "group": ["", "p", ""]})
    assert list(classifiers.groups_of(table)) == ["image a", "p", "image c"]
