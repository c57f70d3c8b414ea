"""What the tests of serving share."""

import asyncio
import base64
import contextlib
import dataclasses
import pathlib

import httpx
import pytest

from ctcov_tf.serving import app
from ctcov_tf.serving.metrics import Metrics
from ctcov_tf.serving.served_model import ServedModel
from ctcov_tf.serving.settings import Settings
from ctcov_tf.serving.versions import Versions
from tests.fixed_predictor import Fixed, info


def request_of(*images):
    """A request to predict, in rows."""
    return {"instances": [{"b64": base64.b64encode(image).decode()} for image in images]}


@pytest.fixture(scope="session")
def rows():
    """Makes a request of image files' contents."""
    return request_of


@pytest.fixture
def image(image_files):
    return image_files[0].read_bytes()


class Client:
    """Asks an application without a server."""

    def __init__(self, application):
        self.application = application
        self._transport = httpx.ASGITransport(application)

    def opened(self):
        return httpx.AsyncClient(transport=self._transport, base_url="http://localhost", timeout=60)

    def request(self, method, address, **content):
        async def asked():
            async with self.opened() as client:
                return await client.request(method, address, **content)

        return asyncio.run(asked())

    def get(self, address, **content):
        return self.request("GET", address, **content)

    def post(self, address, **content):
        return self.request("POST", address, **content)


@dataclasses.dataclass
class Serving:
    """A folder of versions, what serves it, and who asks.

    Attributes:
      folder: the versions' folder; `models` opens what is put there.
      models: a predictor, or an error to raise, by version; others are `Fixed`.
      versions: what is served.
      metrics: of the application.
      client: asks.
    """

    folder: pathlib.Path
    models: dict
    metrics: Metrics = dataclasses.field(default_factory=Metrics)
    versions: Versions = None
    client: Client = None

    def open(self, path, version):
        model = self.models.setdefault(version, Fixed(info(), version / 100))
        if isinstance(model, Exception):
            raise model
        settings = self.settings
        return ServedModel([model], version, settings, self.metrics)

    def start(self, settings, token=None):
        self.settings = settings
        self.versions = Versions(self.folder, settings, self.open)
        self.client = Client(app.create(self.versions, settings.limits, self.metrics, token))

    def put(self, *versions):
        """Puts versions into the folder."""
        for version in versions:
            (self.folder / str(version)).mkdir()
            (self.folder / str(version) / "model.tflite").write_bytes(b"")

    def answering(self, address="/v1/models/fixed:predict"):
        """The version that answers, by its probability."""
        image = (pathlib.Path(self.folder).parent / "a.png").read_bytes()
        answer = self.client.post(address, json=request_of(image))
        assert answer.status_code == 200, answer.text
        return round(100 * answer.json()["predictions"][0]["probability"])


@pytest.fixture
def serving(tmp_path, image):
    """Serves versions that are put into a folder: `serving(1, 2, models={2: model}, settings=...)`."""
    (tmp_path / "a.png").write_bytes(image)
    with contextlib.ExitStack() as stack:

        def start(*versions, models=None, settings=Settings(), token=None):  # noqa: B008
            served = Serving(tmp_path / "model", dict(models or {}))
            served.folder.mkdir()
            served.put(*versions)
            served.start(settings, token)
            stack.callback(served.versions.close)
            return served

        yield start
