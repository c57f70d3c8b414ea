"""What gets through to a server, and to what reads models of others?

    python -m benchmarks.attacks [--only GROUP ...] [--json] [--record FILE]

Starts `ctcov serve` with and without a token and tries what a stranger would: Gradio's routes, files of the server
named in the place of uploads, foreign hosts and origins, abuse of HTTP, hostile DICOM files, idle connections; forged
model files in processes of their own; folders beside a served version. Something *got through* where the server
stopped answering, answered with 5xx that is no refusal, handed out what it must not, or where a reader ended in
anything but an answer or one line. Then uploads and calls by the thousand, for what they leave in memory and
descriptors. Ends with 1 if anything got through. All of it stays on this machine's loopback.
"""

import collections
from collections.abc import Callable
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import sys
import tempfile
import time
from typing import Any

import tyro

from benchmarks import embedded_server, hostile_files, hostile_http, record, timing
from ctcov_tf import shipped

GROWTH = 1.05
TOKEN = "token-of-the-benchmark"


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """What is tried."""

    only: tuple[str, ...] = ()
    """Groups to try; all if none is named."""
    calls: int = 3000
    """Uploads, and calls of the model, whose memory is looked at."""


@dataclasses.dataclass
class Tally:
    """What was tried, and what got through.

    Attributes:
      tried: attempts by group.
      through: group and attempt of what got through, and what was seen.
    """

    tried: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    through: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)

    def note(self, group: str, attempt: str, seen: str | None) -> None:
        """Counts an attempt.

        Args:
          group: of attempts.
          attempt: what was tried.
          seen: what got through; None where nothing did.
        """
        self.tried[group] += 1
        if seen:
            self.through.append((group, attempt, seen))
            print(f"through: {group}: {attempt}: {seen}", file=sys.stderr)


