"""The page in a real browser: what a person does, and what they then see."""

import base64
import csv
import io
import json
import os
import pathlib

import numpy as np
from PIL import Image
import pytest

from ctcov_tf import RESEARCH_USE
from tests.images import dicom_samples as samples
from tests.serving.page.conftest import listening

selenium = pytest.importorskip("selenium")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

SECONDS = 120  # only what never comes is waited for so long
LOADED = (
    "return document.readyState == 'complete' && performance.getEntriesByType('resource')"
    ".some((one) => one.name.includes('/gradio_api/run/') && one.responseEnd > 0)"
)
"""Whether the page has asked for the model's description, the last that it does by itself, and has it."""


class Browser:
    """Does and sees what a person does and sees."""

    def __init__(self, driver, address):
        self.driver = driver
        driver.set_window_size(1200, 1000)
        driver.get(address)
        self.wait(lambda: self.all("#files input[type=file]") and driver.execute_script(LOADED))

    def wait(self, condition):
        return WebDriverWait(self.driver, SECONDS, ignored_exceptions=(Exception,)).until(lambda driver: condition())

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return "\n".join(one.text for one in self.all(selector))

    def drop(self, *paths):
        self.all("#files input[type=file]")[0].send_keys("\n".join(map(str, paths)))
        self.wait(lambda: self.all("#answer .answer, #refused .refused"))

    def style(self, selector, name):
        return self.all(selector)[0].value_of_css_property(name)


@pytest.fixture
def browser(chromium, address):
    return Browser(chromium, address)


@pytest.fixture
def write(tmp_path):
    """Writes files and returns their paths."""

    def written(**contents):
        paths = []
        for name, content in contents.items():
            path = tmp_path / name.replace("__", ".")
            if isinstance(content, np.ndarray):
                Image.fromarray(content).save(path)
            else:
                path.write_bytes(content)
            paths.append(path)
        return paths

    return written


RAMP = np.tile(np.arange(64, dtype=np.uint8), (64, 1))


def test_an_image_gets_its_answer_picture_and_table(browser, write):
    assert RESEARCH_USE in browser.text("#notice")
    browser.drop(*write(slice__png=RAMP))
    said = browser.text("#answer")
    assert "covid19" in said
    assert "0.800" in said
    assert "sensitivity 0.95" in said
    assert "covid19 or normal, so no decision" in said
    assert "edema" in said
    image, heat = browser.all("#picture img")
    assert (image.get_attribute("alt"), heat.get_attribute("alt")) == ("slice.png", "heat map: covid19")
    assert image.size == heat.size
    link = browser.wait(lambda: browser.all("#download a"))[0]
    content = base64.b64decode(link.get_attribute("href").partition("base64,")[2]).decode()
    (row,) = csv.DictReader(io.StringIO(content))
    assert row["image"] == "slice.png"
    assert float(row["probability"]) == pytest.approx(0.8)
    assert row["notice"] == RESEARCH_USE


def test_the_heat_map_can_be_faded_by_keyboard_and_taken_away(browser, write):
    browser.drop(*write(slice__png=RAMP))
    assert float(browser.style("#picture .heat", "opacity")) == pytest.approx(0.4)
    browser.all("#opacity input[type=range]")[0].send_keys(Keys.ARROW_RIGHT * 4)
    browser.wait(lambda: float(browser.style("#picture .heat", "opacity")) == pytest.approx(0.6))
    browser.all("#heatmap input[value=none]")[0].click()
    browser.wait(lambda: len(browser.all("#picture img")) == 1)
    browser.all("#heatmap input[value=part1_edema]")[0].click()
    browser.wait(lambda: browser.all("#picture img")[1].get_attribute("alt") == "heat map: part1_edema")


def test_several_images_and_a_bad_file(browser, write):
    browser.drop(
        *write(one__png=RAMP, bad__png=b"no picture", two__png=RAMP.T, white__png=np.full((64, 64), 255, np.uint8))
    )
    assert "bad.png" in browser.text("#refused")
    assert "convert it to PNG" in browser.text("#refused")
    buttons = browser.wait(lambda: browser.all("#strip button"))
    assert [button.find_element(By.TAG_NAME, "b").text for button in buttons] == ["0.800", "0.800", "–"]
    buttons[1].click()
    browser.wait(lambda: "two.png" in browser.text("#picture"))
    buttons[1].send_keys(Keys.ARROW_RIGHT)
    browser.wait(lambda: "image unlike chest CT" in browser.text("#answer"))
    assert "0.8" not in browser.text("#answer")
    assert len(browser.all("#picture img")) == 1
    assert buttons[2].get_attribute("aria-selected") == "true"
    buttons[2].send_keys(Keys.ARROW_LEFT)
    browser.wait(lambda: len(browser.all("#picture img")) == 2)


