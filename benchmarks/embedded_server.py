"""`ctcov serve` as a process that a benchmark starts, asks over loopback and stops."""

import base64
from collections.abc import Iterator
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from typing import Any

CTCOV = pathlib.Path(sys.executable).with_name("ctcov")
HOST = "127.0.0.1"
_READY = re.compile(r"serving (\S+), version \d+, at http://127\.0\.0\.1:(\d+)/")


class Asked:
    """A running server, as those who ask it see it.

    Attributes:
      pid: its process.
      port: that it listens at.
      path: address of its model.
    """

    def __init__(self, pid: int, port: int, path: str) -> None:
        self.pid, self.port, self.path = pid, port, path

    def connect(self) -> http.client.HTTPConnection:
        """A connection that can ask again and again."""
        return http.client.HTTPConnection(HOST, self.port, timeout=60)

    def ask(self, connection: http.client.HTTPConnection, body: bytes) -> dict[str, Any]:
        """Asks for a prediction and gives the answer to the first image.

        Raises:
          RuntimeError: the server refuses the request.
        """
        connection.request("POST", self.path, body)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(content["error"])
        return content["predictions"][0]

    def memory(self) -> dict[str, float]:
        """Resident memory now and at its largest, MB."""
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return {name: int(status[key].split()[0]) / 1024 for name, key in (("now", "VmRSS"), ("largest", "VmHWM"))}

    def cpu_seconds(self) -> float:
        """Processor time so far, all threads."""
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


class Server(Asked):
    """A server that was just started.

    Attributes:
      ready_seconds: from the start of the process until it said that it is ready.
    """

    def __init__(self, process: subprocess.Popen[str], start: float) -> None:
        """Waits until the server is ready.

        Args:
          process: `ctcov serve`, just started.
          start: when, by `time.perf_counter`.
        """
        assert process.stdout
        found = _READY.match(process.stdout.readline())
        assert found, "the server did not start"
        self.ready_seconds = time.perf_counter() - start
        super().__init__(process.pid, int(found[2]), f"/v1/models/{found[1]}:predict")


def request(image: pathlib.Path) -> bytes:
    """A request to predict one image file."""
    return json.dumps({"instances": [{"b64": base64.b64encode(image.read_bytes()).decode()}]}).encode()


@contextlib.contextmanager
def serving(model: pathlib.Path, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """Runs a server on a free port of this machine alone, and stops it at the end.

    Args:
      model: what it serves.
      environment: of the process; this one's if None.
    """
    command = [str(CTCOV), "serve", str(model), "--host", HOST, "--port", "0"]
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            yield Server(process, start)
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        finally:
            process.kill()
