"""A name for a study or a series that tells nothing of the patient.

DICOM's identifiers (UIDs) lead back to the patient in every archive that holds the study, and many are built of a
scanner's number and a time, so that a plain hash of one is found by trying. The pseudonym is therefore a keyed hash.
Without a key of one's own the key is drawn anew for each process: pseudonyms then tell studies apart within one output
and lead nowhere. With the same key a study has the same pseudonym every time, for whoever has the key.
"""

import functools
import hashlib
import hmac
import os
import secrets

from ctcov_tf import errors

KEY_VARIABLE = "CTCOV_PSEUDONYM_KEY"
MIN_KEY_LENGTH = 16
_DIGITS = 16


def pseudonym(uid: str, secret: bytes | None = None) -> str:
    """Names a study or a series.

    Args:
      uid: DICOM's identifier, such as the StudyInstanceUID.
      secret: the key; that of `key` if None.

    Returns:
      16 hexadecimal digits: the first 64 bits of HMAC-SHA256 under the key.

    Raises:
      CtcovError: the key is shorter than 16 characters.
    """
    return hmac.new(secret or key(), uid.encode(), hashlib.sha256).hexdigest()[:_DIGITS]


def key() -> bytes:
    """The key in `CTCOV_PSEUDONYM_KEY`, or else one drawn for this process.

    Raises:
      CtcovError: the key is shorter than 16 characters.
    """
    found = os.environ.get(KEY_VARIABLE, "").encode() or _drawn_key()
    if len(found) < MIN_KEY_LENGTH:
        raise errors.CtcovError(
            f"{KEY_VARIABLE}: shorter than {MIN_KEY_LENGTH} characters: set a longer secret, or none"
        )
    return found


@functools.cache
def _drawn_key() -> bytes:
    return secrets.token_bytes(32)
