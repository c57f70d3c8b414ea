import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.evaluation import seed_means

IMAGES = 90
STRENGTHS = {"plain_0": 0.05, "plain_1": 0.06, "strong_0": 0.2, "plain_2": 0.04, "strong_1": 0.22, "other": 0.05}


def with_seed(run, seed, **train):
    return dataclasses.replace(
        run, config=dataclasses.replace(run.config, train=dataclasses.replace(run.config.train, seed=seed, **train))
    )


@pytest.fixture
def runs(tiny_run, tmp_path):
    """Two configurations of several seeds and one of a single seed, in no order."""
    found = {}
    for name in STRENGTHS:
        changed = {"strong": {"epochs": 7}, "other": {"epochs": 8}}.get(name.partition("_")[0], {})
        seed = int(name[-1]) if name[-1].isdecimal() else 0
        found[name] = with_seed(dataclasses.replace(tiny_run, path=tmp_path / name), seed, **changed)
    return found


@pytest.fixture
def tables(runs, monkeypatch):
    """What the runs say of the test part and of the validation part."""
    target = np.arange(IMAGES) % 2
    noise = np.random.default_rng(0).normal(size=IMAGES)
    found = {}
    for index, (name, strength) in enumerate(STRENGTHS.items()):
        own = np.random.default_rng(index + 1).normal(size=IMAGES)
        found[name] = pd.DataFrame(
            {
                "image_id": [f"image{image}" for image in range(IMAGES)],
                "group_id": [f"patient{image // 3}" for image in range(IMAGES)],
                "target": target,
                "probability": np.clip(0.4 + strength * target + 0.1 * noise + 0.05 * own, 0, 1),
            }
        )
    monkeypatch.setattr(seed_means, "predict_split", lambda run, _: found[run.path.name])
    return found


def summarise(runs):
    return seed_means.summarise(runs, dict.fromkeys(runs, 0.5))


def test_runs_that_differ_in_nothing_but_the_seed_are_one_configuration(runs):
    plain, strong, other = seed_means.configurations(runs)
    assert plain == {"plain_0": 0, "plain_1": 1, "plain_2": 2}
    assert strong == {"strong_0": 0, "strong_1": 1}
    assert other == {"other": 0}
    updated = dataclasses.replace(runs["plain_1"], versions=runs["plain_1"].versions | {"keras": "0"})
    assert seed_means.configurations({"plain_0": runs["plain_0"], "updated": updated}) == [
        {"plain_0": 0},
        {"updated": 1},
    ]


def test_means_and_differences_are_those_of_the_aucs(runs, tables):
    plain, strong, other = summarise(runs)["configurations"]
    aucs = {name: sk.roc_auc_score(table["target"], table["probability"]) for name, table in tables.items()}
    for one in (plain, strong):
        of_runs = [aucs[name] for name in one["runs"]]
        auc = one["metrics"]["auc"]
        assert auc["value"] == pytest.approx(np.mean(of_runs))
        assert auc["sd"] == pytest.approx(np.std(of_runs, ddof=1))
        assert auc["low"] < auc["value"] < auc["high"]
    gap = strong["auc_difference"]
    assert gap["value"] == pytest.approx(strong["metrics"]["auc"]["value"] - plain["metrics"]["auc"]["value"])
    assert 0 < gap["low"] < gap["value"] < gap["high"]
    assert plain["auc_difference"] is None
    assert other["metrics"]["auc"]["sd"] is None


def test_rows_and_remarks_name_the_runs(runs, tables):
    means = summarise(runs)
    assert json.loads(json.dumps(means)) == means
    heading, plain, strong, other = seed_means.rows(means)
    assert {len(row) for row in (plain, strong, other)} == {len(heading)}
    assert plain[:2] == ["plain_0, plain_1, plain_2", "0, 1, 2"]
    assert " ± " in strong[2]
    assert " ± " not in other[2]
    assert strong[3].startswith("+0.")
    higher, _ = means["remarks"]
    assert higher.startswith("strong_0, strong_1: the AUC is higher than that of plain_0, plain_1, plain_2 (+0.")


@pytest.mark.usefixtures("tables")
def test_without_several_seeds_there_are_no_means(runs):
    assert summarise({name: runs[name] for name in ("plain_0", "strong_0", "other")}) is None
    assert summarise({name: with_seed(runs[name], 0) for name in ("plain_0", "plain_1")}) is None


@pytest.mark.usefixtures("tables")
def test_a_seed_that_stands_twice_is_told(runs):
    again = {"plain_0": runs["plain_0"], "plain_1": runs["plain_1"], "plain_2": with_seed(runs["plain_2"], 1)}
    assert summarise(again)["remarks"] == [
        "plain_0, plain_1, plain_2: runs of the same seed are among these, and count as if their seeds differed."
    ]
