"""A served page and a real browser."""

import contextlib
import dataclasses
import shutil
import socket
import threading
import time

import numpy as np
import pytest
import uvicorn

from ctcov_tf.images import pseudonym
from ctcov_tf.model_info import Conformal, GateInfo, Labels, OperatingPoint, PartInfo
from ctcov_tf.study import StudyRule
from tests import fixed_predictor

RATE = {"value": 0.9, "low": 0.8, "high": 0.95}
PART = PartInfo("part1", "cxr_part1", Labels(("edema", "pneumonia"), "pneumonia", "findings"), "phantom/cxr:1.0.0", "")
INFO = dataclasses.replace(
    fixed_predictor.info(parts=(PART,)),
    modality="CT",
    study=StudyRule(highest=2, threshold=0.4, rule="chosen on 10 groups", groups=10, largest_group=50),
    operating_points=(OperatingPoint("sensitivity_0.95", 0.9, "sensitivity 0.95 on validation", RATE, RATE),),
    conformal=Conformal(0.9, {"normal": 0.95, "covid19": 0.95}, {"normal": 9, "covid19": 9}, {}, {}),
    gate=GateInfo("image unlike chest CT", 0.95, 100, 40, 1.0, {"channels": 8}, ""),
)


class Gated(fixed_predictor.Fixed):
    """Says 0.8 to everything but pure white images, which its gate refuses."""

    def outputs(self, data, image, *, heatmaps=False):
        passes = bool(image.min() < 255)
        gate = {"in_distribution": np.array([passes]), "ood_score": np.array([0.5 if passes else 3.0], np.float32)}
        return super().outputs(data, image, heatmaps=heatmaps) | gate


@pytest.fixture
def model():
    return Gated(INFO, 0.8)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(pseudonym.KEY_VARIABLE, "a key for the tests")


@contextlib.contextmanager
def listening(application):
    """Serves an application on a free port, in a thread, and yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application, log_level="warning", lifespan="on", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def address(serving, model):
    """Where the page of a gated model of CT is served."""
    served = serving(1, models={1: model})
    with listening(served.client.application) as found:
        yield found


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """A headless Chromium that notes every request."""
    webdriver = pytest.importorskip("selenium.webdriver")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no browser: install chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1200,1000",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()
