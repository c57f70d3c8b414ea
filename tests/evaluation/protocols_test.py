import html
import html.parser
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf import RESEARCH_USE, errors, files, run_directory
from ctcov_tf.evaluation import predictions, protocols, summary
from ctcov_tf.model_info import Labels
from ctcov_tf.statistics import bootstrap, metrics
from tests.calibrated_images import NEW


@pytest.fixture(scope="module")
def evaluated(light_run, tmp_path_factory):
    """A copy of the light run, evaluated, and what `evaluate` returned."""
    path = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(light_run.path, path)
    run = run_directory.load(path)
    return run, protocols.evaluate(run, reason="test of the protocol")


def test_metrics_json_is_what_was_returned(evaluated):
    run, found = evaluated
    text = run.metrics_file.read_text()
    assert json.loads(text) == json.loads(json.dumps(found))
    assert "NaN" not in text
    assert found["notice"] == RESEARCH_USE


def test_numbers_are_those_of_the_predictions(evaluated):
    run, found = evaluated
    frame = predictions.predict_split(run, "test")
    part = found["splits"]["test"]
    assert (part["images"], part["groups"], part["groups_in_train"]) == (24, frame["group_id"].nunique(), 0)
    assert part["metrics"]["auc"]["value"] == pytest.approx(sk.roc_auc_score(frame["target"], frame["probability"]))
    again = bootstrap.bootstrap(frame["target"], frame["probability"], frame["group_id"], 0.5)
    assert (part["metrics"]["auc"]["low"], part["metrics"]["auc"]["high"]) == again.intervals["auc"]
    counts = part["confusion"]
    assert counts["tp"] + counts["fn"] == part["positives"] == frame["target"].sum()


def test_metadata_row_and_pointing_game_are_there(evaluated):
    _, found = evaluated
    metadata = found["metadata_only"]["test"]
    assert set(metadata["metrics"]) == set(metrics.NAMES)
    ours = found["splits"]["test"]["metrics"]["auc"]["value"]
    assert metadata["auc_difference"]["value"] == pytest.approx(ours - metadata["metrics"]["auc"]["value"])
    game = found["pointing_game"]
    assert game["split"] == "test"
    assert 0 < game["images"] <= found["splits"]["test"]["positives"]
    assert 0 < game["chance"] < 0.7


def test_every_figure_is_a_file(evaluated):
    run, _ = evaluated
    names = {path.name for path in run.figures.iterdir()}
    assert {"roc.png", "precision_recall.png", "confusion_validation.png", "confusion_test.png", "history.png"} <= names
    assert {"controls_test.png", "reliability_test.png", "decision_curve_test.png"} <= names
    assert len([name for name in names if name.startswith("case_test_")]) >= 8


class Page(html.parser.HTMLParser):
    """Tags that are open, and what the page points to."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.tags = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_report_is_whole_and_needs_no_other_file(evaluated):
    run, found = evaluated
    text = run.report_file.read_text()
    page = Page(text)
    assert not page.open
    assert not page.tags & {"script", "link", "iframe"}
    assert len(page.sources) >= 17
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "url(" not in text
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))
    for expected in (RESEARCH_USE, "Synthetic images", run.manifest["sha256"], "What to make of it", "Pointing game"):
        assert expected in plain
    auc = found["splits"]["test"]["metrics"]["auc"]
    assert f"{auc['low']:.3f} to {auc['high']:.3f}" in plain
    assert str(run.path.parent) not in text


def test_table_for_the_terminal(evaluated):
    _, found = evaluated
    text = protocols.table(found)
    for split in ("validation", "test"):
        auc = found["splits"][split]["metrics"]["auc"]
        assert f"{auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]" in text
    assert "metadata only, test" in text
    assert "synthetic" in text


def test_readings_of_the_test_part_are_logged(run):
    found = protocols.evaluate(run, ["validation"], reason="choice", explain=False)
    assert found["test_readings"] == 0
    assert not run.test_readings_file.exists()
    assert "The test part has not been read" in run.report_file.read_text()
    run.log_test_reading("test", "an earlier look")
    found = protocols.evaluate(run, ["test"], reason="table 3", explain=False)
    assert found["test_readings"] == 2
    assert [json.loads(line)["reason"] for line in run.test_readings_file.open()] == ["an earlier look", "table 3"]
    assert "read 2 times" in run.report_file.read_text()


def plain_text(run):
    """What a reader of the report sees."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", run.report_file.read_text())))


