"""TensorFlow Serving's loader without TensorFlow Serving: the exported model in a C++ program, without Python."""

import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

SOURCE = pathlib.Path(__file__).with_name("load_saved_model.cc")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """`load_saved_model`, built against the headers and libraries of the installed TensorFlow."""
    compiler = shutil.which("g++")
    if not compiler:
        pytest.skip("no g++: install one to load exported models as TensorFlow Serving does")
    built = tmp_path_factory.mktemp("cpp") / "load_saved_model"
    libraries = tf.sysconfig.get_lib()
    done = subprocess.run(
        [
            compiler,
            *tf.sysconfig.get_compile_flags(),
            str(SOURCE),
            "-o",
            str(built),
            f"-L{libraries}",
            f"-Wl,-rpath,{libraries},--no-as-needed",
            "-l:libtensorflow_cc.so.2",
            "-l:libtensorflow_framework.so.2",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return built


@pytest.fixture(scope="module")
def files(images, tmp_path_factory):
    """The validation images as files."""
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(image.data)
    return paths


def run(program, folder, signature, paths):
    return subprocess.run(
        [str(program), str(folder), signature, *map(str, paths)], capture_output=True, text=True, timeout=600
    )


def same(answer, expected):
    """Compares the lines of the program with what Python gets from the same signature."""
    lines = dict(line.split("\t", 1) for line in answer.stdout.splitlines())
    assert set(lines) == set(expected)
    for name, tensor in expected.items():
        values = lines[name].split("\t")
        if tensor.dtype == tf.string:
            assert values == [one.decode() for one in tensor.numpy()]
        else:
            np.testing.assert_allclose(np.array(values, np.float64), tensor.numpy().ravel(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("signature", ["serving_default", "explain"])
def test_the_same_bytes_have_the_same_answer(program, exports, images, files, signature):
    answer = run(program, exports["saved_model"], signature, files)
    assert answer.returncode == 0, answer.stderr
    served = tf.saved_model.load(exports["saved_model"])
    expected = served.signatures[signature](image_bytes=tf.constant([image.data for image in images]))
    assert np.ptp(expected["probability"]) > 0.05
    same(answer, expected)


def test_a_fusion_too(program, tiny_fusion_exports, images, files):
    answer = run(program, tiny_fusion_exports["saved_model"], "serving_default", files)
    assert answer.returncode == 0, answer.stderr
    served = tf.saved_model.load(tiny_fusion_exports["saved_model"])
    expected = served.signatures["serving_default"](image_bytes=tf.constant([image.data for image in images]))
    assert {"part1_edema", "part2_normal"} <= set(expected)
    same(answer, expected)


def test_bytes_that_are_no_image_are_an_invalid_argument(program, exports, files, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    answer = run(program, exports["saved_model"], "serving_default", [files[0], bad])
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "INVALID_ARGUMENT" in answer.stderr
