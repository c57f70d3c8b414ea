import dataclasses

from ctcov_tf.audit import forest
from ctcov_tf.audit.verdict import Limits


def audit(*classes, name="file"):
    results = [{"name": name, "folds": 5, "reason": "", "classes": list(classes)}]
    return {"limits": dataclasses.asdict(Limits()), "classifiers": results}


def one(value, low, high):
    return {"label": "other_pneumonia", "value": value, "low": low, "high": high}


def drawn(record):
    """Colours of the points, and all words."""
    axes = forest.forest(record).axes[0]
    points = [line.get_color() for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    words = [text.get_text() for text in (*axes.texts, *axes.get_yticklabels())]
    return points, words


def test_colours_tell_what_is_above_its_limit():
    points, words = drawn(audit(one(0.9, 0.8, 0.95), one(0.9, 0.6, 0.95)))
    assert points == [forest.ABOVE, forest.WITHIN]
    assert "chance" in words
    assert "0.900 [0.800, 0.950]" in words
    assert "file: size, mode, format, length: other pneumonia" in words
    assert drawn(audit(one(0.9, 0.8, 0.95), name="thumbnail"))[0] == [forest.WITHIN]


def test_what_has_no_interval_is_a_point_within():
    points, words = drawn(audit(one(0.9, None, None)))
    assert points == [forest.WITHIN]
    assert "0.900" in words
    assert drawn(audit())[0] == []