@pytest.fixture(scope="module")
def judged(marked_runs, tmp_path_factory):
    """Copies of the runs that read the border alone and the centre alone, evaluated; their pages as text."""
    found = {}
    for place, marked in marked_runs.items():
        path = tmp_path_factory.mktemp("judged") / place
        shutil.copytree(marked.path, path)
        run = run_directory.load(path)
        metrics = protocols.evaluate(run, reason="controls", explain=False)
        found[place] = metrics, plain_text(run), run
    return found


def test_controls_stand_in_every_report(judged):
    border, centre = (judged[place][0]["controls"] for place in ("border", "centre"))
    assert list(border) == list(centre) == ["test"]
    assert border["test"]["masks"]["border_only"]["auc"]["low"] > 0.5
    assert centre["test"]["masks"]["border_only"]["auc"]["value"] == 0.5
    auc = border["test"]["masks"]["border_only"]["auc"]
    for place, sentence in (
        ("border", "On nothing but the border of the images the model is above chance (AUC "),
        ("centre", "the model can't be told from chance: this control finds nothing"),
    ):
        metrics, page, run = judged[place]
        assert any(sentence in remark for remark in metrics["remarks"])
        assert sentence in page
        assert "Controls, test" in page
        assert (run.figures / "controls_test.png").is_file()
    assert f"border only23%{auc['value']:.3f} {auc['low']:.3f}–{auc['high']:.3f}" in judged["border"][1]


def test_subgroups_stand_in_the_report(judged):
    metrics, page, run = judged["border"]
    frame = predictions.predict_split(run, "test")
    groups = metrics["subgroups"]["test"]
    assert list(groups) == ["sex", "age"]
    assert groups["sex"]["unknown"]["images"] == (frame["sex"] == "").sum()
    women = frame[frame["sex"] == "F"]
    auc = groups["sex"]["F"]["metrics"]["auc"]
    assert auc["value"] == pytest.approx(sk.roc_auc_score(women["target"], women["probability"]))
    assert f"{auc['value']:.3f} {auc['low']:.3f}–{auc['high']:.3f}" in page
    for expected in ("Subgroups, test", "By sex", "By age", "unknown small", "40 to 59"):
        assert expected in page


def test_calibration_stands_in_the_report(judged):
    metrics, page, run = judged["border"]
    frame = predictions.predict_split(run, "test")
    worth = metrics["calibration"]["test"]
    assert worth["after"]["brier"]["value"] == pytest.approx(sk.brier_score_loss(frame["target"], frame["probability"]))
    assert list(metrics["calibration"]) == ["test"]
    error = worth["after"]["expected_calibration_error"]["equal_mass"]
    assert f"Calibration error, test {error['value']:.3f} 95 % interval {error['low']:.3f}" in page
    for expected in ("Calibration, test", "Operating points", "Predictive values", "This run knows of no temperature"):
        assert expected in page
    for name in ("reliability_test", "decision_curve_test", "predictive_values_test"):
        assert (run.figures / f"{name}.png").is_file()


