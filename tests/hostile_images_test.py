"""Whatever a file holds, it gets a probability or one clear error, from every kind of model, and leaves no memory."""

import os
import pathlib
import subprocess
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from ctcov_tf import errors, predictor
from ctcov_tf.edge import runner
from ctcov_tf.images import decode, dicom
from ctcov_tf.images.window import LUNG
from ctcov_tf.screening.answering import Answering, File
from tests import hostile
from tests.images import dicom_samples, samples

COUNT = 2400
HEADS = (
    b"",
    b"\x89PNG\r\n\x1a\n",
    samples.READABLE["png_rgb"][:33],
    b"\xff\xd8\xff",
    samples.READABLE["jpeg_rgb"][:200],
    b"BM",
    b"\x93NUMPY",
    bytes(128) + b"DICM",
    dicom_samples.ct(np.zeros((4, 4)))[:400],
)
PROJECT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def corpus():
    return list(hostile.corpus(COUNT))


def resident() -> int:
    """Bytes of this process in memory."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_corpus_depends_on_the_seed_alone_and_is_not_all_broken(corpus):
    assert corpus[:200] == list(hostile.corpus(200))
    assert len({data for _, data in corpus}) == COUNT > 2000
    assert {kind for kind, _ in corpus} == set(hostile.KINDS)


def test_whole_files_are_answered(mean_grey_file):
    answering = Answering(predictor.load(mean_grey_file), LUNG, b"a key for the tests")
    for kind, files in hostile.originals().items():
        for number, data in enumerate(files):
            rows, refused = answering.answer([File.of(f"{kind}{number}", data)])
            assert bool(rows) == (kind != "npy"), refused


@pytest.mark.filterwarnings("error")
def test_predict_and_edge_runner_answer_or_refuse_in_one_line(corpus, mean_grey_file):
    opened, edge = predictor.load(mean_grey_file, 1), runner.EdgeModel(mean_grey_file, 1)
    answering = Answering(opened, LUNG, b"a key for the tests")
    counts = {"answered": 0, "refused": 0}
    for number, (_, data) in enumerate(corpus):
        rows, refused = answering.answer([File.of("file", data)])
        assert bool(rows) != bool(refused)
        for row in rows:
            assert 0 <= row["probability"] <= 1
        for one in refused:
            assert one.reason
            assert "\n" not in one.reason
            assert "neither decoded nor answered" not in one.reason, (number, one.reason)
        counts["answered" if rows else "refused"] += 1
        rgb = rgb_of(data)
        if rgb is not None:
            assert 0 <= edge(rgb)["probability"][0] <= 1
    assert counts["answered"] > COUNT / 20
    assert counts["refused"] > COUNT / 4


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(HEADS), st.binary(max_size=300))
def test_any_bytes_behind_a_head_are_answered_or_refused(mean_grey_file, head, tail):
    answering = Answering(predictor.load(mean_grey_file, 1), LUNG, b"a key for the tests")
    rows, refused = answering.answer([File.of("file", head + tail)])
    assert bool(rows) != bool(refused)
    assert not refused or "neither decoded nor answered" not in refused[0].reason


def rgb_of(data: bytes) -> np.ndarray | None:
    """The image; None where it is refused, as every image file may be, by nothing but this error."""
    try:
        return decode.decode_rgb(data, "file")
    except errors.CtcovError:
        return None


def test_no_memory_is_left_behind(corpus, mean_grey_file):
    answering = Answering(predictor.load(mean_grey_file, 1), LUNG, b"a key for the tests")

    def once():
        for _, data in corpus:
            answering.answer([File.of("file", data)])
        return resident()

    once()
    warm = once()
    assert once() < 1.05 * warm


def test_the_saved_model_answers_or_refuses(corpus, tmp_path_factory):
    """In a process of its own, so that a crash of its decoders is seen as one."""
    folder = tmp_path_factory.mktemp("hostile")
    for number, (kind, data) in enumerate(corpus):
        if kind in ("png", "jpeg"):
            (folder / f"{number:05}").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile_saved_model", folder], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answered, refused, grown = done.stdout.split()
    assert int(answered) + int(refused) == COUNT / 2
    assert int(answered) > COUNT / 40
    assert float(grown) < 1.1


def png_of(width: int, height: int) -> bytes:
    return samples.huge_png(width, height)


def dicom_of(**tags) -> bytes:
    dataset = dicom_samples.header(RescaleSlope=1, RescaleIntercept=0)
    dicom_samples.with_pixels(dataset, np.zeros((8, 8), np.int16))
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dicom_samples.content(dataset)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png_of(30_000, 30_000), "the limit is 40000000"),
        (dicom_of(Rows=20_000, Columns=20_000), "a frame is over the limit"),
        (dicom_of(NumberOfFrames=100_000), "over the limit of 4,000 frames"),
        (dicom_of(NumberOfFrames=4000, Rows=2000, Columns=2000), "all frames together are over the limit"),
    ],
)
def test_limits_are_held_before_anything_is_decoded(data, message, mean_grey_file, monkeypatch):
    def decodes(*arguments, **options):
        raise AssertionError("decoded")

    monkeypatch.setattr(dicom, "_decoded", decodes)
    monkeypatch.setattr(decode, "_to_rgb", decodes)
    answering = Answering(predictor.load(mean_grey_file), LUNG, b"a key for the tests")
    (refused,) = answering.answer([File.of("file", data)])[1]
    assert message in refused.reason
