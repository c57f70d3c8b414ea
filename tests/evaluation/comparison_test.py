import dataclasses
import json

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf import RESEARCH_USE, errors, files
from ctcov_tf.evaluation import (
    comparison,
    comparison_files,
    comparison_page,
    figures,
    forest,
    seed_means,
    sources,
    summary,
)
from ctcov_tf.statistics import bootstrap, delong, several

IMAGES = 90


@pytest.fixture
def runs(tiny_run, tmp_path, monkeypatch):
    """Three evaluated runs on the same images: the second tells the classes better than the first, the third as well.

    A third of the negatives come from the source of the positives, the others from elsewhere.
    """
    generator = np.random.default_rng(0)
    target = np.arange(IMAGES) % 2
    source = np.where((target == 1) | (np.arange(IMAGES) % 3 == 0), "here", "there")
    groups = [f"g{index // 3}" for index in range(IMAGES)]
    noise = generator.normal(size=IMAGES)
    tables, found = {}, {}
    for name, strength in (("alone", 0.05), ("better", 0.4), ("alike", 0.05)):
        scores = np.clip(0.4 + strength * target + 0.1 * noise + 0.05 * generator.normal(size=IMAGES), 0, 1)
        columns = {"target": target, "probability": scores, "group_id": groups, "source": source}
        columns["image_id"] = [f"image{index}" for index in range(IMAGES)]
        tables[name] = pd.DataFrame(columns)
        run = dataclasses.replace(tiny_run, path=tmp_path / name)
        files.write_json(run.metrics_file, _metrics(tables[name]))
        found[name] = run
    for module in (comparison, seed_means):
        monkeypatch.setattr(module, "predict_split", lambda run, _: tables[run.path.name])
    return found, tables


def _metrics(table):
    return {
        "dataset": "covid_cxr/by_patient:1.0.0",
        "positive": "covid19",
        "synthetic": False,
        "splits": {"validation": summary.summarise(table, 0.5), "test": summary.summarise(table, 0.5)},
        "same_source": {"test": sources.summarise_same_source(table, 0.5)},
        "bootstrap": {"replicates": bootstrap.REPLICATES, "seed": summary.SEED},
        "warnings": ["Patients stand in train and in test."],
        "test_readings": 1,
    }


def test_differences_are_paired(runs):
    found, tables = runs
    compared = comparison.compare(found)
    arm = compared["arms"]["better"]
    aucs = {name: sk.roc_auc_score(table["target"], table["probability"]) for name, table in tables.items()}
    assert arm["auc_difference"]["value"] == pytest.approx(aucs["better"] - aucs["alone"])
    assert 0 < arm["auc_difference"]["low"] < arm["auc_difference"]["high"]
    unpaired = arm["metrics"]["auc"]["high"] - compared["arms"]["alone"]["metrics"]["auc"]["low"]
    assert arm["auc_difference"]["high"] < unpaired
    kept = {name: table[table["source"] == "here"] for name, table in tables.items()}
    here = [sk.roc_auc_score(kept[name]["target"], kept[name]["probability"]) for name in ("better", "alone")]
    assert arm["same_source_auc_difference"]["value"] == pytest.approx(here[0] - here[1])
    assert compared["arms"]["alone"]["auc_difference"] is None


def test_tests_stand_beside_the_bootstrap(runs):
    found, tables = runs
    compared = comparison.compare(found)
    assert compared["arms"]["alone"]["tests"] is None
    target = tables["alone"]["target"]
    for name in ("better", "alike"):
        one, other = (tables[row]["probability"].to_numpy() for row in (name, "alone"))
        tests = compared["arms"][name]["tests"]
        expected = delong.compare(target, one, other)
        assert (tests["delong"]["z"], tests["delong"]["p_value"]) == (expected.z, expected.p_value)
        first, second = ((scores >= 0.5) == target for scores in (one, other))
        assert tests["mcnemar"]["only_ours"] == (first & ~second).sum()
        assert tests["mcnemar"]["only_theirs"] == (second & ~first).sum()
    for test in ("delong", "mcnemar"):
        p_values, corrected = (
            [compared["arms"][name]["tests"][test][key] for name in ("better", "alike")]
            for key in ("p_value", "p_value_holm")
        )
        assert corrected == pytest.approx(several.holm(p_values))
        assert corrected[0] < 0.001 < corrected[1]
    assert "< 0.001" in comparison_page.as_text(compared)
    assert comparison_page.TESTS in comparison_page.as_markdown(compared, "Three models", "forest.png")


