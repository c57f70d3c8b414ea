"""The real server: a process of its own on a free port, asked over HTTP."""

from concurrent import futures
import contextlib
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from ctcov_tf import RESEARCH_USE, predictor

READY = re.compile(r"serving (\S+), version (\d+), at (http://127\.0\.0\.1:\d+)/v1/models/\S+:predict\n")


@contextlib.contextmanager
def serving(model, *flags):
    """Runs `ctcov serve` and yields its process and address once it is ready."""
    command = [
        sys.executable,
        "-c",
        "from ctcov_tf.cli import main; main()",
        "serve",
        str(model),
        "--port",
        "0",
        *flags,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert READY.fullmatch(line), line + process.stderr.read()
            assert process.stdout.readline() == f"{RESEARCH_USE}\n"
            yield process, READY.fullmatch(line)[3]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def address(mean_grey_file):
    with serving(mean_grey_file) as (_, address):
        yield address


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


def test_answers_are_those_of_predict(client, mean_grey_file, image_files, rows):
    model = predictor.load(mean_grey_file)
    images = [path.read_bytes() for path in image_files]
    answers = client.post("/v1/models/mean_grey:predict", json=rows(*images)).raise_for_status().json()["predictions"]
    for image, answer in zip(images, answers, strict=True):
        expected = model.predict(image, "image")
        assert answer == {
            "probability": expected.probability,
            "label": expected.label,
            "threshold": expected.threshold,
            "probabilities": [expected.probability],
            "model": "mean_grey",
        }


def test_status_has_the_files_version(client):
    (status,) = client.get("/v1/models/mean_grey").raise_for_status().json()["model_version_status"]
    assert (status["version"], status["state"]) == ("3", "AVAILABLE")


def test_a_body_that_is_too_large_is_refused_and_the_server_goes_on(client):
    answer = client.post("/v1/models/mean_grey:predict", content=bytes(40 * 2**20))
    assert answer.status_code == 413
    assert client.get("/healthz").status_code == 200


def test_requests_at_once_are_all_answered_rightly(address, image_files, rows):
    images = [path.read_bytes() for path in image_files]

    def ask(number):
        answer = httpx.post(f"{address}/v1/models/mean_grey:predict", json=rows(images[number % 2]), timeout=60)
        return answer.raise_for_status().json()["predictions"][0]["probability"]

    with futures.ThreadPoolExecutor(8) as clients:
        found = list(clients.map(ask, range(48)))
    assert len(set(found)) == 2
    assert found == found[:2] * 24


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_without_a_traceback(mean_grey_file, stop):
    with serving(mean_grey_file, "--name", "other") as (process, address):
        assert httpx.get(f"{address}/v1/models/other").status_code == 200
        process.send_signal(stop)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out == "stopped\n"
    assert "Traceback" not in err
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def test_nothing_of_a_request_is_logged(mean_grey_file, image_files, rows):
    with serving(mean_grey_file) as (process, address):
        for content in (rows(image_files[0].read_bytes()), rows(b"Jane Doe"), {"instances": "Jane Doe"}):
            httpx.post(f"{address}/v1/models/mean_grey:predict?patient=Jane", json=content, timeout=60)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert out == "stopped\n"
    assert [line for line in err.splitlines() if "XNNPACK" not in line] == []


def test_it_listens_to_this_machine_alone(address):
    port = int(address.rpartition(":")[2])
    other = socket.gethostbyname(socket.gethostname())
    if other.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((other, port), timeout=5)


def test_a_port_in_use_is_one_line(address, mean_grey_file, run_command):
    port = address.rpartition(":")[2]
    answer = run_command("-c", "from ctcov_tf.cli import main; main()", "serve", mean_grey_file, "--port", port)
    assert answer.returncode == 2
    assert answer.stderr == f"error: 127.0.0.1:{port}: Address already in use: choose another --port or --host\n"


def test_a_tflite_file_is_served_without_tensorflow(mean_grey_file, image_files, rows):
    code = (
        "import sys; from concurrent import futures; from ctcov_tf import predictor; "
        "from ctcov_tf.serving import server; from ctcov_tf.serving.served_model import ServedModel; "
        f"model = ServedModel(predictor.load({str(mean_grey_file)!r})); model.warm_up(); "
        "print(sorted({'tensorflow', 'keras', 'pandas', 'sklearn', 'matplotlib', 'scipy', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("kind", ["saved_model", "run"])
def test_saved_models_and_runs_are_served(kind, tiny_fusion_run, tiny_fusion_exports, image_files, rows):
    path = tiny_fusion_run.path if kind == "run" else tiny_fusion_exports["saved_model"].parent
    image = image_files[0].read_bytes()
    expected = predictor.load(path).predict(image, "image")
    with serving(path) as (_, address):
        asked = httpx.post(f"{address}/v1/models/deep_cxr_net:predict", json=rows(image), timeout=60)
        (answer,) = asked.raise_for_status().json()["predictions"]
    assert answer["probability"] == pytest.approx(expected.probability, abs=1e-6)
    assert {name: answer[name] for name in expected.likelihoods} == pytest.approx(expected.likelihoods, abs=1e-6)


def test_a_request_that_runs_is_answered_before_it_stops(mean_grey_file, rows):
    """Large images take seconds; the signal comes while they are read."""
    import cv2
    import numpy as np

    image = cv2.imencode(".png", np.full((6000, 6000, 3), 51, np.uint8))[1].tobytes()
    with serving(mean_grey_file) as (process, address), futures.ThreadPoolExecutor(1) as asking:
        asked = asking.submit(httpx.post, f"{address}/v1/models/mean_grey:predict", json=rows(*[image] * 4), timeout=60)
        with pytest.raises(futures.TimeoutError):
            asked.result(1)
        process.send_signal(signal.SIGTERM)
        answers = asked.result(60).json()["predictions"]
        process.communicate(timeout=30)
    assert [answer["label"] for answer in answers] == ["normal"] * 4
