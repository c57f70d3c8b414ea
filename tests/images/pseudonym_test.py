import hashlib
import hmac

import pytest

from ctcov_tf import errors
from ctcov_tf.images import pseudonym

UID = "1.2.840.113619.2.55.3.20190823.134259"
KEY = "a secret of the ward"


def test_is_a_keyed_hash(monkeypatch):
    monkeypatch.setenv(pseudonym.KEY_VARIABLE, KEY)
    expected = hmac.new(KEY.encode(), UID.encode(), hashlib.sha256).hexdigest()[:16]
    assert pseudonym.pseudonym(UID) == expected
    monkeypatch.setenv(pseudonym.KEY_VARIABLE, KEY + "!")
    assert pseudonym.pseudonym(UID) != expected


def test_without_a_key_it_is_drawn_for_the_process(monkeypatch, run_command):
    monkeypatch.delenv(pseudonym.KEY_VARIABLE, raising=False)
    assert pseudonym.pseudonym(UID) == pseudonym.pseudonym(UID)
    assert pseudonym.pseudonym(UID) != pseudonym.pseudonym(UID + "1")
    code = f"from ctcov_tf.images.pseudonym import pseudonym; print(pseudonym({UID!r}))"
    answers = {run_command("-c", code).stdout for _ in range(2)}
    assert len(answers) == 2
    assert hashlib.sha256(UID.encode()).hexdigest()[:16] not in "".join(answers)


def test_a_short_key_is_refused_without_being_shown(monkeypatch):
    monkeypatch.setenv(pseudonym.KEY_VARIABLE, "hunter2")
    with pytest.raises(errors.CtcovError, match="shorter than 16 characters") as caught:
        pseudonym.pseudonym(UID)
    assert "hunter2" not in str(caught.value)