def test_tests_that_are_undefined_say_so(runs):
    found, tables = runs
    for name, table in tables.items():
        tables[name] = table.assign(target=[1] + [0] * (IMAGES - 1))
    compared = comparison.compare(found)
    assert compared["arms"]["better"]["tests"]["delong"] is None
    assert "undefined" in comparison_page.as_text(compared)
    assert json.loads(json.dumps(compared)) == compared


def test_remarks_follow_the_differences(runs):
    found, _ = runs
    said = " ".join(comparison.compare(found)["remarks"])
    assert "better: the AUC is higher than that of alone (+0." in said
    assert "alike: the AUC can't be told from that of alone" in said
    assert "another seed" in said
    backwards = " ".join(comparison.compare(found, reference="better")["remarks"])
    assert "alone: the AUC is lower than that of better (-0." in backwards


def test_parts_that_were_trained_again_are_told(runs, tiny_fusion_run):
    found, _ = runs
    for index, name in enumerate(("better", "alike")):
        parts = tuple(dataclasses.replace(part, sha256=str(index)) for part in tiny_fusion_run.parts[:1])
        found[name] = dataclasses.replace(found[name], parts=parts)
    assert "Not all runs hold the same part1" in " ".join(comparison.compare(found)["remarks"])


def test_page_and_table_hold_every_number(runs):
    found, _ = runs
    compared = comparison.compare(found, seconds={"alone": 61.4, "better": 600})
    assert json.loads(json.dumps(compared)) == compared
    page = comparison_page.as_markdown(compared, "Three models", "forest.png")
    text = comparison_page.as_text(compared)
    for arm in compared["arms"].values():
        for metric in (*(arm["metrics"][name] for name in comparison_page.NAMES), arm["same_source"]["metrics"]["auc"]):
            cell = f"{metric['value']:.3f} [{metric['low']:.3f}, {metric['high']:.3f}]"
            assert cell in page
            assert cell in text
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(compared["arms"])
    assert len({row.count("|") for row in rows}) == 1
    for expected in (RESEARCH_USE, "Patients stand in train and in test", "61 s", "10.0 min", "(here)"):
        assert expected in page
    assert RESEARCH_USE in text
    assert text.startswith("WARNING: Patients stand")


def test_without_sources_there_is_no_column_for_them(runs):
    found, _ = runs
    for run in found.values():
        metrics = json.loads(run.metrics_file.read_text())
        files.write_json(run.metrics_file, metrics | {"same_source": {}})
    compared = comparison.compare(found)
    assert "same-source" not in comparison_page.as_text(compared)
    assert "same source only" not in _texts(forest.forest(compared))


def _texts(figure):
    return {text.get_text() for text in figure.findobj(mpl.text.Text)}


def test_forest_shows_each_arm_twice(runs):
    found, _ = runs
    compared = comparison.compare(found)
    figure = forest.forest(compared)
    texts = _texts(figure)
    assert {*found, RESEARCH_USE, "whole test part", "same source only"} <= texts
    (axes,) = figure.axes
    centres = {round(line.get_xdata()[0], 6) for line in axes.lines if line.get_marker() in ("o", "D")}
    expected = set()
    for arm in compared["arms"].values():
        expected |= {round(one["metrics"]["auc"]["value"], 6) for one in (arm, arm["same_source"])}
    assert centres == expected


