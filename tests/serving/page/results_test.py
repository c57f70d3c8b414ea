"""What the page makes of files, without a page."""

import csv
import dataclasses
import io

import numpy as np
from PIL import Image
import pytest

from ctcov_tf import RESEARCH_USE
from ctcov_tf.images import decode, overlay
from ctcov_tf.serving.metrics import Metrics
from ctcov_tf.serving.page import parts, results
from ctcov_tf.serving.served_model import ServedModel
from ctcov_tf.serving.settings import Settings
from tests import fixed_predictor
from tests.images import dicom_samples as samples


def png(height, width, level=90):
    file = io.BytesIO()
    Image.fromarray(np.full((height, width), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def ask(model):
    """Answers files by name."""
    served = ServedModel([model], 1, Settings(), Metrics())
    yield lambda watch=lambda done, of: None, **files: results.answer(files, served, watch=watch)
    served.close()


def test_order_is_that_of_the_files_then_of_the_slices(ask):
    steps = []
    first, second, third = samples.slices(3)
    found = ask(a=png(8, 8), c=third, b=png(9, 9), d=first, e=second, watch=lambda done, of: steps.append((done, of)))
    assert [one.name for one in found.images[:2]] == ["a", "b"]
    assert [one.place["slice"] for one in found.images[2:]] == [1, 2, 3]
    assert found.studies[0]["series"][0]["slices"] == 3
    assert steps == [(0, 2), (1, 2), *[(0, 3)] * 3, (1, 3), (2, 3), (3, 3)]


def test_large_images_are_shown_smaller_and_small_ones_as_they_are(ask):
    large, small = ask(large=png(1000, 2000), small=png(20, 30)).images
    assert decode.decode_grey(large.picture, "").shape == (results.SHOWN // 2, results.SHOWN)
    assert decode.decode_grey(large.thumbnail, "").shape == (results.THUMBNAIL // 2, results.THUMBNAIL)
    np.testing.assert_array_equal(decode.decode_grey(small.picture, ""), np.full((20, 30), 90))


def test_colours_over_the_picture_are_the_overlay(ask):
    (one,) = ask(a=png(16, 16)).images
    picture, colours = (decode.decode_rgb(data, "") for data in (one.picture, results.coloured(one, "covid19")))
    expected = overlay.overlay(picture, one.heatmaps["covid19"], alpha=0.25)
    assert np.abs(0.75 * picture + 0.25 * colours - expected).max() <= 1


def test_a_model_without_heat_maps_is_shown_without(model):
    model.explains = False
    served = ServedModel([model], 1, Settings(), Metrics())
    (one,) = results.answer({"a": png(16, 16)}, served).images
    served.close()
    assert one.heatmaps == {}
    assert parts.picture(one, None).count("<img") == 1


def test_csv_holds_every_value_and_the_notice(ask):
    found = ask(a=png(16, 16), white=png(16, 16, 255))
    first, gated = csv.DictReader(io.StringIO(results.as_csv(found)))
    assert float(first["probability"]) == pytest.approx(0.8)
    assert first["prediction_set"] == "covid19 normal"
    assert float(first["part1_edema"]) == 0.25
    assert first["decision_sensitivity_0.95"] == "normal"
    assert (gated["probability"], gated["reason"]) == ("", "image unlike chest CT")
    assert {first["notice"], gated["notice"]} == {RESEARCH_USE}


def test_names_are_escaped(ask):
    found = ask(**{"<script>alert(1)</script>": png(8, 8), "<b>": b""})
    html = parts.picture(found.images[0], None) + parts.strip(found) + parts.refused(found)
    assert "<script>" not in html
    assert "<b>:" not in html


def test_a_plain_model_has_a_page_too():
    plain = fixed_predictor.Fixed(
        fixed_predictor.info(head="three_class", classes=("normal", "other", "covid19")), 0.1, 0.2, 0.7
    )
    served = ServedModel([plain], 1, Settings(), Metrics())
    (one,) = results.answer({"a": png(8, 8)}, served).images
    served.close()
    said = parts.answer(one, plain.info)
    assert "0.200" in said
    assert "none: every image is answered" in parts.model(plain.info, 1)


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=x", "\r=x", "\n=x"])
def test_a_name_is_no_formula(ask, name):
    found = ask(x=png(8, 8))
    prediction = dataclasses.replace(found.images[0].prediction, name=name)
    one = dataclasses.replace(found.images[0], name=name, prediction=prediction)
    (row,) = csv.DictReader(io.StringIO(results.as_csv(results.Results((one,))), newline=""))
    assert row["image"] == (f"'{name}" if name.isprintable() else f"{name!r}"[1:-1])
    assert float(row["probability"]) == pytest.approx(0.8)


def test_a_refused_image_first_loses_no_answer(ask):
    found = ask(white=png(8, 8, 255), grey=png(8, 8))
    rows = list(csv.DictReader(io.StringIO(results.as_csv(found))))
    assert [row["image"] for row in rows] == ["white", "grey"]
    assert (rows[0]["probability"], float(rows[1]["probability"])) == ("", pytest.approx(0.8))
    assert rows[1]["decision_sensitivity_0.95"]
