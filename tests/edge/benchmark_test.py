import json

import pytest

from ctcov_tf import RESEARCH_USE, cli, errors
from ctcov_tf.edge import benchmark, runner
from tests.mean_grey import INFO


def test_measures_a_process_of_its_own(mean_grey_file):
    measured = benchmark.measure(mean_grey_file, threads=1, rounds=20, image_size=64)
    assert (measured.model, measured.threads, measured.rounds, measured.image_size) == (mean_grey_file.name, 1, 20, 64)
    assert measured.file_megabytes == mean_grey_file.stat().st_size / 1e6
    latency = measured.latency_ms
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] < 1000
    assert measured.start_seconds > 10 * latency["p50"] / 1e3
    assert 20 < measured.megabytes < 400


def test_a_larger_image_takes_longer(mean_grey_file):
    small, large = (
        benchmark.measure(mean_grey_file, threads=1, rounds=15, image_size=size).latency_ms["p50"]
        for size in (32, 1500)
    )
    assert large > 3 * small


def test_on_the_command_line(mean_grey_file, capsys):
    with pytest.raises(SystemExit) as exited:
        cli.main(["benchmark", str(mean_grey_file), "--rounds", "3", "--threads", "1", "--json"])
    assert exited.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rounds"], found["threads"], found["image_size"]) == (3, 1, 512)
    assert set(found["latency_ms"]) == {"p50", "p90", "p99"}
    assert found["notice"] == RESEARCH_USE
    with pytest.raises(SystemExit):
        cli.main(["benchmark", str(mean_grey_file), "--rounds", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == ["start to first answer", "latency, ms", "largest memory"]
    assert lines[-1] == RESEARCH_USE


def test_what_is_no_model_is_one_line(tmp_path):
    with pytest.raises(errors.CtcovError, match="no such file"):
        benchmark.measure(tmp_path / "none.tflite")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(range(200)))
    runner.append_record(damaged, INFO)
    with pytest.raises(errors.CtcovError, match=r"damaged\.tflite: damaged TFLite model .*export it again$"):
        benchmark.measure(damaged)


@pytest.mark.parametrize("given", [("--rounds", "0"), ("--threads", "-1"), ("--rounds", "x")])
def test_a_wrong_number_is_one_line(mean_grey_file, given, capsys):
    with pytest.raises(SystemExit) as exited:
        cli.main(["benchmark", str(mean_grey_file), *given])
    assert exited.value.code == 2
    assert f"argument {given[0]}: {given[1]!r} is no number above 0" in capsys.readouterr().err
