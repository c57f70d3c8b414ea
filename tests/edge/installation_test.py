"""The installation of an edge device: this package without its dependencies, and those of the extra `edge` alone."""

import configparser
from importlib import metadata
import json
import pathlib
import shutil
import subprocess
import sys
import venv

from packaging.requirements import Requirement
import pytest

from ctcov_tf import RESEARCH_USE
from tests import shipped_folder

PROJECT = pathlib.Path(__file__).parents[2]
SHIPPED = "mean_grey-20260101"
LEFT_OUT = {"tensorflow", "keras", "cv2", "pandas", "scipy", "sklearn", "matplotlib", "pydicom"}


@pytest.fixture(scope="module")
def device(tmp_path_factory, mean_grey_file):
    """A virtual environment as `pip install --no-deps ctcov` and the packages of the extra make it; no network.

    One model ships with it.
    """
    folder = tmp_path_factory.mktemp("device")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    for name in ("ctcov_tf", "tfds_ctcov19"):
        shutil.copytree(
            PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "dummy_data", "weights")
        )
    shipped_folder.write(source / "ctcov_tf" / "weights", SHIPPED, mean_grey_file)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    for name in _with_dependencies(_extra("edge")):
        _link(metadata.distribution(name), site)
    offline = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-cache-dir"]
    pip = [sys.executable, "-m", "pip"]
    _run(*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", folder, source)
    (wheel,) = folder.glob("ctcov-*.whl")
    _run(*pip, "--python", python, "install", *offline, wheel)
    return folder / "venv" / "bin"


def _extra(name):
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg")
    lines = config["options.extras_require"][name].splitlines()
    return [Requirement(line).name for line in lines if line and line[0] != "#"]


def _with_dependencies(names):
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            required = map(Requirement, metadata.requires(name) or [])
            waiting += [one.name for one in required if not one.marker or one.marker.evaluate({"extra": ""})]
    return found


def _link(distribution, site):
    """Links each file of an installed package, so that folders shared with others hold nothing else."""
    for file in distribution.files:
        if file.parts[0] != ".." and "__pycache__" not in file.parts:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).symlink_to(distribution.locate_file(file))


def _process(*command, cwd="/"):
    environment = {"PATH": "/usr/bin:/bin"}
    command = list(map(str, command))
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, cwd=cwd)


def _run(*command):
    done = _process(*command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_else_is_installed(device):
    code = f"import importlib.util as u; print([n for n in {sorted(LEFT_OUT)!r} if u.find_spec(n)])"
    assert _run(device / "python", "-c", code).strip() == "[]"


def test_predicts(device, mean_grey_file, image_files):
    answer = json.loads(_run(device / "ctcov", "predict", mean_grey_file, image_files[0], "--json"))
    assert 0.3 < answer["probability"] < 0.7
    assert answer["notice"] == RESEARCH_USE


def test_a_model_ships_inside_the_wheel(device, image_files):
    answer = json.loads(_run(device / "ctcov", "predict", image_files[0], "--json"))
    assert 0.3 < answer["probability"] < 0.7
    assert answer["shipped"]["name"] == SHIPPED
    (listed,) = json.loads(_run(device / "ctcov", "models", "--json"))
    assert listed["files"] == [f"{SHIPPED}-float32.tflite"]


def test_benchmarks(device, mean_grey_file):
    measured = json.loads(_run(device / "ctcov", "benchmark", mean_grey_file, "--rounds", "5", "--json"))
    assert measured["latency_ms"]["p50"] > 0
    assert measured["megabytes"] < 250


def test_answers_from_python(device, mean_grey_file, image_files):
    code = (
        "from ctcov_tf.edge.runner import EdgeModel; from ctcov_tf.images.decode import read_rgb; "
        f"print(EdgeModel({str(mean_grey_file)!r})(read_rgb({str(image_files[0])!r}))['probability'][0])"
    )
    assert 0.3 < float(_run(device / "python", "-c", code)) < 0.7


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--heatmap", "maps"), "cv2: not installed, heat maps need it: pip install opencv-python-headless"),
        (("study",), "pydicom: not installed, DICOM files need it: install it with pip install 'ctcov[dicom]'"),
    ],
)
def test_what_needs_more_says_so(device, mean_grey_file, image_files, tmp_path, arguments, remedy):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "slice").write_bytes(bytes(128) + b"DICM")
    done = _process(device / "ctcov", "predict", mean_grey_file, image_files[0], *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {remedy}\n"
    assert not (tmp_path / "maps").exists()
