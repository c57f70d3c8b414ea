"""An archive as `ctcov screen` finds it: images, a study, and what else lies in such a folder."""

import functools
import json
import pathlib

import cv2
import numpy as np
import pytest

from ctcov_tf.images import pseudonym
from ctcov_tf.screening import command
from tests.images import dicom_samples as samples

OTHER = "1.2.826.0.1.3680043.8.498.9"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(pseudonym.KEY_VARIABLE, "a key for the tests")


def png(level: int, side: int = 12) -> bytes:
    return cv2.imencode(".png", np.full((side, side), level, np.uint8))[1].tobytes()


@functools.cache
def archive_files() -> dict[str, bytes]:
    """Three images, two series of one study, four files without an answer."""
    return {
        "a.png": png(50),
        "b/c.png": png(200),
        "b/copy of c.png": png(200),
        **{f"study/1/{number}.dcm": data for number, data in enumerate(samples.slices(4)[::-1])},
        **{f"study/2/{number}": data for number, data in enumerate(samples.slices(2, SeriesInstanceUID=OTHER))},
        "study/scout": samples.ct(np.zeros((8, 8)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "b/cut.png": png(3)[:-20],
        "b/empty.jpg": b"",
        "readme.txt": b"text",
    }


@pytest.fixture
def archive(tmp_path) -> pathlib.Path:
    folder = tmp_path / "archive"
    for name, data in archive_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def screen(mean_grey_file, tmp_path, capsys):
    """Screens a folder into `results.parquet`; gives the summary."""

    def run(root, out=tmp_path / "results.parquet", **options):
        options = {"model": str(mean_grey_file), "workers": 1, "as_json": True} | options
        command.run(str(root), out=str(out), **options)
        return json.loads(capsys.readouterr().out)

    return run
