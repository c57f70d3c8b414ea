import sys

import pytest

from ctcov_tf import RESEARCH_USE, cli

COMMANDS = (
    "audit",
    "evaluate",
    "calibrate",
    "gate",
    "explain",
    "card",
    "ship",
    "models",
    "predict",
    "benchmark",
    "serve",
    "ask",
    "ablate",
    "reproduce",
    "compare",
    "import-torchxrayvision",
    "convert-efficientnet-lite",
)


def ctcov(run_command, *arguments):
    return run_command("-c", "from ctcov_tf.cli import main; main()", *arguments)


def test_help_names_every_command_and_the_notice(run_command):
    answer = ctcov(run_command, "--help")
    assert answer.returncode == 0
    for command in COMMANDS:
        assert command in answer.stdout
    assert RESEARCH_USE in answer.stdout


def imported(run_command, *arguments):
    """Top-level modules that a command imports; its own output is not looked at."""
    code = (
        "import sys; there = set(sys.modules); from ctcov_tf.cli import main\n"
        "try: main()\n"
        "finally: print('\\n', *{name.partition('.')[0] for name in set(sys.modules) - there}, file=sys.stderr)"
    )
    answer = run_command("-c", code, *map(str, arguments))
    assert answer.returncode == 0, answer.stderr
    return set(answer.stderr.splitlines()[-1].split())


def test_help_imports_nothing_but_the_standard_library(run_command):
    for arguments in (), ("predict",), ("serve",), ("calibrate",), ("audit",), ("models",), ("ask",), ("reproduce",):
        assert imported(run_command, *arguments, "--help") - sys.stdlib_module_names == {"ctcov_tf"}


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_an_answer_from_a_tflite_file_imports_what_it_needs(run_command, mean_grey_file, image_files, flags):
    names = imported(run_command, "predict", mean_grey_file, *image_files, *flags)
    assert names - sys.stdlib_module_names == {"ctcov_tf", "numpy", "PIL", "ai_edge_litert"}
    assert not names & {"asyncio", "unittest", "ssl", "email", "http", "multiprocessing"}, "slow to import"


def test_numpy_starts_no_threads_beside_the_models(run_command, mean_grey_file, image_files):
    code = (
        "from ctcov_tf.cli import main\n"
        "try: main()\n"
        "finally:\n"
        "  import threadpoolctl\n"
        "  print('BLAS', [one['num_threads'] for one in threadpoolctl.threadpool_info() if one['user_api'] == 'blas'])"
    )
    answer = run_command("-c", code, "predict", mean_grey_file, image_files[0])
    assert answer.stdout.splitlines()[-1] == "BLAS [1]", answer.stderr


def test_every_command_explains_itself(run_command):
    for command in COMMANDS:
        answer = ctcov(run_command, command, "--help")
        assert answer.returncode == 0, answer.stderr
        assert f"usage: ctcov {command}" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("evaluate", "nowhere"), "error: nowhere: no such run directory"),
        (("explain", "nowhere", "a.png"), "error: nowhere: no such run directory"),
        (("calibrate", "nowhere"), "error: nowhere: no such run directory"),
        (("gate", "nowhere", "--against", "."), "error: nowhere: no such run directory"),
        (("card", "nowhere"), "error: nowhere: no such run directory"),
        (("predict", "nowhere", "a.png"), "error: nowhere"),
        (("benchmark", "nowhere"), "error: nowhere: no such file: name a .tflite file"),
        (("serve", "nowhere", "--port", "0"), "error: nowhere: no such model"),
        (("ablate", "nowhere", "--out", "out"), "error: no preset 'nowhere'"),
        (("audit", "./nowhere"), "error: nowhere: no such folder"),
        (("import-torchxrayvision", "nowhere.pt", "--run-dir", "run"), "error: nowhere.pt: no such file"),
        (("ablate", "small_cnn", "--out", "out"), "error: small_cnn: is no fusion"),
        (("reproduce", "table5", "--part1", "run"), "error: --part1, --part2: one without the other"),
    ],
)
def test_missing_model_is_one_line(run_command, arguments, line):
    answer = ctcov(run_command, *arguments)
    assert answer.returncode == 2
    assert answer.stderr.startswith(line)
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("diagnose",), "error: ctcov: argument COMMAND: invalid choice: 'diagnose' (choose from 'evaluate', "),
        ((), "error: ctcov: the following arguments are required: COMMAND: see ctcov --help"),
        (("predict", "model.tflite"), "error: ctcov predict: the following arguments are required: IMAGE: see "),
        (("evaluate", "run", "--splits", "some"), "error: ctcov evaluate: argument --splits: invalid choice: 'some'"),
        (
            ("calibrate", "run", "--prevalence", "5"),
            "error: ctcov calibrate: argument --prevalence: 5 is not between 0",
        ),
        (("calibrate", "run", "--coverage", "x"), "error: ctcov calibrate: argument --coverage: 'x' is no number: see"),
        (
            ("calibrate", "run", "--false-negative-cost", "0"),
            "error: ctcov calibrate: argument --false-negative-cost: '0'",
        ),
        (("serve", "model.tflite", "--port", "70000"), "error: ctcov serve: argument --port: '70000' is no port"),
        (("audit", "folder", "--max-auc", "high"), "error: ctcov audit: argument --max-auc: invalid float value"),
        (("ablate", "small_cnn"), "error: ctcov ablate: the following arguments are required: --out: see "),
        (("reproduce", "table2"), "error: ctcov reproduce: argument TABLE: invalid choice: 'table2'"),
        (("reproduce", "table5", "--seeds", "0"), "error: ctcov reproduce: argument --seeds: '0' is no number above 0"),
    ],
)
def test_a_wrong_command_line_is_one_line_with_the_way_to_help(arguments, line, capsys):
    with pytest.raises(SystemExit) as exited:
        cli.main(arguments)
    assert exited.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(line)
    assert printed.endswith("--help\n")
    assert printed.count("\n") == 1
