"""What the tests of serving share."""

import base64

import pytest


def request_of(*images):
    """A request to predict, in rows."""
    return {"instances": [{"b64": base64.b64encode(image).decode()} for image in images]}


@pytest.fixture(scope="session")
def rows():
    """Makes a request of image files' contents."""
    return request_of
