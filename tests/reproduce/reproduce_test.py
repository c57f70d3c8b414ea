import json

from PIL import Image
import pytest

from ctcov_tf import RESEARCH_USE, cli, run_directory
from ctcov_tf.evaluation import protocols, tables
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.training import train

QUICK = ("--ours", "deep_ct_net_tiny", "--methods", "small_cnn", "--image-size", "32", "--epochs", "1")


def reproduce(capsys, *arguments):
    """What `ctcov reproduce` prints, and how it ends."""
    with pytest.raises(SystemExit) as exited:
        cli.main(["reproduce", *map(str, arguments)])
    return exited.value.code, capsys.readouterr()


def command(name, out, *arguments):
    return (name, "--out", out, *QUICK, *arguments)


@pytest.fixture(scope="module")
def phantom(phantom_data_dir):
    return ("--dataset", "phantom/tiny", "--data-dir", phantom_data_dir)


@pytest.fixture(scope="module")
def table5(tmp_path_factory, phantom):
    """Folder of a table of two methods with two seeds each."""
    out = tmp_path_factory.mktemp("table5")
    with pytest.raises(SystemExit) as exited:
        cli.main(["reproduce", *map(str, command("table5", out, "--seeds", 2, *phantom))])
    assert exited.value.code == 0
    return out


def test_every_method_and_seed_is_a_run_judged_once(table5):
    runs = [run_directory.load(path) for path in sorted((table5 / "runs").glob("*_seed*"))]
    assert [run.path.name for run in runs] == [
        "deep_ct_net_tiny_seed0",
        "deep_ct_net_tiny_seed1",
        "small_cnn_seed0",
        "small_cnn_seed1",
    ]
    assert [run.config.train.seed for run in runs] == [0, 1, 0, 1]
    for run in runs:
        (reading,) = run.test_readings_file.read_text().splitlines()
        assert json.loads(reading)["reason"] == "ctcov reproduce table5"


def test_the_table_holds_what_the_runs_found(table5):
    content = json.loads((table5 / "table.json").read_text())
    ours, other = content["rows"]
    assert (ours["name"], other["name"], content["reference"]) == ("deep_ct_net_tiny", "small_cnn", "deep_ct_net_tiny")
    for row in (ours, other):
        runs = [run_directory.load(table5 / "runs" / f"{row['name']}_seed{seed}") for seed in (0, 1)]
        metrics = [json.loads(run.metrics_file.read_text()) for run in runs]
        assert row["found"]["seeds"] == 2
        for name, metric in row["found"]["metrics"].items():
            values = [one["splits"]["test"]["metrics"][name]["value"] for one in metrics]
            assert metric["by_seed"] == pytest.approx(values)
        assert content["metadata_only"]["auc"] == metrics[0]["metadata_only"]["test"]["metrics"]["auc"]
        averaged = sum(predict_split(run, "test")["probability"] for run in runs) / 2
        assert averaged.between(0, 1).all()
        assert row["seconds"] > 0
    assert other["found"]["tests"]["delong"]["p_value_holm"] == other["found"]["tests"]["delong"]["p_value"]
    assert ours["paper"]["auc"] == 0.899
    assert other["paper"] is None
    assert content["settings"]["protocol"]["image_size"] == 32


def test_pages_hold_the_three_columns_and_the_notice(table5):
    content = json.loads((table5 / "table.json").read_text())
    auc = tables.mean(content["rows"][0]["found"]["metrics"]["auc"])
    assert "±" in auc
    for name in ("table.md", "table.html"):
        page = (table5 / name).read_text()
        for expected in (
            RESEARCH_USE,
            "Table V",
            "AUC 0.899",
            auc,
            "judged on phantom/tiny, not covid_ct",
            "not in this table of the paper",
            "can they be compared?",
            "no pixel",
            "random weights, 32 px, 1 epochs",
            "synthetic",
        ):
            assert expected in page, (name, expected)
    with Image.open(table5 / "roc.png") as picture:
        assert picture.text["Description"] == RESEARCH_USE
        assert picture.size[0] > 100


