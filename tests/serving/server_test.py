"""The real server: a process of its own on a free port, asked over HTTP."""

from concurrent import futures
import contextlib
import functools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import pytest

from benchmarks import embedded_server, load
from ctcov_tf import RESEARCH_USE, predictor

PATIENCE = 120  # seconds; a busy machine is no failure
PATIENT = f"from ctcov_tf.serving import server; server.STOP_SECONDS = {10 * PATIENCE}"  # for what is still asked
READY = re.compile(r"serving (\S+), version (\d+), at (http://127\.0\.0\.1:\d+)/v1/models/\S+:predict\n")


@contextlib.contextmanager
def serving(model, *flags, first="pass"):
    """Runs `ctcov serve`, in Python that does something else first, and yields its process and address once ready."""
    command = [
        sys.executable,
        "-c",
        f"{first}\nfrom ctcov_tf.cli import main; main()",
        "serve",
        str(model),
        "--port",
        "0",
        *map(str, flags),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert READY.fullmatch(line), line + process.stderr.read()
            assert process.stdout.readline() == f"{RESEARCH_USE}\n"
            yield process, READY.fullmatch(line)[3]
        finally:
            process.kill()


get, post = (functools.partial(ask, timeout=PATIENCE) for ask in (httpx.get, httpx.post))


@pytest.fixture(scope="module")
def address(mean_grey_file):
    with serving(mean_grey_file) as (_, address):
        yield address


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
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


def test_answers_are_not_held_back_by_the_network(address, image_files):
    """With Nagle's algorithm each answer on a connection that stays open takes 40 ms or more."""
    server = embedded_server.Asked(0, int(address.rpartition(":")[2]), "/v1/models/mean_grey:predict")
    body = embedded_server.request(image_files[0])
    with contextlib.closing(server.connect()) as connection:

        def seconds():
            start = time.perf_counter()
            server.ask(connection, body)
            return time.perf_counter() - start

        for _ in range(20):  # the first answers are never held back
            seconds()
        assert any(seconds() < 0.03 for _ in range(400))


def test_requests_at_once_are_all_answered_rightly(address, image_files, rows):
    images = [path.read_bytes() for path in image_files]

    def ask(number):
        answer = post(f"{address}/v1/models/mean_grey:predict", json=rows(images[number % 2]))
        return answer.raise_for_status().json()["predictions"][0]["probability"]

    with futures.ThreadPoolExecutor(8) as clients:
        found = list(clients.map(ask, range(48)))
    assert len(set(found)) == 2
    assert found == found[:2] * 24


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_without_a_traceback(mean_grey_file, stop):
    with serving(mean_grey_file, "--name", "other") as (process, address):
        assert get(f"{address}/v1/models/other").status_code == 200
        process.send_signal(stop)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert out == "stopped\n"
    assert "Traceback" not in err
    with pytest.raises(httpx.ConnectError):
        get(address)


def test_nothing_of_a_request_is_logged(mean_grey_file, image_files, rows):
    with serving(mean_grey_file) as (process, address):
        for content in (rows(image_files[0].read_bytes()), rows(b"Jane Doe"), {"instances": "Jane Doe"}):
            post(f"{address}/v1/models/mean_grey:predict?patient=Jane", json=content)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
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


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_tflite_file_is_served_without_tensorflow(mean_grey_file, tmp_path, kind):
    load.put_tflite(mean_grey_file, tmp_path, 1)
    path = mean_grey_file if kind == "file" else tmp_path
    code = (
        "import pathlib, sys\n"
        "from ctcov_tf.serving import metrics, server, settings, versions\n"
        f"served = server.versions_of(pathlib.Path({str(path)!r}), settings.Settings(), metrics.Metrics())\n"
        "with served as opened: assert opened.latest in (1, 3)\n"
        "print(sorted({'tensorflow', 'keras', 'pandas', 'sklearn', 'matplotlib', 'scipy', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("kind", ["saved_model", "run"])
def test_saved_models_and_runs_are_served(kind, tiny_fusion_run, tiny_fusion_exports, image_files, rows):
    path = tiny_fusion_run.path if kind == "run" else tiny_fusion_exports["saved_model"].parent
    images = [file.read_bytes() for file in image_files]
    model = predictor.load(path)
    expected = [model.explain(image, "image") for image in images]
    with serving(path) as (_, address):
        asked = post(f"{address}/v1/models/deep_cxr_net:predict", json=rows(*images))
        answers = asked.raise_for_status().json()["predictions"]
        explain = rows(*images) | {"signature_name": "explain"}
        asked = post(f"{address}/v1/models/deep_cxr_net:predict", json=explain)
        explained = asked.raise_for_status().json()["predictions"]
        damaged = post(f"{address}/v1/models/deep_cxr_net:predict", json=rows(images[0], images[1][:99]))
    assert damaged.status_code == 400
    for answer, one in zip(answers, expected, strict=True):
        prediction = one.prediction
        assert answer["probability"] == pytest.approx(prediction.probability, abs=1e-5)
        found = {name: answer[name] for name in prediction.likelihoods}
        assert found == pytest.approx(prediction.likelihoods, abs=1e-5)
    for answer, one in zip(explained, expected, strict=True):
        maps = [answer[name] for name in ("heatmap", "heatmap_part1", "heatmap_part2")]
        for heatmap, drawn in zip(maps, one.heatmaps.values(), strict=True):
            np.testing.assert_allclose(heatmap, drawn, atol=1e-4)
        assert f"part1_{answer['finding_part1']}" == list(one.heatmaps)[1]


def test_requests_that_wait_are_answered_before_it_stops(mean_grey_file, rows):
    """Large images take a second each; the signal comes while some of them wait for the model."""
    import cv2

    image = cv2.imencode(".png", np.full((6000, 6000, 3), 51, np.uint8))[1].tobytes()
    with (
        serving(mean_grey_file, "--timeout", PATIENCE, first=PATIENT) as (process, address),
        futures.ThreadPoolExecutor(1) as asking,
    ):
        asked = asking.submit(post, f"{address}/v1/models/mean_grey:predict", json=rows(*[image] * 3))
        while "\nctcov_queue_images 0.0\n" in get(f"{address}/metrics").text:
            assert not asked.done(), "all answered before one was seen to wait"
        process.send_signal(signal.SIGTERM)
        answers = asked.result(PATIENCE).json()["predictions"]
        process.communicate(timeout=PATIENCE)
    assert [answer["label"] for answer in answers] == ["normal"] * 3


def states(address):
    found = get(f"{address}/v1/models/mean_grey").json()["model_version_status"]
    return {int(one["version"]): one["state"] for one in found}


def test_a_new_version_takes_over_under_load_and_nothing_is_lost(mean_grey_file, image_files, tmp_path):
    load.put_tflite(mean_grey_file, tmp_path, 1)
    body = embedded_server.request(image_files[0])
    all_ask = threading.Barrier(9, timeout=PATIENCE)
    with serving(tmp_path, "--poll", "0.1", "--label", "first=1") as (process, address):
        server = embedded_server.Asked(process.pid, int(address.rpartition(":")[2]), "/v1/models/mean_grey:predict")

        def ask():
            """Thresholds of answers to one client, of which the last are of the second version."""
            until = time.monotonic() + PATIENCE
            with contextlib.closing(server.connect()) as connection:
                thresholds = [server.ask(connection, body)["threshold"]]
                all_ask.wait()
                while thresholds.count(load.SECOND_THRESHOLD) < 10 and time.monotonic() < until:
                    thresholds.append(server.ask(connection, body)["threshold"])
            return thresholds

        with futures.ThreadPoolExecutor(8) as clients:
            asking = [clients.submit(ask) for _ in range(8)]
            all_ask.wait()
            load.put_tflite(mean_grey_file, tmp_path, 2)
            found = [asked.result() for asked in asking]
        assert states(address) == {2: "AVAILABLE", 1: "AVAILABLE"}
        first = post(f"{address}/v1/models/mean_grey/labels/first:predict", content=body).json()["predictions"]
    assert first[0]["threshold"] == 0.4
    for thresholds in found:
        assert set(thresholds) == {0.4, load.SECOND_THRESHOLD}
        assert (thresholds[0], thresholds[-1]) == (0.4, load.SECOND_THRESHOLD)


def test_a_version_that_cannot_be_loaded_changes_nothing(mean_grey_file, image_files, rows, tmp_path):
    load.put_tflite(mean_grey_file, tmp_path, 1)
    with serving(tmp_path, "--poll", "0.1") as (_, address):
        (tmp_path / "2").mkdir()
        (tmp_path / "2" / "model.tflite").write_bytes(mean_grey_file.read_bytes()[:100])
        until = time.monotonic() + PATIENCE
        while 2 not in states(address) and time.monotonic() < until:
            time.sleep(0.1)
        assert states(address) == {2: "END", 1: "AVAILABLE"}
        (failed, _) = get(f"{address}/v1/models/mean_grey").json()["model_version_status"]
        assert "export it again" in failed["status"]["error_message"]
        asked = post(f"{address}/v1/models/mean_grey:predict", json=rows(image_files[0].read_bytes()))
        assert asked.status_code == 200


def test_many_clients_leave_nothing_behind(mean_grey_file, image_files):
    """The short form of `benchmarks.load`: no fault, and no memory that grows with the requests."""
    with embedded_server.serving(mean_grey_file) as server:
        found = load.load(server, embedded_server.request(image_files[0]), 32, 6.0)
    assert found.faults == []
    assert len(found.answers) > 200
    assert found.memory_at(6) < 1.1 * found.memory_at(2)


def test_a_token_is_asked_for(mean_grey_file, tmp_path):
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    with serving(mean_grey_file, "--token-file", file) as (_, address):
        assert get(f"{address}/v1/models/mean_grey").status_code == 401
        headers = {"Authorization": "Bearer s3cret"}
        assert get(f"{address}/v1/models/mean_grey", headers=headers).status_code == 200


def test_an_open_address_without_a_token_is_warned_of(mean_grey_file):
    command = [sys.executable, "-c", "from ctcov_tf.cli import main; main()", "serve", str(mean_grey_file)]
    flags = ["--host", "0.0.0.0", "--port", "0"]
    with subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("serving mean_grey")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    assert "warning: 0.0.0.0 is open to the network without a token\n" in err


def test_the_access_log_says_what_was_asked_and_nothing_of_it(mean_grey_file, image_files, rows):
    with serving(mean_grey_file, "--access-log") as (process, address):
        post(f"{address}/v1/models/mean_grey:predict?patient=Jane", json=rows(image_files[0].read_bytes()))
        get(f"{address}/Jane/Doe")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    lines = [line for line in err.splitlines() if "XNNPACK" not in line]
    calls = [json.loads(line[line.index("{") :]) for line in lines]
    assert [(call["call"], call["status"]) for call in calls] == [("predict", 200), ("other", 404)]
    assert all(set(call) == {"call", "status", "ms"} for call in calls)
    assert "Jane" not in err
    assert "127.0.0.1" not in err


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--label", "stable=7"), "has no version 7: choose from 3"),
        (("--label", "stable"), "'stable' is no label and version, such as stable=2"),
        (("--max-images", "0"), "'0' is no number above 0"),
        (("--max-images", "200"), "--max-images 200: more than --max-queue 128"),
        (("--timeout", "nan"), "'nan' is no number above 0"),
        (("--token-file", "nowhere"), "nowhere: no token can be read"),
    ],
)
def test_what_cannot_be_served_is_one_line(mean_grey_file, run_command, flags, line):
    command = ("-c", "from ctcov_tf.cli import main; main()", "serve", mean_grey_file, "--port", "0")
    answer = run_command(*command, *flags)
    assert answer.returncode == 2
    assert line in answer.stderr
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.count("\n") == 1


def test_an_open_page_does_not_hold_up_the_end(mean_grey_file):
    with (
        serving(mean_grey_file, first=PATIENT) as (process, address),
        httpx.Client(base_url=address, timeout=PATIENCE) as client,
    ):
        assert client.get("/page/").status_code == 200
        with client.stream("GET", "/page/gradio_api/heartbeat/a-page") as stream:
            assert stream.status_code == 200
            next(stream.iter_raw())
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.stderr.read()
