import pytest

from ctcov_tf.evaluation.explanation import remarks


def metric(low, high):
    return {"value": (low + high) / 2, "low": low, "high": high}


def evidence(deletion, insertion, grey=0.1, blurred=0.2):
    """Advantages of the heat map, and curves of a network that answers 0.8 to the whole image."""
    return {
        "deletion": {"difference": deletion, "curve": [0.8, 0.4, grey]},
        "insertion": {"difference": insertion, "curve": [blurred, 0.6, 0.8]},
    }


@pytest.fixture
def found():
    return {
        "randomisation": {
            "stages": [
                {"layers": 1, "rank_correlation": metric(0.8, 1)},
                {"layers": 40, "rank_correlation": metric(-0.1, 0.2)},
            ],
            "other_images": {"rank_correlation": metric(-0.1, 0.1)},
        },
        "deletion": evidence(metric(0.02, 0.1), metric(0.02, 0.1)),
        "lungs": {"images": 20, "share": metric(0.5, 0.7), "area": metric(0.2, 0.4), "difference": metric(0.2, 0.4)},
    }


def said(found):
    return " ".join(remarks.remarks(found))


def test_good_maps_are_called_good(found):
    text = said(found)
    assert "random weights in 40 layers the heat maps keep a rank correlation of 0.05" in text
    for phrase in (
        "depend on what was learnt",
        "carries the answer",
        "60% of the heat maps' mass lies in the lungs, which are 30%",
        "more than a map without any preference",
    ):
        assert phrase in text


@pytest.mark.parametrize(
    ("limits", "verdict"), [((0.6, 0.9), "no explanation of it"), ((0.3, 0.7), "can't be told here")]
)
def test_judges_the_randomisation(found, limits, verdict):
    found["randomisation"]["stages"][-1]["rank_correlation"] = metric(*limits)
    assert verdict in said(found)


@pytest.mark.parametrize(
    ("deletion", "insertion", "verdict"),
    [
        ((-0.1, 0.1), (-0.1, 0.1), "not shown to be better than lot"),
        ((0.1, 0.2), (-0.1, 0.1), "better than lot in deletion only"),
        ((0.1, 0.2), (-0.2, -0.1), "in insertion the maps do worse than lot"),
    ],
)
def test_judges_deletion_and_insertion(found, deletion, insertion, verdict):
    found["deletion"] = evidence(metric(*deletion), metric(*insertion))
    assert verdict in said(found)


def test_an_image_without_content_that_is_as_positive_judges_no_map(found):
    """Where grey alone brings the answer, the order in which pixels become grey says nothing of the evidence."""
    found["deletion"] = evidence(metric(-0.2, -0.1), metric(0.1, 0.2), grey=1.0)
    text = said(found)
    assert "answers 1.00 to nothing but grey, 0.80 to the whole images: deletion can't judge the maps" in text
    assert "insertion only, which is weak support" in text
    assert "worse than lot" not in text
    found["deletion"] = evidence(metric(0.1, 0.2), metric(0.1, 0.2), grey=0.9, blurred=0.85)
    text = said(found)
    assert "0.85 to the blurred images, 0.80 to the whole ones: insertion can't judge the maps" in text
    assert "area between the curves" not in text


def test_says_how_much_of_a_map_is_the_same_in_every_image(found):
    assert "maps of two different images" not in said(found)
    found["randomisation"]["other_images"]["rank_correlation"] = metric(0.4, 0.6)
    assert "maps of two different images have a rank correlation of 0.50 (95 % interval 0.40 to 0.60)" in said(found)
    found["randomisation"]["other_images"] = None
    assert "maps of two different images" not in said(found)


@pytest.mark.parametrize(
    ("limits", "verdict"), [((-0.2, -0.1), "reads much outside"), ((-0.1, 0.1), "no more than a map without")]
)
def test_judges_the_share_in_the_lungs(found, limits, verdict):
    found["lungs"]["difference"] = metric(*limits)
    assert verdict in said(found)


def test_says_nothing_without_intervals_and_why_without_checks(found):
    none = {"value": 0.1, "low": None, "high": None}
    found["randomisation"]["stages"][-1]["rank_correlation"] = none
    found["deletion"]["deletion"]["difference"] = none
    found["lungs"] = {"left_out": "no lungs"}
    assert remarks.remarks(found) == []
    assert remarks.remarks(None) == []
    assert remarks.remarks({"left_out": "all maps are empty"}) == ["The heat maps are not checked: all maps are empty."]
