import base64

import jinja2
import pytest

from ctcov_tf.pages import template


def render(folder, text, **values):
    (folder / "page.html").write_text(text)
    return template.environment(folder).get_template("page.html").render(**values)


def test_a_page_includes_the_common_style(tmp_path):
    page = render(tmp_path, '<head>{% include "style.html" %}</head>')
    assert page.count("<style>") == page.count("</style>") == 1
    assert "prefers-color-scheme: dark" in page


def test_what_is_put_in_is_escaped_and_nothing_may_be_missing(tmp_path):
    assert render(tmp_path, "{{ name }} {{ share|percent }}", name="<b>", share=0.25) == "&lt;b&gt; 25%"
    with pytest.raises(jinja2.UndefinedError):
        render(tmp_path, "{{ other }}", name="x")


def test_a_picture_comes_back_from_its_address():
    kind, _, text = template.data_url(b"\x89PNG", "png").partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == b"\x89PNG"
