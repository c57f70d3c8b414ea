from ctcov_tf.audit import page


def pair(name, correlation, *between):
    return {"first": name, "correlation": correlation, "between": list(between)}


def test_contradictions_come_before_repetitions_and_sure_ones_before_others():
    pairs = [
        pair("groups", 1.0, "groups"),
        pair("parts", 0.9, "parts"),
        pair("surer", 0.95, "parts", "groups"),
        pair("classes", 0.86, "classes"),
    ]
    assert [one["first"] for one in sorted(pairs, key=page._gravity)] == ["classes", "surer", "parts", "groups"]
