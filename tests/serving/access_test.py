import pytest

from ctcov_tf import errors
from ctcov_tf.serving import access

TOKEN = "s3cret-token"


def test_a_token_comes_from_a_file_or_from_the_environment(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    environment = {"CTCOV_TOKEN": "other"}
    assert access.token(file, environment) == TOKEN
    assert access.token(None, environment) == "other"
    assert access.token(None, {}) is None


@pytest.mark.parametrize("content", ["", " \n", "two words", "a\nb", "schlüssel"])
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path, content):
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(errors.CtcovError, match=r"token: no token: write one of letters") as caught:
        access.token(file, {})
    assert content.strip() == "" or content not in str(caught.value)
    with pytest.raises(errors.CtcovError, match="CTCOV_TOKEN: no token"):
        access.token(None, {"CTCOV_TOKEN": content})


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(errors.CtcovError, match="no token can be read"):
        access.token(tmp_path / "nowhere", {})


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}]
)
def test_without_the_token_nothing_but_health_is_answered(serving, headers):
    client = serving(1, token=TOKEN).client
    for method, address in (("GET", "/v1/models/fixed"), ("POST", "/v1/models/fixed:predict"), ("GET", "/metrics")):
        answer = client.request(method, address, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json() == {"error": "A token is needed: send Authorization: Bearer TOKEN"}
    assert client.get("/healthz", headers=headers).status_code == 200


def test_with_the_token_everything_is(serving, rows, image):
    client = serving(1, token=TOKEN).client
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/v1/models/fixed:predict", json=rows(image), headers=headers).status_code == 200
    assert client.get("/metrics", headers=headers).status_code == 200