def test_temperature_and_operating_points_are_used_where_the_run_has_them(judged, tmp_path, monkeypatch):
    shutil.copytree(judged["border"][2].path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    calibration = run.read_json(run.calibration_file, "")
    chosen = {name: NEW[name] for name in ("temperature", "operating_points")}
    files.write_json(run.calibration_file, calibration | chosen | {"threshold": 0.4})
    predict = protocols.predict_split
    monkeypatch.setattr(
        protocols,
        "predict_split",
        lambda *args: (frame := predict(*args)).assign(uncalibrated=frame["probability"] ** 2),
    )
    metrics = protocols.evaluate(run, ["validation"], reason="temperature", explain=False)
    worth = metrics["calibration"]["validation"]
    assert worth["before"]["brier"] != worth["after"]["brier"]
    assert [point["name"] for point in worth["operating_points"]] == ["youden", "sensitivity_0.95"]
    assert worth["operating_points"][0]["sensitivity"] == metrics["splits"]["validation"]["metrics"]["recall"]
    page = plain_text(run)
    for expected in ("before temperature scaling", "Temperature 2.000", "sensitivity 0.95, positive", "Youden's J"):
        assert expected in page


def test_an_unfinished_run_is_refused(run):
    run.calibration_file.unlink()
    with pytest.raises(errors.CtcovError, match=r"calibration.json: missing.*--resume"):
        protocols.evaluate(run, reason="too early")
    assert not run.test_readings_file.exists()


@pytest.mark.parametrize("rows", [0, 5], ids=["no images", "one class"])
def test_parts_that_define_little_have_a_report(run, monkeypatch, rows):
    whole = predictions.predict_split(run, "test")
    part = whole[whole["target"] == 0].head(rows)
    monkeypatch.setattr(protocols, "predict_split", lambda *_: part)
    found = protocols.evaluate(run, ["test"], reason="little", explain=False)
    assert found["splits"]["test"]["metrics"]["auc"] == {"value": None, "low": None, "high": None}
    assert "undefined" in protocols.table(found)
    assert ("one class only" if rows else "holds no images") in run.report_file.read_text()


def test_findings_stand_in_report_and_table(tiny_parts, tmp_path):
    shutil.copytree(tiny_parts["part1"].path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    found = protocols.evaluate(run, ["test"], reason="findings", explain=False)
    frame = predictions.predict_split(run, "test")
    assert found["calibration"]["test"]["images"] == found["splits"]["test"]["images"]
    by_finding = found["findings"]["test"]["by_finding"]
    assert list(by_finding) == list(run.labels.outputs)
    known = frame["t_pneumonia"] >= 0
    assert found["splits"]["test"]["images"] == by_finding["pneumonia"]["images"] == known.sum() < len(frame)
    assert found["splits"]["test"]["metrics"]["auc"] == by_finding["pneumonia"]["auc"]
    mean = found["findings"]["test"]["mean_auc"]
    assert f"{mean['value']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]" in protocols.table(found)
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", run.report_file.read_text()))
    for expected in ("By finding, test", "pleural effusion", "uncertain left out, unmentioned counts as absent"):
        assert expected in page


def test_a_fusion_names_its_parts(tiny_fusion_run, tmp_path):
    shutil.copytree(tiny_fusion_run.path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    found = protocols.evaluate(run, ["validation"], reason="parts", explain=False)
    assert [part["name"] for part in found["parts"]] == ["part1", "part2"]
    page = run.report_file.read_text()
    for part in run.parts:
        assert part.trained_on in page


def with_shared(table, of_train, share):
    """The table with every other row's group and source taken from elsewhere."""
    every_other = pd.Series(range(len(table))) % 2 == 0
    groups = table["group_id"].where(~(share & every_other), of_train["group_id"].iloc[0])
    return table.assign(group_id=groups, source=(every_other | (table["label"] == 0)).map({True: "a", False: "b"}))


def test_shared_patients_and_sources_are_shown(run, monkeypatch):
    metadata = protocols.contents.metadata
    train = metadata(run.config.data, "train")
    monkeypatch.setattr(
        protocols.contents,
        "metadata",
        lambda data, split: with_shared(metadata(data, split), train, split == "test"),
    )
    found = protocols.evaluate(run, ["test"], reason="leak", explain=False)
    assert (found["splits"]["test"]["groups_in_train"], found["splits"]["test"]["images_in_train"]) == (1, 12)
    same = found["same_source"]["test"]
    frame = predictions.predict_split(run, "test")
    kept = frame[frame["source"] == "a"]
    assert same["sources"] == ["a"]
    assert same["metrics"]["auc"]["value"] == pytest.approx(sk.roc_auc_score(kept["target"], kept["probability"]))
    table = protocols.table(found)
    assert table.startswith("WARNING: Patients stand in train and in test: 1 of the ")
    assert "same source, test" in table
    page = run.report_file.read_text()
    assert page.index('<div class="warning">') < page.index("<h1>")
    assert "AUC within the same source" in page


def test_two_classes_are_judged_at_the_threshold_alone(tiny_parts):
    run = tiny_parts["part2"]
    frame = predictions.predict_split(run, "test")
    found = summary.summarise(frame, 0.5, run.labels)
    assert found["classes"] is None
    assert found["positives"] == (frame["label"] == run.labels.positive_index).sum()


def test_three_classes_are_summarised():
    generator = np.random.default_rng(0)
    labels = Labels(("covid19", "other_pneumonia", "normal"), "covid19", "three_class")
    probabilities = generator.dirichlet(np.ones(3), 30)
    frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in labels.outputs])
    frame = frame.assign(label=np.arange(30) % 3, group_id=np.arange(30).astype(str), probability=probabilities[:, 0])
    found = summary.summarise(frame.assign(target=(frame["label"] == 0).astype(int)), 0.4, labels)
    assert np.sum(found["classes"]["confusion_matrix"]) == 30
    assert found["classes"]["auc"]["covid19"] == pytest.approx(found["metrics"]["auc"]["value"])