def test_a_study_has_its_answer_and_a_strip_in_order(browser, write):
    files = {f"s{number}__dcm": data for number, data in enumerate(samples.slices(5)[::-1])}
    browser.drop(*write(**files, film__dcm=samples.radiograph(np.zeros((16, 16), np.uint16))))
    assert "mean of the highest 2 0.800" in browser.text("#studies")
    assert "digital radiography (DX)" in browser.text("#refused")
    buttons = browser.wait(lambda: browser.all("#strip button"))
    assert [button.find_element(By.TAG_NAME, "span").text for button in buttons] == list("12345")
    seen = browser.driver.page_source
    for value in (*samples.PATIENT.values(), samples.STUDY, samples.SERIES):
        assert value not in seen


def test_a_radiograph_alone_is_refused_by_name(browser, write):
    browser.drop(*write(film__dcm=samples.radiograph(np.zeros((16, 16), np.uint16))))
    assert "film.dcm: digital radiography (DX)" in browser.text("#refused")
    assert not browser.text("#answer")


def test_the_page_fits_a_telephone(browser, write):
    browser.driver.set_window_size(500, 900)
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        browser.drop(*write(one__png=RAMP, two__png=RAMP.T))
        widest = "return Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
        browser.wait(lambda: browser.all("#picture img"))
        assert browser.driver.execute_script(widest) <= 360
        assert browser.all("#picture img")[0].size["width"] <= 360
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_can_be_reached_by_keyboard(browser, write):
    browser.drop(*write(one__png=RAMP, two__png=RAMP.T))
    browser.wait(lambda: browser.all("#strip button"))
    wanted = {"opacity", "heatmap", "strip", "download", "folder"}
    body = browser.all("body")[0]
    browser.driver.execute_script("document.activeElement.blur()")
    body.send_keys(Keys.TAB)
    for _ in range(60):
        found = browser.driver.execute_script("return document.activeElement.closest('[id]')?.id || ''")
        inside = browser.driver.execute_script(
            "return [...document.querySelectorAll('#opacity,#heatmap,#strip,#download,#folder')]"
            ".filter((one) => one.contains(document.activeElement)).map((one) => one.id)"
        )
        wanted -= {found, *inside}
        if not wanted:
            break
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert not wanted


def test_about_this_model(browser):
    browser.wait(lambda: [one for one in browser.all("button") if "About this model" in one.text])[0].click()
    browser.wait(lambda: "sensitivity 0.95 on validation" in browser.text("#model"))
    assert "0.900 [0.800, 0.950]" in browser.text("#model")


def test_nothing_is_asked_of_another_host(browser, address, write):
    browser.driver.get_log("performance")
    browser.driver.get(address)
    browser.wait(lambda: browser.all("#files input[type=file]"))
    browser.drop(*write(one__png=RAMP))
    events = [json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")]
    sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert len(sent) > 10
    assert [url for url in sent if not url.startswith((address, "data:", "blob:"))] == []


def test_no_upload_stays_on_the_disk(browser, write):
    browser.drop(*write(one__png=RAMP), *write(slice__dcm=samples.slices(1)[0]))
    kept = [
        path
        for path in pathlib.Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*")
        if path.is_file() and path.stat().st_size
    ]
    assert kept == []


def test_a_token_is_asked_for(chromium, serving, model):
    served = serving(1, models={1: model}, token="secret")
    with listening(served.client.application) as address:
        chromium.get(address)
        wait = WebDriverWait(chromium, SECONDS, ignored_exceptions=(Exception,))
        for password, shown in (("wrong", "Incorrect"), ("secret", "How likely")):
            name, field = wait.until(
                lambda driver: found if len(found := driver.find_elements(By.CSS_SELECTOR, "input")) >= 2 else None
            )[:2]
            name.clear()
            name.send_keys("a person")
            field.clear()
            field.send_keys(password + Keys.ENTER)
            wait.until(lambda driver, shown=shown: shown in driver.page_source)
