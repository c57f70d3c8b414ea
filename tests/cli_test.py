import pytest

from ctcov_tf import RESEARCH_USE


def ctcov(run_command, *arguments):
    return run_command("-c", "from ctcov_tf.cli import main; main()", *arguments)


def test_help_names_every_command_and_the_notice(run_command):
    answer = ctcov(run_command, "--help")
    assert answer.returncode == 0
    for command in ("evaluate", "explain", "predict", "ablate", "import-torchxrayvision"):
        assert command in answer.stdout
    assert RESEARCH_USE in answer.stdout


@pytest.mark.parametrize(
    "statement", ["import ctcov_tf", "import ctcov_tf.cli, ctcov_tf.predict, ctcov_tf.edge.runner"]
)
def test_light_modules_do_not_import_tensorflow(run_command, statement):
    answer = run_command(
        "-c", f"{statement}; import sys; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    assert answer.stdout == "[]\n", answer.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("evaluate", "nowhere"), "error: nowhere: no such run directory"),
        (("explain", "nowhere", "a.png"), "error: nowhere: no such run directory"),
        (("predict", "nowhere", "a.png"), "error: nowhere"),
        (("ablate", "nowhere", "--out", "out"), "error: no preset 'nowhere'"),
        (("import-torchxrayvision", "nowhere.pt", "--run-dir", "run"), "error: nowhere.pt: no such file"),
        (("ablate", "small_cnn", "--out", "out"), "error: small_cnn: is no fusion"),
    ],
)
def test_missing_model_is_one_line(run_command, arguments, line):
    answer = ctcov(run_command, *arguments)
    assert answer.returncode == 2
    assert answer.stderr.startswith(line)
    assert answer.stderr.count("\n") == 1


def test_unknown_command_is_refused(run_command):
    answer = ctcov(run_command, "diagnose")
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr


def test_no_image_named_is_one_line(run_command):
    answer = ctcov(run_command, "predict", "model.tflite")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: no image named")
