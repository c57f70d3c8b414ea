import pytest

from ctcov_tf.serving.hosts import Hosts

HOME = Hosts.of("127.0.0.1", ["CT.hospital.example"])


@pytest.mark.parametrize(
    "authority", ["localhost", "localhost:8501", "LOCALHOST", "127.0.0.1:8501", "[::1]:8501", "ct.hospital.example:80"]
)
def test_names_of_the_server_are_known(authority):
    assert HOME.know(authority)


FOREIGN = [
    "evil.example",
    "evil.example:8501",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example@localhost",
    "localhost@evil.example",
    "localhost/..",
    "localhost?x",
    "localhost#x",
    "localhost\\x",
    "",
    ":8501",
    "[::1",
    "[x]",
    "10.0.0.5",
    "0.0.0.0",
    "127.0.0.2",
]


@pytest.mark.parametrize("authority", FOREIGN)
def test_other_names_are_not(authority):
    assert not HOME.know(authority)


def test_a_server_at_all_addresses_is_known_by_each_of_them_and_by_no_other_name():
    everywhere = Hosts.of("0.0.0.0")
    assert everywhere.know("10.0.0.5:8501")
    assert everywhere.know("[fe80::1]:8501")
    assert not everywhere.know("evil.example")
    assert Hosts.of("::").know("10.0.0.5")


@pytest.mark.parametrize("path", ["/healthz", "/v1/models/fixed", "/", "/page/", "/metrics"])
def test_a_rebound_name_is_answered_with_421(serving, path):
    answer = serving(1).client.get(path, headers={"host": "evil.example"})
    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (421, False)
    assert "--allow-host" in answer.json()["error"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://"])
def test_another_website_is_answered_nothing(serving, origin):
    served = serving(1)
    for method, path in ("GET", "/page/"), ("POST", "/v1/models/fixed:predict"), ("OPTIONS", "/page/config"):
        answer = served.client.request(method, path, headers={"origin": origin})
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_own_website_is_answered_without_a_word_on_origins(serving):
    answer = serving(1).client.get("/page/", headers={"origin": "http://localhost"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