def main(options: Options) -> None:
    """Tries, prints, records."""
    model = shipped.best()
    assert model, "no model ships: nothing to serve"
    tally, growth = Tally(), {}
    groups: dict[str, Callable[[embedded_server.Asked, embedded_server.Asked, Tally], None]] = {
        "gradio's routes without the token": lambda open_, guarded, tally: _routes(guarded, tally),
        "files of the server": lambda open_, guarded, tally: _foreign_files(open_, tally),
        "hosts and origins": lambda open_, guarded, tally: _hosts(open_, tally),
        "abuse of http": lambda open_, guarded, tally: _abuse(open_, tally),
        "hostile dicom": lambda open_, guarded, tally: _dicom(open_, tally),
        "idle connections": lambda open_, guarded, tally: _idle(open_, tally),
    }
    chosen = [name for name in groups if not options.only or name in options.only]
    without = {name: value for name, value in os.environ.items() if name != "CTCOV_TOKEN"}
    with (
        embedded_server.serving(model.answering_file, without) as open_,
        embedded_server.serving(model.answering_file, without | {"CTCOV_TOKEN": TOKEN}) as guarded,
    ):
        for name in chosen:
            print(f"{name} ...", file=sys.stderr)
            groups[name](open_, guarded, tally)
    if not options.only or "model files" in options.only:
        print("model files ...", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            for kind, path in hostile_files.write(pathlib.Path(folder), model.answering_file):
                tally.note(kind, path.name, hostile_files.read_apart(kind, path))
    if not options.only or "version folders" in options.only:
        print("version folders ...", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            _versions(pathlib.Path(folder), model.answering_file, without, tally)
    if not options.only or "growth" in options.only:
        print("growth ...", file=sys.stderr)
        with embedded_server.serving(model.answering_file, without) as server:
            growth = _growth(server, options.calls)
    made = _record(options, tally, growth)
    record.publish(made, options)
    sys.exit(int(not all(goal["met"] for goal in made["goals"])))


def _healthy(server: embedded_server.Asked) -> str | None:
    """What is wrong with a server after an attempt."""
    start = time.perf_counter()
    try:
        status, _, _ = hostile_http.ask(server.port, "GET", "/healthz", timeout=10)
    except OSError as error:
        return f"health does not answer ({type(error).__name__})"
    seconds = time.perf_counter() - start
    return None if status == 200 and seconds < 5 else f"health answers {status} after {seconds:.1f} s"


def _routes(server: embedded_server.Asked, tally: Tally) -> None:
    for method, path in hostile_http.gradio_routes():
        status, _, body = hostile_http.ask(server.port, method, f"/page{path}")
        public = path in hostile_http.PUBLIC or path.startswith("/login")
        got = f"status {status}" if status < 400 and not public else "a place" if b"/tmp/" in body else None
        tally.note("gradio's routes without the token", f"{method} {path}", got or _unhandled(status))


def _unhandled(status: int) -> str | None:
    return f"status {status}" if status >= 500 and status not in (503, 504) else None


def _foreign_files(server: embedded_server.Asked, tally: Tally) -> None:
    _, headers, _ = hostile_http.ask(server.port, "GET", "/page/")
    cookie = re.findall(r"ctcov_visitor=\w+", headers.get("set-cookie", ""))
    given = {"content-type": "application/json", "cookie": cookie[0] if cookie else ""}
    _, _, config = hostile_http.ask(server.port, "GET", "/page/config")
    functions = [(one["id"], len(one["inputs"])) for one in json.loads(config)["dependencies"]]
    with tempfile.TemporaryDirectory() as folder:
        for path in hostile_http.foreign_paths(pathlib.Path(folder)):
            for function, inputs in functions:
                for call in "queue/join", "run/predict":
                    named = {"path": path, "meta": {"_type": "gradio.FileData"}}
                    body = {"data": [[named]] * max(inputs, 1), "fn_index": function, "session_hash": "attack"}
                    content = json.dumps(body).encode()
                    status, _, answer = hostile_http.ask(
                        server.port, "POST", f"/page/gradio_api/{call}", content, given
                    )
                    got = f"status {status}" if status < 400 else "its place" if b"/tmp" in answer else None
                    tally.note("files of the server", f"{call} {function} {path!r}", got)
    for path in hostile_http.FILE_ROUTES:
        status, _, body = hostile_http.ask(server.port, "GET", path, headers={"cookie": given["cookie"]})
        tally.note("files of the server", path, f"status {status}" if status < 400 or b"root:" in body else None)
    tally.note("files of the server", "afterwards", _healthy(server))


def _hosts(server: embedded_server.Asked, tally: Tally) -> None:
    for headers in hostile_http.FOREIGN_HOSTS:
        for path in "/page/", server.path.removesuffix(":predict"), "/metrics":
            status, answered, _ = hostile_http.ask(server.port, "GET", path, headers=headers)
            echoed = [name for name in answered if name.startswith("access-control")]
            got = f"status {status}" if status < 400 else f"{echoed}" if echoed else None
            tally.note("hosts and origins", f"{headers} {path}", got)


def _abuse(server: embedded_server.Asked, tally: Tally) -> None:
    for name, sent in hostile_http.abuses(server.path):
        status = hostile_http.send(server.port, sent)
        accepted = name.startswith("bad") and status == 200
        got = "it is answered" if accepted else _unhandled(status or 0) or _healthy(server)
        tally.note("abuse of http", name, got)


def _dicom(server: embedded_server.Asked, tally: Tally) -> None:
    for name, content in hostile_files.dicom():
        for call in "predict", "study":
            body = hostile_http.image_request(content)
            path = server.path.replace(":predict", f":{call}")
            with hostile_http.asking(server.port, path, body) as answer:
                time.sleep(0.2)
                sick = _healthy(server)
                start = time.perf_counter()
                status = answer.status()
            slow = time.perf_counter() - start > 20
            tally.note("hostile dicom", f"{call} {name}", sick or ("slow" if slow else _unhandled(status)))


def _idle(server: embedded_server.Asked, tally: Tally) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(2000):
            with contextlib.suppress(OSError):
                connection = hostile_http.connect(server.port, timeout=2)
                stack.callback(connection.close)
                with contextlib.suppress(OSError):
                    connection.sendall(b"GET /healthz HT" if number % 2 else b"")
            if number % 250 == 249:
                tally.note("idle connections", f"{number + 1} sockets", _healthy(server))
    tally.note("idle connections", "afterwards", _healthy(server))


def _versions(folder: pathlib.Path, model: pathlib.Path, environment: dict[str, str], tally: Tally) -> None:
    served = folder / "served"
    (served / "1").mkdir(parents=True)
    (served / "1" / "model.tflite").write_bytes(model.read_bytes())
    with embedded_server.serving(served, environment) as server:
        status_path = server.path.removesuffix(":predict")
        for name in hostile_files.version_folders(served, model):
            time.sleep(2.5)
            status, _, body = hostile_http.ask(server.port, "GET", status_path)
            states = {one["version"]: one["state"] for one in json.loads(body).get("model_version_status", [])}
            wrong = None if states.get("1") == "AVAILABLE" else f"version 1 is {states.get('1')}"
            told = "its place" if str(folder).encode() in body else None
            tally.note("version folders", name, _unhandled(status) or wrong or told or _healthy(server))


def _growth(server: embedded_server.Asked, calls: int) -> dict[str, float]:
    """Memory and descriptors after all uploads and calls over those after a tenth of them."""
    image = hostile_files.grey_png()
    body = hostile_http.image_request(image)
    sizes: list[float] = []
    descriptors: list[int] = []
    folder = pathlib.Path(f"/proc/{server.pid}/fd")
    for number in range(calls):
        hostile_http.upload_and_ask(server.port, image)
        status, _, _ = hostile_http.ask(server.port, "POST", server.path, body)
        assert status == 200, status
        if number + 1 in (calls // 10, calls):
            time.sleep(1)
            sizes.append(server.memory()["now"])
            descriptors.append(len(list(folder.iterdir())))
    return {
        "mb_after_a_tenth": sizes[0],
        "mb_at_the_end": sizes[1],
        "memory": sizes[1] / sizes[0],
        "descriptors": descriptors[1] / descriptors[0],
    }


def _record(options: Options, tally: Tally, growth: dict[str, float]) -> dict[str, Any]:
    facts = {name: {"tried": count, "through": _through(tally, name)} for name, count in tally.tried.items()}
    values = {f"{name}: {fact['through']} got through": timing.spread([fact["tried"]]) for name, fact in facts.items()}
    case = record.Case("what a stranger tried", "attempts", values)
    goals = [record.Goal("attempts that got through", len(tally.through), 0)]
    if not options.only:
        goals.append(record.Goal("attempts", sum(tally.tried.values()), 400, at_least=True))
    goals += [
        record.Goal(f"{name} after {options.calls} uploads and calls over a tenth of them", growth[name], GROWTH)
        for name in ("memory", "descriptors")
        if name in growth
    ]
    settings = {"only": list(options.only), "calls": options.calls}
    return record.make("attacks", settings, [case], goals, growth=growth, through=tally.through)


def _through(tally: Tally, name: str) -> int:
    return sum(group == name for group, _, _ in tally.through)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
