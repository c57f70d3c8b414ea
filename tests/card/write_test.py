import html
import html.parser
import json
import re

import pytest

from ctcov_tf import RESEARCH_USE, cli, errors, files, run_directory
from ctcov_tf.card import write
from ctcov_tf.evaluation import calibration
from tests import calibrated_images


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


def cards(run, folder, **arguments):
    """Text of each file by its name."""
    _, written = write.write(run, folder, **arguments)
    return {path.name: path.read_text() for path in written}


def test_every_page_bears_the_notice_and_needs_no_other_file(run, tmp_path):
    (run.figures).mkdir()
    (run.figures / "roc.png").write_bytes(b"\x89PNG")
    written = cards(run, tmp_path / "cards")
    assert set(written) == {"model_card.md", "model_card.html", "data_card.md", "data_card.html", "card.json"}
    for name, text in written.items():
        assert RESEARCH_USE in text
        if name.endswith(".html"):
            page = Page(text)
            assert not page.open
            assert not page.tags & {"script", "link", "iframe"}
            assert "url(" not in text
            assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert len(Page(written["model_card.html"]).sources) == 1


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("metrics.json", 0.7111, 0.1357),  # AUC, with its interval
        ("metrics.json", 0.4321, 0.9753),
        ("metrics.json", 0.5678, 0.3579),
        ("calibration.json", 0.2345, 0.8642),
        ("calibration.json", 1.4567, 2.6543),
        ("calibration.json", 77.25, 55.75),
        ("history.csv", 0.68, 0.4682),
        ("config.json", 0.001, 0.00375),
        ("test_readings.jsonl", "the table of the card's test", "another reason"),
    ],
)
def test_every_number_comes_from_its_file(run, tmp_path, file, old, new):
    before = cards(run, tmp_path / "before")
    path = run.path / file
    path.write_text(path.read_text().replace(str(old), str(new)))
    after = cards(run_directory.load(run.path), tmp_path / "after")

    def shown(value):
        return f"{value:.3f}" if old in (0.7111, 0.5678) else (f"{value:.4g}" if isinstance(value, float) else value)

    for page in ("model_card.md", "model_card.html"):
        plain = [html.unescape(cards_[page]) for cards_ in (before, after)]
        assert shown(old) in plain[0]
        assert shown(new) not in plain[0]
        assert shown(new) in plain[1]
        assert shown(old) not in plain[1]
    assert str(new) in after["card.json"]


def test_what_is_not_known_stays_unknown(bare_run, tmp_path):
    bare_run.calibration_file.unlink()
    bare_run.history_file.unlink()
    written = cards(bare_run, tmp_path / "cards")
    content = json.loads(written["card.json"])
    assert content["evaluation"] == "unknown: run ctcov evaluate"
    assert content["calibration"] == "unknown: finish the run with train.py --resume"
    assert content["training"].startswith("unknown: finish the run")
    assert content["files"]["metrics.json"] == "missing"
    answers = {one["number"]: one for one in content["claim"]}
    assert answers["28"] == {
        "number": "28",
        "asks": "Metrics of performance",
        "answer": "unknown: run ctcov evaluate",
        "source": "",
    }
    assert answers["14"]["answer"].startswith("unknown: the author has to supply")
    page = written["model_card.md"]
    assert "## Metrics\n\nunknown: run ctcov evaluate\n" in page
    assert "| threshold | unknown: finish the run" in page
    assert "the test part has not been read by this run" in page


def test_a_dataset_that_is_gone_leaves_its_card_unknown(run, tmp_path):
    config = json.loads((run.path / "config.json").read_text())
    config["config"]["data"]["data_dir"] = str(tmp_path / "nowhere")
    files.write_json(run.path / "config.json", config)
    written = cards(run_directory.load(run.path), tmp_path / "cards")
    assert "| licence | unknown: build phantom/tiny at the run's --data-dir" in written["data_card.md"]
    assert str(tmp_path) not in "".join(written.values())


def test_the_data_card_says_what_the_builder_says(run, tmp_path):
    written = cards(run, tmp_path / "cards")
    data = json.loads(written["card.json"])["data"]
    assert "Every image is drawn by a program" in data["description"]
    assert data["groups_disjoint"] is True
    assert data["licence"].startswith("unknown: the builder records none")
    page = written["data_card.md"]
    assert data["sha256"] in page
    for name, part in data["splits"].items():
        assert f"| {name} | {part['images']} | {part['groups']} | {part['by_class']['covid19']} |" in page
    assert "no group stands in two parts" in page