def test_an_undefined_auc_is_drawn_as_such(runs):
    found, _ = runs
    compared = comparison.compare(found)
    compared["arms"]["alike"]["metrics"]["auc"] = {"value": None, "low": None, "high": None}
    assert "undefined" in _texts(forest.forest(compared))


def test_runs_that_cannot_be_compared_are_refused(runs):
    found, _ = runs
    with pytest.raises(errors.CtcovError, match="no run named"):
        comparison.compare({})
    other = dataclasses.replace(found["better"], manifest=found["better"].manifest | {"sha256": "0"})
    with pytest.raises(errors.CtcovError, match=r"better at .* was judged by other images than alone"):
        comparison.compare({"alone": found["alone"], "better": other})
    found["alike"].metrics_file.unlink()
    with pytest.raises(errors.CtcovError, match=r"metrics.json: missing: ctcov evaluate"):
        comparison.compare(found)


def test_a_comparison_is_written_as_files(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "DPI", 50)
    found, _ = runs
    compared = comparison_files.compare_runs(list(found.values()), tmp_path / "out")
    assert (compared["reference"], list(compared["arms"])) == ("alone", list(found))
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == json.loads(json.dumps(compared))
    page = (tmp_path / "out" / "comparison.md").read_text()
    assert page.startswith("# alone, better, alike compared")
    assert "comparison.png" in page
    assert (tmp_path / "out" / "comparison.png").stat().st_size > 1000
    assert "learning_curves.png" not in page
    found["better"].history_file.write_text("epoch,loss,val_auc\n0,0.9,0.6\n1,0.8,0.7\n", encoding="utf-8")
    comparison_files.compare_runs(list(found.values()), tmp_path / "out")
    assert "(learning_curves.png)" in (tmp_path / "out" / "comparison.md").read_text()
    assert (tmp_path / "out" / "learning_curves.png").stat().st_size > 1000
    with pytest.raises(errors.CtcovError, match="two runs bear the same folder's name"):
        comparison_files.compare_runs([found["alone"], found["alone"]], tmp_path / "out")


def test_means_over_seeds_stand_in_a_table_of_their_own(runs, tmp_path):
    found, _ = runs
    train = found["alike"].config.train
    config = dataclasses.replace(found["alike"].config, train=dataclasses.replace(train, seed=train.seed + 1))
    found["alike"] = dataclasses.replace(found["alike"], config=config)
    compared = comparison_files.compare_runs(list(found.values()), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["seed_means"] == compared["seed_means"]
    (seeds,) = compared["seed_means"]["configurations"]
    assert list(seeds["runs"]) == list(found)
    page = (tmp_path / "out" / "comparison.md").read_text()
    below = page.partition("## Mean over seeds\n")[2]
    for text in (below, comparison_page.as_text(compared).partition("\nmean over seeds\n")[2]):
        assert "alone, better, alike" in text
        assert f"{seeds['metrics']['auc']['value']:.3f} ± {seeds['metrics']['auc']['sd']:.3f} [" in text
    assert RESEARCH_USE not in below


def test_without_several_seeds_there_is_no_table_for_them(runs, tmp_path):
    found, _ = runs
    compared = comparison_files.compare_runs(list(found.values()), tmp_path / "out")
    assert compared["seed_means"] is None
    assert "seeds" not in (tmp_path / "out" / "comparison.md").read_text()
    assert "over seeds" not in comparison_page.as_text(compared)


def test_a_run_whose_test_part_was_not_read_is_refused(runs):
    found, _ = runs
    metrics = json.loads(found["alike"].metrics_file.read_text())
    del metrics["splits"]["test"]
    files.write_json(found["alike"].metrics_file, metrics)
    with pytest.raises(errors.CtcovError, match=r"holds no such evaluation of the test part: ctcov evaluate"):
        comparison.compare(found)
