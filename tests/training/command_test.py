import dataclasses
import pathlib
import shutil
import subprocess
import sys

import pytest

from ctcov_tf import config, configs, errors, run_directory
from ctcov_tf.training import command


def test_every_field_is_a_flag_with_help(capsys):
    with pytest.raises(SystemExit) as exit_info:
        command.parse("deep_ct_net", ["--help"])
    assert exit_info.value.code == 0
    words = capsys.readouterr().out.split()
    for part in (
        config.DataConfig,
        config.PreprocessConfig,
        config.AugmentConfig,
        config.DeepCTNetConfig,
        config.TrainConfig,
    ):
        for field in dataclasses.fields(part):
            assert f"--{field.name.replace('_', '-')}".strip(",") in [word.strip(",") for word in words]


def test_flags_change_the_preset_and_nothing_else():
    resolved, path = command.parse(
        "deep_ct_net_slim",
        ["--epochs", "3", "--early-stages", "64", "2", "96", "1", "--no-blur", "--head", "three_class"],
    )
    preset = configs.load("deep_ct_net_slim")
    assert path == pathlib.Path("runs/deep_ct_net_slim")
    assert resolved == dataclasses.replace(
        preset,
        preprocess=dataclasses.replace(preset.preprocess, blur=False),
        model=dataclasses.replace(preset.model, head="three_class"),
        train=dataclasses.replace(preset.train, epochs=3, early_stages=((64, 2), (96, 1))),
    )


def test_datasets_are_added_or_left_out():
    resolved, _ = command.parse("pretrain_simsiam", ["--also", "covid_cxr", "ctcov19/grouped"])
    assert resolved.data.also == ("covid_cxr", "ctcov19/grouped")
    resolved, _ = command.parse("pretrain_simsiam_edge", ["--also", "--epochs", "2"])
    assert (resolved.data.also, resolved.train.epochs) == ((), 2)


@pytest.mark.parametrize("flags", [["--epochs", "many"], ["--head", "seven_class"], ["--no-such-flag"]])
def test_bad_flag_ends_with_code_2(flags, capsys):
    with pytest.raises(SystemExit) as exit_info:
        command.parse("small_cnn", flags)
    assert exit_info.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_no_arguments_teach(capsys):
    with pytest.raises(SystemExit) as exit_info:
        command.main([])
    assert exit_info.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in configs.names())


def fails_with(arguments, line, capsys):
    with pytest.raises(SystemExit) as exit_info:
        command.main(arguments)
    assert exit_info.value.code == errors.EXIT_USER_ERROR
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {line}")
    assert printed.count("\n") == 1


def test_unknown_preset(capsys):
    fails_with(["deep_ct_nets"], "no preset 'deep_ct_nets'", capsys)


def test_unknown_dataset(capsys, tmp_path):
    fails_with(
        ["small_cnn", "--dataset", "no_such_set", "--run-dir", str(tmp_path / "run")],
        "unknown dataset no_such_set",
        capsys,
    )
    assert not (tmp_path / "run").exists()


def test_dataset_not_built_names_the_command(capsys, tmp_path):
    with pytest.raises(SystemExit):
        command.main(["small_cnn", "--data-dir", str(tmp_path), "--run-dir", str(tmp_path / "run")])
    assert "tfds build" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_existing_run_directory_is_kept(capsys, tiny_run):
    before = (tiny_run.path / "config.json").read_text()
    fails_with(["small_cnn", "--run-dir", str(tiny_run.path)], f"{tiny_run.path}: exists", capsys)
    assert (tiny_run.path / "config.json").read_text() == before


def test_finished_run_is_not_resumed(capsys, tiny_run):
    fails_with(["--resume", str(tiny_run.path)], f"{tiny_run.path}: is finished", capsys)


def test_resume_takes_no_flags(capsys, tiny_run):
    fails_with(["--resume", str(tiny_run.path), "--epochs", "3"], "--resume: takes one run directory", capsys)


def test_float16_is_refused_without_a_gpu(capsys, tmp_path, phantom_data_dir):
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU here, where mixed_float16 is welcome")
    fails_with(
        [
            "deep_ct_net_tiny",
            *("--dataset", "phantom/tiny", "--data-dir", str(phantom_data_dir)),
            *("--precision", "mixed_float16", "--run-dir", str(tmp_path / "run")),
        ],
        "--precision mixed_float16",
        capsys,
    )
    assert not (tmp_path / "run").exists()


def test_a_whole_small_run(capsys, tmp_path, phantom_data_dir):
    path = tmp_path / "run"
    with pytest.raises(SystemExit) as exit_info:
        command.main(
            [
                "deep_ct_net_tiny",
                *("--dataset", "phantom/tiny", "--data-dir", str(phantom_data_dir), "--run-dir", str(path)),
                *("--epochs", "1", "--early-stages", "32", "1", "--image-size", "48", "--blocks", "1", "1", "1", "1"),
            ]
        )
    assert exit_info.value.code == 0
    assert "threshold" in capsys.readouterr().out
    run = run_directory.load(path)
    assert 0 <= run.model_info().threshold <= 1
    assert run.load_model().input_shape == (None, 48, 48, 3)
    assert not run.checkpoints.exists()


@pytest.mark.parametrize("arguments", [["small_cnn", "--run-dir"], ["--resume"]])
def test_a_folder_that_another_process_trains_into_is_one_line(capsys, tmp_path, tiny_run, phantom_data_dir, arguments):
    """The other process holds the lock before the folder is there, and while it trains."""
    path = tmp_path / "run"
    if arguments[0] == "--resume":
        shutil.copytree(tiny_run.path, path)
        (path / "calibration.json").unlink()
    code = (
        "import pathlib, sys; from ctcov_tf import locks\n"
        "with locks.held(pathlib.Path(sys.argv[1]), 'trained into'):\n    print('held', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "held\n"
        flags = [] if arguments[0] == "--resume" else ["--dataset", "phantom/tiny", "--data-dir", str(phantom_data_dir)]
        fails_with([*arguments, str(path), *flags], f"{path}: is being trained into by process {other.pid}", capsys)
        assert path.exists() == (arguments[0] == "--resume")
        other.communicate("\n")