def test_exports_are_those_of_the_record(run, tmp_path):
    form = {"file": "x.tflite", "megabytes": 28.5, "latency_ms": 12.25, "score_difference": 1e-5, "flipped": ["a"]}
    forms = {name: form | {"auc": 0.7, "auc_change": 0.0} for name in ("keras", "float32")}
    record = {"dataset": run.manifest["name"], "split": "validation", "images": 118, "forms": forms}
    files.write_json(tmp_path / "verify.json", record)
    page = cards(run, tmp_path / "cards", verification=tmp_path / "verify.json")["model_card.md"]
    assert "verified on 118 images of validation" in page
    assert "| float32 | 28.5 | 12.25 | 1e-05 | 1 | 0.7 | 0 | none |" in page
    files.write_json(tmp_path / "verify.json", record | {"images": 24})
    with pytest.raises(errors.CtcovError, match=r"record of another network.*AUC 0.7000.*0.7111"):
        write.write(run, tmp_path / "none", tmp_path / "verify.json")
    files.write_json(tmp_path / "verify.json", record | {"dataset": "covid_ct:1.0.0"})
    with pytest.raises(errors.CtcovError, match=r"made on covid_ct:1.0.0, the run was trained on phantom/tiny"):
        write.write(run, tmp_path / "none", tmp_path / "verify.json")
    with pytest.raises(errors.CtcovError, match=r"nowhere.json: missing"):
        write.write(run, tmp_path / "none", tmp_path / "nowhere.json")
    assert not (tmp_path / "none").exists()


def test_a_fusion_names_its_parts(tiny_fusion_run, tmp_path):
    page = cards(tiny_fusion_run, tmp_path / "cards")["model_card.md"]
    for part in tiny_fusion_run.parts:
        assert f"parts / {part.name} / trained on | {part.trained_on}" in page


def test_damage_is_one_clear_error_and_nothing_is_written(run, tmp_path):
    run.metrics_file.write_text("{")
    with pytest.raises(errors.CtcovError, match=r"metrics.json: damaged.*run ctcov evaluate"):
        write.write(run, tmp_path / "cards")
    assert not (tmp_path / "cards").exists()


def test_the_command_writes_into_the_run_and_prints_json(run, capsys):
    with pytest.raises(SystemExit) as exited:
        cli.main(["card", str(run.path), "--json"])
    assert exited.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((run.path / "card" / "card.json").read_text())
    assert printed["notice"] == RESEARCH_USE
    with pytest.raises(SystemExit):
        cli.main(["card", str(run.path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("card/model_card.md")
    assert lines[-1] == RESEARCH_USE


def test_cards_are_written_without_tensorflow(run, run_command):
    code = (
        "import sys; from ctcov_tf import cli\n"
        f"try: cli.main(['card', {str(run.path)!r}])\n"
        "finally: assert not {'tensorflow', 'keras'} & set(sys.modules), 'heavy import'"
    )
    answer = run_command("-c", code)
    assert answer.returncode == 0, answer.stderr
    assert (run.path / "card" / "model_card.html").is_file()


def test_calibration_is_told_without_the_bins_of_its_figures(run, tmp_path, evaluation):
    evaluation["calibration"] = {"test": calibration.summarise(calibrated_images.draw(), calibrated_images.NEW)}
    files.write_json(run.metrics_file, evaluation)
    page = cards(run, tmp_path / "cards")["model_card.md"]
    error = evaluation["calibration"]["test"]["after"]["expected_calibration_error"]["equal_mass"]
    assert f"after / expected calibration error / equal mass | {error['value']:.3f} [" in page
    assert "predictive values / positive / where 5% are positive" in page
    assert "reliability" not in page.partition("## Calibration")[2].partition("\n## ")[0]


def test_text_cannot_break_a_table_or_a_page(run, tmp_path, evaluation):
    evaluation["remarks"] = ["a | b\nand <script>alert()</script>"]
    files.write_json(run.metrics_file, evaluation)
    written = cards(run, tmp_path / "cards")
    assert "a \\| b and &lt;script&gt;" in written["model_card.md"]
    assert not Page(written["model_card.html"]).tags & {"script"}
    widths = {
        len(re.findall(r"(?<!\\)\|", line))
        for line in written["model_card.md"].splitlines()
        if line.startswith("| remark")
    }
    assert widths == {3}
