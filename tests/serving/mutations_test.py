"""Whatever a request holds, it is answered or refused with a message: `benchmarks.bad_requests` in short."""

import asyncio
import io
import json
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pytest

from benchmarks import bad_requests, mutated_requests

PREDICT, STUDY = "/v1/models/fixed:predict", "/v1/models/fixed:study"
IMAGES = {}
for name in ("PNG", "JPEG", "BMP"):
    file = io.BytesIO()
    Image.linear_gradient("L").resize((24, 24)).convert("RGB").save(file, name)
    IMAGES[name] = file.getvalue()
IMAGES["DICOM"] = bad_requests.dicom_file(np.asarray(Image.linear_gradient("L").resize((24, 24))))

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["b64", "image_bytes", "instances", "inputs", "signature_name"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def check(answer):
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]


@pytest.fixture
def ask(serving):
    """Asks one application in one event loop."""
    client = serving(1).client
    with asyncio.Runner() as runner:
        opened = client.opened()
        yield lambda address=PREDICT, **content: runner.run(opened.post(address, **content))
        runner.run(opened.aclose())


def test_whole_images_are_answered(ask, rows):
    for image in IMAGES.values():
        assert ask(json=rows(image)).status_code == 200


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([PREDICT, STUDY]), st.integers(0, 2**32))
def test_mutated_requests_are_refused_with_a_message(ask, address, seed):
    check(ask(address, content=mutated_requests.mutated(random.Random(seed), list(IMAGES.values()))))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([PREDICT, STUDY]), VALUES)
def test_any_json_is_refused_with_a_message(ask, address, value):
    check(ask(address, content=json.dumps(value).encode("utf-8", "surrogatepass")))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_message(ask, body):
    answer = ask(content=body)
    assert 400 <= answer.status_code < 500
    check(answer)


def test_mutations_depend_on_the_seed_alone_and_differ():
    def made():
        rng = random.Random(5)
        return [mutated_requests.mutated(rng, list(IMAGES.values())) for _ in range(50)]

    assert made() == made()
    assert len(set(made())) > 40
