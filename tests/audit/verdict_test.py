import copy

import pytest

from ctcov_tf.audit import verdict

CLEAN = {
    "name": "set",
    "synthetic": False,
    "images": 100,
    "remarks": [],
    "unreadable": {},
    "counts": {"train": {"a": 40, "b": 40}, "test": {"a": 10, "b": 10}},
    "published": None,
    "sources": {"one": {"a": 50, "b": 50}},
    "groups": {"told": 100, "number": 50},
    "overlaps": [],
    "duplicates": {"pairs": [], "repeated_files": 0, "examined": 3, "most_bits": 32},
    "classifiers": [],
}


def pair(*between):
    names = {f"{end}{name}": f"{end}{name}" for end in ("first", "second") for name in ("", "_label", "_split")}
    return {"how": "crop", "correlation": 0.9, "between": list(between), **names}


def classifier(name, low, high=0.99, reason=""):
    return {
        "name": name,
        "folds": 5,
        "reason": reason,
        "classes": [{"label": "a", "value": 0.8, "low": low, "high": high}],
    }


def judge(limits=None, **changes):
    return verdict.verdict(copy.deepcopy(CLEAN) | changes, limits or verdict.Limits())


def test_nothing_found_is_said_without_a_promise():
    found = judge()
    assert not found.findings
    assert not found.cautions
    assert found.headline.startswith("Nothing alarming was found in set.")
    assert "no proof" in found.headline
    assert len(found.clean) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"duplicates": CLEAN["duplicates"] | {"pairs": [pair("classes", "groups")]}}, "One picture stands in two cl"),
        ({"duplicates": CLEAN["duplicates"] | {"pairs": [pair("parts")] * 3}}, "3 pairs of the same picture stand in"),
        (
            {"overlaps": [{"parts": ["train", "test"], "groups": 2, "images": [3, 4], "examples": ["p"]}]},
            "2 groups in train and in test, with 3 and 4 images",
        ),
        (
            {"classifiers": [classifier("file", 0.66)]},
            "no pixel, a is told with AUC 0.800 [0.660, 0.990], above the limit of 0.65",
        ),
        ({"classifiers": [classifier("source", 0.9)]}, "From the source"),
        ({"classifiers": [classifier("border", 0.9)]}, "From the border"),
        ({"classifiers": [classifier("masked_centre", 0.9)]}, "an eighth of each side left, a is told"),
    ],
)
def test_what_makes_a_collection_unfit(changes, words):
    found = judge(**changes)
    assert len(found.findings) == 1
    assert words in found.findings[0]
    assert found.headline == "As it stands, set cannot show that a model reads disease: one finding."


def test_limits_are_held_against_the_lower_end():
    assert not judge(classifiers=[classifier("file", 0.64)]).findings
    assert judge(verdict.Limits(max_auc=0.6), classifiers=[classifier("file", 0.64)]).findings
    pairs = CLEAN["duplicates"] | {"pairs": [pair("parts"), pair("classes")]}
    assert not judge(verdict.Limits(max_duplicates=1, max_conflicts=1), duplicates=pairs).findings


def test_the_class_that_is_told_best_decides():
    several = classifier("file", 0.4)
    several["classes"].append({"label": "b", "value": 0.9, "low": 0.8, "high": 0.95})
    assert "b is told with AUC 0.900 [0.800, 0.950]" in judge(classifiers=[several]).findings[0]


def test_without_an_interval_nothing_is_judged_and_it_is_said():
    without = classifier("file", None, None, "no interval for a: less than 10 groups with it or without it")
    found = judge(classifiers=[without])
    assert not found.findings
    assert "AUC a 0.800, no interval for a: less than 10 groups" in found.cautions[0]
    assert "no limit is held against it" in found.cautions[0]
    found = judge(classifiers=[without | {"classes": [], "reason": "one class only"}])
    assert found.cautions[0].endswith("no pixel, nothing was learnt: one class only.")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classifiers": [classifier("thumbnail", 0.91)]}, "detail is hardly needed"),
        ({"classifiers": [classifier("patient", 0.9)]}, "classes differ in whom they show"),
        ({"groups": {"told": 90, "number": 50}}, "10 of 100 images have no patient or group told"),
        ({"sources": {"(not told)": {"a": 50, "b": 50}}}, "No sources are told"),
        ({"unreadable": {"x.png": "empty file"}}, "1 image cannot be decoded, such as x.png: empty file."),
        ({"remarks": ["Noted."]}, "Noted."),
        ({"synthetic": True}, "synthetic"),
        ({"duplicates": CLEAN["duplicates"] | {"pairs": [pair("groups")]}}, "under two groups of one class and part"),
        ({"duplicates": CLEAN["duplicates"] | {"most_bits": 9}}, "hashes of at most 9 bits apart, not 32"),
        ({"duplicates": CLEAN["duplicates"] | {"repeated_files": 2}}, "2 files repeat another"),
        (
            {
                "published": {
                    "source": "book",
                    "rows": [{"part": "all", "class": "a", "found": 50, "published": 60}],
                }
            },
            "not the one stated in book: all a 50 of 60",
        ),
    ],
)
def test_what_to_be_cautious_of_is_no_finding(changes, words):
    found = judge(**changes)
    assert not found.findings
    assert len(found.cautions) == 1
    assert words in found.cautions[0]


def test_one_part_or_no_groups_are_said():
    texts = judge(counts={"all": {"a": 50, "b": 50}}).clean
    assert any("one part only" in text for text in texts)
    unknown = judge(groups={"told": 0, "number": 0})
    assert any("cannot be seen: no groups are told" in text for text in unknown.cautions)


def test_what_is_let_pass_is_still_said():
    pairs = CLEAN["duplicates"] | {"pairs": [pair("parts")]}
    assert "in two parts" in judge(verdict.Limits(max_duplicates=1), duplicates=pairs).cautions[0]