def test_a_second_call_trains_and_reads_nothing(table5, phantom, capsys, monkeypatch):
    monkeypatch.setattr(train, "train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(protocols, "evaluate", lambda *_, **__: pytest.fail("read again"))
    before = (table5 / "table.json").read_text()
    code, printed = reproduce(capsys, *command("table5", table5, "--seeds", 2, *phantom), "--json")
    assert code == 0
    assert json.loads(printed.out) == json.loads(before) == json.loads((table5 / "table.json").read_text())
    assert printed.err.startswith("table5 on phantom/tiny: 2 x 2 trainings of 1 epochs at 32 px")


def test_settings_of_the_folder_stay(table5, phantom, capsys):
    code, printed = reproduce(capsys, "table5", "--out", table5, "--epochs", 3)
    assert code == 2
    assert printed.err == (
        f"error: {table5}: was begun with --epochs 1, not 3: leave it as it is, or choose another --out\n"
    )


def test_failed_trainings_are_named_and_the_table_holds_the_others(table5, phantom, capsys, monkeypatch, tmp_path):
    from ctcov_tf import errors

    def diverge(run):
        raise errors.CtcovError("its training diverged")

    monkeypatch.setattr(train, "train", diverge)
    three = command("table5", table5, "--seeds", 3, *phantom)
    code, printed = reproduce(capsys, *three)
    assert code == 2
    assert printed.err.splitlines()[-1].startswith(f"error: {table5}: 2 of 6 trainings failed (its training diverged)")
    content = json.loads((table5 / "table.json").read_text())
    assert [row["found"]["seeds"] for row in content["rows"]] == [2, 2]
    assert set(content["failed"]) == {"deep_ct_net_tiny_seed2", "small_cnn_seed2"}
    assert "small_cnn_seed2 failed: its training diverged" in (table5 / "table.md").read_text()


def test_table_3_runs_on_a_folder_shaped_like_its_archive(ct_data_dir, tmp_path, capsys):
    code, printed = reproduce(
        capsys, *command("table3", tmp_path, "--seeds", 1, "--data-dir", ct_data_dir, "--methods")
    )
    assert code == 0, printed.err
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["trained_on"] == content["judged_on"] == "ctcov19/grouped:1.0.0"
    assert "7610 images" in content["rows"][0]["comparability"]["reasons"][0]
    assert content["rows"][0]["paper"]["auc"] == 0.886
    assert any("no patient ids" in warning for warning in content["warnings"])
    assert "Table III" in printed.out


def test_table_4_judges_elsewhere_without_fine_tuning(ct_data_dir, tmp_path, capsys):
    alone = ("--seeds", 1, "--data-dir", ct_data_dir, "--ours", "small_cnn", "--methods")
    code, printed = reproduce(capsys, *command("table4", tmp_path, *alone))
    assert code == 0, printed.err
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["trained_on"] == "ctcov19/grouped:1.0.0"
    assert content["judged_on"] == "covid_ct/conflicts_dropped:1.0.0"
    assert content["images"] == 4
    run = run_directory.load(tmp_path / "runs" / "small_cnn_seed0")
    (reading,) = map(json.loads, run.test_readings_file.read_text().splitlines())
    assert reading["dataset"] == "covid_ct/conflicts_dropped:1.0.0"
    assert not run.metrics_file.exists()  # its own test part was not read
    metrics = json.loads((run.path / "elsewhere" / "covid_ct" / "metrics.json").read_text())
    threshold = json.loads(run.calibration_file.read_text())["threshold"]
    assert metrics["splits"]["test"]["threshold"] == metrics["threshold"]["threshold"] == threshold

    code, printed = reproduce(capsys, *command("table4", tmp_path, *alone))
    assert code == 0
    assert len(run.test_readings_file.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("preset", "of_parts"), [("deep_cxr_net_tiny", "tiny_parts"), ("deep_cxr_net_edge", "tiny_edge_parts")]
)
def test_table_6_fuses_the_parts_at_their_size(preset, of_parts, phantom_data_dir, tmp_path, capsys, request):
    tiny_parts = request.getfixturevalue(of_parts)
    parts = [flag for name in ("part1", "part2") for flag in (f"--{name}", tiny_parts[name].path)]
    data = ("--dataset", "phantom/cxr_tiny", "--data-dir", phantom_data_dir)
    quick = ("--ours", preset, "--methods", "--seeds", 1, "--epochs", 1)
    code, printed = reproduce(capsys, "table6", "--out", tmp_path, *quick, *data, *parts)
    assert code == 0, printed.err
    run = run_directory.load(tmp_path / "runs" / f"{preset}_seed0")
    assert [part.name for part in run.parts] == ["part1", "part2"]
    assert run.config.preprocess.image_size == tiny_parts["part1"].config.preprocess.image_size == 64
    (row,) = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert any("its frozen parts are" in reason for reason in row["comparability"]["reasons"])


def test_the_ablation_is_a_table_without_the_paper(tmp_path, phantom, capsys):
    arguments = ("ablation", "--out", tmp_path, "--ours", "deep_ct_net_tiny", "--methods", "no_blur")
    quick = ("--seeds", 1, "--image-size", 32, "--epochs", 1)
    code, printed = reproduce(capsys, *arguments, *quick, *phantom)
    assert code == 0, printed.err
    content = json.loads((tmp_path / "table.json").read_text())
    assert [row["name"] for row in content["rows"]] == ["whole", "no_blur"]
    assert run_directory.load(tmp_path / "runs" / "no_blur_seed0").config.preprocess.blur is False
    page = (tmp_path / "table.md").read_text()
    assert "# Ablation of Deep-CT-Net (tiny)" in page
    assert "Beside the paper" not in page
    assert "One seed each" in page


def test_what_is_not_there_shows_before_anything_is_trained(tmp_path, capsys, monkeypatch, phantom_data_dir):
    monkeypatch.setattr(train, "train", lambda *_: pytest.fail("trained"))
    code, printed = reproduce(capsys, *command("table5", tmp_path / "a", "--data-dir", tmp_path))
    assert code == 2
    assert "covid_ct: not built at" in printed.err
    assert not (tmp_path / "a" / "settings.json").exists()
    tiny = ("--dataset", "phantom/tiny", "--data-dir", phantom_data_dir)
    code, printed = reproduce(capsys, "table5", "--out", tmp_path / "b", "--methods", "nothing", *tiny)
    assert code == 2
    assert "no preset 'nothing'" in printed.err
