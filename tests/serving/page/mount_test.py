"""How the page joins the server."""

import subprocess
import sys


def test_the_root_leads_to_the_page(serving):
    client = serving(1).client
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/page/")


def test_a_missing_library_is_one_line_and_the_rest_goes_on(serving, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    served = serving(1)
    answer = served.client.get("/page/")
    assert answer.status_code == 404
    assert answer.json()["error"].endswith(
        "not installed, the page needs it: install it with pip install 'ctcov[page]'"
    )
    assert served.answering() == 1


def test_a_server_without_visitors_does_not_load_the_library():
    code = "import sys, ctcov_tf.serving.app; print('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_the_browser_is_told_to_ask_no_other_host(serving):
    answer = serving(1).client.get("/page/")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_only_the_page_is_open_without_the_token(serving):
    client = serving(1, token="secret").client
    assert client.get("/v1/models/fixed").status_code == 401
    assert client.get("/page/gradio_api/info").status_code == 404
    assert client.get("/page/config").status_code == 401
