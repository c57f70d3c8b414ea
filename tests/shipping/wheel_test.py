"""What a wheel carries of the shipped models, by the patterns of setup.cfg."""

import configparser
import pathlib
import zlib

from ctcov_tf import shipped

PROJECT = pathlib.Path(__file__).parents[2]
LARGEST = 60e6


def carried():
    """Files that the wheel takes from `weights/`."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg")
    patterns = config["options.package_data"]["ctcov_tf"].split(", ")
    package = PROJECT / "ctcov_tf"
    return {path for one in patterns if one.startswith("weights/") for path in package.glob(one.strip())}


def test_the_package_holds_the_folder_of_the_repository():
    assert (PROJECT / "ctcov_tf" / "weights").resolve() == PROJECT / "weights"
    assert shipped.root().resolve() == PROJECT / "weights"


def test_a_wheel_carries_what_answers():
    for model in shipped.models():
        needed = {shipped.MANIFEST, "metrics.json", "USE.md", model.content["tflite"][shipped.ANSWERING]}
        assert needed <= {path.name for path in carried() if path.parent.name == model.name}


def test_a_wheel_stays_below_60_mb():
    code = [path for path in (PROJECT / "ctcov_tf").rglob("*.*") if path.is_file() and "weights" not in path.parts]
    assert sum(len(zlib.compress(path.read_bytes())) for path in {*code, *carried()}) < LARGEST
