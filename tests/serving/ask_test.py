"""`ctcov ask` as a user runs it, against the embedded server."""

import http.server
import json
import sys
import threading

import pytest

from benchmarks import embedded_server
from ctcov_tf import RESEARCH_USE, predictor

MAIN = "from ctcov_tf.cli import main; main()"


@pytest.fixture(scope="module")
def address(mean_grey_file):
    with embedded_server.serving(mean_grey_file) as server:
        yield f"http://127.0.0.1:{server.port}/v1/models/mean_grey"


def test_table(run_command, address, mean_grey_file, image_files):
    answer = run_command("-c", MAIN, "ask", address, *image_files)
    assert answer.returncode == 0, answer.stderr
    head, *rows, foot = answer.stdout.splitlines()
    assert (head.split(), foot) == (["image", "probability", "threshold", "decision"], RESEARCH_USE)
    model = predictor.load(mean_grey_file)
    for path, row in zip(image_files, rows, strict=True):
        expected = model.predict(path.read_bytes(), str(path))
        assert row.split() == [str(path), f"{expected.probability:.4f}", "0.4000", expected.label]


def test_json_and_an_image_that_cannot_be_read(run_command, address, image_files, tmp_path):
    bad, missing = tmp_path / "bad.png", tmp_path / "missing.png"
    bad.write_bytes(b"no image")
    answer = run_command("-c", MAIN, "ask", address, image_files[0], bad, missing, image_files[1], "--json")
    assert answer.returncode == 2
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [row["image"] for row in rows] == [str(path) for path in image_files]
    assert {row["notice"] for row in rows} == {RESEARCH_USE}
    assert rows[0]["probabilities"] == [rows[0]["probability"]]
    errors = sorted(answer.stderr.splitlines())
    assert len(errors) == 2
    assert errors[0].startswith(f"error: {bad}: {address}:predict: refused (status 400: ")
    assert errors[1].startswith(f"error: {missing}: ")


def test_rest_does_not_import_tensorflow(run_command, address, image_files):
    code = f"import sys\ntry:\n  {MAIN}\nfinally:\n  print(sorted({{'tensorflow', 'keras', 'cv2'}} & set(sys.modules)))"
    answer = run_command("-c", code, "ask", address, image_files[0])
    assert answer.stdout.splitlines()[-1] == "[]", answer.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("http://127.0.0.1:1/v1/models/net", "IMAGE"), "cannot be reached"),
        (("ADDRESS/versions/9", "IMAGE"), "refused (status 404"),
        (("ADDRESS/x", "IMAGE"), "no address of a served model"),
        (("ADDRESS", "IMAGE", "--signature", "pixels"), "no signature pixels that takes image files"),
        (("ADDRESS", "IMAGE", "--batch", "0"), "'0' is no number above 0"),
        (("ADDRESS", "IMAGE", "--timeout", "soon"), "'soon' is no number above 0"),
    ],
)
def test_errors_are_one_line(run_command, address, image_files, arguments, line):
    given = [one.replace("ADDRESS", address).replace("IMAGE", str(image_files[0])) for one in arguments]
    answer = run_command("-c", MAIN, "ask", *given)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert line in answer.stderr
    assert answer.stderr.count("\n") == 1


class Gate(http.server.BaseHTTPRequestHandler):
    """Answers as TensorFlow Serving does for an image that has no probability."""

    tokens: list = []  # noqa: RUF012

    def do_POST(self):
        self.tokens.append(self.headers["Authorization"])
        self.rfile.read(int(self.headers["Content-Length"]))
        content = b'{"predictions": [{"probability": NaN, "label": "", "in_distribution": false, "map": [NaN, 1.0]}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def gate():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/models/net"
        server.shutdown()


def test_numbers_that_are_none_are_null_and_the_token_is_sent(run_command, gate, image_files):
    answer = run_command("-c", MAIN, "ask", gate, image_files[0], "--json", CTCOV_TOKEN="secret")
    assert answer.returncode == 0, answer.stderr
    content = json.loads(answer.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert (content["probability"], content["in_distribution"], content["map"]) == (None, False, [None, 1.0])
    assert Gate.tokens[-1] == "Bearer secret"
    table = run_command("-c", MAIN, "ask", gate, image_files[0])
    assert table.stdout.splitlines()[1].split() == [str(image_files[0]), "-", "-", "-"]


def test_grpc_answers_the_same(tiny_fusion_exports, image_files, capsys):
    from ctcov_tf.serving import ask
    from tests.serving.prediction_service import Service, serving

    folder = tiny_fusion_exports["saved_model"]
    with serving(Service(folder, {"stable": 1})) as server:
        address = f"grpc://{server}/v1/models/deep_cxr_net/labels/stable"
        assert ask.ask_command(address, image_files, as_json=True, signature="explain", timeout=60) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    model = predictor.load(folder)
    for path, row in zip(image_files, rows, strict=True):
        expected = model.explain(path.read_bytes(), str(path))
        assert row["probability"] == pytest.approx(expected.prediction.probability, abs=1e-5)
        assert {name: row[name] for name in expected.prediction.likelihoods} == pytest.approx(
            expected.prediction.likelihoods, abs=1e-5
        )
        assert len(row["heatmap"]) == len(next(iter(expected.heatmaps.values())))
    assert "tensorflow" in sys.modules
