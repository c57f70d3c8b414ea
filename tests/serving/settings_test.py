import pytest

from ctcov_tf import errors
from ctcov_tf.images import decode
from ctcov_tf.serving import settings
from ctcov_tf.serving.settings import Limits, Settings


def test_the_limit_of_pixels_is_that_of_every_model():
    assert settings.MAX_PIXELS == decode.MAX_PIXELS
    with pytest.raises(errors.CtcovError, match="--max-pixels 40000001: models refuse more"):
        Settings(limits=Limits(pixels=decode.MAX_PIXELS + 1))


def test_a_request_that_could_never_be_answered_is_not_allowed():
    with pytest.raises(errors.CtcovError, match="--max-images 9: more than --max-queue 8"):
        Settings(limits=Limits(images=9, queue=8))
